/* mask.h: secrets are masked by value in a stream of bytes, also across the borders of reads. Each
 * value is looked for as it is, in base64 (standard and URL alphabet, at any alignment),
 * percent-encoded and JSON-escaped; long and many-line values piece by piece. Everything that is
 * covered by any of them becomes one `***`. */
#ifndef CORE_POOL_MASK_H
#define CORE_POOL_MASK_H

#include "core/base/err.h"
#include "core/base/str.h"

#include <stdbool.h>
#include <stddef.h>

#define MASK_MIN_CHARS 6
#define MASK_TEXT "***"
#define MASK_VALUES_MAX 256

struct mask; /* the patterns: unchanged once built, so any thread may use it */

struct mask *mask_new(void);
/* ERR_REFUSED: shorter than MASK_MIN_CHARS (after one final newline); ERR_LIMIT: more than
 * MASK_VALUES_MAX or 1 MiB of them. */
int mask_add(struct mask *m, const char *value, size_t n, struct err *err) CHECK_RESULT;
void mask_ready(struct mask *m);       /* after the last mask_add */
struct mask *mask_ref(struct mask *m); /* accepts NULL; safe from any thread, as mask_free is */
void mask_free(struct mask *m);	       /* gives up one reference; accepts NULL */

/* What a stream holds back because a secret may continue in its next bytes. Zeroed to begin. */
struct mask_stream {
	char *held; /* owned */
	size_t n, cap;
	bool in_secret; /* the last byte given out belonged to a secret: its mask is out already */
	size_t covered; /* bytes of held that are known to belong to a secret */
};
/* Appends to out what can be shown by now; end: nothing follows, hold nothing back. m may be NULL.
 */
void mask_feed(const struct mask *m, struct mask_stream *s, const char *p, size_t n, bool end,
    struct str *out);
void mask_stream_done(struct mask_stream *s); /* wipes what is held */
/* A whole text at once; true if anything was masked. */
bool mask_text(const struct mask *m, const char *p, size_t n, struct str *out);

#endif
