/* core/pool/mailbox.c, conn.c, report.c, note.c: the table, driven through a socket pair, with
 * starts and kills that are only noted. */
#include "core/pool/mailbox.h"

#include "core/base/io.h"
#include "core/base/mem.h"
#include "core/pool/report.h"
#include "tests/unit/leak.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define STARTED_MAX 600
#define HELLO_UUID "0123456789abcdef\0\0\0\0"

static struct event_base *base;
static struct mailbox *m;
static struct attempt *started[STARTED_MAX];
static unsigned n_started, n_killed, n_lost;
static int daemon_fd;
static struct frame head;
static struct str in;

static void on_start(void *ctx, struct attempt *a, const char *job, size_t n)
{
	(void)ctx;
	(void)job;
	(void)n;
	if (n_started < STARTED_MAX)
		started[n_started++] = a;
}

static void on_kill(void *ctx, struct attempt *a)
{
	(void)ctx;
	(void)a;
	n_killed++;
}

static void on_changed(void *ctx)
{
	(void)ctx;
}

static void on_lost(void *ctx)
{
	(void)ctx;
	n_lost++;
}

static void turn(void)
{
	event_base_loop(base, EVLOOP_NONBLOCK);
	event_base_loop(base, EVLOOP_NONBLOCK);
}

static void send_frame(uint16_t type, uint64_t run, uint64_t token, const void *p, size_t n)
{
	struct frame h = {.type = type, .run = run, .token = token, .step = 1};

	cr_assert_eq(frame_send(daemon_fd, &h, p, n, NULL, 0, NULL), 0);
	turn();
}

static void send_job(uint64_t run, uint64_t token, const char *note)
{
	struct str all;

	str_init(&all, 1u << 20);
	frame_job_join(&all, note, strlen(note), "{}", 2);
	send_frame(FRAME_JOB, run, token, all.s, all.len);
	str_done(&all);
}

static int next_type(void)
{
	str_reset(&in);
	return frame_recv(daemon_fd, &head, &in, NULL, 0, NULL, NULL) == 0 ? head.type : -1;
}

static void connect_daemon(void)
{
	int pair[2];

	io_close(&daemon_fd);
	cr_assert_eq(
	    socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair), 0);
	daemon_fd = pair[1];
	mailbox_accept(m, pair[0]);
}

static void hello(void)
{
	connect_daemon();
	send_frame(FRAME_HELLO, 0, 0, HELLO_UUID, 20);
}

static void begin(void)
{
	static const struct mailbox_ops ops = {on_start, on_kill, on_changed, on_lost};

	base = event_base_new();
	daemon_fd = -1;
	str_init(&in, FRAME_PAYLOAD_MAX);
	m = mailbox_new(base, 42, &ops, NULL);
	hello();
	cr_assert_eq(next_type(), FRAME_END);
}

static void end(void)
{
	mailbox_free(m);
	io_close(&daemon_fd);
	event_base_free(base);
	str_done(&in);
	libevent_global_shutdown();
}

TestSuite(pool_mailbox, .init = begin, .timeout = 30);

Test(pool_mailbox, a_second_job_of_the_same_token_starts_nothing)
{
	send_job(1, 1, "{}");
	send_job(1, 1, "{}");
	cr_assert_eq(n_started, 1);
	send_job(1, 2, "{}");
	cr_assert_eq(n_started, 2, "another token is another attempt");
	mailbox_end(m, started[0], OUT_OK, "{}", 2);
	send_job(1, 1, "{}");
	cr_assert_eq(n_started, 2, "not even after its end, until ACK");
	end();
	LEAK_CHECK();
}

