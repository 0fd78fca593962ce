/* auth.c: identity, scopes, and the checks against DNS rebinding and cross-site requests; see
 * auth.h. */
#include "core/http/auth.h"

#include "core/base/hash.h"
#include "core/base/mem.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

/* ---- Host and Origin ---- */

/* HOST[:PORT], host without port in *ret_n; false when it is neither a name, an IPv4 nor a
 * bracketed IPv6 address. */
static bool split_host(const char *s, size_t n, size_t *ret_n)
{
	size_t i = 0, digits;

	if (n > 0 && s[0] == '[') {
		while (i < n && s[i] != ']')
			i++;
		if (i == n)
			return false;
		i++;
	} else {
		while (i < n &&
		       (isalnum((unsigned char)s[i]) || s[i] == '.' || s[i] == '-' || s[i] == '_'))
			i++;
	}
	*ret_n = i;
	if (i == 0 || i == n)
		return i > 0;
	for (digits = i + 1; digits < n && isdigit((unsigned char)s[digits]);)
		digits++;
	return s[i] == ':' && digits == n && digits > i + 1 && digits - i <= 6;
}

static bool host_allowed(const struct http *h, const char *s, size_t n)
{
	size_t host_n;

	if (!split_host(s, n, &host_n))
		return false;
	for (size_t i = 0; i < h->n_hosts; i++) {
		if (vet_name_is(s, host_n, h->hosts[i]))
			return true;
	}
	return false;
}

static bool origin_allowed(const struct http_req *q, const char *v, size_t n)
{
	size_t host_n, skip = n > 8 && vet_name_is(v, 8, "https://") ? 8 : 7;
	const char *host = request_header(q, "host", &host_n);

	if (skip == 7 && !(n > 7 && vet_name_is(v, 7, "http://")))
		return false;
	v += skip;
	n -= skip;
	/* The page must be one that this server could have sent: the very Host of the request. */
	return host != NULL && n == host_n && strncasecmp(v, host, n) == 0;
}

bool auth_origin(struct http_req *q)
{
	struct conn *c = q->conn;
	size_t n;
	const char *v = request_header(q, "host", &n);

	if (!c->peer.is_unix && (v == NULL || !host_allowed(q->h, v, n))) {
		reply_problem(c, 421, "host-not-allowed",
		    "the Host is not one of http.hosts, localhost, 127.0.0.1, [::1]: add it to "
		    "http.hosts in sluice.yaml");
		return false;
	}
	v = request_header(q, "sec-fetch-site", &n);
	if (v != NULL && !vet_name_is(v, n, "same-origin") && !vet_name_is(v, n, "none")) {
		reply_problem(
		    c, 403, "cross-site", "a page of another site may not send requests here");
		return false;
	}
	v = request_header(q, "origin", &n);
	if (v != NULL && !origin_allowed(q, v, n)) {
		reply_problem(c, 403, "cross-site", "the Origin is not this server");
		return false;
	}
	return true;
}

void auth_free_hosts(struct http *h)
{
	for (size_t i = 0; i < h->n_hosts; i++)
		mem_free(h->hosts[i]);
	mem_free(h->hosts);
	h->hosts = NULL;
	h->n_hosts = 0;
}

void auth_set_hosts(struct http *h, const struct conf *conf)
{
	static const char *const own[] = {"localhost", "127.0.0.1", "[::1]"};
	const struct json *list = conf != NULL ? conf->hosts : NULL;
	size_t n = 0, at = sizeof(own) / sizeof(own[0]);

	auth_free_hosts(h);
	for (const struct json *j = json_first(list); j != NULL; j = json_next(j))
		n++;
	h->hosts = mem_calloc(at + n, sizeof(*h->hosts));
	for (size_t i = 0; i < at; i++)
		h->hosts[i] = mem_strdup(own[i]);
	for (const struct json *j = json_first(list); j != NULL; j = json_next(j)) {
		char *s = mem_strdup(json_str(j, ""));
		for (char *p = s; *p != '\0'; p++)
			*p = (char)tolower((unsigned char)*p);
		h->hosts[at++] = s;
	}
	h->n_hosts = at;
}

