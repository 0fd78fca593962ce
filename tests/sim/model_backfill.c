/* model_backfill.c: backfills: which windows or instants a range holds, and that each is passed
 * once and in order: made, made anew, run again or kept, as sluice(1) says. The store tells how far
 * a backfill came; what it did there is seen in the effects and judged here. */
#include "core/time/calendar.h"
#include "tests/sim/sim.h"

#include <stdio.h>
#include <string.h>

/* ---- targets ---- */

static bool timed(const struct spec_trigger *t)
{
	return t->kind <= TRIGGER_EVERY;
}

/* A window is meant when it begins in the range; of its instants the first one counts. */
static void targets_find(
    const struct spec_trigger *t, wall_us from, wall_us to, wall_us now, wall_vec *out)
{
	wall_us at = from - 1, hi = to, start, end, last = TIME_NONE;
	enum cal_unit unit = CAL_DAY;

	VEC_CLEAR(out);
	if (t->covers != NULL && cal_unit_parse(t->covers, &unit) == 0) {
		at = cal_add(unit, t->zone, from, -t->offset - 2);
		hi = cal_add(unit, t->zone, to, -t->offset + 2);
	}
	while (model_next(t, at, &at) == 0 && at <= hi && at <= now) {
		if (t->covers != NULL) {
			cal_window(unit, t->zone, at, t->offset, &start, &end);
			if (start < from || start > to || start == last)
				continue;
			last = start;
		}
		VEC_ADD(out, at);
	}
}

static const struct spec_trigger *find_trigger(const struct spec *s, const char *name)
{
	for (uint32_t i = 0; s != NULL && i < s->n_triggers; i++) {
		if (timed(&s->triggers[i]) && strcmp(s->triggers[i].name, name) == 0)
			return &s->triggers[i];
	}
	return NULL;
}

void fill_targets(struct world *w, const struct sim_op *o, wall_us now, wall_vec *out)
{
	const struct spec_trigger *t = find_trigger(w->dag[o->arg].spec, o->op.u.backfill.trigger);

	VEC_CLEAR(out);
	if (t == NULL)
		return;
	targets_find(t, o->range[0], o->range[1], now, out);
	for (size_t i = 0; o->op.u.backfill.order == BACKFILL_NEWEST && i < out->n / 2; i++) {
		wall_us swap = out->v[i];

		out->v[i] = out->v[out->n - 1 - i];
		out->v[out->n - 1 - i] = swap;
	}
}

/* ---- the runs of a window ---- */

/* "d0|time|t0/KEY|3" without its revision. */
static uint64_t base_of(const char *name)
{
	char base[160];
	char *bar;

	str_copy(base, sizeof(base), name);
	bar = strrchr(base, '|');
	if (bar != NULL)
		*bar = 0;
	return text_hash(base);
}

static uint64_t newest(const struct world *w, uint64_t base)
{
	uint32_t at = map_find(&w->newest_of, base);

	return at == UINT32_MAX ? 0 : at;
}

/* Also one that retention has dropped. */
static struct mrun *run_at(struct world *w, uint64_t no)
{
	return &w->runs.v[no];
}

/* The newest one that is still there; if none is, the newest of all. */
static uint64_t newest_there(struct world *w, uint64_t no)
{
	for (uint64_t i = no; i != 0; i = run_at(w, i)->before) {
		if (run_at(w, i)->there)
			return i;
	}
	return no;
}

void fill_run_new(struct world *w, uint64_t no, const char *name, uint32_t revision)
{
	struct mrun *r = mirror_run(w, no);

	r->base = base_of(name);
	r->revision = revision;
	r->before = newest(w, r->base);
	map_add(&w->newest_of, r->base, (uint32_t)no);
}

static uint64_t newest_at(
    struct world *w, const struct spec *s, const struct spec_trigger *t, wall_us at, char *name)
{
	model_time_name(s, t, at, name, 160);
	return newest(w, base_of(name));
}

