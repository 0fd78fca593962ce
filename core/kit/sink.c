/* sink.c: the course of a load into a SQL database: open, recover, plan, stage, write, publish. */
#include "core/kit/sink.h"

#include "core/base/mem.h"

#include <stdlib.h>
#include <string.h>

static slu_rc columns_of_work(slu_sink *s, slu_err *err);

void sink_point(slu_sink *s, const char *name)
{
	if (s->sql.point)
		s->sql.point(name);
}

static slu_rc check_order(const slu_work *w, slu_err *err)
{
	if ((w->mode == SLU_M_MERGE || w->mode == SLU_M_DELETE_INSERT) && w->n_key == 0)
		return slu_fail_field(err, SLU_E_CONFIG, "SINK.KEY", "key",
		    "this mode needs `key`: the columns that name a row");
	if (w->mode == SLU_M_MERGE && (w->flags & SLU_WK_LATEST) && !w->version_column)
		return slu_fail_field(err, SLU_E_CONFIG, "SINK.VERSION", "version",
		    "`duplicates: latest` needs `version`: the column that says which row is "
		    "later");
	if (w->mode == SLU_M_REPLACE_PARTITION && w->parts.n == 0)
		return slu_fail_field(err, SLU_E_CONFIG, "SINK.PARTITION", "partition",
		    "replace_partition has no partition to replace: the run needs a window "
		    "(`covers` of its trigger) or a key, and "
		    "the data set a `partition`");
	if (w->mode == SLU_M_APPEND && (w->flags & SLU_WK_RERUN) && !(w->flags & SLU_WK_STAMP))
		return slu_fail_field(err, SLU_E_CONFIG, "SINK.RERUN", "stamp",
		    "a rerun of an append would write its rows a second time: with `stamp: true` "
		    "it replaces those of the run");
	if (w->mode > SLU_M_DELETE_INSERT)
		return slu_fail(err, SLU_E_UNSUPPORTED, "SINK.MODE", "this mode is not known here");
	return SLU_OK;
}

slu_rc slu_sink_open(const slu_host *host, slu_run *run, const slu_work *work, const slu_sql *sql,
    slu_sink **out, slu_err *err)
{
	const char *shrink = host->get_str(run, "guard.shrink");
	slu_rc rc = check_order(work, err);
	slu_sink *s;

	if (rc != SLU_OK)
		return rc;
	s = MEM_NEW(slu_sink);
	s->host = host;
	s->run = run;
	s->work = work;
	s->sql = *sql;
	s->version = s->op = s->part_col = -1;
	s->shrink = shrink ? strtod(shrink, NULL) / 100 : -1;
	slu_buf_init(&s->q, SINK_TEXT_MAX);
	slu_buf_init(&s->parts, SINK_TEXT_MAX);
	slu_buf_init(&s->found_parts, SINK_TEXT_MAX);
	slu_buf_add_quoted(&s->q, work->table, sql->dialect->quote);
	s->table = mem_strdup(slu_buf_text(&s->q));
	*out = s;
	return SLU_OK;
}

void slu_sink_close(slu_sink *s)
{
	if (!s)
		return;
	(void)!slu_sink_abort(s, NULL);
	slu_fields_done(&s->fields);
	slu_fields_done(&s->have);
	if (s->schema.release)
		s->schema.release(&s->schema);
	slu_buf_done(&s->q);
	slu_buf_done(&s->parts);
	slu_buf_done(&s->found_parts);
	slu_json_free(s->found);
	mem_free(s->table);
	mem_free(s->cols);
	mem_free(s->skip);
	mem_free(s->keys);
	mem_free(s->spans);
	mem_free(s);
}

const slu_fields *slu_sink_fields(const slu_sink *s)
{
	return &s->fields;
}

slu_rc slu_sink_recover(
    slu_sink *s, int32_t *found, slu_report *report, slu_mark *mark, slu_err *err)
{
	slu_rc rc = sink_meta(s, err);

	sink_point(s, "fence");
	return rc == SLU_OK ? sink_found(s, found, report, mark, err) : rc;
}

