/* Retention: what goes, what stays, that the same cause never makes a second run, and that a batch
 * may stop anywhere (check_store runs after each in the rig). */
#include "core/sched/table.h"
#include "leak.h"
#include "sched_rig.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#define DAY_US (INT64_C(86400) * US_PER_S)
#define HOOK                                                                                       \
	"{\"name\":\"h\",\"kind\":\"webhook\",\"hook\":\"in\",\"key\":\"${event.body.k}\","        \
	"\"on_same_key\":\"rerun\"}"

static void begin(struct rig *g, const char *steps, const char *triggers)
{
	rig_init(g, 4);
	g->conf.retain_runs_ms = 90 * DAY_US / US_PER_MS;
	g->conf.retain_events_ms = 30 * DAY_US / US_PER_MS;
	rig_dag(g, "d", steps, triggers, NULL);
}

static uint32_t prune(struct rig *g, uint32_t limit, uint32_t *ret_batches)
{
	struct op op = {.kind = OP_PRUNE};
	uint32_t dropped = 0, n = 0;

	op.u.prune.limit = limit;
	do {
		cr_assert_eq(rig_op(g, &op), 0);
		cr_assert_leq(g->r.count, limit + 8, "a batch of %u", g->r.count);
		dropped += g->r.count;
		cr_assert_lt(n++, 10000u);
	} while (g->r.same == 0);
	if (ret_batches != NULL)
		*ret_batches = n;
	return dropped;
}

static bool run_is_there(struct rig *g, uint64_t run)
{
	struct run_rec r;

	return run_get(&g->mem.view, run, &r) == 0;
}

static int send(struct rig *g, const char *id, const char *k)
{
	struct op op = {.kind = OP_EVENT};
	struct json *body;
	char text[64];
	int rc;

	snprintf(text, sizeof(text), "{\"k\":\"%s\"}", k);
	cr_assert_eq(json_parse(text, strlen(text), 100, &body, NULL), 0);
	op.u.event.hook = "in";
	op.u.event.source = "hook:in";
	op.u.event.external_id = id;
	op.u.event.type = op.u.event.subject = "";
	op.u.event.time = g->now;
	op.u.event.body = body;
	rc = rig_op(g, &op);
	json_free(body);
	return rc;
}

Test(sched_prune, drops_ended_runs_by_age_and_keeps_the_others)
{
	struct rig g;
	uint64_t old, open, young;

	begin(&g, "a", NULL);
	old = rig_start_key(&g, "d", "one");
	rig_drain(&g);
	open = rig_start_key(&g, "d", "two");
	g.now += 89 * DAY_US;
	cr_assert_eq(prune(&g, 500, NULL), 2, "only the first run's event is old and free");
	g.now += 2 * DAY_US;
	young = rig_start_key(&g, "d", "three");
	prune(&g, 500, NULL);
	cr_assert_not(run_is_there(&g, old));
	cr_assert(run_is_there(&g, open));
	cr_assert(run_is_there(&g, young));
	rig_drain(&g);
	prune(&g, 500, NULL);
	cr_assert(run_is_there(&g, open), "it ended just now");
	rig_done(&g);
	LEAK_CHECK();
}

Test(sched_prune, the_same_cause_makes_no_second_run_after_its_run_was_dropped)
{
	struct op op = {.kind = OP_START};
	struct rig g;
	uint64_t old;

	begin(&g, "a", NULL);
	old = rig_start_key(&g, "d", "one");
	rig_drain(&g);
	g.now += 100 * DAY_US;
	prune(&g, 500, NULL);
	cr_assert_not(run_is_there(&g, old));
	op.u.start.dag = "d";
	op.u.start.key = "one";
	op.u.start.at = TIME_NONE;
	op.u.start.actor = "t";
	cr_assert_eq(rig_op(&g, &op), ERR_CONFLICT);
	cr_assert_eq(rig_runs(&g), 0);
	rig_done(&g);
	LEAK_CHECK();
}

Test(sched_prune, a_deliberate_repeat_takes_a_revision_that_no_dropped_run_had)
{
	struct run_rec r;
	struct rig g;
	uint64_t last;

	begin(&g, "a", HOOK);
	for (int i = 0; i < 11; i++) {
		cr_assert_eq(send(&g, "", "k"), 0);
		rig_drain(&g);
	}
	cr_assert_eq(rig_runs(&g), 11);
	g.now += 100 * DAY_US;
	prune(&g, 500, NULL);
	cr_assert_eq(rig_runs(&g), 0);
	cr_assert_eq(send(&g, "", "k"), 0);
	cr_assert_eq(meta_get(&g.mem.view, META_NEXT_RUN, &last), 0);
	cr_assert_eq(run_get(&g.mem.view, last - 1, &r), 0);
	cr_assert_eq(r.revision, 11);
	rig_done(&g);
	LEAK_CHECK();
}

