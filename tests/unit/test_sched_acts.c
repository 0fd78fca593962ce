/* What people do to runs: cancel, rerun, mark, pause, tokens, a new configuration. */
#include "core/sched/table.h"
#include "leak.h"
#include "sched_rig.h"

#include <criterion/criterion.h>
#include <string.h>

static int mark(struct rig *g, uint64_t run, const char *step, const char *state)
{
	struct op op = {.kind = OP_MARK};

	op.u.mark.run = run;
	op.u.mark.step = step;
	op.u.mark.state = state;
	return rig_op(g, &op);
}

static int rerun(struct rig *g, uint64_t run, const char *step, bool failed)
{
	const char *names[1] = {step};
	struct op op = {.kind = OP_RERUN};

	op.u.rerun.run = run;
	op.u.rerun.steps = names;
	op.u.rerun.n_steps = step != NULL;
	op.u.rerun.failed = failed;
	return rig_op(g, &op);
}

Test(sched_cancel, a_queued_run_ends_at_once_a_running_one_with_its_attempts)
{
	struct op op = {.kind = OP_CANCEL};
	struct rig g;
	uint64_t running, queued;

	rig_init(&g, 1);
	rig_dag(&g, "d", "a;b:a", NULL, NULL);
	running = rig_start(&g, "d");
	queued = rig_start(&g, "d");
	rig_cancel(&g, queued);
	cr_assert_eq(rig_run_state(&g, queued), RUN_CANCELLED);
	rig_cancel(&g, running);
	cr_assert_eq(rig_run_state(&g, running), RUN_RUNNING);
	cr_assert_eq(rig_state(&g, running, "b"), STEP_CANCELLED);
	rig_answer(&g, running, "a", OUTCOME_CANCELLED, "");
	cr_assert_eq(rig_run_state(&g, running), RUN_CANCELLED);
	op.u.cancel.run = running;
	cr_assert_eq(rig_op(&g, &op), ERR_CONFLICT);
	op.u.cancel.run = 99;
	cr_assert_eq(rig_op(&g, &op), ERR_NOT_FOUND);
	rig_done(&g);
	LEAK_CHECK();
}

Test(sched_cancel, of_a_dag_and_of_all)
{
	struct op op = {.kind = OP_CANCEL};
	struct rig g;

	rig_init(&g, 9);
	rig_dag(&g, "d", "a", NULL, NULL);
	rig_dag(&g, "e", "a", NULL, NULL);
	for (int i = 0; i < 3; i++) {
		rig_start(&g, "d");
		rig_start(&g, "e");
	}
	op.u.cancel.dag = "d";
	cr_assert_eq(rig_op(&g, &op), 0);
	cr_assert_eq(g.r.count, 3);
	op.u.cancel.dag = "x";
	cr_assert_eq(rig_op(&g, &op), ERR_NOT_FOUND);
	op.u.cancel.all = true;
	cr_assert_eq(rig_op(&g, &op), 0);
	cr_assert_eq(g.r.count, 3);
	while (g.jobs.n > 0)
		rig_answer_at(&g, 0, OUTCOME_CANCELLED, "");
	for (uint64_t run = 1; run <= 6; run++)
		cr_assert_eq(rig_run_state(&g, run), RUN_CANCELLED);
	rig_done(&g);
	LEAK_CHECK();
}

