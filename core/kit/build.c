/* build.c: rows in, Arrow arrays out. One growing buffer a column; NULL bitmaps are made at the
 * first NULL. */
#include "core/kit/build.h"

#include "sluice/kit/text.h"

#include "core/base/json_scan.h"
#include "core/base/mem.h"
#include "core/base/str.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#define DEFAULT_BYTES (1u << 20)
#define BATCH_MAX_BYTES (INT32_MAX - 1) /* offsets are 32 bits */

static const uint8_t widths[] = {[SLU_INT8] = 1,
    [SLU_INT16] = 2,
    [SLU_INT32] = 4,
    [SLU_INT64] = 8,
    [SLU_UINT8] = 1,
    [SLU_UINT16] = 2,
    [SLU_UINT32] = 4,
    [SLU_UINT64] = 8,
    [SLU_FLOAT32] = 4,
    [SLU_FLOAT64] = 8,
    [SLU_DECIMAL] = 16,
    [SLU_UTF8] = 4,
    [SLU_BINARY] = 4,
    [SLU_DATE] = 4,
    [SLU_TIMESTAMP] = 8,
    [SLU_BOOL] = 0};

int batch_width(int type)
{
	return widths[type];
}

slu_builder *slu_builder_new(const slu_fields *fields, uint64_t max_bytes)
{
	slu_builder *b = mem_zalloc(sizeof(*b));
	size_t i;

	if (slu_fields_copy(&b->fields, fields, NULL) != SLU_OK) {
		mem_free(b);
		return NULL;
	}
	b->max_bytes = max_bytes ? max_bytes : DEFAULT_BYTES;
	b->cols = mem_calloc(fields->n ? fields->n : 1, sizeof(*b->cols));
	for (i = 0; i < fields->n; i++) {
		b->cols[i].type = fields->v[i].type;
		b->cols[i].width = widths[fields->v[i].type];
		b->cols[i].text = b->cols[i].type == SLU_UTF8 || b->cols[i].type == SLU_BINARY;
	}
	return b;
}

static void column_done(struct build_col *c)
{
	free(c->valid);
	free(c->data);
	free(c->bytes);
	c->valid = c->data = c->bytes = NULL;
	c->n = c->nulls = 0;
	c->cap = c->bytes_len = c->bytes_cap = 0;
}

void slu_builder_free(slu_builder *b)
{
	size_t i;

	if (!b)
		return;
	for (i = 0; i < b->fields.n; i++)
		column_done(&b->cols[i]);
	mem_free(b->cols);
	slu_fields_done(&b->fields);
	mem_free(b);
}

const slu_fields *slu_builder_fields(const slu_builder *b)
{
	return &b->fields;
}

static void build_failed(slu_builder *b, size_t col, const char *why)
{
	if (b->failed)
		return;
	b->failed = why;
	b->failed_col = col;
}

/* Room for cap values; the bitmap, where there is one, grows with them. */
static bool column_grow(slu_builder *b, struct build_col *c, size_t col)
{
	size_t cap = c->cap ? c->cap * 2 : 1024, unit = c->type == SLU_BOOL ? 1 : (size_t)c->width;
	size_t old = c->type == SLU_BOOL ? c->cap / 8 : c->cap * unit;
	size_t need = c->type == SLU_BOOL ? cap / 8 : (cap + c->text) * unit;
	uint8_t *data = realloc(c->data, need), *valid;

	if (!data) {
		build_failed(b, col, "out of memory");
		return false;
	}
	c->data = data;
	if (c->type == SLU_BOOL)
		memset(data + old, 0, need - old);
	else if (c->text && c->cap == 0)
		memset(data, 0, 4);
	if (c->valid) {
		valid = realloc(c->valid, cap / 8);
		if (!valid) {
			build_failed(b, col, "out of memory");
			return false;
		}
		memset(valid + c->cap / 8, 0xFF, cap / 8 - c->cap / 8);
		c->valid = valid;
	}
	c->cap = cap;
	return true;
}

/* Room for one value of the current row; NULL where there is none or the row has it already. */
static struct build_col *column_open(slu_builder *b, size_t col)
{
	struct build_col *c;

	if (col >= b->fields.n) {
		build_failed(b, 0, "a value was put into a column that is not there");
		return NULL;
	}
	c = &b->cols[col];
	if (c->n != b->rows) {
		build_failed(b, col, "a value was put twice");
		return NULL;
	}
	if ((size_t)c->n == c->cap && !column_grow(b, c, col))
		return NULL;
	return c;
}

