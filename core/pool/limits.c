/* limits.c: see limits.h. Owner: pool, at start. */
#include "core/pool/limits.h"

#include "core/base/mem.h"
#include "core/base/str.h"
#include "core/base/vec.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#define NOFILE_WANTED 65536u
#define NOFILE_WORKER 1024u /* a worker gets at least this where the hard limit allows */

void limits_set(struct rlimit *ret_worker)
{
	struct rlimit now, none = {0, 0};

	memset(ret_worker, 0, sizeof(*ret_worker));
	if (getrlimit(RLIMIT_NOFILE, &now) == 0) {
		*ret_worker = now;
		if (ret_worker->rlim_cur < NOFILE_WORKER)
			ret_worker->rlim_cur =
			    now.rlim_max < NOFILE_WORKER ? now.rlim_max : NOFILE_WORKER;
		if (now.rlim_cur < NOFILE_WANTED) {
			now.rlim_cur = now.rlim_max < NOFILE_WANTED ? now.rlim_max : NOFILE_WANTED;
			setrlimit(RLIMIT_NOFILE, &now);
		}
	}
	setrlimit(RLIMIT_CORE, &none);
}

static bool is_allowed(const char *entry)
{
	static const char *const names[] = {"PATH=", "HOME=", "USER=", "LOGNAME=", "SHELL=",
	    "LANG=", "TZ=", "TMPDIR=", "SSL_CERT_FILE=", "SSL_CERT_DIR=", "SLUICE_BUILD_DIR=",
	    "SLUICE_SRC_DIR=", "ASAN_OPTIONS=", "LSAN_OPTIONS=", "UBSAN_OPTIONS=", "TSAN_OPTIONS="};
	/* LC_…: locale; SLUICE_FAULT…: named crash points of test builds */
	static const char *const prefixes[] = {"LC_", "SLUICE_FAULT", "SLUICE_TEST"};
	size_t i;

	for (i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		if (str_starts(entry, names[i]))
			return true;
	}
	for (i = 0; i < sizeof(prefixes) / sizeof(prefixes[0]); i++) {
		if (str_starts(entry, prefixes[i]))
			return true;
	}
	return false;
}

void limits_scrub_environment(void)
{
	VEC(char *) gone = {0};
	char **e;
	size_t i;

	for (e = environ; e != NULL && *e != NULL; e++) {
		if (!is_allowed(*e))
			VEC_ADD(&gone, mem_strndup(*e, strcspn(*e, "=")));
	}
	for (i = 0; i < gone.n; i++) {
		unsetenv(gone.v[i]);
		mem_free(gone.v[i]);
	}
	VEC_DONE(&gone);
	if (getenv("PATH") == NULL)
		setenv("PATH", "/usr/local/bin:/usr/bin:/bin", 1);
}

static int only_keep(int *keep, struct err *err)
{
	unsigned from = 3;

	if (*keep >= 0) {
		if (*keep != 3 && dup2(*keep, 3) < 0)
			return err_errno(err, ERR_USAGE, errno, "--ready-fd %d", *keep);
		if (fcntl(3, F_SETFD, FD_CLOEXEC) != 0)
			return err_errno(err, ERR_USAGE, errno, "--ready-fd %d", *keep);
		*keep = 3;
		from = 4;
	}
	syscall(SYS_close_range, from, ~0u, 0);
	return 0;
}

int limits_detach(int *keep, struct err *err)
{
	int fd, rc;

	rc = only_keep(keep, err);
	if (rc != 0)
		return rc;
	fd = open("/dev/null", O_RDWR | O_CLOEXEC);
	if (fd < 0 || dup2(fd, 0) < 0)
		return err_errno(err, ERR_IO, errno, "cannot open /dev/null");
	close(fd);
	setsid(); /* fails only where it leads a session already */
	umask(027);
	if (prctl(PR_SET_CHILD_SUBREAPER, 1) != 0)
		return err_errno(err, ERR_UNSUPPORTED, errno, "cannot become a subreaper");
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
	if (prctl(PR_SET_DUMPABLE, 0) != 0)
		return err_errno(err, ERR_UNSUPPORTED, errno, "cannot forbid dumps");
#endif
	if (chdir("/") != 0)
		return err_errno(err, ERR_IO, errno, "cannot change to /");
	return 0;
}
