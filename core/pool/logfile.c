/* logfile.c: the parts of an attempt's log. Owner: pool; read by the daemon. */
#include "core/pool/logfile.h"

#include "core/base/io.h"
#include "core/base/mem.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define PART_PATH_MAX 4200
/* A pipe that somebody put there must not hold up who reads or writes. */
#define LOG_WRITE (O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK)

void logfile_init(struct logfile *f, const char *path)
{
	memset(f, 0, sizeof(*f));
	f->path = mem_strdup(path);
	f->fd = -1;
}

void logfile_done(struct logfile *f)
{
	io_close(&f->fd);
	mem_free(f->path);
	f->path = NULL;
}

static void part_path(char *out, const char *path, uint64_t part)
{
	if (part == 0)
		snprintf(out, PART_PATH_MAX, "%s", path);
	else
		snprintf(out, PART_PATH_MAX, "%s.%" PRIu64, path, part);
}

/* Of a pool that runs as root: the daemon's user, which reads the logs and removes them. */
static uid_t owner;
static gid_t owner_group;
static bool has_owner;

void logfile_owner(uid_t uid, gid_t gid)
{
	owner = uid;
	owner_group = gid;
	has_owner = true;
}

/* logs/DAG/RUN: three folders, each of which may be new. */
static void give_folders(char *dir)
{
	char *slash;

	for (int i = 0; has_owner && i < 3; i++) {
		if (chown(dir, owner, owner_group) != 0)
			return; /* the log is whole, only the daemon cannot read it: doctor says so
				 */
		slash = strrchr(dir, '/');
		if (slash == NULL || slash == dir)
			return;
		*slash = '\0';
	}
}

static int open_part(struct logfile *f, uint64_t part, struct err *err)
{
	char path[PART_PATH_MAX];
	char *dir;
	int rc;

	io_close(&f->fd);
	part_path(path, f->path, part);
	f->fd = open(path, LOG_WRITE, 0640);
	if (f->fd < 0 && errno == ENOENT) {
		dir = io_path_dir(path);
		rc = io_mkdirs(dir, 0750, err);
		if (rc == 0)
			give_folders(dir);
		mem_free(dir);
		if (rc != 0)
			return rc;
		f->fd = open(path, LOG_WRITE, 0640);
	}
	if (f->fd < 0)
		return err_errno(
		    err, errno == ENOSPC ? ERR_FULL : ERR_IO, errno, "cannot open log %s", path);
	if (has_owner && fchown(f->fd, owner, owner_group) != 0)
		return err_errno(err, ERR_IO, errno, "cannot give log %s to the daemon", path);
	if (part > LOGFILE_TAIL) {
		part_path(path, f->path, part - LOGFILE_TAIL);
		unlink(path);
	}
	return 0;
}

/* The lowest part that is there and not below `part`; UINT64_MAX: none. */
static uint64_t first_part_from(const char *path, uint64_t part)
{
	char *dir = io_path_dir(path), *end;
	const char *name = strrchr(path, '/');
	size_t n;
	uint64_t best = UINT64_MAX, k;
	struct dirent *e;
	DIR *d = opendir(dir);

	name = name != NULL ? name + 1 : path;
	n = strlen(name);
	while (d != NULL && (e = readdir(d)) != NULL) {
		if (strncmp(e->d_name, name, n) != 0 || e->d_name[n] != '.')
			continue;
		k = strtoull(e->d_name + n + 1, &end, 10);
		if (*end == '\0' && end > e->d_name + n + 1 && k >= part && k < best)
			best = k;
	}
	if (d != NULL)
		closedir(d);
	mem_free(dir);
	return best;
}

/* What an earlier writer left is kept: on behind it. */
static int open_first(struct logfile *f, struct err *err)
{
	uint64_t part = 0, next;
	struct stat st;
	int rc = open_part(f, 0, err);

	if (rc != 0 || fstat(f->fd, &st) != 0)
		return rc;
	if (st.st_size < (off_t)LOGFILE_PART) {
		f->offset = (uint64_t)st.st_size;
		return 0;
	}
	while ((next = first_part_from(f->path, part + 1)) != UINT64_MAX)
		part = next;
	rc = part > 0 ? open_part(f, part, err) : 0;
	if (rc != 0 || fstat(f->fd, &st) != 0)
		return rc;
	f->offset = part * LOGFILE_PART + (uint64_t)st.st_size;
	return f->offset % LOGFILE_PART == 0 ? open_part(f, f->offset / LOGFILE_PART, err) : 0;
}

