/* tick.c: what is due at `now`: schedules, retries, run timeouts. One table, one timer.
 *
 * The rules of a schedule, one time trigger of one DAG:
 * 1. An instant A is decided once. `upto` is the last decided one; a new schedule begins at `now`.
 * 2. Its run starts at S(A) = A plus jitter; S(A) lies before the next instant. At `now` it is late
 *    by now - S(A). Late by at most TICK_GRACE_US: it starts, and its logical time is A. Later than
 *    that it is missed, and `catchup` says what becomes of all that are missed since `upto`:
 *      none    nothing.
 *      latest  the newest of them, if now - A <= within, and if no later instant starts at `now`
 *              without being missed. It takes the place of an older one that still waits; a tick
 *              in time takes it away.
 *      all     each with now - A <= within.
 *    `within` is judged here, once; what waits then waits as long as it must.
 * 3. What was missed starts oldest first, while fewer than `at_once` runs of it are open (not
 *    ended). Ticks in time start besides and do not count.
 * 4. While a DAG is paused nothing is evaluated and nothing missed starts. On resume every instant
 *    since `upto` with S(A) <= now is missed, however late.
 * 5. A changed file keeps `upto` and what waits, where the trigger of that name still gives the
 *    same instants; the new catchup rule holds from then on, also for what waits. Otherwise the
 *    schedule is a new one (1).
 * 6. The clock is set back: what starts ahead of it is not decided and not missed any more. Set
 *    ahead: as if the daemon had been down. Either way an instant whose run there is does not get a
 *    second one: its run's identity is (DAG, trigger, window or instant). */
#include "core/sched/schedule.h"

#include <stdio.h>
#include <string.h>

/* ---- schedules ---- */

int schedule_load(struct tx *x, uint32_t dag_no, const char *trigger, struct schedule *ret)
{
	int rc = flow_settle(x);

	if (rc == 0)
		rc = run_close(x);
	if (rc == 0)
		rc = must(schedule_get(x->v, dag_no, trigger, &ret->s));
	if (rc == 0)
		rc = must(dag_get(x->v, dag_no, &ret->d));
	if (rc == 0)
		rc = must(dag_plan(x->v, &ret->d, &ret->plan));
	if (rc != 0)
		return rc;
	ret->t = plan_trigger_find(ret->plan, trigger);
	return ret->t != NULL ? 0 : ERR_CORRUPT;
}

int schedule_save(struct tx *x, const struct schedule *c)
{
	return schedule_put(x->v, c->d.no, c->t->name, &c->s);
}

int schedule_disarm(struct tx *x, uint32_t dag_no, const char *trigger, struct sched_rec *s)
{
	struct key k;
	int rc = 0;

	if (s->next != TIME_NONE) {
		key_due_cron(&k, s->start_at != 0 ? s->start_at : s->next, dag_no, trigger);
		rc = due_del(x, &k);
	}
	if (rc == 0 && s->catchup_at != 0) {
		key_due_catchup(&k, s->catchup_at, dag_no, trigger);
		rc = due_del(x, &k);
	}
	s->next = TIME_NONE;
	s->start_at = s->catchup_at = 0;
	return rc;
}

/* None where the expression ends or is no good (the file says so). */
int schedule_arm(struct tx *x, struct schedule *c)
{
	struct sched_rec *s = &c->s;
	struct key k;

	memcpy(s->plan, c->plan->sha, sizeof(s->plan));
	if (trigger_next(c->t, s->upto, &s->next, NULL) != 0) {
		s->next = TIME_NONE;
		return 0;
	}
	s->start_at = trigger_start(c->d.name, c->t, s->next);
	key_due_cron(&k, s->start_at, c->d.no, c->t->name);
	return due_add(x, &k);
}

static bool stays(const struct plan *was, const struct plan *now, const char *trigger)
{
	const struct plan_trigger *a = was != NULL ? plan_trigger_find(was, trigger) : NULL;
	const struct plan_trigger *b = now != NULL ? plan_trigger_find(now, trigger) : NULL;

	return a != NULL && b != NULL && trigger_is_timed(a) && trigger_same_times(a, b);
}

int schedules_drop(
    struct tx *x, const struct dag_rec *d, const struct plan *was, const struct plan *now)
{
	char trigger[PLAN_NAME_MAX];
	struct view_walk w;
	struct sched_rec s;
	struct slice value;
	struct key k;
	int rc;

