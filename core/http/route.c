/* route.c: the table of resources, matching, and the helpers of the handlers; see route.h. */
#include "core/http/route.h"

#include "core/sched/show.h"
#include "core/sched/table.h"

#include <stdio.h>
#include <string.h>

#define READ SCOPE_READ
#define RUN (SCOPE_READ | SCOPE_RUN)

const struct route http_routes[] = {
    {VET_GET, "/livez", 0, ROUTE_OPEN, get_livez, "The process lives"},
    {VET_GET, "/readyz", READ, 0, get_readyz, "Store open, pool answered, files compiled"},
    {VET_GET, "/metrics", READ, 0, get_metrics, "Prometheus text or OpenMetrics"},
    {VET_GET, "/v1/runs", READ, 0, get_runs, "Runs, newest first"},
    {VET_GET, "/v1/runs/{run}", RUN, 0, get_run, "One run with its steps"},
    {VET_POST, "/v1/runs/{run}/cancel", SCOPE_RUN, ROUTE_BODY, post_cancel_run, "Cancel a run"},
    {VET_POST, "/v1/runs/{run}/rerun", SCOPE_RUN, ROUTE_BODY, post_rerun, "Reopen steps of a run"},
    {VET_GET, "/v1/runs/{run}/steps/{step}/log", RUN, 0, get_log, "Log of an attempt"},
    {VET_POST, "/v1/runs/{run}/steps/{step}/mark", 0, ROUTE_BODY, post_mark, "Set a step's state"},
    {VET_GET, "/v1/dags", READ, 0, get_dags, "DAGs"},
    {VET_GET, "/v1/dags/{dag}", RUN, ROUTE_DAG, get_dag, "One DAG with its plan"},
    {VET_GET, "/v1/dags/{dag}/next", RUN, ROUTE_DAG, get_next, "Next instants of time triggers"},
    {VET_POST, "/v1/dags/{dag}/runs", SCOPE_RUN, ROUTE_DAG | ROUTE_BODY, post_run, "Start a run"},
    {VET_POST, "/v1/dags/{dag}/pause", 0, ROUTE_BODY, post_pause, "Pause a DAG"},
    {VET_POST, "/v1/dags/{dag}/resume", 0, ROUTE_BODY, post_resume, "Resume a DAG"},
    {VET_POST, "/v1/dags/{dag}/cancel", 0, ROUTE_BODY, post_cancel_dag, "Cancel a DAG's runs"},
    {VET_POST, "/v1/pause", 0, ROUTE_BODY, post_pause, "Pause every DAG"},
    {VET_POST, "/v1/resume", 0, ROUTE_BODY, post_resume, "Resume every DAG"},
    {VET_POST, "/v1/cancel", 0, ROUTE_BODY, post_cancel_all, "Cancel every run"},
    {VET_POST, "/v1/plan", SCOPE_READ, ROUTE_BODY, post_plan, "What apply would do"},
    {VET_POST, "/v1/apply", 0, ROUTE_BODY, post_apply, "Compile the DAG folder and take it"},
    {VET_GET, "/v1/events", READ, 0, get_events, "Events with their verdicts"},
    {VET_GET, "/v1/events/{event}", READ, 0, get_event, "One event with its body"},
    {VET_POST, "/v1/events/{event}/replay", 0, ROUTE_BODY, post_replay, "Take an event again"},
    {VET_GET, "/v1/datasets", READ, 0, get_datasets, "Data sets"},
    {VET_GET, "/v1/datasets/{dataset}", READ, 0, get_dataset, "One data set with its versions"},
    {VET_POST, "/v1/datasets/{dataset}/touch", 0, ROUTE_BODY, post_touch, "Updated from outside"},
    {VET_POST, "/v1/datasets/{dataset}/accept", 0, ROUTE_BODY, refuse_later, "Accept a schema"},
    {VET_POST, "/v1/datasets/{dataset}/adopt", 0, ROUTE_BODY, refuse_later, "Adopt a target"},
    {VET_GET, "/v1/pools", READ, 0, get_pools, "Pools and their tokens"},
    {VET_GET, "/v1/plugins", READ, 0, get_plugins, "Plugins and their options"},
    {VET_GET, "/v1/why", READ, 0, get_why, "Why something waits or ended as it did"},
    {VET_GET, "/v1/hooks/{hook}", 0, 0, get_hook, "Counts and refused heads of a hook"},
    {VET_GET, "/v1/notify", READ, 0, get_endpoints, "Who is told of ends of runs"},
    {VET_GET, "/v1/notify/{name}", READ, 0, get_endpoint, "One of them, and what waits for it"},
    {VET_POST, "/v1/notify/{name}/test", 0, ROUTE_BODY, post_endpoint_test, "Send a test message"},
    {VET_GET, "/v1/tokens", 0, 0, get_tokens, "Tokens, without their text"},
    {VET_POST, "/v1/tokens", 0, ROUTE_BODY, post_token, "Make a token"},
    {VET_DELETE, "/v1/tokens/{name}", 0, 0, delete_token, "Revoke a token"},
    {VET_GET, "/v1/stream", READ, 0, get_stream, "Server-Sent Events"},
    {VET_GET, "/v1/doctor", READ, 0, get_doctor, "Facts for sluice doctor"},
    {VET_POST, "/v1/shutdown", 0, ROUTE_BODY, post_shutdown, "Stop daemon and pool"},
    {VET_GET, "/openapi.json", READ, 0, get_openapi, "This table as OpenAPI 3.1"},
    {VET_GET, "/v1/joins", READ, 0, refuse_later, "Open joins"},
    {VET_GET, "/v1/backfills", READ, 0, get_backfills, "Backfills, newest first"},
    {VET_POST, "/v1/backfills", 0, ROUTE_BODY, post_backfill, "Start a backfill"},
    {VET_GET, "/v1/backfills/{backfill}", READ, 0, get_backfill, "One backfill with its runs"},
    {VET_POST, "/v1/backfills/{backfill}/pause", 0, ROUTE_BODY, post_backfill_pause,
	"Make no new runs"},
    {VET_POST, "/v1/backfills/{backfill}/resume", 0, ROUTE_BODY, post_backfill_resume,
	"Take back a pause"},
    {VET_POST, "/v1/backfills/{backfill}/cancel", 0, ROUTE_BODY, post_backfill_cancel,
	"End it and cancel its open runs"},
    {VET_GET, "/v1/cursors", READ, 0, get_cursors, "Cursors"},
    {VET_GET, "/v1/cursors/{dag}/{step}", READ, 0, get_cursor, "The cursor of a step"},
    {VET_POST, "/v1/cursors/{dag}/{step}", 0, ROUTE_BODY, post_cursor, "Set a cursor"},
    {VET_GET, "/v1/cursors/{dag}/{step}/{item}", READ, 0, get_cursor, "The cursor of an item"},
    {VET_POST, "/v1/cursors/{dag}/{step}/{item}", 0, ROUTE_BODY, post_cursor,
	"Set an item's cursor"},
    {VET_GET, "/v1/freshness", READ, 0, refuse_later, "Freshness"},
    {VET_GET, "/v1/audit", 0, 0, get_audit, "Who did what, newest first"},
    {VET_GET, "/v1/backup", 0, 0, get_backup, "A proven copy of the running store"},
};
const size_t http_routes_n = sizeof(http_routes) / sizeof(http_routes[0]);

