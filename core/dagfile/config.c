/* config.c: see config.h. Every default is filled in, every path is absolute, secrets stay
 * references. */
#include "core/dagfile/config.h"

#include "core/base/io.h"
#include "core/base/mem.h"
#include "core/dagfile/compile_int.h"

#include <stdio.h>
#include <string.h>
#include <sys/un.h>

#define MAX_GIVEN 256

struct config {
	const struct config_input *in;
	struct diags *d;
	const struct yaml_node *root;
	char *folder; /* owned */
	char *state;  /* owned: absolute */
	struct jw w;
};

/* ---- paths and secrets ---- */
static void write_path(struct config *c, const char *path)
{
	char *p = io_path_join(c->folder, path);

	jw_str(&c->w, p);
	mem_free(p);
}

static void write_secrets(struct config *c, const struct yaml_node *n)
{
	const struct yaml_node *e;

	jw_array(&c->w);
	for (e = n != NULL && n->kind == YAML_LIST ? n->first : NULL; e != NULL; e = e->next)
		secret_write(e, c->folder, &c->w);
	jw_end_array(&c->w);
}

/* ---- http ---- */
static bool is_loopback(const char *host)
{
	return str_starts(host, "127.") || str_eq(host, "localhost") || str_eq(host, "[::1]");
}

static void write_listen(struct config *c, const struct yaml_node *http)
{
	const struct yaml_node *n = yaml_get(http, "listen");
	const char *text = node_text(http, "listen", NULL),
		   *colon = text != NULL ? strrchr(text, ':') : NULL;
	char host[256], address[270];
	uint64_t port;

	if (text == NULL)
		return;
	if (colon == NULL || str_to_u64(colon + 1, &port) != 0 || port > 65535 ||
	    (size_t)(colon - text) >= sizeof(host)) {
		diag_error(c->d, n, "bad-address", "write HOST:PORT, for example 127.0.0.1:7480",
		    "\"%.80s\" is no address", text);
		return;
	}
	memcpy(host, text, (size_t)(colon - text));
	host[colon - text] = '\0';
	if (host[0] == '\0')
		memcpy(host, "127.0.0.1", sizeof("127.0.0.1"));
	if (!is_loopback(host)) {
		diag_error(c->d, n, "not-yet",
		    "listen on 127.0.0.1 and put a proxy with TLS in front",
		    "listening beyond loopback needs TLS, which this version cannot do yet");
		return;
	}
	snprintf(address, sizeof(address), "%s:%u", host, (unsigned)port);
	jw_kstr(&c->w, "listen", address);
}

static void write_http(struct config *c)
{
	const struct yaml_node *http = yaml_get(c->root, "http"), *hosts = yaml_get(http, "hosts");
	const char *unix_path = node_text(http, "unix", NULL);
	char *path = unix_path != NULL ? io_path_join(c->folder, unix_path)
				       : io_path_join(c->state, "sluice.sock");
	struct sockaddr_un sa;

	if (strlen(path) >= sizeof(sa.sun_path))
		diag_error(c->d, unix_path != NULL ? yaml_get(http, "unix") : c->root, "bad-path",
		    "name a shorter one: http: {unix: /run/sluice/sluice.sock}",
		    "the path of the unix socket has %zu bytes; the system allows %zu",
		    strlen(path), sizeof(sa.sun_path) - 1);
	jw_key(&c->w, "http");
	jw_object(&c->w);
	jw_kstr(&c->w, "unix", path);
	write_listen(c, http);
	jw_key(&c->w, "hosts");
	if (hosts != NULL && hosts->kind == YAML_LIST) {
		yaml_write_json(hosts, &c->w);
	} else {
		jw_array(&c->w);
		jw_end_array(&c->w);
	}
	jw_end_object(&c->w);
	mem_free(path);
}

/* ---- connections ---- */
static const struct json *find_offer(
    struct config *c, const struct yaml_node *n, const char *plugin, const char **ret_type)
{
	const struct json *kind, *offer;
	enum catalog_found found;
	char hint[120];
	const char *names[200], *near, *problem = catalog_problem(c->in->catalog, plugin);
	size_t count = 0;

