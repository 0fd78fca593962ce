/* env.c: opens the LMDB environment of a state folder, after everything that can be checked without
 * mapping it was checked. LMDB itself has no page checksums and answers a truncated file with
 * SIGBUS, so the size is compared with the meta pages first. Owner: struct store. */
#define LOG_AT "store"
#include "core/store/env.h"

#include "core/base/hash.h"
#include "core/base/io.h"
#include "core/base/log.h"
#include "core/base/mem.h"
#include "core/sched/table.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#define RESERVE_BYTES (UINT64_C(4) << 20) /* always allocated behind the used pages */
#define RESERVE_STEP (UINT64_C(8) << 20)
#define EX_SOFTWARE 70
#define NEW_PAGES 16

#ifndef CIFS_SUPER_MAGIC
#define CIFS_SUPER_MAGIC 0xff534d42
#endif
#ifndef SMB2_SUPER_MAGIC
#define SMB2_SUPER_MAGIC 0xfe534d42
#endif
#ifndef FUSE_SUPER_MAGIC
#define FUSE_SUPER_MAGIC 0x65735546
#endif

/* The head of a meta page of LMDB 0.9 (mdb.c: MDB_page, MDB_meta, MDB_db), 64-bit. */
struct meta_db {
	uint32_t pad;
	uint16_t flags, depth;
	uint64_t branch, leaf, overflow, entries, root;
};
struct meta_page {
	uint64_t page_no;
	uint16_t page_pad, page_flags;
	uint32_t page_free;
	uint32_t magic, version;
	uint64_t address, map_size;
	struct meta_db db[2]; /* the first one's pad holds the page size */
	uint64_t last_page, txn;
};
#define META_MAGIC 0xBEEFC0DEu

int store_rc(int mdb_rc)
{
	switch (mdb_rc) {
	case 0:
		return 0;
	case MDB_NOTFOUND:
		return ERR_NOT_FOUND;
	case MDB_KEYEXIST:
		return ERR_EXISTS;
	case MDB_MAP_FULL:
	case MDB_TXN_FULL:
	case ENOSPC:
	case EDQUOT:
		return ERR_FULL;
	case MDB_CORRUPTED:
	case MDB_PAGE_NOTFOUND:
	case MDB_INVALID:
	case MDB_CURSOR_FULL:
	case MDB_PAGE_FULL:
	case MDB_INCOMPATIBLE:
	case MDB_VERSION_MISMATCH:
	case MDB_BAD_DBI:
	case EINVAL: /* nothing that we pass in: what a damaged page says of itself */
		return ERR_CORRUPT;
	case MDB_BAD_VALSIZE:
		return ERR_LIMIT;
	case ENOMEM:
		return ERR_NOMEM;
	default:
		return ERR_IO;
	}
}

static void on_assert(MDB_env *env, const char *text)
{
	(void)env;
	log_error("LMDB found the store damaged (%s): stopping; run sluiced --fsck", text);
	_exit(EX_SOFTWARE);
}

static int lock_take(const char *dir, int *ret_fd, struct err *err)
{
	char *path = io_path_join(dir, "sluice.lock");
	char text[32];
	ssize_t n;
	int rc = 0, fd;

	fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0) {
		rc = err_errno(err, ERR_IO, errno, "cannot open %s", path);
		goto out;
	}
	if (flock(fd, LOCK_EX | LOCK_NB) != 0) {
		n = pread(fd, text, sizeof(text) - 1, 0);
		text[n > 0 ? n : 0] = 0;
		text[strcspn(text, "\n")] = 0;
		rc = err_set(err, ERR_CONFLICT,
		    "another daemon (pid %s) holds the store %s: stop it first, or name another "
		    "state folder",
		    text[0] ? text : "unknown", dir);
		io_close(&fd);
		goto out;
	}
	n = snprintf(text, sizeof(text), "%ld\n", (long)getpid());
	/* a disk without a single free block must not keep the daemon from its store */
	if (ftruncate(fd, 0) != 0 || pwrite(fd, text, (size_t)n, 0) != n)
		log_warn("cannot write the process id into %s: %s", path, strerror(errno));
	*ret_fd = fd;
