/* follow.c: watches one run to its end. The stream only says that something changed; what is shown
 * comes from the run object, so that a lost event loses nothing. Two connections: one streams, one
 * asks. */
#include "core/base/clock.h"
#include "core/base/mem.h"
#include "core/cli/client.h"
#include "core/cli/sse.h"

#include <string.h>

#define REDRAW_US (100 * US_PER_MS)

struct follow {
	struct cli *cli;
	struct client *stream; /* owned */
	struct sse sse;
	char *path;		   /* owned: /v1/runs/ID */
	struct json *run;	   /* owned: newest object */
	struct json *states;	   /* owned: "step[item]" -> state already told */
	struct json *progress;	   /* owned: step name -> progress object */
	bool dirty, urgent, ended; /* urgent: the run itself changed, look at once */
	bool open;		   /* the stream has answered */
	int rc;
	struct live live;
	mono_us drawn_at, asked_at, asked_us; /* asked_us: what the last look cost */
};

static bool run_ended(const struct json *run)
{
	const char *state = json_get_str(run, "state", "");
	return str_eq(state, "succeeded") || str_eq(state, "failed") || str_eq(state, "cancelled");
}

static bool refresh(struct follow *f)
{
	mono_us asked = clock_mono();
	struct json *run = NULL;
	f->rc = cli_request(f->cli, "GET", f->path, NULL, &run, NULL);
	f->dirty = f->urgent = false;
	f->asked_us = clock_mono() - asked;
	f->asked_at = clock_mono();
	if (f->rc != EXIT_OK)
		return false;
	json_free(f->run);
	f->run = run;
	f->ended = run_ended(run);
	return true;
}

/* ---- terminal ---- */

static void draw(struct follow *f)
{
	live_draw(&f->live, f->run, f->progress);
	f->drawn_at = clock_mono();
}

/* ---- plain lines ---- */

static void tell_step(struct follow *f, const struct json *step)
{
	const char *state = json_get_str(step, "state", ""),
		   *item = json_get_str(step, "item", NULL);
	struct str key, line;
	str_init(&key, 4096);
	str_addf(&key, item ? "%s[%s]" : "%s", json_get_str(step, "name", ""), item);
	bool quiet = str_eq(state, "waiting") || str_eq(state, "ready");
	if (!quiet && !str_eq(json_get_str(f->states, str_peek(&key), ""), state)) {
		str_init(&line, 1 << 16);
		char now[CLOCK_TEXT_MAX];
		str_addf(
		    &line, "%s  %s  %s", clock_format(clock_wall(), now), str_peek(&key), state);
		int64_t rows = json_get_i64(step, "rows_out", 0);
		if (str_eq(state, "succeeded") && rows > 0)
			str_addf(&line, "  %lld rows", (long long)rows);
		if (json_get_i64(step, "attempt", 0) > 1)
			str_addf(
			    &line, "  attempt %lld", (long long)json_get_i64(step, "attempt", 0));
		const char *message = json_get_str(step, "message", "");
		if (message[0] && !str_eq(state, "running"))
			str_addf(&line, "  %s: %s", json_get_str(step, "class", ""), message);
		puts(str_peek(&line));
		str_done(&line);
		json_put(f->states, str_peek(&key), json_new_str(state));
	}
	str_done(&key);
}

static void tell(struct follow *f)
{
	const struct json *steps = json_get(f->run, "steps");
	for (const struct json *s = json_first(steps); s; s = json_next(s))
		tell_step(f, s);
	char now[CLOCK_TEXT_MAX];
	if (f->ended)
		printf("%s  run %s  %s\n", clock_format(clock_wall(), now),
		    json_get_str(f->run, "id", ""), json_get_str(f->run, "state", ""));
	fflush(stdout);
}

static void present(struct follow *f)
{
	if (f->cli->output != OUTPUT_TEXT)
		return;
	if (f->cli->tty)
		draw(f);
	else
		tell(f);
}

/* ---- the stream ---- */

static bool on_event(void *arg, const char *event, const char *data)
{
	struct follow *f = arg;
	struct json *j = NULL;
	f->urgent = f->urgent || str_eq(event, "run");
	if (f->cli->output == OUTPUT_NDJSON && !str_eq(event, "log"))
		puts(data);
	f->dirty =
	    f->dirty || str_eq(event, "run") || str_eq(event, "step") || str_eq(event, "reset");
	if (cli_parse(f->cli, data, strlen(data), 8u << 20, &j, NULL) != 0)
		return true;
	const struct json *p = json_get(j, "progress");
	const char *step = json_get_str(j, "step", json_get_str(j, "name", NULL));
	if (p && step)
		json_put(f->progress, step, json_dup(p));
	json_free(j);
	return true;
}

