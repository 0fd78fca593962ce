/* Cancel: with and without grace; of a run with thousands of ready items in bounded transactions.
 */
#include "core/sched/tx.h"
#include "leak.h"
#include "sched_rig.h"

#include <criterion/criterion.h>

static bool killed_hard(const struct rig *g)
{
	bool hard = true, any = false;

	for (size_t i = 0; i < g->fx.n; i++) {
		if (g->fx.v[i].kind != EFFECT_KILL)
			continue;
		any = true;
		hard = hard && g->fx.v[i].hard;
	}
	return any && hard;
}

static uint32_t cancelled(struct rig *g, uint64_t run)
{
	struct run_rec r;

	cr_assert_eq(run_get(&g->mem.view, run, &r), 0);
	return r.n_steps - r.n_open;
}

Test(sched_cancel, hard_leaves_no_grace_also_later)
{
	struct op op = {.kind = OP_CANCEL};
	struct rig g;

	rig_init(&g, 4);
	rig_dag(&g, "d", "a;b:a", NULL, NULL);
	rig_start(&g, "d");
	op.u.cancel.run = 1;
	cr_assert_eq(rig_op(&g, &op), 0);
	cr_assert(rig_effect(&g, EFFECT_KILL));
	cr_assert_not(killed_hard(&g));
	cr_assert_eq(rig_op(&g, &op), 0);
	cr_assert_not(rig_effect(&g, EFFECT_KILL), "said once");
	op.u.cancel.hard = true;
	cr_assert_eq(rig_op(&g, &op), 0);
	cr_assert(killed_hard(&g));
	op.u.cancel.run = 0;
	op.u.cancel.dag = "d";
	cr_assert_eq(rig_op(&g, &op), 0);
	cr_assert(killed_hard(&g));
	rig_answer(&g, 1, "a", OUTCOME_CANCELLED, "");
	cr_assert_eq(rig_run_state(&g, 1), RUN_CANCELLED);
	rig_done(&g);
	LEAK_CHECK();
}

/* Meanwhile a place becomes free: nothing of the run is handed out. */
Test(sched_cancel, of_thousands_ends_them_in_bounded_transactions, .timeout = 120)
{
	wall_us next;
	struct rig g;
	int rounds = 0;

	rig_init(&g, 3);
	g.no_check = true;
	rig_dag(&g, "d", "f each=5000;z:f", NULL, NULL);
	rig_dag(&g, "e", "a", NULL, NULL);
	rig_start(&g, "d");
	cr_assert_eq(g.jobs.n, 3);
	g.mem.writes = 0;
	rig_cancel(&g, 1);
	cr_assert_lt(g.mem.writes, 10 * CANCEL_AT_ONCE);
	cr_assert_eq(cancelled(&g, 1), CANCEL_AT_ONCE + 1, "and z");
	rig_check(&g);
	rig_answer(&g, 1, "f[1]", OUTCOME_CANCELLED, "");
	cr_assert_eq(g.jobs.n, 2, "what is cancelled is not handed out");
	rig_check(&g);
	rig_start(&g, "e");
	while (sched_next_due(&g.mem.view, &next) == 0 && next != TIME_NONE) {
		g.mem.writes = 0;
		rig_due(&g, next);
		cr_assert_lt(g.mem.writes, 20 * CANCEL_AT_ONCE);
		rig_check(&g);
		cr_assert_lt(rounds++, 10);
	}
	cr_assert_gt(rounds, 1);
	cr_assert_eq(rig_state(&g, 2, "a"), STEP_RUNNING, "it need not wait for the rest");
	cr_assert_eq(rig_run_state(&g, 1), RUN_RUNNING);
	while (g.jobs.n > 0)
		rig_answer_at(&g, 0, OUTCOME_CANCELLED, "");
	cr_assert_eq(rig_run_state(&g, 1), RUN_CANCELLED);
	rig_check(&g);
	rig_done(&g);
	LEAK_CHECK();
}

/* The last attempt ends before the rest of the items has: the run ends with them. */
Test(sched_cancel, goes_on_without_attempts, .timeout = 120)
{
	struct rig g;

	rig_init(&g, 1);
	g.no_check = true;
	rig_dag(&g, "d", "f each=2500 pool=one", NULL, NULL);
	rig_start(&g, "d");
	rig_cancel(&g, 1);
	rig_answer_at(&g, 0, OUTCOME_CANCELLED, "");
	cr_assert_eq(rig_run_state(&g, 1), RUN_RUNNING);
	for (int i = 0; i < 5; i++)
		rig_due(&g, g.now + US_PER_S);
	cr_assert_eq(rig_run_state(&g, 1), RUN_CANCELLED);
	cr_assert_eq(memview_count(&g.mem, TABLE_DUE), 0);
	cr_assert_eq(memview_count(&g.mem, TABLE_BLOCKED), 0);
	rig_check(&g);
	rig_done(&g);
	LEAK_CHECK();
}
