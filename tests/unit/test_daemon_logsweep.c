/* Which log and reject folders go: by age, by bytes, what no run owns; never those of an open run,
 * never anything behind a link. */
#include "core/daemon/logsweep.h"

#include "core/base/hash.h"
#include "core/base/mem.h"
#include "core/sched/codec.h"
#include "core/sched/table.h"
#include "core/store/env.h"
#include "leak.h"

#include <criterion/criterion.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define HOUR (3600 * US_PER_S)
#define DAY (24 * HOUR)
#define NOW (INT64_C(20000) * DAY)

struct ground {
	char dir[64];
	struct store *store;
	struct store_read *read;
	atomic_bool stop;
	struct sweep_options o;
	struct sweep_result r;
};

static const char *path_of(const struct ground *g, const char *rest)
{
	static char path[4][600];
	static int next;

	next = (next + 1) % 4;
	snprintf(path[next], sizeof(path[next]), "%s/%s", g->dir, rest);
	return path[next];
}

static bool there(const struct ground *g, const char *rest)
{
	struct stat st;

	return lstat(path_of(g, rest), &st) == 0;
}

static void age(const struct ground *g, const char *rest, wall_us age)
{
	struct timespec at[2] = {{.tv_sec = (NOW - age) / US_PER_S}};

	at[1] = at[0];
	cr_assert_eq(utimensat(AT_FDCWD, path_of(g, rest), at, AT_SYMLINK_NOFOLLOW), 0);
}

static void put_file(const struct ground *g, const char *rest, size_t n, wall_us old)
{
	static const char text[65536];
	FILE *f = fopen(path_of(g, rest), "w");

	cr_assert(f && fwrite(text, 1, n, f) == n && fclose(f) == 0, "%s", rest);
	age(g, rest, old);
}

/* The folder of a run: its name is the run's id, whose bytes are all `no`. */
static const char *run_folder(const struct ground *g, const char *root, uint8_t no)
{
	static char rest[4][200];
	static int next;
	uint8_t id[HASH_ID_BYTES];
	char text[HASH_ID_TEXT];

	memset(id, no, sizeof(id));
	hash_to_base32(id, text);
	next = (next + 1) % 4;
	snprintf(rest[next], sizeof(rest[next]), "%s/d", root);
	mkdir(path_of(g, root), 0700);
	mkdir(path_of(g, rest[next]), 0700);
	snprintf(rest[next], sizeof(rest[next]), "%s/d/%s", root, text);
	return rest[next];
}

/* A folder with one file of n bytes in it, and one of none in a folder below. */
static void put_run(const struct ground *g, const char *folder, size_t n, wall_us old)
{
	char rest[300];

	cr_assert_eq(mkdir(path_of(g, folder), 0700), 0);
	snprintf(rest, sizeof(rest), "%s/a.1.log", folder);
	put_file(g, rest, n, old);
	snprintf(rest, sizeof(rest), "%s/items", folder);
	cr_assert_eq(mkdir(path_of(g, rest), 0700), 0);
	snprintf(rest, sizeof(rest), "%s/items/x.1.log", folder);
	put_file(g, rest, 0, old);
	snprintf(rest, sizeof(rest), "%s/items", folder);
	age(g, rest, old);
	age(g, folder, old);
}

static void add_run(struct ground *g, uint8_t no, enum run_state state)
{
	struct run_rec r = {.no = no, .state = state};
	struct store_txn x;
	uint8_t n[8];

	memset(r.id, no, sizeof(r.id));
	str_copy(r.dag, sizeof(r.dag), "d");
	be_put64(n, no);
	store_txn_init(&x, g->store);
	cr_assert_eq(store_txn_begin(&x, true), 0);
	cr_assert_eq(run_put(&x.view, &r), 0);
	cr_assert_eq(view_put(&x.view, TABLE_RUN_ID, r.id, sizeof(r.id), n, sizeof(n)), 0);
	cr_assert_eq(store_txn_commit(&x), 0);
	store_txn_done(&x);
}

static void ground_make(struct ground *g)
{
	struct store_options so = {.create = true, .now = NOW};
	struct err err = {0};

	memset(g, 0, sizeof(*g));
	str_copy(g->dir, sizeof(g->dir), "/tmp/sluice-sweep-XXXXXX");
	cr_assert(mkdtemp(g->dir));
	so.dir = g->dir;
	cr_assert_eq(store_open(&so, &g->store, &err), 0, "%s", err.text);
	cr_assert_eq(store_read_new(g->store, &g->read, &err), 0, "%s", err.text);
	g->o = (struct sweep_options){.state = g->dir,
	    .read = g->read,
	    .now = NOW,
	    .keep_us = 10 * DAY,
	    .max_bytes = UINT64_MAX,
	    .stop = &g->stop};
	add_run(g, 1, RUN_SUCCEEDED);
	add_run(g, 2, RUN_FAILED);
	add_run(g, 3, RUN_RUNNING);
	add_run(g, 4, RUN_QUEUED);
}

static int remove_one(const char *path, const struct stat *st, int kind, struct FTW *at)
{
	(void)st, (void)kind, (void)at;
	return remove(path);
}

static void ground_remove(struct ground *g)
{
	store_read_free(g->read);
	store_close(g->store);
	cr_assert_eq(nftw(g->dir, remove_one, 16, FTW_DEPTH | FTW_PHYS), 0);
}