enum fill_do fill_judge(struct world *w, const struct sim_op *o, wall_us at)
{
	const struct spec *s = w->dag[o->arg].spec;
	char name[160];
	uint64_t no = newest_at(w, s, find_trigger(s, o->op.u.backfill.trigger), at, name);
	enum run_state state;

	no = newest_there(w, no);
	if (no == 0)
		return FILL_MAKE;
	if (!run_at(w, no)->there) /* it ran, and was dropped since */
		return o->op.u.backfill.reprocess ? FILL_REVISE : FILL_KEEP;
	state = run_at(w, no)->state;
	if (!run_state_ended(state))
		return FILL_KEEP;
	if (o->op.u.backfill.reprocess)
		return FILL_REVISE;
	return state == RUN_SUCCEEDED ? FILL_KEEP : FILL_RERUN;
}

/* ---- what a batch did ---- */

struct look {
	struct sim_op **ops;
	size_t n_ops;
	uint32_t used; /* runs made or opened again, by a backfill's turn */
};

/* By somebody who said so. What the backfill opens because of it is another run. */
static bool by_person(const struct world *w, const struct look *l, size_t effect)
{
	uint64_t run = w->fx.v[effect].id;

	for (size_t i = 0; i < l->n_ops; i++) {
		const struct sim_op *o = l->ops[i];

		if (effect < o->fx_from || effect >= o->fx_to)
			continue;
		return (o->op.kind == OP_RERUN && o->op.u.rerun.run == run) ||
		       (o->op.kind == OP_MARK && o->op.u.mark.run == run);
	}
	return false;
}

static bool opened_again(const struct world *w, const struct look *l, size_t effect)
{
	const struct effect *f = &w->fx.v[effect];

	return !by_person(w, l, effect) && f->kind == EFFECT_RUN && f->old_state < RUN_STATE_N &&
	       run_state_ended((enum run_state)f->old_state) &&
	       !run_state_ended((enum run_state)f->state);
}

static bool was_opened(const struct world *w, const struct look *l, uint64_t no)
{
	for (size_t i = 0; i < w->fx.n; i++) {
		if (w->fx.v[i].id == no && opened_again(w, l, i))
			return true;
	}
	return false;
}

/* It was another's, or nobody's: a run that is opened again may end in the same moment. */
static bool was_taken(const struct world *w, const struct mfill *f, uint64_t no)
{
	struct run_rec rec;

	return w->runs.v[no].backfill != f->no && run_get(bed_view(w->bed), no, &rec) == 0 &&
	       rec.backfill == f->no;
}

/* The states that it had before, in and after the batch: when its window was passed is not known
 * more exactly. */
static uint32_t states_of(struct world *w, uint64_t no)
{
	uint32_t bits = 1u << run_at(w, no)->state;

	for (size_t i = 0; i < w->fx.n; i++) {
		const struct effect *f = &w->fx.v[i];

		if (f->kind == EFFECT_RUN && f->id == no)
			bits |= 1u << f->state | 1u << f->old_state;
	}
	return bits;
}

#define OPEN_STATES (1u << RUN_QUEUED | 1u << RUN_RUNNING)
#define ENDED_STATES (1u << RUN_SUCCEEDED | 1u << RUN_FAILED | 1u << RUN_CANCELLED)
#define BAD_STATES (1u << RUN_FAILED | 1u << RUN_CANCELLED)

static const struct fresh *made_by(const struct world *w, uint64_t no, uint64_t fill)
{
	for (size_t i = 0; i < w->batch_fresh.n; i++) {
		if (w->batch_fresh.v[i].no == no && w->batch_fresh.v[i].backfill == fill)
			return &w->batch_fresh.v[i];
	}
	return NULL;
}