Test(pool_mailbox, the_answer_to_hello_is_one_block)
{
	unsigned i;

	for (i = 0; i < 500; i++)
		send_job(i, 1, "{}");
	for (i = 0; i < 250; i++)
		mailbox_end(m, started[i], OUT_FAILED, "{}", 2);
	hello();				       /* more than the socket holds */
	mailbox_end(m, started[400], OUT_OK, "{}", 2); /* while the block is being sent */
	for (i = 0; i < 500; i++) {
		int type = next_type();

		if (type == -1) {
			turn();
			type = next_type();
		}
		cr_assert_eq(type, i < 250 ? FRAME_OUT : FRAME_RUN, "%u", i);
		cr_assert_eq(head.run, i);
	}
	if (next_type() == -1) {
		turn();
		next_type();
	}
	cr_assert_eq(head.type, FRAME_END);
	cr_assert_eq(head.instance, 42);
	turn();
	cr_assert_eq(next_type(), FRAME_OUT, "the later outcome comes behind END");
	cr_assert_eq(head.run, 400);
	cr_assert_eq(next_type(), -1);
	end();
	LEAK_CHECK();
}

Test(pool_mailbox, a_kill_order_is_given_once_and_decides_over_a_failure_only)
{
	static const struct {
		uint32_t reason, code, want;
	} cases[] = {{OUT_OK, OUT_OK, OUT_OK}, {OUT_OK, OUT_FAILED, OUT_FAILED},
	    {OUT_OK, OUT_LOST, OUT_LOST}, {OUT_CANCELLED, OUT_OK, OUT_OK},
	    {OUT_CANCELLED, OUT_FAILED, OUT_CANCELLED}, {OUT_CANCELLED, OUT_LOST, OUT_CANCELLED},
	    {OUT_DEADLINE, OUT_OK, OUT_OK}, {OUT_DEADLINE, OUT_FAILED, OUT_DEADLINE},
	    {OUT_DEADLINE, OUT_LOST, OUT_DEADLINE}};
	size_t i;

	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		send_job(i + 1, 1, "{}");
		n_killed = 0;
		if (cases[i].reason != OUT_OK) {
			mailbox_kill(m, started[i], cases[i].reason);
			mailbox_kill(m, started[i], OUT_CANCELLED);
			cr_assert_eq(n_killed, 1);
		}
		mailbox_end(m, started[i], cases[i].code, "{\"a\":1}", 7);
		cr_assert_eq(next_type(), FRAME_OUT);
		cr_assert_eq(head.code, cases[i].want, "%zu", i);
		cr_assert_eq(in.len, cases[i].want <= OUT_FAILED ? 7 : 0);
	}
	end();
	LEAK_CHECK();
}

Test(pool_mailbox, ack_of_what_runs_or_is_unknown_changes_nothing)
{
	send_job(1, 1, "{}");
	send_frame(FRAME_ACK, 1, 1, NULL, 0);
	send_frame(FRAME_ACK, 9, 9, NULL, 0);
	cr_assert_not(mailbox_is_empty(m));
	mailbox_end(m, started[0], OUT_OK, NULL, 0);
	cr_assert_not(mailbox_is_empty(m));
	send_frame(FRAME_ACK, 1, 1, NULL, 0);
	cr_assert(mailbox_is_empty(m));
	end();
	LEAK_CHECK();
}

Test(pool_mailbox, the_newest_hello_has_the_connection)
{
	struct frame h;
	int old;

	send_job(1, 1, "{}");
	old = daemon_fd;
	daemon_fd = -1;
	hello();
	cr_assert_eq(next_type(), FRAME_RUN);
	cr_assert_eq(next_type(), FRAME_END);
	cr_assert_eq(frame_recv(old, &h, &in, NULL, 0, NULL, NULL), ERR_CLOSED);
	io_close(&old);
	mailbox_end(m, started[0], OUT_OK, NULL, 0);
	cr_assert_eq(next_type(), FRAME_OUT);
	end();
	LEAK_CHECK();
}

