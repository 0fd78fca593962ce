/* secret.c: where secrets live in the worker. */
#include "core/worker/secret.h"

#include "core/base/hash.h"
#include "core/base/mem.h"
#include "core/base/vec.h"

#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define SECRET_MASK_MIN                                                                            \
	6 /* bytes; a shorter value is refused where it is read, and would mask half of every text \
	   */

struct secret {
	char *reference; /* owned */
	size_t at, len;	 /* in the pages */
	char *escaped;	 /* owned; as in a JSON string, NULL where that is the same */
};

struct secrets {
	VEC(struct secret) list;
	char *pages; /* owned mapping */
	size_t mapped;
};

static size_t total_bytes(const struct json *j)
{
	const struct json *m;
	size_t n = 0;

	for (m = json_first(j); m != NULL; m = json_next(m))
		n += strlen(json_str(m, "")) + 1;
	return n;
}

static bool map_pages(struct secrets *s, size_t n)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	void *p;

	s->mapped = (n / page + 1) * page;
	p = mmap(NULL, s->mapped, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (p == MAP_FAILED)
		return false;
	s->pages = p;
	(void)madvise(p, s->mapped, MADV_DONTFORK);
	(void)madvise(p, s->mapped, MADV_DONTDUMP);
	(void)mlock(
	    p, s->mapped); /* over the limit: the pages may be swapped, as everything else */
	return true;
}

/* The tree belongs to us; what json.h lends as const is wiped before it is freed. */
static void wipe_text(const char *text)
{
	hash_wipe((void *)(uintptr_t)text, strlen(text));
}

static char *escape(const char *value, size_t n)
{
	struct str b;
	struct jw w;
	char *out = NULL;

	str_init(&b, n * 6 + 16);
	jw_init(&w, &b);
	jw_strn(&w, value, n);
	if (!b.failed && b.len == n + 2 && memcmp(b.s + 1, value, n) == 0)
		hash_wipe(b.s, b.len);
	else if (!b.failed && b.len > 2)
		out = mem_strndup(b.s + 1, b.len - 2);
	if (b.s != NULL)
		hash_wipe(b.s, b.len);
	str_done(&b);
	return out;
}

struct secrets *secrets_new(const struct json *j)
{
	struct secrets *s = MEM_NEW(struct secrets);
	const struct json *m;
	size_t at = 0;

	if (json_len(j) == 0 || !map_pages(s, total_bytes(j)))
		return s;
	for (m = json_first(j); m != NULL; m = json_next(m)) {
		const char *value = json_str(m, "");
		size_t n = strlen(value);

		memcpy(s->pages + at, value, n);
		VEC_ADD(
		    &s->list, ((struct secret){mem_strdup(json_key(m)), at, n, escape(value, n)}));
		at += n + 1;
		wipe_text(value);
	}
	return s;
}

void secrets_free(struct secrets *s)
{
	size_t i;

	if (s == NULL)
		return;
	for (i = 0; i < s->list.n; i++) {
		mem_free(s->list.v[i].reference);
		if (s->list.v[i].escaped != NULL)
			wipe_text(s->list.v[i].escaped);
		mem_free(s->list.v[i].escaped);
	}
	VEC_DONE(&s->list);
	if (s->pages != NULL) {
		hash_wipe(s->pages, s->mapped);
		munmap(s->pages, s->mapped);
	}
	mem_free(s);
}

const char *secrets_find(const struct secrets *s, const char *reference, size_t *ret_len)
{
	size_t i;

	for (i = 0; s != NULL && i < s->list.n; i++) {
		if (!str_eq(s->list.v[i].reference, reference))
			continue;
		*ret_len = s->list.v[i].len;
		return s->pages + s->list.v[i].at;
	}
	return NULL;
}

bool secret_reference(const struct json *node, struct str *out)
{
	static const char *const kinds[] = {"file", "credential", "env"};
	const char *value;
	size_t i;

	if (json_is(node, JSON_STRING)) {
		str_addf(out, "name:%s", json_str(node, ""));
		return !out->failed;
	}
	for (i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		value = json_get_str(node, kinds[i], NULL);
		if (value == NULL)
			continue;
		str_addf(out, "%s:%s", kinds[i], value);
		return !out->failed;
	}
	return false;
}

static void mask_value(struct str *b, const char *value, size_t n)
{
	char *hit;

	while (b->len >= n && (hit = memmem(b->s, b->len, value, n)) != NULL) {
		size_t at = (size_t)(hit - b->s);

		memcpy(hit, "***", 3); /* n >= SECRET_MASK_MIN */
		memmove(hit + 3, hit + n, b->len - at - n + 1);
		b->len -= n - 3;
	}
}

void secrets_mask(const struct secrets *s, struct str *b)
{
	size_t i;

	for (i = 0; s != NULL && i < s->list.n && b->s != NULL; i++) {
		const struct secret *e = &s->list.v[i];

		if (e->len < SECRET_MASK_MIN)
			continue;
		mask_value(b, s->pages + e->at, e->len);
		if (e->escaped != NULL)
			mask_value(b, e->escaped, strlen(e->escaped));
	}
}
