/* route_cursors.c: cursors: list, one, and one that a person sets. */
#include "core/http/route.h"

#include "core/sched/show.h"

#include <string.h>

#define CURSOR_TEXT_MAX (64u << 10)

void get_cursors(struct http_req *q)
{
	route_list_reply(q, "cursors", list_cursors);
}

static int put_one(const struct view *v, const char *dag, const char *step, const char *item,
    struct jw *w, struct err *err)
{
	int rc = ERR_NOT_FOUND;

	if (strlen(dag) < PLAN_NAME_MAX && strlen(step) < PLAN_NAME_MAX &&
	    strlen(item) < PLAN_KEY_MAX)
		rc = find_cursor(v, dag, step, item, w);
	if (rc == ERR_NOT_FOUND)
		err_set(err, rc, "step %.60s%s%.100s%s of DAG %.60s has no cursor", step,
		    item[0] != '\0' ? "[" : "", item, item[0] != '\0' ? "]" : "", dag);
	return rc;
}

void get_cursor(struct http_req *q)
{
	const char *item = q->n_params > 2 ? q->params[2] : "";
	struct err err = {0};
	const struct view *v = route_view(q);

	if (v == NULL)
		return;
	int rc = put_one(v, q->params[0], q->params[1], item, reply_begin(q->h), &err);
	route_view_end(q);
	if (rc != 0)
		reply_err(q->conn, rc, &err);
	else
		reply_json(q->conn, 200);
}

static void on_set(struct call *call, const struct op_result *r)
{
	const struct op *op = call->tag;
	struct http *h = call->h;
	struct err err = {0};
	const struct view *v = h->env.view_begin(h->env.arg);
	int rc = ERR_IO;

	(void)r;
	if (v != NULL)
		rc = put_one(v, op->u.cursor_set.dag, op->u.cursor_set.step, op->u.cursor_set.item,
		    reply_begin(h), &err);
	if (v != NULL)
		h->env.view_end(h->env.arg);
	if (rc != 0)
		reply_err(call->conn, rc, &err);
	else
		reply_json(call->conn, 200);
}

static bool check_cursor(struct http_req *q, const struct json *cursor, struct str *text)
{
	if (!json_is(cursor, JSON_OBJECT) && !json_is(cursor, JSON_ARRAY)) {
		reply_problem(q->conn, 400, "usage",
		    "cursor: an object is expected, as GET shows it for the step");
		return false;
	}
	json_print(cursor, text);
	if (!text->failed)
		return true;
	reply_problem(q->conn, 400, "limit", "cursor: at most %u bytes", CURSOR_TEXT_MAX);
	return false;
}

static void submit(struct http_req *q, const struct str *text, wall_us upto)
{
	const char *item = q->n_params > 2 ? q->params[2] : "";
	struct call *call = call_new(q, OP_CURSOR_SET,
	    text->len + strlen(q->params[0]) + strlen(q->params[1]) + strlen(item) +
		sizeof(q->auth.actor) + 8);
	struct op *op = &call->op->op;

	op->u.cursor_set.dag = call_str(call, q->params[0]);
	op->u.cursor_set.step = call_str(call, q->params[1]);
	op->u.cursor_set.item = call_str(call, item);
	op->u.cursor_set.json = call_text(call, text->s, text->len);
	op->u.cursor_set.complete_through = upto;
	op->u.cursor_set.actor = call_str(call, q->auth.actor);
	call->tag = op;
	call_submit(call, on_set);
}

void post_cursor(struct http_req *q)
{
	struct json *body;
	struct str text;
	wall_us upto;

	/* what GET shows may come back as it is */
	if (!route_body(q, "dag step item cursor complete_through:string? run updated_at", &body))
		return;
	str_init(&text, CURSOR_TEXT_MAX);
	if (check_cursor(q, json_get(body, "cursor"), &text) &&
	    route_time(q, body, "complete_through", &upto))
		submit(q, &text, upto);
	str_done(&text);
	json_free(body);
}
