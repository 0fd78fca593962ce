/* Random DAGs, outcomes, kills, cancels, reruns and restarts; after each operation check_store (in
 * the rig) and, at the end, that every run has ended. A seed reproduces a case. The planted bugs at
 * the bottom prove that the checks can fail. */
#include "core/sched/table.h"
#include "core/sched/why.h"
#include "leak.h"
#include "sched_rig.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct chance {
	uint64_t state;
};

static uint32_t roll(struct chance *c, uint32_t n)
{
	c->state ^= c->state << 13;
	c->state ^= c->state >> 7;
	c->state ^= c->state << 17;
	return (uint32_t)((c->state >> 11) % n);
}

static bool one_in(struct chance *c, uint32_t n)
{
	return roll(c, n) == 0;
}

/* ---- random DAGs ---- */

static void random_step(struct chance *c, size_t i, struct str *out)
{
	static const char *const when[] = {"all_success", "one_success", "all_done", "one_failed"};
	static bool groups[64]; /* of the steps of this DAG so far */
	bool first = true, group = one_in(c, 4);

	groups[i] = group;
	str_addf(out, "%ss%zu", i > 0 ? ";" : "", i);
	for (size_t k = 0; k < i; k++) {
		if (!one_in(c, 4))
			continue;
		str_addf(out, "%c%ss%zu", first ? ':' : ',',
		    group && groups[k] && one_in(c, 2) ? "=" : "", k);
		first = false;
	}
	if (!first && one_in(c, 3))
		str_addf(out, " when=%s", when[roll(c, 4)]);
	if (group)
		str_addf(out, " each=%u par=%u tol=%u", one_in(c, 2) ? 4 : roll(c, 5), roll(c, 3),
		    roll(c, 2));
	if (one_in(c, 4))
		str_addf(out, " pool=%s", one_in(c, 2) ? "db" : "one");
	if (one_in(c, 3))
		str_addf(out, " retry=%u delay=%u", 1 + roll(c, 3), roll(c, 2) * 1000);
	if (one_in(c, 6))
		str_add(out, " allow");
	if (one_in(c, 6))
		str_add(out, " only");
	if (one_in(c, 6))
		str_add(out, " lostfails");
	if (one_in(c, 4))
		str_addf(out, " prio=%u", roll(c, 3));
}

/* d0 publishes lake/0, d1 may follow it and publishes lake/1, d2 may follow both. */
static void random_triggers(struct chance *c, uint32_t dag, struct str *out)
{
	static const char *const rules[] = {"any", "all", "at_least"};

	str_addf(out, "{\"name\":\"h\",\"kind\":\"webhook\",\"hook\":\"in\"%s%s}",
	    one_in(c, 2) ? ",\"key\":\"${event.body.k}\"" : "",
	    one_in(c, 2) ? ",\"on_same_key\":\"rerun\"" : "");
	if (one_in(c, 2))
		str_add(out,
		    ",{\"name\":\"t\",\"kind\":\"cron\",\"cron\":\"* * * * *\",\"zone\":\"UTC\"}");
	if (dag == 0 || one_in(c, 3))
		return;
	str_addf(out,
	    ",{\"name\":\"r\",\"kind\":\"datasets\"%s,\"datasets\":{\"rule\":\"%s\",\"n\":1,"
	    "\"members\":[",
	    one_in(c, 3) ? ",\"join\":\"day\"" : "", rules[roll(c, 3)]);
	for (uint32_t i = 0; i < dag; i++)
		str_addf(out, "%s{\"name\":\"lake/%u\"}", i > 0 ? "," : "", i);
	str_add(out, "]}}");
}