	found = catalog_find(c->in->catalog, plugin, *ret_type, "connection", &kind, &offer);
	if (found == CATALOG_OK) {
		*ret_type = catalog_kind_type(kind);
		return offer;
	}
	while (count < 200 && (names[count] = catalog_plugin_at(c->in->catalog, count)) != NULL)
		count++;
	near = str_nearest(plugin, names, count);
	if (found == CATALOG_NO_PLUGIN && problem != NULL) {
		diag_error(c->d, yaml_get(n, "plugin"), "unknown-plugin", problem,
		    "the plugin \"%.80s\" cannot be used", plugin);
	} else if (found == CATALOG_NO_PLUGIN) {
		snprintf(hint, sizeof(hint),
		    near != NULL ? "did you mean \"%.60s\"?"
				 : "see sluice plugin list; plugins: names more folders%s",
		    near != NULL ? near : "");
		diag_error(c->d, yaml_get(n, "plugin"), "unknown-plugin", hint,
		    "no plugin is called \"%.80s\"", plugin);
	} else if (found == CATALOG_NO_TYPE) {
		diag_error(c->d, yaml_get(n, "type"), "unknown-type", "see sluice plugin show",
		    "the plugin \"%.80s\" has no type \"%.80s\"", plugin, *ret_type);
	} else if (found == CATALOG_AMBIGUOUS) {
		diag_error(c->d, n, "missing-key", "see sluice plugin show",
		    "the plugin \"%.80s\" has several kinds of connection; add type:", plugin);
	} else {
		diag_error(c->d, yaml_get(n, "plugin"), "wrong-role",
		    "its steps say plugin: and need no connection",
		    "the plugin \"%.80s\" has no connections", plugin);
	}
	return NULL;
}

static bool declares(const struct json *options, const char *name)
{
	const struct json *o;

	for (o = json_first(options); o != NULL; o = json_next(o))
		if (str_eq(json_get_str(o, "name", ""), name))
			return true;
	return false;
}

/* What names the plugin and its kind, and is written before. */
static bool is_head(const struct keys *core, const char *key)
{
	return str_eq(key, "plugin") || (str_eq(key, "type") && keys_find(core, "type") != NULL) ||
	       (str_eq(key, "kind") && keys_find(core, "kind") != NULL);
}

/* zone, max_sessions, rate and prefix are ours unless the plugin has an option of that name. */
static void write_members(
    struct config *c, const struct yaml_node *n, const struct keys *core, const struct json *offer)
{
	const struct json *options = catalog_role_options(offer);
	const struct yaml_node *v[MAX_GIVEN], *m;
	struct option_list given = {v, 0};
	char what[120];
	struct option_place place = {
	    .d = c->d, .what = what, .in_config = true, .folder = c->folder, .core = core};

	snprintf(
	    what, sizeof(what), "the connection of plugin \"%.60s\"", node_text(n, "plugin", ""));
	for (m = n->first; m != NULL && given.n < MAX_GIVEN; m = m->next) {
		if (is_head(core, m->key))
			continue;
		if (keys_find(core, m->key) == NULL || declares(options, m->key)) {
			v[given.n++] = m;
			continue;
		}
		jw_key(&c->w, m->key);
		yaml_write_json(m, &c->w);
	}
	if (offer != NULL)
		options_write(&place, &given, n, options, &c->w);
}

static void write_raw(struct config *c, const struct yaml_node *n)
{
	const struct yaml_node *m;

	for (m = n->first; m != NULL; m = m->next) {
		if (str_eq(m->key, "plugin") || str_eq(m->key, "type") || str_eq(m->key, "kind"))
			continue;
		jw_key(&c->w, m->key);
		yaml_write_json(m, &c->w);
	}
}

static void write_connection(struct config *c, const struct yaml_node *n)
{
	const char *plugin = node_text(n, "plugin", NULL), *type = node_text(n, "type", NULL);
	const struct json *offer = NULL;

	jw_key(&c->w, n->key);
	jw_object(&c->w);
	if (plugin != NULL && c->in->catalog != NULL)
		offer = find_offer(c, n, plugin, &type);
	jw_kstr(&c->w, "plugin", plugin);
	jw_kstr(&c->w, "type", type != NULL ? type : plugin);
	if (c->in->catalog == NULL)
		write_raw(c, n);
	else
		write_members(c, n, keys_at(&KEYS_CONFIG, "connections.*")->sub, offer);
	jw_end_object(&c->w);
}

