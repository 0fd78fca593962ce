/* expr_ast.h: the syntax tree of one ${…}, shared by the expr_*.c files only. */
#ifndef CORE_DAG_EXPR_AST_H
#define CORE_DAG_EXPR_AST_H

#include "core/base/err.h"
#include "core/base/json.h"
#include "core/dag/expr.h"

#include <stdbool.h>
#include <stddef.h>

#define EXPR_MAX_TEXT (64u << 10)  /* bytes of a template */
#define EXPR_MAX_DEPTH 64	   /* nested brackets, calls and conditions */
#define EXPR_MAX_LEVELS 256	   /* of the tree; chains of operators count */
#define EXPR_MAX_RESULT (1u << 20) /* bytes of one text */
#define EXPR_MAX_RANGE 50000	   /* elements of range() */
#define EXPR_MAX_CELLS 200000	   /* list elements made by one template */
#define EXPR_MAX_WORK (16u << 20)  /* bytes of text made by one template */
#define EXPR_MAX_ARGS 16

enum ast_kind {
	AST_NULL,
	AST_BOOL,
	AST_NUMBER,
	AST_TEXT,
	AST_LIST,
	AST_ROOT,   /* a bare name */
	AST_MEMBER, /* first.text */
	AST_INDEX,  /* first[second] */
	AST_CALL,
	AST_NOT,
	AST_NEG,
	AST_BINARY,
	AST_COND
};
enum ast_op {
	OP_OR,
	OP_AND,
	OP_EQ,
	OP_NE,
	OP_LT,
	OP_LE,
	OP_GT,
	OP_GE,
	OP_ADD,
	OP_SUB,
	OP_MUL,
	OP_DIV,
	OP_MOD
};

struct ast {
	struct ast *all_next; /* every node of the tree, for freeing */
	struct ast *first;    /* operand, or first of the list of arguments */
	struct ast *next;     /* next sibling */
	size_t at;	      /* byte offset in the template */
	size_t n;	      /* AST_LIST, AST_CALL: number of elements */
	unsigned levels;      /* of the tree below */
	char *text;	      /* owned: a name or a literal */
	double number;
	const struct expr_fn *fn;
	enum ast_kind kind;
	enum ast_op op;
	bool flag; /* AST_BOOL */
};

/* ---- parser ---- */
struct expr_parser {
	const char *s; /* borrowed; the whole template */
	size_t n, at;
	unsigned depth;
	struct ast *all; /* owned */
	struct err *err;
	size_t err_at;
	bool failed;
};
void expr_parser_init(struct expr_parser *p, const char *s, size_t n, struct err *err);
void expr_parser_done(struct expr_parser *p);
/* The expression that begins at p->at; p->at stands behind it and its blanks. NULL with p->failed
 * on error. */
struct ast *expr_parse(struct expr_parser *p);
/* Sets the error at the offset once; returns NULL. */
struct ast *expr_parse_fail(struct expr_parser *p, size_t at, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

/* ---- static types: a json_type, or ANY ---- */
#define EXPR_ANY (-1)
const char *expr_type_name(int type); /* "a text", "a number", … */

struct expr_checker {
	const struct expr_scope *scope;
	struct err *err;
	size_t err_at;
	bool failed;
};
/* The type, or EXPR_ANY; c->failed on error. */
int expr_check_ast(struct expr_checker *c, const struct ast *a);
/* Sets the error once; returns EXPR_ANY. */
int expr_check_fail(struct expr_checker *c, size_t at, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

/* ---- values ---- */
struct val {
	const struct json *j; /* NULL is null */
	struct json *own;     /* what has to be freed, or NULL */
};
struct expr_run {
	const struct json *env;
	struct err *err;
	size_t cells_left, bytes_left;
};
void val_done(struct val *v);
void val_take(struct val *ret, struct json *own);
int expr_eval_ast(struct expr_run *r, const struct ast *a, struct val *ret) CHECK_RESULT;
int expr_run_spend(struct expr_run *r, size_t cells, size_t bytes) CHECK_RESULT;
/* Text of a value as a template joins it: null "", text as it is, everything else its JSON. */
void expr_val_text(const struct json *j, struct str *out);

/* ---- functions ---- */
struct expr_fn {
	const char *name;
	/* one letter an argument: n number, s text, d number or text, l list, t text or list or
	 * map, a any; `|` begins the optional ones,
	 * `*` at the end: the last again, as often as wanted */
	const char *args;
	int type; /* of the result: json_type or EXPR_ANY */
	int (*call)(struct expr_run *r, const struct val *v, size_t n, struct val *ret);
	const char *usage; /* shown in messages */
};
const struct expr_fn *expr_fn_find(const char *name);
const char *const *expr_fn_names(size_t *ret_n);
int expr_fn_format_time(struct expr_run *r, const struct val *v, size_t n, struct val *ret);
int expr_fn_add_time(struct expr_run *r, const struct val *v, size_t n, struct val *ret);
int expr_fn_start_of(struct expr_run *r, const struct val *v, size_t n, struct val *ret);

#endif
