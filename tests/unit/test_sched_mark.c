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

/* What stands in the queue because of how the marked one ended: it must not run beside what it
 * needs. (Found by sched_random: "ready, but what it needs has not ended".) */
Test(sched_mark, sends_back_what_stands_in_the_queue)
{
	static const struct {
		const char *steps, *fail;
		enum step_state was, becomes;
	} cases[] = {
	    /* b opens again: c waits for it, and would run by itself */
	    {"a prio=2;x prio=1;b:a;c:b when=all_done", "a", STEP_READY, STEP_WAITING},
	    {"a prio=2;x prio=1;b:a;c:b when=one_failed", "a", STEP_READY, STEP_WAITING},
	    /* c is judged by the new end */
	    {"a prio=2;x prio=1;c:a when=one_failed", "a", STEP_READY, STEP_SKIPPED},
	    {"a prio=2;x prio=1;c:a when=all_done", "a", STEP_READY, STEP_READY},
	    /* an attempt of c has failed; the next waits for b */
	    {"a prio=1;b:a;c:b when=all_done retry=3 delay=60000", "c", STEP_RETRYING,
		STEP_WAITING},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct rig g;

		rig_init(&g, 1);
		rig_dag(&g, "d", cases[i].steps, NULL, NULL);
		rig_start(&g, "d"); /* x takes the only worker behind a */
		cr_assert(rig_fail(&g, 1, "a", "data"));
		if (cases[i].was == STEP_RETRYING)
			cr_assert(rig_fail(&g, 1, "c", "transient"));
		cr_assert_eq(rig_state(&g, 1, "c"), cases[i].was, "case %zu: %s", i,
		    step_state_name(rig_state(&g, 1, "c")));
		cr_assert_eq(mark(&g, 1, "a", "succeeded"), 0, "case %zu: %s", i, g.r.err.text);
		cr_assert_eq(rig_state(&g, 1, "c"), cases[i].becomes, "case %zu: %s", i,
		    step_state_name(rig_state(&g, 1, "c")));
		rig_drain(&g);
		cr_assert_eq(rig_run_state(&g, 1), RUN_SUCCEEDED, "case %zu", i);
		rig_done(&g);
	}
	LEAK_CHECK();
}

Test(sched_mark, waits_for_what_runs_because_of_the_former_end)
{
	static const struct {
		const char *marked, *state;
	} ways[] = {{"a", "succeeded"}, {"f[2]", "skipped"}};
	struct rig g;

	for (size_t i = 0; i < 2; i++) {
		rig_init(&g, 4);
		rig_dag(&g, "d",
		    i == 0 ? "a;b:a;c:b when=all_done" : "f each=2;b:f;c:b when=all_done", NULL,
		    NULL);
		rig_start(&g, "d");
		cr_assert(rig_fail(&g, 1, ways[i].marked, "data"));
		if (i == 1)
			cr_assert(rig_ok(&g, 1, "f[1]"));
		cr_assert_eq(rig_state(&g, 1, "c"), STEP_RUNNING);
		cr_assert_eq(mark(&g, 1, ways[i].marked, ways[i].state), ERR_CONFLICT);
		cr_assert(strstr(g.r.err.text, "step c runs") != NULL, "%s", g.r.err.text);
		cr_assert_eq(rig_state(&g, 1, "b"), STEP_UPSTREAM_FAILED);
		cr_assert(rig_ok(&g, 1, "c"));
		cr_assert_eq(mark(&g, 1, ways[i].marked, ways[i].state), 0);
		cr_assert_eq(rig_state(&g, 1, "b"), STEP_RUNNING);
		rig_drain(&g);
		cr_assert_eq(rig_run_state(&g, 1), RUN_SUCCEEDED);
		rig_done(&g);
	}
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
