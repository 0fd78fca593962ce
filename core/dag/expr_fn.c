/* expr_fn.c: the functions of the expression language. Pure; each spends from the run's bounds
 * before it allocates. */
#include "core/dag/expr_ast.h"

#include "core/base/mem.h"
#include "core/base/str.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

static bool is_null(const struct json *j)
{
	return j == NULL || json_is(j, JSON_NULL);
}

static int bad(struct expr_run *r, const char *fn, size_t i, const struct val *v, const char *want)
{
	return err_set(r->err, ERR_CONFIG, "argument %zu of %s is %s; it must be %s", i + 1, fn,
	    expr_type_name((int)json_type(v->j)), want);
}

static int want_text(
    struct expr_run *r, const char *fn, const struct val *v, size_t i, const char **ret)
{
	if (!json_is(v[i].j, JSON_STRING))
		return bad(r, fn, i, &v[i], "a text");
	*ret = json_str(v[i].j, "");
	return 0;
}

static int want_whole(
    struct expr_run *r, const char *fn, const struct val *v, size_t i, double *ret)
{
	double n = json_num(v[i].j, 0);

	if (!json_is(v[i].j, JSON_NUMBER) || n != floor(n) || fabs(n) > 9e15)
		return bad(r, fn, i, &v[i], "a whole number");
	*ret = n;
	return 0;
}

static int take_str(struct expr_run *r, struct str *b, struct val *ret)
{
	int rc = b->failed
		     ? err_set(r->err, ERR_CONFIG, "the text would pass %u bytes", EXPR_MAX_RESULT)
		     : expr_run_spend(r, 0, b->len);

	if (rc == 0)
		val_take(ret, json_new_str(str_peek(b)));
	str_done(b);
	return rc;
}

/* ---- lists ---- */
static int fn_range(struct expr_run *r, const struct val *v, size_t n, struct val *ret)
{
	double from = 0, to = 0, by = 1, x;
	struct json *list;
	int rc = want_whole(r, "range", v, 0, n > 1 ? &from : &to);

	if (rc == 0 && n > 1)
		rc = want_whole(r, "range", v, 1, &to);
	if (rc == 0 && n > 2)
		rc = want_whole(r, "range", v, 2, &by);
	if (rc == 0 && by == 0)
		rc = err_set(r->err, ERR_CONFIG, "the step of range is 0, it would never end");
	if (rc == 0 && ceil((to - from) / by) > EXPR_MAX_RANGE)
		rc = err_set(
		    r->err, ERR_CONFIG, "range would have more than %d elements", EXPR_MAX_RANGE);
	if (rc == 0 && (to - from) / by > 0)
		rc = expr_run_spend(r, (size_t)ceil((to - from) / by), 0);
	if (rc != 0)
		return rc;
	list = json_new_array();
	for (x = from; by > 0 ? x < to : x > to; x += by)
		json_push(list, json_new_num(x));
	val_take(ret, list);
	return 0;
}

static int fn_length(struct expr_run *r, const struct val *v, size_t n, struct val *ret)
{
	const char *s = json_str(v[0].j, NULL);
	size_t len = 0;

	(void)n;
	if (s != NULL) {
		for (; *s != '\0'; s++)
			len += ((unsigned char)*s & 0xc0) != 0x80; /* characters, not bytes */
	} else if (json_is(v[0].j, JSON_ARRAY) || json_is(v[0].j, JSON_OBJECT)) {
		len = json_len(v[0].j);
	} else if (!is_null(v[0].j)) {
		return bad(r, "length", 0, &v[0], "a text, a list or a map");
	}
	val_take(ret, json_new_num((double)len));
	return 0;
}

static int fn_join(struct expr_run *r, const struct val *v, size_t n, struct val *ret)
{
	const char *sep = ",";
	const struct json *e;
	struct str b;
	int rc = n > 1 ? want_text(r, "join", v, 1, &sep) : 0;

	if (rc != 0)
		return rc;
	if (!json_is(v[0].j, JSON_ARRAY))
		return bad(r, "join", 0, &v[0], "a list");
	str_init(&b, EXPR_MAX_RESULT);
	for (e = json_first(v[0].j); e != NULL && !b.failed; e = json_next(e)) {
		if (e != json_first(v[0].j))
			str_add(&b, sep);
		expr_val_text(e, &b);
	}
	return take_str(r, &b, ret);
}

