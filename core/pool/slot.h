/* slot.h: the workers: started, kept by key, given attempts, killed, and judged by their exit
 * (rules 16-19). */
#ifndef CORE_POOL_SLOT_H
#define CORE_POOL_SLOT_H

#include "core/pool/attempt.h"
#include "core/pool/logpipe.h"
#include "core/pool/mailbox.h"
#include "core/pool/spawn.h"

#define SLOT_IDLE_DEFAULT 4		/* idle workers kept while no job has said how many */
#define SLOT_LOOK_EVERY 16		/* attempts of a worker: then its memory is looked at */
#define SLOT_GROWN_BYTES (512ull << 20) /* private memory with which a worker may not stay */
#define SLOT_IDLE_S 300			/* an idle worker leaves after this long */
#define SLOT_LEAVE_MS 5000		/* a worker that was told to leave and does not is killed */

struct slots_conf {
	struct event_base *base; /* borrowed */
	const char *state;	 /* borrowed; absolute */
	struct run_as as;
	int lock_fd;
	struct logs *logs; /* borrowed */
	struct rlimit nofile;
};

struct slots;
struct slots *slots_new(const struct slots_conf *conf);
/* Kills every worker at once and frees; nobody is told. Accepts NULL. */
void slots_free(struct slots *s);
void slots_set_mailbox(
    struct slots *s, struct mailbox *m); /* borrowed: who is told of reports and exits */
/* Gives the attempt to a worker, or ends it as failed. */
void slots_start(struct slots *s, struct attempt *a, const char *job, size_t n);
/* a->reason is set: the worker is told, and killed after the grace. */
void slots_kill(struct slots *s, struct attempt *a);
/* SIGKILL to every worker, without a mark: what runs ends as lost unless it has reported. */
void slots_kill_all(struct slots *s);
/* Children to leave alone besides the workers (the daemon under --supervise). */
void slots_set_other(struct slots *s, pid_t pid);
/* One child was reaped; true if it was a worker. */
bool slots_reaped(struct slots *s, pid_t pid);
/* After reaping: kills strays; once there are none, dead workers are judged. */
void slots_settle(struct slots *s);
/* Idle workers leave; number of workers that are there. */
void slots_dismiss_idle(struct slots *s);
unsigned slots_count(const struct slots *s);

#endif
