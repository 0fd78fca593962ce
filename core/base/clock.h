/* clock.h: the two clocks, never mixed. Wall time is UTC; intervals are monotonic. Both are
 * parameters everywhere below the daemon, the pool, the worker and the CLI: only those call this
 * file. */
#ifndef CORE_BASE_CLOCK_H
#define CORE_BASE_CLOCK_H

#include "core/base/err.h"

#include <stddef.h>
#include <stdint.h>

typedef int64_t wall_us; /* microseconds since 1970-01-01T00:00:00Z */
typedef int64_t mono_us; /* CLOCK_MONOTONIC (waits), microseconds */
#define US_PER_MS INT64_C(1000)
#define US_PER_S INT64_C(1000000)
#define TIME_NONE INT64_MIN /* "no such time" in every record and struct */

wall_us clock_wall(void);
mono_us clock_mono(void);

#define CLOCK_TEXT_MAX 40
/* "2026-11-21T17:30:00.000Z"; buf of CLOCK_TEXT_MAX; returns buf. TIME_NONE gives "". */
const char *clock_format(wall_us t, char *buf);
/* The same with microseconds where they are not zero in the last three digits. */
const char *clock_format_us(wall_us t, char *buf);
/* RFC 3339 with Z or an offset, date and time parted by T or a blank, 0-9 fraction digits; also
 * "2026-11-21" (midnight UTC). ERR_PARSE otherwise. */
int clock_parse(const char *text, wall_us *ret_t) CHECK_RESULT;
/* Proleptic Gregorian. Days since 1970-01-01. */
int64_t clock_days_from_civil(int64_t year, int month, int day);
void clock_civil_from_days(int64_t days, int64_t *ret_year, int *ret_month, int *ret_day);

#endif
