/* Backfills: targets, laziness, order, what is there already, pause and cancel, subscribers, plans
 * that change. check_store recounts after every operation. */
#include "core/sched/backfill.h"
#include "core/sched/show.h"
#include "core/sched/table.h"
#include "leak.h"
#include "sched_rig.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#define DAY (86400 * US_PER_S)
#define CRON_DAY(expr)                                                                             \
	"{\"name\":\"t\",\"kind\":\"cron\",\"cron\":\"" expr                                       \
	"\",\"zone\":\"UTC\",\"covers\":{\"unit\":\"day\",\"offset\":-1}}"
#define CRON(expr) "{\"name\":\"t\",\"kind\":\"cron\",\"cron\":\"" expr "\",\"zone\":\"UTC\"}"

static struct op request(const char *from, const char *to, uint32_t parallel)
{
	struct op op = {.kind = OP_BACKFILL};

	op.u.backfill.dag = "d";
	op.u.backfill.from = from;
	op.u.backfill.to = to;
	op.u.backfill.max_parallel = parallel;
	op.u.backfill.actor = "unix:0";
	return op;
}

static uint64_t fill(struct rig *g, const char *from, const char *to, uint32_t parallel)
{
	struct op op = request(from, to, parallel);

	cr_assert_eq(rig_op(g, &op), 0, "%s", g->r.err.text);
	cr_assert_neq(g->r.number, 0);
	return g->r.number;
}

static int set_state(struct rig *g, uint64_t no, enum backfill_state to)
{
	struct op op = {.kind = OP_BACKFILL_STATE};

	op.u.backfill_state.no = no;
	op.u.backfill_state.to = to;
	op.u.backfill_state.actor = "unix:0";
	return rig_op(g, &op);
}

static struct backfill_rec get(struct rig *g, uint64_t no)
{
	struct backfill_rec b;

	cr_assert_eq(backfill_get(&g->mem.view, no, &b), 0);
	return b;
}

static struct run_rec run_no(struct rig *g, uint64_t no)
{
	struct run_rec r;

	cr_assert_eq(run_get(&g->mem.view, no, &r), 0);
	return r;
}

static void finish(struct rig *g, uint64_t no)
{
	for (int i = 0; get(g, no).ended_at == TIME_NONE; i++) {
		cr_assert_lt(i, 10000, "the backfill never ends");
		if (g->jobs.n > 0)
			rig_answer_at(g, 0, OUTCOME_OK, "{\"class\":\"ok\"}");
		else
			rig_due(g, g->now);
	}
}

Test(sched_backfill, a_year_of_days_four_at_a_time)
{
	struct backfill_rec b;
	struct rig g;
	uint64_t no;
	char key[16];

	rig_init(&g, 8);
	rig_dag(&g, "d", "a", CRON_DAY("30 2 * * *"), "\"max_runs\":8");
	g.now = RIG_T0 + DAY;
	no = fill(&g, "2024-11-21", "2025-11-20", 4);
	b = get(&g, no);
	cr_assert_eq(b.total, 365);
	cr_assert_eq(b.counted, TIME_NONE);
	for (int i = 0; i < 365; i++) {
		b = get(&g, no);
		cr_assert_eq(b.open, i <= 361 ? 4 : 365 - (unsigned)i, "%d: %d", i, (int)b.open);
		cr_assert_eq(g.jobs.n, b.open, "each of them runs");
		/* the oldest of those that are out */
		cr_assert(rig_ok(&g, (uint64_t)i + 1, "a"));
	}
	b = get(&g, no);
	cr_assert_eq(b.state, BACKFILL_SUCCEEDED);
	cr_assert_eq(b.succeeded, 365);
	cr_assert_eq(b.ended_at, g.now);
	cr_assert_eq(rig_runs(&g), 365);
	for (uint64_t i = 0; i < 365; i++) {
		struct run_rec r = run_no(&g, i + 1);
		wall_us day = RIG_T0 - 365 * DAY + (wall_us)i * DAY;

		clock_format(day, (char[CLOCK_TEXT_MAX]){0});
		cr_assert_eq(r.window_start, day);
		cr_assert_eq(r.logical_time, day + DAY + 9000 * US_PER_S);
		cr_assert_eq(r.trigger, TRIGGER_BACKFILL);
		cr_assert_eq(r.space, SPACE_TIME);
		cr_assert_eq(r.backfill, no);
	}
	str_copy(key, sizeof(key), run_no(&g, 365).key);
	cr_assert_str_eq(key, "2025-11-20");
	rig_done(&g);
	LEAK_CHECK();
}

