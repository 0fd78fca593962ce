/* Judging an outcome: rule 22, retries, lost, stale tokens, what a report writes. */
#include "core/sched/table.h"
#include "leak.h"
#include "sched_rig.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

static uint64_t begin(struct rig *g, const char *steps)
{
	rig_init(g, 2);
	rig_dag(g, "d", steps, NULL, NULL);
	return rig_start(g, "d");
}

Test(sched_outcome, rule_22)
{
	static const struct {
		bool cancel;
		int code;
		const char *report;
		enum step_state step;
		enum run_state run;
	} cases[] = {
	    {false, OUTCOME_OK, "{\"class\":\"ok\"}", STEP_SUCCEEDED, RUN_SUCCEEDED},
	    {true, OUTCOME_OK, "{\"class\":\"ok\"}", STEP_SUCCEEDED, RUN_SUCCEEDED},
	    {false, OUTCOME_CANCELLED, "", STEP_CANCELLED, RUN_CANCELLED},
	    {true, OUTCOME_CANCELLED, "", STEP_CANCELLED, RUN_CANCELLED},
	    {false, OUTCOME_FAILED, "{\"class\":\"data\"}", STEP_FAILED, RUN_FAILED},
	    {true, OUTCOME_FAILED, "{\"class\":\"transient\"}", STEP_CANCELLED, RUN_CANCELLED},
	    {true, OUTCOME_LOST, "", STEP_CANCELLED, RUN_CANCELLED},
	    {true, OUTCOME_DEADLINE, "", STEP_CANCELLED, RUN_CANCELLED},
	    {false, OUTCOME_OK, "", STEP_SUCCEEDED, RUN_SUCCEEDED},
	    {false, OUTCOME_OK, "{oops", STEP_FAILED, RUN_FAILED},
	    {false, OUTCOME_OK, "{\"class\":\"data\"}", STEP_FAILED, RUN_FAILED},
	    {false, OUTCOME_FAILED, "", STEP_FAILED, RUN_FAILED},
	    {false, 99, "", STEP_FAILED, RUN_FAILED},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct rig g;
		uint64_t run = begin(&g, "a");

		if (cases[i].cancel) {
			rig_cancel(&g, run);
			cr_assert(rig_effect(&g, EFFECT_KILL));
			cr_assert_eq(rig_run_state(&g, run), RUN_RUNNING);
		}
		cr_assert(rig_answer(&g, run, "a", cases[i].code, cases[i].report));
		cr_assert_eq(rig_state(&g, run, "a"), cases[i].step, "case %zu: %s", i,
		    rig_step(&g, run, "a").message);
		cr_assert_eq(rig_run_state(&g, run), cases[i].run, "case %zu", i);
		rig_done(&g);
	}
	LEAK_CHECK();
}

Test(sched_outcome, transient_is_tried_again_after_its_delay)
{
	struct rig g;
	uint64_t run = begin(&g, "a retry=3 delay=1000"), token = rig_step(&g, run, "a").token;

	rig_fail(&g, run, "a", "transient");
	cr_assert_eq(rig_state(&g, run, "a"), STEP_RETRYING);
	rig_due(&g, g.now + 999 * US_PER_MS);
	cr_assert_eq(rig_state(&g, run, "a"), STEP_RETRYING);
	rig_due(&g, g.now + 1 * US_PER_MS);
	cr_assert_eq(rig_state(&g, run, "a"), STEP_RUNNING);
	cr_assert_eq(rig_step(&g, run, "a").attempt, 2);
	cr_assert_gt(rig_step(&g, run, "a").token, token);
	rig_fail(&g, run, "a", "transient");
	rig_due(&g, g.now + 2000 * US_PER_MS);
	rig_fail(&g, run, "a", "transient");
	cr_assert_eq(rig_state(&g, run, "a"), STEP_FAILED);
	cr_assert_str_eq(rig_step(&g, run, "a").message, "it broke");
	rig_done(&g);
	LEAK_CHECK();
}

