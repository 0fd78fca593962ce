/* cmd_fsck.c: `sluice fsck`: proves every index of the store against its records; the daemon must
 * be stopped. */
#include "core/cli/cli.h"

static const struct cli_opt opts[] = {
    {NULL, NULL, NULL, 0},
};

static int run(struct cli *cli, const struct args *a)
{
	return args_expect(a, 0, 0) ? exec_daemon(cli, "--fsck", NULL) : EXIT_USAGE;
}

const struct command cmd_fsck = {
    .name = "fsck",
    .synopsis = "",
    .summary = "Check the store: every index against its record, every count",
    .help =
	"The daemon must be stopped (exit status 4 while it holds the store). Exit status 1 when\n"
	"something is wrong.\n"
	"\nExamples:\n  sluice shutdown && sluice fsck",
    .opts = opts,
    .run = run,
};