/* ---- schema ---- */
static bool is_stamp(const char *name)
{
	return strcmp(name, SINK_RUN) == 0 || strcmp(name, SINK_STEP) == 0;
}

static slu_rc tell(slu_rc (*each)(void *, const slu_change *), void *arg, int32_t kind,
    const char *column, const slu_field *from, const slu_field *to)
{
	char a[96], b[96];
	slu_change c = {.size = sizeof(c), .kind = kind, .column = column};

	c.from = from ? slu_type_text(from, a) : NULL;
	c.to = to ? slu_type_text(to, b) : NULL;
	return each(arg, &c);
}

slu_rc slu_sink_plan(slu_sink *s, const struct ArrowSchema *schema,
    slu_rc (*each)(void *, const slu_change *), void *arg, slu_err *err)
{
	slu_fields f;
	slu_rc rc = slu_schema_read(schema, &f, err);
	size_t i;
	int k;

	if (rc != SLU_OK)
		return rc;
	slu_fields_done(&s->have);
	rc = s->sql.columns(s->sql.ctx, s->work->table, &s->have, &s->there, err);
	if (rc == SLU_OK && !s->there)
		rc = tell(each, arg, SLU_C_CREATE, NULL, NULL, NULL);
	for (i = 0; rc == SLU_OK && s->there && i < f.n; i++) {
		k = slu_fields_find(&s->have, f.v[i].name);
		if (k < 0)
			rc = tell(each, arg, SLU_C_ADD, f.v[i].name, NULL, &f.v[i]);
		else if (!s->sql.dialect->accepts(&s->have.v[k], &f.v[i]))
			rc = tell(each, arg, SLU_C_TYPE, f.v[i].name, &s->have.v[k], &f.v[i]);
	}
	for (i = 0; rc == SLU_OK && s->there && i < s->have.n; i++)
		if (slu_fields_find(&f, s->have.v[i].name) < 0 && !is_stamp(s->have.v[i].name))
			rc = tell(each, arg, SLU_C_REMOVE, s->have.v[i].name, &s->have.v[i], NULL);
	slu_fields_done(&f);
	return rc;
}

/* What plan() told and nobody approved is refused here too, so that a host without contracts cannot
 * lose a column. */
static slu_rc check_changes(
    slu_sink *s, const slu_change *const *approved, uint32_t n, slu_err *err)
{
	char a[96], b[96];
	uint32_t k;
	size_t i;

	for (k = 0; k < n; k++)
		s->adds |= approved[k]->kind == SLU_C_ADD;
	for (i = 0; s->there && i < s->fields.n; i++) {
		const slu_field *f = &s->fields.v[i];
		int c = slu_fields_find(&s->have, f->name);

		if (c < 0 && !s->adds)
			return slu_fail_field(err, SLU_E_SCHEMA, "SINK.COLUMN", f->name,
			    "the table %s has no column \"%s\": leave it out in a transform, or "
			    "add it",
			    s->work->table, f->name);
		if (c >= 0 && !s->sql.dialect->accepts(&s->have.v[c], f))
			return slu_fail_field(err, SLU_E_SCHEMA, "SINK.TYPE", f->name,
			    "column \"%s\" of %s is %s and cannot take %s without change: cast it",
			    f->name, s->work->table, slu_type_text(&s->have.v[c], a),
			    slu_type_text(f, b));
		if (is_stamp(f->name))
			return slu_fail_field(err, SLU_E_SCHEMA, "SINK.STAMP", f->name,
			    "the column name \"%s\" is taken for stamps: rename it", f->name);
	}
	return SLU_OK;
}

