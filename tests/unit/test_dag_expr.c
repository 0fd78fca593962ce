/* The expression language: values, types, functions, bounds, templates. */
#include "core/base/mem.h"
#include "core/dag/expr.h"
#include "tests/unit/leak.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

static const char ENV[] = "{\"params\":{\"n\":3,\"s\":\"abc\",\"b\":true,\"l\":[1,\"two\",null]},"
			  "\"run\":{\"id\":\"R\",\"key\":\"2026-11-21\",\"window\":"
			  "{\"start\":\"2026-11-20T15:00:00.000Z\",\"end\":\"2026-11-21T15:00:00."
			  "000Z\"}},\"event\":{\"body\":{\"table\":\"orders\",\"odd-name\":7}},"
			  "\"item\":{\"name\":\"x\"},\"t\":{\"name\":\"x\"},\"steps\":{\"load\":{"
			  "\"outputs\":{\"rows\":42}}},\"partition\":null}";

static struct json *env(void)
{
	struct json *j = NULL;
	struct err err = {0};

	cr_assert(json_parse(ENV, strlen(ENV), 10000, &j, &err) == 0, "%s", err.text);
	return j;
}

struct row {
	const char *text, *want; /* JSON of the value; NULL: an error */
};

static void check_rows(const struct row *rows, size_t n)
{
	struct json *e = env();
	size_t i;

	for (i = 0; i < n; i++) {
		struct json *v = NULL;
		struct err err = {0};
		struct str out;
		int rc = expr_eval(rows[i].text, e, &v, &err);

		str_init(&out, 2u << 20);
		if (rc == 0)
			json_print(v, &out);
		if (rows[i].want == NULL)
			cr_expect(rc == ERR_CONFIG && v == NULL && err.text[0] != '\0',
			    "%s gives %s", rows[i].text, str_peek(&out));
		else
			cr_expect(rc == 0 && strcmp(str_peek(&out), rows[i].want) == 0,
			    "%s gives %s%s", rows[i].text, str_peek(&out), err.text);
		str_done(&out);
		json_free(v);
	}
	json_free(e);
}
#define CHECK_ROWS(rows) check_rows(rows, sizeof(rows) / sizeof((rows)[0]))

Test(dag_expr, operators_give_values)
{
	static const struct row ROWS[] = {{"${1 + 2 * 3}", "7"}, {"${(1 + 2) * 3}", "9"},
	    {"${7 % 4 - 1}", "2"}, {"${1 / 4}", "0.25"}, {"${-params.n}", "-3"}, {"${2 - -2}", "4"},
	    {"${10 - 2 - 3}", "5"}, {"${1 < 2}", "true"}, {"${'b' > 'a'}", "true"},
	    {"${1 == 1 && !(1 != 1)}", "true"}, {"${false || true}", "true"},
	    {"${true || 1}", "true"}, {"${'a' + 'b'}", "\"ab\""},
	    {"${params.b ? 'y' : 'n'}", "\"y\""}, {"${1 > 2 ? 1 : 2 > 1 ? 3 : 4}", "3"},
	    {"${null == null}", "true"}, {"${event.nope == null}", "true"},
	    {"${params.s != null}", "true"}, {"${[1, 2] == [1, 2]}", "true"}, {"${[]}", "[]"},
	    {"${1 == 'a'}", NULL}, {"${1 + 'a'}", NULL}, {"${1 / 0}", NULL}, {"${1 % 0}", NULL},
	    {"${null < 1}", NULL}, {"${1 && true}", NULL}, {"${!1}", NULL}, {"${-'a'}", NULL},
	    {"${1 ? 2 : 3}", NULL}, {"${null + 1}", NULL}, {"${1e308 * 10}", NULL},
	    {"${'it\\'s' + \"\\n\"}", "\"it's\\n\""}};

	CHECK_ROWS(ROWS);
	LEAK_CHECK();
}

Test(dag_expr, paths_reach_into_the_environment)
{
	static const struct row ROWS[] = {{"${params.n}", "3"},
	    {"${event.body.table}", "\"orders\""}, {"${event.body['odd-name']}", "7"},
	    {"${event.body.missing.deeper}", "null"}, {"${params.l[1]}", "\"two\""},
	    {"${params.l[9]}", "null"}, {"${params.l[0.5]}", "null"}, {"${params.l[-1]}", "null"},
	    {"${[[1], [2]][1][0]}", "2"}, {"${steps.load.outputs.rows + 1}", "43"},
	    {"${t.name + item.name}", "\"xx\""}, {"${partition}", "null"}, {"${nothing}", "null"},
	    {"${params.n.x}", NULL}, {"${params.l['a']}", NULL},
	    {"${run.window.start}", "\"2026-11-20T15:00:00.000Z\""}};

	CHECK_ROWS(ROWS);
	LEAK_CHECK();
}

