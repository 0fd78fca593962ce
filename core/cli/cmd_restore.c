/* cmd_restore.c: `sluice restore FILE`: a backup takes the place of the store; the daemon must be
 * stopped. */
#include "core/cli/cli.h"

static const struct cli_opt opts[] = {
    {NULL, NULL, NULL, 0},
};

static int run(struct cli *cli, const struct args *a)
{
	return args_expect(a, 1, 1) ? exec_daemon(cli, "--restore", a->pos[0]) : EXIT_USAGE;
}

const struct command cmd_restore = {
    .name = "restore",
    .synopsis = "FILE",
    .summary = "Put a backup in the place of the store",
    .help = "The daemon must be stopped (exit status 4 while it holds the store). The backup is "
	    "proven\n"
	    "first; the replaced store stays in the state folder. The restored one is paused, and "
	    "hands\n"
	    "nothing out before what still runs of the replaced one has ended and `sluice resume "
	    "--all`\n"
	    "was said.\n"
	    "\nExamples:\n  sluice shutdown --cancel && sluice restore /var/backups/sluice.mdb",
    .opts = opts,
    .run = run,
};
