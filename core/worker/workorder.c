/* workorder.c: what is to be written where. */
#include "core/worker/workorder.h"

#include "core/base/mem.h"
#include "core/time/calendar.h"

#include <stdio.h>
#include <string.h>

#define PARTS_MAX 10000

static const struct {
	const char *name;
	uint32_t mode;
} modes[] = {{"append", SLU_M_APPEND}, {"replace", SLU_M_REPLACE}, {"merge", SLU_M_MERGE},
    {"replace_partition", SLU_M_REPLACE_PARTITION}, {"delete_insert", SLU_M_DELETE_INSERT}};

static int mode_of(const struct json *role, uint32_t *ret, struct err *err)
{
	const char *text = json_get_str(role, "mode", "append");
	size_t i;

	for (i = 0; i < sizeof(modes) / sizeof(modes[0]); i++) {
		if (strcmp(modes[i].name, text) != 0)
			continue;
		*ret = modes[i].mode;
		return 0;
	}
	return err_set(err, ERR_CONFIG, "load.mode: \"%.40s\" is no mode", text);
}

static uint32_t flags_of(const struct job *j, const struct json *role)
{
	const char *empty = json_get_str(role, "empty", "refuse");
	uint32_t flags = 0;

	if (json_get_bool(role, "stamp", false))
		flags |= SLU_WK_STAMP;
	if (str_eq(json_get_str(role, "duplicates", ""), "latest"))
		flags |= SLU_WK_LATEST;
	if (j->generation > 0)
		flags |= SLU_WK_RERUN;
	if (str_eq(json_get_str(role, "stray", ""), "reject"))
		flags |= SLU_WK_STRAY_REJECT;
	if (str_eq(empty, "replace"))
		flags |= SLU_WK_EMPTY_REPLACE;
	if (str_eq(empty, "keep"))
		flags |= SLU_WK_EMPTY_KEEP;
	return flags;
}

static void read_keys(struct workorder *w, const struct json *role)
{
	const struct json *keys = json_get(role, "key"), *k;
	uint32_t n = 0;

	if (json_len(keys) == 0)
		return;
	w->keys = mem_calloc(json_len(keys), sizeof(*w->keys));
	for (k = json_first(keys); k != NULL; k = json_next(k))
		w->keys[n++] = json_str(k, "");
	w->work.key = w->keys;
	w->work.n_key = n;
}

static const char *table_of(const struct json *role, const char *dataset)
{
	const char *table = json_get_str(role, "table", NULL), *slash = strchr(dataset, '/');

	if (table != NULL)
		return table;
	return slash != NULL ? slash + 1 : dataset;
}

static char *chunk_key(const char *ledger_key, uint32_t chunk)
{
	size_t n = strlen(ledger_key) + 16;
	char *text = mem_alloc(n);

	snprintf(text, n, "%s/%u", ledger_key, chunk);
	return text;
}

int workorder_init(
    struct workorder *w, struct attempt *at, const struct json *role, struct err *err)
{
	const struct job *j = at->job;
	slu_work *k = &w->work;
	uint32_t mode = 0;
	int rc = mode_of(role, &mode, err);

	if (rc != 0)
		return rc;
	memset(w, 0, sizeof(*w));
	k->size = sizeof(*k);
	k->mode = mode;
	k->dataset = json_get_str(role, "dataset", "");
	k->table = table_of(role, k->dataset);
	k->fence_key = j->fence_key;
	k->ledger_key = w->ledger_key = chunk_key(j->ledger_key, 0);
	k->token = j->token;
	k->generation = j->generation;
	k->flags = flags_of(j, role);
	k->parts = at->pub.parts;
	k->version_column = json_get_str(role, "version", NULL);
	k->deployment = j->deployment;
	k->run = j->run;
	read_keys(w, role);
	return 0;
}

void workorder_done(struct workorder *w)
{
	mem_free(w->keys);
	mem_free(w->ledger_key);
	memset(w, 0, sizeof(*w));
}

