/* POST /hooks/NAME from the wire to the op, over a whole server: hook.c, hook_load.c, hook_ring.c.
 */
#include "tests/unit/http_rig.h"
#include "tests/unit/leak.h"

#include "core/base/hash.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

/* The published vector of Standard Webhooks. */
#define STD_ID "msg_p5jXN8AQM9LWM0D4loKWxJek"
#define STD_SIG "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
#define STD_BODY "{\"test\": 2432232314}"

static const char *post(struct rig *r, const char *hook, const char *headers, const char *body)
{
	static char t[8192];

	snprintf(t, sizeof(t),
	    "POST /hooks/%s HTTP/1.1\r\nHost: localhost\r\nContent-Type: "
	    "application/json\r\nContent-Length: %zu\r\n%s\r\n%s",
	    hook, strlen(body), headers, body);
	return rig_ask(r, t);
}

#define STD_HEADERS                                                                                \
	"webhook-id: " STD_ID "\r\nwebhook-timestamp: 1614265330\r\nwebhook-signature: " STD_SIG   \
	"\r\n"

Test(http_hook, a_signed_request_becomes_an_event_and_202_once_durable)
{
	struct rig r;

	rig_init(&r, NULL);
	rig_connect(&r, RIG_TCP);
	r.hold = true;
	post(&r, "std", STD_HEADERS, STD_BODY);
	cr_assert_eq(r.got.len, 0, "nothing is said before the commit");
	r.hold = false;
	rig_turn(&r);
	cr_assert_eq(rig_status(&r, 0), 202);
	cr_assert_str_eq(
	    rig_body(&r, 0), "{\"event\":\"1042\",\"verdict\":\"unmatched\",\"runs\":[]}");
	cr_assert_str_eq(
	    str_peek(&r.ops), "event hook:std id=" STD_ID " type= body={\"test\":2432232314}\n");
	rig_done(&r);
	LEAK_CHECK();
}

Test(http_hook, names_the_runs_and_a_repeat_is_200)
{
	struct rig r;

	rig_init(&r, NULL);
	rig_connect(&r, RIG_TCP);
	r.result.verdict = VERDICT_STARTED;
	r.result.n_runs = 1;
	str_copy(r.result.run_ids[0], HASH_ID_TEXT, "0123456789ABCDEFGHJKMNPQRS");
	post(&r, "std", STD_HEADERS, STD_BODY);
	cr_assert_eq(rig_status(&r, 0), 202);
	cr_assert_str_eq(rig_body(&r, 0), "{\"event\":\"1042\",\"verdict\":\"started\",\"runs\":["
					  "\"0123456789ABCDEFGHJKMNPQRS\"]}");
	r.result.duplicate = true;
	post(&r, "std", STD_HEADERS, STD_BODY);
	cr_assert_eq(rig_status(&r, 0), 200);
	rig_done(&r);
	LEAK_CHECK();
}