static void made(struct world *w, struct mfill *f, const struct fresh *r)
{
	const struct mrun *m = mirror_run(w, r->no);
	const struct mrun *old = m->before != 0 ? run_at(w, m->before) : NULL;

	if (old != NULL && !f->reprocess && !f->loose)
		fail(w, "backfill %llu made %s, which had a run", (unsigned long long)f->no,
		    r->name);
	else if (old != NULL && (states_of(w, m->before) & ENDED_STATES) == 0)
		fail(w, "backfill %llu made %s while another is under way",
		    (unsigned long long)f->no, r->name);
	else if (m->revision != (old != NULL ? old->revision + 1 : 0))
		fail(w, "backfill %llu made %s: a wrong revision", (unsigned long long)f->no,
		    r->name);
	model_want(w, r->name, TIME_NONE);
	VEC_ADD(&f->runs, r->no);
	mirror_run(w, r->no)->downstream = f->quiet ? DOWNSTREAM_NONE : DOWNSTREAM_EACH;
	w->fig->filled++;
}

static struct mfill *fill_find(struct world *w, uint64_t no)
{
	for (size_t i = 0; i < w->fills.n; i++) {
		if (w->fills.v[i].no == no)
			return &w->fills.v[i];
	}
	return NULL;
}

static void again(struct world *w, struct mfill *f, uint64_t no)
{
	struct mrun *r = mirror_run(w, no);
	struct mfill *other = r->backfill != 0 ? fill_find(w, r->backfill) : NULL;

	if (!f->loose && (f->reprocess || (states_of(w, no) & BAD_STATES) == 0))
		fail(w, "backfill %llu runs run %llu again, which had succeeded",
		    (unsigned long long)f->no, (unsigned long long)no);
	for (size_t i = 0; other != NULL && i < other->runs.n; i++) {
		if (other->runs.v[i] == no)
			other->runs.v[i--] = other->runs.v[--other->runs.n];
	}
	r->backfill = f->no;
	r->downstream = f->quiet ? DOWNSTREAM_NONE : DOWNSTREAM_EACH;
	VEC_ADD(&f->runs, no);
	w->fig->filled++;
}

static void kept(struct world *w, struct mfill *f, uint64_t no, const char *name)
{
	uint32_t may = OPEN_STATES | (f->reprocess ? 0 : 1u << RUN_SUCCEEDED);

	f->existing++;
	if (no == 0) {
		fail(w, "backfill %llu passed over %s, which has no run", (unsigned long long)f->no,
		    name);
		return;
	}
	if (!run_at(w, no)->there && !f->reprocess)
		return; /* it ran, and was dropped since */
	if ((states_of(w, no) & may) == 0)
		fail(w, "backfill %llu passed over %s, whose run is %s", (unsigned long long)f->no,
		    name, run_state_name(run_at(w, no)->state));
}

/* Its next target. */
static void pass(struct world *w, struct mfill *f, struct look *l)
{
	const struct spec *s = w->dag[f->dag].spec;
	const struct spec_trigger *t = find_trigger(s, f->trigger);
	const struct fresh *r;
	char name[160];
	uint64_t no;
	bool opened;

	if (f->passed >= f->targets.n || t == NULL) {
		fail(w, "backfill %llu passed more than its %zu targets", (unsigned long long)f->no,
		    f->targets.n);
		return;
	}
	no = newest_at(w, s, t, f->targets.v[f->passed++], name);
	r = no != 0 ? made_by(w, no, f->no) : NULL;
	if (r == NULL)
		no = newest_there(w, no);
	opened = r == NULL && no != 0 && was_opened(w, l, no);
	if (r != NULL)
		made(w, f, r);
	else if (no != 0 && (opened || was_taken(w, f, no)))
		again(w, f, no);
	else
		kept(w, f, no, name);
	l->used += r != NULL || opened;
}

