/* The pipeline: extract → transform → load, its failures and its promises, with the probe plugin.
 */
#include "core/base/mem.h"
#include "tests/unit/leak.h"
#include "tests/unit/worker_rig.h"

#include <criterion/criterion.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

static void assert_rows(const struct rig *r, int64_t in, int64_t out, int64_t rejected)
{
	cr_assert_eq(json_get_i64(r->report, "rows_in", -1), in, "in %s", str_peek(&r->log));
	cr_assert_eq(json_get_i64(r->report, "rows_out", -1), out);
	cr_assert_eq(json_get_i64(r->report, "rows_rejected", -1), rejected);
}

static int count_lines(const char *text)
{
	int n = 0;

	for (; text != NULL && *text != '\0'; text++)
		n += *text == '\n';
	return n;
}

Test(worker_pipeline, moves_all_rows_and_reports_the_data_set)
{
	struct rig r;
	char *file;
	const struct json *d;

	rig_init(&r, "{" PROBE_EXTRACT ",'options':{'rows':1000,'batch':64}},"
		     "'transform':[{'plugin':'probe','type':'probe','options':{}},{'plugin':'probe'"
		     ",'type':'probe','options':{}}]," PROBE_LOAD "}}");
	rig_run(&r);
	cr_assert_str_eq(rig_class(&r), "ok", "%s", rig_message(&r));
	assert_rows(&r, 1000, 1000, 0);
	file = rig_file(&r, "t");
	cr_assert_eq(count_lines(file), 1000);
	d = json_first(json_get(r.report, "datasets"));
	cr_assert_str_eq(json_get_str(d, "name", ""), "store/t");
	cr_assert_eq(
	    json_get_i64(d, "complete_us", -1), 1000000, "the bound is what was looked at");
	cr_assert(json_get_bool(d, "changed", false));
	cr_assert(json_is(json_get(r.report, "cursor"), JSON_NULL));
	cr_assert(strstr(json_get_str(r.report, "plugin_sha", ""), "probe:") != NULL);
	mem_free(file);
	rig_done(&r);
	LEAK_CHECK();
}

Test(worker_pipeline, publishes_zero_rows_with_their_watermark)
{
	struct rig r;

	rig_init(&r, "{" PROBE_EXTRACT ",'options':{'rows':0}}," PROBE_LOAD "}}");
	rig_run(&r);
	cr_assert_str_eq(rig_class(&r), "ok", "%s", rig_message(&r));
	assert_rows(&r, 0, 0, 0);
	cr_assert_eq(
	    json_get_i64(json_first(json_get(r.report, "datasets")), "complete_us", -1), 1000000);
	rig_done(&r);
	LEAK_CHECK();
}

Test(worker_pipeline, takes_partitions_from_the_load)
{
	struct rig r;
	const struct json *d;

	rig_init(
	    &r, "{" PROBE_EXTRACT ",'options':{}}," PROBE_LOAD ",'options':{'fault':'parts'}}}");
	rig_run(&r);
	d = json_get(r.report, "datasets");
	cr_assert_eq(json_len(d), 2);
	cr_assert_str_eq(json_get_str(json_first(d), "partition", ""), "day=2026-11-21");
	cr_assert_eq(json_get_i64(json_first(d), "rows", 0), 4);
	cr_assert_not(json_get_bool(json_at(d, 1), "changed", true));
	rig_done(&r);
	LEAK_CHECK();
}

Test(worker_pipeline, cursor_goes_into_ledger_and_report_and_comes_back)
{
	struct rig r;
	char *ledger;

	rig_init(&r, "{" PROBE_EXTRACT ",'cursor':{'column':'id'},'options':{}}," PROBE_LOAD "}}");
	rig_set(&r, "cursor", "{'json':'{\\'id\\':3}','complete_us':5}");
	rig_run(&r);
	cr_assert(rig_logged(&r, "extract stream from {\"id\":3} upto {\"id\":9}"), "%s",
	    str_peek(&r.log));
	cr_assert_str_eq(json_str(json_path(r.report, "cursor.json"), ""), "{\"id\":9}");
	ledger = rig_file(&r, "t.ledger");
	cr_assert_str_eq(ledger, "test/d/RUN/s//0/0 10 {\"id\":9}\n");
	mem_free(ledger);
	rig_done(&r);
	LEAK_CHECK();
}

