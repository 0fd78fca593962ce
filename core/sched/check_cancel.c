/* check_cancel.c: orders to cancel that are under way: each has its due entry, means something that
 * can be, and has left nothing behind where it has been. */
#include "core/sched/check_part.h"
#include "core/sched/tx.h"

static void check_record(struct check_out *o, const struct cancel_rec *c)
{
	unsigned long long no = c->no;
	uint64_t next = 0;
	struct slice s;
	struct key k;

	key_due_run(&k, c->due_at, DUE_CANCEL_MANY, c->no);
	if (view_get(o->v, TABLE_DUE, k.b, k.n, &s) != 0)
		check_report(o, "table due: the order %llu to cancel has no entry", no);
	if (c->state != RUN_QUEUED && (c->state != RUN_RUNNING || c->queued))
		check_report(o, "order %llu to cancel: it walks runs that are %s", no,
		    run_state_name(c->state));
	if (meta_get(o->v, META_NEXT_RUN, &next) != 0 || c->upto >= next)
		check_report(o, "order %llu to cancel: it means run %llu, which is not made yet",
		    no, (unsigned long long)c->upto);
	if (meta_get(o->v, META_NEXT_CANCEL, &next) != 0 || c->no >= next)
		check_report(o, "order %llu to cancel: its number is yet to be given", no);
}

/* Behind its position nothing is left that it means. */
static void check_run(struct check_out *o, const cancel_vec *orders, const struct run_rec *r)
{
	for (size_t i = 0; i < orders->n; i++) {
		const struct cancel_rec *c = &orders->v[i];
		cancel_vec one = {orders->v + i, 1, 1};

		if (r->cancel || cancel_means(&one, r) == NULL)
			continue;
		if (r->state == RUN_RUNNING ? c->state == RUN_QUEUED || r->no <= c->at
					    : c->state == RUN_QUEUED && r->no <= c->at)
			check_report(o, "order %llu to cancel has been at run %llu, which is %s",
			    (unsigned long long)c->no, (unsigned long long)r->no,
			    run_state_name(r->state));
	}
}

static int check_runs(struct check_out *o, const cancel_vec *orders, enum run_state state)
{
	uint8_t prefix = (uint8_t)state;
	struct view_walk w;
	struct run_rec r;
	uint64_t no;
	int rc;

	view_walk_init(&w, o->v, TABLE_RUN_STATE, &prefix, 1, false);
	while ((rc = view_walk_next(&w, NULL)) == 0) {
		if (key_tail_u64((struct slice){w.key, w.key_n}, &no) == 0 &&
		    run_get(o->v, no, &r) == 0)
			check_run(o, orders, &r);
	}
	return rc == ERR_NOT_FOUND ? 0 : rc;
}

int check_cancels(struct check_out *o)
{
	cancel_vec orders = {NULL, 0, 0};
	int rc = cancel_load(o->v, &orders);

	for (size_t i = 0; rc == 0 && i < orders.n; i++)
		check_record(o, &orders.v[i]);
	if (rc == 0 && orders.n > 0)
		rc = check_runs(o, &orders, RUN_RUNNING);
	if (rc == 0 && orders.n > 0)
		rc = check_runs(o, &orders, RUN_QUEUED);
	VEC_DONE(&orders);
	return rc;
}
