/* run_body.h: what `run` and `trigger` share: the body of POST /v1/dags/DAG/runs out of the
 * options. */
#ifndef CORE_CLI_RUN_BODY_H
#define CORE_CLI_RUN_BODY_H

#include "core/cli/cli.h"

#define RUN_OPTIONS                                                                                \
	{"param", "NAME=VALUE",                                                                    \
	    "Set a parameter; JSON where it reads as JSON, else text. May be repeated.", 'p'},     \
	    {"at", "TIME", "The logical time: a date, or RFC 3339.", 0},                           \
	    {"key", "KEY", "The run's key: the same key is the same run.", 0},                     \
	{                                                                                          \
		"trigger", "NAME",                                                                 \
		    "The trigger to act for; needed with --at where the DAG has several.", 0       \
	}

/* Posts the run. *ret is the reply; exit code otherwise. */
int run_post(struct cli *cli, const struct args *a, const char *dag, struct json **ret);
/* {"name": value} out of every --param; NULL and an exit code printed when one is malformed. */
struct json *run_params(const struct args *a);

#endif
