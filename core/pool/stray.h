/* stray.h: children of the pool that it did not start. A worker is a subreaper, so while it lives
 * its descendants are its own; once it died they come to the pool. So whatever is unknown here
 * belongs to dead workers, and is killed. */
#ifndef CORE_POOL_STRAY_H
#define CORE_POOL_STRAY_H

#include <stdbool.h>
#include <sys/types.h>

typedef bool (*stray_known)(void *ctx, pid_t pid);
/* Kills every unknown child with its descendants and says how many children there were, zombies
 * included: call it again when they were reaped, until 0. freeze: stops them first (what forks
 * faster than it is killed). */
unsigned stray_kill(stray_known known, void *ctx, bool freeze);

#endif
