/* insert.c: a new run: identity, record, indexes, steps, documents; queued. */
#include "core/sched/tx.h"

#include "core/sched/codec.h"

#include <stdio.h>
#include <string.h>

/* The same cause gives the same id for ever. In space time the trigger's name is part of it: two
 * schedules of one DAG may name the same window. */
void run_identity(const char *dag, enum key_space space, const char *trigger, const char *key,
    uint32_t revision, uint8_t out[HASH_ID_BYTES])
{
	char identity[PLAN_NAME_MAX + PLAN_KEY_MAX + 2], rev[16];
	const char *parts[4] = {dag, key_space_name(space), identity, rev};

	if (space == SPACE_TIME)
		snprintf(identity, sizeof(identity), "%s/%s", trigger, key);
	else
		snprintf(identity, sizeof(identity), "%s", key);
	snprintf(rev, sizeof(rev), "%u", revision);
	hash_id(out, parts, 4);
}

int run_newest(struct tx *x, const struct run_new *n, struct run_rec *ret)
{
	struct view_walk w;
	struct key k;
	uint64_t no;
	int rc;

	key_run_key_prefix(&k, n->dag->no, n->key);
	view_walk_init(&w, x->v, TABLE_RUN_KEY, k.b, k.n, true);
	while ((rc = view_walk_next(&w, NULL)) == 0) {
		rc = key_tail_u64((struct slice){w.key, w.key_n}, &no);
		if (rc == 0)
			rc = must(run_get(x->v, no, ret));
		if (rc != 0)
			return rc;
		if (ret->space == n->space &&
		    (n->space != SPACE_TIME || strcmp(ret->trigger_name, n->trigger) == 0))
			return 0;
	}
	return rc;
}

static bool revision_is_tomb(struct tx *x, const struct run_new *n, uint32_t revision)
{
	uint8_t id[HASH_ID_BYTES];

	run_identity(n->dag->name, n->space, n->trigger, n->key, revision, id);
	return run_is_tomb(x->v, id);
}

/* The first from `from` on that no dropped run had: they have no gaps, so it is found by doubling
 * and halving. */
static uint32_t free_revision(struct tx *x, const struct run_new *n, uint32_t from)
{
	uint32_t step = 1, low = from;

	if (!revision_is_tomb(x, n, from))
		return from;
	while (step < 1u << 30 && revision_is_tomb(x, n, low + step)) {
		low += step;
		step *= 2;
	}
	for (; step > 1; step /= 2) {
		if (revision_is_tomb(x, n, low + step / 2))
			low += step / 2;
	}
	return low + 1;
}

void result_add_run(struct tx *x, uint64_t run)
{
	struct op_result *r = x->r;
	struct run_rec rec;
	const struct run_rec *at = &x->run;

	if (r == NULL || run == 0)
		return;
	for (uint64_t i = 0; i < r->n_runs && i < 16; i++) {
		if (r->runs[i] == run)
			return;
	}
	if (r->n_runs < 16) {
		if (!x->run_open || x->run.no != run) {
			if (run_get(x->v, run, &rec) != 0)
				return;
			at = &rec;
		}
		r->runs[r->n_runs] = run;
		hash_to_base32(at->id, r->run_ids[r->n_runs]);
	}
	r->n_runs++;
}

static int put_indexes(struct tx *x)
{
	struct run_rec *r = &x->run;
	uint8_t no[8];
	struct key k;
	int rc;

	be_put64(no, r->no);
	rc = view_add(x->v, TABLE_RUN_ID, r->id, HASH_ID_BYTES, no, sizeof(no));
	key_run_dag(&k, r->dag_no, r->no);
	if (rc == 0)
		rc = view_put(x->v, TABLE_RUN_DAG, k.b, k.n, NULL, 0);
	key_run_key(&k, r);
	if (rc == 0)
		rc = view_put(x->v, TABLE_RUN_KEY, k.b, k.n, NULL, 0);
	key_run_state(&k, RUN_QUEUED, r->no);
	if (rc == 0)
		rc = view_put(x->v, TABLE_RUN_STATE, k.b, k.n, NULL, 0);
	key_run_queue(&k, r);
	if (rc == 0)
		rc = view_put(x->v, TABLE_RUN_QUEUE, k.b, k.n, NULL, 0);
	return rc;
}

static bool chosen(const struct run_new *n, const char *step)
{
	for (size_t i = 0; i < n->n_only; i++) {
		if (strcmp(n->only[i], step) == 0)
			return true;
	}
	return n->n_only == 0;
}

static int put_step(struct tx *x, const struct run_new *n, uint16_t i)
{
	const struct plan_step *p = &n->plan->steps[i];
	struct step_rec s;

	memset(&s, 0, sizeof(s));
	s.run = x->run.no;
	s.step = i;
	s.ready_at = s.started_at = s.ended_at = TIME_NONE;
	for (size_t k = 0; k < p->n_needs; k++) {
		if (chosen(n, n->plan->steps[p->needs[k].step].name))
			s.unmet++;
		else
			s.ok_parents++;
	}
	if (chosen(n, p->name)) {
		x->run.n_open++;
	} else {
		s.state = STEP_SKIPPED;
		s.ended_at = x->now;
		str_copy(s.code, sizeof(s.code), CODE_NOT_CHOSEN);
	}
	x->run.n_steps++;
	return step_put(x->v, &s);
}

