/* kill_worker_latency.c: how long from kill -9 of a worker, whose command has children in sessions
 * of their own, to the outcome at the daemon's socket. Also counts outcomes told while a stray
 * still lived. usage: kill_worker_latency [KILLS] */
#include "core/base/io.h"
#include "core/base/mem.h"
#include "tests/unit/pool_client.h"

#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MARK "sleep 4911@"
#define KILLS_MAX 10000

static int by_value(const void *a, const void *b)
{
	mono_us x = *(const mono_us *)a, y = *(const mono_us *)b;

	return (x > y) - (x < y);
}

/* The only child of the pool: its worker. */
static pid_t worker_of(pid_t pool)
{
	char path[64];
	struct str text;
	int64_t n = 0;

	snprintf(path, sizeof(path), "/proc/%d/task/%d/children", (int)pool, (int)pool);
	str_init(&text, 4096);
	if (io_read_file(path, 4096, &text, NULL) == 0 && text.len > 0) {
		text.s[strcspn(text.s, " ")] = '\0';
		if (str_to_i64(text.s, &n) != 0)
			n = 0;
	}
	str_done(&text);
	return (pid_t)n;
}

/* Microseconds, or -1. */
static mono_us kill_once(struct pool_client *c, uint64_t run, unsigned *strays)
{
	mono_us at;
	pid_t pid;
	int i;

	client_job(c, run, "k", "",
	    "sh (setsid " MARK " &) ; (setsid sh -c '" MARK " & " MARK "' &) ; " MARK);
	for (i = 0; i < 2000 && client_count_processes(MARK) < 5; i++)
		poll(NULL, 0, 1);
	pid = worker_of(c->pid);
	at = clock_mono();
	if (pid <= 0 || kill(pid, SIGKILL) != 0 || client_out(c, run) != OUT_LOST)
		return -1;
	at = clock_mono() - at;
	*strays += client_kill_processes(MARK);
	client_ack(c, run);
	return at;
}

int main(int argc, char **argv)
{
	static mono_us took[KILLS_MAX];
	struct pool_client c;
	unsigned strays = 0;
	int64_t n = 100, i;
	int bad = 0;

	if (argc > 1 && (str_to_i64(argv[1], &n) != 0 || n < 1 || n > KILLS_MAX))
		return 2;
	client_start(&c, NULL, NULL);
	if (!client_hello(&c, "0123456789abcdef"))
		return 1;
	for (i = 0; i < n && bad == 0; i++) {
		took[i] = kill_once(&c, (uint64_t)i + 1, &strays);
		bad = took[i] < 0;
	}
	client_stop(&c);
	if (bad) {
		printf("kill_worker_latency: kill %d gave no outcome\n", (int)i);
		return 1;
	}
	qsort(took, (size_t)n, sizeof(took[0]), by_value);
	printf(
	    "kill -9 of a worker -> OUT at the daemon: p50 %.2f ms, p99 %.2f ms, worst %.2f ms (%d "
	    "kills, 5 strays each); told while a stray lived: %u\n",
	    (double)took[n / 2] / 1e3, (double)took[n * 99 / 100] / 1e3, (double)took[n - 1] / 1e3,
	    (int)n, strays);
	return strays > 0;
}
