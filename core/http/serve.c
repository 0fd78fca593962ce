/* serve.c: what happens to a request between the parser and its handler: origin, route, identity,
 * scope, size, type. */
#include "core/http/hook.h"
#include "core/http/route.h"

#include <stdio.h>
#include <string.h>

static bool is_hook(const struct http_req *q)
{
	return q->path_n > 7 && memcmp(q->path, "/hooks/", 7) == 0;
}

static bool refuse_method(struct http_req *q, unsigned allow)
{
	char line[96] = "Allow: ";
	const char *sep = "";

	if ((allow & 1u << VET_GET) != 0)
		allow |= 1u << VET_HEAD;
	for (unsigned m = 0; m < VET_METHOD_N; m++) {
		size_t at = strlen(line);
		if ((allow & 1u << m) == 0)
			continue;
		snprintf(
		    line + at, sizeof(line) - at, "%s%s", sep, vet_method_name((enum vet_method)m));
		sep = ", ";
	}
	snprintf(line + strlen(line), sizeof(line) - strlen(line), "\r\n");
	reply_problem_with(q->conn, 405, "method", line, "the resource does not take this method");
	return false;
}

static bool check_scope(struct http_req *q)
{
	const struct route *r = q->route;

	if ((r->flags & ROUTE_OPEN) != 0)
		return true;
	if (!auth_identify(q, true))
		return false;
	if (auth_allows(q, r->scopes, (r->flags & ROUTE_DAG) != 0 ? q->params[0] : NULL))
		return true;
	reply_problem(q->conn, 403, "scope", "the token's scope does not cover this request");
	return false;
}

static bool check_body(struct http_req *q)
{
	if (q->vet.transfer_encoding)
		reply_problem(q->conn, 411, "length-required",
		    "send a Content-Length; chunked bodies are not taken");
	else if (q->vet.length > q->h->lim.body_bytes)
		reply_problem(q->conn, 413, "too-large", "the body is larger than %u bytes",
		    q->h->lim.body_bytes);
	else if (q->vet.length > 0 && (q->route->flags & ROUTE_BODY) != 0 && !request_is_json(q))
		reply_problem(
		    q->conn, 415, "media-type", "the Content-Type must be application/json");
	else
		return true;
	return false;
}

bool serve_head(struct http_req *q)
{
	unsigned allow = 0;

	if (!auth_origin(q))
		return false;
	if (is_hook(q))
		return hook_head(q);
	int status = route_find(q, &allow);
	if (status == 405)
		return refuse_method(q, allow);
	if (status != 0) {
		reply_problem(q->conn, 404, "not-found", "there is no such resource");
		return false;
	}
	return check_scope(q) && check_body(q);
}

void serve_request(struct http_req *q)
{
	if (is_hook(q))
		hook_request(q);
	else
		q->route->handle(q);
}
