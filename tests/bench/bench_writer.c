/* bench_writer.c: durable transitions a second through the real writer, apply and dispatch, with
 * slots that a fake pool empties as soon as they are filled; beside it, in the same run and on the
 * same disk, raw LMDB group commits of the same shape. Covers no worker, pool or HTTP.
 *
 * usage: bench_writer [--short] [FOLDER]   (FOLDER: where the temporary store is made; default the
 * current one) */
#include "core/store/env.h"

#include "core/base/mem.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define SLOTS 64
#define STEPS 50 /* of a run */
#define CHAIN 40

struct world {
	struct store *store;
	struct writer *w;
	size_t running, done, wanted, runs_left, runs_open;
	uint64_t instance;
};

static char dir[512];

static double seconds(void)
{
	return (double)clock_mono() / 1e6;
}

static void folder_make(const char *where)
{
	snprintf(dir, sizeof(dir), "%s/bench-writer-XXXXXX", where);
	if (!mkdtemp(dir)) {
		perror(dir);
		exit(1);
	}
}

static void folder_remove(void)
{
	static const char *const names[] = {"data.mdb", "lock.mdb", "sluice.lock"};
	char path[600];

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		snprintf(path, sizeof(path), "%s/%s", dir, names[i]);
		unlink(path);
	}
	rmdir(dir);
}

static void must(int rc, const struct err *err)
{
	if (rc == 0)
		return;
	fprintf(stderr, "bench_writer: %s %s\n", err_name(rc), err ? err->text : "");
	exit(1);
}

/* ---- the limit: the same writes on a bare LMDB ---- */

/* One transition as apply does it at the least: a record of 160 bytes changes, an index entry of 30
 * moves, 96 bytes are added at an end. */
static void raw_transition(struct store_txn *x, uint64_t n)
{
	uint8_t key[32] = {0}, value[160] = {0};

	memcpy(key, &(uint64_t){__builtin_bswap64(n % 4096)}, 8);
	memcpy(value, &n, 8);
	must(view_put(&x->view, TABLE_OUTBOX, key, 14, value, 160), NULL);
	memcpy(key + 8, &n, 8);
	must(view_put(&x->view, TABLE_BACKFILL, key, 24, NULL, 0), NULL);
	if (view_del(&x->view, TABLE_BACKFILL, key, 24) != 0)
		exit(1);
	must(view_put(&x->view, TABLE_BACKFILL, key, 25, NULL, 0), NULL);
	memcpy(key, &(uint64_t){__builtin_bswap64(n)}, 8);
	must(view_put(&x->view, TABLE_DEDUPE, key, 8, value, 96), NULL);
}

static double raw_commits(struct store *s, size_t batch, size_t commits)
{
	struct store_txn x;
	uint64_t n = 1;
	double from;

	store_txn_init(&x, s);
	from = seconds();
	for (size_t i = 0; i < commits; i++) {
		must(store_txn_begin(&x, true), NULL);
		for (size_t k = 0; k < batch; k++)
			raw_transition(&x, n++);
		must(store_txn_commit(&x), NULL);
	}
	from = seconds() - from;
	store_txn_done(&x);
	return from;
}

/* ---- the real writer ---- */

static struct conf *conf_make(void)
{
	static const char text[] = "{\"v\":1,\"file\":\"\",\"deployment\":\"bench\",\"state\":\"/"
				   "nowhere\",\"dags\":\"/nowhere\","
				   "\"workers\":64,\"http\":{},\"connections\":{},\"hooks\":{},"
				   "\"secrets\":{},\"pools\":{}}";
	struct conf *conf = NULL;
	struct err err = {0};

	must(conf_parse(text, sizeof(text) - 1, &conf, &err), &err);
	return conf;
}

