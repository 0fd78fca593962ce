/* fsck.c: proves a store: the CRC of every value of every table, then (core/sched/check) every
 * index against its record and every count against a recount. Reads only. */
#define LOG_AT "store"
#include "core/store/store.h"

#include "core/sched/check.h"

#include <string.h>

#define FSCK_TEXT_MAX (1u << 20)

static void problem_add(struct fsck_report *r, const char *text)
{
	r->problems++;
	if (r->text.len + strlen(text) + 2 > FSCK_TEXT_MAX)
		return;
	str_add(&r->text, text);
	str_addc(&r->text, '\n');
}

static void on_problem(void *arg, const char *text)
{
	problem_add(arg, text);
}

static void bad_value(struct fsck_report *r, enum table t, const uint8_t *key, size_t n)
{
	struct str text;

	str_init(&text, 2048);
	str_addf(&text, "table %s: the value under key ", table_name(t));
	for (size_t i = 0; i < n; i++)
		str_addf(&text, "%02x", key[i]);
	str_add(&text, " does not match its checksum");
	problem_add(r, str_peek(&text));
	str_done(&text);
}

/* A wrong checksum still gives the key, so that the sweep goes on. */
static int sweep(const struct view *v, enum table t, struct fsck_report *r)
{
	uint8_t key[VIEW_KEY_MAX];
	struct slice from = {.p = key, .n = 0}, found, value;
	int rc;

	for (;;) {
		found.n = 0;
		rc = v->next(v->ctx, t, from, true, &found, &value);
		if (rc == ERR_NOT_FOUND)
			return 0;
		if ((rc != 0 && rc != ERR_CORRUPT) || found.n == 0 || found.n > sizeof(key))
			return rc ? rc : ERR_CORRUPT;
		memcpy(key, found.p, found.n);
		from.n = found.n;
		if (rc == ERR_CORRUPT)
			bad_value(r, t, key, found.n);
		if (rc == 0 && value.n == 0)
			r->indexes++;
		else
			r->records++;
	}
}

int fsck_run(const struct view *v, struct fsck_report *ret, struct err *err)
{
	int rc;

	memset(ret, 0, sizeof(*ret));
	str_init(&ret->text, FSCK_TEXT_MAX);
	for (int t = 0; t < TABLE_N; t++) {
		rc = sweep(v, (enum table)t, ret);
		if (rc != 0)
			return err_set(err, rc, "cannot read table %s to its end: %s",
			    table_name((enum table)t), err_text(rc));
	}
	rc = check_store(v, on_problem, ret);
	if (rc == ERR_CORRUPT && ret->problems)
		return 0; /* it stopped at a value that the sweep has named */
	if (rc != 0)
		return err_set(err, rc, "cannot check the store to its end: %s", err_text(rc));
	return 0;
}

void fsck_done(struct fsck_report *r)
{
	str_done(&r->text);
}