/* ---- matching ---- */

struct match {
	const char *at[HTTP_PARAMS_MAX];
	size_t n[HTTP_PARAMS_MAX], params;
};

/* Compares segment by segment; escapes are decoded only inside parameters, so that %2F stays inside
 * its name. */
static bool matches(const char *pattern, const char *path, size_t n, struct match *m)
{
	const char *end = path + n;

	m->params = 0;
	while (*pattern != '\0') {
		if (*pattern != '{') {
			if (path == end || *path++ != *pattern++)
				return false;
			continue;
		}
		const char *stop = memchr(path, '/', (size_t)(end - path));
		stop = stop != NULL ? stop : end;
		if (stop == path || m->params == HTTP_PARAMS_MAX)
			return false;
		m->at[m->params] = path;
		m->n[m->params++] = (size_t)(stop - path);
		path = stop;
		pattern = strchr(pattern, '}') + 1;
	}
	return path == end;
}

/* The names are shorter than their escapes, so q->text holds them all. */
static bool take_params(struct http_req *q, const struct match *m)
{
	size_t used = 0;

	q->n_params = m->params;
	for (size_t i = 0; i < m->params; i++) {
		char *to = q->text + used;
		int n = request_decode(m->at[i], m->n[i], to, sizeof(q->text) - used, false);
		if (n < 0 || !str_utf8_valid(to, (size_t)n))
			return false;
		q->params[i] = to;
		used += (size_t)n + 1;
	}
	return true;
}

