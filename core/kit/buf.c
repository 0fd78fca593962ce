/* buf.c: growing texts and JSON trees for plugins: the base library behind public names. */
#include "sluice/kit/buf.h"
#include "sluice/kit/json.h"

#include "core/base/json.h"
#include "core/base/mem.h"
#include "core/base/str.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define BUF_FIRST 256
#define JSON_MAX_BYTES (16u << 20)
#define POINTER_PART_MAX 256

void slu_buf_init(slu_buf *b, size_t max)
{
	memset(b, 0, sizeof(*b));
	b->max = max;
}

void slu_buf_done(slu_buf *b)
{
	if (!b)
		return;
	mem_free(b->s);
	memset(b, 0, sizeof(*b));
}

void slu_buf_reset(slu_buf *b)
{
	b->len = 0;
	b->failed = 0;
	if (b->s)
		b->s[0] = '\0';
}

int slu_buf_reserve(slu_buf *b, size_t more)
{
	size_t need = b->len + more + 1, cap = b->cap ? b->cap : BUF_FIRST;
	char *s;

	if (b->failed)
		return 0;
	if (need <= b->cap)
		return 1;
	while (cap < need)
		cap *= 2;
	if (cap > b->max + 1 && need <= b->max + 1)
		cap = b->max + 1;
	s = need < more ? NULL : mem_try_realloc(b->s, cap, b->max + 1);
	if (!s) {
		b->failed = 1;
		return 0;
	}
	b->s = s;
	b->cap = cap;
	return 1;
}

void slu_buf_addn(slu_buf *b, const void *p, size_t n)
{
	if (!slu_buf_reserve(b, n))
		return;
	if (n)
		memcpy(b->s + b->len, p, n);
	b->len += n;
	b->s[b->len] = '\0';
}

void slu_buf_add(slu_buf *b, const char *text)
{
	slu_buf_addn(b, text, strlen(text));
}

void slu_buf_addc(slu_buf *b, char c)
{
	slu_buf_addn(b, &c, 1);
}

void slu_buf_addf(slu_buf *b, const char *fmt, ...)
{
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(NULL, 0, fmt, ap);
	va_end(ap);
	if (n < 0 || !slu_buf_reserve(b, (size_t)n))
		return;
	va_start(ap, fmt);
	(void)vsnprintf(b->s + b->len, (size_t)n + 1, fmt, ap);
	va_end(ap);
	b->len += (size_t)n;
}

/* Length of the well-formed UTF-8 sequence at p, 0 where there is none. */
static size_t utf8_step(const unsigned char *p, size_t n)
{
	static const uint32_t least[5] = {0, 0, 0x80, 0x800, 0x10000};
	uint32_t c;
	size_t k, i;

	if (p[0] < 0x80)
		return 1;
	k = p[0] >= 0xF0 ? 4 : p[0] >= 0xE0 ? 3 : 2;
	if (p[0] < 0xC2 || p[0] > 0xF4 || k > n)
		return 0;
	c = p[0] & (0xFFu >> (k + 1));
	for (i = 1; i < k; i++) {
		if ((p[i] & 0xC0) != 0x80)
			return 0;
		c = c << 6 | (p[i] & 0x3Fu);
	}
	if (c < least[k] || c > 0x10FFFF || (c >= 0xD800 && c < 0xE000))
		return 0;
	return k;
}

int slu_utf8_valid(const void *data, size_t n)
{
	const unsigned char *p = data, *end = p + n;

	while (p < end) {
		uint64_t word;
		size_t k;

		if (end - p >= 8) {
			memcpy(&word, p, 8);
			if (!(word & UINT64_C(0x8080808080808080))) {
				p += 8;
				continue;
			}
		}
		k = utf8_step(p, (size_t)(end - p));
		if (!k)
			return 0;
		p += k;
	}
	return 1;
}

void slu_buf_add_json(slu_buf *b, const char *s, size_t n)
{
	static const char hex[] = "0123456789abcdef";
	const unsigned char *p = (const unsigned char *)s;
	size_t i = 0, from = 0;

	slu_buf_addc(b, '"');
	while (i < n) {
		size_t k = utf8_step(p + i, n - i);
		char esc[8] = "\\u0000";
		size_t esc_n = 2;

		if (k && p[i] >= 0x20 && p[i] != '"' && p[i] != '\\') {
			i += k;
			continue;
		}
		slu_buf_addn(b, s + from, i - from);
		if (!k) {
			memcpy(esc, "\xEF\xBF\xBD", 3);
			esc_n = 3;
		} else if (p[i] == '"' || p[i] == '\\') {
			esc[1] = (char)p[i];
		} else if (p[i] == '\n' || p[i] == '\r' || p[i] == '\t') {
			esc[1] = p[i] == '\n' ? 'n' : p[i] == '\r' ? 'r' : 't';
		} else {
			esc[4] = hex[p[i] >> 4];
			esc[5] = hex[p[i] & 15];
			esc_n = 6;
		}
		slu_buf_addn(b, esc, esc_n);
		from = ++i;
	}
	slu_buf_addn(b, s + from, n - from);
	slu_buf_addc(b, '"');
}

