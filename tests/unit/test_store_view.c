/* The view over LMDB against a sorted array, and damage seen by its checksums. */
#include "core/store/env.h"

#include "core/base/hash.h"
#include "core/base/mem.h"
#include "leak.h"
#include "test_store_help.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#define KEYS 400

struct model {
	bool there[KEYS];
	uint32_t value[KEYS];
};

static void key_make(int i, char key[8])
{
	snprintf(key, 8, "k%04d", i);
}

static void check_value(struct slice value, uint32_t want, int i)
{
	cr_assert_eq(value.n, 4 + want % 900, "key %d", i);
	cr_assert_eq(memcmp(value.p, &want, 4), 0, "key %d", i);
}

static void check_next(const struct view *v, const struct model *m, int i, bool after)
{
	struct slice key, value;
	char from[8], want_key[8];
	int want = i + after, rc;

	while (want < KEYS && !m->there[want])
		want++;
	key_make(i, from);
	rc = v->next(v->ctx, TABLE_RUN, (struct slice){from, 5}, after, &key, &value);
	if (want == KEYS) {
		cr_assert_eq(rc, ERR_NOT_FOUND);
		return;
	}
	cr_assert_eq(rc, 0);
	key_make(want, want_key);
	cr_assert_eq(memcmp(key.p, want_key, 5), 0);
	check_value(value, m->value[want], want);
}

static void check_prev(const struct view *v, const struct model *m, int i)
{
	struct slice key, value;
	char from[8], want_key[8];
	int want = i - 1, rc;

	while (want >= 0 && !m->there[want])
		want--;
	key_make(i, from);
	rc = v->prev(v->ctx, TABLE_RUN, (struct slice){from, 5}, &key, &value);
	if (want < 0) {
		cr_assert_eq(rc, ERR_NOT_FOUND);
		return;
	}
	cr_assert_eq(rc, 0);
	key_make(want, want_key);
	cr_assert_eq(memcmp(key.p, want_key, 5), 0);
	check_value(value, m->value[want], want);
}

static void put_one(const struct view *v, struct model *m, int i, uint32_t value, bool add)
{
	uint8_t bytes[4 + 900];
	char key[8];
	int rc;

	key_make(i, key);
	memset(bytes, (int)value & 0xff, sizeof(bytes));
	memcpy(bytes, &value, 4);
	rc = add ? view_add(v, TABLE_RUN, key, 5, bytes, 4 + value % 900)
		 : view_put(v, TABLE_RUN, key, 5, bytes, 4 + value % 900);
	cr_assert_eq(rc, add && m->there[i] ? ERR_EXISTS : 0);
	if (rc != 0)
		return;
	m->there[i] = true;
	m->value[i] = value;
}

static void del_one(const struct view *v, struct model *m, int i)
{
	char key[8];

	key_make(i, key);
	cr_assert_eq(view_del(v, TABLE_RUN, key, 5), m->there[i] ? 0 : ERR_NOT_FOUND);
	m->there[i] = false;
}

static void random_step(const struct view *v, struct model *m, uint32_t r)
{
	int i = (int)(r >> 8) % KEYS;
	struct slice value;
	char key[8];

	switch (r & 7) {
	case 0:
	case 1:
		put_one(v, m, i, r, false);
		return;
	case 2:
		put_one(v, m, i, r, true);
		return;
	case 3:
	case 4:
		del_one(v, m, i);
		return;
	case 5:
		check_next(v, m, i, r & 8);
		return;
	case 6:
		check_prev(v, m, i);
		return;
	default:
		key_make(i, key);
		cr_assert_eq(
		    view_get(v, TABLE_RUN, key, 5, &value), m->there[i] ? 0 : ERR_NOT_FOUND);
		if (m->there[i])
			check_value(value, m->value[i], i);
	}
}

Test(store_view, does_what_a_sorted_array_does)
{
	struct temp_store t;
	struct store_txn x;
	struct model m, committed;
	uint32_t r = 12345;

	memset(&m, 0, sizeof(m));
	temp_store_make(&t, true);
	store_txn_init(&x, t.store);
	for (int round = 0; round < 60; round++) {
		committed = m;
		cr_assert_eq(store_txn_begin(&x, true), 0);
		for (int i = 0; i < 1000; i++) {
			r = r * 1664525u + 1013904223u;
			random_step(&x.view, &m, r ^ r >> 15);
		}
		if (round % 3 == 2) {
			store_txn_end(&x); /* thrown away */
			m = committed;
		} else {
			cr_assert_eq(store_txn_commit(&x), 0);
		}
	}
	store_txn_done(&x);
	temp_store_remove(&t);
	LEAK_CHECK();
}

