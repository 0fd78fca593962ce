/* The next instant: every minute around every change of sample zones against the oracle, and the
 * examples of the manual. SLUICE_TEST_ALL=1 in the environment takes all zones of the system. */
#include "core/base/str.h"
#include "core/time/cron.h"

#include "tests/unit/leak.h"
#include "tests/unit/time_oracle.h"
#include "tests/unit/time_rig.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define N(a) (sizeof(a) / sizeof((a)[0]))
#define MINUTE_US (60 * US_PER_S)

static struct cron cron_of(const char *text)
{
	struct cron c;
	struct err e = {0};

	cr_assert_eq(cron_parse(text, &c, &e), 0, "%s: %s", text, e.text);
	return c;
}

Test(time_cron, gives_the_instants_of_the_manual)
{
	static const struct {
		const char *expr, *zone, *after;
		enum cron_gap gap;
		enum cron_overlap overlap;
		const char *next;
	} rows[] = {
	    {"30 2 * * *", "UTC", "2026-11-21T02:30:00Z", 0, 0, "2026-11-22T02:30:00+00:00"},
	    {"30 2 * * *", "UTC", "2026-11-21T02:29:59.999999Z", 0, 0, "2026-11-21T02:30:00+00:00"},
	    {"30 2 * * *", "Asia/Tokyo", "2026-11-21T00:00:00Z", 0, 0, "2026-11-22T02:30:00+09:00"},
	    /* the gap of 2026-03-08: 02:00 -> 03:00 */
	    {"30 2 * * *", "America/New_York", "2026-03-08T00:00:00-05:00", CRON_RUN_AFTER, 0,
		"2026-03-08T03:00:00-04:00"},
	    {"30 2 * * *", "America/New_York", "2026-03-08T00:00:00-05:00", CRON_SHIFT, 0,
		"2026-03-08T03:30:00-04:00"},
	    {"30 2 * * *", "America/New_York", "2026-03-08T00:00:00-05:00", CRON_SKIP, 0,
		"2026-03-09T02:30:00-04:00"},
	    {"30 2 * * *", "America/New_York", "2026-03-08T03:00:00-04:00", CRON_RUN_AFTER, 0,
		"2026-03-09T02:30:00-04:00"},
	    /* the overlap of 2026-11-01: 02:00 -> 01:00 */
	    {"30 1 * * *", "America/Los_Angeles", "2026-11-01T00:00:00-07:00", 0, CRON_FIRST,
		"2026-11-01T01:30:00-07:00"},
	    {"30 1 * * *", "America/Los_Angeles", "2026-11-01T01:30:00-07:00", 0, CRON_FIRST,
		"2026-11-02T01:30:00-08:00"},
	    {"30 1 * * *", "America/Los_Angeles", "2026-11-01T00:00:00-07:00", 0, CRON_SECOND,
		"2026-11-01T01:30:00-08:00"},
	    {"30 1 * * *", "America/Los_Angeles", "2026-11-01T01:30:00-07:00", 0, CRON_BOTH,
		"2026-11-01T01:30:00-08:00"},
	    /* all 24 hours follow elapsed time, all but one do not */
	    {"30 * * * *", "America/Los_Angeles", "2026-11-01T01:30:00-07:00", 0, CRON_FIRST,
		"2026-11-01T01:30:00-08:00"},
	    {"30 0-23 * * *", "America/Los_Angeles", "2026-11-01T01:30:00-07:00", 0, CRON_FIRST,
		"2026-11-01T01:30:00-08:00"},
	    {"30 0-22 * * *", "America/Los_Angeles", "2026-11-01T01:30:00-07:00", 0, CRON_FIRST,
		"2026-11-01T02:30:00-08:00"},
	    {"30 * * * *", "America/New_York", "2026-03-08T01:30:00-05:00", CRON_RUN_AFTER, 0,
		"2026-03-08T03:30:00-04:00"},
	    {"0 */2 * * *", "America/New_York", "2026-03-08T01:30:00-05:00", CRON_RUN_AFTER, 0,
		"2026-03-08T03:00:00-04:00"},
	    /* two civil times that fall on one instant are one */
	    {"0,30 2,3 * * *", "America/New_York", "2026-03-08T01:30:00-05:00", CRON_RUN_AFTER, 0,
		"2026-03-08T03:00:00-04:00"},
	    {"0,30 2,3 * * *", "America/New_York", "2026-03-08T03:00:00-04:00", CRON_SHIFT, 0,
		"2026-03-08T03:30:00-04:00"},
	    /* a whole day left out: Samoa had no 2011-12-30 */
	    {"0 12 30 12 *", "Pacific/Apia", "2011-12-01", CRON_RUN_AFTER, 0,
		"2011-12-31T00:00:00+14:00"},
	    {"0 12 30 12 *", "Pacific/Apia", "2011-12-01", CRON_SHIFT, 0,
		"2011-12-31T12:00:00+14:00"},
	    {"0 12 30 12 *", "Pacific/Apia", "2011-12-01", CRON_SKIP, 0,
		"2012-12-30T12:00:00+14:00"},
	    /* days of the month */
	    {"0 0 L * *", "UTC", "2028-02-01", 0, 0, "2028-02-29T00:00:00+00:00"},
	    {"0 0 L-3 * *", "UTC", "2026-02-01", 0, 0, "2026-02-25T00:00:00+00:00"},
	    {"0 0 29 2 *", "UTC", "2096-03-01", 0, 0, "2104-02-29T00:00:00+00:00"},
	    {"0 0 15W * *", "UTC", "2026-08-01", 0, 0, "2026-08-14T00:00:00+00:00"},
	    {"0 0 15W * *", "UTC", "2026-11-01", 0, 0, "2026-11-16T00:00:00+00:00"},
	    {"0 0 1W * *", "UTC", "2026-07-31", 0, 0, "2026-08-03T00:00:00+00:00"},
	    {"0 0 31W * *", "UTC", "2026-05-01", 0, 0, "2026-05-29T00:00:00+00:00"},
	    {"0 0 31W * *", "UTC", "2026-06-01", 0, 0, "2026-07-31T00:00:00+00:00"},
	    {"0 0 LW * *", "UTC", "2026-05-01", 0, 0, "2026-05-29T00:00:00+00:00"},
	    {"0 0 LW * *", "UTC", "2026-02-01", 0, 0, "2026-02-27T00:00:00+00:00"},
	    /* days of the week */
	    {"0 0 * * 5L", "UTC", "2026-11-01", 0, 0, "2026-11-27T00:00:00+00:00"},
	    {"0 0 * * friL", "UTC", "2026-11-01", 0, 0, "2026-11-27T00:00:00+00:00"},
	    {"0 0 * * 1#2", "UTC", "2026-11-01", 0, 0, "2026-11-09T00:00:00+00:00"},
	    {"0 0 * * 6#5", "UTC", "2026-11-01", 0, 0, "2027-01-30T00:00:00+00:00"},
	    {"0 0 * * 7", "UTC", "2026-11-16", 0, 0, "2026-11-22T00:00:00+00:00"},
	    {"0 0 * * sun", "UTC", "2026-11-16", 0, 0, "2026-11-22T00:00:00+00:00"},
	    /* both day fields: either, but both where one begins with a star */
	    {"0 0 13 * 5", "UTC", "2026-11-01", 0, 0, "2026-11-06T00:00:00+00:00"},
	    {"0 0 13 * 5", "UTC", "2026-12-11", 0, 0, "2026-12-13T00:00:00+00:00"},
	    {"0 0 */13 * 5", "UTC", "2026-11-01", 0, 0, "2026-11-27T00:00:00+00:00"},
	    {"0 0 13 * */5", "UTC", "2026-11-01", 0, 0, "2026-11-13T00:00:00+00:00"},
	    {"0 0 1-7 * ?", "UTC", "2026-11-08", 0, 0, "2026-12-01T00:00:00+00:00"},
	    {"@weekly", "UTC", "2026-11-21T12:00:00Z", 0, 0, "2026-11-22T00:00:00+00:00"},
	};
	char text[TZ_TEXT_MAX];
	struct cron c;
	wall_us t;
	size_t i;

	for (i = 0; i < N(rows); i++) {
		c = cron_of(rows[i].expr);
		cr_assert_eq(cron_next(&c, zone_of(rows[i].zone), at(rows[i].after), rows[i].gap,
				 rows[i].overlap, &t),
		    0, "row %zu", i);
		tz_format(zone_of(rows[i].zone), t, text);
		cr_assert_str_eq(text, rows[i].next, "row %zu, %s: %s", i, rows[i].expr, text);
	}
	LEAK_CHECK();
}