	key_init(&k);
	key_u32(&k, d->no);
	view_walk_init(&w, x->v, TABLE_SCHED, k.b, k.n, false);
	while ((rc = view_walk_next(&w, &value)) == 0) {
		if (w.key_n < 5 || w.key_n - 4 >= sizeof(trigger))
			return ERR_CORRUPT;
		memcpy(trigger, w.key + 4, w.key_n - 4);
		trigger[w.key_n - 4] = 0;
		if (stays(was, now, trigger))
			continue;
		rc = schedule_decode(value, &s, NULL);
		if (rc == 0)
			rc = schedule_disarm(x, d->no, trigger, &s);
		if (rc == 0)
			rc = must(view_del(x->v, TABLE_SCHED, w.key, w.key_n));
		if (rc != 0)
			return rc;
	}
	return rc == ERR_NOT_FOUND ? 0 : rc;
}

/* A record of an older release does not say what is decided. */
static void upgrade(struct tx *x, struct sched_rec *s)
{
	if (s->upto == 0)
		s->upto = s->next != TIME_NONE ? s->next - 1 : x->now;
}

static int schedule_set(struct tx *x, struct schedule *c, enum schedules_how how)
{
	int rc;

	upgrade(x, &c->s);
	if (how == SCHEDULES_RESUME && c->s.next != TIME_NONE)
		return 0; /* it was not paused */
	rc = schedule_disarm(x, c->d.no, c->t->name, &c->s);
	if (rc == 0 && how == SCHEDULES_RESUME)
		rc = catchup_judge(x, c, TICK_NO_GRACE_US);
	if (rc == 0)
		rc = catchup_trim(c);
	if (rc == 0 && how != SCHEDULES_PAUSE)
		rc = schedule_arm(x, c);
	if (rc == 0 && how != SCHEDULES_PAUSE)
		rc = catchup_wake(x, c);
	return rc != 0 ? rc : schedule_save(x, c);
}

int schedules_set(
    struct tx *x, const struct dag_rec *d, const struct plan *p, enum schedules_how how)
{
	int rc = 0;

	for (size_t i = 0; rc == 0 && i < p->n_triggers; i++) {
		struct schedule c = {.d = *d, .plan = p, .t = &p->triggers[i]};

		if (!trigger_is_timed(c.t))
			continue;
		rc = schedule_get(x->v, d->no, c.t->name, &c.s);
		if (rc == ERR_NOT_FOUND) {
			memset(&c.s, 0, sizeof(c.s));
			c.s.last = c.s.next = TIME_NONE;
			c.s.upto = x->now;
			rc = 0;
		}
		if (rc == 0)
			rc = schedule_set(x, &c, how);
	}
	return rc;
}

/* What is decided at `now`: all up to now, but for an instant whose jitter puts its start ahead. */
static wall_us decided(struct tx *x, const struct schedule *c)
{
	wall_us last;

	if (trigger_prev(c->t, x->now + 1, &last, NULL) != 0 ||
	    trigger_start(c->d.name, c->t, last) <= x->now)
		return x->now;
	return last - 1;
}

int schedule_set_back(struct tx *x, const struct key *key)
{
	char trigger[PLAN_NAME_MAX];
	struct schedule c;
	wall_us upto;
	bool armed;
	int rc;

	if (key->n < 5 || key->n - 4 >= sizeof(trigger))
		return ERR_CORRUPT;
	memcpy(trigger, key->b + 4, key->n - 4);
	trigger[key->n - 4] = 0;
	rc = schedule_load(x,
	    (uint32_t)key->b[0] << 24 | key->b[1] << 16 | key->b[2] << 8 | key->b[3], trigger, &c);
	if (rc != 0)
		return rc;
	armed = !dag_is_paused(x->v, &c.d);
	upgrade(x, &c.s);
	rc = schedule_disarm(x, c.d.no, trigger, &c.s);
	upto = decided(x, &c);
	if (c.s.upto > upto)
		c.s.upto = upto;
	catchup_cut(&c.s, upto);
	if (rc == 0 && armed)
		rc = schedule_arm(x, &c);
	if (rc == 0 && armed)
		rc = catchup_wake(x, &c);
	return rc != 0 ? rc : schedule_save(x, &c);
}

