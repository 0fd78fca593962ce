/* backfill.c: a backfill as an object: targets of a time trigger, made into runs a few at a time.
 *
 * Lazy: it makes a run only while fewer than max_parallel of its runs are open, the next in the
 * transaction that ends one; what a person opens again by rerun or mark counts and comes on top.
 * What one transaction may do is bounded; DUE_BACKFILL goes on at once. The runs queue like all
 * others: max_runs, pools, priority and pause hold for them. */
#include "core/sched/backfill.h"

#include "core/sched/codec.h"

#include <stdio.h>
#include <string.h>

/* Bounds of one transaction. */
#define MADE_MAX 32u
#define PASS_MAX 500u
#define COUNT_MAX 5000u
#define TELL_MAX 100u

static uint64_t *slot(struct backfill_rec *b, enum run_state s)
{
	switch (s) {
	case RUN_SUCCEEDED:
		return &b->succeeded;
	case RUN_FAILED:
		return &b->failed;
	case RUN_CANCELLED:
		return &b->cancelled;
	default:
		return &b->open;
	}
}

static void go_on(struct tx *x, uint64_t no)
{
	for (size_t i = 0; i < x->backfills.n; i++) {
		if (x->backfills.v[i] == no)
			return;
	}
	VEC_ADD(&x->backfills, no);
}

int backfill_run_moved(struct tx *x, enum run_state from, enum run_state to)
{
	uint64_t no = x->run.backfill, *a, *b;
	struct backfill_rec rec;
	int rc = must(backfill_get(x->v, no, &rec));

	if (rc != 0)
		return rc;
	a = slot(&rec, from);
	b = slot(&rec, to);
	if (a == b)
		return 0;
	if (*a == 0)
		return ERR_CORRUPT;
	(*a)--;
	(*b)++;
	if (run_state_ended(to))
		go_on(x, no);
	return backfill_put(x->v, &rec);
}

/* ---- the due entry ---- */

static int due_arm(struct tx *x, struct backfill_rec *b)
{
	struct key k;

	if (b->due_at != TIME_NONE)
		return 0;
	b->due_at = x->now;
	key_due_run(&k, b->due_at, DUE_BACKFILL, b->no);
	return due_add(x, &k);
}

static int due_drop(struct tx *x, struct backfill_rec *b)
{
	struct key k;

	if (b->due_at == TIME_NONE)
		return 0;
	key_due_run(&k, b->due_at, DUE_BACKFILL, b->no);
	b->due_at = TIME_NONE;
	return due_del(x, &k);
}

int backfill_due(struct tx *x, uint64_t no)
{
	struct backfill_rec b;
	int rc = must(backfill_get(x->v, no, &b));

	if (rc == 0)
		rc = b.due_at == TIME_NONE ? ERR_CORRUPT : due_drop(x, &b);
	go_on(x, no);
	return rc != 0 ? rc : backfill_put(x->v, &b);
}

/* ---- one target ---- */

struct fill {
	struct backfill_rec b;
	struct dag_rec dag;
	const struct plan *plan; /* the latest; NULL: none */
	const struct plan_trigger *t;
	struct run_new n;
	struct target at;
};

/* Before anything that moves runs, and after it. */
static int save(struct tx *x, struct fill *f)
{
	return backfill_put(x->v, &f->b);
}

static int load(struct tx *x, struct fill *f)
{
	return must(backfill_get(x->v, f->b.no, &f->b));
}

static int params_of(struct fill *f, struct trigger_eval *ret, struct err *err)
{
	struct json *env = json_new_object(), *o = json_new_object();
	int rc;

	json_put(o, "name", json_new_str(f->t->name));
	json_put(o, "kind", json_new_str(trigger_kind_name(TRIGGER_BACKFILL)));
	json_put(env, "trigger", o);
	json_put(env, "params", json_new_object());
	json_put(env, "event", json_new_null());
	o = json_new_object();
	json_put(o, "key", json_new_str(f->at.w.key));
	json_put(env, "run", o);
	rc = trigger_evaluate(f->plan, f->t, env, ret, err);
	json_free(env);
	return rc;
}

