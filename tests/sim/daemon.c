/* daemon.c: the daemon of the simulator: its queue, the writer's batch as core/store/writer.c runs
 * it (apply, DISPATCH, one commit; a batch that fails is run op by op), the timer of
 * core/daemon/timer.c, crashes before and after the commit, a start as core/daemon/life.c does it.
 */
#include "core/sched/check.h"
#include "tests/sim/sim.h"

#include <string.h>

#define AGAIN_US (5 * US_PER_S)
#define BATCH_OPS 1024

struct sim_op *op_new(enum op_kind kind)
{
	struct sim_op *o = MEM_NEW(struct sim_op);

	o->op.kind = kind;
	o->publishes = o->partition = -1;
	return o;
}

static void plan_batch(struct world *w)
{
	if (w->batch_planned || w->queue.n == 0)
		return;
	w->batch_planned = true;
	later(w, between(&w->chance, 100, 4000), EV_BATCH, 0, w->life, 0, NULL);
}

void submit(struct world *w, struct sim_op *take)
{
	if (!w->up) {
		sim_op_free(take);
		return;
	}
	VEC_ADD(&w->queue, take);
	plan_batch(w);
}

/* ---- the timer ---- */

static void arm_at(struct world *w, wall_us at)
{
	int64_t in = at - wall(w);

	later(w, (in > 0 ? in : 0) + roll(&w->chance, 2000), EV_TIMER, 0, ++w->timer_gen, w->life,
	    NULL);
}

void timer_arm(struct world *w)
{
	wall_us at;

	if (w->asked || !w->up)
		return; /* its result arms again */
	if (bed_begin(w->bed) != 0 || sched_next_due(bed_view(w->bed), &at) != 0) {
		fail(w, "what is due cannot be read");
		at = TIME_NONE;
	}
	bed_abort(w->bed);
	if (at != TIME_NONE)
		arm_at(w, at);
	else
		w->timer_gen++;
}

void on_timer(struct world *w, uint64_t gen)
{
	struct sim_op *o;

	if (!w->up || w->asked || gen != w->timer_gen)
		return;
	o = op_new(OP_DUE);
	o->op.u.due.limit = w->due_limit;
	o->reply = REPLY_DUE;
	w->asked = true;
	w->ask_again = false;
	submit(w, o);
}

/* TFD_TIMER_CANCEL_ON_SET: what is due is judged anew. */
void timer_clock_set(struct world *w)
{
	if (!w->up || mutant(MUTANT_CLOCK_UNSEEN))
		return;
	if (w->asked)
		w->ask_again = true;
	else
		later(w, 100, EV_TIMER, 0, ++w->timer_gen, w->life, NULL);
}

/* ---- looking at the store ---- */

static void on_problem(void *arg, const char *text)
{
	fail(arg, "check_store: %s", text);
}

void check_now(struct world *w)
{
	if (w->failed)
		return;
	w->fig->checks++;
	if (bed_begin(w->bed) != 0 || check_store(bed_view(w->bed), on_problem, w) != 0)
		fail(w, "check_store could not read the store");
	bed_abort(w->bed);
}

/* ---- a batch ---- */

/* As the writer does: the clock was set, or this is the first batch. */
static int clock_look(struct world *w, wall_us now)
{
	struct op op = {.kind = OP_CLOCK};
	int64_t by = w->offset - w->clock_offset;
	struct op_result r;
	int rc;

	if (w->clock_known && by < 100 * US_PER_MS && by > -100 * US_PER_MS)
		return 0;
	op.u.clock.boot[0] = 1;
	op.u.clock.offset_us = w->offset;
	if (mutant(MUTANT_CLOCK_WAITS))
		op.u.clock.boot[0] = (uint8_t)++mutant_count; /* a boot that nobody knows */
	rc = sched_apply(bed_view(w->bed), &w->env, &op, now, &r, &w->fx);
	if (rc != 0)
		return rc;
	w->clock_offset = w->offset;
	w->clock_known = true;
	return 0;
}

static int batch_apply(struct world *w, struct sim_op **ops, size_t n, wall_us now)
{
	const struct view *v = bed_view(w->bed);
	int rc = clock_look(w, now);

	for (size_t i = 0; rc == 0 && i < n; i++) {
		ops[i]->fx_from = w->fx.n;
		memset(&ops[i]->result, 0, sizeof(ops[i]->result));
		rc = sched_apply(v, &w->env, &ops[i]->op, now, &ops[i]->result, &w->fx);
		ops[i]->fx_to = w->fx.n;
		if (rc != 0 && rc != ERR_FULL)
			fail(w, "sched_apply of operation %d: %s: %s", (int)ops[i]->op.kind,
			    err_name(rc), ops[i]->result.err.text);
	}
	if (rc == 0)
		rc = sched_dispatch(v, &w->env, now, &w->fx);
	if (rc != 0 && rc != ERR_FULL)
		fail(w, "sched_dispatch: %s", err_name(rc));
	return rc;
}