static void plan_write(struct str *out, const char *dag, size_t steps, bool chain)
{
	str_addf(out,
	    "{\"v\":1,\"dag\":\"%s\",\"description\":\"\",\"owner\":\"\",\"timezone\":\"UTC\","
	    "\"params\":[],"
	    "\"triggers\":[],\"max_runs\":1000,\"overlap\":\"queue\",\"run_timeout_ms\":-1,"
	    "\"queue_timeout_ms\":-1,\"late_after_ms\":-1,\"priority\":0,\"on_success\":[],\"on_"
	    "failure\":[],"
	    "\"on_exit\":[],\"datasets\":{},\"promise\":\"once\",\"steps\":[",
	    dag);
	for (size_t i = 0; i < steps; i++) {
		str_addf(
		    out, "%s{\"name\":\"s%zu\",\"kind\":\"task\",\"needs\":[", i ? "," : "", i);
		if (chain && i)
			str_addf(out, "{\"step\":%zu}", i - 1);
		str_add(out, "],\"when\":\"all_success\",\"retry\":{\"attempts\":1,\"delay_ms\":"
			     "30000,\"backoff\":2,"
			     "\"jitter\":0.2,\"max_delay_ms\":600000,\"classes\":[\"transient\"]},"
			     "\"timeout_ms\":-1,"
			     "\"grace_ms\":10000,\"priority\":0,\"allow_failure\":false,\"on_"
			     "lost\":\"retry\","
			     "\"isolate\":\"kept\",\"privileges\":\"drop\",\"exclusive\":false,"
			     "\"connections\":[],"
			     "\"plugins\":[\"noop\"],\"needs_mask\":0,"
			     "\"task\":{\"plugin\":\"noop\",\"type\":\"noop\",\"options\":{}}}");
	}
	str_add(out, "]}");
}

static void submit(struct world *d, struct writer_op *op)
{
	must(writer_submit(d->w, op), NULL);
}

static void on_rc(void *arg, const struct op_result *r)
{
	(void)arg;
	must(r->rc, &r->err);
}

static void submit_outcome(struct world *d, const struct effect *e)
{
	static const char report[] = "{\"class\":\"ok\",\"code\":\"\",\"message\":\"\",\"retry_"
				     "after_ms\":0,\"rows_in\":0,\"rows_out\":0,"
				     "\"rows_rejected\":0,\"bytes\":0,\"outputs\":{},\"datasets\":["
				     "],\"cursor\":null,\"positions\":{}}";
	struct writer_op *op = writer_op_new(OP_OUTCOME);

	op->op.u.outcome.step = e->step;
	op->op.u.outcome.token = e->token;
	op->op.u.outcome.instance = e->instance;
	op->op.u.outcome.report = report;
	op->op.u.outcome.report_n = sizeof(report) - 1;
	submit(d, op);
}

static void start_run(struct world *d, const char *dag)
{
	struct writer_op *op = writer_op_new(OP_START);

	op->op.u.start.dag = dag;
	op->op.u.start.at = TIME_NONE;
	op->op.u.start.actor = "bench";
	op->done = on_rc;
	d->runs_open++;
	submit(d, op);
}

static void on_effects(void *arg, const struct effect *v, size_t n)
{
	struct world *d = arg;

	for (size_t i = 0; i < n; i++) {
		if (v[i].kind == EFFECT_JOB) {
			submit_outcome(d, &v[i]);
		} else if (v[i].kind == EFFECT_ACK) {
			d->done++;
		} else if (v[i].kind == EFFECT_RUN && v[i].state == RUN_SUCCEEDED) {
			d->runs_open--;
			if (d->runs_left) {
				d->runs_left--;
				start_run(d, "wide");
			}
		}
	}
}

static void pump(struct world *d)
{
	struct pollfd p = {.fd = writer_fd(d->w), .events = POLLIN};

	if (poll(&p, 1, 10000) != 1) {
		fprintf(
		    stderr, "bench_writer: nothing happens: %zu of %zu done\n", d->done, d->wanted);
		exit(1);
	}
	writer_deliver(d->w);
}

