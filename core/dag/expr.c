/* expr.c: templates. A template is text with ${…} in it; each is parsed, checked and evaluated by
 * the expr_*.c files. */
#include "core/dag/expr.h"

#include "core/base/mem.h"
#include "core/base/str.h"
#include "core/dag/expr_ast.h"

#include <string.h>

/* A literal piece of a template. */
struct piece {
	const char *text; /* borrowed */
	size_t n;
};

/* Walks a template piece by piece. $${ is a literal ${. */
struct walker {
	const char *s;
	size_t n, at;
};

static bool starts_expr(const struct walker *w, size_t at)
{
	return at + 1 < w->n && w->s[at] == '$' && w->s[at + 1] == '{';
}

static bool starts_escape(const struct walker *w, size_t at)
{
	return w->s[at] == '$' && at + 2 < w->n && starts_expr(w, at + 1);
}

/* The literal piece at w->at, up to the next ${; of an escape only its ${ is given. */
static struct piece take_literal(struct walker *w)
{
	struct piece p = {w->s + w->at, 0};

	if (starts_escape(w, w->at)) {
		p.text++;
		p.n = 2;
		w->at += 3;
		return p;
	}
	while (w->at < w->n && !starts_expr(w, w->at) && !starts_escape(w, w->at))
		w->at++;
	p.n = (size_t)(w->s + w->at - p.text);
	return p;
}

bool expr_is_template(const char *text)
{
	struct walker w = {text, strlen(text), 0};

	while (w.at < w.n) {
		if (!starts_escape(&w, w.at) && starts_expr(&w, w.at))
			return true;
		w.at += starts_escape(&w, w.at) ? 3 : 1;
	}
	return false;
}

/* Parses the expression at w->at (which stands at ${); w->at stands behind its } afterwards. */
static struct ast *take_expr(struct walker *w, struct expr_parser *p, struct err *err)
{
	struct ast *a;

	expr_parser_init(p, w->s, w->n, err);
	p->at = w->at + 2;
	a = expr_parse(p);
	if (a != NULL)
		w->at = p->at + 1;
	return a;
}

static int check_size(size_t n, struct err *err)
{
	if (n > EXPR_MAX_TEXT)
		return err_set(err, ERR_LIMIT,
		    "the text has %zu bytes; with ${…} in it at most %u are allowed", n,
		    EXPR_MAX_TEXT);
	return 0;
}

static int check_one(struct walker *w, const struct expr_scope *scope, size_t *ret_at,
    int *ret_type, struct err *err)
{
	struct expr_parser p;
	struct expr_checker c = {.scope = scope, .err = err};
	struct ast *a = take_expr(w, &p, err);
	int rc = 0;

	if (a != NULL)
		*ret_type = expr_check_ast(&c, a);
	if (a == NULL || c.failed) {
		if (ret_at != NULL)
			*ret_at = a == NULL ? p.err_at : c.err_at;
		rc = ERR_PARSE;
	}
	expr_parser_done(&p);
	return rc;
}

int expr_check(const char *text, const struct expr_scope *scope, size_t *ret_at,
    enum json_type *ret_type, bool *ret_known, struct err *err)
{
	struct walker w = {text, strlen(text), 0};
	size_t pieces = 0;
	int type = JSON_STRING, one = JSON_STRING, rc;

	if (ret_at != NULL)
		*ret_at = 0;
	rc = check_size(w.n, err);
	while (rc == 0 && w.at < w.n) {
		if (!starts_escape(&w, w.at) && starts_expr(&w, w.at)) {
			rc = check_one(&w, scope, ret_at, &one, err);
			type = one;
		} else {
			(void)take_literal(&w);
			type = JSON_STRING;
		}
		pieces++;
	}
	if (rc != 0)
		return rc;
	if (pieces > 1)
		type = JSON_STRING;
	*ret_known = type != EXPR_ANY;
	*ret_type = type == EXPR_ANY ? JSON_NULL : (enum json_type)type;
	return 0;
}

/* Puts the expression's text before the cause, so that a run's log says which one it was. */
static int explain(int rc, const struct walker *w, size_t from, struct err *err)
{
	char text[81];
	size_t n = w->at > from ? w->at - from : w->n - from, cut;

	cut = n < sizeof(text) - 1 ? n : sizeof(text) - 1;
	while (cut > 0 && cut < n && ((unsigned char)w->s[from + cut] & 0xc0) == 0x80)
		cut--;
	memcpy(text, w->s + from, cut);
	text[cut] = '\0';
	err_prefix(err, "%s%s", text, cut < n ? "…" : "");
	return rc == ERR_PARSE ? ERR_CONFIG : rc;
}

