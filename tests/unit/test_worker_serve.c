/* The real sluice-worker behind its socket: this test plays the pool. */
#include "core/base/clock.h"
#include "core/base/io.h"
#include "core/base/mem.h"
#include "core/base/paths.h"
#include "core/pool/frame.h"
#include "tests/unit/leak.h"
#include "tests/unit/worker_rig.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

struct worker {
	pid_t pid;
	int sock;
	struct frame head; /* of the last frame */
	struct str payload;
	int log; /* read end of the running attempt's log */
};

static void worker_start_as(struct worker *w, pid_t pool)
{
	char number[16], program[] = "sluice-worker", a[] = "--pool", b[] = "--state", c[] = "/tmp";
	char *argv[] = {program, a, number, b, c, NULL};
	posix_spawn_file_actions_t actions;
	int pair[2];

	memset(w, 0, sizeof(*w));
	str_init(&w->payload, FRAME_PAYLOAD_MAX);
	w->log = -1;
	snprintf(number, sizeof(number), "%d", (int)pool);
	cr_assert_eq(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair), 0);
	posix_spawn_file_actions_init(&actions);
	posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
	posix_spawn_file_actions_adddup2(
	    &actions, fcntl(pair[1], F_DUPFD_CLOEXEC, 20), FRAME_WORKER_FD);
	cr_assert_eq(posix_spawn(&w->pid, path_of(PATH_WORKER), &actions, NULL, argv, environ), 0);
	posix_spawn_file_actions_destroy(&actions);
	close(pair[1]);
	w->sock = pair[0];
	/* The duplicate above must not keep the worker's end open here. */
	for (int fd = 20; fd < 64; fd++)
		if (fd != w->sock)
			close(fd);
}

static void worker_start(struct worker *w)
{
	worker_start_as(w, getpid());
}

static int worker_end(struct worker *w)
{
	int status = 0;

	close(w->sock);
	if (w->log >= 0)
		close(w->log);
	waitpid(w->pid, &status, 0);
	str_done(&w->payload);
	return status;
}

static void send_job(struct worker *w, const struct rig *r, uint64_t token)
{
	struct frame head = {.type = FRAME_JOB, .run = 5, .step = 1, .item = 2, .token = token};
	struct str text;
	int fds[2];

	if (w->log >= 0)
		close(w->log);
	cr_assert_eq(pipe2(fds, O_CLOEXEC), 0);
	str_init(&text, 1u << 20);
	json_print(r->job, &text);
	cr_assert_eq(frame_send(w->sock, &head, text.s, text.len, &fds[1], 1, NULL), 0);
	close(fds[1]);
	w->log = fds[0];
	str_done(&text);
}

static void send_kill(struct worker *w, uint64_t token)
{
	struct frame head = {.type = FRAME_KILL,
	    .code = OUT_CANCELLED,
	    .run = 5,
	    .step = 1,
	    .item = 2,
	    .token = token};

	cr_assert_eq(frame_send(w->sock, &head, NULL, 0, NULL, 0, NULL), 0);
}

static int receive(struct worker *w)
{
	struct pollfd p = {.fd = w->sock, .events = POLLIN};

	str_reset(&w->payload);
	cr_assert_eq(poll(&p, 1, 20000), 1, "the worker says nothing");
	return frame_recv(w->sock, &w->head, &w->payload, NULL, 0, NULL, NULL);
}

/* The worker has read its job once its output goes to the job's log. */
static void wait_begun(struct worker *w)
{
	char path[64], mine[64] = "", its[64];
	mono_us until = clock_mono() + 20 * US_PER_S;
	ssize_t n;

	snprintf(path, sizeof(path), "/proc/self/fd/%d", w->log);
	cr_assert_gt(readlink(path, mine, sizeof(mine) - 1), 0);
	snprintf(path, sizeof(path), "/proc/%d/fd/1", (int)w->pid);
	do {
		cr_assert_lt(clock_mono(), until, "the worker does not begin");
		poll(NULL, 0, 1);
		n = readlink(path, its, sizeof(its) - 1);
		its[n > 0 ? n : 0] = '\0';
	} while (strcmp(mine, its) != 0);
}