/* Committed: the models see what is so from now on. */
static void told(struct world *w, struct sim_op **ops, size_t n, wall_us now)
{
	size_t from = 0;

	if (bed_begin(w->bed) != 0)
		fail(w, "the store cannot be read");
	w->batch_now = now;
	model_clock(w, w->clock_offset, now);
	for (size_t i = 0; i < n && !w->failed; i++) {
		VEC_CLEAR(&w->fresh);
		from = ops[i]->fx_to;
		if (ops[i]->result.rc != 0)
			w->fig->refused++;
		note(w, "op %d rc %d run %llu", (int)ops[i]->op.kind, ops[i]->result.rc,
		    (unsigned long long)(ops[i]->result.n_runs > 0 ? ops[i]->result.runs[0] : 0));
		mirror_op(w, ops[i], now);
		if (!w->failed)
			model_op(w, ops[i], now);
	}
	if (!w->failed)
		mirror_dispatch(w, from, w->fx.n);
	if (!w->failed)
		fills_follow(w, ops, n);
	bed_abort(w->bed);
	w->fig->ops += n;
	w->fig->batches++;
	if (w->check_soon ||
	    w->fig->batches % (w->check_every == 1 ? 1 + w->runs.n / 50 : w->check_every) == 0)
		check_now(w); /* each time, as long as there is little to read */
	w->check_soon = false;
}

/* What a crash leaves of the effects: none, or the first few. */
static void crash_after(struct world *w, struct sim_op **ops, size_t n)
{
	size_t kept = roll(&w->chance, (uint32_t)w->fx.n + 1);

	if (w->posted > 0)
		return; /* first in, first out: earlier ones are lost too */
	effects_out(w, w->fx.v, kept);
	if (one_in(&w->chance, 2))
		replies_out(w, ops, roll(&w->chance, (uint32_t)n + 1));
}

/* ERR_CLOSED: the daemon died of it. */
static int batch_run(struct world *w, struct sim_op **ops, size_t n)
{
	struct sched_env saved = w->env;
	int64_t offset = w->clock_offset;
	bool known = w->clock_known;
	wall_us now = wall(w);
	bool crash = fault_now(w, FAULT_CRASH_IN), before = one_in(&w->chance, 2);
	int rc;

	VEC_CLEAR(&w->fx);
	if (bed_begin(w->bed) != 0) {
		fail(w, "no transaction");
		return ERR_IO;
	}
	rc = batch_apply(w, ops, n, now);
	if (rc != 0) {
		if (mutant(MUTANT_FAILED_KEPT) && bed_commit(w->bed) == 0)
			note(w, "kept");
		bed_abort(w->bed);
		w->env = saved;
		w->clock_offset = offset;
		w->clock_known = known;
		return rc;
	}
	if (crash && before) {
		if (mutant(MUTANT_ACK_EARLY))
			replies_out(w, ops, n);
		if (mutant(MUTANT_EFFECT_EARLY))
			effects_out(w, w->fx.v, w->fx.n);
		bed_abort(w->bed);
		daemon_crash(w, "before a commit");
		return ERR_CLOSED;
	}
	if (bed_commit(w->bed) != 0)
		fail(w, "the commit failed");
	told(w, ops, n, now);
	if (w->failed || !crash)
		return 0;
	crash_after(w, ops, n);
	daemon_crash(w, "after a commit");
	return ERR_CLOSED;
}

/* Ops that were lost with the daemon: who waits for an answer sends again. */
static void ops_drop(struct world *w, struct sim_op **ops, size_t n, bool again)
{
	for (size_t i = 0; i < n; i++) {
		if (again && ops[i]->reply == REPLY_HOOK && !w->hooks.v[ops[i]->arg].acked)
			later(w, between(&w->chance, US_PER_S, 60 * US_PER_S), EV_SEND, ops[i]->arg,
			    1, 0, NULL);
		sim_op_free(ops[i]);
	}
}

void posted_free(struct world *w, struct posted *p)
{
	ops_drop(w, p->ops, p->n_ops, false);
	mem_free(p->ops);
	mem_free(p->fx);
	mem_free(p);
}

