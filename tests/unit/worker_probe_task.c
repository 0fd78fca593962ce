/* worker_probe_task.c: the probe's tasks: they ask the host for everything, and the kernel for what
 * it forbids. */
#include "tests/unit/worker_probe.h"

#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

static void *volatile kept; /* of what leaks: the last */

/* ---- task: asks the host for everything ---- */

struct task {
	const slu_host *host;
	slu_run *run;
};

static slu_rc task_open(const slu_host *host, slu_run *run, void *conn, void **out, slu_err *err)
{
	struct task *t = calloc(1, sizeof(*t));

	(void)conn;
	(void)err;
	t->host = host;
	t->run = run;
	*out = t;
	return SLU_OK;
}

static void put_i64(struct task *t, const char *key, const char *path)
{
	char text[32];
	int64_t v = 0;
	slu_rc rc = t->host->get_i64(t->run, path, &v);

	snprintf(text, sizeof(text), "%" PRId64, rc == SLU_OK ? v : -(int64_t)rc);
	t->host->output(t->run, key, text);
}

static void put_secret(struct task *t)
{
	char buf[64], text[96];
	size_t n = sizeof(buf);

	if (t->host->get_secret(t->run, "password", buf, &n) != SLU_OK)
		return;
	snprintf(text, sizeof(text), "{\"bytes\":%zu,\"value\":\"%.*s\"}", n, (int)n, buf);
	t->host->output(t->run, "secret", text);
}

static slu_rc use_session(struct task *t, slu_err *err)
{
	const slu_warehouse *wh;
	void *session;
	int64_t rows;
	slu_rc rc = t->host->session(t->run, "store", &wh, &session, err);

	return rc == SLU_OK ? wh->exec(session, "select 1", &rows, err) : rc;
}

static slu_rc make_children(struct task *t)
{
	pid_t pid = fork();

	(void)t;
	if (pid == 0) {
		setsid();
		if (fork() == 0)
			pause();
		_exit(0);
	}
	return SLU_OK;
}

static void put_errno(struct task *t, const char *key, int failed)
{
	char text[16];

	snprintf(text, sizeof(text), "%d", failed ? errno : 0);
	t->host->output(t->run, key, text);
}

/* What the sandbox lets through, as errno values. */
static slu_rc try_all(struct task *t)
{
	const char *path = t->host->get_str(t->run, "path");
	char scratch[512];
	FILE *f;
	int fd;
	pid_t pid = fork();

	if (pid == 0)
		_exit(0);
	put_errno(t, "fork", pid < 0);
	fd = socket(AF_INET, SOCK_STREAM, 0);
	put_errno(t, "inet", fd < 0);
	close(fd);
	put_errno(t, "ptrace", syscall(SYS_ptrace, 0, 0, 0, 0) < 0);
	f = fopen(path, "w");
	put_errno(t, "write", f == NULL);
	if (f != NULL)
		fclose(f);
	f = fopen("/etc/shadow", "r");
	put_errno(t, "shadow", f == NULL);
	if (f != NULL)
		fclose(f);
	if (t->host->scratch_dir(t->run, scratch, sizeof(scratch) - 8) != SLU_OK)
		return SLU_E_INTERNAL;
	memcpy(scratch + strlen(scratch), "/file", 6);
	f = fopen(scratch, "w");
	put_errno(t, "scratch", f == NULL);
	if (f != NULL)
		fclose(f);
	return SLU_OK;
}

static void *leak(void)
{
	size_t n = 40u << 20;
	char *p = malloc(n);

	if (p != NULL)
		memset(p, 1, n);
	kept = p;
	return p;
}

static void flood(struct task *t)
{
	int i;

	for (i = 0; i < 200000; i++)
		t->host->log(t->run, SLU_LOG_INFO, "", "one more line that nobody will read", 34);
	t->host->log(t->run, SLU_LOG_INFO, "", "the last line", 13);
}

