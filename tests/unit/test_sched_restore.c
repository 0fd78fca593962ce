/* A restored store: rule 24 as far as the store goes. */
#include "core/sched/restore.h"
#include "core/sched/table.h"
#include "leak.h"
#include "sched_rig.h"

#include <criterion/criterion.h>

static void begin(struct rig *g, uint64_t *run, const struct restore_from *from)
{
	struct sched_env fresh = {.conf = NULL};

	rig_init(g, 2);
	rig_dag(g, "d", "a;b:a", NULL, NULL);
	*run = rig_start(g, "d");
	cr_assert_eq(g->jobs.n, 1);
	cr_assert_eq(sched_restore(&g->mem.view, from), 0);
	fresh.conf = &g->conf;
	g->env = fresh;
	rig_check(g);
}

Test(sched_restore, an_attempt_of_the_replaced_store_is_an_orphan_and_its_step_ready_again)
{
	struct restore_from from = {.epoch = 6, .next_run = 40, .next_event = 50};
	struct op hold_end = {.kind = OP_HOLD_END};
	struct rig g;
	uint64_t run, next;

	begin(&g, &run, &from);
	cr_assert(sched_held(&g.mem.view));
	rig_pool_up(&g, 1, g.jobs.v, g.tokens.v, g.jobs.n);
	cr_assert(rig_effect(&g, EFFECT_ORPHAN));
	cr_assert_eq(rig_state(&g, run, "a"), STEP_READY, "held: nothing is handed out");
	VEC_CLEAR(&g.jobs);
	VEC_CLEAR(&g.tokens);
	cr_assert_eq(rig_op(&g, &hold_end), 0);
	cr_assert_eq(g.r.count, 1);
	cr_assert_eq(rig_state(&g, run, "a"), STEP_RUNNING);
	cr_assert_eq(g.tokens.v[0] >> 40, 7, "its token carries the raised epoch");
	cr_assert_eq(meta_get(&g.mem.view, META_NEXT_RUN, &next), 0);
	cr_assert_eq(next, 40);
	cr_assert_eq(rig_op(&g, &hold_end), 0);
	cr_assert_eq(g.r.count, 0);
	rig_drain(&g);
	cr_assert(run_state_ended(rig_run_state(&g, run)));
	rig_done(&g);
	LEAK_CHECK();
}

Test(sched_restore, numbers_jump_where_the_replaced_store_is_not_known)
{
	struct restore_from from = {.epoch_least = 3600000};
	uint64_t run, next, epoch, paused;
	struct rig g;

	begin(&g, &run, &from);
	cr_assert_eq(meta_get(&g.mem.view, META_NEXT_EVENT, &next), 0);
	cr_assert_gt(next, 1000000);
	cr_assert_eq(meta_get(&g.mem.view, META_EPOCH, &epoch), 0);
	cr_assert_eq(epoch, 3600000);
	cr_assert_eq(meta_get(&g.mem.view, META_PAUSED, &paused), 0);
	cr_assert_eq(paused, 1);
	rig_done(&g);
	LEAK_CHECK();
}

/* Paused means that no schedule is evaluated: not one tick before `resume --all`. */
Test(sched_restore, no_schedule_starts_anything_before_resume)
{
	struct restore_from from = {.epoch = 6, .next_run = 40, .next_event = 50};
	struct op resume = {.kind = OP_PAUSE};
	struct rig g;
	wall_us at;

	rig_init(&g, 2);
	rig_dag(&g, "d", "a",
	    "{\"name\":\"t\",\"kind\":\"cron\",\"cron\":\"0 * * * *\",\"zone\":\"UTC\","
	    "\"catchup\":{\"keep\":\"all\",\"within_ms\":-1}}",
	    "\"max_runs\":9");
	cr_assert_eq(sched_restore(&g.mem.view, &from), 0);
	rig_check(&g);
	cr_assert_eq(sched_next_due(&g.mem.view, &at), 0);
	cr_assert_eq(at, TIME_NONE);
	rig_due(&g, RIG_T0 + 3 * 3600 * US_PER_S);
	cr_assert_eq(rig_runs(&g), 0);
	cr_assert_eq(rig_op(&g, &resume), 0);
	cr_assert_eq(sched_next_due(&g.mem.view, &at), 0);
	cr_assert_eq(at, g.now, "what was missed meanwhile is made up for");
	rig_due(&g, g.now);
	cr_assert_gt(rig_runs(&g), 0);
	rig_done(&g);
	LEAK_CHECK();
}

/* A clock that is wrong, or the year 2051: a token has 24 bits for the epoch, and one that wraps
 * would be below those that targets have seen. */
Test(sched_restore, an_epoch_never_leaves_the_bits_of_a_token)
{
	struct restore_from from = {.epoch_least = 50000000};
	uint64_t epoch, again;
	struct rig g;

	rig_init(&g, 1);
	cr_assert_eq(sched_restore(&g.mem.view, &from), 0);
	cr_assert_eq(meta_get(&g.mem.view, META_EPOCH, &epoch), 0);
	cr_assert_gt(epoch, 15000000u);
	cr_assert_eq(sched_restore(&g.mem.view, &from), 0);
	cr_assert_eq(meta_get(&g.mem.view, META_EPOCH, &again), 0);
	cr_assert_eq(again, epoch + 1);
	cr_assert_eq(again << 40 >> 40, again);
	rig_done(&g);
	LEAK_CHECK();
}
