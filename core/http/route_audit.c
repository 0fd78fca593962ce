/* route_audit.c: the audit log, newest first. */
#include "core/http/route.h"

#include "core/sched/show.h"

void get_audit(struct http_req *q)
{
	struct route_list l;
	char next[LIST_NEXT_MAX] = "";
	struct err err = {0};
	const struct view *v;

	if (!route_list_query(q, &l) || (v = route_view(q)) == NULL)
		return;
	struct jw *w = route_list_begin(q, "audit");
	int rc = list_audit(v, &l.q, w, next, &err);
	route_view_end(q);
	if (rc != 0)
		reply_err(q->conn, rc, &err);
	else
		route_list_end(q, w, next);
}

void route_note(struct http_req *q, const char *verb, const char *object, const char *detail)
{
	struct http *h = q->h;
	struct writer_op *op = writer_op_new(OP_NOTE);
	char *actor = mem_strdup(q->auth.actor);

	op->arena = actor;
	op->free_arena = mem_free;
	op->op.u.note.verb = verb;
	op->op.u.note.object = object;
	op->op.u.note.detail = detail;
	op->op.u.note.actor = actor;
	if (h->env.submit(h->env.arg, op) != 0)
		writer_op_free(op);
}
