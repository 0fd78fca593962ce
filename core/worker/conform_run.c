/* conform_run.c: extracts, transforms and tasks of a scenario. */
#include "core/worker/conform.h"

#include "core/base/mem.h"

#include <stdio.h>
#include <string.h>

#define CANCEL_LIMIT_US 2000000

static const int delays_ms[] = {0, 1, 2, 5, 10, 25};
#define N_DELAYS (sizeof(delays_ms) / sizeof(delays_ms[0]))

struct json *conform_source(int64_t rows, const char *nulls, int64_t fail_at)
{
	struct json *role = json_new_object(), *options = json_new_object();

	json_put(options, "rows", json_new_i64(rows));
	json_put(options, "nulls", json_new_str(nulls));
	if (fail_at >= 0)
		json_put(options, "fail_at", json_new_i64(fail_at));
	json_put(role, "plugin", json_new_str("conform"));
	json_put(role, "options", options);
	return role;
}

static void say_result(struct conform *c, bool ok, const struct run_result *r, const char *what)
{
	conform_say(c, ok, "%s%s%s%s%.300s", what, ok ? "" : ": ", ok ? "" : run_class(r),
	    ok ? "" : ": ", ok ? "" : run_message(r));
}

/* ---- cancel: ends soon, as cancelled or (too late) as done, and never by a crash ---- */

static bool ends_soon(const struct run_result *r)
{
	const char *class_name = run_class(r);

	return (strcmp(class_name, "cancelled") == 0 || strcmp(class_name, "ok") == 0) &&
	       json_get_i64(r->answer, "took_us", 0) < CANCEL_LIMIT_US;
}

static void cancel_everywhere(struct conform *c, const struct run_order *base, const char *what)
{
	struct run_order o = *base;
	struct run_result r;
	int bad = 0, n = 0;
	size_t i;

	for (i = 0; i < N_DELAYS; i++, n++) {
		o.cancel_after_ms = delays_ms[i];
		o.ledger = ++c->serial;
		conform_run(c, &o, &r);
		bad += !ends_soon(&r);
		run_result_done(&r);
	}
	o.cancel_after_ms = -1;
	for (i = 1; base->extract != NULL && i <= 2; i++, n++) {
		o.cancel_at_batch = (int)i;
		o.ledger = ++c->serial;
		conform_run(c, &o, &r);
		bad += !ends_soon(&r);
		run_result_done(&r);
	}
	conform_say(c, bad == 0, "%s: cancelled at %d moments it ends within 2 s%s", what, n,
	    bad ? "" : "");
}

/* ---- extract ---- */

static bool same_rows(const struct run_result *a, const struct run_result *b)
{
	return json_get_i64(a->answer, "rows", -1) == json_get_i64(b->answer, "rows", -2) &&
	       str_eq(json_get_str(a->answer, "sum", "a"), json_get_str(b->answer, "sum", "b"));
}

static uint64_t sum_of(const struct json *j)
{
	uint64_t v = 0;

	(void)!str_to_u64(json_get_str(j, "sum", "0"), &v);
	return v;
}

/* What was handed out before a mark and what comes from it on are together all rows, once. */
static void resume(struct conform *c, const struct run_order *base, const struct run_result *whole)
{
	const struct json *m;
	struct run_order o = *base;
	struct run_result r;
	int n = 0, bad = 0;

	for (m = json_first(json_get(whole->answer, "marks")); m != NULL; m = json_next(m), n++) {
		o.cursor = json_get_str(m, "json", NULL);
		conform_run(c, &o, &r);
		if (!run_is_clean(&r) ||
		    json_get_i64(m, "rows", 0) + json_get_i64(r.answer, "rows", -1) !=
			json_get_i64(whole->answer, "rows", 0) ||
		    sum_of(m) + sum_of(r.answer) != sum_of(whole->answer))
			bad++;
		run_result_done(&r);
	}
	if (n > 0)
		conform_say(
		    c, bad == 0, "extract: resumed from each of %d marks it gives the rest", n);
}

static void run_extract(struct conform *c, const struct json *role)
{
	struct run_order o = run_order_make();
	struct run_result a, b;
	int64_t want = json_get_i64(c->scenario, "rows", -1);

	o.extract = role;
	conform_run(c, &o, &a);
	say_result(c, run_is_clean(&a), &a,
	    "extract: runs to its end, says it, and releases what it made");
	if (want >= 0)
		conform_say(c, json_get_i64(a.answer, "rows", -1) == want,
		    "extract: gives %lld of %lld rows",
		    (long long)json_get_i64(a.answer, "rows", -1), (long long)want);
	conform_run(c, &o, &b);
	say_result(
	    c, run_is_clean(&b) && same_rows(&a, &b), &b, "extract: gives the same rows again");
	resume(c, &o, &a);
	run_result_done(&a);
	run_result_done(&b);
	cancel_everywhere(c, &o, "extract");
	o.extract = json_get(c->scenario, "empty");
	if (o.extract == NULL)
		return;
	conform_run(c, &o, &a);
	say_result(c, run_is_clean(&a) && json_get_i64(a.answer, "rows", -1) == 0, &a,
	    "extract: an empty source is no error");
	run_result_done(&a);
}

/* ---- transform ---- */

static void run_transform(struct conform *c, const struct json *role)
{
	static const char *const nulls[] = {"none", "some", "all"};
	static const int64_t rows[] = {0, 1, 1000};
	struct run_order o = run_order_make();
	struct run_result r;
	char what[96];
	size_t i, k;

	o.transform = role;
	for (i = 0; i < 3; i++) {
		for (k = 0; k < 3; k++) {
			struct json *source = conform_source(rows[k], nulls[i], -1);

			o.extract = source;
			conform_run(c, &o, &r);
			snprintf(what, sizeof(what), "transform: %lld rows, nulls: %s",
			    (long long)rows[k], nulls[i]);
			say_result(c, run_is_clean(&r), &r, what);
			run_result_done(&r);
			json_free(source);
		}
	}
}

static void transform_failures(struct conform *c, const struct json *role)
{
	struct json *source = conform_source(1000, "none", 250);
	struct run_order o = run_order_make();
	struct run_result r;

	o.extract = source;
	o.transform = role;
	conform_run(c, &o, &r);
	say_result(c, strcmp(run_class(&r), "quota") == 0, &r,
	    "transform: the class of an error on page 3 survives it");
	run_result_done(&r);
	json_free(source);
	source = conform_source(20000, "none", -1);
	o.extract = source;
	cancel_everywhere(c, &o, "transform");
	json_free(source);
}

/* ---- task ---- */

static void run_task(struct conform *c, const struct json *role)
{
	struct run_order o = run_order_make();
	struct run_result r;

	o.task = role;
	o.ledger = ++c->serial;
	conform_run(c, &o, &r);
	say_result(c, run_is_clean(&r), &r, "task: runs to its end");
	run_result_done(&r);
	cancel_everywhere(c, &o, "task");
}

void conform_runs(struct conform *c)
{
	const struct json *s = c->scenario;

	if (s == NULL) {
		puts("# no scenario: the roles are not run (NAME.conform.json beside NAME.so says "
		     "how)");
		return;
	}
	if (json_get(s, "extract") != NULL)
		run_extract(c, json_get(s, "extract"));
	if (json_get(s, "transform") != NULL) {
		run_transform(c, json_get(s, "transform"));
		transform_failures(c, json_get(s, "transform"));
	}
	if (json_get(s, "load") != NULL)
		conform_load_runs(c);
	if (json_get(s, "task") != NULL)
		run_task(c, json_get(s, "task"));
}
