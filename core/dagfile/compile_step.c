/* compile_step.c: steps in topological order: what they are, when they run, how they are retried.
 */
#include "core/dagfile/compile_int.h"

#include "core/base/mem.h"

#include <stdio.h>
#include <string.h>

/* Names gathered from the roles of one step, each once. */
struct gathered {
	const char *v[200];
	size_t n;
};

struct step_ctx {
	struct unit *u;
	struct step *s;
	const struct yaml_node *n;
	struct expr_scope scope;
	const char **upstream; /* owned */
	struct json *body;     /* owned */
	struct gathered connections, plugins;
	char names[64][PLAN_NAME_MAX]; /* connection names live here */
	size_t n_names;
	unsigned needs_mask;
	bool exclusive;
	struct str roles; /* JSON members of task, extract … */
};

static bool usable(const struct yaml_node *n)
{
	return n != NULL && !n->bad && n->kind == YAML_MAP;
}

static void gather(struct gathered *g, const char *name)
{
	size_t i;

	for (i = 0; i < g->n; i++)
		if (strcmp(g->v[i], name) == 0)
			return;
	if (g->n < sizeof(g->v) / sizeof(g->v[0]))
		g->v[g->n++] = name;
}

static void gather_role(struct step_ctx *c, const struct role_use *r)
{
	if (r->connection[0] != '\0' && c->n_names < 64) {
		memcpy(c->names[c->n_names], r->connection, sizeof(r->connection));
		gather(&c->connections, c->names[c->n_names++]);
	}
	if (r->plugin != NULL)
		gather(&c->plugins, r->plugin);
	if (r->connection_plugin != NULL)
		gather(&c->plugins, r->connection_plugin);
	c->needs_mask |= r->kind != NULL ? catalog_kind_needs(r->kind) : 0;
	c->needs_mask |= r->connection_kind != NULL ? catalog_kind_needs(r->connection_kind) : 0;
}

/* ---- expressions' scope ---- */
/* The fields that webhooks declare, over all triggers; NULL where one declares none. */
static struct json *all_bodies(const struct unit *u)
{
	const struct yaml_node *t = yaml_get(u->root, "triggers"), *f;
	struct json *all = json_new_object();
	bool any = false;

	for (t = t != NULL && t->kind == YAML_MAP ? t->first : NULL; t != NULL; t = t->next) {
		const struct yaml_node *body = yaml_get(t, "body");

		if (yaml_get(t, "webhook") == NULL && yaml_get(t, "source") == NULL)
			continue;
		if (body == NULL || body->kind != YAML_MAP) {
			json_free(all);
			return NULL;
		}
		any = true;
		for (f = body->first; f != NULL; f = f->next) {
			const char *type = node_text(f, "type", ""),
				   *other = json_get_str(all, f->key, type);

			json_put(all, f->key, json_new_str(str_eq(type, other) ? type : ""));
		}
	}
	if (!any) {
		json_free(all);
		return NULL;
	}
	return all;
}

static void scope_init(struct step_ctx *c)
{
	const struct yaml_node *foreach = yaml_get(c->n, "foreach");
	struct unit *u = c->u;
	size_t i;

	c->upstream = mem_calloc(u->n_steps + 1, sizeof(*c->upstream));
	for (i = 0; i < u->n_steps; i++)
		if (graph_upstream(u, i, (size_t)(c->s - u->steps)))
			c->upstream[c->scope.n_steps++] = u->steps[i].name;
	c->body = all_bodies(u);
	c->scope.roots =
	    EXPR_PARAMS | EXPR_RUN | EXPR_TRIGGER | EXPR_EVENT | EXPR_PARTITION | EXPR_STEPS;
	c->scope.params = u->params;
	c->scope.body = c->body;
	c->scope.steps = c->upstream;
	if (foreach != NULL) {
		c->scope.roots |= EXPR_ITEM;
		c->scope.item_name = node_text(foreach, "as", "item");
	}
}