Test(sched_backfill, obeys_max_runs_and_goes_newest_first)
{
	struct op op = request("2025-11-01", "2025-11-10", 3);
	struct rig g;

	rig_init(&g, 8);
	rig_dag(&g, "d", "a", CRON_DAY("0 3 * * *"), "\"max_runs\":1,\"overlap\":\"skip\"");
	op.u.backfill.order = BACKFILL_NEWEST;
	cr_assert_eq(rig_op(&g, &op), 0);
	cr_assert_eq(get(&g, 1).open, 3);
	cr_assert_eq(g.jobs.n, 1, "two of the three wait for max_runs");
	cr_assert_str_eq(run_no(&g, 1).key, "2025-11-10");
	finish(&g, 1);
	cr_assert_eq(rig_runs(&g), 10);
	cr_assert_str_eq(run_no(&g, 10).key, "2025-11-01");
	rig_done(&g);
	LEAK_CHECK();
}

Test(sched_backfill, one_run_a_window_whatever_the_schedule)
{
	struct op op = request("2025-11-01", "2025-11-05", 9);
	struct rig g;

	rig_init(&g, 1);
	rig_dag(&g, "d", "a", CRON_DAY("15 * * * *"), "\"max_runs\":99");
	cr_assert_eq(rig_op(&g, &op), 0);
	cr_assert_eq(rig_runs(&g), 5);
	cr_assert_eq(get(&g, 1).total, 5);
	cr_assert_eq(run_no(&g, 1).logical_time, RIG_T0 - 19 * DAY + 900 * US_PER_S,
	    "the first instant of the day after");
	finish(&g, 1);
	op.u.backfill.order = BACKFILL_NEWEST;
	op.u.backfill.reprocess = true;
	cr_assert_eq(rig_op(&g, &op), 0);
	cr_assert_eq(rig_runs(&g), 10);
	cr_assert_eq(run_no(&g, 10).logical_time, run_no(&g, 1).logical_time);
	cr_assert_eq(run_no(&g, 10).revision, 1);
	finish(&g, 2);
	rig_done(&g);
	LEAK_CHECK();
}

Test(sched_backfill, what_is_there_already)
{
	struct backfill_rec b;
	struct op op;
	struct rig g;

	rig_init(&g, 9);
	rig_dag(&g, "d", "a;b:a", CRON_DAY("0 3 * * *"), "\"max_runs\":99");
	fill(&g, "2025-11-01", "2025-11-04", 9);
	rig_fail(&g, 1, "a", "data");
	rig_ok(&g, 2, "a");
	rig_fail(&g, 2, "b", "data");
	rig_cancel(&g, 3);
	rig_answer(&g, 3, "a", OUTCOME_CANCELLED, "");
	rig_ok(&g, 4, "a");
	rig_ok(&g, 4, "b");
	b = get(&g, 1);
	cr_assert_eq(b.state, BACKFILL_FAILED);
	cr_assert_eq(b.failed, 2);
	cr_assert_eq(b.cancelled, 1);
	cr_assert_eq(b.succeeded, 1);
	/* again: the failed and the cancelled one go on where they stopped, the other one stays */
	fill(&g, "2025-11-01", "2025-11-05", 9);
	cr_assert_eq(rig_runs(&g), 5);
	b = get(&g, 2);
	cr_assert_eq(b.existing, 1);
	cr_assert_eq(b.open, 4);
	cr_assert_eq(get(&g, 1).taken, 3);
	cr_assert_eq(rig_state(&g, 2, "a"), STEP_SUCCEEDED, "only what failed runs again");
	rig_drain(&g);
	b = get(&g, 2);
	cr_assert_eq(b.state, BACKFILL_SUCCEEDED);
	cr_assert_eq(b.succeeded, 4);
	cr_assert_eq(b.total, 5);
	/* reprocess: a new revision of each */
	op = request("2025-11-01", "2025-11-05", 2);
	op.u.backfill.reprocess = true;
	cr_assert_eq(rig_op(&g, &op), 0);
	finish(&g, 3);
	cr_assert_eq(rig_runs(&g), 10);
	cr_assert_eq(run_no(&g, 10).revision, 1);
	cr_assert_eq(get(&g, 3).succeeded, 5);
	rig_done(&g);
	LEAK_CHECK();
}

