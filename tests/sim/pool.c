/* pool.c: pools and their connections, by the rules of the pool's protocol: an outcome is kept
 * until ACK, HELLO is answered by one block and END, a connection delivers in order or breaks, a
 * dead pool is gone when nothing of it lives, an orderly end leaves a mark. */
#include "tests/sim/sim.h"

#include <string.h>

#define IDLE_US (30 * US_PER_S)

int pool_find(const struct world *w, uint64_t id)
{
	for (uint32_t i = 0; id != 0 && i < SIM_POOLS; i++) {
		if (w->pool[i].id == id)
			return (int)i;
	}
	return -1;
}

static struct attempt *listed(const struct sim_pool *p, uint64_t token)
{
	for (size_t i = 0; i < p->table.n; i++) {
		if (p->table.v[i]->token == token)
			return p->table.v[i];
	}
	return NULL;
}

static struct attempt *sent(const struct world *w, uint64_t token)
{
	for (size_t i = 0; i < w->live.n; i++) {
		if (w->live.v[i]->token == token && w->live.v[i]->state == ATT_SENT)
			return w->live.v[i];
	}
	return NULL;
}

/* ---- messages ---- */

void pool_send(struct world *w, uint32_t p, enum event_kind kind, uint64_t token, void *take)
{
	struct sim_pool *at = &w->pool[p];
	bool down = kind == EV_OUT || kind == EV_BLOCK || kind == EV_EOF;
	mono_us *last = down ? &at->last_down : &at->last_up;
	mono_us arrives = w->mono + spread(&w->chance, 20, one_in(&w->chance, 50) ? 400000 : 3000);

	if (arrives <= *last)
		arrives = *last + 1;
	*last = arrives;
	later(w, arrives - w->mono, kind, p, at->conn, token, take);
}

static struct sim_op *outcome_op(const struct world *w, const struct attempt *a)
{
	struct sim_op *o = op_new(OP_OUTCOME);

	o->op.u.outcome.step = a->step;
	o->op.u.outcome.token = a->token;
	o->op.u.outcome.instance = w->pool[a->pool].id;
	o->op.u.outcome.code = a->code;
	memcpy(o->report, a->report, sizeof(o->report));
	o->op.u.outcome.report = o->report;
	o->op.u.outcome.report_n = strlen(o->report);
	o->class_ = a->class_;
	o->retry_after_ms = a->retry_after_ms;
	o->publishes = a->publishes;
	o->partition = a->partition;
	o->changed = a->changed;
	o->handle = a->handle;
	o->remote_ended = a->remote_ended;
	o->poll_after_ms = a->poll_after_ms;
	return o;
}

static void stale_send(struct world *w, const struct attempt *a)
{
	struct sim_op *o;

	if (!fault_now(w, FAULT_STALE))
		return;
	o = outcome_op(w, a);
	w->fig->stale++;
	/* a zombie's report under an older token, or the same again */
	if (one_in(&w->chance, 2))
		o->op.u.outcome.token -= 1 + roll(&w->chance, 3);
	pool_send(w, a->pool, EV_OUT, a->token, o);
}

void pool_outcome(struct world *w, uint32_t p, struct attempt *a)
{
	struct sim_pool *at = &w->pool[p];

	a->state = ATT_OUT;
	attempt_forget(w, a);
	if (at->conn == 0 || !at->answered)
		return;
	pool_send(w, p, EV_OUT, a->token, outcome_op(w, a));
	stale_send(w, a);
	if (mutant(MUTANT_POOL_FORGETS))
		attempt_free(w, a);
}

/* ---- connections ---- */

void pool_connect(struct world *w, uint32_t p)
{
	struct sim_pool *at = &w->pool[p];

	at->conn = ++w->next_conn;
	at->answered = false;
	at->last_up = at->last_down = 0;
	pool_send(w, p, EV_HELLO, 0, NULL);
}

static void jobs_drop(struct world *w, uint32_t p)
{
	for (size_t i = w->live.n; i > 0; i--) {
		struct attempt *a = w->live.v[i - 1];

		if (a->pool == p && a->state == ATT_SENT)
			attempt_free(w, a);
	}
}

static void submit_down(struct world *w, uint32_t p)
{
	struct sim_op *o = op_new(OP_POOL_DOWN);

	o->op.u.pool_down.instance = w->pool[p].id;
	submit(w, o);
}