Test(time_cron, says_never_at_once)
{
	struct cron c = cron_of("30 2 * 3 0#2");
	wall_us t = 77;

	/* Since 2007 that is always inside New York's gap. */
	cr_assert_eq(
	    cron_next(&c, zone_of("America/New_York"), at("2026-01-01"), CRON_SKIP, CRON_FIRST, &t),
	    ERR_NOT_FOUND);
	cr_assert_eq(t, 77);
	cr_assert_eq(cron_next(&c, tz_utc(), INT64_MAX, 0, 0, &t), ERR_NOT_FOUND);
	cr_assert_eq(cron_next(&c, tz_utc(), INT64_MIN + 1, 0, 0, &t), ERR_NOT_FOUND);
	LEAK_CHECK();
}

Test(time_cron, notes_what_the_clocks_did)
{
	static const struct {
		const char *expr, *zone, *at;
		enum cron_gap gap;
		enum cron_overlap overlap;
		const char *note;
	} rows[] = {
	    {"30 1 * * *", "America/Los_Angeles", "2026-11-01T01:30:00-07:00", 0, CRON_FIRST,
		"clock set back: runs once"},
	    {"30 1 * * *", "America/Los_Angeles", "2026-11-01T01:30:00-08:00", 0, CRON_SECOND,
		"clock set back: runs once, the second time"},
	    {"30 1 * * *", "America/Los_Angeles", "2026-11-01T01:30:00-07:00", 0, CRON_BOTH,
		"clock set back: first of two"},
	    {"30 1 * * *", "America/Los_Angeles", "2026-11-01T01:30:00-08:00", 0, CRON_BOTH,
		"clock set back: second of two"},
	    {"30 * * * *", "America/Los_Angeles", "2026-11-01T01:30:00-08:00", 0, CRON_BOTH, NULL},
	    {"30 2 * * *", "America/New_York", "2026-03-08T03:00:00-04:00", CRON_RUN_AFTER, 0,
		"clock set forward: runs right after the gap"},
	    {"30 2 * * *", "America/New_York", "2026-03-08T03:30:00-04:00", CRON_SHIFT, 0,
		"clock set forward: moved on by the length of the gap"},
	    {"30 3 * * *", "America/New_York", "2026-03-08T03:30:00-04:00", CRON_SHIFT, 0, NULL},
	    {"30 2 * * *", "America/New_York", "2026-03-09T02:30:00-04:00", CRON_SHIFT, 0, NULL},
	};
	struct cron c;
	const char *note;
	size_t i;

	for (i = 0; i < N(rows); i++) {
		c = cron_of(rows[i].expr);
		note = cron_note(
		    &c, zone_of(rows[i].zone), at(rows[i].at), rows[i].gap, rows[i].overlap);
		if (rows[i].note == NULL)
			cr_assert_null(note, "row %zu: %s", i, note);
		else
			cr_assert_str_eq(note, rows[i].note, "row %zu", i);
	}
	LEAK_CHECK();
}

