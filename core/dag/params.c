/* params.c: a given value against its declaration: run parameters and webhook bodies. A person's
 * parameters come from a command line and may be text where a number is meant; unknown ones are
 * refused. A body (what is not "param") keeps the fields that were not declared. */
#include "core/base/clock.h"
#include "core/base/mem.h"
#include "core/dag/plan.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *const wanted[] = {"a text", "a whole number", "a number", "true or false",
    "a date such as 2026-11-21", "a time such as 2026-11-21T17:30:00Z", "a value"};

static bool lenient(const char *what)
{
	return str_eq(what, "param");
}

static bool is_date(const char *s)
{
	int64_t t;

	return strlen(s) == 10 && clock_parse(s, &t) == 0;
}

static bool is_timestamp(const char *s)
{
	int64_t t;

	return clock_parse(s, &t) == 0;
}

static bool is_whole(const struct json *j)
{
	double v = json_num(j, NAN);

	return json_is(j, JSON_NUMBER) && v == floor(v) && fabs(v) <= 9007199254740992.0;
}

static bool type_fits(enum value_type t, const struct json *j)
{
	switch (t) {
	case VALUE_STRING:
		return json_is(j, JSON_STRING);
	case VALUE_INTEGER:
		return is_whole(j);
	case VALUE_NUMBER:
		return json_is(j, JSON_NUMBER);
	case VALUE_BOOLEAN:
		return json_is(j, JSON_BOOL);
	case VALUE_DATE:
		return json_is(j, JSON_STRING) && is_date(json_str(j, ""));
	case VALUE_TIMESTAMP:
		return json_is(j, JSON_STRING) && is_timestamp(json_str(j, ""));
	case VALUE_ANY:
		return true;
	}
	return false;
}

/* Text of a command line as the declared type; NULL where it is none. */
static struct json *from_text(enum value_type t, const char *s)
{
	char *end;
	double v;

	if (t == VALUE_BOOLEAN && (str_eq(s, "true") || str_eq(s, "false")))
		return json_new_bool(str_eq(s, "true"));
	if ((t != VALUE_INTEGER && t != VALUE_NUMBER) || s[0] == 0 || strchr(" \t\n\f\v\r", s[0]))
		return NULL;
	errno = 0;
	v = strtod(s, &end);
	if (errno != 0 || *end != 0 || !isfinite(v) || strpbrk(s, "xXpP") != NULL)
		return NULL;
	return json_new_num(v);
}

static int compare(const struct json *a, const struct json *b)
{
	double x, y;

	if (json_is(a, JSON_STRING) && json_is(b, JSON_STRING))
		return strcmp(json_str(a, ""), json_str(b, ""));
	x = json_num(a, 0);
	y = json_num(b, 0);
	return (x > y) - (x < y);
}

static int out_of_range(
    const struct plan_param *p, const struct json *v, const char *what, struct err *err)
{
	struct str text;
	bool low = p->min != NULL && compare(v, p->min) < 0;
	int rc;

	if (!low && (p->max == NULL || compare(v, p->max) <= 0))
		return 0;
	str_init(&text, 1024);
	json_print(low ? p->min : p->max, &text);
	rc = err_set(err, ERR_CONFIG, "%s \"%s\" must be %s %s", what, p->name,
	    low ? "at least" : "at most", str_peek(&text));
	str_done(&text);
	return rc;
}

static int not_a_choice(
    const struct plan_param *p, const struct json *v, const char *what, struct err *err)
{
	struct str text;
	int rc;

	if (p->choices == NULL)
		return 0;
	for (const struct json *c = json_first(p->choices); c != NULL; c = json_next(c)) {
		if (json_equal(c, v))
			return 0;
	}
	str_init(&text, 1024);
	json_print(p->choices, &text);
	rc =
	    err_set(err, ERR_CONFIG, "%s \"%s\" must be one of %s", what, p->name, str_peek(&text));
	str_done(&text);
	return rc;
}

static int check_value(
    const struct plan_param *p, const struct json *v, const char *what, struct err *err)
{
	int rc;

	if (!type_fits(p->type, v))
		return err_set(
		    err, ERR_CONFIG, "%s \"%s\" must be %s", what, p->name, wanted[p->type]);
	rc = not_a_choice(p, v, what, err);
	return rc != 0 ? rc : out_of_range(p, v, what, err);
}

static int bind_one(const struct plan_param *p, const struct json *given, const char *what,
    struct json *out, struct err *err)
{
	const struct json *v = json_get(given, p->name);
	struct json *made = NULL;
	int rc;

	if (v == NULL || (json_is(v, JSON_NULL) && p->type != VALUE_ANY)) {
		if (p->required && p->def == NULL)
			return err_set(err, ERR_CONFIG, "%s \"%s\" is required: give %s", what,
			    p->name, wanted[p->type]);
		json_put(out, p->name, p->def != NULL ? json_dup(p->def) : json_new_null());
		return 0;
	}
	if (lenient(what) && json_is(v, JSON_STRING))
		made = from_text(p->type, json_str(v, ""));
	rc = check_value(p, made != NULL ? made : v, what, err);
	if (rc != 0) {
		json_free(made);
		return rc;
	}
	json_put(out, p->name, made != NULL ? made : json_dup(v));
	return 0;
}

static bool declared(const struct plan_params *decl, const char *name)
{
	for (size_t i = 0; i < decl->n; i++) {
		if (strcmp(decl->v[i].name, name) == 0)
			return true;
	}
	return false;
}

static int unknown(
    const struct plan_params *decl, const char *name, const char *what, struct err *err)
{
	const char **names;
	const char *near;
	char all[200] = "";
	size_t used = 0;

	if (decl->n == 0)
		return err_set(
		    err, ERR_CONFIG, "%s \"%.80s\" is unknown: the DAG declares none", what, name);
	names = mem_calloc(decl->n, sizeof(*names));
	for (size_t i = 0; i < decl->n; i++) {
		names[i] = decl->v[i].name;
		if (used < sizeof(all))
			used += (size_t)snprintf(
			    all + used, sizeof(all) - used, "%s%s", i > 0 ? ", " : "", names[i]);
	}
	near = str_nearest(name, names, decl->n);
	mem_free(names);
	if (near != NULL)
		return err_set(err, ERR_CONFIG, "%s \"%.80s\" is unknown; did you mean \"%s\"?",
		    what, name, near);
	return err_set(err, ERR_CONFIG, "%s \"%.80s\" is unknown; the DAG has %s%s", what, name,
	    all, used < sizeof(all) ? "" : "\u2026");
}

int params_bind(const struct plan_params *decl, const struct json *given, const char *what,
    struct json **ret, struct err *err)
{
	struct json *out;
	int rc = 0;

	if (given != NULL && !json_is(given, JSON_OBJECT) && !json_is(given, JSON_NULL))
		return err_set(err, ERR_CONFIG, "%s: a JSON object is expected", what);
	out = json_new_object();
	for (const struct json *j = json_first(given); j != NULL && rc == 0; j = json_next(j)) {
		if (declared(decl, json_key(j)))
			continue;
		if (lenient(what))
			rc = unknown(decl, json_key(j), what, err);
		else
			json_put(out, json_key(j), json_dup(j));
	}
	for (size_t i = 0; i < decl->n && rc == 0; i++)
		rc = bind_one(&decl->v[i], given, what, out, err);
	if (rc != 0) {
		json_free(out);
		return rc;
	}
	*ret = out;
	return 0;
}
