/* compile_option.c: values against a plugin's option table (catalog.h). Checks and writes in one
 * pass; where something is wrong null is written, because the text is thrown away then. */
#include "core/dagfile/compile_int.h"

#include "core/base/io.h"
#include "core/base/mem.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MAX_OPTIONS 256

enum opt_type {
	OPT_STRING,
	OPT_BOOL,
	OPT_INT,
	OPT_FLOAT,
	OPT_BYTES,
	OPT_DURATION,
	OPT_ENUM,
	OPT_LIST,
	OPT_MAP,
	OPT_OBJECT,
	OPT_SECRET,
	OPT_URI,
	OPT_SQL,
	OPT_COLUMNS,
	OPT_DATASET,
	OPT_INSTANT,
	OPT_N
};
struct type {
	const char *name;
	const char *words; /* "must be …" */
	const char *cure;
	enum want want; /* of an expression in its place */
};
static const struct type TYPES[OPT_N] = {
    {"string", "a text", "put it in quotes if it is a text", WANT_TEXT},
    {"bool", "true or false", "write true or false without quotes", WANT_BOOL},
    {"int", "a whole number", NULL, WANT_NUMBER},
    {"float", "a number", NULL, WANT_NUMBER},
    {"bytes", "a size", "write bytes with a unit: 512kB, 1MiB, 5GiB", WANT_TEXT},
    {"duration", "a duration", "write a number and a unit: 90s, 15m, 2h, 3d", WANT_TEXT},
    {"enum", "one of the choices", NULL, WANT_TEXT},
    {"list", "a list", "write a list: [one, two]", WANT_LIST},
    {"map", "a map", "write a map: {name: value}", WANT_MAP},
    {"object", "a map", "write a map: {key: value}", WANT_MAP},
    {"secret", "a reference to a secret",
	"write {file: secrets/NAME}, {credential: NAME} or {env: NAME}", WANT_TEXT},
    {"uri", "a path or URL", "write a text", WANT_TEXT},
    {"sql", "SQL", "write a text", WANT_TEXT},
    {"columns", "a list of columns", "write a list: [id, name]", WANT_LIST},
    {"dataset", "a data set", "write CONNECTION/NAME, for example lake/shop.orders", WANT_TEXT},
    {"instant", "a time", "write it as 2026-11-21T17:30:00Z", WANT_TEXT},
};

static void take(
    const struct option_place *p, const struct yaml_node *n, const struct json *opt, struct jw *w);

static enum opt_type type_of(const struct json *opt)
{
	const char *name = json_get_str(opt, "type", "string");
	size_t i;

	for (i = 0; i < OPT_N && strcmp(TYPES[i].name, name) != 0; i++)
		;
	return i < OPT_N ? (enum opt_type)i : OPT_STRING;
}

static const char *name_of(const struct yaml_node *n, const struct json *opt)
{
	return n->key != NULL ? n->key : json_get_str(opt, "name", "value");
}

static void wrong(const struct option_place *p, const struct yaml_node *n, const struct json *opt)
{
	const struct type *t = &TYPES[type_of(opt)];

	diag_error(p->d, n, "wrong-type",
	    n->kind == YAML_NULL ? "give it a value or leave the key out" : t->cure,
	    n->key != NULL ? "\"%.80s\" must be %s, not %s" : "each %.80s must be %s, not %s",
	    name_of(n, opt), t->words, yaml_kind_name(n));
}

/* ---- bounds ---- */
static bool bound(const struct json *opt, const char *which, enum opt_type type, double *ret)
{
	const char *text = json_get_str(opt, which, "");
	int64_t ms;
	uint64_t bytes;

	if (*text == '\0')
		return false;
	if (type == OPT_DURATION && str_to_duration_ms(text, &ms) == 0)
		*ret = (double)ms;
	else if (type == OPT_BYTES && str_to_bytes(text, &bytes) == 0)
		*ret = (double)bytes;
	else
		*ret = strtod(text, NULL);
	return true;
}

