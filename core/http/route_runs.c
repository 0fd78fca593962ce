/* route_runs.c: runs: list, one (and waiting for it), start, cancel, rerun, mark. */
#include "core/http/route.h"
#include "core/http/stream.h"

#include "core/sched/show.h"
#include "core/time/tz.h"

#include <stdio.h>
#include <string.h>

#define ACTOR_ROOM sizeof(((struct auth *)0)->actor)
#define WAIT_MAX_S 300

void get_runs(struct http_req *q)
{
	route_list_reply(q, "runs", list_runs);
}

/* ?wait=SECONDS holds the reply until the run has ended. */
static bool wait_option(struct http_req *q, uint64_t *ret_s)
{
	char text[16];
	bool bad = false;

	*ret_s = 0;
	if (request_query(q, "wait", text, sizeof(text), &bad))
		bad |= str_to_u64(text, ret_s) != 0 || *ret_s > WAIT_MAX_S;
	if (bad)
		reply_problem(q->conn, 400, "usage", "wait: 0 to %d seconds", WAIT_MAX_S);
	return !bad;
}

void get_run(struct http_req *q)
{
	struct run_rec rec;
	uint64_t run, wait_s;
	int rc = 0;
	bool wait = false;
	const struct view *v;

	if (!wait_option(q, &wait_s) || (v = route_view(q)) == NULL)
		return;
	bool found = route_run(q, v, &run, &rec);
	if (found) {
		wait = wait_s > 0 && !run_state_ended(rec.state);
		if (!wait)
			rc = show_run(v, run, true, reply_begin(q->h));
	}
	route_view_end(q);
	if (!found)
		return;
	if (wait)
		stream_wait(q, run, (uint32_t)wait_s);
	else if (rc != 0)
		reply_err(q->conn, rc, NULL);
	else
		reply_json(q->conn, 200);
}

static void on_started(struct call *call, const struct op_result *r)
{
	struct jw *w = reply_begin(call->h);

	jw_object(w);
	route_verdict(w, r);
	jw_kstr(w, "id", r->n_runs > 0 ? r->run_ids[0] : NULL);
	jw_end_object(w);
	reply_json(call->conn, r->duplicate ? 200 : 201);
}

/* An array of names as the op wants it; counted first, because the call's room is fixed. */
static size_t names_room(const struct json *list)
{
	size_t room = 16;

	for (const struct json *j = json_first(list); j != NULL; j = json_next(j))
		room += sizeof(char *) + strlen(json_str(j, "")) + 1;
	return room;
}

static const char *const *take_names(struct call *call, const struct json *list, size_t *ret_n)
{
	size_t n = json_len(list), i = 0;
	const char **v;

	*ret_n = n;
	if (n == 0)
		return NULL;
	v = call_mem(call, n * sizeof(*v));
	for (const struct json *j = json_first(list); j != NULL; j = json_next(j))
		v[i++] = call_str(call, json_str(j, ""));
	return v;
}

static bool check_run_body(struct http_req *q, const struct json *body)
{
	const struct json *params = json_get(body, "params"), *only = json_get(body, "only");
	const char *key = json_get_str(body, "key", "");

	if (params != NULL && !json_is(params, JSON_OBJECT) && !json_is(params, JSON_NULL))
		reply_problem(q->conn, 400, "usage", "params: an object is expected");
	else if (only != NULL && !json_is(only, JSON_ARRAY))
		reply_problem(q->conn, 400, "usage", "only: an array of step names is expected");
	else if (strlen(key) >= PLAN_KEY_MAX)
		reply_problem(q->conn, 400, "usage", "key: at most %d bytes", PLAN_KEY_MAX - 1);
	else
		return true;
	return false;
}

/* The zone that a time without one means: the trigger's, else the DAG's. */
static const char *zone_of(
    const struct view *v, const char *dag, const char *trigger, char zone[TZ_NAME_MAX])
{
	const struct plan *plan;
	const struct plan_trigger *t = NULL;
	struct dag_rec rec;
	struct err err;

	str_copy(zone, TZ_NAME_MAX, "UTC");
	if (find_dag(v, dag, &rec) != 0 || !rec.has_plan ||
	    v->plan(v->ctx, rec.plan, &plan, &err) != 0)
		return zone;
	if (trigger != NULL)
		t = plan_trigger_find(plan, trigger);
	for (size_t i = 0; t == NULL && trigger == NULL && i < plan->n_triggers; i++) {
		if (plan->triggers[i].kind == TRIGGER_CRON)
			t = &plan->triggers[i];
	}
	str_copy(zone, TZ_NAME_MAX, t != NULL && t->zone != NULL ? t->zone : plan->timezone);
	return zone;
}

