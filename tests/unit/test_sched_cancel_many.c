/* An order to cancel the runs of a DAG, or all: in small transactions, exactly those that were open
 * when it was given, whatever comes meanwhile; nothing of them starts until it has come to them.
 * What is left of it when the daemon dies: tests/sys/cancel_many.sh. */
#include "core/sched/tx.h"
#include "leak.h"
#include "sched_rig.h"

#include <criterion/criterion.h>

#define MANY 3000
/* What ends at once, in writes: a run of one step costs about ten. */
#define WRITES_MAX (20 * CANCEL_AT_ONCE)

static int order(struct rig *g, const char *dag, bool hard)
{
	struct op op = {.kind = OP_CANCEL};

	op.u.cancel.dag = dag;
	op.u.cancel.all = dag == NULL;
	op.u.cancel.hard = hard;
	op.u.cancel.actor = "test";
	g->mem.writes = 0;
	cr_assert_eq(rig_op(g, &op), 0);
	cr_assert_lt(g->mem.writes, WRITES_MAX);
	return (int)g->r.count;
}

/* One transaction of what is left; false: nothing is due any more. */
static bool more(struct rig *g)
{
	wall_us next;

	cr_assert_eq(sched_next_due(&g->mem.view, &next), 0);
	if (next == TIME_NONE)
		return false;
	g->mem.writes = 0;
	rig_due(g, next > g->now ? next : g->now);
	cr_assert_lt(g->mem.writes, WRITES_MAX);
	return true;
}

static int in_state(struct rig *g, enum run_state state)
{
	uint8_t prefix = (uint8_t)state;
	struct view_walk w;
	int n = 0;

	view_walk_init(&w, &g->mem.view, TABLE_RUN_STATE, &prefix, 1, false);
	while (view_walk_next(&w, NULL) == 0)
		n++;
	return n;
}

/* MANY runs of "d": two running, the rest queued; one of "e" runs, another waits. */
static void begin(struct rig *g, const char *extra)
{
	rig_init(g, 4);
	g->no_check = g->mem.plain = true;
	rig_dag(g, "d", "a;b:a", NULL, extra);
	rig_dag(g, "e", "a;b:a", NULL, NULL);
	for (int i = 0; i < MANY; i++)
		rig_start(g, "d");
	cr_assert_eq(rig_start(g, "e"), MANY + 1);
	cr_assert_eq(rig_start(g, "e"), MANY + 2);
	rig_check(g);
}

static bool killed(const struct rig *g, bool hard)
{
	int n = 0;

	for (size_t i = 0; i < g->fx.n; i++)
		n += g->fx.v[i].kind == EFFECT_KILL && g->fx.v[i].hard == hard;
	return n == 2;
}

Test(sched_cancel_many, ends_thousands_in_small_transactions_and_no_others, .timeout = 300)
{
	struct rig g;
	uint64_t later;
	int rounds = 0;

	begin(&g, "\"max_runs\":2");
	cr_assert_eq(order(&g, "d", false), MANY);
	cr_assert(killed(&g, false), "what runs is not kept waiting");
	cr_assert_gt(in_state(&g, RUN_QUEUED), MANY / 2);
	rig_check(&g);
	/* as a daemon that is killed and started again: all that it knows is in the store */
	rig_pool_up(&g, 2, g.jobs.v, g.tokens.v, g.jobs.n);
	later = rig_start(&g, "d");
	cr_assert(rig_ok(&g, MANY + 1, "a"));
	cr_assert_eq(rig_state(&g, MANY + 1, "b"), STEP_RUNNING, "another DAG goes on");
	/* a place in max_runs: those that it means do not get it */
	rig_answer(&g, 1, "a", OUTCOME_CANCELLED, "");
	cr_assert_eq(rig_run_state(&g, 1), RUN_CANCELLED);
	cr_assert_eq(in_state(&g, RUN_RUNNING), 2);
	for (; more(&g); rounds++) {
		if (rounds % 4 == 0)
			rig_check(&g);
	}
	cr_assert_gt(rounds, 5);
	rig_check(&g);
	cr_assert_eq(in_state(&g, RUN_CANCELLED), MANY - 1);
	cr_assert_eq(rig_run_state(&g, later), RUN_RUNNING, "made later: not meant");
	cr_assert_eq(rig_run_state(&g, MANY + 2), RUN_QUEUED, "another DAG");
	cr_assert_eq(memview_count(&g.mem, TABLE_CANCEL), 0);
	rig_answer(&g, 2, "a", OUTCOME_CANCELLED, "");
	rig_drain(&g);
	cr_assert_eq(in_state(&g, RUN_SUCCEEDED), 3);
	cr_assert_eq(in_state(&g, RUN_CANCELLED), MANY);
	rig_check(&g);
	rig_done(&g);
	LEAK_CHECK();
}

