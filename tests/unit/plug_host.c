/* plug_host.c: see plug_host.h. */
#include "tests/unit/plug_host.h"

#include "sluice/kit/rows.h"

#include "core/base/io.h"
#include "core/base/mem.h"

#include <criterion/criterion.h>
#include <dlfcn.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static int remove_one(const char *path, const struct stat *st, int flag, struct FTW *ftw)
{
	(void)st;
	(void)flag;
	(void)ftw;
	return remove(path);
}

void plug_init(struct plug *p)
{
	memset(p, 0, sizeof(*p));
	(void)snprintf(p->dir, sizeof(p->dir), "/tmp/sluice-plug-XXXXXX");
	cr_assert(mkdtemp(p->dir));
	p->at = (slu_attempt){.size = sizeof(p->at),
	    .attempt = 1,
	    .deployment = "test",
	    .dag = "shop",
	    .run = "00000000000000000000000001",
	    .step = "load",
	    .item = "",
	    .key = "2026-11-21",
	    .logical_us = SLU_TIME_NONE,
	    .window_from_us = SLU_TIME_NONE,
	    .window_to_us = SLU_TIME_NONE,
	    .deadline_us = SLU_TIME_NONE,
	    .token = 1,
	    .ledger_key = "test/shop/1/load//0",
	    .base_dir = p->dir,
	    .trigger = "",
	    .batch_bytes = 1 << 20,
	    .zone = "UTC"};
	str_init(&p->outputs, 1 << 20);
	str_init(&p->log, 1 << 20);
}

void plug_done(struct plug *p)
{
	(void)nftw(p->dir, remove_one, 16, FTW_DEPTH | FTW_PHYS);
	str_done(&p->outputs);
	str_done(&p->log);
}

const char *plug_path(struct plug *p, const char *name)
{
	static char ring[8][256];
	static unsigned at;
	char *s = ring[at++ % 8];

	(void)snprintf(s, sizeof(ring[0]), "%s/%s", p->dir, name);
	return s;
}

void plug_write(struct plug *p, const char *name, const void *text, size_t n)
{
	FILE *f = fopen(plug_path(p, name), "we");

	cr_assert(f);
	cr_assert_eq(fwrite(text, 1, n, f), n);
	cr_assert_eq(fclose(f), 0);
}

char *plug_read(const char *path)
{
	struct str s;

	str_init(&s, 64 << 20);
	if (io_read_file(path, 64 << 20, &s, NULL) < 0) {
		str_done(&s);
		return NULL;
	}
	return s.s ? str_take(&s) : mem_strdup("");
}

struct slu_run *plug_run(struct plug *p, const slu_opts *table, const char *options)
{
	struct slu_run *run = MEM_NEW(struct slu_run);
	struct err err = {0};

	run->p = p;
	if (table)
		run->table = *table;
	cr_assert_eq(
	    json_parse(options, strlen(options), 1 << 20, &run->options, &err), 0, "%s", err.text);
	return run;
}

void plug_run_free(struct slu_run *run)
{
	if (!run)
		return;
	json_free(run->options);
	mem_free(run);
}

static const char *ring_text(const char *s)
{
	static char *ring[64];
	static unsigned at;
	char **slot = &ring[at++ % 64];

	free(*slot);
	*slot = strdup(s);
	return *slot;
}

/* The ring of texts would look like a leak. */
static const struct json *lookup(slu_run *run, const char *path)
{
	const struct json *j = json_get(run->options, path);

	return j ? j : json_path(run->options, path);
}

static const char *default_of(slu_run *run, const char *path)
{
	uint32_t i;

	for (i = 0; i < run->table.n; i++)
		if (strcmp(run->table.v[i].name, path) == 0)
			return run->table.v[i].def;
	return NULL;
}

static const slu_attempt *h_attempt(slu_run *run)
{
	return &run->p->at;
}

static const char *h_get_json(slu_run *run, const char *path)
{
	const struct json *j = lookup(run, path);
	const char *text;
	struct str s;

	if (!j || json_type(j) == JSON_NULL)
		return NULL;
	str_init(&s, 1 << 20);
	json_print(j, &s);
	text = ring_text(str_peek(&s));
	str_done(&s);
	return text;
}

