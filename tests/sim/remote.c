/* remote.c: work elsewhere: a system that takes work under an id and finds it again by that id; the
 * steps that submit to it, poll it and ask it to end (sluice-plugin(7), core/README.md). What must
 * hold: one work at a time of a step, an end that was seen is the step's end, nothing but its own
 * end ends it (or 12 tries to stop it, 20 hopeless polls), a poll is no try, comes neither before
 * its time nor with a KILL, and between polls there is no slot. */
#include "tests/sim/sim.h"

#include <stdio.h>
#include <string.h>

#define STOP_TRIES 12u
#define POLL_ERRORS 20u
#define POLL_MIN_MS 1000
#define POLL_MAX_MS 300000
#define POLL_DEADLINE_US (120 * US_PER_S)
#define SLACK_US (200 * US_PER_MS)
#define CALM_US (5 * US_PER_S)

/* ---- the other system ---- */

static uint64_t work_key(const struct attempt *a)
{
	char text[96];

	snprintf(text, sizeof(text), "%llu/%u/%u/%u/%u", (unsigned long long)a->step.run,
	    a->step.step, a->step.item, a->generation, a->submission);
	return text_hash(text);
}

static struct work *work_of(const struct world *w, const struct attempt *a)
{
	uint32_t at = map_find(&w->work_of, work_key(a));

	return at == UINT32_MAX ? NULL : &w->works.v[at];
}

static bool same_step(const struct step_ref *a, const struct step_ref *b)
{
	return a->run == b->run && a->step == b->step && a->item == b->item;
}

static bool has_ended(const struct world *w, const struct work *k)
{
	return w->mono >= k->ends_at;
}

/* What nobody noted may be left behind by a step that is cancelled inside of submit. */
static void check_alone(struct world *w, const struct attempt *a)
{
	for (size_t i = 0; i < w->works.n; i++) {
		const struct work *k = &w->works.v[i];

		if (!same_step(&k->step, &a->step) || has_ended(w, k) || k->let_go ||
		    k->epoch != w->epoch || (!k->noted && k->generation != a->generation))
			continue;
		fail(w, "step %llu/%u/%u submits work %u.%u while work %u.%u of it runs",
		    (unsigned long long)a->step.run, a->step.step, a->step.item, a->generation,
		    a->submission, k->generation, k->submission);
	}
}

/* submit: finds what it has begun, else begins. */
static void work_submit(struct world *w, const struct attempt *a)
{
	static const enum step_class classes[] = {
	    CLASS_DATA, CLASS_TRANSIENT, CLASS_QUOTA, CLASS_CONFIG};
	struct chance *c = &w->chance;
	struct work *k;

	if (work_of(w, a) != NULL)
		return;
	check_alone(w, a);
	map_add(&w->work_of, work_key(a), (uint32_t)w->works.n);
	k = VEC_PUSH(&w->works);
	memset(k, 0, sizeof(*k));
	k->step = a->step;
	k->generation = a->generation;
	k->submission = a->submission;
	k->epoch = w->epoch;
	k->ends_at = w->mono + spread(c, US_PER_S, w->calm ? CALM_US : 1200 * US_PER_S);
	if (fault_now(w, FAULT_HANG))
		k->ends_at = w->mono + between(c, 3600, 4 * 3600) * US_PER_S;
	if (!w->calm && one_in(c, 4))
		k->class_ = classes[roll(c, 4)];
	w->fig->works++;
	note(w, "work %u.%u of step %llu/%u/%u begins for %lld s", k->generation, k->submission,
	    (unsigned long long)k->step.run, k->step.step, k->step.item,
	    (long long)((k->ends_at - w->mono) / US_PER_S));
}

static void work_cancel(struct world *w, const struct attempt *a)
{
	struct work *k = work_of(w, a);
	mono_us at = w->mono + spread(&w->chance, 1000, 60 * US_PER_S);

	if (k == NULL || has_ended(w, k) || at >= k->ends_at || (!w->calm && one_in(&w->chance, 6)))
		return; /* not followed */
	k->ends_at = at;
	k->class_ = CLASS_CANCELLED;
}

/* Faults are over: what would run for hours ends soon. A DAG whose works take longer than its
 * schedule gives them never works off its queue, and what it makes up for waits there too. */
