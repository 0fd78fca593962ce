/* plan.c: reads a compiled plan into structs. The compiler has checked the file; here only what the
 * scheduler's memory safety and termination rest on is checked again (bounds, order of needs). */
#include "core/dag/plan.h"

#include "core/base/clock.h"
#include "core/base/mem.h"

#include <string.h>

/* ---- names ---- */

static int name_index(const char *const *names, size_t n, const char *name)
{
	for (size_t i = 0; name != NULL && i < n; i++) {
		if (strcmp(names[i], name) == 0)
			return (int)i;
	}
	return -1;
}
#define NAME_INDEX(names, name) name_index(names, sizeof(names) / sizeof(names[0]), name)

static const char *const class_names[CLASS_N] = {"ok", "config", "auth", "data", "schema",
    "transient", "quota", "cancelled", "timeout", "lost", "internal"};
static const char *const trigger_names[TRIGGER_KIND_N] = {
    "cron", "at", "every", "webhook", "source", "datasets", "absence", "manual", "backfill"};
static const char *const when_names[] = {"all_success", "one_success", "all_done", "one_failed"};
static const char *const kind_names[] = {"pipeline", "task", "model"};
static const char *const overlap_names[] = {"queue", "skip", "cancel", "latest"};
static const char *const keep_names[] = {"none", "latest", "all"};
static const char *const rule_names[] = {"all", "any", "at_least"};
static const char *const type_names[] = {
    "string", "integer", "number", "boolean", "date", "timestamp", "any"};

const char *class_name(enum step_class c)
{
	return (unsigned)c < CLASS_N ? class_names[c] : "?";
}

int class_from_name(const char *name, enum step_class *ret)
{
	int i = NAME_INDEX(class_names, name);

	if (i < 0)
		return ERR_NOT_FOUND;
	*ret = (enum step_class)i;
	return 0;
}

const char *trigger_kind_name(enum trigger_kind k)
{
	return (unsigned)k < TRIGGER_KIND_N ? trigger_names[k] : "?";
}

int trigger_kind_from_name(const char *name, enum trigger_kind *ret)
{
	int i = NAME_INDEX(trigger_names, name);

	if (i < 0)
		return ERR_NOT_FOUND;
	*ret = (enum trigger_kind)i;
	return 0;
}

/* ---- members, with the place in the message ---- */

static int bad(struct err *err, const char *where, const char *key)
{
	return err_set(err, ERR_PARSE, "plan: \"%s\" of %s is missing or malformed", key, where);
}

static int get_name(const struct json *j, const char *key, char *out, size_t size,
    const char *where, struct err *err)
{
	const char *s = json_get_str(j, key, NULL);

	if (s == NULL || s[0] == 0 || !str_copy(out, size, s))
		return bad(err, where, key);
	return 0;
}

static int get_choice(const struct json *j, const char *key, const char *const *names, size_t n,
    const char *fallback, const char *where, int *ret, struct err *err)
{
	int i = name_index(names, n, json_get_str(j, key, fallback));

	if (i < 0)
		return bad(err, where, key);
	*ret = i;
	return 0;
}
#define GET_CHOICE(j, key, names, fallback, where, ret, err)                                       \
	get_choice(j, key, names, sizeof(names) / sizeof(names[0]), fallback, where, ret, err)

static int get_instant(
    const struct json *j, const char *key, int64_t *ret, const char *where, struct err *err)
{
	const char *s = json_get_str(j, key, NULL);

	*ret = TIME_NONE;
	if (s != NULL && clock_parse(s, ret) != 0)
		return bad(err, where, key);
	return 0;
}

static const struct json *get_some(const struct json *j, const char *key, enum json_type t)
{
	const struct json *v = json_get(j, key);

	return json_is(v, t) && json_len(v) > 0 ? v : NULL;
}

/* ---- parameters ---- */

static int read_param(const struct json *j, struct plan_param *p, struct err *err)
{
	int rc, type;

	rc = get_name(j, "name", p->name, sizeof(p->name), "a parameter", err);
	if (rc == 0)
		rc = GET_CHOICE(j, "type", type_names, NULL, p->name, &type, err);
	if (rc != 0)
		return rc;
	p->type = (enum value_type)type;
	p->required = json_get_bool(j, "required", false);
	p->def = json_get(j, "default");
	p->choices = get_some(j, "choices", JSON_ARRAY);
	p->min = json_get(j, "min");
	p->max = json_get(j, "max");
	return 0;
}

static int read_params(const struct json *list, struct plan_params *ret, struct err *err)
{
	int rc = 0;

	if (json_len(list) == 0)
		return 0;
	ret->v = mem_calloc(json_len(list), sizeof(*ret->v));
	for (const struct json *j = json_first(list); j != NULL && rc == 0; j = json_next(j))
		rc = read_param(j, &ret->v[ret->n++], err);
	return rc;
}

