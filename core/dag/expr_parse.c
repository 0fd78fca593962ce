/* expr_parse.c: text of one ${…} -> syntax tree. Recursive descent with precedence levels; depth
 * and size are bounded, so that no text can exhaust stack or memory. */
#include "core/dag/expr_ast.h"

#include "core/base/mem.h"
#include "core/base/str.h"

#include <math.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

struct op_text {
	const char *text;
	enum ast_op op;
	unsigned level; /* higher binds tighter */
};
/* Longer texts first, so that <= is not read as <. */
static const struct op_text OPS[] = {{"||", OP_OR, 0}, {"&&", OP_AND, 1}, {"==", OP_EQ, 2},
    {"!=", OP_NE, 2}, {"<=", OP_LE, 3}, {">=", OP_GE, 3}, {"<", OP_LT, 3}, {">", OP_GT, 3},
    {"+", OP_ADD, 4}, {"-", OP_SUB, 4}, {"*", OP_MUL, 5}, {"/", OP_DIV, 5}, {"%", OP_MOD, 5}};
#define N_OPS (sizeof(OPS) / sizeof(OPS[0]))
#define LEVELS 6

static struct ast *parse_cond(struct expr_parser *p);

void expr_parser_init(struct expr_parser *p, const char *s, size_t n, struct err *err)
{
	memset(p, 0, sizeof(*p));
	p->s = s;
	p->n = n;
	p->err = err;
}

void expr_parser_done(struct expr_parser *p)
{
	struct ast *a, *next;

	for (a = p->all; a != NULL; a = next) {
		next = a->all_next;
		mem_free(a->text);
		mem_free(a);
	}
	p->all = NULL;
}

struct ast *expr_parse_fail(struct expr_parser *p, size_t at, const char *fmt, ...)
{
	va_list ap;

	if (p->failed)
		return NULL;
	p->failed = true;
	p->err_at = at;
	va_start(ap, fmt);
	err_vset(p->err, ERR_PARSE, fmt, ap);
	va_end(ap);
	return NULL;
}

static struct ast *node(struct expr_parser *p, enum ast_kind kind, size_t at)
{
	struct ast *a = MEM_NEW(struct ast);

	a->kind = kind;
	a->at = at;
	a->all_next = p->all;
	p->all = a;
	return a;
}

/* Counts the levels of the tree below `parent`, which checking and evaluation recurse over. */
static struct ast *adopt(struct expr_parser *p, struct ast *parent, const struct ast *child)
{
	if (child == NULL)
		return NULL;
	if (child->levels + 1 > parent->levels)
		parent->levels = child->levels + 1;
	if (parent->levels > EXPR_MAX_LEVELS)
		return expr_parse_fail(p, parent->at,
		    "this expression is too deep; at most %d levels", EXPR_MAX_LEVELS);
	return parent;
}

static void skip_blanks(struct expr_parser *p)
{
	while (p->at < p->n && strchr(" \t\r\n", p->s[p->at]) != NULL && p->s[p->at] != '\0')
		p->at++;
}

static char peek(const struct expr_parser *p)
{
	return p->at < p->n ? p->s[p->at] : '\0';
}

static bool name_char(char c, bool first)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' ||
	       (!first && c >= '0' && c <= '9');
}

/* A name at p->at, or NULL where none begins. Caller frees. */
static char *take_name(struct expr_parser *p)
{
	size_t from = p->at;

	if (!name_char(peek(p), true))
		return NULL;
	while (p->at < p->n && name_char(p->s[p->at], false))
		p->at++;
	return mem_strndup(p->s + from, p->at - from);
}

static bool take_char(struct expr_parser *p, char c)
{
	skip_blanks(p);
	if (peek(p) != c)
		return false;
	p->at++;
	skip_blanks(p);
	return true;
}

/* 'text' or "text"; a backslash escapes quote, backslash, n, t. */
static struct ast *parse_text(struct expr_parser *p)
{
	char quote = p->s[p->at], c;
	size_t from = p->at++;
	struct ast *a = node(p, AST_TEXT, from);
	struct str b;

	str_init(&b, EXPR_MAX_TEXT + 1);
	while (p->at < p->n && p->s[p->at] != quote) {
		c = p->s[p->at++];
		if (c == '\\' && p->at < p->n) {
			c = p->s[p->at++];
			if (c == 'n')
				c = '\n';
			else if (c == 't')
				c = '\t';
			else if (c != '\\' && c != '\'' && c != '"') {
				str_done(&b);
				return expr_parse_fail(p, p->at - 2,
				    "\\%c is no escape; there are \\\\ \\' \\\" \\n \\t", c);
			}
		}
		str_addc(&b, c);
	}
	a->text = mem_strdup(str_peek(&b));
	str_done(&b);
	if (p->at >= p->n)
		return expr_parse_fail(
		    p, from, "the text that begins here has no end; add a closing %c", quote);
	p->at++;
	return a;
}

