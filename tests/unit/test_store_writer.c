/* The writer with a scripted scheduler: order, grouping, what leaves before and after a commit, bad
 * ops, stop. */
#include "core/store/env.h"

#include "core/base/mem.h"
#include "leak.h"
#include "test_store_help.h"

#include <criterion/criterion.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>
#include <unistd.h>

/* The scripted op: cancel.run is the number to write; cancel.all: fail the transaction with
 * cancel.actor's code. */
enum { BAD_CORRUPT = 1, BAD_FULL };

struct world {
	struct temp_store t;
	struct writer *w;
	struct store_read *read;
	uint64_t order[5000];
	int rc[5000];
	size_t n, effects;
	bool effect_seen_uncommitted;
	int freed_conf;
	const struct conf *freed;
	atomic_int conf_rc;   /* what OP_CONF comes to */
	int64_t clock_offset; /* of the last OP_CLOCK */
	int clocks;
	atomic_int fatal;
};

static struct world *the_world; /* on_fatal has no argument */

static wall_us fixed_now(void)
{
	return 5;
}

static wall_us set_wall = 1000 * US_PER_S;
static mono_us set_mono;

static wall_us settable_now(void)
{
	return set_wall;
}

static mono_us settable_mono(void)
{
	return set_mono;
}

static int scripted_apply(const struct view *v, struct sched_env *env, const struct op *op,
    wall_us now, struct op_result *r, effect_vec *effects)
{
	struct effect e = {.kind = EFFECT_RUN, .id = op->u.cancel.run};
	uint64_t no = op->u.cancel.run;
	int rc;

	(void)now;
	if (op->kind == OP_CONF)
		return atomic_load(&the_world->conf_rc);
	if (op->kind == OP_CLOCK) {
		the_world->clocks++;
		the_world->clock_offset = op->u.clock.offset_us;
		return 0;
	}
	env->random++;
	rc = view_put(v, TABLE_RUN, &no, sizeof(no), "written", 7);
	if (rc != 0)
		return rc;
	r->count = (uint32_t)env->random;
	VEC_ADD(effects, e);
	if (op->u.cancel.all)
		return op->u.cancel.dag[0] == BAD_CORRUPT ? ERR_CORRUPT : ERR_FULL;
	return 0;
}

static int scripted_dispatch(
    const struct view *v, struct sched_env *env, wall_us now, effect_vec *effects)
{
	(void)v, (void)env, (void)now, (void)effects;
	return 0;
}

static bool is_stored(struct world *d, uint64_t no)
{
	const struct view *v = store_read_begin(d->read);
	struct slice value;
	bool there = view_get(v, TABLE_RUN, &no, sizeof(no), &value) == 0;

	store_read_end(d->read);
	return there;
}

static void on_effects(void *arg, const struct effect *v, size_t n)
{
	struct world *d = arg;

	d->effects += n;
	for (size_t i = 0; i < n; i++) {
		if (!is_stored(d, v[i].id))
			d->effect_seen_uncommitted = true;
	}
}

static void on_fatal(const struct err *err)
{
	(void)err;
	atomic_fetch_add(&the_world->fatal, 1);
}

static void free_conf(void *arg, const struct conf *old)
{
	struct world *d = arg;

	d->freed = old;
	d->freed_conf++;
}

static void on_done(void *arg, const struct op_result *r)
{
	struct world *d = arg;

	d->rc[d->n] = r->rc;
	d->order[d->n++] = r->count;
}

static void world_make_clocks(struct world *d, wall_us (*now)(void), mono_us (*mono)(void))
{
	struct writer_options o = {.now = now,
	    .mono = mono,
	    .arg = d,
	    .on_effects = on_effects,
	    .on_fatal = on_fatal,
	    .apply = scripted_apply,
	    .dispatch = scripted_dispatch,
	    .free_conf = free_conf};
	struct err err = {0};

	memset(d, 0, sizeof(*d));
	the_world = d;
	temp_store_make(&d->t, true);
	o.store = d->t.store;
	cr_assert_eq(store_read_new(d->t.store, &d->read, &err), 0);
	cr_assert_eq(writer_new(&o, &d->w, &err), 0, "%s", err.text);
}

static void world_make(struct world *d)
{
	world_make_clocks(d, fixed_now, NULL);
}

static void world_remove(struct world *d)
{
	writer_free(d->w);
	store_read_free(d->read);
	temp_store_remove(&d->t);
}

static void submit(struct world *d, uint64_t no, char bad)
{
	struct writer_op *op = writer_op_new(OP_CANCEL);
	char *arena = mem_alloc(1);

	arena[0] = bad;
	op->arena = arena;
	op->free_arena = mem_free;
	op->op.u.cancel.run = no;
	op->op.u.cancel.all = bad != 0;
	op->op.u.cancel.dag = arena;
	op->done = on_done;
	op->arg = d;
	cr_assert_eq(writer_submit(d->w, op), 0);
}

static void wait_for(struct world *d, size_t n)
{
	struct pollfd p = {.fd = writer_fd(d->w), .events = POLLIN};

	while (d->n < n) {
		cr_assert_gt(poll(&p, 1, 10000), 0, "%zu of %zu results came", d->n, n);
		writer_deliver(d->w);
	}
}

