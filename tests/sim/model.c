/* model.c: the runs that there must be, by identity: for each schedule every instant that counts,
 * in the manner of Jepsen's checker for Chronos; the rest in model_start.c. At the end the store
 * must hold exactly these: missed 0, extra 0. */
#include "core/sched/tx.h"
#include "core/time/calendar.h"
#include "tests/sim/sim.h"

#include <stdio.h>
#include <string.h>

#define GRACE_US                                                                                   \
	(60 * US_PER_S) /* sluice-dag(5): a tick at most this late counts without catchup */

/* ---- names of runs ---- */

void model_want(struct world *w, const char *name, wall_us due)
{
	struct wanted *t;

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
	*ret = t->at;
	if (t->kind == TRIGGER_AT)
		return t->at > after ? 0 : ERR_NOT_FOUND;
	*ret = (after / t->each_us + 1) * t->each_us;
	return 0;
}

static bool timed(const struct spec_trigger *t)
{
	return t->kind == TRIGGER_CRON || t->kind == TRIGGER_EVERY || t->kind == TRIGGER_AT;
}

/* The instant and its jitter, which is the scheduler's own choice. */
static wall_us start_of(const struct spec *s, const struct spec_trigger *t, wall_us at)
{
	struct plan_trigger p = {.kind = t->kind,
	    .cron = t->expr,
	    .zone = t->zone_name,
	    .gap = t->gap_name,
	    .overlap = t->overlap_name,
	    .each_us = t->each_us,
	    .at_us = t->at,
	    .from_us = TIME_NONE,
	    .jitter_us = t->jitter_us};

	str_copy(p.name, sizeof(p.name), t->name);
	return t->jitter_us == 0 ? at : trigger_start(s->name, &p, at);
}

static void sched_new(struct world *w, struct sched *s, wall_us now)
{
	s->cursor = now;
	s->since = w->mono;
	VEC_CLEAR(&s->missed);
	VEC_CLEAR(&s->open);
	s->gaps = 0;
	s->set_back = false;
}

/* How late it is; a second is too late where the daemon was there all the time, its store could be
 * written and nobody set the clock. */
static void late(struct world *w, const struct sched *s, wall_us at, wall_us now)
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

static void tick(struct world *w, const struct spec *s, uint32_t i, wall_us instant, wall_us now)
{
	const struct spec_trigger *t = &s->triggers[i];
	char name[160];

	model_time_name(s, t, instant, name, sizeof(name));
	if (map_find(&w->target_of, text_hash(name)) == UINT32_MAX && !overlap_made(w, name) &&
	    overlap_full(w, s)) {
		w->fig->skipped++;
		return;
	}
	model_want(w, name, instant);
	w->fig->ticks++;
	late(w, &w->dag[s->dag].sched[i], start_of(s, t, instant), now);
}

static bool is_within(const struct spec_trigger *t, wall_us instant, wall_us now)
{
	return t->within_ms < 0 || now - instant <= t->within_ms * US_PER_MS;
}

/* ---- how far the work that is due has come ---- */

/* One operation works off so much of it, the oldest first, and the next one has a later `now`. The
 * store says where it stopped, and is taken at its word: what lies before that has been decided. */
struct reached {
	bool moving; /* a set clock: nothing else is done until all waits have moved */
	bool all;
	struct due_key next; /* the first that is left */
	struct slice sched;  /* moving: schedules up to this key have been set back */
};

static uint32_t dag_no(struct world *w, const struct spec *s)
{
	struct dag_rec d;

	return dag_get_named(bed_view(w->bed), s->name, &d) == 0 ? d.no : 0;
}

static void reached_read(struct world *w, wall_us now, struct reached *r)
{
	const struct view *v = bed_view(w->bed);
	struct slice key, value, first = {NULL, 0}, at;
	uint64_t step;
	int rc;

	memset(r, 0, sizeof(*r));
	r->moving = meta_get(v, META_CLOCK_STEP, &step) == 0;
	if (r->moving && view_get(v, TABLE_META, META_CLOCK_AT, strlen(META_CLOCK_AT), &at) == 0 &&
	    at.n > 1 && *(const uint8_t *)at.p == TABLE_SCHED)
		r->sched = (struct slice){(const uint8_t *)at.p + 1, at.n - 1};
	rc = v->next(v->ctx, TABLE_DUE, first, false, &key, &value);
	if (rc == 0 && key_parse_due(key, &r->next) != 0)
		fail(w, "a due entry cannot be read");
	r->all = !r->moving && (rc != 0 || r->next.at > now);
	w->due_left = !r->all;
}

