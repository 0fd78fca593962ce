/* timer.c: one timer for everything that is due: cron, retries, timeouts. It is armed for the first
 * due instant on the real-time clock and also fires when somebody sets that clock, also while it is
 * not armed; the writer, which is asked then, finds out by how much (core/sched/reclock.c). Nothing
 * wakes up while nothing is due. Owner: struct due_timer, loop thread. */
#define LOG_AT "daemon"
#include "core/daemon/daemon.h"

#include "core/base/clock.h"
#include "core/base/io.h"
#include "core/base/log.h"
#include "core/base/mem.h"

#include <errno.h>
#include <string.h>
#include <sys/timerfd.h>
#include <unistd.h>

#define DUE_BATCH 256
#define AGAIN_US (5 * US_PER_S) /* after a failure */

struct due_timer {
	struct daemon *d; /* borrowed */
	int fd;
	struct event *event; /* owned */
	wall_us armed_for;   /* TIME_NONE: not armed */
	bool set;	     /* armed_for is what the kernel knows */
	bool asked;	     /* OP_DUE is with the writer */
	bool again;	     /* the clock was set meanwhile: the answer may be of before */
};

static void set(struct due_timer *t, wall_us at)
{
	struct itimerspec spec = {0};

	if (at == t->armed_for && t->set)
		return;
	t->set = true;
	t->armed_for = at;
	if (at != TIME_NONE && at <= 0)
		at = 1;
	if (at != TIME_NONE) {
		spec.it_value.tv_sec = at / US_PER_S;
		spec.it_value.tv_nsec = at % US_PER_S * 1000;
	}
	if (timerfd_settime(t->fd, TFD_TIMER_ABSTIME | TFD_TIMER_CANCEL_ON_SET, &spec, NULL) != 0)
		log_error("cannot arm the timer: %s", strerror(errno));
}

static void ask(struct due_timer *t);

static void on_due_stored(void *arg, const struct op_result *r)
{
	struct due_timer *t = arg;

	t->asked = false;
	t->set = false;
	if (r->rc != 0) {
		log_error("what is due cannot be handled: %s", r->err.text);
		set(t, clock_wall() + AGAIN_US);
		return;
	}
	if (t->again)
		ask(t);
	else
		due_timer_arm(t);
}

static void ask(struct due_timer *t)
{
	struct writer_op *op = writer_op_new(OP_DUE);

	op->op.u.due.limit = DUE_BATCH;
	op->done = on_due_stored;
	op->arg = t;
	t->again = false;
	t->asked = daemon_submit(t->d, op) == 0;
	if (t->asked)
		return;
	writer_op_free(op);
	set(t, clock_wall() + AGAIN_US);
}

static void on_due(evutil_socket_t fd, short what, void *arg)
{
	struct due_timer *t = arg;
	uint64_t count;

	(void)what;
	loop_enter(&t->d->loop, "timer");
	/* ECANCELED: the clock was set; what is due is judged anew either way. */
	if (read(fd, &count, sizeof(count)) < 0 && errno == ECANCELED)
		log_info("the clock was set");
	t->set = false;
	if (t->asked)
		t->again = true;
	else
		ask(t);
}

void due_timer_arm(struct due_timer *t)
{
	const struct view *v;
	wall_us at = TIME_NONE;
	int rc;

	if (t->asked)
		return; /* its result arms again */
	v = store_read_begin(t->d->own_read);
	rc = v ? sched_next_due(v, &at) : ERR_IO;
	store_read_end(t->d->own_read);
	if (rc != 0) {
		log_error("cannot read what is due: %s", err_text(rc));
		at = clock_wall() + AGAIN_US;
	}
	set(t, at);
}

int due_timer_new(struct daemon *d, struct due_timer **ret, struct err *err)
{
	struct due_timer *t = MEM_NEW(struct due_timer);

	t->d = d;
	t->armed_for = TIME_NONE;
	t->fd = timerfd_create(CLOCK_REALTIME, TFD_CLOEXEC | TFD_NONBLOCK);
	if (t->fd < 0) {
		mem_free(t);
		return err_errno(err, ERR_IO, errno, "cannot make the timer");
	}
	t->event = event_new(d->loop.base, t->fd, EV_READ | EV_PERSIST, on_due, t);
	event_add(t->event, NULL);
	set(t, TIME_NONE);
	*ret = t;
	return 0;
}

void due_timer_free(struct due_timer *t)
{
	if (!t)
		return;
	event_free(t->event);
	io_close(&t->fd);
	mem_free(t);
}
