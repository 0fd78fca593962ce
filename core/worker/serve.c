/* serve.c: frames from the pool, progress and the report back to it. Plugin code runs on lanes
 * only.
 *
 * One attempt: JOB arrives with the log pipe -> descriptors 1 and 2 -> the main lane runs it ->
 * descendants are killed and reaped -> the log pipe is closed here -> OUT. Only then is the worker
 * free for the next JOB.
 *
 * The first JOB comes to the first thread, which enters the sandbox and makes the lanes in it. From
 * then on the main lane reads the socket itself, so that a short attempt wakes no second thread,
 * and the first thread watches: progress at once, KILL and TERM once an attempt has lasted a tick
 * or two. */
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
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/timerfd.h>
#include <unistd.h>

#define PROGRESS_EVERY_US (100 * US_PER_MS)
#define SYSTEM_REPORT_MAX FRAME_PAYLOAD_MAX
#define TICK_US (10 * US_PER_MS)
#define PAYLOAD_KEPT_BYTES (64u << 10)

struct serve {
	int sock, done_fd, kick_fd, tick_fd, own_err;
	struct lane *main_lane, *reader;
	struct job *job;
	struct str payload; /* of the frame being read; kept, a large one is not */
	struct frame head;  /* of the JOB: names it in every answer */
	bool sandboxed;
	bool process; /* this process is a worker and nothing else */
	atomic_bool ends;
	int lane_rc; /* how reading ended on the main lane; done_fd says that it has */
	struct err lane_err;

	/* Between the main lane and the first thread. Whoever reads the socket without `watching`
	 * is the lane; with it the first thread, until the lane takes it back at the end of the
	 * attempt. */
	pthread_mutex_t lock;
	struct attempt *at;  /* runs now, or NULL */
	uint64_t served;     /* attempts begun */
	uint64_t seen;	     /* `served` at the last tick */
	bool watching;	     /* `at` lasts: the first thread reads the socket */
	bool ticking;	     /* tick_fd is armed */
	mono_us progress_at; /* when the last one went */
	bool progress_due;
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
	head.flags = atomic_load(&s->ends) || plugin_is_stale() ? FRAME_LAST : 0;
	head.time_us = clock_mono();
	return send_now(s, &head, payload, err);
}

/* The lock is held, and something runs. */
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

/* Descriptors 1 and 2 are the log, and nothing else of this process is. */
static void enter_log(int *fd)
{
	if (*fd >= 0)
		point_output(*fd);
	io_close(fd);
}

/* ---- attempts ---- */

