/* copy.c: whole copies of a store: backup of a running one, compact of one that rests. A copy is
 * made by LMDB itself from one snapshot, opened again, proven by fsck and only then given a name.
 */
#define LOG_AT "store"
#include "core/store/copy.h"

#include "core/base/io.h"
#include "core/base/mem.h"
#include "core/sched/audit.h"
#include "core/sched/codec.h"
#include "core/sched/table.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#define SPARE_BYTES (UINT64_C(16) << 20)

static int room_check(const char *path, uint64_t bytes, struct err *err)
{
	char *dir = mem_strdup(path), *slash = strrchr(dir, '/');
	struct statvfs fs;
	int rc = 0;

	if (slash)
		*slash = 0;
	if (statvfs(slash ? dir : ".", &fs) == 0 &&
	    (uint64_t)fs.f_bavail * fs.f_frsize < bytes + SPARE_BYTES)
		rc = err_set(err, ERR_FULL,
		    "a copy of the store needs %llu MiB in %s, which has %llu MiB free",
		    (unsigned long long)((bytes + SPARE_BYTES) >> 20), slash ? dir : ".",
		    (unsigned long long)((uint64_t)fs.f_bavail * fs.f_frsize >> 20));
	mem_free(dir);
	return rc;
}

int copy_make(struct store *s, const char *path, struct err *err)
{
	int rc = room_check(path, store_live_bytes(s), err), fd;

	if (rc != 0)
		return rc;
	fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0)
		return err_errno(err, ERR_IO, errno, "cannot make %s", path);
	rc = mdb_env_copyfd2(s->env, fd, MDB_CP_COMPACT);
	if (rc != 0)
		rc = err_set(
		    err, store_rc(rc), "cannot copy the store to %s: %s", path, mdb_strerror(rc));
	else if (fsync(fd) != 0)
		rc = err_errno(err, ERR_IO, errno, "cannot sync %s", path);
	io_close(&fd);
	if (rc != 0)
		unlink(path);
	return rc;
}

static int meta_info(const struct view *v, struct store_copy *ret)
{
	uint64_t n = 0;
	struct slice s;
	int rc = meta_get(v, META_SCHEMA, &n);

	ret->schema = (uint32_t)n;
	if (rc == 0)
		rc = meta_get(v, META_EPOCH, &n);
	ret->epoch = (uint32_t)n;
	if (rc == 0)
		rc = view_get(v, TABLE_META, META_UUID, strlen(META_UUID), &s);
	if (rc == 0 && s.n != sizeof(ret->uuid))
		rc = ERR_CORRUPT;
	if (rc != 0)
		return rc;
	memcpy(ret->uuid, s.p, sizeof(ret->uuid));
	ret->copied_at = meta_get(v, META_COPIED, &n) == 0 ? (wall_us)n : TIME_NONE;
	ret->next_run = meta_get(v, META_NEXT_RUN, &n) == 0 ? n : 1;
	ret->next_event = meta_get(v, META_NEXT_EVENT, &n) == 0 ? n : 1;
	return 0;
}

int copy_info(struct store *s, struct store_copy *ret, struct err *err)
{
	struct store_read *read;
	const struct view *v;
	int rc = store_read_new(s, &read, err);

	memset(ret, 0, sizeof(*ret));
	if (rc != 0)
		return rc;
	v = store_read_begin(read);
	rc = v ? meta_info(v, ret) : ERR_IO;
	store_read_free(read);
	if (rc != 0)
		return err_set(err, rc, "the store's meta records cannot be read");
	ret->bytes = store_used_bytes(s);
	return 0;
}

