/* watch.c: the DAG folder by inotify, and folders of other files that plans are made from, where
 * sluice.yaml says `watch: true`. A change is looked at once nothing more has happened for
 * SETTLE_MS, at the latest after LATEST_MS: a checkout of many files, an editor's renames and a
 * half-written file are one change. Where the kernel refuses to watch, the log says so and files
 * are taken at HUP and by apply as always. Owner: struct daemon, loop thread. */
#define LOG_AT "daemon"
#include "core/daemon/daemon.h"

#include "core/base/io.h"
#include "core/base/log.h"
#include "core/base/mem.h"
#include "core/dag/conf.h"
#include "core/daemon/scan.h"
#include "core/sched/table.h"

#include <dirent.h>
#include <errno.h>
#include <string.h>
#include <sys/inotify.h>
#include <unistd.h>

#define SETTLE_MS 500
#define LATEST_MS 10000
#define DEPTH_MAX 8 /* as scan.c */
#define FOLDERS_MAX 4096
#define WANTED                                                                                     \
	(IN_CLOSE_WRITE | IN_CREATE | IN_DELETE | IN_MOVED_FROM | IN_MOVED_TO | IN_DELETE_SELF |   \
	    IN_MOVE_SELF | IN_ONLYDIR)

struct watch {
	struct daemon *d;	       /* borrowed */
	char *dir;		       /* owned: what is watched, NULL nothing */
	int fd;			       /* inotify, -1 */
	int folders;		       /* watched */
	struct event *readable, *look; /* owned */
	mono_us first;		       /* of the changes not looked at yet; TIME_NONE */
};

static void on_watch_look(evutil_socket_t fd, short what, void *arg);

static int add_folder(struct watch *w, const char *dir, int depth)
{
	struct dirent *e;
	char *path;
	DIR *d;
	int rc = 0;

	if (depth > DEPTH_MAX || w->folders >= FOLDERS_MAX)
		return 0;
	if (inotify_add_watch(w->fd, dir, WANTED) < 0) /* vanished meanwhile: no error */
		return errno == ENOENT || errno == ENOTDIR ? 0 : -1;
	w->folders++;
	d = opendir(dir);
	while (rc == 0 && d && (e = readdir(d))) {
		if (e->d_name[0] == '.' || (e->d_type != DT_DIR && e->d_type != DT_UNKNOWN))
			continue;
		path = io_path_join(dir, e->d_name);
		rc = add_folder(w, path, depth + 1);
		mem_free(path);
	}
	if (d)
		closedir(d);
	return rc;
}

static void end(struct watch *w)
{
	if (w->readable)
		event_free(w->readable);
	w->readable = NULL;
	io_close(&w->fd);
	mem_free(w->dir);
	w->dir = NULL;
	w->folders = 0;
	w->first = TIME_NONE;
	event_del(w->look);
}

static void refused(struct watch *w)
{
	log_warn("the DAG folder cannot be watched: %s; files are taken at HUP and by apply; "
		 "see /proc/sys/fs/inotify",
	    strerror(errno));
	end(w);
}

static bool is_dag_name(const char *name)
{
	return str_ends(name, ".yaml") || str_ends(name, ".yml") || str_ends(name, ".json");
}

/* Names that start with a dot are editors' and git's. */
static bool matters(const struct inotify_event *e)
{
	if (e->mask & (IN_Q_OVERFLOW | IN_DELETE_SELF | IN_MOVE_SELF))
		return true;
	if (e->len == 0 || e->name[0] == '.')
		return false;
	return (e->mask & IN_ISDIR) || is_dag_name(e->name);
}

static void on_watch_readable(evutil_socket_t fd, short what, void *arg)
{
	struct watch *w = arg;
	struct timeval wait = {.tv_usec = SETTLE_MS * 1000};
	_Alignas(struct inotify_event) char buf[8192];
	const struct inotify_event *e;
	bool seen = false;
	ssize_t n;

	(void)what;
	loop_enter(&w->d->loop, "watch");
	while ((n = read(fd, buf, sizeof(buf))) > 0) {
		for (char *at = buf; at < buf + n; at += sizeof(*e) + e->len) {
			e = (const struct inotify_event *)(void *)at;
			seen = seen || matters(e);
		}
	}
	if (!seen)
		return;
	if (w->first == TIME_NONE)
		w->first = clock_mono();
	if (clock_mono() - w->first >= LATEST_MS * US_PER_MS)
		return; /* the look is due already */
	event_add(w->look, &wait);
}

static void add_input(void *arg, const char *path)
{
	struct watch *w = arg;
	char *dir = io_path_dir(path);

	if (w->folders < FOLDERS_MAX && inotify_add_watch(w->fd, dir, WANTED) >= 0)
		w->folders++; /* also one that is watched already */
	mem_free(dir);
}

void watch_inputs(struct watch *w)
{
	const struct view *v;
	struct view_walk walk;
	struct slice report;
	struct file_rec rec;
	char *path;

	if (!watch_is_on(w))
		return;
	v = store_read_begin(w->d->own_read);
	view_walk_init(&walk, v, TABLE_FILE, NULL, 0, false);
	while (v && view_walk_next(&walk, NULL) == 0) {
		path = mem_strndup((const char *)walk.key, walk.key_n);
		if (file_get(v, path, &rec, &report) == 0)
			scan_inputs_each(report.p, report.n, add_input, w);
		mem_free(path);
	}
	store_read_end(w->d->own_read);
}

static void begin(struct watch *w)
{
	const char *dir = w->d->conf->dags_dir;

	if (!w->d->conf->watch || !dir)
		return;
	w->fd = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
	if (w->fd < 0 || add_folder(w, dir, 0) != 0) {
		refused(w);
		return;
	}
	w->dir = mem_strdup(dir);
	w->readable = event_new(w->d->loop.base, w->fd, EV_READ | EV_PERSIST, on_watch_readable, w);
	event_add(w->readable, NULL);
	log_info("watching %s: %d folders", w->dir, w->folders);
	watch_inputs(w);
}

/* Folders may be new or gone: all are watched anew, before the files are looked at. */
static void on_watch_look(evutil_socket_t fd, short what, void *arg)
{
	struct watch *w = arg;

	(void)fd, (void)what;
	loop_enter(&w->d->loop, "watch");
	w->first = TIME_NONE;
	w->folders = 0;
	if (add_folder(w, w->dir, 0) != 0)
		refused(w);
	log_info("the DAG folder has changed");
	compile_folder(w->d->compile, true, NULL, NULL);
}

struct watch *watch_new(struct daemon *d)
{
	struct watch *w = MEM_NEW(struct watch);

	w->d = d;
	w->fd = -1;
	w->first = TIME_NONE;
	w->look = event_new(d->loop.base, -1, 0, on_watch_look, w);
	begin(w);
	return w;
}

void watch_free(struct watch *w)
{
	if (!w)
		return;
	end(w);
	event_free(w->look);
	mem_free(w);
}

bool watch_is_on(const struct watch *w)
{
	return w && w->dir;
}

void watch_conf(struct watch *w)
{
	if (!w || (w->d->conf->watch == (w->dir != NULL) &&
		      (!w->dir || str_eq(w->dir, w->d->conf->dags_dir))))
		return;
	end(w);
	begin(w);
}
