/* replan.c: `rerun --plan latest`: an ended run goes on with the plan that its DAG has now. Steps
 * are known by their names; what changed its nature or is gone cannot be carried over, and is
 * refused before anything is written. */
#include "core/sched/tx.h"

#include "core/sched/codec.h"

#include <string.h>

/* ---- may it be ---- */

static const char *nature(const struct plan_step *s)
{
	static const char *const names[] = {"a pipeline", "a task", "a model"};

	return s->foreach != NULL ? "a foreach" : names[s->kind];
}

static int refuse_step(struct tx *x, const char *step, const char *was, const char *is)
{
	return refuse(x, ERR_CONFLICT,
	    "step %s %s%s%s in the latest plan of DAG %s: leave out --plan latest, or start a new "
	    "run",
	    step, was, is != NULL ? ", is now " : "", is != NULL ? is : "", x->run.dag);
}

static size_t n_pairs(const struct plan_step *s)
{
	size_t n = 0;

	for (size_t i = 0; i < s->n_needs; i++)
		n += s->needs[i].match_item;
	return n;
}

/* The items' counts are of their partners: those must stay the same. */
static bool same_pairs(const struct plan *p, const struct plan_step *a, const struct plan *q,
    const struct plan_step *b)
{
	size_t same = 0;

	for (size_t i = 0; i < a->n_needs; i++) {
		for (size_t k = 0; a->needs[i].match_item && k < b->n_needs; k++)
			same += b->needs[k].match_item && strcmp(p->steps[a->needs[i].step].name,
							      q->steps[b->needs[k].step].name) == 0;
	}
	return same == n_pairs(a) && same == n_pairs(b);
}

int replan_check(struct tx *x, struct replan *ret)
{
	struct dag_rec d;
	int rc = must(dag_get(x->v, x->run.dag_no, &d));

	ret->to = NULL;
	if (rc == 0 && d.state == DAG_GONE)
		return refuse(x, ERR_CONFLICT,
		    "the file of DAG %s is gone: there is no latest plan", x->run.dag);
	if (rc == 0)
		rc = must(dag_plan(x->v, &d, &ret->to));
	if (rc != 0)
		return rc;
	if (memcmp(ret->to->sha, x->run.plan, sizeof(x->run.plan)) == 0)
		ret->to = NULL; /* it has the latest */
	for (size_t i = 0; ret->to != NULL && i < x->plan->n_steps; i++) {
		const struct plan_step *old = &x->plan->steps[i], *new;
		int at = plan_step_index(ret->to, old->name);

		if (at < 0)
			return refuse_step(x, old->name, "is not", NULL);
		new = &ret->to->steps[at];
		if (old->kind != new->kind || (old->foreach == NULL) != (new->foreach == NULL))
			return refuse_step(x, old->name, nature(old), nature(new));
		ret->map[i] = (uint16_t)at;
		if (!same_pairs(x->plan, old, ret->to, new))
			return refuse_step(x, old->name, "pairs its items with others", NULL);
	}
	return 0;
}

/* ---- moving the records ---- */

struct entry {
	enum table table;
	size_t key_n, n;
	uint8_t *bytes; /* owned: key, then value */
};
typedef VEC(struct entry) entry_vec;

#define STEP_AT 8u /* the step's index behind the run's number, in all three tables */

static int collect(struct tx *x, const struct replan *r, enum table t, entry_vec *all)
{
	struct view_walk w;
	struct slice value;
	struct key k;
	int rc;

	key_run(&k, x->run.no);
	view_walk_init(&w, x->v, t, k.b, k.n, false);
	while ((rc = view_walk_next(&w, &value)) == 0) {
		struct entry e = {t, w.key_n, value.n, NULL};

		if (w.key_n < STEP_AT + 2 || be_get16(w.key + STEP_AT) >= x->plan->n_steps)
			return ERR_CORRUPT;
		if (r->map[be_get16(w.key + STEP_AT)] == be_get16(w.key + STEP_AT))
			continue;
		e.bytes = mem_alloc(w.key_n + value.n + RECORD_MAX);
		memcpy(e.bytes, w.key, w.key_n);
		if (value.n > 0)
			memcpy(e.bytes + w.key_n, value.p, value.n);
		VEC_ADD(all, e);
	}
	return rc == ERR_NOT_FOUND ? 0 : rc;
}

