/* secret.c: reads and caches secrets. Owner: struct secret_cache, loop thread only. */
#define LOG_AT "daemon"
#include "core/daemon/secret.h"

#include "core/base/hash.h"
#include "core/base/io.h"
#include "core/base/mem.h"
#include "core/base/vec.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

extern char **environ;

/* Pages of its own for each value: not dumped, not inherited by a fork, never swapped where
 * allowed. */
struct page {
	char *p;
	size_t n, mapped;
};

struct entry {
	char *ref; /* owned: "file:PATH" … */
	struct page value;
	struct timespec mtime;
	off_t size;
	ino_t inode;
	uint64_t version;
};

struct secret_cache {
	VEC(struct entry) entries;
	VEC(struct entry) environment; /* ref: NAME */
	uint64_t versions;
};

static int page_set(struct page *page, const char *p, size_t n)
{
	size_t mapped = (n + 4096) / 4096 * 4096;
	void *at = mmap(NULL, mapped, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (at == MAP_FAILED)
		return ERR_NOMEM;
	madvise(at, mapped, MADV_DONTDUMP);
	madvise(at, mapped, MADV_WIPEONFORK);
	(void)!mlock(at, mapped);
	memcpy(at, p, n);
	*page = (struct page){.p = at, .n = n, .mapped = mapped};
	return 0;
}

static void page_free(struct page *page)
{
	if (!page->p)
		return;
	hash_wipe(page->p, page->n);
	munmap(page->p, page->mapped);
	memset(page, 0, sizeof(*page));
}

static void entry_done(struct entry *e)
{
	page_free(&e->value);
	mem_free(e->ref);
}

struct secret_cache *secret_cache_new(void)
{
	struct secret_cache *c = MEM_NEW(struct secret_cache);
	struct entry e;
	const char *equals;

	for (char **at = environ; at && *at; at++) {
		equals = strchr(*at, '=');
		if (!equals)
			continue;
		memset(&e, 0, sizeof(e));
		if (page_set(&e.value, equals + 1, strlen(equals + 1)) != 0)
			continue;
		e.ref = mem_strndup(*at, (size_t)(equals - *at));
		VEC_ADD(&c->environment, e);
	}
	return c;
}

void secret_cache_free(struct secret_cache *c)
{
	if (!c)
		return;
	for (size_t i = 0; i < c->entries.n; i++)
		entry_done(&c->entries.v[i]);
	for (size_t i = 0; i < c->environment.n; i++)
		entry_done(&c->environment.v[i]);
	VEC_DONE(&c->entries);
	VEC_DONE(&c->environment);
	mem_free(c);
}

bool secret_is_ref(const struct json *node, struct str *text)
{
	static const char *const kinds[] = {"file", "credential", "env"};
	const struct json *first = json_first(node);
	const char *value = json_str(first, NULL);

	if (!json_is(node, JSON_OBJECT) || json_len(node) != 1 || !value)
		return false;
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		if (!str_eq(json_key(first), kinds[i]))
			continue;
		if (text)
			str_addf(text, "%s:%s", kinds[i], value);
		return true;
	}
	return false;
}

static struct entry *entry_find(struct secret_cache *c, const char *ref)
{
	for (size_t i = 0; i < c->entries.n; i++) {
		if (str_eq(c->entries.v[i].ref, ref))
			return &c->entries.v[i];
	}
	return NULL;
}

static size_t without_newline(const char *p, size_t n)
{
	if (n && p[n - 1] == '\n')
		n--;
	if (n && p[n - 1] == '\r')
		n--;
	return n;
}

static int read_bytes(int fd, size_t size, char *buf, size_t *ret_n)
{
	size_t at = 0;
	ssize_t n;

	while (at < size) {
		n = read(fd, buf + at, size - at);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return ERR_IO;
		if (n == 0)
			break;
		at += (size_t)n;
	}
	*ret_n = at;
	return 0;
}

