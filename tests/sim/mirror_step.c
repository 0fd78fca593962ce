/* mirror_step.c: one step: its moves, its hand-overs with everything that limits them, its
 * outcomes with the retry rule. */
#include "tests/sim/sim.h"

#include <string.h>

static const struct spec_step *plan_of(const struct mrun *r, const struct step_ref *ref)
{
	return &r->spec->steps[ref->step];
}

/* ---- moves ---- */

/* run_timeout cancels what is being polled without a word. */
void mirror_timed_out(struct world *w, uint64_t run)
{
	struct mrun *r = mirror_run(w, run);
	struct run_rec rec;

	if (!r->cancelled && r->spec->run_timeout_ms >= 0 &&
	    run_get(bed_view(w->bed), run, &rec) == 0)
		r->cancelled = rec.cancel;
}

static void group_ended(
    struct world *w, const struct mstep *g, const struct mrun *r, enum step_state to)
{
	const struct spec_step *p = plan_of(r, &g->ref);
	enum step_state want = STEP_SUCCEEDED;
	uint32_t bad = 0;

	for (uint32_t i = 1; i <= p->items; i++) {
		struct step_ref ref = {g->ref.run, g->ref.step, i};
		enum step_state s = mirror_step(w, &ref)->state;

		bad += step_is_bad(s);
		if (!step_state_ended(s))
			fail(w, "group %llu/%u ended, item %u is %s", (unsigned long long)ref.run,
			    ref.step, i, step_state_name(s));
	}
	if (to == STEP_CANCELLED)
		mirror_timed_out(w, g->ref.run);
	if (bad > 0 && r->cancelled)
		want = STEP_CANCELLED;
	else if (bad > p->tolerate && bad > p->items * p->tolerate_percent / 100)
		want = STEP_FAILED;
	if (to != want)
		fail(w, "group %llu/%u became %s with %u bad items", (unsigned long long)g->ref.run,
		    g->ref.step, step_state_name(to), bad);
}

static void reopened(struct mstep *m)
{
	m->generation++;
	m->used = m->lost = m->submission = 0;
	m->forbidden = false;
	m->not_before = TIME_NONE;
	m->ok_token = 0;
}

/* Judged before its job reached the loop: there it meets a newer connection and goes nowhere. */
static void never_sent(struct world *w, uint64_t token)
{
	for (size_t i = 0; i < w->live.n; i++) {
		if (w->live.v[i]->token == token && w->live.v[i]->state == ATT_COMMITTED) {
			attempt_free(w, w->live.v[i]);
			return;
		}
	}
}

/* Out with a token, or at rest; submitted work rests in between. */
static void step_placed(struct world *w, struct mstep *m, const struct effect *f)
{
	bool out = f->state == STEP_RUNNING && f->instance != 0;

	w->slots -= m->state == STEP_RUNNING && m->instance != 0;
	w->slots += out;
	if (f->state == STEP_RUNNING && m->state != STEP_RUNNING)
		m->started = w->mono;
	if (out && f->token <= m->token)
		fail(w, "a token was used again");
	if (out)
		m->token = f->token;
	m->instance = out ? f->instance : 0;
}

/* Its run had ended and is opened again, in this operation, which may end it at once: no effect
 * tells of the run then. It is not cancelled any more. */
static void lift_cancel(struct mrun *r, const struct effect *f)
{
	if (run_state_ended(r->state) && (!step_state_ended((enum step_state)f->old_state) ||
					     !step_state_ended((enum step_state)f->state)))
		r->cancelled = false;
}

static void check_left_out(struct world *w, const struct mrun *r, const struct effect *f);

