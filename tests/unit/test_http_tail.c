/* Logs over HTTP: tail.c, route_logs.c, and the stream's event `log`. */
#include "tests/unit/http_rig.h"
#include "tests/unit/leak.h"

#include "core/base/io.h"
#include "core/pool/logfile.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static char dir[] = "/tmp/sluice-test.XXXXXX";
static char id[HASH_ID_TEXT];

static void begin(struct rig *r)
{
	uint8_t bytes[HASH_ID_BYTES];

	cr_assert(mkdtemp(dir) != NULL);
	rig_init(r, NULL);
	r->conf.state_dir = dir;
	memset(bytes, 5, sizeof(bytes));
	hash_to_base32(bytes, id);
	rig_put_run(r, 5, RUN_RUNNING, STEP_RUNNING, 1);
	rig_connect(r, RIG_UNIX);
}

static void end(struct rig *r)
{
	char command[128];

	rig_done(r);
	for (int attempt = 1; attempt <= 2; attempt++) {
		snprintf(command, sizeof(command), "%s/logs/shop/%s/load.%d.log", dir, id, attempt);
		logfile_remove(command);
	}
	for (int depth = 3; depth >= 0; depth--) {
		static const char *const parts[] = {"", "/logs", "/logs/shop", NULL};
		if (parts[depth] != NULL)
			snprintf(command, sizeof(command), "%s%s", dir, parts[depth]);
		else
			snprintf(command, sizeof(command), "%s/logs/shop/%s", dir, id);
		rmdir(command);
	}
}

static void write_log(int attempt, const char *text)
{
	char path[256];
	struct logfile f;
	struct err err;
	FILE *file;

	snprintf(path, sizeof(path), "%s/logs/shop/%s/load.%d.log", dir, id, attempt);
	file = fopen(path, "a");
	if (file != NULL) { /* as the pool: files only grow */
		fputs(text, file);
		fclose(file);
		return;
	}
	logfile_init(&f, path);
	cr_assert_eq(logfile_add(&f, text, strlen(text), &err), 0);
	logfile_done(&f);
}

static const char *get(struct rig *r, const char *query)
{
	char t[256];

	snprintf(t, sizeof(t), "GET /v1/runs/%s/steps/load/log%s HTTP/1.1\r\n\r\n", id, query);
	return rig_ask(r, t);
}

static void wait_for(struct rig *r, const char *text)
{
	for (int i = 0; i < 200 && strstr(str_peek(&r->got), text) == NULL; i++)
		rig_wait_eof(r, 10);
	cr_assert(strstr(str_peek(&r->got), text), "%s in %s", text, str_peek(&r->got));
}

Test(http_tail, shows_the_newest_attempt_or_the_one_asked_for)
{
	struct rig r;

	begin(&r);
	get(&r, "");
	cr_assert_eq(rig_status(&r, 0), 200);
	cr_assert(strstr(str_peek(&r.got), "\r\n\r\n0\r\n\r\n"), "no file is an empty log: %s",
	    str_peek(&r.got));
	write_log(1, "one\n");
	write_log(2, "two\n");
	get(&r, "");
	cr_assert(strstr(str_peek(&r.got), "\r\n\r\n4\r\none\n\r\n0\r\n\r\n"));
	rig_put_run(&r, 5, RUN_RUNNING, STEP_RUNNING, 2);
	get(&r, "");
	cr_assert(strstr(str_peek(&r.got), "two\n"));
	get(&r, "?attempt=1");
	cr_assert(strstr(str_peek(&r.got), "one\n"));
	get(&r, "?attempt=x");
	cr_assert_eq(rig_status(&r, 0), 400);
	rig_ask(&r, "GET /v1/runs/nosuchrun/steps/load/log HTTP/1.1\r\n\r\n");
	cr_assert_eq(rig_status(&r, 0), 404);
	end(&r);
	LEAK_CHECK();
}

Test(http_tail, an_old_client_gets_the_text_until_the_end_of_the_connection)
{
	struct rig r;
	char t[256];

	begin(&r);
	write_log(1, "one\n");
	snprintf(t, sizeof(t), "GET /v1/runs/%s/steps/load/log HTTP/1.0\r\n\r\n", id);
	rig_ask(&r, t);
	cr_assert(str_ends(str_peek(&r.got), "\r\n\r\none\n"));
	cr_assert(r.eof);
	end(&r);
	LEAK_CHECK();
}

Test(http_tail, follows_a_log_through_its_attempts_to_the_end)
{
	struct rig r;

	begin(&r);
	write_log(1, "one\n");
	get(&r, "?follow=1");
	wait_for(&r, "one\n");
	write_log(1, "more\n");
	wait_for(&r, "more\n");
	rig_put_run(&r, 5, RUN_RUNNING, STEP_RETRYING, 1);
	write_log(2, "again\n");
	rig_put_run(&r, 5, RUN_RUNNING, STEP_RUNNING, 2);
	wait_for(&r, "--- attempt 2 ---\n");
	wait_for(&r, "again\n");
	cr_assert_not(strstr(str_peek(&r.got), "\r\n0\r\n\r\n"));
	rig_put_run(&r, 5, RUN_SUCCEEDED, STEP_SUCCEEDED, 2);
	wait_for(&r, "\r\n0\r\n\r\n");
	get(&r, "");
	cr_assert_eq(rig_status(&r, 0), 200, "the connection goes on");
	end(&r);
	LEAK_CHECK();
}

Test(http_tail, a_large_log_arrives_whole)
{
	enum { LINES = 60000 };
	struct rig r;
	struct str t;
	size_t lines = 0;

	begin(&r);
	str_init(&t, 4 << 20);
	for (int i = 0; i < LINES; i++)
		str_addf(&t, "line %d\n", i);
	write_log(1, str_peek(&t));
	get(&r, "");
	for (const char *p = str_peek(&r.got); (p = strstr(p, "line ")) != NULL; p++)
		lines++;
	cr_assert_geq(lines, LINES - 100, "%zu", lines); /* a chunk's end may part a word */
	cr_assert(str_ends(str_peek(&r.got), "\r\n0\r\n\r\n"));
	str_done(&t);
	end(&r);
	LEAK_CHECK();
}

Test(http_tail, the_stream_of_a_run_carries_its_logs)
{
	struct rig r;
	char t[256];

	begin(&r);
	write_log(1, "first\nhal");
	snprintf(t, sizeof(t), "GET /v1/stream?run=%s HTTP/1.1\r\n\r\n", id);
	rig_ask(&r, t);
	wait_for(&r, "event: log\n");
	cr_assert(strstr(str_peek(&r.got), "\"step\":\"load\""));
	cr_assert(strstr(str_peek(&r.got), "\"offset\":0,\"text\":\"first\\n\"}"),
	    "whole lines: %s", str_peek(&r.got));
	write_log(1, "f\n");
	wait_for(&r, "\"offset\":6,\"text\":\"half\\n\"}");
	write_log(1, "end without newline");
	rig_put_run(&r, 5, RUN_SUCCEEDED, STEP_SUCCEEDED, 1);
	rig_effect_step(&r, 5, STEP_SUCCEEDED);
	wait_for(&r, "\"text\":\"end without newline\"}");
	end(&r);
	LEAK_CHECK();
}
