/* What a further run does, for every way in which it comes about; queue_timeout. */
#include "core/sched/table.h"
#include "leak.h"
#include "sched_rig.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#define TRIGGERS                                                                                   \
	"{\"name\":\"h\",\"kind\":\"webhook\",\"hook\":\"in\"},"                                   \
	"{\"name\":\"t\",\"kind\":\"cron\",\"cron\":\"* * * * *\",\"zone\":\"UTC\"},"              \
	"{\"name\":\"r\",\"kind\":\"datasets\",\"datasets\":{\"rule\":\"any\",\"n\":1,"            \
	"\"members\":[{\"name\":\"lake/x\"}]}}"

enum way { HOOK, TICK, MANUAL, DATASET, N_WAYS };
static const char *const ways[] = {"hook", "tick", "manual", "data set"};

static void begin(struct rig *g, const char *extra)
{
	rig_init(g, 9);
	rig_dag(g, "d", "a;b:a", TRIGGERS, extra);
}

static void hook(struct rig *g)
{
	struct op op = {.kind = OP_EVENT};

	op.u.event.hook = "in";
	op.u.event.source = "hook:in";
	op.u.event.external_id = op.u.event.type = op.u.event.subject = "";
	op.u.event.time = g->now;
	cr_assert_eq(rig_op(g, &op), 0);
}

static void touch(struct rig *g)
{
	struct op op = {.kind = OP_TOUCH};

	op.u.touch.dataset = "lake/x";
	op.u.touch.complete_through = TIME_NONE;
	cr_assert_eq(rig_op(g, &op), 0);
}

/* The event that came of it: the last one in the store. */
static struct event_rec come(struct rig *g, enum way way)
{
	struct event_rec e = {.verdict = VERDICT_N};
	uint64_t seq = 0;

	if (way == HOOK)
		hook(g);
	else if (way == TICK)
		rig_due(g, (g->now / (60 * US_PER_S) + 1) * 60 * US_PER_S);
	else if (way == MANUAL)
		rig_start(g, "d");
	else
		touch(g);
	cr_assert_eq(meta_get(&g->mem.view, META_NEXT_EVENT, &seq), 0);
	cr_assert_eq(event_get(&g->mem.view, seq - 1, &e, NULL), 0);
	return e;
}

static const char *message(struct rig *g, uint64_t run, char *buf)
{
	struct run_rec r;

	cr_assert_eq(run_get(&g->mem.view, run, &r), 0);
	return memcpy(buf, r.message, sizeof(r.message));
}

Test(sched_overlap, skip_makes_no_run_and_names_the_one_in_the_way)
{
	for (int way = 0; way < N_WAYS; way++) {
		struct event_rec e;
		struct rig g;
		char id[HASH_ID_TEXT];

		begin(&g, "\"overlap\":\"skip\"");
		cr_assert_eq(rig_start(&g, "d"), 1);
		memcpy(id, g.r.run_ids[0], sizeof(id));
		e = come(&g, (enum way)way);
		cr_assert_eq(rig_runs(&g), 1, "%s", ways[way]);
		if (way == MANUAL) {
			cr_assert_eq(g.r.rc, ERR_CONFLICT);
			cr_assert_not_null(strstr(g.r.err.text, id), "%s", g.r.err.text);
		} else {
			cr_assert_eq(e.verdict, VERDICT_REJECTED, "%s", ways[way]);
			cr_assert_not_null(strstr(e.detail, id), "%s: %s", ways[way], e.detail);
			cr_assert_eq(e.n_runs, 0);
		}
		rig_drain(&g);
		come(&g, (enum way)way);
		cr_assert_eq(rig_runs(&g), 2, "%s: there is room again", ways[way]);
		rig_done(&g);
	}
	LEAK_CHECK();
}

Test(sched_overlap, skip_answers_a_repeat_with_the_run_that_is_there)
{
	struct rig g;

	begin(&g, "\"overlap\":\"skip\"");
	cr_assert_eq(rig_start_key(&g, "d", "k"), 1);
	cr_assert_eq(rig_start_key(&g, "d", "k"), 1);
	cr_assert(g.r.duplicate);
	cr_assert_eq(rig_start_key(&g, "d", "l"), 0);
	cr_assert_eq(g.r.rc, ERR_CONFLICT);
	rig_done(&g);
	LEAK_CHECK();
}

