/* tz.h: IANA zones from the system's TZif files: offsets of instants, and civil (local) time back
 * to instants with what gaps and overlaps do to it. Pure but for tz_load, which reads a file once.
 */
#ifndef CORE_TIME_TZ_H
#define CORE_TIME_TZ_H

#include "core/base/clock.h"
#include "core/base/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct tz; /* immutable once loaded; shared by all threads; lives until the program ends */

#define TZ_NAME_MAX 64		/* bytes with terminator */
#define TZ_FILE_MAX (64 * 1024) /* bytes; the largest of tzdata has under 4 KiB */
#define TZ_TEXT_MAX 48

/* By IANA name ("Asia/Tokyo", "UTC"); read once and kept. "UTC" needs no file. ERR_NOT_FOUND for a
 * name that is none, ERR_PARSE for a file that is broken, ERR_UNSUPPORTED for one with leap
 * seconds. Any thread. */
int tz_load(const char *name, const struct tz **ret, struct err *err) CHECK_RESULT;
const struct tz *tz_utc(void);
const char *tz_name(const struct tz *zone);
/* The same from bytes, not kept; for tests and fuzzing. Free with tz_free. */
int tz_parse(
    const char *name, const void *p, size_t n, struct tz **ret, struct err *err) CHECK_RESULT;
void tz_free(struct tz *zone); /* only what tz_parse gave; accepts NULL */

/* Seconds east of UTC at t, and whether the zone calls it summer time. */
int32_t tz_offset(const struct tz *zone, wall_us t);
bool tz_is_dst(const struct tz *zone, wall_us t);
const char *tz_abbreviation(const struct tz *zone, wall_us t); /* "CEST" */

/* A change of the offset; `at` is the first instant with the new one. */
struct tz_change {
	wall_us at;
	int32_t before_s, after_s; /* seconds east; after > before: civil times are skipped */
};
/* The first change later than t, or the last one not later than t. False where there is none. */
bool tz_next_change(const struct tz *zone, wall_us t, struct tz_change *ret);
bool tz_last_change(const struct tz *zone, wall_us t, struct tz_change *ret);

/* A civil time as a number: microseconds from 1970-01-01T00:00:00 to it, both local. */
typedef int64_t civil_us;

enum tz_fit { TZ_ONCE, TZ_GAP, TZ_TWICE };
struct tz_fitting {
	enum tz_fit fit;
	/* TZ_ONCE: both the instant. TZ_TWICE: its two instants. TZ_GAP: first = the first instant
	 * after the gap; second = the civil time moved on by the length of the gap. */
	wall_us first, second;
};
civil_us tz_to_civil(const struct tz *zone, wall_us t);
void tz_fit(const struct tz *zone, civil_us c, struct tz_fitting *ret);
/* The usual choice: once as it is, twice the first, in a gap the first instant after it. */
wall_us tz_from_civil(const struct tz *zone, civil_us c);

/* A time that a person wrote: RFC 3339 with Z or an offset; or civil in the zone, "2026-11-21",
 * "2026-11-21T17:30", "2026-11-21 17:30:05". *ret_fit says how often that civil time exists (once
 * where there is an offset); the instant is tz_from_civil's choice. ERR_PARSE for neither. */
int tz_time_parse(
    const struct tz *zone, const char *text, wall_us *ret, enum tz_fit *ret_fit) CHECK_RESULT;

struct tz_date {
	int64_t year;
	int month, day;		  /* 1-12, 1-31 */
	int hour, minute, second; /* 0-23, 0-59, 0-59 */
	int us;			  /* 0-999999 */
	int weekday;		  /* 0 Sunday … 6 */
};
void tz_date(civil_us c, struct tz_date *ret);
civil_us tz_civil(int64_t year, int month, int day, int hour, int minute, int second);

/* "2026-11-01T01:30:00-07:00", with .mmm or .uuuuuu where there is a fraction; buf of TZ_TEXT_MAX;
 * returns buf. TIME_NONE gives "". */
const char *tz_format(const struct tz *zone, wall_us t, char *buf);

#endif
