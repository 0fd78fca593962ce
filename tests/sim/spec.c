/* spec.c: DAGs drawn at random, kept as structs for the models and written as the plan's JSON for
 * the scheduler. */
#include "tests/sim/sim.h"

#include <stdio.h>
#include <string.h>

/* By scale: a horizon of hours, weeks, years. */
static const char *const crons[3][6] = {
    {"* * * * *", "*/5 * * * *", "*/2 * * * *", "*/3 * * * *", "7,37 * * * *", "*/10 * * * *"},
    {"0 * * * *", "*/30 * * * *", "15 */2 * * *", "*/20 1-4 * * *", "0 0-23/3 * * *", "45 * * * *"},
    {"30 2 * * *", "0 3 * * *", "30 1 * * *", "0 0 * * *", "15 2 * * MON-FRI", "0 2 L,15 * *"},
};
static const char *const zones[] = {"UTC", "Europe/Berlin", "America/New_York",
    "Australia/Lord_Howe", "Asia/Tokyo", "Africa/Casablanca", "America/Santiago", "Asia/Tehran"};
static const char *const gaps[] = {"run_after", "shift", "skip"};
static const char *const overlaps[] = {"first", "second", "both"};
static const char *const whens[] = {"all_success", "one_success", "all_done", "one_failed"};
static const char *const rules[] = {"all", "any", "at_least"};
static const char *const rules_overlap[] = {"queue", "skip", "cancel", "latest"};
static const char *const partitions[SIM_PARTITIONS] = {
    "day=2025-11-20", "day=2025-11-21", "day=2025-11-22", "week=2025-W47"};

const char *partition_name(int partition)
{
	return partition < 0 ? "" : partitions[partition];
}

static int scale_of(const struct world *w)
{
	return w->horizon < 2 * US_PER_DAY ? 0 : w->horizon < 30 * US_PER_DAY ? 1 : 2;
}

/* ---- drawing ---- */

static void draw_cron(struct world *w, struct spec_trigger *t)
{
	struct chance *c = &w->chance;
	struct err err = {0};

	t->kind = TRIGGER_CRON;
	t->expr = crons[scale_of(w)][roll(c, 6)];
	t->zone_name = zones[one_in(c, 4) ? 0 : roll(c, 8)];
	t->gap_name = gaps[roll(c, 3)];
	t->overlap_name = overlaps[one_in(c, 2) ? 0 : roll(c, 3)];
	if (cron_parse(t->expr, &t->cron, &err) != 0 ||
	    tz_load(t->zone_name, &t->zone, &err) != 0 ||
	    cron_gap_parse(t->gap_name, &t->gap) != 0 ||
	    cron_overlap_parse(t->overlap_name, &t->overlap) != 0)
		fail(w, "the cron expression \"%s\" was not read: %s", t->expr, err.text);
	if (one_in(c, 3)) {
		t->covers = scale_of(w) == 2 ? "day" : "hour";
		t->offset = (int)roll(c, 3) - 1;
	}
}

static void draw_every(struct world *w, struct spec_trigger *t)
{
	static const int64_t each_s[3][3] = {
	    {60, 240, 900}, {3600, 5400, 7200}, {86400, 43200, 100000}};

	t->kind = TRIGGER_EVERY;
	t->zone_name = "UTC";
	t->each_us = each_s[scale_of(w)][roll(&w->chance, 3)] * US_PER_S;
}

static void draw_at(struct world *w, struct spec_trigger *t)
{
	t->kind = TRIGGER_AT;
	t->zone_name = "UTC";
	t->at = (wall(w) + between(&w->chance, -w->horizon / 10, w->horizon)) / US_PER_S * US_PER_S;
}

