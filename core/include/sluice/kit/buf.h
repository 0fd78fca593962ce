/* buf.h: a growing text with a stated maximum. Once that is passed or memory is out it is `failed`
 * and appends are no-ops: the caller asks once at the end. */
#ifndef SLUICE_KIT_BUF_H
#define SLUICE_KIT_BUF_H
#include <stddef.h>
#include <stdint.h>
#ifdef __cplusplus
extern "C" {
#endif

typedef struct slu_buf {
	char *s;    /* owned; terminated when not NULL */
	size_t len; /* bytes without the terminator */
	size_t cap, max;
	int failed;
} slu_buf;

void slu_buf_init(slu_buf *b, size_t max);
void slu_buf_done(slu_buf *b); /* accepts a zeroed one */
void slu_buf_reset(slu_buf *b);
int slu_buf_reserve(slu_buf *b, size_t more); /* 0: no room, failed is set */
void slu_buf_add(slu_buf *b, const char *text);
void slu_buf_addn(slu_buf *b, const void *p, size_t n);
void slu_buf_addc(slu_buf *b, char c);
void slu_buf_addf(slu_buf *b, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* A JSON string with its quotes; invalid UTF-8 becomes U+FFFD, NUL becomes \u0000. */
void slu_buf_add_json(slu_buf *b, const char *s, size_t n);
/* name with the quote character around it and doubled inside: an SQL identifier. */
void slu_buf_add_quoted(slu_buf *b, const char *name, char quote);
const char *slu_buf_text(const slu_buf *b); /* "" when empty */
/* 1 for well-formed UTF-8. */
int slu_utf8_valid(const void *p, size_t n);

#ifdef __cplusplus
}
#endif
#endif
