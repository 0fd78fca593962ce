/* prune.c: retention, a few hundred records at a time: ended runs with all that hangs on them,
 * events with their repeats' ids, Idempotency-Keys, versions that nobody reads again, fired joins,
 * plans that nothing runs by, vanished DAGs. What is open or named by something open stays.
 *
 * A cycle walks one table after the other; where a batch stopped is a record of table meta. The
 * identity of a dropped run stays (TABLE_RUN_ID, run_tomb in table.c) where its cause could come
 * again, so that the same cause never makes a second run; event numbers never come again. */
#include "core/sched/tx.h"

#include "core/sched/codec.h"

#include <string.h>

#define LOOKS 2000u /* records read a batch */
#define DEDUPE_MIN_US (7 * 86400 * US_PER_S)

enum phase {
	PHASE_RUNS,
	PHASE_EVENTS,
	PHASE_KEYS,
	PHASE_VERSIONS,
	PHASE_JOINS,
	PHASE_BACKFILLS,
	PHASE_PLANS,
	PHASE_DAGS,
	PHASE_N
};

struct pruner {
	struct tx *x;
	wall_us runs_before, events_before, versions_before;
	uint32_t left, looks; /* records that may still be deleted, and read */
	uint8_t phase;
	uint64_t scan; /* PHASE_PLANS: run up to which a DAG was looked through */
	struct key at; /* the last key looked at */
	bool jumped;   /* the look has moved `at` itself */
	/* PHASE_VERSIONS: the data set at hand, and its oldest version that somebody may read */
	uint32_t ds_no;
	char ds_name[PLAN_DATASET_MAX];
	uint64_t ds_needed;
	bool worn; /* there was too much to look at to know ds_needed */
};

/* 0: go on behind this entry. ERR_NOT_FOUND: the phase is over. ERR_LIMIT: again next time. */
typedef int (*look_fn)(struct pruner *p, const struct key *key, struct slice value);

static int drop(struct pruner *p, enum table t, const void *key, size_t n)
{
	int rc = must(view_del(p->x->v, t, key, n));

	p->x->r->count++;
	p->left -= p->left > 0;
	return rc;
}

static int drop_key(struct pruner *p, enum table t, const struct key *k)
{
	return drop(p, t, k->b, k->n);
}

static bool any(const struct pruner *p, enum table t, const struct key *prefix)
{
	struct view_walk w;

	view_walk_init(&w, p->x->v, t, prefix->b, prefix->n, false);
	return view_walk_next(&w, NULL) == 0;
}

static void jump(struct pruner *p, const struct key *to)
{
	p->at = *to;
	p->jumped = true;
}

/* ---- runs ---- */

/* ERR_LIMIT: some are left, for the next batch. */
static int drop_prefix(struct pruner *p, enum table t, const struct key *prefix)
{
	struct view_walk w;
	int rc;

	view_walk_init(&w, p->x->v, t, prefix->b, prefix->n, false);
	while ((rc = view_walk_next(&w, NULL)) == 0) {
		if (p->left == 0)
			return ERR_LIMIT;
		rc = drop(p, t, w.key, w.key_n);
		if (rc != 0)
			return rc;
	}
	return rc == ERR_NOT_FOUND ? 0 : rc;
}

/* A run may have thousands of items: its record goes first, and META_PRUNE_RUN says whose steps are
 * still being removed. */
static int drop_steps(struct pruner *p, uint64_t run)
{
	static const enum table tables[] = {TABLE_STEP, TABLE_STEP_DOC, TABLE_ITEM, TABLE_RUN_DOC};
	struct key k;
	int rc = 0;

	key_run(&k, run);
	for (size_t i = 0; rc == 0 && i < sizeof(tables) / sizeof(tables[0]); i++)
		rc = drop_prefix(p, tables[i], &k);
	return rc != 0
		   ? rc
		   : must(view_del(p->x->v, TABLE_META, META_PRUNE_RUN, strlen(META_PRUNE_RUN)));
}

