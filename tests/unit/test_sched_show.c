/* Objects and pages as CONTRACT has them; runs found by every name; reasons in sentences. */
#include "core/sched/scope.h"
#include "core/sched/table.h"
#include "core/sched/why.h"
#include "leak.h"
#include "sched_rig.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

static struct json *parse(struct str *text)
{
	struct json *j;
	struct err err = {0};

	cr_assert(!text->failed);
	cr_assert_eq(json_parse(text->s, text->len, 1u << 24, &j, &err), 0, "%s: %s", err.text,
	    str_peek(text));
	str_done(text);
	return j;
}

static struct json *shown(struct rig *g, uint64_t run)
{
	struct str text;
	struct jw w;

	str_init(&text, 1u << 20);
	jw_init(&w, &text);
	cr_assert_eq(show_run(&g->mem.view, run, true, &w), 0);
	return parse(&text);
}

static const char *text_at(const struct json *j, const char *path)
{
	return json_str(json_path(j, path), "(none)");
}

Test(sched_show, run_object_has_every_member_of_the_contract)
{
	static const char *const run_keys[] = {"id", "dag", "plan", "state", "trigger", "key",
	    "revision", "window", "logical_time", "queued_at", "started_at", "ended_at", "steps"};
	static const char *const step_keys[] = {"name", "item", "state", "attempt", "class",
	    "message", "generation", "started_at", "ended_at", "rows_in", "rows_out",
	    "rows_rejected", "bytes", "outputs", "datasets"};
	const struct json *step;
	struct json *j;
	struct rig g;
	uint64_t run;

	rig_init(&g, 1);
	rig_dag(&g, "d", "a;f:a each=2", NULL, NULL);
	run = rig_start(&g, "d");
	rig_answer(&g, run, "a", OUTCOME_OK,
	    "{\"class\":\"ok\",\"rows_out\":3,\"outputs\":{\"n\":1},\"datasets\":[{\"name\":\"lake/"
	    "x\","
	    "\"partition\":\"day=2025-11-21\",\"changed\":true,\"complete_us\":1763683200000000}]"
	    "}");
	rig_drain(&g);
	j = shown(&g, run);
	for (size_t i = 0; i < sizeof(run_keys) / sizeof(run_keys[0]); i++)
		cr_assert_not_null(json_get(j, run_keys[i]), "%s", run_keys[i]);
	cr_assert_str_eq(text_at(j, "state"), "succeeded");
	cr_assert_str_eq(text_at(j, "trigger.kind"), "manual");
	cr_assert_str_eq(json_str(json_first(json_path(j, "trigger.events")), ""), "1");
	cr_assert_eq(strlen(text_at(j, "id")), 26);
	cr_assert_eq(strncmp(text_at(j, "plan"), "sha256:", 7), 0);
	cr_assert_eq(json_len(json_get(j, "steps")), 4);
	step = json_at(json_get(j, "steps"), 0);
	for (size_t i = 0; i < sizeof(step_keys) / sizeof(step_keys[0]); i++)
		cr_assert_not_null(json_get(step, step_keys[i]), "%s", step_keys[i]);
	cr_assert_str_eq(text_at(step, "class"), "ok");
	cr_assert_eq(json_i64(json_path(step, "outputs.n"), 0), 1);
	cr_assert_str_eq(text_at(json_first(json_get(step, "datasets")), "name"), "lake/x");
	cr_assert_eq(json_i64(json_path(json_first(json_get(step, "datasets")), "version"), 0), 1);
	cr_assert_str_eq(text_at(json_at(json_get(j, "steps"), 3), "item"), "2");
	json_free(j);
	rig_done(&g);
	LEAK_CHECK();
}

