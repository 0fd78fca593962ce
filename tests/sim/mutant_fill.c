/* mutant_fill.c: planted bugs in backfills, put around the scheduler's functions as in mutant.c. */
#include "core/sched/backfill.h"
#include "core/sched/show.h"
#include "tests/sim/sim.h"

#include <string.h>

#define WRAP(f) __typeof__(f) __real_##f, __wrap_##f
WRAP(backfill_run_moved);
WRAP(op_backfill);
WRAP(op_backfill_state);
WRAP(show_backfill_plan);
WRAP(target_judge);
WRAP(target_next);

static bool nth(enum mutant m, uint64_t n)
{
	return mutant(m) && ++mutant_count % n == 0;
}

int __wrap_backfill_run_moved(struct tx *x, enum run_state from, enum run_state to)
{
	int rc = __real_backfill_run_moved(x, from, to);

	if (rc == 0 && run_state_ended(to) && nth(MUTANT_FILL_STANDS, 10))
		VEC_CLEAR(&x->backfills);
	return rc;
}

int __wrap_op_backfill(struct tx *x, const struct op *op)
{
	struct op changed = *op;

	if (mutant(MUTANT_FILL_MORE))
		changed.u.backfill.max_parallel++;
	if (mutant(MUTANT_FILL_SAME))
		changed.u.backfill.reprocess = false;
	return __real_op_backfill(x, &changed);
}

int __wrap_op_backfill_state(struct tx *x, const struct op *op)
{
	struct op changed = *op;

	if (mutant(MUTANT_FILL_PAUSE) && op->u.backfill_state.to == BACKFILL_PAUSED)
		changed.u.backfill_state.to = BACKFILL_RUNNING;
	return __real_op_backfill_state(x, &changed);
}

int __wrap_show_backfill_plan(
    const struct view *v, const struct op *op, wall_us now, struct jw *out, struct err *err)
{
	int rc = __real_show_backfill_plan(v, op, now, out, err);

	if (rc == 0 && mutant(MUTANT_FILL_DRY))
		rc = view_put(v, TABLE_META, "planned", 7, "", 0);
	return rc;
}

int __wrap_target_judge(struct tx *x, const struct run_new *n, bool reprocess, struct run_rec *last,
    enum target_do *ret)
{
	int rc = __real_target_judge(x, n, reprocess, last, ret);

	if (rc == 0 && mutant(MUTANT_FILL_AGAIN) && *ret == TARGET_KEEP &&
	    last->state == RUN_SUCCEEDED)
		*ret = TARGET_RERUN;
	return rc;
}

int __wrap_target_next(const struct plan_trigger *t, wall_us from, wall_us to,
    enum backfill_order order, wall_us pos, struct target *ret, struct err *err)
{
	int rc = __real_target_next(t, from, to, order, pos, ret, err);

	if (rc == 0 && ret->rest != TIME_NONE && nth(MUTANT_FILL_MISSED, 25))
		rc = __real_target_next(t, from, to, order, ret->rest, ret, err);
	return rc;
}
