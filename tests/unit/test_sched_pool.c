/* What becomes of attempts when a pool answers, falls silent or is gone. */
#include "core/sched/table.h"
#include "leak.h"
#include "sched_rig.h"

#include <criterion/criterion.h>

static uint64_t begin(struct rig *g)
{
	rig_init(g, 2);
	rig_dag(g, "d", "a;b;c", NULL, NULL);
	return rig_start(g, "d");
}

static void down(struct rig *g)
{
	struct op op = {.kind = OP_POOL_DOWN};

	op.u.pool_down.instance = RIG_POOL;
	cr_assert_eq(rig_op(g, &op), 0);
}

static void gone(struct rig *g, bool clean)
{
	struct op op = {.kind = OP_POOL_GONE};

	op.u.pool_gone.instance = RIG_POOL;
	op.u.pool_gone.clean = clean;
	cr_assert_eq(rig_op(g, &op), 0);
	VEC_CLEAR(&g->jobs);
	VEC_CLEAR(&g->tokens);
}

Test(sched_pool, nothing_is_handed_to_an_instance_that_is_down_or_retired)
{
	struct op op = {.kind = OP_POOL_UP};
	struct rig g;
	uint64_t run = begin(&g);

	down(&g);
	rig_ok(&g, run, "a");
	cr_assert_eq(g.jobs.n, 1);
	cr_assert_eq(rig_state(&g, run, "c"), STEP_READY);
	op.u.pool_up.instance = RIG_POOL;
	op.u.pool_up.gen = 2;
	op.u.pool_up.retired = true;
	op.u.pool_up.seen = g.jobs.v;
	op.u.pool_up.seen_token = g.tokens.v;
	op.u.pool_up.n_seen = 1;
	cr_assert_eq(rig_op(&g, &op), 0);
	cr_assert_eq(rig_state(&g, run, "b"), STEP_RUNNING);
	cr_assert_eq(rig_state(&g, run, "c"), STEP_READY);
	op.u.pool_up.retired = false;
	op.u.pool_up.gen = 3;
	cr_assert_eq(rig_op(&g, &op), 0);
	cr_assert_eq(rig_state(&g, run, "c"), STEP_RUNNING);
	rig_done(&g);
	LEAK_CHECK();
}

Test(sched_pool, at_end_what_is_not_listed_goes_back_without_a_try)
{
	struct rig g;
	uint64_t run = begin(&g), token;
	struct step_ref a = g.jobs.v[0];

	token = g.tokens.v[0];
	cr_assert_eq(a.step, 0);
	down(&g);
	rig_pool_up(&g, 2, &a, &token, 1);
	cr_assert_eq(rig_step(&g, run, "a").token, token);
	/* b was not listed: ready, and handed out anew under a higher token */
	cr_assert_eq(rig_state(&g, run, "b"), STEP_RUNNING);
	cr_assert_eq(rig_step(&g, run, "b").attempt, 1);
	cr_assert_gt(rig_step(&g, run, "b").token, g.tokens.v[1]);
	rig_done(&g);
	LEAK_CHECK();
}

Test(sched_pool, an_entry_of_an_older_token_is_not_the_attempt)
{
	struct rig g;
	uint64_t run = begin(&g), stale;
	struct step_ref a = g.jobs.v[0];

	stale = g.tokens.v[0] - 1;
	down(&g);
	rig_pool_up(&g, 2, &a, &stale, 1);
	cr_assert(rig_effect(&g, EFFECT_ORPHAN));
	cr_assert_gt(rig_step(&g, run, "a").token, g.tokens.v[0]);
	rig_done(&g);
	LEAK_CHECK();
}

Test(sched_pool, a_clean_end_takes_back_and_a_death_is_lost)
{
	for (int clean = 0; clean < 2; clean++) {
		struct rig g;
		uint64_t run = begin(&g);

		gone(&g, clean);
		cr_assert_eq(rig_state(&g, run, "a"), STEP_READY);
		cr_assert_eq(rig_step(&g, run, "a").attempt, clean ? 0 : 1);
		cr_assert_eq(rig_step(&g, run, "a").lost, clean ? 0 : 1);
		rig_pool_up(&g, 2, NULL, NULL, 0);
		rig_drain(&g);
		cr_assert_eq(rig_run_state(&g, run), RUN_SUCCEEDED);
		rig_done(&g);
	}
	LEAK_CHECK();
}

Test(sched_pool, attempts_of_a_cancelled_run_are_killed_again_at_end)
{
	struct rig g;
	uint64_t run = begin(&g);
	struct step_ref seen[2];
	uint64_t tokens[2];

	rig_cancel(&g, run);
	cr_assert_eq(rig_state(&g, run, "c"), STEP_CANCELLED);
	down(&g);
	for (int i = 0; i < 2; i++) {
		seen[i] = g.jobs.v[i];
		tokens[i] = g.tokens.v[i];
	}
	rig_pool_up(&g, 2, seen, tokens, 2);
	cr_assert(rig_effect(&g, EFFECT_KILL));
	/* an attempt that never began ends as cancelled */
	down(&g);
	rig_pool_up(&g, 3, seen, tokens, 1);
	cr_assert_eq(rig_state(&g, run, "b"), STEP_CANCELLED);
	cr_assert_eq(rig_run_state(&g, run), RUN_RUNNING);
	rig_answer(&g, run, "a", OUTCOME_CANCELLED, "");
	cr_assert_eq(rig_run_state(&g, run), RUN_CANCELLED);
	rig_done(&g);
	LEAK_CHECK();
}

Test(sched_pool, unlease_of_an_old_token_changes_nothing)
{
	struct op op = {.kind = OP_UNLEASE};
	struct rig g;
	uint64_t run = begin(&g);

	op.u.unlease.step = (struct step_ref){run, 0, 0};
	op.u.unlease.token = rig_step(&g, run, "a").token - 1;
	cr_assert_eq(rig_op(&g, &op), 0);
	cr_assert_eq(rig_step(&g, run, "a").attempt, 1);
	op.u.unlease.token++;
	g.env.pool[0].up = false;
	cr_assert_eq(rig_op(&g, &op), 0);
	cr_assert_eq(rig_state(&g, run, "a"), STEP_READY);
	cr_assert_eq(rig_step(&g, run, "a").attempt, 0);
	rig_done(&g);
	LEAK_CHECK();
}

Test(sched_pool, dispatch_is_held_after_a_restore)
{
	struct rig g;
	uint64_t run;

	rig_init(&g, 2);
	rig_dag(&g, "d", "a", NULL, NULL);
	cr_assert_eq(meta_put(&g.mem.view, META_HOLD, 1), 0);
	cr_assert(sched_held(&g.mem.view));
	run = rig_start(&g, "d");
	cr_assert_eq(rig_state(&g, run, "a"), STEP_READY);
	rig_done(&g);
	LEAK_CHECK();
}
