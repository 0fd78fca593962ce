/* mutant.c: planted bugs. Those of the daemon, the pool and the network stand where the simulator
 * plays them; those inside the scheduler are put around its functions by the linker (--wrap), so
 * that its sources hold nothing for them. */
#include "core/sched/restore.h"
#include "core/sched/retry.h"
#include "core/sched/schedule.h"
#include "tests/sim/sim.h"

#include <string.h>

enum mutant mutant_active;
uint64_t mutant_count;

static const struct {
	const char *name, *what;
} mutants[MUTANT_N] = {[MUTANT_NONE] = {"none", ""},
#define MUTANT_ROW(id, name, what) [MUTANT_##id] = {name, what},
    MUTANT_LIST(MUTANT_ROW)
#undef MUTANT_ROW
};

const char *mutant_name(enum mutant m)
{
	return mutants[m].name;
}

const char *mutant_what(enum mutant m)
{
	return mutants[m].what;
}

/* Every n-th pass of the active mutant's place. */
static bool nth(enum mutant m, uint64_t n)
{
	return mutant(m) && ++mutant_count % n == 0;
}

#define WRAP(f) __typeof__(f) __real_##f, __wrap_##f
WRAP(catchup_due);
WRAP(catchup_judge);
WRAP(cron_next);
WRAP(dag_is_paused);
WRAP(dataset_fire);
WRAP(due_add);
WRAP(op_due);
WRAP(op_outcome);
WRAP(op_pool_up);
WRAP(op_unlease);
WRAP(reclock_work);
WRAP(resource_fits);
WRAP(late_arm);
WRAP(overlap_make_room);
WRAP(overlap_skips);
WRAP(retry_decide);
WRAP(run_timers);
WRAP(run_cancel);
WRAP(run_insert);
WRAP(schedule_load);
WRAP(sched_restore);
WRAP(slots_change);

int real_cron_next(const struct cron *cron, const struct tz *zone, wall_us after, enum cron_gap gap,
    enum cron_overlap overlap, wall_us *ret_at)
{
	return __real_cron_next(cron, zone, after, gap, overlap, ret_at);
}

int __wrap_cron_next(const struct cron *cron, const struct tz *zone, wall_us after,
    enum cron_gap gap, enum cron_overlap overlap, wall_us *ret_at)
{
	if (mutant(MUTANT_DST_DOUBLED))
		overlap = CRON_BOTH;
	return __real_cron_next(cron, zone, after, gap, overlap, ret_at);
}

int __wrap_catchup_due(struct tx *x, const struct due_key *due)
{
	wall_us now = x->now;
	int rc;

	if (mutant(MUTANT_CATCHUP_EARLY))
		x->now = due->at;
	rc = __real_catchup_due(x, due);
	x->now = now;
	return rc;
}

int __wrap_catchup_judge(struct tx *x, struct schedule *c, int64_t grace_us)
{
	int64_t hour = INT64_C(3600) * US_PER_S;
	struct plan_trigger less = *c->t;
	const struct plan_trigger *t = c->t;
	int rc;

	if (mutant(MUTANT_TICK_LATE) && grace_us > 0)
		grace_us = US_PER_S;
	if (mutant(MUTANT_MISSED_TWICE))
		c->s.upto -= 24 * hour;
	if (mutant(MUTANT_WITHIN_LESS) && less.catchup_within_ms > hour / US_PER_MS) {
		less.catchup_within_ms -= hour / US_PER_MS;
		c->t = &less;
	}
	rc = __real_catchup_judge(x, c, grace_us);
	c->t = t;
	return rc;
}

int __wrap_schedule_load(struct tx *x, uint32_t dag_no, const char *trigger, struct schedule *ret)
{
	static struct plan_trigger more;
	int rc = __real_schedule_load(x, dag_no, trigger, ret);

	if (rc == 0 && mutant(MUTANT_AT_ONCE_MORE)) {
		more = *ret->t;
		more.catchup_at_once++;
		ret->t = &more;
	}
	return rc;
}

