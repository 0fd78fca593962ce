/* show_backfill.c: a backfill, what one would do, and a cursor, as JSON objects. Reads only. */
#include "core/sched/backfill.h"
#include "core/sched/show.h"

#include <stdio.h>
#include <string.h>

#define RUNS_SHOWN 100u
#define SCAN_MAX 20000u
#define STEPS_MAX 64u /* of a run: looked at for the one that failed */
#define PREVIEW_COUNTED 5000u
#define PREVIEW_SHOWN 1000u

/* ---- one ---- */

static void put_next(const struct view *v, const struct backfill_rec *b, struct jw *out)
{
	const struct plan_trigger *t = NULL;
	const struct plan *plan;
	struct target at;
	struct dag_rec d;

	if (b->next != TIME_NONE && dag_get(v, b->dag_no, &d) == 0 && dag_plan(v, &d, &plan) == 0)
		t = plan_trigger_find(plan, b->trigger);
	if (t == NULL || !target_trigger(t) ||
	    target_next(t, b->from, b->to, b->order, b->next, &at, NULL) != 0)
		jw_kstr(out, "next_key", NULL);
	else
		jw_kstr(out, "next_key", at.w.key);
}

static void put_counts(const struct backfill_rec *b, struct jw *out)
{
	jw_ki64(out, "total", (int64_t)b->total);
	jw_kbool(out, "counting", b->counted != TIME_NONE);
	jw_ki64(out, "done", (int64_t)(b->passed - b->open));
	jw_ki64(out, "open", (int64_t)b->open);
	jw_ki64(out, "succeeded", (int64_t)b->succeeded);
	jw_ki64(out, "failed", (int64_t)b->failed);
	jw_ki64(out, "cancelled", (int64_t)b->cancelled);
	jw_ki64(out, "existing", (int64_t)b->existing);
	jw_ki64(out, "rejected", (int64_t)b->rejected);
	jw_ki64(out, "taken", (int64_t)b->taken);
}

/* What the run says, or the first of its steps that failed. */
static int put_reason(const struct view *v, const struct run_rec *r, struct jw *out)
{
	char text[sizeof(((struct step_rec *)0)->message) + PLAN_NAME_MAX + 4] = "";
	const struct plan *plan;
	struct view_walk w;
	struct step_rec s;
	struct slice value;
	struct key k;
	int rc = 0;

	key_run(&k, r->no);
	view_walk_init(&w, v, TABLE_STEP, k.b, k.n, false);
	for (uint32_t i = 0; r->state == RUN_FAILED && r->message[0] == 0 && i < STEPS_MAX; i++) {
		rc = view_walk_next(&w, &value);
		if (rc == 0)
			rc = step_decode(value, &s, NULL);
		if (rc != 0)
			break;
		if (s.state != STEP_FAILED || v->plan(v->ctx, r->plan, &plan, NULL) != 0 ||
		    s.step >= plan->n_steps)
			continue;
		snprintf(text, sizeof(text), "%s: %s", plan->steps[s.step].name, s.message);
		break;
	}
	jw_kstr(out, "message", r->message[0] != 0 ? r->message : text);
	return rc == ERR_NOT_FOUND ? 0 : rc;
}

/* Runs of the backfill that are open, or (bad) that ended badly; oldest number first. */
static int put_runs(const struct view *v, const struct backfill_rec *b, bool bad, struct jw *out)
{
	uint64_t left = bad ? b->failed + b->cancelled : b->open, no;
	char id[HASH_ID_TEXT];
	struct view_walk w;
	struct run_rec r;
	struct key k;
	int rc = 0;

	jw_key(out, bad ? "failed_runs" : "open_runs");
	jw_array(out);
	key_init(&k);
	key_u64(&k, b->no);
	view_walk_init(&w, v, TABLE_BACKFILL_RUN, k.b, k.n, false);
	left = left < RUNS_SHOWN ? left : RUNS_SHOWN;
	for (uint32_t i = 0; left > 0 && i < SCAN_MAX; i++) {
		rc = view_walk_next(&w, NULL);
		if (rc == 0)
			rc = key_tail_u64((struct slice){w.key, w.key_n}, &no);
		if (rc != 0)
			break;
		if (run_get(v, no, &r) != 0 || r.state == RUN_SUCCEEDED ||
		    run_state_ended(r.state) != bad)
			continue;
		left--;
		hash_to_base32(r.id, id);
		jw_object(out);
		jw_kstr(out, "key", r.key);
		jw_kstr(out, "run", id);
		jw_kstr(out, "state", run_state_name(r.state));
		rc = put_reason(v, &r, out);
		jw_end_object(out);
		if (rc != 0)
			break;
	}
	jw_end_array(out);
	return rc == ERR_NOT_FOUND ? 0 : rc;
}

