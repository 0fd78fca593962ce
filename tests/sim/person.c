/* person.c: what comes from outside: senders of hooks, who send until they are answered and some of
 * them far too often; people who start, cancel, pause, mark and run again; files that change. */
#include "tests/sim/sim.h"

#include <stdio.h>
#include <string.h>

/* ---- hooks ---- */

void hooks_draw(struct world *w)
{
	struct chance *c = &w->chance;
	int64_t n = spread(c, 30, 2000), keys = spread(c, 2, 200);

	for (int64_t i = 0; i < n; i++) {
		struct hook_event *e = VEC_PUSH(&w->hooks);
		int64_t at = between(c, 0, w->horizon);

		memset(e, 0, sizeof(*e));
		snprintf(e->id, sizeof(e->id), "id-%u", (unsigned)i);
		snprintf(e->key, sizeof(e->key), "k%u", roll(c, (uint32_t)keys));
		e->hook = roll(c, SIM_HOOKS);
		e->deliveries = fault_now(w, FAULT_REPEAT) ? 2 + roll(c, 49) : 1;
		for (uint32_t k = 0; k < e->deliveries; k++)
			later(w, at + (k == 0 ? 0 : spread(c, 1, w->horizon / 20)), EV_SEND,
			    (uint32_t)i, 0, 0, NULL);
	}
	n = spread(c, 1, 100);
	for (int64_t i = 0; i < n; i++)
		later(w, between(c, 0, w->horizon), EV_PERSON, 0, 0, 0, NULL);
}

void on_send(struct world *w, uint32_t event)
{
	const struct hook_event *e = &w->hooks.v[event];
	struct sim_op *o;
	char text[32];

	if (!w->up) {
		if (!e->acked)
			later(w, between(&w->chance, US_PER_S, w->horizon / 50), EV_SEND, event, 1,
			    0, NULL);
		return;
	}
	o = op_new(OP_EVENT);
	snprintf(text, sizeof(text), "{\"k\":\"%s\"}", e->key);
	if (json_parse(text, strlen(text), 100, &o->body, NULL) != 0)
		fail(w, "the body of an event was not read");
	snprintf(o->text[0], sizeof(o->text[0]), "h%u", e->hook);
	snprintf(o->text[1], sizeof(o->text[1]), "hook:h%u", e->hook);
	str_copy(o->text[2], sizeof(o->text[2]), e->id);
	o->op.u.event.hook = o->text[0];
	o->op.u.event.source = o->text[1];
	o->op.u.event.external_id = o->text[2];
	o->op.u.event.type = o->op.u.event.subject = "";
	o->op.u.event.time = wall(w);
	o->op.u.event.body = o->body;
	o->reply = REPLY_HOOK;
	o->arg = event;
	submit(w, o);
}

/* ---- people ---- */

static uint64_t some_run(struct world *w)
{
	size_t n = w->runs.n;

	if (n < 2)
		return 0;
	/* mostly a new one */
	return one_in(&w->chance, 3) ? 1 + roll(&w->chance, (uint32_t)n - 1)
				     : n - 1 - (n > 8 ? roll(&w->chance, 8) : 0);
}

static uint64_t ended_run(struct world *w)
{
	uint64_t run = some_run(w);

	for (int i = 0; i < 10; i++) {
		const struct mrun *r = mirror_run(w, run);

		if (r != NULL && run_state_ended(r->state))
			break;
		run = some_run(w);
	}
	return run;
}

static void cancel(struct world *w, uint64_t run)
{
	struct sim_op *o = op_new(OP_CANCEL);

	o->op.u.cancel.actor = "sim";
	o->arg = roll(&w->chance, SIM_DAGS);
	if (run != 0) {
		o->op.u.cancel.run = run;
	} else if (one_in(&w->chance, 3)) {
		o->op.u.cancel.all = true;
	} else {
		snprintf(o->text[0], sizeof(o->text[0]), "d%u", o->arg);
		o->op.u.cancel.dag = o->text[0];
	}
	submit(w, o);
}

