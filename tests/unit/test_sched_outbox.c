/* The outbox: who is told of what, in the transaction that makes it so; one queue an endpoint;
 * tries, their delays and their end; late_after. */
#include "core/sched/table.h"
#include "leak.h"
#include "sched_rig.h"

#include "core/base/mem.h"

#include <criterion/criterion.h>
#include <string.h>

#define MINUTE (60 * US_PER_S)
#define HOUR (60 * MINUTE)
#define TOLD                                                                                       \
	"\"on_success\":[\"win\"],\"on_failure\":[\"ops\",\"boss\",\"ops\"],\"on_exit\":[\"ops\"," \
	"\"log\"]"

static struct endpoint_rec endpoint(struct rig *g, const char *name)
{
	struct endpoint_rec e = {.no = 0};

	if (endpoint_get(&g->mem.view, name, &e) != 0)
		memset(&e, 0, sizeof(e));
	return e;
}

/* The first message of an endpoint; data, where given, is owned by the caller. */
static struct outbox_rec head(struct rig *g, const char *name, char **ret_data)
{
	struct outbox_rec m;
	struct slice data;

	cr_assert_eq(outbox_head(&g->mem.view, endpoint(g, name).no, &m, &data), 0, "%s", name);
	if (ret_data != NULL)
		*ret_data = mem_strndup(data.p, data.n);
	return m;
}

static uint64_t waiting(struct rig *g, const char *name)
{
	return endpoint(g, name).waiting;
}

/* T5 of the first message of an endpoint. */
static void sent(struct rig *g, const char *name, bool ok, enum step_class class_, int64_t wish_ms)
{
	struct op op = {.kind = OP_SENT};

	op.u.sent.endpoint_no = endpoint(g, name).no;
	op.u.sent.seq = head(g, name, NULL).seq;
	op.u.sent.ok = ok;
	op.u.sent.class_ = class_;
	op.u.sent.retry_after_ms = wish_ms;
	op.u.sent.error = ok ? NULL : "it answered 500";
	cr_assert_eq(rig_op(g, &op), 0);
}

static size_t outbox_effects(const struct rig *g)
{
	size_t n = 0;

	for (size_t i = 0; i < g->fx.n; i++)
		n += g->fx.v[i].kind == EFFECT_OUTBOX;
	return n;
}

Test(sched_outbox, each_end_of_a_run_tells_whom_the_plan_names_once)
{
	static const struct {
		const char *what;
		uint64_t win, ops, boss, log;
		const char *type;
	} rows[] = {{"ok", 1, 1, 0, 1, "run.succeeded"}, {"fail", 0, 1, 1, 1, "run.failed"},
	    {"cancel", 0, 1, 0, 1, "run.cancelled"}, {"queued", 0, 1, 0, 1, "run.cancelled"},
	    {"timeout", 0, 1, 1, 1, "run.failed"}};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const char *what = rows[i].what;
		struct rig g;
		uint64_t run;

		rig_init(&g, 1);
		rig_dag(&g, "d", "a", "", TOLD ",\"run_timeout_ms\":1000");
		run = rig_start(&g, "d");
		if (str_eq(what, "queued"))
			run = rig_start(&g, "d"); /* max_runs is 1 */
		cr_assert_eq(waiting(&g, "ops"), 0);
		if (str_eq(what, "ok"))
			rig_ok(&g, run, "a");
		else if (str_eq(what, "fail"))
			rig_fail(&g, run, "a", "auth");
		else if (str_eq(what, "timeout"))
			rig_due(&g, g.now + 1001 * US_PER_MS);
		else
			rig_cancel(&g, run);
		if (!str_eq(what, "queued") && !run_state_ended(rig_run_state(&g, run)))
			rig_answer(&g, run, "a", OUTCOME_CANCELLED, "");
		cr_assert(run_state_ended(rig_run_state(&g, run)), "%s", what);
		cr_assert_eq(waiting(&g, "win"), rows[i].win, "%s", what);
		cr_assert_eq(waiting(&g, "ops"), rows[i].ops, "%s", what);
		cr_assert_eq(waiting(&g, "boss"), rows[i].boss, "%s", what);
		cr_assert_eq(waiting(&g, "log"), rows[i].log, "%s", what);
		cr_assert_str_eq(notice_name(head(&g, "ops", NULL).notice), rows[i].type);
		rig_done(&g);
	}
	LEAK_CHECK();
}

