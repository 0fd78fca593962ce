/* sched_rig.c: see sched_rig.h. The step language: steps parted by ";", each "name[:need,=need]"
 * (=: items pair) and then any of: when=RULE retry=N delay=MS allow each=N|each=${…} par=N tol=N
 * pct=N pool=NAME[*TOKENS] only prio=N lostfails classes=a,b timeout=MS. */
#include "sched_rig.h"

#include "core/base/json.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int to_int(const char *s)
{
	int64_t v = 0;

	cr_assert_eq(str_to_i64(s, &v), 0, "rig: number \"%s\"", s);
	return (int)v;
}

void rig_init(struct rig *g, uint32_t workers)
{
	uint8_t uuid[16] = {1, 2, 3};

	memset(g, 0, sizeof(*g));
	memview_init(&g->mem);
	g->now = RIG_T0;
	g->conf.workers = workers;
	g->conf.pools = g->pools;
	g->conf.n_pools = 2;
	str_copy(g->pools[0].name, PLAN_NAME_MAX, "db");
	g->pools[0].size = 2;
	str_copy(g->pools[1].name, PLAN_NAME_MAX, "one");
	g->pools[1].size = 1;
	g->env.conf = &g->conf;
	g->env.random = 42;
	cr_assert_eq(sched_format(&g->mem.view, uuid, g->now), 0);
	rig_pool_up(g, 1, NULL, NULL, 0);
}

void rig_done(struct rig *g)
{
	VEC_DONE(&g->fx);
	VEC_DONE(&g->jobs);
	VEC_DONE(&g->tokens);
	memview_done(&g->mem);
}

static void on_problem(void *arg, const char *text)
{
	(void)arg;
	cr_assert_fail("check_store: %s", text);
}

void rig_check(struct rig *g)
{
	if (!g->no_check)
		cr_assert_eq(check_store(&g->mem.view, on_problem, NULL), 0);
}

static void collect_jobs(struct rig *g, size_t from)
{
	for (size_t i = from; i < g->fx.n; i++) {
		if (g->fx.v[i].kind != EFFECT_JOB)
			continue;
		VEC_ADD(&g->jobs, g->fx.v[i].step);
		VEC_ADD(&g->tokens, g->fx.v[i].token);
		g->jobs_total++;
	}
}

void rig_dispatch(struct rig *g)
{
	size_t from = g->fx.n;

	cr_assert_eq(sched_dispatch(&g->mem.view, &g->env, g->now, &g->fx), 0);
	collect_jobs(g, from);
}

int rig_op(struct rig *g, const struct op *op)
{
	int rc;

	VEC_CLEAR(&g->fx);
	memview_begin(&g->mem);
	rc = sched_apply(&g->mem.view, &g->env, op, g->now, &g->r, &g->fx);
	cr_assert_eq(rc, 0, "apply: %s: %s", err_name(rc), g->r.err.text);
	if (g->r.rc != 0)
		cr_assert_eq(g->mem.undo.n, 0, "a refused op has written");
	rig_dispatch(g);
	rig_check(g);
	return g->r.rc;
}

void rig_pool_up(
    struct rig *g, uint64_t gen, const struct step_ref *seen, const uint64_t *tokens, size_t n)
{
	struct op op = {.kind = OP_POOL_UP};

	op.u.pool_up.instance = RIG_POOL;
	op.u.pool_up.gen = gen;
	op.u.pool_up.seen = seen;
	op.u.pool_up.seen_token = tokens;
	op.u.pool_up.n_seen = n;
	cr_assert_eq(rig_op(g, &op), 0);
}

/* ---- plans ---- */

struct parsed {
	char name[PLAN_NAME_MAX], needs[256], when[32], each[128], pool[32], classes[64];
	int retry, delay, par, tol, pct, prio, timeout, tokens;
	bool allow, only, lostfails;
};

