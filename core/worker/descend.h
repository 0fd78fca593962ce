/* descend.h: what an attempt leaves running. The worker is a subreaper: every descendant becomes
 * its child in the end. */
#ifndef CORE_WORKER_DESCEND_H
#define CORE_WORKER_DESCEND_H

#include "core/base/err.h"

/* Kills and reaps until this process has no child any more (rule 16 of the pool's protocol). One
 * system call where there is none. ERR_TIMEOUT when something does not die within 10 s: the worker
 * then has to end without a report. */
int descend_kill(struct err *err) CHECK_RESULT;

#endif
