/* why.c: runs, DAGs, events and data sets: one sentence a reason. */
#include "core/sched/why.h"

#include "core/sched/codec.h"
#include "core/sched/show.h"
#include "core/sched/tx.h"
#include "core/sched/why_part.h"

#include <stdio.h>
#include <string.h>

void why_begin(struct why *w, const char *state)
{
	w->n = 0;
	jw_object(w->out);
	jw_kstr(w->out, "state", state);
	jw_key(w->out, "reasons");
	jw_array(w->out);
}

void why_end(struct why *w)
{
	jw_end_array(w->out);
	jw_end_object(w->out);
}

void why_add(struct why *w, const char *code, const char *subject, const char *fmt, ...)
{
	char text[2048];
	va_list ap;

	if (w->n++ >= WHY_REASONS_MAX)
		return;
	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	jw_object(w->out);
	jw_kstr(w->out, "code", code);
	jw_kstr(w->out, "text", text);
	jw_kstr(w->out, "subject", subject);
	jw_end_object(w->out);
}

/* ---- runs ---- */

/* The runs that use up max_runs. */
static int add_active(struct why *w, const struct run_rec *r, uint32_t max)
{
	uint8_t prefix = RUN_RUNNING;
	char id[HASH_ID_TEXT];
	struct view_walk walk;
	struct run_rec other;
	uint64_t no;
	int rc;

	view_walk_init(&walk, w->v, TABLE_RUN_STATE, &prefix, 1, false);
	while (w->n < 5 && (rc = view_walk_next(&walk, NULL)) == 0) {
		rc = key_tail_u64((struct slice){walk.key, walk.key_n}, &no);
		if (rc == 0)
			rc = run_get(w->v, no, &other);
		if (rc != 0)
			return rc;
		if (other.dag_no != r->dag_no)
			continue;
		hash_to_base32(other.id, id);
		why_add(w, "max_runs", id,
		    "the run waits: max_runs %u of DAG %s is used by run %s (%s)", max, r->dag, id,
		    other.key);
	}
	return 0;
}

static int add_before(struct why *w, const struct run_rec *r)
{
	struct view_walk walk;
	uint64_t before = 0;
	struct key k, own;
	int rc = 0;

	key_run_queue(&own, r);
	key_init(&k);
	key_u32(&k, r->dag_no);
	view_walk_init(&walk, w->v, TABLE_RUN_QUEUE, k.b, k.n, false);
	while (before < 10000 && (rc = view_walk_next(&walk, NULL)) == 0) {
		if (walk.key_n == own.n && memcmp(walk.key, own.b, own.n) == 0)
			break;
		before++;
	}
	if (rc != 0 && rc != ERR_NOT_FOUND)
		return rc;
	if (before > 0)
		why_add(w, "queue", r->dag, "%llu queued runs of DAG %s come before it",
		    (unsigned long long)before, r->dag);
	return 0;
}

static int why_queued(struct why *w, const struct run_rec *r, const struct plan *plan)
{
	const struct plan *newest;
	uint32_t max = plan->max_runs;
	char at[CLOCK_TEXT_MAX];
	struct dag_rec d;
	int rc = dag_get(w->v, r->dag_no, &d);

	if (rc != 0)
		return rc;
	if (dag_is_paused(w->v, &d))
		why_add(w, "paused", r->dag,
		    "the run waits: %s paused; `sluice resume %s` lets it go on",
		    d.paused ? "its DAG is" : "all DAGs are", d.paused ? r->dag : "--all");
	if (dag_plan(w->v, &d, &newest) == 0)
		max = newest->max_runs;
	rc = add_active(w, r, max);
	if (rc == 0)
		rc = add_before(w, r);
	if (rc == 0 && r->queue_until != 0)
		why_add(w, "queue_timeout", r->dag,
		    "queue_timeout: the run is cancelled if it still waits at %s",
		    clock_format(r->queue_until, at));
	return rc;
}

/* Steps in the states that explain the run's; waiting ones only where nothing else is to say. */
static int add_steps(struct why *w, const struct run_rec *r, const struct plan *plan, bool waiting)
{
	bool ended = run_state_ended(r->state);
	struct view_walk walk;
	struct step_rec s;
	struct slice value;
	struct key k;
	int rc;

	key_run(&k, r->no);
	view_walk_init(&walk, w->v, TABLE_STEP, k.b, k.n, false);
	while (w->n < WHY_REASONS_MAX && (rc = view_walk_next(&walk, &value)) == 0) {
		bool tells;

		rc = step_decode(value, &s, NULL);
		if (rc == 0 && s.step >= plan->n_steps)
			rc = ERR_CORRUPT;
		if (rc != 0)
			return rc;
		if (ended)
			tells = s.state == STEP_FAILED || s.state == STEP_CANCELLED;
		else
			tells = !step_state_ended(s.state) && (s.state != STEP_WAITING) == !waiting;
		/* a group speaks through its items */
		if (tells && s.item == 0 && s.items > 0 && !ended)
			continue;
		if (tells)
			rc = why_step_state(w, r, plan, &s);
		if (rc != 0)
			return rc;
	}
	return 0;
}