static struct backfill_rec fail_then_fill(struct rig *g, const char *steps)
{
	rig_init(g, 9);
	rig_dag(g, "d", "a;b:a", CRON_DAY("0 3 * * *"), NULL);
	fill(g, "2025-11-01", "2025-11-01", 1);
	rig_ok(g, 1, "a");
	rig_fail(g, 1, "b", "data");
	rig_dag(g, "d", steps, CRON_DAY("0 3 * * *"), NULL);
	fill(g, "2025-11-01", "2025-11-01", 1);
	rig_drain(g);
	cr_assert_eq(rig_runs(g), 1);
	cr_assert_eq(rig_run_state(g, 1), RUN_SUCCEEDED);
	return get(g, 2);
}

Test(sched_backfill, says_what_each_failed_window_failed_of)
{
	struct str text;
	struct jw w;
	struct rig g;

	rig_init(&g, 9);
	rig_dag(&g, "d", "a;b:a", CRON_DAY("0 3 * * *"), NULL);
	fill(&g, "2025-11-01", "2025-11-01", 1);
	rig_ok(&g, 1, "a");
	rig_answer(&g, 1, "b", OUTCOME_OK, "{\"class\":\"data\",\"message\":\"no file\"}");
	str_init(&text, 1u << 16);
	jw_init(&w, &text);
	cr_assert_eq(show_backfill(&g.mem.view, 1, true, &w), 0);
	cr_assert_not_null(
	    strstr(str_peek(&text), "\"message\":\"b: no file\""), "%s", str_peek(&text));
	str_done(&text);
	rig_done(&g);
	LEAK_CHECK();
}

Test(sched_backfill, what_failed_goes_on_with_the_mended_file)
{
	struct rig g;

	cr_assert_eq(fail_then_fill(&g, "a;b:a;c:b").succeeded, 1);
	cr_assert_eq(run_no(&g, 1).n_steps, 3);
	cr_assert_eq(rig_step(&g, 1, "a").generation, 0, "what succeeded stays");
	cr_assert_eq(rig_state(&g, 1, "c"), STEP_SUCCEEDED);
	rig_done(&g);
	/* a plan without one of its steps cannot take the run over: it keeps its own */
	cr_assert_eq(fail_then_fill(&g, "x").succeeded, 1);
	cr_assert_eq(run_no(&g, 1).n_steps, 2);
	cr_assert_eq(rig_state(&g, 1, "b"), STEP_SUCCEEDED);
	rig_done(&g);
	LEAK_CHECK();
}

Test(sched_backfill, cron_and_backfill_of_a_window_are_one_run)
{
	struct rig g;

	rig_init(&g, 9);
	rig_dag(&g, "d", "a", CRON_DAY("0 3 * * *"), "\"max_runs\":99");
	g.now = RIG_T0 + 3 * 3600 * US_PER_S - 1;
	cr_assert_eq(rig_runs(&g), 0);
	rig_due(&g, RIG_T0 + 3 * 3600 * US_PER_S);
	cr_assert_eq(rig_runs(&g), 1);
	fill(&g, "2025-11-19", "2025-11-25", 9);
	cr_assert_eq(rig_runs(&g), 2, "the 19th is new, the 20th runs, the rest is to come");
	cr_assert_eq(get(&g, 1).total, 2);
	cr_assert_eq(get(&g, 1).existing, 1);
	rig_drain(&g);
	cr_assert_eq(get(&g, 1).state, BACKFILL_SUCCEEDED);
	rig_done(&g);
	LEAK_CHECK();
}