Test(time_cron, reads_the_names_of_the_rules)
{
	enum cron_overlap overlap;
	enum cron_gap gap;

	cr_assert(cron_gap_parse("run_after", &gap) == 0 && gap == CRON_RUN_AFTER);
	cr_assert(cron_gap_parse("shift", &gap) == 0 && gap == CRON_SHIFT);
	cr_assert(cron_gap_parse("skip", &gap) == 0 && gap == CRON_SKIP);
	cr_assert_eq(cron_gap_parse("first", &gap), ERR_PARSE);
	cr_assert_eq(cron_gap_parse(NULL, &gap), ERR_PARSE);
	cr_assert(cron_overlap_parse("first", &overlap) == 0 && overlap == CRON_FIRST);
	cr_assert(cron_overlap_parse("second", &overlap) == 0 && overlap == CRON_SECOND);
	cr_assert(cron_overlap_parse("both", &overlap) == 0 && overlap == CRON_BOTH);
	cr_assert_eq(cron_overlap_parse("", &overlap), ERR_PARSE);
	LEAK_CHECK();
}

/* What cron_next gives in a row, read backwards: from each instant, from one microsecond behind it,
 * and from anywhere between. */
static void same_backwards(const char *expr, const char *name, wall_us from, int n)
{
	struct cron c = cron_of(expr);
	const struct tz *zone = zone_of(name);
	wall_us t, before, back;

	cr_assert_eq(cron_next(&c, zone, from, CRON_RUN_AFTER, CRON_BOTH, &before), 0);
	for (int i = 0; i < n; i++, before = t) {
		cr_assert_eq(cron_next(&c, zone, before, CRON_RUN_AFTER, CRON_BOTH, &t), 0);
		cr_assert_eq(cron_prev(&c, zone, t, CRON_RUN_AFTER, CRON_BOTH, &back), 0);
		cr_assert_eq(back, before, "%s in %s", expr, name);
		cr_assert_eq(cron_prev(&c, zone, t + 1, CRON_RUN_AFTER, CRON_BOTH, &back), 0);
		cr_assert_eq(back, t, "%s in %s", expr, name);
		cr_assert_eq(cron_prev(&c, zone, before + (t - before) / 3 + 1, CRON_RUN_AFTER,
				 CRON_BOTH, &back),
		    0);
		cr_assert_eq(back, before, "%s in %s", expr, name);
	}
}

