/* time_oracle.c: the rules of CONTRACT, by exhaustion. */
#include "tests/unit/time_oracle.h"

#include <stdlib.h>
#include <string.h>

#define MINUTE_US (60 * US_PER_S)

bool oracle_look(struct oracle *o, const struct tz *zone, wall_us change)
{
	int64_t minute = change / MINUTE_US - ORACLE_HOURS * 60, offset, c;
	int i;

	o->from = minute * MINUTE_US;
	o->low = INT64_MAX;
	for (i = 0; i < ORACLE_MINUTES; i++) {
		offset = tz_offset(zone, o->from + i * MINUTE_US);
		if (offset % 60 != 0)
			return false;
		o->label[i] = minute + i + offset / 60;
		o->low = o->label[i] < o->low ? o->label[i] : o->low;
	}
	memset(o->first, 0xff, sizeof(o->first));
	memset(o->second, 0xff, sizeof(o->second));
	for (i = 0; i < ORACLE_MINUTES; i++) {
		c = o->label[i] - o->low;
		if (c >= ORACLE_SPAN || o->second[c] >= 0)
			return false;
		if (o->first[c] < 0)
			o->first[c] = i;
		else
			o->second[c] = i;
	}
	return true;
}

/* Does the list of one field hold v, by its items of numbers alone? */
static bool holds(const char *field, int v, int min, int max)
{
	char copy[100], *item, *rest = copy, *end;
	long low, high, step;

	strncpy(copy, field, sizeof(copy) - 1);
	copy[sizeof(copy) - 1] = '\0';
	while ((item = strsep(&rest, ",")) != NULL) {
		if (strpbrk(item, "LW#") != NULL)
			continue;
		low = min;
		high = max;
		step = 1;
		if (*item == '*') {
			end = item + 1;
		} else {
			low = high = strtol(item, &end, 10);
			if (*end == '-')
				high = strtol(end + 1, &end, 10);
			else if (*end == '/')
				high = max;
		}
		if (*end == '/')
			step = strtol(end + 1, &end, 10);
		if (v >= low && v <= high && (v - low) % step == 0)
			return true;
	}
	return false;
}

static int month_days(const struct tz_date *d)
{
	static const int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
	bool leap = (d->year % 4 == 0 && d->year % 100 != 0) || d->year % 400 == 0;

	return d->month == 2 && leap ? 29 : days[d->month - 1];
}

/* Is the day the weekday nearest to day `to`, within the month, the earlier of two? */
static bool is_nearest(const struct tz_date *d, int to, int last)
{
	int far, day, side, weekday;

	if (to > last)
		return false;
	for (far = 0; far < 3; far++)
		for (side = -1; side <= 1; side += 2) {
			day = to + side * far;
			weekday = (d->weekday + day - d->day + 70) % 7;
			if (day >= 1 && day <= last && weekday != 0 && weekday != 6)
				return day == d->day;
		}
	return false;
}

/* One item with a letter or # is for this day. */
static bool month_day_is(const char *item, const struct tz_date *d)
{
	int last = month_days(d);
	char *end;
	long n;

	if (strcmp(item, "L") == 0)
		return d->day == last;
	if (strcmp(item, "LW") == 0)
		return is_nearest(d, last, last);
	if (strncmp(item, "L-", 2) == 0)
		return d->day == last - strtol(item + 2, NULL, 10);
	n = strtol(item, &end, 10);
	return strcmp(end, "W") == 0 && is_nearest(d, (int)n, last);
}

static bool weekday_is(const char *item, const struct tz_date *d)
{
	char *end;
	long w = strtol(item, &end, 10) % 7;

	if (w != d->weekday)
		return false;
	if (strcmp(end, "L") == 0)
		return d->day + 7 > month_days(d);
	return *end == '#' && (d->day + 6) / 7 == strtol(end + 1, NULL, 10);
}

static bool special(const char *field, const struct tz_date *d,
    bool (*is)(const char *item, const struct tz_date *d))
{
	char copy[ORACLE_FIELD], *item, *rest = copy;

	memcpy(copy, field, sizeof(copy));
	while ((item = strsep(&rest, ",")) != NULL)
		if (strpbrk(item, "LW#") != NULL && is(item, d))
			return true;
	return false;
}

bool oracle_day(char field[5][ORACLE_FIELD], const struct tz_date *d)
{
	bool day = holds(field[2], d->day, 1, 31) || special(field[2], d, month_day_is);
	bool weekday = holds(field[4], d->weekday, 0, 6) ||
		       (d->weekday == 0 && holds(field[4], 7, 0, 6)) ||
		       special(field[4], d, weekday_is);

	if (!holds(field[3], d->month, 1, 12))
		return false;
	if (field[2][0] == '*' || field[4][0] == '*')
		return day && weekday;
	return day || weekday;
}

void oracle_fields(const char *expr, char field[5][ORACLE_FIELD])
{
	size_t i, n;

	memset(field, 0, 5 * ORACLE_FIELD);
	for (i = 0; i < 5; i++) {
		expr += strspn(expr, " ");
		n = strcspn(expr, " ");
		memcpy(field[i], expr, n);
		expr += n;
	}
}

void oracle_match(struct oracle *o, const char *expr)
{
	char field[5][ORACLE_FIELD];
	struct tz_date d;
	bool day = false;
	int i;

	oracle_fields(expr, field);
	for (i = 0; i < ORACLE_SPAN; i++) {
		tz_date((o->low + i) * MINUTE_US, &d);
		if (i == 0 || (d.hour == 0 && d.minute == 0))
			day = oracle_day(field, &d);
		o->match[i] =
		    day && holds(field[1], d.hour, 0, 23) && holds(field[0], d.minute, 0, 59);
	}
}

/* The real minute right behind the gap that holds civil minute c; -1 where it lies outside. */
static int behind_gap(const struct oracle *o, int64_t c)
{
	int i;

	for (i = 1; i < ORACLE_MINUTES; i++)
		if (o->label[i - 1] < c && o->label[i] > c)
			return i;
	return -1;
}

static void run_in_gap(struct oracle *o, int64_t c, enum cron_gap gap)
{
	int i = behind_gap(o, c), at;

	if (i < 0 || gap == CRON_SKIP)
		return;
	at = gap == CRON_RUN_AFTER ? i : i + (int)(c - o->label[i - 1]) - 1;
	if (at < ORACLE_MINUTES)
		o->runs[at] = true;
}

void oracle_run(struct oracle *o, bool elapsed, enum cron_gap gap, enum cron_overlap overlap)
{
	int i;

	memset(o->runs, 0, sizeof(o->runs));
	for (i = 0; i < ORACLE_MINUTES && elapsed; i++)
		o->runs[i] = o->match[o->label[i] - o->low];
	for (i = 0; i < ORACLE_SPAN && !elapsed; i++) {
		if (!o->match[i])
			continue;
		if (o->first[i] < 0)
			run_in_gap(o, o->low + i, gap);
		else if (o->second[i] < 0)
			o->runs[o->first[i]] = true;
		if (o->second[i] < 0)
			continue;
		if (overlap != CRON_SECOND)
			o->runs[o->first[i]] = true;
		if (overlap != CRON_FIRST)
			o->runs[o->second[i]] = true;
	}
}
