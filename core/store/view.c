/* view.c: `struct view` over an LMDB transaction. Each value is followed by the CRC32C of key and
 * value; an empty value (an index entry) has none. Next and prev go through one cursor per table
 * that lives as long as its transaction (reads: as long as the thread's reader). Owner: struct
 * store_txn. */
#define LOG_AT "store"
#include "core/store/env.h"

#include "core/base/hash.h"
#include "core/base/mem.h"

#include <string.h>

#define CRC_BYTES 4
#define VALUE_MAX (64u << 20)

static MDB_val val_of(struct slice s)
{
	union {
		const void *in;
		void *out;
	} p = {.in = s.p}; /* LMDB takes keys and values without const and does not write to them */

	return (MDB_val){.mv_size = s.n, .mv_data = p.out};
}

static uint32_t crc_of(struct slice key, const void *value, size_t n)
{
	return hash_crc32c(hash_crc32c(0, key.p, key.n), value, n);
}

/* Splits a stored value into value and CRC and compares. ret is set even when the CRC is wrong. */
static int value_open(struct slice key, const MDB_val *stored, struct slice *ret)
{
	const uint8_t *p = stored->mv_data;
	uint32_t crc;

	*ret = (struct slice){.p = p, .n = 0};
	if (stored->mv_size == 0)
		return 0;
	if (stored->mv_size <= CRC_BYTES)
		return ERR_CORRUPT;
	ret->n = stored->mv_size - CRC_BYTES;
	p += ret->n;
	crc = (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
	return crc == crc_of(key, ret->p, ret->n) ? 0 : ERR_CORRUPT;
}

static int view_lmdb_get(void *ctx, enum table t, struct slice key, struct slice *ret_value)
{
	struct store_txn *x = ctx;
	MDB_val k = val_of(key), v;
	int rc = x->store->dbi[t] == 0 ? MDB_NOTFOUND : mdb_get(x->txn, x->store->dbi[t], &k, &v);

	if (rc != 0)
		return store_rc(rc);
	return value_open(key, &v, ret_value);
}

static int put_flags(
    struct store_txn *x, enum table t, struct slice key, struct slice value, unsigned flags)
{
	MDB_val k = val_of(key), v = {0, NULL};
	uint32_t crc;
	char tail[CRC_BYTES];

	if (key.n == 0 || key.n > VIEW_KEY_MAX || value.n > VALUE_MAX)
		return ERR_LIMIT;
	/* Through a buffer of our own, because value may lie in a page that the put moves. */
	str_reset(&x->scratch);
	if (value.n) {
		crc = crc_of(key, value.p, value.n);
		tail[0] = (char)(crc >> 24);
		tail[1] = (char)(crc >> 16);
		tail[2] = (char)(crc >> 8);
		tail[3] = (char)crc;
		str_addn(&x->scratch, value.p, value.n);
		str_addn(&x->scratch, tail, sizeof(tail));
		if (x->scratch.failed)
			return ERR_NOMEM;
		v = (MDB_val){.mv_size = x->scratch.len, .mv_data = x->scratch.s};
	}
	return store_rc(mdb_put(x->txn, x->store->dbi[t], &k, &v, flags));
}

static int view_lmdb_put(void *ctx, enum table t, struct slice key, struct slice value)
{
	return put_flags(ctx, t, key, value, 0);
}

static int view_lmdb_add(void *ctx, enum table t, struct slice key, struct slice value)
{
	return put_flags(ctx, t, key, value, MDB_NOOVERWRITE);
}

static int view_lmdb_del(void *ctx, enum table t, struct slice key)
{
	struct store_txn *x = ctx;
	MDB_val k = val_of(key);

	return store_rc(mdb_del(x->txn, x->store->dbi[t], &k, NULL));
}

static int cursor_of(struct store_txn *x, enum table t, MDB_cursor **ret)
{
	int rc = 0;

	if (x->store->dbi[t] == 0) /* a table that the store's release did not have */
		return ERR_NOT_FOUND;
	if (x->cursor[t] && x->cursor_gen[t] != x->gen)
		rc = mdb_cursor_renew(x->txn, x->cursor[t]);
	else if (!x->cursor[t])
		rc = mdb_cursor_open(x->txn, x->store->dbi[t], &x->cursor[t]);
	if (rc != 0)
		return store_rc(rc);
	x->cursor_gen[t] = x->gen;
	*ret = x->cursor[t];
	return 0;
}

static int entry_out(
    const MDB_val *k, const MDB_val *v, struct slice *ret_key, struct slice *ret_value)
{
	struct slice value;
	int rc;

	*ret_key = (struct slice){.p = k->mv_data, .n = k->mv_size};
	rc = value_open(*ret_key, v, &value);
	if (ret_value)
		*ret_value = value;
	return rc;
}

static int view_lmdb_next(void *ctx, enum table t, struct slice from, bool after,
    struct slice *ret_key, struct slice *ret_value)
{
	struct store_txn *x = ctx;
	MDB_val k = val_of(from), v;
	MDB_cursor *c;
	int rc = cursor_of(x, t, &c);

	if (rc != 0)
		return rc;
	rc = mdb_cursor_get(c, &k, &v, from.n ? MDB_SET_RANGE : MDB_FIRST);
	if (rc == 0 && after && from.n && k.mv_size == from.n &&
	    memcmp(k.mv_data, from.p, from.n) == 0)
		rc = mdb_cursor_get(c, &k, &v, MDB_NEXT);
	return rc ? store_rc(rc) : entry_out(&k, &v, ret_key, ret_value);
}

static int view_lmdb_prev(
    void *ctx, enum table t, struct slice before, struct slice *ret_key, struct slice *ret_value)
{
	struct store_txn *x = ctx;
	MDB_val k = val_of(before), v;
	MDB_cursor *c;
	int rc = cursor_of(x, t, &c);

	if (rc != 0)
		return rc;
	rc = before.n ? mdb_cursor_get(c, &k, &v, MDB_SET_RANGE) : MDB_NOTFOUND;
	if (rc == 0)
		rc = mdb_cursor_get(c, &k, &v, MDB_PREV);
	else if (rc == MDB_NOTFOUND)
		rc = mdb_cursor_get(c, &k, &v, MDB_LAST);
	return rc ? store_rc(rc) : entry_out(&k, &v, ret_key, ret_value);
}

static int view_lmdb_plan(
    void *ctx, const uint8_t sha[HASH_SHA256_BYTES], const struct plan **ret, struct err *err)
{
	struct store_txn *x = ctx;
	const struct plan *found = plan_cache_find(x->plans, sha);
	struct plan *plan;
	struct slice text;
	int rc;

	if (found) {
		*ret = found;
		return 0;
	}
	rc = view_get(&x->view, TABLE_PLAN, sha, HASH_SHA256_BYTES, &text);
	if (rc != 0)
		return err_set(err, rc, "a plan is missing from the store: %s", err_text(rc));
	rc = plan_parse(text.p, text.n, &plan, err);
	if (rc != 0)
		return rc;
	if (memcmp(plan->sha, sha, HASH_SHA256_BYTES) != 0) {
		plan_free(plan);
		return err_set(
		    err, ERR_CORRUPT, "a plan in the store does not have the hash that names it");
	}
	*ret = plan_cache_add(x->plans, plan);
	return 0;
}

void store_txn_init(struct store_txn *t, struct store *s)
{
	memset(t, 0, sizeof(*t));
	t->store = s;
	t->view = (struct view){
	    .ctx = t,
	    .get = view_lmdb_get,
	    .put = view_lmdb_put,
	    .add = view_lmdb_add,
	    .del = view_lmdb_del,
	    .next = view_lmdb_next,
	    .prev = view_lmdb_prev,
	    .plan = view_lmdb_plan,
	};
	t->plans = plan_cache_new(STORE_PLAN_CACHE_BYTES);
	str_init(&t->scratch, VALUE_MAX + CRC_BYTES);
}

/* The reader that is kept for the next time, and the cursors that were opened in it. */
static void reader_drop(struct store_txn *t)
{
	for (int i = 0; i < TABLE_N; i++) {
		if (t->cursor[i])
			mdb_cursor_close(t->cursor[i]);
		t->cursor[i] = NULL;
	}
	if (t->txn)
		mdb_txn_abort(t->txn);
	t->txn = NULL;
}

void store_txn_done(struct store_txn *t)
{
	store_txn_end(t);
	reader_drop(t);
	plan_cache_free(t->plans);
	str_done(&t->scratch);
	memset(t, 0, sizeof(*t));
}

int store_txn_begin(struct store_txn *t, bool writable)
{
	int rc;

	if (writable)
		reader_drop(t);
	if (!writable && t->txn)
		rc = mdb_txn_renew(t->txn);
	else
		rc = mdb_txn_begin(t->store->env, NULL, writable ? 0 : MDB_RDONLY, &t->txn);
	if (rc != 0) {
		if (writable)
			t->txn = NULL;
		return store_rc(rc);
	}
	t->view.writable = writable;
	t->gen++;
	return 0;
}

/* LMDB closes the cursors of a write transaction with it. */
static void cursors_forget(struct store_txn *t)
{
	memset(t->cursor, 0, sizeof(t->cursor));
}

int store_txn_commit(struct store_txn *t)
{
	int rc;

	cursors_forget(t);
	rc = mdb_txn_commit(t->txn);
	t->txn = NULL;
	t->view.writable = false;
	return store_rc(rc);
}

void store_txn_end(struct store_txn *t)
{
	if (!t->txn)
		return;
	if (t->view.writable) {
		cursors_forget(t);
		mdb_txn_abort(t->txn);
		t->txn = NULL;
		t->view.writable = false;
	} else {
		mdb_txn_reset(t->txn);
	}
	plan_cache_trim(t->plans);
}

/* ---- readers ---- */

struct store_read {
	struct store_txn t;
	bool open;
};

int store_read_new(struct store *s, struct store_read **ret, struct err *err)
{
	struct store_read *r = MEM_NEW(struct store_read);
	int rc;

	store_txn_init(&r->t, s);
	rc = store_txn_begin(&r->t, false);
	if (rc != 0) {
		store_txn_done(&r->t);
		mem_free(r);
		return err_set(err, rc, "cannot read the store: %s", err_text(rc));
	}
	store_txn_end(&r->t);
	*ret = r;
	return 0;
}

void store_read_free(struct store_read *r)
{
	if (!r)
		return;
	store_txn_done(&r->t);
	mem_free(r);
}

const struct view *store_read_begin(struct store_read *r)
{
	if (r->open)
		store_txn_end(&r->t);
	r->open = store_txn_begin(&r->t, false) == 0;
	return r->open ? &r->t.view : NULL;
}

void store_read_end(struct store_read *r)
{
	if (!r->open)
		return;
	store_txn_end(&r->t);
	r->open = false;
}