Test(sched_show, event_dag_and_dataset_objects)
{
	struct str text;
	struct json *j;
	struct jw w;
	struct rig g;

	rig_init(&g, 1);
	rig_dag(&g, "d", "a",
	    "{\"name\":\"t\",\"kind\":\"cron\",\"cron\":\"0 * * * *\",\"zone\":\"UTC\"}", NULL);
	rig_start(&g, "d");
	rig_answer(
	    &g, 1, "a", OUTCOME_OK, "{\"class\":\"ok\",\"datasets\":[{\"name\":\"lake/x\"}]}");
	str_init(&text, 1u << 20);
	jw_init(&w, &text);
	cr_assert_eq(show_event(&g.mem.view, 1, true, &w), 0);
	j = parse(&text);
	cr_assert_str_eq(text_at(j, "id"), "1");
	cr_assert_str_eq(text_at(j, "verdict"), "started");
	cr_assert_eq(strlen(json_str(json_first(json_get(j, "runs")), "")), 26);
	cr_assert(json_is(json_get(j, "joins"), JSON_ARRAY));
	json_free(j);
	str_init(&text, 1u << 20);
	jw_init(&w, &text);
	cr_assert_eq(show_dag(&g.mem.view, 1, true, g.now, &w), 0);
	j = parse(&text);
	cr_assert_str_eq(text_at(j, "dag"), "d");
	cr_assert_str_eq(text_at(j, "state"), "live");
	cr_assert_str_eq(text_at(j, "next"), "2025-11-21T01:00:00.000Z");
	cr_assert_str_eq(text_at(j, "last_run.state"), "succeeded");
	cr_assert_str_eq(text_at(j, "definition.dag"), "d");
	json_free(j);
	str_init(&text, 1u << 20);
	jw_init(&w, &text);
	cr_assert_eq(show_dataset(&g.mem.view, 1, true, &w), 0);
	j = parse(&text);
	cr_assert_str_eq(text_at(j, "name"), "lake/x");
	cr_assert_eq(json_len(json_get(j, "versions")), 1);
	json_free(j);
	rig_done(&g);
	LEAK_CHECK();
}

/* ---- lists ---- */

static size_t page(struct rig *g, struct list_query *q, char *next, struct json **ret)
{
	struct str text;
	struct jw w;

	str_init(&text, 1u << 24);
	jw_init(&w, &text);
	jw_array(&w);
	cr_assert_eq(list_runs(&g->mem.view, q, &w, next, NULL), 0);
	jw_end_array(&w);
	*ret = parse(&text);
	return json_len(*ret);
}

Test(sched_list, pages_are_whole_and_newest_first)
{
	struct list_query q = {.limit = 7, .since = TIME_NONE};
	char next[LIST_NEXT_MAX] = "", after[LIST_NEXT_MAX];
	struct json *j;
	struct rig g;
	size_t seen = 0;

	rig_init(&g, 1);
	g.no_check = true;
	rig_dag(&g, "d", "a", NULL, "\"max_runs\":100");
	rig_dag(&g, "e", "a", NULL, NULL);
	for (int i = 0; i < 25; i++) {
		rig_start(&g, i % 5 == 0 ? "e" : "d");
		g.now += US_PER_S;
	}
	do {
		str_copy(after, sizeof(after), next);
		q.after = after;
		seen += page(&g, &q, next, &j);
		cr_assert_null(json_get(json_first(j), "steps"));
		json_free(j);
	} while (next[0] != 0);
	cr_assert_eq(seen, 25);
	q = (struct list_query){.limit = 100, .since = TIME_NONE, .dag = "e"};
	cr_assert_eq(page(&g, &q, next, &j), 5);
	cr_assert_str_eq(text_at(json_first(j), "queued_at"), "2025-11-21T00:00:20.000Z");
	json_free(j);
	q.state = "queued";
	cr_assert_eq(page(&g, &q, next, &j), 4);
	json_free(j);
	q = (struct list_query){.limit = 100, .since = RIG_T0 + 20 * US_PER_S};
	cr_assert_eq(page(&g, &q, next, &j), 5);
	json_free(j);
	q = (struct list_query){.limit = 100, .since = TIME_NONE, .state = "queued"};
	cr_assert_eq(page(&g, &q, next, &j), 4);
	json_free(j);
	rig_done(&g);
	LEAK_CHECK();
}