/* To the loop, which may be busy with other things first. Takes the ops. */
static void post(struct world *w, struct sim_op **ops, size_t n)
{
	struct posted *p = MEM_NEW(struct posted);
	int64_t in = spread(&w->chance, 20, one_in(&w->chance, 40) ? 300000 : 1000);

	p->n_fx = w->fx.n;
	p->fx = mem_calloc(w->fx.n + 1, sizeof(*p->fx));
	if (w->fx.n > 0)
		memcpy(p->fx, w->fx.v, w->fx.n * sizeof(*p->fx));
	p->n_ops = n;
	p->ops = mem_calloc(n + 1, sizeof(struct sim_op *));
	memcpy(p->ops, ops, n * sizeof(struct sim_op *));
	if (w->mono + in <= w->delivered_at)
		in = w->delivered_at + 1 - w->mono;
	w->delivered_at = w->mono + in;
	w->posted++;
	later(w, in, EV_DELIVER, 0, w->life, 0, p);
	if (fault_now(w, FAULT_BREAK))
		pool_break_any(w);
}

void on_deliver(struct world *w, uint64_t life, struct posted *take)
{
	bool lost = life != w->life;

	if (!lost) {
		w->posted--;
		effects_out(w, take->fx, take->n_fx);
		replies_out(w, take->ops, take->n_ops);
	}
	ops_drop(w, take->ops, take->n_ops, lost);
	take->n_ops = 0;
	posted_free(w, take);
}

static bool may_fail(const struct sim_op *o)
{
	switch (o->op.kind) {
	case OP_EVENT:
	case OP_START:
	case OP_DUE:
	case OP_CANCEL:
	case OP_RERUN:
	case OP_MARK:
	case OP_TOUCH:
	case OP_PRUNE:
		return true;
	default:
		return false;
	}
}

/* Each op alone, so that a bad one sinks only itself. */
static void batch_split(struct world *w, struct sim_op **ops, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		int rc;

		bed_fail_write(w->bed,
		    may_fail(ops[i]) && one_in(&w->chance, 3) ? 1 + roll(&w->chance, 20) : 0);
		rc = batch_run(w, &ops[i], 1);
		bed_fail_write(w->bed, 0);
		if (rc == ERR_CLOSED) {
			ops_drop(w, &ops[i], n - i, true);
			return;
		}
		if (rc != 0) {
			VEC_CLEAR(&w->fx);
			ops[i]->result.rc = rc;
		}
		post(w, &ops[i], 1);
	}
}

void on_batch(struct world *w)
{
	struct sim_op **ops = w->queue.v;
	size_t n = w->queue.n;
	int rc;

	w->batch_planned = false;
	if (!w->up || n == 0)
		return;
	memset(&w->queue, 0, sizeof(w->queue));
	if (fault_now(w, FAULT_FULL))
		bed_fail_write(w->bed, 1 + roll(&w->chance, 200));
	rc = batch_run(w, ops, n);
	bed_fail_write(w->bed, 0);
	if (rc == 0)
		post(w, ops, n);
	else if (rc == ERR_FULL && !w->failed)
		batch_split(w, ops, n);
	else
		ops_drop(w, ops, n, true);
	mem_free(ops);
	plan_batch(w);
}

/* ---- death and life ---- */

void daemon_crash(struct world *w, const char *how)
{
	int64_t down = spread(&w->chance, 10 * US_PER_MS, w->horizon / 30);

	if (!w->up)
		return;
	note(w, "daemon dies %s, down for %lld s", how, (long long)(down / US_PER_S));
	w->fig->faults[FAULT_CRASH]++;
	w->up = false;
	w->asked = w->ask_again = w->batch_planned = false;
	w->life++;
	w->posted = 0;
	ops_drop(w, w->queue.v, w->queue.n, true);
	VEC_CLEAR(&w->queue);
	bed_crash(w->bed);
	pool_silent(w);
	later(w, w->calm ? US_PER_S : down, EV_START_DAEMON, 0, 0, 0, NULL);
}

/* Unchanged files, then the pools, then what is due; all of it in whatever order the writer sees.
 */
void daemon_start(struct world *w)
{
	struct sched_env fresh = {.conf = &w->conf, .random = w->env.random};
	bool live = false;

	note(w, "daemon starts");
	w->up = true;
	w->up_since = w->mono;
	w->env = fresh;
	w->clock_known = false;
	w->fig->starts++;
	for (uint32_t i = 0; i < SIM_POOLS; i++) {
		struct sim_pool *p = &w->pool[i];

		if (p->id == 0)
			continue;
		live = live || (p->alive && !p->retired);
		if (p->alive)
			later(w, between(&w->chance, 100, 50000), EV_CONNECT, i, w->life, p->id,
			    NULL);
		else
			later(w,
			    p->dead_at > w->mono ? p->dead_at - w->mono
						 : between(&w->chance, 100, 50000),
			    EV_LOCK, i, w->life, p->id, NULL);
	}
	restore_gone(w);
	if (!live)
		pool_new(w);
	prune_start(w);
	if (!mutant(MUTANT_RESTART_TIMER))
		timer_arm(w);
}
