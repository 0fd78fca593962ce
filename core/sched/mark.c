/* mark.c: a person says how a step ended. What runs cannot be marked: cancel it first. Children
 * that wait go on by the new state; those that have ended stay: `rerun` takes them up. */
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

/* What the step's old end meant to its children is taken back; the new end is told by flow_settle.
 */
static int untell(struct tx *x, const struct step_rec *s)
{
	const struct plan_step *p = &x->plan->steps[s->step];
	struct step_rec child;
	int rc = 0;

	for (size_t i = 0; rc == 0 && i < p->n_children; i++) {
		rc = step_load(x, p->children[i], 0, &child);
		if (rc != 0)
			return rc;
		parent_count(p, s, &child, -1);
		rc = step_put(x->v, &child);
	}
	return rc;
}

static int mark(struct tx *x, struct step_rec *s, enum step_state to, const char *actor)
{
	int rc = 0;

	if (s->item == 0 && step_state_ended(s->state))
		rc = untell(x, s);
	s->class_ = to == STEP_FAILED ? CLASS_CONFIG : CLASS_OK;
	str_copy(s->code, sizeof(s->code), "marked");
	snprintf(s->message, sizeof(s->message), "marked %s by %.100s", step_state_name(to),
	    actor != NULL && actor[0] != 0 ? actor : "a person");
	if (rc == 0)
		rc = step_move(x, s, to, TIME_NONE);
	x->r->count = 1;
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
	if (s.item > 0 && run_state_ended(x->run.state))
		return refuse(x, ERR_CONFLICT,
		    "the run has ended: mark step %s instead of one of its items",
		    x->plan->steps[ref.step].name);
	if (s.state == to)
		return 0;
	return mark(x, &s, to, op->u.mark.actor);
}
