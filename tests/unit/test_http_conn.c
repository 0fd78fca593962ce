#include "tests/unit/http_rig.h"
#include "tests/unit/leak.h"

#include "core/base/mem.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define GET "GET /livez HTTP/1.1\r\nHost: localhost\r\n"
#define HOOK "POST /hooks/wide HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"

Test(http_conn, keeps_the_connection_and_closes_when_asked)
{
	struct rig r;

	rig_init(&r, NULL);
	rig_connect(&r, RIG_TCP);
	for (int i = 0; i < 3; i++) {
		rig_ask(&r, GET "\r\n");
		cr_assert_eq(rig_status(&r, 0), 200);
		cr_assert_not(r.eof);
		cr_assert(strstr(str_peek(&r.got), "\r\nDate: Thu, 25 Feb 2021 15:02:10 GMT\r\n"));
	}
	rig_ask(&r, GET "Connection: close\r\n\r\n");
	cr_assert_eq(rig_status(&r, 0), 200);
	cr_assert(strstr(str_peek(&r.got), "Connection: close"));
	cr_assert(r.eof);
	rig_connect(&r, RIG_TCP);
	rig_ask(&r, "GET /livez HTTP/1.0\r\nHost: localhost\r\n\r\n");
	cr_assert(r.eof, "HTTP/1.0 closes unless told");
	rig_connect(&r, RIG_TCP);
	rig_ask(&r, "GET /livez HTTP/1.0\r\nHost: localhost\r\nConnection: keep-alive\r\n\r\n");
	cr_assert_not(r.eof);
	rig_done(&r);
	LEAK_CHECK();
}

Test(http_conn, answers_pipelined_requests_in_order)
{
	struct rig r;
	struct str t;

	rig_init(&r, NULL);
	rig_connect(&r, RIG_TCP);
	r.hold = true;
	str_init(&t, 1 << 20);
	for (int i = 0; i < 20; i++)
		str_addf(
		    &t, i % 2 ? GET "\r\n" : HOOK "Content-Length: 7\r\n\r\n{\"a\":%d}", i % 10);
	rig_ask(&r, str_peek(&t));
	cr_assert_eq(rig_replies(&r), 0, "the first waits for the writer");
	cr_assert_eq(r.n_ops, 1, "one request at a time");
	r.hold = false;
	rig_turn(&r);
	cr_assert_eq(rig_replies(&r), 20);
	for (int i = 0; i < 20; i++)
		cr_expect_eq(rig_status(&r, (size_t)i), i % 2 ? 200 : 202);
	str_done(&t);
	rig_done(&r);
	LEAK_CHECK();
}

Test(http_conn, takes_a_request_in_any_pieces)
{
	static const char t[] = HOOK "Content-Length: 9\r\n\r\n{\"a\":123}" GET "\r\n";
	struct rig r;

	rig_init(&r, NULL);
	for (size_t cut = 1; cut < sizeof(t) - 1; cut++) {
		rig_connect(&r, RIG_TCP);
		rig_askn(&r, t, cut);
		cr_assert_eq(
		    (size_t)send(r.fd, t + cut, sizeof(t) - 1 - cut, 0), sizeof(t) - 1 - cut);
		rig_turn(&r);
		cr_expect_eq(rig_replies(&r), 2, "cut at %zu: %s", cut, str_peek(&r.got));
		cr_expect_eq(rig_status(&r, 0), 202);
		cr_expect_eq(rig_status(&r, 1), 200);
	}
	rig_connect(&r, RIG_TCP);
	for (size_t i = 0; i < sizeof(t) - 1; i++) {
		cr_assert_eq(send(r.fd, t + i, 1, 0), 1);
		rig_turn(&r);
	}
	cr_assert_eq(rig_replies(&r), 2, "byte by byte");
	rig_done(&r);
	LEAK_CHECK();
}

Test(http_conn, cuts_slow_heads_bodies_and_idlers)
{
	static const struct http_limits lim = {.head_ms = 40, .body_ms = 40, .idle_ms = 60};
	struct rig r;

	rig_init(&r, &lim);
	rig_connect(&r, RIG_TCP);
	rig_ask(&r, "GET /livez HT");
	rig_wait_eof(&r, 2000);
	cr_assert(r.eof);
	cr_assert_eq(rig_status(&r, 0), 408);
	rig_connect(&r, RIG_TCP);
	rig_ask(&r, HOOK "Content-Length: 100\r\n\r\n{");
	rig_wait_eof(&r, 2000);
	cr_assert(r.eof);
	cr_assert_eq(rig_status(&r, 0), 408);
	rig_connect(&r, RIG_TCP);
	rig_wait_eof(&r, 2000);
	cr_assert(r.eof);
	cr_assert_eq(r.got.len, 0, "an idle connection is closed without a word");
	rig_done(&r);
	LEAK_CHECK();
}

/* Each byte is progress, but the deadline is absolute. */
Test(http_conn, a_dripping_head_does_not_extend_its_deadline)
{
	static const struct http_limits lim = {.head_ms = 60};
	static const char t[] = "GET /livez HTTP/1.1\r\nHost: localhost\r\nX: "
				"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";
	struct rig r;
	size_t i;

	rig_init(&r, &lim);
	rig_connect(&r, RIG_TCP);
	mono_us begin = clock_mono();
	for (i = 0; i < sizeof(t) - 1 && !r.eof; i++) {
		if (send(r.fd, t + i, 1, MSG_NOSIGNAL) < 0)
			break;
		rig_wait_eof(&r, 6);
	}
	cr_assert(r.eof && i < sizeof(t) - 1);
	cr_assert_lt(clock_mono() - begin, 300 * US_PER_MS);
	rig_done(&r);
	LEAK_CHECK();
}

