/* Work elsewhere: submitted, polled, asked to end; what is held between polls, and what a lost poll
 * costs. After every operation the rig runs check_store. */
#include "core/sched/table.h"
#include "core/sched/why.h"
#include "leak.h"
#include "sched_rig.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#define RUNS "{\"class\":\"ok\",\"submitted\":{\"handle\":\"4711\",\"poll_after_ms\":%d}}"
#define RUNS_10S "{\"class\":\"ok\",\"submitted\":{\"handle\":\"4711\",\"poll_after_ms\":10000}}"
#define DONE "{\"class\":\"ok\",\"remote_ended\":true,\"outputs\":{\"n\":3}}"
#define FAILED "{\"class\":\"data\",\"message\":\"exit 3\",\"remote_ended\":true}"
#define ENDED "{\"class\":\"transient\",\"message\":\"killed\",\"remote_ended\":true}"
#define UNREACHED "{\"class\":\"transient\",\"message\":\"connection refused\"}"
#define SEC US_PER_S

static uint64_t submit(struct rig *g, const char *steps)
{
	uint64_t run;

	rig_init(g, 1);
	rig_dag(g, "d", steps, NULL, NULL);
	run = rig_start(g, "d");
	cr_assert(rig_answer(g, run, "a", OUTCOME_OK, RUNS_10S));
	return run;
}

static uint64_t counted(struct rig *g, const char *name)
{
	uint64_t n = 99;

	cr_assert_eq(count_get(&g->mem.view, name, &n), 0);
	return n;
}

static void later(struct rig *g, int64_t s)
{
	rig_due(g, g->now + s * SEC);
}

Test(sched_remote, between_polls_it_has_no_slot_and_keeps_its_tokens)
{
	struct rig g;
	uint64_t run = submit(&g, "a pool=one;b pool=one;c"), token;
	struct step_rec s = rig_step(&g, run, "a");

	cr_assert_eq(s.state, STEP_RUNNING);
	cr_assert(s.submitted && s.instance == 0 && s.attempt == 1);
	cr_assert_eq(s.poll_at, g.now + 10 * SEC);
	cr_assert_eq(counted(&g, "pool:one"), 1);
	/* the only worker has gone on to c; b waits for the token */
	cr_assert_eq(rig_state(&g, run, "c"), STEP_RUNNING);
	cr_assert_eq(rig_state(&g, run, "b"), STEP_READY);
	cr_assert(rig_ok(&g, run, "c"));
	cr_assert_eq(counted(&g, COUNT_SLOTS), 0);
	token = s.token;
	later(&g, 9);
	cr_assert_eq(g.jobs.n, 0);
	later(&g, 1);
	cr_assert_eq(g.jobs.n, 1);
	s = rig_step(&g, run, "a");
	cr_assert_gt(s.token, token);
	cr_assert(s.instance == RIG_POOL && s.attempt == 1 && s.polls == 1);
	cr_assert_eq(counted(&g, COUNT_SLOTS), 1);
	cr_assert(rig_answer(&g, run, "a", OUTCOME_OK, DONE));
	cr_assert_eq(rig_state(&g, run, "a"), STEP_SUCCEEDED);
	cr_assert_eq(rig_state(&g, run, "b"), STEP_RUNNING);
	s = rig_step(&g, run, "a");
	cr_assert(!s.submitted && s.poll_at == 0);
	rig_done(&g);
	LEAK_CHECK();
}

Test(sched_remote, a_failure_there_is_tried_again_under_another_id)
{
	struct rig g;
	uint64_t run = submit(&g, "a retry=2 classes=data");
	struct step_rec s;

	later(&g, 10);
	cr_assert(rig_answer(&g, run, "a", OUTCOME_FAILED, FAILED));
	s = rig_step(&g, run, "a");
	cr_assert_eq(s.state, STEP_RUNNING);
	cr_assert(!s.submitted && s.submission == 1 && s.attempt == 2 && s.used == 1);
	cr_assert(rig_answer(&g, run, "a", OUTCOME_OK, RUNS_10S));
	later(&g, 10);
	cr_assert(rig_answer(&g, run, "a", OUTCOME_FAILED, FAILED));
	cr_assert_eq(rig_state(&g, run, "a"), STEP_FAILED);
	cr_assert_str_eq(rig_step(&g, run, "a").message, "exit 3");
	rig_done(&g);
	LEAK_CHECK();
}

