/* list.c: pages of objects. `after` is the number of the last entry of the page before. Newest
 * first where there is an age. */
#include "core/sched/list.h"
#include "core/sched/show.h"
#include "core/sched/table.h"

#include <stdio.h>
#include <string.h>

#define LIST_LIMIT_MAX 1000u
#define SCAN_MAX 20000u /* entries that a filter may pass over for one page */

uint32_t list_limit(const struct list_query *q)
{
	if (q->limit < 1)
		return 1;
	return q->limit > LIST_LIMIT_MAX ? LIST_LIMIT_MAX : q->limit;
}

int list_after_number(const struct list_query *q, uint64_t *ret, struct err *err)
{
	*ret = 0;
	if (q->after == NULL || q->after[0] == 0)
		return 0;
	if (str_to_u64(q->after, ret) != 0)
		return err_set(
		    err, ERR_USAGE, "after: \"%.40s\" is not a `next` of this list", q->after);
	return 0;
}

/* Goes on with the entries before number `after`. */
static void pager_skip(struct pager *p, const struct key *prefix, uint64_t after)
{
	struct key k = *prefix;

	key_u64(&k, after);
	memcpy(p->w.key, k.b, k.n);
	p->w.key_n = k.n;
	p->w.started = true;
	p->last = after;
}

void pager_init(struct pager *p, const struct view *v, enum table t, const struct key *prefix,
    uint64_t after, uint32_t limit)
{
	view_walk_init(&p->w, v, t, prefix->b, prefix->n, true);
	p->last = 0;
	if (after != 0)
		pager_skip(p, prefix, after);
	p->left = limit;
	p->scans = SCAN_MAX;
	p->more = false;
}

int pager_next(struct pager *p, uint64_t *ret)
{
	int rc;

	if (p->left == 0 || p->scans-- == 0) {
		p->more = view_walk_next(&p->w, NULL) == 0;
		return ERR_NOT_FOUND;
	}
	rc = view_walk_next(&p->w, NULL);
	if (rc == 0)
		rc = key_tail_u64((struct slice){p->w.key, p->w.key_n}, ret);
	if (rc == 0)
		p->last = *ret;
	return rc;
}

void pager_end(const struct pager *p, char *ret_next)
{
	ret_next[0] = 0;
	if (p->more)
		snprintf(ret_next, LIST_NEXT_MAX, "%llu", (unsigned long long)p->last);
}

/* ---- runs ---- */

static int state_of(const char *name, enum run_state *ret, struct err *err)
{
	for (int s = 0; s < RUN_STATE_N; s++) {
		if (str_eq(name, run_state_name((enum run_state)s))) {
			*ret = (enum run_state)s;
			return 0;
		}
	}
	return err_set(err, ERR_USAGE,
	    "state: \"%.40s\" is none of queued running succeeded failed cancelled", name);
}

/* The newest run of the state that is not newer than `no`. */
static int newest_in_state(
    const struct view *v, enum run_state state, uint64_t no, uint64_t *ret_no)
{
	struct slice key, value;
	struct key before;
	int rc;

	key_run_state(&before, state, no + 1);
	rc = v->prev(v->ctx, TABLE_RUN_STATE, (struct slice){before.b, before.n}, &key, &value);
	if (rc == 0 && *(const uint8_t *)key.p != (uint8_t)state)
		return ERR_NOT_FOUND;
	return rc != 0 ? rc : key_tail_u64(key, ret_no);
}

/* The next run of the index, or of a DAG in a state: what one index passes over is skipped in the
 * other, so that two runs of a million are found at once. */
static int next_run(struct pager *p, const struct view *v, const struct list_query *q,
    const struct key *prefix, enum table t, uint64_t *ret_no)
{
	bool both = t == TABLE_RUN_DAG && q->state != NULL && q->state[0] != 0;
	enum run_state state = RUN_QUEUED;
	uint64_t no;
	int rc;

	while ((rc = pager_next(p, ret_no)) == 0 && both) {
		rc = state_of(q->state, &state, NULL);
		if (rc == 0)
			rc = newest_in_state(v, state, *ret_no, &no);
		if (rc != 0 || no == *ret_no)
			return rc;
		pager_skip(p, prefix, no + 1);
	}
	return rc;
}

