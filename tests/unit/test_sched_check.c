/* check_store finds what it is for: every kind of index entry that is too few or too many, every
 * count that is off; and a scheduler that forgets one kind of write is caught (planted bugs). A
 * full store undoes an operation whole. */
#include "core/sched/codec.h"
#include "core/sched/table.h"
#include "leak.h"
#include "sched_rig.h"

#include <criterion/criterion.h>
#include <string.h>

static void count_problem(void *arg, const char *text)
{
	(void)text;
	++*(int *)arg;
}

static int problems(struct rig *g)
{
	int n = 0, rc = check_store(&g->mem.view, count_problem, &n);

	return rc == ERR_CORRUPT ? n + 1 : n;
}

#define TRIGGERS                                                                                   \
	"{\"name\":\"c\",\"kind\":\"cron\",\"cron\":\"0 0 * * *\",\"zone\":\"UTC\"},"              \
	"{\"name\":\"h\",\"kind\":\"webhook\",\"hook\":\"in\"},"                                   \
	"{\"name\":\"r\",\"kind\":\"datasets\",\"datasets\":{\"rule\":\"all\",\"members\":"        \
	"[{\"name\":\"lake/x\"},{\"name\":\"lake/y\"}]}}"

/* A store with something in every table that is checked. */
static void rich(struct rig *g)
{
	struct op op = {.kind = OP_TOKEN_ADD};

	rig_init(g, 3);
	rig_dag(g, "d", "a;b pool=one;c pool=one;f:a each=2;r retry=3 delay=9000;z:r", TRIGGERS,
	    "\"max_runs\":2,\"run_timeout_ms\":900000");
	rig_start(g, "d");
	rig_start(g, "d");
	rig_start(g, "d");
	rig_answer(g, 1, "a", OUTCOME_OK,
	    "{\"class\":\"ok\",\"datasets\":[{\"name\":\"lake/"
	    "x\",\"partition\":\"day=2025-11-21\"}]}");
	rig_due(g, g->now + 1000);
	rig_pool_up(g, 2, g->jobs.v, g->tokens.v, g->jobs.n);
	for (size_t i = 0; i < g->jobs.n; i++) {
		if (g->jobs.v[i].step == 4) {
			rig_answer_at(g, i, OUTCOME_FAILED, "{\"class\":\"transient\"}");
			break;
		}
	}
	str_copy(op.u.token_add.rec.name, PLAN_NAME_MAX, "ci");
	cr_assert_eq(rig_op(g, &op), 0);
}

static const enum table checked[] = {TABLE_DAG_NAME, TABLE_EVENT_STATE, TABLE_RUN_ID, TABLE_RUN_DAG,
    TABLE_RUN_STATE, TABLE_RUN_KEY, TABLE_RUN_QUEUE, TABLE_STEP, TABLE_ITEM, TABLE_READY,
    TABLE_BLOCKED, TABLE_RUNNING, TABLE_DUE, TABLE_SCHED, TABLE_COUNT, TABLE_DATASET_NAME,
    TABLE_DATASET_LOG, TABLE_DATASET_PART, TABLE_SUB, TABLE_LISTEN, TABLE_PLAN};
#define N_CHECKED (sizeof(checked) / sizeof(checked[0]))

static void answer_transient(struct rig *g)
{
	for (size_t i = 0; i < g->jobs.n; i++) {
		if (g->jobs.v[i].step == 4) {
			rig_answer_at(g, i, OUTCOME_FAILED, "{\"class\":\"transient\"}");
			return;
		}
	}
}

Test(sched_check, an_entry_that_is_missing_is_found)
{
	for (size_t i = 0; i < N_CHECKED; i++) {
		struct slice key, value, first = {NULL, 0};
		uint8_t copy[VIEW_KEY_MAX];
		struct rig g;
		size_t n;

		rich(&g);
		answer_transient(&g);
		cr_assert_eq(problems(&g), 0);
		cr_assert_eq(
		    g.mem.view.next(g.mem.view.ctx, checked[i], first, false, &key, &value), 0,
		    "the store has nothing in table %s", table_name(checked[i]));
		n = key.n;
		memcpy(copy, key.p, n);
		cr_assert_eq(view_del(&g.mem.view, checked[i], copy, n), 0);
		plan_cache_free(g.mem.plans);
		g.mem.plans = plan_cache_new(1u << 20);
		cr_assert_gt(problems(&g), 0, "table %s", table_name(checked[i]));
		rig_done(&g);
	}
	LEAK_CHECK();
}