slu_rc slu_sink_stage(slu_sink *s, const struct ArrowSchema *schema,
    const slu_change *const *approved, uint32_t n, char *stage_json, size_t cap, slu_err *err)
{
	slu_rc rc = slu_schema_read(schema, &s->fields, err);

	if (cap)
		stage_json[0] = '\0';
	if (rc == SLU_OK && !s->have.n)
		rc = s->sql.columns(s->sql.ctx, s->work->table, &s->have, &s->there, err);
	if (rc == SLU_OK)
		rc = check_changes(s, approved, n, err);
	if (rc == SLU_OK)
		rc = columns_of_work(s, err);
	if (rc == SLU_OK)
		rc = slu_schema_make(&s->fields, &s->schema, err);
	if (rc != SLU_OK)
		return rc;
	s->cols = mem_calloc(s->fields.n, sizeof(*s->cols));
	rc = s->sql.stage_open(s->sql.ctx, &s->fields, s->stage, err);
	s->staged = rc == SLU_OK;
	sink_point(s, "stage");
	return rc;
}

/* ---- the work order's columns ---- */
static slu_rc column_of(slu_sink *s, const char *option, const char *name, int *ret, slu_err *err)
{
	*ret = slu_fields_find(&s->fields, name);
	if (*ret >= 0)
		return SLU_OK;
	return slu_fail_field(err, SLU_E_CONFIG, "SINK.COLUMN", option,
	    "%s: the rows have no column \"%s\"", option, name);
}

static slu_rc partition_of_work(slu_sink *s, slu_err *err)
{
	const slu_parts *parts = &s->work->parts;
	const char *column, *zone;
	slu_json *p;
	slu_rc rc = slu_option_json(s->host, s->run, "partition", &p, err);
	uint32_t i;

	column = slu_json_get_str(p, "column", NULL);
	zone = slu_json_get_str(p, "zone", s->host->attempt(s->run)->zone);
	if (rc == SLU_OK && !column)
		rc = slu_fail_field(err, SLU_E_CONFIG, "SINK.PARTITION", "partition",
		    "replace_partition needs `partition: {unit, zone, column}` of the data set");
	if (rc == SLU_OK)
		rc = column_of(s, "partition.column", column, &s->part_col, err);
	if (rc == SLU_OK)
		rc = slu_zone_find(zone, &s->zone, err);
	slu_json_free(p);
	s->spans = mem_calloc(parts->n ? parts->n : 1, 2 * sizeof(*s->spans));
	for (i = 0; i < parts->n && rc == SLU_OK; i++) {
		const slu_part *v = (const slu_part *)(const void *)((const char *)parts->v +
								     (size_t)i * parts->stride);

		rc = slu_span_of(&s->fields.v[s->part_col], s->zone, v->from_us, v->to_us,
		    &s->spans[2 * i], &s->spans[2 * i + 1], err);
	}
	return rc;
}

static slu_rc columns_of_work(slu_sink *s, slu_err *err)
{
	const slu_work *w = s->work;
	slu_rc rc = SLU_OK;
	uint32_t i;
	size_t c;

	s->keys = mem_calloc(w->n_key ? w->n_key : 1, sizeof(*s->keys));
	for (i = 0; i < w->n_key && rc == SLU_OK; i++)
		rc = column_of(s, "key", w->key[i], &s->keys[i], err);
	if (rc == SLU_OK && w->version_column)
		rc = column_of(s, "version", w->version_column, &s->version, err);
	if (rc == SLU_OK && w->op_column)
		rc = column_of(s, "op", w->op_column, &s->op, err);
	for (c = 0; c < s->fields.n && s->op < 0; c++)
		if (strcmp(s->fields.v[c].role, "op") == 0)
			s->op = (int)c;
	if (rc == SLU_OK && w->mode == SLU_M_REPLACE_PARTITION)
		rc = partition_of_work(s, err);
	return rc;
}