/* A tick that starts then comes before what is left. */
static bool is_reached(
    struct world *w, const struct spec *s, uint32_t i, wall_us starts, const struct reached *r)
{
	uint32_t no;

	if (r == NULL || r->all)
		return true;
	if (r->moving || starts != r->next.at || r->next.kind != DUE_CRON)
		return !r->moving && starts <= r->next.at;
	no = dag_no(w, s);
	return no != r->next.dag_no ? no < r->next.dag_no
				    : strcmp(s->triggers[i].name, r->next.trigger) < 0;
}

static bool is_set_back(struct world *w, const struct spec *s, uint32_t i, const struct reached *r)
{
	const char *name = s->triggers[i].name;
	struct key k;
	int order;

	if (!r->moving || r->sched.n == 0)
		return !r->moving;
	key_init(&k);
	key_u32(&k, dag_no(w, s));
	key_bytes(&k, name, strlen(name));
	order = memcmp(k.b, r->sched.p, k.n < r->sched.n ? k.n : r->sched.n);
	return order != 0 ? order < 0 : k.n <= r->sched.n;
}

/* ---- what catchup says ---- */

struct judged {
	wall_us newest; /* that was missed */
	bool in_time;	/* one starts now without being missed … */
	bool started;	/* … and has started */
	bool added;
};

static void judge(struct world *w, const struct spec *s, uint32_t i, wall_us now, int64_t grace,
    const struct reached *r, struct judged *j)
{
	const struct spec_trigger *t = &s->triggers[i];
	struct sched *at = &w->dag[s->dag].sched[i];
	wall_us instant = at->cursor, oldest = now - 2 * GRACE_US - t->jitter_us, starts;

	if (t->keep_missed != CATCHUP_NONE && t->within_ms >= 0)
		oldest -= t->within_ms * US_PER_MS;
	if (instant < oldest && (t->keep_missed == CATCHUP_NONE || t->within_ms >= 0))
		at->cursor = instant = oldest;
	while (model_next(t, instant, &instant) == 0 && instant <= now) {
		starts = start_of(s, t, instant);
		if (starts > now)
			return;
		if (now - starts <= grace) {
			j->in_time = true;
			if (!is_reached(w, s, i, starts, r))
				return;
			j->started = true;
			at->cursor = instant;
			tick(w, s, i, instant, now);
			continue;
		}
		at->cursor = j->newest = instant;
		if (t->keep_missed == CATCHUP_ALL && is_within(t, instant, now)) {
			VEC_ADD(&at->missed, instant);
			j->added = true;
		}
	}
}

/* Every instant since the last decided one: in time, or missed and then what catchup says of it.
 * grace -1: all are missed. r NULL: the operation looks at this schedule alone. */
static void decide(struct world *w, const struct spec *s, uint32_t i, wall_us now, int64_t grace,
    const struct reached *r)
{
	const struct spec_trigger *t = &s->triggers[i];
	struct sched *at = &w->dag[s->dag].sched[i];
	struct judged j = {.newest = TIME_NONE};
	wall_us first;

	if (model_next(t, at->cursor, &first) != 0 ||
	    !is_reached(w, s, i, start_of(s, t, first), r))
		return;
	judge(w, s, i, now, grace, r, &j);
	at->gaps += j.added;
	if (t->keep_missed != CATCHUP_LATEST)
		return;
	if (j.newest != TIME_NONE)
		note(w, "missed: %s/%s", s->name, t->name);
	if (j.started)
		VEC_CLEAR(&at->missed);
	if (j.in_time || j.newest == TIME_NONE || !is_within(t, j.newest, now))
		return;
	VEC_CLEAR(&at->missed);
	VEC_ADD(&at->missed, j.newest);
}

static void missed_drop(struct sched *at, size_t first, size_t n)
{
	for (size_t k = first; k + n < at->missed.n; k++)
		at->missed.v[k] = at->missed.v[k + n];
	at->missed.n -= n;
	if (at->missed.n == 0)
		at->gaps = 0;
}