Test(sched_overlap, cancel_ends_the_older_and_waits_for_it)
{
	for (int way = 0; way < N_WAYS; way++) {
		char text[MESSAGE_MAX];
		struct rig g;

		begin(&g, "\"overlap\":\"cancel\"");
		rig_start(&g, "d");
		come(&g, (enum way)way);
		cr_assert_eq(rig_runs(&g), 2, "%s", ways[way]);
		cr_assert_eq(rig_run_state(&g, 1), RUN_RUNNING, "its attempt has not ended");
		cr_assert(rig_effect(&g, EFFECT_KILL));
		cr_assert_eq(rig_run_state(&g, 2), RUN_QUEUED);
		/* a third: the second never began and goes at once */
		come(&g, (enum way)way);
		cr_assert_eq(rig_run_state(&g, 2), RUN_CANCELLED);
		cr_assert_not_null(strstr(message(&g, 2, text), "took its place in the queue"));
		rig_answer(&g, 1, "a", OUTCOME_CANCELLED, "");
		cr_assert_eq(rig_run_state(&g, 1), RUN_CANCELLED);
		cr_assert_not_null(strstr(message(&g, 1, text), "overlap: cancel"));
		cr_assert_eq(rig_run_state(&g, 3), RUN_RUNNING);
		rig_drain(&g);
		cr_assert_eq(rig_run_state(&g, 3), RUN_SUCCEEDED);
		rig_done(&g);
	}
	LEAK_CHECK();
}

Test(sched_overlap, cancel_takes_the_oldest_only_as_many_as_needed)
{
	struct run_rec r;
	struct rig g;

	begin(&g, "\"overlap\":\"cancel\",\"max_runs\":3");
	for (int i = 0; i < 4; i++)
		rig_start(&g, "d");
	for (uint64_t run = 1; run <= 4; run++) {
		cr_assert_eq(run_get(&g.mem.view, run, &r), 0);
		cr_assert_eq(r.cancel, run == 1, "run %llu", (unsigned long long)run);
	}
	rig_done(&g);
	LEAK_CHECK();
}

Test(sched_overlap, latest_lets_one_wait_and_names_the_successor)
{
	for (int way = 0; way < N_WAYS; way++) {
		char text[MESSAGE_MAX], id[HASH_ID_TEXT];
		struct run_rec r;
		struct rig g;

		begin(&g, "\"overlap\":\"latest\"");
		rig_start(&g, "d");
		come(&g, (enum way)way);
		come(&g, (enum way)way);
		come(&g, (enum way)way);
		cr_assert_eq(rig_run_state(&g, 1), RUN_RUNNING, "%s", ways[way]);
		cr_assert_eq(rig_run_state(&g, 2), RUN_CANCELLED);
		cr_assert_eq(rig_run_state(&g, 3), RUN_CANCELLED);
		cr_assert_eq(rig_run_state(&g, 4), RUN_QUEUED);
		cr_assert_eq(run_get(&g.mem.view, 4, &r), 0);
		hash_to_base32(r.id, id);
		cr_assert_not_null(strstr(message(&g, 3, text), id), "%s", text);
		rig_drain(&g);
		cr_assert_eq(rig_run_state(&g, 1), RUN_SUCCEEDED);
		cr_assert_eq(rig_run_state(&g, 4), RUN_SUCCEEDED);
		rig_done(&g);
	}
	LEAK_CHECK();
}

/* Two ticks in one operation: the first has room, it is not the second's victim. */
Test(sched_overlap, latest_replaces_none_that_could_start)
{
	struct op op = {.kind = OP_DUE};
	struct rig g;

	rig_init(&g, 9);
	rig_dag(&g, "d", "a",
	    "{\"name\":\"t\",\"kind\":\"cron\",\"cron\":\"* * * * *\",\"zone\":\"UTC\"},"
	    "{\"name\":\"u\",\"kind\":\"cron\",\"cron\":\"* * * * *\",\"zone\":\"UTC\"}",
	    "\"overlap\":\"latest\"");
	op.u.due.limit = 100;
	g.now = RIG_T0 + 60 * US_PER_S;
	cr_assert_eq(rig_op(&g, &op), 0);
	cr_assert_eq(rig_run_state(&g, 1), RUN_RUNNING);
	cr_assert_eq(rig_run_state(&g, 2), RUN_QUEUED);
	rig_done(&g);
	LEAK_CHECK();
}