/* What is not known to have been submitted keeps its id, or it would be started twice. */
Test(sched_remote, a_submission_of_unknown_end_keeps_its_id)
{
	struct rig g;
	uint64_t run;

	rig_init(&g, 1);
	rig_dag(&g, "d", "a retry=3", NULL, NULL);
	run = rig_start(&g, "d");
	cr_assert(rig_answer(&g, run, "a", OUTCOME_LOST, ""));
	cr_assert(rig_answer(&g, run, "a", OUTCOME_FAILED, UNREACHED));
	cr_assert_eq(rig_step(&g, run, "a").submission, 0);
	cr_assert_eq(rig_step(&g, run, "a").attempt, 3);
	rig_done(&g);
	LEAK_CHECK();
}

Test(sched_remote, a_poll_that_fails_or_is_lost_is_repeated_more_and_more_seldom)
{
	struct rig g;
	uint64_t run = submit(&g, "a");
	struct step_rec s;

	for (int i = 0; i < 40; i++) {
		int code = i % 3 == 0	? OUTCOME_LOST
			   : i % 3 == 1 ? OUTCOME_FAILED
					: OUTCOME_DEADLINE;

		later(&g, 300);
		cr_assert(rig_answer(&g, run, "a", code, code == OUTCOME_FAILED ? UNREACHED : ""));
		s = rig_step(&g, run, "a");
		cr_assert_eq(s.state, STEP_RUNNING);
		cr_assert(s.attempt == 1 && s.used == 0 && s.lost == 0);
		cr_assert_leq(s.poll_at, g.now + 300 * SEC);
	}
	cr_assert_geq(s.poll_at, g.now + 200 * SEC);
	cr_assert(strstr(s.message, "40 polls in a row failed") != NULL, "%s", s.message);
	later(&g, 300);
	cr_assert(rig_answer(&g, run, "a", OUTCOME_OK, RUNS_10S));
	s = rig_step(&g, run, "a");
	cr_assert(s.poll_errors == 0 && s.message[0] == 0);
	later(&g, 10);
	cr_assert(rig_answer(&g, run, "a", OUTCOME_OK, DONE));
	cr_assert_eq(rig_run_state(&g, run), RUN_SUCCEEDED);
	rig_done(&g);
	LEAK_CHECK();
}

Test(sched_remote, a_poll_that_time_does_not_cure_ends_the_step_after_an_hour)
{
	struct rig g;
	uint64_t run = submit(&g, "a");
	int n = 0;

	while (rig_state(&g, run, "a") == STEP_RUNNING && n < 100) {
		later(&g, 300);
		cr_assert(rig_answer(&g, run, "a", OUTCOME_FAILED,
		    "{\"class\":\"auth\",\"message\":\"wrong token\"}"));
		n++;
	}
	cr_assert_eq(n, 20);
	cr_assert_eq(rig_state(&g, run, "a"), STEP_FAILED);
	cr_assert(strstr(rig_step(&g, run, "a").message, "wrong token") != NULL);
	rig_done(&g);
	LEAK_CHECK();
}

Test(sched_remote, the_interval_is_bounded)
{
	static const struct {
		int ms;
		int64_t want_s;
	} rows[] = {{1, 1}, {-5, 1}, {0, 1}, {7000, 7}, {100000000, 300}};
	struct rig g;
	uint64_t run = submit(&g, "a");
	char report[128];

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		later(&g, 300);
		snprintf(report, sizeof(report), RUNS, rows[i].ms);
		cr_assert(rig_answer(&g, run, "a", OUTCOME_OK, report));
		cr_assert_eq(
		    rig_step(&g, run, "a").poll_at, g.now + rows[i].want_s * SEC, "row %zu", i);
	}
	rig_done(&g);
	LEAK_CHECK();
}

