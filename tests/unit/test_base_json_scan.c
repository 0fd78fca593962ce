/* The strict check in front of the parser. */
#include "core/base/json_scan.h"

#include "core/base/json.h"
#include "tests/unit/leak.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#define N(a) (sizeof(a) / sizeof((a)[0]))

Test(base_json_scan, takes_what_the_rfc_allows)
{
	static const char *const rows[] = {"0", "-0", "1", "10", "-1.5", "1e5", "1E+5", "1.5e-10",
	    " \t\r\n1 \t\r\n", "\"\"", "\"a\\/\\b\\f\\n\\r\\t\\\\\\\"\"",
	    "\"\\u00e9\\uD83D\\uDE00\"", "\"\x7f\"", "[ ]", "{ }", "[1 , 2]",
	    "{ \"a\" : 1 , \"b\" : [ { } ] }", "true", "false", "null", "\"\xf0\x9f\x98\x80\"",
	    "123456789012345678901234567890123456789012345678901234567890123"};
	struct err e = {0};
	size_t i;

	for (i = 0; i < N(rows); i++)
		cr_assert_eq(json_scan(rows[i], strlen(rows[i]), &e), 0, "%s: %s", rows[i], e.text);
	LEAK_CHECK();
}

Test(base_json_scan, refuses_the_rest_and_says_where)
{
	static const struct {
		const char *text, *where;
	} rows[] = {
	    {"", "byte 0"},
	    {"  ", "byte 2"},
	    {"01", "byte 1"},
	    {"-", "byte 1"},
	    {"+1", "byte 0"},
	    {".5", "byte 0"},
	    {"1.", "byte 2"},
	    {"-.5", "byte 1"},
	    {"1e", "byte 2"},
	    {"1e+", "byte 3"},
	    {"1 2", "byte 2"},
	    {"0x10", "byte 1"},
	    {"NaN", "byte 0"},
	    {"Infinity", "byte 0"},
	    {"tru", "byte 0"},
	    {"truex", "byte 4"},
	    {"nul", "byte 0"},
	    {"'a'", "byte 0"},
	    {"\"a", "byte 2"},
	    {"\"a\\", "byte 3"},
	    {"\"\\x41\"", "unknown escape"},
	    {"\"\\u12\"", "four hex"},
	    {"\"\\u12g4\"", "four hex"},
	    {"\"\\u0000\"", "\\u0000"},
	    {"\"\\ud800\"", "surrogate"},
	    {"\"\\ud800x\"", "surrogate"},
	    {"\"\\ud800\\n\"", "surrogate"},
	    {"\"\\ud800\\u0041\"", "surrogate"},
	    {"\"\\udc00\"", "surrogate"},
	    {"\"a\nb\"", "control"},
	    {"\"\x01\"", "control"},
	    {"\"\xff\"", "UTF-8"},
	    {"\"\xc3\"", "UTF-8"},
	    {"[", "byte 1"},
	    {"[1", "byte 2"},
	    {"[1,", "byte 3"},
	    {"[1,]", "byte 3"},
	    {"[,1]", "byte 1"},
	    {"[1 2]", "byte 3"},
	    {"[1}", "byte 2"},
	    {"{", "byte 1"},
	    {"{\"a\"", "byte 4"},
	    {"{\"a\":", "byte 5"},
	    {"{\"a\":1", "byte 6"},
	    {"{\"a\":1,", "byte 7"},
	    {"{\"a\":1,}", "byte 7"},
	    {"{a:1}", "byte 1"},
	    {"{1:1}", "byte 1"},
	    {"{\"a\" 1}", "byte 5"},
	    {"{\"a\":1]", "byte 6"},
	    {"[1]x", "byte 3"},
	    {"[1] // c", "byte 4"},
	    {"\xef\xbb\xbf[]", "byte 0"},
	    {"1234567890123456789012345678901234567890123456789012345678901234", "63 characters"},
	};
	struct err e = {0};
	size_t i;

	for (i = 0; i < N(rows); i++) {
		cr_assert_eq(json_scan(rows[i].text, strlen(rows[i].text), &e), ERR_PARSE, "%s",
		    rows[i].text);
		cr_assert_not_null(strstr(e.text, rows[i].where), "%s: %s", rows[i].text, e.text);
	}
	cr_assert_eq(json_scan("[\0]", 3, &e), ERR_PARSE);
	cr_assert_eq(json_scan("1\0", 2, &e), ERR_PARSE);
	LEAK_CHECK();
}

Test(base_json_scan, allows_64_levels_and_no_more)
{
	char text[2 * JSON_MAX_DEPTH + 2];
	struct err e = {0};
	size_t n = JSON_MAX_DEPTH;

	memset(text, '[', n);
	memset(text + n, ']', n);
	cr_assert_eq(json_scan(text, 2 * n, &e), 0, "%s", e.text);
	n++;
	memset(text, '[', n);
	memset(text + n, ']', n);
	cr_assert_eq(json_scan(text, 2 * n, &e), ERR_LIMIT);
	LEAK_CHECK();
}

Test(base_json_scan, a_cut_text_is_never_taken_and_never_read_beyond)
{
	static const char text[] =
	    "{\"a\":[1.5e3,\"\\u00e9\\ud83d\\ude00\xe2\x82\xac\",true],\"b\":null}";
	size_t n;

	for (n = 0; n < sizeof(text) - 1; n++) {
		char *exact = malloc(n + (n == 0));

		memcpy(exact, text, n);
		cr_assert_eq(json_scan(exact, n, NULL), ERR_PARSE, "%zu", n);
		free(exact);
	}
	cr_assert_eq(json_scan(text, sizeof(text) - 1, NULL), 0);
	LEAK_CHECK();
}
