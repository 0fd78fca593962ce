/* The work order of an attempt, from a store that the real scheduler has filled. */
#include "core/daemon/job.h"

#include "core/base/mem.h"
#include "core/pool/frame.h"
#include "core/store/store.h"
#include "leak.h"

#include <criterion/criterion.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define RETRY                                                                                      \
	"\"retry\":{\"attempts\":1,\"delay_ms\":30000,\"backoff\":2,\"jitter\":0.2,"               \
	"\"max_delay_ms\":600000,\"classes\":[\"transient\"]}"
#define REST                                                                                       \
	RETRY ",\"timeout_ms\":90000,\"grace_ms\":5000,\"priority\":0,\"allow_failure\":false,"    \
	      "\"on_lost\":\"retry\",\"isolate\":\"kept\",\"privileges\":\"drop\","                \
	      "\"exclusive\":false,\"connections\":[\"shop\"],\"plugins\":[\"noop\"],"             \
	      "\"needs_mask\":3,"                                                                  \
	      "\"when\":\"all_success\""
static const char plan_text[] =
    "{\"v\":1,\"dag\":\"shop\",\"description\":\"\",\"owner\":\"\",\"timezone\":\"Asia/Tokyo\","
    "\"params\":[{\"name\":\"p\",\"type\":\"string\",\"required\":false,\"default\":\"none\"}],"
    "\"triggers\":[],\"max_runs\":1,\"overlap\":\"queue\",\"run_timeout_ms\":-1,"
    "\"queue_timeout_ms\":-1,\"late_after_ms\":-1,\"priority\":0,\"on_success\":[],"
    "\"on_failure\":[],\"on_exit\":[],\"datasets\":{},\"promise\":\"none\",\"steps\":["
    "{\"name\":\"first\",\"kind\":\"task\",\"needs\":[]," REST
    ",\"task\":{\"plugin\":\"noop\",\"type\":\"noop\",\"options\":{\"key\":\"pii\"}}},"
    "{\"name\":\"second\",\"kind\":\"task\",\"needs\":[{\"step\":0}]," REST
    ",\"task\":{\"plugin\":\"noop\",\"type\":\"noop\",\"options\":{\"x\":\"${steps.first.outputs.n}"
    "\"}}}]}";

struct bench {
	char dir[64], secret[96];
	struct store *store;
	struct writer *w;
	struct conf *conf;
	struct store_read *read;
	struct secret_cache *secrets;
	struct job_builder *jobs;
	struct effect job;
	bool have_job;
	int answers;
};

static void on_effects(void *arg, const struct effect *v, size_t n)
{
	struct bench *b = arg;

	for (size_t i = 0; i < n; i++) {
		if (v[i].kind != EFFECT_JOB)
			continue;
		b->job = v[i];
		b->have_job = true;
	}
}

static void on_done(void *arg, const struct op_result *r)
{
	struct bench *b = arg;

	cr_assert_eq(r->rc, 0, "%s", r->err.text);
	b->answers++;
}

static void apply(struct bench *b, struct writer_op *op)
{
	struct pollfd p = {.fd = writer_fd(b->w), .events = POLLIN};
	int before = b->answers;

	op->done = on_done;
	op->arg = b;
	cr_assert_eq(writer_submit(b->w, op), 0);
	while (b->answers == before) {
		cr_assert_gt(poll(&p, 1, 5000), 0);
		writer_deliver(b->w);
	}
}

static void secret_write(struct bench *b, const char *text)
{
	int fd = open(b->secret, O_CREAT | O_TRUNC | O_WRONLY | O_CLOEXEC, 0600);

	cr_assert_eq(write(fd, text, strlen(text)), (ssize_t)strlen(text));
	close(fd);
}

static struct conf *conf_make(struct bench *b)
{
	struct conf *conf = NULL;
	struct err err = {0};
	struct str text;

	str_init(&text, 8192);
	str_addf(&text,
	    "{\"v\":1,\"file\":\"/etc/x/sluice.yaml\",\"deployment\":\"prod\",\"state\":\"%s\","
	    "\"dags\":\"/none\",\"plugins\":[\"/plugs\"],\"workers\":3,\"http\":{},"
	    "\"connections\":{\"shop\":{\"plugin\":\"pg\",\"password\":{\"file\":\"%s\"}},"
	    "\"other\":{\"plugin\":\"pg\",\"password\":{\"file\":\"/not/there\"}}},"
	    "\"hooks\":{},\"secrets\":{\"pii\":{\"file\":\"%s\"}},\"pools\":{}}",
	    b->dir, b->secret, b->secret);
	cr_assert_eq(conf_parse(str_peek(&text), text.len, &conf, &err), 0, "%s", err.text);
	str_done(&text);
	return conf;
}