out:
	mem_free(path);
	return rc;
}

struct store_lock {
	int fd;
};

int store_lock(const char *dir, struct store_lock **ret, struct err *err)
{
	int fd, rc = lock_take(dir, &fd, err);

	if (rc != 0)
		return rc;
	*ret = MEM_NEW(struct store_lock);
	(*ret)->fd = fd;
	return 0;
}

static void lock_give(int *fd)
{
	if (*fd >= 0 && ftruncate(*fd, 0) != 0)
		log_debug("cannot empty the lock file");
	io_close(fd);
}

void store_unlock(struct store_lock *l)
{
	if (!l)
		return;
	lock_give(&l->fd);
	mem_free(l);
}

static int folder_check(struct store *s, bool create, struct err *err)
{
	struct statfs fs;
	struct stat st;

	if (create && mkdir(s->dir, 0700) != 0 && errno != EEXIST)
		return err_errno(err, ERR_IO, errno, "cannot make the state folder %s", s->dir);
	if (stat(s->dir, &st) != 0)
		return err_errno(err, errno == ENOENT ? ERR_NOT_FOUND : ERR_IO, errno,
		    "cannot use the state folder %s", s->dir);
	if (!S_ISDIR(st.st_mode))
		return err_set(err, ERR_CONFIG, "%s is not a folder", s->dir);
	if (st.st_uid == geteuid() && (st.st_mode & 066) != 0 && chmod(s->dir, 0700) != 0)
		return err_errno(err, ERR_IO, errno, "cannot make %s private (mode 0700)", s->dir);
	if (statfs(s->dir, &fs) != 0)
		return err_errno(
		    err, ERR_IO, errno, "cannot look at the file system of %s", s->dir);
	switch ((uint32_t)fs.f_type) {
	case NFS_SUPER_MAGIC:
	case SMB_SUPER_MAGIC:
	case CIFS_SUPER_MAGIC:
	case SMB2_SUPER_MAGIC:
	case FUSE_SUPER_MAGIC:
	case V9FS_MAGIC:
		return err_set(err, ERR_REFUSED,
		    "the state folder %s is on a network or user-space file system, where locks "
		    "and memory maps are not "
		    "reliable: put it on a local disk",
		    s->dir);
	case TMPFS_MAGIC:
		log_warn("the state folder %s is on a tmpfs: a reboot loses it", s->dir);
		return 0;
	case OVERLAYFS_SUPER_MAGIC:
		log_warn("the state folder %s is on an overlay, which goes with its container: "
			 "mount a volume there",
		    s->dir);
		return 0;
	default:
		return 0;
	}
}

static int meta_read(int fd, off_t at, struct meta_page *ret, const char *path, struct err *err)
{
	if (pread(fd, ret, sizeof(*ret), at) != (ssize_t)sizeof(*ret))
		return err_set(err, ERR_CORRUPT,
		    "%s is cut off inside its meta pages: restore a backup", path);
	if (ret->magic != META_MAGIC || (ret->version & 0xffff) != 1)
		return err_set(
		    err, ERR_CORRUPT, "%s is not a store of this program (bad meta page)", path);
	return 0;
}

/* The file must hold every page that its newest meta page counts. */
static int size_check(struct store *s, const char *path, struct err *err)
{
	struct meta_page a, b;
	struct stat st;
	uint64_t last;
	int fd = open(path, O_RDONLY | O_CLOEXEC), rc = 0;

	if (fd < 0) {
		rc = errno == ENOENT ? 0 : err_errno(err, ERR_IO, errno, "cannot open %s", path);
		goto out;
	}
	if (fstat(fd, &st) != 0) {
		rc = err_errno(err, ERR_IO, errno, "cannot look at %s", path);
		goto out;
	}
	s->file_bytes = (uint64_t)st.st_size;
	if (st.st_size == 0)
		goto out;
	rc = meta_read(fd, 0, &a, path, err);
	if (rc != 0)
		goto out;
	if (a.db[0].pad < 512 || a.db[0].pad > 65536) {
		rc = err_set(err, ERR_CORRUPT, "%s has an impossible page size", path);
		goto out;
	}
	rc = meta_read(fd, (off_t)a.db[0].pad, &b, path, err);
	if (rc != 0)
		goto out;
	last = a.last_page > b.last_page ? a.last_page : b.last_page;
	if (last >= STORE_MAP_BYTES / a.db[0].pad * 64 || (last + 1) * a.db[0].pad > s->file_bytes)
		rc = err_set(err, ERR_CORRUPT,
		    "%s is cut off: it holds %llu bytes, its meta page counts %llu pages of %u; "
		    "restore a backup",
		    path, (unsigned long long)s->file_bytes, (unsigned long long)last + 1,
		    a.db[0].pad);
out:
	io_close(&fd);
	return rc;
}

