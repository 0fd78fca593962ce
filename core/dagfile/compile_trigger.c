/* compile_trigger.c: triggers: exactly one cause each, the keys that make sense with it, and their
 * expressions. */
#include "core/dagfile/compile_int.h"

#include <stdio.h>
#include <string.h>

enum {
	CRON = 1u << 0,
	AT = 1u << 1,
	EVERY = 1u << 2,
	WEBHOOK = 1u << 3,
	SOURCE = 1u << 4,
	DATASETS = 1u << 5,
	ABSENCE = 1u << 6,
	TIMES = CRON | AT | EVERY,
	EVENTS = WEBHOOK | SOURCE
};
static const char *const KINDS[] = {
    "cron", "at", "every", "webhook", "source", "datasets", "absence"};
#define N_KINDS (sizeof(KINDS) / sizeof(KINDS[0]))

/* Which causes a key belongs to, and the words for it. */
struct fit {
	const char *key;
	unsigned kinds;
	const char *with;
};
static const struct fit FITS[] = {
    {"zone", TIMES, "cron, at and every"},
    {"covers", TIMES | EVENTS, "cron, at, every, webhook and source"},
    {"catchup", TIMES, "cron, at and every"},
    {"dst", CRON, "cron"},
    {"jitter", TIMES, "cron, at and every"},
    {"body", EVENTS, "webhook and source"},
    {"where", EVENTS | DATASETS, "webhook, source and datasets"},
    {"key", EVENTS | DATASETS, "webhook, source and datasets"},
    {"on_same_key", EVENTS | DATASETS, "webhook, source and datasets"},
    {"from", SOURCE | DATASETS, "source and datasets"},
    {"while_paused", EVENTS | DATASETS, "webhook, source and datasets"},
    {"join", DATASETS, "datasets"},
    {"settle", DATASETS, "datasets"},
    {"on_update", DATASETS, "datasets"},
    {"expire", DATASETS, "datasets"},
    {"fire", DATASETS, "datasets"},
    {"partitions", DATASETS, "datasets"},
};
#define N_FITS (sizeof(FITS) / sizeof(FITS[0]))

struct trigger {
	struct unit *u;
	const struct yaml_node *n;
	unsigned kind; /* one bit; 0 where the file does not say */
	const char *zone;
	struct expr_scope scope;
	struct json *body; /* owned */
};

static void find_kind(struct trigger *t)
{
	const struct yaml_node *first = NULL, *c;
	size_t i;

	for (c = t->n->first; c != NULL; c = c->next) {
		for (i = 0; i < N_KINDS && strcmp(KINDS[i], c->key) != 0; i++)
			;
		if (i == N_KINDS)
			continue;
		if (first != NULL) {
			diag_error_key(t->u->d, c, "conflicting-keys", "make two triggers of it",
			    "a trigger has one cause; this one has \"%s\" and \"%s\"", first->key,
			    c->key);
			continue;
		}
		first = c;
		t->kind = 1u << i;
	}
	if (first == NULL)
		diag_error(t->u->d, t->n, "missing-key",
		    "add one of cron, webhook, datasets (at, every, source, absence)",
		    "the trigger \"%s\" does not say what starts a run", t->n->key);
}

static void check_fits(struct trigger *t)
{
	size_t i;

	for (i = 0; i < N_FITS; i++) {
		const struct yaml_node *c = yaml_get(t->n, FITS[i].key);
		char hint[100];

		if (c == NULL || c->bad || t->kind == 0 || (FITS[i].kinds & t->kind))
			continue;
		snprintf(hint, sizeof(hint), "it goes with %s; leave it out", FITS[i].with);
		diag_error_key(t->u->d, c, "conflicting-keys", hint,
		    "\"%s\" means nothing in this trigger", FITS[i].key);
	}
}

/* ---- names that sluice.yaml holds ---- */
static void check_hook(struct trigger *t, const struct yaml_node *n)
{
	const struct json *hooks = json_get(t->u->in->config, "hooks");
	char hint[160];

	if (n->bad || json_get(hooks, n->text) != NULL)
		return;
	if (t->u->in->config == NULL)
		warn_unchecked(t->u, n);
	else
		diag_error(t->u->d, n, "unknown-hook",
		    hint_nearest(
			n->text, hooks, "add it under hooks: in sluice.yaml", hint, sizeof(hint)),
		    "sluice.yaml has no hook \"%s\"", n->text);
}

