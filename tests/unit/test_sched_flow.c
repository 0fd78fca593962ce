/* `when` over real runs: every rule for every three ends of parents, against what the man page says
 * in words; whatever the rule, a cancelled run begins nothing more. */
#include "core/sched/table.h"
#include "leak.h"
#include "sched_rig.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

/* What a parent can end as. UPSTREAM: what it needs failed; CANCELLED: its attempt was, and not the
 * run; …_ALLOWED: with allow_failure; LEFT_OUT: by --only. */
enum end {
	OK,
	FAILED,
	LOST,
	TIMEOUT,
	SKIPPED,
	UPSTREAM,
	CANCELLED,
	FAILED_ALLOWED,
	LOST_ALLOWED,
	UPSTREAM_ALLOWED,
	CANCELLED_ALLOWED,
	LEFT_OUT,
	N_ENDS
};
static const struct end_kind {
	const char *name;
	bool good, failed;  /* counts as succeeded; as failed for one_failed */
	bool before;	    /* it needs a step of its own, NAME0 */
	const char *words;  /* of the step itself */
	const char *report; /* of the step, or of NAME0 */
	int code;
} ends[N_ENDS] = {
    {"ok", true, false, false, "", "{\"class\":\"ok\"}", OUTCOME_OK},
    {"failed", false, true, false, "", "{\"class\":\"data\"}", OUTCOME_FAILED},
    {"lost", false, true, false, " lostfails", "", OUTCOME_LOST},
    {"timeout", false, true, false, "", "", OUTCOME_DEADLINE},
    {"skipped", false, false, true, " when=one_failed", "{\"class\":\"ok\"}", OUTCOME_OK},
    {"upstream_failed", false, true, true, "", "{\"class\":\"data\"}", OUTCOME_FAILED},
    {"cancelled", false, false, false, "", "", OUTCOME_CANCELLED},
    {"failed, allowed", true, true, false, " allow", "{\"class\":\"data\"}", OUTCOME_FAILED},
    {"lost, allowed", true, true, false, " allow lostfails", "", OUTCOME_LOST},
    {"upstream_failed, allowed", true, true, true, " allow", "{\"class\":\"data\"}",
	OUTCOME_FAILED},
    {"cancelled, allowed", false, false, false, " allow", "", OUTCOME_CANCELLED},
    {"left out", true, false, false, "", NULL, OUTCOME_OK},
};
static const char *const rules[] = {"all_success", "one_success", "all_done", "one_failed"};

/* The words of sluice-dag(5). */
static enum step_state oracle(const char *rule, const enum end *e, size_t n)
{
	size_t good = 0, bad = 0, failed = 0;

	for (size_t i = 0; i < n; i++) {
		good += ends[e[i]].good;
		bad += !ends[e[i]].good && e[i] != SKIPPED;
		failed += ends[e[i]].failed;
	}
	if (str_eq(rule, "all_done"))
		return STEP_RUNNING;
	if (str_eq(rule, "one_success"))
		return good > 0 ? STEP_RUNNING : STEP_SKIPPED;
	if (str_eq(rule, "one_failed"))
		return failed > 0 ? STEP_RUNNING : STEP_SKIPPED;
	if (bad > 0)
		return STEP_UPSTREAM_FAILED;
	return good == n ? STEP_RUNNING : STEP_SKIPPED;
}

/* The run without the steps that are left out. */
static uint64_t start_some(struct rig *g, const enum end *e, size_t n)
{
	static const char names[3][2][3] = {{"a", "a0"}, {"b", "b0"}, {"c", "c0"}};
	struct op op = {.kind = OP_START};
	const char *only[8];

	op.u.start.dag = "d";
	op.u.start.at = TIME_NONE;
	op.u.start.actor = "test";
	op.u.start.only = only;
	only[op.u.start.n_only++] = "z";
	for (size_t i = 0; i < n; i++) {
		if (e[i] == LEFT_OUT)
			continue;
		only[op.u.start.n_only++] = names[i][0];
		if (ends[e[i]].before)
			only[op.u.start.n_only++] = names[i][1];
	}
	cr_assert_eq(rig_op(g, &op), 0);
	return g->r.runs[0];
}