Test(time_cron, finds_the_one_before)
{
	static const char *const exprs[] = {"* * * * *", "*/7 * * * *", "30 2 * * *", "0 */2 * * *",
	    "0 0 29 2 *", "0 0 * * 6#5", "0 12 LW * *", "15 1,2,3 * * *"};
	static const char *const where[] = {
	    "UTC", "America/New_York", "Australia/Lord_Howe", "Pacific/Apia", "Africa/Casablanca"};
	struct cron c = cron_of("0 0 1 1 *");
	wall_us t = 77;

	for (size_t e = 0; e < N(exprs); e++) {
		for (size_t z = 0; z < N(where); z++) {
			same_backwards(exprs[e], where[z], at("2011-10-29T20:00:00Z"), 60);
			same_backwards(exprs[e], where[z], at("2011-12-29"), 60);
			same_backwards(exprs[e], where[z], at("2012-03-24T22:00:00Z"), 60);
		}
	}
	cr_assert_eq(cron_prev(&c, tz_utc(), INT64_MIN + 1, 0, 0, &t), ERR_NOT_FOUND);
	cr_assert_eq(t, 77);
	cr_assert_eq(cron_prev(&c, tz_utc(), INT64_MAX, 0, 0, &t), 0);
	LEAK_CHECK();
}

/* ---- against the oracle ---- */

