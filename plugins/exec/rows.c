/* rows.c: the exec extract (a command's output is rows) and load (its input is rows). */
#include "plugins/exec/exec.h"
#include "plugins/exec/spawn.h"

#include "sluice/kit/period.h"
#include "sluice/kit/rows.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define CHUNK_BYTES (1u << 20)

static slu_rc no_memory(slu_err *err)
{
	return slu_fail(err, SLU_E_TRANSIENT, "EXEC.MEMORY", "out of memory");
}

/* ---- extract ---- */
struct extract {
	struct command c;
	slu_format format;
	slu_in *in;	    /* owned, from stream on */
	slu_parser *parser; /* owned */
	slu_rejects rejects;
	slu_window window;
};

static void extract_close(void *st)
{
	struct extract *x = st;

	slu_parser_free(x->parser);
	slu_in_close(x->in);
	command_done(&x->c);
	free(x);
}

static slu_rc extract_open(const slu_host *host, slu_run *run, void *conn, void **st, slu_err *err)
{
	struct extract *x = calloc(1, sizeof(*x));
	slu_rc rc;

	(void)conn;
	if (!x)
		return no_memory(err);
	x->rejects.host = host;
	x->rejects.run = run;
	rc = command_init(&x->c, host, run, err);
	if (rc == SLU_OK)
		rc = slu_format_options(host, run, &x->format, err);
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
	slu_rc rc;

	slu_builder_rejects(b, &x->rejects);
	slu_builder_window(b, &x->window);
	rc = slu_parser_fill(x->parser, b, ret_done, err);
	/* Rows count only if the command says that these were all. */
	return rc == SLU_OK && *ret_done ? command_wait(&x->c, err) : rc;
}

static void on_finish(void *ctx, slu_mark *m)
{
	struct extract *x = ctx;

	slu_window_mark(&x->window, m);
}

/* An early end of the command says more than "no rows to take the columns from". */
static slu_rc parser_open(struct extract *x, slu_err *err)
{
	slu_err why = {.size = sizeof(why)};
	slu_fields declared = {0};
	slu_json *columns;
	slu_rc rc = slu_option_json(x->c.host, x->c.run, "columns", &columns, err);

	if (rc == SLU_OK && columns)
		rc = slu_fields_declared(columns, &declared, err);
	if (rc == SLU_OK)
		rc = slu_parser_new(
		    &x->format, x->in, columns ? &declared : NULL, &x->rejects, &x->parser, err);
	if (rc == SLU_E_SCHEMA && !columns && command_wait(&x->c, &why) != SLU_OK) {
		*err = why;
		rc = why.rc;
	}
	slu_json_free(columns);
	slu_fields_done(&declared);
	return rc;
}

static slu_rc extract_stream(void *st, const char *split, const slu_mark *from,
    const slu_mark *upto, struct ArrowArrayStream *out, slu_err *err)
{
	struct extract *x = st;
	slu_rows rows = {.fill = on_fill, .finish = on_finish, .ctx = x};
	int fd[2];
	slu_rc rc;

	(void)split;
	(void)from;
	(void)upto;
	if (pipe2(fd, O_CLOEXEC) < 0)
		return slu_fail_errno(err, errno, "EXEC.PIPE", "cannot make a pipe");
	(void)fcntl(fd[0], F_SETPIPE_SZ, (int)CHUNK_BYTES);
	x->c.out_fd = fd[1];
	rc = command_spawn(&x->c, err);
	if (rc != SLU_OK) {
		(void)close(fd[0]);
		return rc;
	}
	rc = slu_in_fd(fd[0], "the command's output", &x->in, err);
	if (rc == SLU_OK)
		rc = parser_open(x, err);
	if (rc == SLU_OK)
		rc = slu_window_read(
		    x->c.host, x->c.run, slu_parser_fields(x->parser), &x->window, err);
	if (rc != SLU_OK)
		return rc;
	return slu_stream_make(x->c.host, x->c.run, slu_parser_fields(x->parser), &rows, out, err);
}

static void extract_cancel(void *st)
{
	struct extract *x = st;

	command_cancel(&x->c);
}