/* ---- partitions ---- */

struct periods {
	enum cal_unit unit;
	const struct tz *zone;
};

/* The declaration of what the step writes, or where it writes nothing partitioned, of what it
 * reads. */
static const struct json *declaration(const struct job *j)
{
	const struct json *load = json_get(j->rendered, "load");
	const struct json *d = json_get(load, "partition");

	if (!json_is(d, JSON_OBJECT))
		d = json_get(json_get(j->datasets, json_get_str(load, "dataset", "")), "partition");
	if (!json_is(d, JSON_OBJECT))
		d = json_get(json_get(j->datasets,
				 json_path(j->rendered, "extract.dataset") != NULL
				     ? json_str(json_path(j->rendered, "extract.dataset"), "")
				     : ""),
		    "partition");
	return json_is(d, JSON_OBJECT) ? d : NULL;
}

static int read_periods(
    const struct job *j, const struct json *d, struct periods *p, struct err *err)
{
	if (cal_unit_parse(json_get_str(d, "unit", "day"), &p->unit) != 0)
		return err_set(err, ERR_CONFIG,
		    "partition.unit \"%.40s\" is none of hour day week month",
		    json_get_str(d, "unit", ""));
	return tz_load(json_get_str(d, "zone", j->zone), &p->zone, err);
}

/* "day=2026-11-21" -> the interval. */
static int partition_window(
    const struct periods *p, const char *text, wall_us *from, wall_us *to, struct err *err)
{
	const char *key = strchr(text, '=');
	enum cal_unit unit;
	int rc;

	key = key != NULL ? key + 1 : text;
	if (cal_key_unit(key, &unit) != 0)
		return err_set(err, ERR_CONFIG, "\"%.80s\" is no key of a partition", text);
	rc = cal_key_parse(unit, p->zone, key, from, err);
	if (rc == 0)
		*to = cal_add(unit, p->zone, *from, 1);
	return rc;
}

static int fill(
    struct attempt *at, const struct periods *p, wall_us from, wall_us to, struct err *err)
{
	wall_us t = cal_start(p->unit, p->zone, from);
	VEC(slu_part) parts = {0};
	int rc = 0;

	for (; t < to; t = cal_add(p->unit, p->zone, t, 1)) {
		char key[CAL_KEY_MAX], *text;
		slu_part *part;

		if (parts.n >= PARTS_MAX) {
			rc = err_set(
			    err, ERR_CONFIG, "the run's window has over %d partitions", PARTS_MAX);
			break;
		}
		text = mem_alloc(CAL_KEY_MAX + 16);
		snprintf(text, CAL_KEY_MAX + 16, "%s=%s", cal_unit_name(p->unit),
		    cal_key(p->unit, p->zone, t, key));
		part = VEC_PUSH(&parts);
		*part = (slu_part){text, t, cal_add(p->unit, p->zone, t, 1)};
	}
	at->parts = parts.v;
	at->pub.parts = (slu_parts){(uint32_t)parts.n, sizeof(slu_part), parts.v};
	return rc;
}

int work_parts(struct attempt *at, struct err *err)
{
	const struct job *j = at->job;
	const struct json *d = declaration(j);
	const char *partition = json_get_str(j->env, "partition", NULL);
	wall_us from = j->window_from_us, to = j->window_to_us;
	struct periods p;
	int rc;

	if (d == NULL)
		return 0;
	rc = read_periods(j, d, &p, err);
	if (rc == 0 && partition != NULL && partition[0] != '\0')
		rc = partition_window(&p, partition, &from, &to, err);
	if (rc != 0 || from == TIME_NONE || to == TIME_NONE)
		return rc;
	return fill(at, &p, from, to, err);
}

void work_parts_free(struct attempt *at)
{
	uint32_t i;

	for (i = 0; i < at->pub.parts.n; i++)
		mem_free((void *)(uintptr_t)at->parts[i].key);
	mem_free(at->parts);
	at->parts = NULL;
	at->pub.parts.n = 0;
}
