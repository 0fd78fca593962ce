/* task.c: submit, poll, cancel_remote. The job's name is a hash of the ledger key: whoever submits
 * looks for it first, and finds what an earlier try began. */
#include "plugins/slurm/slurm.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define BODY_MAX (8u << 20)
#define TAIL_BYTES 8192

struct task {
	struct cluster *cluster; /* borrowed */
	struct order order;
	int64_t poll_every_ms;
};

static void task_close(void *st)
{
	struct task *t = st;

	order_done(&t->order);
	free(t);
}

static slu_rc task_open(const slu_host *host, slu_run *run, void *conn, void **st, slu_err *err)
{
	struct task *t = calloc(1, sizeof(*t));
	slu_rc rc;

	if (t == NULL)
		return slu_fail(err, SLU_E_TRANSIENT, "SLURM.MEMORY", "out of memory");
	if (conn == NULL) {
		free(t);
		return slu_fail_field(err, SLU_E_CONFIG, "SLURM.CONNECTION", "connection",
		    "the task needs a connection of plugin slurm");
	}
	t->cluster = conn;
	rc = order_open(&t->order, host, run, err);
	if (rc != SLU_OK) {
		task_close(t);
		return rc;
	}
	if (host->get_i64(run, "poll_every", &t->poll_every_ms) != SLU_OK)
		t->poll_every_ms = 10000;
	*st = t;
	return SLU_OK;
}

static void task_cancel(void *st)
{
	struct task *t = st;

	slu_http_cancel(t->cluster->http);
}

/* ---- what a job object says ---- */

/* "RUNNING", or from v0.0.40 on ["RUNNING"]. */
static const char *state_of(const slu_json *job)
{
	const slu_json *s = slu_json_get(job, "job_state");

	return slu_json_str(slu_json_type(s) == SLU_JSON_ARRAY ? slu_json_first(s) : s, "");
}

/* A wait status, or from v0.0.39 on an object. */
static int exit_code(const slu_json *job)
{
	const slu_json *e = slu_json_get(job, "exit_code");
	const slu_json *code = slu_json_get(e, "return_code");

	if (slu_json_type(e) != SLU_JSON_OBJECT)
		return (int)(slu_json_i64(e, 0) >> 8 & 0xff);
	if (slu_json_type(code) == SLU_JSON_OBJECT)
		code = slu_json_get(code, "number");
	return (int)slu_json_i64(code, 0);
}

static const struct {
	const char *state;
	slu_rc rc;
} ends[] = {{"COMPLETED", SLU_OK}, {"CANCELLED", SLU_E_CANCELLED}, {"FAILED", SLU_E_TRANSIENT},
    {"TIMEOUT", SLU_E_TIMEOUT}, {"DEADLINE", SLU_E_TIMEOUT}, {"NODE_FAIL", SLU_E_TRANSIENT},
    {"BOOT_FAIL", SLU_E_TRANSIENT}, {"PREEMPTED", SLU_E_TRANSIENT},
    {"OUT_OF_MEMORY", SLU_E_CONFIG}};

static void log_tail(const struct task *t, const char *handle)
{
	const slu_host *host = t->order.host;
	char path[4200], buf[TAIL_BYTES], *line, *save;
	const char *mark = strstr(t->order.output, "%j");
	struct stat st;
	ssize_t n = 0;
	int fd;

	if (mark != NULL)
		(void)snprintf(path, sizeof(path), "%.*s%s%s", (int)(mark - t->order.output),
		    t->order.output, handle, mark + 2);
	else
		(void)snprintf(path, sizeof(path), "%s", t->order.output);
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	if (fd >= 0 && fstat(fd, &st) == 0 && S_ISREG(st.st_mode))
		n = pread(fd, buf, sizeof(buf) - 1,
		    st.st_size > TAIL_BYTES - 1 ? st.st_size - (TAIL_BYTES - 1) : 0);
	if (fd >= 0)
		close(fd);
	if (n <= 0)
		return;
	buf[n] = '\0';
	slu_logf(host, t->order.run, SLU_LOG_INFO, NULL, "the end of its output, %s:", path);
	for (line = strtok_r(buf, "\n", &save); line != NULL; line = strtok_r(NULL, "\n", &save))
		host->log(t->order.run, SLU_LOG_INFO, NULL, line, strlen(line));
}