static void bench_make(struct bench *b)
{
	static struct op_file file;
	struct writer_options o = {.now = clock_wall, .on_effects = on_effects};
	struct store_options so = {.create = true, .now = 1};
	struct writer_op *op;
	struct err err = {0};

	memset(b, 0, sizeof(*b));
	memcpy(b->dir, "/tmp/sluice-job-XXXXXX", 23);
	cr_assert(mkdtemp(b->dir));
	snprintf(b->secret, sizeof(b->secret), "%s/secret", b->dir);
	secret_write(b, "s3cret-value\n");
	so.dir = b->dir;
	cr_assert_eq(store_open(&so, &b->store, &err), 0, "%s", err.text);
	b->conf = conf_make(b);
	o.store = b->store;
	o.conf = b->conf;
	o.arg = b;
	cr_assert_eq(writer_new(&o, &b->w, &err), 0, "%s", err.text);
	cr_assert_eq(store_read_new(b->store, &b->read, &err), 0);
	b->secrets = secret_cache_new();
	b->jobs = job_builder_new(b->secrets);
	job_builder_conf(b->jobs, b->conf);
	op = writer_op_new(OP_PLANS);
	file = (struct op_file){.path = "shop.yaml",
	    .report = "{}",
	    .plan = plan_text,
	    .plan_n = sizeof(plan_text) - 1};
	file.rec.ok = true;
	str_copy(file.rec.dag, sizeof(file.rec.dag), "shop");
	op->op.u.plans.files = &file;
	op->op.u.plans.n_files = 1;
	apply(b, op);
	op = writer_op_new(OP_POOL_UP);
	op->op.u.pool_up.instance = 77;
	op->op.u.pool_up.gen = 1;
	apply(b, op);
	op = writer_op_new(OP_START);
	op->op.u.start.dag = "shop";
	op->op.u.start.at = TIME_NONE;
	op->op.u.start.actor = "test";
	apply(b, op);
	cr_assert(b->have_job);
}

static void bench_remove(struct bench *b)
{
	static const char *const names[] = {"data.mdb", "lock.mdb", "sluice.lock", "secret"};
	char path[128];

	writer_free(b->w);
	store_read_free(b->read);
	store_close(b->store);
	job_builder_free(b->jobs);
	secret_cache_free(b->secrets);
	conf_free(b->conf);
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		snprintf(path, sizeof(path), "%s/%s", b->dir, names[i]);
		unlink(path);
	}
	rmdir(b->dir);
}

static void build(struct bench *b, struct json **ret_note, struct json **ret_job)
{
	const char *note, *job;
	size_t note_n, job_n;
	struct err err = {0};
	struct str out;

	str_init(&out, FRAME_PAYLOAD_MAX);
	cr_assert_eq(
	    job_build(b->jobs, store_read_begin(b->read), &b->job, &out, &err), 0, "%s", err.text);
	store_read_end(b->read);
	cr_assert_eq(frame_job_split(out.s, out.len, &note, &note_n, &job, &job_n, &err), 0);
	cr_assert_eq(json_parse(note, note_n, note_n, ret_note, &err), 0, "%s", err.text);
	cr_assert_eq(json_parse(job, job_n, job_n, ret_job, &err), 0, "%s", err.text);
	str_done(&out);
}

static void outcome_ok(struct bench *b, const char *report)
{
	struct writer_op *op = writer_op_new(OP_OUTCOME);

	op->op.u.outcome.step = b->job.step;
	op->op.u.outcome.token = b->job.token;
	op->op.u.outcome.instance = b->job.instance;
	op->op.u.outcome.report = report;
	op->op.u.outcome.report_n = strlen(report);
	b->have_job = false;
	apply(b, op);
}

