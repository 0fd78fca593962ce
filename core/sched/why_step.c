/* why_step.c: what a step waits for, or why it ended as it did. */
#include "core/sched/tx.h"
#include "core/sched/why_part.h"

#include <stdio.h>
#include <string.h>

#define NAME_MAX_TEXT (PLAN_NAME_MAX + PLAN_KEY_MAX + 4)

static const char *name_of(const struct plan *p, const struct step_rec *s, char *buf)
{
	if (s->item > 0)
		snprintf(buf, NAME_MAX_TEXT, "%s[%s]", p->steps[s->step].name, s->item_key);
	else
		snprintf(buf, NAME_MAX_TEXT, "%s", p->steps[s->step].name);
	return buf;
}

/* "which is running on attempt 2 since …" */
static void describe(const struct step_rec *s, char *buf, size_t size)
{
	char at[CLOCK_TEXT_MAX];

	if (s->state == STEP_RUNNING && s->items > 0)
		snprintf(buf, size, "which has %u of %u items open", s->items_open, s->items);
	else if (s->state == STEP_RUNNING)
		snprintf(buf, size, "which is running on attempt %u since %s", s->attempt,
		    clock_format(s->started_at, at));
	else if (s->state == STEP_RETRYING)
		snprintf(buf, size, "which is tried again at %s", clock_format(s->ready_at, at));
	else
		snprintf(buf, size, "which is %s", step_state_name(s->state));
}

/* Parents in a state that matters: open ones of a waiting step, bad ones of an upstream_failed one.
 */
static int add_parents(struct why *w, const struct plan *p, const struct step_rec *s, bool open)
{
	const struct plan_step *ps = &p->steps[s->step];
	char how[160];

	for (size_t i = 0; i < ps->n_needs; i++) {
		struct step_ref ref = {s->run, ps->needs[i].step, 0};
		const char *name = p->steps[ps->needs[i].step].name;
		struct step_rec parent;
		int rc = step_get(w->v, &ref, &parent);

		if (rc != 0)
			return rc;
		if (open && !step_state_ended(parent.state)) {
			describe(&parent, how, sizeof(how));
			why_add(
			    w, "needs", name, "step %s waits for step %s, %s", ps->name, name, how);
		} else if (!open && parent.state != STEP_SUCCEEDED) {
			why_add(w, step_state_name(s->state), name, "step %s is %s: step %s %s%s%s",
			    ps->name, step_state_name(s->state), name,
			    parent.state == STEP_SKIPPED ? "was skipped"
							 : step_state_name(parent.state),
			    parent.message[0] != 0 ? ": " : "", parent.message);
		}
	}
	return 0;
}

struct wanted {
	const char *step;
	const struct resource *want;
	int named;
};

static int add_holder(struct why *w, const struct step_ref *ref, struct wanted *by)
{
	struct sched_env env = {.conf = w->env->conf};
	struct tx x = {.v = w->v, .env = &env};
	struct step_rec s;
	struct resource r;
	char id[HASH_ID_TEXT], name[NAME_MAX_TEXT];
	int rc = run_get(w->v, ref->run, &x.run);

	if (rc == 0)
		rc = step_get(w->v, ref, &s);
	if (rc == 0)
		rc = w->v->plan(w->v->ctx, x.run.plan, &x.plan, NULL);
	if (rc != 0 || s.state != STEP_RUNNING)
		return rc;
	for (uint32_t i = 0; step_resource(&x, &s, i, &r); i++) {
		if (r.need == 0 || strcmp(r.name, by->want->name) != 0)
			continue;
		hash_to_base32(x.run.id, id);
		why_add(w, "holder", by->want->name,
		    "step %s waits for %s, held by step %s of run %s", by->step, by->want->name,
		    name_of(x.plan, &s, name), id);
		by->named++;
	}
	return 0;
}

/* Who holds what the step waits for: the first attempts that do, and work elsewhere that is to be
 * polled. */
static int add_holders(struct why *w, const char *step, const struct resource *want)
{
	static const enum table tables[] = {TABLE_RUNNING, TABLE_READY, TABLE_DUE};
	struct wanted by = {step, want, 0};
	struct due_key due;
	struct step_ref ref;
	struct view_walk walk;
	int rc = 0;

	for (size_t i = 0; i < sizeof(tables) / sizeof(tables[0]); i++) {
		view_walk_init(&walk, w->v, tables[i], NULL, 0, false);
		while (by.named < 3 && (rc = view_walk_next(&walk, NULL)) == 0) {
			struct slice key = {walk.key, walk.key_n};

			if (tables[i] == TABLE_DUE &&
			    (key_parse_due(key, &due) != 0 || due.kind != DUE_POLL))
				continue;
			rc = key_tail_step(key, &ref);
			if (rc == 0)
				rc = add_holder(w, &ref, &by);
			if (rc != 0)
				return rc;
		}
	}
	return rc == ERR_NOT_FOUND ? 0 : rc;
}