int show_backfill(const struct view *v, uint64_t no, bool with_runs, struct jw *out)
{
	struct backfill_rec b;
	int rc = backfill_get(v, no, &b);

	if (rc != 0)
		return rc;
	jw_object(out);
	jw_key(out, "id");
	jw_u64_text(out, b.no);
	jw_kstr(out, "dag", b.dag);
	jw_kstr(out, "trigger", b.trigger);
	jw_kstr(out, "state", backfill_state_name(b.state));
	jw_kstr(out, "from", b.from_text);
	jw_kstr(out, "to", b.to_text);
	put_next(v, &b, out);
	jw_kstr(out, "order", backfill_order_name(b.order));
	jw_ki64(out, "max_parallel", b.max_parallel);
	jw_kbool(out, "reprocess", b.reprocess);
	jw_kstr(out, "downstream", downstream_name(b.downstream));
	put_counts(&b, out);
	jw_kstr(out, "actor", b.actor);
	jw_kstr(out, "message", b.message);
	jw_ktime(out, "created_at", b.created_at);
	jw_ktime(out, "ended_at", b.ended_at);
	if (with_runs)
		rc = put_runs(v, &b, false, out);
	if (rc == 0 && with_runs)
		rc = put_runs(v, &b, true, out);
	jw_end_object(out);
	return rc;
}

/* ---- what one would do ---- */

static void put_target(
    const struct target *at, enum target_do what, const struct run_rec *last, struct jw *out)
{
	static const char *const names[TARGET_DO_N] = {"make", "keep", "rerun", "revise"};
	char id[HASH_ID_TEXT];

	jw_object(out);
	jw_kstr(out, "key", at->w.key);
	jw_ktime(out, "logical_time", at->at);
	jw_kstr(out, "do", names[what]);
	if (what != TARGET_MAKE)
		hash_to_base32(last->id, id);
	jw_kstr(out, "run", what != TARGET_MAKE ? id : NULL);
	jw_kstr(out, "state", what != TARGET_MAKE ? run_state_name(last->state) : NULL);
	jw_end_object(out);
}

static int preview_targets(const struct view *v, struct backfill_plan *p, uint32_t counts[],
    bool *ret_whole, struct jw *out)
{
	wall_us pos = p->b.next;
	struct tx x = {.v = v};

	*ret_whole = false;
	for (uint32_t i = 0; pos != TIME_NONE; i++) {
		struct run_new n = {.dag = &p->dag, .space = SPACE_TIME, .trigger = p->t->name};
		struct run_rec last;
		struct target at;
		enum target_do what;
		int rc;

		if (i >= PREVIEW_COUNTED)
			return 0;
		rc = target_next(p->t, p->b.from, p->b.to, p->b.order, pos, &at, NULL);
		if (rc == ERR_NOT_FOUND)
			break;
		n.key = at.w.key;
		if (rc == 0)
			rc = target_judge(&x, &n, p->b.reprocess, &last, &what);
		if (rc != 0)
			return rc;
		counts[what]++;
		if (i < PREVIEW_SHOWN)
			put_target(&at, what, &last, out);
		pos = at.rest;
	}
	*ret_whole = true;
	return 0;
}

int show_backfill_plan(
    const struct view *v, const struct op *op, wall_us now, struct jw *out, struct err *err)
{
	uint32_t counts[TARGET_DO_N] = {0};
	struct backfill_plan p;
	bool whole = true;
	int rc = backfill_prepare(v, op, now, &p, err);

	if (rc != 0)
		return rc;
	jw_object(out);
	jw_kbool(out, "dry_run", true);
	jw_kstr(out, "dag", p.b.dag);
	jw_kstr(out, "trigger", p.b.trigger);
	jw_kstr(out, "from", p.b.from_text);
	jw_kstr(out, "to", p.b.to_text);
	jw_key(out, "targets");
	jw_array(out);
	rc = preview_targets(v, &p, counts, &whole, out);
	jw_end_array(out);
	jw_ki64(out, "make", counts[TARGET_MAKE]);
	jw_ki64(out, "keep", counts[TARGET_KEEP]);
	jw_ki64(out, "rerun", counts[TARGET_RERUN]);
	jw_ki64(out, "revise", counts[TARGET_REVISE]);
	jw_kbool(out, "whole", whole);
	jw_end_object(out);
	return rc;
}

/* ---- cursors ---- */

/* Key: DAG, 0, step, 0, item. */
int show_cursor(const struct view *v, struct slice key, struct slice value, struct jw *out)
{
	const char *dag = key.p, *step, *end = dag + key.n, *item;
	char id[HASH_ID_TEXT], name[PLAN_KEY_MAX];
	struct json *j = NULL;
	struct cursor_rec c;
	struct slice text;
	struct run_rec r;
	size_t n;
	int rc = cursor_decode(value, &c, &text);

	step = rc == 0 ? memchr(dag, 0, key.n) : NULL;
	item = step != NULL ? memchr(step + 1, 0, (size_t)(end - step - 1)) : NULL;
	if (rc != 0 || item == NULL || (size_t)(end - item - 1) >= sizeof(name))
		return rc != 0 ? rc : ERR_CORRUPT;
	n = (size_t)(end - item - 1);
	memcpy(name, item + 1, n);
	name[n] = 0;
	jw_object(out);
	jw_kstr(out, "dag", dag);
	jw_kstr(out, "step", step + 1);
	jw_kstr(out, "item", n > 0 ? name : NULL);
	jw_key(out, "cursor");
	if (json_parse(text.p, text.n, 1u << 20, &j, NULL) == 0)
		jw_json(out, j);
	else
		jw_null(out);
	json_free(j);
	jw_ktime(out, "complete_through", c.complete_through);
	if (c.run != 0 && run_get(v, c.run, &r) == 0)
		jw_kstr(out, "run", (hash_to_base32(r.id, id), id));
	else
		jw_kstr(out, "run", NULL);
	jw_ktime(out, "updated_at", c.updated_at);
	jw_end_object(out);
	return 0;
}
