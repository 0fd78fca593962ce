/* task.c: the sql task: statements in one transaction, together with fence and ledger, so that a
 * retry after a crash finds what was done and does not do it twice. */
#include "plugins/sqlite/sqlite.h"

#include "sluice/kit/file.h"
#include "sluice/kit/json.h"
#include "sluice/kit/text.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SQL_MAX (1u << 20)

struct task {
	const slu_host *host; /* borrowed */
	slu_run *run;	      /* borrowed */
	struct conn *c;	      /* borrowed */
	char *sql;	      /* owned */
	slu_json *params;     /* owned, or NULL */
	bool outputs;
	slu_buf row; /* {"a": 1}: the last row of the last SELECT */
	char fence_key[1024];
	slu_work work;
};

static void task_close(void *st)
{
	struct task *t = st;

	slu_free(t->sql);
	slu_json_free(t->params);
	slu_buf_done(&t->row);
	free(t);
}

static slu_rc find_sql(struct task *t, slu_err *err)
{
	const char *sql = t->host->get_str(t->run, "sql"), *file = t->host->get_str(t->run, "file");
	char *path;
	slu_buf b;
	slu_rc rc;

	if (!sql == !file)
		return slu_fail_field(err, SLU_E_CONFIG, "SQLITE.SQL", "sql",
		    "exactly one of sql and file is needed");
	if (sql) {
		slu_buf_init(&b, SQL_MAX);
		slu_buf_add(&b, sql);
		t->sql = b.s; /* moved */
		return t->sql ? SLU_OK
			      : slu_fail_field(err, SLU_E_CONFIG, "SQLITE.SQL", "sql",
				    "sql is longer than 1 MiB");
	}
	path = slu_path(t->host, t->run, file);
	rc = slu_file_read(path, SQL_MAX, &t->sql, NULL, err);
	slu_free(path);
	return rc;
}

static slu_rc task_open(const slu_host *host, slu_run *run, void *conn, void **st, slu_err *err)
{
	const slu_attempt *a = host->attempt(run);
	struct task *t = calloc(1, sizeof(*t));
	const char *outputs = host->get_str(run, "outputs");
	slu_rc rc;

	if (!t || !conn) {
		free(t);
		return slu_fail(err, conn ? SLU_E_TRANSIENT : SLU_E_CONFIG, "SQLITE.CONNECTION",
		    conn ? "out of memory" : "the sql task needs a connection");
	}
	t->host = host;
	t->run = run;
	t->c = conn;
	t->outputs = outputs && strcmp(outputs, "last_row") == 0;
	slu_buf_init(&t->row, SQL_MAX);
	(void)snprintf(t->fence_key, sizeof(t->fence_key), "%s/%s/%s/%s", a->deployment, a->run,
	    a->step, a->item ? a->item : "");
	t->work = (slu_work){.size = sizeof(t->work),
	    .mode = SLU_M_REPLACE,
	    .table = "",
	    .fence_key = t->fence_key,
	    .ledger_key = a->ledger_key,
	    .token = a->token,
	    .deployment = a->deployment,
	    .run = a->run};
	rc = find_sql(t, err);
	if (rc == SLU_OK)
		rc = slu_option_json(host, run, "params", &t->params, err);
	if (rc == SLU_OK)
		rc = db_open(t->c, err);
	if (rc != SLU_OK) {
		task_close(t);
		return rc;
	}
	*st = t;
	return SLU_OK;
}

/* ---- parameters: :name, from `params`, else what every run has ---- */
static void bind_time(sqlite3_stmt *st, int i, int64_t us)
{
	char buf[SLU_TEXT_MAX];

	if (us == SLU_TIME_NONE) {
		(void)sqlite3_bind_null(st, i);
		return;
	}
	(void)slu_text_from_timestamp(us, 1, 1, buf);
	(void)sqlite3_bind_text(st, i, buf, -1, SQLITE_TRANSIENT);
}

static bool bind_json(sqlite3_stmt *st, int i, const slu_json *v)
{
	slu_buf b;

	switch (slu_json_type(v)) {
	case SLU_JSON_NULL:
		(void)sqlite3_bind_null(st, i);
		return true;
	case SLU_JSON_BOOL:
		(void)sqlite3_bind_int(st, i, slu_json_bool(v, 0));
		return true;
	case SLU_JSON_STRING:
		(void)sqlite3_bind_text(st, i, slu_json_str(v, ""), -1, SQLITE_TRANSIENT);
		return true;
	default:
		break;
	}
	/* numbers keep their digits, lists and maps are JSON */
	slu_buf_init(&b, SQL_MAX);
	slu_json_print(v, &b);
	if (slu_json_type(v) == SLU_JSON_NUMBER && !strpbrk(slu_buf_text(&b), ".eE"))
		(void)sqlite3_bind_int64(st, i, slu_json_i64(v, 0));
	else if (slu_json_type(v) == SLU_JSON_NUMBER)
		(void)sqlite3_bind_double(st, i, strtod(slu_buf_text(&b), NULL));
	else
		(void)sqlite3_bind_text(st, i, slu_buf_text(&b), -1, SQLITE_TRANSIENT);
	slu_buf_done(&b);
	return true;
}

