/* match.c: `needs: [{step: s, match: item}]`: items pair with items by key. A group that pairs
 * begins as soon as those that it pairs with have; each of its items waits for its partners alone
 * and is judged by the step's `when` over them and the needs that do not pair. An item's unmet,
 * ok_parents, bad_parents and failed_parents count its partners. */
#include "core/sched/tx.h"

#include <stdio.h>
#include <string.h>

bool match_any(const struct plan_step *p)
{
	for (size_t i = 0; i < p->n_needs; i++) {
		if (p->needs[i].match_item)
			return true;
	}
	return false;
}

static bool pairs_with(const struct plan_step *child, uint16_t parent)
{
	for (size_t i = 0; i < child->n_needs; i++) {
		if (child->needs[i].step == parent)
			return child->needs[i].match_item;
	}
	return false;
}

/* ERR_NOT_FOUND: that step has no item of the key. */
static int partner_get(struct tx *x, uint16_t step, const char *key, struct step_rec *ret)
{
	uint32_t no;
	int rc = step_item_no(x->v, x->run.no, step, key, &no);

	return rc != 0 ? rc : step_load(x, step, no, ret);
}

int match_tell(struct tx *x, const struct step_rec *s, int by)
{
	const struct plan_step *p = &x->plan->steps[s->step];
	struct step_rec child;
	int rc = 0;

	for (size_t i = 0; rc == 0 && i < p->n_children; i++) {
		if (!pairs_with(&x->plan->steps[p->children[i]], s->step))
			continue;
		rc = partner_get(x, p->children[i], s->item_key, &child);
		if (rc == ERR_NOT_FOUND) {
			rc = 0; /* it has none, or has not begun: counted when it does */
			continue;
		}
		if (rc != 0)
			return rc;
		parent_count(p, s, &child, by);
		if (by > 0 && child.state == STEP_WAITING && child.unmet == 0)
			VEC_ADD(&x->paired, step_ref_of(&child));
		rc = step_put(x->v, &child);
	}
	return rc;
}

int match_count(struct tx *x, struct step_rec *s, const char **ret_missing)
{
	const struct plan_step *p = &x->plan->steps[s->step];
	struct step_rec partner;
	int rc = 0;

	*ret_missing = NULL;
	s->unmet = s->ok_parents = s->bad_parents = s->failed_parents = 0;
	for (size_t i = 0; rc == 0 && i < p->n_needs; i++) {
		const struct plan_step *from = &x->plan->steps[p->needs[i].step];

		if (!p->needs[i].match_item)
			continue;
		s->unmet++;
		rc = partner_get(x, p->needs[i].step, s->item_key, &partner);
		if (rc == ERR_NOT_FOUND) {
			*ret_missing = from->name;
			return 0;
		}
		if (rc == 0 && step_state_ended(partner.state))
			parent_count(from, &partner, s, 1);
	}
	return rc;
}

/* Adds the needs that do not pair. *ret_n: how many. */
static int add_others(struct tx *x, uint16_t step, struct step_rec *n, uint32_t *ret_n)
{
	const struct plan_step *p = &x->plan->steps[step];
	struct step_rec parent;
	int rc = 0;

	*ret_n = 0;
	for (size_t i = 0; rc == 0 && i < p->n_needs; i++) {
		if (p->needs[i].match_item)
			continue;
		(*ret_n)++;
		n->unmet++;
		rc = step_load(x, p->needs[i].step, 0, &parent);
		if (rc == 0 && step_state_ended(parent.state))
			parent_count(&x->plan->steps[p->needs[i].step], &parent, n, 1);
	}
	return rc;
}

