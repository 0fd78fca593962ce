/* check_name.c: DAGs, who listens to what, schedules, data sets, events, tokens: index against
 * record and record against index. */
#include "core/sched/check_part.h"
#include "core/sched/codec.h"
#include "core/sched/tx.h"

#include <string.h>

typedef int (*entry_fn)(struct check_out *o, struct slice key, struct slice value);

static int each(struct check_out *o, enum table t, entry_fn fn)
{
	struct view_walk w;
	struct slice value;
	int rc;

	view_walk_init(&w, o->v, t, NULL, 0, false);
	while ((rc = view_walk_next(&w, &value)) == 0) {
		rc = fn(o, (struct slice){w.key, w.key_n}, value);
		if (rc != 0)
			return rc;
	}
	return rc == ERR_NOT_FOUND ? 0 : rc;
}

static bool has(struct check_out *o, enum table t, const struct key *k)
{
	struct slice s;

	return view_get(o->v, t, k->b, k->n, &s) == 0;
}

/* ---- DAGs ---- */

static void check_trigger(
    struct check_out *o, const struct dag_rec *d, const struct plan_trigger *t)
{
	struct dataset_rec ds;
	struct sched_rec s;
	struct key k;

	if (trigger_is_timed(t) && schedule_get(o->v, d->no, t->name, &s) != 0)
		check_report(o, "table sched: trigger %s of DAG %s has no entry", t->name, d->name);
	if ((t->kind == TRIGGER_WEBHOOK || t->kind == TRIGGER_SOURCE) && t->hook != NULL) {
		key_listen(&k, t->kind == TRIGGER_WEBHOOK ? "hook" : "source", t->hook);
		key_u32(&k, d->no);
		key_text(&k, t->name);
		if (!has(o, TABLE_LISTEN, &k))
			check_report(
			    o, "table listen: trigger %s of DAG %s has no entry", t->name, d->name);
	}
	for (size_t i = 0; i < t->n_members; i++) {
		if (dataset_get_named(o->v, t->members[i].dataset, &ds) == 0) {
			key_sub(&k, ds.no, d->no, t->name);
			if (has(o, TABLE_SUB, &k))
				continue;
		}
		check_report(o, "table sub: trigger %s of DAG %s does not listen to %s", t->name,
		    d->name, t->members[i].dataset);
	}
}

static int check_dag(struct check_out *o, struct slice key, struct slice value)
{
	const struct plan *p;
	struct dag_rec d, named;
	int rc = dag_decode(value, &d, NULL);

	if (rc != 0)
		return rc;
	if (key.n != 4 || be_get32(key.p) != d.no)
		check_report(o, "table dag: DAG %s stands under another number", d.name);
	if (dag_get_named(o->v, d.name, &named) != 0 || named.no != d.no)
		check_report(o, "table dag_name: DAG %s is not found by its name", d.name);
	if (!d.has_plan)
		return 0;
	if (dag_plan(o->v, &d, &p) != 0) {
		check_report(o, "table plan: the plan of DAG %s is missing or broken", d.name);
		return 0;
	}
	for (size_t i = 0; d.state != DAG_GONE && i < p->n_triggers; i++)
		check_trigger(o, &d, &p->triggers[i]);
	return 0;
}

static int check_dag_name(struct check_out *o, struct slice key, struct slice value)
{
	struct dag_rec d;
	uint32_t no = 0;

	if (key_tail_u32(value, &no) != 0 || dag_get(o->v, no, &d) != 0 ||
	    strlen(d.name) != key.n || memcmp(d.name, key.p, key.n) != 0)
		check_report(o, "table dag_name: an entry leads to DAG %u, which is not so", no);
	return 0;
}

/* The trigger that an entry ending in (dag_no, trigger name) names, or NULL. */
static const struct plan_trigger *trigger_of(struct check_out *o, const uint8_t *tail, size_t n)
{
	char name[PLAN_NAME_MAX];
	const struct plan *p;
	struct dag_rec d;

	if (n < 5 || n - 4 >= sizeof(name) || dag_get(o->v, be_get32(tail), &d) != 0 ||
	    d.state == DAG_GONE || dag_plan(o->v, &d, &p) != 0)
		return NULL;
	memcpy(name, tail + 4, n - 4);
	name[n - 4] = 0;
	return plan_trigger_find(p, name);
}

