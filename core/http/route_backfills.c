/* route_backfills.c: backfills: list, one, what one would do, a new one, pause, resume, cancel. */
#include "core/http/route.h"

#include "core/sched/show.h"

#include <string.h>

#define ACTOR_ROOM sizeof(((struct auth *)0)->actor)

void get_backfills(struct http_req *q)
{
	route_list_reply(q, "backfills", list_backfills);
}

static bool number(struct http_req *q, uint64_t *ret)
{
	if (str_to_u64(q->params[0], ret) == 0 && *ret > 0)
		return true;
	reply_problem(q->conn, 404, "not-found", "no backfill is called \"%s\"", q->params[0]);
	return false;
}

void get_backfill(struct http_req *q)
{
	struct err err = {0};
	const struct view *v;
	uint64_t no;

	if (!number(q, &no) || (v = route_view(q)) == NULL)
		return;
	int rc = show_backfill(v, no, true, reply_begin(q->h));
	route_view_end(q);
	if (rc == ERR_NOT_FOUND)
		err_set(&err, rc, "there is no backfill %llu", (unsigned long long)no);
	if (rc != 0)
		reply_err(q->conn, rc, &err);
	else
		reply_json(q->conn, 200);
}

/* ---- a new one ---- */

static bool choice(struct http_req *q, const struct json *body, const char *name,
    const char *const names[], size_t n, int *ret)
{
	const char *text = json_get_str(body, name, NULL);

	if (json_get(body, name) == NULL || json_is(json_get(body, name), JSON_NULL))
		return true;
	for (size_t i = 0; i < n && text != NULL; i++) {
		if (str_eq(text, names[i])) {
			*ret = (int)i;
			return true;
		}
	}
	reply_problem(q->conn, 400, "usage", "%s: %s, %s%s%s", name, names[0], names[1],
	    n > 2 ? " or " : "", n > 2 ? names[2] : "");
	return false;
}

/* The texts stay the body's: the op borrows it. */
static bool read_body(struct http_req *q, const struct json *body, struct op *op)
{
	static const char *const orders[] = {"oldest", "newest"};
	static const char *const hows[] = {"each", "once", "none"};
	int order = BACKFILL_OLDEST, how = DOWNSTREAM_ONCE;
	int64_t parallel = json_get_i64(body, "max_parallel", 1);

	op->u.backfill.dag = json_get_str(body, "dag", "");
	op->u.backfill.trigger = json_get_str(body, "trigger", NULL);
	op->u.backfill.from = json_get_str(body, "from", "");
	op->u.backfill.to = json_get_str(body, "to", "");
	op->u.backfill.reprocess = json_get_bool(body, "reprocess", false);
	if (!choice(q, body, "order", orders, 2, &order) ||
	    !choice(q, body, "downstream", hows, 3, &how))
		return false;
	if (op->u.backfill.dag[0] == '\0' || op->u.backfill.from[0] == '\0' ||
	    op->u.backfill.to[0] == '\0') {
		reply_problem(q->conn, 400, "usage", "a backfill needs dag, from and to");
		return false;
	}
	if (parallel < 1 || parallel > 1000) {
		reply_problem(q->conn, 400, "usage", "max_parallel: 1 to 1000");
		return false;
	}
	op->u.backfill.order = (enum backfill_order)order;
	op->u.backfill.downstream = (enum downstream)how;
	op->u.backfill.max_parallel = (uint32_t)parallel;
	return true;
}

static void preview(struct http_req *q, const struct op *op)
{
	struct err err = {0};
	const struct view *v = route_view(q);

	if (v == NULL)
		return;
	int rc = show_backfill_plan(v, op, q->h->env.wall(), reply_begin(q->h), &err);
	route_view_end(q);
	if (rc != 0)
		reply_err(q->conn, rc, &err);
	else
		reply_json(q->conn, 200);
}

static void reply_one(struct call *call, uint64_t no, int status)
{
	struct http *h = call->h;
	const struct view *v = h->env.view_begin(h->env.arg);
	int rc = v != NULL ? show_backfill(v, no, true, reply_begin(h)) : ERR_IO;

	if (v != NULL)
		h->env.view_end(h->env.arg);
	if (rc != 0)
		reply_err(call->conn, rc, NULL);
	else
		reply_json(call->conn, status);
}

static void on_made(struct call *call, const struct op_result *r)
{
	reply_one(call, r->number, 201);
}

void post_backfill(struct http_req *q)
{
	struct op op = {.kind = OP_BACKFILL};
	struct json *body;

	if (!route_body(q,
		"dag:string trigger:string? from:string to:string order:string max_parallel:int "
		"reprocess:bool downstream:string dry_run:bool",
		&body))
		return;
	bool good = read_body(q, body, &op), dry = json_get_bool(body, "dry_run", false);
	if (good && dry)
		preview(q, &op);
	if (!good || dry) {
		json_free(body);
		return;
	}
	struct call *call = call_new(q, OP_BACKFILL, ACTOR_ROOM);
	call->json = body;
	call->op->op = op;
	call->op->op.u.backfill.actor = call_str(call, q->auth.actor);
	call_submit(call, on_made);
}

/* ---- one that is there ---- */

static void on_changed(struct call *call, const struct op_result *r)
{
	reply_one(call, r->number, 200);
}

static void change(struct http_req *q, enum backfill_state to)
{
	struct json *body;
	uint64_t no;

	if (!route_body(q, "", &body))
		return;
	json_free(body);
	if (!number(q, &no))
		return;
	struct call *call = call_new(q, OP_BACKFILL_STATE, ACTOR_ROOM);
	call->op->op.u.backfill_state.no = no;
	call->op->op.u.backfill_state.to = to;
	call->op->op.u.backfill_state.actor = call_str(call, q->auth.actor);
	call_submit(call, on_changed);
}

void post_backfill_pause(struct http_req *q)
{
	change(q, BACKFILL_PAUSED);
}

void post_backfill_resume(struct http_req *q)
{
	change(q, BACKFILL_RUNNING);
}

void post_backfill_cancel(struct http_req *q)
{
	change(q, BACKFILL_CANCELLED);
}
