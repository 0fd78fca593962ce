/* logtail.h: the last lines of a step's log, for those who are told that it failed. */
#ifndef CORE_DAEMON_LOGTAIL_H
#define CORE_DAEMON_LOGTAIL_H

#include "core/base/json.h"

/* step: {"name", "item_no"?, "attempt"} of a message's data. An array of at most `lines` texts,
 * owned by the caller; NULL where there is no log. Reads at most 16 KiB. */
struct json *log_tail(
    const char *state, const char *dag, const char *run, const struct json *step, int lines);

#endif