void remote_calm(struct world *w)
{
	for (size_t i = 0; i < w->works.n; i++) {
		struct work *k = &w->works.v[i];
		mono_us at = w->mono + spread(&w->chance, 1000, CALM_US);

		if (at < k->ends_at)
			k->ends_at = at;
	}
}

/* ---- attempts ---- */

void remote_act(struct world *w, struct attempt *a)
{
	if (a->published)
		return;
	a->published = true;
	if (a->phase == PHASE_SUBMIT)
		work_submit(w, a);
	else if (a->phase == PHASE_CANCEL)
		work_cancel(w, a);
}

static void report_end(struct world *w, struct attempt *a, const struct work *k)
{
	a->remote_ended = true;
	a->publishes = a->partition = -1;
	if (k->class_ == CLASS_OK) {
		worker_success(w, a);
		return;
	}
	a->code = OUTCOME_FAILED;
	a->class_ = k->class_;
	snprintf(a->report, sizeof(a->report),
	    "{\"class\":\"%s\",\"message\":\"it ended so\",\"remote_ended\":true}",
	    class_name(k->class_));
}

/* The report of an attempt that came to its end by itself. */
void remote_report(struct world *w, struct attempt *a)
{
	struct chance *c = &w->chance;
	const struct work *k;

	remote_act(w, a);
	k = work_of(w, a);
	if (k == NULL) {
		fail(w, "step %llu/%u/%u polls work that was never submitted",
		    (unsigned long long)a->step.run, a->step.step, a->step.item);
		return;
	}
	if (has_ended(w, k) && (a->phase != PHASE_SUBMIT || one_in(c, 2))) {
		report_end(w, a, k);
		return;
	}
	a->handle = true;
	a->publishes = a->partition = -1;
	a->poll_after_ms =
	    one_in(c, 3) ? 0 : spread(c, 500, w->calm ? CALM_US / US_PER_MS : 400000);
	snprintf(a->report, sizeof(a->report),
	    "{\"class\":\"ok\",\"submitted\":{\"handle\":\"%u.%u\",\"poll_after_ms\":%lld}}",
	    k->generation, k->submission, (long long)a->poll_after_ms);
}

/* ---- the hand-over ---- */

static void check_stop(struct world *w, struct mstep *m, struct mrun *r, const struct step_rec *s)
{
	int64_t limit_us = r->spec->steps[m->ref.step].timeout_ms * US_PER_MS;
	int64_t ran_us = w->mono - m->started;

	if (s->stop == REMOTE_CANCEL)
		mirror_timed_out(w, m->ref.run);
	if (s->stop == REMOTE_CANCEL && !r->cancelled)
		fail(w, "work of step %llu/%u/%u is stopped, nobody cancelled it",
		    (unsigned long long)m->ref.run, m->ref.step, m->ref.item);
	else if (s->stop == REMOTE_TIMEOUT && (limit_us < 0 || ran_us < limit_us - SLACK_US))
		fail(w, "work of step %llu/%u/%u is stopped after %lld ms, its timeout is %lld ms",
		    (unsigned long long)m->ref.run, m->ref.step, m->ref.item,
		    (long long)(ran_us / US_PER_MS), (long long)(limit_us / US_PER_MS));
	else if (s->stop == REMOTE_KEEP &&
		 (r->cancelled || (limit_us >= 0 && ran_us > limit_us + SLACK_US)))
		fail(w, "work of step %llu/%u/%u goes on, it was to be stopped",
		    (unsigned long long)m->ref.run, m->ref.step, m->ref.item);
}

