/* load.c: the sink of the kit over SQLite. The stage is a table in a scratch file that is attached
 * and has lost its name: it dies with the process and costs neither sync nor journal. */
#include "plugins/sqlite/sqlite.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct load {
	const slu_host *host; /* borrowed */
	slu_run *run;	      /* borrowed */
	struct conn *c;	      /* borrowed */
	slu_sink *sink;	      /* owned */
	sqlite3_stmt *insert; /* owned */
	bool attached, writing;
};

static slu_rc on_exec(
    void *ctx, const char *sql, const char *const *params, uint32_t n, int64_t *rows, slu_err *err)
{
	return db_exec(((struct load *)ctx)->c, sql, params, n, rows, err);
}

static slu_rc on_query(void *ctx, const char *sql, const char *const *params, uint32_t n,
    slu_rc (*row)(void *arg, const char *const *cells), void *arg, slu_err *err)
{
	return db_query(((struct load *)ctx)->c, sql, params, n, row, arg, err);
}

static slu_rc on_begin(void *ctx, slu_err *err)
{
	return on_exec(ctx, "BEGIN IMMEDIATE", NULL, 0, NULL, err);
}

static slu_rc on_commit(void *ctx, slu_err *err)
{
	return on_exec(ctx, "COMMIT", NULL, 0, NULL, err);
}

static slu_rc on_rollback(void *ctx, slu_err *err)
{
	return on_exec(ctx, "ROLLBACK", NULL, 0, NULL, err);
}

static slu_rc on_columns(
    void *ctx, const char *table, slu_fields *out, int *ret_there, slu_err *err)
{
	return db_columns(((struct load *)ctx)->c, table, out, ret_there, err);
}

/* ---- stage ---- */
static slu_rc attach_stage(struct load *l, slu_err *err)
{
	char dir[3900], path[4096];
	const char *param = path;
	slu_rc rc;

	if (l->host->scratch_dir(l->run, dir, sizeof(dir)) != SLU_OK)
		return slu_fail(err, SLU_E_TRANSIENT, "SQLITE.SCRATCH",
		    "there is no scratch folder for the stage");
	(void)snprintf(path, sizeof(path), "%s/sqlite-stage-%p.db", dir, (void *)l);
	(void)unlink(path);
	rc = db_exec(l->c, "ATTACH ? AS _sl_stage", &param, 1, NULL, err);
	l->attached = rc == SLU_OK;
	if (rc == SLU_OK)
		rc = db_exec(l->c, "PRAGMA _sl_stage.journal_mode = OFF", NULL, 0, NULL, err);
	if (rc == SLU_OK)
		rc = db_exec(l->c, "PRAGMA _sl_stage.synchronous = OFF", NULL, 0, NULL, err);
	return rc;
}

static slu_rc on_stage_open(void *ctx, const slu_fields *f, char *name, slu_err *err)
{
	struct load *l = ctx;
	char type[96], path[4096] = "", dir[3900];
	slu_rc rc = attach_stage(l, err);
	const char *declared;
	slu_buf b, insert;
	size_t i;

	slu_buf_init(&b, 1 << 20);
	slu_buf_init(&insert, 1 << 20);
	slu_buf_add(&b, "CREATE TABLE _sl_stage._sl_rows (_sl_n INTEGER PRIMARY KEY");
	slu_buf_add(&insert, "INSERT INTO _sl_stage._sl_rows VALUES (NULL");
	for (i = 0; i < f->n && rc == SLU_OK; i++) {
		declared = type_declared(&f->v[i], type);
		slu_buf_add(&b, ", ");
		slu_buf_add_quoted(&b, f->v[i].name, '"');
		slu_buf_addf(&b, " %s", declared);
		slu_buf_add(&insert, ", ?");
	}
	slu_buf_addc(&b, ')');
	slu_buf_addc(&insert, ')');
	if (rc == SLU_OK)
		rc = db_exec(l->c, slu_buf_text(&b), NULL, 0, NULL, err);
	if (rc == SLU_OK)
		rc = db_prepare(l->c, slu_buf_text(&insert), &l->insert, err);
	if (rc == SLU_OK && l->host->scratch_dir(l->run, dir, sizeof(dir)) == SLU_OK) {
		(void)snprintf(path, sizeof(path), "%s/sqlite-stage-%p.db", dir, (void *)l);
		(void)unlink(path); /* nothing is left behind, whatever happens now */
	}
	(void)snprintf(name, 256, "_sl_stage._sl_rows");
	slu_buf_done(&b);
	slu_buf_done(&insert);
	return rc;
}