/* ---- foreach ---- */
static bool is_scalar(const struct yaml_node *n)
{
	return n->kind != YAML_LIST && n->kind != YAML_MAP && n->kind != YAML_NULL;
}

static void check_items(struct diags *d, const struct yaml_node *list, const struct yaml_node *key)
{
	const struct yaml_node *i, *j;

	if (list->n == 0)
		diag_error(d, list, "empty-list", "name at least one item", "foreach has no item");
	for (i = list->first; i != NULL; i = i->next) {
		if (i->kind == YAML_NULL)
			diag_error(d, i, "wrong-type", "give it a value or leave it out",
			    "an item is empty");
		if (!is_scalar(i) && key == NULL) {
			diag_error(d, i, "missing-key", "add key: \"${item.name}\" to foreach",
			    "items that are maps or lists need a key");
			return;
		}
		if (i->kind == YAML_TEXT && expr_is_template(i->text)) {
			diag_error(d, i, "no-template-here", "in: \"${…}\" may give the whole list",
			    "no ${…} can stand in one item");
			return;
		}
		if (key != NULL || !is_scalar(i) || list->n > 2000)
			continue;
		for (j = list->first; j != i; j = j->next)
			if (strcmp(j->text, i->text) == 0) {
				diag_error(d, i, "duplicate-name", "leave it out",
				    "the item \"%.80s\" stands twice", i->text);
				break;
			}
	}
}

/* The list as it stands, in the DAG file or in one of its own; NULL: a ${…}, or none. *ret_d: where
 * to say what is wrong in it. */
static const struct yaml_node *items_of(
    struct unit *u, const struct yaml_node *foreach, struct diags **ret_d)
{
	const struct yaml_node *in = yaml_get(foreach, "in"), *file = yaml_get(in, "file");

	*ret_d = u->d;
	if (file != NULL)
		return include_list(u, file, ret_d);
	return in != NULL && !in->bad && in->kind == YAML_LIST ? in : NULL;
}

static void write_in(struct step_ctx *c, const struct yaml_node *f, struct jw *w)
{
	const struct yaml_node *in = yaml_get(f, "in"), *file = yaml_get(in, "file"), *list;
	struct diags *d;

	list = items_of(c->u, f, &d);
	if (list != NULL)
		check_items(d, list, yaml_get(f, "key"));
	if (file != NULL)
		include_tell(c->u, file);
	jw_key(w, "in");
	if (list != NULL || in != NULL)
		yaml_write_json(list != NULL ? list : in, w);
	else
		jw_null(w);
}

static void write_foreach(struct step_ctx *c, const struct yaml_node *f, struct jw *w)
{
	static const char *const ROOTS[] = {
	    "params", "run", "trigger", "event", "partition", "steps"};
	const struct yaml_node *in = yaml_get(f, "in"), *key = yaml_get(f, "key");
	const char *as = node_text(f, "as", "item");
	struct expr_scope outer = c->scope;
	size_t i;

	for (i = 0; i < sizeof(ROOTS) / sizeof(ROOTS[0]); i++)
		if (strcmp(as, ROOTS[i]) == 0)
			diag_error(c->u->d, yaml_get(f, "as"), "bad-name", "choose another name",
			    "\"%s\" already means something in ${…}", as);
	outer.roots &= ~(unsigned)EXPR_ITEM;
	outer.item_name = NULL;
	expr_check_tree(c->u->d, in, &outer, WANT_LIST);
	expr_check_tree(c->u->d, key, &c->scope, WANT_TEXT);
	jw_key(w, "foreach");
	jw_object(w);
	write_in(c, f, w);
	jw_kstr(w, "as", as);
	if (key != NULL)
		jw_kstr(w, "key", node_text(f, "key", NULL));
	jw_ki64(w, "max_parallel", node_int(f, "max_parallel", 0));
	jw_ki64(w, "tolerate", node_int(yaml_get(f, "tolerate"), "items", 0));
	if (node_int(yaml_get(f, "tolerate"), "percent", 0) > 0)
		jw_ki64(w, "tolerate_percent", node_int(yaml_get(f, "tolerate"), "percent", 0));
	jw_end_object(w);
}

