/* cmd_fsck.c: `sluice fsck`: proves every index of the store against its records; the daemon must
 * be stopped. */
#include "core/base/mem.h"
#include "core/base/paths.h"
#include "core/cli/cli.h"

static const struct cli_opt opts[] = {
    {NULL, NULL, NULL, 0},
};

static int run(struct cli *cli, const struct args *a)
{
	char program[] = "sluiced", c[] = "-c", fsck[] = "--fsck", o[] = "-o", json[] = "json";
	if (!args_expect(a, 0, 0))
		return EXIT_USAGE;
	char *config = cli_config_path(cli);
	if (!config)
		return cli_error(EXIT_USAGE, "no sluice.yaml here; name it with -c");
	char *argv[] = {
	    program, c, config, fsck, cli->output == OUTPUT_TEXT ? NULL : o, json, NULL};
	return exec_replace(path_of(PATH_DAEMON), argv);
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
