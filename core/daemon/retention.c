/* retention.c: when something is dropped: a cycle over the store every ten minutes, or a tenth of
 * the shortest time that is kept, and soon after a reload, in batches that wait while others use
 * the writer; then the log files, in a thread. Stale readers of the store are looked for each
 * minute. Owner: struct retention, loop thread. */
#define LOG_AT "daemon"
#include "core/daemon/daemon.h"

#include "core/base/log.h"
#include "core/base/mem.h"
#include "core/daemon/logsweep.h"

#include <pthread.h>
#include <signal.h>
#include <string.h>

#define BATCH 500
#define CYCLE_MS (10 * 60 * 1000)
#define CYCLE_LEAST_MS 1000
#define NEXT_MS 5   /* between two batches of an idle writer */
#define BUSY_MS 100 /* while ops wait for it */
#define READERS_US (60 * US_PER_S)
#define LAG_WARN 10000 /* transactions that an open snapshot is behind */

struct retention {
	struct daemon *d;
	struct event *timer;
	bool asked; /* OP_PRUNE is with the writer */
	uint64_t dropped, cycle_dropped;
	mono_us readers_at;
	struct store_readers readers;
	bool lag_told;
	/* the sweeping thread */
	pthread_t thread;
	bool running;
	atomic_bool stop, ended;
	char *state; /* owned */
	struct sweep_options sweep;
	struct sweep_result result; /* the thread's, until `ended` */
	uint64_t logs_bytes, logs_dropped_bytes;
};

static void arm(struct retention *r, int64_t ms)
{
	struct timeval wait = {.tv_sec = ms / 1000, .tv_usec = ms % 1000 * 1000};

	evtimer_add(r->timer, &wait);
}

static int64_t cycle_ms(const struct conf *c)
{
	int64_t ms = CYCLE_MS;

	if (c->retain_runs_ms / 10 < ms)
		ms = c->retain_runs_ms / 10;
	if (c->retain_events_ms / 10 < ms)
		ms = c->retain_events_ms / 10;
	if (c->retain_logs_ms / 10 < ms)
		ms = c->retain_logs_ms / 10;
	return ms < CYCLE_LEAST_MS ? CYCLE_LEAST_MS : ms;
}

/* ---- log files ---- */

static void *sweep_main(void *arg)
{
	struct retention *r = arg;
	struct store_read *read;
	struct err err = {0};

	if (store_read_new(r->d->store, &read, &err) == 0) {
		r->sweep.read = read;
		logs_sweep(&r->sweep, &r->result);
		store_read_free(read);
	}
	atomic_store(&r->ended, true);
	return NULL;
}

static void sweep_end(struct retention *r)
{
	if (!r->running)
		return;
	pthread_join(r->thread, NULL);
	r->running = false;
	r->logs_bytes = r->result.bytes;
	r->logs_dropped_bytes += r->result.dropped_bytes;
	if (r->result.files)
		log_info("retention: %llu log files dropped, %llu MiB",
		    (unsigned long long)r->result.files,
		    (unsigned long long)(r->result.dropped_bytes >> 20));
	if (r->result.failed)
		log_warn(
		    "retention: some log files cannot be removed: %s", strerror(r->result.failed));
}

static void sweep_start(struct retention *r)
{
	const struct conf *c = r->d->conf;
	sigset_t all, old;

	if (r->running && !atomic_load(&r->ended))
		return;
	sweep_end(r);
	memset(&r->result, 0, sizeof(r->result));
	r->sweep = (struct sweep_options){.state = r->state,
	    .now = clock_wall(),
	    .keep_us = c->retain_logs_ms * US_PER_MS,
	    .max_bytes = c->logs_max_bytes,
	    .stop = &r->stop};
	atomic_store(&r->ended, false);
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	r->running = pthread_create(&r->thread, NULL, sweep_main, r) == 0;
	pthread_sigmask(SIG_SETMASK, &old, NULL);
}

/* ---- the store ---- */

static void on_pruned(void *arg, const struct op_result *res)
{
	struct retention *r = arg;

	r->asked = false;
	if (res->rc != 0) {
		log_error("retention: %s", res->err.text);
		arm(r, CYCLE_MS);
		return;
	}
	r->dropped += res->count;
	r->cycle_dropped += res->count;
	if (res->same == 0) {
		arm(r, NEXT_MS);
		return;
	}
	if (r->cycle_dropped)
		log_info("retention: %llu records dropped", (unsigned long long)r->cycle_dropped);
	r->cycle_dropped = 0;
	sweep_start(r);
	arm(r, cycle_ms(r->d->conf));
}

static void prune(struct retention *r)
{
	struct writer_op *op = writer_op_new(OP_PRUNE);

	op->op.u.prune.limit = BATCH;
	op->done = on_pruned;
	op->arg = r;
	r->asked = daemon_submit(r->d, op) == 0;
	if (r->asked)
		return;
	writer_op_free(op);
	arm(r, BUSY_MS);
}

static void look_at_readers(struct retention *r)
{
	mono_us now = clock_mono();
	uint64_t lag;

	if (r->readers_at && now - r->readers_at < READERS_US)
		return;
	r->readers_at = now;
	store_readers(r->d->store, &r->readers);
	lag = r->readers.newest_txn - r->readers.oldest_txn;
	if (lag > LAG_WARN && !r->lag_told)
		log_warn("a reader of the store is %llu transactions behind: the store grows until "
			 "it ends",
		    (unsigned long long)lag);
	r->lag_told = lag > LAG_WARN;
}

static void on_retention(evutil_socket_t fd, short what, void *arg)
{
	struct retention *r = arg;
	struct writer_stats st;

	(void)fd, (void)what;
	loop_enter(&r->d->loop, "retention");
	if (r->asked || r->d->stopping)
		return;
	look_at_readers(r);
	writer_stats(r->d->writer, &st);
	if (st.waiting)
		arm(r, BUSY_MS);
	else
		prune(r);
}

struct retention *retention_new(struct daemon *d)
{
	struct retention *r = MEM_NEW(struct retention);

	r->d = d;
	r->state = mem_strdup(d->conf->state_dir); /* a reload frees the configuration */
	r->timer = evtimer_new(d->loop.base, on_retention, r);
	arm(r, CYCLE_LEAST_MS);
	return r;
}

void retention_again(struct retention *r)
{
	if (r && !r->asked)
		arm(r, CYCLE_LEAST_MS);
}

void retention_free(struct retention *r)
{
	if (!r)
		return;
	atomic_store(&r->stop, true);
	sweep_end(r);
	event_free(r->timer);
	mem_free(r->state);
	mem_free(r);
}

void retention_stats(struct retention *r, struct retention_stats *ret)
{
	if (r->running && atomic_load(&r->ended))
		sweep_end(r);
	store_readers(r->d->store, &r->readers);
	*ret = (struct retention_stats){.dropped = r->dropped,
	    .logs_bytes = r->logs_bytes,
	    .logs_dropped_bytes = r->logs_dropped_bytes,
	    .readers = r->readers.n,
	    .reader_lag = r->readers.newest_txn - r->readers.oldest_txn};
}
