/* conn.c: the daemon's connections and the queue of frames to it. Owner: pool, main thread.
 *
 * Only one connection counts, the one that said HELLO last; what an older one still has unread was
 * never handed over, and END says so (rules 4, 6). */
#define LOG_AT "pool"
#include "core/base/hash.h"
#include "core/base/io.h"
#include "core/base/log.h"
#include "core/base/mem.h"
#include "core/base/release.h"
#include "core/pool/mailbox_int.h"
#include "core/pool/mutant.h"

#include <string.h>

#define FRAMES_A_TURN 256
#define RELEASE_MAX 64
#define HELLO_BYTES 20 /* store uuid, epoch */

static void on_conn_readable(evutil_socket_t fd, short what, void *arg);
static void on_conn_writable(evutil_socket_t fd, short what, void *arg);

/* ---- frames to the daemon ---- */

void out_push(struct mailbox *m, struct out_item *item)
{
	if (item->queued)
		return;
	TAILQ_INSERT_TAIL(&m->out, item, link);
	item->queued = true;
}

void out_remove(struct mailbox *m, struct out_item *item)
{
	if (!item->queued)
		return;
	TAILQ_REMOVE(&m->out, item, link);
	item->queued = false;
}

/* What was not sent is told again after the next HELLO; answers to system jobs are not. */
static void out_clear(struct mailbox *m)
{
	struct out_item *item;
	struct attempt *a;

	while ((item = TAILQ_FIRST(&m->out)) != NULL) {
		a = item->attempt;
		out_remove(m, item);
		if (a != NULL && a->system)
			attempt_free(a);
	}
}

static void fill_head(
    const struct mailbox *m, struct frame *h, uint16_t type, const struct attempt *a)
{
	memset(h, 0, sizeof(*h));
	h->type = type;
	h->instance = m->instance;
	if (a == NULL)
		return;
	h->run = a->key.run;
	h->step = a->key.step;
	h->item = a->key.item;
	h->token = a->key.token;
}

/* Who speaks: the instance, and the release that it is of, by which a newer daemon knows that it is
 * to be retired. */
static int send_end(const struct mailbox *m, int fd, const struct frame *h)
{
	char who[sizeof(m->instance) + RELEASE_MAX];
	size_t n = strlen(release_name());

	n = n < RELEASE_MAX ? n : RELEASE_MAX;
	memcpy(who, &m->instance, sizeof(m->instance));
	memcpy(who + sizeof(m->instance), release_name(), n);
	return frame_send(fd, h, who, sizeof(m->instance) + n, NULL, 0, NULL);
}

static int send_item(struct mailbox *m, const struct out_item *item)
{
	const struct attempt *a = item->attempt;
	struct frame h;

	fill_head(m, &h, item->type, a);
	switch (item->type) {
	case FRAME_END:
		h.flags = m->retired ? FRAME_RETIRED : 0;
		h.code = m->n_running;
		return send_end(m, m->daemon->fd, &h);
	case FRAME_OUT:
	case FRAME_SYSTEM_OUT:
		h.code = a->code;
		h.time_us = a->ended_at;
		return frame_send(m->daemon->fd, &h, a->report, a->report_n, NULL, 0, NULL);
	default:
		return frame_send(m->daemon->fd, &h, NULL, 0, NULL, 0, NULL);
	}
}

static void conn_free(struct conn *c)
{
	event_del(&c->readable);
	event_del(&c->writable);
	io_close(&c->fd);
	mem_free(c);
}

static void drop_daemon(struct mailbox *m)
{
	struct conn *c = m->daemon;

	m->daemon = NULL;
	out_clear(m);
	system_forget_daemon(m);
	conn_free(c);
}

static void lose_daemon(struct mailbox *m)
{
	drop_daemon(m);
	m->ops.daemon_lost(m->ctx);
	m->ops.changed(m->ctx);
}

