/* tz.c: questions to a zone. Times inside are whole seconds; offsets change at whole seconds. */
#include "core/time/tz.h"

#include "core/time/tz_impl.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define US_PER_DAY (INT64_C(86400) * US_PER_S)

static int64_t floor_div(int64_t a, int64_t b)
{
	return a / b - (a % b < 0);
}

const char *tz_name(const struct tz *zone)
{
	return zone->name;
}

/* How far a second must be moved back to lie where the changes are written out. */
static int64_t wrap(const struct tz *zone, int64_t s)
{
	if (s < zone->wrap_s)
		return 0;
	return ((s - zone->wrap_s) / TZ_S_PER_400_YEARS + 1) * TZ_S_PER_400_YEARS;
}

/* Number of changes at or before s. */
static size_t changes_until(const struct tz *zone, int64_t s)
{
	size_t low = 0, high = zone->trans_n, mid;

	while (low < high) {
		mid = low + (high - low) / 2;
		if (zone->trans[mid].at_s <= s)
			low = mid + 1;
		else
			high = mid;
	}
	return low;
}

/* Type that is in force after the first i changes. */
static const struct tz_type *type_after(const struct tz *zone, size_t i)
{
	return &zone->types[i == 0 ? 0 : zone->trans[i - 1].type];
}

static const struct tz_type *type_at(const struct tz *zone, wall_us t)
{
	int64_t s = floor_div(t, US_PER_S);

	return type_after(zone, changes_until(zone, s - wrap(zone, s)));
}

int32_t tz_offset(const struct tz *zone, wall_us t)
{
	return type_at(zone, t)->offset_s;
}

bool tz_is_dst(const struct tz *zone, wall_us t)
{
	return type_at(zone, t)->dst;
}

const char *tz_abbreviation(const struct tz *zone, wall_us t)
{
	return zone->chars + type_at(zone, t)->name;
}

static void set_change(const struct tz *zone, size_t i, int64_t moved_s, struct tz_change *ret)
{
	ret->at = (zone->trans[i].at_s + moved_s) * US_PER_S;
	ret->before_s = type_after(zone, i)->offset_s;
	ret->after_s = type_after(zone, i + 1)->offset_s;
}

/* Changes of the name or the summer flag alone are no changes here. */
static bool is_change(const struct tz *zone, size_t i)
{
	return type_after(zone, i)->offset_s != type_after(zone, i + 1)->offset_s;
}

/* The first change behind second s of the table, before the table wraps. */
static bool next_in_table(const struct tz *zone, int64_t s, int64_t moved_s, struct tz_change *ret)
{
	size_t i;

	for (i = changes_until(zone, s); i < zone->trans_n; i++) {
		if (zone->trans[i].at_s >= zone->wrap_s)
			return false;
		if (is_change(zone, i)) {
			set_change(zone, i, moved_s, ret);
			return true;
		}
	}
	return false;
}

bool tz_next_change(const struct tz *zone, wall_us t, struct tz_change *ret)
{
	int64_t s = floor_div(t, US_PER_S), moved = wrap(zone, s);

	if (next_in_table(zone, s - moved, moved, ret))
		return true;
	if (zone->wrap_s == INT64_MAX)
		return false;
	return next_in_table(
	    zone, zone->wrap_s - TZ_S_PER_400_YEARS - 1, moved + TZ_S_PER_400_YEARS, ret);
}

bool tz_last_change(const struct tz *zone, wall_us t, struct tz_change *ret)
{
	int64_t s = floor_div(t, US_PER_S), moved = wrap(zone, s);
	size_t i;

	for (i = changes_until(zone, s - moved); i > 0; i--)
		if (is_change(zone, i - 1)) {
			set_change(zone, i - 1, moved, ret);
			return true;
		}
	return false;
}

civil_us tz_to_civil(const struct tz *zone, wall_us t)
{
	return t + tz_offset(zone, t) * US_PER_S;
}

/* An instant of civil time c has one of the offsets in force a day or so around it. */
#define SEARCH_US (INT64_C(27) * 3600 * US_PER_S)

