/* io.c: files, folders, descriptors, sealed memory files. */
#include "core/base/io.h"

#include "core/base/hash.h"
#include "core/base/mem.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define IO_CHUNK 65536
#define IO_SEALS (F_SEAL_WRITE | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL)

/* Reads fd to its end into `in`, whose maximum is one more than what is allowed. */
static int read_to_end(int fd, const char *name, size_t hint, struct str *in, struct err *err)
{
	size_t room = hint < in->max ? hint + 1 : in->max;
	ssize_t n;

	for (;;) {
		if (room > in->max - in->len)
			room = in->max - in->len;
		if (room == 0)
			return err_set(err, ERR_LIMIT, "%s is larger than the %zu bytes allowed",
			    name, in->max - 1);
		if (!str_reserve(in, room))
			return err_set(err, ERR_NOMEM, "no memory to read %s", name);
		n = read(fd, in->s + in->len, room);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return err_errno(err, ERR_IO, errno, "cannot read %s", name);
		in->len += (size_t)n;
		in->s[in->len] = '\0';
		if (n == 0)
			return 0;
		room = IO_CHUNK;
	}
}

/* Moves what was read into out: without a copy where out is empty. */
static int hand_over(struct str *in, const char *name, struct str *out, struct err *err)
{
	if (out->len == 0 && in->len <= out->max) {
		size_t max = out->max;

		str_done(out);
		*out = *in;
		out->max = max;
		str_init(in, 0);
		return 0;
	}
	if (in->len > out->max || out->len > out->max - in->len)
		return err_set(err, ERR_LIMIT, "%s does not fit into %zu bytes", name, out->max);
	str_addn(out, in->s, in->len);
	return out->failed ? err_set(err, ERR_NOMEM, "no memory to read %s", name) : 0;
}

static int read_whole(int fd, const char *name, size_t max, struct str *out, struct err *err)
{
	struct stat st;
	struct str in;
	int rc;

	if (fstat(fd, &st) != 0)
		return err_errno(err, ERR_IO, errno, "cannot read %s", name);
	if (S_ISREG(st.st_mode) && (uint64_t)st.st_size > max)
		return err_set(
		    err, ERR_LIMIT, "%s is larger than the %zu bytes allowed", name, max);
	str_init(&in, max < SIZE_MAX - 1 ? max + 1 : max);
	rc = read_to_end(fd, name, S_ISREG(st.st_mode) ? (size_t)st.st_size : 0, &in, err);
	if (rc == 0)
		rc = hand_over(&in, name, out, err);
	str_done(&in);
	return rc;
}

int io_read_file(const char *path, size_t max, struct str *out, struct err *err)
{
	int fd, rc;

	fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	if (fd < 0)
		return err_errno(
		    err, errno == ENOENT ? ERR_NOT_FOUND : ERR_IO, errno, "cannot open %s", path);
	rc = read_whole(fd, path, max, out, err);
	io_close(&fd);
	return rc;
}

int io_write_all(int fd, const void *p, size_t n, struct err *err)
{
	const char *at = p;
	struct pollfd wait = {.fd = fd, .events = POLLOUT};
	ssize_t done;

	while (n > 0) {
		done = write(fd, at, n);
		if (done < 0 && errno == EINTR)
			continue;
		if (done < 0 && errno == EAGAIN && poll(&wait, 1, -1) >= 0)
			continue;
		if (done < 0)
			return err_errno(err,
			    errno == ENOSPC || errno == EDQUOT ? ERR_FULL : ERR_IO, errno,
			    "cannot write");
		at += done;
		n -= (size_t)done;
	}
	return 0;
}

/* Writes, syncs and closes the temporary file. */
static int fill_file(
    int fd, const char *path, const void *p, size_t n, mode_t mode, struct err *err)
{
	int rc = io_write_all(fd, p, n, err);

	if (rc != 0)
		err_prefix(err, "%s", path);
	else if (fchmod(fd, mode) != 0 || fsync(fd) != 0)
		rc = err_errno(err, ERR_IO, errno, "cannot write %s", path);
	if (close(fd) != 0 && rc == 0)
		rc = err_errno(err, ERR_IO, errno, "cannot write %s", path);
	return rc;
}

int io_write_file(const char *path, const void *p, size_t n, mode_t mode, struct err *err)
{
	uint8_t salt[8];
	char hex[2 * sizeof(salt) + 1];
	char *dir = io_path_dir(path), *tmp = NULL;
	int fd, rc;

	hash_random(salt, sizeof(salt));
	hash_to_hex(salt, sizeof(salt), hex);
	if (asprintf(&tmp, "%s.%s.tmp", path, hex) < 0) {
		tmp = NULL;
		rc = err_set(err, ERR_NOMEM, "no memory to write %s", path);
		goto out;
	}
	fd = open(tmp, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0) {
		rc = err_errno(err, ERR_IO, errno, "cannot create %s", tmp);
		goto out;
	}
	rc = fill_file(fd, path, p, n, mode, err);
	if (rc == 0 && rename(tmp, path) != 0)
		rc = err_errno(err, ERR_IO, errno, "cannot rename %s to %s", tmp, path);
	if (rc != 0)
		unlink(tmp);
	else
		rc = io_fsync_dir(dir, err);
out:
	free(tmp);
	mem_free(dir);
	return rc;
}

