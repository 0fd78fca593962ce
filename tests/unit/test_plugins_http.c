/* The http plugin: what it sends, what it makes of answers, and what it refuses. The server is of
 * our own making: it says what the test put there and keeps what it was asked. */
#include "tests/unit/leak.h"
#include "tests/unit/plug_host.h"

#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define ANSWERS_MAX 4

struct server {
	int fd, port, requests;
	const char *answers[ANSWERS_MAX]; /* in turn, the last again; NULL: none until they go */
	size_t pad;			  /* bytes behind the answer */
	char request[8192];		  /* the last one */
	pthread_t thread;
};

/* Until the head and as much body as it says are there. */
static void read_request(struct server *s, int c)
{
	size_t n = 0, want = 0;
	ssize_t got;

	while (n < sizeof(s->request) - 1 &&
	       (got = recv(c, s->request + n, sizeof(s->request) - 1 - n, 0)) > 0) {
		const char *end, *length;

		n += (size_t)got;
		s->request[n] = 0;
		end = strstr(s->request, "\r\n\r\n");
		if (end == NULL)
			continue;
		length = strstr(s->request, "Content-Length: ");
		want = length != NULL ? (size_t)strtoul(length + 16, NULL, 10) : 0;
		if (n >= (size_t)(end - s->request) + 4 + want)
			return;
	}
}