void mirror_step_effect(struct world *w, const struct effect *f)
{
	struct mrun *r = mirror_run(w, f->step.run);
	struct mstep *m = mirror_step(w, &f->step);
	bool group;

	if (r == NULL) {
		/* its run is new in this operation and told later */
		m->state = (enum step_state)f->state;
		return;
	}
	lift_cancel(r, f);
	group = f->step.item == 0 && plan_of(r, &f->step)->each;
	if (m->state != (enum step_state)f->old_state)
		fail(w, "step %llu/%u/%u: %s was told, it was %s", (unsigned long long)f->step.run,
		    f->step.step, f->step.item, step_state_name((enum step_state)f->old_state),
		    step_state_name(m->state));
	if (m->state == STEP_WAITING &&
	    (f->state == STEP_SKIPPED || f->state == STEP_UPSTREAM_FAILED))
		check_left_out(w, r, f);
	if (step_state_ended(m->state) && f->state == STEP_WAITING)
		reopened(m);
	if (m->remote && f->state != STEP_RUNNING &&
	    (w->told == NULL || w->told->op.kind != OP_OUTCOME))
		fail(w, "step %llu/%u/%u became %s while its work goes on elsewhere",
		    (unsigned long long)f->step.run, f->step.step, f->step.item,
		    step_state_name((enum step_state)f->state));
	if (m->state == STEP_RETRYING && f->state == STEP_READY && m->not_before != TIME_NONE &&
	    w->mono < m->not_before)
		fail(w, "step %llu/%u/%u is tried again %lld ms too early",
		    (unsigned long long)f->step.run, f->step.step, f->step.item,
		    (long long)((m->not_before - w->mono) / US_PER_MS));
	if (group && f->state == STEP_RUNNING && m->items < plan_of(r, &f->step)->items)
		m->items = plan_of(r, &f->step)->items;
	if (group && m->state == STEP_RUNNING && !r->marked)
		group_ended(w, m, r, (enum step_state)f->state);
	if (!group && m->state == STEP_RUNNING)
		never_sent(w, m->token);
	if (!group)
		step_placed(w, m, f);
	m->state = (enum step_state)f->state;
}

/* ---- hand-overs ---- */

/* What its parents make of a step, or of an item that pairs; WAITING where one is open. */
static enum step_state rule_of(struct world *w, const struct mrun *r, const struct step_ref *ref)
{
	const struct spec_step *p = plan_of(r, ref);
	uint32_t n = 0, good = 0, bad = 0, failed = 0;

	for (uint16_t k = 0; k < ref->step; k++) {
		bool pairs = ref->item > 0 && (p->match >> k & 1) != 0;
		struct step_ref from = {ref->run, k, pairs ? ref->item : 0};
		enum step_state s;

		if ((p->needs >> k & 1) == 0)
			continue;
		s = mirror_step(w, &from)->state;
		n++;
		failed += s == STEP_FAILED || s == STEP_UPSTREAM_FAILED;
		if (step_is_bad(s) && (s == STEP_CANCELLED || !r->spec->steps[k].allow))
			bad++;
		else if (s == STEP_SUCCEEDED || step_is_bad(s))
			good++;
		if (!step_state_ended(s))
			return STEP_WAITING;
	}
	if (n == 0 || p->when == WHEN_ALL_DONE)
		return STEP_READY;
	if (p->when == WHEN_ALL_SUCCESS)
		return bad > 0 ? STEP_UPSTREAM_FAILED : good == n ? STEP_READY : STEP_SKIPPED;
	if (p->when == WHEN_ONE_SUCCESS)
		return good > 0 ? STEP_READY : STEP_SKIPPED;
	return failed > 0 ? STEP_READY : STEP_SKIPPED;
}

static void check_parents(struct world *w, const struct mrun *r, const struct mstep *m)
{
	enum step_state to = rule_of(w, r, &m->ref);
	bool of_group = m->ref.item > 0 && plan_of(r, &m->ref)->match == 0;

	/* what has begun goes on whatever a mark makes of its rule: a group with all its items */
	if (to == STEP_READY ||
	    (to != STEP_WAITING && r->marked && (of_group || m->used + m->lost > 0)))
		return;
	if (!r->loose)
		fail(w, "step %llu/%u/%u runs, by its rule it is %s",
		    (unsigned long long)m->ref.run, m->ref.step, m->ref.item, step_state_name(to));
}

