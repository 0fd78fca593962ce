/* poolconn.h: one connection to a pool: frames in, frames out through a bounded queue. What to do
 * about a lost connection is poollink's business. */
#ifndef CORE_DAEMON_POOLCONN_H
#define CORE_DAEMON_POOLCONN_H

#include "core/daemon/loop.h"
#include "core/pool/frame.h"

#include <stddef.h>

struct pool_conn;
struct pool_conn_handlers {
	void *arg;
	void (*on_frame)(void *arg, const struct frame *head, const char *payload, size_t n);
	/* The peer is gone (end of file, EPIPE) or spoke nonsense; all that it sent before was
	 * given to on_frame. Called once, from the loop; the handler calls pool_conn_free. */
	void (*on_closed)(void *arg);
	/* For each JOB that waited and was never sent, while the connection is freed. */
	void (*on_unsent)(void *arg, const struct frame *head);
};
/* Takes fd, also on failure. */
struct pool_conn *pool_conn_new(struct loop *l, int fd, const struct pool_conn_handlers *h);
void pool_conn_free(struct pool_conn *c);
/* 0: sent or queued. ERR_CLOSED: certainly not sent; on_closed follows from the loop. */
int pool_conn_send(
    struct pool_conn *c, const struct frame *head, const char *payload, size_t n) CHECK_RESULT;

#endif
