/* task.c: one request: read, sent, logged, judged. */
#include "plugins/http/http.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SHOWN_PATH 120

struct task {
	const struct site *site; /* borrowed: the connection */
	const slu_host *host;	 /* borrowed */
	slu_run *run;		 /* borrowed */
	slu_http *http;		 /* owned; the task's own: a cancel must not outlive it */
	struct request request;
	struct expect expect;
};

static void task_close(void *st)
{
	struct task *t = st;

	request_done(&t->request);
	expect_done(&t->expect);
	slu_http_free(t->http);
	free(t);
}

static slu_rc read_all(struct task *t, slu_err *err)
{
	int64_t max = 1 << 20;
	slu_rc rc = request_read(&t->request, t->site, t->host, t->run, err);

	if (rc == SLU_OK)
		rc = expect_read(&t->expect, t->host, t->run, err);
	if (rc == SLU_OK && strcmp(t->request.method, "HEAD") == 0 && expect_wants_json(&t->expect))
		rc = slu_fail_field(err, SLU_E_CONFIG, "HTTP.METHOD", "method",
		    "the answer to HEAD has no body for expect.json and outputs: write GET");
	(void)t->host->get_i64(t->run, "max_bytes", &max);
	if (rc == SLU_OK && max <= 0)
		rc = slu_fail_field(
		    err, SLU_E_CONFIG, "HTTP.LIMIT", "max_bytes", "max_bytes must be above 0");
	if (rc == SLU_OK)
		rc = site_client(t->site, t->host, t->run, (uint64_t)max, &t->http, err);
	return rc;
}

static slu_rc task_open(const slu_host *host, slu_run *run, void *conn, void **st, slu_err *err)
{
	struct task *t;
	slu_rc rc;

	if (conn == NULL)
		return slu_fail_field(err, SLU_E_CONFIG, "HTTP.CONNECTION", "connection",
		    "the task needs a connection of plugin http: where the service is");
	t = calloc(1, sizeof(*t));
	if (t == NULL)
		return slu_fail(err, SLU_E_TRANSIENT, "HTTP.MEMORY", "out of memory");
	t->site = conn;
	t->host = host;
	t->run = run;
	rc = read_all(t, err);
	if (rc != SLU_OK) {
		task_close(t);
		return rc;
	}
	*st = t;
	return SLU_OK;
}

static slu_rc send_it(struct task *t, slu_http_reply *reply, slu_err *err)
{
	struct request *r = &t->request;
	const char *headers[HEADERS_MAX + 1];
	slu_http_request q = {.size = sizeof(q),
	    .method = r->method,
	    .url = slu_buf_text(&r->url),
	    .headers = headers,
	    .n_headers = r->n_headers,
	    .body = r->has_body ? slu_buf_text(&r->body) : NULL,
	    .body_n = r->body.len};

	for (uint32_t i = 0; i < r->n_headers; i++)
		headers[i] = r->headers[i];
	if (t->site->authorization != NULL)
		headers[q.n_headers++] = t->site->authorization;
	return slu_http_do(t->http, &q, reply, err);
}

static slu_rc task_run(void *st, slu_err *err)
{
	struct task *t = st;
	slu_http_reply reply = {0};
	char who[SHOWN_PATH + 16];
	slu_rc rc = t->host->rate(t->run, t->host->get_str(t->run, "connection"), 1);

	if (rc != SLU_OK)
		return slu_fail(
		    err, rc, "HTTP.CANCELLED", "cancelled while it waited for its turn");
	(void)snprintf(who, sizeof(who), "%s %.*s%s", t->request.method, SHOWN_PATH,
	    slu_buf_text(&t->request.path), t->request.path.len > SHOWN_PATH ? "…" : "");
	rc = send_it(t, &reply, err);
	if (rc == SLU_OK) {
		slu_logf(t->host, t->run, SLU_LOG_INFO, "HTTP.ANSWER",
		    "%s: %d, %zu bytes in %lld ms", who, (int)reply.status, reply.body.len,
		    (long long)reply.time_ms);
		rc = expect_judge(&t->expect, t->host, t->run, &reply, who, err);
	} else if (err != NULL) {
		(void)slu_fail_prefix(err, "%s", who);
	}
	slu_http_reply_done(&reply);
	return rc;
}

static void task_cancel(void *st)
{
	struct task *t = st;

	slu_http_cancel(t->http);
}

static const slu_opt header = {.name = "value",
    .type = SLU_T_STRING,
    .flags = SLU_F_TEMPLATED,
    .doc = "The value of the header."};
static const slu_opt pointer = {
    .name = "pointer", .type = SLU_T_STRING, .doc = "A JSON pointer into the answer."};
static const slu_opt expects[] = {
    {.name = "status",
	.type = SLU_T_LIST,
	.doc = "Statuses that are well: [200, 201] or [200-299]; without it 200 to 299."},
    {.name = "json",
	.type = SLU_T_MAP,
	.flags = SLU_F_TEMPLATED,
	.doc = "What must stand in the answer: {/pointer: value}."}};
static const slu_opt options[] = {{.name = "method",
				      .type = SLU_T_ENUM,
				      .def = "GET",
				      .choices = "GET|POST|PUT|PATCH|DELETE|HEAD",
				      .doc = "What is done."},
    {.name = "path",
	.type = SLU_T_STRING,
	.flags = SLU_F_TEMPLATED,
	.doc = "Where, below the connection's url; without it the url itself."},
    {.name = "query",
	.type = SLU_T_MAP,
	.flags = SLU_F_TEMPLATED,
	.doc = "What is asked: {name: value}; a list repeats the name, null leaves it out."},
    {.name = "headers",
	.type = SLU_T_MAP,
	.sub = {1, sizeof(slu_opt), &header},
	.doc = "Headers besides the connection's, or in their place."},
    {.name = "json",
	.type = SLU_T_MAP,
	.flags = SLU_F_TEMPLATED,
	.excludes = "json_list|body",
	.doc = "The body as JSON: a map."},
    {.name = "json_list",
	.type = SLU_T_LIST,
	.flags = SLU_F_TEMPLATED,
	.excludes = "json|body",
	.doc = "The body as JSON: a list."},
    {.name = "body",
	.type = SLU_T_STRING,
	.flags = SLU_F_TEMPLATED,
	.excludes = "json|json_list",
	.doc = "The body as a text; its Content-Type is text/plain unless headers say another."},
    {.name = "expect",
	.type = SLU_T_OBJECT,
	.sub = {sizeof(expects) / sizeof(expects[0]), sizeof(slu_opt), expects},
	.doc = "What must come back; anything else fails the step."},
    {.name = "outputs",
	.type = SLU_T_MAP,
	.sub = {1, sizeof(slu_opt), &pointer},
	.doc = "Values of the answer for later steps: {name: /pointer}."},
    {.name = "max_bytes",
	.type = SLU_T_BYTES,
	.def = "1MiB",
	.min = "1",
	.max = "64MiB",
	.doc = "How long the answer's body may be."}};

const slu_task http_task = {.size = sizeof(slu_task),
    .options = {sizeof(options) / sizeof(options[0]), sizeof(slu_opt), options},
    .open = task_open,
    .run = task_run,
    .cancel = task_cancel,
    .close = task_close};
