/* audit.h: the chain of the audit records. */
#ifndef CORE_SCHED_AUDIT_H
#define CORE_SCHED_AUDIT_H

#include "core/sched/record.h"

/* SHA-256 of seq, time, actor, verb, object, detail and prev (hexadecimal), a line feed behind
 * each: `prev` of the next record. */
void audit_hash(const struct audit_rec *a, uint8_t out[HASH_SHA256_BYTES]);
/* Of the newest record; zeroes where there is none. */
int audit_head(const struct view *v, uint8_t out[HASH_SHA256_BYTES]) CHECK_RESULT;

#endif
