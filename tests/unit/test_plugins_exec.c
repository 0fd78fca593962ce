/* The exec plugin: exit codes as classes, outputs, rows in and out, cancel. */
#include "tests/unit/leak.h"
#include "tests/unit/plug_host.h"

#include "core/base/mem.h"

#include <criterion/criterion.h>
#include <pthread.h>
#include <string.h>
#include <unistd.h>

static slu_rc run_task(struct plug *p, const char *options, slu_err *err)
{
	const slu_task *t = plug_kind("exec", "exec")->task;
	struct slu_run *run = plug_run(p, &t->options, options);
	void *st = NULL;
	slu_rc rc;

	*err = (slu_err){.size = sizeof(*err)};
	rc = t->open(&plug_host, run, NULL, &st, err);
	if (rc == SLU_OK)
		rc = t->run(st, err);
	if (st)
		t->close(st);
	plug_run_free(run);
	return rc;
}

Test(plugins_exec, maps_exit_codes_to_classes)
{
	static const struct {
		const char *options;
		slu_rc rc;
	} table[] = {{"{\"shell\":\"exit 0\"}", SLU_OK},
	    {"{\"shell\":\"exit 1\"}", SLU_E_TRANSIENT}, {"{\"shell\":\"exit 64\"}", SLU_E_CONFIG},
	    {"{\"shell\":\"exit 78\"}", SLU_E_CONFIG}, {"{\"shell\":\"exit 65\"}", SLU_E_DATA},
	    {"{\"shell\":\"exit 77\"}", SLU_E_AUTH},
	    {"{\"shell\":\"exit 3\",\"exit\":{\"3\":\"data\"}}", SLU_E_DATA},
	    {"{\"shell\":\"exit 3\",\"exit\":{\"3\":\"ok\"}}", SLU_OK},
	    {"{\"shell\":\"exit 3\",\"exit\":{\"3\":\"nonsense\"}}", SLU_E_CONFIG},
	    {"{\"shell\":\"kill -9 $$\"}", SLU_E_INTERNAL},
	    {"{\"command\":[\"no-such-command-here\"]}", SLU_E_CONFIG},
	    {"{\"command\":[\"true\"],\"shell\":\"true\"}", SLU_E_CONFIG}, {"{}", SLU_E_CONFIG},
	    {"{\"command\":[]}", SLU_E_CONFIG}};
	slu_err err;
	struct plug p;
	size_t i;

	plug_init(&p);
	for (i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		slu_rc rc = run_task(&p, table[i].options, &err);

		cr_expect_eq(rc, table[i].rc, "%s: %d %s", table[i].options, rc, err.message);
		cr_expect(rc == SLU_OK || err.message[0], "%s", table[i].options);
	}
	plug_done(&p);
	LEAK_CHECK();
}

Test(plugins_exec, gives_the_attempt_in_the_environment)
{
	slu_err err;
	struct plug p;
	char *text;

	plug_init(&p);
	p.at.window_from_us = INT64_C(1795219200123456);
	cr_assert_eq(run_task(&p,
			 "{\"shell\":\"echo \\\"$SLUICE_RUN $SLUICE_DAG $SLUICE_STEP "
			 "[$SLUICE_ITEM] $SLUICE_ATTEMPT $SLUICE_KEY "
			 "$SLUICE_LEDGER_KEY $SLUICE_WINDOW_START [$SLUICE_WINDOW_END] $A\\\" > "
			 "out\",\"env\":{\"A\":\"b c\"}}",
			 &err),
	    SLU_OK, "%s", err.message);
	text = plug_read(plug_path(&p, "out"));
	cr_assert_str_eq(text,
	    "00000000000000000000000001 shop load [] 1 2026-11-21 test/shop/1/load//0 "
	    "2026-11-21T00:00:00.123Z [] b c\n");
	mem_free(text);
	plug_done(&p);
	LEAK_CHECK();
}

Test(plugins_exec, takes_outputs_from_file_and_last_line)
{
	slu_err err;
	struct plug p;

	plug_init(&p);
	cr_assert_eq(run_task(&p,
			 "{\"shell\":\"echo '{\\\"rows\\\": 3, \\\"name\\\": \\\"x\\\"}' > "
			 "$SLUICE_OUTPUT\"}",
			 &err),
	    SLU_OK, "%s", err.message);
	cr_assert_str_eq(str_peek(&p.outputs), "rows=3\nname=\"x\"\n");
	str_reset(&p.outputs);
	unlink(plug_path(&p, "output.json"));
	cr_assert_eq(
	    run_task(&p,
		"{\"command\":[\"printf\",\"log\\n{\\\"a\\\":[1]}\\n\"],\"outputs\":\"last_line\"}",
		&err),
	    SLU_OK, "%s", err.message);
	cr_assert_str_eq(str_peek(&p.outputs), "a=[1]\n");
	cr_assert_eq(run_task(&p, "{\"shell\":\"echo no json\",\"outputs\":\"last_line\"}", &err),
	    SLU_E_DATA);
	plug_done(&p);
	LEAK_CHECK();
}