/* At most some hundreds are made up for at once, so that a year's step does not take one. */
static void draw_catchup(struct world *w, struct spec_trigger *t)
{
	static const int64_t most_ms[] = {3 * 3600000, 10 * 86400000, INT64_C(21600000000)};
	struct chance *c = &w->chance;

	t->keep_missed = (enum catchup_keep)roll(c, 3);
	t->within_ms = spread(c, 60000, most_ms[scale_of(w)]);
	if (t->keep_missed == CATCHUP_LATEST && one_in(c, 2))
		t->within_ms = -1;
	t->at_once = 1 + roll(c, 4);
	if (one_in(c, 4))
		t->jitter_us = between(c, 1, 200) * US_PER_S;
}

static void draw_hook(struct world *w, struct spec_trigger *t)
{
	struct chance *c = &w->chance;

	t->kind = TRIGGER_WEBHOOK;
	t->hook = roll(c, SIM_HOOKS);
	t->keyed = one_in(c, 2);
	t->rerun = t->keyed && one_in(c, 2);
	t->keep = one_in(c, 4);
}

static void draw_datasets(struct world *w, struct spec_trigger *t, uint32_t dag)
{
	struct chance *c = &w->chance;

	t->kind = TRIGGER_DATASETS;
	for (uint32_t i = 0; i < dag; i++)
		t->members |= one_in(c, 2) ? 1u << i : 0;
	if (one_in(c, 2) || t->members == 0)
		t->members |= 1u << (SIM_SETS - 1);
	t->rule = (enum datasets_rule)roll(c, 3);
	t->at_least = 1 + roll(c, (uint32_t)__builtin_popcount(t->members));
	t->join = t->rule != DATASETS_ANY && one_in(c, 2);
	t->on_publish = one_in(c, 4);
	t->keep = one_in(c, 4);
}

static void draw_triggers(struct world *w, struct spec *s)
{
	struct chance *c = &w->chance;

	for (uint32_t i = 0; i < SIM_TRIGGERS; i++) {
		struct spec_trigger *t = &s->triggers[s->n_triggers];
		uint32_t kind = i == 0 ? roll(c, 2) : roll(c, 6);

		memset(t, 0, sizeof(*t));
		snprintf(t->name, sizeof(t->name), "t%u", i);
		if (i > 0 && one_in(c, 4))
			continue;
		if (i > 0 && one_in(c, 12))
			draw_at(w, t);
		else if (kind == 0)
			draw_cron(w, t);
		else if (kind == 1 && (i > 0 || one_in(c, 3)))
			draw_every(w, t);
		else if (kind <= 1)
			draw_cron(w, t);
		else if (kind <= 3)
			draw_hook(w, t);
		else
			draw_datasets(w, t, s->dag);
		if (t->kind <= TRIGGER_EVERY)
			draw_catchup(w, t);
		s->n_triggers++;
	}
}

static void draw_limits(struct world *w, struct spec_step *p)
{
	static const uint32_t classes[] = {
	    1u << CLASS_TRANSIENT | 1u << CLASS_TIMEOUT | 1u << CLASS_QUOTA | 1u << CLASS_LOST,
	    1u << CLASS_TRANSIENT, 1u << CLASS_DATA | 1u << CLASS_LOST};
	struct chance *c = &w->chance;

	p->attempts = one_in(c, 2) ? 1 : 1 + roll(c, 4);
	p->delay_ms = one_in(c, 3) ? 0 : between(c, 100, 30000);
	p->max_delay_ms = one_in(c, 2) ? 600000 : 20000;
	p->jitter = one_in(c, 2) ? 0 : 0.5;
	p->classes = classes[one_in(c, 2) ? 0 : roll(c, 3)];
	p->pool = one_in(c, 4) ? (int)roll(c, 2) : -1;
	p->tokens = 1 + roll(c, 3);
	p->only = one_in(c, 8);
	p->allow = one_in(c, 6);
	p->lost_fails = one_in(c, 8);
	p->timeout_ms = one_in(c, 3) ? between(c, 500, 60000) : -1;
	p->remote = one_in(c, 6);
	p->priority = one_in(c, 4) ? (int)roll(c, 7) - 3 : 0;
}

