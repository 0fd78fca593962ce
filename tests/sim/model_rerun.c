/* model_rerun.c: which steps and items a rerun opens again (sluice(1), sluice-dag(5)): the ones
 * that were asked for and what depends on them, of a foreach those that failed, of one that pairs
 * the partners too; with which plan it goes on; and what of its publications is told when. */
#include "tests/sim/sim.h"

#include <stdio.h>
#include <string.h>

struct choice {
	bool step[SIM_STEPS], direct[SIM_STEPS],
	    part[SIM_STEPS];		     /* part: of the group items only */
	bool item[SIM_STEPS][SIM_ITEMS + 1]; /* opened at once */
	uint32_t named[SIM_STEPS];	     /* bits of items */
};

bool step_is_bad(enum step_state s)
{
	return s == STEP_FAILED || s == STEP_CANCELLED || s == STEP_UPSTREAM_FAILED;
}

static enum step_state state_of(struct world *w, uint64_t run, uint32_t step, uint32_t item)
{
	struct step_ref ref = {run, (uint16_t)step, item};

	return mirror_step(w, &ref)->state;
}

/* None before it has begun. */
static uint32_t items_of(struct world *w, uint64_t run, uint32_t step)
{
	struct step_ref ref = {run, (uint16_t)step, 0};

	return mirror_step(w, &ref)->items;
}

static bool any_bad(struct world *w, uint64_t run, uint32_t step)
{
	for (uint32_t i = 1; i <= items_of(w, run, step); i++) {
		if (step_is_bad(state_of(w, run, step, i)))
			return true;
	}
	return false;
}

/* ---- plans ---- */

/* Same steps, perhaps with more behind them. */
bool spec_extends(const struct spec *to, const struct spec *from)
{
	if (to == NULL || to->n_steps < from->n_steps)
		return false;
	for (uint32_t i = 0; i < from->n_steps; i++) {
		const struct spec_step *a = &from->steps[i], *b = &to->steps[i];

		if (a->each != b->each || (a->each && a->items != b->items) || a->match != b->match)
			return false;
	}
	return true;
}

/* Its steps are all there and of the same kind. */
static bool may_take(const struct spec *to, const struct spec *from)
{
	if (to->n_steps < from->n_steps)
		return false;
	for (uint32_t i = 0; i < from->n_steps; i++) {
		if (to->steps[i].each != from->steps[i].each ||
		    to->steps[i].match != from->steps[i].match)
			return false;
	}
	return true;
}

/* ---- choosing ---- */

static void choose_state(struct world *w, const struct sim_op *o, const struct mrun *r,
    const struct spec *s, struct choice *c)
{
	uint64_t run = o->op.u.rerun.run;
	bool failed = o->op.u.rerun.failed || r->state != RUN_SUCCEEDED;

	for (uint32_t i = 0; i < s->n_steps; i++)
		c->step[i] = !failed || step_is_bad(state_of(w, run, i, 0)) || any_bad(w, run, i);
}

static void choose_named(const struct sim_op *o, struct choice *c)
{
	unsigned step = 0, item = 0;

	for (size_t i = 0; i < o->op.u.rerun.n_steps; i++) {
		int n = sscanf(o->op.u.rerun.steps[i], "s%u[%u]", &step, &item);

		if (n < 1 || step >= SIM_STEPS)
			continue;
		c->step[step] = true;
		if (n > 1 && item < 32)
			c->named[step] |= 1u << item;
	}
}

/* What depends on them. */
static void close_over(const struct spec *s, struct choice *c)
{
	for (uint32_t i = 0; i < s->n_steps; i++) {
		bool parent = false, whole = false;

		c->direct[i] = c->step[i];
		for (uint32_t k = 0; k < i; k++) {
			if ((s->steps[i].needs >> k & 1) == 0 || !c->step[k])
				continue;
			parent = true;
			whole = whole || (s->steps[i].match >> k & 1) == 0 || !c->part[k];
		}
		c->step[i] = c->step[i] || parent;
		c->part[i] = c->step[i] && !whole && s->steps[i].each;
	}
}