/* Waits for OUT; the report goes to the rig, the log too. */
static void take_out(struct worker *w, struct rig *r)
{
	char buf[4096];
	ssize_t n;

	do {
		cr_assert_eq(receive(w), 0, "the worker died");
	} while (w->head.type == FRAME_PROGRESS);
	cr_assert_eq(w->head.type, FRAME_OUT);
	json_free(r->report);
	r->report = NULL;
	cr_assert_eq(json_parse(w->payload.s, w->payload.len, 1u << 20, &r->report, NULL), 0);
	str_reset(&r->log);
	while ((n = read(w->log, buf, sizeof(buf))) > 0)
		str_addn(&r->log, buf, (size_t)n);
}

static void init(struct rig *r, const char *what, int needs)
{
	char step[1024];

	snprintf(step, sizeof(step),
	    "{'needs_mask':%d,'task':{'plugin':'probe','type':'probe','options':{'do':'%s'}}}",
	    needs, what);
	rig_init(r, step);
}

Test(worker_serve, runs_one_attempt_after_the_other_each_with_its_own_log)
{
	struct worker w;
	struct rig r;
	uint64_t token;

	init(&r, "session", 2);
	worker_start(&w);
	for (token = 1; token <= 3; token++) {
		send_job(&w, &r, token);
		take_out(&w, &r);
		cr_assert_str_eq(rig_class(&r), "ok", "%s", rig_message(&r));
		cr_assert_eq(w.head.code, OUT_OK);
		cr_assert_eq(w.head.token, token);
		cr_assert_eq(w.head.run, 5);
		cr_assert_eq(w.head.step, 1);
		cr_assert_eq(w.head.item, 2);
		/* The connection is opened once and reset after each attempt. */
		cr_assert_eq(rig_logged(&r, "conn open"), token == 1, "%s", str_peek(&r.log));
		cr_assert(rig_logged(&r, "conn reset"));
	}
	cr_assert_eq(worker_end(&w), 0);
	rig_done(&r);
	LEAK_CHECK();
}

/* The first attempt and the later ones are read from the socket by different threads. */
Test(worker_serve, kill_cancels_the_attempt_that_it_names_and_no_other)
{
	struct worker w;
	struct rig r;
	uint64_t token;

	init(&r, "wait", 2);
	worker_start(&w);
	for (token = 9; token < 40; token += 10) {
		send_job(&w, &r, token);
		send_kill(&w, token - 1);
		send_kill(&w, token);
		take_out(&w, &r);
		cr_assert_eq(w.head.token, token);
		cr_assert_str_eq(rig_class(&r), "cancelled");
		cr_assert_eq(w.head.code, OUT_FAILED);
	}
	worker_end(&w);
	rig_done(&r);
	LEAK_CHECK();
}

Test(worker_serve, term_cancels_what_runs_and_ends_behind_its_report)
{
	struct worker w;
	struct rig r;
	int status;

	init(&r, "wait", 2);
	worker_start(&w);
	send_job(&w, &r, 1);
	send_kill(&w, 1);
	take_out(&w, &r); /* it handles signals by now */
	cr_assert_eq(w.head.flags & FRAME_LAST, 0);
	send_job(&w, &r, 2);
	wait_begun(&w);
	kill(w.pid, SIGTERM);
	take_out(&w, &r);
	cr_assert_eq(w.head.token, 2);
	cr_assert_neq(w.head.flags & FRAME_LAST, 0);
	cr_assert_eq(receive(&w), ERR_CLOSED);
	status = worker_end(&w);
	cr_assert(WIFEXITED(status) && WEXITSTATUS(status) == 0);
	rig_done(&r);
	LEAK_CHECK();
}

Test(worker_serve, nothing_goes_on_when_the_pool_is_gone)
{
	struct worker w;
	struct rig r;
	int before;

	for (before = 0; before < 2; before++) {
		init(&r, "wait", 2);
		worker_start(&w);
		if (before > 0) {
			send_job(&w, &r, 1);
			send_kill(&w, 1);
			take_out(&w, &r);
		}
		send_job(&w, &r, 2);
		worker_end(&w); /* hangs up, then waits for its exit */
		rig_done(&r);
	}
	LEAK_CHECK();
}

Test(worker_serve, reports_only_after_its_descendants_are_dead)
{
	struct worker w;
	struct rig r;
	char path[64], line[32] = "";
	FILE *f;

	init(&r, "children", SLU_N_EXEC | SLU_N_FILES);
	worker_start(&w);
	send_job(&w, &r, 1);
	take_out(&w, &r);
	cr_assert_str_eq(rig_class(&r), "ok", "%s", rig_message(&r));
	snprintf(path, sizeof(path), "/proc/%d/task/%d/children", (int)w.pid, (int)w.pid);
	f = fopen(path, "r");
	if (f != NULL) {
		cr_assert_null(fgets(line, sizeof(line), f), "left: %s", line);
		fclose(f);
	}
	worker_end(&w);
	rig_done(&r);
	LEAK_CHECK();
}

