/* pipeline_read.c: extract and transforms, from open to the explicit end. */
#include "core/worker/pipeline.h"

#include "core/base/mem.h"
#include "core/worker/arrow.h"
#include "core/worker/conn.h"
#include "core/worker/host.h"
#include "core/worker/step.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* ---- extract ---- */

static bool open_extract(struct reading *r)
{
	const struct json *role = job_role(r->at->job, "extract");
	slu_err e = {.size = sizeof(e), .row = -1};
	slu_rc rc = SLU_E_UNSUPPORTED;
	slu_kind kind;
	void *conn;

	if (!step_kind_of(r->at, role, "extract", &kind) ||
	    !conn_use(r->at, json_get_str(role, "connection", NULL), &conn))
		return false;
	r->table = kind.extract;
	run_init(&r->run, r->at, "extract", role, table_options(&kind, "extract"));
	r->run.index = -1;
	if (TABLE_SLOT(r->table, open) != NULL)
		rc = r->table->open(&host_table, &r->run, conn, &r->st, &e);
	if (rc != SLU_OK) {
		attempt_fail_slot(r->at, rc, &e, "extract", "open");
		run_done(&r->run);
		r->table = NULL;
		return false;
	}
	attempt_attach(r->at, TABLE_SLOT(r->table, cancel), r->st, true);
	return true;
}

/* A rerun of a step with a cursor stops where the run stopped: the source is not asked. */
static bool bound_again(struct reading *r, const struct json *upto)
{
	slu_mark upper = {.size = sizeof(upper), .cursor_json = json_get_str(upto, "json", NULL)};

	if (TABLE_SLOT(r->table, bound) == NULL) {
		attempt_failf(r->at, SLU_E_UNSUPPORTED, "EXTRACT.RANGE",
		    "this extract cannot stop where the run stopped when it read first: start a "
		    "new run instead of a rerun");
		return false;
	}
	if (json_get(upto, "complete_us") != NULL) {
		upper.flags = SLU_MARK_COMPLETE;
		upper.complete_us = json_get_i64(upto, "complete_us", 0);
	}
	mark_set(&r->upper, &upper);
	return true;
}

static bool find_bound(struct reading *r, bool *ret_has)
{
	const struct json *upto = json_get(r->at->job->cursor, "upto");
	slu_err e = {.size = sizeof(e), .row = -1};
	slu_mark upper = {.size = sizeof(upper)};
	slu_rc rc;

	*ret_has = json_is(upto, JSON_OBJECT);
	if (*ret_has)
		return bound_again(r, upto);
	if (TABLE_SLOT(r->table, bound) == NULL)
		return true;
	rc = r->table->bound(r->st, &upper, &e);
	if (rc == SLU_E_UNSUPPORTED)
		return true;
	if (rc != SLU_OK) {
		attempt_fail_slot(r->at, rc, &e, "extract", "bound");
		return false;
	}
	mark_set(&r->upper, &upper);
	*ret_has = true;
	return true;
}

static bool open_stream(struct reading *r, struct ArrowArrayStream *out)
{
	slu_err e = {.size = sizeof(e), .row = -1};
	struct ArrowArrayStream inner = {0};
	slu_rc rc = SLU_E_UNSUPPORTED;
	slu_mark upper;
	bool bounded;

	if (!find_bound(r, &bounded))
		return false;
	upper = mark_view(&r->upper);
	if (TABLE_SLOT(r->table, stream) != NULL)
		rc = r->table->stream(
		    r->st, NULL, host_cursor_load(&r->run), bounded ? &upper : NULL, &inner, &e);
	if (rc == SLU_OK && inner.release == NULL)
		rc = SLU_E_INTERNAL;
	if (rc != SLU_OK) {
		attempt_fail_slot(r->at, rc, &e, "extract", "stream");
		if (inner.release != NULL)
			inner.release(&inner);
		return false;
	}
	stream_wrap(&r->stream, &r->run, &inner, out);
	return true;
}

/* ---- transforms ---- */

static bool open_stage(struct reading *r, struct stage *s, const struct json *role)
{
	slu_err e = {.size = sizeof(e), .row = -1};
	slu_rc rc = SLU_E_UNSUPPORTED;
	slu_kind kind;

	if (!step_kind_of(r->at, role, "transform", &kind))
		return false;
	s->table = kind.transform;
	snprintf(s->role, sizeof(s->role), "transform %d", r->n_stages + 1);
	run_init(&s->run, r->at, s->role, role, table_options(&kind, "transform"));
	s->run.index = r->n_stages;
	if (TABLE_SLOT(s->table, open) != NULL && TABLE_SLOT(s->table, wrap) != NULL)
		rc = s->table->open(&host_table, &s->run, &s->st, &e);
	if (rc != SLU_OK) {
		attempt_fail_slot(r->at, rc, &e, s->role, "open");
		run_done(&s->run);
		return false;
	}
	s->open = true;
	return true;
}

