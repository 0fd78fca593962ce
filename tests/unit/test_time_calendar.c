/* Periods: keys, steps, and every minute around odd changes. */
#include "core/time/calendar.h"

#include "tests/unit/leak.h"
#include "tests/unit/time_rig.h"

#include <criterion/criterion.h>
#include <string.h>

#define N(a) (sizeof(a) / sizeof((a)[0]))
#define MINUTE_US (60 * US_PER_S)
#define DAY_US (INT64_C(1440) * MINUTE_US)

Test(time_calendar, windows_and_their_keys)
{
	static const struct {
		enum cal_unit unit;
		const char *zone, *at;
		int n;
		const char *key, *start, *end;
	} rows[] = {
	    {CAL_HOUR, "UTC", "2026-11-21T05:59:59.999999Z", 0, "2026-11-21T05",
		"2026-11-21T05:00:00Z", "2026-11-21T06:00:00Z"},
	    {CAL_HOUR, "Asia/Kathmandu", "2026-11-21T05:10:00+05:45", 0, "2026-11-21T05",
		"2026-11-21T05:00:00+05:45", "2026-11-21T06:00:00+05:45"},
	    {CAL_HOUR, "UTC", "2026-11-21T00:00:00Z", -1000, "2026-10-10T08",
		"2026-10-10T08:00:00Z", "2026-10-10T09:00:00Z"},
	    {CAL_HOUR, "UTC", "2026-11-21T00:00:00Z", 1000, "2027-01-01T16", "2027-01-01T16:00:00Z",
		"2027-01-01T17:00:00Z"},
	    {CAL_DAY, "Asia/Tokyo", "2026-11-21T02:30:00+09:00", -1, "2026-11-20",
		"2026-11-20T00:00:00+09:00", "2026-11-21T00:00:00+09:00"},
	    {CAL_DAY, "America/New_York", "2026-03-08T12:00:00-04:00", 0, "2026-03-08",
		"2026-03-08T00:00:00-05:00", "2026-03-09T00:00:00-04:00"},
	    {CAL_DAY, "America/Sao_Paulo", "2017-10-15T12:00:00-02:00", 0, "2017-10-15",
		"2017-10-15T01:00:00-02:00", "2017-10-16T00:00:00-02:00"},
	    {CAL_DAY, "America/St_Johns", "2010-11-07T00:00:30-02:30", 0, "2010-11-07",
		"2010-11-07T00:00:00-02:30", "2010-11-08T00:00:00-03:30"},
	    {CAL_DAY, "America/St_Johns", "2010-11-06T23:30:00-03:30", 0, "2010-11-07",
		"2010-11-07T00:00:00-02:30", "2010-11-08T00:00:00-03:30"},
	    {CAL_DAY, "Pacific/Apia", "2011-12-29T12:00:00-10:00", 1, "2011-12-31",
		"2011-12-31T00:00:00+14:00", "2012-01-01T00:00:00+14:00"},
	    {CAL_DAY, "Pacific/Apia", "2011-12-31T12:00:00+14:00", -1, "2011-12-29",
		"2011-12-29T00:00:00-10:00", "2011-12-31T00:00:00+14:00"},
	    {CAL_WEEK, "UTC", "2026-11-21T05:00:00Z", 0, "2026-W47", "2026-11-16", "2026-11-23"},
	    {CAL_WEEK, "UTC", "2027-01-01", 0, "2026-W53", "2026-12-28", "2027-01-04"},
	    {CAL_WEEK, "UTC", "2024-12-30", 0, "2025-W01", "2024-12-30", "2025-01-06"},
	    {CAL_WEEK, "UTC", "1969-12-31", 0, "1970-W01", "1969-12-29", "1970-01-05"},
	    {CAL_WEEK, "UTC", "1969-12-28", 0, "1969-W52", "1969-12-22", "1969-12-29"},
	    {CAL_MONTH, "UTC", "2026-11-21T05:00:00Z", 0, "2026-11", "2026-11-01", "2026-12-01"},
	    {CAL_MONTH, "UTC", "2026-11-21T05:00:00Z", -11, "2025-12", "2025-12-01", "2026-01-01"},
	    {CAL_MONTH, "UTC", "2026-11-21T05:00:00Z", 2, "2027-01", "2027-01-01", "2027-02-01"},
	    {CAL_MONTH, "UTC", "1969-12-21", 0, "1969-12", "1969-12-01", "1970-01-01"},
	    /* an hour that comes twice, and one of an hour and a half, and one of half an hour */
	    {CAL_HOUR, "America/Los_Angeles", "2026-11-01T01:30:00-07:00", 0, "2026-11-01T01",
		"2026-11-01T01:00:00-07:00", "2026-11-01T01:00:00-08:00"},
	    {CAL_HOUR, "America/Los_Angeles", "2026-11-01T01:30:00-07:00", 1, "2026-11-01T01-08:00",
		"2026-11-01T01:00:00-08:00", "2026-11-01T02:00:00-08:00"},
	    {CAL_HOUR, "America/Los_Angeles", "2026-11-01T02:30:00-08:00", -1,
		"2026-11-01T01-08:00", "2026-11-01T01:00:00-08:00", "2026-11-01T02:00:00-08:00"},
	    {CAL_HOUR, "Australia/Lord_Howe", "2026-04-05T01:40:00+10:30", 0, "2026-04-05T01",
		"2026-04-05T01:00:00+11:00", "2026-04-05T02:00:00+10:30"},
	    {CAL_HOUR, "Australia/Lord_Howe", "2026-10-04T02:40:00+11:00", 0, "2026-10-04T02",
		"2026-10-04T02:30:00+11:00", "2026-10-04T03:00:00+11:00"},
	    {CAL_HOUR, "America/New_York", "2026-03-08T01:30:00-05:00", 1, "2026-03-08T03",
		"2026-03-08T03:00:00-04:00", "2026-03-08T04:00:00-04:00"},
	};
	char key[CAL_KEY_MAX];
	wall_us start, end, parsed;
	size_t i;

	for (i = 0; i < N(rows); i++) {
		cal_window(
		    rows[i].unit, zone_of(rows[i].zone), at(rows[i].at), rows[i].n, &start, &end);
		cr_assert_eq(start, at(rows[i].start), "row %zu", i);
		cr_assert_eq(end, at(rows[i].end), "row %zu", i);
		cal_key(rows[i].unit, zone_of(rows[i].zone), start, key);
		cr_assert_str_eq(key, rows[i].key, "row %zu", i);
		cr_assert_eq(
		    cal_key_parse(rows[i].unit, zone_of(rows[i].zone), key, &parsed, NULL), 0);
		cr_assert_eq(parsed, start, "row %zu", i);
	}
	LEAK_CHECK();
}

