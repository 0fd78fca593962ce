/* writer.c: the one thread that changes the store. It takes what queued up during the last commit,
 * applies each op inside one transaction, ends the batch with DISPATCH, commits once and hands
 * results and effects back through an eventfd: natural group commit without a timer. An op that
 * forces the transaction to be thrown away is found by running the ops of its batch one by one.
 * Owner: struct writer; only the queue and the finished list are shared, under `mutex`. */
#define LOG_AT "store"
#include "core/store/quota.h"

#include "core/base/io.h"
#include "core/base/log.h"
#include "core/base/mem.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#define BATCH_OPS 1024
#define QUEUE_MAX 65536
#define CLOCK_STEP_US (100 * US_PER_MS)
#define CLOCK_NEAR_US (10 * US_PER_MS)

/* One commit: its ops and what may happen after it. */
struct batch {
	struct writer_op *ops; /* owned list */
	effect_vec effects;
	struct batch *next;
};

struct writer {
	struct writer_options o;
	struct store_txn txn; /* writer thread only */
	struct sched_env env; /* writer thread only */
	struct quota quota;   /* writer thread only; copied into stats */
	int64_t clock_offset; /* writer thread only: wall minus monotonic clock, as applied */
	bool clock_known;     /* writer thread only */
	bool broken;	      /* writer thread only: begin, dispatch or commit failed */
	pthread_t thread;
	bool running; /* the thread was started and not joined */
	int event_fd;

	pthread_mutex_t mutex;
	pthread_cond_t wake;
	struct writer_op *head, **tail; /* waiting ops */
	size_t waiting;
	bool stopping;
	struct batch *done_head, **done_tail;
	struct writer_stats stats;
};

#ifdef SL_FAULT_INJECTION
enum {
	POINT_T1,
	POINT_TICK,
	POINT_T3,
	POINT_T4,
	POINT_UNLEASE,
	POINT_DISPATCH,
	POINT_JUDGE,
	POINT_LOST,
	POINT_CANCEL,
	POINT_RERUN,
	POINT_PLANS,
	POINT_OTHER,
	POINT_N
};
static const char *const crash_names[POINT_N][2] = {
    [POINT_T1] = {"T1-before-commit", "T1-after-commit"},
    [POINT_TICK] = {"T1tick-before-commit", "T1tick-after-commit"},
    [POINT_T3] = {"T3-before-commit", "T3-after-commit"},
    [POINT_T4] = {"T4-before-commit", "T4-after-commit"},
    [POINT_UNLEASE] = {"UNLEASE-before-commit", "UNLEASE-after-commit"},
    [POINT_DISPATCH] = {"DISPATCH-before-commit", "DISPATCH-after-commit"},
    [POINT_JUDGE] = {"JUDGE-before-commit", "JUDGE-after-commit"},
    [POINT_LOST] = {"LOST-before-commit", "LOST-after-commit"},
    [POINT_CANCEL] = {"CANCEL-before-commit", "CANCEL-after-commit"},
    [POINT_RERUN] = {"RERUN-before-commit", "RERUN-after-commit"},
    [POINT_PLANS] = {"PLANS-before-commit", "PLANS-after-commit"},
    [POINT_OTHER] = {"OTHER-before-commit", "OTHER-after-commit"},
};

static unsigned point_of(const struct op *op)
{
	switch (op->kind) {
	case OP_EVENT:
	case OP_START:
		return 1u << POINT_T1;
	case OP_DUE:
		return 1u << POINT_TICK;
	case OP_OUTCOME:
		return 1u << (op->u.outcome.code == 0 ? POINT_T4 : POINT_T3);
	case OP_UNLEASE:
		return 1u << POINT_UNLEASE;
	case OP_POOL_UP:
		return 1u << POINT_JUDGE;
	case OP_POOL_GONE:
		return 1u << POINT_LOST;
	case OP_CANCEL:
		return 1u << POINT_CANCEL;
	case OP_RERUN:
		return 1u << POINT_RERUN;
	case OP_PLANS:
		return 1u << POINT_PLANS;
	default:
		return 1u << POINT_OTHER;
	}
}

