/* poolstart.c: starts a pool where none takes work, later and later when that fails. Owner: struct
 * pool_link, loop thread. */
#define LOG_AT "daemon"
#include "core/daemon/poolint.h"

#include "core/base/io.h"
#include "core/base/log.h"
#include "core/pool/link.h"

#include <errno.h>
#include <unistd.h>

#define START_LAST_MS 30000

static bool start_is_wanted(const struct pool_link *p)
{
	if (p->closing || p->o.managed || p->starting || evtimer_pending(p->start_timer, NULL))
		return false;
	for (const struct instance *i = p->instances; i; i = i->next) {
		if (i->state < INST_DOWN && !i->retired && !i->refused)
			return false;
	}
	return true;
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

void pool_start_wanted(struct pool_link *p)
{
	struct link_start how = {p->o.state, p->o.run_user, p->o.once};
	struct err err = {0};

	if (!start_is_wanted(p))
		return;
	if (link_start(&how, &p->starting, &p->ready_fd, &err) != 0) {
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