static int eval_one(struct walker *w, struct expr_run *r, struct val *ret)
{
	struct expr_parser p;
	size_t from = w->at;
	struct ast *a = take_expr(w, &p, r->err);
	int rc = a == NULL ? ERR_PARSE : expr_eval_ast(r, a, ret);

	expr_parser_done(&p);
	if (rc != 0) {
		if (r->err != NULL)
			r->err->code = ERR_CONFIG;
		return explain(rc, w, from, r->err);
	}
	return 0;
}

/* True where the whole text is one ${…}; its value keeps its type. */
static int eval_whole(struct walker *w, struct expr_run *r, struct val *ret, bool *ret_whole)
{
	int rc;

	*ret_whole = false;
	if (!starts_expr(w, 0) || starts_escape(w, 0))
		return 0;
	rc = eval_one(w, r, ret);
	*ret_whole = rc == 0 && w->at == w->n;
	return rc;
}

static int eval_joined(struct walker *w, struct expr_run *r, struct str *out)
{
	int rc = 0;

	while (rc == 0 && w->at < w->n) {
		if (!starts_escape(w, w->at) && starts_expr(w, w->at)) {
			struct val v = {0};

			rc = eval_one(w, r, &v);
			if (rc == 0)
				expr_val_text(v.j, out);
			val_done(&v);
		} else {
			struct piece p = take_literal(w);

			str_addn(out, p.text, p.n);
		}
		if (rc == 0 && out->failed)
			rc = err_set(
			    r->err, ERR_CONFIG, "the text would pass %u bytes", EXPR_MAX_RESULT);
	}
	return rc;
}

int expr_eval(const char *template_text, const struct json *env, struct json **ret, struct err *err)
{
	struct expr_run r = {env, err, EXPR_MAX_CELLS, EXPR_MAX_WORK};
	struct walker w = {template_text, strlen(template_text), 0};
	struct val v = {0};
	struct str out;
	bool whole = false;
	int rc = check_size(w.n, err);

	if (rc == 0)
		rc = eval_whole(&w, &r, &v, &whole);
	if (rc == 0 && whole) {
		*ret = v.own != NULL ? v.own : v.j != NULL ? json_dup(v.j) : json_new_null();
		return 0;
	}
	val_done(&v);
	if (rc != 0)
		return rc;
	str_init(&out, EXPR_MAX_RESULT);
	w.at = 0;
	rc = eval_joined(&w, &r, &out);
	if (rc == 0)
		*ret = json_new_str(str_peek(&out));
	str_done(&out);
	return rc;
}

int expr_eval_text(
    const char *template_text, const struct json *env, struct str *out, struct err *err)
{
	struct expr_run r = {env, err, EXPR_MAX_CELLS, EXPR_MAX_WORK};
	struct walker w = {template_text, strlen(template_text), 0};
	size_t before = out->len;
	struct str text;
	int rc = check_size(w.n, err);

	if (rc != 0)
		return rc;
	str_init(&text, EXPR_MAX_RESULT);
	rc = eval_joined(&w, &r, &text);
	if (rc == 0)
		str_addn(out, str_peek(&text), text.len);
	if (rc == 0 && out->failed)
		rc = err_set(err, ERR_LIMIT, "the text does not fit behind %zu bytes", before);
	str_done(&text);
	return rc;
}

int expr_eval_bool(const char *template_text, const struct json *env, bool *ret, struct err *err)
{
	struct json *j = NULL;
	int rc = expr_eval(template_text, env, &j, err);

	if (rc == 0 && !json_is(j, JSON_BOOL))
		rc = err_set(err, ERR_CONFIG, "%.80s is %s; it must be true or false",
		    template_text, expr_type_name((int)json_type(j)));
	if (rc == 0)
		*ret = json_bool(j, false);
	json_free(j);
	return rc;
}

static int render(const struct json *in, const struct json *env, unsigned depth, struct json **ret,
    struct err *err)
{
	bool object = json_is(in, JSON_OBJECT);
	struct json *out, *child;
	const struct json *e;
	int rc;

	if (json_is(in, JSON_STRING))
		return expr_eval(json_str(in, ""), env, ret, err);
	if (!object && !json_is(in, JSON_ARRAY)) {
		*ret = in != NULL ? json_dup(in) : json_new_null();
		return 0;
	}
	if (depth > JSON_MAX_DEPTH)
		return err_set(err, ERR_LIMIT, "the value nests deeper than %d", JSON_MAX_DEPTH);
	out = object ? json_new_object() : json_new_array();
	for (e = json_first(in); e != NULL; e = json_next(e)) {
		rc = render(e, env, depth + 1, &child, err);
		if (rc != 0) {
			json_free(out);
			return rc;
		}
		if (object)
			json_put(out, json_key(e), child);
		else
			json_push(out, child);
	}
	*ret = out;
	return 0;
}

int expr_render(const struct json *in, const struct json *env, struct json **ret, struct err *err)
{
	return render(in, env, 0, ret, err);
}
