/* Runs by hand: identity, --at, --key, --only, Idempotency-Key, refusals. */
#include "core/sched/table.h"
#include "leak.h"
#include "sched_rig.h"

#include <criterion/criterion.h>
#include <string.h>

#define NIGHTLY                                                                                    \
	"{\"name\":\"nightly\",\"kind\":\"cron\",\"cron\":\"30 2 * * *\",\"zone\":\"UTC\","        \
	"\"covers\":{\"unit\":\"day\",\"offset\":-1}}"
#define HOURLY "{\"name\":\"hourly\",\"kind\":\"cron\",\"cron\":\"0 * * * *\",\"zone\":\"UTC\"}"

static struct op start(const char *dag)
{
	struct op op = {.kind = OP_START};

	op.u.start.dag = dag;
	op.u.start.at = TIME_NONE;
	return op;
}

static wall_us at(const char *text)
{
	wall_us t;

	cr_assert_eq(clock_parse(text, &t), 0);
	return t;
}

static struct run_rec run_of(struct rig *g)
{
	struct run_rec r;

	cr_assert_eq(run_get(&g->mem.view, g->r.runs[0], &r), 0);
	return r;
}

Test(sched_start, each_call_without_key_is_a_new_run)
{
	struct rig g;

	rig_init(&g, 1);
	rig_dag(&g, "d", "a", NULL, NULL);
	cr_assert_neq(rig_start(&g, "d"), rig_start(&g, "d"));
	cr_assert_eq(run_of(&g).space, SPACE_EVENT);
	rig_done(&g);
	LEAK_CHECK();
}

Test(sched_start, the_same_cause_is_the_same_run_with_the_same_id_for_ever)
{
	struct op op = start("d");
	char text[HASH_ID_TEXT];
	struct rig g;
	uint64_t first;

	rig_init(&g, 1);
	rig_dag(&g, "d", "a", NIGHTLY, NULL);
	op.u.start.at = at("2026-11-22T02:30:00Z");
	cr_assert_eq(rig_op(&g, &op), 0);
	first = g.r.runs[0];
	cr_assert_str_eq(run_of(&g).key, "2026-11-21");
	cr_assert_str_eq(run_of(&g).trigger_name, "nightly");
	cr_assert_eq(run_of(&g).window_start, at("2026-11-21"));
	cr_assert_eq(run_of(&g).window_end, at("2026-11-22"));
	hash_to_base32(run_of(&g).id, text);
	cr_assert_str_eq(text, g.r.run_ids[0]);
	/* frozen: identities must not change between releases */
	cr_assert_str_eq(text, "44GNTGS4V97H6S94JQQTEFS6YD");
	cr_assert_eq(rig_op(&g, &op), 0);
	cr_assert(g.r.duplicate);
	cr_assert_eq(g.r.runs[0], first);
	rig_done(&g);
	LEAK_CHECK();
}

Test(sched_start, a_tick_and_a_run_by_hand_of_its_window_are_one)
{
	struct op op = start("d");
	struct rig g;

	rig_init(&g, 1);
	rig_dag(&g, "d", "a", NIGHTLY, NULL);
	rig_due(&g, at("2025-11-21T02:30:00Z"));
	cr_assert_eq(rig_runs(&g), 1);
	op.u.start.at = at("2025-11-21T02:30:00Z");
	cr_assert_eq(rig_op(&g, &op), 0);
	cr_assert(g.r.duplicate);
	cr_assert_eq(rig_runs(&g), 1);
	rig_done(&g);
	LEAK_CHECK();
}

Test(sched_start, refusals_write_nothing_and_say_why)
{
	struct op op[8];
	static const char *const says[] = {"there is no DAG \"x\"", "", "has no trigger \"zz\"",
	    "not both", "has no step \"zz\"", "is unknown", "1 to 255 bytes", "time triggers"};
	static const int codes[] = {ERR_NOT_FOUND, 0, ERR_NOT_FOUND, ERR_USAGE, ERR_NOT_FOUND,
	    ERR_CONFIG, ERR_USAGE, ERR_USAGE};
	const char *only[] = {"zz"};
	struct json *params;
	struct rig g;

	rig_init(&g, 1);
	rig_dag(&g, "d", "a", NIGHTLY "," HOURLY, NULL);
	cr_assert_eq(json_parse("{\"zz\":1}", 8, 100, &params, NULL), 0);
	for (size_t i = 0; i < 8; i++)
		op[i] = start("d");
	op[0].u.start.dag = "x";
	op[2].u.start.trigger = "zz";
	op[3].u.start.key = "k";
	op[3].u.start.at = 5;
	op[4].u.start.only = only;
	op[4].u.start.n_only = 1;
	op[5].u.start.params = params;
	op[6].u.start.key = "";
	op[7].u.start.at = 5;
	for (size_t i = 0; i < 8; i++) {
		if (i == 1)
			continue;
		cr_assert_eq(rig_op(&g, &op[i]), codes[i], "case %zu: %s", i, g.r.err.text);
		cr_assert_not_null(strstr(g.r.err.text, says[i]), "case %zu: %s", i, g.r.err.text);
	}
	json_free(params);
	rig_done(&g);
	LEAK_CHECK();
}