/* Its schedule has changed: what its targets are now is not followed. */
static void pass_loosely(struct world *w, struct mfill *f, struct look *l)
{
	struct run_rec rec;

	for (size_t i = 0; i < w->batch_fresh.n; i++) {
		if (w->batch_fresh.v[i].backfill != f->no)
			continue;
		made(w, f, &w->batch_fresh.v[i]);
		l->used++;
	}
	for (size_t i = 0; i < w->fx.n; i++) {
		const struct effect *e = &w->fx.v[i];
		bool opened = opened_again(w, l, i);

		if (e->kind != EFFECT_RUN || run_get(bed_view(w->bed), e->id, &rec) != 0 ||
		    rec.backfill != f->no || (!opened && !was_taken(w, f, e->id)))
			continue;
		again(w, f, e->id);
		l->used += opened;
	}
}

/* ---- its counts and its end ---- */

static uint64_t count(struct world *w, const struct mfill *f, enum run_state state)
{
	uint64_t n = 0;

	for (size_t i = 0; i < f->runs.n; i++) {
		enum run_state is = run_at(w, f->runs.v[i])->state;

		n += is == state || (state == RUN_QUEUED && is == RUN_RUNNING);
	}
	return n;
}

static void ended(struct world *w, struct mfill *f, const struct backfill_rec *b)
{
	bool bad = b->failed + b->cancelled > 0;

	f->ended = true;
	if (b->open > 0)
		fail(w, "backfill %llu ended with open runs", (unsigned long long)f->no);
	else if (b->state == BACKFILL_CANCELLED)
		return;
	else if (b->state != (bad ? BACKFILL_FAILED : BACKFILL_SUCCEEDED))
		fail(w, "backfill %llu ended %s", (unsigned long long)f->no,
		    backfill_state_name(b->state));
	else if (!f->loose && f->passed != f->targets.n)
		fail(w, "backfill %llu ended after %zu of %zu targets", (unsigned long long)f->no,
		    f->passed, f->targets.n);
}

static void compare(struct world *w, struct mfill *f, const struct backfill_rec *b)
{
	if (b->open != count(w, f, RUN_QUEUED) || b->succeeded != count(w, f, RUN_SUCCEEDED) ||
	    b->failed != count(w, f, RUN_FAILED) || b->cancelled != count(w, f, RUN_CANCELLED))
		fail(w,
		    "backfill %llu counts %llu open, %llu succeeded, %llu failed, %llu "
		    "cancelled; there are %llu, %llu, %llu, %llu",
		    (unsigned long long)f->no, (unsigned long long)b->open,
		    (unsigned long long)b->succeeded, (unsigned long long)b->failed,
		    (unsigned long long)b->cancelled, (unsigned long long)count(w, f, RUN_QUEUED),
		    (unsigned long long)count(w, f, RUN_SUCCEEDED),
		    (unsigned long long)count(w, f, RUN_FAILED),
		    (unsigned long long)count(w, f, RUN_CANCELLED));
	else if (!f->loose && b->existing != f->existing)
		fail(w, "backfill %llu kept %llu windows, it says %llu", (unsigned long long)f->no,
		    (unsigned long long)f->existing, (unsigned long long)b->existing);
	else if (b->state == BACKFILL_CANCELLED && !f->cancelled && !f->loose)
		fail(w, "backfill %llu was cancelled without a reason", (unsigned long long)f->no);
}

/* Runs that a person opened again since it opened its last one: they come on top. */
static uint64_t on_top(struct world *w, const struct look *l, const struct mfill *f)
{
	uint64_t n = 0;

	for (size_t i = w->fx.n; i-- > 0;) {
		const struct effect *e = &w->fx.v[i];

		if (e->kind != EFFECT_RUN || run_at(w, e->id)->backfill != f->no)
			continue;
		if (e->old_state >= RUN_STATE_N || opened_again(w, l, i))
			break;
		n += run_state_ended((enum run_state)e->old_state) &&
		     !run_state_ended((enum run_state)e->state) &&
		     !run_state_ended(run_at(w, e->id)->state);
	}
	return n;
}

