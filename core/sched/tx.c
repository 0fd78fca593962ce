/* tx.c: what is open during one operation: the run, a group, counters; numbers and effects. */
#include "core/sched/tx.h"

#include "core/sched/codec.h"
#include "core/sched/show.h"

#include <stdio.h>
#include <string.h>

void tx_init(struct tx *x, const struct view *v, struct sched_env *env, wall_us now,
    struct op_result *r, effect_vec *fx)
{
	memset(x, 0, sizeof(*x));
	x->v = v;
	x->env = env;
	x->now = now;
	x->r = r;
	x->fx = fx;
}

static int finish(struct tx *x)
{
	int rc;

	/* a run that ends makes the next of its backfill, which may end at once as well */
	do {
		rc = flow_settle(x);
		if (rc == 0)
			rc = dataset_fire(x);
		if (rc == 0)
			rc = backfill_settle(x);
		if (rc == 0)
			rc = flow_pump(x);
	} while (rc == 0 && x->backfills.n + x->published.n > 0);
	if (rc == 0)
		rc = run_close(x);
	if (rc == 0 && x->slots_dirty)
		rc = count_put(x->v, COUNT_SLOTS, x->slots);
	if (rc == 0 && x->due_changed)
		effect_add(x, EFFECT_TIMER, 0);
	return rc;
}

int tx_done(struct tx *x, int rc)
{
	if (rc == 0)
		rc = finish(x);
	VEC_DONE(&x->pump);
	VEC_DONE(&x->published);
	VEC_DONE(&x->backfills);
	VEC_DONE(&x->once_runs);
	VEC_DONE(&x->paired);
	VEC_DONE(&x->cancels);
	return rc;
}

int must(int rc)
{
	return rc == ERR_NOT_FOUND ? ERR_CORRUPT : rc;
}

int refuse(struct tx *x, int code, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	x->r->rc = err_vset(&x->r->err, code, fmt, ap);
	va_end(ap);
	return 0;
}

int refuse_dag(struct tx *x, const char *name)
{
	x->r->rc = find_no_dag(x->v, name, &x->r->err);
	return 0;
}

struct effect *effect_add(struct tx *x, enum effect_kind kind, uint64_t id)
{
	struct effect *e = VEC_PUSH(x->fx);

	memset(e, 0, sizeof(*e));
	e->kind = kind;
	e->id = id;
	return e;
}

void effect_step(struct tx *x, enum effect_kind kind, const struct step_rec *s)
{
	struct effect *e = effect_add(x, kind, s->run);

	e->step = step_ref_of(s);
	e->token = s->token;
	e->instance = s->instance;
	e->state = (uint8_t)s->state;
	e->old_state = e->state;
}

int next_no(struct tx *x, const char *meta, uint64_t *ret)
{
	return meta_next(x->v, meta, ret);
}

int count_change(struct tx *x, const char *name, int64_t by)
{
	uint64_t n = 0;
	int rc = count_get(x->v, name, &n);

	if (rc != 0)
		return rc;
	if (by < 0 && n < (uint64_t)-by)
		return ERR_CORRUPT;
	return count_put(x->v, name, n + (uint64_t)by);
}

int slots_used(struct tx *x, uint64_t *ret)
{
	int rc = 0;

	if (!x->slots_known)
		rc = count_get(x->v, COUNT_SLOTS, &x->slots);
	x->slots_known = rc == 0;
	*ret = x->slots;
	return rc;
}

int slots_change(struct tx *x, int by)
{
	uint64_t n;
	int rc = slots_used(x, &n);

	if (rc != 0)
		return rc;
	if (by < 0 && n < (uint64_t)-by)
		return ERR_CORRUPT;
	x->slots = n + (uint64_t)by;
	x->slots_dirty = true;
	return 0;
}

/* ---- the run at hand ---- */

int run_close(struct tx *x)
{
	int rc = group_close(x);

	if (rc != 0 || !x->run_open)
		return rc;
	x->run_open = false;
	if (!x->run_dirty)
		return 0;
	if (x->run.state != x->run_was) {
		struct effect *e = effect_add(x, EFFECT_RUN, x->run.no);

		e->state = (uint8_t)x->run.state;
		e->old_state = (uint8_t)x->run_was;
	}
	return run_put(x->v, &x->run);
}

int run_open(struct tx *x, uint64_t no)
{
	int rc;

	if (x->run_open && x->run.no == no)
		return 0;
	rc = flow_settle(x);
	if (rc == 0)
		rc = run_close(x);
	if (rc == 0)
		rc = run_get(x->v, no, &x->run);
	if (rc != 0)
		return rc;
	rc = x->v->plan(x->v->ctx, x->run.plan, &x->plan, NULL);
	if (rc != 0)
		return must(rc);
	x->run_open = true;
	x->run_dirty = false;
	x->run_was = x->run.state;
	return 0;
}

int group_close(struct tx *x)
{
	bool dirty = x->group_open && x->group_dirty;

	x->group_open = false;
	x->group_dirty = false;
	return dirty ? step_put(x->v, &x->group) : 0;
}

int group_open(struct tx *x, uint16_t step, struct step_rec **ret)
{
	struct step_ref ref = {x->run.no, step, 0};
	int rc = 0;

	*ret = &x->group;
	if (x->group_open && x->group.step == step && x->group.run == x->run.no)
		return 0;
	rc = group_close(x);
	if (rc == 0)
		rc = must(step_get(x->v, &ref, &x->group));
	x->group_open = rc == 0;
	return rc;
}

int step_load(struct tx *x, uint16_t step, uint32_t item, struct step_rec *ret)
{
	struct step_ref ref = {x->run.no, step, item};
	int rc = 0;

	if (item == 0 && x->group_open)
		rc = group_close(x);
	return rc != 0 ? rc : must(step_get(x->v, &ref, ret));
}

bool is_group(const struct tx *x, const struct step_rec *s)
{
	return s->item == 0 && x->plan->steps[s->step].foreach != NULL;
}

/* ---- small things ---- */

int due_add(struct tx *x, const struct key *k)
{
	int rc = view_put(x->v, TABLE_DUE, k->b, k->n, NULL, 0);

	x->due_changed = true;
	return rc != 0 ? rc : reclock_added(x, k);
}

int due_del(struct tx *x, const struct key *k)
{
	int rc = must(view_del(x->v, TABLE_DUE, k->b, k->n));

	x->due_changed = true;
	return rc != 0 ? rc : reclock_deleted(x, k);
}

void bit_set(uint64_t *bits, uint16_t i)
{
	bits[i / 64] |= UINT64_C(1) << (i % 64);
}

bool bit_has(const uint64_t *bits, uint16_t i)
{
	return (bits[i / 64] >> (i % 64) & 1) != 0;
}

int bit_take(uint64_t *bits)
{
	for (size_t w = 0; w < STEP_BITS; w++) {
		int b;

		if (bits[w] == 0)
			continue;
		b = __builtin_ctzll(bits[w]);
		bits[w] &= bits[w] - 1;
		return (int)(w * 64) + b;
	}
	return -1;
}

void pump_add(struct tx *x, uint32_t dag_no)
{
	for (size_t i = 0; i < x->pump.n; i++) {
		if (x->pump.v[i] == dag_no)
			return;
	}
	VEC_ADD(&x->pump, dag_no);
}
