/* bench_store.c: what grows with the store: pages of runs with a million runs in it, and the
 * completion of a step with 10 and with 100,000 blocked beside it; each beside bare reads or
 * commits of the same store in the same run. On sched_apply and LMDB; covers no writer thread, no
 * HTTP.
 *
 * usage: bench_store [--short] [FOLDER]   (FOLDER: where the temporary store is made) */
#include "core/store/env.h"

#include "core/base/hash.h"
#include "core/base/mem.h"
#include "core/sched/codec.h"
#include "core/sched/key.h"
#include "core/sched/show.h"
#include "core/sched/table.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define BATCH 10000 /* runs a commit */
#define PAGE 100
#define ASKS 50
#define STEPS 400 /* completions that are measured */
#define POOL 7

struct world {
	char dir[512];
	struct store *store;
	struct store_txn txn;
	struct sched_env env;
	struct conf_pool pool;
	struct conf conf;
	wall_us now;
	effect_vec fx;
	struct step_ref job; /* the one that holds the pool's only place */
	uint64_t token;
};

static void must(int rc, const char *what)
{
	if (rc == 0)
		return;
	fprintf(stderr, "bench_store: %s: %s\n", what, err_name(rc));
	exit(1);
}

static double ms_since(mono_us from)
{
	return (double)(clock_mono() - from) / 1e3;
}

static void world_make(struct world *d, const char *where)
{
	struct store_options so = {.create = true, .now = clock_wall()};
	struct err err = {0};

	memset(d, 0, sizeof(*d));
	snprintf(d->dir, sizeof(d->dir), "%s/bench-store-XXXXXX", where);
	if (!mkdtemp(d->dir)) {
		perror(d->dir);
		exit(1);
	}
	so.dir = d->dir;
	must(store_open(&so, &d->store, &err), "open");
	str_copy(d->pool.name, sizeof(d->pool.name), "one");
	d->pool.size = 1;
	d->conf.workers = 4;
	d->conf.pools = &d->pool;
	d->conf.n_pools = 1;
	d->env.conf = &d->conf;
	d->env.random = 42;
	d->now = so.now;
	store_txn_init(&d->txn, d->store);
}

static void world_remove(struct world *d)
{
	static const char *const names[] = {"data.mdb", "lock.mdb", "sluice.lock"};
	char path[600];

	store_txn_done(&d->txn);
	store_close(d->store);
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		snprintf(path, sizeof(path), "%s/%s", d->dir, names[i]);
		unlink(path);
	}
	rmdir(d->dir);
	VEC_DONE(&d->fx);
}

static void begin(struct world *d)
{
	must(store_txn_begin(&d->txn, true), "begin");
}

static void commit(struct world *d)
{
	must(store_txn_commit(&d->txn), "commit");
}

/* One operation and what it lets start, in a commit of its own. */
static void apply(struct world *d, const struct op *op)
{
	struct op_result r;

	begin(d);
	VEC_CLEAR(&d->fx);
	must(sched_apply(&d->txn.view, &d->env, op, d->now, &r, &d->fx),
	    op->kind == OP_START ? "start" : r.err.text);
	must(r.rc, r.err.text);
	must(sched_dispatch(&d->txn.view, &d->env, d->now, &d->fx), "dispatch");
	commit(d);
	for (size_t i = 0; i < d->fx.n; i++) {
		if (d->fx.v[i].kind != EFFECT_JOB)
			continue;
		d->job = d->fx.v[i].step;
		d->token = d->fx.v[i].token;
	}
}

