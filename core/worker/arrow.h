/* arrow.h: what the host itself does with Arrow arrays: bounds, sizes, one value as JSON. Sluice's
 * reader for plugins is in the kit; this one trusts nothing. */
#ifndef CORE_WORKER_ARROW_H
#define CORE_WORKER_ARROW_H

#include "core/base/err.h"
#include "core/base/json.h"

#include <sluice/arrow.h>

#include <stdbool.h>
#include <stdint.h>

/* Shape of an array against its schema: number of buffers and children, lengths, offsets that rise
 * and stay within limits. ERR_PARSE with the column's name. Strings are at most 2 GiB - 1 (format
 * u). */
int arrow_check(
    const struct ArrowSchema *schema, const struct ArrowArray *array, struct err *err) CHECK_RESULT;
/* Bytes of the buffers, as far as the array uses them. */
int64_t arrow_bytes(const struct ArrowSchema *schema, const struct ArrowArray *array);
/* One value as JSON; what has no JSON form (nested, dictionary, interval) is written as null. */
void arrow_write_value(
    struct jw *w, const struct ArrowSchema *schema, const struct ArrowArray *array, int64_t row);
/* Value of a metadata key of a field, copied into buf; false: not there. */
bool arrow_metadata(const struct ArrowSchema *schema, const char *key, char *buf, size_t size);
/* Deep copy: owned by the caller, released by its release(). */
void arrow_schema_copy(const struct ArrowSchema *from, struct ArrowSchema *to);
bool arrow_schema_equal(const struct ArrowSchema *a, const struct ArrowSchema *b);

#endif