static const struct {
	const char *name, *hook, *headers, *body;
	int status;
} refused[] = {
    {"no signature", "std", "webhook-id: a\r\nwebhook-timestamp: 1614265330\r\n", "{}", 401},
    {"no id", "std", "webhook-timestamp: 1614265330\r\nwebhook-signature: " STD_SIG "\r\n",
	STD_BODY, 401},
    {"another body", "std", STD_HEADERS, "{\"test\": 2432232315}", 401},
    {"another id", "std",
	"webhook-id: b\r\nwebhook-timestamp: 1614265330\r\nwebhook-signature: " STD_SIG "\r\n",
	STD_BODY, 401},
    {"another time", "std",
	"webhook-id: " STD_ID "\r\nwebhook-timestamp: 1614265331\r\nwebhook-signature: " STD_SIG
	"\r\n",
	STD_BODY, 401},
    {"time out of the window", "std",
	"webhook-id: " STD_ID "\r\nwebhook-timestamp: 1614265029\r\nwebhook-signature: " STD_SIG
	"\r\n",
	STD_BODY, 401},
    {"time that is no number", "std",
	"webhook-id: " STD_ID "\r\nwebhook-timestamp: 16142653x0\r\nwebhook-signature: " STD_SIG
	"\r\n",
	STD_BODY, 401},
    {"other version only", "std",
	"webhook-id: " STD_ID
	"\r\nwebhook-timestamp: 1614265330\r\nwebhook-signature: v1a,AAAA\r\n",
	STD_BODY, 401},
    {"wrong hmac", "hmac",
	"X-Signature: sha256=0000000000000000000000000000000000000000000000000000000000000000\r\n",
	"{}", 401},
    {"wrong prefix", "hmac", "X-Signature: sha1=00\r\n", "{}", 401},
    {"no token", "token", "X-Id: 1\r\n", "{}", 401},
    {"wrong token", "token", "X-Id: 1\r\nAuthorization: Bearer a-token-of-the-hooK\r\n", "{}", 401},
    {"a prefix of the token", "token", "X-Id: 1\r\nAuthorization: Bearer a-token-of-the-hoo\r\n",
	"{}", 401},
    {"open hook on TCP", "open", "X-Id: 1\r\n", "{}", 401},
    {"no such hook", "nope", "", "{}", 404},
    {"no JSON", "wide", "", "{\"a\":", 400},
    {"two values", "wide", "", "{} {}", 400},
    {"duplicate keys", "wide", "", "{\"a\":1,\"a\":2}", 400},
    {"empty body", "wide", "", "", 400},
};

Test(http_hook, what_fails_never_reaches_the_writer)
{
	struct rig r;

	rig_init(&r, NULL);
	rig_connect(&r, RIG_TCP);
	for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++) {
		post(&r, refused[i].hook, refused[i].headers, refused[i].body);
		cr_expect_eq(rig_status(&r, 0), refused[i].status, "%s: %s", refused[i].name,
		    str_peek(&r.got));
		cr_expect(
		    strstr(str_peek(&r.got), "application/problem+json"), "%s", refused[i].name);
		cr_expect_not(r.eof, "%s", refused[i].name);
	}
	cr_assert_eq(r.n_ops, 0);
	rig_done(&r);
	LEAK_CHECK();
}

Test(http_hook, demands_a_length_a_size_a_type_and_post)
{
	static const struct {
		const char *text;
		int status;
	} t[] = {
	    {"POST /hooks/wide HTTP/1.1\r\nHost: localhost\r\nContent-Type: "
	     "application/json\r\n\r\n",
		411},
	    {"POST /hooks/wide HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
	     "Transfer-Encoding: chunked\r\n\r\n",
		411},
	    {"POST /hooks/wide HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
	     "Content-Length: 65537\r\n\r\n",
		413},
	    {"POST /hooks/wide HTTP/1.1\r\nHost: localhost\r\nContent-Type: "
	     "text/plain\r\nContent-Length: 2\r\n\r\n{}",
		415},
	    {"POST /hooks/wide HTTP/1.1\r\nHost: localhost\r\nContent-Length: 2\r\n\r\n{}", 415},
	    {"GET /hooks/wide HTTP/1.1\r\nHost: localhost\r\n\r\n", 405},
	    {"POST /hooks/ HTTP/1.1\r\nHost: localhost\r\nContent-Length: 2\r\n\r\n{}", 404},
	    {"POST /hooks/wide HTTP/1.1\r\nHost: evil.example\r\nContent-Length: 2\r\n\r\n{}", 421},
	    {"POST /hooks/wide HTTP/1.1\r\nHost: localhost\r\nOrigin: "
	     "http://evil.example\r\nContent-Length: 2\r\n\r\n{}",
		403},
	};
	struct rig r;

	rig_init(&r, NULL);
	for (size_t i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
		rig_connect(&r, RIG_TCP);
		rig_ask(&r, t[i].text);
		cr_expect_eq(rig_status(&r, 0), t[i].status, "%zu: %s", i, str_peek(&r.got));
	}
	cr_assert_eq(r.n_ops, 0);
	rig_done(&r);
	LEAK_CHECK();
}