static void parse_pool(struct parsed *p, const char *text)
{
	char *star;

	str_copy(p->pool, sizeof(p->pool), text);
	star = strchr(p->pool, '*');
	p->tokens = star != NULL ? to_int(star + 1) : 1;
	if (star != NULL)
		*star = 0;
}

static void parse_word(struct parsed *p, const char *w)
{
	if (strncmp(w, "when=", 5) == 0)
		str_copy(p->when, sizeof(p->when), w + 5);
	else if (strncmp(w, "each=", 5) == 0)
		str_copy(p->each, sizeof(p->each), w + 5);
	else if (strncmp(w, "pool=", 5) == 0)
		parse_pool(p, w + 5);
	else if (strncmp(w, "classes=", 8) == 0)
		str_copy(p->classes, sizeof(p->classes), w + 8);
	else if (strncmp(w, "retry=", 6) == 0)
		p->retry = to_int(w + 6);
	else if (strncmp(w, "delay=", 6) == 0)
		p->delay = to_int(w + 6);
	else if (strncmp(w, "par=", 4) == 0)
		p->par = to_int(w + 4);
	else if (strncmp(w, "tol=", 4) == 0)
		p->tol = to_int(w + 4);
	else if (strncmp(w, "pct=", 4) == 0)
		p->pct = to_int(w + 4);
	else if (strncmp(w, "prio=", 5) == 0)
		p->prio = to_int(w + 5);
	else if (strncmp(w, "timeout=", 8) == 0)
		p->timeout = to_int(w + 8);
	else if (str_eq(w, "allow"))
		p->allow = true;
	else if (str_eq(w, "only"))
		p->only = true;
	else if (str_eq(w, "lostfails"))
		p->lostfails = true;
	else
		cr_assert_fail("rig: word \"%s\"", w);
}

static void parse_step(struct parsed *p, char *text)
{
	char *save, *word = strtok_r(text, " ", &save), *colon;

	memset(p, 0, sizeof(*p));
	p->retry = 1;
	p->timeout = -1;
	cr_assert_not_null(word);
	colon = strchr(word, ':');
	if (colon != NULL) {
		*colon = 0;
		str_copy(p->needs, sizeof(p->needs), colon + 1);
	}
	str_copy(p->name, sizeof(p->name), word);
	while ((word = strtok_r(NULL, " ", &save)) != NULL)
		parse_word(p, word);
}

static void write_needs(const struct parsed *all, size_t n, const struct parsed *p, struct jw *w)
{
	char list[256], *save, *name;

	str_copy(list, sizeof(list), p->needs);
	jw_key(w, "needs");
	jw_array(w);
	for (name = strtok_r(list, ",", &save); name != NULL; name = strtok_r(NULL, ",", &save)) {
		bool pairs = name[0] == '=';
		size_t i = 0;

		name += pairs;
		while (i < n && !str_eq(all[i].name, name))
			i++;
		cr_assert_lt(i, n, "rig: need \"%s\"", name);
		jw_object(w);
		jw_ki64(w, "step", (int64_t)i);
		if (pairs)
			jw_kstr(w, "match", "item");
		jw_end_object(w);
	}
	jw_end_array(w);
}

static void write_each(const struct parsed *p, struct jw *w)
{
	if (p->each[0] == 0)
		return;
	jw_key(w, "foreach");
	jw_object(w);
	jw_key(w, "in");
	if (p->each[0] == '$') {
		jw_str(w, p->each);
	} else {
		jw_array(w);
		for (int i = 1; i <= to_int(p->each); i++)
			jw_i64(w, i);
		jw_end_array(w);
	}
	jw_kstr(w, "as", "item");
	jw_ki64(w, "max_parallel", p->par);
	jw_ki64(w, "tolerate", p->tol);
	if (p->pct > 0)
		jw_ki64(w, "tolerate_percent", p->pct);
	jw_end_object(w);
}