/* A run of many steps is large: looking may take a tenth of the time, not all of it. */
static bool look_again(const struct follow *f)
{
	mono_us pause = f->asked_us * 9;
	return clock_mono() - f->asked_at >= (pause > REDRAW_US / 2 ? pause : REDRAW_US / 2);
}

static bool on_piece(void *arg, const char *p, size_t n)
{
	struct follow *f = arg;
	if (!sse_feed(&f->sse, p, n))
		return false;
	if (!f->open) /* what changed before it was open is not told by it */
		f->open = f->dirty = f->urgent = true;
	if (f->dirty && (f->urgent || look_again(f))) {
		if (!refresh(f))
			return false;
		present(f);
	}
	return !f->ended;
}

static bool on_tick(void *arg)
{
	struct follow *f = arg;
	bool changed = f->dirty;
	if (changed && !refresh(f))
		return false;
	if (changed && !f->cli->tty)
		present(f);
	else if (f->cli->tty && (f->ended || clock_mono() - f->drawn_at >= REDRAW_US))
		present(f);
	return !f->ended;
}

static int watch(struct follow *f, const char *run_id)
{
	struct client_stream handler = {.piece = on_piece, .tick = on_tick, .arg = f};
	struct err err = {0};
	struct str problem, path;
	int status = 0;
	str_init(&problem, 1 << 16);
	str_init(&path, 1024);
	f->open = false;
	str_add(&path, "/v1/stream");
	cli_add_query(&path, "run", run_id);
	int rc = client_stream(f->stream, str_peek(&path), &handler, &status, &problem, &err);
	str_done(&path);
	str_done(&problem);
	if (f->rc != EXIT_OK)
		return f->rc;
	if (rc == 0 && (status == 401 || status == 403))
		return cli_error(EXIT_REFUSED,
		    "run %s goes on, but this token may not watch it: use `sluice trigger --wait`, "
		    "or "
		    "a token with scope read",
		    json_get_str(f->run, "id", run_id));
	if (rc == 0 && status >= 300)
		return cli_error(EXIT_INTERNAL, "the daemon's stream answered %d", status);
	return rc == 0 ? EXIT_OK : EXIT_UNREACHABLE;
}

static int follow_loop(struct follow *f, const char *run_id)
{
	/* The state is read before the stream opens and again when it is open: nothing between the
	 * two is missed. */
	if (!refresh(f))
		return f->rc;
	present(f);
	int tries = 0;
	while (!f->ended) {
		f->dirty = true;
		int rc = watch(f, run_id);
		if (rc != EXIT_OK && (rc != EXIT_UNREACHABLE || ++tries > 50))
			return rc == EXIT_UNREACHABLE
				   ? cli_error(rc,
					 "the daemon at %s is gone; the run goes on in the pool",
					 client_where(f->stream))
				   : rc;
		if (!f->ended && !refresh(f))
			return f->rc;
	}
	return EXIT_OK;
}

int follow_run(struct cli *cli, const char *run_id)
{
	struct follow f = {.cli = cli,
	    .live = {.cli = cli},
	    .states = json_new_object(),
	    .progress = json_new_object()};
	struct err err = {0};
	f.path = cli_path("/v1/runs/", run_id, "");
	sse_init(&f.sse, on_event, &f);
	int rc = client_new(cli, &f.stream, &err) ? cli_error(EXIT_UNREACHABLE, "%s", err.text)
						  : follow_loop(&f, run_id);
	if (rc == EXIT_OK && cli->output != OUTPUT_TEXT)
		cli_print_json(cli, f.run, NULL);
	if (rc == EXIT_OK && !str_eq(json_get_str(f.run, "state", ""), "succeeded"))
		rc = EXIT_RUN_FAILED;
	sse_done(&f.sse);
	client_free(f.stream);
	json_free(f.run);
	json_free(f.states);
	json_free(f.progress);
	mem_free(f.path);
	return rc;
}

int follow_quietly(struct cli *cli, const char *run_id)
{
	struct json *run = NULL;
	char *path = cli_path("/v1/runs/", run_id, "?wait=60");
	int rc;
	do {
		json_free(run);
		run = NULL;
		rc = cli_request(cli, "GET", path, NULL, &run, NULL);
	} while (rc == EXIT_OK && !run_ended(run));
	if (rc == EXIT_OK && !str_eq(json_get_str(run, "state", ""), "succeeded"))
		rc = EXIT_RUN_FAILED;
	mem_free(path);
	json_free(run);
	return rc;
}
