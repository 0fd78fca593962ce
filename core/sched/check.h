/* check.h: the invariants of a store: every index entry has its record and every record its index
 * entries, every count is what a recount says. fsck, the simulator and the tests call it. Reads
 * only. */
#ifndef CORE_SCHED_CHECK_H
#define CORE_SCHED_CHECK_H

#include "core/sched/view.h"

/* Calls problem once for each violation, with one line of text that names table and key. 0 when all
 * was read, whatever was found; ERR_IO, ERR_CORRUPT where reading itself failed. */
int check_store(
    const struct view *v, void (*problem)(void *arg, const char *text), void *arg) CHECK_RESULT;

#endif