Test(sched_backfill, pause_resume_cancel)
{
	struct rig g;
	uint64_t no;

	rig_init(&g, 9);
	rig_dag(&g, "d", "a", CRON_DAY("0 3 * * *"), "\"max_runs\":2");
	no = fill(&g, "2025-10-01", "2025-10-31", 4);
	cr_assert_eq(set_state(&g, no, BACKFILL_PAUSED), 0);
	cr_assert_eq(g.r.count, 1);
	rig_drain(&g);
	cr_assert_eq(rig_runs(&g), 4, "what is open ends, nothing new comes");
	cr_assert_eq(get(&g, no).state, BACKFILL_PAUSED);
	cr_assert_eq(get(&g, no).open, 0);
	cr_assert_eq(set_state(&g, no, BACKFILL_PAUSED), 0);
	cr_assert_eq(g.r.count, 0);
	cr_assert_eq(set_state(&g, no, BACKFILL_RUNNING), 0);
	cr_assert_eq(rig_runs(&g), 8);
	cr_assert_eq(g.jobs.n, 2);
	cr_assert_eq(set_state(&g, no, BACKFILL_CANCELLED), 0);
	cr_assert_eq(g.r.count, 4);
	cr_assert_eq(get(&g, no).state, BACKFILL_CANCELLED);
	cr_assert_eq(get(&g, no).open, 2, "those that run are killed first");
	cr_assert_eq(get(&g, no).ended_at, TIME_NONE);
	rig_answer_at(&g, 0, OUTCOME_CANCELLED, "");
	rig_answer_at(&g, 0, OUTCOME_OK, "{\"class\":\"ok\"}");
	cr_assert_eq(get(&g, no).open, 0);
	cr_assert_eq(get(&g, no).cancelled, 3);
	cr_assert_neq(get(&g, no).ended_at, TIME_NONE);
	cr_assert_eq(rig_runs(&g), 8);
	cr_assert_eq(set_state(&g, no, BACKFILL_RUNNING), ERR_CONFLICT);
	cr_assert_eq(set_state(&g, 99, BACKFILL_RUNNING), ERR_NOT_FOUND);
	rig_done(&g);
	LEAK_CHECK();
}

Test(sched_backfill, a_persons_rerun_judges_it_again)
{
	struct rig g;

	rig_init(&g, 9);
	rig_dag(&g, "d", "a", CRON_DAY("0 3 * * *"), "\"max_runs\":9");
	fill(&g, "2025-11-01", "2025-11-02", 4);
	rig_fail(&g, 1, "a", "data");
	cr_assert_eq(get(&g, 1).state, BACKFILL_RUNNING, "one failure does not stop the others");
	rig_ok(&g, 2, "a");
	cr_assert_eq(get(&g, 1).state, BACKFILL_FAILED);
	cr_assert_eq(rig_rerun(&g, 1, NULL), 0);
	cr_assert_eq(get(&g, 1).open, 1);
	rig_ok(&g, 1, "a");
	cr_assert_eq(get(&g, 1).state, BACKFILL_SUCCEEDED);
	rig_done(&g);
	LEAK_CHECK();
}

/* What a person opens again comes on top of max_parallel: the backfill waits for room. */
Test(sched_backfill, a_rerun_or_mark_by_hand_while_it_goes_on)
{
	struct op mark = {.kind = OP_MARK};
	struct backfill_rec b;
	struct rig g;

	rig_init(&g, 9);
	rig_dag(&g, "d", "a;b:a", CRON_DAY("0 3 * * *"), "\"max_runs\":9");
	fill(&g, "2025-11-01", "2025-11-04", 1);
	rig_fail(&g, 1, "a", "data");
	rig_fail(&g, 2, "a", "data");
	cr_assert_eq(rig_runs(&g), 3);
	cr_assert_eq(rig_rerun(&g, 1, NULL), 0);
	mark.u.mark.run = 2;
	mark.u.mark.step = "a";
	mark.u.mark.state = "succeeded";
	cr_assert_eq(rig_op(&g, &mark), 0);
	b = get(&g, 1);
	cr_assert_eq(b.open, 3);
	cr_assert_eq(b.failed, 0);
	rig_ok(&g, 1, "a");
	rig_ok(&g, 1, "b");
	rig_ok(&g, 2, "b");
	cr_assert_eq(get(&g, 1).open, 1);
	cr_assert_eq(rig_runs(&g), 3, "the third is still open, no fourth comes");
	rig_drain(&g);
	cr_assert_eq(rig_runs(&g), 4);
	cr_assert_eq(get(&g, 1).state, BACKFILL_SUCCEEDED);
	cr_assert_eq(get(&g, 1).succeeded, 4);
	rig_done(&g);
	LEAK_CHECK();
}

