/* What a worker reports and what a hook sends, against a store in memory. Promises: each operation
 * can be stored whatever it says (one that cannot would be told again for ever, or hold up what is
 * due), and the store is whole afterwards. Records as bytes: decoders read what is there. */
#include "core/base/mem.h"
#include "core/sched/check.h"
#include "core/sched/codec.h"
#include "core/sched/op.h"
#include "core/sched/table.h"
#include "tests/fuzz/fuzz.h"
#include "tests/unit/memview.h"

#include <stdio.h>
#include <string.h>

#define POOL 7u
#define T0 INT64_C(1763683200000000) /* 2025-11-21T00:00:00Z */
#define ROUNDS 12
#define STEP(name, needs, more)                                                                    \
	"{\"name\":\"" name "\",\"kind\":\"task\",\"needs\":[" needs                               \
	"],\"retry\":{\"attempts\":3,\"delay_ms\":1000,\"backoff\":2,\"jitter\":0,"                \
	"\"max_delay_ms\":60000},\"timeout_ms\":-1" more "}"

/* One that is told by a hook, hands a list on and publishes; one that follows what it publishes. */
static const char first[] =
    "{\"v\":1,\"dag\":\"first\",\"timezone\":\"UTC\",\"params\":[{\"name\":\"p\",\"type\":"
    "\"any\"}],\"triggers\":[{\"name\":\"h\",\"kind\":\"webhook\",\"hook\":\"in\",\"key\":"
    "\"${event.body.k}\",\"on_same_key\":\"rerun\",\"params\":{\"p\":\"${event.body}\"}},"
    "{\"name\":\"i\",\"kind\":\"webhook\",\"hook\":\"in\",\"where\":\"${event.body.w}\"}],"
    "\"max_runs\":4,\"steps\":[" STEP("a", "", "") "," STEP("f", "{\"step\":0}",
	",\"foreach\":{\"in\":\"${steps.a.outputs.list}\",\"as\":\"i\",\"key\":\"${i.k}\","
	"\"max_parallel\":0,\"tolerate\":1}") "]}";
static const char second[] =
    "{\"v\":1,\"dag\":\"second\",\"timezone\":\"UTC\",\"triggers\":[{\"name\":\"d\",\"kind\":"
    "\"datasets\",\"datasets\":{\"rule\":\"all\",\"n\":0,\"members\":[{\"name\":\"lake/x\"}]},"
    "\"join\":\"day\"},{\"name\":\"e\",\"kind\":\"datasets\",\"datasets\":{\"rule\":\"any\","
    "\"n\":0,\"members\":[{\"name\":\"lake/x\"}]},\"key\":\"${partition}\"}],"
    "\"steps\":[" STEP("a", "", "") "]}";

struct bed {
	struct memview mem;
	struct sched_env env;
	struct conf conf;
	wall_us now;
	effect_vec fx;
	VEC(struct effect) jobs;
};

static void apply(struct bed *b, const struct op *op)
{
	struct op_result r;

	VEC_CLEAR(&b->fx);
	memview_begin(&b->mem);
	FUZZ_DEMAND(sched_apply(&b->mem.view, &b->env, op, b->now, &r, &b->fx) == 0);
	FUZZ_DEMAND(sched_dispatch(&b->mem.view, &b->env, b->now, &b->fx) == 0);
	for (size_t i = 0; i < b->fx.n; i++) {
		if (b->fx.v[i].kind == EFFECT_JOB)
			VEC_ADD(&b->jobs, b->fx.v[i]);
	}
}

static void take_plan(struct bed *b, const char *path, const char *plan)
{
	struct op_file f = {.path = path, .report = "{}", .plan = plan, .plan_n = strlen(plan)};
	struct op op = {.kind = OP_PLANS};

	op.u.plans.files = &f;
	op.u.plans.n_files = 1;
	apply(b, &op);
}

static void begin(struct bed *b)
{
	static const uint8_t uuid[16] = {1};
	struct op op = {.kind = OP_POOL_UP};

	memset(b, 0, sizeof(*b));
	memview_init(&b->mem);
	b->now = T0;
	b->conf.workers = 4;
	b->conf.retain_runs_ms = b->conf.retain_events_ms = 1000;
	b->env.conf = &b->conf;
	b->env.random = 1;
	FUZZ_DEMAND(sched_format(&b->mem.view, uuid, b->now) == 0);
	op.u.pool_up.instance = POOL;
	op.u.pool_up.gen = 1;
	apply(b, &op);
	take_plan(b, "first.yaml", first);
	take_plan(b, "second.yaml", second);
}

static void on_problem(void *arg, const char *text)
{
	(void)arg;
	fprintf(stderr, "check_store: %s\n", text);
	abort();
}

