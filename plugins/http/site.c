/* site.c: the connection: where a service is, who we are there, and what every request carries. */
#include "plugins/http/http.h"

#include <sluice/kit/file.h>
#include <sluice/kit/hash.h>
#include <sluice/kit/text.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SECRET_MAX 8192

static void site_close(void *conn)
{
	struct site *s = conn;

	if (s == NULL)
		return;
	if (s->authorization != NULL)
		slu_wipe(s->authorization, strlen(s->authorization));
	free(s->authorization);
	free(s->base);
	free(s->ca_file);
	slu_json_free(s->headers);
	free(s);
}

/* ---- url ---- */

static slu_rc bad_url(slu_err *err, const char *why)
{
	return slu_fail_field(err, SLU_E_CONFIG, "HTTP.URL", "url",
	    "the connection's url %s: write https://HOST/PATH", why);
}

static slu_rc read_url(struct site *s, slu_err *err)
{
	const char *url = s->host->get_str(s->run, "url"), *at;
	size_t n;

	if (url == NULL || url[0] == 0)
		return bad_url(err, "is missing");
	if (strlen(url) > SITE_URL_MAX)
		return bad_url(err, "is too long");
	if (strncmp(url, "https://", 8) != 0 && strncmp(url, "http://", 7) != 0)
		return bad_url(err, "does not begin with https:// or http://");
	at = strstr(url, "://") + 3;
	n = strcspn(at, "/");
	if (n == 0)
		return bad_url(err, "names no host");
	if (memchr(at, '@', n) != NULL)
		return bad_url(err, "holds a user or password; those belong into auth");
	for (; *at != 0; at++) {
		if ((unsigned char)*at <= ' ' || (unsigned char)*at > '~' || *at == '\\')
			return bad_url(err, "holds a blank or what is not ASCII");
		if (*at == '?' || *at == '#')
			return bad_url(err, "holds ? or #; a step says what is asked in its query");
	}
	s->base = strdup(url);
	for (n = s->base != NULL ? strlen(s->base) : 0; n > 0 && s->base[n - 1] == '/'; n--)
		s->base[n - 1] = 0;
	return s->base != NULL ? SLU_OK
			       : slu_fail(err, SLU_E_TRANSIENT, "HTTP.MEMORY", "out of memory");
}

/* ---- auth ---- */

/* Into out (SECRET_MAX + 1 bytes), without the line's end that a file has. */
static slu_rc read_secret(const struct site *s, const char *name, char *out, slu_err *err)
{
	size_t n = SECRET_MAX;
	slu_rc rc = s->host->get_secret(s->run, name, out, &n);

	out[0] = rc == SLU_OK && n <= SECRET_MAX ? out[0] : 0;
	if (rc != SLU_OK || n > SECRET_MAX)
		return slu_fail_field(err, SLU_E_CONFIG, "HTTP.SECRET", name,
		    "auth needs \"%s\": a secret of at most %d bytes: {file: secrets/NAME}", name,
		    SECRET_MAX);
	while (n > 0 && (out[n - 1] == '\n' || out[n - 1] == '\r'))
		n--;
	out[n] = 0;
	for (size_t i = 0; i < n; i++) {
		if ((unsigned char)out[i] < ' ' || out[i] == 127)
			return slu_fail_field(err, SLU_E_CONFIG, "HTTP.SECRET", name,
			    "the secret \"%s\" holds a line break or control character", name);
	}
	return SLU_OK;
}

static slu_rc take_header(struct site *s, const char *scheme, const char *value, slu_err *err)
{
	size_t n = strlen(scheme) + strlen(value) + 32;

	s->authorization = malloc(n);
	if (s->authorization == NULL)
		return slu_fail(err, SLU_E_TRANSIENT, "HTTP.MEMORY", "out of memory");
	(void)snprintf(s->authorization, n, "Authorization: %s %s", scheme, value);
	return SLU_OK;
}

static slu_rc read_bearer(struct site *s, slu_err *err)
{
	char token[SECRET_MAX + 1];
	slu_rc rc = read_secret(s, "token", token, err);

	if (rc == SLU_OK)
		rc = take_header(s, "Bearer", token, err);
	slu_wipe(token, sizeof(token));
	return rc;
}

static slu_rc join_basic(struct site *s, const char *user, const char *password, slu_err *err)
{
	char both[2 * SECRET_MAX + 2], text[(2 * SECRET_MAX + 2) / 3 * 4 + 8];
	int n = snprintf(both, sizeof(both), "%s:%s", user, password);
	slu_rc rc;

	if (strchr(user, ':') != NULL)
		return slu_fail_field(err, SLU_E_CONFIG, "HTTP.SECRET", "user",
		    "the secret \"user\" holds a colon, which basic auth cannot carry");
	slu_base64_put(both, (size_t)n, text);
	text[slu_base64_len((size_t)n)] = 0;
	rc = take_header(s, "Basic", text, err);
	slu_wipe(both, sizeof(both));
	slu_wipe(text, sizeof(text));
	return rc;
}

static slu_rc read_basic(struct site *s, slu_err *err)
{
	char user[SECRET_MAX + 1], password[SECRET_MAX + 1];
	slu_rc rc = read_secret(s, "user", user, err);

	if (rc == SLU_OK)
		rc = read_secret(s, "password", password, err);
	if (rc == SLU_OK)
		rc = join_basic(s, user, password, err);
	slu_wipe(user, sizeof(user));
	slu_wipe(password, sizeof(password));
	return rc;
}

