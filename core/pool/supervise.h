/* supervise.h: --supervise: the pool is process 1 of a container and keeps the daemon running. */
#ifndef CORE_POOL_SUPERVISE_H
#define CORE_POOL_SUPERVISE_H

#include "core/base/err.h"
#include "core/pool/slot.h"
#include "core/pool/spawn.h"

#include <stdbool.h>

struct supervise {
	struct event_base *base; /* borrowed */
	struct slots *slots;	 /* borrowed: told of the child, which is no stray */
	char *const *args;	 /* borrowed: of the daemon, without its name */
	int n_args;
	char **env; /* borrowed: the whole environment that the pool was started with: secrets may
		       stand in it */
	struct run_as as; /* the daemon's user, where it is not the pool's */
	pid_t pid;	  /* 0: not running */
	bool ending;	  /* TERM was forwarded: it is not started again */
	int64_t wait_ms;  /* before the next start */
	mono_us started_at;
	struct event again;
};

void supervise_begin(struct supervise *s);
void supervise_done(struct supervise *s);
/* A child was reaped; true if it was the daemon. */
bool supervise_reaped(struct supervise *s, pid_t pid, int status);
/* Forwards the signal; true: wait until the daemon has gone (supervise_ended). */
bool supervise_stop(struct supervise *s, int sig);
bool supervise_ended(const struct supervise *s);

#endif
