/* Reruns: what follows downstream, and with which plan. */
#include "core/sched/table.h"
#include "leak.h"
#include "sched_rig.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#define FOLLOWS(rule, members)                                                                     \
	"{\"name\":\"r\",\"kind\":\"datasets\",\"datasets\":{\"rule\":\"" rule                     \
	"\",\"n\":1,\"members\":[" members "]}}"
#define X_AND_Y "{\"name\":\"lake/x\"},{\"name\":\"lake/y\"}"

static int rerun(struct rig *g, uint64_t run, const char *step, const char *how, bool latest)
{
	const char *names[1] = {step};
	struct op op = {.kind = OP_RERUN};

	op.u.rerun.run = run;
	op.u.rerun.steps = names;
	op.u.rerun.n_steps = step != NULL;
	op.u.rerun.downstream = how;
	op.u.rerun.latest = latest;
	return rig_op(g, &op);
}

static void publish(struct rig *g, uint64_t run, const char *step, const char *dataset)
{
	char report[256];

	snprintf(report, sizeof(report),
	    "{\"class\":\"ok\",\"datasets\":[{\"name\":\"%s\",\"partition\":\"day=2025-11-20\","
	    "\"changed\":true}]}",
	    dataset);
	cr_assert(rig_answer(g, run, step, OUTCOME_OK, report));
}

static uint64_t runs_of(struct rig *g, const char *dag)
{
	uint64_t n = 0;

	for (uint64_t run = 1; run <= rig_runs(g); run++) {
		struct run_rec r;

		cr_assert_eq(run_get(&g->mem.view, run, &r), 0);
		n += str_eq(r.dag, dag);
	}
	return n;
}

/* A producer of two data sets, and who follows either, both, or one. */
static void begin(struct rig *g)
{
	rig_init(g, 20);
	rig_dag(g, "p", "a;b:a;c:b", NULL, NULL);
	rig_dag(g, "any", "s", FOLLOWS("any", X_AND_Y), "\"max_runs\":20");
	rig_dag(g, "all", "s", FOLLOWS("all", X_AND_Y), "\"max_runs\":20");
	rig_dag(g, "one", "s", FOLLOWS("any", "{\"name\":\"lake/x\"}"), "\"max_runs\":20");
	rig_start(g, "p");
	rig_drain(g);
}

static void play(struct rig *g)
{
	publish(g, 1, "a", "lake/x");
	publish(g, 1, "b", "lake/y");
}

Test(sched_rerun, downstream_each_once_none)
{
	static const struct {
		const char *how;
		uint64_t any, all, one;
	} cases[] = {{"each", 2, 1, 1}, {"once", 1, 1, 1}, {NULL, 1, 1, 1}, {"none", 0, 0, 0}};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		const char *how = cases[i].how != NULL ? cases[i].how : "(default)";
		struct rig g;

		begin(&g);
		cr_assert_eq(rerun(&g, 1, "a", cases[i].how, false), 0);
		play(&g);
		cr_assert_eq(runs_of(&g, "any"), str_eq(cases[i].how, "each") ? 2 : 0,
		    "%s: before the end", how);
		rig_ok(&g, 1, "c");
		cr_assert_eq(runs_of(&g, "any"), cases[i].any, "%s", how);
		cr_assert_eq(runs_of(&g, "all"), cases[i].all, "%s", how);
		cr_assert_eq(runs_of(&g, "one"), cases[i].one, "%s", how);
		cr_assert_eq(memview_count(&g.mem, TABLE_RUN_PART), 0);
		rig_drain(&g);
		rig_done(&g);
	}
	LEAK_CHECK();
}