Test(store_writer, answers_every_op_in_order_after_its_commit)
{
	struct world d;
	struct writer_stats st;

	world_make(&d);
	for (uint64_t i = 0; i < 3000; i++)
		submit(&d, i, 0);
	wait_for(&d, 3000);
	for (size_t i = 0; i < 3000; i++) {
		cr_assert_eq(d.rc[i], 0);
		cr_assert_eq(d.order[i], i + 1);
	}
	cr_assert_eq(d.effects, 3000);
	cr_assert(!d.effect_seen_uncommitted);
	writer_stats(d.w, &st);
	cr_assert_eq(st.ops, 3000);
	cr_assert_leq(st.batch_max, 1024);
	cr_assert_lt(st.commits, 1500, "%llu commits for 3000 ops", (unsigned long long)st.commits);
	world_remove(&d);
	LEAK_CHECK();
}

Test(store_writer, a_bad_op_sinks_only_itself)
{
	struct world d;

	world_make(&d);
	for (uint64_t i = 0; i < 300; i++)
		submit(&d, i, i == 100 ? BAD_CORRUPT : i == 200 ? BAD_FULL : 0);
	wait_for(&d, 300);
	for (size_t i = 0; i < 300; i++) {
		cr_assert_eq(d.rc[i],
		    i == 100   ? ERR_CORRUPT
		    : i == 200 ? ERR_FULL
			       : 0,
		    "op %zu", i);
		cr_assert_eq(is_stored(&d, i), d.rc[i] == 0, "op %zu", i);
	}
	/* The scheduler's own state went back with the transactions that were thrown away. */
	cr_assert_eq(d.order[299], 298);
	cr_assert_eq(d.effects, 298);
	cr_assert_eq(d.fatal, 0);
	world_remove(&d);
	LEAK_CHECK();
}

Test(store_writer, hands_back_each_replaced_configuration_once)
{
	struct world d;
	struct conf one, two;

	memset(&one, 0, sizeof(one));
	memset(&two, 0, sizeof(two));
	world_make(&d);
	cr_assert_eq(writer_set_conf(d.w, &one), 0); /* replaces none */
	cr_assert_eq(writer_set_conf(d.w, &two), 0); /* replaces one */
	submit(&d, 1, 0);
	wait_for(&d, 1);
	cr_assert_eq(d.freed_conf, 1);
	world_remove(&d);
	LEAK_CHECK();
}

/* The daemon goes by a configuration from the moment that it has submitted it: where the store
 * cannot take the op (its disk is full), that one must not be freed, but the one before. */
Test(store_writer, keeps_the_configuration_in_force_whose_op_fails)
{
	struct world d;
	struct conf one, two, three;

	memset(&one, 0, sizeof(one));
	memset(&two, 0, sizeof(two));
	memset(&three, 0, sizeof(three));
	world_make(&d);
	cr_assert_eq(writer_set_conf(d.w, &one), 0);
	submit(&d, 1, 0);
	wait_for(&d, 1);
	atomic_store(&d.conf_rc, ERR_FULL);
	cr_assert_eq(writer_set_conf(d.w, &two), 0);
	submit(&d, 2, 0);
	wait_for(&d, 2);
	cr_assert_eq(d.freed_conf, 1);
	cr_assert_eq(d.freed, &one, "the new one was freed, which is in use");
	atomic_store(&d.conf_rc, 0);
	cr_assert_eq(writer_set_conf(d.w, &three), 0);
	submit(&d, 3, 0);
	wait_for(&d, 3);
	cr_assert_eq(d.freed_conf, 2);
	cr_assert_eq(d.freed, &two);
	world_remove(&d);
	LEAK_CHECK();
}

/* OP_CLOCK comes once at the start and once per step, before the op that saw the new time. */
Test(store_writer, tells_of_a_step_of_the_clock_first)
{
	static const struct {
		int64_t mono_ms, step_ms;
		int clocks;
	} rows[] = {{0, 0, 1}, {60000, 0, 1}, {10, 99, 1}, {10, 1, 2}, {10, -3600000, 3},
	    {10, 0, 3}, {3600000, 90, 3}};
	int64_t offset = set_wall;
	struct world d;

	world_make_clocks(&d, settable_now, settable_mono);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		set_mono += rows[i].mono_ms * US_PER_MS;
		set_wall += (rows[i].mono_ms + rows[i].step_ms) * US_PER_MS;
		offset += rows[i].step_ms * US_PER_MS;
		submit(&d, i + 1, 0);
		wait_for(&d, i + 1);
		cr_assert_eq(d.clocks, rows[i].clocks, "row %zu: %d", i, d.clocks);
		if (i == 0 || rows[i].clocks > rows[i - 1].clocks)
			cr_assert_eq(d.clock_offset, offset, "row %zu", i);
	}
	world_remove(&d);
	LEAK_CHECK();
}

Test(store_writer, stop_commits_what_was_submitted_and_refuses_more)
{
	struct world d;
	struct writer_op *late = writer_op_new(OP_CANCEL);

	world_make(&d);
	for (uint64_t i = 0; i < 2500; i++)
		submit(&d, i, 0);
	writer_stop(d.w);
	cr_assert_eq(writer_submit(d.w, late), ERR_CLOSED);
	writer_op_free(late);
	writer_deliver(d.w);
	cr_assert_eq(d.n, 2500);
	cr_assert(is_stored(&d, 2499));
	world_remove(&d);
	LEAK_CHECK();
}

Test(store_writer, frees_what_was_never_delivered)
{
	struct world d;

	world_make(&d);
	for (uint64_t i = 0; i < 500; i++)
		submit(&d, i, 0);
	writer_stop(d.w);
	world_remove(&d);
	LEAK_CHECK();
}