static int drop_identity(struct pruner *p, const struct run_rec *r)
{
	if (r->space == SPACE_EVENT)
		return drop(p, TABLE_RUN_ID, r->id, sizeof(r->id));
	return run_tomb_put(p->x->v, r->id, r->no, p->x->now);
}

static int drop_run(struct pruner *p, const struct run_rec *r)
{
	struct key k;
	int rc = drop_identity(p, r);

	key_run_dag(&k, r->dag_no, r->no);
	if (rc == 0)
		rc = drop_key(p, TABLE_RUN_DAG, &k);
	key_run_state(&k, r->state, r->no);
	if (rc == 0)
		rc = drop_key(p, TABLE_RUN_STATE, &k);
	key_run_key(&k, r);
	if (rc == 0)
		rc = drop_key(p, TABLE_RUN_KEY, &k);
	key_backfill_run(&k, r->backfill, r->no);
	if (rc == 0 && r->backfill != 0)
		rc = drop_key(p, TABLE_BACKFILL_RUN, &k);
	key_run(&k, r->no);
	if (rc == 0)
		rc = drop_key(p, TABLE_RUN, &k);
	if (rc == 0)
		rc = meta_put(p->x->v, META_PRUNE_RUN, r->no);
	return rc != 0 ? rc : drop_steps(p, r->no);
}

/* Of one state the runs stand in the order in which they were queued, and none ended before that:
 * behind the first that was queued too late there is nothing to find. */
static int look_run(struct pruner *p, const struct key *key, struct slice value)
{
	struct run_rec r;
	struct key next;
	uint64_t no = 0;
	int rc = key_tail_u64((struct slice){key->b, key->n}, &no);

	(void)value;
	if (rc == 0)
		rc = must(run_get(p->x->v, no, &r));
	if (rc != 0)
		return rc;
	key_init(&next);
	key_u8(&next, (uint8_t)(key->b[0] + 1));
	if (!run_state_ended(r.state) || r.queued_at >= p->runs_before)
		jump(p, &next);
	else if (r.ended_at < p->runs_before)
		rc = drop_run(p, &r);
	return rc;
}

/* ---- events ---- */

static bool run_is_open(const struct pruner *p, uint64_t no, uint64_t event)
{
	struct run_rec r;

	return run_get(p->x->v, no, &r) == 0 && !run_state_ended(r.state) &&
	       (event == 0 || r.event == event);
}

/* Its runs need its body until they end. Beyond the 16 that it lists they have the numbers behind
 * the last of those: one transaction made them all. */
static bool event_is_needed(const struct pruner *p, const struct event_rec *e)
{
	uint32_t listed = e->n_runs < 16 ? e->n_runs : 16;

	for (uint32_t i = 0; i < listed; i++) {
		if (run_is_open(p, e->runs[i], 0))
			return true;
	}
	for (uint64_t i = 1; e->n_runs > 16 && i <= e->n_runs; i++) {
		if (run_is_open(p, e->runs[15] + i, e->seq))
			return true;
	}
	return e->external_id[0] != 0 && e->received_at >= p->x->now - DEDUPE_MIN_US;
}

static int drop_dedupe(struct pruner *p, const struct event_rec *e)
{
	const char *parts[2] = {e->source, e->external_id};
	uint8_t id[HASH_ID_BYTES];
	struct dedupe_rec d;
	struct slice s;
	int rc;

	if (e->external_id[0] == 0)
		return 0;
	hash_id(id, parts, 2);
	rc = view_get(p->x->v, TABLE_DEDUPE, id, sizeof(id), &s);
	if (rc == 0)
		rc = dedupe_decode(s, &d, NULL);
	if (rc == 0 && d.event == e->seq)
		rc = drop(p, TABLE_DEDUPE, id, sizeof(id));
	return rc == ERR_NOT_FOUND ? 0 : rc;
}

