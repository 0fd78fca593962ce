/* conn.c: one connection: bytes in, requests one after the other, bytes out, deadlines.
 *
 * Written over events and non-blocking sockets, not over evhttp or bufferevents. evhttp behind a
 * strict filter was measured at 14.1 k requests/s against 22.9 k bare, because the filter costs it
 * keep-alive, and it accepts ambiguous framing without one; a request that arrives whole is parsed
 * here where recv put it, answered with one sendmsg, and leaves no buffer behind, so that 10,000
 * idle connections cost their struct only. */
#define LOG_AT "http"
#include "core/http/server.h"

#include "core/base/io.h"
#include "core/base/log.h"
#include "core/base/mem.h"
#include "core/http/call.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#define PIPELINE_MAX (64u << 10) /* bytes read ahead while a request is being answered */
#define LINGER_MS 2000
#define OUT_KEEP (16u << 10)

static void on_read(evutil_socket_t fd, short what, void *arg);
static void on_write(evutil_socket_t fd, short what, void *arg);
static bool feed(struct conn *c, const char *p, size_t n);

/* ---- deadlines ---- */

static int64_t list_us(const struct http *h, enum conn_list list)
{
	switch (list) {
	case LIST_IDLE:
		return h->lim.idle_ms * US_PER_MS;
	case LIST_HEAD:
		return h->lim.head_ms * US_PER_MS;
	case LIST_BODY:
		return h->lim.body_ms * US_PER_MS;
	case LIST_WRITE:
		return h->lim.write_ms * US_PER_MS;
	case LIST_STREAM:
		return h->lim.heartbeat_ms * US_PER_MS;
	case LIST_LINGER:
		return LINGER_MS * US_PER_MS;
	default:
		return 0;
	}
}

static void timer_arm(struct http *h, mono_us at, mono_us now)
{
	int64_t wait = at > now ? at - now : 1;
	struct timeval tv = {.tv_sec = wait / US_PER_S, .tv_usec = wait % US_PER_S};

	if (h->timer_at != 0 && h->timer_at <= at)
		return;
	h->timer_at = at;
	evtimer_add(&h->timer, &tv);
}

void conn_list_move(struct conn *c, enum conn_list to)
{
	struct http *h = c->h;

	if (c->list != LIST_NONE)
		TAILQ_REMOVE(&h->lists[c->list], c, link);
	c->list = to;
	if (to == LIST_NONE)
		return;
	TAILQ_INSERT_TAIL(&h->lists[to], c, link);
	if (to == LIST_BUSY)
		return;
	c->since = h->env.mono();
	timer_arm(h, c->since + list_us(h, to), c->since);
}

void conn_timers(struct http *h)
{
	mono_us now = h->env.mono();

	for (unsigned l = LIST_IDLE; l < LIST_BUSY; l++) {
		struct conn *c = TAILQ_FIRST(&h->lists[l]);
		if (c != NULL)
			timer_arm(h, c->since + list_us(h, (enum conn_list)l), now);
	}
}

static void expire(struct conn *c, enum conn_list list)
{
	struct http *h = c->h;

	if (list == LIST_STREAM) {
		conn_list_move(c, LIST_STREAM);
		if (c->source.idle != NULL)
			c->source.idle(c, c->source.arg);
		return;
	}
	h->stats.timeouts += list != LIST_IDLE && list != LIST_LINGER;
	if (list == LIST_HEAD || list == LIST_BODY) {
		c->keep = false;
		c->busy = true;
		reply_problem(c, 408, "timeout", "the request did not arrive within its time");
		return;
	}
	conn_close(c);
}

void on_timer(evutil_socket_t fd, short what, void *arg)
{
	struct http *h = arg;
	mono_us now = h->env.mono();

	(void)fd;
	(void)what;
	h->timer_at = 0;
	for (unsigned l = LIST_IDLE; l < LIST_BUSY; l++) {
		struct conn *c;
		while ((c = TAILQ_FIRST(&h->lists[l])) != NULL &&
		       c->since + list_us(h, (enum conn_list)l) <= now)
			expire(c, (enum conn_list)l);
	}
	conn_timers(h);
}