static bool partner_opens(const struct spec *s, const struct choice *c, uint32_t i, uint32_t item)
{
	for (uint32_t k = 0; k < i; k++) {
		if ((s->steps[i].match >> k & 1) != 0 && c->item[k][item])
			return true;
	}
	return false;
}

static void choose_items(
    struct world *w, const struct spec *s, uint64_t run, uint32_t i, struct choice *c)
{
	bool all = !any_bad(w, run, i), any = false;
	uint32_t n = items_of(w, run, i);

	for (uint32_t k = 1; k <= n; k++) {
		bool mine = c->direct[i] && c->named[i] == 0 &&
			    (all || step_is_bad(state_of(w, run, i, k)));

		c->item[i][k] = mine || (c->named[i] >> k & 1) != 0 || partner_opens(s, c, i, k);
		any = any || c->item[i][k];
	}
	for (uint32_t k = 1; !any && k <= n; k++)
		c->item[i][k] = true;
}

/* ---- what it did ---- */

/* A group that begins anew in the same operation opens its items then. */
static void check_opened(
    struct world *w, const struct sim_op *o, const struct spec *old, const struct choice *c)
{
	uint64_t run = o->op.u.rerun.run;
	bool seen[SIM_STEPS][SIM_ITEMS + 1] = {{false}};

	for (size_t i = o->fx_from; i < o->fx_to; i++) {
		const struct effect *f = &w->fx.v[i];

		if (f->kind != EFFECT_STEP || f->step.run != run || f->state != STEP_WAITING ||
		    !step_state_ended((enum step_state)f->old_state))
			continue;
		if (f->step.step >= SIM_STEPS || f->step.item > SIM_ITEMS)
			continue;
		seen[f->step.step][f->step.item] = true;
		if (f->step.item == 0 ? !c->step[f->step.step]
				      : !c->item[f->step.step][f->step.item] &&
					    (c->part[f->step.step] || !c->step[f->step.step]))
			fail(w, "a rerun of run %llu opens step %u/%u, which was to stay",
			    (unsigned long long)run, f->step.step, f->step.item);
	}
	for (uint32_t i = 0; i < old->n_steps && !w->failed; i++) {
		for (uint32_t k = 0; k <= items_of(w, run, i); k++) {
			bool want = k == 0 ? c->step[i] : c->item[i][k];

			if (want && !seen[i][k])
				fail(w, "a rerun of run %llu leaves out step %u/%u",
				    (unsigned long long)run, i, k);
		}
	}
}

static enum downstream mode_of(const char *how)
{
	return str_eq(how, "each")   ? DOWNSTREAM_EACH
	       : str_eq(how, "none") ? DOWNSTREAM_NONE
				     : DOWNSTREAM_ONCE;
}

/* Refused only for a reason. */
static void check_refused(struct world *w, const struct sim_op *o)
{
	const struct mrun *r = mirror_run(w, o->op.u.rerun.run);
	const struct spec *live;

	if (r == NULL || !run_state_ended(r->state) || o->op.u.rerun.n_steps > 0 ||
	    o->result.rc == ERR_FULL)
		return;
	live = w->dag[r->spec->dag].spec;
	if (o->op.u.rerun.latest && (live == NULL || !may_take(live, r->spec)))
		return;
	for (uint32_t i = 0; i < r->spec->n_steps && !r->marked; i++) {
		if (step_is_bad(state_of(w, o->op.u.rerun.run, i, 0)) ||
		    (r->state == RUN_SUCCEEDED && !o->op.u.rerun.failed))
			fail(w, "a rerun of run %llu was refused: %s",
			    (unsigned long long)o->op.u.rerun.run, o->result.err.text);
	}
}

