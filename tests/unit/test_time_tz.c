/* Zones against the C library's reading of the same files, and civil times both ways. */
#include "core/time/tz.h"

#include "tests/unit/leak.h"
#include "tests/unit/time_rig.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define N(a) (sizeof(a) / sizeof((a)[0]))

static void same_as_libc(const struct tz *zone, int64_t s)
{
	time_t t = s;
	struct tm tm;
	struct tz_date d;
	char text[TZ_TEXT_MAX];

	cr_assert_not_null(localtime_r(&t, &tm));
	tz_format(zone, s * US_PER_S, text);
	cr_assert_eq(tz_offset(zone, s * US_PER_S), tm.tm_gmtoff, "%s %s", tz_name(zone), text);
	cr_assert_eq(tz_is_dst(zone, s * US_PER_S), tm.tm_isdst > 0, "%s %s", tz_name(zone), text);
	cr_assert_str_eq(tz_abbreviation(zone, s * US_PER_S), tm.tm_zone, "%s", text);
	tz_date(tz_to_civil(zone, s * US_PER_S), &d);
	cr_assert(d.year == tm.tm_year + 1900 && d.month == tm.tm_mon + 1 && d.day == tm.tm_mday &&
		      d.hour == tm.tm_hour && d.minute == tm.tm_min && d.second == tm.tm_sec &&
		      d.weekday == tm.tm_wday,
	    "%s", text);
}

Test(time_tz, agrees_with_the_c_library)
{
	static const char *const names[] = {"UTC", "Asia/Tokyo", "Europe/Berlin",
	    "America/New_York", "Australia/Lord_Howe", "America/St_Johns", "Pacific/Apia",
	    "Africa/Casablanca", "Europe/Dublin", "America/Nuuk", "Asia/Gaza", "Antarctica/Troll",
	    "Africa/Monrovia", "Pacific/Kwajalein", "America/Asuncion", "EST5EDT", "Etc/GMT+5"};
	struct tz_change change;
	const struct tz *zone;
	int64_t s;
	size_t i;

	for (i = 0; i < N(names); i++) {
		zone = zone_of(names[i]);
		setenv("TZ", names[i], 1);
		tzset();
		/* 1840 to 2500, every 11 days and some. */
		for (s = INT64_C(-4102444800); s < INT64_C(16725225600); s += 1000003)
			same_as_libc(zone, s);
		change.at = INT64_C(-5000000000) * US_PER_S;
		while (tz_next_change(zone, change.at, &change) &&
		       change.at < INT64_C(8000000000) * US_PER_S) {
			same_as_libc(zone, change.at / US_PER_S - 1);
			same_as_libc(zone, change.at / US_PER_S);
		}
	}
	LEAK_CHECK();
}

Test(time_tz, changes_go_both_ways)
{
	const struct tz *zone = zone_of("America/New_York");
	struct tz_change c, back;
	int n = 0;

	c.at = at("1970-01-01");
	while (tz_next_change(zone, c.at, &c) && c.at < at("2600-01-01")) {
		cr_assert_neq(c.before_s, c.after_s);
		cr_assert_eq(tz_offset(zone, c.at - 1), c.before_s);
		cr_assert_eq(tz_offset(zone, c.at), c.after_s);
		cr_assert(tz_last_change(zone, c.at, &back) && back.at == c.at);
		cr_assert(tz_last_change(zone, c.at + 1000, &back) && back.at == c.at);
		cr_assert(!tz_last_change(zone, c.at - 1, &back) || back.at < c.at);
		n++;
	}
	cr_assert_eq(n, 2 * 630);
	cr_assert(!tz_next_change(tz_utc(), 0, &c));
	cr_assert(!tz_last_change(tz_utc(), 0, &c));
	cr_assert(!tz_next_change(zone_of("Asia/Tokyo"), at("1990-01-01"), &c));
	LEAK_CHECK();
}

Test(time_tz, fits_civil_times)
{
	static const struct {
		const char *zone, *civil; /* the civil time, written as if it were UTC */
		enum tz_fit fit;
		const char *first, *second;
	} rows[] = {
	    {"Asia/Tokyo", "2026-11-21T17:30:00Z", TZ_ONCE, "2026-11-21T17:30:00+09:00", NULL},
	    {"America/New_York", "2026-03-08T01:59:59Z", TZ_ONCE, "2026-03-08T01:59:59-05:00",
		NULL},
	    {"America/New_York", "2026-03-08T02:00:00Z", TZ_GAP, "2026-03-08T03:00:00-04:00",
		"2026-03-08T03:00:00-04:00"},
	    {"America/New_York", "2026-03-08T02:59:59Z", TZ_GAP, "2026-03-08T03:00:00-04:00",
		"2026-03-08T03:59:59-04:00"},
	    {"America/New_York", "2026-03-08T03:00:00Z", TZ_ONCE, "2026-03-08T03:00:00-04:00",
		NULL},
	    {"America/New_York", "2026-11-01T00:59:59Z", TZ_ONCE, "2026-11-01T00:59:59-04:00",
		NULL},
	    {"America/New_York", "2026-11-01T01:00:00Z", TZ_TWICE, "2026-11-01T01:00:00-04:00",
		"2026-11-01T01:00:00-05:00"},
	    {"America/New_York", "2026-11-01T01:59:59Z", TZ_TWICE, "2026-11-01T01:59:59-04:00",
		"2026-11-01T01:59:59-05:00"},
	    {"America/New_York", "2026-11-01T02:00:00Z", TZ_ONCE, "2026-11-01T02:00:00-05:00",
		NULL},
	    {"Australia/Lord_Howe", "2026-10-04T02:15:00Z", TZ_GAP, "2026-10-04T02:30:00+11:00",
		"2026-10-04T02:45:00+11:00"},
	    {"Pacific/Apia", "2011-12-30T12:00:00Z", TZ_GAP, "2011-12-31T00:00:00+14:00",
		"2011-12-31T12:00:00+14:00"},
	    {"America/Sao_Paulo", "2017-10-15T00:00:00Z", TZ_GAP, "2017-10-15T01:00:00-02:00",
		"2017-10-15T01:00:00-02:00"},
	};
	struct tz_fitting f;
	size_t i;

	for (i = 0; i < N(rows); i++) {
		tz_fit(zone_of(rows[i].zone), at(rows[i].civil), &f);
		cr_assert_eq(f.fit, rows[i].fit, "row %zu", i);
		cr_assert_eq(f.first, at(rows[i].first), "row %zu", i);
		if (rows[i].second != NULL)
			cr_assert_eq(f.second, at(rows[i].second), "row %zu", i);
		cr_assert_eq(tz_from_civil(zone_of(rows[i].zone), at(rows[i].civil)), f.first);
	}
	LEAK_CHECK();
}

