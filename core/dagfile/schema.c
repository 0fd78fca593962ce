/* schema.c: see schema.h. Nothing is said here that the tables do not say. */
#include "core/dagfile/schema.h"

#include "core/base/json.h"
#include "core/dag/plan.h"
#include "core/dagfile/keys.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define WIDTH 80
#define SCHEMA_MAX (4u << 20)

struct ctx {
	const struct catalog *catalog;
	struct jw w;
};

static void write_key(struct ctx *c, const struct key *k);

/* ---- JSON Schema: shapes ---- */
static void write_pattern(struct jw *w, const char *pattern, bool templates)
{
	char text[200];

	snprintf(text, sizeof(text), templates ? "\"%s|\\\\$\\\\{\"" : "\"%s\"", pattern);
	jw_object(w);
	jw_kstr(w, "type", "string");
	jw_key(w, "pattern");
	jw_raw(w, text);
	jw_end_object(w);
}

struct shape {
	uint32_t bit;
	const char *pattern; /* as in JSON text */
};
static const struct shape PATTERNS[] = {
    {K_DURATION, "^[0-9]+(ms|s|m|h|d|w)$"},
    {K_IDENT, "^[a-z_][a-z0-9_]{0,62}$"},
    {K_NAME, "^[a-z0-9][a-z0-9_-]{0,62}$"},
    {K_DATASET, "^[a-z0-9][a-z0-9_-]{0,62}/[A-Za-z0-9_.-]+$"},
    {K_CLOCK, "^[0-2][0-9]:[0-5][0-9]$"},
    {K_PERCENT, "^[0-9.]+%$"},
    {K_RATE, "^[0-9.]+/[smh]$"},
    {K_BYTES, "^[0-9]+([kMGT]i?B|B)?$"},
    {K_INSTANT, "^[0-9]{4}-[0-9]{2}-[0-9]{2}"},
};
#define N_PATTERNS (sizeof(PATTERNS) / sizeof(PATTERNS[0]))

static void write_choices(struct jw *w, const char *choices)
{
	char buf[300];
	const char *names[64];
	size_t n = keys_choices(choices, buf, sizeof(buf), names, 64), i;

	jw_object(w);
	jw_key(w, "enum");
	jw_array(w);
	for (i = 0; i < n; i++)
		jw_str(w, names[i]);
	jw_end_array(w);
	jw_end_object(w);
}

static void write_type(struct jw *w, const char *type)
{
	jw_object(w);
	jw_kstr(w, "type", type);
	jw_end_object(w);
}

static void write_number(struct jw *w, const struct key *k)
{
	jw_object(w);
	jw_kstr(w, "type", (k->shape & K_INT) ? "integer" : "number");
	if (k->has_range) {
		jw_key(w, "minimum");
		jw_num(w, k->min);
		jw_key(w, "maximum");
		jw_num(w, k->max);
	}
	jw_end_object(w);
}

static void write_secret(struct jw *w)
{
	static const char *const WAYS[] = {"file", "credential", "env"};
	size_t i;

	jw_object(w);
	jw_kstr(w, "type", "object");
	jw_key(w, "properties");
	jw_object(w);
	for (i = 0; i < 3; i++) {
		jw_key(w, WAYS[i]);
		write_type(w, "string");
	}
	jw_end_object(w);
	jw_ki64(w, "minProperties", 1);
	jw_ki64(w, "maxProperties", 1);
	jw_kbool(w, "additionalProperties", false);
	jw_end_object(w);
}

/* ---- JSON Schema: a plugin's options ---- */
static void write_option(struct jw *w, const struct json *opt);

static void write_sub(struct jw *w, const struct json *opt, const char *type)
{
	const struct json *sub = json_get(opt, "sub"), *o;
	bool object = strcmp(type, "object") == 0;

	if (strcmp(type, "list") == 0 || strcmp(type, "columns") == 0) {
		jw_kstr(w, "type", "array");
		if (json_len(sub) > 0) {
			jw_key(w, "items");
			write_option(w, json_first(sub));
		}
		return;
	}
	jw_kstr(w, "type", "object");
	if (!object) {
		if (json_len(sub) > 0) {
			jw_key(w, "additionalProperties");
			write_option(w, json_first(sub));
		}
		return;
	}
	jw_key(w, "properties");
	jw_object(w);
	for (o = json_first(sub); o != NULL; o = json_next(o)) {
		jw_key(w, json_get_str(o, "name", ""));
		write_option(w, o);
	}
	jw_end_object(w);
	jw_kbool(w, "additionalProperties", false);
}

