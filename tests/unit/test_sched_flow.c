/* The truth table of `when`, judged over real runs: two parents in every pair of ends. */
#include "core/sched/table.h"
#include "leak.h"
#include "sched_rig.h"

#include <criterion/criterion.h>
#include <stdio.h>

/* What a parent can end as. "A" failed with allow_failure, "S" skipped. */
enum end { OK, FAILED, ALLOWED, SKIPPED, UPSTREAM, N_ENDS };
static const char *const end_names[] = {"ok", "failed", "allowed", "skipped", "upstream"};

/* rule, end of one parent, end of the other -> the child. Symmetric, so the upper half only. R
 * ready, S skipped, U upstream_failed. */
static const char *const table[4][N_ENDS] = {
    /* ok ok-failed ok-allowed ok-skipped ok-upstream | failed-… | allowed-… | skipped-… | upstream
     */
    {"RURSU", "UUUU", "RSU", "SU", "U"}, /* all_success */
    {"RRRRR", "SRSS", "RRR", "SS", "S"}, /* one_success */
    {"RRRRR", "RRRR", "RRR", "RR", "R"}, /* all_done */
    {"SRRSR", "RRRR", "RRR", "SR", "R"}, /* one_failed */
};
static const char *const rules[] = {"all_success", "one_success", "all_done", "one_failed"};

/* A parent that ends like that: p itself, fed by a step that fails or not. */
static void parent(struct str *out, const char *name, enum end e)
{
	switch (e) {
	case OK:
	case FAILED:
		str_addf(out, "%s;", name);
		break;
	case ALLOWED:
		str_addf(out, "%s allow;", name);
		break;
	case SKIPPED:
		str_addf(out, "%s0;%s:%s0 when=one_failed;", name, name, name);
		break;
	default:
		str_addf(out, "%s0;%s:%s0;", name, name, name);
		break;
	}
}

static void drive(struct rig *g, uint64_t run, const char *name, enum end e)
{
	char before[8];

	snprintf(before, sizeof(before), "%s0", name);
	if (e == OK)
		cr_assert(rig_ok(g, run, name));
	else if (e == FAILED || e == ALLOWED)
		cr_assert(rig_fail(g, run, name, "data"));
	else if (e == SKIPPED)
		cr_assert(rig_ok(g, run, before));
	else
		cr_assert(rig_fail(g, run, before, "data"));
}

static void one_pair(const char *rule, enum end a, enum end b, char want)
{
	static const enum step_state states[] = {STEP_RUNNING, STEP_SKIPPED, STEP_UPSTREAM_FAILED};
	enum step_state expected = states[want == 'R' ? 0 : want == 'S' ? 1 : 2];
	struct str steps;
	struct rig g;
	uint64_t run;

	str_init(&steps, 1024);
	parent(&steps, "a", a);
	parent(&steps, "b", b);
	str_addf(&steps, "c:a,b when=%s", rule);
	rig_init(&g, 4);
	rig_dag(&g, "d", str_peek(&steps), NULL, NULL);
	run = rig_start(&g, "d");
	drive(&g, run, "a", a);
	cr_assert_eq(rig_state(&g, run, "c"), STEP_WAITING, "judged before all parents have ended");
	drive(&g, run, "b", b);
	cr_assert_eq(rig_state(&g, run, "c"), expected, "%s: %s, %s gives %s", rule, end_names[a],
	    end_names[b], step_state_name(rig_state(&g, run, "c")));
	rig_drain(&g);
	cr_assert(run_state_ended(rig_run_state(&g, run)));
	str_done(&steps);
	rig_done(&g);
}

Test(sched_flow, truth_table_of_when)
{
	for (size_t rule = 0; rule < 4; rule++) {
		for (int a = 0; a < N_ENDS; a++) {
			for (int b = a; b < N_ENDS; b++) {
				one_pair(
				    rules[rule], (enum end)a, (enum end)b, table[rule][a][b - a]);
				one_pair(
				    rules[rule], (enum end)b, (enum end)a, table[rule][a][b - a]);
			}
		}
	}
	LEAK_CHECK();
}

Test(sched_flow, run_fails_by_failed_and_upstream_failed_only)
{
	static const struct {
		const char *steps, *fail;
		enum run_state end;
	} cases[] = {
	    {"a", NULL, RUN_SUCCEEDED},
	    {"a", "a", RUN_FAILED},
	    {"a allow", "a", RUN_SUCCEEDED},
	    {"a;b:a", "a", RUN_FAILED},
	    {"a allow;b:a", "a", RUN_SUCCEEDED},
	    {"a;b:a when=one_failed", NULL, RUN_SUCCEEDED}, /* b is skipped */
	    {"a;b:a when=all_done", "a", RUN_FAILED},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct rig g;
		uint64_t run;

		rig_init(&g, 2);
		rig_dag(&g, "d", cases[i].steps, NULL, NULL);
		run = rig_start(&g, "d");
		if (cases[i].fail != NULL)
			cr_assert(rig_fail(&g, run, cases[i].fail, "data"));
		rig_drain(&g);
		cr_assert_eq(rig_run_state(&g, run), cases[i].end, "case %zu", i);
		rig_done(&g);
	}
	LEAK_CHECK();
}

Test(sched_flow, a_thousand_skips_in_a_row_need_no_stack)
{
	struct str steps;
	struct rig g;
	uint64_t run;

	str_init(&steps, 1u << 20);
	str_add(&steps, "s0");
	for (int i = 1; i < PLAN_MAX_STEPS; i++)
		str_addf(&steps, ";s%d:s%d", i, i - 1);
	rig_init(&g, 1);
	rig_dag(&g, "d", str_peek(&steps), NULL, NULL);
	run = rig_start(&g, "d");
	cr_assert(rig_fail(&g, run, "s0", "data"));
	cr_assert_eq(rig_run_state(&g, run), RUN_FAILED);
	cr_assert_eq(rig_state(&g, run, "s999"), STEP_UPSTREAM_FAILED);
	str_done(&steps);
	rig_done(&g);
	LEAK_CHECK();
}