static bool bind_stage(
    struct reading *r, struct stage *s, const struct ArrowSchema *in, struct ArrowSchema *out)
{
	slu_err e = {.size = sizeof(e), .row = -1};
	slu_rc rc;

	if (TABLE_SLOT(s->table, bind) == NULL)
		return true;
	rc = s->table->bind(s->st, in, out, &e);
	if (rc != SLU_OK)
		attempt_fail_slot(r->at, rc, &e, s->role, "bind");
	return rc == SLU_OK;
}

/* What bind() promised and what the stream then has must be the same. */
static bool same_schema(struct reading *r, struct stage *s, struct ArrowSchema *bound)
{
	const struct ArrowSchema *real = stream_schema(&s->stream);
	bool same = real != NULL && (bound->release == NULL || arrow_schema_equal(bound, real));

	if (real != NULL && !same)
		attempt_failf(r->at, SLU_E_INTERNAL, "STREAM.SCHEMA",
		    "%s: its stream has another schema than bind() promised: a bug in the plugin",
		    s->role);
	return same;
}

static bool wrap_stage(struct reading *r, struct stage *s, struct ArrowArrayStream *stream,
    const struct ArrowSchema *in_schema)
{
	slu_err e = {.size = sizeof(e), .row = -1};
	struct ArrowArrayStream inner = {0};
	struct ArrowSchema bound = {0};
	slu_rc rc;
	bool ok;

	if (!bind_stage(r, s, in_schema, &bound))
		return false;
	rc = s->table->wrap(s->st, stream, &inner, &e);
	if (rc == SLU_OK && inner.release == NULL)
		rc = SLU_E_INTERNAL;
	if (rc == SLU_OK) {
		stream->release = NULL;
		stream_wrap(&s->stream, &s->run, &inner, stream);
		ok = same_schema(r, s, &bound);
	} else {
		attempt_fail_slot(r->at, rc, &e, s->role, "wrap");
		stream->release = NULL; /* wrap() owns it on every path */
		ok = false;
	}
	if (bound.release != NULL)
		bound.release(&bound);
	return ok;
}

static bool open_transforms(struct reading *r, struct ArrowArrayStream *stream)
{
	const struct json *t = json_first(job_role(r->at->job, "transform"));
	const struct ArrowSchema *schema = stream_schema(&r->stream);

	for (; t != NULL; t = json_next(t)) {
		struct stage *s = &r->stages[r->n_stages];

		if (schema == NULL)
			return false;
		if (r->n_stages >= PIPELINE_TRANSFORMS_MAX) {
			attempt_failf(r->at, SLU_E_CONFIG, "HOST.TRANSFORMS",
			    "a step has at most %d transforms", PIPELINE_TRANSFORMS_MAX);
			return false;
		}
		if (!open_stage(r, s, t))
			return false;
		r->n_stages++;
		if (!wrap_stage(r, s, stream, schema))
			return false;
		schema = stream_schema(&s->stream);
	}
	return schema != NULL;
}

/* ---- the end ---- */

static bool check_stage(struct reading *r, const struct stage *s, const struct stream *before)
{
	int64_t rejected = atomic_load(&s->run.rejected);

	if (!(TABLE_SLOT(s->table, caps) & SLU_TR_ALL_ROWS) ||
	    before->rows == s->stream.rows + rejected)
		return true;
	attempt_failf(r->at, SLU_E_INTERNAL, "STREAM.ROWS",
	    "%s: %" PRId64 " rows in, %" PRId64 " out, %" PRId64
	    " rejected: rows were lost, a bug in the plugin",
	    s->role, before->rows, s->stream.rows, rejected);
	return false;
}

/* rows in = rows out + rejected, at every joint. */
static bool check_end(struct reading *r)
{
	int64_t rejected = atomic_load(&r->run.rejected);
	int i;

	if (r->preview_left >= 0)
		return true;
	if (!r->run.ended) {
		attempt_failf(r->at, SLU_E_INTERNAL, "STREAM.END",
		    "extract: the stream ended without end(): rows may be missing, a bug in the "
		    "plugin");
		return false;
	}
	if ((int64_t)r->run.end.rows != r->stream.rows ||
	    (int64_t)r->run.end.rejected != rejected) {
		attempt_failf(r->at, SLU_E_INTERNAL, "STREAM.END",
		    "extract: end() says %" PRIu64 " rows and %" PRIu64
		    " rejected, the host counted %" PRId64 " and %" PRId64,
		    r->run.end.rows, r->run.end.rejected, r->stream.rows, rejected);
		return false;
	}
	for (i = 0; i < r->n_stages; i++)
		if (!check_stage(r, &r->stages[i], i == 0 ? &r->stream : &r->stages[i - 1].stream))
			return false;
	return true;
}

