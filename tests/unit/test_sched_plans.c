/* Files become DAGs: added, changed, broken, mended, moved, gone. */
#include "core/sched/table.h"
#include "core/sched/why.h"
#include "leak.h"
#include "sched_rig.h"

#include <criterion/criterion.h>
#include <string.h>

#define HOOK "{\"name\":\"h\",\"kind\":\"webhook\",\"hook\":\"in\"}"
#define CRON "{\"name\":\"t\",\"kind\":\"cron\",\"cron\":\"0 * * * *\",\"zone\":\"UTC\"}"

static struct dag_rec dag(struct rig *g, const char *name)
{
	struct dag_rec d;

	cr_assert_eq(find_dag(&g->mem.view, name, &d), 0);
	return d;
}

static void counts(struct rig *g, uint32_t added, uint32_t changed, uint32_t removed, uint32_t same)
{
	cr_assert(g->r.added == added && g->r.changed == changed && g->r.removed == removed &&
		      g->r.same == same,
	    "added %u changed %u removed %u same %u", g->r.added, g->r.changed, g->r.removed,
	    g->r.same);
}

static void complete(struct rig *g)
{
	struct op op = {.kind = OP_PLANS};

	op.u.plans.complete = true;
	cr_assert_eq(rig_op(g, &op), 0);
}

Test(sched_plans, added_same_changed)
{
	struct rig g;

	rig_init(&g, 1);
	rig_dag(&g, "d", "a", HOOK "," CRON, NULL);
	counts(&g, 1, 0, 0, 0);
	cr_assert(rig_effect(&g, EFFECT_DAG) && rig_effect(&g, EFFECT_TIMER));
	rig_dag(&g, "d", "a", HOOK "," CRON, NULL);
	counts(&g, 0, 0, 0, 1);
	cr_assert(!rig_effect(&g, EFFECT_DAG));
	rig_dag(&g, "d", "a;b:a", NULL, NULL);
	counts(&g, 0, 1, 0, 0);
	cr_assert_eq(memview_count(&g.mem, TABLE_LISTEN), 0);
	cr_assert_eq(memview_count(&g.mem, TABLE_SCHED), 0);
	rig_done(&g);
	LEAK_CHECK();
}

Test(sched_plans, a_broken_file_keeps_the_last_good_plan)
{
	struct str text;
	struct jw w;
	struct rig g;

	rig_init(&g, 1);
	rig_dag(&g, "d", "a", CRON, NULL);
	rig_file(&g, "d.yaml", NULL);
	counts(&g, 0, 1, 0, 0);
	cr_assert_eq(dag(&g, "d").state, DAG_BROKEN);
	cr_assert_neq(rig_start(&g, "d"), 0);
	rig_due(&g, RIG_T0 + 3600 * US_PER_S);
	cr_assert_eq(rig_runs(&g), 2);
	str_init(&text, 65536);
	jw_init(&w, &text);
	cr_assert_eq(why_dag(&g.mem.view, &g.env, "d", g.now, &w, NULL), 0);
	cr_assert_not_null(strstr(str_peek(&text),
	    "the file does not compile: d.yaml:12:7 bad; the last good plan runs"));
	str_done(&text);
	rig_dag(&g, "d", "a", CRON, NULL);
	counts(&g, 0, 1, 0, 0);
	cr_assert_eq(dag(&g, "d").state, DAG_LIVE);
	rig_file(&g, "new.yaml", NULL);
	counts(&g, 0, 0, 0, 0);
	rig_done(&g);
	LEAK_CHECK();
}

Test(sched_plans, a_vanished_file_ends_schedules_and_queued_runs_only)
{
	struct rig g;
	uint64_t running, queued;

	rig_init(&g, 1);
	rig_dag(&g, "d", "a", HOOK "," CRON, NULL);
	running = rig_start(&g, "d");
	queued = rig_start(&g, "d");
	complete(&g);
	counts(&g, 0, 0, 1, 0);
	cr_assert_eq(dag(&g, "d").state, DAG_GONE);
	cr_assert_eq(rig_run_state(&g, queued), RUN_CANCELLED);
	cr_assert_eq(rig_run_state(&g, running), RUN_RUNNING);
	cr_assert_eq(memview_count(&g.mem, TABLE_DUE), 0);
	cr_assert_eq(memview_count(&g.mem, TABLE_LISTEN), 0);
	rig_drain(&g);
	cr_assert_eq(rig_run_state(&g, running), RUN_SUCCEEDED);
	cr_assert_eq(rig_start(&g, "d"), 0);
	cr_assert_eq(g.r.rc, ERR_NOT_FOUND);
	/* back: the same DAG with its history */
	rig_dag(&g, "d", "a", HOOK, NULL);
	counts(&g, 1, 0, 0, 0);
	cr_assert_eq(dag(&g, "d").no, 1);
	cr_assert_neq(rig_start(&g, "d"), 0);
	rig_done(&g);
	LEAK_CHECK();
}