/* The newest time whose instants have all started at `now`: a jitter may hold one back. */
static wall_us started_upto(const struct spec *s, const struct spec_trigger *t, wall_us now)
{
	wall_us instant = now - t->jitter_us - 1;

	while (model_next(t, instant, &instant) == 0 && instant <= now) {
		if (start_of(s, t, instant) > now)
			return instant - 1;
	}
	return now;
}

static void cut_one(struct sched *at, wall_us upto)
{
	if (at->cursor > upto)
		at->cursor = upto;
	for (size_t k = at->missed.n; k > 0; k--) {
		if (at->missed.v[k - 1] > upto)
			missed_drop(at, k - 1, 1);
	}
}

/* The clock was set back: what starts ahead of it is not decided any more. r NULL: all of them. */
static void cut(struct world *w, wall_us now, const struct reached *r)
{
	for (uint32_t d = 0; d < SIM_DAGS; d++) {
		const struct spec *s = w->dag[d].spec;

		for (uint32_t i = 0; s != NULL && i < s->n_triggers; i++) {
			struct sched *at = &w->dag[d].sched[i];

			if (!at->set_back || (r != NULL && !is_set_back(w, s, i, r)))
				continue;
			cut_one(at, started_upto(s, &s->triggers[i], now));
			at->set_back = false;
		}
	}
}

/* A batch finds the clock set: the step before this one is carried out first. */
void model_clock(struct world *w, int64_t offset, wall_us now)
{
	int64_t by = offset - w->stored_offset;

	if (w->stored_offset != 0 && by < 100 * US_PER_MS && by > -100 * US_PER_MS)
		return;
	cut(w, now, NULL);
	for (uint32_t d = 0; w->stored_offset != 0 && by < 0 && d < SIM_DAGS; d++) {
		const struct spec *s = w->dag[d].spec;

		for (uint32_t i = 0; s != NULL && i < s->n_triggers; i++)
			w->dag[d].sched[i].set_back = timed(&s->triggers[i]);
	}
	w->stored_offset = offset;
}

/* ---- what is made up for ---- */

static bool has_run(struct world *w, const struct spec *s, uint32_t i, wall_us instant)
{
	char name[160];

	model_time_name(s, &s->triggers[i], instant, name, sizeof(name));
	return map_find(&w->target_of, text_hash(name)) != UINT32_MAX;
}

static uint32_t still_open(struct world *w, const struct sched *at)
{
	uint32_t n = 0;

	for (size_t k = 0; k < at->open.n; k++) {
		const struct mrun *r = mirror_run(w, at->open.v[k]);

		n += r != NULL && !run_state_ended(r->state) && !r->reopened;
	}
	return n;
}

/* Its place is free; whoever opens it again later takes no place. */
void model_run_ended(struct world *w, uint64_t no)
{
	struct mdag *d = &w->dag[mirror_run(w, no)->spec->dag];

	for (int i = 0; i < SIM_TRIGGERS; i++) {
		struct sched *at = &d->sched[i];

		for (size_t k = 0; k < at->open.n; k++) {
			if (at->open.v[k] == no)
				at->open.v[k--] = at->open.v[--at->open.n];
		}
	}
}

static void made_up(struct world *w, const struct fresh *f, const struct spec *s, uint32_t i)
{
	struct sched *at = &w->dag[f->dag].sched[i];
	size_t k = 0;
	char name[160];

	while (k < at->missed.n && at->missed.v[k] != f->logical)
		k++;
	if (k == at->missed.n && at->gaps < 8)
		return; /* told as extra at the end */
	for (size_t n = 0; k < at->missed.n && n < k; n++) {
		if (!has_run(w, s, i, at->missed.v[n]))
			fail(w, "run %llu makes up for an instant before an older one",
			    (unsigned long long)f->no);
	}
	if (model_paused(w, f->dag))
		fail(w, "run %llu makes up for an instant while %s is paused",
		    (unsigned long long)f->no, s->name);
	if (k < at->missed.n)
		missed_drop(at, 0, k + 1);
	if (still_open(w, at) >= s->triggers[i].at_once)
		fail(w, "more than %u missed instants of %s are made up for at once",
		    s->triggers[i].at_once, s->name);
	VEC_ADD(&at->open, f->no);
	model_time_name(s, &s->triggers[i], f->logical, name, sizeof(name));
	model_want(w, name, TIME_NONE);
	w->fig->ticks++;
	w->fig->made_up++;
}

