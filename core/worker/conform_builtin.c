/* conform_builtin.c: the kit's own extract (every type, nulls where they are wanted) and its load,
 * which drops rows. */
#include "core/worker/conform.h"

#include <sluice/kit/batch.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SOURCE_BATCH 100

struct source {
	const slu_host *host;
	slu_run *run;
	int64_t rows, at, fail_at;
	slu_builder *builder; /* owned while the stream lives */
	int nulls;	      /* 0 none, 1 some, 2 all */
};

static slu_rc source_open(const slu_host *host, slu_run *run, void *conn, void **st, slu_err *err)
{
	struct source *s = calloc(1, sizeof(*s));
	const char *nulls = host->get_str(run, "nulls");

	(void)conn;
	if (s == NULL)
		return slu_fail(err, SLU_E_TRANSIENT, "CONFORM.MEMORY", "out of memory");
	s->host = host;
	s->run = run;
	s->fail_at = -1;
	(void)host->get_i64(run, "rows", &s->rows);
	(void)host->get_i64(run, "fail_at", &s->fail_at);
	if (nulls != NULL)
		s->nulls = strcmp(nulls, "all") == 0 ? 2 : strcmp(nulls, "some") == 0;
	*st = s;
	return SLU_OK;
}

static bool is_null(const struct source *s, int64_t row, size_t col)
{
	return s->nulls == 2 || (s->nulls == 1 && (row + (int64_t)col) % 3 == 0);
}

static void put(struct source *s, slu_builder *b, size_t col)
{
	char text[64];

	if (is_null(s, s->at, col)) {
		slu_put_null(b, col);
		return;
	}
	switch (col) {
	case 2:
		slu_put_f64(b, col, (double)s->at / 3.0);
		break;
	case 4:
		snprintf(
		    text, sizeof(text), "row %lld \"quoted\", \xe3\x81\x82\n", (long long)s->at);
		slu_put_str(b, col, s->at % 5 == 0 ? "" : text);
		break;
	case 3:
		slu_put_i64(b, col, s->at % 2);
		break;
	case 6:
		slu_put_i64(b, col, INT64_C(1795186800000001) + s->at * 1000);
		break;
	default:
		slu_put_i64(b, col, col == 5 ? 20000 + s->at % 365 : -s->at * 7);
	}
}

/* Batches of a hundred rows: the kit's own streams would make one of all. */
static int source_next(struct ArrowArrayStream *stream, struct ArrowArray *out)
{
	struct source *s = stream->private_data;
	slu_err e = {.size = sizeof(e)};
	slu_end end = {.size = sizeof(end), .rows = (uint64_t)s->rows};
	slu_rc rc = SLU_OK;
	size_t col;
	int n;

	memset(out, 0, sizeof(*out));
	for (n = 0; s->at < s->rows && n < SOURCE_BATCH && rc == SLU_OK; s->at++, n++) {
		if (s->at == s->fail_at)
			rc = slu_fail(
			    &e, SLU_E_QUOTA, "CONFORM.QUOTA", "the source is over its quota");
		slu_put_i64(s->builder, 0, s->at);
		for (col = 1; col < 7; col++)
			put(s, s->builder, col);
		rc = rc == SLU_OK ? slu_row_end(s->builder, &e) : rc;
	}
	if (rc == SLU_OK && n > 0)
		rc = slu_builder_take(s->builder, out, &e);
	else if (rc == SLU_OK)
		(void)s->host->end(s->run, &end);
	if (rc != SLU_OK)
		s->host->fail(s->run, &e);
	return rc == SLU_OK ? 0 : EIO;
}

static int source_schema(struct ArrowArrayStream *stream, struct ArrowSchema *out)
{
	struct source *s = stream->private_data;
	slu_err e = {.size = sizeof(e)};

	return slu_schema_make(slu_builder_fields(s->builder), out, &e) == SLU_OK ? 0 : ENOMEM;
}

static const char *source_error(struct ArrowArrayStream *stream)
{
	(void)stream;
	return "the kit's source failed as it was told";
}

static void source_release(struct ArrowArrayStream *stream)
{
	struct source *s = stream->private_data;

	slu_builder_free(s->builder);
	s->builder = NULL;
	stream->release = NULL;
}

static slu_rc source_stream(void *st, const char *split, const slu_mark *from, const slu_mark *upto,
    struct ArrowArrayStream *out, slu_err *err)
{
	static const struct {
		const char *name;
		int type;
	} columns[] = {{"id", SLU_INT64}, {"n", SLU_INT64}, {"f", SLU_FLOAT64}, {"b", SLU_BOOL},
	    {"s", SLU_UTF8}, {"d", SLU_DATE}, {"t", SLU_TIMESTAMP}};
	struct source *s = st;
	slu_fields f = {0};
	slu_field *field;
	size_t i;

	(void)split;
	(void)from;
	(void)upto;
	for (i = 0; i < sizeof(columns) / sizeof(columns[0]); i++) {
		field = slu_fields_add(&f, columns[i].name, columns[i].type, err);
		if (i == 0)
			snprintf(field->role, sizeof(field->role), "key");
		if (i == 6)
			snprintf(field->zone, sizeof(field->zone), "UTC");
	}
	s->builder = slu_builder_new(&f, 0);
	slu_fields_done(&f);
	*out =
	    (struct ArrowArrayStream){source_schema, source_next, source_error, source_release, s};
	return SLU_OK;
}

static const slu_opt source_options[] = {
    {.name = "rows", .type = SLU_T_INT, .def = "10", .doc = "How many."},
    {.name = "nulls",
	.type = SLU_T_ENUM,
	.choices = "none|some|all",
	.def = "none",
	.doc = "Where."},
    {.name = "fail_at", .type = SLU_T_INT, .doc = "The row at which it fails."}};
static const slu_extract source = {.size = sizeof(source),
    .options = {3, sizeof(slu_opt), source_options},
    .open = source_open,
    .stream = source_stream,
    .close = free};

/* ---- the load that drops ---- */

struct sink {
	int64_t rows;
};

static slu_rc sink_open(
    const slu_host *host, slu_run *run, void *conn, const slu_work *work, void **st, slu_err *err)
{
	(void)host;
	(void)run;
	(void)conn;
	(void)work;
	*st = calloc(1, sizeof(struct sink));
	return *st != NULL ? SLU_OK
			   : slu_fail(err, SLU_E_TRANSIENT, "CONFORM.MEMORY", "out of memory");
}

static slu_rc sink_write(void *st, struct ArrowArray *batch, slu_err *err)
{
	(void)err;
	((struct sink *)st)->rows += batch->length;
	batch->release(batch);
	return SLU_OK;
}

static slu_rc sink_publish(void *st, const slu_mark *mark, slu_report *report, slu_err *err)
{
	(void)mark;
	(void)err;
	report->written = ((struct sink *)st)->rows;
	return SLU_OK;
}

static const slu_load sink = {.size = sizeof(sink),
    .open = sink_open,
    .write = sink_write,
    .publish = sink_publish,
    .close = free};

static const slu_kind kinds[] = {
    {.type = "conform", .doc = "The kit's own ends.", .extract = &source, .load = &sink}};
const slu_plugin conform_builtin = {.magic = SLU_MAGIC,
    .size = sizeof(slu_plugin),
    .abi_major = SLU_ABI_MAJOR,
    .name = "conform",
    .version = "1",
    .n_kinds = 1,
    .kind_stride = sizeof(slu_kind),
    .kinds = kinds};
