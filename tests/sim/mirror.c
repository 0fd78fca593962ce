/* mirror.c: runs and steps as the effects tell them, beside what the operations must have done:
 * which outcomes count, what END and a pool's death judge, that max_runs holds, that an ended run
 * ended as its steps say. */
#include "tests/sim/sim.h"

#include <string.h>

uint64_t mirror_key(const struct step_ref *ref)
{
	return ref->run << 24 | (uint64_t)ref->step << 16 | ref->item;
}

struct mstep *mirror_step(struct world *w, const struct step_ref *ref)
{
	uint32_t at = map_find(&w->step_of, mirror_key(ref));
	struct mstep *m;

	if (at != UINT32_MAX)
		return &w->msteps.v[at];
	map_add(&w->step_of, mirror_key(ref), (uint32_t)w->msteps.n);
	m = VEC_PUSH(&w->msteps);
	memset(m, 0, sizeof(*m));
	m->ref = *ref;
	m->state = STEP_WAITING;
	m->not_before = TIME_NONE;
	return m;
}

struct mrun *mirror_run(struct world *w, uint64_t run)
{
	return run < w->runs.n && w->runs.v[run].there ? &w->runs.v[run] : NULL;
}

/* ---- effects ---- */

static void fresh_add(struct world *w, const struct run_rec *r)
{
	struct fresh *f = VEC_PUSH(&w->fresh);

	*f = (struct fresh){.no = r->no,
	    .backfill = r->backfill,
	    .timed = r->trigger <= TRIGGER_EVERY,
	    .logical = r->logical_time};
	str_copy(f->trigger, sizeof(f->trigger), r->trigger_name);
	model_run_name(r, f->name, sizeof(f->name));
	f->dag = (uint32_t)(r->dag[1] - '0');
	VEC_ADD(&w->batch_fresh, *f);
}

static void run_new(struct world *w, uint64_t no)
{
	struct run_rec r;
	struct mrun *m;
	char name[160];

	while (w->runs.n <= no)
		memset(VEC_PUSH(&w->runs), 0, sizeof(struct mrun));
	m = &w->runs.v[no];
	if (run_get(bed_view(w->bed), no, &r) != 0) {
		fail(w, "run %llu was told and is not there", (unsigned long long)no);
		return;
	}
	m->there = true;
	m->space = r.space;
	memcpy(m->id, r.id, sizeof(m->id));
	model_run_name(&r, name, sizeof(name));
	m->name = text_hash(name);
	prune_check_new(w, m, name);
	m->backfill = r.backfill;
	fresh_add(w, &r);
	note(w, "run %llu is %s of %s, revision %u", (unsigned long long)no, r.key, r.dag,
	    r.revision);
	m->state = RUN_QUEUED;
	m->spec = spec_of_plan(w, r.plan);
	if (m->spec == NULL || m->spec != w->dag[m->spec->dag].spec)
		fail(w, "run %llu has a plan that is not the live one", (unsigned long long)no);
	if (w->failed)
		return;
	fill_run_new(w, no, w->fresh.v[w->fresh.n - 1].name, r.revision);
	overlap_opened(w, no);
	wait_queued(w, no, &r, r.queued_at);
}

static void refusal_add(struct world *w, uint64_t seq)
{
	struct refusal *f;
	struct event_rec e;
	const char *at;

	if (event_get(bed_view(w->bed), seq, &e, NULL) != 0 || strcmp(e.type, "tick") != 0)
		return;
	at = strchr(e.source, ':'); /* "cron:d0/t1" */
	if (at == NULL || strlen(at) < 5)
		return;
	f = VEC_PUSH(&w->refusals);
	f->dag = (uint32_t)(at[2] - '0');
	f->instant = e.time;
	str_copy(f->trigger, sizeof(f->trigger), at + 4);
}

/* What the operation made and left out is known first. */
static void gather(struct world *w, size_t from, size_t to)
{
	for (size_t i = from; i < to && !w->failed; i++) {
		const struct effect *f = &w->fx.v[i];

		if (f->kind == EFFECT_RUN && mirror_run(w, f->id) == NULL)
			run_new(w, f->id);
		else if (f->kind == EFFECT_EVENT && f->state == VERDICT_REJECTED)
			refusal_add(w, f->id);
	}
}