static const char *h_get_str(slu_run *run, const char *path)
{
	const struct json *j = lookup(run, path);

	if (!j)
		return default_of(run, path);
	return json_type(j) == JSON_STRING ? json_str(j, NULL) : h_get_json(run, path);
}

static slu_rc h_get_i64(slu_run *run, const char *path, int64_t *out)
{
	const struct json *j = lookup(run, path);
	const char *def = default_of(run, path);

	if (!j && !def)
		return SLU_E_NOT_FOUND;
	if (!j || json_type(j) == JSON_STRING) {
		uint64_t bytes;
		const char *s = j ? json_str(j, "") : def;

		if (str_to_i64(s, out) == 0 || str_to_duration_ms(s, out) == 0)
			return SLU_OK;
		if (str_to_bytes(s, &bytes) < 0)
			return SLU_E_CONFIG;
		*out = (int64_t)bytes;
		return SLU_OK;
	}
	*out = json_i64(j, 0);
	return SLU_OK;
}

static slu_rc h_get_f64(slu_run *run, const char *path, double *out)
{
	const struct json *j = lookup(run, path);

	if (!j)
		return SLU_E_NOT_FOUND;
	*out = json_num(j, 0);
	return SLU_OK;
}

static slu_rc h_get_bool(slu_run *run, const char *path, int32_t *out)
{
	const struct json *j = lookup(run, path);
	const char *def = default_of(run, path);

	if (!j && !def)
		return SLU_E_NOT_FOUND;
	*out = j ? json_bool(j, false) : strcmp(def, "true") == 0;
	return SLU_OK;
}

static slu_rc h_get_secret(slu_run *run, const char *path, char *buf, size_t *len)
{
	size_t n = run->p->secret ? strlen(run->p->secret) : 0;

	(void)path;
	if (!n)
		return SLU_E_NOT_FOUND;
	if (n > *len)
		return SLU_E_CONFIG;
	memcpy(buf, run->p->secret, n);
	*len = n;
	return SLU_OK;
}

static void h_log(slu_run *run, int32_t level, const char *code, const char *msg, size_t len)
{
	(void)level;
	(void)code;
	str_addn(&run->p->log, msg, len);
	str_addc(&run->p->log, '\n');
}

static void h_progress(slu_run *run, int64_t done, int64_t total, const char *unit)
{
	(void)run;
	(void)done;
	(void)total;
	(void)unit;
}

static int32_t h_cancelled(slu_run *run)
{
	return __atomic_load_n(&run->p->cancelled, __ATOMIC_SEQ_CST);
}

static int32_t h_cancel_fd(slu_run *run)
{
	(void)run;
	return -1;
}

static slu_rc h_sleep(slu_run *run, int64_t ms)
{
	if (h_cancelled(run))
		return SLU_E_CANCELLED;
	(void)usleep((useconds_t)(ms > 20 ? 20 : ms) * 1000);
	return SLU_OK;
}

static slu_rc h_rate(slu_run *run, const char *connection, double tokens)
{
	(void)run;
	(void)connection;
	(void)tokens;
	return SLU_OK;
}

static void h_fail(slu_run *run, const slu_err *err)
{
	if (run->p->failed)
		return;
	run->p->failed = true;
	run->p->fail = *err;
}

static const slu_mark *h_cursor(slu_run *run)
{
	return run->p->cursor.cursor_json ? &run->p->cursor : NULL;
}

static slu_rc h_mark(slu_run *run, const slu_mark *m)
{
	run->p->marks++;
	(void)str_copy(
	    run->p->mark_text, sizeof(run->p->mark_text), m->cursor_json ? m->cursor_json : "");
	return SLU_OK;
}

static slu_rc h_end(slu_run *run, const slu_end *e)
{
	run->p->ended = true;
	run->p->end = *e;
	(void)str_copy(run->p->mark_text, sizeof(run->p->mark_text),
	    e->mark.cursor_json ? e->mark.cursor_json : "");
	run->p->end.mark.cursor_json = NULL;
	return SLU_OK;
}