/* As core/daemon/job.c reads what is to be done. */
void remote_job(struct world *w, struct mstep *m, struct attempt *a)
{
	struct mrun *r = mirror_run(w, m->ref.run);
	struct step_rec s;

	if (!r->spec->steps[m->ref.step].remote)
		return;
	if (step_get(bed_view(w->bed), &m->ref, &s) != 0) {
		fail(w, "a step that was handed out is not there");
		return;
	}
	if (s.submitted != m->remote || s.submission != m->submission)
		fail(w, "step %llu/%u/%u: work %u%s was handed out, it is %u%s",
		    (unsigned long long)m->ref.run, m->ref.step, m->ref.item, s.submission,
		    s.submitted ? " submitted" : "", m->submission, m->remote ? " submitted" : "");
	a->submission = m->submission;
	a->phase = !m->remote ? PHASE_SUBMIT : s.stop != REMOTE_KEEP ? PHASE_CANCEL : PHASE_POLL;
	if (!m->remote || w->failed)
		return;
	check_stop(w, m, r, &s);
	if (s.stop != m->stop)
		m->poll_errors = 0;
	m->stop = s.stop;
	if (s.stop == REMOTE_KEEP && m->not_before != TIME_NONE && w->mono < m->not_before)
		fail(w, "step %llu/%u/%u is polled %lld ms too early",
		    (unsigned long long)m->ref.run, m->ref.step, m->ref.item,
		    (long long)((m->not_before - w->mono) / US_PER_MS));
	m->not_before = TIME_NONE;
}

/* ---- outcomes ---- */

static void wait_for_poll(struct world *w, struct mstep *m, int64_t hint_ms)
{
	int64_t ms = hint_ms < POLL_MIN_MS ? POLL_MIN_MS : hint_ms;
	uint32_t n = m->poll_errors < 9 ? m->poll_errors : 9; /* so doubled 256 s at most */

	if (n > 0 && ms < (int64_t)POLL_MIN_MS << (n - 1))
		ms = (int64_t)POLL_MIN_MS << (n - 1);
	if (ms > POLL_MAX_MS)
		ms = POLL_MAX_MS;
	m->not_before = w->mono + ms * US_PER_MS - SLACK_US;
}

static void goes_on(struct world *w, struct mstep *m, const struct effect *moved, int64_t hint_ms)
{
	if (moved->state != STEP_RUNNING || moved->instance != 0)
		fail(w, "work of step %llu/%u/%u goes on elsewhere, the step became %s%s",
		    (unsigned long long)m->ref.run, m->ref.step, m->ref.item,
		    step_state_name((enum step_state)moved->state),
		    moved->instance != 0 ? " with an instance" : "");
	wait_for_poll(w, m, hint_ms);
}

static void work_each(struct world *w, const struct mstep *m, bool noted)
{
	for (size_t i = 0; i < w->works.n; i++) {
		struct work *k = &w->works.v[i];

		if (!same_step(&k->step, &m->ref) || k->generation != m->generation ||
		    k->submission != m->submission)
			continue;
		k->noted = k->noted || noted;
		k->let_go = k->let_go || !noted;
	}
}

/* 12 tries to end it; which of two cancels came first is not told: one more or less. */
static bool gives_up(const struct mstep *m, const struct effect *moved)
{
	if (m->stop == REMOTE_KEEP || m->poll_errors + 1 < STOP_TRIES)
		return false;
	return m->poll_errors > STOP_TRIES || moved->state != STEP_RUNNING;
}

static bool time_cures(enum step_class c)
{
	return c == CLASS_TRANSIENT || c == CLASS_QUOTA || c == CLASS_TIMEOUT || c == CLASS_LOST ||
	       c == CLASS_CANCELLED;
}

static enum step_class stop_class(const struct mstep *m)
{
	return m->stop == REMOTE_TIMEOUT ? CLASS_TIMEOUT : CLASS_CANCELLED;
}

static void ended_there(struct world *w, const struct mstep *m, enum step_class c)
{
	if (c == CLASS_CANCELLED)
		mirror_run(w, m->ref.run)->elsewhere = true;
}

static void judged(struct world *w, struct mstep *m, enum step_class c, int64_t retry_after_ms,
    const struct effect *moved)
{
	m->remote = false;
	m->stop = REMOTE_KEEP;
	m->poll_errors = 0;
	mirror_judged(w, m, c, retry_after_ms, (enum step_state)moved->state);
}

static void poll_told(
    struct world *w, struct mstep *m, const struct sim_op *o, const struct effect *moved)
{
	bool ended = o->class_ == CLASS_OK ? !o->handle : o->remote_ended;

