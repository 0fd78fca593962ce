/* pool_worker.c: stands in for sluice-worker in the pool's tests: it keeps the contract of
 * core/pool/frame.h and does what the job's text says: one verb and its argument. Verbs: ok, fail,
 * print TEXT, sh COMMAND, hang, deaf (ignores KILL), late-ok (hangs, reports ok when killed), die,
 * eof, nonsense, last, progress N, spew BYTES, stale (answers for another token first), env NAME,
 * id, fds. */
#include "core/base/mem.h"
#include "core/pool/frame.h"

#include <dirent.h>
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

static struct frame job;

static long number(const char *text)
{
	int64_t n;

	return str_to_i64(text, &n) == 0 ? (long)n : -1;
}

static void report(uint32_t code, const char *class_, const char *message, uint16_t flags)
{
	struct frame h = job;
	char text[600];
	int n;

	h.type = job.type == FRAME_SYSTEM ? FRAME_SYSTEM_OUT : FRAME_OUT;
	h.code = code;
	h.flags = flags;
	fflush(stdout);
	dup2(0, 1);
	n = snprintf(text, sizeof(text), "{\"class\":\"%s\",\"message\":\"%s\",\"pid\":%d}", class_,
	    message, (int)getpid());
	if (frame_send(FRAME_WORKER_FD, &h, text, (size_t)n, NULL, 0, NULL) != 0)
		_exit(3);
}

/* True: KILL for this token, or the pool is gone. */
static bool told_to_stop(int wait_ms)
{
	struct pollfd p = {.fd = FRAME_WORKER_FD, .events = POLLIN};
	struct frame h;
	struct str in;
	int rc;

	if (poll(&p, 1, wait_ms) <= 0)
		return false;
	str_init(&in, FRAME_PAYLOAD_MAX);
	rc = frame_recv(FRAME_WORKER_FD, &h, &in, NULL, 0, NULL, NULL);
	str_done(&in);
	if (rc != 0)
		_exit(0);
	return h.type == FRAME_KILL && h.token == job.token;
}

static void kill_descendants(void)
{
	char path[64], text[4096];
	ssize_t n;
	char *at;
	FILE *f;
	long pid;

	for (;;) {
		snprintf(path, sizeof(path), "/proc/self/task/%d/children", (int)getpid());
		f = fopen(path, "re");
		n = f != NULL ? (ssize_t)fread(text, 1, sizeof(text) - 1, f) : 0;
		if (f != NULL)
			fclose(f);
		text[n] = '\0';
		for (at = text; (pid = strtol(at, &at, 10)) > 0;)
			kill((pid_t)pid, SIGKILL);
		if (waitpid(-1, NULL, 0) < 0 && errno == ECHILD)
			return;
	}
}

static void run_shell(const char *command)
{
	bool stopped = false;
	int status = 0;
	pid_t pid = fork();

	if (pid == 0) {
		setpgid(0, 0);
		execl("/bin/sh", "sh", "-c", command, (char *)NULL);
		_exit(127);
	}
	while (waitpid(pid, &status, WNOHANG) == 0) {
		if (told_to_stop(1) && !stopped) {
			stopped = true;
			kill(-pid, SIGTERM);
		}
	}
	kill_descendants();
	if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
		report(OUT_OK, "ok", "", 0);
	else
		report(OUT_FAILED, "data", stopped ? "stopped" : "exit code", 0);
}

static void spew(long bytes)
{
	char line[64];
	long at = 0;
	int n;

	while (at < bytes) {
		n = snprintf(
		    line, sizeof(line), "line at %012ld of the output of an attempt\n", at);
		if (write(1, line, (size_t)n) != n)
			break;
		at += n;
	}
	report(OUT_OK, "ok", "", 0);
}

static void send_progress(long n)
{
	struct frame h = job;
	char text[64];
	long i;
	int k;

	h.type = FRAME_PROGRESS;
	for (i = 1; i <= n; i++) {
		k = snprintf(text, sizeof(text), "{\"done\":%ld}", i);
		if (frame_send(FRAME_WORKER_FD, &h, text, (size_t)k, NULL, 0, NULL) != 0)
			_exit(3);
	}
	while (!told_to_stop(1000))
		;
	report(OUT_OK, "ok", "", 0);
}