static int check_sub(struct check_out *o, struct slice key, struct slice value)
{
	const uint8_t *p = key.p;
	struct dataset_rec d;

	(void)value;
	if (key.n < 9 || dataset_get(o->v, be_get32(p), &d) != 0 ||
	    trigger_of(o, p + 4, key.n - 4) == NULL)
		check_report(
		    o, "table sub: an entry names a trigger or data set that is not there");
	return 0;
}

static int check_listen(struct check_out *o, struct slice key, struct slice value)
{
	const uint8_t *zero = memchr(key.p, 0, key.n);
	size_t head = zero == NULL ? key.n : (size_t)(zero - (const uint8_t *)key.p) + 1;

	(void)value;
	if (trigger_of(o, (const uint8_t *)key.p + head, key.n - head) == NULL)
		check_report(o, "table listen: an entry names a trigger that is not there");
	return 0;
}

/* Missed instants: their entry, their intervals, their runs; nothing that waits is forgotten. */
static void check_catchup(
    struct check_out *o, uint32_t dag_no, const struct plan_trigger *t, const struct sched_rec *s)
{
	struct dag_rec d;
	struct run_rec r;
	size_t n = 0;
	struct key k;

	for (size_t i = 0; i < 2 * SCHED_GAPS_MAX && s->missed[i] != 0; i += 2) {
		if (s->missed[i + 1] <= s->missed[i] || (wall_us)s->missed[i + 1] > s->upto ||
		    (i > 0 && s->missed[i] < s->missed[i - 1]))
			check_report(
			    o, "table sched: trigger %s: what it missed is in disorder", t->name);
	}
	for (; n < SCHED_OPEN_MAX && s->open[n] != 0; n++) {
		if (run_get(o->v, s->open[n], &r) != 0 || r.dag_no != dag_no ||
		    run_state_ended(r.state) || strcmp(r.trigger_name, t->name) != 0)
			check_report(o, "table sched: trigger %s counts run %llu as open", t->name,
			    (unsigned long long)s->open[n]);
	}
	key_due_catchup(&k, s->catchup_at, dag_no, t->name);
	if (s->catchup_at != 0 && !has(o, TABLE_DUE, &k))
		check_report(
		    o, "table due: trigger %s starts what it missed, but has no entry", t->name);
	if (s->catchup_at == 0 && s->missed[0] != 0 && n < t->catchup_at_once &&
	    dag_get(o->v, dag_no, &d) == 0 && !dag_is_paused(o->v, &d))
		check_report(o, "table sched: trigger %s forgets what it missed", t->name);
}

static int check_schedule(struct check_out *o, struct slice key, struct slice value)
{
	const struct plan_trigger *t = trigger_of(o, key.p, key.n);
	struct sched_rec s;
	struct key k;
	int rc = schedule_decode(value, &s, NULL);

	if (rc != 0)
		return rc;
	if (t == NULL || !trigger_is_timed(t)) {
		check_report(o, "table sched: an entry names a trigger that is not there");
		return 0;
	}
	check_catchup(o, be_get32(key.p), t, &s);
	if (s.next == TIME_NONE)
		return 0;
	key_due_cron(&k, s.start_at != 0 ? s.start_at : s.next, be_get32(key.p), t->name);
	if (!has(o, TABLE_DUE, &k))
		check_report(o, "table due: trigger %s has a next instant, but no entry", t->name);
	return 0;
}

/* An entry that a clock step must not move names one that there is. */
static int check_meta(struct check_out *o, struct slice key, struct slice value)
{
	size_t head = strlen(META_CLOCK_NEW);
	struct slice s;

	(void)value;
	if (key.n > head && memcmp(key.p, META_CLOCK_NEW, head) == 0 &&
	    view_get(o->v, TABLE_DUE, (const uint8_t *)key.p + head, key.n - head, &s) != 0)
		check_report(o, "table meta: a mark of a clock step stands for no due entry");
	return 0;
}

