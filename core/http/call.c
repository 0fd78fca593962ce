/* call.c: requests that wait for the writer or the daemon; see call.h. */
#include "core/http/call.h"

#include "core/base/mem.h"

#include <stdlib.h>
#include <string.h>

static void arena_free(void *arg)
{
	struct call *call = arg;

	if (call->conn != NULL && call->conn->call == call)
		call->conn->call = NULL;
	json_free(call->json);
	mem_free(call);
}

static void on_done(void *arg, const struct op_result *r)
{
	struct call *call = arg;
	struct conn *c = call->conn;

	if (c == NULL)
		return;
	c->call = NULL;
	call->conn = NULL;
	if (r->rc != 0) {
		reply_err(c, r->rc, &r->err);
		return;
	}
	call->conn = c;
	call->reply(call, r);
	call->conn = NULL;
}

static struct call *new_block(struct http_req *q, size_t room)
{
	size_t cap = (room + 15) & ~(size_t)15;
	struct call *call = mem_alloc(sizeof(*call) + cap);

	memset(call, 0, sizeof(*call));
	call->h = q->h;
	call->conn = q->conn;
	call->cap = cap;
	q->conn->call = call;
	return call;
}

struct call *call_new(struct http_req *q, enum op_kind kind, size_t room)
{
	struct call *call = new_block(q, room);

	call->op = writer_op_new(kind);
	call->op->arena = call;
	call->op->free_arena = arena_free;
	call->op->done = on_done;
	call->op->arg = call;
	return call;
}

struct call *call_new_daemon(struct http_req *q)
{
	return new_block(q, 0);
}

void call_free(struct call *call)
{
	if (call->op != NULL)
		writer_op_free(call->op);
	else
		arena_free(call);
}

char *call_text(struct call *call, const char *s, size_t n)
{
	char *to = call->mem + call->used;

	if (s == NULL)
		return NULL;
	if (n >= call->cap - call->used)
		abort();
	memcpy(to, s, n);
	to[n] = '\0';
	call->used += n + 1;
	return to;
}

char *call_str(struct call *call, const char *s)
{
	return s != NULL ? call_text(call, s, strlen(s)) : NULL;
}

void *call_mem(struct call *call, size_t n)
{
	size_t at = (call->used + 15) & ~(size_t)15;

	if (at > call->cap || n > call->cap - at)
		abort();
	call->used = at + n;
	return call->mem + at;
}

void call_submit(struct call *call, void (*reply)(struct call *call, const struct op_result *r))
{
	struct http *h = call->h;
	struct conn *c = call->conn;
	struct writer_op *op = call->op;

	call->reply = reply;
	call->op = NULL; /* the writer's from here on */
	int rc = h->env.submit(h->env.arg, op);
	if (rc == 0)
		return;
	writer_op_free(op);
	reply_problem(c, 503, rc == ERR_FULL ? "over-quota" : "stopping",
	    "the writer does not take requests: %s",
	    rc == ERR_FULL ? "too many are waiting" : "the daemon is stopping");
}

void call_answer(void *arg, int rc, const struct err *err, const char *json)
{
	struct call *call = arg;
	struct conn *c = call->conn;

	call->conn = NULL;
	if (c != NULL) {
		c->call = NULL;
		if (rc != 0) {
			reply_err(c, rc, err);
		} else {
			struct jw *w = reply_begin(c->h);
			jw_raw(w, json != NULL ? json : "{}");
			reply_json(c, 200);
		}
	}
	arena_free(call);
}