/* The backfill that made it, or that runs it again. */
static int add_backfill(struct why *w, const struct run_rec *r)
{
	struct backfill_rec b;
	char subject[32];
	int rc;

	if (r->backfill == 0)
		return 0;
	rc = backfill_get(w->v, r->backfill, &b);
	if (rc != 0)
		return rc;
	snprintf(subject, sizeof(subject), "backfill:%llu", (unsigned long long)b.no);
	why_add(w, "backfill", subject,
	    "the run belongs to backfill %llu of DAG %s from %s to %s, which is %s: `sluice "
	    "backfill "
	    "show %llu`",
	    (unsigned long long)b.no, b.dag, b.from_text, b.to_text, backfill_state_name(b.state),
	    (unsigned long long)b.no);
	return 0;
}

/* A mended file is of no use to a run that keeps the plan it had. */
static int add_changed(struct why *w, const struct run_rec *r, const char *id)
{
	const struct plan *newest;
	struct dag_rec d;
	int rc = dag_get(w->v, r->dag_no, &d);

	if (rc == ERR_NOT_FOUND || (rc == 0 && d.state == DAG_GONE))
		return 0;
	if (rc == 0)
		rc = dag_plan(w->v, &d, &newest);
	if (rc != 0)
		return rc == ERR_NOT_FOUND ? 0 : rc;
	if (memcmp(newest->sha, r->plan, sizeof(r->plan)) != 0)
		why_add(w, "plan", r->dag,
		    "DAG %s has changed since: `sluice rerun %s --plan latest` goes on with what it"
		    " is now",
		    r->dag, id);
	return 0;
}

static int why_whole_run(struct why *w, const struct run_rec *r, const struct plan *plan)
{
	char at[CLOCK_TEXT_MAX], id[HASH_ID_TEXT];
	int rc = 0;

	hash_to_base32(r->id, id);
	if (r->message[0] != 0)
		why_add(w, r->cancel ? "cancelled" : "message", id, "the run: %s", r->message);
	if (r->state == RUN_QUEUED)
		return why_queued(w, r, plan);
	if (r->state != RUN_SUCCEEDED)
		rc = add_steps(w, r, plan, false);
	if (rc == 0 && w->n == 0 && r->state == RUN_RUNNING)
		rc = add_steps(w, r, plan, true);
	if (rc == 0 && r->state == RUN_FAILED)
		rc = add_changed(w, r, id);
	if (rc == 0 && w->n == 0)
		why_add(w, run_state_name(r->state), id, "the run %s at %s",
		    run_state_name(r->state), clock_format(r->ended_at, at));
	return rc;
}

static int why_one_step(struct why *w, const struct run_rec *r, const struct plan *plan,
    const char *step, const char *item, struct err *err)
{
	char name[PLAN_NAME_MAX + PLAN_KEY_MAX + 4];
	struct step_ref ref;
	struct step_rec s;
	int rc;

	if (item != NULL && item[0] != 0)
		snprintf(name, sizeof(name), "%.63s[%.255s]", step, item);
	else
		snprintf(name, sizeof(name), "%.320s", step);
	rc = find_step(w->v, r->no, name, &ref, err);
	if (rc == 0)
		rc = step_get(w->v, &ref, &s);
	if (rc != 0)
		return rc;
	why_begin(w, step_state_name(s.state));
	if (r->state == RUN_QUEUED && !step_state_ended(s.state))
		rc = why_queued(w, r, plan);
	if (rc == 0)
		rc = why_step_state(w, r, plan, &s);
	why_end(w);
	return rc;
}

int why_run(const struct view *v, const struct sched_env *env, uint64_t run, const char *step,
    const char *item, wall_us now, struct jw *out, struct err *err)
{
	struct why w = {v, env, now, out, 0};
	const struct plan *plan;
	struct run_rec r;
	int rc = run_get(v, run, &r);

	if (rc != 0)
		return err_set(err, rc, "there is no such run");
	rc = v->plan(v->ctx, r.plan, &plan, err);
	if (rc != 0)
		return rc;
	if (step != NULL && step[0] != 0)
		return why_one_step(&w, &r, plan, step, item, err);
	why_begin(&w, run_state_name(r.state));
	rc = why_whole_run(&w, &r, plan);
	if (rc == 0)
		rc = add_backfill(&w, &r);
	why_end(&w);
	return rc;
}

