/* hook.c: POST /hooks/NAME from the head to the op; see hook.h. */
#define LOG_AT "http"
#include "core/http/hook.h"

#include "core/base/log.h"
#include "core/base/mem.h"
#include "core/http/auth.h"
#include "core/http/call.h"
#include "core/http/hook_ring.h"
#include "core/http/route.h"

#include <stdio.h>
#include <string.h>

int hook_need_header(
    const struct http_req *q, const char *name, char *to, size_t size, struct err *err)
{
	size_t n;
	const char *v = request_header(q, name, &n);

	if (v == NULL || n == 0)
		return err_set(err, ERR_AUTH, "there is no %s", name);
	if (n >= size)
		return err_set(err, ERR_AUTH, "%s is longer than %zu characters", name, size - 1);
	for (size_t i = 0; i < n; i++) {
		if ((unsigned char)v[i] < 0x20 || (unsigned char)v[i] > 0x7e)
			return err_set(err, ERR_AUTH, "%s holds more than visible ASCII", name);
	}
	memcpy(to, v, n);
	to[n] = '\0';
	return 0;
}

int hook_check_time(const char *seconds, wall_us now, wall_us *ret, struct err *err)
{
	uint64_t s;

	if (strlen(seconds) > 11 || str_to_u64(seconds, &s) != 0)
		return err_set(err, ERR_AUTH, "the timestamp is not in seconds");
	wall_us at = (wall_us)s * US_PER_S;
	if (at > now + HOOK_TOLERANCE_US || at < now - HOOK_TOLERANCE_US)
		return err_set(err, ERR_AUTH,
		    "the timestamp is %lld s from the daemon's clock, 300 s are allowed",
		    (long long)((at > now ? at - now : now - at) / US_PER_S));
	*ret = at;
	return 0;
}

/* What was refused is counted and kept; the client learns no more than it must. */
static void refuse(
    struct http_req *q, struct hook *k, int status, const char *code, const char *detail)
{
	k->refused++;
	q->h->stats.hook_refused++;
	hook_ring_add(k, q, q->h->env.wall(), status, detail);
	reply_problem(q->conn, status, code, "%s", detail);
}

static struct hook *find(const struct http_req *q)
{
	static const size_t skip = sizeof("/hooks/") - 1;

	return hooks_find(q->h->hooks, q->path + skip, q->path_n - skip);
}

bool hook_head(struct http_req *q)
{
	struct hook *k = find(q);
	struct conn *c = q->conn;

	if (k == NULL) {
		reply_problem(c, 404, "no-such-hook", "no hook of that name stands in sluice.yaml");
		return false;
	}
	if (q->vet.method != VET_POST) {
		reply_problem_with(c, 405, "method", "Allow: POST\r\n", "a hook takes POST");
		return false;
	}
	if (q->vet.transfer_encoding || !q->vet.has_length)
		refuse(q, k, 411, "length-required",
		    "send a Content-Length; chunked bodies are not taken");
	else if (q->vet.length > k->max_body)
		refuse(q, k, 413, "too-large", "the body is larger than limits.event_body");
	else if (!request_is_json(q))
		refuse(q, k, 415, "media-type",
		    "the Content-Type must be application/json or end with +json");
	else
		return true;
	return false;
}

/* A token of ours with ingest:NAME stands in for a hook's own token, and opens a hook without any.
 */
static bool ingest_token(struct http_req *q, const struct hook *k)
{
	if (k->scheme != &hook_bearer && k->scheme != &hook_none)
		return false;
	if (!auth_identify(q, false) || !str_starts(q->auth.actor, "token:"))
		return false;
	return auth_allows(q, SCOPE_INGEST, k->name);
}

/* dedupe: {body: 10m}: the id is the body's digest, and is forgotten after that time. */
static void id_of_body(const struct http_req *q, struct hook_fact *f)
{
	uint8_t sha[HASH_SHA256_BYTES];
	char hex[2 * HASH_SHA256_BYTES + 1];

	hash_sha256(q->body, q->body_n, sha);
	hash_to_hex(sha, sizeof(sha), hex);
	snprintf(f->id, sizeof(f->id), "body.%s", hex);
}

static void on_event_done(struct call *call, const struct op_result *r)
{
	struct jw *w = reply_begin(call->h);
	struct hook *k = hooks_find(call->h->hooks, call->tag, strlen(call->tag));

	if (k != NULL) {
		k->accepted++;
		k->repeated += r->duplicate;
	}
	if (r->verdict < VERDICT_N)
		call->h->stats.hook_events[r->verdict]++;
	jw_object(w);
	route_verdict(w, r);
	jw_end_object(w);
	reply_json(call->conn, r->duplicate ? 200 : 202);
}

/* What the record cannot hold is left out: the body has it anyway. */
static const char *fitting(const struct json *body, const char *key, size_t size)
{
	const char *s = json_get_str(body, key, "");

	return strlen(s) < size ? s : "";
}

static void submit(struct http_req *q, const struct hook *k, const struct hook_fact *f, wall_us now,
    struct json *body)
{
	const char *type = fitting(body, "type", sizeof(((struct event_rec *)0)->type));
	const char *subject = fitting(body, "subject", sizeof(((struct event_rec *)0)->subject));
	size_t room = strlen(type) + strlen(subject) + strlen(f->id) + 2 * sizeof(k->source) + 8;
	struct call *call = call_new(q, OP_EVENT, room);
	struct op *op = &call->op->op;

	call->json = body;
	op->u.event.source = call_str(call, k->source);
	op->u.event.hook = call_str(call, k->name);
	op->u.event.external_id = call_str(call, f->id);
	op->u.event.dedupe_ms = f->dedupe_ms;
	op->u.event.type = call_str(call, type);
	op->u.event.subject = call_str(call, subject);
	op->u.event.time = f->time != TIME_NONE ? f->time : now;
	op->u.event.body = body;
	call->tag = (void *)(uintptr_t)op->u.event.hook;
	call_submit(call, on_event_done);
}

void hook_request(struct http_req *q)
{
	struct hook *k = find(q);
	struct hook_fact f = {.id = "", .time = TIME_NONE};
	struct err err = {0};
	struct json *body = NULL;
	wall_us now = q->h->env.wall();

	str_reset(&q->h->body);
	hook_refresh(q->h, k);
	int rc = k->scheme->verify(k, q, now, &q->h->body, &f, &err);
	if (rc != 0 && !ingest_token(q, k)) {
		refuse(q, k, rc == ERR_PARSE ? 400 : 401,
		    rc == ERR_PARSE ? "malformed" : "signature", err.text);
		return;
	}
	rc = json_parse(q->body, q->body_n, (size_t)k->max_body, &body, &err);
	if (rc != 0) {
		err_prefix(&err, "the body is no JSON");
		refuse(q, k, 400, "malformed", err.text);
		return;
	}
	if (f.id[0] == '\0' && k->dedupe_body_ms > 0) {
		id_of_body(q, &f);
		f.dedupe_ms = k->dedupe_body_ms;
	}
	submit(q, k, &f, now, body);
}