static int add_blocked(struct why *w, const struct run_rec *r, const struct plan *p,
    const struct step_rec *s, const char *name)
{
	struct sched_env env = {.conf = w->env->conf};
	struct tx x = {.v = w->v, .env = &env, .run = *r, .plan = p};
	struct resource res;
	uint64_t used = 0;

	if (!step_resource(&x, s, s->blocked - 1, &res) || res.need == 0)
		return ERR_CORRUPT;
	if (res.is_group) {
		why_add(w, "max_parallel", p->steps[s->step].name,
		    "step %s waits: max_parallel %u of its foreach is used up", name, res.size);
		return 0;
	}
	if (str_starts(res.name, "only:")) {
		why_add(w, "exclusive", p->steps[s->step].name,
		    "step %s waits: only one attempt of it may run at a time, whatever the run",
		    name);
		return add_holders(w, name, &res);
	}
	if (count_get(w->v, res.name, &used) != 0)
		used = 0;
	why_add(w, "pool_tokens", res.name + 5,
	    "step %s waits for %u of pool %s, which has %u, %llu of them used%s", name, res.need,
	    res.name + 5, res.size, (unsigned long long)used,
	    resource_fits(&res, used) ? "; the rest is kept for one that came first" : "");
	return add_holders(w, name, &res);
}

/* Whether one takes work; else *retired: how many finish what they have. */
static bool any_pool_up(const struct sched_env *env, unsigned *retired)
{
	*retired = 0;
	for (size_t i = 0; i < sizeof(env->pool) / sizeof(env->pool[0]); i++) {
		if (env->pool[i].up && !env->pool[i].retired)
			return true;
		*retired += env->pool[i].up;
	}
	return false;
}

static int add_ready(struct why *w, const struct run_rec *r, const struct plan *p,
    const struct step_rec *s, const char *name)
{
	uint32_t workers = w->env->conf != NULL ? w->env->conf->workers : 1;
	unsigned retired;
	uint64_t used;
	int rc;

	if (s->blocked > 0)
		return add_blocked(w, r, p, s, name);
	if (sched_held(w->v)) {
		why_add(w, "held", name,
		    "step %s waits: the store was restored; look, then: sluice resume --all", name);
		return 0;
	}
	if (!any_pool_up(w->env, &retired)) {
		if (retired > 0)
			why_add(w, "no_pool", name,
			    "step %s waits: the worker pools that there are (%u) only finish what "
			    "they have, the next one is on its way",
			    name, retired);
		else
			why_add(
			    w, "no_pool", name, "step %s waits: no worker pool is connected", name);
		return 0;
	}
	rc = count_get(w->v, COUNT_SLOTS, &used);
	if (rc != 0)
		return rc;
	why_add(w, "worker", name, "step %s waits for a worker: %llu of %u are busy", name,
	    (unsigned long long)used, workers);
	return 0;
}

static void add_failed(
    struct why *w, const struct plan *p, const struct step_rec *s, const char *name)
{
	const struct plan_retry *r = &p->steps[s->step].retry;
	const char *more = "";

	if (s->attempt == 0 || s->items > 0)
		more = "";
	else if ((r->classes >> s->class_ & 1) == 0)
		more = "; this class is not retried";
	else if (s->class_ != CLASS_LOST && s->used >= r->attempts)
		more = "; all its tries are used";
	char attempt[32] = ""; /* a foreach and what never ran have none */
	if (s->attempt > 0)
		snprintf(attempt, sizeof(attempt), " on attempt %u", s->attempt);
	why_add(w, "failed", name, "step %s failed%s (%s): %s%s", name, attempt,
	    class_name(s->class_), s->message, more);
}

/* "step load: job 4711 on slurm, polled again at …" */
static void add_remote(
    struct why *w, const struct plan *p, const struct step_rec *s, const char *name)
{
	static const char *const stops[] = {"", "; the run is cancelled, its end is asked for",
	    "; the timeout passed, its end is asked for"};
	const struct json *task = json_get(p->steps[s->step].json, "task");
	struct step_ref ref = step_ref_of(s);
	char job[160], at[CLOCK_TEXT_MAX], next[CLOCK_TEXT_MAX + 32] = "is being polled";