Test(sched_cancel_many, of_all_and_without_grace_again, .timeout = 300)
{
	struct rig g;

	begin(&g, "\"max_runs\":2");
	cr_assert_eq(order(&g, NULL, false), MANY + 2);
	cr_assert_eq(order(&g, NULL, false), 0, "all are meant already");
	cr_assert_eq(memview_count(&g.mem, TABLE_CANCEL), 1);
	cr_assert_gt(order(&g, "d", true), MANY / 2);
	cr_assert(killed(&g, true), "those that are being cancelled as well");
	rig_check(&g);
	while (more(&g))
		;
	while (g.jobs.n > 0)
		rig_answer_at(&g, 0, OUTCOME_CANCELLED, "");
	cr_assert_eq(in_state(&g, RUN_CANCELLED), MANY + 2);
	rig_check(&g);
	rig_done(&g);
	LEAK_CHECK();
}

/* The run ended before the order came to it, and a person opened it again. */
Test(sched_cancel_many, spares_what_is_opened_again, .timeout = 300)
{
	struct op op = {.kind = OP_RERUN};
	struct rig g;

	begin(&g, "\"max_runs\":2");
	order(&g, "d", false);
	rig_cancel(&g, MANY); /* the last that it would come to */
	op.u.rerun.run = MANY;
	cr_assert_eq(rig_op(&g, &op), 0);
	rig_check(&g);
	while (more(&g))
		;
	cr_assert_eq(rig_run_state(&g, MANY), RUN_QUEUED, "the killed ones have not ended");
	rig_answer(&g, 1, "a", OUTCOME_CANCELLED, "");
	rig_answer(&g, 2, "a", OUTCOME_CANCELLED, "");
	rig_drain(&g);
	cr_assert_eq(rig_run_state(&g, MANY), RUN_SUCCEEDED);
	/* a later order means it again */
	cr_assert_eq(rig_op(&g, &op), 0);
	cr_assert_eq(order(&g, "d", false), 1);
	rig_check(&g);
	rig_done(&g);
	LEAK_CHECK();
}

/* All run at once: what is ready is not handed out when places become free. */
Test(sched_cancel_many, hands_out_nothing_that_it_means, .timeout = 300)
{
	struct rig g;

	begin(&g, "\"max_runs\":5000");
	cr_assert_eq(g.jobs.n, 4);
	cr_assert_eq(in_state(&g, RUN_RUNNING), MANY + 1);
	cr_assert_eq(order(&g, "d", false), MANY);
	while (g.jobs.n > 0) {
		g.mem.writes = 0;
		rig_answer_at(&g, 0, OUTCOME_CANCELLED, "");
		cr_assert_lt(g.mem.writes, WRITES_MAX);
	}
	rig_check(&g);
	cr_assert_gt(in_state(&g, RUN_RUNNING), 0);
	while (more(&g)) {
		for (size_t i = 0; i < g.jobs.n; i++)
			cr_assert_gt(g.jobs.v[i].run, MANY, "run %llu of d was handed out",
			    (unsigned long long)g.jobs.v[i].run);
	}
	for (uint64_t run = 1; run <= MANY; run++)
		cr_assert_eq(rig_run_state(&g, run), RUN_CANCELLED);
	rig_check(&g);
	rig_done(&g);
	LEAK_CHECK();
}

Test(sched_cancel_many, stands_in_nobodys_way, .timeout = 300)
{
	struct rig g;

	rig_init(&g, 4);
	g.no_check = g.mem.plain = true;
	rig_dag(&g, "d", "a;b:a", NULL, NULL);
	for (int i = 0; i < MANY; i++)
		rig_start(&g, "d");
	rig_dag(&g, "d", "a;b:a;c", NULL, "\"overlap\":\"skip\"");
	cr_assert_eq(rig_start(&g, "d"), 0, "%s", g.r.err.text);
	order(&g, "d", false);
	rig_answer(&g, 1, "a", OUTCOME_CANCELLED, "");
	cr_assert_gt(in_state(&g, RUN_QUEUED), MANY / 2);
	cr_assert_eq(rig_start(&g, "d"), MANY + 1, "%s", g.r.err.text);
	while (more(&g))
		;
	cr_assert_eq(rig_run_state(&g, MANY + 1), RUN_RUNNING);
	rig_check(&g);
	rig_done(&g);
	LEAK_CHECK();
}

Test(sched_cancel_many, of_a_vanished_file_goes_on_too, .timeout = 300)
{
	struct rig g;

	begin(&g, "\"max_runs\":2");
	g.mem.writes = 0;
	rig_file(&g, "d.yaml", NULL);
	{
		struct op_file f = {.path = "d.yaml", .gone = true};
		struct op op = {.kind = OP_PLANS};

		op.u.plans.files = &f;
		op.u.plans.n_files = 1;
		cr_assert_eq(rig_op(&g, &op), 0);
	}
	cr_assert_lt(g.mem.writes, WRITES_MAX);
	rig_check(&g);
	cr_assert_gt(in_state(&g, RUN_QUEUED), MANY / 2);
	while (more(&g))
		;
	cr_assert_eq(in_state(&g, RUN_CANCELLED), MANY - 2);
	cr_assert_eq(rig_run_state(&g, 1), RUN_RUNNING, "what runs finishes");
	rig_drain(&g);
	cr_assert_eq(in_state(&g, RUN_SUCCEEDED), 4);
	rig_check(&g);
	rig_done(&g);
	LEAK_CHECK();
}

