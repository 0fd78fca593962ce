/* conform_exec.c: one run of a scenario's roles in a child: as a job, through the worker's own
 * pipeline. */
#include "core/worker/conform.h"

#include "core/base/clock.h"
#include "core/base/hash.h"
#include "core/base/io.h"
#include "core/base/mem.h"
#include "core/worker/arrow.h"
#include "core/worker/attempt.h"
#include "core/worker/conn.h"
#include "core/worker/lane.h"
#include "core/worker/step.h"

#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define RUN_LIMIT_MS 30000
#define ROW_TEXT_MAX (1u << 20)
#define MARKS_MAX 64

struct noted_mark {
	char *json; /* owned */
	int64_t rows;
	uint64_t sum;
};

/* Of the one run that a child makes; the extract's lane writes, the main thread reads when it has
 * ended. */
static struct {
	struct run_order order;
	int64_t rows;
	uint64_t sum; /* of a hash of each row: the same for the same rows in any order */
	int batches, points;
	struct noted_mark marks[MARKS_MAX];
	int n_marks;
} seen;

static uint64_t hash_row(
    const struct ArrowSchema *schema, const struct ArrowArray *batch, int64_t row)
{
	uint8_t digest[HASH_SHA256_BYTES];
	struct str text;
	struct jw w;
	uint64_t h;
	int64_t i;

	str_init(&text, ROW_TEXT_MAX);
	jw_init(&w, &text);
	jw_array(&w);
	for (i = 0; i < schema->n_children; i++)
		arrow_write_value(&w, schema->children[i], batch->children[i], batch->offset + row);
	jw_end_array(&w);
	hash_sha256(str_peek(&text), text.len, digest);
	memcpy(&h, digest, sizeof(h));
	str_done(&text);
	return h;
}

static void on_batch(
    const slu_run *run, const struct ArrowSchema *schema, const struct ArrowArray *batch)
{
	int64_t i;

	if (run->index != -1)
		return;
	for (i = 0; i < batch->length; i++)
		seen.sum += hash_row(schema, batch, i);
	seen.rows += batch->length;
	seen.batches++;
	if (seen.order.cancel_at_batch > 0 && seen.batches == seen.order.cancel_at_batch)
		attempt_cancel(run->at);
}

static void on_mark(const slu_run *run, const slu_mark *mark)
{
	(void)run;
	if (seen.n_marks < MARKS_MAX && mark->cursor_json != NULL)
		seen.marks[seen.n_marks++] =
		    (struct noted_mark){mem_strdup(mark->cursor_json), seen.rows, seen.sum};
}

static void on_point(struct attempt *at, const char *slot)
{
	(void)at;
	if (seen.order.kill_at != NULL && strcmp(seen.order.kill_at, slot) == 0 &&
	    ++seen.points == seen.order.kill_n)
		raise(SIGKILL);
}

/* ---- the job ---- */

struct making {
	struct conform *c;
	const struct run_order *o;
};

static void put_role(struct json *plan, const char *name, const struct json *role)
{
	if (role != NULL)
		json_put(plan, name, json_dup(role));
}

/* All times of the kit's source lie in one day of Tokyo: that day is the window. */
#define WINDOW_FROM INT64_C(1795186800000000)
#define WINDOW_TO (WINDOW_FROM + 86400 * US_PER_S)

static bool is_partitioned(const struct run_order *o)
{
	return o->mode != NULL && strcmp(o->mode, "replace_partition") == 0;
}

static void put_partition(struct json *load)
{
	struct json *p = json_new_object();

	json_put(p, "unit", json_new_str("day"));
	json_put(p, "zone", json_new_str("Asia/Tokyo"));
	json_put(p, "column", json_new_str("t"));
	json_put(load, "partition", p);
}

static struct json *make_load(const struct run_order *o)
{
	struct json *load;
	char dataset[128];

