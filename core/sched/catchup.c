/* catchup.c: instants that were missed: which of them are to run, and their runs, some at a time.
 * The rules stand at the head of tick.c.
 *
 * They are never listed: a schedule keeps intervals of time, and asks its trigger for the instants
 * in them one by one. Finding out what was missed in ten years costs a few halvings; starting it is
 * bounded by at_once, and passing over what has run already by CATCHUP_LOOKS a transaction. */
#include "core/sched/schedule.h"

#include <string.h>

#define CATCHUP_LOOKS 64

size_t catchup_open(const struct sched_rec *s)
{
	size_t n = 0;

	while (n < SCHED_OPEN_MAX && s->open[n] != 0)
		n++;
	return n;
}

/* ---- intervals: missed[2 * i] < instant <= missed[2 * i + 1] ---- */

static size_t gaps(const struct sched_rec *s)
{
	size_t n = 0;

	while (n < SCHED_GAPS_MAX && s->missed[2 * n] != 0)
		n++;
	return n;
}

static void gap_drop(struct sched_rec *s, size_t i)
{
	size_t n = gaps(s);

	memmove(&s->missed[2 * i], &s->missed[2 * i + 2], (n - i - 1) * 2 * sizeof(s->missed[0]));
	s->missed[2 * n - 2] = s->missed[2 * n - 1] = 0;
}

/* The ninth gap becomes one with the eighth. What lay between them has run and does not run again,
 * or lay outside `within`: that is more than was asked for, never less. */
static void gap_add(struct sched_rec *s, wall_us after, wall_us upto)
{
	size_t n = gaps(s);

	if (after <= 0)
		after = 1;
	if (upto <= after)
		return;
	if (n < SCHED_GAPS_MAX)
		s->missed[2 * n++] = (uint64_t)after;
	s->missed[2 * n - 1] = (uint64_t)upto;
}

void catchup_cut(struct sched_rec *s, wall_us upto)
{
	for (size_t i = gaps(s); i-- > 0;) {
		if ((wall_us)s->missed[2 * i + 1] > upto)
			s->missed[2 * i + 1] = (uint64_t)upto;
		if (s->missed[2 * i] >= s->missed[2 * i + 1])
			gap_drop(s, i);
	}
}

/* ---- which ---- */

/* The last instant with a start before now - grace; ERR_NOT_FOUND where there is none. */
static int last_missed(struct tx *x, const struct schedule *c, int64_t grace_us, wall_us *ret)
{
	wall_us edge = x->now - grace_us;
	int rc = trigger_prev(c->t, edge, ret, NULL);

	/* the jitter of the last one may reach over the edge, that of the one before cannot */
	if (rc == 0 && trigger_start(c->d.name, c->t, *ret) >= edge)
		rc = trigger_prev(c->t, *ret, ret, NULL);
	return rc;
}

static bool another_starts_now(struct tx *x, const struct schedule *c, wall_us after)
{
	wall_us next;

	return trigger_next(c->t, after, &next, NULL) == 0 &&
	       trigger_start(c->d.name, c->t, next) <= x->now;
}

int catchup_judge(struct tx *x, struct schedule *c, int64_t grace_us)
{
	int64_t within = c->t->catchup_within_ms;
	wall_us last, oldest = INT64_MIN + 1;

	if (last_missed(x, c, grace_us, &last) != 0 || last <= c->s.upto)
		return 0;
	if (within >= 0 && within < (x->now - INT64_MIN / 2) / US_PER_MS)
		oldest = x->now - within * US_PER_MS;
	if (c->t->catchup == CATCHUP_ALL)
		gap_add(&c->s, c->s.upto >= oldest ? c->s.upto : oldest - 1, last);
	if (c->t->catchup == CATCHUP_LATEST && last >= oldest && !another_starts_now(x, c, last)) {
		memset(c->s.missed, 0, sizeof(c->s.missed));
		gap_add(&c->s, last - 1, last);
	}
	c->s.upto = last;
	return 0;
}

int catchup_trim(struct schedule *c)
{
	size_t n = gaps(&c->s);
	wall_us last;

	if (n == 0 || c->t->catchup == CATCHUP_ALL)
		return 0;
	last = (wall_us)c->s.missed[2 * n - 1];
	memset(c->s.missed, 0, sizeof(c->s.missed));
	if (c->t->catchup == CATCHUP_LATEST && trigger_prev(c->t, last + 1, &last, NULL) == 0)
		gap_add(&c->s, last - 1, last);
	return 0;
}

/* ---- their runs ---- */

int catchup_wake(struct tx *x, struct schedule *c)
{
	struct key k;

	if (c->s.catchup_at != 0 || gaps(&c->s) == 0 ||
	    catchup_open(&c->s) >= c->t->catchup_at_once)
		return 0;
	c->s.catchup_at = x->now;
	key_due_catchup(&k, c->s.catchup_at, c->d.no, c->t->name);
	return due_add(x, &k);
}