static int index_add(struct tx *x, uint64_t backfill, uint64_t run)
{
	struct key k;

	key_backfill_run(&k, backfill, run);
	return view_put(x->v, TABLE_BACKFILL_RUN, k.b, k.n, NULL, 0);
}

static int make(struct tx *x, struct fill *f, bool revise)
{
	struct trigger_doc doc = {
	    .kind = TRIGGER_BACKFILL, .name = f->t->name, .backfill = f->b.no};
	struct trigger_eval ev = {.params = NULL};
	struct err err = {0};
	struct str text;
	uint64_t run;
	bool existed;
	int rc = params_of(f, &ev, &err);

	if (rc != 0) {
		f->b.rejected++;
		if (f->b.message[0] == 0)
			snprintf(f->b.message, sizeof(f->b.message), "%.60s: %.300s", f->at.w.key,
			    err.text);
		return 0;
	}
	str_init(&text, 64u << 10);
	trigger_doc_write(&doc, &text);
	f->n.doc = str_peek(&text);
	f->n.params = ev.params;
	f->n.next_revision = revise;
	f->b.open++;
	x->backfilled++;
	rc = save(x, f);
	if (rc == 0)
		rc = run_insert(x, &f->n, &run, &existed);
	if (rc == 0 && existed)
		rc = ERR_CORRUPT; /* target_judge has seen none */
	if (rc == 0)
		rc = index_add(x, f->b.no, run);
	str_done(&text);
	json_free(ev.params);
	return rc != 0 ? rc : load(x, f);
}

/* The open run, which has ended, changes from one backfill to another. */
static int take_over(struct tx *x, uint64_t to)
{
	uint64_t from = x->run.backfill;
	struct backfill_rec b;
	struct key k;
	int rc = 0;

	if (from == to)
		return 0;
	if (from != 0) {
		rc = must(backfill_get(x->v, from, &b));
		if (rc == 0 && *slot(&b, x->run.state) == 0)
			rc = ERR_CORRUPT;
		if (rc != 0)
			return rc;
		(*slot(&b, x->run.state))--;
		b.taken++;
		rc = backfill_put(x->v, &b);
		key_backfill_run(&k, from, x->run.no);
		if (rc == 0)
			rc = must(view_del(x->v, TABLE_BACKFILL_RUN, k.b, k.n));
	}
	if (rc == 0)
		rc = must(backfill_get(x->v, to, &b));
	if (rc != 0)
		return rc;
	(*slot(&b, x->run.state))++;
	x->run.backfill = to;
	x->run_dirty = true;
	rc = backfill_put(x->v, &b);
	return rc != 0 ? rc : index_add(x, to, x->run.no);
}

/* Its failed steps again; all of them where none failed (it ran into run_timeout). */
static int rerun_steps(struct tx *x, struct op *op)
{
	const char *names[PLAN_MAX_STEPS];
	int rc;

	op->u.rerun.failed = true;
	op->u.rerun.steps = NULL;
	op->u.rerun.n_steps = 0;
	rc = op_rerun(x, op);
	if (rc != 0 || x->r->rc == 0)
		return rc;
	memset(x->r, 0, sizeof(*x->r));
	for (size_t i = 0; i < x->plan->n_steps; i++)
		names[i] = x->plan->steps[i].name;
	op->u.rerun.failed = false;
	op->u.rerun.steps = names;
	op->u.rerun.n_steps = x->plan->n_steps;
	return op_rerun(x, op);
}

/* Whoever fills again what failed has mostly mended the DAG's file: the run goes on with the latest
 * plan, and with its own where its steps are not in that one any more. */
static int rerun_latest(struct tx *x, struct op *op)
{
	int rc;

	op->u.rerun.latest = true;
	rc = rerun_steps(x, op);
	if (rc != 0 || x->r->rc == 0)
		return rc;
	memset(x->r, 0, sizeof(*x->r));
	op->u.rerun.latest = false;
	return rerun_steps(x, op);
}

