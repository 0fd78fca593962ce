/* step.c: one attempt from its rendered step to its outcome. */
#include "core/worker/step.h"

#include "core/worker/conn.h"
#include "core/worker/load.h"
#include "core/worker/workorder.h"

bool step_kind_of(struct attempt *at, const struct json *role, const char *what, slu_kind *ret)
{
	const char *name = json_get_str(role, "plugin", "");
	const struct plugin *p;
	struct err err;
	int rc = plugin_find(at->job->plugin_dirs, name, &p, &err);

	if (rc == 0)
		attempt_note_plugin(at, name, p->sha);
	if (rc == 0)
		rc = plugin_kind(p, json_get_str(role, "type", NULL), what, ret, &err);
	if (rc != 0)
		attempt_fail_err(at, &err);
	return rc == 0;
}

static bool reported(const struct attempt *at, const char *name)
{
	const struct json *d;

	for (d = json_first(at->datasets); d != NULL; d = json_next(d))
		if (str_eq(json_get_str(d, "name", ""), name))
			return true;
	return false;
}

void step_publish_rest(struct attempt *at, const struct mark *mark)
{
	const struct json *p = json_get(at->job->rendered, "publishes");

	for (p = json_first(p); p != NULL; p = json_next(p)) {
		const char *name = json_get_str(p, "dataset", "");

		if (!reported(at, name))
			attempt_dataset(at, name, json_get_str(p, "partition", ""), true, mark, -1);
	}
}

static void run_kind(struct attempt *at, struct lane *reader)
{
	if (job_role(at->job, "task") != NULL)
		task_run(at, job_role(at->job, "task"));
	else if (job_role(at->job, "model") != NULL)
		model_run(at, job_role(at->job, "model"));
	else
		pipeline_run(at, reader);
}

void step_run(struct attempt *at, struct lane *reader)
{
	struct err err;

	if (job_render(at->job, &err) != 0 || work_parts(at, &err) != 0)
		attempt_fail_err(at, &err);
	if (!attempt_failed(at))
		run_kind(at, reader);
	if (!at->failed && !at->completed)
		attempt_failf(at, attempt_cancelled(at) ? SLU_E_CANCELLED : SLU_E_INTERNAL,
		    "HOST.STEP",
		    attempt_cancelled(at) ? "cancelled" : "the step ended without a result");
	conn_release(at, !attempt_failed(at));
	if (attempt_cancelled(at) && !at->failed)
		attempt_logf(at, SLU_LOG_INFO, "the step had ended before the cancel reached it");
	if (at->failed)
		attempt_logf(at, SLU_LOG_ERROR, "%s: %s", attempt_class(at->failure.rc),
		    at->failure.message);
}
