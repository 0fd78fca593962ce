/* Missed instants: what catchup makes of them, how many run at a time, pause, changed files; and
 * the oracle: random clocks that run, stop, jump by a second to a year, against the set of instants
 * that the manual promises. */
#include "core/sched/table.h"
#include "leak.h"
#include "sched_rig.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define HOUR (3600 * US_PER_S)
#define DAY (24 * HOUR)
#define MINUTE (60 * US_PER_S)
#define CATCHUP(more)                                                                              \
	"{\"name\":\"t\",\"kind\":\"cron\",\"cron\":\"0 * * * *\",\"zone\":\"UTC\","               \
	"\"catchup\":{" more "}}"
#define LATEST "\"keep\":\"latest\",\"within_ms\":-1"
#define ALL "\"keep\":\"all\",\"within_ms\":-1"

static struct sched_rec rec(struct rig *g)
{
	struct sched_rec s;

	cr_assert_eq(schedule_get(&g->mem.view, 1, "t", &s), 0);
	return s;
}

static wall_us logical(struct rig *g, uint64_t no)
{
	struct run_rec r;

	cr_assert_eq(run_get(&g->mem.view, no, &r), 0);
	return r.logical_time;
}

static void dag(struct rig *g, const char *trigger)
{
	rig_init(g, 100);
	rig_dag(g, "d", "a", trigger, "\"max_runs\":1000");
}

/* What is due now, and what follows from that. */
static void due_all(struct rig *g, wall_us now)
{
	wall_us at;

	rig_due(g, now);
	while (sched_next_due(&g->mem.view, &at) == 0 && at != TIME_NONE && at <= g->now + MINUTE &&
	       (at <= g->now || rec(g).catchup_at != 0))
		rig_due(g, at > g->now ? at : g->now);
}

static void finish_all(struct rig *g)
{
	do {
		rig_drain(g);
		due_all(g, g->now);
	} while (g->jobs.n > 0);
}

static void pause(struct rig *g, bool on)
{
	struct op op = {.kind = OP_PAUSE};

	op.u.pause.dag = "d";
	op.u.pause.on = on;
	cr_assert_eq(rig_op(g, &op), 0);
}

Test(sched_catchup, latest_takes_the_newest_missed_one)
{
	struct rig g;

	dag(&g, CATCHUP(LATEST));
	due_all(&g, RIG_T0 + 25 * HOUR + 30 * MINUTE);
	cr_assert_eq(rig_runs(&g), 1);
	cr_assert_eq(logical(&g, 1), RIG_T0 + 25 * HOUR);
	finish_all(&g);
	/* one in time takes the place of what was missed before it */
	due_all(&g, RIG_T0 + 30 * HOUR + 59 * US_PER_S);
	cr_assert_eq(rig_runs(&g), 2);
	cr_assert_eq(logical(&g, 2), RIG_T0 + 30 * HOUR);
	rig_done(&g);
	LEAK_CHECK();
}

/* The daemon dies when the missed ones are judged and the newest has not started yet: the next
 * daemon judges what came since before it starts anything. */
Test(sched_catchup, latest_takes_one_over_a_crash_before_its_start)
{
	struct op judge = {.kind = OP_DUE, .u.due.limit = 1};
	struct rig g;

	dag(&g, CATCHUP(LATEST));
	g.now = RIG_T0 + 25 * HOUR + 30 * MINUTE;
	cr_assert_eq(rig_op(&g, &judge), 0);
	cr_assert_eq(rig_runs(&g), 0);
	cr_assert_neq(rec(&g).catchup_at, 0, "judged, and to start");
	due_all(&g, RIG_T0 + 40 * HOUR + 30 * MINUTE);
	cr_assert_eq(rig_runs(&g), 1);
	cr_assert_eq(logical(&g, 1), RIG_T0 + 40 * HOUR);
	finish_all(&g);
	/* a tick in time takes it away as well */
	g.now = RIG_T0 + 50 * HOUR + 30 * MINUTE;
	cr_assert_eq(rig_op(&g, &judge), 0);
	cr_assert_neq(rec(&g).catchup_at, 0);
	due_all(&g, RIG_T0 + 51 * HOUR + US_PER_S);
	finish_all(&g);
	cr_assert_eq(rig_runs(&g), 2);
	cr_assert_eq(logical(&g, 2), RIG_T0 + 51 * HOUR);
	rig_done(&g);
	LEAK_CHECK();
}

