/* The rule at the end of a zone's file. */
#include "core/time/tz_impl.h"
#include "tests/unit/leak.h"

#include <criterion/criterion.h>

#define N(a) (sizeof(a) / sizeof((a)[0]))

static int64_t seconds(const char *text)
{
	wall_us t;

	cr_assert_eq(clock_parse(text, &t), 0, "%s", text);
	return t / US_PER_S;
}

Test(time_tz_rule, gives_the_changes_of_a_year)
{
	static const struct {
		const char *rule;
		int year;
		const char *start, *end;
	} rows[] = {
	    {"EST5EDT,M3.2.0,M11.1.0", 2026, "2026-03-08T07:00:00Z", "2026-11-01T06:00:00Z"},
	    {"CET-1CEST,M3.5.0,M10.5.0/3", 2026, "2026-03-29T01:00:00Z", "2026-10-25T01:00:00Z"},
	    {"<+1030>-10:30<+11>-11,M10.1.0,M4.1.0", 2026, "2026-10-03T15:30:00Z",
		"2026-04-04T15:00:00Z"},
	    {"IST-1GMT0,M10.5.0,M3.5.0/1", 2026, "2026-10-25T01:00:00Z", "2026-03-29T01:00:00Z"},
	    {"<-02>2<-01>,M3.5.0/-1,M10.5.0/0", 2026, "2026-03-29T01:00:00Z",
		"2026-10-25T01:00:00Z"},
	    {"AAA0BBB,J60,J365/23", 2024, "2024-03-01T02:00:00Z", "2024-12-31T22:00:00Z"},
	    {"AAA0BBB,J59,J60", 2024, "2024-02-28T02:00:00Z", "2024-03-01T01:00:00Z"},
	    {"AAA0BBB,59,60", 2024, "2024-02-29T02:00:00Z", "2024-03-01T01:00:00Z"},
	    {"AAA0BBB,M2.5.4/0,M12.5.0/0:30:15", 2024, "2024-02-29T00:00:00Z",
		"2024-12-28T23:30:15Z"},
	    {"IST-2IDT,M3.4.4/26,M10.5.0", 2026, "2026-03-27T00:00:00Z", "2026-10-24T23:00:00Z"},
	};
	struct tz_rule rule;
	int64_t start, end;
	size_t i;

	for (i = 0; i < N(rows); i++) {
		cr_assert_eq(tz_rule_parse(rows[i].rule, &rule), 0, "%s", rows[i].rule);
		cr_assert(rule.has_dst);
		tz_rule_year(&rule, rows[i].year, &start, &end);
		cr_assert_eq(start, seconds(rows[i].start), "%s", rows[i].rule);
		cr_assert_eq(end, seconds(rows[i].end), "%s", rows[i].rule);
	}
	LEAK_CHECK();
}

Test(time_tz_rule, reads_offsets_and_names)
{
	struct tz_rule r;

	cr_assert_eq(tz_rule_parse("<-0330>3:30", &r), 0);
	cr_assert(!r.has_dst && r.std_s == -12600);
	cr_assert_str_eq(r.std_name, "-0330");
	cr_assert_eq(tz_rule_parse("ABC-5:30:15", &r), 0);
	cr_assert_eq(r.std_s, 19815);
	cr_assert_eq(tz_rule_parse("ABC+5DEF+4:30,0,1", &r), 0);
	cr_assert(r.std_s == -18000 && r.dst_s == -16200);
	LEAK_CHECK();
}

Test(time_tz_rule, refuses_the_rest)
{
	static const char *const rows[] = {"", "A", "AB1", "ABC", "ABC25", "ABC1:60", "ABC1x",
	    "<ABC1", "<AB>1", "<A B>1", "ABCDEFGHIJKLMNOPQ1", "EST5EDT", "EST5EDT,",
	    "EST5EDT,M3.2.0", "EST5EDT,M3.2.0,", "EST5EDT,M0.2.0,M11.1.0",
	    "EST5EDT,M13.2.0,M11.1.0", "EST5EDT,M3.0.0,M11.1.0", "EST5EDT,M3.6.0,M11.1.0",
	    "EST5EDT,M3.2.7,M11.1.0", "EST5EDT,M3.2,M11.1.0", "EST5EDT,J0,J1", "EST5EDT,J366,J1",
	    "EST5EDT,366,1", "EST5EDT,M3.2.0/168,M11.1.0", "EST5EDT,M3.2.0/,M11.1.0",
	    "EST5EDT,M3.2.0,M11.1.0x", "EST5EDT4x,M3.2.0,M11.1.0", "EST5EDT,M3.2.0,M11.1.0,"};
	struct tz_rule r;
	size_t i;

	for (i = 0; i < N(rows); i++)
		cr_assert_eq(tz_rule_parse(rows[i], &r), ERR_PARSE, "%s", rows[i]);
	LEAK_CHECK();
}
