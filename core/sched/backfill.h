/* backfill.h: inside core/sched: the targets of a backfill: one for each window, or each instant,
 * of a time trigger. Pure functions of trigger, range and position. */
#ifndef CORE_SCHED_BACKFILL_H
#define CORE_SCHED_BACKFILL_H

#include "core/sched/tx.h"

struct target {
	wall_us at; /* logical time: of a window the first instant that the trigger has for it */
	struct window w;
	wall_us rest; /* where the walk goes on; TIME_NONE: it was the last */
};
/* The first target at or after (newest: at or before) pos in [from, to]; ERR_NOT_FOUND: none. */
int target_next(const struct plan_trigger *t, wall_us from, wall_us to, enum backfill_order order,
    wall_us pos, struct target *ret, struct err *err) CHECK_RESULT;
bool target_trigger(const struct plan_trigger *t); /* cron, at, every */

/* What becomes of a target. */
enum target_do { TARGET_MAKE, TARGET_KEEP, TARGET_RERUN, TARGET_REVISE, TARGET_DO_N };
/* n: DAG, trigger and key of the target; last: its newest run unless TARGET_MAKE. */
int target_judge(struct tx *x, const struct run_new *n, bool reprocess, struct run_rec *last,
    enum target_do *ret) CHECK_RESULT;

/* A request checked against the store; nothing is written. b: as it would be stored, without its
 * number. */
struct backfill_plan {
	struct backfill_rec b;
	struct dag_rec dag;
	const struct plan *plan;
	const struct plan_trigger *t;
};
int backfill_prepare(const struct view *v, const struct op *op, wall_us now,
    struct backfill_plan *ret, struct err *err) CHECK_RESULT;

#endif
