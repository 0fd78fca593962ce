/* memview.c: see memview.h. */
#include "memview.h"

#include "core/base/hash.h"

#include <string.h>

struct mem_entry {
	size_t key_n, value_n;
	uint8_t bytes[]; /* key, value */
};
struct mem_undo {
	enum table table;
	struct mem_entry *old; /* owned; NULL: the key was not there */
	struct mem_entry *key; /* owned */
};

static int compare(const struct mem_entry *e, struct slice key)
{
	size_t n = e->key_n < key.n ? e->key_n : key.n;
	int c = memcmp(e->bytes, key.p, n);

	if (c != 0)
		return c;
	return (e->key_n > key.n) - (e->key_n < key.n);
}

/* Index of the first entry >= key. */
static size_t lower(const struct memview *m, enum table t, struct slice key)
{
	size_t lo = 0, hi = m->table[t].n;

	while (lo < hi) {
		size_t mid = (lo + hi) / 2;

		if (compare(m->table[t].v[mid], key) < 0)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

static bool found(const struct memview *m, enum table t, size_t i, struct slice key)
{
	return i < m->table[t].n && compare(m->table[t].v[i], key) == 0;
}

static void return_lent(struct memview *m)
{
	for (size_t i = 0; i < m->lent.n; i++)
		mem_free(m->lent.v[i]);
	VEC_CLEAR(&m->lent);
}

static struct slice lend(struct memview *m, const void *p, size_t n)
{
	void *copy;

	if (m->plain)
		return (struct slice){p, n};
	copy = mem_alloc(n + 1);
	memcpy(copy, p, n);
	VEC_ADD(&m->lent, copy);
	return (struct slice){copy, n};
}

static struct mem_entry *entry_new(struct slice key, struct slice value)
{
	struct mem_entry *e = mem_alloc(sizeof(*e) + key.n + value.n);

	e->key_n = key.n;
	e->value_n = value.n;
	memcpy(e->bytes, key.p, key.n);
	if (value.n > 0)
		memcpy(e->bytes + key.n, value.p, value.n);
	return e;
}

static void remember(struct memview *m, enum table t, struct slice key, struct mem_entry *old)
{
	struct mem_undo *u = VEC_PUSH(&m->undo);

	u->table = t;
	u->old = old;
	u->key = entry_new(key, (struct slice){NULL, 0});
}

static void insert_at(struct memview *m, enum table t, size_t i, struct mem_entry *e)
{
	(void)VEC_PUSH(&m->table[t]);
	memmove(&m->table[t].v[i + 1], &m->table[t].v[i],
	    (m->table[t].n - 1 - i) * sizeof(struct mem_entry *));
	m->table[t].v[i] = e;
}

static struct mem_entry *take_at(struct memview *m, enum table t, size_t i)
{
	struct mem_entry *e = m->table[t].v[i];

	memmove(&m->table[t].v[i], &m->table[t].v[i + 1],
	    (m->table[t].n - 1 - i) * sizeof(struct mem_entry *));
	m->table[t].n--;
	return e;
}

static bool fails(struct memview *m)
{
	return ++m->writes == m->fail_at;
}

static int mem_get(void *ctx, enum table t, struct slice key, struct slice *ret)
{
	struct memview *m = ctx;
	size_t i = lower(m, t, key);

	if (!found(m, t, i, key))
		return ERR_NOT_FOUND;
	*ret = lend(m, m->table[t].v[i]->bytes + key.n, m->table[t].v[i]->value_n);
	return 0;
}

static int mem_put(void *ctx, enum table t, struct slice key, struct slice value)
{
	struct memview *m = ctx;
	struct mem_entry *e, *old = NULL;
	size_t i;

	if (key.n == 0 || key.n > VIEW_KEY_MAX)
		return ERR_LIMIT;
	if (fails(m))
		return ERR_FULL;
	e = entry_new(key, value);
	i = lower(m, t, key);
	if (found(m, t, i, key)) {
		old = m->table[t].v[i];
		m->table[t].v[i] = e;
	} else {
		insert_at(m, t, i, e);
	}
	remember(m, t, (struct slice){e->bytes, e->key_n}, old);
	return_lent(m);
	return 0;
}

static int mem_add(void *ctx, enum table t, struct slice key, struct slice value)
{
	struct memview *m = ctx;

	if (found(m, t, lower(m, t, key), key))
		return ERR_EXISTS;
	return mem_put(ctx, t, key, value);
}

static int mem_del(void *ctx, enum table t, struct slice key)
{
	struct memview *m = ctx;
	struct mem_entry *old;
	size_t i = lower(m, t, key);

	if (!found(m, t, i, key))
		return ERR_NOT_FOUND;
	if (fails(m))
		return ERR_FULL;
	old = take_at(m, t, i);
	remember(m, t, (struct slice){old->bytes, old->key_n}, old);
	return_lent(m);
	return 0;
}

static int entry_out(
    struct memview *m, enum table t, size_t i, struct slice *key, struct slice *value)
{
	const struct mem_entry *e = m->table[t].v[i];

	*key = lend(m, e->bytes, e->key_n);
	*value = lend(m, e->bytes + e->key_n, e->value_n);
	return 0;
}

static int mem_next(void *ctx, enum table t, struct slice from, bool after, struct slice *ret_key,
    struct slice *ret_value)
{
	struct memview *m = ctx;
	size_t i = from.n == 0 ? 0 : lower(m, t, from);

	if (after && from.n > 0 && found(m, t, i, from))
		i++;
	if (i >= m->table[t].n)
		return ERR_NOT_FOUND;
	return entry_out(m, t, i, ret_key, ret_value);
}

static int mem_prev(
    void *ctx, enum table t, struct slice before, struct slice *ret_key, struct slice *ret_value)
{
	struct memview *m = ctx;
	size_t i = before.n == 0 ? m->table[t].n : lower(m, t, before);

	return i == 0 ? ERR_NOT_FOUND : entry_out(m, t, i - 1, ret_key, ret_value);
}

static int mem_plan(
    void *ctx, const uint8_t sha[HASH_SHA256_BYTES], const struct plan **ret, struct err *err)
{
	struct memview *m = ctx;
	const struct plan *p = plan_cache_find(m->plans, sha);
	struct slice key = {sha, HASH_SHA256_BYTES}, text;
	struct plan *made;
	int rc;

	if (p == NULL) {
		rc = mem_get(ctx, TABLE_PLAN, key, &text);
		if (rc == 0)
			rc = plan_parse(text.p, text.n, &made, err);
		if (rc != 0)
			return rc;
		p = plan_cache_add(m->plans, made);
	}
	*ret = p;
	return 0;
}

void memview_init(struct memview *m)
{
	memset(m, 0, sizeof(*m));
	m->view = (struct view){
	    m, true, mem_get, mem_put, mem_add, mem_del, mem_next, mem_prev, mem_plan};
	m->plans = plan_cache_new(64u << 20);
}

void memview_commit(struct memview *m)
{
	for (size_t i = 0; i < m->undo.n; i++) {
		mem_free(m->undo.v[i].old);
		mem_free(m->undo.v[i].key);
	}
	VEC_CLEAR(&m->undo);
	return_lent(m);
	plan_cache_trim(m->plans);
}

void memview_begin(struct memview *m)
{
	memview_commit(m);
}

static void undo_one(struct memview *m, struct mem_undo *u)
{
	struct slice key = {u->key->bytes, u->key->key_n};
	size_t i = lower(m, u->table, key);

	if (found(m, u->table, i, key))
		mem_free(take_at(m, u->table, i));
	if (u->old != NULL)
		insert_at(m, u->table, i, u->old);
	mem_free(u->key);
}

void memview_abort(struct memview *m)
{
	while (m->undo.n > 0)
		undo_one(m, &m->undo.v[--m->undo.n]);
	return_lent(m);
}

size_t memview_count(const struct memview *m, enum table t)
{
	return m->table[t].n;
}

void memview_sum(const struct memview *m, uint8_t out[HASH_SHA256_BYTES])
{
	struct hash *h = hash_new();

	for (int t = 0; t < TABLE_N; t++) {
		hash_add(h, &t, sizeof(t));
		for (size_t i = 0; i < m->table[t].n; i++) {
			const struct mem_entry *e = m->table[t].v[i];

			hash_add(h, e, sizeof(*e) + e->key_n + e->value_n);
		}
	}
	hash_end(h, out);
}

void memview_done(struct memview *m)
{
	memview_commit(m);
	for (int t = 0; t < TABLE_N; t++) {
		for (size_t i = 0; i < m->table[t].n; i++)
			mem_free(m->table[t].v[i]);
		VEC_DONE(&m->table[t]);
	}
	VEC_DONE(&m->undo);
	VEC_DONE(&m->lent);
	plan_cache_free(m->plans);
}