static const char *scalar_type(const char *type)
{
	if (strcmp(type, "bool") == 0)
		return "boolean";
	if (strcmp(type, "int") == 0)
		return "integer";
	return strcmp(type, "float") == 0 ? "number" : "string";
}

static void write_option_value(struct jw *w, const struct json *opt)
{
	const char *type = json_get_str(opt, "type", "string");
	const struct json *choices = json_get(opt, "choices");

	jw_object(w);
	if (json_get_str(opt, "doc", NULL) != NULL)
		jw_kstr(w, "description", json_get_str(opt, "doc", ""));
	if (strcmp(type, "list") == 0 || strcmp(type, "columns") == 0 || strcmp(type, "map") == 0 ||
	    strcmp(type, "object") == 0) {
		write_sub(w, opt, type);
	} else if (strcmp(type, "enum") == 0 && json_len(choices) > 0) {
		jw_key(w, "enum");
		jw_json(w, choices);
	} else if (strcmp(type, "secret") != 0 && strcmp(type, "bytes") != 0) {
		jw_kstr(w, "type", scalar_type(type));
	}
	jw_end_object(w);
}

/* An object that may be written as its first member alone. */
static void write_option_forms(struct jw *w, const struct json *opt)
{
	if (!json_get_bool(opt, "short", false)) {
		write_option_value(w, opt);
		return;
	}
	jw_object(w);
	jw_key(w, "anyOf");
	jw_array(w);
	write_option_value(w, opt);
	write_option_value(w, json_first(json_get(opt, "sub")));
	jw_end_array(w);
	jw_end_object(w);
}

/* Where ${…} is allowed a text with one may stand in the value's place. */
static void write_option(struct jw *w, const struct json *opt)
{
	if (!json_get_bool(opt, "templated", false)) {
		write_option_forms(w, opt);
		return;
	}
	jw_object(w);
	jw_key(w, "anyOf");
	jw_array(w);
	write_option_forms(w, opt);
	write_pattern(w, "\\\\$\\\\{", false);
	jw_end_array(w);
	jw_end_object(w);
}

static void write_options_of(
    struct ctx *c, const char *plugin, const struct json *kind, const struct json *role)
{
	const struct json *o;
	struct jw *w = &c->w;

	jw_object(w);
	jw_key(w, "if");
	jw_object(w);
	jw_key(w, "properties");
	jw_object(w);
	jw_key(w, "plugin");
	jw_object(w);
	jw_kstr(w, "const", plugin);
	jw_end_object(w);
	if (strcmp(catalog_kind_type(kind), plugin) != 0) {
		jw_key(w, "type");
		jw_object(w);
		jw_kstr(w, "const", catalog_kind_type(kind));
		jw_end_object(w);
	}
	jw_end_object(w);
	jw_key(w, "required");
	jw_raw(w, strcmp(catalog_kind_type(kind), plugin) != 0 ? "[\"plugin\",\"type\"]"
							       : "[\"plugin\"]");
	jw_end_object(w);
	jw_key(w, "then");
	jw_object(w);
	jw_key(w, "properties");
	jw_object(w);
	for (o = json_first(catalog_role_options(role)); o != NULL; o = json_next(o)) {
		jw_key(w, json_get_str(o, "name", ""));
		write_option(w, o);
	}
	jw_end_object(w);
	jw_end_object(w);
	jw_end_object(w);
}

