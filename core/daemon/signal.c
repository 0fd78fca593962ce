/* signal.c: TERM and INT stop, HUP reloads, CHLD reaps. Handled on the loop thread in its turn.
 * Owner: struct signals. */
#define LOG_AT "daemon"
#include "core/daemon/daemon.h"

#include "core/base/log.h"
#include "core/base/mem.h"

#include <signal.h>
#include <sys/wait.h>

struct signals {
	struct daemon *d;			 /* borrowed */
	struct event *term, *intr, *hup, *child; /* owned */
};

static void on_stop_signal(evutil_socket_t number, short what, void *arg)
{
	struct signals *s = arg;
	enum stop_kind kind = STOP_LEAVE;

	(void)what;
	loop_enter(&s->d->loop, "signal");
	if (s->d->conf->on_term == ON_TERM_DRAIN)
		kind = STOP_DRAIN;
	if (s->d->conf->on_term == ON_TERM_CANCEL || s->d->once)
		kind = STOP_CANCEL;
	if (s->d->stopping)
		kind = STOP_LEAVE; /* asked twice: at once */
	log_info("signal %d: stopping", (int)number);
	if (!s->d->once && !s->d->stopping)
		daemon_note(s->d, "signal", "shutdown", number == SIGTERM ? "SIGTERM" : "SIGINT");
	daemon_stop(s->d, kind, -1);
}

static void on_reload_signal(evutil_socket_t number, short what, void *arg)
{
	struct signals *s = arg;

	(void)number, (void)what;
	loop_enter(&s->d->loop, "reload");
	daemon_reload(s->d);
}

static void on_child_signal(evutil_socket_t number, short what, void *arg)
{
	struct signals *s = arg;
	int status;
	pid_t pid;

	(void)number, (void)what;
	loop_enter(&s->d->loop, "child");
	/* Pools that this daemon started. What their end means is told by their lock files. */
	while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
		if (WIFSIGNALED(status))
			log_warn("child %d was ended by signal %d", (int)pid, WTERMSIG(status));
	}
}

static struct event *watch(struct signals *s, int number, event_callback_fn on)
{
	struct event *e = evsignal_new(s->d->loop.base, number, on, s);

	event_priority_set(e, LOOP_SIGNAL);
	event_add(e, NULL);
	return e;
}

struct signals *signals_new(struct daemon *d)
{
	struct signals *s = MEM_NEW(struct signals);
	struct sigaction ignore = {.sa_handler = SIG_IGN};

	s->d = d;
	sigaction(SIGPIPE, &ignore, NULL);
	s->term = watch(s, SIGTERM, on_stop_signal);
	s->intr = watch(s, SIGINT, on_stop_signal);
	s->hup = watch(s, SIGHUP, on_reload_signal);
	s->child = watch(s, SIGCHLD, on_child_signal);
	return s;
}

void signals_free(struct signals *s)
{
	if (!s)
		return;
	event_free(s->term);
	event_free(s->intr);
	event_free(s->hup);
	event_free(s->child);
	mem_free(s);
}
