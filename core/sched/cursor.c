/* cursor.c: a person sets the cursor of a step: where it reads on. Refused while the step is open
 * in a run that has begun: its end would write its own over it. */
#include "core/sched/tx.h"

#include <string.h>

#define CURSOR_MAX (64u << 10)

static bool item_meant(const struct step_rec *s, const char *item)
{
	return item[0] == 0 ? s->item == 0 : strcmp(s->item_key, item) == 0;
}

/* *ret: the step is under way in that run. */
static int step_busy(
    struct tx *x, const struct run_rec *r, const char *step, const char *item, bool *ret)
{
	const struct plan *plan;
	struct step_ref ref = {r->no, 0, 0};
	struct step_rec s;
	int i, rc = must(x->v->plan(x->v->ctx, r->plan, &plan, NULL));

	*ret = false;
	if (rc != 0)
		return rc;
	i = plan_step_index(plan, step);
	if (i < 0)
		return 0;
	ref.step = (uint16_t)i;
	if (item[0] != 0 && step_item_no(x->v, r->no, ref.step, item, &ref.item) != 0)
		ref.item = 0;
	rc = must(step_get(x->v, &ref, &s));
	*ret = rc == 0 && (s.state == STEP_RUNNING || s.state == STEP_RETRYING) &&
	       item_meant(&s, item);
	return rc;
}

static int check_idle(struct tx *x, const struct dag_rec *d, const struct op *op)
{
	uint8_t prefix = RUN_RUNNING;
	char id[HASH_ID_TEXT];
	struct view_walk w;
	struct run_rec r;
	uint64_t no;
	bool busy;
	int rc;

	view_walk_init(&w, x->v, TABLE_RUN_STATE, &prefix, 1, false);
	while ((rc = view_walk_next(&w, NULL)) == 0) {
		rc = key_tail_u64((struct slice){w.key, w.key_n}, &no);
		if (rc == 0)
			rc = must(run_get(x->v, no, &r));
		if (rc != 0)
			return rc;
		if (r.dag_no != d->no)
			continue;
		rc = step_busy(x, &r, op->u.cursor_set.step, op->u.cursor_set.item, &busy);
		if (rc != 0)
			return rc;
		hash_to_base32(r.id, id);
		if (busy)
			return refuse(x, ERR_CONFLICT,
			    "step %s runs in run %s and would write its own cursor: wait for its "
			    "end, or cancel it",
			    op->u.cursor_set.step, id);
	}
	return rc == ERR_NOT_FOUND ? 0 : rc;
}

static int check_names(struct tx *x, const struct op *op, struct dag_rec *d)
{
	const struct plan *plan;
	int rc = dag_get_named(x->v, op->u.cursor_set.dag, d);

	if (rc == ERR_NOT_FOUND)
		return refuse_dag(x, op->u.cursor_set.dag);
	if (rc == 0)
		rc = dag_plan(x->v, d, &plan);
	if (rc != 0)
		return rc == ERR_NOT_FOUND
			   ? refuse(x, ERR_CONFLICT,
				 "DAG %s has never compiled: see `sluice check`", d->name)
			   : rc;
	if (plan_step_index(plan, op->u.cursor_set.step) < 0)
		return refuse(x, ERR_NOT_FOUND, "DAG %s has no step \"%.63s\"", d->name,
		    op->u.cursor_set.step);
	if (strlen(op->u.cursor_set.item) >= PLAN_KEY_MAX)
		return refuse(x, ERR_USAGE, "an item has at most %d bytes", PLAN_KEY_MAX - 1);
	if (strlen(op->u.cursor_set.json) > CURSOR_MAX)
		return refuse(x, ERR_LIMIT, "a cursor has at most %u bytes", CURSOR_MAX);
	return 0;
}

int op_cursor_set(struct tx *x, const struct op *op)
{
	struct cursor_rec c = {0, 0, op->u.cursor_set.complete_through, x->now};
	struct dag_rec d;
	int rc = check_names(x, op, &d);

	if (rc == 0 && x->r->rc == 0)
		rc = check_idle(x, &d, op);
	if (rc != 0 || x->r->rc != 0)
		return rc;
	x->r->count = 1;
	return cursor_put(x->v, op->u.cursor_set.dag, op->u.cursor_set.step, op->u.cursor_set.item,
	    &c, op->u.cursor_set.json);
}
