/* poolconn.c: a non-blocking SEQPACKET connection. EAGAIN means wait: frames queue up in order, at
 * most QUEUE_FRAMES and QUEUE_BYTES of them; a peer that lets more pile up is hung up on, and HELLO
 * on a new connection then settles what it has (rule 7). Owner: struct pool_conn, loop thread only.
 */
#define LOG_AT "daemon"
#include "core/daemon/poolconn.h"

#include "core/base/hash.h"
#include "core/base/io.h"
#include "core/base/log.h"
#include "core/base/mem.h"

#include <string.h>

#define QUEUE_FRAMES 65536
#define QUEUE_BYTES (64u << 20)
#define FRAMES_A_TURN 256 /* then the loop looks at everything else */

struct out {
	struct frame head;
	char *payload; /* owned; wiped, a job holds secrets */
	size_t n;
	struct out *next;
};

struct pool_conn {
	struct loop *loop;
	int fd;
	struct pool_conn_handlers h;
	struct event *readable, *writable, *closed; /* owned */
	struct out *head, **tail;
	size_t frames, bytes;
	struct str payload;
	bool broken;
};

static void out_free(struct out *o)
{
	if (o->payload)
		hash_wipe(o->payload, o->n);
	mem_free(o->payload);
	mem_free(o);
}

static void conn_break(struct pool_conn *c, const char *why)
{
	if (c->broken)
		return;
	c->broken = true;
	if (why)
		log_warn("connection to the pool given up: %s", why);
	event_del(c->readable);
	event_del(c->writable);
	event_active(c->closed, EV_TIMEOUT, 1);
}

static void on_pool_closed(evutil_socket_t fd, short what, void *arg)
{
	struct pool_conn *c = arg;

	(void)fd, (void)what;
	loop_enter(c->loop, "pool closed");
	c->h.on_closed(c->h.arg); /* frees c */
}

/* What the peer sent before it died is still there, even when a send has failed: it is read to its
 * end. */
static void read_rest(struct pool_conn *c)
{
	struct err err = {0};
	struct frame head;
	int extra = 0;

	for (;;) {
		str_reset(&c->payload);
		if (frame_recv(c->fd, &head, &c->payload, NULL, 0, &extra, &err) != 0)
			return;
		c->h.on_frame(c->h.arg, &head, str_peek(&c->payload), c->payload.len);
	}
}

static void on_pool_readable(evutil_socket_t fd, short what, void *arg)
{
	struct pool_conn *c = arg;
	struct err err = {0};
	struct frame head;
	int extra = 0, rc;

	(void)fd, (void)what;
	loop_enter(c->loop, "pool frame");
	for (int i = 0; i < FRAMES_A_TURN && !c->broken; i++) {
		str_reset(&c->payload);
		rc = frame_recv(c->fd, &head, &c->payload, NULL, 0, &extra, &err);
		if (rc == ERR_AGAIN)
			return;
		if (rc == ERR_CLOSED)
			return conn_break(c, NULL);
		if (rc != 0)
			return conn_break(c, err.text);
		c->h.on_frame(c->h.arg, &head, str_peek(&c->payload), c->payload.len);
	}
}

static int send_now(struct pool_conn *c, const struct frame *head, const char *payload, size_t n)
{
	struct err err = {0};
	int rc = frame_send(c->fd, head, payload, n, NULL, 0, &err);

	if (rc == 0 || rc == ERR_AGAIN)
		return rc;
	read_rest(c);
	conn_break(c, rc == ERR_CLOSED ? NULL : err.text);
	return ERR_CLOSED;
}

static void on_pool_writable(evutil_socket_t fd, short what, void *arg)
{
	struct pool_conn *c = arg;
	struct out *o;

	(void)fd, (void)what;
	loop_enter(c->loop, "pool queue");
	while ((o = c->head) && !c->broken) {
		if (send_now(c, &o->head, o->payload, o->n) != 0)
			return; /* full again, or broken: then it stays for on_unsent */
		c->head = o->next;
		if (!c->head)
			c->tail = &c->head;
		c->frames--;
		c->bytes -= o->n;
		out_free(o);
	}
	if (!c->head)
		event_del(c->writable);
}

struct pool_conn *pool_conn_new(struct loop *l, int fd, const struct pool_conn_handlers *h)
{
	struct pool_conn *c = MEM_NEW(struct pool_conn);

	c->loop = l;
	c->fd = fd;
	c->h = *h;
	c->tail = &c->head;
	str_init(&c->payload, FRAME_PAYLOAD_MAX + 1);
	c->readable = event_new(l->base, fd, EV_READ | EV_PERSIST, on_pool_readable, c);
	c->writable = event_new(l->base, fd, EV_WRITE | EV_PERSIST, on_pool_writable, c);
	c->closed = event_new(l->base, -1, 0, on_pool_closed, c);
	event_add(c->readable, NULL);
	return c;
}

void pool_conn_free(struct pool_conn *c)
{
	struct out *o, *next;

	if (!c)
		return;
	event_free(c->readable);
	event_free(c->writable);
	event_free(c->closed);
	io_close(&c->fd);
	for (o = c->head; o; o = next) {
		next = o->next;
		if (o->head.type == FRAME_JOB && c->h.on_unsent)
			c->h.on_unsent(c->h.arg, &o->head);
		out_free(o);
	}
	str_done(&c->payload);
	mem_free(c);
}

int pool_conn_send(struct pool_conn *c, const struct frame *head, const char *payload, size_t n)
{
	struct out *o;
	int rc = ERR_AGAIN;

	if (c->broken)
		return ERR_CLOSED;
	if (!c->head)
		rc = send_now(c, head, payload, n);
	if (rc != ERR_AGAIN)
		return rc;
	if (c->frames >= QUEUE_FRAMES || c->bytes + n > QUEUE_BYTES) {
		conn_break(c, "it does not read what it is sent");
		return ERR_CLOSED;
	}
	o = MEM_NEW(struct out);
	o->head = *head;
	o->n = n;
	o->payload = n ? mem_dup(payload, n) : NULL;
	*c->tail = o;
	c->tail = &o->next;
	c->frames++;
	c->bytes += n;
	event_add(c->writable, NULL);
	return 0;
}