int route_find(struct http_req *q, unsigned *ret_allow)
{
	enum vet_method method = q->vet.method == VET_HEAD ? VET_GET : q->vet.method;
	struct match m;
	unsigned allow = 0;

	for (size_t i = 0; i < http_routes_n; i++) {
		const struct route *r = &http_routes[i];
		if (!matches(r->pattern, q->path, q->path_n, &m))
			continue;
		allow |= 1u << r->method;
		if (r->method != method)
			continue;
		q->route = r;
		return take_params(q, &m) ? 0 : 404;
	}
	*ret_allow = allow;
	return allow != 0 ? 405 : 404;
}

/* ---- for handlers ---- */

const struct view *route_view(struct http_req *q)
{
	const struct view *v = q->h->env.view_begin(q->h->env.arg);

	if (v == NULL)
		reply_problem(q->conn, 503, "store", "the store cannot be read at the moment");
	return v;
}

void route_view_end(struct http_req *q)
{
	q->h->env.view_end(q->h->env.arg);
}

static bool all_texts(const struct json *list)
{
	for (const struct json *j = json_first(list); j != NULL; j = json_next(j))
		if (!json_is(j, JSON_STRING))
			return false;
	return json_is(list, JSON_ARRAY);
}

/* type: as in "key:string", up to the next blank. */
static bool has_type(const struct json *j, const char *type)
{
	size_t n = strcspn(type, " ");

	if (n > 0 && type[n - 1] == '?') {
		if (json_is(j, JSON_NULL))
			return true;
		n--;
	}
	if (n == 6 && memcmp(type, "string", n) == 0)
		return json_is(j, JSON_STRING);
	if (n == 4 && memcmp(type, "bool", n) == 0)
		return json_is(j, JSON_BOOL);
	if (n == 3 && memcmp(type, "int", n) == 0)
		return json_is(j, JSON_NUMBER) && json_num(j, 0.5) == (double)json_i64(j, 0);
	if (n == 6 && memcmp(type, "object", n) == 0)
		return json_is(j, JSON_OBJECT);
	if (n == 7 && memcmp(type, "strings", n) == 0)
		return all_texts(j);
	return true;
}

/* The type that `names` gives the member: NULL where it has no such name, "" for any. */
static const char *type_listed(const char *names, const char *key)
{
	size_t n = strlen(key);

	for (const char *p = names; *p != '\0';) {
		size_t len = strcspn(p, " :");
		bool found = len == n && memcmp(p, key, n) == 0;
		p += len;
		p += *p == ':';
		if (found)
			return p;
		p += strcspn(p, " ");
		p += *p == ' ';
	}
	return NULL;
}

static bool body_member(struct http_req *q, const char *names, const struct json *m)
{
	const char *type = type_listed(names, json_key(m));

	if (type == NULL)
		reply_problem(q->conn, 400, "usage",
		    "the body has an unknown member \"%s\"; known: %s", json_key(m),
		    names[0] != '\0' ? names : "none");
	else if (!has_type(m, type))
		reply_problem(q->conn, 400, "usage", "%s: a value of type %.*s is expected",
		    json_key(m), (int)strcspn(type, " "), type);
	else
		return true;
	return false;
}

bool route_body(struct http_req *q, const char *names, struct json **ret)
{
	struct err err = {0};
	struct json *j = NULL;

	*ret = NULL;
	if (q->body_n == 0)
		return true;
	int rc = json_parse(q->body, q->body_n, q->h->lim.body_bytes, &j, &err);
	if (rc != 0) {
		reply_problem(q->conn, 400, "malformed", "the body is no JSON: %s", err.text);
		return false;
	}
	if (!json_is(j, JSON_OBJECT)) {
		json_free(j);
		reply_problem(q->conn, 400, "malformed", "the body is no JSON object");
		return false;
	}
	for (const struct json *m = json_first(j); m != NULL; m = json_next(m)) {
		if (body_member(q, names, m))
			continue;
		json_free(j);
		return false;
	}
	*ret = j;
	return true;
}

static bool bad_query(struct http_req *q, const char *name, const char *want)
{
	reply_problem(q->conn, 400, "usage", "%s: %s", name, want);
	return false;
}

bool route_flag(const char *text, bool *ret)
{
	*ret = str_eq(text, "true") || str_eq(text, "1") || text[0] == '\0';
	return *ret || str_eq(text, "false") || str_eq(text, "0");
}

/* A time, or how long ago: 2h. */
static bool read_since(const struct http_req *q, const char *text, wall_us *ret)
{
	int64_t ms;

	if (clock_parse(text, ret) == 0)
		return true;
	if (str_to_duration_ms(text, &ms) != 0)
		return false;
	*ret = q->h->env.wall() - ms * US_PER_MS;
	return true;
}