static void write_connections(struct config *c)
{
	const struct yaml_node *map = yaml_get(c->root, "connections"), *n;

	jw_key(&c->w, "connections");
	jw_object(&c->w);
	for (n = map != NULL && map->kind == YAML_MAP ? map->first : NULL; n != NULL; n = n->next)
		if (n->kind == YAML_MAP && !n->bad)
			write_connection(c, n);
	jw_end_object(&c->w);
}

/* ---- notify: connections that are also told things ---- */
static void write_receiver(struct config *c, const struct yaml_node *n)
{
	const char *plugin = node_text(n, "plugin", NULL), *type = node_text(n, "kind", NULL);
	const struct json *kind = NULL, *offer = NULL, *task;

	if (plugin != NULL && c->in->catalog != NULL)
		offer = find_offer(c, n, plugin, &type);
	if (offer != NULL &&
	    catalog_find(c->in->catalog, plugin, type, "task", &kind, &task) != CATALOG_OK) {
		diag_error(c->d, yaml_get(n, "plugin"), "wrong-role", "plugin: notify",
		    "\"%.60s\" of the plugin \"%.60s\" tells nobody anything", type, plugin);
		offer = NULL;
	}
	jw_key(&c->w, n->key);
	jw_object(&c->w);
	jw_kstr(&c->w, "plugin", plugin);
	jw_kstr(&c->w, "type", type != NULL ? type : plugin);
	jw_ki64(&c->w, "needs", kind != NULL ? catalog_kind_needs(kind) : 0);
	if (c->in->catalog == NULL)
		write_raw(c, n);
	else
		write_members(c, n, keys_at(&KEYS_CONFIG, "notify.*")->sub, offer);
	jw_end_object(&c->w);
}

static void check_receivers(struct config *c, const char *key)
{
	const struct yaml_node *list = yaml_get(yaml_get(c->root, "defaults"), key), *n;

	for (n = list != NULL && list->kind == YAML_LIST ? list->first : NULL; n != NULL;
	     n = n->next)
		if (!n->bad && n->kind == YAML_TEXT &&
		    yaml_get(yaml_get(c->root, "notify"), n->text) == NULL)
			diag_error(c->d, n, "unknown-notify",
			    "add it under notify:", "there is no \"%.80s\" under notify:", n->text);
}

static void write_receivers(struct config *c)
{
	const struct yaml_node *map = yaml_get(c->root, "notify"), *n;

	jw_key(&c->w, "notify");
	jw_object(&c->w);
	for (n = map != NULL && map->kind == YAML_MAP ? map->first : NULL; n != NULL; n = n->next)
		if (n->kind == YAML_MAP && !n->bad)
			write_receiver(c, n);
	jw_end_object(&c->w);
	check_receivers(c, "on_success");
	check_receivers(c, "on_failure");
	check_receivers(c, "on_exit");
}

/* ---- hooks ---- */
struct scheme {
	const char *name, *needs, *also; /* keys, parted by | */
};
static const struct scheme SCHEMES[] = {
    {"standard-webhooks", "secrets", "dedupe"},
    {"hmac", "secrets|header", "prefix|encoding|timestamp_header|id_header|dedupe"},
    {"bearer", "tokens", "id_header|dedupe"},
    {"none", "", "id_header|dedupe|public"},
};
#define N_SCHEMES (sizeof(SCHEMES) / sizeof(SCHEMES[0]))

static bool in_list(const char *list, const char *name)
{
	char buf[200];
	const char *names[16];
	size_t n = keys_choices(list, buf, sizeof(buf), names, 16), i;

	for (i = 0; i < n; i++)
		if (strcmp(names[i], name) == 0)
			return true;
	return false;
}

