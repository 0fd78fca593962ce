/* compile_cross.c: what only all files together show: names that stand twice, data sets with two
 * owners or none, joins over unequal partitions, DAGs that start each other in a circle. */
#include "core/dagfile/compile_int.h"

#include "core/base/mem.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* One mention of a name, for sorting. */
struct mention {
	const char *name;
	size_t unit; /* index of the file */
	const struct yaml_node *at;
	const struct named *named; /* or NULL */
};
struct mentions {
	VEC(struct mention) list;
};

static int compare(const void *pa, const void *pb)
{
	const struct mention *a = pa, *b = pb;
	int c = strcmp(a->name, b->name);

	return c != 0 ? c : (a->unit > b->unit) - (a->unit < b->unit);
}

static void sort(struct mentions *m)
{
	if (m->list.n > 1)
		qsort(m->list.v, m->list.n, sizeof(m->list.v[0]), compare);
}

/* First mention of the name, or NULL. */
static const struct mention *find(const struct mentions *m, const char *name)
{
	size_t low = 0, high = m->list.n;

	while (low < high) {
		size_t mid = (low + high) / 2;

		if (strcmp(m->list.v[mid].name, name) < 0)
			low = mid + 1;
		else
			high = mid;
	}
	return low < m->list.n && strcmp(m->list.v[low].name, name) == 0 ? &m->list.v[low] : NULL;
}

/* Every mention but the first of its name is an error that names the first. */
static void refuse_repeats(
    struct unit *units, struct mentions *m, const char *code, const char *what, const char *cure)
{
	const struct mention *first = NULL;
	size_t i;

	sort(m);
	for (i = 0; i < m->list.n; i++) {
		const struct mention *x = &m->list.v[i];

		if (first == NULL || strcmp(first->name, x->name) != 0) {
			first = x;
			continue;
		}
		if (x->unit != first->unit)
			diag_error(units[x->unit].d, x->at, code, cure,
			    "%s \"%s\" also stands in %s, line %u", what, x->name,
			    units[first->unit].file->path, (unsigned)first->at->line);
	}
}

static void check_names(struct unit *units, size_t n)
{
	struct mentions m = {0};
	size_t i;

	for (i = 0; i < n; i++) {
		const struct yaml_node *name = yaml_get(units[i].root, "dag");
		struct mention x = {units[i].out->dag, i, name, NULL};

		if (units[i].out->dag[0] != '\0')
			VEC_ADD(&m.list, x);
	}
	refuse_repeats(units, &m, "duplicate-dag", "the DAG", "give one of them another name");
	VEC_DONE(&m.list);
}

static void check_owners(struct unit *units, size_t n)
{
	struct mentions m = {0};
	size_t i, j;

	for (i = 0; i < n; i++)
		for (j = 0; j < units[i].owned.n; j++) {
			const struct named *o = &units[i].owned.v[j];
			struct mention x = {o->name, i, o->at, o};

			VEC_ADD(&m.list, x);
		}
	refuse_repeats(units, &m, "duplicate-owner", "a declaration of the data set",
	    "one DAG owns a data set: keep one of them");
	VEC_DONE(&m.list);
}

/* A published name with ${…} in it stands for every name that begins alike. */
static bool template_covers(const struct mentions *templates, const char *name)
{
	size_t i;

	for (i = 0; i < templates->list.n; i++) {
		const char *t = templates->list.v[i].name;

		if (strncmp(t, name, strcspn(t, "$")) == 0)
			return true;
	}
	return false;
}

static void check_join(struct unit *u, const struct named *member, const struct mention *pub)
{
	const char *unit = node_text(pub->named->partition, "unit", NULL);
	char hint[200];

	if (member->unit == NULL || unit == NULL || strcmp(unit, member->unit) == 0)
		return;
	snprintf(hint, sizeof(hint), "join: %s, or declare the data set with unit: %s", unit,
	    member->unit);
	diag_error(u->d, member->at, "join-unit", hint,
	    "\"%s\" is parted by %s, but the join is by %s", member->name, unit, member->unit);
}

