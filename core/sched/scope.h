/* scope.h: the environment of ${…} for a run, a step and an item, as the JSON object that a job
 * carries as "env" (core/README.md §6): params run trigger event partition item steps. Reads only.
 */
#ifndef CORE_SCHED_SCOPE_H
#define CORE_SCHED_SCOPE_H

#include "core/sched/table.h"

/* step NULL: without item, steps and attempt. *ret is owned by the caller. */
int scope_build(const struct view *v, const struct run_rec *run, const struct plan *plan,
    const struct step_rec *step, struct json **ret) CHECK_RESULT;
/* "event": id, seq, source, type, subject, time, body; JSON null where seq is 0 or it is gone. */
int scope_event(const struct view *v, uint64_t seq, struct json **ret) CHECK_RESULT;

#endif
