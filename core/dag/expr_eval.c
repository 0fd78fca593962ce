/* expr_eval.c: the value of a syntax tree in an environment. Values are JSON nodes; what a path
 * finds is borrowed from the environment, what an operator makes is owned. Work is bounded by cells
 * and bytes, not by time. */
#include "core/dag/expr_ast.h"

#include "core/base/mem.h"
#include "core/base/str.h"

#include <math.h>
#include <string.h>

void val_done(struct val *v)
{
	json_free(v->own);
	v->own = NULL;
	v->j = NULL;
}

void val_take(struct val *ret, struct json *own)
{
	ret->own = own;
	ret->j = own;
}

int expr_run_spend(struct expr_run *r, size_t cells, size_t bytes)
{
	if (bytes > EXPR_MAX_RESULT)
		return err_set(r->err, ERR_CONFIG, "the text would pass %u bytes", EXPR_MAX_RESULT);
	if (cells > r->cells_left)
		return err_set(
		    r->err, ERR_CONFIG, "its lists would pass %u elements", EXPR_MAX_CELLS);
	if (bytes > r->bytes_left)
		return err_set(
		    r->err, ERR_CONFIG, "its texts would pass %u bytes together", EXPR_MAX_WORK);
	r->cells_left -= cells;
	r->bytes_left -= bytes;
	return 0;
}

void expr_val_text(const struct json *j, struct str *out)
{
	if (j == NULL || json_is(j, JSON_NULL))
		return;
	if (json_is(j, JSON_STRING))
		str_add(out, json_str(j, ""));
	else
		json_print(j, out);
}

static bool is_null(const struct json *j)
{
	return j == NULL || json_is(j, JSON_NULL);
}

static const char *name_of(const struct json *j)
{
	return expr_type_name((int)json_type(j));
}

/* A missing member, and any member of null, is null: an event need not carry every field. */
static int eval_path(struct expr_run *r, const struct ast *a, struct val *ret)
{
	struct val base = {0}, by = {0};
	const struct json *found = NULL;
	int rc;

	if (a->kind == AST_ROOT) {
		ret->j = json_get(r->env, a->text);
		return 0;
	}
	rc = expr_eval_ast(r, a->first, &base);
	if (rc == 0 && a->kind == AST_INDEX)
		rc = expr_eval_ast(r, a->first->next, &by);
	if (rc != 0)
		goto out;
	if (a->kind == AST_MEMBER) {
		if (!is_null(base.j) && !json_is(base.j, JSON_OBJECT))
			rc = err_set(r->err, ERR_CONFIG, "%s has no member \"%.64s\"",
			    name_of(base.j), a->text);
		else
			found = json_get(base.j, a->text);
	} else if (is_null(base.j)) {
		found = NULL;
	} else if (json_is(base.j, JSON_OBJECT) && json_is(by.j, JSON_STRING)) {
		found = json_get(base.j, json_str(by.j, ""));
	} else if (json_is(base.j, JSON_ARRAY) && json_is(by.j, JSON_NUMBER)) {
		double i = json_num(by.j, -1);

		if (i >= 0 && i < (double)json_len(base.j) && i == floor(i))
			found = json_at(base.j, (size_t)i);
	} else {
		rc = err_set(r->err, ERR_CONFIG, "%s cannot be looked up by %s", name_of(base.j),
		    name_of(by.j));
	}
	if (rc == 0 && found != NULL && base.own != NULL)
		val_take(ret, json_dup(found)); /* what it lies in goes away below */
	else if (rc == 0)
		ret->j = found;
out:
	val_done(&base);
	val_done(&by);
	return rc;
}

static int eval_list(struct expr_run *r, const struct ast *a, struct val *ret)
{
	struct json *list = NULL;
	const struct ast *b;
	int rc = expr_run_spend(r, a->n, 0);

	if (rc != 0)
		return rc;
	list = json_new_array();
	for (b = a->first; b != NULL; b = b->next) {
		struct val v = {0};

		rc = expr_eval_ast(r, b, &v);
		if (rc == 0)
			rc = expr_run_spend(r, json_len(v.j), 0);
		if (rc != 0) {
			val_done(&v);
			json_free(list);
			return rc;
		}
		if (v.own != NULL) {
			json_push(list, v.own);
			v.own = NULL;
		} else {
			json_push(list, v.j != NULL ? json_dup(v.j) : json_new_null());
		}
	}
	val_take(ret, list);
	return 0;
}