/* It never runs: is that so? */
static void check_left_out(struct world *w, const struct mrun *r, const struct effect *f)
{
	const struct spec_step *p = plan_of(r, &f->step);
	struct step_ref group = {f->step.run, f->step.step, 0};
	enum step_state to;

	if (r->marked || w->told == NULL || w->told->op.kind == OP_MARK)
		return;
	if (f->step.item == 0 ? p->match != 0
			      : p->match == 0 || mirror_step(w, &group)->state != STEP_RUNNING)
		return; /* goes with its group; one that pairs begins before its parents end */
	to = rule_of(w, r, &f->step);
	if (to != (enum step_state)f->state)
		fail(w, "step %llu/%u/%u became %s, by its rule it is %s",
		    (unsigned long long)f->step.run, f->step.step, f->step.item,
		    step_state_name((enum step_state)f->state), step_state_name(to));
}

struct use {
	uint32_t tokens, group, only, same;
};

static void count_uses(
    struct world *w, const struct mrun *r, const struct step_ref *ref, struct use *u)
{
	const struct spec_step *p = plan_of(r, ref);

	memset(u, 0, sizeof(*u));
	for (size_t i = 0; i < w->live.n; i++) {
		const struct attempt *a = w->live.v[i];
		const struct spec_step *q = &a->spec->steps[a->step.step];

		if (p->pool >= 0 && q->pool == p->pool)
			u->tokens += q->tokens;
		u->same += a->step.run == ref->run && a->step.step == ref->step &&
			   a->step.item == ref->item;
		u->group += a->step.run == ref->run && a->step.step == ref->step;
		u->only += a->spec->dag == r->spec->dag && a->step.step == ref->step &&
			   a->step.item == ref->item && q->only;
	}
	if (p->pool >= 0)
		u->tokens += remote_tokens(w, p->pool);
}

static void check_limits(
    struct world *w, const struct mrun *r, const struct step_ref *ref, bool poll)
{
	const struct spec_step *p = plan_of(r, ref);
	struct use u;

	count_uses(w, r, ref, &u);
	if (u.same > 0)
		fail(w, "two live attempts of step %llu/%u/%u", (unsigned long long)ref->run,
		    ref->step, ref->item);
	if (w->live.n >= w->conf.workers)
		fail(w, "%zu attempts are out, there are %u workers", w->live.n + 1,
		    w->conf.workers);
	if (poll)
		return; /* has all that it needs but a slot */
	if (p->pool >= 0 && u.tokens > 0 && u.tokens + p->tokens > w->conf_pools[p->pool].size)
		fail(w, "pool %s: %u tokens are out, it has %u", w->conf_pools[p->pool].name,
		    u.tokens + p->tokens, w->conf_pools[p->pool].size);
	if (ref->item > 0 && p->parallel > 0 && u.group >= p->parallel)
		fail(w, "group %llu/%u: more than %u items run", (unsigned long long)ref->run,
		    ref->step, p->parallel);
	if (p->only && u.only > 0)
		fail(w, "the exclusive step %s/%u runs twice", r->spec->name, ref->step);
}

static void check_again(struct world *w, const struct mstep *m, const struct mrun *r)
{
	const struct spec_step *p = plan_of(r, &m->ref);

	if (m->forbidden || (m->used >= p->attempts && m->used > 0))
		fail(w, "step %llu/%u/%u is tried again against its retry rule",
		    (unsigned long long)m->ref.run, m->ref.step, m->ref.item);
	if (m->ok_token != 0)
		fail(w, "step %llu/%u/%u runs again, its success was reported",
		    (unsigned long long)m->ref.run, m->ref.step, m->ref.item);
}

void mirror_job(struct world *w, const struct effect *f)
{
	struct mrun *r = mirror_run(w, f->step.run);
	struct mstep *m = mirror_step(w, &f->step);
	struct attempt *a;

	if (r == NULL || m->state != STEP_RUNNING || m->token != f->token) {
		fail(w, "a job for a step that does not run");
		return;
	}
	if ((r->cancelled && !m->remote) || r->state != RUN_RUNNING)
		fail(w, "a job of run %llu, which is %s%s", (unsigned long long)f->step.run,
		    run_state_name(r->state), r->cancelled ? " and cancelled" : "");
	if (w->held)
		fail(w, "a job while everything is held after a restore");
	if (!m->remote)
		check_parents(w, r, m);
	check_limits(w, r, &f->step, m->remote);
	if (!m->remote)
		check_again(w, m, r);
	a = MEM_NEW(struct attempt);
	a->step = f->step;
	a->token = f->token;
	a->spec = r->spec;
	a->generation = m->generation;
	a->publishes = a->partition = -1;
	VEC_ADD(&w->live, a);
	remote_job(w, m, a);
}