Test(http_hook, takes_json_of_any_flavour)
{
	struct rig r;

	rig_init(&r, NULL);
	rig_connect(&r, RIG_TCP);
	rig_ask(&r, "POST /hooks/wide HTTP/1.1\r\nHost: localhost\r\nContent-Type: "
		    "Application/Cloudevents+JSON; charset=utf-8"
		    "\r\nContent-Length: 16\r\n\r\n{\"type\":\"a\",\"b\"}");
	cr_expect_eq(rig_status(&r, 0), 400, "broken JSON");
	rig_ask(&r, "POST /hooks/wide HTTP/1.1\r\nHost: localhost\r\nContent-Type: "
		    "Application/Cloudevents+JSON; charset=utf-8"
		    "\r\nContent-Length: 12\r\n\r\n{\"type\":\"a\"}");
	cr_assert_eq(rig_status(&r, 0), 202);
	cr_assert_str_eq(str_peek(&r.ops), "event hook:wide id= type=a body={\"type\":\"a\"}\n");
	rig_done(&r);
	LEAK_CHECK();
}

Test(http_hook, the_open_hook_is_open_on_the_unix_socket_to_trusted_users)
{
	struct rig r;

	rig_init(&r, NULL);
	rig_connect(&r, RIG_UNIX);
	post(&r, "open", "X-Id: 7\r\n", "{}");
	cr_assert_eq(rig_status(&r, 0), 202);
	rig_connect(&r, RIG_UNIX_STRANGER);
	post(&r, "open", "X-Id: 7\r\n", "{}");
	cr_assert_eq(rig_status(&r, 0), 401);
	post(&r, "open", "X-Id: 7\r\nAuthorization: Bearer " RIG_INGEST "\r\n", "{}");
	cr_assert_eq(rig_status(&r, 0), 202, "ingest:open opens it");
	post(&r, "token", "X-Id: 7\r\nAuthorization: Bearer " RIG_INGEST "\r\n", "{}");
	cr_assert_eq(rig_status(&r, 0), 401, "but no other");
	cr_assert_eq(r.n_ops, 2);
	rig_done(&r);
	LEAK_CHECK();
}

Test(http_hook, ids_come_from_the_header_the_time_or_the_body)
{
	struct rig r;
	char headers[256], b64[64];
	uint8_t mac[HASH_SHA256_BYTES];
	char hex[65];

	rig_init(&r, NULL);
	rig_connect(&r, RIG_TCP);
	post(&r, "token", "X-Id: abc\r\nAuthorization: Bearer a-token-of-the-hook\r\n", "{}");
	cr_assert_eq(rig_status(&r, 0), 202);
	cr_assert_str_eq(str_peek(&r.ops), "event hook:token id=abc type= body={}\n");
	str_reset(&r.ops);
	hash_hmac_sha256("topsecret-topsecret", 19, "{}", 2, mac);
	hash_to_hex(mac, sizeof(mac), hex);
	snprintf(headers, sizeof(headers), "X-Signature: sha256=%s\r\n", hex);
	post(&r, "hmac", headers, "{}");
	cr_assert_eq(rig_status(&r, 0), 202);
	cr_assert_str_eq(str_peek(&r.ops),
	    "event hook:hmac "
	    "id=body.44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a type= "
	    "body={}\n");
	str_reset(&r.ops);
	hash_hmac_sha256("topsecret-topsecret", 19, "1614265330.{}", 13, mac);
	hash_to_base64(mac, sizeof(mac), b64);
	snprintf(headers, sizeof(headers), "X-Time: 1614265330\r\nX-Sig: %s\r\n", b64);
	post(&r, "timed", headers, "{}");
	cr_assert_eq(rig_status(&r, 0), 202);
	cr_assert_str_eq(str_peek(&r.ops),
	    "event hook:timed "
	    "id=1614265330.44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a "
	    "type= body={}\n");
	snprintf(headers, sizeof(headers), "X-Time: 1614265331\r\nX-Sig: %s\r\n", b64);
	post(&r, "timed", headers, "{}");
	cr_assert_eq(rig_status(&r, 0), 401, "the time is part of what is signed");
	rig_done(&r);
	LEAK_CHECK();
}

