/* loop.h: the event loop, its fixed turn order, and the watch that names a handler that took too
 * long. */
#ifndef CORE_DAEMON_LOOP_H
#define CORE_DAEMON_LOOP_H

#include "core/base/clock.h"
#include "core/base/err.h"

#include <event2/event.h>
#include <stdbool.h>
#include <stdint.h>

#define LOOP_SLOW_US (20 * US_PER_MS)

/* The order inside a turn: everything of a lower number that is ready runs before anything of a
 * higher one, and the sockets are looked at again in between. SIGNAL  a signal was seen RESULT
 * results of the writer: effects first (jobs, kills, acknowledgements), then answers PEER    pool,
 * timers, HTTP: what they bring becomes operations for the writer LATER   work put off on purpose
 */
enum loop_priority {
	LOOP_SIGNAL,
	LOOP_RESULT,
	LOOP_PEER,
	LOOP_UNUSED,
	LOOP_LATER,
	LOOP_PRIORITIES
};

struct loop {
	struct event_base *base; /* owned */
	const char *handler;	 /* the last one that ran: static text */
	bool stop;
	uint64_t turns, slow_turns;
	int64_t slowest_us;
};

int loop_init(struct loop *l, struct err *err) CHECK_RESULT;
void loop_done(struct loop *l);
/* Runs turns until loop_stop, or, with `until` given, until that returns true after a turn. */
void loop_run(struct loop *l, bool (*until)(void *arg), void *arg);
void loop_stop(struct loop *l);
/* Each handler says who it is when it begins. */
static inline void loop_enter(struct loop *l, const char *handler)
{
	l->handler = handler;
}

#endif