Test(sched_outbox, data_are_the_run_with_the_steps_that_failed)
{
	struct json *j = NULL;
	char *data;
	struct rig g;
	uint64_t run;

	rig_init(&g, 4);
	rig_dag(&g, "d", "a; b; c:a; f: each=3", "", TOLD);
	run = rig_start(&g, "d");
	rig_fail(&g, run, "a", "auth");
	rig_ok(&g, run, "b");
	rig_ok(&g, run, "f[1]");
	while (g.jobs.n > 0)
		rig_answer_at(
		    &g, 0, OUTCOME_FAILED, "{\"class\":\"data\",\"message\":\"row 7 is bad\"}");
	cr_assert_eq(rig_run_state(&g, run), RUN_FAILED);
	(void)head(&g, "boss", &data);
	cr_assert_eq(json_parse(data, strlen(data), 1 << 20, &j, NULL), 0);
	cr_assert_str_eq(json_get_str(j, "dag", ""), "d");
	cr_assert_str_eq(json_get_str(j, "state", ""), "failed");
	cr_assert(json_get(j, "ended_at") != NULL);
	/* a, the group f and its failed items; not b, and not c, which never ran */
	cr_assert_geq(json_len(json_get(j, "steps")), 3);
	cr_assert_str_eq(json_get_str(json_at(json_get(j, "steps"), 0), "class", ""), "auth");
	for (const struct json *s = json_first(json_get(j, "steps")); s != NULL; s = json_next(s)) {
		cr_assert_str_neq(json_get_str(s, "name", ""), "b");
		cr_assert_str_neq(json_get_str(s, "name", ""), "c");
	}
	cr_assert(strstr(data, "row 7 is bad") != NULL);
	json_free(j);
	mem_free(data);
	rig_done(&g);
	LEAK_CHECK();
}

Test(sched_outbox, one_message_of_an_endpoint_is_under_way_and_the_next_follows)
{
	struct outbox_rec first, again;
	struct rig g;

	rig_init(&g, 1);
	rig_dag(&g, "d", "a", "", "\"on_failure\":[\"ops\"]");
	for (int i = 0; i < 3; i++) {
		g.now += US_PER_S;
		rig_fail(&g, rig_start(&g, "d"), "a", "data");
	}
	cr_assert_eq(waiting(&g, "ops"), 3);
	rig_due(&g, g.now);
	cr_assert_eq(outbox_effects(&g), 1);
	first = head(&g, "ops", NULL);
	cr_assert(first.sending);
	rig_due(&g, g.now + MINUTE); /* it is out: nothing else is sent */
	cr_assert_eq(outbox_effects(&g), 0);
	sent(&g, "ops", true, CLASS_OK, 0);
	cr_assert_eq(waiting(&g, "ops"), 2);
	rig_due(&g, g.now);
	again = head(&g, "ops", NULL);
	cr_assert(again.seq > first.seq && again.sending);
	cr_assert(memcmp(first.id, again.id, sizeof(first.id)) != 0);
	cr_assert_eq(endpoint(&g, "ops").sent, 1);
	rig_done(&g);
	LEAK_CHECK();
}

Test(sched_outbox, a_dead_endpoint_delays_no_other)
{
	struct rig g;

	rig_init(&g, 1);
	rig_dag(&g, "d", "a", "", "\"on_failure\":[\"ops\",\"boss\"]");
	rig_fail(&g, rig_start(&g, "d"), "a", "data");
	rig_due(&g, g.now);
	cr_assert_eq(outbox_effects(&g), 2);
	sent(&g, "ops", false, CLASS_TRANSIENT, 0);
	sent(&g, "boss", true, CLASS_OK, 0);
	cr_assert_eq(waiting(&g, "ops"), 1);
	cr_assert_eq(waiting(&g, "boss"), 0);
	rig_done(&g);
	LEAK_CHECK();
}