static int put_docs(struct tx *x, const struct run_new *n)
{
	struct str text;
	int rc = run_doc_put(x->v, x->run.no, RUN_DOC_TRIGGER, n->doc, strlen(n->doc));

	if (rc != 0 || json_len(n->params) == 0)
		return rc;
	str_init(&text, PLAN_MAX_BYTES);
	json_print(n->params, &text);
	rc = text.failed ? ERR_NOMEM
			 : run_doc_put(x->v, x->run.no, RUN_DOC_PARAMS, text.s, text.len);
	str_done(&text);
	return rc;
}

static void fill_run(struct tx *x, const struct run_new *n, uint64_t no, uint32_t revision,
    const uint8_t id[HASH_ID_BYTES])
{
	struct run_rec *r = &x->run;

	memset(r, 0, sizeof(*r));
	r->no = no;
	memcpy(r->id, id, HASH_ID_BYTES);
	r->dag_no = n->dag->no;
	str_copy(r->dag, sizeof(r->dag), n->dag->name);
	memcpy(r->plan, n->plan->sha, sizeof(r->plan));
	r->trigger = n->kind;
	str_copy(r->trigger_name, sizeof(r->trigger_name), n->trigger);
	r->space = n->space;
	str_copy(r->key, sizeof(r->key), n->key);
	r->revision = revision;
	r->priority = n->plan->priority;
	r->window_start = n->window_start;
	r->window_end = n->window_end;
	r->logical_time = n->logical_time;
	r->queued_at = x->now;
	r->started_at = r->ended_at = r->deadline_at = TIME_NONE;
	r->event = n->event;
	r->backfill = n->backfill;
	r->downstream = n->downstream;
}

static int write_run(struct tx *x, const struct run_new *n)
{
	int rc = put_indexes(x);

	for (size_t i = 0; rc == 0 && i < n->plan->n_steps; i++)
		rc = put_step(x, n, (uint16_t)i);
	if (rc == 0)
		rc = put_docs(x, n);
	if (rc == 0)
		rc = run_timers(x);
	if (rc == 0)
		rc = late_arm(x);
	if (rc == 0)
		pump_add(x, x->run.dag_no);
	return rc;
}

/* ERR_NOT_FOUND: there is no such run yet. Always sets revision and id. */
static int find_same(struct tx *x, const struct run_new *n, uint32_t *ret_revision,
    uint8_t id[HASH_ID_BYTES], uint64_t *ret_run)
{
	struct run_rec last;
	int rc = ERR_NOT_FOUND;

	if (n->next_revision)
		rc = run_newest(x, n, &last);
	if (rc != 0 && rc != ERR_NOT_FOUND)
		return rc;
	*ret_revision = rc == 0 ? last.revision + 1 : 0;
	if (n->next_revision)
		*ret_revision = free_revision(x, n, *ret_revision);
	run_identity(n->dag->name, n->space, n->trigger, n->key, *ret_revision, id);
	return run_get_id(x->v, id, ret_run);
}

int run_refused(struct tx *x, const struct run_new *n, bool *ret, struct run_rec *ret_by)
{
	uint8_t id[HASH_ID_BYTES];
	uint32_t revision;
	uint64_t no;
	int rc = find_same(x, n, &revision, id, &no);

	*ret = false;
	if (rc != ERR_NOT_FOUND)
		return rc; /* the run is there: nothing new is asked for */
	return overlap_skips(x->v, n, ret, ret_by);
}

int run_insert(struct tx *x, const struct run_new *n, uint64_t *ret_run, bool *ret_existed)
{
	uint8_t id[HASH_ID_BYTES];
	uint32_t revision = 0;
	bool skipped;
	uint64_t no;
	int rc = flow_settle(x);

	if (rc == 0)
		rc = run_close(x);
	if (rc != 0)
		return rc;
	rc = find_same(x, n, &revision, id, ret_run);
	*ret_existed = rc == 0;
	if (rc != ERR_NOT_FOUND)
		return rc;
	*ret_run = 0;
	*ret_existed = run_is_tomb(x->v, id);
	if (*ret_existed)
		return 0;
	rc = overlap_skips(x->v, n, &skipped, &x->in_the_way);
	if (rc != 0 || skipped)
		return rc;
	rc = overlap_make_room(x, n, id);
	if (rc == 0)
		rc = next_no(x, META_NEXT_RUN, &no);
	if (rc != 0)
		return rc;
	fill_run(x, n, no, revision, id);
	x->plan = n->plan;
	x->run_open = x->run_dirty = true;
	x->run_was = RUN_STATE_N; /* no state before: the effect is sent in any case */
	*ret_run = no;
	return write_run(x, n);
}