Test(sched_start, a_paused_dag_is_a_conflict)
{
	struct op op = {.kind = OP_PAUSE}, go = start("d");
	struct rig g;

	rig_init(&g, 1);
	rig_dag(&g, "d", "a", NULL, NULL);
	op.u.pause.dag = "d";
	op.u.pause.on = true;
	cr_assert_eq(rig_op(&g, &op), 0);
	cr_assert_eq(rig_op(&g, &go), ERR_CONFLICT);
	cr_assert_str_eq(g.r.err.text, "DAG d is paused: `sluice resume d` first");
	rig_done(&g);
	LEAK_CHECK();
}

Test(sched_start, key_and_idempotency_key)
{
	struct op op = start("d");
	struct rig g;

	rig_init(&g, 1);
	rig_dag(&g, "d", "a", NULL, NULL);
	op.u.start.key = "k";
	cr_assert_eq(rig_op(&g, &op), 0);
	cr_assert_eq(rig_op(&g, &op), 0);
	cr_assert(g.r.duplicate);
	op = start("d");
	op.u.start.idempotency_key = "once";
	cr_assert_eq(rig_op(&g, &op), 0);
	cr_assert(!g.r.duplicate);
	cr_assert_eq(rig_op(&g, &op), 0);
	cr_assert(g.r.duplicate && g.r.n_runs == 1 && g.r.runs[0] == 2);
	cr_assert_eq(rig_runs(&g), 2);
	rig_done(&g);
	LEAK_CHECK();
}

Test(sched_start, only_takes_what_is_left_out_as_met)
{
	const char *only[] = {"b", "c"};
	struct op op = start("d");
	struct rig g;

	rig_init(&g, 4);
	rig_dag(&g, "d", "a;b:a;c:a,b;e:c", NULL, NULL);
	op.u.start.only = only;
	op.u.start.n_only = 2;
	cr_assert_eq(rig_op(&g, &op), 0);
	cr_assert_eq(rig_state(&g, 1, "a"), STEP_SKIPPED);
	cr_assert_eq(rig_state(&g, 1, "b"), STEP_RUNNING);
	rig_ok(&g, 1, "b");
	rig_ok(&g, 1, "c");
	cr_assert_eq(rig_state(&g, 1, "e"), STEP_SKIPPED);
	cr_assert_eq(rig_run_state(&g, 1), RUN_SUCCEEDED);
	/* a rerun leaves them out too */
	cr_assert_eq(rig_rerun(&g, 1, NULL), 0);
	rig_drain(&g);
	cr_assert_eq(rig_state(&g, 1, "a"), STEP_SKIPPED);
	cr_assert_eq(rig_step(&g, 1, "b").generation, 1);
	cr_assert_eq(rig_state(&g, 1, "e"), STEP_SKIPPED);
	rig_done(&g);
	LEAK_CHECK();
}

/* Two clients, or one that numbers its days, may choose the same text: it means a repeat of the
 * same request only. */
Test(sched_start, an_idempotency_key_is_one_of_its_dag)
{
	struct op op = start("d");
	struct rig g;

	rig_init(&g, 2);
	rig_dag(&g, "d", "a", NULL, NULL);
	rig_dag(&g, "e", "a", NULL, NULL);
	op.u.start.idempotency_key = "2026-11-21";
	cr_assert_eq(rig_op(&g, &op), 0);
	op.u.start.dag = "e";
	cr_assert_eq(rig_op(&g, &op), 0);
	cr_assert(!g.r.duplicate, "the run of DAG e was never made");
	cr_assert_str_eq(run_of(&g).dag, "e");
	cr_assert_eq(rig_op(&g, &op), 0);
	cr_assert(g.r.duplicate);
	cr_assert_str_eq(run_of(&g).dag, "e");
	cr_assert_eq(rig_runs(&g), 2);
	rig_done(&g);
	LEAK_CHECK();
}