static void plans_store(struct world *d, const struct str *wide, const struct str *chain)
{
	static struct op_file files[2];
	const struct str *text[2] = {wide, chain};
	struct writer_op *op = writer_op_new(OP_PLANS);

	for (size_t i = 0; i < 2; i++) {
		files[i].path = i ? "chain.yaml" : "wide.yaml";
		files[i].rec.ok = true;
		str_copy(files[i].rec.dag, sizeof(files[i].rec.dag), i ? "chain" : "wide");
		files[i].report = "{}";
		files[i].plan = text[i]->s;
		files[i].plan_n = text[i]->len;
	}
	op->op.u.plans.files = files;
	op->op.u.plans.n_files = 2;
	op->done = on_rc;
	submit(d, op);
	pump(d);
}

static void pool_up(struct world *d)
{
	struct writer_op *op = writer_op_new(OP_POOL_UP);

	d->instance = 7;
	op->op.u.pool_up.instance = d->instance;
	op->op.u.pool_up.gen = 1;
	op->done = on_rc;
	submit(d, op);
	pump(d);
}

static double run_wide(struct world *d, size_t runs)
{
	double from = seconds();

	d->done = 0;
	d->wanted = runs * STEPS;
	d->runs_left = runs > 8 ? runs - 8 : 0;
	for (size_t i = 0; i < 8 && i < runs; i++)
		start_run(d, "wide");
	while (d->done < d->wanted)
		pump(d);
	return seconds() - from;
}

static double run_chain(struct world *d)
{
	double from;

	d->done = 0;
	d->wanted = CHAIN;
	from = seconds();
	start_run(d, "chain");
	while (d->done < CHAIN)
		pump(d);
	return seconds() - from;
}

static void world_make(struct world *d, struct conf *conf)
{
	struct writer_options o = {
	    .conf = conf, .now = clock_wall, .arg = d, .on_effects = on_effects};
	struct store_options so = {.dir = dir, .create = true, .now = clock_wall()};
	struct err err = {0};

	memset(d, 0, sizeof(*d));
	must(store_open(&so, &d->store, &err), &err);
	o.store = d->store;
	must(writer_new(&o, &d->w, &err), &err);
}

static void report(struct world *d, double took, size_t steps, double raw64)
{
	struct writer_stats st;
	double rate = (double)(steps * 2) / took;

	writer_stats(d->w, &st);
	printf("writer: %zu steps with %d slots: %.0f durable transitions/s (%.0f steps/s), %.1f "
	       "ops a commit; "
	       "budget 20,000; raw group commit at batch 64: %.0f/s; ratio %.2f\n",
	    steps, SLOTS, rate, rate / 2, (double)st.ops / (double)st.commits, raw64, rate / raw64);
}

int main(int argc, char **argv)
{
	bool is_short = argc > 1 && strcmp(argv[1], "--short") == 0;
	const char *where = argc > 1 + is_short ? argv[1 + is_short] : ".";
	size_t runs = is_short ? 200 : 1000, commits = is_short ? 200 : 1000;
	struct conf *conf = conf_make();
	struct world d;
	struct str wide, chain;
	double raw64, raw1, took, chains = 0, best = 1e9, one;

	folder_make(where);
	str_init(&wide, 1 << 20);
	str_init(&chain, 1 << 20);
	plan_write(&wide, "wide", STEPS, false);
	plan_write(&chain, "chain", CHAIN, true);
	world_make(&d, conf);
	raw64 = 64.0 * (double)commits / raw_commits(d.store, 64, commits);
	raw1 = raw_commits(d.store, 1, 10 * CHAIN) / 10;
	plans_store(&d, &wide, &chain);
	pool_up(&d);
	took = run_wide(&d, runs);
	report(&d, took, runs * STEPS, raw64);
	for (int i = 0; i < 10; i++) {
		one = run_chain(&d);
		chains += one;
		best = one < best ? one : best;
	}
	printf("writer: chain of %d steps, no worker: mean %.1f ms, best %.1f; %d bare commits: "
	       "%.1f ms; ratio %.2f\n",
	    CHAIN, chains * 100, best * 1e3, CHAIN, raw1 * 1e3, chains / 10 / raw1);
	writer_free(d.w);
	store_close(d.store);
	folder_remove();
	conf_free(conf);
	str_done(&wide);
	str_done(&chain);
	return 0;
}