Test(sched_overlap, queue_keeps_them_all)
{
	struct rig g;

	begin(&g, NULL);
	for (int way = 0; way < N_WAYS; way++)
		come(&g, (enum way)way);
	cr_assert_eq(rig_runs(&g), 4);
	cr_assert_eq(rig_run_state(&g, 4), RUN_QUEUED);
	rig_drain(&g);
	for (uint64_t run = 1; run <= 4; run++)
		cr_assert_eq(rig_run_state(&g, run), RUN_SUCCEEDED);
	rig_done(&g);
	LEAK_CHECK();
}

/* ---- together with max_runs and at_once (sluice-dag(5)) ---- */

/* States of runs 1…: r running, q queued, c cancelled, x being cancelled; _ was not made. */
static void states(struct rig *g, char *out, size_t size)
{
	static const char letters[] = "rqsfc";
	static const enum run_state order[] = {
	    RUN_RUNNING, RUN_QUEUED, RUN_SUCCEEDED, RUN_FAILED, RUN_CANCELLED};
	uint64_t n = rig_runs(g);
	struct run_rec r;
	size_t k;

	cr_assert_lt(n, size);
	for (uint64_t run = 1; run <= n; run++) {
		cr_assert_eq(run_get(&g->mem.view, run, &r), 0);
		for (k = 0; order[k] != r.state;)
			k++;
		out[run - 1] = r.cancel && r.state == RUN_RUNNING ? 'x' : letters[k];
	}
	out[n] = 0;
}

static void are(struct rig *g, const char *want, const char *what)
{
	char is[64];

	states(g, is, sizeof(is));
	cr_assert_str_eq(is, want, "%s: %s, not %s", what, is, want);
}

Test(sched_overlap, with_several_runs_at_a_time)
{
	static const struct {
		const char *rule;
		const char *after[5]; /* 2, 3, 4, 5 and 6 runs were asked for; max_runs 2 */
		const char *ended;    /* then the oldest that runs ends */
	} cases[] = {
	    {"queue", {"rr", "rrq", "rrqq", "rrqqq", "rrqqqq"}, "srrqqq"},
	    {"skip", {"rr", "rr", "rr", "rr", "rr"}, "sr"},
	    {"cancel", {"rr", "xrq", "xxqq", "xxcqq", "xxccqq"}, "cxccrq"},
	    {"latest", {"rr", "rrq", "rrcq", "rrccq", "rrcccq"}, "srcccr"},
	};

	for (size_t i = 0; i < 4; i++) {
		char extra[64];
		struct rig g;

		snprintf(extra, sizeof(extra), "\"overlap\":\"%s\",\"max_runs\":2", cases[i].rule);
		begin(&g, extra);
		rig_start(&g, "d");
		for (int n = 0; n < 5; n++) {
			rig_start(&g, "d");
			are(&g, cases[i].after[n], cases[i].rule);
		}
		if (i == 2) {
			rig_answer(&g, 1, "a", OUTCOME_CANCELLED, "");
		} else {
			rig_ok(&g, 1, "a");
			rig_ok(&g, 1, "b");
		}
		are(&g, cases[i].ended, cases[i].rule);
		rig_drain(&g);
		rig_done(&g);
	}
	LEAK_CHECK();
}

/* Five missed instants that catchup makes up for. */
static void missed(struct rig *g, const char *rule, int max_runs, int at_once)
{
	struct op op = {.kind = OP_PAUSE};
	char extra[64], trigger[200];

	snprintf(extra, sizeof(extra), "\"overlap\":\"%s\",\"max_runs\":%d", rule, max_runs);
	snprintf(trigger, sizeof(trigger),
	    "{\"name\":\"t\",\"kind\":\"cron\",\"cron\":\"0 * * * *\",\"zone\":\"UTC\","
	    "\"catchup\":{\"keep\":\"all\",\"within_ms\":-1,\"at_once\":%d}}",
	    at_once);
	rig_init(g, 9);
	rig_dag(g, "d", "a", trigger, extra);
	op.u.pause.on = true;
	cr_assert_eq(rig_op(g, &op), 0);
	g->now = RIG_T0 + (5 * 3600 + 600) * US_PER_S;
	op.u.pause.on = false;
	cr_assert_eq(rig_op(g, &op), 0);
	for (int i = 0; i < 20; i++)
		rig_due(g, g->now + 2 * US_PER_MS);
}

