/* rerun.c: opens an ended run again: the chosen steps and all that depends on them, under the next
 * generation; the others keep their end. Of a foreach the failed items only, unless all ended well
 * or what the group needs runs again too. With the plan that it had, or with the DAG's latest. */
#include "core/sched/tx.h"

#include "core/sched/show.h"

#include <stdio.h>
#include <string.h>

struct choice {
	uint64_t steps[STEP_BITS];  /* run again */
	uint64_t direct[STEP_BITS]; /* chosen themselves, not by what they need */
	uint64_t items[STEP_BITS];  /* groups of which only items run again */
	uint64_t out[STEP_BITS]; /* left out by --only: they run again only when they are named */
	uint32_t n;
};

struct picked {
	struct choice c;
	struct replan replan;	   /* to: NULL: the run keeps its plan */
	uint64_t fresh[STEP_BITS]; /* steps that the latest plan has brought */
	struct step_ref *items;	   /* STEP[ITEM] that were named; owned */
	size_t n_items;
};

static bool ended_badly(enum step_state s)
{
	return s == STEP_FAILED || s == STEP_UPSTREAM_FAILED || s == STEP_CANCELLED;
}

static bool in_set(const uint64_t *bits, uint16_t i)
{
	return bit_has(bits, i);
}

/* ---- choosing ---- */

static int find_left_out(struct tx *x, struct choice *c)
{
	struct step_rec s;
	int rc = 0;

	for (uint16_t i = 0; i < x->plan->n_steps && rc == 0; i++) {
		rc = step_load(x, i, 0, &s);
		if (rc == 0 && strcmp(s.code, CODE_NOT_CHOSEN) == 0)
			bit_set(c->out, i);
	}
	return rc;
}

static int choose_state(struct tx *x, struct choice *c, bool failed_only)
{
	struct step_rec s;
	int rc = 0;

	for (uint16_t i = 0; i < x->plan->n_steps && rc == 0; i++) {
		rc = step_load(x, i, 0, &s);
		if (rc != 0 || in_set(c->out, i))
			continue;
		if (failed_only && !ended_badly(s.state) && s.items_bad == 0)
			continue;
		bit_set(c->steps, i);
		c->n++;
	}
	return rc;
}

/* STEP[ITEM]: that item alone is marked waiting at once; its group follows. */
static int choose_named(
    struct tx *x, const struct op *op, struct choice *c, struct step_ref *items, size_t *n_items)
{
	struct err err = {0};

	for (size_t i = 0; i < op->u.rerun.n_steps; i++) {
		struct step_ref ref;
		int rc = find_step(x->v, op->u.rerun.run, op->u.rerun.steps[i], &ref, &err);

		if (rc == ERR_NOT_FOUND)
			return refuse(x, rc, "%s", err.text);
		if (rc != 0)
			return rc;
		bit_set(c->steps, ref.step);
		c->n++;
		if (ref.item > 0)
			items[(*n_items)++] = ref;
	}
	return 0;
}

/* Whatever depends on a chosen step is chosen; a group none of whose parents is keeps its list. */
static void close_over(const struct plan *p, struct choice *c)
{
	for (uint16_t i = 0; i < p->n_steps; i++) {
		bool parent = false, whole = false;

		for (size_t k = 0; k < p->steps[i].n_needs; k++) {
			const struct plan_need *n = &p->steps[i].needs[k];

			if (!in_set(c->steps, n->step))
				continue;
			parent = true;
			/* pairs: only the partners of items that run again */
			whole = whole || !n->match_item || !in_set(c->items, n->step);
		}
		if (in_set(c->steps, i))
			bit_set(c->direct, i);
		if (parent && !in_set(c->out, i))
			bit_set(c->steps, i);
		if (in_set(c->steps, i) && !whole && p->steps[i].foreach != NULL)
			bit_set(c->items, i);
	}
}

/* ---- reopening ---- */

static int reopen(struct tx *x, struct step_rec *s)
{
	s->generation++;
	s->used = s->lost = s->submission = s->polls = 0;
	s->class_ = CLASS_OK;
	s->code[0] = s->message[0] = 0;
	x->r->count++;
	return step_move(x, s, STEP_WAITING, TIME_NONE);
}

