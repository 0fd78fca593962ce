/* str.h: growing byte buffers and small string helpers. Every buffer is created with its maximum;
 * once that is passed or memory is out the buffer is `failed`, appends become no-ops, and the
 * caller asks once at the end. */
#ifndef CORE_BASE_STR_H
#define CORE_BASE_STR_H

#include "core/base/err.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct str {
	char *s;    /* owned; terminated when not NULL */
	size_t len; /* bytes, without the terminator */
	size_t cap;
	size_t max; /* bytes */
	bool failed;
};

void str_init(struct str *b, size_t max);
void str_done(struct str *b);  /* accepts a zeroed one */
void str_reset(struct str *b); /* length 0, failed cleared, memory kept */
void str_add(struct str *b, const char *text);
void str_addn(struct str *b, const void *p, size_t n);
void str_addc(struct str *b, char c);
void str_addf(struct str *b, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void str_vaddf(struct str *b, const char *fmt, va_list ap) __attribute__((format(printf, 2, 0)));
bool str_reserve(
    struct str *b, size_t more); /* room for `more` bytes behind len; false sets failed */
char *str_take(
    struct str *b); /* moves the text out (never NULL unless failed), buffer is empty after */
const char *str_peek(const struct str *b); /* "" when empty */

bool str_eq(const char *a, const char *b); /* NULL-safe */
bool str_starts(const char *s, const char *prefix);
bool str_ends(const char *s, const char *suffix);
/* Copies with termination; false when cut. */
bool str_copy(char *to, size_t size, const char *from);
bool str_utf8_valid(const char *s, size_t n);
/* Bytes of the UTF-8 sequence that s begins with; 0 where it begins with none. */
size_t str_utf8_len(const char *s, size_t n);
/* Decimal only, no sign for u64, no blanks, whole string. */
int str_to_i64(const char *s, int64_t *ret_v) CHECK_RESULT;
int str_to_u64(const char *s, uint64_t *ret_v) CHECK_RESULT;
/* "90s" "15m" "2h" "3d" "1w" "500ms" -> ms; ERR_PARSE otherwise. */
int str_to_duration_ms(const char *s, int64_t *ret_ms) CHECK_RESULT;
/* "1MiB" "5GiB" "100kB" "512" -> bytes. */
int str_to_bytes(const char *s, uint64_t *ret_bytes) CHECK_RESULT;
/* Names of DESIGN §5: ident = [a-z_][a-z0-9_]{0,62}; name = [a-z0-9][a-z0-9_-]{0,62}. */
bool str_is_ident(const char *s);
bool str_is_name(const char *s);
bool str_is_dataset(const char *s); /* CONNECTION/[A-Za-z0-9_.-]+ */
/* The nearest of n candidates by edit distance (at most 1/3 of the length), or NULL: for "did you
 * mean". */
const char *str_nearest(const char *s, const char *const *candidates, size_t n);
/* Text made safe for a terminal or log line: control bytes and invalid UTF-8 become \xNN. Appends
 * to b. */
void str_add_visible(struct str *b, const char *s, size_t n);

#endif