Test(sched_remote, what_the_pool_does_not_know_is_polled_again)
{
	struct op op = {.kind = OP_POOL_GONE};
	struct rig g;
	uint64_t run = submit(&g, "a"), token;
	struct step_rec s;

	later(&g, 10);
	cr_assert_eq(g.jobs.n, 1);
	token = g.tokens.v[0];
	VEC_CLEAR(&g.jobs);
	VEC_CLEAR(&g.tokens);
	rig_pool_up(&g, 2, NULL, NULL, 0); /* not listed: handed out anew at once */
	cr_assert_eq(g.jobs.n, 1);
	cr_assert_gt(g.tokens.v[0], token);
	op.u.pool_gone.instance = RIG_POOL;
	cr_assert_eq(rig_op(&g, &op), 0);
	s = rig_step(&g, run, "a");
	cr_assert(s.submitted && s.instance == 0 && s.lost == 0 && s.attempt == 1);
	VEC_CLEAR(&g.jobs);
	VEC_CLEAR(&g.tokens);
	rig_pool_up(&g, 3, NULL, NULL, 0);
	later(&g, 10);
	cr_assert(rig_answer(&g, run, "a", OUTCOME_OK, DONE));
	cr_assert_eq(rig_run_state(&g, run), RUN_SUCCEEDED);
	rig_done(&g);
	LEAK_CHECK();
}

Test(sched_remote, a_cancel_asks_at_once_and_waits_for_the_end)
{
	struct rig g;
	uint64_t run = submit(&g, "a;b:a");

	rig_cancel(&g, run);
	cr_assert_not(rig_effect(&g, EFFECT_KILL));
	cr_assert_eq(g.jobs.n, 1);
	cr_assert_eq(rig_step(&g, run, "a").stop, REMOTE_CANCEL);
	cr_assert_eq(rig_run_state(&g, run), RUN_RUNNING);
	cr_assert_eq(rig_state(&g, run, "b"), STEP_CANCELLED);
	cr_assert(rig_answer(&g, run, "a", OUTCOME_OK, RUNS_10S)); /* it is ending */
	cr_assert_eq(rig_state(&g, run, "a"), STEP_RUNNING);
	later(&g, 10);
	cr_assert(rig_answer(&g, run, "a", OUTCOME_FAILED, ENDED));
	cr_assert_eq(rig_state(&g, run, "a"), STEP_CANCELLED);
	cr_assert_eq(rig_run_state(&g, run), RUN_CANCELLED);
	rig_done(&g);
	LEAK_CHECK();
}

Test(sched_remote, a_success_that_is_seen_first_counts)
{
	struct rig g;
	uint64_t run = submit(&g, "a");

	rig_cancel(&g, run);
	cr_assert(rig_answer(&g, run, "a", OUTCOME_OK, DONE));
	cr_assert_eq(rig_state(&g, run, "a"), STEP_SUCCEEDED);
	rig_done(&g);
	LEAK_CHECK();
}

/* Cancelled while the submission is under way, which then says where the work is. */
Test(sched_remote, a_cancel_during_the_submission_ends_what_was_submitted)
{
	struct rig g;
	uint64_t run;

	rig_init(&g, 1);
	rig_dag(&g, "d", "a", NULL, NULL);
	run = rig_start(&g, "d");
	rig_cancel(&g, run);
	cr_assert(rig_effect(&g, EFFECT_KILL));
	cr_assert(rig_answer(&g, run, "a", OUTCOME_OK, RUNS_10S));
	cr_assert_eq(g.jobs.n, 1);
	cr_assert_eq(rig_step(&g, run, "a").stop, REMOTE_CANCEL);
	cr_assert(rig_answer(&g, run, "a", OUTCOME_FAILED, ENDED));
	cr_assert_eq(rig_run_state(&g, run), RUN_CANCELLED);
	rig_done(&g);
	LEAK_CHECK();
}

