/* calendar.h: periods (hour, day, week, month) of a zone's calendar: where they begin, their keys,
 * and steps from one to the next. The periods of a unit follow each other without hole or overlap:
 * each begins where the one before ends, whatever the clocks do. */
#ifndef CORE_TIME_CALENDAR_H
#define CORE_TIME_CALENDAR_H

#include "core/base/err.h"
#include "core/time/tz.h"

enum cal_unit { CAL_HOUR, CAL_DAY, CAL_WEEK, CAL_MONTH };
#define CAL_KEY_MAX 40

int cal_unit_parse(const char *text, enum cal_unit *ret) CHECK_RESULT; /* hour day week month */
const char *cal_unit_name(enum cal_unit unit);

/* The beginning of the period that holds t. Weeks begin on Monday. */
wall_us cal_start(enum cal_unit unit, const struct tz *zone, wall_us t);
/* The beginning of the period n periods later (n < 0: earlier) than the one that holds t; n = 1 is
 * where it ends. */
wall_us cal_add(enum cal_unit unit, const struct tz *zone, wall_us t, int64_t n);
/* The period n away from the one that holds t: [start, end). */
void cal_window(enum cal_unit unit, const struct tz *zone, wall_us t, int64_t n, wall_us *ret_start,
    wall_us *ret_end);

/* "2026-11-21T05", "2026-11-21", "2026-W47", "2026-11" for the period that holds t. The second of
 * two equal hours carries its offset: "2026-11-01T01-08:00". buf of CAL_KEY_MAX; returns buf. */
const char *cal_key(enum cal_unit unit, const struct tz *zone, wall_us t, char *buf);
/* Back: the beginning of the period that has the key. ERR_PARSE for what is no key of the unit,
 * ERR_NOT_FOUND for a period that the zone skipped. */
int cal_key_parse(enum cal_unit unit, const struct tz *zone, const char *key, wall_us *ret_start,
    struct err *err) CHECK_RESULT;
/* The unit that a key's form says; ERR_PARSE where it is none. */
int cal_key_unit(const char *key, enum cal_unit *ret) CHECK_RESULT;

#endif
