/* spawn.h: one command in its own process group, for the task, the extract and the load. */
#ifndef PLUGINS_EXEC_SPAWN_H
#define PLUGINS_EXEC_SPAWN_H

#include "sluice/kit/buf.h"
#include "sluice/kit/error.h"
#include "sluice/kit/json.h"

#include <pthread.h>
#include <stdbool.h>
#include <sys/types.h>

struct command {
	const slu_host *host; /* borrowed */
	slu_run *run;	      /* borrowed */
	char **argv, **envp;  /* owned */
	size_t n_argv, n_envp, cap_argv, cap_envp;
	char *cwd;	      /* owned, or NULL */
	slu_json *exits;      /* owned: code -> class */
	int in_fd, out_fd;    /* what the child gets as 0 and 1; -1: /dev/null and the worker's own.
				 Owned until the spawn */
	pthread_mutex_t lock; /* pid and cancelled: cancel comes from another thread */
	pid_t pid;	      /* 0: none */
	bool cancelled, reaped;
	slu_rc rc; /* of the exit */
};

/* Options command, shell, env, cwd, stdin, exit; the environment of SLUICE_* variables. c is zeroed
 * by this. */
slu_rc command_init(struct command *c, const slu_host *host, slu_run *run, slu_err *err) SLU_CHECK;
void command_done(struct command *c); /* kills what still runs */
void command_env(struct command *c, const char *name, const char *value);
slu_rc command_spawn(struct command *c, slu_err *err) SLU_CHECK;
/* Waits; the exit code as a class, with its message. May be asked again. */
slu_rc command_wait(struct command *c, slu_err *err) SLU_CHECK;
void command_cancel(struct command *c); /* TERM to the group; the pool kills after the grace */

/* Entries of the option tables that all three roles share. */
#define EXEC_OPTIONS                                                                               \
	{.name = "command",                                                                        \
	    .type = SLU_T_LIST,                                                                    \
	    .flags = SLU_F_TEMPLATED | SLU_F_REQUIRED,                                             \
	    .excludes = "shell",                                                                   \
	    .doc = "The program and its arguments, as a list, found by PATH; or shell."},          \
	    {.name = "shell",                                                                      \
		.type = SLU_T_STRING,                                                              \
		.flags = SLU_F_TEMPLATED,                                                          \
		.excludes = "command",                                                             \
		.doc = "Text for /bin/sh -c."},                                                    \
	    {.name = "env",                                                                        \
		.type = SLU_T_MAP,                                                                 \
		.flags = SLU_F_TEMPLATED,                                                          \
		.doc = "Environment variables besides SLUICE_*."},                                 \
	    {.name = "cwd",                                                                        \
		.type = SLU_T_STRING,                                                              \
		.flags = SLU_F_TEMPLATED,                                                          \
		.doc = "Working folder; relative paths start at sluice.yaml."},                    \
	{                                                                                          \
		.name = "exit", .type = SLU_T_MAP,                                                 \
		.doc = "Classes for exit codes, besides 0 ok, 64 and 78 config, 65 data, 77 "      \
		       "auth, any other "                                                          \
		       "transient: {3: data}.",                                                    \
	}

#endif
