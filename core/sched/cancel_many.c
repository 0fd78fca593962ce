/* cancel_many.c: an order to cancel many runs: those of a DAG, or all, that are open when it is
 * given.
 *
 * One transaction ends what CANCEL_AT_ONCE allows. What is left stays an order: a record and a due
 * entry (DUE_CANCEL_MANY), so it goes on after a restart as well. Until an order has come to a run
 * that it means, the run stands still: it is not started, nothing of it is handed out, it is in
 * nobody's way (cancel_meant, cancel_means). It means no run that was made, or opened again, since.
 *
 * What runs comes first, so that kills do not wait for thousands that only queue; what the running
 * ones free starts none of those, because they are meant. */
#include "core/sched/tx.h"

#include "core/sched/codec.h"

#include <string.h>

#define CANCEL_LOOKS 4000u /* runs looked at in one transaction */
#define RUN_COST 4u	   /* of a run, in steps that end */

/* ---- which runs ---- */

int cancel_load(const struct view *v, cancel_vec *ret)
{
	struct view_walk w;
	struct slice value;
	int rc;

	view_walk_init(&w, v, TABLE_CANCEL, NULL, 0, false);
	while ((rc = view_walk_next(&w, &value)) == 0) {
		rc = cancel_decode(value, VEC_PUSH(ret), NULL);
		if (rc != 0)
			return rc;
	}
	return rc == ERR_NOT_FOUND ? 0 : rc;
}

static bool means(const struct cancel_rec *c, const struct run_rec *r)
{
	return r->no <= c->upto && r->spared < c->no &&
	       (c->dag_no == 0 || c->dag_no == r->dag_no) &&
	       (r->state == RUN_QUEUED || (r->state == RUN_RUNNING && !c->queued));
}

const struct cancel_rec *cancel_means(const cancel_vec *orders, const struct run_rec *r)
{
	for (size_t i = 0; i < orders->n; i++) {
		if (means(&orders->v[i], r))
			return &orders->v[i];
	}
	return NULL;
}

static int load_once(struct tx *x)
{
	int rc = x->cancels_known ? 0 : cancel_load(x->v, &x->cancels);

	x->cancels_known = true;
	return rc;
}

static void forget(struct tx *x)
{
	x->cancels_known = false;
	VEC_CLEAR(&x->cancels);
}

int cancel_meant(struct tx *x, const struct cancel_rec **ret)
{
	int rc = load_once(x);

	*ret = rc == 0 ? cancel_means(&x->cancels, &x->run) : NULL;
	return rc;
}

/* *ret_cost: how much it was. */
static int one(struct tx *x, const struct cancel_rec *c, uint64_t run, uint32_t *ret_cost)
{
	uint32_t open;
	int rc = must(run_open(x, run));

	*ret_cost = 0;
	if (rc != 0 || !means(c, &x->run) || (x->run.cancel && !c->hard))
		return rc;
	open = x->run.n_open;
	x->hard = c->hard;
	rc = run_cancel(x, c->message);
	x->hard = false;
	*ret_cost = RUN_COST + (open - x->run.n_open);
	return rc;
}

int cancel_reach(struct tx *x, uint32_t *cost, bool *ret)
{
	const struct cancel_rec *c = NULL;
	uint32_t n = 0;
	int rc = x->run.cancel ? 0 : cancel_meant(x, &c);

	*ret = rc == 0 && c != NULL;
	if (*ret)
		rc = one(x, c, x->run.no, &n);
	*cost += n;
	return rc;
}

int cancel_spare(struct tx *x)
{
	int rc = load_once(x);

	if (rc == 0 && x->cancels.n > 0)
		x->run.spared = x->cancels.v[x->cancels.n - 1].no;
	return rc;
}

/* ---- going on ---- */

/* The next run of the state that is walked, behind c->at; ERR_NOT_FOUND: none is left. */
static int next_of_state(struct tx *x, const struct cancel_rec *c, uint64_t *ret)
{
	struct slice key, value;
	struct key k;
	int rc;

	key_run_state(&k, c->state, c->at);
	rc = x->v->next(x->v->ctx, TABLE_RUN_STATE, (struct slice){k.b, k.n}, true, &key, &value);
	if (rc == 0 && *(const uint8_t *)key.p != (uint8_t)c->state)
		return ERR_NOT_FOUND;
	if (rc == 0)
		rc = key_tail_u64(key, ret);
	return rc == 0 && *ret > c->upto ? ERR_NOT_FOUND : rc;
}

