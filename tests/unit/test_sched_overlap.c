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
