/* stream.c: an Arrow stream over a function that makes rows. */
#include "sluice/kit/stream.h"

#include "core/kit/build.h"

#include "core/base/mem.h"

#include <errno.h>
#include <string.h>

struct row_stream {
	const slu_host *host;
	slu_run *run;
	slu_rows rows;
	slu_builder *b; /* owned */
	int done;
	uint64_t rows_out, batches;
	char error[sizeof(((slu_err *)0)->message)];
};

static int stream_fail(struct row_stream *s, slu_err *e)
{
	e->size = sizeof(*e);
	memcpy(s->error, e->message, sizeof(s->error));
	s->done = 1;
	if (s->host->fail)
		s->host->fail(s->run, e);
	return e->rc == SLU_E_CANCELLED ? ECANCELED : EIO;
}

static int on_get_schema(struct ArrowArrayStream *in, struct ArrowSchema *out)
{
	struct row_stream *s = in->private_data;
	slu_err e = {.size = sizeof(e)};

	return slu_schema_make(slu_builder_fields(s->b), out, &e) == SLU_OK ? 0
									    : stream_fail(s, &e);
}

/* The explicit end: without it the host takes the stream for broken. */
static int stream_end(struct row_stream *s)
{
	slu_end end = {.size = sizeof(end), .rows = s->rows_out, .batches = s->batches};
	slu_err e = {.size = sizeof(e)};

	end.mark.size = sizeof(end.mark);
	end.rejected = s->b->rejects ? s->b->rejects->n : 0;
	if (s->rows.finish)
		s->rows.finish(s->rows.ctx, &end.mark);
	e.rc = s->host->end ? s->host->end(s->run, &end) : SLU_OK;
	if (e.rc == SLU_OK)
		return 0;
	(void)slu_fail(&e, e.rc, "KIT.END", "the host refused the end of the stream");
	return stream_fail(s, &e);
}

static int on_get_next(struct ArrowArrayStream *in, struct ArrowArray *out)
{
	struct row_stream *s = in->private_data;
	slu_err e = {.size = sizeof(e)};
	int was_done = s->done;

	memset(out, 0, sizeof(*out));
	while (!s->done && !slu_builder_full(s->b)) {
		if (s->host->cancelled && s->host->cancelled(s->run)) {
			(void)slu_fail(&e, SLU_E_CANCELLED, "KIT.CANCELLED", "cancelled");
			return stream_fail(s, &e);
		}
		e.rc = s->rows.fill(s->rows.ctx, s->b, &s->done, &e);
		if (e.rc != SLU_OK)
			return stream_fail(s, &e);
	}
	if (slu_builder_rows(s->b) > 0) {
		s->rows_out += (uint64_t)slu_builder_rows(s->b);
		s->batches++;
		if (slu_builder_take(s->b, out, &e) != SLU_OK)
			return stream_fail(s, &e);
		/* The end follows with the next call, which finds nothing left. */
		return 0;
	}
	if (was_done && s->error[0])
		return EIO;
	return s->rows.fill ? (s->rows.fill = NULL, stream_end(s)) : 0;
}

static const char *on_get_error(struct ArrowArrayStream *in)
{
	struct row_stream *s = in->private_data;

	return s->error[0] ? s->error : NULL;
}

static void on_release(struct ArrowArrayStream *in)
{
	struct row_stream *s = in->private_data;

	if (s->rows.close)
		s->rows.close(s->rows.ctx);
	slu_builder_free(s->b);
	mem_free(s);
	in->release = NULL;
}

slu_rc slu_stream_make(const slu_host *host, slu_run *run, const slu_fields *fields,
    const slu_rows *rows, struct ArrowArrayStream *out, slu_err *err)
{
	const slu_attempt *attempt = host->attempt ? host->attempt(run) : NULL;
	struct row_stream *s;

	memset(out, 0, sizeof(*out));
	if (fields->n == 0) {
		if (rows->close)
			rows->close(rows->ctx);
		return slu_fail(err, SLU_E_SCHEMA, "KIT.COLUMN", "the source has no columns");
	}
	s = mem_zalloc(sizeof(*s));
	s->host = host;
	s->run = run;
	s->rows = *rows;
	s->b = slu_builder_new(fields, attempt ? attempt->batch_bytes : 0);
	out->get_schema = on_get_schema;
	out->get_next = on_get_next;
	out->get_last_error = on_get_error;
	out->release = on_release;
	out->private_data = s;
	return SLU_OK;
}

/* The row as it came stands in a batch of one column, "_row". */
slu_rc slu_reject_text(slu_rejects *r, const char *text, size_t n, const char *column,
    const char *code, const char *reason, slu_err *err)
{
	struct ArrowSchema schema = {0};
	struct ArrowArray array = {0};
	slu_fields f = {0};
	slu_builder *b;
	slu_rc rc;

	r->n++;
	if (!r->host->reject)
		return slu_fail_field(
		    err, SLU_E_DATA, code, column, "column \"%s\": %s", column, reason);
	if (!slu_fields_add(
		&f, "_row", slu_utf8_valid(text, text ? n : 0) ? SLU_UTF8 : SLU_BINARY, err))
		return SLU_E_INTERNAL;
	b = slu_builder_new(&f, 0);
	if (text)
		slu_put_bytes(b, 0, text, n < SLU_CELL_MAX ? n : SLU_CELL_MAX);
	rc = slu_row_end(b, err);
	if (rc == SLU_OK)
		rc = slu_schema_make(&f, &schema, err);
	if (rc == SLU_OK)
		rc = slu_builder_take(b, &array, err);
	if (rc == SLU_OK) {
		rc = r->host->reject(r->run, &schema, &array, 0, column, code, reason);
		if (rc != SLU_OK)
			(void)slu_fail_field(err, rc, code, column,
			    "column \"%s\": a value %s; raise reject.max_rows to set such rows "
			    "aside",
			    column, reason);
	}
	if (array.release)
		array.release(&array);
	if (schema.release)
		schema.release(&schema);
	slu_builder_free(b);
	slu_fields_done(&f);
	return rc;
}

slu_rc slu_stream_failed(struct ArrowArrayStream *in, int errno_value, slu_err *err)
{
	const char *text = in->get_last_error ? in->get_last_error(in) : NULL;

	return slu_fail(err,
	    errno_value == ECANCELED ? SLU_E_CANCELLED : slu_rc_from_errno(errno_value),
	    "KIT.STREAM", "%s", text && *text ? text : "the stream before this failed");
}
