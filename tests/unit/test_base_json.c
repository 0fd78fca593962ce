/* The tree: parsing, reading, building. */
#include "core/base/json.h"

#include "tests/unit/leak.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#define N(a) (sizeof(a) / sizeof((a)[0]))

static struct json *parse(const char *text)
{
	struct err e = {0};
	struct json *j = NULL;

	cr_assert_eq(json_parse(text, strlen(text), 1 << 20, &j, &e), 0, "%s: %s", text, e.text);
	return j;
}

static const char *print(const struct json *j)
{
	static char text[4096];
	struct str b;

	str_init(&b, sizeof(text) - 1);
	json_print(j, &b);
	cr_assert(!b.failed);
	snprintf(text, sizeof(text), "%s", str_peek(&b));
	str_done(&b);
	return text;
}

Test(base_json, reads_members_elements_and_values)
{
	struct json *j = parse("{\"s\":\"x\",\"n\":2.5,\"i\":-7,\"big\":\"9007199254740993\","
			       "\"t\":true,\"z\":null,\"a\":[1,2,3],\"o\":{\"p\":{\"q\":\"r\"}}}");
	const struct json *a = json_get(j, "a");

	cr_assert_eq(json_len(j), 8);
	cr_assert_str_eq(json_get_str(j, "s", "-"), "x");
	cr_assert_eq(json_num(json_get(j, "n"), 0), 2.5);
	cr_assert_eq(json_get_i64(j, "i", 0), -7);
	cr_assert_eq(json_get_i64(j, "big", 0), INT64_C(9007199254740993));
	cr_assert(json_get_bool(j, "t", false));
	cr_assert_eq(json_type(json_get(j, "z")), JSON_NULL);
	cr_assert(json_is(json_get(j, "z"), JSON_NULL));
	cr_assert_str_eq(json_str(json_path(j, "o.p.q"), "-"), "r");
	cr_assert_eq(json_len(a), 3);
	cr_assert_eq(json_i64(json_at(a, 2), 0), 3);
	cr_assert_null(json_at(a, 3));
	cr_assert_str_eq(json_key(json_first(j)), "s");
	cr_assert_null(json_key(json_first(a)));
	cr_assert_eq(json_i64(json_next(json_first(a)), 0), 2);
	json_free(j);
	LEAK_CHECK();
}

Test(base_json, gives_the_fallback_for_what_is_missing_or_of_another_type)
{
	struct json *j = parse("{\"s\":\"x\",\"n\":2.5,\"e\":1e300,\"a\":[]}");

	cr_assert_null(json_get(j, "none"));
	cr_assert_null(json_get(NULL, "x"));
	cr_assert_null(json_get(json_get(j, "a"), "x"));
	cr_assert_null(json_at(j, 0), "an object has no elements");
	cr_assert_null(json_at(NULL, 0));
	cr_assert_null(json_path(j, "s.x"));
	cr_assert_null(json_path(j, "none.x"));
	cr_assert_null(json_path(NULL, "x"));
	cr_assert_null(json_first(json_get(j, "s")));
	cr_assert_null(json_key(NULL));
	cr_assert_eq(json_len(NULL), 0);
	cr_assert_eq(json_type(NULL), JSON_NULL);
	cr_assert(!json_is(NULL, JSON_NULL));
	cr_assert_str_eq(json_get_str(j, "n", "-"), "-");
	cr_assert_null(json_get_str(j, "none", NULL));
	cr_assert_eq(json_get_i64(j, "s", -1), -1);
	cr_assert_eq(json_get_i64(j, "n", -1), -1, "2.5 is no integer");
	cr_assert_eq(json_get_i64(j, "e", -1), -1, "1e300 is no 64-bit integer");
	cr_assert_eq(json_get_bool(j, "s", true), true);
	cr_assert_eq(json_num(NULL, 4), 4);
	json_free(j);
	json_free(NULL);
	LEAK_CHECK();
}

Test(base_json, refuses_a_key_that_occurs_twice)
{
	static const char many[] = "{\"a\":0,\"b\":0,\"c\":0,\"d\":0,\"e\":0,\"f\":0,\"g\":0,"
				   "\"h\":0,\"i\":0,\"j\":0,\"k\":0,\"l\":0,\"m\":0,\"g\":1}";
	static const char *const rows[] = {"{\"a\":1,\"a\":2}", "{\"a\":1,\"b\":2,\"\\u0061\":3}",
	    "[{\"x\":{\"k\":1,\"k\":1}}]", many};
	struct json *j = NULL;
	struct err e = {0};
	size_t i;

	for (i = 0; i < N(rows); i++) {
		cr_assert_eq(
		    json_parse(rows[i], strlen(rows[i]), 1000, &j, &e), ERR_PARSE, "%s", rows[i]);
		cr_assert_null(j);
		cr_assert_not_null(strstr(e.text, "occurs twice"));
	}
	json_free(parse("{\"a\":1,\"A\":2}"));
	json_free(parse("{\"1\":0,\"2\":0,\"3\":0,\"4\":0,\"5\":0,\"6\":0,\"7\":0,\"8\":0,\"9\":0,"
			"\"10\":0,\"11\":0,\"12\":0,\"13\":0,\"14\":0}"));
	LEAK_CHECK();
}