static void check_bounds(
    const struct option_place *p, const struct yaml_node *n, const struct json *opt, double v)
{
	const char *min_text = json_get_str(opt, "min", ""),
		   *max_text = json_get_str(opt, "max", "");
	enum opt_type type = type_of(opt);
	double min, max;
	char hint[120];

	if ((!bound(opt, "min", type, &min) || v >= min) &&
	    (!bound(opt, "max", type, &max) || v <= max))
		return;
	snprintf(hint, sizeof(hint), "it may be%s%.40s%s%.40s",
	    *min_text != '\0' ? " at least " : "", min_text, *max_text != '\0' ? " at most " : "",
	    max_text);
	diag_error(p->d, n, "out-of-range", hint, "%.80s is out of range", n->text);
}

/* ---- texts ---- */
static void check_enum(
    const struct option_place *p, const struct yaml_node *n, const struct json *opt)
{
	const struct json *choices = json_get(opt, "choices"), *c;
	const char *names[64], *near;
	char hint[300] = "there are";
	size_t count = 0, i;

	for (c = json_first(choices); c != NULL && count < 64; c = json_next(c)) {
		names[count] = json_str(c, "");
		if (strcmp(names[count++], n->text) == 0)
			return;
	}
	near = str_nearest(n->text, names, count);
	for (i = 0; i < count && near == NULL && strlen(hint) < sizeof(hint) - 60; i++)
		snprintf(hint + strlen(hint), sizeof(hint) - strlen(hint), "%s %.50s",
		    i > 0 ? "," : "", names[i]);
	if (near != NULL)
		snprintf(hint, sizeof(hint), "did you mean \"%.200s\"?", near);
	diag_error(p->d, n, "bad-choice", hint, "\"%.80s\" is no value of \"%.80s\"", n->text,
	    name_of(n, opt));
}

