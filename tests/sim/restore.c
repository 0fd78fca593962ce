/* restore.c: an older copy of the store takes its place while the pools live on. The models go back
 * to the copy with it; the sink, the pools and what was acknowledged do not. What must hold: no job
 * leaves before every attempt of the past is settled and a person said resume, none of the past
 * counts any more, and everything ends. */
#include "tests/sim/sim.h"

#include <string.h>

#define EPOCH_SHIFT 40

/* The daemon looks each 200 ms; a hold of days would be nothing but looks. */
static int64_t look_us(const struct world *w)
{
	return 200 * US_PER_MS + w->horizon / 50000;
}

struct copy {
	struct bed_copy *store;	   /* owned */
	struct mdag dag[SIM_DAGS]; /* owns its vectors, as all below */
	VEC(struct wanted) targets;
	struct map target_of, counter_of, step_of;
	VEC(uint32_t) counters;
	VEC(struct mstep) msteps;
	VEC(struct mrun) runs;
	fill_vec fills;
	VEC(struct hook_event) hooks;
	uint32_t running[SIM_DAGS], slots;
	uint64_t set_version[SIM_SETS], part_version[SIM_SETS][SIM_PARTITIONS + 1];
	int64_t stored_offset;
};

static void *block_dup(const void *p, size_t n, size_t each)
{
	void *to = n > 0 ? mem_calloc(n, each) : NULL;

	if (n > 0)
		memcpy(to, p, n * each);
	return to;
}

#define VEC_DUP(to, from)                                                                          \
	((to)->n = (to)->cap = (from)->n,                                                          \
	    (to)->v = block_dup((from)->v, (from)->n, sizeof(*(from)->v)))
#define VEC_SWAP(a, b)                                                                             \
	do {                                                                                       \
		VEC_DONE(a);                                                                       \
		(a)->v = (b)->v;                                                                   \
		(a)->n = (b)->n;                                                                   \
		(a)->cap = (b)->cap;                                                               \
		(b)->v = NULL;                                                                     \
	} while (0)

static struct map map_dup(const struct map *m)
{
	struct map to = *m;

	to.key = block_dup(m->key, m->cap, sizeof(*m->key));
	to.at = block_dup(m->at, m->cap, sizeof(*m->at));
	return to;
}

static void map_swap(struct map *a, struct map *b)
{
	map_done(a);
	*a = *b;
	memset(b, 0, sizeof(*b));
}

static void dags_dup(struct mdag *to, const struct mdag *from)
{
	memcpy(to, from, SIM_DAGS * sizeof(*to));
	for (uint32_t d = 0; d < SIM_DAGS; d++) {
		for (int i = 0; i < SIM_TRIGGERS; i++) {
			VEC_DUP(&to[d].sched[i].missed, &from[d].sched[i].missed);
			VEC_DUP(&to[d].sched[i].open, &from[d].sched[i].open);
		}
	}
}

void copy_free(struct copy *c)
{
	if (c == NULL)
		return;
	bed_copy_free(c->store);
	for (uint32_t d = 0; d < SIM_DAGS; d++) {
		for (int i = 0; i < SIM_TRIGGERS; i++) {
			VEC_DONE(&c->dag[d].sched[i].missed);
			VEC_DONE(&c->dag[d].sched[i].open);
		}
	}
	VEC_DONE(&c->targets);
	map_done(&c->target_of);
	map_done(&c->counter_of);
	map_done(&c->step_of);
	VEC_DONE(&c->counters);
	VEC_DONE(&c->msteps);
	VEC_DONE(&c->runs);
	fills_done(&c->fills);
	VEC_DONE(&c->hooks);
	mem_free(c);
}

static void copy_take(struct world *w)
{
	struct copy *c = MEM_NEW(struct copy);

	note(w, "a copy of the store is made");
	c->store = bed_copy_new(w->bed);
	dags_dup(c->dag, w->dag);
	VEC_DUP(&c->targets, &w->targets);
	c->target_of = map_dup(&w->target_of);
	c->counter_of = map_dup(&w->counter_of);
	c->step_of = map_dup(&w->step_of);
	VEC_DUP(&c->counters, &w->counters);
	VEC_DUP(&c->msteps, &w->msteps);
	VEC_DUP(&c->runs, &w->runs);
	fills_dup(&c->fills, &w->fills);
	VEC_DUP(&c->hooks, &w->hooks);
	memcpy(c->running, w->running, sizeof(c->running));
	memcpy(c->set_version, w->set_version, sizeof(c->set_version));
	memcpy(c->part_version, w->part_version, sizeof(c->part_version));
	c->stored_offset = w->stored_offset;
	c->slots = w->slots;
	w->copy = c;
}

/* What the sink knows of a step is not in the store. */
static void steps_back(struct world *w, struct copy *c)
{
	for (size_t i = 0; i < c->msteps.n; i++) {
		struct mstep *to = &c->msteps.v[i];
		const struct mstep *now = mirror_step(w, &to->ref);

		to->fence = now->fence;
		to->ledger = now->ledger;
		to->ledger_gen = now->ledger_gen;
		to->ok_token = 0;
	}
	VEC_SWAP(&w->msteps, &c->msteps);
	map_swap(&w->step_of, &c->step_of);
}

