/* compile.c: one DAG file after the other, then all together; the plan's head and the check object.
 */
#include "core/dagfile/compile.h"

#include "core/base/io.h"
#include "core/base/mem.h"
#include "core/dagfile/compile_int.h"

#include <stdio.h>
#include <string.h>

static const char *const PROMISES[PROMISE_N] = {"none", "at_least_once", "replace", "once"};

const char *hint_nearest(
    const char *name, const struct json *object, const char *fallback, char *buf, size_t size)
{
	const char *names[200], *near;
	const struct json *m;
	size_t n = 0;

	for (m = json_first(object); m != NULL && n < 200; m = json_next(m))
		names[n++] = json_key(m);
	near = str_nearest(name, names, n);
	if (near == NULL)
		return fallback;
	snprintf(buf, size, "did you mean \"%s\"?", near);
	return buf;
}

void warn_unchecked(struct unit *u, const struct yaml_node *at)
{
	size_t i;

	for (i = 0; i < u->d->list.n; i++)
		if (strcmp(u->d->list.v[i].code, "names-not-checked") == 0)
			return;
	diag_warn(u->d, at, "names-not-checked",
	    u->in->config_broken ? "mend sluice.yaml first"
				 : "name it with -c, or set SLUICE_CONFIG",
	    "%s the names of connections and hooks, and the options of steps that use them, are "
	    "not "
	    "checked",
	    u->in->config_broken ? "while sluice.yaml has errors" : "without sluice.yaml");
}

/* ---- the plan ---- */
static void check_receiver(struct unit *u, const struct yaml_node *n)
{
	const struct json *all = json_get(u->in->config, "notify");
	char hint[200];

	if (n->bad || n->kind != YAML_TEXT)
		return;
	if (u->in->config == NULL)
		warn_unchecked(u, n);
	else if (json_get(all, n->text) == NULL)
		diag_error(u->d, n, "unknown-notify",
		    hint_nearest(
			n->text, all, "add it under notify: in sluice.yaml", hint, sizeof(hint)),
		    "sluice.yaml has no \"%.80s\" under notify:", n->text);
}

/* Who is told: the file's own list, else that of sluice.yaml's defaults. */
static void write_receivers(struct unit *u, const char *key, struct jw *w)
{
	const struct yaml_node *n = yaml_get(u->root, key), *e;
	const struct json *def = json_get(json_get(u->in->config, "defaults"), key);

	jw_key(w, key);
	if (n != NULL && !n->bad && n->kind == YAML_LIST) {
		for (e = n->first; e != NULL; e = e->next)
			check_receiver(u, e);
		yaml_write_json(n, w);
	} else if (n == NULL && json_is(def, JSON_ARRAY)) {
		jw_json(w, def);
	} else {
		jw_array(w);
		jw_end_array(w);
	}
}

static const char *find_zone(const struct unit *u)
{
	const char *fallback = json_str(json_path(u->in->config, "defaults.timezone"), "UTC");

	return node_text(u->root, "timezone", fallback);
}

static void write_limits(struct unit *u, struct jw *w)
{
	const struct yaml_node *c = yaml_get(u->root, "concurrency");
	const char *run = json_str(json_path(u->in->config, "defaults.run_timeout"), NULL);
	int64_t run_ms = -1;

	if (run == NULL || str_to_duration_ms(run, &run_ms) != 0)
		run_ms = -1;
	jw_ki64(w, "max_runs", node_int(c, "max_runs", 1));
	jw_kstr(w, "overlap", node_text(c, "overlap", "queue"));
	jw_ki64(w, "run_timeout_ms", node_ms(u->root, "run_timeout", run_ms));
	jw_ki64(w, "queue_timeout_ms", node_ms(u->root, "queue_timeout", -1));
	jw_ki64(w, "late_after_ms", node_ms(u->root, "late_after", -1));
	jw_ki64(w, "priority", node_int(u->root, "priority", 0));
	write_receivers(u, "on_success", w);
	write_receivers(u, "on_failure", w);
	write_receivers(u, "on_exit", w);
}