static slu_rc h_reject(slu_run *run, const struct ArrowSchema *schema,
    const struct ArrowArray *array, int64_t row, const char *column, const char *code,
    const char *msg)
{
	struct plug *p = run->p;

	(void)code;
	cr_assert(schema->release && array->release && row < array->length);
	(void)str_copy(p->reject_column, sizeof(p->reject_column), column);
	(void)str_copy(p->reject_reason, sizeof(p->reject_reason), msg);
	return ++p->rejected > p->max_rejects ? SLU_E_DATA : SLU_OK;
}

static slu_rc h_output(slu_run *run, const char *key, const char *json)
{
	str_addf(&run->p->outputs, "%s=%s\n", key, json);
	return SLU_OK;
}

static slu_rc h_dataset(
    slu_run *run, const char *name, const char *partition, const slu_mark *m, int64_t rows)
{
	(void)m;
	str_addf(&run->p->outputs, "dataset %s %s %lld\n", name, partition ? partition : "",
	    (long long)rows);
	return SLU_OK;
}

static slu_rc h_session(
    slu_run *run, const char *connection, const slu_warehouse **w, void **session, slu_err *err)
{
	(void)connection;
	(void)err;
	*w = run->p->warehouse;
	*session = run->p->session;
	return *w ? SLU_OK : SLU_E_CONFIG;
}

static slu_rc h_scratch(slu_run *run, char *buf, size_t n)
{
	return str_copy(buf, n, run->p->dir) ? SLU_OK : SLU_E_INTERNAL;
}

const slu_host plug_host = {.magic = SLU_MAGIC,
    .size = sizeof(slu_host),
    .abi_major = SLU_ABI_MAJOR,
    .attempt = h_attempt,
    .get_str = h_get_str,
    .get_i64 = h_get_i64,
    .get_f64 = h_get_f64,
    .get_bool = h_get_bool,
    .get_json = h_get_json,
    .get_secret = h_get_secret,
    .log = h_log,
    .progress = h_progress,
    .cancelled = h_cancelled,
    .cancel_fd = h_cancel_fd,
    .sleep_ms = h_sleep,
    .rate = h_rate,
    .fail = h_fail,
    .cursor_load = h_cursor,
    .mark = h_mark,
    .end = h_end,
    .reject = h_reject,
    .output = h_output,
    .dataset = h_dataset,
    .session = h_session,
    .scratch_dir = h_scratch};

const slu_kind *plug_kind(const char *plugin, const char *type)
{
	const char *build = getenv("SLUICE_BUILD_DIR");
	slu_err err = {.size = sizeof(err)};
	const slu_plugin *p;
	slu_plugin_entry entry;
	char path[4096];
	void *h, *sym;
	uint32_t i;

	(void)snprintf(path, sizeof(path), "%s/plugins/.libs/%s.so", build ? build : ".", plugin);
	h = dlopen(path, RTLD_NOW | RTLD_LOCAL);
	cr_assert(h, "%s", dlerror());
	sym = dlsym(h, "sluice_plugin_v1");
	cr_assert(sym);
	memcpy(&entry, &sym, sizeof(entry));
	p = entry(SLU_ABI_MAJOR, SLU_ABI_MINOR, &err);
	cr_assert(p, "%s", err.message);
	for (i = 0; i < p->n_kinds; i++)
		if (strcmp(p->kinds[i].type, type) == 0)
			return &p->kinds[i];
	cr_assert(false, "%s has no kind %s", plugin, type);
	return NULL;
}

static void drain_batch(const slu_fields *f, const struct ArrowArray *a, struct str *out)
{
	slu_format format = {.kind = SLU_NDJSON};
	slu_col *cols = calloc(f->n, sizeof(*cols));
	slu_err err = {0};
	slu_buf text;

	slu_buf_init(&text, 64 << 20);
	cr_assert_eq(slu_batch_read(a, f, cols, &err), SLU_OK, "%s", err.message);
	cr_assert_eq(slu_rows_write(&format, f, cols, 0, a->length, &text, &err), SLU_OK);
	str_addn(out, slu_buf_text(&text), text.len);
	slu_buf_done(&text);
	free(cols);
}

