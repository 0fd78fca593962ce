/* expr_check.c: types and names of an expression before it runs. What is not known (a body that is
 * not declared, an output) is ANY and is judged at run time. */
#include "core/dag/expr_ast.h"

#include "core/base/str.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define MAX_NAMES 32

/* What is known of a map by where it stands. */
enum ns { NS_NONE, NS_PARAMS, NS_RUN, NS_WINDOW, NS_TRIGGER, NS_EVENT, NS_BODY, NS_STEPS, NS_STEP };
struct place {
	int type;
	enum ns ns;
};

/* Members of the maps that the scheduler fills. */
struct member {
	enum ns of;
	const char *name;
	int type;
	enum ns ns;
};
static const struct member MEMBERS[] = {
    {NS_RUN, "id", JSON_STRING, NS_NONE},
    {NS_RUN, "dag", JSON_STRING, NS_NONE},
    {NS_RUN, "key", JSON_STRING, NS_NONE},
    {NS_RUN, "window", JSON_OBJECT, NS_WINDOW},
    {NS_RUN, "logical_time", JSON_STRING, NS_NONE},
    {NS_RUN, "attempt", JSON_NUMBER, NS_NONE},
    {NS_WINDOW, "start", JSON_STRING, NS_NONE},
    {NS_WINDOW, "end", JSON_STRING, NS_NONE},
    {NS_TRIGGER, "name", JSON_STRING, NS_NONE},
    {NS_TRIGGER, "kind", JSON_STRING, NS_NONE},
    {NS_TRIGGER, "events", JSON_ARRAY, NS_NONE},
    {NS_TRIGGER, "missing", JSON_ARRAY, NS_NONE},
    {NS_EVENT, "id", JSON_STRING, NS_NONE},
    {NS_EVENT, "seq", JSON_STRING, NS_NONE},
    {NS_EVENT, "source", JSON_STRING, NS_NONE},
    {NS_EVENT, "type", JSON_STRING, NS_NONE},
    {NS_EVENT, "subject", JSON_STRING, NS_NONE},
    {NS_EVENT, "time", JSON_STRING, NS_NONE},
    {NS_EVENT, "body", EXPR_ANY, NS_BODY},
    {NS_STEP, "outputs", JSON_OBJECT, NS_NONE},
};
#define N_MEMBERS (sizeof(MEMBERS) / sizeof(MEMBERS[0]))

struct root {
	const char *name;
	unsigned bit;
	struct place place;
};
static const struct root ROOTS[] = {
    {"params", EXPR_PARAMS, {JSON_OBJECT, NS_PARAMS}},
    {"run", EXPR_RUN, {JSON_OBJECT, NS_RUN}},
    {"trigger", EXPR_TRIGGER, {JSON_OBJECT, NS_TRIGGER}},
    {"event", EXPR_EVENT, {JSON_OBJECT, NS_EVENT}},
    {"partition", EXPR_PARTITION, {JSON_STRING, NS_NONE}},
    {"item", EXPR_ITEM, {EXPR_ANY, NS_NONE}},
    {"steps", EXPR_STEPS, {JSON_OBJECT, NS_STEPS}},
};
#define N_ROOTS (sizeof(ROOTS) / sizeof(ROOTS[0]))
static const struct place ANY_PLACE = {EXPR_ANY, NS_NONE};

const char *expr_type_name(int type)
{
	static const char *const NAMES[] = {
	    "null", "true or false", "a number", "a text", "a list", "a map"};

	return type >= 0 && type < (int)(sizeof(NAMES) / sizeof(NAMES[0])) ? NAMES[type]
									   : "any value";
}

int expr_check_fail(struct expr_checker *c, size_t at, const char *fmt, ...)
{
	va_list ap;

	if (c->failed)
		return EXPR_ANY;
	c->failed = true;
	c->err_at = at;
	va_start(ap, fmt);
	err_vset(c->err, ERR_PARSE, fmt, ap);
	va_end(ap);
	return EXPR_ANY;
}

