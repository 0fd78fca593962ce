/* The table of resources, the handlers' ways to refuse, and the ops that they make: route.c,
 * route_*.c, serve.c, reply.c. */
#include "tests/unit/http_rig.h"
#include "tests/unit/leak.h"

#include "core/http/route.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

static int ask(struct rig *r, const char *line, const char *body)
{
	char t[4096];

	if (body != NULL)
		snprintf(t, sizeof(t),
		    "%s HTTP/1.1\r\nContent-Type: application/json\r\nContent-Length: "
		    "%zu\r\n\r\n%s",
		    line, strlen(body), body);
	else
		snprintf(t, sizeof(t), "%s HTTP/1.1\r\n\r\n", line);
	str_reset(&r->ops);
	rig_ask(r, t);
	return rig_status(r, 0);
}

static const struct {
	const char *line, *body;
	int status;
	const char *has; /* in the reply */
} cases[] = {
    {"GET /", NULL, 404, "\"code\":\"not-found\""},
    {"GET /v1", NULL, 404, ""},
    {"GET /v1/runs/", NULL, 404, ""},
    {"GET /v1/runs/a/b", NULL, 404, ""},
    {"GET /v1/../livez", NULL, 404, ""},
    {"POST /v1/runs", NULL, 405, "Allow: GET, HEAD\r\n"},
    {"DELETE /livez", NULL, 405, "Allow: GET, HEAD\r\n"},
    {"GET /v1/dags/a/runs", NULL, 405, "Allow: POST\r\n"},
    {"OPTIONS /v1/runs", NULL, 405, ""},
    {"GET /v1/tokens", NULL, 200, "{\"tokens\":[],\"next\":null}"},
    {"GET /v1/runs", NULL, 200, "{\"runs\":[],\"next\":null}"},
    {"GET /v1/runs?limit=1000", NULL, 200, ""},
    {"GET /v1/runs?limit=1001", NULL, 400, "limit"},
    {"GET /v1/runs?limit=0", NULL, 400, "limit"},
    {"GET /v1/runs?limit=x", NULL, 400, "limit"},
    {"GET /v1/events?since=yesterday", NULL, 400, "since"},
    {"GET /v1/events?since=2026-11-21T00:00:00Z", NULL, 200, "{\"events\":[],\"next\":null}"},
    {"GET /v1/dags", NULL, 200, "{\"dags\":[],\"next\":null}"},
    {"GET /v1/datasets", NULL, 200, "{\"datasets\":[],\"next\":null}"},
    {"GET /v1/plugins", NULL, 200, "{\"plugins\":[],\"next\":null}"},
    {"GET /v1/runs/nosuchrun", NULL, 404, "nosuchrun"},
    {"GET /v1/dags/nope", NULL, 404, "nope"},
    {"GET /v1/datasets/lake%2Fshop.orders", NULL, 404, "lake/shop.orders"},
    {"GET /v1/events/17", NULL, 404, "17"},
    {"GET /v1/events/x", NULL, 404, ""},
    {"GET /v1/hooks/none", NULL, 404, "no-such-hook"},
    {"GET /v1/why", NULL, 400, "subject"},
    {"GET /v1/why?subject=nope", NULL, 404, "nope"},
    {"GET /v1/why?subject=event:x", NULL, 400, "event"},
    {"GET /v1/runs/a?wait=x", NULL, 400, "wait"},
    {"GET /v1/runs/a%00", NULL, 400, ""},
    {"GET /v1/runs/%ff", NULL, 404, ""},
    {"GET /v1/freshness", NULL, 501, "unsupported"},
    {"GET /v1/audit", NULL, 200, "{\"audit\":[],\"next\":null}"},
    {"GET /v1/backfills", NULL, 200, "{\"backfills\":[],\"next\":null}"},
    {"GET /v1/backfills/7", NULL, 404, "there is no backfill 7"},
    {"GET /v1/backfills/x", NULL, 404, "not-found"},
    {"POST /v1/backfills", "{}", 400, "needs dag, from and to"},
    {"POST /v1/backfills", "{\"dag\":\"a\",\"from\":\"b\",\"to\":\"c\",\"order\":\"up\"}", 400,
	"oldest, newest"},
    {"POST /v1/backfills", "{\"dag\":\"a\",\"from\":\"b\",\"to\":\"c\",\"downstream\":\"twice\"}",
	400, "each, once or none"},
    {"POST /v1/backfills", "{\"dag\":\"a\",\"from\":\"b\",\"to\":\"c\",\"max_parallel\":0}", 400,
	"1 to 1000"},
    {"POST /v1/backfills/0/pause", "{}", 404, ""},
    {"GET /v1/cursors", NULL, 200, "{\"cursors\":[],\"next\":null}"},
    {"GET /v1/cursors/a/b/c", NULL, 404, "has no cursor"},
    {"POST /v1/cursors/a/b", "{\"cursor\":7}", 400, "an object is expected"},
    {"POST /v1/cursors/a/b", "{\"cursr\":{}}", 400, "cursr"},
    {"POST /v1/plan", "{}", 501, ""},
    {"POST /v1/dags/a/runs", "[]", 400, "object"},
    {"POST /v1/dags/a/runs", "{\"parms\":{}}", 400, "parms"},
    {"POST /v1/dags/a/runs", "{\"params\":3}", 400, "params"},
    {"POST /v1/dags/a/runs", "{\"logical_time\":\"soon\"}", 400, "logical_time"},
    {"POST /v1/dags/a/runs", "{\"only\":\"x\"}", 400, "only"},
    {"POST /v1/cancel", "{}", 400, "all"},
    {"POST /v1/tokens", "{}", 400, "name"},
    {"POST /v1/tokens", "{\"name\":\"ci\"}", 400, "scopes"},
    {"POST /v1/tokens", "{\"name\":\"ci\",\"scopes\":[\"write\"]}", 400, "write"},
    {"POST /v1/shutdown", "{\"how\":\"now\"}", 400, "how"},
    {"POST /v1/datasets/orders/touch", "{}", 400, "CONNECTION/NAME"},
    {"GET /v1/doctor", NULL, 200, "\"connections\":1"},
};

