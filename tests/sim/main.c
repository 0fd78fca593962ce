/* main.c: seeds one after the other until there are enough targets; or one seed with its trace; or
 * each planted bug until it is found. */
#include "tests/sim/sim.h"

#include "core/base/hash.h"
#include "core/base/log.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define STEPS_MAX 3000000u
#define DUE_BATCH 256u /* as core/daemon/timer.c */
#define SELF_TEST_SEEDS 400u
#define SELF_TEST_S 240u

/* ---- one seed ---- */

static void world_draw(struct world *w)
{
	static const int64_t horizons[] = {3 * 3600, 10 * 86400, 250 * 86400};
	struct chance *c = &w->chance;
	bool lmdb = one_in(c, 20);
	struct sim_op *o;

	w->horizon = horizons[roll(c, 3)] * US_PER_S;
	if (lmdb)
		w->horizon /= 2;
	/* anywhere between 2021 and 2033, mostly not on a full minute */
	w->offset = INT64_C(1609459200) * US_PER_S + between(c, 0, 4380) * US_PER_DAY +
		    between(c, 0, US_PER_DAY);
	w->check_every = one_in(c, 40) ? 1 : 400;
	/* the daemon's own, or less, so that pages end in between */
	w->due_limit = one_in(c, 2) ? DUE_BATCH : (uint32_t)spread(c, 8, 100);
	w->conf.workers = 1 + roll(c, 6);
	w->conf.pools = w->conf_pools;
	w->conf.n_pools = 2;
	str_copy(w->conf_pools[0].name, PLAN_NAME_MAX, "db");
	w->conf_pools[0].size = 1 + roll(c, 4);
	str_copy(w->conf_pools[1].name, PLAN_NAME_MAX, "one");
	w->conf_pools[1].size = 1;
	w->env.random = w->seed | 1;
	w->wall_max = wall(w);
	prune_draw(w);
	w->prune_from = TIME_NONE;
	w->bed = bed_new(w, (lmdb || w->force_lmdb) && !w->force_mem);
	daemon_start(w);
	o = op_new(OP_PLANS);
	for (uint32_t d = 0; d < SIM_DAGS; d++) {
		w->first[d] = spec_draw(w, d);
		o->specs[d] = w->first[d];
		o->files[d] = (struct op_file){.path = w->first[d]->path,
		    .report = "{}",
		    .plan = w->first[d]->text,
		    .plan_n = strlen(w->first[d]->text)};
	}
	o->op.u.plans.files = o->files;
	o->op.u.plans.n_files = SIM_DAGS;
	submit(w, o);
	faults_draw(w);
	hooks_draw(w);
	later(w, w->horizon, EV_CALM, 0, 0, 0, NULL);
}

static void on_event(struct world *w, const struct event *e)
{
	switch (e->kind) {
	case EV_BATCH:
		if (e->b == w->life)
			on_batch(w);
		break;
	case EV_DELIVER:
		on_deliver(w, e->b, e->p);
		break;
	case EV_TIMER:
		if (e->c == w->life)
			on_timer(w, e->b);
		break;
	case EV_START_DAEMON:
		daemon_start(w);
		break;
	case EV_PRUNE:
		if (e->b == w->life)
			on_prune(w);
		break;
	case EV_PUBLISH:
	case EV_END:
	case EV_DIE:
		on_worker_event(w, e);
		break;
	case EV_SEND:
		on_send(w, e->a);
		break;
	case EV_FAULT:
		on_fault(w, (enum fault)e->a);
		break;
	case EV_PERSON:
		on_person(w, e->b);
		break;
	case EV_CLOCK_BACK:
		if (!w->calm)
			clock_step(w, (int64_t)e->b);
		break;
	case EV_HOLD:
		on_hold(w, e->a != 0);
		break;
	case EV_CALM:
		calm_down(w);
		break;
	case EV_LAST:
		last_plans(w);
		break;
	default:
		on_pool_event(w, e);
	}
}