Test(sched_check, an_entry_that_is_too_many_is_found)
{
	static const enum table extra[] = {TABLE_DAG_NAME, TABLE_EVENT_STATE, TABLE_RUN_ID,
	    TABLE_RUN_DAG, TABLE_RUN_STATE, TABLE_RUN_KEY, TABLE_RUN_QUEUE, TABLE_READY,
	    TABLE_BLOCKED, TABLE_RUNNING, TABLE_DUE, TABLE_SCHED, TABLE_COUNT, TABLE_DATASET_NAME,
	    TABLE_DATASET_LOG, TABLE_DATASET_PART, TABLE_SUB, TABLE_LISTEN, TABLE_STEP,
	    TABLE_TOKEN_NAME};
	uint8_t junk[22] = {9, 9, 9, 9, 9, 9, 9, 9, 1, 0, 0, 0, 0, 0, 0, 0, 7, 0, 0, 0, 0, 0};

	for (size_t i = 0; i < sizeof(extra) / sizeof(extra[0]); i++) {
		size_t n = extra[i] == TABLE_STEP ? 14 : extra[i] == TABLE_RUN_ID ? 16 : 22;
		struct rig g;

		rich(&g);
		cr_assert_eq(view_put(&g.mem.view, extra[i], junk, n, junk + 8, 8), 0);
		cr_assert_gt(problems(&g), 0, "table %s", table_name(extra[i]));
		rig_done(&g);
	}
	LEAK_CHECK();
}

Test(sched_check, a_count_that_is_off_is_found)
{
	struct run_rec r;
	struct step_rec s;
	struct rig g;

	rich(&g);
	cr_assert_eq(count_put(&g.mem.view, COUNT_SLOTS, 77), 0);
	cr_assert_eq(problems(&g), 1);
	rig_done(&g);
	rich(&g);
	cr_assert_eq(count_put(&g.mem.view, "pool:one", 0), 0);
	cr_assert_gt(problems(&g), 0);
	rig_done(&g);
	rich(&g);
	cr_assert_eq(run_get(&g.mem.view, 1, &r), 0);
	r.n_open++;
	cr_assert_eq(run_put(&g.mem.view, &r), 0);
	cr_assert_gt(problems(&g), 0);
	rig_done(&g);
	rich(&g);
	s = rig_step(&g, 1, "z");
	s.unmet--;
	cr_assert_eq(step_put(&g.mem.view, &s), 0);
	cr_assert_gt(problems(&g), 0);
	s = rig_step(&g, 1, "f");
	s.items_running++;
	cr_assert_eq(step_put(&g.mem.view, &s), 0);
	cr_assert_gt(problems(&g), 1);
	rig_done(&g);
	LEAK_CHECK();
}

/* ---- planted bugs: a view that swallows one kind of write ---- */

struct forgetful {
	struct memview *mem;
	enum table table;
	bool deletes; /* else puts */
	bool armed;
};
static struct forgetful forget;

static int forget_put(void *ctx, enum table t, struct slice key, struct slice value)
{
	if (forget.armed && !forget.deletes && t == forget.table)
		return 0;
	return forget.mem->view.put(ctx, t, key, value);
}

static int forget_del(void *ctx, enum table t, struct slice key)
{
	struct slice value;

	if (forget.armed && forget.deletes && t == forget.table)
		return forget.mem->view.get(ctx, t, key, &value);
	return forget.mem->view.del(ctx, t, key);
}

static int apply_with(struct rig *g, const struct view *v, const struct op *op)
{
	int rc;

	VEC_CLEAR(&g->fx);
	rc = sched_apply(v, &g->env, op, g->now, &g->r, &g->fx);
	return rc != 0 ? rc : sched_dispatch(v, &g->env, g->now, &g->fx);
}

/* Start, outcome, cancel over the view; true when some step of it failed or the check found it. */
static bool caught(struct rig *g, const struct view *v)
{
	struct op op = {.kind = OP_START};

	op.u.start.dag = "d";
	op.u.start.at = TIME_NONE;
	if (apply_with(g, v, &op) != 0 || problems(g) > 0)
		return true;
	for (size_t i = 0; i < 3; i++) {
		struct step_rec s = rig_step(g, 1, i == 0 ? "a" : i == 1 ? "r" : "b");

		op = (struct op){.kind = OP_OUTCOME};
		op.u.outcome.step = step_ref_of(&s);
		op.u.outcome.token = s.token;
		op.u.outcome.instance = RIG_POOL;
		op.u.outcome.code = i == 1 ? OUTCOME_FAILED : OUTCOME_OK;
		op.u.outcome.report = i == 1 ? "{\"class\":\"transient\"}" : "{\"class\":\"ok\"}";
		op.u.outcome.report_n = strlen(op.u.outcome.report);
		if (apply_with(g, v, &op) != 0 || problems(g) > 0)
			return true;
	}
	op = (struct op){.kind = OP_CANCEL};
	op.u.cancel.run = 1;
	return apply_with(g, v, &op) != 0 || problems(g) > 0;
}