/* overlap: skip left out an instant whose turn it was: it is not tried again. */
static void left_out(struct world *w, const struct refusal *f)
{
	const struct spec *s = w->dag[f->dag].spec;

	for (uint32_t i = 0; s != NULL && i < s->n_triggers; i++) {
		struct sched *at = &w->dag[f->dag].sched[i];
		size_t k = 0;

		while (k < at->missed.n && at->missed.v[k] != f->instant)
			k++;
		if (strcmp(s->triggers[i].name, f->trigger) != 0 || k == at->missed.n)
			continue;
		if (!overlap_full(w, s))
			fail(w, "a missed instant of %s/%s is left out, there is room", s->name,
			    f->trigger);
		missed_drop(at, k, 1);
		w->fig->skipped++;
	}
}

static void all_made_up(struct world *w)
{
	for (size_t n = 0; n < w->refusals.n && !w->failed; n++)
		left_out(w, &w->refusals.v[n]);
	for (size_t n = 0; n < w->fresh.n && !w->failed; n++) {
		const struct fresh *f = &w->fresh.v[n];
		const struct spec *s = w->dag[f->dag].spec;

		for (uint32_t i = 0; s != NULL && i < s->n_triggers; i++) {
			if (f->timed && strcmp(s->triggers[i].name, f->trigger) == 0 &&
			    !has_run(w, s, i, f->logical))
				made_up(w, f, s, i);
		}
	}
}

size_t model_waiting(struct world *w)
{
	size_t n = 0;

	for (uint32_t d = 0; d < SIM_DAGS; d++) {
		const struct spec *s = w->dag[d].spec;

		for (uint32_t i = 0; s != NULL && i < s->n_triggers; i++) {
			const struct sched *at = &w->dag[d].sched[i];

			for (size_t k = 0; k < at->missed.n; k++)
				n += !has_run(w, s, i, at->missed.v[k]);
		}
	}
	return n;
}

void model_free(struct world *w)
{
	for (uint32_t d = 0; d < SIM_DAGS; d++) {
		for (int i = 0; i < SIM_TRIGGERS; i++) {
			VEC_DONE(&w->dag[d].sched[i].missed);
			VEC_DONE(&w->dag[d].sched[i].open);
		}
	}
}

static void all_due(struct world *w, wall_us now)
{
	struct reached r;

	reached_read(w, now, &r);
	cut(w, now, &r);
	for (uint32_t d = 0; d < SIM_DAGS; d++) {
		const struct spec *s = w->dag[d].spec;

		for (uint32_t i = 0; s != NULL && i < s->n_triggers; i++) {
			if (timed(&s->triggers[i]) && w->dag[d].sched[i].armed)
				decide(w, s, i, now, GRACE_US, &r);
		}
	}
	all_made_up(w);
	if (!r.all)
		return;
	wait_check(w);
	w->due_done = true;
}

/* ---- files, pause ---- */

bool model_same_times(const struct spec_trigger *a, const struct spec_trigger *b)
{
	if (a->kind != b->kind || strcmp(a->name, b->name) != 0)
		return false;
	if (a->kind != TRIGGER_CRON)
		return a->each_us == b->each_us && a->at == b->at;
	return str_eq(a->expr, b->expr) && str_eq(a->zone_name, b->zone_name) && a->gap == b->gap &&
	       a->overlap == b->overlap;
}

/* The new rule also holds for what waits. */
static void trim(const struct spec_trigger *t, struct sched *at)
{
	if (t->keep_missed == CATCHUP_NONE)
		missed_drop(at, 0, at->missed.n);
	else if (t->keep_missed == CATCHUP_LATEST && at->missed.n > 1)
		missed_drop(at, 0, at->missed.n - 1);
}

/* Schedules that go on keep their place; others begin now. */
static void carry_over(struct world *w, struct mdag *d, const struct spec *to, wall_us now)
{
	struct sched was[SIM_TRIGGERS];
	bool used[SIM_TRIGGERS] = {false};

	memcpy(was, d->sched, sizeof(was));
	memset(d->sched, 0, sizeof(d->sched));
	for (uint32_t i = 0; i < to->n_triggers; i++) {
		const struct spec *from = d->spec;
		struct sched *at = &d->sched[i];

		sched_new(w, at, now);
		for (uint32_t k = 0; from != NULL && k < from->n_triggers; k++) {
			if (!timed(&from->triggers[k]) || used[k] ||
			    !model_same_times(&from->triggers[k], &to->triggers[i]))
				continue;
			*at = was[k];
			used[k] = true;
			trim(&to->triggers[i], at);
		}
		at->armed = !model_paused(w, to->dag);
		at->since = w->mono;
	}
	for (int k = 0; k < SIM_TRIGGERS; k++) {
		if (used[k])
			continue;
		VEC_DONE(&was[k].missed);
		VEC_DONE(&was[k].open);
	}
}