static struct ast *parse_number(struct expr_parser *p)
{
	size_t from = p->at, n;
	struct ast *a;
	char buf[64];

	while (p->at < p->n && ((p->s[p->at] >= '0' && p->s[p->at] <= '9') || p->s[p->at] == '.'))
		p->at++;
	if (p->at < p->n && (p->s[p->at] == 'e' || p->s[p->at] == 'E')) {
		p->at++;
		if (peek(p) == '+' || peek(p) == '-')
			p->at++;
		while (p->at < p->n && p->s[p->at] >= '0' && p->s[p->at] <= '9')
			p->at++;
	}
	n = p->at - from;
	if (n >= sizeof(buf))
		return expr_parse_fail(p, from, "this number is too long; write at most 60 digits");
	memcpy(buf, p->s + from, n);
	buf[n] = '\0';
	a = node(p, AST_NUMBER, from);
	a->text = mem_strdup(buf);
	{
		char *end;

		a->number = strtod(buf, &end);
		if (*end != '\0' || !isfinite(a->number) || name_char(peek(p), true))
			return expr_parse_fail(p, from,
			    "this is no number; texts stand in quotes, as in '2026-11-21'");
	}
	return a;
}

/* Elements parted by commas up to `close`, as children of `into`. */
static struct ast *parse_elements(struct expr_parser *p, struct ast *into, char close)
{
	struct ast **tail = &into->first, *a;

	if (take_char(p, close))
		return into;
	for (;;) {
		a = parse_cond(p);
		if (a == NULL)
			return NULL;
		*tail = a;
		tail = &a->next;
		into->n++;
		if (adopt(p, into, a) == NULL)
			return NULL;
		if (take_char(p, close))
			return into;
		if (!take_char(p, ','))
			return expr_parse_fail(p, p->at, "a comma or %c is missing here", close);
	}
}

static struct ast *parse_call(struct expr_parser *p, char *take_name_text, size_t at)
{
	struct ast *a = node(p, AST_CALL, at);
	size_t n_names;
	const char *const *names = expr_fn_names(&n_names);
	const char *near;

	a->text = take_name_text;
	a->fn = expr_fn_find(a->text);
	if (a->fn == NULL) {
		near = str_nearest(a->text, names, n_names);
		return near != NULL ? expr_parse_fail(p, at,
					  "there is no function \"%.40s\"; did you mean \"%s\"?",
					  a->text, near)
				    : expr_parse_fail(p, at,
					  "there is no function \"%.40s\"; there are range length "
					  "join split lower upper "
					  "trim replace contains starts_with coalesce number "
					  "string json format_time "
					  "add_time start_of",
					  a->text);
	}
	p->at++; /* the ( */
	skip_blanks(p);
	return parse_elements(p, a, ')');
}

static struct ast *parse_name(struct expr_parser *p)
{
	size_t at = p->at;
	char *name = take_name(p);
	struct ast *a;

	if (str_eq(name, "true") || str_eq(name, "false")) {
		a = node(p, AST_BOOL, at);
		a->flag = name[0] == 't';
		a->text = name;
		return a;
	}
	if (str_eq(name, "null")) {
		a = node(p, AST_NULL, at);
		a->text = name;
		return a;
	}
	skip_blanks(p);
	if (peek(p) == '(')
		return parse_call(p, name, at);
	a = node(p, AST_ROOT, at);
	a->text = name;
	if (str_eq(name, "not"))
		return expr_parse_fail(p, at, "\"not\" is written as !");
	return a;
}

static struct ast *parse_primary(struct expr_parser *p)
{
	char c;
	struct ast *a;

	skip_blanks(p);
	c = peek(p);
	if (name_char(c, true))
		return parse_name(p);
	if (c >= '0' && c <= '9')
		return parse_number(p);
	if (c == '\'' || c == '"')
		return parse_text(p);
	if (c == '(') {
		p->at++;
		a = parse_cond(p);
		if (a == NULL)
			return NULL;
		if (!take_char(p, ')'))
			return expr_parse_fail(p, p->at, "a closing ) is missing here");
		return a;
	}
	if (c == '[') {
		a = node(p, AST_LIST, p->at++);
		skip_blanks(p);
		return parse_elements(p, a, ']');
	}
	if (p->at >= p->n)
		return expr_parse_fail(
		    p, p->at, "the expression ends too early; a value and } are missing");
	if (c == '}')
		return expr_parse_fail(p, p->at, "a value is missing before }");
	if (c <= ' ' || c > '~')
		return expr_parse_fail(
		    p, p->at, "this character cannot begin a value; texts stand in quotes");
	return expr_parse_fail(p, p->at,
	    "\"%c\" cannot begin a value; write a name, a number, a quoted text, [ or (", c);
}