Test(worker_pipeline, a_rerun_reads_the_recorded_range_and_asks_for_no_bound)
{
	struct rig r;

	rig_init(&r, "{" PROBE_EXTRACT ",'cursor':{'column':'id'},'options':{}}," PROBE_LOAD "}}");
	rig_set(
	    &r, "cursor", "{'json':'{\\'id\\':3}','upto':{'json':'{\\'id\\':7}','complete_us':8}}");
	rig_run(&r);
	cr_assert(rig_logged(&r, "extract stream from {\"id\":3} upto {\"id\":7}"), "%s",
	    str_peek(&r.log));
	rig_done(&r);
	rig_init(&r, "{" PROBE_EXTRACT ",'cursor':{'column':'id'},'options':{}}," PROBE_LOAD "}}");
	rig_set(&r, "cursor", "{'json':null,'upto':{'json':'{\\'id\\':7}'}}");
	rig_run(&r);
	cr_assert(rig_logged(&r, "extract stream from - upto {\"id\":7}"), "%s", str_peek(&r.log));
	rig_done(&r);
	LEAK_CHECK();
}

Test(worker_pipeline, asks_the_ledger_before_the_source_is_opened)
{
	struct rig r;

	rig_init(&r, "{" PROBE_EXTRACT ",'cursor':{'column':'id'},'options':{}}," PROBE_LOAD "}}");
	rig_run(&r);
	rig_run(&r);
	cr_assert_str_eq(rig_class(&r), "ok");
	cr_assert_str_eq(json_get_str(r.report, "ledger", ""), "found");
	cr_assert_not(rig_logged(&r, "extract open"));
	cr_assert_str_eq(json_str(json_path(r.report, "cursor.json"), ""), "{\"id\":9}",
	    "the cursor of that publish");
	assert_rows(&r, 0, 10, 0);
	rig_done(&r);
	LEAK_CHECK();
}

Test(worker_pipeline, position_of_a_data_set_survives_a_found_ledger)
{
	struct rig r;

	rig_init(&r,
	    "{" PROBE_EXTRACT ",'dataset':'lake/o','read':'new','options':{}}," PROBE_LOAD "}}");
	rig_set(&r, "positions", "{'lake/o':{'from':3,'upto':9,'versions':[]}}");
	rig_run(&r);
	cr_assert_eq(json_i64(json_get(json_get(r.report, "positions"), "lake/o"), -1), 9);
	/* Version 12 is published before the retry: the retry found the ledger row and has read up
	 * to 9 only. */
	rig_set(&r, "positions", "{'lake/o':{'from':3,'upto':12,'versions':[]}}");
	rig_run(&r);
	cr_assert_str_eq(json_get_str(r.report, "ledger", ""), "found");
	cr_assert_eq(json_i64(json_get(json_get(r.report, "positions"), "lake/o"), -1), 9);
	rig_done(&r);
	LEAK_CHECK();
}