void slu_put_null(slu_builder *b, size_t col)
{
	struct build_col *c = column_open(b, col);

	if (!c)
		return;
	if (!c->valid) {
		c->valid = malloc(c->cap / 8);
		if (!c->valid) {
			build_failed(b, col, "out of memory");
			return;
		}
		memset(c->valid, 0xFF, c->cap / 8);
	}
	c->valid[c->n >> 3] &= (uint8_t) ~(1u << (c->n & 7));
	if (c->text)
		((int32_t *)(void *)c->data)[c->n + 1] = (int32_t)c->bytes_len;
	else if (c->width)
		memset(c->data + c->n * c->width, 0, (size_t)c->width);
	c->nulls++;
	c->n++;
	b->bytes += (uint64_t)c->width;
}

static void put_fixed(slu_builder *b, size_t col, const void *v, int width)
{
	struct build_col *c = column_open(b, col);

	if (!c)
		return;
	if (c->width != width || c->text) {
		build_failed(b, col, "a value was put as the wrong type");
		return;
	}
	memcpy(c->data + c->n * width, v, (size_t)width);
	c->n++;
	b->bytes += (uint64_t)width;
}

static void put_bool(slu_builder *b, size_t col, bool v)
{
	struct build_col *c = column_open(b, col);

	if (!c)
		return;
	if (v)
		c->data[c->n >> 3] |= (uint8_t)(1u << (c->n & 7));
	else
		c->data[c->n >> 3] &= (uint8_t) ~(1u << (c->n & 7));
	c->n++;
	b->bytes++;
}

static const struct {
	int64_t lo, hi;
} ranges[] = {[SLU_INT8] = {INT8_MIN, INT8_MAX},
    [SLU_INT16] = {INT16_MIN, INT16_MAX},
    [SLU_INT32] = {INT32_MIN, INT32_MAX},
    [SLU_INT64] = {INT64_MIN, INT64_MAX},
    [SLU_UINT8] = {0, UINT8_MAX},
    [SLU_UINT16] = {0, UINT16_MAX},
    [SLU_UINT32] = {0, UINT32_MAX},
    [SLU_UINT64] = {0, INT64_MAX},
    [SLU_DATE] = {INT32_MIN, INT32_MAX},
    [SLU_TIMESTAMP] = {INT64_MIN, INT64_MAX}};

static bool fits(int type, int64_t v)
{
	return (size_t)type < sizeof(ranges) / sizeof(ranges[0]) && v >= ranges[type].lo &&
	       v <= ranges[type].hi;
}

void slu_put_i64(slu_builder *b, size_t col, int64_t v)
{
	int type = col < b->fields.n ? b->cols[col].type : SLU_INT64;

	if (type == SLU_BOOL) {
		put_bool(b, col, v != 0);
		return;
	}
	if (type == SLU_FLOAT32 || type == SLU_FLOAT64 || type == SLU_DECIMAL || !fits(type, v)) {
		build_failed(b, col, "a number does not fit its column's type");
		return;
	}
	put_fixed(b, col, &v, widths[type]); /* little-endian: the low bytes come first */
}

void slu_put_u64(slu_builder *b, size_t col, uint64_t v)
{
	if (col < b->fields.n && b->cols[col].type == SLU_UINT64)
		put_fixed(b, col, &v, 8);
	else if (v <= INT64_MAX)
		slu_put_i64(b, col, (int64_t)v);
	else
		build_failed(b, col, "a number does not fit its column's type");
}

void slu_put_f64(slu_builder *b, size_t col, double v)
{
	float f = (float)v;

	if (col < b->fields.n && b->cols[col].type == SLU_FLOAT32)
		put_fixed(b, col, &f, 4);
	else if (col < b->fields.n && b->cols[col].type == SLU_FLOAT64)
		put_fixed(b, col, &v, 8);
	else
		build_failed(b, col, "a value was put as the wrong type");
}

void slu_put_decimal(slu_builder *b, size_t col, slu_i128 v)
{
	put_fixed(b, col, &v, 16);
}

static bool bytes_room(slu_builder *b, struct build_col *c, size_t col, size_t n)
{
	size_t cap = c->bytes_cap ? c->bytes_cap : 4096;
	uint8_t *p;

	if (n > SLU_CELL_MAX || c->bytes_len + n > BATCH_MAX_BYTES) {
		build_failed(b, col, "a value is larger than 64 MiB");
		return false;
	}
	while (cap < c->bytes_len + n)
		cap *= 2;
	p = realloc(c->bytes, cap);
	if (!p) {
		build_failed(b, col, "out of memory");
		return false;
	}
	c->bytes = p;
	c->bytes_cap = cap;
	return true;
}