Test(sched_catchup, within_leaves_older_ones_out)
{
	struct rig g;

	dag(&g, CATCHUP("\"keep\":\"latest\",\"within_ms\":600000"));
	due_all(&g, RIG_T0 + 5 * HOUR + 11 * MINUTE);
	cr_assert_eq(rig_runs(&g), 0);
	due_all(&g, RIG_T0 + 8 * HOUR + 10 * MINUTE);
	cr_assert_eq(rig_runs(&g), 1, "ten minutes are within ten minutes");
	rig_done(&g);
	dag(&g, CATCHUP("\"keep\":\"all\",\"within_ms\":10800000,\"at_once\":64"));
	due_all(&g, RIG_T0 + 30 * HOUR + 30 * MINUTE);
	cr_assert_eq(rig_runs(&g), 3);
	cr_assert_eq(logical(&g, 1), RIG_T0 + 28 * HOUR);
	rig_done(&g);
	LEAK_CHECK();
}

Test(sched_catchup, all_starts_oldest_first_at_once_at_a_time)
{
	struct rig g;

	dag(&g, CATCHUP(ALL ",\"at_once\":2"));
	due_all(&g, RIG_T0 + 5 * HOUR + 30 * MINUTE);
	cr_assert_eq(rig_runs(&g), 2);
	cr_assert_eq(logical(&g, 2), RIG_T0 + 2 * HOUR);
	/* a tick in time starts besides */
	due_all(&g, RIG_T0 + 6 * HOUR);
	cr_assert_eq(rig_runs(&g), 3);
	cr_assert_eq(logical(&g, 3), RIG_T0 + 6 * HOUR);
	/* and when it ends it makes no room */
	cr_assert(rig_ok(&g, 3, "a"));
	due_all(&g, g.now);
	cr_assert_eq(rig_runs(&g), 3);
	cr_assert(rig_fail(&g, 1, "a", "data"));
	due_all(&g, g.now);
	cr_assert_eq(rig_runs(&g), 4, "the end of one starts the next, however it ended");
	cr_assert_eq(logical(&g, 4), RIG_T0 + 3 * HOUR);
	finish_all(&g);
	cr_assert_eq(rig_runs(&g), 6);
	cr_assert_eq(rec(&g).missed[0], 0);
	cr_assert_eq(rec(&g).open[0], 0);
	rig_done(&g);
	LEAK_CHECK();
}

Test(sched_catchup, two_gaps_keep_what_lay_between)
{
	struct rig g;

	dag(&g, CATCHUP(ALL));
	due_all(&g, RIG_T0 + 3 * HOUR + 30 * MINUTE); /* 1 2 3 missed, 1 open */
	due_all(&g, RIG_T0 + 4 * HOUR);		      /* 4 in time */
	due_all(&g, RIG_T0 + 7 * HOUR + 30 * MINUTE); /* 5 6 7 missed */
	cr_assert_eq(rig_runs(&g), 2);
	finish_all(&g);
	cr_assert_eq(rig_runs(&g), 7);
	cr_assert_eq(logical(&g, 4), RIG_T0 + 3 * HOUR);
	cr_assert_eq(logical(&g, 5), RIG_T0 + 5 * HOUR);
	rig_done(&g);
	LEAK_CHECK();
}

/* More gaps than are kept apart: they grow together, nothing is lost, nothing runs twice. */
Test(sched_catchup, more_gaps_than_fit_lose_nothing)
{
	struct rig g;

	dag(&g, CATCHUP(ALL));
	for (int i = 0; i < 12; i++) {
		due_all(&g, RIG_T0 + (4 * i + 2) * HOUR + 30 * MINUTE);
		due_all(&g, RIG_T0 + (4 * i + 3) * HOUR);
		due_all(&g, RIG_T0 + (4 * i + 4) * HOUR);
	}
	finish_all(&g);
	cr_assert_eq(rig_runs(&g), 48);
	rig_done(&g);
	LEAK_CHECK();
}

/* 5,259,600 instants: judged by halving, not by walking. */
Test(sched_catchup, ten_years_of_minutes_are_no_work)
{
	struct rig g;

	rig_init(&g, 1);
	rig_dag(&g, "d", "a",
	    "{\"name\":\"t\",\"kind\":\"cron\",\"cron\":\"* * * * *\",\"zone\":\"Europe/Berlin\","
	    "\"catchup\":{" ALL "}}",
	    NULL);
	rig_due(&g, RIG_T0 + 3653 * DAY + 30 * US_PER_S);
	rig_due(&g, g.now);
	cr_assert_eq(rig_runs(&g), 2, "the one in time, and one of the missed");
	cr_assert_eq(logical(&g, 2), RIG_T0 + MINUTE);
	cr_assert_lt(g.mem.undo.n, 200, "%zu records written", g.mem.undo.n);
	rig_done(&g);
	LEAK_CHECK();
}

