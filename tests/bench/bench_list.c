/* bench_list.c: what a page of 100 runs costs with few and with 1 million runs in the store: all,
 * of a DAG, of a state, of a DAG in a state, and from the middle on. Records and indexes are put
 * there in large transactions; listing is the function that HTTP calls. Covers no HTTP.
 *
 * usage: bench_list [--short] [FOLDER] */
#include "core/sched/codec.h"
#include "core/sched/key.h"
#include "core/sched/show.h"
#include "core/sched/table.h"
#include "core/store/env.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define BATCH 20000
#define RARE 100000 /* each such run failed, the others succeeded */
#define DAGS 10
#define ROUNDS 9

static char dir[512];

static void must(int rc, const struct err *err)
{
	if (rc == 0)
		return;
	fprintf(stderr, "bench_list: %s %s\n", err_name(rc), err ? err->text : "");
	exit(1);
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

static void put_run(const struct view *v, uint64_t no)
{
	struct run_rec r = {.no = no, .dag_no = (uint32_t)(no % DAGS) + 1};
	struct key k;

	snprintf(r.dag, sizeof(r.dag), "d%u", r.dag_no);
	snprintf(r.key, sizeof(r.key), "%llu", (unsigned long long)no);
	memcpy(r.id, &no, sizeof(no));
	r.state = no % RARE == 0 ? RUN_FAILED : RUN_SUCCEEDED;
	r.window_start = r.window_end = r.logical_time = TIME_NONE;
	r.queued_at = r.started_at = r.ended_at = (wall_us)no * US_PER_S;
	must(run_put(v, &r), NULL);
	key_run_dag(&k, r.dag_no, no);
	must(view_put(v, TABLE_RUN_DAG, k.b, k.n, NULL, 0), NULL);
	key_run_state(&k, r.state, no);
	must(view_put(v, TABLE_RUN_STATE, k.b, k.n, NULL, 0), NULL);
}

static void put_dags(const struct view *v)
{
	struct dag_rec d = {0};
	uint8_t no[4];

	for (d.no = 1; d.no <= DAGS; d.no++) {
		snprintf(d.name, sizeof(d.name), "d%u", d.no);
		must(dag_put(v, &d), NULL);
		be_put32(no, d.no);
		must(view_put(v, TABLE_DAG_NAME, d.name, strlen(d.name), no, sizeof(no)), NULL);
	}
}

static void fill(struct store *s, uint64_t from, uint64_t to)
{
	struct store_txn x;

	store_txn_init(&x, s);
	while (from <= to) {
		must(store_txn_begin(&x, true), NULL);
		if (from == 1)
			put_dags(&x.view);
		for (int i = 0; i < BATCH && from <= to; i++)
			put_run(&x.view, from++);
		must(store_txn_commit(&x), NULL);
	}
	store_txn_done(&x);
}

/* Median of a page, in milliseconds. */
static double page(struct store *s, const struct list_query *q)
{
	double took[ROUNDS], t;
	char next[LIST_NEXT_MAX];
	struct err err = {0};
	struct store_txn x;
	struct str text;
	struct jw w;
	mono_us began;
	int i, k;

	str_init(&text, 1 << 22);
	store_txn_init(&x, s);
	for (i = 0; i < ROUNDS; i++) {
		str_reset(&text);
		jw_init(&w, &text);
		must(store_txn_begin(&x, false), NULL);
		began = clock_mono();
		jw_array(&w);
		must(list_runs(&x.view, q, &w, next, &err), &err);
		jw_end_array(&w);
		t = (double)(clock_mono() - began) / 1e3;
		store_txn_end(&x);
		for (k = i; k > 0 && took[k - 1] > t; k--)
			took[k] = took[k - 1];
		took[k] = t;
	}
	str_done(&text);
	store_txn_done(&x);
	return took[ROUNDS / 2];
}

int main(int argc, char **argv)
{
	bool is_short = argc > 1 && strcmp(argv[1], "--short") == 0;
	uint64_t few = 1000, many = is_short ? 50000 : 1000000;
	char middle[24];
	const struct {
		const char *what;
		struct list_query q;
	} rows[] = {
	    {"all", {.limit = 100, .since = TIME_NONE}},
	    {"of a DAG", {.limit = 100, .dag = "d3", .since = TIME_NONE}},
	    {"that failed", {.limit = 100, .state = "failed", .since = TIME_NONE}},
	    {"of a DAG, open", {.limit = 100, .dag = "d3", .state = "running", .since = TIME_NONE}},
	    {"of a DAG, failed",
		{.limit = 100, .dag = "d3", .state = "failed", .since = TIME_NONE}},
	    {"from the middle", {.limit = 100, .after = middle, .since = TIME_NONE}},
	};
	double small[sizeof(rows) / sizeof(rows[0])], large;
	struct store_options so = {.dir = dir, .create = true, .now = clock_wall()};
	struct store *s;
	struct err err = {0};

	snprintf(dir, sizeof(dir), "%s/bench-list-XXXXXX",
	    argc > 1 + is_short ? argv[1 + is_short] : ".");
	if (!mkdtemp(dir)) {
		perror(dir);
		return 1;
	}
	must(store_open(&so, &s, &err), &err);
	fill(s, 1, few);
	snprintf(middle, sizeof(middle), "%llu", (unsigned long long)few / 2);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		small[i] = page(s, &rows[i].q);
	fill(s, few + 1, many);
	snprintf(middle, sizeof(middle), "%llu", (unsigned long long)many / 2);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		large = page(s, &rows[i].q);
		printf(
		    "list: a page of runs %-17s %8.3f ms with %llu in the store, %.3f with %llu; "
		    "ratio %.2f (goal <= 10 ms)\n",
		    rows[i].what, large, (unsigned long long)many, small[i],
		    (unsigned long long)few, large / small[i]);
	}
	store_close(s);
	folder_remove();
	return 0;
}
