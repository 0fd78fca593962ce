/* arrow_value.c: one value of an Arrow array as JSON: for reject files and previews. */
#include "core/worker/arrow.h"

#include "core/base/clock.h"
#include "core/base/hash.h"
#include "core/base/mem.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool is_null(const struct ArrowArray *a, int64_t i)
{
	const uint8_t *bits = a->n_buffers > 0 ? a->buffers[0] : NULL;

	return bits != NULL && !(bits[i / 8] >> (i % 8) & 1);
}

static bool write_integer(struct jw *w, char format, const void *values, int64_t i)
{
	switch (format) {
	case 'c':
		jw_i64(w, ((const int8_t *)values)[i]);
		return true;
	case 'C':
		jw_i64(w, ((const uint8_t *)values)[i]);
		return true;
	case 's':
		jw_i64(w, ((const int16_t *)values)[i]);
		return true;
	case 'S':
		jw_i64(w, ((const uint16_t *)values)[i]);
		return true;
	case 'i':
		jw_i64(w, ((const int32_t *)values)[i]);
		return true;
	case 'I':
		jw_i64(w, ((const uint32_t *)values)[i]);
		return true;
	case 'l':
		jw_i64(w, ((const int64_t *)values)[i]);
		return true;
	case 'L':
		jw_u64(w, ((const uint64_t *)values)[i]);
		return true;
	case 'f':
		jw_num(w, (double)((const float *)values)[i]);
		return true;
	case 'g':
		jw_num(w, ((const double *)values)[i]);
		return true;
	default:
		return false;
	}
}

static void write_text(struct jw *w, char format, const char *p, int64_t n)
{
	char *hex;

	if (format == 'u' || format == 'U') {
		jw_strn(w, p, (size_t)n);
		return;
	}
	hex = mem_alloc((size_t)n * 2 + 1);
	hash_to_hex(p, (size_t)n, hex);
	jw_str(w, hex);
	mem_free(hex);
}

static void write_var(struct jw *w, const char *format, const struct ArrowArray *a, int64_t i)
{
	const char *bytes = a->buffers[2];
	int64_t from, to;

	if (format[0] == 'u' || format[0] == 'z') {
		from = ((const int32_t *)a->buffers[1])[i];
		to = ((const int32_t *)a->buffers[1])[i + 1];
	} else {
		from = ((const int64_t *)a->buffers[1])[i];
		to = ((const int64_t *)a->buffers[1])[i + 1];
	}
	write_text(w, format[0], bytes != NULL ? bytes + from : "", to - from);
}

static void write_timestamp(struct jw *w, const char *format, const int64_t *values, int64_t i)
{
	static const struct {
		char unit;
		int64_t mul, div;
	} units[] = {{'s', 1000000, 1}, {'m', 1000, 1}, {'u', 1, 1}, {'n', 1, 1000}};
	char text[CLOCK_TEXT_MAX];
	size_t u;

	for (u = 0; u < sizeof(units) / sizeof(units[0]); u++) {
		if (units[u].unit != format[2])
			continue;
		jw_str(w, clock_format_us(values[i] / units[u].div * units[u].mul, text));
		return;
	}
	jw_null(w);
}

static void write_date(struct jw *w, int32_t days)
{
	char text[48];
	int64_t year;
	int month, day;

	clock_civil_from_days(days, &year, &month, &day);
	snprintf(text, sizeof(text), "%04" PRId64 "-%02d-%02d", year, month, day);
	jw_str(w, text);
}

/* decimal128, two's complement, little-endian: as a decimal text without loss. */
static void write_decimal(struct jw *w, const char *format, const uint8_t *p)
{
	int scale = 0, n = 0, pos;
	const char *comma = strchr(format, ',');
	unsigned __int128 u;
	__int128 v;
	char digits[48], text[64];

	if (comma != NULL)
		scale = (int)strtol(comma + 1, NULL, 10);
	memcpy(&v, p, sizeof(v));
	u = v < 0 ? -(unsigned __int128)v : (unsigned __int128)v;
	do {
		digits[n++] = (char)('0' + (int)(u % 10));
		u /= 10;
	} while ((u > 0 || n <= scale) && n < (int)sizeof(digits));
	pos = 0;
	if (v < 0)
		text[pos++] = '-';
	while (n > 0) {
		if (n == scale)
			text[pos++] = '.';
		text[pos++] = digits[--n];
	}
	text[pos] = '\0';
	jw_str(w, text);
}

void arrow_write_value(
    struct jw *w, const struct ArrowSchema *schema, const struct ArrowArray *array, int64_t row)
{
	const char *f = schema->format;
	int64_t i = array->offset + row;
	const uint8_t *values = array->n_buffers > 1 ? array->buffers[1] : NULL;

	if (values == NULL || is_null(array, i) || schema->dictionary != NULL)
		jw_null(w);
	else if (f[0] == 'b')
		jw_bool(w, values[i / 8] >> (i % 8) & 1);
	else if (strchr("uUzZ", f[0]) != NULL)
		write_var(w, f, array, i);
	else if (strcmp(f, "tdD") == 0)
		write_date(w, ((const int32_t *)(const void *)values)[i]);
	else if (strncmp(f, "ts", 2) == 0)
		write_timestamp(w, f, (const int64_t *)(const void *)values, i);
	else if (f[0] == 'd' && (strchr(f + 2, ',') == strrchr(f, ',')))
		write_decimal(w, f, values + i * 16);
	else if (f[1] != '\0' || !write_integer(w, f[0], values, i))
		jw_null(w);
}
