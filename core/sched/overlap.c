/* overlap.c: what a new run does where its DAG has max_runs going on already: `overlap`, asked in
 * one place (run_insert) for every way in which a run comes about.
 *
 *   queue   it waits
 *   skip    it is not made; the event says which run was in the way
 *   cancel  the oldest runs are cancelled, as many as needed; it waits for their end
 *   latest  it takes the place of those that wait
 *
 * Runs of a backfill stand aside: they always queue, nothing is skipped because one of them waits,
 * and none is cancelled or replaced. Else a nightly run would eat a year's backfill. */
#include "core/sched/tx.h"

#include <stdio.h>
#include <string.h>

static bool stands_aside(const cancel_vec *orders, const struct run_rec *r)
{
	return r->trigger == TRIGGER_BACKFILL || r->backfill != 0 || r->cancel ||
	       cancel_means(orders, r) != NULL;
}

/* Calls fn for each queued run of the DAG, first in line first, until it says otherwise than 0. */
typedef int (*queued_fn)(void *arg, const struct run_rec *r);

static int each_queued(const struct view *v, uint32_t dag_no, queued_fn fn, void *arg)
{
	struct view_walk w;
	struct run_rec r;
	uint64_t no;
	struct key k;
	int rc;

	key_init(&k);
	key_u32(&k, dag_no);
	view_walk_init(&w, v, TABLE_RUN_QUEUE, k.b, k.n, false);
	while ((rc = view_walk_next(&w, NULL)) == 0) {
		rc = key_tail_u64((struct slice){w.key, w.key_n}, &no);
		if (rc == 0)
			rc = must(run_get(v, no, &r));
		if (rc == 0)
			rc = fn(arg, &r);
		if (rc != 0)
			return rc;
	}
	return rc == ERR_NOT_FOUND ? 0 : rc;
}

/* The runs of the DAG that are going on, oldest first. */
static int each_running(const struct view *v, uint32_t dag_no, queued_fn fn, void *arg)
{
	uint8_t prefix = RUN_RUNNING;
	struct view_walk w;
	struct run_rec r;
	uint64_t no;
	int rc;

	view_walk_init(&w, v, TABLE_RUN_STATE, &prefix, 1, false);
	while ((rc = view_walk_next(&w, NULL)) == 0) {
		rc = key_tail_u64((struct slice){w.key, w.key_n}, &no);
		if (rc == 0)
			rc = must(run_get(v, no, &r));
		if (rc == 0 && r.dag_no == dag_no)
			rc = fn(arg, &r);
		if (rc != 0)
			return rc;
	}
	return rc == ERR_NOT_FOUND ? 0 : rc;
}

struct census {
	uint64_t running, waiting; /* waiting: without those that stand aside */
	struct run_rec *first;
	cancel_vec orders;     /* what they mean is as good as cancelled */
	VEC(uint64_t) victims; /* that do not stand aside, in the order in which they give way */
};

static int count_one(void *arg, const struct run_rec *r)
{
	struct census *c = arg;

	if (r->state == RUN_RUNNING)
		c->running++;
	else if (!stands_aside(&c->orders, r))
		c->waiting++;
	if (c->running + c->waiting == 1 && c->first->no == 0)
		*c->first = *r;
	if (!stands_aside(&c->orders, r))
		VEC_ADD(&c->victims, r->no);
	return 0;
}

/* Sets c; c->first: the run that is named as being in the way. */
static int take_census(
    const struct view *v, uint32_t dag_no, struct census *c, struct run_rec *ret_first)
{
	int rc;

	memset(c, 0, sizeof(*c));
	memset(ret_first, 0, sizeof(*ret_first));
	c->first = ret_first;
	rc = cancel_load(v, &c->orders);
	if (rc == 0)
		rc = each_running(v, dag_no, count_one, c);
	if (rc == 0)
		rc = each_queued(v, dag_no, count_one, c);
	VEC_DONE(&c->orders);
	return rc;
}

int overlap_skips(const struct view *v, const struct run_new *n, bool *ret, struct run_rec *ret_by)
{
	struct census c;
	int rc;

	*ret = false;
	if (n->plan->overlap != OVERLAP_SKIP || n->kind == TRIGGER_BACKFILL)
		return 0;
	rc = take_census(v, n->dag->no, &c, ret_by);
	*ret = rc == 0 && c.running + c.waiting >= n->plan->max_runs;
	VEC_DONE(&c.victims);
	return rc;
}

void overlap_text(const struct run_new *n, const struct run_rec *by, char *out, size_t size)
{
	char id[HASH_ID_TEXT];

	hash_to_base32(by->id, id);
	snprintf(out, size,
	    "DAG %s has overlap: skip, and max_runs %u is used up: run %s (%.80s) is %s",
	    n->dag->name, n->plan->max_runs, id, by->key, run_state_name(by->state));
}

static int give_way(struct tx *x, uint64_t victim, const struct run_new *n, const char *id)
{
	char text[MESSAGE_MAX];
	bool queued;
	int rc = must(run_open(x, victim));

	if (rc != 0)
		return rc;
	queued = x->run.state == RUN_QUEUED;
	snprintf(text, sizeof(text), "cancelled: run %s (%.200s) took its place%s (overlap: %s)",
	    id, n->key, queued ? " in the queue" : "",
	    n->plan->overlap == OVERLAP_LATEST ? "latest" : "cancel");
	return run_cancel(x, text);
}

int overlap_make_room(struct tx *x, const struct run_new *n, const uint8_t new_id[HASH_ID_BYTES])
{
	char id[HASH_ID_TEXT];
	struct run_rec first, r;
	struct census c = {0};
	size_t keep, i;
	int rc;

	if ((n->plan->overlap != OVERLAP_CANCEL && n->plan->overlap != OVERLAP_LATEST) ||
	    n->kind == TRIGGER_BACKFILL)
		return 0;
	rc = flow_pump(x); /* what could start has started: it is not replaced */
	if (rc == 0)
		rc = run_close(x);
	if (rc == 0)
		rc = take_census(x->v, n->dag->no, &c, &first);
	hash_to_base32(new_id, id);
	keep = n->plan->overlap == OVERLAP_CANCEL ? n->plan->max_runs - 1 : 0;
	for (i = 0; rc == 0 && i + keep < c.victims.n; i++) {
		rc = must(run_get(x->v, c.victims.v[i], &r));
		if (rc == 0 && (n->plan->overlap == OVERLAP_CANCEL || r.state == RUN_QUEUED))
			rc = give_way(x, r.no, n, id);
	}
	VEC_DONE(&c.victims);
	return rc != 0 ? rc : run_close(x);
}
