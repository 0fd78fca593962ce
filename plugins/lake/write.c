/* write.c: rows into files, one a partition, under temporary names. */
#include "plugins/lake/load.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define FLUSH_BYTES (256u << 10)
#define OPEN_MAX_FILES 32
#define YEAR_0_US INT64_C(-62167219200000000)
#define YEAR_10000_US INT64_C(253402300800000000)

static slu_rc no_memory(slu_err *err)
{
	return slu_fail(err, SLU_E_TRANSIENT, "LAKE.MEMORY", "out of memory");
}

static slu_rc writer_flush(struct writer *w, slu_err *err)
{
	slu_rc rc;

	if (!w->text.len)
		return SLU_OK;
	slu_hash_add(w->hash, w->text.s, w->text.len);
	rc = slu_out_write(w->out, w->text.s, w->text.len, err);
	slu_buf_reset(&w->text);
	return rc;
}

static slu_rc writer_finish(struct load *l, struct writer *w, slu_err *err)
{
	uint8_t sha[32];
	slu_rc rc;

	if (!w->out)
		return SLU_OK;
	rc = writer_flush(w, err);
	slu_hash_end(w->hash, sha);
	w->hash = NULL;
	slu_hex(sha, 32, w->sha);
	if (rc == SLU_OK)
		rc = slu_out_finish(w->out, 1, &w->bytes, err);
	else
		slu_out_abandon(w->out);
	w->out = NULL;
	slu_buf_done(&w->text);
	l->n_open--;
	return rc;
}

slu_rc files_finish(struct load *l, slu_err *err)
{
	slu_rc rc = SLU_OK;
	size_t i;

	for (i = 0; i < l->n_files && rc == SLU_OK; i++)
		rc = writer_finish(l, l->files[i], err);
	l->last = NULL;
	return rc;
}

void files_forget(struct load *l, bool remove_them)
{
	char path[8192];

	while (l->n_files) {
		struct writer *w = l->files[--l->n_files];
		uint8_t sha[32];

		slu_out_abandon(w->out);
		if (w->hash)
			slu_hash_end(w->hash, sha);
		slu_buf_done(&w->text);
		if (remove_them) {
			(void)snprintf(
			    path, sizeof(path), "%s/%s", l->dir, w->renamed ? w->name : w->temp);
			(void)unlink(path);
		}
		free(w);
	}
	l->last = NULL;
	l->n_open = 0;
}

static struct writer *writer_add(struct load *l, slu_err *err)
{
	struct writer *w;

	if (l->n_files == l->cap_files) {
		size_t cap = l->cap_files ? l->cap_files * 2 : 16;
		struct writer **v = realloc(l->files, cap * sizeof(*v));

		if (!v) {
			(void)no_memory(err);
			return NULL;
		}
		l->files = v;
		l->cap_files = cap;
	}
	w = calloc(1, sizeof(*w));
	if (!w) {
		(void)no_memory(err);
		return NULL;
	}
	l->files[l->n_files++] = w;
	return w;
}

/* The oldest open file ends, so that a load over years keeps few open. */
static slu_rc make_room(struct load *l, slu_err *err)
{
	size_t i;

	for (i = 0; i < l->n_files && l->n_open >= OPEN_MAX_FILES; i++) {
		slu_rc rc = writer_finish(l, l->files[i], err);

		if (rc != SLU_OK)
			return rc;
	}
	return SLU_OK;
}

static slu_rc writer_open(struct load *l, const char *key, struct writer **out, slu_err *err)
{
	const char *suffix = l->format.kind == SLU_NDJSON ? "ndjson" : "csv",
		   *slash = *key ? "/" : "";
	struct writer *w;
	char path[8192];
	slu_rc rc = make_room(l, err);

	if (rc != SLU_OK)
		return rc;
	(void)snprintf(path, sizeof(path), "%s/%s", l->dir, key);
	rc = slu_mkdirs(path, err);
	if (rc != SLU_OK)
		return rc;
	w = writer_add(l, err);
	if (!w)
		return SLU_E_TRANSIENT;
	w->max_us = SLU_TIME_NONE;
	slu_buf_init(&w->text, (size_t)SLU_CELL_MAX * 2);
	(void)snprintf(w->key, sizeof(w->key), "%s", key);
	(void)snprintf(w->name, sizeof(w->name), "%s%spart-%s-%zu.%s%s", key, slash, l->tag,
	    l->n_files, suffix, slu_compression_suffix(l->compression));
	(void)snprintf(
	    w->temp, sizeof(w->temp), "%s%s.part-%s-%zu.tmp", key, slash, l->tag, l->n_files);
	(void)snprintf(path, sizeof(path), "%s/%s", l->dir, w->temp);
	rc = slu_out_create(path, l->compression, &w->out, err);
	if (rc != SLU_OK)
		return rc;
	w->hash = slu_hash_new();
	l->n_open++;
	slu_rows_header(&l->format, &l->out, &w->text);
	*out = w;
	return SLU_OK;
}

static slu_rc writer_for(struct load *l, const char *key, struct writer **out, slu_err *err)
{
	size_t i;

	for (i = l->n_files; i-- > 0;) {
		if (l->files[i]->out && strcmp(l->files[i]->key, key) == 0) {
			*out = l->files[i];
			return SLU_OK;
		}
	}
	return writer_open(l, key, out, err);
}

