/* poolint.h: what the files of the daemon's end of the mailbox share: poollink (lives), pooltake
 * (what a pool says), poolstart (starting one), poolsend (what it is told). Used there only. */
#ifndef CORE_DAEMON_POOLINT_H
#define CORE_DAEMON_POOLINT_H

#include "core/base/vec.h"
#include "core/daemon/poolconn.h"
#include "core/daemon/poollink.h"

#include <sys/types.h>

#define PROBE_LAST_MS 1000
/* Instances at a time, as many as struct sched_env has places: one that takes work, and those of
 * other releases that finish what they have. */
#define POOLS_MAX 4
#define START_FIRST_MS 200

enum instance_state { INST_FOUND, INST_HELLO, INST_UP, INST_DOWN, INST_GONE };

struct orphan {
	struct step_ref step;
	uint64_t token;
};

struct instance {
	struct pool_link *link; /* borrowed */
	uint64_t id, gen;
	enum instance_state state;
	bool retired, refused, up_told;
	bool older;		/* not of this daemon's release: to be retired */
	struct pool_conn *conn; /* owned */
	struct event *timer;	/* owned: probe, or silence after HELLO */
	unsigned probe_ms;
	VEC(struct step_ref) seen; /* RUN and OUT of the block that is being read */
	VEC(uint64_t) seen_token;
	VEC(struct orphan) ended;   /* OUT entries of that block */
	VEC(struct orphan) orphans; /* not current, told to be killed, not yet ended */
	struct instance *next;
};

struct system_job {
	uint64_t no, instance;
	system_done done;
	void *arg;
	struct system_job *next;
};

struct pool_link {
	struct pool_link_options o;
	char *state, *run_user, *starter; /* owned; o points here */
	struct instance *instances;	  /* owned list */
	struct system_job *jobs;	  /* owned list */
	uint64_t next_gen, next_system;
	pid_t starting; /* a pool that we started and that does not listen yet, 0 */
	int ready_fd;
	struct event *ready, *start_timer; /* owned */
	unsigned start_ms;
	bool closing;
};

/* ---- poollink.c ---- */
struct timeval pool_ms(unsigned ms);
struct instance *pool_instance_find(const struct pool_link *p, uint64_t id);
struct instance *pool_instance_add(struct pool_link *p, uint64_t id);
void pool_instance_connect(struct instance *i);
/* The connection is over: no DISPATCH goes there (rules 3, 7); then the lock is tried (rule 11),
 * at once or after wait_ms. */
void pool_instance_lost(struct instance *i, unsigned wait_ms);
/* An operation of which nobody waits for the result, or whose result may be lost. */
void pool_submit(struct pool_link *p, struct writer_op *op);
void pool_submit_down(struct instance *i);

/* ---- pooltake.c ---- */
/* Retires an older instance that had to wait until another one was gone. */
void pool_retire_older(struct pool_link *p);
void pool_take_frame(void *arg, const struct frame *f, const char *payload, size_t n);

/* ---- poolorphan.c ---- */
void pool_orphan_ended(struct instance *i, const struct step_ref *step, uint64_t token);
void pool_orphans_forget(struct instance *i);

/* ---- poolstart.c ---- */
void pool_start_wanted(struct pool_link *p);
void on_pool_start_timer(evutil_socket_t fd, short what, void *arg);

/* ---- poolsend.c ---- */
/* The answer of a system job. */
void pool_system_take(struct pool_link *p, const struct frame *f, const char *payload, size_t n);
/* The jobs of an instance that is gone end with ERR_CLOSED. */
void pool_system_fail(struct pool_link *p, uint64_t instance);

#endif