static int reopen_item(struct tx *x, uint16_t step, uint32_t no)
{
	struct step_rec s, *g;
	int rc = step_load(x, step, no, &s);

	if (rc == 0)
		rc = group_open(x, step, &g);
	if (rc != 0)
		return rc;
	g->rows_in -= s.rows_in;
	g->rows_out -= s.rows_out;
	g->rows_rejected -= s.rows_rejected;
	g->bytes -= s.bytes;
	s.rows_in = s.rows_out = s.rows_rejected = s.bytes = 0;
	x->group_dirty = true;
	return reopen(x, &s);
}

static bool named_item(
    const struct step_ref *items, size_t n, uint16_t step, uint32_t no, bool *ret_any)
{
	*ret_any = false;
	for (size_t i = 0; i < n; i++) {
		if (items[i].step != step)
			continue;
		*ret_any = true;
		if (items[i].item == no)
			return true;
	}
	return false;
}

/* Of a group that was chosen itself: the named ones, else the bad ones, else all. Of one that
 * pairs: those whose partners run again as well. */
static int reopen_items(struct tx *x, bool direct, uint16_t step, const struct picked *p)
{
	struct step_rec g, s;
	uint32_t before = x->r->count;
	bool any, all;
	int rc = step_load(x, step, 0, &g);

	all = g.items_bad == 0;
	for (int pass = 0; rc == 0 && pass < 2; pass++) {
		for (uint32_t no = 1; rc == 0 && no <= g.items; no++) {
			bool named = named_item(p->items, p->n_items, step, no, &any);
			bool mine = direct && !any && (all || pass > 0);

			rc = step_load(x, step, no, &s);
			if (rc != 0 || !step_state_ended(s.state) || strcmp(s.code, "gone") == 0)
				continue;
			mine = mine || (direct && !any && ended_badly(s.state));
			if (named || mine || s.unmet > 0 || pass > 0)
				rc = reopen_item(x, step, no);
		}
		if (x->r->count > before)
			break; /* else none has a partner that does: all of them */
	}
	return rc;
}

/* Counts of a chosen step: parents that run again are open, the others keep what they meant. */
static int recount(struct tx *x, const struct choice *c, struct step_rec *s)
{
	const struct plan_step *p = &x->plan->steps[s->step];
	struct step_rec parent;
	int rc = 0;

	s->unmet = (uint32_t)p->n_needs;
	s->ok_parents = s->bad_parents = s->failed_parents = 0;
	for (size_t k = 0; rc == 0 && k < p->n_needs; k++) {
		uint16_t from = p->needs[k].step;

		if (in_set(c->steps, from))
			continue;
		rc = step_load(x, from, 0, &parent);
		if (rc == 0)
			parent_count(&x->plan->steps[from], &parent, s, 1);
	}
	return rc;
}

/* Children that stay (left out by --only) are told that it is open again. */
static int untell_staying(struct tx *x, const struct choice *c, const struct step_rec *s)
{
	const struct plan_step *p = &x->plan->steps[s->step];
	int rc = 0;

	for (size_t i = 0; rc == 0 && i < p->n_children; i++) {
		if (!in_set(c->steps, p->children[i]))
			rc = step_untell_child(x, s, p->children[i]);
	}
	return rc;
}

static int reopen_step(struct tx *x, const struct picked *p, uint16_t i)
{
	const struct choice *c = &p->c;
	struct step_rec s;
	int rc = step_load(x, i, 0, &s);
	bool items_only;

	if (rc == 0)
		rc = untell_staying(x, c, &s);
	if (rc == 0)
		rc = recount(x, c, &s);
	if (rc != 0)
		return rc;
	/* a list that was no good is made again */
	items_only = in_set(c->items, i) && s.items > 0 && strcmp(s.code, "foreach") != 0;
	if (!items_only)
		s.rows_in = s.rows_out = s.rows_rejected = s.bytes = 0;
	rc = reopen(x, &s);
	return rc == 0 && items_only ? reopen_items(x, in_set(c->direct, i), i, p) : rc;
}

/* What came with the latest plan is open already: only what it needs may have opened again. */
static int recount_fresh(struct tx *x, const struct choice *c, uint16_t i)
{
	struct step_rec s;
	int rc = step_load(x, i, 0, &s);

	if (rc == 0)
		rc = recount(x, c, &s);
	return rc != 0 ? rc : step_put(x->v, &s);
}

