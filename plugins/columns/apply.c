/* apply.c: batches through the plan. Columns that stay as they are move over without a copy; only
 * when a cast rejects rows is the batch built anew. */
#include "plugins/columns/columns.h"

#include "sluice/kit/hash.h"
#include "sluice/kit/stream.h"
#include "sluice/kit/text.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct apply {
	struct columns *c;	    /* borrowed */
	struct ArrowArrayStream in; /* owned */
	slu_builder *b;		    /* owned; of the built columns; NULL where there are none */
	slu_col *cols;		    /* owned; in.n */
	uint8_t *skip;		    /* owned; a bit a row */
	size_t skip_bytes;
	slu_buf text;
	char error[sizeof(((slu_err *)0)->message)];
};

/* ---- values ---- */
static void put_hmac(struct apply *a, struct column *v, size_t col, const char *p, size_t n)
{
	uint64_t h = n;
	struct cached *slot;
	uint8_t mac[32];
	char hex[33];
	size_t i;

	for (i = 0; i < n && i < CACHE_TEXT; i++)
		h = (h ^ (unsigned char)p[i]) * UINT64_C(0x100000001b3);
	slot = &v->cache[(h ^ h >> 32) % CACHE_SLOTS];
	if (n < CACHE_TEXT && slot->n == n + 1 && memcmp(slot->text, p, n) == 0) {
		slu_put_bytes(a->b, col, slot->hex, 32);
		return;
	}
	slu_hmac_sha256(v->key, v->key_n, p, n, mac);
	slu_hex(mac, 16, hex);
	slu_put_bytes(a->b, col, hex, 32);
	if (n >= CACHE_TEXT)
		return;
	slot->n = (uint32_t)n + 1;
	memcpy(slot->text, p, n);
	memcpy(slot->hex, hex, sizeof(hex));
}

/* Text of a value: the bytes themselves where it is text. */
static const char *value_text(
    struct apply *a, const slu_field *f, const slu_col *c, int64_t row, size_t *ret_n)
{
	if (c->type == SLU_UTF8)
		return slu_get_bytes(c, row, ret_n);
	slu_buf_reset(&a->text);
	if (c->type == SLU_BOOL)
		slu_buf_addc(&a->text, slu_get_i64(c, row) ? '1' : '0');
	else
		slu_cell_text(f, c, row, &a->text);
	*ret_n = a->text.len;
	return slu_buf_text(&a->text);
}

static slu_rc reject(struct apply *a, const struct ArrowArray *batch, int64_t row,
    const slu_field *f, const char *why, slu_err *err)
{
	struct columns *c = a->c;
	slu_rc rc = c->host->reject ? c->host->reject(c->run, &c->in_schema, batch, row, f->name,
					  "COLUMNS.CAST", why)
				    : SLU_E_DATA;

	a->skip[row >> 3] |= (uint8_t)(1u << (row & 7));
	if (rc != SLU_OK)
		(void)slu_fail_field(err, rc, "COLUMNS.CAST", f->name,
		    "column \"%s\": a value %s; correct it, or let reject.max_rows set such rows "
		    "aside",
		    f->name, why);
	return rc;
}

/* One built column of one row; *ret_why where the value cannot be cast. */
static void build_value(struct apply *a, struct column *v, const slu_col *col, int64_t row,
    size_t to, const char **ret_why)
{
	const slu_field *from = &a->c->in.v[v->in];
	const char *p;
	size_t n;

	if (slu_is_null(col, row)) {
		slu_put_null(a->b, to);
		return;
	}
	if (v->what == COLUMN_REDACT) {
		if (from->type == SLU_UTF8)
			slu_put_str(a->b, to, "***");
		else
			slu_put_null(a->b, to);
		return;
	}
	p = value_text(a, from, col, row, &n);
	if (v->what == COLUMN_HMAC)
		put_hmac(a, v, to, p, n);
	else if (slu_put_text(a->b, to, p, n, ret_why) == SLU_OK)
		*ret_why = NULL;
}

