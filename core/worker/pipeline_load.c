/* pipeline_load.c: recover → plan → stage → write, flush → checks → publish, or abort. */
#include "core/worker/pipeline.h"

#include "core/base/mem.h"
#include "core/worker/conn.h"
#include "core/worker/step.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define STAGE_JSON_MAX 4096
#define CHANGES_MAX 4096

static void fail(struct loading *l, slu_rc rc, const slu_err *e, const char *slot)
{
	attempt_fail_slot(l->at, rc, e, "load", slot);
}

static void point(struct loading *l, const char *slot)
{
	if (hooks != NULL)
		hooks->point(l->at, slot);
}

void loading_open(struct loading *l)
{
	slu_err e = {.size = sizeof(e), .row = -1};
	slu_rc rc = SLU_E_UNSUPPORTED;
	struct err err;
	slu_kind kind;
	void *conn;

	if (!step_kind_of(l->at, l->role, "load", &kind) ||
	    !conn_use(l->at, json_get_str(l->role, "connection", NULL), &conn))
		return;
	if (workorder_init(&l->order, l->at, l->role, &err) != 0) {
		attempt_fail_err(l->at, &err);
		return;
	}
	l->table = kind.load;
	run_init(&l->run, l->at, "load", l->role, table_options(&kind, "load"));
	if (TABLE_SLOT(l->table, open) != NULL && TABLE_SLOT(l->table, write) != NULL &&
	    TABLE_SLOT(l->table, publish) != NULL)
		rc = l->table->open(&host_table, &l->run, conn, &l->order.work, &l->st, &e);
	if (rc != SLU_OK) {
		fail(l, rc, &e, "open");
		return;
	}
	l->open = true;
	attempt_attach(l->at, TABLE_SLOT(l->table, cancel), l->st, false);
}

/* ---- the outcome ---- */

static void note_part(struct loading *l, const char *name, const struct json *part,
    const slu_report *report, const struct mark *mark)
{
	bool changed = json_get_bool(part, "changed", !(report->flags & SLU_RP_UNCHANGED));
	slu_mark view = mark_view(mark);
	struct mark own = {0};

	if (json_is(json_get(part, "complete_us"), JSON_NUMBER) ||
	    json_is(json_get(part, "complete_us"), JSON_STRING)) {
		view.flags |= SLU_MARK_COMPLETE;
		view.complete_us = json_get_i64(part, "complete_us", 0);
	}
	if (json_is(json_get(part, "max_event_us"), JSON_NUMBER) ||
	    json_is(json_get(part, "max_event_us"), JSON_STRING)) {
		view.flags |= SLU_MARK_MAX_EVENT;
		view.max_event_us = json_get_i64(part, "max_event_us", 0);
	}
	view.cursor_json = NULL;
	mark_set(&own, &view);
	attempt_dataset(l->at, name, json_get_str(part, "partition", ""), changed, &own,
	    json_get_i64(part, "rows", report->written));
	mark_done(&own);
}

static void note_datasets(struct loading *l, const slu_report *report, const struct mark *mark)
{
	const char *name = l->order.work.dataset, *text = TABLE_SLOT(report, parts_json);
	struct json *parts = NULL;
	const struct json *p;
	struct err err;

	if (name[0] == '\0')
		return;
	if (text != NULL && json_parse(text, strlen(text), 16u << 20, &parts, &err) != 0)
		attempt_logf(l->at, SLU_LOG_WARN, "load: the partitions it reports are no JSON: %s",
		    err.text);
	if (json_is(parts, JSON_ARRAY) && json_len(parts) > 0) {
		for (p = json_first(parts); p != NULL; p = json_next(p))
			note_part(l, name, p, report, mark);
	} else {
		const char *partition = l->at->pub.parts.n == 1 ? l->at->parts[0].key : "";

		attempt_dataset(l->at, name, partition, !(report->flags & SLU_RP_UNCHANGED), mark,
		    report->written);
	}
	json_free(parts);
}

/* The position that a data set's reader has reached stands in the ledger's mark, so that a retry
 * which finds the row reports what was read then and not what is there now. */