/* Before its effects are looked at. */
void rerun_told(struct world *w, const struct sim_op *o)
{
	struct mrun *r = mirror_run(w, o->op.u.rerun.run);
	const struct spec *old, *s;
	struct choice c = {{false}};

	if (o->result.rc != 0) {
		check_refused(w, o);
		return;
	}
	if (r == NULL || !run_state_ended(r->state)) {
		fail(w, "run %llu was opened again and had not ended",
		    (unsigned long long)o->op.u.rerun.run);
		return;
	}
	old = s = r->spec;
	if (o->op.u.rerun.latest) {
		s = w->dag[old->dag].spec;
		if (s == NULL || !may_take(s, old)) {
			fail(w, "run %llu took a plan that cannot go on with its steps",
			    (unsigned long long)o->op.u.rerun.run);
			return;
		}
	}
	r->loose = r->loose || !spec_extends(s, old);
	if (o->op.u.rerun.n_steps > 0)
		choose_named(o, &c);
	else
		choose_state(w, o, r, old, &c);
	for (uint32_t i = old->n_steps; i < s->n_steps; i++)
		c.step[i] = true;
	close_over(s, &c);
	for (uint32_t i = 0; i < s->n_steps; i++) {
		if (c.part[i])
			choose_items(w, s, o->op.u.rerun.run, i, &c);
	}
	if (!r->loose)
		check_opened(w, o, old, &c);
	r->spec = s;
	r->downstream = mode_of(o->op.u.rerun.downstream);
	r->reopened = true;
	r->cancelled = false;
	r->marked = r->loose;
	r->ended_at = w->batch_now; /* where it ends at once, no effect says so */
	w->fig->reruns++;
	w->fig->replanned += s != old;
}

/* By a person, who says with which plan it goes on. */
static bool opened_by_hand(const struct sim_op *o, uint64_t run)
{
	return o != NULL && ((o->op.kind == OP_RERUN && o->op.u.rerun.run == run) ||
				(o->op.kind == OP_MARK && o->op.u.mark.run == run));
}

/* A backfill takes runs up again, with the latest plan where that may be: what DISPATCH hands out
 * of them in the same batch is of that one. */
void rerun_replanned(struct world *w, size_t from, size_t to)
{
	for (size_t i = from; i < to; i++) {
		const struct effect *f = &w->fx.v[i];
		struct mrun *r = f->kind == EFFECT_RUN ? mirror_run(w, f->id) : NULL;
		const struct spec *live;

		if (r == NULL || !run_state_ended(r->state) ||
		    run_state_ended((enum run_state)f->state) || opened_by_hand(w->told, f->id))
			continue;
		r->reopened = true;
		live = w->dag[r->spec->dag].spec;
		if (live == NULL || !may_take(live, r->spec))
			continue;
		r->loose = r->loose || !spec_extends(live, r->spec);
		r->spec = live;
	}
}

/* ---- what follows in other DAGs ---- */

void rerun_published(struct world *w, struct mrun *r, const struct sim_op *o)
{
	model_published(
	    w, o->publishes, o->partition, o->changed, r->downstream == DOWNSTREAM_EACH);
	if (r->downstream != DOWNSTREAM_ONCE)
		return;
	r->kept = true;
	r->kept_set = o->publishes;
	r->kept_partition = o->partition;
	r->kept_changed = o->changed;
	r->kept_version = w->part_version[o->publishes][o->partition + 1];
}

/* Runs that end in this operation tell what was kept. */
void rerun_tells(struct world *w, const struct sim_op *o)
{
	for (size_t i = o->fx_from; i < o->fx_to; i++) {
		const struct effect *f = &w->fx.v[i];
		struct mrun *r = f->kind == EFFECT_RUN ? mirror_run(w, f->id) : NULL;

		if (r == NULL || !r->kept || !run_state_ended((enum run_state)f->state))
			continue;
		r->kept = false;
		model_tell(w, r);
	}
}
