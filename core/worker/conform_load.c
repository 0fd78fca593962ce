/* conform_load.c: a load in every mode that it promises: rows and nulls, death after every slot,
 * cancel, a zombie. */
#include "core/worker/conform.h"

#include "core/base/mem.h"

#include <stdio.h>
#include <string.h>

#define ROWS 250 /* three batches of the kit's source */

struct loads {
	struct conform *c;
	const struct json *role;
	const char *mode;
	uint8_t promise;
	char table[32];
};

static void say(struct loads *l, bool ok, const struct run_result *r, const char *what)
{
	conform_say(l->c, ok, "load %s: %s%s%s%s%.300s", l->mode, what, ok ? "" : ": ",
	    ok ? "" : run_class(r), ok ? "" : ": ", ok ? "" : run_message(r));
}

static struct run_order new_table(struct loads *l, const struct json *source)
{
	struct run_order o = run_order_make();

	snprintf(l->table, sizeof(l->table), "t%d", ++l->c->serial);
	o.extract = source;
	o.load = l->role;
	o.mode = l->mode;
	o.table = l->table;
	o.ledger = l->c->serial;
	return o;
}

/* Reads the table back: rows, or -1 where the scenario does not say how. */
static int64_t verify(struct loads *l, char sum[24])
{
	const struct json *role = json_get(l->c->scenario, "verify");
	struct run_order o = run_order_make();
	struct run_result r;
	struct json *j = NULL;
	struct str text;
	char *hit;
	int64_t rows = -1;

	snprintf(sum, 24, "-");
	if (role == NULL)
		return -1;
	str_init(&text, 65536);
	json_print(role, &text);
	while ((hit = strstr(str_peek(&text), "%TABLE%")) != NULL) {
		size_t n = strlen(l->table), at = (size_t)(hit - text.s);

		memcpy(hit, l->table, n); /* at most five bytes: shorter than what stands there */
		memmove(hit + n, hit + 7, text.len - at - 7 + 1);
		text.len -= 7 - n;
	}
	if (json_parse(str_peek(&text), text.len, 65536, &j, NULL) == 0) {
		o.extract = j;
		conform_run(l->c, &o, &r);
		rows = run_is_clean(&r) ? json_get_i64(r.answer, "rows", -1) : -2;
		snprintf(sum, 24, "%s", json_get_str(r.answer, "sum", "?"));
		run_result_done(&r);
	}
	json_free(j);
	str_done(&text);
	return rows;
}

static bool holds(struct loads *l, int64_t rows, const char *want_sum)
{
	char sum[24];
	int64_t n = verify(l, sum);

	return n == -1 || (n == rows && (want_sum == NULL || strcmp(sum, want_sum) == 0));
}

/* ---- plain ---- */

static void loads_rows(struct loads *l, const char *nulls, int64_t rows)
{
	struct json *source = conform_source(rows, nulls, -1);
	struct run_order o = new_table(l, source);
	struct run_result r;
	char what[64];

	conform_run(l->c, &o, &r);
	snprintf(what, sizeof(what), "%lld rows, nulls: %s", (long long)rows, nulls);
	say(l,
	    run_is_clean(&r) && json_i64(json_path(r.answer, "report.rows_out"), -1) == rows &&
		(rows == 0 || holds(l, rows, NULL)),
	    &r, what);
	run_result_done(&r);
	json_free(source);
}

static void finds_its_ledger(struct loads *l, const struct json *source, char sum[24])
{
	struct run_order o = new_table(l, source);
	struct run_result r;

	conform_run(l->c, &o, &r);
	run_result_done(&r);
	(void)verify(l, sum);
	o.token++;
	conform_run(l->c, &o, &r);
	say(l,
	    run_is_clean(&r) &&
		str_eq(json_str(json_path(r.answer, "report.ledger"), ""), "found") &&
		holds(l, ROWS, sum),
	    &r, "offered again it finds its ledger row");
	run_result_done(&r);
}

/* ---- death ---- */