static bool bind_own(struct task *t, sqlite3_stmt *st, int i, const char *name)
{
	const slu_attempt *a = t->host->attempt(t->run);
	const char *text = strcmp(name, "run") == 0	  ? a->run
			   : strcmp(name, "run_key") == 0 ? a->key
			   : strcmp(name, "partition") == 0
			       ? (a->parts.n == 1 ? a->parts.v->key : "")
			       : NULL;

	if (text)
		(void)sqlite3_bind_text(st, i, text, -1, SQLITE_TRANSIENT);
	else if (strcmp(name, "window_start") == 0)
		bind_time(st, i, a->window_from_us);
	else if (strcmp(name, "window_end") == 0)
		bind_time(st, i, a->window_to_us);
	else if (strcmp(name, "logical_time") == 0)
		bind_time(st, i, a->logical_us);
	else
		return false;
	return true;
}

static slu_rc bind_params(struct task *t, sqlite3_stmt *st, slu_err *err)
{
	int i;

	for (i = 1; i <= sqlite3_bind_parameter_count(st); i++) {
		const char *name = sqlite3_bind_parameter_name(st, i);
		const slu_json *v = name ? slu_json_get(t->params, name + 1) : NULL;

		if (!name || !(v ? bind_json(st, i, v) : bind_own(t, st, i, name + 1)))
			return slu_fail_field(err, SLU_E_CONFIG, "SQLITE.PARAM", "params",
			    "the SQL uses %s, but `params` does not give it; run, run_key, "
			    "partition, window_start, window_end and "
			    "logical_time are always there",
			    name ? name : "a parameter without a name");
	}
	return SLU_OK;
}

/* ---- statements ---- */
static void keep_row(struct task *t, sqlite3_stmt *st)
{
	char number[SLU_TEXT_MAX];
	int i;

	slu_buf_reset(&t->row);
	for (i = 0; i < sqlite3_column_count(st); i++) {
		const char *name = sqlite3_column_name(st, i),
			   *s = (const char *)sqlite3_column_text(st, i);

		slu_buf_add(&t->row, i ? "," : "{");
		slu_buf_add_json(&t->row, name, strlen(name));
		slu_buf_addc(&t->row, ':');
		if (!s)
			slu_buf_add(&t->row, "null");
		else if (sqlite3_column_type(st, i) == SQLITE_INTEGER)
			slu_buf_add(&t->row, s);
		else if (sqlite3_column_type(st, i) == SQLITE_FLOAT)
			slu_buf_addn(&t->row, number,
			    slu_text_from_f64(sqlite3_column_double(st, i), 0, number));
		else
			slu_buf_add_json(&t->row, s, (size_t)sqlite3_column_bytes(st, i));
	}
	slu_buf_addc(&t->row, '}');
}

static int line_of(const struct task *t, const char *at)
{
	const char *s;
	int line = 1;

	for (s = t->sql; s < at; s++)
		line += *s == '\n';
	return line;
}

static slu_rc run_one(struct task *t, sqlite3_stmt *st, int line, slu_err *err)
{
	slu_rc out = bind_params(t, st, err);
	int64_t rows = 0;
	int rc = SQLITE_DONE;

	while (out == SLU_OK && (rc = sqlite3_step(st)) == SQLITE_ROW) {
		rows++;
		if (t->outputs)
			keep_row(t, st);
	}
	if (out == SLU_OK && rc != SQLITE_DONE)
		out = db_fail(t->c, rc, "SQL", err);
	if (out != SLU_OK)
		return slu_fail_prefix(err, "statement at line %d", line);
	if (!sqlite3_stmt_readonly(st))
		rows = sqlite3_changes64(t->c->db);
	slu_logf(t->host, t->run, SLU_LOG_INFO, "SQLITE.DONE", "statement at line %d: %lld rows",
	    line, (long long)rows);
	return SLU_OK;
}

static slu_rc run_all(void *ctx, slu_err *err)
{
	struct task *t = ctx;
	const char *at = t->sql, *tail;
	slu_rc out = SLU_OK;

	while (out == SLU_OK && *at) {
		sqlite3_stmt *st = NULL;
		int rc = sqlite3_prepare_v2(t->c->db, at, -1, &st, &tail);

		while (*at == ' ' || *at == '\n' || *at == '\t' || *at == '\r')
			at++;
		if (rc != SQLITE_OK) {
			(void)db_fail(t->c, rc, "SQL", err);
			return slu_fail_prefix(err, "statement at line %d", line_of(t, at));
		}
		if (st) /* NULL: only a comment was left */
			out = run_one(t, st, line_of(t, at), err);
		(void)sqlite3_finalize(st);
		at = tail;
	}
	return out;
}