/* The items of both are 1 … n. */
static void draw_match(struct world *w, struct spec *s, struct spec_step *p, uint32_t k)
{
	const struct spec_step *from = &s->steps[k];

	if (!p->each || (p->needs >> k & 1) == 0 || !from->each || from->items == 0 ||
	    p->items == 0 || !one_in(&w->chance, 2))
		return;
	p->match |= 1u << k;
	if (p->items > from->items)
		p->items = from->items;
}

static void draw_step(struct world *w, struct spec *s, uint32_t i)
{
	struct spec_step *p = &s->steps[i];
	struct chance *c = &w->chance;

	memset(p, 0, sizeof(*p));
	for (uint32_t k = 0; k < i; k++)
		p->needs |= one_in(c, 3) ? 1u << k : 0;
	p->when = p->needs != 0 && one_in(c, 3) ? (enum when_rule)roll(c, 4) : WHEN_ALL_SUCCESS;
	p->each = one_in(c, i > 0 ? 4 : 8);
	p->items = roll(c, SIM_ITEMS + 1);
	p->parallel = roll(c, 3);
	p->tolerate = roll(c, 2);
	p->tolerate_percent = one_in(c, 3) ? roll(c, 100) : 0;
	if (i > 0 && s->steps[i - 1].each && one_in(c, 2)) { /* else few would pair */
		p->each = true;
		p->needs |= 1u << (i - 1);
		p->items = 1 + roll(c, SIM_ITEMS);
	}
	for (uint32_t k = 0; k < i; k++)
		draw_match(w, s, p, k);
	draw_limits(w, p);
}

static void draw_steps(struct world *w, struct spec *s)
{
	struct chance *c = &w->chance;

	s->n_steps = one_in(c, 2) ? 1 : 1 + roll(c, SIM_STEPS);
	for (uint32_t i = 0; i < s->n_steps; i++)
		draw_step(w, s, i);
	/* one step publishes: a chain through all DAGs stays finite and small */
	if (s->dag < SIM_SETS - 1)
		s->steps[0].publishes = !s->steps[0].each && one_in(c, 2);
}

/* ---- writing ---- */

static void write_catchup(const struct spec_trigger *t, struct jw *j)
{
	static const char *const keeps[] = {"none", "latest", "all"};

	if (t->jitter_us > 0)
		jw_ki64(j, "jitter_ms", t->jitter_us / US_PER_MS);
	jw_key(j, "catchup");
	jw_object(j);
	jw_kstr(j, "keep", keeps[t->keep_missed]);
	jw_ki64(j, "within_ms", t->within_ms);
	jw_ki64(j, "at_once", t->at_once);
	jw_end_object(j);
}

static void write_trigger(const struct spec_trigger *t, struct jw *j)
{
	jw_object(j);
	jw_kstr(j, "name", t->name);
	jw_kstr(j, "kind", trigger_kind_name(t->kind));
	if (t->zone_name != NULL)
		jw_kstr(j, "zone", t->zone_name);
	if (t->kind == TRIGGER_CRON) {
		jw_kstr(j, "cron", t->expr);
		jw_kstr(j, "gap", t->gap_name);
		jw_kstr(j, "overlap", t->overlap_name);
	} else if (t->kind == TRIGGER_AT) {
		jw_ktime(j, "at", t->at);
	} else if (t->kind == TRIGGER_EVERY) {
		jw_ki64(j, "each_ms", t->each_us / US_PER_MS);
	} else if (t->kind == TRIGGER_WEBHOOK) {
		char hook[8];

		snprintf(hook, sizeof(hook), "h%u", t->hook);
		jw_kstr(j, "hook", hook);
		if (t->keyed)
			jw_kstr(j, "key", "${event.body.k}");
		jw_kstr(j, "on_same_key", t->rerun ? "rerun" : "ignore");
	} else {
		jw_key(j, "datasets");
		jw_object(j);
		jw_kstr(j, "rule", rules[t->rule]);
		jw_ki64(j, "n", t->at_least);
		jw_key(j, "members");
		jw_array(j);
		for (int i = 0; i < SIM_SETS; i++) {
			char set[16];

			if ((t->members >> i & 1) == 0)
				continue;
			snprintf(set, sizeof(set), "lake/%d", i);
			jw_object(j);
			jw_kstr(j, "name", set);
			jw_end_object(j);
		}
		jw_end_array(j);
		jw_end_object(j);
		if (t->join)
			jw_kstr(j, "join", "day");
		jw_kstr(j, "fire", t->on_publish ? "publish" : "change");
	}
	if (t->kind <= TRIGGER_EVERY)
		write_catchup(t, j);
	if (t->keep)
		jw_kstr(j, "while_paused", "keep");
	if (t->covers != NULL) {
		jw_key(j, "covers");
		jw_object(j);
		jw_kstr(j, "unit", t->covers);
		jw_ki64(j, "offset", t->offset);
		jw_end_object(j);
	}
	jw_end_object(j);
}