static int fn_split(struct expr_run *r, const struct val *v, size_t n, struct val *ret)
{
	const char *s, *sep, *at;
	struct json *list;
	size_t count = 1;
	int rc = want_text(r, "split", v, 0, &s);

	(void)n;
	if (rc == 0)
		rc = want_text(r, "split", v, 1, &sep);
	if (rc == 0 && *sep == '\0')
		rc = err_set(r->err, ERR_CONFIG, "the separator of split is empty");
	if (rc != 0)
		return rc;
	for (at = strstr(s, sep); at != NULL; at = strstr(at + strlen(sep), sep))
		count++;
	rc = expr_run_spend(r, count, 0);
	if (rc == 0)
		rc = expr_run_spend(r, 0, strlen(s));
	if (rc != 0)
		return rc;
	list = json_new_array();
	while ((at = strstr(s, sep)) != NULL) {
		char *part = mem_strndup(s, (size_t)(at - s));

		json_push(list, json_new_str(part));
		mem_free(part);
		s = at + strlen(sep);
	}
	json_push(list, json_new_str(s));
	val_take(ret, list);
	return 0;
}

/* ---- texts ---- */
static int change_case(
    struct expr_run *r, const char *fn, const struct val *v, char from, struct val *ret)
{
	const char *s;
	struct str b;
	int rc = want_text(r, fn, v, 0, &s);

	if (rc != 0)
		return rc;
	str_init(&b, EXPR_MAX_RESULT);
	for (; *s != '\0'; s++)
		str_addc(&b, *s >= from && *s <= from + 25 ? (char)(*s ^ 0x20) : *s);
	return take_str(r, &b, ret);
}

static int fn_lower(struct expr_run *r, const struct val *v, size_t n, struct val *ret)
{
	(void)n;
	return change_case(r, "lower", v, 'A', ret);
}

static int fn_upper(struct expr_run *r, const struct val *v, size_t n, struct val *ret)
{
	(void)n;
	return change_case(r, "upper", v, 'a', ret);
}

static int fn_trim(struct expr_run *r, const struct val *v, size_t n, struct val *ret)
{
	const char *s, *end;
	struct str b;
	int rc = want_text(r, "trim", v, 0, &s);

	(void)n;
	if (rc != 0)
		return rc;
	s += strspn(s, " \t\r\n");
	end = s + strlen(s);
	while (end > s && strchr(" \t\r\n", end[-1]) != NULL)
		end--;
	str_init(&b, EXPR_MAX_RESULT);
	str_addn(&b, s, (size_t)(end - s));
	return take_str(r, &b, ret);
}

static int fn_replace(struct expr_run *r, const struct val *v, size_t n, struct val *ret)
{
	const char *s, *from, *to, *at;
	struct str b;
	int rc = want_text(r, "replace", v, 0, &s);

	(void)n;
	if (rc == 0)
		rc = want_text(r, "replace", v, 1, &from);
	if (rc == 0)
		rc = want_text(r, "replace", v, 2, &to);
	if (rc == 0 && *from == '\0')
		rc = err_set(r->err, ERR_CONFIG, "the text that replace looks for is empty");
	if (rc != 0)
		return rc;
	str_init(&b, EXPR_MAX_RESULT);
	while ((at = strstr(s, from)) != NULL && !b.failed) {
		str_addn(&b, s, (size_t)(at - s));
		str_add(&b, to);
		s = at + strlen(from);
	}
	str_add(&b, s);
	return take_str(r, &b, ret);
}

static int fn_contains(struct expr_run *r, const struct val *v, size_t n, struct val *ret)
{
	const struct json *e;
	const char *part;
	bool found = false;
	int rc;

	(void)n;
	if (json_is(v[0].j, JSON_STRING)) {
		rc = want_text(r, "contains", v, 1, &part);
		if (rc != 0)
			return rc;
		found = strstr(json_str(v[0].j, ""), part) != NULL;
	} else if (json_is(v[0].j, JSON_ARRAY)) {
		for (e = json_first(v[0].j); e != NULL && !found; e = json_next(e))
			found = json_equal(e, v[1].j);
	} else if (json_is(v[0].j, JSON_OBJECT)) {
		rc = want_text(r, "contains", v, 1, &part);
		if (rc != 0)
			return rc;
		found = json_get(v[0].j, part) != NULL;
	} else if (!is_null(v[0].j)) {
		return bad(r, "contains", 0, &v[0], "a text, a list or a map");
	}
	val_take(ret, json_new_bool(found));
	return 0;
}

static int fn_starts_with(struct expr_run *r, const struct val *v, size_t n, struct val *ret)
{
	const char *s, *prefix;
	int rc = want_text(r, "starts_with", v, 0, &s);

	(void)n;
	if (rc == 0)
		rc = want_text(r, "starts_with", v, 1, &prefix);
	if (rc == 0)
		val_take(ret, json_new_bool(str_starts(s, prefix)));
	return rc;
}