static int look_event(struct pruner *p, const struct key *key, struct slice value)
{
	struct event_rec e;
	struct slice body;
	struct key k;
	int rc = event_decode(value, &e, &body);

	if (rc != 0)
		return rc;
	if (e.received_at >= p->events_before)
		return ERR_NOT_FOUND;
	if (event_is_needed(p, &e))
		return 0;
	rc = drop_dedupe(p, &e);
	key_event_state(&k, e.verdict, e.seq);
	if (rc == 0)
		rc = drop_key(p, TABLE_EVENT_STATE, &k);
	return rc != 0 ? rc : drop_key(p, TABLE_EVENT, key);
}

/* ---- what names a run ---- */

static int look_key(struct pruner *p, const struct key *key, struct slice value)
{
	struct idempotency_rec i;
	struct run_rec r;
	int rc = idempotency_decode(value, &i, NULL);

	if (rc == 0)
		rc = run_get(p->x->v, i.run, &r);
	return rc == ERR_NOT_FOUND ? drop_key(p, TABLE_IDEMPOTENCY, key) : rc;
}

/* ---- versions ---- */

/* Who names versions: where the data set stands in the key (0: at its end), and whether the version
 * itself may go (a position was read already). */
static const struct {
	enum table table;
	size_t ds_at;
	bool read;
} version_users[] = {{TABLE_POSITION, 0, true}, {TABLE_JOIN_MEMBER, 0, false},
    {TABLE_BACKFILL_PART, 8, false}, {TABLE_RUN_PART, 8, false}};

/* From where the step has read in this run, which may be run again and then reads the same; *ret
 * stays where it has read nothing. */
static int range_of_run(
    struct pruner *p, uint64_t no, const char *step, const char *item, uint64_t *ret)
{
	const struct view *v = p->x->v;
	struct step_ref ref = {.run = no};
	struct json *j = NULL;
	const struct plan *plan;
	struct run_rec r;
	struct slice doc;
	int at, rc = must(run_get(v, no, &r));

	if (rc == 0)
		rc = must(v->plan(v->ctx, r.plan, &plan, NULL));
	if (rc != 0 || (at = plan_step_index(plan, step)) < 0)
		return rc;
	ref.step = (uint16_t)at;
	if (item[0] != 0)
		rc = step_item_no(v, no, ref.step, item, &ref.item);
	if (rc == 0)
		rc = step_doc_get(v, &ref, STEP_DOC_RANGES, &doc);
	if (rc != 0)
		return rc == ERR_NOT_FOUND ? 0 : rc;
	if (json_parse(doc.p, doc.n, doc.n, &j, NULL) != 0)
		return ERR_CORRUPT;
	if (json_get(j, p->ds_name) != NULL)
		*ret = (uint64_t)json_get_i64(json_get(j, p->ds_name), "from", 0) + 1;
	json_free(j);
	return 0;
}

/* Positions move forward only: of the runs that are kept the oldest that has read has read the
 * oldest versions. Key of a position: DAG, step, 0, item, 0, data set. */
static int position_needs(struct pruner *p, const uint8_t *key, size_t n)
{
	const char *step = (const char *)key + 4, *end = (const char *)key + n - 4, *item;
	uint64_t no, from = UINT64_MAX;
	struct view_walk w;
	int rc = 0;

	item = memchr(step, 0, (size_t)(end - step));
	if (item == NULL || end[-1] != 0 || ++item >= end)
		return ERR_CORRUPT;
	view_walk_init(&w, p->x->v, TABLE_RUN_DAG, key, 4, false);
	while (rc == 0 && from == UINT64_MAX && !p->worn) {
		rc = view_walk_next(&w, NULL);
		if (rc == 0)
			rc = key_tail_u64((struct slice){w.key, w.key_n}, &no);
		if (rc == 0)
			rc = range_of_run(p, no, step, item, &from);
		p->worn = p->looks <= 1;
		p->looks -= !p->worn;
	}
	if (from < p->ds_needed)
		p->ds_needed = from;
	return rc == ERR_NOT_FOUND ? 0 : rc;
}