Test(time_tz, instants_come_back_from_their_civil_time)
{
	static const char *const names[] = {"Europe/Berlin", "Australia/Lord_Howe",
	    "America/St_Johns", "Pacific/Apia", "Africa/Casablanca", "America/New_York"};
	const struct tz *zone;
	struct tz_fitting f;
	wall_us t;
	size_t i;

	for (i = 0; i < N(names); i++) {
		zone = zone_of(names[i]);
		for (t = at("1985-01-01"); t < at("2040-01-01"); t += INT64_C(4567) * US_PER_S) {
			tz_fit(zone, tz_to_civil(zone, t), &f);
			cr_assert_neq(f.fit, TZ_GAP);
			cr_assert(f.first == t || f.second == t);
		}
	}
	LEAK_CHECK();
}

Test(time_tz, formats_with_the_local_offset)
{
	static const struct {
		const char *zone, *at, *text;
	} rows[] = {
	    {"America/Los_Angeles", "2026-11-01T08:30:00Z", "2026-11-01T01:30:00-07:00"},
	    {"America/Los_Angeles", "2026-11-01T09:30:00Z", "2026-11-01T01:30:00-08:00"},
	    {"Asia/Kathmandu", "2026-11-01T00:00:00.5Z", "2026-11-01T05:45:00.500+05:45"},
	    {"UTC", "2026-11-01T00:00:00.000001Z", "2026-11-01T00:00:00.000001+00:00"},
	    {"Europe/Berlin", "1890-01-01T00:00:00Z", "1890-01-01T00:53:28+00:53:28"},
	};
	char text[TZ_TEXT_MAX];
	size_t i;

	for (i = 0; i < N(rows); i++)
		cr_assert_str_eq(
		    tz_format(zone_of(rows[i].zone), at(rows[i].at), text), rows[i].text);
	cr_assert_str_eq(tz_format(tz_utc(), TIME_NONE, text), "");
	LEAK_CHECK();
}

Test(time_tz, knows_the_parts_of_a_civil_time)
{
	struct tz_date d;

	tz_date(at("2026-11-21T17:30:05.000007Z"), &d);
	cr_assert(d.year == 2026 && d.month == 11 && d.day == 21 && d.hour == 17 &&
		  d.minute == 30 && d.second == 5 && d.us == 7 && d.weekday == 6);
	tz_date(-1, &d);
	cr_assert(d.year == 1969 && d.month == 12 && d.day == 31 && d.hour == 23 &&
		  d.us == 999999 && d.weekday == 3);
	cr_assert_eq(tz_civil(2026, 11, 21, 17, 30, 5), at("2026-11-21T17:30:05Z"));
	LEAK_CHECK();
}

Test(time_tz, reads_what_a_person_writes)
{
	static const struct {
		const char *text, *utc;
		enum tz_fit fit;
	} rows[] = {
	    {"2026-11-21T17:30:00Z", "2026-11-21T17:30:00.000Z", TZ_ONCE},
	    {"2026-11-21T17:30:00+09:00", "2026-11-21T08:30:00.000Z", TZ_ONCE},
	    {"2026-11-21", "2026-11-21T05:00:00.000Z", TZ_ONCE},
	    {"2026-11-21T17:30", "2026-11-21T22:30:00.000Z", TZ_ONCE},
	    {"2026-11-21 17:30:05", "2026-11-21T22:30:05.000Z", TZ_ONCE},
	    {"2026-07-01T12:00", "2026-07-01T16:00:00.000Z", TZ_ONCE},
	    {"2026-03-08T02:30", "2026-03-08T07:00:00.000Z", TZ_GAP},
	    {"2026-11-01T01:30", "2026-11-01T05:30:00.000Z", TZ_TWICE},
	};
	static const char *const bad[] = {"", "tomorrow", "2026-13-01", "2026-11-21T",
	    "2026-11-21T25:00", "2026-11-21T17",
	    "2026-11-21T17:30:00 and a very long text behind it", "2026-11-21T17:30:00-"};
	const struct tz *zone;
	char text[CLOCK_TEXT_MAX];
	enum tz_fit fit;
	wall_us t = 5;

	cr_assert_eq(tz_load("America/New_York", &zone, NULL), 0);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		cr_assert_eq(tz_time_parse(zone, rows[i].text, &t, &fit), 0, "%s", rows[i].text);
		cr_assert_str_eq(clock_format(t, text), rows[i].utc, "%s", rows[i].text);
		cr_assert_eq(fit, rows[i].fit, "%s", rows[i].text);
	}
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		cr_assert_eq(tz_time_parse(zone, bad[i], &t, &fit), ERR_PARSE, "%s", bad[i]);
	LEAK_CHECK();
}
