/* flow.c: what follows from an ended step: children judged, groups and runs ended, queued runs
 * started. Works off the bits that step_move set, in topological order, without recursion. */
#include "core/sched/tx.h"

#include <string.h>

/* What an ended parent means to a child, added (by = 1) or taken back (by = -1). */
void parent_count(
    const struct plan_step *parent, const struct step_rec *s, struct step_rec *child, int by)
{
	uint32_t n = (uint32_t)by;
	bool failed = s->state == STEP_FAILED || s->state == STEP_UPSTREAM_FAILED;

	child->unmet -= n;
	if (failed)
		child->failed_parents += n;
	if (s->state == STEP_CANCELLED || (failed && !parent->allow_failure))
		child->bad_parents += n;
	else if (s->state == STEP_SUCCEEDED || failed ||
		 (s->state == STEP_SKIPPED && strcmp(s->code, CODE_NOT_CHOSEN) == 0))
		child->ok_parents += n;
}

/* All parents have ended: what becomes of the step. */
enum step_state flow_judge(const struct plan_step *p, const struct step_rec *s)
{
	if (p->n_needs == 0)
		return STEP_READY;
	switch (p->when) {
	case WHEN_ALL_SUCCESS:
		if (s->bad_parents > 0)
			return STEP_UPSTREAM_FAILED;
		return s->ok_parents == p->n_needs ? STEP_READY : STEP_SKIPPED;
	case WHEN_ONE_SUCCESS:
		return s->ok_parents > 0 ? STEP_READY : STEP_SKIPPED;
	case WHEN_ONE_FAILED:
		return s->failed_parents > 0 ? STEP_READY : STEP_SKIPPED;
	case WHEN_ALL_DONE:
		break;
	}
	return STEP_READY;
}

int step_make_ready(struct tx *x, struct step_rec *s)
{
	enum step_state to = flow_judge(&x->plan->steps[s->step], s);
	int rc = match_any(&x->plan->steps[s->step]) ? match_judge_group(x, s, &to) : 0;

	if (rc != 0)
		return rc;
	if (to == STEP_READY && is_group(x, s))
		return foreach_begin(x, s);
	if (is_group(x, s) && s->items_open > 0)
		return foreach_refuse(x, s, to);
	return step_move(x, s, to, x->now);
}

static int tell_child(struct tx *x, const struct step_rec *parent, uint16_t child)
{
	struct step_rec s;
	int rc = step_load(x, child, 0, &s);

	if (rc != 0)
		return rc;
	parent_count(&x->plan->steps[parent->step], parent, &s, 1);
	if (s.state == STEP_WAITING && s.unmet == 0 && x->run.state == RUN_RUNNING)
		return step_make_ready(x, &s);
	rc = step_put(x->v, &s);
	return rc == 0 && match_any(&x->plan->steps[child]) ? match_begin(x, child) : rc;
}

static int tell_children(struct tx *x, uint16_t step)
{
	const struct plan_step *p = &x->plan->steps[step];
	struct step_rec s;
	int rc;

	if (p->n_children == 0)
		return 0;
	rc = step_load(x, step, 0, &s);
	for (size_t i = 0; rc == 0 && i < p->n_children; i++)
		rc = tell_child(x, &s, p->children[i]);
	return rc;
}

static enum run_state end_state(const struct run_rec *r)
{
	if (r->timed_out)
		return RUN_FAILED;
	if (r->n_failed + r->n_cancelled == 0)
		return RUN_SUCCEEDED;
	return r->cancel || r->n_failed == 0 ? RUN_CANCELLED : RUN_FAILED;
}

static int end_run(struct tx *x)
{
	const struct run_rec *r = &x->run;

	if (!x->run_open || r->n_open > 0)
		return 0;
	if (r->state == RUN_RUNNING || (r->state == RUN_QUEUED && r->cancel))
		return run_move(x, r->state == RUN_QUEUED ? RUN_CANCELLED : end_state(r));
	/* a mark may have changed how an ended run ended */
	if (run_state_ended(r->state) && r->state != end_state(r))
		return run_move(x, end_state(r));
	return 0;
}

int flow_settle(struct tx *x)
{
	int step, rc = 0;

	while (rc == 0 && x->run_open) {
		if (x->paired.n > 0) {
			struct step_ref ref = x->paired.v[--x->paired.n];

			rc = match_item(x, &ref);
			continue;
		}
		step = bit_take(x->begun);
		if (step >= 0) {
			rc = match_begun(x, (uint16_t)step);
			continue;
		}
		step = bit_take(x->groups);
		if (step >= 0) {
			rc = foreach_end(x, (uint16_t)step);
			continue;
		}
		step = bit_take(x->ended);
		if (step < 0)
			break;
		rc = tell_children(x, (uint16_t)step);
	}
	return rc != 0 ? rc : end_run(x);
}

int run_start(struct tx *x)
{
	struct step_rec s;
	int rc = run_move(x, RUN_RUNNING);

	for (size_t i = 0; rc == 0 && i < x->plan->n_steps; i++) {
		rc = step_load(x, (uint16_t)i, 0, &s);
		if (rc == 0 && s.state == STEP_WAITING && s.unmet == 0)
			rc = step_make_ready(x, &s);
	}
	return rc != 0 ? rc : flow_settle(x);
}

/* ---- queued runs ---- */

static int queue_head(struct tx *x, uint32_t dag_no, uint64_t *ret_run)
{
	struct view_walk w;
	struct key k;
	int rc;

	key_init(&k);
	key_u32(&k, dag_no);
	view_walk_init(&w, x->v, TABLE_RUN_QUEUE, k.b, k.n, false);
	rc = view_walk_next(&w, NULL);
	if (rc != 0)
		return rc;
	return key_tail_u64((struct slice){w.key, w.key_n}, ret_run);
}

/* *ret: how many more runs of the DAG may run. */
static int room(struct tx *x, uint32_t dag_no, uint64_t *ret)
{
	const struct plan *plan;
	struct dag_rec d;
	char name[32];
	uint64_t n, max = 1;
	int rc = must(dag_get(x->v, dag_no, &d));

	*ret = 0;
	if (rc != 0 || dag_is_paused(x->v, &d))
		return rc;
	if (dag_plan(x->v, &d, &plan) == 0)
		max = plan->max_runs;
	count_name_runs(name, dag_no);
	rc = count_get(x->v, name, &n);
	if (rc == 0 && n < max)
		*ret = max - n;
	return rc;
}

static int pump_dag(struct tx *x, uint32_t dag_no)
{
	const struct cancel_rec *order;
	uint64_t run, may;
	int rc;

	for (;;) {
		/* what has ended in the open run gives its place first */
		rc = flow_settle(x);
		if (rc == 0)
			rc = room(x, dag_no, &may);
		if (rc != 0 || may == 0)
			return rc;
		rc = queue_head(x, dag_no, &run);
		if (rc != 0)
			return rc == ERR_NOT_FOUND ? 0 : rc;
		rc = run_open(x, run);
		if (rc == 0)
			rc = cancel_meant(x, &order);
		/* as good as cancelled: the DAG comes here again when it is */
		if (rc == 0 && (x->run.cancel || order != NULL))
			return 0;
		if (rc == 0)
			rc = run_start(x);
		if (rc != 0)
			return must(rc);
	}
}

int flow_pump(struct tx *x)
{
	int rc = 0;

	while (rc == 0 && x->pump.n > 0)
		rc = pump_dag(x, x->pump.v[--x->pump.n]);
	return rc;
}
