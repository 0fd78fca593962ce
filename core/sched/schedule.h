/* schedule.h: inside core/sched: one time trigger with all that belongs to it, for tick.c,
 * catchup.c and reclock.c. The rules stand at the head of tick.c. */
#ifndef CORE_SCHED_SCHEDULE_H
#define CORE_SCHED_SCHEDULE_H

#include "core/sched/tx.h"

/* A tick that is later than this is missed. */
#define TICK_GRACE_US (60 * US_PER_S)
/* Whatever has come is missed: on resume. */
#define TICK_NO_GRACE_US INT64_C(-1)

struct schedule {
	struct dag_rec d;
	const struct plan *plan;
	const struct plan_trigger *t;
	struct sched_rec s;
};

/* ---- tick.c ---- */
/* Settles the open run first: its end may write the record that is read here. */
int schedule_load(struct tx *x, uint32_t dag_no, const char *trigger, struct schedule *ret);
int schedule_save(struct tx *x, const struct schedule *c);
/* Takes both due entries away / puts that of the first instant behind `upto`. Neither saves. */
int schedule_disarm(struct tx *x, uint32_t dag_no, const char *trigger, struct sched_rec *s);
int schedule_arm(struct tx *x, struct schedule *c);
/* The run of one instant. *ret_run 0: there is none, or there was one. */
int schedule_tick(struct tx *x, const struct schedule *c, wall_us at, uint64_t *ret_run);

/* ---- catchup.c ---- */
/* Decides the instants that are missed at x->now, by the rule of the trigger; moves `upto`. */
int catchup_judge(struct tx *x, struct schedule *c, int64_t grace_us);
/* What waits to be made up for obeys the trigger as it is now. */
int catchup_trim(struct schedule *c);
/* Nothing that lies ahead of `now` is missed (any more). */
void catchup_cut(struct sched_rec *s, wall_us upto);
/* Arms the next start of missed instants, where there are some and at_once allows it. */
int catchup_wake(struct tx *x, struct schedule *c);
int catchup_due(struct tx *x, const struct due_key *due);
size_t catchup_open(const struct sched_rec *s);

#endif
