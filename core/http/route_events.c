/* route_events.c: events: list, one with its body, replay. */
#include "core/http/route.h"

#include "core/sched/key.h"
#include "core/sched/show.h"

#include <string.h>

void get_events(struct http_req *q)
{
	route_list_reply(q, "events", list_events);
}

static bool event_number(struct http_req *q, uint64_t *ret)
{
	const char *s = q->params[0];

	if (str_to_u64(str_starts(s, "event:") ? s + 6 : s, ret) == 0 && *ret > 0)
		return true;
	reply_problem(q->conn, 404, "not-found", "an event is a number, for example 1042");
	return false;
}

void get_event(struct http_req *q)
{
	uint64_t seq;
	const struct view *v;

	if (!event_number(q, &seq) || (v = route_view(q)) == NULL)
		return;
	int rc = show_event(v, seq, true, reply_begin(q->h));
	route_view_end(q);
	if (rc == ERR_NOT_FOUND)
		reply_problem(
		    q->conn, 404, "not-found", "there is no event %llu", (unsigned long long)seq);
	else if (rc != 0)
		reply_err(q->conn, rc, NULL);
	else
		reply_json(q->conn, 200);
}

static int load_event(
    const struct view *v, uint64_t seq, struct event_rec *rec, struct json **ret_body)
{
	struct key key;
	struct slice value, rest;
	struct err err;

	key_init(&key);
	key_u64(&key, seq);
	int rc = view_get(v, TABLE_EVENT, key.b, key.n, &value);
	if (rc == 0)
		rc = event_decode(value, rec, &rest);
	if (rc == 0)
		rc = json_parse(rest.p, rest.n, 16u << 20, ret_body, &err);
	return rc;
}

static void on_replayed(struct call *call, const struct op_result *r)
{
	struct jw *w = reply_begin(call->h);

	jw_object(w);
	route_verdict(w, r);
	jw_key(w, "replay_of");
	jw_u64_text(w, call->number);
	jw_end_object(w);
	reply_json(call->conn, 200);
}

/* A replay is a new event with the same content and no external id, so that it is no repeat. */
void post_replay(struct http_req *q)
{
	struct event_rec rec;
	struct json *body = NULL, *none;
	uint64_t seq;
	const struct view *v;

	if (!event_number(q, &seq) || !route_body(q, "", &none))
		return;
	json_free(none);
	if ((v = route_view(q)) == NULL)
		return;
	int rc = load_event(v, seq, &rec, &body);
	route_view_end(q);
	if (rc == ERR_NOT_FOUND) {
		reply_problem(
		    q->conn, 404, "not-found", "there is no event %llu", (unsigned long long)seq);
		return;
	}
	if (rc != 0 || !str_starts(rec.source, "hook:")) {
		json_free(body);
		if (rc != 0)
			reply_err(q->conn, rc, NULL);
		else
			reply_problem(q->conn, 409, "refused",
			    "event %llu came from \"%s\": only events of hooks are replayed",
			    (unsigned long long)seq, rec.source);
		return;
	}
	struct call *call = call_new(q, OP_EVENT,
	    2 * sizeof(rec.source) + sizeof(rec.type) + sizeof(rec.subject) +
		sizeof(q->auth.actor) + 8);
	struct op *op = &call->op->op;
	call->json = body;
	call->number = seq;
	op->u.event.source = call_str(call, rec.source);
	op->u.event.hook = call_str(call, rec.source + 5);
	op->u.event.external_id = call_str(call, "");
	op->u.event.type = call_str(call, rec.type);
	op->u.event.subject = call_str(call, rec.subject);
	op->u.event.time = rec.time;
	op->u.event.body = body;
	op->u.event.actor = call_str(call, q->auth.actor);
	call_submit(call, on_replayed);
}