/* ---- triggers ---- */

static int read_members(const struct json *j, struct plan_trigger *t, struct err *err)
{
	const struct json *list = json_get(j, "members");
	int rc, rule;

	rc = GET_CHOICE(j, "rule", rule_names, NULL, t->name, &rule, err);
	if (rc != 0)
		return rc;
	t->rule = (enum datasets_rule)rule;
	t->at_least = (uint32_t)json_get_i64(j, "n", 0);
	if (json_len(list) == 0)
		return bad(err, t->name, "datasets.members");
	t->members = mem_calloc(json_len(list), sizeof(*t->members));
	for (const struct json *m = json_first(list); m != NULL && rc == 0; m = json_next(m)) {
		struct plan_member *to = &t->members[t->n_members++];

		to->json = m;
		rc = get_name(m, "name", to->dataset, sizeof(to->dataset), t->name, err);
	}
	return rc;
}

static int read_time(const struct json *j, struct plan_trigger *t, struct err *err)
{
	const struct json *covers = json_get(j, "covers"), *catchup = json_get(j, "catchup");
	int rc, keep;

	t->cron = json_get_str(j, "cron", NULL);
	t->gap = json_get_str(j, "gap", "run_after");
	t->overlap = json_get_str(j, "overlap", "first");
	t->each_us = json_get_i64(j, "each_ms", 0) * US_PER_MS;
	t->jitter_us = json_get_i64(j, "jitter_ms", 0) * US_PER_MS;
	t->covers_unit = json_get_str(covers, "unit", NULL);
	t->covers_offset = json_get_i64(covers, "offset", 0);
	t->catchup_within_ms = json_get_i64(catchup, "within_ms", -1);
	t->catchup_at_once = (uint32_t)json_get_i64(catchup, "at_once", 1);
	rc = GET_CHOICE(catchup, "keep", keep_names, "none", t->name, &keep, err);
	if (rc == 0)
		rc = get_instant(j, "at", &t->at_us, t->name, err);
	if (rc == 0)
		rc = get_instant(j, "from", &t->from_us, t->name, err);
	if (rc != 0)
		return rc;
	t->catchup = (enum catchup_keep)keep;
	if ((t->kind == TRIGGER_CRON && t->cron == NULL) ||
	    (t->kind == TRIGGER_AT && t->at_us == TIME_NONE) ||
	    (t->kind == TRIGGER_EVERY && t->each_us <= 0))
		return bad(err, t->name, trigger_kind_name(t->kind));
	return 0;
}

static int read_trigger(
    const struct json *j, const struct plan *p, struct plan_trigger *t, struct err *err)
{
	int rc, kind;

	t->json = j;
	rc = get_name(j, "name", t->name, sizeof(t->name), "a trigger", err);
	if (rc == 0)
		rc = GET_CHOICE(j, "kind", trigger_names, NULL, t->name, &kind, err);
	if (rc != 0)
		return rc;
	t->kind = (enum trigger_kind)kind;
	t->zone = json_get_str(j, "zone", p->timezone);
	t->hook = json_get_str(j, "hook", json_get_str(j, "source", NULL));
	t->where = json_get_str(j, "where", NULL);
	t->key = json_get_str(j, "key", NULL);
	t->params = get_some(j, "params", JSON_OBJECT);
	t->on_same_key_rerun = str_eq(json_get_str(j, "on_same_key", NULL), "rerun");
	t->join = json_get_str(j, "join", NULL);
	t->fire_on_publish = str_eq(json_get_str(j, "fire", NULL), "publish");
	t->from_earliest = str_eq(json_get_str(j, "from_events", NULL), "earliest");
	t->keep_while_paused = str_eq(json_get_str(j, "while_paused", NULL), "keep");
	rc = read_time(j, t, err);
	if (rc == 0)
		rc = read_params(json_get(j, "body"), &t->body, err);
	if (rc == 0 && t->kind == TRIGGER_DATASETS)
		rc = read_members(json_get(j, "datasets"), t, err);
	return rc;
}

/* ---- steps ---- */

static int read_retry(const struct json *j, struct plan_step *s, struct err *err)
{
	struct plan_retry *r = &s->retry;
	enum step_class c;

	r->attempts = (uint32_t)json_get_i64(j, "attempts", 1);
	r->delay_ms = json_get_i64(j, "delay_ms", 30000);
	r->max_delay_ms = json_get_i64(j, "max_delay_ms", 600000);
	r->backoff = json_num(json_get(j, "backoff"), 2);
	r->jitter = json_num(json_get(j, "jitter"), 0.2);
	if (json_get(j, "classes") == NULL)
		r->classes = 1u << CLASS_TRANSIENT | 1u << CLASS_TIMEOUT | 1u << CLASS_QUOTA |
			     1u << CLASS_LOST;
	for (const struct json *e = json_first(json_get(j, "classes")); e != NULL;
	     e = json_next(e)) {
		if (class_from_name(json_str(e, ""), &c) != 0)
			return bad(err, s->name, "retry.classes");
		r->classes |= 1u << c;
	}
	if (r->attempts < 1 || r->delay_ms < 0 || r->max_delay_ms < 0 || !(r->backoff >= 1) ||
	    !(r->jitter >= 0 && r->jitter <= 1))
		return bad(err, s->name, "retry");
	return 0;
}

