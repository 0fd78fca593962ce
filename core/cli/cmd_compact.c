/* cmd_compact.c: `sluice compact`: the store's file without the space that deletes have left; the
 * daemon must be stopped. */
#include "core/cli/cli.h"

static const struct cli_opt opts[] = {
    {NULL, NULL, NULL, 0},
};

static int run(struct cli *cli, const struct args *a)
{
	return args_expect(a, 0, 0) ? exec_daemon(cli, "--compact", NULL) : EXIT_USAGE;
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
