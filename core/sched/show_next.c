/* show_next.c: what the time triggers of a DAG will do: their next instants in one order, with
 * windows and notes at clock changes, and what each makes up for. Reads only. */
#include "core/sched/schedule.h"

#include "core/sched/show.h"
#include "core/time/cron.h"
#include "core/time/tz.h"

#include <string.h>

struct coming { /* a trigger and its first instant that was not shown */
	const struct plan_trigger *t;
	wall_us at; /* TIME_NONE: none is left */
};

struct list {
	const struct dag_rec *d;
	const struct plan *plan;
	struct coming *v; /* owned */
	size_t n;
	wall_us to; /* TIME_NONE: without end */
};

static void advance(const struct list *l, struct coming *c, wall_us after)
{
	if (trigger_next(c->t, after, &c->at, NULL) != 0 || (l->to != TIME_NONE && c->at > l->to))
		c->at = TIME_NONE;
}

static struct coming *first(const struct list *l)
{
	struct coming *found = NULL;

	for (size_t i = 0; i < l->n; i++) {
		if (l->v[i].at != TIME_NONE && (found == NULL || l->v[i].at < found->at))
			found = &l->v[i];
	}
	return found;
}

static const char *note_of(const struct plan_trigger *t, const struct tz *zone, wall_us at)
{
	enum cron_overlap overlap;
	enum cron_gap gap;
	struct cron cron;

	if (t->kind != TRIGGER_CRON || cron_parse(t->cron, &cron, NULL) != 0 ||
	    cron_gap_parse(t->gap, &gap) != 0 || cron_overlap_parse(t->overlap, &overlap) != 0)
		return NULL;
	return cron_note(&cron, zone, at, gap, overlap);
}

static int put_instant(const struct list *l, const struct coming *c, struct jw *out)
{
	const struct tz *zone;
	char text[TZ_TEXT_MAX];
	struct err err = {0};
	struct window w;
	int rc = tz_load(c->t->zone, &zone, &err);

	if (rc == 0)
		rc = window_of(c->t, c->at, &w, &err);
	if (rc != 0)
		return rc;
	jw_object(out);
	jw_kstr(out, "at", tz_format(zone, c->at, text));
	jw_ktime(out, "utc", c->at);
	jw_kstr(out, "trigger", c->t->name);
	jw_ktime(out, "start", trigger_start(l->d->name, c->t, c->at));
	jw_kstr(out, "key", w.key);
	jw_key(out, "window");
	if (w.start == TIME_NONE) {
		jw_null(out);
	} else {
		jw_object(out);
		jw_ktime(out, "start", w.start);
		jw_ktime(out, "end", w.end);
		jw_end_object(out);
	}
	jw_kstr(out, "note", note_of(c->t, zone, c->at));
	jw_end_object(out);
	return 0;
}

void show_schedule(const struct plan_trigger *t, const struct sched_rec *s, struct jw *out)
{
	static const char *const keeps[] = {"none", "latest", "all"};
	size_t last = 0;

	jw_key(out, "catchup");
	jw_object(out);
	jw_kstr(out, "keep", keeps[t->catchup]);
	jw_ki64(out, "within_ms", t->catchup_within_ms);
	jw_ki64(out, "at_once", t->catchup_at_once);
	jw_end_object(out);
	jw_ki64(out, "jitter_ms", t->jitter_us / US_PER_MS);
	jw_key(out, "missed");
	if (s->missed[0] == 0 && s->open[0] == 0) {
		jw_null(out);
		return;
	}
	while (last + 2 < 2 * SCHED_GAPS_MAX && s->missed[last + 2] != 0)
		last += 2;
	jw_object(out);
	jw_ktime(out, "after", s->missed[0] != 0 ? (wall_us)s->missed[0] : TIME_NONE);
	jw_ktime(out, "upto", s->missed[0] != 0 ? (wall_us)s->missed[last + 1] : TIME_NONE);
	jw_ki64(out, "open", (int64_t)catchup_open(s));
	jw_end_object(out);
}

