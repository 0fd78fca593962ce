/* Data sets: versions and watermarks, and the runs that follow them in the same transaction. */
#include "core/sched/table.h"
#include "leak.h"
#include "sched_rig.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#define ON(rule, members, more)                                                                    \
	"{\"name\":\"ready\",\"kind\":\"datasets\",\"datasets\":{\"rule\":\"" rule                 \
	"\",\"n\":2,\"members\":[" members "]}" more "}"
#define M(name) "{\"name\":\"" name "\"}"

static void publish(struct rig *g, const char *name, const char *partition, bool changed)
{
	char report[512];
	uint64_t run = rig_start(g, "producer");

	snprintf(report, sizeof(report),
	    "{\"class\":\"ok\",\"datasets\":[{\"name\":\"%s\",\"partition\":\"%s\",\"changed\":%s,"
	    "\"complete_us\":%lld,\"rows\":3}]}",
	    name, partition, changed ? "true" : "false", (long long)g->now);
	cr_assert(rig_answer(g, run, "p", OUTCOME_OK, report));
}

static struct run_rec newest(struct rig *g)
{
	struct run_rec r;

	cr_assert_eq(run_get(&g->mem.view, rig_runs(g), &r), 0);
	return r;
}

static uint64_t runs_of(struct rig *g, const char *dag)
{
	uint64_t n = 0;

	for (uint64_t i = 1; i <= rig_runs(g); i++) {
		struct run_rec r;

		cr_assert_eq(run_get(&g->mem.view, i, &r), 0);
		n += strcmp(r.dag, dag) == 0;
	}
	return n;
}

static void begin(struct rig *g, const char *trigger, const char *extra)
{
	rig_init(g, 8);
	rig_dag(g, "producer", "p", NULL, "\"max_runs\":50");
	rig_dag(g, "consumer", "c", trigger, extra);
}

static struct event_rec last_event(struct rig *g)
{
	struct event_rec e;
	uint64_t next;

	cr_assert_eq(meta_get(&g->mem.view, META_NEXT_EVENT, &next), 0);
	cr_assert_eq(event_get(&g->mem.view, next - 1, &e, NULL), 0);
	return e;
}

Test(sched_fire, any_starts_the_consumer_in_the_same_transaction)
{
	struct rig g;
	struct run_rec r;
	struct slice doc;

	begin(&g, ON("any", M("lake/a") "," M("lake/b"), ""), "\"max_runs\":9");
	publish(&g, "lake/a", "day=2025-11-20", true);
	cr_assert_eq(runs_of(&g, "consumer"), 1);
	r = newest(&g);
	cr_assert_eq(r.state, RUN_RUNNING);
	cr_assert_str_eq(r.key, "day=2025-11-20");
	cr_assert_eq(r.trigger, TRIGGER_DATASETS);
	cr_assert_eq(r.window_end - r.window_start, 86400 * US_PER_S);
	cr_assert_eq(r.window_start, RIG_T0 - 86400 * US_PER_S);
	cr_assert_eq(last_event(&g).verdict, VERDICT_STARTED);
	cr_assert_eq(run_doc_get(&g.mem.view, r.no, RUN_DOC_TRIGGER, &doc), 0);
	cr_assert(memmem(doc.p, doc.n, "\"partition\":\"day=2025-11-20\"", 28) != NULL);
	/* again: the next revision of the key; another data set without partition: a key of its own
	 */
	publish(&g, "lake/a", "day=2025-11-20", true);
	cr_assert_eq(newest(&g).revision, 1);
	publish(&g, "lake/b", "", true);
	cr_assert_str_eq(newest(&g).key, "lake/b@1");
	publish(&g, "lake/other", "", true);
	cr_assert_eq(runs_of(&g, "consumer"), 3);
	cr_assert_eq(last_event(&g).verdict, VERDICT_UNMATCHED);
	rig_done(&g);
	LEAK_CHECK();
}

Test(sched_fire, unchanged_moves_the_watermark_and_starts_nothing)
{
	struct dataset_rec d;
	struct rig g;

	begin(&g, ON("any", M("lake/a"), ""), NULL);
	publish(&g, "lake/a", "", true);
	g.now += US_PER_S;
	publish(&g, "lake/a", "", false);
	cr_assert_eq(runs_of(&g, "consumer"), 1);
	cr_assert_eq(find_dataset(&g.mem.view, "lake/a", &d), 0);
	cr_assert_eq(d.version, 1);
	cr_assert_eq(d.complete_through, g.now);
	rig_done(&g);
	begin(&g, ON("any", M("lake/a"), ",\"fire\":\"publish\""), "\"max_runs\":9");
	publish(&g, "lake/a", "", true);
	publish(&g, "lake/a", "", false);
	cr_assert_eq(runs_of(&g, "consumer"), 2);
	rig_done(&g);
	LEAK_CHECK();
}

Test(sched_fire, what_changed_nothing_is_told_of_its_own_partition)
{
	struct dataset_rec d;
	struct rig g;

	begin(&g, ON("any", M("lake/a"), ",\"fire\":\"publish\""), "\"max_runs\":9");
	publish(&g, "lake/a", "day=2025-11-20", true);
	publish(&g, "lake/a", "day=2025-11-21", true);
	publish(&g, "lake/a", "day=2025-11-20", false);
	cr_assert_str_eq(newest(&g).key, "day=2025-11-20");
	cr_assert_eq(newest(&g).revision, 1);
	/* the first of a partition is a version, whether it changed anything or not */
	publish(&g, "lake/a", "day=2025-11-22", false);
	cr_assert_str_eq(newest(&g).key, "day=2025-11-22");
	cr_assert_eq(find_dataset(&g.mem.view, "lake/a", &d), 0);
	cr_assert_eq(d.version, 3);
	rig_done(&g);
	LEAK_CHECK();
}

