/* plugin.c: csv: an extract of CSV and NDJSON files, one path or a glob. All files have the same
 * columns. */
#include "sluice/kit/period.h"
#include "sluice/kit/plugin.h"
#include "sluice/kit/rows.h"

#include <glob.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

struct extract {
	const slu_host *host; /* borrowed */
	slu_run *run;	      /* borrowed */
	slu_format format;
	glob_t files;
	bool globbed;
	size_t next;	   /* file to open */
	slu_fields fields; /* owned; of the first file or as declared */
	bool declared;
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

static void extract_close(void *st)
{
	struct extract *x = st;

	file_close(x);
	if (x->globbed)
		globfree(&x->files);
	slu_fields_done(&x->fields);
	free(x);
}

/* Without a pattern character the path is taken as it is, so that a missing file is named. */
static slu_rc find_files(struct extract *x, slu_err *err)
{
	const char *path = x->host->get_str(x->run, "path");
	int32_t may_be_none = 0;
	char *full;
	int rc;

	if (!path || !*path)
		return slu_fail_field(err, SLU_E_CONFIG, "CSV.PATH", "path", "path: which file?");
	full = slu_path(x->host, x->run, path);
	rc = glob(full, GLOB_ERR | (strpbrk(path, "*?[") ? 0 : GLOB_NOCHECK), NULL, &x->files);
	slu_free(full);
	x->globbed = rc == 0;
	(void)x->host->get_bool(x->run, "allow_none", &may_be_none);
	if (rc == GLOB_NOSPACE || rc == GLOB_ABORTED)
		return slu_fail_field(err, rc == GLOB_NOSPACE ? SLU_E_TRANSIENT : SLU_E_AUTH,
		    "CSV.GLOB", "path", "cannot read the folder of %s", path);
	if (rc == GLOB_NOMATCH && !may_be_none)
		return slu_fail_field(err, SLU_E_NOT_FOUND, "CSV.NONE", "path",
		    "no file is called %s; `allow_none: true` takes that for zero rows", path);
	return SLU_OK;
}

static slu_rc file_open(struct extract *x, slu_err *err)
{
	slu_rc rc = slu_in_open(x->files.gl_pathv[x->next], &x->in, err);

	if (rc == SLU_OK)
		rc = slu_parser_new(&x->format, x->in, x->fields.n ? &x->fields : NULL, &x->rejects,
		    &x->parser, err);
	x->next++;
	return rc;
}

static slu_rc extract_open(const slu_host *host, slu_run *run, void *conn, void **st, slu_err *err)
{
	struct extract *x = calloc(1, sizeof(*x));
	const char *encoding = host->get_str(run, "encoding");
	slu_json *columns = NULL;
	slu_rc rc;

	(void)conn;
	if (!x)
		return slu_fail(err, SLU_E_TRANSIENT, "CSV.MEMORY", "out of memory");
	x->host = x->rejects.host = host;
	x->run = x->rejects.run = run;
	rc = slu_format_options(host, run, &x->format, err);
	if (rc == SLU_OK && encoding && strcasecmp(encoding, "utf-8") != 0)
		rc = slu_fail_field(err, SLU_E_UNSUPPORTED, "CSV.ENCODING", "encoding",
		    "encoding: only utf-8 is read; convert the file first, for example with iconv");
	if (rc == SLU_OK)
		rc = slu_option_json(host, run, "columns", &columns, err);
	if (rc == SLU_OK && columns)
		rc = slu_fields_declared(columns, &x->fields, err);
	slu_json_free(columns);
	x->declared = x->fields.n > 0;
	if (rc == SLU_OK)
		rc = find_files(x, err);
	if (rc != SLU_OK) {
		extract_close(x);
		return rc;
	}
	*st = x;
	return SLU_OK;
}

static slu_rc on_fill(void *ctx, slu_builder *b, int *ret_done, slu_err *err)
{
	struct extract *x = ctx;
	int file_done = 0;
	slu_rc rc;

	slu_builder_rejects(b, &x->rejects);
	slu_builder_window(b, &x->window);
	if (!x->parser && (!x->globbed || x->next == x->files.gl_pathc)) {
		*ret_done = 1;
		return SLU_OK;
	}
	rc = x->parser ? SLU_OK : file_open(x, err);
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
	if (x->window.outside)
		slu_logf(x->host, x->run, SLU_LOG_INFO, "CSV.WINDOW",
		    "%lld rows are outside the run's window", (long long)x->window.outside);
}

static slu_rc extract_stream(void *st, const char *split, const slu_mark *from,
    const slu_mark *upto, struct ArrowArrayStream *out, slu_err *err)
{
	struct extract *x = st;
	slu_rows rows = {.fill = on_fill, .finish = on_finish, .ctx = x};
	slu_rc rc = SLU_OK;

	(void)split;
	(void)from;
	(void)upto;
	if (!x->declared && !x->globbed)
		return slu_fail_field(err, SLU_E_CONFIG, "CSV.NONE", "columns",
		    "there is no file to take the columns from: declare `columns`");
	if (x->globbed) {
		rc = file_open(x, err);
		if (rc == SLU_OK && !x->declared)
			rc = slu_fields_copy(&x->fields, slu_parser_fields(x->parser), err);
	}
	if (rc == SLU_OK)
		rc = slu_window_read(x->host, x->run, &x->fields, &x->window, err);
	if (rc != SLU_OK)
		return rc;
	return slu_stream_make(x->host, x->run,
	    x->parser ? slu_parser_fields(x->parser) : &x->fields, &rows, out, err);
}

static const slu_opt options[] = {{.name = "path",
				      .type = SLU_T_URI,
				      .flags = SLU_F_REQUIRED | SLU_F_TEMPLATED | SLU_F_IDENTITY,
				      .doc = "The file, or a pattern with * ? [ ] for several; .gz "
					     "and .zst are seen from their bytes."},
    {.name = "format",
	.type = SLU_T_ENUM,
	.def = "csv",
	.choices = "csv|ndjson",
	.doc = "How the rows are written: CSV, or one JSON object a line."},
    SLU_FORMAT_OPTIONS,
    {.name = "encoding",
	.type = SLU_T_STRING,
	.def = "utf-8",
	.doc = "The encoding of the file: utf-8."},
    {.name = "allow_none",
	.type = SLU_T_BOOL,
	.def = "false",
	.doc = "No matching file is no error but zero rows."}};

static const slu_extract csv_extract = {.size = sizeof(slu_extract),
    .caps = SLU_X_WINDOW,
    .options = {sizeof(options) / sizeof(options[0]), sizeof(slu_opt), options},
    .open = extract_open,
    .stream = extract_stream,
    .close = extract_close};

static const slu_kind kinds[] = {{.type = "csv",
    .doc = "Reads CSV and NDJSON files.",
    .needs = SLU_N_FILES,
    .extract = &csv_extract}};

SLU_PLUGIN("csv", "0.1.0", "same as Sluice", kinds)
