/* route_audit.c: the audit log, newest first. */
#include "core/http/route.h"

#include "core/sched/show.h"

void get_audit(struct http_req *q)
{
	route_list_reply(q, "audit", list_audit);
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
