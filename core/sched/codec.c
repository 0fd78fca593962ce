/* codec.c: the two loops over a record's table of fields.
 *
 * A value is: version byte, then the fields in table order; integers big-endian, texts with a u16
 * length before them. What stands behind the last field is the record's tail and belongs to the
 * caller. Signed times travel as two's complement. */
#include "core/sched/codec.h"

#include <string.h>

void be_put16(uint8_t *p, uint16_t v)
{
	p[0] = (uint8_t)(v >> 8);
	p[1] = (uint8_t)v;
}

void be_put32(uint8_t *p, uint32_t v)
{
	v = __builtin_bswap32(v);
	memcpy(p, &v, sizeof(v));
}

void be_put64(uint8_t *p, uint64_t v)
{
	v = __builtin_bswap64(v);
	memcpy(p, &v, sizeof(v));
}

uint16_t be_get16(const uint8_t *p)
{
	return (uint16_t)(p[0] << 8 | p[1]);
}

uint32_t be_get32(const uint8_t *p)
{
	uint32_t v;

	memcpy(&v, p, sizeof(v));
	return __builtin_bswap32(v);
}

uint64_t be_get64(const uint8_t *p)
{
	uint64_t v;

	memcpy(&v, p, sizeof(v));
	return __builtin_bswap64(v);
}

static uint8_t *put_text(uint8_t *p, const char *s, size_t size)
{
	size_t n = strnlen(s, size - 1);

	be_put16(p, (uint16_t)n);
	memcpy(p + 2, s, n);
	return p + 2 + n;
}

static uint8_t *put_u64s(uint8_t *p, const uint64_t *v, size_t max)
{
	size_t n = 0;

	while (n < max && v[n] != 0)
		n++;
	*p++ = (uint8_t)n;
	for (size_t i = 0; i < n; i++, p += 8)
		be_put64(p, v[i]);
	return p;
}

static uint8_t *put_field(uint8_t *p, const struct field *f, const uint8_t *at)
{
	uint16_t v16;
	uint32_t v32;
	uint64_t v64;

	switch ((enum field_type)f->type) {
	case F_BOOL:
		*p = *(const bool *)at ? 1 : 0;
		return p + 1;
	case F_ENUM:
		memcpy(&v32, at, sizeof(v32));
		*p = (uint8_t)v32;
		return p + 1;
	case F_U16:
		memcpy(&v16, at, sizeof(v16));
		be_put16(p, v16);
		return p + 2;
	case F_U32:
		memcpy(&v32, at, sizeof(v32));
		be_put32(p, v32);
		return p + 4;
	case F_U64:
		memcpy(&v64, at, sizeof(v64));
		be_put64(p, v64);
		return p + 8;
	case F_TEXT:
		return put_text(p, (const char *)at, f->size);
	case F_BYTES:
		memcpy(p, at, f->size);
		return p + f->size;
	case F_U64S:
		return put_u64s(p, (const uint64_t *)(const void *)at, f->size);
	}
	return p;
}

size_t codec_encode(const struct codec *c, const void *rec, uint8_t *out)
{
	uint8_t *p = out;

	*p++ = c->version;
	for (size_t i = 0; i < c->n; i++)
		p = put_field(p, &c->fields[i], (const uint8_t *)rec + c->fields[i].offset);
	return (size_t)(p - out);
}

/* ---- reading: `left` guards every access ---- */

static size_t fixed_size(const struct field *f)
{
	switch ((enum field_type)f->type) {
	case F_BOOL:
	case F_ENUM:
	case F_U64S:
		return 1;
	case F_U16:
	case F_TEXT:
		return 2;
	case F_U32:
		return 4;
	case F_U64:
		return 8;
	case F_BYTES:
		return f->size;
	}
	return 0;
}

static int get_text(const struct field *f, struct slice *s, uint8_t *at)
{
	const uint8_t *p = s->p;
	size_t n = be_get16(p);

	if (n >= f->size || s->n - 2 < n || memchr(p + 2, 0, n) != NULL)
		return ERR_CORRUPT;
	memcpy(at, p + 2, n);
	at[n] = 0;
	*s = (struct slice){p + 2 + n, s->n - 2 - n};
	return 0;
}

static int get_u64s(const struct field *f, struct slice *s, uint8_t *at)
{
	const uint8_t *p = s->p;
	size_t n = p[0];

	if (n > f->size || s->n - 1 < n * 8)
		return ERR_CORRUPT;
	for (size_t i = 0; i < n; i++) {
		uint64_t v = be_get64(p + 1 + i * 8);

		memcpy(at + i * 8, &v, sizeof(v));
	}
	*s = (struct slice){p + 1 + n * 8, s->n - 1 - n * 8};
	return 0;
}

static int get_small(const struct field *f, const uint8_t *p, uint8_t *at)
{
	uint32_t v = *p;

	if (f->type == F_BOOL) {
		*(bool *)at = v != 0;
		return v > 1 ? ERR_CORRUPT : 0;
	}
	if (v >= f->size)
		return ERR_CORRUPT;
	memcpy(at, &v, sizeof(v));
	return 0;
}

static void get_fixed(const struct field *f, const uint8_t *p, uint8_t *at)
{
	uint16_t v16;
	uint32_t v32;
	uint64_t v64;

	if (f->type == F_U16) {
		v16 = be_get16(p);
		memcpy(at, &v16, sizeof(v16));
	} else if (f->type == F_U32) {
		v32 = be_get32(p);
		memcpy(at, &v32, sizeof(v32));
	} else if (f->type == F_U64) {
		v64 = be_get64(p);
		memcpy(at, &v64, sizeof(v64));
	} else {
		memcpy(at, p, f->size);
	}
}

static int get_field(const struct field *f, struct slice *s, uint8_t *at)
{
	size_t n = fixed_size(f);
	int rc = 0;

	if (s->n < n)
		return ERR_CORRUPT;
	if (f->type == F_TEXT)
		return get_text(f, s, at);
	if (f->type == F_U64S)
		return get_u64s(f, s, at);
	if (f->type == F_BOOL || f->type == F_ENUM)
		rc = get_small(f, s->p, at);
	else
		get_fixed(f, s->p, at);
	*s = (struct slice){(const uint8_t *)s->p + n, s->n - n};
	return rc;
}

int codec_decode(const struct codec *c, struct slice s, void *ret, struct slice *ret_rest)
{
	uint8_t version;
	int rc;

	memset(ret, 0, c->struct_size);
	if (s.n < 1)
		return ERR_CORRUPT;
	version = *(const uint8_t *)s.p;
	if (version == 0)
		return ERR_CORRUPT;
	if (version > c->version)
		return ERR_UNSUPPORTED;
	s = (struct slice){(const uint8_t *)s.p + 1, s.n - 1};
	for (size_t i = 0; i < c->n; i++) {
		if (c->fields[i].since > version)
			continue;
		rc = get_field(&c->fields[i], &s, (uint8_t *)ret + c->fields[i].offset);
		if (rc != 0)
			return rc;
	}
	if (ret_rest != NULL)
		*ret_rest = s;
	else if (s.n != 0)
		return ERR_CORRUPT;
	return 0;
}
