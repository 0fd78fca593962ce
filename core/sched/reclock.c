/* reclock.c: somebody set the clock.
 *
 * Due entries are wall times. For a schedule that is right: it follows the clock on the wall. A
 * wait (retry, timeout, poll, alert) was meant as a length of time, so a step of the clock moves
 * its entry by the step: nothing waits a year because the year was corrected, and nothing times
 * out. Time that the machine slept through, or during which the daemon was down, is no step.
 *
 * The writer applies OP_CLOCK first in a batch when the distance between wall and monotonic clock
 * has changed, so no other operation ever sees the new time with the old entries. The moving itself
 * is done by OP_DUE, some entries a transaction, before anything is called due; how far it came
 * stands in the store. Entries that come meanwhile are marked, so that they are not moved. */
#include "core/sched/tx.h"

#include "core/sched/codec.h"

#include <string.h>

#define STEP_MIN_US (100 * US_PER_MS) /* less is left to retries' own vagueness */
#define SEEN_US (3600 * US_PER_S)

static int64_t absolute(int64_t v)
{
	return v < 0 ? -v : v;
}

static int meta_time(const struct view *v, const char *name, int64_t *ret)
{
	uint64_t n;
	int rc = meta_get(v, name, &n);

	if (rc == 0)
		*ret = (int64_t)n;
	return rc;
}

static int meta_drop(struct tx *x, const char *name)
{
	int rc = view_del(x->v, TABLE_META, name, strlen(name));

	return rc == ERR_NOT_FOUND ? 0 : rc;
}

/* ---- is one under way ---- */

static bool is_pending(struct tx *x)
{
	int64_t step;

	if (!x->clock_known)
		x->clock_pending = meta_time(x->v, META_CLOCK_STEP, &step) == 0;
	x->clock_known = true;
	return x->clock_pending;
}

/* Schedules follow the wall; the rest are waits. */
static bool is_wait(const struct key *k)
{
	enum due_kind kind = k->n > 8 ? (enum due_kind)k->b[8] : DUE_CRON;

	return kind == DUE_RETRY || kind == DUE_RUN_TIMEOUT || kind == DUE_QUEUE_TIMEOUT ||
	       kind == DUE_LATE || kind == DUE_POLL || kind == DUE_OUTBOX || kind == DUE_BACKFILL ||
	       kind == DUE_CANCEL || kind == DUE_CANCEL_MANY;
}

static void key_mark(struct key *k, const void *due, size_t n)
{
	key_init(k);
	key_text(k, META_CLOCK_NEW);
	key_bytes(k, due, n);
}

int reclock_added(struct tx *x, const struct key *k)
{
	struct key mark;

	if (!is_wait(k) || !is_pending(x))
		return 0;
	key_mark(&mark, k->b, k->n);
	return view_put(x->v, TABLE_META, mark.b, mark.n, NULL, 0);
}

int reclock_deleted(struct tx *x, const struct key *k)
{
	struct key mark;
	int rc;

	if (!is_wait(k) || !is_pending(x))
		return 0;
	key_mark(&mark, k->b, k->n);
	rc = view_del(x->v, TABLE_META, mark.b, mark.n);
	return rc == ERR_NOT_FOUND ? 0 : rc;
}

/* A length of time is the distance of two wall times less what the sum grew by between them. */
int reclock_sum(struct tx *x, int64_t *ret)
{
	int rc = x->sum_known ? 0 : meta_time(x->v, META_CLOCK_SUM, &x->clock_sum);

	x->sum_known = rc == 0 || rc == ERR_NOT_FOUND;
	*ret = x->clock_sum;
	return x->sum_known ? 0 : rc;
}

static int sum_add(struct tx *x, int64_t step)
{
	int64_t sum;
	int rc = reclock_sum(x, &sum);

	if (rc != 0)
		return rc;
	x->clock_sum = sum + step;
	return meta_put(x->v, META_CLOCK_SUM, (uint64_t)x->clock_sum);
}

/* ---- one entry ---- */

static wall_us moved(wall_us at, int64_t step)
{
	wall_us to;

	if (__builtin_add_overflow(at, step, &to) || to <= 0)
		return 1;
	return to;
}

static int move_step(struct tx *x, const struct due_key *due, int64_t step, struct key *ret)
{
	struct step_rec s;
	int rc = run_close(x);

	if (rc == 0)
		rc = must(step_get(x->v, &due->step, &s));
	if (rc != 0)
		return rc;
	if (due->kind == DUE_RETRY)
		s.ready_at = moved(s.ready_at, step);
	else
		s.poll_at = moved(s.poll_at, step);
	if (due->kind == DUE_RETRY)
		key_due_retry(ret, s.ready_at, &due->step);
	else
		key_due_poll(ret, s.poll_at, &due->step);
	return step_put(x->v, &s);
}