static int least_of(struct pruner *p, size_t i)
{
	struct view_walk w;
	struct slice value;
	uint64_t needed;
	size_t at;
	int rc;

	view_walk_init(&w, p->x->v, version_users[i].table, NULL, 0, false);
	while ((rc = view_walk_next(&w, &value)) == 0) {
		at = version_users[i].ds_at > 0 ? version_users[i].ds_at : w.key_n - 4;
		if (w.key_n < at + 4 || value.n < 8)
			return ERR_CORRUPT;
		needed = be_get64(value.p) + version_users[i].read;
		if (be_get32(w.key + at) != p->ds_no)
			continue;
		if (needed < p->ds_needed)
			p->ds_needed = needed;
		rc = version_users[i].table == TABLE_POSITION ? position_needs(p, w.key, w.key_n)
							      : 0;
		if (rc != 0)
			return rc;
	}
	return rc == ERR_NOT_FOUND ? 0 : rc;
}

/* ERR_LIMIT: not with what is left of this batch. What a whole batch cannot find out is kept. */
static int dataset_needs(struct pruner *p, const struct dataset_rec *d)
{
	uint32_t had = p->looks;
	int rc = 0;

	if (p->ds_no == d->no)
		return 0;
	p->ds_no = d->no;
	str_copy(p->ds_name, sizeof(p->ds_name), d->name);
	p->ds_needed = UINT64_MAX;
	p->worn = false;
	for (size_t i = 0; rc == 0 && i < sizeof(version_users) / sizeof(version_users[0]); i++)
		rc = least_of(p, i);
	if (rc == 0 && p->worn && had < LOOKS / 2)
		return ERR_LIMIT;
	if (p->worn)
		p->ds_needed = 0;
	return rc;
}

static int look_version(struct pruner *p, const struct key *key, struct slice value)
{
	struct version_rec ver;
	struct dataset_rec d;
	struct key next;
	uint64_t newest;
	int rc = version_decode(value, &ver, NULL);

	if (rc == 0)
		rc = must(dataset_get(p->x->v, be_get32(key->b), &d));
	if (rc == 0)
		rc = must(partition_get(p->x->v, d.no, ver.partition, &newest));
	if (rc == 0)
		rc = dataset_needs(p, &d);
	if (rc != 0)
		return rc;
	key_init(&next);
	key_u32(&next, d.no + 1);
	if (ver.visible_at >= p->versions_before || ver.version >= p->ds_needed)
		jump(p, &next);
	else if (ver.version != d.version && ver.version != newest)
		rc = drop_key(p, TABLE_DATASET_LOG, key);
	return rc;
}

/* A join without a key counts its rounds, which name its runs: it stays. */
static int look_join(struct pruner *p, const struct key *key, struct slice value)
{
	struct join_rec j;
	int rc = join_decode(value, &j, NULL);

	if (rc != 0 || j.met > 0 || j.key[0] == 0 || j.opened_at >= p->runs_before)
		return rc;
	return drop_key(p, TABLE_JOIN, key);
}

static int look_backfill(struct pruner *p, const struct key *key, struct slice value)
{
	struct backfill_rec b;
	int rc = backfill_decode(value, &b, NULL);

	if (rc != 0 || b.ended_at == TIME_NONE || b.ended_at >= p->runs_before || b.open > 0 ||
	    any(p, TABLE_BACKFILL_RUN, key) || any(p, TABLE_BACKFILL_PART, key))
		return rc;
	return drop_key(p, TABLE_BACKFILL, key);
}

/* ---- plans and DAGs ---- */

/* The plan is canonical JSON: {"v":1,"dag":"NAME",…. False: it is not, and stays. */
static bool plan_dag(struct slice text, char name[PLAN_NAME_MAX])
{
	static const char head[] = "{\"v\":1,\"dag\":\"";
	const char *s = text.p, *end;

	if (text.n < sizeof(head) || memcmp(s, head, sizeof(head) - 1) != 0)
		return false;
	s += sizeof(head) - 1;
	end = memchr(s, '"', text.n - sizeof(head) + 1);
	if (end == NULL || end == s || (size_t)(end - s) >= PLAN_NAME_MAX)
		return false;
	memcpy(name, s, (size_t)(end - s));
	name[end - s] = 0;
	return true;
}

