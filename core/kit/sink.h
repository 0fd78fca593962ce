/* sink.h: inside of the SQL sink, for sink.c, sink_ledger.c and sink_mode.c only. */
#ifndef CORE_KIT_SINK_H
#define CORE_KIT_SINK_H

#include "sluice/kit/json.h"
#include "sluice/kit/period.h"
#include "sluice/kit/sink.h"

#include <stdbool.h>

struct slu_sink {
	const slu_host *host; /* borrowed */
	slu_run *run;	      /* borrowed */
	const slu_work *work; /* borrowed: lives as long as the load */
	slu_sql sql;
	char *table;	   /* owned; quoted */
	slu_fields fields; /* owned; of the rows */
	slu_fields have;   /* owned; of the target */
	int there;	   /* the target exists */
	bool adds;	   /* new columns are approved */
	bool staged;
	struct ArrowSchema schema; /* owned; for rejects */
	slu_col *cols;		   /* owned */
	uint8_t *skip;		   /* owned; a bit a row of the batch */
	size_t skip_bytes;
	const struct ArrowArray *batch; /* borrowed; the one being written */
	char stage[256];
	int64_t written, rejected, batches;
	int *keys;		   /* owned; columns of work->key */
	int version, op, part_col; /* columns, or -1 */
	const slu_zone *zone;
	int64_t *spans;	 /* owned; from, to of each part in values of part_col */
	double shrink;	 /* guard.shrink as a fraction, or -1 */
	slu_buf q;	 /* the statement being written */
	slu_buf parts;	 /* parts_json */
	slu_json *found; /* owned; the ledger's report */
	slu_buf found_parts;
};

struct sink_count { /* what a mode did */
	int64_t inserted, updated, deleted;
	bool unchanged;
};

#define SINK_TEXT_MAX (4u << 20)
#define SINK_RUN "_sl_run"
#define SINK_STEP "_sl_step"

/* ---- sink_ledger.c ---- */
slu_rc sink_meta(
    slu_sink *s, slu_err *err) SLU_CHECK; /* the three tables, owner and fence; one transaction */
slu_rc sink_fence(slu_sink *s, slu_err *err) SLU_CHECK; /* inside of publish: still ours? */
slu_rc sink_found(
    slu_sink *s, int32_t *found, slu_report *report, slu_mark *mark, slu_err *err) SLU_CHECK;
slu_rc sink_note(
    slu_sink *s, const slu_mark *mark, const slu_report *report, slu_err *err) SLU_CHECK;

/* ---- sink_mode.c ---- */
slu_rc sink_mode(slu_sink *s, struct sink_count *n, slu_err *err) SLU_CHECK;
/* Runs s->q. */
slu_rc sink_exec(
    slu_sink *s, const char *const *params, uint32_t n, int64_t *rows, slu_err *err) SLU_CHECK;
/* The one number that s->q gives. */
slu_rc sink_number(
    slu_sink *s, const char *const *params, uint32_t n, int64_t *ret, slu_err *err) SLU_CHECK;
void sink_column(slu_sink *s, const char *alias, size_t col); /* appends alias."name" */
void sink_columns(slu_sink *s, const char *alias);	      /* all of them, parted by commas */
void sink_point(slu_sink *s, const char *name);

#endif