Test(sched_rerun, takes_the_failed_steps_and_what_follows_them)
{
	struct rig g;
	uint64_t run;

	rig_init(&g, 9);
	rig_dag(&g, "d", "a;b:a;c:b;x:a", NULL, NULL);
	run = rig_start(&g, "d");
	rig_ok(&g, run, "a");
	rig_fail(&g, run, "b", "data");
	rig_drain(&g);
	cr_assert_eq(rerun(&g, run, NULL, true), 0);
	cr_assert_eq(g.r.count, 2);
	cr_assert_eq(rig_run_state(&g, run), RUN_RUNNING);
	cr_assert_eq(rig_state(&g, run, "a"), STEP_SUCCEEDED);
	cr_assert_eq(rig_step(&g, run, "x").generation, 0);
	cr_assert_eq(rig_step(&g, run, "b").generation, 1);
	cr_assert_eq(rig_step(&g, run, "c").generation, 1);
	rig_drain(&g);
	cr_assert_eq(rig_run_state(&g, run), RUN_SUCCEEDED);
	cr_assert_eq(rerun(&g, run, NULL, true), ERR_CONFLICT);
	cr_assert_eq(rerun(&g, run, "nope", false), ERR_NOT_FOUND);
	cr_assert_eq(rerun(&g, run, "x", false), 0);
	cr_assert_eq(g.r.count, 1);
	cr_assert_eq(rerun(&g, run, "x", false), ERR_CONFLICT, "it runs");
	rig_drain(&g);
	cr_assert_eq(rerun(&g, run, NULL, false), 0);
	cr_assert_eq(g.r.count, 4);
	rig_drain(&g);
	cr_assert_eq(rig_step(&g, run, "b").generation, 2);
	rig_done(&g);
	LEAK_CHECK();
}

Test(sched_rerun, of_a_cancelled_run_and_within_max_runs)
{
	struct rig g;
	uint64_t first, second;

	rig_init(&g, 9);
	rig_dag(&g, "d", "a", NULL, NULL);
	first = rig_start(&g, "d");
	rig_cancel(&g, first);
	rig_answer(&g, first, "a", OUTCOME_CANCELLED, "");
	second = rig_start(&g, "d");
	cr_assert_eq(rerun(&g, first, NULL, false), 0);
	cr_assert_eq(rig_run_state(&g, first), RUN_QUEUED);
	rig_ok(&g, second, "a");
	cr_assert_eq(rig_run_state(&g, first), RUN_RUNNING);
	rig_drain(&g);
	cr_assert_eq(rig_run_state(&g, first), RUN_SUCCEEDED);
	rig_done(&g);
	LEAK_CHECK();
}

Test(sched_mark, moves_what_waits_and_mends_what_ended)
{
	struct rig g;
	uint64_t run;

	rig_init(&g, 1);
	rig_dag(&g, "d", "a;b;c:b", NULL, NULL);
	run = rig_start(&g, "d");
	cr_assert_eq(mark(&g, run, "a", "succeeded"), ERR_CONFLICT, "it runs");
	cr_assert_eq(mark(&g, run, "b", "dancing"), ERR_USAGE);
	cr_assert_eq(mark(&g, run, "zz", "failed"), ERR_NOT_FOUND);
	cr_assert_eq(mark(&g, 99, "a", "failed"), ERR_NOT_FOUND);
	cr_assert_eq(mark(&g, run, "b", "succeeded"), 0);
	cr_assert_eq(rig_state(&g, run, "c"), STEP_READY);
	rig_fail(&g, run, "a", "data");
	rig_drain(&g);
	cr_assert_eq(rig_run_state(&g, run), RUN_FAILED);
	cr_assert_eq(mark(&g, run, "a", "succeeded"), 0);
	cr_assert_eq(rig_run_state(&g, run), RUN_SUCCEEDED);
	cr_assert_eq(mark(&g, run, "b", "failed"), 0);
	cr_assert_eq(rig_run_state(&g, run), RUN_FAILED);
	cr_assert_eq(rig_state(&g, run, "c"), STEP_SUCCEEDED);
	rig_done(&g);
	LEAK_CHECK();
}

Test(sched_pause, of_all_holds_queued_runs_too)
{
	struct op op = {.kind = OP_PAUSE};
	struct rig g;
	uint64_t first, second;

	rig_init(&g, 1);
	rig_dag(&g, "d", "a", NULL, NULL);
	first = rig_start(&g, "d");
	second = rig_start(&g, "d");
	op.u.pause.on = true;
	cr_assert_eq(rig_op(&g, &op), 0);
	rig_ok(&g, first, "a");
	cr_assert_eq(rig_run_state(&g, second), RUN_QUEUED);
	op.u.pause.on = false;
	cr_assert_eq(rig_op(&g, &op), 0);
	cr_assert_eq(rig_run_state(&g, second), RUN_RUNNING);
	rig_done(&g);
	LEAK_CHECK();
}