static void note_owned(struct unit *u)
{
	const struct yaml_node *map = yaml_get(u->root, "datasets"), *n;

	for (n = map != NULL && map->kind == YAML_MAP ? map->first : NULL; n != NULL; n = n->next) {
		struct named o = {.at = n, .partition = yaml_get(n, "partition")};

		(void)str_copy(o.name, sizeof(o.name), n->key);
		VEC_ADD(&u->owned, o);
	}
}

static bool owned_already(const struct unit *u, const char *name)
{
	size_t i;

	for (i = 0; i < u->owned.n; i++)
		if (strcmp(u->owned.v[i].name, name) == 0)
			return true;
	return false;
}

/* Declarations, and the partitions that loads give to data sets without one. */
static void write_datasets(struct unit *u, struct jw *w)
{
	size_t i, j;

	jw_key(w, "datasets");
	jw_object(w);
	for (i = 0; i < u->owned.n; i++) {
		jw_key(w, u->owned.v[i].name);
		jw_object(w);
		if (u->owned.v[i].partition != NULL)
			partition_write(u, u->owned.v[i].partition, w);
		jw_end_object(w);
	}
	for (i = 0; i < u->published.n; i++) {
		const struct named *p = &u->published.v[i];

		for (j = 0; j < i && strcmp(u->published.v[j].name, p->name) != 0; j++)
			;
		if (j < i || p->partition == NULL || owned_already(u, p->name) ||
		    expr_is_template(p->name))
			continue;
		jw_key(w, p->name);
		jw_object(w);
		partition_write(u, p->partition, w);
		jw_end_object(w);
	}
	jw_end_object(w);
}

static void write_plan(struct unit *u, struct str *out)
{
	struct jw w;

	jw_init(&w, out);
	jw_object(&w);
	jw_ki64(&w, "v", 1);
	jw_kstr(&w, "dag", u->out->dag);
	jw_kstr(&w, "description", node_text(u->root, "description", ""));
	jw_kstr(&w, "owner", node_text(u->root, "owner", ""));
	jw_kstr(&w, "timezone", u->zone);
	jw_key(&w, "params");
	params_write(u, yaml_get(u->root, "params"), &w);
	jw_key(&w, "triggers");
	triggers_write(u, &w);
	write_limits(u, &w);
	jw_key(&w, "steps");
	steps_write(u, &w);
	write_datasets(u, &w);
	jw_kstr(&w, "promise", PROMISES[u->promise == PROMISE_N ? PROMISE_NONE : u->promise]);
	jw_end_object(&w);
}

/* ---- one file ---- */
static void compile_one(struct unit *u)
{
	struct str plan;

	if (u->file->text == NULL) {
		diag_at(u->d, 1, 1, "", false, "unreadable",
		    "check that it is there and may be read", "%s",
		    u->file->unreadable != NULL ? u->file->unreadable : "the file cannot be read");
		return;
	}
	u->doc = yaml_doc_parse(u->file->text, u->file->n, u->d);
	u->root = yaml_doc_root(u->doc);
	if (u->root == NULL)
		return;
	/* items, see cross_check; but `- dag: x` was meant as a DAG */
	u->out->list = u->root->kind == YAML_LIST && yaml_get(u->root->first, "dag") == NULL;
	if (u->out->list)
		return;
	if (u->root->kind != YAML_MAP) {
		diag_error(u->d, u->root, "wrong-type", "begin with dag: NAME",
		    "a DAG file is a map of keys, not %s", yaml_kind_name(u->root));
		return;
	}
	keys_check(u->d, u->root, &KEYS_DAG, "", false);
	(void)str_copy(u->out->dag, sizeof(u->out->dag), node_text(u->root, "dag", ""));
	u->zone = find_zone(u);
	u->params = params_types(yaml_get(u->root, "params"));
	note_owned(u);
	graph_read(u);
	str_init(&plan, PLAN_MAX_BYTES);
	write_plan(u, &plan);
	u->out->promise = PROMISES[u->promise == PROMISE_N ? PROMISE_NONE : u->promise];
	if (plan.failed)
		diag_at(u->d, 1, 1, "", false, "too-long", "split the DAG",
		    "the compiled plan passes %u bytes", PLAN_MAX_BYTES);
	u->out->plan_n = plan.len;
	u->out->plan = plan.failed ? NULL : str_take(&plan);
	str_done(&plan);
}