void pool_break(struct world *w, uint32_t p)
{
	struct sim_pool *at = &w->pool[p];

	if (at->conn == 0 || !at->alive)
		return;
	note(w, "connection %llu to pool %u breaks", (unsigned long long)at->conn, p);
	at->conn = 0;
	at->answered = false;
	jobs_drop(w, p);
	submit_down(w, p);
	later(w, spread(&w->chance, 100, 5 * US_PER_S), EV_CONNECT, p, w->life, at->id, NULL);
}

void pool_break_any(struct world *w)
{
	uint32_t first = roll(&w->chance, SIM_POOLS);

	for (uint32_t i = 0; i < SIM_POOLS; i++) {
		if (w->pool[(first + i) % SIM_POOLS].conn == 0)
			continue;
		pool_break(w, (first + i) % SIM_POOLS);
		return;
	}
}

/* RUN and OUT of everything in the table, and END. */
static void answer_hello(struct world *w, uint32_t p)
{
	struct sim_pool *at = &w->pool[p];
	struct message *m = MEM_NEW(struct message);

	at->answered = true;
	m->retired = at->retired;
	m->seen = mem_calloc(at->table.n + 1, sizeof(*m->seen));
	m->token = mem_calloc(at->table.n + 1, sizeof(*m->token));
	for (size_t i = 0; i < at->table.n; i++) {
		const struct attempt *a = at->table.v[i];

		m->seen[m->n_seen] = a->step;
		m->token[m->n_seen++] = a->token;
		if (a->state == ATT_OUT)
			VEC_ADD(&m->outcomes, outcome_op(w, a));
	}
	pool_send(w, p, EV_BLOCK, 0, m);
}

static void take_block(struct world *w, uint32_t p, struct message *m)
{
	struct sim_op *o = op_new(OP_POOL_UP);

	for (size_t i = 0; i < m->outcomes.n; i++)
		submit(w, m->outcomes.v[i]);
	VEC_CLEAR(&m->outcomes);
	o->op.u.pool_up.instance = w->pool[p].id;
	o->op.u.pool_up.gen = w->pool[p].conn;
	o->op.u.pool_up.retired = m->retired;
	o->op.u.pool_up.seen = o->seen = m->seen;
	o->op.u.pool_up.seen_token = o->seen_token = m->token;
	o->op.u.pool_up.n_seen = m->n_seen;
	m->seen = NULL;
	m->token = NULL;
	submit(w, o);
}

/* ---- lives ---- */

static bool live_unretired(const struct world *w)
{
	for (uint32_t i = 0; i < SIM_POOLS; i++) {
		if (w->pool[i].id != 0 && w->pool[i].alive && !w->pool[i].retired)
			return true;
	}
	return false;
}

void pool_new(struct world *w)
{
	for (uint32_t i = 0; i < SIM_POOLS; i++) {
		struct sim_pool *p = &w->pool[i];

		if (p->id != 0)
			continue;
		p->id = 1 + (uint64_t)between(&w->chance, 1, INT64_C(1) << 40);
		p->alive = true;
		p->clean = p->retired = p->gone_told = p->answered = false;
		p->conn = 0;
		later(w, between(&w->chance, 1000, 100000), EV_CONNECT, i, w->life, p->id, NULL);
		return;
	}
}

static void dead(struct world *w, uint32_t p, bool clean)
{
	struct sim_pool *at = &w->pool[p];

	at->alive = false;
	at->clean = clean;
	if (at->dead_at < w->mono)
		at->dead_at = w->mono;
	jobs_drop(w, p);
	if (at->conn != 0)
		pool_send(w, p, EV_EOF, 0, NULL);
}

void pool_kill(struct world *w, uint32_t p)
{
	struct sim_pool *at = &w->pool[p];

	if (at->id == 0 || !at->alive)
		return;
	note(w, "pool %u dies with %zu attempts", p, at->table.n);
	at->dead_at = w->mono;
	for (size_t i = at->table.n; i > 0; i--) {
		struct attempt *a = at->table.v[i - 1];
		struct mstep *m = mirror_step(w, &a->step);
		int64_t lives = spread(&w->chance, 0, 2 * US_PER_S);

		if (a->state == ATT_OUT) {
			if (m->ok_token == a->token)
				m->ok_token = 0;
			attempt_free(w, a);
			continue;
		}
		a->orphan = true;
		if (w->mono + lives > at->dead_at)
			at->dead_at = w->mono + lives;
		later(w, lives, EV_DIE, p, 0, a->token, NULL);
	}
	dead(w, p, false);
}

void pool_maybe_end(struct world *w, uint32_t p)
{
	struct sim_pool *at = &w->pool[p];

	if (at->id != 0 && at->alive && at->retired && at->table.n == 0) {
		note(w, "retired pool %u ends", p);
		dead(w, p, true);
	}
}

