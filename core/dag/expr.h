/* expr.h: the expression language of ${…}: typed, total, no I/O, no clock, no loops.
 *
 * Grammar: literals (numbers, 'text', "text", true false null), paths (params.x, run.window.start,
 * event.body.table, steps.load.outputs.rows, item.name, a["b"], a[0]), calls, unary ! -, * / %, +
 * -, < <= > >=, == !=, &&, ||, c ? a : b, lists [a, b]. + joins texts too. Comparison is within one
 * type; null equals null only. Functions: range length join split lower upper trim replace contains
 * starts_with coalesce number string json format_time add_time start_of. Bounds: text 64 KiB, depth
 * 64, result 1 MiB, range 50,000.
 *
 * A template is text with any number of ${…}; a template that is exactly one ${…} keeps the value's
 * type, any other joins texts. $${ is a literal ${. */
#ifndef CORE_DAG_EXPR_H
#define CORE_DAG_EXPR_H

#include "core/base/err.h"
#include "core/base/json.h"

#include <stdbool.h>
#include <stddef.h>

bool expr_is_template(const char *text); /* holds an unescaped ${ */

/* Roots that may be used at a place: an unknown root or function is an error when the file is
 * compiled. */
enum expr_root {
	EXPR_PARAMS = 1u << 0,
	EXPR_RUN = 1u << 1,
	EXPR_TRIGGER = 1u << 2,
	EXPR_EVENT = 1u << 3,
	EXPR_PARTITION = 1u << 4,
	EXPR_ITEM = 1u << 5,
	EXPR_STEPS = 1u << 6
};
struct expr_scope {
	unsigned roots;	       /* EXPR_* */
	const char *item_name; /* the name in `as`, or NULL */
	/* Known members, for type checks and "did you mean"; NULL: not checked. */
	const struct json *params; /* object name -> type name */
	const struct json *body;   /* object of event.body: name -> type name */
	const char *const *steps;  /* names that may be referred to (needs, directly or not) */
	size_t n_steps;
};
/* Compile-time check of a template. On ERR_PARSE *ret_at (may be NULL) is the byte offset in text;
 * err has cause and cure. *ret_type is the value's type where it is known before run time, else
 * VALUE_ANY-like JSON_NULL with *ret_known false. */
int expr_check(const char *text, const struct expr_scope *scope, size_t *ret_at,
    enum json_type *ret_type, bool *ret_known, struct err *err) CHECK_RESULT;

/* Evaluates a template against an environment: an object whose members are the roots ("params",
 * "run", …, and the `as` name). The result is new and owned by the caller. A missing member of
 * event, item or outputs is null; an operation on a wrong type is ERR_CONFIG with the expression in
 * the text. */
int expr_eval(const char *template_text, const struct json *env, struct json **ret,
    struct err *err) CHECK_RESULT;
/* The same, rendered as text: null gives "", numbers and booleans their JSON text, lists and
 * objects their JSON. */
int expr_eval_text(const char *template_text, const struct json *env, struct str *out,
    struct err *err) CHECK_RESULT;
/* A boolean is demanded. */
int expr_eval_bool(
    const char *template_text, const struct json *env, bool *ret, struct err *err) CHECK_RESULT;
/* Renders every string in a JSON value, deep; keys are left alone. */
int expr_render(
    const struct json *in, const struct json *env, struct json **ret, struct err *err) CHECK_RESULT;

#endif