static void count_running(struct world *w, const struct spec *s)
{
	const struct spec *live = w->dag[s->dag].spec;

	if (live != NULL && w->running[s->dag] >= live->max_runs)
		fail(w, "%s: %u runs run, max_runs is %u", s->name, w->running[s->dag] + 1,
		    live->max_runs);
	if (model_paused(w, s->dag))
		fail(w, "%s: a run starts while it is paused", s->name);
	w->running[s->dag]++;
}

/* An ended run: all its steps have ended, and it ended as they say. */
static void run_ended(struct world *w, uint64_t no, const struct mrun *r, enum run_state to)
{
	uint32_t bad = 0, cancelled = 0;

	for (uint32_t i = 0; i < r->spec->n_steps; i++) {
		struct step_ref ref = {no, (uint16_t)i, 0};
		enum step_state s = mirror_step(w, &ref)->state;

		if (!step_state_ended(s))
			fail(w, "run %llu ended, its step %u is %s", (unsigned long long)no, i,
			    step_state_name(s));
		bad += (s == STEP_FAILED || s == STEP_UPSTREAM_FAILED) && !r->spec->steps[i].allow;
		cancelled += s == STEP_CANCELLED;
	}
	if ((to == RUN_SUCCEEDED && bad + cancelled > 0) ||
	    (to == RUN_FAILED && bad == 0 && r->spec->run_timeout_ms < 0) ||
	    (to == RUN_CANCELLED && bad + cancelled == 0))
		fail(w, "run %llu is %s with %u bad and %u cancelled steps", (unsigned long long)no,
		    run_state_name(to), bad, cancelled);
}

static void run_effect(struct world *w, const struct effect *f)
{
	struct mrun *r = mirror_run(w, f->id);

	if (r->state == RUN_QUEUED && f->state != RUN_QUEUED)
		wait_left(w, f->id);
	if (r->state == RUN_RUNNING && f->state != RUN_RUNNING)
		w->running[r->spec->dag]--;
	if (f->state == RUN_RUNNING && r->state != RUN_RUNNING)
		count_running(w, r->spec);
	if (run_state_ended(r->state) && !run_state_ended((enum run_state)f->state)) {
		r->cancelled = false;
		r->marked = r->loose;
		overlap_opened(w, f->id);
		wait_queued(w, f->id, NULL, 0);
	} else if (!run_state_ended(r->state) && run_state_ended((enum run_state)f->state)) {
		overlap_ended(w, f->id);
		model_run_ended(w, f->id);
	}
	if (f->state == RUN_CANCELLED && !r->cancelled && !r->marked && !r->reopened &&
	    !r->elsewhere)
		fail(w, "run %llu of %s was cancelled without a reason", (unsigned long long)f->id,
		    r->spec->name);
	if (run_state_ended((enum run_state)f->state))
		run_ended(w, f->id, r, (enum run_state)f->state);
	r->state = (enum run_state)f->state;
	if (run_state_ended(r->state))
		r->ended_at = w->batch_now;
}

/* It started and gave way to another in the same operation. */
static bool ended_since(const struct world *w, size_t at, size_t to)
{
	for (size_t i = at + 1; i < to; i++) {
		if (w->fx.v[i].kind == EFFECT_RUN && w->fx.v[i].id == w->fx.v[at].id &&
		    run_state_ended((enum run_state)w->fx.v[i].state))
			return true;
	}
	return false;
}

/* The places of runs that end are free before others take them: ends first. */
void mirror_effects(struct world *w, size_t from, size_t to)
{
	gather(w, from, to);
	rerun_replanned(w, from, to);
	for (size_t i = from; i < to && !w->failed; i++) {
		if (w->fx.v[i].kind == EFFECT_STEP)
			mirror_step_effect(w, &w->fx.v[i]);
	}
	for (int pass = 0; pass < 2; pass++) {
		for (size_t i = from; i < to && !w->failed; i++) {
			const struct effect *f = &w->fx.v[i];

			if (f->kind == EFFECT_RUN && (f->state == RUN_RUNNING) == (pass == 1) &&
			    !(pass == 1 && ended_since(w, i, to)))
				run_effect(w, f);
		}
	}
}

