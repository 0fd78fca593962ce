/* Items that pair with items: `needs: [{step: s, match: item}]`. */
#include "core/sched/table.h"
#include "leak.h"
#include "sched_rig.h"

#include <criterion/criterion.h>
#include <string.h>

static uint64_t begin(struct rig *g, const char *steps)
{
	rig_init(g, 8);
	rig_dag(g, "d", steps, NULL, NULL);
	return rig_start(g, "d");
}

Test(sched_match, an_item_begins_when_its_partner_has_succeeded)
{
	struct rig g;
	uint64_t run = begin(&g, "p each=3;c:=p each=3;z:c");

	cr_assert_eq(rig_state(&g, run, "c"), STEP_RUNNING, "it has its items");
	cr_assert_eq(rig_state(&g, run, "c[2]"), STEP_WAITING);
	cr_assert_eq(g.jobs.n, 3);
	rig_ok(&g, run, "p[2]");
	cr_assert_eq(rig_state(&g, run, "c[2]"), STEP_RUNNING);
	cr_assert_eq(rig_state(&g, run, "c[1]"), STEP_WAITING);
	rig_ok(&g, run, "c[2]");
	rig_drain(&g);
	cr_assert_eq(rig_run_state(&g, run), RUN_SUCCEEDED);
	rig_done(&g);
	LEAK_CHECK();
}

Test(sched_match, a_failed_partner_fails_that_item_only_and_a_rerun_takes_both)
{
	struct rig g;
	uint64_t run = begin(&g, "p each=3;c:=p each=3;z:c");

	rig_fail(&g, run, "p[2]", "data");
	cr_assert_eq(rig_state(&g, run, "c[2]"), STEP_UPSTREAM_FAILED);
	cr_assert_str_eq(rig_step(&g, run, "c[2]").message, "p[2] failed");
	rig_drain(&g);
	cr_assert_eq(rig_state(&g, run, "c[1]"), STEP_SUCCEEDED);
	cr_assert_eq(rig_state(&g, run, "c"), STEP_FAILED);
	cr_assert_eq(rig_step(&g, run, "c").class_, CLASS_DATA);
	cr_assert_eq(rig_state(&g, run, "z"), STEP_UPSTREAM_FAILED);
	cr_assert_eq(rig_run_state(&g, run), RUN_FAILED);
	cr_assert_eq(rig_rerun(&g, run, NULL), 0);
	cr_assert_eq(g.jobs.n, 1, "p[2] alone");
	rig_ok(&g, run, "p[2]");
	cr_assert_eq(g.jobs.n, 1, "c[2] alone");
	rig_drain(&g);
	cr_assert_eq(rig_run_state(&g, run), RUN_SUCCEEDED);
	cr_assert_eq(rig_step(&g, run, "c[1]").generation, 0);
	cr_assert_eq(rig_step(&g, run, "c[2]").generation, 1);
	/* by name: the item and its partner behind it */
	cr_assert_eq(rig_rerun(&g, run, "p[3]"), 0);
	rig_drain(&g);
	cr_assert_eq(rig_step(&g, run, "c[3]").generation, 1);
	cr_assert_eq(rig_step(&g, run, "c[1]").generation, 0);
	cr_assert_eq(rig_run_state(&g, run), RUN_SUCCEEDED);
	rig_done(&g);
	LEAK_CHECK();
}

Test(sched_match, chains_and_other_needs_wait_too)
{
	struct rig g;
	uint64_t run = begin(&g, "a;p each=2;q:=p each=2;c:=q,a each=2");

	rig_ok(&g, run, "p[1]");
	rig_ok(&g, run, "q[1]");
	cr_assert_eq(rig_state(&g, run, "c"), STEP_WAITING, "a has not ended");
	rig_ok(&g, run, "a");
	cr_assert_eq(rig_state(&g, run, "c[1]"), STEP_RUNNING);
	cr_assert_eq(rig_state(&g, run, "c[2]"), STEP_WAITING);
	rig_drain(&g);
	cr_assert_eq(rig_run_state(&g, run), RUN_SUCCEEDED);
	rig_done(&g);
	run = begin(&g, "a;p each=2;c:=p,a each=2");
	rig_fail(&g, run, "a", "data");
	cr_assert_eq(rig_state(&g, run, "c"), STEP_WAITING, "judged when all have ended");
	rig_drain(&g);
	cr_assert_eq(rig_state(&g, run, "c"), STEP_UPSTREAM_FAILED);
	rig_done(&g);
	LEAK_CHECK();
}

Test(sched_match, rules_hold_per_item)
{
	struct rig g;
	uint64_t run = begin(&g, "p each=2;c:=p each=2 when=one_failed");

	rig_fail(&g, run, "p[1]", "data");
	rig_ok(&g, run, "p[2]");
	cr_assert_eq(rig_state(&g, run, "c[1]"), STEP_RUNNING);
	cr_assert_eq(rig_state(&g, run, "c[2]"), STEP_SKIPPED);
	rig_drain(&g);
	cr_assert_eq(rig_state(&g, run, "c"), STEP_SUCCEEDED);
	rig_done(&g);
	LEAK_CHECK();
}

Test(sched_match, a_key_without_partner_is_class_config)
{
	struct rig g;
	uint64_t run = begin(&g, "p each=2;c:=p each=3");

	cr_assert_eq(rig_state(&g, run, "c"), STEP_FAILED);
	cr_assert_eq(rig_step(&g, run, "c").class_, CLASS_CONFIG);
	cr_assert_not_null(strstr(rig_step(&g, run, "c").message, "step p has no item \"3\""), "%s",
	    rig_step(&g, run, "c").message);
	rig_drain(&g);
	rig_done(&g);
	LEAK_CHECK();
}

Test(sched_match, cancel_ends_what_waits_for_a_partner)
{
	struct rig g;
	uint64_t run = begin(&g, "p each=3;c:=p each=3");

	rig_ok(&g, run, "p[1]");
	rig_cancel(&g, run);
	while (g.jobs.n > 0)
		rig_answer_at(&g, 0, OUTCOME_CANCELLED, "");
	cr_assert_eq(rig_run_state(&g, run), RUN_CANCELLED);
	rig_done(&g);
	LEAK_CHECK();
}
