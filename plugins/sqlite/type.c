/* type.c: types and values. SQLite knows five storage classes; the declared type of a column says
 * what its values mean: dates and times are ISO texts that sort, decimals are texts with all their
 * digits. */
#include "plugins/sqlite/sqlite.h"

#include "sluice/kit/text.h"

#include <ctype.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define YEAR_0 INT64_C(-62167219200) /* seconds of 0000-01-01 */
#define YEAR_10000 INT64_C(253402300800)

/* First that matches by its beginning wins. The names that a new column gets come back as the same
 * type; the ones behind are what other people write. */
static const struct {
	const char *name;
	int type;
} names[] = {{"BOOLEAN", SLU_BOOL}, {"TINYINT", SLU_INT8}, {"SMALLINT", SLU_INT16},
    {"INT32", SLU_INT32}, {"UINT8", SLU_UINT8}, {"UINT16", SLU_UINT16}, {"UINT32", SLU_UINT32},
    {"UNSIGNED BIG INT", SLU_UINT64}, {"BIGINT", SLU_INT64}, {"FLOAT32", SLU_FLOAT32},
    {"DOUBLE", SLU_FLOAT64}, {"BLOB", SLU_BINARY}, {"DATETIME", SLU_TIMESTAMP},
    {"TIMESTAMP", SLU_TIMESTAMP}, {"DATE", SLU_DATE}, {"BOOL", SLU_BOOL}, {"REAL", SLU_FLOAT64},
    {"FLOAT", SLU_FLOAT64}};
#define N_NAMES (sizeof(names) / sizeof(names[0]))

const char *type_declared(const slu_field *f, char *buf)
{
	size_t i;

	switch (f->type) {
	case SLU_DECIMAL: /* TEXT in the name keeps SQLite from turning the digits into a double */
		(void)snprintf(buf, 96, "DECIMAL_TEXT(%d,%d)", f->precision, f->scale);
		return buf;
	case SLU_UTF8:
		return f->json ? "JSON_TEXT" : "TEXT";
	case SLU_TIMESTAMP:
		return f->zone[0] ? "TIMESTAMPTZ" : "TIMESTAMP";
	default:
		break;
	}
	for (i = 0; i < N_NAMES; i++)
		if (names[i].type == f->type)
			return names[i].name;
	return NULL;
}

static bool begins(const char *s, const char *word)
{
	for (; *word; word++, s++)
		if (toupper((unsigned char)*s) != *word)
			return false;
	return true;
}

static bool holds(const char *s, const char *word)
{
	for (; *s; s++)
		if (begins(s, word))
			return true;
	return false;
}

void type_read(const char *declared, slu_field *f)
{
	int p = 0, s = 0, n;
	size_t i;

	f->type = SLU_UTF8;
	f->json = 0;
	if (!declared || !*declared)
		return;
	n = sscanf(declared, "%*[A-Za-z_](%d,%d)", &p, &s);
	if ((begins(declared, "DEC") || begins(declared, "NUMERIC")) && n >= 1 && p >= 1 &&
	    p <= 38 && s >= 0 && s <= p) {
		f->type = SLU_DECIMAL;
		f->precision = p;
		f->scale = s;
		return;
	}
	if (begins(declared, "JSON")) {
		f->json = 1;
		return;
	}
	for (i = 0; i < N_NAMES; i++) {
		if (!begins(declared, names[i].name))
			continue;
		f->type = names[i].type;
		if (begins(declared, "TIMESTAMPTZ"))
			memcpy(f->zone, "UTC", 4);
		return;
	}
	/* SQLite's own rule for everything else */
	if (holds(declared, "INT"))
		f->type = SLU_INT64;
	else if (holds(declared, "BLOB"))
		f->type = SLU_BINARY;
	else if (holds(declared, "REAL") || holds(declared, "FLOA") || holds(declared, "DOUB"))
		f->type = SLU_FLOAT64;
}

static int int_bits(int type) /* 0: no integer; unsigned ones count half a bit more */
{
	static const int bits[] = {[SLU_INT8] = 16,
	    [SLU_INT16] = 32,
	    [SLU_INT32] = 64,
	    [SLU_INT64] = 128,
	    [SLU_UINT8] = 17,
	    [SLU_UINT16] = 33,
	    [SLU_UINT32] = 65,
	    [SLU_UINT64] = 129};

	return type <= SLU_UINT64 ? bits[type] : 0;
}

/* Wider is fine where the value stays the same and reads back as the column's type. */
int type_accepts(const slu_field *have, const slu_field *want)
{
	int a = int_bits(have->type), b = int_bits(want->type);

	if (have->type == SLU_DECIMAL && want->type == SLU_DECIMAL)
		return have->scale >= want->scale &&
		       have->precision - have->scale >= want->precision - want->scale;
	if (have->type == SLU_TIMESTAMP && want->type == SLU_TIMESTAMP)
		return !have->zone[0] == !want->zone[0];
	if (a && b)
		return (b & 1) == (a & 1) ? a >= b : !(a & 1) && (a & ~1) > (b & ~1);
	if (have->type == SLU_FLOAT64 && want->type == SLU_FLOAT32)
		return 1;
	return have->type == want->type;
}