/* "no …" with the nearest of the names, or all of them where they are few. */
static int unknown(struct expr_checker *c, const struct ast *a, const char *what,
    const char *const *names, size_t n)
{
	const char *near = str_nearest(a->text, names, n);
	char list[300];
	size_t len = 0, i;

	if (near != NULL)
		return expr_check_fail(
		    c, a->at, "%s \"%.64s\"; did you mean \"%s\"?", what, a->text, near);
	if (n == 0)
		return expr_check_fail(c, a->at, "%s \"%.64s\"; there is none here", what, a->text);
	list[0] = '\0';
	for (i = 0; i < n && len < sizeof(list) - 70; i++)
		len += (size_t)snprintf(list + len, sizeof(list) - len, " %s", names[i]);
	return expr_check_fail(
	    c, a->at, "%s \"%.64s\"; there is:%s%s", what, a->text, list, i < n ? " …" : "");
}

static int type_of_declared(const char *name)
{
	if (str_eq(name, "string") || str_eq(name, "date") || str_eq(name, "timestamp"))
		return JSON_STRING;
	if (str_eq(name, "integer") || str_eq(name, "number"))
		return JSON_NUMBER;
	return str_eq(name, "boolean") ? JSON_BOOL : EXPR_ANY;
}

/* A member of params or event.body against its declaration; decl NULL: not known. */
static int check_declared(
    struct expr_checker *c, const struct ast *a, const struct json *decl, const char *what)
{
	const char *names[MAX_NAMES];
	const struct json *m;
	size_t n = 0;

	if (decl == NULL)
		return EXPR_ANY;
	m = json_get(decl, a->text);
	if (m != NULL)
		return type_of_declared(json_str(m, ""));
	for (m = json_first(decl); m != NULL && n < MAX_NAMES; m = json_next(m))
		names[n++] = json_key(m);
	return unknown(c, a, what, names, n);
}

static struct place check_member(
    struct expr_checker *c, const struct ast *a, enum ns of, const char *what)
{
	const char *names[MAX_NAMES];
	size_t n = 0, i;

	for (i = 0; i < N_MEMBERS; i++) {
		if (MEMBERS[i].of != of)
			continue;
		if (strcmp(MEMBERS[i].name, a->text) == 0)
			return (struct place){MEMBERS[i].type, MEMBERS[i].ns};
		names[n++] = MEMBERS[i].name;
	}
	(void)unknown(c, a, what, names, n);
	return ANY_PLACE;
}

static struct place check_step(struct expr_checker *c, const struct ast *a)
{
	const struct expr_scope *s = c->scope;
	size_t i;

	for (i = 0; i < s->n_steps; i++)
		if (strcmp(s->steps[i], a->text) == 0)
			return (struct place){JSON_OBJECT, NS_STEP};
	if (str_nearest(a->text, s->steps, s->n_steps) != NULL)
		(void)unknown(c, a, "among the needs of this step is no", s->steps, s->n_steps);
	else
		(void)expr_check_fail(c, a->at,
		    "the step \"%.64s\" is not among the needs of this one; add it to needs:",
		    a->text);
	return ANY_PLACE;
}

/* The member of a map whose members are known; `a` carries name and offset. */
static struct place check_name_in(struct expr_checker *c, const struct ast *a, struct place base)
{
	switch (base.ns) {
	case NS_PARAMS:
		return (struct place){
		    check_declared(c, a, c->scope->params, "there is no parameter"), NS_NONE};
	case NS_BODY:
		return (struct place){
		    check_declared(c, a, c->scope->body, "the body declares no field"), NS_NONE};
	case NS_STEPS:
		return check_step(c, a);
	case NS_STEP:
		return check_member(c, a, NS_STEP, "a step has no");
	case NS_RUN:
		return check_member(c, a, NS_RUN, "a run has no");
	case NS_WINDOW:
		return check_member(c, a, NS_WINDOW, "a window has no");
	case NS_TRIGGER:
		return check_member(c, a, NS_TRIGGER, "a trigger has no");
	case NS_EVENT:
		return check_member(c, a, NS_EVENT, "an event has no");
	case NS_NONE:
		break;
	}
	if (base.type != EXPR_ANY && base.type != JSON_OBJECT)
		(void)expr_check_fail(c, a->at,
		    "%s has no member \"%.64s\"; only maps have members", expr_type_name(base.type),
		    a->text);
	return ANY_PLACE;
}

static struct place check_root(struct expr_checker *c, const struct ast *a)
{
	const struct expr_scope *s = c->scope;
	const char *names[N_ROOTS + 1];
	size_t n = 0, i;