/* What goes wrong where, and which class the host makes of it. */
static const struct {
	const char *step, *class_name, *message;
} faults[] = {
    {PROBE_EXTRACT ",'options':{'fault':'open'}}," PROBE_LOAD "}", "auth", "the source refuses"},
    {PROBE_EXTRACT ",'options':{'fault':'no_end'}}," PROBE_LOAD "}", "internal", "without end()"},
    {PROBE_EXTRACT ",'options':{'fault':'wrong_count'}}," PROBE_LOAD "}", "internal",
	"end() says 11"},
    {PROBE_EXTRACT ",'options':{'fault':'bad_length'}}," PROBE_LOAD "}", "internal",
	"rows where its parent needs"},
    {PROBE_EXTRACT ",'options':{'fault':'bad_offsets'}}," PROBE_LOAD "}", "internal",
	"falls or is negative"},
    {PROBE_EXTRACT ",'options':{'fault':'bad_children'}}," PROBE_LOAD "}", "internal",
	"children where the schema has"},
    {PROBE_EXTRACT ",'options':{'fault':'errno','fault_at':4}}," PROBE_LOAD "}", "transient",
	"the wire broke"},
    {PROBE_EXTRACT ",'options':{'fault':'quota','fault_at':8}},'transform':[{'plugin':'probe','"
		   "options':{}},{'plugin':'probe','options':{}}]," PROBE_LOAD "}",
	"quota", "page 8 is over quota"},
    {PROBE_EXTRACT
	",'options':{}},'transform':[{'plugin':'probe','options':{'fault':'wrap'}}]," PROBE_LOAD
	"}",
	"config", "cannot wrap"},
    {PROBE_EXTRACT
	",'options':{}},'transform':[{'plugin':'probe','options':{'fault':'lose'}}]," PROBE_LOAD
	"}",
	"internal", "rows were lost"},
    {PROBE_EXTRACT ",'options':{}},'transform':[{'plugin':'probe','options':{'fault':'other_schema'"
		   "}}]," PROBE_LOAD "}",
	"internal", "another schema"},
    {PROBE_EXTRACT ",'options':{}}," PROBE_LOAD ",'options':{'fault':'write'}}", "transient",
	"the disk is away"},
    {PROBE_EXTRACT ",'options':{}}," PROBE_LOAD ",'options':{'fault':'flush_less'}}", "internal",
	"batches are durable"},
    {PROBE_EXTRACT ",'options':{}}," PROBE_LOAD ",'options':{'fault':'publish'}}", "transient",
	"no commit"},
    {PROBE_EXTRACT ",'options':{}}," PROBE_LOAD ",'options':{'fault':'miscount'}}", "internal",
	"counts do not agree"},
    {PROBE_EXTRACT ",'options':{}}," PROBE_LOAD ",'options':{'fault':'new_column'}}", "schema",
	"schema: evolve"},
    {PROBE_EXTRACT ",'options':{}}," PROBE_LOAD ",'checks':[{'fails':1}]}", "data",
	"fails for 3 rows"},
    {PROBE_EXTRACT
	",'options':{}},'transform':[{'plugin':'probe','options':{'fault':'reject'}}]," PROBE_LOAD
	"}",
	"data", "reject: {max_rows: N}"},
    {PROBE_EXTRACT ",'options':{}},'transform':[{'plugin':'nosuch','options':{}}]," PROBE_LOAD "}",
	"config", "is not installed"},
    {PROBE_EXTRACT ",'options':{'rows':'${params.nosuch.x}'}}," PROBE_LOAD ",'mode':'sideways'}",
	"config", "sideways"},
};

Test(worker_pipeline, gives_every_failure_its_class)
{
	size_t i;

	for (i = 0; i < sizeof(faults) / sizeof(faults[0]); i++) {
		struct rig r;
		char step[2048];

		snprintf(step, sizeof(step), "{%s}", faults[i].step);
		if (strstr(step, "sideways") != NULL) /* one mode a load */
			snprintf(step, sizeof(step),
			    "{" PROBE_EXTRACT ",'options':{}},'load':{'plugin':'probe','connection'"
			    ":'store','dataset':'store/t','mode':'sideways'}}");
		rig_init(&r, step);
		rig_run(&r);
		cr_assert_str_eq(
		    rig_class(&r), faults[i].class_name, "%s: %s", faults[i].step, rig_message(&r));
		cr_assert(strstr(rig_message(&r), faults[i].message) != NULL, "%s: %s",
		    faults[i].step, rig_message(&r));
		cr_assert_eq(json_len(json_get(r.report, "datasets")), 0);
		cr_assert_not(rig_logged(&r, "stream not released"));
		rig_done(&r);
	}
	LEAK_CHECK();
}

Test(worker_pipeline, a_quota_says_when_to_come_back)
{
	struct rig r;

	rig_init(&r, "{" PROBE_EXTRACT ",'options':{'fault':'quota'}}," PROBE_LOAD "}}");
	rig_run(&r);
	cr_assert_eq(json_get_i64(r.report, "retry_after_ms", 0), 7000);
	cr_assert(rig_logged(&r, "load close"));
	rig_done(&r);
	LEAK_CHECK();
}

Test(worker_pipeline, checks_of_severity_warn_let_the_publish_go)
{
	struct rig r;

	rig_init(&r, "{" PROBE_EXTRACT ",'options':{}}," PROBE_LOAD
		     ",'checks':[{'fails':1,'severity':'warn'}]}}");
	rig_run(&r);
	cr_assert_str_eq(rig_class(&r), "ok");
	cr_assert(rig_logged(&r, "3 rows fail"));
	rig_done(&r);
	LEAK_CHECK();
}

