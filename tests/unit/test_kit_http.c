/* The HTTP client: the guard by table, what statuses and Retry-After mean, and against a server of
 * the test's own on loopback: bounds, redirects, refused addresses, cancel. */
#include "leak.h"
#include "plug_host.h"
#include "sluice/kit/http.h"

#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* ---- the guard ---- */

Test(kit_http, the_guard_knows_what_is_not_the_public_internet)
{
	static const struct {
		const char *address;
		int is_private;
	} rows[] = {{"0.0.0.0", 1}, {"0.1.2.3", 1}, {"1.1.1.1", 0}, {"8.8.8.8", 0},
	    {"9.255.255.255", 0}, {"10.0.0.1", 1}, {"10.255.255.255", 1}, {"11.0.0.0", 0},
	    {"100.63.255.255", 0}, {"100.64.0.1", 1}, {"100.127.255.255", 1}, {"100.128.0.0", 0},
	    {"126.255.255.255", 0}, {"127.0.0.1", 1}, {"127.255.0.9", 1}, {"128.0.0.1", 0},
	    {"169.253.1.1", 0}, {"169.254.169.254", 1}, {"169.255.0.0", 0}, {"172.15.255.255", 0},
	    {"172.16.0.1", 1}, {"172.31.255.255", 1}, {"172.32.0.0", 0}, {"192.0.0.8", 1},
	    {"192.0.2.1", 1}, {"192.167.255.255", 0}, {"192.168.1.1", 1}, {"192.169.0.0", 0},
	    {"198.17.255.255", 0}, {"198.18.0.1", 1}, {"198.19.255.255", 1}, {"198.20.0.0", 0},
	    {"198.51.100.7", 1}, {"203.0.113.9", 1}, {"223.255.255.255", 0}, {"224.0.0.1", 1},
	    {"239.255.255.255", 1}, {"240.0.0.1", 1}, {"255.255.255.255", 1},
	    /* IPv6 */
	    {"::", 1}, {"::1", 1}, {"::7f00:1", 1}, {"::ffff:10.0.0.1", 1}, {"::ffff:127.0.0.1", 1},
	    {"::ffff:169.254.169.254", 1}, {"::ffff:8.8.8.8", 0}, {"64:ff9b::10.0.0.1", 1},
	    {"64:ff9b::8.8.8.8", 0}, {"64:ff9b:1::1", 1}, {"100::1", 1}, {"2001::1", 1},
	    {"2001:db8::1", 1}, {"2001:4860:4860::8888", 0}, {"2002:a00:1::", 1},
	    {"2002:808:808::", 0}, {"2606:4700::1111", 0}, {"3fff::1", 1}, {"fbff::1", 0},
	    {"fc00::1", 1}, {"fd12:3456::1", 1}, {"fdff::", 1}, {"fe80::1", 1}, {"febf::1", 1},
	    {"fec0::1", 1}, {"ff02::1", 1}};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct sockaddr_in6 six = {.sin6_family = AF_INET6};
		struct sockaddr_in four = {.sin_family = AF_INET};
		int got;

		if (strchr(rows[i].address, ':') != NULL) {
			cr_assert_eq(inet_pton(AF_INET6, rows[i].address, &six.sin6_addr), 1);
			got = slu_http_is_private(&six, sizeof(six));
		} else {
			cr_assert_eq(inet_pton(AF_INET, rows[i].address, &four.sin_addr), 1);
			got = slu_http_is_private(&four, sizeof(four));
		}
		cr_expect_eq(got, rows[i].is_private, "%s: %d", rows[i].address, got);
	}
	LEAK_CHECK();
}

Test(kit_http, the_guard_refuses_what_it_does_not_know)
{
	struct sockaddr_storage sa = {.ss_family = AF_UNIX};
	struct sockaddr_in four = {.sin_family = AF_INET, .sin_addr = {htonl(0x08080808)}};

	cr_assert(slu_http_is_private(&sa, sizeof(sa)));
	cr_assert(slu_http_is_private(&four, 8), "cut off");
	cr_assert(slu_http_is_private(&four, 0));
	LEAK_CHECK();
}

