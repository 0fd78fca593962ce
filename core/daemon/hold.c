/* hold.c: after a restore nothing is handed out until every instance of the pool is settled, every
 * attempt that the restored store does not know is dead, and a person said `resume --all` (rule
 * 24). The hold is in the store, so it outlives this daemon. Owner: struct hold, loop thread. */
#define LOG_AT "daemon"
#include "core/daemon/daemon.h"

#include "core/base/log.h"
#include "core/base/mem.h"
#include "core/sched/table.h"

#define LOOK_MS 100

struct hold {
	struct daemon *d;
	struct event *timer;
	bool asked, settled_told;
};

static void on_released(void *arg, const struct op_result *r)
{
	struct hold *h = arg;

	h->asked = false;
	if (r->rc != 0) {
		log_error("the hold after the restore stays: %s", r->err.text);
		return;
	}
	log_info("resumed after the restore: work is handed out again");
	event_del(h->timer);
}

static bool is_paused(struct daemon *d)
{
	const struct view *v = store_read_begin(d->own_read);
	uint64_t all = 0;
	bool paused = !v || (meta_get(v, META_PAUSED, &all) == 0 && all != 0);

	store_read_end(d->own_read);
	return paused;
}

static void release(struct hold *h)
{
	struct writer_op *op = writer_op_new(OP_HOLD_END);

	op->done = on_released;
	op->arg = h;
	h->asked = daemon_submit(h->d, op) == 0;
	if (!h->asked)
		writer_op_free(op);
}

static void on_hold_look(evutil_socket_t fd, short what, void *arg)
{
	struct hold *h = arg;
	struct daemon *d = h->d;

	(void)fd, (void)what;
	loop_enter(&d->loop, "hold");
	if (h->asked || d->stopping || !pool_link_is_clear(d->pools))
		return;
	if (!h->settled_told)
		log_info("every attempt of before the restore is settled");
	h->settled_told = true;
	if (!is_paused(d))
		release(h);
}

struct hold *hold_new(struct daemon *d)
{
	struct timeval look = {.tv_usec = LOOK_MS * 1000};
	const struct view *v = store_read_begin(d->own_read);
	bool held = v && sched_held(v);
	struct hold *h;

	store_read_end(d->own_read);
	if (!held)
		return NULL;
	log_warn("the store was restored: what ran before is brought to its end, then `sluice "
		 "resume --all` starts work again");
	h = MEM_NEW(struct hold);
	h->d = d;
	h->timer = event_new(d->loop.base, -1, EV_PERSIST, on_hold_look, h);
	event_add(h->timer, &look);
	return h;
}

void hold_free(struct hold *h)
{
	if (!h)
		return;
	event_free(h->timer);
	mem_free(h);
}
