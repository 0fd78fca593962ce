/* link.c: lock files, sockets and start of pool instances. Owner: pool; used by daemon and CLI as
 * well. */
#include "core/pool/link.h"

#include "core/base/io.h"
#include "core/base/mem.h"
#include "core/base/paths.h"
#include "core/pool/frame.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#define LOCK_TEXT_MAX 4096
#define LINK_PATH_MAX 4096
#define ENVIRON_MAX (256u * 1024u)

extern char **environ;

void link_id_text(uint64_t id, char out[LINK_ID_TEXT])
{
	snprintf(out, LINK_ID_TEXT, "%016" PRIx64, id);
}

static bool id_from_name(const char *name, uint64_t *ret_id)
{
	char hex[LINK_ID_TEXT];
	size_t i;

	if (strlen(name) != LINK_ID_TEXT - 1 + strlen(".lock") || strcmp(name + 16, ".lock") != 0)
		return false;
	for (i = 0; i < 16; i++) {
		if (!isdigit((unsigned char)name[i]) && (name[i] < 'a' || name[i] > 'f'))
			return false;
		hex[i] = name[i];
	}
	hex[16] = '\0';
	*ret_id = strtoull(hex, NULL, 16);
	return *ret_id != 0;
}

static void file_path(char *out, const char *state, uint64_t id, const char *suffix)
{
	snprintf(out, LINK_PATH_MAX, "%s/pool/%016" PRIx64 "%s", state, id, suffix);
}

/* ---- /proc ---- */

bool link_proc_stat(pid_t pid, uint64_t *ret_start, pid_t *ret_parent, char *ret_state)
{
	char path[64], text[1024], *at;
	uint64_t start;
	int fd, parent, field;
	ssize_t n;
	char state;

	snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return false;
	n = read(fd, text, sizeof(text) - 1);
	close(fd);
	if (n <= 0)
		return false;
	text[n] = '\0';
	at = strrchr(text, ')'); /* the name before it may hold anything */
	if (at == NULL || sscanf(at + 1, " %c %d", &state, &parent) != 2)
		return false;
	for (field = 2; field < 22 && at != NULL; field++)
		at = strchr(at + 1, ' ');
	if (at == NULL)
		return false;
	start = strtoull(at + 1, NULL, 10);
	if (ret_start != NULL)
		*ret_start = start;
	if (ret_parent != NULL)
		*ret_parent = parent;
	if (ret_state != NULL)
		*ret_state = state;
	return true;
}

bool link_proc_has_env(pid_t pid, const char *entry)
{
	char path[64];
	struct str env;
	size_t at = 0;
	bool found = false;

	snprintf(path, sizeof(path), "/proc/%d/environ", (int)pid);
	str_init(&env, ENVIRON_MAX);
	if (io_read_file(path, ENVIRON_MAX, &env, NULL) == 0) {
		while (!found && at < env.len) {
			found = strcmp(env.s + at, entry) == 0;
			at += strnlen(env.s + at, env.len - at) + 1;
		}
	}
	str_done(&env);
	return found;
}

bool link_proc_name(const char *name, pid_t *ret_pid)
{
	int64_t n;

	if (!isdigit((unsigned char)name[0]) || str_to_i64(name, &n) != 0 || n <= 0 ||
	    n > INT32_MAX)
		return false;
	*ret_pid = (pid_t)n;
	return true;
}

static bool any_process_has_env(uint64_t id)
{
	char entry[64];
	struct dirent *e;
	DIR *dir = opendir("/proc");
	bool found = false;
	pid_t pid;

	if (dir == NULL)
		return false;
	snprintf(entry, sizeof(entry), FRAME_INSTANCE_ENV "=%016" PRIx64, id);
	while (!found && (e = readdir(dir)) != NULL) {
		if (link_proc_name(e->d_name, &pid))
			found = link_proc_has_env(pid, entry);
	}
	closedir(dir);
	return found;
}

/* ---- lock files ---- */

static bool instance_alive(const struct link_instance *i)
{
	uint64_t start;
	char state;

	if (i->pid <= 0 || !link_proc_stat(i->pid, &start, NULL, &state))
		return false;
	return start == i->start && state != 'Z' && state != 'X';
}

static void parse_lock(const char *text, struct link_instance *ret)
{
	const char *line = text, *end;
	char cgroup[LINK_CGROUP_MAX];

	while (*line != '\0') {
		end = strchrnul(line, '\n');
		if (str_starts(line, "pid="))
			ret->pid = (pid_t)strtol(line + 4, NULL, 10);
		else if (str_starts(line, "start="))
			ret->start = strtoull(line + 6, NULL, 10);
		else if (str_starts(line, "ended=1"))
			ret->ended = true;
		else if (str_starts(line, "cgroup=") && (size_t)(end - line) - 7 < sizeof(cgroup)) {
			memcpy(ret->cgroup, line + 7, (size_t)(end - line) - 7);
			ret->cgroup[end - line - 7] = '\0';
		}
		line = *end == '\n' ? end + 1 : end;
	}
}

int link_read(const char *state, uint64_t id, struct link_instance *ret, struct err *err)
{
	char path[LINK_PATH_MAX];
	struct link_instance i = {.id = id};
	struct str text;
	int rc;

	file_path(path, state, id, ".lock");
	str_init(&text, LOCK_TEXT_MAX);
	rc = io_read_file(path, LOCK_TEXT_MAX, &text, err);
	if (rc == 0) {
		parse_lock(str_peek(&text), &i);
		i.alive = instance_alive(&i);
		*ret = i;
	}
	str_done(&text);
	return rc;
}

