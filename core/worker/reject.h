/* reject.h: rows that cannot go on. One NDJSON file an attempt, mode 0600:
 * {"role","column","code","reason","row"|"key"}. Before the last mask of a pipeline only masked
 * keys are written, never a value. */
#ifndef CORE_WORKER_REJECT_H
#define CORE_WORKER_REJECT_H

#include "core/worker/attempt.h"

struct ArrowSchema;
struct ArrowArray;

struct rejects;

/* Counts and writes one row; SLU_E_DATA once the limit is passed. Thread-safe. */
slu_rc reject_row(struct slu_run *run, const struct ArrowSchema *schema,
    const struct ArrowArray *array, int64_t row, const char *column, const char *code,
    const char *msg);
void rejects_free(struct rejects *r);		   /* accepts NULL */
const char *rejects_path(const struct rejects *r); /* NULL where nothing was written */

#endif