/* The index that narrows most: a DAG's runs, else those of a state, else all. */
static int runs_index(const struct view *v, const struct list_query *q, enum table *ret_t,
    struct key *ret_prefix, struct err *err)
{
	enum run_state state = RUN_QUEUED;
	struct dag_rec d;
	int rc;

	*ret_t = TABLE_RUN;
	key_init(ret_prefix);
	if (q->state != NULL && q->state[0] != 0) {
		rc = state_of(q->state, &state, err);
		if (rc != 0)
			return rc;
		*ret_t = TABLE_RUN_STATE;
		key_u8(ret_prefix, (uint8_t)state);
	}
	if (q->dag == NULL || q->dag[0] == 0)
		return 0;
	rc = dag_get_named(v, q->dag, &d);
	if (rc != 0)
		return rc == ERR_NOT_FOUND ? find_no_dag(v, q->dag, err) : rc;
	*ret_t = TABLE_RUN_DAG;
	key_init(ret_prefix);
	key_u32(ret_prefix, d.no);
	return 0;
}

int list_runs(const struct view *v, const struct list_query *q, struct jw *out, char *ret_next,
    struct err *err)
{
	struct pager p;
	struct run_rec r;
	struct key prefix;
	uint64_t after, no;
	enum table t;
	int rc = list_after_number(q, &after, err);

	if (rc == 0)
		rc = runs_index(v, q, &t, &prefix, err);
	if (rc != 0)
		return rc;
	pager_init(&p, v, t, &prefix, after, list_limit(q));
	while ((rc = next_run(&p, v, q, &prefix, t, &no)) == 0) {
		rc = run_get(v, no, &r);
		if (rc != 0)
			return rc;
		if (q->since != TIME_NONE && r.queued_at < q->since) {
			rc = ERR_NOT_FOUND; /* older ones follow only */
			break;
		}
		rc = show_run(v, no, false, out);
		if (rc != 0)
			return rc;
		p.left--;
	}
	pager_end(&p, ret_next);
	return rc == ERR_NOT_FOUND ? 0 : rc;
}

/* ---- events ---- */

static bool event_of_dag(const struct view *v, const struct event_rec *e, const char *dag)
{
	struct run_rec r;

	for (uint32_t i = 0; i < e->n_runs && i < 16; i++) {
		if (run_get(v, e->runs[i], &r) == 0 && str_eq(r.dag, dag))
			return true;
	}
	return false;
}

static int verdict_check(const struct list_query *q, struct err *err)
{
	if (q->state == NULL || q->state[0] == 0)
		return 0;
	for (int i = 0; i < VERDICT_N; i++)
		if (str_eq(q->state, verdict_name((enum verdict)i)))
			return 0;
	return err_set(err, ERR_USAGE,
	    "state: \"%.40s\" is none of started waiting duplicate unmatched rejected", q->state);
}

int list_events(const struct view *v, const struct list_query *q, struct jw *out, char *ret_next,
    struct err *err)
{
	enum table t = q->unmatched ? TABLE_EVENT_STATE : TABLE_EVENT;
	struct event_rec e;
	struct pager p;
	struct key prefix;
	uint64_t after, seq;
	int rc = list_after_number(q, &after, err);

	if (rc == 0)
		rc = verdict_check(q, err);
	if (rc != 0)
		return rc;
	key_init(&prefix);
	if (q->unmatched)
		key_u8(&prefix, VERDICT_UNMATCHED);
	pager_init(&p, v, t, &prefix, after, list_limit(q));
	while ((rc = pager_next(&p, &seq)) == 0) {
		rc = event_get(v, seq, &e, NULL);
		if (rc != 0)
			return rc;
		if (q->since != TIME_NONE && e.received_at < q->since) {
			rc = ERR_NOT_FOUND;
			break;
		}
		if ((q->state != NULL && q->state[0] != 0 &&
			!str_eq(q->state, verdict_name(e.verdict))) ||
		    (q->dag != NULL && q->dag[0] != 0 && !event_of_dag(v, &e, q->dag)))
			continue;
		rc = show_event(v, seq, false, out);
		if (rc != 0)
			return rc;
		p.left--;
	}
	pager_end(&p, ret_next);
	return rc == ERR_NOT_FOUND ? 0 : rc;
}