Test(dag_expr, functions_do_what_they_say)
{
	static const struct row ROWS[] = {{"${range(3)}", "[0,1,2]"}, {"${range(1, 4)}", "[1,2,3]"},
	    {"${range(5, 0, -2)}", "[5,3,1]"}, {"${range(3, 1)}", "[]"}, {"${range(0)}", "[]"},
	    {"${range(1, 2, 0)}", NULL}, {"${range(50000) == null}", "false"},
	    {"${range(50001)}", NULL}, {"${range(1.5)}", NULL}, {"${length('日本')}", "2"},
	    {"${length(params.l)}", "3"}, {"${length(event.body)}", "2"}, {"${length(null)}", "0"},
	    {"${length(1)}", NULL}, {"${join(params.l, '-')}", "\"1-two-\""},
	    {"${join(['a', 'b'])}", "\"a,b\""}, {"${join('a')}", NULL},
	    {"${split('a,b,,c', ',')}", "[\"a\",\"b\",\"\",\"c\"]"},
	    {"${split('', ',')}", "[\"\"]"}, {"${split('a', '')}", NULL},
	    {"${lower('AbÉ')}", "\"abÉ\""}, {"${upper('ab1')}", "\"AB1\""},
	    {"${trim('  a b\\n')}", "\"a b\""}, {"${trim('  ')}", "\"\""},
	    {"${replace('aXbX', 'X', 'yy')}", "\"ayybyy\""}, {"${replace('a', '', 'b')}", NULL},
	    {"${contains('abc', 'bc')}", "true"}, {"${contains(params.l, 'two')}", "true"},
	    {"${contains(params.l, 2)}", "false"}, {"${contains(event.body, 'table')}", "true"},
	    {"${contains(null, 'a')}", "false"}, {"${contains(1, 'a')}", NULL},
	    {"${starts_with('abc', 'ab')}", "true"}, {"${starts_with(1, 'ab')}", NULL},
	    {"${coalesce(null, event.x, 'd')}", "\"d\""}, {"${coalesce(null)}", "null"},
	    {"${number(' 1.5 ')}", "1.5"}, {"${number(true)}", "1"}, {"${number('0x10')}", NULL},
	    {"${number('')}", NULL}, {"${number(null)}", "null"}, {"${number('nan')}", NULL},
	    {"${string(1.5)}", "\"1.5\""}, {"${string(1000000)}", "\"1000000\""},
	    {"${string(null)}", "\"\""}, {"${string([1])}", "\"[1]\""},
	    {"${json('a')}", "\"\\\"a\\\"\""}, {"${json(null)}", "\"null\""},
	    {"${json([1, true])}", "\"[1,true]\""}};

	CHECK_ROWS(ROWS);
	LEAK_CHECK();
}

