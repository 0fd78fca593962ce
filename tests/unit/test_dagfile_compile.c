/* Good files: the plan, the report, defaults, and what only several files show together. */
#include "tests/unit/dagfile_rig.h"
#include "tests/unit/leak.h"

#include "core/dagfile/yaml.h"

#include <criterion/criterion.h>
#include <string.h>

#define TASK "steps:\n  a: {task: {plugin: exec, shell: \"true\"}}\n"
#define LOAD(name, set)                                                                            \
	"dag: " name "\nsteps:\n  a: {extract: {connection: shop, table: t}, "                     \
	"load: {connection: lake, dataset: " set ", mode: append}}\n"

/* The design's own example, but for what this version refuses. */
Test(dagfile_compile, compiles_the_design_s_example)
{
	struct compile_output *out;
	struct plan *p = NULL;
	struct err err = {0};
	struct str text;
	struct json *j;

	rig_read("shop.yaml", &text);
	out = rig_compile_one(text.s);
	j = rig_plan(&out->v[0]);
	cr_expect(plan_parse(out->v[0].plan, out->v[0].plan_n, &p, &err) == 0, "%s", err.text);
	cr_assert(p != NULL);
	cr_expect_str_eq(p->dag, "shop_nightly");
	cr_expect_str_eq(p->promise, "once");
	cr_expect(p->n_steps == 3 && p->n_triggers == 2);
	cr_expect(p->steps[plan_step_index(p, "orders")].exclusive, "a cursor step is exclusive");
	cr_expect(
	    plan_step_index(p, "orders") < plan_step_index(p, "orders_dwh"), "needs come first");
	cr_expect(p->steps[0].timeout_ms == 7200000 && p->steps[0].retry.attempts == 3);
	cr_expect_str_eq(
	    json_str(json_path(json_at(json_get(j, "steps"), 0), "load.partition.zone"), ""),
	    "Asia/Tokyo");
	cr_expect(out->v[0].n_next == 5);
	cr_expect(out->v[0].next[0] > RIG_NOW &&
		  out->v[0].next[1] - out->v[0].next[0] == 86400 * US_PER_S);
	plan_free(p);
	json_free(j);
	compile_output_free(out);
	str_done(&text);
	LEAK_CHECK();
}

Test(dagfile_compile, reads_every_kind_of_time_trigger)
{
	static const char text[] =
	    "dag: x\ntimezone: Asia/Tokyo\ntriggers:\n"
	    "  once: {at: \"2099-01-01T09:00\"}\n"
	    "  utc: {at: 2099-01-01T09:00:00Z, zone: UTC}\n"
	    "  day: {at: \"2099-01-02\", jitter: 90s}\n"
	    "  beat: {every: {each: 15m, from: \"2026-11-21T00:10:00+09:00\"},\n"
	    "         catchup: {keep: all, within: 3d, at_once: 4}}\n"
	    "  bare: {every: {each: 1h}, catchup: {keep: latest}, covers: {unit: hour}}\n" TASK;
	struct compile_output *out = rig_compile_one(text);
	struct plan *p = NULL;
	struct err err = {0};

	cr_assert_gt(out->v[0].plan_n, 0);
	cr_assert(plan_parse(out->v[0].plan, out->v[0].plan_n, &p, &err) == 0, "%s", err.text);
	cr_assert_eq(p->n_triggers, 5);
	cr_expect_eq(p->triggers[0].kind, TRIGGER_AT);
	cr_expect_eq(p->triggers[1].at_us - p->triggers[0].at_us, 9 * 3600 * US_PER_S);
	cr_expect_eq(p->triggers[2].at_us - p->triggers[0].at_us, 15 * 3600 * US_PER_S);
	cr_expect_eq(p->triggers[2].jitter_us, 90 * US_PER_S);
	cr_expect_eq(p->triggers[3].kind, TRIGGER_EVERY);
	cr_expect_eq(p->triggers[3].each_us, 900 * US_PER_S);
	cr_expect_eq(p->triggers[3].from_us % (86400 * US_PER_S), (15 * 60 + 10) * 60 * US_PER_S);
	cr_expect(p->triggers[3].catchup == CATCHUP_ALL && p->triggers[3].catchup_at_once == 4 &&
		  p->triggers[3].catchup_within_ms == 3 * 86400000);
	cr_expect(p->triggers[4].from_us == TIME_NONE && p->triggers[4].catchup == CATCHUP_LATEST &&
		  p->triggers[4].catchup_within_ms == -1 && p->triggers[4].catchup_at_once == 1);
	cr_expect_eq(out->v[0].n_next, 5);
	plan_free(p);
	compile_output_free(out);
	LEAK_CHECK();
}

