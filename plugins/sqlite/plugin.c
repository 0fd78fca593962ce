/* plugin.c: sqlite: the connection, and the kinds "sqlite" (extract, load) and "sql" (a task). */
#include "plugins/sqlite/sqlite.h"

#include "sluice/kit/file.h"
#include "sluice/kit/plugin.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

static void conn_close(void *st)
{
	struct conn *c = st;

	db_close(c);
	slu_free(c->path);
	free(c);
}

static slu_rc conn_open(const slu_host *host, slu_run *run, void **out, slu_err *err)
{
	struct conn *c = calloc(1, sizeof(*c));
	const char *path = host->get_str(run, "path");

	if (!c || !path) {
		free(c);
		return slu_fail_field(err, c ? SLU_E_CONFIG : SLU_E_TRANSIENT, "SQLITE.PATH",
		    "path",
		    c ? "the connection needs `path`, the database's file" : "out of memory");
	}
	c->host = host;
	c->quiet = *host;
	c->quiet.end = NULL;
	c->quiet.fail = NULL;
	c->run = run;
	c->path = slu_path(host, run, path);
	c->busy_ms = 60000;
	(void)host->get_i64(run, "busy_timeout", &c->busy_ms);
	*out = c;
	return SLU_OK;
}

static slu_rc conn_check(void *st, slu_err *err)
{
	struct conn *c = st;
	slu_rc rc = db_open(c, err);

	return rc == SLU_OK ? db_exec(c, "SELECT count(*) FROM sqlite_master", NULL, 0, NULL, err)
			    : rc;
}

static bool file_changed(const struct conn *c)
{
	struct stat st;

	return stat(c->path, &st) < 0 || st.st_ino != c->ino || st.st_dev != c->dev;
}

/* Another file may stand at the path by now; and nothing of the last attempt may be left in the
 * session. */
static slu_rc conn_reset(void *st, slu_err *err)
{
	struct conn *c = st;

	(void)err;
	c->cancelled = false;
	if (c->db && (!sqlite3_get_autocommit(c->db) || file_changed(c)))
		db_close(c);
	return SLU_OK;
}

static void conn_cancel(void *st)
{
	struct conn *c = st;

	c->cancelled = true;
	if (c->db)
		sqlite3_interrupt(c->db);
}

static const slu_opt options[] = {
    {.name = "path",
	.type = SLU_T_URI,
	.flags = SLU_F_REQUIRED | SLU_F_IDENTITY,
	.doc = "The database's file; it is made where it is not there."},
    {.name = "busy_timeout",
	.type = SLU_T_DURATION,
	.def = "60s",
	.doc = "How long to wait while somebody else writes to the file."}};

static const slu_connection connection = {.size = sizeof(connection),
    .options = {sizeof(options) / sizeof(options[0]), sizeof(slu_opt), options},
    .open = conn_open,
    .check = conn_check,
    .reset = conn_reset,
    .cancel = conn_cancel,
    .close = conn_close,
    .warehouse = &sqlite_warehouse};

static const slu_kind kinds[] = {{.type = "sqlite",
				     .doc = "SQLite databases: rows out and in.",
				     .needs = SLU_N_FILES,
				     .connection = &connection,
				     .extract = &sqlite_extract,
				     .load = &sqlite_load},
    {.type = "sql",
	.doc = "SQL statements in one transaction.",
	.needs = SLU_N_FILES,
	.connection = &connection,
	.task = &sqlite_task}};

SLU_PLUGIN("sqlite", "0.1.0", "same as Sluice", kinds)
