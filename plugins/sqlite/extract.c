/* extract.c: rows of a table or query: all, the run's window, or what changed since the cursor.
 * Bound and rows come from one read transaction, so that they are of one moment. */
#include "plugins/sqlite/sqlite.h"

#include "sluice/kit/json.h"
#include "sluice/kit/period.h"
#include "sluice/kit/stream.h"
#include "sluice/kit/text.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SQL_MAX (1u << 20)
#define CURSOR_COLUMNS 8
#define US_PER_DAY INT64_C(86400000000)

struct extract {
	const slu_host *host;		   /* borrowed */
	slu_run *run;			   /* borrowed */
	struct conn *c;			   /* borrowed */
	slu_buf source;			   /* "table" or (query) */
	slu_json *columns;		   /* owned; or NULL */
	slu_json *cursor;		   /* owned; or NULL */
	const char *names[CURSOR_COLUMNS]; /* cursor column and ties; borrowed from cursor */
	int n_names;
	slu_buf upper; /* cursor JSON of the upper bound; empty: the source is */
	slu_buf kept;  /* cursor JSON handed out at the end */
	slu_window window;
	struct query q;
	bool reading; /* a read transaction is open */
	slu_rejects rejects;
};

static void reading_end(struct extract *x)
{
	if (x->q.st)
		query_end(&x->q);
	if (x->reading)
		(void)!db_exec(x->c, "ROLLBACK", NULL, 0, NULL, NULL);
	x->reading = false;
}

static void extract_close(void *st)
{
	struct extract *x = st;

	reading_end(x);
	slu_buf_done(&x->source);
	slu_buf_done(&x->upper);
	slu_buf_done(&x->kept);
	slu_json_free(x->columns);
	slu_json_free(x->cursor);
	free(x);
}

static slu_rc find_source(struct extract *x, slu_err *err)
{
	const char *table = x->host->get_str(x->run, "table"),
		   *query = x->host->get_str(x->run, "query");

	if (!table == !query)
		return slu_fail_field(err, SLU_E_CONFIG, "SQLITE.SOURCE", "table",
		    "exactly one of table and query is needed");
	if (table)
		slu_buf_add_quoted(&x->source, table, '"');
	else
		slu_buf_addf(&x->source, "(%s\n)", query);
	return SLU_OK;
}

static slu_rc cursor_columns(struct extract *x, slu_err *err)
{
	static const char *const later[] = {"hold_back", "overlap", "start", "zone"};
	const slu_json *tie = slu_json_get(x->cursor, "tie"), *t;
	size_t i;

	for (i = 0; i < sizeof(later) / sizeof(later[0]); i++)
		if (slu_json_get(x->cursor, later[i]))
			return slu_fail_field(err, SLU_E_UNSUPPORTED, "SQLITE.CURSOR", "cursor",
			    "cursor.%s is not known to this extract: leave it out", later[i]);
	x->names[x->n_names++] = slu_json_get_str(x->cursor, "column", "");
	for (t = slu_json_first(tie); t && x->n_names < CURSOR_COLUMNS; t = slu_json_next(t))
		x->names[x->n_names++] = slu_json_str(t, "");
	if (t || !x->names[0][0])
		return slu_fail_field(err, SLU_E_CONFIG, "SQLITE.CURSOR", "cursor",
		    "cursor needs `column`, and at most %d columns in `tie`", CURSOR_COLUMNS - 1);
	return SLU_OK;
}

static slu_rc extract_open(const slu_host *host, slu_run *run, void *conn, void **st, slu_err *err)
{
	struct extract *x = calloc(1, sizeof(*x));
	slu_rc rc;

	if (!x || !conn) {
		free(x);
		return slu_fail(err, conn ? SLU_E_TRANSIENT : SLU_E_CONFIG, "SQLITE.CONNECTION",
		    conn ? "out of memory" : "the sqlite extract needs a connection");
	}
	x->host = x->rejects.host = host;
	x->run = x->rejects.run = run;
	x->c = conn;
	x->window.col = -1;
	slu_buf_init(&x->source, SQL_MAX);
	slu_buf_init(&x->upper, SQL_MAX);
	slu_buf_init(&x->kept, SQL_MAX);
	rc = find_source(x, err);
	if (rc == SLU_OK)
		rc = slu_option_json(host, run, "columns", &x->columns, err);
	if (rc == SLU_OK)
		rc = slu_option_json(host, run, "cursor", &x->cursor, err);
	if (rc == SLU_OK && x->cursor)
		rc = cursor_columns(x, err);
	if (rc == SLU_OK)
		rc = db_open(x->c, err);
	if (rc != SLU_OK) {
		extract_close(x);
		return rc;
	}
	*st = x;
	return SLU_OK;
}