static void serve_one(struct server *s, int c)
{
	int i = __atomic_fetch_add(&s->requests, 1, __ATOMIC_SEQ_CST);
	const char *answer;
	char x[4096];

	read_request(s, c);
	while (i >= ANSWERS_MAX || (i > 0 && s->answers[i] == NULL))
		i--;
	answer = s->answers[i];
	if (answer != NULL)
		(void)!send(c, answer, strlen(answer), MSG_NOSIGNAL);
	memset(x, 'x', sizeof(x));
	for (size_t at = 0; at < s->pad; at += sizeof(x)) {
		if (send(c, x, sizeof(x), MSG_NOSIGNAL) < 0)
			break;
	}
	while (answer == NULL && recv(c, x, sizeof(x), 0) > 0) {
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
	s->answers[0] = answer;
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

/* ---- one task ---- */

struct opened {
	const slu_kind *kind;
	struct slu_run *conn_run, *task_run;
	void *conn, *st;
};

/* more: members of the connection besides the url. */
static slu_rc open_all(struct plug *p, struct opened *o, int port, const char *base,
    const char *more, const char *options, slu_err *err)
{
	char text[1024];
	slu_rc rc;

	memset(o, 0, sizeof(*o));
	*err = (slu_err){.size = sizeof(*err)};
	o->kind = plug_kind("http", "http");
	(void)snprintf(
	    text, sizeof(text), "{\"url\":\"http://127.0.0.1:%d%s\"%s}", port, base, more);
	o->conn_run = plug_run(p, &o->kind->connection->options, text);
	o->task_run = plug_run(p, &o->kind->task->options, options);
	rc = o->kind->connection->open(&plug_host, o->conn_run, &o->conn, err);
	if (rc == SLU_OK)
		rc = o->kind->task->open(&plug_host, o->task_run, o->conn, &o->st, err);
	return rc;
}

static void close_all(struct opened *o)
{
	if (o->st != NULL)
		o->kind->task->close(o->st);
	if (o->conn != NULL)
		o->kind->connection->close(o->conn);
	plug_run_free(o->conn_run);
	plug_run_free(o->task_run);
}

#define ALLOW ",\"private\":\"allow\""

static slu_rc run_at(struct plug *p, const struct server *s, const char *base, const char *more,
    const char *options, slu_err *err)
{
	struct opened o;
	slu_rc rc = open_all(p, &o, s->port, base, more, options, err);

	if (rc == SLU_OK)
		rc = o.kind->task->run(o.st, err);
	close_all(&o);
	cr_expect(rc == SLU_OK || (err->message[0] != 0 && err->rc == rc), "%s", options);
	return rc;
}

static slu_rc run_task(struct plug *p, const struct server *s, const char *options, slu_err *err)
{
	return run_at(p, s, "/api/", ALLOW, options, err);
}

#define OK_JSON(text)                                                                              \
	"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nConnection: close\r\n\r\n" text

/* ---- what is sent ---- */

Test(plugins_http, sends_what_the_step_says)
{
	static const struct {
		const char *options, *first, *has;
	} rows[] = {{"{}", "GET /api HTTP/1.1\r\n", "Accept: */*"},
	    {"{\"path\":\"/v1/x\"}", "GET /api/v1/x HTTP/1.1\r\n", NULL},
	    {"{\"path\":\"v1/x y/é%20\"}", "GET /api/v1/x%20y/%C3%A9%20 HTTP/1.1\r\n", NULL},
	    {"{\"path\":\"//evil.example/@x\"}", "GET /api//evil.example/@x HTTP/1.1\r\n", NULL},
	    {"{\"query\":{\"a\":\"x&y=1\",\"n\":3,\"t\":true,\"no\":null,\"l\":[1,\"b\"]}}",
		"GET /api?a=x%26y%3D1&n=3&t=true&l=1&l=b HTTP/1.1\r\n", NULL},
	    {"{\"method\":\"POST\",\"json\":{\"a\":[1,{\"b\":null}]}}", "POST /api HTTP/1.1\r\n",
		"{\"a\":[1,{\"b\":null}]}"},
	    {"{\"method\":\"POST\",\"json\":{\"a\":1}}", "POST /api HTTP/1.1\r\n",
		"Content-Type: application/json\r\n"},
	    {"{\"method\":\"PUT\",\"json_list\":[1,2]}", "PUT /api HTTP/1.1\r\n", "\r\n\r\n[1,2]"},
	    {"{\"method\":\"PATCH\",\"body\":\"hi\"}", "PATCH /api HTTP/1.1\r\n",
		"Content-Type: text/plain; charset=utf-8\r\n"},
	    {"{\"method\":\"PATCH\",\"body\":\"<a/>\",\"headers\":{\"content-type\":\"text/xml\"}}",
		"PATCH /api HTTP/1.1\r\n", "content-type: text/xml\r\n"},
	    {"{\"method\":\"POST\"}", "POST /api HTTP/1.1\r\n", "Content-Length: 0\r\n"},
	    {"{\"method\":\"DELETE\"}", "DELETE /api HTTP/1.1\r\n", NULL},
	    {"{\"method\":\"HEAD\"}", "HEAD /api HTTP/1.1\r\n", NULL},
	    {"{\"headers\":{\"X-A\":\"mine\"}}", "GET /api HTTP/1.1\r\n",
		"X-A: mine\r\nX-B: 2\r\n"},
	    {"{}", "GET /api HTTP/1.1\r\n", "X-A: 1\r\nX-B: 2\r\n"}};
	const char *more = ALLOW ",\"headers\":{\"X-A\":\"1\",\"X-B\":\"2\"}";
	struct server s;
	struct plug p;
	slu_err err;

	plug_init(&p);
	server_start(&s, "HTTP/1.1 204 No\r\nConnection: close\r\n\r\n");
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		s.request[0] = 0;
		cr_expect_eq(run_at(&p, &s, "/api/", more, rows[i].options, &err), SLU_OK, "%s: %s",
		    rows[i].options, err.message);
		cr_expect(strncmp(s.request, rows[i].first, strlen(rows[i].first)) == 0, "%s: %s",
		    rows[i].options, s.request);
		cr_expect(rows[i].has == NULL || strstr(s.request, rows[i].has) != NULL, "%s: %s",
		    rows[i].options, s.request);
		cr_expect(strstr(s.request, "urlencoded") == NULL, "%s", s.request);
	}
	server_stop(&s);
	cr_expect(strstr(str_peek(&p.log), "DELETE /api: 204, 0 bytes in ") != NULL, "%s",
	    str_peek(&p.log));
	plug_done(&p);
	LEAK_CHECK();
}

Test(plugins_http, says_who_we_are)
{
	struct server s;
	struct plug p;
	slu_err err;

	plug_init(&p);
	p.secret = "hush:y\n";
	server_start(&s, "HTTP/1.1 401 No\r\nConnection: close\r\n\r\n");
	cr_expect_eq(run_at(&p, &s, "", ALLOW ",\"auth\":\"bearer\"", "{}", &err), SLU_E_AUTH);
	cr_expect(strstr(s.request, "GET / HTTP/1.1\r\n") == s.request, "%s", s.request);
	cr_expect(strstr(s.request, "Authorization: Bearer hush:y\r\n") != NULL, "%s", s.request);
	cr_expect(
	    strstr(err.message, "hush") == NULL && strstr(err.message, "GET /"), "%s", err.message);
	cr_expect_eq(run_at(&p, &s, "", ALLOW ",\"auth\":\"basic\"", "{}", &err), SLU_E_CONFIG,
	    "a colon in the user");
	p.secret = "hush";
	cr_expect_eq(run_at(&p, &s, "", ALLOW ",\"auth\":\"basic\"", "{}", &err), SLU_E_AUTH);
	cr_expect(
	    strstr(s.request, "Authorization: Basic aHVzaDpodXNo\r\n") != NULL, "%s", s.request);
	p.secret = "hush\nhush: x";
	cr_expect_eq(run_at(&p, &s, "", ALLOW ",\"auth\":\"bearer\"", "{}", &err), SLU_E_CONFIG);
	p.secret = NULL;
	cr_expect_eq(run_at(&p, &s, "", ALLOW ",\"auth\":\"bearer\"", "{}", &err), SLU_E_CONFIG);
	server_stop(&s);
	cr_expect_eq(s.requests, 2);
	cr_expect(strstr(str_peek(&p.log), "hush") == NULL);
	plug_done(&p);
	LEAK_CHECK();
}

Test(plugins_http, refuses_what_cannot_be_meant_and_connects_to_nobody)
{
	static const char *const rows[] = {"{\"path\":\"http://evil.example/\"}",
	    "{\"path\":\"a/../../b\"}", "{\"path\":\"%2e%2E/b\"}", "{\"path\":\"./b\"}",
	    "{\"path\":\"a?b\"}", "{\"path\":\"a#b\"}", "{\"path\":\"a\\\\b\"}",
	    "{\"query\":{\"a\":{}}}", "{\"query\":[1]}", "{\"method\":\"TRACE\"}",
	    "{\"json\":{\"a\":1}}", "{\"method\":\"POST\",\"json\":{},\"body\":\"x\"}",
	    "{\"headers\":{\"Authorization\":\"Basic x\"}}", "{\"headers\":{\"host\":\"evil\"}}",
	    "{\"headers\":{\"X\":\"a\\r\\nY: b\"}}", "{\"headers\":{\"X Y\":\"a\"}}",
	    "{\"expect\":{\"status\":[\"2xx\"]}}", "{\"expect\":{\"status\":[299.5e9]}}",
	    "{\"expect\":{\"status\":[\"300-200\"]}}", "{\"expect\":{\"json\":{\"a\":1}}}",
	    "{\"outputs\":{\"a\":\"b\"}}", "{\"outputs\":{\"a\":\"/~2\"}}",
	    "{\"outputs\":{\"a\":1}}", "{\"method\":\"HEAD\",\"outputs\":{\"a\":\"/b\"}}",
	    "{\"max_bytes\":-1}"};
	static const char *const bases[] = {
	    "/x?y=1", "/x#y", "/a b", "@127.0.0.1/", "/\\\\evil.example"};
	struct server s;
	struct plug p;
	slu_err err;

	plug_init(&p);
	server_start(&s, OK_JSON("{}"));
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		cr_expect_eq(run_task(&p, &s, rows[i], &err), SLU_E_CONFIG, "%s: %d %s", rows[i],
		    err.rc, err.message);
	for (size_t i = 0; i < sizeof(bases) / sizeof(bases[0]); i++)
		cr_expect_eq(run_at(&p, &s, bases[i], ALLOW, "{}", &err), SLU_E_CONFIG, "%s: %s",
		    bases[i], err.message);
	cr_expect_eq(run_at(&p, &s, "", "", "{}", &err), SLU_E_CONFIG, "the guard");
	cr_expect(strstr(err.message, "private: allow") != NULL, "%s", err.message);
	server_stop(&s);
	cr_expect_eq(s.requests, 0);
	plug_done(&p);
	LEAK_CHECK();
}

/* ---- what comes back ---- */

#define DOC                                                                                        \
	"{\"id\":7,\"state\":\"running\",\"a/"                                                     \
	"b\":{\"~\":[10,{\"x\":null}]},\"big\":12345678901234567"                                  \
	"890,\"list\":[1,2.5]}"

Test(plugins_http, holds_an_answer_to_what_is_expected)
{
	static const struct {
		const char *options;
		slu_rc rc;
		const char *says;
	} rows[] = {{"{\"expect\":{\"status\":[200,201]}}", SLU_OK, NULL},
	    {"{\"expect\":{\"status\":[\"200-299\"]}}", SLU_OK, NULL},
	    {"{\"expect\":{\"status\":[\"201\",\"203-299\"]}}", SLU_E_DATA,
		"GET /api answers 200, and [\"201\",\"203-299\"] is expected"},
	    {"{\"expect\":{\"json\":{\"/state\":\"running\",\"/a~1b/~0/0\":10.0,\"/list\":[1,2.5],"
	     "\"/a~1b/~0/1\":{\"x\":null}}}}",
		SLU_OK, NULL},
	    {"{\"expect\":{\"json\":{\"/state\":\"done\"}}}", SLU_E_DATA,
		"at /state of the answer \"done\" is expected, but there is \"running\""},
	    {"{\"expect\":{\"json\":{\"/none\":1}}}", SLU_E_DATA, "but there is nothing"},
	    {"{\"expect\":{\"json\":{\"/none\":null}}}", SLU_E_DATA, "but there is nothing"},
	    {"{\"expect\":{\"json\":{\"/list/00\":1}}}", SLU_E_DATA, "but there is nothing"},
	    {"{\"expect\":{\"json\":{\"/list/-\":1}}}", SLU_E_DATA, "but there is nothing"},
	    {"{\"expect\":{\"json\":{\"\":1}}}", SLU_E_DATA, "…"},
	    {"{\"outputs\":{\"id\":\"/id\",\"deep\":\"/a~1b/~0\"}}", SLU_OK, NULL},
	    {"{\"outputs\":{\"id\":\"/nothing\"}}", SLU_E_DATA, "nothing stands at /nothing"},
	    {"{\"outputs\":{\"id\":\"/big\"}}", SLU_E_DATA, "beyond 2^53"}};
	struct server s;
	struct plug p;
	slu_err err;

	plug_init(&p);
	server_start(&s, OK_JSON(DOC));
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		cr_expect_eq(run_task(&p, &s, rows[i].options, &err), rows[i].rc, "%s: %s",
		    rows[i].options, err.message);
		cr_expect(rows[i].says == NULL || strstr(err.message, rows[i].says) != NULL,
		    "%s: %s", rows[i].options, err.message);
	}
	server_stop(&s);
	cr_expect_str_eq(str_peek(&p.outputs), "id=7\ndeep=[10,{\"x\":null}]\n");
	plug_done(&p);
	LEAK_CHECK();
}

