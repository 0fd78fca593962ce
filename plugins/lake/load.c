/* load.c: the course of a load into a lake: order, recover, plan, stage, write, publish. */
#include "plugins/lake/load.h"

#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

void lake_point(const char *name)
{
	const char *at = getenv("SLUICE_TEST_KILL_AT");

	if (at && strcmp(at, name) == 0)
		(void)raise(SIGKILL);
}

static void load_close(void *st)
{
	struct load *l = st;

	files_forget(l, true);
	slu_fields_done(&l->in);
	slu_fields_done(&l->out);
	if (l->schema.release)
		l->schema.release(&l->schema);
	manifest_done(&l->m);
	manifest_done(&l->found);
	slu_buf_done(&l->parts);
	slu_buf_done(&l->report);
	free(l->files);
	free(l->cols);
	free(l->map);
	free(l->zeros);
	free(l->dir);
	free(l);
}

static slu_rc option_format(struct load *l, slu_err *err)
{
	const char *format = l->host->get_str(l->run, "format");

	l->format.kind = format && strcmp(format, "ndjson") == 0 ? SLU_NDJSON : SLU_CSV;
	l->format.delimiter = ',';
	l->compression = slu_compression(l->host->get_str(l->run, "compression"));
	if (l->compression < 0)
		return slu_fail_field(err, SLU_E_CONFIG, "LAKE.COMPRESSION", "compression",
		    "compression is none, gzip or zstd");
	return SLU_OK;
}

/* Where rows go that have no column of their own for it: the partition of the run. */
static slu_rc fixed_part(struct load *l, slu_err *err)
{
	const slu_attempt *a = l->host->attempt(l->run);
	int64_t at = a->window_from_us != SLU_TIME_NONE ? a->window_from_us : a->logical_us, from,
		to;

	if (l->work->parts.n == 1) {
		(void)snprintf(l->fixed, sizeof(l->fixed), "%s", l->work->parts.v->key);
		return SLU_OK;
	}
	if (at == SLU_TIME_NONE)
		return slu_fail_field(err, SLU_E_CONFIG, "LAKE.LAYOUT", "layout",
		    "layout by run: this run has neither window nor time; give its trigger "
		    "`covers`, or run it with --at");
	return slu_period_of(l->unit, l->zone, at, l->fixed, &from, &to, err);
}

static slu_rc option_parts(struct load *l, slu_err *err)
{
	const slu_attempt *a = l->host->attempt(l->run);
	slu_json *partition = NULL, *layout = NULL;
	bool by_run;
	slu_rc rc = slu_option_json(l->host, l->run, "partition", &partition, err);

	if (rc == SLU_OK)
		rc = slu_option_json(l->host, l->run, "layout", &layout, err);
	by_run = strcmp(slu_json_get_str(layout, "by", ""), "run") == 0;
	(void)snprintf(l->unit, sizeof(l->unit), "%s",
	    slu_json_get_str(layout, "unit", slu_json_get_str(partition, "unit", "day")));
	if (!by_run)
		(void)snprintf(
		    l->column, sizeof(l->column), "%s", slu_json_get_str(partition, "column", ""));
	if (rc == SLU_OK)
		rc = slu_zone_find(slu_json_get_str(partition, "zone", a->zone), &l->zone, err);
	if (rc == SLU_OK && (by_run || (partition && !l->column[0])))
		rc = fixed_part(l, err);
	slu_json_free(partition);
	slu_json_free(layout);
	return rc;
}

static slu_rc check_mode(struct load *l, slu_err *err)
{
	const slu_work *w = l->work;

	if (w->mode == SLU_M_MERGE || w->mode == SLU_M_DELETE_INSERT)
		return slu_fail_field(err, SLU_E_UNSUPPORTED, "LAKE.MODE", "mode",
		    "a lake takes append, replace and replace_partition; merge in the warehouse "
		    "behind it");
	if (w->mode == SLU_M_REPLACE_PARTITION && w->parts.n == 0)
		return slu_fail_field(err, SLU_E_CONFIG, "LAKE.PARTITION", "partition",
		    "replace_partition has no partition to replace: the run needs a window "
		    "(`covers` of its trigger) or a key, and "
		    "the data set a `partition`");
	return SLU_OK;
}

static slu_rc make_folder(struct load *l, slu_err *err)
{
	char path[4096];

	(void)snprintf(path, sizeof(path), "%s/_sluice", l->dir);
	return slu_mkdirs(path, err);
}