static void clock_to(struct rig *g, int64_t offset_us)
{
	struct op op = {.kind = OP_CLOCK};

	op.u.clock.boot[0] = 1;
	op.u.clock.offset_us = offset_us;
	cr_assert_eq(rig_op(g, &op), 0);
}

/* Of an order, and of one run with thousands of items: they do not wait until the old time comes
 * again. */
Test(sched_cancel_many, goes_on_when_the_clock_is_set_back, .timeout = 300)
{
	struct rig g;
	wall_us next;
	int rounds = 0;

	rig_init(&g, 4);
	g.no_check = g.mem.plain = true;
	clock_to(&g, 0);
	rig_dag(&g, "d", "f each=2500", NULL, "\"max_runs\":2");
	for (int i = 0; i < 2000; i++)
		rig_start(&g, "d");
	order(&g, "d", false);
	g.now -= 3600 * US_PER_S;
	clock_to(&g, -3600 * US_PER_S);
	rig_check(&g);
	while (sched_next_due(&g.mem.view, &next) == 0 && next != TIME_NONE) {
		cr_assert_leq(next, g.now + US_PER_S);
		rig_due(&g, g.now + 2 * US_PER_MS);
		cr_assert_lt(rounds++, 1000);
	}
	rig_check(&g);
	while (g.jobs.n > 0)
		rig_answer_at(&g, 0, OUTCOME_CANCELLED, "");
	cr_assert_eq(in_state(&g, RUN_CANCELLED), 2000);
	rig_check(&g);
	rig_done(&g);
	LEAK_CHECK();
}

/* A rerun of thousands of items that waits in the queue is cancelled in small transactions, too. */
Test(sched_cancel_many, a_queued_rerun_of_thousands_of_items, .timeout = 300)
{
	struct op op = {.kind = OP_RERUN};
	struct rig g;

	rig_init(&g, 4);
	g.no_check = g.mem.plain = true;
	rig_dag(&g, "d", "f each=2500;z:f", NULL, NULL);
	rig_start(&g, "d");
	rig_drain(&g);
	rig_start(&g, "d");
	op.u.rerun.run = 1;
	cr_assert_eq(rig_op(&g, &op), 0);
	cr_assert_eq(rig_run_state(&g, 1), RUN_QUEUED);
	g.mem.writes = 0;
	rig_cancel(&g, 1);
	cr_assert_lt(g.mem.writes, WRITES_MAX);
	cr_assert_eq(rig_run_state(&g, 1), RUN_QUEUED);
	rig_check(&g);
	rig_drain(&g);
	cr_assert_eq(rig_run_state(&g, 2), RUN_SUCCEEDED);
	cr_assert_eq(rig_run_state(&g, 1), RUN_QUEUED, "it is not started");
	rig_start(&g, "d");
	while (more(&g))
		rig_check(&g);
	cr_assert_eq(rig_run_state(&g, 1), RUN_CANCELLED);
	cr_assert_eq(rig_run_state(&g, 3), RUN_RUNNING);
	rig_check(&g);
	rig_done(&g);
	LEAK_CHECK();
}

static void count_problem(void *arg, const char *text)
{
	(void)text;
	++*(int *)arg;
}

static int problems(struct rig *g)
{
	int n = 0;

	cr_assert_eq(check_store(&g->mem.view, count_problem, &n), 0);
	return n;
}

Test(sched_cancel_many, fsck_knows_it, .timeout = 300)
{
	struct cancel_rec c, bad;
	struct rig g;
	struct key k;

	begin(&g, "\"max_runs\":2");
	order(&g, "d", false);
	cr_assert_eq(cancel_get(&g.mem.view, 1, &c), 0);
	cr_assert_eq(problems(&g), 0);
	for (int what = 0; what < 5; what++) {
		bad = c;
		if (what == 0)
			bad.at = MANY - 1; /* it has left runs behind */
		else if (what == 1)
			bad.upto = MANY + 3;
		else if (what == 2)
			bad.due_at += US_PER_S;
		else if (what == 3)
			bad.state = RUN_FAILED;
		else
			bad.queued = true, bad.state = RUN_RUNNING;
		cr_assert_eq(cancel_put(&g.mem.view, &bad), 0);
		cr_assert_gt(problems(&g), 0, "damage %d", what);
	}
	cr_assert_eq(cancel_put(&g.mem.view, &c), 0);
	cr_assert_eq(problems(&g), 0);
	key_run(&k, 1);
	cr_assert_eq(view_del(&g.mem.view, TABLE_CANCEL, k.b, k.n), 0);
	cr_assert_gt(problems(&g), 0, "a due entry without an order");
	g.no_check = true;
	rig_done(&g);
	LEAK_CHECK();
}