static void write_retry(const struct parsed *p, struct jw *w)
{
	char list[64], *save, *name;

	jw_key(w, "retry");
	jw_object(w);
	jw_ki64(w, "attempts", p->retry);
	jw_ki64(w, "delay_ms", p->delay);
	jw_ki64(w, "backoff", 2);
	jw_ki64(w, "jitter", 0);
	jw_ki64(w, "max_delay_ms", 600000);
	if (p->classes[0] != 0) {
		str_copy(list, sizeof(list), p->classes);
		jw_key(w, "classes");
		jw_array(w);
		for (name = strtok_r(list, ",", &save); name != NULL;
		     name = strtok_r(NULL, ",", &save))
			jw_str(w, name);
		jw_end_array(w);
	}
	jw_end_object(w);
}

static void write_step(const struct parsed *all, size_t n, struct jw *w)
{
	const struct parsed *p = &all[n];

	jw_object(w);
	jw_kstr(w, "name", p->name);
	jw_kstr(w, "kind", "task");
	write_needs(all, n, p, w);
	if (p->when[0] != 0)
		jw_kstr(w, "when", p->when);
	write_each(p, w);
	write_retry(p, w);
	jw_ki64(w, "timeout_ms", p->timeout);
	jw_ki64(w, "priority", p->prio);
	jw_kbool(w, "allow_failure", p->allow);
	jw_kbool(w, "exclusive", p->only);
	if (p->lostfails)
		jw_kstr(w, "on_lost", "fail");
	if (p->pool[0] != 0) {
		jw_key(w, "pools");
		jw_object(w);
		jw_ki64(w, p->pool, p->tokens);
		jw_end_object(w);
	}
	jw_end_object(w);
}

char *rig_plan(const char *name, const char *steps, const char *triggers, const char *extra)
{
	char *text = mem_strdup(steps), *save, *one;
	struct parsed *all = mem_calloc(PLAN_MAX_STEPS, sizeof(*all));
	struct str out;
	struct jw w;
	size_t n = 0;

	str_init(&out, PLAN_MAX_BYTES);
	str_addf(&out,
	    "{\"v\":1,\"dag\":\"%s\",\"timezone\":\"UTC\",\"triggers\":[%s],%s%s\"steps\":[", name,
	    triggers != NULL ? triggers : "", extra != NULL ? extra : "", extra != NULL ? "," : "");
	for (one = strtok_r(text, ";", &save); one != NULL; one = strtok_r(NULL, ";", &save)) {
		parse_step(&all[n], one);
		if (n > 0)
			str_addc(&out, ',');
		jw_init(&w, &out);
		write_step(all, n++, &w);
	}
	str_add(&out, "]}");
	cr_assert(!out.failed);
	mem_free(all);
	mem_free(text);
	return str_take(&out);
}

void rig_file(struct rig *g, const char *path, const char *plan)
{
	struct op_file f = {.path = path,
	    .report = "{\"errors\":[{\"line\":12,\"column\":7,\"message\":\"bad\"}]}"};
	struct op op = {.kind = OP_PLANS};

	f.plan = plan;
	f.plan_n = plan != NULL ? strlen(plan) : 0;
	op.u.plans.files = &f;
	op.u.plans.n_files = 1;
	cr_assert_eq(rig_op(g, &op), 0, "%s", g->r.err.text);
}

void rig_dag(
    struct rig *g, const char *name, const char *steps, const char *triggers, const char *extra)
{
	char path[80];
	char *plan = rig_plan(name, steps, triggers, extra);

	snprintf(path, sizeof(path), "%s.yaml", name);
	rig_file(g, path, plan);
	mem_free(plan);
}

/* ---- runs ---- */

uint64_t rig_start_key(struct rig *g, const char *dag, const char *key)
{
	struct op op = {.kind = OP_START};

	op.u.start.dag = dag;
	op.u.start.key = key;
	op.u.start.at = TIME_NONE;
	op.u.start.actor = "test";
	return rig_op(g, &op) == 0 ? g->r.runs[0] : 0;
}