/* Its file vanished: what still waits does not start any more. */
static void queue_ends(struct world *w, uint32_t d)
{
	for (size_t i = 0; i < w->open[d].n; i++) {
		struct mrun *r = mirror_run(w, w->open[d].v[i]);

		r->cancelled = r->cancelled || r->state == RUN_QUEUED;
	}
}

static void plans(struct world *w, const struct sim_op *o, wall_us now)
{
	for (size_t i = 0; i < o->op.u.plans.n_files; i++) {
		const struct op_file *f = &o->op.u.plans.files[i];
		struct mdag *at = &w->dag[o->specs[i]->dag];

		if (f->gone && at->spec != NULL) {
			queue_ends(w, o->specs[i]->dag);
			fills_replanned(w, o->specs[i]->dag, at->spec, NULL);
			at->spec = NULL;
			for (int k = 0; k < SIM_TRIGGERS; k++)
				sched_new(w, &at->sched[k], now);
			memset(at->join, 0, sizeof(at->join));
		}
		if (f->gone || f->plan == NULL || at->spec == o->specs[i])
			continue;
		fills_replanned(w, o->specs[i]->dag, at->spec, o->specs[i]);
		carry_over(w, at, o->specs[i], now);
		at->there = true;
		at->spec = o->specs[i];
		memset(at->join, 0, sizeof(at->join));
	}
}

static void pause_one(struct world *w, uint32_t d, wall_us now)
{
	const struct spec *s = w->dag[d].spec;

	for (uint32_t i = 0; s != NULL && i < s->n_triggers; i++) {
		struct sched *at = &w->dag[d].sched[i];

		if (!timed(&s->triggers[i]))
			continue;
		if (!model_paused(w, d) && !at->armed) {
			decide(w, s, i, now, -1, NULL);
			at->since = w->mono;
		}
		at->armed = !model_paused(w, d);
	}
}

static void pause(struct world *w, const struct sim_op *o, wall_us now)
{
	bool on = o->op.u.pause.on;

	if (o->op.u.pause.dag == NULL)
		w->paused_all = on;
	for (uint32_t d = 0; d < SIM_DAGS; d++) {
		if (o->op.u.pause.dag != NULL && d != o->arg)
			continue;
		if (o->op.u.pause.dag != NULL)
			w->dag[d].paused = on;
		pause_one(w, d, now);
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

void model_run_name(const struct run_rec *r, char *out, size_t n)
{
	if (r->space == SPACE_TIME)
		snprintf(out, n, "%.20s|time|%.20s/%.80s|%u", r->dag, r->trigger_name, r->key,
		    r->revision);
	else
		snprintf(
		    out, n, "%.20s|%s|%.80s|%u", r->dag, space_text(r->space), r->key, r->revision);
}

/* Its first start tells how long limits and pauses held it. */
static bool start_counts(struct world *w, const struct run_rec *r)
{
	const struct mrun *m = mirror_run(w, r->no);

	return r->started_at != TIME_NONE && !w->fault_on[FAULT_CLOCK] && w->epoch == 0 &&
	       m != NULL && !m->reopened;
}

static void find_run(struct world *w, const struct run_rec *r)
{
	struct wanted *t;
	char name[160];
	uint32_t at;

	model_run_name(r, name, sizeof(name));
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
	if (t->due != TIME_NONE && start_counts(w, r) && r->queued_at >= t->due &&
	    r->started_at - t->due > w->fig->late_start_us)
		w->fig->late_start_us = r->started_at - t->due;
}

static void find_events(struct world *w, const struct view *v)
{
	for (size_t i = 0; i < w->hooks.n && !w->failed; i++) {
		const struct hook_event *h = &w->hooks.v[i];
		struct event_rec e;

		if (h->lost && h->seq == 0)
			continue;
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