/* flags: besides the default durable mode; never NOSYNC, NOMETASYNC, WRITEMAP. */
static int env_open(
    struct store *s, const char *path, uint64_t map_bytes, unsigned flags, struct err *err)
{
	int dead = 0, rc;

	rc = mdb_env_create(&s->env);
	if (rc == 0)
		rc = mdb_env_set_assert(s->env, on_assert);
	if (rc == 0)
		rc = mdb_env_set_mapsize(s->env, map_bytes ? map_bytes : STORE_MAP_BYTES);
	if (rc == 0)
		rc = mdb_env_set_maxdbs(s->env, TABLE_N);
	if (rc == 0)
		rc = mdb_env_set_maxreaders(s->env, STORE_READERS);
	if (rc == 0)
		rc = mdb_env_open(s->env, path, MDB_NOTLS | flags, 0600);
	if (rc != 0)
		return err_set(
		    err, store_rc(rc), "cannot open the store %s: %s", path, mdb_strerror(rc));
	rc = mdb_env_get_fd(s->env, &s->data_fd);
	/* LMDB leaves this descriptor, open for writing, to every child. */
	if (rc != 0 || fcntl(s->data_fd, F_SETFD, FD_CLOEXEC) != 0)
		return err_errno(err, ERR_IO, errno, "cannot protect the store's descriptor");
	rc = mdb_reader_check(s->env, &dead);
	if (rc != 0)
		return err_set(
		    err, store_rc(rc), "cannot clear dead readers: %s", mdb_strerror(rc));
	return 0;
}

static int tables_open(struct store *s, bool create, struct err *err)
{
	MDB_stat st;
	MDB_txn *txn;
	int rc = mdb_txn_begin(s->env, NULL, create ? 0 : MDB_RDONLY, &txn);

	if (rc != 0)
		return err_set(
		    err, store_rc(rc), "cannot read the store in %s: %s", s->dir, mdb_strerror(rc));
	for (int t = 0; t < TABLE_N; t++) {
		rc = mdb_dbi_open(
		    txn, table_name((enum table)t), create ? MDB_CREATE : 0, &s->dbi[t]);
		if (rc == MDB_NOTFOUND && !create) {
			s->dbi[t] = 0; /* of an older release: reads as empty */
			rc = 0;
		}
		if (rc == 0)
			continue;
		mdb_txn_abort(txn);
		return err_set(err, store_rc(rc), "cannot open table %s: %s",
		    table_name((enum table)t), mdb_strerror(rc));
	}
	if (mdb_env_stat(s->env, &st) == 0)
		s->page_bytes = st.ms_psize;
	rc = mdb_txn_commit(txn);
	if (rc != 0)
		return err_set(err, store_rc(rc), "cannot make the tables: %s", mdb_strerror(rc));
	return 0;
}