/* ---- what came back ---- */

Test(kit_http, retry_after_is_seconds_or_a_date)
{
	const int64_t now = INT64_C(1763683200000000); /* 2025-11-21T00:00:00Z */

	cr_assert_eq(slu_http_retry_after("120", now), 120000);
	cr_assert_eq(slu_http_retry_after("0", now), 0);
	cr_assert_eq(slu_http_retry_after("Fri, 21 Nov 2025 00:01:30 GMT", now), 90000);
	cr_assert_eq(slu_http_retry_after("Fri, 21 Nov 2025 00:00:00 GMT", now), 0);
	cr_assert_eq(slu_http_retry_after("Thu, 20 Nov 2025 00:00:00 GMT", now), 0);
	cr_assert_eq(slu_http_retry_after("soon", now), 0);
	cr_assert_eq(slu_http_retry_after("-5", now), 0);
	cr_assert_eq(
	    slu_http_retry_after("99999999999999999999", now), INT64_C(365) * 86400 * 1000);
	LEAK_CHECK();
}

Test(kit_http, a_status_has_a_class)
{
	static const struct {
		int status;
		int64_t after;
		slu_rc rc;
	} rows[] = {{200, 0, SLU_OK}, {204, 0, SLU_OK}, {301, 0, SLU_E_CONFIG},
	    {400, 0, SLU_E_DATA}, {401, 0, SLU_E_AUTH}, {403, 0, SLU_E_AUTH},
	    {404, 0, SLU_E_CONFIG}, {408, 0, SLU_E_TRANSIENT}, {409, 0, SLU_E_DATA},
	    {410, 0, SLU_E_CONFIG}, {413, 0, SLU_E_DATA}, {422, 0, SLU_E_DATA},
	    {425, 0, SLU_E_TRANSIENT}, {429, 0, SLU_E_QUOTA}, {429, 7000, SLU_E_QUOTA},
	    {500, 0, SLU_E_TRANSIENT}, {503, 0, SLU_E_TRANSIENT}, {503, 5000, SLU_E_QUOTA}};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		slu_http_reply r = {.status = rows[i].status, .retry_after_ms = rows[i].after};
		slu_err e = {.size = sizeof(e)};

		cr_expect_eq(
		    slu_http_judge(&r, "the server", &e), rows[i].rc, "%d", rows[i].status);
		if (rows[i].rc != SLU_OK)
			cr_expect_eq(e.retry_after_ms, rows[i].after);
	}
	LEAK_CHECK();
}

Test(kit_http, texts_become_parts_of_a_url)
{
	slu_buf b;

	slu_buf_init(&b, 100);
	slu_buf_add_url(&b, "a b/ü?&=~_-.");
	cr_assert_str_eq(slu_buf_text(&b), "a%20b%2F%C3%BC%3F%26%3D~_-.");
	slu_buf_done(&b);
	LEAK_CHECK();
}

/* ---- a server ---- */

struct server {
	int fd, port, requests;
	const char *answer; /* NULL: none, until the client has gone */
	size_t pad;	    /* bytes of body behind it */
	char request[4096];
	pthread_t thread;
};

static void serve_one(struct server *s, int c)
{
	size_t n = 0;
	char x[4096];
	ssize_t got;

	while (n < sizeof(s->request) - 1 &&
	       (got = recv(c, s->request + n, sizeof(s->request) - 1 - n, 0)) > 0) {
		n += (size_t)got;
		s->request[n] = 0;
		if (strstr(s->request, "\r\n\r\n") != NULL)
			break;
	}
	s->requests++;
	if (s->answer != NULL)
		(void)!send(c, s->answer, strlen(s->answer), MSG_NOSIGNAL);
	memset(x, 'x', sizeof(x));
	for (size_t i = 0; i < s->pad; i += sizeof(x)) {
		if (send(c, x, sizeof(x), MSG_NOSIGNAL) < 0)
			break;
	}
	while (s->answer == NULL && recv(c, x, sizeof(x), 0) > 0) {
	}
}

