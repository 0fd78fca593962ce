/* poolstart.c: starts a pool where none takes work, by itself or by the service manager, later and
 * later when that fails. Owner: struct pool_link, loop thread. */
#define LOG_AT "daemon"
#include "core/daemon/poolint.h"

#include "core/base/io.h"
#include "core/base/log.h"
#include "core/pool/link.h"

#include <errno.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define START_LAST_MS 30000

/* While POOLS_MAX retired ones still work, the next has to wait for the end of one: may_retire()
 * lets it come to that only where it did not know yet that another one is retired. */
static bool start_is_wanted(const struct pool_link *p)
{
	unsigned live = 0;

	if (p->closing || str_eq(p->o.starter, "") || p->ready_fd >= 0 ||
	    evtimer_pending(p->start_timer, NULL))
		return false;
	for (const struct instance *i = p->instances; i; i = i->next) {
		if (i->state >= INST_DOWN || i->refused)
			continue;
		if (!i->retired)
			return false;
		live++;
	}
	if (live >= POOLS_MAX)
		log_warn("no pool takes work: %u of other releases have to finish what they have "
			 "first",
		    live);
	return live < POOLS_MAX;
}

static void start_failed(struct pool_link *p)
{
	struct timeval wait;

	io_close(&p->ready_fd);
	p->starting = 0;
	wait = pool_ms(p->start_ms);
	log_error("the pool did not start: next try in %u ms", p->start_ms);
	p->start_ms = p->start_ms * 2 > START_LAST_MS ? START_LAST_MS : p->start_ms * 2;
	evtimer_add(p->start_timer, &wait);
}

static void on_pool_ready(evutil_socket_t fd, short what, void *arg)
{
	struct pool_link *p = arg;
	uint64_t id = 0;
	ssize_t n = read(fd, &id, sizeof(id));

	(void)what;
	loop_enter(p->o.loop, "pool started");
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	event_free(p->ready);
	p->ready = NULL;
	if (n != (ssize_t)sizeof(id)) {
		start_failed(p);
		return;
	}
	io_close(&p->ready_fd);
	p->starting = 0;
	p->start_ms = START_FIRST_MS;
	if (!pool_instance_find(p, id))
		pool_instance_connect(pool_instance_add(p, id));
}

/* The service manager starts a pool for each connection to its socket; the connection is that
 * pool's ready descriptor. */
static int ask_starter(struct pool_link *p, struct err *err)
{
	struct sockaddr_un to = {.sun_family = AF_UNIX};
	int fd;

	if (!str_copy(to.sun_path, sizeof(to.sun_path), p->o.starter))
		return err_set(err, ERR_CONFIG, "SLUICE_POOL_STARTER: the path is too long");
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0 || connect(fd, (const struct sockaddr *)&to, sizeof(to)) != 0) {
		err_errno(err, ERR_UNREACHABLE, errno,
		    "no pool can be asked for at %s: is sluice-pool.socket started?", to.sun_path);
		io_close(&fd);
		return ERR_UNREACHABLE;
	}
	p->ready_fd = fd;
	return 0;
}

void pool_start_wanted(struct pool_link *p)
{
	struct link_start how = {p->o.state, p->o.run_user, p->o.once};
	struct err err = {0};
	int rc;

	if (!start_is_wanted(p))
		return;
	if (p->o.starter)
		rc = ask_starter(p, &err);
	else
		rc = link_start(&how, &p->starting, &p->ready_fd, &err);
	if (rc != 0) {
		log_error("%s", err.text);
		start_failed(p);
		return;
	}
	p->ready = event_new(p->o.loop->base, p->ready_fd, EV_READ | EV_PERSIST, on_pool_ready, p);
	event_add(p->ready, NULL);
}

void on_pool_start_timer(evutil_socket_t fd, short what, void *arg)
{
	struct pool_link *p = arg;

	(void)fd, (void)what;
	loop_enter(p->o.loop, "pool start");
	pool_start_wanted(p);
}