/* ---- rows ---- */
static slu_rc reject(struct load *l, const struct ArrowArray *batch, int64_t row,
    const char *column, const char *code, const char *why, slu_err *err)
{
	slu_rc rc = l->host->reject
			? l->host->reject(l->run, &l->schema, batch, row, column, code, why)
			: SLU_E_DATA;

	l->rejected++;
	if (rc != SLU_OK)
		(void)slu_fail_field(err, rc, code, column,
		    "column \"%s\": a value %s; correct it, or let reject.max_rows set such rows "
		    "aside",
		    column, why);
	return rc;
}

static bool in_order(const struct load *l, const char *key)
{
	uint32_t i;

	if (l->work->mode != SLU_M_REPLACE_PARTITION)
		return true;
	for (i = 0; i < l->work->parts.n; i++) {
		const slu_part *p =
		    (const slu_part *)(const void *)((const char *)l->work->parts.v +
						     (size_t)i * l->work->parts.stride);

		if (strcmp(p->key, key) == 0)
			return true;
	}
	return false;
}

static slu_rc stray(struct load *l, const struct ArrowArray *batch, int64_t row, slu_err *err)
{
	if (l->work->flags & SLU_WK_STRAY_REJECT)
		return reject(l, batch, row, l->column, "LAKE.STRAY",
		    "is outside of the partitions of this run", err);
	return slu_fail_field(err, SLU_E_DATA, "LAKE.STRAY", l->column,
	    "a row's \"%s\" is outside of the partitions that this run replaces: narrow the "
	    "extract, or say `stray: reject`",
	    l->column);
}

/* The file of a row; NULL (and SLU_OK) where the row was set aside. */
static slu_rc route(
    struct load *l, const struct ArrowArray *batch, int64_t row, struct writer **out, slu_err *err)
{
	const slu_col *c = &l->cols[l->part_col];
	char key[SLU_PERIOD_MAX];
	int64_t us;
	slu_rc rc;

	*out = NULL;
	if (slu_is_null(c, row))
		return reject(l, batch, row, l->column, "LAKE.PARTITION",
		    "is NULL, so the row belongs to no partition", err);
	us = slu_value_instant(&l->in.v[l->part_col], l->zone, slu_get_i64(c, row));
	if (!l->last || !l->last->out || us < l->last_from || us >= l->last_to) {
		rc = slu_period_of(l->unit, l->zone, us, key, &l->last_from, &l->last_to, err);
		l->last = NULL;
		if (rc != SLU_OK)
			return rc;
		if (!in_order(l, key))
			return stray(l, batch, row, err);
		rc = writer_for(l, key, &l->last, err);
		if (rc != SLU_OK)
			return rc;
	}
	*out = l->last;
	if (us > (*out)->max_us)
		(*out)->max_us = us;
	return SLU_OK;
}

/* Dates that have no text of four digits for their year. */
static const char *bad_time(const struct load *l, int64_t row, size_t *ret_col)
{
	size_t i;

	for (i = 0; i < l->in.n; i++) {
		int64_t v;

		if ((l->in.v[i].type != SLU_DATE && l->in.v[i].type != SLU_TIMESTAMP) ||
		    slu_is_null(&l->cols[i], row))
			continue;
		v = slu_get_i64(&l->cols[i], row);
		*ret_col = i;
		if (l->in.v[i].type == SLU_DATE
			? v < YEAR_0_US / 86400000000 || v >= YEAR_10000_US / 86400000000
			: v < YEAR_0_US || v >= YEAR_10000_US)
			return "is outside of the years 0 to 9999";
	}
	return NULL;
}

static slu_rc write_row(struct load *l, const struct ArrowArray *batch, int64_t row, slu_err *err)
{
	struct writer *w = l->last;
	const char *why;
	size_t col;
	slu_rc rc = SLU_OK;

	why = bad_time(l, row, &col);
	if (why)
		return reject(l, batch, row, l->in.v[col].name, "LAKE.VALUE", why, err);
	if (l->part_col >= 0)
		rc = route(l, batch, row, &w, err);
	else if (!w)
		rc = writer_for(l, l->fixed, &w, err);
	if (rc != SLU_OK || !w)
		return rc;
	l->last = w;
	rc = slu_rows_write(&l->format, &l->out, l->cols + l->in.n, row, row + 1, &w->text, err);
	w->rows++;
	l->written++;
	return rc == SLU_OK && w->text.len >= FLUSH_BYTES ? writer_flush(w, err) : rc;
}

slu_rc rows_write(struct load *l, const struct ArrowArray *batch, slu_err *err)
{
	slu_col *out = l->cols + l->in.n;
	uint8_t *zeros = realloc(l->zeros, (size_t)batch->length / 8 + 1);
	slu_rc rc = slu_batch_read(batch, &l->in, l->cols, err);
	int64_t row;
	size_t i;

	if (!zeros)
		return no_memory(err);
	l->zeros = zeros;
	memset(zeros, 0, (size_t)batch->length / 8 + 1);
	for (i = 0; i < l->out.n; i++) {
		if (l->map[i] >= 0)
			out[i] = l->cols[l->map[i]];
		else
			out[i] = (slu_col){.type = l->out.v[i].type, .valid = zeros};
	}
	for (row = 0; row < batch->length && rc == SLU_OK; row++)
		rc = write_row(l, batch, row, err);
	return rc;
}
