/* extract.c: rows of a data set: the partitions with new versions, the run's partitions, or all.
 * Files that count are those of the manifest read at the beginning; a shared lock keeps them until
 * the last is read. */
#include "plugins/lake/lake.h"

#include "sluice/kit/period.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct extract {
	const slu_host *host; /* borrowed */
	slu_run *run;	      /* borrowed */
	struct lake *l;	      /* borrowed */
	char *dir;	      /* owned */
	struct manifest m;
	bool *wanted; /* owned; a partition each */
	size_t part, file;
	int lock;
	slu_in *in;	    /* owned */
	slu_parser *parser; /* owned */
	slu_rejects rejects;
	slu_window window;
};

static void file_close(struct extract *x)
{
	slu_parser_free(x->parser);
	slu_in_close(x->in);
	x->parser = NULL;
	x->in = NULL;
}

static void unlock(struct extract *x)
{
	if (x->lock >= 0)
		(void)close(x->lock);
	x->lock = -1;
}

static void extract_close(void *st)
{
	struct extract *x = st;

	file_close(x);
	unlock(x);
	manifest_done(&x->m);
	free(x->wanted);
	free(x->dir);
	free(x);
}

static slu_rc extract_open(const slu_host *host, slu_run *run, void *conn, void **st, slu_err *err)
{
	const char *dataset = host->get_str(run, "dataset");
	struct extract *x;

	if (!conn || !dataset)
		return slu_fail_field(err, SLU_E_CONFIG, "LAKE.DATASET", "dataset",
		    "the lake extract needs a connection and `dataset`");
	x = calloc(1, sizeof(*x));
	if (!x)
		return slu_fail(err, SLU_E_TRANSIENT, "LAKE.MEMORY", "out of memory");
	x->host = x->rejects.host = host;
	x->run = x->rejects.run = run;
	x->l = conn;
	x->lock = -1;
	x->dir = lake_dir(conn, dataset);
	*st = x;
	return SLU_OK;
}

static void want(struct extract *x, const char *key)
{
	size_t i;

	for (i = 0; i < x->m.n; i++) /* "": the version is of the whole data set */
		x->wanted[i] = x->wanted[i] || !*key || strcmp(x->m.parts[i].key, key) == 0;
}

static slu_rc want_parts(struct extract *x, slu_err *err)
{
	const slu_attempt *a = x->host->attempt(x->run);
	uint32_t i;

	if (a->parts.n == 0)
		return slu_fail_field(err, SLU_E_CONFIG, "LAKE.READ", "read",
		    "read: partition: this run has no partition; its trigger needs `covers` or a "
		    "data set");
	for (i = 0; i < a->parts.n; i++) {
		const slu_part *p = (const slu_part *)(const void *)((const char *)a->parts.v +
								     (size_t)i * a->parts.stride);

		want(x, p->key);
	}
	return SLU_OK;
}

static slu_rc want_new(struct extract *x, slu_err *err)
{
	const slu_json *v;
	slu_json *p;
	slu_rc rc = slu_option_json(x->host, x->run, "positions", &p, err);

	if (rc == SLU_OK && !p)
		want(x, "");
	for (v = slu_json_first(slu_json_get(p, "versions")); v; v = slu_json_next(v))
		want(x, slu_json_get_str(v, "partition", ""));
	slu_json_free(p);
	return rc;
}

static slu_rc choose(struct extract *x, slu_err *err)
{
	const char *read = x->host->get_str(x->run, "read");

	x->wanted = calloc(x->m.n + 1, sizeof(*x->wanted));
	if (!x->wanted)
		return slu_fail(err, SLU_E_TRANSIENT, "LAKE.MEMORY", "out of memory");
	if (read && strcmp(read, "partition") == 0)
		return want_parts(x, err);
	if (x->host->attempt(x->run)->full_refresh || (read && strcmp(read, "all") == 0)) {
		want(x, "");
		return SLU_OK;
	}
	return want_new(x, err);
}

/* The next file of a wanted partition; NULL behind the last. */
static const struct lake_file *file_next(struct extract *x)
{
	for (; x->part < x->m.n; x->part++, x->file = 0)
		if (x->wanted[x->part] && x->file < x->m.parts[x->part].n)
			return &x->m.parts[x->part].files[x->file++];
	return NULL;
}

static slu_rc file_open(struct extract *x, const struct lake_file *f, slu_err *err)
{
	slu_format format = {.kind = strstr(f->name, ".ndjson") ? SLU_NDJSON : SLU_CSV};
	char path[8192];
	slu_rc rc;

	(void)snprintf(path, sizeof(path), "%s/%s", x->dir, f->name);
	rc = slu_in_open(path, &x->in, err);
	if (rc == SLU_E_NOT_FOUND)
		return slu_fail_prefix(err, "a file of the manifest is missing");
	return rc == SLU_OK
		   ? slu_parser_new(&format, x->in, &x->m.fields, &x->rejects, &x->parser, err)
		   : rc;
}

static slu_rc on_fill(void *ctx, slu_builder *b, int *ret_done, slu_err *err)
{
	struct extract *x = ctx;
	int file_done = 0;
	slu_rc rc = SLU_OK;

	slu_builder_rejects(b, &x->rejects);
	slu_builder_window(b, &x->window);
	if (!x->parser) {
		const struct lake_file *f = file_next(x);

		if (!f) {
			unlock(x);
			*ret_done = 1;
			return SLU_OK;
		}
		rc = file_open(x, f, err);
	}
	if (rc == SLU_OK)
		rc = slu_parser_fill(x->parser, b, &file_done, err);
	if (rc == SLU_OK && file_done)
		file_close(x);
	return rc;
}

static void on_finish(void *ctx, slu_mark *m)
{
	struct extract *x = ctx;

	slu_window_mark(&x->window, m);
}

static slu_rc extract_stream(void *st, const char *split, const slu_mark *from,
    const slu_mark *upto, struct ArrowArrayStream *out, slu_err *err)
{
	struct extract *x = st;
	slu_rows rows = {.fill = on_fill, .finish = on_finish, .ctx = x};
	char meta[4096];
	slu_rc rc = SLU_OK;

	(void)split;
	(void)from;
	(void)upto;
	(void)snprintf(meta, sizeof(meta), "%s/_sluice", x->dir);
	if (access(meta, F_OK) < 0)
		return slu_fail_field(err, SLU_E_NOT_FOUND, "LAKE.NONE", "dataset",
		    "nothing was ever published to %s", x->dir);
	x->lock = lake_lock(x->l, x->dir, "readers", true, true, err);
	if (x->lock < 0)
		return err->rc;
	rc = manifest_read(x->dir, &x->m, err);
	if (rc == SLU_OK && x->m.commit == 0)
		rc = slu_fail_field(err, SLU_E_NOT_FOUND, "LAKE.NONE", "dataset",
		    "nothing was ever published to %s", x->dir);
	if (rc == SLU_OK)
		rc = choose(x, err);
	if (rc == SLU_OK)
		rc = slu_window_read(x->host, x->run, &x->m.fields, &x->window, err);
	return rc == SLU_OK ? slu_stream_make(x->host, x->run, &x->m.fields, &rows, out, err) : rc;
}

const slu_extract lake_extract = {.size = sizeof(slu_extract),
    .caps = SLU_X_WINDOW,
    .open = extract_open,
    .stream = extract_stream,
    .close = extract_close};
