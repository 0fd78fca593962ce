/* Schedules: ticks, windows, what was missed, pause, changed files, run_timeout. */
#include "core/sched/table.h"
#include "leak.h"
#include "sched_rig.h"

#include <criterion/criterion.h>
#include <string.h>

#define CRON(expr) "{\"name\":\"t\",\"kind\":\"cron\",\"cron\":\"" expr "\",\"zone\":\"UTC\"}"
#define HOUR (3600 * US_PER_S)

static struct run_rec run_no(struct rig *g, uint64_t no)
{
	struct run_rec r;

	cr_assert_eq(run_get(&g->mem.view, no, &r), 0);
	return r;
}

static wall_us next_due(struct rig *g)
{
	wall_us t;

	cr_assert_eq(sched_next_due(&g->mem.view, &t), 0);
	return t;
}

Test(sched_tick, every_instant_once)
{
	struct rig g;

	rig_init(&g, 1);
	rig_dag(&g, "d", "a", CRON("0 * * * *"), "\"max_runs\":99");
	cr_assert_eq(next_due(&g), RIG_T0 + HOUR);
	rig_due(&g, RIG_T0 + HOUR - 1);
	cr_assert_eq(rig_runs(&g), 0);
	for (int i = 1; i <= 5; i++) {
		rig_due(&g, RIG_T0 + i * HOUR);
		rig_due(&g, RIG_T0 + i * HOUR + 1);
		cr_assert_eq(rig_runs(&g), (uint64_t)i);
		cr_assert_eq(run_no(&g, (uint64_t)i).logical_time, RIG_T0 + i * HOUR);
		cr_assert_eq(run_no(&g, (uint64_t)i).trigger, TRIGGER_CRON);
	}
	rig_done(&g);
	LEAK_CHECK();
}

Test(sched_tick, late_within_the_grace_counts_and_missed_is_skipped)
{
	struct rig g;

	rig_init(&g, 1);
	rig_dag(&g, "d", "a", CRON("0 * * * *"), "\"max_runs\":99");
	rig_due(&g, RIG_T0 + HOUR + 30 * US_PER_S);
	cr_assert_eq(rig_runs(&g), 1);
	cr_assert_eq(run_no(&g, 1).logical_time, RIG_T0 + HOUR);
	/* down for a day: none of its 24 instants is made up for, the next one comes */
	rig_due(&g, RIG_T0 + 25 * HOUR + 300 * US_PER_S);
	cr_assert_eq(rig_runs(&g), 1);
	cr_assert_eq(next_due(&g), RIG_T0 + 26 * HOUR);
	/* down until shortly after an instant: that one counts */
	rig_due(&g, RIG_T0 + 50 * HOUR + 20 * US_PER_S);
	cr_assert_eq(rig_runs(&g), 2);
	cr_assert_eq(run_no(&g, 2).logical_time, RIG_T0 + 50 * HOUR);
	rig_done(&g);
	LEAK_CHECK();
}

Test(sched_tick, at_and_every)
{
	struct rig g;

	rig_init(&g, 1);
	rig_dag(
	    &g, "d", "a", "{\"name\":\"t\",\"kind\":\"at\",\"at\":\"2025-11-21T05:00:00Z\"}", NULL);
	rig_dag(&g, "e", "a",
	    "{\"name\":\"t\",\"kind\":\"every\",\"each_ms\":900000,\"from\":\"2025-11-21T00:10:"
	    "00Z\"}",
	    "\"max_runs\":99");
	cr_assert_eq(next_due(&g), RIG_T0 + 600 * US_PER_S);
	rig_due(&g, RIG_T0 + 600 * US_PER_S);
	cr_assert_eq(next_due(&g), RIG_T0 + 1500 * US_PER_S);
	rig_due(&g, RIG_T0 + 5 * HOUR);
	cr_assert_eq(rig_runs(&g), 2, "the instant of at, and one of every");
	rig_due(&g, RIG_T0 + 29 * HOUR);
	cr_assert_eq(run_no(&g, 2).dag_no, 1);
	rig_done(&g);
	LEAK_CHECK();
}

