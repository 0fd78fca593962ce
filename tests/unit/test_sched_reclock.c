/* Somebody sets the clock by a second to a year: waits keep their length, in bounded transactions,
 * whatever comes meanwhile; schedules follow the wall (test_sched_catchup.c). */
#include "core/sched/key.h"
#include "leak.h"
#include "sched_rig.h"

#include <criterion/criterion.h>
#include <string.h>

#define DAY (86400 * US_PER_S)
static const int64_t steps[] = {US_PER_S, -US_PER_S, 29 * US_PER_S, -31 * US_PER_S, 3600 * US_PER_S,
    -3600 * US_PER_S, DAY, -DAY, 365 * DAY, -365 * DAY};
#define N(a) (sizeof(a) / sizeof((a)[0]))

static int64_t offset;

static void tell(struct rig *g, uint8_t boot)
{
	struct op op = {.kind = OP_CLOCK};

	op.u.clock.boot[0] = boot;
	op.u.clock.offset_us = offset;
	cr_assert_eq(rig_op(g, &op), 0);
}

static void step(struct rig *g, int64_t by)
{
	g->now += by;
	offset += by;
	tell(g, 1);
}

/* As the daemon does it: until nothing is due. Gives how many transactions it took. */
static int due(struct rig *g, uint32_t limit)
{
	struct op op = {.kind = OP_DUE};
	wall_us at;
	int n = 0;

	op.u.due.limit = limit;
	while (sched_next_due(&g->mem.view, &at) == 0 && at != TIME_NONE && at <= g->now) {
		cr_assert_eq(rig_op(g, &op), 0);
		cr_assert_lt(n++, 10000);
	}
	return n;
}

static wall_us next_due(struct rig *g)
{
	wall_us t;

	cr_assert_eq(sched_next_due(&g->mem.view, &t), 0);
	return t;
}

Test(sched_reclock, a_retry_waits_as_long_as_it_was_told)
{
	for (size_t i = 0; i < N(steps); i++) {
		struct rig g;
		uint64_t run;

		rig_init(&g, 4);
		tell(&g, 1);
		rig_dag(&g, "d", "a retry=3 delay=30000", NULL, NULL);
		run = rig_start(&g, "d");
		cr_assert(rig_fail(&g, run, "a", "transient"));
		step(&g, steps[i]);
		due(&g, 256);
		cr_assert_eq(rig_state(&g, run, "a"), STEP_RETRYING, "step %zu", i);
		cr_assert_eq(next_due(&g), g.now + 30 * US_PER_S);
		g.now += 29 * US_PER_S;
		due(&g, 256);
		cr_assert_eq(rig_state(&g, run, "a"), STEP_RETRYING);
		g.now += US_PER_S;
		due(&g, 256);
		cr_assert_eq(rig_state(&g, run, "a"), STEP_RUNNING);
		rig_done(&g);
	}
	LEAK_CHECK();
}

Test(sched_reclock, a_run_times_out_after_its_time_and_not_by_the_clock)
{
	for (size_t i = 0; i < N(steps); i++) {
		struct rig g;
		uint64_t run;

		rig_init(&g, 4);
		tell(&g, 1);
		rig_dag(&g, "d", "a", NULL, "\"run_timeout_ms\":600000");
		run = rig_start(&g, "d");
		g.now += 60 * US_PER_S;
		step(&g, steps[i]);
		due(&g, 256);
		cr_assert(!rig_effect(&g, EFFECT_KILL), "step %zu", i);
		g.now += 539 * US_PER_S;
		due(&g, 256);
		cr_assert(!rig_effect(&g, EFFECT_KILL));
		g.now += US_PER_S;
		due(&g, 256);
		cr_assert(rig_effect(&g, EFFECT_KILL), "step %zu", i);
		cr_assert(rig_answer(&g, run, "a", OUTCOME_CANCELLED, ""));
		rig_done(&g);
	}
	LEAK_CHECK();
}

