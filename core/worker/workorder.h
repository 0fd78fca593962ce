/* workorder.h: what a load or model is told to write: table, mode, keys, partitions, fence and
 * ledger. */
#ifndef CORE_WORKER_WORKORDER_H
#define CORE_WORKER_WORKORDER_H

#include "core/worker/attempt.h"

struct workorder {
	slu_work work;
	const char **keys; /* owned array of borrowed names */
	char *ledger_key;  /* owned: with the chunk */
};

/* Reads load (or model) as rendered. The partitions are at->parts. ERR_CONFIG for an unknown mode.
 */
int workorder_init(
    struct workorder *w, struct attempt *at, const struct json *role, struct err *err) CHECK_RESULT;
void workorder_done(struct workorder *w);

/* at->parts and at->pub.parts from the run's window or partition and the declaration of the step's
 * data set. */
int work_parts(struct attempt *at, struct err *err) CHECK_RESULT;
void work_parts_free(struct attempt *at);

#endif
