/* scope.c: see scope.h. */
#include "core/sched/scope.h"

#include <stdio.h>
#include <string.h>

static struct json *parse_slice(struct slice s)
{
	struct json *j = NULL;

	if (json_parse(s.p, s.n, s.n, &j, NULL) != 0)
		return NULL;
	return j;
}

static struct json *time_json(wall_us t)
{
	char buf[CLOCK_TEXT_MAX];

	return t == TIME_NONE ? json_new_null() : json_new_str(clock_format(t, buf));
}

int scope_event(const struct view *v, uint64_t seq, struct json **ret)
{
	struct event_rec e;
	struct slice body = {NULL, 0};
	struct json *o, *b;
	char num[24];
	int rc = seq == 0 ? ERR_NOT_FOUND : event_get(v, seq, &e, &body);

	if (rc != 0 && rc != ERR_NOT_FOUND)
		return rc;
	if (rc != 0) {
		*ret = json_new_null();
		return 0;
	}
	b = body.n > 0 ? parse_slice(body) : NULL;
	snprintf(num, sizeof(num), "%llu", (unsigned long long)e.seq);
	o = json_new_object();
	json_put(o, "id", json_new_str(e.external_id));
	json_put(o, "seq", json_new_str(num));
	json_put(o, "source", json_new_str(e.source));
	json_put(o, "type", json_new_str(e.type));
	json_put(o, "subject", json_new_str(e.subject));
	json_put(o, "time", time_json(e.time));
	json_put(o, "body", b != NULL ? b : json_new_null());
	*ret = o;
	return 0;
}

static struct json *scope_run(const struct run_rec *r, const struct step_rec *step)
{
	struct json *o = json_new_object(), *w = json_new_object();
	char id[HASH_ID_TEXT];

	hash_to_base32(r->id, id);
	json_put(o, "id", json_new_str(id));
	json_put(o, "dag", json_new_str(r->dag));
	json_put(o, "key", json_new_str(r->key));
	json_put(w, "start", time_json(r->window_start));
	json_put(w, "end", time_json(r->window_end));
	json_put(o, "window", w);
	json_put(o, "logical_time", time_json(r->logical_time));
	json_put(o, "attempt", json_new_i64(step != NULL ? step->attempt : 0));
	return o;
}

static int put_doc(
    const struct view *v, uint64_t run, enum run_doc kind, struct json *to, const char *name)
{
	struct slice s;
	struct json *j = NULL;
	int rc = run_doc_get(v, run, kind, &s);

	if (rc != 0 && rc != ERR_NOT_FOUND)
		return rc;
	if (rc == 0)
		j = parse_slice(s);
	json_put(to, name, j != NULL ? j : json_new_object());
	return 0;
}

/* Outputs of all steps that the step needs, directly or not. */
static int put_steps(
    const struct view *v, uint64_t run, const struct plan *plan, uint16_t step, struct json *to)
{
	uint64_t need[(PLAN_MAX_STEPS + 63) / 64] = {0};
	struct json *steps = json_new_object();
	int rc = 0;

	need[step / 64] |= UINT64_C(1) << (step % 64);
	for (int i = step; i >= 0 && rc == 0; i--) {
		const struct plan_step *p = &plan->steps[i];
		struct step_ref ref = {run, (uint16_t)i, 0};
		struct json *one, *out = NULL;
		struct slice s;

		if ((need[i / 64] >> (i % 64) & 1) == 0)
			continue;
		for (size_t k = 0; k < p->n_needs; k++)
			need[p->needs[k].step / 64] |= UINT64_C(1) << (p->needs[k].step % 64);
		if (i == step)
			continue;
		rc = step_doc_get(v, &ref, STEP_DOC_OUTPUTS, &s);
		if (rc == 0)
			out = parse_slice(s);
		rc = rc == ERR_NOT_FOUND ? 0 : rc;
		one = json_new_object();
		json_put(one, "outputs", out != NULL ? out : json_new_object());
		json_put(steps, p->name, one);
	}
	json_put(to, "steps", steps);
	return rc;
}

static int put_item(
    const struct view *v, const struct plan *plan, const struct step_rec *step, struct json *to)
{
	const struct plan_foreach *f = plan->steps[step->step].foreach;
	struct step_ref ref = step_ref_of(step);
	struct json *j = NULL;
	struct slice s;
	int rc;

	if (step->item == 0 || f == NULL) {
		json_put(to, "item", json_new_null());
		return 0;
	}
	rc = step_doc_get(v, &ref, STEP_DOC_ITEM, &s);
	if (rc != 0)
		return rc;
	j = parse_slice(s);
	if (j == NULL)
		return ERR_CORRUPT;
	if (strcmp(f->as, "item") != 0)
		json_put(to, f->as, json_dup(j));
	json_put(to, "item", j);
	return 0;
}

static int fill(const struct view *v, const struct run_rec *run, const struct plan *plan,
    const struct step_rec *step, struct json *o)
{
	const struct json *partition;
	struct json *event = NULL;
	int rc = put_doc(v, run->no, RUN_DOC_PARAMS, o, "params");

	json_put(o, "run", scope_run(run, step));
	if (rc == 0)
		rc = put_doc(v, run->no, RUN_DOC_TRIGGER, o, "trigger");
	if (rc == 0)
		rc = scope_event(v, run->event, &event);
	if (rc != 0)
		return rc;
	json_put(o, "event", event);
	partition = json_path(o, "trigger.partition");
	json_put(o, "partition", partition != NULL ? json_dup(partition) : json_new_null());
	if (step == NULL)
		return 0;
	rc = put_item(v, plan, step, o);
	return rc != 0 ? rc : put_steps(v, run->no, plan, step->step, o);
}

int scope_build(const struct view *v, const struct run_rec *run, const struct plan *plan,
    const struct step_rec *step, struct json **ret)
{
	struct json *o = json_new_object();
	int rc = fill(v, run, plan, step, o);

	if (rc != 0) {
		json_free(o);
		return rc;
	}
	*ret = o;
	return 0;
}