static bool has_zone(const char *text)
{
	size_t n = strlen(text);

	return n > 0 && (text[n - 1] == 'Z' || text[n - 1] == 'z' ||
			    (n > 16 && strpbrk(text + 16, "+-") != NULL));
}

/* RFC 3339, or a date or time without zone, which is meant in the zone of what it is for. */
static bool logical_time(struct http_req *q, const struct json *body, wall_us *ret)
{
	const char *text = json_get_str(body, "logical_time", NULL);
	char zone[TZ_NAME_MAX], utc[48];
	const struct tz *tz;
	const struct view *v;
	wall_us civil;

	if (text == NULL || has_zone(text))
		return route_time(q, body, "logical_time", ret);
	snprintf(utc, sizeof(utc), "%.40s%s", text, strlen(text) > 10 ? "Z" : "");
	if (clock_parse(utc, &civil) != 0) {
		reply_problem(q->conn, 400, "usage",
		    "logical_time: \"%.40s\" is no time: write 2026-11-21T17:30:00Z, or a date",
		    text);
		return false;
	}
	if ((v = route_view(q)) == NULL)
		return false;
	zone_of(v, q->params[0], json_get_str(body, "trigger", NULL), zone);
	route_view_end(q);
	*ret = tz_load(zone, &tz, NULL) == 0 ? tz_from_civil(tz, civil) : civil;
	return true;
}

void post_run(struct http_req *q)
{
	struct json *body;
	wall_us at;
	size_t idem_n;

	if (!route_body(q,
		"params:object logical_time:string? key:string trigger:string only:strings", &body))
		return;
	if (!check_run_body(q, body) || !logical_time(q, body, &at)) {
		json_free(body);
		return;
	}
	const char *idem = request_header(q, "idempotency-key", &idem_n);
	if (idem != NULL && (idem_n == 0 || idem_n > 255)) {
		reply_problem(q->conn, 400, "usage", "Idempotency-Key: 1 to 255 characters");
		json_free(body);
		return;
	}
	const struct json *only = json_get(body, "only"), *params = json_get(body, "params");
	const char *trigger = json_get_str(body, "trigger", NULL),
		   *key = json_get_str(body, "key", NULL);
	struct call *call = call_new(q, OP_START,
	    names_room(only) + strlen(q->params[0]) + idem_n + ACTOR_ROOM +
		(trigger != NULL ? strlen(trigger) : 0) + (key != NULL ? strlen(key) : 0) + 8);
	struct op *op = &call->op->op;
	call->json = body;
	op->u.start.only = take_names(call, only, &op->u.start.n_only);
	op->u.start.dag = call_str(call, q->params[0]);
	op->u.start.trigger = call_str(call, trigger);
	op->u.start.key = call_str(call, key);
	op->u.start.at = at;
	op->u.start.params = json_is(params, JSON_OBJECT) ? params : NULL;
	op->u.start.idempotency_key = call_text(call, idem, idem_n);
	op->u.start.actor = call_str(call, q->auth.actor);
	call_submit(call, on_started);
}

/* After the op: the run object, or what the op counted. */
static void on_run_changed(struct call *call, const struct op_result *r)
{
	struct http *h = call->h;
	const struct view *v = h->env.view_begin(h->env.arg);
	int rc = v != NULL ? show_run(v, call->number, true, reply_begin(h)) : ERR_IO;

	(void)r;
	if (v != NULL)
		h->env.view_end(h->env.arg);
	if (rc != 0)
		reply_err(call->conn, rc, NULL);
	else
		reply_json(call->conn, 200);
}

static bool find(struct http_req *q, uint64_t *ret_run)
{
	struct run_rec rec;
	const struct view *v = route_view(q);

	if (v == NULL)
		return false;
	bool found = route_run(q, v, ret_run, &rec);
	route_view_end(q);
	return found;
}

void post_cancel_run(struct http_req *q)
{
	struct json *body;
	uint64_t run;

	if (!route_body(q, "hard:bool", &body))
		return;
	bool hard = json_get_bool(body, "hard", false);
	json_free(body);
	if (!find(q, &run))
		return;
	struct call *call = call_new(q, OP_CANCEL, ACTOR_ROOM);
	call->op->op.u.cancel.hard = hard;
	call->number = call->op->op.u.cancel.run = run;
	call->op->op.u.cancel.actor = call_str(call, q->auth.actor);
	call_submit(call, on_run_changed);
}

