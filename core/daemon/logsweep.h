/* logsweep.h: which log and reject files go. Used inside core/daemon. */
#ifndef CORE_DAEMON_LOGSWEEP_H
#define CORE_DAEMON_LOGSWEEP_H

#include "core/base/clock.h"
#include "core/store/store.h"

#include <stdatomic.h>

struct sweep_options {
	const char *state;
	struct store_read *read; /* of the calling thread */
	wall_us now;
	int64_t keep_us;
	uint64_t max_bytes;
	const atomic_bool *stop;
};
struct sweep_result {
	uint64_t bytes; /* of what is left, on the disk */
	uint64_t dropped_bytes, files;
	int failed; /* errno of a file that could not be removed, or 0 */
};
void logs_sweep(const struct sweep_options *o, struct sweep_result *ret);

#endif