/* How far it came. */
static void follow_one(struct world *w, struct mfill *f, struct look *l)
{
	uint32_t used = l->used;
	struct backfill_rec b;

	if (backfill_get(bed_view(w->bed), f->no, &b) != 0) {
		fail(w, "backfill %llu is not there", (unsigned long long)f->no);
		return;
	}
	if (b.passed != f->passed && !f->told && (f->paused || f->cancelled))
		fail(w, "backfill %llu goes on though it is %s", (unsigned long long)f->no,
		    f->paused ? "paused" : "cancelled");
	if (f->loose)
		pass_loosely(w, f, l);
	while (!f->loose && f->passed < b.passed && !w->failed)
		pass(w, f, l);
	f->passed = b.passed;
	f->told = false;
	f->opened = l->used > used;
}

/* How it stands, once all have taken what they took from each other. */
static void judge_one(struct world *w, struct mfill *f, const struct look *l)
{
	struct backfill_rec b;

	if (backfill_get(bed_view(w->bed), f->no, &b) != 0) {
		fail(w, "backfill %llu is not there", (unsigned long long)f->no);
		return;
	}
	compare(w, f, &b);
	if (f->opened && b.open > f->parallel + on_top(w, l, f))
		fail(w, "backfill %llu has %llu open runs, it may have %u",
		    (unsigned long long)f->no, (unsigned long long)b.open, f->parallel);
	if (b.ended_at != TIME_NONE && !w->failed)
		ended(w, f, &b);
}

/* All that was due is done: none that may go on stands still. */
static void fills_check(struct world *w)
{
	for (size_t i = 0; i < w->fills.n; i++) {
		const struct mfill *f = &w->fills.v[i];

		if (f->ended || f->loose || f->paused || f->cancelled ||
		    f->passed >= f->targets.n || count(w, f, RUN_QUEUED) >= f->parallel)
			continue;
		fail(w, "backfill %llu stands still with %zu targets left",
		    (unsigned long long)f->no, f->targets.n - f->passed);
	}
}

/* After all operations of a batch, and DISPATCH, were followed. */
void fills_follow(struct world *w, struct sim_op **ops, size_t n)
{
	struct look l = {.ops = ops, .n_ops = n};
	uint32_t claims = 0;

	for (size_t i = 0; i < w->fills.n && !w->failed; i++) {
		if (!w->fills.v[i].ended)
			follow_one(w, &w->fills.v[i], &l);
	}
	for (size_t i = 0; i < w->fills.n && !w->failed; i++) {
		if (!w->fills.v[i].ended)
			judge_one(w, &w->fills.v[i], &l);
	}
	for (size_t i = 0; i < w->batch_fresh.n; i++)
		claims += w->batch_fresh.v[i].backfill != 0;
	for (size_t i = 0; i < w->fx.n; i++)
		claims += opened_again(w, &l, i);
	if (claims != l.used && !w->failed)
		fail(w, "%u runs were made or opened again, backfills had their turn for %u",
		    claims, l.used);
	if (w->due_done && !w->failed)
		fills_check(w);
	VEC_CLEAR(&w->batch_fresh);
	w->due_done = false;
}

size_t fills_live(const struct world *w)
{
	size_t n = 0;

	for (size_t i = 0; i < w->fills.n; i++)
		n += !w->fills.v[i].ended;
	return n;
}

/* ---- what people want ---- */