static int meta_u32(const struct view *v, const char *key, uint32_t *ret)
{
	struct slice value;
	const uint8_t *p;
	int rc = view_get(v, TABLE_META, key, strlen(key), &value);

	if (rc != 0)
		return rc;
	if (value.n != 4)
		return ERR_CORRUPT;
	p = value.p;
	*ret = (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
	return 0;
}

/* Releases add kinds of records without a new schema: the store says what the oldest release is
 * that may read it. */
static int level_check(struct store *s, const struct view *v, struct err *err)
{
	uint32_t least = 1;
	int rc = meta_u32(v, META_MIN_READER, &least);

	if (rc != 0 && rc != ERR_NOT_FOUND)
		return rc;
	if (least > STORE_LEVEL)
		return err_set(err, ERR_UNSUPPORTED,
		    "the store in %s was written by a newer release (level %u, this program knows "
		    "%u): install that release, or restore a backup that was made before",
		    s->dir, least, STORE_LEVEL);
	s->level = least;
	return 0;
}

static int meta_load(struct store *s, const struct view *v, struct err *err)
{
	uint32_t schema = 0;
	struct slice uuid;
	int rc = meta_u32(v, "schema", &schema);

	if (rc == ERR_NOT_FOUND)
		return rc;
	if (rc == 0 && schema <= STORE_SCHEMA)
		rc = level_check(s, v, err);
	if (rc == ERR_UNSUPPORTED)
		return rc;
	if (rc == 0 && schema > STORE_SCHEMA)
		return err_set(err, ERR_UNSUPPORTED,
		    "the store in %s has schema %u, this program knows %u: install the newer "
		    "release",
		    s->dir, schema, STORE_SCHEMA);
	if (rc == 0)
		rc = meta_u32(v, "epoch", &s->epoch);
	if (rc == 0)
		rc = view_get(v, TABLE_META, "uuid", 4, &uuid);
	if (rc == 0 && uuid.n != sizeof(s->uuid))
		rc = ERR_CORRUPT;
	if (rc != 0)
		return err_set(err, ERR_CORRUPT,
		    "the store in %s has no readable meta records: run sluiced --fsck", s->dir);
	memcpy(s->uuid, uuid.p, sizeof(s->uuid));
	return 0;
}

/* From now on this release's records may be in it. */
static int level_raise(struct store *s, const struct view *v)
{
	uint8_t n[4] = {0, 0, 0, STORE_LEVEL};
	int rc = view_put(v, TABLE_META, META_MIN_READER, strlen(META_MIN_READER), n, sizeof(n));

	s->level = STORE_LEVEL;
	return rc;
}

/* One that was never formatted has a page or two of table names, made by one transaction at most:
 * the next one is the format. What is more had meta records. */
static bool is_new(const struct store *s)
{
	MDB_envinfo info;

	return mdb_env_info(s->env, &info) == 0 && info.me_last_txnid <= 1 &&
	       store_used_bytes(s) <= (uint64_t)NEW_PAGES * s->page_bytes;
}

static int meta_open(struct store *s, const struct store_options *o, struct err *err)
{
	bool may_format = o->create && !o->read_only_check;
	struct store_txn t;
	uint8_t uuid[16];
	int rc;

	store_txn_init(&t, s);
	rc = store_txn_begin(&t, may_format);
	if (rc != 0) {
		rc = err_set(err, rc, "cannot read the store in %s", s->dir);
		goto out;
	}
	rc = meta_load(s, &t.view, err);
	if (rc == ERR_NOT_FOUND && !is_new(s)) {
		rc = err_set(err, ERR_CORRUPT, "the store in %s has lost its meta records", s->dir);
		goto out;
	}
	if (rc == ERR_NOT_FOUND && may_format) {
		hash_random(uuid, sizeof(uuid));
		rc = sched_format(&t.view, uuid, o->now);
		if (rc == 0)
			rc = meta_load(s, &t.view, err);
	}
	if (rc == 0 && may_format && s->level < STORE_LEVEL)
		rc = level_raise(s, &t.view);
	if (rc == 0 && may_format)
		rc = store_txn_commit(&t);
	if (rc == ERR_NOT_FOUND)
		rc = err_set(err, ERR_NOT_FOUND, "there is no store in %s", s->dir);
	else if (rc != 0 && err && err->code == 0)
		rc = err_set(err, rc, "cannot format the store in %s: %s", s->dir, err_text(rc));
out:
	store_txn_end(&t);
	store_txn_done(&t);
	return rc;
}

uint64_t store_used_bytes(const struct store *s)
{
	MDB_envinfo info;

	if (mdb_env_info(s->env, &info) != 0)
		return 0;
	return ((uint64_t)info.me_last_pgno + 1) * s->page_bytes;
}

int store_reserve(struct store *s)
{
	uint64_t used = store_used_bytes(s);
	uint64_t want = (used + RESERVE_BYTES + RESERVE_STEP) / RESERVE_STEP * RESERVE_STEP;

	if (used + RESERVE_BYTES <= s->file_bytes)
		return 0;
	if (fallocate(s->data_fd, 0, 0, (off_t)want) == 0) {
		s->file_bytes = want;
		return 0;
	}
	if (errno == ENOSPC || errno == EDQUOT)
		return ERR_FULL;
	if (ftruncate(s->data_fd, (off_t)want) != 0)
		return ERR_IO;
	s->file_bytes = want;
	return 0;
}

/* A line of LMDB's list: process, thread, transaction, "-" where the slot rests. */
static int on_reader(const char *line, void *arg)
{
	struct store_readers *r = arg;
	unsigned long long txn;
	int pid;

	if (sscanf(line, "%d %*s %llu", &pid, &txn) != 2)
		return 0;
	r->n++;
	if (txn < r->oldest_txn)
		r->oldest_txn = txn;
	return 0;
}

int store_open(const struct store_options *o, struct store **ret, struct err *err)
{
	struct store *s = MEM_NEW(struct store);
	bool create = o->create && !o->read_only_check;
	char *data = io_path_join(o->dir, "data.mdb");
	int rc;

	s->lock_fd = -1;
	s->data_fd = -1;
	s->dir = mem_strdup(o->dir);
	rc = folder_check(s, create, err);
	if (rc == 0)
		rc = lock_take(s->dir, &s->lock_fd, err);
	if (rc == 0)
		rc = size_check(s, data, err);
	mem_free(data);
	if (rc == 0 && !create && s->file_bytes == 0)
		rc = err_set(err, ERR_NOT_FOUND, "there is no store in %s", s->dir);
	if (rc == 0)
		rc = env_open(s, s->dir, o->map_bytes, 0, err);
	if (rc == 0)
		rc = tables_open(s, create, err);
	if (rc == 0 && !o->read_only_check && store_reserve(s) != 0)
		log_warn("no room for the store's reserve: the disk is nearly full");
	if (rc == 0)
		rc = meta_open(s, o, err);
	if (rc == 0 && create) /* LMDB does not sync the folder that its files were made in */
		rc = io_fsync_dir(s->dir, err);
	if (rc != 0) {
		store_close(s);
		return rc;
	}
	*ret = s;
	return 0;
}

/* A copy lies where only its maker knows it: no lock, neither ours nor LMDB's. */
int store_open_file(const char *path, bool writable, struct store **ret, struct err *err)
{
	unsigned flags = MDB_NOSUBDIR | MDB_NOLOCK | (writable ? 0 : MDB_RDONLY);
	struct store_options o = {.create = writable};
	struct store *s = MEM_NEW(struct store);
	int rc;

	s->lock_fd = -1;
	s->data_fd = -1;
	s->dir = mem_strdup(path);
	rc = size_check(s, path, err);
	if (rc == 0 && s->file_bytes == 0)
		rc = err_set(err, ERR_CORRUPT, "%s is no store: it is empty", path);
	if (rc == 0)
		rc = env_open(s, path, 0, flags, err);
	if (rc == 0)
		rc = tables_open(s, writable, err);
	if (rc == 0) {
		o.read_only_check = true; /* never formats */
		rc = meta_open(s, &o, err);
	}
	if (rc != 0) {
		store_close(s);
		return rc;
	}
	*ret = s;
	return 0;
}

void store_readers(struct store *s, struct store_readers *ret)
{
	MDB_envinfo info;

	memset(ret, 0, sizeof(*ret));
	if (mdb_reader_check(s->env, &ret->dead) != 0 || mdb_env_info(s->env, &info) != 0)
		return;
	ret->newest_txn = info.me_last_txnid;
	ret->oldest_txn = info.me_last_txnid;
	(void)mdb_reader_list(s->env, on_reader, ret);
}

void store_close(struct store *s)
{
	if (!s)
		return;
	if (s->env)
		mdb_env_close(s->env);
	lock_give(&s->lock_fd);
	mem_free(s->dir);
	mem_free(s);
}

const uint8_t *store_uuid(const struct store *s)
{
	return s->uuid;
}

uint32_t store_epoch(const struct store *s)
{
	return s->epoch;
}
