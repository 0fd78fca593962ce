/* cmd_schema.c: `sluice schema`: the JSON Schema of DAG files, or what one key means. */
#include "core/base/mem.h"
#include "core/base/paths.h"
#include "core/cli/cli.h"

#include <string.h>

static const struct cli_opt opts[] = {
    {NULL, NULL, NULL, 0},
};

static int run(struct cli *cli, const struct args *a)
{
	char worker[] = "sluice-worker", option[] = "--schema";
	char *path = a->n_pos ? mem_strdup(a->pos[0]) : NULL;
	char *argv[] = {worker, option, path, NULL};
	(void)cli;
	if (!args_expect(a, 0, 1))
		return EXIT_USAGE;
	return exec_replace(path_of(PATH_WORKER), argv);
}

const struct command cmd_schema = {
    .name = "schema",
    .synopsis = "[PATH]",
    .summary = "Print the JSON Schema of DAG files, or of one key",
    .help = "PATH is a key path such as steps.NAME.retry or triggers.NAME.cron, with any NAME;\n"
	    "`sluice.yaml` gives the schema of the configuration. Needs no daemon.\n"
	    "\nExamples:\n"
	    "  sluice schema > dag.schema.json\n"
	    "  sluice schema steps.NAME.retry",
    .opts = opts,
    .run = run,
};