/* Runs without a step to do end where they start: one transaction must not make them all. */
Test(sched_backfill, runs_that_end_at_once_come_in_bounded_batches)
{
	uint64_t before = 0;
	struct rig g;
	int rounds = 0;

	rig_init(&g, 1);
	rig_dag(&g, "d", "f each=0", CRON_DAY("0 3 * * *"), "\"max_runs\":9");
	fill(&g, "2025-01-01", "2025-11-15", 4);
	while (get(&g, 1).ended_at == TIME_NONE) {
		cr_assert_leq(rig_runs(&g) - before, 32);
		before = rig_runs(&g);
		rig_due(&g, g.now);
		cr_assert_lt(rounds++, 100);
	}
	cr_assert_eq(get(&g, 1).succeeded, 319);
	cr_assert_geq(rounds, 9);
	rig_done(&g);
	LEAK_CHECK();
}

Test(sched_backfill, minutes_are_counted_bit_by_bit)
{
	struct rig g;

	rig_init(&g, 1);
	g.no_check = true;
	rig_dag(&g, "d", "a", CRON("* * * * *"), NULL);
	fill(&g, "2025-11-01", "2025-11-20T23:59:30", 1);
	cr_assert_neq(get(&g, 1).counted, TIME_NONE);
	cr_assert_eq(get(&g, 1).open, 1);
	for (int i = 0; get(&g, 1).counted != TIME_NONE; i++) {
		cr_assert_lt(i, 10);
		rig_due(&g, g.now);
	}
	cr_assert_eq(get(&g, 1).total, 20 * 1440);
	cr_assert_eq(rig_runs(&g), 1);
	cr_assert_eq(set_state(&g, 1, BACKFILL_CANCELLED), 0);
	rig_answer_at(&g, 0, OUTCOME_CANCELLED, "");
	g.no_check = false;
	rig_check(&g);
	cr_assert_neq(get(&g, 1).ended_at, TIME_NONE);
	rig_done(&g);
	LEAK_CHECK();
}

static void refused(struct rig *g, const char *from, const char *to, int rc, const char *says)
{
	struct op op = request(from, to, 1);

	cr_assert_eq(rig_op(g, &op), rc, "%s: %s", from, g->r.err.text);
	cr_assert_not_null(strstr(g->r.err.text, says), "%s", g->r.err.text);
}

Test(sched_backfill, refusals_say_why)
{
	struct op pause = {.kind = OP_PAUSE}, op = request("2025-11-01", "2025-11-02", 1);
	struct rig g;

	rig_init(&g, 1);
	refused(&g, "2025-11-01", "2025-11-02", ERR_NOT_FOUND, "there is no DAG");
	rig_dag(&g, "d", "a", NULL, NULL);
	refused(&g, "2025-11-01", "2025-11-02", ERR_USAGE, "give it a trigger");
	rig_dag(&g, "d", "a",
	    CRON("0 3 * * *") ",{\"name\":\"u\",\"kind\":\"cron\",\"cron\":\"0 4 * * "
			      "*\",\"zone\":\"UTC\"},{\"name\":\"h\",\"kind\":\"webhook\",\"hook\":"
			      "\"x\"}",
	    NULL);
	refused(&g, "2025-11-01", "2025-11-02", ERR_USAGE, "--trigger");
	op.u.backfill.trigger = "x";
	cr_assert_eq(rig_op(&g, &op), ERR_NOT_FOUND);
	op.u.backfill.trigger = "h";
	cr_assert_eq(rig_op(&g, &op), ERR_USAGE);
	rig_dag(&g, "d", "a", CRON_DAY("0 3 * * *"), NULL);
	refused(&g, "yesterday", "2025-11-02", ERR_USAGE, "neither a day");
	refused(&g, "2025-11-02", "2025-11-01", ERR_USAGE, "lies before");
	refused(&g, "2025-12-02", "2025-12-03", ERR_USAGE, "has come already");
	refused(&g, "", "2025-12-03", ERR_USAGE, "needs from and to");
	pause.u.pause.dag = "d";
	pause.u.pause.on = true;
	cr_assert_eq(rig_op(&g, &pause), 0);
	refused(&g, "2025-11-01", "2025-11-02", ERR_CONFLICT, "sluice resume d");
	rig_done(&g);
	LEAK_CHECK();
}

