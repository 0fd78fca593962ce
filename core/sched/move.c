/* move.c: the only place where a step or a run changes its state. Whatever depends on the state
 * changes here with it: tables ready, blocked, running, due, run_state, run_queue; slots, pool
 * tokens and run counts; the counts in the run's and the group's record. */
#include "core/sched/tx.h"

#include "core/sched/codec.h"

#include <string.h>

/* [from] -> bits of `to` */
#define TO(s) (1u << STEP_##s)
#define TO_END (TO(SUCCEEDED) | TO(FAILED) | TO(SKIPPED) | TO(CANCELLED) | TO(UPSTREAM_FAILED))
#define TO_MARK (TO(SUCCEEDED) | TO(FAILED) | TO(SKIPPED))
static const unsigned step_moves[STEP_STATE_N] = {
    /* a group goes from waiting to running; marks end what waits */
    [STEP_WAITING] = TO(READY) | TO(RUNNING) | TO_END,
    /* back to waiting: a mark has opened again what it needs */
    [STEP_READY] = TO(WAITING) | TO(RUNNING) | TO(CANCELLED) | TO_MARK,
    /* back to ready: UNLEASE, or a retry without delay */
    [STEP_RUNNING] = TO(READY) | TO(RETRYING) | TO(SUCCEEDED) | TO(FAILED) | TO(CANCELLED),
    [STEP_RETRYING] = TO(WAITING) | TO(READY) | TO(CANCELLED) | TO_MARK,
    /* out of an end: rerun, or mark */
    [STEP_SUCCEEDED] = TO(WAITING) | TO_MARK,
    [STEP_FAILED] = TO(WAITING) | TO_MARK,
    [STEP_SKIPPED] = TO(WAITING) | TO_MARK,
    [STEP_CANCELLED] = TO(WAITING) | TO_MARK,
    [STEP_UPSTREAM_FAILED] = TO(WAITING) | TO_MARK,
};

bool step_may_move(enum step_state from, enum step_state to)
{
	return (step_moves[from] >> to & 1) != 0;
}

/* ---- a step's entries in the indexes ---- */

static int priority_of(const struct tx *x, const struct step_rec *s)
{
	return x->run.priority + x->plan->steps[s->step].priority;
}

static int index_ready(struct tx *x, const struct step_rec *s, bool add)
{
	struct step_ref ref = step_ref_of(s);
	struct resource r;
	enum table t = TABLE_READY;
	uint8_t need[4];
	struct key k;

	if (s->blocked > 0) {
		if (!step_resource(x, s, s->blocked - 1, &r) || r.need == 0)
			return ERR_CORRUPT;
		t = TABLE_BLOCKED;
		key_blocked(&k, r.name, priority_of(x, s), s->ready_at, &ref);
		be_put32(need, r.need);
	} else {
		key_ready(&k, priority_of(x, s), s->ready_at, &ref);
	}
	if (!add)
		return must(view_del(x->v, t, k.b, k.n));
	return view_put(x->v, t, k.b, k.n, need, t == TABLE_BLOCKED ? sizeof(need) : 0);
}

/* Submitted work that no worker polls: due, or ready to be polled. It has no slot. */
static int index_remote(struct tx *x, const struct step_rec *s, bool add)
{
	struct step_ref ref = step_ref_of(s);
	struct key k;

	if (!s->poll_ready) {
		key_due_poll(&k, s->poll_at, &ref);
		return add ? due_add(x, &k) : due_del(x, &k);
	}
	key_ready(&k, priority_of(x, s), s->poll_at, &ref);
	if (!add)
		return must(view_del(x->v, TABLE_READY, k.b, k.n));
	return view_put(x->v, TABLE_READY, k.b, k.n, NULL, 0);
}

static int index_running(struct tx *x, const struct step_rec *s, bool add)
{
	struct step_ref ref = step_ref_of(s);
	struct key k;
	int rc;

	if (is_group(x, s))
		return 0;
	if (s->submitted && s->instance == 0)
		return index_remote(x, s, add);
	key_running(&k, s->instance, &ref);
	if (add)
		rc = view_put(x->v, TABLE_RUNNING, k.b, k.n, NULL, 0);
	else
		rc = must(view_del(x->v, TABLE_RUNNING, k.b, k.n));
	return rc != 0 ? rc : slots_change(x, add ? 1 : -1);
}

