/* sd.c: see sd.h. Owner: struct daemon, loop thread. */
#define LOG_AT "daemon"
#include "core/daemon/sd.h"

#include "core/base/clock.h"
#include "core/base/io.h"
#include "core/base/log.h"
#include "core/base/mem.h"
#include "core/http/http.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define FIRST_FD 3
#define FDS_MAX 16

struct sd {
	char *notify, *starter; /* owned, or NULL */
	int n_fds;		/* handed over, from FIRST_FD on; 0 once listened at */
	uint64_t watchdog_us;
	struct event *timer; /* owned */
};

static uint64_t env_number(const char *name)
{
	const char *text = getenv(name);
	uint64_t n = 0;

	return text && str_to_u64(text, &n) == 0 ? n : 0;
}

static bool is_for_us(const char *pid_name)
{
	return env_number(pid_name) == (uint64_t)getpid();
}

static char *env_take(const char *name)
{
	const char *text = getenv(name);
	char *copy = text && text[0] ? mem_strdup(text) : NULL;

	unsetenv(name);
	return copy;
}

struct sd *sd_new(void)
{
	static const char *const used[] = {
	    "LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES", "WATCHDOG_PID", "WATCHDOG_USEC"};
	struct sd *s = MEM_NEW(struct sd);
	uint64_t n;

	if (is_for_us("LISTEN_PID")) {
		n = env_number("LISTEN_FDS");
		s->n_fds = n > FDS_MAX ? FDS_MAX : (int)n;
	}
	for (int fd = FIRST_FD; fd < FIRST_FD + s->n_fds; fd++)
		io_set_cloexec(fd, true);
	if (!getenv("WATCHDOG_PID") || is_for_us("WATCHDOG_PID"))
		s->watchdog_us = env_number("WATCHDOG_USEC");
	s->notify = env_take("NOTIFY_SOCKET");
	s->starter = env_take("SLUICE_POOL_STARTER");
	for (size_t i = 0; i < sizeof(used) / sizeof(used[0]); i++)
		unsetenv(used[i]);
	return s;
}

void sd_free(struct sd *s)
{
	if (!s)
		return;
	for (int fd = FIRST_FD; fd < FIRST_FD + s->n_fds; fd++)
		close(fd);
	if (s->timer)
		event_free(s->timer);
	mem_free(s->notify);
	mem_free(s->starter);
	mem_free(s);
}

const char *sd_pool_starter(const struct sd *s)
{
	return s->starter;
}

int sd_listen(struct sd *s, struct http *h, bool *ret_unix, bool *ret_tcp, struct err *err)
{
	int fd = FIRST_FD, end = FIRST_FD + s->n_fds, rc = 0, domain;
	socklen_t n;

	s->n_fds = 0;
	for (; rc == 0 && fd < end; fd++) {
		n = sizeof(domain);
		if (getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &n) != 0)
			rc = err_set(err, ERR_CONFIG, "LISTEN_FDS: descriptor %d is no socket", fd);
		else
			rc = http_listen_fd(h, fd, err);
		if (rc == 0 && domain == AF_UNIX)
			*ret_unix = true;
		else if (rc == 0)
			*ret_tcp = true;
		else
			close(fd);
	}
	for (; fd < end; fd++)
		close(fd);
	return rc;
}

void sd_notify(const struct sd *s, const char *text)
{
	struct sockaddr_un to = {.sun_family = AF_UNIX};
	size_t len = s->notify ? strlen(s->notify) : 0;
	int fd;

	if (len == 0 || len >= sizeof(to.sun_path))
		return;
	memcpy(to.sun_path, s->notify, len);
	if (to.sun_path[0] == '@')
		to.sun_path[0] = '\0'; /* an abstract name */
	fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return;
	if (sendto(fd, text, strlen(text), MSG_NOSIGNAL, (const struct sockaddr *)&to,
		(socklen_t)(offsetof(struct sockaddr_un, sun_path) + len)) < 0)
		log_debug("the service manager does not listen at %s", s->notify);
	close(fd);
}

void sd_reloading(const struct sd *s)
{
	char text[64];

	snprintf(text, sizeof(text), "RELOADING=1\nMONOTONIC_USEC=%lld", (long long)clock_mono());
	sd_notify(s, text);
}

static void on_watchdog(evutil_socket_t fd, short what, void *arg)
{
	(void)fd, (void)what;
	sd_notify(arg, "WATCHDOG=1");
}

void sd_watchdog(struct sd *s, struct loop *loop)
{
	uint64_t half = s->watchdog_us / 2;
	struct timeval wait = {
	    .tv_sec = (time_t)(half / 1000000), .tv_usec = (suseconds_t)(half % 1000000)};

	if (half == 0 || !s->notify)
		return;
	s->timer = event_new(loop->base, -1, EV_PERSIST, on_watchdog, s);
	event_add(s->timer, &wait);
}
