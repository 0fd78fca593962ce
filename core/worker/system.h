/* system.h: jobs of the pool's system lane: compile files, compile the configuration, describe
 * plugins. */
#ifndef CORE_WORKER_SYSTEM_H
#define CORE_WORKER_SYSTEM_H

#include "core/base/json.h"
#include "core/base/str.h"

/* Always answers: {"error": text} where the job itself is wrong. */
void system_run(const struct json *job, struct str *out);
/* Puts {"error": text} in the place of what out holds. */
void system_error(struct str *out, const char *text);

#endif