static slu_rc build_row(struct apply *a, const struct ArrowArray *batch, int64_t row, slu_err *err)
{
	struct columns *c = a->c;
	size_t i;

	for (i = 0; i < c->out.n; i++) {
		struct column *v = &c->v[i];
		const char *why = NULL;

		if (v->built < 0)
			continue;
		build_value(a, v, &a->cols[v->in], row, (size_t)v->built, &why);
		if (!why)
			continue;
		slu_row_drop(a->b);
		return reject(a, batch, row, &c->in.v[v->in], why, err);
	}
	return slu_row_end(a->b, err);
}

/* ---- assembling ---- */
static void out_release(struct ArrowArray *out)
{
	int64_t i;

	for (i = 0; i < out->n_children; i++) {
		if (out->children[i]->release)
			out->children[i]->release(out->children[i]);
		free(out->children[i]);
	}
	free(out->children);
	free(out->private_data);
	out->release = NULL;
}

static void child_move(struct ArrowArray *to, struct ArrowArray *from)
{
	*to = *from;
	from->release = NULL;
}

static slu_rc assemble(struct apply *a, struct ArrowArray *in, struct ArrowArray *built,
    struct ArrowArray *out, slu_err *err)
{
	struct columns *c = a->c;
	const void **top = calloc(1, sizeof(*top));
	size_t i;

	memset(out, 0, sizeof(*out));
	out->children = calloc(c->out.n, sizeof(*out->children));
	if (!top || !out->children) {
		free(top);
		return slu_fail(err, SLU_E_TRANSIENT, "COLUMNS.MEMORY", "out of memory");
	}
	out->length = built ? built->length : in->length;
	out->n_buffers = 1;
	out->buffers = top;
	out->private_data = top;
	out->release = out_release;
	for (i = 0; i < c->out.n; i++) {
		struct ArrowArray *child = calloc(1, sizeof(*child));

		if (!child)
			return slu_fail(err, SLU_E_TRANSIENT, "COLUMNS.MEMORY", "out of memory");
		out->children[out->n_children++] = child;
		if (c->v[i].built >= 0)
			child_move(child, built->children[c->v[i].built]);
		else
			child_move(child, in->children[c->v[i].in]);
	}
	return SLU_OK;
}

/* A batch that lost rows: those that stay, copied. */
static void copy_value(slu_builder *b, size_t to, const slu_col *c, int64_t row)
{
	const char *p;
	size_t n;

	if (slu_is_null(c, row)) {
		slu_put_null(b, to);
		return;
	}
	switch (c->type) {
	case SLU_UTF8:
	case SLU_BINARY:
		p = slu_get_bytes(c, row, &n);
		slu_put_bytes(b, to, p, n);
		return;
	case SLU_FLOAT32:
	case SLU_FLOAT64:
		slu_put_f64(b, to, slu_get_f64(c, row));
		return;
	case SLU_DECIMAL:
		slu_put_decimal(b, to, slu_get_decimal(c, row));
		return;
	case SLU_UINT64:
		slu_put_u64(b, to, slu_get_u64(c, row));
		return;
	default:
		slu_put_i64(b, to, slu_get_i64(c, row));
	}
}

static slu_rc rebuild(struct apply *a, const struct ArrowArray *in, const struct ArrowArray *built,
    struct ArrowArray *out, slu_err *err)
{
	struct columns *c = a->c;
	slu_builder *b = slu_builder_new(&c->out, UINT64_MAX);
	slu_col *cols = calloc(c->built.n + 1, sizeof(*cols));
	slu_rc rc = cols ? slu_batch_read(built, &c->built, cols, err)
			 : slu_fail(err, SLU_E_TRANSIENT, "COLUMNS.MEMORY", "out of memory");
	int64_t row, at = 0;
	size_t i;

	for (row = 0; row < in->length && rc == SLU_OK; row++) {
		if ((a->skip[row >> 3] >> (row & 7)) & 1)
			continue;
		for (i = 0; i < c->out.n; i++) {
			if (c->v[i].built >= 0)
				copy_value(b, i, &cols[c->v[i].built], at);
			else
				copy_value(b, i, &a->cols[c->v[i].in], row);
		}
		at++;
		rc = slu_row_end(b, err);
	}
	if (rc == SLU_OK)
		rc = slu_builder_take(b, out, err);
	slu_builder_free(b);
	free(cols);
	return rc;
}

