/* route_dags.c: DAGs: list, one, pause, resume, plan, apply. */
#include "core/http/route.h"

#include "core/sched/show.h"

#include <string.h>

void get_dags(struct http_req *q)
{
	struct route_list l;
	char next[LIST_NEXT_MAX] = "";
	struct err err = {0};
	const struct view *v;

	if (!route_list_query(q, &l) || (v = route_view(q)) == NULL)
		return;
	struct jw *w = route_list_begin(q, "dags");
	int rc = list_dags(v, &l.q, q->h->env.wall(), w, next, &err);
	route_view_end(q);
	if (rc != 0) {
		reply_err(q->conn, rc, &err);
		return;
	}
	jw_end_array(w);
	if (q->h->env.conf_error != NULL) /* DAGs go by the old configuration then */
		jw_kstr(w, "configuration_error", q->h->env.conf_error(q->h->env.arg));
	jw_kstr(w, "next", next[0] != '\0' ? next : NULL);
	jw_end_object(w);
	reply_json(q->conn, 200);
}

void get_dag(struct http_req *q)
{
	struct dag_rec rec;
	struct err err = {0};
	const struct view *v = route_view(q);

	if (v == NULL)
		return;
	int rc = find_dag(v, q->params[0], &rec);
	if (rc == ERR_NOT_FOUND)
		rc = find_no_dag(v, q->params[0], &err);
	if (rc == 0)
		rc = show_dag(v, rec.no, true, q->h->env.wall(), reply_begin(q->h));
	route_view_end(q);
	if (rc != 0)
		reply_err(q->conn, rc, &err);
	else
		reply_json(q->conn, 200);
}

#define NEXT_DEFAULT 10
#define NEXT_MAX 1000

/* count, from, to. false: answered. */
static bool next_query(struct http_req *q, struct next_query *n, char from[64], char to[64])
{
	char count[16] = "";
	bool bad = false;
	int64_t v = NEXT_DEFAULT;

	from[0] = to[0] = '\0';
	request_query(q, "from", from, 64, &bad);
	request_query(q, "to", to, 64, &bad);
	if (request_query(q, "count", count, sizeof(count), &bad) && str_to_i64(count, &v) != 0)
		bad = true;
	if (bad || v < 1 || v > NEXT_MAX) {
		reply_problem(q->conn, 400, "usage",
		    "count is a number from 1 to 1000; from and to are times such as "
		    "2026-11-21T17:30:00Z");
		return false;
	}
	*n = (struct next_query){.from = from, .to = to, .count = (uint32_t)v};
	return true;
}

void get_next(struct http_req *q)
{
	char from[64], to[64];
	struct next_query n;
	struct dag_rec rec;
	struct err err = {0};
	const struct view *v;

	if (!next_query(q, &n, from, to) || (v = route_view(q)) == NULL)
		return;
	int rc = find_dag(v, q->params[0], &rec);
	if (rc == ERR_NOT_FOUND)
		rc = find_no_dag(v, q->params[0], &err);
	if (rc == 0)
		rc = show_next(v, &rec, &n, q->h->env.wall(), reply_begin(q->h), &err);
	route_view_end(q);
	if (rc != 0)
		reply_err(q->conn, rc, &err);
	else
		reply_json(q->conn, 200);
}

static void pause_or_resume(struct http_req *q, bool on)
{
	const char *dag = q->n_params > 0 ? q->params[0] : NULL;
	struct json *body;

	if (!route_body(q, "", &body))
		return;
	json_free(body);
	struct call *call = call_new(q, OP_PAUSE, 256 + (dag != NULL ? strlen(dag) : 0));
	call->op->op.u.pause.dag = call_str(call, dag);
	call->op->op.u.pause.on = on;
	call->op->op.u.pause.actor = call_str(call, q->auth.actor);
	call_submit(call, route_reply_count);
}

void post_pause(struct http_req *q)
{
	pause_or_resume(q, true);
}

void post_resume(struct http_req *q)
{
	pause_or_resume(q, false);
}

static void plan(struct http_req *q, bool apply)
{
	struct http_env *env = &q->h->env;
	struct err err = {0};
	struct json *body;

	if (!route_body(q, "", &body))
		return;
	json_free(body);
	if (env->plan == NULL) {
		reply_problem(q->conn, 501, "unsupported", "this daemon has no DAG folder");
		return;
	}
	struct conn *c = q->conn;
	struct call *call = call_new_daemon(q);
	int rc = env->plan(env->arg, apply ? q->auth.actor : NULL, call_answer, call, &err);
	if (rc == 0)
		return;
	call_free(call);
	reply_err(c, rc, &err);
}

void post_plan(struct http_req *q)
{
	plan(q, false);
}

void post_apply(struct http_req *q)
{
	plan(q, true);
}