Test(http_route, answers_and_refuses)
{
	struct rig r;

	rig_init(&r, NULL);
	rig_connect(&r, RIG_UNIX);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		cr_expect_eq(ask(&r, cases[i].line, cases[i].body), cases[i].status, "%s: %s",
		    cases[i].line, str_peek(&r.got));
		cr_expect(strstr(str_peek(&r.got), cases[i].has), "%s: %s", cases[i].line,
		    str_peek(&r.got));
		cr_expect_eq(r.ops.len, 0, "%s", cases[i].line);
		if (r.eof)
			rig_connect(&r, RIG_UNIX);
	}
	rig_done(&r);
	LEAK_CHECK();
}

static const struct {
	const char *line, *body;
	int status;
	const char *op;
} ops[] = {
    {"POST /v1/dags/a/runs", NULL, 201, "start a key=- idem=- by=unix:0 at=-1 only=0\n"},
    {"POST /v1/dags/a/runs", "{\"logical_time\":\"2026-11-21T00:00:00Z\",\"params\":{\"x\":1}}",
	201, "start a key=- idem=- by=unix:0 at=1795219200 only=0\n"},
    {"POST /v1/dags/a/runs", "{\"logical_time\":\"2026-11-21\"}", 201,
	"start a key=- idem=- by=unix:0 at=1795219200 only=0\n"},
    {"POST /v1/dags/a/runs", "{\"logical_time\":\"2026-11-21T09:00:00+09:00\"}", 201,
	"start a key=- idem=- by=unix:0 at=1795219200 only=0\n"},
    {"POST /v1/dags/a/runs", "{\"key\":\"k/1\",\"only\":[\"x\",\"y\"]}", 201,
	"start a key=k/1 idem=- by=unix:0 at=-1 only=2\n"},
    {"POST /v1/dags/a/pause", "{}", 200, "pause a 1\n"},
    {"POST /v1/resume", "{}", 200, "pause all 0\n"},
    {"POST /v1/cancel", "{\"all\":true}", 200, "cancel - all=1\n"},
    {"POST /v1/cancel", "{\"dag\":\"a\"}", 200, "cancel a all=0\n"},
    {"POST /v1/dags/a/cancel", NULL, 200, "cancel a all=0\n"},
    {"POST /v1/datasets/lake%2Forders/touch", "{\"partition\":\"day=1\"}", 200,
	"touch lake/orders day=1\n"},
    {"POST /v1/tokens", "{\"name\":\"ci\",\"scopes\":[\"run:shop\",\"read\"]}", 201,
	"token ci 5 shop\n"},
    {"DELETE /v1/tokens/ci", NULL, 200, "revoke ci\n"},
};

Test(http_route, makes_the_ops)
{
	struct rig r;

	rig_init(&r, NULL);
	rig_connect(&r, RIG_UNIX);
	for (size_t i = 0; i < sizeof(ops) / sizeof(ops[0]); i++) {
		cr_expect_eq(ask(&r, ops[i].line, ops[i].body), ops[i].status, "%s: %s",
		    ops[i].line, str_peek(&r.got));
		cr_expect_str_eq(str_peek(&r.ops), ops[i].op);
	}
	rig_done(&r);
	LEAK_CHECK();
}

