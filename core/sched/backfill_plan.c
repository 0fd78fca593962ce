/* backfill_plan.c: a request for a backfill against the store, and the walk over its targets.
 *
 * With `covers` the range is over windows: a window is in it when it begins in it. Without, it is
 * over logical times. A bound is the key of a period (a day, an hour, a week, a month of the
 * trigger's zone), which is meant whole, or a time. Both bounds are inclusive; what has not come
 * yet is left out: its schedule will start it. */
#include "core/sched/backfill.h"
#include "core/sched/show.h"

#include "core/time/calendar.h"

#include <stdio.h>
#include <string.h>

#define PARALLEL_MAX 1000u

bool target_trigger(const struct plan_trigger *t)
{
	return t->kind == TRIGGER_CRON || t->kind == TRIGGER_AT || t->kind == TRIGGER_EVERY;
}

/* ---- bounds ---- */

static bool has_zone(const char *text)
{
	size_t n = strlen(text);

	return n > 16 &&
	       (text[n - 1] == 'Z' || text[n - 1] == 'z' || strpbrk(text + 16, "+-") != NULL);
}

/* The first and the last instant that a bound names. */
static int bound_parse(const struct tz *zone, const char *name, const char *text,
    wall_us *ret_first, wall_us *ret_last, struct err *err)
{
	enum cal_unit unit;
	char utc[64];

	if (cal_key_unit(text, &unit) == 0 &&
	    cal_key_parse(unit, zone, text, ret_first, NULL) == 0) {
		*ret_last = cal_add(unit, zone, *ret_first, 1) - 1;
		return 0;
	}
	if (has_zone(text) && clock_parse(text, ret_first) == 0) {
		*ret_last = *ret_first;
		return 0;
	}
	snprintf(utc, sizeof(utc), "%.40sZ", text);
	if (!has_zone(text) && clock_parse(utc, ret_first) == 0) {
		*ret_first = *ret_last = tz_from_civil(zone, *ret_first);
		return 0;
	}
	return err_set(err, ERR_USAGE,
	    "%s: \"%.40s\" is neither a day (2026-11-21), an hour (2026-11-21T05), a week "
	    "(2026-W47) or a month (2026-11) nor a time (2026-11-21T05:30:00Z)",
	    name, text);
}

/* Windows that begin in [first, last] as the logical times of their runs. */
static int window_bounds(
    const struct plan_trigger *t, const struct tz *zone, wall_us *from, wall_us *to)
{
	enum cal_unit unit;
	wall_us p;

	if (cal_unit_parse(t->covers_unit, &unit) != 0)
		return ERR_CONFIG;
	p = cal_start(unit, zone, *from);
	if (p < *from)
		p = cal_add(unit, zone, p, 1);
	*from = cal_add(unit, zone, p, -t->covers_offset);
	*to = cal_add(unit, zone, *to, 1 - t->covers_offset) - 1;
	return 0;
}

static int range_of(const struct plan_trigger *t, const struct op *op, wall_us now, wall_us *from,
    wall_us *to, struct err *err)
{
	const struct tz *zone;
	wall_us ignored;
	int rc = tz_load(t->zone, &zone, err);

	if (rc == 0)
		rc = bound_parse(zone, "from", op->u.backfill.from, from, &ignored, err);
	if (rc == 0)
		rc = bound_parse(zone, "to", op->u.backfill.to, &ignored, to, err);
	if (rc != 0)
		return rc;
	if (*to < *from)
		return err_set(err, ERR_USAGE, "to (%.40s) lies before from (%.40s)",
		    op->u.backfill.to, op->u.backfill.from);
	if (t->covers_unit != NULL && window_bounds(t, zone, from, to) != 0)
		return err_set(err, ERR_CONFIG, "covers: unit \"%s\" is unknown", t->covers_unit);
	if (*to > now)
		*to = now;
	return 0;
}

/* ---- targets ---- */

/* Of a window the first instant counts, whichever way the walk goes; *end: where its period ends,
 * *start: where it begins. */
static int first_of_window(const struct plan_trigger *t, wall_us *at, wall_us *start, wall_us *end)
{
	const struct tz *zone;
	enum cal_unit unit;
	int rc;

	*start = *at;
	*end = *at + 1;
	if (t->covers_unit == NULL)
		return 0;
	rc = tz_load(t->zone, &zone, NULL);
	if (rc == 0 && cal_unit_parse(t->covers_unit, &unit) != 0)
		rc = ERR_CONFIG;
	if (rc != 0)
		return rc;
	*start = cal_start(unit, zone, *at);
	*end = cal_add(unit, zone, *at, 1);
	return trigger_next(t, *start - 1, at, NULL);
}

int target_next(const struct plan_trigger *t, wall_us from, wall_us to, enum backfill_order order,
    wall_us pos, struct target *ret, struct err *err)
{
	wall_us start, end;
	int rc;

	if (order == BACKFILL_NEWEST)
		rc = trigger_prev(t, (pos < to ? pos : to) + 1, &ret->at, err);
	else
		rc = trigger_next(t, (pos > from ? pos : from) - 1, &ret->at, err);
	if (rc == 0 && (ret->at > to || ret->at < from))
		rc = ERR_NOT_FOUND;
	if (rc == 0)
		rc = first_of_window(t, &ret->at, &start, &end);
	if (rc == 0)
		rc = window_of(t, ret->at, &ret->w, err);
	if (rc != 0)
		return rc;
	ret->rest = order == BACKFILL_NEWEST ? start - 1 : end;
	if (ret->rest < from || ret->rest > to)
		ret->rest = TIME_NONE;
	return 0;
}