static void put_run(const struct view *v, uint64_t no, uint32_t dag_no, enum run_state state)
{
	struct run_rec r = {.no = no, .dag_no = dag_no, .state = state};
	struct key k;

	r.queued_at = (wall_us)no;
	snprintf(r.key, sizeof(r.key), "%llu", (unsigned long long)no);
	cr_assert_eq(run_put(v, &r), 0);
	key_run_dag(&k, dag_no, no);
	cr_assert_eq(view_put(v, TABLE_RUN_DAG, k.b, k.n, NULL, 0), 0);
	key_run_state(&k, state, no);
	cr_assert_eq(view_put(v, TABLE_RUN_STATE, k.b, k.n, NULL, 0), 0);
}

/* The pages of a DAG's runs in a state hold what a look at each run finds, newest first. */
static void same_pages(struct rig *g, uint32_t dag_no, enum run_state state, uint32_t limit)
{
	struct list_query q = {.limit = limit, .since = TIME_NONE, .dag = dag_no == 1 ? "d" : "e"};
	char next[LIST_NEXT_MAX] = "", after[LIST_NEXT_MAX], want[24];
	const struct json *at;
	struct run_rec r;
	struct json *j;
	uint64_t no = 400;

	q.state = run_state_name(state);
	do {
		str_copy(after, sizeof(after), next);
		q.after = after;
		(void)page(g, &q, next, &j);
		for (at = json_first(j); at != NULL; at = json_next(at)) {
			while (run_get(&g->mem.view, --no, &r) == 0)
				if (r.dag_no == dag_no && r.state == state)
					break;
			snprintf(want, sizeof(want), "%llu", (unsigned long long)no);
			cr_assert_str_eq(text_at(at, "key"), want);
		}
		json_free(j);
	} while (next[0] != 0);
	while (run_get(&g->mem.view, --no, &r) == 0)
		cr_assert(r.dag_no != dag_no || r.state != state, "run %d", (int)no);
}

Test(sched_list, runs_of_a_dag_in_a_state_are_those_of_both)
{
	struct rig g;

	rig_init(&g, 1);
	g.no_check = true;
	rig_dag(&g, "d", "a", NULL, NULL);
	rig_dag(&g, "e", "a", NULL, NULL);
	for (uint64_t no = 1; no < 400; no++)
		put_run(&g.mem.view, no, no % 7 < 3 ? 1 : 2,
		    no % 97 == 5 ? RUN_FAILED
		    : no < 200	 ? RUN_SUCCEEDED
				 : RUN_QUEUED);
	for (uint32_t dag_no = 1; dag_no <= 2; dag_no++)
		for (int state = 0; state < RUN_STATE_N; state++) {
			same_pages(&g, dag_no, (enum run_state)state, 1);
			same_pages(&g, dag_no, (enum run_state)state, 3);
			same_pages(&g, dag_no, (enum run_state)state, 1000);
		}
	rig_done(&g);
	LEAK_CHECK();
}

Test(sched_list, wrong_filters_are_usage_errors)
{
	struct list_query q = {.limit = 7, .since = TIME_NONE, .after = "x'y"};
	char next[LIST_NEXT_MAX];
	struct err err = {0};
	struct str text;
	struct jw w;
	struct rig g;

	rig_init(&g, 1);
	str_init(&text, 4096);
	jw_init(&w, &text);
	cr_assert_eq(list_runs(&g.mem.view, &q, &w, next, &err), ERR_USAGE);
	q.after = NULL;
	q.state = "dancing";
	cr_assert_eq(list_runs(&g.mem.view, &q, &w, next, &err), ERR_USAGE);
	q.state = NULL;
	q.dag = "nope";
	cr_assert_eq(list_runs(&g.mem.view, &q, &w, next, &err), ERR_NOT_FOUND);
	str_done(&text);
	rig_done(&g);
	LEAK_CHECK();
}