static void random_dag(struct chance *c, struct rig *g, uint32_t dag)
{
	static const char *const overlaps[] = {"queue", "skip", "cancel", "latest"};
	size_t n = 1 + roll(c, one_in(c, 3) ? 20 : 6);
	char extra[160], name[16];
	struct str steps, triggers;

	str_init(&steps, 65536);
	str_init(&triggers, 65536);
	for (size_t i = 0; i < n; i++)
		random_step(c, i, &steps);
	random_triggers(c, dag, &triggers);
	snprintf(extra, sizeof(extra), "\"max_runs\":%u,\"overlap\":\"%s\"%s%s", 1 + roll(c, 3),
	    overlaps[one_in(c, 2) ? 0 : roll(c, 4)], one_in(c, 5) ? ",\"run_timeout_ms\":5000" : "",
	    one_in(c, 5) ? ",\"queue_timeout_ms\":4000" : "");
	snprintf(name, sizeof(name), "d%u", dag);
	rig_dag(g, name, str_peek(&steps), str_peek(&triggers), extra);
	str_done(&steps);
	str_done(&triggers);
}

static void change_files(struct chance *c, struct rig *g)
{
	struct op_file f = {.path = "d1.yaml", .gone = true};
	struct op op = {.kind = OP_PLANS};

	if (one_in(c, 2)) {
		random_dag(c, g, roll(c, 3));
		return;
	}
	if (one_in(c, 2)) {
		rig_file(g, "d2.yaml", NULL);
		return;
	}
	op.u.plans.files = &f;
	op.u.plans.n_files = 1;
	cr_assert_eq(rig_op(g, &op), 0);
}

/* ---- random actions ---- */

static void answer_ok(struct chance *c, struct rig *g, size_t job)
{
	char report[256];
	struct run_rec r;

	cr_assert_eq(run_get(&g->mem.view, g->jobs.v[job].run, &r), 0);
	if (one_in(c, 3)) {
		rig_answer_at(g, job, OUTCOME_OK, "{\"class\":\"ok\",\"outputs\":{\"n\":1}}");
		return;
	}
	snprintf(report, sizeof(report),
	    "{\"class\":\"ok\",\"datasets\":[{\"name\":\"lake/"
	    "%c\",\"partition\":\"%s\",\"changed\":%s}],"
	    "\"positions\":{\"lake/0\":%u}}",
	    r.dag[1],
	    one_in(c, 2)   ? ""
	    : one_in(c, 2) ? "day=2025-11-20"
			   : "day=2025-11-21",
	    one_in(c, 4) ? "false" : "true", roll(c, 9));
	rig_answer_at(g, job, OUTCOME_OK, report);
}

static void send_event(struct chance *c, struct rig *g)
{
	struct op op = {.kind = OP_EVENT};
	char id[16], text[32];
	struct json *body;

	snprintf(id, sizeof(id), "%u", roll(c, 20));
	snprintf(text, sizeof(text), "{\"k\":\"%u\"}", roll(c, 4));
	cr_assert_eq(json_parse(text, strlen(text), 100, &body, NULL), 0);
	op.u.event.hook = "in";
	op.u.event.source = "hook:in";
	op.u.event.external_id = id;
	op.u.event.type = op.u.event.subject = "";
	op.u.event.time = g->now;
	op.u.event.body = body;
	cr_assert_eq(rig_op(g, &op), 0);
	json_free(body);
}

static void answer(struct chance *c, struct rig *g)
{
	static const char *const reports[] = {"", "{\"class\":\"transient\",\"message\":\"x\"}",
	    "{\"class\":\"data\"}", "{\"class\":\"quota\",\"retry_after_ms\":3000}", "{nonsense"};
	uint32_t kind = roll(c, 10);
	size_t job;

	if (g->jobs.n == 0)
		return;
	job = roll(c, (uint32_t)g->jobs.n);
	if (kind < 6)
		answer_ok(c, g, job);
	else if (kind < 8)
		rig_answer_at(g, job, OUTCOME_FAILED, reports[roll(c, 5)]);
	else if (kind == 8)
		rig_answer_at(g, job, OUTCOME_LOST, "");
	else
		rig_answer_at(g, job, one_in(c, 2) ? OUTCOME_DEADLINE : OUTCOME_CANCELLED, "");
}

