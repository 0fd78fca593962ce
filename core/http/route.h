/* route.h: the table of resources and what the handlers share. Private to the folder.
 *
 * One table: the router, `Allow`, the scopes and /openapi.json are read from it. */
#ifndef CORE_HTTP_ROUTE_H
#define CORE_HTTP_ROUTE_H

#include "core/http/auth.h"
#include "core/http/call.h"
#include "core/http/server.h"
#include "core/sched/show.h"

enum route_flag {
	ROUTE_OPEN = 1u << 0, /* no token */
	ROUTE_DAG =
	    1u << 1, /* the first parameter names a DAG: a run:DAG token must name the same */
	ROUTE_BODY = 1u << 2 /* may carry a JSON object */
};
struct route {
	enum vet_method method;
	const char *pattern; /* segments, {name} takes any one */
	uint32_t scopes;     /* any of SCOPE_*; admin may always */
	unsigned flags;
	void (*handle)(struct http_req *q);
	const char *summary;
};
extern const struct route http_routes[];
extern const size_t http_routes_n;

/* Finds the route and fills q->route and q->params. 0, 404, or 405 with *ret_allow a bit per enum
 * vet_method. */
int route_find(struct http_req *q, unsigned *ret_allow);

/* ---- for handlers ---- */
/* A snapshot, or NULL after a 503 was sent. */
const struct view *route_view(struct http_req *q);
void route_view_end(struct http_req *q);
/* The body as an object (NULL: empty body) owned by the caller; names: the members that are
 * allowed, parted by blanks, each with its type: "key:string only:strings" (string bool int object
 * strings; a ? behind it: or null; without a type: any). false: answered. */
bool route_body(struct http_req *q, const char *names, struct json **ret);
/* Options limit, after, dag, state, since, unmatched. text holds the strings. false: answered. */
struct route_list {
	struct list_query q;
	char after[128], dag[PLAN_NAME_MAX], state[32];
};
/* true, 1 and nothing; false, 0. False for any other text. */
bool route_flag(const char *text, bool *ret);
bool route_list_query(struct http_req *q, struct route_list *ret);
/* {"noun": [ … the handler writes the elements … ], "next": …} */
struct jw *route_list_begin(struct http_req *q, const char *noun);
void route_list_end(struct http_req *q, struct jw *w, const char *next);
/* A whole list by one of the list_* functions: options, page, reply. */
typedef int (*route_list_fn)(const struct view *v, const struct list_query *q, struct jw *out,
    char *ret_next, struct err *err);
void route_list_reply(struct http_req *q, const char *noun, route_list_fn list);
/* The run that the first parameter names; checks a run:DAG token. false: answered (the view stays
 * open). */
bool route_run(
    struct http_req *q, const struct view *v, uint64_t *ret_run, struct run_rec *ret_rec);
/* {"event", "verdict", "runs"} of an op's result, at the current reply. */
void route_verdict(struct jw *w, const struct op_result *r);
/* Replies {"count": n} or the like: {"ok": true, "count": n}. */
void route_reply_count(struct call *call, const struct op_result *r);
bool route_time(struct http_req *q, const struct json *body, const char *name,
    wall_us *ret); /* absent: TIME_NONE */

/* route_runs.c */
void get_runs(struct http_req *q);
void get_run(struct http_req *q);
void post_run(struct http_req *q);
void post_cancel_run(struct http_req *q);
void post_cancel_dag(struct http_req *q);
void post_cancel_all(struct http_req *q);
void post_rerun(struct http_req *q);
void post_mark(struct http_req *q);
/* route_dags.c */
void get_dags(struct http_req *q);
void get_dag(struct http_req *q);
void get_next(struct http_req *q);
void post_pause(struct http_req *q);
void post_resume(struct http_req *q);
void post_plan(struct http_req *q);
void post_apply(struct http_req *q);
/* route_events.c */
void get_events(struct http_req *q);
void get_event(struct http_req *q);
void post_replay(struct http_req *q);
/* route_datasets.c */
void get_datasets(struct http_req *q);
void get_dataset(struct http_req *q);
void post_touch(struct http_req *q);
/* route_tokens.c */
void get_tokens(struct http_req *q);
void post_token(struct http_req *q);
void delete_token(struct http_req *q);
/* route_backfills.c */
void get_backfills(struct http_req *q);
void get_backfill(struct http_req *q);
void post_backfill(struct http_req *q);
void post_backfill_pause(struct http_req *q);
void post_backfill_resume(struct http_req *q);
void post_backfill_cancel(struct http_req *q);
/* route_cursors.c */
void get_cursors(struct http_req *q);
void get_cursor(struct http_req *q);
void post_cursor(struct http_req *q);
/* route_audit.c */
void get_audit(struct http_req *q);
/* An audit record of what is done outside the store; the texts live for ever. */
void route_note(struct http_req *q, const char *verb, const char *object, const char *detail);
/* route_notify.c */
void get_endpoints(struct http_req *q);
void get_endpoint(struct http_req *q);
void post_endpoint_test(struct http_req *q);
/* route_logs.c */
void get_log(struct http_req *q);
/* route_backup.c */
void get_backup(struct http_req *q);
/* route_info.c */
void get_pools(struct http_req *q);
void get_plugins(struct http_req *q);
void get_why(struct http_req *q);
void get_hook(struct http_req *q);
void get_doctor(struct http_req *q);
void get_livez(struct http_req *q);
void get_readyz(struct http_req *q);
void post_shutdown(struct http_req *q);
void refuse_later(struct http_req *q);
/* openapi.c */
void get_openapi(struct http_req *q);
void openapi_write(struct jw *w);
const char *openapi_missing(void); /* a route that it does not describe, or NULL */
/* metrics.c, stream.c */
void get_metrics(struct http_req *q);
void get_stream(struct http_req *q);

#endif
