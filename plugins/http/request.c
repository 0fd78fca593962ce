/* request.c: a step's options as a request. The url can be made longer by a step, and nothing else:
 * whatever a template yields, it stays below the connection's. */
#include "plugins/http/http.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define HEADER_MAX 8192

void request_done(struct request *q)
{
	slu_buf_done(&q->path);
	slu_buf_done(&q->url);
	slu_buf_done(&q->body);
	for (uint32_t i = 0; i < q->n_headers; i++)
		free(q->headers[i]);
	q->n_headers = 0;
}

/* ---- headers ---- */

static int is_token(const char *s)
{
	static const char more[] = "!#$%&'*+-.^_`|~";

	if (*s == 0)
		return 0;
	for (; *s != 0; s++) {
		int letter = (*s >= 'a' && *s <= 'z') || (*s >= 'A' && *s <= 'Z') ||
			     (*s >= '0' && *s <= '9');

		if (!letter && strchr(more, *s) == NULL)
			return 0;
	}
	return 1;
}

static slu_rc check_header(const char *name, const char *value, slu_err *err)
{
	static const char *const ours[] = {"Connection", "Content-Length", "Expect", "Host",
	    "Proxy-Authorization", "TE", "Trailer", "Transfer-Encoding", "Upgrade"};

	if (!is_token(name))
		return slu_fail_field(err, SLU_E_CONFIG, "HTTP.HEADER", "headers",
		    "\"%.60s\" is no name of a header", name);
	if (strcasecmp(name, "Authorization") == 0)
		return slu_fail_field(err, SLU_E_CONFIG, "HTTP.HEADER", "headers",
		    "the header Authorization holds a secret: write auth: bearer or basic in the "
		    "connection");
	for (size_t i = 0; i < sizeof(ours) / sizeof(ours[0]); i++) {
		if (strcasecmp(name, ours[i]) == 0)
			return slu_fail_field(err, SLU_E_CONFIG, "HTTP.HEADER", "headers",
			    "the header %s is written by the client: take it out", ours[i]);
	}
	for (; *value != 0; value++) {
		if (((unsigned char)*value < ' ' && *value != '\t') || *value == 127)
			return slu_fail_field(err, SLU_E_CONFIG, "HTTP.HEADER", "headers",
			    "the header %.60s holds a line break or control character", name);
	}
	return SLU_OK;
}

/* Texts as they are, numbers and booleans as JSON has them. 0: neither. */
static int scalar_text(const slu_json *j, slu_buf *out)
{
	switch (slu_json_type(j)) {
	case SLU_JSON_STRING:
		slu_buf_add(out, slu_json_str(j, ""));
		return 1;
	case SLU_JSON_NUMBER:
	case SLU_JSON_BOOL:
		slu_json_print(j, out);
		return 1;
	default:
		return 0;
	}
}

slu_rc request_check_headers(const slu_json *map, slu_err *err)
{
	slu_rc rc = SLU_OK;

	if (map != NULL && slu_json_type(map) != SLU_JSON_OBJECT)
		return slu_fail_field(
		    err, SLU_E_CONFIG, "HTTP.HEADER", "headers", "headers is a map: {Name: value}");
	for (const slu_json *j = slu_json_first(map); rc == SLU_OK && j != NULL;
	     j = slu_json_next(j)) {
		slu_buf value;

		slu_buf_init(&value, HEADER_MAX);
		if (!scalar_text(j, &value) || value.failed)
			rc = slu_fail_field(err, SLU_E_CONFIG, "HTTP.HEADER", "headers",
			    "the header %.60s is no text, or longer than %d bytes", slu_json_key(j),
			    HEADER_MAX);
		else
			rc = check_header(slu_json_key(j), slu_buf_text(&value), err);
		slu_buf_done(&value);
	}
	return rc;
}

static int find_header(const struct request *q, const char *name)
{
	size_t n = strlen(name);

	for (uint32_t i = 0; i < q->n_headers; i++) {
		if (strncasecmp(q->headers[i], name, n) == 0 && q->headers[i][n] == ':')
			return (int)i;
	}
	return -1;
}

/* What comes later takes the place of what is there. */
static slu_rc put_header(struct request *q, const char *name, const char *value, slu_err *err)
{
	size_t n = strlen(name) + strlen(value) + 3;
	int at = find_header(q, name);
	char *line;

	if (at < 0 && q->n_headers >= HEADERS_MAX)
		return slu_fail_field(err, SLU_E_CONFIG, "HTTP.HEADER", "headers",
		    "a request has at most %d headers", HEADERS_MAX);
	line = malloc(n);
	if (line == NULL)
		return slu_fail(err, SLU_E_TRANSIENT, "HTTP.MEMORY", "out of memory");
	(void)snprintf(line, n, "%s: %s", name, value);
	if (at < 0)
		at = (int)q->n_headers++;
	else
		free(q->headers[at]);
	q->headers[at] = line;
	return SLU_OK;
}

