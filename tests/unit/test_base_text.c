/* Checking and converting text. */
#include "core/base/str.h"

#include "tests/unit/leak.h"

#include <criterion/criterion.h>
#include <string.h>

#define N(a) (sizeof(a) / sizeof((a)[0]))

Test(base_text, compares_with_null)
{
	cr_assert(str_eq(NULL, NULL));
	cr_assert(!str_eq("a", NULL));
	cr_assert(!str_eq(NULL, "a"));
	cr_assert(str_eq("a", "a"));
	cr_assert(str_starts("abc", "ab") && str_starts("abc", "") && !str_starts("ab", "abc"));
	cr_assert(str_ends("abc", "bc") && str_ends("abc", "") && !str_ends("bc", "abc"));
	cr_assert(!str_starts(NULL, "") && !str_ends(NULL, ""));
	LEAK_CHECK();
}

Test(base_text, copies_with_termination)
{
	char to[4];

	cr_assert(str_copy(to, sizeof(to), "abc"));
	cr_assert_str_eq(to, "abc");
	cr_assert(!str_copy(to, sizeof(to), "abcd"));
	cr_assert_str_eq(to, "abc");
	cr_assert(!str_copy(to, 0, ""));
	LEAK_CHECK();
}

Test(base_text, knows_utf8)
{
	static const struct {
		const char *s;
		size_t n;
		bool ok;
	} rows[] = {
	    {"", 0, true},
	    {"plain ascii of more than eight bytes", 36, true},
	    {"a\0b", 3, true},
	    {"\xc3\xa9", 2, true},
	    {"\xe2\x82\xac", 3, true},
	    {"\xf0\x9f\x98\x80", 4, true},
	    {"\xed\x9f\xbf", 3, true},
	    {"\xee\x80\x80", 3, true},
	    {"\xf4\x8f\xbf\xbf", 4, true},
	    {"12345678\xc3\xa9", 10, true},
	    {"\x80", 1, false},
	    {"\xc0\x80", 2, false},
	    {"\xc1\xbf", 2, false},
	    {"\xe0\x9f\xbf", 3, false},
	    {"\xed\xa0\x80", 3, false},
	    {"\xf0\x8f\xbf\xbf", 4, false},
	    {"\xf4\x90\x80\x80", 4, false},
	    {"\xf5\x80\x80\x80", 4, false},
	    {"\xff", 1, false},
	    {"\xc3", 1, false},
	    {"\xe2\x82", 2, false},
	    {"\xe2\x28\xa1", 3, false},
	    {"\xf0\x9f\x98", 3, false},
	    {"12345678\xc3", 9, false},
	    {"1234567\xff", 8, false},
	};
	size_t i;

	for (i = 0; i < N(rows); i++)
		cr_assert_eq(str_utf8_valid(rows[i].s, rows[i].n), rows[i].ok, "row %zu", i);
	cr_assert_eq(str_utf8_len("", 0), 0);
	cr_assert_eq(str_utf8_len("\xe2\x82\xac", 3), 3);
	LEAK_CHECK();
}

Test(base_text, reads_signed_numbers)
{
	static const struct {
		const char *s;
		int rc;
		int64_t v;
	} rows[] = {
	    {"0", 0, 0},
	    {"-0", 0, 0},
	    {"42", 0, 42},
	    {"-42", 0, -42},
	    {"007", 0, 7},
	    {"9223372036854775807", 0, INT64_MAX},
	    {"-9223372036854775808", 0, INT64_MIN},
	    {"9223372036854775808", ERR_LIMIT, 0},
	    {"-9223372036854775809", ERR_LIMIT, 0},
	    {"99999999999999999999999", ERR_LIMIT, 0},
	    {"", ERR_PARSE, 0},
	    {"-", ERR_PARSE, 0},
	    {"+1", ERR_PARSE, 0},
	    {" 1", ERR_PARSE, 0},
	    {"1 ", ERR_PARSE, 0},
	    {"0x1", ERR_PARSE, 0},
	    {"--1", ERR_PARSE, 0},
	    {NULL, ERR_PARSE, 0},
	};
	int64_t v;
	size_t i;

	for (i = 0; i < N(rows); i++) {
		v = 77;
		cr_assert_eq(str_to_i64(rows[i].s, &v), rows[i].rc, "row %zu", i);
		cr_assert_eq(v, rows[i].rc == 0 ? rows[i].v : 77, "row %zu", i);
	}
	LEAK_CHECK();
}

Test(base_text, reads_unsigned_numbers)
{
	uint64_t v = 77;

	cr_assert_eq(str_to_u64("18446744073709551615", &v), 0);
	cr_assert_eq(v, UINT64_MAX);
	cr_assert_eq(str_to_u64("18446744073709551616", &v), ERR_LIMIT);
	cr_assert_eq(str_to_u64("-1", &v), ERR_PARSE);
	cr_assert_eq(v, UINT64_MAX);
	LEAK_CHECK();
}

