/* The instants of a time trigger, before and behind, and when the run of one starts. */
#include "core/sched/tx.h"
#include "leak.h"

#include <criterion/criterion.h>
#include <string.h>

#define AT INT64_C(1763683200000000) /* 2025-11-21T00:00:00Z */
#define MINUTE (60 * US_PER_S)

static struct plan_trigger every(int64_t each, wall_us from)
{
	return (struct plan_trigger){
	    .name = "t", .kind = TRIGGER_EVERY, .each_us = each, .from_us = from, .zone = "UTC"};
}

Test(sched_window, every_counts_from_its_anchor)
{
	struct plan_trigger t = every(15 * MINUTE, AT + 10 * MINUTE);
	static const struct {
		int64_t from, next, prev; /* minutes behind AT; prev -1: none */
	} rows[] = {{-9999, 10, -1}, {9, 10, -1}, {10, 25, -1}, {11, 25, 10}, {24, 25, 10},
	    {25, 40, 10}, {26, 40, 25}, {1000 * 15 + 10, 1001 * 15 + 10, 999 * 15 + 10}};
	wall_us got;

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		cr_assert_eq(trigger_next(&t, AT + rows[i].from * MINUTE, &got, NULL), 0);
		cr_assert_eq(got, AT + rows[i].next * MINUTE, "row %zu", i);
		got = AT - MINUTE;
		cr_assert_eq(trigger_prev(&t, AT + rows[i].from * MINUTE, &got, NULL),
		    rows[i].prev < 0 ? ERR_NOT_FOUND : 0, "row %zu", i);
		cr_assert_eq(got, AT + rows[i].prev * MINUTE, "row %zu", i);
	}
	LEAK_CHECK();
}

Test(sched_window, at_is_once)
{
	struct plan_trigger t = {.name = "t", .kind = TRIGGER_AT, .at_us = AT};
	wall_us got;

	cr_assert(trigger_next(&t, AT - 1, &got, NULL) == 0 && got == AT);
	cr_assert_eq(trigger_next(&t, AT, &got, NULL), ERR_NOT_FOUND);
	cr_assert_eq(trigger_prev(&t, AT, &got, NULL), ERR_NOT_FOUND);
	cr_assert(trigger_prev(&t, AT + 1, &got, NULL) == 0 && got == AT);
	LEAK_CHECK();
}

Test(sched_window, jitter_is_fixed_spread_and_never_overtakes)
{
	struct plan_trigger t = every(MINUTE, 0), cron = {.name = "c",
						      .kind = TRIGGER_CRON,
						      .cron = "0 * * * *",
						      .zone = "UTC",
						      .gap = "run_after",
						      .overlap = "first"};
	unsigned parts = 0;
	wall_us start;

	cr_assert_eq(trigger_start("d", &t, AT), AT);
	t.jitter_us = 3600 * US_PER_S; /* longer than the distance */
	cron.jitter_us = 10 * MINUTE;
	for (int i = 0; i < 500; i++) {
		start = trigger_start("d", &t, AT + i * MINUTE) - i * MINUTE - AT;
		cr_assert(start >= 0 && start < MINUTE && start % US_PER_MS == 0);
		start = trigger_start("d", &cron, AT + i * 60 * MINUTE) - i * 60 * MINUTE - AT;
		cr_assert(start >= 0 && start < 10 * MINUTE);
		parts |= 1u << start / MINUTE;
	}
	cr_assert_eq(parts, 0x3ff, "every minute of the ten is used");
	start = trigger_start("d", &cron, AT);
	cr_assert_eq(start, trigger_start("d", &cron, AT));
	cr_assert_neq(start, trigger_start("e", &cron, AT), "another DAG starts at another moment");
	LEAK_CHECK();
}

Test(sched_window, knows_whether_the_times_changed)
{
	struct plan_trigger a = {.kind = TRIGGER_CRON,
	    .cron = "0 * * * *",
	    .zone = "UTC",
	    .gap = "skip",
	    .overlap = "first"};
	struct plan_trigger b = a;

	b.jitter_us = 5;
	b.catchup = CATCHUP_ALL;
	b.covers_unit = "day";
	cr_assert(trigger_same_times(&a, &b));
	b.zone = "Asia/Tokyo";
	cr_assert(!trigger_same_times(&a, &b));
	b = every(5, TIME_NONE);
	a = every(5, 0);
	cr_assert(trigger_same_times(&a, &b), "no anchor is the anchor 1970");
	a.each_us = 6;
	cr_assert(!trigger_same_times(&a, &b));
	LEAK_CHECK();
}
