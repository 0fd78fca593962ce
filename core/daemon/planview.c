/* planview.c: see planview.h. Owner: the caller. */
#include "core/daemon/planview.h"

#include "core/base/hash.h"
#include "core/base/mem.h"
#include "core/dag/plan.h"
#include "core/sched/table.h"

#include <string.h>

void plan_view_init(struct plan_view *p)
{
	*p = (struct plan_view){.add = json_new_array(),
	    .change = json_new_array(),
	    .remove = json_new_array(),
	    .errors = json_new_array(),
	    .details = json_new_object(),
	    .present = json_new_object()};
}

void plan_view_done(struct plan_view *p)
{
	json_free(p->add);
	json_free(p->change);
	json_free(p->remove);
	json_free(p->errors);
	json_free(p->details);
	json_free(p->present);
	memset(p, 0, sizeof(*p));
}

void plan_view_errors(
    struct plan_view *p, const char *folder, const char *path, const struct json *report)
{
	const char *name = strrchr(folder, '/');
	struct json *e;
	struct str shown; /* "dags/a.yaml", as a person would name it */

	str_init(&shown, 8192);
	str_addf(&shown, "%s/%s", name ? name + 1 : folder, path);
	for (const struct json *at = json_first(json_get(report, "errors")); at;
	     at = json_next(at)) {
		e = json_dup(at);
		json_put(e, "path", json_new_str(str_peek(&shown)));
		json_push(p->errors, e);
	}
	str_done(&shown);
}

/* ---- what changed in a DAG ---- */

/* Steps name what they need by number; a step before them shifts those without changing them. */
static struct json *step_by_names(const struct json *step, const struct json *steps)
{
	struct json *copy = json_dup(step), *needs = json_new_array(), *need;
	const struct json *to;

	for (const struct json *n = json_first(json_get(step, "needs")); n; n = json_next(n)) {
		need = json_dup(n);
		to = json_at(steps, (size_t)json_get_i64(n, "step", 0));
		json_put(need, "step", json_new_str(json_get_str(to, "name", "")));
		json_push(needs, need);
	}
	json_put(copy, "needs", needs);
	return copy;
}

static const struct json *by_name(const struct json *list, const char *name)
{
	if (json_is(list, JSON_OBJECT))
		return json_get(list, name);
	for (const struct json *j = json_first(list); j; j = json_next(j)) {
		if (str_eq(json_get_str(j, "name", ""), name))
			return j;
	}
	return NULL;
}

static const char *name_of(const struct json *list, const struct json *member)
{
	return json_is(list, JSON_OBJECT) ? json_key(member) : json_get_str(member, "name", "");
}

static bool member_is_same(const struct json *was_list, const struct json *was,
    const struct json *is_list, const struct json *is, bool steps)
{
	struct json *a, *b;
	bool same;

	if (!steps)
		return json_equal(was, is);
	a = step_by_names(was, was_list);
	b = step_by_names(is, is_list);
	same = json_equal(a, b);
	json_free(a);
	json_free(b);
	return same;
}

/* {"add":[…],"change":[…],"remove":[…]} of the members of two lists or objects, by name. */
static struct json *compare(const struct json *was, const struct json *is, bool steps)
{
	struct json *add = json_new_array(), *change = json_new_array(), *remove = json_new_array(),
		    *out = json_new_object();
	const struct json *old;
	const char *name;

	for (const struct json *j = json_first(is); j; j = json_next(j)) {
		name = name_of(is, j);
		old = by_name(was, name);
		if (!old)
			json_push(add, json_new_str(name));
		else if (!member_is_same(was, old, is, j, steps))
			json_push(change, json_new_str(name));
	}
	for (const struct json *j = json_first(was); j; j = json_next(j)) {
		name = name_of(was, j);
		if (!by_name(is, name))
			json_push(remove, json_new_str(name));
	}
	json_put(out, "add", add);
	json_put(out, "change", change);
	json_put(out, "remove", remove);
	return out;
}

/* Members of the plan beside the three lists: max_runs, timezone, params … */
static struct json *settings(const struct json *was, const struct json *is)
{
	static const char *const lists[] = {"v", "dag", "triggers", "steps", "datasets"};
	struct json *out = json_new_array();
	bool listed;

	for (const struct json *j = json_first(is); was && j; j = json_next(j)) {
		listed = false;
		for (size_t i = 0; i < sizeof(lists) / sizeof(lists[0]); i++)
			listed = listed || str_eq(json_key(j), lists[i]);
		if (!listed && !json_equal(json_get(was, json_key(j)), j))
			json_push(out, json_new_str(json_key(j)));
	}
	return out;
}

static void put_details(struct plan_view *p, const char *dag, const char *path,
    const struct json *was, const struct json *is, const struct json *report)
{
	const struct json *next = json_first(json_get(report, "next"));
	struct json *d = json_new_object();

	json_put(d, "file", json_new_str(path));
	json_put(
	    d, "triggers", compare(json_get(was, "triggers"), json_get(is, "triggers"), false));
	json_put(d, "steps", compare(json_get(was, "steps"), json_get(is, "steps"), true));
	json_put(
	    d, "datasets", compare(json_get(was, "datasets"), json_get(is, "datasets"), false));
	json_put(d, "settings", settings(was, is));
	json_put(d, "next", next ? json_dup(next) : json_new_null());
	json_put(p->details, dag, d);
}

/* The plan that the store has for it, as JSON; NULL: none. The caller frees. */
static struct json *stored_plan(const struct view *v, const struct dag_rec *r)
{
	const struct plan *plan;

	return dag_plan(v, r, &plan) == 0 ? json_dup(plan->root) : NULL;
}

void plan_view_dag(struct plan_view *p, const struct view *v, const char *dag, const char *path,
    const char *plan, size_t n, const struct json *report)
{
	struct json *was = NULL, *is = NULL;
	uint8_t sha[HASH_SHA256_BYTES];
	struct dag_rec r;
	int rc = v ? dag_get_named(v, dag, &r) : ERR_IO;

	json_put(p->present, dag, json_new_bool(true));
	hash_sha256(plan, n, sha);
	if (rc == 0 && r.state != DAG_GONE && r.has_plan) {
		if (memcmp(r.plan, sha, sizeof(sha)) == 0) {
			p->same++;
			return;
		}
		was = stored_plan(v, &r);
	}
	json_push(was ? p->change : p->add, json_new_str(dag));
	if (json_parse(plan, n, PLAN_MAX_BYTES, &is, NULL) == 0)
		put_details(p, dag, path, was, is, report);
	json_free(was);
	json_free(is);
}

void plan_view_gone(struct plan_view *p, const char *dag, const char *path)
{
	struct json *d = json_new_object();

	json_push(p->remove, json_new_str(dag));
	json_put(d, "file", json_new_str(path));
	json_put(p->details, dag, d);
}

void plan_view_print(const struct plan_view *p, struct str *out)
{
	struct jw w;

	jw_init(&w, out);
	jw_object(&w);
	jw_key(&w, "add");
	jw_json(&w, p->add);
	jw_key(&w, "change");
	jw_json(&w, p->change);
	jw_key(&w, "remove");
	jw_array(&w);
	for (const struct json *d = json_first(p->remove); d; d = json_next(d)) {
		if (!json_get(p->present, json_str(d, ""))) /* else it moved to another file */
			jw_json(&w, d);
	}
	jw_end_array(&w);
	jw_ki64(&w, "same", p->same);
	jw_key(&w, "errors");
	jw_json(&w, p->errors);
	jw_key(&w, "details");
	jw_json(&w, p->details);
	jw_end_object(&w);
}