static void write_plugins(struct ctx *c, const char *role)
{
	const struct json *kind, *r;
	const char *name;
	bool any = false;
	size_t i;

	for (i = 0; (name = catalog_plugin_at(c->catalog, i)) != NULL; i++) {
		kind = json_first(catalog_plugin_kinds(catalog_plugin(c->catalog, name)));
		for (; kind != NULL; kind = json_next(kind)) {
			r = catalog_kind_role(kind, role);
			if (r == NULL)
				continue;
			if (!any) {
				jw_key(&c->w, "allOf");
				jw_array(&c->w);
			}
			any = true;
			write_options_of(c, name, kind, r);
		}
	}
	if (any)
		jw_end_array(&c->w);
}

/* ---- JSON Schema: keys ---- */
static void write_members(struct ctx *c, const struct keys *k)
{
	bool required = false;
	size_t i;

	jw_object(&c->w);
	jw_kstr(&c->w, "type", "object");
	jw_key(&c->w, "properties");
	jw_object(&c->w);
	for (i = 0; i < k->n; i++) {
		jw_key(&c->w, k->v[i].name);
		write_key(c, &k->v[i]);
		required = required || k->v[i].required;
	}
	jw_end_object(&c->w);
	if (required) {
		jw_key(&c->w, "required");
		jw_array(&c->w);
		for (i = 0; i < k->n; i++)
			if (k->v[i].required)
				jw_str(&c->w, k->v[i].name);
		jw_end_array(&c->w);
	}
	if (k->role == NULL)
		jw_kbool(&c->w, "additionalProperties", false);
	else if (c->catalog != NULL)
		write_plugins(c, k->role);
	jw_end_object(&c->w);
}

static const char *names_pattern(uint32_t shape)
{
	size_t i;

	for (i = 0; i < N_PATTERNS; i++)
		if (PATTERNS[i].bit == shape)
			return PATTERNS[i].pattern;
	return NULL;
}

static void write_map(struct ctx *c, const struct key *k)
{
	jw_object(&c->w);
	jw_kstr(&c->w, "type", "object");
	if (names_pattern(k->keys) != NULL) {
		jw_key(&c->w, "propertyNames");
		write_pattern(&c->w, names_pattern(k->keys), false);
	}
	jw_key(&c->w, "additionalProperties");
	write_key(c, k->elem);
	jw_end_object(&c->w);
}

static void write_list(struct ctx *c, const struct key *k)
{
	jw_object(&c->w);
	jw_kstr(&c->w, "type", "array");
	jw_key(&c->w, "items");
	write_key(c, k->elem);
	jw_end_object(&c->w);
}

static void write_shapes(struct ctx *c, const struct key *k)
{
	uint32_t s = k->shape;
	bool templates = (s & K_EXPR) != 0, said = false;
	size_t i;

	for (i = 0; i < N_PATTERNS; i++)
		if (s & PATTERNS[i].bit) {
			write_pattern(&c->w, PATTERNS[i].pattern, templates);
			said = true;
		}
	if (s & K_CHOICE)
		write_choices(&c->w, k->choices);
	if (s & (K_TEXT | K_ZONE | K_CRON | K_PATH)) {
		write_type(&c->w, "string");
		said = true;
	}
	if (templates && !said)
		write_pattern(&c->w, "\\\\$\\\\{", false);
	if (s & (K_INT | K_NUMBER))
		write_number(&c->w, k);
	if (s & K_BYTES)
		write_type(&c->w, "integer");
	if (s & K_BOOL)
		write_type(&c->w, "boolean");
	if (s & K_SECRET)
		write_secret(&c->w);
	if (s & K_LIST)
		write_list(c, k);
	if (s & K_MAP)
		write_map(c, k);
	if (s & K_OBJECT)
		write_members(c, k->sub);
}

static void write_key(struct ctx *c, const struct key *k)
{
	jw_object(&c->w);
	if (k->doc != NULL)
		jw_kstr(&c->w, "description", k->doc);
	if (k->def != NULL && k->def[0] != '\0' && strchr(k->def, ' ') == NULL)
		jw_kstr(&c->w, "$comment", k->def);
	if (!(k->shape & K_ANY)) {
		jw_key(&c->w, "anyOf");
		jw_array(&c->w);
		write_shapes(c, k);
		jw_end_array(&c->w);
	}
	jw_end_object(&c->w);
}