void tz_fit(const struct tz *zone, civil_us c, struct tz_fitting *ret)
{
	wall_us at = c - SEARCH_US, t, found[2];
	int32_t offset = tz_offset(zone, at);
	struct tz_change change = {0}, gap = {.at = TIME_NONE};
	int n = 0;
	bool more = true;

	/* Each stretch of one offset gives c one instant, if that lies inside. */
	while (more) {
		more = tz_next_change(zone, at, &change) && change.at <= c + SEARCH_US;
		t = c - offset * US_PER_S;
		if (t >= at && (!more || t < change.at) && n < 2)
			found[n++] = t;
		if (!more)
			break;
		if (c >= change.at + change.before_s * US_PER_S &&
		    c < change.at + change.after_s * US_PER_S)
			gap = change;
		at = change.at;
		offset = change.after_s;
	}
	ret->fit = n == 0 ? TZ_GAP : n == 1 ? TZ_ONCE : TZ_TWICE;
	if (n == 0) {
		ret->first = gap.at;
		ret->second = c - gap.before_s * US_PER_S;
		return;
	}
	ret->first = found[0];
	ret->second = found[n - 1];
}

wall_us tz_from_civil(const struct tz *zone, civil_us c)
{
	struct tz_fitting f;

	tz_fit(zone, c, &f);
	return f.first;
}

int tz_time_parse(const struct tz *zone, const char *text, wall_us *ret, enum tz_fit *ret_fit)
{
	size_t n = strlen(text);
	struct tz_fitting f;
	char utc[40];
	wall_us t;
	int rc;

	if (n > 10 && strpbrk(text + 10, "Zz+-") != NULL) {
		rc = clock_parse(text, &t);
		if (rc == 0) {
			*ret = t;
			*ret_fit = TZ_ONCE;
		}
		return rc;
	}
	/* the same text in UTC gives the civil time */
	snprintf(utc, sizeof(utc), "%.30s%s%s", text, n == 16 ? ":00" : "", n > 10 ? "Z" : "");
	rc = n > 30 ? ERR_PARSE : clock_parse(utc, &t);
	if (rc != 0)
		return rc;
	tz_fit(zone, t, &f);
	*ret = f.first;
	*ret_fit = f.fit;
	return 0;
}

void tz_date(civil_us c, struct tz_date *ret)
{
	int64_t days = floor_div(c, US_PER_DAY), in_day = c - days * US_PER_DAY;
	int s = (int)(in_day / US_PER_S);

	clock_civil_from_days(days, &ret->year, &ret->month, &ret->day);
	ret->hour = s / 3600;
	ret->minute = s / 60 % 60;
	ret->second = s % 60;
	ret->us = (int)(in_day % US_PER_S);
	ret->weekday = (int)(((days + 4) % 7 + 7) % 7); /* 1970-01-01 was a Thursday */
}

civil_us tz_civil(int64_t year, int month, int day, int hour, int minute, int second)
{
	return clock_days_from_civil(year, month, day) * US_PER_DAY +
	       (hour * INT64_C(3600) + minute * 60 + second) * US_PER_S;
}

static int format_fraction(int us, char *buf, size_t size)
{
	if (us == 0)
		return snprintf(buf, size, "%s", "");
	if (us % 1000 == 0)
		return snprintf(buf, size, ".%03d", us / 1000);
	return snprintf(buf, size, ".%06d", us);
}

const char *tz_format(const struct tz *zone, wall_us t, char *buf)
{
	struct tz_date d;
	char fraction[16], seconds[8] = "";
	int32_t offset, plain;

	if (t == TIME_NONE) {
		buf[0] = '\0';
		return buf;
	}
	offset = tz_offset(zone, t);
	plain = abs(offset);
	tz_date(t + offset * US_PER_S, &d);
	format_fraction(d.us, fraction, sizeof(fraction));
	if (plain % 60 != 0) /* before zones had whole minutes */
		snprintf(seconds, sizeof(seconds), ":%02d", (int)(plain % 60));
	snprintf(buf, TZ_TEXT_MAX, "%04lld-%02d-%02dT%02d:%02d:%02d%s%c%02d:%02d%s",
	    (long long)d.year, d.month, d.day, d.hour, d.minute, d.second, fraction,
	    offset < 0 ? '-' : '+', (int)(plain / 3600), (int)(plain / 60 % 60), seconds);
	return buf;
}
