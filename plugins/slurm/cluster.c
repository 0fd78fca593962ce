/* cluster.c: the connection: slurmrestd by HTTP with a JSON web token, and what its errors mean. */
#include "plugins/slurm/slurm.h"

#include <sluice/kit/hash.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TOKEN_MAX 8192
#define ANSWER_MAX (64u << 20) /* a list of all jobs: some 3 KB each */

/* Numbers of slurm_errno.h. */
#define E_PROTOCOL_AUTH 1007
#define E_JOB_FIRST 2000
#define E_ACCESS_DENIED 2002
#define E_INVALID_JOB 2017
#define E_JOB_LAST 2199
#define E_AUTH_FIRST 6000
#define E_AUTH_LAST 6099

int cluster_is_newer(const struct cluster *c)
{
	int major = 0, minor = 0, patch = 0;

	return sscanf(c->version, "v%d.%d.%d", &major, &minor, &patch) == 3 &&
	       (major > 0 || minor > 0 || patch >= 39);
}

/* Slurm says 500 to nearly everything; the number tells. */
static slu_rc class_of(int64_t number, int32_t status)
{
	if (number == E_INVALID_JOB)
		return SLU_E_NOT_FOUND;
	if (status == 401 || number == E_PROTOCOL_AUTH || number == E_ACCESS_DENIED ||
	    (number >= E_AUTH_FIRST && number <= E_AUTH_LAST))
		return SLU_E_AUTH;
	if (number >= E_JOB_FIRST && number <= E_JOB_LAST)
		return SLU_E_CONFIG;
	if (status >= 400 && status < 500)
		return SLU_E_CONFIG;
	return SLU_E_TRANSIENT;
}

static slu_rc refused(const slu_json *root, const slu_http_reply *reply, slu_err *err)
{
	const slu_json *e = slu_json_first(slu_json_get(root, "errors"));
	int64_t number = slu_json_get_i64(e, "error_number", slu_json_get_i64(e, "error_code", 0));
	const char *text = slu_json_get_str(e, "error", "no reason was given");
	const char *more = slu_json_get_str(e, "description", "");
	slu_rc rc = class_of(number, reply->status);

	return slu_fail(err, rc, "SLURM.REFUSED", "slurmrestd answered %d: %.120s%s%.200s%s",
	    (int)reply->status, text, more[0] ? ": " : "", more,
	    number == -1 ? " (a token that is wrong or has expired gives this too)" : "");
}

static slu_rc judge(const slu_http_reply *reply, slu_json **out, slu_err *err)
{
	slu_rc rc = slu_json_parse(slu_buf_text(&reply->body), "slurmrestd's answer", out, err);

	if (rc != SLU_OK || slu_json_type(*out) != SLU_JSON_OBJECT) {
		slu_json_free(*out);
		*out = NULL;
		rc = slu_http_judge(reply, "slurmrestd", err);
		return rc != SLU_OK ? rc
				    : slu_fail(err, SLU_E_CONFIG, "SLURM.ANSWER",
					  "what answers at the connection's url is no slurmrestd");
	}
	if (reply->status == 200 && slu_json_len(slu_json_get(*out, "errors")) == 0)
		return SLU_OK;
	rc = refused(*out, reply, err);
	slu_json_free(*out);
	*out = NULL;
	return rc;
}

slu_rc cluster_ask(struct cluster *c, const char *method, const char *path, const slu_buf *body,
    slu_json **out, slu_err *err)
{
	const char *headers[] = {c->header_user, c->header_token, "Content-Type: application/json"};
	char url[URL_MAX_BYTES];
	slu_http_request q = {
	    .size = sizeof(q), .n_headers = 3, .method = method, .url = url, .headers = headers};
	slu_http_reply reply = {0};
	slu_rc rc;

	*out = NULL;
	(void)snprintf(url, sizeof(url), "%s/slurm/%s/%s", c->url, c->version, path);
	if (body != NULL) {
		q.body = body->s;
		q.body_n = body->len;
	}
	rc = slu_http_do(c->http, &q, &reply, err);
	if (rc == SLU_OK)
		rc = judge(&reply, out, err);
	slu_http_reply_done(&reply);
	return rc;
}

/* ---- the connection ---- */

static void conn_close(void *st)
{
	struct cluster *c = st;

	slu_http_free(c->http);
	if (c->header_token != NULL)
		slu_wipe(c->header_token, strlen(c->header_token));
	free(c->header_token);
	free(c);
}

