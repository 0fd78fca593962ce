/* route_tokens.c: tokens of the API: 256 random bits, shown once, stored as their SHA-256. */
#include "core/http/route.h"

#include "core/sched/show.h"

#include <string.h>

#define TOKEN_BYTES 32

void get_tokens(struct http_req *q)
{
	const struct view *v = route_view(q);

	if (v == NULL)
		return;
	struct jw *w = route_list_begin(q, "tokens");
	int rc = list_tokens(v, w);
	route_view_end(q);
	if (rc != 0)
		reply_err(q->conn, rc, NULL);
	else
		route_list_end(q, w, NULL);
}

static void on_made(struct call *call, const struct op_result *r)
{
	struct jw *w = reply_begin(call->h);
	char *text = call->tag;

	(void)r;
	jw_object(w);
	jw_kstr(w, "name", text + strlen(text) + 1);
	jw_kstr(w, "token", text);
	jw_end_object(w);
	hash_wipe(text, strlen(text));
	reply_json(call->conn, 201);
	if (call->h->body.s != NULL)
		hash_wipe(call->h->body.s, call->h->body.len);
}

static bool read_scopes(const struct json *body, struct token_rec *rec, struct err *err)
{
	const struct json *list = json_get(body, "scopes");

	for (const struct json *j = json_first(list); j != NULL; j = json_next(j)) {
		if (auth_scope_parse(json_str(j, ""), &rec->scopes, rec->object, err) != 0)
			return false;
	}
	if (rec->scopes == 0)
		err_set(err, ERR_USAGE, "scopes: a list of read, admin, run:DAG, ingest:HOOK");
	return rec->scopes != 0;
}

void post_token(struct http_req *q)
{
	char text[3 + 2 * TOKEN_BYTES + 1] = "sl_";
	uint8_t random[TOKEN_BYTES];
	struct token_rec rec = {.last_used_at = TIME_NONE};
	struct err err = {0};
	struct json *body;

	if (!route_body(q, "name:string scopes:strings", &body))
		return;
	const char *name = json_get_str(body, "name", "");
	if (!str_is_name(name))
		err_set(&err, ERR_USAGE, "name: small letters, digits, _ and -, at most 63");
	if (err.code != 0 || !read_scopes(body, &rec, &err)) {
		reply_err(q->conn, err.code, &err);
		json_free(body);
		return;
	}
	str_copy(rec.name, sizeof(rec.name), name);
	json_free(body);
	rec.created_at = q->h->env.wall();
	hash_random(random, sizeof(random));
	hash_to_hex(random, sizeof(random), text + 3);
	struct call *call =
	    call_new(q, OP_TOKEN_ADD, sizeof(text) + sizeof(rec.name) + sizeof(q->auth.actor) + 8);
	call->op->op.u.token_add.rec = rec;
	call->op->op.u.token_add.actor = call_str(call, q->auth.actor);
	hash_sha256(text, strlen(text), call->op->op.u.token_add.hash);
	call->tag = call_str(call, text);
	call_str(call, rec.name);
	hash_wipe(text, sizeof(text));
	hash_wipe(random, sizeof(random));
	call_submit(call, on_made);
}

void delete_token(struct http_req *q)
{
	struct call *call =
	    call_new(q, OP_TOKEN_REVOKE, strlen(q->params[0]) + sizeof(q->auth.actor) + 2);

	call->op->op.u.token_revoke.name = call_str(call, q->params[0]);
	call->op->op.u.token_revoke.actor = call_str(call, q->auth.actor);
	call_submit(call, route_reply_count);
}