static int rerun(struct tx *x, struct fill *f, uint64_t run)
{
	struct op op = {.kind = OP_RERUN};
	struct op_result own = {0}, *was = x->r;
	int rc = save(x, f);

	if (rc == 0)
		rc = must(run_open(x, run));
	if (rc == 0)
		rc = take_over(x, f->b.no);
	if (rc != 0)
		return rc;
	op.u.rerun.run = run;
	op.u.rerun.downstream = downstream_name(f->b.downstream);
	op.u.rerun.actor = f->b.actor;
	x->backfilled++;
	x->r = &own;
	rc = rerun_latest(x, &op);
	x->r = was;
	if (rc == 0 && x->run_open && x->run.no == run) {
		x->run.downstream = f->b.downstream;
		x->run_dirty = true;
	}
	return rc != 0 ? rc : load(x, f);
}

static int one(struct tx *x, struct fill *f)
{
	struct run_rec last;
	enum target_do what;
	int rc;

	f->n = (struct run_new){.dag = &f->dag,
	    .plan = f->plan,
	    .kind = TRIGGER_BACKFILL,
	    .trigger = f->t->name,
	    .space = SPACE_TIME,
	    .key = f->at.w.key,
	    .window_start = f->at.w.start,
	    .window_end = f->at.w.end,
	    .logical_time = f->at.at,
	    .backfill = f->b.no,
	    .downstream = f->b.downstream};
	rc = target_judge(x, &f->n, f->b.reprocess, &last, &what);
	if (rc != 0)
		return rc;
	f->b.next = f->at.rest;
	f->b.passed++;
	if (what == TARGET_KEEP)
		f->b.existing++;
	else if (what == TARGET_RERUN)
		return rerun(x, f, last.no);
	else
		return make(x, f, what == TARGET_REVISE);
	return 0;
}

/* ---- going on ---- */

static int stop(struct fill *f, const char *why)
{
	f->b.state = BACKFILL_CANCELLED;
	f->b.next = f->b.counted = TIME_NONE;
	str_copy(f->b.message, sizeof(f->b.message), why);
	return 0;
}

/* New runs get the latest plan; where there is none any more the backfill ends. */
static int look_up(struct tx *x, struct fill *f)
{
	int rc = must(dag_get(x->v, f->b.dag_no, &f->dag));

	if (rc == 0)
		rc = must(dag_plan(x->v, &f->dag, &f->plan));
	if (rc != 0)
		return rc;
	if (f->dag.state == DAG_GONE)
		return stop(f, "ended: the DAG's file is gone");
	f->t = plan_trigger_find(f->plan, f->b.trigger);
	if (f->t == NULL || !target_trigger(f->t))
		return stop(f, "ended: the DAG has no such schedule any more");
	return 0;
}

/* *ret: there is more to do than one transaction may. */
static int fill(struct tx *x, struct fill *f, bool *ret)
{
	int rc = 0;

	for (uint32_t i = 0; f->b.next != TIME_NONE && f->b.open < f->b.max_parallel; i++) {
		if (i >= PASS_MAX || x->backfilled >= MADE_MAX) {
			*ret = true;
			return 0;
		}
		rc = target_next(f->t, f->b.from, f->b.to, f->b.order, f->b.next, &f->at, NULL);
		if (rc == ERR_NOT_FOUND) {
			f->b.next = TIME_NONE;
			return 0;
		}
		if (rc == 0)
			rc = one(x, f);
		if (rc != 0)
			return rc;
	}
	return 0;
}

/* How many targets there are at all: known bit by bit, a year of minutes takes its time. */
static int count(struct fill *f, bool *ret)
{
	struct target at;

	for (uint32_t i = 0; f->b.counted != TIME_NONE; i++) {
		int rc;

		if (i >= COUNT_MAX) {
			*ret = true;
			return 0;
		}
		rc =
		    target_next(f->t, f->b.from, f->b.to, BACKFILL_OLDEST, f->b.counted, &at, NULL);
		if (rc != 0 && rc != ERR_NOT_FOUND)
			return rc;
		f->b.total += rc == 0;
		f->b.counted = rc == 0 ? at.rest : TIME_NONE;
	}
	return 0;
}

/* ---- the end ---- */

