/* fire.c: runs that follow a publication: `any`, `all`, `at_least`, with or without a join by
 * partition. Inside the transaction that published, so there is no moment in which a data set is
 * updated and its consumer is not started. Each publication is an event of its own with a verdict.
 */
#include "core/sched/tx.h"

#include "core/sched/codec.h"
#include "core/time/calendar.h"

#include <stdio.h>
#include <string.h>

struct fire {
	struct dataset_rec ds;
	struct version_rec ver;
	struct event_rec *e;
	int to;	       /* published.to */
	uint64_t once; /* published.once */
	/* the subscriber at hand */
	struct dag_rec dag;
	const struct plan *plan;
	const struct plan_trigger *t;
	/* what its run consumes */
	uint64_t events[16];
	size_t n_events;
	struct json *members; /* owned: [{"name","partition","version"}] */
	char partition[PLAN_PARTITION_MAX];
	bool mixed; /* the members are of different partitions */
};

static void consume(
    struct fire *f, const char *dataset, const struct version_rec *ver, uint64_t event)
{
	struct json *o = json_new_object();

	if (json_len(f->members) == 0)
		str_copy(f->partition, sizeof(f->partition), ver->partition);
	else if (strcmp(f->partition, ver->partition) != 0)
		f->mixed = true;
	json_put(o, "name", json_new_str(dataset));
	json_put(o, "partition",
	    ver->partition[0] != 0 ? json_new_str(ver->partition) : json_new_null());
	json_put(o, "version", json_new_i64((int64_t)ver->version));
	json_push(f->members, o);
	if (f->n_events < sizeof(f->events) / sizeof(f->events[0]) && event != 0)
		f->events[f->n_events++] = event;
}

/* ---- the run ---- */

/* "day=2026-11-21" names a period: it becomes the run's window and logical time. */
static void window_of_partition(const struct fire *f, struct run_new *n)
{
	const struct json *decl = json_get(f->plan->datasets, f->ds.name);
	const char *zone_name = json_str(json_path(decl, "partition.zone"), f->t->zone);
	const char *eq = strchr(f->partition, '=');
	const struct tz *zone;
	enum cal_unit unit;
	char name[16];

	if (eq == NULL || (size_t)(eq - f->partition) >= sizeof(name))
		return;
	memcpy(name, f->partition, (size_t)(eq - f->partition));
	name[eq - f->partition] = 0;
	if (cal_unit_parse(name, &unit) != 0 || tz_load(zone_name, &zone, NULL) != 0 ||
	    cal_key_parse(unit, zone, eq + 1, &n->window_start, NULL) != 0)
		return;
	n->window_end = cal_add(unit, zone, n->window_start, 1);
	n->logical_time = n->window_start;
}

static struct json *fire_env(const struct fire *f, const char *partition)
{
	struct json *env = json_new_object(), *o = json_new_object();
	char seq[24];

	json_put(o, "name", json_new_str(f->t->name));
	json_put(o, "kind", json_new_str("datasets"));
	json_put(o, "datasets", json_dup(f->members));
	json_put(env, "trigger", o);
	json_put(env, "params", json_new_object());
	json_put(env, "partition", partition != NULL ? json_new_str(partition) : json_new_null());
	snprintf(seq, sizeof(seq), "%llu", (unsigned long long)f->e->seq);
	o = json_new_object();
	json_put(o, "seq", json_new_str(seq));
	json_put(o, "source", json_new_str(f->e->source));
	json_put(o, "type", json_new_str(f->e->type));
	json_put(o, "subject", json_new_str(f->e->subject));
	json_put(o, "body", json_new_null());
	json_put(env, "event", o);
	return env;
}

/* ERR_NOT_FOUND: the reopened run that is telling has not started this one yet. */
static int told_before(struct tx *x, const struct run_new *n, uint64_t *ret_run)
{
	struct run_rec last;
	int rc = flow_settle(x);

	/* a run that another trigger started just now is not written before it is closed */
	if (rc == 0)
		rc = run_close(x);
	if (rc == 0)
		rc = run_newest(x, n, &last);
	if (rc != 0)
		return rc;
	*ret_run = last.no;
	for (size_t i = 0; i < x->once_runs.n; i++) {
		if (x->once_runs.v[i] == last.no)
			return 0;
	}
	return ERR_NOT_FOUND;
}