static int index_retry(struct tx *x, const struct step_rec *s, bool add)
{
	struct step_ref ref = step_ref_of(s);
	struct key k;

	key_due_retry(&k, s->ready_at, &ref);
	return add ? due_add(x, &k) : due_del(x, &k);
}

static int index_change(struct tx *x, const struct step_rec *s, bool add)
{
	if (s->state == STEP_READY)
		return index_ready(x, s, add);
	if (s->state == STEP_RUNNING)
		return index_running(x, s, add);
	if (s->state == STEP_RETRYING)
		return index_retry(x, s, add);
	return 0;
}

/* ---- counts ---- */

static bool counts_failed(const struct tx *x, const struct step_rec *s, enum step_state state)
{
	return s->item == 0 && (state == STEP_FAILED || state == STEP_UPSTREAM_FAILED) &&
	       !x->plan->steps[s->step].allow_failure;
}

bool item_is_bad(enum step_state s)
{
	return s == STEP_FAILED || s == STEP_CANCELLED || s == STEP_UPSTREAM_FAILED;
}

static int group_count(
    struct tx *x, const struct step_rec *s, enum step_state from, enum step_state to)
{
	struct step_rec *g;
	int rc;

	if (s->item == 0)
		return 0;
	rc = group_open(x, s->step, &g);
	if (rc != 0)
		return rc;
	g->items_open += (uint32_t)(step_state_ended(from) - step_state_ended(to));
	g->items_bad += (uint32_t)(item_is_bad(to) - item_is_bad(from));
	g->items_running += (uint32_t)((to == STEP_RUNNING) - (from == STEP_RUNNING));
	x->group_dirty = true;
	if (g->items_open == 0)
		bit_set(x->groups, s->step);
	return 0;
}

static void run_count(
    struct tx *x, const struct step_rec *s, enum step_state from, enum step_state to)
{
	struct run_rec *r = &x->run;

	r->n_open += (uint32_t)(step_state_ended(from) - step_state_ended(to));
	r->n_failed += (uint32_t)(counts_failed(x, s, to) - counts_failed(x, s, from));
	if (s->item == 0)
		r->n_cancelled += (uint32_t)((to == STEP_CANCELLED) - (from == STEP_CANCELLED));
	x->run_dirty = true;
}

/* Where an item goes that may run: past max_parallel straight into blocked, so that a dispatch
 * never walks over thousands that cannot start. */
static int place_ready(struct tx *x, struct step_rec *s)
{
	const struct plan_foreach *f = x->plan->steps[s->step].foreach;
	struct step_rec *g;
	int rc;

	s->blocked = 0;
	if (s->item == 0 || f->max_parallel == 0)
		return 0;
	rc = group_open(x, s->step, &g);
	if (rc != 0)
		return rc;
	if (g->items_running + x->placed >= f->max_parallel)
		s->blocked = 1 + 1; /* place of the group in step_resource() */
	else if (x->expanding)
		x->placed++;
	return 0;
}

static int enter(struct tx *x, struct step_rec *s, wall_us at)
{
	int rc;

	switch (s->state) {
	case STEP_READY:
		s->ready_at = at;
		rc = place_ready(x, s);
		return rc != 0 ? rc : index_ready(x, s, true);
	case STEP_RETRYING:
		s->ready_at = at;
		return index_retry(x, s, true);
	case STEP_RUNNING:
		s->started_at = x->now;
		s->ended_at = TIME_NONE;
		rc = reclock_sum(x, &s->clock_sum);
		if (rc == 0 && !is_group(x, s))
			rc = resources_take(x, s);
		return rc != 0 ? rc : index_running(x, s, true);
	case STEP_WAITING:
		s->started_at = s->ended_at = s->ready_at = TIME_NONE;
		return 0;
	default:
		s->ended_at = x->now;
		if (s->item > 0)
			return match_tell(x, s, 1);
		bit_set(x->ended, s->step);
		return 0;
	}
}