/* ---- the cursor: {"column": C, "at": ["t:2026-11-21", "i:17"]}, a letter for SQLite's storage
 * class ---- */
static void name_list(struct extract *x, slu_buf *b, const char *behind)
{
	int i;

	for (i = 0; i < x->n_names; i++) {
		slu_buf_add(b, i ? ", " : "");
		slu_buf_add_quoted(b, x->names[i], '"');
		slu_buf_add(b, behind);
	}
}

static slu_rc refuse_nulls(struct extract *x, slu_err *err)
{
	const char *rule = slu_json_get_str(x->cursor, "nulls", "refuse");
	sqlite3_stmt *st = NULL;
	slu_buf b;
	slu_rc rc;
	int i;

	if (strcmp(rule, "refuse") != 0)
		return SLU_OK;
	slu_buf_init(&b, SQL_MAX);
	slu_buf_addf(&b, "SELECT 1 FROM %s AS src WHERE ", slu_buf_text(&x->source));
	for (i = 0; i < x->n_names; i++) {
		slu_buf_add(&b, i ? " OR " : "");
		slu_buf_add_quoted(&b, x->names[i], '"');
		slu_buf_add(&b, " IS NULL");
	}
	slu_buf_add(&b, " LIMIT 1");
	rc = db_prepare(x->c, slu_buf_text(&b), &st, err);
	if (rc == SLU_OK && sqlite3_step(st) == SQLITE_ROW)
		rc = slu_fail_field(err, SLU_E_DATA, "SQLITE.NULLS", "cursor.nulls",
		    "a row has NULL in the cursor column \"%s\" or a tie, so it would never be "
		    "read: say `nulls: ignore` or `include`",
		    x->names[0]);
	(void)sqlite3_finalize(st);
	slu_buf_done(&b);
	return rc;
}

static void upper_text(struct extract *x, sqlite3_stmt *st)
{
	slu_buf v;
	int i;

	slu_buf_init(&v, SQL_MAX);
	slu_buf_add(&x->upper, "{\"column\":");
	slu_buf_add_json(&x->upper, x->names[0], strlen(x->names[0]));
	slu_buf_add(&x->upper, ",\"at\":[");
	for (i = 0; i < x->n_names; i++) {
		int type = sqlite3_column_type(st, i);

		slu_buf_reset(&v);
		slu_buf_add(&v, type == SQLITE_INTEGER ? "i:" : type == SQLITE_FLOAT ? "r:" : "t:");
		if (type == SQLITE_FLOAT) {
			char number[SLU_TEXT_MAX];

			(void)slu_text_from_f64(sqlite3_column_double(st, i), 0, number);
			slu_buf_add(&v, number);
		} else {
			slu_buf_addn(
			    &v, sqlite3_column_text(st, i), (size_t)sqlite3_column_bytes(st, i));
		}
		slu_buf_add(&x->upper, i ? "," : "");
		slu_buf_add_json(&x->upper, slu_buf_text(&v), v.len);
	}
	slu_buf_add(&x->upper, "]}");
	slu_buf_done(&v);
}

static slu_rc find_upper(struct extract *x, slu_err *err)
{
	sqlite3_stmt *st = NULL;
	slu_buf b;
	slu_rc rc;
	int got;

	slu_buf_init(&b, SQL_MAX);
	slu_buf_add(&b, "SELECT ");
	name_list(x, &b, "");
	slu_buf_addf(&b, " FROM %s AS src WHERE ", slu_buf_text(&x->source));
	slu_buf_add_quoted(&b, x->names[0], '"');
	slu_buf_add(&b, " IS NOT NULL ORDER BY ");
	name_list(x, &b, " DESC");
	slu_buf_add(&b, " LIMIT 1");
	rc = db_prepare(x->c, slu_buf_text(&b), &st, err);
	got = rc == SLU_OK ? sqlite3_step(st) : SQLITE_DONE;
	if (got == SQLITE_ROW)
		upper_text(x, st);
	else if (got != SQLITE_DONE)
		rc = db_fail(x->c, got, "cursor", err);
	(void)sqlite3_finalize(st);
	slu_buf_done(&b);
	return rc;
}