Test(worker_serve, dies_with_the_attempt_when_a_plugin_crashes)
{
	struct worker w;
	struct rig r;

	init(&r, "crash", 2);
	worker_start(&w);
	send_job(&w, &r, 1);
	cr_assert_eq(receive(&w), ERR_CLOSED);
	cr_assert_neq(worker_end(&w), 0);
	rig_done(&r);
	LEAK_CHECK();
}

Test(worker_serve, a_job_that_is_none_is_answered)
{
	struct frame head = {.type = FRAME_JOB, .token = 3};
	struct worker w;
	struct rig r;
	int fds[2];

	init(&r, "session", 2);
	worker_start(&w);
	cr_assert_eq(pipe2(fds, O_CLOEXEC), 0);
	cr_assert_eq(frame_send(w.sock, &head, "{\"v\":1}", 7, &fds[1], 1, NULL), 0);
	close(fds[1]);
	w.log = fds[0];
	take_out(&w, &r);
	cr_assert_str_eq(rig_class(&r), "internal");
	send_job(&w, &r, 4);
	take_out(&w, &r);
	cr_assert_str_eq(rig_class(&r), "ok");
	worker_end(&w);
	rig_done(&r);
	LEAK_CHECK();
}

Test(worker_serve, term_ends_an_idle_worker_and_a_foreign_parent_lets_none_begin)
{
	struct worker w;
	struct rig r;
	int status;

	init(&r, "session", 2);
	worker_start(&w);
	send_job(&w, &r, 1);
	take_out(&w, &r);
	kill(w.pid, SIGTERM);
	cr_assert_eq(receive(&w), ERR_CLOSED);
	status = worker_end(&w);
	cr_assert(WIFEXITED(status) && WEXITSTATUS(status) == 0);
	worker_start_as(&w, 1);
	cr_assert_eq(receive(&w), ERR_CLOSED, "its parent is not the pool that it was told");
	worker_end(&w);
	rig_done(&r);
	LEAK_CHECK();
}

/* ---- sandbox ---- */

static int tried(const struct rig *r, const char *what)
{
	return (int)json_get_i64(json_get(r->report, "outputs"), what, -1);
}

static void try_with(struct rig *r, int needs)
{
	struct worker w;
	char step[1024];

	rig_init(r, "{}");
	snprintf(step, sizeof(step),
	    "{'needs_mask':%d,'task':{'plugin':'probe','type':'probe','options':{'do':'try','path':"
	    "'%s/x'}}}",
	    needs, r->dir);
	rig_set(r, "step_plan", step);
	/* The folder is nobody's connection here: writing there needs a right that the profile does
	 * not give. */
	rig_set(r, "connections", "{}");
	worker_start(&w);
	send_job(&w, r, 1);
	take_out(&w, r);
	cr_assert_str_eq(rig_class(r), "ok", "%s", rig_message(r));
	worker_end(&w);
}

Test(worker_sandbox, a_plugin_that_needs_nothing_gets_its_scratch_folder_only)
{
	struct rig r;

	try_with(&r, 0);
	cr_assert_eq(tried(&r, "fork"), EPERM);
	cr_assert_eq(tried(&r, "inet"), EPERM);
	cr_assert_eq(tried(&r, "ptrace"), EPERM);
	cr_assert_eq(tried(&r, "scratch"), 0);
	if (!rig_logged(&r, "no Landlock"))
		cr_assert_eq(tried(&r, "write"), EACCES);
	rig_done(&r);
	LEAK_CHECK();
}

Test(worker_sandbox, net_opens_sockets_and_exec_starts_commands)
{
	struct rig r;

	try_with(&r, SLU_N_NET);
	cr_assert_eq(tried(&r, "inet"), 0);
	cr_assert_eq(tried(&r, "fork"), EPERM);
	rig_done(&r);
	try_with(&r, SLU_N_EXEC);
	cr_assert_eq(tried(&r, "fork"), 0);
	cr_assert_eq(tried(&r, "write"), 0, "commands get no Landlock");
	cr_assert_eq(tried(&r, "ptrace"), EPERM);
	rig_done(&r);
	LEAK_CHECK();
}