static void event_drop(struct world *w, const struct event *e)
{
	if (e->kind == EV_DELIVER)
		posted_free(w, e->p);
	if (e->kind == EV_BLOCK)
		message_free(e->p);
	else if (e->kind == EV_OUT)
		sim_op_free(e->p);
}

static bool any_open(const struct world *w)
{
	for (size_t i = 1; i < w->runs.n; i++) {
		if (w->runs.v[i].there && !run_state_ended(w->runs.v[i].state))
			return true;
	}
	return false;
}

/* What still runs when nothing moves any more hangs: it is cancelled, and must then end. */
static bool cancel_rest(struct world *w, int *stage)
{
	struct sim_op *o;

	if ((*stage)++ > 0 || !any_open(w) || w->live.n == 0)
		return false;
	o = op_new(OP_CANCEL);
	o->op.u.cancel.all = true;
	submit(w, o);
	return true;
}

static void world_run(struct world *w)
{
	struct event e;
	int stage = 0;

	while (!w->failed) {
		if (!event_take(w, &e)) {
			if (!cancel_rest(w, &stage))
				break;
			continue;
		}
		if (++w->steps > STEPS_MAX)
			fail(w, "it never ends: %u events, the last one of kind %d", STEPS_MAX,
			    (int)e.kind);
		on_event(w, &e);
	}
	if (w->failed)
		return;
	mirror_end(w);
	remote_end(w);
	check_now(w);
	if (!w->failed)
		model_end(w);
}

static void world_free(struct world *w)
{
	struct event e;

	while (event_take(w, &e))
		event_drop(w, &e);
	for (size_t i = 0; i < w->queue.n; i++)
		sim_op_free(w->queue.v[i]);
	while (w->live.n > 0)
		attempt_free(w, w->live.v[0]);
	for (int i = 0; i < SIM_POOLS; i++) {
		while (w->pool[i].table.n > 0) {
			w->pool[i].table.v[0]->pool = (uint32_t)i;
			attempt_free(w, w->pool[i].table.v[0]);
		}
		VEC_DONE(&w->pool[i].table);
	}
	for (size_t i = 0; i < w->specs.n; i++)
		spec_free(w->specs.v[i]);
	copy_free(w->copy);
	bed_free(w->bed);
	map_done(&w->target_of);
	map_done(&w->counter_of);
	map_done(&w->dedupe_of);
	map_done(&w->step_of);
	map_done(&w->work_of);
	VEC_DONE(&w->works);
	VEC_DONE(&w->remotes);
	VEC_DONE(&w->told_once);
	VEC_DONE(&w->dropped);
	VEC_DONE(&w->queue);
	VEC_DONE(&w->live);
	VEC_DONE(&w->fx);
	VEC_DONE(&w->specs);
	VEC_DONE(&w->hooks);
	VEC_DONE(&w->targets);
	VEC_DONE(&w->counters);
	VEC_DONE(&w->msteps);
	VEC_DONE(&w->runs);
	VEC_DONE(&w->fresh);
	VEC_DONE(&w->batch_fresh);
	VEC_DONE(&w->refusals);
	fills_done(&w->fills);
	map_done(&w->newest_of);
	for (int d = 0; d < SIM_DAGS; d++)
		VEC_DONE(&w->open[d]);
	model_free(w);
	mem_free(w->heap);
}

struct options {
	uint64_t first, seeds, targets;
	bool trace, self_test, lmdb, mem, one;
};

static void print_last(const struct world *w)
{
	uint64_t from = w->last_n > 40 ? w->last_n - 40 : 0;

	for (uint64_t i = from; i < w->last_n; i++)
		printf("    %s\n", w->last[i % 40]);
}