void slu_put_bytes(slu_builder *b, size_t col, const void *p, size_t n)
{
	struct build_col *c = column_open(b, col);

	if (!c)
		return;
	if (!c->text) {
		build_failed(b, col, "a value was put as the wrong type");
		return;
	}
	if (c->bytes_len + n > c->bytes_cap && !bytes_room(b, c, col, n))
		return;
	if (n)
		memcpy(c->bytes + c->bytes_len, p, n);
	c->bytes_len += n;
	((int32_t *)(void *)c->data)[++c->n] = (int32_t)c->bytes_len;
	b->bytes += n + 4;
}

void slu_put_str(slu_builder *b, size_t col, const char *s)
{
	if (s)
		slu_put_bytes(b, col, s, strlen(s));
	else
		slu_put_null(b, col);
}

static const char *text_float(slu_builder *b, size_t col, const char *p, size_t n)
{
	const char *why;
	double v;

	why = slu_text_to_f64(p, n, &v);
	if (!why)
		slu_put_f64(b, col, v);
	return why;
}

static const char *text_int(slu_builder *b, size_t col, const char *p, size_t n, int type)
{
	const char *why;
	uint64_t u;
	int64_t v;

	if (type == SLU_UINT64) {
		why = slu_text_to_u64(p, n, &u);
		if (!why)
			slu_put_u64(b, col, u);
		return why;
	}
	why = slu_text_to_i64(p, n, &v);
	if (!why && !fits(type, v))
		why = "is too large for its type";
	if (!why)
		slu_put_i64(b, col, v);
	return why;
}

static const char *text_time(slu_builder *b, size_t col, const char *p, size_t n)
{
	bool zoned = b->fields.v[col].zone[0] != '\0';
	const char *why;
	int has_zone;
	int64_t us;

	why = slu_text_to_timestamp(p, n, &us, &has_zone);
	if (!why && zoned && !has_zone)
		why = "has no time zone: declare it timestamp_local, or write an offset";
	if (!why && !zoned && has_zone)
		why = "has a time zone: declare it timestamp";
	if (!why)
		slu_put_i64(b, col, us);
	return why;
}

static const char *text_binary(slu_builder *b, size_t col, const char *p, size_t n)
{
	uint8_t *raw = malloc(n + 1);
	const char *why = raw ? NULL : "out of memory";
	size_t raw_n;

	if (!why)
		why = slu_base64_get(p, n, raw, n, &raw_n);
	if (!why)
		slu_put_bytes(b, col, raw, raw_n);
	free(raw);
	return why;
}

static const char *text_other(slu_builder *b, size_t col, const char *p, size_t n, int type)
{
	const slu_field *f = &b->fields.v[col];
	const char *why;
	slu_i128 dec;
	int32_t days;
	int flag;

	switch (type) {
	case SLU_BOOL:
		why = slu_text_to_bool(p, n, &flag);
		if (!why)
			slu_put_i64(b, col, flag);
		return why;
	case SLU_DECIMAL:
		why = slu_text_to_decimal(p, n, f->precision, f->scale, &dec);
		if (!why)
			slu_put_decimal(b, col, dec);
		return why;
	case SLU_DATE:
		why = slu_text_to_date(p, n, &days);
		if (!why)
			slu_put_i64(b, col, days);
		return why;
	case SLU_TIMESTAMP:
		return text_time(b, col, p, n);
	default:
		return text_binary(b, col, p, n);
	}
}

slu_rc slu_put_text(slu_builder *b, size_t col, const char *p, size_t n, const char **ret_reason)
{
	int type = b->cols[col].type;
	const char *why = NULL;

	if (type == SLU_UTF8) {
		if (b->fields.v[col].json && json_scan(p, n, NULL) != 0)
			why = "is not JSON";
		else if (!slu_utf8_valid(p, n))
			why = "is not valid UTF-8";
		else
			slu_put_bytes(b, col, p, n);
	} else if (type == SLU_FLOAT32 || type == SLU_FLOAT64) {
		why = text_float(b, col, p, n);
	} else if (type >= SLU_INT8 && type <= SLU_UINT64) {
		why = text_int(b, col, p, n, type);
	} else {
		why = text_other(b, col, p, n, type);
	}
	if (!why)
		return SLU_OK;
	*ret_reason = why;
	return SLU_E_DATA;
}

/* The row being built, by its column of the window; a NULL is in no window. */
static bool in_window(const slu_builder *b)
{
	const struct build_col *c = &b->cols[b->window->col];
	int64_t v;

	if (c->valid && !((c->valid[b->rows >> 3] >> (b->rows & 7)) & 1))
		return false;
	v = c->width == 4 ? ((const int32_t *)(const void *)c->data)[b->rows]
			  : ((const int64_t *)(const void *)c->data)[b->rows];
	return v >= b->window->from && v < b->window->to;
}

