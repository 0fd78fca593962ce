/* Turns: the fixed order, the end, and the watch over slow handlers. */
#include "core/daemon/loop.h"

#include "core/base/log.h"
#include "leak.h"

#include <criterion/criterion.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

struct seen {
	struct loop *loop;
	char order[8];
	size_t n;
};

struct handler {
	struct seen *seen;
	char name;
};

static void on_handler(evutil_socket_t fd, short what, void *arg)
{
	struct handler *h = arg;

	(void)fd, (void)what;
	h->seen->order[h->seen->n++] = h->name;
	if (h->seen->n == 4)
		loop_stop(h->seen->loop);
}

Test(daemon_loop, signals_then_results_then_peers_then_the_rest)
{
	static const enum loop_priority order[] = {LOOP_LATER, LOOP_PEER, LOOP_RESULT, LOOP_SIGNAL};
	struct loop l;
	struct seen seen = {.loop = &l};
	struct handler handlers[4];
	struct event *events[4];

	cr_assert_eq(loop_init(&l, NULL), 0);
	for (int i = 0; i < 4; i++) {
		handlers[i] = (struct handler){&seen, "lprs"[i]};
		events[i] = event_new(l.base, -1, 0, on_handler, &handlers[i]);
		event_priority_set(events[i], order[i]);
		event_active(events[i], EV_TIMEOUT, 1);
	}
	loop_run(&l, NULL, NULL);
	cr_assert_str_eq(seen.order, "srpl");
	for (int i = 0; i < 4; i++)
		event_free(events[i]);
	loop_done(&l);
	LEAK_CHECK();
}

static void on_slow(evutil_socket_t fd, short what, void *arg)
{
	struct loop *l = arg;
	struct timespec t;
	int64_t until;

	(void)fd, (void)what;
	loop_enter(l, "the slow one");
	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
	until = (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000 + 2 * LOOP_SLOW_US;
	do
		clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
	while ((int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000 < until);
	loop_stop(l);
}

Test(daemon_loop, a_slow_turn_is_logged_with_its_handler)
{
	struct loop l;
	struct event *e;
	char text[1024] = "";
	int fds[2];

	cr_assert_eq(pipe(fds), 0);
	log_to_fd(fds[1]);
	cr_assert_eq(loop_init(&l, NULL), 0);
	e = event_new(l.base, -1, 0, on_slow, &l);
	event_active(e, EV_TIMEOUT, 1);
	loop_run(&l, NULL, NULL);
	log_to_fd(2);
	cr_assert_gt(read(fds[0], text, sizeof(text) - 1), 0);
	cr_assert(strstr(text, "the slow one"), "%s", text);
	cr_assert_eq(l.slow_turns, 1);
	event_free(e);
	loop_done(&l);
	close(fds[0]);
	close(fds[1]);
	LEAK_CHECK();
}
