/* db.c: the handle: open, statements with bound parameters, errors as classes. */
#include "plugins/sqlite/sqlite.h"

#include "sluice/kit/file.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

/* A writer elsewhere holds the file: wait in small steps, so that cancel is heard. */
static int on_busy(void *arg, int count)
{
	struct conn *c = arg;

	if (c->cancelled || (int64_t)count * 10 >= c->busy_ms)
		return 0;
	return c->host->sleep_ms(c->run, 10) == SLU_OK;
}

slu_rc db_open(struct conn *c, slu_err *err)
{
	struct stat st;
	int rc;

	if (c->db)
		return SLU_OK;
	rc = sqlite3_open_v2(c->path, &c->db,
	    SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX, NULL);
	if (rc != SQLITE_OK) {
		slu_rc out = db_fail(c, rc, "open", err);

		db_close(c);
		return out;
	}
	if (stat(c->path, &st) == 0) {
		c->dev = st.st_dev;
		c->ino = st.st_ino;
	}
	(void)sqlite3_extended_result_codes(c->db, 1);
	(void)sqlite3_busy_handler(c->db, on_busy, c);
	/* Readers go on while a load publishes, and a commit is on disk before it is reported. A
	 * file that somebody else has made keeps its own mode. */
	return db_exec(c, "PRAGMA synchronous = FULL", NULL, 0, NULL, err);
}

void db_close(struct conn *c)
{
	(void)sqlite3_close_v2(c->db);
	c->db = NULL;
}

static slu_rc class_of(int rc)
{
	switch (rc & 0xff) {
	case SQLITE_INTERRUPT:
		return SLU_E_CANCELLED;
	case SQLITE_PERM:
	case SQLITE_AUTH:
	case SQLITE_READONLY:
		return SLU_E_AUTH;
	case SQLITE_ERROR:
	case SQLITE_CANTOPEN:
	case SQLITE_NOTADB:
	case SQLITE_RANGE:
		return SLU_E_CONFIG;
	case SQLITE_CONSTRAINT:
	case SQLITE_MISMATCH:
	case SQLITE_TOOBIG:
	case SQLITE_CORRUPT:
		return SLU_E_DATA;
	case SQLITE_MISUSE:
	case SQLITE_INTERNAL:
		return SLU_E_INTERNAL;
	default: /* busy, locked, full, input/output, out of memory */
		return SLU_E_TRANSIENT;
	}
}

slu_rc db_fail(struct conn *c, int rc, const char *what, slu_err *err)
{
	char code[32];

	(void)snprintf(code, sizeof(code), "SQLITE.%d", rc);
	if (err)
		err->vendor_code = rc;
	return slu_fail(err, c->cancelled ? SLU_E_CANCELLED : class_of(rc), code, "%s: %s: %s",
	    c->path, what, c->db ? sqlite3_errmsg(c->db) : sqlite3_errstr(rc));
}

slu_rc db_prepare(struct conn *c, const char *sql, sqlite3_stmt **out, slu_err *err)
{
	int rc = sqlite3_prepare_v2(c->db, sql, -1, out, NULL);

	return rc == SQLITE_OK ? SLU_OK : db_fail(c, rc, "SQL", err);
}

static int bind_all(sqlite3_stmt *st, const char *const *params, uint32_t n)
{
	int rc = SQLITE_OK;
	uint32_t i;

	for (i = 0; i < n && rc == SQLITE_OK; i++)
		rc = params[i] ? sqlite3_bind_text(st, (int)i + 1, params[i], -1, SQLITE_STATIC)
			       : sqlite3_bind_null(st, (int)i + 1);
	return rc;
}

slu_rc db_exec(struct conn *c, const char *sql, const char *const *params, uint32_t n,
    int64_t *rows, slu_err *err)
{
	sqlite3_stmt *st;
	slu_rc out = db_prepare(c, sql, &st, err);
	int rc;

	if (out != SLU_OK)
		return out;
	rc = bind_all(st, params, n);
	while (rc == SQLITE_OK || rc == SQLITE_ROW)
		rc = sqlite3_step(st);
	if (rc == SQLITE_DONE && rows)
		*rows = sqlite3_stmt_readonly(st) ? 0 : sqlite3_changes64(c->db);
	if (rc != SQLITE_DONE)
		out = db_fail(c, rc, "SQL", err);
	(void)sqlite3_finalize(st);
	return out;
}

slu_rc db_query(struct conn *c, const char *sql, const char *const *params, uint32_t n,
    slu_rc (*row)(void *arg, const char *const *cells), void *arg, slu_err *err)
{
	const char *cells[16];
	sqlite3_stmt *st;
	slu_rc out = db_prepare(c, sql, &st, err);
	int rc, i;

	if (out != SLU_OK)
		return out;
	rc = bind_all(st, params, n);
	if (rc == SQLITE_OK)
		rc = sqlite3_step(st);
	for (; rc == SQLITE_ROW && out == SLU_OK; rc = sqlite3_step(st)) {
		for (i = 0; i < sqlite3_column_count(st) && i < 16; i++)
			cells[i] = (const char *)sqlite3_column_text(st, i);
		out = row(arg, cells);
	}
	if (rc != SQLITE_DONE && out == SLU_OK)
		out = db_fail(c, rc, "SQL", err);
	(void)sqlite3_finalize(st);
	return out;
}

slu_rc db_columns(struct conn *c, const char *table, slu_fields *out, int *ret_there, slu_err *err)
{
	sqlite3_stmt *st;
	slu_rc rc = db_prepare(c, "SELECT name, type FROM pragma_table_info(?)", &st, err);
	int got;

	memset(out, 0, sizeof(*out));
	*ret_there = 0;
	if (rc != SLU_OK)
		return rc;
	(void)sqlite3_bind_text(st, 1, table, -1, SQLITE_STATIC);
	while ((got = sqlite3_step(st)) == SQLITE_ROW && rc == SLU_OK) {
		slu_field *f =
		    slu_fields_add(out, (const char *)sqlite3_column_text(st, 0), SLU_UTF8, err);

		if (f)
			type_read((const char *)sqlite3_column_text(st, 1), f);
		else
			rc = SLU_E_SCHEMA;
		*ret_there = 1;
	}
	if (rc == SLU_OK && got != SQLITE_DONE)
		rc = db_fail(c, got, "columns", err);
	(void)sqlite3_finalize(st);
	return rc;
}
