/* The life of runs: start, dispatch, outcomes, ends; max_runs; dependencies. */
#include "core/sched/table.h"
#include "leak.h"
#include "sched_rig.h"

#include <criterion/criterion.h>

Test(sched_apply, chain_runs_in_order_and_succeeds)
{
	struct rig g;
	uint64_t run;

	rig_init(&g, 4);
	rig_dag(&g, "d", "a;b:a;c:b", NULL, NULL);
	run = rig_start(&g, "d");
	cr_assert_eq(rig_run_state(&g, run), RUN_RUNNING);
	cr_assert_eq(g.jobs.n, 1);
	cr_assert(!rig_ok(&g, run, "b"));
	cr_assert(rig_ok(&g, run, "a"));
	cr_assert_eq(rig_state(&g, run, "b"), STEP_RUNNING);
	cr_assert_eq(rig_state(&g, run, "c"), STEP_WAITING);
	cr_assert(rig_ok(&g, run, "b"));
	cr_assert(rig_ok(&g, run, "c"));
	cr_assert_eq(rig_run_state(&g, run), RUN_SUCCEEDED);
	cr_assert_eq(memview_count(&g.mem, TABLE_COUNT), 0);
	rig_done(&g);
	LEAK_CHECK();
}

Test(sched_apply, two_workers_run_two_of_three_roots)
{
	struct rig g;
	uint64_t run;

	rig_init(&g, 2);
	rig_dag(&g, "d", "a;b;c", NULL, NULL);
	run = rig_start(&g, "d");
	cr_assert_eq(g.jobs.n, 2);
	cr_assert_eq(rig_state(&g, run, "c"), STEP_READY);
	rig_drain(&g);
	cr_assert_eq(rig_run_state(&g, run), RUN_SUCCEEDED);
	rig_done(&g);
	LEAK_CHECK();
}

Test(sched_apply, max_runs_queues_and_starts_the_next_at_the_end)
{
	struct rig g;
	uint64_t a, b, c;

	rig_init(&g, 4);
	rig_dag(&g, "d", "a", NULL, NULL);
	a = rig_start(&g, "d");
	b = rig_start(&g, "d");
	c = rig_start(&g, "d");
	cr_assert_eq(rig_run_state(&g, a), RUN_RUNNING);
	cr_assert_eq(rig_run_state(&g, b), RUN_QUEUED);
	rig_ok(&g, a, "a");
	cr_assert_eq(rig_run_state(&g, b), RUN_RUNNING);
	cr_assert_eq(rig_run_state(&g, c), RUN_QUEUED);
	rig_drain(&g);
	cr_assert_eq(rig_run_state(&g, c), RUN_SUCCEEDED);
	rig_done(&g);
	LEAK_CHECK();
}