static int put_entry(struct tx *x, const struct replan *r, struct entry *e)
{
	uint16_t step = r->map[be_get16(e->bytes + STEP_AT)];
	struct slice value = {e->bytes + e->key_n, e->n};
	struct step_rec s;
	int rc;

	be_put16(e->bytes + STEP_AT, step);
	if (e->table != TABLE_STEP)
		return view_put(x->v, e->table, e->bytes, e->key_n, value.p, value.n);
	rc = step_decode(value, &s, NULL);
	s.step = step;
	return rc != 0 ? rc : step_put(x->v, &s);
}

static int move_records(struct tx *x, const struct replan *r)
{
	static const enum table tables[] = {TABLE_STEP, TABLE_STEP_DOC, TABLE_ITEM};
	entry_vec all = {0};
	int rc = 0;

	for (size_t i = 0; rc == 0 && i < sizeof(tables) / sizeof(tables[0]); i++)
		rc = collect(x, r, tables[i], &all);
	for (size_t i = 0; rc == 0 && i < all.n; i++)
		rc = must(view_del(x->v, all.v[i].table, all.v[i].bytes, all.v[i].key_n));
	for (size_t i = 0; rc == 0 && i < all.n; i++)
		rc = put_entry(x, r, &all.v[i]);
	for (size_t i = 0; i < all.n; i++)
		mem_free(all.v[i].bytes);
	VEC_DONE(&all);
	return rc;
}

/* ---- the new plan's view of the run ---- */

static int add_step(struct tx *x, uint16_t i)
{
	struct step_rec s;

	memset(&s, 0, sizeof(s));
	s.run = x->run.no;
	s.step = i;
	s.ready_at = s.started_at = s.ended_at = TIME_NONE;
	x->run.n_steps++;
	x->run.n_open++;
	return step_put(x->v, &s);
}

/* Counts of parents by the new needs; whether a failure counts by the new allow_failure. */
static int recount_step(struct tx *x, uint16_t i)
{
	const struct plan_step *p = &x->plan->steps[i];
	struct step_rec s, parent;
	int rc = step_load(x, i, 0, &s);

	s.unmet = (uint32_t)p->n_needs;
	s.ok_parents = s.bad_parents = s.failed_parents = 0;
	for (size_t k = 0; rc == 0 && k < p->n_needs; k++) {
		rc = step_load(x, p->needs[k].step, 0, &parent);
		if (rc == 0 && step_state_ended(parent.state))
			parent_count(&x->plan->steps[p->needs[k].step], &parent, &s, 1);
	}
	if ((s.state == STEP_FAILED || s.state == STEP_UPSTREAM_FAILED) && !p->allow_failure)
		x->run.n_failed++;
	return rc != 0 ? rc : step_put(x->v, &s);
}

int replan_do(struct tx *x, const struct replan *r, uint64_t *new_steps)
{
	uint64_t old[STEP_BITS] = {0};
	int rc = group_close(x);

	if (rc == 0)
		rc = move_records(x, r);
	for (size_t i = 0; i < x->plan->n_steps; i++)
		bit_set(old, r->map[i]);
	memcpy(x->run.plan, r->to->sha, sizeof(x->run.plan));
	x->plan = r->to;
	x->run_dirty = true;
	x->run.n_failed = 0;
	for (uint16_t i = 0; rc == 0 && i < x->plan->n_steps; i++) {
		if (bit_has(old, i))
			continue;
		bit_set(new_steps, i);
		rc = add_step(x, i);
	}
	for (uint16_t i = 0; rc == 0 && i < x->plan->n_steps; i++)
		rc = recount_step(x, i);
	return rc;
}