/* ---- expressions ---- */
static void check_param_value(struct trigger *t, const struct yaml_node *c)
{
	const char *type = json_get_str(t->u->params, c->key, NULL);
	enum want want = WANT_TEXT;

	if (type == NULL) {
		char hint[160];

		diag_error_key(t->u->d, c, "unknown-param",
		    hint_nearest(
			c->key, t->u->params, "declare it under params:", hint, sizeof(hint)),
		    "the DAG has no parameter \"%s\"", c->key);
		return;
	}
	if (strcmp(type, "boolean") == 0)
		want = WANT_BOOL;
	else if (strcmp(type, "integer") == 0 || strcmp(type, "number") == 0)
		want = WANT_NUMBER;
	if (c->kind == YAML_TEXT && expr_is_template(c->text))
		expr_check_tree(t->u->d, c, &t->scope, want);
	else if (!c->bad && !params_literal_ok(type, c))
		diag_error(t->u->d, c, "wrong-type", NULL,
		    "this is %s, but the parameter is of type %s", yaml_kind_name(c), type);
}

/* A required parameter that no default and no trigger gives would fail every run. */
static void check_required(struct trigger *t)
{
	const struct yaml_node *map = yaml_get(t->u->root, "params"),
			       *given = yaml_get(t->n, "params"), *p;
	char hint[160];

	for (p = map != NULL && map->kind == YAML_MAP ? map->first : NULL; p != NULL; p = p->next) {
		if (!node_bool(p, "required", false) || yaml_get(given, p->key) != NULL)
			continue;
		snprintf(hint, sizeof(hint),
		    "add params: {%s: …} to the trigger, or give it a default", p->key);
		diag_error(t->u->d, t->n, "missing-param", hint,
		    "the trigger \"%s\" gives no value to the required parameter \"%s\"", t->n->key,
		    p->key);
	}
}

static void check_expressions(struct trigger *t)
{
	const struct yaml_node *params = yaml_get(t->n, "params"), *c;

	expr_check_tree(t->u->d, yaml_get(t->n, "where"), &t->scope, WANT_BOOL);
	expr_check_tree(t->u->d, yaml_get(t->n, "key"), &t->scope, WANT_TEXT);
	for (c = params != NULL && params->kind == YAML_MAP ? params->first : NULL; c != NULL;
	     c = c->next)
		check_param_value(t, c);
	check_required(t);
	c = yaml_get(t->n, "on_same_key");
	if (c != NULL && yaml_get(t->n, "key") == NULL)
		diag_error_key(t->u->d, c, "missing-key",
		    "add key: \"${…}\", or leave on_same_key out", "on_same_key needs a key");
}

/* ---- data sets ---- */
static void write_members(struct trigger *t, const struct yaml_node *list, struct jw *w)
{
	const char *join = node_text(t->n, "join", NULL);
	const struct yaml_node *c, *other;

	jw_key(w, "members");
	jw_array(w);
	for (c = list != NULL && list->kind == YAML_LIST ? list->first : NULL; c != NULL;
	     c = c->next) {
		const struct yaml_node *name = c->kind == YAML_MAP ? yaml_get(c, "name") : c;
		struct named m = {.at = name, .unit = join};

		if (name == NULL || name->bad || name->kind != YAML_TEXT)
			continue;
		for (other = list->first; other != c; other = other->next)
			if (other->kind == YAML_TEXT && strcmp(other->text, name->text) == 0)
				diag_error(t->u->d, name, "duplicate-name", "leave it out",
				    "\"%s\" is named twice", name->text);
		(void)str_copy(m.name, sizeof(m.name), name->text);
		VEC_ADD(&t->u->members, m);
		jw_object(w);
		jw_kstr(w, "name", name->text);
		jw_end_object(w);
	}
	jw_end_array(w);
}

/* Which of the three forms; *ret_list is NULL where there is none. */
static const char *datasets_rule(
    struct trigger *t, const struct yaml_node *d, const struct yaml_node **ret_list)
{
	const struct yaml_node *all = yaml_get(d, "all"), *any = yaml_get(d, "any");
	const struct yaml_node *of = yaml_get(d, "of"), *n = yaml_get(d, "at_least");
	unsigned forms = (all != NULL) + (any != NULL) + (of != NULL || n != NULL);

