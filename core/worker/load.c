/* load.c: finds, checks and opens plugins. */
#include "core/worker/load.h"

#include "core/base/hash.h"
#include "core/base/io.h"
#include "core/base/mem.h"
#include "core/base/paths.h"
#include "core/base/str.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Opened plugins live as long as the process. */
static struct plugin *opened;
static pthread_mutex_t opened_lock = PTHREAD_MUTEX_INITIALIZER;

static int check_owner(const char *path, const struct stat *st, struct err *err)
{
	bool sticky_root = S_ISDIR(st->st_mode) && st->st_uid == 0 && (st->st_mode & S_ISVTX);

	if (st->st_uid != 0 && st->st_uid != geteuid())
		return err_set(err, ERR_REFUSED,
		    "plugin: %s belongs to user %u: it must belong to root or to the worker's user",
		    path, (unsigned)st->st_uid);
	if ((st->st_mode & (S_IWGRP | S_IWOTH)) && !sticky_root)
		return err_set(err, ERR_REFUSED,
		    "plugin: %s can be written by others: run `chmod go-w %s`", path, path);
	return 0;
}

static int check_parents(const char *path, struct err *err)
{
	char *dir = mem_strdup(path), *slash;
	struct stat st;
	int rc = 0;

	while (rc == 0 && (slash = strrchr(dir, '/')) != NULL) {
		bool root = slash == dir;

		slash[root ? 1 : 0] = '\0';
		if (lstat(dir, &st) != 0)
			rc = err_errno(err, ERR_IO, errno, "plugin: cannot look at %s", dir);
		else
			rc = check_owner(dir, &st, err);
		if (root)
			break;
	}
	mem_free(dir);
	return rc;
}

int plugin_check_path(const char *path, struct err *err)
{
	struct stat st;
	int rc;

	if (path[0] != '/')
		return err_set(err, ERR_REFUSED, "plugin: %s is no absolute path", path);
	if (lstat(path, &st) != 0)
		return err_errno(err, errno == ENOENT ? ERR_NOT_FOUND : ERR_IO, errno,
		    "plugin: cannot look at %s", path);
	if (!S_ISREG(st.st_mode))
		return err_set(err, ERR_REFUSED, "plugin: %s is no regular file", path);
	rc = check_owner(path, &st, err);
	return rc != 0 ? rc : check_parents(path, err);
}

int plugin_hash(const char *path, char sha[65], struct err *err)
{
	uint8_t digest[HASH_SHA256_BYTES];
	char buf[65536];
	struct hash *h;
	ssize_t n;
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return err_errno(err, ERR_IO, errno, "plugin: cannot read %s", path);
	h = hash_new();
	while ((n = read(fd, buf, sizeof(buf))) > 0)
		hash_add(h, buf, (size_t)n);
	hash_end(h, digest);
	close(fd);
	if (n < 0)
		return err_errno(err, ERR_IO, errno, "plugin: cannot read %s", path);
	hash_to_hex(digest, sizeof(digest), sha);
	return 0;
}

static int check_table(const char *path, const slu_plugin *t, struct err *err)
{
	if (t->magic != SLU_MAGIC)
		return err_set(
		    err, ERR_UNSUPPORTED, "plugin: %s gives a table without our magic", path);
	if (t->abi_major != SLU_ABI_MAJOR)
		return err_set(err, ERR_UNSUPPORTED,
		    "plugin: %s is built for ABI %u, this worker speaks %u: rebuild it", path,
		    t->abi_major, SLU_ABI_MAJOR);
	if (!TABLE_HAS(t, kinds) || t->name == NULL || t->kinds == NULL || t->n_kinds == 0 ||
	    t->kind_stride < offsetof(slu_kind, reserved))
		return err_set(err, ERR_UNSUPPORTED, "plugin: %s gives an incomplete table", path);
	return 0;
}

static int open_object(const char *path, struct plugin *p, struct err *err)
{
	slu_err e = {.size = sizeof(e)};
	slu_plugin_entry entry;
	void *handle, *symbol;

	handle = dlopen(path, RTLD_NOW | RTLD_LOCAL);
	if (handle == NULL)
		return err_set(err, ERR_UNSUPPORTED,
		    "plugin: %s does not load: %s (a library that it needs may be missing: try "
		    "ldd)",
		    path, dlerror());
	symbol = dlsym(handle, "sluice_plugin_v1");
	if (symbol == NULL)
		return err_set(err, ERR_UNSUPPORTED,
		    "plugin: %s does not export sluice_plugin_v1: it is no plugin of this version",
		    path);
	memcpy(&entry, &symbol, sizeof(entry));
	p->entry = entry;
	p->table = entry(SLU_ABI_MAJOR, SLU_ABI_MINOR, &e);
	if (p->table == NULL) {
		e.message[sizeof(e.message) - 1] = '\0';
		return err_set(err, ERR_UNSUPPORTED, "plugin: %s refuses this worker: %s", path,
		    e.message[0] ? e.message : "no reason given");
	}
	return check_table(path, p->table, err);
}

static const struct plugin *find_open(const char *path)
{
	const struct plugin *p;

	for (p = opened; p != NULL; p = p->next)
		if (p->path != NULL && strcmp(p->path, path) == 0)
			return p;
	return NULL;
}

static int64_t mtime_of(const struct stat *st)
{
	return (int64_t)st->st_mtim.tv_sec * 1000000000 + st->st_mtim.tv_nsec;
}

static void note_file(struct plugin *p, const char *path)
{
	struct stat st;

	if (stat(path, &st) != 0)
		return;
	p->dev = st.st_dev;
	p->ino = st.st_ino;
	p->mtime_ns = mtime_of(&st);
}