Test(worker_pipeline, evolve_lets_a_new_column_in)
{
	struct rig r;

	rig_init(&r, "{" PROBE_EXTRACT ",'options':{}}," PROBE_LOAD
		     ",'schema':'evolve','options':{'fault':'new_column'}}}");
	rig_run(&r);
	cr_assert_str_eq(rig_class(&r), "ok", "%s", rig_message(&r));
	rig_done(&r);
	LEAK_CHECK();
}

Test(worker_pipeline, rejected_rows_are_counted_and_kept_apart)
{
	struct rig r;
	struct stat st;
	char *file, path[512];

	rig_init(&r,
	    "{" PROBE_EXTRACT ",'options':{}},'transform':[{'plugin':'probe','options':{'fault'"
	    ":'reject'}}]," PROBE_LOAD ",'reject':{'max_rows':5}}}");
	rig_run(&r);
	cr_assert_str_eq(rig_class(&r), "ok", "%s", rig_message(&r));
	assert_rows(&r, 10, 9, 1);
	file = rig_file(&r, "state/rejects/r.ndjson");
	cr_assert(strstr(file, "\"row\":{\"id\":3,\"name\":null}") != NULL, "%s", file);
	snprintf(path, sizeof(path), "%s", json_get_str(r.report, "reject_file", ""));
	cr_assert_eq(stat(path, &st), 0);
	cr_assert_eq(st.st_mode & 0777, 0600);
	mem_free(file);
	rig_done(&r);
	LEAK_CHECK();
}

Test(worker_pipeline, before_the_last_mask_rejects_show_masked_keys_only)
{
	struct rig r;
	char *file;

	rig_init(&r, "{" PROBE_EXTRACT
		     ",'options':{}},'transform':[{'plugin':'probe','options':{'fault':'reject'}},"
		     "{'plugin':'probe','options':{'mask':{'name':'drop'}}}]," PROBE_LOAD
		     ",'reject':{'max_rows':5}}}");
	rig_run(&r);
	cr_assert_str_eq(rig_class(&r), "ok", "%s", rig_message(&r));
	file = rig_file(&r, "state/rejects/r.ndjson");
	cr_assert(strstr(file, "\"key\":{\"id\":\"") != NULL, "%s", file);
	cr_assert(strstr(file, "\"name\":") == NULL, "%s", file);
	cr_assert(strstr(file, "secret value") == NULL, "%s", file);
	mem_free(file);
	rig_done(&r);
	LEAK_CHECK();
}

Test(worker_pipeline, before_the_last_mask_a_message_holds_nothing_of_the_row)
{
	struct rig r;

	rig_init(&r, "{" PROBE_EXTRACT
		     ",'options':{}},'transform':[{'plugin':'probe','options':{'fault':'reject'}},"
		     "{'plugin':'probe','options':{'mask':{'name':'drop'}}}]," PROBE_LOAD "}}");
	rig_run(&r);
	cr_assert_str_eq(rig_class(&r), "data", "%s", rig_message(&r));
	cr_assert(strstr(rig_message(&r), "column \"name\": the row cannot be used") != NULL, "%s",
	    rig_message(&r));
	cr_assert(strstr(rig_message(&r), "secret") == NULL, "%s", rig_message(&r));
	rig_done(&r);
	LEAK_CHECK();
}

Test(worker_pipeline, preview_prints_rows_and_opens_no_load)
{
	struct rig r;

	rig_init(&r, "{" PROBE_EXTRACT ",'options':{'rows':100}}," PROBE_LOAD "}}");
	rig_set(&r, "preview_rows", "3");
	rig_run(&r);
	cr_assert_str_eq(rig_class(&r), "ok", "%s", rig_message(&r));
	cr_assert(
	    rig_logged(&r, "preview: {\"id\":2,\"name\":\"name 2\"}"), "%s", str_peek(&r.log));
	cr_assert_not(rig_logged(&r, "\"id\":3"));
	cr_assert_not(rig_logged(&r, "load"));
	rig_done(&r);
	LEAK_CHECK();
}

/* ---- cancel ---- */