/* ---- rows ---- */
slu_rc slu_sink_reject(
    slu_sink *s, int64_t row, size_t col, const char *code, const char *reason, slu_err *err)
{
	const char *name = s->fields.v[col].name;
	slu_rc rc = s->host->reject
			? s->host->reject(s->run, &s->schema, s->batch, row, name, code, reason)
			: SLU_E_DATA;

	s->rejected++;
	s->skip[row >> 3] |= (uint8_t)(1u << (row & 7));
	if (rc == SLU_OK)
		return SLU_OK;
	if (err)
		(void)slu_fail_field(err, rc, code, name,
		    "column \"%s\" of %s: a value %s; correct it, or let reject.max_rows set such "
		    "rows aside",
		    name, s->work->table, reason);
	if (err)
		err->row = row;
	return rc;
}

static slu_rc check_keys(slu_sink *s, int64_t rows, slu_err *err)
{
	slu_rc rc = SLU_OK;
	uint32_t k;
	int64_t r;

	if (s->work->mode != SLU_M_MERGE && s->work->mode != SLU_M_DELETE_INSERT)
		return SLU_OK;
	for (r = 0; r < rows && rc == SLU_OK; r++) {
		for (k = 0; k < s->work->n_key && rc == SLU_OK; k++) {
			if (!slu_is_null(&s->cols[s->keys[k]], r))
				continue;
			rc = slu_sink_reject(
			    s, r, (size_t)s->keys[k], "SINK.NULL_KEY", "is NULL in the key", err);
			break;
		}
	}
	return rc;
}

static bool in_parts(const slu_sink *s, int64_t row)
{
	const slu_col *c = &s->cols[s->part_col];
	int64_t v;
	uint32_t i;

	if (slu_is_null(c, row))
		return false;
	v = slu_get_i64(c, row);
	for (i = 0; i < s->work->parts.n; i++)
		if (v >= s->spans[2 * i] && v < s->spans[2 * i + 1])
			return true;
	return false;
}

static slu_rc check_strays(slu_sink *s, int64_t rows, slu_err *err)
{
	slu_rc rc = SLU_OK;
	int64_t r;

	if (s->part_col < 0)
		return SLU_OK;
	for (r = 0; r < rows && rc == SLU_OK; r++) {
		if (in_parts(s, r))
			continue;
		if (!(s->work->flags & SLU_WK_STRAY_REJECT))
			return slu_fail_field(err, SLU_E_DATA, "SINK.STRAY",
			    s->fields.v[s->part_col].name,
			    "a row's \"%s\" is outside of the partitions that this run replaces: "
			    "narrow the extract, or say "
			    "`stray: reject`",
			    s->fields.v[s->part_col].name);
		rc = slu_sink_reject(s, r, (size_t)s->part_col, "SINK.STRAY",
		    "is outside of the partitions of this run", err);
	}
	return rc;
}

static slu_rc write_batch(slu_sink *s, const struct ArrowArray *batch, slu_err *err)
{
	size_t need = (size_t)(batch->length + 7) / 8;
	int64_t before = s->rejected;
	slu_rc rc;

	if (need > s->skip_bytes) {
		s->skip = mem_realloc(s->skip, need);
		s->skip_bytes = need;
	}
	if (need)
		memset(s->skip, 0, need);
	s->batch = batch;
	rc = slu_batch_read(batch, &s->fields, s->cols, err);
	if (rc == SLU_OK)
		rc = check_keys(s, batch->length, err);
	if (rc == SLU_OK)
		rc = check_strays(s, batch->length, err);
	if (rc == SLU_OK)
		rc = s->sql.stage_write(s->sql.ctx, s, s->cols, batch->length, s->skip, err);
	s->written += batch->length - (s->rejected - before);
	s->batches++;
	sink_point(s, "write");
	return rc;
}

slu_rc slu_sink_write(slu_sink *s, struct ArrowArray *batch, slu_err *err)
{
	slu_rc rc = write_batch(s, batch, err);

	s->batch = NULL;
	batch->release(batch);
	return rc;
}

slu_rc slu_sink_flush(slu_sink *s, uint64_t *durable_batches, slu_err *err)
{
	slu_rc rc = s->sql.stage_end(s->sql.ctx, err);

	*durable_batches = (uint64_t)s->batches;
	sink_point(s, "flush");
	return rc;
}

