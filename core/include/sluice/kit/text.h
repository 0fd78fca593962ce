/* text.h: values to text and back, exactly: what cannot be kept is refused with a reason, never
 * rounded. */
#ifndef SLUICE_KIT_TEXT_H
#define SLUICE_KIT_TEXT_H
#include "sluice/kit/batch.h"
#ifdef __cplusplus
extern "C" {
#endif

/* Each reads the whole of p[0..n) and returns 0, or a static text that says why not. */
const char *slu_text_to_i64(const char *p, size_t n, int64_t *ret);
const char *slu_text_to_u64(const char *p, size_t n, uint64_t *ret);
const char *slu_text_to_f64(
    const char *p, size_t n, double *ret); /* NaN, Infinity, -Infinity too */
const char *slu_text_to_bool(
    const char *p, size_t n, int *ret); /* true false t f yes no 1 0, any case */
const char *slu_text_to_decimal(const char *p, size_t n, int precision, int scale, slu_i128 *ret);
const char *slu_text_to_date(const char *p, size_t n, int32_t *ret_days);
/* RFC 3339, blank for T allowed, up to 6 digits of fraction. *ret_zoned: an offset or Z was there
 * (then µs are UTC). */
const char *slu_text_to_timestamp(const char *p, size_t n, int64_t *ret_us, int *ret_zoned);

#define SLU_TEXT_MAX 64
/* Each writes at most SLU_TEXT_MAX bytes with terminator and returns the length. */
size_t slu_text_from_f64(double v, int single, char *buf); /* shortest that reads back */
size_t slu_text_from_i64(int64_t v, char *buf);
size_t slu_text_from_u64(uint64_t v, char *buf);
size_t slu_text_from_decimal(slu_i128 v, int scale, char *buf);
size_t slu_text_from_date(int64_t days, char *buf);
/* "2026-11-21T10:00:00.123456Z"; fraction of 6 digits, or none where it is zero and !fixed; Z where
 * zoned. */
size_t slu_text_from_timestamp(int64_t us, int zoned, int fixed, char *buf);
int64_t slu_days_from_civil(int64_t y, int m, int d);
void slu_civil_from_days(int64_t days, int64_t *y, int *m, int *d);

size_t slu_base64_len(size_t n); /* without terminator */
void slu_base64_put(const void *p, size_t n, char *out);
/* *ret_n: at most cap. 0 or a reason. */
const char *slu_base64_get(const char *s, size_t n, void *out, size_t cap, size_t *ret_n);

#ifdef __cplusplus
}
#endif
#endif