slu_rc plug_drain(struct ArrowArrayStream *in, struct str *out, struct str *schema, slu_err *err)
{
	struct ArrowSchema s = {0};
	struct ArrowArray a = {0};
	slu_fields f = {0};
	slu_buf text;
	int rc = in->get_schema(in, &s);

	if (rc == 0) {
		cr_assert_eq(slu_schema_read(&s, &f, err), SLU_OK, "%s", err->message);
		slu_buf_init(&text, 1 << 20);
		slu_fields_to_json(&f, &text);
		if (schema)
			str_add(schema, slu_buf_text(&text));
		slu_buf_done(&text);
		s.release(&s);
	}
	while (rc == 0 && (rc = in->get_next(in, &a)) == 0 && a.release) {
		if (out)
			drain_batch(&f, &a, out);
		a.release(&a);
	}
	if (rc)
		(void)slu_stream_failed(in, rc, err);
	slu_fields_done(&f);
	in->release(in);
	return rc ? err->rc : SLU_OK;
}

slu_rc plug_extract(struct plug *p, const slu_kind *kind, const char *conn_options,
    const char *options, struct str *out, struct str *schema, slu_err *err)
{
	struct slu_run *run = plug_run(p, &kind->extract->options, options), *crun = NULL;
	struct ArrowArrayStream in = {0};
	slu_mark upto = {.size = sizeof(upto)};
	void *conn = NULL, *st = NULL;
	slu_rc rc = SLU_OK;

	p->failed = p->ended = false;
	if (conn_options) {
		crun = plug_run(p, &kind->connection->options, conn_options);
		rc = kind->connection->open(&plug_host, crun, &conn, err);
	}
	if (rc == SLU_OK)
		rc = kind->extract->open(&plug_host, run, conn, &st, err);
	upto.cursor_json = p->upto; /* a rerun: bound() is not asked */
	if (rc == SLU_OK && kind->extract->bound && !p->upto)
		rc = kind->extract->bound(st, &upto, err);
	if (rc == SLU_E_UNSUPPORTED && st)
		rc = SLU_OK; /* no bound of its own */
	if (rc == SLU_OK)
		rc = kind->extract->stream(
		    st, NULL, p->cursor.cursor_json ? &p->cursor : NULL, &upto, &in, err);
	if (rc == SLU_OK)
		rc = plug_drain(&in, out, schema, err);
	if (p->failed) {
		*err = p->fail;
		rc = p->fail.rc;
	}
	if (st)
		kind->extract->close(st);
	if (conn)
		kind->connection->close(conn);
	plug_run_free(run);
	plug_run_free(crun);
	return rc;
}

struct source {
	slu_in *in;
	slu_parser *parser;
	slu_rejects rejects;
	struct slu_run *run;
};

static slu_rc source_fill(void *ctx, slu_builder *b, int *done, slu_err *err)
{
	struct source *s = ctx;

	return slu_parser_fill(s->parser, b, done, err);
}

static void source_close(void *ctx)
{
	struct source *s = ctx;

	slu_parser_free(s->parser);
	slu_in_close(s->in);
	plug_run_free(s->run);
	free(s);
}

slu_rc plug_source(struct plug *p, const char *columns, const char *ndjson,
    struct ArrowArrayStream *out, slu_err *err)
{
	struct source *s = calloc(1, sizeof(*s));
	slu_rows rows = {.fill = source_fill, .close = source_close, .ctx = s};
	slu_format format = {.kind = SLU_NDJSON};
	static unsigned n;
	char name[32];
	slu_json *j = NULL;
	slu_fields f = {0};

	(void)snprintf(name, sizeof(name), "source-%u.ndjson", n++);
	plug_write(p, name, ndjson, strlen(ndjson));
	s->run = plug_run(p, NULL, "{}");
	s->rejects = (slu_rejects){&plug_host, s->run, 0};
	cr_assert_eq(slu_json_parse(columns, "columns", &j, err), SLU_OK);
	cr_assert_eq(slu_fields_declared(j, &f, err), SLU_OK, "%s", err->message);
	slu_json_free(j);
	cr_assert_eq(slu_in_open(plug_path(p, name), &s->in, err), SLU_OK);
	cr_assert_eq(slu_parser_new(&format, s->in, &f, &s->rejects, &s->parser, err), SLU_OK);
	slu_fields_done(&f);
	return slu_stream_make(&plug_host, s->run, slu_parser_fields(s->parser), &rows, out, err);
}