Test(sched_backfill, bounds_are_keys_or_times)
{
	struct rig g;

	rig_init(&g, 1);
	rig_dag(&g, "d", "a",
	    "{\"name\":\"t\",\"kind\":\"cron\",\"cron\":\"0 * * * *\",\"zone\":\"Asia/Tokyo\"}",
	    "\"max_runs\":99");
	fill(&g, "2025-11-01", "2025-11-01", 1);
	cr_assert_eq(get(&g, 1).total, 24, "the whole day of the trigger's zone");
	cr_assert_eq(run_no(&g, 1).logical_time, RIG_T0 - 20 * DAY - 9 * 3600 * US_PER_S);
	fill(&g, "2025-10", "2025-10", 1);
	cr_assert_eq(get(&g, 2).total, 31 * 24);
	fill(&g, "2025-10-01T05:00:00Z", "2025-10-01T07:00:00Z", 1);
	cr_assert_eq(get(&g, 3).total, 3, "both bounds are inclusive");
	fill(&g, "2025-W45", "2025-W45", 1);
	cr_assert_eq(get(&g, 4).total, 168);
	fill(&g, "2025-09-01T05:30:00", "2025-09-01T07", 1);
	cr_assert_eq(get(&g, 5).total, 2, "06 and 07 in Tokyo");
	rig_done(&g);
	LEAK_CHECK();
}

Test(sched_backfill, a_changed_file_counts_for_new_runs)
{
	struct rig g;

	rig_init(&g, 9);
	rig_dag(&g, "d", "a", CRON_DAY("0 3 * * *"), NULL);
	fill(&g, "2025-11-01", "2025-11-03", 1);
	rig_dag(&g, "d", "a;b:a", CRON_DAY("0 4 * * *"), NULL);
	rig_ok(&g, 1, "a");
	cr_assert_eq(run_no(&g, 1).n_steps, 1);
	cr_assert_eq(run_no(&g, 2).n_steps, 2);
	cr_assert_eq(
	    run_no(&g, 2).logical_time, RIG_T0 - 18 * DAY + 4 * 3600 * US_PER_S, "04:00 now");
	/* without its schedule it ends, and says so */
	rig_dag(&g, "d", "a", NULL, NULL);
	rig_drain(&g);
	cr_assert_eq(get(&g, 1).state, BACKFILL_CANCELLED);
	cr_assert_not_null(strstr(get(&g, 1).message, "schedule"));
	cr_assert_eq(rig_runs(&g), 2);
	rig_done(&g);
	LEAK_CHECK();
}

Test(sched_backfill, a_file_that_is_gone_ends_it)
{
	struct op_file f = {.path = "d.yaml", .gone = true};
	struct op op = {.kind = OP_PLANS};
	struct rig g;

	rig_init(&g, 9);
	rig_dag(&g, "d", "a", CRON_DAY("0 3 * * *"), NULL);
	fill(&g, "2025-11-01", "2025-11-03", 2);
	op.u.plans.files = &f;
	op.u.plans.n_files = 1;
	cr_assert_eq(rig_op(&g, &op), 0);
	rig_drain(&g);
	cr_assert_eq(get(&g, 1).state, BACKFILL_CANCELLED);
	cr_assert_eq(get(&g, 1).message[0], 'e');
	cr_assert_neq(get(&g, 1).ended_at, TIME_NONE);
	cr_assert_eq(rig_runs(&g), 2);
	rig_done(&g);
	LEAK_CHECK();
}

Test(sched_backfill, params_that_are_no_good_fail_their_window)
{
	struct rig g;

	rig_init(&g, 9);
	rig_dag(&g, "d", "a", CRON_DAY("0 3 * * *"),
	    "\"params\":[{\"name\":\"p\",\"type\":\"string\",\"required\":true}]");
	fill(&g, "2025-11-01", "2025-11-03", 2);
	cr_assert_eq(get(&g, 1).rejected, 3);
	cr_assert_eq(get(&g, 1).state, BACKFILL_FAILED);
	cr_assert_eq(strncmp(get(&g, 1).message, "2025-11-01: ", 12), 0, "%s", get(&g, 1).message);
	rig_done(&g);
	LEAK_CHECK();
}

/* ---- subscribers ---- */

#define FOLLOW(more)                                                                               \
	"{\"name\":\"f\",\"kind\":\"datasets\",\"zone\":\"UTC\",\"datasets\":{\"rule\":\"" more    \
	"\"members\":[{\"name\":\"lake/x\"}]}"