static unsigned points_of(const struct batch *b, uint64_t jobs)
{
	unsigned points = jobs ? 1u << POINT_DISPATCH : 0;

	for (const struct writer_op *op = b->ops; op; op = op->next)
		points |= point_of(&op->op);
	return points;
}

static void points_pass(unsigned points, int after)
{
	for (int i = 0; i < POINT_N; i++) {
		if (points & 1u << i)
			crash_point(crash_names[i][after]);
	}
}
#else
#define points_of(b, jobs) (0)
#define points_pass(points, after) ((void)(points))
#endif

/* ---- queue ---- */

struct writer_op *writer_op_new(enum op_kind kind)
{
	struct writer_op *op = MEM_NEW(struct writer_op);

	op->op.kind = kind;
	return op;
}

void writer_op_free(struct writer_op *op)
{
	if (!op)
		return;
	if (op->free_arena)
		op->free_arena(op->arena);
	mem_free(op);
}

int writer_submit(struct writer *w, struct writer_op *take)
{
	bool first = false;
	int rc = 0;

	pthread_mutex_lock(&w->mutex);
	if (w->stopping)
		rc = ERR_CLOSED;
	else if (w->waiting >= QUEUE_MAX)
		rc = ERR_FULL;
	if (rc == 0) {
		take->next = NULL;
		*w->tail = take;
		w->tail = &take->next;
		first = w->waiting++ == 0;
	}
	pthread_mutex_unlock(&w->mutex);
	/* Afterwards: a thread that wakes with the lock still held sleeps again at once. */
	if (first)
		pthread_cond_signal(&w->wake);
	return rc;
}

/* Takes at most BATCH_OPS ops; false once the queue is empty and closed. */
static bool queue_take(struct writer *w, struct batch *b)
{
	struct writer_op **end;
	size_t n = 0;

	pthread_mutex_lock(&w->mutex);
	while (!w->head && !w->stopping)
		pthread_cond_wait(&w->wake, &w->mutex);
	b->ops = w->head;
	for (end = &w->head; *end && n < BATCH_OPS; n++)
		end = &(*end)->next;
	if (n) {
		w->head = *end;
		*end = NULL;
		if (!w->head)
			w->tail = &w->head;
		w->waiting -= n;
		w->stats.ops += n;
		if (n > w->stats.batch_max)
			w->stats.batch_max = n;
	}
	pthread_mutex_unlock(&w->mutex);
	return n > 0;
}

static void batch_post(struct writer *w, struct batch *b)
{
	uint64_t one = 1;
	bool first;

	pthread_mutex_lock(&w->mutex);
	first = w->done_head == NULL;
	*w->done_tail = b;
	w->done_tail = &b->next;
	pthread_mutex_unlock(&w->mutex);
	if (first && write(w->event_fd, &one, sizeof(one)) != sizeof(one))
		log_error("cannot wake the loop: %s", strerror(errno));
}

/* ---- one batch ---- */

static int apply_one(struct writer *w, struct writer_op *op, wall_us now, effect_vec *effects)
{
	memset(&op->result, 0, sizeof(op->result));
	if (op->op.kind == OP_CONF && op->conf)
		w->env.conf = op->conf;
	op->result.rc = quota_refuses(&w->quota, &op->op, &op->result.err);
	if (op->result.rc != 0)
		return 0;
	return w->o.apply(&w->txn.view, &w->env, &op->op, now, &op->result, effects);
}

static uint64_t jobs_in(const effect_vec *effects, size_t from)
{
	uint64_t n = 0;

	for (size_t i = from; i < effects->n; i++)
		n += effects->v[i].kind == EFFECT_JOB;
	return n;
}

