/* effect.c: what a commit allows to happen, in the order in which it was decided: hand-overs,
 * kills, acknowledgements, then news for the stream. Runs on the loop thread after the commit,
 * never before. Owner: daemon. */
#define LOG_AT "daemon"
#include "core/daemon/daemon.h"

#include "core/base/hash.h"
#include "core/base/log.h"
#include "core/base/mem.h"
#include "core/http/http.h"
#include "core/pool/frame.h"

#include <string.h>

static void unlease(struct daemon *d, const struct effect *e)
{
	struct writer_op *op = writer_op_new(OP_UNLEASE);

	op->op.u.unlease.step = e->step;
	op->op.u.unlease.token = e->token;
	if (daemon_submit(d, op) != 0)
		writer_op_free(op); /* the store is closing: END judges it next time */
}

/* A job that cannot be written (a secret that is not there, …) fails as the pool's report would. */
static void fail_attempt(struct daemon *d, const struct effect *e, const struct err *err)
{
	struct writer_op *op = writer_op_new(OP_OUTCOME);
	struct str text;
	struct jw w;

	str_init(&text, 8192);
	jw_init(&w, &text);
	jw_object(&w);
	jw_kstr(&w, "class", "config");
	jw_kstr(&w, "code", "work-order");
	jw_kstr(&w, "message", err->text);
	jw_end_object(&w);
	op->op.u.outcome.step = e->step;
	op->op.u.outcome.token = e->token;
	op->op.u.outcome.instance = e->instance;
	op->op.u.outcome.code = OUT_FAILED;
	op->op.u.outcome.report_n = text.len;
	op->arena = str_take(&text);
	op->free_arena = mem_free;
	op->op.u.outcome.report = op->arena;
	if (daemon_submit(d, op) != 0)
		writer_op_free(op);
}

static void hand_over(struct daemon *d, const struct view *v, const struct effect *e)
{
	struct err err = {0};
	int rc = v ? job_build(d->jobs, v, e, &d->job_text, &err) : ERR_NOT_FOUND;

	if (rc == 0) {
		rc = pool_link_job(d->pools, e, str_peek(&d->job_text), d->job_text.len);
		hash_wipe(d->job_text.s, d->job_text.len);
		str_reset(&d->job_text);
	} else if (rc != ERR_NOT_FOUND) {
		log_warn("step %u of run %llu cannot be handed over: %s", e->step.step,
		    (unsigned long long)e->step.run, err.text);
		fail_attempt(d, e, &err);
		return;
	}
	if (rc != 0)
		unlease(d, e);
}

/* Jobs go out before acknowledgements: the pool has something to do meanwhile, and is woken once
 * for both. Their order means nothing to it (an entry goes with its own ACK). */
static void for_pool(struct daemon *d, const struct effect *v, size_t n)
{
	const struct view *view = NULL;
	bool open = false;

	for (size_t i = 0; i < n; i++) {
		switch (v[i].kind) {
		case EFFECT_JOB:
			if (!open)
				view = store_read_begin(d->own_read);
			open = true;
			hand_over(d, view, &v[i]);
			break;
		case EFFECT_KILL:
			pool_link_kill(d->pools, &v[i]);
			break;
		case EFFECT_ORPHAN:
			pool_link_orphan(d->pools, &v[i]);
			break;
		default:
			break;
		}
	}
	if (open)
		store_read_end(d->own_read);
	for (size_t i = 0; i < n; i++) {
		if (v[i].kind == EFFECT_ACK)
			pool_link_ack(d->pools, &v[i]);
	}
}

void on_batch_effects(void *arg, const struct effect *v, size_t n)
{
	struct daemon *d = arg;
	bool timer = false;

	loop_enter(&d->loop, "effects");
	for_pool(d, v, n);
	for (size_t i = 0; i < n; i++) {
		timer |= v[i].kind == EFFECT_TIMER;
		if (v[i].kind == EFFECT_OUTBOX && d->outbox)
			outbox_send(d->outbox, &v[i]);
	}
	if (timer && d->timer)
		due_timer_arm(d->timer);
	if (d->http)
		http_effects(d->http, v, n);
	if (d->watch)
		d->watch(d->watch_arg, v, n);
}