/* ---- retry and times: the step's, else the DAG's, else sluice.yaml's ---- */
static const struct yaml_node *retry_get(const struct step_ctx *c, const char *key)
{
	const struct yaml_node *n = yaml_get(yaml_get(c->n, "retry"), key);

	if (n == NULL)
		n = yaml_get(yaml_get(c->u->root, "retry"), key);
	return n != NULL && !n->bad ? n : NULL;
}

static const struct json *retry_default(const struct step_ctx *c, const char *key)
{
	return json_get(json_path(c->u->in->config, "defaults.retry"), key);
}

static double retry_num(const struct step_ctx *c, const char *key, double fallback)
{
	const struct yaml_node *n = retry_get(c, key);

	return n != NULL ? n->f : json_num(retry_default(c, key), fallback);
}

static int64_t text_ms(const char *text, int64_t fallback)
{
	int64_t ms;

	return text != NULL && str_to_duration_ms(text, &ms) == 0 ? ms : fallback;
}

static int64_t retry_ms(const struct step_ctx *c, const char *key, int64_t fallback)
{
	const struct yaml_node *n = retry_get(c, key);

	return text_ms(n != NULL ? n->text : json_str(retry_default(c, key), NULL), fallback);
}

static void write_retry(const struct step_ctx *c, struct jw *w)
{
	static const char *const CLASSES[] = {"transient", "timeout", "quota", "lost"};
	const struct yaml_node *own = retry_get(c, "classes");
	size_t i;

	jw_key(w, "retry");
	jw_object(w);
	jw_ki64(w, "attempts", (int64_t)retry_num(c, "attempts", 1));
	jw_ki64(w, "delay_ms", retry_ms(c, "delay", 30000));
	jw_key(w, "backoff");
	jw_num(w, retry_num(c, "backoff", 2));
	jw_key(w, "jitter");
	jw_num(w, retry_num(c, "jitter", 0.2));
	jw_ki64(w, "max_delay_ms", retry_ms(c, "max_delay", 600000));
	jw_key(w, "classes");
	if (own != NULL) {
		yaml_write_json(own, w);
	} else if (retry_default(c, "classes") != NULL) {
		jw_json(w, retry_default(c, "classes"));
	} else {
		jw_array(w);
		for (i = 0; i < sizeof(CLASSES) / sizeof(CLASSES[0]); i++)
			jw_str(w, CLASSES[i]);
		jw_end_array(w);
	}
	jw_end_object(w);
}

static void write_limits(const struct step_ctx *c, struct jw *w)
{
	const struct json *config = c->u->in->config;
	int64_t timeout = text_ms(json_str(json_path(config, "defaults.timeout"), NULL), -1);

	write_retry(c, w);
	jw_ki64(w, "timeout_ms", node_ms(c->n, "timeout", node_ms(c->u->root, "timeout", timeout)));
	jw_ki64(w, "grace_ms", node_ms(c->n, "grace", json_get_i64(config, "grace_ms", 10000)));
	jw_ki64(w, "priority", node_int(c->n, "priority", 0));
	jw_kbool(w, "allow_failure", node_bool(c->n, "allow_failure", false));
	jw_kstr(w, "on_lost", node_text(c->n, "on_lost", "retry"));
	jw_kstr(w, "isolate", node_text(c->n, "isolate", "kept"));
	jw_kstr(w, "privileges", node_text(c->n, "privileges", "drop"));
	jw_kbool(w, "exclusive", c->exclusive);
}