Test(base_json, refuses_too_many_bytes_and_numbers_beyond_doubles)
{
	struct json *j = NULL;
	struct err e = {0};

	cr_assert_eq(json_parse("[1,2]", 5, 4, &j, &e), ERR_LIMIT);
	cr_assert_eq(json_parse("[1,2]", 5, 5, &j, &e), 0);
	json_free(j);
	j = NULL;
	cr_assert_eq(json_parse("1e999", 5, 5, &j, &e), ERR_PARSE);
	cr_assert_eq(json_parse("[-1e999]", 8, 8, &j, &e), ERR_PARSE);
	cr_assert_null(j);
	LEAK_CHECK();
}

Test(base_json, needs_no_terminator)
{
	struct json *j = NULL;

	cr_assert_eq(json_parse("[1]garbage", 3, 100, &j, NULL), 0);
	cr_assert_str_eq(print(j), "[1]");
	json_free(j);
	LEAK_CHECK();
}

Test(base_json, prints_what_it_parsed)
{
	static const char *const rows[] = {"null", "true", "false", "0", "-1", "2.5", "\"\"", "[]",
	    "{}", "[[],{}]", "{\"b\":1,\"a\":[1,null,\"x\"]}", "\"\\\"\\\\\\n\\t\\u0001/\"",
	    "\"\xe2\x82\xac\"", "1e+300", "0.1", "123456789012345", "1.7976931348623157e+308"};
	struct json *j;
	size_t i;

	for (i = 0; i < N(rows); i++) {
		j = parse(rows[i]);
		cr_assert_str_eq(print(j), rows[i]);
		json_free(j);
	}
	LEAK_CHECK();
}

Test(base_json, equality_is_deep_and_without_order_of_members)
{
	static const struct {
		const char *a, *b;
		bool same;
	} rows[] = {
	    {"{\"a\":1,\"b\":[1,2]}", "{\"b\":[1,2],\"a\":1.0}", true},
	    {"[1,2]", "[2,1]", false},
	    {"[1,2]", "[1,2,3]", false},
	    {"[1,2,3]", "[1,2]", false},
	    {"{\"a\":1}", "{\"a\":1,\"b\":2}", false},
	    {"{\"a\":1}", "{\"b\":1}", false},
	    {"\"1\"", "1", false},
	    {"null", "false", false},
	    {"true", "false", false},
	    {"{}", "[]", false},
	    {"\"x\"", "\"x\"", true},
	};
	struct json *a, *b;
	size_t i;

	for (i = 0; i < N(rows); i++) {
		a = parse(rows[i].a);
		b = parse(rows[i].b);
		cr_assert_eq(json_equal(a, b), rows[i].same, "%s %s", rows[i].a, rows[i].b);
		cr_assert(json_equal(a, a));
		json_free(a);
		json_free(b);
	}
	LEAK_CHECK();
}

Test(base_json, builds_replaces_and_removes)
{
	struct json *o = json_new_object(), *a = json_new_array(), *copy;

	json_put(o, "s", json_new_str("x"));
	json_put(o, "s", json_new_str("y"));
	json_put(o, "n", json_new_null());
	json_put(o, "b", json_new_bool(true));
	json_put(o, "small", json_new_i64(INT64_C(9007199254740992)));
	json_put(o, "big", json_new_i64(INT64_MIN));
	json_put(o, "nan", json_new_num(0.0 / 0.0));
	json_put(o, "null", json_new_str(NULL));
	json_push(a, json_new_num(1));
	json_push(a, json_new_num(0.5));
	json_put(o, "a", a);
	json_remove(o, "n");
	json_remove(o, "none");
	cr_assert_str_eq(print(o),
	    "{\"s\":\"y\",\"b\":true,\"small\":9007199254740992,"
	    "\"big\":\"-9223372036854775808\",\"nan\":null,\"null\":null,\"a\":[1,0.5]}");
	cr_assert_eq(json_get_i64(o, "big", 0), INT64_MIN);
	cr_assert_eq(json_get_i64(o, "small", 0), INT64_C(9007199254740992));
	copy = json_dup(o);
	cr_assert(json_equal(copy, o));
	json_put(copy, "s", json_new_str("z"));
	cr_assert(!json_equal(copy, o));
	json_free(copy);
	json_free(o);
	LEAK_CHECK();
}