static const char *const exprs[] = {"* * * * *", "*/7 * * * *", "30 * * * *", "30 2 * * *",
    "0 0 * * *", "59 23 * * *", "15 1,2,3 * * *", "*/20 0-22 * * *", "0 */2 * * *", "45 0 * * 0",
    "10,50 0-3,23 1-15 * 1-5", "0 12 */2 3,4,9-12 *", "1 1 31 * */2", "30 2 L,L-6,LW * *",
    "*/30 1,2 1W,15W,30W * 0L", "30 1 * 3,4,10-11 0#1,0#2,0L", "15 0,2,23 L-1 * 6#5,5L,4#4"};

/* What was compared: asked, and answered as the oracle does. */
static long compared;

#define LAST_JUDGED (ORACLE_MINUTES - 27 * 60)

/* What cron_next gives behind minute i; returns the minute of it. */
static int compare(const struct oracle *o, const struct cron *c, const struct tz *zone,
    enum cron_gap gap, enum cron_overlap overlap, int i)
{
	char text[TZ_TEXT_MAX];
	wall_us t = 0;
	int want = i + 1;

	compared++;
	while (want < LAST_JUDGED && !o->runs[want])
		want++;
	if (cron_next(c, zone, o->from + i * MINUTE_US, gap, overlap, &t) != 0)
		t = INT64_MAX;
	if (want == LAST_JUDGED && t >= o->from + want * MINUTE_US)
		return want;
	cr_assert_eq(t, o->from + want * MINUTE_US, "hours %x in %s, gap %d, overlap %d: %s",
	    c->hours, tz_name(zone), gap, overlap, tz_format(zone, o->from + i * MINUTE_US, text));
	return want;
}

static void all_rules(struct oracle *o, const struct tz *zone, const char *expr)
{
	struct cron c = cron_of(expr);
	int gap, overlap, i, middle = ORACLE_HOURS * 60;

	oracle_match(o, expr);
	for (gap = CRON_RUN_AFTER; gap <= CRON_SKIP; gap++)
		for (overlap = CRON_FIRST; overlap <= CRON_BOTH; overlap++) {
			oracle_run(o, c.elapsed, gap, overlap);
			for (i = 27 * 60; i < LAST_JUDGED;)
				i = compare(o, &c, zone, gap, overlap, i);
			/* Asked from any minute near the change, not only from a run. */
			for (i = middle - 150; i < middle + 150; i += 5)
				compare(o, &c, zone, gap, overlap, i);
		}
}

/* Returns how many changes were compared. */
static int all_changes(struct oracle *o, const char *name, wall_us from, wall_us to)
{
	const struct tz *zone = zone_of(name);
	struct tz_change change = {.at = from};
	int n = 0;
	size_t i;

	while (tz_next_change(zone, change.at, &change) && change.at < to) {
		if (!oracle_look(o, zone, change.at))
			continue;
		for (i = 0; i < N(exprs); i++)
			all_rules(o, zone, exprs[i]);
		n++;
	}
	return n;
}

/* Zones whose changes are odd: by half an hour, at midnight, by a day, twice a year beside Ramadan.
 */
static const char *const zones[] = {"America/New_York", "Europe/Berlin", "Australia/Lord_Howe",
    "America/St_Johns", "America/Sao_Paulo", "Pacific/Apia", "Africa/Casablanca", "Asia/Gaza",
    "Antarctica/Troll", "Asia/Tehran"};

static void tell(const char *which, int count, int changes)
{
	printf("# %s zones: %d, %d changes, %zu expressions, 9 rules: %ld instants equal\n", which,
	    count, changes, N(exprs), compared);
}

Test(time_cron, equals_the_oracle_in_odd_zones)
{
	struct oracle *o = malloc(sizeof(*o));
	int changes = 0, n;
	size_t i;

	compared = 0;
	for (i = 0; i < N(zones); i++) {
		n = all_changes(o, zones[i], at("2009-06-01"), at("2012-06-01"));
		cr_assert_gt(n, 0, "%s", zones[i]);
		changes += n;
	}
	tell("odd", (int)N(zones), changes);
	free(o);
	LEAK_CHECK();
}