void out_flush(struct mailbox *m)
{
	struct out_item *item;
	int rc;

	while (m->daemon != NULL && (item = TAILQ_FIRST(&m->out)) != NULL) {
		rc = send_item(m, item);
		if (rc == ERR_AGAIN) {
			event_add(&m->daemon->writable, NULL);
			return;
		}
		if (rc != 0) {
			/* The reader will see the end, after what the daemon said last. */
			log_warn("the daemon's connection failed; outcomes are kept for the next");
			out_clear(m);
			return;
		}
		out_remove(m, item);
		if (item->attempt != NULL && item->attempt->system)
			attempt_free(item->attempt);
		else if (item->type == FRAME_OUT && pool_mutant("forget-when-sent"))
			table_forget(m, item->attempt);
	}
}

void out_progress(struct mailbox *m, struct attempt *a)
{
	struct frame h;

	if (m->daemon != NULL && TAILQ_EMPTY(&m->out)) {
		fill_head(m, &h, FRAME_PROGRESS, a);
		/* Full or broken: the next one or nobody will miss it. */
		if (frame_send(m->daemon->fd, &h, a->progress, a->progress_n, NULL, 0, NULL) == 0)
			a->progress_at = clock_mono();
	}
	mem_free(a->progress);
	a->progress = NULL;
}

/* ---- HELLO ---- */

static void refuse(struct conn *c, const char *why)
{
	struct frame h;

	fill_head(c->m, &h, FRAME_REFUSED, NULL);
	log_warn("a connection is refused: %s", why);
	if (frame_send(c->fd, &h, why, strlen(why), NULL, 0, NULL) != 0)
		log_debug("the refusal did not arrive");
}

/* One RUN or OUT for each entry and END, as one block (rule 4): later outcomes queue behind. */
static void answer_hello(struct mailbox *m)
{
	struct attempt *a;

	out_clear(m);
	TAILQ_FOREACH(a, &m->all, link)
	out_push(m, a->state == ATTEMPT_ENDED ? &a->out_item : &a->run_item);
	out_push(m, &m->end_item);
	out_flush(m);
}

static bool take_hello(struct conn *c, const char *p, size_t n)
{
	struct mailbox *m = c->m;

	if (n < HELLO_BYTES) {
		refuse(c, "HELLO without a store's identity");
		return false;
	}
	if (m->bound && memcmp(m->uuid, p, sizeof(m->uuid)) != 0) {
		refuse(
		    c, "this pool belongs to another store: give each state folder its own store");
		return false;
	}
	m->bound = true;
	memcpy(m->uuid, p, sizeof(m->uuid));
	memcpy(&m->epoch, p + sizeof(m->uuid), sizeof(m->epoch));
	if (m->daemon != c) {
		if (m->daemon != NULL)
			drop_daemon(m);
		TAILQ_REMOVE(&m->strangers, c, link);
		m->n_strangers--;
		m->daemon = c;
	}
	answer_hello(m);
	m->ops.changed(m->ctx);
	return true;
}

/* From the daemon, or from `sluice shutdown` where there is none. The END that answers says how
 * many attempts still run. */
static void take_shutdown(struct conn *c, uint32_t code)
{
	struct mailbox *m = c->m;
	struct frame h;

	log_info("shutdown asked for: %s, %u attempts run", code == 1 ? "cancel" : "drain",
	    m->n_running);
	m->retired = true;
	if (m->daemon != NULL) { /* it learns that nothing more may be handed over */
		out_push(m, &m->end_item);
		out_flush(m);
	}
	if (code == 1)
		mailbox_kill_all(m, OUT_CANCELLED);
	fill_head(m, &h, FRAME_END, NULL);
	h.flags = FRAME_RETIRED;
	h.code = m->n_running;
	if (c != m->daemon && send_end(m, c->fd, &h) != 0)
		log_debug("the receipt of a shutdown did not arrive");
	m->ops.changed(m->ctx);
}

/* ---- frames from the daemon ---- */