int link_list(
    const char *state, struct link_instance *ret, size_t cap, size_t *ret_n, struct err *err)
{
	char path[LINK_PATH_MAX];
	struct link_instance found;
	struct dirent *e;
	uint64_t id;
	size_t n = 0;
	DIR *dir;

	snprintf(path, sizeof(path), "%s/pool", state);
	dir = opendir(path);
	if (dir == NULL && errno == ENOENT) {
		*ret_n = 0;
		return 0;
	}
	if (dir == NULL)
		return err_errno(err, ERR_IO, errno, "cannot list %s", path);
	while ((e = readdir(dir)) != NULL) {
		if (!id_from_name(e->d_name, &id) || link_read(state, id, &found, NULL) != 0)
			continue;
		if (n < cap)
			ret[n] = found;
		n++;
	}
	closedir(dir);
	*ret_n = n;
	return 0;
}

/* A folder that is gone is empty. */
static bool cgroup_empty(const char *folder)
{
	char path[LINK_CGROUP_MAX + 32];
	struct str text;
	bool empty = true;

	snprintf(path, sizeof(path), "%s/cgroup.events", folder);
	str_init(&text, LOCK_TEXT_MAX);
	if (io_read_file(path, LOCK_TEXT_MAX, &text, NULL) == 0)
		empty = strstr(str_peek(&text), "populated 1") == NULL;
	str_done(&text);
	return empty;
}

int link_settled(
    const char *state, uint64_t id, bool *ret_settled, bool *ret_clean, struct err *err)
{
	char path[LINK_PATH_MAX];
	struct link_instance i;
	bool free_;
	int fd, rc;

	file_path(path, state, id, ".lock");
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	if (fd < 0 && errno == ENOENT) {
		*ret_settled = true;
		*ret_clean = false;
		return 0;
	}
	if (fd < 0)
		return err_errno(err, ERR_IO, errno, "cannot open %s", path);
	free_ = flock(fd, LOCK_EX | LOCK_NB) == 0;
	/* The text is read under the lock: `ended` is written before it comes free. */
	rc = link_read(state, id, &i, err);
	close(fd);
	if (rc != 0)
		return rc;
	if (free_ && i.cgroup[0] != '\0')
		free_ = cgroup_empty(i.cgroup);
	else if (free_)
		free_ = !any_process_has_env(id);
	*ret_settled = free_;
	*ret_clean = i.ended;
	return 0;
}

void link_forget(const char *state, uint64_t id)
{
	char path[LINK_PATH_MAX];
	struct link_instance i;

	if (link_read(state, id, &i, NULL) == 0 && i.cgroup[0] != '\0')
		rmdir(i.cgroup);
	file_path(path, state, id, ".sock");
	unlink(path);
	file_path(path, state, id, ".lock");
	unlink(path);
}

/* ---- reach and start ---- */

int link_connect(const char *state, uint64_t id, bool nonblocking, int *ret_fd, struct err *err)
{
	struct sockaddr_un to = {.sun_family = AF_UNIX};
	char dir[LINK_PATH_MAX];
	int fd = -1, at, rc = 0;

	/* Through the folder's descriptor: a state folder may have a longer name than an address
	 * holds. */
	snprintf(dir, sizeof(dir), "%s/pool", state);
	at = open(dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (at < 0)
		return err_errno(err, ERR_UNREACHABLE, errno, "cannot open %s", dir);
	snprintf(to.sun_path, sizeof(to.sun_path), "/proc/self/fd/%d/%016" PRIx64 ".sock", at, id);
	fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | (nonblocking ? SOCK_NONBLOCK : 0), 0);
	if (fd < 0)
		rc = err_errno(err, ERR_IO, errno, "cannot make a socket");
	else if (connect(fd, (const struct sockaddr *)&to, sizeof(to)) != 0)
		rc = err_errno(err, errno == EAGAIN ? ERR_AGAIN : ERR_UNREACHABLE, errno,
		    "cannot reach the pool at %s/%016" PRIx64 ".sock", dir, id);
	close(at);
	if (rc != 0) {
		io_close(&fd);
		return rc;
	}
	*ret_fd = fd;
	return 0;
}

int link_start(const struct link_start *how, pid_t *ret_pid, int *ret_ready, struct err *err)
{
	const char *argv[10];
	posix_spawn_file_actions_t actions;
	int pipefd[2], n = 0, rc;
	pid_t pid;

	if (pipe2(pipefd, O_CLOEXEC) != 0)
		return err_errno(err, ERR_IO, errno, "cannot make a pipe");
	argv[n++] = "sluice-pool";
	argv[n++] = "--state";
	argv[n++] = how->state;
	argv[n++] = "--ready-fd";
	argv[n++] = "3";
	if (how->run_user != NULL) {
		argv[n++] = "--run-user";
		argv[n++] = how->run_user;
	}
	if (how->once)
		argv[n++] = "--once";
	argv[n] = NULL;
	posix_spawn_file_actions_init(&actions);
	posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
	posix_spawn_file_actions_adddup2(&actions, pipefd[1], 3);
	rc = posix_spawn(
	    &pid, path_of(PATH_POOL), &actions, NULL, (char *const *)(uintptr_t)argv, environ);
	posix_spawn_file_actions_destroy(&actions);
	close(pipefd[1]);
	if (rc != 0) {
		close(pipefd[0]);
		return err_errno(err, ERR_IO, rc, "cannot start %s", path_of(PATH_POOL));
	}
	*ret_pid = pid;
	*ret_ready = pipefd[0];
	return 0;
}
