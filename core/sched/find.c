/* find.c: what a person names, found: runs, steps, DAGs, data sets. Reads only. */
#include "core/sched/show.h"
#include "core/sched/table.h"

#include "core/time/tz.h"

#include <ctype.h>
#include <string.h>

#define PREFIX_MIN 6u
#define NAMES_MAX 5000u	     /* names of DAGs that are compared with one that is not there */
#define DATE_SCAN_MAX 20000u /* newest runs of a DAG that a look-up by date reads */

int find_dag(const struct view *v, const char *name, struct dag_rec *ret)
{
	return dag_get_named(v, name, ret);
}

int find_no_dag(const struct view *v, const char *name, struct err *err)
{
	char best[PLAN_NAME_MAX] = "", one[PLAN_NAME_MAX];
	struct view_walk w;
	struct dag_rec d;

	if (dag_get_named(v, name, &d) == 0)
		return err_set(
		    err, ERR_NOT_FOUND, "there is no DAG \"%s\" any more: its file is gone", name);
	view_walk_init(&w, v, TABLE_DAG_NAME, NULL, 0, false);
	for (unsigned i = 0; i < NAMES_MAX && view_walk_next(&w, NULL) == 0; i++) {
		const char *two[] = {one, best};

		if (w.key_n >= sizeof(one))
			continue;
		memcpy(one, w.key, w.key_n);
		one[w.key_n] = 0;
		if (str_nearest(name, two, best[0] != 0 ? 2 : 1) == one)
			str_copy(best, sizeof(best), one);
	}
	if (best[0] != 0)
		return err_set(err, ERR_NOT_FOUND,
		    "there is no DAG \"%.63s\"; did you mean \"%s\"?", name, best);
	return err_set(err, ERR_NOT_FOUND, "there is no DAG \"%.63s\"; see: sluice dags", name);
}

int find_dataset(const struct view *v, const char *name, struct dataset_rec *ret)
{
	return dataset_get_named(v, name, ret);
}

static int newest_of_dag(const struct view *v, uint32_t dag_no, uint64_t *ret_run)
{
	struct view_walk w;
	struct key k;
	int rc;

	key_init(&k);
	key_u32(&k, dag_no);
	view_walk_init(&w, v, TABLE_RUN_DAG, k.b, k.n, true);
	rc = view_walk_next(&w, NULL);
	return rc != 0 ? rc : key_tail_u64((struct slice){w.key, w.key_n}, ret_run);
}

static int newest_of_key(const struct view *v, uint32_t dag_no, const char *key, uint64_t *ret_run)
{
	struct view_walk w;
	struct key k;
	int rc;

	key_run_key_prefix(&k, dag_no, key);
	view_walk_init(&w, v, TABLE_RUN_KEY, k.b, k.n, true);
	rc = view_walk_next(&w, NULL);
	return rc != 0 ? rc : key_tail_u64((struct slice){w.key, w.key_n}, ret_run);
}

/* [from, to): the day in the DAG's zone. */
static int day_of(const struct view *v, const struct dag_rec *d, const char *text,
    wall_us *ret_from, wall_us *ret_to)
{
	const struct tz *zone = tz_utc();
	const struct plan *plan;
	wall_us midnight;

	if (strlen(text) != 10 || clock_parse(text, &midnight) != 0)
		return ERR_NOT_FOUND;
	if (dag_plan(v, d, &plan) == 0 && tz_load(plan->timezone, &zone, NULL) != 0)
		zone = tz_utc();
	*ret_from = tz_from_civil(zone, midnight);
	*ret_to = tz_from_civil(zone, midnight + 86400 * US_PER_S);
	return 0;
}

