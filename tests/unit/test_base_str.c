/* The growing buffer. */
#include "core/base/str.h"

#include "core/base/mem.h"
#include "tests/unit/leak.h"

#include <criterion/criterion.h>
#include <string.h>

Test(base_str, appends_bytes_text_and_formats)
{
	struct str b;

	str_init(&b, 1000);
	cr_assert_str_eq(str_peek(&b), "");
	str_add(&b, "ab");
	str_addc(&b, 'c');
	str_addn(&b, "\0d", 2);
	str_addf(&b, "%d-%s", 12, "x");
	cr_assert_eq(b.len, 9);
	cr_assert_arr_eq(b.s, "abc\0d12-x", 10);
	cr_assert(!b.failed);
	str_done(&b);
	LEAK_CHECK();
}

Test(base_str, formats_longer_than_its_memory)
{
	char big[5000];
	struct str b;

	memset(big, 'y', sizeof(big) - 1);
	big[sizeof(big) - 1] = '\0';
	str_init(&b, 6000);
	str_addf(&b, "<%s>", big);
	cr_assert_eq(b.len, sizeof(big) + 1);
	cr_assert_eq(b.s[b.len - 1], '>');
	str_done(&b);
	LEAK_CHECK();
}

Test(base_str, holds_exactly_its_maximum)
{
	struct str b;

	str_init(&b, 5);
	str_add(&b, "12345");
	cr_assert(!b.failed);
	cr_assert_str_eq(b.s, "12345");
	str_addc(&b, '6');
	cr_assert(b.failed);
	cr_assert_str_eq(b.s, "12345");
	str_done(&b);
	str_init(&b, 5);
	str_addf(&b, "%s", "12345");
	cr_assert(!b.failed);
	str_addf(&b, "%s", "6");
	cr_assert(b.failed);
	cr_assert_str_eq(b.s, "12345");
	str_done(&b);
	LEAK_CHECK();
}

Test(base_str, a_failed_buffer_takes_nothing_more_until_it_is_reset)
{
	struct str b;

	str_init(&b, 4);
	str_add(&b, "12345");
	str_add(&b, "1");
	str_addc(&b, '1');
	str_addf(&b, "1");
	cr_assert(b.failed);
	cr_assert_eq(b.len, 0);
	cr_assert_null(str_take(&b));
	str_reset(&b);
	str_add(&b, "1");
	cr_assert(!b.failed);
	cr_assert_str_eq(str_peek(&b), "1");
	str_done(&b);
	LEAK_CHECK();
}

Test(base_str, a_huge_reserve_fails_without_overflow)
{
	struct str b;

	str_init(&b, 100);
	str_add(&b, "abc");
	cr_assert(!str_reserve(&b, SIZE_MAX));
	cr_assert(!str_reserve(&b, SIZE_MAX - 3));
	cr_assert_eq(b.len, 3);
	str_done(&b);
	LEAK_CHECK();
}

Test(base_str, take_moves_the_text_out)
{
	struct str b;
	char *s;

	str_init(&b, 10);
	s = str_take(&b);
	cr_assert_str_eq(s, "");
	mem_free(s);
	str_add(&b, "abc");
	s = str_take(&b);
	cr_assert_str_eq(s, "abc");
	cr_assert_eq(b.len, 0);
	str_add(&b, "1234567890");
	cr_assert(!b.failed);
	str_done(&b);
	mem_free(s);
	LEAK_CHECK();
}

Test(base_str, an_empty_maximum_holds_the_empty_text)
{
	struct str b;
	char *s;

	str_init(&b, 0);
	str_add(&b, "");
	s = str_take(&b);
	cr_assert_str_eq(s, "");
	str_addc(&b, 'x');
	cr_assert(b.failed);
	str_done(&b);
	mem_free(s);
	LEAK_CHECK();
}