static slu_rc ended(
    struct task *t, const slu_json *job, const char *handle, slu_rc rc, slu_err *err)
{
	const char *state = state_of(job), *reason = slu_json_get_str(job, "state_reason", "");
	int code = exit_code(job);

	slu_logf(t->order.host, t->order.run, SLU_LOG_INFO, NULL, "job %s: %s", handle, state);
	log_tail(t, handle);
	if (rc == SLU_OK)
		return SLU_OK;
	if (strcmp(state, "FAILED") == 0 && code != 0)
		rc = slu_rc_from_exit(code);
	(void)slu_fail(err, rc, "SLURM.JOB", "job %s of the cluster ended %s (%s), exit code %d",
	    handle, state, reason, code);
	return rc;
}

static slu_rc judge(
    struct task *t, const slu_json *job, const char *handle, slu_poll *p, slu_err *err)
{
	const char *state = state_of(job);

	for (size_t i = 0; i < sizeof(ends) / sizeof(ends[0]); i++) {
		if (strcmp(state, ends[i].state) != 0)
			continue;
		p->state = ended(t, job, handle, ends[i].rc, err) == SLU_OK ? SLU_POLL_DONE
									    : SLU_POLL_FAILED;
		return SLU_OK;
	}
	p->state = SLU_POLL_RUNNING;
	p->next_poll_ms = t->poll_every_ms;
	p->total = -1;
	return SLU_OK;
}

/* ---- submit ---- */

static const slu_json *find_named(struct task *t, const slu_json *jobs)
{
	const slu_json *j, *newest = NULL;

	for (j = slu_json_first(jobs); j != NULL; j = slu_json_next(j)) {
		if (strcmp(slu_json_get_str(j, "name", ""), t->order.name) != 0)
			continue;
		if (newest == NULL ||
		    slu_json_get_i64(j, "job_id", 0) > slu_json_get_i64(newest, "job_id", 0))
			newest = j;
	}
	return newest;
}

/* An earlier try may have begun it: also the first try, after a restored backup. */
static slu_rc adopt(struct task *t, char *handle, size_t cap, slu_poll *p, slu_err *err)
{
	const slu_json *job;
	slu_json *answer;
	slu_rc rc = cluster_ask(t->cluster, "GET", "jobs", NULL, &answer, err);

	if (rc != SLU_OK)
		return rc;
	job = find_named(t, slu_json_get(answer, "jobs"));
	if (job != NULL) {
		(void)snprintf(handle, cap, "%" PRId64, slu_json_get_i64(job, "job_id", 0));
		slu_logf(t->order.host, t->order.run, SLU_LOG_INFO, NULL,
		    "an earlier try has submitted it: job %s", handle);
		rc = judge(t, job, handle, p, err);
	}
	slu_json_free(answer);
	return rc;
}

static slu_rc task_submit(void *st, char *handle, size_t cap, slu_poll *p, slu_err *err)
{
	struct task *t = st;
	slu_json *answer = NULL;
	slu_buf body;
	slu_rc rc = adopt(t, handle, cap, p, err);

	if (rc != SLU_OK || handle[0] != '\0')
		return rc;
	slu_buf_init(&body, BODY_MAX);
	rc = order_write(&t->order, t->cluster, &body, err);
	if (rc == SLU_OK)
		rc = cluster_ask(t->cluster, "POST", "job/submit", &body, &answer, err);
	slu_buf_done(&body);
	if (rc != SLU_OK)
		return rc;
	(void)snprintf(handle, cap, "%" PRId64, slu_json_get_i64(answer, "job_id", 0));
	if (slu_json_get_i64(answer, "job_id", 0) <= 0)
		rc = slu_fail(err, SLU_E_INTERNAL, "SLURM.ANSWER",
		    "slurmrestd took the job and gave no number for it");
	slu_json_free(answer);
	p->state = SLU_POLL_RUNNING;
	p->next_poll_ms = 1000; /* short jobs are seen soon */
	return rc;
}

/* ---- poll and cancel ---- */