/* ---- birth and death ---- */

void conn_new(struct http *h, int fd, const struct peer *peer)
{
	struct conn *c = MEM_NEW(struct conn);

	c->h = h;
	c->fd = fd;
	c->peer = *peer;
	c->keep = true;
	str_init(&c->out, HTTP_OUT_MAX);
	event_assign(&c->read_ev, h->env.base, fd, EV_READ | EV_PERSIST, on_read, c);
	event_assign(&c->write_ev, h->env.base, fd, EV_WRITE, on_write, c);
	h->n_conns++;
	h->stats.accepted++;
	if (event_add(&c->read_ev, NULL) != 0) {
		conn_close(c);
		return;
	}
	c->reading = true;
	conn_list_move(c, LIST_IDLE);
}

static void source_drop(struct conn *c)
{
	struct source s = c->source;

	memset(&c->source, 0, sizeof(c->source));
	if (s.free != NULL)
		s.free(s.arg);
}

void conn_close(struct conn *c)
{
	struct http *h = c->h;

	if (c->dead)
		return;
	c->dead = true;
	event_del(&c->read_ev);
	event_del(&c->write_ev);
	io_close(&c->fd);
	if (c->call != NULL)
		c->call->conn = NULL;
	c->call = NULL;
	source_drop(c);
	conn_list_move(c, LIST_NONE);
	ip_release(h, &c->peer);
	h->n_conns--;
	TAILQ_INSERT_TAIL(&h->dead, c, link);
	event_active(&h->reap, 0, 0);
	listen_resume(h);
}

void on_reap(evutil_socket_t fd, short what, void *arg)
{
	struct http *h = arg;
	struct conn *c;

	(void)fd;
	(void)what;
	while ((c = TAILQ_FIRST(&h->dead)) != NULL) {
		TAILQ_REMOVE(&h->dead, c, link);
		mem_free(c->in);
		str_done(&c->out);
		mem_free(c);
	}
}

/* ---- out ---- */

static void read_on(struct conn *c, bool on)
{
	if (c->reading == on || c->dead)
		return;
	c->reading = on;
	if (on)
		event_add(&c->read_ev, NULL);
	else
		event_del(&c->read_ev);
}

/* Everything was sent and no more will be: half close, so that the client reads the reply before it
 * sees a reset. */
static void linger(struct conn *c)
{
	if (c->eof || shutdown(c->fd, SHUT_WR) != 0) {
		conn_close(c);
		return;
	}
	conn_list_move(c, LIST_LINGER);
	read_on(c, true);
}

static void block(struct conn *c)
{
	c->blocked = true;
	event_add(&c->write_ev, NULL);
	conn_list_move(c, LIST_WRITE);
}

/* true: all is sent */
static bool flush(struct conn *c)
{
	while (c->out_at < c->out.len) {
		ssize_t n = send(c->fd, c->out.s + c->out_at, c->out.len - c->out_at, MSG_NOSIGNAL);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) {
			block(c);
			return false;
		}
		if (n < 0) {
			conn_close(c);
			return false;
		}
		c->out_at += (size_t)n;
	}
	c->out_at = 0;
	c->blocked = false;
	str_reset(&c->out);
	if (c->out.cap > OUT_KEEP)
		str_done(&c->out), str_init(&c->out, HTTP_OUT_MAX);
	return true;
}

static void pump(struct conn *c)
{
	while (!c->dead && c->source.fill != NULL) {
		c->source.fill(c, c->source.arg);
		if (c->dead)
			return;
		bool quiet = c->out_at == c->out.len && c->source.fill != NULL;
		if (c->out.failed) {
			conn_close(c);
			return;
		}
		if (!flush(c))
			return;
		if (quiet) {
			conn_list_move(c, LIST_STREAM);
			return;
		}
	}
}

/* What comes next once a reply is out: more of it, the next request, or the end. A loop and no
 * recursion, because a client may send thousands of requests at once. */