static slu_rc task_run_all(void *st, slu_err *err)
{
	struct task *t = st;
	const char *what = t->host->get_str(t->run, "do");
	slu_mark mark = {.size = sizeof(mark), .flags = SLU_MARK_COMPLETE, .complete_us = 5};

	if (probe_is(what, "session"))
		return use_session(t, err);
	if (probe_is(what, "children"))
		return make_children(t);
	if (probe_is(what, "try"))
		return try_all(t);
	if (probe_is(what, "wait"))
		return t->host->sleep_ms(t->run, 30000);
	if (probe_is(what, "rate"))
		return t->host->rate(t->run, "store", 30) == SLU_OK
			   ? t->host->rate(t->run, "store", 5)
			   : SLU_E_INTERNAL;
	if (probe_is(what, "dataset"))
		return t->host->dataset(t->run, "store/x", "day=2026-11-21", &mark, 3);
	if (probe_is(what, "crash"))
		raise(SIGSEGV);
	if (probe_is(what, "leak") && leak() == NULL)
		return probe_fail(err, SLU_E_TRANSIENT, "PROBE.MEMORY", "out of memory");
	if (probe_is(what, "flood"))
		flood(t);
	put_i64(t, "ms", "timeout");
	put_i64(t, "bytes", "size");
	put_i64(t, "deep", "nested.list.1");
	put_i64(t, "default", "with_default");
	put_i64(t, "none", "nothing");
	put_secret(t);
	t->host->progress(t->run, 3, 10, "things");
	return SLU_OK;
}

static void task_close(void *st)
{
	free(st);
}

static const slu_opt task_options[] = {{.name = "do", .type = SLU_T_STRING, .doc = "What."},
    {.name = "timeout", .type = SLU_T_DURATION, .doc = "A duration."},
    {.name = "size", .type = SLU_T_BYTES, .doc = "A size."},
    {.name = "nested", .type = SLU_T_MAP, .doc = "Deep."},
    {.name = "with_default", .type = SLU_T_INT, .def = "42", .doc = "A default."},
    {.name = "path", .type = SLU_T_URI, .doc = "A file."},
    {.name = "password", .type = SLU_T_SECRET, .doc = "A secret."}};
const slu_task probe_task = {.size = sizeof(slu_task),
    .options = {7, sizeof(slu_opt), task_options},
    .open = task_open,
    .run = task_run_all,
    .close = task_close};

/* ---- a task that works elsewhere ---- */

/* option `do`: how the work elsewhere stands; without it, the first poll finds it ended */
static slu_rc remote_submit(void *st, char *handle, size_t cap, slu_poll *p, slu_err *err)
{
	struct task *t = st;
	const char *what = t->host->get_str(t->run, "do");

	if (probe_is(what, "unreachable"))
		return probe_fail(err, SLU_E_TRANSIENT, "X", "nobody there");
	if (!probe_is(what, "no-handle"))
		snprintf(handle, cap, "job-%s", t->host->attempt(t->run)->ledger_key);
	p->next_poll_ms = 7;
	return SLU_OK;
}

static slu_rc remote_poll(void *st, const char *handle, slu_poll *p, slu_err *err)
{
	struct task *t = st;
	const char *what = t->host->get_str(t->run, "do");

	probe_say(t->host, t->run, handle);
	if (probe_is(what, "unreachable"))
		return probe_fail(err, SLU_E_TRANSIENT, "X", "nobody there");
	if (probe_is(what, "gone"))
		return probe_fail(err, SLU_E_NOT_FOUND, "X", "no such job");
	p->state = SLU_POLL_DONE;
	if (probe_is(what, "runs"))
		p->state = SLU_POLL_RUNNING;
	if (probe_is(what, "fails")) {
		p->state = SLU_POLL_FAILED;
		probe_fail(err, SLU_E_DATA, "EXIT", "exit 3");
	}
	p->next_poll_ms = 9;
	return SLU_OK;
}

static slu_rc remote_cancel(void *st, const char *handle, slu_err *err)
{
	struct task *t = st;

	(void)handle;
	probe_say(t->host, t->run, "cancel_remote");
	return probe_fail(err, SLU_E_TRANSIENT, "X", "not now");
}

const slu_task probe_remote = {.size = sizeof(slu_task),
    .options = {7, sizeof(slu_opt), task_options},
    .open = task_open,
    .submit = remote_submit,
    .poll = remote_poll,
    .cancel_remote = remote_cancel,
    .close = task_close};