Test(sched_outcome, lost_has_tries_of_its_own)
{
	struct rig g;
	uint64_t run = begin(&g, "a");

	for (int i = 1; i <= 4; i++) {
		cr_assert(rig_answer(&g, run, "a", OUTCOME_LOST, ""), "try %d", i);
		rig_due(&g, g.now + 10 * US_PER_S);
	}
	cr_assert_eq(rig_state(&g, run, "a"), STEP_FAILED);
	cr_assert_eq(rig_step(&g, run, "a").class_, CLASS_LOST);
	cr_assert_eq(rig_step(&g, run, "a").used, 0);
	rig_done(&g);
	LEAK_CHECK();
}

Test(sched_outcome, deadline_is_class_timeout)
{
	struct rig g;
	uint64_t run = begin(&g, "a");

	rig_answer(&g, run, "a", OUTCOME_DEADLINE, "");
	cr_assert_eq(rig_step(&g, run, "a").class_, CLASS_TIMEOUT);
	rig_done(&g);
	LEAK_CHECK();
}

Test(sched_outcome, what_is_not_current_is_acknowledged_and_changes_nothing)
{
	struct rig g;
	uint64_t run = begin(&g, "a");
	struct step_rec s = rig_step(&g, run, "a");
	struct op op = {.kind = OP_OUTCOME};
	uint8_t before[HASH_SHA256_BYTES], after[HASH_SHA256_BYTES];

	op.u.outcome.report = "";
	memview_sum(&g.mem, before);
	for (int i = 0; i < 4; i++) {
		op.u.outcome.step = (struct step_ref){i == 3 ? 999 : run, 0, i == 2 ? 7 : 0};
		op.u.outcome.token = i == 0 ? s.token - 1 : s.token;
		op.u.outcome.instance = i == 1 ? RIG_POOL + 1 : RIG_POOL;
		cr_assert_eq(rig_op(&g, &op), 0);
		cr_assert(rig_effect(&g, EFFECT_ACK));
	}
	memview_sum(&g.mem, after);
	cr_assert_arr_eq(before, after, sizeof(before));
	rig_ok(&g, run, "a");
	memview_sum(&g.mem, before);
	op.u.outcome.step = (struct step_ref){run, 0, 0};
	op.u.outcome.token = s.token;
	op.u.outcome.instance = RIG_POOL;
	cr_assert_eq(rig_op(&g, &op), 0);
	memview_sum(&g.mem, after);
	cr_assert_arr_eq(before, after, sizeof(before), "the second answer of a token counts");
	rig_done(&g);
	LEAK_CHECK();
}

Test(sched_outcome, success_writes_figures_outputs_cursor_and_positions)
{
	struct rig g;
	uint64_t run = begin(&g, "a");
	struct step_ref ref = {run, 0, 0};
	struct cursor_rec cur;
	struct dataset_rec d;
	struct slice doc, json;
	uint64_t at;

	rig_answer(&g, run, "a", OUTCOME_OK,
	    "{\"class\":\"ok\",\"rows_in\":10,\"rows_out\":9,\"rows_rejected\":1,\"bytes\":99,"
	    "\"outputs\":{\"n\":[1]},\"cursor\":{\"json\":\"{\\\"x\\\":1}\",\"complete_us\":5},"
	    "\"positions\":{\"lake/x\":7},"
	    "\"datasets\":[{\"name\":\"dwh/y\",\"partition\":\"day=2026-11-21\",\"changed\":true,"
	    "\"complete_us\":77,\"rows\":9}]}");
	cr_assert_eq(rig_state(&g, run, "a"), STEP_SUCCEEDED);
	cr_assert_eq(rig_step(&g, run, "a").rows_rejected, 1);
	cr_assert_eq(step_doc_get(&g.mem.view, &ref, STEP_DOC_OUTPUTS, &doc), 0);
	cr_assert_eq(doc.n, 9);
	cr_assert_eq(memcmp(doc.p, "{\"n\":[1]}", 9), 0);
	cr_assert_eq(cursor_get(&g.mem.view, "d", "a", "", &cur, &json), 0);
	cr_assert(cur.complete_through == 5 && cur.token == rig_step(&g, run, "a").token);
	cr_assert_eq(memcmp(json.p, "{\"x\":1}", 7), 0);
	cr_assert_eq(find_dataset(&g.mem.view, "lake/x", &d), 0);
	cr_assert_eq(position_get(&g.mem.view, 1, "a", "", d.no, &at), 0);
	cr_assert_eq(at, 7);
	cr_assert_eq(find_dataset(&g.mem.view, "dwh/y", &d), 0);
	cr_assert(d.version == 1 && d.complete_through == 77);
	rig_done(&g);
	LEAK_CHECK();
}