static void unit_init(
    struct unit *u, const struct compile_input *in, size_t i, struct compile_result *out)
{
	memset(u, 0, sizeof(*u));
	u->in = in;
	u->file = &in->files[i];
	u->out = out;
	u->d = &out->diags;
	u->zone = "UTC";
	u->promise = PROMISE_N;
	u->folder = io_path_dir(u->file->path);
	out->path = mem_strdup(u->file->path);
	out->promise = PROMISES[PROMISE_NONE];
	diags_init(&out->diags);
}

static void unit_done(struct unit *u)
{
	graph_done(u);
	json_free(u->params);
	yaml_doc_free(u->doc);
	mem_free(u->folder);
	include_done(u);
	VEC_DONE(&u->owned);
	VEC_DONE(&u->published);
	VEC_DONE(&u->members);
}

static void settle(struct unit *u)
{
	struct compile_result *r = u->out;

	if (r->diags.n_dropped > 0)
		r->diags.n_errors++; /* what was not kept counts too */
	diags_sort(&r->diags);
	r->ok = r->diags.n_errors == 0;
	if (!r->ok || u->unresolved) {
		mem_free(r->plan);
		r->plan = NULL;
		r->plan_n = 0;
	}
	if (!r->ok)
		r->n_next = 0;
}

struct compile_output *compile_set(const struct compile_input *in)
{
	struct compile_output *out = MEM_NEW(struct compile_output);
	struct unit *units = mem_calloc(in->n_files + 1, sizeof(*units));
	size_t i;

	out->n = in->n_files;
	out->v = mem_calloc(in->n_files + 1, sizeof(*out->v));
	out->ok = true;
	for (i = 0; i < in->n_files; i++) {
		unit_init(&units[i], in, i, &out->v[i]);
		compile_one(&units[i]);
	}
	cross_check(units, in->n_files, in);
	for (i = 0; i < in->n_files; i++) {
		settle(&units[i]);
		out->ok = out->ok && out->v[i].ok;
		unit_done(&units[i]);
	}
	mem_free(units);
	return out;
}

void compile_output_free(struct compile_output *out)
{
	size_t i, j;

	if (out == NULL)
		return;
	for (i = 0; i < out->n; i++) {
		mem_free(out->v[i].path);
		mem_free(out->v[i].plan);
		diags_done(&out->v[i].diags);
		for (j = 0; j < out->v[i].inputs.n; j++)
			mem_free(out->v[i].inputs.v[j]);
		VEC_DONE(&out->v[i].inputs);
	}
	mem_free(out->v);
	mem_free(out);
}

/* ---- reports ---- */
void compile_write_report(const struct compile_result *r, struct jw *w)
{
	size_t i;

	jw_object(w);
	jw_kstr(w, "path", r->path);
	jw_kstr(w, "dag", r->dag[0] != '\0' ? r->dag : NULL);
	jw_kstr(w, "promise", r->promise);
	diags_write(&r->diags, w);
	jw_key(w, "next");
	jw_array(w);
	for (i = 0; i < r->n_next; i++)
		jw_time(w, r->next[i]);
	jw_end_array(w);
	jw_end_object(w);
}

void compile_write_check(const struct compile_output *out, struct jw *w)
{
	size_t i;

	jw_object(w);
	jw_kbool(w, "ok", out->ok);
	jw_key(w, "files");
	jw_array(w);
	for (i = 0; i < out->n; i++)
		compile_write_report(&out->v[i], w);
	jw_end_array(w);
	jw_end_object(w);
}
