#include "tests/unit/http_rig.h"
#include "tests/unit/leak.h"

#include "core/http/auth.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

static int ask(struct rig *r, const char *line, const char *headers)
{
	char t[2048];

	snprintf(t, sizeof(t), "%s HTTP/1.1\r\n%s\r\n", line, headers);
	rig_ask(r, t);
	return rig_status(r, 0);
}

#define LOCAL "Host: localhost\r\n"
#define WITH(token) LOCAL "Authorization: Bearer " token "\r\n"
#define JSON_BODY "Content-Type: application/json\r\nContent-Length: 0\r\n"

Test(http_auth, on_tcp_everything_but_livez_needs_a_token)
{
	struct rig r;

	rig_init(&r, NULL);
	rig_connect(&r, RIG_TCP);
	cr_expect_eq(ask(&r, "GET /livez", LOCAL), 200);
	cr_expect_eq(ask(&r, "GET /readyz", LOCAL), 401);
	cr_expect(strstr(str_peek(&r.got), "WWW-Authenticate: Bearer"));
	cr_expect_eq(ask(&r, "GET /metrics", LOCAL), 401);
	cr_expect_eq(ask(&r, "GET /v1/runs", LOCAL), 401);
	cr_expect_eq(ask(&r, "GET /v1/stream", LOCAL), 401);
	cr_expect_eq(ask(&r, "POST /v1/shutdown", LOCAL JSON_BODY), 401);
	cr_expect_eq(ask(&r, "GET /v1/runs", WITH("sl_admim")), 401);
	cr_expect_eq(ask(&r, "GET /v1/runs", WITH("sl_admi")), 401);
	cr_expect_eq(ask(&r, "GET /v1/runs", LOCAL "Authorization: Basic sl_admin\r\n"), 401);
	cr_expect_eq(ask(&r, "GET /v1/runs", WITH(RIG_ADMIN)), 200);
	cr_expect_eq(ask(&r, "GET /readyz", WITH(RIG_READ)), 200);
	cr_expect_eq(ask(&r, "GET /metrics", WITH(RIG_READ)), 200);
	cr_expect_eq(r.n_ops, 0);
	rig_done(&r);
	LEAK_CHECK();
}

Test(http_auth, scopes_open_what_they_name)
{
	struct rig r;

	rig_init(&r, NULL);
	rig_connect(&r, RIG_TCP);
	cr_expect_eq(ask(&r, "POST /v1/dags/shop/runs", WITH(RIG_READ) JSON_BODY), 403);
	cr_expect_eq(ask(&r, "POST /v1/dags/shop/runs", WITH(RIG_RUN) JSON_BODY), 201);
	cr_expect_eq(ask(&r, "POST /v1/dags/shops/runs", WITH(RIG_RUN) JSON_BODY), 403);
	cr_expect_eq(ask(&r, "POST /v1/dags/shop/runs", WITH(RIG_INGEST) JSON_BODY), 403);
	cr_expect_eq(ask(&r, "GET /v1/runs", WITH(RIG_RUN)), 403);
	cr_expect_eq(ask(&r, "GET /v1/tokens", WITH(RIG_READ)), 403);
	cr_expect_eq(ask(&r, "POST /v1/shutdown", WITH(RIG_RUN) JSON_BODY), 403);
	cr_expect_eq(ask(&r, "POST /v1/dags/shop/pause", WITH(RIG_RUN) JSON_BODY), 403);
	cr_expect_eq(ask(&r, "POST /v1/dags/shop/pause", WITH(RIG_ADMIN) JSON_BODY), 200);
	cr_expect_eq(ask(&r, "GET /v1/tokens", WITH(RIG_ADMIN)), 200);
	cr_assert_str_eq(str_peek(&r.ops),
	    "start shop key=- idem=- by=token:runner at=-1 only=0\npause shop 1\n");
	rig_done(&r);
	LEAK_CHECK();
}

