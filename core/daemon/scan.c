/* scan.c: the DAG folder by stat alone: 10,000 unchanged files cost 10,000 stats. Owner: the
 * caller. */
#define LOG_AT "daemon"
#include "core/daemon/scan.h"

#include "core/base/clock.h"
#include "core/base/hash.h"
#include "core/base/io.h"
#include "core/base/log.h"
#include "core/base/mem.h"
#include "core/base/paths.h"

#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define DEPTH_MAX 8
#define REPORT_MAX (16u << 20)
#define RACY_S 2
#define LOOK 4 /* numbers by which a file is known: size, inode, seconds, nanoseconds */
#define FILES_MAX 100000
#define PATH_LEN_MAX 255 /* dag_rec.file */

static bool is_dag_name(const char *name)
{
	return str_ends(name, ".yaml") || str_ends(name, ".yml") || str_ends(name, ".json");
}

static int add(struct scan *s, const char *path, const struct stat *st, struct err *err)
{
	struct scan_file f = {.size = (uint64_t)st->st_size, .inode = st->st_ino};

	if (s->files.n >= FILES_MAX)
		return err_set(err, ERR_LIMIT, "more than %d DAG files in one folder", FILES_MAX);
	f.mtime_ns = (uint64_t)st->st_mtim.tv_sec * 1000000000u + (uint64_t)st->st_mtim.tv_nsec;
	f.path = mem_strdup(path);
	VEC_ADD(&s->files, f);
	return 0;
}

int scan_add(struct scan *s, const char *dir, const char *path, struct err *err)
{
	char *full = io_path_join(dir, path);
	struct stat st;
	int rc = 0;

	if (stat(full, &st) != 0)
		rc = err_errno(
		    err, errno == ENOENT ? ERR_NOT_FOUND : ERR_IO, errno, "cannot read %s", full);
	else if (!S_ISREG(st.st_mode))
		rc = err_set(err, ERR_USAGE, "%s is not a file", full);
	else
		rc = add(s, path, &st, err);
	mem_free(full);
	return rc;
}

static int walk(struct scan *s, const char *dir, const char *below, int depth, struct err *err);

static int visit(struct scan *s, const char *dir, int fd, const char *below, const char *name,
    int depth, struct err *err)
{
	struct stat st;
	struct str path;
	int rc = 0;

	if (name[0] == '.' || fstatat(fd, name, &st, 0) != 0)
		return 0; /* vanished meanwhile, or not ours to read: the next scan sees it */
	str_init(&path, 4096);
	str_addf(&path, "%s%s%s", below, below[0] ? "/" : "", name);
	if (path.failed || path.len > PATH_LEN_MAX)
		log_warn("a DAG file's path is too long and left out: %.200s…", str_peek(&path));
	else if (S_ISDIR(st.st_mode) && depth < DEPTH_MAX)
		rc = walk(s, dir, str_peek(&path), depth + 1, err);
	else if (S_ISREG(st.st_mode) && is_dag_name(name))
		rc = add(s, str_peek(&path), &st, err);
	str_done(&path);
	return rc;
}

static int walk(struct scan *s, const char *dir, const char *below, int depth, struct err *err)
{
	char *path = below[0] ? io_path_join(dir, below) : mem_strdup(dir);
	struct dirent *e;
	DIR *d = opendir(path);
	int rc = 0;

	if (!d && !below[0])
		rc = err_errno(err, ERR_IO, errno, "cannot read the DAG folder %s", path);
	while (rc == 0 && d && (e = readdir(d)))
		rc = visit(s, dir, dirfd(d), below, e->d_name, depth, err);
	if (d)
		closedir(d);
	mem_free(path);
	return rc;
}

static int by_path(const void *a, const void *b)
{
	return strcmp(((const struct scan_file *)a)->path, ((const struct scan_file *)b)->path);
}

int scan_folder(struct scan *s, const char *dir, struct err *err)
{
	int rc = walk(s, dir, "", 0, err);

	if (rc == 0 && s->files.n)
		qsort(s->files.v, s->files.n, sizeof(*s->files.v), by_path);
	return rc;
}