static slu_rc read_auth(struct site *s, slu_err *err)
{
	const char *auth = s->host->get_str(s->run, "auth");

	if (auth == NULL || strcmp(auth, "none") == 0)
		return SLU_OK;
	if (strcmp(auth, "bearer") == 0)
		return read_bearer(s, err);
	if (strcmp(auth, "basic") == 0)
		return read_basic(s, err);
	return slu_fail_field(err, SLU_E_CONFIG, "HTTP.AUTH", "auth",
	    "auth is none, bearer or basic, not \"%.40s\"", auth);
}

/* ---- the rest ---- */

static slu_rc read_more(struct site *s, slu_err *err)
{
	const char *p = s->host->get_str(s->run, "private");
	const char *ca = s->host->get_str(s->run, "ca_file");
	char *path = ca != NULL && ca[0] != 0 ? slu_path(s->host, s->run, ca) : NULL;
	slu_rc rc = slu_option_json(s->host, s->run, "headers", &s->headers, err);

	s->private_ok = p != NULL && strcmp(p, "allow") == 0;
	s->timeout_ms = 30000;
	(void)s->host->get_i64(s->run, "timeout", &s->timeout_ms);
	if (path != NULL)
		s->ca_file = strdup(path);
	slu_free(path);
	return rc == SLU_OK ? request_check_headers(s->headers, err) : rc;
}

static slu_rc site_open(const slu_host *host, slu_run *run, void **conn, slu_err *err)
{
	struct site *s = calloc(1, sizeof(*s));
	slu_rc rc;

	if (s == NULL)
		return slu_fail(err, SLU_E_TRANSIENT, "HTTP.MEMORY", "out of memory");
	s->host = host;
	s->run = run;
	rc = read_url(s, err);
	if (rc == SLU_OK)
		rc = read_more(s, err);
	if (rc == SLU_OK)
		rc = read_auth(s, err);
	if (rc != SLU_OK) {
		site_close(s);
		return rc;
	}
	*conn = s;
	return SLU_OK;
}

slu_rc site_client(const struct site *s, const slu_host *host, slu_run *run, uint64_t max_bytes,
    slu_http **out, slu_err *err)
{
	slu_http_options o = {.size = sizeof(o),
	    .private_ok = s->private_ok,
	    .timeout_ms = s->timeout_ms,
	    .max_bytes = max_bytes,
	    .ca_file = s->ca_file};

	return slu_http_new(host, run, &o, out, err);
}

/* Whether somebody answers there and knows us; what stands at the url itself is the service's
 * affair. */
static slu_rc site_check(void *conn, slu_err *err)
{
	const struct site *s = conn;
	const char *headers[] = {s->authorization};
	slu_http_request q = {.size = sizeof(q),
	    .method = "HEAD",
	    .url = s->base,
	    .headers = headers,
	    .n_headers = s->authorization != NULL ? 1 : 0};
	slu_http_reply reply = {0};
	slu_http *h = NULL;
	slu_rc rc = site_client(s, s->host, s->run, 0, &h, err);

	if (rc == SLU_OK)
		rc = slu_http_do(h, &q, &reply, err);
	if (rc == SLU_OK && (reply.status == 401 || reply.status == 403 || reply.status >= 500))
		rc = slu_http_judge(&reply, "the service", err);
	slu_http_reply_done(&reply);
	slu_http_free(h);
	return rc;
}

static slu_rc site_reset(void *conn, slu_err *err)
{
	(void)conn;
	(void)err;
	return SLU_OK; /* each task has a client of its own: nothing is left over */
}

static const slu_opt header = {
    .name = "value", .type = SLU_T_STRING, .doc = "The value of the header."};
static const slu_opt options[] = {
    {.name = "url",
	.type = SLU_T_URI,
	.flags = SLU_F_REQUIRED | SLU_F_IDENTITY,
	.doc = "Where the service is: https://HOST/PATH; paths of steps are below it."},
    {.name = "headers",
	.type = SLU_T_MAP,
	.sub = {1, sizeof(slu_opt), &header},
	.doc = "What every request carries: {Accept: application/json}."},
    {.name = "auth",
	.type = SLU_T_ENUM,
	.def = "none",
	.choices = "none|bearer|basic",
	.doc = "How we say who we are: bearer with token, basic with user and password."},
    {.name = "token", .type = SLU_T_SECRET, .needs = "auth", .doc = "The bearer token."},
    {.name = "user",
	.type = SLU_T_SECRET,
	.needs = "auth|password",
	.doc = "The user of basic auth; a secret too, because some services put a key there."},
    {.name = "password",
	.type = SLU_T_SECRET,
	.needs = "auth|user",
	.doc = "The password of basic auth."},
    {.name = "private",
	.type = SLU_T_ENUM,
	.def = "refuse",
	.choices = "refuse|allow",
	.doc = "Whether the url may lead into the own network."},
    {.name = "timeout",
	.type = SLU_T_DURATION,
	.def = "30s",
	.min = "1s",
	.max = "1h",
	.doc = "How long one request may take."},
    {.name = "ca_file",
	.type = SLU_T_URI,
	.doc = "Certificates (PEM) to trust instead of the system's."}};

const slu_connection http_connection = {.size = sizeof(slu_connection),
    .options = {sizeof(options) / sizeof(options[0]), sizeof(slu_opt), options},
    .open = site_open,
    .check = site_check,
    .reset = site_reset,
    .close = site_close};