Test(sched_admin, tokens_are_added_once_and_revoked)
{
	struct op op = {.kind = OP_TOKEN_ADD};
	struct token_rec t;
	struct rig g;

	rig_init(&g, 1);
	str_copy(op.u.token_add.rec.name, PLAN_NAME_MAX, "ci");
	op.u.token_add.rec.scopes = SCOPE_RUN;
	op.u.token_add.hash[0] = 9;
	cr_assert_eq(rig_op(&g, &op), 0);
	cr_assert_eq(rig_op(&g, &op), ERR_EXISTS);
	cr_assert_eq(token_get(&g.mem.view, op.u.token_add.hash, &t), 0);
	cr_assert_str_eq(t.name, "ci");
	op = (struct op){.kind = OP_TOKEN_REVOKE};
	op.u.token_revoke.name = "ci";
	cr_assert_eq(rig_op(&g, &op), 0);
	cr_assert_eq(rig_op(&g, &op), ERR_NOT_FOUND);
	cr_assert_eq(memview_count(&g.mem, TABLE_TOKEN), 0);
	rig_done(&g);
	LEAK_CHECK();
}

Test(sched_resource, pools_hold_across_runs_and_a_larger_pool_wakes)
{
	struct op op = {.kind = OP_CONF};
	struct rig g;

	rig_init(&g, 9);
	rig_dag(&g, "d", "a pool=db;b pool=db;c pool=db", NULL, "\"max_runs\":9");
	rig_start(&g, "d");
	rig_start(&g, "d");
	cr_assert_eq(g.jobs.n, 2);
	g.pools[0].size = 5;
	cr_assert_eq(rig_op(&g, &op), 0);
	cr_assert_eq(g.jobs.n, 5);
	rig_drain(&g);
	cr_assert_eq(memview_count(&g.mem, TABLE_BLOCKED), 0);
	rig_done(&g);
	LEAK_CHECK();
}

Test(sched_resource, an_exclusive_step_runs_once_whatever_max_runs_says)
{
	struct rig g;

	rig_init(&g, 9);
	rig_dag(&g, "d", "a only", NULL, "\"max_runs\":9");
	rig_start(&g, "d");
	rig_start(&g, "d");
	cr_assert_eq(g.jobs.n, 1);
	rig_ok(&g, 1, "a");
	cr_assert_eq(g.jobs.n, 1);
	rig_drain(&g);
	rig_done(&g);
	LEAK_CHECK();
}

Test(sched_resource, priority_goes_first)
{
	struct rig g;
	uint64_t run;

	rig_init(&g, 1);
	rig_dag(&g, "d", "a;b prio=1;c prio=2", NULL, NULL);
	rig_dag(&g, "hog", "x", NULL, NULL);
	run = rig_start(&g, "hog");
	rig_start(&g, "d");
	rig_ok(&g, run, "x");
	cr_assert_eq(rig_state(&g, 2, "c"), STEP_RUNNING);
	rig_ok(&g, 2, "c");
	cr_assert_eq(rig_state(&g, 2, "b"), STEP_RUNNING);
	rig_done(&g);
	LEAK_CHECK();
}

/* 100,000 blocked steps must not be walked over when one other step ends. */
Test(sched_resource, blocked_steps_cost_nothing)
{
	uint64_t writes[2];

	for (int big = 0; big < 2; big++) {
		struct rig g;

		rig_init(&g, 2);
		g.no_check = g.mem.plain = true;
		rig_dag(&g, "d", big ? "f each=5000 pool=one" : "f each=10 pool=one", NULL, NULL);
		rig_dag(&g, "e", "a;b:a", NULL, NULL);
		rig_start(&g, "d");
		rig_start(&g, "e");
		g.mem.writes = 0;
		cr_assert(rig_ok(&g, 2, "a"));
		writes[big] = g.mem.writes;
		rig_done(&g);
	}
	cr_assert_eq(writes[0], writes[1], "%llu, %llu", (unsigned long long)writes[0],
	    (unsigned long long)writes[1]);
	LEAK_CHECK();
}