/* ---- identity ---- */

static bool bearer(const struct http_req *q, const char **ret, size_t *ret_n)
{
	size_t n;
	const char *v = request_header(q, "authorization", &n);

	if (v == NULL || n < 8 || n > AUTH_TOKEN_MAX || !vet_name_is(v, 7, "bearer "))
		return false;
	*ret = v + 7;
	*ret_n = n - 7;
	return true;
}

/* The token is looked up by its hash, so that no comparison's time tells anything about it. */
static int token_find(struct http *h, const char *text, size_t n, struct token_rec *ret)
{
	uint8_t hash[HASH_SHA256_BYTES];
	struct slice value;
	const struct view *v = h->env.view_begin(h->env.arg);

	if (v == NULL)
		return ERR_IO;
	hash_sha256(text, n, hash);
	int rc = view_get(v, TABLE_TOKEN, hash, sizeof(hash), &value);
	if (rc == 0)
		rc = token_decode(value, ret, NULL);
	h->env.view_end(h->env.arg);
	return rc;
}

static void deny(struct http_req *q, const char *detail)
{
	reply_problem(q->conn, 401, "token-required", "%s", detail);
}

bool auth_identify(struct http_req *q, bool demand)
{
	const struct peer *p = &q->conn->peer;
	struct token_rec rec;
	const char *text;
	size_t n;

	q->auth.scopes = 0;
	if (p->is_unix && p->trusted) {
		q->auth.scopes = SCOPE_ADMIN;
		snprintf(q->auth.actor, sizeof(q->auth.actor), "unix:%u", (unsigned)p->uid);
		return true;
	}
	if (!bearer(q, &text, &n)) {
		if (demand)
			deny(q, p->is_unix ? "this user needs a token: Authorization: Bearer TOKEN"
					   : "a token is needed: Authorization: Bearer TOKEN "
					     "(sluice token new)");
		return !demand;
	}
	int rc = token_find(q->h, text, n, &rec);
	if (rc == ERR_NOT_FOUND || rc == ERR_CORRUPT) {
		if (demand)
			deny(q, "the token is not known: it was revoked, or belongs to another "
				"deployment");
		return !demand;
	}
	if (rc != 0) {
		reply_problem(q->conn, 503, "store", "the store cannot be read: %s", err_text(rc));
		return false;
	}
	q->auth.scopes = rec.scopes;
	memcpy(q->auth.object, rec.object, sizeof(q->auth.object));
	snprintf(q->auth.actor, sizeof(q->auth.actor), "token:%s", rec.name);
	return true;
}

bool auth_allows(const struct http_req *q, uint32_t scopes, const char *object)
{
	const struct auth *a = &q->auth;
	uint32_t have = a->scopes & scopes;

	if ((a->scopes & SCOPE_ADMIN) != 0 || (have & SCOPE_READ) != 0)
		return true;
	if ((have & (SCOPE_RUN | SCOPE_INGEST)) == 0)
		return false;
	return object == NULL || a->object[0] == '\0' || str_eq(a->object, object);
}

int auth_scope_parse(
    const char *text, uint32_t *scopes, char object[PLAN_NAME_MAX], struct err *err)
{
	const char *name = NULL;
	uint32_t bit = 0;

	if (str_eq(text, "read") || str_eq(text, "admin")) {
		*scopes |= text[0] == 'r' ? SCOPE_READ : SCOPE_ADMIN;
		return 0;
	}
	if (str_starts(text, "run:"))
		bit = SCOPE_RUN, name = text + 4;
	else if (str_starts(text, "ingest:"))
		bit = SCOPE_INGEST, name = text + 7;
	if (name == NULL || !str_is_name(name))
		return err_set(err, ERR_USAGE,
		    "\"%s\" is no scope: read, admin, run:DAG or ingest:HOOK", text);
	if (object[0] != '\0' && !str_eq(object, name))
		return err_set(err, ERR_REFUSED,
		    "one token names one DAG or hook: make a second token for \"%s\"", name);
	*scopes |= bit;
	str_copy(object, PLAN_NAME_MAX, name);
	return 0;
}