Test(base_text, reads_durations)
{
	static const struct {
		const char *s;
		int rc;
		int64_t v;
	} rows[] = {
	    {"500ms", 0, 500},
	    {"90s", 0, 90000},
	    {"15m", 0, 900000},
	    {"2h", 0, 7200000},
	    {"3d", 0, 259200000},
	    {"1w", 0, 604800000},
	    {"0s", 0, 0},
	    {"1", ERR_PARSE, 0},
	    {"", ERR_PARSE, 0},
	    {"s", ERR_PARSE, 0},
	    {"-1s", ERR_PARSE, 0},
	    {"1.5h", ERR_PARSE, 0},
	    {"1 s", ERR_PARSE, 0},
	    {"1h30m", ERR_PARSE, 0},
	    {"1S", ERR_PARSE, 0},
	    {"1y", ERR_PARSE, 0},
	    {"365250d", 0, INT64_C(31557600000000)},
	    {"365251d", ERR_LIMIT, 0},
	    {"9223372036854775807d", ERR_LIMIT, 0},
	    {"99999999999999999999999999s", ERR_LIMIT, 0},
	    {NULL, ERR_PARSE, 0},
	};
	int64_t v;
	size_t i;

	for (i = 0; i < N(rows); i++) {
		v = 77;
		cr_assert_eq(str_to_duration_ms(rows[i].s, &v), rows[i].rc, "row %zu", i);
		cr_assert_eq(v, rows[i].rc == 0 ? rows[i].v : 77, "row %zu", i);
	}
	LEAK_CHECK();
}

Test(base_text, reads_sizes)
{
	static const struct {
		const char *s;
		int rc;
		uint64_t v;
	} rows[] = {
	    {"512", 0, 512},
	    {"512B", 0, 512},
	    {"100kB", 0, 100000},
	    {"1KiB", 0, 1024},
	    {"1MiB", 0, 1048576},
	    {"5GiB", 0, UINT64_C(5368709120)},
	    {"2TB", 0, UINT64_C(2000000000000)},
	    {"18446744073709551615", 0, UINT64_MAX},
	    {"18446744073709551615kB", ERR_LIMIT, 0},
	    {"1K", ERR_PARSE, 0},
	    {"1mib", ERR_PARSE, 0},
	    {"-1", ERR_PARSE, 0},
	    {"", ERR_PARSE, 0},
	    {NULL, ERR_PARSE, 0},
	};
	uint64_t v;
	size_t i;

	for (i = 0; i < N(rows); i++) {
		v = 77;
		cr_assert_eq(str_to_bytes(rows[i].s, &v), rows[i].rc, "row %zu", i);
		cr_assert_eq(v, rows[i].rc == 0 ? rows[i].v : 77, "row %zu", i);
	}
	LEAK_CHECK();
}

#define SIXTY "a23456789012345678901234567890123456789012345678901234567890"

Test(base_text, knows_idents_names_and_data_sets)
{
	static const struct {
		const char *s;
		bool ident, name, dataset;
	} rows[] = {
	    {"abc", true, true, false},
	    {"_a1", true, false, false},
	    {"1a", false, true, false},
	    {"a-b", false, true, false},
	    {"a_b", true, true, false},
	    {"-a", false, false, false},
	    {"A", false, false, false},
	    {"a.b", false, false, false},
	    {"", false, false, false},
	    {NULL, false, false, false},
	    {SIXTY "123", true, true, false},
	    {SIXTY "1234", false, false, false},
	    {"lake/shop.orders", false, false, true},
	    {"lake/Shop-1_x", false, false, true},
	    {"lake/", false, false, false},
	    {"/x", false, false, false},
	    {"lake/a/b", false, false, false},
	    {"Lake/a", false, false, false},
	    {"lake/a b", false, false, false},
	    {"lake/..", false, false, false},
	    {"lake/.", false, false, false},
	    {"lake/...", false, false, true},
	    {SIXTY "1234/x", false, false, false},
	};
	size_t i;

	for (i = 0; i < N(rows); i++) {
		cr_assert_eq(str_is_ident(rows[i].s), rows[i].ident, "%s", rows[i].s);
		cr_assert_eq(str_is_name(rows[i].s), rows[i].name, "%s", rows[i].s);
		cr_assert_eq(str_is_dataset(rows[i].s), rows[i].dataset, "%s", rows[i].s);
	}
	LEAK_CHECK();
}

Test(base_text, finds_the_nearest_name)
{
	static const char *const names[] = {"extract", "transform", "load", "needs", "timeout"};
	static const char *const rows[][2] = {{"extrct", "extract"}, {"extract", "extract"},
	    {"laod", "load"}, {"lod", "load"}, {"neds", "needs"}, {"timeot", "timeout"},
	    {"tarnsform", "transform"}, {"zzzz", NULL}, {"", NULL}, {"x", NULL}, {"sql", NULL}};
	char big[200];
	size_t i;

	for (i = 0; i < N(rows); i++)
		cr_assert(str_eq(str_nearest(rows[i][0], names, N(names)), rows[i][1]), "%s -> %s",
		    rows[i][0], str_nearest(rows[i][0], names, N(names)));
	memset(big, 'a', sizeof(big) - 1);
	big[sizeof(big) - 1] = '\0';
	cr_assert_null(str_nearest(big, names, N(names)));
	cr_assert_null(str_nearest("load", NULL, 0));
	LEAK_CHECK();
}

Test(base_text, makes_control_bytes_visible)
{
	struct str b;

	str_init(&b, 1000);
	str_add_visible(&b, "a\tb\n\x7f \xc3\xa9 \xff\xc2\x85 \xc2\xa0|\0z", 18);
	cr_assert_str_eq(b.s, "a\\x09b\\x0A\\x7F \xc3\xa9 \\xFF\\xC2\\x85 \xc2\xa0|\\x00z");
	str_done(&b);
	LEAK_CHECK();
}