Test(dagfile_compile, the_same_text_gives_the_same_plan)
{
	struct compile_output *a, *b;
	struct str text;

	rig_read("shop.yaml", &text);
	a = rig_compile_one(text.s);
	b = rig_compile_one(text.s);
	cr_expect_str_eq(a->v[0].plan, b->v[0].plan);
	compile_output_free(a);
	compile_output_free(b);
	str_done(&text);
	LEAK_CHECK();
}

Test(dagfile_compile, json_gives_the_plan_of_the_same_yaml)
{
	struct compile_output *a, *b;
	struct yaml_doc *doc;
	struct diags d;
	struct str yaml, json;
	struct jw w;

	rig_read("shop.yaml", &yaml);
	diags_init(&d);
	doc = yaml_doc_parse(yaml.s, yaml.len, &d);
	str_init(&json, 1u << 20);
	jw_init(&w, &json);
	yaml_write_json(yaml_doc_root(doc), &w);
	a = rig_compile_one(yaml.s);
	b = rig_compile_one(str_peek(&json));
	cr_assert(a->v[0].plan != NULL && b->v[0].plan != NULL);
	cr_expect_str_eq(a->v[0].plan, b->v[0].plan);
	compile_output_free(a);
	compile_output_free(b);
	yaml_doc_free(doc);
	diags_done(&d);
	str_done(&json);
	str_done(&yaml);
	LEAK_CHECK();
}

static double num_at(const struct json *step, const char *path)
{
	return json_num(json_path(step, path), -99);
}

Test(dagfile_compile, defaults_come_from_the_step_then_the_dag_then_sluice_yaml)
{
	struct compile_output *out = rig_compile_one(
	    "dag: x\nretry: {delay: 5s}\nsteps:\n"
	    "  a: {task: {plugin: exec, shell: x}}\n"
	    "  b: {retry: {delay: 7s}, timeout: 1m, task: {plugin: exec, shell: x}}\n");
	struct json *j = rig_plan(&out->v[0]);
	const struct json *a = json_at(json_get(j, "steps"), 0),
			  *b = json_at(json_get(j, "steps"), 1);

	cr_expect_str_eq(json_get_str(j, "timezone", ""), "Asia/Tokyo");
	cr_expect(num_at(a, "retry.attempts") == 5 && num_at(a, "retry.delay_ms") == 5000);
	cr_expect(num_at(a, "retry.max_delay_ms") == 600000 && num_at(a, "timeout_ms") == -1);
	cr_expect(num_at(b, "retry.attempts") == 5 && num_at(b, "retry.delay_ms") == 7000);
	cr_expect(num_at(b, "timeout_ms") == 60000);
	cr_expect_str_eq(json_get_str(j, "promise", ""), "none", "tasks promise nothing");
	json_free(j);
	compile_output_free(out);
	LEAK_CHECK();
}

Test(dagfile_compile, a_lone_value_stands_for_the_first_member_of_a_short_map)
{
#define MASKS(text)                                                                                \
	"dag: x\nsteps:\n  a: {extract: {plugin: csv, path: f.csv},\n"                             \
	"      transform: [{plugin: columns, keep: [id], mask: " text "}],\n"                      \
	"      load: {connection: dwh, table: y, mode: append}}\n"
	struct compile_output *good = rig_compile_one(MASKS("{e: drop, f: {method: redact}}")),
			      *bad = rig_compile_one(MASKS("{e: drip}")),
			      *member = rig_compile_one(MASKS("{e: {metod: drop}}"));
	struct json *j = rig_plan(&good->v[0]);
	const struct json *mask = json_path(
	    json_at(json_path(json_at(json_get(j, "steps"), 0), "transform"), 0), "options.mask");

	cr_expect_str_eq(json_str(json_path(mask, "e.method"), ""), "drop");
	cr_expect_str_eq(json_str(json_path(mask, "f.method"), ""), "redact");
	cr_expect(!bad->ok && rig_find(&bad->v[0], "bad-choice") != NULL);
	cr_expect(!member->ok && rig_find(&member->v[0], "unknown-option") != NULL);
	json_free(j);
	compile_output_free(good);
	compile_output_free(bad);
	compile_output_free(member);
	LEAK_CHECK();
}

