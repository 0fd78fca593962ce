/* conn.h: connections of the calling lane. One that its plugin can `reset` is kept for the next
 * attempt with the same configuration; any other, and all of an attempt that failed, are closed at
 * its end. */
#ifndef CORE_WORKER_CONN_H
#define CORE_WORKER_CONN_H

#include "core/worker/attempt.h"

/* The open connection called name, for this lane. *ret_st is NULL where name is NULL or its plugin
 * has no connection role. Failures are noted in the attempt; false then. */
bool conn_use(struct attempt *at, const char *name, void **ret_st);
/* The same, and its SQL session. */
bool conn_warehouse(
    struct attempt *at, const char *name, const slu_warehouse **ret_wh, void **ret_st);
/* End of an attempt on this lane, while the attempt still stands. */
void conn_release(struct attempt *at, bool keep);
/* Closes what the calling lane has kept: the last thing that it runs. arg is not used. */
void conn_end_lane(void *arg);

#endif
