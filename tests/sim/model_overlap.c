/* model_overlap.c: what a new run does where its DAG has max_runs going on: it waits, is not made,
 * or others give way to it, by `overlap` of sluice-dag(5). Runs of a backfill stand aside. Which
 * runs an operation made is seen in its effects; in which order, by their numbers; who gives way is
 * worked out here, and the mirror then holds every cancelled run to it. */
#include "tests/sim/sim.h"

#include <string.h>

typedef VEC(uint64_t) numbers;

/* The open runs of one DAG as they stand before the run that is looked at. */
struct line {
	bool built, unsure;
	uint32_t max;
	numbers running, queued; /* each in the order of their numbers */
};

static bool aside(struct world *w, uint64_t no)
{
	const struct mrun *r = mirror_run(w, no);

	return r->backfill != 0 || r->cancelled;
}

static void add_sorted(numbers *v, uint64_t no)
{
	size_t i;

	VEC_ADD(v, no);
	for (i = v->n - 1; i > 0 && v->v[i - 1] > no; i--)
		v->v[i] = v->v[i - 1];
	v->v[i] = no;
}

static void take_out(numbers *v, size_t i)
{
	for (v->n--; i < v->n; i++)
		v->v[i] = v->v[i + 1];
}

static bool ends_in(const struct world *w, const struct sim_op *o, uint64_t no)
{
	for (size_t i = o->fx_from; i < o->fx_to; i++) {
		const struct effect *f = &w->fx.v[i];

		if (f->kind == EFFECT_RUN && f->id == no &&
		    run_state_ended((enum run_state)f->state))
			return true;
	}
	return false;
}

/* ---- how many are there ---- */

void overlap_count(struct world *w)
{
	for (uint32_t d = 0; d < SIM_DAGS; d++) {
		w->busy[d] = 0;
		for (size_t i = 0; i < w->open[d].n; i++) {
			uint64_t no = w->open[d].v[i];

			w->busy[d] += mirror_run(w, no)->state == RUN_RUNNING || !aside(w, no);
		}
	}
}

/* A run of the DAG that this operation did not make may have been left out by `skip`. What the
 * operation itself made and ended may have come before or after: both are allowed. */
bool overlap_full(struct world *w, const struct spec *s)
{
	uint32_t n = w->busy[s->dag];

	for (size_t i = 0; i < w->fresh.n; i++)
		n += w->fresh.v[i].dag == s->dag;
	return s->overlap == OVERLAP_SKIP && n >= s->max_runs;
}

bool overlap_made(const struct world *w, const char *name)
{
	for (size_t i = 0; i < w->fresh.n; i++) {
		if (strcmp(w->fresh.v[i].name, name) == 0)
			return true;
	}
	return false;
}

/* ---- who gives way ---- */

static void line_build(
    struct world *w, const struct sim_op *o, const struct spec *s, struct line *l)
{
	l->built = true;
	l->max = s->max_runs;
	for (size_t i = 0; i < w->open[s->dag].n; i++) {
		uint64_t no = w->open[s->dag].v[i];
		const struct mrun *r = mirror_run(w, no);

		if (mirror_is_fresh(w, no))
			continue;
		add_sorted(r->state == RUN_RUNNING ? &l->running : &l->queued, no);
		/* a timer ended it, before or after this run came */
		if (o->op.kind == OP_DUE && ends_in(w, o, no) &&
		    (r->cancelled || r->spec->run_timeout_ms >= 0))
			l->unsure = true;
	}
	/* a backfill may have made or opened its runs before or after */
	for (size_t i = o->fx_from; o->op.kind == OP_DUE && i < o->fx_to; i++)
		l->unsure = l->unsure ||
			    (w->fx.v[i].kind == EFFECT_RUN && w->fx.v[i].old_state < RUN_STATE_N &&
				run_state_ended((enum run_state)w->fx.v[i].old_state));
	for (size_t i = 0; i < w->fresh.n; i++)
		l->unsure =
		    l->unsure || (w->fresh.v[i].dag == s->dag && w->fresh.v[i].backfill != 0);
}

/* What could start has started: it does not wait any more. */
static void start_some(struct world *w, uint32_t dag, struct line *l)
{
	while (!model_paused(w, dag) && l->running.n < l->max && l->queued.n > 0) {
		add_sorted(&l->running, l->queued.v[0]);
		take_out(&l->queued, 0);
	}
}

static void give_way(
    struct world *w, const struct sim_op *o, uint32_t dag, struct line *l, numbers *of, size_t i)
{
	uint64_t no = of->v[i];

	note(w, "run %llu gives way", (unsigned long long)no);
	mirror_run(w, no)->cancelled = true;
	w->fig->gave_way++;
	if (of == &l->running && !ends_in(w, o, no))
		return; /* it keeps its place until its attempts have ended */
	take_out(of, i);
	(void)dag;
}

