/* loop.c: turns of the event loop. The turn order is enum loop_priority; effects leave only in the
 * RESULT step, that is after their commit. Owner: daemon. */
#define LOG_AT "daemon"
#include "core/daemon/loop.h"

#include "core/base/log.h"

#include <string.h>
#include <time.h>

/* Processor time of this thread: waiting in epoll does not count. */
static int64_t thread_us(void)
{
	struct timespec t;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
	return (int64_t)t.tv_sec * US_PER_S + t.tv_nsec / 1000;
}

int loop_init(struct loop *l, struct err *err)
{
	struct event_config *config = event_config_new();

	memset(l, 0, sizeof(*l));
	l->handler = "start";
	if (config) {
		/* One thread touches the base: no locks. */
		event_config_set_flag(config, EVENT_BASE_FLAG_NOLOCK);
		l->base = event_base_new_with_config(config);
		event_config_free(config);
	}
	if (!l->base || event_base_priority_init(l->base, LOOP_PRIORITIES) != 0)
		return err_set(err, ERR_NOMEM, "cannot make the event loop");
	return 0;
}

void loop_done(struct loop *l)
{
	if (l->base)
		event_base_free(l->base);
	l->base = NULL;
}

void loop_run(struct loop *l, bool (*until)(void *arg), void *arg)
{
	int64_t before = thread_us(), after, took;

	while (!l->stop) {
		if (event_base_loop(l->base, EVLOOP_ONCE) != 0)
			break;
		after = thread_us();
		took = after - before;
		before = after;
		l->turns++;
		if (took > l->slowest_us)
			l->slowest_us = took;
		if (took > LOOP_SLOW_US) {
			l->slow_turns++;
			log_warn("a turn of the loop took %lld ms, last in %s",
			    (long long)(took / US_PER_MS), l->handler);
		}
		if (until && until(arg))
			break;
	}
}

void loop_stop(struct loop *l)
{
	l->stop = true;
	event_base_loopbreak(l->base);
}
