/* instance.c: see instance.h. Owner: pool, main thread. */
#define LOG_AT "pool"
#include "core/pool/instance.h"

#include "core/base/clock.h"
#include "core/base/hash.h"
#include "core/base/io.h"
#include "core/base/log.h"
#include "core/base/mem.h"
#include "core/pool/cgroup.h"
#include "core/pool/frame.h"
#include "core/pool/mutant.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#define PATH_BYTES 4096
#define DEAD_MAX 64
#define ENDING_MS 50
#define KILL_MS 5000 /* how long a start waits for what it kills; the lock proves the rest */
#define QUIET_PASSES 4
#define BACKLOG 16

static void name_of(const struct instance *i, const char *suffix, char *out)
{
	snprintf(out, PATH_BYTES, "%s/%016" PRIx64 "%s", i->folder, i->id, suffix);
}

/* ---- lock file ---- */

static int write_lock(struct instance *i, struct err *err)
{
	char text[LINK_CGROUP_MAX + 128], path[PATH_BYTES], lock[PATH_BYTES];
	uint64_t start = 0;
	int n;

	if (!link_proc_stat(getpid(), &start, NULL, NULL))
		return err_set(err, ERR_IO, "cannot read /proc/self/stat: is /proc mounted?");
	/* Whole and locked before it has its name: whoever lists it can trust it. */
	name_of(i, ".new", path);
	i->lock_fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0644);
	if (i->lock_fd < 0)
		return err_errno(err, ERR_IO, errno, "cannot make %s", path);
	n = snprintf(text, sizeof(text), "pid=%d\nstart=%" PRIu64 "\ncgroup=%s\n", (int)getpid(),
	    start, i->cgroup);
	/* Whatever the umask: the daemon may be another user, and must see that it has ended. */
	if (fchmod(i->lock_fd, 0644) != 0 || flock(i->lock_fd, LOCK_EX | LOCK_NB) != 0)
		return err_errno(err, ERR_IO, errno, "cannot lock %s", path);
	if (io_write_all(i->lock_fd, text, (size_t)n, err) != 0)
		return err_prefix(err, "%s", path), ERR_IO;
	name_of(i, ".lock", lock);
	if (rename(path, lock) != 0)
		return err_errno(err, ERR_IO, errno, "cannot rename %s", path);
	return 0;
}

int instance_begin(struct instance *i, const char *state, bool own_cgroup, struct err *err)
{
	char name[64];
	int rc;

	memset(i, 0, sizeof(*i));
	i->lock_fd = i->listen_fd = -1;
	i->folder = io_path_join(state, "pool");
	rc = io_mkdirs(i->folder, 0755, err);
	if (rc != 0)
		return rc;
	do
		hash_random(&i->id, sizeof(i->id));
	while (i->id == 0);
	snprintf(name, sizeof(name), "sluice-pool-%016" PRIx64, i->id);
	if (own_cgroup && !cgroup_enter(name, i->cgroup, sizeof(i->cgroup)))
		log_debug("no cgroup of its own: the lock and the environment have to do");
	return write_lock(i, err);
}

void instance_ended(struct instance *i)
{
	char path[PATH_BYTES];

	io_close(&i->listen_fd);
	name_of(i, ".sock", path);
	unlink(path);
	if (!pool_mutant("no-mark") && io_write_all(i->lock_fd, "ended=1\n", 8, NULL) != 0)
		log_warn("the orderly end could not be noted");
}

bool instance_is_there(const struct instance *i)
{
	char path[PATH_BYTES];
	struct stat named, held;

	name_of(i, ".lock", path);
	return stat(path, &named) == 0 && fstat(i->lock_fd, &held) == 0 &&
	       named.st_ino == held.st_ino && named.st_dev == held.st_dev;
}

void instance_done(struct instance *i)
{
	cgroup_leave(i->cgroup);
	io_close(&i->listen_fd);
	io_close(&i->lock_fd);
	mem_free(i->folder);
	i->folder = NULL;
}

/* ---- listener ---- */

/* The address goes through the folder's descriptor: a state folder may have a longer name than an
 * address holds. */
