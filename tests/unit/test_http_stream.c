#include "tests/unit/http_rig.h"
#include "tests/unit/leak.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static unsigned count(const struct rig *r, const char *what)
{
	unsigned n = 0;

	for (const char *p = str_peek(&r->got); (p = strstr(p, what)) != NULL; p += strlen(what))
		n++;
	return n;
}

static void open_stream(struct rig *r, const char *query, const char *last_id)
{
	char t[512];

	rig_connect(r, RIG_UNIX);
	snprintf(t, sizeof(t), "GET /v1/stream%s HTTP/1.1\r\n%s%s%s\r\n", query,
	    last_id[0] ? "Last-Event-ID: " : "", last_id, last_id[0] ? "\r\n" : "");
	rig_ask(r, t);
}

/* The last id that was sent. */
static void last_id(const struct rig *r, char to[64])
{
	const char *p = str_peek(&r->got), *at = NULL;

	while ((p = strstr(p, "id: ")) != NULL)
		at = p += 4;
	cr_assert(at != NULL);
	snprintf(to, 64, "%.*s", (int)strcspn(at, "\n"), at);
}

Test(http_stream, sends_what_changes_as_it_is_then)
{
	struct rig r;

	rig_init(&r, NULL);
	rig_put_run(&r, 5, RUN_RUNNING, STEP_RUNNING, 1);
	open_stream(&r, "", "");
	cr_assert_eq(rig_status(&r, 0), 200);
	cr_assert(strstr(str_peek(&r.got), "Content-Type: text/event-stream\r\n"));
	cr_assert(strstr(str_peek(&r.got), "Transfer-Encoding: chunked\r\n"));
	cr_assert_eq(r.h->n_streams, 1);
	rig_effect_step(&r, 5, STEP_RUNNING);
	rig_effect_run(&r, 5, RUN_RUNNING);
	cr_assert_eq(count(&r, "event: step\ndata: {\"run\":\""), 1);
	cr_assert_eq(count(&r, "\"name\":\"load\""), 1);
	cr_assert_eq(count(&r, "event: run\ndata: {\"id\":\""), 1);
	cr_assert_eq(count(&r, "\"dag\":\"shop\""), 2);
	close(r.fd);
	r.fd = -1;
	rig_turn(&r);
	cr_assert_eq(r.h->n_streams, 0);
	rig_effect_run(&r, 5, RUN_RUNNING);
	rig_done(&r);
	LEAK_CHECK();
}

Test(http_stream, says_a_thing_once_that_changed_twice_in_a_batch)
{
	struct rig r;
	struct effect e[3] = {{.kind = EFFECT_RUN, .id = 5}, {.kind = EFFECT_RUN, .id = 5},
	    {.kind = EFFECT_RUN, .id = 5}};

	rig_init(&r, NULL);
	rig_put_run(&r, 5, RUN_RUNNING, STEP_RUNNING, 1);
	open_stream(&r, "", "");
	http_effects(r.h, e, 3);
	rig_turn(&r);
	cr_assert_eq(count(&r, "event: run\n"), 1);
	rig_done(&r);
	LEAK_CHECK();
}

Test(http_stream, filters_by_run_and_dag)
{
	struct rig r;
	char id[HASH_ID_TEXT], query[64];
	uint8_t bytes[HASH_ID_BYTES];

	rig_init(&r, NULL);
	rig_put_run(&r, 5, RUN_RUNNING, STEP_SUCCEEDED, 1);
	rig_put_run(&r, 6, RUN_RUNNING, STEP_SUCCEEDED, 1);
	memset(bytes, 5, sizeof(bytes));
	hash_to_base32(bytes, id);
	snprintf(query, sizeof(query), "?run=%s", id);
	open_stream(&r, query, "");
	cr_assert_eq(rig_status(&r, 0), 200, "%s", str_peek(&r.got));
	rig_effect_run(&r, 6, RUN_RUNNING);
	rig_effect_step(&r, 6, STEP_SUCCEEDED);
	cr_assert_eq(count(&r, "event: "), 0);
	rig_effect_run(&r, 5, RUN_RUNNING);
	rig_effect_step(&r, 5, STEP_SUCCEEDED);
	cr_assert_eq(count(&r, "event: "), 2);
	open_stream(&r, "?dag=other", "");
	rig_effect_run(&r, 5, RUN_RUNNING);
	cr_assert_eq(count(&r, "event: "), 0);
	open_stream(&r, "?dag=shop", "");
	rig_effect_run(&r, 5, RUN_RUNNING);
	cr_assert_eq(count(&r, "event: "), 1);
	open_stream(&r, "?run=nosuchrun", "");
	cr_assert_eq(rig_status(&r, 0), 404);
	rig_done(&r);
	LEAK_CHECK();
}

Test(http_stream, resumes_behind_the_last_event_id)
{
	struct rig r;
	char id[64];

	rig_init(&r, NULL);
	rig_put_run(&r, 5, RUN_RUNNING, STEP_SUCCEEDED, 1);
	rig_put_run(&r, 6, RUN_RUNNING, STEP_SUCCEEDED, 1);
	open_stream(&r, "", "");
	rig_effect_run(&r, 5, RUN_RUNNING);
	last_id(&r, id);
	rig_connect(&r, RIG_UNIX);
	rig_effect_run(&r, 6, RUN_RUNNING);
	open_stream(&r, "", id);
	cr_assert_eq(count(&r, "event: run\n"), 1, "the one that was missed: %s", str_peek(&r.got));
	cr_assert_eq(count(&r, "event: reset\n"), 0);
	open_stream(&r, "", "0badc0de-1");
	cr_assert_eq(count(&r, "event: reset\ndata: {}\n\n"), 1, "an id of another daemon");
	open_stream(&r, "", "nonsense");
	cr_assert_eq(count(&r, "event: reset\n"), 1);
	cr_assert_eq(count(&r, "event: run\n"), 0);
	rig_effect_run(&r, 5, RUN_RUNNING);
	cr_assert_eq(count(&r, "event: run\n"), 1, "and goes on from there");
	rig_done(&r);
	LEAK_CHECK();
}