static const char *const cancelled[] = {
    PROBE_EXTRACT ",'options':{'fault':'block'}}," PROBE_LOAD "}",
    PROBE_EXTRACT ",'options':{'rows':100000,'batch':8,'delay':'10ms'}}," PROBE_LOAD "}",
    PROBE_EXTRACT ",'options':{'rows':1000000,'batch':8}}," PROBE_LOAD
		  ",'options':{'fault':'slow'}}",
};

Test(worker_pipeline, cancel_ends_a_step_within_100_ms_wherever_it_waits)
{
	size_t i;

	for (i = 0; i < sizeof(cancelled) / sizeof(cancelled[0]); i++) {
		struct rig r;
		char step[1024];

		snprintf(step, sizeof(step), "{%s}", cancelled[i]);
		rig_init(&r, step);
		r.cancel_after_ms = 60;
		rig_run(&r);
		cr_assert_str_eq(rig_class(&r), "cancelled", "%s", rig_message(&r));
		cr_assert_lt(r.cancel_took_us, 100000, "%s took %lld us", cancelled[i],
		    (long long)r.cancel_took_us);
		cr_assert_null(rig_file(&r, "t"), "nothing was published");
		rig_done(&r);
	}
	LEAK_CHECK();
}

Test(worker_pipeline, a_failed_load_wakes_a_blocked_extract)
{
	struct rig r;

	rig_init(&r, "{" PROBE_EXTRACT ",'options':{'fault':'block','fault_at':8}}," PROBE_LOAD
		     ",'options':{'fault':'write'}}}");
	rig_run(&r);
	cr_assert_str_eq(rig_class(&r), "transient", "%s", rig_message(&r));
	cr_assert(rig_logged(&r, "load abort"));
	rig_done(&r);
	LEAK_CHECK();
}

/* ---- death ---- */

static const char *const points[] = {"stage", "write", "flush", "publish", "published"};

Test(worker_pipeline, killed_at_every_point_and_retried_the_target_is_the_oracle)
{
	size_t i;

	for (i = 0; i < sizeof(points) / sizeof(points[0]); i++) {
		struct rig r;
		char step[1024], *file, *ledger;

		snprintf(step, sizeof(step),
		    "{" PROBE_EXTRACT ",'options':{}}," PROBE_LOAD
		    ",'options':{'fault':'kill_%s'}}}",
		    points[i]);
		rig_init(&r, step);
		rig_run_child(&r);
		cr_assert_eq(r.killed_by, SIGKILL, "%s", points[i]);
		rig_set(&r, "step_plan",
		    "{" PROBE_EXTRACT ",'options':{}}," PROBE_LOAD ",'options':{}}}");
		rig_set(&r, "token", "'8'");
		rig_run(&r);
		cr_assert_str_eq(rig_class(&r), "ok", "%s: %s", points[i], rig_message(&r));
		file = rig_file(&r, "t");
		cr_assert_str_eq(file, "0\n1\n2\n3\n4\n5\n6\n7\n8\n9\n");
		ledger = rig_file(&r, "t.ledger");
		cr_assert_eq(count_lines(ledger), 1, "%s: published twice", points[i]);
		cr_assert_str_eq(json_get_str(r.report, "ledger", ""),
		    strcmp(points[i], "published") == 0 ? "found" : "new");
		mem_free(file);
		mem_free(ledger);
		rig_done(&r);
	}
	LEAK_CHECK();
}

/* ---- partitions ---- */

Test(worker_pipeline, a_window_becomes_the_partition_of_the_data_set)
{
	struct rig r;
	const struct json *d;

	rig_init(&r, "{" PROBE_EXTRACT ",'window':{'column':'at'},'options':{}}," PROBE_LOAD "}}");
	rig_set(&r, "datasets",
	    "{'store/t':{'partition':{'unit':'day','zone':'Asia/Tokyo','column':'at'}}}");
	rig_set(
	    &r, "window_from_us", "1795186800000000"); /* 2026-11-21T00:00 in Tokyo, less a day */
	rig_set(&r, "window_to_us", "1795273200000000");
	rig_run(&r);
	d = json_first(json_get(r.report, "datasets"));
	cr_assert_str_eq(json_get_str(d, "partition", ""), "day=2026-11-21", "%s %s",
	    json_get_str(d, "partition", ""), rig_message(&r));
	rig_done(&r);
	LEAK_CHECK();
}
