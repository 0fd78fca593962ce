/* pooltake.c: what a pool says becomes operations. A block of RUN and OUT that HELLO asked for is
 * told as one OP_POOL_UP at its END. Owner: struct pool_link, loop thread. */
#define LOG_AT "daemon"
#include "core/daemon/poolint.h"

#include "core/base/log.h"
#include "core/base/mem.h"
#include "core/base/release.h"

#include <string.h>

static void outcome_stored(void *arg, const struct op_result *r)
{
	struct pool_link *p = arg;

	if (r->rc == 0)
		return;
	/* It was not acknowledged, so the pool still has it: ask again later. */
	log_error("an outcome could not be stored: %s", r->err.text);
	for (struct instance *i = p->instances; i; i = i->next) {
		if (i->conn)
			pool_instance_lost(i, PROBE_LAST_MS);
	}
}

static void take_outcome(struct instance *i, const struct frame *f, const char *payload, size_t n)
{
	struct writer_op *op = writer_op_new(OP_OUTCOME);
	char *report;

	if (n > FRAME_REPORT_MAX) {
		log_warn("a report of %zu bytes is dropped: %u are allowed", n, FRAME_REPORT_MAX);
		n = 0;
	}
	report = mem_strndup(payload, n);
	op->arena = report;
	op->free_arena = mem_free;
	op->op.u.outcome.step = (struct step_ref){f->run, (uint16_t)f->step, f->item};
	op->op.u.outcome.token = f->token;
	op->op.u.outcome.instance = i->id;
	op->op.u.outcome.code = (int)f->code;
	op->op.u.outcome.report = report;
	op->op.u.outcome.report_n = n;
	op->op.u.outcome.exit_seen_us = f->time_us;
	op->done = outcome_stored;
	op->arg = i->link;
	pool_submit(i->link, op);
}

static void note_seen(struct instance *i, const struct frame *f)
{
	struct step_ref step = {f->run, (uint16_t)f->step, f->item};

	if (i->state != INST_HELLO)
		return;
	VEC_ADD(&i->seen, step);
	VEC_ADD(&i->seen_token, f->token);
}

struct up_arena {
	struct pool_link *link;
	uint64_t instance, gen;
	struct step_ref *seen;
	uint64_t *token;
};

static void up_arena_free(void *arg)
{
	struct up_arena *a = arg;

	mem_free(a->seen);
	mem_free(a->token);
	mem_free(a);
}

static void up_stored(void *arg, const struct op_result *r)
{
	struct up_arena *a = arg;
	struct instance *i = pool_instance_find(a->link, a->instance);

	if (!i || i->gen != a->gen || i->state != INST_UP)
		return;
	if (r->rc != 0) {
		log_error("the pool's list could not be stored: %s", r->err.text);
		pool_instance_lost(i, PROBE_LAST_MS);
		return;
	}
	i->up_told = true;
	if (i->link->o.on_change)
		i->link->o.on_change(i->link->o.arg);
}

/* What the successor found left of dead instances is killed by now: their locks can be tried at
 * once. */
static void probe_others(struct pool_link *p)
{
	for (struct instance *i = p->instances; i; i = i->next) {
		if (i->state == INST_DOWN)
			event_active(i->timer, EV_TIMEOUT, 1);
	}
}

/* A pool of another release finishes what it has while one of this release takes the new work.
 * Where that would be one too many, it goes on taking work until another one is gone. */
static bool may_retire(const struct instance *i)
{
	unsigned others = 0;

	if (!i->older || i->retired || i->link->o.once || i->link->closing)
		return false;
	for (const struct instance *other = i->link->instances; other; other = other->next) {
		if (other != i && other->conn)
			others++;
	}
	return others + 2 <= POOLS_MAX; /* itself and the one that is started for it */
}

