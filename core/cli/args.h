/* args.h: parsing the options of one command; for main.c. */
#ifndef CORE_CLI_ARGS_H
#define CORE_CLI_ARGS_H

#include "core/cli/cli.h"

extern const struct cli_opt global_opts[];
/* argv begins behind the command's name. 0, or an exit code after printing why. */
int args_parse(struct args *a, const struct command *command, int argc, char **argv) CHECK_RESULT;
void args_print_help(const struct command *c);

#endif