bool __wrap_dag_is_paused(const struct view *v, const struct dag_rec *r)
{
	return !mutant(MUTANT_PAUSE_IGNORED) && __real_dag_is_paused(v, r);
}

int __wrap_dataset_fire(struct tx *x)
{
	size_t n = x->published.n;

	if (n > 0 && nth(MUTANT_SUBSCRIBER_MISSED, 20))
		VEC_CLEAR(&x->published);
	for (size_t i = 0; i < n && nth(MUTANT_JOIN_TWICE, 1); i++) {
		struct published p = x->published.v[i];

		VEC_ADD(&x->published, p);
	}
	return __real_dataset_fire(x);
}

int __wrap_due_add(struct tx *x, const struct key *k)
{
	bool was = x->due_changed;
	int rc = __real_due_add(x, k);

	if (mutant(MUTANT_DUE_UNTOLD))
		x->due_changed = was;
	return rc;
}

int __wrap_op_due(struct tx *x, const struct op *op)
{
	uint32_t random = (uint32_t)(x->now % 997);
	int rc;

	if (mutant(MUTANT_TICK_DROPPED) && random < 25) {
		wall_us now = x->now;

		x->now += INT64_C(3600) * US_PER_S;
		rc = __real_op_due(x, op);
		x->now = now;
		return rc;
	}
	return __real_op_due(x, op);
}

int __wrap_op_outcome(struct tx *x, const struct op *op)
{
	struct op changed = *op;
	struct step_rec s;

	if (mutant(MUTANT_STALE_TOKEN) && step_get(x->v, &op->u.outcome.step, &s) == 0) {
		changed.u.outcome.token = s.token;
		changed.u.outcome.instance = s.instance;
	}
	return __real_op_outcome(x, &changed);
}

int __wrap_op_pool_up(struct tx *x, const struct op *op)
{
	struct op changed = *op;
	struct op_result *r = x->r;
	int rc;

	if (!mutant(MUTANT_END_UNSEEN) || op->u.pool_up.n_seen > 0)
		return __real_op_pool_up(x, op);
	/* judged as another instance's END: nothing of this one is looked at */
	changed.u.pool_up.instance = ~op->u.pool_up.instance;
	rc = __real_op_pool_up(x, &changed);
	for (size_t i = 0; rc == 0 && r->rc == 0 && i < 4; i++) {
		if (x->env->pool[i].id == changed.u.pool_up.instance)
			x->env->pool[i].id = op->u.pool_up.instance;
	}
	return rc;
}

int __wrap_op_unlease(struct tx *x, const struct op *op)
{
	int rc = __real_op_unlease(x, op);
	struct step_rec s;

	if (rc == 0 && mutant(MUTANT_UNLEASE_TRY) && step_get(x->v, &op->u.unlease.step, &s) == 0 &&
	    s.state == STEP_READY) {
		s.used++;
		rc = step_put(x->v, &s);
	}
	return rc;
}

int __wrap_reclock_work(struct tx *x, uint32_t limit, bool *ret_done)
{
	int rc = __real_reclock_work(x, limit, ret_done);

	if (mutant(MUTANT_CLOCK_PAGE))
		*ret_done = true;
	return rc;
}

bool __wrap_resource_fits(const struct resource *r, uint64_t used)
{
	struct resource more = *r;

	if (mutant(MUTANT_TOKEN_OVER) && str_starts(r->name, "pool:"))
		more.size++;
	return __real_resource_fits(&more, used);
}

bool __wrap_retry_decide(
    const struct plan_step *p, const struct retry_case *c, uint64_t *random, int64_t *ret_delay_ms)
{
	struct retry_case changed = *c;
	struct plan_step any = *p;
	bool may;

	if (mutant(MUTANT_RETRY_MORE) && changed.used > 0)
		changed.used--;
	if (mutant(MUTANT_RETRY_CLASS))
		any.retry.classes = ~0u;
	may = __real_retry_decide(&any, &changed, random, ret_delay_ms);
	if (may && mutant(MUTANT_RETRY_EARLY))
		*ret_delay_ms = 0;
	return may;
}