static void *serve(void *arg)
{
	struct server *s = arg;
	int c;

	while ((c = accept(s->fd, NULL, NULL)) >= 0) {
		serve_one(s, c);
		close(c);
	}
	return NULL;
}

static void server_start(struct server *s, const char *answer)
{
	struct sockaddr_in sa = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
	socklen_t n = sizeof(sa);

	memset(s, 0, sizeof(*s));
	s->answer = answer;
	s->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	cr_assert_eq(bind(s->fd, (struct sockaddr *)&sa, sizeof(sa)), 0);
	cr_assert_eq(listen(s->fd, 16), 0);
	cr_assert_eq(getsockname(s->fd, (struct sockaddr *)&sa, &n), 0);
	s->port = ntohs(sa.sin_port);
	cr_assert_eq(pthread_create(&s->thread, NULL, serve, s), 0);
}

static void server_stop(struct server *s)
{
	shutdown(s->fd, SHUT_RDWR);
	pthread_join(s->thread, NULL);
	close(s->fd);
}

static slu_rc get(struct server *s, const char *host, const slu_http_options *o, const char *body,
    slu_http_reply *reply, slu_err *err)
{
	static const char *const headers[] = {"X-One: 1", "X-Two: a\r\nX-Evil: 1"};
	slu_http_request q = {.size = sizeof(q), .headers = headers, .n_headers = 2};
	slu_http *h;
	char url[200];
	slu_rc rc;

	snprintf(url, sizeof(url), "http://user:hush@%s:%d/secret-path?q=hush", host, s->port);
	q.url = url;
	q.body = body;
	q.body_n = body != NULL ? strlen(body) : 0;
	cr_assert_eq(slu_http_new(NULL, NULL, o, &h, err), SLU_OK);
	rc = slu_http_do(h, &q, reply, err);
	slu_http_free(h);
	return rc;
}

static const slu_http_options allow = {.size = sizeof(allow), .private_ok = 1, .max_bytes = 1000};

Test(kit_http, an_answer_comes_with_status_headers_and_body)
{
	slu_http_reply r = {0};
	slu_err e = {.size = sizeof(e)};
	struct server s;
	char text[64];

	server_start(&s, "HTTP/1.1 429 Slow\r\nRetry-After: 7\r\nContent-Length: 2\r\n\r\nhi");
	cr_assert_eq(get(&s, "127.0.0.1", &allow, "{\"a\":1}", &r, &e), SLU_OK, "%s", e.message);
	server_stop(&s);
	cr_assert_eq(r.status, 429);
	cr_assert_str_eq(slu_buf_text(&r.body), "hi");
	cr_assert_eq(r.retry_after_ms, 7000);
	cr_assert_str_eq(slu_http_header(&r, "content-length", text, sizeof(text)), "2");
	cr_assert_null(slu_http_header(&r, "content", text, sizeof(text)));
	cr_assert(strstr(s.request, "POST /secret-path?q=hush HTTP/1.1\r\n") == s.request);
	cr_assert(strstr(s.request, "X-One: 1") != NULL);
	cr_assert(strstr(s.request, "X-Evil") == NULL, "a header became two");
	slu_http_reply_done(&r);
	LEAK_CHECK();
}

Test(kit_http, redirects_are_answers)
{
	slu_http_reply r = {0};
	slu_err e = {.size = sizeof(e)};
	struct server s;

	server_start(&s, "HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1/x\r\n"
			 "Content-Length: 0\r\n\r\n");
	cr_assert_eq(get(&s, "127.0.0.1", &allow, NULL, &r, &e), SLU_OK);
	server_stop(&s);
	cr_assert_eq(r.status, 302);
	cr_assert_eq(s.requests, 1);
	cr_assert_eq(slu_http_judge(&r, "it", &e), SLU_E_CONFIG);
	cr_assert(strstr(e.message, "points to 127.0.0.1;") != NULL, "%s", e.message);
	slu_http_reply_done(&r);
	LEAK_CHECK();
}