bool route_list_query(struct http_req *q, struct route_list *ret)
{
	char text[64] = "";
	bool bad = false;
	uint64_t limit;

	memset(ret, 0, sizeof(*ret));
	ret->q = (struct list_query){.limit = 100, .after = ret->after, .since = TIME_NONE};
	if (request_query(q, "limit", text, sizeof(text), &bad)) {
		if (str_to_u64(text, &limit) != 0 || limit < 1 || limit > 1000)
			return bad_query(q, "limit", "a number from 1 to 1000");
		ret->q.limit = (uint32_t)limit;
	}
	if (request_query(q, "since", text, sizeof(text), &bad) &&
	    !read_since(q, text, &ret->q.since))
		return bad_query(
		    q, "since", "a time like 2026-11-21T17:30:00Z, or 90s 15m 2h 3d ago");
	if (request_query(q, "unmatched", text, sizeof(text), &bad) &&
	    !route_flag(text, &ret->q.unmatched))
		return bad_query(q, "unmatched", "true or false");
	request_query(q, "after", ret->after, sizeof(ret->after), &bad);
	if (request_query(q, "dag", ret->dag, sizeof(ret->dag), &bad)) {
		if (ret->dag[0] != '\0' && !str_is_name(ret->dag))
			return bad_query(q, "dag", "small letters, digits, _ and -, at most 63");
		ret->q.dag = ret->dag;
	}
	if (request_query(q, "state", ret->state, sizeof(ret->state), &bad))
		ret->q.state = ret->state;
	return bad ? bad_query(q, "query", "an option is too long or malformed") : true;
}

struct jw *route_list_begin(struct http_req *q, const char *noun)
{
	struct jw *w = reply_begin(q->h);

	jw_object(w);
	jw_key(w, noun);
	jw_array(w);
	return w;
}

void route_list_end(struct http_req *q, struct jw *w, const char *next)
{
	jw_end_array(w);
	jw_kstr(w, "next", next != NULL && next[0] != '\0' ? next : NULL);
	jw_end_object(w);
	reply_json(q->conn, 200);
}

void route_list_reply(struct http_req *q, const char *noun, route_list_fn list)
{
	struct route_list l;
	char next[LIST_NEXT_MAX] = "";
	struct err err = {0};
	const struct view *v;

	if (!route_list_query(q, &l) || (v = route_view(q)) == NULL)
		return;
	struct jw *w = route_list_begin(q, noun);
	int rc = list(v, &l.q, w, next, &err);
	route_view_end(q);
	if (rc != 0)
		reply_err(q->conn, rc, &err);
	else
		route_list_end(q, w, next);
}

bool route_run(struct http_req *q, const struct view *v, uint64_t *ret_run, struct run_rec *ret_rec)
{
	struct err err = {0};
	int rc = find_run(v, q->params[0], ret_run, &err);

	if (rc == 0)
		rc = run_get(v, *ret_run, ret_rec);
	if (rc == ERR_NOT_FOUND && err.text[0] == '\0')
		err_set(&err, rc, "no run is called \"%s\"", q->params[0]);
	if (rc != 0) {
		reply_err(q->conn, rc, &err);
		return false;
	}
	if (!auth_allows(q, q->route->scopes, ret_rec->dag)) {
		reply_problem(q->conn, 403, "scope", "the token is for another DAG");
		return false;
	}
	return true;
}

void route_verdict(struct jw *w, const struct op_result *r)
{
	jw_key(w, "event");
	if (r->event != 0)
		jw_u64_text(w, r->event);
	else
		jw_null(w);
	jw_kstr(w, "verdict", verdict_name(r->verdict));
	jw_key(w, "runs");
	jw_array(w);
	for (uint64_t i = 0; i < r->n_runs && i < sizeof(r->runs) / sizeof(r->runs[0]); i++)
		jw_str(w, r->run_ids[i]);
	jw_end_array(w);
}

void route_reply_count(struct call *call, const struct op_result *r)
{
	struct jw *w = reply_begin(call->h);

	jw_object(w);
	jw_kbool(w, "ok", true);
	jw_ki64(w, "count", r->count);
	jw_end_object(w);
	reply_json(call->conn, 200);
}

bool route_time(struct http_req *q, const struct json *body, const char *name, wall_us *ret)
{
	const struct json *j = json_get(body, name);

	*ret = TIME_NONE;
	if (j == NULL || json_is(j, JSON_NULL))
		return true;
	if (clock_parse(json_str(j, ""), ret) == 0)
		return true;
	reply_problem(q->conn, 400, "usage",
	    "%s: \"%.40s\" is no time: write it like 2026-11-21T17:30:00Z", name, json_str(j, ""));
	return false;
}