static void stale_answer(struct chance *c, struct rig *g)
{
	struct op op = {.kind = OP_OUTCOME};
	uint8_t before[HASH_SHA256_BYTES], after[HASH_SHA256_BYTES];

	if (g->jobs.n == 0)
		return;
	op.u.outcome.step = g->jobs.v[roll(c, (uint32_t)g->jobs.n)];
	op.u.outcome.token = 1 + roll(c, 5);
	op.u.outcome.instance = RIG_POOL;
	op.u.outcome.code = OUTCOME_OK;
	op.u.outcome.report = "{}";
	op.u.outcome.report_n = 2;
	memview_sum(&g->mem, before);
	cr_assert_eq(rig_op(g, &op), 0);
	memview_sum(&g->mem, after);
	cr_assert_arr_eq(before, after, sizeof(before), "a stale outcome changed the store");
	cr_assert(rig_effect(g, EFFECT_ACK));
}

static void unlease(struct chance *c, struct rig *g)
{
	struct op op = {.kind = OP_UNLEASE};
	size_t job;

	if (g->jobs.n == 0)
		return;
	job = roll(c, (uint32_t)g->jobs.n);
	op.u.unlease.step = g->jobs.v[job];
	op.u.unlease.token = g->tokens.v[job];
	g->jobs.v[job] = g->jobs.v[--g->jobs.n];
	g->tokens.v[job] = g->tokens.v[--g->tokens.n];
	cr_assert_eq(rig_op(g, &op), 0);
}

/* The pool dies, or the daemon restarts: some attempts are listed at END, some never began. */
static void pool_trouble(struct chance *c, struct rig *g)
{
	struct op op = {.kind = OP_POOL_GONE};
	struct sched_env fresh = {.conf = &g->conf, .random = g->env.random};
	size_t keep = 0;

	if (one_in(c, 2)) {
		op.u.pool_gone.instance = RIG_POOL;
		op.u.pool_gone.clean = one_in(c, 2);
		VEC_CLEAR(&g->jobs);
		VEC_CLEAR(&g->tokens);
		cr_assert_eq(rig_op(g, &op), 0);
		cr_assert_eq(memview_count(&g->mem, TABLE_RUNNING), 0);
		rig_pool_up(g, 2, NULL, NULL, 0);
		return;
	}
	g->env = fresh;
	for (size_t i = 0; i < g->jobs.n; i++) {
		if (one_in(c, 3))
			continue;
		g->jobs.v[keep] = g->jobs.v[i];
		g->tokens.v[keep++] = g->tokens.v[i];
	}
	g->jobs.n = g->tokens.n = keep;
	{
		struct step_ref *seen = mem_calloc(keep + 1, sizeof(*seen));
		uint64_t *tokens = mem_calloc(keep + 1, sizeof(*tokens));

		for (size_t i = 0; i < keep; i++) {
			seen[i] = g->jobs.v[i];
			tokens[i] = g->tokens.v[i];
		}
		rig_pool_up(g, 3, seen, tokens, keep);
		mem_free(seen);
		mem_free(tokens);
	}
}

/* Numbers given away so far; retention may have dropped some of the runs. */
static uint64_t last_run(struct rig *g)
{
	uint64_t n;

	return meta_get(&g->mem.view, META_NEXT_RUN, &n) == 0 ? n - 1 : 0;
}

static bool run_is_there(struct rig *g, uint64_t run)
{
	struct run_rec r;

	return run_get(&g->mem.view, run, &r) == 0;
}

static uint64_t random_run(struct chance *c, struct rig *g)
{
	uint64_t n = last_run(g), run = n == 0 ? 0 : 1 + roll(c, (uint32_t)n);

	return run_is_there(g, run) ? run : 0;
}

static bool prune(struct rig *g, uint32_t limit)
{
	struct op op = {.kind = OP_PRUNE};

	op.u.prune.limit = limit;
	cr_assert_eq(rig_op(g, &op), 0);
	return g->r.same == 1;
}