	if (m->stop == REMOTE_KEEP && mirror_run(w, m->ref.run)->cancelled) {
		m->stop = REMOTE_CANCEL;
		m->poll_errors = 0;
	}
	if (ended) {
		if (o->class_ == CLASS_OK) {
			judged(w, m, CLASS_OK, 0, moved);
			return;
		}
		m->submission++;
		ended_there(w, m, o->class_);
		judged(w, m, m->stop != REMOTE_KEEP ? stop_class(m) : o->class_, o->retry_after_ms,
		    moved);
		return;
	}
	m->poll_errors = o->handle && m->stop == REMOTE_KEEP ? 0 : m->poll_errors + 1;
	if (gives_up(m, moved)) {
		work_each(w, m, false);
		judged(w, m, stop_class(m), 0, moved);
	} else if (m->stop == REMOTE_KEEP && !o->handle && !time_cures(o->class_) &&
		   m->poll_errors >= POLL_ERRORS) {
		work_each(w, m, false);
		judged(w, m, o->class_, o->retry_after_ms, moved);
	} else {
		goes_on(w, m, moved, o->handle ? o->poll_after_ms : o->retry_after_ms);
	}
}

void remote_outcome_told(
    struct world *w, struct mstep *m, const struct sim_op *o, const struct effect *moved)
{
	if (moved->state == STEP_CANCELLED)
		mirror_timed_out(w, m->ref.run);
	if (m->remote) {
		poll_told(w, m, o, moved);
		return;
	}
	if (o->class_ == CLASS_OK && o->handle) {
		m->remote = true;
		m->stop = REMOTE_KEEP;
		m->poll_errors = 0;
		VEC_ADD(&w->remotes, map_find(&w->step_of, mirror_key(&m->ref)));
		work_each(w, m, true);
		goes_on(w, m, moved, o->poll_after_ms);
		return;
	}
	if (o->remote_ended && o->class_ != CLASS_OK)
		m->submission++;
	ended_there(w, m, o->class_);
	mirror_judged(w, m, o->class_, o->retry_after_ms, (enum step_state)moved->state);
}

/* A poll that was lost with its pool, or never began: it says nothing of the work. */
void remote_unheard(struct world *w, struct mstep *m, const struct effect *f, bool lost)
{
	if (f->state != STEP_RUNNING || f->instance != 0)
		fail(w, "a poll of step %llu/%u/%u was lost, the step became %s",
		    (unsigned long long)m->ref.run, m->ref.step, m->ref.item,
		    step_state_name((enum step_state)f->state));
	if (!lost)
		return;
	m->poll_errors++;
	wait_for_poll(w, m, 0);
}

/* Tokens of a pool that submitted steps hold between polls. */
uint32_t remote_tokens(struct world *w, int pool)
{
	uint32_t n = 0;

	for (size_t i = w->remotes.n; i > 0; i--) {
		const struct mstep *m = &w->msteps.v[w->remotes.v[i - 1]];
		const struct mrun *r = mirror_run(w, m->ref.run);

		if (!m->remote || r == NULL) {
			w->remotes.v[i - 1] = w->remotes.v[--w->remotes.n];
			continue;
		}
		if (m->instance == 0 && r->spec->steps[m->ref.step].pool == pool)
			n += r->spec->steps[m->ref.step].tokens;
	}
	return n;
}

void remote_back(struct world *w)
{
	VEC_CLEAR(&w->remotes);
	for (size_t i = 0; i < w->msteps.n; i++) {
		if (w->msteps.v[i].remote)
			VEC_ADD(&w->remotes, (uint32_t)i);
	}
}

/* Slots are of attempts that are out. */
void remote_slots(struct world *w)
{
	uint64_t n;

	if (count_get(bed_view(w->bed), COUNT_SLOTS, &n) != 0)
		fail(w, "the count of slots cannot be read");
	else if (n != w->slots)
		fail(w, "%llu slots are taken, %u attempts are out", (unsigned long long)n,
		    w->slots);
}

/* Everything came to its end: so did the work. */
void remote_end(struct world *w)
{
	for (size_t i = 0; i < w->works.n && !w->failed; i++) {
		const struct work *k = &w->works.v[i];

		if (!has_ended(w, k) && k->noted && !k->let_go && k->epoch == w->epoch)
			fail(w, "work %u.%u of step %llu/%u/%u still runs elsewhere", k->generation,
			    k->submission, (unsigned long long)k->step.run, k->step.step,
			    k->step.item);
	}
}

int64_t remote_deadline(void)
{
	return POLL_DEADLINE_US;
}