bool plugin_is_stale(void)
{
	struct plugin now = {0};
	const struct plugin *p;
	bool stale = false;

	pthread_mutex_lock(&opened_lock);
	for (p = opened; p != NULL && !stale; p = p->next) {
		if (p->path == NULL)
			continue;
		note_file(&now, p->path);
		stale = now.ino != p->ino || now.dev != p->dev || now.mtime_ns != p->mtime_ns;
	}
	pthread_mutex_unlock(&opened_lock);
	return stale;
}

void plugin_register(struct plugin *p, const slu_plugin *table)
{
	p->table = table;
	p->next = opened;
	opened = p;
}

static const struct plugin *find_registered(const char *name)
{
	const struct plugin *p;

	for (p = opened; p != NULL; p = p->next)
		if (p->path == NULL && strcmp(p->table->name, name) == 0)
			return p;
	return NULL;
}

static int open_new(const char *path, const struct plugin **ret, struct err *err)
{
	struct plugin *p = MEM_NEW(struct plugin);
	int rc = plugin_check_path(path, err);

	if (rc == 0)
		rc = plugin_hash(path, p->sha, err);
	if (rc == 0)
		rc = open_object(path, p, err);
	if (rc != 0) {
		mem_free(p);
		return rc;
	}
	p->path = mem_strdup(path);
	note_file(p, path);
	p->next = opened;
	opened = p;
	*ret = p;
	return 0;
}

int plugin_open(const char *path, const struct plugin **ret, struct err *err)
{
	char real[PATH_MAX];
	const struct plugin *p;
	int rc = 0;

	if (realpath(path, real) == NULL)
		return err_errno(err, errno == ENOENT ? ERR_NOT_FOUND : ERR_IO, errno,
		    "plugin: cannot open %s", path);
	pthread_mutex_lock(&opened_lock);
	p = find_open(real);
	if (p == NULL)
		rc = open_new(real, &p, err);
	pthread_mutex_unlock(&opened_lock);
	if (rc == 0)
		*ret = p;
	return rc;
}

/* The very file, by whichever name: spares a realpath for each attempt. */
static const struct plugin *find_file(const struct stat *st)
{
	const struct plugin *p;

	pthread_mutex_lock(&opened_lock);
	for (p = opened; p != NULL; p = p->next)
		if (p->path != NULL && p->ino == st->st_ino && p->dev == st->st_dev &&
		    p->mtime_ns == mtime_of(st))
			break;
	pthread_mutex_unlock(&opened_lock);
	return p;
}

static bool try_dir(
    const char *dir, const char *name, const struct plugin **ret, int *rc, struct err *err)
{
	const struct plugin *found;
	struct str path;
	struct stat st;
	bool there;

	str_init(&path, PATH_MAX);
	str_addf(&path, "%s/%s.so", dir, name);
	there = !path.failed && stat(str_peek(&path), &st) == 0;
	found = there ? find_file(&st) : NULL;
	if (found != NULL) {
		*ret = found;
		*rc = 0;
	} else if (there) {
		*rc = plugin_open(str_peek(&path), ret, err);
	}
	str_done(&path);
	return there;
}

int plugin_find(
    const struct json *dirs, const char *name, const struct plugin **ret, struct err *err)
{
	const struct plugin *found;
	const struct json *d;
	int rc = 0;

	pthread_mutex_lock(&opened_lock);
	found = find_registered(name);
	pthread_mutex_unlock(&opened_lock);
	if (found != NULL) {
		*ret = found;
		return 0;
	}
	if (!str_is_name(name) && !str_is_ident(name))
		return err_set(err, ERR_CONFIG, "\"%.64s\" is no name of a plugin", name);
	for (d = json_first(dirs); d != NULL; d = json_next(d))
		if (try_dir(json_str(d, ""), name, ret, &rc, err))
			return rc;
	if (try_dir(path_of(PATH_PLUGINS), name, ret, &rc, err))
		return rc;
	return err_set(err, ERR_NOT_FOUND,
	    "plugin \"%s\" is not installed: there is no %s.so in the folders under plugins: nor "
	    "in %s",
	    name, name, path_of(PATH_PLUGINS));
}

static bool kind_has(const slu_kind *k, const char *role)
{
	return (strcmp(role, "connection") == 0 && k->connection != NULL) ||
	       (strcmp(role, "extract") == 0 && k->extract != NULL) ||
	       (strcmp(role, "transform") == 0 && k->transform != NULL) ||
	       (strcmp(role, "load") == 0 && k->load != NULL) ||
	       (strcmp(role, "model") == 0 && k->model != NULL) ||
	       (strcmp(role, "task") == 0 && k->task != NULL) ||
	       (strcmp(role, "source") == 0 && k->source != NULL);
}

int plugin_kind(
    const struct plugin *p, const char *type, const char *role, slu_kind *ret, struct err *err)
{
	bool named = type != NULL && type[0] != '\0';
	slu_kind found;
	uint32_t i, n = 0;

	for (i = 0; i < p->table->n_kinds; i++) {
		slu_kind k = table_kind(p->table, i);
		bool match = named ? str_eq(k.type, type) : kind_has(&k, role);

		if (!match)
			continue;
		if (n == 0 || str_eq(k.type, p->table->name))
			found = k;
		n++;
	}
	if (n == 0)
		return err_set(err, ERR_CONFIG, "plugin \"%s\" has no kind \"%s\"", p->table->name,
		    named ? type : role);
	if (!kind_has(&found, role))
		return err_set(err, ERR_CONFIG, "plugin \"%s\": kind \"%s\" offers no %s",
		    p->table->name, found.type != NULL ? found.type : "", role);
	*ret = found;
	return 0;
}