int target_judge(struct tx *x, const struct run_new *n, bool reprocess, struct run_rec *last,
    enum target_do *ret)
{
	uint8_t id[HASH_ID_BYTES];
	int rc = run_newest(x, n, last);

	*ret = TARGET_MAKE;
	if (rc == ERR_NOT_FOUND) {
		run_identity(n->dag->name, n->space, n->trigger, n->key, 0, id);
		if (run_is_tomb(x->v, id)) /* it ran, and retention has dropped it since */
			*ret = reprocess ? TARGET_REVISE : TARGET_KEEP;
		return 0;
	}
	if (rc != 0)
		return rc;
	if (!run_state_ended(last->state))
		*ret = TARGET_KEEP; /* it is under way */
	else if (reprocess)
		*ret = TARGET_REVISE;
	else
		*ret = last->state == RUN_SUCCEEDED ? TARGET_KEEP : TARGET_RERUN;
	return 0;
}

/* ---- a request ---- */

static int find_trigger(struct backfill_plan *p, const char *name, struct err *err)
{
	size_t n = 0;

	p->t = NULL;
	if (name != NULL && name[0] != 0) {
		p->t = plan_trigger_find(p->plan, name);
		if (p->t == NULL)
			return err_set(err, ERR_NOT_FOUND, "DAG %s has no trigger \"%.63s\"",
			    p->dag.name, name);
		if (!target_trigger(p->t))
			return err_set(err, ERR_USAGE,
			    "trigger %s of DAG %s is no schedule (cron, at, every): only windows "
			    "of a schedule can be filled",
			    name, p->dag.name);
		return 0;
	}
	for (size_t i = 0; i < p->plan->n_triggers; i++) {
		if (!target_trigger(&p->plan->triggers[i]))
			continue;
		p->t = &p->plan->triggers[i];
		n++;
	}
	if (n == 1)
		return 0;
	if (n == 0)
		return err_set(err, ERR_USAGE,
		    "DAG %s has no schedule, so it has no windows to fill: give it a trigger "
		    "cron, every or at, or start single runs with `sluice trigger %s --key KEY`",
		    p->dag.name, p->dag.name);
	return err_set(err, ERR_USAGE, "DAG %s has %zu time triggers: say which one with --trigger",
	    p->dag.name, n);
}

static int check_request(const struct op *op, struct err *err)
{
	const char *from = op->u.backfill.from, *to = op->u.backfill.to;

	if (from == NULL || from[0] == 0 || to == NULL || to[0] == 0)
		return err_set(err, ERR_USAGE, "a backfill needs from and to");
	if (strlen(from) > 40 || strlen(to) > 40)
		return err_set(err, ERR_USAGE, "from and to have at most 40 characters");
	if (op->u.backfill.max_parallel > PARALLEL_MAX)
		return err_set(err, ERR_USAGE, "max_parallel: 1 to %u", PARALLEL_MAX);
	return 0;
}

static void fill_rec(struct backfill_plan *p, const struct op *op, wall_us now)
{
	struct backfill_rec *b = &p->b;

	b->dag_no = p->dag.no;
	str_copy(b->dag, sizeof(b->dag), p->dag.name);
	str_copy(b->trigger, sizeof(b->trigger), p->t->name);
	str_copy(b->from_text, sizeof(b->from_text), op->u.backfill.from);
	str_copy(b->to_text, sizeof(b->to_text), op->u.backfill.to);
	str_copy(
	    b->actor, sizeof(b->actor), op->u.backfill.actor != NULL ? op->u.backfill.actor : "");
	b->order = op->u.backfill.order;
	b->downstream = op->u.backfill.downstream;
	b->reprocess = op->u.backfill.reprocess;
	b->max_parallel = op->u.backfill.max_parallel > 0 ? op->u.backfill.max_parallel : 1;
	b->next = b->order == BACKFILL_NEWEST ? b->to : b->from;
	b->counted = b->from;
	b->created_at = now;
	b->due_at = b->ended_at = TIME_NONE;
}

int backfill_prepare(const struct view *v, const struct op *op, wall_us now,
    struct backfill_plan *ret, struct err *err)
{
	struct target first;
	int rc = check_request(op, err);

	memset(&ret->b, 0, sizeof(ret->b));
	if (rc != 0)
		return rc;
	rc = dag_get_named(v, op->u.backfill.dag, &ret->dag);
	if (rc == ERR_NOT_FOUND || (rc == 0 && ret->dag.state == DAG_GONE))
		return find_no_dag(v, op->u.backfill.dag, err);
	if (rc == 0)
		rc = dag_plan(v, &ret->dag, &ret->plan);
	if (rc == ERR_NOT_FOUND)
		return err_set(err, ERR_CONFLICT, "DAG %s has never compiled: see `sluice check`",
		    ret->dag.name);
	if (rc == 0)
		rc = find_trigger(ret, op->u.backfill.trigger, err);
	if (rc == 0)
		rc = range_of(ret->t, op, now, &ret->b.from, &ret->b.to, err);
	if (rc != 0)
		return rc;
	fill_rec(ret, op, now);
	rc = ret->b.to < ret->b.from ? ERR_NOT_FOUND
				     : target_next(ret->t, ret->b.from, ret->b.to, BACKFILL_OLDEST,
					   ret->b.from, &first, err);
	if (rc == ERR_NOT_FOUND)
		return err_set(err, ERR_USAGE,
		    "trigger %s of DAG %s has no window from %s to %s that has come already",
		    ret->t->name, ret->dag.name, ret->b.from_text, ret->b.to_text);
	return rc;
}