Test(sched_tick, pause_stops_and_resume_goes_on_from_now)
{
	struct op op = {.kind = OP_PAUSE};
	struct rig g;

	rig_init(&g, 1);
	rig_dag(&g, "d", "a", CRON("0 * * * *"), "\"max_runs\":99");
	op.u.pause.dag = "d";
	op.u.pause.on = true;
	cr_assert_eq(rig_op(&g, &op), 0);
	cr_assert_eq(next_due(&g), TIME_NONE);
	rig_due(&g, RIG_T0 + 5 * HOUR + 1);
	op.u.pause.on = false;
	cr_assert_eq(rig_op(&g, &op), 0);
	cr_assert_eq(rig_runs(&g), 0);
	cr_assert_eq(next_due(&g), RIG_T0 + 6 * HOUR);
	rig_done(&g);
	LEAK_CHECK();
}

Test(sched_tick, a_changed_file_is_armed_anew)
{
	struct rig g;

	rig_init(&g, 1);
	rig_dag(&g, "d", "a", CRON("0 * * * *"), NULL);
	rig_dag(&g, "d", "a", CRON("30 * * * *"), NULL);
	cr_assert_eq(next_due(&g), RIG_T0 + HOUR / 2);
	rig_dag(&g, "d", "a", NULL, NULL);
	cr_assert_eq(next_due(&g), TIME_NONE);
	rig_done(&g);
	LEAK_CHECK();
}

Test(sched_tick, bad_parameters_are_a_rejected_event)
{
	struct event_rec e;
	struct rig g;

	rig_init(&g, 1);
	rig_dag(&g, "d", "a", CRON("0 * * * *"),
	    "\"params\":[{\"name\":\"p\",\"type\":\"string\",\"required\":true}]");
	rig_due(&g, RIG_T0 + HOUR);
	cr_assert_eq(rig_runs(&g), 0);
	cr_assert_eq(event_get(&g.mem.view, 1, &e, NULL), 0);
	cr_assert_eq(e.verdict, VERDICT_REJECTED);
	cr_assert_str_eq(e.source, "cron:d/t");
	rig_done(&g);
	LEAK_CHECK();
}

Test(sched_tick, run_timeout_ends_the_run_as_failed)
{
	struct run_rec r;
	struct rig g;
	uint64_t run;

	rig_init(&g, 1);
	rig_dag(&g, "d", "a;b:a", NULL, "\"run_timeout_ms\":60000");
	run = rig_start(&g, "d");
	rig_due(&g, g.now + 60 * US_PER_S);
	cr_assert(rig_effect(&g, EFFECT_KILL));
	cr_assert_eq(rig_state(&g, run, "b"), STEP_CANCELLED);
	rig_answer(&g, run, "a", OUTCOME_CANCELLED, "");
	r = run_no(&g, run);
	cr_assert_eq(r.state, RUN_FAILED);
	cr_assert_not_null(strstr(r.message, "run_timeout"));
	/* one that ends in time leaves no timer */
	run = rig_start(&g, "d");
	rig_drain(&g);
	cr_assert_eq(next_due(&g), TIME_NONE);
	rig_done(&g);
	LEAK_CHECK();
}

#define BIG "\"${join(range(50000), '0123456789')}\""

/* Nothing that a file says may hold up what is due of the others. */
Test(sched_tick, params_that_are_too_large_reject_their_tick_alone)
{
	static const char params[] =
	    "\"params\":[{\"name\":\"a\",\"type\":\"string\"},{\"name\":\"b\",\"type\":\"string\"},"
	    "{\"name\":\"c\",\"type\":\"string\"},{\"name\":\"d\",\"type\":\"string\"},"
	    "{\"name\":\"e\",\"type\":\"string\"},{\"name\":\"f\",\"type\":\"string\"}]";
	struct event_rec e;
	struct rig g;

	rig_init(&g, 2);
	rig_dag(&g, "big", "a",
	    "{\"name\":\"t\",\"kind\":\"cron\",\"cron\":\"0 * * * *\",\"zone\":\"UTC\","
	    "\"params\":{\"a\":" BIG ",\"b\":" BIG ",\"c\":" BIG ",\"d\":" BIG ",\"e\":" BIG
	    ",\"f\":" BIG "}}",
	    params);
	rig_dag(&g, "other", "a", CRON("0 * * * *"), NULL);
	rig_due(&g, RIG_T0 + HOUR);
	cr_assert_eq(rig_runs(&g), 1, "the other DAG's");
	cr_assert_eq(event_get(&g.mem.view, 1, &e, NULL), 0);
	cr_assert_eq(e.verdict, VERDICT_REJECTED);
	cr_assert_not_null(strstr(e.detail, "4 MiB"), "%s", e.detail);
	rig_done(&g);
	LEAK_CHECK();
}