/* Inside an answer that is not JSON, or JSON up to a NUL, there is nothing to find. */
Test(plugins_http, what_is_no_json_is_class_data)
{
	static const char head[] = "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n{\"id\":1}";
	struct server s;
	struct plug p;
	slu_err err;

	plug_init(&p);
	server_start(&s, head);
	s.pad = 1; /* 4096 times x */
	cr_expect_eq(run_task(&p, &s, "{}", &err), SLU_OK, "%s", err.message);
	cr_expect_eq(run_task(&p, &s, "{\"outputs\":{\"id\":\"/id\"}}", &err), SLU_E_DATA);
	cr_expect(strstr(err.message, "no JSON") != NULL, "%s", err.message);
	cr_expect_eq(run_task(&p, &s, "{\"max_bytes\":\"1kB\"}", &err), SLU_E_DATA);
	cr_expect(strstr(err.message, "longer than 1000 bytes") != NULL, "%s", err.message);
	server_stop(&s);
	plug_done(&p);
	LEAK_CHECK();
}

Test(plugins_http, a_status_has_the_class_of_the_kit)
{
	static const struct {
		const char *answer;
		slu_rc rc;
	} rows[] = {{"HTTP/1.1 301 x\r\nLocation: http://127.0.0.1/\r\n", SLU_E_CONFIG},
	    {"HTTP/1.1 400 x\r\n", SLU_E_DATA}, {"HTTP/1.1 401 x\r\n", SLU_E_AUTH},
	    {"HTTP/1.1 404 x\r\n", SLU_E_CONFIG}, {"HTTP/1.1 429 x\r\n", SLU_E_QUOTA},
	    {"HTTP/1.1 500 x\r\n", SLU_E_TRANSIENT}};
	char text[200];
	slu_err err;
	struct plug p;

	plug_init(&p);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct server s;

		(void)snprintf(text, sizeof(text), "%sConnection: close\r\n\r\n", rows[i].answer);
		server_start(&s, text);
		cr_expect_eq(run_task(&p, &s, "{}", &err), rows[i].rc, "%s", rows[i].answer);
		cr_expect_eq(run_task(&p, &s, "{\"expect\":{\"status\":[200]}}", &err), rows[i].rc);
		cr_expect(strstr(err.message, "expected [200]") != NULL, "%s", err.message);
		cr_expect_eq(
		    run_task(&p, &s, "{\"expect\":{\"status\":[\"200-599\"]}}", &err), SLU_OK);
		server_stop(&s);
		cr_expect_eq(s.requests, 3, "a redirect was followed");
	}
	plug_done(&p);
	LEAK_CHECK();
}