static int put_trigger(
    const struct view *v, const struct dag_rec *d, const struct plan_trigger *t, struct jw *out)
{
	char text[CLOCK_TEXT_MAX];
	struct sched_rec s;
	int rc = schedule_get(v, d->no, t->name, &s);

	if (rc != 0)
		return rc;
	jw_object(out);
	jw_kstr(out, "name", t->name);
	jw_kstr(out, "kind", trigger_kind_name(t->kind));
	if (t->kind == TRIGGER_CRON)
		jw_kstr(out, "cron", t->cron);
	if (t->kind == TRIGGER_AT)
		jw_kstr(out, "at", clock_format_us(t->at_us, text));
	if (t->kind == TRIGGER_EVERY)
		jw_ki64(out, "each_ms", t->each_us / US_PER_MS);
	jw_kstr(out, "zone", t->zone);
	jw_ktime(out, "last", s.last);
	show_schedule(t, &s, out);
	jw_end_object(out);
	return 0;
}

static int read_time(
    const struct plan *p, const char *name, const char *text, wall_us *ret, struct err *err)
{
	const struct tz *zone;
	enum tz_fit fit;
	int rc;

	if (text == NULL || text[0] == 0)
		return 0;
	rc = tz_load(p->timezone, &zone, err);
	if (rc == 0 && tz_time_parse(zone, text, ret, &fit) != 0)
		rc = err_set(err, ERR_USAGE,
		    "%s: \"%.60s\" is no time: write 2026-11-21T17:30:00Z, or 2026-11-21 or "
		    "2026-11-21T17:30 in the DAG's zone %s",
		    name, text, p->timezone);
	return rc;
}

static int put_list(struct list *l, wall_us from, uint32_t count, struct jw *out)
{
	struct coming *c;
	int rc = 0;

	for (size_t i = 0; i < l->n; i++)
		advance(l, &l->v[i], from);
	while (rc == 0 && count-- > 0 && (c = first(l)) != NULL) {
		rc = put_instant(l, c, out);
		advance(l, c, c->at);
	}
	return rc;
}

static int put_all(
    const struct view *v, struct list *l, wall_us from, const struct next_query *q, struct jw *out)
{
	int rc;

	jw_object(out);
	jw_kstr(out, "dag", l->d->name);
	jw_kbool(out, "paused", dag_is_paused(v, l->d));
	jw_kstr(out, "timezone", l->plan->timezone);
	jw_key(out, "instants");
	jw_array(out);
	rc = put_list(l, from, q->count, out);
	jw_end_array(out);
	jw_kbool(out, "more", first(l) != NULL);
	jw_key(out, "triggers");
	jw_array(out);
	for (size_t i = 0; rc == 0 && i < l->n; i++)
		rc = put_trigger(v, l->d, l->v[i].t, out);
	jw_end_array(out);
	jw_end_object(out);
	return rc;
}

int show_next(const struct view *v, const struct dag_rec *d, const struct next_query *q,
    wall_us now, struct jw *out, struct err *err)
{
	struct list l = {.d = d, .to = TIME_NONE};
	wall_us from = now;
	int rc = d->has_plan ? dag_plan(v, d, &l.plan) : ERR_NOT_FOUND;

	if (rc == ERR_NOT_FOUND)
		return err_set(
		    err, ERR_CONFLICT, "DAG %s has never compiled: see `sluice check`", d->name);
	if (rc == 0)
		rc = read_time(l.plan, "from", q->from, &from, err);
	if (rc == 0)
		rc = read_time(l.plan, "to", q->to, &l.to, err);
	if (rc != 0)
		return rc;
	l.v = mem_calloc(l.plan->n_triggers + 1, sizeof(*l.v));
	for (size_t i = 0; i < l.plan->n_triggers && d->state != DAG_GONE; i++) {
		if (trigger_is_timed(&l.plan->triggers[i]))
			l.v[l.n++].t = &l.plan->triggers[i];
	}
	rc = put_all(v, &l, from, q, out);
	mem_free(l.v);
	return rc;
}