/* ---- ticks ---- */

static int tick_params(const struct plan *plan, const struct plan_trigger *t,
    const struct window *w, struct trigger_eval *ret, struct err *err)
{
	struct json *env = json_new_object(), *o = json_new_object();
	int rc;

	json_put(o, "name", json_new_str(t->name));
	json_put(o, "kind", json_new_str(trigger_kind_name(t->kind)));
	json_put(env, "trigger", o);
	json_put(env, "params", json_new_object());
	json_put(env, "event", json_new_null());
	o = json_new_object();
	json_put(o, "key", json_new_str(w->key));
	json_put(env, "run", o);
	rc = trigger_evaluate(plan, t, env, ret, err);
	json_free(env);
	return rc;
}

static int tick_run(struct tx *x, const struct schedule *c, wall_us at, const struct window *w,
    struct event_rec *e, uint64_t *ret_run)
{
	const struct plan_trigger *t = c->t;
	struct trigger_doc doc = {t->kind, t->name, &e->seq, 1, NULL, NULL, 0};
	struct run_new n = {.dag = &c->d,
	    .plan = c->plan,
	    .kind = t->kind,
	    .trigger = t->name,
	    .space = SPACE_TIME,
	    .key = w->key,
	    .window_start = w->start,
	    .window_end = w->end,
	    .logical_time = at,
	    .event = e->seq};
	struct trigger_eval ev = {.params = NULL};
	struct err err = {0};
	struct str text;
	uint64_t run;
	bool existed;
	int rc = tick_params(c->plan, t, w, &ev, &err);

	if (rc != 0) {
		event_verdict(e, VERDICT_REJECTED);
		event_detail(e, "%.300s", err.text);
		return 0;
	}
	n.params = ev.params;
	str_init(&text, 64u << 10);
	trigger_doc_write(&doc, &text);
	n.doc = str_peek(&text);
	rc = run_insert(x, &n, &run, &existed);
	str_done(&text);
	json_free(ev.params);
	if (rc != 0)
		return rc;
	event_outcome(x, e, &n, run, existed);
	*ret_run = existed ? 0 : run;
	return 0;
}

/* This very instant started a run before: it came twice because the clock was set. */
static int ran_before(struct tx *x, const struct schedule *c, wall_us at, const char *key)
{
	uint8_t id[HASH_ID_BYTES];
	struct run_rec r;
	uint64_t no;
	int rc;

	run_identity(c->d.name, SPACE_TIME, c->t->name, key, 0, id);
	rc = run_get_id(x->v, id, &no);
	if (rc == 0)
		rc = must(run_get(x->v, no, &r));
	if (rc != 0)
		return rc;
	return r.trigger == c->t->kind && r.logical_time == at ? 0 : ERR_NOT_FOUND;
}

int schedule_tick(struct tx *x, const struct schedule *c, wall_us at, uint64_t *ret_run)
{
	char source[PLAN_NAME_MAX * 2 + 8];
	struct err err = {0};
	struct event_rec e;
	struct window w;
	int bad = window_of(c->t, at, &w, &err), rc = bad;

	*ret_run = 0;
	if (bad == 0)
		rc = ran_before(x, c, at, w.key);
	if (bad == 0 && rc != ERR_NOT_FOUND)
		return rc;
	snprintf(source, sizeof(source), "%s:%s/%s", trigger_kind_name(c->t->kind), c->d.name,
	    c->t->name);
	rc = event_begin(x, &e, source, "tick", c->d.name);
	if (rc != 0)
		return rc;
	e.time = at;
	if (bad == 0) {
		rc = tick_run(x, c, at, &w, &e, ret_run);
	} else {
		event_verdict(&e, VERDICT_REJECTED);
		event_detail(&e, "%.300s", err.text);
	}
	x->r->count++;
	return rc != 0 ? rc : event_store(x, &e, NULL, 0);
}

