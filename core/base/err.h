/* err.h: error codes and the caller-owned error message.
 *
 * A function that can fail returns 0 or a negative ERR_*; its last parameter is `struct err *err`,
 * which may be NULL. The place that knows sets the text; each layer may prefix context once.
 * Outputs stay untouched on failure. */
#ifndef CORE_BASE_ERR_H
#define CORE_BASE_ERR_H

#include <stdarg.h>

/* name, value, text; append only */
#define ERR_LIST(X)                                                                                \
	X(NOMEM, -1, "out of memory")                                                              \
	X(IO, -2, "input/output error")                                                            \
	X(PARSE, -3, "malformed input")                                                            \
	X(USAGE, -4, "wrong usage")                                                                \
	X(LIMIT, -5, "limit exceeded")                                                             \
	X(NOT_FOUND, -6, "not found")                                                              \
	X(EXISTS, -7, "exists already")                                                            \
	X(CONFLICT, -8, "the state forbids it")                                                    \
	X(REFUSED, -9, "refused")                                                                  \
	X(CORRUPT, -10, "corrupted data")                                                          \
	X(UNREACHABLE, -11, "unreachable")                                                         \
	X(TIMEOUT, -12, "timed out")                                                               \
	X(AGAIN, -13, "try again")                                                                 \
	X(UNSUPPORTED, -14, "not supported")                                                       \
	X(INTERNAL, -15, "internal error")                                                         \
	X(CONFIG, -16, "configuration error")                                                      \
	X(AUTH, -17, "not authenticated")                                                          \
	X(FULL, -18, "no space left")                                                              \
	X(CLOSED, -19, "closed")

enum err_code {
	ERR_OK = 0,
#define ERR_ENUM(name, value, text) ERR_##name = value,
	ERR_LIST(ERR_ENUM)
#undef ERR_ENUM
};

#define ERR_TEXT_MAX 512

struct err {
	int code;		 /* 0 or ERR_* */
	char text[ERR_TEXT_MAX]; /* what is wrong, where, what to do; always terminated */
};

#define CHECK_RESULT __attribute__((warn_unused_result))

/* Sets code and text and returns code, so that `return err_set(...)` works. err may be NULL. */
int err_set(struct err *err, int code, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
int err_vset(struct err *err, int code, const char *fmt, va_list ap)
    __attribute__((format(printf, 3, 0)));
/* As err_set with ": " and strerror(errno_value) behind. */
int err_errno(struct err *err, int code, int errno_value, const char *fmt, ...)
    __attribute__((format(printf, 4, 5)));
/* Puts "fmt: " before the text that is there; returns the code that is there. */
int err_prefix(struct err *err, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void err_clear(struct err *err);
const char *err_name(int code); /* "NOT_FOUND"; "OK" for 0; "UNKNOWN" otherwise */
const char *err_text(int code);

#endif
