/* sink.h: the SQL sink: what makes a load happen once, whatever dies when. A plugin gives it a
 * session (slu_sql) and puts its functions into the slots of slu_load; the rest is here, once for
 * all databases.
 *
 * recover  owner of the target checked, fence raised to our token, ledger asked for our key
 * stage    a private table; write puts rows there, or rejects them with column and reason
 * publish  one transaction: the fence is still ours, the ledger lacks our key, the mode's
 * statements, the ledger's row with report and mark. A retry after a crash finds that row and
 * reports it.
 *
 * At the target: _sluice_owner (one row: the deployment), _sluice_fence (fence key, token),
 * _sluice_ledger (ledger key, token, table, report). */
#ifndef SLUICE_KIT_SINK_H
#define SLUICE_KIT_SINK_H
#include "sluice/kit/batch.h"
#ifdef __cplusplus
extern "C" {
#endif

typedef struct slu_sink slu_sink;

/* One a database: how it writes what differs. */
typedef struct slu_dialect {
	char quote;		/* around identifiers */
	const char *same;	/* null-safe equality between two expressions: "IS" */
	const char *key_type;	/* of a column that is a text key */
	const char *text_type;	/* of a long text */
	const char *order_type; /* of the stage's row number */
	const char *for_update; /* behind the SELECT of the fence's row, or "" */
	/* Column type for a field, or NULL where the database has none. buf of 96. */
	const char *(*type_name)(const slu_field *f, char *buf);
	/* May a column of type `have` take values of `want` without change? */
	int (*accepts)(const slu_field *have, const slu_field *want);
} slu_dialect;

/* A session. Texts in params are bound, never pasted; cells are NULL for NULL and live until row()
 * returns. */
typedef struct slu_sql {
	void *ctx;
	const slu_dialect *dialect;
	slu_rc (*exec)(void *ctx, const char *sql, const char *const *params, uint32_t n,
	    int64_t *rows, slu_err *err);
	slu_rc (*query)(void *ctx, const char *sql, const char *const *params, uint32_t n,
	    slu_rc (*row)(void *arg, const char *const *cells), void *arg, slu_err *err);
	slu_rc (*begin)(void *ctx, slu_err *err); /* with the right to write */
	slu_rc (*commit)(void *ctx, slu_err *err);
	slu_rc (*rollback)(void *ctx, slu_err *err);
	/* Columns of a table; *ret_there 0 where it is not there. */
	slu_rc (*columns)(
	    void *ctx, const char *table, slu_fields *out, int *ret_there, slu_err *err);
	/* The private table: fields and a row number _sl_n. Its name, quoted and qualified, into
	 * name (of 256). */
	slu_rc (*stage_open)(void *ctx, const slu_fields *f, char *name, slu_err *err);
	/* The rows whose bit in skip (may be NULL) is not set. What the database cannot hold is
	 * given to slu_sink_reject. */
	slu_rc (*stage_write)(void *ctx, slu_sink *sink, const slu_col *cols, int64_t rows,
	    const uint8_t *skip, slu_err *err);
	slu_rc (*stage_end)(void *ctx, slu_err *err); /* all rows are there and can be queried */
	void (*stage_drop)(void *ctx);
	/* A date or timestamp value as the text that compares with the column. buf of SLU_TEXT_MAX.
	 */
	const char *(*instant)(const slu_field *f, int64_t value, char *buf);
	/* An index of the stage on these columns, for merges; may be NULL. */
	slu_rc (*stage_index)(void *ctx, const char *const *columns, uint32_t n, slu_err *err);
	/* Does an index begin with these columns? May be NULL: the sink makes none. */
	int (*has_index)(void *ctx, const char *table, const char *const *columns, uint32_t n);
	/* Named crash points of tests; may be NULL. */
	void (*point)(const char *name);
} slu_sql;

/* The slots of slu_load in their order, with their arguments and results (plugin.h). Each gives
 * what the session gives, or: open SLU_E_CONFIG (the work order cannot be done), recover
 * SLU_E_CONFIG (the target is another deployment's), plan and stage SLU_E_SCHEMA or
 * SLU_E_UNSUPPORTED (a type), write and publish SLU_E_DATA (rows that the work order does not
 * allow). SLU_E_CANCELLED from recover and publish: a later attempt has taken the fence. */
slu_rc slu_sink_open(const slu_host *host, slu_run *run, const slu_work *work, const slu_sql *sql,
    slu_sink **out, slu_err *err) SLU_CHECK;
slu_rc slu_sink_recover(
    slu_sink *s, int32_t *found, slu_report *report, slu_mark *mark, slu_err *err) SLU_CHECK;
slu_rc slu_sink_plan(slu_sink *s, const struct ArrowSchema *schema,
    slu_rc (*each)(void *, const slu_change *), void *arg, slu_err *err) SLU_CHECK;
slu_rc slu_sink_stage(slu_sink *s, const struct ArrowSchema *schema,
    const slu_change *const *approved, uint32_t n, char *stage_json, size_t cap,
    slu_err *err) SLU_CHECK;
slu_rc slu_sink_write(slu_sink *s, struct ArrowArray *batch, slu_err *err) SLU_CHECK;
slu_rc slu_sink_flush(slu_sink *s, uint64_t *durable_batches, slu_err *err) SLU_CHECK;
slu_rc slu_sink_probe(
    slu_sink *s, const char *check_json, int64_t *failing, slu_err *err) SLU_CHECK;
slu_rc slu_sink_publish(
    slu_sink *s, const slu_mark *mark, slu_report *report, slu_err *err) SLU_CHECK;
slu_rc slu_sink_abort(slu_sink *s, slu_err *err) SLU_CHECK;
/* Instead of all that: fn's statements in one transaction with fence and ledger, once for the
 * work's ledger key. text goes into the ledger (as JSON, may be empty) and comes back from it where
 * the work was found done. */
slu_rc slu_sink_once(slu_sink *s, slu_rc (*fn)(void *ctx, slu_err *err), void *ctx, slu_buf *text,
    int32_t *found, slu_err *err) SLU_CHECK;
void slu_sink_close(slu_sink *s);
const slu_fields *slu_sink_fields(const slu_sink *s);
/* For stage_write: row of the batch being written cannot be held. SLU_E_DATA once the step allows
 * no more. */
slu_rc slu_sink_reject(slu_sink *s, int64_t row, size_t col, const char *code, const char *reason,
    slu_err *err) SLU_CHECK;

#ifdef __cplusplus
}
#endif
#endif