static slu_rc put_headers(struct request *q, const slu_json *map, slu_err *err)
{
	slu_rc rc = request_check_headers(map, err);

	for (const slu_json *j = slu_json_first(map); rc == SLU_OK && j != NULL;
	     j = slu_json_next(j)) {
		slu_buf value;

		slu_buf_init(&value, HEADER_MAX);
		(void)scalar_text(j, &value);
		rc = put_header(q, slu_json_key(j), slu_buf_text(&value), err);
		slu_buf_done(&value);
	}
	return rc;
}

static slu_rc read_headers(
    struct request *q, const struct site *s, const slu_host *host, slu_run *run, slu_err *err)
{
	slu_json *own = NULL;
	slu_rc rc = put_headers(q, s->headers, err);

	if (rc == SLU_OK)
		rc = slu_option_json(host, run, "headers", &own, err);
	if (rc == SLU_OK)
		rc = put_headers(q, own, err);
	slu_json_free(own);
	return rc;
}

/* ---- url ---- */

/* "." and ".." in every spelling: they would lead out of the connection's path. */
static int is_dots(const char *s, size_t n)
{
	size_t dots = 0, i = 0;

	while (i < n) {
		if (s[i] == '.')
			i++;
		else if (n - i >= 3 && strncasecmp(s + i, "%2e", 3) == 0)
			i += 3;
		else
			return 0;
		dots++;
	}
	return dots == 1 || dots == 2;
}

static slu_rc check_path(const char *path, slu_err *err)
{
	const char *at = path;

	if (strncasecmp(path, "http://", 7) == 0 || strncasecmp(path, "https://", 8) == 0)
		return slu_fail_field(err, SLU_E_CONFIG, "HTTP.PATH", "path",
		    "path is a whole url; it stands below the connection's: another host is "
		    "another connection");
	if (strpbrk(path, "?#\\") != NULL)
		return slu_fail_field(err, SLU_E_CONFIG, "HTTP.PATH", "path",
		    "path holds ?, # or a backslash; what is asked stands in query");
	for (;;) {
		size_t n = strcspn(at, "/");

		if (is_dots(at, n))
			return slu_fail_field(err, SLU_E_CONFIG, "HTTP.PATH", "path",
			    "path holds . or .. as a part, which would leave the connection's url");
		if (at[n] == 0)
			return SLU_OK;
		at += n + 1;
	}
}

static int is_hex(char c)
{
	return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}

/* As it is where a path may hold it, else %XX. */
static void add_path(slu_buf *b, const char *s)
{
	static const char plain[] = "/!$&'()*+,;=:@";
	char one[2] = {0};

	for (; *s != 0; s++) {
		if (strchr(plain, *s) != NULL || (*s == '%' && is_hex(s[1]) && is_hex(s[2]))) {
			slu_buf_addc(b, *s);
			continue;
		}
		one[0] = *s;
		slu_buf_add_url(b, one);
	}
}

static slu_rc add_pair(
    struct request *q, const char *name, const slu_json *j, char *sep, slu_err *err)
{
	slu_buf value;
	int ok;

	if (slu_json_type(j) == SLU_JSON_NULL)
		return SLU_OK;
	slu_buf_init(&value, REQUEST_URL_MAX);
	ok = scalar_text(j, &value);
	slu_buf_addc(&q->url, *sep);
	slu_buf_add_url(&q->url, name);
	slu_buf_addc(&q->url, '=');
	slu_buf_add_url(&q->url, slu_buf_text(&value));
	*sep = '&';
	if (value.failed)
		q->url.failed = 1;
	slu_buf_done(&value);
	return ok ? SLU_OK
		  : slu_fail_field(err, SLU_E_CONFIG, "HTTP.QUERY", "query",
			"\"%.60s\" of the query is neither a value nor a list of values", name);
}

static slu_rc add_query(struct request *q, const slu_json *map, slu_err *err)
{
	slu_rc rc = SLU_OK;
	char sep = '?';

	if (map != NULL && slu_json_type(map) != SLU_JSON_OBJECT)
		return slu_fail_field(
		    err, SLU_E_CONFIG, "HTTP.QUERY", "query", "query is a map: {name: value}");
	for (const slu_json *j = slu_json_first(map); rc == SLU_OK && j != NULL;
	     j = slu_json_next(j)) {
		const slu_json *each = slu_json_first(j);

		if (slu_json_type(j) != SLU_JSON_ARRAY)
			rc = add_pair(q, slu_json_key(j), j, &sep, err);
		else
			for (; rc == SLU_OK && each != NULL; each = slu_json_next(each))
				rc = add_pair(q, slu_json_key(j), each, &sep, err);
	}
	return rc;
}