/* ---- which part ---- */
static const struct key *root_of(enum schema_of of)
{
	return of == SCHEMA_DAG ? &KEYS_DAG : &KEYS_CONFIG;
}

/* The first part of the path that is not known, with the nearest name. */
static int not_found(const struct key *root, const char *path, struct err *err)
{
	const char *names[64], *near = NULL;
	char known[600] = "", part[100];
	const struct key *k = root;
	size_t n = 0, len;

	while (*path != '\0') {
		char next[600];

		len = strcspn(path + 1, ".[") + 1;
		snprintf(
		    next, sizeof(next), "%.300s%.*s", known, (int)(len < 200 ? len : 200), path);
		if (keys_at(root, next) == NULL)
			break;
		k = keys_at(root, next);
		memcpy(known, next, sizeof(known));
		path += len;
	}
	path += *path == '.';
	(void)str_copy(part, sizeof(part), path);
	part[strcspn(part, ".[")] = '\0';
	for (n = 0; (k->shape & K_OBJECT) && n < k->sub->n && n < 64; n++)
		names[n] = k->sub->v[n].name;
	near = str_nearest(part, names, n);
	return near != NULL
		   ? err_set(err, ERR_NOT_FOUND, "there is no key \"%s\"; did you mean \"%s\"?",
			 part, near)
		   : err_set(err, ERR_NOT_FOUND, "there is no key \"%s\"; see sluice schema%s%s",
			 part, *known != '\0' ? " " : "", known);
}

int schema_write_json(enum schema_of of, const char *path, const struct catalog *catalog,
    struct str *out, struct err *err)
{
	const struct key *k = keys_at(root_of(of), path);
	struct ctx c = {.catalog = catalog};
	struct str body;

	if (k == NULL)
		return not_found(root_of(of), path, err);
	str_init(&body, SCHEMA_MAX);
	jw_init(&c.w, &body);
	if (*path == '\0')
		write_members(&c, k->sub);
	else
		write_key(&c, k);
	str_add(out, "{\"$schema\":\"https://json-schema.org/draft/2020-12/schema\",\"title\":");
	str_addf(out, "\"Sluice: %s%s%s\",", k->name, *path != '\0' ? ", " : "",
	    *path != '\0' ? path : "");
	str_addn(out, str_peek(&body) + 1, body.len > 0 ? body.len - 1 : 0);
	if (body.failed || out->failed) {
		str_done(&body);
		return err_set(err, ERR_LIMIT, "the schema is too large");
	}
	str_done(&body);
	return 0;
}

/* ---- text ---- */
/* Words broken at the width, each line behind `indent` blanks. */
static void add_wrapped(struct str *out, const char *text, size_t indent)
{
	size_t column = indent;

	while (*text != '\0') {
		size_t n = strcspn(text, " ");

		if (column > indent && column + 1 + n > WIDTH) {
			str_addf(out, "\n%*s", (int)indent, "");
			column = indent;
		} else if (column > indent) {
			str_addc(out, ' ');
			column++;
		}
		str_addn(out, text, n);
		column += n;
		text += n;
		text += strspn(text, " ");
	}
	str_addc(out, '\n');
}

static void text_key(const struct key *k, const char *pattern, struct str *out)
{
	const struct key_later *later = keys_later(pattern, "");
	struct str line;

	str_init(&line, 4096);
	keys_shape_text(k, &line);
	if ((k->shape & K_EXPR) && !str_ends(str_peek(&line), "}"))
		str_add(&line, ", ${…}");
	if (k->required)
		str_add(&line, "; required");
	if (k->def != NULL && k->def[0] != '\0')
		str_addf(&line, "; default %s", k->def);
	if (k->has_range)
		str_addf(&line, "; %.12g to %.12g", k->min, k->max);
	str_addf(out, "  %-18s", k->name);
	if (strlen(k->name) > 18)
		str_addf(out, "\n%*s", 20, "");
	add_wrapped(out, str_peek(&line), 20);
	if (k->doc != NULL) {
		str_addf(out, "%*s", 20, "");
		add_wrapped(out, k->doc, 20);
	}
	if (later != NULL && later->value == NULL) {
		str_addf(out, "%*s", 20, "");
		add_wrapped(out, "Not in this version yet.", 20);
	}
	str_done(&line);
}

