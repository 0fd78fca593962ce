/* io.h: descriptors and files, blocking or not as the descriptor is. Every descriptor is
 * close-on-exec at birth. */
#ifndef CORE_BASE_IO_H
#define CORE_BASE_IO_H

#include "core/base/err.h"
#include "core/base/str.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* Whole file, at most max bytes (ERR_LIMIT beyond). */
int io_read_file(const char *path, size_t max, struct str *out, struct err *err) CHECK_RESULT;
/* Temporary name in the same folder, fsync, rename, fsync of the folder. */
int io_write_file(
    const char *path, const void *p, size_t n, mode_t mode, struct err *err) CHECK_RESULT;
int io_write_all(int fd, const void *p, size_t n,
    struct err *err) CHECK_RESULT; /* retries EINTR and short writes */
int io_mkdirs(const char *path, mode_t mode,
    struct err *err) CHECK_RESULT; /* and parents; existing is fine */
int io_fsync_dir(const char *path, struct err *err) CHECK_RESULT;
int io_set_nonblock(int fd, bool on);
int io_set_cloexec(int fd, bool on);
void io_close(int *fd); /* accepts -1; sets -1 */
/* base/name, or name itself when it is absolute. Caller frees. */
char *io_path_join(const char *base, const char *name);
char *io_path_dir(const char *path); /* folder part, "." where there is none; caller frees */
/* A sealed memfd holding the bytes (F_SEAL_WRITE|SHRINK|GROW|SEAL), offset 0; -1 with err on
 * failure. */
int io_memfd(const char *name, const void *p, size_t n, struct err *err);
int io_read_memfd(
    int fd, size_t max, struct str *out, struct err *err) CHECK_RESULT; /* demands the seals */

#endif
