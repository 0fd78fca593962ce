/* plans.c: compiled files become DAGs. A file that does not compile keeps its last good plan,
 * visibly; a file that vanished ends its schedules and queued runs, its history stays. Runs pin
 * their plan. */
#include "core/sched/tx.h"

#include "core/sched/codec.h"

#include <stdio.h>
#include <string.h>

static int dag_write(struct tx *x, struct dag_rec *d)
{
	struct effect *e = effect_add(x, EFFECT_DAG, d->no);

	e->state = (uint8_t)d->state;
	d->changed_at = x->now;
	return dag_put(x->v, d);
}

/* ---- who listens to what ---- */

static int listen_change(
    struct tx *x, const struct dag_rec *d, const struct plan_trigger *t, bool add)
{
	struct key k;

	key_listen(&k, t->kind == TRIGGER_WEBHOOK ? "hook" : "source", t->hook);
	key_u32(&k, d->no);
	key_text(&k, t->name);
	return add ? view_put(x->v, TABLE_LISTEN, k.b, k.n, NULL, 0)
		   : must(view_del(x->v, TABLE_LISTEN, k.b, k.n));
}

static int subs_change(
    struct tx *x, const struct dag_rec *d, const struct plan_trigger *t, bool add)
{
	struct dataset_rec ds;
	struct key k;
	int rc = 0;

	for (size_t i = 0; rc == 0 && i < t->n_members; i++) {
		rc = dataset_need(x, t->members[i].dataset, &ds);
		if (rc != 0)
			return rc;
		key_sub(&k, ds.no, d->no, t->name);
		rc = add ? view_put(x->v, TABLE_SUB, k.b, k.n, NULL, 0)
			 : view_del(x->v, TABLE_SUB, k.b, k.n);
		if (rc == ERR_NOT_FOUND) /* a data set that is named twice */
			rc = 0;
	}
	return rc;
}

static int triggers_change(struct tx *x, const struct dag_rec *d, const struct plan *p, bool add)
{
	int rc = 0;

	for (size_t i = 0; rc == 0 && i < p->n_triggers; i++) {
		const struct plan_trigger *t = &p->triggers[i];

		if ((t->kind == TRIGGER_WEBHOOK || t->kind == TRIGGER_SOURCE) && t->hook != NULL)
			rc = listen_change(x, d, t, add);
		else if (t->kind == TRIGGER_DATASETS)
			rc = subs_change(x, d, t, add);
	}
	return rc;
}

/* Open joins of triggers that are no more would wait for ever and unseen. */
static int joins_drop(struct tx *x, const struct dag_rec *d, enum table t)
{
	struct view_walk w;
	struct key k;
	int rc;

	key_init(&k);
	key_u32(&k, d->no);
	view_walk_init(&w, x->v, t, k.b, k.n, false);
	while ((rc = view_walk_next(&w, NULL)) == 0) {
		rc = must(view_del(x->v, t, w.key, w.key_n));
		if (rc != 0)
			return rc;
	}
	return rc == ERR_NOT_FOUND ? 0 : rc;
}

/* ---- data sets that a plan names ---- */

static int claim(struct tx *x, const struct dag_rec *d, const char *name)
{
	struct dataset_rec ds;
	int rc;

	if (!str_is_dataset(name) || strlen(name) >= PLAN_DATASET_MAX)
		return 0;
	rc = dataset_need(x, name, &ds);
	if (rc != 0 || ds.owner_dag[0] != 0)
		return rc;
	str_copy(ds.owner_dag, sizeof(ds.owner_dag), d->name);
	return dataset_put(x->v, &ds);
}

/* Declarations first, then what steps write: one DAG owns a data set, the first that says so. */
static int claim_all(struct tx *x, const struct dag_rec *d, const struct plan *p)
{
	int rc = 0;

	for (const struct json *j = json_first(p->datasets); j != NULL && rc == 0; j = json_next(j))
		rc = claim(x, d, json_key(j));
	for (size_t i = 0; rc == 0 && i < p->n_steps; i++) {
		const struct json *s = p->steps[i].json;

		rc = claim(x, d, json_str(json_path(s, "load.dataset"), ""));
		for (const struct json *j = json_first(json_get(s, "publishes"));
		     j != NULL && rc == 0; j = json_next(j))
			rc = claim(x, d, json_get_str(j, "dataset", ""));
	}
	return rc;
}