static int insert(struct tx *x, struct fire *f, const char *key, const struct trigger_eval *ev,
    const char *partition, uint64_t *ret_run)
{
	struct trigger_doc doc = {
	    TRIGGER_DATASETS, f->t->name, f->events, f->n_events, partition, f->members, 0};
	struct run_new n = {.dag = &f->dag,
	    .plan = f->plan,
	    .kind = TRIGGER_DATASETS,
	    .trigger = f->t->name,
	    .space = ev->key[0] != 0 ? SPACE_KEY : SPACE_JOIN,
	    .key = ev->key[0] != 0 ? ev->key : key,
	    .next_revision = true,
	    .params = ev->params,
	    .window_start = TIME_NONE,
	    .window_end = TIME_NONE,
	    .logical_time = x->now,
	    .event = f->e->seq};
	struct str text;
	bool existed;
	int rc;

	if (partition != NULL)
		window_of_partition(f, &n);
	str_init(&text, PLAN_MAX_BYTES);
	trigger_doc_write(&doc, &text);
	n.doc = str_peek(&text);
	rc = f->once != 0 ? told_before(x, &n, ret_run) : ERR_NOT_FOUND;
	if (rc == ERR_NOT_FOUND) {
		rc = run_insert(x, &n, ret_run, &existed);
		if (rc == 0 && f->once != 0)
			VEC_ADD(&x->once_runs, *ret_run);
	}
	str_done(&text);
	if (rc != 0)
		return rc;
	event_outcome(x, f->e, &n, *ret_run, false);
	return 0;
}

/* *ret_run 0: the trigger's own rules refused it; the event says why. */
static int start(struct tx *x, struct fire *f, const char *key, uint64_t *ret_run)
{
	const char *partition = f->mixed || f->partition[0] == 0 ? NULL : f->partition;
	struct json *env = fire_env(f, partition);
	struct trigger_eval ev;
	struct err err = {0};
	int rc = trigger_evaluate(f->plan, f->t, env, &ev, &err);

	*ret_run = 0;
	if (rc != 0) {
		event_verdict(f->e, VERDICT_REJECTED);
		event_detail(f->e, "DAG %s, trigger %s: %.200s", f->dag.name, f->t->name, err.text);
		rc = 0;
	} else if (!ev.where) {
		event_detail(f->e, "DAG %s, trigger %s: `where` is false", f->dag.name, f->t->name);
	} else {
		rc = insert(x, f, key, &ev, partition, ret_run);
	}
	json_free(ev.params);
	json_free(env);
	return rc;
}

static int fire_any(struct tx *x, struct fire *f)
{
	char key[PLAN_KEY_MAX + 32];
	uint64_t run;

	consume(f, f->ds.name, &f->ver, f->e->seq);
	if (f->ver.partition[0] != 0)
		snprintf(key, sizeof(key), "%s", f->ver.partition);
	else
		snprintf(key, sizeof(key), "%.200s@%llu", f->ds.name,
		    (unsigned long long)f->ver.version);
	return start(x, f, key, &run);
}

/* ---- joins ---- */

static int member_put(struct tx *x, const struct fire *f, const char *key)
{
	uint8_t value[16];
	struct key k;

	be_put64(value, f->ver.version);
	be_put64(value + 8, f->e->seq);
	key_join_member(&k, f->dag.no, f->t->name, key, f->ds.no);
	return view_put(x->v, TABLE_JOIN_MEMBER, k.b, k.n, value, sizeof(value));
}

/* ERR_NOT_FOUND: it has not arrived. take: read it for the run and remove it. */
static int member_get(
    struct tx *x, struct fire *f, const struct plan_member *m, const char *key, bool take)
{
	struct version_rec ver;
	struct dataset_rec d;
	struct slice s;
	struct key k;
	uint64_t version, event;
	int rc = dataset_get_named(x->v, m->dataset, &d);