static void end(struct bed *b)
{
	struct op op = {.kind = OP_PRUNE};

	FUZZ_DEMAND(check_store(&b->mem.view, on_problem, NULL) == 0);
	b->now += 100 * US_PER_S;
	op.u.prune.limit = 500;
	apply(b, &op);
	FUZZ_DEMAND(check_store(&b->mem.view, on_problem, NULL) == 0);
	VEC_DONE(&b->fx);
	VEC_DONE(&b->jobs);
	memview_done(&b->mem);
}

static void send_event(struct bed *b, const struct json *body)
{
	struct op op = {.kind = OP_EVENT};

	op.u.event.hook = "in";
	op.u.event.source = "hook:in";
	op.u.event.external_id = op.u.event.type = op.u.event.subject = "";
	op.u.event.time = b->now;
	op.u.event.body = body;
	apply(b, &op);
}

static void due(struct bed *b)
{
	struct op op = {.kind = OP_DUE};

	b->now += 60 * US_PER_S;
	op.u.due.limit = 256;
	apply(b, &op);
}

/* Every job is answered with the same report, with a success on the way and a failure behind it. */
static void answer_all(struct bed *b, const char *report, size_t n)
{
	for (int i = 0; i < ROUNDS && b->jobs.n > 0; i++) {
		struct effect e = b->jobs.v[--b->jobs.n];
		struct op op = {.kind = OP_OUTCOME};

		op.u.outcome.step = e.step;
		op.u.outcome.token = e.token;
		op.u.outcome.instance = e.instance;
		op.u.outcome.code = i % 3 == 2 ? OUTCOME_FAILED : OUTCOME_OK;
		op.u.outcome.report = report;
		op.u.outcome.report_n = n;
		apply(b, &op);
		if (b->jobs.n == 0)
			due(b);
	}
}

static void start(struct bed *b)
{
	struct op op = {.kind = OP_START};

	op.u.start.dag = "first";
	op.u.start.at = TIME_NONE;
	op.u.start.actor = "fuzz";
	apply(b, &op);
}

static void try_records(const uint8_t *p, size_t n)
{
	struct slice s = {p, n}, rest;
	union {
		struct run_rec run;
		struct step_rec step;
		struct event_rec event;
		struct sched_rec schedule;
		struct outbox_rec outbox;
		struct endpoint_rec endpoint;
		struct backfill_rec backfill;
		struct audit_rec audit;
		struct join_rec join;
		struct token_rec token;
		struct version_rec version;
	} u;
	struct due_key key;
	uint8_t again[RECORD_MAX];

	if (run_decode(s, &u.run, &rest) == 0)
		FUZZ_DEMAND(run_encode(&u.run, again) <= RECORD_MAX && rest.n <= n);
	if (step_decode(s, &u.step, &rest) == 0)
		FUZZ_DEMAND(step_encode(&u.step, again) <= RECORD_MAX);
	if (event_decode(s, &u.event, &rest) == 0)
		FUZZ_DEMAND(event_encode(&u.event, again) <= RECORD_MAX);
	if (schedule_decode(s, &u.schedule, &rest) == 0)
		FUZZ_DEMAND(schedule_encode(&u.schedule, again) <= RECORD_MAX);
	if (outbox_decode(s, &u.outbox, &rest) == 0)
		FUZZ_DEMAND(outbox_encode(&u.outbox, again) <= RECORD_MAX);
	if (endpoint_decode(s, &u.endpoint, &rest) == 0)
		FUZZ_DEMAND(endpoint_encode(&u.endpoint, again) <= RECORD_MAX);
	if (backfill_decode(s, &u.backfill, &rest) == 0)
		FUZZ_DEMAND(backfill_encode(&u.backfill, again) <= RECORD_MAX);
	if (audit_decode(s, &u.audit, &rest) == 0)
		FUZZ_DEMAND(audit_encode(&u.audit, again) <= RECORD_MAX);
	if (join_decode(s, &u.join, &rest) == 0)
		FUZZ_DEMAND(join_encode(&u.join, again) <= RECORD_MAX);
	if (token_decode(s, &u.token, &rest) == 0)
		FUZZ_DEMAND(token_encode(&u.token, again) <= RECORD_MAX);
	if (version_decode(s, &u.version, &rest) == 0)
		FUZZ_DEMAND(version_encode(&u.version, again) <= RECORD_MAX);
	if (key_parse_due(s, &key) == 0)
		FUZZ_DEMAND(strlen(key.trigger) < PLAN_NAME_MAX);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct json *body = NULL;
	struct bed b;

	if (n > 65536)
		return 0;
	try_records(data, n);
	begin(&b);
	if (json_parse((const char *)data, n, 65536, &body, NULL) == 0) {
		send_event(&b, body);
		send_event(&b, body);
	}
	start(&b);
	answer_all(&b, (const char *)data, n);
	json_free(body);
	end(&b);
	return 0;
}
