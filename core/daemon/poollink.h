/* poollink.h: the daemon's end of the mailbox (rules 1-25 of core/README.md §5): finds or starts
 * the pool, says HELLO, turns its frames into ops, sends jobs, kills and acknowledgements, and
 * proves a dead instance dead before it is judged. */
#ifndef CORE_DAEMON_POOLLINK_H
#define CORE_DAEMON_POOLLINK_H

#include "core/daemon/loop.h"
#include "core/sched/op.h"
#include "core/store/store.h"

struct pool_link;
struct pool_link_options {
	struct loop *loop;
	const char *state;    /* absolute; copied */
	const char *run_user; /* or NULL; copied */
	const uint8_t *uuid;  /* 16 bytes; borrowed */
	uint32_t epoch;
	bool once; /* the pool ends with this daemon */
	/* Who starts pools. NULL: this daemon; else each connection to this socket makes the
	 * service manager start one, which answers with its id; "": nobody. Copied. */
	const char *starter;
	void *arg;
	int (*submit)(void *arg, struct writer_op *take); /* writer_submit */
	void (*on_progress)(void *arg, const struct step_ref *step, const char *json, size_t n);
	/* An instance answered END and its OP_POOL_UP is committed; or the last such is gone. */
	void (*on_change)(void *arg);
};
struct pool_link *pool_link_new(const struct pool_link_options *o);
/* After the last writer_deliver: ops that are under way point here. */
void pool_link_free(struct pool_link *p);
/* Connects to every instance that has a lock file, settles those that the store says are running
 * but have none, starts one where none lives. */
int pool_link_open(struct pool_link *p, const struct view *v, struct err *err) CHECK_RESULT;

/* The instances as the writer knows them, for what only reads (why). */
void pool_link_env(const struct pool_link *p, struct sched_env *ret);
/* An instance has answered END on its present connection and takes work. */
bool pool_link_is_up(const struct pool_link *p);
/* Some instance is there whose END or death is still awaited. */
bool pool_link_is_settling(const struct pool_link *p);

/* After the commit of DISPATCH. ERR_CLOSED: certainly not sent; the caller UNLEASEs. */
int pool_link_job(
    struct pool_link *p, const struct effect *e, const char *payload, size_t n) CHECK_RESULT;
void pool_link_kill(struct pool_link *p, const struct effect *e);
/* A kill of what is not current: remembered until it has ended. */
void pool_link_orphan(struct pool_link *p, const struct effect *e);
/* Every instance has answered END, and nothing lives in any that the store does not know (rule 24).
 */
bool pool_link_is_clear(const struct pool_link *p);
void pool_link_ack(struct pool_link *p, const struct effect *e);
/* A job of the system lane. done: rc 0 and the report, or ERR_CLOSED when the pool died (ask
 * again), once, from the loop. */
typedef void (*system_done)(void *arg, int rc, const char *report, size_t n);
int pool_link_system(struct pool_link *p, const char *note, const char *job, size_t n,
    system_done done, void *arg) CHECK_RESULT;
/* Forgets what was asked with this arg: done is not called. */
void pool_link_system_drop(struct pool_link *p, void *arg);
void pool_link_retire(struct pool_link *p, uint64_t instance);
/* Stops every instance: code 0 drains, 1 cancels. No other is started from then on. */
void pool_link_shutdown(struct pool_link *p, uint32_t code);
/* true while an instance of this state folder may still live. */
bool pool_link_has_live(const struct pool_link *p);

#endif
