/* compile_expr.c: ${…} in the file's texts, checked against what is known at their place. */
#include "core/dagfile/compile_int.h"

#include <string.h>

static const char *want_name(enum want want)
{
	static const char *const NAMES[] = {
	    "a value", "a text", "true or false", "a number", "a list", "a map"};

	return NAMES[want];
}

static bool fits(enum json_type type, enum want want)
{
	switch (want) {
	case WANT_TEXT:
		return type == JSON_STRING || type == JSON_NUMBER || type == JSON_BOOL;
	case WANT_BOOL:
		return type == JSON_BOOL;
	case WANT_NUMBER:
		return type == JSON_NUMBER;
	case WANT_LIST:
		return type == JSON_ARRAY;
	case WANT_MAP:
		return type == JSON_OBJECT;
	case WANT_ANY:
		break;
	}
	return true;
}

/* The cure stands behind the last semicolon of an expression's error. */
static void report(struct diags *d, const struct yaml_node *n, size_t at, struct err *err)
{
	char *cure = strrchr(err->text, ';');
	unsigned line, column;
	struct str path;

	if (cure != NULL && cure[1] == ' ') {
		*cure = '\0';
		cure += 2;
	}
	str_init(&path, 1024);
	yaml_path(n, &path);
	yaml_place_at(n, at, &line, &column);
	diag_at(d, line, column, str_peek(&path), false, "bad-expression", cure, "%s", err->text);
	str_done(&path);
}

static void check_text(
    struct diags *d, const struct yaml_node *n, const struct expr_scope *scope, enum want want)
{
	struct err err = {0};
	enum json_type type;
	bool known;
	size_t at = 0;

	if (!expr_is_template(n->text))
		return;
	if (expr_check(n->text, scope, &at, &type, &known, &err) != 0) {
		report(d, n, at, &err);
		return;
	}
	if (known && !fits(type, want))
		diag_error(d, n, "bad-expression", NULL, "this gives %s; it must give %s",
		    type == JSON_NULL ? "null"
				      : want_name(type == JSON_BOOL	? WANT_BOOL
						  : type == JSON_NUMBER ? WANT_NUMBER
						  : type == JSON_STRING ? WANT_TEXT
						  : type == JSON_ARRAY	? WANT_LIST
									: WANT_MAP),
		    want_name(want));
}

void expr_check_tree(
    struct diags *d, const struct yaml_node *n, const struct expr_scope *scope, enum want want)
{
	const struct yaml_node *c;

	if (n == NULL || n->bad)
		return;
	if (n->kind == YAML_TEXT)
		check_text(d, n, scope, want);
	for (c = n->first; c != NULL; c = c->next)
		expr_check_tree(d, c, scope, WANT_ANY);
}