static bool dies_and_is_retried(struct loads *l, const struct json *source, const char *slot, int n,
    const char *sum, bool *ret_died)
{
	struct run_order o = new_table(l, source);
	struct run_result r;
	bool ok;

	o.kill_at = slot;
	o.kill_n = n;
	conform_run(l->c, &o, &r);
	*ret_died = r.ended_by != 0;
	run_result_done(&r);
	o.kill_at = NULL;
	o.token++;
	conform_run(l->c, &o, &r);
	ok = run_is_clean(&r) && holds(l, ROWS, sum);
	run_result_done(&r);
	return ok;
}

static void dies_everywhere(struct loads *l, const struct json *source, const char *sum)
{
	static const char *const slots[] = {
	    "recover", "plan", "stage", "write", "flush", "publish"};
	char bad[128] = "";
	int deaths = 0, n;
	size_t i;

	for (i = 0; i < sizeof(slots) / sizeof(slots[0]); i++) {
		for (n = 1; n <= 3; n++) {
			bool died;

			if (!dies_and_is_retried(l, source, slots[i], n, sum, &died) &&
			    bad[0] == '\0')
				snprintf(bad, sizeof(bad), ": not after %s number %d", slots[i], n);
			deaths += died;
			if (!died)
				break;
		}
	}
	conform_say(l->c, bad[0] == '\0' && deaths > 0,
	    "load %s: killed at %d points and retried, the target is the oracle%s", l->mode, deaths,
	    bad);
}

/* ---- cancel, zombie ---- */

static void cancels(struct loads *l, const struct json *source, const char *sum)
{
	static const int delays[] = {0, 1, 2, 4, 8};
	int bad = 0;
	size_t i;

	for (i = 0; i < sizeof(delays) / sizeof(delays[0]); i++) {
		struct run_order o = new_table(l, source);
		struct run_result r;

		o.cancel_after_ms = delays[i];
		conform_run(l->c, &o, &r);
		bad += strcmp(run_class(&r), "cancelled") != 0 && strcmp(run_class(&r), "ok") != 0;
		run_result_done(&r);
		o.cancel_after_ms = -1;
		o.token++;
		conform_run(l->c, &o, &r);
		bad += !run_is_clean(&r) || !holds(l, ROWS, sum);
		run_result_done(&r);
	}
	conform_say(l->c, bad == 0,
	    "load %s: cancelled at 5 moments and retried, the target is the oracle", l->mode);
}

static void refuses_a_zombie(struct loads *l, const struct json *source)
{
	struct run_order o = new_table(l, source);
	struct run_result r;

	o.token = 200;
	conform_run(l->c, &o, &r);
	run_result_done(&r);
	o.token = 150; /* an older attempt of the same step wakes up with other work */
	o.ledger = ++l->c->serial;
	conform_run(l->c, &o, &r);
	say(l, strcmp(run_class(&r), "ok") != 0 && r.ended_by == 0, &r,
	    "a lower token than the fence's is refused");
	run_result_done(&r);
}

static void run_mode(struct loads *l)
{
	/* A row without time belongs to no partition, and no rows to none: refused, and rightly so.
	 */
	bool parts = strcmp(l->mode, "replace_partition") == 0;
	struct json *source = conform_source(ROWS, parts ? "none" : "some", -1);
	char sum[24] = "-";

	loads_rows(l, "none", ROWS);
	if (!parts) {
		loads_rows(l, "all", ROWS);
		loads_rows(l, "none", 0);
	}
	if (l->promise == SLU_P_ONCE) {
		finds_its_ledger(l, source, sum);
		refuses_a_zombie(l, source);
	}
	if (l->promise != SLU_P_AT_LEAST_ONCE) {
		dies_everywhere(l, source, sum[0] == '-' ? NULL : sum);
		cancels(l, source, sum[0] == '-' ? NULL : sum);
	}
	json_free(source);
}

void conform_load_runs(struct conform *c)
{
	struct loads l = {.c = c, .role = json_get(c->scenario, "load")};
	struct err err;
	slu_kind k;
	uint32_t mode;

	if (plugin_kind(c->plugin, json_get_str(l.role, "type", NULL), "load", &k, &err) != 0) {
		conform_say(c, false, "load: %s", err.text);
		return;
	}
	for (mode = 0; TABLE_HAS(k.load, promise) && mode < SLU_M_MAX; mode++) {
		l.promise = k.load->promise[mode];
		l.mode = table_mode_name(mode);
		if (l.promise != SLU_P_NONE && l.mode != NULL)
			run_mode(&l);
	}
}