	if (s->item_name != NULL && strcmp(s->item_name, a->text) == 0)
		return ANY_PLACE;
	if (s->item_name != NULL)
		names[n++] = s->item_name;
	for (i = 0; i < N_ROOTS; i++) {
		bool here = (s->roots & ROOTS[i].bit) != 0;

		if (here)
			names[n++] = ROOTS[i].name;
		if (here && strcmp(ROOTS[i].name, a->text) == 0)
			return ROOTS[i].place;
	}
	if (strcmp(a->text, "item") == 0)
		(void)expr_check_fail(
		    c, a->at, "\"item\" is not known here; it belongs to a step with foreach");
	else
		(void)unknown(c, a, "nothing is called", names, n);
	return ANY_PLACE;
}

static struct place check_index(struct expr_checker *c, const struct ast *a, struct place base)
{
	const struct ast *by = a->first->next;
	int key;

	if (by->kind == AST_TEXT && (base.type == JSON_OBJECT || base.ns != NS_NONE))
		return check_name_in(c, by, base);
	key = expr_check_ast(c, by);
	if (c->failed)
		return ANY_PLACE;
	if (base.type != EXPR_ANY && base.type != JSON_OBJECT && base.type != JSON_ARRAY)
		(void)expr_check_fail(c, a->at, "%s has no elements; [ ] is for lists and maps",
		    expr_type_name(base.type));
	else if (key != EXPR_ANY && ((base.type == JSON_OBJECT && key != JSON_STRING) ||
					(base.type == JSON_ARRAY && key != JSON_NUMBER)))
		(void)expr_check_fail(c, by->at, "%s is looked up by %s, not by %s",
		    expr_type_name(base.type), base.type == JSON_ARRAY ? "a number" : "a text",
		    expr_type_name(key));
	return ANY_PLACE;
}

static struct place check_path(struct expr_checker *c, const struct ast *a)
{
	struct place base;

	if (a->kind == AST_ROOT)
		return check_root(c, a);
	if (a->kind != AST_MEMBER && a->kind != AST_INDEX)
		return (struct place){expr_check_ast(c, a), NS_NONE};
	base = check_path(c, a->first);
	if (c->failed)
		return ANY_PLACE;
	return a->kind == AST_MEMBER ? check_name_in(c, a, base) : check_index(c, a, base);
}

/* Where the operand begins in the text: a path stands at its last name, an operator at itself. */
static size_t begin(const struct ast *a)
{
	while (a->kind == AST_MEMBER || a->kind == AST_INDEX || a->kind == AST_BINARY ||
	       a->kind == AST_COND)
		a = a->first;
	return a->at;
}

static int check_call(struct expr_checker *c, const struct ast *a)
{
	const char *spec = a->fn->args;
	const struct ast *arg;
	bool optional = false; /* what follows may be left out */
	size_t i = 0;
	char want = 'a';

	for (arg = a->first; arg != NULL; arg = arg->next, i++) {
		int type;

		if (*spec == '|') {
			optional = true;
			spec++;
		}
		if (*spec != '\0' && *spec != '*')
			want = *spec++;
		else if (*spec == '\0')
			return expr_check_fail(
			    c, begin(arg), "too many arguments; write %s", a->fn->usage);
		type = expr_check_ast(c, arg);
		if (c->failed)
			return EXPR_ANY;
		if (type == EXPR_ANY || type == JSON_NULL || want == 'a')
			continue;
		if ((want == 'n' && type == JSON_NUMBER) || (want == 's' && type == JSON_STRING) ||
		    (want == 'l' && type == JSON_ARRAY) ||
		    (want == 't' &&
			(type == JSON_STRING || type == JSON_ARRAY || type == JSON_OBJECT)) ||
		    (want == 'd' && (type == JSON_STRING || type == JSON_NUMBER)))
			continue;
		return expr_check_fail(c, begin(arg), "argument %zu of %s is %s; write %s", i + 1,
		    a->fn->name, expr_type_name(type), a->fn->usage);
	}
	if (*spec != '\0' && *spec != '|' && *spec != '*' && !optional)
		return expr_check_fail(c, a->at, "an argument is missing; write %s", a->fn->usage);
	return a->fn->type;
}

static bool is_any(int type)
{
	return type == EXPR_ANY || type == JSON_NULL;
}