static void take_daemon_frame(struct mailbox *m, const struct frame *h)
{
	struct attempt *a;

	switch (h->type) {
	case FRAME_JOB:
		table_job(m, h, str_peek(&m->in), m->in.len);
		break;
	case FRAME_KILL: /* unknown or ended: ignored (rule 21) */
		a = table_find(m, h);
		if (a != NULL && (h->flags & FRAME_HARD) != 0)
			mailbox_kill_hard(m, a, OUT_CANCELLED);
		else if (a != NULL)
			mailbox_kill(m, a, OUT_CANCELLED);
		break;
	case FRAME_ACK:
		table_ack(m, h);
		break;
	case FRAME_RETIRE:
		mailbox_retire(m);
		break;
	case FRAME_SYSTEM:
		system_job(m, h, str_peek(&m->in), m->in.len);
		break;
	default: /* of a newer release */
		break;
	}
}

/* False: the connection is to be closed. */
static bool take_frame(struct conn *c, const struct frame *h)
{
	struct mailbox *m = c->m;

	if (h->type == FRAME_HELLO)
		return take_hello(c, str_peek(&m->in), m->in.len);
	if (h->type == FRAME_SHUTDOWN) {
		take_shutdown(c, h->code);
		return true;
	}
	if (c != m->daemon) {
		refuse(c, "say HELLO first");
		return false;
	}
	take_daemon_frame(m, h);
	return true;
}

static void close_conn(struct conn *c)
{
	struct mailbox *m = c->m;

	if (c == m->daemon) {
		lose_daemon(m);
		return;
	}
	TAILQ_REMOVE(&m->strangers, c, link);
	m->n_strangers--;
	conn_free(c);
}

static void on_conn_readable(evutil_socket_t fd, short what, void *arg)
{
	struct conn *c = arg;
	struct mailbox *m = c->m;
	struct frame h;
	struct err err;
	bool open = true;
	int i, rc = 0;

	(void)what;
	for (i = 0; open && i < FRAMES_A_TURN; i++) {
		str_reset(&m->in);
		rc = frame_recv((int)fd, &h, &m->in, NULL, 0, NULL, &err);
		if (rc == ERR_AGAIN)
			return;
		if (rc != 0 && rc != ERR_CLOSED)
			log_warn("a connection is dropped: %s", err.text);
		open = rc == 0 && take_frame(c, &h);
		if (rc == 0 && (h.type == FRAME_JOB || h.type == FRAME_SYSTEM))
			hash_wipe(m->in.s, m->in.len); /* secrets */
	}
	if (!open)
		close_conn(c);
}

static void on_conn_writable(evutil_socket_t fd, short what, void *arg)
{
	struct conn *c = arg;

	(void)fd;
	(void)what;
	out_flush(c->m);
}

void mailbox_accept(struct mailbox *m, int fd)
{
	struct conn *c = MEM_NEW(struct conn), *oldest;

	c->m = m;
	c->fd = fd;
	io_set_nonblock(fd, true);
	event_assign(&c->readable, m->base, fd, EV_READ | EV_PERSIST, on_conn_readable, c);
	event_assign(&c->writable, m->base, fd, EV_WRITE, on_conn_writable, c);
	event_add(&c->readable, NULL);
	if (m->n_strangers >= MAILBOX_CONNECTIONS) {
		oldest = TAILQ_FIRST(&m->strangers);
		TAILQ_REMOVE(&m->strangers, oldest, link);
		m->n_strangers--;
		conn_free(oldest);
	}
	TAILQ_INSERT_TAIL(&m->strangers, c, link);
	m->n_strangers++;
}

void conn_close_all(struct mailbox *m)
{
	struct conn *c;

	if (m->daemon != NULL)
		drop_daemon(m);
	while ((c = TAILQ_FIRST(&m->strangers)) != NULL) {
		TAILQ_REMOVE(&m->strangers, c, link);
		m->n_strangers--;
		conn_free(c);
	}
}
