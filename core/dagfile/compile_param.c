/* compile_param.c: parameters and webhook bodies: declarations that agree with themselves. */
#include "core/dagfile/compile_int.h"

#include <string.h>

struct json *params_types(const struct yaml_node *map)
{
	struct json *types = json_new_object();
	const struct yaml_node *c;

	if (map == NULL || map->kind != YAML_MAP)
		return types;
	for (c = map->first; c != NULL; c = c->next)
		json_put(types, c->key, json_new_str(node_text(c, "type", "")));
	return types;
}

static bool is_date(const char *s)
{
	wall_us t;

	return strlen(s) == strlen("2026-11-21") && clock_parse(s, &t) == 0;
}

bool params_literal_ok(const char *type, const struct yaml_node *n)
{
	wall_us t;

	if (strcmp(type, "string") == 0)
		return n->kind == YAML_TEXT;
	if (strcmp(type, "integer") == 0)
		return n->kind == YAML_INT;
	if (strcmp(type, "number") == 0)
		return n->kind == YAML_INT || n->kind == YAML_FLOAT;
	if (strcmp(type, "boolean") == 0)
		return n->kind == YAML_BOOL;
	if (strcmp(type, "date") == 0)
		return n->kind == YAML_TEXT && is_date(n->text);
	if (strcmp(type, "timestamp") == 0)
		return n->kind == YAML_TEXT && clock_parse(n->text, &t) == 0;
	return true;
}

static const char *literal_cure(const char *type)
{
	if (strcmp(type, "date") == 0)
		return "write a date as 2026-11-21";
	if (strcmp(type, "timestamp") == 0)
		return "write a timestamp as 2026-11-21T17:30:00Z";
	if (strcmp(type, "string") == 0)
		return "put it in quotes";
	return NULL;
}

static void check_literal(struct unit *u, const char *type, const struct yaml_node *n)
{
	if (n == NULL || n->bad || params_literal_ok(type, n))
		return;
	diag_error(u->d, n, "wrong-type", literal_cure(type), "this is %s, but the type is %s",
	    yaml_kind_name(n), type);
}

/* -1, 0, 1; only for values of the type. */
static int compare(const char *type, const struct yaml_node *a, const struct yaml_node *b)
{
	wall_us x, y;

	if (a->kind != YAML_TEXT)
		return (a->f > b->f) - (a->f < b->f);
	if (strcmp(type, "timestamp") == 0 && clock_parse(a->text, &x) == 0 &&
	    clock_parse(b->text, &y) == 0)
		return (x > y) - (x < y);
	return strcmp(a->text, b->text);
}

static bool same(const struct yaml_node *a, const struct yaml_node *b)
{
	if (a->kind == YAML_TEXT || b->kind == YAML_TEXT)
		return a->kind == b->kind && strcmp(a->text, b->text) == 0;
	if (a->kind == YAML_BOOL || b->kind == YAML_BOOL)
		return a->kind == b->kind && a->flag == b->flag;
	return a->f == b->f;
}

static void check_bounds(struct unit *u, const struct yaml_node *p, const char *type)
{
	const struct yaml_node *min = yaml_get(p, "min"), *max = yaml_get(p, "max"),
			       *def = yaml_get(p, "default");
	bool ordered = strcmp(type, "string") != 0 && strcmp(type, "boolean") != 0;
	const struct yaml_node *any = min != NULL ? min : max;

	if (any != NULL && !ordered) {
		diag_error_key(u->d, any, "conflicting-keys", "use choices, or leave it out",
		    "a %s has no min and max", type);
		return;
	}
	check_literal(u, type, min);
	check_literal(u, type, max);
	if (min != NULL && max != NULL && params_literal_ok(type, min) &&
	    params_literal_ok(type, max) && compare(type, min, max) > 0)
		diag_error(u->d, max, "out-of-range", NULL, "max lies below min");
	if (def == NULL || !params_literal_ok(type, def))
		return;
	if ((min != NULL && params_literal_ok(type, min) && compare(type, def, min) < 0) ||
	    (max != NULL && params_literal_ok(type, max) && compare(type, def, max) > 0))
		diag_error(u->d, def, "out-of-range", NULL, "the default lies outside min and max");
}

static void check_param(struct unit *u, const struct yaml_node *p)
{
	const char *type = node_text(p, "type", NULL);
	const struct yaml_node *def = yaml_get(p, "default"), *choices = yaml_get(p, "choices"), *c;
	bool found = false;

	if (type == NULL)
		return;
	check_literal(u, type, def);
	if (def != NULL && node_bool(p, "required", false))
		diag_error_key(u->d, def, "conflicting-keys", "leave one of them out",
		    "a required value has no default");
	if (choices != NULL && choices->kind == YAML_LIST) {
		for (c = choices->first; c != NULL; c = c->next) {
			check_literal(u, type, c);
			found = found || (def != NULL && same(c, def));
		}
		if (choices->n == 0)
			diag_error(u->d, choices, "empty-list", "list the values that are allowed",
			    "no value is allowed");
		else if (def != NULL && !found && params_literal_ok(type, def))
			diag_error(
			    u->d, def, "bad-choice", NULL, "the default is none of the choices");
	}
	check_bounds(u, p, type);
}

static void write_member(const struct yaml_node *p, const char *key, struct jw *w)
{
	const struct yaml_node *n = yaml_get(p, key);

	if (n == NULL)
		return;
	jw_key(w, key);
	yaml_write_json(n, w);
}

void params_write(struct unit *u, const struct yaml_node *map, struct jw *w)
{
	const struct yaml_node *p;

	jw_array(w);
	for (p = map != NULL && map->kind == YAML_MAP ? map->first : NULL; p != NULL; p = p->next) {
		check_param(u, p);
		jw_object(w);
		jw_kstr(w, "name", p->key);
		jw_kstr(w, "type", node_text(p, "type", "string"));
		jw_kbool(w, "required", node_bool(p, "required", false));
		write_member(p, "default", w);
		write_member(p, "choices", w);
		write_member(p, "min", w);
		write_member(p, "max", w);
		jw_end_object(w);
	}
	jw_end_array(w);
}
