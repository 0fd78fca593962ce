/* stream.h: the host's hull around every ArrowArrayStream: nothing a plugin hands out reaches the
 * next one unchecked. Batches are checked and counted, the inner stream is released exactly once, a
 * failure gets a class, cancel ends it. */
#ifndef CORE_WORKER_STREAM_H
#define CORE_WORKER_STREAM_H

#include "core/worker/attempt.h"

#include <sluice/arrow.h>

struct stream {
	struct ArrowArrayStream in; /* the plugin's; owned until released */
	struct slu_run *run;	    /* of the plugin that made it; borrowed */
	struct ArrowSchema schema;
	bool has_schema, ended;
	int64_t rows, batches, bytes;
	int64_t last_bytes; /* of the batch given last */
	unsigned releases;
	char error[256];
};

/* Takes *inner (from run's plugin) and makes *outer the hull. s must outlive the hull and be ended
 * by stream_done. */
void stream_wrap(struct stream *s, struct slu_run *run, struct ArrowArrayStream *inner,
    struct ArrowArrayStream *outer);
/* Releases what is left, and checks that the inner stream was released exactly once. */
void stream_done(struct stream *s);
/* The schema, read once; NULL: the failure is noted. */
const struct ArrowSchema *stream_schema(struct stream *s);

#endif
