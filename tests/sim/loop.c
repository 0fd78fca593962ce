/* loop.c: virtual time: the heap of events; what happened last; chance; maps. */
#include "tests/sim/sim.h"

#include <stdio.h>
#include <string.h>

/* ---- chance ---- */

static uint64_t draw(struct chance *c)
{
	c->state ^= c->state << 13;
	c->state ^= c->state >> 7;
	c->state ^= c->state << 17;
	return c->state >> 8;
}

uint32_t roll(struct chance *c, uint32_t n)
{
	return n < 2 ? 0 : (uint32_t)(draw(c) % n);
}

bool one_in(struct chance *c, uint32_t n)
{
	return n > 0 && roll(c, n) == 0;
}

int64_t between(struct chance *c, int64_t lo, int64_t hi)
{
	return hi <= lo ? lo : lo + (int64_t)(draw(c) % (uint64_t)(hi - lo + 1));
}

int64_t spread(struct chance *c, int64_t lo, int64_t hi)
{
	int64_t top = hi;

	/* halve a random number of times: no floating point, so every machine draws the same */
	for (uint32_t i = roll(c, 64); i > 0 && top / 2 > lo; i--) {
		if (one_in(c, 3))
			top /= 2;
	}
	while (top / 2 > lo && one_in(c, 2))
		top /= 2;
	return between(c, top / 2 > lo ? top / 2 : lo, top);
}

/* ---- maps ---- */

static uint64_t mix(uint64_t k)
{
	k ^= k >> 33;
	k *= UINT64_C(0xff51afd7ed558ccd);
	return k ^ k >> 33;
}

static size_t place(const struct map *m, uint64_t key)
{
	size_t i = mix(key) & (m->cap - 1);

	while (m->at[i] != 0 && m->key[i] != key)
		i = (i + 1) & (m->cap - 1);
	return i;
}

uint32_t map_find(const struct map *m, uint64_t key)
{
	size_t i;

	if (m->cap == 0)
		return UINT32_MAX;
	i = place(m, key);
	return m->at[i] == 0 ? UINT32_MAX : m->at[i] - 1;
}

static void grow(struct map *m)
{
	struct map old = *m;

	m->cap = old.cap == 0 ? 256 : old.cap * 2;
	m->key = mem_calloc(m->cap, sizeof(*m->key));
	m->at = mem_calloc(m->cap, sizeof(*m->at));
	for (size_t i = 0; i < old.cap; i++) {
		size_t to;

		if (old.at[i] == 0)
			continue;
		to = place(m, old.key[i]);
		m->key[to] = old.key[i];
		m->at[to] = old.at[i];
	}
	mem_free(old.key);
	mem_free(old.at);
}

void map_add(struct map *m, uint64_t key, uint32_t at)
{
	size_t i;

	if ((m->n + 1) * 2 > m->cap)
		grow(m);
	i = place(m, key);
	m->n += m->at[i] == 0;
	m->key[i] = key;
	m->at[i] = at + 1;
}

void map_done(struct map *m)
{
	mem_free(m->key);
	mem_free(m->at);
	memset(m, 0, sizeof(*m));
}

uint64_t text_hash(const char *s)
{
	uint64_t h = UINT64_C(0xcbf29ce484222325);

	for (; *s != 0; s++)
		h = (h ^ (uint8_t)*s) * UINT64_C(0x100000001b3);
	return h;
}

/* ---- time ---- */

wall_us wall(const struct world *w)
{
	return w->mono + w->offset;
}

static bool before(const struct event *a, const struct event *b)
{
	return a->at != b->at ? a->at < b->at : a->seq < b->seq;
}

void later(struct world *w, int64_t in_us, enum event_kind kind, uint32_t a, uint64_t b, uint64_t c,
    void *p)
{
	struct event e = {w->mono + (in_us > 0 ? in_us : 0), ++w->heap_seq, kind, a, b, c, p};
	size_t i = w->heap_n++;

	if (w->heap_n > w->heap_cap) {
		w->heap_cap = w->heap_cap == 0 ? 256 : w->heap_cap * 2;
		w->heap = mem_realloc(w->heap, w->heap_cap * sizeof(*w->heap));
	}
	while (i > 0 && before(&e, &w->heap[(i - 1) / 2])) {
		w->heap[i] = w->heap[(i - 1) / 2];
		i = (i - 1) / 2;
	}
	w->heap[i] = e;
}

bool event_take(struct world *w, struct event *ret)
{
	struct event last;
	size_t i = 0, k;

	if (w->heap_n == 0)
		return false;
	*ret = w->heap[0];
	last = w->heap[--w->heap_n];
	while ((k = 2 * i + 1) < w->heap_n) {
		if (k + 1 < w->heap_n && before(&w->heap[k + 1], &w->heap[k]))
			k++;
		if (!before(&w->heap[k], &last))
			break;
		w->heap[i] = w->heap[k];
		i = k;
	}
	w->heap[i] = last;
	w->mono = ret->at;
	if (wall(w) > w->wall_max)
		w->wall_max = wall(w);
	return true;
}

/* ---- what happened ---- */

void note(struct world *w, const char *fmt, ...)
{
	char *at = w->last[w->last_n++ % 40], when[CLOCK_TEXT_MAX];
	va_list ap;
	int n = snprintf(at, 200, "%s ", clock_format_us(wall(w), when));

	va_start(ap, fmt);
	vsnprintf(at + n, 200 - (size_t)n, fmt, ap);
	va_end(ap);
	if (w->trace)
		fprintf(stderr, "%s\n", at);
}

void fail(struct world *w, const char *fmt, ...)
{
	va_list ap;

	if (w->failed)
		return;
	w->failed = true;
	va_start(ap, fmt);
	vsnprintf(w->why, sizeof(w->why), fmt, ap);
	va_end(ap);
	note(w, "FAILED: %s", w->why);
}

/* ---- small owners ---- */

void sim_op_free(struct sim_op *o)
{
	if (o == NULL)
		return;
	json_free(o->body);
	mem_free(o->seen);
	mem_free(o->seen_token);
	mem_free(o);
}

void message_free(struct message *m)
{
	if (m == NULL)
		return;
	for (size_t i = 0; i < m->outcomes.n; i++)
		sim_op_free(m->outcomes.v[i]);
	VEC_DONE(&m->outcomes);
	mem_free(m->seen);
	mem_free(m->token);
	mem_free(m);
}

void attempt_forget(struct world *w, struct attempt *a)
{
	for (size_t i = 0; i < w->live.n; i++) {
		if (w->live.v[i] == a) {
			w->live.v[i] = w->live.v[--w->live.n];
			return;
		}
	}
}

void attempt_free(struct world *w, struct attempt *a)
{
	struct sim_pool *p = &w->pool[a->pool];

	attempt_forget(w, a);
	for (size_t i = 0; i < p->table.n; i++) {
		if (p->table.v[i] == a) {
			p->table.v[i] = p->table.v[--p->table.n];
			break;
		}
	}
	mem_free(a);
}