	if (rc != 0)
		return rc;
	key_join_member(&k, f->dag.no, f->t->name, key, d.no);
	rc = view_get(x->v, TABLE_JOIN_MEMBER, k.b, k.n, &s);
	if (rc != 0 || !take)
		return rc;
	if (s.n != 16)
		return ERR_CORRUPT;
	version = be_get64(s.p);
	event = be_get64((const uint8_t *)s.p + 8);
	rc = must(version_get(x->v, d.no, version, &ver));
	if (rc == 0)
		rc = must(view_del(x->v, TABLE_JOIN_MEMBER, k.b, k.n));
	if (rc == 0)
		consume(f, d.name, &ver, event);
	return rc;
}

static int count_members(
    struct tx *x, struct fire *f, const char *key, uint32_t *ret_met, const char **ret_missing)
{
	*ret_met = 0;
	*ret_missing = NULL;
	for (size_t i = 0; i < f->t->n_members; i++) {
		int rc = member_get(x, f, &f->t->members[i], key, false);

		if (rc == 0)
			(*ret_met)++;
		else if (rc != ERR_NOT_FOUND)
			return rc;
		else if (*ret_missing == NULL)
			*ret_missing = f->t->members[i].dataset;
	}
	return 0;
}

static int join_put(struct tx *x, const struct fire *f, const struct join_rec *j)
{
	uint8_t buf[RECORD_MAX];
	struct key k;

	key_join(&k, f->dag.no, f->t->name, j->key);
	return view_put(x->v, TABLE_JOIN, k.b, k.n, buf, join_encode(j, buf));
}

static int fire_join(struct tx *x, struct fire *f, struct join_rec *j)
{
	char key[PLAN_KEY_MAX];
	uint64_t run;
	int rc = 0;

	for (size_t i = 0; rc == 0 && i < f->t->n_members; i++) {
		rc = member_get(x, f, &f->t->members[i], j->key, true);
		rc = rc == ERR_NOT_FOUND ? 0 : rc;
	}
	if (rc != 0)
		return rc;
	j->fired++;
	j->met = 0;
	/* without a common partition the round is the key */
	if (!f->mixed && f->partition[0] != 0)
		str_copy(key, sizeof(key), f->partition);
	else
		snprintf(key, sizeof(key), "%u", j->fired);
	rc = start(x, f, key, &run);
	if (rc == 0) {
		j->run = run;
		rc = join_put(x, f, j);
	}
	return rc;
}

static bool partition_is_of(const char *partition, const char *unit)
{
	size_t n = strlen(unit);

	return strncmp(partition, unit, n) == 0 && partition[n] == '=';
}

static int fire_all(struct tx *x, struct fire *f)
{
	uint32_t need =
	    f->t->rule == DATASETS_AT_LEAST ? f->t->at_least : (uint32_t)f->t->n_members;
	const char *missing;
	struct join_rec j;
	int rc;

	if (f->t->join != NULL && !partition_is_of(f->ver.partition, f->t->join)) {
		event_detail(f->e, "DAG %s joins by %s, this is partition \"%.60s\"", f->dag.name,
		    f->t->join, f->ver.partition);
		return 0;
	}
	rc = join_get(x->v, f->dag.no, f->t->name, f->t->join != NULL ? f->ver.partition : "", &j);
	if (rc != 0 && rc != ERR_NOT_FOUND)
		return rc;
	if (rc == ERR_NOT_FOUND) {
		memset(&j, 0, sizeof(j));
		str_copy(j.key, sizeof(j.key), f->t->join != NULL ? f->ver.partition : "");
	}
	if (j.met == 0)
		j.opened_at = x->now;
	j.members = need;
	rc = member_put(x, f, j.key);
	if (rc == 0)
		rc = count_members(x, f, j.key, &j.met, &missing);
	if (rc != 0)
		return rc;
	if (j.met >= need)
		return fire_join(x, f, &j);
	event_verdict(f->e, VERDICT_WAITING);
	event_detail(f->e, "waits in join %s/%s%s%s: missing %s", f->dag.name, f->t->name,
	    j.key[0] != 0 ? " for " : "", j.key, missing != NULL ? missing : "more members");
	return join_put(x, f, &j);
}