static void fill_new(struct world *w, const struct sim_op *o, wall_us now)
{
	const struct spec *s = w->dag[o->arg].spec;
	wall_vec targets = {0};
	struct mfill *f;
	bool no;

	fill_targets(w, o, now, &targets);
	no = s == NULL || model_paused(w, o->arg) || targets.n == 0;
	if ((o->result.rc != 0) != no)
		fail(w, "a backfill of d%u with %zu targets: rc %d (%s)", o->arg, targets.n,
		    o->result.rc, o->result.err.text);
	if (o->result.rc != 0 || no) {
		VEC_DONE(&targets);
		return;
	}
	f = VEC_PUSH(&w->fills);
	memset(f, 0, sizeof(*f));
	f->no = o->result.number;
	f->dag = o->arg;
	str_copy(f->trigger, sizeof(f->trigger), o->op.u.backfill.trigger);
	f->reprocess = o->op.u.backfill.reprocess;
	f->quiet = o->op.u.backfill.downstream == DOWNSTREAM_NONE;
	f->parallel = o->op.u.backfill.max_parallel;
	f->targets.v = targets.v;
	f->targets.n = targets.n;
	f->targets.cap = targets.cap;
	w->fig->fills++;
	note(w, "backfill %llu of d%u/%s, %zu targets, %u at a time", (unsigned long long)f->no,
	    f->dag, f->trigger, f->targets.n, f->parallel);
}

static void fill_state(struct world *w, const struct sim_op *o)
{
	struct mfill *f = fill_find(w, o->op.u.backfill_state.no);
	enum backfill_state to = o->op.u.backfill_state.to;

	if (f == NULL || (o->result.rc != 0) != (f->ended || f->cancelled)) {
		fail(w, "backfill %llu to %s: rc %d (%s)",
		    (unsigned long long)o->op.u.backfill_state.no, backfill_state_name(to),
		    o->result.rc, o->result.err.text);
		return;
	}
	if (o->result.rc != 0)
		return;
	note(w, "backfill %llu is %s", (unsigned long long)f->no, backfill_state_name(to));
	f->told = true; /* it may have gone on before, in the same batch */
	f->paused = to == BACKFILL_PAUSED;
	f->cancelled = to == BACKFILL_CANCELLED;
	for (size_t i = 0; f->cancelled && i < f->runs.n; i++) {
		struct mrun *r = run_at(w, f->runs.v[i]);

		r->cancelled = r->cancelled || !run_state_ended(r->state);
	}
}

/* Before the effects are followed. */
void fills_asked(struct world *w, const struct sim_op *o, wall_us now)
{
	if (o->op.kind == OP_BACKFILL)
		fill_new(w, o, now);
	else if (o->op.kind == OP_BACKFILL_STATE)
		fill_state(w, o);
}

/* New runs come of the plan as it is then. */
void fills_replanned(struct world *w, uint32_t dag, const struct spec *was, const struct spec *is)
{
	for (size_t i = 0; i < w->fills.n; i++) {
		struct mfill *f = &w->fills.v[i];
		const struct spec_trigger *a = find_trigger(was, f->trigger);
		const struct spec_trigger *b = find_trigger(is, f->trigger);

		if (f->ended || f->dag != dag ||
		    (a != NULL && b != NULL && model_same_times(a, b) &&
			str_eq(a->covers, b->covers) && a->offset == b->offset))
			continue;
		f->loose = true;
	}
}

/* ---- copies ---- */

#define DUP(to, from)                                                                              \
	do {                                                                                       \
		memset((to), 0, sizeof(*(to)));                                                    \
		for (size_t k = 0; k < (from)->n; k++)                                             \
			VEC_ADD((to), (from)->v[k]);                                               \
	} while (0)

void fills_dup(fill_vec *to, const fill_vec *from)
{
	memset(to, 0, sizeof(*to));
	for (size_t i = 0; i < from->n; i++) {
		struct mfill f = from->v[i];

		DUP(&f.targets, &from->v[i].targets);
		DUP(&f.runs, &from->v[i].runs);
		VEC_ADD(to, f);
	}
}

void fills_done(fill_vec *v)
{
	for (size_t i = 0; i < v->n; i++) {
		VEC_DONE(&v->v[i].targets);
		VEC_DONE(&v->v[i].runs);
	}
	VEC_DONE(v);
}

void fills_rebuild(struct world *w)
{
	map_done(&w->newest_of);
	for (uint64_t no = 1; no < w->runs.n; no++) {
		if (w->runs.v[no].base != 0)
			map_add(&w->newest_of, w->runs.v[no].base, (uint32_t)no);
	}
}
