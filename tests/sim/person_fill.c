/* person_fill.c: people who fill the past of a schedule, look first what that would do, pause it,
 * let it go on and cancel it. */
#include "core/sched/show.h"
#include "core/time/calendar.h"
#include "tests/sim/sim.h"

#include <stdio.h>
#include <string.h>

static const struct spec_trigger *some_schedule(struct world *w, const struct spec *s)
{
	uint32_t from = s != NULL ? roll(&w->chance, s->n_triggers) : 0;

	for (uint32_t i = 0; s != NULL && i < s->n_triggers; i++) {
		const struct spec_trigger *t = &s->triggers[(from + i) % s->n_triggers];

		if (t->kind <= TRIGGER_EVERY)
			return t;
	}
	return NULL;
}

/* So many instants from one of the past: or of the time to come, where none is meant. */
static void range_draw(struct world *w, const struct spec_trigger *t, wall_us range[2])
{
	struct chance *c = &w->chance;
	uint32_t n = one_in(c, 10) ? roll(c, 150) : roll(c, 30);
	wall_us at =
	    wall(w) - between(c, -w->horizon / 20, one_in(c, 2) ? w->horizon / 3 : US_PER_DAY);

	range[0] = range[1] = at;
	for (uint32_t i = 0; i <= n && model_next(t, at, &at) == 0; i++)
		range[1] = at;
}

/* A whole day or hour of the trigger's zone where few instants lie in it, else a time. */
static void bound_write(
    struct world *w, const struct spec_trigger *t, wall_us *at, bool last, char *out)
{
	enum cal_unit unit = w->horizon < 2 * US_PER_DAY ? CAL_HOUR : CAL_DAY;
	const struct tz *zone = t->zone;
	char key[CAL_KEY_MAX];
	wall_us start;

	if ((zone == NULL && tz_load("UTC", &zone, NULL) != 0) || one_in(&w->chance, 2)) {
		clock_format(*at, out);
		if (clock_parse(out, at) != 0)
			fail(w, "a time was not read");
		return;
	}
	cal_key(unit, zone, *at, key);
	if (cal_key_parse(unit, zone, key, &start, NULL) != 0)
		fail(w, "a key was not read");
	str_copy(out, 40, key);
	*at = last ? cal_add(unit, zone, start, 1) - 1 : start;
}

/* ---- what it would do ---- */

static void dry_run(struct world *w, const struct sim_op *o)
{
	static const char *const names[FILL_DO_N] = {"make", "keep", "rerun", "revise"};
	uint32_t want[FILL_DO_N] = {0};
	uint64_t writes = bed_writes(w->bed);
	wall_us now = wall(w);
	wall_vec targets = {0};
	struct json *j = NULL;
	struct err err = {0};
	struct str text;
	struct jw out;
	int rc;

	fill_targets(w, o, now, &targets);
	for (size_t i = 0; i < targets.n; i++)
		want[fill_judge(w, o, targets.v[i])]++;
	str_init(&text, 1u << 20);
	jw_init(&out, &text);
	if (bed_begin(w->bed) != 0)
		fail(w, "the store cannot be read");
	rc = show_backfill_plan(bed_view(w->bed), &o->op, now, &out, &err);
	bed_abort(w->bed);
	if (bed_writes(w->bed) != writes)
		fail(w, "a dry run wrote to the store");
	else if ((rc == 0) != (targets.n > 0))
		fail(w, "a dry run of %zu targets: rc %d (%s)", targets.n, rc, err.text);
	else if (rc == 0 && json_parse(text.s, text.len, 100000, &j, NULL) != 0)
		fail(w, "a dry run's answer was not read");
	for (int i = 0; j != NULL && i < FILL_DO_N; i++) {
		if (json_get_i64(j, names[i], -1) != (int64_t)want[i])
			fail(w, "a dry run says %s %lld, it is %u", names[i],
			    (long long)json_get_i64(j, names[i], -1), want[i]);
	}
	w->fig->dry_runs++;
	json_free(j);
	str_done(&text);
	VEC_DONE(&targets);
}

/* ---- orders ---- */

static void start(struct world *w)
{
	struct sim_op *o = op_new(OP_BACKFILL);
	struct chance *c = &w->chance;
	uint32_t dag = roll(c, SIM_DAGS);
	const struct spec_trigger *t = some_schedule(w, w->dag[dag].spec);

	if (t == NULL) {
		sim_op_free(o);
		return;
	}
	range_draw(w, t, o->range);
	bound_write(w, t, &o->range[0], false, o->text[1]);
	bound_write(w, t, &o->range[1], true, o->text[2]);
	if (o->range[1] < o->range[0]) {
		sim_op_free(o);
		return;
	}
	o->arg = dag;
	snprintf(o->text[0], sizeof(o->text[0]), "d%u", dag);
	o->op.u.backfill.dag = o->text[0];
	o->op.u.backfill.trigger = t->name;
	o->op.u.backfill.from = o->text[1];
	o->op.u.backfill.to = o->text[2];
	o->op.u.backfill.order = one_in(c, 2) ? BACKFILL_OLDEST : BACKFILL_NEWEST;
	o->op.u.backfill.downstream = one_in(c, 2) ? DOWNSTREAM_EACH : DOWNSTREAM_NONE;
	o->op.u.backfill.max_parallel = 1 + roll(c, 6);
	o->op.u.backfill.reprocess = one_in(c, 4);
	o->op.u.backfill.actor = "sim";
	dry_run(w, o);
	submit(w, o);
}

static void order(struct world *w, uint64_t no, enum backfill_state to)
{
	struct sim_op *o = op_new(OP_BACKFILL_STATE);

	o->op.u.backfill_state.no = no;
	o->op.u.backfill_state.to = to;
	o->op.u.backfill_state.actor = "sim";
	submit(w, o);
}

void person_fill(struct world *w)
{
	struct chance *c = &w->chance;
	const struct mfill *f = NULL;

	if (w->fills.n > 0 && one_in(c, 2))
		f = &w->fills
			 .v[w->fills.n - 1 - roll(c, w->fills.n < 3 ? (uint32_t)w->fills.n : 3)];
	if (f == NULL)
		start(w);
	else if (f->paused)
		order(w, f->no, one_in(c, 4) ? BACKFILL_CANCELLED : BACKFILL_RUNNING);
	else
		order(w, f->no, one_in(c, 3) ? BACKFILL_CANCELLED : BACKFILL_PAUSED);
}

/* Faults are over: what is paused goes on; what takes too long is cancelled. */
void person_fills_end(struct world *w, bool cancel)
{
	for (size_t i = 0; i < w->fills.n; i++) {
		const struct mfill *f = &w->fills.v[i];

		if (!f->ended && !f->cancelled && (f->paused || cancel))
			order(w, f->no, cancel ? BACKFILL_CANCELLED : BACKFILL_RUNNING);
	}
}