static void note_position(struct loading *l, const struct mark *mark)
{
	const char *dataset = json_str(json_path(l->at->job->rendered, "extract.dataset"), NULL);
	struct json *j = NULL;
	int64_t upto;

	if (dataset == NULL || mark->cursor_json == NULL || l->at->job->cursor_step)
		return;
	if (json_parse(mark->cursor_json, strlen(mark->cursor_json), 1u << 20, &j, NULL) == 0) {
		upto = json_get_i64(j, "upto", -1);
		if (upto >= 0)
			json_put(l->at->positions, dataset, json_new_i64(upto));
	}
	json_free(j);
}

static void note_outcome(struct loading *l, const slu_report *report, const struct mark *mark)
{
	slu_mark view = mark_view(mark);

	atomic_store(&l->at->rows_out, report->written);
	if (report->bytes > 0)
		atomic_store(&l->at->bytes, report->bytes);
	mark_set(&l->at->mark, &view);
	note_datasets(l, report, mark);
	note_position(l, mark);
	l->done = true;
	l->at->completed = true;
}

void pipeline_mark(struct attempt *at, struct mark *m)
{
	const char *dataset = json_str(json_path(at->job->rendered, "extract.dataset"), NULL);
	const struct json *p = dataset != NULL ? json_get(at->job->positions, dataset) : NULL;
	int64_t upto = json_get_i64(p, "upto", -1);
	char text[64];

	if (upto < 0 || at->job->cursor_step)
		return;
	snprintf(text, sizeof(text), "{\"upto\":%" PRId64 "}", upto);
	mem_free(m->cursor_json);
	m->cursor_json = mem_strdup(text);
	m->set = true;
}

bool loading_recover(struct loading *l)
{
	slu_err e = {.size = sizeof(e), .row = -1};
	slu_report report = {.size = sizeof(report)};
	slu_mark mark = {.size = sizeof(mark)};
	struct mark copy = {0};
	int32_t found = 0;
	slu_rc rc;

	if (TABLE_SLOT(l->table, recover) == NULL)
		return false;
	rc = l->table->recover(l->st, &found, &report, &mark, &e);
	point(l, "recover");
	if (rc == SLU_E_UNSUPPORTED)
		return false;
	if (rc != SLU_OK) {
		fail(l, rc, &e, "recover");
		return false;
	}
	if (!found)
		return false;
	attempt_logf(
	    l->at, SLU_LOG_INFO, "an earlier attempt has published this already: nothing to do");
	l->at->ledger_found = true;
	mark_set(&copy, &mark);
	note_outcome(l, &report, &copy);
	mark_done(&copy);
	return true;
}

/* ---- schema ---- */

struct changes {
	struct loading *l;
	VEC(slu_change) list; /* texts owned */
	bool refused;
};

static char *copy_text(const char *s)
{
	return s != NULL ? mem_strdup(s) : NULL;
}

static void refuse_change(struct changes *c, const slu_change *change)
{
	const char *column = change->column != NULL ? change->column : "?";

	c->refused = true;
	if (change->kind == SLU_C_TYPE)
		attempt_failf(c->l->at, SLU_E_SCHEMA, "SCHEMA.TYPE",
		    "column \"%.100s\" is %.60s in the target and comes as %.60s: cast it in a "
		    "transform, or say `schema: evolve`",
		    column, change->from != NULL ? change->from : "?",
		    change->to != NULL ? change->to : "?");
	else
		attempt_failf(c->l->at, SLU_E_SCHEMA, "SCHEMA.COLUMN",
		    "column \"%.100s\" is not in the target: leave it out in a transform, or say "
		    "`schema: evolve`",
		    column);
}

