/* job.h: what the pool hands over (core/README.md §6), read once. Strings and nodes are borrowed
 * from the job's own trees. */
#ifndef CORE_WORKER_JOB_H
#define CORE_WORKER_JOB_H

#include "core/base/err.h"
#include "core/base/json.h"
#include "core/worker/secret.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct job {
	struct json *root;	 /* owned */
	struct json *rendered;	 /* owned: task, model, extract, transform, load, publishes with
				    templates filled in */
	struct secrets *secrets; /* owned */
	const char *deployment, *dag, *run, *step, *key, *trigger, *zone, *base_dir;
	const char *item;	    /* or NULL */
	const char *phase, *handle; /* of work elsewhere: "submit", "poll", "cancel"; where it is */
	uint32_t submission;
	const char *state_dir, *scratch_dir, *reject_file, *ledger_key, *fence_key;
	uint32_t attempt, generation, revision, preview_rows, needs;
	uint64_t token;
	int64_t logical_us, window_from_us, window_to_us; /* TIME_NONE: none */
	int64_t deadline_ms;				  /* -1: none */
	bool full_refresh, dry_run, keep_privileges, cursor_step;
	const struct json *step_plan, *datasets, *connections, *cursor, *positions, *plugin_dirs,
	    *env;
	char *base_owned; /* owned: stands behind base_dir where the job has none */
};

/* Takes root, also on failure. Secrets leave the tree here. */
int job_new(struct json *root, struct job **ret, struct err *err) CHECK_RESULT;
/* Fills in the templates; ERR_CONFIG with the place and the expression. */
int job_render(struct job *j, struct err *err) CHECK_RESULT;
void job_free(struct job *j); /* accepts NULL */
/* The rendered role of the step: "task", "extract", "load" …; NULL where the step lacks it. */
const struct json *job_role(const struct job *j, const char *role);

#endif