/* A submitted step stays RUNNING and goes to another place: to the instance that polls it, or, with
 * 0, to due or (ready) to table ready. */
int remote_place(struct tx *x, struct step_rec *s, uint64_t instance, wall_us poll_at, bool ready)
{
	int rc = s->state == STEP_RUNNING ? index_running(x, s, false) : ERR_INTERNAL;

	s->submitted = true;
	s->instance = instance;
	s->poll_at = instance != 0 ? 0 : poll_at;
	s->poll_ready = instance == 0 && ready;
	if (rc == 0)
		rc = index_running(x, s, true);
	if (rc == 0)
		rc = step_put(x->v, s);
	if (rc == 0) {
		effect_step(x, EFFECT_STEP, s);
		x->fx->v[x->fx->n - 1].old_state = STEP_RUNNING;
	}
	return rc;
}

static void remote_forget(struct step_rec *s)
{
	s->submitted = s->poll_ready = false;
	s->poll_at = 0;
	s->stop = REMOTE_KEEP;
	s->poll_errors = 0;
}

int step_move(struct tx *x, struct step_rec *s, enum step_state to, wall_us at)
{
	enum step_state from = s->state;
	int rc;

	if (!step_may_move(from, to))
		return ERR_INTERNAL;
	rc = index_change(x, s, false);
	if (rc == 0 && s->item > 0 && step_state_ended(from))
		rc = match_tell(x, s, -1);
	if (rc != 0)
		return rc;
	s->state = to;
	remote_forget(s);
	rc = group_count(x, s, from, to);
	if (rc == 0 && from == STEP_RUNNING && !is_group(x, s))
		rc = resources_release(x, s, true);
	else if (rc == 0 && from == STEP_READY && to != STEP_RUNNING)
		rc = resources_release(x, s, false); /* it leaves the queue: the next may fit */
	if (rc == 0)
		rc = enter(x, s, at);
	run_count(x, s, from, to);
	if (rc == 0)
		rc = step_put(x->v, s);
	if (rc == 0) {
		effect_step(x, EFFECT_STEP, s);
		x->fx->v[x->fx->n - 1].old_state = (uint8_t)from;
	}
	return rc;
}

/* A ready step cannot have the i-th of its resources: it waits under that one, and lets those that
 * wait for the others have them. */
int step_block(struct tx *x, struct step_rec *s, uint32_t i)
{
	struct resource r;
	uint64_t used;
	int rc = index_ready(x, s, false);

	s->blocked = i + 1;
	if (rc == 0)
		rc = index_ready(x, s, true);
	if (rc == 0)
		rc = step_put(x->v, s);
	for (uint32_t k = 0; rc == 0 && step_resource(x, s, k, &r); k++) {
		if (k == i || r.need == 0)
			continue;
		rc = resource_used(x, s, &r, &used);
		if (rc == 0)
			rc = resource_wake(x, r.name, used, r.size);
	}
	return rc;
}

/* ---- runs ---- */

#define R(s) (1u << RUN_##s)
#define R_END (R(SUCCEEDED) | R(FAILED) | R(CANCELLED))
static const unsigned run_moves[RUN_STATE_N] = {
    [RUN_QUEUED] = R(RUNNING) | R(CANCELLED),
    [RUN_RUNNING] = R_END,
    /* rerun; or a mark that changes how it ended */
    [RUN_SUCCEEDED] = R(QUEUED) | R_END,
    [RUN_FAILED] = R(QUEUED) | R_END,
    [RUN_CANCELLED] = R(QUEUED) | R_END,
};

static int run_index(struct tx *x, bool add)
{
	const struct run_rec *r = &x->run;
	char name[32];
	struct key k;
	int rc;

	key_run_state(&k, r->state, r->no);
	rc = add ? view_put(x->v, TABLE_RUN_STATE, k.b, k.n, NULL, 0)
		 : must(view_del(x->v, TABLE_RUN_STATE, k.b, k.n));
	if (rc == 0 && r->state == RUN_QUEUED) {
		key_run_queue(&k, r);
		rc = add ? view_put(x->v, TABLE_RUN_QUEUE, k.b, k.n, NULL, 0)
			 : must(view_del(x->v, TABLE_RUN_QUEUE, k.b, k.n));
	}
	if (rc == 0 && r->state == RUN_RUNNING) {
		count_name_runs(name, r->dag_no);
		rc = count_change(x, name, add ? 1 : -1);
	}
	return rc;
}