static bool has_scheme(const char *s)
{
	size_t n = strspn(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789+.-");

	return n > 0 && s[n] == ':';
}

/* user:password@ behind ://. */
static bool has_password(const char *s)
{
	const char *at, *colon, *end;

	s = strstr(s, "://");
	if (s == NULL)
		return false;
	s += 3;
	end = s + strcspn(s, "/?#");
	at = memchr(s, '@', (size_t)(end - s));
	colon = memchr(s, ':', (size_t)(end - s));
	return at != NULL && colon != NULL && colon < at;
}

static void write_text(
    const struct option_place *p, const struct yaml_node *n, enum opt_type type, struct jw *w)
{
	char *path;

	if (type != OPT_URI || p->folder == NULL || n->text[0] == '/' || n->text[0] == '\0' ||
	    has_scheme(n->text) || str_starts(n->text, "${")) {
		jw_str(w, n->text);
		return;
	}
	path = io_path_join(p->folder, n->text);
	jw_str(w, path);
	mem_free(path);
}

static void check_text(const struct option_place *p, const struct yaml_node *n,
    const struct json *opt, enum opt_type type)
{
	uint64_t bytes;
	int64_t v;
	bool ok = true;

	if (type == OPT_DURATION && (ok = str_to_duration_ms(n->text, &v) == 0))
		check_bounds(p, n, opt, (double)v);
	else if (type == OPT_BYTES && (ok = str_to_bytes(n->text, &bytes) == 0))
		check_bounds(p, n, opt, (double)bytes);
	else if (type == OPT_DATASET)
		ok = str_is_dataset(n->text);
	else if (type == OPT_INSTANT)
		ok = clock_parse(n->text, &v) == 0;
	else if (type == OPT_ENUM)
		check_enum(p, n, opt);
	if (!ok)
		diag_error(p->d, n,
		    type == OPT_DURATION  ? "bad-duration"
		    : type == OPT_BYTES	  ? "bad-size"
		    : type == OPT_DATASET ? "bad-dataset"
					  : "bad-time",
		    TYPES[type].cure, "\"%.80s\" is not %s", n->text, TYPES[type].words);
	if (has_password(n->text))
		diag_error(p->d, n, "literal-secret",
		    "put the password into an option of its own: {file: secrets/NAME}",
		    "a password may not stand in a URL");
}

void secret_write(const struct yaml_node *n, const char *folder, struct jw *w)
{
	const struct yaml_node *file = yaml_get(n, "file");
	char *path;

	if (file == NULL || file->kind != YAML_TEXT) {
		yaml_write_json(n, w);
		return;
	}
	path = io_path_join(folder, file->text);
	jw_object(w);
	jw_kstr(w, "file", path);
	jw_end_object(w);
	mem_free(path);
}

/* A secret: in sluice.yaml a reference, in a DAG the name of one. */
static void take_secret(const struct option_place *p, const struct yaml_node *n, struct jw *w)
{
	static const struct key SECRET = {.name = "secret", .shape = K_SECRET};
	char hint[160];

	if (p->in_config) {
		struct yaml_node copy = *n;

		keys_check(p->d, &copy, &SECRET, "", false);
		secret_write(n, p->folder, w);
		return;
	}
	jw_str(w, n->text);
	if (n->kind != YAML_TEXT || !str_is_name(n->text)) {
		diag_error(p->d, n, "wrong-type",
		    "write the name of a key under secrets: in sluice.yaml",
		    "a secret is named here, never written");
		return;
	}
	if (p->secrets == NULL || json_get(p->secrets, n->text) != NULL)
		return;
	diag_error(p->d, n, "unknown-secret",
	    hint_nearest(
		n->text, p->secrets, "add it under secrets: in sluice.yaml", hint, sizeof(hint)),
	    "sluice.yaml has no secret \"%.80s\"", n->text);
}

/* ---- values ---- */
static const struct json *element(const struct json *opt)
{
	return json_first(json_get(opt, "sub"));
}

/* ${…} in place of a value, or in a text. True where there is nothing more to check. */
static bool take_template(const struct option_place *p, const struct yaml_node *n,
    const struct json *opt, enum opt_type type)
{
	bool allowed = json_get_bool(opt, "templated", false) ||
		       ((type == OPT_LIST || type == OPT_MAP) &&
			   json_get_bool(element(opt), "templated", false));

	if (n->kind != YAML_TEXT || !expr_is_template(n->text))
		return false;
	if (p->scope == NULL || !allowed)
		diag_error(p->d, n, "no-template-here", "write the value itself",
		    "no ${…} can stand in \"%.80s\"", name_of(n, opt));
	else
		expr_check_tree(p->d, n, p->scope, TYPES[type].want);
	return true;
}

static void refuse_templates(
    const struct option_place *p, const struct yaml_node *n, const struct json *opt)
{
	const struct yaml_node *c;

	if (n->kind == YAML_TEXT && expr_is_template(n->text))
		diag_error(p->d, n, "no-template-here", "write the value itself",
		    "no ${…} can stand in \"%.80s\"", json_get_str(opt, "name", ""));
	for (c = n->first; c != NULL; c = c->next)
		refuse_templates(p, c, opt);
}

/* An element of a list or map whose elements the plugin does not describe. */
static void take_free(
    const struct option_place *p, const struct yaml_node *n, const struct json *opt, struct jw *w)
{
	if (p->scope != NULL && json_get_bool(opt, "templated", false))
		expr_check_tree(p->d, n, p->scope, WANT_ANY);
	else
		refuse_templates(p, n, opt);
	yaml_write_json(n, w);
}

static void take_list(
    const struct option_place *p, const struct yaml_node *n, const struct json *opt, struct jw *w)
{
	const struct json *elem = element(opt);
	const struct yaml_node *c;

	jw_array(w);
	for (c = n->first; c != NULL; c = c->next) {
		if (elem != NULL)
			take(p, c, elem, w);
		else
			take_free(p, c, opt, w);
	}
	jw_end_array(w);
}

static void take_map(
    const struct option_place *p, const struct yaml_node *n, const struct json *opt, struct jw *w)
{
	const struct json *elem = element(opt);
	const struct yaml_node *c;

	jw_object(w);
	for (c = n->first; c != NULL; c = c->next) {
		jw_key(w, c->key);
		if (elem != NULL)
			take(p, c, elem, w);
		else
			take_free(p, c, opt, w);
	}
	jw_end_object(w);
}

static void take_object(
    const struct option_place *p, const struct yaml_node *n, const struct json *opt, struct jw *w)
{
	const struct yaml_node *v[MAX_OPTIONS], *c;
	struct option_list given = {v, 0};
	struct option_place inner = *p;
	char what[120];

	for (c = n->first; c != NULL && given.n < MAX_OPTIONS; c = c->next)
		v[given.n++] = c;
	snprintf(what, sizeof(what), "\"%.80s\"", name_of(n, opt));
	inner.what = what;
	inner.core = NULL;
	jw_object(w);
	options_write(&inner, &given, n, json_get(opt, "sub"), w);
	jw_end_object(w);
}

/* A lone value where a map is due: the map's first member (SLU_F_SHORT). */
static void take_short(
    const struct option_place *p, const struct yaml_node *n, const struct json *opt, struct jw *w)
{
	const struct json *first = json_first(json_get(opt, "sub"));

	jw_object(w);
	jw_key(w, json_get_str(first, "name", ""));
	take(p, n, first, w);
	jw_end_object(w);
}

static bool is_texty(enum opt_type type)
{
	return type == OPT_STRING || type == OPT_ENUM || type == OPT_URI || type == OPT_SQL ||
	       type == OPT_DATASET || type == OPT_INSTANT || type == OPT_DURATION ||
	       type == OPT_BYTES;
}

static void take_scalar(const struct option_place *p, const struct yaml_node *n,
    const struct json *opt, enum opt_type type, struct jw *w)
{
	bool number = n->kind == YAML_INT || n->kind == YAML_FLOAT;

	if (n->kind == YAML_TEXT && is_texty(type)) {
		check_text(p, n, opt, type);
		write_text(p, n, type, w);
		return;
	}
	if ((type == OPT_BOOL && n->kind == YAML_BOOL) ||
	    (type == OPT_INT && n->kind == YAML_INT) || (type == OPT_FLOAT && number) ||
	    (type == OPT_BYTES && n->kind == YAML_INT)) {
		if (number)
			check_bounds(p, n, opt, n->f);
		yaml_write_json(n, w);
		return;
	}
	wrong(p, n, opt);
	jw_null(w);
}

static void take(
    const struct option_place *p, const struct yaml_node *n, const struct json *opt, struct jw *w)
{
	enum opt_type type = type_of(opt);

	if (n->bad || take_template(p, n, opt, type)) {
		if (!n->bad && n->kind == YAML_TEXT)
			write_text(
			    p, n, type, w); /* a path with ${…} in it starts at the file too */
		else
			yaml_write_json(n, w);
		return;
	}
	if (type == OPT_SECRET)
		take_secret(p, n, w);
	else if ((type == OPT_LIST || type == OPT_COLUMNS) && n->kind == YAML_LIST)
		take_list(p, n, opt, w);
	else if (type == OPT_MAP && n->kind == YAML_MAP)
		take_map(p, n, opt, w);
	else if (type == OPT_OBJECT && n->kind == YAML_MAP)
		take_object(p, n, opt, w);
	else if (type == OPT_OBJECT && n->kind == YAML_TEXT && json_get_bool(opt, "short", false) &&
		 json_len(json_get(opt, "sub")) > 0)
		take_short(p, n, opt, w);
	else
		take_scalar(p, n, opt, type, w);
}

/* ---- tables ---- */
static const struct json *find(const struct json *options, const char *name)
{
	const struct json *o;

	for (o = json_first(options); o != NULL; o = json_next(o))
		if (strcmp(json_get_str(o, "name", ""), name) == 0)
			return o;
	return NULL;
}

static const struct yaml_node *given_find(const struct option_list *given, const char *name)
{
	size_t i;

	for (i = 0; i < given->n; i++)
		if (strcmp(given->v[i]->key, name) == 0)
			return given->v[i];
	return NULL;
}

static void unknown(
    const struct option_place *p, const struct yaml_node *n, const struct json *options)
{
	const char *names[MAX_OPTIONS], *near;
	const struct json *o;
	size_t count = 0, i;
	struct str hint;

	for (o = json_first(options); o != NULL && count < MAX_OPTIONS / 2; o = json_next(o))
		names[count++] = json_get_str(o, "name", "");
	for (i = 0; p->core != NULL && i < p->core->n && count < MAX_OPTIONS; i++)
		names[count++] = p->core->v[i].name;
	near = str_nearest(n->key, names, count);
	str_init(&hint, 4096);
	if (near != NULL)
		str_addf(&hint, "did you mean \"%s\"?", near);
	else
		str_add(&hint, count > 0 ? "there are:" : "it has no options");
	for (i = 0; near == NULL && i < count; i++)
		str_addf(&hint, " %s", names[i]);
	diag_error_key(p->d, n, "unknown-option", str_peek(&hint), "%s has no option \"%.80s\"",
	    p->what, n->key);
	str_done(&hint);
}

static bool excludes(const struct json *opt, const char *name)
{
	const struct json *e;

	for (e = json_first(json_get(opt, "excludes")); e != NULL; e = json_next(e))
		if (strcmp(json_str(e, ""), name) == 0)
			return true;
	return false;
}

/* Of two that exclude each other the one further down reports it. */
static bool said_by(
    const struct json *options, const struct yaml_node *other, const struct yaml_node *n)
{
	bool below = other->line != n->line ? other->line > n->line : other->column > n->column;

	return below && excludes(find(options, other->key), n->key);
}

static void check_together(const struct option_place *p, const struct option_list *given,
    const struct yaml_node *n, const struct json *opt, const struct json *options)
{
	const struct json *o;
	char hint[160];

	for (o = json_first(json_get(opt, "needs")); o != NULL; o = json_next(o)) {
		if (given_find(given, json_str(o, "")) != NULL)
			continue;
		snprintf(hint, sizeof(hint), "add %.100s", json_str(o, ""));
		diag_error_key(p->d, n, "missing-key", hint, "\"%s\" needs \"%.80s\" beside it",
		    n->key, json_str(o, ""));
	}
	for (o = json_first(json_get(opt, "excludes")); o != NULL; o = json_next(o)) {
		const struct yaml_node *other = given_find(given, json_str(o, ""));

		if (other != NULL && !said_by(options, other, n))
			diag_error_key(p->d, n, "conflicting-keys", "keep one of them",
			    "\"%s\" and \"%s\" exclude each other", other->key, n->key);
	}
	if (json_get_bool(opt, "deprecated", false))
		diag_warn(p->d, n, "deprecated", json_get_str(opt, "doc", ""),
		    "\"%s\" will go away", n->key);
}

static bool is_excluded(
    const struct option_list *given, const struct json *options, const struct json *opt)
{
	const char *name = json_get_str(opt, "name", "");
	const struct json *e;
	size_t i;

	for (e = json_first(json_get(opt, "excludes")); e != NULL; e = json_next(e))
		if (given_find(given, json_str(e, "")) != NULL)
			return true;
	for (i = 0; i < given->n; i++)
		if (excludes(find(options, given->v[i]->key), name))
			return true;
	return false;
}

/* The default as the type wants it; a text that does not read as JSON is a text. */
static void write_default(const struct json *opt, struct jw *w)
{
	const char *text = json_get_str(opt, "default", "");
	enum opt_type type = type_of(opt);
	struct json *j = NULL;

	if (*text == '\0' || type == OPT_SECRET)
		return;
	jw_key(w, json_get_str(opt, "name", ""));
	if (is_texty(type)) {
		jw_str(w, text);
		return;
	}
	if (json_parse(text, strlen(text), 64u << 10, &j, NULL) == 0)
		jw_json(w, j);
	else
		jw_str(w, text);
	json_free(j);
}

static void check_missing(const struct option_place *p, const struct option_list *given,
    const struct yaml_node *map, const struct json *options, const struct json *opt)
{
	const char *name = json_get_str(opt, "name", "");
	char hint[300];

	if (!json_get_bool(opt, "required", false) || is_excluded(given, options, opt))
		return;
	snprintf(hint, sizeof(hint), "%.80s: %.200s", name, json_get_str(opt, "doc", ""));
	diag_error(p->d, map, "missing-key", hint, "%s needs the option \"%.80s\"", p->what, name);
}

void options_write(const struct option_place *p, const struct option_list *given,
    const struct yaml_node *map, const struct json *options, struct jw *w)
{
	const struct json *opt;
	size_t i;

	for (i = 0; i < given->n; i++) {
		opt = find(options, given->v[i]->key);
		if (opt == NULL) {
			unknown(p, given->v[i], options);
			continue;
		}
		check_together(p, given, given->v[i], opt, options);
		jw_key(w, given->v[i]->key);
		take(p, given->v[i], opt, w);
	}
	for (opt = json_first(options); opt != NULL; opt = json_next(opt)) {
		if (given_find(given, json_get_str(opt, "name", "")) != NULL)
			continue;
		check_missing(p, given, map, options, opt);
		if (!is_excluded(given, options, opt))
			write_default(opt, w);
	}
}
