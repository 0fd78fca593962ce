/* model_start.c: which runs deliveries, people and publications start. Knows the rules of
 * sluice-dag(5), shares no code with core/sched. */
#include "tests/sim/sim.h"

#include <stdio.h>
#include <string.h>

/* The key's next revision, or the only one. */
static enum verdict want_run(struct world *w, const struct spec *s, const char *space,
    const char *key, bool next, wall_us due)
{
	char base[120], name[160];
	uint32_t *revision;

	snprintf(base, sizeof(base), "%s|%s|%s", s->name, space, key);
	revision = model_counter(w, base);
	if (*revision > 0 && !next)
		return VERDICT_DUPLICATE;
	snprintf(name, sizeof(name), "%s|%u", base, *revision);
	if (!overlap_made(w, name) && overlap_full(w, s)) {
		w->fig->skipped++;
		return VERDICT_REJECTED;
	}
	(*revision)++;
	note(w, "wanted: %s", name);
	model_want(w, name, due);
	return VERDICT_STARTED;
}

/* ---- events ---- */

static enum verdict better(enum verdict a, enum verdict b)
{
	static const int rank[VERDICT_N] = {[VERDICT_STARTED] = 4,
	    [VERDICT_WAITING] = 3,
	    [VERDICT_DUPLICATE] = 2,
	    [VERDICT_REJECTED] = 1};

	return rank[b] > rank[a] ? b : a;
}

static enum verdict event_starts(
    struct world *w, const struct sim_op *o, const struct hook_event *e)
{
	enum verdict v = VERDICT_UNMATCHED;
	char seq[24];

	snprintf(seq, sizeof(seq), "%llu", (unsigned long long)o->result.event);
	for (uint32_t d = 0; d < SIM_DAGS; d++) {
		const struct spec *s = w->dag[d].spec;

		for (uint32_t i = 0; s != NULL && i < s->n_triggers; i++) {
			const struct spec_trigger *t = &s->triggers[i];

			if (t->kind != TRIGGER_WEBHOOK || t->hook != e->hook)
				continue;
			if (model_paused(w, d) && !t->keep)
				v = better(v, VERDICT_REJECTED);
			else
				v = better(v, want_run(w, s, t->keyed ? "key" : "event",
						  t->keyed ? e->key : seq, t->rerun, TIME_NONE));
		}
	}
	return v;
}

void model_event(struct world *w, const struct sim_op *o)
{
	struct hook_event *e = &w->hooks.v[o->arg];
	enum verdict v;

	w->fig->deliveries++;
	if (e->seq != 0) {
		if (!o->result.duplicate || o->result.event != e->seq ||
		    o->result.verdict != e->verdict)
			fail(w, "a repeat of event %llu was answered as event %llu, verdict %s",
			    (unsigned long long)e->seq, (unsigned long long)o->result.event,
			    verdict_name(o->result.verdict));
		return;
	}
	e->seq = o->result.event;
	if (o->result.duplicate)
		fail(w, "event %s was taken for a repeat and never came before", e->id);
	v = event_starts(w, o, e);
	e->verdict = v;
	w->fig->events++;
	if (v != o->result.verdict)
		fail(w, "event %llu has verdict %s and should have %s", (unsigned long long)e->seq,
		    verdict_name(o->result.verdict), verdict_name(v));
}

/* ---- by hand ---- */

static const struct spec_trigger *only_time_trigger(const struct spec *s)
{
	const struct spec_trigger *found = NULL;
	int n = 0;

	for (uint32_t i = 0; i < s->n_triggers; i++) {
		if (s->triggers[i].kind > TRIGGER_EVERY)
			continue;
		found = &s->triggers[i];
		n++;
	}
	return n == 1 ? found : NULL;
}

static bool by_hand_has_run(struct world *w, const struct sim_op *o, const struct spec *s)
{
	char name[160];

	if (o->op.u.start.at != TIME_NONE)
		model_time_name(s, only_time_trigger(s), o->op.u.start.at, name, sizeof(name));
	else if (o->op.u.start.key != NULL)
		snprintf(name, sizeof(name), "%s|key|%s|0", s->name, o->op.u.start.key);
	else
		return false;
	return map_find(&w->target_of, text_hash(name)) != UINT32_MAX;
}

/* Its run, or each of its revisions, was dropped: it is refused, not made a second time. */
static bool was_dropped(
    struct world *w, const struct spec *s, const struct sim_op *o, bool *ret_any)
{
	char base[120], name[160];
	uint32_t n = 1, gone = 0;

	if (o->op.u.start.at != TIME_NONE) {
		model_time_name(s, only_time_trigger(s), o->op.u.start.at, name, sizeof(name));
		return *ret_any = model_is_dropped(w, name);
	}
	*ret_any = false;
	if (o->op.u.start.key == NULL)
		return false;
	snprintf(base, sizeof(base), "%s|key|%s", s->name, o->op.u.start.key);
	n = *model_counter(w, base);
	for (uint32_t i = 0; i < n; i++) {
		snprintf(name, sizeof(name), "%s|%u", base, i);
		gone += model_is_dropped(w, name);
	}
	*ret_any = gone > 0;
	return n > 0 && gone == n;
}