Test(sched_list, dags_datasets_events_pools_and_tokens)
{
	struct list_query q = {.limit = 1, .since = TIME_NONE};
	char next[LIST_NEXT_MAX], after[LIST_NEXT_MAX];
	struct str text;
	struct json *j;
	struct jw w;
	struct rig g;

	rig_init(&g, 1);
	rig_dag(&g, "b", "a pool=one", NULL, "\"max_runs\":9");
	rig_dag(&g, "a", "a", NULL, NULL);
	rig_start(&g, "b");
	rig_start(&g, "b");
	str_init(&text, 1u << 20);
	jw_init(&w, &text);
	jw_array(&w);
	cr_assert_eq(list_dags(&g.mem.view, &q, g.now, &w, next, NULL), 0);
	cr_assert_neq(next[0], 0);
	str_copy(after, sizeof(after), next);
	q.after = after;
	cr_assert_eq(list_dags(&g.mem.view, &q, g.now, &w, next, NULL), 0);
	cr_assert_eq(next[0], 0);
	q = (struct list_query){.limit = 9, .since = TIME_NONE};
	cr_assert_eq(list_datasets(&g.mem.view, &q, &w, next, NULL), 0);
	cr_assert_eq(list_events(&g.mem.view, &q, &w, next, NULL), 0);
	cr_assert_eq(list_tokens(&g.mem.view, &w), 0);
	cr_assert_eq(list_pools(&g.mem.view, &g.conf, &w), 0);
	jw_end_array(&w);
	j = parse(&text);
	cr_assert_eq(json_len(j), 2 + 2 + 3);
	cr_assert_str_eq(text_at(json_at(j, 0), "dag"), "a");
	cr_assert_str_eq(text_at(json_at(j, 4), "name"), "workers");
	cr_assert_eq(json_get_i64(json_at(j, 4), "used", -1), 1);
	json_free(j);
	rig_done(&g);
	LEAK_CHECK();
}

/* ---- names ---- */

Test(sched_find, a_run_by_every_name)
{
	static const char cron[] =
	    "{\"name\":\"t\",\"kind\":\"cron\",\"cron\":\"30 2 * * *\",\"zone\":\"UTC\","
	    "\"covers\":{\"unit\":\"day\",\"offset\":-1}}";
	char id[HASH_ID_TEXT], prefix[8];
	struct op op = {.kind = OP_START};
	struct err err = {0};
	struct run_rec r;
	struct rig g;
	uint64_t run;

	rig_init(&g, 1);
	rig_dag(&g, "d", "a", cron, NULL);
	op.u.start.dag = "d";
	op.u.start.at = RIG_T0;
	cr_assert_eq(rig_op(&g, &op), 0);
	rig_start_key(&g, "d", "special");
	cr_assert_eq(run_get(&g.mem.view, 1, &r), 0);
	hash_to_base32(r.id, id);
	memcpy(prefix, id, 7);
	prefix[7] = 0;
	cr_assert(find_run(&g.mem.view, id, &run, &err) == 0 && run == 1);
	cr_assert(find_run(&g.mem.view, prefix, &run, &err) == 0 && run == 1);
	cr_assert(find_run(&g.mem.view, "d", &run, &err) == 0 && run == 2);
	cr_assert(find_run(&g.mem.view, "d@special", &run, &err) == 0 && run == 2);
	cr_assert(find_run(&g.mem.view, "d@2025-11-20", &run, &err) == 0 && run == 1);
	cr_assert(find_run(&g.mem.view, "d@2025-11-21", &run, &err) == 0, "by logical date");
	cr_assert_eq(find_run(&g.mem.view, "d@2025-11-23", &run, &err), ERR_NOT_FOUND);
	prefix[5] = 0;
	cr_assert_eq(find_run(&g.mem.view, prefix, &run, &err), ERR_NOT_FOUND, "too short");
	cr_assert_eq(find_run(&g.mem.view, "", &run, &err), ERR_NOT_FOUND);
	cr_assert_eq(find_run(&g.mem.view, "nope", &run, &err), ERR_NOT_FOUND);
	rig_done(&g);
	LEAK_CHECK();
}