static void answer_cursor(struct rig *g, uint64_t run, const char *cursor, int at)
{
	struct str text;

	str_init(&text, 1000);
	str_addf(&text, "{\"class\":\"ok\",\"cursor\":{\"json\":\"%s\",\"complete_us\":%d}}",
	    cursor, at);
	cr_assert(rig_answer(g, run, "a", OUTCOME_OK, str_peek(&text)));
	cr_assert_eq(rig_state(g, run, "a"), STEP_SUCCEEDED);
	str_done(&text);
}

static void cursor_is(struct rig *g, const char *want, uint64_t run)
{
	struct cursor_rec cur;
	struct slice json;

	cr_assert_eq(cursor_get(&g->mem.view, "d", "a", "", &cur, &json), 0);
	cr_assert(json.n == strlen(want) && memcmp(json.p, want, json.n) == 0, "%.*s", (int)json.n,
	    (const char *)json.p);
	cr_assert_eq(cur.run, run);
}

static void range_is(struct rig *g, uint64_t run, const char *want)
{
	struct step_ref ref = {run, 0, 0};
	struct slice doc;

	cr_assert_eq(step_doc_get(&g->mem.view, &ref, STEP_DOC_CURSOR, &doc), 0);
	cr_assert(doc.n == strlen(want) && memcmp(doc.p, want, doc.n) == 0, "%.*s", (int)doc.n,
	    (const char *)doc.p);
}

Test(sched_outcome, a_rerun_keeps_its_range_and_moves_no_cursor)
{
	struct rig g;
	uint64_t first = begin(&g, "a"), second;
	struct slice doc;

	cr_assert_eq(
	    step_doc_get(&g.mem.view, &(struct step_ref){first, 0, 0}, STEP_DOC_CURSOR, &doc),
	    ERR_NOT_FOUND);
	answer_cursor(&g, first, "one", 5);
	cursor_is(&g, "one", first);
	range_is(&g, first, "{\"upto\":{\"json\":\"one\",\"complete_us\":5}}");
	second = rig_start(&g, "d");
	/* one that failed has read nothing: its rerun reads on */
	rig_fail(&g, second, "a", "config");
	cr_assert_eq(rig_rerun(&g, second, NULL), 0, "%s", g.r.err.text);
	answer_cursor(&g, second, "two", 6);
	cursor_is(&g, "two", second);
	range_is(&g, second,
	    "{\"from\":{\"json\":\"one\",\"complete_us\":5},"
	    "\"upto\":{\"json\":\"two\",\"complete_us\":6}}");
	cr_assert_eq(rig_rerun(&g, first, NULL), 0, "%s", g.r.err.text);
	answer_cursor(&g, first, "far", 9);
	cursor_is(&g, "two", second);
	range_is(&g, first, "{\"upto\":{\"json\":\"one\",\"complete_us\":5}}");
	rig_done(&g);
	LEAK_CHECK();
}