Test(dag_expr, times_follow_the_calendar_of_the_zone)
{
	static const struct row ROWS[] = {
	    {"${format_time(run.window.start, '%Y-%m-%d', 'Asia/Tokyo')}", "\"2026-11-21\""},
	    {"${format_time('2026-11-21', '%j %a %A %b %B %u %w %G-W%V %y')}",
		"\"325 Sat Saturday Nov November 6 6 2026-W47 26\""},
	    {"${format_time('2026-11-21T15:04:05.25Z', '%T %I%p %f %s %z %Z %%')}",
		"\"15:04:05 03PM 250000 1795273445 +0000 UTC %\""},
	    {"${format_time('2027-01-01', '%G-W%V')}", "\"2026-W53\""},
	    {"${format_time('2026-07-01T00:00:00Z', '%F %T %z', 'America/New_York')}",
		"\"2026-06-30 20:00:00 -0400\""},
	    {"${format_time('2026-11-21', '%Q')}", NULL},
	    {"${format_time('2026-11-21', '%')}", NULL}, {"${format_time('x', '%Y')}", NULL},
	    {"${format_time(1, '%Y')}", NULL},
	    {"${format_time('2026-11-21', '%Y', 'No/Where')}", NULL},
	    {"${add_time('2026-11-21', '-2h')}", "\"2026-11-20T22:00:00.000Z\""},
	    {"${add_time('2026-11-21', 1, 'month')}", "\"2026-12-21T00:00:00.000Z\""},
	    {"${add_time('2026-01-31', 1, 'months')}", "\"2026-02-28T00:00:00.000Z\""},
	    {"${add_time('2024-02-29', -1, 'year')}", "\"2023-02-28T00:00:00.000Z\""},
	    {"${add_time('2026-03-08', 1, 'day', 'America/New_York')}",
		"\"2026-03-09T04:00:00.000Z\""},
	    {"${add_time('2026-03-08', '1d', 'America/New_York')}", "\"2026-03-09T04:00:00.000Z\""},
	    {"${add_time('2026-03-08', '24h', 'America/New_York')}",
		"\"2026-03-09T05:00:00.000Z\""},
	    {"${add_time('2026-11-21', '3 days')}", NULL}, {"${add_time('2026-11-21', 1)}", NULL},
	    {"${add_time('2026-11-21', 1, 'fortnight')}", NULL},
	    {"${add_time('2026-11-21', 9000, 'year')}", NULL},
	    {"${start_of('2026-11-21T17:30:00Z', 'day', 'Asia/Tokyo')}",
		"\"2026-11-21T15:00:00.000Z\""},
	    {"${start_of('2026-11-21T17:30:59Z', 'hour')}", "\"2026-11-21T17:00:00.000Z\""},
	    {"${start_of('2026-11-22', 'week')}", "\"2026-11-16T00:00:00.000Z\""},
	    {"${start_of('2026-11-22', 'month')}", "\"2026-11-01T00:00:00.000Z\""},
	    {"${start_of('2026-11-22', 'year', 'UTC')}", "\"2026-01-01T00:00:00.000Z\""},
	    {"${start_of('1969-12-31T23:59:59Z', 'minute')}", "\"1969-12-31T23:59:00.000Z\""},
	    {"${start_of('2026-11-22', 'era')}", NULL}};

	CHECK_ROWS(ROWS);
	LEAK_CHECK();
}

Test(dag_expr, a_template_of_one_expression_keeps_its_type)
{
	static const struct row ROWS[] = {{"${params.n}", "3"}, {"n=${params.n}", "\"n=3\""},
	    {"${params.n}${params.b}", "\"3true\""}, {" ${params.n}", "\" 3\""},
	    {"${partition}/x", "\"/x\""}, {"${params.l}!", "\"[1,\\\"two\\\",null]!\""},
	    {"plain", "\"plain\""}, {"", "\"\""}, {"$${params.n}", "\"${params.n}\""},
	    {"$$${params.n}", "\"$${params.n}\""}, {"$", "\"$\""}, {"$ {a}", "\"$ {a}\""},
	    {"${'}'}", "\"}\""}, {"a $${b} ${params.n}", "\"a ${b} 3\""}, {"${params.n", NULL},
	    {"${}", NULL}, {"x ${", NULL}};

	CHECK_ROWS(ROWS);
	cr_expect(expr_is_template("a ${b}") && !expr_is_template("a $${b}") &&
		  !expr_is_template("$b {") && !expr_is_template(""));
	LEAK_CHECK();
}

Test(dag_expr, renders_whole_values)
{
	static const char IN[] =
	    "{\"a\":\"${params.n}\",\"${k}\":[\"x${params.s}\",1,null,{\"b\":\"${params.l}\"}]}";
	static const char BAD[] = "[[\"${1 + 'a'}\"]]";
	struct json *e = env(), *in = NULL, *out = NULL;
	struct err err = {0};
	struct str text;

	str_init(&text, 1000);
	cr_assert(json_parse(IN, strlen(IN), 1000, &in, NULL) == 0);
	cr_assert(expr_render(in, e, &out, &err) == 0, "%s", err.text);
	json_print(out, &text);
	cr_expect_str_eq(text.s, "{\"a\":3,\"${k}\":[\"xabc\",1,null,{\"b\":[1,\"two\",null]}]}");
	json_free(in);
	json_free(out);
	cr_assert(json_parse(BAD, strlen(BAD), 1000, &in, NULL) == 0);
	cr_expect(expr_render(in, e, &out, &err) == ERR_CONFIG);
	cr_expect(strstr(err.text, "${1 + 'a'}") != NULL, "the expression is named: %s", err.text);
	json_free(in);
	json_free(e);
	str_done(&text);
	LEAK_CHECK();
}