void pool_retire(struct world *w, uint32_t p)
{
	struct sim_pool *at = &w->pool[p];

	if (at->id == 0 || !at->alive || at->retired || at->conn == 0 || !at->answered)
		return;
	note(w, "pool %u retires", p);
	at->retired = true;
	submit_down(w, p);
	pool_new(w);
	pool_maybe_end(w, p);
}

void pool_silent(struct world *w)
{
	for (size_t i = w->live.n; i > 0; i--) {
		if (w->live.v[i - 1]->state <= ATT_SENT)
			attempt_free(w, w->live.v[i - 1]);
	}
	for (uint32_t i = 0; i < SIM_POOLS; i++) {
		struct sim_pool *p = &w->pool[i];

		p->conn = 0;
		p->answered = false;
		if (p->id != 0 && p->alive && one_in(&w->chance, 2))
			later(w, IDLE_US, EV_IDLE, i, w->life, p->id, NULL);
	}
}

/* ---- events ---- */

static void on_job(struct world *w, const struct event *e)
{
	struct attempt *a = sent(w, e->c);

	if (a == NULL)
		return;
	if (!w->pool[e->a].alive || (w->pool[e->a].conn != e->b && !mutant(MUTANT_OLD_GEN))) {
		attempt_free(w, a);
		return;
	}
	a->state = ATT_RUN;
	VEC_ADD(&w->pool[e->a].table, a);
	worker_begin(w, a);
}

static void on_order(struct world *w, const struct event *e)
{
	struct sim_pool *p = &w->pool[e->a];
	struct attempt *a = listed(p, e->c);

	if (!p->alive || p->conn != e->b || e->b == 0 || a == NULL)
		return;
	if (e->kind == EV_KILL && a->state == ATT_RUN)
		worker_kill(w, a);
	if (e->kind != EV_ACK || a->state != ATT_OUT)
		return;
	attempt_free(w, a);
	pool_maybe_end(w, e->a);
}

static void on_eof(struct world *w, const struct event *e)
{
	struct sim_pool *p = &w->pool[e->a];
	int64_t in = p->dead_at - w->mono;

	if (p->conn != e->b || e->b == 0 || !w->up)
		return;
	p->conn = 0;
	submit_down(w, e->a);
	if (mutant(MUTANT_LOST_EARLY))
		in = 0;
	later(w, (in > 0 ? in : 0) + roll(&w->chance, 1000), EV_LOCK, e->a, w->life, p->id, NULL);
	if (!live_unretired(w))
		pool_new(w);
}

static void on_lock(struct world *w, const struct event *e)
{
	struct sim_pool *p = &w->pool[e->a];
	struct sim_op *o;

	if (!w->up || e->b != w->life || p->id != e->c || p->alive)
		return;
	o = op_new(OP_POOL_GONE);
	o->op.u.pool_gone.instance = p->id;
	o->op.u.pool_gone.clean = p->clean;
	o->arg = e->a;
	submit(w, o);
}

static void on_idle(struct world *w, const struct event *e)
{
	struct sim_pool *p = &w->pool[e->a];

	if (!w->up && e->b == w->life && p->id == e->c && p->alive && p->table.n == 0) {
		note(w, "idle pool %u ends", e->a);
		dead(w, e->a, true);
	}
}

void on_pool_event(struct world *w, const struct event *e)
{
	struct sim_pool *p = &w->pool[e->a];
	bool here = w->up && p->conn == e->b && e->b != 0;

	switch (e->kind) {
	case EV_CONNECT:
		if (!w->up || e->b != w->life || p->id != e->c || p->conn != 0)
			return;
		if (p->alive)
			pool_connect(w, e->a);
		else { /* it died meanwhile: nobody is there to say so */
			later(w, p->dead_at - w->mono + 1, EV_LOCK, e->a, e->b, e->c, NULL);
			if (!live_unretired(w))
				pool_new(w);
		}
		return;
	case EV_HELLO:
		if (p->alive && p->conn == e->b && e->b != 0)
			answer_hello(w, e->a);
		return;
	case EV_BLOCK:
		if (here)
			take_block(w, e->a, e->p);
		message_free(e->p);
		return;
	case EV_OUT:
		if (here)
			submit(w, e->p);
		else
			sim_op_free(e->p);
		return;
	case EV_JOB:
		on_job(w, e);
		return;
	case EV_KILL:
	case EV_ACK:
		on_order(w, e);
		return;
	case EV_EOF:
		on_eof(w, e);
		return;
	case EV_LOCK:
		on_lock(w, e);
		return;
	default:
		on_idle(w, e);
	}
}
