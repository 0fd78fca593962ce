/* spawn.c: vfork and exec. posix_spawn would do but for the change of user, which must be in the
 * child alone: glibc's setuid changes every thread, so between vfork and exec raw system calls are
 * used, and nothing that writes to shared memory but the error number. Owner: pool, main thread. */
#include "core/pool/spawn.h"

#include "core/base/str.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <pwd.h>
#include <signal.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define FD_HIGH 16 /* above the targets, so that dup2 never overwrites a source */

int run_as_find(const char *user, struct run_as *ret, struct err *err)
{
	struct run_as as = {.set = true};
	struct passwd pw, *found = NULL;
	char buf[4096];
	int n = SPAWN_GROUPS_MAX;

	if (getpwnam_r(user, &pw, buf, sizeof(buf), &found) != 0 || found == NULL)
		return err_set(err, ERR_CONFIG, "--run-user: there is no user \"%s\"", user);
	if (pw.pw_uid == 0)
		return err_set(
		    err, ERR_CONFIG, "--run-user: \"%s\" is root: name an unprivileged user", user);
	as.uid = pw.pw_uid;
	as.gid = pw.pw_gid;
	if (getgrouplist(user, pw.pw_gid, as.groups, &n) < 0)
		return err_set(err, ERR_LIMIT, "--run-user: \"%s\" is in more than %d groups", user,
		    SPAWN_GROUPS_MAX);
	as.n_groups = (size_t)n;
	*ret = as;
	return 0;
}

int run_as_owner(uid_t uid, gid_t gid, struct run_as *ret, struct err *err)
{
	struct run_as as = {.set = true, .uid = uid, .gid = gid, .groups = {gid}, .n_groups = 1};
	struct passwd pw, *found = NULL;
	int n = SPAWN_GROUPS_MAX;
	char buf[4096];

	if (getpwuid_r(uid, &pw, buf, sizeof(buf), &found) == 0 && found != NULL) {
		as.gid = pw.pw_gid;
		if (getgrouplist(pw.pw_name, pw.pw_gid, as.groups, &n) < 0)
			return err_set(err, ERR_LIMIT,
			    "--supervise: \"%s\" is in more than %d groups", pw.pw_name,
			    SPAWN_GROUPS_MAX);
		as.n_groups = (size_t)n;
	}
	*ret = as;
	return 0;
}

/* In the child, in the parent's memory. */
static int change_user(const struct run_as *as)
{
	if (syscall(SYS_setgroups, as->n_groups, as->groups) != 0 ||
	    syscall(SYS_setresgid, as->gid, as->gid, as->gid) != 0 ||
	    syscall(SYS_setresuid, as->uid, as->uid, as->uid) != 0)
		return -1;
	return 0;
}

static int arrange_fds(const struct spawn *s)
{
	int i, last = 2;

	for (i = 0; i < 2; i++) {
		if (s->fds[i] < 0)
			continue;
		if (dup2(s->fds[i], 3 + i) < 0)
			return -1;
		last = 3 + i;
	}
	syscall(SYS_close_range, (unsigned)last + 1, ~0u, 0);
	return 0;
}

static int set_limits(const struct spawn *s)
{
	struct rlimit none = {0, 0};

	if (s->no_core && setrlimit(RLIMIT_CORE, &none) != 0)
		return -1;
	if (s->nofile.rlim_cur != 0 && setrlimit(RLIMIT_NOFILE, &s->nofile) != 0)
		return -1;
	return 0;
}

static void reset_signals(void)
{
	struct sigaction act = {.sa_handler = SIG_DFL};
	sigset_t none;

	sigaction(SIGPIPE, &act, NULL);
	sigaction(SIGHUP, &act, NULL);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
}

/* Between vfork and exec; *failed is the parent's. */
static _Noreturn void become(const struct spawn *s, volatile int *failed)
{
	if (arrange_fds(s) != 0 || set_limits(s) != 0 ||
	    (s->as != NULL && s->as->set && change_user(s->as) != 0)) {
		*failed = errno;
		_exit(127);
	}
	reset_signals();
	execve(s->path, s->argv, s->env);
	*failed = errno;
	_exit(127);
}

static pid_t fork_and_exec(const struct spawn *s, volatile int *failed)
{
	pid_t pid = vfork();

	if (pid == 0)
		become(s, failed);
	return pid;
}

int spawn_child(const struct spawn *s, pid_t *ret_pid, struct err *err)
{
	volatile int failed = 0;
	struct spawn copy = *s;
	pid_t pid;
	int i;

	for (i = 0; i < 2; i++) {
		if (s->fds[i] >= 0 && s->fds[i] < FD_HIGH)
			copy.fds[i] = fcntl(s->fds[i], F_DUPFD_CLOEXEC, FD_HIGH);
	}
	pid = fork_and_exec(&copy, &failed);
	if (pid < 0)
		failed = errno;
	for (i = 0; i < 2; i++) {
		if (copy.fds[i] != s->fds[i])
			close(copy.fds[i]);
	}
	if (failed == 0) {
		*ret_pid = pid;
		return 0;
	}
	while (pid > 0 && waitpid(pid, NULL, 0) < 0 && errno == EINTR)
		;
	return err_errno(err, ERR_IO, failed, "cannot start %s", s->path);
}