	if (o->load == NULL) {
		load = json_new_object();
		json_put(load, "plugin", json_new_str("conform"));
		json_put(load, "mode", json_new_str("append"));
		return load;
	}
	load = json_dup(o->load);
	if (o->mode != NULL)
		json_put(load, "mode", json_new_str(o->mode));
	if (o->table != NULL) {
		json_put(load, "table", json_new_str(o->table));
		snprintf(dataset, sizeof(dataset), "%s/%s", json_get_str(load, "connection", "c"),
		    o->table);
		json_put(load, "dataset", json_new_str(dataset));
	}
	if (o->mode != NULL &&
	    (strcmp(o->mode, "merge") == 0 || strcmp(o->mode, "delete_insert") == 0)) {
		struct json *key = json_new_array();

		json_push(key, json_new_str("id"));
		json_put(load, "key", key);
	}
	if (o->mode != NULL && strcmp(o->mode, "append") == 0)
		json_put(load, "stamp", json_new_bool(true));
	if (is_partitioned(o))
		put_partition(load);
	return load;
}

static struct json *make_plan(const struct run_order *o)
{
	struct json *plan = json_new_object(), *list;

	if (o->task != NULL) {
		put_role(plan, "task", o->task);
		return plan;
	}
	put_role(plan, "extract", o->extract);
	if (o->transform != NULL) {
		list = json_new_array();
		json_push(list, json_dup(o->transform));
		json_put(plan, "transform", list);
	}
	json_put(plan, "load", make_load(o));
	return plan;
}

static void put_text(struct json *j, const char *key, const char *dir, const char *name)
{
	char text[512];

	snprintf(text, sizeof(text), "%s%s", dir, name);
	json_put(j, key, json_new_str(text));
}

static struct json *make_job(const struct making *m)
{
	const struct conform *c = m->c;
	const struct json *connections = json_get(c->scenario, "connections");
	struct json *j = json_new_object(), *dirs = json_new_array(), *cursor;
	char *dir = io_path_dir(c->path), number[64];

	put_text(j, "deployment", "conform", "");
	put_text(j, "dag", "conform", "");
	put_text(j, "run", "0000000000000000000000000A", "");
	put_text(j, "step", "s", "");
	put_text(j, "key", "k", "");
	put_text(j, "state_dir", c->dir, "/state");
	put_text(j, "base_dir", c->dir, "");
	put_text(j, "scratch_dir", c->dir, "/scratch");
	put_text(j, "reject_file", c->dir, "/rejects.ndjson");
	snprintf(number, sizeof(number), "conform/conform/run/s//%d", m->o->ledger);
	json_put(j, "ledger_key", json_new_str(number));
	snprintf(
	    number, sizeof(number), "conform/run/s/%s", m->o->table != NULL ? m->o->table : "");
	json_put(j, "fence_key", json_new_str(number));
	snprintf(number, sizeof(number), "%" PRIu64, m->o->token);
	json_put(j, "token", json_new_str(number));
	json_put(j, "step_plan", make_plan(m->o));
	json_put(j, "env", json_new_object());
	json_put(j, "connections", connections != NULL ? json_dup(connections) : json_new_object());
	json_push(dirs, json_new_str(dir));
	json_put(j, "plugin_dirs", dirs);
	if (json_get(c->scenario, "secrets") != NULL)
		json_put(j, "secrets", json_dup(json_get(c->scenario, "secrets")));
	if (is_partitioned(m->o)) {
		json_put(j, "window_from_us", json_new_i64(WINDOW_FROM));
		json_put(j, "window_to_us", json_new_i64(WINDOW_TO));
	}
	if (m->o->cursor != NULL) {
		cursor = json_new_object();
		json_put(cursor, "json", json_new_str(m->o->cursor));
		json_put(j, "cursor", cursor);
	}
	mem_free(dir);
	return j;
}

/* ---- the child ---- */

struct lanes {
	struct attempt *at;
	struct lane *main_lane, *reader;
};

