/* worker.c: attempts: how long they take, how they end, and the sink they write to, which knows a
 * fence (the highest token) and a ledger (what of a generation is there already). */
#include "tests/sim/sim.h"

#include <stdio.h>
#include <string.h>

static void draw_failure(struct world *w, struct attempt *a)
{
	static const enum step_class classes[] = {CLASS_TRANSIENT, CLASS_TRANSIENT, CLASS_DATA,
	    CLASS_CONFIG, CLASS_QUOTA, CLASS_INTERNAL, CLASS_SCHEMA, CLASS_AUTH};
	struct chance *c = &w->chance;

	a->code = OUTCOME_FAILED;
	a->class_ = classes[roll(c, 8)];
	a->publishes = a->partition = -1;
	if (a->class_ == CLASS_QUOTA)
		a->retry_after_ms = between(c, 0, 90000);
	snprintf(a->report, sizeof(a->report),
	    "{\"class\":\"%s\",\"message\":\"planned\",\"retry_after_ms\":%lld}",
	    class_name(a->class_), (long long)a->retry_after_ms);
	if (a->class_ == CLASS_INTERNAL && one_in(c, 2))
		snprintf(a->report, sizeof(a->report), "{nonsense");
}

void worker_success(struct world *w, struct attempt *a)
{
	struct chance *c = &w->chance;

	a->code = OUTCOME_OK;
	a->class_ = CLASS_OK;
	a->publishes = a->partition = -1;
	snprintf(a->report, sizeof(a->report), "{\"class\":\"ok\",\"rows_out\":1}");
	if (!a->spec->steps[a->step.step].publishes || a->step.item > 0 || one_in(c, 5))
		return;
	a->publishes = (int)a->spec->dag;
	a->partition = (int)roll(c, SIM_PARTITIONS + 1) - 1;
	a->changed = !one_in(c, 5);
	snprintf(a->report, sizeof(a->report),
	    "{\"class\":\"ok\",\"datasets\":[{\"name\":\"lake/"
	    "%d\",\"partition\":\"%s\",\"changed\":%s}]}",
	    a->publishes, partition_name(a->partition), a->changed ? "true" : "false");
}

static void killed_as(struct attempt *a, int code, enum step_class class_)
{
	a->code = code;
	a->class_ = class_;
	a->retry_after_ms = 0;
	a->report[0] = 0;
	a->publishes = a->partition = -1;
	a->handle = a->remote_ended = false;
}

static struct attempt *running(const struct world *w, const struct event *e)
{
	const struct sim_pool *p = &w->pool[e->a];

	for (size_t i = 0; i < p->table.n; i++) {
		if (p->table.v[i]->token == e->c && p->table.v[i]->state == ATT_RUN)
			return p->table.v[i];
	}
	return NULL;
}

void worker_begin(struct world *w, struct attempt *a)
{
	int64_t most = w->horizon / 200, timeout = a->spec->steps[a->step.step].timeout_ms;
	struct mstep *m = mirror_step(w, &a->step);
	struct chance *c = &w->chance;
	int64_t takes = spread(c, 500, w->calm || most > 600 * US_PER_S ? 600 * US_PER_S : most);

	if (w->calm || one_in(c, 2))
		takes = spread(c, 500, US_PER_S);
	w->fig->attempts++;
	w->fig->polls += a->phase > PHASE_SUBMIT;
	worker_success(w, a);
	if (fault_now(w, FAULT_WORKER))
		killed_as(a, OUTCOME_LOST, CLASS_LOST);
	else if (fault_now(w, FAULT_FAIL))
		draw_failure(w, a);
	if (a->token > m->fence)
		m->fence = a->token;
	a->ends_at = w->mono + takes;
	if (fault_now(w, FAULT_HANG)) {
		a->ends_at = INT64_MAX;
		/* somebody looks one day, unless a timeout is quicker */
		later(w, spread(c, most, w->horizon / 20), EV_PERSON, 0, a->step.run, 0, NULL);
	}
	if (a->code == OUTCOME_OK || one_in(c, 2))
		later(w, takes / 2, EV_PUBLISH, a->pool, a->version, a->token, NULL);
	if (a->phase > PHASE_SUBMIT)
		timeout = remote_deadline() / US_PER_MS;
	if (timeout >= 0 && a->ends_at - w->mono > timeout * US_PER_MS) {
		a->ends_at = w->mono + timeout * US_PER_MS;
		killed_as(a, OUTCOME_DEADLINE, CLASS_TIMEOUT);
	}
	if (a->ends_at != INT64_MAX)
		later(w, a->ends_at - w->mono, EV_END, a->pool, a->version, a->token, NULL);
}

void worker_kill(struct world *w, struct attempt *a)
{
	int64_t grace = spread(&w->chance, 100, 500 * US_PER_MS);

	if (a->killed)
		return;
	a->killed = true;
	/* a success that is reported in time counts */
	if (a->code == OUTCOME_OK && a->ends_at - w->mono <= grace)
		return;
	a->version++;
	killed_as(a, OUTCOME_CANCELLED, CLASS_CANCELLED);
	later(w, grace, EV_END, a->pool, a->version, a->token, NULL);
}

/* One transaction at the target: the fence must not be above, what the ledger has is not written
 * again. */
static void publish(struct world *w, struct attempt *a, bool again)
{
	struct mstep *m = mirror_step(w, &a->step);

	if ((a->published && !again) || a->code == OUTCOME_FAILED)
		return;
	if (a->token < m->fence) {
		killed_as(a, OUTCOME_FAILED, CLASS_INTERNAL);
		return;
	}
	a->published = true;
	if (m->ledger && m->ledger_gen == a->generation)
		return;
	m->ledger = true;
	m->ledger_gen = a->generation;
	w->fig->effects++;
}

/* What it does before it ends; also one that then fails to say so. */
static void act(struct world *w, struct attempt *a)
{
	if (a->phase == PHASE_RUN)
		publish(w, a, false);
	else
		remote_act(w, a);
}

static void end(struct world *w, struct attempt *a)
{
	struct mstep *m = mirror_step(w, &a->step);

	if (a->orphan)
		return; /* dies with EV_DIE, and nobody hears it */
	if (a->code == OUTCOME_OK && a->phase != PHASE_RUN)
		remote_report(w, a);
	if (a->code == OUTCOME_OK && !a->handle)
		publish(w, a, a->phase != PHASE_RUN);
	else if (fault_now(w, FAULT_CLOCK)) /* while its retry waits */
		later(
		    w, spread(&w->chance, 1000, 20 * US_PER_S), EV_FAULT, FAULT_CLOCK, 0, 0, NULL);
	if (a->code == OUTCOME_OK && !a->handle && !of_the_past(w, a->token)) {
		m->ok_token = a->token;
		m->ok_pool = a->pool;
	}
	note(w, "attempt %llu/%u/%u token %llx ends %d", (unsigned long long)a->step.run,
	    a->step.step, a->step.item, (unsigned long long)a->token, a->code);
	pool_outcome(w, a->pool, a);
}

void on_worker_event(struct world *w, const struct event *e)
{
	struct attempt *a = running(w, e);

	if (a == NULL)
		return;
	if (e->kind == EV_DIE)
		attempt_free(w, a);
	else if (e->kind == EV_PUBLISH && (e->b == a->version || one_in(&w->chance, 2)))
		act(w, a);
	else if (e->kind == EV_END && e->b == a->version)
		end(w, a);
}
