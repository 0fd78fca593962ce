/* resource.c: what an attempt takes besides its slot: tokens of pools, the one place of an
 * exclusive step, a place among a group's max_parallel items.
 *
 * A ready step that cannot have one of them stands in table blocked under that one, in order, and
 * is looked at again only when the resource is given back: blocked steps cost nothing. The key
 * behind the resource's name is exactly the key of table ready, so that a wake-up needs neither run
 * nor plan. */
#include "core/sched/tx.h"

#include "core/sched/codec.h"

#include <stdio.h>
#include <string.h>

#define PLACE_ONLY 0u
#define PLACE_GROUP 1u
#define PLACE_POOLS 2u

static uint32_t pool_size(const struct sched_env *env, const char *name)
{
	for (size_t i = 0; env->conf != NULL && i < env->conf->n_pools; i++) {
		if (strcmp(env->conf->pools[i].name, name) == 0)
			return env->conf->pools[i].size;
	}
	return 1; /* a pool that the configuration no longer names: one at a time */
}

static void resource_pool(
    const struct tx *x, const struct plan_step *p, uint32_t i, struct resource *ret)
{
	const struct json *j = json_first(p->pools);
	int64_t need;

	while (i-- > 0)
		j = json_next(j);
	need = json_i64(j, 1);

	snprintf(ret->name, sizeof(ret->name), "pool:%s", json_key(j));
	ret->need = need < 1 ? 1 : (uint32_t)need;
	ret->size = pool_size(x->env, json_key(j));
}

bool step_resource(const struct tx *x, const struct step_rec *s, uint32_t i, struct resource *ret)
{
	const struct plan_step *p = &x->plan->steps[s->step];

	ret->need = 0;
	ret->size = 1;
	ret->is_group = false;
	if (i == PLACE_ONLY) {
		if (p->exclusive) {
			snprintf(ret->name, sizeof(ret->name), "only:%s/%s/%s", x->run.dag, p->name,
			    s->item_key);
			ret->need = 1;
		}
		return true;
	}
	if (i == PLACE_GROUP) {
		if (s->item > 0 && p->foreach->max_parallel > 0) {
			snprintf(ret->name, sizeof(ret->name), "group:%llu/%u",
			    (unsigned long long)x->run.no, s->step);
			ret->need = 1;
			ret->size = p->foreach->max_parallel;
			ret->is_group = true;
		}
		return true;
	}
	if (p->pools == NULL || i - PLACE_POOLS >= json_len(p->pools))
		return false;
	resource_pool(x, p, i - PLACE_POOLS, ret);
	return true;
}

int resource_used(struct tx *x, const struct step_rec *s, const struct resource *r, uint64_t *ret)
{
	struct step_rec *group;
	int rc;

	if (!r->is_group)
		return count_get(x->v, r->name, ret);
	rc = group_open(x, s->step, &group);
	if (rc == 0)
		*ret = group->items_running;
	return rc;
}

/* What wants more than there is at all may have it alone: it would wait for ever otherwise. */
bool resource_fits(const struct resource *r, uint64_t used)
{
	return used == 0 || used + r->need <= r->size;
}

/* Only of what is taken by more than one at a time: otherwise who waits first would fit as well. */
int resource_claimed(struct tx *x, const struct step_rec *s, const struct resource *r, bool *ret)
{
	int priority = x->run.priority + x->plan->steps[s->step].priority;
	struct step_ref ref = step_ref_of(s);
	size_t prefix = strlen(r->name) + 1;
	struct view_walk w;
	struct key own;
	int rc;

	*ret = false;
	if (r->is_group || r->size < 2)
		return 0;
	view_walk_init(&w, x->v, TABLE_BLOCKED, r->name, prefix, false);
	rc = view_walk_next(&w, NULL);
	if (rc != 0)
		return rc == ERR_NOT_FOUND ? 0 : rc;
	key_blocked(&own, r->name, priority, s->ready_at, &ref);
	*ret = w.key_n == own.n && memcmp(w.key, own.b, own.n) < 0;
	return 0;
}

int resources_take(struct tx *x, const struct step_rec *s)
{
	struct resource r;
	int rc = 0;

	for (uint32_t i = 0; rc == 0 && step_resource(x, s, i, &r); i++) {
		if (r.need > 0 && !r.is_group) /* the group's count moves with the item's state */
			rc = count_change(x, r.name, r.need);
	}
	return rc;
}

int resources_release(struct tx *x, const struct step_rec *s, bool held)
{
	struct resource r;
	uint64_t used;
	int rc = 0;

	for (uint32_t i = 0; rc == 0 && step_resource(x, s, i, &r); i++) {
		if (r.need == 0)
			continue;
		if (held && !r.is_group)
			rc = count_change(x, r.name, -(int64_t)r.need);
		if (rc == 0)
			rc = resource_used(x, s, &r, &used);
		if (rc == 0)
			rc = resource_wake(x, r.name, used, r.size);
	}
	return rc;
}

/* key: the whole entry in blocked; prefix: bytes of the resource's name with its zero. */
static int wake_one(struct tx *x, const uint8_t *key, size_t n, size_t prefix)
{
	struct step_rec s;
	struct step_ref ref;
	int rc = key_tail_step((struct slice){key, n}, &ref);

	if (rc == 0)
		rc = must(step_get(x->v, &ref, &s));
	if (rc == 0)
		rc = must(view_del(x->v, TABLE_BLOCKED, key, n));
	if (rc == 0)
		rc = view_put(x->v, TABLE_READY, key + prefix, n - prefix, NULL, 0);
	s.blocked = 0;
	return rc != 0 ? rc : step_put(x->v, &s);
}

int resource_wake(struct tx *x, const char *name, uint64_t used, uint32_t size)
{
	size_t prefix = strlen(name) + 1;
	struct view_walk w;
	struct slice value;
	int rc;

	for (;;) {
		struct resource r = {.size = size};

		view_walk_init(&w, x->v, TABLE_BLOCKED, name, prefix, false);
		rc = view_walk_next(&w, &value);
		if (rc != 0)
			return rc == ERR_NOT_FOUND ? 0 : rc;
		if (value.n != 4)
			return ERR_CORRUPT;
		r.need = be_get32(value.p);
		if (!resource_fits(&r, used))
			return 0;
		rc = wake_one(x, w.key, w.key_n, prefix);
		if (rc != 0)
			return rc;
		used += r.need;
	}
}
