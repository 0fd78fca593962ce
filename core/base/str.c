/* str.c: the growing buffer. Text checks and numbers are in text.c. */
#include "core/base/str.h"

#include "core/base/mem.h"

#include <stdio.h>
#include <string.h>

#define STR_FIRST 64

void str_init(struct str *b, size_t max)
{
	memset(b, 0, sizeof(*b));
	b->max = max;
}

void str_done(struct str *b)
{
	size_t max = b->max;

	mem_free(b->s);
	str_init(b, max);
}

void str_reset(struct str *b)
{
	b->len = 0;
	b->failed = false;
	if (b->s != NULL)
		b->s[0] = '\0';
}

bool str_reserve(struct str *b, size_t more)
{
	size_t want, cap;
	char *s;

	if (b->failed)
		return false;
	if (more <= b->cap && b->len + more < b->cap)
		return true;
	if (more > b->max || b->len > b->max - more) {
		b->failed = true;
		return false;
	}
	want = b->len + more + 1;
	cap = b->cap < STR_FIRST ? STR_FIRST : b->cap;
	while (cap < want)
		cap *= 2;
	if (cap > b->max + 1)
		cap = b->max + 1;
	s = mem_try_realloc(b->s, cap, b->max + 1);
	if (s == NULL) {
		b->failed = true;
		return false;
	}
	b->s = s;
	b->cap = cap;
	return true;
}

void str_addn(struct str *b, const void *p, size_t n)
{
	if (!str_reserve(b, n))
		return;
	if (n > 0)
		memcpy(b->s + b->len, p, n);
	b->len += n;
	b->s[b->len] = '\0';
}

void str_add(struct str *b, const char *text)
{
	str_addn(b, text, strlen(text));
}

void str_addc(struct str *b, char c)
{
	if (!str_reserve(b, 1))
		return;
	b->s[b->len++] = c;
	b->s[b->len] = '\0';
}

void str_vaddf(struct str *b, const char *fmt, va_list ap)
{
	size_t room;
	va_list again;
	int n;

	va_copy(again, ap);
	if (!str_reserve(b, 1))
		goto out;
	room = b->cap - b->len;
	n = vsnprintf(b->s + b->len, room, fmt, ap);
	if (n >= 0 && (size_t)n >= room) {
		b->s[b->len] = '\0';
		if (!str_reserve(b, (size_t)n))
			goto out;
		n = vsnprintf(b->s + b->len, b->cap - b->len, fmt, again);
	}
	if (n < 0) {
		b->s[b->len] = '\0';
		b->failed = true;
		goto out;
	}
	b->len += (size_t)n;
out:
	va_end(again);
}

void str_addf(struct str *b, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	str_vaddf(b, fmt, ap);
	va_end(ap);
}

char *str_take(struct str *b)
{
	char *s;

	if (b->failed || !str_reserve(b, 0))
		return NULL;
	s = b->s;
	s[b->len] = '\0';
	str_init(b, b->max);
	return s;
}

const char *str_peek(const struct str *b)
{
	return b->s != NULL ? b->s : "";
}
