/* mask.c: the search for secrets. Owner: pool, log thread and main thread.
 *
 * A table of the patterns' first two bytes decides per position whether any pattern can begin
 * there, so text without secrets costs one look-up a byte; patterns that share their first two
 * bytes are compared one by one. */
#include "core/pool/mask.h"

#include "core/base/hash.h"
#include "core/base/mem.h"
#include "core/base/vec.h"

#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define MASK_BYTES_MAX (1u << 20)
#define PIECE_MAX 1024 /* longer values are looked for in pieces */
#define LINE_MIN 12    /* lines of a many-line value that are looked for alone */
#define ENCODED_MIN 6  /* shorter encoded cores would mask innocent text */
#define PAIRS 1024u

struct pattern {
	char *s; /* owned */
	size_t n;
};

struct mask {
	VEC(struct pattern) patterns;
	uint32_t *first;     /* owned; [PAIRS + 1] index into patterns by a hash of their first two
				bytes; NULL until ready */
	uint8_t starts[256]; /* a pattern begins with this byte */
	size_t bytes, values;
	atomic_int refs;
};

struct mask *mask_new(void)
{
	struct mask *m = MEM_NEW(struct mask);

	atomic_init(&m->refs, 1);
	return m;
}

struct mask *mask_ref(struct mask *m)
{
	if (m != NULL)
		atomic_fetch_add_explicit(&m->refs, 1, memory_order_relaxed);
	return m;
}

void mask_free(struct mask *m)
{
	size_t i;

	if (m == NULL || atomic_fetch_sub_explicit(&m->refs, 1, memory_order_acq_rel) != 1)
		return;
	for (i = 0; i < m->patterns.n; i++) {
		hash_wipe(m->patterns.v[i].s, m->patterns.v[i].n);
		mem_free(m->patterns.v[i].s);
	}
	VEC_DONE(&m->patterns);
	mem_free(m->first);
	mem_free(m);
}

static void add_pattern(struct mask *m, const char *s, size_t n)
{
	struct pattern p;
	size_t i;

	if (n < ENCODED_MIN)
		return;
	for (i = 0; i < m->patterns.n; i++) {
		if (m->patterns.v[i].n == n && memcmp(m->patterns.v[i].s, s, n) == 0)
			return;
	}
	p.s = mem_dup(s, n);
	p.n = n;
	VEC_ADD(&m->patterns, p);
	m->bytes += n;
}

/* The value inside a longer text that was encoded as a whole: at each of three alignments the
 * characters that depend on the value alone. */
static void add_base64(struct mask *m, const char *s, size_t n)
{
	size_t shift, from, whole, all, i;
	char *in = mem_zalloc(n + 4), *out = mem_alloc(hash_base64_len(n + 4));

	for (shift = 0; shift < 3; shift++) {
		memset(in, 0, n + 4);
		memcpy(in + shift, s, n);
		hash_to_base64(in, n + shift, out);
		from = shift == 0 ? 0 : shift + 1;
		whole = (n + shift) * 8 / 6;	 /* whatever follows the value */
		all = ((n + shift) * 8 + 5) / 6; /* nothing follows it */
		add_pattern(m, out + from, whole > from ? whole - from : 0);
		add_pattern(m, out + from, all > from ? all - from : 0);
		for (i = 0; i < all; i++)
			out[i] = out[i] == '+' ? '-' : out[i] == '/' ? '_' : out[i];
		add_pattern(m, out + from, whole > from ? whole - from : 0);
		add_pattern(m, out + from, all > from ? all - from : 0);
	}
	hash_wipe(in, n + 4);
	hash_wipe(out, hash_base64_len(n + 4));
	mem_free(in);
	mem_free(out);
}

static bool is_unreserved(unsigned char c, const char *more)
{
	return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') ||
	       (c != 0 && strchr("-_.~", c) != NULL) || (c != 0 && strchr(more, c) != NULL);
}