Test(daemon_logsweep, drops_by_age_and_leaves_open_runs)
{
	static const struct {
		const char *root;
		uint8_t run; /* 9 and more: the store knows none */
		wall_us age;
		bool stays;
	} cases[] = {
	    {"logs", 1, 11 * DAY, false},
	    {"rejects", 1, 11 * DAY, false},
	    {"logs", 2, 9 * DAY, true},
	    {"logs", 3, 99 * DAY, true},
	    {"rejects", 4, 99 * DAY, true},
	    {"logs", 9, 2 * HOUR, false},
	    {"logs", 10, HOUR / 2, true},
	};
	struct ground g;

	ground_make(&g);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		put_run(&g, run_folder(&g, cases[i].root, cases[i].run), 100, cases[i].age);
	cr_assert_eq(mkdir(path_of(&g, "logs/gone"), 0700), 0);
	put_run(&g, "logs/gone/no-run", 100, 2 * HOUR);
	logs_sweep(&g.o, &g.r);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		cr_assert_eq(there(&g, run_folder(&g, cases[i].root, cases[i].run)), cases[i].stays,
		    "case %zu", i);
	cr_assert(!there(&g, "logs/gone"), "the DAG's folder goes with its last run's");
	cr_assert_eq(g.r.files, 8, "%llu", (unsigned long long)g.r.files);
	cr_assert_eq(g.r.failed, 0);
	cr_assert_gt(g.r.dropped_bytes, 0);
	ground_remove(&g);
	LEAK_CHECK();
}

/* One file in a young folder keeps all of it: a run that is written to is not old. */
Test(daemon_logsweep, goes_by_the_newest_file_of_a_run)
{
	struct ground g;
	char rest[300];

	ground_make(&g);
	put_run(&g, run_folder(&g, "logs", 1), 100, 30 * DAY);
	snprintf(rest, sizeof(rest), "%s/items/x.1.log", run_folder(&g, "logs", 1));
	age(&g, rest, 2 * DAY);
	logs_sweep(&g.o, &g.r);
	cr_assert(there(&g, rest));
	age(&g, rest, 30 * DAY);
	logs_sweep(&g.o, &g.r);
	cr_assert(!there(&g, run_folder(&g, "logs", 1)));
	ground_remove(&g);
	LEAK_CHECK();
}

Test(daemon_logsweep, drops_the_oldest_while_there_are_too_many_bytes)
{
	struct ground g;
	uint64_t all;

	ground_make(&g);
	add_run(&g, 5, RUN_CANCELLED);
	put_run(&g, run_folder(&g, "logs", 3), 40000, 6 * DAY); /* the oldest, but open */
	put_run(&g, run_folder(&g, "logs", 2), 40000, 5 * DAY);
	put_run(&g, run_folder(&g, "rejects", 1), 40000, 4 * DAY);
	put_run(&g, run_folder(&g, "logs", 5), 40000, 3 * DAY);
	logs_sweep(&g.o, &g.r);
	all = g.r.bytes;
	cr_assert_eq(g.r.files, 0);
	cr_assert_geq(all, 4 * 40000);
	g.o.max_bytes = all;
	logs_sweep(&g.o, &g.r);
	cr_assert_eq(g.r.files, 0, "it is just enough");
	g.o.max_bytes = all - 1;
	logs_sweep(&g.o, &g.r);
	cr_assert(!there(&g, run_folder(&g, "logs", 2)));
	cr_assert(there(&g, run_folder(&g, "rejects", 1)));
	cr_assert_eq(g.r.files, 2);
	cr_assert_eq(g.r.bytes + g.r.dropped_bytes, all);
	g.o.max_bytes = 0;
	logs_sweep(&g.o, &g.r);
	cr_assert(!there(&g, run_folder(&g, "rejects", 1)));
	cr_assert(!there(&g, run_folder(&g, "logs", 5)));
	cr_assert(there(&g, run_folder(&g, "logs", 3)), "an open run keeps its logs");
	ground_remove(&g);
	LEAK_CHECK();
}

static void put_link(const struct ground *g, const char *to, const char *rest)
{
	cr_assert_eq(symlink(to, path_of(g, rest)), 0);
	age(g, rest, 99 * DAY);
}

Test(daemon_logsweep, follows_no_link)
{
	struct ground g;
	char away[128], rest[300];

	ground_make(&g);
	cr_assert_eq(mkdir(path_of(&g, "away"), 0700), 0);
	cr_assert_eq(mkdir(path_of(&g, "away/run"), 0700), 0);
	put_file(&g, "away/run/kept", 10, 99 * DAY);
	age(&g, "away/run", 99 * DAY);
	snprintf(away, sizeof(away), "%s/away/run", g.dir);
	put_run(&g, run_folder(&g, "logs", 1), 10, 99 * DAY);
	snprintf(rest, sizeof(rest), "%s/items/to-folder", run_folder(&g, "logs", 1));
	put_link(&g, away, rest);
	snprintf(rest, sizeof(rest), "%s/items", run_folder(&g, "logs", 1));
	age(&g, rest, 99 * DAY);
	put_link(&g, away, run_folder(&g, "logs", 2)); /* instead of a run's folder */
	put_link(&g, path_of(&g, "away"), "logs/dag"); /* instead of a DAG's */
	put_link(&g, path_of(&g, "away"), "rejects");  /* instead of all of them */
	logs_sweep(&g.o, &g.r);
	cr_assert(!there(&g, run_folder(&g, "logs", 1)), "the link goes with its folder");
	cr_assert(there(&g, "away/run/kept"), "what is behind it does not");
	cr_assert_eq(g.r.files, 3);
	ground_remove(&g);
	LEAK_CHECK();
}

Test(daemon_logsweep, ends_when_it_is_told_to)
{
	struct ground g;

	ground_make(&g);
	put_run(&g, run_folder(&g, "logs", 1), 10, 99 * DAY);
	atomic_store(&g.stop, true);
	logs_sweep(&g.o, &g.r);
	cr_assert(there(&g, run_folder(&g, "logs", 1)));
	cr_assert_eq(g.r.files, 0);
	ground_remove(&g);
	LEAK_CHECK();
}