Test(plugins_exec, feeds_standard_input_from_memory)
{
	slu_err err;
	struct plug p;

	plug_init(&p);
	cr_assert_eq(
	    run_task(&p,
		"{\"command\":[\"cat\"],\"stdin\":\"{\\\"a\\\":1}\",\"outputs\":\"last_line\"}",
		&err),
	    SLU_OK, "%s", err.message);
	cr_assert_str_eq(str_peek(&p.outputs), "a=1\n");
	plug_done(&p);
	LEAK_CHECK();
}

static void *cancel_soon(void *arg)
{
	(void)usleep(50000);
	plug_kind("exec", "exec")->task->cancel(arg);
	return NULL;
}

Test(plugins_exec, cancel_ends_the_whole_group, .timeout = 20)
{
	const slu_task *t = plug_kind("exec", "exec")->task;
	slu_err err = {.size = sizeof(err)};
	struct slu_run *run;
	struct plug p;
	pthread_t th;
	void *st;

	plug_init(&p);
	run = plug_run(&p, &t->options, "{\"shell\":\"sleep 60 & sleep 60\"}");
	cr_assert_eq(t->open(&plug_host, run, NULL, &st, &err), SLU_OK);
	cr_assert_eq(pthread_create(&th, NULL, cancel_soon, st), 0);
	cr_assert_eq(t->run(st, &err), SLU_E_CANCELLED);
	(void)pthread_join(th, NULL);
	t->close(st);
	plug_run_free(run);
	plug_done(&p);
	LEAK_CHECK();
}

Test(plugins_exec, reads_rows_from_a_command)
{
	const slu_kind *kind = plug_kind("exec", "exec");
	slu_err err = {.size = sizeof(err)};
	struct plug p;
	struct str rows;

	plug_init(&p);
	str_init(&rows, 1 << 20);
	cr_assert_eq(plug_extract(&p, kind, NULL,
			 "{\"shell\":\"printf "
			 "'a,b\\\\n1,x\\\\n'\",\"columns\":{\"a\":\"int64\",\"b\":\"text\"}}",
			 &rows, NULL, &err),
	    SLU_OK, "%s", err.message);
	cr_assert_str_eq(str_peek(&rows), "{\"a\":1,\"b\":\"x\"}\n");
	str_reset(&rows);
	cr_assert_eq(plug_extract(&p, kind, NULL,
			 "{\"command\":[\"printf\",\"{\\\"a\\\":1}\\n\"],\"format\":\"ndjson\"}",
			 &rows, NULL, &err),
	    SLU_OK, "%s", err.message);
	cr_assert_str_eq(str_peek(&rows), "{\"a\":\"1\"}\n");
	/* rows before a failure do not make a success */
	cr_assert_eq(plug_extract(&p, kind, NULL, "{\"shell\":\"printf 'a\\\\n1\\\\n'; exit 77\"}",
			 &rows, NULL, &err),
	    SLU_E_AUTH);
	cr_assert_not(p.ended);
	cr_assert_eq(plug_extract(&p, kind, NULL, "{\"shell\":\"exit 65\"}", &rows, NULL, &err),
	    SLU_E_DATA, "%s", err.message);
	str_done(&rows);
	plug_done(&p);
	LEAK_CHECK();
}

Test(plugins_exec, writes_rows_to_a_command)
{
	struct plug_load l = {.kind = plug_kind("exec", "exec"),
	    .options = "{\"shell\":\"cat > out; echo $SLUICE_TABLE >> out\"}"};
	slu_err err = {.size = sizeof(err)};
	struct ArrowArrayStream in = {0};
	struct plug p;
	char *text;

	plug_init(&p);
	plug_work(&p, &l, SLU_M_APPEND, "t1");
	cr_assert_eq(plug_source(&p, "{\"a\":\"int64\",\"b\":\"text\"}",
			 "{\"a\":1,\"b\":\"\"}\n{\"a\":2,\"b\":null}\n", &in, &err),
	    SLU_OK);
	cr_assert_eq(plug_load(&p, &l, &in, &err), SLU_OK, "%s", err.message);
	text = plug_read(plug_path(&p, "out"));
	cr_assert_str_eq(text, "a,b\n1,\"\"\n2,\nt1\n");
	cr_assert_eq(l.report.written, 2);
	mem_free(text);
	l.options = "{\"shell\":\"exit 65\"}";
	cr_assert_eq(plug_source(&p, "{\"a\":\"int64\"}", "{\"a\":1}\n", &in, &err), SLU_OK);
	cr_assert_eq(plug_load(&p, &l, &in, &err), SLU_E_DATA);
	plug_done(&p);
	LEAK_CHECK();
}

Test(plugins_exec, example_gives_exact_powers)
{
	const slu_kind *kind = plug_kind("example", "example");
	slu_err err = {.size = sizeof(err)};
	struct plug p;
	struct str rows;

	plug_init(&p);
	str_init(&rows, 1 << 20);
	cr_assert_eq(plug_extract(&p, kind, NULL, "{\"base\":10,\"rows\":38}", &rows, NULL, &err),
	    SLU_OK, "%s", err.message);
	cr_assert(strstr(str_peek(&rows),
	    "{\"n\":38,\"value\":10000000000000000000000000000000000000,\"note\":null}"));
	cr_assert_eq(p.end.rows, 38);
	str_done(&rows);
	plug_done(&p);
	LEAK_CHECK();
}