/* Two triggers of one DAG follow the same data set: the second finds what the first made. */
Test(sched_rerun, once_starts_a_dag_with_two_triggers_once)
{
	struct rig g;

	rig_init(&g, 20);
	rig_dag(&g, "p", "a", NULL, NULL);
	rig_dag(&g, "two", "s",
	    FOLLOWS("any", "{\"name\":\"lake/x\"}") ","
						    "{\"name\":\"r2\",\"kind\":\"datasets\","
						    "\"datasets\":{\"rule\":\"any\",\"n\":1,"
						    "\"members\":[{\"name\":\"lake/x\"}]}}",
	    "\"max_runs\":20");
	rig_start(&g, "p");
	rig_drain(&g);
	cr_assert_eq(rerun(&g, 1, "a", "once", false), 0);
	publish(&g, 1, "a", "lake/x");
	cr_assert_geq(runs_of(&g, "two"), 1);
	rig_drain(&g);
	rig_done(&g);
	LEAK_CHECK();
}

/* What was published is a fact, however the run ends; the second rerun tells its own. */
Test(sched_rerun, once_is_told_by_a_run_that_fails_or_is_cancelled_too)
{
	for (int cancel = 0; cancel < 2; cancel++) {
		struct rig g;

		begin(&g);
		cr_assert_eq(rerun(&g, 1, "a", "once", false), 0);
		publish(&g, 1, "a", "lake/x");
		cr_assert_eq(memview_count(&g.mem, TABLE_RUN_PART), 1);
		if (cancel) {
			rig_cancel(&g, 1);
			rig_answer(&g, 1, "b", OUTCOME_CANCELLED, "");
		} else {
			rig_fail(&g, 1, "b", "data");
		}
		cr_assert_eq(runs_of(&g, "one"), 1);
		rig_drain(&g);
		cr_assert_eq(rerun(&g, 1, "a", "once", false), 0);
		publish(&g, 1, "a", "lake/x");
		rig_drain(&g);
		cr_assert_eq(runs_of(&g, "one"), 2);
		rig_done(&g);
	}
	LEAK_CHECK();
}

Test(sched_rerun, says_how_it_may_be_told)
{
	struct rig g;

	begin(&g);
	cr_assert_eq(rerun(&g, 1, NULL, "twice", false), ERR_USAGE);
	cr_assert_not_null(strstr(g.r.err.text, "each, once or none"));
	rig_done(&g);
	LEAK_CHECK();
}

/* ---- plans ---- */

Test(sched_rerun, keeps_its_plan_unless_the_latest_is_asked_for)
{
	struct run_rec r;
	struct rig g;

	rig_init(&g, 9);
	rig_dag(&g, "d", "a;b:a", NULL, NULL);
	rig_start(&g, "d");
	rig_ok(&g, 1, "a");
	rig_fail(&g, 1, "b", "data");
	rig_dag(&g, "d", "a;x:a;b:a,x retry=3;y:b", NULL, NULL);
	cr_assert_eq(rerun(&g, 1, NULL, NULL, false), 0);
	rig_fail(&g, 1, "b", "data");
	cr_assert_eq(run_get(&g.mem.view, 1, &r), 0);
	cr_assert_eq(r.n_steps, 2);
	cr_assert_eq(r.reopened, 1);

	cr_assert_eq(rerun(&g, 1, NULL, NULL, true), 0);
	cr_assert_eq(run_get(&g.mem.view, 1, &r), 0);
	cr_assert_eq(r.n_steps, 4);
	cr_assert_eq(rig_step(&g, 1, "a").generation, 0, "it is kept");
	cr_assert_eq(rig_state(&g, 1, "x"), STEP_RUNNING, "it is new");
	cr_assert_eq(rig_state(&g, 1, "b"), STEP_WAITING, "it needs x now");
	cr_assert_eq(rig_step(&g, 1, "b").generation, 2);
	cr_assert_eq(rig_step(&g, 1, "b").attempt, 2, "its attempts go on counting");
	rig_drain(&g);
	cr_assert_eq(rig_run_state(&g, 1), RUN_SUCCEEDED);
	cr_assert_eq(rig_state(&g, 1, "y"), STEP_SUCCEEDED);
	/* nothing new, nothing failed */
	cr_assert_eq(rerun(&g, 1, NULL, NULL, true), 0);
	cr_assert_eq(g.r.count, 4, "all of a run that succeeded");
	rig_drain(&g);
	rig_done(&g);
	LEAK_CHECK();
}

