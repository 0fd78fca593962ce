/* sandbox.c: the profile of a worker: rlimits, no_new_privs, Landlock, seccomp, in this order. */
#include "core/worker/sandbox.h"

#include "core/base/io.h"
#include "core/base/mem.h"
#include "core/base/paths.h"
#include "core/base/str.h"
#include "core/worker/job.h"

#include <sluice/plugin.h>

#include <errno.h>
#include <fcntl.h>
#include <linux/landlock.h>
#include <sched.h>
#include <seccomp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#define NOFILE_LIMIT 4096

#define FS_READ (LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_READ_DIR)
#define FS_EXEC LANDLOCK_ACCESS_FS_EXECUTE
#define FS_WRITE                                                                                   \
	(LANDLOCK_ACCESS_FS_WRITE_FILE | LANDLOCK_ACCESS_FS_REMOVE_DIR |                           \
	    LANDLOCK_ACCESS_FS_REMOVE_FILE | LANDLOCK_ACCESS_FS_MAKE_DIR |                         \
	    LANDLOCK_ACCESS_FS_MAKE_REG | LANDLOCK_ACCESS_FS_MAKE_SYM |                            \
	    LANDLOCK_ACCESS_FS_MAKE_SOCK | LANDLOCK_ACCESS_FS_MAKE_FIFO)
#define FS_REFER (1ULL << 13)	 /* ABI 2 */
#define FS_TRUNCATE (1ULL << 14) /* ABI 3 */
#define FS_FILE_RIGHTS                                                                             \
	(FS_EXEC | LANDLOCK_ACCESS_FS_WRITE_FILE | LANDLOCK_ACCESS_FS_READ_FILE | FS_TRUNCATE)

/* ---- at start ---- */

static void drop_environment(void)
{
	static const char *const gone[] = {"LD_PRELOAD", "LD_LIBRARY_PATH", "LD_AUDIT", "LD_DEBUG",
	    "CREDENTIALS_DIRECTORY", "NOTIFY_SOCKET", "LISTEN_FDS", "LISTEN_PID", "LISTEN_FDNAMES",
	    "WATCHDOG_USEC", "WATCHDOG_PID", "SLUICE_TOKEN", "SLUICE_TOKEN_FILE", "INVOCATION_ID",
	    "JOURNAL_STREAM"};
	size_t i;

	for (i = 0; i < sizeof(gone) / sizeof(gone[0]); i++)
		(void)unsetenv(gone[i]);
}

static void write_text(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);

	if (fd < 0)
		return;
	(void)!write(fd, text, strlen(text));
	close(fd);
}

void sandbox_start(void)
{
	struct rlimit none = {0, 0};

	(void)setrlimit(RLIMIT_CORE, &none);
	(void)prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
	drop_environment();
	/* Where memory runs out, the worker goes before daemon and pool. */
	write_text("/proc/self/oom_score_adj", "500");
	(void)umask(077);
}

/* ---- Landlock ---- */

struct landlock {
	int fd;
	uint64_t handled;
};

int sandbox_landlock_abi(void)
{
	long v = syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION);

	return v < 0 ? 0 : (int)v;
}

static void allow(const struct landlock *l, const char *path, uint64_t rights)
{
	struct landlock_path_beneath_attr rule = {.allowed_access = rights & l->handled};
	struct stat st;

	rule.parent_fd = open(path, O_PATH | O_CLOEXEC);
	if (rule.parent_fd < 0)
		return; /* what is not there needs no right */
	if (fstat(rule.parent_fd, &st) == 0 && !S_ISDIR(st.st_mode))
		rule.allowed_access &= FS_FILE_RIGHTS;
	(void)syscall(SYS_landlock_add_rule, l->fd, LANDLOCK_RULE_PATH_BENEATH, &rule, 0);
	close(rule.parent_fd);
}

/* The folder where something at path may come to be: itself when it is a folder, else the nearest
 * one above that exists. */
static void allow_place(const struct landlock *l, const char *path)
{
	char *place = mem_strdup(path), *slash;
	struct stat st;

	while (stat(place, &st) != 0 || !S_ISDIR(st.st_mode)) {
		slash = strrchr(place, '/');
		if (slash == NULL || slash == place)
			break;
		*slash = '\0';
	}
	if (strchr(place + 1, '/') != NULL || strcmp(place, path) == 0)
		allow(l, place, FS_READ | FS_WRITE | FS_TRUNCATE | FS_REFER);
	mem_free(place);
}

/* Attempts' own folders lie below a common one, made here so that a rule can name it. */
static void allow_common(const struct landlock *l, const char *path, const char *common)
{
	const char *hit = strstr(path, common);
	char *top;
	struct err err;

	if (hit == NULL)
		return;
	top = mem_strndup(path, (size_t)(hit - path) + strlen(common) - 1);
	if (io_mkdirs(top, 0700, &err) == 0)
		allow(l, top, FS_READ | FS_WRITE | FS_TRUNCATE | FS_REFER);
	mem_free(top);
}