static void text_options(const struct catalog *catalog, const char *role, struct str *out)
{
	const struct json *kind, *r, *o;
	const char *name;
	size_t i;

	for (i = 0; (name = catalog_plugin_at(catalog, i)) != NULL; i++) {
		kind = json_first(catalog_plugin_kinds(catalog_plugin(catalog, name)));
		for (; kind != NULL; kind = json_next(kind)) {
			r = catalog_kind_role(kind, role);
			if (r == NULL || json_len(catalog_role_options(r)) == 0)
				continue;
			str_addf(out, "\nwith plugin: %s%s%s\n", name,
			    strcmp(catalog_kind_type(kind), name) != 0 ? ", type: " : "",
			    strcmp(catalog_kind_type(kind), name) != 0 ? catalog_kind_type(kind)
								       : "");
			for (o = json_first(catalog_role_options(r)); o != NULL; o = json_next(o)) {
				str_addf(out, "  %-18s%s%s", json_get_str(o, "name", ""),
				    json_get_str(o, "type", ""),
				    json_get_bool(o, "required", false) ? "; required" : "");
				if (json_get_str(o, "default", "")[0] != '\0')
					str_addf(
					    out, "; default %s", json_get_str(o, "default", ""));
				str_addc(out, '\n');
				if (json_get_str(o, "doc", "")[0] == '\0')
					continue;
				str_addf(out, "%*s", 20, "");
				add_wrapped(out, json_get_str(o, "doc", ""), 20);
			}
		}
	}
}

/* The pattern of a path: names of maps become *, indices []. */
static void make_pattern(const struct key *root, const char *path, struct str *out)
{
	const struct key *k = root;
	char part[128];

	while (k != NULL && *path != '\0') {
		size_t n = strcspn(path, ".[");

		if (*path == '[') {
			str_add(out, "[]");
			k = k->elem;
			path += strcspn(path, "]");
			path += *path == ']';
			path += *path == '.';
			continue;
		}
		snprintf(part, sizeof(part), "%.*s", (int)(n < 100 ? n : 100), path);
		if ((k->shape & K_OBJECT) && keys_find(k->sub, part) != NULL) {
			str_addf(out, "%s%s", out->len > 0 ? "." : "", part);
			k = keys_find(k->sub, part);
		} else {
			str_addf(out, "%s*", out->len > 0 ? "." : "");
			k = k->elem;
		}
		path += n;
		path += *path == '.';
	}
}

int schema_write_text(enum schema_of of, const char *path, const struct catalog *catalog,
    struct str *out, struct err *err)
{
	const struct key *k = keys_at(root_of(of), path), *at;
	struct str pattern;
	char child[400];
	size_t i;

	if (k == NULL)
		return not_found(root_of(of), path, err);
	str_init(&pattern, 256);
	make_pattern(root_of(of), path, &pattern);
	if (*path != '\0')
		text_key(k, str_peek(&pattern), out);
	/* the members of what a list or map holds stand for it */
	for (at = k; !(at->shape & K_OBJECT) && (at->shape & (K_LIST | K_MAP)); at = at->elem)
		str_add(&pattern, (at->shape & K_LIST) ? "[]" : ".*");
	if (at->shape & K_OBJECT) {
		str_addf(out, "%s%s has these keys:\n", *path != '\0' ? "\n" : "", at->sub->what);
		for (i = 0; i < at->sub->n; i++) {
			snprintf(child, sizeof(child), "%s%s%s", str_peek(&pattern),
			    pattern.len > 0 ? "." : "", at->sub->v[i].name);
			text_key(&at->sub->v[i], child, out);
		}
		if (at->sub->role != NULL && catalog != NULL)
			text_options(catalog, at->sub->role, out);
	}
	str_done(&pattern);
	return out->failed ? err_set(err, ERR_LIMIT, "the text is too large") : 0;
}
