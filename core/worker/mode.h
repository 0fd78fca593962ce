/* mode.h: what sluice-worker does besides serving the pool. Each mode prints JSON on standard
 * output and returns the program's exit code (CONTRACT). */
#ifndef CORE_WORKER_MODE_H
#define CORE_WORKER_MODE_H

#include "core/base/json.h"

#include <stdbool.h>
#include <stdint.h>

struct mode_options {
	const char *config, *catalog, *state; /* or NULL */
	struct json *plugin_dirs;	      /* owned by main: array of --plugins */
	int64_t pool;			      /* its process id; 0: none */
	bool plans;  /* --compile prints plans too, as the system job does */
	char **args; /* what stands behind the mode */
	int n_args;
};

int mode_compile(const struct mode_options *o);
int mode_compile_config(const struct mode_options *o);
int mode_describe(const struct mode_options *o);
int mode_schema(const struct mode_options *o);
int mode_conform(const struct mode_options *o);

#endif