Test(time_cron, equals_the_oracle_in_all_zones)
{
	struct oracle *o = malloc(sizeof(*o));
	char line[256], *name;
	int changes = 0, count = 0;
	FILE *f = NULL;

	compared = 0;
	if (getenv("SLUICE_TEST_ALL") != NULL)
		f = fopen("/usr/share/zoneinfo/tzdata.zi", "re");
	while (f != NULL && fgets(line, sizeof(line), f) != NULL) {
		if (line[0] != 'Z')
			continue;
		name = line + 2;
		name[strcspn(name, " \n")] = '\0';
		changes += all_changes(o, name, 0, at("2038-01-01"));
		count++;
	}
	if (f != NULL) {
		tell("all", count, changes);
		fclose(f);
		cr_assert_gt(count, 300);
	}
	free(o);
	LEAK_CHECK();
}

/* ---- days, against a look at each of 400 years ---- */

#define DAYS 146097 /* of 400 years, after which the calendar repeats itself, weekdays too */
#define DAY_US (86400 * US_PER_S)

static unsigned draw(unsigned *seed, unsigned n)
{
	*seed = *seed * 1103515245 + 12345;
	return (*seed >> 16) % n;
}

/* One item of a day of the month (kind 0) or of the week (1), of each form that there is. */
static void put_item(struct str *b, int kind, unsigned *seed)
{
	unsigned n = draw(seed, 31) + 1, w = draw(seed, 8), k = draw(seed, 5) + 1;

	switch (draw(seed, kind == 0 ? 6 : 4)) {
	case 0:
		str_addf(b, "%u", kind == 0 ? n : w);
		break;
	case 1:
		str_addf(b, kind == 0 ? "%uW" : "%uL", kind == 0 ? n : w);
		break;
	case 2:
		kind == 0 ? str_addf(b, "L-%u", n - 1) : str_addf(b, "%u#%u", w, k);
		break;
	case 3:
		kind == 0 ? str_add(b, "LW") : str_addf(b, "%u#5", w);
		break;
	case 4:
		str_add(b, "L");
		break;
	default:
		str_addf(b, "%u-31/%u", n, w + 1);
	}
}

/* "0 0 DAY MONTH WEEKDAY"; few months and few items, so that many match rarely or never. */
static void put_expr(struct str *b, unsigned *seed)
{
	unsigned form = draw(seed, 4);

	str_reset(b);
	str_add(b, "0 0 ");
	for (unsigned i = draw(seed, 2) + 1; form != 0 && i > 0; i--) {
		put_item(b, 0, seed);
		str_add(b, i > 1 ? "," : "");
	}
	str_add(b, form == 0 ? "*" : "");
	str_addf(b, draw(seed, 2) ? " 2 " : " %u ", draw(seed, 12) + 1);
	for (unsigned i = draw(seed, 2) + 1; form < 2 && i > 0; i--) {
		put_item(b, 1, seed);
		str_add(b, i > 1 ? "," : "");
	}
	str_add(b, form < 2 ? "" : "*");
}

/* Days that match, by a look at each; the instants of cron_next are these, from each to the next.
 * Returns their number. */
static int same_days(const char *expr)
{
	char field[5][ORACLE_FIELD];
	wall_us first = at("1970-01-01"), t = first - 1, day;
	struct err e = {0};
	struct tz_date d;
	struct cron c;
	int n = 0, rc = cron_parse(expr, &c, &e);

	oracle_fields(expr, field);
	for (day = first; day < first + DAYS * DAY_US; day += DAY_US) {
		tz_date(day, &d);
		if (!oracle_day(field, &d))
			continue;
		n++;
		cr_assert_eq(rc, 0, "%s matches: %s", expr, e.text);
		cr_assert_eq(cron_next(&c, tz_utc(), t, 0, 0, &t), 0, "%s", expr);
		cr_assert_eq(t, day, "%s: day %d", expr, (int)(day / DAY_US));
	}
	if (n > 0)
		return n;
	cr_assert_eq(rc, ERR_PARSE, "%s never matches", expr);
	cr_assert_not_null(strstr(e.text, "never matches"), "%s: %s", expr, e.text);
	return 0;
}

