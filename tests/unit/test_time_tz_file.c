/* Files of zones: the cache, names, and damaged bytes. */
#include "core/base/io.h"
#include "core/base/mem.h"
#include "core/time/tz.h"
#include "tests/unit/leak.h"

#include <criterion/criterion.h>
#include <pthread.h>
#include <string.h>

#define N(a) (sizeof(a) / sizeof((a)[0]))

Test(time_tz_file, a_zone_is_read_once)
{
	const struct tz *a = NULL, *b = NULL;
	struct err e = {0};

	cr_assert_eq(tz_load("Asia/Tokyo", &a, &e), 0, "%s", e.text);
	cr_assert_eq(tz_load("Asia/Tokyo", &b, &e), 0);
	cr_assert_eq(a, b);
	cr_assert_str_eq(tz_name(a), "Asia/Tokyo");
	cr_assert_eq(tz_load("UTC", &a, &e), 0);
	cr_assert_eq(a, tz_utc());
	cr_assert_eq(tz_offset(a, 0), 0);
	cr_assert_str_eq(tz_abbreviation(a, 0), "UTC");
	LEAK_CHECK();
}

Test(time_tz_file, refuses_names_that_are_none)
{
	static const char *const rows[] = {"", "Nowhere/Town", "../../../etc/passwd", "/etc/passwd",
	    "Asia//Tokyo", "Asia/", "Asia", "Asia/Tokyo\n", "Asia/Tok yo", "tzdata.zi", "Asia/..",
	    "Asia/Tokyo/x", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"};
	const struct tz *zone = NULL;
	struct err e = {0};
	size_t i;

	for (i = 0; i < N(rows); i++) {
		cr_assert_eq(tz_load(rows[i], &zone, &e), ERR_NOT_FOUND, "%s", rows[i]);
		cr_assert_not_null(strstr(e.text, "IANA"), "%s", e.text);
		cr_assert_null(zone);
	}
	LEAK_CHECK();
}

static void *load_many(void *unused)
{
	static const char *const names[] = {"Europe/Paris", "Europe/Rome", "Asia/Tokyo", "UTC"};
	const struct tz *zone;
	intptr_t bad = 0;
	int i;

	(void)unused;
	for (i = 0; i < 400; i++)
		bad += tz_load(names[i % 4], &zone, NULL) != 0;
	return (void *)bad;
}

Test(time_tz_file, threads_share_the_cache)
{
	pthread_t threads[4];
	void *bad;
	int i;

	for (i = 0; i < 4; i++)
		cr_assert_eq(pthread_create(&threads[i], NULL, load_many, NULL), 0);
	for (i = 0; i < 4; i++) {
		cr_assert_eq(pthread_join(threads[i], &bad), 0);
		cr_assert_null(bad);
	}
	LEAK_CHECK();
}

/* ---- damaged files ---- */

static struct str berlin(void)
{
	struct str b;
	struct err e = {0};

	str_init(&b, TZ_FILE_MAX);
	cr_assert_eq(io_read_file("/usr/share/zoneinfo/Europe/Berlin", TZ_FILE_MAX, &b, &e), 0,
	    "%s", e.text);
	return b;
}

static int parse(const void *p, size_t n, struct tz **ret)
{
	/* An exact copy, so that a byte read too far is seen by the sanitizer. */
	void *exact = mem_dup(p, n);
	int rc = tz_parse("test", exact, n, ret, NULL);

	mem_free(exact);
	return rc;
}

Test(time_tz_file, every_cut_file_is_refused)
{
	struct str b = berlin();
	struct tz *zone = NULL;
	size_t n;

	for (n = 0; n < b.len; n++)
		cr_assert_neq(parse(b.s, n, &zone), 0, "cut at %zu", n);
	cr_assert_null(zone);
	cr_assert_eq(parse(b.s, b.len, &zone), 0);
	tz_free(zone);
	tz_free(NULL);
	str_done(&b);
	LEAK_CHECK();
}

Test(time_tz_file, a_file_with_any_byte_changed_is_refused_or_safe)
{
	static const unsigned char values[] = {0, 1, 0x7f, 0x80, 0xff};
	struct str b = berlin();
	struct tz_change change = {0};
	struct tz *zone;
	size_t i, v;
	char saved;

	for (i = 0; i < b.len; i++)
		for (v = 0; v < N(values); v++) {
			saved = b.s[i];
			b.s[i] = (char)values[v];
			zone = NULL;
			if (parse(b.s, b.len, &zone) == 0) {
				change.at = -INT64_C(5000000000) * US_PER_S;
				while (tz_next_change(zone, change.at, &change) &&
				       change.at < INT64_C(20000000000) * US_PER_S)
					cr_assert_eq(tz_offset(zone, change.at), change.after_s);
				tz_free(zone);
			}
			b.s[i] = saved;
		}
	str_done(&b);
	LEAK_CHECK();
}

/* A small version 2 file: one type, no changes, the footer given. */
static size_t small_file(char *to, const char *footer, int leaps)
{
	static const char head[44] = "TZif2";
	char *p = to;
	int i;

	for (i = 0; i < 2; i++) {
		memcpy(p, head, sizeof(head));
		p[39] = 1; /* types */
		p[43] = 4; /* characters */
		p[31] = (char)(i == 1 ? leaps : 0);
		p += sizeof(head);
		memcpy(p, "\0\0\0\0\0\0ABC\0", 10);
		p += 10;
		if (i == 1) {
			memset(p, 0, (size_t)leaps * 12);
			p += leaps * 12;
		}
	}
	*p++ = '\n';
	memcpy(p, footer, strlen(footer));
	p += strlen(footer);
	*p++ = '\n';
	return (size_t)(p - to);
}

static int parse_small(const char *footer, int leaps, struct tz **ret)
{
	char bytes[1000];

	return parse(bytes, small_file(bytes, footer, leaps), ret);
}

Test(time_tz_file, the_footer_alone_rules_where_there_are_no_changes)
{
	struct tz *zone = NULL;
	struct tz_change c;
	wall_us t;

	cr_assert_eq(parse_small("EST5EDT,M3.2.0,M11.1.0", 0, &zone), 0);
	cr_assert_eq(clock_parse("2026-01-01", &t), 0);
	cr_assert_eq(tz_offset(zone, t), -18000);
	cr_assert(tz_next_change(zone, t, &c));
	cr_assert_eq(clock_parse("2026-03-08T07:00:00Z", &t), 0);
	cr_assert_eq(c.at, t);
	tz_free(zone);
	cr_assert_eq(parse_small("<+03>-3", 0, &zone), 0);
	cr_assert_eq(tz_offset(zone, t), 10800);
	cr_assert_str_eq(tz_abbreviation(zone, t), "+03");
	tz_free(zone);
	cr_assert_eq(parse_small("", 0, &zone), 0);
	cr_assert_eq(tz_offset(zone, t), 0);
	tz_free(zone);
	LEAK_CHECK();
}

Test(time_tz_file, refuses_leap_seconds_and_bad_footers)
{
	struct tz *zone = NULL;

	cr_assert_eq(parse_small("ABC0", 0, &zone), 0);
	tz_free(zone);
	zone = NULL;
	cr_assert_eq(parse_small("ABC0", 1, &zone), ERR_UNSUPPORTED);
	cr_assert_eq(parse_small("ABC", 0, &zone), ERR_PARSE);
	cr_assert_eq(parse_small("EST5EDT", 0, &zone), ERR_PARSE);
	cr_assert_null(zone);
	LEAK_CHECK();
}