static int bind_here(int fd, const struct instance *i, struct err *err)
{
	struct sockaddr_un at = {.sun_family = AF_UNIX};
	int dir, rc = 0;

	dir = open(i->folder, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (dir < 0)
		return err_errno(err, ERR_IO, errno, "cannot open %s", i->folder);
	snprintf(
	    at.sun_path, sizeof(at.sun_path), "/proc/self/fd/%d/%016" PRIx64 ".sock", dir, i->id);
	if (bind(fd, (const struct sockaddr *)&at, sizeof(at)) != 0 || listen(fd, BACKLOG) != 0)
		rc = err_errno(err, ERR_IO, errno, "cannot listen in %s", i->folder);
	close(dir);
	return rc;
}

int instance_listen(struct instance *i, struct err *err)
{
	char to[32], link_new[PATH_BYTES], link_path[PATH_BYTES], sock[PATH_BYTES];
	int fd, rc;

	fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return err_errno(err, ERR_IO, errno, "cannot make the pool's socket");
	rc = bind_here(fd, i, err);
	if (rc != 0) {
		close(fd);
		return rc;
	}
	i->listen_fd = fd;
	name_of(i, ".sock", sock);
	chmod(sock,
	    0666); /* the peer's user is asked of the kernel; the state folder keeps others out */
	snprintf(to, sizeof(to), "%016" PRIx64 ".sock", i->id);
	name_of(i, ".link", link_new);
	snprintf(link_path, sizeof(link_path), "%s/pool.sock", i->folder);
	unlink(link_new);
	if (symlink(to, link_new) != 0 || rename(link_new, link_path) != 0)
		return err_errno(err, ERR_IO, errno, "cannot make %s", link_path);
	return 0;
}

/* ---- dead instances ---- */

/* Does the process hold the file of that inode? False where it may not be looked at. */
static bool holds(pid_t pid, const struct stat *file)
{
	char folder[64], path[400];
	struct stat st;
	struct dirent *e;
	DIR *dir;
	bool found = false;

	snprintf(folder, sizeof(folder), "/proc/%d/fd", (int)pid);
	dir = opendir(folder);
	if (dir == NULL)
		return false;
	while (!found && (e = readdir(dir)) != NULL) {
		if (e->d_name[0] == '.')
			continue;
		snprintf(path, sizeof(path), "%s/%s", folder, e->d_name);
		found =
		    stat(path, &st) == 0 && st.st_ino == file->st_ino && st.st_dev == file->st_dev;
	}
	closedir(dir);
	return found;
}

struct scan { /* one pass over /proc */
	unsigned killed;
	unsigned vanished; /* named by the folder, gone when looked at */
};

/* Kills every holder of the lock file and every carrier of the id. */
static struct scan kill_once(uint64_t id, const struct stat *lock)
{
	struct scan seen = {0, 0};
	char entry[64], state;
	struct dirent *e;
	DIR *dir = opendir("/proc");
	pid_t pid;
	bool is_ours;

	snprintf(entry, sizeof(entry), FRAME_INSTANCE_ENV "=%016" PRIx64, id);
	while (dir != NULL && (e = readdir(dir)) != NULL) {
		if (!link_proc_name(e->d_name, &pid) || pid == getpid())
			continue;
		is_ours = holds(pid, lock) || link_proc_has_env(pid, entry);
		if (!link_proc_stat(pid, NULL, NULL, &state))
			seen.vanished++;
		else if (is_ours && state != 'Z') {
			log_info("killing process %d, left by dead pool %016" PRIx64, (int)pid, id);
			seen.killed += kill(pid, SIGKILL) == 0;
		}
	}
	if (dir != NULL)
		closedir(dir);
	return seen;
}

/* The folder is read some hundred names at a time, so one pass can miss the child of a process that
 * forked and ended in between. It ends when the lock is free and a pass met nobody: neither one to
 * kill nor, for some passes, one that had vanished. */
static void kill_holders(const char *state, uint64_t id)
{
	char path[PATH_BYTES];
	mono_us until = clock_mono() + KILL_MS * US_PER_MS;
	bool settled = false, clean;
	struct stat lock;
	struct scan seen;
	int pause = 1, quiet = 0;

	snprintf(path, sizeof(path), "%s/pool/%016" PRIx64 ".lock", state, id);
	if (stat(path, &lock) != 0)
		return;
	while (clock_mono() < until) {
		seen = kill_once(id, &lock);
		quiet = seen.killed > 0 ? 0 : quiet + 1;
		if (link_settled(state, id, &settled, &clean, NULL) != 0)
			return;
		if (settled && quiet > 0 && (seen.vanished == 0 || quiet >= QUIET_PASSES))
			return;
		if (seen.killed == 0 && settled)
			continue;
		poll(NULL, 0, pause);
		pause = pause < 20 ? pause * 2 : pause;
	}
}

/* A pool that was killed a moment ago may still be ending: its last breath is waited for. One that
 * lives on is left alone after ENDING_MS (an upgrade: it is being retired). */
static bool ends_now(const struct link_instance *i)
{
	mono_us until = clock_mono() + ENDING_MS * US_PER_MS;
	uint64_t start;
	char state;

	while (link_proc_stat(i->pid, &start, NULL, &state) && start == i->start && state != 'Z') {
		if (clock_mono() >= until)
			return false;
		poll(NULL, 0, 1);
	}
	return true;
}

void instance_kill_dead(const struct instance *self, const char *state)
{
	struct link_instance dead[DEAD_MAX];
	bool settled, clean;
	size_t n = 0, i;

	if (pool_mutant("leave-dead") || link_list(state, dead, DEAD_MAX, &n, NULL) != 0)
		return;
	for (i = 0; i < n && i < DEAD_MAX; i++) {
		if (dead[i].id == self->id || (dead[i].alive && !ends_now(&dead[i])))
			continue;
		if (dead[i].cgroup[0] != '\0' && !cgroup_kill(dead[i].cgroup, KILL_MS))
			log_warn("cgroup %s does not become empty", dead[i].cgroup);
		else if (dead[i].cgroup[0] != '\0')
			rmdir(dead[i].cgroup); /* gone counts as empty (link_settled) */
		if (link_settled(state, dead[i].id, &settled, &clean, NULL) == 0 && settled &&
		    (clean || dead[i].cgroup[0] != '\0'))
			continue;
		kill_holders(state, dead[i].id);
		if (link_settled(state, dead[i].id, &settled, &clean, NULL) != 0 || !settled)
			log_warn("something of dead pool %016" PRIx64
				 " still lives and cannot be killed",
			    dead[i].id);
	}
}