Test(sched_outbox, tries_go_on_with_growing_delays_under_one_id_and_end_after_three_days)
{
	struct outbox_rec first, m;
	wall_us last = 0, next;
	uint32_t tries = 0;
	struct rig g;

	rig_init(&g, 1);
	rig_dag(&g, "d", "a", "", "\"on_failure\":[\"ops\"]");
	rig_fail(&g, rig_start(&g, "d"), "a", "data");
	first = head(&g, "ops", NULL);
	while (waiting(&g, "ops") > 0) {
		cr_assert_eq(sched_next_due(&g.mem.view, &next), 0);
		rig_due(&g, next);
		cr_assert_eq(outbox_effects(&g), 1);
		m = head(&g, "ops", NULL);
		cr_assert_eq(memcmp(m.id, first.id, sizeof(m.id)), 0);
		sent(&g, "ops", false, CLASS_TRANSIENT, 0);
		if (waiting(&g, "ops") == 0)
			break;
		m = head(&g, "ops", NULL);
		cr_assert_eq(m.tries, ++tries);
		cr_assert_str_eq(m.error, "it answered 500");
		cr_assert_geq(m.next_at - g.now, last);
		last = m.next_at - g.now;
		cr_assert(last >= 10 * US_PER_S && last <= HOUR);
	}
	cr_assert(g.r.gave_up);
	cr_assert_geq(g.now, RIG_T0 + 72 * HOUR);
	cr_assert_leq(g.now, RIG_T0 + 74 * HOUR);
	cr_assert_eq(last, HOUR);
	cr_assert_eq(endpoint(&g, "ops").given_up, 1);
	cr_assert_str_eq(endpoint(&g, "ops").error, "it answered 500");
	rig_done(&g);
	LEAK_CHECK();
}

Test(sched_outbox, what_the_receiver_says_counts)
{
	struct op gone = {.kind = OP_SENT};
	struct rig g;

	rig_init(&g, 1);
	rig_dag(&g, "d", "a", "", "\"on_failure\":[\"ops\"]");
	rig_fail(&g, rig_start(&g, "d"), "a", "data");
	rig_due(&g, g.now);
	sent(&g, "ops", false, CLASS_QUOTA, 600000); /* Retry-After: 600 */
	cr_assert_eq(head(&g, "ops", NULL).next_at, g.now + 600 * US_PER_S);
	rig_due(&g, g.now + 601 * US_PER_S);
	sent(&g, "ops", false, CLASS_QUOTA, INT64_MAX); /* not for ever */
	cr_assert_eq(head(&g, "ops", NULL).next_at, g.now + 24 * HOUR);
	rig_due(&g, g.now + 24 * HOUR);
	/* the message itself is refused: some tries, then the next one has its turn */
	for (int i = 0; i < 5 && waiting(&g, "ops") > 0; i++) {
		sent(&g, "ops", false, CLASS_DATA, 0);
		rig_due(&g, g.now + HOUR);
	}
	cr_assert_eq(endpoint(&g, "ops").given_up, 1);
	/* 410: at once */
	rig_fail(&g, rig_start(&g, "d"), "a", "data");
	rig_due(&g, g.now);
	gone.u.sent.endpoint_no = endpoint(&g, "ops").no;
	gone.u.sent.seq = head(&g, "ops", NULL).seq;
	gone.u.sent.gone = true;
	gone.u.sent.class_ = CLASS_CONFIG;
	cr_assert_eq(rig_op(&g, &gone), 0);
	cr_assert_eq(endpoint(&g, "ops").given_up, 2);
	/* said again (the daemon died before it knew that this was stored): nothing happens */
	cr_assert_eq(rig_op(&g, &gone), 0);
	cr_assert_eq(endpoint(&g, "ops").given_up, 2);
	rig_done(&g);
	LEAK_CHECK();
}

Test(sched_outbox, after_a_restart_what_was_out_is_sent_again_under_the_same_id)
{
	struct op poke = {.kind = OP_NOTIFY};
	struct outbox_rec before, after;
	struct rig g;

	rig_init(&g, 1);
	rig_dag(&g, "d", "a", "", "\"on_failure\":[\"ops\"]");
	rig_fail(&g, rig_start(&g, "d"), "a", "data");
	rig_due(&g, g.now);
	before = head(&g, "ops", NULL);
	cr_assert_eq(rig_op(&g, &poke), 0);
	rig_due(&g, g.now);
	cr_assert_eq(outbox_effects(&g), 1);
	after = head(&g, "ops", NULL);
	cr_assert_eq(memcmp(before.id, after.id, sizeof(before.id)), 0);
	cr_assert_eq(before.seq, after.seq);
	/* and also without one, once it is certain that nobody sends it any more */
	rig_due(&g, g.now + 301 * US_PER_S);
	cr_assert_eq(outbox_effects(&g), 1);
	rig_done(&g);
	LEAK_CHECK();
}