static void end_parent(struct rig *g, uint64_t run, char letter, enum end e)
{
	char name[3] = {letter, ends[e].before ? '0' : 0, 0};

	if (e != LEFT_OUT)
		cr_assert(rig_answer(g, run, name, ends[e].code, ends[e].report));
}

static void one_case(const char *rule, const enum end *e, size_t n)
{
	bool left_out = true;
	enum step_state is;
	struct str steps;
	struct rig g;
	uint64_t run;

	str_init(&steps, 1024);
	for (size_t i = 0; i < n; i++) {
		char c = (char)('a' + i);

		if (ends[e[i]].before)
			str_addf(&steps, "%c0;%c:%c0%s;", c, c, c, ends[e[i]].words);
		else
			str_addf(&steps, "%c%s;", c, ends[e[i]].words);
		left_out = left_out && e[i] == LEFT_OUT;
	}
	str_addf(&steps, "z:a%s%s when=%s", n > 1 ? ",b" : "", n > 2 ? ",c" : "", rule);
	rig_init(&g, 9);
	rig_dag(&g, "d", str_peek(&steps), NULL, NULL);
	run = start_some(&g, e, n);
	for (size_t i = 0; i < n; i++) {
		if (!left_out && e[i] != LEFT_OUT)
			cr_assert_eq(rig_state(&g, run, "z"), STEP_WAITING, "judged too early");
		end_parent(&g, run, (char)('a' + i), e[i]);
	}
	is = rig_state(&g, run, "z");
	cr_assert_eq(is, oracle(rule, e, n), "%s of %s, %s, %s gives %s", rule, ends[e[0]].name,
	    n > 1 ? ends[e[1]].name : "-", n > 2 ? ends[e[2]].name : "-", step_state_name(is));
	rig_drain(&g);
	cr_assert(run_state_ended(rig_run_state(&g, run)));
	str_done(&steps);
	rig_done(&g);
}

/* Every way in which one, two and three parents can end, in every order. */
Test(sched_flow, when_for_every_end_of_every_parent, .timeout = 300)
{
	size_t cases = 0;

	for (size_t rule = 0; rule < 4; rule++) {
		for (unsigned code = 0; code < N_ENDS * N_ENDS * N_ENDS; code++) {
			enum end e[3] = {(enum end)(code % N_ENDS),
			    (enum end)(code / N_ENDS % N_ENDS), (enum end)(code / N_ENDS / N_ENDS)};
			size_t n = e[2] != OK ? 3 : e[1] != OK ? 2 : 1;

			one_case(rules[rule], e, n);
			cases++;
		}
	}
	cr_assert_eq(cases, 4u * N_ENDS * N_ENDS * N_ENDS);
	LEAK_CHECK();
}

/* Its parent ends well behind the cancel, or badly: nothing begins any more. */
Test(sched_flow, when_does_not_count_in_a_cancelled_run)
{
	for (size_t rule = 0; rule < 4; rule++) {
		for (int e = 0; e < N_ENDS; e++) {
			char steps[64];
			struct rig g;
			uint64_t run;

			if (ends[e].before || e == LEFT_OUT)
				continue;
			snprintf(
			    steps, sizeof(steps), "a%s;z:a when=%s", ends[e].words, rules[rule]);
			rig_init(&g, 9);
			rig_dag(&g, "d", steps, NULL, NULL);
			run = rig_start(&g, "d");
			rig_cancel(&g, run);
			cr_assert_eq(rig_state(&g, run, "z"), STEP_CANCELLED);
			end_parent(&g, run, 'a', (enum end)e);
			cr_assert_eq(rig_state(&g, run, "z"), STEP_CANCELLED, "%s, %s", rules[rule],
			    ends[e].name);
			cr_assert_eq(g.jobs.n, 0);
			cr_assert_eq(rig_run_state(&g, run), RUN_CANCELLED);
			rig_done(&g);
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