static wall_us some_instant(struct world *w, const struct spec *s)
{
	const struct spec_trigger *t = NULL;
	wall_us at;
	int n = 0;

	for (uint32_t i = 0; s != NULL && i < s->n_triggers; i++) {
		if (s->triggers[i].kind <= TRIGGER_EVERY) {
			t = &s->triggers[i];
			n++;
		}
	}
	if (n != 1 ||
	    model_next(t, wall(w) + between(&w->chance, -w->horizon / 10, w->horizon / 10), &at) !=
		0)
		return TIME_NONE;
	return at;
}

static void start(struct world *w)
{
	struct sim_op *o = op_new(OP_START);
	uint32_t dag = roll(&w->chance, SIM_DAGS), how = roll(&w->chance, 3);

	snprintf(o->text[0], sizeof(o->text[0]), "d%u", dag);
	snprintf(o->text[1], sizeof(o->text[1]), "k%u", roll(&w->chance, 50));
	o->op.u.start.dag = o->text[0];
	o->op.u.start.actor = "sim";
	o->op.u.start.at = how == 0 ? some_instant(w, w->dag[dag].spec) : TIME_NONE;
	if (how == 1)
		o->op.u.start.key = o->text[1];
	o->arg = dag;
	submit(w, o);
}

static void touch(struct world *w)
{
	struct sim_op *o = op_new(OP_TOUCH);

	snprintf(o->text[0], sizeof(o->text[0]), "lake/%d", SIM_SETS - 1);
	o->partition = (int)roll(&w->chance, SIM_PARTITIONS + 1) - 1;
	o->op.u.touch.dataset = o->text[0];
	o->op.u.touch.partition = partition_name(o->partition);
	o->op.u.touch.complete_through = TIME_NONE;
	submit(w, o);
}

/* Who looks at a run that hangs does so again until it is cancelled: the first time there may be no
 * daemon, or it dies with the request, and what hangs takes a worker for the rest of the seed. */
static void look(struct world *w, uint64_t run)
{
	const struct mrun *r = mirror_run(w, run);

	if (r == NULL || r->cancelled || run_state_ended(r->state))
		return;
	if (w->up)
		cancel(w, run);
	later(w, w->horizon / 40, EV_PERSON, 0, run, 0, NULL);
}

void on_person(struct world *w, uint64_t run)
{
	if (w->calm)
		return;
	if (run != 0)
		look(w, run);
	else if (!w->up)
		return;
	else if (one_in(&w->chance, 3))
		touch(w);
	else
		start(w);
}

static struct op_file *file_add(struct sim_op *o, const struct spec *s)
{
	size_t i = o->op.u.plans.n_files++;

	o->specs[i] = s;
	o->files[i].path = s->path;
	o->files[i].report = "{}";
	o->files[i].plan = s->text;
	o->files[i].plan_n = strlen(s->text);
	o->op.u.plans.files = o->files;
	return &o->files[i];
}

/* Its DAG gets a step more. */
static void grow(struct world *w, const struct mrun *r)
{
	const struct spec *live = r != NULL ? w->dag[r->spec->dag].spec : NULL;
	struct sim_op *o;

	if (live == NULL || live->n_steps == SIM_STEPS)
		return;
	o = op_new(OP_PLANS);
	(void)file_add(o, spec_grow(w, live));
	submit(w, o);
}

static void rerun(struct world *w)
{
	static const char *const modes[] = {"each", "once", "none", NULL};
	struct sim_op *o = op_new(OP_RERUN);
	struct chance *c = &w->chance;

	o->op.u.rerun.run = ended_run(w);
	o->op.u.rerun.failed = one_in(c, 2);
	o->op.u.rerun.downstream = modes[roll(c, 4)];
	o->op.u.rerun.latest = one_in(c, 3);
	if (o->op.u.rerun.latest && one_in(c, 2))
		grow(w, mirror_run(w, o->op.u.rerun.run));
	if (!o->op.u.rerun.failed && one_in(c, 2)) {
		snprintf(o->text[0], sizeof(o->text[0]), one_in(c, 4) ? "s%u[2]" : "s%u",
		    roll(c, SIM_STEPS));
		o->names[0] = o->text[0];
		o->op.u.rerun.steps = o->names;
		o->op.u.rerun.n_steps = 1;
	}
	submit(w, o);
}

