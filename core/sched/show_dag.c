/* show_dag.c: a DAG as a JSON object: its file, plan, triggers with their next instants, last run.
 */
#include "core/sched/show.h"
#include "core/sched/table.h"

#include <string.h>

static const char *state_name(enum dag_state s)
{
	static const char *const names[] = {"live", "broken", "gone"};

	return names[s];
}

/* "errors" and "warnings" of the file as it was compiled last. */
static int put_report(const struct view *v, const struct dag_rec *d, struct jw *out)
{
	const struct json *list;
	struct json *report = NULL;
	struct slice text;
	struct file_rec f;
	int rc = file_get(v, d->file, &f, &text);

	if (rc != 0 && rc != ERR_NOT_FOUND)
		return rc;
	if (rc == 0 && json_parse(text.p, text.n, PLAN_MAX_BYTES, &report, NULL) != 0)
		report = NULL;
	jw_key(out, "errors");
	list = json_get(report, "errors");
	if (list != NULL)
		jw_json(out, list);
	else
		jw_raw(out, "[]");
	jw_key(out, "warnings");
	list = json_get(report, "warnings");
	if (list != NULL)
		jw_json(out, list);
	else
		jw_raw(out, "[]");
	json_free(report);
	return 0;
}

static int put_trigger(const struct view *v, const struct dag_rec *d, const struct plan_trigger *t,
    wall_us *next, struct jw *out)
{
	struct sched_rec s;
	int rc = schedule_get(v, d->no, t->name, &s);

	if (rc != 0 && rc != ERR_NOT_FOUND)
		return rc;
	jw_object(out);
	jw_kstr(out, "name", t->name);
	jw_kstr(out, "kind", trigger_kind_name(t->kind));
	if (t->cron != NULL)
		jw_kstr(out, "cron", t->cron);
	if (t->hook != NULL)
		jw_kstr(out, "hook", t->hook);
	jw_kstr(out, "zone", t->zone);
	if (rc == 0) {
		jw_ktime(out, "last", s.last);
		jw_ktime(out, "next", s.next);
		jw_ktime(
		    out, "start", s.next != TIME_NONE && s.start_at != 0 ? s.start_at : s.next);
		show_schedule(t, &s, out);
		if (s.next != TIME_NONE && (*next == TIME_NONE || s.next < *next))
			*next = s.next;
	}
	if (t->n_members > 0) {
		jw_key(out, "datasets");
		jw_array(out);
		for (size_t i = 0; i < t->n_members; i++)
			jw_str(out, t->members[i].dataset);
		jw_end_array(out);
	}
	jw_end_object(out);
	return 0;
}

static int put_plan(const struct view *v, const struct dag_rec *d, bool whole, struct jw *out)
{
	char sha[7 + 2 * HASH_SHA256_BYTES + 1] = "sha256:";
	wall_us next = TIME_NONE;
	const struct plan *p;
	int rc;

	if (!d->has_plan) {
		jw_kstr(out, "plan", NULL);
		jw_ktime(out, "next", TIME_NONE);
		return 0;
	}
	rc = dag_plan(v, d, &p);
	if (rc != 0)
		return rc;
	hash_to_hex(d->plan, sizeof(d->plan), sha + 7);
	jw_kstr(out, "plan", sha);
	jw_kstr(out, "description", p->description);
	jw_kstr(out, "owner", p->owner);
	jw_kstr(out, "timezone", p->timezone);
	jw_kstr(out, "promise", p->promise);
	jw_ki64(out, "max_runs", p->max_runs);
	jw_key(out, "triggers");
	jw_array(out);
	for (size_t i = 0; rc == 0 && i < p->n_triggers; i++)
		rc = put_trigger(v, d, &p->triggers[i], &next, out);
	jw_end_array(out);
	jw_ktime(out, "next", d->state == DAG_GONE ? TIME_NONE : next);
	jw_key(out, "steps");
	jw_array(out);
	for (size_t i = 0; i < p->n_steps; i++)
		jw_str(out, p->steps[i].name);
	jw_end_array(out);
	if (whole) {
		jw_key(out, "definition");
		jw_json(out, p->root);
	}
	return rc;
}

static int put_last_run(const struct view *v, const struct dag_rec *d, struct jw *out)
{
	struct view_walk w;
	uint64_t no;
	struct key k;
	int rc;

	jw_key(out, "last_run");
	key_init(&k);
	key_u32(&k, d->no);
	view_walk_init(&w, v, TABLE_RUN_DAG, k.b, k.n, true);
	rc = view_walk_next(&w, NULL);
	if (rc == ERR_NOT_FOUND) {
		jw_null(out);
		return 0;
	}
	if (rc == 0)
		rc = key_tail_u64((struct slice){w.key, w.key_n}, &no);
	return rc != 0 ? rc : show_run(v, no, false, out);
}

static int put_counts(const struct view *v, const struct dag_rec *d, struct jw *out)
{
	struct view_walk w;
	uint64_t running, queued = 0;
	char name[32];
	struct key k;
	int rc;

	count_name_runs(name, d->no);
	rc = count_get(v, name, &running);
	if (rc != 0)
		return rc;
	key_init(&k);
	key_u32(&k, d->no);
	view_walk_init(&w, v, TABLE_RUN_QUEUE, k.b, k.n, false);
	while (queued < 1000 && (rc = view_walk_next(&w, NULL)) == 0)
		queued++;
	jw_ki64(out, "running", (int64_t)running);
	jw_ki64(out, "queued", (int64_t)queued); /* 1000: that or more */
	return rc == ERR_NOT_FOUND ? 0 : rc;
}

int show_dag(const struct view *v, uint32_t dag_no, bool with_plan, wall_us now, struct jw *out)
{
	struct dag_rec d;
	int rc = dag_get(v, dag_no, &d);

	(void)now;
	if (rc != 0)
		return rc;
	jw_object(out);
	jw_kstr(out, "dag", d.name);
	jw_kstr(out, "state", state_name(d.state));
	jw_kbool(out, "paused", dag_is_paused(v, &d));
	jw_kstr(out, "file", d.file);
	jw_ktime(out, "changed_at", d.changed_at);
	rc = put_plan(v, &d, with_plan, out);
	if (rc == 0)
		rc = put_counts(v, &d, out);
	if (rc == 0)
		rc = put_last_run(v, &d, out);
	if (rc == 0)
		rc = put_report(v, &d, out);
	jw_end_object(out);
	return rc;
}
