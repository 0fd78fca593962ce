/* Tasks, and through them the host's services: options, secrets, outputs, data sets, sessions,
 * rate, kept connections. */
#include "tests/unit/leak.h"
#include "tests/unit/worker_rig.h"

#include "core/base/clock.h"

#include <criterion/criterion.h>
#include <string.h>

#define TASK(options) "{'task':{'plugin':'probe','type':'probe','options':{" options "}}}"

Test(worker_task, getters_read_durations_sizes_paths_and_defaults)
{
	struct rig r;
	const struct json *o;

	rig_init(&r, TASK("'timeout':'90s','size':'1MiB','nested':{'list':[1,7]}"));
	rig_run(&r);
	cr_assert_str_eq(rig_class(&r), "ok", "%s", rig_message(&r));
	o = json_get(r.report, "outputs");
	cr_assert_eq(json_get_i64(o, "ms", 0), 90000);
	cr_assert_eq(json_get_i64(o, "bytes", 0), 1 << 20);
	cr_assert_eq(json_get_i64(o, "deep", 0), 7);
	cr_assert_eq(json_get_i64(o, "default", 0), 42);
	cr_assert_eq(json_get_i64(o, "none", 0), -SLU_E_NOT_FOUND);
	rig_done(&r);
	LEAK_CHECK();
}

Test(worker_task, templates_are_filled_in_and_their_errors_are_config)
{
	struct rig r;

	rig_init(&r, TASK("'size':'${params.x}'"));
	rig_set(&r, "env", "{'params':{'x':'2kB'},'run':{}}");
	rig_run(&r);
	cr_assert_eq(
	    json_get_i64(json_get(r.report, "outputs"), "bytes", 0), 2000, "%s", rig_message(&r));
	rig_set(&r, "step_plan", TASK("'size':'${1 + [2]}'"));
	rig_run(&r);
	cr_assert_str_eq(rig_class(&r), "config");
	cr_assert(strstr(rig_message(&r), "steps.s.task") != NULL, "%s", rig_message(&r));
	rig_done(&r);
	LEAK_CHECK();
}

Test(worker_task, secrets_reach_the_plugin_and_are_masked_on_their_way_out)
{
	struct rig r;
	const struct json *s;

	rig_init(&r, TASK("'password':{'file':'/run/pw'}"));
	rig_set(&r, "secrets", "{'file:/run/pw':'correct horse'}");
	rig_run(&r);
	s = json_path(r.report, "outputs.secret");
	cr_assert_eq(json_get_i64(s, "bytes", 0), 13, "%s", str_peek(&r.log));
	cr_assert_str_eq(json_get_str(s, "value", ""), "***");
	rig_set(&r, "step_plan", TASK("'password':'pii'"));
	rig_set(&r, "secrets", "{'name:pii':'another one'}");
	rig_run(&r);
	cr_assert_eq(json_i64(json_path(r.report, "outputs.secret.bytes"), 0), 11);
	rig_done(&r);
	LEAK_CHECK();
}

Test(worker_task, a_session_is_the_connections_and_stays_open_for_the_attempt)
{
	struct rig r;

	rig_init(&r, TASK("'do':'session'"));
	rig_run(&r);
	cr_assert_str_eq(rig_class(&r), "ok", "%s", rig_message(&r));
	cr_assert(rig_logged(&r, "conn open"));
	cr_assert(rig_logged(&r, "select 1"));
	rig_set(&r, "connections", "{'store':{'plugin':'probe','fault':'open'}}");
	rig_run(&r);
	cr_assert_str_eq(rig_class(&r), "auth", "%s", rig_message(&r));
	cr_assert_str_eq(rig_message(&r), "the connection refuses");
	rig_set(&r, "connections", "{}");
	rig_run(&r);
	cr_assert_str_eq(rig_class(&r), "config");
	cr_assert(strstr(rig_message(&r), "sluice.yaml") != NULL);
	rig_done(&r);
	LEAK_CHECK();
}

Test(worker_task, data_sets_must_be_declared_and_the_rest_is_published)
{
	struct rig r;
	const struct json *d;

	rig_init(&r, TASK("'do':'dataset'"));
	rig_run(&r);
	cr_assert_str_eq(rig_class(&r), "config");
	rig_set(&r, "step_plan",
	    "{'task':{'plugin':'probe','type':'probe','options':{'do':'dataset'}},"
	    "'publishes':[{'dataset':'store/x'},{'dataset':'store/y','partition':'${params.x}'}]}");
	rig_run(&r);
	cr_assert_str_eq(rig_class(&r), "ok", "%s", rig_message(&r));
	d = json_get(r.report, "datasets");
	cr_assert_eq(json_len(d), 2);
	cr_assert_eq(json_get_i64(json_at(d, 0), "complete_us", 0), 5);
	cr_assert_str_eq(json_get_str(json_at(d, 1), "name", ""), "store/y");
	cr_assert_str_eq(json_get_str(json_at(d, 1), "partition", ""), "hello");
	rig_done(&r);
	LEAK_CHECK();
}