Test(http_auth, on_the_unix_socket_the_user_decides)
{
	struct rig r;

	rig_init(&r, NULL);
	rig_connect(&r, RIG_UNIX);
	cr_expect_eq(ask(&r, "GET /v1/tokens", ""), 200);
	cr_expect_eq(ask(&r, "POST /v1/dags/shop/runs", "Content-Length: 0\r\n"), 201);
	cr_expect(strstr(str_peek(&r.ops), "by=unix:0 "));
	rig_connect(&r, RIG_UNIX_STRANGER);
	cr_expect_eq(
	    ask(&r, "GET /v1/runs", ""), 401, "the user of the workers has no rights by its uid");
	cr_expect_eq(ask(&r, "GET /v1/runs", "Authorization: Bearer " RIG_READ "\r\n"), 200);
	rig_done(&r);
	LEAK_CHECK();
}

Test(http_auth, host_must_be_known)
{
	static const struct {
		const char *host;
		int status;
	} t[] = {{"localhost", 200}, {"LOCALHOST:80", 200}, {"127.0.0.1:7480", 200}, {"[::1]", 200},
	    {"[::1]:1", 200}, {"sluice.example.jp", 200}, {"SLUICE.example.jp:443", 200},
	    {"evil.example", 421}, {"localhost.evil.example", 421}, {"127.0.0.1.evil", 421},
	    {"localhost:", 421}, {"localhost:x", 421}, {"localhost:123456", 421}, {"[::1", 421},
	    {"user@localhost", 421}, {"localhost,evil", 421}};
	struct rig r;
	char line[128];

	rig_init(&r, NULL);
	for (size_t i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
		rig_connect(&r, RIG_TCP);
		snprintf(line, sizeof(line), "Host: %s\r\n", t[i].host);
		cr_expect_eq(ask(&r, "GET /livez", line), t[i].status, "%s", t[i].host);
	}
	rig_connect(&r, RIG_UNIX);
	cr_expect_eq(ask(&r, "GET /livez", "Host: whatever\r\n"), 200);
	rig_done(&r);
	LEAK_CHECK();
}

Test(http_auth, pages_of_other_sites_are_refused)
{
	static const struct {
		const char *header;
		int status;
	} t[] = {{"Origin: http://localhost", 200}, {"Origin: https://LOCALHOST", 200},
	    {"Origin: http://evil.example", 403}, {"Origin: null", 403},
	    {"Origin: http://localhost.evil", 403}, {"Origin: http://localhost:81", 403},
	    {"Sec-Fetch-Site: cross-site", 403}, {"Sec-Fetch-Site: same-site", 403},
	    {"Sec-Fetch-Site: same-origin", 200}, {"Sec-Fetch-Site: none", 200}};
	struct rig r;
	char lines[128];

	rig_init(&r, NULL);
	for (size_t i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
		rig_connect(&r, RIG_TCP);
		snprintf(lines, sizeof(lines), LOCAL "%s\r\n", t[i].header);
		cr_expect_eq(ask(&r, "GET /livez", lines), t[i].status, "%s", t[i].header);
	}
	rig_connect(&r, RIG_UNIX);
	cr_expect_eq(ask(&r, "GET /v1/runs", LOCAL "Sec-Fetch-Site: cross-site\r\n"), 403);
	rig_done(&r);
	LEAK_CHECK();
}

Test(http_auth, reads_scopes)
{
	char object[PLAN_NAME_MAX] = "";
	uint32_t bits = 0;
	struct err err;

	cr_assert_eq(auth_scope_parse("read", &bits, object, &err), 0);
	cr_assert_eq(auth_scope_parse("run:shop", &bits, object, &err), 0);
	cr_assert_eq(bits, SCOPE_READ | SCOPE_RUN);
	cr_assert_str_eq(object, "shop");
	cr_assert_eq(auth_scope_parse("run:other", &bits, object, &err), ERR_REFUSED);
	cr_assert_eq(auth_scope_parse("run:", &bits, object, &err), ERR_USAGE);
	cr_assert_eq(auth_scope_parse("write", &bits, object, &err), ERR_USAGE);
	cr_assert_eq(auth_scope_parse("ingest:A B", &bits, object, &err), ERR_USAGE);
	LEAK_CHECK();
}
