/* file.h: bytes in and out, plain, gzip or zstd. */
#ifndef SLUICE_KIT_FILE_H
#define SLUICE_KIT_FILE_H
#include "sluice/kit/error.h"
#ifdef __cplusplus
extern "C" {
#endif

enum { SLU_PLAIN = 0, SLU_GZIP = 1, SLU_ZSTD = 2 };
/* "none" "gzip" "zstd" or NULL (none); -1 for anything else. And the file suffix: "" ".gz" ".zst".
 */
int slu_compression(const char *name);
const char *slu_compression_suffix(int compression);

typedef struct slu_in slu_in;
/* Compression is seen from the first bytes. Errors of the system: as slu_rc_from_errno. */
slu_rc slu_in_open(const char *path, slu_in **out, slu_err *err) SLU_CHECK;
/* Takes the descriptor over. what: its name in messages. */
slu_rc slu_in_fd(int fd, const char *what, slu_in **out, slu_err *err) SLU_CHECK;
/* *ret_n 0: end of file. A compressed file that ends early is SLU_E_DATA. */
slu_rc slu_in_read(slu_in *in, void *buf, size_t cap, size_t *ret_n, slu_err *err) SLU_CHECK;
const char *slu_in_name(const slu_in *in);
void slu_in_close(slu_in *in);

typedef struct slu_out slu_out;
/* A new file (an existing one is replaced), mode 0640. */
slu_rc slu_out_create(const char *path, int compression, slu_out **out, slu_err *err) SLU_CHECK;
slu_rc slu_out_write(slu_out *o, const void *p, size_t n, slu_err *err) SLU_CHECK;
/* Ends the compressed stream; durable (fsync) where asked; *ret_bytes: size on disk. Frees o also
 * on failure. */
slu_rc slu_out_finish(slu_out *o, int durable, int64_t *ret_bytes, slu_err *err) SLU_CHECK;
void slu_out_abandon(slu_out *o);

/* path as it stands in a file: relative ones start at the host's base_dir. Caller frees with
 * slu_free. */
char *slu_path(const slu_host *host, slu_run *run, const char *path);
void slu_free(void *p);
/* Writes a whole small file durably: temporary name, fsync, rename, fsync of the folder. */
slu_rc slu_file_replace(const char *path, const void *p, size_t n, slu_err *err) SLU_CHECK;
/* The whole of a small file as a terminated text (caller frees with slu_free); SLU_E_NOT_FOUND
 * where there is none. */
slu_rc slu_file_read(
    const char *path, size_t max, char **ret, size_t *ret_n, slu_err *err) SLU_CHECK;
slu_rc slu_mkdirs(const char *path, slu_err *err) SLU_CHECK;
slu_rc slu_fsync_dir(const char *path, slu_err *err) SLU_CHECK;

#ifdef __cplusplus
}
#endif
#endif