static int move_run(struct tx *x, const struct due_key *due, int64_t step, struct key *ret)
{
	wall_us *at;
	int rc = must(run_open(x, due->run));

	if (rc != 0)
		return rc;
	at = due->kind == DUE_RUN_TIMEOUT     ? &x->run.deadline_at
	     : due->kind == DUE_QUEUE_TIMEOUT ? &x->run.queue_until
	     : due->kind == DUE_CANCEL	      ? &x->run.cancel_at
					      : &x->run.late_at;
	*at = moved(*at, step);
	x->run_dirty = true;
	key_due_run(ret, *at, due->kind, due->run);
	return 0;
}

static int move_backfill(struct tx *x, const struct due_key *due, int64_t step, struct key *ret)
{
	struct backfill_rec b;
	int rc = must(backfill_get(x->v, due->run, &b));

	if (rc != 0)
		return rc;
	b.due_at = moved(b.due_at, step);
	key_due_run(ret, b.due_at, DUE_BACKFILL, b.no);
	return backfill_put(x->v, &b);
}

static int move_cancel(struct tx *x, const struct due_key *due, int64_t step, struct key *ret)
{
	struct cancel_rec c;
	int rc = must(cancel_get(x->v, due->run, &c));

	if (rc != 0)
		return rc;
	c.due_at = moved(c.due_at, step);
	key_due_run(ret, c.due_at, DUE_CANCEL_MANY, c.no);
	return cancel_put(x->v, &c);
}

static int move_one(struct tx *x, const struct due_key *due, int64_t step, struct key *ret)
{
	switch (due->kind) {
	case DUE_RETRY:
	case DUE_POLL:
		return move_step(x, due, step, ret);
	case DUE_OUTBOX:
		return outbox_shift(x, (uint32_t)due->run, step, ret);
	case DUE_BACKFILL:
		return move_backfill(x, due, step, ret);
	case DUE_CANCEL_MANY:
		return move_cancel(x, due, step, ret);
	default:
		return move_run(x, due, step, ret);
	}
}

static int move_entry(struct tx *x, const struct key *k, int64_t step)
{
	struct key mark, to;
	struct due_key due;
	int rc;

	if (!is_wait(k))
		return 0;
	key_mark(&mark, k->b, k->n);
	rc = view_del(x->v, TABLE_META, mark.b, mark.n);
	if (rc != ERR_NOT_FOUND)
		return rc; /* it came since */
	rc = key_parse_due((struct slice){k->b, k->n}, &due);
	if (rc != 0)
		return rc;
	rc = move_one(x, &due, step, &to);
	if (rc == 0)
		rc = must(view_del(x->v, TABLE_DUE, k->b, k->n));
	return rc != 0 ? rc : view_put(x->v, TABLE_DUE, to.b, to.n, NULL, 0);
}

/* ---- all of them ---- */

/* The next key of the table; `at` is in and out. What is moved must not be met again: later ones
 * are moved ahead first, earlier ones back first. */
static int walk(struct tx *x, enum table t, bool down, struct key *at)
{
	struct slice key, value, from = {at->b, at->n};
	int rc = down ? x->v->prev(x->v->ctx, t, from, &key, &value)
		      : x->v->next(x->v->ctx, t, from, at->n > 0, &key, &value);

	if (rc != 0)
		return rc;
	memcpy(at->b, key.p, key.n);
	at->n = key.n;
	return 0;
}

static int finish(struct tx *x)
{
	struct view_walk w;
	int rc = meta_drop(x, META_CLOCK_AT);

	if (rc == 0)
		rc = meta_drop(x, META_CLOCK_STEP);
	view_walk_init(&w, x->v, TABLE_META, META_CLOCK_NEW, strlen(META_CLOCK_NEW), false);
	while (rc == 0 && (rc = view_walk_next(&w, NULL)) == 0)
		rc = must(view_del(x->v, TABLE_META, w.key, w.key_n));
	x->clock_pending = false;
	return rc == ERR_NOT_FOUND ? 0 : rc;
}

static int load_at(struct tx *x, uint8_t *ret_table, struct key *ret)
{
	struct slice s;
	int rc = view_get(x->v, TABLE_META, META_CLOCK_AT, strlen(META_CLOCK_AT), &s);

	*ret_table = TABLE_DUE;
	key_init(ret);
	if (rc != 0)
		return rc == ERR_NOT_FOUND ? 0 : rc;
	if (s.n < 1 || s.n > sizeof(ret->b))
		return ERR_CORRUPT;
	*ret_table = *(const uint8_t *)s.p;
	key_bytes(ret, (const uint8_t *)s.p + 1, s.n - 1);
	return 0;
}