static void mark(struct world *w)
{
	static const char *const states[] = {"succeeded", "skipped", "failed"};
	struct sim_op *o = op_new(OP_MARK);
	struct chance *c = &w->chance;

	o->op.u.mark.run = one_in(c, 2) ? some_run(w) : ended_run(w);
	snprintf(o->text[0], sizeof(o->text[0]), "s%u", roll(c, SIM_STEPS));
	o->op.u.mark.step = o->text[0];
	o->op.u.mark.item = one_in(c, 4) ? "2" : NULL;
	o->op.u.mark.state = states[roll(c, 3)];
	submit(w, o);
}

static void pause(struct world *w, int dag, bool on)
{
	struct sim_op *o = op_new(OP_PAUSE);

	o->op.u.pause.on = on;
	if (dag >= 0) {
		snprintf(o->text[0], sizeof(o->text[0]), "d%d", dag);
		o->op.u.pause.dag = o->text[0];
		o->arg = (uint32_t)dag;
	}
	submit(w, o);
}

/* ---- files ---- */

static void files(struct world *w)
{
	struct chance *c = &w->chance;
	uint32_t dag = roll(c, SIM_DAGS);
	const struct spec *live = w->dag[dag].spec;
	struct sim_op *o = op_new(OP_PLANS);
	struct op_file *f;

	if (live == NULL || one_in(c, 3)) {
		(void)file_add(o,
		    live == NULL || one_in(c, 2) ? spec_draw(w, dag) : spec_again(w, live, true));
	} else {
		f = file_add(o, one_in(c, 2) ? live : w->first[dag]);
		f->gone = one_in(c, 3);
		if (f->gone || one_in(c, 2)) {
			f->plan = NULL;
			f->plan_n = 0;
		}
		if (f->gone)
			f->report = NULL;
	}
	submit(w, o);
}

void person_fault(struct world *w, enum fault f)
{
	switch (f) {
	case FAULT_PLANS:
		files(w);
		break;
	case FAULT_PAUSE:
		pause(w, one_in(&w->chance, 4) ? -1 : (int)roll(&w->chance, SIM_DAGS),
		    one_in(&w->chance, 2));
		break;
	case FAULT_CANCEL:
		cancel(w, one_in(&w->chance, 8) ? 0 : some_run(w));
		break;
	case FAULT_RERUN:
		rerun(w);
		break;
	case FAULT_MARK:
		mark(w);
		break;
	case FAULT_FILL:
		person_fill(w);
		break;
	default:
		break;
	}
}

/* The end of faults: the clock is right, nothing is paused, there is room. What was missed must now
 * be made up for. */
void calm_down(struct world *w)
{
	w->calm = true;
	if (!w->up) {
		later(w, US_PER_S, EV_CALM, 0, 0, 0, NULL);
		return;
	}
	if (wall(w) < w->wall_max)
		clock_step(w, w->wall_max - wall(w));
	for (size_t i = 0; i < w->live.n; i++) {
		if (w->live.v[i]->ends_at == INT64_MAX)
			cancel(w, w->live.v[i]->step.run);
	}
	remote_calm(w);
	w->conf.workers = 16;
	submit(w, op_new(OP_CONF));
	pause(w, -1, false);
	for (int d = 0; d < SIM_DAGS; d++)
		pause(w, d, false);
	later(w, 60 * US_PER_S, EV_LAST, 0, 0, 0, NULL);
}

/* Then no schedule or hook starts anything more, and what is queued and running must end. */
void last_plans(struct world *w)
{
	struct sim_op *o;

	if (model_waiting(w) + fills_live(w) > 0 && w->calm_looks++ < 200) {
		person_fills_end(w, w->calm_looks == 100);
		later(w, w->horizon / 200, EV_LAST, 0, 0, 0, NULL);
		return;
	}
	if (model_waiting(w) > 0)
		fail(w, "%zu missed instants are not made up for", model_waiting(w));
	if (fills_live(w) > 0)
		fail(w, "%zu backfills do not come to their end", fills_live(w));
	o = op_new(OP_PLANS);
	for (uint32_t d = 0; d < SIM_DAGS; d++) {
		if (w->dag[d].spec != NULL)
			(void)file_add(o, spec_again(w, w->dag[d].spec, false));
	}
	submit(w, o);
}