Test(sched_prune, ids_of_events_are_remembered_for_a_week_whatever_retention_says)
{
	struct rig g;

	begin(&g, "a", HOOK);
	g.conf.retain_events_ms = 1000;
	cr_assert_eq(send(&g, "x", "1"), 0);
	rig_drain(&g);
	g.now += 6 * DAY_US;
	prune(&g, 500, NULL);
	cr_assert_eq(send(&g, "x", "1"), 0);
	cr_assert(g.r.duplicate);
	g.now += 2 * DAY_US;
	prune(&g, 500, NULL);
	cr_assert_eq(memview_count(&g.mem, TABLE_DEDUPE), 0);
	cr_assert_eq(send(&g, "x", "1"), 0);
	cr_assert_not(g.r.duplicate);
	rig_done(&g);
	LEAK_CHECK();
}

Test(sched_prune, an_event_stays_while_a_run_of_it_is_open)
{
	struct event_rec e;
	struct rig g;

	begin(&g, "a", HOOK);
	cr_assert_eq(send(&g, "x", "1"), 0);
	g.now += 40 * DAY_US;
	prune(&g, 500, NULL);
	cr_assert_eq(event_get(&g.mem.view, 1, &e, NULL), 0);
	rig_drain(&g);
	prune(&g, 500, NULL);
	cr_assert_eq(event_get(&g.mem.view, 1, &e, NULL), ERR_NOT_FOUND);
	rig_done(&g);
	LEAK_CHECK();
}

Test(sched_prune, a_run_of_many_items_goes_in_small_batches)
{
	uint32_t batches;
	struct rig g;
	uint64_t run;

	begin(&g, "f: each=300", NULL);
	run = rig_start_key(&g, "d", "one");
	rig_drain(&g);
	cr_assert(run_state_ended(rig_run_state(&g, run)));
	g.now += 100 * DAY_US;
	cr_assert_gt(prune(&g, 50, &batches), 600u);
	cr_assert_gt(batches, 12u);
	cr_assert_eq(memview_count(&g.mem, TABLE_STEP), 0);
	cr_assert_eq(memview_count(&g.mem, TABLE_ITEM), 0);
	cr_assert_eq(memview_count(&g.mem, TABLE_STEP_DOC), 0);
	rig_done(&g);
	LEAK_CHECK();
}

Test(sched_prune, a_plan_goes_with_the_last_run_that_was_made_by_it)
{
	struct rig g;
	uint64_t open;

	begin(&g, "a", NULL);
	rig_start_key(&g, "d", "one");
	rig_drain(&g);
	rig_dag(&g, "d", "a;b", NULL, NULL);
	open = rig_start_key(&g, "d", "two");
	rig_dag(&g, "d", "a;b;c", NULL, NULL);
	cr_assert_eq(memview_count(&g.mem, TABLE_PLAN), 3);
	g.now += 100 * DAY_US;
	prune(&g, 500, NULL);
	cr_assert_eq(memview_count(&g.mem, TABLE_PLAN), 2);
	cr_assert(run_is_there(&g, open));
	rig_drain(&g);
	g.now += 100 * DAY_US;
	prune(&g, 500, NULL);
	cr_assert_eq(memview_count(&g.mem, TABLE_PLAN), 1);
	rig_done(&g);
	LEAK_CHECK();
}

Test(sched_prune, a_vanished_dag_goes_once_it_has_no_runs)
{
	struct op none = {.kind = OP_PLANS};
	struct rig g;

	begin(&g, "a", NULL);
	rig_start_key(&g, "d", "one");
	rig_drain(&g);
	none.u.plans.complete = true;
	g.now += 80 * DAY_US;
	cr_assert_eq(rig_op(&g, &none), 0);
	g.now += 20 * DAY_US;
	prune(&g, 500, NULL);
	cr_assert_eq(memview_count(&g.mem, TABLE_DAG), 1, "it has not been gone for 90 days");
	g.now += 80 * DAY_US;
	prune(&g, 500, NULL);
	cr_assert_eq(memview_count(&g.mem, TABLE_DAG), 0);
	cr_assert_eq(memview_count(&g.mem, TABLE_DAG_NAME), 0);
	prune(&g, 500, NULL);
	cr_assert_eq(memview_count(&g.mem, TABLE_PLAN), 0);
	rig_done(&g);
	LEAK_CHECK();
}