Test(dag_expr, demands_a_boolean)
{
	struct json *e = env();
	struct err err = {0};
	bool b = false;

	cr_expect(expr_eval_bool("${params.n > 2}", e, &b, &err) == 0 && b);
	cr_expect(expr_eval_bool("${params.n}", e, &b, &err) == ERR_CONFIG && b);
	cr_expect(strstr(err.text, "true or false") != NULL);
	json_free(e);
	LEAK_CHECK();
}

Test(dag_expr, work_is_bounded)
{
	struct json *e = env(), *v = NULL;
	struct err err = {0};
	struct str t;
	int i;

	str_init(&t, 1u << 20);
	str_add(&t, "${");
	for (i = 0; i < 200; i++)
		str_addc(&t, '(');
	cr_expect(expr_eval(t.s, e, &v, &err) == ERR_CONFIG && strstr(err.text, "deep") != NULL,
	    "%s", err.text);
	str_reset(&t);
	str_add(&t, "${1");
	for (i = 0; i < 5000; i++)
		str_add(&t, "+1");
	str_addc(&t, '}');
	cr_expect(expr_eval(t.s, e, &v, &err) == ERR_CONFIG && strstr(err.text, "deep") != NULL,
	    "%s", err.text);
	str_reset(&t);
	str_add(&t, "${[");
	for (i = 0; i < 10; i++)
		str_add(&t, "range(50000),");
	str_add(&t, "1]}");
	cr_expect(expr_eval(t.s, e, &v, &err) == ERR_CONFIG && strstr(err.text, "elements") != NULL,
	    "%s", err.text);
	cr_expect(expr_eval("${replace(join(range(50000)), ',', '----------------------------')}",
		      e, &v, &err) == ERR_CONFIG);
	cr_expect(expr_eval("${replace(join(range(50000)), ',', '-')}", e, &v, &err) == 0);
	json_free(v);
	str_reset(&t);
	for (i = 0; i < 70000; i++)
		str_addc(&t, 'x');
	cr_expect(expr_eval(t.s, e, &v, &err) == ERR_LIMIT);
	json_free(e);
	str_done(&t);
	LEAK_CHECK();
}

/* ---- before it runs ---- */
struct check {
	const char *text;
	long at;  /* offset of the error, -1: none */
	int type; /* of a good one; -1: not known */
	const char *says;
};