#define PART_BYTES 10u /* u64 version, changed, several partitions */
/* Sorts behind every partition of its data set: what the data set as a whole had. */
#define PART_ALL "\xff"

static int part_put(struct tx *x, uint32_t ds_no, const char *partition,
    const struct version_rec *ver, bool *ret_other)
{
	uint8_t value[PART_BYTES] = {0};
	struct slice there;
	struct key k;
	int rc;

	key_backfill_part(&k, x->run.backfill, ds_no, partition);
	rc = view_get(x->v, TABLE_BACKFILL_PART, k.b, k.n, &there);
	if (rc == 0 && there.n != PART_BYTES)
		return ERR_CORRUPT;
	if (rc != 0 && rc != ERR_NOT_FOUND)
		return rc;
	if (rc == 0) {
		struct version_rec old;

		memcpy(value, there.p, sizeof(value));
		rc = must(version_get(x->v, ds_no, be_get64(value), &old));
		if (rc != 0)
			return rc;
		*ret_other = strcmp(old.partition, ver->partition) != 0;
		value[9] |= *ret_other;
	}
	be_put64(value, ver->version);
	value[8] |= ver->changed;
	return view_put(x->v, TABLE_BACKFILL_PART, k.b, k.n, value, sizeof(value));
}

int backfill_keep(struct tx *x, uint32_t ds_no, const struct version_rec *ver, bool *ret)
{
	struct backfill_rec b;
	bool other = false;
	int rc;

	*ret = false;
	if (x->run.downstream != DOWNSTREAM_ONCE)
		return 0;
	rc = must(backfill_get(x->v, x->run.backfill, &b));
	if (rc != 0 || b.ended_at != TIME_NONE)
		return rc;
	*ret = true;
	rc = part_put(x, ds_no, ver->partition, ver, &other);
	return rc != 0 ? rc : part_put(x, ds_no, PART_ALL, ver, &other);
}

/* Its subscribers start: those that join by partition for each, the others once a data set.
 * *ret: there are more than one transaction may tell. */
static int tell(struct tx *x, uint64_t no, bool *ret)
{
	struct view_walk w;
	struct slice value;
	struct key k;
	int rc = 0;

	key_init(&k);
	key_u64(&k, no);
	view_walk_init(&w, x->v, TABLE_BACKFILL_PART, k.b, k.n, false);
	for (uint32_t i = 0; rc == 0; i++) {
		struct published p = {0};
		bool all;

		rc = view_walk_next(&w, &value);
		if (rc != 0)
			break;
		if (w.key_n < 12 || value.n != PART_BYTES)
			return ERR_CORRUPT;
		*ret = i >= TELL_MAX;
		if (*ret)
			return 0;
		all = w.key_n == 13 && w.key[12] == 0xff;
		p.ds_no = be_get32(w.key + 8);
		p.version = be_get64(value.p);
		p.changed = ((const uint8_t *)value.p)[8] != 0;
		p.mixed = all && ((const uint8_t *)value.p)[9] != 0;
		p.to = all ? FOR_OTHERS : FOR_JOINS;
		VEC_ADD(&x->published, p);
		rc = must(view_del(x->v, TABLE_BACKFILL_PART, w.key, w.key_n));
	}
	return rc == ERR_NOT_FOUND ? 0 : rc;
}

static int end(struct tx *x, struct backfill_rec *b, bool *ret_more)
{
	int rc = b->ended_at == TIME_NONE ? tell(x, b->no, ret_more) : 0;

	if (rc != 0 || *ret_more)
		return rc;
	if (b->state != BACKFILL_CANCELLED) {
		b->state = b->failed + b->cancelled + b->rejected > 0 ? BACKFILL_FAILED
								      : BACKFILL_SUCCEEDED;
		b->total = b->passed; /* a changed schedule may have others than were counted */
	}
	b->next = b->counted = TIME_NONE;
	if (b->ended_at == TIME_NONE)
		b->ended_at = x->now;
	return due_drop(x, b);
}