static void three_days(struct rig *g, enum downstream how)
{
	struct op op = request("2025-11-01", "2025-11-03", 1);

	rig_init(g, 9);
	rig_dag(g, "d", "a", CRON_DAY("0 3 * * *"), "\"max_runs\":9");
	rig_dag(g, "any", "a", FOLLOW("any\",") "}", "\"max_runs\":99");
	rig_dag(g, "join", "a", FOLLOW("all\",") ",\"join\":\"day\"}", "\"max_runs\":99");
	op.u.backfill.downstream = how;
	cr_assert_eq(rig_op(g, &op), 0);
	for (int i = 1; i <= 3; i++) {
		char report[200];
		uint64_t run = 0;

		snprintf(report, sizeof(report),
		    "{\"class\":\"ok\",\"datasets\":[{\"name\":\"lake/"
		    "x\",\"partition\":\"day=2025-11-0%d\",\"changed\":true}]}",
		    i);
		for (uint64_t r = 1; r <= rig_runs(g); r++) {
			if (run_no(g, r).backfill == 1 && run_no(g, r).state == RUN_RUNNING)
				run = r;
		}
		cr_assert_neq(run, 0);
		if (how == DOWNSTREAM_ONCE)
			cr_assert_eq(rig_runs(g), (uint64_t)i, "nothing follows before its end");
		cr_assert(rig_answer(g, run, "a", OUTCOME_OK, report));
	}
	cr_assert_eq(get(g, 1).state, BACKFILL_SUCCEEDED);
}

static unsigned runs_of(struct rig *g, const char *dag, const char *key)
{
	unsigned n = 0;

	for (uint64_t r = 1; r <= rig_runs(g); r++)
		n +=
		    str_eq(run_no(g, r).dag, dag) && (key == NULL || str_eq(run_no(g, r).key, key));
	return n;
}

Test(sched_backfill, downstream_each_once_none)
{
	struct rig g;

	three_days(&g, DOWNSTREAM_EACH);
	cr_assert_eq(runs_of(&g, "any", NULL), 3);
	cr_assert_eq(runs_of(&g, "join", NULL), 3);
	rig_done(&g);
	three_days(&g, DOWNSTREAM_NONE);
	cr_assert_eq(rig_runs(&g), 3);
	rig_done(&g);
	three_days(&g, DOWNSTREAM_ONCE);
	cr_assert_eq(runs_of(&g, "any", NULL), 1);
	cr_assert_eq(runs_of(&g, "any", "lake/x@3"), 1);
	cr_assert_eq(runs_of(&g, "join", "day=2025-11-02"), 1);
	cr_assert_eq(runs_of(&g, "join", NULL), 3, "each partition is a join of its own");
	rig_done(&g);
	LEAK_CHECK();
}

/* ---- targets ---- */

Test(sched_backfill, walks_there_and_back_meet_the_same_targets)
{
	static const char *const crons[] = {
	    "0 3 * * *", "*/7 * * * *", "0 0 29 2 *", "15 2,14 * * 1", "30 2 L * *"};
	struct rig g;

	rig_init(&g, 1);
	for (size_t i = 0; i < sizeof(crons) / sizeof(crons[0]); i++) {
		wall_us there[5000], from = RIG_T0 - 1000 * DAY, to = from + 20 * DAY, pos = from;
		struct plan_trigger t = {.kind = TRIGGER_CRON,
		    .cron = crons[i],
		    .zone = "America/New_York",
		    .gap = "run_after",
		    .overlap = "first"};
		struct target at;
		size_t n = 0;

		if (i >= 2)
			to = RIG_T0;
		t.covers_unit = i == 3 ? "week" : NULL;
		while (pos != TIME_NONE &&
		       target_next(&t, from, to, BACKFILL_OLDEST, pos, &at, NULL) == 0) {
			there[n++] = at.at;
			pos = at.rest;
			cr_assert_lt(n, 5000);
		}
		cr_assert_gt(n, 0);
		for (pos = to; pos != TIME_NONE &&
			       target_next(&t, from, to, BACKFILL_NEWEST, pos, &at, NULL) == 0;
		     pos = at.rest) {
			cr_assert_gt(n, 0, "%s", crons[i]);
			cr_assert_eq(at.at, there[--n], "%s", crons[i]);
		}
		cr_assert_eq(n, 0, "%s: %zu are missing", crons[i], n);
	}
	rig_done(&g);
	LEAK_CHECK();
}
