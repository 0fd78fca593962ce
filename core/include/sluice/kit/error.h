/* error.h: the class of what went wrong, and the message. Every function returns the class it was
 * given, so that `return slu_fail(err, SLU_E_CONFIG, "X.OPTION", "…")` works. A message says what
 * is wrong, where, what to do, and never holds a value of a row. err may be NULL. */
#ifndef SLUICE_KIT_ERROR_H
#define SLUICE_KIT_ERROR_H
#include "sluice/plugin.h"
#ifdef __cplusplus
extern "C" {
#endif

#define SLU_CHECK __attribute__((warn_unused_result))

slu_rc slu_fail(slu_err *err, slu_rc rc, const char *code, const char *fmt, ...)
    __attribute__((format(printf, 4, 5)));
/* The same about one option or column. */
slu_rc slu_fail_field(slu_err *err, slu_rc rc, const char *code, const char *field, const char *fmt,
    ...) __attribute__((format(printf, 5, 6)));
/* Class by errno (EACCES auth, ENOENT not found, ENOSPC transient …) and ": " and its text behind.
 */
slu_rc slu_fail_errno(slu_err *err, int errno_value, const char *code, const char *fmt, ...)
    __attribute__((format(printf, 4, 5)));
slu_rc slu_rc_from_errno(int errno_value);
/* Class by the exit code of a command: 0 ok, 64 and 78 config, 65 data, 77 auth, others transient.
 */
slu_rc slu_rc_from_exit(int code);
/* "fmt: " before the message that is there; returns err->rc (SLU_E_INTERNAL without err). */
slu_rc slu_fail_prefix(slu_err *err, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void slu_logf(const slu_host *host, slu_run *run, int32_t level, const char *code, const char *fmt,
    ...) __attribute__((format(printf, 5, 6)));

#ifdef __cplusplus
}
#endif
#endif
