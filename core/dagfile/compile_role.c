/* compile_role.c: which plugin does a task, extract, transform or load, and with which options. The
 * plugin is the connection's; `plugin:` names it where there is no connection, and for tasks that
 * borrow one. */
#include "core/dagfile/compile_int.h"

#include "core/base/mem.h"

#include <stdio.h>
#include <string.h>

#define MAX_GIVEN 256

void role_init(struct role_use *r, const struct yaml_node *node, const struct yaml_node *defaults,
    const char *role, const char *keys)
{
	memset(r, 0, sizeof(*r));
	r->node = node;
	r->defaults = defaults;
	r->role = role;
	r->core = keys_at(&KEYS_DAG, keys)->sub;
}

const struct yaml_node *role_get(const struct role_use *r, const char *key)
{
	const struct yaml_node *own = yaml_get(r->node, key);

	if (own != NULL)
		return own;
	/* a step that names its plugin wants no connection from the defaults, and the other way
	 * round */
	if ((strcmp(key, "connection") == 0 && yaml_get(r->node, "plugin") != NULL) ||
	    (strcmp(key, "plugin") == 0 && yaml_get(r->node, "connection") != NULL))
		return NULL;
	return yaml_get(r->defaults, key);
}

const char *role_text(const struct role_use *r, const char *key, const char *fallback)
{
	const struct yaml_node *n = role_get(r, key);

	return n != NULL && !n->bad && n->kind == YAML_TEXT ? n->text : fallback;
}

/* ---- the connection ---- */
/* By its own key, else the part of the data set's name before the slash. */
static const struct yaml_node *find_connection(struct role_use *r)
{
	const struct yaml_node *n = role_get(r, "connection");
	const char *slash;

	if (n != NULL) {
		if (!n->bad && n->kind == YAML_TEXT)
			(void)str_copy(r->connection, sizeof(r->connection), n->text);
		return n;
	}
	n = role_get(r, "dataset");
	if (n == NULL || n->bad || n->kind != YAML_TEXT || role_get(r, "plugin") != NULL)
		return NULL;
	slash = strchr(n->text, '/');
	if (slash == NULL || (size_t)(slash - n->text) >= sizeof(r->connection))
		return NULL;
	memcpy(r->connection, n->text, (size_t)(slash - n->text));
	r->connection[slash - n->text] = '\0';
	if (!str_is_name(r->connection))
		r->connection[0] = '\0';
	return r->connection[0] != '\0' ? n : NULL;
}

static bool use_connection(struct unit *u, struct role_use *r, const struct yaml_node *at)
{
	const struct json *all = json_get(u->in->config, "connections"),
			  *c = json_get(all, r->connection), *role;
	bool borrows = strcmp(r->role, "task") == 0 || strcmp(r->role, "model") == 0;
	char hint[200];

	if (u->in->config == NULL) {
		warn_unchecked(u, at);
		u->unresolved = true;
		return r->plugin != NULL;
	}
	if (c == NULL) {
		diag_error(u->d, at, "unknown-connection",
		    hint_nearest(r->connection, all, "add it under connections: in sluice.yaml",
			hint, sizeof(hint)),
		    "sluice.yaml has no connection \"%s\"", r->connection);
		return false;
	}
	r->connection_plugin = json_get_str(c, "plugin", "");
	(void)catalog_find(u->in->catalog, r->connection_plugin, json_get_str(c, "type", NULL),
	    "connection", &r->connection_kind, &role);
	if (r->plugin == NULL) {
		r->plugin = r->connection_plugin;
	} else if (!borrows && strcmp(r->plugin, r->connection_plugin) != 0) {
		snprintf(hint, sizeof(hint),
		    "leave plugin out; \"%s\" belongs to the plugin \"%.60s\"", r->connection,
		    r->connection_plugin);
		diag_error(u->d, role_get(r, "plugin"), "conflicting-keys", hint,
		    "the plugin is the connection's; \"%s\" is another one", r->plugin);
		return false;
	}
	return true;
}