Test(dag_expr, is_checked_before_it_runs)
{
	static const struct check ROWS[] = {{"${params.n + 1}", -1, JSON_NUMBER, NULL},
	    {"${params.s}", -1, JSON_STRING, NULL}, {"a${params.n}", -1, JSON_STRING, NULL},
	    {"${params.d}", -1, JSON_STRING, NULL}, {"${event.body.x}", -1, -1, NULL},
	    {"${event.body.table}", -1, JSON_STRING, NULL},
	    {"${steps.load.outputs.rows > 1}", -1, JSON_BOOL, NULL}, {"${t.name}", -1, -1, NULL},
	    {"${item}", -1, -1, NULL}, {"${run.window.start}", -1, JSON_STRING, NULL},
	    {"${coalesce(params.n, 1)}", -1, -1, NULL},
	    {"${params.b ? 1 : 2}", -1, JSON_NUMBER, NULL},
	    {"${run['key']}", -1, JSON_STRING, NULL}, {"${params.nn}", 9, 0, "did you mean \"n\""},
	    {"${parms.n}", 2, 0, "did you mean \"params\""}, {"x ${run.kee}", 8, 0, "\"key\""},
	    {"${run['kee']}", 6, 0, "\"key\""}, {"${run.window.stat}", 13, 0, "start"},
	    {"${event.boody}", 8, 0, "body"},
	    {"${steps.laod.outputs.x}", 8, 0, "did you mean \"load\""},
	    {"${steps.other.outputs.x}", 8, 0, "add it to needs"},
	    {"${steps.load.output}", 13, 0, "outputs"}, {"${partition.x}", 12, 0, "no member"},
	    {"${params.n.x}", 11, 0, "no member"}, {"${params.s[0]}", 10, 0, "lists and maps"},
	    {"${params.n == 'a'}", 11, 0, "never equal"},
	    {"${params.n && true}", 2, 0, "true or false"}, {"${!params.n}", 2, 0, "true or false"},
	    {"${params.s - 1}", 2, 0, "needs numbers"},
	    {"${params.n + params.s}", 11, 0, "convert"},
	    {"${lower(params.n)}", 8, 0, "lower(TEXT)"}, {"${lower()}", 2, 0, "missing"},
	    {"${lower('a', 'b')}", 13, 0, "too many"}, {"${range(1)}", -1, JSON_ARRAY, NULL},
	    {"${range(1, 2)}", -1, JSON_ARRAY, NULL}, {"${range(1, 2, 3)}", -1, JSON_ARRAY, NULL},
	    {"${range()}", 2, 0, "missing"}, {"${range(1, 2, 3, 4)}", 17, 0, "too many"},
	    {"${add_time(params.d, '1d')}", -1, JSON_STRING, NULL},
	    {"${add_time(params.d, '1d', 'UTC')}", -1, JSON_STRING, NULL},
	    {"${add_time(params.d)}", 2, 0, "missing"},
	    {"${lowr('a')}", 2, 0, "did you mean \"lower\""}, {"${zzzz()}", 2, 0, "there are"},
	    {"${1 = 1}", 4, 0, "=="}, {"${true and false}", 7, 0, "&&"}, {"${not true}", 2, 0, "!"},
	    {"${a & b}", 4, 0, "&&"}, {"${1 +}", 5, 0, "missing"}, {"${(1}", 4, 0, ")"},
	    {"${[1}", 4, 0, "]"}, {"${'a}", 2, 0, "no end"}, {"${1a}", 2, 0, "no number"},
	    {"${1", 3, 0, "closing }"}, {"${params.}", 9, 0, "name is missing"},
	    {"${'\\q'}", 3, 0, "escape"}, {"${1 ? 2}", 7, 0, "colon"}, {"${1 2}", 4, 0, "operator"},
	    {"ok ${params.n} ${params.m}", 24, 0, NULL}};
	static const char *const STEPS[] = {"load"};
	static const char PARAMS[] =
	    "{\"n\":\"integer\",\"s\":\"string\",\"b\":\"boolean\",\"d\":\"date\"}";
	struct expr_scope scope = {.roots = 0x7f, .item_name = "t", .steps = STEPS, .n_steps = 1};
	struct json *params = NULL, *body = NULL;
	size_t i;

	cr_assert(json_parse(PARAMS, strlen(PARAMS), 1000, &params, NULL) == 0);
	cr_assert(json_parse("{\"table\":\"string\",\"x\":\"\"}", 25, 1000, &body, NULL) == 0);
	scope.params = params;
	scope.body = body;
	for (i = 0; i < sizeof(ROWS) / sizeof(ROWS[0]); i++) {
		enum json_type type = JSON_NULL;
		struct err err = {0};
		bool known = false;
		size_t at = 0;
		int rc = expr_check(ROWS[i].text, &scope, &at, &type, &known, &err);

		if (ROWS[i].at < 0) {
			cr_expect(rc == 0 && known == (ROWS[i].type >= 0) &&
				      (!known || (int)type == ROWS[i].type),
			    "%s: %s", ROWS[i].text, err.text);
			continue;
		}
		cr_expect(rc == ERR_PARSE && (long)at == ROWS[i].at, "%s: at %zu: %s", ROWS[i].text,
		    at, err.text);
		cr_expect(ROWS[i].says == NULL || strstr(err.text, ROWS[i].says) != NULL, "%s: %s",
		    ROWS[i].text, err.text);
	}
	json_free(params);
	json_free(body);
	LEAK_CHECK();
}

Test(dag_expr, a_place_allows_its_roots_only)
{
	struct expr_scope scope = {.roots = EXPR_EVENT | EXPR_TRIGGER};
	enum json_type type;
	struct err err = {0};
	bool known;

	cr_expect(
	    expr_check("${event.body.anything}", &scope, NULL, &type, &known, &err) == 0 && !known);
	cr_expect(expr_check("${params.x}", &scope, NULL, &type, &known, &err) == ERR_PARSE);
	cr_expect(expr_check("${item}", &scope, NULL, &type, &known, &err) == ERR_PARSE);
	cr_expect(strstr(err.text, "foreach") != NULL, "%s", err.text);
	LEAK_CHECK();
}