static slu_rc read_url(
    struct request *q, const struct site *s, const slu_host *host, slu_run *run, slu_err *err)
{
	const char *path = host->get_str(run, "path");
	slu_json *query = NULL;
	slu_rc rc = check_path(path != NULL ? path : "", err);

	if (rc == SLU_OK)
		rc = slu_option_json(host, run, "query", &query, err);
	if (rc != SLU_OK)
		return rc;
	slu_buf_add(&q->path, strchrnul(strstr(s->base, "://") + 3, '/'));
	if (path != NULL && path[0] != 0 && path[0] != '/')
		slu_buf_addc(&q->path, '/');
	add_path(&q->path, path != NULL ? path : "");
	if (q->path.len == 0)
		slu_buf_addc(&q->path, '/');
	slu_buf_addn(&q->url, s->base,
	    strcspn(strstr(s->base, "://") + 3, "/") +
		(size_t)(strstr(s->base, "://") + 3 - s->base));
	slu_buf_add(&q->url, slu_buf_text(&q->path));
	rc = add_query(q, query, err);
	slu_json_free(query);
	if (rc == SLU_OK && (q->url.failed || q->path.failed))
		rc = slu_fail_field(err, SLU_E_CONFIG, "HTTP.URL", "path",
		    "path and query make a url of more than %d bytes", REQUEST_URL_MAX);
	return rc;
}

/* ---- body ---- */

static slu_rc read_body(struct request *q, const slu_host *host, slu_run *run, slu_err *err)
{
	const char *text = host->get_str(run, "body"), *type = NULL;
	const char *map = host->get_json(run, "json"), *list = host->get_json(run, "json_list");

	slu_buf_init(&q->body, REQUEST_BODY_MAX);
	if ((text != NULL) + (map != NULL) + (list != NULL) > 1)
		return slu_fail_field(err, SLU_E_CONFIG, "HTTP.BODY", "body",
		    "json, json_list and body exclude each other");
	if (map != NULL || list != NULL) {
		slu_buf_add(&q->body, map != NULL ? map : list);
		type = "application/json";
	} else if (text != NULL) {
		slu_buf_add(&q->body, text);
		type = "text/plain; charset=utf-8";
	}
	if (q->body.failed)
		return slu_fail_field(err, SLU_E_DATA, "HTTP.BODY", "body",
		    "the request's body is longer than %u bytes", REQUEST_BODY_MAX);
	if (type != NULL && (strcmp(q->method, "GET") == 0 || strcmp(q->method, "HEAD") == 0))
		return slu_fail_field(err, SLU_E_CONFIG, "HTTP.BODY", "method",
		    "%s has no body: write method: POST", q->method);
	q->has_body = type != NULL || q->method[0] == 'P'; /* else no Content-Length is sent */
	if (q->has_body && find_header(q, "Content-Type") < 0)
		return put_header(q, "Content-Type", type != NULL ? type : "", err);
	return SLU_OK;
}

static slu_rc read_method(struct request *q, const slu_host *host, slu_run *run, slu_err *err)
{
	static const char *const methods[] = {"GET", "POST", "PUT", "PATCH", "DELETE", "HEAD"};
	const char *m = host->get_str(run, "method");

	for (size_t i = 0; i < sizeof(methods) / sizeof(methods[0]); i++) {
		if (strcmp(m != NULL ? m : "GET", methods[i]) != 0)
			continue;
		(void)snprintf(q->method, sizeof(q->method), "%s", methods[i]);
		return SLU_OK;
	}
	return slu_fail_field(err, SLU_E_CONFIG, "HTTP.METHOD", "method",
	    "method is GET, POST, PUT, PATCH, DELETE or HEAD, not \"%.40s\"", m);
}

slu_rc request_read(
    struct request *q, const struct site *s, const slu_host *host, slu_run *run, slu_err *err)
{
	slu_rc rc = read_method(q, host, run, err);

	slu_buf_init(&q->path, REQUEST_URL_MAX);
	slu_buf_init(&q->url, REQUEST_URL_MAX);
	if (rc == SLU_OK)
		rc = read_url(q, s, host, run, err);
	if (rc == SLU_OK)
		rc = read_headers(q, s, host, run, err);
	if (rc == SLU_OK)
		rc = read_body(q, host, run, err);
	return rc;
}
