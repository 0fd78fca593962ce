/* What ends or holds up a step or a run from outside, over whole runs: a worker that dies
 * (on_lost), timeout, run_timeout, queue_timeout with each overlap; pools that a reload makes
 * smaller or larger while steps hold their tokens; who waits for whom under priorities. */
#include "core/sched/table.h"
#include "leak.h"
#include "sched_rig.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

static struct run_rec run_of(struct rig *g, uint64_t run)
{
	struct run_rec r;

	cr_assert_eq(run_get(&g->mem.view, run, &r), 0);
	return r;
}

/* ---- on_lost ---- */

Test(sched_limits, on_lost)
{
	/* how often its worker dies before it ends well; what becomes of step, run and handler */
	static const struct {
		const char *words;
		int lost;
		enum step_state step, child, handler;
		enum run_state run;
	} cases[] = {
	    {"", 1, STEP_SUCCEEDED, STEP_SUCCEEDED, STEP_SKIPPED, RUN_SUCCEEDED},
	    {"", 3, STEP_SUCCEEDED, STEP_SUCCEEDED, STEP_SKIPPED, RUN_SUCCEEDED},
	    {"", 4, STEP_FAILED, STEP_UPSTREAM_FAILED, STEP_SUCCEEDED, RUN_FAILED},
	    {" retry=9", 4, STEP_FAILED, STEP_UPSTREAM_FAILED, STEP_SUCCEEDED, RUN_FAILED},
	    {" lostfails", 1, STEP_FAILED, STEP_UPSTREAM_FAILED, STEP_SUCCEEDED, RUN_FAILED},
	    {" lostfails retry=9", 1, STEP_FAILED, STEP_UPSTREAM_FAILED, STEP_SUCCEEDED,
		RUN_FAILED},
	    {" lostfails allow", 1, STEP_FAILED, STEP_SUCCEEDED, STEP_SUCCEEDED, RUN_SUCCEEDED},
	    {" classes=transient", 1, STEP_FAILED, STEP_UPSTREAM_FAILED, STEP_SUCCEEDED,
		RUN_FAILED},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		char steps[96];
		struct rig g;
		uint64_t run;
		int lost = 0;

		snprintf(steps, sizeof(steps), "a%s;b:a;h:a when=one_failed", cases[i].words);
		rig_init(&g, 2);
		rig_dag(&g, "d", steps, NULL, NULL);
		run = rig_start(&g, "d");
		while (lost < cases[i].lost && rig_answer(&g, run, "a", OUTCOME_LOST, "")) {
			lost++;
			rig_due(&g, g.now + 3600 * US_PER_S);
		}
		cr_assert_eq(lost, cases[i].lost, "case %zu: begun %d times", i, lost);
		rig_drain(&g);
		cr_assert_eq(rig_state(&g, run, "a"), cases[i].step, "case %zu", i);
		if (cases[i].step == STEP_FAILED)
			cr_assert_eq(rig_step(&g, run, "a").class_, CLASS_LOST);
		cr_assert_eq(rig_state(&g, run, "b"), cases[i].child, "case %zu", i);
		cr_assert_eq(rig_state(&g, run, "h"), cases[i].handler, "case %zu", i);
		cr_assert_eq(rig_run_state(&g, run), cases[i].run, "case %zu", i);
		rig_done(&g);
	}
	LEAK_CHECK();
}

/* ---- timeouts ---- */

/* The pool kills it at its deadline; a success that was reported first counts. */
Test(sched_limits, timeout_of_a_step)
{
	for (int attempts = 1; attempts <= 3; attempts++) {
		char steps[96];
		struct rig g;
		uint64_t run;

		snprintf(steps, sizeof(steps), "a retry=%d delay=1000 timeout=5000;b:a", attempts);
		rig_init(&g, 2);
		rig_dag(&g, "d", steps, NULL, NULL);
		run = rig_start(&g, "d");
		for (int try = 1; try <= attempts; try++) {
			cr_assert_eq(rig_step(&g, run, "a").attempt, (uint32_t)try);
			cr_assert(rig_answer(&g, run, "a", OUTCOME_DEADLINE, ""));
			cr_assert_eq(rig_step(&g, run, "a").class_, CLASS_TIMEOUT);
			rig_due(&g, g.now + 60 * US_PER_S);
		}
		cr_assert_eq(rig_state(&g, run, "a"), STEP_FAILED, "%d attempts", attempts);
		cr_assert_eq(rig_state(&g, run, "b"), STEP_UPSTREAM_FAILED);
		cr_assert_eq(rig_run_state(&g, run), RUN_FAILED);
		cr_assert_eq(memview_count(&g.mem, TABLE_DUE), 0);
		rig_done(&g);
	}
	LEAK_CHECK();
}