const char *type_instant(const slu_field *f, int64_t value, char *buf)
{
	if (f->type == SLU_DATE)
		(void)slu_text_from_date(value, buf);
	else
		(void)slu_text_from_timestamp(value, f->zone[0] != '\0', 1, buf);
	return buf;
}

static const char *bind_time(sqlite3_stmt *st, int i, const slu_field *f, int64_t v)
{
	int64_t s = f->type == SLU_DATE ? v * 86400 : v / 1000000;
	char buf[SLU_TEXT_MAX];

	if (s < YEAR_0 || s >= YEAR_10000)
		return "is outside of the years 0 to 9999, which are all that sort as text";
	(void)sqlite3_bind_text(st, i, type_instant(f, v, buf), -1, SQLITE_TRANSIENT);
	return NULL;
}

const char *type_bind(sqlite3_stmt *st, int i, const slu_field *f, const slu_col *c, int64_t row)
{
	char buf[SLU_TEXT_MAX];
	const char *p;
	double d;
	size_t n;

	if (slu_is_null(c, row)) {
		(void)sqlite3_bind_null(st, i);
		return NULL;
	}
	switch (f->type) {
	case SLU_FLOAT32:
	case SLU_FLOAT64:
		d = slu_get_f64(c, row);
		if (isnan(d))
			return "is NaN, which SQLite would store as NULL";
		(void)sqlite3_bind_double(st, i, d);
		return NULL;
	case SLU_DECIMAL:
		n = slu_text_from_decimal(slu_get_decimal(c, row), f->scale, buf);
		(void)sqlite3_bind_text(st, i, buf, (int)n, SQLITE_TRANSIENT);
		return NULL;
	case SLU_UTF8:
		p = slu_get_bytes(c, row, &n);
		(void)sqlite3_bind_text64(st, i, p, n, SQLITE_STATIC, SQLITE_UTF8);
		return NULL;
	case SLU_BINARY:
		p = slu_get_bytes(c, row, &n);
		(void)sqlite3_bind_blob64(st, i, n ? p : "", n, SQLITE_STATIC);
		return NULL;
	case SLU_DATE:
	case SLU_TIMESTAMP:
		return bind_time(st, i, f, slu_get_i64(c, row));
	case SLU_UINT64:
		if (slu_get_u64(c, row) > INT64_MAX)
			return "is larger than 9223372036854775807, the largest integer of SQLite";
		break;
	default:
		break;
	}
	(void)sqlite3_bind_int64(st, i, slu_get_i64(c, row));
	return NULL;
}

/* ---- reading ---- */
static const char *put_number(
    sqlite3_stmt *st, int i, const slu_field *f, slu_builder *b, size_t col)
{
	int have = sqlite3_column_type(st, i);
	const char *why = NULL, *p;
	double d;

	if (f->type == SLU_FLOAT32 || f->type == SLU_FLOAT64) {
		d = sqlite3_column_double(st, i);
		if (have == SQLITE_INTEGER &&
		    (sqlite3_column_int64(st, i) > INT64_C(1) << 53 ||
			sqlite3_column_int64(st, i) < -(INT64_C(1) << 53)))
			return "is a whole number that a double does not hold";
		if (have != SQLITE_INTEGER && have != SQLITE_FLOAT)
			return "is no number";
		if (f->type == SLU_FLOAT32 && (double)(float)d != d)
			return "is a double that a float32 does not hold";
		slu_put_f64(b, col, d);
		return NULL;
	}
	if (f->type == SLU_DECIMAL && have == SQLITE_FLOAT) {
		char buf[SLU_TEXT_MAX];
		size_t n = slu_text_from_f64(sqlite3_column_double(st, i), 0, buf);

		return slu_put_text(b, col, buf, n, &why) == SLU_OK ? NULL : why;
	}
	if (f->type != SLU_DECIMAL && have != SQLITE_INTEGER)
		return "is no whole number";
	p = (const char *)sqlite3_column_text(st, i);
	return slu_put_text(b, col, p, (size_t)sqlite3_column_bytes(st, i), &why) == SLU_OK ? NULL
											    : why;
}

const char *type_put(sqlite3_stmt *st, int i, const slu_field *f, slu_builder *b, size_t col)
{
	int have = sqlite3_column_type(st, i);
	const char *why = NULL, *p;
	size_t n;

	if (have == SQLITE_NULL) {
		slu_put_null(b, col);
		return NULL;
	}
	if (f->type >= SLU_INT8 && f->type <= SLU_DECIMAL)
		return put_number(st, i, f, b, col);
	if (f->type == SLU_BINARY) {
		if (have != SQLITE_BLOB)
			return "is no blob";
		p = sqlite3_column_blob(st, i);
		n = (size_t)sqlite3_column_bytes(st, i);
		slu_put_bytes(b, col, n ? p : "", n);
		return NULL;
	}
	if (have == SQLITE_BLOB)
		return "is a blob in a column of another type";
	p = (const char *)sqlite3_column_text(st, i);
	n = (size_t)sqlite3_column_bytes(st, i);
	/* Nothing stands behind a zone-less ISO text that SQLite's own datetime() made. */
	return slu_put_text(b, col, p, n, &why) == SLU_OK ? NULL : why;
}