static void allow_system(const struct landlock *l)
{
	static const char *const readable[] = {"/usr", "/lib", "/lib64", "/lib32", "/bin", "/etc",
	    "/opt", "/proc", "/sys/devices/system/cpu", "/dev/urandom", "/dev/random", "/dev/zero",
	    "/var/lib/ca-certificates", "/run/systemd/resolve", "/run/postgresql", "/run/mysqld"};
	size_t i;

	for (i = 0; i < sizeof(readable) / sizeof(readable[0]); i++)
		allow(l, readable[i], FS_READ | FS_EXEC);
	allow(l, "/dev/null", FS_READ | FS_WRITE | FS_TRUNCATE);
	allow(l, path_of(PATH_PLUGINS), FS_READ | FS_EXEC);
}

/* Texts in a connection that are paths: the compiler has made them absolute. */
static void allow_paths_in(const struct landlock *l, const struct json *node)
{
	const struct json *m;

	if (json_is(node, JSON_STRING)) {
		if (json_str(node, "")[0] == '/' && json_str(node, "")[1] != '\0')
			allow_place(l, json_str(node, ""));
		return;
	}
	for (m = json_first(node); m != NULL; m = json_next(m))
		allow_paths_in(l, m);
}

static void allow_job(const struct landlock *l, const struct job *j)
{
	const struct json *m;

	for (m = json_first(j->plugin_dirs); m != NULL; m = json_next(m))
		allow(l, json_str(m, ""), FS_READ | FS_EXEC);
	allow_common(l, j->scratch_dir, "/scratch/");
	allow_common(l, j->reject_file, "/rejects/");
	if (!(j->needs & SLU_N_FILES))
		return;
	allow(l, "/", FS_READ | FS_EXEC);
	allow(l, "/tmp", FS_READ | FS_WRITE | FS_TRUNCATE | FS_REFER);
	for (m = json_first(j->connections); m != NULL; m = json_next(m))
		allow_paths_in(l, m);
}

static int restrict_files(const struct job *j, uint32_t needs)
{
	struct landlock_ruleset_attr attr = {0};
	struct landlock l;
	int abi = sandbox_landlock_abi(), rc;

	if (abi == 0)
		return ENOSYS;
	l.handled =
	    FS_READ | FS_EXEC | FS_WRITE | (abi >= 2 ? FS_REFER : 0) | (abi >= 3 ? FS_TRUNCATE : 0);
	attr.handled_access_fs = l.handled;
	l.fd = (int)syscall(SYS_landlock_create_ruleset, &attr, sizeof(attr.handled_access_fs), 0);
	if (l.fd < 0)
		return errno;
	allow_system(&l);
	if (j != NULL)
		allow_job(&l, j);
	else if (needs & SLU_N_FILES)
		allow(&l, "/", FS_READ | FS_EXEC);
	rc = syscall(SYS_landlock_restrict_self, l.fd, 0) != 0 ? errno : 0;
	close(l.fd);
	return rc;
}

/* ---- seccomp ---- */

static const int never[] = {SCMP_SYS(ptrace), SCMP_SYS(process_vm_readv),
    SCMP_SYS(process_vm_writev), SCMP_SYS(bpf), SCMP_SYS(keyctl), SCMP_SYS(add_key),
    SCMP_SYS(request_key), SCMP_SYS(mount), SCMP_SYS(umount2), SCMP_SYS(pivot_root),
    SCMP_SYS(move_mount), SCMP_SYS(open_tree), SCMP_SYS(fsopen), SCMP_SYS(fsmount),
    SCMP_SYS(fsconfig), SCMP_SYS(fspick), SCMP_SYS(userfaultfd), SCMP_SYS(io_uring_setup),
    SCMP_SYS(io_uring_enter), SCMP_SYS(io_uring_register), SCMP_SYS(kexec_load),
    SCMP_SYS(kexec_file_load), SCMP_SYS(init_module), SCMP_SYS(finit_module),
    SCMP_SYS(delete_module), SCMP_SYS(reboot), SCMP_SYS(swapon), SCMP_SYS(swapoff), SCMP_SYS(acct),
    SCMP_SYS(quotactl), SCMP_SYS(settimeofday), SCMP_SYS(clock_settime), SCMP_SYS(adjtimex),
    SCMP_SYS(clock_adjtime), SCMP_SYS(perf_event_open), SCMP_SYS(open_by_handle_at),
    SCMP_SYS(name_to_handle_at), SCMP_SYS(setns), SCMP_SYS(unshare), SCMP_SYS(personality),
    SCMP_SYS(iopl), SCMP_SYS(ioperm), SCMP_SYS(lookup_dcookie), SCMP_SYS(vhangup), SCMP_SYS(chroot),
    SCMP_SYS(pidfd_getfd), SCMP_SYS(kcmp), SCMP_SYS(mknod), SCMP_SYS(mknodat)};