/* 500 waits, 16 a transaction, while others begin and end: each is moved once. */
Test(sched_reclock, moves_in_small_transactions_and_each_once)
{
	for (int sign = -1; sign <= 1; sign += 2) {
		struct op op = {.kind = OP_DUE};
		struct rig g;
		uint64_t run, other;

		rig_init(&g, 1000);
		g.no_check = true;
		tell(&g, 1);
		rig_dag(&g, "d", "f each=500 retry=3 delay=60000", NULL, NULL);
		/* on the side that is still to be moved */
		rig_dag(&g, "e", sign > 0 ? "a retry=3 delay=10000" : "a retry=3 delay=200000",
		    NULL, "\"max_runs\":9");
		run = rig_start(&g, "d");
		while (g.jobs.n > 0) {
			g.now += 10 * US_PER_MS;
			rig_answer_at(&g, 0, OUTCOME_FAILED, "{\"class\":\"transient\"}");
		}
		g.no_check = false;
		step(&g, sign * 30 * US_PER_S);
		op.u.due.limit = 16;
		for (int i = 0; i < 10; i++)
			cr_assert_eq(rig_op(&g, &op), 0);
		/* comes while it is being moved, and is not */
		other = rig_start(&g, "e");
		cr_assert(rig_fail(&g, other, "a", "transient"));
		rig_cancel(&g, rig_start(&g, "e"));
		cr_assert_gt(due(&g, 16), 15);
		cr_assert_eq(
		    rig_step(&g, other, "a").ready_at, g.now + (sign > 0 ? 10 : 200) * US_PER_S);
		for (uint32_t item = 1; item <= 500; item++) {
			struct step_ref ref = {run, 0, item};
			struct step_rec s;

			cr_assert_eq(step_get(&g.mem.view, &ref, &s), 0);
			cr_assert_eq(s.state, STEP_RETRYING);
			cr_assert(s.ready_at <= g.now + 60 * US_PER_S &&
				      s.ready_at >= g.now + 55 * US_PER_S,
			    "item %u: %lld ms", item, (long long)(s.ready_at - g.now) / 1000);
		}
		rig_done(&g);
	}
	LEAK_CHECK();
}

/* The second step comes before the first is carried out. */
Test(sched_reclock, two_steps_add_up)
{
	struct rig g;
	uint64_t run;

	rig_init(&g, 4);
	tell(&g, 1);
	rig_dag(&g, "d", "a retry=3 delay=30000", NULL, NULL);
	run = rig_start(&g, "d");
	cr_assert(rig_fail(&g, run, "a", "transient"));
	step(&g, 365 * DAY);
	step(&g, -10 * DAY);
	due(&g, 1);
	cr_assert_eq(rig_step(&g, run, "a").ready_at, g.now + 30 * US_PER_S);
	rig_done(&g);
	LEAK_CHECK();
}

Test(sched_reclock, knows_a_step_over_a_restart_and_a_small_one_is_none)
{
	struct rig g;
	uint64_t run;
	wall_us was;

	rig_init(&g, 4);
	tell(&g, 1);
	rig_dag(&g, "d", "a retry=3 delay=30000", NULL, NULL);
	run = rig_start(&g, "d");
	cr_assert(rig_fail(&g, run, "a", "transient"));
	was = rig_step(&g, run, "a").ready_at;
	/* slewed by a little, and time that passed while nobody looked */
	offset += 99 * US_PER_MS;
	g.now += 5 * US_PER_S;
	tell(&g, 1);
	cr_assert_eq(next_due(&g), was);
	/* another boot, a clock ahead: nothing is known */
	offset += 5 * DAY;
	g.now += 10 * US_PER_S;
	tell(&g, 2);
	cr_assert_eq(next_due(&g), was);
	/* another boot, the clock a year behind what was seen: at least that year */
	g.now -= 365 * DAY;
	tell(&g, 3);
	due(&g, 256);
	cr_assert_leq(rig_step(&g, run, "a").ready_at, g.now + 30 * US_PER_S);
	rig_done(&g);
	LEAK_CHECK();
}