void slu_buf_add_quoted(slu_buf *b, const char *name, char quote)
{
	slu_buf_addc(b, quote);
	for (; *name; name++) {
		if (*name == quote)
			slu_buf_addc(b, quote);
		slu_buf_addc(b, *name);
	}
	slu_buf_addc(b, quote);
}

const char *slu_buf_text(const slu_buf *b)
{
	return b->s ? b->s : "";
}

/* ---- JSON ---- */
static const struct json *json_in(const slu_json *j)
{
	return (const struct json *)(const void *)j;
}

static const slu_json *json_out(const struct json *j)
{
	return (const slu_json *)(const void *)j;
}

slu_rc slu_json_parse(const char *text, const char *what, slu_json **out, slu_err *err)
{
	struct json *root = NULL;
	struct err e = {0};

	*out = NULL;
	if (!text)
		return SLU_OK;
	if (json_parse(text, strlen(text), JSON_MAX_BYTES, &root, &e) < 0)
		return slu_fail_field(err, SLU_E_CONFIG, "KIT.JSON", what, "%s: %s", what, e.text);
	*out = (slu_json *)(void *)root;
	return SLU_OK;
}

slu_rc slu_option_json(
    const slu_host *host, slu_run *run, const char *path, slu_json **out, slu_err *err)
{
	return slu_json_parse(host->get_json(run, path), path, out, err);
}

void slu_json_free(slu_json *root)
{
	json_free((struct json *)(void *)root);
}

int slu_json_type(const slu_json *j)
{
	static const int types[] = {[JSON_NULL] = SLU_JSON_NULL,
	    [JSON_BOOL] = SLU_JSON_BOOL,
	    [JSON_NUMBER] = SLU_JSON_NUMBER,
	    [JSON_STRING] = SLU_JSON_STRING,
	    [JSON_ARRAY] = SLU_JSON_ARRAY,
	    [JSON_OBJECT] = SLU_JSON_OBJECT};

	return types[json_type(json_in(j))];
}

const slu_json *slu_json_get(const slu_json *j, const char *key)
{
	return json_out(json_get(json_in(j), key));
}

const slu_json *slu_json_first(const slu_json *j)
{
	return json_out(json_first(json_in(j)));
}

const slu_json *slu_json_next(const slu_json *j)
{
	return json_out(json_next(json_in(j)));
}

size_t slu_json_len(const slu_json *j)
{
	return json_len(json_in(j));
}

const char *slu_json_key(const slu_json *j)
{
	return json_key(json_in(j));
}

const char *slu_json_str(const slu_json *j, const char *fallback)
{
	return json_str(json_in(j), fallback);
}

int64_t slu_json_i64(const slu_json *j, int64_t fallback)
{
	return json_i64(json_in(j), fallback);
}

int slu_json_bool(const slu_json *j, int fallback)
{
	return json_bool(json_in(j), fallback != 0);
}

const char *slu_json_get_str(const slu_json *j, const char *key, const char *fallback)
{
	return json_get_str(json_in(j), key, fallback);
}

int64_t slu_json_get_i64(const slu_json *j, const char *key, int64_t fallback)
{
	return json_get_i64(json_in(j), key, fallback);
}

/* One part of a pointer, "~1" and "~0" undone. 0: longer than out. */
static int pointer_part(const char *s, size_t n, char *out, size_t size)
{
	size_t at = 0;

	for (size_t i = 0; i < n; i++) {
		if (at + 1 >= size)
			return 0;
		if (s[i] == '~' && i + 1 < n && (s[i + 1] == '0' || s[i + 1] == '1'))
			out[at++] = s[++i] == '0' ? '~' : '/';
		else
			out[at++] = s[i];
	}
	out[at] = 0;
	return 1;
}

/* An index has no sign, no leading zero and nothing behind it. */
static const struct json *element_at(const struct json *array, const char *part)
{
	uint64_t i;

	if (part[0] < '0' || part[0] > '9' || (part[0] == '0' && part[1] != 0) ||
	    str_to_u64(part, &i) < 0)
		return NULL;
	return json_at(array, (size_t)i);
}

const slu_json *slu_json_at(const slu_json *root, const char *pointer)
{
	const struct json *at = json_in(root);
	char part[POINTER_PART_MAX];

	while (at != NULL && *pointer == '/') {
		size_t n = strcspn(++pointer, "/");

		if (!pointer_part(pointer, n, part, sizeof(part)))
			return NULL;
		at = json_is(at, JSON_ARRAY) ? element_at(at, part) : json_get(at, part);
		pointer += n;
	}
	return *pointer == 0 ? json_out(at) : NULL;
}

int slu_json_equal(const slu_json *a, const slu_json *b)
{
	return json_equal(json_in(a), json_in(b));
}

void slu_json_print(const slu_json *j, slu_buf *out)
{
	struct str s;

	str_init(&s, out->max);
	json_print(json_in(j), &s);
	if (s.failed)
		out->failed = 1;
	else
		slu_buf_addn(out, str_peek(&s), s.len);
	str_done(&s);
}