/* ---- data sets ---- */

static int check_dataset(struct check_out *o, struct slice key, struct slice value)
{
	struct dataset_rec d, named;
	struct version_rec ver;
	int rc = dataset_decode(value, &d, NULL);

	if (rc != 0)
		return rc;
	if (key.n != 4 || be_get32(key.p) != d.no || dataset_get_named(o->v, d.name, &named) != 0 ||
	    named.no != d.no)
		check_report(o, "table dataset_name: %s is not found by its name", d.name);
	if (d.version > 0 && version_get(o->v, d.no, d.version, &ver) != 0)
		check_report(o, "table dataset_log: version %llu of %s is missing",
		    (unsigned long long)d.version, d.name);
	return 0;
}

static int check_dataset_name(struct check_out *o, struct slice key, struct slice value)
{
	struct dataset_rec d;
	uint32_t no = 0;

	if (key_tail_u32(value, &no) != 0 || dataset_get(o->v, no, &d) != 0 ||
	    strlen(d.name) != key.n || memcmp(d.name, key.p, key.n) != 0)
		check_report(o, "table dataset_name: an entry leads to %u, which is not so", no);
	return 0;
}

static int check_partition(struct check_out *o, struct slice key, struct slice value)
{
	const uint8_t *p = key.p;
	struct version_rec ver;
	uint64_t version = 0;

	if (key.n < 4 || key_tail_u64(value, &version) != 0 ||
	    version_get(o->v, be_get32(p), version, &ver) != 0 ||
	    strlen(ver.partition) != key.n - 4 || memcmp(ver.partition, p + 4, key.n - 4) != 0)
		check_report(o,
		    "table dataset_part: an entry leads to version %llu, which is not so",
		    (unsigned long long)version);
	return 0;
}

static int check_version(struct check_out *o, struct slice key, struct slice value)
{
	struct version_rec ver;
	struct dataset_rec d;
	const uint8_t *p = key.p;
	uint64_t newest;
	int rc = version_decode(value, &ver, NULL);

	if (rc != 0)
		return rc;
	if (key.n != 12 || be_get64(p + 4) != ver.version ||
	    dataset_get(o->v, be_get32(p), &d) != 0 || ver.version > d.version ||
	    partition_get(o->v, d.no, ver.partition, &newest) != 0 || newest < ver.version)
		check_report(o, "table dataset_log: version %llu stands alone",
		    (unsigned long long)ver.version);
	return 0;
}

/* What a reopened run has published and not told yet. */
static int check_run_part(struct check_out *o, struct slice key, struct slice value)
{
	const uint8_t *p = key.p;
	struct version_rec ver;
	struct run_rec r;
	/* what changed no row has the version of another partition */
	bool ok = key.n >= 12 && value.n == ONCE_BYTES && run_get(o->v, be_get64(p), &r) == 0 &&
		  r.state == RUN_RUNNING && r.downstream == DOWNSTREAM_ONCE && r.reopened > 0 &&
		  version_get(o->v, be_get32(p + 8), be_get64(value.p), &ver) == 0;

	if (!ok)
		check_report(o, "table run_part: an entry of run %llu has nothing that it is for",
		    key.n >= 8 ? (unsigned long long)be_get64(p) : 0ull);
	return 0;
}

/* ---- events and tokens ---- */

static int check_event(struct check_out *o, struct slice key, struct slice value)
{
	struct event_rec e;
	struct slice body;
	struct key k;
	int rc = event_decode(value, &e, &body);

	if (rc != 0)
		return rc;
	key_event_state(&k, e.verdict, e.seq);
	if (key.n != 8 || be_get64(key.p) != e.seq || !has(o, TABLE_EVENT_STATE, &k))
		check_report(
		    o, "table event_state: event %llu has no entry", (unsigned long long)e.seq);
	return 0;
}

