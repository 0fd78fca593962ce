/* cgroup.c: see cgroup.h. Owner: pool, main thread, at start and end only. */
#include "core/pool/cgroup.h"

#include "core/base/clock.h"
#include "core/base/io.h"
#include "core/base/mem.h"
#include "core/base/str.h"

#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define TEXT_MAX (256u << 10)
#define PATH_BYTES 1024

/* The line "0::PATH" of /proc/self/cgroup. */
static bool own_path(char *out, size_t size)
{
	struct str text;
	const char *line;
	char *end;
	bool ok = false;

	str_init(&text, TEXT_MAX);
	if (io_read_file("/proc/self/cgroup", TEXT_MAX, &text, NULL) == 0) {
		line =
		    str_starts(str_peek(&text), "0::") ? text.s : strstr(str_peek(&text), "\n0::");
		line = line != NULL ? strstr(line, "0::") + 3 : NULL;
		end = line != NULL ? strchr(line, '\n') : NULL;
		if (end != NULL)
			*end = '\0';
		ok = line != NULL && str_copy(out, size, line) && !str_starts(out, "/..");
	}
	str_done(&text);
	return ok;
}

/* Where cgroup2 is mounted, and which part of it. */
static bool mount_point(char *root, char *where, size_t size)
{
	char line[4096], fields[5][PATH_BYTES];
	const char *type;
	FILE *f = fopen("/proc/self/mountinfo", "re");
	bool found = false;

	while (f != NULL && !found && fgets(line, sizeof(line), f) != NULL) {
		type = strstr(line, " - ");
		if (type == NULL || !str_starts(type + 3, "cgroup2 "))
			continue;
		/* id parent major:minor root where */
		if (sscanf(line, "%1023s %1023s %1023s %1023s %1023s", fields[0], fields[1],
			fields[2], fields[3], fields[4]) == 5)
			found = str_copy(root, size, fields[3]) && str_copy(where, size, fields[4]);
	}
	if (f != NULL)
		fclose(f);
	return found;
}

static bool write_text(const char *folder, const char *file, const char *text)
{
	char path[PATH_BYTES * 2];
	ssize_t n;
	int fd;

	snprintf(path, sizeof(path), "%s/%s", folder, file);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0)
		return false;
	n = write(fd, text, strlen(text));
	close(fd);
	return n == (ssize_t)strlen(text);
}

bool cgroup_enter(const char *name, char *path, size_t size)
{
	char own[PATH_BYTES], root[PATH_BYTES], where[PATH_BYTES];
	const char *below;
	size_t n;
	int k;

	path[0] = '\0';
	if (!own_path(own, sizeof(own)) || !mount_point(root, where, sizeof(root)))
		return false;
	n = strcmp(root, "/") == 0 ? 0 : strlen(root);
	if (strncmp(own, root, n) != 0)
		return false;
	below = strcmp(own + n, "/") == 0 ? "" : own + n;
	k = snprintf(path, size, "%s%s/%s", where, below, name);
	if (k < 0 || (size_t)k >= size || mkdir(path, 0755) != 0) {
		path[0] = '\0';
		return false;
	}
	if (access(path, F_OK) == 0 && write_text(path, "cgroup.procs", "0"))
		return true;
	rmdir(path);
	path[0] = '\0';
	return false;
}

void cgroup_leave(const char *path)
{
	char *parent = io_path_dir(path);

	/* Fails where a worker still lives: the daemon removes it later (link_forget). */
	if (path[0] != '\0' && write_text(parent, "cgroup.procs", "0"))
		rmdir(path);
	mem_free(parent);
}

static bool populated(const char *path)
{
	char events[PATH_BYTES];
	struct str text;
	bool yes = false;

	snprintf(events, sizeof(events), "%s/cgroup.events", path);
	str_init(&text, 4096);
	if (io_read_file(events, 4096, &text, NULL) == 0)
		yes = strstr(str_peek(&text), "populated 1") != NULL;
	str_done(&text);
	return yes;
}

bool cgroup_kill(const char *path, int wait_ms)
{
	mono_us until = clock_mono() + wait_ms * US_PER_MS;
	int pause = 1;

	while (populated(path)) {
		if (!write_text(path, "cgroup.kill", "1") || clock_mono() >= until)
			break;
		poll(NULL, 0, pause); /* only at start, before anything is served */
		pause = pause < 20 ? pause * 2 : pause;
	}
	return !populated(path);
}
