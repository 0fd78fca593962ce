/* serve.c: the control thread: frames from the pool, progress and the report back to it. Plugin
 * code runs on lanes only.
 *
 * One attempt: JOB arrives with the log pipe -> descriptors 1 and 2 -> the main lane runs it ->
 * descendants are killed and reaped -> the log pipe is closed here -> OUT. Only then is the worker
 * free for the next JOB. */
#include "core/worker/serve.h"

#include "core/base/clock.h"
#include "core/base/hash.h"
#include "core/base/io.h"
#include "core/base/mem.h"
#include "core/pool/frame.h"
#include "core/worker/attempt.h"
#include "core/worker/conn.h"
#include "core/worker/descend.h"
#include "core/worker/lane.h"
#include "core/worker/load.h"
#include "core/worker/sandbox.h"
#include "core/worker/step.h"
#include "core/worker/system.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#define PROGRESS_EVERY_US (100 * US_PER_MS)
#define SYSTEM_REPORT_MAX FRAME_PAYLOAD_MAX

struct serve {
	int sock, done_fd, kick_fd, own_err;
	struct lane *main_lane, *reader;
	struct job *job;
	struct attempt *at;  /* runs now, or NULL */
	struct frame head;   /* of its JOB: names it in every answer */
	mono_us progress_at; /* when the last one went */
	bool progress_due, sandboxed, ends;
	bool process; /* this process is a worker and nothing else */
};

static int terminate_fd = -1;

void serve_terminate(void)
{
	uint64_t one = 1;
	int saved = errno;

	if (terminate_fd >= 0 && write(terminate_fd, &one, sizeof(one)) < 0) {
		/* readable already */
	}
	errno = saved;
}

static void drain(int fd)
{
	uint64_t n;

	while (read(fd, &n, sizeof(n)) > 0) {
	}
}

/* ---- answers ---- */

static int send_now(
    struct serve *s, const struct frame *head, const struct str *payload, struct err *err)
{
	struct pollfd p = {.fd = s->sock, .events = POLLOUT};
	int rc;

	while ((rc = frame_send(s->sock, head, str_peek(payload), payload->len, NULL, 0, err)) ==
	       ERR_AGAIN)
		if (poll(&p, 1, -1) < 0 && errno != EINTR)
			break;
	return rc;
}

/* An attempt may come on the system lane: a message of the outbox is one. */
static uint16_t answer_type(const struct serve *s)
{
	return s->head.type == FRAME_SYSTEM ? FRAME_SYSTEM_OUT : FRAME_OUT;
}

static int answer(
    struct serve *s, uint16_t type, uint32_t code, const struct str *payload, struct err *err)
{
	struct frame head = s->head;

	head.type = type;
	head.code = code;
	head.flags = s->ends || plugin_is_stale() ? FRAME_LAST : 0;
	head.time_us = clock_mono();
	return send_now(s, &head, payload, err);
}

static void send_progress(struct serve *s)
{
	struct frame head = s->head;
	struct str json;

	str_init(&json, 4096);
	head.type = FRAME_PROGRESS;
	if (attempt_take_progress(s->at, &json))
		(void)!frame_send(
		    s->sock, &head, json.s, json.len, NULL, 0, NULL); /* may be dropped */
	str_done(&json);
	s->progress_at = clock_mono();
	s->progress_due = false;
}

/* ---- the log ---- */

static void point_output(int fd)
{
	(void)!fflush(NULL);
	(void)dup2(fd, STDOUT_FILENO);
	(void)dup2(fd, STDERR_FILENO);
}

/* ---- attempts ---- */

static void run_on_lane(void *arg)
{
	struct serve *s = arg;
	uint64_t one = 1;

	step_run(s->at, s->reader);
	(void)!write(s->done_fd, &one, sizeof(one));
}

static void make_lanes(struct serve *s)
{
	if (s->main_lane != NULL)
		return;
	s->main_lane = lane_new("sluice-main");
	s->reader = lane_new("sluice-extract");
}

static int enter_sandbox(struct serve *s, struct err *err)
{
	if (!s->process || s->sandboxed)
		return 0;
	s->sandboxed = true;
	return sandbox_enter(s->job, err);
}

static int refuse(struct serve *s, const struct err *why, struct err *err)
{
	struct str report;
	struct jw w;
	int rc;

	str_init(&report, 8192);
	jw_init(&w, &report);
	jw_object(&w);
	jw_kstr(&w, "class", why->code == ERR_CONFIG ? "config" : "internal");
	jw_kstr(&w, "code", "HOST.JOB");
	jw_kstr(&w, "message", why->text);
	jw_end_object(&w);
	rc = answer(s, answer_type(s), OUT_FAILED, &report, err);
	str_done(&report);
	return rc;
}

static int begin_attempt(struct serve *s, struct json *root, int log_fd, struct err *err)
{
	struct err why;

	if (log_fd >= 0)
		point_output(log_fd);
	if (job_new(root, &s->job, &why) != 0 || enter_sandbox(s, &why) != 0) {
		job_free(s->job);
		s->job = NULL;
		point_output(s->own_err);
		return refuse(s, &why, err);
	}
	make_lanes(s);
	s->at = attempt_new(s->job, s->kick_fd);
	s->progress_at = 0;
	s->progress_due = false;
	lane_start(s->main_lane, run_on_lane, s);
	return 0;
}

static int end_attempt(struct serve *s, struct err *err)
{
	struct str report;
	uint32_t code;
	int rc;

	lane_wait(s->main_lane);
	rc = descend_kill(err);
	if (rc != 0)
		return rc; /* no report: our exit lets the pool kill what is left */
	str_init(&report, FRAME_REPORT_MAX * 2);
	attempt_report(s->at, &report);
	code = attempt_outcome(s->at);
	attempt_free(s->at);
	job_free(s->job);
	s->at = NULL;
	s->job = NULL;
	point_output(s->own_err);
	rc = answer(s, answer_type(s), code, &report, err);
	str_done(&report);
	return rc;
}