#define FORMAT_OPTION                                                                              \
	{                                                                                          \
		.name = "format", .type = SLU_T_ENUM, .def = "csv", .choices = "csv|ndjson",       \
		.doc = "How the rows are written: CSV, or one JSON object a line."                 \
	}
static const slu_opt extract_options[] = {EXEC_OPTIONS, FORMAT_OPTION, SLU_FORMAT_OPTIONS,
    {.name = "stdin",
	.type = SLU_T_STRING,
	.flags = SLU_F_TEMPLATED,
	.doc = "Text for standard input; without it there is none."}};

const slu_extract exec_extract = {.size = sizeof(slu_extract),
    .caps = SLU_X_WINDOW,
    .options = {sizeof(extract_options) / sizeof(extract_options[0]), sizeof(slu_opt),
	extract_options},
    .open = extract_open,
    .stream = extract_stream,
    .cancel = extract_cancel,
    .close = extract_close};

/* ---- load ---- */
struct load {
	struct command c;
	slu_format format;
	slu_fields fields; /* owned */
	slu_col *cols;	   /* owned */
	slu_buf text;
	int fd; /* the command's standard input, or -1 */
	int64_t rows, bytes;
};

static void load_close(void *st)
{
	struct load *l = st;

	if (l->fd >= 0)
		(void)close(l->fd);
	command_done(&l->c);
	slu_fields_done(&l->fields);
	slu_buf_done(&l->text);
	free(l->cols);
	free(l);
}

static slu_rc load_open(
    const slu_host *host, slu_run *run, void *conn, const slu_work *work, void **st, slu_err *err)
{
	static const char *const modes[] = {
	    "append", "replace", "merge", "replace_partition", "delete_insert"};
	struct load *l = calloc(1, sizeof(*l));
	slu_rc rc;

	(void)conn;
	if (!l)
		return no_memory(err);
	l->fd = -1;
	slu_buf_init(&l->text, (size_t)SLU_CELL_MAX * 2);
	rc = command_init(&l->c, host, run, err);
	if (rc == SLU_OK)
		rc = slu_format_options(host, run, &l->format, err);
	if (rc != SLU_OK) {
		load_close(l);
		return rc;
	}
	command_env(&l->c, "SLUICE_LEDGER_KEY", work->ledger_key);
	command_env(&l->c, "SLUICE_DATASET", work->dataset);
	command_env(&l->c, "SLUICE_TABLE", work->table);
	command_env(&l->c, "SLUICE_MODE", work->mode < 5 ? modes[work->mode] : "");
	command_env(&l->c, "SLUICE_PARTITION", work->parts.n == 1 ? work->parts.v->key : "");
	*st = l;
	return SLU_OK;
}

/* write() that turns a closed pipe into an error instead of a signal. */
static ssize_t pipe_write(int fd, const char *p, size_t n)
{
	const struct timespec now = {0};
	sigset_t pipe_set, old, pending;
	ssize_t put;
	int saved, had;

	(void)sigemptyset(&pipe_set);
	(void)sigaddset(&pipe_set, SIGPIPE);
	(void)sigpending(&pending);
	had = sigismember(&pending, SIGPIPE);
	(void)pthread_sigmask(SIG_BLOCK, &pipe_set, &old);
	put = write(fd, p, n);
	saved = errno;
	if (put < 0 && saved == EPIPE && !had)
		(void)sigtimedwait(&pipe_set, NULL, &now);
	(void)pthread_sigmask(SIG_SETMASK, &old, NULL);
	errno = saved;
	return put;
}

static slu_rc text_send(struct load *l, slu_err *err)
{
	const char *p = slu_buf_text(&l->text);
	size_t n = l->text.len;

	l->bytes += (int64_t)n;
	while (n) {
		ssize_t put = pipe_write(l->fd, p, n);

		if (put < 0 && errno == EINTR)
			continue;
		if (put < 0 && errno == EPIPE)
			return command_wait(&l->c, err) != SLU_OK
				   ? l->c.rc
				   : slu_fail(err, SLU_E_DATA, "EXEC.PIPE",
					 "%s ended well before it had read all rows", l->c.argv[0]);
		if (put < 0)
			return slu_fail_errno(
			    err, errno, "EXEC.PIPE", "writing to %s", l->c.argv[0]);
		p += put;
		n -= (size_t)put;
	}
	slu_buf_reset(&l->text);
	return SLU_OK;
}