static void add_percent(struct mask *m, const char *s, size_t n, bool upper, const char *safe)
{
	const char *digits = upper ? "0123456789ABCDEF" : "0123456789abcdef";
	char *out = mem_alloc(n * 3);
	size_t i, k = 0;
	unsigned char c;

	for (i = 0; i < n; i++) {
		c = (unsigned char)s[i];
		if (is_unreserved(c, safe)) {
			out[k++] = (char)c;
			continue;
		}
		out[k++] = '%';
		out[k++] = digits[c >> 4];
		out[k++] = digits[c & 15];
	}
	add_pattern(m, out, k);
	hash_wipe(out, n * 3);
	mem_free(out);
}

static void add_json(struct mask *m, const char *s, size_t n, bool slash)
{
	static const char plain[] = "\"\\\b\f\n\r\t", letter[] = "\"\\bfnrt";
	char *out = mem_alloc(n * 6);
	const char *at;
	size_t i, k = 0;
	unsigned char c;

	for (i = 0; i < n; i++) {
		c = (unsigned char)s[i];
		at = c != 0 ? strchr(plain, c) : NULL;
		if (at != NULL || (slash && c == '/')) {
			out[k++] = '\\';
			out[k++] = at != NULL ? letter[at - plain] : '/';
		} else if (c < 0x20) {
			memcpy(out + k, "\\u00", 4);
			out[k + 4] = "0123456789abcdef"[c >> 4];
			out[k + 5] = "0123456789abcdef"[c & 15];
			k += 6;
		} else {
			out[k++] = (char)c;
		}
	}
	add_pattern(m, out, k);
	hash_wipe(out, n * 6);
	mem_free(out);
}

static void add_forms(struct mask *m, const char *s, size_t n)
{
	add_pattern(m, s, n);
	add_base64(m, s, n);
	add_percent(m, s, n, true, "");
	add_percent(m, s, n, false, "");
	add_percent(m, s, n, true, "/");
	add_percent(m, s, n, true, "!'()*");
	add_json(m, s, n, false);
	add_json(m, s, n, true);
}

static void add_lines(struct mask *m, const char *s, size_t n)
{
	const char *end = s + n, *line = s, *next;
	size_t len;

	while (line < end) {
		next = memchr(line, '\n', (size_t)(end - line));
		len = (size_t)((next != NULL ? next : end) - line);
		if (len > 0 && line[len - 1] == '\r')
			len--;
		if (len >= LINE_MIN)
			add_forms(m, line, len < PIECE_MAX ? len : PIECE_MAX);
		line = next != NULL ? next + 1 : end;
	}
}

int mask_add(struct mask *m, const char *value, size_t n, struct err *err)
{
	size_t at, len;

	if (n > 0 && value[n - 1] == '\n')
		n--;
	if (n < MASK_MIN_CHARS)
		return err_set(err, ERR_REFUSED,
		    "a secret of %zu characters cannot be masked: use at least %d", n,
		    MASK_MIN_CHARS);
	if (m->values >= MASK_VALUES_MAX || n > MASK_BYTES_MAX || m->bytes > MASK_BYTES_MAX * 8u)
		return err_set(err, ERR_LIMIT,
		    "more than %d secrets, or too long ones, for one attempt", MASK_VALUES_MAX);
	m->values++;
	/* The last piece overlaps its neighbour, so that it is not too short. */
	for (at = 0; at < n; at += PIECE_MAX) {
		len = n - at < PIECE_MAX ? n - at : PIECE_MAX;
		if (len < PIECE_MAX && at > 0)
			add_forms(m, value + n - PIECE_MAX, PIECE_MAX);
		else
			add_forms(m, value + at, len);
	}
	if (memchr(value, '\n', n) != NULL)
		add_lines(m, value, n);
	return 0;
}

static unsigned pair_of(const char *s)
{
	return ((unsigned)(unsigned char)s[0] << 5 ^ (unsigned char)s[1]) % PAIRS;
}

static int by_pair(const void *a, const void *b)
{
	const struct pattern *x = a, *y = b;

	return (int)pair_of(x->s) - (int)pair_of(y->s);
}

