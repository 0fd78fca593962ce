/* model_wait.c: how long a run may wait in the queue: queue_timeout cancels it, late_after tells of
 * it. Both are lengths of time whatever the clock does, and a daemon that was down is late. */
#include "tests/sim/sim.h"

#define SLACK_US (200 * US_PER_MS) /* less than that a step of the clock does not count */

static bool told_late(struct world *w, uint64_t no)
{
	struct run_rec r;

	if (run_get(bed_view(w->bed), no, &r) != 0)
		fail(w, "run %llu cannot be read", (unsigned long long)no);
	return r.late;
}

/* It is in the queue, for the first time or again. */
void wait_queued(struct world *w, uint64_t no, const struct run_rec *r, wall_us now)
{
	struct mrun *m = mirror_run(w, no);
	int64_t after = m->spec->late_after_ms * US_PER_MS, in = after;
	bool by_schedule = r != NULL && r->trigger <= TRIGGER_EVERY;

	m->queued_at = w->mono;
	m->late_at = TIME_NONE;
	if (r == NULL || m->spec->late_after_ms < 0 || m->backfill != 0)
		return;
	if (by_schedule && r->logical_time + after > now)
		in = r->logical_time + after - now;
	m->late_at = w->mono + in;
}

static void too_early(struct world *w, uint64_t no, const struct mrun *m)
{
	if (w->mono < m->late_at - SLACK_US && told_late(w, no))
		fail(w, "run %llu of %s is called late %lld ms too early", (unsigned long long)no,
		    m->spec->name, (long long)((m->late_at - w->mono) / US_PER_MS));
}

void wait_left(struct world *w, uint64_t no)
{
	struct mrun *m = mirror_run(w, no);

	if (m->late_at != TIME_NONE)
		too_early(w, no, m);
	m->late_at = TIME_NONE;
}

static bool has_timeout(const struct mrun *m)
{
	return m->spec->queue_timeout_ms >= 0 && m->backfill == 0;
}

static mono_us ends_at(const struct mrun *m)
{
	return m->queued_at + m->spec->queue_timeout_ms * US_PER_MS;
}

/* Runs that this operation took out of the queue because they waited too long. */
void wait_timed_out(struct world *w, const struct sim_op *o)
{
	for (size_t i = o->fx_from; i < o->fx_to; i++) {
		const struct effect *f = &w->fx.v[i];
		struct mrun *m = f->kind == EFFECT_RUN ? mirror_run(w, f->id) : NULL;

		if (m == NULL || m->state != RUN_QUEUED || f->state != RUN_CANCELLED ||
		    m->cancelled || !has_timeout(m) || w->mono < ends_at(m) - SLACK_US)
			continue;
		m->cancelled = true;
		w->fig->queue_timeouts++;
	}
}

static void one(struct world *w, uint64_t no, bool look)
{
	struct mrun *m = mirror_run(w, no);

	if (m->state != RUN_QUEUED)
		return;
	if (has_timeout(m) && w->mono > ends_at(m) + SLACK_US)
		fail(w, "run %llu of %s waits, its queue_timeout passed %lld ms ago",
		    (unsigned long long)no, m->spec->name,
		    (long long)((w->mono - ends_at(m)) / US_PER_MS));
	if (m->late_at == TIME_NONE)
		return;
	if (w->mono <= m->late_at + SLACK_US) {
		if (look)
			too_early(w, no, m);
		return;
	}
	if (!told_late(w, no))
		fail(w, "run %llu of %s waits, nobody was told %lld ms after late_after",
		    (unsigned long long)no, m->spec->name,
		    (long long)((w->mono - m->late_at) / US_PER_MS));
	m->late_at = TIME_NONE;
	w->fig->late++;
}

/* All that was due is done. */
void wait_check(struct world *w)
{
	for (uint32_t d = 0; d < SIM_DAGS; d++) {
		for (size_t i = 0; i < w->open[d].n && !w->failed; i++)
			one(w, w->open[d].v[i], w->steps % 16 == 0);
	}
}
