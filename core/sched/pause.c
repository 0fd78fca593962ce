/* pause.c: pause and resume of a DAG or of all. While paused no tick is evaluated, no event or
 * person starts a run and no queued run begins; what runs goes on. What schedules
 * do on resume: tick.c. */
#include "core/sched/tx.h"

#include "core/sched/codec.h"

static int apply_to(struct tx *x, struct dag_rec *d)
{
	const struct plan *p;
	struct effect *e = effect_add(x, EFFECT_DAG, d->no);
	bool on = !dag_is_paused(x->v, d);
	int rc = 0;

	e->state = (uint8_t)d->state;
	if (d->has_plan && d->state != DAG_GONE) {
		rc = must(dag_plan(x->v, d, &p));
		if (rc == 0)
			rc = schedules_set(x, d, p, on ? SCHEDULES_RESUME : SCHEDULES_PAUSE);
	}
	if (on)
		pump_add(x, d->no);
	return rc;
}

static int pause_all(struct tx *x, bool on)
{
	struct view_walk w;
	struct dag_rec d;
	struct slice value;
	int rc = meta_put(x->v, META_PAUSED, on ? 1 : 0);

	view_walk_init(&w, x->v, TABLE_DAG, NULL, 0, false);
	while (rc == 0 && (rc = view_walk_next(&w, &value)) == 0) {
		rc = dag_decode(value, &d, NULL);
		if (rc == 0)
			rc = apply_to(x, &d);
		x->r->count++;
	}
	return rc == ERR_NOT_FOUND ? 0 : rc;
}

int op_pause(struct tx *x, const struct op *op)
{
	struct dag_rec d;
	bool on = op->u.pause.on;
	int rc;

	if (op->u.pause.dag == NULL)
		return pause_all(x, on);
	rc = dag_get_named(x->v, op->u.pause.dag, &d);
	if (rc == ERR_NOT_FOUND)
		return refuse_dag(x, op->u.pause.dag);
	if (rc != 0 || d.paused == on)
		return rc;
	d.paused = on;
	x->r->count = 1;
	rc = dag_put(x->v, &d);
	return rc != 0 ? rc : apply_to(x, &d);
}