static int eval_call(struct expr_run *r, const struct ast *a, struct val *ret)
{
	struct val args[EXPR_MAX_ARGS];
	const struct ast *b;
	size_t n = 0;
	int rc = 0;

	memset(args, 0, sizeof(args));
	for (b = a->first; b != NULL && rc == 0 && n < EXPR_MAX_ARGS; b = b->next)
		rc = expr_eval_ast(r, b, &args[n++]);
	if (rc == 0 && b != NULL)
		rc = err_set(r->err, ERR_CONFIG, "%s has too many arguments; at most %d",
		    a->fn->name, EXPR_MAX_ARGS);
	if (rc == 0)
		rc = a->fn->call(r, args, n, ret);
	while (n > 0)
		val_done(&args[--n]);
	return rc;
}

static int want_bool(struct expr_run *r, const struct ast *a, const char *what, bool *ret)
{
	struct val v = {0};
	int rc = expr_eval_ast(r, a, &v);

	if (rc == 0 && !json_is(v.j, JSON_BOOL))
		rc = err_set(
		    r->err, ERR_CONFIG, "%s needs true or false, this is %s", what, name_of(v.j));
	if (rc == 0)
		*ret = json_bool(v.j, false);
	val_done(&v);
	return rc;
}

static int eval_logic(struct expr_run *r, const struct ast *a, struct val *ret)
{
	const char *what = a->op == OP_OR ? "||" : "&&";
	bool b = false;
	int rc = want_bool(r, a->first, what, &b);

	if (rc == 0 && b == (a->op == OP_AND))
		rc = want_bool(r, a->first->next, what, &b);
	if (rc == 0)
		val_take(ret, json_new_bool(b));
	return rc;
}

static int eval_equal(
    struct expr_run *r, enum ast_op op, const struct json *x, const struct json *y, struct val *ret)
{
	bool same;

	if (is_null(x) || is_null(y))
		same = is_null(x) && is_null(y);
	else if (json_type(x) != json_type(y))
		return err_set(
		    r->err, ERR_CONFIG, "%s cannot be compared with %s", name_of(x), name_of(y));
	else
		same = json_equal(x, y);
	val_take(ret, json_new_bool(same == (op == OP_EQ)));
	return 0;
}

static int eval_order(
    struct expr_run *r, enum ast_op op, const struct json *x, const struct json *y, struct val *ret)
{
	double a = json_num(x, 0), b = json_num(y, 0);
	int cmp = (a > b) - (a < b);

	if (is_null(x) || is_null(y) || json_type(x) != json_type(y) ||
	    (!json_is(x, JSON_NUMBER) && !json_is(x, JSON_STRING)))
		return err_set(r->err, ERR_CONFIG,
		    "%s cannot be ordered with %s; coalesce() gives a missing value another one",
		    name_of(x), name_of(y));
	if (json_is(x, JSON_STRING))
		cmp = strcmp(json_str(x, ""), json_str(y, ""));
	val_take(ret, json_new_bool(op == OP_LT	  ? cmp < 0
				    : op == OP_LE ? cmp <= 0
				    : op == OP_GT ? cmp > 0
						  : cmp >= 0));
	return 0;
}

static int eval_concat(
    struct expr_run *r, const struct json *x, const struct json *y, struct val *ret)
{
	const char *a = json_str(x, ""), *b = json_str(y, "");
	size_t n = strlen(a), m = strlen(b);
	struct str out;
	int rc = expr_run_spend(r, 0, n + m);

	if (rc != 0)
		return rc;
	str_init(&out, EXPR_MAX_RESULT + 1);
	str_addn(&out, a, n);
	str_addn(&out, b, m);
	val_take(ret, json_new_str(str_peek(&out)));
	str_done(&out);
	return 0;
}