static int reopen_all(struct tx *x, const struct picked *p, enum downstream downstream)
{
	int rc = 0;

	x->run.cancel = x->run.timed_out = x->run.quiet = false;
	x->run.downstream = downstream;
	x->run.reopened++;
	x->run.message[0] = 0;
	x->run_dirty = true;
	for (uint16_t i = 0; i < x->plan->n_steps && rc == 0; i++) {
		if (in_set(p->fresh, i))
			rc = recount_fresh(x, &p->c, i);
		else if (in_set(p->c.steps, i))
			rc = reopen_step(x, p, i);
	}
	if (rc == 0)
		rc = run_move(x, RUN_QUEUED);
	result_add_run(x, x->run.no);
	return rc;
}

/* Steps by what was asked for, without what depends on them. */
static int choose(struct tx *x, const struct op *op, struct picked *p)
{
	bool failed = op->u.rerun.failed || x->run.state != RUN_SUCCEEDED;
	size_t more = p->replan.to != NULL ? p->replan.to->n_steps - x->plan->n_steps : 0;
	int rc = find_left_out(x, &p->c);

	if (rc != 0)
		return rc;
	if (op->u.rerun.n_steps > 0)
		rc = choose_named(x, op, &p->c, p->items, &p->n_items);
	else
		rc = choose_state(x, &p->c, failed);
	if (rc == 0 && x->r->rc == 0 && p->c.n + more == 0)
		return refuse(x, ERR_CONFLICT, "no step of the run failed: name one with --step");
	return rc;
}

static void remap_bits(const struct replan *r, size_t n, uint64_t *bits)
{
	uint64_t to[STEP_BITS] = {0};

	for (uint16_t i = 0; i < n; i++) {
		if (bit_has(bits, i))
			bit_set(to, r->map[i]);
	}
	memcpy(bits, to, sizeof(to));
}

/* From here on the run has the latest plan; its new steps run as well. */
static int take_latest(struct tx *x, struct picked *p)
{
	size_t n = x->plan->n_steps;
	int rc;

	remap_bits(&p->replan, n, p->c.steps);
	remap_bits(&p->replan, n, p->c.out);
	for (size_t i = 0; i < p->n_items; i++)
		p->items[i].step = p->replan.map[p->items[i].step];
	rc = replan_do(x, &p->replan, p->fresh);
	for (size_t w = 0; w < STEP_BITS; w++)
		p->c.steps[w] |= p->fresh[w];
	return rc;
}

static int rerun(struct tx *x, const struct op *op, struct picked *p, enum downstream downstream)
{
	int rc = op->u.rerun.latest ? replan_check(x, &p->replan) : 0;

	if (rc == 0 && x->r->rc == 0)
		rc = choose(x, op, p);
	if (rc != 0 || x->r->rc != 0)
		return rc;
	if (p->replan.to != NULL)
		rc = take_latest(x, p);
	close_over(x->plan, &p->c);
	return rc != 0 ? rc : reopen_all(x, p, downstream);
}

int op_rerun(struct tx *x, const struct op *op)
{
	const char *how = op->u.rerun.downstream;
	enum downstream downstream = DOWNSTREAM_ONCE;
	struct picked *p;
	int rc;

	if (how != NULL && downstream_parse(how, &downstream) != 0)
		return refuse(x, ERR_USAGE, "downstream is each, once or none, not \"%.40s\"", how);
	if (op->u.rerun.n_steps > PLAN_MAX_STEPS)
		return refuse(x, ERR_USAGE,
		    "%zu steps are named, at most %d may be: name a foreach "
		    "step without its items",
		    op->u.rerun.n_steps, PLAN_MAX_STEPS);
	rc = run_open(x, op->u.rerun.run);
	if (rc == ERR_NOT_FOUND)
		return refuse(x, ERR_NOT_FOUND, "there is no such run");
	if (rc != 0)
		return rc;
	if (!run_state_ended(x->run.state))
		return refuse(x, ERR_CONFLICT,
		    "the run is still %s: cancel it, or wait for its end",
		    run_state_name(x->run.state));
	p = MEM_NEW(struct picked);
	p->items = mem_calloc(op->u.rerun.n_steps + 1, sizeof(*p->items));
	rc = rerun(x, op, p, downstream);
	mem_free(p->items);
	mem_free(p);
	return rc;
}