Test(sched_fire, all_waits_for_every_member_and_starts_over)
{
	struct rig g;

	begin(&g, ON("all", M("lake/a") "," M("lake/b"), ""), "\"max_runs\":9");
	publish(&g, "lake/a", "", true);
	cr_assert_eq(runs_of(&g, "consumer"), 0);
	cr_assert_eq(last_event(&g).verdict, VERDICT_WAITING);
	cr_assert_not_null(strstr(last_event(&g).detail, "missing lake/b"));
	publish(&g, "lake/a", "", true);
	cr_assert_eq(runs_of(&g, "consumer"), 0);
	publish(&g, "lake/b", "", true);
	cr_assert_eq(runs_of(&g, "consumer"), 1);
	cr_assert_eq(memview_count(&g.mem, TABLE_JOIN_MEMBER), 0);
	publish(&g, "lake/b", "", true);
	cr_assert_eq(runs_of(&g, "consumer"), 1);
	publish(&g, "lake/a", "", true);
	cr_assert_eq(runs_of(&g, "consumer"), 2);
	rig_done(&g);
	LEAK_CHECK();
}

Test(sched_fire, a_join_is_open_once_per_partition)
{
	struct rig g;

	begin(&g, ON("all", M("lake/a") "," M("lake/b"), ",\"join\":\"day\""), "\"max_runs\":9");
	publish(&g, "lake/a", "day=2025-11-20", true);
	publish(&g, "lake/b", "day=2025-11-19", true);
	publish(&g, "lake/b", "hour=2025-11-20T05", true);
	cr_assert_eq(runs_of(&g, "consumer"), 0);
	publish(&g, "lake/b", "day=2025-11-20", true);
	cr_assert_eq(runs_of(&g, "consumer"), 1);
	cr_assert_str_eq(newest(&g).key, "day=2025-11-20");
	publish(&g, "lake/a", "day=2025-11-19", true);
	cr_assert_eq(runs_of(&g, "consumer"), 2);
	cr_assert_str_eq(newest(&g).key, "day=2025-11-19");
	rig_done(&g);
	LEAK_CHECK();
}

Test(sched_fire, at_least_n_of)
{
	struct rig g;

	begin(&g, ON("at_least", M("lake/a") "," M("lake/b") "," M("lake/c"), ""), NULL);
	publish(&g, "lake/c", "", true);
	cr_assert_eq(runs_of(&g, "consumer"), 0);
	publish(&g, "lake/a", "", true);
	cr_assert_eq(runs_of(&g, "consumer"), 1);
	rig_done(&g);
	LEAK_CHECK();
}

Test(sched_fire, where_and_params_of_the_trigger_hold)
{
	struct rig g;
	struct slice doc;

	begin(&g,
	    ON("any", M("lake/a"),
		",\"where\":\"${partition != "
		"'day=2025-11-01'}\",\"params\":{\"p\":\"${partition}\"}"),
	    "\"params\":[{\"name\":\"p\",\"type\":\"string\"}]");
	publish(&g, "lake/a", "day=2025-11-01", true);
	cr_assert_eq(runs_of(&g, "consumer"), 0);
	publish(&g, "lake/a", "day=2025-11-02", true);
	cr_assert_eq(runs_of(&g, "consumer"), 1);
	cr_assert_eq(run_doc_get(&g.mem.view, newest(&g).no, RUN_DOC_PARAMS, &doc), 0);
	cr_assert_eq(memcmp(doc.p, "{\"p\":\"day=2025-11-02\"}", doc.n), 0);
	rig_done(&g);
	LEAK_CHECK();
}

Test(sched_fire, touch_starts_what_waits_and_a_quiet_rerun_does_not)
{
	struct op op = {.kind = OP_TOUCH};
	struct rig g;

	begin(&g, ON("any", M("lake/a"), ""), "\"max_runs\":9");
	op.u.touch.dataset = "lake/a";
	op.u.touch.complete_through = TIME_NONE;
	cr_assert_eq(rig_op(&g, &op), 0);
	cr_assert_eq(runs_of(&g, "consumer"), 1);
	op.u.touch.dataset = "nonsense";
	cr_assert_eq(rig_op(&g, &op), ERR_USAGE);
	publish(&g, "lake/a", "", true);
	cr_assert_eq(runs_of(&g, "consumer"), 2);
	op = (struct op){.kind = OP_RERUN};
	op.u.rerun.run = 2; /* the producer's */
	op.u.rerun.downstream = "none";
	cr_assert_eq(rig_op(&g, &op), 0);
	cr_assert(rig_answer(&g, 2, "p", OUTCOME_OK,
	    "{\"class\":\"ok\",\"datasets\":[{\"name\":\"lake/a\",\"changed\":true}]}"));
	cr_assert_eq(runs_of(&g, "consumer"), 2);
	rig_done(&g);
	LEAK_CHECK();
}
