/* model.c: the runs that there must be, by identity: for each schedule every instant that counts,
 * in the manner of Jepsen's checker for Chronos; the rest in model_start.c. At the end the store
 * must hold exactly these: missed 0, extra 0. */
#include "core/time/calendar.h"
#include "tests/sim/sim.h"

#include <stdio.h>
#include <string.h>

#define GRACE_US                                                                                   \
	(60 * US_PER_S) /* sluice-dag(5): a tick at most this late counts without catchup */

/* ---- names of runs ---- */

void model_want(struct world *w, const char *name, wall_us due)
{
	struct target *t;

	if (map_find(&w->target_of, text_hash(name)) != UINT32_MAX)
		return;
	map_add(&w->target_of, text_hash(name), (uint32_t)w->targets.n);
	t = VEC_PUSH(&w->targets);
	memset(t, 0, sizeof(*t));
	str_copy(t->name, sizeof(t->name), name);
	t->due = due;
}

uint32_t *model_counter(struct world *w, const char *name)
{
	uint32_t at = map_find(&w->counter_of, text_hash(name));

	if (at == UINT32_MAX) {
		at = (uint32_t)w->counters.n;
		map_add(&w->counter_of, text_hash(name), at);
		VEC_ADD(&w->counters, 0);
	}
	return &w->counters.v[at];
}

bool model_paused(const struct world *w, uint32_t dag)
{
	return w->paused_all || w->dag[dag].paused;
}

void model_time_name(
    const struct spec *s, const struct spec_trigger *t, wall_us at, char *out, size_t n)
{
	char key[CLOCK_TEXT_MAX + CAL_KEY_MAX];
	enum cal_unit unit;
	wall_us start, end;

	if (t == NULL || t->covers == NULL || cal_unit_parse(t->covers, &unit) != 0) {
		clock_format(at, key);
	} else {
		cal_window(unit, t->zone, at, t->offset, &start, &end);
		cal_key(unit, t->zone, start, key);
	}
	snprintf(out, n, "%s|time|%s/%s|0", s->name, t != NULL ? t->name : "", key);
}

/* ---- time ---- */

int model_next(const struct spec_trigger *t, wall_us after, wall_us *ret)
{
	if (t->kind == TRIGGER_CRON)
		return real_cron_next(&t->cron, t->zone, after, t->gap, t->overlap, ret);
	*ret = (after / t->each_us + 1) * t->each_us;
	return 0;
}

static bool timed(const struct spec_trigger *t)
{
	return t->kind == TRIGGER_CRON || t->kind == TRIGGER_EVERY;
}

static void schedules(struct world *w, uint32_t d, bool on, wall_us now)
{
	for (int i = 0; i < SIM_TRIGGERS; i++) {
		w->dag[d].schedule[i].armed = on;
		w->dag[d].schedule[i].cursor = now;
		w->dag[d].schedule[i].since = w->mono;
	}
}

/* How late it is; a second is too late where the daemon was there all the time, its store could be
 * written and nobody set the clock. */
static void late(struct world *w, const struct schedule *s, wall_us at, wall_us now)
{
	mono_us due = at - w->offset;
	int64_t late_us = now - at;

	if (due < w->up_since || due < w->clock_set_at || due < s->since ||
	    w->fault_on[FAULT_FULL]) {
		if (late_us > w->fig->late_down_us)
			w->fig->late_down_us = late_us;
		return;
	}
	if (late_us > w->fig->late_up_us)
		w->fig->late_up_us = late_us;
	if (late_us > US_PER_S)
		fail(w, "a tick came %lld ms late with the daemon there all the time",
		    (long long)(late_us / US_PER_MS));
}

static void due(struct world *w, const struct spec *s, uint32_t i, wall_us now)
{
	const struct spec_trigger *t = &s->triggers[i];
	struct schedule *at = &w->dag[s->dag].schedule[i];
	wall_us instant = at->cursor, oldest = now - GRACE_US - 1;
	char name[160];

	if (instant < oldest)
		instant = oldest;
	while (model_next(t, instant, &instant) == 0 && instant <= now) {
		model_time_name(s, t, instant, name, sizeof(name));
		model_want(w, name, instant);
		w->fig->ticks++;
		late(w, at, instant, now);
	}
	if (at->cursor < now)
		at->cursor = now;
}

static void all_due(struct world *w, wall_us now)
{
	for (uint32_t d = 0; d < SIM_DAGS; d++) {
		const struct spec *s = w->dag[d].spec;

		for (uint32_t i = 0; s != NULL && i < s->n_triggers; i++) {
			if (timed(&s->triggers[i]) && w->dag[d].schedule[i].armed)
				due(w, s, i, now);
		}
	}
}

/* ---- files, pause ---- */