Test(sched_rerun, carries_items_and_what_they_said_over_to_another_place)
{
	struct slice doc;
	struct step_ref ref;
	struct rig g;

	rig_init(&g, 9);
	rig_dag(&g, "d", "f each=3;z:f", NULL, NULL);
	rig_start(&g, "d");
	rig_answer(&g, 1, "f[2]", OUTCOME_OK, "{\"class\":\"ok\",\"outputs\":{\"n\":7}}");
	rig_fail(&g, 1, "f[3]", "data");
	rig_drain(&g);
	rig_dag(&g, "d", "n;m;f each=3;z:f,n", NULL, NULL);
	cr_assert_eq(rerun(&g, 1, NULL, NULL, true), 0);
	cr_assert_eq(rig_state(&g, 1, "f[2]"), STEP_SUCCEEDED);
	cr_assert_eq(rig_state(&g, 1, "f[3]"), STEP_RUNNING);
	cr_assert_eq(find_step(&g.mem.view, 1, "f[2]", &ref, NULL), 0);
	cr_assert_eq(ref.step, 2);
	cr_assert_eq(step_doc_get(&g.mem.view, &ref, STEP_DOC_OUTPUTS, &doc), 0);
	cr_assert_eq(g.jobs.n, 3, "n, m and f[3]");
	rig_drain(&g);
	cr_assert_eq(rig_run_state(&g, 1), RUN_SUCCEEDED);
	rig_done(&g);
	LEAK_CHECK();
}

Test(sched_rerun, refuses_a_plan_that_the_run_cannot_take_over)
{
	static const struct {
		const char *steps, *says;
	} cases[] = {
	    {"a", "step b is not in the latest plan of DAG d"},
	    {"a;b:a each=2", "step b a task, is now a foreach in the latest plan"},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct rig g;

		rig_init(&g, 9);
		rig_dag(&g, "d", "a;b:a", NULL, NULL);
		rig_start(&g, "d");
		rig_fail(&g, 1, "a", "data");
		rig_dag(&g, "d", cases[i].steps, NULL, NULL);
		cr_assert_eq(rerun(&g, 1, NULL, NULL, true), ERR_CONFLICT);
		cr_assert_not_null(strstr(g.r.err.text, cases[i].says), "%s", g.r.err.text);
		cr_assert_eq(rig_run_state(&g, 1), RUN_FAILED);
		rig_done(&g);
	}
	LEAK_CHECK();
}

/* Each name is looked for in each step and item: a list without end would hold up everybody. */
Test(sched_rerun, names_no_more_than_a_plan_can_hold)
{
	const char **names = mem_calloc(PLAN_MAX_STEPS + 1, sizeof(char *));
	struct op op = {.kind = OP_RERUN}, start = {.kind = OP_START};
	struct rig g;
	uint64_t run;

	for (int i = 0; i <= PLAN_MAX_STEPS; i++)
		names[i] = "a";
	rig_init(&g, 2);
	rig_dag(&g, "d", "a", NULL, NULL);
	run = rig_start(&g, "d");
	rig_drain(&g);
	op.u.rerun.run = run;
	op.u.rerun.steps = names;
	op.u.rerun.n_steps = PLAN_MAX_STEPS + 1;
	cr_assert_eq(rig_op(&g, &op), ERR_USAGE);
	op.u.rerun.n_steps = PLAN_MAX_STEPS;
	cr_assert_eq(rig_op(&g, &op), 0);
	start.u.start.dag = "d";
	start.u.start.at = TIME_NONE;
	start.u.start.only = names;
	start.u.start.n_only = 2;
	cr_assert_eq(rig_op(&g, &start), ERR_USAGE);
	start.u.start.n_only = 1;
	cr_assert_eq(rig_op(&g, &start), 0);
	rig_done(&g);
	mem_free(names);
	LEAK_CHECK();
}