static slu_rc forgotten(const char *handle, slu_poll *p, slu_err *err)
{
	p->state = SLU_POLL_FAILED;
	(void)slu_fail(err, SLU_E_NOT_FOUND, "SLURM.FORGOTTEN",
	    "the cluster does not know job %s any more, and its end was not seen: Slurm forgets "
	    "ended "
	    "jobs after MinJobAge (300 s); look for it by sacct",
	    handle);
	return SLU_OK;
}

static slu_rc task_poll(void *st, const char *handle, slu_poll *p, slu_err *err)
{
	struct task *t = st;
	const slu_json *job;
	slu_json *answer;
	char path[64];
	slu_rc rc;

	(void)snprintf(path, sizeof(path), "job/%.40s", handle);
	rc = cluster_ask(t->cluster, "GET", path, NULL, &answer, err);
	if (rc == SLU_E_NOT_FOUND)
		return forgotten(handle, p, err);
	if (rc != SLU_OK)
		return rc;
	job = slu_json_first(slu_json_get(answer, "jobs"));
	/* numbers begin again on a cluster that was set up anew */
	if (job == NULL || strcmp(slu_json_get_str(job, "name", ""), t->order.name) != 0)
		rc = forgotten(handle, p, err);
	else
		rc = judge(t, job, handle, p, err);
	slu_json_free(answer);
	return rc;
}

static slu_rc task_cancel_remote(void *st, const char *handle, slu_err *err)
{
	struct task *t = st;
	slu_json *answer;
	char path[64];
	slu_rc rc;

	(void)snprintf(path, sizeof(path), "job/%.40s", handle);
	rc = cluster_ask(t->cluster, "DELETE", path, NULL, &answer, err);
	slu_json_free(answer);
	return rc == SLU_E_NOT_FOUND ? SLU_OK : rc; /* the poll behind it tells */
}

static const slu_opt options[] = {
    {.name = "script",
	.type = SLU_T_STRING,
	.flags = SLU_F_TEMPLATED,
	.excludes = "command",
	.doc = "The batch script; without #! in front it is one for /bin/sh."},
    {.name = "command",
	.type = SLU_T_LIST,
	.flags = SLU_F_TEMPLATED,
	.doc = "A program and its arguments, instead of a script."},
    {.name = "partition",
	.type = SLU_T_STRING,
	.flags = SLU_F_TEMPLATED,
	.doc = "Where it is to run; the cluster's default if absent."},
    {.name = "account",
	.type = SLU_T_STRING,
	.flags = SLU_F_TEMPLATED,
	.doc = "Whom it is charged to; the user's default if absent."},
    {.name = "cpus", .type = SLU_T_INT, .min = "1", .doc = "Processors."},
    {.name = "memory", .type = SLU_T_BYTES, .doc = "Memory of its node, in whole MiB."},
    {.name = "time_limit",
	.type = SLU_T_DURATION,
	.doc = "How long Slurm lets it run, in whole minutes."},
    {.name = "env",
	.type = SLU_T_MAP,
	.flags = SLU_F_TEMPLATED,
	.doc = "Variables besides PATH and SLUICE_*."},
    {.name = "cwd",
	.type = SLU_T_STRING,
	.flags = SLU_F_TEMPLATED,
	.def = "/tmp",
	.doc = "Working folder on the cluster's nodes."},
    {.name = "output",
	.type = SLU_T_STRING,
	.flags = SLU_F_TEMPLATED,
	.doc = "File for its output, below `cwd`, %j for its number; NAME.out if absent. The end "
	       "of it "
	       "goes to the step's log where this machine can read it."},
    {.name = "poll_every",
	.type = SLU_T_DURATION,
	.def = "10s",
	.min = "1s",
	.max = "2m",
	.doc = "How often the job is asked for; less than half of the cluster's MinJobAge."}};

const slu_task slurm_task = {.size = sizeof(slu_task),
    .options = {sizeof(options) / sizeof(options[0]), sizeof(slu_opt), options},
    .open = task_open,
    .submit = task_submit,
    .poll = task_poll,
    .cancel_remote = task_cancel_remote,
    .cancel = task_cancel,
    .close = task_close};
