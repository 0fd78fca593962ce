/* check.c: see check.h. Two directions: every index entry is looked up in its record, and every
 * record is recounted into what its index entries and counts must be. */
#include "core/sched/check.h"

#include "core/sched/check_part.h"
#include "core/sched/codec.h"
#include "core/sched/tx.h"

#include <string.h>

struct checker {
	const struct view *v;
	struct check_out *out;
	/* the run at hand */
	struct run_rec run;
	const struct plan *plan;
	struct step_rec steps[PLAN_MAX_STEPS]; /* without items */
	uint64_t seen[STEP_BITS];
	uint32_t n_steps, n_open, n_failed, n_cancelled;
};

#define report(c, ...) check_report((c)->out, __VA_ARGS__)

static bool has(struct checker *c, enum table t, const struct key *k)
{
	struct slice s;

	return view_get(c->v, t, k->b, k->n, &s) == 0;
}

static void want(struct checker *c, enum table t, const struct key *k, const char *what)
{
	if (!has(c, t, k))
		report(c, "table %s: run %llu has no entry (%s)", table_name(t),
		    (unsigned long long)c->run.no, what);
}

/* ---- one step ---- */

static void check_ready(struct checker *c, const struct step_rec *s)
{
	struct step_ref ref = step_ref_of(s);
	int priority = c->run.priority + c->plan->steps[s->step].priority;
	struct tx x = {.v = c->v, .run = c->run, .plan = c->plan, .env = NULL};
	struct sched_env env = {.conf = NULL};
	struct resource r;
	struct key k;

	x.env = &env;
	if ((c->run.cancel && c->run.cancel_at == 0) || c->run.state != RUN_RUNNING)
		report(c, "run %llu step %u: ready, but the run is %s%s",
		    (unsigned long long)s->run, s->step, run_state_name(c->run.state),
		    c->run.cancel ? " and cancelled" : "");
	if (s->blocked == 0) {
		key_ready(&k, priority, s->ready_at, &ref);
		want(c, TABLE_READY, &k, "step is ready");
	} else if (step_resource(&x, s, s->blocked - 1, &r) && r.need > 0) {
		key_blocked(&k, r.name, priority, s->ready_at, &ref);
		want(c, TABLE_BLOCKED, &k, "step is blocked");
	} else {
		report(c, "run %llu step %u: blocked by resource %u that it does not need",
		    (unsigned long long)s->run, s->step, s->blocked);
	}
}

static void check_running(struct checker *c, const struct step_rec *s)
{
	struct step_ref ref = step_ref_of(s);
	struct key k;

	if (s->item == 0 && c->plan->steps[s->step].foreach != NULL)
		return;
	if (s->submitted && s->instance == 0 && s->token != 0) {
		if (s->poll_ready)
			key_ready(&k, c->run.priority + c->plan->steps[s->step].priority,
			    s->poll_at, &ref);
		else
			key_due_poll(&k, s->poll_at, &ref);
		want(c, s->poll_ready ? TABLE_READY : TABLE_DUE, &k, "step is to be polled");
		return;
	}
	if (s->token == 0 || s->instance == 0)
		report(c, "run %llu step %u item %u: running without token or instance",
		    (unsigned long long)s->run, s->step, s->item);
	if (s->poll_at != 0 || s->poll_ready)
		report(c, "run %llu step %u item %u: held by a pool and yet to be polled",
		    (unsigned long long)s->run, s->step, s->item);
	key_running(&k, s->instance, &ref);
	want(c, TABLE_RUNNING, &k, "step is running");
}

