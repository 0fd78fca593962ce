/* csv_write.c: rows out as CSV and NDJSON. */
#include "sluice/kit/rows.h"
#include "sluice/kit/text.h"

#include <math.h>
#include <string.h>

/* Quotes where the reader would take the bytes for something else: so "" stays apart from NULL. */
static int needs_quotes(const slu_format *f, const char *s, size_t n)
{
	size_t i;

	if (n == strlen(f->null_text) && memcmp(s, f->null_text, n) == 0)
		return 1;
	if (n && (s[0] == ' ' || s[n - 1] == ' '))
		return 1;
	for (i = 0; i < n; i++)
		if (s[i] == f->delimiter || s[i] == '"' || s[i] == '\n' || s[i] == '\r')
			return 1;
	return n >= 3 && memcmp(s, "\xEF\xBB\xBF", 3) == 0;
}

static void add_csv_text(const slu_format *f, const char *s, size_t n, slu_buf *out)
{
	const char *q;

	if (!needs_quotes(f, s, n)) {
		slu_buf_addn(out, s, n);
		return;
	}
	slu_buf_addc(out, '"');
	while ((q = memchr(s, '"', n))) {
		slu_buf_addn(out, s, (size_t)(q - s) + 1);
		slu_buf_addc(out, '"');
		n -= (size_t)(q - s) + 1;
		s = q + 1;
	}
	slu_buf_addn(out, s, n);
	slu_buf_addc(out, '"');
}

void slu_rows_header(const slu_format *format, const slu_fields *fields, slu_buf *out)
{
	size_t i;

	if (format->kind == SLU_NDJSON || format->no_header)
		return;
	for (i = 0; i < fields->n; i++) {
		if (i)
			slu_buf_addc(out, format->delimiter);
		add_csv_text(format, fields->v[i].name, strlen(fields->v[i].name), out);
	}
	slu_buf_addc(out, '\n');
}

static void csv_cell(
    const slu_format *f, const slu_field *field, const slu_col *c, int64_t row, slu_buf *out)
{
	size_t n, from = out->len;
	const char *p;

	if (slu_is_null(c, row)) {
		slu_buf_add(out, f->null_text);
		return;
	}
	if (c->type == SLU_UTF8) {
		p = slu_get_bytes(c, row, &n);
		add_csv_text(f, p, n, out);
		return;
	}
	slu_cell_text(field, c, row, out);
	if (out->failed || !needs_quotes(f, out->s + from, out->len - from) ||
	    !slu_buf_reserve(out, 2))
		return;
	memmove(out->s + from + 1, out->s + from, out->len - from);
	out->s[from] = '"';
	out->len++;
	slu_buf_addc(out, '"');
}

static void json_cell(const slu_field *field, const slu_col *c, int64_t row, slu_buf *out)
{
	const char *p;
	double v;
	size_t n;

	if (slu_is_null(c, row)) {
		slu_buf_add(out, "null");
		return;
	}
	switch (c->type) {
	case SLU_UTF8:
		p = slu_get_bytes(c, row, &n);
		if (field->json)
			slu_buf_addn(out, p, n);
		else
			slu_buf_add_json(out, p, n);
		return;
	case SLU_FLOAT32:
	case SLU_FLOAT64:
		v = slu_get_f64(c, row);
		if (isfinite(v))
			break;
		slu_buf_addc(out, '"');
		slu_cell_text(field, c, row, out);
		slu_buf_addc(out, '"');
		return;
	case SLU_BINARY:
	case SLU_DATE:
	case SLU_TIMESTAMP:
		slu_buf_addc(out, '"');
		slu_cell_text(field, c, row, out);
		slu_buf_addc(out, '"');
		return;
	default:
		break;
	}
	slu_cell_text(field, c, row,
	    out); /* decimals and 64-bit integers as numbers, with all their digits */
}

static void write_row(
    const slu_format *f, const slu_fields *fields, const slu_col *cols, int64_t row, slu_buf *out)
{
	size_t i;

	for (i = 0; i < fields->n; i++) {
		const slu_field *field = &fields->v[i];

		if (f->kind == SLU_CSV) {
			if (i)
				slu_buf_addc(out, f->delimiter);
			csv_cell(f, field, &cols[i], row, out);
			continue;
		}
		slu_buf_addc(out, i ? ',' : '{');
		slu_buf_add_json(out, field->name, strlen(field->name));
		slu_buf_addc(out, ':');
		json_cell(field, &cols[i], row, out);
	}
	slu_buf_add(out, f->kind == SLU_CSV ? "\n" : "}\n");
}

slu_rc slu_rows_write(const slu_format *format, const slu_fields *fields, const slu_col *cols,
    int64_t from, int64_t to, slu_buf *out, slu_err *err)
{
	int64_t row;

	for (row = from; row < to; row++)
		write_row(format, fields, cols, row, out);
	return out->failed ? slu_fail(err, SLU_E_TRANSIENT, "KIT.MEMORY",
				 "rows as text are larger than the buffer")
			   : SLU_OK;
}