Test(plugins_http, keeps_to_retry_after_and_goes_on_after_500)
{
	char date[200];
	time_t at = time(NULL) + 3600;
	struct tm tm;
	struct server s;
	struct plug p;
	slu_err err;

	plug_init(&p);
	cr_assert(gmtime_r(&at, &tm));
	cr_assert(strftime(date, sizeof(date),
	    "HTTP/1.1 503 x\r\nRetry-After: %a, %d %b %Y %H:%M:%S GMT\r\nConnection: close\r\n\r\n",
	    &tm));
	server_start(&s, "HTTP/1.1 429 x\r\nRetry-After: 90\r\nConnection: close\r\n\r\n");
	s.answers[1] = date;
	s.answers[2] = "HTTP/1.1 500 x\r\nConnection: close\r\n\r\n";
	s.answers[3] = OK_JSON("{}");
	cr_expect_eq(run_task(&p, &s, "{}", &err), SLU_E_QUOTA);
	cr_expect_eq(err.retry_after_ms, 90000);
	cr_expect_eq(run_task(&p, &s, "{\"expect\":{\"status\":[200]}}", &err), SLU_E_QUOTA);
	cr_expect(err.retry_after_ms > 3000000 && err.retry_after_ms <= 3600000, "%lld",
	    (long long)err.retry_after_ms);
	cr_expect_eq(run_task(&p, &s, "{}", &err), SLU_E_TRANSIENT);
	cr_expect_eq(run_task(&p, &s, "{}", &err), SLU_OK, "%s", err.message);
	server_stop(&s);
	plug_done(&p);
	LEAK_CHECK();
}