/* ---- the kind ---- */
static void list_plugins(const struct catalog *c, const char *role, struct str *out)
{
	const struct json *kind, *offer;
	const char *name;
	size_t i;

	for (i = 0; (name = catalog_plugin_at(c, i)) != NULL; i++)
		if (catalog_find(c, name, NULL, role, &kind, &offer) == CATALOG_OK)
			str_addf(out, " %s", name);
}

static void unknown_plugin(struct unit *u, const struct role_use *r, const struct yaml_node *at)
{
	const char *names[200], *near;
	const char *problem = catalog_problem(u->in->catalog, r->plugin);
	struct str hint;
	size_t n = 0;

	if (problem != NULL) {
		diag_error(u->d, at, "unknown-plugin", problem,
		    "the plugin \"%.80s\" cannot be used", r->plugin);
		return;
	}
	while (n < 200 && (names[n] = catalog_plugin_at(u->in->catalog, n)) != NULL)
		n++;
	near = str_nearest(r->plugin, names, n);
	str_init(&hint, 2048);
	if (near != NULL) {
		str_addf(&hint, "did you mean \"%s\"?", near);
	} else {
		str_addf(
		    &hint, "plugins that %s:", strcmp(r->role, "task") == 0 ? "do tasks" : r->role);
		list_plugins(u->in->catalog, r->role, &hint);
	}
	diag_error(u->d, at, "unknown-plugin", str_peek(&hint), "no plugin is called \"%.80s\"",
	    r->plugin);
	str_done(&hint);
}

/* Types of the plugin; only those that have the role where role is given. */
static void list_types(
    const struct unit *u, const struct role_use *r, const char *role, struct str *out)
{
	const struct json *k =
	    json_first(catalog_plugin_kinds(catalog_plugin(u->in->catalog, r->plugin)));

	for (; k != NULL; k = json_next(k))
		if (role == NULL || catalog_kind_role(k, role) != NULL)
			str_addf(out, " %s", catalog_kind_type(k));
}

static void no_kind(
    struct unit *u, const struct role_use *r, enum catalog_found found, const struct yaml_node *at)
{
	const struct yaml_node *type = role_get(r, "type");
	struct str hint;

	str_init(&hint, 2048);
	if (found == CATALOG_NO_TYPE) {
		str_add(&hint, "there are:");
		list_types(u, r, NULL, &hint);
		diag_error(u->d, type != NULL ? type : at, "unknown-type", str_peek(&hint),
		    "the plugin \"%.80s\" has no type \"%.80s\"", r->plugin,
		    role_text(r, "type", ""));
	} else if (found == CATALOG_AMBIGUOUS) {
		str_add(&hint, "add type: with one of:");
		list_types(u, r, r->role, &hint);
		diag_error(u->d, at, "missing-key", str_peek(&hint),
		    "the plugin \"%.80s\" has several kinds that can do this", r->plugin);
	} else {
		str_addf(&hint, "plugins that have one:");
		list_plugins(u->in->catalog, r->role, &hint);
		diag_error(u->d, at, "wrong-role", str_peek(&hint),
		    "the plugin \"%.80s\" has no %s", r->plugin, r->role);
	}
	str_done(&hint);
}

static bool find_kind(struct unit *u, struct role_use *r, const struct yaml_node *at)
{
	const char *type = role_text(r, "type", NULL);
	const char *lent = r->connection_kind != NULL && str_eq(r->plugin, r->connection_plugin)
			       ? catalog_kind_type(r->connection_kind)
			       : NULL;
	enum catalog_found found = CATALOG_NO_ROLE;

	/* the connection's own kind first, so that its steps need no type: */
	if (type == NULL && lent != NULL)
		found = catalog_find(u->in->catalog, r->plugin, lent, r->role, &r->kind, &r->offer);
	if (found != CATALOG_OK)
		found = catalog_find(u->in->catalog, r->plugin, type, r->role, &r->kind, &r->offer);
	if (found == CATALOG_NO_PLUGIN)
		unknown_plugin(u, r, at);
	else if (found != CATALOG_OK)
		no_kind(u, r, found, at);
	return found == CATALOG_OK;
}