Test(time_calendar, refuses_keys_that_are_none)
{
	static const struct {
		enum cal_unit unit;
		const char *key;
		int rc;
	} rows[] = {
	    {CAL_DAY, "2026-11", ERR_PARSE},
	    {CAL_DAY, "2026-11-21T05", ERR_PARSE},
	    {CAL_DAY, "2026-11-2", ERR_PARSE},
	    {CAL_DAY, "2026-13-01", ERR_PARSE},
	    {CAL_DAY, "2026-00-01", ERR_PARSE},
	    {CAL_DAY, "2026-11-00", ERR_PARSE},
	    {CAL_DAY, "2026-11-32", ERR_PARSE},
	    {CAL_DAY, "2026-11-31", ERR_NOT_FOUND},
	    {CAL_DAY, "2025-02-29", ERR_NOT_FOUND},
	    {CAL_DAY, "", ERR_PARSE},
	    {CAL_HOUR, "2026-11-21T24", ERR_PARSE},
	    {CAL_HOUR, "2026-11-21T5", ERR_PARSE},
	    {CAL_HOUR, "2026-11-21 05", ERR_PARSE},
	    {CAL_HOUR, "2026-03-08T02", ERR_NOT_FOUND},
	    {CAL_HOUR, "2026-11-01T01-04:00", ERR_NOT_FOUND},
	    {CAL_HOUR, "2026-11-01T05-05:00", ERR_NOT_FOUND},
	    {CAL_WEEK, "2026-W00", ERR_PARSE},
	    {CAL_WEEK, "2026-W54", ERR_PARSE},
	    {CAL_WEEK, "2025-W53", ERR_NOT_FOUND},
	    {CAL_WEEK, "2026-47", ERR_PARSE},
	    {CAL_MONTH, "2026-13", ERR_PARSE},
	    {CAL_MONTH, "2026-11-21", ERR_PARSE},
	};
	const struct tz *zone = zone_of("America/New_York");
	struct err e = {0};
	wall_us t = 77;
	size_t i;

	for (i = 0; i < N(rows); i++) {
		cr_assert_eq(cal_key_parse(rows[i].unit, zone, rows[i].key, &t, &e), rows[i].rc,
		    "%s", rows[i].key);
		cr_assert_not_null(strstr(e.text, rows[i].key), "%s", e.text);
		cr_assert_eq(t, 77);
	}
	cr_assert_eq(
	    cal_key_parse(CAL_DAY, zone_of("Pacific/Apia"), "2011-12-30", &t, &e), ERR_NOT_FOUND);
	LEAK_CHECK();
}