/* ---- values ---- */
static int fn_coalesce(struct expr_run *r, const struct val *v, size_t n, struct val *ret)
{
	size_t i;

	(void)r;
	for (i = 0; i < n; i++)
		if (!is_null(v[i].j)) {
			val_take(ret, json_dup(v[i].j));
			break;
		}
	return 0;
}

static int fn_number(struct expr_run *r, const struct val *v, size_t n, struct val *ret)
{
	const char *s = json_str(v[0].j, NULL);
	double x = json_num(v[0].j, 0);
	char *end;

	(void)n;
	if (is_null(v[0].j))
		return 0;
	if (json_is(v[0].j, JSON_BOOL)) {
		x = json_bool(v[0].j, false) ? 1 : 0;
	} else if (s != NULL) {
		s += strspn(s, " \t");
		x = strtod(s, &end);
		if (end == s || end[strspn(end, " \t")] != '\0' || !isfinite(x) ||
		    strpbrk(s, "xX") != NULL)
			return err_set(
			    r->err, ERR_CONFIG, "number() cannot read the text \"%.60s\"", s);
	} else if (!json_is(v[0].j, JSON_NUMBER)) {
		return bad(r, "number", 0, &v[0], "a number, a text, true or false");
	}
	val_take(ret, json_new_num(x));
	return 0;
}

static int fn_string(struct expr_run *r, const struct val *v, size_t n, struct val *ret)
{
	struct str b;

	(void)n;
	str_init(&b, EXPR_MAX_RESULT);
	expr_val_text(v[0].j, &b);
	return take_str(r, &b, ret);
}

static int fn_json(struct expr_run *r, const struct val *v, size_t n, struct val *ret)
{
	struct str b;

	(void)n;
	str_init(&b, EXPR_MAX_RESULT);
	if (v[0].j == NULL)
		str_add(&b, "null");
	else
		json_print(v[0].j, &b);
	return take_str(r, &b, ret);
}

static const struct expr_fn FUNCTIONS[] = {
    {"range", "n|nn", JSON_ARRAY, fn_range, "range(TO), range(FROM, TO) or range(FROM, TO, STEP)"},
    {"length", "t", JSON_NUMBER, fn_length, "length(TEXT or LIST)"},
    {"join", "l|s", JSON_STRING, fn_join, "join(LIST, SEPARATOR)"},
    {"split", "ss", JSON_ARRAY, fn_split, "split(TEXT, SEPARATOR)"},
    {"lower", "s", JSON_STRING, fn_lower, "lower(TEXT)"},
    {"upper", "s", JSON_STRING, fn_upper, "upper(TEXT)"},
    {"trim", "s", JSON_STRING, fn_trim, "trim(TEXT)"},
    {"replace", "sss", JSON_STRING, fn_replace, "replace(TEXT, FROM, TO)"},
    {"contains", "ta", JSON_BOOL, fn_contains, "contains(TEXT or LIST, PART)"},
    {"starts_with", "ss", JSON_BOOL, fn_starts_with, "starts_with(TEXT, PREFIX)"},
    {"coalesce", "a|a*", EXPR_ANY, fn_coalesce, "coalesce(VALUE, OTHER, …)"},
    {"number", "a", JSON_NUMBER, fn_number, "number(VALUE)"},
    {"string", "a", JSON_STRING, fn_string, "string(VALUE)"},
    {"json", "a", JSON_STRING, fn_json, "json(VALUE)"},
    {"format_time", "ss|s", JSON_STRING, expr_fn_format_time,
	"format_time(TIME, \"%Y-%m-%d\", ZONE)"},
    {"add_time", "sd|ss", JSON_STRING, expr_fn_add_time,
	"add_time(TIME, \"-2h\", ZONE) or add_time(TIME, -1, \"day\", ZONE)"},
    {"start_of", "ss|s", JSON_STRING, expr_fn_start_of, "start_of(TIME, \"day\", ZONE)"},
};
#define N_FUNCTIONS (sizeof(FUNCTIONS) / sizeof(FUNCTIONS[0]))

const struct expr_fn *expr_fn_find(const char *name)
{
	size_t i;

	for (i = 0; i < N_FUNCTIONS; i++)
		if (strcmp(FUNCTIONS[i].name, name) == 0)
			return &FUNCTIONS[i];
	return NULL;
}

const char *const *expr_fn_names(size_t *ret_n)
{
	static const char *const NAMES[] = {"range", "length", "join", "split", "lower", "upper",
	    "trim", "replace", "contains", "starts_with", "coalesce", "number", "string", "json",
	    "format_time", "add_time", "start_of"};

	*ret_n = sizeof(NAMES) / sizeof(NAMES[0]);
	return NAMES;
}