static void write_retry(const struct spec_step *p, struct jw *j)
{
	jw_key(j, "retry");
	jw_object(j);
	jw_ki64(j, "attempts", p->attempts);
	jw_ki64(j, "delay_ms", p->delay_ms);
	jw_ki64(j, "backoff", 2);
	jw_key(j, "jitter");
	jw_num(j, p->jitter);
	jw_ki64(j, "max_delay_ms", p->max_delay_ms);
	jw_key(j, "classes");
	jw_array(j);
	for (int i = 0; i < CLASS_N; i++) {
		if ((p->classes >> i & 1) != 0)
			jw_str(j, class_name((enum step_class)i));
	}
	jw_end_array(j);
	jw_end_object(j);
}

static void write_each(const struct spec_step *p, struct jw *j)
{
	jw_key(j, "foreach");
	jw_object(j);
	jw_key(j, "in");
	jw_array(j);
	for (uint32_t i = 1; i <= p->items; i++)
		jw_i64(j, i);
	jw_end_array(j);
	jw_kstr(j, "as", "item");
	jw_ki64(j, "max_parallel", p->parallel);
	jw_ki64(j, "tolerate", p->tolerate);
	if (p->tolerate_percent > 0)
		jw_ki64(j, "tolerate_percent", p->tolerate_percent);
	jw_end_object(j);
}

static void write_step(const struct spec_step *p, uint32_t no, struct jw *j)
{
	char name[8];

	snprintf(name, sizeof(name), "s%u", no);
	jw_object(j);
	jw_kstr(j, "name", name);
	jw_kstr(j, "kind", "task");
	jw_key(j, "needs");
	jw_array(j);
	for (uint32_t k = 0; k < no; k++) {
		if ((p->needs >> k & 1) == 0)
			continue;
		jw_object(j);
		jw_ki64(j, "step", k);
		if ((p->match >> k & 1) != 0)
			jw_kstr(j, "match", "item");
		jw_end_object(j);
	}
	jw_end_array(j);
	jw_kstr(j, "when", whens[p->when]);
	if (p->each)
		write_each(p, j);
	write_retry(p, j);
	jw_ki64(j, "timeout_ms", p->timeout_ms);
	jw_ki64(j, "priority", p->priority);
	jw_kbool(j, "allow_failure", p->allow);
	jw_kbool(j, "exclusive", p->only);
	jw_kstr(j, "on_lost", p->lost_fails ? "fail" : "retry");
	if (p->pool >= 0) {
		jw_key(j, "pools");
		jw_object(j);
		jw_ki64(j, p->pool == 0 ? "db" : "one", p->tokens);
		jw_end_object(j);
	}
	jw_end_object(j);
}