/* 0, or 1 with what was wrong in why. */
static int seed_run(
    const struct options *o, uint64_t seed, struct figures *fig, char *why, size_t n)
{
	struct world *w = MEM_NEW(struct world);
	int bad;

	w->seed = seed;
	w->fig = fig;
	w->chance.state = seed * UINT64_C(0x9e3779b97f4a7c15) + 1;
	w->trace = o->trace;
	w->force_lmdb = o->lmdb;
	w->force_mem = o->mem;
	mutant_count = 0;
	world_draw(w);
	world_run(w);
	bad = w->failed;
	str_copy(why, n, w->why);
	if (bad && why != NULL && !o->self_test && !o->trace)
		print_last(w);
	fig->seeds++;
	fig->targets = fig->ticks + fig->events + fig->filled;
	fig->years += (double)w->horizon / (365.25 * 86400e6);
	world_free(w);
	mem_free(w);
	return bad;
}

/* ---- figures ---- */

static double seconds(int64_t us)
{
	return (double)us / 1e6;
}

static void print_figures(const struct figures *f, double took)
{
	printf("sim: %llu seeds, %llu targets (%llu ticks, %llu events in %llu deliveries), "
	       "%llu runs, %llu attempts, %llu effects\n",
	    (unsigned long long)f->seeds, (unsigned long long)f->targets,
	    (unsigned long long)f->ticks, (unsigned long long)f->events,
	    (unsigned long long)f->deliveries, (unsigned long long)f->runs,
	    (unsigned long long)f->attempts, (unsigned long long)f->effects);
	printf(
	    "sim: %llu operations (%llu refused) in %llu batches, %llu whole checks of the store\n",
	    (unsigned long long)f->ops, (unsigned long long)f->refused,
	    (unsigned long long)f->batches, (unsigned long long)f->checks);
	printf("sim: faults:");
	for (int i = 0; i < FAULT_N; i++) {
		if (fault_name((enum fault)i) != NULL)
			printf(" %s %llu", fault_name((enum fault)i),
			    (unsigned long long)f->faults[i]);
	}
	printf("\nsim: %llu works elsewhere in %llu polls", (unsigned long long)f->works,
	    (unsigned long long)f->polls);
	printf("; %llu reruns, %llu with another plan", (unsigned long long)f->reruns,
	    (unsigned long long)f->replanned);
	printf("; %llu runs dropped by retention", (unsigned long long)f->dropped);
	printf("\nsim: missed %llu, extra %llu; maximum lateness of a tick %.3f s with the daemon "
	       "there, %.3f s after it was away or the clock was set (%llu made up for later); of "
	       "a start "
	       "behind limits and pauses %.0f s\n",
	    (unsigned long long)f->missed, (unsigned long long)f->extra, seconds(f->late_up_us),
	    seconds(f->late_down_us), (unsigned long long)f->made_up, seconds(f->late_start_us));
	printf(
	    "sim: overlap left out %llu runs and cancelled %llu; %llu waited too long, %llu were "
	    "told late\n",
	    (unsigned long long)f->skipped, (unsigned long long)f->gave_way,
	    (unsigned long long)f->queue_timeouts, (unsigned long long)f->late);
	printf("sim: %llu backfills made %llu runs, %llu dry runs\n", (unsigned long long)f->fills,
	    (unsigned long long)f->filled, (unsigned long long)f->dry_runs);
	printf("sim: %.1f virtual years in %.1f s\n", f->years, took);
}