static void cancel_many(struct http_req *q, const char *dag, struct json *body)
{
	struct call *call =
	    call_new(q, OP_CANCEL, ACTOR_ROOM + (dag != NULL ? strlen(dag) : 0) + 8);

	call->json = body;
	call->op->op.u.cancel.dag = call_str(call, dag);
	call->op->op.u.cancel.all = dag == NULL;
	call->op->op.u.cancel.hard = json_get_bool(body, "hard", false);
	call->op->op.u.cancel.actor = call_str(call, q->auth.actor);
	call_submit(call, route_reply_count);
}

void post_cancel_dag(struct http_req *q)
{
	struct json *body;

	if (route_body(q, "hard:bool", &body))
		cancel_many(q, q->params[0], body);
}

/* {"dag": NAME} or {"all": true}: an empty body must not cancel everything. */
void post_cancel_all(struct http_req *q)
{
	struct json *body;

	if (!route_body(q, "dag:string all:bool hard:bool", &body))
		return;
	const char *dag = json_get_str(body, "dag", NULL);
	if ((dag != NULL) == json_get_bool(body, "all", false)) {
		reply_problem(q->conn, 400, "usage",
		    "the body names what to cancel: {\"dag\": NAME} or {\"all\": true}");
		json_free(body);
		return;
	}
	cancel_many(q, dag, body);
}

static bool downstream_known(const char *how)
{
	return how == NULL || str_eq(how, "each") || str_eq(how, "once") || str_eq(how, "none");
}

void post_rerun(struct http_req *q)
{
	struct json *body;
	uint64_t run;

	if (!route_body(q, "steps:strings failed:bool downstream:string plan:string", &body))
		return;
	const char *downstream = json_get_str(body, "downstream", NULL);
	const char *plan = json_get_str(body, "plan", "pinned");
	bool latest = str_eq(plan, "latest");
	if (!downstream_known(downstream) || (!latest && !str_eq(plan, "pinned"))) {
		reply_problem(q->conn, 400, "usage",
		    "downstream: each, once or none; plan: pinned or latest");
		json_free(body);
		return;
	}
	if (!find(q, &run)) {
		json_free(body);
		return;
	}
	const struct json *steps = json_get(body, "steps");
	struct call *call = call_new(q, OP_RERUN,
	    names_room(steps) + ACTOR_ROOM + (downstream != NULL ? strlen(downstream) : 0) + 8);
	struct op *op = &call->op->op;
	call->json = body;
	call->number = op->u.rerun.run = run;
	op->u.rerun.steps = take_names(call, steps, &op->u.rerun.n_steps);
	op->u.rerun.failed = json_get_bool(body, "failed", false);
	op->u.rerun.downstream = call_str(call, downstream);
	op->u.rerun.latest = latest;
	op->u.rerun.actor = call_str(call, q->auth.actor);
	call_submit(call, on_run_changed);
}

/* STEP or STEP[ITEM] */
static char *split_item(char *step)
{
	char *open = strchr(step, '[');
	size_t n = strlen(step);

	if (open == NULL || step[n - 1] != ']')
		return NULL;
	step[n - 1] = '\0';
	*open = '\0';
	return open + 1;
}

void post_mark(struct http_req *q)
{
	struct json *body;
	uint64_t run;

	if (!route_body(q, "state:string", &body))
		return;
	const char *state = json_get_str(body, "state", "");
	if (!str_eq(state, "succeeded") && !str_eq(state, "skipped") && !str_eq(state, "failed")) {
		reply_problem(q->conn, 400, "usage", "state: succeeded, skipped or failed");
		json_free(body);
		return;
	}
	if (!find(q, &run)) {
		json_free(body);
		return;
	}
	struct call *call = call_new(q, OP_MARK, ACTOR_ROOM + strlen(q->params[1]) + 32);
	struct op *op = &call->op->op;
	char *step = call_str(call, q->params[1]);
	call->number = op->u.mark.run = run;
	op->u.mark.item = split_item(step);
	op->u.mark.step = step;
	op->u.mark.state = call_str(call, state);
	op->u.mark.actor = call_str(call, q->auth.actor);
	json_free(body);
	call_submit(call, on_run_changed);
}