void scan_done(struct scan *s)
{
	for (size_t i = 0; i < s->files.n; i++)
		mem_free(s->files.v[i].path);
	VEC_DONE(&s->files);
}

const struct scan_file *scan_find(const struct scan *s, const char *path)
{
	size_t from = 0, to = s->files.n, mid;
	int cmp;

	while (from < to) {
		mid = (from + to) / 2;
		cmp = strcmp(s->files.v[mid].path, path);
		if (cmp == 0)
			return &s->files.v[mid];
		if (cmp < 0)
			from = mid + 1;
		else
			to = mid;
	}
	return NULL;
}

/* Zeros where there is no such file. */
static void look(const char *path, int64_t what[LOOK])
{
	struct stat st;

	memset(what, 0, LOOK * sizeof(*what));
	if (stat(path, &st) != 0)
		return;
	what[0] = st.st_size;
	what[1] = (int64_t)st.st_ino;
	what[2] = st.st_mtim.tv_sec;
	what[3] = st.st_mtim.tv_nsec;
}

static void hash_stat(struct hash *h, const char *path)
{
	int64_t what[LOOK];

	look(path, what);
	hash_add_text(h, path);
	hash_add(h, what, sizeof(what));
}

static int not_hidden(const struct dirent *e)
{
	return e->d_name[0] != '.';
}

static void hash_folder(struct hash *h, const char *dir)
{
	struct dirent **list = NULL;
	int n = scandir(dir, &list, not_hidden, alphasort);
	char *path;

	for (int i = 0; i < n; i++) {
		path = io_path_join(dir, list[i]->d_name);
		if (str_ends(path, ".so"))
			hash_stat(h, path);
		mem_free(path);
		free(list[i]);
	}
	free(list);
}

void scan_signature(const struct conf *conf, uint8_t out[HASH_SHA256_BYTES])
{
	struct hash *h = hash_new();

	hash_add_text(h, conf->sha);
	hash_stat(h, path_of(PATH_WORKER));
	hash_folder(h, path_of(PATH_PLUGINS));
	for (const struct json *d = json_first(conf->plugin_dirs); d; d = json_next(d))
		hash_folder(h, json_str(d, ""));
	hash_end(h, out);
}

void scan_inputs_put(struct json *report, const struct json *paths)
{
	struct json *all = json_new_object(), *one;
	int64_t what[LOOK];

	for (const struct json *p = json_first(paths); p; p = json_next(p)) {
		look(json_str(p, ""), what);
		/* Changed just now: another change might look the same. */
		if (what[2] + RACY_S > clock_wall() / US_PER_S)
			what[3] = -1;
		one = json_new_array();
		for (size_t i = 0; i < LOOK; i++)
			json_push(one, json_new_i64(what[i]));
		json_put(all, json_str(p, ""), one);
	}
	json_put(report, "inputs", all);
}

/* NULL where it has none; *ret_rc: it cannot be read. The caller frees. */
static struct json *inputs_of(const char *report, size_t n, int *ret_rc)
{
	static const char member[] = "\"inputs\":{";
	struct json *j = NULL;

	*ret_rc = 0;
	if (!memmem(report, n, member, sizeof(member) - 1)) /* 10,000 reports are not parsed */
		return NULL;
	*ret_rc = json_parse(report, n, REPORT_MAX, &j, NULL);
	return *ret_rc == 0 ? j : NULL;
}

void scan_inputs_each(
    const char *report, size_t n, void (*each)(void *arg, const char *path), void *arg)
{
	int rc;
	struct json *j = inputs_of(report, n, &rc);

	for (const struct json *p = json_first(json_get(j, "inputs")); p; p = json_next(p))
		each(arg, json_key(p));
	json_free(j);
}

bool scan_inputs_same(const char *report, size_t n)
{
	const struct json *p;
	int64_t what[LOOK];
	int rc;
	struct json *j = inputs_of(report, n, &rc);
	bool same = rc == 0;

	for (p = json_first(json_get(j, "inputs")); same && p; p = json_next(p)) {
		look(json_key(p), what);
		for (size_t i = 0; i < LOOK; i++)
			same = same && json_i64(json_at(p, i), -2) == what[i];
	}
	json_free(j);
	return same;
}