static int add_some(struct logfile *f, const char *p, size_t n, size_t *ret_n, struct err *err)
{
	uint64_t at;
	ssize_t done;
	int rc = 0;

	if (f->fd < 0 && f->offset == 0)
		rc = open_first(f, err);
	else if (f->offset % LOGFILE_PART == 0 || f->fd < 0)
		rc = open_part(f, f->offset / LOGFILE_PART, err);
	if (rc != 0)
		return rc;
	at = f->offset % LOGFILE_PART;
	if (n > LOGFILE_PART - at)
		n = (size_t)(LOGFILE_PART - at);
	do
		done = write(f->fd, p, n);
	while (done < 0 && errno == EINTR);
	if (done < 0)
		return err_errno(err, errno == ENOSPC || errno == EDQUOT ? ERR_FULL : ERR_IO, errno,
		    "cannot write log %s", f->path);
	f->offset += (uint64_t)done;
	*ret_n = (size_t)done;
	return 0;
}

static int add_all(struct logfile *f, const char *p, size_t n, struct err *err)
{
	size_t done = 0;
	int rc;

	while (n > 0) {
		rc = add_some(f, p, n, &done, err);
		if (rc != 0) {
			f->error = rc;
			f->dropped += n;
			return rc;
		}
		p += done;
		n -= done;
	}
	return 0;
}

int logfile_add(struct logfile *f, const char *p, size_t n, struct err *err)
{
	char line[96];
	uint64_t dropped = f->dropped;
	int k;

	if (f->error != 0 && dropped > 0) {
		k = snprintf(line, sizeof(line), "\n[… %" PRIu64 " bytes could not be written …]\n",
		    dropped);
		f->dropped = 0;
		if (add_all(f, line, (size_t)k, err) != 0) {
			f->dropped = dropped + n;
			return f->error;
		}
		f->error = 0;
	}
	return add_all(f, p, n, err);
}

/* ---- reading ---- */

static int read_part(
    const char *path, uint64_t offset, void *buf, size_t cap, size_t *ret_n, struct err *err)
{
	char name[PART_PATH_MAX];
	ssize_t n;
	int fd, saved;

	part_path(name, path, offset / LOGFILE_PART);
	fd = open(name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	if (fd < 0)
		return err_errno(err, errno == ENOENT ? ERR_NOT_FOUND : ERR_IO, errno,
		    "cannot open log %s", name);
	do
		n = pread(fd, buf, cap, (off_t)(offset % LOGFILE_PART));
	while (n < 0 && errno == EINTR);
	saved = errno;
	close(fd);
	if (n < 0)
		return err_errno(err, ERR_IO, saved, "cannot read log %s", name);
	*ret_n = (size_t)n;
	return 0;
}

int logfile_read(const char *path, uint64_t offset, void *buf, size_t cap,
    struct logfile_piece *ret, struct err *err)
{
	struct logfile_piece r = {.offset = offset, .next = offset};
	uint64_t part;
	int rc, tries;

	/* A part may go between the look and the read; the next one is then there. */
	for (tries = 0; tries < 3; tries++) {
		rc = read_part(path, r.offset, buf, cap, &r.n, err);
		if (rc == 0)
			break;
		if (rc != ERR_NOT_FOUND)
			return rc;
		part = first_part_from(path, r.offset / LOGFILE_PART);
		if (part == UINT64_MAX) {
			r.n = 0;
			break;
		}
		r.gap = part * LOGFILE_PART - offset;
		r.offset = part * LOGFILE_PART;
	}
	err_clear(err);
	r.next = r.offset + r.n;
	*ret = r;
	return 0;
}

void logfile_remove(const char *path)
{
	char name[PART_PATH_MAX];
	uint64_t part;

	while ((part = first_part_from(path, 1)) != UINT64_MAX) {
		part_path(name, path, part);
		if (unlink(name) != 0)
			break;
	}
	unlink(path);
}
