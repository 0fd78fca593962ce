/* route_info.c: pools, plugins, why, hooks, doctor, health, shutdown; and what a later release
 * brings. */
#include "core/http/hook.h"
#include "core/http/route.h"

#include "core/sched/show.h"
#include "core/sched/why.h"

#include <string.h>

void get_pools(struct http_req *q)
{
	const struct view *v = route_view(q);

	if (v == NULL)
		return;
	struct jw *w = route_list_begin(q, "pools");
	int rc = list_pools(v, q->h->env.conf, w);
	route_view_end(q);
	if (rc != 0)
		reply_err(q->conn, rc, NULL);
	else
		route_list_end(q, w, NULL);
}

void get_plugins(struct http_req *q)
{
	struct jw *w = route_list_begin(q, "plugins");

	if (q->h->env.plugins != NULL)
		q->h->env.plugins(q->h->env.arg, w);
	route_list_end(q, w, NULL);
}

struct why_of {
	char of[PLAN_DATASET_MAX + 16], step[PLAN_NAME_MAX + PLAN_KEY_MAX + 2];
};

static int why_run_named(struct http_req *q, const struct view *v, const struct sched_env *env,
    struct why_of *o, struct jw *w, struct err *err)
{
	uint64_t run;
	char *open = strchr(o->step, '['), *item = NULL;
	size_t n = strlen(o->step);
	int rc = find_run(v, o->of, &run, err);

	if (rc != 0)
		return rc;
	if (open != NULL && o->step[n - 1] == ']') {
		o->step[n - 1] = '\0';
		*open = '\0';
		item = open + 1;
	}
	return why_run(v, env, run, n > 0 ? o->step : NULL, item, q->h->env.wall(), w, err);
}

/* RUN [STEP], DAG, event:1042 or dataset:lake/shop.orders. A DAG's name means the DAG, unless a
 * step is asked for. */
static int why(struct http_req *q, const struct view *v, struct why_of *o, struct err *err)
{
	struct jw *w = reply_begin(q->h);
	struct sched_env env = {.conf = q->h->env.conf};
	struct dag_rec dag;
	uint64_t seq;

	if (q->h->env.sched_env != NULL)
		q->h->env.sched_env(q->h->env.arg, &env);
	if (str_starts(o->of, "dataset:"))
		return why_dataset(v, o->of + 8, q->h->env.wall(), w, err);
	if (str_starts(o->of, "event:")) {
		if (str_to_u64(o->of + 6, &seq) != 0)
			return err_set(
			    err, ERR_USAGE, "\"%s\" is no event: for example event:1042", o->of);
		return why_event(v, seq, w, err);
	}
	if (o->step[0] == '\0' && find_dag(v, o->of, &dag) == 0)
		return why_dag(v, &env, o->of, q->h->env.wall(), w, err);
	return why_run_named(q, v, &env, o, w, err);
}

void get_why(struct http_req *q)
{
	struct why_of o = {.of = ""};
	struct err err = {0};
	bool bad = false;
	const struct view *v;

	if (!request_query(q, "subject", o.of, sizeof(o.of), &bad) || o.of[0] == '\0' || bad) {
		reply_problem(q->conn, 400, "usage",
		    "subject: RUN, DAG, event:NUMBER or dataset:NAME; step: STEP of a run");
		return;
	}
	request_query(q, "step", o.step, sizeof(o.step), &bad);
	if ((v = route_view(q)) == NULL)
		return;
	int rc = why(q, v, &o, &err);
	route_view_end(q);
	if (rc != 0)
		reply_err(q->conn, rc, &err);
	else
		reply_json(q->conn, 200);
}

void get_hook(struct http_req *q)
{
	const struct hook *k = hooks_find(q->h->hooks, q->params[0], strlen(q->params[0]));

	if (k == NULL) {
		reply_problem(q->conn, 404, "no-such-hook",
		    "no hook is called \"%s\" in sluice.yaml", q->params[0]);
		return;
	}
	struct jw *w = reply_begin(q->h);
	jw_object(w);
	hook_show(k, w);
	jw_end_object(w);
	reply_json(q->conn, 200);
}

void get_doctor(struct http_req *q)
{
	struct jw *w = reply_begin(q->h);

	jw_object(w);
	jw_ki64(w, "connections", (int64_t)q->h->n_conns);
	jw_ki64(w, "max_connections", q->h->lim.max_conns);
	if (q->h->env.doctor != NULL)
		q->h->env.doctor(q->h->env.arg, w);
	jw_end_object(w);
	reply_json(q->conn, 200);
}

static void reply_plain(struct conn *c, int status, const char *text)
{
	conn_reply(c, status, "text/plain; charset=utf-8", "Cache-Control: no-store\r\n", text,
	    strlen(text));
}

void get_livez(struct http_req *q)
{
	reply_plain(q->conn, 200, "ok\n");
}

void get_readyz(struct http_req *q)
{
	struct str why;

	str_init(&why, 4096);
	if (q->h->draining)
		reply_problem(q->conn, 503, "stopping", "the daemon is stopping");
	else if (q->h->env.ready == NULL || q->h->env.ready(q->h->env.arg, &why))
		reply_plain(q->conn, 200, "ok\n");
	else
		reply_problem(q->conn, 503, "not-ready", "%s", str_peek(&why));
	str_done(&why);
}

static bool stop_mode(const struct json *body, enum http_stop *ret, int64_t *ret_ms)
{
	const char *mode = json_get_str(body, "how", "drain");

	*ret_ms = json_get_i64(body, "drain_ms", -1);
	if (str_eq(mode, "leave"))
		*ret = HTTP_STOP_LEAVE;
	else if (str_eq(mode, "cancel"))
		*ret = HTTP_STOP_CANCEL;
	else if (str_eq(mode, "drain"))
		*ret = HTTP_STOP_DRAIN;
	else
		return false;
	return true;
}

void post_shutdown(struct http_req *q)
{
	enum http_stop how;
	struct err err = {0};
	struct json *body;
	int64_t ms;

	if (!route_body(q, "how:string drain_ms:int", &body))
		return;
	bool known = stop_mode(body, &how, &ms);
	json_free(body);
	if (!known) {
		reply_problem(q->conn, 400, "usage", "how: drain (default), cancel or leave");
		return;
	}
	if (q->h->env.stop != NULL)
		route_note(q, "shutdown", "daemon",
		    how == HTTP_STOP_LEAVE    ? "leave"
		    : how == HTTP_STOP_CANCEL ? "cancel"
					      : "drain");
	int rc = q->h->env.stop != NULL
		     ? q->h->env.stop(q->h->env.arg, how, ms, &err)
		     : err_set(&err, ERR_UNSUPPORTED, "this daemon cannot be stopped by HTTP");
	if (rc != 0) {
		reply_err(q->conn, rc, &err);
		return;
	}
	struct jw *w = reply_begin(q->h);
	jw_object(w);
	jw_kbool(w, "ok", true);
	jw_end_object(w);
	reply_json(q->conn, 200);
}

void refuse_later(struct http_req *q)
{
	reply_problem(q->conn, 501, "unsupported", "%.*s is not supported by this release",
	    (int)q->path_n, q->path);
}