/* ---- publish ---- */
static slu_rc publish_inside(slu_sink *s, const slu_mark *mark, slu_report *r, slu_err *err)
{
	struct sink_count n = {0};
	slu_rc rc = sink_fence(s, err);

	sink_point(s, "publish-fence");
	if (rc == SLU_OK)
		rc = sink_mode(s, &n, err);
	if (rc != SLU_OK)
		return rc;
	sink_point(s, "publish-rows");
	r->written = s->written;
	r->inserted = n.inserted;
	r->updated = n.updated;
	r->deleted = n.deleted;
	if (n.unchanged)
		r->flags |= SLU_RP_UNCHANGED;
	r->parts_json = s->parts.len ? slu_buf_text(&s->parts) : NULL;
	rc = sink_note(s, mark, r, err);
	sink_point(s, "publish-ledger");
	return rc;
}

slu_rc slu_sink_publish(slu_sink *s, const slu_mark *mark, slu_report *report, slu_err *err)
{
	slu_mark found_mark = {.size = sizeof(found_mark)};
	int32_t found = 0;
	slu_rc rc = s->sql.stage_end(s->sql.ctx, err);

	if (rc == SLU_OK)
		rc = s->sql.begin(s->sql.ctx, err);
	if (rc != SLU_OK)
		return rc;
	rc = sink_found(s, &found, report, &found_mark, err);
	if (rc == SLU_OK && !found)
		rc = publish_inside(s, mark, report, err);
	if (rc != SLU_OK || found) {
		(void)s->sql.rollback(s->sql.ctx, NULL);
		return rc;
	}
	rc = s->sql.commit(s->sql.ctx, err);
	sink_point(s, "commit");
	if (rc != SLU_OK) {
		if (err)
			err->outcome = SLU_OUTCOME_UNKNOWN;
		(void)s->sql.rollback(s->sql.ctx, NULL);
		return rc;
	}
	return slu_sink_abort(s, err); /* only the stage is left to drop */
}

static slu_rc once_inside(slu_sink *s, slu_rc (*fn)(void *ctx, slu_err *err), void *ctx,
    const slu_buf *text, slu_err *err)
{
	slu_report own = {.size = sizeof(own)};
	slu_mark mark = {.size = sizeof(mark)};
	slu_rc rc = sink_fence(s, err);

	if (rc == SLU_OK)
		rc = fn(ctx, err);
	sink_point(s, "publish-rows");
	own.parts_json = text->len ? slu_buf_text(text) : NULL; /* fn has written it */
	if (rc == SLU_OK)
		rc = sink_note(s, &mark, &own, err);
	return rc;
}

slu_rc slu_sink_once(slu_sink *s, slu_rc (*fn)(void *ctx, slu_err *err), void *ctx, slu_buf *text,
    int32_t *found, slu_err *err)
{
	slu_report report = {.size = sizeof(report)};
	slu_mark mark = {.size = sizeof(mark)};
	slu_rc rc = slu_sink_recover(s, found, &report, &mark, err);

	if (rc == SLU_OK && *found && report.parts_json)
		slu_buf_add(text, report.parts_json);
	if (rc != SLU_OK || *found)
		return rc;
	rc = s->sql.begin(s->sql.ctx, err);
	if (rc != SLU_OK)
		return rc;
	rc = once_inside(s, fn, ctx, text, err);
	sink_point(s, "publish-ledger");
	if (rc == SLU_OK)
		rc = s->sql.commit(s->sql.ctx, err);
	sink_point(s, "commit");
	if (rc != SLU_OK)
		(void)s->sql.rollback(s->sql.ctx, NULL);
	return rc;
}

slu_rc slu_sink_abort(slu_sink *s, slu_err *err)
{
	(void)err;
	if (s->staged)
		s->sql.stage_drop(s->sql.ctx);
	s->staged = false;
	return SLU_OK;
}