static int save_at(struct tx *x, uint8_t table, const struct key *at)
{
	uint8_t value[1 + VIEW_KEY_MAX];

	value[0] = table;
	memcpy(value + 1, at->b, at->n);
	return view_put(x->v, TABLE_META, META_CLOCK_AT, strlen(META_CLOCK_AT), value, 1 + at->n);
}

int reclock_work(struct tx *x, uint32_t limit, bool *ret_done)
{
	int64_t step = 0;
	uint8_t table;
	struct key at;
	int rc = 0;

	*ret_done = true;
	if (!is_pending(x))
		return 0;
	rc = meta_time(x->v, META_CLOCK_STEP, &step);
	if (rc == 0)
		rc = load_at(x, &table, &at);
	*ret_done = false;
	x->due_changed = true;
	for (uint32_t i = 0; rc == 0 && i < limit; i++) {
		rc = walk(x, (enum table)table, table == TABLE_DUE && step > 0, &at);
		if (rc == 0 && table == TABLE_DUE)
			rc = move_entry(x, &at, step);
		else if (rc == 0)
			rc = schedule_set_back(x, &at);
		if (rc != ERR_NOT_FOUND)
			continue;
		*ret_done = table != TABLE_DUE || step > 0;
		if (*ret_done)
			return finish(x);
		/* set back: what schedules had decided lies ahead now */
		table = TABLE_SCHED;
		key_init(&at);
		rc = 0;
	}
	return rc != 0 ? rc : save_at(x, table, &at);
}

/* ---- the step ---- */

/* By how much the clock was set since it was read last. Over a start of the machine the monotonic
 * clock says nothing; a wall clock that is behind one that was seen was certainly set back. */
static int find_step(struct tx *x, const struct op *op, bool *ret_same_boot, int64_t *ret_step)
{
	int64_t offset = 0, seen = 0;
	struct slice s;
	int rc = view_get(x->v, TABLE_META, META_CLOCK_BOOT, strlen(META_CLOCK_BOOT), &s);

	*ret_step = 0;
	*ret_same_boot = false;
	if (rc != 0)
		return rc == ERR_NOT_FOUND ? 0 : rc;
	*ret_same_boot = s.n == HASH_ID_BYTES && memcmp(s.p, op->u.clock.boot, HASH_ID_BYTES) == 0;
	rc = must(meta_time(x->v, META_CLOCK_OFFSET, &offset));
	if (rc == 0)
		rc = must(meta_time(x->v, META_CLOCK_SEEN, &seen));
	if (rc != 0)
		return rc;
	if (*ret_same_boot)
		*ret_step = op->u.clock.offset_us - offset;
	else if (x->now < seen)
		*ret_step = x->now - seen;
	if (absolute(*ret_step) < STEP_MIN_US)
		*ret_step = 0;
	return 0;
}

int op_clock(struct tx *x, const struct op *op)
{
	bool same_boot, done = !is_pending(x);
	int64_t step, seen = 0;
	int rc = find_step(x, op, &same_boot, &step);

	/* two steps within a moment: the first is carried out before the second */
	while (rc == 0 && step != 0 && !done)
		rc = reclock_work(x, 256, &done);
	if (rc == 0)
		rc = meta_time(x->v, META_CLOCK_SEEN, &seen);
	if (rc != 0 && rc != ERR_NOT_FOUND)
		return rc;
	if (rc == 0 && same_boot && step == 0 && absolute(x->now - seen) < SEEN_US)
		return 0;
	rc = meta_put(x->v, META_CLOCK_SEEN, (uint64_t)x->now);
	if (rc == 0 && (!same_boot || step != 0))
		rc = meta_put(x->v, META_CLOCK_OFFSET, (uint64_t)op->u.clock.offset_us);
	if (rc == 0 && !same_boot)
		rc = view_put(x->v, TABLE_META, META_CLOCK_BOOT, strlen(META_CLOCK_BOOT),
		    op->u.clock.boot, HASH_ID_BYTES);
	if (rc != 0 || step == 0)
		return rc;
	x->due_changed = x->clock_known = x->clock_pending = true;
	x->r->count = 1;
	rc = sum_add(x, step);
	return rc != 0 ? rc : meta_put(x->v, META_CLOCK_STEP, (uint64_t)step);
}
