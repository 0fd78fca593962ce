/* load.h: inside of the lake's load, for load.c, write.c and publish.c only. */
#ifndef PLUGINS_LAKE_LOAD_H
#define PLUGINS_LAKE_LOAD_H

#include "plugins/lake/lake.h"

#include "sluice/kit/hash.h"
#include "sluice/kit/period.h"

#define NAME_MAX_BYTES 512

struct writer {						 /* one file being written, or written */
	char key[SLU_PERIOD_MAX];			 /* partition */
	char temp[NAME_MAX_BYTES], name[NAME_MAX_BYTES]; /* below the data set's folder */
	slu_out *out;					 /* owned; NULL once finished */
	slu_buf text;					 /* rows not yet handed to out */
	slu_hash *hash;					 /* owned; NULL once finished */
	char sha[65];
	int64_t rows, bytes, max_us;
	bool renamed;
};

struct load {
	const slu_host *host; /* borrowed */
	slu_run *run;	      /* borrowed */
	struct lake *l;	      /* borrowed */
	const slu_work *work; /* borrowed */
	char *dir;	      /* owned */
	slu_format format;
	int compression;
	char tag[64]; /* of this attempt's files: fence and token */
	/* partitions */
	char unit[16], column[SLU_COLUMN_NAME_MAX]; /* column "": by run or not at all */
	const slu_zone *zone;
	char fixed[SLU_PERIOD_MAX]; /* partition of all rows where there is no column; "" none */
	int part_col;
	/* rows */
	slu_fields in, out;	   /* owned: as they come; as the files have them */
	slu_col *cols;		   /* owned; in.n then out.n */
	int *map;		   /* owned; column of out -> column of in, or -1 */
	uint8_t *zeros;		   /* owned; a bitmap of NULLs for missing columns */
	struct ArrowSchema schema; /* owned; for rejects */
	int64_t written, rejected;
	struct writer **files; /* owned */
	size_t n_files, cap_files, n_open;
	struct writer *last; /* where the row before went */
	int64_t last_from, last_to;
	/* outcome */
	struct manifest m, found; /* found: what recover saw, whose texts it lent */
	slu_buf parts, report;
	int64_t deleted;
	bool changed;
};

/* ---- write.c ---- */
slu_rc rows_write(struct load *l, const struct ArrowArray *batch, slu_err *err) SLU_CHECK;
slu_rc files_finish(
    struct load *l, slu_err *err) SLU_CHECK;	/* all durable under their temporary names */
void files_forget(struct load *l, bool remove); /* remove: those that were not published */

/* ---- publish.c ---- */
slu_rc lake_publish(
    struct load *l, const slu_mark *mark, slu_report *report, slu_err *err) SLU_CHECK;
void report_read(struct load *l, const slu_json *j, slu_report *report, slu_mark *mark);

void lake_point(const char *name); /* tests kill here */

#endif