/* ---- one DAG ---- */

static int old_plan(struct tx *x, const struct dag_rec *d, const struct plan **ret)
{
	*ret = NULL;
	return d->has_plan ? must(dag_plan(x->v, d, ret)) : 0;
}

/* A new plan takes the place of the old one: listeners, schedules, data sets. */
static int plan_switch(struct tx *x, struct dag_rec *d, const struct plan *p)
{
	const struct plan *old;
	bool was_gone = d->state == DAG_GONE;
	int rc = old_plan(x, d, &old);

	if (rc == 0 && old != NULL && !was_gone)
		rc = triggers_change(x, d, old, false);
	if (rc == 0)
		rc = joins_drop(x, d, TABLE_JOIN_MEMBER);
	if (rc == 0)
		rc = joins_drop(x, d, TABLE_JOIN);
	if (rc == 0)
		rc = schedules_drop(x, d, old, p);
	memcpy(d->plan, p->sha, sizeof(d->plan));
	d->has_plan = true;
	d->state = DAG_LIVE;
	if (rc == 0)
		rc = dag_write(x, d);
	if (rc == 0)
		rc = triggers_change(x, d, p, true);
	if (rc == 0)
		rc = claim_all(x, d, p);
	if (rc == 0)
		rc = schedules_set(
		    x, d, p, dag_is_paused(x->v, d) ? SCHEDULES_PAUSE : SCHEDULES_PLAN);
	pump_add(x, d->no); /* max_runs may have grown */
	return rc;
}

static int cancel_queued(struct tx *x, const struct dag_rec *d)
{
	struct cancel_rec c = {
	    .dag_no = d->no, .queued = true, .message = "cancelled: the DAG's file is gone"};
	uint32_t count;

	return cancel_many(x, &c, &count);
}

static int dag_gone(struct tx *x, struct dag_rec *d)
{
	const struct plan *old;
	int rc;

	if (d->state == DAG_GONE)
		return 0;
	rc = old_plan(x, d, &old);
	if (rc == 0 && old != NULL)
		rc = triggers_change(x, d, old, false);
	if (rc == 0)
		rc = joins_drop(x, d, TABLE_JOIN_MEMBER);
	if (rc == 0)
		rc = joins_drop(x, d, TABLE_JOIN);
	if (rc == 0)
		rc = schedules_drop(x, d, NULL, NULL);
	d->state = DAG_GONE;
	if (rc == 0)
		rc = dag_write(x, d);
	x->r->removed++;
	return rc != 0 ? rc : cancel_queued(x, d);
}

static int dag_new(struct tx *x, const char *name, struct dag_rec *ret)
{
	uint8_t value[4];
	uint64_t no;
	int rc = next_no(x, META_NEXT_DAG, &no);

	memset(ret, 0, sizeof(*ret));
	ret->no = (uint32_t)no;
	str_copy(ret->name, sizeof(ret->name), name);
	be_put32(value, ret->no);
	if (rc == 0)
		rc = view_put(x->v, TABLE_DAG_NAME, name, strlen(name), value, sizeof(value));
	return rc;
}

/* ---- one file ---- */

static int gone_named(struct tx *x, const char *dag, const char *path)
{
	struct dag_rec d;
	int rc = dag_get_named(x->v, dag, &d);

	if (rc != 0 || strcmp(d.file, path) != 0)
		return rc == ERR_NOT_FOUND ? 0 : rc; /* another file has it now */
	return dag_gone(x, &d);
}