int copy_prove(struct store *s, const char *path, struct err *err)
{
	struct fsck_report report = {0};
	struct store_read *read;
	const struct view *v;
	int rc = store_read_new(s, &read, err);

	if (rc != 0)
		return rc;
	v = store_read_begin(read);
	rc = v ? fsck_run(v, &report, err) : err_set(err, ERR_IO, "%s cannot be read", path);
	if (rc == 0 && report.problems)
		rc = err_set(err, ERR_CORRUPT, "%s has %llu problems; the first: %.*s", path,
		    (unsigned long long)report.problems, (int)strcspn(str_peek(&report.text), "\n"),
		    str_peek(&report.text));
	fsck_done(&report);
	store_read_free(read);
	return rc;
}

static int stamp(struct store *s, wall_us now)
{
	struct store_txn t;
	int rc;

	store_txn_init(&t, s);
	rc = store_txn_begin(&t, true);
	if (rc == 0)
		rc = meta_put(&t.view, META_COPIED, (uint64_t)now);
	if (rc == 0)
		rc = store_txn_commit(&t);
	store_txn_end(&t);
	store_txn_done(&t);
	return rc;
}

int store_backup(
    struct store *s, const char *path, wall_us now, struct store_copy *ret, struct err *err)
{
	struct store *copy = NULL;
	int rc = copy_make(s, path, err);

	if (rc != 0)
		return rc;
	rc = store_open_file(path, true, &copy, err);
	if (rc == 0 && (rc = stamp(copy, now)) != 0)
		err_set(err, rc, "cannot write into %s: %s", path, err_text(rc));
	if (rc == 0)
		rc = copy_prove(copy, path, err);
	if (rc == 0)
		rc = copy_info(copy, ret, err);
	store_close(copy);
	if (rc != 0)
		unlink(path);
	return rc;
}

/* ---- compact ---- */

static uint64_t file_bytes(const char *path)
{
	struct stat st;

	return stat(path, &st) == 0 ? (uint64_t)st.st_size : 0;
}

static int note_compact(struct store *s, wall_us now, const char *actor, uint64_t before)
{
	struct store_txn t;
	char text[64];
	int rc;

	snprintf(text, sizeof(text), "%llu bytes before", (unsigned long long)before);
	store_txn_init(&t, s);
	rc = store_txn_begin(&t, true);
	if (rc == 0)
		rc = audit_note(&t.view, now, actor, "compact", "store", text);
	if (rc == 0)
		rc = store_txn_commit(&t);
	store_txn_end(&t);
	store_txn_done(&t);
	return rc;
}

static int compact_into(const char *dir, const char *tmp, wall_us now, const char *actor,
    uint64_t before, struct err *err)
{
	struct store_options o = {.dir = dir, .read_only_check = true};
	struct store *s = NULL, *copy = NULL;
	char *data = io_path_join(dir, "data.mdb");
	int rc = store_open(&o, &s, err);

	if (rc == 0) {
		unlink(tmp); /* of one that was killed */
		rc = copy_make(s, tmp, err);
	}
	if (rc == 0)
		rc = store_open_file(tmp, true, &copy, err);
	if (rc == 0 && (rc = note_compact(copy, now, actor, before)) != 0)
		err_set(err, rc, "cannot write into %s: %s", tmp, err_text(rc));
	if (rc == 0)
		rc = copy_prove(copy, tmp, err);
	store_close(copy);
	if (rc == 0 && rename(tmp, data) != 0)
		rc = err_errno(err, ERR_IO, errno, "cannot put the copy in place of %s", data);
	if (rc == 0)
		rc = io_fsync_dir(dir, err);
	store_close(s);
	mem_free(data);
	return rc;
}

int store_compact(const char *dir, wall_us now, const char *actor, uint64_t *ret_before,
    uint64_t *ret_after, struct err *err)
{
	char *data = io_path_join(dir, "data.mdb"), *tmp = io_path_join(dir, "data.mdb.compact");
	int rc;

	*ret_before = file_bytes(data);
	rc = compact_into(dir, tmp, now, actor, *ret_before, err);
	if (rc != 0)
		unlink(tmp);
	*ret_after = file_bytes(data);
	mem_free(data);
	mem_free(tmp);
	return rc;
}