Test(store_view, readers_keep_their_snapshot_until_renewed)
{
	struct temp_store t;
	struct store_txn x;
	struct store_read *r;
	const struct view *v;
	struct slice key, value;

	temp_store_make(&t, true);
	store_txn_init(&x, t.store);
	cr_assert_eq(store_read_new(t.store, &r, NULL), 0);
	for (int i = 0; i < 3; i++) {
		char name = (char)('a' + i);

		v = store_read_begin(r);
		cr_assert_eq(store_txn_begin(&x, true), 0);
		cr_assert_eq(view_put(&x.view, TABLE_RUN, &name, 1, "value", 5), 0);
		cr_assert_eq(store_txn_commit(&x), 0);
		cr_assert_eq(view_get(v, TABLE_RUN, &name, 1, &value), ERR_NOT_FOUND);
		store_read_end(r);
		v = store_read_begin(r);
		cr_assert_eq(view_get(v, TABLE_RUN, &name, 1, &value), 0);
		cr_assert_eq(
		    v->next(v->ctx, TABLE_RUN, (struct slice){&name, 1}, false, &key, &value), 0);
		cr_assert_eq(value.n, 5);
		store_read_end(r);
	}
	store_read_free(r);
	store_txn_done(&x);
	temp_store_remove(&t);
	LEAK_CHECK();
}

Test(store_view, one_struct_reads_and_then_writes)
{
	struct temp_store t;
	struct store_txn x;
	struct slice value;

	temp_store_make(&t, true);
	store_txn_init(&x, t.store);
	for (int i = 0; i < 3; i++) {
		char name = (char)('a' + i);

		cr_assert_eq(store_txn_begin(&x, false), 0);
		cr_assert_eq(view_get(&x.view, TABLE_RUN, &name, 1, &value), ERR_NOT_FOUND);
		store_txn_end(&x);
		cr_assert_eq(store_txn_begin(&x, true), 0);
		cr_assert_eq(view_get(&x.view, TABLE_RUN, &name, 1, &value), ERR_NOT_FOUND);
		cr_assert_eq(view_put(&x.view, TABLE_RUN, &name, 1, "value", 5), 0);
		cr_assert_eq(view_get(&x.view, TABLE_RUN, &name, 1, &value), 0);
		cr_assert_eq(store_txn_commit(&x), 0);
	}
	store_txn_done(&x);
	temp_store_remove(&t);
	LEAK_CHECK();
}

Test(store_view, an_empty_value_stays_empty_and_long_keys_are_refused)
{
	struct temp_store t;
	struct store_txn x;
	struct slice value;
	char key[VIEW_KEY_MAX + 1];

	memset(key, 'k', sizeof(key));
	temp_store_make(&t, true);
	store_txn_init(&x, t.store);
	cr_assert_eq(store_txn_begin(&x, true), 0);
	cr_assert_eq(view_put(&x.view, TABLE_READY, key, VIEW_KEY_MAX, NULL, 0), 0);
	cr_assert_eq(view_get(&x.view, TABLE_READY, key, VIEW_KEY_MAX, &value), 0);
	cr_assert_eq(value.n, 0);
	cr_assert_eq(view_put(&x.view, TABLE_READY, key, VIEW_KEY_MAX + 1, NULL, 0), ERR_LIMIT);
	store_txn_end(&x);
	store_txn_done(&x);
	temp_store_remove(&t);
	LEAK_CHECK();
}

/* Flips one bit of the stored bytes of a value, below the view. */
static void damage(struct store_txn *x, enum table table, const char *key)
{
	MDB_val k = {strlen(key), NULL}, v;
	uint8_t copy[64];
	char name[64];

	memcpy(name, key, strlen(key) + 1);
	k.mv_data = name;
	cr_assert_eq(mdb_get(x->txn, x->store->dbi[table], &k, &v), 0);
	cr_assert_leq(v.mv_size, sizeof(copy));
	memcpy(copy, v.mv_data, v.mv_size);
	copy[1] ^= 4;
	v.mv_data = copy;
	cr_assert_eq(mdb_put(x->txn, x->store->dbi[table], &k, &v, 0), 0);
}

Test(store_view, one_flipped_bit_is_corruption_and_the_walk_goes_on)
{
	struct temp_store t;
	struct store_txn x;
	struct slice key, value;

	temp_store_make(&t, true);
	store_txn_init(&x, t.store);
	cr_assert_eq(store_txn_begin(&x, true), 0);
	cr_assert_eq(view_put(&x.view, TABLE_DAG, "one", 3, "value", 5), 0);
	cr_assert_eq(view_put(&x.view, TABLE_DAG, "two", 3, "value", 5), 0);
	damage(&x, TABLE_DAG, "one");
	cr_assert_eq(view_get(&x.view, TABLE_DAG, "one", 3, &value), ERR_CORRUPT);
	cr_assert_eq(view_get(&x.view, TABLE_DAG, "two", 3, &value), 0);
	cr_assert_eq(x.view.next(x.view.ctx, TABLE_DAG, (struct slice){"a", 1}, true, &key, &value),
	    ERR_CORRUPT);
	cr_assert_eq(key.n, 3);
	cr_assert_eq(
	    x.view.next(x.view.ctx, TABLE_DAG, (struct slice){"one", 3}, true, &key, &value), 0);
	store_txn_end(&x);
	store_txn_done(&x);
	temp_store_remove(&t);
	LEAK_CHECK();
}
