/* cmd_trigger.c: `sluice trigger`: start a run and answer at once. */
#include "core/cli/run_body.h"

static const struct cli_opt opts[] = {
    RUN_OPTIONS,
    {"wait", NULL, "Answer when the runs have ended; exit status 1 if one failed.", 'w'},
    {NULL, NULL, NULL, 0},
};

static int wait_runs(struct cli *cli, const struct json *runs)
{
	int rc = EXIT_OK;
	for (const struct json *r = json_first(runs); r; r = json_next(r)) {
		int one = follow_quietly(cli, json_str(r, ""));
		rc = one != EXIT_OK ? one : rc;
	}
	return rc;
}

static int run(struct cli *cli, const struct args *a)
{
	struct json *reply = NULL, *object;
	static const char *const members[] = {"event", "verdict", "runs"};
	if (!args_expect(a, 1, 1))
		return EXIT_USAGE;
	int rc = run_post(cli, a, a->pos[0], &reply);
	if (rc != EXIT_OK)
		return rc;
	if (args_has(a, "wait"))
		rc = wait_runs(cli, json_get(reply, "runs"));
	object = json_new_object();
	for (size_t i = 0; i < 3; i++)
		json_put(object, members[i], json_dup(json_get(reply, members[i])));
	if (cli->output == OUTPUT_TEXT)
		printf("event %s %s %s\n", json_get_str(object, "event", ""),
		    json_get_str(object, "verdict", ""),
		    json_str(json_at(json_get(object, "runs"), 0), ""));
	else
		cli_print_json(cli, object, NULL);
	json_free(object);
	json_free(reply);
	return rc;
}

const struct command cmd_trigger = {
    .name = "trigger",
    .synopsis = "DAG [--param NAME=VALUE]... [--at TIME] [--key KEY] [--trigger NAME] [--wait]",
    .summary = "Start a run and return at once",
    .help = "Examples:\n"
	    "  sluice trigger shop_nightly\n"
	    "  sluice trigger shop_nightly --at 2026-11-21 --wait -o json",
    .opts = opts,
    .run = run,
};
