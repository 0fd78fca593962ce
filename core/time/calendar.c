/* calendar.c: periods of a zone's calendar.
 *
 * Days, weeks and months have numbers in civil time; each begins at the first instant of its first
 * civil midnight, or right after a gap that swallowed that. Hours follow the clock on the wall. */
#include "core/time/calendar.h"

#include "core/base/str.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define HOUR_US (INT64_C(3600) * US_PER_S)
#define DAY_US (24 * HOUR_US)

static const char *const names[] = {"hour", "day", "week", "month"};

int cal_unit_parse(const char *text, enum cal_unit *ret)
{
	size_t i;

	for (i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (str_eq(text, names[i])) {
			*ret = (enum cal_unit)i;
			return 0;
		}
	return ERR_PARSE;
}

const char *cal_unit_name(enum cal_unit unit)
{
	return names[unit];
}

static int64_t floor_div(int64_t a, int64_t b)
{
	return a / b - (a % b < 0);
}

/* ---- days, weeks, months ---- */

/* Number of the period that holds the civil time. */
static int64_t number_of(enum cal_unit unit, civil_us c)
{
	int64_t day = floor_div(c, DAY_US), year;
	int month, mday;

	if (unit == CAL_DAY)
		return day;
	if (unit == CAL_WEEK)
		return floor_div(day + 3, 7); /* 1970-01-01 was a Thursday */
	clock_civil_from_days(day, &year, &month, &mday);
	return year * 12 + month - 1;
}

static civil_us civil_of(enum cal_unit unit, int64_t number)
{
	int64_t year;

	if (unit == CAL_DAY)
		return number * DAY_US;
	if (unit == CAL_WEEK)
		return (number * 7 - 3) * DAY_US;
	year = floor_div(number, 12);
	return tz_civil(year, (int)(number - year * 12) + 1, 1, 0, 0, 0);
}

static wall_us start_of(enum cal_unit unit, const struct tz *zone, int64_t number)
{
	return tz_from_civil(zone, civil_of(unit, number));
}

/* A clock set back over midnight gives instants of the day before once more: they belong to the new
 * day. A day that a zone left out has no instants. */
static int64_t number_at(enum cal_unit unit, const struct tz *zone, wall_us t)
{
	int64_t number = number_of(unit, tz_to_civil(zone, t));

	while (start_of(unit, zone, number + 1) <= t)
		number++;
	while (start_of(unit, zone, number) > t)
		number--;
	return number;
}

/* ---- hours ---- */

/* The hour on the wall, as the civil time of its beginning. */
static civil_us label(const struct tz *zone, wall_us t)
{
	return floor_div(tz_to_civil(zone, t), HOUR_US) * HOUR_US;
}

static wall_us hour_start(const struct tz *zone, wall_us t)
{
	struct tz_change change;
	wall_us start;

	for (;;) {
		start = label(zone, t) - tz_offset(zone, t) * US_PER_S;
		if (!tz_last_change(zone, t, &change) || start >= change.at)
			return start;
		/* A change inside the hour: the same hour goes on, or a new one began with it. */
		if (label(zone, change.at - 1) != label(zone, t))
			return change.at;
		t = change.at - 1;
	}
}

static wall_us hour_next(const struct tz *zone, wall_us start)
{
	wall_us next = hour_start(zone, start + HOUR_US);

	/* A change by part of an hour makes hours of up to two. */
	return next > start ? next : hour_start(zone, start + 2 * HOUR_US);
}

static wall_us hours_later(const struct tz *zone, wall_us start, int64_t n)
{
	struct tz_change change;
	int64_t k;

	for (; n > 0; n -= k) {
		start = hour_next(zone, start);
		k = n - 1;
		if (tz_next_change(zone, start, &change))
			k = (change.at - start) / HOUR_US - 1;
		k = k > n - 1 ? n - 1 : k < 0 ? 0 : k;
		if (label(zone, start) != tz_to_civil(zone, start))
			k = 0;
		start += k * HOUR_US;
		k++;
	}
	return start;
}

static wall_us hours_earlier(const struct tz *zone, wall_us start, int64_t n)
{
	struct tz_change change;
	int64_t k;

	for (; n > 0; n -= k) {
		start = hour_start(zone, start - 1);
		k = n - 1;
		if (tz_last_change(zone, start, &change))
			k = (start - change.at) / HOUR_US - 1;
		k = k > n - 1 ? n - 1 : k < 0 ? 0 : k;
		if (label(zone, start) != tz_to_civil(zone, start))
			k = 0;
		start -= k * HOUR_US;
		k++;
	}
	return start;
}

/* ---- all units ---- */

wall_us cal_start(enum cal_unit unit, const struct tz *zone, wall_us t)
{
	if (unit == CAL_HOUR)
		return hour_start(zone, t);
	return start_of(unit, zone, number_at(unit, zone, t));
}

wall_us cal_add(enum cal_unit unit, const struct tz *zone, wall_us t, int64_t n)
{
	int64_t number;

	if (unit == CAL_HOUR && n < 0)
		return hours_earlier(zone, hour_start(zone, t), -n);
	if (unit == CAL_HOUR)
		return hours_later(zone, hour_start(zone, t), n);
	number = number_at(unit, zone, t) + n;
	/* Going back over a day that was left out must not stay where it is. */
	while (n < 0 && start_of(unit, zone, number) == start_of(unit, zone, number + 1))
		number--;
	return start_of(unit, zone, number);
}

void cal_window(enum cal_unit unit, const struct tz *zone, wall_us t, int64_t n, wall_us *ret_start,
    wall_us *ret_end)
{
	*ret_start = cal_add(unit, zone, t, n);
	*ret_end = cal_add(unit, zone, *ret_start, 1);
}

/* ---- keys ---- */

static const char *hour_key(const struct tz *zone, wall_us t, char *buf)
{
	wall_us start = hour_start(zone, t);
	civil_us c = label(zone, start);
	int32_t offset = tz_offset(zone, start), plain = abs(offset);
	struct tz_date d;
	int n;

	tz_date(c, &d);
	n = snprintf(
	    buf, CAL_KEY_MAX, "%04lld-%02d-%02dT%02d", (long long)d.year, d.month, d.day, d.hour);
	if (hour_start(zone, tz_from_civil(zone, c)) == start || n < 0 || n >= CAL_KEY_MAX)
		return buf;
	snprintf(buf + n, CAL_KEY_MAX - (size_t)n, "%c%02d:%02d", offset < 0 ? '-' : '+',
	    (int)(plain / 3600), (int)(plain / 60 % 60));
	return buf;
}

const char *cal_key(enum cal_unit unit, const struct tz *zone, wall_us t, char *buf)
{
	struct tz_date d;
	civil_us c;
	int64_t first;

	if (unit == CAL_HOUR)
		return hour_key(zone, t, buf);
	c = civil_of(unit, number_at(unit, zone, t));
	if (unit == CAL_WEEK) {
		/* A week belongs to the year of its Thursday. */
		c += 3 * DAY_US;
		tz_date(c, &d);
		first = clock_days_from_civil(d.year, 1, 1);
		snprintf(buf, CAL_KEY_MAX, "%04lld-W%02d", (long long)d.year,
		    (int)((c / DAY_US - (c % DAY_US < 0) - first) / 7) + 1);
		return buf;
	}
	tz_date(c, &d);
	if (unit == CAL_MONTH)
		snprintf(buf, CAL_KEY_MAX, "%04lld-%02d", (long long)d.year, d.month);
	else
		snprintf(buf, CAL_KEY_MAX, "%04lld-%02d-%02d", (long long)d.year, d.month, d.day);
	return buf;
}

/* Whether s has the form: 9 stands for a digit, any other character for itself. */
static bool has_form(const char *s, const char *form)
{
	for (; *form != '\0'; s++, form++)
		if (*form == '9' ? *s < '0' || *s > '9' : *s != *form)
			return false;
	return *s == '\0';
}

int cal_key_unit(const char *key, enum cal_unit *ret)
{
	if (has_form(key, "9999-99-99"))
		*ret = CAL_DAY;
	else if (has_form(key, "9999-99-99T99") || has_form(key, "9999-99-99T99+99:99") ||
		 has_form(key, "9999-99-99T99-99:99"))
		*ret = CAL_HOUR;
	else if (has_form(key, "9999-W99"))
		*ret = CAL_WEEK;
	else if (has_form(key, "9999-99"))
		*ret = CAL_MONTH;
	else
		return ERR_PARSE;
	return 0;
}

/* Two digits at s, whose form was checked. */
static int two(const char *s)
{
	return (s[0] - '0') * 10 + (s[1] - '0');
}

/* An instant inside the period that the key names, if there is such a period at all. */
static wall_us instant_in(enum cal_unit unit, const struct tz *zone, const char *key)
{
	int year = two(key) * 100 + two(key + 2);
	int64_t jan4 = clock_days_from_civil(year, 1, 4); /* always in week 1 */
	civil_us c;
	int32_t offset;

	if (unit == CAL_WEEK)
		return start_of(unit, zone, number_of(unit, jan4 * DAY_US) + two(key + 6) - 1);
	if (unit == CAL_MONTH)
		return tz_from_civil(zone, tz_civil(year, two(key + 5), 1, 0, 0, 0));
	c = tz_civil(year, two(key + 5), two(key + 8), 0, 0, 0);
	if (unit == CAL_DAY)
		return tz_from_civil(zone, c);
	c += two(key + 11) * HOUR_US;
	if (key[13] == '\0')
		return tz_from_civil(zone, c);
	offset = (two(key + 14) * 60 + two(key + 17)) * 60 * (key[13] == '-' ? -1 : 1);
	/* The hour may have begun late: look at its last moment. */
	return c - offset * US_PER_S + HOUR_US - 1;
}

int cal_key_parse(
    enum cal_unit unit, const struct tz *zone, const char *key, wall_us *ret_start, struct err *err)
{
	char again[CAL_KEY_MAX];
	enum cal_unit form;
	wall_us start;
	bool ranges;

	if (cal_key_unit(key, &form) != 0 || form != unit)
		return err_set(err, ERR_PARSE, "\"%.60s\" is no key of a %s: write it like %s", key,
		    names[unit],
		    unit == CAL_HOUR   ? "2026-11-21T05"
		    : unit == CAL_DAY  ? "2026-11-21"
		    : unit == CAL_WEEK ? "2026-W47"
				       : "2026-11");
	ranges = unit == CAL_WEEK ? two(key + 6) >= 1 && two(key + 6) <= 53
				  : two(key + 5) >= 1 && two(key + 5) <= 12;
	if (ranges && (unit == CAL_DAY || unit == CAL_HOUR))
		ranges = two(key + 8) >= 1 && two(key + 8) <= 31;
	if (ranges && unit == CAL_HOUR)
		ranges = two(key + 11) <= 23;
	if (!ranges)
		return err_set(
		    err, ERR_PARSE, "\"%.60s\" is no %s of the calendar", key, names[unit]);
	start = cal_start(unit, zone, instant_in(unit, zone, key));
	/* 31 February, week 53 of a short year, an hour that the clocks skipped: another key comes
	 * back. */
	if (strcmp(cal_key(unit, zone, start, again), key) != 0)
		return err_set(err, ERR_NOT_FOUND, "there is no %s %.60s in %s", names[unit], key,
		    tz_name(zone));
	*ret_start = start;
	return 0;
}