Test(http_route, a_token_is_shown_once_and_stored_as_its_hash)
{
	struct rig r;
	struct json *j = NULL;

	rig_init(&r, NULL);
	rig_connect(&r, RIG_UNIX);
	r.hold = true;
	ask(&r, "POST /v1/tokens", "{\"name\":\"ci\",\"scopes\":[\"read\"]}");
	cr_assert(r.first != NULL);
	uint8_t stored[HASH_SHA256_BYTES], hash[HASH_SHA256_BYTES];
	memcpy(stored, r.first->op.u.token_add.hash, sizeof(stored));
	r.hold = false;
	rig_turn(&r);
	cr_assert_eq(rig_status(&r, 0), 201);
	const char *body = rig_body(&r, 0);
	cr_assert_eq(json_parse(body, strlen(body), 4096, &j, NULL), 0);
	const char *token = json_get_str(j, "token", "");
	cr_assert_eq(strlen(token), 3 + 64);
	hash_sha256(token, strlen(token), hash);
	cr_assert_arr_eq(stored, hash, sizeof(hash));
	json_free(j);
	rig_done(&r);
	LEAK_CHECK();
}

Test(http_route, an_equal_run_is_200_and_the_key_of_idempotency_goes_along)
{
	struct rig r;

	rig_init(&r, NULL);
	rig_connect(&r, RIG_UNIX);
	r.result.duplicate = true;
	rig_ask(&r, "POST /v1/dags/a/runs HTTP/1.1\r\nIdempotency-Key: once-1\r\nContent-Length: "
		    "0\r\n\r\n");
	cr_assert_eq(rig_status(&r, 0), 200);
	cr_assert_str_eq(str_peek(&r.ops), "start a key=- idem=once-1 by=unix:0 at=-1 only=0\n");
	rig_done(&r);
	LEAK_CHECK();
}

static const struct {
	int rc, status;
	const char *code;
} errors[] = {{ERR_NOT_FOUND, 404, "not-found"}, {ERR_CONFLICT, 409, "conflict"},
    {ERR_REFUSED, 409, "refused"}, {ERR_USAGE, 400, "usage"}, {ERR_CONFIG, 400, "config"},
    {ERR_FULL, 503, "over-quota"}, {ERR_CLOSED, 503, "stopping"}, {ERR_IO, 500, "internal"},
    {ERR_UNSUPPORTED, 501, "unsupported"}};

Test(http_route, refusals_of_the_writer_are_problems)
{
	struct rig r;

	rig_init(&r, NULL);
	rig_connect(&r, RIG_UNIX);
	for (size_t i = 0; i < sizeof(errors) / sizeof(errors[0]); i++) {
		char want[64];
		r.result.rc = errors[i].rc;
		err_set(&r.result.err, errors[i].rc, "because of \"this\"");
		cr_expect_eq(ask(&r, "POST /v1/dags/a/runs", NULL), errors[i].status);
		snprintf(want, sizeof(want), "\"code\":\"%s\"", errors[i].code);
		cr_expect(strstr(rig_body(&r, 0), want), "%s", rig_body(&r, 0));
		cr_expect(strstr(rig_body(&r, 0), "because of \\\"this\\\""));
		cr_expect(strstr(str_peek(&r.got), "Content-Type: application/problem+json\r\n"));
	}
	rig_done(&r);
	LEAK_CHECK();
}

Test(http_route, shutdown_says_how)
{
	struct rig r;

	rig_init(&r, NULL);
	rig_connect(&r, RIG_UNIX);
	cr_assert_eq(ask(&r, "POST /v1/shutdown", "{\"how\":\"cancel\"}"), 200);
	cr_assert(r.stop_called && r.stopped == HTTP_STOP_CANCEL);
	cr_assert_eq(ask(&r, "POST /v1/shutdown", "{\"how\":\"leave\",\"drain_ms\":5}"), 200);
	cr_assert_eq(r.stopped, HTTP_STOP_LEAVE);
	cr_assert_eq(ask(&r, "POST /v1/shutdown", "{}"), 200);
	cr_assert_eq(r.stopped, HTTP_STOP_DRAIN);
	rig_done(&r);
	LEAK_CHECK();
}

/* Two patterns of one method that match one path would make the second one dead. */
Test(http_route, no_route_hides_another)
{
	for (size_t i = 0; i < http_routes_n; i++) {
		cr_expect(http_routes[i].pattern[0] == '/' && http_routes[i].summary[0] != '\0');
		for (size_t j = i + 1; j < http_routes_n; j++)
			cr_expect_not(http_routes[i].method == http_routes[j].method &&
					  str_eq(http_routes[i].pattern, http_routes[j].pattern),
			    "%s", http_routes[i].pattern);
	}
	LEAK_CHECK();
}