static void publish(struct rig *g, const char *partition)
{
	char report[256];
	uint64_t run = rig_start(g, "d");

	snprintf(report, sizeof(report),
	    "{\"class\":\"ok\",\"datasets\":[{\"name\":\"lake/x\",\"partition\":\"%s\",\"changed\":"
	    "true}]}",
	    partition);
	cr_assert(rig_answer(g, run, "a", OUTCOME_OK, report));
}

Test(sched_prune, keeps_the_newest_version_of_each_partition_and_what_is_unread)
{
	static const char read3[8] = {0, 0, 0, 0, 0, 0, 0, 3};
	struct rig g;
	struct key k;

	begin(&g, "a", NULL);
	for (int i = 0; i < 5; i++)
		publish(&g, "day=2025-11-20");
	publish(&g, "day=2025-11-21");
	cr_assert_eq(memview_count(&g.mem, TABLE_DATASET_LOG), 6);
	key_position(&k, 1, "r", "", 1);
	cr_assert_eq(view_put(&g.mem.view, TABLE_POSITION, k.b, k.n, read3, sizeof(read3)), 0);
	g.now += 200 * DAY_US;
	prune(&g, 500, NULL);
	cr_assert_eq(memview_count(&g.mem, TABLE_DATASET_LOG), 3, "4 and 5 are unread, 6 newest");
	cr_assert_eq(view_del(&g.mem.view, TABLE_POSITION, k.b, k.n), 0);
	prune(&g, 500, NULL);
	cr_assert_eq(memview_count(&g.mem, TABLE_DATASET_LOG), 2);
	rig_done(&g);
	LEAK_CHECK();
}

Test(sched_prune, an_idle_cycle_writes_nothing)
{
	struct rig g;
	uint64_t writes;

	begin(&g, "a", HOOK);
	cr_assert_eq(send(&g, "x", "1"), 0);
	rig_drain(&g);
	writes = g.mem.writes;
	cr_assert_eq(prune(&g, 500, NULL), 0);
	cr_assert_eq(g.mem.writes, writes);
	rig_done(&g);
	LEAK_CHECK();
}

/* "For ever" is written as a long time: that must not come out as none. */
Test(sched_prune, a_retention_of_ages_keeps_all)
{
	struct rig g;

	begin(&g, "a", NULL);
	g.conf.retain_runs_ms = g.conf.retain_events_ms = INT64_MAX / 1000;
	for (int i = 0; i < 5; i++)
		publish(&g, "day=2025-11-20");
	g.now += 200 * DAY_US;
	cr_assert_eq(prune(&g, 500, NULL), 0);
	cr_assert_eq(memview_count(&g.mem, TABLE_DATASET_LOG), 5);
	rig_done(&g);
	LEAK_CHECK();
}

/* A consumer that comes once a month, or was paused: a run of yesterday has read versions that are
 * older than any run that is kept, and is run again with the same range. */
Test(sched_prune, keeps_what_a_kept_run_has_read)
{
	struct rig g;
	uint64_t run;

	begin(&g, "a", NULL);
	g.conf.retain_runs_ms = 7 * DAY_US / US_PER_MS;
	rig_dag(&g, "c", "r", NULL, NULL);
	for (int i = 0; i < 5; i++)
		publish(&g, "day=2025-11-20");
	g.now += 20 * DAY_US;
	run = rig_start(&g, "c");
	cr_assert(rig_answer(&g, run, "r", OUTCOME_OK, "{\"positions\":{\"lake/x\":5}}"));
	prune(&g, 500, NULL);
	cr_assert_eq(memview_count(&g.mem, TABLE_DATASET_LOG), 5, "a rerun reads 1 to 5 again");
	run = rig_start(&g, "c");
	cr_assert(rig_answer(&g, run, "r", OUTCOME_OK, "{\"positions\":{\"lake/x\":5}}"));
	g.now += 8 * DAY_US;
	prune(&g, 500, NULL);
	cr_assert_eq(memview_count(&g.mem, TABLE_DATASET_LOG), 1);
	rig_done(&g);
	LEAK_CHECK();
}
