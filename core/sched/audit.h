/* audit.h: the chain of the audit records. */
#ifndef CORE_SCHED_AUDIT_H
#define CORE_SCHED_AUDIT_H

#include "core/sched/record.h"

/* SHA-256 of seq, time, actor, verb, object, detail and prev (hexadecimal), a line feed behind
 * each: `prev` of the next record. */
void audit_hash(const struct audit_rec *a, uint8_t out[HASH_SHA256_BYTES]);
/* One more record, of what was done while no daemon held the store; inside a write transaction. */
int audit_note(const struct view *v, wall_us now, const char *actor, const char *verb,
    const char *object, const char *text) CHECK_RESULT;
/* Of the newest record; zeroes where there is none. */
int audit_head(const struct view *v, uint8_t out[HASH_SHA256_BYTES]) CHECK_RESULT;

#endif