/* A DAG of one group whose items all need the pool of one place. */
static void dag_store(struct world *d, const char *name, size_t items)
{
	char path[64];
	struct op_file f = {.path = path, .report = "{}"};
	struct op op = {.kind = OP_PLANS};
	struct str out;

	snprintf(path, sizeof(path), "%s.yaml", name);
	str_init(&out, PLAN_MAX_BYTES);
	str_addf(&out,
	    "{\"v\":1,\"dag\":\"%s\",\"timezone\":\"UTC\",\"triggers\":[],\"max_runs\":1000,"
	    "\"steps\":[{\"name\":\"s\",\"kind\":\"task\",\"needs\":[],\"foreach\":{\"in\":[",
	    name);
	for (size_t i = 0; i < items; i++)
		str_addf(&out, "%s%zu", i ? "," : "", i);
	str_add(&out,
	    "],\"as\":\"item\",\"max_parallel\":0,\"tolerate\":0},\"retry\":{\"attempts\":"
	    "1,\"delay_ms\":0,\"backoff\":2,\"jitter\":0,\"max_delay_ms\":1000},"
	    "\"timeout_ms\":-1,\"pools\":{\"one\":1}}]}");
	f.rec.ok = true;
	str_copy(f.rec.dag, sizeof(f.rec.dag), name);
	f.plan = out.s;
	f.plan_n = out.len;
	op.u.plans.files = &f;
	op.u.plans.n_files = 1;
	apply(d, &op);
	str_done(&out);
}

static void start(struct world *d, const char *dag)
{
	struct op op = {.kind = OP_START};

	op.u.start.dag = dag;
	op.u.start.at = TIME_NONE;
	op.u.start.actor = "bench";
	d->now += US_PER_S;
	apply(d, &op);
}

/* ---- pages of a long list ---- */

static void put_empty(const struct view *v, enum table t, const struct key *k)
{
	must(view_put(v, t, k->b, k->n, NULL, 0), "index");
}

/* A copy of a run that the scheduler has made, ended; one in 100,000 failed. */
static void put_run(const struct view *v, const struct run_rec *first, uint64_t no)
{
	struct run_rec r = *first;
	uint8_t be[8];
	struct key k;

	r.no = no;
	hash_random(r.id, sizeof(r.id));
	snprintf(r.key, sizeof(r.key), "key-%llu", (unsigned long long)no);
	r.state = no % 100000 ? RUN_SUCCEEDED : RUN_FAILED;
	r.n_open = 0;
	r.started_at = r.ended_at = r.queued_at;
	must(run_put(v, &r), "run");
	be_put64(be, no);
	must(view_put(v, TABLE_RUN_ID, r.id, sizeof(r.id), be, sizeof(be)), "id");
	key_run_dag(&k, r.dag_no, no);
	put_empty(v, TABLE_RUN_DAG, &k);
	key_run_state(&k, r.state, no);
	put_empty(v, TABLE_RUN_STATE, &k);
	key_run_key(&k, &r);
	put_empty(v, TABLE_RUN_KEY, &k);
	must(run_doc_put(v, no, RUN_DOC_TRIGGER, "{\"kind\":\"manual\",\"name\":\"\"}", 29), "doc");
}

static void fill(struct world *d, size_t runs)
{
	struct run_rec first;

	begin(d);
	must(run_get(&d->txn.view, 1, &first), "first run");
	for (uint64_t no = 1000; no < 1000 + runs; no++) {
		put_run(&d->txn.view, &first, no);
		if (no % BATCH != 0)
			continue;
		commit(d);
		begin(d);
	}
	commit(d);
}

static double ask(const struct view *v, const struct list_query *q, double *ret_worst)
{
	char next[LIST_NEXT_MAX];
	struct err err = {0};
	double sum = 0;
	struct str out;
	struct jw w;

	*ret_worst = 0;
	str_init(&out, 8u << 20);
	for (int i = 0; i < ASKS; i++) {
		mono_us from = clock_mono();
		double took;

		str_reset(&out);
		jw_init(&w, &out);
		must(list_runs(v, q, &w, next, &err), "list");
		took = ms_since(from);
		sum += took;
		*ret_worst = took > *ret_worst ? took : *ret_worst;
	}
	str_done(&out);
	return sum / ASKS;
}

/* The records of a page, read and decoded. */
static double bare_page(const struct view *v)
{
	mono_us from = clock_mono();
	struct run_rec r;

	for (int i = 0; i < ASKS; i++) {
		struct view_walk w;
		struct slice value;

		view_walk_init(&w, v, TABLE_RUN, NULL, 0, true);
		for (int k = 0; k < PAGE && view_walk_next(&w, &value) == 0; k++)
			must(run_decode(value, &r, NULL), "decode");
	}
	return ms_since(from) / ASKS;
}