/* Runs that come while this goes on over several batches have higher numbers, so they are met too.
 */
static int plan_has_run(
    struct pruner *p, const struct dag_rec *d, const struct key *sha, bool *ret_found)
{
	struct slice key, value;
	struct run_rec r;
	struct key k;
	int rc = 0;

	*ret_found = false;
	while (rc == 0) {
		if (p->looks-- <= 1)
			return ERR_LIMIT;
		key_run_dag(&k, d->no, p->scan);
		rc = p->x->v->next(
		    p->x->v->ctx, TABLE_RUN_DAG, (struct slice){k.b, k.n}, true, &key, &value);
		if (rc != 0 || key.n != 12 || be_get32(key.p) != d->no)
			break;
		rc = key_tail_u64(key, &p->scan);
		if (rc == 0)
			rc = must(run_get(p->x->v, p->scan, &r));
		if (rc == 0 && memcmp(r.plan, sha->b, sizeof(r.plan)) == 0) {
			*ret_found = true;
			break;
		}
	}
	p->scan = 0;
	return rc == ERR_NOT_FOUND ? 0 : rc;
}

static int look_plan(struct pruner *p, const struct key *key, struct slice value)
{
	char name[PLAN_NAME_MAX];
	struct dag_rec d;
	bool used = false;
	int rc;

	if (key->n != sizeof(d.plan) || !plan_dag(value, name))
		return 0;
	rc = dag_get_named(p->x->v, name, &d);
	if (rc == 0 && d.has_plan && memcmp(d.plan, key->b, sizeof(d.plan)) == 0)
		used = true;
	else if (rc == 0)
		rc = plan_has_run(p, &d, key, &used);
	if (rc != 0 && rc != ERR_NOT_FOUND)
		return rc;
	return used ? 0 : drop_key(p, TABLE_PLAN, key);
}

/* Its cursors and positions are worth more than the space: should the file come back, it goes on
 * where it was. The same for a pause. */
static int look_dag(struct pruner *p, const struct key *key, struct slice value)
{
	struct dag_rec d;
	struct key no, name;
	int rc = dag_decode(value, &d, NULL);

	if (rc != 0 || d.state != DAG_GONE || d.paused || d.changed_at >= p->runs_before)
		return rc;
	key_init(&no);
	key_u32(&no, d.no);
	key_init(&name);
	key_text0(&name, d.name);
	if (any(p, TABLE_RUN_DAG, &no) || any(p, TABLE_POSITION, &no) ||
	    any(p, TABLE_CURSOR, &name))
		return 0;
	rc = drop_key(p, TABLE_DAG, key);
	return rc != 0 ? rc : drop(p, TABLE_DAG_NAME, d.name, strlen(d.name));
}

/* ---- the cycle ---- */

static const struct {
	enum table table;
	look_fn look;
} phases[PHASE_N] = {
    [PHASE_RUNS] = {TABLE_RUN_STATE, look_run},
    [PHASE_EVENTS] = {TABLE_EVENT, look_event},
    [PHASE_KEYS] = {TABLE_IDEMPOTENCY, look_key},
    [PHASE_VERSIONS] = {TABLE_DATASET_LOG, look_version},
    [PHASE_JOINS] = {TABLE_JOIN, look_join},
    [PHASE_BACKFILLS] = {TABLE_BACKFILL, look_backfill},
    [PHASE_PLANS] = {TABLE_PLAN, look_plan},
    [PHASE_DAGS] = {TABLE_DAG, look_dag},
};

