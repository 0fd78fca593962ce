/* Trees made of checked texts: against what RFC 8259 and strtod say. */
#include "core/base/json.h"
#include "tests/unit/leak.h"

#include <criterion/criterion.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

static struct json *parse(const char *text)
{
	struct json *j = NULL;
	struct err e = {0};

	cr_assert_eq(json_parse(text, strlen(text), 1u << 20, &j, &e), 0, "%s: %s", text, e.text);
	return j;
}

Test(base_json_build, decodes_every_escape_in_texts_and_keys)
{
	static const struct {
		const char *text, *value;
	} rows[] = {{"\"\"", ""}, {"\"a\\\"b\\\\c\\/d\"", "a\"b\\c/d"},
	    {"\"\\b\\f\\n\\r\\t\"", "\b\f\n\r\t"},
	    {"\"\\u0041\\u00e4\\u20AC\"", "A\xc3\xa4\xe2\x82\xac"},
	    {"\"\\ud83d\\ude00!\"", "\xf0\x9f\x98\x80!"},
	    {"\"\\uDBFF\\uDFFF\"", "\xf4\x8f\xbf\xbf"},
	    {"\"\\u07ff\\u0800\\uffff\"", "\xdf\xbf\xe0\xa0\x80\xef\xbf\xbf"},
	    {"\"\xe2\x82\xac\"", "\xe2\x82\xac"}, {"\"x\\\\\"", "x\\"}};
	char text[128];

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct json *j = parse(rows[i].text);

		cr_assert_str_eq(json_str(j, NULL), rows[i].value);
		json_free(j);
		snprintf(text, sizeof(text), " { %s : %s } ", rows[i].text, rows[i].text);
		j = parse(text);
		cr_assert_str_eq(json_key(json_first(j)), rows[i].value);
		cr_assert_str_eq(json_get_str(j, rows[i].value, NULL), rows[i].value);
		json_free(j);
	}
	LEAK_CHECK();
}

Test(base_json_build, reads_numbers_as_strtod_does)
{
	static const char *const rows[] = {"0", "-0", "7", "-7", "123456789012345",
	    "-12345678901234", "1234567890123456", "9007199254740993", "-9223372036854775808",
	    "1.5", "-0.25", "1e3", "1E+3", "2e-3", "0.1", "1.7976931348623157e308", "5e-324",
	    "123456789012345678901234567890"};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct json *j = parse(rows[i]);
		double want = strtod(rows[i], NULL), got = json_num(j, 3);

		cr_assert(memcmp(&want, &got, sizeof(want)) == 0, "%s", rows[i]);
		json_free(j);
	}
	LEAK_CHECK();
}

Test(base_json_build, keeps_nested_lists_in_order_with_any_blanks)
{
	struct json *j =
	    parse("\n[ 1 ,[ ] , { } ,[2,[3]] ,\t{\"a\":[true],\"b\" : null}, false ]\r");
	struct str out;

	str_init(&out, 1000);
	json_print(j, &out);
	cr_assert_str_eq(out.s, "[1,[],{},[2,[3]],{\"a\":[true],\"b\":null},false]");
	cr_assert_eq(json_len(j), 6);
	str_done(&out);
	json_free(j);
	LEAK_CHECK();
}

/* The last of n keys repeats the first; sizes on both sides of each way of looking. */
Test(base_json_build, finds_a_key_twice_in_objects_of_any_size)
{
	static const int sizes[] = {2, 3, 4, 5, 13, 64, 128, 129, 1000};

	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		for (int twice = 0; twice < 2; twice++) {
			struct json *j = NULL;
			struct err e = {0};
			struct str text;

			str_init(&text, 1u << 20);
			str_add(&text, "[{\"k\":");
			for (int k = 0; k < sizes[i]; k++)
				str_addf(&text, "%s\"key%d\":1", k ? "," : "{",
				    twice && k == sizes[i] - 1 ? 0 : k);
			str_add(&text, "}}]");
			cr_assert_eq(json_parse(text.s, text.len, text.len, &j, &e),
			    twice ? ERR_PARSE : 0, "%d", sizes[i]);
			if (twice)
				cr_assert_not_null(strstr(e.text, "\"key0\" occurs twice"));
			json_free(j);
			str_done(&text);
		}
	}
	LEAK_CHECK();
}

Test(base_json_build, a_copy_and_parts_that_move_outlive_the_original)
{
	struct json *j = parse("{\"a\\n\":{\"x\":\"y\",\"n\":[1.5,true,null]},\"b\":\"text\"}");
	struct json *copy = json_dup(j), *part = json_dup(json_get(j, "b")), *o;
	struct str out;

	json_free(j);
	str_init(&out, 1000);
	json_print(copy, &out);
	cr_assert_str_eq(out.s, "{\"a\\n\":{\"x\":\"y\",\"n\":[1.5,true,null]},\"b\":\"text\"}");
	json_put(copy, "b", json_new_i64(3));
	json_put(copy, "c", part); /* was `b` */
	o = json_new_array();
	json_push(o, json_dup(json_get(copy, "c")));
	json_remove(copy, "a\n");
	str_reset(&out);
	json_print(copy, &out);
	cr_assert_str_eq(out.s, "{\"b\":3,\"c\":\"text\"}");
	json_free(copy);
	str_reset(&out);
	json_print(o, &out);
	cr_assert_str_eq(out.s, "[\"text\"]");
	json_free(o);
	str_done(&out);
	LEAK_CHECK();
}