Test(sched_catchup, while_paused_nothing_starts_and_resume_catches_up)
{
	struct rig g;

	dag(&g, CATCHUP(ALL));
	due_all(&g, RIG_T0 + 2 * HOUR + 30 * MINUTE); /* 1 open, 2 waits */
	pause(&g, true);
	cr_assert(rig_ok(&g, 1, "a"));
	due_all(&g, RIG_T0 + 5 * HOUR + US_PER_S);
	cr_assert_eq(rig_runs(&g), 1);
	pause(&g, false);
	pause(&g, false);
	finish_all(&g);
	cr_assert_eq(rig_runs(&g), 5, "2 as before, 3 4 5 by catchup, 5 though it is a second old");
	rig_done(&g);
	dag(&g, CATCHUP(LATEST));
	pause(&g, true);
	due_all(&g, RIG_T0 + 5 * HOUR + US_PER_S);
	pause(&g, false);
	due_all(&g, g.now);
	cr_assert_eq(rig_runs(&g), 1);
	cr_assert_eq(logical(&g, 1), RIG_T0 + 5 * HOUR);
	rig_done(&g);
	LEAK_CHECK();
}

Test(sched_catchup, a_changed_file_repeats_and_invents_nothing)
{
	struct rig g;

	dag(&g, CATCHUP(ALL));
	g.now = RIG_T0 + 3 * HOUR + 30 * MINUTE; /* down; the file got another step meanwhile */
	rig_dag(&g, "d", "a;b:a", CATCHUP(ALL), "\"max_runs\":1000");
	due_all(&g, g.now);
	finish_all(&g);
	cr_assert_eq(rig_runs(&g), 3, "same instants: what was missed is made up for");
	g.now = RIG_T0 + 5 * HOUR + 30 * MINUTE;
	rig_dag(&g, "d", "a",
	    "{\"name\":\"t\",\"kind\":\"cron\",\"cron\":\"*/10 * * * *\",\"zone\":\"UTC\","
	    "\"catchup\":{" ALL "}}",
	    "\"max_runs\":1000");
	due_all(&g, g.now);
	finish_all(&g);
	cr_assert_eq(rig_runs(&g), 3, "other instants: a new schedule from now on");
	due_all(&g, RIG_T0 + 5 * HOUR + 40 * MINUTE);
	cr_assert_eq(rig_runs(&g), 4);
	/* the rule alone changes: what waits obeys the new one */
	finish_all(&g);
	g.now = RIG_T0 + 9 * HOUR + 5 * MINUTE;
	rig_dag(&g, "d", "a",
	    "{\"name\":\"t\",\"kind\":\"cron\",\"cron\":\"*/10 * * * *\",\"zone\":\"UTC\"}",
	    "\"max_runs\":1000");
	due_all(&g, g.now);
	cr_assert_eq(rig_runs(&g), 4);
	rig_done(&g);
	LEAK_CHECK();
}

Test(sched_catchup, jitter_moves_the_start_and_not_the_logical_time)
{
	wall_us at;
	struct rig g;

	dag(&g, "{\"name\":\"t\",\"kind\":\"cron\",\"cron\":\"0 * * * *\",\"zone\":\"UTC\","
		"\"jitter_ms\":1800000}");
	for (int i = 1; i < 20; i++) {
		cr_assert_eq(sched_next_due(&g.mem.view, &at), 0);
		cr_assert(at >= RIG_T0 + i * HOUR && at < RIG_T0 + i * HOUR + HOUR / 2);
		rig_due(&g, at - US_PER_MS);
		cr_assert_eq(rig_runs(&g), (uint64_t)i - 1);
		/* late counts from the start, not from the instant */
		rig_due(&g, at + 60 * US_PER_S);
		cr_assert_eq(rig_runs(&g), (uint64_t)i);
		cr_assert_eq(logical(&g, (uint64_t)i), RIG_T0 + i * HOUR);
	}
	rig_due(&g, at + HOUR + 30 * MINUTE);
	cr_assert_eq(rig_runs(&g), 19, "it is missed as any other");
	rig_done(&g);
	LEAK_CHECK();
}

static void set_clock(struct rig *g, int64_t *offset, int64_t by)
{
	struct op op = {.kind = OP_CLOCK};

	g->now += by;
	*offset += by;
	op.u.clock.offset_us = *offset;
	cr_assert_eq(rig_op(g, &op), 0);
}