/* 0: the phase is over. ERR_LIMIT: the batch is. */
static int walk_phase(struct pruner *p)
{
	const struct view *v = p->x->v;
	struct slice key, value;
	struct key k;
	int rc;

	for (;;) {
		if (p->left == 0 || p->looks == 0)
			return ERR_LIMIT;
		rc = v->next(v->ctx, phases[p->phase].table, (struct slice){p->at.b, p->at.n},
		    p->at.n > 0, &key, &value);
		if (rc != 0)
			return rc == ERR_NOT_FOUND ? 0 : rc;
		p->looks--;
		key_init(&k);
		key_bytes(&k, key.p, key.n);
		p->jumped = false;
		rc = phases[p->phase].look(p, &k, value);
		if (rc != 0)
			return rc == ERR_NOT_FOUND ? 0 : rc;
		if (!p->jumped)
			p->at = k;
	}
}

static int walk_all(struct pruner *p)
{
	int rc = 0;

	while (rc == 0 && p->phase < PHASE_N) {
		rc = walk_phase(p);
		if (rc != 0)
			break;
		p->phase++;
		key_init(&p->at);
	}
	return rc;
}

#define STATE_HEAD 9u /* phase u8, scan u64; then the key */

static int state_load(struct pruner *p)
{
	struct slice s;
	int rc = view_get(p->x->v, TABLE_META, META_PRUNE, strlen(META_PRUNE), &s);

	key_init(&p->at);
	if (rc == ERR_NOT_FOUND)
		return 0;
	if (rc != 0 || s.n < STATE_HEAD)
		return rc != 0 ? rc : ERR_CORRUPT;
	p->phase = *(const uint8_t *)s.p < PHASE_N ? *(const uint8_t *)s.p : 0;
	p->scan = be_get64((const uint8_t *)s.p + 1);
	key_bytes(&p->at, (const uint8_t *)s.p + STATE_HEAD, s.n - STATE_HEAD);
	return 0;
}

static int state_store(const struct pruner *p)
{
	uint8_t buf[STATE_HEAD + VIEW_KEY_MAX];

	buf[0] = p->phase;
	be_put64(buf + 1, p->scan);
	memcpy(buf + STATE_HEAD, p->at.b, p->at.n);
	return view_put(
	    p->x->v, TABLE_META, META_PRUNE, strlen(META_PRUNE), buf, STATE_HEAD + p->at.n);
}

/* The next cycle begins anew; an idle one has written nothing. */
static int state_end(const struct pruner *p)
{
	int rc = view_del(p->x->v, TABLE_META, META_PRUNE, strlen(META_PRUNE));

	p->x->r->same = 1;
	return rc == ERR_NOT_FOUND ? 0 : rc;
}

static int finish_run(struct pruner *p)
{
	uint64_t run;
	int rc = meta_get(p->x->v, META_PRUNE_RUN, &run);

	return rc == 0 ? drop_steps(p, run) : rc == ERR_NOT_FOUND ? 0 : rc;
}

/* "For ever" is written as thousands of years: no time before 1970 comes of it. */
static wall_us before(wall_us now, int64_t keep_ms)
{
	return now <= 0 || keep_ms >= now / US_PER_MS ? 0 : now - keep_ms * US_PER_MS;
}

int op_prune(struct tx *x, const struct op *op)
{
	const struct conf *c = x->env->conf;
	struct pruner p = {.x = x, .left = op->u.prune.limit, .looks = LOOKS};
	int rc;

	if (c == NULL || op->u.prune.limit == 0)
		return refuse(x, ERR_USAGE, "retention without a configuration or a limit");
	p.runs_before = before(x->now, c->retain_runs_ms);
	p.events_before = before(x->now, c->retain_events_ms);
	/* a run that is kept may have read a version that was old already */
	p.versions_before = before(p.runs_before, c->retain_runs_ms);
	rc = state_load(&p);
	if (rc == 0)
		rc = finish_run(&p);
	if (rc == 0)
		rc = walk_all(&p);
	if (rc == ERR_LIMIT)
		return state_store(&p);
	return rc != 0 ? rc : state_end(&p);
}
