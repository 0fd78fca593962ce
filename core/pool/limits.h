/* limits.h: what the pool does to itself and what its workers get: resources, environment, session,
 * descriptors. */
#ifndef CORE_POOL_LIMITS_H
#define CORE_POOL_LIMITS_H

#include "core/base/err.h"

#include <sys/resource.h>

/* Raises the pool's own descriptor limit; *ret_worker is what it found, for the workers. No core
 * dumps. */
void limits_set(struct rlimit *ret_worker);
/* Leaves only names on the allow list. What a step needs comes with its job. */
void limits_scrub_environment(void);
/* Own session, subreaper, not dumpable, standard input from /dev/null, no descriptor from 3 on but
 * *keep (moved, its new number is written back; -1: none), current folder "/". */
int limits_detach(int *keep, struct err *err) CHECK_RESULT;

#endif
