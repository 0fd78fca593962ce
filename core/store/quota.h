/* quota.h: how full store and disk are. Used inside core/store. */
#ifndef CORE_STORE_QUOTA_H
#define CORE_STORE_QUOTA_H

#include "core/store/env.h"

struct quota {
	mono_us looked_at, live_at;
	uint64_t live_bytes;
	enum quota_level level;
	bool disk_low; /* new work is refused */
	bool stuck;    /* nothing can be committed */
};
/* Looks again where the last look is a while ago; logs what changes. limit 0: none. */
void quota_look(struct quota *q, struct store *s, uint64_t limit, mono_us now);
/* ERR_FULL for what may wait outside; 0 for what must go on. */
int quota_refuses(const struct quota *q, const struct op *op, struct err *err) CHECK_RESULT;
enum quota_level quota_level_of(enum quota_level was, uint64_t live, uint64_t limit);

#endif