Test(dagfile_compile, defaults_of_the_file_stand_behind_the_step_s_own_keys)
{
	struct compile_output *out = rig_compile_one(
	    "dag: x\ndefaults:\n  extract: {connection: shop, batch_rows: 5}\n  load: {connection: "
	    "dwh, mode: merge, key: [id]}\n"
	    "  transform: [{plugin: columns, keep: [id]}]\nsteps:\n"
	    "  a: {extract: {table: t}, load: {table: x}}\n"
	    "  b: {extract: {plugin: csv, path: f.csv}, load: {table: y, mode: append}}\n");
	struct compile_output *good =
	    rig_compile_one("dag: x\ndefaults: {extract: {connection: shop}, load: {connection: "
			    "dwh, mode: append}}\nsteps:\n"
			    "  a: {extract: {table: t}, load: {table: x}}\n"
			    "  b: {extract: {plugin: csv, path: f.csv}, load: {table: y}}\n");
	struct json *j = rig_plan(&good->v[0]);

	cr_expect(
	    !out->ok && rig_find(&out->v[0], "unknown-option") != NULL, "csv has no batch_rows");
	cr_expect_str_eq(
	    json_str(json_path(json_at(json_get(j, "steps"), 0), "extract.connection"), ""),
	    "shop");
	cr_expect(json_path(json_at(json_get(j, "steps"), 1), "extract.connection") == NULL);
	cr_expect_str_eq(
	    json_str(json_path(json_at(json_get(j, "steps"), 1), "extract.options.path"), ""),
	    "/d/f.csv");
	cr_expect_str_eq(
	    json_str(json_path(json_at(json_get(j, "steps"), 1), "extract.options.delimiter"), ""),
	    ",");
	cr_expect_str_eq(
	    json_str(json_path(json_at(json_get(j, "steps"), 1), "load.dataset"), ""), "dwh/y");
	json_free(j);
	compile_output_free(good);
	compile_output_free(out);
	LEAK_CHECK();
}

Test(dagfile_compile, finds_as_many_errors_as_there_are)
{
	struct compile_output *out =
	    rig_compile_one("dag: X\ntimeout: 5\nretries: {}\nsteps:\n"
			    "  a: {needs: [b], task: {plugin: exce}}\n"
			    "  c: {when: never, task: {plugin: exec, shell: \"${params.x}\"}}\n");
	const struct compile_result *r = &out->v[0];

	cr_expect(r->diags.n_errors == 7, "%zu errors", r->diags.n_errors);
	cr_expect(r->diags.list.v[0].line == 1 && r->diags.list.v[6].line == 6,
	    "in the order of the file");
	compile_output_free(out);
	LEAK_CHECK();
}

Test(dagfile_compile, keeps_a_bounded_number_of_errors)
{
	struct compile_output *out;
	struct str text;
	int i;

	str_init(&text, 1u << 20);
	str_add(&text, "dag: x\nsteps:\n");
	for (i = 0; i < 500; i++)
		str_addf(&text, "  a%d: {task: {plugin: none%d}}\n", i, i);
	out = rig_compile_one(text.s);
	cr_expect(out->v[0].diags.list.n == DIAG_MAX && out->v[0].diags.n_dropped == 400);
	compile_output_free(out);
	str_done(&text);
	LEAK_CHECK();
}

Test(dagfile_compile, says_once_that_names_are_not_checked_without_sluice_yaml)
{
	const char *text = LOAD("x", "lake/x");
	struct compile_output *out = rig_compile(&text, 1, false);

	cr_expect(out->ok && out->v[0].plan == NULL);
	cr_expect(
	    out->v[0].diags.n_warnings == 1 && rig_find(&out->v[0], "names-not-checked") != NULL);
	compile_output_free(out);
	text = "dag: x\n" TASK;
	out = rig_compile(&text, 1, false);
	cr_expect(out->ok && out->v[0].plan != NULL && out->v[0].diags.n_warnings == 0);
	compile_output_free(out);
	LEAK_CHECK();
}

Test(dagfile_compile, one_name_belongs_to_one_file)
{
	const char *texts[] = {"dag: x\n" TASK, "dag: y\n" TASK, "dag: x\n" TASK};
	struct compile_output *out = rig_compile(texts, 3, true);
	const struct diag *d = rig_find(&out->v[2], "duplicate-dag");

	cr_expect(out->v[0].ok && out->v[1].ok && !out->v[2].ok);
	cr_assert(d != NULL);
	cr_expect(strstr(d->message, "/d/a.yaml, line 1") != NULL, "%s", d->message);
	compile_output_free(out);
	LEAK_CHECK();
}

Test(dagfile_compile, one_dag_owns_a_data_set)
{
	const char *texts[] = {
	    "dag: x\n" TASK "datasets: {lake/a: {}}\n", "dag: y\n" TASK "datasets: {lake/a: {}}\n"};
	struct compile_output *out = rig_compile(texts, 2, true);

	cr_expect(out->v[0].ok && rig_find(&out->v[1], "duplicate-owner") != NULL);
	compile_output_free(out);
	LEAK_CHECK();
}

