/* report.c: see report.h. */
#include "core/sched/report.h"

#include "core/base/json.h"
#include "core/sched/op.h"

#include <string.h>

#define REPORT_DATASETS_MAX 10000
#define OUTPUTS_MAX (64u << 10)
#define REPORT_MAX (128u << 10)
#define HANDLE_MAX 4096
#define FIGURE_MAX (INT64_C(1) << 53)
#define WISH_MAX_MS (INT64_C(24) * 3600 * 1000) /* what a server may ask a step to wait */

static void fail(struct report *r, const char *code, const char *message)
{
	r->class_ = CLASS_INTERNAL;
	str_copy(r->code, sizeof(r->code), code);
	str_copy(r->message, sizeof(r->message), message);
}

static bool dataset_ok(const struct json *j)
{
	const char *name = json_get_str(j, "name", "");
	const char *partition = json_get_str(j, "partition", "");

	return str_is_dataset(name) && strlen(name) < PLAN_DATASET_MAX &&
	       strlen(partition) < PLAN_PARTITION_MAX;
}

static bool datasets_ok(const struct json *list)
{
	if (list == NULL || json_is(list, JSON_NULL))
		return true;
	if (!json_is(list, JSON_ARRAY) || json_len(list) > REPORT_DATASETS_MAX)
		return false;
	for (const struct json *j = json_first(list); j != NULL; j = json_next(j)) {
		if (!dataset_ok(j))
			return false;
	}
	return true;
}

static bool positions_ok(const struct json *o)
{
	for (const struct json *j = json_first(o); j != NULL; j = json_next(j)) {
		if (!str_is_dataset(json_key(j)) || strlen(json_key(j)) >= PLAN_DATASET_MAX ||
		    json_i64(j, -1) < 0)
			return false;
	}
	return true;
}

static const struct json *object_of(const struct json *root, const char *key)
{
	const struct json *j = json_get(root, key);

	return json_is(j, JSON_OBJECT) ? j : NULL;
}

static void read_submitted(struct report *r)
{
	const struct json *j = object_of(r->root, "submitted");

	r->remote_ended = json_get_bool(r->root, "remote_ended", false);
	if (j == NULL)
		return;
	r->handle = json_get_str(j, "handle", "");
	r->poll_after_ms = json_get_i64(j, "poll_after_ms", 0);
	if (r->handle[0] == 0 || strlen(r->handle) > HANDLE_MAX) {
		r->handle = NULL;
		fail(r, "submitted", "the worker's report names work elsewhere without a handle");
	}
}

/* A plugin's figure: nothing that a sum or a clock could trip over. */
static int64_t figure(const struct json *root, const char *key, int64_t max)
{
	int64_t v = json_get_i64(root, key, 0);

	if (v < 0)
		return 0;
	return v > max ? max : v;
}

static void read_root(struct report *r)
{
	struct str text;

	str_copy(r->code, sizeof(r->code), json_get_str(r->root, "code", ""));
	str_copy(r->message, sizeof(r->message), json_get_str(r->root, "message", ""));
	r->retry_after_ms = figure(r->root, "retry_after_ms", WISH_MAX_MS);
	r->rows_in = figure(r->root, "rows_in", FIGURE_MAX);
	r->rows_out = figure(r->root, "rows_out", FIGURE_MAX);
	r->rows_rejected = figure(r->root, "rows_rejected", FIGURE_MAX);
	r->bytes = figure(r->root, "bytes", FIGURE_MAX);
	r->outputs = object_of(r->root, "outputs");
	r->cursor = object_of(r->root, "cursor");
	r->positions = object_of(r->root, "positions");
	r->datasets = json_get(r->root, "datasets");
	read_submitted(r);
	if (!datasets_ok(r->datasets) || !positions_ok(r->positions))
		fail(r, "report", "the worker's report names a data set or partition that is none");
	if (json_len(r->outputs) == 0)
		return;
	str_init(&text, OUTPUTS_MAX);
	json_print(r->outputs, &text);
	if (text.failed)
		fail(r, "outputs", "the outputs are larger than 64 KiB: write them to a data set");
	str_done(&text);
}

static void read_failed(struct report *r)
{
	enum step_class c = CLASS_INTERNAL;

	if (class_from_name(json_get_str(r->root, "class", NULL), &c) != 0 || c == CLASS_OK)
		c = CLASS_INTERNAL;
	if (r->class_ == CLASS_OK)
		r->class_ = c;
	if (r->message[0] == 0)
		str_copy(r->message, sizeof(r->message), "the attempt failed without a message");
}

static void read_ok(struct report *r)
{
	enum step_class c = CLASS_OK;

	if (r->class_ == CLASS_OK && class_from_name(json_get_str(r->root, "class", "ok"), &c) == 0)
		r->class_ = c;
}

static void kill_reason(struct report *r, enum step_class c, const char *message)
{
	r->class_ = c;
	if (r->message[0] == 0)
		str_copy(r->message, sizeof(r->message), message);
}

void report_read(int outcome, const char *text, size_t n, struct report *ret)
{
	memset(ret, 0, sizeof(*ret));
	if (n > 0 && (json_parse(text, n, REPORT_MAX, &ret->root, NULL) != 0 ||
			 !json_is(ret->root, JSON_OBJECT))) {
		fail(ret, "report", "the worker's report is not a JSON object");
	} else if (n > 0) {
		read_root(ret);
	}
	switch ((enum outcome_code)outcome) {
	case OUTCOME_OK:
		read_ok(ret);
		return;
	case OUTCOME_FAILED:
		read_failed(ret);
		return;
	case OUTCOME_LOST:
		kill_reason(ret, CLASS_LOST, "the worker died");
		return;
	case OUTCOME_CANCELLED:
		kill_reason(ret, CLASS_CANCELLED, "cancelled");
		return;
	case OUTCOME_DEADLINE:
		kill_reason(ret, CLASS_TIMEOUT, "the timeout passed");
		return;
	}
	fail(ret, "outcome", "the pool sent an outcome that is unknown");
}

void report_done(struct report *r)
{
	json_free(r->root);
}