/* Steps stand in topological order, so a need names an earlier step: no cycle can be written. */
static int read_needs(const struct json *list, struct plan_step *s, size_t index, struct err *err)
{
	if (json_len(list) == 0)
		return 0;
	s->needs = mem_calloc(json_len(list), sizeof(*s->needs));
	for (const struct json *j = json_first(list); j != NULL; j = json_next(j)) {
		int64_t step = json_get_i64(j, "step", -1);

		if (step < 0 || step >= (int64_t)index)
			return bad(err, s->name, "needs");
		for (size_t i = 0; i < s->n_needs; i++) {
			if (s->needs[i].step == step)
				return bad(err, s->name, "needs");
		}
		s->needs[s->n_needs].step = (uint16_t)step;
		s->needs[s->n_needs++].match_item = str_eq(json_get_str(j, "match", NULL), "item");
	}
	return 0;
}

static int read_foreach(const struct json *j, struct plan_step *s, struct err *err)
{
	struct plan_foreach *f;

	if (!json_is(j, JSON_OBJECT))
		return 0;
	f = s->foreach = MEM_NEW(struct plan_foreach);
	f->in = json_get(j, "in");
	f->as = json_get_str(j, "as", "item");
	f->key = json_get_str(j, "key", NULL);
	f->max_parallel = (uint32_t)json_get_i64(j, "max_parallel", 0);
	f->tolerate = (uint32_t)json_get_i64(j, "tolerate", 0);
	f->tolerate_percent = (uint32_t)json_get_i64(j, "tolerate_percent", 0);
	if (!json_is(f->in, JSON_ARRAY) && !json_is(f->in, JSON_STRING))
		return bad(err, s->name, "foreach.in");
	return 0;
}

static int read_step(const struct json *j, struct plan_step *s, size_t index, struct err *err)
{
	int rc, kind, when;

	s->json = j;
	rc = get_name(j, "name", s->name, sizeof(s->name), "a step", err);
	if (rc == 0)
		rc = GET_CHOICE(j, "kind", kind_names, NULL, s->name, &kind, err);
	if (rc == 0)
		rc = GET_CHOICE(j, "when", when_names, "all_success", s->name, &when, err);
	if (rc == 0)
		rc = read_needs(json_get(j, "needs"), s, index, err);
	if (rc == 0)
		rc = read_foreach(json_get(j, "foreach"), s, err);
	for (size_t i = 0; rc == 0 && i < s->n_needs; i++) {
		const struct plan_step *parent = s - index + s->needs[i].step;

		if (s->needs[i].match_item && (s->foreach == NULL || parent->foreach == NULL))
			rc = bad(err, s->name, "needs.match");
	}
	if (rc == 0)
		rc = read_retry(json_get(j, "retry"), s, err);
	if (rc != 0)
		return rc;
	s->kind = (enum step_kind)kind;
	s->when = (enum when_rule)when;
	s->timeout_ms = json_get_i64(j, "timeout_ms", -1);
	s->grace_ms = json_get_i64(j, "grace_ms", 10000);
	s->priority = (int32_t)json_get_i64(j, "priority", 0);
	s->allow_failure = json_get_bool(j, "allow_failure", false);
	s->lost_fails = str_eq(json_get_str(j, "on_lost", NULL), "fail");
	s->isolate_fresh = str_eq(json_get_str(j, "isolate", NULL), "fresh");
	s->keep_privileges = str_eq(json_get_str(j, "privileges", NULL), "keep");
	s->exclusive = json_get_bool(j, "exclusive", false);
	s->pools = get_some(j, "pools", JSON_OBJECT);
	return 0;
}

static void link_children(struct plan *p)
{
	for (size_t i = 0; i < p->n_steps; i++) {
		for (size_t k = 0; k < p->steps[i].n_needs; k++)
			p->steps[p->steps[i].needs[k].step].n_children++;
	}
	for (size_t i = 0; i < p->n_steps; i++) {
		if (p->steps[i].n_children > 0)
			p->steps[i].children = mem_calloc(p->steps[i].n_children, sizeof(uint16_t));
		p->steps[i].n_children = 0;
	}
	for (size_t i = 0; i < p->n_steps; i++) {
		for (size_t k = 0; k < p->steps[i].n_needs; k++) {
			struct plan_step *parent = &p->steps[p->steps[i].needs[k].step];

			parent->children[parent->n_children++] = (uint16_t)i;
		}
	}
}