slu_rc slu_row_end(slu_builder *b, slu_err *err)
{
	const char *why = b->failed;
	size_t i, col = b->failed_col;

	for (i = 0; i < b->fields.n && !why; i++) {
		if (b->cols[i].n == b->rows)
			slu_put_null(b, i);
		why = b->failed;
		col = b->failed_col;
	}
	if (!why && b->window && !in_window(b)) {
		b->window->outside++;
		slu_row_drop(b);
		return SLU_OK;
	}
	if (!why) {
		b->rows++;
		b->row_start = b->bytes;
		return SLU_OK;
	}
	b->failed = NULL;
	slu_row_drop(b);
	return slu_fail_field(err, strcmp(why, "out of memory") == 0 ? SLU_E_TRANSIENT : SLU_E_DATA,
	    "KIT.VALUE", col < b->fields.n ? b->fields.v[col].name : "",
	    "column \"%s\", row %lld: %s", col < b->fields.n ? b->fields.v[col].name : "?",
	    (long long)b->rows_before + b->rows + 1, why);
}

void slu_row_drop(slu_builder *b)
{
	size_t i;

	for (i = 0; i < b->fields.n; i++) {
		struct build_col *c = &b->cols[i];

		if (c->n == b->rows)
			continue;
		c->n = b->rows;
		if (c->valid && !((c->valid[c->n >> 3] >> (c->n & 7)) & 1)) {
			c->valid[c->n >> 3] |= (uint8_t)(1u << (c->n & 7));
			c->nulls--;
		}
		if (c->text)
			c->bytes_len = (size_t)((int32_t *)(void *)c->data)[c->n];
	}
	b->failed = NULL;
	b->bytes = b->row_start;
}

int slu_builder_full(const slu_builder *b)
{
	return b->bytes >= b->max_bytes || b->rows >= SLU_BATCH_ROWS;
}

int64_t slu_builder_rows(const slu_builder *b)
{
	return b->rows;
}

void slu_builder_rejects(slu_builder *b, const slu_rejects *r)
{
	b->rejects = r;
}

/* ---- handing out ---- */
struct held { /* private_data of a column: its three buffers and the array of pointers to them */
	const void *buffers[3];
};

static void column_release(struct ArrowArray *a)
{
	struct held *h = a->private_data;
	int64_t i;

	for (i = 0; i < a->n_buffers; i++)
		free((void *)(uintptr_t)h->buffers[i]);
	mem_free(h);
	a->release = NULL;
}

static void batch_release(struct ArrowArray *a)
{
	int64_t i;

	for (i = 0; i < a->n_children; i++) {
		if (a->children[i]->release)
			a->children[i]->release(a->children[i]);
		mem_free(a->children[i]);
	}
	mem_free(a->children);
	mem_free(a->private_data);
	a->release = NULL;
}

static void column_take(struct build_col *c, struct ArrowArray *out)
{
	struct held *h = mem_zalloc(sizeof(*h));

	memset(out, 0, sizeof(*out));
	out->length = c->n;
	out->null_count = c->nulls;
	h->buffers[0] = c->nulls ? c->valid : NULL;
	if (!c->nulls)
		free(c->valid);
	h->buffers[1] = c->data;
	h->buffers[2] = c->bytes;
	/* A text column without a byte still needs its buffers to be there. */
	if (!h->buffers[1])
		h->buffers[1] = calloc(1, 8);
	if (c->text && !h->buffers[2])
		h->buffers[2] = calloc(1, 8);
	out->n_buffers = c->text ? 3 : 2;
	out->buffers = h->buffers;
	out->private_data = h;
	out->release = column_release;
	c->valid = c->data = c->bytes = NULL;
	c->n = c->nulls = 0;
	c->cap = c->bytes_len = c->bytes_cap = 0;
}

slu_rc slu_builder_take(slu_builder *b, struct ArrowArray *out, slu_err *err)
{
	const void **top;
	size_t i;

	if (b->failed)
		return slu_row_end(b, err);
	slu_row_drop(b);
	memset(out, 0, sizeof(*out));
	top = mem_zalloc(sizeof(*top));
	out->length = b->rows;
	out->n_buffers = 1;
	out->buffers = top;
	out->private_data = top;
	out->n_children = (int64_t)b->fields.n;
	out->children = mem_calloc(b->fields.n ? b->fields.n : 1, sizeof(*out->children));
	for (i = 0; i < b->fields.n; i++) {
		out->children[i] = mem_zalloc(sizeof(**out->children));
		column_take(&b->cols[i], out->children[i]);
	}
	out->release = batch_release;
	b->rows_before += (uint64_t)b->rows;
	b->rows = 0;
	b->bytes = b->row_start = 0;
	return SLU_OK;
}
