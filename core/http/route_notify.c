/* route_notify.c: endpoints of `notify:`: what waits for them, and a test message. */
#include "core/http/route.h"

#include <stdio.h>
#include <string.h>

void get_endpoints(struct http_req *q)
{
	const struct view *v = route_view(q);

	if (v == NULL)
		return;
	struct jw *w = route_list_begin(q, "notify");
	int rc = list_endpoints(v, q->h->env.conf, w);
	route_view_end(q);
	if (rc != 0)
		reply_err(q->conn, rc, NULL);
	else
		route_list_end(q, w, NULL);
}

void get_endpoint(struct http_req *q)
{
	const struct view *v = route_view(q);
	struct err err = {0};

	if (v == NULL)
		return;
	struct jw *w = reply_begin(q->h);
	int rc = show_endpoint(v, q->h->env.conf, q->params[0], w);
	route_view_end(q);
	if (rc == ERR_NOT_FOUND)
		err_set(&err, rc, "sluice.yaml has no \"%.63s\" under notify:", q->params[0]);
	if (rc != 0)
		reply_err(q->conn, rc, &err);
	else
		reply_json(q->conn, 200);
}

static void on_queued(struct call *call, const struct op_result *r)
{
	char id[4 + HASH_ID_TEXT] = "msg_";
	struct jw *w = reply_begin(call->h);

	hash_to_base32(r->message, id + 4);
	jw_object(w);
	jw_kstr(w, "id", id);
	jw_end_object(w);
	reply_json(call->conn, 202);
}

void post_endpoint_test(struct http_req *q)
{
	struct json *body;

	if (!route_body(q, "", &body))
		return;
	json_free(body);
	struct call *call =
	    call_new(q, OP_NOTIFY, strlen(q->params[0]) + strlen(q->auth.actor) + 64);
	call->op->op.u.notify.endpoint = call_str(call, q->params[0]);
	call->op->op.u.notify.actor = call_str(call, q->auth.actor);
	call_submit(call, on_queued);
}
