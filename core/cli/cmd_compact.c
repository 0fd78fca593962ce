/* cmd_compact.c: `sluice compact`: the store's file without the space that deletes have left; the
 * daemon must be stopped. */
#include "core/base/mem.h"
#include "core/base/paths.h"
#include "core/cli/cli.h"

static const struct cli_opt opts[] = {
    {NULL, NULL, NULL, 0},
};

static int run(struct cli *cli, const struct args *a)
{
	char program[] = "sluiced", c[] = "-c", compact[] = "--compact", o[] = "-o",
	     json[] = "json";
	if (!args_expect(a, 0, 0))
		return EXIT_USAGE;
	char *config = cli_config_path(cli);
	if (!config)
		return cli_error(EXIT_USAGE, "no sluice.yaml here; name it with -c");
	char *argv[] = {
	    program, c, config, compact, cli->output == OUTPUT_TEXT ? NULL : o, json, NULL};
	return exec_replace(path_of(PATH_DAEMON), argv);
}

const struct command cmd_compact = {
    .name = "compact",
    .synopsis = "",
    .summary = "Give unused space of the store back to the disk",
    .help = "The daemon must be stopped (exit status 4 while it holds the store). A running store "
	    "uses\n"
	    "freed space again, so this is of use only after much was dropped.\n"
	    "\nExamples:\n  sluice shutdown && sluice compact",
    .opts = opts,
    .run = run,
};