/* Each step that it pairs with has its items. */
static int have_items(struct tx *x, const struct plan_step *p, bool *ret)
{
	struct step_rec parent;
	int rc = 0;

	*ret = true;
	for (size_t i = 0; rc == 0 && i < p->n_needs; i++) {
		if (!p->needs[i].match_item)
			continue;
		rc = step_load(x, p->needs[i].step, 0, &parent);
		if (parent.items == 0 ||
		    (parent.state != STEP_RUNNING && !step_state_ended(parent.state)))
			*ret = false;
	}
	return rc;
}

int match_judge_group(struct tx *x, const struct step_rec *group, enum step_state *to)
{
	const struct plan_step *p = &x->plan->steps[group->step];
	struct step_rec n = {.unmet = 0};
	uint32_t others;
	bool paired;
	int rc = have_items(x, p, &paired);

	if (rc == 0)
		rc = add_others(x, group->step, &n, &others);
	if (rc != 0 || !paired)
		return rc;
	if (n.unmet > 0)
		*to = STEP_WAITING;
	else if (p->when == WHEN_ALL_SUCCESS && n.bad_parents > 0)
		*to = group->unmet > 0 ? STEP_WAITING : STEP_UPSTREAM_FAILED;
	else if (p->when == WHEN_ALL_SUCCESS && n.ok_parents != others)
		*to = group->unmet > 0 ? STEP_WAITING : STEP_SKIPPED;
	else
		*to = STEP_READY; /* its items decide */
	return 0;
}

int match_begin(struct tx *x, uint16_t step)
{
	enum step_state to = STEP_WAITING;
	struct step_rec g;
	int rc = step_load(x, step, 0, &g);

	if (rc != 0 || g.state != STEP_WAITING || x->run.state != RUN_RUNNING || x->run.cancel)
		return rc;
	rc = match_judge_group(x, &g, &to);
	return rc != 0 || to != STEP_READY ? rc : foreach_begin(x, &g);
}

int match_begun(struct tx *x, uint16_t step)
{
	const struct plan_step *p = &x->plan->steps[step];
	int rc = 0;

	for (size_t i = 0; rc == 0 && i < p->n_children; i++) {
		if (pairs_with(&x->plan->steps[p->children[i]], step))
			rc = match_begin(x, p->children[i]);
	}
	return rc;
}

/* Names the first partner that did not end well, and takes its class. */
static int blame_partner(struct tx *x, struct step_rec *s)
{
	const struct plan_step *p = &x->plan->steps[s->step];
	struct step_rec partner;
	int rc = 0;

	for (size_t i = 0; rc == 0 && i < p->n_needs; i++) {
		if (!p->needs[i].match_item)
			continue;
		rc = partner_get(x, p->needs[i].step, s->item_key, &partner);
		if (rc != 0 || partner.state == STEP_SUCCEEDED)
			continue;
		s->class_ = partner.class_;
		snprintf(s->message, sizeof(s->message), "%s[%.200s] %s%s",
		    x->plan->steps[p->needs[i].step].name, s->item_key,
		    partner.state == STEP_SKIPPED || partner.state == STEP_CANCELLED ? "was " : "",
		    step_state_name(partner.state));
		return 0;
	}
	return rc;
}

int match_item(struct tx *x, const struct step_ref *ref)
{
	struct step_rec s, n, *g;
	enum step_state to;
	uint32_t others;
	int rc = step_load(x, ref->step, ref->item, &s);

	if (rc != 0 || s.state != STEP_WAITING || s.unmet > 0)
		return rc;
	rc = group_open(x, ref->step, &g);
	if (rc != 0 || g->state != STEP_RUNNING)
		return rc; /* looked at when it begins */
	if (x->run.cancel)
		return cancel_step(x, &s);
	n = s;
	rc = add_others(x, ref->step, &n, &others);
	if (rc != 0)
		return rc;
	to = flow_judge(&x->plan->steps[ref->step], &n);
	if (to == STEP_UPSTREAM_FAILED || to == STEP_SKIPPED)
		rc = blame_partner(x, &s);
	return rc != 0 ? rc : step_move(x, &s, to, x->now);
}