static void check_step(struct checker *c, const struct step_rec *s)
{
	struct step_ref ref = step_ref_of(s);
	struct key k;

	c->n_steps++;
	c->n_open += !step_state_ended(s->state);
	if (s->item == 0) {
		c->n_cancelled += s->state == STEP_CANCELLED;
		c->n_failed += (s->state == STEP_FAILED || s->state == STEP_UPSTREAM_FAILED) &&
			       !c->plan->steps[s->step].allow_failure;
	}
	if (s->state == STEP_READY)
		check_ready(c, s);
	if (s->state == STEP_RUNNING)
		check_running(c, s);
	else if (s->submitted || s->poll_at != 0 || s->poll_ready || s->stop != REMOTE_KEEP)
		report(c, "run %llu step %u item %u: %s, but its record speaks of work elsewhere",
		    (unsigned long long)s->run, s->step, s->item, step_state_name(s->state));
	if (s->state == STEP_RETRYING) {
		key_due_retry(&k, s->ready_at, &ref);
		want(c, TABLE_DUE, &k, "step is retrying");
	}
	if (s->item > 0) {
		key_item(&k, s->run, s->step, s->item_key);
		want(c, TABLE_ITEM, &k, s->item_key);
	}
	if ((s->state == STEP_RUNNING || s->state == STEP_RETRYING) && c->run.state != RUN_RUNNING)
		report(c, "run %llu step %u: %s, but the run is %s", (unsigned long long)s->run,
		    s->step, step_state_name(s->state), run_state_name(c->run.state));
}

/* An item that pairs counts its partners as a step its parents. */
static void check_item(struct checker *c, const struct step_rec *s)
{
	const struct plan_step *p = &c->plan->steps[s->step];
	struct step_rec n = {.unmet = 0}, partner;

	for (size_t i = 0; i < p->n_needs; i++) {
		struct step_ref ref = {s->run, p->needs[i].step, 0};

		if (!p->needs[i].match_item)
			continue;
		n.unmet++;
		if (step_item_no(c->v, s->run, ref.step, s->item_key, &ref.item) == 0 &&
		    step_get(c->v, &ref, &partner) == 0 && step_state_ended(partner.state))
			parent_count(&c->plan->steps[ref.step], &partner, &n, 1);
	}
	if (n.unmet != s->unmet || n.ok_parents != s->ok_parents ||
	    n.bad_parents != s->bad_parents || n.failed_parents != s->failed_parents)
		report(c,
		    "run %llu step %s[%s]: counts unmet %u ok %u bad %u failed %u, its partners "
		    "say "
		    "%u %u %u %u",
		    (unsigned long long)s->run, p->name, s->item_key, s->unmet, s->ok_parents,
		    s->bad_parents, s->failed_parents, n.unmet, n.ok_parents, n.bad_parents,
		    n.failed_parents);
	if (s->state == STEP_WAITING && s->unmet == 0 && c->run.state == RUN_RUNNING &&
	    c->steps[s->step].state == STEP_RUNNING && c->run.cancel_at == 0)
		report(c, "run %llu step %s[%s]: waits, but its partners have ended",
		    (unsigned long long)s->run, p->name, s->item_key);
}

/* Parents and their counts, once all steps of the run are known. */
static void check_parents(struct checker *c, uint16_t i)
{
	const struct plan_step *p = &c->plan->steps[i];
	const struct step_rec *s = &c->steps[i];
	struct step_rec n = {.unmet = (uint32_t)p->n_needs};

	for (size_t k = 0; k < p->n_needs; k++) {
		const struct step_rec *parent = &c->steps[p->needs[k].step];

		if (step_state_ended(parent->state))
			parent_count(&c->plan->steps[p->needs[k].step], parent, &n, 1);
	}
	if (n.unmet != s->unmet || n.ok_parents != s->ok_parents ||
	    n.bad_parents != s->bad_parents || n.failed_parents != s->failed_parents)
		report(c,
		    "run %llu step %s: counts unmet %u ok %u bad %u failed %u, its parents say %u "
		    "%u %u %u",
		    (unsigned long long)s->run, p->name, s->unmet, s->ok_parents, s->bad_parents,
		    s->failed_parents, n.unmet, n.ok_parents, n.bad_parents, n.failed_parents);
	if (s->state == STEP_WAITING && s->unmet == 0 && c->run.state == RUN_RUNNING)
		report(c, "run %llu step %s: waits, but all it needs has ended",
		    (unsigned long long)s->run, p->name);
	if ((s->state == STEP_READY || s->state == STEP_RUNNING || s->state == STEP_RETRYING) &&
	    s->unmet > 0 && !match_any(p))
		report(c, "run %llu step %s: %s, but what it needs has not ended",
		    (unsigned long long)s->run, p->name, step_state_name(s->state));
}