/* A cancel that meets a poll leaves it alone: the next hand-over asks for the end. */
Test(sched_remote, a_cancel_during_a_poll_follows_it)
{
	struct rig g;
	uint64_t run = submit(&g, "a");

	later(&g, 10);
	rig_cancel(&g, run);
	cr_assert_not(rig_effect(&g, EFFECT_KILL));
	cr_assert(rig_answer(&g, run, "a", OUTCOME_OK, RUNS_10S));
	later(&g, 10);
	cr_assert_eq(g.jobs.n, 1);
	cr_assert(rig_answer(&g, run, "a", OUTCOME_FAILED, ENDED));
	cr_assert_eq(rig_run_state(&g, run), RUN_CANCELLED);
	rig_done(&g);
	LEAK_CHECK();
}

Test(sched_remote, an_end_that_is_never_confirmed_is_given_up_and_said)
{
	struct rig g;
	uint64_t run = submit(&g, "a");
	int n = 0;

	rig_cancel(&g, run);
	while (rig_state(&g, run, "a") == STEP_RUNNING && n < 100) {
		cr_assert(rig_answer(&g, run, "a", OUTCOME_FAILED, UNREACHED));
		later(&g, 300);
		n++;
	}
	cr_assert_eq(n, 12);
	cr_assert_eq(rig_run_state(&g, run), RUN_CANCELLED);
	cr_assert(strstr(rig_step(&g, run, "a").message, "4711 did not confirm its end") != NULL,
	    "%s", rig_step(&g, run, "a").message);
	rig_done(&g);
	LEAK_CHECK();
}

Test(sched_remote, the_timeout_counts_from_the_submission_and_ends_it_there)
{
	struct rig g;
	uint64_t run = submit(&g, "a timeout=25000 retry=2 classes=timeout");
	struct step_rec s;

	later(&g, 10);
	cr_assert(rig_answer(&g, run, "a", OUTCOME_OK, RUNS_10S));
	later(&g, 10);
	cr_assert(rig_answer(&g, run, "a", OUTCOME_OK, RUNS_10S));
	s = rig_step(&g, run, "a");
	cr_assert_eq(s.poll_at, g.now + 5 * SEC); /* not behind the limit */
	later(&g, 5);
	s = rig_step(&g, run, "a");
	cr_assert_eq(s.stop, REMOTE_TIMEOUT);
	cr_assert(rig_answer(&g, run, "a", OUTCOME_FAILED, ENDED));
	s = rig_step(&g, run, "a");
	cr_assert(s.used == 1 && s.submission == 1 && s.stop == REMOTE_KEEP && s.attempt == 2);
	cr_assert_eq(s.class_, CLASS_TIMEOUT);
	rig_done(&g);
	LEAK_CHECK();
}

static void set_clock(struct rig *g, int64_t offset, int64_t by)
{
	struct op op = {.kind = OP_CLOCK};

	g->now += by;
	op.u.clock.boot[0] = 1;
	op.u.clock.offset_us = offset + by;
	cr_assert_eq(rig_op(g, &op), 0);
}