static slu_rc write_row(struct load *l, slu_sink *sink, const slu_fields *f, const slu_col *cols,
    int64_t row, slu_err *err)
{
	size_t i;
	int rc;

	for (i = 0; i < f->n; i++) {
		const char *why = type_bind(l->insert, (int)i + 1, &f->v[i], &cols[i], row);

		if (why)
			return slu_sink_reject(sink, row, i, "SQLITE.VALUE", why, err);
	}
	rc = sqlite3_step(l->insert);
	(void)sqlite3_reset(l->insert);
	return rc == SQLITE_DONE ? SLU_OK : db_fail(l->c, rc, "stage", err);
}

static slu_rc on_stage_write(
    void *ctx, slu_sink *sink, const slu_col *cols, int64_t rows, const uint8_t *skip, slu_err *err)
{
	struct load *l = ctx;
	const slu_fields *f = slu_sink_fields(sink);
	slu_rc rc = SLU_OK;
	int64_t r;

	if (!l->writing)
		rc = on_exec(l, "BEGIN", NULL, 0, NULL, err);
	l->writing = l->writing || rc == SLU_OK;
	for (r = 0; r < rows && rc == SLU_OK; r++)
		if (!skip || !((skip[r >> 3] >> (r & 7)) & 1))
			rc = write_row(l, sink, f, cols, r, err);
	return rc;
}

static slu_rc on_stage_end(void *ctx, slu_err *err)
{
	struct load *l = ctx;

	if (!l->writing)
		return SLU_OK;
	l->writing = false;
	return on_commit(l, err);
}

static slu_rc on_stage_index(void *ctx, const char *const *columns, uint32_t n, slu_err *err)
{
	slu_buf b;
	slu_rc rc;
	uint32_t i;

	slu_buf_init(&b, 1 << 20);
	slu_buf_add(&b, "CREATE INDEX _sl_stage._sl_k ON _sl_rows (");
	for (i = 0; i < n; i++) {
		slu_buf_add(&b, i ? ", " : "");
		slu_buf_add_quoted(&b, columns[i], '"');
	}
	slu_buf_addc(&b, ')');
	rc = on_exec(ctx, slu_buf_text(&b), NULL, 0, NULL, err);
	slu_buf_done(&b);
	return rc;
}

static void on_stage_drop(void *ctx)
{
	struct load *l = ctx;

	(void)sqlite3_finalize(l->insert);
	l->insert = NULL;
	if (!sqlite3_get_autocommit(l->c->db))
		(void)!on_rollback(l, NULL);
	l->writing = false;
	if (l->attached)
		(void)!on_exec(l, "DETACH _sl_stage", NULL, 0, NULL, NULL);
	l->attached = false;
}

static slu_rc keep_flag(void *arg, const char *const *cells)
{
	*(int *)arg = cells[0] && strcmp(cells[0], "0") != 0;
	return SLU_OK;
}

/* The primary key or an index has the columns as its first ones, in any order. */
static int on_has_index(void *ctx, const char *table, const char *const *columns, uint32_t n)
{
	const char *params[16] = {table};
	slu_buf in, sql;
	uint32_t i;
	int found = 0;

	if (n > 12)
		return 1;
	slu_buf_init(&in, 4096);
	slu_buf_init(&sql, 1 << 16);
	for (i = 0; i < n; i++) {
		params[i + 1] = columns[i];
		slu_buf_addf(&in, "%s?%u", i ? "," : "", i + 2);
	}
	slu_buf_addf(&sql,
	    "SELECT (SELECT count(*) FROM pragma_table_info(?1) WHERE pk BETWEEN 1 AND %u AND name "
	    "IN (%s)) = %u OR EXISTS "
	    "(SELECT 1 FROM pragma_index_list(?1) l WHERE (SELECT count(*) FROM "
	    "pragma_index_info(l.name) i WHERE i.seqno < %u "
	    "AND i.name IN (%s)) = %u)",
	    n, slu_buf_text(&in), n, n, slu_buf_text(&in), n);
	if (on_query(ctx, slu_buf_text(&sql), params, n + 1, keep_flag, &found, NULL) != SLU_OK)
		found = 1;
	slu_buf_done(&in);
	slu_buf_done(&sql);
	return found;
}

const slu_dialect sqlite_dialect = {.quote = '"',
    .same = "IS",
    .key_type = "TEXT",
    .text_type = "TEXT",
    .order_type = "INTEGER",
    .for_update = "",
    .type_name = type_declared,
    .accepts = type_accepts};

/* Tests kill a load at each of its named points. */
static void on_point(const char *name)
{
	const char *at = getenv("SLUICE_TEST_KILL_AT");

	if (at && strcmp(at, name) == 0)
		(void)raise(SIGKILL);
}