/* The next one starts when the attempts have ended, with a deadline of its own. */
Test(sched_limits, run_timeout_lets_the_next_run_start)
{
	static const char *const rules[] = {"queue", "skip", "cancel", "latest"};

	for (size_t i = 0; i < 4; i++) {
		char extra[96];
		struct rig g;
		uint64_t second;

		snprintf(
		    extra, sizeof(extra), "\"overlap\":\"%s\",\"run_timeout_ms\":60000", rules[i]);
		rig_init(&g, 4);
		rig_dag(&g, "d", "a retry=5;b:a when=all_done", NULL, extra);
		cr_assert_eq(rig_start(&g, "d"), 1);
		rig_due(&g, g.now + 59 * US_PER_S);
		cr_assert_not(run_of(&g, 1).cancel, "%s", rules[i]);
		rig_due(&g, g.now + US_PER_S);
		cr_assert(rig_effect(&g, EFFECT_KILL), "%s", rules[i]);
		second = rig_start(&g, "d");
		/* skip: it is still there until its attempt has ended */
		cr_assert_eq(
		    second, i == 1 ? 0 : 2, "%s: %llu", rules[i], (unsigned long long)second);
		g.now += 30 * US_PER_S;
		/* it ends badly, and is not tried again */
		rig_answer(&g, 1, "a", OUTCOME_FAILED, "{\"class\":\"transient\"}");
		cr_assert_eq(rig_run_state(&g, 1), RUN_FAILED, "%s", rules[i]);
		if (second == 0)
			second = rig_start(&g, "d");
		cr_assert_eq(rig_run_state(&g, second), RUN_RUNNING, "%s", rules[i]);
		cr_assert_eq(run_of(&g, second).deadline_at, g.now + 60 * US_PER_S);
		rig_drain(&g);
		cr_assert_eq(rig_run_state(&g, second), RUN_SUCCEEDED);
		cr_assert_eq(memview_count(&g.mem, TABLE_DUE), 0, "%s", rules[i]);
		rig_done(&g);
	}
	LEAK_CHECK();
}

/* Three come while one runs that does not end: who waits, for how long, and what is left of it. */
Test(sched_limits, queue_timeout_with_each_overlap)
{
	static const struct {
		const char *rule;
		uint64_t made;	       /* runs */
		enum run_state mid[5]; /* by number, before queue_timeout */
		bool killed;	       /* the one that runs */
	} cases[] = {
	    {"queue", 4, {0, RUN_RUNNING, RUN_QUEUED, RUN_QUEUED, RUN_QUEUED}, false},
	    {"skip", 1, {0, RUN_RUNNING, 0, 0, 0}, false},
	    {"cancel", 4, {0, RUN_RUNNING, RUN_CANCELLED, RUN_CANCELLED, RUN_QUEUED}, true},
	    {"latest", 4, {0, RUN_RUNNING, RUN_CANCELLED, RUN_CANCELLED, RUN_QUEUED}, false},
	};

	for (size_t i = 0; i < 4; i++) {
		char extra[96];
		struct rig g;
		uint64_t last;

		snprintf(extra, sizeof(extra), "\"overlap\":\"%s\",\"queue_timeout_ms\":60000",
		    cases[i].rule);
		rig_init(&g, 4);
		rig_dag(&g, "d", "a;b:a", NULL, extra);
		for (int n = 0; n < 4; n++) {
			rig_start(&g, "d");
			g.now += US_PER_S;
		}
		cr_assert_eq(rig_runs(&g), cases[i].made, "%s", cases[i].rule);
		cr_assert_eq(run_of(&g, 1).cancel, cases[i].killed, "%s", cases[i].rule);
		for (uint64_t run = 1; run <= cases[i].made; run++)
			cr_assert_eq(rig_run_state(&g, run), cases[i].mid[run], "%s, run %llu",
			    cases[i].rule, (unsigned long long)run);
		/* the running one has no such limit, each other one its own */
		last = cases[i].made;
		rig_due(&g, RIG_T0 + 62 * US_PER_S);
		if (i == 0)
			cr_assert_eq(rig_run_state(&g, 3), RUN_CANCELLED);
		if (last > 1)
			cr_assert_eq(rig_run_state(&g, last), RUN_QUEUED, "%s", cases[i].rule);
		rig_due(&g, RIG_T0 + 63 * US_PER_S);
		for (uint64_t run = 2; run <= last; run++)
			cr_assert_eq(rig_run_state(&g, run), RUN_CANCELLED, "%s, run %llu",
			    cases[i].rule, (unsigned long long)run);
		cr_assert_eq(memview_count(&g.mem, TABLE_DUE), 0, "%s", cases[i].rule);
		cr_assert_eq(rig_run_state(&g, 1), RUN_RUNNING);
		rig_answer(&g, 1, "a", cases[i].killed ? OUTCOME_CANCELLED : OUTCOME_OK,
		    cases[i].killed ? "" : "{\"class\":\"ok\"}");
		rig_drain(&g);
		cr_assert_eq(rig_run_state(&g, 1), cases[i].killed ? RUN_CANCELLED : RUN_SUCCEEDED);
		cr_assert_eq(rig_start(&g, "d"), last + 1, "there is room again");
		cr_assert_eq(rig_run_state(&g, last + 1), RUN_RUNNING);
		rig_done(&g);
	}
	LEAK_CHECK();
}

