/* job.c: reads a job. */
#include "core/worker/job.h"

#include "core/base/clock.h"
#include "core/base/io.h"
#include "core/base/mem.h"
#include "core/dag/expr.h"

#include <string.h>

static int64_t read_time(const struct json *root, const char *key)
{
	return json_get_i64(root, key, TIME_NONE);
}

static int read_token(const struct json *root, uint64_t *ret, struct err *err)
{
	const struct json *node = json_get(root, "token");
	const char *text = json_str(node, NULL);

	if (text == NULL) {
		*ret = (uint64_t)json_i64(node, 0);
		return 0;
	}
	if (str_to_u64(text, ret) != 0)
		return err_set(err, ERR_PARSE, "the job's token \"%.40s\" is no number", text);
	return 0;
}

static void read_names(struct job *j)
{
	const struct json *r = j->root;

	j->deployment = json_get_str(r, "deployment", "");
	j->dag = json_get_str(r, "dag", "");
	j->run = json_get_str(r, "run", "");
	j->step = json_get_str(r, "step", "");
	j->item = json_get_str(r, "item", NULL);
	j->key = json_get_str(r, "key", "");
	j->trigger = json_get_str(r, "trigger", "");
	j->zone = json_get_str(r, "zone", "UTC");
	j->state_dir = json_get_str(r, "state_dir", "");
	j->scratch_dir = json_get_str(r, "scratch_dir", "");
	j->reject_file = json_get_str(r, "reject_file", "");
	j->ledger_key = json_get_str(r, "ledger_key", "");
	j->fence_key = json_get_str(r, "fence_key", "");
	j->phase = json_get_str(r, "phase", "submit");
	j->handle = json_get_str(r, "handle", "");
	j->submission = (uint32_t)json_get_i64(r, "submission", 0);
	j->base_dir = json_get_str(r, "base_dir", NULL);
	if (j->base_dir == NULL)
		j->base_dir = j->base_owned = io_path_dir(j->state_dir);
}

static void read_numbers(struct job *j)
{
	const struct json *r = j->root;

	j->attempt = (uint32_t)json_get_i64(r, "attempt", 1);
	j->generation = (uint32_t)json_get_i64(r, "generation", 0);
	j->revision = (uint32_t)json_get_i64(r, "revision", 0);
	j->preview_rows = (uint32_t)json_get_i64(r, "preview_rows", 0);
	j->logical_us = read_time(r, "logical_us");
	j->window_from_us = read_time(r, "window_from_us");
	j->window_to_us = read_time(r, "window_to_us");
	j->deadline_ms = json_get_i64(r, "deadline_ms", -1);
	j->full_refresh = json_get_bool(r, "full_refresh", false);
	j->dry_run = json_get_bool(r, "dry_run", false);
}

static void read_nodes(struct job *j)
{
	const struct json *r = j->root;

	j->step_plan = json_get(r, "step_plan");
	j->datasets = json_get(r, "datasets");
	j->connections = json_get(r, "connections");
	j->cursor = json_get(r, "cursor");
	j->positions = json_get(r, "positions");
	j->plugin_dirs = json_get(r, "plugin_dirs");
	j->env = json_get(r, "env");
	j->needs = (uint32_t)json_get_i64(j->step_plan, "needs_mask", 0);
	j->keep_privileges = str_eq(json_get_str(j->step_plan, "privileges", "drop"), "keep");
	j->cursor_step = json_is(json_path(j->step_plan, "extract.cursor"), JSON_OBJECT);
}

int job_new(struct json *root, struct job **ret, struct err *err)
{
	struct job *j = MEM_NEW(struct job);
	int rc;

	j->root = root;
	j->secrets = secrets_new(json_get(root, "secrets"));
	read_names(j);
	read_numbers(j);
	read_nodes(j);
	rc = read_token(root, &j->token, err);
	if (rc == 0 && !json_is(j->step_plan, JSON_OBJECT))
		rc = err_set(err, ERR_PARSE, "the job has no step_plan");
	if (rc != 0) {
		job_free(j);
		return rc;
	}
	*ret = j;
	return 0;
}

int job_render(struct job *j, struct err *err)
{
	static const char *const roles[] = {
	    "task", "model", "extract", "transform", "load", "publishes"};
	struct json *out = json_new_object();
	size_t i;

	for (i = 0; i < sizeof(roles) / sizeof(roles[0]); i++) {
		const struct json *role = json_get(j->step_plan, roles[i]);
		struct json *filled;

		if (role == NULL)
			continue;
		if (expr_render(role, j->env, &filled, err) != 0) {
			json_free(out);
			(void)err_prefix(err, "steps.%s.%s", j->step, roles[i]);
			return ERR_CONFIG;
		}
		json_put(out, roles[i], filled);
	}
	j->rendered = out;
	return 0;
}

void job_free(struct job *j)
{
	if (j == NULL)
		return;
	secrets_free(j->secrets);
	json_free(j->rendered);
	json_free(j->root);
	mem_free(j->base_owned);
	mem_free(j);
}

const struct json *job_role(const struct job *j, const char *role)
{
	return json_get(j->rendered, role);
}