static int newest_of_day(
    const struct view *v, const struct dag_rec *d, const char *text, uint64_t *ret_run)
{
	struct view_walk w;
	struct run_rec r;
	wall_us from, to;
	uint64_t no;
	struct key k;
	int rc = day_of(v, d, text, &from, &to);

	if (rc != 0)
		return rc;
	key_init(&k);
	key_u32(&k, d->no);
	view_walk_init(&w, v, TABLE_RUN_DAG, k.b, k.n, true);
	for (unsigned i = 0; i < DATE_SCAN_MAX; i++) {
		rc = view_walk_next(&w, NULL);
		if (rc == 0)
			rc = key_tail_u64((struct slice){w.key, w.key_n}, &no);
		if (rc == 0)
			rc = run_get(v, no, &r);
		if (rc != 0)
			return rc;
		if (r.logical_time != TIME_NONE && r.logical_time >= from && r.logical_time < to) {
			*ret_run = no;
			return 0;
		}
	}
	return ERR_NOT_FOUND;
}

static int by_dag(const struct view *v, const char *name, uint64_t *ret_run)
{
	char dag[PLAN_NAME_MAX];
	const char *at = strchr(name, '@');
	size_t n = at != NULL ? (size_t)(at - name) : strlen(name);
	struct dag_rec d;
	int rc;

	if (n == 0 || n >= sizeof(dag))
		return ERR_NOT_FOUND;
	memcpy(dag, name, n);
	dag[n] = 0;
	rc = dag_get_named(v, dag, &d);
	if (rc != 0)
		return rc;
	if (at == NULL)
		return newest_of_dag(v, d.no, ret_run);
	if (strlen(at + 1) >= PLAN_KEY_MAX)
		return ERR_NOT_FOUND;
	rc = newest_of_key(v, d.no, at + 1, ret_run);
	return rc == ERR_NOT_FOUND ? newest_of_day(v, &d, at + 1, ret_run) : rc;
}

/* ---- by prefix of the public id ---- */

static bool id_has_prefix(const uint8_t id[HASH_ID_BYTES], const char *upper, size_t n)
{
	char text[HASH_ID_TEXT];

	hash_to_base32(id, text);
	return memcmp(text, upper, n) == 0;
}

/* The least id with that prefix: the rest filled up with zeros. */
static int least_id(const char *name, size_t n, char upper[HASH_ID_TEXT], uint8_t id[HASH_ID_BYTES])
{
	if (n < PREFIX_MIN || n >= HASH_ID_TEXT)
		return ERR_NOT_FOUND;
	for (size_t i = 0; i < HASH_ID_TEXT - 1; i++)
		upper[i] = i < n ? (char)toupper((unsigned char)name[i]) : '0';
	upper[HASH_ID_TEXT - 1] = 0;
	return hash_from_base32(upper, id) == 0 ? 0 : ERR_NOT_FOUND;
}

static int by_prefix(const struct view *v, const char *name, uint64_t *ret_run, struct err *err)
{
	char upper[HASH_ID_TEXT], first[HASH_ID_TEXT], second[HASH_ID_TEXT];
	uint8_t id[HASH_ID_BYTES], found[HASH_ID_BYTES];
	size_t n = strlen(name);
	struct slice key, value;
	int rc = least_id(name, n, upper, id);

	if (rc == 0)
		rc = v->next(
		    v->ctx, TABLE_RUN_ID, (struct slice){id, sizeof(id)}, false, &key, &value);
	if (rc != 0)
		return rc;
	if (key.n != HASH_ID_BYTES || !id_has_prefix(key.p, upper, n))
		return ERR_NOT_FOUND;
	memcpy(found, key.p, sizeof(found));
	rc =
	    v->next(v->ctx, TABLE_RUN_ID, (struct slice){found, sizeof(found)}, true, &key, &value);
	if (rc == 0 && key.n == HASH_ID_BYTES && id_has_prefix(key.p, upper, n)) {
		hash_to_base32(found, first);
		hash_to_base32(key.p, second);
		return err_set(err, ERR_CONFLICT,
		    "\"%s\" begins more than one run: %s and %s; give more characters", name, first,
		    second);
	}
	if (rc != 0 && rc != ERR_NOT_FOUND)
		return rc;
	return run_get_id(v, found, ret_run);
}

static bool is_dropped(const struct view *v, const char *name)
{
	uint8_t id[HASH_ID_BYTES];

	return strlen(name) == HASH_ID_TEXT - 1 && hash_from_base32(name, id) == 0 &&
	       run_is_tomb(v, id);
}