Test(worker_task, rate_makes_the_second_call_wait)
{
	struct rig r;
	mono_us began;

	rig_init(&r, TASK("'do':'rate'"));
	rig_set(&r, "connections", "{'store':{'plugin':'probe','rate':'100/s'}}");
	rig_run(&r);
	cr_assert_str_eq(rig_class(&r), "ok");
	/* The bucket holds a second's worth, 100; 35 are gone. The next three calls need 105: 40
	 * too many, 0.4 s. */
	began = clock_mono();
	rig_run(&r);
	rig_run(&r);
	rig_run(&r);
	cr_assert_gt(clock_mono() - began, 200000);
	rig_done(&r);
	LEAK_CHECK();
}

/* One attempt each: submit, poll and cancel are jobs of their own. */
#define REMOTE(what) "{'task':{'plugin':'probe','type':'remote','options':{'do':'" what "'}}}"

static void elsewhere(struct rig *r, const char *phase, const char *step)
{
	rig_set(r, "phase", phase);
	rig_set(r, "step_plan", step);
	rig_run(r);
}

static bool goes_on(const struct rig *r, int64_t after_ms)
{
	const struct json *s = json_get(r->report, "submitted");

	return str_eq(rig_class(r), "ok") &&
	       str_starts(json_get_str(s, "handle", ""), "job-test/d/RUN/s/") &&
	       json_get_i64(s, "poll_after_ms", 0) == after_ms &&
	       json_get(r->report, "remote_ended") == NULL;
}

static bool ended(const struct rig *r, const char *class_)
{
	return str_eq(rig_class(r), class_) && json_get(r->report, "submitted") == NULL &&
	       json_get_bool(r->report, "remote_ended", false);
}

Test(worker_task, work_elsewhere_is_submitted_and_the_worker_is_free)
{
	struct rig r;

	rig_init(&r, REMOTE("runs"));
	rig_run(&r);
	cr_assert(goes_on(&r, 7), "%s", rig_message(&r));
	cr_assert(rig_logged(&r, "submitted: job-test/d/RUN/s//0/0"));
	rig_set(&r, "submission", "2");
	rig_run(&r);
	cr_assert_str_eq(
	    json_str(json_path(r.report, "submitted.handle"), ""), "job-test/d/RUN/s//0/2");
	elsewhere(&r, "'submit'", REMOTE("unreachable"));
	cr_assert_str_eq(rig_class(&r), "transient");
	cr_assert_null(json_get(r.report, "remote_ended"));
	elsewhere(&r, "'submit'", REMOTE("no-handle"));
	cr_assert_str_eq(rig_class(&r), "internal");
	rig_done(&r);
	LEAK_CHECK();
}

Test(worker_task, a_poll_tells_the_end_or_that_there_is_none)
{
	struct rig r;

	rig_init(&r, REMOTE("runs"));
	rig_set(&r, "handle", "'job-test/d/RUN/s/x'");
	elsewhere(&r, "'poll'", REMOTE("runs"));
	cr_assert(goes_on(&r, 9), "%s", rig_message(&r));
	cr_assert(rig_logged(&r, "job-test/d/RUN/s/x"));
	elsewhere(&r, "'poll'", REMOTE("done"));
	cr_assert(ended(&r, "ok"));
	elsewhere(&r, "'poll'", REMOTE("fails"));
	cr_assert(ended(&r, "data"));
	cr_assert_str_eq(rig_message(&r), "exit 3");
	elsewhere(&r, "'poll'", REMOTE("unreachable"));
	cr_assert_str_eq(rig_class(&r), "transient");
	cr_assert_null(json_get(r.report, "remote_ended"));
	rig_done(&r);
	LEAK_CHECK();
}

Test(worker_task, a_cancel_asks_and_looks_again)
{
	struct rig r;

	rig_init(&r, REMOTE("runs"));
	rig_set(&r, "handle", "'job-test/d/RUN/s/x'");
	elsewhere(&r, "'cancel'", REMOTE("runs"));
	cr_assert(goes_on(&r, 9), "%s", rig_message(&r));
	cr_assert(rig_logged(&r, "cancel_remote"));
	cr_assert(rig_logged(&r, "it could not be asked to end: not now"));
	elsewhere(&r, "'cancel'", REMOTE("done"));
	cr_assert(ended(&r, "ok"));
	elsewhere(&r, "'cancel'", REMOTE("fails"));
	cr_assert(ended(&r, "data"));
	elsewhere(&r, "'cancel'", REMOTE("gone"));
	cr_assert(ended(&r, "data"), "%s", rig_class(&r));
	elsewhere(&r, "'cancel'", REMOTE("unreachable"));
	cr_assert_str_eq(rig_class(&r), "transient");
	cr_assert_null(json_get(r.report, "remote_ended"));
	rig_done(&r);
	LEAK_CHECK();
}