struct item_counts {
	uint32_t items, open, bad, running;
};

static void check_group(struct checker *c, uint16_t i, const struct item_counts *n)
{
	const struct step_rec *s = &c->steps[i];

	if (s->items != n->items || s->items_open != n->open || s->items_bad != n->bad ||
	    s->items_running != n->running)
		report(c,
		    "run %llu step %s: counts %u items, %u open, %u bad, %u running; the records "
		    "say %u %u %u %u",
		    (unsigned long long)s->run, c->plan->steps[i].name, s->items, s->items_open,
		    s->items_bad, s->items_running, n->items, n->open, n->bad, n->running);
	if (c->plan->steps[i].foreach != NULL && s->state == STEP_RUNNING && n->open == 0)
		report(c, "run %llu step %s: the group runs, but all its items have ended",
		    (unsigned long long)s->run, c->plan->steps[i].name);
}

static void count_item(struct item_counts *n, const struct step_rec *s)
{
	n->items++;
	n->open += !step_state_ended(s->state);
	n->bad += s->state == STEP_FAILED || s->state == STEP_CANCELLED ||
		  s->state == STEP_UPSTREAM_FAILED;
	n->running += s->state == STEP_RUNNING;
}

static int check_steps(struct checker *c)
{
	struct item_counts n = {0};
	struct view_walk w;
	struct slice value;
	struct step_rec s;
	struct key k;
	int rc, last = -1;

	key_run(&k, c->run.no);
	view_walk_init(&w, c->v, TABLE_STEP, k.b, k.n, false);
	while ((rc = view_walk_next(&w, &value)) == 0) {
		rc = step_decode(value, &s, NULL);
		if (rc != 0)
			return rc;
		if (s.run != c->run.no || s.step >= c->plan->n_steps) {
			report(c, "table step: a record of run %llu names run %llu step %u",
			    (unsigned long long)c->run.no, (unsigned long long)s.run, s.step);
			continue;
		}
		if (s.item == 0) {
			if (last >= 0)
				check_group(c, (uint16_t)last, &n);
			memset(&n, 0, sizeof(n));
			last = s.step;
			c->steps[s.step] = s;
			bit_set(c->seen, s.step);
		} else {
			count_item(&n, &s);
			check_item(c, &s);
		}
		check_step(c, &s);
	}
	if (last >= 0)
		check_group(c, (uint16_t)last, &n);
	return rc == ERR_NOT_FOUND ? 0 : rc;
}

/* ---- one run ---- */