static slu_rc read_token(struct cluster *c, slu_err *err)
{
	static const char name[] = "X-SLURM-USER-TOKEN: ";
	size_t n = TOKEN_MAX, head = sizeof(name) - 1;
	char *at = malloc(head + TOKEN_MAX + 1);
	slu_rc rc;

	c->header_token = at;
	if (at == NULL)
		return slu_fail(err, SLU_E_TRANSIENT, "SLURM.MEMORY", "out of memory");
	memcpy(at, name, head + 1);
	rc = c->host->get_secret(c->run, "token", at + head, &n);
	if (rc != SLU_OK || n > TOKEN_MAX)
		return slu_fail_field(err, SLU_E_CONFIG, "SLURM.TOKEN", "token",
		    "the connection's token is missing or longer than %d bytes", TOKEN_MAX);
	while (n > 0 && (at[head + n - 1] == '\n' || at[head + n - 1] == '\r'))
		n--;
	at[head + n] = '\0';
	if (strpbrk(at + head, "\r\n") != NULL)
		return slu_fail_field(err, SLU_E_CONFIG, "SLURM.TOKEN", "token",
		    "the connection's token has more than one line");
	return SLU_OK;
}

static slu_rc read_text(struct cluster *c, const char *name, char *out, size_t size, slu_err *err)
{
	const char *text = c->host->get_str(c->run, name);

	if (text == NULL || text[0] == '\0' || strlen(text) >= size ||
	    strpbrk(text, "\r\n") != NULL)
		return slu_fail_field(err, SLU_E_CONFIG, "SLURM.OPTION", name,
		    "the connection's %s is missing, too long, or has a line break", name);
	(void)snprintf(out, size, "%s", text);
	return SLU_OK;
}

static slu_rc read_options(struct cluster *c, slu_err *err)
{
	/* A cluster stands in one's own network, and only sluice.yaml can name it. */
	slu_http_options o = {.size = sizeof(o), .private_ok = 1, .max_bytes = ANSWER_MAX};
	slu_rc rc = read_text(c, "url", c->url, sizeof(c->url), err);
	size_t n = strlen(c->url);

	while (n > 0 && c->url[n - 1] == '/')
		c->url[--n] = '\0';
	if (rc == SLU_OK)
		rc = read_text(c, "user", c->user, sizeof(c->user), err);
	if (rc == SLU_OK)
		rc = read_text(c, "api_version", c->version, sizeof(c->version), err);
	if (rc == SLU_OK)
		rc = read_token(c, err);
	if (rc == SLU_OK && c->host->get_i64(c->run, "timeout", &o.timeout_ms) != SLU_OK)
		o.timeout_ms = 0;
	(void)snprintf(c->header_user, sizeof(c->header_user), "X-SLURM-USER-NAME: %s", c->user);
	return rc == SLU_OK ? slu_http_new(c->host, c->run, &o, &c->http, err) : rc;
}

static slu_rc conn_open(const slu_host *host, slu_run *run, void **out, slu_err *err)
{
	struct cluster *c = calloc(1, sizeof(*c));
	slu_rc rc;

	if (c == NULL)
		return slu_fail(err, SLU_E_TRANSIENT, "SLURM.MEMORY", "out of memory");
	c->host = host;
	c->run = run;
	rc = read_options(c, err);
	if (rc != SLU_OK) {
		conn_close(c);
		return rc;
	}
	*out = c;
	return SLU_OK;
}

static slu_rc conn_check(void *st, slu_err *err)
{
	slu_json *answer;
	slu_rc rc = cluster_ask(st, "GET", "ping", NULL, &answer, err);

	slu_json_free(answer);
	return rc;
}

static slu_rc conn_reset(void *st, slu_err *err)
{
	(void)st;
	(void)err;
	return SLU_OK; /* one request is one connection to the server: nothing is left over */
}

static void conn_cancel(void *st)
{
	struct cluster *c = st;

	slu_http_cancel(c->http);
}

static const slu_opt options[] = {{.name = "url",
				      .type = SLU_T_STRING,
				      .flags = SLU_F_REQUIRED | SLU_F_IDENTITY,
				      .doc = "Where slurmrestd answers: http://HOST:PORT."},
    {.name = "user",
	.type = SLU_T_STRING,
	.flags = SLU_F_REQUIRED,
	.doc = "Whose jobs they are; the token must be that user's."},
    {.name = "token",
	.type = SLU_T_SECRET,
	.flags = SLU_F_REQUIRED,
	.doc = "A JSON web token, as `scontrol token` makes them."},
    {.name = "api_version",
	.type = SLU_T_STRING,
	.def = "v0.0.38",
	.doc = "Version of the interface, one that the cluster's slurmrestd offers."},
    {.name = "timeout",
	.type = SLU_T_DURATION,
	.def = "30s",
	.doc = "How long one request may take."}};

const slu_connection slurm_connection = {.size = sizeof(slu_connection),
    .options = {sizeof(options) / sizeof(options[0]), sizeof(slu_opt), options},
    .open = conn_open,
    .check = conn_check,
    .reset = conn_reset,
    .cancel = conn_cancel,
    .close = conn_close};