static slu_rc load_stage(void *st, const struct ArrowSchema *schema,
    const slu_change *const *approved, uint32_t n, char *stage_json, size_t cap, slu_err *err)
{
	struct load *l = st;
	slu_rc rc = slu_schema_read(schema, &l->fields, err);
	int fd[2];

	(void)approved;
	(void)n;
	if (rc != SLU_OK)
		return rc;
	if (cap)
		stage_json[0] = '\0';
	l->cols = calloc(l->fields.n, sizeof(*l->cols));
	if (!l->cols)
		return no_memory(err);
	if (pipe2(fd, O_CLOEXEC) < 0)
		return slu_fail_errno(err, errno, "EXEC.PIPE", "cannot make a pipe");
	l->c.in_fd = fd[0];
	l->fd = fd[1];
	rc = command_spawn(&l->c, err);
	if (rc == SLU_OK)
		slu_rows_header(&l->format, &l->fields, &l->text);
	return rc;
}

static slu_rc write_rows(struct load *l, const struct ArrowArray *batch, slu_err *err)
{
	slu_rc rc = slu_batch_read(batch, &l->fields, l->cols, err);
	int64_t row;

	for (row = 0; row < batch->length && rc == SLU_OK; row++) {
		rc = slu_rows_write(&l->format, &l->fields, l->cols, row, row + 1, &l->text, err);
		if (rc == SLU_OK && l->text.len >= CHUNK_BYTES)
			rc = text_send(l, err);
	}
	l->rows += row;
	return rc;
}

static slu_rc load_write(void *st, struct ArrowArray *batch, slu_err *err)
{
	slu_rc rc = write_rows(st, batch, err);

	batch->release(batch);
	return rc;
}

static slu_rc load_publish(void *st, const slu_mark *mark, slu_report *report, slu_err *err)
{
	struct load *l = st;
	slu_rc rc = text_send(l, err);

	(void)mark;
	if (l->fd >= 0)
		(void)close(l->fd);
	l->fd = -1;
	if (rc == SLU_OK)
		rc = command_wait(&l->c, err);
	if (rc != SLU_OK)
		return rc;
	report->written = l->rows;
	report->bytes = l->bytes;
	return SLU_OK;
}

/* The command must not take the end of its input for success, so it ends first. */
static slu_rc load_abort(void *st, slu_err *err)
{
	struct load *l = st;

	(void)err;
	command_done(&l->c);
	memset(&l->c, 0, sizeof(l->c));
	l->c.in_fd = l->c.out_fd = -1;
	(void)pthread_mutex_init(&l->c.lock, NULL);
	return SLU_OK;
}

static void load_cancel(void *st)
{
	struct load *l = st;

	command_cancel(&l->c);
}

static const slu_opt load_options[] = {EXEC_OPTIONS, FORMAT_OPTION, SLU_FORMAT_OPTIONS};

const slu_load exec_load = {.size = sizeof(slu_load),
    .options = {sizeof(load_options) / sizeof(load_options[0]), sizeof(slu_opt), load_options},
    .promise = {[SLU_M_APPEND] = SLU_P_AT_LEAST_ONCE,
	[SLU_M_REPLACE] = SLU_P_AT_LEAST_ONCE,
	[SLU_M_MERGE] = SLU_P_AT_LEAST_ONCE,
	[SLU_M_REPLACE_PARTITION] = SLU_P_AT_LEAST_ONCE,
	[SLU_M_DELETE_INSERT] = SLU_P_AT_LEAST_ONCE},
    .open = load_open,
    .stage = load_stage,
    .write = load_write,
    .publish = load_publish,
    .abort = load_abort,
    .cancel = load_cancel,
    .close = load_close};
