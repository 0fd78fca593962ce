/* cmd_run.c: `sluice run`: start a run of a DAG and watch it, or run a file without a daemon. */
#include "core/base/mem.h"
#include "core/base/paths.h"
#include "core/base/vec.h"
#include "core/cli/run_body.h"

#include <string.h>

static const struct cli_opt opts[] = {
    RUN_OPTIONS,
    {"only", "STEP", "Run only this step. May be repeated.", 0},
    {"preview", "N",
	"Show the first N rows of each stage and write nothing. Not in this release: it is "
	"refused.",
	0},
    {NULL, NULL, NULL, 0},
};

static bool is_file(const char *name)
{
	return strchr(name, '/') || str_ends(name, ".yaml") || str_ends(name, ".yml") ||
	       str_ends(name, ".json");
}

/* sluiced --once FILE with the same options. */
static int run_file(struct cli *cli, const struct args *a)
{
	VEC(char *) argv = {0};
	VEC_ADD(&argv, mem_strdup("sluiced"));
	VEC_ADD(&argv, mem_strdup("--once"));
	VEC_ADD(&argv, mem_strdup(a->pos[0]));
	char *config = cli_config_path(cli);
	if (config) {
		VEC_ADD(&argv, mem_strdup("-c"));
		VEC_ADD(&argv, config);
	}
	for (size_t i = 0; i < a->n; i++) {
		if (str_eq(a->v[i].opt->name, "output") || str_eq(a->v[i].opt->name, "config"))
			continue;
		struct str option;
		str_init(&option, 1 << 20);
		str_addf(&option, "--%s", a->v[i].opt->name);
		VEC_ADD(&argv, str_take(&option));
		if (a->v[i].value)
			VEC_ADD(&argv, mem_strdup(a->v[i].value));
	}
	VEC_ADD(&argv, mem_strdup("-o"));
	bool live = cli->tty && cli->output == OUTPUT_TEXT;
	VEC_ADD(&argv, mem_strdup(cli->output == OUTPUT_JSON		 ? "json"
				  : cli->output == OUTPUT_NDJSON || live ? "ndjson"
									 : "text"));
	VEC_ADD(&argv, NULL);
	int rc = live ? local_run(cli, argv.v) : exec_replace(path_of(PATH_DAEMON), argv.v);
	for (size_t i = 0; i < argv.n; i++)
		mem_free(argv.v[i]);
	VEC_DONE(&argv);
	return rc;
}

static int run(struct cli *cli, const struct args *a)
{
	struct json *reply = NULL;
	if (!args_expect(a, 1, 1))
		return EXIT_USAGE;
	if (args_has(a, "preview"))
		return cli_error(EXIT_USAGE, "--preview is not in this release");
	if (is_file(a->pos[0]))
		return run_file(cli, a);
	int rc = run_post(cli, a, a->pos[0], &reply);
	if (rc == EXIT_OK) {
		const char *id = json_str(json_at(json_get(reply, "runs"), 0), NULL);
		rc = id ? follow_run(cli, id)
			: cli_error(EXIT_REFUSED, "no run was started: %s",
			      json_get_str(reply, "detail", json_get_str(reply, "verdict", "")));
	}
	json_free(reply);
	return rc;
}

const struct command cmd_run = {
    .name = "run",
    .synopsis = "DAG|FILE [--param NAME=VALUE]... [--at TIME] [--key KEY] [--trigger NAME] [--only "
		"STEP]...",
    .summary = "Start a run and watch it to its end",
    .help = "DAG is run by the daemon. FILE (an argument with a / or ending in .yaml, .yml or\n"
	    ".json) needs no daemon and no sluice.yaml: it is run at once on a temporary store.\n"
	    "With -o ndjson each change is one line, the run object the last; of a FILE also\n"
	    "{\"log\": {\"name\", \"attempt\", \"text\"}} where a step failed.\n"
	    "Exit status: 0 the run succeeded, 1 it failed or was cancelled.\n"
	    "\nExamples:\n"
	    "  sluice run shop_nightly\n"
	    "  sluice run shop_nightly --at 2026-11-21 --param full_refresh=true\n"
	    "  sluice run dags/try.yaml --only extract -o json",
    .opts = opts,
    .run = run,
};
