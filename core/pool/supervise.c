/* supervise.c: see supervise.h. Owner: pool, main thread. */
#define LOG_AT "pool"
#include "core/pool/supervise.h"

#include "core/base/log.h"
#include "core/base/mem.h"
#include "core/base/paths.h"

#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define WAIT_FIRST_MS 100
#define WAIT_MAX_MS 5000
#define STEADY_US (10 * US_PER_S) /* a daemon that lived this long starts at once again */

static void start(struct supervise *s)
{
	const char **argv = mem_calloc((size_t)s->n_args + 2, sizeof(*argv));
	struct spawn how = {.path = path_of(PATH_DAEMON),
	    .argv = (char *const *)(uintptr_t)argv,
	    .env = s->env,
	    .as = &s->as,
	    .fds = {-1, -1}};
	struct err err;
	int i;

	argv[0] = "sluiced";
	for (i = 0; i < s->n_args; i++)
		argv[i + 1] = s->args[i];
	s->started_at = clock_mono();
	if (spawn_child(&how, &s->pid, &err) != 0) {
		log_error("%s", err.text);
		s->pid = 0;
	}
	slots_set_other(s->slots, s->pid);
	mem_free(argv);
}

static void start_later(struct supervise *s)
{
	struct timeval wait = {.tv_sec = s->wait_ms / 1000, .tv_usec = (s->wait_ms % 1000) * 1000};

	evtimer_add(&s->again, &wait);
	s->wait_ms = s->wait_ms * 2 > WAIT_MAX_MS ? WAIT_MAX_MS : s->wait_ms * 2;
}

static void on_again(evutil_socket_t fd, short what, void *arg)
{
	struct supervise *s = arg;

	(void)fd;
	(void)what;
	start(s);
	if (s->pid == 0)
		start_later(s);
}

void supervise_begin(struct supervise *s)
{
	evtimer_assign(&s->again, s->base, on_again, s);
	s->wait_ms = WAIT_FIRST_MS;
	on_again(-1, 0, s);
}

void supervise_done(struct supervise *s)
{
	if (s->base != NULL)
		event_del(&s->again);
}

bool supervise_reaped(struct supervise *s, pid_t pid, int status)
{
	if (s->pid == 0 || pid != s->pid)
		return false;
	s->pid = 0;
	slots_set_other(s->slots, 0);
	if (WIFSIGNALED(status))
		log_warn("the daemon was ended by signal %d", WTERMSIG(status));
	else
		log_info("the daemon ended with code %d", WEXITSTATUS(status));
	if (s->ending)
		return true;
	if (clock_mono() - s->started_at >= STEADY_US)
		s->wait_ms = WAIT_FIRST_MS;
	start_later(s);
	return true;
}

bool supervise_stop(struct supervise *s, int sig)
{
	if (s->base == NULL)
		return false;
	s->ending = true;
	event_del(&s->again);
	if (s->pid == 0)
		return false;
	kill(s->pid, sig);
	return true;
}

bool supervise_ended(const struct supervise *s)
{
	return s->ending && s->pid == 0;
}
