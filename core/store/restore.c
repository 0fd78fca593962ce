/* restore.c: a backup takes the place of the store while no daemon holds it. The backup is copied
 * into the state folder, proven there, made fit (core/sched/restore.c), and put in place by one
 * rename; the replaced file stays beside it under another name. */
#define LOG_AT "store"
#include "core/store/copy.h"

#include "core/base/io.h"
#include "core/base/mem.h"
#include "core/sched/audit.h"
#include "core/sched/restore.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define EPOCH_FROM_S INT64_C(1577836800) /* 2020-01-01 */
#define PIECE (1u << 20)

static int copy_bytes(int from, int to, const char *path, struct err *err)
{
	char *buf = mem_alloc(PIECE);
	ssize_t n;
	int rc = 0;

	while (rc == 0 && (n = read(from, buf, PIECE)) != 0) {
		if (n < 0 && errno == EINTR)
			continue;
		rc = n < 0 ? err_errno(err, ERR_IO, errno, "cannot read the backup")
			   : io_write_all(to, buf, (size_t)n, err);
	}
	mem_free(buf);
	if (rc == 0 && fsync(to) != 0)
		rc = err_errno(err, ERR_IO, errno, "cannot sync %s", path);
	return rc;
}

static int take_in(const char *file, const char *tmp, struct err *err)
{
	int from = open(file, O_RDONLY | O_CLOEXEC), to, rc;

	if (from < 0)
		return err_errno(
		    err, errno == ENOENT ? ERR_NOT_FOUND : ERR_IO, errno, "cannot read %s", file);
	unlink(tmp); /* of a restore that was killed */
	to = open(tmp, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
	rc = to < 0 ? err_errno(err, ERR_IO, errno, "cannot make %s", tmp)
		    : copy_bytes(from, to, tmp, err);
	io_close(&from);
	io_close(&to);
	return rc;
}

static void old_info(int to, const char *data)
{
	struct store *old = NULL;
	struct store_copy info;

	if (store_open_file(data, false, &old, NULL) != 0 || copy_info(old, &info, NULL) != 0 ||
	    write(to, &info, sizeof(info)) != (ssize_t)sizeof(info))
		_exit(1);
	_exit(0);
}

/* How far the replaced store came, read in a child: it may be so broken that LMDB ends the process.
 * Where it cannot be read, numbers and epoch jump. */
static void look_at_old(const char *data, struct store_restored *r)
{
	int fds[2];
	pid_t child;

	r->had_old = access(data, F_OK) == 0;
	if (!r->had_old || pipe2(fds, O_CLOEXEC) != 0)
		return;
	child = fork();
	if (child == 0)
		old_info(fds[1], data);
	io_close(&fds[1]);
	r->old_read = child > 0 && read(fds[0], &r->old, sizeof(r->old)) == (ssize_t)sizeof(r->old);
	io_close(&fds[0]);
	if (child > 0)
		waitpid(child, NULL, 0);
}

static int note(
    const struct view *v, const struct store_restored *r, wall_us now, const char *actor)
{
	char at[CLOCK_TEXT_MAX] = "an unknown time", text[CLOCK_TEXT_MAX + 32];

	if (r->backup.copied_at != TIME_NONE)
		clock_format(r->backup.copied_at, at);
	snprintf(text, sizeof(text), "the backup of %s", at);
	return audit_note(v, now, actor, "restore", "store", text);
}

static int make_fit(struct store *s, const struct store_restored *r, wall_us now, const char *actor,
    struct err *err)
{
	struct restore_from from = {
	    .epoch_least = (uint32_t)((now / US_PER_S - EPOCH_FROM_S) / 60)};
	struct store_txn t;
	int rc;

	if (r->old_read) {
		from.next_event = r->old.next_event;
		from.next_run = r->old.next_run;
		from.epoch = r->old.epoch;
	}
	store_txn_init(&t, s);
	rc = store_txn_begin(&t, true);
	if (rc == 0)
		rc = sched_restore(&t.view, &from);
	if (rc == 0)
		rc = note(&t.view, r, now, actor);
	if (rc == 0)
		rc = store_txn_commit(&t);
	store_txn_end(&t);
	store_txn_done(&t);
	return rc == 0 ? 0 : err_set(err, rc, "the backup cannot be changed: %s", err_text(rc));
}

static int keep_old(
    const char *dir, const char *data, wall_us now, struct store_restored *r, struct err *err)
{
	char name[CLOCK_TEXT_MAX + 32] = "data.mdb.before-restore-";

	if (!r->had_old)
		return 0;
	clock_format(now, name + strlen(name));
	r->kept = io_path_join(dir, name);
	/* a second name, so that there is a store under the first at every moment */
	if (link(data, r->kept) != 0)
		return err_errno(
		    err, ERR_IO, errno, "cannot keep the replaced store as %s", r->kept);
	return 0;
}

/* The backup as it is to be: it was proven as it came, and is once more as it was made. */
static int prepare(const char *tmp, const char *file, wall_us now, const char *actor,
    struct store_restored *r, struct err *err)
{
	struct store *s = NULL;
	int rc = store_open_file(tmp, true, &s, err);

	if (rc == 0)
		rc = copy_info(s, &r->backup, err);
	if (rc == 0)
		rc = make_fit(s, r, now, actor, err);
	if (rc == 0)
		rc = copy_prove(s, file, err);
	if (rc == 0)
		rc = copy_info(s, &r->is, err);
	store_close(s);
	return rc;
}

static int put_in_place(const char *dir, const char *tmp, const char *data, wall_us now,
    struct store_restored *r, struct err *err)
{
	char *lock = io_path_join(dir, "lock.mdb");
	int rc = keep_old(dir, data, now, r, err);

	if (rc == 0 && rename(tmp, data) != 0)
		rc = err_errno(err, ERR_IO, errno, "cannot put the backup in place of %s", data);
	if (rc == 0) {
		unlink(lock); /* its table of readers was of the other file */
		rc = io_fsync_dir(dir, err);
	}
	mem_free(lock);
	return rc;
}

int store_restore(const char *dir, const char *file, wall_us now, const char *actor,
    struct store_restored *ret, struct err *err)
{
	char *data = io_path_join(dir, "data.mdb"), *tmp = io_path_join(dir, "data.mdb.restore");
	struct store_lock *lock = NULL;
	int rc = 0;

	memset(ret, 0, sizeof(*ret));
	if (access(file, R_OK) != 0)
		rc = err_errno(err, errno == ENOENT ? ERR_NOT_FOUND : ERR_IO, errno,
		    "cannot read the backup %s", file);
	else if (mkdir(dir, 0700) != 0 && errno != EEXIST)
		rc = err_errno(err, ERR_IO, errno, "cannot make the state folder %s", dir);
	if (rc == 0)
		rc = store_lock(dir, &lock, err);
	if (rc == 0)
		rc = copy_probe(file, true, err);
	if (rc == 0)
		rc = take_in(file, tmp, err);
	if (rc == 0) {
		look_at_old(data, ret);
		rc = prepare(tmp, file, now, actor, ret, err);
	}
	if (rc == 0)
		rc = put_in_place(dir, tmp, data, now, ret, err);
	if (rc != 0 && lock)
		unlink(tmp);
	store_unlock(lock);
	mem_free(data);
	mem_free(tmp);
	return rc;
}

void store_restored_done(struct store_restored *r)
{
	mem_free(r->kept);
	r->kept = NULL;
}