static void run_step(void *arg)
{
	struct lanes *l = arg;

	step_run(l->at, l->reader);
}

static void run_lanes(struct attempt *at, int cancel_after_ms)
{
	struct lanes l = {at, lane_new("main"), lane_new("extract")};

	lane_start(l.main_lane, run_step, &l);
	if (cancel_after_ms >= 0) {
		usleep((unsigned)cancel_after_ms * 1000);
		attempt_cancel(at);
	}
	lane_wait(l.main_lane);
	lane_start(l.main_lane, conn_end_lane, NULL);
	lane_start(l.reader, conn_end_lane, NULL);
	lane_free(l.main_lane);
	lane_free(l.reader);
}

static void write_marks(struct jw *w)
{
	int i;

	jw_key(w, "marks");
	jw_array(w);
	for (i = 0; i < seen.n_marks; i++) {
		jw_object(w);
		jw_kstr(w, "json", seen.marks[i].json);
		jw_ki64(w, "rows", seen.marks[i].rows);
		jw_key(w, "sum");
		jw_u64_text(w, seen.marks[i].sum);
		jw_end_object(w);
	}
	jw_end_array(w);
}

static void write_answer(struct attempt *at, mono_us took, const char *log, struct str *out)
{
	struct str report, text;
	struct jw w;

	str_init(&report, 1u << 20);
	str_init(&text, 1u << 20);
	attempt_report(at, &report);
	(void)!io_read_file(log, 1u << 20, &text, NULL);
	jw_init(&w, out);
	jw_object(&w);
	jw_key(&w, "report");
	jw_raw(&w, str_peek(&report));
	jw_ki64(&w, "rows", seen.rows);
	jw_key(&w, "sum");
	jw_u64_text(&w, seen.sum);
	write_marks(&w);
	jw_ki64(&w, "took_us", took);
	jw_kstr(&w, "log", str_peek(&text));
	jw_end_object(&w);
	str_done(&report);
	str_done(&text);
}

static void run_child(void *arg, struct str *out)
{
	static const struct hooks look = {on_batch, on_mark, on_point};
	const struct making *m = arg;
	char log[128];
	struct attempt *at;
	struct job *job;
	mono_us began;
	int fd;

	seen.order = *m->o;
	hooks = &look;
	snprintf(log, sizeof(log), "%s/log", m->c->dir);
	fd = open(log, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	(void)dup2(fd, STDERR_FILENO);
	if (job_new(make_job(m), &job, NULL) != 0)
		_exit(1);
	began = clock_mono();
	at = attempt_new(job, -1);
	run_lanes(at, m->o->cancel_after_ms);
	write_answer(at, clock_mono() - began, log, out);
}

struct run_order run_order_make(void)
{
	return (struct run_order){.token = 100, .cancel_after_ms = -1};
}

void conform_run(struct conform *c, const struct run_order *o, struct run_result *ret)
{
	struct making m = {c, o};
	struct str out;

	memset(ret, 0, sizeof(*ret));
	str_init(&out, 8u << 20);
	ret->ended_by = conform_child(c, run_child, &m, RUN_LIMIT_MS, &out);
	if (ret->ended_by == 0 &&
	    json_parse(str_peek(&out), out.len, 8u << 20, &ret->answer, NULL) != 0)
		ret->ended_by = -1;
	str_done(&out);
}

void run_result_done(struct run_result *r)
{
	json_free(r->answer);
	r->answer = NULL;
}

const char *run_class(const struct run_result *r)
{
	return r->ended_by != 0 ? "died" : json_str(json_path(r->answer, "report.class"), "none");
}

const char *run_message(const struct run_result *r)
{
	return json_str(json_path(r->answer, "report.message"), "");
}

bool run_is_clean(const struct run_result *r)
{
	return strcmp(run_class(r), "ok") == 0 &&
	       strstr(json_get_str(r->answer, "log", ""), "a bug in the plugin") == NULL;
}