/* ---- pools that change ---- */

static void pool_size(struct rig *g, uint32_t size)
{
	struct op op = {.kind = OP_CONF};

	g->pools[0].size = size;
	cr_assert_eq(rig_op(g, &op), 0);
}

static uint64_t used(struct rig *g)
{
	uint64_t n;

	cr_assert_eq(count_get(&g->mem.view, "pool:db", &n), 0);
	return n;
}

Test(sched_limits, a_pool_is_made_smaller_and_larger_under_its_holders)
{
	struct op op = {.kind = OP_CONF};
	struct rig g;

	rig_init(&g, 99);
	rig_dag(&g, "d", "a pool=db", NULL, "\"max_runs\":99");
	pool_size(&g, 4);
	for (int i = 0; i < 12; i++)
		rig_start(&g, "d");
	cr_assert_eq(g.jobs.n, 4);
	pool_size(&g, 2);
	cr_assert_eq(g.jobs.n, 4, "what runs keeps its token");
	cr_assert_eq(used(&g), 4);
	rig_answer_at(&g, 0, OUTCOME_OK, "{\"class\":\"ok\"}");
	rig_answer_at(&g, 0, OUTCOME_OK, "{\"class\":\"ok\"}");
	cr_assert_eq(g.jobs.n, 2, "none starts until the new limit has room");
	rig_answer_at(&g, 0, OUTCOME_OK, "{\"class\":\"ok\"}");
	cr_assert_eq(g.jobs.n, 2);
	pool_size(&g, 5);
	cr_assert_eq(g.jobs.n, 5);
	pool_size(&g, 1);
	for (size_t left = 4; left > 0; left--) {
		rig_answer_at(&g, 0, OUTCOME_OK, "{\"class\":\"ok\"}");
		cr_assert_eq(g.jobs.n, left);
	}
	rig_answer_at(&g, 0, OUTCOME_OK, "{\"class\":\"ok\"}");
	cr_assert_eq(g.jobs.n, 1, "the next by itself");
	/* a pool that the configuration does not name any more: one at a time */
	str_copy(g.pools[0].name, PLAN_NAME_MAX, "other");
	cr_assert_eq(rig_op(&g, &op), 0);
	cr_assert_eq(g.jobs.n, 1);
	rig_drain(&g);
	cr_assert_eq(used(&g), 0);
	cr_assert_eq(memview_count(&g.mem, TABLE_BLOCKED), 0);
	for (uint64_t run = 1; run <= 12; run++)
		cr_assert_eq(rig_run_state(&g, run), RUN_SUCCEEDED);
	rig_done(&g);
	LEAK_CHECK();
}

/* Sizes and answers by chance: nothing is begun beyond the size of that moment (what wants more
 * than there is has the pool alone), and all of them end. */