static int file_gone(struct tx *x, const char *path)
{
	struct file_rec f;
	int rc = file_get(x->v, path, &f, NULL);

	if (rc != 0)
		return rc == ERR_NOT_FOUND ? 0 : rc;
	rc = must(view_del(x->v, TABLE_FILE, path, strlen(path)));
	return rc != 0 ? rc : gone_named(x, f.dag, path);
}

/* The file's DAG stays what it was, marked: the last good plan is live. The file record keeps the
 * DAG's name, so that a later disappearance is understood. */
static int file_broken(struct tx *x, const struct op_file *f, const char *was_dag)
{
	struct file_rec rec = f->rec;
	struct dag_rec d;
	int rc;

	rec.ok = false;
	str_copy(rec.dag, sizeof(rec.dag), was_dag);
	rc = file_put(x->v, f->path, &rec, f->report != NULL ? f->report : "{}");
	if (rc != 0 || was_dag[0] == 0)
		return rc;
	rc = dag_get_named(x->v, was_dag, &d);
	if (rc != 0 || strcmp(d.file, f->path) != 0 || d.state != DAG_LIVE)
		return rc == ERR_NOT_FOUND ? 0 : rc;
	d.state = DAG_BROKEN;
	x->r->changed++;
	return dag_write(x, &d);
}

/* A list that another file's foreach reads: no DAG, also where it was one. */
static int file_list(struct tx *x, const struct op_file *f)
{
	int rc = file_gone(x, f->path);

	return rc != 0 ? rc
		       : file_put(x->v, f->path, &f->rec, f->report != NULL ? f->report : "{}");
}

static int file_clash(struct tx *x, const struct op_file *f, const struct dag_rec *d)
{
	struct str report;
	struct op_file broken = *f;
	struct jw w;
	char text[512];
	int rc;

	snprintf(text, sizeof(text), "DAG %s is defined in %.200s already: rename one of them",
	    d->name, d->file);
	str_init(&report, 8192);
	jw_init(&w, &report);
	jw_object(&w);
	jw_kstr(&w, "path", f->path);
	jw_kstr(&w, "dag", d->name);
	jw_key(&w, "errors");
	jw_array(&w);
	jw_object(&w);
	jw_ki64(&w, "line", 1);
	jw_ki64(&w, "column", 1);
	jw_kstr(&w, "key", "dag");
	jw_kstr(&w, "code", "duplicate-dag");
	jw_kstr(&w, "message", text);
	jw_end_object(&w);
	jw_end_array(&w);
	jw_end_object(&w);
	broken.report = str_peek(&report);
	/* without a signature it is compiled again each time: the other file may go */
	memset(&broken.rec, 0, sizeof(broken.rec));
	rc = file_broken(x, &broken, "");
	str_done(&report);
	return rc;
}

static int plan_store(struct tx *x, const struct op_file *f, const struct plan **ret)
{
	uint8_t sha[HASH_SHA256_BYTES];
	int rc;

	hash_sha256(f->plan, f->plan_n, sha);
	rc = view_add(x->v, TABLE_PLAN, sha, sizeof(sha), f->plan, f->plan_n);
	if (rc != 0 && rc != ERR_EXISTS)
		return rc;
	return must(x->v->plan(x->v->ctx, sha, ret, NULL));
}

static int file_plan(struct tx *x, const struct op_file *f, const struct plan *p)
{
	struct file_rec rec = f->rec;
	struct dag_rec d;
	bool fresh, same;
	int rc = dag_get_named(x->v, p->dag, &d);

	if (rc != 0 && rc != ERR_NOT_FOUND)
		return rc;
	fresh = rc == ERR_NOT_FOUND;
	if (!fresh && d.state != DAG_GONE && strcmp(d.file, f->path) != 0)
		return file_clash(x, f, &d);
	rc = fresh ? dag_new(x, p->dag, &d) : 0;
	rec.ok = true;
	str_copy(rec.dag, sizeof(rec.dag), p->dag);
	if (rc == 0)
		rc = file_put(x->v, f->path, &rec, f->report != NULL ? f->report : "{}");
	if (rc != 0)
		return rc;
	same = !fresh && d.state == DAG_LIVE && memcmp(d.plan, p->sha, sizeof(d.plan)) == 0;
	if (same) {
		x->r->same++;
		return 0;
	}
	if (fresh || d.state == DAG_GONE)
		x->r->added++;
	else
		x->r->changed++;
	str_copy(d.file, sizeof(d.file), f->path);
	if (d.state == DAG_BROKEN && memcmp(d.plan, p->sha, sizeof(d.plan)) == 0) {
		d.state = DAG_LIVE; /* mended, and nothing else changed */
		return dag_write(x, &d);
	}
	return plan_switch(x, &d, p);
}