Test(http_stream, a_client_that_falls_out_of_the_ring_is_told)
{
	static const struct http_limits lim = {.ring = 8};
	struct rig r;
	char id[64];

	rig_init(&r, &lim);
	for (uint64_t i = 1; i <= 4; i++)
		rig_put_run(&r, i, RUN_RUNNING, STEP_SUCCEEDED, 1);
	open_stream(&r, "", "");
	rig_effect_run(&r, 1, RUN_RUNNING);
	last_id(&r, id);
	rig_connect(&r, RIG_UNIX);
	for (int i = 0; i < 9; i++)
		rig_effect_run(&r, 2 + (uint64_t)i % 3, RUN_RUNNING);
	open_stream(&r, "", id);
	cr_assert_eq(count(&r, "event: reset\n"), 1);
	cr_assert_eq(count(&r, "event: run\n"), 0);
	rig_done(&r);
	LEAK_CHECK();
}

Test(http_stream, progress_reaches_who_listens)
{
	static const char json[] = "{\"stage\":\"load\",\"done\":7}";
	struct step_ref ref = {.run = 5};
	struct rig r;

	rig_init(&r, NULL);
	rig_put_run(&r, 5, RUN_RUNNING, STEP_RUNNING, 1);
	http_progress(r.h, &ref, json, sizeof(json) - 1);
	open_stream(&r, "", "");
	http_progress(r.h, &ref, json, sizeof(json) - 1);
	rig_turn(&r);
	cr_assert_eq(count(&r, "\"progress\":{\"stage\":\"load\",\"done\":7}}"), 1);
	rig_done(&r);
	LEAK_CHECK();
}

Test(http_stream, a_quiet_stream_gets_a_heartbeat)
{
	static const struct http_limits lim = {.heartbeat_ms = 20};
	struct rig r;

	rig_init(&r, &lim);
	open_stream(&r, "", "");
	for (int i = 0; i < 100 && count(&r, ": still here\n\n") < 2; i++)
		rig_wait_eof(&r, 5);
	cr_assert_geq(count(&r, ": still here\n\n"), 2);
	rig_done(&r);
	LEAK_CHECK();
}

Test(http_stream, a_wait_ends_with_the_run_or_the_time)
{
	struct rig r;
	char line[128], id[HASH_ID_TEXT];
	uint8_t bytes[HASH_ID_BYTES];

	rig_init(&r, NULL);
	rig_put_run(&r, 5, RUN_RUNNING, STEP_RUNNING, 1);
	memset(bytes, 5, sizeof(bytes));
	hash_to_base32(bytes, id);
	rig_connect(&r, RIG_UNIX);
	snprintf(line, sizeof(line), "GET /v1/runs/%s?wait=60 HTTP/1.1\r\n\r\n", id);
	rig_ask(&r, line);
	cr_assert_eq(r.got.len, 0);
	rig_effect_run(&r, 6, RUN_SUCCEEDED);
	cr_assert_eq(r.got.len, 0, "another run");
	rig_put_run(&r, 5, RUN_SUCCEEDED, STEP_SUCCEEDED, 1);
	rig_effect_run(&r, 5, RUN_SUCCEEDED);
	cr_assert_eq(rig_status(&r, 0), 200);
	cr_assert(strstr(rig_body(&r, 0), "\"state\":\"succeeded\""));
	rig_ask(&r, line);
	cr_assert_eq(rig_status(&r, 0), 200, "a run that has ended is answered at once");
	rig_put_run(&r, 5, RUN_RUNNING, STEP_RUNNING, 1);
	rig_ask(&r, line);
	rig_connect(&r, RIG_UNIX); /* leaves while it waits */
	rig_turn(&r);
	rig_ask(&r, line);
	cr_assert_eq(r.got.len, 0);
	http_drain(r.h);
	rig_turn(&r);
	cr_assert_eq(rig_status(&r, 0), 200, "a stopping daemon lets nobody wait");
	cr_assert(strstr(rig_body(&r, 0), "\"state\":\"running\""));
	rig_done(&r);
	LEAK_CHECK();
}

/* What a worker says is a plugin's word: it must not become events of its own. */
Test(http_stream, progress_cannot_forge_events)
{
	static const char *const bad[] = {"7}}\n\nevent: run\ndata: {\"state\":\"succeeded\"}\n\n",
	    "{\"stage\":\"load\"", "[1]", "{\"stage\":\n\n\"load\",\"done\":7}"};
	struct step_ref ref = {.run = 5};
	struct rig r;

	rig_init(&r, NULL);
	rig_put_run(&r, 5, RUN_RUNNING, STEP_RUNNING, 1);
	open_stream(&r, "", "");
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		http_progress(r.h, &ref, bad[i], strlen(bad[i]));
	rig_turn(&r);
	cr_assert_eq(count(&r, "event: run\n"), 0, "%s", str_peek(&r.got));
	cr_assert_eq(count(&r, "event: step\n"), 1, "%s", str_peek(&r.got));
	cr_assert_eq(count(&r, "\"progress\":{\"stage\":\"load\",\"done\":7}}"), 1);
	rig_done(&r);
	LEAK_CHECK();
}