static void prune_some(struct chance *c, struct rig *g)
{
	g->conf.retain_runs_ms = roll(c, 4) * 2000;
	g->conf.retain_events_ms = roll(c, 4) * 2000;
	for (uint32_t i = roll(c, 6); i > 0; i--)
		(void)prune(g, one_in(c, 2) ? 1 + roll(c, 9) : 500);
}

/* Nothing is left of what has ended but the identities of runs whose cause may come again. */
static void prune_all(struct rig *g)
{
	static const enum table gone[] = {TABLE_RUN, TABLE_RUN_DOC, TABLE_RUN_DAG, TABLE_RUN_STATE,
	    TABLE_RUN_KEY, TABLE_STEP, TABLE_STEP_DOC, TABLE_ITEM, TABLE_EVENT, TABLE_EVENT_STATE,
	    TABLE_DEDUPE};

	g->conf.retain_runs_ms = g->conf.retain_events_ms = 0;
	g->now += INT64_C(8) * 86400 * US_PER_S; /* ids of events are kept for a week */
	for (int cycle = 0, i = 0; cycle < 2 && i < 100000; i++)
		cycle += prune(g, 7); /* the first began before */
	for (size_t i = 0; i < sizeof(gone) / sizeof(gone[0]); i++)
		cr_assert_eq(memview_count(&g->mem, gone[i]), 0, "table %s is not empty",
		    table_name(gone[i]));
}

static void act_on_run(struct chance *c, struct rig *g)
{
	static const char *const states[] = {"succeeded", "skipped", "failed"};
	struct op op = {.kind = OP_CANCEL};
	uint64_t run = random_run(c, g);
	struct run_rec r;
	char step[16];

	if (run == 0)
		return;
	cr_assert_eq(run_get(&g->mem.view, run, &r), 0);
	if (one_in(c, 3)) {
		op.kind = OP_RERUN;
		op.u.rerun.run = run;
		op.u.rerun.failed = one_in(c, 2);
		op.u.rerun.latest = one_in(c, 3);
		op.u.rerun.downstream = one_in(c, 3) ? "each" : one_in(c, 3) ? "none" : NULL;
	} else if (one_in(c, 3)) {
		op.kind = OP_MARK;
		snprintf(step, sizeof(step), "s%u", roll(c, 6));
		op.u.mark.run = run;
		op.u.mark.step = step;
		op.u.mark.item = one_in(c, 3) ? "2" : NULL;
		op.u.mark.state = states[roll(c, 3)];
	} else if (one_in(c, 3)) {
		op.u.cancel.run = run;
	} else {
		return;
	}
	(void)rig_op(g, &op);
}

static void rerun_step(struct chance *c, struct rig *g)
{
	struct op op = {.kind = OP_RERUN};
	uint64_t run = random_run(c, g);
	char name[24];
	const char *names[1] = {name};

	if (run == 0)
		return;
	snprintf(name, sizeof(name), one_in(c, 4) ? "s%u[1]" : "s%u", roll(c, 6));
	op.u.rerun.run = run;
	op.u.rerun.steps = names;
	op.u.rerun.n_steps = 1;
	(void)rig_op(g, &op);
}

static void pause_some(struct chance *c, struct rig *g)
{
	struct op op = {.kind = OP_PAUSE};

	op.u.pause.dag = one_in(c, 2) ? "d0" : NULL;
	op.u.pause.on = one_in(c, 2);
	cr_assert_eq(rig_op(g, &op), 0);
}