/* ---- outcomes ---- */

static int64_t delay_of(const struct spec_step *p, uint32_t n)
{
	int64_t ms = p->delay_ms;

	for (uint32_t i = 1; i < n && ms < p->max_delay_ms; i++)
		ms *= 2;
	if (ms > p->max_delay_ms)
		ms = p->max_delay_ms;
	return (int64_t)((double)ms * (1 - p->jitter));
}

/* What an attempt's end makes of its step, by rule 22 and the step's retry rule. */
void mirror_judged(struct world *w, struct mstep *m, enum step_class c, int64_t retry_after_ms,
    enum step_state became)
{
	const struct mrun *r = mirror_run(w, m->ref.run);
	const struct spec_step *p = plan_of(r, &m->ref);
	bool may = (p->classes >> c & 1) != 0;
	int64_t delay = 0;

	if (c == CLASS_OK || c == CLASS_CANCELLED) {
		if (became != (c == CLASS_OK ? STEP_SUCCEEDED : STEP_CANCELLED))
			fail(w, "an attempt that was %s left its step %s", class_name(c),
			    step_state_name(became));
		return;
	}
	if (c == CLASS_LOST) {
		m->lost++;
		may = may && !p->lost_fails && m->lost <= 3;
		delay = m->lost > 1 ? delay_of(p, m->lost - 1) : 0;
	} else {
		m->used++;
		may = may && m->used < p->attempts;
		delay = delay_of(p, m->used);
	}
	if (c == CLASS_QUOTA && retry_after_ms > delay)
		delay = retry_after_ms;
	m->forbidden = !may;
	if (may && delay > 1 && became == STEP_READY && !r->cancelled)
		fail(w, "step %llu/%u/%u is tried again at once, its delay is %lld ms",
		    (unsigned long long)m->ref.run, m->ref.step, m->ref.item, (long long)delay);
	m->not_before = may && delay > 200 ? w->mono + (delay - 200) * US_PER_MS : TIME_NONE;
	if (r->cancelled ? became != STEP_CANCELLED
	    : may	 ? became != STEP_READY && became != STEP_RETRYING
			 : became != STEP_FAILED)
		fail(w, "step %llu/%u/%u ended %s (%u used, %u lost) and became %s",
		    (unsigned long long)m->ref.run, m->ref.step, m->ref.item, class_name(c),
		    m->used, m->lost, step_state_name(became));
}

void mirror_outcome(struct world *w, const struct sim_op *o)
{
	struct step_ref ref = o->op.u.outcome.step;
	struct mstep *m = mirror_step(w, &ref);
	bool counts = m->state == STEP_RUNNING && m->token == o->op.u.outcome.token &&
		      m->instance == o->op.u.outcome.instance && m->token != 0;
	const struct effect *moved = NULL;
	bool acked = false;

	for (size_t i = o->fx_from; i < o->fx_to; i++) {
		const struct effect *f = &w->fx.v[i];

		acked = acked || (f->kind == EFFECT_ACK && f->token == o->op.u.outcome.token);
		if (f->kind == EFFECT_STEP && f->step.run == ref.run && f->step.step == ref.step &&
		    f->step.item == ref.item && moved == NULL)
			moved = f;
	}
	if (!acked)
		fail(w, "an outcome was not acknowledged");
	else if (!counts && o->fx_to != o->fx_from + 1)
		fail(w, "a stale outcome changed something");
	else if (counts && moved == NULL)
		fail(w, "the outcome of the current attempt changed nothing");
	if (!counts || w->failed)
		return;
	if (plan_of(mirror_run(w, ref.run), &ref)->remote)
		remote_outcome_told(w, m, o, moved);
	else
		mirror_judged(w, m, o->class_, o->retry_after_ms, (enum step_state)moved->state);
	if (o->publishes >= 0 && !w->failed)
		rerun_published(w, mirror_run(w, ref.run), o);
}