static void write_pools(const struct step_ctx *c, struct jw *w)
{
	const struct json *all = json_get(c->u->in->config, "pools");
	const struct yaml_node *map = yaml_get(c->n, "pools"), *p;
	char hint[160];

	if (!usable(map))
		return;
	for (p = map->first; p != NULL; p = p->next) {
		if (c->u->in->config == NULL)
			warn_unchecked(c->u, p);
		else if (json_get(all, p->key) == NULL)
			diag_error_key(c->u->d, p, "unknown-pool",
			    hint_nearest(p->key, all, "add it under pools: in sluice.yaml", hint,
				sizeof(hint)),
			    "sluice.yaml has no pool \"%s\"", p->key);
		else if (p->i > json_get_i64(all, p->key, 0))
			diag_error(c->u->d, p, "out-of-range",
			    "take fewer, or enlarge the pool in sluice.yaml",
			    "the pool \"%s\" has %lld, the step could never run", p->key,
			    (long long)json_get_i64(all, p->key, 0));
	}
	jw_key(w, "pools");
	yaml_write_json(map, w);
}

/* ---- needs, reads, publishes ---- */
/* `match: item` needs a foreach at both ends; two lists that are known must agree. */
static void check_match(const struct step_ctx *c, const struct need *n)
{
	const struct yaml_node *own = yaml_get(c->n, "foreach"), *a, *b,
			       *other = yaml_get(c->u->steps[n->step].node, "foreach");
	const struct yaml_node *mine, *theirs;
	struct diags *d;

	if (own == NULL || other == NULL) {
		diag_error(c->u->d, n->at, "conflicting-keys",
		    "leave match out, or give both steps a foreach",
		    "match: item pairs items, but the step \"%s\" has no foreach",
		    own == NULL ? c->s->name : c->u->steps[n->step].name);
		return;
	}
	theirs = items_of(c->u, other, &d);
	mine = items_of(c->u, own, &d);
	if (mine == NULL || theirs == NULL || yaml_get(own, "key") != NULL ||
	    yaml_get(other, "key") != NULL || mine->n > 2000)
		return; /* compared when it runs */
	for (a = mine->first; a != NULL; a = a->next) {
		for (b = theirs->first;
		     b != NULL && !(is_scalar(a) && is_scalar(b) && strcmp(a->text, b->text) == 0);
		     b = b->next)
			;
		if (b == NULL && is_scalar(a))
			diag_error(d, a, "no-partner", "give both steps the same items",
			    "the step \"%s\" has no item \"%.80s\" to pair with",
			    c->u->steps[n->step].name, a->text);
	}
}

static void write_needs(const struct step_ctx *c, struct jw *w)
{
	size_t i;

	jw_key(w, "needs");
	jw_array(w);
	for (i = 0; i < c->s->needs.n; i++) {
		jw_object(w);
		jw_ki64(w, "step", (int64_t)c->u->steps[c->s->needs.v[i].step].rank);
		if (c->s->needs.v[i].match_item) {
			check_match(c, &c->s->needs.v[i]);
			jw_kstr(w, "match", "item");
		}
		jw_end_object(w);
	}
	jw_end_array(w);
	jw_kstr(w, "when", node_text(c->n, "when", "all_success"));
}

static void note_published(struct step_ctx *c, const struct yaml_node *name)
{
	struct named p = {.at = name};

	if (name == NULL || name->bad || name->kind != YAML_TEXT)
		return;
	(void)str_copy(p.name, sizeof(p.name), name->text);
	p.partition = yaml_get(yaml_get(yaml_get(c->u->root, "datasets"), name->text), "partition");
	VEC_ADD(&c->u->published, p);
}