static void make_lanes(struct serve *s)
{
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

/* From here on the first thread may cancel it. */
static void attempt_show(struct serve *s, struct attempt *at)
{
	static const struct itimerspec tick = {
	    .it_value.tv_nsec = TICK_US * 1000, .it_interval.tv_nsec = TICK_US * 1000};

	pthread_mutex_lock(&s->lock);
	s->at = at;
	s->served++;
	s->progress_at = 0;
	s->progress_due = false;
	if (!s->ticking)
		s->ticking = timerfd_settime(s->tick_fd, 0, &tick, NULL) == 0;
	pthread_mutex_unlock(&s->lock);
}

static struct attempt *attempt_hide(struct serve *s)
{
	struct attempt *at;

	pthread_mutex_lock(&s->lock);
	at = s->at;
	s->at = NULL;
	s->watching = false;
	pthread_mutex_unlock(&s->lock);
	return at;
}

static int run_attempt(struct serve *s, struct err *err)
{
	struct attempt *at = s->at;
	struct str report;
	uint32_t code;
	int rc;

	step_run(at, s->reader);
	at = attempt_hide(s);
	rc = descend_kill(err);
	if (rc != 0 && s->process)
		_exit(1); /* no report: our exit lets the pool kill what is left */
	str_init(&report, FRAME_REPORT_MAX * 2);
	attempt_report(at, &report);
	code = attempt_outcome(at);
	attempt_free(at);
	point_output(s->own_err);
	if (rc == 0)
		rc = answer(s, answer_type(s), code, &report, err);
	str_done(&report);
	job_free(s->job);
	s->job = NULL;
	return rc;
}

static int turn(struct serve *s, struct err *err);

/* On the main lane, from the first attempt to the worker's end. */
static void serve_on_lane(void *arg)
{
	struct serve *s = arg;
	uint64_t one = 1;
	int rc = run_attempt(s, &s->lane_err);

	while (rc == 0 && !atomic_load(&s->ends))
		rc = turn(s, &s->lane_err);
	s->lane_rc = rc;
	(void)!write(s->done_fd, &one, sizeof(one));
}

static int begin_attempt(struct serve *s, struct json *root, int *log_fd, struct err *err)
{
	struct err why;

	enter_log(log_fd);
	if (job_new(root, &s->job, &why) != 0 || enter_sandbox(s, &why) != 0) {
		job_free(s->job);
		s->job = NULL;
		point_output(s->own_err);
		return refuse(s, &why, err);
	}
	attempt_show(s, attempt_new(s->job, s->kick_fd));
	if (s->main_lane != NULL)
		return run_attempt(s, err);
	make_lanes(s);
	lane_start(s->main_lane, serve_on_lane, s);
	return 0;
}

static int run_system(struct serve *s, const struct json *root, int *log_fd, struct err *err)
{
	struct str out;
	int rc;

	enter_log(log_fd);
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

static int on_job(struct serve *s, const struct frame *head, int *log_fd, struct err *err)
{
	struct json *root = NULL;
	struct err why;
	int rc;

	s->head = *head;
	s->head.flags = 0;
	rc = json_parse(str_peek(&s->payload), s->payload.len, FRAME_PAYLOAD_MAX, &root, &why);
	if (s->payload.s != NULL)
		hash_wipe(s->payload.s, s->payload.len); /* it held secrets */
	if (rc != 0)
		return refuse(s, &why, err);
	if (str_eq(json_get_str(root, "kind", "attempt"), "attempt"))
		return begin_attempt(s, root, log_fd, err);
	rc = run_system(s, root, log_fd, err);
	json_free(root);
	return rc;
}

/* KILL names what has ended by now, and a newer pool may say more. */
static bool is_job(const struct frame *head)
{
	return head->type == FRAME_JOB || head->type == FRAME_SYSTEM;
}

static int on_readable(struct serve *s, struct err *err)
{
	struct frame head;
	int fds[2] = {-1, -1}, n = 0, rc;

	str_reset(&s->payload);
	rc = frame_recv(s->sock, &head, &s->payload, fds, 2, &n, err);
	if (rc == 0 && is_job(&head))
		rc = on_job(s, &head, &fds[0], err);
	else if (rc == ERR_AGAIN)
		rc = 0;
	io_close(&fds[0]);
	io_close(&fds[1]);
	if (s->payload.cap > PAYLOAD_KEPT_BYTES)
		str_done(&s->payload);
	return rc;
}

/* Nothing runs: what the pool says is read, and done. */
static int turn(struct serve *s, struct err *err)
{
	struct pollfd p[2] = {
	    {.fd = s->sock, .events = POLLIN}, {.fd = terminate_fd, .events = POLLIN}};

	if (poll(p, 2, -1) < 0)
		return errno == EINTR ? 0 : err_errno(err, ERR_IO, errno, "poll");
	if (p[1].revents != 0)
		atomic_store(&s->ends, true);
	return p[0].revents != 0 ? on_readable(s, err) : 0;
}

/* ---- the first thread, once there is a main lane; the lock is held ---- */

/* Milliseconds until progress may go, -1: nothing is due. */
static int wait_ms(const struct serve *s)
{
	mono_us left;

	if (!s->progress_due || s->at == NULL)
		return -1;
	left = s->progress_at + PROGRESS_EVERY_US - clock_mono();
	return left <= 0 ? 0 : (int)(left / US_PER_MS) + 1;
}

/* Ticks come while attempts do. One that has lasted from tick to tick is watched. */
static void on_tick(struct serve *s)
{
	static const struct itimerspec off;

	drain(s->tick_fd);
	s->watching = s->at != NULL && s->seen == s->served;
	if (s->watching || s->seen == s->served)
		s->ticking = timerfd_settime(s->tick_fd, 0, &off, NULL) != 0;
	s->seen = s->served;
}

/* A KILL for the attempt that runs, or the end of the pool. */
static int watch_socket(struct serve *s, struct err *err)
{
	struct frame head;
	struct str payload;
	int rc;

	str_init(&payload, FRAME_PAYLOAD_MAX + 1);
	rc = frame_recv(s->sock, &head, &payload, NULL, 0, NULL, err);
	str_done(&payload);
	if (rc == ERR_AGAIN)
		return 0;
	if (rc == 0 && is_job(&head))
		rc = err_set(err, ERR_PARSE, "the pool sent a job while one runs");
	if (rc == 0 && head.type == FRAME_KILL && head.token == s->head.token)
		attempt_cancel(s->at);
	return rc;
}

/* The pool is gone: nothing may go on unowned. */
static void abandon(struct serve *s)
{
	struct err err;

	if (s->process)
		_exit(descend_kill(&err) == 0 ? 0 : 1);
	attempt_cancel(s->at);
	s->watching = false;
}

static void watch_turn(struct serve *s, const struct pollfd *p)
{
	struct err err;

	if (p[1].revents != 0) {
		drain(s->kick_fd);
		s->progress_due = true;
	}
	if (p[2].revents != 0)
		on_tick(s);
	if (s->at != NULL && s->progress_due && wait_ms(s) == 0)
		send_progress(s);
	if (s->watching && p[4].revents != 0 && !atomic_exchange(&s->ends, true))
		attempt_cancel(s->at);
	if (s->watching && p[3].revents != 0 && watch_socket(s, &err) != 0)
		abandon(s);
}

/* Until the main lane has ended. */
static int watch(struct serve *s, struct err *err)
{
	struct pollfd p[5] = {{.fd = s->done_fd, .events = POLLIN},
	    {.fd = s->kick_fd, .events = POLLIN}, {.fd = s->tick_fd, .events = POLLIN},
	    {.fd = s->sock, .events = POLLIN}, {.fd = terminate_fd, .events = POLLIN}};
	int ms;

	do {
		pthread_mutex_lock(&s->lock);
		p[3].fd = s->watching ? s->sock : -1;
		p[4].fd = s->watching && !atomic_load(&s->ends) ? terminate_fd : -1;
		ms = wait_ms(s);
		pthread_mutex_unlock(&s->lock);
		if (poll(p, 5, ms) < 0) {
			p[0].revents = 0;
			continue; /* a signal, whose handler has written to terminate_fd */
		}
		pthread_mutex_lock(&s->lock);
		watch_turn(s, p);
		pthread_mutex_unlock(&s->lock);
	} while (p[0].revents == 0);
	lane_wait(s->main_lane);
	*err = s->lane_err;
	return s->lane_rc;
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

	end_lane(s->reader);
	end_lane(s->main_lane);
	(void)!descend_kill(&err);
	io_close(&s->done_fd);
	io_close(&s->kick_fd);
	io_close(&s->tick_fd);
	io_close(&terminate_fd);
	io_close(&s->own_err);
	str_done(&s->payload);
	pthread_mutex_destroy(&s->lock);
}

int serve(const struct serve_options *o, struct err *err)
{
	struct serve s = {.sock = o->sock, .process = o->process};
	int rc = 0;

	s.done_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	s.kick_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	s.tick_fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
	s.own_err = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 10);
	terminate_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	pthread_mutex_init(&s.lock, NULL);
	str_init(&s.payload, FRAME_PAYLOAD_MAX + 1);
	io_set_cloexec(s.sock, true);
	io_set_nonblock(s.sock, true);
	while (rc == 0 && s.main_lane == NULL && !atomic_load(&s.ends))
		rc = turn(&s, err);
	if (rc == 0 && s.main_lane != NULL)
		rc = watch(&s, err);
	serve_done(&s);
	return rc == ERR_CLOSED ? 0 : rc;
}