/* Whatever of it is due, being polled or waiting for a worker while somebody sets the clock. */
Test(sched_remote, a_timeout_is_a_length_of_time_whatever_the_clock_does)
{
	static const int64_t steps[] = {3600 * SEC, -3600 * SEC, 365 * 86400 * SEC};

	for (size_t i = 0; i < 6; i++) {
		int64_t by = steps[i % 3];
		struct rig g;
		uint64_t run;

		rig_init(&g, 1);
		rig_dag(&g, "d", "a timeout=25000", NULL, NULL);
		set_clock(&g, 0, 0);
		run = rig_start(&g, "d");
		cr_assert(rig_answer(&g, run, "a", OUTCOME_OK, RUNS_10S));
		later(&g, 10);
		if (i < 3)
			cr_assert(rig_answer(&g, run, "a", OUTCOME_OK, RUNS_10S));
		set_clock(&g, 0, by);
		if (i >= 3)
			cr_assert(rig_answer(&g, run, "a", OUTCOME_OK, RUNS_10S));
		later(&g, 10);
		cr_assert_eq(rig_step(&g, run, "a").stop, REMOTE_KEEP);
		cr_assert(rig_answer(&g, run, "a", OUTCOME_OK, RUNS_10S));
		later(&g, 5);
		cr_assert_eq(rig_step(&g, run, "a").stop, REMOTE_TIMEOUT);
		cr_assert(rig_answer(&g, run, "a", OUTCOME_FAILED, ENDED));
		cr_assert_eq(rig_run_state(&g, run), RUN_FAILED);
		rig_done(&g);
	}
	LEAK_CHECK();
}

Test(sched_remote, a_run_timeout_ends_it_there_too)
{
	struct rig g;
	uint64_t run;

	rig_init(&g, 1);
	rig_dag(&g, "d", "a", NULL, "\"run_timeout_ms\":60000");
	run = rig_start(&g, "d");
	cr_assert(rig_answer(&g, run, "a", OUTCOME_OK,
	    "{\"class\":\"ok\",\"submitted\":{\"handle\":\"1\",\"poll_after_ms\":300000}}"));
	later(&g, 60);
	cr_assert_eq(g.jobs.n, 1);
	cr_assert(rig_answer(&g, run, "a", OUTCOME_FAILED, ENDED));
	cr_assert_eq(rig_run_state(&g, run), RUN_FAILED);
	rig_done(&g);
	LEAK_CHECK();
}

Test(sched_remote, a_report_without_a_handle_is_a_failure)
{
	struct rig g;
	uint64_t run;

	rig_init(&g, 1);
	rig_dag(&g, "d", "a", NULL, NULL);
	run = rig_start(&g, "d");
	cr_assert(rig_answer(&g, run, "a", OUTCOME_OK, "{\"class\":\"ok\",\"submitted\":{}}"));
	cr_assert_eq(rig_state(&g, run, "a"), STEP_FAILED);
	cr_assert_eq(rig_step(&g, run, "a").class_, CLASS_INTERNAL);
	rig_done(&g);
	LEAK_CHECK();
}

Test(sched_remote, items_of_a_group_are_submitted_too)
{
	struct rig g;
	uint64_t run;

	rig_init(&g, 2);
	rig_dag(&g, "d", "f each=5 par=3", NULL, NULL);
	run = rig_start(&g, "d");
	while (g.jobs.n > 0)
		rig_answer_at(&g, 0, OUTCOME_OK, RUNS_10S);
	cr_assert_eq(counted(&g, COUNT_SLOTS), 0);
	cr_assert_eq(rig_step(&g, run, "f").items_running, 3);
	while (rig_run_state(&g, run) == RUN_RUNNING) {
		later(&g, 10);
		while (g.jobs.n > 0) {
			struct step_rec s;

			cr_assert_eq(step_get(&g.mem.view, &g.jobs.v[0], &s), 0);
			rig_answer_at(&g, 0, OUTCOME_OK, s.submitted ? DONE : RUNS_10S);
		}
	}
	cr_assert_eq(rig_run_state(&g, run), RUN_SUCCEEDED);
	rig_done(&g);
	LEAK_CHECK();
}

/* A planted fault each: the checker names it. */
static void note_problem(void *arg, const char *text)
{
	struct str *out = arg;

	str_addf(out, "%s\n", text);
}