Test(sched_check, a_scheduler_that_forgets_a_write_is_caught)
{
	static const struct {
		enum table table;
		bool deletes;
	} bugs[] = {{TABLE_STEP, false}, {TABLE_RUN, false}, {TABLE_READY, false},
	    {TABLE_READY, true}, {TABLE_RUNNING, false}, {TABLE_RUNNING, true},
	    {TABLE_BLOCKED, false}, {TABLE_BLOCKED, true}, {TABLE_RUN_STATE, false},
	    {TABLE_RUN_STATE, true}, {TABLE_RUN_QUEUE, true}, {TABLE_RUN_DAG, false},
	    {TABLE_RUN_KEY, false}, {TABLE_COUNT, false}, {TABLE_DUE, false}, {TABLE_DUE, true},
	    {TABLE_META, false}, {TABLE_EVENT_STATE, false}};
	size_t n = sizeof(bugs) / sizeof(bugs[0]);

	for (size_t i = 0; i <= n; i++) {
		struct rig g;
		struct view v;

		rig_init(&g, 3);
		rig_dag(&g, "d", "a;b pool=one;r retry=3 delay=9000;c pool=one;z:a", NULL,
		    "\"run_timeout_ms\":900000");
		v = g.mem.view;
		v.put = forget_put;
		v.del = forget_del;
		forget = (struct forgetful){.mem = &g.mem, .armed = i < n};
		if (i < n) {
			forget.table = bugs[i].table;
			forget.deletes = bugs[i].deletes;
		}
		if (i < n && bugs[i].table == TABLE_META)
			forget.armed = false; /* numbers: below */
		cr_assert_eq(caught(&g, &v), forget.armed, "bug %zu: table %s %s", i,
		    i < n ? table_name(bugs[i].table) : "none",
		    i < n && bugs[i].deletes ? "deletes" : "puts");
		rig_done(&g);
	}
	LEAK_CHECK();
}

/* ---- a full store ---- */

static const char *const answers[] = {
    "{\"class\":\"ok\",\"outputs\":{\"n\":1},\"datasets\":[{\"name\":\"lake/x\"}]}",
    "{\"class\":\"transient\"}"};

static void prepare(struct rig *g, struct op *op, int which)
{
	rig_init(g, 3);
	rig_dag(g, "d", "a retry=2 delay=100;f:a each=3", TRIGGERS,
	    "\"max_runs\":2,\"run_timeout_ms\":900000");
	rig_start(g, "d");
	memset(op, 0, sizeof(*op));
	op->kind = which < 2 ? OP_OUTCOME : which == 2 ? OP_CANCEL : OP_START;
	if (which < 2) {
		op->u.outcome.step = g->jobs.v[0];
		op->u.outcome.token = g->tokens.v[0];
		op->u.outcome.instance = RIG_POOL;
		op->u.outcome.code = which;
		op->u.outcome.report = answers[which];
		op->u.outcome.report_n = strlen(answers[which]);
	} else if (which == 2) {
		op->u.cancel.all = true;
	} else {
		op->u.start.dag = "d";
		op->u.start.at = TIME_NONE;
	}
}

Test(sched_check, a_full_store_at_any_write_leaves_nothing_behind)
{
	for (int which = 0; which < 4; which++) {
		for (uint64_t at = 1;; at++) {
			uint8_t before[HASH_SHA256_BYTES], after[HASH_SHA256_BYTES];
			struct rig g;
			struct op op;
			int rc;

			prepare(&g, &op, which);
			memview_begin(&g.mem);
			memview_sum(&g.mem, before);
			g.mem.writes = 0;
			g.mem.fail_at = at;
			rc = apply_with(&g, &g.mem.view, &op);
			if (rc == 0) {
				cr_assert_gt(at, 2, "op %d ends at write %llu", which,
				    (unsigned long long)at);
				cr_assert_eq(problems(&g), 0);
				rig_done(&g);
				break;
			}
			cr_assert_eq(rc, ERR_FULL, "op %d write %llu: %s", which,
			    (unsigned long long)at, err_name(rc));
			g.mem.fail_at = 0;
			memview_abort(&g.mem);
			memview_sum(&g.mem, after);
			cr_assert_arr_eq(before, after, sizeof(before));
			cr_assert_eq(apply_with(&g, &g.mem.view, &op), 0);
			cr_assert_eq(problems(&g), 0);
			rig_done(&g);
		}
	}
	LEAK_CHECK();
}
