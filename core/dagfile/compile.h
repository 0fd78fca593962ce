/* compile.h: DAG texts -> plans (core/README.md §3), with everything that is wrong by line and
 * column. A pure function over texts: it reads no file and no clock; the worker does, also for the
 * files that a DAG file names. */
#ifndef CORE_DAGFILE_COMPILE_H
#define CORE_DAGFILE_COMPILE_H

#include "core/base/clock.h"
#include "core/base/json.h"
#include "core/base/str.h"
#include "core/base/vec.h"
#include "core/dag/plan.h"
#include "core/dagfile/catalog.h"
#include "core/dagfile/diag.h"

#include <stdbool.h>
#include <stddef.h>

#define COMPILE_MAX_FILES 20000
#define COMPILE_NEXT 5 /* instants shown by check */

/* Text of one DAG file. text NULL: it could not be read, `unreadable` says why. */
struct compile_file {
	const char
	    *path; /* as shown in errors; relative paths in the file are relative to its folder */
	const char *text;
	size_t n;
	const char *unreadable;
};
struct compile_input {
	const struct compile_file *files; /* borrowed */
	size_t n_files;
	const struct json *config; /* compiled sluice.yaml (core/README.md §4), or NULL: names of
				    * connections, hooks and so on are not checked (a warning), and
				    * steps that need them give no plan */
	bool config_broken; /* config is NULL because sluice.yaml has errors, not for want of one */
	const struct catalog *catalog; /* what the installed plugins offer */
	wall_us now;		       /* for `next`; TIME_NONE: not asked for */
	bool whole; /* the files are all there are: a data set that nobody publishes is worth a
		       warning */
	/* Text of a file that a DAG file names, at most the bytes that *out may take; NULL: no
	 * other file can be read. */
	int (*read)(void *arg, const char *path, struct str *out, struct err *err);
	void *read_arg;
};

/* What came of one file. */
struct compile_result {
	char *path;		 /* owned */
	char dag[PLAN_NAME_MAX]; /* "" where the file does not say */
	bool ok;		 /* no errors */
	bool list;		 /* no DAG, but a list for the foreach of another file: no plan */
	char *plan;    /* owned; NULL where there are errors or names that only sluice.yaml knows */
	size_t plan_n; /* bytes */
	const char *promise; /* weakest of its loads: none at_least_once replace once */
	struct diags diags;
	wall_us next[COMPILE_NEXT]; /* of its cron triggers, from now on */
	size_t n_next;
	VEC(char *) inputs; /* owned: other files that it names, read or not */
};
struct compile_output {
	struct compile_result *v; /* owned; in the order of the files */
	size_t n;
	bool ok; /* all of them */
};

struct compile_output *compile_set(const struct compile_input *in);
void compile_output_free(struct compile_output *out); /* accepts NULL */

/* The check object of one file: {"path","dag","promise","errors","warnings","next"}. */
void compile_write_report(const struct compile_result *r, struct jw *w);
/* {"ok","files":[…]} as `sluice check -o json` prints it. */
void compile_write_check(const struct compile_output *out, struct jw *w);

#endif