Test(http_conn, says_continue_only_where_the_body_is_wanted)
{
	struct rig r;

	rig_init(&r, NULL);
	rig_connect(&r, RIG_TCP);
	rig_ask(&r, HOOK "Expect: 100-continue\r\nContent-Length: 2\r\n\r\n");
	cr_assert_str_eq(str_peek(&r.got), "HTTP/1.1 100 Continue\r\n\r\n");
	rig_ask(&r, "{}");
	cr_assert_eq(rig_status(&r, 0), 202);
	rig_ask(&r, HOOK "Expect: 100-continue\r\nContent-Length: 99999999\r\n\r\n");
	cr_assert_eq(rig_status(&r, 0), 413);
	cr_assert_eq(rig_replies(&r), 1);
	rig_done(&r);
	LEAK_CHECK();
}

Test(http_conn, refuses_a_large_body_before_reading_it)
{
	struct rig r;

	rig_init(&r, NULL);
	rig_connect(&r, RIG_TCP);
	rig_ask(&r, HOOK "Content-Length: 65537\r\n\r\n{");
	cr_assert_eq(rig_status(&r, 0), 413);
	cr_assert(strstr(str_peek(&r.got), "Connection: close"));
	rig_done(&r);
	LEAK_CHECK();
}

Test(http_conn, goes_on_behind_a_refusal_whose_body_has_come)
{
	struct rig r;

	rig_init(&r, NULL);
	rig_connect(&r, RIG_TCP);
	rig_ask(&r, "POST /hooks/nope HTTP/1.1\r\nHost: localhost\r\nContent-Length: 53\r\n\r\n" GET
		    "X-Hidden: 1\r\n\r\n" GET "\r\n");
	cr_assert_eq(rig_status(&r, 0), 404);
	cr_assert_eq(rig_status(&r, 1), 200);
	cr_assert_eq(rig_replies(&r), 2, "the body of the refused one is no request");
	rig_done(&r);
	LEAK_CHECK();
}

Test(http_conn, a_reader_that_stops_reading_is_cut_and_blocks_nobody)
{
	static const struct http_limits lim = {.write_ms = 50};
	struct rig r;
	int size = 4096, other;

	rig_init(&r, &lim);
	rig_connect(&r, RIG_UNIX);
	setsockopt(r.fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof(size));
	other = r.fd;
	r.fd = -1;
	struct str t;
	str_init(&t, 8 << 20);
	for (int i = 0; i < 50000; i++)
		str_add(&t, GET "\r\n");
	size_t at = 0;
	for (int i = 0; i < 200 && at < t.len; i++) {
		ssize_t n = send(other, t.s + at, t.len - at, MSG_NOSIGNAL | MSG_DONTWAIT);
		at += n > 0 ? (size_t)n : 0;
		event_base_loop(r.base, EVLOOP_NONBLOCK);
	}
	cr_assert_lt(at, t.len, "the server must stop reading");
	rig_connect(&r, RIG_TCP);
	rig_ask(&r, GET "\r\n");
	cr_assert_eq(rig_status(&r, 0), 200);
	size_t before = r.h->n_conns;
	for (int i = 0; i < 200 && r.h->n_conns == before; i++) {
		struct timeval tick = {.tv_usec = 5000};
		event_base_loopexit(r.base, &tick);
		event_base_loop(r.base, 0);
	}
	cr_assert_eq(r.h->n_conns, before - 1);
	close(other);
	str_done(&t);
	rig_done(&r);
	LEAK_CHECK();
}

Test(http_conn, a_client_that_leaves_does_not_trouble_its_op)
{
	struct rig r;

	rig_init(&r, NULL);
	rig_connect(&r, RIG_TCP);
	r.hold = true;
	rig_ask(&r, HOOK "Content-Length: 2\r\n\r\n{}");
	cr_assert_eq(r.n_ops, 1);
	shutdown(r.fd, SHUT_RDWR);
	close(r.fd);
	r.fd = -1;
	rig_turn(&r);
	rig_deliver(&r);
	rig_turn(&r);
	cr_assert_eq(r.h->n_conns, 0);
	rig_done(&r);
	LEAK_CHECK();
}

Test(http_conn, a_half_closed_client_gets_its_reply)
{
	struct rig r;

	rig_init(&r, NULL);
	rig_connect(&r, RIG_TCP);
	r.hold = true;
	rig_ask(&r, HOOK "Content-Length: 2\r\n\r\n{}");
	shutdown(r.fd, SHUT_WR);
	rig_turn(&r);
	r.hold = false;
	rig_turn(&r);
	cr_assert_eq(rig_status(&r, 0), 202);
	cr_assert(r.eof);
	rig_done(&r);
	LEAK_CHECK();
}

Test(http_conn, head_has_no_body)
{
	struct rig r;

	rig_init(&r, NULL);
	rig_connect(&r, RIG_TCP);
	rig_ask(&r, "HEAD /livez HTTP/1.1\r\nHost: localhost\r\n\r\n");
	cr_assert(strstr(str_peek(&r.got), "Content-Length: 3\r\n"));
	cr_assert(str_ends(str_peek(&r.got), "\r\n\r\n"));
	rig_done(&r);
	LEAK_CHECK();
}

Test(http_conn, drains)
{
	struct rig r;

	rig_init(&r, NULL);
	rig_connect(&r, RIG_TCP);
	r.hold = true;
	rig_ask(&r, HOOK "Content-Length: 2\r\n\r\n{}");
	cr_assert_not(http_drain(r.h));
	r.hold = false;
	rig_turn(&r);
	cr_assert_eq(rig_status(&r, 0), 202);
	cr_assert(strstr(str_peek(&r.got), "Connection: close"));
	cr_assert(http_drain(r.h));
	rig_done(&r);
	LEAK_CHECK();
}
