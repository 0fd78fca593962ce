/* file.c: bytes in and out of files and pipes, plain, gzip or zstd. */
#include "sluice/kit/file.h"

#include "core/base/io.h"
#include "core/base/mem.h"
#include "core/base/str.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>
#include <zstd.h>

#define RAW_BYTES (256u << 10)
#define ZSTD_LEVEL 3

struct slu_in {
	int fd, compression;
	bool eof, ended; /* ended: the compressed stream closed properly */
	char *name;	 /* owned */
	uint8_t *raw;	 /* owned; RAW_BYTES */
	size_t at, n;
	z_stream z;
	ZSTD_DStream *zstd; /* owned, or NULL */
};

struct slu_out {
	int fd, compression;
	char *name;   /* owned */
	uint8_t *raw; /* owned; RAW_BYTES */
	size_t n;
	int64_t bytes;
	z_stream z;
	ZSTD_CStream *zstd; /* owned, or NULL */
};

int slu_compression(const char *name)
{
	if (!name || strcmp(name, "none") == 0)
		return SLU_PLAIN;
	return strcmp(name, "gzip") == 0 ? SLU_GZIP : strcmp(name, "zstd") == 0 ? SLU_ZSTD : -1;
}

const char *slu_compression_suffix(int compression)
{
	return compression == SLU_GZIP ? ".gz" : compression == SLU_ZSTD ? ".zst" : "";
}

/* More raw bytes behind what is left; false with err on failure. */
static slu_rc in_more(slu_in *in, slu_err *err)
{
	ssize_t got;

	if (in->at) {
		memmove(in->raw, in->raw + in->at, in->n - in->at);
		in->n -= in->at;
		in->at = 0;
	}
	do
		got = read(in->fd, in->raw + in->n, RAW_BYTES - in->n);
	while (got < 0 && errno == EINTR);
	if (got < 0)
		return slu_fail_errno(err, errno, "KIT.READ", "reading %s", in->name);
	in->eof = got == 0;
	in->n += (size_t)got;
	return SLU_OK;
}

static slu_rc in_detect(slu_in *in, slu_err *err)
{
	static const uint8_t gz[2] = {0x1f, 0x8b}, zst[4] = {0x28, 0xb5, 0x2f, 0xfd};
	slu_rc rc = SLU_OK;

	while (rc == SLU_OK && in->n < 4 && !in->eof)
		rc = in_more(in, err);
	if (rc != SLU_OK)
		return rc;
	if (in->n >= 2 && memcmp(in->raw, gz, 2) == 0) {
		in->compression = SLU_GZIP;
		if (inflateInit2(&in->z, 15 + 32) != Z_OK)
			return slu_fail(err, SLU_E_TRANSIENT, "KIT.GZIP", "zlib: out of memory");
	} else if (in->n >= 4 && memcmp(in->raw, zst, 4) == 0) {
		in->compression = SLU_ZSTD;
		in->zstd = ZSTD_createDStream();
		if (!in->zstd)
			return slu_fail(err, SLU_E_TRANSIENT, "KIT.ZSTD", "zstd: out of memory");
	}
	return SLU_OK;
}

slu_rc slu_in_fd(int fd, const char *what, slu_in **out, slu_err *err)
{
	slu_in *in = MEM_NEW(slu_in);
	slu_rc rc;

	in->fd = fd;
	in->name = mem_strdup(what);
	in->raw = mem_alloc(RAW_BYTES);
	rc = in_detect(in, err);
	if (rc != SLU_OK) {
		slu_in_close(in);
		return rc;
	}
	*out = in;
	return SLU_OK;
}

slu_rc slu_in_open(const char *path, slu_in **out, slu_err *err)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);

	if (fd < 0)
		return slu_fail_errno(err, errno, "KIT.OPEN", "cannot open %s", path);
	(void)posix_fadvise(fd, 0, 0, POSIX_FADV_SEQUENTIAL);
	return slu_in_fd(fd, path, out, err);
}

static slu_rc in_gzip(slu_in *in, void *buf, size_t cap, size_t *ret_n, slu_err *err)
{
	int rc;

	/* Files that were made by appending hold several members. */
	if (in->ended && in->at < in->n) {
		if (inflateReset(&in->z) != Z_OK)
			return slu_fail(
			    err, SLU_E_INTERNAL, "KIT.GZIP", "%s: zlib failed", in->name);
		in->ended = false;
	}
	in->z.next_in = in->raw + in->at;
	in->z.avail_in = (uInt)(in->n - in->at);
	in->z.next_out = buf;
	in->z.avail_out = (uInt)cap;
	rc = inflate(&in->z, Z_NO_FLUSH);
	if (rc != Z_OK && rc != Z_STREAM_END && rc != Z_BUF_ERROR)
		return slu_fail(
		    err, SLU_E_DATA, "KIT.GZIP", "%s: the gzip data is damaged", in->name);
	in->ended = rc == Z_STREAM_END;
	in->at = in->n - in->z.avail_in;
	*ret_n = cap - in->z.avail_out;
	return SLU_OK;
}

