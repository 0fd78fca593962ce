/* step.h: running what an attempt's step says: a task, a model or a pipeline. */
#ifndef CORE_WORKER_STEP_H
#define CORE_WORKER_STEP_H

#include "core/worker/attempt.h"

struct lane;
struct plugin;

/* Renders the step and runs it on the calling lane; reader is the lane for extracts. The outcome
 * stands in the attempt. */
void step_run(struct attempt *at, struct lane *reader);

/* remote.c: work elsewhere */
bool remote_is(const struct attempt *at, const slu_task *table);
void remote_key(struct attempt *at); /* before the plugin is opened */
void remote_run(struct attempt *at, const slu_task *table, void *st);

/* task.c, model.c, pipeline.c */
void task_run(struct attempt *at, const struct json *role);
void model_run(struct attempt *at, const struct json *role);
void pipeline_run(struct attempt *at, struct lane *reader);

/* The kind that a role names, with its plugin's hash noted; false: the failure is noted. */
bool step_kind_of(struct attempt *at, const struct json *role, const char *what, slu_kind *ret);
/* Data sets under `publishes:` that the plugin did not report itself. */
void step_publish_rest(struct attempt *at, const struct mark *mark);

#endif