int io_fsync_dir(const char *path, struct err *err)
{
	int fd, rc = 0;

	fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return err_errno(err, ERR_IO, errno, "cannot open folder %s", path);
	if (fsync(fd) != 0)
		rc = err_errno(err, ERR_IO, errno, "cannot sync folder %s", path);
	io_close(&fd);
	return rc;
}

static int make_dir(const char *path, mode_t mode, struct err *err)
{
	struct stat st;

	if (mkdir(path, mode) == 0)
		return 0;
	if (errno != EEXIST)
		return err_errno(err, ERR_IO, errno, "cannot make folder %s", path);
	if (stat(path, &st) != 0)
		return err_errno(err, ERR_IO, errno, "cannot make folder %s", path);
	if (!S_ISDIR(st.st_mode))
		return err_set(err, ERR_EXISTS, "%s exists and is no folder", path);
	return 0;
}

int io_mkdirs(const char *path, mode_t mode, struct err *err)
{
	char *copy, *p;
	int rc = 0;

	if (*path == '\0')
		return err_set(err, ERR_USAGE, "a folder has an empty name");
	if (mkdir(path, mode) == 0) /* mostly only the last one is missing */
		return 0;
	copy = mem_strdup(path);
	for (p = copy + 1; rc == 0 && *p != '\0'; p++) {
		if (*p != '/')
			continue;
		*p = '\0';
		rc = make_dir(copy, mode, err);
		*p = '/';
	}
	if (rc == 0)
		rc = make_dir(copy, mode, err);
	mem_free(copy);
	return rc;
}

int io_set_nonblock(int fd, bool on)
{
	int flags = fcntl(fd, F_GETFL);

	if (flags < 0)
		return ERR_IO;
	flags = on ? flags | O_NONBLOCK : flags & ~O_NONBLOCK;
	return fcntl(fd, F_SETFL, flags) == 0 ? 0 : ERR_IO;
}

int io_set_cloexec(int fd, bool on)
{
	return fcntl(fd, F_SETFD, on ? FD_CLOEXEC : 0) == 0 ? 0 : ERR_IO;
}

void io_close(int *fd)
{
	int saved = errno;

	if (*fd >= 0)
		close(*fd);
	*fd = -1;
	errno = saved;
}

char *io_path_join(const char *base, const char *name)
{
	size_t n = strlen(base), m = strlen(name);
	char *path;
	bool slash;

	if (name[0] == '/' || n == 0)
		return mem_strdup(name);
	slash = base[n - 1] != '/';
	path = mem_alloc(n + slash + m + 1);
	memcpy(path, base, n);
	if (slash)
		path[n] = '/';
	memcpy(path + n + slash, name, m + 1);
	return path;
}

char *io_path_dir(const char *path)
{
	const char *slash = strrchr(path, '/');

	if (slash == NULL)
		return mem_strdup(".");
	while (slash > path && slash[-1] == '/')
		slash--;
	return slash == path ? mem_strdup("/") : mem_strndup(path, (size_t)(slash - path));
}

int io_memfd(const char *name, const void *p, size_t n, struct err *err)
{
	int fd;

	fd = memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING);
	if (fd < 0) {
		err_errno(err, ERR_IO, errno, "cannot make memory file %s", name);
		return -1;
	}
	if (io_write_all(fd, p, n, err) != 0) {
		err_prefix(err, "memory file %s", name);
		io_close(&fd);
		return -1;
	}
	if (lseek(fd, 0, SEEK_SET) != 0 || fcntl(fd, F_ADD_SEALS, IO_SEALS) != 0) {
		err_errno(err, ERR_IO, errno, "cannot seal memory file %s", name);
		io_close(&fd);
		return -1;
	}
	return fd;
}

int io_read_memfd(int fd, size_t max, struct str *out, struct err *err)
{
	int seals = fcntl(fd, F_GET_SEALS);

	/* Without the seals the sender could change the bytes while they are parsed. */
	if (seals < 0 || (seals & IO_SEALS) != IO_SEALS)
		return err_set(err, ERR_REFUSED, "the payload is not a sealed memory file");
	if (lseek(fd, 0, SEEK_SET) != 0)
		return err_errno(err, ERR_IO, errno, "cannot rewind the payload");
	return read_whole(fd, "the payload", max, out, err);
}
