/* why.h: in a sentence, what a run, step, DAG or event waits for or why it ended as it did. Reads
 * only. */
#ifndef CORE_SCHED_WHY_H
#define CORE_SCHED_WHY_H

#include "core/base/json.h"
#include "core/sched/op.h"

/* Writes {"state": …, "reasons": [{"code","text","subject"}]} (CONTRACT). ERR_NOT_FOUND with text
 * where nothing is so named. */
int why_run(const struct view *v, const struct sched_env *env, uint64_t run, const char *step,
    const char *item, wall_us now, struct jw *out, struct err *err) CHECK_RESULT;
int why_dag(const struct view *v, const struct sched_env *env, const char *dag, wall_us now,
    struct jw *out, struct err *err) CHECK_RESULT;
int why_event(const struct view *v, uint64_t seq, struct jw *out, struct err *err) CHECK_RESULT;
int why_dataset(const struct view *v, const char *name, wall_us now, struct jw *out,
    struct err *err) CHECK_RESULT;

#endif