/* ---- judging ---- */

static bool in_list(const struct sim_op *o, const struct mstep *m)
{
	for (size_t i = 0; i < o->op.u.pool_up.n_seen; i++) {
		if (o->op.u.pool_up.seen_token[i] == m->token)
			return true;
	}
	return false;
}

/* Steps of an instance that ran before the operation: what it made of them. */
static void judged(struct world *w, const struct sim_op *o, uint64_t instance)
{
	bool lost = o->op.kind == OP_POOL_GONE && !o->op.u.pool_gone.clean;

	for (size_t i = o->fx_from; i < o->fx_to && !w->failed; i++) {
		const struct effect *f = &w->fx.v[i];
		struct mstep *m;

		if (f->kind != EFFECT_STEP || f->old_state != STEP_RUNNING)
			continue;
		m = mirror_step(w, &f->step);
		if (m->token == 0)
			continue; /* a group */
		if (m->instance != instance)
			fail(w, "a step of another instance was judged");
		else if (o->op.kind == OP_POOL_UP && in_list(o, m))
			fail(w, "END took a step away that it listed");
		else if (m->remote)
			remote_unheard(w, m, f, lost);
		else if (lost)
			mirror_judged(w, m, CLASS_LOST, 0, (enum step_state)f->state);
		else if (f->state != STEP_READY && f->state != STEP_CANCELLED)
			fail(w, "what never began became %s",
			    step_state_name((enum step_state)f->state));
	}
}

static void nothing_left(struct world *w, const struct sim_op *o, uint64_t instance)
{
	for (size_t i = 0; i < w->msteps.n && !w->failed; i++) {
		const struct mstep *m = &w->msteps.v[i];

		if (m->state != STEP_RUNNING || m->instance != instance || m->token == 0)
			continue;
		if (o->op.kind == OP_POOL_GONE || !in_list(o, m))
			fail(w, "step %llu/%u/%u still runs on an instance that does not have it",
			    (unsigned long long)m->ref.run, m->ref.step, m->ref.item);
	}
}

/* ---- cancels ---- */

static void cancel_one(struct world *w, uint64_t no)
{
	struct mrun *r = mirror_run(w, no);

	if (r != NULL && !run_state_ended(r->state))
		r->cancelled = true;
}

/* The next run of a backfill may come where one was cancelled: it is not meant. */
bool mirror_is_fresh(const struct world *w, uint64_t no)
{
	for (size_t i = 0; i < w->fresh.n; i++) {
		if (w->fresh.v[i].no == no)
			return true;
	}
	return false;
}

static void cancelled(struct world *w, const struct sim_op *o)
{
	if (o->op.u.cancel.run != 0) {
		cancel_one(w, o->op.u.cancel.run);
		return;
	}
	for (uint64_t i = 1; i < w->runs.n; i++) {
		const struct mrun *r = mirror_run(w, i);

		if (r != NULL && (o->op.u.cancel.all || r->spec->dag == o->arg) &&
		    !mirror_is_fresh(w, i))
			cancel_one(w, i);
	}
}

/* run_timeout and a vanished file cancel too: a step that a timer cancelled says so. */
static void timed_out(struct world *w, const struct sim_op *o)
{
	for (size_t i = o->fx_from; i < o->fx_to; i++) {
		const struct effect *f = &w->fx.v[i];
		struct mrun *r;

		if (f->kind != EFFECT_STEP && f->kind != EFFECT_KILL)
			continue;
		if (f->kind == EFFECT_STEP && f->state != STEP_CANCELLED)
			continue;
		r = mirror_run(w, f->step.run);
		if (r != NULL && r->spec->run_timeout_ms >= 0)
			r->cancelled = true;
	}
}

static void timers(struct world *w, const struct sim_op *o)
{
	timed_out(w, o);
	wait_timed_out(w, o);
}

