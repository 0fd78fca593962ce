/* mark.c: a person says how a step ended. What runs cannot be marked: cancel it first. Children
 * that wait go on by the new state. Those that never ran because of the old one (upstream_failed,
 * or skipped by their `when`) are judged again, and open the run again where they may run now; what
 * has run stays: `rerun` takes it up. What stands in the queue waits again where something that it
 * needs is open again; what runs would then run beside it, so that the mark has to wait. All of
 * this is looked at before anything is written. */
#include "core/sched/tx.h"

#include "core/sched/show.h"

#include <stdio.h>
#include <string.h>

static int mark_state(const char *name, enum step_state *ret)
{
	static const enum step_state may[] = {STEP_SUCCEEDED, STEP_SKIPPED, STEP_FAILED};

	for (size_t i = 0; i < sizeof(may) / sizeof(may[0]); i++) {
		if (str_eq(name, step_state_name(may[i]))) {
			*ret = may[i];
			return 0;
		}
	}
	return ERR_USAGE;
}

int step_untell_child(struct tx *x, const struct step_rec *s, uint16_t i)
{
	struct step_rec child;
	int rc = step_load(x, i, 0, &child);

	if (rc != 0)
		return rc;
	parent_count(&x->plan->steps[s->step], s, &child, -1);
	return step_put(x->v, &child);
}

/* What the step's old end meant to its children is taken back; the new end is told by flow_settle.
 */
int step_untell(struct tx *x, const struct step_rec *s)
{
	const struct plan_step *p = &x->plan->steps[s->step];
	int rc = 0;

	for (size_t i = 0; rc == 0 && i < p->n_children; i++)
		rc = step_untell_child(x, s, p->children[i]);
	return rc;
}

/* ---- what never ran, judged again ---- */

struct again {
	struct step_rec s[PLAN_MAX_STEPS]; /* as they will be; WAITING: open again */
	bool changed[PLAN_MAX_STEPS];
	uint32_t n;
	uint16_t marked;
	const char *runs; /* a step that runs though a need of it would open again; or NULL */
};

static bool never_ran(const struct step_rec *s)
{
	if (s->items > 0)
		return false; /* its items have a past: rerun */
	return s->state == STEP_UPSTREAM_FAILED ||
	       (s->state == STEP_SKIPPED && s->code[0] == 0 && s->message[0] == 0);
}

/* WAITING: something that it needs is open. */
static enum step_state judge_again(const struct plan *p, const struct again *a, uint16_t i)
{
	const struct plan_step *step = &p->steps[i];
	struct step_rec n = {.unmet = (uint32_t)step->n_needs};

	for (size_t k = 0; k < step->n_needs; k++) {
		const struct step_rec *parent = &a->s[step->needs[k].step];

		if (step_state_ended(parent->state))
			parent_count(&p->steps[step->needs[k].step], parent, &n, 1);
	}
	return n.unmet > 0 ? STEP_WAITING : flow_judge(step, &n);
}

/* What a step becomes of which something that it needs has changed. */
static enum step_state look_at(const struct plan *p, struct again *a, uint16_t i)
{
	const struct step_rec *s = &a->s[i];
	enum step_state to = judge_again(p, a, i);

	if (never_ran(s))
		return to == STEP_READY ? STEP_WAITING : to;
	if (s->state == STEP_READY && s->used + s->lost == 0)
		return to; /* it has not begun: its rule may say otherwise now */
	if (to != STEP_WAITING || match_any(&p->steps[i]))
		return s->state;
	if (s->state == STEP_READY || s->state == STEP_RETRYING)
		return STEP_WAITING;
	if (s->state == STEP_RUNNING)
		a->runs = p->steps[i].name;
	return s->state;
}

/* Steps stand in topological order: one pass. `marked`: the step (or group) as it will be. */
static int look_again(struct tx *x, const struct step_rec *marked, struct again *a)
{
	const struct plan *p = x->plan;
	int rc = 0;

	a->marked = marked->step;
	for (uint16_t i = 0; rc == 0 && i < p->n_steps; i++) {
		enum step_state to;
		bool parent = false;

		if (i == marked->step) {
			a->s[i] = *marked;
			a->changed[i] = true;
			continue;
		}
		rc = step_load(x, i, 0, &a->s[i]);
		for (size_t k = 0; k < p->steps[i].n_needs; k++)
			parent = parent || a->changed[p->steps[i].needs[k].step];
		if (rc != 0 || !parent)
			continue;
		to = look_at(p, a, i);
		a->changed[i] = to != a->s[i].state;
		a->n += a->changed[i];
		a->s[i].state = to;
	}
	return rc;
}

