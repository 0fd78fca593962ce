/* mutant_more.c: planted bugs inside the scheduler, as in mutant.c: of work elsewhere,
 * of reruns and items, of retention. */
#include "core/sched/report.h"
#include "core/sched/tx.h"
#include "tests/sim/sim.h"

#include <string.h>

#define WRAP(f) __typeof__(f) __real_##f, __wrap_##f
WRAP(attempt_lost);
WRAP(foreach_end);
WRAP(match_count);
WRAP(once_keep);
WRAP(once_tell);
WRAP(op_rerun);
WRAP(op_prune);
WRAP(remote_lost);
WRAP(remote_outcome);
WRAP(remote_stop);
WRAP(run_tomb_put);
__typeof__(slots_change) __real_slots_change;

/* ---- work elsewhere ---- */

int __wrap_attempt_lost(struct tx *x, struct step_rec *s, const char *message)
{
	if (mutant(MUTANT_WORK_TWICE) && !s->submitted)
		s->submission++;
	return __real_attempt_lost(x, s, message);
}

int __wrap_remote_lost(struct tx *x, struct step_rec *s, const char *message)
{
	if (mutant(MUTANT_POLL_AGAIN))
		return step_move(x, s, STEP_READY, x->now);
	return __real_remote_lost(x, s, message);
}

int __wrap_remote_outcome(struct tx *x, struct step_rec *s, struct report *p, bool *ret_open)
{
	uint32_t submission = s->submission;
	int rc;

	if (mutant(MUTANT_POLL_EARLY))
		p->poll_after_ms = 0;
	rc = __real_remote_outcome(x, s, p, ret_open);
	if (mutant(MUTANT_WORK_KEPT))
		s->submission = submission;
	if (rc == 0 && *ret_open && mutant(MUTANT_POLL_SLOT))
		rc = __real_slots_change(x, 1);
	return rc;
}

int __wrap_remote_stop(struct tx *x, struct step_rec *s, enum remote_stop why)
{
	if (mutant(MUTANT_STOP_UNSEEN))
		return step_move(x, s, STEP_CANCELLED, TIME_NONE);
	return __real_remote_stop(x, s, why);
}

/* ---- retention ---- */

int __wrap_op_prune(struct tx *x, const struct op *op)
{
	int64_t by = x->env->conf->retain_runs_ms * US_PER_MS / 3;
	wall_us now = x->now;
	int rc;

	if (mutant(MUTANT_PRUNE_EARLY))
		x->now += by;
	if (mutant(MUTANT_PRUNE_LATE))
		x->now -= 3 * by;
	rc = __real_op_prune(x, op);
	x->now = now;
	if (rc == 0 && mutant(MUTANT_PRUNE_ROWS))
		rc = view_del(x->v, TABLE_META, META_PRUNE_RUN, sizeof(META_PRUNE_RUN) - 1);
	return rc == ERR_NOT_FOUND ? 0 : rc;
}

int __wrap_run_tomb_put(
    const struct view *v, const uint8_t id[HASH_ID_BYTES], uint64_t no, wall_us at)
{
	if (mutant(MUTANT_TOMB_LOST))
		return view_del(v, TABLE_RUN_ID, id, HASH_ID_BYTES);
	return __real_run_tomb_put(v, id, no, at);
}

/* ---- reruns, items ---- */

int __wrap_op_rerun(struct tx *x, const struct op *op)
{
	struct op changed = *op;
	const char *whole = "s0";
	char name[8];

	if (mutant(MUTANT_LATEST_UNSEEN))
		changed.u.rerun.latest = false;
	if (mutant(MUTANT_ITEM_GROUP) && op->u.rerun.n_steps == 1 &&
	    strchr(op->u.rerun.steps[0], '[') != NULL) {
		str_copy(name, 3, op->u.rerun.steps[0]);
		whole = name;
		changed.u.rerun.steps = &whole;
	}
	return __real_op_rerun(x, &changed);
}

int __wrap_once_keep(struct tx *x, uint32_t ds_no, const struct version_rec *ver, bool *ret)
{
	int rc = __real_once_keep(x, ds_no, ver, ret);

	if (mutant(MUTANT_ONCE_TWICE))
		*ret = false;
	return rc;
}

int __wrap_once_tell(struct tx *x)
{
	return mutant(MUTANT_ONCE_LOST) ? 0 : __real_once_tell(x);
}

int __wrap_match_count(struct tx *x, struct step_rec *s, const char **ret_missing)
{
	int rc = __real_match_count(x, s, ret_missing);

	if (mutant(MUTANT_PAIR_EARLY))
		s->unmet = 0;
	return rc;
}

int __wrap_foreach_end(struct tx *x, uint16_t step)
{
	struct plan_foreach *f = x->plan->steps[step].foreach;
	uint32_t was = f->tolerate;
	int rc;

	f->tolerate += mutant(MUTANT_TOLERATE_MORE);
	rc = __real_foreach_end(x, step);
	f->tolerate = was;
	return rc;
}
