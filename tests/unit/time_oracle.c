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

/* Does the list of one field hold v? */
static bool holds(const char *field, int v, int min, int max)
{
	char copy[100], *item, *rest = copy, *end;
	long low, high, step;

	strncpy(copy, field, sizeof(copy) - 1);
	copy[sizeof(copy) - 1] = '\0';
	while ((item = strsep(&rest, ",")) != NULL) {
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

static bool day_holds(char field[5][40], const struct tz_date *d)
{
	bool day = holds(field[2], d->day, 1, 31);
	bool weekday =
	    holds(field[4], d->weekday, 0, 6) || (d->weekday == 0 && holds(field[4], 7, 0, 6));

	if (!holds(field[3], d->month, 1, 12))
		return false;
	if (field[2][0] == '*' || field[4][0] == '*')
		return day && weekday;
	return day || weekday;
}

void oracle_match(struct oracle *o, const char *expr)
{
	char field[5][40];
	struct tz_date d;
	int i, n;
	bool day = false;

	for (i = 0; i < 5; i++) {
		expr += strspn(expr, " ");
		n = (int)strcspn(expr, " ");
		memcpy(field[i], expr, (size_t)n);
		field[i][n] = '\0';
		expr += n;
	}
	for (i = 0; i < ORACLE_SPAN; i++) {
		tz_date((o->low + i) * MINUTE_US, &d);
		if (i == 0 || (d.hour == 0 && d.minute == 0))
			day = day_holds(field, &d);
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
