/* cmd_notify.c: `sluice notify`: whom on_failure and its friends tell, and whether it works. */
#include "core/base/clock.h"
#include "core/base/mem.h"
#include "core/cli/cli.h"

#include <unistd.h>

#define LOOK_MS 100
#define WAIT_US (60 * US_PER_S)

static const struct cli_opt opts[] = {{NULL, NULL, NULL, 0}};

static void last_text(const struct json *e, struct str *out)
{
	const struct json *last = json_get(e, "last");

	if (last == NULL || json_is(last, JSON_NULL)) {
		str_add(out, "never tried");
	} else if (json_get_bool(last, "ok", false)) {
		str_add(out, "sent ");
		text_time(out, json_get_str(last, "at", NULL));
	} else {
		str_addf(out, "failed: %s", json_get_str(e, "error", ""));
	}
}

static void row(struct text_table *t, const struct json *e)
{
	struct str last;
	str_init(&last, 4096);
	last_text(e, &last);
	table_cell(t, json_get_str(e, "name", ""));
	table_cell(t, json_get_str(e, "kind", "not in sluice.yaml"));
	table_int(t, json_get_i64(e, "waiting", 0));
	table_int(t, json_get_i64(e, "sent", 0));
	table_int(t, json_get_i64(e, "given_up", 0));
	table_cell(t, str_peek(&last));
	str_done(&last);
}

static const struct table_column columns[] = {
    {"NAME", false, false, false},
    {"KIND", false, false, false},
    {"WAITING", true, false, false},
    {"SENT", true, false, false},
    {"GIVEN UP", true, false, false},
    {"LAST", false, true, false},
};
static const struct list endpoints = {"/v1/notify", "notify", columns, 6, row,
    "nobody is told anything: add notify: to sluice.yaml", NULL};

static bool waits(const struct json *e, const char *id)
{
	for (const struct json *m = json_first(json_get(e, "messages")); m; m = json_next(m)) {
		if (str_eq(json_get_str(m, "id", ""), id))
			return true;
	}
	return false;
}

/* *ret: the endpoint once the message has left, or what it is when the time is over. */
static int await(struct cli *cli, const char *path, const char *id, struct json **ret)
{
	mono_us until = clock_mono() + WAIT_US;
	int rc;

	*ret = NULL;
	do {
		json_free(*ret);
		usleep(LOOK_MS * 1000);
		rc = cli_request(cli, "GET", path, NULL, ret, NULL);
	} while (rc == EXIT_OK && waits(*ret, id) && clock_mono() < until);
	return rc;
}

static int judge(const struct cli *cli, const char *name, const char *id, const struct json *e)
{
	const struct json *first = json_first(json_get(e, "messages"));
	const char *why = json_get_str(e, "error", "");
	bool ok = json_get_bool(json_get(e, "last"), "ok", false);

	if (cli->output != OUTPUT_TEXT) {
		cli_print_json(cli, e, NULL);
		return waits(e, id) ? EXIT_TRY_AGAIN : ok ? EXIT_OK : EXIT_RUN_FAILED;
	}
	if (waits(e, id))
		return cli_error(EXIT_TRY_AGAIN,
		    "%lld messages wait for %s, the first since %s: %s",
		    (long long)json_get_i64(e, "waiting", 0), name,
		    json_get_str(first, "created_at", ""), json_get_str(first, "error", ""));
	if (!ok)
		return cli_error(EXIT_RUN_FAILED, "%s was not told: %s", name, why);
	printf("%s was told (%s)\n", name, id);
	return EXIT_OK;
}

static int test(struct cli *cli, const char *name)
{
	struct json *reply = NULL, *e = NULL;
	char *path = cli_path("/v1/notify/", name, ""),
	     *send = cli_path("/v1/notify/", name, "/test");
	int rc = cli_request(cli, "POST", send, NULL, &reply, NULL);
	if (rc == EXIT_OK)
		rc = await(cli, path, json_get_str(reply, "id", ""), &e);
	if (rc == EXIT_OK)
		rc = judge(cli, name, json_get_str(reply, "id", ""), e);
	mem_free(path);
	mem_free(send);
	json_free(reply);
	json_free(e);
	return rc;
}

static int run(struct cli *cli, const struct args *a)
{
	if (!args_expect(a, 1, 2))
		return EXIT_USAGE;
	if (str_eq(a->pos[0], "list") && a->n_pos == 1)
		return cli_list(cli, a, &endpoints);
	if (str_eq(a->pos[0], "test") && a->n_pos == 2)
		return test(cli, a->pos[1]);
	if (str_eq(a->pos[0], "test"))
		return cli_error(EXIT_USAGE, "notify test needs a name of notify: in sluice.yaml");
	return cli_error(EXIT_USAGE, "notify knows list and test NAME, not \"%s\"", a->pos[0]);
}

const struct command cmd_notify = {
    .name = "notify",
    .synopsis = "list | test NAME",
    .summary = "See who is told of ends of runs, and send a test message",
    .help = "`test` sends one message and waits for what becomes of it: exit status 0 when the\n"
	    "receiver took it, 1 when it did not, 75 when older messages are in the way. It also\n"
	    "makes messages that wait be tried at once.\n"
	    "\nExamples:\n  sluice notify list\n  sluice notify test ops",
    .opts = opts,
    .run = run,
};
