/* T1: events of hooks: verdicts, repeats, keys, typed bodies. */
#include "core/sched/table.h"
#include "leak.h"
#include "sched_rig.h"

#include <criterion/criterion.h>
#include <string.h>

#define HOOK(extra) "{\"name\":\"h\",\"kind\":\"webhook\",\"hook\":\"in\"" extra "}"

static int send(struct rig *g, const char *id, const char *body)
{
	struct op op = {.kind = OP_EVENT};
	struct json *j = NULL;
	int rc;

	if (body != NULL)
		cr_assert_eq(json_parse(body, strlen(body), 16u << 20, &j, NULL), 0);
	op.u.event.hook = "in";
	op.u.event.source = "hook:in";
	op.u.event.external_id = id;
	op.u.event.type = "push";
	op.u.event.subject = "";
	op.u.event.time = g->now;
	op.u.event.body = j;
	rc = rig_op(g, &op);
	json_free(j);
	return rc;
}

static struct event_rec event_of(struct rig *g, uint64_t seq)
{
	struct event_rec e;

	cr_assert_eq(event_get(&g->mem.view, seq, &e, NULL), 0);
	return e;
}

Test(sched_event, unmatched_is_stored_and_says_so)
{
	struct rig g;

	rig_init(&g, 1);
	cr_assert_eq(send(&g, "1", "{}"), 0);
	cr_assert_eq(g.r.verdict, VERDICT_UNMATCHED);
	cr_assert_eq(g.r.event, 1);
	cr_assert_str_eq(event_of(&g, 1).detail, "no trigger listens to it");
	rig_done(&g);
	LEAK_CHECK();
}

Test(sched_event, starts_what_listens_and_a_repeat_is_answered_like_the_first)
{
	struct rig g;
	uint64_t run;

	rig_init(&g, 1);
	rig_dag(&g, "d", "a", HOOK(""), NULL);
	rig_dag(&g, "e", "a", HOOK(""), NULL);
	cr_assert_eq(send(&g, "x", "{\"k\":1}"), 0);
	cr_assert_eq(g.r.verdict, VERDICT_STARTED);
	cr_assert_eq(g.r.n_runs, 2);
	cr_assert(!g.r.duplicate);
	run = g.r.runs[0];
	cr_assert_eq(send(&g, "x", "{\"k\":2}"), 0);
	cr_assert(g.r.duplicate);
	cr_assert_eq(g.r.event, 1);
	cr_assert_eq(g.r.verdict, VERDICT_STARTED);
	cr_assert(g.r.n_runs == 2 && g.r.runs[0] == run);
	cr_assert_eq(rig_runs(&g), 2);
	cr_assert_eq(event_of(&g, 2).verdict, VERDICT_DUPLICATE);
	cr_assert_eq(event_of(&g, 2).duplicate_of, 1);
	cr_assert_eq(send(&g, "", "{}"), 0);
	cr_assert_eq(send(&g, "", "{}"), 0);
	cr_assert(!g.r.duplicate, "without an id there is no repeat");
	cr_assert_eq(rig_runs(&g), 6);
	rig_done(&g);
	LEAK_CHECK();
}

Test(sched_event, an_id_is_forgotten_after_its_window)
{
	struct op op = {.kind = OP_EVENT};
	struct rig g;

	rig_init(&g, 1);
	op.u.event.hook = "in";
	op.u.event.source = "hook:in";
	op.u.event.external_id = "body:1";
	op.u.event.type = op.u.event.subject = "";
	op.u.event.dedupe_ms = 600000;
	cr_assert_eq(rig_op(&g, &op), 0);
	g.now += 599 * US_PER_S;
	cr_assert_eq(rig_op(&g, &op), 0);
	cr_assert(g.r.duplicate);
	g.now += 2 * US_PER_S;
	cr_assert_eq(rig_op(&g, &op), 0);
	cr_assert(!g.r.duplicate);
	rig_done(&g);
	LEAK_CHECK();
}

Test(sched_event, body_where_params_and_key_decide)
{
	static const struct {
		const char *body;
		enum verdict verdict;
		const char *detail, *key;
	} cases[] = {
	    {"{\"t\":\"orders\",\"n\":3}", VERDICT_STARTED, "", "orders/3"},
	    {"{\"t\":\"tmp\"}", VERDICT_UNMATCHED, "`where` is false", NULL},
	    {"{\"n\":3}", VERDICT_REJECTED, "\"t\" is required", NULL},
	    {"{\"t\":3}", VERDICT_REJECTED, "must be a text", NULL},
	    {"{\"t\":\"bad\",\"n\":\"x\"}", VERDICT_REJECTED, "whole number", NULL},
	    {"{\"t\":\"orders\",\"n\":3,\"more\":1}", VERDICT_DUPLICATE, "already", "orders/3"},
	};
	struct rig g;

	rig_init(&g, 1);
	rig_dag(&g, "d", "a",
	    HOOK(",\"where\":\"${event.body.t != "
		 "'tmp'}\",\"key\":\"${event.body.t}/${event.body.n}\","
		 "\"params\":{\"p\":\"${event.body.n}\"},"
		 "\"body\":[{\"name\":\"t\",\"type\":\"string\",\"required\":true},"
		 "{\"name\":\"n\",\"type\":\"integer\",\"default\":1}]"),
	    "\"params\":[{\"name\":\"p\",\"type\":\"integer\"}]");
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct run_rec r;

		cr_assert_eq(send(&g, "", cases[i].body), 0);
		cr_assert_eq(g.r.verdict, cases[i].verdict, "case %zu: %s %s", i,
		    verdict_name(g.r.verdict), event_of(&g, g.r.event).detail);
		cr_assert_not_null(strstr(event_of(&g, g.r.event).detail, cases[i].detail));
		if (cases[i].key == NULL)
			continue;
		cr_assert_eq(run_get(&g.mem.view, g.r.runs[0], &r), 0);
		cr_assert_str_eq(r.key, cases[i].key);
		cr_assert_eq(r.space, SPACE_KEY);
	}
	cr_assert_eq(rig_runs(&g), 1);
	rig_done(&g);
	LEAK_CHECK();
}

