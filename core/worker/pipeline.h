/* pipeline.h: the two halves of a pipeline step. The reading half (extract and transforms) lives on
 * the reader lane, the loading half on the main lane; between them is the queue. */
#ifndef CORE_WORKER_PIPELINE_H
#define CORE_WORKER_PIPELINE_H

#include "core/worker/attempt.h"
#include "core/worker/queue.h"
#include "core/worker/stream.h"
#include "core/worker/workorder.h"

#define PIPELINE_TRANSFORMS_MAX 32
#define QUEUE_MAX_BYTES (8 << 20)

struct stage { /* a transform */
	const slu_transform *table;
	struct slu_run run;
	char role[24];
	struct stream stream;
	void *st;
	bool open;
};

struct reading {
	struct attempt *at;  /* borrowed */
	struct queue *queue; /* borrowed */
	const slu_extract *table;
	struct slu_run run;
	struct stream stream;
	void *st;
	struct mark upper; /* by bound() */
	struct stage stages[PIPELINE_TRANSFORMS_MAX];
	int n_stages;
	int64_t preview_left; /* rows; -1: no preview */
	struct mark mark;     /* of the whole stream, once it has ended well */
};

struct loading {
	struct attempt *at;  /* borrowed */
	struct queue *queue; /* borrowed */
	const slu_load *table;
	struct slu_run run;
	struct workorder order;
	const struct json *role;
	void *st;
	bool open, staged, done;
	int64_t rows; /* given to write() */
	int64_t batches;
};

/* pipeline_read.c: the whole reading half; ends or breaks the queue. For lane_start. */
void reading_main(void *arg);
void reading_done(struct reading *r);

/* pipeline_load.c */
void loading_open(struct loading *l);
/* The target's ledger knows this work order: the outcome is noted and nothing is to be done. */
bool loading_recover(struct loading *l);
/* Takes the queue to its end: plan, stage, write, flush, checks. True: only publish is left. */
bool loading_fill(struct loading *l);
void loading_publish(struct loading *l, const struct mark *mark);
void loading_close(struct loading *l); /* aborts what was staged and not published */

/* The mark that goes into the ledger: for a step that reads a data set it holds the position. */
void pipeline_mark(struct attempt *at, struct mark *m);

#endif