static slu_rc load_open(
    const slu_host *host, slu_run *run, void *conn, const slu_work *work, void **st, slu_err *err)
{
	uint8_t sha[32];
	char hex[17];
	struct load *l;
	slu_rc rc;

	if (!conn || !work->dataset || !*work->dataset)
		return slu_fail_field(err, SLU_E_CONFIG, "LAKE.DATASET", "dataset",
		    "the lake load needs a connection and `dataset`");
	l = calloc(1, sizeof(*l));
	if (!l)
		return slu_fail(err, SLU_E_TRANSIENT, "LAKE.MEMORY", "out of memory");
	l->host = host;
	l->run = run;
	l->l = conn;
	l->work = work;
	l->part_col = -1;
	l->dir = lake_dir(conn, work->dataset);
	slu_buf_init(&l->parts, 16 << 20);
	slu_buf_init(&l->report, 16 << 20);
	slu_sha256(work->fence_key, strlen(work->fence_key), sha);
	slu_hex(sha, 8, hex);
	(void)snprintf(l->tag, sizeof(l->tag), "%s-%" PRIu64, hex, work->token);
	rc = check_mode(l, err);
	if (rc == SLU_OK)
		rc = option_format(l, err);
	if (rc == SLU_OK)
		rc = option_parts(l, err);
	if (rc != SLU_OK) {
		load_close(l);
		return rc;
	}
	*st = l;
	return SLU_OK;
}

static slu_rc recover_locked(
    struct load *l, int32_t *found, slu_report *report, slu_mark *mark, slu_err *err)
{
	const slu_json *done;
	slu_rc rc = lake_owner(l->l, l->work->deployment ? l->work->deployment : "", err);

	if (rc == SLU_OK)
		rc = lake_fence(l->dir, l->work->fence_key, l->work->token, true, err);
	lake_point("fence");
	if (rc == SLU_OK)
		rc = manifest_read(l->dir, &l->found, err);
	if (rc != SLU_OK)
		return rc;
	done = manifest_ledger(&l->found, l->work->ledger_key);
	*found = done != NULL;
	if (done)
		report_read(l, done, report, mark);
	return SLU_OK;
}

static slu_rc load_recover(
    void *st, int32_t *found, slu_report *report, slu_mark *mark, slu_err *err)
{
	struct load *l = st;
	slu_rc rc = make_folder(l, err);
	int fd;

	if (rc != SLU_OK)
		return rc;
	fd = lake_lock(l->l, l->dir, "lock", false, true, err);
	if (fd < 0)
		return err->rc;
	rc = recover_locked(l, found, report, mark, err);
	(void)close(fd);
	return rc;
}

/* ---- schema: the files of a data set have the same columns ---- */
static slu_rc tell(slu_rc (*each)(void *, const slu_change *), void *arg, int32_t kind,
    const slu_field *from, const slu_field *to)
{
	char a[96], b[96];
	slu_change c = {.size = sizeof(c), .kind = kind};

	c.column = from ? from->name : to ? to->name : NULL;
	c.from = from ? slu_type_text(from, a) : NULL;
	c.to = to ? slu_type_text(to, b) : NULL;
	return each(arg, &c);
}

static bool same_type(const slu_field *a, const slu_field *b)
{
	return a->type == b->type && a->precision == b->precision && a->scale == b->scale &&
	       a->json == b->json && !a->zone[0] == !b->zone[0];
}

static slu_rc load_plan(void *st, const struct ArrowSchema *schema,
    slu_rc (*each)(void *, const slu_change *), void *arg, slu_err *err)
{
	struct load *l = st;
	const slu_fields *have = &l->found.fields;
	slu_fields f;
	slu_rc rc = slu_schema_read(schema, &f, err);
	size_t i;

	if (rc == SLU_OK && have->n == 0)
		rc = tell(each, arg, SLU_C_CREATE, NULL, NULL);
	for (i = 0; rc == SLU_OK && have->n && i < f.n; i++) {
		int k = slu_fields_find(have, f.v[i].name);

		if (k < 0)
			rc = tell(each, arg, SLU_C_ADD, NULL, &f.v[i]);
		else if (!same_type(&have->v[k], &f.v[i]))
			rc = tell(each, arg, SLU_C_TYPE, &have->v[k], &f.v[i]);
	}
	for (i = 0; rc == SLU_OK && i < have->n; i++)
		if (slu_fields_find(&f, have->v[i].name) < 0)
			rc = tell(each, arg, SLU_C_REMOVE, &have->v[i], NULL);
	slu_fields_done(&f);
	return rc;
}