static slu_rc begin_reading(struct extract *x, slu_err *err)
{
	slu_rc rc;

	if (x->reading)
		return SLU_OK;
	rc = db_exec(x->c, "BEGIN", NULL, 0, NULL, err);
	x->reading = rc == SLU_OK;
	return rc;
}

static slu_rc extract_bound(void *st, slu_mark *upper, slu_err *err)
{
	struct extract *x = st;
	slu_rc rc;

	if (!x->cursor)
		return SLU_E_UNSUPPORTED;
	rc = begin_reading(x, err);
	if (rc == SLU_OK)
		rc = refuse_nulls(x, err);
	if (rc == SLU_OK)
		rc = find_upper(x, err);
	if (rc == SLU_OK && x->upper.len)
		upper->cursor_json = slu_buf_text(&x->upper);
	return rc;
}

/* (c, tie…) OP (?, …) */
static void cursor_compare(struct extract *x, slu_buf *b, const char *op)
{
	int i;

	slu_buf_addc(b, '(');
	name_list(x, b, "");
	slu_buf_addf(b, ") %s (", op);
	for (i = 0; i < x->n_names; i++)
		slu_buf_add(b, i ? ", ?" : "?");
	slu_buf_addc(b, ')');
}

static slu_rc cursor_bind(
    struct extract *x, sqlite3_stmt *st, int *at, const char *json, const char *what, slu_err *err)
{
	const slu_json *v;
	slu_json *j;
	slu_rc rc = slu_json_parse(json, what, &j, err);

	if (rc == SLU_OK && (strcmp(slu_json_get_str(j, "column", ""), x->names[0]) != 0 ||
				slu_json_len(slu_json_get(j, "at")) != (size_t)x->n_names))
		rc = slu_fail_field(err, SLU_E_CONFIG, "SQLITE.CURSOR", "cursor",
		    "the stored cursor is of column \"%s\" and other ties: set it with `sluice "
		    "cursor set`, or read all with a full "
		    "refresh",
		    slu_json_get_str(j, "column", ""));
	for (v = rc == SLU_OK ? slu_json_first(slu_json_get(j, "at")) : NULL; v;
	     v = slu_json_next(v)) {
		const char *s = slu_json_str(v, "t:");

		if (*s == 'i')
			(void)sqlite3_bind_int64(st, ++*at, strtoll(s + 2, NULL, 10));
		else if (*s == 'r')
			(void)sqlite3_bind_double(st, ++*at, strtod(s + 2, NULL));
		else
			(void)sqlite3_bind_text(st, ++*at, s + 2, -1, SQLITE_TRANSIENT);
	}
	slu_json_free(j);
	return rc;
}

/* ---- the statement ---- */
/* A first cut by the days of the window: texts of dates and times sort by their first ten letters
 * in every common spelling. The exact bounds are the kit's, on the parsed value. */
static void window_where(struct extract *x, const slu_json *window, slu_buf *b)
{
	const slu_attempt *a = x->host->attempt(x->run);
	char from[SLU_TEXT_MAX], to[SLU_TEXT_MAX];

	(void)slu_text_from_date(a->window_from_us / US_PER_DAY - 2, from);
	(void)slu_text_from_date(a->window_to_us / US_PER_DAY + 2, to);
	slu_buf_add(b, " WHERE ");
	slu_buf_add_quoted(b, slu_json_get_str(window, "column", ""), '"');
	slu_buf_addf(b, " >= '%s' AND ", from);
	slu_buf_add_quoted(b, slu_json_get_str(window, "column", ""), '"');
	slu_buf_addf(b, " < '%s'", to);
}

static void cursor_where(struct extract *x, bool has_from, slu_buf *b)
{
	bool include = strcmp(slu_json_get_str(x->cursor, "nulls", "refuse"), "include") == 0;

	slu_buf_add(b, " WHERE (");
	if (has_from) {
		cursor_compare(x, b, ">");
		slu_buf_add(b, " AND ");
	}
	if (x->upper.len)
		cursor_compare(x, b, "<=");
	else
		slu_buf_add(b, "0");
	slu_buf_addc(b, ')');
	if (include) {
		slu_buf_add(b, " OR ");
		slu_buf_add_quoted(b, x->names[0], '"');
		slu_buf_add(b, " IS NULL");
	}
	slu_buf_add(b, " ORDER BY ");
	name_list(x, b, "");
}