Test(time_calendar, names_units_and_knows_them_by_their_keys)
{
	static const char *const names[] = {"hour", "day", "week", "month"};
	static const char *const keys[] = {"2026-11-21T05", "2026-11-21", "2026-W47", "2026-11"};
	enum cal_unit unit;
	int i;

	for (i = 0; i < 4; i++) {
		cr_assert_eq(cal_unit_parse(names[i], &unit), 0);
		cr_assert_eq((int)unit, i);
		cr_assert_str_eq(cal_unit_name(i), names[i]);
		cr_assert_eq(cal_key_unit(keys[i], &unit), 0);
		cr_assert_eq((int)unit, i);
	}
	cr_assert_eq(cal_unit_parse("year", &unit), ERR_PARSE);
	cr_assert_eq(cal_unit_parse(NULL, &unit), ERR_PARSE);
	cr_assert_eq(cal_key_unit("2026-11-01T01-08:00", &unit), 0);
	cr_assert_eq(cal_key_unit("x", &unit), ERR_PARSE);
	LEAK_CHECK();
}

/* What holds of every period, asked at t. */
static void check_period(enum cal_unit unit, const struct tz *zone, wall_us t)
{
	char key[CAL_KEY_MAX], next_key[CAL_KEY_MAX], text[TZ_TEXT_MAX];
	wall_us start = cal_start(unit, zone, t), next = cal_add(unit, zone, t, 1), parsed = 0;

	tz_format(zone, t, text);
	cr_assert(start <= t && t < next, "%s %s", cal_unit_name(unit), text);
	cr_assert_eq(cal_start(unit, zone, start), start, "%s", text);
	cr_assert_eq(cal_start(unit, zone, next), next, "%s", text);
	cr_assert_eq(cal_start(unit, zone, next - 1), start, "%s", text);
	cr_assert_eq(cal_add(unit, zone, next, -1), start, "%s %s", cal_unit_name(unit), text);
	cr_assert_eq(cal_add(unit, zone, t, 0), start, "%s", text);
	cal_key(unit, zone, t, key);
	cal_key(unit, zone, next, next_key);
	cr_assert_str_neq(key, next_key, "%s", text);
	cr_assert_eq(cal_key_parse(unit, zone, key, &parsed, NULL), 0, "%s %s", key, text);
	cr_assert_eq(parsed, start, "%s %s", key, text);
}

/* The day is the latest date that the wall has shown so far, the hour the one that it shows. */
static void check_labels(const struct tz *zone, wall_us t, int64_t latest)
{
	char key[CAL_KEY_MAX], want[CAL_KEY_MAX];
	civil_us c = tz_to_civil(zone, t);

	cal_key(CAL_DAY, zone, t, key);
	cal_key(CAL_DAY, tz_utc(), latest * DAY_US, want);
	cr_assert_str_eq(key, want);
	cal_key(CAL_HOUR, zone, t, key);
	cal_key(CAL_HOUR, tz_utc(), c, want);
	cr_assert_eq(strncmp(key, want, 13), 0, "%s %s", key, want);
}

static void check_minute(const struct tz *zone, wall_us t, int64_t latest)
{
	check_labels(zone, t, latest);
	check_period(CAL_HOUR, zone, t);
	check_period(CAL_DAY, zone, t);
}

Test(time_calendar, periods_follow_each_other_at_every_minute_around_changes)
{
	static const char *const names[] = {"America/New_York", "Australia/Lord_Howe",
	    "America/St_Johns", "America/Sao_Paulo", "Pacific/Apia", "Africa/Casablanca",
	    "Asia/Kathmandu", "Pacific/Kwajalein", "Asia/Gaza"};
	struct tz_change change;
	const struct tz *zone;
	int64_t latest, date;
	wall_us t;
	size_t i;
	int n;

	for (i = 0; i < N(names); i++) {
		zone = zone_of(names[i]);
		change.at = at("1985-01-01");
		while (tz_next_change(zone, change.at, &change) && change.at < at("2013-01-01")) {
			latest = 0;
			for (n = -2 * 1440; n < 2 * 1440; n++) {
				t = change.at + n * MINUTE_US;
				date = tz_to_civil(zone, t) / DAY_US;
				latest = date > latest ? date : latest;
				if (n % 7 == 0)
					check_minute(zone, t, latest);
			}
			check_period(CAL_WEEK, zone, change.at);
			check_period(CAL_MONTH, zone, change.at);
		}
	}
	LEAK_CHECK();
}

Test(time_calendar, many_hours_at_once_are_the_same_as_one_by_one)
{
	const struct tz *zone = zone_of("Australia/Lord_Howe");
	wall_us start = at("2026-03-20"), t = cal_start(CAL_HOUR, zone, start);
	int n;

	for (n = 1; n < 6000; n++) {
		t = cal_add(CAL_HOUR, zone, t, 1);
		if (n % 7 == 0) {
			cr_assert_eq(cal_add(CAL_HOUR, zone, start, n), t, "%d", n);
			cr_assert_eq(
			    cal_add(CAL_HOUR, zone, t, -n), cal_start(CAL_HOUR, zone, start));
		}
	}
	LEAK_CHECK();
}
