/* Values to text and back: exact or refused. */
#include "sluice/kit/text.h"

#include "tests/unit/leak.h"

#include <criterion/criterion.h>
#include <math.h>
#include <string.h>

Test(kit_text, whole_numbers_are_exact_or_refused)
{
	static const struct {
		const char *text;
		int64_t v;
		int ok;
	} table[] = {{"0", 0, 1}, {"-0", 0, 1}, {"+7", 7, 1}, {"007", 7, 1},
	    {"9223372036854775807", INT64_MAX, 1}, {"-9223372036854775808", INT64_MIN, 1},
	    {"9223372036854775808", 0, 0}, {"-9223372036854775809", 0, 0}, {"", 0, 0}, {"-", 0, 0},
	    {"1.0", 0, 0}, {"1e3", 0, 0}, {" 1", 0, 0}, {"0x10", 0, 0}, {"1_000", 0, 0}};
	size_t i;

	for (i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		int64_t v = 0;
		const char *why = slu_text_to_i64(table[i].text, strlen(table[i].text), &v);

		cr_expect_eq(!why, table[i].ok, "%s", table[i].text);
		cr_expect(why || v == table[i].v, "%s", table[i].text);
	}
	LEAK_CHECK();
}

Test(kit_text, decimals_keep_38_digits)
{
	static const struct {
		const char *text;
		int p, s;
		const char *back; /* NULL: refused */
	} table[] = {{"1.5", 10, 2, "1.50"}, {"-0.01", 10, 2, "-0.01"}, {".5", 3, 1, "0.5"},
	    {"5.", 3, 1, "5.0"},
	    {"99999999999999999999999999999999999999", 38, 0,
		"99999999999999999999999999999999999999"},
	    {"100000000000000000000000000000000000000", 38, 0, NULL},
	    {"0.12345678901234567890123456789012345678", 38, 38,
		"0.12345678901234567890123456789012345678"},
	    {"1.005", 10, 2, NULL}, {"1.500", 10, 1, "1.5"}, {"1e2", 10, 0, "100"},
	    {"1.5E-1", 10, 2, "0.15"}, {"12e-3", 10, 2, NULL}, {"0e999", 10, 0, "0"},
	    {"1e999", 10, 0, NULL}, {"100", 2, 0, NULL}, {"", 2, 0, NULL}, {".", 2, 0, NULL},
	    {"1.2.3", 9, 3, NULL}, {"NaN", 9, 3, NULL}, {"-0", 9, 0, "0"},
	    {"000000000000000000000000000000000000000000001", 1, 0, "1"}};
	char back[SLU_TEXT_MAX];
	size_t i;

	for (i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		slu_i128 v = 0;
		const char *why = slu_text_to_decimal(
		    table[i].text, strlen(table[i].text), table[i].p, table[i].s, &v);

		cr_expect_eq(!why, table[i].back != NULL, "%s", table[i].text);
		if (why || !table[i].back)
			continue;
		(void)slu_text_from_decimal(v, table[i].s, back);
		cr_expect_str_eq(back, table[i].back, "%s: %s", table[i].text, back);
	}
	LEAK_CHECK();
}

Test(kit_text, doubles_come_back_to_the_last_bit)
{
	uint64_t bits = UINT64_C(0x9E3779B97F4A7C15);
	char text[SLU_TEXT_MAX];
	int i;

	for (i = 0; i < 20000; i++) {
		double v, back;
		float f, fback;
		uint32_t small;

		bits = bits * UINT64_C(6364136223846793005) + 1442695040888963407u;
		memcpy(&v, &bits, 8);
		small = (uint32_t)(bits >> 32);
		memcpy(&f, &small, 4);
		if (!isnan(v)) {
			cr_assert_null(slu_text_to_f64(text, slu_text_from_f64(v, 0, text), &back));
			cr_assert(memcmp(&v, &back, 8) == 0, "%s", text);
		}
		if (!isnan(f)) {
			cr_assert_null(
			    slu_text_to_f64(text, slu_text_from_f64((double)f, 1, text), &back));
			fback = (float)back;
			cr_assert(memcmp(&f, &fback, 4) == 0, "%s", text);
		}
	}
	LEAK_CHECK();
}

Test(kit_text, times_are_read_with_and_without_zone)
{
	static const struct {
		const char *text, *back; /* NULL: refused */
	} table[] = {{"2026-11-21", "2026-11-21T00:00:00"},
	    {"2026-11-21 09:30", "2026-11-21T09:30:00"},
	    {"2026-11-21T09:30:15.5", "2026-11-21T09:30:15.500000"},
	    {"2026-11-21T09:30:15.123456000Z", "2026-11-21T09:30:15.123456Z"},
	    {"2026-11-21T00:00:00+09:00", "2026-11-20T15:00:00Z"},
	    {"2026-11-21T00:00:00-0230", "2026-11-21T02:30:00Z"},
	    {"2026-11-21T00:00:00+09", "2026-11-20T15:00:00Z"},
	    {"0001-01-01T00:00:00", "0001-01-01T00:00:00"}, {"2026-02-30", NULL},
	    {"2026-13-01", NULL}, {"2026-11-21T24:00:00", NULL}, {"2026-11-21T09:60", NULL},
	    {"2026-11-21T09:30:15.1234567", NULL}, {"21.11.2026", NULL},
	    {"2026-11-21T09:30:15 UTC", NULL}, {"2026-11-21T", NULL}};
	char back[SLU_TEXT_MAX];
	size_t i;

	for (i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		int64_t us = 0;
		int zoned = 0;
		const char *why =
		    slu_text_to_timestamp(table[i].text, strlen(table[i].text), &us, &zoned);

		cr_expect_eq(!why, table[i].back != NULL, "%s", table[i].text);
		if (why || !table[i].back)
			continue;
		(void)slu_text_from_timestamp(us, zoned, 0, back);
		cr_expect_str_eq(back, table[i].back, "%s: %s", table[i].text, back);
	}
	LEAK_CHECK();
}