static void plans(struct world *w, const struct sim_op *o, wall_us now)
{
	for (size_t i = 0; i < o->op.u.plans.n_files; i++) {
		const struct op_file *f = &o->op.u.plans.files[i];
		uint32_t d = o->specs[i]->dag;
		struct mdag *at = &w->dag[d];

		if (f->gone) {
			at->spec = NULL;
			schedules(w, d, false, now);
			memset(at->join, 0, sizeof(at->join));
			continue;
		}
		if (f->plan == NULL || at->spec == o->specs[i])
			continue;
		at->there = true;
		at->spec = o->specs[i];
		memset(at->join, 0, sizeof(at->join));
		schedules(w, d, !model_paused(w, d), now);
	}
}

static void pause(struct world *w, const struct sim_op *o, wall_us now)
{
	bool on = o->op.u.pause.on, changed;

	for (uint32_t d = 0; d < SIM_DAGS; d++) {
		if (o->op.u.pause.dag != NULL && (d != o->arg || w->dag[d].paused == on))
			continue;
		if (o->op.u.pause.dag != NULL)
			w->dag[d].paused = on;
		else
			w->paused_all = on;
		changed = !model_paused(w, d);
		if (w->dag[d].spec != NULL)
			schedules(w, d, changed, now);
	}
}

void model_op(struct world *w, const struct sim_op *o, wall_us now)
{
	if (o->op.kind == OP_START) {
		model_manual(w, o);
		return;
	}
	if (o->result.rc != 0)
		return;
	switch (o->op.kind) {
	case OP_DUE:
		all_due(w, now);
		break;
	case OP_EVENT:
		model_event(w, o);
		break;
	case OP_PLANS:
		plans(w, o, now);
		break;
	case OP_PAUSE:
		pause(w, o, now);
		break;
	case OP_TOUCH:
		model_published(w, SIM_SETS - 1, o->partition, true, true);
		break;
	default:
		break;
	}
}

/* ---- the end ---- */

static const char *space_text(enum key_space s)
{
	static const char *const names[SPACE_N] = {"time", "key", "join", "event"};

	return names[s];
}

static void name_of(const struct run_rec *r, char *out, size_t n)
{
	if (r->space == SPACE_TIME)
		snprintf(out, n, "%.20s|time|%.20s/%.80s|%u", r->dag, r->trigger_name, r->key,
		    r->revision);
	else
		snprintf(
		    out, n, "%.20s|%s|%.80s|%u", r->dag, space_text(r->space), r->key, r->revision);
}

static void find_run(struct world *w, const struct run_rec *r)
{
	struct target *t;
	char name[160];
	uint32_t at;

	name_of(r, name, sizeof(name));
	w->fig->runs++;
	at = map_find(&w->target_of, text_hash(name));
	if (at == UINT32_MAX) {
		w->fig->extra++;
		fail(w, "extra: run %llu %s has no cause", (unsigned long long)r->no, name);
		return;
	}
	t = &w->targets.v[at];
	if (t->seen) {
		w->fig->extra++;
		fail(w, "extra: run %llu %s is there twice", (unsigned long long)r->no, name);
	}
	t->seen = true;
	if (t->due != TIME_NONE && r->started_at != TIME_NONE && r->queued_at >= t->due &&
	    r->started_at - t->due > w->fig->late_start_us && !w->fault_on[FAULT_CLOCK])
		w->fig->late_start_us = r->started_at - t->due;
}

static void find_events(struct world *w, const struct view *v)
{
	for (size_t i = 0; i < w->hooks.n && !w->failed; i++) {
		const struct hook_event *h = &w->hooks.v[i];
		struct event_rec e;

		if (!h->acked)
			fail(w, "event %s was never acknowledged", h->id);
		else if (h->seq == 0 || event_get(v, h->seq, &e, NULL) != 0 ||
			 strcmp(e.external_id, h->id) != 0)
			fail(w, "event %s was acknowledged and is not there", h->id);
	}
}

void model_end(struct world *w)
{
	struct view_walk walk;
	struct slice value;
	struct run_rec r;
	const struct view *v;

	if (bed_begin(w->bed) != 0)
		fail(w, "the store cannot be read");
	v = bed_view(w->bed);
	find_events(w, v);
	view_walk_init(&walk, v, TABLE_RUN, NULL, 0, false);
	while (!w->failed && view_walk_next(&walk, &value) == 0) {
		if (run_decode(value, &r, NULL) != 0)
			fail(w, "a run cannot be read");
		else
			find_run(w, &r);
	}
	bed_abort(w->bed);
	for (size_t i = 0; i < w->targets.n && !w->failed; i++) {
		if (w->targets.v[i].seen)
			continue;
		w->fig->missed++;
		fail(w, "missed: there is no run %s", w->targets.v[i].name);
	}
}