static int next_run(struct tx *x, struct cancel_rec *c, uint64_t *ret)
{
	int rc = next_of_state(x, c, ret);

	if (rc != ERR_NOT_FOUND || c->state == RUN_QUEUED)
		return rc;
	c->state = RUN_QUEUED;
	c->at = 0;
	return next_of_state(x, c, ret);
}

/* As much as one transaction may do. *ret_more: not all. */
static int some(struct tx *x, struct cancel_rec *c, bool *ret_more)
{
	uint32_t done = 0, cost;
	uint64_t run;

	for (uint32_t looks = 0;; looks++) {
		int rc = next_run(x, c, &run);

		*ret_more = rc == 0;
		if (rc != 0 || done >= CANCEL_AT_ONCE || looks >= CANCEL_LOOKS)
			return rc == ERR_NOT_FOUND ? 0 : rc;
		rc = one(x, c, run, &cost);
		if (rc != 0)
			return rc;
		c->at = run;
		done += cost;
	}
}

static int store(struct tx *x, struct cancel_rec *c)
{
	struct key k;
	int rc;

	c->due_at = x->now + US_PER_MS; /* not at once: one transaction each */
	key_due_run(&k, c->due_at, DUE_CANCEL_MANY, c->no);
	rc = cancel_put(x->v, c);
	return rc != 0 ? rc : due_add(x, &k);
}

int cancel_many_go_on(struct tx *x, uint64_t no)
{
	struct cancel_rec c;
	struct key k;
	bool more;
	int rc = must(cancel_get(x->v, no, &c));

	if (rc != 0)
		return rc;
	key_due_run(&k, c.due_at, DUE_CANCEL_MANY, no);
	rc = due_del(x, &k);
	if (rc == 0)
		rc = some(x, &c, &more);
	key_run(&k, no);
	if (rc == 0)
		rc = more ? store(x, &c) : must(view_del(x->v, TABLE_CANCEL, k.b, k.n));
	forget(x);
	return rc;
}

/* ---- the order ---- */

/* Of those that it means: how many it will end. No record is read that need not be. */
static int count_state(
    struct tx *x, const struct cancel_rec *c, enum run_state state, uint32_t *ret)
{
	bool queue = state == RUN_QUEUED && c->dag_no != 0;
	bool plain = state == RUN_QUEUED && x->cancels.n == 0;
	struct view_walk w;
	struct run_rec r;
	struct key k;
	uint64_t no;
	int rc;

	key_init(&k);
	if (queue)
		key_u32(&k, c->dag_no);
	else
		key_u8(&k, (uint8_t)state);
	view_walk_init(&w, x->v, queue ? TABLE_RUN_QUEUE : TABLE_RUN_STATE, k.b, k.n, false);
	while ((rc = view_walk_next(&w, NULL)) == 0) {
		if (plain) {
			(*ret)++;
			continue;
		}
		rc = key_tail_u64((struct slice){w.key, w.key_n}, &no);
		if (rc == 0)
			rc = must(run_get(x->v, no, &r));
		if (rc != 0)
			return rc;
		*ret += means(c, &r) &&
			(c->hard || (!r.cancel && cancel_means(&x->cancels, &r) == NULL));
	}
	return rc == ERR_NOT_FOUND ? 0 : rc;
}

int cancel_many(struct tx *x, struct cancel_rec *c, uint32_t *ret_count)
{
	bool more = false;
	int rc = flow_settle(x);

	*ret_count = 0;
	if (rc == 0)
		rc = run_close(x);
	if (rc == 0)
		rc = load_once(x);
	if (rc == 0)
		rc = next_no(x, META_NEXT_CANCEL, &c->no);
	if (rc == 0)
		rc = meta_get(x->v, META_NEXT_RUN, &c->upto);
	if (rc != 0) /* no run yet */
		return rc == ERR_NOT_FOUND ? 0 : rc;
	c->upto--;
	c->created_at = x->now;
	c->state = c->queued ? RUN_QUEUED : RUN_RUNNING;
	c->at = 0;
	if (!c->queued)
		rc = count_state(x, c, RUN_RUNNING, ret_count);
	if (rc == 0)
		rc = count_state(x, c, RUN_QUEUED, ret_count);
	if (rc == 0 && *ret_count > 0)
		rc = some(x, c, &more);
	if (rc == 0 && more)
		rc = store(x, c);
	forget(x);
	return rc;
}