static void bench_list(struct world *d, size_t runs)
{
	char middle[32];
	const struct {
		const char *name;
		struct list_query q;
	} ways[] = {
	    {"newest", {.limit = PAGE}},
	    {"of a DAG", {.limit = PAGE, .dag = "few"}},
	    {"failed", {.limit = PAGE, .state = "failed"}},
	    {"failed of a DAG", {.limit = PAGE, .dag = "few", .state = "failed"}},
	    {"from the middle", {.limit = PAGE, .after = middle}},
	};
	const struct view *v;
	struct store_read *read;
	struct err err = {0};
	double bare;

	snprintf(middle, sizeof(middle), "%zu", runs / 2);
	fill(d, runs);
	must(store_read_new(d->store, &read, &err), "read");
	v = store_read_begin(read);
	bare = bare_page(v);
	for (size_t i = 0; i < sizeof(ways) / sizeof(ways[0]); i++) {
		double worst, mean = ask(v, &ways[i].q, &worst);

		printf("list: %zu runs, page of %d, %s: mean %.2f ms, worst %.2f; budget 10; "
		       "bare read of a page %.2f ms; ratio %.1f\n",
		    runs, PAGE, ways[i].name, mean, worst, bare, mean / bare);
	}
	store_read_end(read);
	store_read_free(read);
}

/* ---- completions beside what is blocked ---- */

static uint64_t blocked(struct world *d)
{
	struct view_walk w;
	uint64_t n = 0;

	begin(d);
	view_walk_init(&w, &d->txn.view, TABLE_BLOCKED, NULL, 0, false);
	while (view_walk_next(&w, NULL) == 0)
		n++;
	commit(d);
	return n;
}

static void complete(struct world *d)
{
	struct op op = {.kind = OP_OUTCOME};

	if (d->token == 0)
		must(ERR_NOT_FOUND, "nothing runs");
	op.u.outcome.step = d->job;
	op.u.outcome.token = d->token;
	op.u.outcome.instance = POOL;
	op.u.outcome.code = OUTCOME_OK;
	op.u.outcome.report = "{}";
	op.u.outcome.report_n = 2;
	apply(d, &op);
}

/* Milliseconds of a completion, which wakes the next one; `more` is started where few are left. */
static double completions(struct world *d, const char *more, size_t per_run)
{
	double sum = 0;

	for (size_t i = 0; i < STEPS; i++) {
		mono_us from;

		if (more && i % per_run == 0)
			start(d, more);
		from = clock_mono();
		complete(d);
		sum += ms_since(from);
	}
	return sum / STEPS;
}

static double bare_commits(struct world *d)
{
	mono_us from = clock_mono();

	for (uint64_t i = 0; i < STEPS; i++) {
		uint8_t record[160] = {(uint8_t)i};

		begin(d);
		must(view_put(&d->txn.view, TABLE_OUTBOX, "bench", 5, record, 160), "put");
		commit(d);
	}
	begin(d);
	must(view_del(&d->txn.view, TABLE_OUTBOX, "bench", 5), "del");
	commit(d);
	return ms_since(from) / STEPS;
}

static void bench_blocked(struct world *d, size_t runs)
{
	double bare = bare_commits(d), few, many;
	uint64_t n_few, n_many;

	few = completions(d, "few", 10);
	n_few = blocked(d);
	for (size_t i = 0; i < runs; i++)
		start(d, "many");
	n_many = blocked(d);
	many = completions(d, NULL, 0);
	printf("completion: %llu blocked: %.3f ms; %llu blocked: %.3f ms; ratio %.2f, goal 1.2; "
	       "bare commit %.3f ms\n",
	    (unsigned long long)n_few, few, (unsigned long long)n_many, many, many / few, bare);
}

int main(int argc, char **argv)
{
	bool is_short = argc > 1 && strcmp(argv[1], "--short") == 0;
	const char *where = argc > 1 + is_short ? argv[1 + is_short] : ".";
	size_t items = is_short ? 200 : 10000;
	struct op up = {.kind = OP_POOL_UP};
	struct world d;

	world_make(&d, where);
	up.u.pool_up.instance = POOL;
	up.u.pool_up.gen = 1;
	apply(&d, &up);
	dag_store(&d, "few", 10);
	dag_store(&d, "many", items);
	start(&d, "few");
	bench_blocked(&d, 10);
	bench_list(&d, is_short ? 20000 : 1000000);
	world_remove(&d);
	return 0;
}