static void settle(struct conn *c)
{
	if (c->running)
		return;
	do {
		if (c->dead || c->blocked || (c->out_at < c->out.len && !flush(c)))
			return;
		if (c->source.fill != NULL)
			pump(c);
		if (c->dead || c->blocked || c->busy)
			return;
		if (c->close_after) {
			linger(c);
			return;
		}
	} while (c->in_n > 0 && feed(c, c->in, c->in_n));
	if (c->dead || c->blocked)
		return;
	if (c->in_n == 0 && c->need == 0)
		conn_list_move(c, LIST_IDLE);
	if (c->eof)
		conn_close(c);
	else
		read_on(c, true);
}

static void on_write(evutil_socket_t fd, short what, void *arg)
{
	struct conn *c = arg;

	(void)fd;
	(void)what;
	if (flush(c))
		settle(c);
}

/* ---- the head of a reply: copied together, because printing it took a tenth of a request's time
 * ---- */

#define HEAD_OUT_MAX 1024

struct head {
	size_t n;
	char s[HEAD_OUT_MAX];
};

static void head_add(struct head *o, const char *s)
{
	size_t n = strlen(s), room = sizeof(o->s) - o->n;

	n = n < room ? n : room;
	memcpy(o->s + o->n, s, n);
	o->n += n;
}

static void head_add_number(struct head *o, uint64_t v)
{
	char digits[21], *p = digits + sizeof(digits) - 1;

	*p = '\0';
	do
		*--p = (char)('0' + v % 10);
	while ((v /= 10) > 0);
	head_add(o, p);
}

static void head_make(
    struct conn *c, struct head *o, int status, const char *type, const char *extra, int64_t length)
{
	o->n = 0;
	head_add(o, "HTTP/1.1 ");
	head_add_number(o, (uint64_t)status);
	head_add(o, " ");
	head_add(o, reply_reason(status));
	head_add(o, "\r\n");
	head_add(o, reply_date(c->h));
	if (type != NULL) {
		head_add(o, "Content-Type: ");
		head_add(o, type);
		head_add(o, "\r\nX-Content-Type-Options: nosniff\r\n");
	}
	if (length >= 0) {
		head_add(o, "Content-Length: ");
		head_add_number(o, (uint64_t)length);
		head_add(o, "\r\n");
	} else if (c->chunked) {
		head_add(o, "Transfer-Encoding: chunked\r\n");
	}
	if (extra != NULL)
		head_add(o, extra);
	if (c->close_after)
		head_add(o, "Connection: close\r\n");
	else if (c->http_1_0)
		head_add(o, "Connection: keep-alive\r\n");
	head_add(o, "\r\n");
}

/* One system call for the usual reply; what the socket does not take goes to `out`. */
static void send_pair(struct conn *c, const char *head, size_t head_n, const void *body, size_t n)
{
	struct iovec v[2] = {{.iov_base = (void *)(uintptr_t)head, .iov_len = head_n},
	    {.iov_base = (void *)(uintptr_t)body, .iov_len = n}};
	struct msghdr m = {.msg_iov = v, .msg_iovlen = n > 0 ? 2 : 1};
	ssize_t sent = 0;

	if (!c->corked && c->out_at == c->out.len && !c->blocked) {
		sent = sendmsg(c->fd, &m, MSG_NOSIGNAL);
		if (sent < 0 && errno != EAGAIN && errno != EWOULDBLOCK && errno != EINTR) {
			conn_close(c);
			return;
		}
		sent = sent < 0 ? 0 : sent;
	}
	size_t done = (size_t)sent;
	if (done < head_n)
		str_addn(&c->out, head + done, head_n - done);
	size_t skip = done > head_n ? done - head_n : 0;
	if (skip < n)
		str_addn(&c->out, (const char *)body + skip, n - skip);
	if (c->out.failed)
		conn_close(c);
	else if (!c->corked && c->out_at < c->out.len)
		flush(c);
}