static int reopen_changed(struct tx *x, const struct again *a)
{
	struct step_rec s;
	int rc = 0;

	for (uint16_t i = 0; rc == 0 && i < x->plan->n_steps; i++) {
		if (!a->changed[i] || i == a->marked)
			continue;
		rc = step_load(x, i, 0, &s);
		if (rc == 0 && step_state_ended(s.state))
			rc = step_untell(x, &s);
		if (rc != 0)
			return rc;
		s.class_ = CLASS_OK;
		s.code[0] = s.message[0] = 0;
		rc = step_move(x, &s, STEP_WAITING, TIME_NONE);
	}
	if (rc != 0 || !run_state_ended(x->run.state))
		return rc;
	x->run.cancel = x->run.timed_out = false;
	x->run.message[0] = 0;
	return run_move(x, RUN_QUEUED);
}

static int follow(struct tx *x, const struct again *a)
{
	int rc = a->n > 0 ? reopen_changed(x, a) : 0;

	/* nothing is left that the timeout could have cut off */
	if (x->run.n_failed + x->run.n_cancelled == 0)
		x->run.timed_out = false;
	return rc;
}

/* What follows, of a step that has ended already; a->s[] of it as it will be. */
static int look_ahead(struct tx *x, const struct step_rec *s, enum step_state to, struct again *a)
{
	struct step_rec top = *s;
	bool changed = step_state_ended(s->state);
	int rc = 0;

	top.state = to;
	top.code[0] = 0;
	if (changed && s->item > 0)
		rc = foreach_verdict(x, s, to, &top, &changed);
	if (rc == 0 && changed)
		rc = look_again(x, &top, a);
	if (rc == 0 && a->runs != NULL)
		return refuse(x, ERR_CONFLICT,
		    "step %s runs because of how step %s ended: wait for its end, or cancel the "
		    "run",
		    a->runs, x->plan->steps[s->step].name);
	return rc;
}

static int mark_step(
    struct tx *x, struct step_rec *s, enum step_state to, const char *actor, const struct again *a)
{
	bool again = step_state_ended(s->state);
	int rc = 0;

	if (s->item == 0 && again)
		rc = step_untell(x, s);
	s->class_ = to == STEP_FAILED ? CLASS_CONFIG : CLASS_OK;
	str_copy(s->code, sizeof(s->code), "marked");
	snprintf(s->message, sizeof(s->message), "marked %s by %.100s", step_state_name(to),
	    actor != NULL && actor[0] != 0 ? actor : "a person");
	if (rc == 0)
		rc = step_move(x, s, to, TIME_NONE);
	if (rc == 0 && s->item > 0)
		rc = foreach_rejudge(x, s->step, &again);
	x->r->count = 1;
	result_add_run(x, x->run.no);
	return rc == 0 && again ? follow(x, a) : rc;
}

static int mark(struct tx *x, struct step_rec *s, enum step_state to, const char *actor)
{
	struct again *a = MEM_NEW(struct again);
	int rc = look_ahead(x, s, to, a);

	if (rc == 0 && x->r->rc == 0)
		rc = mark_step(x, s, to, actor, a);
	mem_free(a);
	return rc;
}

int op_mark(struct tx *x, const struct op *op)
{
	char name[PLAN_NAME_MAX + PLAN_KEY_MAX + 4];
	enum step_state to;
	struct step_ref ref;
	struct step_rec s;
	struct err err = {0};
	int rc;

	if (mark_state(op->u.mark.state, &to) != 0)
		return refuse(x, ERR_USAGE,
		    "a step is marked succeeded, skipped or failed, not \"%.40s\"",
		    op->u.mark.state);
	rc = run_open(x, op->u.mark.run);
	if (rc == ERR_NOT_FOUND)
		return refuse(x, ERR_NOT_FOUND, "there is no such run");
	if (rc != 0)
		return rc;
	if (op->u.mark.item != NULL && op->u.mark.item[0] != 0)
		snprintf(name, sizeof(name), "%.63s[%.255s]", op->u.mark.step, op->u.mark.item);
	else
		snprintf(name, sizeof(name), "%.255s", op->u.mark.step);
	rc = find_step(x->v, op->u.mark.run, name, &ref, &err);
	if (rc == ERR_NOT_FOUND)
		return refuse(x, rc, "%s", err.text);
	if (rc == 0)
		rc = step_load(x, ref.step, ref.item, &s);
	if (rc != 0)
		return rc;
	if (s.state == STEP_RUNNING)
		return refuse(x, ERR_CONFLICT, "step %s is running: cancel the run first", name);
	if (is_group(x, &s) && s.items_open > 0)
		return refuse(x, ERR_CONFLICT, "items of step %s have not ended: mark those", name);
	if (x->run.cancel && !run_state_ended(x->run.state))
		return refuse(x, ERR_CONFLICT, "the run is being cancelled: wait for its end");
	if (s.state == to)
		return 0;
	return mark(x, &s, to, op->u.mark.actor);
}
