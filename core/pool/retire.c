/* retire.c: see retire.h. Owner: pool, main thread. */
#define LOG_AT "pool"
#include "core/pool/retire.h"

#include "core/base/io.h"
#include "core/base/log.h"
#include "core/pool/mutant.h"

#include <event2/event.h>
#include <string.h>
#include <sys/inotify.h>
#include <unistd.h>

#define HURRY_S 10 /* what cannot be killed in this time does not hold up the end */

static void end_loop(struct retire *r)
{
	event_base_loopbreak(r->base);
}

static void end_orderly(struct retire *r, const char *why)
{
	if (r->orderly)
		return;
	log_info("ending: %s", why);
	r->orderly = true;
	event_del(r->listener);
	instance_ended(r->instance);
	end_loop(r);
}

static void on_idle(evutil_socket_t fd, short what, void *arg)
{
	struct retire *r = arg;

	(void)fd;
	(void)what;
	r->idle_armed = false;
	if (pool_mutant("ends-with-outcomes") ||
	    (mailbox_is_empty(r->mailbox) && !mailbox_has_daemon(r->mailbox)))
		end_orderly(r, "no daemon and nothing to do");
}

static void on_hurry(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	log_error("a worker cannot be killed; ending without it");
	end_loop(arg);
}

/* The folder's events are rare; which one came does not matter. */
static void on_watched(evutil_socket_t fd, short what, void *arg)
{
	struct retire *r = arg;
	char buf[4096];

	(void)what;
	while (read((int)fd, buf, sizeof(buf)) > 0)
		;
	if (instance_is_there(r->instance) || r->stopping)
		return;
	log_warn("the state folder is gone");
	retire_stop(r);
}

void retire_begin(struct retire *r, const char *state)
{
	evtimer_assign(&r->idle, r->base, on_idle, r);
	evtimer_assign(&r->hurry, r->base, on_hurry, r);
	r->inotify_fd = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
	event_assign(&r->watched, r->base, r->inotify_fd, EV_READ | EV_PERSIST, on_watched, r);
	if (r->inotify_fd < 0 ||
	    inotify_add_watch(r->inotify_fd, r->instance->folder,
		IN_DELETE | IN_MOVED_FROM | IN_DELETE_SELF | IN_MOVE_SELF) < 0 ||
	    inotify_add_watch(r->inotify_fd, state, IN_DELETE_SELF | IN_MOVE_SELF) < 0)
		log_warn("the state folder cannot be watched; its removal is seen late");
	else
		event_add(&r->watched, NULL);
	retire_check(r);
}

void retire_done(struct retire *r)
{
	event_del(&r->idle);
	event_del(&r->hurry);
	event_del(&r->watched);
	io_close(&r->inotify_fd);
}

static void arm_idle(struct retire *r, bool on)
{
	struct timeval wait = {.tv_sec = r->idle_s};

	if (on == r->idle_armed)
		return;
	if (on)
		evtimer_add(&r->idle, &wait);
	else
		evtimer_del(&r->idle);
	r->idle_armed = on;
}

void retire_check(struct retire *r)
{
	bool empty = mailbox_is_empty(r->mailbox), daemon = mailbox_has_daemon(r->mailbox);

	if (r->stopping) {
		if (mailbox_running(r->mailbox) == 0)
			end_loop(r);
		return;
	}
	if (pool_mutant("ends-with-outcomes"))
		empty = mailbox_running(r->mailbox) == 0;
	if (empty && mailbox_is_retired(r->mailbox))
		end_orderly(r, "retired and empty");
	else
		arm_idle(r, empty && !daemon && !r->forever);
}

void retire_stop(struct retire *r)
{
	static const struct timeval hurry = {.tv_sec = HURRY_S};

	if (r->stopping)
		return;
	r->stopping = true;
	evtimer_add(&r->hurry, &hurry);
	slots_kill_all(r->slots);
	retire_check(r);
}
