/* sqlite.h: what the files of the sqlite plugin share. */
#ifndef PLUGINS_SQLITE_SQLITE_H
#define PLUGINS_SQLITE_SQLITE_H

#include "sluice/kit/batch.h"
#include "sluice/kit/sink.h"
#include "sluice/kit/stream.h"
#include "sluice/plugin.h"

#include <sqlite3.h>
#include <stdbool.h>
#include <sys/types.h>

struct conn { /* one handle, used by one thread; the worker opens one connection a thread */
	const slu_host *host; /* borrowed */
	slu_run *run;	      /* borrowed */
	slu_host
	    quiet;  /* the host without end and fail: a session's stream is no stream of the step */
	char *path; /* owned */
	sqlite3 *db; /* owned */
	int64_t busy_ms;
	dev_t dev; /* of the file that is open */
	ino_t ino;
	bool cancelled;
};

/* ---- db.c ---- */
slu_rc db_open(struct conn *c, slu_err *err) SLU_CHECK;
void db_close(struct conn *c);
/* The last error of the handle as class and message. what: what was being done. */
slu_rc db_fail(struct conn *c, int rc, const char *what, slu_err *err);
slu_rc db_prepare(struct conn *c, const char *sql, sqlite3_stmt **out, slu_err *err) SLU_CHECK;
slu_rc db_exec(struct conn *c, const char *sql, const char *const *params, uint32_t n,
    int64_t *rows, slu_err *err) SLU_CHECK;
slu_rc db_query(struct conn *c, const char *sql, const char *const *params, uint32_t n,
    slu_rc (*row)(void *arg, const char *const *cells), void *arg, slu_err *err) SLU_CHECK;
slu_rc db_columns(
    struct conn *c, const char *table, slu_fields *out, int *ret_there, slu_err *err) SLU_CHECK;

/* ---- type.c ---- */
const char *type_declared(const slu_field *f, char *buf); /* SQL type of a new column */
/* Type of a column by what it was declared as (NULL: an expression; then by its first value). */
void type_read(const char *declared, slu_field *f);
int type_accepts(const slu_field *have, const slu_field *want);
const char *type_instant(const slu_field *f, int64_t value, char *buf);
/* Binds a value; a static reason where SQLite cannot hold it, else NULL. */
const char *type_bind(sqlite3_stmt *st, int i, const slu_field *f, const slu_col *c, int64_t row);
/* Puts column i of the current row; a static reason where it is not of the type, else NULL. */
const char *type_put(sqlite3_stmt *st, int i, const slu_field *f, slu_builder *b, size_t col);

/* ---- query.c ---- */
struct query {		   /* rows of a prepared statement as a stream */
	struct conn *c;	   /* borrowed */
	sqlite3_stmt *st;  /* owned */
	slu_fields fields; /* owned */
	bool first;	   /* a row stands ready: it was looked at for the types */
	bool done;
};
/* Takes st over, also on failure. declared may be NULL. */
slu_rc query_begin(struct query *q, struct conn *c, sqlite3_stmt *st, const slu_fields *declared,
    slu_err *err) SLU_CHECK;
slu_rc query_fill(
    struct query *q, slu_builder *b, slu_rejects *rejects, int *ret_done, slu_err *err) SLU_CHECK;
void query_end(struct query *q);

extern const slu_extract sqlite_extract;
extern const slu_load sqlite_load;
extern const slu_task sqlite_task;
extern const slu_warehouse sqlite_warehouse;
extern const slu_dialect sqlite_dialect;

#endif
