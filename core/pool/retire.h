/* retire.h: when a pool ends: retired and empty, idle without a daemon, its state folder gone, told
 * to stop (rules 13-15). */
#ifndef CORE_POOL_RETIRE_H
#define CORE_POOL_RETIRE_H

#include "core/pool/instance.h"
#include "core/pool/mailbox.h"
#include "core/pool/slot.h"

#define RETIRE_IDLE_S 30

struct retire {
	struct event_base *base; /* borrowed, as all here */
	struct mailbox *mailbox;
	struct slots *slots;
	struct instance *instance;
	struct event *listener; /* deleted before its descriptor is closed */
	bool once;		/* ends with the first daemon's connection */
	bool forever;		/* never by being idle: --supervise */
	int idle_s;

	bool stopping; /* everything was killed; ends once it is dead */
	bool orderly;  /* the loop ended by rule 13 */
	bool idle_armed;
	struct event idle, watched, hurry;
	int inotify_fd;
};

/* The fields above `stopping` are set. */
void retire_begin(struct retire *r, const char *state);
void retire_done(struct retire *r);
/* Something changed: checks, arms or disarms, breaks the loop. Cheap. */
void retire_check(struct retire *r);
/* TERM, folder gone, --once: kills what runs without a reason (it is `lost`, so that it is
 * retried), then ends. */
void retire_stop(struct retire *r);

#endif
