/* dispatch.c: ready steps -> running, at the end of each batch, in its transaction. Always takes
 * the head of table ready: it is either handed out or moves to blocked, so nothing is walked over
 * twice. */
#include "core/sched/tx.h"

#include "core/sched/codec.h"

#define TOKEN_BITS 40

struct lease {
	uint64_t epoch, counter;
	bool taken;
	uint64_t instance, gen;
	uint32_t cancelled; /* met in table ready while their run is being cancelled */
};

/* The instance that takes new work: up, not retired; the one connected last, where there are two.
 */
static bool pick_pool(const struct sched_env *env, struct lease *ret)
{
	bool found = false;

	for (size_t i = 0; i < sizeof(env->pool) / sizeof(env->pool[0]); i++) {
		if (!env->pool[i].up || env->pool[i].retired)
			continue;
		if (found && env->pool[i].gen < ret->gen)
			continue;
		found = true;
		ret->instance = env->pool[i].id;
		ret->gen = env->pool[i].gen;
	}
	return found;
}

static int lease_open(struct tx *x, struct lease *l)
{
	int rc = must(meta_get(x->v, META_EPOCH, &l->epoch));

	l->counter = 0;
	if (rc != 0)
		return rc;
	rc = meta_get(x->v, META_TOKEN, &l->counter);
	return rc == ERR_NOT_FOUND ? 0 : rc;
}

/* First resource that cannot be had, or -1. */
static int missing_resource(struct tx *x, const struct step_rec *s, int *ret)
{
	struct resource r;
	uint64_t used;
	bool claimed;
	int rc;

	*ret = -1;
	for (uint32_t i = 0; step_resource(x, s, i, &r); i++) {
		if (r.need == 0)
			continue;
		rc = resource_used(x, s, &r, &used);
		if (rc == 0)
			rc = resource_claimed(x, s, &r, &claimed);
		if (rc != 0)
			return rc;
		if (claimed || !resource_fits(&r, used)) {
			*ret = (int)i;
			return 0;
		}
	}
	return 0;
}

static int hand_out(struct tx *x, struct step_rec *s, struct lease *l)
{
	int rc;

	l->counter++;
	l->taken = true;
	s->token = l->epoch << TOKEN_BITS | l->counter;
	if (s->state == STEP_RUNNING) {
		rc = remote_poll(x, s, l->instance);
	} else {
		s->instance = l->instance;
		s->attempt++;
		rc = step_move(x, s, STEP_RUNNING, TIME_NONE);
	}
	if (rc == 0) {
		effect_step(x, EFFECT_JOB, s);
		x->fx->v[x->fx->n - 1].gen = l->gen;
	}
	return rc;
}

static int dispatch_one(struct tx *x, const struct step_ref *ref, struct lease *l)
{
	struct step_rec s;
	bool reached;
	int blocked, rc = must(run_open(x, ref->run));

	if (rc == 0)
		rc = step_load(x, ref->step, ref->item, &s);
	if (rc != 0)
		return rc;
	if (s.state == STEP_RUNNING && s.poll_ready) /* has its tokens, and is ended by a worker */
		return hand_out(x, &s, l);
	if (s.state != STEP_READY || s.blocked != 0)
		return ERR_CORRUPT;
	rc = cancel_reach(x, &l->cancelled, &reached);
	if (rc != 0 || reached)
		return rc;
	if (x->run.cancel) {
		l->cancelled++;
		return cancel_step(x, &s);
	}
	rc = missing_resource(x, &s, &blocked);
	if (rc != 0)
		return rc;
	if (blocked >= 0)
		return step_block(x, &s, (uint32_t)blocked);
	return hand_out(x, &s, l);
}

static int dispatch_all(struct tx *x, struct lease *l)
{
	uint64_t used, workers = x->env->conf != NULL ? x->env->conf->workers : 1;
	struct slice key, value, first = {NULL, 0};
	struct step_ref ref;
	int rc = 0;

	while (rc == 0) {
		rc = slots_used(x, &used);
		/* the cancel goes on in the next batch, by its due entry */
		if (rc != 0 || used >= workers || l->cancelled >= CANCEL_AT_ONCE)
			break;
		rc = x->v->next(x->v->ctx, TABLE_READY, first, false, &key, &value);
		if (rc == 0)
			rc = key_tail_step(key, &ref);
		if (rc == 0)
			rc = dispatch_one(x, &ref, l);
		else if (rc == ERR_NOT_FOUND)
			break;
	}
	return rc == ERR_NOT_FOUND ? 0 : rc;
}

bool sched_held(const struct view *v)
{
	uint64_t hold;

	return meta_get(v, META_HOLD, &hold) != ERR_NOT_FOUND;
}

int sched_dispatch(const struct view *v, struct sched_env *env, wall_us now, effect_vec *effects)
{
	struct slice key, value, first = {NULL, 0};
	struct lease l = {0};
	struct tx x;
	int rc;

	if (!pick_pool(env, &l))
		return 0;
	rc = v->next(v->ctx, TABLE_READY, first, false, &key, &value);
	if (rc != 0)
		return rc == ERR_NOT_FOUND ? 0 : rc;
	if (sched_held(v))
		return 0;
	tx_init(&x, v, env, now, NULL, effects);
	rc = lease_open(&x, &l);
	if (rc == 0)
		rc = dispatch_all(&x, &l);
	if (rc == 0 && l.taken)
		rc = meta_put(v, META_TOKEN, l.counter);
	return tx_done(&x, rc);
}