/* ---- by name: `next` is the number of the object whose name was last ---- */

struct names {
	const struct view *v;
	enum table t;
	uint8_t key[VIEW_KEY_MAX];
	size_t key_n;
	uint32_t left;
	uint32_t last;
};

static int names_next(struct names *n, uint32_t *ret_no)
{
	struct slice from = {n->key, n->key_n}, key, value;
	int rc = n->v->next(n->v->ctx, n->t, from, n->key_n > 0, &key, &value);

	if (rc != 0)
		return rc;
	if (n->left == 0)
		return ERR_LIMIT; /* there is more */
	if (key.n > sizeof(n->key))
		return ERR_CORRUPT;
	rc = key_tail_u32(value, ret_no);
	memcpy(n->key, key.p, key.n);
	n->key_n = key.n;
	return rc;
}

static void names_end(const struct names *n, int rc, char *ret_next)
{
	ret_next[0] = 0;
	if (rc == ERR_LIMIT)
		snprintf(ret_next, LIST_NEXT_MAX, "%u", n->last);
}

static void names_from(struct names *n, const char *name)
{
	n->key_n = strlen(name);
	memcpy(n->key, name, n->key_n);
}

static const char *const dag_filters[] = {"live", "broken", "gone", "paused"};

static int dag_filter_check(const struct list_query *q, struct err *err)
{
	if (q->state == NULL || q->state[0] == 0)
		return 0;
	for (size_t i = 0; i < sizeof(dag_filters) / sizeof(dag_filters[0]); i++)
		if (str_eq(q->state, dag_filters[i]))
			return 0;
	return err_set(
	    err, ERR_USAGE, "state: \"%.40s\" is none of live broken gone paused", q->state);
}

static bool dag_wanted(const struct list_query *q, const struct dag_rec *d)
{
	if (q->dag != NULL && q->dag[0] != 0 && !str_eq(q->dag, d->name))
		return false;
	if (q->state == NULL || q->state[0] == 0)
		return d->state != DAG_GONE; /* history: only where it is asked for */
	return str_eq(q->state, "paused") ? d->paused && d->state != DAG_GONE
					  : str_eq(q->state, dag_filters[d->state]);
}

int list_dags(const struct view *v, const struct list_query *q, wall_us now, struct jw *out,
    char *ret_next, struct err *err)
{
	struct names n = {.v = v, .t = TABLE_DAG_NAME, .left = list_limit(q)};
	struct dag_rec d;
	uint64_t after;
	uint32_t no;
	int rc = list_after_number(q, &after, err);

	if (rc == 0)
		rc = dag_filter_check(q, err);
	if (rc == 0 && after != 0 && dag_get(v, (uint32_t)after, &d) == 0)
		names_from(&n, d.name);
	if (rc != 0)
		return rc;
	while ((rc = names_next(&n, &no)) == 0) {
		rc = dag_get(v, no, &d);
		n.last = no;
		if (rc != 0)
			return rc;
		if (!dag_wanted(q, &d))
			continue;
		rc = show_dag(v, no, false, now, out);
		if (rc != 0)
			return rc;
		n.left--;
	}
	names_end(&n, rc, ret_next);
	return rc == ERR_NOT_FOUND || rc == ERR_LIMIT ? 0 : rc;
}

int list_datasets(const struct view *v, const struct list_query *q, struct jw *out, char *ret_next,
    struct err *err)
{
	struct names n = {.v = v, .t = TABLE_DATASET_NAME, .left = list_limit(q)};
	struct dataset_rec d;
	uint64_t after;
	uint32_t no;
	int rc = list_after_number(q, &after, err);

	if (rc == 0 && after != 0 && dataset_get(v, (uint32_t)after, &d) == 0)
		names_from(&n, d.name);
	if (rc != 0)
		return rc;
	while ((rc = names_next(&n, &no)) == 0) {
		n.last = no;
		rc = dataset_get(v, no, &d);
		if (rc == 0 && q->dag != NULL && q->dag[0] != 0 && !str_eq(q->dag, d.owner_dag))
			continue;
		if (rc == 0)
			rc = show_dataset(v, no, false, out);
		if (rc != 0)
			return rc;
		n.left--;
	}
	names_end(&n, rc, ret_next);
	return rc == ERR_NOT_FOUND || rc == ERR_LIMIT ? 0 : rc;
}