static void note_version(struct instance *i, const char *who, size_t n)
{
	const char *mine = release_name();
	size_t at = sizeof(uint64_t), len = strlen(mine);

	i->older = n != at + len || memcmp(who + at, mine, len) != 0;
	if (!may_retire(i)) {
		if (i->older && !i->retired)
			log_warn("pool %016llx is of another release than this one, and takes work "
				 "until one of those that finish what they have is gone",
			    (unsigned long long)i->id);
		return;
	}
	log_info("pool %016llx is of release %.*s, this is %s: it finishes what it has",
	    (unsigned long long)i->id, n > at ? (int)(n - at) : 7, n > at ? who + at : "unknown",
	    mine);
	i->retired = true; /* before OP_POOL_UP tells it: nothing is dispatched there any more */
	pool_link_retire(i->link, i->id);
}

void pool_retire_older(struct pool_link *p)
{
	for (struct instance *i = p->instances; i; i = i->next) {
		if (i->state != INST_UP || !may_retire(i))
			continue;
		log_info("pool %016llx is retired now", (unsigned long long)i->id);
		i->retired = true;
		pool_submit_down(i);
		pool_link_retire(p, i->id);
		pool_start_wanted(p);
		return;
	}
}

static void take_end(struct instance *i, const struct frame *f, const char *who, size_t who_n)
{
	struct writer_op *op;
	struct up_arena *a;

	bool retired = (f->flags & FRAME_RETIRED) != 0;

	if (i->state !=
	    INST_HELLO) { /* nobody asked: it says that RETIRE is in force, lists nothing */
		if (retired && !i->retired)
			pool_submit_down(i);
		i->retired = retired || i->retired;
		pool_start_wanted(i->link);
		return;
	}
	i->retired = retired;
	i->state = INST_UP;
	note_version(i, who, who_n);
	i->refused = false;
	event_del(i->timer);
	a = MEM_NEW(struct up_arena);
	*a = (struct up_arena){i->link, i->id, i->gen, i->seen.v, i->seen_token.v};
	op = writer_op_new(OP_POOL_UP);
	op->arena = a;
	op->free_arena = up_arena_free;
	op->op.u.pool_up.instance = i->id;
	op->op.u.pool_up.gen = i->gen;
	op->op.u.pool_up.retired = i->retired;
	op->op.u.pool_up.seen = a->seen;
	op->op.u.pool_up.seen_token = a->token;
	op->op.u.pool_up.n_seen = i->seen.n;
	op->done = up_stored;
	op->arg = a;
	memset(&i->seen, 0, sizeof(i->seen));
	memset(&i->seen_token, 0, sizeof(i->seen_token));
	pool_submit(i->link, op);
	log_info("pool %016llx answered: %zu attempts%s", (unsigned long long)i->id,
	    op->op.u.pool_up.n_seen, i->retired ? ", retired" : "");
	probe_others(i->link);
	pool_start_wanted(i->link);
}

void pool_take_frame(void *arg, const struct frame *f, const char *payload, size_t n)
{
	struct instance *i = arg;
	struct step_ref step = {f->run, (uint16_t)f->step, f->item};

	switch (f->type) {
	case FRAME_RUN:
		note_seen(i, f);
		return;
	case FRAME_OUT:
		note_seen(i, f);
		pool_orphan_ended(i, &step, f->token);
		if (crash_mutant("drop-outcome")) { /* a planted bug: acknowledged, never stored */
			struct effect e = {.step = step, .token = f->token, .instance = i->id};

			pool_link_ack(i->link, &e);
			return;
		}
		take_outcome(i, f, payload, n);
		return;
	case FRAME_END:
		take_end(i, f, payload, n);
		return;
	case FRAME_PROGRESS:
		if (i->link->o.on_progress)
			i->link->o.on_progress(i->link->o.arg, &step, payload, n);
		return;
	case FRAME_SYSTEM_OUT:
		pool_system_take(i->link, f, payload, n);
		return;
	case FRAME_REFUSED:
		log_error("pool %016llx refuses this daemon: %.*s", (unsigned long long)i->id,
		    n > 200 ? 200 : (int)n, payload);
		i->refused = true;
		return;
	default: /* of a newer release */
		return;
	}
}
