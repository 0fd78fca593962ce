/* why_part.h: inside core/sched: the object that why writes, reason by reason. */
#ifndef CORE_SCHED_WHY_PART_H
#define CORE_SCHED_WHY_PART_H

#include "core/sched/table.h"

struct why {
	const struct view *v;
	const struct sched_env *env;
	wall_us now;
	struct jw *out;
	uint32_t n; /* reasons so far */
};
#define WHY_REASONS_MAX 50u

void why_begin(struct why *w, const char *state);
void why_end(struct why *w);
/* subject: what the reason is about: a step, run, DAG, pool, data set. */
void why_add(struct why *w, const char *code, const char *subject, const char *fmt, ...)
    __attribute__((format(printf, 4, 5)));
int why_step_state(
    struct why *w, const struct run_rec *r, const struct plan *p, const struct step_rec *s);

void why_schedule(struct why *w, const struct dag_rec *d, const struct plan_trigger *t,
    const struct sched_rec *s); /* of a time trigger */

#endif
