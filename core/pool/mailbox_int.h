/* mailbox_int.h: shared by mailbox.c (the table) and conn.c (the connections) alone. */
#ifndef CORE_POOL_MAILBOX_INT_H
#define CORE_POOL_MAILBOX_INT_H

#include "core/pool/mailbox.h"

#define TABLE_BUCKETS 1024u

LIST_HEAD(attempt_bucket, attempt);

struct conn {
	struct mailbox *m; /* borrowed */
	int fd;
	struct event readable, writable;
	TAILQ_ENTRY(conn) link;
};
TAILQ_HEAD(conn_list, conn);

struct mailbox {
	struct event_base *base; /* borrowed */
	uint64_t instance;
	struct mailbox_ops ops;
	void *ctx;
	struct attempt_bucket table[TABLE_BUCKETS];
	struct attempt_list all;
	unsigned n_all, n_running;
	size_t report_bytes;
	bool retired;

	struct attempt_list system_queue, system_running;
	unsigned n_system_queue, n_system_running;

	struct conn_list strangers; /* connected, no HELLO yet */
	unsigned n_strangers;
	struct conn *daemon; /* owned; has said HELLO */
	bool bound;	     /* to this store: */
	uint8_t uuid[16];
	uint32_t epoch;
	struct out_queue out;
	struct out_item end_item;
	struct event progress_timer;
	bool progress_armed;
	struct str in; /* payload of the frame in hand */
};

/* mailbox.c */
struct attempt *table_find(struct mailbox *m, const struct frame *h);
void table_job(struct mailbox *m, const struct frame *h, const char *p, size_t n);
void table_forget(struct mailbox *m, struct attempt *a);
void table_ack(struct mailbox *m, const struct frame *h);
void system_job(struct mailbox *m, const struct frame *h, const char *p, size_t n);
void system_forget_daemon(struct mailbox *m);
void attempt_free(struct attempt *a);
/* conn.c */
void out_push(struct mailbox *m, struct out_item *item);
void out_remove(struct mailbox *m, struct out_item *item);
void out_flush(struct mailbox *m);
void conn_close_all(struct mailbox *m);
/* Outside the queue: dropped when the socket is full. */
void out_progress(struct mailbox *m, struct attempt *a);

#endif