static void check_members(struct unit *units, size_t n, const struct mentions *pubs,
    const struct mentions *templates, bool whole)
{
	size_t i, j;

	for (i = 0; i < n; i++)
		for (j = 0; j < units[i].members.n; j++) {
			const struct named *m = &units[i].members.v[j];
			const struct mention *pub = find(pubs, m->name);

			if (pub != NULL)
				check_join(&units[i], m, pub);
			else if (whole && !template_covers(templates, m->name))
				diag_warn(units[i].d, m->at, "no-publisher",
				    "check the name, or let another DAG or sluice datasets touch "
				    "publish it",
				    "no DAG publishes \"%s\"", m->name);
		}
}

/* ---- circles of DAGs ---- */
struct walk {
	struct unit *units;
	const struct mentions *pubs;
	uint8_t *state; /* 0 new, 1 on the path, 2 done */
	size_t *path;
	const struct named **via;
	size_t depth, *cursor;
};

static void report_circle(struct walk *w, size_t from)
{
	struct str text;
	size_t i;

	for (i = 0; i < w->depth && w->path[i] != from; i++)
		;
	str_init(&text, 4096);
	for (; i < w->depth; i++)
		str_addf(&text, "%s -> ", w->units[w->path[i]].out->dag);
	str_add(&text, w->units[from].out->dag);
	diag_warn(w->units[w->path[w->depth - 1]].d, w->via[w->depth - 1]->at, "dag-cycle",
	    "make sure that one of them stops publishing changes",
	    "these DAGs start each other in a circle through data sets: %s",
	    text.failed ? "(long)" : str_peek(&text));
	str_done(&text);
}

/* The circle is walked along "member is published by"; so its text reads against the flow, member
 * by member. */
static void walk_from(struct walk *w, size_t start)
{
	w->depth = 0;
	w->path[w->depth++] = start;
	w->state[start] = 1;
	while (w->depth > 0) {
		size_t at = w->path[w->depth - 1];
		const struct unit *u = &w->units[at];
		const struct mention *pub;

		if (w->cursor[at] == u->members.n) {
			w->state[at] = 2;
			w->depth--;
			continue;
		}
		w->via[w->depth - 1] = &u->members.v[w->cursor[at]++];
		pub = find(w->pubs, w->via[w->depth - 1]->name);
		if (pub == NULL)
			continue;
		if (w->state[pub->unit] == 1) {
			report_circle(w, pub->unit);
		} else if (w->state[pub->unit] == 0) {
			w->state[pub->unit] = 1;
			w->path[w->depth++] = pub->unit;
		}
	}
}

static void check_circles(struct unit *units, size_t n, const struct mentions *pubs)
{
	struct walk w = {.units = units, .pubs = pubs};
	size_t i;

	w.state = mem_calloc(n + 1, 1);
	w.path = mem_calloc(n + 1, sizeof(*w.path));
	w.via = mem_calloc(n + 1, sizeof(*w.via));
	w.cursor = mem_calloc(n + 1, sizeof(*w.cursor));
	for (i = 0; i < n; i++)
		if (w.state[i] == 0)
			walk_from(&w, i);
	mem_free(w.state);
	mem_free(w.path);
	mem_free(w.via);
	mem_free(w.cursor);
}

/* A file that is a list is the list of another one's foreach, and no DAG. */
static void check_lists(struct unit *units, size_t n)
{
	size_t i, j, k;

	for (i = 0; i < n; i++) {
		bool used = !units[i].out->list;

		for (j = 0; j < n && !used; j++)
			for (k = 0; k < units[j].out->inputs.n && !used; k++)
				used = strcmp(units[j].out->inputs.v[k], units[i].file->path) == 0;
		if (!used)
			diag_warn(units[i].d, units[i].root, "no-dag",
			    "name it in a foreach (in: {file: …}), or begin it with dag: NAME",
			    "this file is a list that no DAG file here names");
	}
}

void cross_check(struct unit *units, size_t n, const struct compile_input *in)
{
	struct mentions pubs = {0}, templates = {0};
	size_t i, j;

	check_names(units, n);
	check_lists(units, n);
	check_owners(units, n);
	for (i = 0; i < n; i++)
		for (j = 0; j < units[i].published.n; j++) {
			const struct named *p = &units[i].published.v[j];
			struct mention x = {p->name, i, p->at, p};

			if (expr_is_template(p->name))
				VEC_ADD(&templates.list, x);
			else
				VEC_ADD(&pubs.list, x);
		}
	sort(&pubs);
	check_members(units, n, &pubs, &templates, in->whole);
	check_circles(units, n, &pubs);
	VEC_DONE(&pubs.list);
	VEC_DONE(&templates.list);
}