static double now_s(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static int run_all(const struct options *o)
{
	struct figures fig = {0};
	double began = now_s();
	char why[600];
	int bad = 0;

	for (uint64_t seed = o->first; bad < 5; seed++) {
		if (o->one	   ? seed > o->first
		    : o->seeds > 0 ? seed >= o->first + o->seeds
				   : fig.targets >= o->targets)
			break;
		if (seed_run(o, seed, &fig, why, sizeof(why)) == 0)
			continue;
		bad++;
		printf("sim: seed %llu FAILED: %s\n    again: tests/sim/sim --seed %llu --trace\n",
		    (unsigned long long)seed, why, (unsigned long long)seed);
	}
	print_figures(&fig, now_s() - began);
	return bad > 0;
}

/* ---- planted bugs ---- */

/* In a process of its own: a bug may also end in a crash or a loop. */
static int hunt(const struct options *o, enum mutant m)
{
	struct figures fig = {0};
	char why[600];

	mutant_active = m;
	alarm(SELF_TEST_S);
	for (uint64_t seed = 1; seed <= SELF_TEST_SEEDS; seed++) {
		if (seed_run(o, seed, &fig, why, sizeof(why)) == 0)
			continue;
		printf("killed    %-24s seed %-3llu %s: %s\n", mutant_name(m),
		    (unsigned long long)seed, mutant_what(m), why);
		return 0;
	}
	printf("SURVIVES  %-24s %s\n", mutant_name(m), mutant_what(m));
	return 1;
}

static int hunt_apart(const struct options *o, enum mutant m)
{
	int status;
	pid_t pid;

	fflush(stdout);
	pid = fork();
	if (pid == 0) {
		status = hunt(o, m);
		fflush(stdout);
		_exit(status);
	}
	if (pid < 0 || waitpid(pid, &status, 0) < 0)
		return 1;
	if (WIFEXITED(status))
		return WEXITSTATUS(status);
	printf("FAILED    %-24s its run ended by signal %d\n", mutant_name(m), WTERMSIG(status));
	return 1;
}

static int self_test(const struct options *o)
{
	int bad = 0;

	for (int m = MUTANT_NONE + 1; m < MUTANT_N; m++)
		bad += hunt_apart(o, (enum mutant)m);
	printf("sim: %d of %d planted bugs found\n", MUTANT_N - 1 - bad, MUTANT_N - 1);
	return bad > 0;
}

static int mutant_set(const char *name)
{
	for (int m = 0; m < MUTANT_N; m++) {
		if (strcmp(mutant_name((enum mutant)m), name) == 0) {
			mutant_active = (enum mutant)m;
			return 0;
		}
	}
	fprintf(stderr, "sim: there is no planted bug \"%s\"\n", name);
	return 1;
}

static int number(const char *text, uint64_t *ret)
{
	if (str_to_u64(text, ret) == 0)
		return 0;
	fprintf(stderr, "sim: \"%s\" is no number\n", text);
	return 1;
}

static int usage(void)
{
	fprintf(stderr, "usage: sim [--seed N] [--from N] [--seeds N] [--targets N] [--trace] "
			"[--lmdb | --memory]\n"
			"           [--mutant NAME] [--self-test]\n");
	return 2;
}

int main(int argc, char **argv)
{
	static const struct option longs[] = {{"seed", 1, NULL, 's'}, {"from", 1, NULL, 'f'},
	    {"seeds", 1, NULL, 'n'}, {"targets", 1, NULL, 't'}, {"trace", 0, NULL, 'v'},
	    {"lmdb", 0, NULL, 'l'}, {"memory", 0, NULL, 'm'}, {"mutant", 1, NULL, 'u'},
	    {"self-test", 0, NULL, 'S'}, {NULL, 0, NULL, 0}};
	struct options o = {.first = 1, .targets = 100000};
	int c, bad = 0;

	setvbuf(stdout, NULL, _IOLBF, 0); /* what was found is there even if it is stopped */
	log_init("sim", LOG_ERROR);	  /* LMDB in /dev/shm is worth a warning to others */
	while ((c = getopt_long(argc, argv, "", longs, NULL)) != -1) {
		if (c == 's' || c == 'f')
			bad += number(optarg, &o.first);
		else if (c == 'n')
			bad += number(optarg, &o.seeds);
		else if (c == 't')
			bad += number(optarg, &o.targets);
		else if (c == 'u')
			bad += mutant_set(optarg);
		else if (c == '?')
			return usage();
		o.one = o.one || c == 's';
		o.trace = o.trace || c == 'v';
		o.lmdb = o.lmdb || c == 'l';
		o.mem = o.mem || c == 'm';
		o.self_test = o.self_test || c == 'S';
	}
	if (bad > 0 || optind < argc)
		return usage();
	return o.self_test ? self_test(&o) : run_all(&o);
}