static void check_run_indexes(struct checker *c)
{
	const struct run_rec *r = &c->run;
	struct key k;
	uint64_t no;

	if (run_get_id(c->v, r->id, &no) != 0 || no != r->no)
		report(
		    c, "table run_id: run %llu is not found by its id", (unsigned long long)r->no);
	key_run_dag(&k, r->dag_no, r->no);
	want(c, TABLE_RUN_DAG, &k, r->dag);
	key_run_state(&k, r->state, r->no);
	want(c, TABLE_RUN_STATE, &k, run_state_name(r->state));
	key_run_key(&k, r);
	want(c, TABLE_RUN_KEY, &k, r->key);
	if (r->state == RUN_QUEUED) {
		key_run_queue(&k, r);
		want(c, TABLE_RUN_QUEUE, &k, "queued");
	}
	if (r->deadline_at != TIME_NONE) {
		key_due_run(&k, r->deadline_at, DUE_RUN_TIMEOUT, r->no);
		want(c, TABLE_DUE, &k, "run_timeout");
	}
	if (r->late_at != 0) {
		key_due_run(&k, r->late_at, DUE_LATE, r->no);
		want(c, TABLE_DUE, &k, "late_after");
		if (r->state != RUN_QUEUED)
			report(c, "run %llu: it can be late no more, and is waited for",
			    (unsigned long long)r->no);
	}
	if (r->cancel_at != 0) {
		key_due_run(&k, r->cancel_at, DUE_CANCEL, r->no);
		want(c, TABLE_DUE, &k, "cancel");
		if (run_state_ended(r->state) || !r->cancel)
			report(c, "run %llu: a cancel goes on, but the run is %s",
			    (unsigned long long)r->no, run_state_name(r->state));
	}
	if (r->queue_until != 0) {
		key_due_run(&k, r->queue_until, DUE_QUEUE_TIMEOUT, r->no);
		want(c, TABLE_DUE, &k, "queue_timeout");
		if (r->state != RUN_QUEUED)
			report(c, "run %llu: queue_timeout is armed, but the run is %s",
			    (unsigned long long)r->no, run_state_name(r->state));
	}
}

static void check_run_counts(struct checker *c)
{
	const struct run_rec *r = &c->run;

	if (c->n_steps != r->n_steps || c->n_open != r->n_open || c->n_failed != r->n_failed ||
	    c->n_cancelled != r->n_cancelled)
		report(c,
		    "run %llu: counts %u steps, %u open, %u failed, %u cancelled; the records say "
		    "%u %u %u %u",
		    (unsigned long long)r->no, r->n_steps, r->n_open, r->n_failed, r->n_cancelled,
		    c->n_steps, c->n_open, c->n_failed, c->n_cancelled);
	if (run_state_ended(r->state) != (c->n_open == 0) && r->state != RUN_QUEUED)
		report(c, "run %llu: %s with %u steps open", (unsigned long long)r->no,
		    run_state_name(r->state), c->n_open);
}

static int check_run(struct checker *c)
{
	int rc = c->v->plan(c->v->ctx, c->run.plan, &c->plan, NULL);

	if (rc != 0) {
		report(c, "run %llu: its plan is missing or broken", (unsigned long long)c->run.no);
		return rc == ERR_IO ? rc : 0;
	}
	memset(c->seen, 0, sizeof(c->seen));
	c->n_steps = c->n_open = c->n_failed = c->n_cancelled = 0;
	rc = check_steps(c);
	if (rc != 0)
		return rc;
	for (uint16_t i = 0; i < c->plan->n_steps; i++) {
		if (!bit_has(c->seen, i)) {
			report(c, "run %llu: step %s has no record", (unsigned long long)c->run.no,
			    c->plan->steps[i].name);
			return 0;
		}
	}
	for (uint16_t i = 0; i < c->plan->n_steps; i++)
		check_parents(c, i);
	check_run_indexes(c);
	check_run_counts(c);
	return 0;
}

static int check_runs(struct checker *c)
{
	struct view_walk w;
	struct slice value;
	int rc;

	view_walk_init(&w, c->v, TABLE_RUN, NULL, 0, false);
	while ((rc = view_walk_next(&w, &value)) == 0) {
		rc = run_decode(value, &c->run, NULL);
		if (rc == 0)
			rc = check_run(c);
		if (rc != 0)
			return rc;
	}
	return rc == ERR_NOT_FOUND ? 0 : rc;
}

/* ---- from the index entries back ---- */

static bool step_stands_in(struct checker *c, const struct step_ref *ref, enum table t)
{
	struct step_rec s;

	if (step_get(c->v, ref, &s) != 0)
		return false;
	if (t == TABLE_RUNNING)
		return s.state == STEP_RUNNING && s.instance != 0;
	if (t == TABLE_READY && s.state == STEP_RUNNING)
		return s.submitted && s.poll_ready;
	return s.state == STEP_READY && (s.blocked > 0) == (t == TABLE_BLOCKED);
}