Test(dagfile_compile, warns_of_data_sets_that_nobody_publishes)
{
	const char *texts[] = {LOAD("x", "lake/x"),
	    "dag: y\ntriggers: {t: {datasets: {all: [lake/x, lake/z]}}}\n" TASK,
	    "dag: z\ntriggers: {t: {datasets: {any: [lake/t.one]}}}\nsteps:\n  a: {foreach: {in: "
	    "[one]}, "
	    "extract: {connection: shop, table: \"${item}\"}, load: {connection: lake, dataset: "
	    "\"lake/t.${item}\", mode: append}}\n"};
	struct compile_output *out = rig_compile(texts, 3, true);
	const struct diag *d = rig_find(&out->v[1], "no-publisher");

	cr_expect(out->ok && out->v[1].diags.n_warnings == 1);
	cr_assert(d != NULL);
	cr_expect(strstr(d->message, "lake/z") != NULL);
	cr_expect(rig_find(&out->v[2], "no-publisher") == NULL, "a template may publish it");
	compile_output_free(out);
	LEAK_CHECK();
}

Test(dagfile_compile, warns_of_dags_that_start_each_other)
{
	const char *texts[] = {LOAD("x", "lake/x") "triggers: {t: {datasets: {any: [lake/y]}}}\n",
	    LOAD("y", "lake/y") "triggers: {t: {datasets: {any: [lake/x]}}}\n"};
	struct compile_output *out = rig_compile(texts, 2, true);

	cr_expect(out->ok);
	cr_expect(
	    rig_find(&out->v[0], "dag-cycle") != NULL || rig_find(&out->v[1], "dag-cycle") != NULL);
	compile_output_free(out);
	LEAK_CHECK();
}

Test(dagfile_compile, refuses_a_join_over_another_unit)
{
	const char *texts[] = {
	    LOAD("x", "lake/x") "datasets: {lake/x: {partition: {unit: hour}}}\n",
	    "dag: y\ntriggers: {t: {datasets: {all: [lake/x]}, join: day}}\n" TASK};
	struct compile_output *out = rig_compile(texts, 2, true);

	cr_expect(out->v[0].ok && rig_find(&out->v[1], "join-unit") != NULL);
	compile_output_free(out);
	LEAK_CHECK();
}

Test(dagfile_compile, knows_what_others_call_its_keys)
{
	static const struct {
		const char *text, *hint;
	} table[] = {
	    {"schedule: '@daily'\n", "here it is called \"triggers\""},
	    {"tasks: {}\n", "here it is called \"steps\""},
	    {"retries: 3\n", "did you mean \"retry\"?"},
	};

	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		struct str text;
		struct compile_output *out;
		const struct diag *d;

		str_init(&text, 4096);
		str_addf(&text, "dag: x\n%s" TASK, table[i].text);
		out = rig_compile_one(text.s);
		d = rig_find(&out->v[0], "unknown-key");
		cr_assert(d != NULL);
		cr_expect_str_eq(d->hint, table[i].hint);
		compile_output_free(out);
		str_done(&text);
	}
	LEAK_CHECK();
}

Test(dagfile_compile, reports_as_the_contract_says)
{
	struct compile_output *out =
	    rig_compile_one("dag: a\nsteps:\n  extract: {task: {plugin: exec, shell: x}}\n"
			    "  load: {needs: [extrct], task: {plugin: exec, shell: x}}\n");
	struct json *j = NULL;
	const struct json *e;
	struct err err = {0};
	struct str text;
	struct jw w;

	str_init(&text, 1u << 20);
	jw_init(&w, &text);
	compile_write_check(out, &w);
	cr_assert(json_parse(text.s, text.len, 1u << 20, &j, &err) == 0, "%s", err.text);
	cr_expect(!json_get_bool(j, "ok", true));
	e = json_at(json_path(json_at(json_get(j, "files"), 0), "errors"), 0);
	cr_expect(json_get_i64(e, "line", 0) == 4 && json_get_i64(e, "column", 0) == 18);
	cr_expect_str_eq(json_get_str(e, "key", ""), "steps.load.needs[0]");
	cr_expect_str_eq(json_get_str(e, "code", ""), "unknown-step");
	cr_expect_str_eq(json_get_str(e, "message", ""), "no step is called \"extrct\"");
	cr_expect_str_eq(json_get_str(e, "hint", ""), "did you mean \"extract\"?");
	json_free(j);
	str_done(&text);
	compile_output_free(out);
	LEAK_CHECK();
}

Test(dagfile_compile, an_unreadable_file_is_an_error_of_its_own)
{
	struct catalog *catalog = rig_catalog();
	struct compile_file file = {"x.yaml", NULL, 0, "x.yaml: permission denied"};
	struct compile_input in = {
	    .files = &file, .n_files = 1, .catalog = catalog, .now = TIME_NONE};
	struct compile_output *out = compile_set(&in);

	cr_expect(!out->ok);
	cr_expect_str_eq(out->v[0].diags.list.v[0].code, "unreadable");
	compile_output_free(out);
	catalog_free(catalog);
	LEAK_CHECK();
}