Test(sched_event, on_same_key_rerun_makes_the_next_revision)
{
	struct run_rec r;
	struct rig g;

	rig_init(&g, 1);
	rig_dag(&g, "d", "a", HOOK(",\"key\":\"k\",\"on_same_key\":\"rerun\""), NULL);
	for (uint32_t i = 0; i < 3; i++) {
		cr_assert_eq(send(&g, "", "{}"), 0);
		cr_assert_eq(g.r.verdict, VERDICT_STARTED);
		cr_assert_eq(run_get(&g.mem.view, g.r.runs[0], &r), 0);
		cr_assert_eq(r.revision, i);
	}
	rig_done(&g);
	LEAK_CHECK();
}

Test(sched_event, a_paused_dag_drops_or_keeps)
{
	struct op op = {.kind = OP_PAUSE};
	struct rig g;

	rig_init(&g, 1);
	rig_dag(&g, "d", "a", HOOK(""), NULL);
	rig_dag(&g, "k", "a", HOOK(",\"while_paused\":\"keep\""), NULL);
	op.u.pause.on = true;
	cr_assert_eq(rig_op(&g, &op), 0);
	cr_assert_eq(send(&g, "", "{}"), 0);
	cr_assert_eq(g.r.verdict, VERDICT_STARTED);
	cr_assert_eq(g.r.n_runs, 1);
	cr_assert_not_null(strstr(event_of(&g, g.r.event).detail, "DAG d is paused"));
	cr_assert_eq(rig_run_state(&g, g.r.runs[0]), RUN_QUEUED);
	op.u.pause.on = false;
	cr_assert_eq(rig_op(&g, &op), 0);
	cr_assert_eq(rig_run_state(&g, 1), RUN_RUNNING);
	rig_done(&g);
	LEAK_CHECK();
}

Test(sched_event, one_triggers_defaults_are_not_another_triggers_body)
{
	struct rig g;

	rig_init(&g, 1);
	rig_dag(&g, "a", "a",
	    HOOK(",\"body\":[{\"name\":\"n\",\"type\":\"integer\",\"default\":1}]"), NULL);
	rig_dag(&g, "b", "a", HOOK(",\"where\":\"${event.body.n == null}\""), NULL);
	cr_assert_eq(send(&g, "", "{}"), 0);
	cr_assert_eq(g.r.n_runs, 2);
	rig_done(&g);
	LEAK_CHECK();
}

Test(sched_event, covers_makes_the_key_the_window)
{
	struct run_rec r;
	struct rig g;

	rig_init(&g, 1);
	rig_dag(&g, "d", "a",
	    HOOK(",\"key\":\"${event.body.day}\",\"covers\":{\"unit\":\"day\",\"offset\":0},"
		 "\"zone\":\"UTC\""),
	    NULL);
	cr_assert_eq(send(&g, "", "{\"day\":\"2025-11-20\"}"), 0);
	cr_assert_eq(g.r.verdict, VERDICT_STARTED);
	cr_assert_eq(run_get(&g.mem.view, g.r.runs[0], &r), 0);
	cr_assert_eq(r.window_start, RIG_T0 - 86400 * US_PER_S);
	cr_assert_eq(r.window_end, RIG_T0);
	cr_assert_eq(send(&g, "", "{\"day\":\"tomorrow\"}"), 0);
	cr_assert_eq(g.r.verdict, VERDICT_REJECTED);
	rig_done(&g);
	LEAK_CHECK();
}

/* limits.event_body may be raised to 16 MiB: what was taken is there for the run. */
Test(sched_event, a_large_body_is_read_again_whole)
{
	struct str body;
	struct rig g;

	str_init(&body, 16u << 20);
	str_add(&body, "{\"list\":[\"x\",\"y\"],\"pad\":\"");
	for (int i = 0; i < 500000; i++)
		str_add(&body, "0123456789");
	str_add(&body, "\"}");
	rig_init(&g, 4);
	rig_dag(&g, "d", "f each=${event.body.list}", HOOK(""), NULL);
	cr_assert_eq(send(&g, "a", str_peek(&body)), 0);
	cr_assert_eq(rig_step(&g, 1, "f").items, 2, "%s", rig_step(&g, 1, "f").message);
	rig_done(&g);
	str_done(&body);
	LEAK_CHECK();
}

/* The params are one level deeper than the body, and must be readable as a record. */
Test(sched_event, a_body_too_deep_for_params_is_rejected_and_not_forgotten)
{
	struct str body;
	struct rig g;

	str_init(&body, 4096);
	for (int i = 0; i < 64; i++)
		str_add(&body, i < 63 ? "{\"a\":" : "{\"a\":1");
	for (int i = 0; i < 64; i++)
		str_addc(&body, '}');
	rig_init(&g, 4);
	rig_dag(&g, "d", "a", HOOK(",\"params\":{\"p\":\"${event.body}\"}"),
	    "\"params\":[{\"name\":\"p\",\"type\":\"any\"}]");
	cr_assert_eq(send(&g, "a", str_peek(&body)), 0);
	cr_assert_eq(event_of(&g, 1).verdict, VERDICT_REJECTED);
	cr_assert_not_null(strstr(event_of(&g, 1).detail, "levels"), "%s", event_of(&g, 1).detail);
	rig_done(&g);
	str_done(&body);
	LEAK_CHECK();
}
