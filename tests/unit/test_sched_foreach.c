/* Groups: expansion with stable keys, max_parallel, tolerate, reruns of items. */
#include "core/sched/table.h"
#include "leak.h"
#include "sched_rig.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

static uint64_t begin(struct rig *g, const char *steps, uint32_t workers)
{
	rig_init(g, workers);
	rig_dag(g, "d", steps, NULL, NULL);
	return rig_start(g, "d");
}

Test(sched_foreach, every_item_runs_and_the_group_ends_with_the_last)
{
	struct rig g;
	uint64_t run = begin(&g, "f each=3;z:f", 8);

	cr_assert_eq(rig_state(&g, run, "f"), STEP_RUNNING);
	cr_assert_eq(g.jobs.n, 3);
	cr_assert(rig_answer(&g, run, "f[2]", OUTCOME_OK, "{\"class\":\"ok\",\"rows_out\":5}"));
	cr_assert(rig_ok(&g, run, "f[1]"));
	cr_assert_eq(rig_state(&g, run, "z"), STEP_WAITING);
	cr_assert(rig_answer(&g, run, "f[3]", OUTCOME_OK, "{\"class\":\"ok\",\"rows_out\":6}"));
	cr_assert_eq(rig_state(&g, run, "f"), STEP_SUCCEEDED);
	cr_assert_eq(rig_step(&g, run, "f").rows_out, 11);
	cr_assert_eq(rig_state(&g, run, "z"), STEP_RUNNING);
	rig_done(&g);
	LEAK_CHECK();
}

Test(sched_foreach, max_parallel_holds_and_moves_on)
{
	struct rig g;
	uint64_t run = begin(&g, "f each=5 par=2", 8);

	cr_assert_eq(g.jobs.n, 2);
	cr_assert_eq(memview_count(&g.mem, TABLE_BLOCKED), 3);
	for (int i = 0; i < 3; i++) {
		rig_answer_at(&g, 0, OUTCOME_OK, "");
		cr_assert_eq(g.jobs.n, 2);
	}
	rig_drain(&g);
	cr_assert_eq(rig_run_state(&g, run), RUN_SUCCEEDED);
	rig_done(&g);
	LEAK_CHECK();
}

Test(sched_foreach, an_empty_list_is_done_at_once)
{
	struct rig g;
	uint64_t run = begin(&g, "f each=0;z:f", 1);

	cr_assert_eq(rig_state(&g, run, "f"), STEP_SUCCEEDED);
	cr_assert_eq(rig_state(&g, run, "z"), STEP_RUNNING);
	rig_done(&g);
	LEAK_CHECK();
}

Test(sched_foreach, a_list_comes_out_of_what_another_step_said)
{
	struct rig g;
	uint64_t run = begin(&g, "l;f:l each=${steps.l.outputs.list}", 8);

	rig_answer(
	    &g, run, "l", OUTCOME_OK, "{\"class\":\"ok\",\"outputs\":{\"list\":[\"x\",\"y\"]}}");
	cr_assert(rig_ok(&g, run, "f[x]"));
	cr_assert(rig_ok(&g, run, "f[y]"));
	cr_assert_eq(rig_run_state(&g, run), RUN_SUCCEEDED);
	rig_done(&g);
	LEAK_CHECK();
}

Test(sched_foreach, a_bad_list_is_class_config)
{
	static const struct {
		const char *outputs, *says;
	} cases[] = {
	    {"{\"list\":[\"x\",\"y\",\"x\"]}", "two items have the key \"x\""},
	    {"{\"list\":\"x\"}", "is not a list"},
	    {"{\"list\":[{\"a\":1}]}", "give `key`"},
	    {"{\"list\":[\"\"]}", "1 to 255 bytes"},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct rig g;
		uint64_t run = begin(&g, "l;f:l each=${steps.l.outputs.list}", 8);
		char report[256];

		snprintf(
		    report, sizeof(report), "{\"class\":\"ok\",\"outputs\":%s}", cases[i].outputs);
		rig_answer(&g, run, "l", OUTCOME_OK, report);
		cr_assert_eq(rig_state(&g, run, "f"), STEP_FAILED, "case %zu", i);
		cr_assert_eq(rig_step(&g, run, "f").class_, CLASS_CONFIG);
		cr_assert_not_null(strstr(rig_step(&g, run, "f").message, cases[i].says),
		    "case %zu: %s", i, rig_step(&g, run, "f").message);
		cr_assert_eq(memview_count(&g.mem, TABLE_ITEM), 0);
		rig_done(&g);
	}
	LEAK_CHECK();
}