Test(sched_plans, runs_pin_their_plan)
{
	struct rig g;
	uint64_t old;

	rig_init(&g, 1);
	rig_dag(&g, "d", "a;b:a", NULL, NULL);
	old = rig_start(&g, "d");
	rig_dag(&g, "d", "x", NULL, NULL);
	rig_ok(&g, old, "a");
	cr_assert_eq(rig_state(&g, old, "b"), STEP_RUNNING);
	rig_drain(&g);
	cr_assert_eq(rig_run_state(&g, old), RUN_SUCCEEDED);
	rig_done(&g);
	LEAK_CHECK();
}

Test(sched_plans, more_max_runs_starts_what_waits)
{
	struct rig g;
	uint64_t second;

	rig_init(&g, 4);
	rig_dag(&g, "d", "a", NULL, NULL);
	rig_start(&g, "d");
	second = rig_start(&g, "d");
	cr_assert_eq(rig_run_state(&g, second), RUN_QUEUED);
	rig_dag(&g, "d", "a", NULL, "\"max_runs\":2");
	cr_assert_eq(rig_run_state(&g, second), RUN_RUNNING);
	rig_done(&g);
	LEAK_CHECK();
}

Test(sched_plans, two_files_of_one_dag_clash_and_a_moved_file_does_not)
{
	char *plan = rig_plan("d", "a", NULL, NULL);
	struct file_rec f;
	struct slice report;
	struct op_file other = {.path = "other.yaml", .rec = {.size = 9, .signature = {7}}};
	struct op_file move[2] = {{.path = "old.yaml", .gone = true}, {.path = "new.yaml"}};
	struct op op = {.kind = OP_PLANS};
	struct rig g;

	rig_init(&g, 1);
	rig_file(&g, "old.yaml", plan);
	other.plan = plan;
	other.plan_n = strlen(plan);
	op.u.plans.files = &other;
	op.u.plans.n_files = 1;
	cr_assert_eq(rig_op(&g, &op), 0);
	cr_assert_str_eq(dag(&g, "d").file, "old.yaml");
	cr_assert_eq(file_get(&g.mem.view, "other.yaml", &f, &report), 0);
	cr_assert(!f.ok);
	cr_assert(f.size == 0 && f.signature[0] == 0, "it would not be compiled again");
	cr_assert_not_null(memmem(report.p, report.n, "old.yaml already", 16));
	move[1].plan = plan;
	move[1].plan_n = strlen(plan);
	op.u.plans.files = move;
	op.u.plans.n_files = 2;
	cr_assert_eq(rig_op(&g, &op), 0);
	cr_assert_str_eq(dag(&g, "d").file, "new.yaml");
	cr_assert_eq(dag(&g, "d").state, DAG_LIVE);
	mem_free(plan);
	rig_done(&g);
	LEAK_CHECK();
}

Test(sched_plans, a_file_that_names_another_dag_ends_the_first)
{
	char *plan = rig_plan("e", "a", NULL, NULL);
	struct rig g;

	rig_init(&g, 1);
	rig_dag(&g, "d", "a", NULL, NULL);
	rig_file(&g, "d.yaml", plan);
	cr_assert_eq(dag(&g, "d").state, DAG_GONE);
	cr_assert_eq(dag(&g, "e").state, DAG_LIVE);
	mem_free(plan);
	rig_done(&g);
	LEAK_CHECK();
}

Test(sched_plans, a_plan_that_is_none_is_refused_whole)
{
	struct op_file f = {.path = "d.yaml", .plan = "{}", .plan_n = 2};
	struct op op = {.kind = OP_PLANS};
	struct rig g;

	rig_init(&g, 1);
	op.u.plans.files = &f;
	op.u.plans.n_files = 1;
	cr_assert_eq(rig_op(&g, &op), ERR_PARSE);
	cr_assert_eq(memview_count(&g.mem, TABLE_FILE), 0);
	rig_done(&g);
	LEAK_CHECK();
}

Test(sched_plans, data_sets_get_an_owner_and_their_subscribers)
{
	struct dataset_rec d;
	struct rig g;

	rig_init(&g, 1);
	rig_dag(&g, "d", "a",
	    "{\"name\":\"r\",\"kind\":\"datasets\",\"datasets\":{\"rule\":\"any\",\"members\":[{"
	    "\"name\":\"lake/in\"}]}}",
	    "\"datasets\":{\"lake/x\":{}}");
	cr_assert_eq(find_dataset(&g.mem.view, "lake/x", &d), 0);
	cr_assert_str_eq(d.owner_dag, "d");
	cr_assert_eq(find_dataset(&g.mem.view, "lake/in", &d), 0);
	cr_assert_str_eq(d.owner_dag, "");
	cr_assert_eq(memview_count(&g.mem, TABLE_SUB), 1);
	rig_dag(&g, "d", "a", NULL, NULL);
	cr_assert_eq(memview_count(&g.mem, TABLE_SUB), 0);
	rig_done(&g);
	LEAK_CHECK();
}