/* How long it may wait in the queue. Runs of a backfill wait for each other by design. */
static int queue_timer(struct tx *x)
{
	struct run_rec *r = &x->run;
	struct key k;
	int rc = 0;

	if (r->queue_until != 0) {
		key_due_run(&k, r->queue_until, DUE_QUEUE_TIMEOUT, r->no);
		rc = due_del(x, &k);
		r->queue_until = 0;
	}
	if (rc == 0 && r->state == RUN_QUEUED && x->plan->queue_timeout_ms >= 0 &&
	    r->backfill == 0) {
		r->queue_until = x->now + x->plan->queue_timeout_ms * US_PER_MS;
		key_due_run(&k, r->queue_until, DUE_QUEUE_TIMEOUT, r->no);
		rc = due_add(x, &k);
	}
	return rc;
}

/* The due entries that hang on the state. */
int run_timers(struct tx *x)
{
	struct run_rec *r = &x->run;
	struct key k;
	int rc = queue_timer(x);

	if (rc == 0 && r->cancel_at != 0 && run_state_ended(r->state)) {
		key_due_run(&k, r->cancel_at, DUE_CANCEL, r->no);
		rc = due_del(x, &k);
		r->cancel_at = 0;
	}
	if (rc == 0 && r->deadline_at != TIME_NONE) {
		key_due_run(&k, r->deadline_at, DUE_RUN_TIMEOUT, r->no);
		rc = due_del(x, &k);
		r->deadline_at = TIME_NONE;
	}
	if (rc == 0 && r->state == RUN_RUNNING && x->plan->run_timeout_ms >= 0) {
		r->deadline_at = x->now + x->plan->run_timeout_ms * US_PER_MS;
		key_due_run(&k, r->deadline_at, DUE_RUN_TIMEOUT, r->no);
		rc = due_add(x, &k);
	}
	return rc;
}

static enum notice end_notice(enum run_state to)
{
	if (to == RUN_CANCELLED)
		return NOTICE_CANCELLED;
	return to == RUN_FAILED ? NOTICE_FAILED : NOTICE_SUCCEEDED;
}

int run_move(struct tx *x, enum run_state to)
{
	struct run_rec *r = &x->run;
	enum run_state from = r->state;
	int rc;

	if ((run_moves[from] >> to & 1) == 0)
		return ERR_INTERNAL;
	if (from == to)
		return 0;
	rc = run_index(x, false);
	if (rc == 0 && to == RUN_QUEUED)
		rc = cancel_spare(x);
	r->state = to;
	x->run_dirty = true;
	if (rc == 0)
		rc = run_index(x, true);
	if (rc == 0)
		rc = run_timers(x);
	if (rc == 0 && from == RUN_QUEUED)
		rc = late_disarm(x);
	if (to == RUN_RUNNING && r->started_at == TIME_NONE)
		r->started_at = x->now;
	if (to == RUN_QUEUED)
		r->ended_at = TIME_NONE;
	else if (to != RUN_RUNNING)
		r->ended_at = x->now;
	/* a queued one that ends may have kept others from starting (flow_pump) */
	if (from == RUN_RUNNING || to != RUN_RUNNING)
		pump_add(x, r->dag_no);
	if (rc == 0 && from == RUN_RUNNING && r->reopened > 0 && r->downstream == DOWNSTREAM_ONCE)
		rc = once_tell(x);
	/* a mark that changes how an ended run ended tells nobody: a person made it */
	if (rc == 0 && run_state_ended(to) && !run_state_ended(from))
		rc = outbox_run(x, end_notice(to));
	if (rc == 0 && run_state_ended(to) && !run_state_ended(from))
		rc = schedule_run_ended(x);
	return rc == 0 && r->backfill != 0 ? backfill_run_moved(x, from, to) : rc;
}