static void count_reply(struct conn *c, int status)
{
	if (status > 0 && status < HTTP_STATUS_N)
		c->h->stats.requests[status]++;
	if (!c->keep || c->h->draining)
		c->close_after = true;
}

void conn_reply(
    struct conn *c, int status, const char *type, const char *extra, const void *body, size_t n)
{
	struct head head;

	if (c->dead || !c->busy)
		return;
	count_reply(c, status);
	head_make(c, &head, status, type, extra, (int64_t)n);
	send_pair(c, head.s, head.n, body, c->head_only ? 0 : n);
	c->busy = false;
	settle(c);
}

void conn_begin(struct conn *c, int status, const char *type, const char *extra, int64_t length,
    const struct source *source)
{
	struct head head;

	if (c->dead || !c->busy) {
		if (source->free != NULL)
			source->free(source->arg);
		return;
	}
	c->chunked = length < 0 && !c->http_1_0;
	if (length < 0 && c->http_1_0)
		c->keep = false;
	count_reply(c, status);
	head_make(c, &head, status, type, extra, length);
	str_addn(&c->out, head.s, head.n);
	c->source = *source;
	if (c->head_only)
		conn_end(c);
	settle(c);
}

void conn_write(struct conn *c, const void *p, size_t n)
{
	if (c->dead || n == 0)
		return;
	if (c->chunked)
		str_addf(&c->out, "%zx\r\n", n);
	str_addn(&c->out, p, n);
	if (c->chunked)
		str_add(&c->out, "\r\n");
}

void conn_end(struct conn *c)
{
	if (c->dead || !c->busy)
		return;
	if (c->chunked && !c->head_only)
		str_add(&c->out, "0\r\n\r\n");
	c->chunked = false;
	c->busy = false;
	source_drop(c);
}

void conn_kick(struct conn *c)
{
	if (!c->dead && !c->blocked && !c->running && c->source.fill != NULL)
		settle(c);
}

/* ---- in ---- */

static size_t refuse_head(struct conn *c, size_t n, int status, const char *why)
{
	c->h->stats.refused_heads++;
	c->keep = false;
	c->http_1_0 = c->head_only = false;
	c->busy = true;
	reply_problem(c, status, "malformed-request", "%s", why);
	return n;
}

/* The head is whole: true to go on with the request, *ret_total its bytes. */
static bool take_head(struct conn *c, struct http_req *q, size_t n, size_t *ret_total)
{
	*ret_total = q->vet.head_n + (size_t)q->vet.length;
	c->http_1_0 = q->vet.http_1_0;
	c->keep = q->keep && !q->vet.transfer_encoding &&
		  n >= *ret_total; /* a refusal before the body must close */
	c->head_only = q->vet.method == VET_HEAD;
	c->corked = n > *ret_total;
	c->busy = true;
	if (!serve_head(q))
		return false;
	c->keep = q->keep;
	return true;
}

static void await_body(struct conn *c, const struct vet *v, size_t total)
{
	static const char go_on[] = "HTTP/1.1 100 Continue\r\n\r\n";

	c->busy = false;
	c->corked = false;
	if (c->need != 0)
		return;
	c->need = total;
	conn_list_move(c, LIST_BODY);
	if (v->expect_continue && !v->http_1_0)
		send_pair(c, go_on, sizeof(go_on) - 1, NULL, 0);
}

/* Bytes of the request that stands at p, 0 where it is not whole yet. */
static size_t take_one(struct conn *c, const char *p, size_t n)
{
	struct http_req q;
	const char *why = "";
	size_t total;

	if (n < c->need) {
		if (c->list != LIST_BODY)
			conn_list_move(c, LIST_BODY);
		return 0;
	}
	int rc = vet_head(p, n, !c->peer.is_unix, &q.vet, &why);
	if (rc == VET_MORE) {
		if (c->list != LIST_HEAD)
			conn_list_move(c, LIST_HEAD);
		return 0;
	}
	q.h = c->h;
	q.conn = c;
	q.head = p;
	if (rc == 0)
		rc = request_parse(&q, &why);
	if (rc != 0)
		return refuse_head(c, n, rc, why);
	if (!take_head(c, &q, n, &total)) {
		c->need = 0;
		return total < n ? total : n;
	}
	if (n < total) {
		await_body(c, &q.vet, total);
		return 0;
	}
	c->need = 0;
	conn_list_move(c, LIST_BUSY);
	q.body = p + q.vet.head_n;
	q.body_n = (size_t)q.vet.length;
	serve_request(&q);
	return total;
}