Test(time_cron, days_equal_the_oracle_over_400_years)
{
	static const char *const never[] = {"0 0 30 2 *", "0 0 31W 2 *", "0 0 31 4,6,9,11 *",
	    "0 0 30W 2 *", "0 0 L-29 2 *", "0 0 L-30 4 *", "0 0 30,31W 2 */2", "0 0 31 2,4 */7"};
	unsigned seed = 1, rounds = getenv("SLUICE_TEST_ALL") != NULL ? 400 : 40, none = 0;
	struct str b;
	long days = 0;
	size_t i;
	int n;

	str_init(&b, 200);
	for (i = 0; i < N(never); i++)
		cr_assert_eq(same_days(never[i]), 0, "%s", never[i]);
	cr_assert_eq(same_days("0 0 29 2 *"), 97);
	cr_assert_eq(same_days("0 0 * 2 1#5"), 15);
	for (i = 0; i < rounds; i++) {
		put_expr(&b, &seed);
		n = same_days(str_peek(&b));
		none += n == 0;
		days += n;
	}
	printf("# days: %u expressions, %ld days of 400 years equal, %u never match\n", rounds,
	    days, none);
	cr_assert_gt(none, 0);
	str_done(&b);
	LEAK_CHECK();
}

/* Processor time: the bound is a hundred times what a search by days takes, and less than one by
 * minutes would. */
Test(time_cron, answers_at_once_where_little_or_nothing_matches)
{
	static const char *const rare[] = {
	    "0 0 * 2 1#5", "0 0 29 2 *", "30 2 * 3 0#2", "0 0 L-28 2 *"};
	clock_t began = clock();
	struct cron c;
	wall_us t;
	int i, rc;

	for (i = 0; i < 100; i++) {
		cr_assert_eq(cron_parse("0 0 30 2 *", &c, NULL), ERR_PARSE);
		cr_assert_eq(cron_parse("0 0 31W 2 *", &c, NULL), ERR_PARSE);
		c = cron_of(rare[i % (int)N(rare)]);
		t = at("2026-01-01");
		rc = cron_next(&c, zone_of("America/New_York"), t, CRON_SKIP, CRON_FIRST, &t);
		cr_assert_eq(rc == ERR_NOT_FOUND, c.hours != 1);
	}
	printf("# rare and never: %.0f us of processor time each\n",
	    (double)(clock() - began) / CLOCKS_PER_SEC * 1e6 / 100);
	cr_assert_lt(clock() - began, 10 * CLOCKS_PER_SEC);
	LEAK_CHECK();
}

/* The oracle's own proof: a wrong answer is seen. */
Test(time_cron, the_oracle_sees_a_wrong_rule)
{
	struct oracle *o = malloc(sizeof(*o));
	int i, first = 0, second = 0;

	cr_assert(oracle_look(o, zone_of("America/New_York"), at("2026-11-01T06:00:00Z")));
	oracle_match(o, "30 1 1 11 *");
	oracle_run(o, false, CRON_RUN_AFTER, CRON_BOTH);
	for (i = 0; i < ORACLE_MINUTES; i++)
		if (o->runs[i]) {
			first = first == 0 ? i : first;
			second = i;
		}
	cr_assert_eq(second - first, 60);
	cr_assert_eq(o->from + first * MINUTE_US, at("2026-11-01T01:30:00-04:00"));
	free(o);
	LEAK_CHECK();
}
