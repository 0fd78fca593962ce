/* stray.c: see stray.h. Owner: pool, main thread. */
#include "core/pool/stray.h"

#include "core/base/mem.h"
#include "core/pool/link.h"

#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#define CHILDREN_MAX 4096 /* a sweep; the next one takes the rest */
#define DEPTH_MAX 64

struct children {
	pid_t pid[CHILDREN_MAX];
	unsigned n;
};

/* The children of one thread. A thread that is gone has none. */
static void add_children_file(const char *path, struct children *c)
{
	char text[8192], *at, *end;
	size_t have = 0;
	ssize_t n;
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	long pid;

	if (fd < 0)
		return;
	while ((n = read(fd, text + have, sizeof(text) - 1 - have)) > 0) {
		have += (size_t)n;
		text[have] = '\0';
		at = text;
		while (c->n < CHILDREN_MAX && (pid = strtol(at, &end, 10)) > 0 && *end == ' ') {
			c->pid[c->n++] = (pid_t)pid;
			at = end + 1;
		}
		have = strlen(at); /* a number that is cut */
		memmove(text, at, have + 1);
	}
	close(fd);
}

static void add_children_by_parent(pid_t parent, struct children *c)
{
	struct dirent *e;
	pid_t pid, its;
	DIR *dir = opendir("/proc");

	while (dir != NULL && c->n < CHILDREN_MAX && (e = readdir(dir)) != NULL) {
		if (link_proc_name(e->d_name, &pid) && link_proc_stat(pid, NULL, &its, NULL) &&
		    its == parent)
			c->pid[c->n++] = pid;
	}
	if (dir != NULL)
		closedir(dir);
}

/* Children belong to the thread that forked them; those that are handed down may come to any
 * thread. */
static void list_children(pid_t parent, struct children *c)
{
	static int have_file = -1; /* the file is a kernel option (CONFIG_PROC_CHILDREN) */
	char path[64];
	struct dirent *e;
	pid_t thread;
	DIR *dir;

	c->n = 0;
	if (have_file < 0)
		have_file = access("/proc/thread-self/children", R_OK) == 0;
	if (!have_file) {
		add_children_by_parent(parent, c);
		return;
	}
	snprintf(path, sizeof(path), "/proc/%d/task", (int)parent);
	dir = opendir(path);
	while (dir != NULL && (e = readdir(dir)) != NULL) {
		if (!link_proc_name(e->d_name, &thread))
			continue;
		snprintf(path, sizeof(path), "/proc/%d/task/%d/children", (int)parent, (int)thread);
		add_children_file(path, c);
	}
	if (dir != NULL)
		closedir(dir);
}

/* A grandchild's number may be another process' by now: its parent is looked at again through a
 * descriptor that cannot change its meaning. */
static void kill_descendants(pid_t parent, bool freeze, int depth)
{
	struct children *c = mem_alloc(sizeof(*c));
	unsigned i;
	pid_t its;
	int fd;

	list_children(parent, c);
	for (i = 0; i < c->n; i++) {
		fd = (int)syscall(SYS_pidfd_open, c->pid[i], 0);
		if (fd < 0)
			continue;
		if (link_proc_stat(c->pid[i], NULL, &its, NULL) && its == parent) {
			if (freeze)
				syscall(SYS_pidfd_send_signal, fd, SIGSTOP, NULL, 0);
			if (depth < DEPTH_MAX)
				kill_descendants(c->pid[i], freeze, depth + 1);
			syscall(SYS_pidfd_send_signal, fd, SIGKILL, NULL, 0);
		}
		close(fd);
	}
	mem_free(c);
}

unsigned stray_kill(stray_known known, void *ctx, bool freeze)
{
	static struct children c;
	unsigned i, n = 0;

	list_children(getpid(), &c);
	for (i = 0; i < c.n; i++) {
		if (known(ctx, c.pid[i]))
			continue;
		/* Whole trees at once, children before parents: they die side by side instead of
		 * one generation a turn. A child's number stays its own until it is reaped here. */
		if (freeze)
			kill(c.pid[i], SIGSTOP);
		kill_descendants(c.pid[i], freeze, 0);
		kill(c.pid[i], SIGKILL);
		n++;
	}
	return n;
}
