/* Proves the pool's tests: each scenario holds with the real pool and fails with the pool that has
 * the planted bug. */
#include "tests/unit/pool_client.h"

#include "core/base/io.h"
#include "core/base/mem.h"
#include "tests/unit/leak.h"

#include <criterion/criterion.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define UUID "0123456789abcdef"

static bool keeps_outcomes(struct pool_client *c)
{
	client_job(c, 1, "k", "", "ok");
	return client_out(c, 1) == OUT_OK && client_hello(c, UUID) && c->n_out == 1;
}

static bool success_wins(struct pool_client *c)
{
	client_job(c, 1, "k", "", "late-ok");
	client_send(c, FRAME_KILL, 1, 1, NULL, 0);
	return client_out(c, 1) == OUT_OK;
}

/* The pool sees exit and report in one turn, and the report behind more frames than it reads in a
 * turn. */
static bool reads_to_the_end(struct pool_client *c)
{
	client_job(c, 1, "k", "", "report-die");
	poll(NULL, 0, 15);
	kill(c->pid, SIGSTOP);
	poll(NULL, 0, 60);
	kill(c->pid, SIGCONT);
	return client_out(c, 1) == OUT_OK;
}

static bool strays_die_first(struct pool_client *c)
{
	client_job(
	    c, 1, "k", "", "sh (setsid sleep 4811@ &) ; sleep 0.05; kill -9 $PPID; sleep 4811@");
	return client_out(c, 1) == OUT_LOST && client_count_processes("sleep 4811@") == 0;
}

static bool deadline_holds_alone(struct pool_client *c)
{
	client_job(c, 1, "k", "\"deadline_ms\":50,\"grace_ms\":0", "deaf");
	client_disconnect(c);
	poll(NULL, 0, 200);
	return client_hello(c, UUID) && c->n_out == 1;
}

static bool successor_kills(struct pool_client *c)
{
	bool ok;

	client_job(c, 1, "k", "", "sh sleep 4812@");
	while (client_count_processes("sleep 4812@") == 0)
		poll(NULL, 0, 2);
	kill(c->pid, SIGKILL);
	client_wait_exit(c);
	client_start_pool(c, NULL, NULL);
	ok = client_count_processes("sleep 4812@") == 0;
	client_stop(c);
	return ok;
}

static bool marks_its_end(struct pool_client *c)
{
	struct link_instance i;

	client_send(c, FRAME_RETIRE, 0, 0, NULL, 0);
	return client_wait_exit(c) == 0 && link_read(c->state, c->instance, &i, NULL) == 0 &&
	       i.ended;
}

static bool waits_for_ack(struct pool_client *c)
{
	client_job(c, 1, "k", "", "ok");
	if (client_out(c, 1) != OUT_OK)
		return false;
	client_send(c, FRAME_RETIRE, 0, 0, NULL, 0);
	poll(NULL, 0, 100);
	return link_connect(c->state, c->instance, true, &c->fd, NULL) == 0;
}

static bool logs_the_last_words(struct pool_client *c)
{
	char path[256];
	int i;

	/* The log thread may be quicker than the report, so several times. */
	for (i = 1; i <= 50; i++) {
		client_job(c, (uint64_t)i, "k", "\"log\":\"x.log\"", "print words");
		if (client_out(c, (uint64_t)i) != OUT_OK)
			return false;
		snprintf(path, sizeof(path), "%s/logs/x.log", c->state);
		if (access(path, F_OK) != 0)
			return false;
		unlink(path);
	}
	return true;
}

static const struct {
	const char *mutant;
	bool (*holds)(struct pool_client *c);
} cases[] = {{"forget-when-sent", keeps_outcomes}, {"kill-wins", success_wins},
    {"undrained", reads_to_the_end}, {"strays-live", strays_die_first},
    {"deadline-needs-daemon", deadline_holds_alone}, {"leave-dead", successor_kills},
    {"no-mark", marks_its_end}, {"ends-with-outcomes", waits_for_ack},
    {"tail-unread", logs_the_last_words}};

/* What a planted bug leaves is ended here, whatever became of the test. */
static void kill_left(void)
{
	while (client_kill_processes("sleep 4811@") + client_kill_processes("sleep 4812@") > 0)
		poll(NULL, 0, 5);
}

static bool try_once(size_t i, const char *program)
{
	struct pool_client c;
	bool ok;

	client_program = program;
	client_start(&c, NULL, NULL);
	ok = client_hello(&c, UUID) && cases[i].holds(&c);
	client_stop(&c);
	kill_left();
	return ok;
}

/* Some bugs need the right moment: a few tries are given. Without the bug every try must hold. */
static bool seen_in_time(size_t i)
{
	for (int tries = 0; tries < 20; tries++)
		if (!try_once(i, "tests/unit/sluice-pool-mutant"))
			return true;
	return false;
}

Test(pool_mutants, each_planted_bug_is_seen, .timeout = 240)
{
	size_t i;

	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		unsetenv("SLUICE_TEST_MUTANT");
		cr_assert(
		    try_once(i, "tests/unit/sluice-pool-mutant"), "%s without it", cases[i].mutant);
		setenv("SLUICE_TEST_MUTANT", cases[i].mutant, 1);
		cr_assert(seen_in_time(i), "%s survives", cases[i].mutant);
	}
	LEAK_CHECK();
}