bool role_resolve(struct unit *u, struct role_use *r)
{
	const struct yaml_node *plugin = role_get(r, "plugin"), *at = find_connection(r);
	char hint[200];

	if ((plugin != NULL && plugin->bad) || (at != NULL && at->bad) || r->node->bad)
		return false;
	r->plugin = plugin != NULL && plugin->kind == YAML_TEXT ? plugin->text : NULL;
	if (r->connection[0] != '\0' && !use_connection(u, r, at))
		return false;
	if (r->plugin == NULL) {
		if (r->connection[0] == '\0' && strcmp(r->role, "transform") != 0)
			diag_error(u->d, r->node, "missing-key",
			    "name a connection of sluice.yaml, or a plugin",
			    "%s does not say which connection or plugin does it",
			    strcmp(r->role, "extract") == 0 ? "extract" : r->role);
		return false;
	}
	if (!find_kind(u, r, plugin != NULL ? plugin : at))
		return false;
	if (r->connection[0] == '\0' && catalog_kind_role(r->kind, "connection") != NULL) {
		snprintf(hint, sizeof(hint),
		    "write connection: NAME, a connection of sluice.yaml with plugin: %.60s",
		    r->plugin);
		diag_error(u->d, plugin, "missing-key", hint,
		    "the plugin \"%s\" works on a connection", r->plugin);
		return false;
	}
	return true;
}

/* ---- writing ---- */
void role_write_head(const struct role_use *r, struct jw *w)
{
	jw_kstr(w, "plugin", r->plugin != NULL ? r->plugin : "");
	jw_kstr(w, "type", r->kind != NULL ? catalog_kind_type(r->kind) : "");
	if (r->connection[0] != '\0')
		jw_kstr(w, "connection", r->connection);
}

static enum want want_of(const struct key *key)
{
	if (key->shape & K_LIST)
		return WANT_LIST;
	return (key->shape & (K_MAP | K_OBJECT)) ? WANT_MAP : WANT_TEXT;
}

void role_write_key(struct unit *u, const struct role_use *r, const struct expr_scope *scope,
    const char *key, struct jw *w)
{
	const struct yaml_node *n = role_get(r, key);

	if (n == NULL)
		return;
	expr_check_tree(u->d, n, scope, want_of(keys_find(r->core, key)));
	jw_key(w, key);
	yaml_write_json(n, w);
}

static void collect(const struct role_use *r, const struct yaml_node *map,
    const struct yaml_node *shadow, struct option_list *given)
{
	const struct yaml_node *c = map != NULL && map->kind == YAML_MAP ? map->first : NULL;

	for (; c != NULL && given->n < MAX_GIVEN; c = c->next)
		if (keys_find(r->core, c->key) == NULL && yaml_get(shadow, c->key) == NULL)
			given->v[given->n++] = c;
}

void role_write_options(
    struct unit *u, const struct role_use *r, const struct expr_scope *scope, struct jw *w)
{
	const struct yaml_node *v[MAX_GIVEN];
	struct option_list given = {v, 0};
	struct option_place place = {
	    .d = u->d, .scope = scope, .folder = u->folder, .core = r->core};
	char what[160];

	jw_key(w, "options");
	jw_object(w);
	if (r->offer != NULL) {
		snprintf(what, sizeof(what), "the %s of plugin \"%.80s\"", r->role, r->plugin);
		place.what = what;
		place.secrets = u->in->config != NULL ? json_get(u->in->config, "secrets") : NULL;
		collect(r, r->node, NULL, &given);
		collect(r, r->defaults, r->node, &given);
		options_write(&place, &given, r->node, catalog_role_options(r->offer), w);
	}
	jw_end_object(w);
}
