/* worker_rig.c: see worker_rig.h. */
#include "tests/unit/worker_rig.h"

#include "core/base/clock.h"
#include "core/base/io.h"
#include "core/base/mem.h"
#include "core/worker/conn.h"
#include "core/worker/job.h"
#include "core/worker/lane.h"
#include "core/worker/step.h"

#include <fcntl.h>
#include <ftw.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

struct json *rig_json(const char *text)
{
	char *copy = mem_strdup(text), *p;
	struct json *j = NULL;
	struct err err;

	for (p = copy; *p != '\0'; p++)
		if (*p == '\'')
			*p = '"';
	if (json_parse(copy, strlen(copy), 1u << 20, &j, &err) != 0) {
		fprintf(stderr, "rig: %s in %s\n", err.text, copy);
		abort();
	}
	mem_free(copy);
	return j;
}

void rig_set(struct rig *r, const char *key, const char *json)
{
	json_put(r->job, key, rig_json(json));
}

static void put_path(struct rig *r, const char *key, const char *name)
{
	char *path = io_path_join(r->dir, name);

	json_put(r->job, key, json_new_str(path));
	mem_free(path);
}

void rig_init(struct rig *r, const char *step)
{
	const char *build = getenv("SLUICE_BUILD_DIR");
	struct json *dirs = json_new_array(), *connections;
	char text[600];

	memset(r, 0, sizeof(*r));
	r->cancel_after_ms = -1;
	str_init(&r->log, 4u << 20);
	snprintf(r->dir, sizeof(r->dir), "/tmp/sluice-worker-XXXXXX");
	if (mkdtemp(r->dir) == NULL)
		abort();
	r->job = rig_json(
	    "{'v':1,'kind':'attempt','deployment':'test','dag':'d','run':'RUN','step':'s','item':"
	    "null,'attempt':1,"
	    "'generation':0,'token':'7','key':'k','logical_us':0,'deadline_ms':-1,'ledger_key':'"
	    "test/d/RUN/s//0',"
	    "'fence_key':'test/RUN/s/','zone':'UTC',"
	    "'env':{'params':{'x':'hello'},'run':{'id':'RUN'}},'datasets':{},'secrets':{}}");
	rig_set(r, "step_plan", step);
	put_path(r, "state_dir", "state");
	put_path(r, "scratch_dir", "state/scratch/a");
	put_path(r, "reject_file", "state/rejects/r.ndjson");
	snprintf(text, sizeof(text),
	    "{'store':{'plugin':'probe','type':'probe','path':'%s','rate':'1000/s'}}", r->dir);
	connections = rig_json(text);
	json_put(r->job, "connections", connections);
	snprintf(text, sizeof(text), "%s/tests/unit/.libs", build != NULL ? build : ".");
	json_push(dirs, json_new_str(text));
	json_put(r->job, "plugin_dirs", dirs);
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void)st;
	(void)type;
	(void)ftw;
	return remove(path);
}

void rig_done(struct rig *r)
{
	(void)nftw(r->dir, remove_one, 16, FTW_DEPTH | FTW_PHYS);
	json_free(r->job);
	json_free(r->report);
	str_done(&r->log);
}

/* ---- running ---- */

struct running {
	struct attempt *at;
	struct lane *reader;
};

static void run_step(void *arg)
{
	struct running *x = arg;

	step_run(x->at, x->reader);
}

static void run_lanes(struct rig *r, struct running *x)
{
	struct lane *main_lane = lane_new("main");
	mono_us begin = 0;

	x->reader = lane_new("extract");
	lane_start(main_lane, run_step, x);
	if (r->cancel_after_ms >= 0) {
		usleep((unsigned)r->cancel_after_ms * 1000);
		begin = clock_mono();
		attempt_cancel(x->at);
	}
	lane_wait(main_lane);
	r->cancel_took_us = clock_mono() - begin;
	lane_start(main_lane, conn_end_lane, NULL);
	lane_start(x->reader, conn_end_lane, NULL);
	lane_free(main_lane);
	lane_free(x->reader);
}

/* The report as text on fd. */
static void run_job(struct rig *r, int fd)
{
	struct running x = {0};
	struct job *job;
	struct str out;
	struct err err;

	if (job_new(json_dup(r->job), &job, &err) != 0) {
		fprintf(stderr, "rig: %s\n", err.text);
		abort();
	}
	x.at = attempt_new(job, -1);
	run_lanes(r, &x);
	str_init(&out, 1u << 20);
	attempt_report(x.at, &out);
	if (io_write_all(fd, str_peek(&out), out.len, NULL) != 0)
		abort();
	str_done(&out);
	attempt_free(x.at);
	job_free(job);
}

static int temp_fd(void)
{
	char name[] = "/tmp/sluice-rig-XXXXXX";
	int fd = mkostemp(name, O_CLOEXEC);

	if (fd < 0 || unlink(name) != 0)
		abort();
	return fd;
}

static void read_back(int fd, struct str *out)
{
	char buf[65536];
	ssize_t n;

	str_reset(out);
	lseek(fd, 0, SEEK_SET);
	while ((n = read(fd, buf, sizeof(buf))) > 0)
		str_addn(out, buf, (size_t)n);
	close(fd);
}

static void take(struct rig *r, int report, int log)
{
	struct str text;
	struct err err;

	read_back(log, &r->log);
	str_init(&text, 1u << 20);
	read_back(report, &text);
	json_free(r->report);
	r->report = NULL;
	if (text.len > 0 && json_parse(text.s, text.len, 1u << 20, &r->report, &err) != 0)
		abort();
	str_done(&text);
}

void rig_run(struct rig *r)
{
	int report = temp_fd(), log = temp_fd(), saved = fcntl(2, F_DUPFD_CLOEXEC, 10);

	dup2(log, 2);
	run_job(r, report);
	dup2(saved, 2);
	close(saved);
	take(r, report, log);
}

void rig_run_child(struct rig *r)
{
	int report = temp_fd(), log = temp_fd(), status = 0;
	pid_t pid = fork();

	if (pid == 0) {
		dup2(log, 2);
		run_job(r, report);
		_exit(0);
	}
	waitpid(pid, &status, 0);
	r->killed_by = WIFSIGNALED(status) ? WTERMSIG(status) : 0;
	take(r, report, log);
}

const char *rig_class(const struct rig *r)
{
	return json_get_str(r->report, "class", "(no report)");
}

const char *rig_message(const struct rig *r)
{
	return json_get_str(r->report, "message", "");
}

bool rig_logged(const struct rig *r, const char *text)
{
	return strstr(str_peek(&r->log), text) != NULL;
}

char *rig_file(const struct rig *r, const char *name)
{
	char *path = io_path_join(r->dir, name), *out = NULL;
	struct str text;

	str_init(&text, 1u << 20);
	if (io_read_file(path, 1u << 20, &text, NULL) == 0)
		out = text.s != NULL ? str_take(&text) : mem_strdup("");
	str_done(&text);
	mem_free(path);
	return out;
}