Test(http_hook, says_503_with_retry_after_over_quota)
{
	struct rig r;

	rig_init(&r, NULL);
	rig_connect(&r, RIG_TCP);
	r.result.rc = ERR_FULL;
	post(&r, "wide", "", "{}");
	cr_assert_eq(rig_status(&r, 0), 503);
	cr_assert(strstr(str_peek(&r.got), "Retry-After: "));
	r.result.rc = 0;
	r.submit_rc = ERR_FULL;
	post(&r, "wide", "", "{}");
	cr_assert_eq(rig_status(&r, 0), 503);
	cr_assert(strstr(str_peek(&r.got), "Retry-After: "));
	rig_done(&r);
	LEAK_CHECK();
}

Test(http_hook, keeps_the_heads_of_what_it_refused_without_credentials)
{
	struct rig r;

	rig_init(&r, NULL);
	rig_connect(&r, RIG_TCP);
	for (int i = 0; i < 20; i++)
		post(&r, "token", "Authorization: Bearer my-very-secret\r\nX-Id: 1\r\n",
		    "{\"private\":1}");
	rig_connect(&r, RIG_UNIX);
	rig_ask(&r, "GET /v1/hooks/token HTTP/1.1\r\n\r\n");
	cr_assert_eq(rig_status(&r, 0), 200);
	struct json *j = NULL;
	cr_assert_eq(json_parse(rig_body(&r, 0), strlen(rig_body(&r, 0)), 1 << 20, &j, NULL), 0);
	cr_assert_eq(json_get_i64(j, "refused", 0), 20);
	cr_assert_eq(json_len(json_get(j, "last_refused")), 16);
	const struct json *one = json_first(json_get(j, "last_refused"));
	cr_assert_eq(json_get_i64(one, "status", 0), 401);
	cr_assert_str_eq(json_get_str(one, "from", ""), "127.0.0.1");
	cr_assert(strstr(json_get_str(one, "head", ""), "POST /hooks/token\nHost: localhost\n"));
	cr_assert(strstr(json_get_str(one, "head", ""), "X-Id: 1"));
	cr_assert_not(strstr(str_peek(&r.got), "my-very-secret"));
	cr_assert_not(strstr(str_peek(&r.got), "private"));
	json_free(j);
	rig_done(&r);
	LEAK_CHECK();
}

Test(http_hook, a_reload_keeps_counts_and_a_bad_one_changes_nothing)
{
	struct rig r;
	struct err err = {0};
	struct conf_hook broken = {.name = "std", .scheme = "standard-webhooks"};
	struct conf next;

	rig_init(&r, NULL);
	rig_connect(&r, RIG_UNIX);
	post(&r, "std", "", "{}");
	next = r.conf;
	next.hooks = &broken;
	next.n_hooks = 1;
	static const char text[] = "{\"secrets\":[{\"env\":\"whsec_short\"}]}";
	struct json *bad = NULL;
	cr_assert_eq(json_parse(text, sizeof(text) - 1, 100, &bad, &err), 0);
	broken.json = bad;
	cr_assert_eq(http_conf(r.h, &next, &err), ERR_CONFIG);
	cr_assert(strstr(err.text, "hooks.std"));
	cr_assert_not(strstr(err.text, "short"), "no secret in a message");
	post(&r, "std", STD_HEADERS, STD_BODY);
	cr_assert_eq(rig_status(&r, 0), 202, "the old one is still there");
	cr_assert_eq(http_conf(r.h, &r.conf, &err), 0);
	rig_ask(&r, "GET /v1/hooks/std HTTP/1.1\r\n\r\n");
	cr_assert(strstr(rig_body(&r, 0), "\"accepted\":1,"));
	cr_assert(strstr(rig_body(&r, 0), "\"refused\":1,"));
	json_free(bad);
	rig_done(&r);
	LEAK_CHECK();
}
