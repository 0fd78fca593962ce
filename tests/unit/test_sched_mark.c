/* Marks: what may be marked, and what follows for children, groups and the run. */
#include "core/sched/table.h"
#include "leak.h"
#include "sched_rig.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

static int mark(struct rig *g, uint64_t run, const char *step, const char *state)
{
	struct op op = {.kind = OP_MARK};

	op.u.mark.run = run;
	op.u.mark.step = step;
	op.u.mark.state = state;
	op.u.mark.actor = "test";
	return rig_op(g, &op);
}

/* One step in each state that there is, marked: refused, or what the run becomes. */
Test(sched_mark, of_every_state)
{
	static const struct {
		const char *steps, *fail, *marked;
		int rc;
		enum run_state run;
		const char *child;
		enum step_state becomes;
	} cases[] = {
	    /* running */
	    {"a;c:a", NULL, "a", ERR_CONFLICT, RUN_RUNNING, "c", STEP_WAITING},
	    /* waiting: its child still waits for the other */
	    {"a;b:a;c:a,b", NULL, "b", 0, RUN_RUNNING, "c", STEP_WAITING},
	    /* waiting, alone before its child */
	    {"a;b:a;c:b", NULL, "b", 0, RUN_RUNNING, "c", STEP_READY},
	    /* ready: one worker only, taken by a */
	    {"a prio=1;b;c:b", NULL, "b", 0, RUN_RUNNING, "c", STEP_READY},
	    /* retrying */
	    {"a retry=2 delay=60000;c:a", "a", "a", 0, RUN_RUNNING, "c", STEP_RUNNING},
	    /* failed: what never ran is judged again, and the run opened */
	    {"a;c:a", "a", "a", 0, RUN_RUNNING, "c", STEP_RUNNING},
	    /* upstream_failed */
	    {"a;b:a;c:b", "a", "b", 0, RUN_RUNNING, "c", STEP_RUNNING},
	    /* failed, but the child needs another that failed as well */
	    {"a;b;c:a,b", "b", "a", 0, RUN_FAILED, "c", STEP_UPSTREAM_FAILED},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct rig g;

		rig_init(&g, 1);
		rig_dag(&g, "d", cases[i].steps, NULL, NULL);
		rig_start(&g, "d");
		if (cases[i].fail != NULL) {
			for (int n = 0; n < 5 && rig_state(&g, 1, cases[i].fail) != STEP_RUNNING;
			     n++)
				rig_answer_at(&g, 0, OUTCOME_FAILED, "{\"class\":\"data\"}");
			cr_assert(rig_fail(&g, 1, cases[i].fail,
			    strstr(cases[i].steps, "retry") ? "transient" : "data"));
		}
		cr_assert_eq(mark(&g, 1, cases[i].marked, "succeeded"), cases[i].rc, "case %zu: %s",
		    i, g.r.err.text);
		cr_assert_eq(rig_run_state(&g, 1), cases[i].run, "case %zu", i);
		cr_assert_eq(rig_state(&g, 1, cases[i].child), cases[i].becomes, "case %zu: %s", i,
		    step_state_name(rig_state(&g, 1, cases[i].child)));
		rig_drain(&g);
		rig_done(&g);
	}
	LEAK_CHECK();
}

Test(sched_mark, opens_what_a_rule_had_skipped_and_leaves_what_ran)
{
	struct rig g;

	rig_init(&g, 4);
	rig_dag(&g, "d", "a;ok:a;clean:a when=one_failed;after:clean", NULL, NULL);
	rig_start(&g, "d");
	rig_drain(&g);
	cr_assert_eq(rig_run_state(&g, 1), RUN_SUCCEEDED);
	cr_assert_eq(rig_state(&g, 1, "clean"), STEP_SKIPPED);
	cr_assert_eq(mark(&g, 1, "a", "failed"), 0);
	cr_assert_eq(rig_run_state(&g, 1), RUN_RUNNING);
	cr_assert_eq(rig_state(&g, 1, "ok"), STEP_SUCCEEDED);
	cr_assert_eq(rig_state(&g, 1, "clean"), STEP_RUNNING);
	cr_assert_eq(rig_state(&g, 1, "after"), STEP_WAITING);
	rig_drain(&g);
	cr_assert_eq(rig_run_state(&g, 1), RUN_FAILED);
	cr_assert_eq(rig_state(&g, 1, "after"), STEP_SUCCEEDED);
	rig_done(&g);
	LEAK_CHECK();
}

Test(sched_mark, of_an_item_ends_its_group_and_judges_an_ended_one_again)
{
	struct rig g;

	rig_init(&g, 8);
	rig_dag(&g, "d", "f each=3;z:f", NULL, NULL);
	rig_start(&g, "d");
	rig_fail(&g, 1, "f[2]", "data");
	rig_drain(&g);
	cr_assert_eq(rig_run_state(&g, 1), RUN_FAILED);
	cr_assert_eq(mark(&g, 1, "f[2]", "skipped"), 0);
	cr_assert_eq(rig_state(&g, 1, "f"), STEP_SUCCEEDED);
	cr_assert_eq(rig_state(&g, 1, "z"), STEP_RUNNING);
	rig_drain(&g);
	cr_assert_eq(rig_run_state(&g, 1), RUN_SUCCEEDED);
	cr_assert_eq(mark(&g, 1, "f[1]", "failed"), 0);
	cr_assert_eq(rig_state(&g, 1, "f"), STEP_FAILED);
	cr_assert_eq(rig_run_state(&g, 1), RUN_FAILED);
	cr_assert_eq(rig_state(&g, 1, "z"), STEP_SUCCEEDED, "it has run");
	rig_done(&g);

	rig_init(&g, 1);
	rig_dag(&g, "d", "f each=2;z:f", NULL, NULL);
	rig_start(&g, "d");
	cr_assert_eq(mark(&g, 1, "f", "succeeded"), ERR_CONFLICT, "its items are open");
	cr_assert_eq(mark(&g, 1, "f[2]", "succeeded"), 0, "it was ready");
	rig_ok(&g, 1, "f[1]");
	cr_assert_eq(rig_state(&g, 1, "f"), STEP_SUCCEEDED);
	rig_drain(&g);
	rig_done(&g);
	LEAK_CHECK();
}

Test(sched_mark, waits_while_the_run_is_being_cancelled_and_mends_it_after)
{
	struct rig g;

	rig_init(&g, 4);
	rig_dag(&g, "d", "a;b:a", NULL, NULL);
	rig_start(&g, "d");
	rig_cancel(&g, 1);
	cr_assert_eq(mark(&g, 1, "b", "succeeded"), ERR_CONFLICT);
	rig_answer(&g, 1, "a", OUTCOME_CANCELLED, "");
	cr_assert_eq(rig_run_state(&g, 1), RUN_CANCELLED);
	cr_assert_eq(mark(&g, 1, "a", "succeeded"), 0);
	cr_assert_eq(rig_run_state(&g, 1), RUN_CANCELLED, "b was cancelled, not judged");
	cr_assert_eq(mark(&g, 1, "b", "skipped"), 0);
	cr_assert_eq(rig_run_state(&g, 1), RUN_SUCCEEDED);
	rig_done(&g);
	LEAK_CHECK();
}
