/* cmd_restore.c: `sluice restore FILE`: a backup takes the place of the store; the daemon must be
 * stopped. */
#include "core/base/mem.h"
#include "core/base/paths.h"
#include "core/cli/cli.h"

static const struct cli_opt opts[] = {
    {NULL, NULL, NULL, 0},
};

static int run(struct cli *cli, const struct args *a)
{
	char program[] = "sluiced", c[] = "-c", restore[] = "--restore", o[] = "-o",
	     json[] = "json";
	if (!args_expect(a, 1, 1))
		return EXIT_USAGE;
	char *config = cli_config_path(cli);
	if (!config)
		return cli_error(EXIT_USAGE, "no sluice.yaml here; name it with -c");
	char *argv[] = {program, c, config, restore, mem_strdup(a->pos[0]),
	    cli->output == OUTPUT_TEXT ? NULL : o, json, NULL};
	return exec_replace(path_of(PATH_DAEMON), argv);
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