/* ---- pools and tokens ---- */

static int put_pool(const struct view *v, const char *name, uint32_t size, struct jw *out)
{
	char resource[PLAN_NAME_MAX + 8];
	struct view_walk w;
	uint64_t used, waiting = 0;
	int rc;

	snprintf(resource, sizeof(resource), "pool:%s", name);
	rc = count_get(v, resource, &used);
	if (rc != 0)
		return rc;
	view_walk_init(&w, v, TABLE_BLOCKED, resource, strlen(resource) + 1, false);
	while (waiting < SCAN_MAX && (rc = view_walk_next(&w, NULL)) == 0)
		waiting++;
	jw_object(out);
	jw_kstr(out, "name", name);
	jw_ki64(out, "size", size);
	jw_ki64(out, "used", (int64_t)used);
	jw_ki64(out, "waiting", (int64_t)waiting);
	jw_end_object(out);
	return rc == ERR_NOT_FOUND ? 0 : rc;
}

static int put_workers(const struct view *v, uint32_t workers, struct jw *out)
{
	struct view_walk w;
	uint64_t used, waiting = 0;
	int rc = count_get(v, COUNT_SLOTS, &used);

	if (rc != 0)
		return rc;
	view_walk_init(&w, v, TABLE_READY, NULL, 0, false);
	while (waiting < SCAN_MAX && (rc = view_walk_next(&w, NULL)) == 0)
		waiting++;
	jw_object(out);
	jw_kstr(out, "name", "workers");
	jw_ki64(out, "size", workers);
	jw_ki64(out, "used", (int64_t)used);
	jw_ki64(out, "waiting", (int64_t)waiting);
	jw_end_object(out);
	return rc == ERR_NOT_FOUND ? 0 : rc;
}

int list_pools(const struct view *v, const struct conf *conf, struct jw *out)
{
	int rc = put_workers(v, conf->workers, out);

	for (size_t i = 0; rc == 0 && i < conf->n_pools; i++)
		rc = put_pool(v, conf->pools[i].name, conf->pools[i].size, out);
	return rc;
}

static void put_scopes(const struct token_rec *t, struct jw *out)
{
	char text[PLAN_NAME_MAX + 16];

	jw_key(out, "scopes");
	jw_array(out);
	if ((t->scopes & SCOPE_READ) != 0)
		jw_str(out, "read");
	if ((t->scopes & SCOPE_ADMIN) != 0)
		jw_str(out, "admin");
	if ((t->scopes & SCOPE_RUN) != 0) {
		snprintf(text, sizeof(text), "run:%s", t->object[0] != 0 ? t->object : "*");
		jw_str(out, text);
	}
	if ((t->scopes & SCOPE_INGEST) != 0) {
		snprintf(text, sizeof(text), "ingest:%s", t->object[0] != 0 ? t->object : "*");
		jw_str(out, text);
	}
	jw_end_array(out);
}

int list_tokens(const struct view *v, struct jw *out)
{
	uint8_t hash[HASH_SHA256_BYTES];
	struct token_rec t;
	struct view_walk w;
	struct slice value;
	int rc;

	view_walk_init(&w, v, TABLE_TOKEN_NAME, NULL, 0, false);
	while ((rc = view_walk_next(&w, &value)) == 0) {
		if (value.n != sizeof(hash))
			return ERR_CORRUPT;
		memcpy(hash, value.p, sizeof(hash));
		rc = token_get(v, hash, &t);
		if (rc != 0)
			return rc;
		jw_object(out);
		jw_kstr(out, "name", t.name);
		put_scopes(&t, out);
		jw_ktime(out, "created_at", t.created_at);
		jw_ktime(out, "last_used_at", t.last_used_at);
		jw_end_object(out);
	}
	return rc == ERR_NOT_FOUND ? 0 : rc;
}