Test(sched_foreach, tolerate_counts_failed_items)
{
	struct rig g;
	uint64_t run = begin(&g, "f each=3 tol=1", 8);

	rig_fail(&g, run, "f[1]", "data");
	rig_drain(&g);
	cr_assert_eq(rig_state(&g, run, "f"), STEP_SUCCEEDED);
	cr_assert_eq(rig_run_state(&g, run), RUN_SUCCEEDED);
	rig_done(&g);
	run = begin(&g, "f each=3 tol=1", 8);
	rig_fail(&g, run, "f[1]", "data");
	rig_fail(&g, run, "f[3]", "data");
	rig_drain(&g);
	cr_assert_eq(rig_state(&g, run, "f"), STEP_FAILED);
	cr_assert_str_eq(rig_step(&g, run, "f").message, "2 of 3 items failed: 1, 3");
	cr_assert_eq(rig_step(&g, run, "f").class_, CLASS_DATA);
	rig_done(&g);
	LEAK_CHECK();
}

/* Whole items of the percentage, or the number where that is more. */
Test(sched_foreach, tolerate_counts_percent_too)
{
	static const struct {
		const char *steps;
		unsigned items, tolerated;
	} cases[] = {
	    {"f each=10 pct=20", 10, 2},
	    {"f each=9 pct=20", 9, 1},
	    {"f each=4 pct=20", 4, 0},
	    {"f each=10 pct=20 tol=1", 10, 2},
	    {"f each=10 pct=20 tol=3", 10, 3},
	    {"f each=3 pct=100", 3, 3},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		for (unsigned bad = 0; bad <= cases[i].items; bad++) {
			struct rig g;
			uint64_t run = begin(&g, cases[i].steps, 16);
			char item[16];

			for (unsigned n = 1; n <= bad; n++) {
				snprintf(item, sizeof(item), "f[%u]", n);
				cr_assert(rig_fail(&g, run, item, "data"));
			}
			rig_drain(&g);
			cr_expect_eq(rig_state(&g, run, "f"),
			    bad > cases[i].tolerated ? STEP_FAILED : STEP_SUCCEEDED, "%s: %u bad",
			    cases[i].steps, bad);
			rig_done(&g);
		}
	}
	LEAK_CHECK();
}

Test(sched_foreach, a_rerun_takes_the_failed_items_only)
{
	struct rig g;
	uint64_t run = begin(&g, "f each=3;z:f", 8);

	rig_fail(&g, run, "f[2]", "data");
	rig_drain(&g);
	cr_assert_eq(rig_run_state(&g, run), RUN_FAILED);
	cr_assert_eq(rig_rerun(&g, run, NULL), 0);
	cr_assert_eq(g.jobs.n, 1);
	cr_assert_eq(rig_step(&g, run, "f[2]").generation, 1);
	cr_assert_eq(rig_step(&g, run, "f[2]").attempt, 2);
	cr_assert_eq(rig_step(&g, run, "f[1]").generation, 0);
	rig_drain(&g);
	cr_assert_eq(rig_run_state(&g, run), RUN_SUCCEEDED);
	cr_assert_eq(rig_state(&g, run, "z"), STEP_SUCCEEDED);
	/* all ended well: the whole group again, and one item by name */
	cr_assert_eq(rig_rerun(&g, run, "f"), 0);
	cr_assert_eq(g.jobs.n, 3);
	rig_drain(&g);
	cr_assert_eq(rig_rerun(&g, run, "f[3]"), 0);
	cr_assert_eq(g.jobs.n, 1);
	rig_drain(&g);
	cr_assert_eq(rig_run_state(&g, run), RUN_SUCCEEDED);
	rig_done(&g);
	LEAK_CHECK();
}