/* The oldest attempt ends: well, or as it was asked to. */
static void end_oldest(struct rig *g)
{
	struct run_rec r;

	cr_assert_gt(g->jobs.n, 0);
	cr_assert_eq(run_get(&g->mem.view, g->jobs.v[0].run, &r), 0);
	rig_answer_at(
	    g, 0, r.cancel ? OUTCOME_CANCELLED : OUTCOME_OK, r.cancel ? "" : "{\"class\":\"ok\"}");
	for (int i = 0; i < 20; i++)
		rig_due(g, g->now + 2 * US_PER_MS);
}

Test(sched_overlap, with_what_catchup_makes_up_for)
{
	static const struct {
		const char *rule;
		int max_runs, at_once;
		const char *begin, *end;
	} cases[] = {
	    {"queue", 1, 1, "r", "sssss"},
	    {"queue", 1, 3, "rqq", "sssss"},
	    {"queue", 2, 3, "rrq", "sssss"},
	    {"queue", 3, 2, "rr", "sssss"},
	    /* one at a time: there is room for each */
	    {"skip", 1, 1, "r", "sssss"},
	    {"skip", 2, 2, "rr", "sssss"},
	    /* those behind the first are left out */
	    {"skip", 1, 3, "r", "s"},
	    {"skip", 2, 3, "rr", "ss"},
	    {"cancel", 1, 1, "r", "sssss"},
	    {"cancel", 2, 2, "rr", "sssss"},
	    {"cancel", 1, 3, "ccccr", "ccccs"},
	    {"latest", 1, 1, "r", "sssss"},
	    {"latest", 1, 3, "rcccq", "scccs"},
	    {"latest", 2, 3, "rrq", "sssss"},
	    {"latest", 2, 4, "rrccq", "ssccs"},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		char what[64];
		struct rig g;

		snprintf(what, sizeof(what), "%s, max_runs %d, at_once %d", cases[i].rule,
		    cases[i].max_runs, cases[i].at_once);
		missed(&g, cases[i].rule, cases[i].max_runs, cases[i].at_once);
		are(&g, cases[i].begin, what);
		while (g.jobs.n > 0)
			end_oldest(&g);
		are(&g, cases[i].end, what);
		rig_done(&g);
	}
	LEAK_CHECK();
}

Test(sched_queue_timeout, ends_what_waits_too_long)
{
	char text[MESSAGE_MAX];
	struct run_rec r;
	struct rig g;

	rig_init(&g, 9);
	rig_dag(&g, "d", "a", NULL, "\"queue_timeout_ms\":5000");
	rig_start(&g, "d");
	rig_start(&g, "d");
	rig_start(&g, "d");
	cr_assert_eq(run_get(&g.mem.view, 1, &r), 0);
	cr_assert_eq(r.queue_until, 0, "it has started");
	rig_due(&g, RIG_T0 + 4000 * US_PER_MS);
	rig_ok(&g, 1, "a");
	cr_assert_eq(rig_run_state(&g, 2), RUN_RUNNING);
	rig_due(&g, RIG_T0 + 5000 * US_PER_MS);
	cr_assert_eq(rig_run_state(&g, 2), RUN_RUNNING, "queue_timeout is not run_timeout");
	cr_assert_eq(rig_run_state(&g, 3), RUN_CANCELLED);
	cr_assert_str_eq(
	    message(&g, 3, text), "cancelled: it waited longer than queue_timeout (5 s)");
	cr_assert_eq(memview_count(&g.mem, TABLE_DUE), 0);
	rig_done(&g);
	LEAK_CHECK();
}

Test(sched_queue_timeout, holds_for_a_rerun_too)
{
	struct rig g;

	rig_init(&g, 9);
	rig_dag(&g, "d", "a", NULL, "\"queue_timeout_ms\":5000");
	rig_start(&g, "d");
	rig_drain(&g);
	rig_start(&g, "d");
	cr_assert_eq(rig_rerun(&g, 1, NULL), 0);
	cr_assert_eq(rig_run_state(&g, 1), RUN_QUEUED);
	rig_due(&g, RIG_T0 + 5000 * US_PER_MS);
	cr_assert_eq(rig_run_state(&g, 1), RUN_CANCELLED);
	rig_done(&g);
	LEAK_CHECK();
}