Test(sched_find, what_is_not_there_is_told_with_what_to_do)
{
	static const char *const names[][2] = {
	    {"nightly", "DAG nightly has not run yet: `sluice run nightly` starts it"},
	    {"nightly@2025-11-23",
		"has no run for \"2025-11-23\": see `sluice runs --dag nightly`"},
	    {"nope", "no run is called \"nope\": give its id"},
	};
	static const char *const dags[][2] = {
	    {"nightl", "there is no DAG \"nightl\"; did you mean \"nightly\"?"},
	    {"hourli", "did you mean \"hourly\"?"},
	    {"zzzzzzz", "there is no DAG \"zzzzzzz\"; see: sluice dags"},
	    {"", "there is no DAG \"\"; see: sluice dags"},
	    {"gone", "there is no DAG \"gone\" any more: its file is gone"},
	};
	struct op_file f = {.path = "gone.yaml", .gone = true};
	struct op op = {.kind = OP_PLANS};
	struct err err = {0};
	struct rig g;
	uint64_t run;

	rig_init(&g, 1);
	rig_dag(&g, "nightly", "a", NULL, NULL);
	rig_dag(&g, "hourly", "a", NULL, NULL);
	rig_dag(&g, "gone", "a", NULL, NULL);
	op.u.plans.files = &f;
	op.u.plans.n_files = 1;
	cr_assert_eq(rig_op(&g, &op), 0);
	for (size_t i = 0; i < 3; i++) {
		cr_assert_eq(find_run(&g.mem.view, names[i][0], &run, &err), ERR_NOT_FOUND);
		cr_assert_not_null(strstr(err.text, names[i][1]), "%s", err.text);
	}
	for (size_t i = 0; i < 5; i++) {
		cr_assert_eq(find_no_dag(&g.mem.view, dags[i][0], &err), ERR_NOT_FOUND);
		cr_assert_not_null(strstr(err.text, dags[i][1]), "%s", err.text);
	}
	rig_done(&g);
	LEAK_CHECK();
}

Test(sched_find, an_ambiguous_prefix_names_two)
{
	uint8_t id[2][HASH_ID_BYTES] = {{1, 2, 3, 4, 5, 6}, {1, 2, 3, 4, 5, 7}};
	uint8_t no[8] = {0, 0, 0, 0, 0, 0, 0, 1};
	char text[HASH_ID_TEXT];
	struct err err = {0};
	struct memview m;
	uint64_t run;

	memview_init(&m);
	for (int i = 0; i < 2; i++)
		cr_assert_eq(view_put(&m.view, TABLE_RUN_ID, id[i], HASH_ID_BYTES, no, 8), 0);
	hash_to_base32(id[0], text);
	text[6] = 0;
	cr_assert_eq(find_run(&m.view, text, &run, &err), ERR_CONFLICT);
	cr_assert_not_null(strstr(err.text, "more than one run"));
	memview_done(&m);
	LEAK_CHECK();
}

Test(sched_find, steps_and_items)
{
	struct step_ref ref;
	struct err err = {0};
	struct rig g;

	rig_init(&g, 1);
	rig_dag(&g, "d", "load;f each=2", NULL, NULL);
	rig_start(&g, "d");
	cr_assert_eq(find_step(&g.mem.view, 1, "f[2]", &ref, &err), 0);
	cr_assert(ref.step == 1 && ref.item == 2);
	cr_assert_eq(find_step(&g.mem.view, 1, "f[3]", &ref, &err), ERR_NOT_FOUND);
	cr_assert_eq(find_step(&g.mem.view, 1, "f[", &ref, &err), ERR_NOT_FOUND);
	cr_assert_eq(find_step(&g.mem.view, 1, "laod", &ref, &err), ERR_NOT_FOUND);
	cr_assert_not_null(strstr(err.text, "\"load\""));
	rig_done(&g);
	LEAK_CHECK();
}

/* ---- why ---- */

static void expect_why(
    struct rig *g, uint64_t run, const char *step, const char *code, const char *says)
{
	const struct json *reasons;
	struct str text;
	struct json *j;
	struct jw w;
	bool found = false;