static void before(struct world *w, const struct sim_op *o)
{
	if (o->op.kind == OP_POOL_UP && o->result.rc != 0)
		fail(w, "an instance was refused: %s", o->result.err.text);
	else if (o->op.kind == OP_RERUN)
		rerun_told(w, o);
	else if (o->op.kind == OP_CANCEL && o->result.rc == 0)
		cancelled(w, o);
	else if (o->op.kind == OP_DUE)
		timers(w, o);
	else if (o->op.kind == OP_MARK && o->result.rc == 0 &&
		 mirror_run(w, o->op.u.mark.run) != NULL)
		mirror_run(w, o->op.u.mark.run)->marked = true;
	else if (o->op.kind == OP_OUTCOME)
		mirror_outcome(w, o);
	else if (o->op.kind == OP_POOL_UP)
		judged(w, o, o->op.u.pool_up.instance);
	else if (o->op.kind == OP_POOL_GONE)
		judged(w, o, o->op.u.pool_gone.instance);
}

void mirror_op(struct world *w, const struct sim_op *o, wall_us now)
{
	if (o->result.rc != 0 && o->fx_to != o->fx_from)
		fail(w, "a refused operation %d has effects", (int)o->op.kind);
	w->told = o;
	VEC_CLEAR(&w->refusals);
	overlap_count(w);
	gather(w, o->fx_from, o->fx_to);
	if (w->failed)
		return;
	before(w, o);
	if (!w->failed)
		rerun_tells(w, o);
	fills_asked(w, o, now);
	overlap_new_runs(w, o);
	/* runs that these start have the new limits already */
	if ((o->op.kind == OP_PLANS || o->op.kind == OP_PAUSE) && o->result.rc == 0)
		model_op(w, o, now);
	mirror_effects(w, o->fx_from, o->fx_to);
	w->told = NULL;
	if (o->op.kind == OP_PRUNE && o->result.rc == 0 && !w->failed)
		prune_told(w, o, now);
	if (o->op.kind == OP_HOLD_END && o->result.rc == 0)
		w->held = false;
	if (o->op.kind == OP_POOL_UP && o->result.rc == 0) {
		int p = pool_find(w, o->op.u.pool_up.instance);

		nothing_left(w, o, o->op.u.pool_up.instance);
		if (p >= 0)
			w->pool[p].up_conn = o->op.u.pool_up.gen;
	}
	if (o->op.kind == OP_POOL_GONE && o->result.rc == 0) {
		int p = pool_find(w, o->op.u.pool_gone.instance);

		nothing_left(w, o, o->op.u.pool_gone.instance);
		if (p >= 0)
			w->pool[p].id = 0;
	}
}

void mirror_dispatch(struct world *w, size_t from, size_t to)
{
	VEC_CLEAR(&w->fresh);
	mirror_effects(w, from, to);
	for (size_t i = from; i < to && !w->failed; i++) {
		if (w->fx.v[i].kind == EFFECT_JOB)
			mirror_job(w, &w->fx.v[i]);
	}
	if (!w->failed)
		remote_slots(w);
}

/* Everything came to its end. */
void mirror_end(struct world *w)
{
	for (uint64_t i = 1; i < w->runs.n && !w->failed; i++) {
		const struct mrun *r = mirror_run(w, i);

		if (r != NULL && !run_state_ended(r->state))
			fail(w, "run %llu of %s is still %s%s", (unsigned long long)i,
			    r->spec->name, run_state_name(r->state),
			    r->cancelled ? " though it was cancelled" : "");
	}
	for (size_t i = 0; i < w->msteps.n && !w->failed; i++) {
		const struct mstep *m = &w->msteps.v[i];
		const struct mrun *r = mirror_run(w, m->ref.run);

		if (r == NULL || r->marked || m->state != STEP_SUCCEEDED || m->token == 0)
			continue;
		if (m->ok_token != 0 && (!m->ledger || m->ledger_gen != m->generation))
			fail(w, "step %llu/%u/%u succeeded without its effect",
			    (unsigned long long)m->ref.run, m->ref.step, m->ref.item);
	}
}