static void write_reads(struct step_ctx *c, struct jw *w)
{
	const struct yaml_node *reads = yaml_get(c->n, "reads"),
			       *pubs = yaml_get(c->n, "publishes"), *p;
	const struct yaml_node *any = reads != NULL ? reads : pubs;

	if (any != NULL && yaml_get(c->n, "task") == NULL && yaml_get(c->n, "model") == NULL)
		diag_error_key(c->u->d, any, "conflicting-keys",
		    "leave it out: extract and load say it themselves",
		    "\"%s\" belongs to tasks and models", any->key);
	expr_check_tree(c->u->d, reads, &c->scope, WANT_ANY);
	expr_check_tree(c->u->d, pubs, &c->scope, WANT_ANY);
	if (reads != NULL) {
		jw_key(w, "reads");
		yaml_write_json(reads, w);
	}
	if (pubs == NULL || pubs->kind != YAML_LIST)
		return;
	jw_key(w, "publishes");
	jw_array(w);
	for (p = pubs->first; p != NULL; p = p->next) {
		const struct yaml_node *name = p->kind == YAML_MAP ? yaml_get(p, "dataset") : p;

		note_published(c, name);
		jw_object(w);
		jw_kstr(w, "dataset", name != NULL ? name->text : NULL);
		if (p->kind == YAML_MAP && yaml_get(p, "partition") != NULL)
			jw_kstr(w, "partition", node_text(p, "partition", NULL));
		jw_end_object(w);
	}
	jw_end_array(w);
}

/* ---- what the step does ---- */
static void write_task(struct step_ctx *c, const char *role, struct jw *w)
{
	const struct yaml_node *n = yaml_get(c->n, role);
	char keys[40];
	struct role_use r;

	if (n == NULL || n->bad || n->kind != YAML_MAP)
		return;
	snprintf(keys, sizeof(keys), "steps.*.%s", role);
	role_init(&r, n, NULL, role, keys);
	(void)role_resolve(c->u, &r);
	gather_role(c, &r);
	jw_key(w, role);
	jw_object(w);
	role_write_head(&r, w);
	role_write_options(c->u, &r, &c->scope, w);
	jw_end_object(w);
}

static void write_transforms(struct step_ctx *c, struct jw *w)
{
	const struct yaml_node *list = yaml_get(c->n, "transform"), *n;

	if (list == NULL)
		list = yaml_get(yaml_get(c->u->root, "defaults"), "transform");
	if (list == NULL || list->bad || list->kind != YAML_LIST)
		return;
	jw_key(w, "transform");
	jw_array(w);
	for (n = list->first; n != NULL; n = n->next) {
		struct role_use r;

		if (n->bad || n->kind != YAML_MAP)
			continue;
		role_init(&r, n, NULL, "transform", "steps.*.transform[]");
		(void)role_resolve(c->u, &r);
		gather_role(c, &r);
		jw_object(w);
		role_write_head(&r, w);
		role_write_options(c->u, &r, &c->scope, w);
		jw_end_object(w);
	}
	jw_end_array(w);
}

static void write_pipeline(struct step_ctx *c, struct jw *w)
{
	const struct yaml_node *defaults = yaml_get(c->u->root, "defaults");
	const struct yaml_node *extract = yaml_get(c->n, "extract"), *load = yaml_get(c->n, "load");
	struct role_use e, l;

	if (usable(extract)) {
		role_init(&e, extract, yaml_get(defaults, "extract"), "extract", "steps.*.extract");
		(void)role_resolve(c->u, &e);
		gather_role(c, &e);
		c->exclusive = role_get(&e, "cursor") != NULL;
		jw_key(w, "extract");
		extract_write(c->u, &e, &c->scope, w);
	}
	write_transforms(c, w);
	if (usable(load)) {
		role_init(&l, load, yaml_get(defaults, "load"), "load", "steps.*.load");
		(void)role_resolve(c->u, &l);
		gather_role(c, &l);
		jw_key(w, "load");
		load_write(c->u, &l, usable(extract) ? &e : NULL, &c->scope, w);
	}
}