Test(sched_catchup, what_lies_ahead_is_not_missed_any_more)
{
	int64_t offset = 0;
	struct rig g;

	dag(&g, CATCHUP(ALL));
	set_clock(&g, &offset, 0);
	set_clock(&g, &offset, 10 * HOUR + 30 * MINUTE);
	due_all(&g, g.now); /* 1 is open, 2 to 10 wait */
	set_clock(&g, &offset, -8 * HOUR);
	finish_all(&g);
	cr_assert_eq(rig_runs(&g), 2, "those that are ahead of the clock do not start");
	for (int i = 3; i <= 12; i++) {
		due_all(&g, RIG_T0 + i * HOUR);
		cr_assert_eq(rig_runs(&g), (uint64_t)i);
	}
	rig_done(&g);
	LEAK_CHECK();
}

Test(sched_catchup, what_jitter_holds_back_lies_ahead_too)
{
	static const char *const keeps[] = {"none", "latest"};

	for (size_t i = 0; i < 2; i++) {
		int64_t offset = 0;
		wall_us start, at;
		uint64_t before;
		char trigger[200];
		struct rig g;

		snprintf(trigger, sizeof(trigger),
		    "{\"name\":\"t\",\"kind\":\"cron\",\"cron\":\"0 * * * *\",\"zone\":\"UTC\","
		    "\"jitter_ms\":1800000,\"catchup\":{\"keep\":\"%s\",\"within_ms\":-1,"
		    "\"at_once\":1}}",
		    keeps[i]);
		dag(&g, trigger);
		set_clock(&g, &offset, 0);
		cr_assert_eq(sched_next_due(&g.mem.view, &start), 0);
		cr_assert_gt(start, RIG_T0 + HOUR + MINUTE, "the test needs some jitter");
		due_all(&g, RIG_T0 + HOUR + US_PER_S);
		set_clock(&g, &offset, 10 * DAY);
		due_all(&g, g.now); /* missed, or made up for by a newer one */
		before = rig_runs(&g);
		set_clock(&g, &offset, -10 * DAY);
		due_all(&g, g.now);
		cr_assert_eq(rig_runs(&g), before);
		cr_assert_eq(sched_next_due(&g.mem.view, &at), 0);
		cr_assert_eq(at, start, "%s: it has not started yet", keeps[i]);
		due_all(&g, start);
		cr_assert_eq(rig_runs(&g), before + 1);
		cr_assert_eq(logical(&g, before + 1), RIG_T0 + HOUR);
		rig_done(&g);
	}
	LEAK_CHECK();
}

/* ---- the oracle ---- */

#define EACH (7 * MINUTE)
#define SLOTS 400000

struct world {
	struct rig g;
	int64_t offset; /* wall minus monotonic */
	enum { NONE, LAST, EVERY_ONE } keep;
	int64_t within;		   /* or -1 */
	unsigned char *want, *got; /* by instant: slot k is T0 + (k - SLOTS/2) * EACH */
	unsigned seed;
};

static unsigned rnd(struct world *w, unsigned n)
{
	w->seed = w->seed * 1103515245u + 12345u;
	return (w->seed >> 8) % n;
}

static int64_t slot(wall_us t) /* the last instant not later than t */
{
	int64_t d = t - RIG_T0;

	return d / EACH - (d % EACH < 0) + SLOTS / 2;
}

/* The clock ran or jumped forward from `from` (exclusive) to `to`; what the manual promises. */
static void promise(struct world *w, wall_us from, wall_us to, bool ran)
{
	int64_t newest = -1;
	bool in_time = false;

	for (int64_t k = slot(from) + 1; k <= slot(to); k++) {
		wall_us at = RIG_T0 + (k - SLOTS / 2) * EACH;

		cr_assert(k >= 0 && k < SLOTS);
		if (ran || to - at <= 60 * US_PER_S) {
			w->want[k] = 1;
			in_time = true;
		} else if (w->within < 0 || to - at <= w->within) {
			newest = k;
			if (w->keep == EVERY_ONE)
				w->want[k] = 1;
		}
	}
	if (w->keep == LAST && newest >= 0 && !in_time)
		w->want[newest] = 1;
}

static void clock_op(struct world *w)
{
	struct op op = {.kind = OP_CLOCK};

	op.u.clock.boot[0] = 1;
	op.u.clock.offset_us = w->offset;
	cr_assert_eq(rig_op(&w->g, &op), 0);
}

static void run_until(struct world *w, wall_us to)
{
	wall_us from = w->g.now, at;

	while (sched_next_due(&w->g.mem.view, &at) == 0 && at != TIME_NONE && at <= to) {
		rig_due(&w->g, at > w->g.now ? at : w->g.now);
		finish_all(&w->g);
	}
	w->g.now = to;
	promise(w, from, to, true);
}