static size_t take_all(struct conn *c, const char *p, size_t n)
{
	size_t at = 0;

	c->running = true;
	while (!c->busy && !c->blocked && !c->dead && !c->close_after && at < n) {
		size_t used = take_one(c, p + at, n - at);
		if (used == 0)
			break;
		at += used;
	}
	c->running = false;
	c->corked = false;
	return at;
}

/* Keeps what was not used, in a buffer of its own size; frees it when nothing is left. */
static void keep_rest(struct conn *c, const char *p, size_t n)
{
	bool own = c->in != NULL && p >= c->in && p <= c->in + c->in_cap;

	if (n > 0 && own) {
		memmove(c->in, p, n);
	} else {
		char *to = n > 0 ? mem_try_alloc(n, HTTP_READ_MAX) : NULL;
		mem_free(c->in);
		c->in = to;
		c->in_cap = to != NULL ? n : 0;
		if (n > 0 && to == NULL) {
			c->in_n = 0;
			conn_close(c);
			return;
		}
		if (to != NULL)
			memcpy(to, p, n);
	}
	c->in_n = n;
}

/* Answers what is whole in p[0..n) and keeps the rest. true: it got on. */
static bool feed(struct conn *c, const char *p, size_t n)
{
	size_t used = take_all(c, p, n);

	if (c->dead)
		return false;
	if (c->close_after)
		used = n;
	keep_rest(c, p + used, n - used);
	return used > 0 && !c->dead;
}

/* Room behind what waits: for the rest of a body, or for read-ahead. false: nothing may be read
 * now. */
static bool in_room(struct conn *c)
{
	size_t want = c->need > c->in_n ? c->need : c->in_n + 4096;

	if (c->need == 0 && c->in_n >= PIPELINE_MAX) {
		read_on(c, false);
		return false;
	}
	if (want > c->in_cap * 2 + HTTP_READ_MAX)
		want = c->in_cap * 2 + HTTP_READ_MAX;
	if (want <= c->in_cap)
		return true;
	char *p = mem_try_realloc(c->in, want, SIZE_MAX / 2);
	if (p == NULL) {
		conn_close(c);
		return false;
	}
	c->in = p;
	c->in_cap = want;
	return true;
}

static void on_end_of_input(struct conn *c)
{
	c->eof = true;
	read_on(c, false);
	/* An endless reply has no reader any more; a request under way is still answered. */
	if (c->source.endless || (!c->busy && !c->blocked))
		conn_close(c);
}

static void take_input(struct conn *c, bool own, size_t n)
{
	const char *p = own ? c->in : c->h->read_buf;

	if (own)
		n = c->in_n += n;
	if (!c->busy && !c->blocked) {
		feed(c, p, n);
		settle(c);
	} else if (!own) {
		keep_rest(c, p, n);
	}
}

static void on_read(evutil_socket_t fd, short what, void *arg)
{
	struct conn *c = arg;
	bool drop = c->list == LIST_LINGER;
	bool own = !drop && c->in_n > 0;
	ssize_t n;

	(void)what;
	if (own && !in_room(c))
		return;
	n = own ? recv(fd, c->in + c->in_n, c->in_cap - c->in_n, 0)
		: recv(fd, c->h->read_buf, HTTP_READ_MAX, 0);
	if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR))
		return;
	if (n < 0 || (n == 0 && drop))
		conn_close(c);
	else if (n == 0)
		on_end_of_input(c);
	else if (!drop)
		take_input(c, own, (size_t)n);
}