void mask_ready(struct mask *m)
{
	size_t i, pair = 0;

	if (m->patterns.n == 0)
		return;
	qsort(m->patterns.v, m->patterns.n, sizeof(struct pattern), by_pair);
	m->first = mem_calloc(PAIRS + 1, sizeof(*m->first));
	for (i = 0; i < m->patterns.n; i++) {
		while (pair <= pair_of(m->patterns.v[i].s))
			m->first[pair++] = (uint32_t)i;
		m->starts[(unsigned char)m->patterns.v[i].s[0]] = 1;
	}
	while (pair <= PAIRS)
		m->first[pair++] = (uint32_t)m->patterns.n;
}

/* The longest pattern that begins at p; *ret_open: one may begin here and go on behind the n bytes
 * there are. */
static size_t match_at(const struct mask *m, const char *p, size_t n, bool *ret_open)
{
	size_t best = 0, i, end, k;

	*ret_open = false;
	if (!m->starts[(unsigned char)p[0]])
		return 0;
	if (n < 2) {
		*ret_open = true;
		return 0;
	}
	end = m->first[pair_of(p) + 1];
	for (i = m->first[pair_of(p)]; i < end; i++) {
		k = m->patterns.v[i].n < n ? m->patterns.v[i].n : n;
		if (memcmp(m->patterns.v[i].s, p, k) != 0)
			continue;
		if (k < m->patterns.v[i].n)
			*ret_open = true;
		else if (k > best)
			best = k;
	}
	return best;
}

static void show(struct mask_stream *s, const char *p, size_t n, bool secret, struct str *out)
{
	if (n == 0)
		return;
	if (!secret)
		str_addn(out, p, n);
	else if (!s->in_secret)
		str_add(out, MASK_TEXT);
	s->in_secret = secret;
}

/* Gives out what is decided and returns how many bytes that is; s->covered moves along. */
static size_t scan(
    const struct mask *m, struct mask_stream *s, const char *p, size_t n, bool end, struct str *out)
{
	size_t at, from = 0, covered = s->covered, len;
	bool open, secret, now = false;

	for (at = 0; at < n; at++) {
		len = match_at(m, p + at, n - at, &open);
		if (open && !end)
			break;
		if (at + len > covered)
			covered = at + len;
		secret = at < covered;
		if (secret != now) {
			show(s, p + from, at - from, now, out);
			from = at;
			now = secret;
		}
	}
	show(s, p + from, at - from, now, out);
	s->covered = covered > at ? covered - at : 0;
	return at;
}

static void hold(struct mask_stream *s, const char *p, size_t n)
{
	if (n > s->cap) {
		s->cap = n < 256 ? 256 : n * 2;
		s->held = mem_realloc(s->held, s->cap);
	}
	if (n > 0)
		memmove(s->held, p, n);
	s->n = n;
}

void mask_feed(
    const struct mask *m, struct mask_stream *s, const char *p, size_t n, bool end, struct str *out)
{
	char *both;
	size_t done;

	if (m == NULL || m->first == NULL) {
		str_addn(out, p, n);
		return;
	}
	if (s->n == 0) {
		done = scan(m, s, p, n, end, out);
		hold(s, p + done, n - done);
		return;
	}
	both = mem_alloc(s->n + n + 1);
	memcpy(both, s->held, s->n);
	if (n > 0)
		memcpy(both + s->n, p, n);
	n += s->n;
	done = scan(m, s, both, n, end, out);
	hold(s, both + done, n - done);
	hash_wipe(both, n);
	mem_free(both);
}

void mask_stream_done(struct mask_stream *s)
{
	if (s->held != NULL)
		hash_wipe(s->held, s->cap);
	mem_free(s->held);
	memset(s, 0, sizeof(*s));
}

bool mask_text(const struct mask *m, const char *p, size_t n, struct str *out)
{
	struct mask_stream s = {0};
	size_t before = out->len;

	mask_feed(m, &s, p, n, true, out);
	mask_stream_done(&s);
	return out->len - before != n || (n > 0 && memcmp(out->s + before, p, n) != 0);
}