static void stats_of_quota(struct writer *w)
{
	w->stats.live_bytes = w->quota.live_bytes;
	w->stats.quota = w->quota.level;
	w->stats.disk_low = w->quota.disk_low;
	w->stats.store_max_bytes = w->env.conf ? w->env.conf->store_max_bytes : 0;
}

static int commit_timed(struct writer *w, uint64_t n_jobs)
{
	mono_us from = clock_mono(), took;
	int rc = store_txn_commit(&w->txn);

	took = clock_mono() - from;
	pthread_mutex_lock(&w->mutex);
	w->stats.commits++;
	w->stats.dispatches += n_jobs;
	w->stats.commit_us_total += took;
	if (took > w->stats.commit_us_max)
		w->stats.commit_us_max = took;
	w->stats.store_bytes = store_used_bytes(w->o.store);
	stats_of_quota(w);
	pthread_mutex_unlock(&w->mutex);
	return rc;
}

/* Each OP_CONF of a committed batch gets the configuration that it replaced, to be freed by the
 * loop. */
static void conf_swap(struct batch *b, const struct conf *old)
{
	const struct conf *replaced;

	for (struct writer_op *op = b->ops; op; op = op->next) {
		if (op->op.kind != OP_CONF || !op->conf)
			continue;
		replaced = old;
		old = op->conf;
		op->conf = replaced;
	}
}

/* Both clocks at one moment: a thread that had to wait between the two calls reads them again.
 * False where that does not help. */
static bool clocks_read(const struct writer *w, wall_us *ret_now, int64_t *ret_offset)
{
	for (int i = 0; i < 5 && w->o.mono; i++) {
		mono_us before = w->o.mono(), after;

		*ret_now = w->o.now();
		after = w->o.mono();
		*ret_offset = *ret_now - after;
		if (after - before < CLOCK_NEAR_US)
			return true;
	}
	*ret_now = w->o.now();
	return false;
}

/* The clock was set since the batch before (or this is the first): what waits is moved before any
 * operation sees the new time. */
static int clock_look(struct writer *w, wall_us *ret_now, effect_vec *effects)
{
	struct op op = {.kind = OP_CLOCK};
	struct op_result r;
	int64_t offset, by;
	int rc;

	if (!clocks_read(w, ret_now, &offset))
		return 0;
	by = w->clock_known ? offset - w->clock_offset : 0;
	if (w->clock_known && by < CLOCK_STEP_US && by > -CLOCK_STEP_US)
		return 0;
	memcpy(op.u.clock.boot, w->o.boot, sizeof(op.u.clock.boot));
	op.u.clock.offset_us = offset;
	rc = w->o.apply(&w->txn.view, &w->env, &op, *ret_now, &r, effects);
	if (rc != 0)
		return rc;
	if (w->clock_known)
		log_warn("the clock was set %s by %lld ms: waits keep their length, schedules "
			 "follow the clock",
		    by < 0 ? "back" : "ahead", (long long)(by < 0 ? -by : by) / 1000);
	w->clock_offset = offset;
	w->clock_known = true;
	return 0;
}

static int batch_apply(struct writer *w, struct batch *b, uint64_t *ret_jobs)
{
	wall_us now;
	size_t dispatched;
	int rc = clock_look(w, &now, &b->effects);

	for (struct writer_op *op = b->ops; op && rc == 0; op = op->next)
		rc = apply_one(w, op, now, &b->effects);
	if (rc != 0)
		return rc;
	dispatched = b->effects.n;
	rc = w->o.dispatch(&w->txn.view, &w->env, now, &b->effects);
	w->broken = rc != 0 && rc != ERR_FULL;
	*ret_jobs = jobs_in(&b->effects, dispatched);
	return rc;
}

/* Applies the ops of b in one transaction and posts it. On failure nothing was written, env is as
 * before and b is still the caller's. */