static slu_rc outputs_put(struct task *t, slu_err *err)
{
	const slu_json *v;
	slu_json *row;
	slu_buf b;
	slu_rc rc;

	if (!t->row.len)
		return SLU_OK;
	rc = slu_json_parse(slu_buf_text(&t->row), "outputs", &row, err);
	slu_buf_init(&b, SQL_MAX);
	for (v = rc == SLU_OK ? slu_json_first(row) : NULL; v && rc == SLU_OK;
	     v = slu_json_next(v)) {
		slu_buf_reset(&b);
		slu_json_print(v, &b);
		rc = t->host->output(t->run, slu_json_key(v), slu_buf_text(&b));
		if (rc != SLU_OK)
			(void)slu_fail(err, rc, "SQLITE.OUTPUTS",
			    "the outputs of a step together have at most 64 KiB");
	}
	slu_buf_done(&b);
	slu_json_free(row);
	return rc;
}

/* ---- once ---- */
static slu_rc on_exec(
    void *ctx, const char *sql, const char *const *params, uint32_t n, int64_t *rows, slu_err *err)
{
	return db_exec(ctx, sql, params, n, rows, err);
}

static slu_rc on_query(void *ctx, const char *sql, const char *const *params, uint32_t n,
    slu_rc (*row)(void *arg, const char *const *cells), void *arg, slu_err *err)
{
	return db_query(ctx, sql, params, n, row, arg, err);
}

static slu_rc on_begin(void *ctx, slu_err *err)
{
	return db_exec(ctx, "BEGIN IMMEDIATE", NULL, 0, NULL, err);
}

static slu_rc on_commit(void *ctx, slu_err *err)
{
	return db_exec(ctx, "COMMIT", NULL, 0, NULL, err);
}

static slu_rc on_rollback(void *ctx, slu_err *err)
{
	return db_exec(ctx, "ROLLBACK", NULL, 0, NULL, err);
}

static slu_rc task_run(void *st, slu_err *err)
{
	struct task *t = st;
	slu_sql sql = {.ctx = t->c,
	    .dialect = &sqlite_dialect,
	    .exec = on_exec,
	    .query = on_query,
	    .begin = on_begin,
	    .commit = on_commit,
	    .rollback = on_rollback};
	int32_t transaction = 1, found = 0;
	slu_sink *sink;
	slu_rc rc;

	(void)t->host->get_bool(t->run, "transaction", &transaction);
	if (!transaction)
		rc = run_all(t, err);
	else {
		rc = slu_sink_open(t->host, t->run, &t->work, &sql, &sink, err);
		if (rc != SLU_OK)
			return rc;
		rc = slu_sink_once(sink, run_all, t, &t->row, &found, err);
		slu_sink_close(sink);
		if (rc == SLU_OK && found)
			slu_logf(t->host, t->run, SLU_LOG_INFO, "SQLITE.FOUND",
			    "an earlier attempt has done this already");
	}
	return rc == SLU_OK && t->outputs ? outputs_put(t, err) : rc;
}

static void task_cancel(void *st)
{
	struct task *t = st;

	t->c->cancelled = true;
	sqlite3_interrupt(t->c->db);
}

static const slu_opt options[] = {{.name = "sql",
				      .type = SLU_T_SQL,
				      .flags = SLU_F_TEMPLATED,
				      .excludes = "file",
				      .doc = "The statements, parted by semicolons; values are "
					     "better given by params than by ${…}."},
    {.name = "file",
	.type = SLU_T_URI,
	.excludes = "sql",
	.doc = "A file with the statements; it is not templated."},
    {.name = "params",
	.type = SLU_T_MAP,
	.flags = SLU_F_TEMPLATED,
	.doc = "Values for :name in the statements; :run, :run_key, :partition, :window_start, "
	       ":window_end and :logical_time "
	       "are always there."},
    {.name = "transaction",
	.type = SLU_T_BOOL,
	.def = "true",
	.doc = "All statements in one transaction, done once however often the step is tried; "
	       "false for VACUUM and the like."},
    {.name = "outputs",
	.type = SLU_T_ENUM,
	.def = "none",
	.choices = "none|last_row",
	.doc = "last_row: the columns of the last row of the last SELECT are the step's outputs."}};

const slu_task sqlite_task = {.size = sizeof(slu_task),
    .options = {sizeof(options) / sizeof(options[0]), sizeof(slu_opt), options},
    .open = task_open,
    .run = task_run,
    .cancel = task_cancel,
    .close = task_close};
