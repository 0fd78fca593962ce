/* logsweep.c: log and reject files by age and by bytes, a folder of one run at a time, oldest
 * first; never of a run that is open. Works in a thread of its own, a few files at a time; folders
 * are entered by descriptor and without following links, since workers own some of them. */
#define LOG_AT "daemon"
#include "core/daemon/logsweep.h"

#include "core/base/hash.h"
#include "core/base/io.h"
#include "core/base/log.h"
#include "core/base/mem.h"
#include "core/base/vec.h"
#include "core/sched/table.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define PAUSE_EVERY 32 /* files */
#define PAUSE_NS (2 * 1000 * 1000)
#define FOLDERS_MAX 500000u
#define ORPHAN_US (3600 * US_PER_S) /* a run that the store does not know may be coming */

static const char *const roots[] = {"logs", "rejects"};

struct folder { /* of one run below one root */
	uint8_t root;
	char dag[PLAN_NAME_MAX], run[HASH_ID_TEXT];
	wall_us newest;
	uint64_t bytes;
};
typedef VEC(struct folder) folder_vec;

struct sweep {
	const struct sweep_options *o;
	struct sweep_result *r;
	folder_vec folders;
	unsigned files;
};

static bool stopped(const struct sweep *s)
{
	return atomic_load(s->o->stop);
}

static void breathe(struct sweep *s)
{
	struct timespec nap = {.tv_nsec = PAUSE_NS};

	if (++s->files % PAUSE_EVERY == 0)
		nanosleep(&nap, NULL);
}

static int folder_open(int at, const char *name)
{
	return openat(at, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
}

typedef void (*entry_fn)(struct sweep *s, int dir, const char *name, void *arg);

/* Calls fn for each name in the folder; takes the descriptor. */
static void each(struct sweep *s, int fd, entry_fn fn, void *arg)
{
	DIR *dir = fd >= 0 ? fdopendir(fd) : NULL;
	struct dirent *e;

	if (!dir) {
		io_close(&fd);
		return;
	}
	while (!stopped(s) && (e = readdir(dir))) {
		if (strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0)
			fn(s, dirfd(dir), e->d_name, arg);
	}
	closedir(dir);
}

/* ---- looking ---- */

static void weigh(struct sweep *s, int dir, const char *name, void *arg)
{
	struct folder *f = arg;
	struct stat st;
	wall_us at;

	if (fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) != 0)
		return;
	at = (wall_us)st.st_mtim.tv_sec * US_PER_S + st.st_mtim.tv_nsec / 1000;
	if (at > f->newest)
		f->newest = at;
	if (S_ISDIR(st.st_mode))
		each(s, folder_open(dir, name), weigh, f);
	else
		f->bytes += (uint64_t)st.st_blocks * 512;
}

static void look_run(struct sweep *s, int dir, const char *name, void *arg)
{
	struct folder f = *(struct folder *)arg;
	struct stat st;

	if (strlen(name) >= sizeof(f.run) || s->folders.n >= FOLDERS_MAX ||
	    fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) != 0 || !S_ISDIR(st.st_mode))
		return;
	str_copy(f.run, sizeof(f.run), name);
	f.newest = (wall_us)st.st_mtim.tv_sec * US_PER_S;
	each(s, folder_open(dir, name), weigh, &f);
	VEC_ADD(&s->folders, f);
	breathe(s);
}

static void look_dag(struct sweep *s, int dir, const char *name, void *arg)
{
	struct folder f = *(struct folder *)arg;

	if (strlen(name) >= sizeof(f.dag))
		return;
	str_copy(f.dag, sizeof(f.dag), name);
	each(s, folder_open(dir, name), look_run, &f);
}

/* ---- judging ---- */

enum standing { RUN_GONE, RUN_ENDED, RUN_OPEN };

static enum standing standing_of(const struct sweep *s, const struct folder *f)
{
	const struct view *v = store_read_begin(s->o->read);
	enum standing is = RUN_OPEN; /* what cannot be read is left alone */
	uint8_t id[HASH_ID_BYTES];
	struct run_rec r;
	uint64_t no;
	int rc = v ? hash_from_base32(f->run, id) : ERR_IO;

	if (v && rc != 0)
		is = RUN_GONE; /* no run's folder */
	if (rc == 0)
		rc = run_get_id(v, id, &no);
	if (rc == 0)
		rc = run_get(v, no, &r);
	if (v && rc == ERR_NOT_FOUND)
		is = RUN_GONE;
	if (rc == 0)
		is = run_state_ended(r.state) ? RUN_ENDED : RUN_OPEN;
	store_read_end(s->o->read);
	return is;
}

/* ---- removing ---- */

static void unlink_one(struct sweep *s, int dir, const char *name, void *arg)
{
	struct stat st;

	(void)arg;
	if (fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) != 0)
		return;
	if (S_ISDIR(st.st_mode)) {
		each(s, folder_open(dir, name), unlink_one, NULL);
		unlinkat(dir, name, AT_REMOVEDIR);
	} else if (unlinkat(dir, name, 0) == 0) {
		s->r->files++;
	} else {
		s->r->failed = errno;
	}
	breathe(s);
}

static void folder_remove(struct sweep *s, const struct folder *f)
{
	int state = open(s->o->state, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int root = folder_open(state, roots[f->root]), dag = folder_open(root, f->dag);

	if (dag >= 0) {
		unlink_one(s, dag, f->run, NULL);
		unlinkat(root, f->dag, AT_REMOVEDIR); /* goes where it is empty */
		s->r->dropped_bytes += f->bytes;
	}
	io_close(&dag);
	io_close(&root);
	io_close(&state);
}

static int compare_age(const void *a, const void *b)
{
	const struct folder *p = a, *q = b;

	return (p->newest > q->newest) - (p->newest < q->newest);
}

static bool is_too_old(const struct sweep *s, const struct folder *f, enum standing is)
{
	if (f->newest < s->o->now - s->o->keep_us)
		return true;
	return is == RUN_GONE && f->newest < s->o->now - ORPHAN_US;
}

void logs_sweep(const struct sweep_options *o, struct sweep_result *ret)
{
	struct sweep s = {.o = o, .r = ret};
	struct folder f;
	uint64_t total = 0;

	memset(ret, 0, sizeof(*ret));
	for (uint8_t i = 0; i < sizeof(roots) / sizeof(roots[0]); i++) {
		char *path = io_path_join(o->state, roots[i]);

		memset(&f, 0, sizeof(f));
		f.root = i;
		each(&s, open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC), look_dag, &f);
		mem_free(path);
	}
	if (s.folders.n)
		qsort(s.folders.v, s.folders.n, sizeof(f), compare_age);
	for (size_t i = 0; i < s.folders.n; i++)
		total += s.folders.v[i].bytes;
	for (size_t i = 0; i < s.folders.n && !stopped(&s); i++) {
		enum standing is = standing_of(&s, &s.folders.v[i]);

		if (is == RUN_OPEN ||
		    (!is_too_old(&s, &s.folders.v[i], is) && total <= o->max_bytes))
			continue;
		folder_remove(&s, &s.folders.v[i]);
		total -= s.folders.v[i].bytes;
	}
	ret->bytes = total;
	VEC_DONE(&s.folders);
}