static int batch_run(struct writer *w, struct batch *b)
{
	struct sched_env saved = w->env;
	bool posted = false, clock_known = w->clock_known;
	int64_t clock_offset = w->clock_offset;
	unsigned points = 0;
	uint64_t jobs = 0;
	int rc = store_txn_begin(&w->txn, true);

	w->broken = rc != 0;
	if (rc != 0)
		return rc;
	rc = batch_apply(w, b, &jobs);
	if (rc != 0) {
		store_txn_end(&w->txn);
		goto failed;
	}
	conf_swap(b, saved.conf);
	points = points_of(b, jobs);
	if (crash_mutant("ack-early")) { /* the planted bug: results leave before their commit */
		batch_post(w, b);
		posted = true;
		usleep(3000); /* time enough for them to get out */
	}
	points_pass(points, 0);
	rc = commit_timed(w, jobs);
	plan_cache_trim(w->txn.plans);
	w->broken = rc != 0 && rc != ERR_FULL;
	if (rc != 0 && !posted)
		goto failed;
	points_pass(points, 1);
	if (!posted)
		batch_post(w, b);
	return 0;
failed:
	w->env = saved;
	w->clock_known = clock_known;
	w->clock_offset = clock_offset;
	VEC_CLEAR(&b->effects);
	return rc;
}

/* The loop goes by a configuration since it submitted it: it is in force here too, though what the
 * op was to write (who waits for a pool looks again) is not; the one before is the loop's to free.
 */
static void conf_keep(struct writer *w, struct writer_op *op)
{
	const struct conf *before = w->env.conf;

	if (op->op.kind != OP_CONF || !op->conf)
		return;
	w->env.conf = op->conf;
	op->conf = before;
}

static void op_fail(struct writer_op *op, int rc)
{
	memset(&op->result, 0, sizeof(op->result));
	op->result.rc =
	    err_set(&op->result.err, rc, "the operation could not be stored: %s", err_text(rc));
	log_error("operation kind=%d could not be stored: %s", (int)op->op.kind, err_name(rc));
}

/* The batch failed as a whole: each op alone, so that a bad one sinks only itself. Where not even
 * the transaction works (begin, DISPATCH, commit), the store is given up: on_fatal. */
static void batch_split(struct writer *w, struct batch *b)
{
	struct writer_op *op, *next;
	struct err err = {0};
	int rc;

	for (op = b->ops; op; op = next) {
		struct batch *one = MEM_NEW(struct batch);

		next = op->next;
		op->next = NULL;
		one->ops = op;
		rc = batch_run(w, one);
		if (rc == 0)
			continue;
		if (w->broken && w->o.on_fatal) {
			err_set(&err, rc, "the store can no longer be written: %s", err_text(rc));
			w->o.on_fatal(&err);
		}
		op_fail(op, rc);
		conf_keep(w, op);
		batch_post(w, one);
	}
	VEC_DONE(&b->effects);
	mem_free(b);
}

/* On a full disk whose reserve is used up too, everything waits here: the daemon goes on living and
 * takes nothing more once its queue is full. */
static void space_wait(struct writer *w)
{
	struct timespec nap = {.tv_nsec = 100 * 1000 * 1000};
	bool stopping = false;

	for (;;) {
		quota_look(&w->quota, w->o.store, w->env.conf ? w->env.conf->store_max_bytes : 0,
		    clock_mono());
		if (!w->quota.stuck || stopping)
			return;
		pthread_mutex_lock(&w->mutex);
		stats_of_quota(w);
		stopping = w->stopping;
		pthread_mutex_unlock(&w->mutex);
		nanosleep(&nap, NULL);
	}
}

static void *writer_main(void *arg)
{
	struct writer *w = arg;
	struct batch *b;

	for (;;) {
		b = MEM_NEW(struct batch);
		if (!queue_take(w, b))
			break;
		space_wait(w);
		if (batch_run(w, b) != 0)
			batch_split(w, b);
	}
	mem_free(b);
	return NULL;
}

/* ---- the loop's side ---- */