static bool check_says(struct rig *g, const struct step_rec *planted, const char *want)
{
	struct str out;
	bool found;

	str_init(&out, 65536);
	cr_assert_eq(step_put(&g->mem.view, planted), 0);
	cr_assert_eq(check_store(&g->mem.view, note_problem, &out), 0);
	found = strstr(str_peek(&out), want) != NULL;
	cr_assert(found, "%s is not in: %s", want, str_peek(&out));
	str_done(&out);
	return found;
}

Test(sched_remote, the_checker_proves_due_tokens_and_slots)
{
	struct rig g;
	uint64_t run = submit(&g, "a pool=one");
	struct step_rec s = rig_step(&g, run, "a"), bad = s;
	struct step_ref ref = step_ref_of(&s);
	struct key k;

	bad.poll_at += SEC;
	check_says(&g, &bad, "step is to be polled");
	bad = s;
	bad.poll_ready = true;
	check_says(&g, &bad, "table due: an entry of kind 8");
	bad = s;
	bad.submitted = false;
	check_says(&g, &bad, "pool:one is counted, but nothing holds it");
	bad = s;
	bad.state = STEP_SUCCEEDED;
	check_says(&g, &bad, "speaks of work elsewhere");
	cr_assert_eq(step_put(&g.mem.view, &s), 0);
	key_due_poll(&k, s.poll_at, &ref);
	cr_assert_eq(view_del(&g.mem.view, TABLE_DUE, k.b, k.n), 0);
	check_says(&g, &s, "step is to be polled");
	rig_done(&g);
	LEAK_CHECK();
}

Test(sched_remote, why_and_show_say_where_it_is)
{
	struct rig g;
	uint64_t run = submit(&g, "a pool=one;b pool=one");
	struct step_ref ref = {run, 0, 0};
	struct str out;
	struct jw w;

	str_init(&out, 65536);
	jw_init(&w, &out);
	cr_assert_eq(why_run(&g.mem.view, &g.env, run, "b", NULL, g.now, &w, NULL), 0);
	cr_assert(strstr(str_peek(&out), "held by step a") != NULL, "%s", str_peek(&out));
	str_reset(&out);
	jw_init(&w, &out);
	cr_assert_eq(why_run(&g.mem.view, &g.env, run, "a", NULL, g.now, &w, NULL), 0);
	cr_assert(strstr(str_peek(&out), "job 4711 on") != NULL &&
		      strstr(str_peek(&out), "polled again at 2025-11-21T00:00:10") != NULL,
	    "%s", str_peek(&out));
	str_reset(&out);
	jw_init(&w, &out);
	cr_assert_eq(show_step(&g.mem.view, &ref, &w), 0);
	cr_assert(strstr(str_peek(&out), "\"remote\":{\"handle\":\"4711\",\"polls\":0") != NULL,
	    "%s", str_peek(&out));
	str_done(&out);
	rig_done(&g);
	LEAK_CHECK();
}

/* The id of its work holds the generation: a group that begins anew counts from 0, as a rerun of
 * its items does. */
Test(sched_remote, items_that_begin_anew_count_their_works_anew)
{
	struct rig g;
	struct step_rec s;
	struct step_ref item;
	uint64_t run;

	rig_init(&g, 2);
	rig_dag(&g, "d", "a;f:a each=1", NULL, NULL);
	run = rig_start(&g, "d");
	cr_assert(rig_ok(&g, run, "a"));
	item = g.jobs.v[0];
	rig_answer_at(&g, 0, OUTCOME_OK, RUNS_10S);
	later(&g, 10);
	rig_answer_at(&g, 0, OUTCOME_FAILED, FAILED);
	cr_assert_eq(step_get(&g.mem.view, &item, &s), 0);
	cr_assert(s.state == STEP_FAILED && s.submission == 1);
	cr_assert_eq(rig_rerun(&g, run, "a"), 0);
	cr_assert(rig_ok(&g, run, "a"));
	cr_assert_eq(step_get(&g.mem.view, &item, &s), 0);
	cr_assert(s.state == STEP_RUNNING && s.generation == 1 && s.submission == 0);
	rig_done(&g);
	LEAK_CHECK();
}