static void list_fds(void)
{
	char text[200] = "";
	struct dirent *e;
	DIR *d = opendir("/proc/self/fd");
	size_t n = 0;

	while (d != NULL && (e = readdir(d)) != NULL) {
		if (e->d_name[0] != '.' && number(e->d_name) != dirfd(d))
			n += (size_t)snprintf(text + n, sizeof(text) - n, "%s ", e->d_name);
	}
	if (d != NULL)
		closedir(d);
	report(OUT_OK, "ok", text, 0);
}

static void list_ids(void)
{
	char text[100];
	uid_t r, e, s;
	int sig = 0;

	getresuid(&r, &e, &s);
	prctl(PR_GET_PDEATHSIG, &sig);
	snprintf(text, sizeof(text), "uid %u %u %u gid %u groups %d pdeathsig %d", r, e, s,
	    getgid(), getgroups(0, NULL), sig);
	report(OUT_OK, "ok", text, 0);
}

static void misbehave(const char *verb)
{
	struct frame h = job;
	int i;

	if (strcmp(verb, "die") == 0)
		kill(getpid(), SIGKILL);
	if (strcmp(verb, "report-die") == 0) {
		poll(NULL, 0, 30); /* the test stops the pool meanwhile */
		h.type = FRAME_PROGRESS;
		for (i = 0; i < 150; i++) {
			if (frame_send(FRAME_WORKER_FD, &h, "{}", 2, NULL, 0, NULL) != 0)
				_exit(3);
		}
		report(OUT_OK, "ok", "", 0);
		kill(getpid(), SIGKILL);
	}
	if (strcmp(verb, "eof") == 0) {
		close(FRAME_WORKER_FD);
		for (;;)
			pause();
	}
	if (strcmp(verb, "nonsense") == 0) {
		if (write(FRAME_WORKER_FD, "nonsense", 8) == 8)
			pause();
		_exit(4);
	}
	if (strcmp(verb, "stale") == 0) {
		h.type = FRAME_OUT;
		h.token = job.token + 1;
		if (frame_send(FRAME_WORKER_FD, &h, "{}", 2, NULL, 0, NULL) != 0)
			_exit(3);
		report(OUT_FAILED, "data", "the right one", 0);
		return;
	}
	for (;;) {
		if (told_to_stop(-1) && strcmp(verb, "deaf") != 0)
			break;
	}
	report(strcmp(verb, "late-ok") == 0 ? OUT_OK : OUT_FAILED, "ok", "told to stop", 0);
}

static void work(char *text)
{
	char *arg = strchr(text, ' ');
	const char *env;

	if (arg != NULL)
		*arg++ = '\0';
	else
		arg = text + strlen(text);
	if (strcmp(text, "ok") == 0) {
		report(OUT_OK, "ok", "", 0);
	} else if (strcmp(text, "last") == 0) {
		report(OUT_OK, "ok", "", FRAME_LAST);
		_exit(0);
	} else if (strcmp(text, "fail") == 0) {
		report(OUT_FAILED, "data", arg, 0);
	} else if (strcmp(text, "print") == 0) {
		if (write(1, arg, strlen(arg)) < 0)
			_exit(5);
		report(OUT_OK, "ok", arg, 0);
	} else if (strcmp(text, "env") == 0) {
		env = getenv(arg);
		report(OUT_OK, "ok", env != NULL ? env : "(none)", 0);
	} else if (strcmp(text, "sh") == 0) {
		run_shell(arg);
	} else if (strcmp(text, "spew") == 0) {
		spew(number(arg));
	} else if (strcmp(text, "progress") == 0) {
		send_progress(number(arg));
	} else if (strcmp(text, "id") == 0) {
		list_ids();
	} else if (strcmp(text, "fds") == 0) {
		list_fds();
	} else {
		misbehave(text);
	}
}

int main(int argc, char **argv)
{
	struct str in;
	int fd, n;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	prctl(PR_SET_CHILD_SUBREAPER, 1);
	if (argc < 3 || getppid() != (pid_t)number(argv[2]))
		return 1;
	str_init(&in, FRAME_PAYLOAD_MAX);
	for (;;) {
		str_reset(&in);
		n = 0;
		if (frame_recv(FRAME_WORKER_FD, &job, &in, &fd, 1, &n, NULL) != 0)
			return 0;
		if (job.type != FRAME_JOB && job.type != FRAME_SYSTEM)
			continue;
		if (n != 1)
			return 6;
		dup2(fd, 1);
		close(fd);
		str_addc(&in, '\0');
		work(in.s);
	}
}