static slu_rc find_columns(struct load *l, slu_err *err)
{
	/* A replace of everything may bring other columns; else the files keep those that they
	 * have. */
	bool keep = l->found.fields.n && l->work->mode != SLU_M_REPLACE;
	slu_rc rc = slu_fields_copy(&l->out, keep ? &l->found.fields : &l->in, err);
	size_t i;

	if (rc != SLU_OK)
		return rc;
	for (i = 0; i < l->in.n; i++) {
		int k = slu_fields_find(&l->out, l->in.v[i].name);

		if (k < 0 || !same_type(&l->out.v[k], &l->in.v[i]))
			return slu_fail_field(err, SLU_E_SCHEMA, "LAKE.SCHEMA", l->in.v[i].name,
			    "column \"%s\" is %s in %s: load the data set anew with mode replace, "
			    "or cast or leave out the column",
			    l->in.v[i].name, k < 0 ? "not" : "of another type", l->work->dataset);
	}
	l->cols = calloc(l->in.n + l->out.n, sizeof(*l->cols));
	l->map = calloc(l->out.n, sizeof(*l->map));
	if (!l->cols || !l->map)
		return slu_fail(err, SLU_E_TRANSIENT, "LAKE.MEMORY", "out of memory");
	for (i = 0; i < l->out.n; i++)
		l->map[i] = slu_fields_find(&l->in, l->out.v[i].name);
	if (!l->column[0])
		return SLU_OK;
	l->part_col = slu_fields_find(&l->in, l->column);
	if (l->part_col < 0 ||
	    (l->in.v[l->part_col].type != SLU_DATE && l->in.v[l->part_col].type != SLU_TIMESTAMP))
		return slu_fail_field(err, SLU_E_CONFIG, "LAKE.PARTITION", "partition.column",
		    "partition.column: the rows have no column \"%s\" that is a date or timestamp; "
		    "declare its type in the extract, or "
		    "cast it",
		    l->column);
	return SLU_OK;
}

static slu_rc load_stage(void *st, const struct ArrowSchema *schema,
    const slu_change *const *approved, uint32_t n, char *stage_json, size_t cap, slu_err *err)
{
	struct load *l = st;
	slu_rc rc = slu_schema_read(schema, &l->in, err);

	(void)approved;
	(void)n;
	if (cap)
		stage_json[0] = '\0';
	if (rc == SLU_OK)
		rc = make_folder(l, err);
	if (rc == SLU_OK)
		rc = find_columns(l, err);
	if (rc == SLU_OK)
		rc = slu_schema_make(&l->in, &l->schema, err);
	lake_point("stage");
	return rc;
}

static slu_rc load_write(void *st, struct ArrowArray *batch, slu_err *err)
{
	slu_rc rc = rows_write(st, batch, err);

	batch->release(batch);
	lake_point("write");
	return rc;
}

static slu_rc load_flush(void *st, uint64_t *durable, slu_err *err)
{
	slu_rc rc = files_finish(st, err);

	(void)durable; /* the host's own count stands: all of them */
	lake_point("flush");
	return rc;
}

static slu_rc load_publish(void *st, const slu_mark *mark, slu_report *report, slu_err *err)
{
	struct load *l = st;
	size_t i;
	slu_rc rc = files_finish(l, err);

	report->bytes = 0;
	for (i = 0; i < l->n_files; i++)
		report->bytes += l->files[i]->bytes;
	return rc == SLU_OK ? lake_publish(l, mark, report, err) : rc;
}

static slu_rc load_abort(void *st, slu_err *err)
{
	(void)err;
	files_forget(st, true);
	return SLU_OK;
}

static const slu_opt options[] = {
    {.name = "format",
	.type = SLU_T_ENUM,
	.def = "csv",
	.choices = "csv|ndjson",
	.doc = "How the files are written; types stand in the manifest."},
    {.name = "compression",
	.type = SLU_T_ENUM,
	.def = "none",
	.choices = "none|gzip|zstd",
	.doc = "Of the files."}};

const slu_load lake_load = {.size = sizeof(slu_load),
    .options = {sizeof(options) / sizeof(options[0]), sizeof(slu_opt), options},
    .promise = {[SLU_M_APPEND] = SLU_P_ONCE,
	[SLU_M_REPLACE] = SLU_P_ONCE,
	[SLU_M_REPLACE_PARTITION] = SLU_P_ONCE},
    .open = load_open,
    .recover = load_recover,
    .plan = load_plan,
    .stage = load_stage,
    .write = load_write,
    .flush = load_flush,
    .publish = load_publish,
    .abort = load_abort,
    .close = load_close};