Test(sched_limits, a_pool_of_any_size_at_any_time, .timeout = 120)
{
	uint32_t random = 7;

	for (int round = 0; round < 30; round++) {
		struct rig g;

		rig_init(&g, 99);
		rig_dag(&g, "d", "a pool=db;b pool=db*2;c pool=db*5;e:a pool=db*3;f each=3 pool=db",
		    NULL, "\"max_runs\":9");
		for (int i = 0; i < 6; i++)
			rig_start(&g, "d");
		for (int i = 0; g.jobs.n > 0; i++) {
			uint64_t before = g.jobs_total, was = used(&g);

			random = random * 1103515245u + 12345u;
			cr_assert_lt(i, 10000, "they never end");
			if (random >> 16 & 1)
				pool_size(&g, 1 + (random >> 17) % 6);
			else
				rig_answer_at(&g, (random >> 17) % g.jobs.n, OUTCOME_OK,
				    "{\"class\":\"ok\"}");
			if (g.jobs_total > before)
				cr_assert(used(&g) <= g.pools[0].size ||
					      (g.jobs_total == before + 1 && g.jobs.n == 1),
				    "%llu of %u tokens, %llu before", (unsigned long long)used(&g),
				    g.pools[0].size, (unsigned long long)was);
		}
		cr_assert_eq(used(&g), 0);
		cr_assert_eq(memview_count(&g.mem, TABLE_BLOCKED), 0);
		for (uint64_t run = 1; run <= 6; run++)
			cr_assert_eq(rig_run_state(&g, run), RUN_SUCCEEDED);
		rig_done(&g);
	}
	LEAK_CHECK();
}

/* ---- who waits for whom ---- */

/* A stream of others that never ends, each begun before the last one has ended; true: `run` began
 * among the first n of them. */
static bool begins(struct rig *g, uint64_t run, const char *other, int n)
{
	for (int i = 0; i < n; i++) {
		g->now += US_PER_S;
		rig_start(g, other);
		rig_answer_at(g, 0, OUTCOME_OK, "{\"class\":\"ok\"}");
		if (rig_state(g, run, "x") == STEP_RUNNING)
			return true;
	}
	return false;
}

static uint64_t beside(struct rig *g, const char *x, const char *other)
{
	rig_init(g, 2);
	rig_dag(g, "d", x, NULL, NULL);
	rig_dag(g, "e", other, NULL, "\"max_runs\":99");
	rig_start(g, "e");
	g->now += US_PER_S;
	rig_start(g, "e");
	g->now += US_PER_S;
	return rig_start(g, "d");
}

/* Of the same priority the one that has waited longest is next, whatever it needs. */
Test(sched_limits, nobody_of_the_same_priority_waits_for_ever)
{
	static const char *const cases[][2] = {
	    {"x", "a"},
	    {"x pool=one", "a pool=one"},
	    {"x pool=db", "a pool=db"},
	    {"x pool=db*2", "a pool=db"}, /* the small ones must not take each token that comes */
	    {"x pool=db*9", "a pool=db"},
	    {"x prio=-3", "a prio=-3"},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct rig g;
		uint64_t run = beside(&g, cases[i][0], cases[i][1]);

		cr_assert_neq(rig_state(&g, run, "x"), STEP_RUNNING, "it is to wait");
		cr_assert(begins(&g, run, "e", 20), "%s waits for ever behind %s", cases[i][0],
		    cases[i][1]);
		rig_drain(&g);
		rig_done(&g);
	}
	LEAK_CHECK();
}

/* The man page: a lower priority waits as long as a higher one is there, and no longer. */
Test(sched_limits, a_lower_priority_waits_as_long_as_there_is_a_higher_one)
{
	static const char *const cases[][2] = {{"x", "a prio=1"}, {"x pool=db", "a pool=db prio=1"},
	    {"x pool=db*2", "a pool=db prio=1"}};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct rig g;
		uint64_t run = beside(&g, cases[i][0], cases[i][1]);

		cr_assert_not(begins(&g, run, "e", 50), "%s", cases[i][0]);
		while (g.jobs.n > 0 && rig_state(&g, run, "x") != STEP_RUNNING)
			rig_answer_at(&g, 0, OUTCOME_OK, "{\"class\":\"ok\"}");
		cr_assert_eq(rig_state(&g, run, "x"), STEP_RUNNING, "%s", cases[i][0]);
		rig_drain(&g);
		rig_done(&g);
	}
	LEAK_CHECK();
}