static void act(struct chance *c, struct rig *g)
{
	uint32_t kind = roll(c, 28);
	struct op op = {.kind = OP_CONF};
	char dag[16];

	if (one_in(c, 15))
		prune_some(c, g);
	if (kind < 10) {
		answer(c, g);
	} else if (kind < 13) {
		snprintf(dag, sizeof(dag), "d%u", roll(c, 3));
		(void)rig_start(g, dag);
	} else if (kind < 16) {
		rig_due(g, g->now + roll(c, 3000) * US_PER_MS);
	} else if (kind < 18) {
		unlease(c, g);
	} else if (kind < 20) {
		act_on_run(c, g);
	} else if (kind == 20) {
		if (one_in(c, 3))
			pool_trouble(c, g);
	} else if (kind == 21) {
		rerun_step(c, g);
	} else if (kind == 22) {
		stale_answer(c, g);
	} else if (kind == 23 || kind == 24) {
		send_event(c, g);
	} else if (kind == 25) {
		change_files(c, g);
	} else if (one_in(c, 3)) {
		pause_some(c, g);
	} else {
		g->pools[0].size = 1 + roll(c, 3);
		cr_assert_eq(rig_op(g, &op), 0);
	}
}

static void explain(struct rig *g, uint64_t run)
{
	struct str text;
	struct jw w;

	str_init(&text, 1u << 20);
	jw_init(&w, &text);
	if (why_run(&g->mem.view, &g->env, run, NULL, NULL, g->now, &w, NULL) == 0)
		fprintf(stderr, "%s\n", str_peek(&text));
	str_done(&text);
}

/* Lets everything come to its end, and demands that it does. */
static void settle(struct rig *g)
{
	struct op op = {.kind = OP_PAUSE};
	struct op none = {.kind = OP_PLANS};
	wall_us next;

	none.u.plans.complete = true; /* no file any more: no schedule starts a run */
	cr_assert_eq(rig_op(g, &none), 0);
	cr_assert_eq(rig_op(g, &op), 0);
	for (int i = 0; i < 3; i++) {
		char dag[16];

		snprintf(dag, sizeof(dag), "d%d", i);
		op.u.pause.dag = dag;
		(void)rig_op(g, &op); /* retention may have dropped it */
	}
	for (int i = 0; i < 100000; i++) {
		rig_drain(g);
		cr_assert_eq(sched_next_due(&g->mem.view, &next), 0);
		if (next == TIME_NONE)
			break;
		rig_due(g, next);
	}
	for (uint64_t run = 1; run <= last_run(g); run++) {
		if (!run_is_there(g, run))
			continue;
		if (!run_state_ended(rig_run_state(g, run)))
			explain(g, run);
		cr_assert(run_state_ended(rig_run_state(g, run)), "run %llu has not ended",
		    (unsigned long long)run);
	}
	cr_assert_eq(memview_count(&g->mem, TABLE_READY), 0);
	cr_assert_eq(memview_count(&g->mem, TABLE_BLOCKED), 0);
	cr_assert_eq(memview_count(&g->mem, TABLE_RUNNING), 0);
	cr_assert_eq(memview_count(&g->mem, TABLE_DUE), 0);
	cr_assert_eq(memview_count(&g->mem, TABLE_COUNT), 0);
}

static void one_case(uint64_t seed, int actions)
{
	struct chance c = {seed * UINT64_C(0x9e3779b97f4a7c15) + 1};
	struct rig g;

	rig_init(&g, 1 + roll(&c, 4));
	for (uint32_t i = 0; i < 3; i++)
		random_dag(&c, &g, i);
	for (int i = 0; i < actions; i++)
		act(&c, &g);
	settle(&g);
	prune_all(&g);
	rig_done(&g);
}

Test(sched_random, invariants_hold_and_every_run_ends, .timeout = 300)
{
	const char *one = getenv("SLUICE_SEED"), *many = getenv("SLUICE_SEEDS");
	uint64_t seed = 0, n = 60;

	if (one != NULL && str_to_u64(one, &seed) == 0)
		one_case(seed, 300);
	if (many != NULL)
		cr_assert_eq(str_to_u64(many, &n), 0);
	for (uint64_t i = 1; one == NULL && i <= n; i++) {
		if (many != NULL)
			fprintf(stderr, "seed %llu\n", (unsigned long long)i);
		one_case(i, 150);
	}
	LEAK_CHECK();
}