static void batch_deliver(struct writer *w, struct batch *b)
{
	struct writer_op *op, *next;

	if (b->effects.n && w->o.on_effects)
		w->o.on_effects(w->o.arg, b->effects.v, b->effects.n);
	for (op = b->ops; op; op = next) {
		next = op->next;
		if (op->done)
			op->done(op->arg, &op->result);
		if (op->op.kind == OP_CONF && op->conf && w->o.free_conf)
			w->o.free_conf(w->o.arg, op->conf);
		writer_op_free(op);
	}
	VEC_DONE(&b->effects);
	mem_free(b);
}

void writer_deliver(struct writer *w)
{
	struct batch *b, *next;
	uint64_t count;

	if (read(w->event_fd, &count, sizeof(count)) < 0 && errno != EAGAIN)
		log_error("cannot read the writer's event: %s", strerror(errno));
	pthread_mutex_lock(&w->mutex);
	b = w->done_head;
	w->done_head = NULL;
	w->done_tail = &w->done_head;
	pthread_mutex_unlock(&w->mutex);
	for (; b; b = next) {
		next = b->next;
		batch_deliver(w, b);
	}
}

int writer_fd(const struct writer *w)
{
	return w->event_fd;
}

int writer_set_conf(struct writer *w, const struct conf *conf)
{
	struct writer_op *op = writer_op_new(OP_CONF);
	int rc;

	op->conf = conf;
	rc = writer_submit(w, op);
	if (rc != 0)
		writer_op_free(op);
	return rc;
}

void writer_stats(struct writer *w, struct writer_stats *ret)
{
	pthread_mutex_lock(&w->mutex);
	*ret = w->stats;
	ret->waiting = w->waiting;
	pthread_mutex_unlock(&w->mutex);
}

/* Signals belong to the loop: the thread starts with all of them blocked. */
static int thread_start(struct writer *w, struct err *err)
{
	sigset_t all, old;
	int rc;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	rc = pthread_create(&w->thread, NULL, writer_main, w);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	if (rc != 0)
		return err_errno(err, ERR_NOMEM, rc, "cannot start the writer thread");
	pthread_setname_np(w->thread, "writer");
	w->running = true;
	return 0;
}

int writer_new(const struct writer_options *o, struct writer **ret, struct err *err)
{
	struct writer *w = MEM_NEW(struct writer);
	int rc;

	w->o = *o;
	if (!w->o.apply)
		w->o.apply = sched_apply;
	if (!w->o.dispatch)
		w->o.dispatch = sched_dispatch;
	w->tail = &w->head;
	w->done_tail = &w->done_head;
	pthread_mutex_init(&w->mutex, NULL);
	pthread_cond_init(&w->wake, NULL);
	store_txn_init(&w->txn, o->store);
	w->env.conf = o->conf;
	w->env.random = o->seed;
	w->stats.store_max_bytes = o->conf ? o->conf->store_max_bytes : 0;
	w->stats.store_bytes = store_used_bytes(o->store);
	w->event_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (w->event_fd < 0)
		rc = err_errno(err, ERR_IO, errno, "cannot make the writer's event");
	else
		rc = thread_start(w, err);
	if (rc != 0) {
		writer_free(w);
		return rc;
	}
	*ret = w;
	return 0;
}

void writer_stop(struct writer *w)
{
	pthread_mutex_lock(&w->mutex);
	w->stopping = true;
	pthread_cond_signal(&w->wake);
	pthread_mutex_unlock(&w->mutex);
	if (w->running)
		pthread_join(w->thread, NULL);
	w->running = false;
}

void writer_free(struct writer *w)
{
	if (!w)
		return;
	writer_stop(w);
	for (struct batch *b = w->done_head, *next; b; b = next) {
		next = b->next;
		for (struct writer_op *op = b->ops, *op_next; op; op = op_next) {
			op_next = op->next;
			writer_op_free(op);
		}
		VEC_DONE(&b->effects);
		mem_free(b);
	}
	store_txn_done(&w->txn);
	io_close(&w->event_fd);
	pthread_cond_destroy(&w->wake);
	pthread_mutex_destroy(&w->mutex);
	mem_free(w);
}