static void give_way_oldest(
    struct world *w, const struct sim_op *o, uint32_t dag, struct line *l, size_t keep)
{
	size_t n = 0;

	for (size_t i = 0; i < l->running.n; i++)
		n += !aside(w, l->running.v[i]);
	for (size_t i = 0; i < l->queued.n; i++)
		n += !aside(w, l->queued.v[i]);
	for (size_t i = 0; n > keep && i < l->running.n;) {
		size_t was = l->running.n;

		if (!aside(w, l->running.v[i])) {
			give_way(w, o, dag, l, &l->running, i);
			n--;
		}
		i += l->running.n == was;
	}
	for (size_t i = 0; n > keep && i < l->queued.n;) {
		if (aside(w, l->queued.v[i])) {
			i++;
			continue;
		}
		give_way(w, o, dag, l, &l->queued, i);
		n--;
	}
}

static void replace_queued(struct world *w, const struct sim_op *o, uint32_t dag, struct line *l)
{
	for (size_t i = 0; i < l->queued.n;) {
		if (aside(w, l->queued.v[i]))
			i++;
		else
			give_way(w, o, dag, l, &l->queued, i);
	}
}

static void one_made(struct world *w, const struct sim_op *o, const struct fresh *f, struct line *l)
{
	const struct spec *s = mirror_run(w, f->no)->spec;
	uint32_t n = 0;

	start_some(w, f->dag, l);
	for (size_t i = 0; i < l->queued.n; i++)
		n += !aside(w, l->queued.v[i]);
	if (f->backfill == 0 && s->overlap == OVERLAP_SKIP && l->running.n + n >= l->max)
		fail(w, "run %llu was made though %s has overlap: skip and %zu runs",
		    (unsigned long long)f->no, s->name, l->running.n + n);
	else if (f->backfill == 0 && s->overlap == OVERLAP_CANCEL)
		give_way_oldest(w, o, f->dag, l, l->max - 1);
	else if (f->backfill == 0 && s->overlap == OVERLAP_LATEST)
		replace_queued(w, o, f->dag, l);
	VEC_ADD(&l->queued, f->no);
}

/* Within an operation that also ended others the order is not known: the store says who was
 * cancelled. */
static void as_told(struct world *w, uint32_t dag)
{
	struct run_rec rec;

	for (size_t i = 0; i < w->open[dag].n; i++) {
		struct mrun *r = mirror_run(w, w->open[dag].v[i]);

		if (run_get(bed_view(w->bed), w->open[dag].v[i], &rec) == 0 && rec.cancel)
			r->cancelled = true;
	}
}

/* Before the operation's effects are followed. */
void overlap_new_runs(struct world *w, const struct sim_op *o)
{
	struct line lines[SIM_DAGS] = {0};
	uint64_t last = 0;

	for (size_t k = 0; k < w->fresh.n && !w->failed; k++) {
		const struct fresh *f = NULL;
		struct line *l;

		for (size_t i = 0; i < w->fresh.n; i++) {
			if (w->fresh.v[i].no > last && (f == NULL || w->fresh.v[i].no < f->no))
				f = &w->fresh.v[i];
		}
		if (f == NULL || mirror_run(w, f->no)->spec == NULL)
			break;
		last = f->no;
		l = &lines[f->dag];
		if (!l->built)
			line_build(w, o, mirror_run(w, f->no)->spec, l);
		if (l->unsure && f->backfill == 0)
			as_told(w, f->dag);
		else if (!l->unsure)
			one_made(w, o, f, l);
	}
	for (int d = 0; d < SIM_DAGS; d++) {
		VEC_DONE(&lines[d].running);
		VEC_DONE(&lines[d].queued);
	}
}

/* ---- the open runs ---- */

void overlap_opened(struct world *w, uint64_t no)
{
	VEC_ADD(&w->open[mirror_run(w, no)->spec->dag], no);
}

void overlap_ended(struct world *w, uint64_t no)
{
	uint32_t d = mirror_run(w, no)->spec->dag;

	for (size_t i = 0; i < w->open[d].n; i++) {
		if (w->open[d].v[i] == no) {
			w->open[d].v[i] = w->open[d].v[--w->open[d].n];
			return;
		}
	}
}

void overlap_rebuild(struct world *w)
{
	for (int d = 0; d < SIM_DAGS; d++)
		VEC_CLEAR(&w->open[d]);
	for (uint64_t no = 1; no < w->runs.n; no++) {
		const struct mrun *r = mirror_run(w, no);

		if (r != NULL && r->spec != NULL && !run_state_ended(r->state))
			overlap_opened(w, no);
	}
}
