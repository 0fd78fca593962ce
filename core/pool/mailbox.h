/* mailbox.h: the table of attempts and the daemon's connections: rules 4, 8, 14, 15, 18-21 of
 * core/README.md §5.
 *
 * Attempts are started and killed through `ops`; whoever runs them answers by mailbox_end exactly
 * once. */
#ifndef CORE_POOL_MAILBOX_H
#define CORE_POOL_MAILBOX_H

#include "core/pool/attempt.h"
#include "core/pool/frame.h"

#define MAILBOX_ATTEMPTS_MAX 8192u
#define MAILBOX_REPORTS_MAX (256u << 20) /* bytes of kept reports; new jobs are refused beyond */
#define MAILBOX_SYSTEM_LANES 2
#define MAILBOX_SYSTEM_QUEUE 64
#define MAILBOX_CONNECTIONS 8 /* that have not said HELLO */

struct mailbox_ops {
	/* May call mailbox_end before it returns. */
	void (*start)(void *ctx, struct attempt *a, const char *job, size_t n);
	/* a->reason was set just now. */
	void (*kill)(void *ctx, struct attempt *a);
	/* Conditions of retire.h may have changed. */
	void (*changed)(void *ctx);
	/* The HELLOed connection is gone. */
	void (*daemon_lost)(void *ctx);
};

struct mailbox;
struct mailbox *mailbox_new(
    struct event_base *base, uint64_t instance, const struct mailbox_ops *ops, void *ctx);
void mailbox_free(struct mailbox *m); /* accepts NULL */
/* Takes a connected SEQPACKET socket whose peer was checked. */
void mailbox_accept(struct mailbox *m, int fd);
/* The one outcome of a running attempt. code: what the report or the exit says; the mark of a kill
 * order is applied here (rule 19). report may be NULL. May free a system job. */
void mailbox_end(struct mailbox *m, struct attempt *a, uint32_t code, const char *report, size_t n);
void mailbox_progress(struct mailbox *m, struct attempt *a, const char *p, size_t n);
/* Marks and kills one, or all that run. */
void mailbox_kill(struct mailbox *m, struct attempt *a, uint32_t reason);
/* Without grace, also where a kill with one was ordered before. */
void mailbox_kill_hard(struct mailbox *m, struct attempt *a, uint32_t reason);
void mailbox_kill_all(struct mailbox *m, uint32_t reason);

bool mailbox_is_empty(const struct mailbox *m); /* no entry and no system job */
bool mailbox_has_daemon(const struct mailbox *m);
bool mailbox_is_retired(const struct mailbox *m);
unsigned mailbox_running(
    const struct mailbox *m); /* attempts that have not ended, system jobs included */
void mailbox_retire(struct mailbox *m);

#endif