static int file_apply(struct tx *x, const struct op_file *f)
{
	char was_dag[PLAN_NAME_MAX] = "";
	const struct plan *p;
	struct file_rec old;
	int rc;

	if (f->gone)
		return file_gone(x, f->path);
	if (f->same) {
		x->r->same++;
		return 0;
	}
	rc = file_get(x->v, f->path, &old, NULL);
	if (rc == 0)
		str_copy(was_dag, sizeof(was_dag), old.dag);
	else if (rc != ERR_NOT_FOUND)
		return rc;
	if (f->plan == NULL)
		return f->rec.ok ? file_list(x, f) : file_broken(x, f, was_dag);
	rc = plan_store(x, f, &p);
	if (rc == 0 && was_dag[0] != 0 && strcmp(was_dag, p->dag) != 0)
		rc = gone_named(x, was_dag, f->path);
	return rc != 0 ? rc : file_plan(x, f, p);
}

static bool listed(const struct op *op, const uint8_t *path, size_t n)
{
	for (size_t i = 0; i < op->u.plans.n_files; i++) {
		const struct op_file *f = &op->u.plans.files[i];

		if (!f->gone && strlen(f->path) == n && memcmp(f->path, path, n) == 0)
			return true;
	}
	return false;
}

static int drop_unlisted(struct tx *x, const struct op *op)
{
	char path[VIEW_KEY_MAX + 1];
	struct view_walk w;
	int rc;

	view_walk_init(&w, x->v, TABLE_FILE, NULL, 0, false);
	while ((rc = view_walk_next(&w, NULL)) == 0) {
		if (listed(op, w.key, w.key_n))
			continue;
		memcpy(path, w.key, w.key_n);
		path[w.key_n] = 0;
		rc = file_gone(x, path);
		if (rc != 0)
			return rc;
	}
	return rc == ERR_NOT_FOUND ? 0 : rc;
}

/* Plans that do not parse are the compiler's fault; known before anything is written. */
static int check_plans(struct tx *x, const struct op *op)
{
	for (size_t i = 0; i < op->u.plans.n_files; i++) {
		const struct op_file *f = &op->u.plans.files[i];
		struct err err = {0};
		struct plan *p;

		if (f->path[0] == 0 || strlen(f->path) >= sizeof(((struct dag_rec *)0)->file))
			return refuse(x, ERR_LIMIT, "the path of a DAG file is empty or too long");
		if (f->plan == NULL)
			continue;
		if (plan_parse(f->plan, f->plan_n, &p, &err) != 0)
			return refuse(x, ERR_PARSE, "%.200s: %.250s", f->path, err.text);
		plan_free(p);
	}
	return 0;
}

int op_plans(struct tx *x, const struct op *op)
{
	int rc = check_plans(x, op);

	if (rc != 0 || x->r->rc != 0)
		return rc;
	/* what is gone first: a DAG may have moved to another file */
	if (op->u.plans.complete)
		rc = drop_unlisted(x, op);
	for (size_t i = 0; rc == 0 && i < op->u.plans.n_files; i++)
		rc = op->u.plans.files[i].gone ? file_apply(x, &op->u.plans.files[i]) : 0;
	for (size_t i = 0; rc == 0 && i < op->u.plans.n_files; i++)
		rc = op->u.plans.files[i].gone ? 0 : file_apply(x, &op->u.plans.files[i]);
	return rc;
}
