/* prune.c: retention: the daemon's cycles over the store, batch by batch, and what may go. Only
 * runs that ended longer ago than runs are kept, those all, once a whole cycle has passed; with
 * every row of theirs; and never what would let a cause that can come again make its run a second
 * time. */
#include "tests/sim/sim.h"

#define NEXT_US (5 * US_PER_MS)
#define AGAIN_US (600 * US_PER_S)

void prune_draw(struct world *w)
{
	struct chance *c = &w->chance;

	w->prunes = one_in(c, 3);
	w->prune_every = w->horizon / between(c, 8, 60);
	w->conf.retain_runs_ms = spread(c, 60 * US_PER_S, w->horizon / 4) / US_PER_MS;
	/* model_end looks for each, also where the clock was set by years */
	w->conf.retain_events_ms = INT64_C(100) * 366 * 86400000;
	w->conf.retain_logs_ms = w->conf.retain_runs_ms;
}

void prune_start(struct world *w)
{
	w->prune_asked = w->prune_fresh = false;
	if (w->prunes && !w->calm)
		later(w, US_PER_S, EV_PRUNE, 0, w->life, 0, NULL);
}

void on_prune(struct world *w)
{
	struct sim_op *o;

	if (!w->up || w->prune_asked || w->calm)
		return;
	o = op_new(OP_PRUNE);
	o->op.u.prune.limit = (uint32_t)spread(&w->chance, 1, 500);
	o->reply = REPLY_PRUNE;
	w->prune_asked = true;
	submit(w, o);
}

void prune_answered(struct world *w, const struct op_result *r)
{
	w->prune_asked = false;
	later(w,
	    r->rc != 0	   ? AGAIN_US
	    : r->same == 0 ? NEXT_US
			   : w->prune_every,
	    EV_PRUNE, 0, w->life, 0, NULL);
}

/* ---- what went ---- */

static wall_us kept_from(const struct world *w, wall_us now)
{
	return now - w->conf.retain_runs_ms * US_PER_MS;
}

/* A cause of an event comes once; the others leave 16 bytes behind. */
static void check_identity(struct world *w, uint64_t no, const struct mrun *r)
{
	struct slice s;
	int rc = view_get(bed_view(w->bed), TABLE_RUN_ID, r->id, sizeof(r->id), &s);

	if (r->space == SPACE_EVENT ? rc != ERR_NOT_FOUND : rc != 0 || s.n != 16)
		fail(w, "the identity of run %llu was not kept as it should be when it was dropped",
		    (unsigned long long)no);
}

static void dropped(struct world *w, uint64_t no, struct mrun *r, wall_us now)
{
	uint32_t at = map_find(&w->target_of, r->name);

	w->fig->dropped++;
	if (!run_state_ended(r->state))
		fail(w, "run %llu was dropped while it is %s", (unsigned long long)no,
		    run_state_name(r->state));
	else if (r->ended_at >= kept_from(w, now))
		fail(w, "run %llu was dropped %lld s after its end, runs are kept %lld s",
		    (unsigned long long)no, (long long)((now - r->ended_at) / US_PER_S),
		    (long long)(w->conf.retain_runs_ms / 1000));
	else if (at == UINT32_MAX)
		fail(w, "extra: run %llu has no cause", (unsigned long long)no);
	else
		check_identity(w, no, r);
	if (at != UINT32_MAX)
		w->targets.v[at].seen = w->targets.v[at].pruned = true;
	r->there = false;
	VEC_ADD(&w->dropped, no);
}

/* After a cycle. */
static void check_rows(struct world *w, uint64_t no)
{
	static const enum table tables[] = {
	    TABLE_STEP, TABLE_STEP_DOC, TABLE_ITEM, TABLE_RUN_DOC, TABLE_RUN_PART};
	uint8_t key[8];

	for (int i = 0; i < 8; i++)
		key[i] = (uint8_t)(no >> (56 - 8 * i));
	for (size_t i = 0; i < sizeof(tables) / sizeof(tables[0]); i++) {
		struct view_walk walk;

		view_walk_init(&walk, bed_view(w->bed), tables[i], key, sizeof(key), false);
		if (view_walk_next(&walk, NULL) == 0)
			fail(w, "run %llu was dropped, table %s has rows of it",
			    (unsigned long long)no, table_name(tables[i]));
	}
}

static void check_kept(struct world *w)
{
	struct run_rec rec;

	for (uint64_t i = 1; i < w->runs.n && !w->failed; i++) {
		const struct mrun *r = mirror_run(w, i);

		if (r == NULL || !run_state_ended(r->state) ||
		    r->ended_at >= kept_from(w, w->prune_from))
			continue;
		if (run_get(bed_view(w->bed), i, &rec) == 0 && rec.backfill == 0)
			fail(w, "run %llu ended %lld s before a cycle of retention and stays",
			    (unsigned long long)i,
			    (long long)((w->prune_from - r->ended_at) / US_PER_S));
	}
}

static void cycle_ended(struct world *w)
{
	for (size_t i = 0; i < w->dropped.n && !w->failed; i++)
		check_rows(w, w->dropped.v[i]);
	w->check_soon = w->dropped.n > 0 && one_in(&w->chance, 8);
	VEC_CLEAR(&w->dropped);
	/* under one clock, in one life, from the first row to the last */
	if (w->prune_fresh && w->clock_set_at == 0)
		check_kept(w);
	w->prune_fresh = true;
	w->prune_from = TIME_NONE;
}

void prune_told(struct world *w, const struct sim_op *o, wall_us now)
{
	struct run_rec rec;

	if (w->prune_from == TIME_NONE || !w->prune_fresh)
		w->prune_from = now;
	for (uint64_t i = 1; o->result.count > 0 && i < w->runs.n && !w->failed; i++) {
		struct mrun *r = mirror_run(w, i);

		if (r != NULL && run_get(bed_view(w->bed), i, &rec) == ERR_NOT_FOUND)
			dropped(w, i, r, now);
	}
	if (o->result.same != 0 && !w->failed)
		cycle_ended(w);
}

bool model_is_dropped(struct world *w, const char *name)
{
	uint32_t at = map_find(&w->target_of, text_hash(name));

	return at != UINT32_MAX && w->targets.v[at].pruned;
}

/* A run that is new: is it one of the past? */
void prune_check_new(struct world *w, const struct mrun *r, const char *name)
{
	uint32_t at = map_find(&w->target_of, r->name);

	if (at != UINT32_MAX && w->targets.v[at].pruned)
		fail(w, "extra: %s is made again, its run was dropped", name);
}