static slu_rc on_change(void *arg, const slu_change *change)
{
	struct changes *c = arg;
	bool evolve = str_eq(json_get_str(c->l->role, "schema", "freeze"), "evolve");
	slu_change copy = {.size = sizeof(copy), .kind = change->kind};

	if (c->list.n >= CHANGES_MAX)
		return SLU_E_SCHEMA;
	if (!evolve && (change->kind == SLU_C_ADD || change->kind == SLU_C_TYPE)) {
		refuse_change(c, change);
		return SLU_E_SCHEMA;
	}
	if (change->kind == SLU_C_REMOVE)
		attempt_logf(c->l->at, SLU_LOG_WARN,
		    "column \"%.100s\" of the target does not come any more",
		    change->column != NULL ? change->column : "?");
	copy.column = copy_text(change->column);
	copy.from = copy_text(change->from);
	copy.to = copy_text(change->to);
	VEC_ADD(&c->list, copy);
	return SLU_OK;
}

static void changes_done(struct changes *c)
{
	size_t i;

	for (i = 0; i < c->list.n; i++) {
		mem_free((void *)(uintptr_t)c->list.v[i].column);
		mem_free((void *)(uintptr_t)c->list.v[i].from);
		mem_free((void *)(uintptr_t)c->list.v[i].to);
	}
	VEC_DONE(&c->list);
}

static bool plan(struct loading *l, const struct ArrowSchema *schema, struct changes *c)
{
	slu_err e = {.size = sizeof(e), .row = -1};
	slu_rc rc;

	if (TABLE_SLOT(l->table, plan) == NULL)
		return true;
	rc = l->table->plan(l->st, schema, on_change, c, &e);
	point(l, "plan");
	if (rc == SLU_OK || rc == SLU_E_UNSUPPORTED)
		return true;
	if (!c->refused)
		fail(l, rc, &e, "plan");
	return false;
}

static bool stage(struct loading *l, const struct ArrowSchema *schema, const struct changes *c)
{
	const slu_change **approved = mem_calloc(c->list.n + 1, sizeof(*approved));
	slu_err e = {.size = sizeof(e), .row = -1};
	char json[STAGE_JSON_MAX] = "";
	slu_rc rc = SLU_OK;
	size_t i;

	for (i = 0; i < c->list.n; i++)
		approved[i] = &c->list.v[i];
	if (TABLE_SLOT(l->table, stage) != NULL)
		rc = l->table->stage(
		    l->st, schema, approved, (uint32_t)c->list.n, json, sizeof(json), &e);
	point(l, "stage");
	if (rc != SLU_OK)
		fail(l, rc, &e, "stage");
	l->staged = true; /* also after a failure: abort() cleans up what it left */
	mem_free(approved);
	return rc == SLU_OK;
}

/* ---- rows ---- */

static bool write_batch(struct loading *l, struct ArrowArray *batch, int64_t bytes)
{
	slu_err e = {.size = sizeof(e), .row = -1};
	int64_t rows = batch->length;
	slu_rc rc = l->table->write(l->st, batch, &e);

	point(l, "write");
	if (rc != SLU_OK) {
		fail(l, rc, &e, "write");
		return false;
	}
	l->rows += rows;
	l->batches++;
	atomic_store(&l->at->rows_out, l->rows);
	atomic_fetch_add(&l->at->bytes, bytes);
	attempt_progress(l->at, "load", l->rows, -1, "rows");
	return true;
}

static bool write_all(struct loading *l)
{
	struct ArrowArray batch;
	enum queue_state state;
	int64_t bytes;

	while ((state = queue_pop(l->queue, &batch, &bytes)) == QUEUE_ITEM)
		if (!write_batch(l, &batch, bytes))
			return false;
	return state == QUEUE_END;
}

static bool flush(struct loading *l)
{
	slu_err e = {.size = sizeof(e), .row = -1};
	uint64_t durable = (uint64_t)l->batches;
	slu_rc rc;

	if (TABLE_SLOT(l->table, flush) == NULL)
		return true;
	rc = l->table->flush(l->st, &durable, &e);
	point(l, "flush");
	if (rc != SLU_OK) {
		fail(l, rc, &e, "flush");
		return false;
	}
	if (durable == (uint64_t)l->batches)
		return true;
	attempt_failf(l->at, SLU_E_INTERNAL, "LOAD.FLUSH",
	    "load: flush() says %" PRIu64 " batches are durable, it was given %" PRId64
	    ": a bug in the plugin",
	    durable, l->batches);
	return false;
}

