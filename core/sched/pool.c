/* pool.c: what becomes of attempts when an instance answers, falls silent or is gone: rules 3, 5,
 * 6, 10, 11, 13, 20, 21. Nothing of an instance is judged before its END (op_pool_up) but by the
 * proof that nothing of it lives (op_pool_gone). */
#include "core/sched/tx.h"

#include <stdlib.h>
#include <string.h>

#define N_POOLS (sizeof(((struct sched_env *)0)->pool) / sizeof(((struct sched_env *)0)->pool[0]))

static int pool_slot(struct sched_env *env, uint64_t instance)
{
	for (size_t i = 0; i < N_POOLS; i++) {
		if (env->pool[i].id == instance)
			return (int)i;
	}
	return -1;
}

static int pool_free_slot(struct sched_env *env)
{
	int slot = pool_slot(env, 0);

	for (size_t i = 0; slot < 0 && i < N_POOLS; i++) {
		if (!env->pool[i].up)
			slot = (int)i;
	}
	return slot;
}

/* Ready again with its try given back; cancelled where the run is (rule 20). */
int attempt_unlease(struct tx *x, struct step_rec *s)
{
	if (s->submitted)
		return remote_again(x, s);
	if (s->attempt > 0)
		s->attempt--;
	if (x->run.cancel)
		return step_move(x, s, STEP_CANCELLED, TIME_NONE);
	return step_move(x, s, STEP_READY, x->now);
}

/* ---- the attempts that END listed, sorted ---- */

struct seen {
	struct step_ref step;
	uint64_t token;
};

static int compare_seen(const void *a, const void *b)
{
	const struct seen *p = a, *q = b;

	if (p->step.run != q->step.run)
		return p->step.run < q->step.run ? -1 : 1;
	if (p->step.step != q->step.step)
		return p->step.step < q->step.step ? -1 : 1;
	if (p->step.item != q->step.item)
		return p->step.item < q->step.item ? -1 : 1;
	return (p->token > q->token) - (p->token < q->token);
}

static struct seen *seen_sorted(const struct op *op)
{
	size_t n = op->u.pool_up.n_seen;
	struct seen *v = mem_calloc(n + 1, sizeof(*v));

	for (size_t i = 0; i < n; i++) {
		v[i].step = op->u.pool_up.seen[i];
		v[i].token = op->u.pool_up.seen_token[i];
	}
	qsort(v, n, sizeof(*v), compare_seen);
	return v;
}

/* ---- walking the attempts of an instance ---- */

typedef int (*attempt_fn)(struct tx *x, struct step_rec *s, const void *arg);

static int each_attempt(struct tx *x, uint64_t instance, attempt_fn fn, const void *arg)
{
	struct view_walk w;
	struct step_rec s;
	struct step_ref ref;
	struct key k;
	int rc;

	key_init(&k);
	key_u64(&k, instance);
	view_walk_init(&w, x->v, TABLE_RUNNING, k.b, k.n, false);
	while ((rc = view_walk_next(&w, NULL)) == 0) {
		rc = key_tail_step((struct slice){w.key, w.key_n}, &ref);
		if (rc == 0)
			rc = must(run_open(x, ref.run));
		if (rc == 0)
			rc = step_load(x, ref.step, ref.item, &s);
		if (rc == 0)
			rc = fn(x, &s, arg);
		if (rc != 0)
			return rc;
	}
	return rc == ERR_NOT_FOUND ? 0 : rc;
}

struct listed {
	const struct seen *v;
	size_t n;
};

static int judge_at_end(struct tx *x, struct step_rec *s, const void *arg)
{
	const struct listed *l = arg;
	struct seen me = {step_ref_of(s), s->token};

	if (bsearch(&me, l->v, l->n, sizeof(me), compare_seen) == NULL)
		return attempt_unlease(x, s);
	if (x->run.cancel && !s->submitted) /* a poll is short, and says how it ended */
		effect_step(x, EFFECT_KILL, s);
	return 0;
}

/* Rule 10: what the pool holds and the store does not know as current is killed. */
static int kill_orphans(struct tx *x, const struct op *op)
{
	uint64_t instance = op->u.pool_up.instance;

	for (size_t i = 0; i < op->u.pool_up.n_seen; i++) {
		const struct step_ref *ref = &op->u.pool_up.seen[i];
		uint64_t token = op->u.pool_up.seen_token[i];
		struct step_rec s;
		struct effect *e;
		int rc = step_get(x->v, ref, &s);

		if (rc != 0 && rc != ERR_NOT_FOUND)
			return rc;
		if (rc == 0 && s.state == STEP_RUNNING && s.token == token &&
		    s.instance == instance)
			continue;
		e = effect_add(x, EFFECT_ORPHAN, ref->run);
		e->step = *ref;
		e->token = token;
		e->instance = instance;
	}
	return 0;
}

int op_pool_up(struct tx *x, const struct op *op)
{
	struct listed l = {NULL, op->u.pool_up.n_seen};
	uint64_t instance = op->u.pool_up.instance;
	struct seen *v;
	int slot = pool_slot(x->env, instance), rc;

	if (slot < 0)
		slot = pool_free_slot(x->env);
	if (instance == 0 || slot < 0)
		return refuse(x, ERR_LIMIT, "more pool instances than the daemon can hold");
	rc = kill_orphans(x, op);
	v = seen_sorted(op);
	l.v = v;
	if (rc == 0)
		rc = each_attempt(x, instance, judge_at_end, &l);
	mem_free(v);
	if (rc != 0)
		return rc;
	x->env->pool[slot].id = instance;
	x->env->pool[slot].gen = op->u.pool_up.gen;
	x->env->pool[slot].up = true;
	x->env->pool[slot].retired = op->u.pool_up.retired;
	return 0;
}

int op_pool_down(struct tx *x, const struct op *op)
{
	int slot = pool_slot(x->env, op->u.pool_down.instance);

	if (slot >= 0 && op->u.pool_down.instance != 0)
		x->env->pool[slot].up = false;
	return 0;
}

static int end_lost(struct tx *x, struct step_rec *s, const void *arg)
{
	(void)arg;
	x->r->count++;
	return attempt_lost(x, s, "the pool that ran it died");
}

static int end_unleased(struct tx *x, struct step_rec *s, const void *arg)
{
	(void)arg;
	x->r->count++;
	return attempt_unlease(x, s);
}

int op_pool_gone(struct tx *x, const struct op *op)
{
	uint64_t instance = op->u.pool_gone.instance;
	int slot = pool_slot(x->env, instance);

	if (slot >= 0 && instance != 0)
		memset(&x->env->pool[slot], 0, sizeof(x->env->pool[slot]));
	return each_attempt(x, instance, op->u.pool_gone.clean ? end_unleased : end_lost, NULL);
}

int op_unlease(struct tx *x, const struct op *op)
{
	const struct step_ref *ref = &op->u.unlease.step;
	struct step_rec s;
	int rc = step_get(x->v, ref, &s);

	if (rc == ERR_NOT_FOUND)
		return 0;
	if (rc != 0)
		return rc;
	if (s.state != STEP_RUNNING || s.token == 0 || s.token != op->u.unlease.token ||
	    s.instance == 0)
		return 0;
	rc = must(run_open(x, ref->run));
	return rc != 0 ? rc : attempt_unlease(x, &s);
}