void model_manual(struct world *w, const struct sim_op *o)
{
	const struct spec *s = w->dag[o->arg].spec;
	char text[120];
	bool no = s == NULL || model_paused(w, o->arg), any = false;

	if (!no)
		no = was_dropped(w, s, o, &any);
	if (o->result.rc == ERR_CONFLICT && any)
		return;

	if (!no && o->result.rc == ERR_CONFLICT && !by_hand_has_run(w, o, s) &&
	    overlap_full(w, s)) {
		w->fig->skipped++;
		return;
	}
	if ((o->result.rc != 0) != no)
		fail(w, "a run of d%u by hand: rc %d (%s)", o->arg, o->result.rc,
		    o->result.err.text);
	if (o->result.rc != 0 || no)
		return;
	if (o->op.u.start.at != TIME_NONE) {
		model_time_name(s, only_time_trigger(s), o->op.u.start.at, text, sizeof(text));
		model_want(w, text, TIME_NONE);
		return;
	}
	if (o->op.u.start.key != NULL) {
		(void)want_run(w, s, "key", o->op.u.start.key, false, TIME_NONE);
		return;
	}
	snprintf(text, sizeof(text), "%llu", (unsigned long long)o->result.event);
	(void)want_run(w, s, "event", text, false, TIME_NONE);
}

/* ---- data sets ---- */

static void fire(struct world *w, const struct spec *s, const char *key)
{
	char text[120];

	snprintf(text, sizeof(text), "%s|%s", s->name, key);
	for (size_t i = 0; w->telling && i < w->told_once.n; i++) {
		if (w->told_once.v[i] == text_hash(text))
			return;
	}
	if (want_run(w, s, "join", key, true, TIME_NONE) == VERDICT_STARTED && w->telling)
		VEC_ADD(&w->told_once, text_hash(text));
}

static void fire_any(
    struct world *w, const struct spec *s, int set, int partition, uint64_t version)
{
	char key[64];

	if (partition >= 0)
		snprintf(key, sizeof(key), "%s", partition_name(partition));
	else
		snprintf(key, sizeof(key), "lake/%d@%llu", set, (unsigned long long)version);
	fire(w, s, key);
}

static void fire_all(
    struct world *w, const struct spec *s, uint32_t trigger, int set, int partition)
{
	const struct spec_trigger *t = &s->triggers[trigger];
	struct join_state *j = &w->dag[s->dag].join[trigger][t->join ? partition + 1 : 0];
	uint32_t need =
	    t->rule == DATASETS_AT_LEAST ? t->at_least : (uint32_t)__builtin_popcount(t->members);
	bool same = true;
	char key[64];
	int first = -2;

	if (t->join && (partition < 0 || strncmp(partition_name(partition), "day=", 4) != 0))
		return;
	j->have |= 1u << set;
	j->partition[set] = partition;
	if ((uint32_t)__builtin_popcount(j->have) < need)
		return;
	for (int i = 0; i < SIM_SETS; i++) {
		if ((j->have >> i & 1) == 0)
			continue;
		if (first == -2)
			first = j->partition[i];
		same = same && first == j->partition[i];
	}
	j->have = 0;
	j->fired++;
	if (same && first >= 0)
		snprintf(key, sizeof(key), "%s", partition_name(first));
	else
		snprintf(key, sizeof(key), "%u", j->fired);
	fire(w, s, key);
}

static void subscribers(struct world *w, int set, int partition, bool changed, uint64_t version)
{
	for (uint32_t d = 0; d < SIM_DAGS; d++) {
		const struct spec *s = w->dag[d].spec;

		for (uint32_t i = 0; s != NULL && i < s->n_triggers; i++) {
			const struct spec_trigger *t = &s->triggers[i];

			if (t->kind != TRIGGER_DATASETS || (t->members >> set & 1) == 0 ||
			    (!changed && !t->on_publish) || (model_paused(w, d) && !t->keep))
				continue;
			if (t->rule == DATASETS_ANY)
				fire_any(w, s, set, partition, version);
			else
				fire_all(w, s, i, set, partition);
		}
	}
}

void model_published(struct world *w, int set, int partition, bool changed, bool fires)
{
	note(w, "published: lake/%d %s%s%s", set, partition_name(partition),
	    changed ? "" : " unchanged", fires ? "" : " quietly");
	if (changed || w->part_version[set][partition + 1] == 0)
		w->part_version[set][partition + 1] = ++w->set_version[set];
	if (fires)
		subscribers(w, set, partition, changed, w->part_version[set][0]);
}

void model_tell(struct world *w, const struct mrun *r)
{
	VEC_CLEAR(&w->told_once);
	w->telling = true;
	note(w, "told at the end: lake/%d %s", r->kept_set, partition_name(r->kept_partition));
	subscribers(w, r->kept_set, r->kept_partition, r->kept_changed, r->kept_version);
	w->telling = false;
}