/* ---- checks ---- */

static bool judge(struct loading *l, const struct json *check, const char *text, int64_t failing)
{
	bool warn = str_eq(json_get_str(check, "severity", "error"), "warn");

	if (failing == 0)
		return true;
	attempt_logf(l->at, warn ? SLU_LOG_WARN : SLU_LOG_ERROR,
	    "check %.300s: %" PRId64 " rows fail", text, failing);
	if (!warn)
		attempt_failf(l->at, SLU_E_DATA, "CHECK",
		    "the check %.200s fails for %" PRId64 " rows: nothing was published", text,
		    failing);
	return warn;
}

static bool probe(struct loading *l, const struct json *check)
{
	slu_err e = {.size = sizeof(e), .row = -1};
	int64_t failing = 0;
	struct str text;
	slu_rc rc = SLU_E_UNSUPPORTED;
	bool ok;

	str_init(&text, 65536);
	json_print(check, &text);
	if (TABLE_SLOT(l->table, probe) != NULL)
		rc = l->table->probe(l->st, str_peek(&text), &failing, &e);
	if (rc == SLU_OK) {
		ok = judge(l, check, str_peek(&text), failing);
	} else {
		if (e.message[0] == '\0')
			snprintf(e.message, sizeof(e.message),
			    "this load cannot do the check %.200s", str_peek(&text));
		fail(l, rc, &e, "probe");
		ok = false;
	}
	str_done(&text);
	return ok;
}

static bool probe_all(struct loading *l)
{
	const struct json *c;

	for (c = json_first(json_get(l->role, "checks")); c != NULL; c = json_next(c))
		if (!probe(l, c))
			return false;
	return true;
}

bool loading_fill(struct loading *l)
{
	const struct ArrowSchema *schema = queue_wait_schema(l->queue);
	struct changes c = {.l = l};
	bool ok;

	if (schema == NULL)
		return false;
	ok = plan(l, schema, &c) && stage(l, schema, &c);
	changes_done(&c);
	return ok && write_all(l) && flush(l) && probe_all(l);
}

/* ---- publish ---- */

static void check_written(struct loading *l, const slu_report *report)
{
	int64_t rejected = atomic_load(&l->run.rejected);

	if (report->written + rejected == l->rows)
		return;
	attempt_failf(l->at, SLU_E_INTERNAL, "LOAD.ROWS",
	    "load: %" PRId64 " rows given, %" PRId64 " written, %" PRId64
	    " rejected: the counts do not agree, a bug in the plugin",
	    l->rows, report->written, rejected);
}

void loading_publish(struct loading *l, const struct mark *mark)
{
	slu_err e = {.size = sizeof(e), .row = -1};
	slu_report report = {.size = sizeof(report)};
	slu_mark view = mark_view(mark);
	slu_rc rc;

	rc = l->table->publish(l->st, &view, &report, &e);
	point(l, "publish");
	if (rc != SLU_OK) {
		if (e.outcome == SLU_OUTCOME_UNKNOWN)
			attempt_logf(l->at, SLU_LOG_WARN,
			    "the target did not say whether it published: the next attempt asks "
			    "its ledger");
		fail(l, rc, &e, "publish");
		return;
	}
	note_outcome(l, &report, mark);
	check_written(l, &report);
}

void loading_close(struct loading *l)
{
	slu_err e = {.size = sizeof(e), .row = -1};

	if (!l->open) {
		run_done(&l->run);
		workorder_done(&l->order);
		return;
	}
	if (l->staged && !l->done && TABLE_SLOT(l->table, abort) != NULL &&
	    l->table->abort(l->st, &e) != SLU_OK)
		attempt_logf(l->at, SLU_LOG_WARN,
		    "load: what was staged could not be removed: %.400s", e.message);
	attempt_detach(l->at, l->st);
	if (TABLE_SLOT(l->table, close) != NULL)
		l->table->close(l->st);
	run_done(&l->run);
	workorder_done(&l->order);
}