/* A sender whose event was acknowledged does not send it again because of us. */
static void hooks_back(struct world *w, const struct copy *c)
{
	for (size_t i = 0; i < w->hooks.n; i++) {
		struct hook_event *h = &w->hooks.v[i];

		h->lost = h->lost || (h->acked && c->hooks.v[i].seq == 0);
		h->seq = c->hooks.v[i].seq;
		h->verdict = c->hooks.v[i].verdict;
	}
}

static void models_back(struct world *w, struct copy *c)
{
	hooks_back(w, c);
	steps_back(w, c);
	model_free(w);
	memcpy(w->dag, c->dag, sizeof(w->dag));
	memset(c->dag, 0, sizeof(c->dag));
	for (uint32_t d = 0; d < SIM_DAGS; d++) {
		for (int i = 0; i < SIM_TRIGGERS; i++)
			w->dag[d].sched[i].armed = false;
	}
	w->paused_all = true;
	VEC_SWAP(&w->targets, &c->targets);
	VEC_SWAP(&w->counters, &c->counters);
	VEC_SWAP(&w->runs, &c->runs);
	map_swap(&w->target_of, &c->target_of);
	map_swap(&w->counter_of, &c->counter_of);
	memcpy(w->running, c->running, sizeof(w->running));
	memcpy(w->set_version, c->set_version, sizeof(w->set_version));
	memcpy(w->part_version, c->part_version, sizeof(w->part_version));
	w->stored_offset = c->stored_offset;
	w->slots = c->slots;
	remote_back(w);
	fills_done(&w->fills);
	w->fills = c->fills;
	memset(&c->fills, 0, sizeof(c->fills));
	overlap_rebuild(w);
	fills_rebuild(w);
}

/* Running attempts of the copy have new tokens. */
static void tokens_read(struct world *w)
{
	for (size_t i = 0; i < w->msteps.n; i++) {
		struct mstep *m = &w->msteps.v[i];
		struct step_rec s;

		if (m->state != STEP_RUNNING || m->instance == 0)
			continue;
		if (step_get(bed_view(w->bed), &m->ref, &s) != 0 || s.token == m->token)
			fail(w, "step %llu/%u/%u kept its token over a restore",
			    (unsigned long long)m->ref.run, m->ref.step, m->ref.item);
		m->token = s.token;
	}
}

static void put_back(struct world *w)
{
	uint64_t before = w->epoch;

	bed_restore(w->bed, w->copy->store);
	models_back(w, w->copy);
	if (bed_begin(w->bed) != 0 || meta_get(bed_view(w->bed), META_EPOCH, &w->epoch) != 0)
		fail(w, "the restored store cannot be read");
	else if (w->epoch <= before)
		fail(w, "a restored store has epoch %llu, the replaced one had %llu",
		    (unsigned long long)w->epoch, (unsigned long long)before);
	tokens_read(w);
	bed_abort(w->bed);
}

/* A copy is made; some time later it takes the store's place. */
void fault_restore(struct world *w)
{
	if (w->copy == NULL) {
		copy_take(w);
		later(w, spread(&w->chance, US_PER_S, w->horizon / 20), EV_FAULT, FAULT_RESTORE, 0,
		    0, NULL);
		return;
	}
	daemon_crash(w, "for a restore");
	put_back(w);
	copy_free(w->copy);
	w->copy = NULL;
	w->held = true;
	note(w, "the copy is restored, epoch %llu", (unsigned long long)w->epoch);
	check_now(w);
	later(w, look_us(w), EV_HOLD, 0, 0, 0, NULL);
	later(w, spread(&w->chance, US_PER_S, w->horizon / 40), EV_HOLD, 1, 0, 0, NULL);
}

bool of_the_past(const struct world *w, uint64_t token)
{
	return token >> EPOCH_SHIFT < w->epoch;
}

/* As pool_link_is_clear: every instance has told its table, and nothing of the past runs. */
static bool is_clear(const struct world *w)
{
	for (int i = 0; i < SIM_POOLS; i++) {
		const struct sim_pool *p = &w->pool[i];

		if (p->id != 0 && (!p->alive || p->conn == 0 || p->up_conn != p->conn))
			return false;
		for (size_t k = 0; p->id != 0 && k < p->table.n; k++) {
			if (p->table.v[k]->state == ATT_RUN && of_the_past(w, p->table.v[k]->token))
				return false;
		}
	}
	return true;
}

/* resume: the person who looked; else the daemon's look. */
void on_hold(struct world *w, bool resume)
{
	if (!w->held)
		return;
	if (resume && !w->up) {
		later(w, US_PER_S, EV_HOLD, 1, 0, 0, NULL);
		return;
	}
	if (resume) {
		submit(w, op_new(OP_PAUSE));
		return;
	}
	if (w->up && !w->paused_all && is_clear(w))
		submit(w, op_new(OP_HOLD_END));
	later(w, w->up ? look_us(w) : US_PER_S, EV_HOLD, 0, 0, 0, NULL);
}

/* Instances that the copy names and nobody has seen since. */
void restore_gone(struct world *w)
{
	if (w->held && mutant(MUTANT_HOLD_SHORT))
		submit(w, op_new(OP_HOLD_END));
	for (size_t i = 0; w->epoch > 0 && i < w->msteps.n; i++) {
		const struct mstep *m = &w->msteps.v[i];
		struct sim_op *o;

		if (m->state != STEP_RUNNING || m->instance == 0 || pool_find(w, m->instance) >= 0)
			continue;
		o = op_new(OP_POOL_GONE);
		o->op.u.pool_gone.instance = m->instance;
		submit(w, o);
	}
}
