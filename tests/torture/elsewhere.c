/* elsewhere.c: a plugin of the tests: jobs of the HTTP API that submitted.py serves, submitted with
 * an Idempotency-Key, polled and cancelled there. */
#include <sluice/kit/http.h>
#include <sluice/kit/json.h>
#include <sluice/plugin.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct task {
	const slu_host *host;
	slu_run *run;
	slu_http *http;
};

static void task_close(void *st)
{
	struct task *t = st;

	slu_http_free(t->http);
	free(t);
}

static slu_rc task_open(const slu_host *host, slu_run *run, void *conn, void **st, slu_err *err)
{
	slu_http_options o = {.size = sizeof(o), .private_ok = 1, .timeout_ms = 5000};
	struct task *t = calloc(1, sizeof(*t));

	(void)conn;
	t->host = host;
	t->run = run;
	*st = t;
	if (slu_http_new(host, run, &o, &t->http, err) == SLU_OK)
		return SLU_OK;
	task_close(t);
	return err->rc;
}

/* One request; *out: the answer's tree. */
static slu_rc ask(
    struct task *t, const char *method, const char *path, slu_json **out, slu_err *err)
{
	char url[512], key[512];
	const char *headers[] = {key};
	slu_http_request q = {
	    .size = sizeof(q), .method = method, .url = url, .headers = headers, .n_headers = 1};
	slu_http_reply reply = {0};
	slu_rc rc;

	*out = NULL;
	(void)snprintf(url, sizeof(url), "%s%s", t->host->get_str(t->run, "url"), path);
	(void)snprintf(
	    key, sizeof(key), "Idempotency-Key: %s", t->host->attempt(t->run)->ledger_key);
	if (strcmp(method, "POST") == 0) {
		q.body = t->host->get_str(t->run, "job");
		q.body_n = strlen(q.body);
	}
	rc = slu_http_do(t->http, &q, &reply, err);
	if (rc == SLU_OK)
		rc = slu_http_judge(&reply, "the job API", err);
	if (rc == SLU_OK)
		rc = slu_json_parse(slu_buf_text(&reply.body), "the answer", out, err);
	slu_http_reply_done(&reply);
	return rc;
}

static slu_rc task_submit(void *st, char *handle, size_t cap, slu_poll *p, slu_err *err)
{
	struct task *t = st;
	slu_json *j;
	slu_rc rc = ask(t, "POST", "/jobs", &j, err);

	(void)snprintf(handle, cap, "%s", slu_json_get_str(j, "id", ""));
	p->next_poll_ms = slu_json_get_i64(j, "after_ms", 1000);
	slu_json_free(j);
	return rc;
}

static slu_rc task_poll(void *st, const char *handle, slu_poll *p, slu_err *err)
{
	struct task *t = st;
	char path[128], text[128];
	slu_json *j;
	const char *state;
	slu_rc rc;

	(void)snprintf(path, sizeof(path), "/jobs/%.100s", handle);
	rc = ask(t, "GET", path, &j, err);
	if (rc != SLU_OK)
		return rc;
	state = slu_json_get_str(j, "state", "");
	p->next_poll_ms = slu_json_get_i64(j, "after_ms", 1000);
	if (strcmp(state, "done") == 0) {
		(void)snprintf(text, sizeof(text), "\"%.100s\"", handle);
		p->state = SLU_POLL_DONE;
		rc = t->host->output(t->run, "job", text);
	} else if (strcmp(state, "cancelled") == 0) {
		p->state = SLU_POLL_FAILED;
		(void)slu_fail(err, SLU_E_CANCELLED, "JOB", "the job was cancelled there");
	}
	slu_json_free(j);
	return rc;
}

static slu_rc task_cancel_remote(void *st, const char *handle, slu_err *err)
{
	char path[128];
	slu_json *j;
	slu_rc rc;

	(void)snprintf(path, sizeof(path), "/jobs/%.100s", handle);
	rc = ask(st, "DELETE", path, &j, err);
	slu_json_free(j);
	return rc;
}

static void task_cancel(void *st)
{
	slu_http_cancel(((struct task *)st)->http);
}

static const slu_opt options[] = {
    {.name = "url", .type = SLU_T_STRING, .flags = SLU_F_REQUIRED, .doc = "Where the API is."},
    {.name = "job",
	.type = SLU_T_STRING,
	.flags = SLU_F_REQUIRED | SLU_F_TEMPLATED,
	.doc = "The job, as JSON."}};
static const slu_task task = {.size = sizeof(slu_task),
    .options = {2, sizeof(slu_opt), options},
    .open = task_open,
    .submit = task_submit,
    .poll = task_poll,
    .cancel_remote = task_cancel_remote,
    .cancel = task_cancel,
    .close = task_close};
static const slu_kind kinds[] = {
    {.type = "elsewhere", .doc = "Jobs of the tests.", .needs = SLU_N_NET, .task = &task}};
static const slu_plugin plugin = {.magic = SLU_MAGIC,
    .size = sizeof(plugin),
    .abi_major = SLU_ABI_MAJOR,
    .abi_minor = SLU_ABI_MINOR,
    .name = "elsewhere",
    .version = "0",
    .license = "same as Sluice",
    .n_kinds = 1,
    .kind_stride = sizeof(slu_kind),
    .kinds = kinds};

const slu_plugin *sluice_plugin_v1(uint32_t host_major, uint32_t host_minor, slu_err *err)
{
	(void)host_major;
	(void)host_minor;
	(void)err;
	return &plugin;
}