	str_init(&text, 1u << 20);
	jw_init(&w, &text);
	cr_assert_eq(why_run(&g->mem.view, &g->env, run, step, NULL, g->now, &w, NULL), 0);
	j = parse(&text);
	reasons = json_get(j, "reasons");
	for (const struct json *r = json_first(reasons); r != NULL; r = json_next(r))
		found = found || (str_eq(json_get_str(r, "code", ""), code) &&
				     strstr(json_get_str(r, "text", ""), says) != NULL);
	str_init(&text, 1u << 20);
	json_print(j, &text);
	cr_assert(found, "%s \"%s\" not in %s", code, says, str_peek(&text));
	str_done(&text);
	json_free(j);
}

Test(sched_why, a_sentence_for_every_kind_of_waiting_and_end)
{
	struct rig g;

	rig_init(&g, 2);
	rig_dag(&g, "d", "a retry=2 delay=1000;b:a;s:a when=one_failed;x only;y pool=one;q", NULL,
	    NULL);
	rig_start(&g, "d");
	rig_start(&g, "d");
	expect_why(&g, 1, "b", "needs",
	    "step b waits for step a, which is running on attempt 1 since "
	    "2025-11-21T00:00:00.000Z");
	expect_why(&g, 1, "q", "worker", "step q waits for a worker: 2 of 2 are busy");
	expect_why(&g, 2, NULL, "max_runs", "the run waits: max_runs 1 of DAG d is used by run ");
	rig_fail(&g, 1, "a", "transient");
	expect_why(&g, 1, "a", "retry", "is tried again at 2025-11-21T00:00:01.000Z");
	expect_why(&g, 1, "b", "needs", "which is tried again at");
	rig_due(&g, g.now + 1000 * US_PER_MS);
	g.env.pool[0].up = false;
	rig_ok(&g, 1, "x");
	rig_ok(&g, 1, "y");
	expect_why(&g, 1, NULL, "no_pool", "no worker pool is connected");
	rig_pool_up(&g, 2, NULL, NULL, 0);
	rig_fail(&g, 1, "a", "data");
	expect_why(&g, 1, "a", "failed",
	    "failed on attempt 2 (data): it broke; this class is not retried");
	expect_why(&g, 1, "b", "upstream_failed", "step a failed: it broke");
	rig_drain(&g);
	expect_why(&g, 1, NULL, "failed", "step a failed");
	expect_why(&g, 2, NULL, "succeeded", "the run succeeded at");
	expect_why(&g, 2, "s", "skipped",
	    "step s is skipped: `when: one_failed` is not met: step a succeeded");
	rig_done(&g);
	LEAK_CHECK();
}

Test(sched_why, pools_exclusive_steps_groups_and_cancel)
{
	struct op op = {.kind = OP_PAUSE};
	struct rig g;

	rig_init(&g, 9);
	rig_dag(&g, "d", "y pool=one;x only;f each=3 par=1", NULL, "\"max_runs\":2");
	rig_start(&g, "d");
	rig_start(&g, "d");
	rig_start(&g, "d");
	expect_why(&g, 2, "y", "pool_tokens",
	    "step y waits for 1 of pool one, which has 1, 1 of them used");
	expect_why(&g, 2, "y", "holder", "held by step y of run ");
	expect_why(&g, 2, "x", "exclusive", "only one attempt of it may run at a time");
	expect_why(&g, 1, "f[3]", "max_parallel", "max_parallel 1 of its foreach is used up");
	op.u.pause.dag = "d";
	op.u.pause.on = true;
	cr_assert_eq(rig_op(&g, &op), 0);
	expect_why(&g, 3, NULL, "paused", "`sluice resume d` lets it go on");
	rig_cancel(&g, 1);
	expect_why(&g, 1, NULL, "cancelled", "cancelled by test");
	expect_why(&g, 1, "y", "running", "the run is cancelled, it is being stopped");
	rig_done(&g);
	LEAK_CHECK();
}

