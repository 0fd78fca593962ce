/* view.c: table names, shorthands and the prefix walk over any implementation of struct view. */
#include "core/sched/view.h"

#include <string.h>

const char *table_name(enum table t)
{
#define TABLE_NAME(id, name) name,
	static const char *const names[] = {TABLE_LIST(TABLE_NAME)};
#undef TABLE_NAME

	return (unsigned)t < TABLE_N ? names[t] : "?";
}

int view_get(const struct view *v, enum table t, const void *key, size_t n, struct slice *ret_value)
{
	return v->get(v->ctx, t, (struct slice){key, n}, ret_value);
}

int view_put(const struct view *v, enum table t, const void *key, size_t n, const void *value,
    size_t value_n)
{
	return v->put(v->ctx, t, (struct slice){key, n}, (struct slice){value, value_n});
}

int view_add(const struct view *v, enum table t, const void *key, size_t n, const void *value,
    size_t value_n)
{
	return v->add(v->ctx, t, (struct slice){key, n}, (struct slice){value, value_n});
}

int view_del(const struct view *v, enum table t, const void *key, size_t n)
{
	return v->del(v->ctx, t, (struct slice){key, n});
}

void view_walk_init(struct view_walk *w, const struct view *v, enum table t, const void *prefix,
    size_t n, bool reverse)
{
	w->view = v;
	w->table = t;
	if (n > sizeof(w->key))
		n = sizeof(w->key);
	if (n > 0)
		memcpy(w->key, prefix, n);
	w->key_n = n;
	w->prefix_n = n;
	w->started = false;
	w->reverse = reverse;
}

/* The first key behind all those with the prefix; length 0 where there is none (all bytes are
 * 0xff). */
static size_t after_prefix(const struct view_walk *w, uint8_t *out)
{
	size_t n = w->prefix_n;

	memcpy(out, w->key, n);
	while (n > 0 && out[n - 1] == 0xff)
		n--;
	if (n > 0)
		out[n - 1]++;
	return n;
}

static int walk_step(struct view_walk *w, struct slice *key, struct slice *value)
{
	const struct view *v = w->view;
	uint8_t bound[VIEW_KEY_MAX];
	struct slice at = {w->key, w->key_n};

	if (!w->reverse)
		return v->next(v->ctx, w->table, at, w->started, key, value);
	if (!w->started)
		at = (struct slice){bound, after_prefix(w, bound)};
	return v->prev(v->ctx, w->table, at, key, value);
}

int view_walk_next(struct view_walk *w, struct slice *ret_value)
{
	struct slice key, value;
	int rc = walk_step(w, &key, &value);

	if (rc != 0)
		return rc;
	if (key.n > sizeof(w->key))
		return ERR_CORRUPT;
	if (key.n < w->prefix_n || memcmp(key.p, w->key, w->prefix_n) != 0)
		return ERR_NOT_FOUND;
	memcpy(w->key, key.p, key.n);
	w->key_n = key.n;
	w->started = true;
	if (ret_value != NULL)
		*ret_value = value;
	return 0;
}