/* One of task, model, or extract with load. Its kind, or NULL where the step does nothing. */
static const char *find_kind(struct step_ctx *c)
{
	static const char *const WHATS[] = {"task", "model", "extract", "load", "transform"};
	const struct yaml_node *task = yaml_get(c->n, "task"), *model = yaml_get(c->n, "model"),
			       *other;
	const struct yaml_node *extract = yaml_get(c->n, "extract"), *load = yaml_get(c->n, "load");
	const struct yaml_node *first = task != NULL ? task : model;
	size_t i;

	for (i = 0; first != NULL && i < sizeof(WHATS) / sizeof(WHATS[0]); i++) {
		other = yaml_get(c->n, WHATS[i]);
		if (other != NULL && other != first)
			diag_error_key(c->u->d, other, "conflicting-keys",
			    "make a second step of it",
			    "a step does one thing; this one has \"%s\" and \"%s\"", first->key,
			    other->key);
	}
	if (first != NULL)
		return task != NULL ? "task" : "model";
	if (extract == NULL && load == NULL) {
		diag_error(c->u->d, c->n, "missing-key",
		    "add task: {…}, or extract: {…} and load: {…}",
		    "the step \"%s\" does not say what it does", c->s->name);
		return NULL;
	}
	if (extract == NULL || load == NULL)
		diag_error(c->u->d, c->n, "missing-key",
		    extract == NULL ? "add extract: where the rows come from"
				    : "add load: where the rows go",
		    "the step \"%s\" has %s without %s", c->s->name,
		    extract == NULL ? "load" : "extract", extract == NULL ? "extract" : "load");
	return "pipeline";
}

static void write_names(struct jw *w, const char *key, const struct gathered *g)
{
	size_t i;

	jw_key(w, key);
	jw_array(w);
	for (i = 0; i < g->n; i++)
		jw_str(w, g->v[i]);
	jw_end_array(w);
}

static void write_roles(struct step_ctx *c, const char *kind)
{
	struct jw w;

	jw_init(&w, &c->roles);
	jw_object(&w);
	if (strcmp(kind, "pipeline") == 0)
		write_pipeline(c, &w);
	else
		write_task(c, kind, &w);
	jw_end_object(&w);
}

/* The members of the roles' object, behind those of the step's. */
static void append_roles(const struct step_ctx *c, struct jw *w)
{
	const char *s = str_peek(&c->roles);

	if (c->roles.failed || c->roles.len <= 2)
		return;
	str_addc(w->out, ',');
	str_addn(w->out, s + 1, c->roles.len - 2);
}

static void write_step(struct unit *u, struct step *s, struct jw *w)
{
	struct step_ctx *c = MEM_NEW(struct step_ctx);
	const struct yaml_node *foreach = yaml_get(s->node, "foreach");
	const char *kind;

	c->u = u;
	c->s = s;
	c->n = s->node;
	str_init(&c->roles, PLAN_MAX_BYTES);
	scope_init(c);
	kind = find_kind(c);
	if (kind != NULL)
		write_roles(c, kind);
	jw_object(w);
	jw_kstr(w, "name", s->name);
	jw_kstr(w, "kind", kind);
	write_needs(c, w);
	if (usable(foreach))
		write_foreach(c, foreach, w);
	write_limits(c, w);
	write_pools(c, w);
	write_reads(c, w);
	write_names(w, "connections", &c->connections);
	write_names(w, "plugins", &c->plugins);
	jw_ki64(w, "needs_mask", c->needs_mask);
	append_roles(c, w);
	jw_end_object(w);
	str_done(&c->roles);
	json_free(c->body);
	mem_free(c->upstream);
	mem_free(c);
}

void steps_write(struct unit *u, struct jw *w)
{
	size_t i;

	jw_array(w);
	for (i = 0; i < u->n_steps; i++) {
		struct step *s = &u->steps[u->sorted ? u->order[i] : i];

		if (!s->node->bad && s->node->kind == YAML_MAP)
			write_step(u, s, w);
	}
	jw_end_array(w);
}
