/* compile_graph.c: which step needs which, and an order in which needs come first. */
#include "core/dagfile/compile_int.h"

#include "core/base/mem.h"

#include <stdio.h>
#include <string.h>

static size_t find_step(const struct unit *u, const char *name)
{
	size_t i;

	for (i = 0; i < u->n_steps; i++)
		if (strcmp(u->steps[i].name, name) == 0)
			return i;
	return u->n_steps;
}

static void unknown_step(struct unit *u, const struct yaml_node *at, const char *name)
{
	const char **names = mem_calloc(u->n_steps + 1, sizeof(*names)), *near;
	char hint[120];
	size_t i;

	for (i = 0; i < u->n_steps; i++)
		names[i] = u->steps[i].name;
	near = str_nearest(name, names, u->n_steps);
	if (near != NULL)
		snprintf(hint, sizeof(hint), "did you mean \"%s\"?", near);
	diag_error(u->d, at, "unknown-step", near != NULL ? hint : "needs names steps of this file",
	    "no step is called \"%.80s\"", name);
	mem_free(names);
}

static void read_need(struct unit *u, struct step *s, const struct yaml_node *n)
{
	const struct yaml_node *at = n->kind == YAML_MAP ? yaml_get(n, "step") : n;
	struct need need = {.at = at, .match_item = node_text(n, "match", NULL) != NULL};
	size_t i;

	if (at == NULL || at->bad || at->kind != YAML_TEXT)
		return;
	need.step = find_step(u, at->text);
	if (need.step == u->n_steps) {
		unknown_step(u, at, at->text);
		return;
	}
	if (&u->steps[need.step] == s) {
		diag_error(
		    u->d, at, "cycle", "leave it out", "the step \"%s\" needs itself", s->name);
		return;
	}
	for (i = 0; i < s->needs.n; i++)
		if (s->needs.v[i].step == need.step) {
			diag_error(u->d, at, "duplicate-need", "leave it out",
			    "\"%s\" is named twice", at->text);
			return;
		}
	VEC_ADD(&s->needs, need);
}

static bool bit(const uint8_t *set, size_t i)
{
	return (set[i / 8] >> (i % 8)) & 1;
}

bool graph_upstream(const struct unit *u, size_t step, size_t of)
{
	return bit(u->steps[of].upstream, step);
}

static void add_upstream(struct unit *u, struct step *s)
{
	size_t bytes = u->n_steps / 8 + 1, i, b;

	for (i = 0; i < s->needs.n; i++) {
		size_t of = s->needs.v[i].step;
		const uint8_t *set = u->steps[of].upstream;

		s->upstream[of / 8] |= (uint8_t)(1u << (of % 8));
		for (b = 0; b < bytes; b++)
			s->upstream[b] |= set[b];
	}
}

static bool ready(const struct unit *u, const struct step *s)
{
	size_t i;

	for (i = 0; i < s->needs.n; i++)
		if (!u->steps[s->needs.v[i].step].seen)
			return false;
	return true;
}

/* In the file's order as far as needs allow. */
static size_t sort(struct unit *u)
{
	size_t done = 0, i;
	bool moved = true;

	while (moved) {
		moved = false;
		for (i = 0; i < u->n_steps; i++) {
			struct step *s = &u->steps[i];

			if (s->seen || !ready(u, s))
				continue;
			s->seen = true;
			s->rank = done;
			u->order[done++] = i;
			add_upstream(u, s);
			moved = true;
		}
	}
	return done;
}

/* A need of s that lies on a cycle or leads to one: any that is not sorted. */
static const struct need *unsorted_need(const struct unit *u, const struct step *s)
{
	size_t i;

	for (i = 0; i < s->needs.n; i++)
		if (!u->steps[s->needs.v[i].step].seen)
			return &s->needs.v[i];
	return NULL;
}

/* Names one cycle, from the first step of the file that lies on one. */
static void report_cycle(struct unit *u)
{
	uint8_t *on = mem_calloc(u->n_steps + 1, 1);
	const struct need *need = NULL;
	struct str text;
	size_t i, at;

	for (at = 0; at < u->n_steps && u->steps[at].seen; at++)
		;
	for (; !on[at]; at = unsorted_need(u, &u->steps[at])->step)
		on[at] = 1; /* ends on the cycle, however far it began from it */
	memset(on, 0, u->n_steps);
	for (i = at; !on[i]; i = unsorted_need(u, &u->steps[i])->step)
		on[i] = 1;
	for (at = 0; !on[at]; at++)
		;
	need = unsorted_need(u, &u->steps[at]);
	str_init(&text, 2048);
	str_add(&text, u->steps[at].name);
	for (i = need->step; i != at; i = unsorted_need(u, &u->steps[i])->step)
		str_addf(&text, " -> %s", u->steps[i].name);
	str_addf(&text, " -> %s", u->steps[at].name);
	diag_error(u->d, need->at, "cycle", "take one of these needs away",
	    "the steps need each other in a circle: %s", text.failed ? "(long)" : str_peek(&text));
	str_done(&text);
	mem_free(on);
}

void graph_read(struct unit *u)
{
	const struct yaml_node *map = yaml_get(u->root, "steps"), *c, *needs;
	size_t i = 0;

	if (map == NULL || map->bad || map->kind != YAML_MAP)
		return;
	if (map->n == 0)
		diag_error(u->d, map, "empty-list", "write at least one step",
		    "a DAG without a step does nothing");
	if (map->n > PLAN_MAX_STEPS) {
		diag_error(u->d, map, "too-many-steps", "use foreach, or split the DAG",
		    "%u steps are more than %d", (unsigned)map->n, PLAN_MAX_STEPS);
		return;
	}
	u->n_steps = map->n;
	u->steps = mem_calloc(map->n + 1, sizeof(*u->steps));
	u->order = mem_calloc(map->n + 1, sizeof(*u->order));
	for (c = map->first; c != NULL; c = c->next, i++) {
		u->steps[i].node = c;
		u->steps[i].name = c->key;
		u->steps[i].upstream = mem_calloc(map->n / 8 + 1, 1);
	}
	for (i = 0; i < u->n_steps; i++) {
		needs = yaml_get(u->steps[i].node, "needs");
		for (c = needs != NULL && needs->kind == YAML_LIST ? needs->first : NULL; c != NULL;
		     c = c->next)
			read_need(u, &u->steps[i], c);
	}
	u->sorted = sort(u) == u->n_steps;
	if (!u->sorted)
		report_cycle(u);
}

void graph_done(struct unit *u)
{
	size_t i;

	for (i = 0; i < u->n_steps; i++) {
		VEC_DONE(&u->steps[i].needs);
		mem_free(u->steps[i].upstream);
	}
	mem_free(u->steps);
	mem_free(u->order);
}
