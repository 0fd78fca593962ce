/* Pointers into JSON and the equality of values: what `expect` of http stands on. */
#include "sluice/kit/json.h"

#include "tests/unit/leak.h"

#include <criterion/criterion.h>
#include <string.h>

static slu_json *parse(const char *text)
{
	slu_err err = {.size = sizeof(err)};
	slu_json *j = NULL;

	cr_assert_eq(slu_json_parse(text, "a test", &j, &err), SLU_OK, "%s: %s", text, err.message);
	return j;
}

/* The examples of RFC 6901, section 5, and what is no pointer or leads to nothing. */
Test(kit_json, a_pointer_leads_where_rfc_6901_says)
{
	static const struct {
		const char *pointer, *value; /* NULL: nothing */
	} cases[] = {{"", NULL}, {"/foo", "[\"bar\",\"baz\"]"}, {"/foo/0", "\"bar\""},
	    {"/foo/1", "\"baz\""}, {"/", "0"}, {"/a~1b", "1"}, {"/c%d", "2"}, {"/e^f", "3"},
	    {"/g|h", "4"}, {"/i\\j", "5"}, {"/k\"l", "6"}, {"/ ", "7"}, {"/m~0n", "8"},
	    {"/~01", "9"}, {"/deep/0/x/1", "true"}, {"/null", "null"},
	    /* nothing is there */
	    {"/nothing", NULL}, {"/foo/2", NULL}, {"/foo/-", NULL}, {"/foo/00", NULL},
	    {"/foo/01", NULL}, {"/foo/+1", NULL}, {"/foo/-1", NULL}, {"/foo/1x", NULL},
	    {"/foo/ 1", NULL}, {"/foo/", NULL}, {"/foo/18446744073709551616", NULL},
	    {"/foo/0/x", NULL}, {"/null/x", NULL}, {"/deep/0/x/1/y", NULL}, {"/foo//0", NULL},
	    /* no pointers */
	    {"foo", NULL}, {"foo/0", NULL}, {" /foo", NULL}};
	slu_json *root = parse("{\"foo\":[\"bar\",\"baz\"],\"\":0,\"a/b\":1,\"c%d\":2,\"e^f\":3,"
			       "\"g|h\":4,\"i\\\\j\":5,\"k\\\"l\":6,\" \":7,\"m~n\":8,\"~1\":9,"
			       "\"deep\":[{\"x\":[false,true]}],\"null\":null}");
	slu_buf text;

	cr_assert_eq(slu_json_at(root, ""), root);
	for (size_t i = 1; i < sizeof(cases) / sizeof(cases[0]); i++) {
		const slu_json *at = slu_json_at(root, cases[i].pointer);

		cr_assert_eq(at != NULL, cases[i].value != NULL, "%s", cases[i].pointer);
		if (at == NULL)
			continue;
		slu_buf_init(&text, 1000);
		slu_json_print(at, &text);
		cr_assert_str_eq(slu_buf_text(&text), cases[i].value, "%s", cases[i].pointer);
		slu_buf_done(&text);
	}
	cr_assert_null(slu_json_at(NULL, ""));
	cr_assert_null(slu_json_at(NULL, "/x"));
	slu_json_free(root);
	LEAK_CHECK();
}

/* Also not to a key that begins like it. */
Test(kit_json, a_part_longer_than_any_key_leads_to_nothing)
{
	enum { LONGEST = 100000 };
	static char text[LONGEST + 16], pointer[LONGEST + 16];
	slu_json *root;
	size_t n;

	for (n = 16; n <= LONGEST; n *= 2) {
		memset(text, 'a', sizeof(text));
		memcpy(text, "{\"", 2);
		memcpy(text + 2 + n - 1, "\":1}", 5);
		root = parse(text);
		memset(pointer, 'a', sizeof(pointer));
		pointer[0] = '/';
		pointer[1 + n] = 0; /* one more than the key has */
		cr_assert_null(slu_json_at(root, pointer), "%zu", n);
		slu_json_free(root);
	}
	LEAK_CHECK();
}

Test(kit_json, equal_is_by_value)
{
	static const struct {
		const char *a, *b;
		int equal;
	} cases[] = {{"1", "1.0", 1}, {"100", "1e2", 1}, {"0", "-0", 1}, {"1", "1.5", 0},
	    {"1.5", "2.5", 0}, {"9007199254740993", "9007199254740992", 1 /* as doubles */},
	    {"\"1\"", "1", 0}, {"null", "0", 0}, {"null", "null", 1}, {"null", "false", 0},
	    {"true", "true", 1}, {"true", "false", 0}, {"\"a\"", "\"a\"", 1}, {"\"a\"", "\"A\"", 0},
	    {"\"\"", "null", 0}, {"\"\\u00e9\"", "\"é\"", 1}, {"[]", "[]", 1}, {"[]", "{}", 0},
	    {"[1,2]", "[2,1]", 0}, {"[1,2]", "[1,2,3]", 0}, {"[1,2,3]", "[1,2]", 0},
	    {"{}", "{}", 1}, {"{\"a\":1,\"b\":[2]}", "{\"b\":[2.0],\"a\":1}", 1},
	    {"{\"a\":1}", "{\"a\":1,\"b\":2}", 0}, {"{\"a\":1,\"b\":2}", "{\"a\":1}", 0},
	    {"{\"a\":null}", "{}", 0}, {"{\"a\":null}", "{\"b\":null}", 0},
	    {"{\"a\":{\"b\":[{\"c\":1}]}}", "{\"a\":{\"b\":[{\"c\":1}]}}", 1},
	    {"{\"a\":{\"b\":[{\"c\":1}]}}", "{\"a\":{\"b\":[{\"c\":2}]}}", 0}};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		slu_json *a = parse(cases[i].a), *b = parse(cases[i].b);

		cr_assert_eq(
		    slu_json_equal(a, b), cases[i].equal, "%s and %s", cases[i].a, cases[i].b);
		cr_assert_eq(
		    slu_json_equal(b, a), cases[i].equal, "%s and %s", cases[i].b, cases[i].a);
		cr_assert(slu_json_equal(a, a));
		slu_json_free(a);
		slu_json_free(b);
	}
	LEAK_CHECK();
}