/* ---- DAGs ---- */

static int add_broken(struct why *w, const struct dag_rec *d)
{
	struct json *report = NULL;
	const struct json *e;
	struct slice text;
	struct file_rec f;
	int rc = file_get(w->v, d->file, &f, &text);

	if (rc == ERR_NOT_FOUND)
		return 0;
	if (rc != 0)
		return rc;
	if (json_parse(text.p, text.n, PLAN_MAX_BYTES, &report, NULL) != 0)
		report = NULL;
	e = json_first(json_get(report, "errors"));
	why_add(w, "broken", d->file,
	    "the file does not compile: %s:%lld:%lld %s; the last good plan runs", d->file,
	    (long long)json_get_i64(e, "line", 1), (long long)json_get_i64(e, "column", 1),
	    json_get_str(e, "message", "see `sluice check`"));
	json_free(report);
	return 0;
}

static int add_joins(struct why *w, const struct dag_rec *d, const struct plan_trigger *t)
{
	struct view_walk walk;
	struct join_rec j;
	struct slice value;
	struct key k;
	int rc;

	key_init(&k);
	key_u32(&k, d->no);
	key_text0(&k, t->name);
	view_walk_init(&walk, w->v, TABLE_JOIN, k.b, k.n, false);
	while ((rc = view_walk_next(&walk, &value)) == 0) {
		rc = join_decode(value, &j, NULL);
		if (rc != 0)
			return rc;
		for (size_t i = 0; j.met > 0 && i < t->n_members; i++) {
			struct dataset_rec ds;
			struct slice there;

			if (dataset_get_named(w->v, t->members[i].dataset, &ds) == 0) {
				key_join_member(&k, d->no, t->name, j.key, ds.no);
				if (view_get(w->v, TABLE_JOIN_MEMBER, k.b, k.n, &there) == 0)
					continue;
			}
			why_add(w, "join", t->members[i].dataset,
			    "waits in join %s%s%s: missing %s", t->name,
			    j.key[0] != 0 ? " for " : "", j.key, t->members[i].dataset);
		}
	}
	return rc == ERR_NOT_FOUND ? 0 : rc;
}

static int add_trigger(struct why *w, const struct dag_rec *d, const struct plan_trigger *t)
{
	struct sched_rec s;
	int rc = schedule_get(w->v, d->no, t->name, &s);

	if (rc == 0 && trigger_is_timed(t)) {
		why_schedule(w, d, t, &s);
		return 0;
	}
	if (t->kind == TRIGGER_WEBHOOK)
		why_add(w, "webhook", t->name, "trigger %s waits for POST /hooks/%s", t->name,
		    t->hook != NULL ? t->hook : "?");
	if (t->kind == TRIGGER_DATASETS) {
		uint32_t before = w->n;

		rc = add_joins(w, d, t);
		if (rc == 0 && w->n == before)
			why_add(w, "datasets", t->members[0].dataset,
			    "trigger %s waits for an update of %s%s", t->name,
			    t->members[0].dataset, t->n_members > 1 ? " and others" : "");
		return rc;
	}
	return rc == ERR_NOT_FOUND ? 0 : rc;
}

static int why_plan(struct why *w, const struct dag_rec *d)
{
	const struct plan *p;
	int rc = dag_plan(w->v, d, &p);

	for (size_t i = 0; rc == 0 && i < p->n_triggers; i++)
		rc = add_trigger(w, d, &p->triggers[i]);
	if (rc == 0 && p->n_triggers == 0)
		why_add(w, "manual", d->name, "DAG %s has no trigger: `sluice run %s` starts it",
		    d->name, d->name);
	return rc;
}

/* The newest run, where it did not end well: the DAG's name is what people ask for first. */
static int add_newest(struct why *w, const struct dag_rec *d)
{
	const struct plan *plan;
	struct view_walk walk;
	struct run_rec r;
	struct key k;
	char id[HASH_ID_TEXT];
	uint64_t no;
	int rc;

	key_init(&k);
	key_u32(&k, d->no);
	view_walk_init(&walk, w->v, TABLE_RUN_DAG, k.b, k.n, true);
	rc = view_walk_next(&walk, NULL);
	if (rc == 0)
		rc = key_tail_u64((struct slice){walk.key, walk.key_n}, &no);
	if (rc == 0)
		rc = run_get(w->v, no, &r);
	if (rc != 0)
		return rc == ERR_NOT_FOUND ? 0 : rc;
	if (r.state == RUN_SUCCEEDED)
		return 0;
	hash_to_base32(r.id, id);
	why_add(w, "newest_run", id, "its newest run, %s %.100s, is %s", id, r.key,
	    run_state_name(r.state));
	rc = w->v->plan(w->v->ctx, r.plan, &plan, NULL);
	return rc != 0 ? 0 : why_whole_run(w, &r, plan);
}