Test(sched_outbox, a_test_message_is_tried_once_and_pushes_what_waits)
{
	struct op test = {.kind = OP_NOTIFY};
	struct json *notify = NULL;
	struct rig g;

	rig_init(&g, 1);
	test.u.notify.endpoint = "ops";
	test.u.notify.actor = "kim";
	cr_assert_eq(rig_op(&g, &test), ERR_NOT_FOUND);
	cr_assert_eq(json_parse("{\"ops\":{}}", 10, 100, &notify, NULL), 0);
	g.conf.notify = notify;
	rig_dag(&g, "d", "a", "", "\"on_failure\":[\"ops\"]");
	rig_fail(&g, rig_start(&g, "d"), "a", "data");
	rig_due(&g, g.now);
	sent(&g, "ops", false, CLASS_TRANSIENT, 3600000);
	cr_assert_eq(rig_op(&g, &test), 0);
	cr_assert_eq(waiting(&g, "ops"), 2);
	rig_due(&g, g.now);
	cr_assert_eq(outbox_effects(&g), 1);
	sent(&g, "ops", true, CLASS_OK, 0);
	cr_assert_eq(head(&g, "ops", NULL).notice, NOTICE_TEST);
	rig_due(&g, g.now);
	sent(&g, "ops", false, CLASS_TRANSIENT, 0);
	cr_assert_eq(waiting(&g, "ops"), 0);
	cr_assert(g.r.gave_up);
	g.conf.notify = NULL;
	json_free(notify);
	rig_done(&g);
	LEAK_CHECK();
}

#define CRON "{\"name\":\"t\",\"kind\":\"cron\",\"cron\":\"0 * * * *\",\"zone\":\"UTC\"}"

Test(sched_outbox, a_run_that_does_not_start_in_time_is_late_once)
{
	struct run_rec r;
	struct rig g;
	uint64_t run;

	rig_init(&g, 1);
	rig_dag(&g, "d", "a", CRON, "\"late_after_ms\":600000," TOLD);
	run = rig_start(&g, "d"); /* holds max_runs */
	cr_assert_eq(run_get(&g.mem.view, run, &r), 0);
	cr_assert_eq(r.late_at, 0, "it started at once");
	rig_due(&g, RIG_T0 + HOUR + 5 * US_PER_S); /* the tick comes a little late */
	cr_assert_eq(run_get(&g.mem.view, run + 1, &r), 0);
	cr_assert_eq(r.state, RUN_QUEUED);
	cr_assert_eq(r.late_at, RIG_T0 + HOUR + 10 * MINUTE, "from the logical time");
	rig_due(&g, RIG_T0 + HOUR + 10 * MINUTE);
	cr_assert_eq(run_get(&g.mem.view, run + 1, &r), 0);
	cr_assert(r.late && r.late_at == 0 && r.state == RUN_QUEUED);
	cr_assert_eq(head(&g, "ops", NULL).notice, NOTICE_LATE);
	cr_assert_eq(waiting(&g, "boss"), 1);
	cr_assert_eq(waiting(&g, "log"), 0, "on_exit is of ends");
	rig_due(&g, RIG_T0 + HOUR + 40 * MINUTE);
	cr_assert_eq(waiting(&g, "boss"), 1, "told once");
	/* one that starts in time is not late */
	rig_cancel(&g, run + 1);
	rig_start(&g, "d");
	rig_ok(&g, run, "a");
	cr_assert_eq(run_get(&g.mem.view, run + 2, &r), 0);
	cr_assert(r.state == RUN_RUNNING && r.late_at == 0 && !r.late);
	rig_done(&g);
	LEAK_CHECK();
}

Test(sched_outbox, a_queue_has_an_end)
{
	struct endpoint_rec e;
	struct rig g;

	rig_init(&g, 1);
	rig_dag(&g, "d", "a", "", "\"on_failure\":[\"ops\"]");
	rig_fail(&g, rig_start(&g, "d"), "a", "data");
	e = endpoint(&g, "ops");
	e.waiting = 10000;
	cr_assert_eq(endpoint_put(&g.mem.view, &e), 0);
	g.no_check = true;
	rig_fail(&g, rig_start(&g, "d"), "a", "data");
	e = endpoint(&g, "ops");
	cr_assert_eq(e.waiting, 10000);
	cr_assert_eq(e.given_up, 1);
	cr_assert(strstr(e.error, "dropped") != NULL);
	rig_done(&g);
	LEAK_CHECK();
}