static slu_rc prepare_rows(struct extract *x, const char *from, sqlite3_stmt **out, slu_err *err)
{
	const slu_attempt *a = x->host->attempt(x->run);
	slu_json *window;
	slu_buf b;
	slu_rc rc = slu_option_json(x->host, x->run, "window", &window, err);
	int at = 0;

	if (rc != SLU_OK)
		return rc;
	slu_buf_init(&b, SQL_MAX);
	slu_buf_addf(&b, "SELECT * FROM %s AS src", slu_buf_text(&x->source));
	if (x->cursor)
		cursor_where(x, from != NULL, &b);
	else if (slu_json_get(window, "column") && a->window_from_us != SLU_TIME_NONE)
		window_where(x, window, &b);
	rc = db_prepare(x->c, slu_buf_text(&b), out, err);
	if (rc == SLU_OK && from)
		rc = cursor_bind(x, *out, &at, from, "the stored cursor", err);
	if (rc == SLU_OK && x->cursor && x->upper.len)
		rc = cursor_bind(x, *out, &at, slu_buf_text(&x->upper), "the upper bound", err);
	slu_json_free(window);
	slu_buf_done(&b);
	return rc;
}

static slu_rc on_fill(void *ctx, slu_builder *b, int *ret_done, slu_err *err)
{
	struct extract *x = ctx;
	slu_rc rc;

	slu_builder_rejects(b, &x->rejects);
	slu_builder_window(b, &x->window);
	rc = query_fill(&x->q, b, &x->rejects, ret_done, err);
	if (rc == SLU_OK && *ret_done)
		reading_end(x);
	return rc;
}

static void on_finish(void *ctx, slu_mark *m)
{
	struct extract *x = ctx;

	slu_window_mark(&x->window, m);
	if (x->cursor && x->kept.len)
		m->cursor_json = slu_buf_text(&x->kept);
}

static slu_rc extract_stream(void *st, const char *split, const slu_mark *from,
    const slu_mark *upto, struct ArrowArrayStream *out, slu_err *err)
{
	struct extract *x = st;
	slu_rows rows = {.fill = on_fill, .finish = on_finish, .ctx = x};
	const char *lower =
	    x->cursor && from && !x->host->attempt(x->run)->full_refresh ? from->cursor_json : NULL;
	slu_fields declared = {0};
	sqlite3_stmt *stmt = NULL;
	slu_rc rc;

	(void)split;
	if (x->cursor && upto && upto->cursor_json && !x->upper.len)
		slu_buf_add(&x->upper, upto->cursor_json); /* bound() was not asked: a rerun */
	if (x->cursor)					   /* an empty source keeps the position */
		slu_buf_add(&x->kept, x->upper.len ? slu_buf_text(&x->upper) : lower ? lower : "");
	rc = begin_reading(x, err);
	if (rc == SLU_OK && x->columns)
		rc = slu_fields_declared(x->columns, &declared, err);
	if (rc == SLU_OK)
		rc = prepare_rows(x, lower, &stmt, err);
	if (rc == SLU_OK)
		rc = query_begin(&x->q, x->c, stmt, declared.n ? &declared : NULL, err);
	else
		(void)sqlite3_finalize(stmt);
	slu_fields_done(&declared);
	if (rc == SLU_OK)
		rc = slu_window_read(x->host, x->run, &x->q.fields, &x->window, err);
	return rc == SLU_OK ? slu_stream_make(x->host, x->run, &x->q.fields, &rows, out, err) : rc;
}

static void extract_cancel(void *st)
{
	struct extract *x = st;

	x->c->cancelled = true;
	sqlite3_interrupt(x->c->db);
}

const slu_extract sqlite_extract = {.size = sizeof(slu_extract),
    .caps = SLU_X_WINDOW | SLU_X_CURSOR | SLU_X_PUSHDOWN,
    .open = extract_open,
    .bound = extract_bound,
    .stream = extract_stream,
    .cancel = extract_cancel,
    .close = extract_close};