/* ---- the plan ---- */

static int read_lists(struct plan *p, struct err *err)
{
	const struct json *triggers = json_get(p->root, "triggers");
	const struct json *steps = json_get(p->root, "steps");
	int rc = read_params(json_get(p->root, "params"), &p->params, err);

	if (rc != 0)
		return rc;
	if (json_len(steps) < 1 || json_len(steps) > PLAN_MAX_STEPS)
		return bad(err, p->dag, "steps");
	p->steps = mem_calloc(json_len(steps), sizeof(*p->steps));
	for (const struct json *j = json_first(steps); j != NULL && rc == 0; j = json_next(j)) {
		rc = read_step(j, &p->steps[p->n_steps], p->n_steps, err);
		p->n_steps++;
	}
	if (rc != 0 || json_len(triggers) == 0)
		return rc;
	p->triggers = mem_calloc(json_len(triggers), sizeof(*p->triggers));
	for (const struct json *j = json_first(triggers); j != NULL && rc == 0; j = json_next(j))
		rc = read_trigger(j, p, &p->triggers[p->n_triggers++], err);
	return rc;
}

static int read_plan(struct plan *p, struct err *err)
{
	const struct json *r = p->root;
	int rc, overlap;

	if (json_get_i64(r, "v", 0) != 1)
		return err_set(err, ERR_UNSUPPORTED,
		    "plan: version %lld is not known to this release",
		    (long long)json_get_i64(r, "v", 0));
	rc = get_name(r, "dag", p->dag, sizeof(p->dag), "the plan", err);
	if (rc == 0)
		rc = GET_CHOICE(r, "overlap", overlap_names, "queue", p->dag, &overlap, err);
	if (rc != 0)
		return rc;
	p->overlap = (enum overlap_rule)overlap;
	p->timezone = json_get_str(r, "timezone", "UTC");
	p->description = json_get_str(r, "description", "");
	p->owner = json_get_str(r, "owner", "");
	p->max_runs = (uint32_t)json_get_i64(r, "max_runs", 1);
	p->run_timeout_ms = json_get_i64(r, "run_timeout_ms", -1);
	p->queue_timeout_ms = json_get_i64(r, "queue_timeout_ms", -1);
	p->late_after_ms = json_get_i64(r, "late_after_ms", -1);
	p->priority = (int32_t)json_get_i64(r, "priority", 0);
	p->on_success = get_some(r, "on_success", JSON_ARRAY);
	p->on_failure = get_some(r, "on_failure", JSON_ARRAY);
	p->on_exit = get_some(r, "on_exit", JSON_ARRAY);
	p->datasets = get_some(r, "datasets", JSON_OBJECT);
	p->promise = json_get_str(r, "promise", "none");
	if (p->max_runs < 1)
		return bad(err, p->dag, "max_runs");
	return read_lists(p, err);
}

int plan_parse(const char *text, size_t n, struct plan **ret, struct err *err)
{
	struct plan *p = MEM_NEW(struct plan);
	int rc = json_parse(text, n, PLAN_MAX_BYTES, &p->root, err);

	if (rc == 0) {
		hash_sha256(text, n, p->sha);
		p->bytes = n;
		rc = read_plan(p, err);
	}
	if (rc != 0) {
		plan_free(p);
		return rc;
	}
	link_children(p);
	*ret = p;
	return 0;
}

void plan_free(struct plan *p)
{
	if (p == NULL)
		return;
	for (size_t i = 0; i < p->n_steps; i++) {
		mem_free(p->steps[i].needs);
		mem_free(p->steps[i].children);
		mem_free(p->steps[i].foreach);
	}
	for (size_t i = 0; i < p->n_triggers; i++) {
		mem_free(p->triggers[i].body.v);
		mem_free(p->triggers[i].members);
	}
	mem_free(p->steps);
	mem_free(p->triggers);
	mem_free(p->params.v);
	json_free(p->root);
	mem_free(p);
}

int plan_step_index(const struct plan *p, const char *name)
{
	for (size_t i = 0; i < p->n_steps; i++) {
		if (strcmp(p->steps[i].name, name) == 0)
			return (int)i;
	}
	return -1;
}

const struct plan_trigger *plan_trigger_find(const struct plan *p, const char *name)
{
	for (size_t i = 0; i < p->n_triggers; i++) {
		if (strcmp(p->triggers[i].name, name) == 0)
			return &p->triggers[i];
	}
	return NULL;
}

size_t plan_roots(const struct plan *p)
{
	size_t n = 0;

	for (size_t i = 0; i < p->n_steps; i++)
		n += p->steps[i].n_needs == 0;
	return n;
}
