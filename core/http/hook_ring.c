/* hook_ring.c: a fixed ring per hook, in memory only: refused requests cost no store, whatever
 * their number. */
#include "core/http/hook_ring.h"

#include "core/base/mem.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

struct hook_refusal {
	wall_us at;
	int status;
	uint64_t body_bytes;
	char from[INET6_ADDRSTRLEN + 8], why[160];
	char head[HOOK_RING_HEAD + 1];
};

/* A mistaken sender may have put its credential there. */
static bool secret_header(const struct header *h)
{
	return vet_name_is(h->name, h->name_n, "authorization") ||
	       vet_name_is(h->name, h->name_n, "cookie") ||
	       vet_name_is(h->name, h->name_n, "proxy-authorization");
}

static void name_peer(const struct peer *p, char *to, size_t size)
{
	static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};

	if (p->is_unix)
		snprintf(to, size, "unix:%u", (unsigned)p->uid);
	else if (memcmp(p->ip, mapped, sizeof(mapped)) == 0)
		inet_ntop(AF_INET, p->ip + 12, to, (socklen_t)size);
	else
		inet_ntop(AF_INET6, p->ip, to, (socklen_t)size);
}

static void add_line(struct hook_refusal *r, size_t *at, const char *s, size_t n)
{
	size_t room = HOOK_RING_HEAD - *at;

	n = n < room ? n : room;
	memcpy(r->head + *at, s, n);
	*at += n;
	r->head[*at] = '\0';
}

void hook_ring_add(
    struct hook *k, const struct http_req *q, wall_us now, int status, const char *why)
{
	size_t at = 0;

	if (k->ring == NULL)
		k->ring = mem_calloc(HOOK_RING_N, sizeof(*k->ring));
	struct hook_refusal *r = &k->ring[k->ring_at++ % HOOK_RING_N];
	memset(r, 0, sizeof(*r));
	r->at = now;
	r->status = status;
	r->body_bytes = q->vet.length;
	str_copy(r->why, sizeof(r->why), why);
	name_peer(&q->conn->peer, r->from, sizeof(r->from));
	add_line(r, &at, q->head, q->vet.target_at);
	add_line(r, &at, q->head + q->vet.target_at, q->vet.path_n);
	for (size_t i = 0; i < q->n_headers; i++) {
		const struct header *h = &q->headers[i];
		add_line(r, &at, "\n", 1);
		add_line(r, &at, h->name, h->name_n);
		add_line(r, &at, ": ", 2);
		if (secret_header(h))
			add_line(r, &at, "(left out)", 10);
		else
			add_line(r, &at, h->value, h->value_n);
	}
}

void hook_ring_show(const struct hook *k, struct jw *w)
{
	size_t n = k->ring_at < HOOK_RING_N ? k->ring_at : HOOK_RING_N;

	jw_array(w);
	for (size_t i = 1; i <= n; i++) {
		const struct hook_refusal *r = &k->ring[(k->ring_at - i) % HOOK_RING_N];
		jw_object(w);
		jw_ktime(w, "time", r->at);
		jw_kstr(w, "from", r->from);
		jw_ki64(w, "status", r->status);
		jw_kstr(w, "reason", r->why);
		jw_ki64(w, "body_bytes", (int64_t)r->body_bytes);
		jw_kstr(w, "head", r->head);
		jw_end_object(w);
	}
	jw_end_array(w);
}

void hook_ring_free(struct hook *k)
{
	mem_free(k->ring);
	k->ring = NULL;
	k->ring_at = 0;
}
