/* planview.h: the answer of plan and apply: which DAGs are new, changed or gone, and what changed
 * in each: triggers, steps, data sets, other settings, the next start. */
#ifndef CORE_DAEMON_PLANVIEW_H
#define CORE_DAEMON_PLANVIEW_H

#include "core/base/json.h"
#include "core/base/str.h"
#include "core/sched/view.h"

struct plan_view {
	struct json *add, *change, *remove, *errors; /* owned arrays, as is all here */
	struct json *details;			     /* object: DAG -> what changed in it */
	struct json *present; /* object: DAGs of the files that were compiled now */
	int64_t same;
};

void plan_view_init(struct plan_view *p);
void plan_view_done(struct plan_view *p); /* accepts one that is all zero */
/* The errors of a file's check object; folder: the DAG folder, of which the last part is shown. */
void plan_view_errors(
    struct plan_view *p, const char *folder, const char *path, const struct json *report);
/* A file compiled to this plan; it is compared with what the store has. v may be NULL. */
void plan_view_dag(struct plan_view *p, const struct view *v, const char *dag, const char *path,
    const char *plan, size_t n, const struct json *report);
/* The file of that DAG is gone. */
void plan_view_gone(struct plan_view *p, const char *dag, const char *path);
void plan_view_print(const struct plan_view *p, struct str *out);

#endif