static int check_event_state(struct check_out *o, struct slice key, struct slice value)
{
	struct event_rec e;
	uint64_t seq = 0;

	(void)value;
	if (key_tail_u64(key, &seq) != 0 || event_get(o->v, seq, &e, NULL) != 0 ||
	    (uint8_t)e.verdict != *(const uint8_t *)key.p)
		check_report(o, "table event_state: an entry names event %llu, which is not so",
		    (unsigned long long)seq);
	return 0;
}

static int check_token_name(struct check_out *o, struct slice key, struct slice value)
{
	uint8_t hash[HASH_SHA256_BYTES];
	struct token_rec t;

	if (value.n == sizeof(hash))
		memcpy(hash, value.p, sizeof(hash));
	if (value.n != sizeof(hash) || token_get(o->v, hash, &t) != 0 || strlen(t.name) != key.n ||
	    memcmp(t.name, key.p, key.n) != 0)
		check_report(o, "table token_name: an entry names a token that is not there");
	return 0;
}

/* ---- outbox ---- */

static int check_endpoint(struct check_out *o, struct slice key, struct slice value)
{
	struct endpoint_rec e;
	struct outbox_rec m;
	struct view_walk w;
	uint64_t n = 0;
	struct key k;
	int rc = endpoint_decode(value, &e, NULL);

	if (rc != 0)
		return rc;
	if (strlen(e.name) != key.n || memcmp(e.name, key.p, key.n) != 0)
		check_report(o, "table endpoint: %s stands under another name", e.name);
	key_init(&k);
	key_u32(&k, e.no);
	view_walk_init(&w, o->v, TABLE_OUTBOX, k.b, k.n, false);
	while (view_walk_next(&w, NULL) == 0)
		n++;
	if (n != e.waiting)
		check_report(o, "table endpoint: %s counts %llu messages, there are %llu", e.name,
		    (unsigned long long)e.waiting, (unsigned long long)n);
	if (outbox_head(o->v, e.no, &m, NULL) != 0)
		return 0;
	key_due_outbox(&k, m.next_at, e.no);
	if (!has(o, TABLE_DUE, &k))
		check_report(o, "table due: the first message for %s has no entry", e.name);
	return 0;
}

static int check_outbox(struct check_out *o, struct slice key, struct slice value)
{
	struct endpoint_rec e;
	struct outbox_rec m;
	struct slice data;
	struct key k;
	int rc = outbox_decode(value, &m, &data);

	if (rc != 0)
		return rc;
	key_outbox(&k, m.endpoint_no, m.seq);
	if (k.n != key.n || memcmp(k.b, key.p, key.n) != 0)
		check_report(o, "table outbox: message %llu stands under another number",
		    (unsigned long long)m.seq);
	if (endpoint_get(o->v, m.endpoint, &e) != 0 || e.no != m.endpoint_no)
		check_report(o, "table outbox: message %llu is for nobody that is known",
		    (unsigned long long)m.seq);
	return 0;
}

int check_names(struct check_out *o)
{
	static const struct {
		enum table table;
		entry_fn fn;
	} all[] = {
	    {TABLE_DAG, check_dag},
	    {TABLE_DAG_NAME, check_dag_name},
	    {TABLE_SUB, check_sub},
	    {TABLE_LISTEN, check_listen},
	    {TABLE_SCHED, check_schedule},
	    {TABLE_META, check_meta},
	    {TABLE_DATASET, check_dataset},
	    {TABLE_DATASET_NAME, check_dataset_name},
	    {TABLE_DATASET_PART, check_partition},
	    {TABLE_DATASET_LOG, check_version},
	    {TABLE_RUN_PART, check_run_part},
	    {TABLE_EVENT, check_event},
	    {TABLE_EVENT_STATE, check_event_state},
	    {TABLE_TOKEN_NAME, check_token_name},
	    {TABLE_ENDPOINT, check_endpoint},
	    {TABLE_OUTBOX, check_outbox},
	};
	int rc = 0;

	for (size_t i = 0; rc == 0 && i < sizeof(all) / sizeof(all[0]); i++)
		rc = each(o, all[i].table, all[i].fn);
	return rc;
}