static slu_rc in_zstd(slu_in *in, void *buf, size_t cap, size_t *ret_n, slu_err *err)
{
	ZSTD_inBuffer src = {in->raw, in->n, in->at};
	ZSTD_outBuffer dst = {buf, cap, 0};
	size_t rc = ZSTD_decompressStream(in->zstd, &dst, &src);

	if (ZSTD_isError(rc))
		return slu_fail(err, SLU_E_DATA, "KIT.ZSTD", "%s: the zstd data is damaged: %s",
		    in->name, ZSTD_getErrorName(rc));
	if (src.pos != in->at || dst.pos)
		in->ended = rc == 0;
	in->at = src.pos;
	*ret_n = dst.pos;
	return SLU_OK;
}

slu_rc slu_in_read(slu_in *in, void *buf, size_t cap, size_t *ret_n, slu_err *err)
{
	slu_rc rc = SLU_OK;

	for (*ret_n = 0; *ret_n == 0 && rc == SLU_OK;) {
		if (in->at == in->n && !in->eof) {
			rc = in_more(in, err);
			continue;
		}
		if (in->compression == SLU_PLAIN) {
			*ret_n = in->n - in->at < cap ? in->n - in->at : cap;
			memcpy(buf, in->raw + in->at, *ret_n);
			in->at += *ret_n;
			return SLU_OK;
		}
		if (in->at == in->n && in->ended)
			return SLU_OK;
		rc = (in->compression == SLU_GZIP ? in_gzip : in_zstd)(in, buf, cap, ret_n, err);
		if (rc == SLU_OK && *ret_n == 0 && in->at == in->n && in->eof && !in->ended)
			return slu_fail(err, SLU_E_DATA, "KIT.CUT",
			    "%s ends early: it was not written to its end", in->name);
	}
	return rc;
}

const char *slu_in_name(const slu_in *in)
{
	return in->name;
}

void slu_in_close(slu_in *in)
{
	if (!in)
		return;
	io_close(&in->fd);
	if (in->compression == SLU_GZIP)
		(void)inflateEnd(&in->z);
	(void)ZSTD_freeDStream(in->zstd);
	mem_free(in->name);
	mem_free(in->raw);
	mem_free(in);
}

/* ---- out ---- */
slu_rc slu_out_create(const char *path, int compression, slu_out **out, slu_err *err)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0640);
	slu_out *o;

	if (fd < 0)
		return slu_fail_errno(err, errno, "KIT.CREATE", "cannot create %s", path);
	o = MEM_NEW(slu_out);
	o->fd = fd;
	o->compression = compression;
	o->name = mem_strdup(path);
	o->raw = mem_alloc(RAW_BYTES);
	if (compression == SLU_GZIP && deflateInit2(&o->z, Z_DEFAULT_COMPRESSION, Z_DEFLATED,
					   15 + 16, 8, Z_DEFAULT_STRATEGY) != Z_OK)
		o->compression = -1;
	if (compression == SLU_ZSTD) {
		o->zstd = ZSTD_createCStream();
		if (!o->zstd || ZSTD_isError(ZSTD_initCStream(o->zstd, ZSTD_LEVEL)))
			o->compression = -1;
	}
	if (o->compression < 0) {
		slu_out_abandon(o);
		return slu_fail(err, SLU_E_TRANSIENT, "KIT.MEMORY", "%s: out of memory", path);
	}
	*out = o;
	return SLU_OK;
}

static slu_rc out_flush(slu_out *o, slu_err *err)
{
	struct err e = {0};

	if (o->n && io_write_all(o->fd, o->raw, o->n, &e) < 0)
		return slu_fail_errno(err, errno ? errno : EIO, "KIT.WRITE", "writing %s", o->name);
	o->bytes += (int64_t)o->n;
	o->n = 0;
	return SLU_OK;
}