static int eval_arithmetic(
    struct expr_run *r, enum ast_op op, const struct json *x, const struct json *y, struct val *ret)
{
	double a = json_num(x, 0), b = json_num(y, 0), v = 0;

	if (op == OP_ADD && json_is(x, JSON_STRING) && json_is(y, JSON_STRING))
		return eval_concat(r, x, y, ret);
	if (!json_is(x, JSON_NUMBER) || !json_is(y, JSON_NUMBER))
		return err_set(r->err, ERR_CONFIG, "cannot calculate with %s and %s%s", name_of(x),
		    name_of(y), op == OP_ADD ? "; string() makes texts to join" : "");
	if ((op == OP_DIV || op == OP_MOD) && b == 0)
		return err_set(r->err, ERR_CONFIG, "division by zero");
	switch (op) {
	case OP_ADD:
		v = a + b;
		break;
	case OP_SUB:
		v = a - b;
		break;
	case OP_MUL:
		v = a * b;
		break;
	case OP_DIV:
		v = a / b;
		break;
	default:
		v = fmod(a, b);
	}
	if (!isfinite(v))
		return err_set(r->err, ERR_CONFIG, "the result is too large for a number");
	val_take(ret, json_new_num(v));
	return 0;
}

static int eval_binary(struct expr_run *r, const struct ast *a, struct val *ret)
{
	struct val x = {0}, y = {0};
	int rc;

	if (a->op == OP_OR || a->op == OP_AND)
		return eval_logic(r, a, ret);
	rc = expr_eval_ast(r, a->first, &x);
	if (rc == 0)
		rc = expr_eval_ast(r, a->first->next, &y);
	if (rc == 0 && (a->op == OP_EQ || a->op == OP_NE))
		rc = eval_equal(r, a->op, x.j, y.j, ret);
	else if (rc == 0 && a->op >= OP_LT && a->op <= OP_GE)
		rc = eval_order(r, a->op, x.j, y.j, ret);
	else if (rc == 0)
		rc = eval_arithmetic(r, a->op, x.j, y.j, ret);
	val_done(&x);
	val_done(&y);
	return rc;
}

static int eval_unary(struct expr_run *r, const struct ast *a, struct val *ret)
{
	struct val v = {0};
	bool b = false;
	int rc;

	if (a->kind == AST_NOT) {
		rc = want_bool(r, a->first, "!", &b);
		if (rc == 0)
			val_take(ret, json_new_bool(!b));
		return rc;
	}
	rc = expr_eval_ast(r, a->first, &v);
	if (rc == 0 && !json_is(v.j, JSON_NUMBER))
		rc = err_set(r->err, ERR_CONFIG, "- needs a number, this is %s", name_of(v.j));
	if (rc == 0)
		val_take(ret, json_new_num(0 - json_num(v.j, 0)));
	val_done(&v);
	return rc;
}

int expr_eval_ast(struct expr_run *r, const struct ast *a, struct val *ret)
{
	bool b = false;
	int rc;

	switch (a->kind) {
	case AST_NULL:
		return 0;
	case AST_BOOL:
		val_take(ret, json_new_bool(a->flag));
		return 0;
	case AST_NUMBER:
		val_take(ret, json_new_num(a->number));
		return 0;
	case AST_TEXT:
		val_take(ret, json_new_str(a->text));
		return 0;
	case AST_LIST:
		return eval_list(r, a, ret);
	case AST_ROOT:
	case AST_MEMBER:
	case AST_INDEX:
		return eval_path(r, a, ret);
	case AST_CALL:
		return eval_call(r, a, ret);
	case AST_NOT:
	case AST_NEG:
		return eval_unary(r, a, ret);
	case AST_BINARY:
		return eval_binary(r, a, ret);
	case AST_COND:
		rc = want_bool(r, a->first, "? :", &b);
		return rc != 0 ? rc
			       : expr_eval_ast(r, b ? a->first->next : a->first->next->next, ret);
	}
	return ERR_INTERNAL;
}