	*ret_list = all != NULL ? all : any != NULL ? any : of;
	if (forms > 1)
		diag_error(t->u->d, d, "conflicting-keys", "keep one of them",
		    "all, any and at_least exclude each other");
	if (forms == 0)
		diag_error(t->u->d, d, "missing-key",
		    "write {all: […]}, {any: […]} or {at_least: 2, of: […]}",
		    "datasets does not say which data sets are awaited");
	if ((of == NULL) != (n == NULL))
		diag_error(t->u->d, d, "missing-key", "write {at_least: 2, of: […]}",
		    "at_least and of go together");
	if (of != NULL && n != NULL && of->kind == YAML_LIST && n->kind == YAML_INT && n->i > of->n)
		diag_error(t->u->d, n, "out-of-range", "name more data sets, or ask for fewer",
		    "at_least %s of %u can never be reached", n->text, (unsigned)of->n);
	return all != NULL ? "all" : any != NULL ? "any" : "at_least";
}

static void write_datasets(struct trigger *t, struct jw *w)
{
	const struct yaml_node *d = yaml_get(t->n, "datasets"), *list = NULL;
	const char *rule;

	if (d->kind != YAML_MAP)
		return;
	rule = datasets_rule(t, d, &list);
	if (list != NULL && list->kind == YAML_LIST && list->n == 0)
		diag_error(t->u->d, list, "empty-list", "name at least one data set",
		    "no data set is named");
	jw_key(w, "datasets");
	jw_object(w);
	jw_kstr(w, "rule", rule);
	jw_ki64(w, "n", node_int(d, "at_least", 0));
	write_members(t, list, w);
	jw_end_object(w);
	if (node_text(t->n, "join", NULL) != NULL)
		jw_kstr(w, "join", node_text(t->n, "join", NULL));
	jw_kstr(w, "fire", node_text(t->n, "fire", "change"));
	jw_kstr(w, "partitions", node_text(t->n, "partitions", "each"));
	jw_kstr(w, "from_events", node_text(t->n, "from", "now"));
}

/* ---- all ---- */
static void write_common(struct trigger *t, struct jw *w)
{
	const struct yaml_node *params = yaml_get(t->n, "params");

	if (t->kind & EVENTS) {
		jw_key(w, "body");
		params_write(t->u, yaml_get(t->n, "body"), w);
	}
	if (yaml_get(t->n, "where") != NULL)
		jw_kstr(w, "where", node_text(t->n, "where", NULL));
	if (params != NULL) {
		jw_key(w, "params");
		yaml_write_json(params, w);
	}
	if (yaml_get(t->n, "key") != NULL)
		jw_kstr(w, "key", node_text(t->n, "key", NULL));
	if (t->kind & (EVENTS | DATASETS))
		jw_kstr(w, "on_same_key", node_text(t->n, "on_same_key", "ignore"));
}

static void write_trigger(struct unit *u, const struct yaml_node *n, struct jw *w)
{
	struct trigger t = {.u = u, .n = n, .zone = node_text(n, "zone", u->zone)};
	const struct yaml_node *hook;

	find_kind(&t);
	check_fits(&t);
	if (yaml_get(n, "body") != NULL)
		t.body = params_types(yaml_get(n, "body"));
	t.scope.body = t.body;
	t.scope.roots = EXPR_TRIGGER | ((t.kind & (EVENTS | DATASETS)) ? EXPR_EVENT : 0) |
			((t.kind & DATASETS) ? EXPR_PARTITION : 0);
	check_expressions(&t);
	jw_object(w);
	jw_kstr(w, "name", n->key);
	jw_kstr(w, "kind", t.kind == 0 ? "cron" : KINDS[__builtin_ctz(t.kind)]);
	jw_kstr(w, "zone", t.zone);
	hook = yaml_get(n, "webhook");
	times_write(u, n, t.zone, w);
	if (t.kind == WEBHOOK && hook != NULL) {
		check_hook(&t, hook);
		jw_kstr(w, "hook", hook->text);
	}
	write_common(&t, w);
	if (t.kind == DATASETS)
		write_datasets(&t, w);
	if (t.kind & (EVENTS | DATASETS))
		jw_kstr(w, "while_paused", node_text(n, "while_paused", "drop"));
	jw_end_object(w);
	json_free(t.body);
}

void triggers_write(struct unit *u, struct jw *w)
{
	const struct yaml_node *map = yaml_get(u->root, "triggers"), *n;

	jw_array(w);
	for (n = map != NULL && map->kind == YAML_MAP ? map->first : NULL; n != NULL; n = n->next)
		if (!n->bad && n->kind == YAML_MAP)
			write_trigger(u, n, w);
	jw_end_array(w);
}
