/* cache.c: parsed plans by hash, least recently used out first. One per thread, so no lock. A small
 * open-addressed table would do; chains over 256 heads are simpler and as fast at the sizes at hand
 * (thousands of plans). */
#include "core/base/mem.h"
#include "core/dag/plan.h"

#include <string.h>

#define HEADS 256

struct entry {
	struct plan *plan; /* owned */
	struct entry *chain;
	struct entry *newer, *older;
};

struct plan_cache {
	struct entry *head[HEADS];
	struct entry *newest, *oldest;
	size_t bytes, max_bytes;
};

struct plan_cache *plan_cache_new(size_t max_bytes)
{
	struct plan_cache *c = MEM_NEW(struct plan_cache);

	c->max_bytes = max_bytes;
	return c;
}

static void unlink_age(struct plan_cache *c, struct entry *e)
{
	if (e->newer != NULL)
		e->newer->older = e->older;
	else
		c->newest = e->older;
	if (e->older != NULL)
		e->older->newer = e->newer;
	else
		c->oldest = e->newer;
}

static void link_newest(struct plan_cache *c, struct entry *e)
{
	e->newer = NULL;
	e->older = c->newest;
	if (c->newest != NULL)
		c->newest->newer = e;
	c->newest = e;
	if (c->oldest == NULL)
		c->oldest = e;
}

static void drop(struct plan_cache *c, struct entry *e)
{
	struct entry **at = &c->head[e->plan->sha[0]];

	while (*at != e)
		at = &(*at)->chain;
	*at = e->chain;
	unlink_age(c, e);
	c->bytes -= e->plan->bytes;
	plan_free(e->plan);
	mem_free(e);
}

void plan_cache_free(struct plan_cache *c)
{
	if (c == NULL)
		return;
	while (c->oldest != NULL)
		drop(c, c->oldest);
	mem_free(c);
}

const struct plan *plan_cache_find(struct plan_cache *c, const uint8_t sha[HASH_SHA256_BYTES])
{
	struct entry *e = c->head[sha[0]];

	while (e != NULL && memcmp(e->plan->sha, sha, HASH_SHA256_BYTES) != 0)
		e = e->chain;
	if (e == NULL)
		return NULL;
	if (c->newest != e) {
		unlink_age(c, e);
		link_newest(c, e);
	}
	return e->plan;
}

const struct plan *plan_cache_add(struct plan_cache *c, struct plan *take)
{
	const struct plan *there = plan_cache_find(c, take->sha);
	struct entry *e;

	if (there != NULL) {
		plan_free(take);
		return there;
	}
	e = MEM_NEW(struct entry);
	e->plan = take;
	e->chain = c->head[take->sha[0]];
	c->head[take->sha[0]] = e;
	link_newest(c, e);
	c->bytes += take->bytes;
	return take;
}

void plan_cache_trim(struct plan_cache *c)
{
	/* The newest stays even when it alone is too large: the next batch wants it again. */
	while (c->bytes > c->max_bytes && c->oldest != c->newest)
		drop(c, c->oldest);
}