static int deny(scmp_filter_ctx ctx, int nr, uint32_t action)
{
	int rc = seccomp_rule_add(ctx, action, nr, 0);

	return rc == -EDOM ? 0 : rc; /* not of this machine */
}

static int deny_processes(scmp_filter_ctx ctx)
{
	int rc;

	rc = deny(ctx, SCMP_SYS(execve), SCMP_ACT_ERRNO(EPERM));
	if (rc == 0)
		rc = deny(ctx, SCMP_SYS(execveat), SCMP_ACT_ERRNO(EPERM));
	if (rc == 0)
		rc = deny(ctx, SCMP_SYS(fork), SCMP_ACT_ERRNO(EPERM));
	if (rc == 0)
		rc = deny(ctx, SCMP_SYS(vfork), SCMP_ACT_ERRNO(EPERM));
	/* A filter cannot look behind clone3's pointer: without it the C library takes clone, which
	 * shows its flags. */
	if (rc == 0)
		rc = deny(ctx, SCMP_SYS(clone3), SCMP_ACT_ERRNO(ENOSYS));
	if (rc == 0)
		rc = seccomp_rule_add(ctx, SCMP_ACT_ERRNO(EPERM), SCMP_SYS(clone), 1,
		    SCMP_A0(SCMP_CMP_MASKED_EQ, CLONE_THREAD, 0));
	return rc;
}

static int deny_network(scmp_filter_ctx ctx)
{
	int rc = seccomp_rule_add(
	    ctx, SCMP_ACT_ERRNO(EPERM), SCMP_SYS(socket), 1, SCMP_A0(SCMP_CMP_EQ, AF_INET));

	if (rc == 0)
		rc = seccomp_rule_add(ctx, SCMP_ACT_ERRNO(EPERM), SCMP_SYS(socket), 1,
		    SCMP_A0(SCMP_CMP_EQ, AF_INET6));
	return rc;
}

static int filter_calls(uint32_t needs)
{
	scmp_filter_ctx ctx = seccomp_init(SCMP_ACT_ALLOW);
	size_t i;
	int rc = ctx != NULL ? 0 : -ENOMEM;

	for (i = 0; rc == 0 && i < sizeof(never) / sizeof(never[0]); i++)
		if (never[i] >=
		    0) /* negative: libseccomp knows the name, this machine has no such call */
			rc = deny(ctx, never[i], SCMP_ACT_ERRNO(EPERM));
	/* Keyboard input injection into the caller's terminal. */
	if (rc == 0)
		rc = seccomp_rule_add(ctx, SCMP_ACT_ERRNO(EPERM), SCMP_SYS(ioctl), 1,
		    SCMP_A1(SCMP_CMP_MASKED_EQ, 0xffffffffu, 0x5412 /* TIOCSTI */));
	if (rc == 0 && !(needs & SLU_N_EXEC))
		rc = deny_processes(ctx);
	if (rc == 0 && !(needs & (SLU_N_NET | SLU_N_EXEC)))
		rc = deny_network(ctx);
	if (rc == 0)
		rc = seccomp_load(ctx);
	if (ctx != NULL)
		seccomp_release(ctx);
	return -rc;
}

/* ---- entering ---- */

static void limit(int what, rlim_t n)
{
	struct rlimit r;

	if (getrlimit(what, &r) != 0)
		return;
	if (r.rlim_max != RLIM_INFINITY && n > r.rlim_max)
		n = r.rlim_max;
	r.rlim_cur = n;
	(void)setrlimit(what, &r);
}

static void warn(const char *part, int e)
{
	fprintf(stderr,
	    "sandbox: no %s here (%s): this worker runs without it; `sluice doctor` says more\n",
	    part, strerror(e));
}

static int enter(const struct job *j, uint32_t needs, struct err *err)
{
	int e;

	limit(RLIMIT_NOFILE, NOFILE_LIMIT);
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0)
		return err_errno(err, ERR_INTERNAL, errno, "sandbox: no_new_privs");
	/* Commands may do what the user may: a shell that cannot see the disk is of no use. */
	if (!(needs & SLU_N_EXEC)) {
		e = restrict_files(j, needs);
		if (e != 0)
			warn("Landlock", e);
	}
	e = filter_calls(needs);
	if (e != 0)
		warn("seccomp", e);
	return 0;
}

int sandbox_enter(const struct job *job, struct err *err)
{
	if (job->keep_privileges)
		return 0;
	return enter(job, job->needs, err);
}

int sandbox_enter_needs(uint32_t needs, struct err *err)
{
	return enter(NULL, needs, err);
}