static struct ast *parse_postfix(struct expr_parser *p)
{
	struct ast *a = parse_primary(p), *b;

	while (a != NULL) {
		size_t at;

		skip_blanks(p);
		at = p->at;
		if (take_char(p, '.')) {
			b = node(p, AST_MEMBER, p->at);
			b->text = take_name(p);
			if (b->text == NULL)
				return expr_parse_fail(p, p->at,
				    "a name is missing behind the dot; odd names are written as "
				    "[\"odd-name\"]");
			b->first = a;
			a = adopt(p, b, a);
		} else if (take_char(p, '[')) {
			b = node(p, AST_INDEX, at);
			b->first = a;
			a->next = parse_cond(p);
			if (a->next == NULL)
				return NULL;
			if (!take_char(p, ']'))
				return expr_parse_fail(p, p->at, "a closing ] is missing here");
			a = b;
		} else {
			break;
		}
		if (++p->depth > EXPR_MAX_DEPTH * 4)
			return expr_parse_fail(
			    p, at, "this path is too long; at most %d parts", EXPR_MAX_DEPTH * 4);
	}
	return a;
}

static struct ast *parse_unary(struct expr_parser *p)
{
	struct ast *a;
	size_t at;
	char c;

	skip_blanks(p);
	c = peek(p);
	at = p->at;
	if (c != '!' && c != '-')
		return parse_postfix(p);
	if (++p->depth > EXPR_MAX_DEPTH)
		return expr_parse_fail(
		    p, at, "this nests too deep; at most %d levels", EXPR_MAX_DEPTH);
	p->at++;
	a = node(p, c == '!' ? AST_NOT : AST_NEG, at);
	a->first = parse_unary(p);
	p->depth--;
	return adopt(p, a, a->first);
}

static const struct op_text *op_at(const struct expr_parser *p)
{
	size_t i, len;

	for (i = 0; i < N_OPS; i++) {
		len = strlen(OPS[i].text);
		if (p->n - p->at >= len && memcmp(p->s + p->at, OPS[i].text, len) == 0)
			return &OPS[i];
	}
	return NULL;
}

static struct ast *parse_binary(struct expr_parser *p, unsigned level)
{
	struct ast *a = level == LEVELS ? parse_unary(p) : parse_binary(p, level + 1);

	while (a != NULL && level < LEVELS) {
		const struct op_text *op;
		struct ast *b;

		skip_blanks(p);
		op = op_at(p);
		if (op == NULL || op->level != level)
			break;
		b = node(p, AST_BINARY, p->at);
		b->op = op->op;
		b->first = a;
		p->at += strlen(op->text);
		a->next = parse_binary(p, level + 1);
		a = adopt(p, b, a) != NULL ? adopt(p, b, a->next) : NULL;
	}
	return a;
}

static struct ast *parse_cond(struct expr_parser *p)
{
	unsigned depth = p->depth;
	struct ast *a, *c;

	if (++p->depth > EXPR_MAX_DEPTH)
		return expr_parse_fail(
		    p, p->at, "this nests too deep; at most %d levels", EXPR_MAX_DEPTH);
	a = parse_binary(p, 0);
	if (a != NULL && take_char(p, '?')) {
		c = node(p, AST_COND, a->at);
		c->first = a;
		a->next = parse_cond(p);
		if (a->next == NULL)
			return NULL;
		if (!take_char(p, ':'))
			return expr_parse_fail(
			    p, p->at, "a colon is missing here: CONDITION ? YES : NO");
		a->next->next = parse_cond(p);
		if (adopt(p, c, a) == NULL || adopt(p, c, a->next) == NULL)
			return NULL;
		a = adopt(p, c, a->next->next);
	}
	p->depth = depth;
	return a;
}

struct ast *expr_parse(struct expr_parser *p)
{
	struct ast *a = parse_cond(p);
	char c;

	if (a == NULL)
		return NULL;
	skip_blanks(p);
	c = peek(p);
	if (c == '}')
		return a;
	if (p->at >= p->n)
		return expr_parse_fail(p, p->at, "the closing } of ${ is missing");
	if (c == '=')
		return expr_parse_fail(p, p->at, "\"=\" is no operator; write == to compare");
	if (c == '&' || c == '|')
		return expr_parse_fail(p, p->at, "\"%c\" is no operator; write %c%c", c, c, c);
	if (strncmp(p->s + p->at, "and ", 4) == 0 || strncmp(p->s + p->at, "or ", 3) == 0)
		return expr_parse_fail(p, p->at, "\"and\" and \"or\" are written as && and ||");
	return expr_parse_fail(
	    p, p->at, "an operator or } is missing before \"%.20s\"", p->s + p->at);
}