Test(sched_outcome, a_report_that_names_no_data_set_writes_nothing_of_it)
{
	static const char *const bad[] = {
	    "{\"datasets\":[{\"name\":\"lake/a\"},{\"name\":\"no slash\"}]}",
	    "{\"datasets\":{}}",
	    "{\"positions\":{\"lake/a\":-1}}",
	};

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct rig g;
		uint64_t run = begin(&g, "a");

		rig_answer(&g, run, "a", OUTCOME_OK, bad[i]);
		cr_assert_eq(rig_state(&g, run, "a"), STEP_FAILED);
		cr_assert_eq(rig_step(&g, run, "a").class_, CLASS_INTERNAL);
		cr_assert_eq(memview_count(&g.mem, TABLE_DATASET), 0);
		rig_done(&g);
	}
	LEAK_CHECK();
}

/* A server's Retry-After, passed on by a plugin: a step that would come back in a thousand years,
 * or whose time is past what 64 bits hold, is lost to its run. */
Test(sched_outcome, a_wish_to_wait_is_bounded)
{
	static const char *const wishes[] = {
	    "99999999999999", "\"9223372036854775807\"", "\"9223372036854775\""};

	for (size_t i = 0; i < sizeof(wishes) / sizeof(wishes[0]); i++) {
		struct rig g;
		uint64_t run = begin(&g, "a retry=3 delay=1000 classes=quota");
		char report[128];

		snprintf(report, sizeof(report),
		    "{\"class\":\"quota\",\"message\":\"slower\",\"retry_after_ms\":%s}",
		    wishes[i]);
		rig_answer(&g, run, "a", OUTCOME_FAILED, report);
		cr_assert_eq(rig_state(&g, run, "a"), STEP_RETRYING);
		rig_due(&g, g.now + INT64_C(86399) * US_PER_S);
		cr_assert_eq(rig_state(&g, run, "a"), STEP_RETRYING, "%s", wishes[i]);
		rig_due(&g, g.now + 1 * US_PER_S);
		cr_assert_eq(rig_state(&g, run, "a"), STEP_RUNNING, "%s", wishes[i]);
		rig_done(&g);
	}
	LEAK_CHECK();
}

Test(sched_outcome, figures_are_never_below_nothing_nor_more_than_sums_can_hold)
{
	struct rig g;
	uint64_t run = begin(&g, "f each=2");
	static const char report[] = "{\"rows_in\":\"9223372036854775807\",\"rows_out\":-5,"
				     "\"bytes\":\"9223372036854775807\"}";

	rig_answer(&g, run, "f[1]", OUTCOME_OK, report);
	rig_answer(&g, run, "f[2]", OUTCOME_OK, report);
	cr_assert_eq(rig_run_state(&g, run), RUN_SUCCEEDED);
	cr_assert_eq(rig_step(&g, run, "f").rows_out, 0);
	cr_assert_gt(rig_step(&g, run, "f").rows_in, 0);
	cr_assert_gt(rig_step(&g, run, "f").bytes, rig_step(&g, run, "f[1]").bytes);
	rig_done(&g);
	LEAK_CHECK();
}

Test(sched_outcome, a_watermark_that_is_no_time_is_none)
{
	static const char *const times[] = {"\"9223372036854775807\"", "\"-9223372036854775807\"",
	    "253402300800000000", "\"253402300800000000\""};

	for (size_t i = 0; i < sizeof(times) / sizeof(times[0]); i++) {
		struct rig g;
		uint64_t run = begin(&g, "a");
		struct dataset_rec d;
		char report[160];

		snprintf(report, sizeof(report),
		    "{\"datasets\":[{\"name\":\"lake/a\",\"complete_us\":%s}]}", times[i]);
		rig_answer(&g, run, "a", OUTCOME_OK, report);
		cr_assert_eq(rig_state(&g, run, "a"), STEP_SUCCEEDED);
		cr_assert_eq(dataset_get_named(&g.mem.view, "lake/a", &d), 0);
		cr_assert_eq(d.complete_through, TIME_NONE, "%s", times[i]);
		rig_done(&g);
	}
	LEAK_CHECK();
}