static bool is_header(const char *s)
{
	return *s != '\0' && strlen(s) < 100 &&
	       s[strspn(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_")] ==
		   '\0';
}

static void check_hook_keys(struct config *c, const struct yaml_node *n, const struct scheme *s)
{
	char buf[200], hint[120];
	const char *names[16];
	size_t count = keys_choices(s->needs, buf, sizeof(buf), names, 16), i;
	const struct yaml_node *m;

	for (i = 0; i < count; i++) {
		m = yaml_get(n, names[i]);
		if (*names[i] == '\0' || (m != NULL && (m->kind != YAML_LIST || m->n > 0)))
			continue;
		snprintf(hint, sizeof(hint),
		    strcmp(names[i], "header") == 0 ? "%s: X-Signature"
						    : "%s: [{file: secrets/NAME}]",
		    names[i]);
		diag_error(c->d, n, "missing-key", hint, "a hook of scheme %s needs \"%s\"",
		    s->name, names[i]);
	}
	for (m = n->first; m != NULL; m = m->next) {
		if (keys_find(keys_at(&KEYS_CONFIG, "hooks.*")->sub, m->key) == NULL ||
		    str_eq(m->key, "scheme") || m->bad)
			continue;
		if (!in_list(s->needs, m->key) && !in_list(s->also, m->key))
			diag_error_key(c->d, m, "conflicting-keys", "leave it out",
			    "\"%s\" means nothing in scheme %s", m->key, s->name);
		else if (strstr(m->key, "header") != NULL && m->kind == YAML_TEXT &&
			 !is_header(m->text))
			diag_error(c->d, m, "bad-name", "write it as X-Signature",
			    "\"%.80s\" is no name of a header", m->text);
	}
}

static void write_hook(struct config *c, const struct yaml_node *n)
{
	static const char *const TEXTS[] = {"header", "timestamp_header", "id_header"};
	const char *scheme = node_text(n, "scheme", NULL);
	size_t i;

	for (i = 0; scheme != NULL && i < N_SCHEMES; i++)
		if (strcmp(SCHEMES[i].name, scheme) == 0)
			check_hook_keys(c, n, &SCHEMES[i]);
	jw_key(&c->w, n->key);
	jw_object(&c->w);
	jw_kstr(&c->w, "scheme", scheme);
	if (yaml_get(n, "secrets") != NULL) {
		jw_key(&c->w, "secrets");
		write_secrets(c, yaml_get(n, "secrets"));
	}
	if (yaml_get(n, "tokens") != NULL) {
		jw_key(&c->w, "tokens");
		write_secrets(c, yaml_get(n, "tokens"));
	}
	for (i = 0; i < sizeof(TEXTS) / sizeof(TEXTS[0]); i++)
		if (node_text(n, TEXTS[i], NULL) != NULL)
			jw_kstr(&c->w, TEXTS[i], node_text(n, TEXTS[i], NULL));
	if (str_eq(scheme, "hmac")) {
		jw_kstr(&c->w, "prefix", node_text(n, "prefix", ""));
		jw_kstr(&c->w, "encoding", node_text(n, "encoding", "hex"));
	}
	if (node_ms(yaml_get(n, "dedupe"), "body", -1) >= 0) {
		jw_key(&c->w, "dedupe");
		jw_object(&c->w);
		jw_ki64(&c->w, "body_ms", node_ms(yaml_get(n, "dedupe"), "body", 0));
		jw_end_object(&c->w);
	}
	jw_kbool(&c->w, "public", node_bool(n, "public", false));
	jw_end_object(&c->w);
}

static void write_hooks(struct config *c)
{
	const struct yaml_node *map = yaml_get(c->root, "hooks"), *n;

	jw_key(&c->w, "hooks");
	jw_object(&c->w);
	for (n = map != NULL && map->kind == YAML_MAP ? map->first : NULL; n != NULL; n = n->next)
		if (n->kind == YAML_MAP && !n->bad)
			write_hook(c, n);
	jw_end_object(&c->w);
}

/* ---- the rest ---- */
static void write_empty(struct config *c, const char *key)
{
	jw_key(&c->w, key);
	jw_object(&c->w);
	jw_end_object(&c->w);
}

/* A map that is taken over as it stands. */
static void write_map(struct config *c, const char *key)
{
	const struct yaml_node *n = yaml_get(c->root, key);

	if (n == NULL || n->kind != YAML_MAP) {
		write_empty(c, key);
		return;
	}
	jw_key(&c->w, key);
	yaml_write_json(n, &c->w);
}

static void write_named_secrets(struct config *c)
{
	const struct yaml_node *map = yaml_get(c->root, "secrets"), *n;

	jw_key(&c->w, "secrets");
	jw_object(&c->w);
	for (n = map != NULL && map->kind == YAML_MAP ? map->first : NULL; n != NULL; n = n->next) {
		jw_key(&c->w, n->key);
		secret_write(n, c->folder, &c->w);
	}
	jw_end_object(&c->w);
}

static void write_plugins(struct config *c)
{
	const struct yaml_node *list = yaml_get(c->root, "plugins"), *n;

	jw_key(&c->w, "plugins");
	jw_array(&c->w);
	for (n = list != NULL && list->kind == YAML_LIST ? list->first : NULL; n != NULL;
	     n = n->next)
		write_path(c, n->text);
	jw_end_array(&c->w);
}

static void write_limits(struct config *c)
{
	const struct yaml_node *keep = yaml_get(c->root, "retention"),
			       *limits = yaml_get(c->root, "limits");
	const int64_t day_ms = INT64_C(86400000);
	struct jw *w = &c->w;

	jw_key(w, "retention");
	jw_object(w);
	jw_ki64(w, "runs_ms", node_ms(keep, "runs", 90 * day_ms));
	jw_ki64(w, "events_ms", node_ms(keep, "events", 30 * day_ms));
	jw_ki64(w, "logs_ms", node_ms(keep, "logs", 30 * day_ms));
	jw_ki64(w, "logs_bytes", (int64_t)node_bytes(keep, "logs_bytes", UINT64_C(5) << 30));
	jw_end_object(w);
	jw_key(w, "limits");
	jw_object(w);
	jw_ki64(w, "store_bytes", (int64_t)node_bytes(limits, "store", UINT64_C(2) << 30));
	jw_ki64(
	    w, "event_body_bytes", (int64_t)node_bytes(limits, "event_body", UINT64_C(1) << 20));
	jw_end_object(w);
}

static void write_all(struct config *c)
{
	const struct yaml_node *root = c->root;
	struct jw *w = &c->w;

	jw_object(w);
	jw_ki64(w, "v", 1);
	jw_kstr(w, "file", c->in->path);
	jw_kstr(w, "deployment", node_text(root, "deployment", ""));
	jw_kstr(w, "state", c->state);
	jw_key(w, "dags");
	write_path(c, node_text(root, "dags", "dags"));
	jw_kbool(w, "watch", node_bool(root, "watch", false));
	write_plugins(c);
	jw_ki64(w, "workers", node_int(root, "workers", c->in->cpus > 0 ? c->in->cpus : 1));
	write_http(c);
	write_connections(c);
	write_hooks(c);
	write_empty(c, "sources");
	write_named_secrets(c);
	write_receivers(c);
	write_map(c, "pools");
	write_map(c, "defaults");
	jw_kstr(w, "on_term", node_text(root, "on_term", "leave"));
	jw_ki64(w, "grace_ms", node_ms(root, "grace", 10000));
	jw_kstr(w, "run_user", node_text(root, "run_user", NULL));
	write_limits(c);
	jw_end_object(w);
}

static void compile(struct config *c, struct yaml_node *root, struct str *json)
{
	c->root = root;
	if (root->kind != YAML_MAP) {
		diag_error(c->d, root, "wrong-type", "begin with deployment: NAME",
		    "sluice.yaml is a map of keys, not %s", yaml_kind_name(root));
		return;
	}
	keys_check(c->d, root, &KEYS_CONFIG, "", false);
	c->state = io_path_join(c->folder, node_text(root, "state", "state"));
	jw_init(&c->w, json);
	write_all(c);
}

struct config_output *config_compile(const struct config_input *in)
{
	struct config_output *out = MEM_NEW(struct config_output);
	struct config c = {.in = in, .d = &out->diags};
	struct yaml_doc *doc;
	struct str json;

	diags_init(&out->diags);
	c.folder = io_path_dir(in->path);
	str_init(&json, PLAN_MAX_BYTES);
	doc = yaml_doc_parse(in->text, in->n, &out->diags);
	if (yaml_doc_root(doc) != NULL)
		compile(&c, yaml_doc_root(doc), &json);
	if (json.failed)
		diag_at(c.d, 1, 1, "", false, "too-long", NULL,
		    "the compiled configuration is too large");
	diags_sort(&out->diags);
	out->ok = out->diags.n_errors == 0 && out->diags.n_dropped == 0;
	if (out->ok) {
		out->n = json.len;
		out->json = str_take(&json);
	}
	str_done(&json);
	yaml_doc_free(doc);
	mem_free(c.folder);
	mem_free(c.state);
	return out;
}

void config_output_free(struct config_output *out)
{
	if (out == NULL)
		return;
	mem_free(out->json);
	diags_done(&out->diags);
	mem_free(out);
}

void config_write_report(
    const struct config_input *in, const struct config_output *out, struct jw *w)
{
	jw_object(w);
	jw_kstr(w, "path", in->path);
	diags_write(&out->diags, w);
	jw_end_object(w);
}