/* ---- subscribers ---- */

static int fire_one(struct tx *x, struct fire *f)
{
	int rc;

	if (!f->ver.changed && !f->t->fire_on_publish)
		return 0;
	if (dag_is_paused(x->v, &f->dag) && !f->t->keep_while_paused) {
		event_verdict(f->e, VERDICT_REJECTED);
		event_detail(f->e, "DAG %s is paused", f->dag.name);
		return 0;
	}
	f->n_events = 0;
	f->mixed = false;
	f->partition[0] = 0;
	f->members = json_new_array();
	rc = f->t->rule == DATASETS_ANY ? fire_any(x, f) : fire_all(x, f);
	json_free(f->members);
	return rc;
}

static int fire_subscriber(struct tx *x, struct fire *f, const uint8_t *tail, size_t n)
{
	char trigger[PLAN_NAME_MAX];
	int rc;

	if (n < 5 || n - 4 >= sizeof(trigger))
		return ERR_CORRUPT;
	memcpy(trigger, tail + 4, n - 4);
	trigger[n - 4] = 0;
	rc = must(dag_get(x->v, be_get32(tail), &f->dag));
	if (rc == 0)
		rc = must(dag_plan(x->v, &f->dag, &f->plan));
	if (rc != 0)
		return rc;
	f->t = plan_trigger_find(f->plan, trigger);
	if (f->t == NULL)
		return ERR_CORRUPT;
	if (f->to != FOR_ALL && (f->t->join != NULL) != (f->to == FOR_JOINS))
		return 0;
	return fire_one(x, f);
}

static int event_body(const struct fire *f, struct str *out)
{
	struct jw w;

	jw_init(&w, out);
	jw_object(&w);
	jw_kstr(&w, "dataset", f->ds.name);
	jw_kstr(&w, "partition", f->ver.partition[0] != 0 ? f->ver.partition : NULL);
	jw_ki64(&w, "version", (int64_t)f->ver.version);
	jw_kbool(&w, "changed", f->ver.changed);
	jw_ki64(&w, "rows", f->ver.rows);
	jw_ktime(&w, "complete_through", f->ver.complete_through);
	jw_end_object(&w);
	return out->failed ? ERR_NOMEM : 0;
}

static int fire_published(struct tx *x, const struct published *p)
{
	char source[PLAN_DATASET_MAX + 16];
	struct event_rec e;
	struct fire f = {.e = &e, .to = p->to, .once = p->once};
	struct view_walk w;
	struct str body;
	struct key k;
	int rc = must(dataset_get(x->v, p->ds_no, &f.ds));

	if (rc == 0)
		rc = must(version_get(x->v, p->ds_no, p->version, &f.ver));
	if (rc != 0)
		return rc;
	f.ver.changed = p->changed;
	if (p->mixed)
		f.ver.partition[0] = 0;
	snprintf(source, sizeof(source), "dataset:%s", f.ds.name);
	rc = event_begin(x, &e, source, "dataset.published", f.ver.partition);
	key_init(&k);
	key_u32(&k, p->ds_no);
	view_walk_init(&w, x->v, TABLE_SUB, k.b, k.n, false);
	while (rc == 0) {
		rc = view_walk_next(&w, NULL);
		if (rc == 0)
			rc = fire_subscriber(x, &f, w.key + w.prefix_n, w.key_n - w.prefix_n);
	}
	if (rc != ERR_NOT_FOUND)
		return rc;
	if (e.verdict == VERDICT_UNMATCHED && e.detail[0] == 0)
		event_detail(&e, p->changed ? "no trigger listens to it" : "it changed no row");
	str_init(&body, 4096);
	rc = event_body(&f, &body);
	if (rc == 0)
		rc = event_store(x, &e, body.s, body.len);
	str_done(&body);
	return rc;
}

int dataset_fire(struct tx *x)
{
	int rc = 0;

	for (size_t i = 0; rc == 0 && i < x->published.n; i++) {
		struct published p = x->published.v[i];

		rc = fire_published(x, &p);
	}
	VEC_CLEAR(&x->published);
	return rc;
}