/* Takes the oldest instant out; ERR_NOT_FOUND when none is left. */
static int take(struct schedule *c, wall_us *ret)
{
	while (gaps(&c->s) > 0) {
		int rc = trigger_next(c->t, (wall_us)c->s.missed[0], ret, NULL);

		if (rc == 0 && *ret <= (wall_us)c->s.missed[1]) {
			c->s.missed[0] = (uint64_t)*ret;
			if (c->s.missed[0] == c->s.missed[1])
				gap_drop(&c->s, 0);
			return 0;
		}
		gap_drop(&c->s, 0);
	}
	return ERR_NOT_FOUND;
}

/* One instant: its run is started and remembered while it is open. */
static int start_one(struct tx *x, struct schedule *c, const struct due_key *due, bool *ret_more)
{
	uint64_t run;
	wall_us at;
	int rc = schedule_load(x, due->dag_no, due->trigger, c);

	*ret_more = false;
	if (rc != 0 || catchup_open(&c->s) >= c->t->catchup_at_once)
		return rc;
	rc = take(c, &at);
	if (rc != 0)
		return rc == ERR_NOT_FOUND ? schedule_save(x, c) : rc;
	*ret_more = true;
	if (c->s.last < at)
		c->s.last = at;
	rc = schedule_save(x, c);
	if (rc == 0)
		rc = schedule_tick(x, c, at, &run);
	if (rc != 0 || run == 0)
		return rc;
	rc = flow_settle(x);
	if (rc != 0 || (x->run.no == run && run_state_ended(x->run.state)))
		return rc;
	rc = schedule_load(x, due->dag_no, due->trigger, c);
	if (rc != 0)
		return rc;
	c->s.open[catchup_open(&c->s)] = run;
	return schedule_save(x, c);
}

/* An instant that has come and is not judged yet may take the place of what waits: its entry comes
 * first, whatever was put behind whatever when the daemon died in between. */
static bool unjudged(struct tx *x, const struct schedule *c)
{
	wall_us starts = c->s.start_at != 0 ? c->s.start_at : c->s.next;

	return c->s.next != TIME_NONE && starts <= x->now;
}

static int catchup_again(struct tx *x, struct schedule *c, wall_us at)
{
	struct key k;
	int rc;

	c->s.catchup_at = at;
	key_due_catchup(&k, at, c->d.no, c->t->name);
	rc = due_add(x, &k);
	return rc != 0 ? rc : schedule_save(x, c);
}

int catchup_due(struct tx *x, const struct due_key *due)
{
	struct schedule c;
	struct key k;
	bool more = true;
	int rc = schedule_load(x, due->dag_no, due->trigger, &c);

	if (rc != 0)
		return rc;
	if (c.s.catchup_at == 0)
		return ERR_CORRUPT;
	key_due_catchup(&k, c.s.catchup_at, due->dag_no, due->trigger);
	c.s.catchup_at = 0;
	rc = due_del(x, &k);
	if (rc == 0 && unjudged(x, &c))
		return catchup_again(x, &c, x->now);
	if (rc == 0)
		rc = schedule_save(x, &c);
	for (int i = 0; rc == 0 && more && i < CATCHUP_LOOKS; i++)
		rc = start_one(x, &c, due, &more);
	if (rc != 0 || !more)
		return rc;
	/* in a transaction of its own */
	rc = schedule_load(x, due->dag_no, due->trigger, &c);
	if (rc != 0 || c.s.catchup_at != 0)
		return rc;
	return catchup_again(x, &c, x->now + US_PER_MS);
}

/* The place of an ended run is free for the next missed instant. */
int schedule_run_ended(struct tx *x)
{
	const struct run_rec *r = &x->run;
	struct schedule c;
	size_t i, n;
	int rc;

	if (r->space != SPACE_TIME || r->trigger > TRIGGER_EVERY)
		return 0;
	rc = schedule_get(x->v, r->dag_no, r->trigger_name, &c.s);
	if (rc != 0)
		return rc == ERR_NOT_FOUND ? 0 : rc;
	n = catchup_open(&c.s);
	for (i = 0; i < n && c.s.open[i] != r->no; i++)
		;
	if (i == n)
		return 0;
	c.s.open[i] = c.s.open[n - 1];
	c.s.open[n - 1] = 0;
	rc = must(dag_get(x->v, r->dag_no, &c.d));
	if (rc == 0)
		rc = must(dag_plan(x->v, &c.d, &c.plan));
	if (rc != 0)
		return rc;
	c.t = plan_trigger_find(c.plan, r->trigger_name);
	if (c.t == NULL)
		return ERR_CORRUPT;
	if (!dag_is_paused(x->v, &c.d))
		rc = catchup_wake(x, &c);
	return rc != 0 ? rc : schedule_save(x, &c);
}