static void check_step_entry(struct checker *c, enum table t, struct slice key)
{
	struct step_ref ref = {0, 0, 0};

	if (key_tail_step(key, &ref) != 0 || !step_stands_in(c, &ref, t))
		report(c, "table %s: an entry names run %llu step %u item %u, which is not so",
		    table_name(t), (unsigned long long)ref.run, ref.step, ref.item);
}

static void check_run_entry(struct checker *c, enum table t, struct slice key, struct slice value)
{
	struct run_rec r;
	uint64_t no = 0;
	struct key k;
	int rc = t == TABLE_RUN_ID ? key_tail_u64(value, &no) : key_tail_u64(key, &no);

	key_init(&k);
	if (rc == 0)
		rc = run_get(c->v, no, &r);
	if (rc == ERR_NOT_FOUND && t == TABLE_RUN_ID && value.n == RUN_TOMB_BYTES)
		return; /* the identity of a run that retention dropped */
	if (rc == 0 && t == TABLE_RUN_ID && value.n != 8)
		rc = ERR_CORRUPT;
	if (rc == 0 && t == TABLE_RUN_ID)
		key_bytes(&k, r.id, sizeof(r.id));
	else if (rc == 0 && t == TABLE_RUN_DAG)
		key_run_dag(&k, r.dag_no, no);
	else if (rc == 0 && t == TABLE_RUN_STATE)
		key_run_state(&k, r.state, no);
	else if (rc == 0 && t == TABLE_RUN_KEY)
		key_run_key(&k, &r);
	else if (rc == 0 && r.state == RUN_QUEUED)
		key_run_queue(&k, &r);
	if (rc != 0 || k.n != key.n || memcmp(k.b, key.p, key.n) != 0)
		report(c, "table %s: an entry names run %llu, which is not so", table_name(t),
		    (unsigned long long)no);
}

static void check_due_entry(struct checker *c, struct slice key)
{
	struct due_key d = {.at = 0};
	struct sched_rec s;
	struct run_rec r;
	struct outbox_rec m;
	struct step_rec st;
	struct backfill_rec b;
	struct cancel_rec order;
	struct key k;
	bool ok = key_parse_due(key, &d) == 0;

	key_init(&k);
	if (ok && d.kind == DUE_CRON && schedule_get(c->v, d.dag_no, d.trigger, &s) == 0)
		key_due_cron(&k, s.start_at != 0 ? s.start_at : s.next, d.dag_no, d.trigger);
	else if (ok && d.kind == DUE_CATCHUP && schedule_get(c->v, d.dag_no, d.trigger, &s) == 0)
		key_due_catchup(&k, s.catchup_at, d.dag_no, d.trigger);
	else if (ok && d.kind == DUE_RETRY && step_get(c->v, &d.step, &st) == 0 &&
		 st.state == STEP_RETRYING)
		key_due_retry(&k, st.ready_at, &d.step);
	else if (ok && d.kind == DUE_POLL && step_get(c->v, &d.step, &st) == 0 && st.submitted &&
		 !st.poll_ready && st.instance == 0)
		key_due_poll(&k, st.poll_at, &d.step);
	else if (ok && d.kind == DUE_RUN_TIMEOUT && run_get(c->v, d.run, &r) == 0)
		key_due_run(&k, r.deadline_at, DUE_RUN_TIMEOUT, d.run);
	else if (ok && d.kind == DUE_LATE && run_get(c->v, d.run, &r) == 0 && r.late_at != 0)
		key_due_run(&k, r.late_at, DUE_LATE, d.run);
	else if (ok && d.kind == DUE_OUTBOX && d.run <= UINT32_MAX &&
		 outbox_head(c->v, (uint32_t)d.run, &m, NULL) == 0)
		key_due_outbox(&k, m.next_at, m.endpoint_no);
	else if (ok && d.kind == DUE_CANCEL && run_get(c->v, d.run, &r) == 0)
		key_due_run(&k, r.cancel_at, DUE_CANCEL, d.run);
	else if (ok && d.kind == DUE_QUEUE_TIMEOUT && run_get(c->v, d.run, &r) == 0)
		key_due_run(&k, r.queue_until, DUE_QUEUE_TIMEOUT, d.run);
	else if (ok && d.kind == DUE_BACKFILL && backfill_get(c->v, d.run, &b) == 0)
		key_due_run(&k, b.due_at, DUE_BACKFILL, d.run);
	else if (ok && d.kind == DUE_CANCEL_MANY && cancel_get(c->v, d.run, &order) == 0)
		key_due_run(&k, order.due_at, DUE_CANCEL_MANY, d.run);
	if (!ok || k.n != key.n || memcmp(k.b, key.p, key.n) != 0)
		report(c, "table due: an entry of kind %d at %lld has nothing that it is for",
		    (int)d.kind, (long long)d.at);
}

