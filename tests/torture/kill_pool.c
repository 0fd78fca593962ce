/* kill_pool.c: kill -9 of the pool at random moments while commands that fork and start sessions of
 * their own run; then the next pool starts. Nothing of the dead one may be left when it listens,
 * its lock must be free, and the workers must be gone even before. With a cgroup and without, in
 * turn. usage: kill_pool [CYCLES] */
#include "core/base/io.h"
#include "core/base/mem.h"
#include "tests/unit/pool_client.h"

#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

#define MARK "sleep 4912@"
#define COMMANDS 4

static const char *const jobs[COMMANDS] = {
    "sh " MARK,
    "sh (setsid " MARK " &) ; (setsid sh -c '" MARK " & " MARK "' &) ; " MARK,
    "sh exec 4>&- ; (setsid " MARK " &) ; exec " MARK,
    "sh while :; do (setsid sh -c '" MARK " & exit' &) ; sleep 0.002; done",
};

struct tally {
	unsigned left, unsettled, unowned;
	mono_us longest;
};

static void one_cycle(struct pool_client *c, bool cgroup, struct tally *t)
{
	uint64_t dead = c->instance, run;
	bool settled = false, clean = false;
	mono_us at;

	if (!client_hello(c, "0123456789abcdef"))
		abort();
	for (run = 1; run <= COMMANDS; run++)
		client_job(c, run, run % 2 ? "a" : "b", "", jobs[run - 1]);
	poll(NULL, 0, rand() % 60);
	kill(c->pid, SIGKILL);
	client_wait_exit(c);
	t->unowned += client_count_processes(MARK) > 0;
	at = clock_mono();
	client_start_pool(c, cgroup ? NULL : "--no-cgroup", NULL);
	at = clock_mono() - at;
	t->longest = at > t->longest ? at : t->longest;
	t->left += client_kill_processes(MARK);
	if (link_settled(c->state, dead, &settled, &clean, NULL) != 0 || !settled || clean)
		t->unsettled++;
	link_forget(c->state, dead);
}

int main(int argc, char **argv)
{
	struct tally t = {0};
	struct pool_client c;
	int64_t n = 40, i;

	if (argc > 1 && (str_to_i64(argv[1], &n) != 0 || n < 1))
		return 2;
	srand(4912);
	client_start(&c, NULL, NULL);
	for (i = 0; i < n; i++)
		one_cycle(&c, i % 2 == 0, &t);
	client_stop(&c);
	printf("kill -9 of the pool: %d cycles, in %u commands lived on until the next pool; left "
	       "when it "
	       "listens: %u processes; locks not free: %u; slowest start %.1f ms\n",
	    (int)n, t.unowned, t.left, t.unsettled, (double)t.longest / 1e3);
	client_kill_processes(MARK);
	return t.left > 0 || t.unsettled > 0;
}