/* ---- slots ---- */
static void load_close(void *st)
{
	struct load *l = st;

	slu_sink_close(l->sink);
	free(l);
}

/* A new file begins in WAL mode: whoever reads the marts does not wait for a load. */
static slu_rc new_file(struct conn *c, slu_err *err)
{
	int there = 0;
	slu_rc rc = db_query(c, "PRAGMA page_count", NULL, 0, keep_flag, &there, err);

	if (rc != SLU_OK || there)
		return rc;
	return db_exec(c, "PRAGMA journal_mode = WAL", NULL, 0, NULL, err);
}

static slu_rc load_open(
    const slu_host *host, slu_run *run, void *conn, const slu_work *work, void **st, slu_err *err)
{
	struct load *l = calloc(1, sizeof(*l));
	slu_sql sql = {.ctx = l,
	    .dialect = &sqlite_dialect,
	    .exec = on_exec,
	    .query = on_query,
	    .begin = on_begin,
	    .commit = on_commit,
	    .rollback = on_rollback,
	    .columns = on_columns,
	    .stage_open = on_stage_open,
	    .stage_write = on_stage_write,
	    .stage_end = on_stage_end,
	    .stage_drop = on_stage_drop,
	    .stage_index = on_stage_index,
	    .has_index = on_has_index,
	    .instant = type_instant,
	    .point = on_point};
	slu_rc rc;

	if (!l || !conn) {
		free(l);
		return slu_fail(err, conn ? SLU_E_TRANSIENT : SLU_E_CONFIG, "SQLITE.CONNECTION",
		    conn ? "out of memory" : "the sqlite load needs a connection");
	}
	l->host = host;
	l->run = run;
	l->c = conn;
	rc = db_open(l->c, err);
	if (rc == SLU_OK)
		rc = new_file(l->c, err);
	if (rc == SLU_OK)
		rc = slu_sink_open(host, run, work, &sql, &l->sink, err);
	if (rc != SLU_OK) {
		free(l);
		return rc;
	}
	*st = l;
	return SLU_OK;
}

static slu_rc load_recover(
    void *st, int32_t *found, slu_report *report, slu_mark *mark, slu_err *err)
{
	return slu_sink_recover(((struct load *)st)->sink, found, report, mark, err);
}

static slu_rc load_plan(void *st, const struct ArrowSchema *schema,
    slu_rc (*each)(void *, const slu_change *), void *arg, slu_err *err)
{
	return slu_sink_plan(((struct load *)st)->sink, schema, each, arg, err);
}

static slu_rc load_stage(void *st, const struct ArrowSchema *schema,
    const slu_change *const *approved, uint32_t n, char *stage_json, size_t cap, slu_err *err)
{
	return slu_sink_stage(((struct load *)st)->sink, schema, approved, n, stage_json, cap, err);
}

static slu_rc load_write(void *st, struct ArrowArray *batch, slu_err *err)
{
	return slu_sink_write(((struct load *)st)->sink, batch, err);
}

static slu_rc load_flush(void *st, uint64_t *durable, slu_err *err)
{
	return slu_sink_flush(((struct load *)st)->sink, durable, err);
}

static slu_rc load_probe(void *st, const char *check, int64_t *failing, slu_err *err)
{
	return slu_sink_probe(((struct load *)st)->sink, check, failing, err);
}

static slu_rc load_publish(void *st, const slu_mark *mark, slu_report *report, slu_err *err)
{
	return slu_sink_publish(((struct load *)st)->sink, mark, report, err);
}

static slu_rc load_abort(void *st, slu_err *err)
{
	return slu_sink_abort(((struct load *)st)->sink, err);
}

static void load_cancel(void *st)
{
	struct load *l = st;

	l->c->cancelled = true;
	sqlite3_interrupt(l->c->db);
}

const slu_load sqlite_load = {.size = sizeof(slu_load),
    .promise = {[SLU_M_APPEND] = SLU_P_ONCE,
	[SLU_M_REPLACE] = SLU_P_ONCE,
	[SLU_M_MERGE] = SLU_P_ONCE,
	[SLU_M_REPLACE_PARTITION] = SLU_P_ONCE,
	[SLU_M_DELETE_INSERT] = SLU_P_ONCE},
    .open = load_open,
    .recover = load_recover,
    .plan = load_plan,
    .stage = load_stage,
    .write = load_write,
    .flush = load_flush,
    .probe = load_probe,
    .publish = load_publish,
    .abort = load_abort,
    .cancel = load_cancel,
    .close = load_close};