Test(daemon_job, holds_what_the_worker_and_the_pool_must_know)
{
	struct bench b;
	struct json *note, *job;
	char ref[128], want[128];

	bench_make(&b);
	build(&b, &note, &job);
	cr_assert_str_eq(json_get_str(job, "deployment", ""), "prod");
	cr_assert_str_eq(json_get_str(job, "dag", ""), "shop");
	cr_assert_str_eq(json_get_str(job, "step", ""), "first");
	cr_assert(json_is(json_get(job, "item"), JSON_NULL));
	cr_assert_eq(json_get_i64(job, "attempt", 0), 1);
	cr_assert_eq((uint64_t)json_get_i64(job, "token", 0), b.job.token);
	cr_assert_eq(json_get_i64(job, "deadline_ms", 0), 90000);
	cr_assert_str_eq(json_str(json_path(job, "env.params.p"), ""), "none");
	cr_assert_str_eq(json_str(json_path(job, "env.run.dag"), ""), "shop");
	cr_assert_str_eq(json_str(json_path(job, "step_plan.task.plugin"), ""), "noop");
	cr_assert_str_eq(json_str(json_path(job, "connections.shop.plugin"), ""), "pg");
	cr_assert_null(
	    json_path(job, "connections.other"), "a connection that the step does not name");
	snprintf(want, sizeof(want), "prod/shop/%s/first//0", json_get_str(job, "run", ""));
	cr_assert_str_eq(json_get_str(job, "ledger_key", ""), want);
	snprintf(ref, sizeof(ref), "file:%s", b.secret);
	cr_assert_str_eq(json_get_str(json_get(job, "secrets"), ref, ""), "s3cret-value");
	cr_assert_str_eq(json_get_str(json_get(job, "secrets"), "name:pii", ""), "s3cret-value");
	cr_assert_str_eq(json_str(json_first(json_get(note, "masks")), ""), "s3cret-value");
	cr_assert_str_eq(json_get_str(note, "slug", ""), "shop/first#1");
	snprintf(want, sizeof(want), "shop/%s/first.1.log", json_get_str(job, "run", ""));
	cr_assert_str_eq(json_get_str(note, "log", ""), want);
	cr_assert_eq(json_get_i64(note, "workers", 0), 3);
	cr_assert_eq(json_get_i64(note, "needs", 0), 3);
	json_free(note);
	json_free(job);
	bench_remove(&b);
	LEAK_CHECK();
}

Test(daemon_job, carries_outputs_of_steps_before_it)
{
	struct bench b;
	struct json *note, *job;

	bench_make(&b);
	outcome_ok(&b, "{\"class\":\"ok\",\"outputs\":{\"n\":42}}");
	cr_assert(b.have_job, "the second step was not dispatched");
	build(&b, &note, &job);
	cr_assert_str_eq(json_get_str(job, "step", ""), "second");
	cr_assert_eq(json_i64(json_path(job, "env.steps.first.outputs.n"), 0), 42);
	json_free(note);
	json_free(job);
	bench_remove(&b);
	LEAK_CHECK();
}

Test(daemon_job, a_rotated_secret_changes_value_and_worker)
{
	struct bench b;
	struct json *note, *job, *note2, *job2;

	bench_make(&b);
	build(&b, &note, &job);
	secret_write(&b, "another-value-now");
	build(&b, &note2, &job2);
	cr_assert_str_eq(
	    json_get_str(json_get(job2, "secrets"), "name:pii", ""), "another-value-now");
	cr_assert_str_neq(json_get_str(note, "key", ""), json_get_str(note2, "key", ""));
	json_free(note);
	json_free(job);
	json_free(note2);
	json_free(job2);
	bench_remove(&b);
	LEAK_CHECK();
}

Test(daemon_job, an_attempt_that_is_over_and_a_short_secret_are_told_apart)
{
	struct bench b;
	struct err err = {0};
	struct str out;

	bench_make(&b);
	str_init(&out, FRAME_PAYLOAD_MAX);
	b.job.token++;
	cr_assert_eq(
	    job_build(b.jobs, store_read_begin(b.read), &b.job, &out, &err), ERR_NOT_FOUND);
	b.job.token--;
	secret_write(&b, "12345");
	cr_assert_eq(job_build(b.jobs, store_read_begin(b.read), &b.job, &out, &err), ERR_CONFIG);
	cr_assert(strstr(err.text, "fewer than 6"), "%s", err.text);
	unlink(b.secret);
	cr_assert_eq(job_build(b.jobs, store_read_begin(b.read), &b.job, &out, &err), ERR_CONFIG);
	cr_assert(strstr(err.text, b.secret), "%s", err.text);
	store_read_end(b.read);
	str_done(&out);
	bench_remove(&b);
	LEAK_CHECK();
}
