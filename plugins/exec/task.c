/* task.c: the exec task: a command, its exit code as a class, its outputs from a file or its last
 * line. */
#include "plugins/exec/exec.h"
#include "plugins/exec/spawn.h"

#include "sluice/kit/file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define OUTPUTS_MAX (64u << 10)

struct task {
	struct command c;
	bool last_line;
	char output[4096]; /* path of SLUICE_OUTPUT */
	slu_buf line;	   /* the line being read of the command's output, cut at OUTPUTS_MAX */
	bool line_ended;
};

static slu_rc task_open(const slu_host *host, slu_run *run, void *conn, void **st, slu_err *err)
{
	const char *outputs = host->get_str(run, "outputs");
	struct task *t = calloc(1, sizeof(*t));
	char dir[3900];
	slu_rc rc;

	(void)conn;
	if (!t)
		return slu_fail(err, SLU_E_TRANSIENT, "EXEC.MEMORY", "out of memory");
	slu_buf_init(&t->line, OUTPUTS_MAX);
	t->last_line = outputs && strcmp(outputs, "last_line") == 0;
	rc = command_init(&t->c, host, run, err);
	if (rc == SLU_OK && host->scratch_dir(run, dir, sizeof(dir)) != SLU_OK)
		rc = slu_fail(err, SLU_E_TRANSIENT, "EXEC.SCRATCH",
		    "there is no scratch folder for SLUICE_OUTPUT");
	if (rc != SLU_OK) {
		task_close(t);
		return rc;
	}
	(void)snprintf(t->output, sizeof(t->output), "%s/output.json", dir);
	command_env(&t->c, "SLUICE_OUTPUT", t->output);
	*st = t;
	return SLU_OK;
}

/* Each member of a JSON object is an output of the step. */
static slu_rc outputs_put(struct task *t, const char *text, const char *where, slu_err *err)
{
	const slu_host *host = t->c.host;
	const slu_json *v;
	slu_json *root;
	slu_buf key;
	slu_rc rc;

	while (*text == ' ' || *text == '\n')
		text++;
	if (!*text)
		return SLU_OK;
	if (slu_json_parse(text, where, &root, err) != SLU_OK ||
	    slu_json_type(root) != SLU_JSON_OBJECT) {
		slu_json_free(root);
		return slu_fail(err, SLU_E_DATA, "EXEC.OUTPUTS",
		    "%s holds no JSON object, so there are no outputs", where);
	}
	slu_buf_init(&key, OUTPUTS_MAX * 2);
	rc = SLU_OK;
	for (v = slu_json_first(root); v && rc == SLU_OK; v = slu_json_next(v)) {
		slu_buf_reset(&key);
		slu_json_print(v, &key);
		rc = host->output(t->c.run, slu_json_key(v), slu_buf_text(&key));
		if (rc != SLU_OK)
			(void)slu_fail_field(err, rc, "EXEC.OUTPUTS", slu_json_key(v),
			    "output \"%s\" was refused: all outputs of a step together have at "
			    "most 64 KiB",
			    slu_json_key(v));
	}
	slu_buf_done(&key);
	slu_json_free(root);
	return rc;
}

/* Keeps the last line that is not empty; everything goes on to the log as it comes. */
static void line_keep(struct task *t, const char *p, size_t n)
{
	size_t i;

	for (i = 0; i < n; i++) {
		if (p[i] == '\n') {
			t->line_ended = true;
			continue;
		}
		if (t->line_ended)
			slu_buf_reset(&t->line);
		t->line_ended = false;
		slu_buf_addc(&t->line, p[i]);
	}
}

static void log_copy(const char *p, size_t n)
{
	while (n) {
		ssize_t put = write(STDOUT_FILENO, p, n);

		if (put < 0 && errno != EINTR)
			return; /* nobody reads the log any more: the command's result still counts
				 */
		if (put > 0) {
			p += put;
			n -= (size_t)put;
		}
	}
}

static slu_rc run_captured(struct task *t, slu_err *err)
{
	char buf[16384];
	int fd[2];
	slu_rc rc;

	if (pipe2(fd, O_CLOEXEC) < 0)
		return slu_fail_errno(err, errno, "EXEC.PIPE", "cannot make a pipe");
	t->c.out_fd = fd[1];
	rc = command_spawn(&t->c, err);
	while (rc == SLU_OK) {
		ssize_t n = read(fd[0], buf, sizeof(buf));

		if (n == 0 || (n < 0 && errno != EINTR))
			break;
		if (n > 0) {
			log_copy(buf, (size_t)n);
			line_keep(t, buf, (size_t)n);
		}
	}
	(void)close(fd[0]);
	return rc == SLU_OK ? command_wait(&t->c, err) : rc;
}

static slu_rc task_run(void *st, slu_err *err)
{
	struct task *t = st;
	char *text = NULL;
	slu_rc rc;

	if (t->last_line) {
		rc = run_captured(t, err);
		if (rc != SLU_OK)
			return rc;
		if (t->line.failed)
			return slu_fail(
			    err, SLU_E_DATA, "EXEC.OUTPUTS", "the last line is longer than 64 KiB");
		return outputs_put(t, slu_buf_text(&t->line), "the last line of output", err);
	}
	rc = command_spawn(&t->c, err);
	if (rc == SLU_OK)
		rc = command_wait(&t->c, err);
	if (rc != SLU_OK || access(t->output, F_OK) < 0)
		return rc;
	rc = slu_file_read(t->output, OUTPUTS_MAX, &text, NULL, err);
	if (rc == SLU_OK)
		rc = outputs_put(t, text, "SLUICE_OUTPUT", err);
	slu_free(text);
	return rc;
}

static void task_cancel(void *st)
{
	struct task *t = st;

	command_cancel(&t->c);
}

void task_close(void *st)
{
	struct task *t = st;

	command_done(&t->c);
	slu_buf_done(&t->line);
	free(t);
}

static const slu_opt options[] = {EXEC_OPTIONS,
    {.name = "stdin",
	.type = SLU_T_STRING,
	.flags = SLU_F_TEMPLATED,
	.doc = "Text for standard input; without it there is none."},
    {.name = "outputs",
	.type = SLU_T_ENUM,
	.def = "file",
	.choices = "file|last_line",
	.doc = "Where the outputs come from: the file $SLUICE_OUTPUT, or the last line of standard "
	       "output."}};

const slu_task exec_task = {.size = sizeof(slu_task),
    .options = {sizeof(options) / sizeof(options[0]), sizeof(slu_opt), options},
    .open = task_open,
    .run = task_run,
    .cancel = task_cancel,
    .close = task_close};