int why_dag(const struct view *v, const struct sched_env *env, const char *dag, wall_us now,
    struct jw *out, struct err *err)
{
	static const char *const names[] = {"live", "broken", "gone"};
	struct why w = {v, env, now, out, 0};
	struct dag_rec d;
	bool paused;
	int rc = dag_get_named(v, dag, &d);

	if (rc != 0)
		return rc == ERR_NOT_FOUND ? find_no_dag(v, dag, err) : rc;
	paused = dag_is_paused(v, &d);
	why_begin(&w, paused ? "paused" : names[d.state]);
	if (paused)
		why_add(&w, "paused", dag, "%s paused: `sluice resume %s` lets it go on",
		    d.paused ? "the DAG is" : "all DAGs are", d.paused ? dag : "--all");
	if (d.state == DAG_GONE)
		why_add(&w, "gone", d.file, "its file %s is gone: no trigger starts it", d.file);
	if (d.state == DAG_BROKEN)
		rc = add_broken(&w, &d);
	if (rc == 0 && d.has_plan && d.state != DAG_GONE)
		rc = why_plan(&w, &d);
	if (rc == 0)
		rc = add_newest(&w, &d);
	why_end(&w);
	return rc;
}

/* ---- events and data sets ---- */

int why_event(const struct view *v, uint64_t seq, struct jw *out, struct err *err)
{
	struct why w = {v, NULL, 0, out, 0};
	char id[HASH_ID_TEXT];
	struct event_rec e;
	struct run_rec r;
	int rc = event_get(v, seq, &e, NULL);

	if (rc != 0)
		return err_set(err, rc, "there is no event %llu", (unsigned long long)seq);
	why_begin(&w, verdict_name(e.verdict));
	for (uint32_t i = 0; i < e.n_runs && i < 16; i++) {
		if (run_get(v, e.runs[i], &r) != 0)
			continue;
		hash_to_base32(r.id, id);
		why_add(&w, "run", id, "%s run %s of DAG %s (%s), which is %s",
		    e.verdict == VERDICT_STARTED ? "it started" : "it belongs to", id, r.dag, r.key,
		    run_state_name(r.state));
	}
	if (e.detail[0] != 0)
		why_add(&w, verdict_name(e.verdict), e.source, "%s", e.detail);
	why_end(&w);
	return 0;
}

static int add_producer(struct why *w, const struct dataset_rec *d)
{
	char id[HASH_ID_TEXT], at[CLOCK_TEXT_MAX];
	struct version_rec ver;
	struct run_rec r;
	int rc = version_get(w->v, d->no, d->version, &ver);

	if (rc != 0)
		return rc;
	if (ver.run == 0 || run_get(w->v, ver.run, &r) != 0) {
		why_add(w, "touched", d->name, "version %llu was reported from outside at %s",
		    (unsigned long long)d->version, clock_format(ver.visible_at, at));
		return 0;
	}
	hash_to_base32(r.id, id);
	why_add(w, "published", id, "version %llu%s%s was published at %s by run %s of DAG %s",
	    (unsigned long long)d->version, ver.partition[0] != 0 ? ", " : "", ver.partition,
	    clock_format(ver.visible_at, at), id, r.dag);
	return 0;
}

int why_dataset(
    const struct view *v, const char *name, wall_us now, struct jw *out, struct err *err)
{
	struct why w = {v, NULL, now, out, 0};
	char at[CLOCK_TEXT_MAX];
	struct dataset_rec d;
	int rc = dataset_get_named(v, name, &d);

	if (rc != 0)
		return err_set(err, rc, "there is no data set \"%.200s\"", name);
	why_begin(&w, d.version > 0 ? "published" : "unknown");
	if (d.version > 0)
		rc = add_producer(&w, &d);
	else
		why_add(&w, "unpublished", name, "%s was never published%s%s", name,
		    d.owner_dag[0] != 0 ? "; it is written by DAG " : "", d.owner_dag);
	if (d.complete_through != TIME_NONE)
		why_add(&w, "complete_through", name, "it is complete through %s",
		    clock_format(d.complete_through, at));
	why_end(&w);
	return rc;
}
