/* descend.c: kills and reaps all descendants. */
#include "core/worker/descend.h"

#include "core/base/clock.h"
#include "core/base/str.h"

#include <dirent.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define DESCEND_LIMIT_US (10 * US_PER_S)
#define DESCEND_PAUSE_US 500

/* The fourth field of /proc/PID/stat; the second may hold blanks and parentheses. */
static pid_t parent_of(pid_t pid)
{
	char path[64], line[512], *p;
	int ppid = -1;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
	f = fopen(path, "re");
	if (f == NULL)
		return -1;
	if (fgets(line, sizeof(line), f) != NULL && (p = strrchr(line, ')')) != NULL &&
	    sscanf(p + 1, " %*c %d", &ppid) != 1)
		ppid = -1;
	fclose(f);
	return ppid;
}

static void kill_children(void)
{
	DIR *dir = opendir("/proc");
	pid_t self = getpid();
	struct dirent *e;
	int64_t pid;

	if (dir == NULL)
		return;
	while ((e = readdir(dir)) != NULL)
		if (str_to_i64(e->d_name, &pid) == 0 && pid > 1 && parent_of((pid_t)pid) == self)
			kill((pid_t)pid, SIGKILL);
	closedir(dir);
}

/* False when there is no child left. */
static bool reap(void)
{
	pid_t pid;

	do {
		pid = waitpid(-1, NULL, WNOHANG);
	} while (pid > 0 || (pid < 0 && errno == EINTR));
	return pid == 0;
}

int descend_kill(struct err *err)
{
	mono_us until = clock_mono() + DESCEND_LIMIT_US;

	while (reap()) {
		if (clock_mono() > until)
			return err_set(err, ERR_TIMEOUT, "a child of the attempt does not die");
		kill_children();
		usleep(DESCEND_PAUSE_US);
	}
	return 0;
}