Test(kit_http, a_body_has_an_end)
{
	slu_http_reply r = {0};
	slu_err e = {.size = sizeof(e)};
	struct server s;

	server_start(&s, "HTTP/1.1 200 OK\r\n\r\n");
	s.pad = 1u << 20;
	cr_assert_eq(get(&s, "127.0.0.1", &allow, NULL, &r, &e), SLU_E_DATA);
	server_stop(&s);
	cr_assert(strstr(e.message, "longer than 1000 bytes") != NULL, "%s", e.message);
	slu_http_reply_done(&r);
	LEAK_CHECK();
}

/* By address, by name, and by other spellings: nobody is even connected to. */
Test(kit_http, the_own_network_is_refused_unless_it_is_allowed)
{
	static const char *const hosts[] = {
	    "127.0.0.1", "localhost", "127.1", "0x7f000001", "2130706433", "[::ffff:127.0.0.1]"};
	struct server s;

	server_start(&s, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
	for (size_t i = 0; i < sizeof(hosts) / sizeof(hosts[0]); i++) {
		slu_http_reply r = {0};
		slu_err e = {.size = sizeof(e)};

		cr_expect_eq(get(&s, hosts[i], NULL, NULL, &r, &e), SLU_E_CONFIG, "%s: %s",
		    hosts[i], e.message);
		cr_expect(strstr(e.message, "private: allow") != NULL, "%s", e.message);
		cr_expect(strstr(e.message, "hush") == NULL && strstr(e.message, "secret") == NULL);
		slu_http_reply_done(&r);
	}
	server_stop(&s);
	cr_assert_eq(s.requests, 0);
	LEAK_CHECK();
}

Test(kit_http, nobody_there_is_transient_and_a_bad_url_is_config)
{
	slu_http_request q = {.size = sizeof(q), .url = "ftp://127.0.0.1/"};
	slu_http_reply r = {0};
	slu_err e = {.size = sizeof(e)};
	struct server s;
	slu_http *h;

	server_start(&s, NULL);
	server_stop(&s); /* the port is free now */
	cr_assert_eq(get(&s, "127.0.0.1", &allow, NULL, &r, &e), SLU_E_TRANSIENT);
	cr_assert(strstr(e.message, "127.0.0.1") != NULL && strstr(e.message, "hush") == NULL);
	cr_assert_eq(slu_http_new(NULL, NULL, &allow, &h, &e), SLU_OK);
	cr_assert_eq(slu_http_do(h, &q, &r, &e), SLU_E_CONFIG, "%s", e.message);
	slu_http_free(h);
	slu_http_reply_done(&r);
	LEAK_CHECK();
}

static void *cancel_soon(void *arg)
{
	usleep(20000);
	slu_http_cancel(arg);
	return NULL;
}

Test(kit_http, silence_ends_by_the_deadline_or_by_cancel)
{
	slu_http_options o = {.size = sizeof(o), .private_ok = 1, .timeout_ms = 50};
	slu_http_request q = {.size = sizeof(q)};
	slu_http_reply r = {0};
	slu_err e = {.size = sizeof(e)};
	struct server s;
	char url[64];
	pthread_t t;
	slu_http *h;

	server_start(&s, NULL);
	cr_assert_eq(get(&s, "127.0.0.1", &o, NULL, &r, &e), SLU_E_TIMEOUT, "%s", e.message);
	o.timeout_ms = 0;
	snprintf(url, sizeof(url), "http://127.0.0.1:%d/", s.port);
	q.url = url;
	cr_assert_eq(slu_http_new(NULL, NULL, &o, &h, &e), SLU_OK);
	cr_assert_eq(pthread_create(&t, NULL, cancel_soon, h), 0);
	cr_assert_eq(slu_http_do(h, &q, &r, &e), SLU_E_CANCELLED);
	pthread_join(t, NULL);
	slu_http_free(h);
	server_stop(&s);
	slu_http_reply_done(&r);
	LEAK_CHECK();
}