static slu_rc apply_batch(
    struct apply *a, struct ArrowArray *in, struct ArrowArray *out, slu_err *err)
{
	size_t need = (size_t)in->length / 8 + 1;
	struct ArrowArray built = {0};
	slu_rc rc = slu_batch_read(in, &a->c->in, a->cols, err);
	int64_t row;

	if (rc != SLU_OK || !a->b)
		return rc == SLU_OK ? assemble(a, in, NULL, out, err) : rc;
	if (need > a->skip_bytes) {
		uint8_t *skip = realloc(a->skip, need);

		if (!skip)
			return slu_fail(err, SLU_E_TRANSIENT, "COLUMNS.MEMORY", "out of memory");
		a->skip = skip;
		a->skip_bytes = need;
	}
	memset(a->skip, 0, need);
	for (row = 0; row < in->length && rc == SLU_OK; row++)
		rc = build_row(a, in, row, err);
	if (rc == SLU_OK)
		rc = slu_builder_take(a->b, &built, err);
	if (rc == SLU_OK && (built.length < in->length || in->offset))
		rc = rebuild(a, in, &built, out, err);
	else if (rc == SLU_OK)
		rc = assemble(a, in, &built, out, err);
	if (built.release)
		built.release(&built);
	return rc;
}

/* ---- the stream ---- */
static int apply_failed(struct apply *a, slu_err *e)
{
	memcpy(a->error, e->message, sizeof(a->error));
	if (a->c->host->fail)
		a->c->host->fail(a->c->run, e);
	return EIO;
}

static int on_get_schema(struct ArrowArrayStream *s, struct ArrowSchema *out)
{
	struct apply *a = s->private_data;
	slu_err e = {.size = sizeof(e)};

	return slu_schema_make(&a->c->out, out, &e) == SLU_OK ? 0 : apply_failed(a, &e);
}

/* A batch whose rows were all set aside is not handed on; the next one is taken. */
static int on_get_next(struct ArrowArrayStream *s, struct ArrowArray *out)
{
	struct apply *a = s->private_data;
	struct ArrowArray in = {0};
	slu_err e = {.size = sizeof(e)};
	slu_rc rc;
	int code;

	memset(out, 0, sizeof(*out));
	do {
		code = a->in.get_next(&a->in, &in);
		if (code || !in.release)
			return code;
		rc = apply_batch(a, &in, out, &e);
		if (in.release)
			in.release(&in);
		if (rc != SLU_OK) {
			if (out->release)
				out->release(out);
			return apply_failed(a, &e);
		}
		if (out->length == 0 && out->release)
			out->release(out);
	} while (!out->release);
	return 0;
}

static const char *on_get_error(struct ArrowArrayStream *s)
{
	struct apply *a = s->private_data;

	return a->error[0] ? a->error : a->in.get_last_error(&a->in);
}

static void on_release(struct ArrowArrayStream *s)
{
	struct apply *a = s->private_data;

	if (a->in.release)
		a->in.release(&a->in);
	slu_builder_free(a->b);
	slu_buf_done(&a->text);
	free(a->cols);
	free(a->skip);
	free(a);
	s->release = NULL;
}

slu_rc apply_stream(
    struct columns *c, struct ArrowArrayStream *in, struct ArrowArrayStream *out, slu_err *err)
{
	struct apply *a = calloc(1, sizeof(*a));

	memset(out, 0, sizeof(*out));
	if (a)
		a->cols = calloc(c->in.n, sizeof(*a->cols));
	if (!a || !a->cols) {
		free(a);
		in->release(in);
		return slu_fail(err, SLU_E_TRANSIENT, "COLUMNS.MEMORY", "out of memory");
	}
	a->c = c;
	a->in = *in;
	in->release = NULL;
	slu_buf_init(&a->text, SLU_CELL_MAX);
	if (c->built.n)
		a->b = slu_builder_new(&c->built, UINT64_MAX);
	out->get_schema = on_get_schema;
	out->get_next = on_get_next;
	out->get_last_error = on_get_error;
	out->release = on_release;
	out->private_data = a;
	return SLU_OK;
}