static void merge_mark(struct mark *to, const struct mark *from)
{
	slu_mark view;

	if (!from->set || (to->set && to->cursor_json != NULL && (to->flags & SLU_MARK_COMPLETE)))
		return;
	view = mark_view(from);
	if (to->cursor_json != NULL)
		view.cursor_json = to->cursor_json;
	if (to->flags & SLU_MARK_COMPLETE)
		view.complete_us = to->complete_us;
	if (to->flags & SLU_MARK_MAX_EVENT)
		view.max_event_us = to->max_event_us;
	view.flags |= to->flags;
	mark_set(to, &view);
}

/* The run's window bounds what was looked at where the extract reads by it, or the load replaces
 * its partitions whole. */
static bool is_windowed(const struct job *j)
{
	return json_path(j->rendered, "extract.window") != NULL ||
	       str_eq(json_str(json_path(j->rendered, "load.mode"), ""), "replace_partition");
}

/* What end() said, filled up by the last mark, the upper bound and the run's window. */
static void make_mark(struct reading *r)
{
	merge_mark(&r->mark, &r->run.end_mark);
	merge_mark(&r->mark, &r->run.mark);
	merge_mark(&r->mark, &r->upper);
	if ((r->mark.flags & SLU_MARK_COMPLETE) || r->at->pub.window_to_us == SLU_TIME_NONE ||
	    !is_windowed(r->at->job))
		return;
	r->mark.set = true;
	r->mark.flags |= SLU_MARK_COMPLETE;
	r->mark.complete_us = r->at->pub.window_to_us;
}

/* ---- pulling ---- */

static const struct stream *last_stream(const struct reading *r)
{
	return r->n_stages > 0 ? &r->stages[r->n_stages - 1].stream : &r->stream;
}

static bool pull_all(struct reading *r, struct ArrowArrayStream *stream)
{
	struct ArrowArray batch;

	for (;;) {
		int e = stream->get_next(stream, &batch);

		atomic_store(&r->at->rows_in, r->stream.rows);
		if (e != 0) {
			attempt_failf(r->at, SLU_E_TRANSIENT, "STREAM", "the stream failed");
			return false;
		}
		if (batch.release == NULL)
			return check_end(r);
		if (r->preview_left >= 0 && batch.length > r->preview_left)
			batch.length = r->preview_left;
		if (r->preview_left >= 0)
			r->preview_left -= batch.length;
		if (!queue_push(r->queue, &batch, last_stream(r)->last_bytes))
			return false;
		if (r->preview_left == 0)
			return true;
	}
}

static bool read_stream(struct reading *r)
{
	struct ArrowArrayStream stream = {0};
	struct ArrowSchema schema;
	bool ok = open_stream(r, &stream);

	if (!ok)
		return false;
	ok = open_transforms(r, &stream);
	if (ok) {
		arrow_schema_copy(&last_stream(r)->schema, &schema);
		queue_put_schema(r->queue, &schema);
		ok = pull_all(r, &stream);
	}
	if (stream.release != NULL)
		stream.release(&stream);
	if (ok)
		make_mark(r);
	return ok;
}

static void close_all(struct reading *r)
{
	int i;

	for (i = r->n_stages; i-- > 0;) {
		stream_done(&r->stages[i].stream);
		if (r->stages[i].open && TABLE_SLOT(r->stages[i].table, close) != NULL)
			r->stages[i].table->close(r->stages[i].st);
	}
	if (r->table == NULL)
		return;
	if (r->stream.run != NULL)
		stream_done(&r->stream);
	attempt_detach(r->at, r->st);
	if (TABLE_SLOT(r->table, close) != NULL)
		r->table->close(r->st);
}

void reading_main(void *arg)
{
	struct reading *r = arg;
	bool ok = open_extract(r) && read_stream(r);

	close_all(r);
	conn_release(r->at, ok);
	/* A cancel that came between has broken the queue already. */
	if (ok)
		queue_end(r->queue);
	else
		queue_break(r->queue);
}

void reading_done(struct reading *r)
{
	int i;

	for (i = 0; i < r->n_stages; i++)
		run_done(&r->stages[i].run);
	run_done(&r->run);
	mark_done(&r->upper);
	mark_done(&r->mark);
}