Test(plugins_http, nobody_there_is_transient)
{
	struct server s;
	struct plug p;
	slu_err err;

	plug_init(&p);
	server_start(&s, NULL);
	server_stop(&s); /* the port is free now */
	cr_expect_eq(run_task(&p, &s, "{}", &err), SLU_E_TRANSIENT, "%s", err.message);
	cr_expect(strstr(err.message, "GET /api: 127.0.0.1") == err.message, "%s", err.message);
	plug_done(&p);
	LEAK_CHECK();
}

struct cancelling {
	const struct server *s;
	struct opened *o;
};

/* Once the server has the request. */
static void *cancel_it(void *arg)
{
	struct cancelling *c = arg;

	while (__atomic_load_n(&c->s->requests, __ATOMIC_SEQ_CST) == 0)
		usleep(1000);
	c->o->kind->task->cancel(c->o->st);
	return NULL;
}

/* The server never answers: without the cancel this would take the timeout of an hour. */
Test(plugins_http, a_cancel_ends_it_and_leaves_the_connection_usable)
{
	struct server s;
	struct plug p;
	struct opened o;
	struct cancelling c = {&s, &o};
	pthread_t thread;
	void *again = NULL;
	slu_err err;

	plug_init(&p);
	server_start(&s, NULL);
	cr_assert_eq(open_all(&p, &o, s.port, "", ALLOW ",\"timeout\":\"1h\"", "{}", &err), SLU_OK);
	cr_assert_eq(pthread_create(&thread, NULL, cancel_it, &c), 0);
	cr_expect_eq(o.kind->task->run(o.st, &err), SLU_E_CANCELLED, "%s", err.message);
	pthread_join(thread, NULL);
	s.answers[0] = OK_JSON("{}");
	cr_assert_eq(o.kind->task->open(&plug_host, o.task_run, o.conn, &again, &err), SLU_OK);
	cr_expect_eq(o.kind->task->run(again, &err), SLU_OK, "%s", err.message);
	o.kind->task->close(again);
	cr_expect_eq(o.kind->connection->check(o.conn, &err), SLU_OK, "%s", err.message);
	cr_expect(strncmp(s.request, "HEAD / ", 7) == 0, "%s", s.request);
	close_all(&o);
	server_stop(&s);
	plug_done(&p);
	LEAK_CHECK();
}