uint64_t rig_start(struct rig *g, const char *dag)
{
	return rig_start_key(g, dag, NULL);
}

void rig_answer_at(struct rig *g, size_t job, int code, const char *report)
{
	struct op op = {.kind = OP_OUTCOME};

	op.u.outcome.step = g->jobs.v[job];
	op.u.outcome.token = g->tokens.v[job];
	op.u.outcome.instance = RIG_POOL;
	op.u.outcome.code = code;
	op.u.outcome.report = report;
	op.u.outcome.report_n = strlen(report);
	g->jobs.v[job] = g->jobs.v[--g->jobs.n];
	g->tokens.v[job] = g->tokens.v[--g->tokens.n];
	cr_assert_eq(rig_op(g, &op), 0);
	cr_assert(rig_effect(g, EFFECT_ACK));
}

bool rig_answer(struct rig *g, uint64_t run, const char *step, int code, const char *report)
{
	struct step_ref ref;

	cr_assert_eq(find_step(&g->mem.view, run, step, &ref, NULL), 0);
	for (size_t i = 0; i < g->jobs.n; i++) {
		if (g->jobs.v[i].run == run && g->jobs.v[i].step == ref.step &&
		    g->jobs.v[i].item == ref.item) {
			rig_answer_at(g, i, code, report);
			return true;
		}
	}
	return false;
}

bool rig_ok(struct rig *g, uint64_t run, const char *step)
{
	return rig_answer(g, run, step, OUTCOME_OK, "{\"class\":\"ok\"}");
}

bool rig_fail(struct rig *g, uint64_t run, const char *step, const char *class_)
{
	char report[128];

	snprintf(report, sizeof(report), "{\"class\":\"%s\",\"message\":\"it broke\"}", class_);
	return rig_answer(g, run, step, OUTCOME_FAILED, report);
}

void rig_drain(struct rig *g)
{
	for (int i = 0; g->jobs.n > 0; i++) {
		cr_assert_lt(i, 100000, "the runs never end");
		rig_answer_at(g, 0, OUTCOME_OK, "{\"class\":\"ok\"}");
	}
}

void rig_due(struct rig *g, wall_us now)
{
	struct op op = {.kind = OP_DUE};

	g->now = now;
	op.u.due.limit = 1000;
	cr_assert_eq(rig_op(g, &op), 0);
}

void rig_cancel(struct rig *g, uint64_t run)
{
	struct op op = {.kind = OP_CANCEL};

	op.u.cancel.run = run;
	op.u.cancel.actor = "test";
	cr_assert_eq(rig_op(g, &op), 0, "%s", g->r.err.text);
}

int rig_rerun(struct rig *g, uint64_t run, const char *step)
{
	const char *names[1] = {step};
	struct op op = {.kind = OP_RERUN};

	op.u.rerun.run = run;
	op.u.rerun.steps = names;
	op.u.rerun.n_steps = step != NULL;
	return rig_op(g, &op);
}

enum run_state rig_run_state(struct rig *g, uint64_t run)
{
	struct run_rec r;

	cr_assert_eq(run_get(&g->mem.view, run, &r), 0);
	return r.state;
}

struct step_rec rig_step(struct rig *g, uint64_t run, const char *step)
{
	struct step_ref ref;
	struct step_rec s;
	struct err err = {0};

	cr_assert_eq(find_step(&g->mem.view, run, step, &ref, &err), 0, "%s", err.text);
	cr_assert_eq(step_get(&g->mem.view, &ref, &s), 0);
	return s;
}

enum step_state rig_state(struct rig *g, uint64_t run, const char *step)
{
	return rig_step(g, run, step).state;
}

bool rig_effect(const struct rig *g, enum effect_kind kind)
{
	for (size_t i = 0; i < g->fx.n; i++) {
		if (g->fx.v[i].kind == kind)
			return true;
	}
	return false;
}

uint64_t rig_runs(struct rig *g)
{
	return memview_count(&g->mem, TABLE_RUN);
}