Test(sched_why, events_dags_and_data_sets)
{
	struct str text;
	struct err err = {0};
	struct jw w;
	struct rig g;

	rig_init(&g, 1);
	rig_dag(&g, "d", "a",
	    "{\"name\":\"j\",\"kind\":\"datasets\",\"datasets\":{\"rule\":\"all\",\"members\":[{"
	    "\"name\":\"lake/x\"},{\"name\":\"lake/y\"}]}}",
	    NULL);
	rig_start(&g, "d");
	rig_answer(
	    &g, 1, "a", OUTCOME_OK, "{\"class\":\"ok\",\"datasets\":[{\"name\":\"lake/x\"}]}");
	str_init(&text, 1u << 20);
	jw_init(&w, &text);
	jw_array(&w);
	cr_assert_eq(why_dag(&g.mem.view, &g.env, "d", g.now, &w, &err), 0);
	cr_assert_eq(why_event(&g.mem.view, 2, &w, &err), 0);
	cr_assert_eq(why_dataset(&g.mem.view, "lake/x", g.now, &w, &err), 0);
	cr_assert_eq(why_dataset(&g.mem.view, "lake/y", g.now, &w, &err), 0);
	jw_end_array(&w);
	cr_assert_not_null(strstr(str_peek(&text), "waits in join j: missing lake/y"));
	cr_assert_not_null(strstr(str_peek(&text), "waits in join d/j: missing lake/y"));
	cr_assert_not_null(strstr(str_peek(&text), "version 1 was published at"));
	cr_assert_not_null(strstr(str_peek(&text), "lake/y was never published"));
	cr_assert_eq(why_dag(&g.mem.view, &g.env, "zz", g.now, &w, &err), ERR_NOT_FOUND);
	cr_assert_eq(why_event(&g.mem.view, 99, &w, &err), ERR_NOT_FOUND);
	str_done(&text);
	rig_done(&g);
	LEAK_CHECK();
}

Test(sched_why, a_failed_run_is_told_that_its_file_was_mended)
{
	struct rig g;

	rig_init(&g, 1);
	rig_dag(&g, "d", "a", NULL, NULL);
	rig_start(&g, "d");
	rig_fail(&g, 1, "a", "data");
	rig_dag(&g, "d", "a;b:a", NULL, NULL);
	expect_why(&g, 1, NULL, "plan", "DAG d has changed since: `sluice rerun ");
	rig_dag(&g, "d", "a", NULL, NULL);
	expect_why(&g, 1, NULL, "failed", "step a failed");
	rig_done(&g);
	LEAK_CHECK();
}

Test(sched_scope, holds_what_templates_may_name)
{
	const struct plan *p;
	struct step_rec s;
	struct run_rec r;
	struct json *env;
	struct rig g;

	rig_init(&g, 9);
	rig_dag(&g, "d", "a;b;f:a each=2", NULL,
	    "\"params\":[{\"name\":\"p\",\"type\":\"integer\",\"default\":7}]");
	rig_start(&g, "d");
	rig_answer(&g, 1, "a", OUTCOME_OK, "{\"class\":\"ok\",\"outputs\":{\"n\":5}}");
	cr_assert_eq(run_get(&g.mem.view, 1, &r), 0);
	cr_assert_eq(g.mem.view.plan(g.mem.view.ctx, r.plan, &p, NULL), 0);
	s = rig_step(&g, 1, "f[2]");
	cr_assert_eq(scope_build(&g.mem.view, &r, p, &s, &env), 0);
	cr_assert_eq(json_i64(json_path(env, "params.p"), 0), 7);
	cr_assert_eq(json_i64(json_path(env, "steps.a.outputs.n"), 0), 5);
	cr_assert_null(json_path(env, "steps.b"));
	cr_assert_eq(json_i64(json_get(env, "item"), 0), 2);
	cr_assert_str_eq(text_at(env, "run.dag"), "d");
	cr_assert_eq(json_i64(json_path(env, "run.attempt"), 0), 1);
	cr_assert_str_eq(text_at(env, "trigger.kind"), "manual");
	cr_assert_str_eq(text_at(env, "event.source"), "manual");
	cr_assert(json_is(json_get(env, "partition"), JSON_NULL));
	json_free(env);
	rig_done(&g);
	LEAK_CHECK();
}