/* A DAG that has not run yet, or not for that key, is no unknown name. */
static int no_run(const struct view *v, const char *name, struct err *err)
{
	size_t n = strcspn(name, "@");
	char dag[PLAN_NAME_MAX] = "";
	struct dag_rec d;

	if (n < sizeof(dag))
		memcpy(dag, name, n);
	if (dag_get_named(v, dag, &d) != 0)
		return err_set(err, ERR_NOT_FOUND,
		    "no run is called \"%.100s\": give its id, DAG, DAG@KEY or at least %u "
		    "characters of the id",
		    name, PREFIX_MIN);
	if (name[n] == 0)
		return err_set(err, ERR_NOT_FOUND,
		    "DAG %s has not run yet: `sluice run %s` starts it", dag, dag);
	return err_set(err, ERR_NOT_FOUND,
	    "DAG %s has no run for \"%.100s\": see `sluice runs --dag %s`", dag, name + n + 1, dag);
}

int find_run(const struct view *v, const char *name, uint64_t *ret_run, struct err *err)
{
	uint8_t id[HASH_ID_BYTES];
	int rc = ERR_NOT_FOUND;

	if (strlen(name) == HASH_ID_TEXT - 1 && hash_from_base32(name, id) == 0)
		rc = run_get_id(v, id, ret_run);
	if (rc == ERR_NOT_FOUND)
		rc = by_dag(v, name, ret_run);
	if (rc == ERR_NOT_FOUND)
		rc = by_prefix(v, name, ret_run, err);
	if (rc == ERR_NOT_FOUND && is_dropped(v, name))
		return err_set(err, rc, "run %.30s was dropped by retention", name);
	if (rc == ERR_NOT_FOUND)
		return no_run(v, name, err);
	if (rc == ERR_CONFLICT)
		return rc;
	return rc != 0 ? err_set(err, rc, "cannot look up run \"%.100s\"", name) : 0;
}

/* ---- steps ---- */

static int unknown_step(const struct plan *p, const char *name, struct err *err)
{
	const char *names[PLAN_MAX_STEPS], *near;

	for (size_t i = 0; i < p->n_steps; i++)
		names[i] = p->steps[i].name;
	near = str_nearest(name, names, p->n_steps);
	if (near != NULL)
		return err_set(err, ERR_NOT_FOUND,
		    "DAG %s has no step \"%.80s\": did you mean \"%s\"?", p->dag, name, near);
	return err_set(err, ERR_NOT_FOUND, "DAG %s has no step \"%.80s\"", p->dag, name);
}

int find_step(
    const struct view *v, uint64_t run, const char *name, struct step_ref *ret, struct err *err)
{
	char step[PLAN_NAME_MAX] = "", item[PLAN_KEY_MAX] = "";
	const char *open = strchr(name, '[');
	size_t n = open != NULL ? (size_t)(open - name) : strlen(name), m;
	const struct plan *plan;
	struct run_rec r;
	int index, rc = run_get(v, run, &r);

	if (rc == 0)
		rc = v->plan(v->ctx, r.plan, &plan, err);
	if (rc != 0)
		return err_set(err, rc, "there is no such run, or its plan is missing");
	if (n < sizeof(step))
		memcpy(step, name, n);
	index = plan_step_index(plan, step);
	if (index < 0)
		return unknown_step(plan, name, err);
	*ret = (struct step_ref){run, (uint16_t)index, 0};
	if (open == NULL)
		return 0;
	m = strlen(open + 1);
	if (m < 2 || open[m] != ']' || m > sizeof(item))
		return err_set(err, ERR_NOT_FOUND, "\"%.80s\": an item is named STEP[ITEM]", name);
	memcpy(item, open + 1, m - 1);
	rc = step_item_no(v, run, ret->step, item, &ret->item);
	if (rc == ERR_NOT_FOUND)
		return err_set(err, rc, "step %s has no item \"%.100s\" in this run", step, item);
	return rc;
}