static int file_load(struct secret_cache *c, struct entry *e, const char *path,
    const struct stat *st, int fd, struct err *err)
{
	char *buf = mem_alloc(SECRET_MAX);
	struct page value = {0};
	size_t n = 0;
	int rc = 0;

	if (!S_ISREG(st->st_mode) || st->st_size >= (off_t)SECRET_MAX)
		rc = err_set(err, ERR_CONFIG,
		    "the secret file %s must be a file of less than %u bytes", path, SECRET_MAX);
	if (rc == 0 && read_bytes(fd, SECRET_MAX, buf, &n) != 0)
		rc = err_errno(err, ERR_IO, errno, "cannot read the secret file %s", path);
	if (rc == 0 && page_set(&value, buf, without_newline(buf, n)) != 0)
		rc = err_set(err, ERR_NOMEM, "no memory for the secret file %s", path);
	hash_wipe(buf, SECRET_MAX);
	mem_free(buf);
	if (rc != 0)
		return rc;
	page_free(&e->value);
	e->value = value;
	e->mtime = st->st_mtim;
	e->size = st->st_size;
	e->inode = st->st_ino;
	e->version = ++c->versions;
	return 0;
}

static bool file_is_same(const struct entry *e, const struct stat *st)
{
	return e->version && e->size == st->st_size && e->inode == st->st_ino &&
	       e->mtime.tv_sec == st->st_mtim.tv_sec && e->mtime.tv_nsec == st->st_mtim.tv_nsec;
}

static int file_value(
    struct secret_cache *c, const char *ref, const char *path, struct entry **ret, struct err *err)
{
	struct entry *e = entry_find(c, ref);
	struct stat st;
	int fd, rc = 0;

	if (e && stat(path, &st) == 0 && file_is_same(e, &st)) {
		*ret = e;
		return 0;
	}
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	if (fd < 0 || fstat(fd, &st) != 0) {
		rc = err_errno(err, ERR_CONFIG, errno, "cannot read the secret file %s", path);
		io_close(&fd);
		return rc;
	}
	if (!e) {
		e = VEC_PUSH(&c->entries);
		memset(e, 0, sizeof(*e));
		e->ref = mem_strdup(ref);
	}
	rc = file_load(c, e, path, &st, fd, err);
	io_close(&fd);
	*ret = e;
	return rc;
}

static int credential_value(
    struct secret_cache *c, const char *ref, const char *name, struct entry **ret, struct err *err)
{
	const char *folder = getenv("CREDENTIALS_DIRECTORY");
	char *path;
	int rc;

	if (!folder || strchr(name, '/'))
		return err_set(err, ERR_CONFIG,
		    "there is no systemd credential %s: add LoadCredential=%s:… to the unit", name,
		    name);
	path = io_path_join(folder, name);
	rc = file_value(c, ref, path, ret, err);
	mem_free(path);
	return rc;
}

static int env_value(struct secret_cache *c, const char *name, struct entry **ret, struct err *err)
{
	for (size_t i = 0; i < c->environment.n; i++) {
		*ret = &c->environment.v[i];
		if (str_eq((*ret)->ref, name))
			return 0;
	}
	return err_set(
	    err, ERR_CONFIG, "the environment variable %s, named as a secret, is not set", name);
}

int secret_value(struct secret_cache *c, const struct json *ref, const char **ret, size_t *ret_n,
    uint64_t *ret_version, struct err *err)
{
	struct entry *e = NULL;
	struct str text;
	const char *value;
	int rc;

	str_init(&text, 8192);
	if (!secret_is_ref(ref, &text) || text.failed) {
		str_done(&text);
		return err_set(err, ERR_CONFIG,
		    "a secret must be {file: PATH}, {credential: NAME} or {env: NAME}");
	}
	value = strchr(str_peek(&text), ':') + 1;
	if (str_starts(str_peek(&text), "file:"))
		rc = file_value(c, str_peek(&text), value, &e, err);
	else if (str_starts(str_peek(&text), "credential:"))
		rc = credential_value(c, str_peek(&text), value, &e, err);
	else
		rc = env_value(c, value, &e, err);
	str_done(&text);
	if (rc != 0)
		return rc;
	*ret = e->value.p;
	*ret_n = e->value.n;
	if (ret_version)
		*ret_version = e->version;
	return 0;
}

int secret_read(struct secret_cache *c, const struct json *ref, struct str *out, struct err *err)
{
	const char *value;
	size_t n;
	int rc = secret_value(c, ref, &value, &n, NULL, err);

	str_reset(out);
	if (rc != 0)
		return rc;
	str_addn(out, value, n);
	return out->failed ? err_set(err, ERR_LIMIT, "the secret is too long") : 0;
}
