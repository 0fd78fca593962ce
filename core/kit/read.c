/* read.c: values out of Arrow arrays. */
#include "sluice/kit/batch.h"
#include "sluice/kit/text.h"

#include "core/kit/build.h"

#include <string.h>

static slu_rc column_check(
    const struct ArrowArray *a, int64_t length, const slu_field *f, slu_err *err)
{
	int text = f->type == SLU_UTF8 || f->type == SLU_BINARY;

	if (a->length < length || a->offset < 0 || a->n_buffers != (text ? 3 : 2) ||
	    (length && !a->buffers[1]))
		return slu_fail_field(err, SLU_E_INTERNAL, "KIT.ARRAY", f->name,
		    "column \"%s\" of a batch has not the shape of its type", f->name);
	return SLU_OK;
}

slu_rc slu_batch_read(
    const struct ArrowArray *array, const slu_fields *fields, slu_col *cols, slu_err *err)
{
	size_t i;

	if (array->n_children != (int64_t)fields->n)
		return slu_fail(err, SLU_E_INTERNAL, "KIT.ARRAY",
		    "a batch has %lld columns, its schema %zu", (long long)array->n_children,
		    fields->n);
	for (i = 0; i < fields->n; i++) {
		const struct ArrowArray *a = array->children[i];
		slu_rc rc = column_check(a, array->length + array->offset, &fields->v[i], err);

		if (rc != SLU_OK)
			return rc;
		cols[i].type = fields->v[i].type;
		cols[i].width = batch_width(cols[i].type);
		cols[i].valid = a->null_count == 0 ? NULL : a->buffers[0];
		cols[i].first = a->offset + array->offset;
		cols[i].offsets = a->n_buffers == 3 ? a->buffers[1] : NULL;
		cols[i].data = a->n_buffers == 3 ? a->buffers[2] : a->buffers[1];
	}
	return SLU_OK;
}

int64_t slu_get_i64(const slu_col *c, int64_t row)
{
	int64_t i = c->first + row;

	switch (c->type) {
	case SLU_BOOL:
		return (c->data[i >> 3] >> (i & 7)) & 1;
	case SLU_INT8:
		return ((const int8_t *)(const void *)c->data)[i];
	case SLU_UINT8:
		return c->data[i];
	case SLU_INT16:
		return ((const int16_t *)(const void *)c->data)[i];
	case SLU_UINT16:
		return ((const uint16_t *)(const void *)c->data)[i];
	case SLU_INT32:
	case SLU_DATE:
		return ((const int32_t *)(const void *)c->data)[i];
	case SLU_UINT32:
		return ((const uint32_t *)(const void *)c->data)[i];
	default:
		return ((const int64_t *)(const void *)c->data)[i];
	}
}

uint64_t slu_get_u64(const slu_col *c, int64_t row)
{
	return (uint64_t)slu_get_i64(c, row);
}

double slu_get_f64(const slu_col *c, int64_t row)
{
	int64_t i = c->first + row;

	if (c->type == SLU_FLOAT32)
		return (double)((const float *)(const void *)c->data)[i];
	return ((const double *)(const void *)c->data)[i];
}

slu_i128 slu_get_decimal(const slu_col *c, int64_t row)
{
	slu_i128 v;

	memcpy(&v, c->data + (c->first + row) * 16, 16);
	return v;
}

const char *slu_get_bytes(const slu_col *c, int64_t row, size_t *ret_n)
{
	const int32_t *off = (const int32_t *)(const void *)c->offsets + c->first + row;

	*ret_n = (size_t)(off[1] - off[0]);
	return (const char *)c->data + off[0];
}

static void cell_base64(const slu_col *c, int64_t row, slu_buf *out)
{
	size_t n, len;
	const char *p = slu_get_bytes(c, row, &n);

	len = slu_base64_len(n);
	if (!slu_buf_reserve(out, len + 1))
		return;
	slu_base64_put(p, n, out->s + out->len);
	out->len += len;
}

void slu_cell_text(const slu_field *f, const slu_col *c, int64_t row, slu_buf *out)
{
	char buf[SLU_TEXT_MAX];
	const char *p;
	size_t n;

	switch (c->type) {
	case SLU_UTF8:
		p = slu_get_bytes(c, row, &n);
		slu_buf_addn(out, p, n);
		return;
	case SLU_BINARY:
		cell_base64(c, row, out);
		return;
	case SLU_BOOL:
		slu_buf_add(out, slu_get_i64(c, row) ? "true" : "false");
		return;
	case SLU_UINT64:
		n = slu_text_from_u64(slu_get_u64(c, row), buf);
		break;
	case SLU_FLOAT32:
	case SLU_FLOAT64:
		n = slu_text_from_f64(slu_get_f64(c, row), c->type == SLU_FLOAT32, buf);
		break;
	case SLU_DECIMAL:
		n = slu_text_from_decimal(slu_get_decimal(c, row), f->scale, buf);
		break;
	case SLU_DATE:
		n = slu_text_from_date(slu_get_i64(c, row), buf);
		break;
	case SLU_TIMESTAMP:
		n = slu_text_from_timestamp(slu_get_i64(c, row), f->zone[0] != '\0', 0, buf);
		break;
	default:
		n = slu_text_from_i64(slu_get_i64(c, row), buf);
	}
	slu_buf_addn(out, buf, n);
}