static int run_system(struct serve *s, const struct json *root, int log_fd, struct err *err)
{
	struct str out;
	int rc;

	if (log_fd >= 0)
		point_output(log_fd);
	if (s->process && !s->sandboxed) {
		s->sandboxed = true;
		rc = sandbox_enter_needs(SLU_N_FILES | SLU_N_EXEC | SLU_N_DLOPEN, err);
		if (rc != 0)
			return rc;
	}
	str_init(&out, SYSTEM_REPORT_MAX);
	system_run(root, &out);
	rc = descend_kill(err);
	point_output(s->own_err);
	if (rc == 0)
		rc = answer(s, answer_type(s), OUT_OK, &out, err);
	str_done(&out);
	return rc;
}

/* ---- frames ---- */

static int on_job(
    struct serve *s, const struct frame *head, struct str *payload, int log_fd, struct err *err)
{
	struct json *root = NULL;
	struct err why;
	int rc;

	if (s->at != NULL)
		return err_set(err, ERR_PARSE, "the pool sent a job while one runs");
	s->head = *head;
	s->head.flags = 0;
	rc = json_parse(str_peek(payload), payload->len, FRAME_PAYLOAD_MAX, &root, &why);
	if (payload->s != NULL)
		hash_wipe(payload->s, payload->len); /* it held secrets */
	if (rc != 0)
		return refuse(s, &why, err);
	if (str_eq(json_get_str(root, "kind", "attempt"), "attempt"))
		return begin_attempt(s, root, log_fd, err);
	rc = run_system(s, root, log_fd, err);
	json_free(root);
	return rc;
}

static int dispatch(
    struct serve *s, const struct frame *head, struct str *payload, int log_fd, struct err *err)
{
	switch (head->type) {
	case FRAME_JOB:
	case FRAME_SYSTEM:
		return on_job(s, head, payload, log_fd, err);
	case FRAME_KILL:
		if (s->at != NULL && head->token == s->head.token)
			attempt_cancel(s->at);
		return 0;
	default:
		return 0; /* a newer pool may say more */
	}
}

static int on_readable(struct serve *s, struct err *err)
{
	struct frame head;
	struct str payload;
	int fds[2] = {-1, -1}, n = 0, rc;

	str_init(&payload, FRAME_PAYLOAD_MAX + 1);
	rc = frame_recv(s->sock, &head, &payload, fds, 2, &n, err);
	if (rc == 0)
		rc = dispatch(s, &head, &payload, n > 0 ? fds[0] : -1, err);
	else if (rc == ERR_AGAIN)
		rc = 0;
	io_close(&fds[0]);
	io_close(&fds[1]);
	str_done(&payload);
	return rc;
}

static void on_terminate(struct serve *s)
{
	drain(terminate_fd);
	s->ends = true;
	if (s->at != NULL)
		attempt_cancel(s->at);
}

/* Milliseconds until progress may go, -1: nothing is due. */
static int wait_ms(const struct serve *s)
{
	mono_us left;

	if (!s->progress_due || s->at == NULL)
		return -1;
	left = s->progress_at + PROGRESS_EVERY_US - clock_mono();
	return left <= 0 ? 0 : (int)(left / US_PER_MS) + 1;
}

static int turn(struct serve *s, struct err *err)
{
	struct pollfd p[4] = {{.fd = s->sock, .events = POLLIN},
	    {.fd = s->done_fd, .events = POLLIN}, {.fd = s->kick_fd, .events = POLLIN},
	    {.fd = terminate_fd, .events = POLLIN}};
	int rc = 0;

	if (poll(p, 4, wait_ms(s)) < 0)
		return errno == EINTR ? 0 : err_errno(err, ERR_IO, errno, "poll");
	if (p[2].revents != 0) {
		drain(s->kick_fd);
		s->progress_due = true;
	}
	if (p[1].revents != 0) {
		drain(s->done_fd);
		rc = end_attempt(s, err);
	}
	if (rc == 0 && s->progress_due && s->at != NULL && wait_ms(s) == 0)
		send_progress(s);
	if (p[3].revents != 0)
		on_terminate(s);
	if (rc == 0 && p[0].revents != 0)
		rc = on_readable(s, err);
	return rc;
}

static void end_lane(struct lane *l)
{
	if (l == NULL)
		return;
	lane_start(l, conn_end_lane, NULL);
	lane_free(l);
}

static void serve_done(struct serve *s)
{
	struct err err;

	if (s->at != NULL) { /* the pool is gone: nothing may go on unowned */
		if (s->process)
			_exit(descend_kill(&err) == 0 ? 0 : 1);
		attempt_cancel(s->at);
		lane_wait(s->main_lane);
		attempt_free(s->at);
		job_free(s->job);
	}
	end_lane(s->reader);
	end_lane(s->main_lane);
	(void)!descend_kill(&err);
	io_close(&s->done_fd);
	io_close(&s->kick_fd);
	io_close(&terminate_fd);
	io_close(&s->own_err);
}

int serve(const struct serve_options *o, struct err *err)
{
	struct serve s = {.sock = o->sock, .process = o->process};
	int rc = 0;

	s.done_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	s.kick_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	s.own_err = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 10);
	terminate_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	io_set_cloexec(s.sock, true);
	io_set_nonblock(s.sock, true);
	while (rc == 0 && !(s.ends && s.at == NULL))
		rc = turn(&s, err);
	serve_done(&s);
	return rc == ERR_CLOSED ? 0 : rc;
}