static int check_entries(struct checker *c, enum table t)
{
	struct view_walk w;
	struct slice value;
	int rc;

	view_walk_init(&w, c->v, t, NULL, 0, false);
	while ((rc = view_walk_next(&w, &value)) == 0) {
		struct slice key = {w.key, w.key_n};

		if (t == TABLE_READY || t == TABLE_BLOCKED || t == TABLE_RUNNING)
			check_step_entry(c, t, key);
		else if (t == TABLE_DUE)
			check_due_entry(c, key);
		else
			check_run_entry(c, t, key, value);
	}
	return rc == ERR_NOT_FOUND ? 0 : rc;
}

/* Steps whose run is gone. */
static int check_strays(struct checker *c)
{
	uint64_t last = 0, no, pruned = 0;
	struct view_walk w;
	struct run_rec r;
	int rc = meta_get(c->v, META_PRUNE_RUN, &pruned);

	if (rc != 0 && rc != ERR_NOT_FOUND)
		return rc;
	if (pruned != 0 && run_get(c->v, pruned, &r) == 0)
		report(c, "table meta: run %llu is there, but its steps are being removed",
		    (unsigned long long)pruned);
	view_walk_init(&w, c->v, TABLE_STEP, NULL, 0, false);
	while ((rc = view_walk_next(&w, NULL)) == 0) {
		if (w.key_n != 14) {
			report(c, "table step: a key of %zu bytes", w.key_n);
			continue;
		}
		no = be_get64(w.key);
		if (no != last && no != pruned && run_get(c->v, no, &r) != 0)
			report(c, "table step: run %llu is gone", (unsigned long long)no);
		last = no;
	}
	return rc == ERR_NOT_FOUND ? 0 : rc;
}

int check_store(const struct view *v, void (*problem)(void *arg, const char *text), void *arg)
{
	static const enum table entries[] = {TABLE_READY, TABLE_BLOCKED, TABLE_RUNNING, TABLE_DUE,
	    TABLE_RUN_ID, TABLE_RUN_DAG, TABLE_RUN_STATE, TABLE_RUN_KEY, TABLE_RUN_QUEUE};
	struct check_out out = {v, problem, arg};
	struct checker *c = MEM_NEW(struct checker);
	int rc;

	c->v = v;
	c->out = &out;
	rc = check_runs(c);
	for (size_t i = 0; rc == 0 && i < sizeof(entries) / sizeof(entries[0]); i++)
		rc = check_entries(c, entries[i]);
	if (rc == 0)
		rc = check_strays(c);
	mem_free(c);
	if (rc == 0)
		rc = check_counts(&out);
	if (rc == 0)
		rc = check_backfills(&out);
	if (rc == 0)
		rc = check_cancels(&out);
	if (rc == 0)
		rc = check_audit(&out);
	return rc != 0 ? rc : check_names(&out);
}