/* One step of the compressor; *ret_left: 0 when (with end) everything is out. */
static slu_rc out_step(
    slu_out *o, const uint8_t *p, size_t n, size_t *at, bool end, size_t *ret_left, slu_err *err)
{
	if (o->compression == SLU_GZIP) {
		int rc;

		o->z.next_in = (Bytef *)(uintptr_t)(p + *at);
		o->z.avail_in = (uInt)(n - *at);
		o->z.next_out = o->raw + o->n;
		o->z.avail_out = (uInt)(RAW_BYTES - o->n);
		rc = deflate(&o->z, end ? Z_FINISH : Z_NO_FLUSH);
		*at = n - o->z.avail_in;
		o->n = RAW_BYTES - o->z.avail_out;
		*ret_left = end ? rc != Z_STREAM_END : n - *at;
	} else {
		ZSTD_inBuffer src = {p, n, *at};
		ZSTD_outBuffer dst = {o->raw, RAW_BYTES, o->n};
		size_t rc =
		    ZSTD_compressStream2(o->zstd, &dst, &src, end ? ZSTD_e_end : ZSTD_e_continue);

		if (ZSTD_isError(rc))
			return slu_fail(err, SLU_E_INTERNAL, "KIT.ZSTD", "%s: %s", o->name,
			    ZSTD_getErrorName(rc));
		*at = src.pos;
		o->n = dst.pos;
		*ret_left = end ? rc : n - *at;
	}
	return o->n > RAW_BYTES / 2 ? out_flush(o, err) : SLU_OK;
}

slu_rc slu_out_write(slu_out *o, const void *p, size_t n, slu_err *err)
{
	size_t at = 0, left = n;
	slu_rc rc = SLU_OK;

	if (o->compression == SLU_PLAIN) {
		if (o->n + n > RAW_BYTES)
			rc = out_flush(o, err);
		if (rc == SLU_OK && n <= RAW_BYTES) {
			memcpy(o->raw + o->n, p, n);
			o->n += n;
		} else if (rc == SLU_OK) {
			struct err e = {0};

			if (io_write_all(o->fd, p, n, &e) < 0)
				return slu_fail_errno(
				    err, errno ? errno : EIO, "KIT.WRITE", "writing %s", o->name);
			o->bytes += (int64_t)n;
		}
		return rc;
	}
	while (rc == SLU_OK && left)
		rc = out_step(o, p, n, &at, false, &left, err);
	return rc;
}

slu_rc slu_out_finish(slu_out *o, int durable, int64_t *ret_bytes, slu_err *err)
{
	size_t at = 0, left = o->compression != SLU_PLAIN;
	slu_rc rc = SLU_OK;

	while (rc == SLU_OK && left)
		rc = out_step(o, o->raw, 0, &at, true, &left, err);
	if (rc == SLU_OK)
		rc = out_flush(o, err);
	if (rc == SLU_OK && durable && fsync(o->fd) < 0)
		rc = slu_fail_errno(err, errno, "KIT.SYNC", "cannot make %s durable", o->name);
	if (rc == SLU_OK && ret_bytes)
		*ret_bytes = o->bytes;
	slu_out_abandon(o);
	return rc;
}

void slu_out_abandon(slu_out *o)
{
	if (!o)
		return;
	io_close(&o->fd);
	if (o->compression == SLU_GZIP)
		(void)deflateEnd(&o->z);
	(void)ZSTD_freeCStream(o->zstd);
	mem_free(o->name);
	mem_free(o->raw);
	mem_free(o);
}

/* ---- small files ---- */
char *slu_path(const slu_host *host, slu_run *run, const char *path)
{
	const slu_attempt *a = host->attempt ? host->attempt(run) : NULL;

	return a && a->base_dir && *a->base_dir ? io_path_join(a->base_dir, path)
						: mem_strdup(path);
}

void slu_free(void *p)
{
	mem_free(p);
}

slu_rc slu_file_replace(const char *path, const void *p, size_t n, slu_err *err)
{
	struct err e = {0};

	errno = 0;
	if (io_write_file(path, p, n, 0640, &e) < 0)
		return slu_fail(err, slu_rc_from_errno(errno), "KIT.WRITE", "%s", e.text);
	return SLU_OK;
}

slu_rc slu_file_read(const char *path, size_t max, char **ret, size_t *ret_n, slu_err *err)
{
	struct str s;
	struct err e = {0};
	struct stat st;

	if (stat(path, &st) < 0)
		return slu_fail_errno(err, errno, "KIT.OPEN", "cannot open %s", path);
	str_init(&s, max);
	if (io_read_file(path, max, &s, &e) < 0) {
		str_done(&s);
		return slu_fail(err, e.code == ERR_LIMIT ? SLU_E_DATA : SLU_E_TRANSIENT, "KIT.READ",
		    "%s", e.text);
	}
	if (ret_n)
		*ret_n = s.len;
	*ret = str_take(&s);
	return SLU_OK;
}

slu_rc slu_mkdirs(const char *path, slu_err *err)
{
	struct err e = {0};

	errno = 0;
	if (io_mkdirs(path, 0750, &e) < 0)
		return slu_fail(err, slu_rc_from_errno(errno), "KIT.MKDIR", "%s", e.text);
	return SLU_OK;
}

slu_rc slu_fsync_dir(const char *path, slu_err *err)
{
	struct err e = {0};

	errno = 0;
	if (io_fsync_dir(path, &e) < 0)
		return slu_fail(err, slu_rc_from_errno(errno), "KIT.SYNC", "%s", e.text);
	return SLU_OK;
}