static int advance(struct tx *x, uint64_t no)
{
	struct fill f = {.b = {.no = no}};
	bool more = false;
	int rc = load(x, &f);

	if (rc == 0 && f.b.ended_at == TIME_NONE && f.b.state != BACKFILL_CANCELLED)
		rc = look_up(x, &f);
	if (rc == 0 && f.b.state == BACKFILL_RUNNING)
		rc = fill(x, &f, &more);
	if (rc == 0 && f.b.state != BACKFILL_CANCELLED && f.b.ended_at == TIME_NONE)
		rc = count(&f, &more);
	if (rc == 0 && f.b.open == 0 && (f.b.next == TIME_NONE || f.b.state == BACKFILL_CANCELLED))
		rc = end(x, &f.b, &more);
	if (rc == 0 && more)
		rc = due_arm(x, &f.b);
	return rc != 0 ? rc : save(x, &f);
}

int backfill_settle(struct tx *x)
{
	int rc = 0;

	while (rc == 0 && x->backfills.n > 0)
		rc = advance(x, x->backfills.v[--x->backfills.n]);
	return rc;
}

/* ---- operations ---- */

int op_backfill(struct tx *x, const struct op *op)
{
	struct backfill_plan p;
	struct err err = {0};
	int rc = backfill_prepare(x->v, op, x->now, &p, &err);

	if (rc == ERR_IO || rc == ERR_CORRUPT)
		return rc;
	if (rc != 0)
		return refuse(x, rc, "%s", err.text[0] != 0 ? err.text : err_text(rc));
	if (dag_is_paused(x->v, &p.dag))
		return refuse(x, ERR_CONFLICT, "DAG %s is paused: `sluice resume %s` first",
		    p.dag.name, p.dag.paused ? p.dag.name : "--all");
	rc = next_no(x, META_NEXT_BACKFILL, &p.b.no);
	x->r->number = p.b.no;
	x->r->count = 1;
	go_on(x, p.b.no);
	return rc != 0 ? rc : backfill_put(x->v, &p.b);
}

/* Newest first: those that are open were mostly made last. */
static int cancel_open(struct tx *x, const struct backfill_rec *b)
{
	uint64_t left = b->open, run;
	struct view_walk w;
	struct key k;
	int rc = 0;

	key_init(&k);
	key_u64(&k, b->no);
	view_walk_init(&w, x->v, TABLE_BACKFILL_RUN, k.b, k.n, true);
	while (left > 0 && (rc = view_walk_next(&w, NULL)) == 0) {
		rc = key_tail_u64((struct slice){w.key, w.key_n}, &run);
		if (rc == 0)
			rc = run_open(x, run);
		if (rc == ERR_NOT_FOUND) {
			rc = 0; /* dropped by age */
			continue;
		}
		if (rc != 0)
			return rc;
		if (run_state_ended(x->run.state))
			continue;
		left--;
		x->r->count++;
		if (!x->run.cancel)
			rc = run_cancel(x, b->message);
		if (rc != 0)
			return rc;
	}
	return rc == ERR_NOT_FOUND ? 0 : rc;
}

int op_backfill_state(struct tx *x, const struct op *op)
{
	enum backfill_state to = op->u.backfill_state.to;
	const char *actor = op->u.backfill_state.actor;
	struct backfill_rec b;
	int rc = backfill_get(x->v, op->u.backfill_state.no, &b);

	if (rc == ERR_NOT_FOUND)
		return refuse(x, rc, "there is no backfill %llu",
		    (unsigned long long)op->u.backfill_state.no);
	if (rc != 0)
		return rc;
	x->r->number = b.no;
	if (b.state > BACKFILL_PAUSED)
		return refuse(x, ERR_CONFLICT, "backfill %llu has ended already: %s",
		    (unsigned long long)b.no, backfill_state_name(b.state));
	if (b.state == to)
		return 0;
	b.state = to;
	if (to == BACKFILL_CANCELLED)
		snprintf(b.message, sizeof(b.message), "cancelled by %.90s",
		    actor != NULL && actor[0] != 0 ? actor : "a person");
	go_on(x, b.no);
	rc = backfill_put(x->v, &b);
	if (to != BACKFILL_CANCELLED)
		x->r->count = 1;
	return rc != 0 || to != BACKFILL_CANCELLED ? rc : cancel_open(x, &b);
}