void plug_work(struct plug *p, struct plug_load *l, uint32_t mode, const char *table)
{
	l->work = (slu_work){.size = sizeof(l->work),
	    .mode = mode,
	    .table = table,
	    .dataset = "x/t",
	    .fence_key = "test/1/load/",
	    .ledger_key = p->at.ledger_key,
	    .token = p->at.token,
	    .generation = p->at.generation,
	    .flags = p->at.generation ? SLU_WK_RERUN : 0,
	    .parts = p->at.parts,
	    .deployment = p->at.deployment,
	    .run = p->at.run};
}

static slu_rc on_change(void *arg, const slu_change *c)
{
	struct plug_load *l = arg;

	if (c->kind != SLU_C_CREATE)
		l->n_changes++;
	return SLU_OK;
}

static slu_rc load_rows(struct plug_load *l, void *st, struct ArrowArrayStream *in, slu_err *err)
{
	struct ArrowSchema s = {0};
	struct ArrowArray a = {0};
	slu_change change = {.size = sizeof(change), .kind = SLU_C_ADD};
	const slu_change *approved[] = {&change};
	char stage[256];
	slu_rc rc;
	int e = in->get_schema(in, &s);

	if (e)
		return slu_stream_failed(in, e, err);
	l->n_changes = 0;
	rc = l->kind->load->plan ? l->kind->load->plan(st, &s, on_change, l, err) : SLU_OK;
	if (rc == SLU_OK)
		rc = l->kind->load->stage(
		    st, &s, approved, l->n_changes ? 1 : 0, stage, sizeof(stage), err);
	while (rc == SLU_OK) {
		e = in->get_next(in, &a);
		if (e)
			rc = slu_stream_failed(in, e, err);
		else if (!a.release)
			break;
		else
			rc = l->kind->load->write(st, &a, err);
		cr_assert(!a.release, "write owns its batch");
	}
	s.release(&s);
	return rc;
}

static slu_rc load_all(struct plug_load *l, void *st, struct ArrowArrayStream *in, slu_err *err)
{
	slu_rc rc = load_rows(l, st, in, err);
	uint64_t durable;

	if (rc == SLU_OK && l->kind->load->flush)
		rc = l->kind->load->flush(st, &durable, err);
	if (rc == SLU_OK && l->check) {
		rc = l->kind->load->probe(st, l->check, &l->failing, err);
		if (rc == SLU_OK && l->failing)
			rc = slu_fail(err, SLU_E_DATA, "CHECK", "the check fails");
	}
	if (rc == SLU_OK)
		rc = l->kind->load->publish(st, &l->mark, &l->report, err);
	else
		(void)l->kind->load->abort(st, NULL);
	return rc;
}

slu_rc plug_load(struct plug *p, struct plug_load *l, struct ArrowArrayStream *in, slu_err *err)
{
	struct slu_run *run = plug_run(p, &l->kind->load->options, l->options ? l->options : "{}"),
		       *crun = NULL;
	void *conn = NULL, *st = NULL;
	int32_t found = 0;
	slu_rc rc = SLU_OK;

	l->found = false;
	l->report = (slu_report){.size = sizeof(l->report)};
	l->mark.size = sizeof(l->mark);
	l->found_mark = (slu_mark){.size = sizeof(l->found_mark)};
	if (l->conn_options) {
		crun = plug_run(p, &l->kind->connection->options, l->conn_options);
		rc = l->kind->connection->open(&plug_host, crun, &conn, err);
	}
	if (rc == SLU_OK)
		rc = l->kind->load->open(&plug_host, run, conn, &l->work, &st, err);
	if (rc == SLU_OK && l->kind->load->recover)
		rc = l->kind->load->recover(st, &found, &l->report, &l->found_mark, err);
	l->found = found;
	(void)str_copy(l->found_cursor, sizeof(l->found_cursor),
	    l->found_mark.cursor_json ? l->found_mark.cursor_json : "");
	if (rc == SLU_OK && !found)
		rc = load_all(l, st, in, err);
	(void)str_copy(
	    l->parts, sizeof(l->parts), l->report.parts_json ? l->report.parts_json : "");
	l->report.parts_json = NULL;
	if (in->release)
		in->release(in);
	if (st)
		l->kind->load->close(st);
	if (conn)
		l->kind->connection->close(conn);
	plug_run_free(run);
	plug_run_free(crun);
	return rc;
}
