/* effect.c: what a commit allows: hand-overs, kills and acknowledgements to the pools, answers to
 * those who asked. */
#include "tests/sim/sim.h"

#define AGAIN_US (5 * US_PER_S)

static struct attempt *committed(const struct world *w, uint64_t token)
{
	for (size_t i = 0; i < w->live.n; i++) {
		if (w->live.v[i]->token == token && w->live.v[i]->state == ATT_COMMITTED)
			return w->live.v[i];
	}
	return NULL;
}

static void unlease(struct world *w, const struct effect *f)
{
	struct sim_op *o = op_new(OP_UNLEASE);

	o->op.u.unlease.step = f->step;
	o->op.u.unlease.token = f->token;
	submit(w, o);
}

/* A planted bug hands over what no commit knows yet. */
static struct attempt *attempt_made(struct world *w, const struct effect *f, int p)
{
	struct attempt *a = MEM_NEW(struct attempt);
	struct mrun *r = mirror_run(w, f->step.run);

	a->step = f->step;
	a->token = f->token;
	a->pool = p < 0 ? 0 : (uint32_t)p;
	a->spec = r != NULL ? r->spec : NULL;
	a->publishes = a->partition = -1;
	VEC_ADD(&w->live, a);
	return a;
}

static void hand_over(struct world *w, const struct effect *f)
{
	struct attempt *a = committed(w, f->token);
	int p = pool_find(w, f->instance);
	bool same;

	if (a == NULL && (mutant(MUTANT_EFFECT_EARLY) || mutant(MUTANT_OLD_GEN)))
		a = attempt_made(w, f, p);
	if (a == NULL || a->spec == NULL) {
		if (a != NULL)
			attempt_free(w, a);
		return;
	}
	same = p >= 0 && w->pool[p].conn == f->gen;
	if (mutant(MUTANT_OLD_GEN) && p >= 0 && w->pool[p].conn != 0)
		same = true;
	if (!same) {
		attempt_free(w, a);
		unlease(w, f);
		return;
	}
	a->pool = (uint32_t)p;
	a->state = ATT_SENT;
	pool_send(w, (uint32_t)p, EV_JOB, f->token, NULL);
}

static void kill_out(struct world *w, uint32_t p, const struct effect *f)
{
	for (size_t i = 0; f->kind == EFFECT_KILL && i < w->live.n; i++) {
		if (w->live.v[i]->token == f->token && w->live.v[i]->phase > PHASE_SUBMIT)
			fail(w, "a poll of step %llu/%u/%u is killed",
			    (unsigned long long)f->step.run, f->step.step, f->step.item);
	}
	pool_send(w, p, EV_KILL, f->token, NULL);
}

/* A pool knows an attempt by its step and its token: an answer to a zombie's report may name the
 * token of another step, which has nothing of it. */
static bool of_another(const struct sim_pool *p, const struct effect *f)
{
	for (size_t i = 0; i < p->table.n; i++) {
		if (p->table.v[i]->token == f->token)
			return mirror_key(&p->table.v[i]->step) != mirror_key(&f->step);
	}
	return false;
}

void effects_out(struct world *w, const struct effect *v, size_t n)
{
	bool due = false;

	for (size_t i = 0; i < n && !w->failed; i++) {
		struct effect f = v[i];
		int p = pool_find(w, f.instance);

		if (f.kind == EFFECT_JOB)
			hand_over(w, &f);
		else if (f.kind == EFFECT_TIMER)
			due = true;
		else if ((f.kind == EFFECT_KILL || f.kind == EFFECT_ORPHAN) && p >= 0)
			kill_out(w, (uint32_t)p, &f);
		else if (f.kind == EFFECT_ACK && p >= 0 && !of_another(&w->pool[p], &f))
			pool_send(w, (uint32_t)p, EV_ACK, f.token, NULL);
	}
	if (due)
		timer_arm(w);
}

static void hook_answered(struct world *w, const struct sim_op *o)
{
	struct hook_event *e = &w->hooks.v[o->arg];

	if (o->result.rc != 0) {
		later(w, between(&w->chance, US_PER_S, 30 * US_PER_S), EV_SEND, o->arg, 1, 0, NULL);
		return;
	}
	e->acked = true;
}

void replies_out(struct world *w, struct sim_op **ops, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		const struct sim_op *o = ops[i];

		if (o->reply == REPLY_HOOK)
			hook_answered(w, o);
		else if (o->reply == REPLY_PRUNE)
			prune_answered(w, &o->result);
		if (o->reply != REPLY_DUE)
			continue;
		w->asked = false;
		if (o->result.rc != 0 || w->ask_again)
			later(w, o->result.rc != 0 ? AGAIN_US : 0, EV_TIMER, 0, ++w->timer_gen,
			    w->life, NULL);
		else if (!mutant(MUTANT_PAGE_LAST) || !w->due_left)
			timer_arm(w);
	}
}