static const struct spec *finish(struct world *w, struct spec *s)
{
	char version[32];
	struct str out;
	struct jw j;

	snprintf(s->name, sizeof(s->name), "d%u", s->dag);
	snprintf(s->path, sizeof(s->path), "d%u.yaml", s->dag);
	snprintf(version, sizeof(version), "version %zu", w->specs.n);
	str_init(&out, 1u << 20);
	jw_init(&j, &out);
	jw_object(&j);
	jw_ki64(&j, "v", 1);
	jw_kstr(&j, "dag", s->name);
	jw_kstr(&j, "description", version);
	jw_kstr(&j, "timezone", "UTC");
	jw_key(&j, "triggers");
	jw_array(&j);
	for (uint32_t i = 0; i < s->n_triggers; i++)
		write_trigger(&s->triggers[i], &j);
	jw_end_array(&j);
	jw_ki64(&j, "max_runs", s->max_runs);
	jw_kstr(&j, "overlap", rules_overlap[s->overlap]);
	jw_ki64(&j, "run_timeout_ms", s->run_timeout_ms);
	jw_ki64(&j, "queue_timeout_ms", s->queue_timeout_ms);
	jw_ki64(&j, "late_after_ms", s->late_after_ms);
	jw_key(&j, "steps");
	jw_array(&j);
	for (uint32_t i = 0; i < s->n_steps; i++)
		write_step(&s->steps[i], i, &j);
	jw_end_array(&j);
	jw_end_object(&j);
	s->text = str_take(&out);
	hash_sha256(s->text, strlen(s->text), s->sha);
	VEC_ADD(&w->specs, s);
	if (w->trace)
		fprintf(stderr, "%s\n", s->text);
	return s;
}

static void draw_waits(struct world *w, struct spec *s)
{
	struct chance *c = &w->chance;
	int64_t most_ms = w->horizon / US_PER_MS / 20;

	s->run_timeout_ms = one_in(c, 6) ? between(c, 5000, 300000) : -1;
	s->queue_timeout_ms = one_in(c, 5) ? spread(c, 1000, most_ms) : -1;
	s->late_after_ms = one_in(c, 4) ? spread(c, 1000, most_ms) : -1;
	s->overlap = one_in(c, 2) ? OVERLAP_QUEUE : (enum overlap_rule)roll(c, 4);
}

const struct spec *spec_draw(struct world *w, uint32_t dag)
{
	struct spec *s = MEM_NEW(struct spec);

	s->dag = dag;
	s->max_runs = 1 + roll(&w->chance, 4);
	draw_waits(w, s);
	draw_triggers(w, s);
	draw_steps(w, s);
	return finish(w, s);
}

/* The same DAG in another version: other limits or steps; or without triggers, for the end. */
const struct spec *spec_again(struct world *w, const struct spec *old, bool triggers)
{
	struct spec *s = MEM_NEW(struct spec);

	*s = *old;
	if (!triggers)
		s->n_triggers = 0;
	else if (s->n_steps < SIM_STEPS && one_in(&w->chance, 3))
		draw_step(w, s, s->n_steps++);
	else if (one_in(&w->chance, 2))
		draw_steps(w, s);
	else if (one_in(&w->chance, 2))
		draw_waits(w, s);
	else
		s->max_runs = 1 + roll(&w->chance, 4);
	return finish(w, s);
}

/* … with one step more. */
const struct spec *spec_grow(struct world *w, const struct spec *old)
{
	struct spec *s = MEM_NEW(struct spec);

	*s = *old;
	draw_step(w, s, s->n_steps++);
	return finish(w, s);
}

const struct spec *spec_of_plan(const struct world *w, const uint8_t sha[HASH_SHA256_BYTES])
{
	for (size_t i = w->specs.n; i > 0; i--) {
		if (memcmp(w->specs.v[i - 1]->sha, sha, HASH_SHA256_BYTES) == 0)
			return w->specs.v[i - 1];
	}
	return NULL;
}

void spec_free(struct spec *s)
{
	mem_free(s->text);
	mem_free(s);
}
