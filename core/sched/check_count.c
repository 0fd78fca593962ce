/* check_count.c: slots, runs of a DAG, pool tokens and exclusive places: counted again from the
 * runs and attempts that hold them, and compared with table count both ways. */
#include "core/sched/check_part.h"
#include "core/sched/codec.h"
#include "core/sched/tx.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void check_report(struct check_out *o, const char *fmt, ...)
{
	char text[512];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	o->problem(o->arg, text);
}

struct held {
	char name[COUNT_NAME_MAX];
	uint64_t n;
};
typedef VEC(struct held) held_vec;

static void hold(held_vec *h, const char *name, uint64_t n)
{
	struct held *e = VEC_PUSH(h);

	str_copy(e->name, sizeof(e->name), name);
	e->n = n;
}

static int compare_held(const void *a, const void *b)
{
	return strcmp(((const struct held *)a)->name, ((const struct held *)b)->name);
}

/* Sorted, one entry a name. */
static void sum_up(held_vec *h)
{
	size_t to = 0;

	if (h->n == 0)
		return;
	qsort(h->v, h->n, sizeof(*h->v), compare_held);
	for (size_t i = 1; i < h->n; i++) {
		if (strcmp(h->v[to].name, h->v[i].name) == 0)
			h->v[to].n += h->v[i].n;
		else
			h->v[++to] = h->v[i];
	}
	h->n = to + 1;
}

/* Submitted work holds its tokens between polls too, but no slot. */
static int count_attempt(struct check_out *o, const struct step_ref *ref, bool slot, held_vec *h)
{
	struct sched_env env = {.conf = NULL};
	struct tx x = {.v = o->v, .env = &env};
	struct resource r;
	struct step_rec s;
	int rc = run_get(o->v, ref->run, &x.run);

	if (rc == 0)
		rc = step_get(o->v, ref, &s);
	if (rc == 0)
		rc = o->v->plan(o->v->ctx, x.run.plan, &x.plan, NULL);
	if (rc != 0 || s.step >= x.plan->n_steps)
		return rc == ERR_IO ? rc : 0; /* check.c has said so */
	if (!slot && (s.state != STEP_RUNNING || !s.submitted))
		return 0;
	if (slot)
		hold(h, COUNT_SLOTS, 1);
	for (uint32_t i = 0; step_resource(&x, &s, i, &r); i++) {
		if (r.need > 0 && !r.is_group)
			hold(h, r.name, r.need);
	}
	return 0;
}

static int count_attempts(struct check_out *o, enum table t, held_vec *h)
{
	struct due_key due;
	struct step_ref ref;
	struct view_walk w;
	int rc;

	view_walk_init(&w, o->v, t, NULL, 0, false);
	while ((rc = view_walk_next(&w, NULL)) == 0) {
		struct slice key = {w.key, w.key_n};

		if (t == TABLE_DUE && (key_parse_due(key, &due) != 0 || due.kind != DUE_POLL))
			continue;
		rc = key_tail_step(key, &ref);
		if (rc == 0)
			rc = count_attempt(o, &ref, t == TABLE_RUNNING, h);
		if (rc != 0)
			return rc;
	}
	return rc == ERR_NOT_FOUND ? 0 : rc;
}

static int count_runs(struct check_out *o, held_vec *h)
{
	uint8_t prefix = RUN_RUNNING;
	struct view_walk w;
	struct run_rec r;
	char name[32];
	uint64_t no;
	int rc;

	view_walk_init(&w, o->v, TABLE_RUN_STATE, &prefix, 1, false);
	while ((rc = view_walk_next(&w, NULL)) == 0) {
		if (key_tail_u64((struct slice){w.key, w.key_n}, &no) != 0 ||
		    run_get(o->v, no, &r) != 0)
			continue;
		count_name_runs(name, r.dag_no);
		hold(h, name, 1);
	}
	return rc == ERR_NOT_FOUND ? 0 : rc;
}

static int compare_counts(struct check_out *o, const held_vec *h)
{
	char name[VIEW_KEY_MAX + 1];
	struct view_walk w;
	struct slice value;
	uint64_t n;
	int rc;

	for (size_t i = 0; i < h->n; i++) {
		rc = count_get(o->v, h->v[i].name, &n);
		if (rc != 0)
			return rc;
		if (n != h->v[i].n)
			check_report(o, "table count: %.300s is %llu, a recount gives %llu",
			    h->v[i].name, (unsigned long long)n, (unsigned long long)h->v[i].n);
	}
	view_walk_init(&w, o->v, TABLE_COUNT, NULL, 0, false);
	while ((rc = view_walk_next(&w, &value)) == 0) {
		struct held key;

		memcpy(name, w.key, w.key_n);
		name[w.key_n] = 0;
		str_copy(key.name, sizeof(key.name), name);
		if (h->n == 0 || bsearch(&key, h->v, h->n, sizeof(*h->v), compare_held) == NULL)
			check_report(
			    o, "table count: %.300s is counted, but nothing holds it", name);
	}
	return rc == ERR_NOT_FOUND ? 0 : rc;
}

int check_counts(struct check_out *o)
{
	held_vec h = {NULL, 0, 0};
	int rc = count_attempts(o, TABLE_RUNNING, &h);

	if (rc == 0)
		rc = count_attempts(o, TABLE_READY, &h);
	if (rc == 0)
		rc = count_attempts(o, TABLE_DUE, &h);
	if (rc == 0)
		rc = count_runs(o, &h);
	sum_up(&h);
	if (rc == 0)
		rc = compare_counts(o, &h);
	VEC_DONE(&h);
	return rc;
}