static void jump(struct world *w, int64_t by, bool step)
{
	wall_us from = w->g.now, at;

	w->g.now += by;
	if (step) {
		w->offset += by;
		clock_op(w);
	}
	for (int i = 0; i < 100000 && sched_next_due(&w->g.mem.view, &at) == 0 && at <= w->g.now;
	     i++)
		rig_due(&w->g, w->g.now);
	finish_all(&w->g);
	if (by > 0)
		promise(w, from, w->g.now, false);
}

static void compare(struct world *w, const char *what)
{
	struct view_walk walk;
	struct slice value;
	struct run_rec r;

	cr_assert_eq(memview_count(&w->g.mem, TABLE_EVENT), rig_runs(&w->g),
	    "an instant that comes again is no second event");
	memset(w->got, 0, SLOTS);
	view_walk_init(&walk, &w->g.mem.view, TABLE_RUN, NULL, 0, false);
	while (view_walk_next(&walk, &value) == 0) {
		cr_assert_eq(run_decode(value, &r, NULL), 0);
		cr_assert_eq((r.logical_time - RIG_T0) % EACH, 0);
		w->got[slot(r.logical_time)]++;
	}
	for (int k = 0; k < SLOTS; k++)
		cr_assert_eq(w->got[k], w->want[k], "%s: instant %d has %d runs, wanted %d", what,
		    k - SLOTS / 2, w->got[k], w->want[k]);
}

static void world_init(struct world *w, unsigned seed)
{
	static const char *const keeps[] = {"none", "latest", "all"};
	char trigger[300];

	w->seed = seed * 7919u + 1;
	w->offset = 0;
	w->keep = seed % 3;
	w->within = seed % 2 == 0 ? -1 : (int64_t)(1 + rnd(w, 200)) * MINUTE;
	w->want = calloc(1, SLOTS);
	w->got = calloc(1, SLOTS);
	rig_init(&w->g, 100);
	w->g.no_check = true;
	snprintf(trigger, sizeof(trigger),
	    "{\"name\":\"t\",\"kind\":\"every\",\"zone\":\"UTC\",\"each_ms\":%lld,\"from\":"
	    "\"1990-11-23T00:00:00Z\",\"catchup\":{\"keep\":\"%s\",\"within_ms\":%lld,\"at_once\":%"
	    "u}}",
	    (long long)(EACH / 1000), keeps[w->keep],
	    (long long)(w->within < 0 ? -1 : w->within / 1000), 1 + rnd(w, 64));
	clock_op(w);
	rig_dag(&w->g, "d", "a", trigger, "\"max_runs\":1000");
}

static void world_done(struct world *w)
{
	rig_check(&w->g);
	rig_done(&w->g);
	free(w->want);
	free(w->got);
}

/* Every jump from a second to a year and back, placed at, before and behind an instant. */
Test(sched_catchup, no_clock_misses_or_repeats_an_instant)
{
	static const int64_t jumps[] = {US_PER_S, 59 * US_PER_S, MINUTE, MINUTE + US_PER_S, EACH,
	    HOUR, DAY, 30 * DAY, 365 * DAY};
	static const int64_t edges[] = {
	    -MINUTE, -US_PER_S, -US_PER_MS, 0, US_PER_MS, US_PER_S, MINUTE, 2 * MINUTE};
	unsigned worlds = getenv("SLUICE_TEST_ALL") != NULL ? 300 : 9, n = 0;

	for (unsigned seed = 0; seed < worlds; seed++) {
		struct world w;

		world_init(&w, seed);
		for (int i = 0; i < 14; i++, n++) {
			/* a year of minutes with all of them would be a long test */
			size_t j = rnd(&w, w.keep == EVERY_ONE && w.within < 0 ? 7 : 9);
			int64_t by = jumps[j], sign = rnd(&w, 2) ? 1 : -1;
			wall_us edge = RIG_T0 + (slot(w.g.now) - SLOTS / 2 + 1) * EACH;

			run_until(&w, edge + EACH + edges[rnd(&w, 8)]);
			switch (rnd(&w, 3)) {
			case 0: /* down or asleep */
				jump(&w, by, false);
				break;
			case 1:
				jump(&w, sign * by, true);
				break;
			default: /* there and back */
				jump(&w, sign * by, true);
				run_until(&w, w.g.now + rnd(&w, 20) * MINUTE);
				jump(&w, -sign * by, true);
			}
			run_until(&w, w.g.now + rnd(&w, 20) * MINUTE);
		}
		compare(&w, "random clock");
		world_done(&w);
	}
	printf("# %u clocks, %u jumps: none missed, none repeated\n", worlds, n);
	LEAK_CHECK();
}