static int due_cron(struct tx *x, const struct due_key *due)
{
	struct schedule c;
	uint64_t run;
	bool in_time;
	wall_us at;
	int rc = schedule_load(x, due->dag_no, due->trigger, &c);

	if (rc != 0)
		return rc;
	if (c.s.next == TIME_NONE)
		return ERR_CORRUPT;
	at = c.s.next;
	upgrade(x, &c.s);
	rc = schedule_disarm(x, c.d.no, c.t->name, &c.s);
	if (rc == 0)
		rc = catchup_judge(x, &c, TICK_GRACE_US);
	in_time = c.s.upto < at;
	if (in_time) {
		c.s.last = c.s.upto = at;
		if (c.t->catchup == CATCHUP_LATEST)
			memset(c.s.missed, 0, sizeof(c.s.missed));
	}
	if (rc == 0)
		rc = schedule_arm(x, &c);
	if (rc == 0)
		rc = catchup_wake(x, &c);
	if (rc == 0)
		rc = schedule_save(x, &c);
	return rc != 0 || !in_time ? rc : schedule_tick(x, &c, at, &run);
}

/* ---- the other kinds ---- */

static int due_retry(struct tx *x, const struct due_key *due)
{
	struct step_rec s;
	int rc = must(run_open(x, due->step.run));

	if (rc == 0)
		rc = step_load(x, due->step.step, due->step.item, &s);
	if (rc != 0)
		return rc;
	if (s.state != STEP_RETRYING)
		return ERR_CORRUPT;
	return x->run.cancel ? cancel_step(x, &s) : step_move(x, &s, STEP_READY, x->now);
}

static int due_run_timeout(struct tx *x, const struct due_key *due)
{
	struct key k;
	int rc = must(run_open(x, due->run));

	if (rc != 0)
		return rc;
	if (x->run.state != RUN_RUNNING || x->run.deadline_at == TIME_NONE)
		return ERR_CORRUPT;
	key_due_run(&k, x->run.deadline_at, DUE_RUN_TIMEOUT, x->run.no);
	rc = due_del(x, &k);
	x->run.deadline_at = TIME_NONE;
	x->run.timed_out = true;
	return rc != 0 ? rc : run_cancel(x, "run_timeout passed: what had not ended was cancelled");
}

static int due_queue_timeout(struct tx *x, const struct due_key *due)
{
	char text[MESSAGE_MAX];
	int rc = must(run_open(x, due->run));

	if (rc != 0)
		return rc;
	if (x->run.state != RUN_QUEUED || x->run.queue_until == 0)
		return ERR_CORRUPT;
	snprintf(text, sizeof(text), "cancelled: it waited longer than queue_timeout (%lld s)",
	    (long long)(x->plan->queue_timeout_ms / 1000));
	return run_cancel(x, text); /* the entry goes when the run leaves the queue */
}

static int due_one(struct tx *x, const struct due_key *due)
{
	switch (due->kind) {
	case DUE_CRON:
		return due_cron(x, due);
	case DUE_RETRY:
		return due_retry(x, due);
	case DUE_POLL:
		return remote_due(x, &due->step);
	case DUE_RUN_TIMEOUT:
		return due_run_timeout(x, due);
	case DUE_LATE:
		return due_late(x, due);
	case DUE_OUTBOX:
		return due_outbox(x, due);
	case DUE_QUEUE_TIMEOUT:
		return due_queue_timeout(x, due);
	case DUE_CANCEL:
		return cancel_go_on(x, due);
	case DUE_CANCEL_MANY:
		return cancel_many_go_on(x, due->run);
	case DUE_BACKFILL:
		return backfill_due(x, due->run);
	case DUE_CATCHUP:
		return catchup_due(x, due);
	default:
		return ERR_CORRUPT; /* nothing of this release writes the others */
	}
}

int op_due(struct tx *x, const struct op *op)
{
	struct slice key, value, first = {NULL, 0};
	struct due_key due;
	bool done = true;
	int rc = reclock_work(x, op->u.due.limit, &done);

	for (uint32_t i = 0; rc == 0 && done && i < op->u.due.limit; i++) {
		rc = x->v->next(x->v->ctx, TABLE_DUE, first, false, &key, &value);
		if (rc == 0)
			rc = key_parse_due(key, &due);
		if (rc != 0 || due.at > x->now)
			break;
		rc = due_one(x, &due);
		if (rc != 0)
			return rc;
	}
	x->due_changed = true; /* the next one is to be armed in any case */
	return rc == ERR_NOT_FOUND ? 0 : rc;
}
