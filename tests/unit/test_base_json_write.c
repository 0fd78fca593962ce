/* The streaming writer. */
#include "core/base/clock.h"
#include "core/base/json.h"

#include "tests/unit/leak.h"

#include <criterion/criterion.h>
#include <math.h>
#include <string.h>

#define N(a) (sizeof(a) / sizeof((a)[0]))

Test(base_json_write, puts_commas_where_they_belong)
{
	struct str b;
	struct jw w;

	str_init(&b, 1000);
	jw_init(&w, &b);
	jw_object(&w);
	jw_kstr(&w, "s", "{");
	jw_ki64(&w, "i", INT64_MIN);
	jw_kbool(&w, "b", false);
	jw_ktime(&w, "t", 0);
	jw_ktime(&w, "never", TIME_NONE);
	jw_key(&w, "a");
	jw_array(&w);
	jw_u64(&w, UINT64_MAX);
	jw_u64_text(&w, 1042);
	jw_array(&w);
	jw_end_array(&w);
	jw_object(&w);
	jw_end_object(&w);
	jw_null(&w);
	jw_raw(&w, "[1]");
	jw_end_array(&w);
	jw_key(&w, "z");
	jw_str(&w, NULL);
	jw_end_object(&w);
	cr_assert_str_eq(str_peek(&b),
	    "{\"s\":\"{\",\"i\":-9223372036854775808,\"b\":false,"
	    "\"t\":\"1970-01-01T00:00:00.000Z\",\"never\":null,"
	    "\"a\":[18446744073709551615,\"1042\",[],{},null,[1]],\"z\":null}");
	str_done(&b);
	LEAK_CHECK();
}

Test(base_json_write, writes_several_values_one_behind_the_other)
{
	struct str b;
	struct jw w;

	str_init(&b, 1000);
	str_add(&b, "data: ");
	jw_init(&w, &b);
	jw_i64(&w, 1);
	str_addc(&b, '\n');
	jw_object(&w);
	jw_end_object(&w);
	cr_assert_str_eq(str_peek(&b), "data: 1\n{}");
	str_done(&b);
	LEAK_CHECK();
}

Test(base_json_write, escapes_what_must_be_and_mends_utf8)
{
	struct str b;
	struct jw w;

	str_init(&b, 1000);
	jw_init(&w, &b);
	jw_strn(&w, "a\"b\\c/\b\f\n\r\t\x01\x1f\x7f\0\xc3\xa9|\xff\xc3|\xed\xa0\x80", 24);
	cr_assert_str_eq(str_peek(&b),
	    "\"a\\\"b\\\\c/"
	    "\\b\\f\\n\\r\\t\\u0001\\u001f\x7f\\u0000\xc3\xa9|\xef\xbf\xbd\xef\xbf\xbd|"
	    "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\"");
	str_done(&b);
	LEAK_CHECK();
}

Test(base_json_write, numbers_are_short_and_read_back)
{
	static const struct {
		double v;
		const char *text;
	} rows[] = {
	    {0, "0"},
	    {-0.0, "0"},
	    {1, "1"},
	    {-1.5, "-1.5"},
	    {0.1, "0.1"},
	    {0.1 + 0.2, "0.30000000000000004"},
	    {1e14, "100000000000000"},
	    {1e15, "1000000000000000"},
	    {9007199254740991.0, "9007199254740991"},
	    {9007199254740992.0, "9007199254740992"},
	    {1e21, "1e+21"},
	    {5e-324, "4.94065645841247e-324"},
	    {1.0 / 3, "0.3333333333333333"},
	    {INFINITY, "null"},
	    {-INFINITY, "null"},
	    {NAN, "null"},
	};
	struct str b;
	struct jw w;
	size_t i;

	str_init(&b, 1000);
	for (i = 0; i < N(rows); i++) {
		str_reset(&b);
		jw_init(&w, &b);
		jw_num(&w, rows[i].v);
		cr_assert_str_eq(str_peek(&b), rows[i].text);
	}
	str_done(&b);
	LEAK_CHECK();
}

Test(base_json_write, copies_trees)
{
	const char *text = "{\"a\":[1,\"x\"]}";
	struct json *j = NULL;
	struct str b;
	struct jw w;

	cr_assert_eq(json_parse(text, strlen(text), 100, &j, NULL), 0);
	str_init(&b, 1000);
	jw_init(&w, &b);
	jw_array(&w);
	jw_json(&w, j);
	jw_json(&w, NULL);
	jw_num(&w, 0.5);
	jw_bool(&w, true);
	jw_end_array(&w);
	cr_assert_str_eq(str_peek(&b), "[{\"a\":[1,\"x\"]},null,0.5,true]");
	str_reset(&b);
	json_print_pretty(j, &b);
	cr_assert_str_eq(str_peek(&b), "{\n  \"a\": [\n    1,\n    \"x\"\n  ]\n}");
	str_done(&b);
	json_free(j);
	LEAK_CHECK();
}

Test(base_json_write, a_full_buffer_fails_once_and_quietly)
{
	struct str b;
	struct jw w;
	int i;

	str_init(&b, 50);
	jw_init(&w, &b);
	jw_array(&w);
	for (i = 0; i < 1000; i++)
		jw_str(&w, "some text");
	jw_end_array(&w);
	cr_assert(b.failed);
	cr_assert_leq(b.len, 50);
	str_done(&b);
	LEAK_CHECK();
}

Test(base_json_write, nests_deeper_than_64)
{
	struct str b;
	struct jw w;
	int i;

	str_init(&b, 1000);
	jw_init(&w, &b);
	for (i = 0; i < 100; i++)
		jw_array(&w);
	jw_i64(&w, 1);
	jw_i64(&w, 2);
	for (i = 0; i < 100; i++)
		jw_end_array(&w);
	cr_assert_eq(b.len, 203);
	cr_assert_not_null(strstr(b.s, "[1,2]"));
	str_done(&b);
	LEAK_CHECK();
}
