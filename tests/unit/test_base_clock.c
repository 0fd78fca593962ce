/* Clocks and RFC 3339. */
#include "core/base/clock.h"

#include "tests/unit/leak.h"

#include <criterion/criterion.h>
#include <string.h>
#include <time.h>

Test(base_clock, wall_clock_is_the_system_clock)
{
	wall_us before = (int64_t)time(NULL) * US_PER_S, now = clock_wall();

	cr_assert_geq(now, before);
	cr_assert_lt(now - before, 60 * US_PER_S);
	LEAK_CHECK();
}

Test(base_clock, monotonic_clock_never_goes_back)
{
	mono_us last = clock_mono(), now;
	int i;

	for (i = 0; i < 1000; i++, last = now) {
		now = clock_mono();
		cr_assert_geq(now, last);
	}
	LEAK_CHECK();
}

Test(base_clock, formats_instants)
{
	static const struct {
		wall_us t;
		const char *ms, *us;
	} rows[] = {
	    {0, "1970-01-01T00:00:00.000Z", "1970-01-01T00:00:00.000Z"},
	    {-1, "1969-12-31T23:59:59.999Z", "1969-12-31T23:59:59.999999Z"},
	    {INT64_C(1795282200123456), "2026-11-21T17:30:00.123Z", "2026-11-21T17:30:00.123456Z"},
	    {INT64_C(1795282200120000), "2026-11-21T17:30:00.120Z", "2026-11-21T17:30:00.120Z"},
	    {INT64_C(951782400000000), "2000-02-29T00:00:00.000Z", "2000-02-29T00:00:00.000Z"},
	    {INT64_C(-62135596800000000), "0001-01-01T00:00:00.000Z", "0001-01-01T00:00:00.000Z"},
	    {TIME_NONE, "", ""},
	};
	char buf[CLOCK_TEXT_MAX];
	size_t i;

	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		cr_assert_str_eq(clock_format(rows[i].t, buf), rows[i].ms);
		cr_assert_str_eq(clock_format_us(rows[i].t, buf), rows[i].us);
	}
	LEAK_CHECK();
}

Test(base_clock, the_widest_instant_fits_its_buffer)
{
	char buf[CLOCK_TEXT_MAX];

	cr_assert_lt(strlen(clock_format_us(INT64_MAX, buf)), CLOCK_TEXT_MAX - 1);
	cr_assert_lt(strlen(clock_format_us(INT64_MIN + 1, buf)), CLOCK_TEXT_MAX - 1);
	LEAK_CHECK();
}

Test(base_clock, parses_rfc_3339)
{
	static const struct {
		const char *text;
		const char *same_as;
	} rows[] = {
	    {"2026-11-21T17:30:00Z", "2026-11-21T17:30:00.000Z"},
	    {"2026-11-21t17:30:00z", "2026-11-21T17:30:00.000Z"},
	    {"2026-11-21 17:30:00Z", "2026-11-21T17:30:00.000Z"},
	    {"2026-11-21T17:30:00.5Z", "2026-11-21T17:30:00.500Z"},
	    {"2026-11-21T17:30:00.123456789Z", "2026-11-21T17:30:00.123456Z"},
	    {"2026-11-21T17:30:00+01:00", "2026-11-21T16:30:00.000Z"},
	    {"2026-11-21T17:30:00-07:30", "2026-11-22T01:00:00.000Z"},
	    {"2026-11-21", "2026-11-21T00:00:00.000Z"},
	    {"2024-02-29", "2024-02-29T00:00:00.000Z"},
	    {"2016-12-31T23:59:60Z", "2016-12-31T23:59:59.000Z"},
	    {"0001-01-01T00:00:00Z", "0001-01-01T00:00:00.000Z"},
	    {"9999-12-31T23:59:59.999999Z", "9999-12-31T23:59:59.999999Z"},
	};
	char buf[CLOCK_TEXT_MAX];
	wall_us t;
	size_t i;

	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		cr_assert_eq(clock_parse(rows[i].text, &t), 0, "%s", rows[i].text);
		cr_assert_str_eq(clock_format_us(t, buf), rows[i].same_as, "%s", rows[i].text);
	}
	LEAK_CHECK();
}

Test(base_clock, refuses_what_is_no_instant)
{
	static const char *const rows[] = {"", "2026", "2026-11", "2026-13-01", "2026-00-01",
	    "2026-11-31", "2025-02-29", "1900-02-29", "2026-11-00", "26-11-21", "2026-11-21T",
	    "2026-11-21T17:30", "2026-11-21T17:30:00", "2026-11-21T24:00:00Z",
	    "2026-11-21T17:60:00Z", "2026-11-21T17:30:61Z", "2026-11-21T17:30:00.Z",
	    "2026-11-21T17:30:00.1234567890Z", "2026-11-21T17:30:00+24:00",
	    "2026-11-21T17:30:00+0100", "2026-11-21T17:30:00+01:60", "2026-11-21T17:30:00Zx",
	    "2026-11-21Z", " 2026-11-21", "2026-1a-21", "-026-11-21"};
	wall_us t = 77;
	size_t i;

	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		cr_assert_eq(clock_parse(rows[i], &t), ERR_PARSE, "%s", rows[i]);
		cr_assert_eq(t, 77, "output touched by %s", rows[i]);
	}
	cr_assert_eq(clock_parse(NULL, &t), ERR_PARSE);
	LEAK_CHECK();
}

Test(base_clock, civil_days_go_both_ways_through_the_leap_cycle)
{
	int64_t day, year;
	int month, mday;

	for (day = -200000; day < 200000; day++) {
		clock_civil_from_days(day, &year, &month, &mday);
		cr_assert_eq(clock_days_from_civil(year, month, mday), day);
	}
	cr_assert_eq(clock_days_from_civil(1970, 1, 1), 0);
	cr_assert_eq(clock_days_from_civil(2000, 3, 1), 11017);
	cr_assert_eq(clock_days_from_civil(1, 1, 1), -719162);
	LEAK_CHECK();
}
