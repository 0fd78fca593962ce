/* tick.c: T1': what is due at `now`: schedules, retries, run timeouts. One table, one timer.
 *
 * An instant that was missed by more than TICK_GRACE (the daemon was down, the clock jumped) is not
 * made up for: `catchup` comes with its own release, and without it the next future instant counts.
 * A restart or an upgrade of some seconds at the wrong moment must not cost the nightly run, so a
 * tick within the grace still counts. */
#include "core/sched/tx.h"

#include <stdio.h>
#include <string.h>

#define TICK_GRACE_US (60 * US_PER_S)

/* ---- schedules ---- */

static int schedule_disarm(
    struct tx *x, uint32_t dag_no, const char *trigger, const struct sched_rec *s)
{
	struct key k;

	if (s->next == TIME_NONE)
		return 0;
	key_due_cron(&k, s->next, dag_no, trigger);
	return due_del(x, &k);
}

/* The first instant after `after`; none where the expression ends or is no good (the file says so).
 */
static int schedule_arm(struct tx *x, uint32_t dag_no, const struct plan *p,
    const struct plan_trigger *t, struct sched_rec *s, wall_us after)
{
	struct key k;
	int rc = 0;

	if (trigger_next(t, after, &s->next, NULL) != 0)
		s->next = TIME_NONE;
	memcpy(s->plan, p->sha, sizeof(s->plan));
	if (s->next != TIME_NONE) {
		key_due_cron(&k, s->next, dag_no, t->name);
		rc = due_add(x, &k);
	}
	return rc != 0 ? rc : schedule_put(x->v, dag_no, t->name, s);
}

int schedules_drop(struct tx *x, const struct dag_rec *d)
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

/* Schedules of the plan from now on; the instants that have passed are remembered. on false: none
 * is armed (paused). */
int schedules_set(struct tx *x, const struct dag_rec *d, const struct plan *p, bool on)
{
	int rc = 0;

	for (size_t i = 0; rc == 0 && i < p->n_triggers; i++) {
		const struct plan_trigger *t = &p->triggers[i];
		struct sched_rec s;

		if (!trigger_is_timed(t))
			continue;
		rc = schedule_get(x->v, d->no, t->name, &s);
		if (rc == ERR_NOT_FOUND) {
			memset(&s, 0, sizeof(s));
			s.last = s.next = TIME_NONE;
			rc = 0;
		}
		if (rc == 0)
			rc = schedule_disarm(x, d->no, t->name, &s);
		s.next = TIME_NONE;
		if (rc == 0 && on)
			rc = schedule_arm(x, d->no, p, t, &s, x->now);
		else if (rc == 0)
			rc = schedule_put(x->v, d->no, t->name, &s);
	}
	return rc;
}

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

static int tick_run(struct tx *x, const struct dag_rec *d, const struct plan *plan,
    const struct plan_trigger *t, wall_us at, struct event_rec *e)
{
	struct trigger_doc doc = {t->kind, t->name, &e->seq, 1, NULL, NULL, 0};
	struct run_new n = {.dag = d,
	    .plan = plan,
	    .kind = t->kind,
	    .trigger = t->name,
	    .space = SPACE_TIME,
	    .logical_time = at,
	    .event = e->seq};
	struct trigger_eval ev = {.params = NULL};
	struct window w;
	struct err err = {0};
	struct str text;
	uint64_t run;
	bool existed;
	int rc = window_of(t, at, &w, &err);

	if (rc == 0)
		rc = tick_params(plan, t, &w, &ev, &err);
	if (rc != 0) {
		event_verdict(e, VERDICT_REJECTED);
		event_detail(e, "%.300s", err.text);
		return 0;
	}
	n.key = w.key;
	n.params = ev.params;
	n.window_start = w.start;
	n.window_end = w.end;
	str_init(&text, 64u << 10);
	trigger_doc_write(&doc, &text);
	n.doc = str_peek(&text);
	rc = run_insert(x, &n, &run, &existed);
	str_done(&text);
	json_free(ev.params);
	if (rc != 0)
		return rc;
	event_outcome(x, e, &n, run, existed);
	return 0;
}

static int tick(struct tx *x, const struct dag_rec *d, const struct plan *plan,
    const struct plan_trigger *t, wall_us at)
{
	char source[PLAN_NAME_MAX * 2 + 8];
	struct event_rec e;
	int rc;

	snprintf(source, sizeof(source), "%s:%s/%s", trigger_kind_name(t->kind), d->name, t->name);
	rc = event_begin(x, &e, source, "tick", d->name);
	if (rc != 0)
		return rc;
	e.time = at;
	rc = tick_run(x, d, plan, t, at, &e);
	x->r->count++;
	return rc != 0 ? rc : event_store(x, &e, NULL, 0);
}

static int due_cron(struct tx *x, const struct due_key *due)
{
	const struct plan_trigger *t = NULL;
	const struct plan *plan;
	struct sched_rec s;
	struct dag_rec d;
	wall_us at;
	int rc = must(schedule_get(x->v, due->dag_no, due->trigger, &s));

	if (rc == 0)
		rc = must(dag_get(x->v, due->dag_no, &d));
	if (rc == 0)
		rc = must(dag_plan(x->v, &d, &plan));
	if (rc != 0)
		return rc;
	t = plan_trigger_find(plan, due->trigger);
	if (t == NULL || s.next == TIME_NONE)
		return ERR_CORRUPT;
	at = s.next;
	rc = schedule_disarm(x, d.no, t->name, &s);
	if (rc == 0 && x->now - at <= TICK_GRACE_US) {
		s.last = at;
		rc = tick(x, &d, plan, t, at);
	} else {
		/* missed: on from the last instant that still counts */
		at = x->now - TICK_GRACE_US - 1;
	}
	return rc != 0 ? rc : schedule_arm(x, d.no, plan, t, &s, at);
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
	return s.state == STEP_RETRYING ? step_move(x, &s, STEP_READY, x->now) : ERR_CORRUPT;
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
	case DUE_BACKFILL:
		return backfill_due(x, due->run);
	default:
		return ERR_CORRUPT; /* nothing of this release writes the others */
	}
}

int op_due(struct tx *x, const struct op *op)
{
	struct slice key, value, first = {NULL, 0};
	struct due_key due;
	int rc = 0;

	for (uint32_t i = 0; i < op->u.due.limit; i++) {
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
