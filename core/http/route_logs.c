/* route_logs.c: GET /v1/runs/ID/steps/STEP/log?attempt=N&follow=1&offset=BYTES as text. Without
 * attempt the newest; followed, the later ones as well, until the step has ended. */
#include "core/http/route.h"
#include "core/http/tail.h"

#include "core/base/mem.h"
#include "core/sched/show.h"

#include <string.h>

#define PIECES_AT_ONCE 8

struct log_reply {
	struct http *h;
	struct conn *conn;
	struct tail tail;
	bool follow;
	struct event timer;
};

static void on_poll(evutil_socket_t fd, short what, void *arg)
{
	struct log_reply *l = arg;

	(void)fd;
	(void)what;
	conn_kick(l->conn);
}

static void log_free(void *arg)
{
	struct log_reply *l = arg;

	event_del(&l->timer);
	mem_free(l);
}

/* Asked before reading: what an attempt wrote before it was over is then read after. */
static enum tail_state look(struct log_reply *l)
{
	struct http *h = l->h;
	const struct view *v = l->follow ? h->env.view_begin(h->env.arg) : NULL;
	enum tail_state state = TAIL_OVER;

	if (v == NULL)
		return state;
	state = tail_look(v, &l->tail);
	h->env.view_end(h->env.arg);
	return state;
}

static bool read_pieces(struct log_reply *l, struct conn *c)
{
	struct err err = {0};
	uint64_t offset;
	bool any = false;

	for (int i = 0; i < PIECES_AT_ONCE; i++) {
		struct str text;
		str_init(&text, 2 * TAIL_PIECE);
		int rc = tail_read(l->h, &l->tail, &text, &offset, &err);
		if (rc == 0 && text.len > 0)
			conn_write(c, text.s, text.len);
		bool got = rc == 0 && text.len > 0;
		str_done(&text);
		if (!got)
			break;
		any = true;
	}
	return any;
}

static void log_fill(struct conn *c, void *arg)
{
	static const struct timeval wait = {.tv_usec = TAIL_POLL_MS * 1000};
	struct log_reply *l = arg;
	enum tail_state state = look(l);

	if (read_pieces(l, c))
		return;
	if (state == TAIL_OVER) {
		conn_end(c);
		return;
	}
	if (state == TAIL_NEXT) {
		char line[64];
		tail_next(&l->tail);
		int n = snprintf(line, sizeof(line), "--- attempt %u ---\n", l->tail.attempt);
		if (l->tail.attempt > 1)
			conn_write(c, line, (size_t)n);
		else
			evtimer_add(&l->timer, &wait);
		return;
	}
	evtimer_add(&l->timer, &wait);
}

static bool log_options(struct http_req *q, struct log_reply *l, uint64_t *ret_attempt)
{
	char text[24];
	bool bad = false;

	*ret_attempt = 0;
	if (request_query(q, "attempt", text, sizeof(text), &bad))
		bad |= str_to_u64(text, ret_attempt) != 0 || *ret_attempt > UINT32_MAX;
	if (request_query(q, "follow", text, sizeof(text), &bad))
		bad |= !route_flag(text, &l->follow);
	if (bad)
		reply_problem(q->conn, 400, "usage", "attempt is a number, follow is 0 or 1");
	return !bad;
}

static bool find_tail(struct http_req *q, uint32_t attempt, struct tail *ret)
{
	struct step_ref ref;
	struct run_rec rec;
	struct err err = {0};
	uint64_t run;
	const struct view *v = route_view(q);

	if (v == NULL)
		return false;
	if (!route_run(q, v, &run, &rec)) {
		route_view_end(q);
		return false;
	}
	int rc = find_step(v, run, q->params[1], &ref, &err);
	if (rc == 0)
		rc = tail_open(v, &ref, attempt, ret);
	route_view_end(q);
	if (rc == ERR_NOT_FOUND && err.text[0] == '\0')
		err_set(&err, rc, "the run has no step \"%s\"", q->params[1]);
	if (rc != 0)
		reply_err(q->conn, rc, &err);
	return rc == 0;
}

void get_log(struct http_req *q)
{
	struct log_reply *l = MEM_NEW(struct log_reply);
	struct source source = {.fill = log_fill, .free = log_free, .arg = l};
	uint64_t attempt;

	l->h = q->h;
	l->conn = q->conn;
	event_assign(&l->timer, q->h->env.base, -1, 0, on_poll, l);
	if (!log_options(q, l, &attempt) || !find_tail(q, (uint32_t)attempt, &l->tail)) {
		log_free(l);
		return;
	}
	source.endless = l->follow;
	conn_begin(
	    q->conn, 200, "text/plain; charset=utf-8", "Cache-Control: no-store\r\n", -1, &source);
}