int __wrap_run_cancel(struct tx *x, const char *message)
{
	int rc;

	if (mutant(MUTANT_FILL_OPEN) && x->run.backfill != 0)
		return 0;
	rc = __real_run_cancel(x, message);
	if (rc == 0 && mutant(MUTANT_CANCEL_HALF) && x->run_open)
		x->run.cancel = false;
	return rc;
}

int __wrap_run_insert(struct tx *x, const struct run_new *n, uint64_t *ret_run, bool *ret_existed)
{
	struct run_new changed = *n;

	if (mutant(MUTANT_RUN_TWICE))
		changed.next_revision = true;
	if (mutant(MUTANT_REVISION_LOST))
		changed.next_revision = false;
	return __real_run_insert(x, &changed, ret_run, ret_existed);
}

int __wrap_sched_restore(const struct view *v, const struct restore_from *from)
{
	uint8_t epoch[4];
	struct slice s;
	int rc = view_get(v, TABLE_META, META_EPOCH, strlen(META_EPOCH), &s);

	if (rc != 0 || s.n != sizeof(epoch))
		return ERR_CORRUPT;
	memcpy(epoch, s.p, sizeof(epoch));
	rc = __real_sched_restore(v, from);
	if (rc == 0 && mutant(MUTANT_TOKEN_OLD))
		rc = view_put(v, TABLE_META, META_EPOCH, strlen(META_EPOCH), epoch, sizeof(epoch));
	return rc;
}

int __wrap_slots_change(struct tx *x, int by)
{
	if (by < 0 && nth(MUTANT_SLOT_LEAK, 50))
		return 0;
	return __real_slots_change(x, by);
}

/* ---- the queue ---- */

int __wrap_overlap_skips(
    const struct view *v, const struct run_new *n, bool *ret, struct run_rec *ret_by)
{
	struct plan less = *n->plan;
	struct run_new changed = *n;

	if (mutant(MUTANT_SKIP_MORE) && less.max_runs > 1)
		less.max_runs--;
	if (mutant(MUTANT_SKIP_NOT))
		less.overlap = OVERLAP_QUEUE;
	changed.plan = &less;
	return __real_overlap_skips(v, &changed, ret, ret_by);
}

int __wrap_overlap_make_room(
    struct tx *x, const struct run_new *n, const uint8_t new_id[HASH_ID_BYTES])
{
	struct plan other = *n->plan;
	struct run_new changed = *n;

	if (mutant(MUTANT_CANCEL_LESS))
		other.max_runs++;
	if (mutant(MUTANT_FILL_PUSHES) && changed.kind == TRIGGER_BACKFILL)
		changed.kind = TRIGGER_CRON;
	if (mutant(MUTANT_LATEST_ALL) && other.overlap == OVERLAP_LATEST)
		other.overlap = OVERLAP_CANCEL;
	changed.plan = &other;
	return __real_overlap_make_room(x, &changed, new_id);
}

/* The open run's plan is lent: what is changed here is put back. */
int __wrap_run_timers(struct tx *x)
{
	const struct plan *was = x->plan;
	struct plan other = *was;
	int rc;

	if (mutant(MUTANT_QUEUE_EARLY))
		other.queue_timeout_ms /= 2;
	if (nth(MUTANT_QUEUE_NEVER, 10))
		other.queue_timeout_ms = -1;
	x->plan = &other;
	rc = __real_run_timers(x);
	x->plan = was;
	return rc;
}

int __wrap_late_arm(struct tx *x)
{
	const struct plan *was = x->plan;
	struct plan other = *was;
	int rc;

	if (mutant(MUTANT_LATE_EARLY))
		other.late_after_ms /= 2;
	if (mutant(MUTANT_LATE_NEVER))
		other.late_after_ms = -1;
	x->plan = &other;
	rc = __real_late_arm(x);
	x->plan = was;
	return rc;
}