	remote_name(w->v, &ref, job, sizeof(job));
	if (s->instance == 0 && s->poll_ready)
		snprintf(next, sizeof(next), "waits for a worker to be polled");
	else if (s->instance == 0)
		snprintf(next, sizeof(next), "polled again at %s", clock_format(s->poll_at, at));
	why_add(w, "submitted", name, "step %s: %s on %.64s, %s, polled %u times%s%s%s", name, job,
	    json_get_str(task, "connection", json_get_str(task, "plugin", "?")), next, s->polls,
	    stops[s->stop], s->message[0] != 0 ? "; " : "", s->message);
}

static int add_open(struct why *w, const struct run_rec *r, const struct plan *p,
    const struct step_rec *s, const char *name)
{
	char at[CLOCK_TEXT_MAX], how[160];

	switch (s->state) {
	case STEP_WAITING:
		if (s->item == 0 && s->unmet > 0)
			return add_parents(w, p, s, true);
		if (s->item > 0 && s->unmet > 0)
			why_add(w, "match", name,
			    "step %s waits for the items \"%s\" that it is paired with: %u of "
			    "them %s not ended",
			    name, s->item_key, s->unmet, s->unmet == 1 ? "has" : "have");
		else
			why_add(w, "queued", name, "step %s waits for its run to start", name);
		return 0;
	case STEP_READY:
		return add_ready(w, r, p, s, name);
	case STEP_RETRYING:
		why_add(w, "retry", name,
		    "step %s is tried again at %s: attempt %u ended with %s: %s", name,
		    clock_format(s->ready_at, at), s->attempt, class_name(s->class_), s->message);
		return 0;
	default:
		if (s->submitted) {
			add_remote(w, p, s, name);
			return 0;
		}
		describe(s, how, sizeof(how));
		why_add(w, "running", name, "step %s: %s%s", name, how + strlen("which "),
		    r->cancel ? "; the run is cancelled, it is being stopped" : "");
		return 0;
	}
}

/* "step s is skipped: `when: one_failed` is not met: step a succeeded, step b was skipped" */
static int add_skipped(
    struct why *w, const struct plan *p, const struct step_rec *s, const char *name)
{
	static const char *const rules[] = {"all_success", "one_success", "all_done", "one_failed"};
	const struct plan_step *ps = &p->steps[s->step];
	struct str text;
	int rc = 0;

	str_init(&text, 4096);
	for (size_t i = 0; rc == 0 && i < ps->n_needs && i < 5; i++) {
		struct step_ref ref = {s->run, ps->needs[i].step, 0};
		struct step_rec parent;

		rc = step_get(w->v, &ref, &parent);
		if (rc == 0)
			str_addf(&text, "%sstep %s %s%s", i > 0 ? ", " : "",
			    p->steps[ps->needs[i].step].name,
			    parent.state == STEP_SKIPPED || parent.state == STEP_CANCELLED ? "was "
											   : "",
			    step_state_name(parent.state));
	}
	if (rc == 0)
		why_add(w, "skipped", name, "step %s is skipped: `when: %s` is not met: %s", name,
		    rules[ps->when], str_peek(&text));
	str_done(&text);
	return rc;
}

int why_step_state(
    struct why *w, const struct run_rec *r, const struct plan *p, const struct step_rec *s)
{
	char name[NAME_MAX_TEXT], at[CLOCK_TEXT_MAX];
	uint32_t before = w->n;
	int rc = 0;

	name_of(p, s, name);
	if (!step_state_ended(s->state))
		return add_open(w, r, p, s, name);
	if (s->state == STEP_FAILED)
		add_failed(w, p, s, name);
	else if (strcmp(s->code, CODE_NOT_CHOSEN) == 0)
		why_add(w, "not_chosen", name, "step %s was left out by --only", name);
	else if (s->message[0] != 0 && s->state == STEP_SKIPPED)
		why_add(w, "skipped", name, "step %s: %s", name, s->message);
	else if (s->state == STEP_SKIPPED)
		rc = add_skipped(w, p, s, name);
	else if (s->state == STEP_UPSTREAM_FAILED && s->item == 0)
		rc = add_parents(w, p, s, false);
	if (rc == 0 && w->n == before)
		why_add(w, step_state_name(s->state), name, "step %s %s at %s%s%s", name,
		    s->state == STEP_CANCELLED ? "was cancelled" : step_state_name(s->state),
		    clock_format(s->ended_at, at), s->message[0] != 0 ? ": " : "", s->message);
	return rc;
}