Test(pool_mailbox, a_connection_without_hello_may_only_ask_for_the_end)
{
	int daemon = daemon_fd;

	daemon_fd = -1;
	connect_daemon();
	send_job(1, 1, "{}");
	cr_assert_eq(n_started, 0);
	cr_assert_eq(next_type(), FRAME_REFUSED);
	cr_assert_eq(next_type(), -1);
	connect_daemon();
	send_frame(FRAME_SHUTDOWN, 0, 0, NULL, 0);
	cr_assert_eq(next_type(), FRAME_END);
	cr_assert(mailbox_is_retired(m));
	cr_assert(mailbox_has_daemon(m));
	io_close(&daemon);
	end();
	LEAK_CHECK();
}

Test(pool_mailbox, many_strangers_do_not_pile_up)
{
	int pairs[40][2], i, open_ = 0;
	char byte;

	for (i = 0; i < 40; i++) {
		cr_assert_eq(
		    socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pairs[i]),
		    0);
		mailbox_accept(m, pairs[i][0]);
	}
	turn();
	for (i = 0; i < 40; i++) {
		open_ += recv(pairs[i][1], &byte, 1, 0) != 0;
		close(pairs[i][1]);
	}
	cr_assert_eq(open_, MAILBOX_CONNECTIONS);
	turn();
	end();
	LEAK_CHECK();
}

Test(pool_mailbox, nonsense_closes_the_connection_and_keeps_the_attempts)
{
	send_job(1, 1, "{}");
	cr_assert_eq(send(daemon_fd, "nonsense", 8, 0), 8);
	turn();
	cr_assert_eq(n_lost, 1);
	cr_assert_not(mailbox_has_daemon(m));
	mailbox_end(m, started[0], OUT_OK, "{}", 2);
	hello();
	cr_assert_eq(next_type(), FRAME_OUT);
	cr_assert_eq(next_type(), FRAME_END);
	end();
	LEAK_CHECK();
}

Test(pool_mailbox, a_report_that_is_too_large_is_a_failure_that_says_so)
{
	static char big[FRAME_REPORT_MAX + 1];

	send_job(1, 1, "{}");
	mailbox_end(m, started[0], OUT_OK, big, sizeof(big));
	cr_assert_eq(next_type(), FRAME_OUT);
	cr_assert_eq(head.code, OUT_FAILED);
	cr_assert_not_null(strstr(in.s, "128 KiB"));
	end();
	LEAK_CHECK();
}

Test(pool_mailbox, masking_never_breaks_the_report)
{
	struct mask *mask = mask_new();
	struct str out;

	cr_assert_eq(mask_add(mask, "\"ok\",\"", 6, NULL), 0);
	cr_assert_eq(mask_add(mask, "topsecret", 9, NULL), 0);
	mask_ready(mask);
	str_init(&out, FRAME_REPORT_MAX);
	report_mask(mask, "{\"message\":\"a topsecret b\"}", 27, &out);
	cr_assert_str_eq(out.s, "{\"message\":\"a *** b\"}");
	str_reset(&out);
	report_mask(mask, "{\"class\":\"ok\",\"code\":\"\"}", 24, &out);
	cr_assert_not_null(strstr(out.s, "\"masked\""));
	str_done(&out);
	mask_free(mask);
	end();
	LEAK_CHECK();
}

Test(pool_mailbox, notes_that_lead_out_of_their_folder_are_refused)
{
	static const char *const bad[] = {"{\"log\":\"/etc/x\"}", "{\"log\":\"a/../../x\"}",
	    "{\"log\":\"a//b\"}", "{\"log\":\"..\"}", "{\"scratch\":\"./x\"}", "{\"log\":\"x/\"}",
	    "[", "{\"a\":1,\"a\":2}"};
	size_t i;

	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		send_job(i + 1, 1, bad[i]);
		cr_assert_eq(n_started, 0, "%s", bad[i]);
		cr_assert_eq(next_type(), FRAME_OUT);
		cr_assert_eq(head.code, OUT_FAILED);
	}
	send_job(99, 1, "{\"log\":\"a/b.c/..d\"}");
	cr_assert_eq(n_started, 1);
	end();
	LEAK_CHECK();
}