Test(sched_foreach, when_its_list_changes_items_come_and_go)
{
	struct rig g;
	uint64_t run = begin(&g, "l;f:l each=${steps.l.outputs.list}", 8);

	rig_answer(
	    &g, run, "l", OUTCOME_OK, "{\"class\":\"ok\",\"outputs\":{\"list\":[\"x\",\"y\"]}}");
	rig_fail(&g, run, "f[x]", "data");
	rig_drain(&g);
	cr_assert_eq(rig_rerun(&g, run, "l"), 0);
	rig_answer(
	    &g, run, "l", OUTCOME_OK, "{\"class\":\"ok\",\"outputs\":{\"list\":[\"y\",\"z\"]}}");
	cr_assert_eq(g.jobs.n, 2);
	rig_drain(&g);
	cr_assert_eq(rig_state(&g, run, "f[x]"), STEP_SKIPPED);
	cr_assert_eq(rig_step(&g, run, "f[y]").generation, 1);
	cr_assert_eq(rig_step(&g, run, "f[z]").generation, 0);
	cr_assert_eq(rig_run_state(&g, run), RUN_SUCCEEDED);
	rig_done(&g);
	LEAK_CHECK();
}

Test(sched_foreach, cancel_ends_the_items_that_wait)
{
	struct rig g;
	uint64_t run = begin(&g, "f each=5 par=2;z:f", 8);

	rig_cancel(&g, run);
	cr_assert_eq(rig_state(&g, run, "f[5]"), STEP_CANCELLED);
	cr_assert_eq(rig_state(&g, run, "f"), STEP_RUNNING);
	rig_answer_at(&g, 0, OUTCOME_CANCELLED, "");
	rig_answer_at(&g, 0, OUTCOME_OK, "");
	cr_assert_eq(rig_state(&g, run, "f"), STEP_CANCELLED);
	cr_assert_eq(rig_run_state(&g, run), RUN_CANCELLED);
	rig_done(&g);
	LEAK_CHECK();
}

#define STEP_REST                                                                                  \
	"\"kind\":\"task\",\"retry\":{\"attempts\":1,\"delay_ms\":0,\"backoff\":2,\"jitter\":0,"   \
	"\"max_delay_ms\":0},\"timeout_ms\":-1"

static void add_list(struct str *out, const char *item, int n)
{
	for (int i = 0; i < n; i++)
		str_addf(out, "%s%s", i > 0 ? "," : "", item);
}

/* The outcome of another step brings the list about: it must be stored whatever the list holds. */
static void refuses_list(const char *item, int n, const char *says)
{
	struct str plan;
	struct rig g;
	uint64_t run;

	str_init(&plan, PLAN_MAX_BYTES);
	str_add(&plan,
	    "{\"v\":1,\"dag\":\"d\",\"timezone\":\"UTC\",\"triggers\":[],\"steps\":["
	    "{\"name\":\"l\",\"needs\":[]," STEP_REST
	    "},{\"name\":\"f\",\"needs\":[{\"step\":0}]," STEP_REST ",\"foreach\":{\"in\":[");
	add_list(&plan, item, n);
	str_add(
	    &plan, "],\"as\":\"i\",\"key\":\"${length(i)}\",\"max_parallel\":0,\"tolerate\":0}}]}");
	rig_init(&g, 2);
	rig_file(&g, "d.yaml", str_peek(&plan));
	run = rig_start(&g, "d");
	cr_assert(rig_ok(&g, run, "l"));
	cr_assert_eq(rig_state(&g, run, "f"), STEP_FAILED);
	cr_assert_eq(rig_step(&g, run, "f").class_, CLASS_CONFIG);
	cr_assert_not_null(
	    strstr(rig_step(&g, run, "f").message, says), "%s", rig_step(&g, run, "f").message);
	rig_done(&g);
	str_done(&plan);
}

Test(sched_foreach, an_item_that_is_no_record_is_class_config)
{
	refuses_list("\"${join(range(50000), '0123456789')}\"", 1, "256 KiB");
	refuses_list("\"${join(range(12000), '0123456789')}\"", 120, "16 MiB together");
	LEAK_CHECK();
}