static int check_binary(struct expr_checker *c, const struct ast *a)
{
	static const char *const TEXTS[] = {
	    "||", "&&", "==", "!=", "<", "<=", ">", ">=", "+", "-", "*", "/", "%"};
	const struct ast *la = a->first, *ra = la->next;
	int l = expr_check_ast(c, la), r = expr_check_ast(c, ra);
	const char *op = TEXTS[a->op];

	if (c->failed)
		return EXPR_ANY;
	if (a->op == OP_EQ || a->op == OP_NE) {
		if (!is_any(l) && !is_any(r) && l != r)
			return expr_check_fail(c, a->at,
			    "%s compares %s with %s, which are never equal; convert one, "
			    "for example with string()",
			    op, expr_type_name(l), expr_type_name(r));
		return JSON_BOOL;
	}
	if (a->op == OP_OR || a->op == OP_AND) {
		if (l != EXPR_ANY && l != JSON_BOOL)
			return expr_check_fail(c, begin(la), "%s needs true or false, this is %s",
			    op, expr_type_name(l));
		if (r != EXPR_ANY && r != JSON_BOOL)
			return expr_check_fail(c, begin(ra), "%s needs true or false, this is %s",
			    op, expr_type_name(r));
		return JSON_BOOL;
	}
	if (a->op >= OP_LT && a->op <= OP_ADD) { /* within one type: numbers or texts */
		if (l != EXPR_ANY && l != JSON_NUMBER && l != JSON_STRING)
			return expr_check_fail(c, begin(la),
			    "%s needs numbers or texts, this is %s", op, expr_type_name(l));
		if (r != EXPR_ANY && r != JSON_NUMBER && r != JSON_STRING)
			return expr_check_fail(c, begin(ra),
			    "%s needs numbers or texts, this is %s", op, expr_type_name(r));
		if (l != EXPR_ANY && r != EXPR_ANY && l != r)
			return expr_check_fail(c, a->at,
			    "%s between %s and %s; convert one with number() or string()", op,
			    expr_type_name(l), expr_type_name(r));
		return a->op != OP_ADD ? JSON_BOOL : l != EXPR_ANY ? l : r;
	}
	if (l != EXPR_ANY && l != JSON_NUMBER)
		return expr_check_fail(
		    c, begin(la), "%s needs numbers, this is %s", op, expr_type_name(l));
	if (r != EXPR_ANY && r != JSON_NUMBER)
		return expr_check_fail(
		    c, begin(ra), "%s needs numbers, this is %s", op, expr_type_name(r));
	return JSON_NUMBER;
}

static int check_cond(struct expr_checker *c, const struct ast *a)
{
	const struct ast *yes = a->first->next, *no = yes->next;
	int cond = expr_check_ast(c, a->first), l = expr_check_ast(c, yes),
	    r = expr_check_ast(c, no);

	if (c->failed)
		return EXPR_ANY;
	if (cond != EXPR_ANY && cond != JSON_BOOL)
		return expr_check_fail(c, begin(a->first),
		    "what stands before ? is %s; it must be true or false", expr_type_name(cond));
	return l == r ? l : EXPR_ANY;
}

int expr_check_ast(struct expr_checker *c, const struct ast *a)
{
	const struct ast *b;
	int type;

	switch (a->kind) {
	case AST_NULL:
		return JSON_NULL;
	case AST_BOOL:
		return JSON_BOOL;
	case AST_NUMBER:
		return JSON_NUMBER;
	case AST_TEXT:
		return JSON_STRING;
	case AST_LIST:
		for (b = a->first; b != NULL && !c->failed; b = b->next)
			(void)expr_check_ast(c, b);
		return JSON_ARRAY;
	case AST_ROOT:
	case AST_MEMBER:
	case AST_INDEX:
		return check_path(c, a).type;
	case AST_CALL:
		return check_call(c, a);
	case AST_NOT:
	case AST_NEG:
		type = expr_check_ast(c, a->first);
		if (c->failed || type == EXPR_ANY)
			return a->kind == AST_NOT ? JSON_BOOL : JSON_NUMBER;
		if (a->kind == AST_NOT && type != JSON_BOOL)
			return expr_check_fail(
			    c, a->at, "! needs true or false, this is %s", expr_type_name(type));
		if (a->kind == AST_NEG && type != JSON_NUMBER)
			return expr_check_fail(
			    c, a->at, "- needs a number, this is %s", expr_type_name(type));
		return type;
	case AST_BINARY:
		return check_binary(c, a);
	case AST_COND:
		return check_cond(c, a);
	}
	return EXPR_ANY;
}
