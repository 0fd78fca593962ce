/* warehouse.c: the connection as a SQL session for models, checks and other plugins. */
#include "plugins/sqlite/sqlite.h"

#include "sluice/kit/stream.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static slu_rc w_exec(void *session, const char *sql, int64_t *rows, slu_err *err)
{
	struct conn *c = session;
	slu_rc rc = db_open(c, err);

	return rc == SLU_OK ? db_exec(c, sql, NULL, 0, rows, err) : rc;
}

static slu_rc w_begin(void *session, slu_err *err)
{
	return w_exec(session, "BEGIN IMMEDIATE", NULL, err);
}

static slu_rc w_commit(void *session, slu_err *err)
{
	return w_exec(session, "COMMIT", NULL, err);
}

static slu_rc w_rollback(void *session, slu_err *err)
{
	return w_exec(session, "ROLLBACK", NULL, err);
}

static slu_rc on_fill(void *ctx, slu_builder *b, int *ret_done, slu_err *err)
{
	return query_fill(ctx, b, NULL, ret_done, err);
}

static void on_close(void *ctx)
{
	query_end(ctx);
	free(ctx);
}

static slu_rc query_open(struct conn *c, const char *sql, struct query **out, slu_err *err)
{
	struct query *q = calloc(1, sizeof(*q));
	sqlite3_stmt *st = NULL;
	slu_rc rc =
	    q ? db_open(c, err) : slu_fail(err, SLU_E_TRANSIENT, "SQLITE.MEMORY", "out of memory");

	if (rc == SLU_OK)
		rc = db_prepare(c, sql, &st, err);
	if (rc == SLU_OK)
		rc = query_begin(q, c, st, NULL, err);
	if (rc != SLU_OK && q) {
		if (q->st)
			query_end(q);
		free(q);
		return rc;
	}
	*out = q;
	return rc;
}

static slu_rc w_query(void *session, const char *sql, struct ArrowArrayStream *out, slu_err *err)
{
	struct conn *c = session;
	slu_rows rows = {.fill = on_fill, .close = on_close};
	struct query *q;
	slu_rc rc = query_open(c, sql, &q, err);

	if (rc != SLU_OK)
		return rc;
	rows.ctx = q;
	return slu_stream_make(&c->quiet, c->run, &q->fields, &rows, out, err);
}

/* The planner's view of a statement: its columns; SQLite tells no bytes. */
static slu_rc w_prepare(
    void *session, const char *sql, struct ArrowSchema *out, int64_t *bytes, slu_err *err)
{
	struct query *q;
	slu_rc rc = query_open(session, sql, &q, err);

	if (rc != SLU_OK)
		return rc;
	if (bytes)
		*bytes = -1;
	rc = slu_schema_make(&q->fields, out, err);
	on_close(q);
	return rc;
}

static slu_rc ingest_batch(
    struct conn *c, sqlite3_stmt *st, const slu_fields *f, const struct ArrowArray *a, slu_err *err)
{
	slu_col *cols = calloc(f->n, sizeof(*cols));
	slu_rc rc = cols ? slu_batch_read(a, f, cols, err)
			 : slu_fail(err, SLU_E_TRANSIENT, "SQLITE.MEMORY", "out of memory");
	int64_t r;
	size_t i;

	for (r = 0; r < a->length && rc == SLU_OK; r++) {
		for (i = 0; i < f->n && rc == SLU_OK; i++) {
			const char *why = type_bind(st, (int)i + 1, &f->v[i], &cols[i], r);

			if (why)
				rc = slu_fail_field(err, SLU_E_DATA, "SQLITE.VALUE", f->v[i].name,
				    "column \"%s\": a value %s", f->v[i].name, why);
		}
		if (rc == SLU_OK && sqlite3_step(st) != SQLITE_DONE)
			rc = db_fail(c, sqlite3_errcode(c->db), "ingest", err);
		(void)sqlite3_reset(st);
	}
	free(cols);
	return rc;
}

static slu_rc ingest_prepare(
    struct conn *c, const char *table, const slu_fields *f, sqlite3_stmt **st, slu_err *err)
{
	slu_buf b;
	slu_rc rc;
	size_t i;

	slu_buf_init(&b, 1 << 20);
	slu_buf_add(&b, "INSERT INTO ");
	slu_buf_add_quoted(&b, table, '"');
	slu_buf_add(&b, " (");
	for (i = 0; i < f->n; i++) {
		slu_buf_add(&b, i ? ", " : "");
		slu_buf_add_quoted(&b, f->v[i].name, '"');
	}
	slu_buf_add(&b, ") VALUES (");
	for (i = 0; i < f->n; i++)
		slu_buf_add(&b, i ? ", ?" : "?");
	slu_buf_addc(&b, ')');
	rc = db_prepare(c, slu_buf_text(&b), st, err);
	slu_buf_done(&b);
	return rc;
}

/* Into a table that is there, by column names; in the caller's transaction. Releases the stream. */
static slu_rc w_ingest(
    void *session, const char *table, struct ArrowArrayStream *in, int64_t *rows, slu_err *err)
{
	struct conn *c = session;
	struct ArrowSchema schema = {0};
	struct ArrowArray a = {0};
	slu_fields f = {0};
	sqlite3_stmt *st = NULL;
	slu_rc rc = db_open(c, err);
	int e;

	if (rows)
		*rows = 0;
	if (rc == SLU_OK && (e = in->get_schema(in, &schema)) != 0)
		rc = slu_stream_failed(in, e, err);
	if (rc == SLU_OK)
		rc = slu_schema_read(&schema, &f, err);
	if (rc == SLU_OK)
		rc = ingest_prepare(c, table, &f, &st, err);
	while (rc == SLU_OK) {
		e = in->get_next(in, &a);
		if (e)
			rc = slu_stream_failed(in, e, err);
		if (e || !a.release)
			break;
		rc = ingest_batch(c, st, &f, &a, err);
		if (rows)
			*rows += a.length;
		a.release(&a);
	}
	(void)sqlite3_finalize(st);
	slu_fields_done(&f);
	if (schema.release)
		schema.release(&schema);
	in->release(in);
	return rc;
}

const slu_warehouse sqlite_warehouse = {.size = sizeof(slu_warehouse),
    .caps = SLU_W_TRANSACTIONS | SLU_W_DDL_TRANSACTIONS,
    .dialect = "sqlite",
    .exec = w_exec,
    .query = w_query,
    .prepare = w_prepare,
    .begin = w_begin,
    .commit = w_commit,
    .rollback = w_rollback,
    .ingest = w_ingest};
