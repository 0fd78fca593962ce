/* retry.h: whether and when an attempt that ended badly is tried again. Pure. */
#ifndef CORE_SCHED_RETRY_H
#define CORE_SCHED_RETRY_H

#include "core/dag/plan.h"

#define RETRY_LOST_MAX 3u /* tries that may end lost, besides retry.attempts */

struct retry_case {
	enum step_class class_;
	uint32_t used;		/* tries that count, this one included unless it was lost */
	uint32_t lost;		/* tries that ended lost, this one included */
	int64_t retry_after_ms; /* what the server named for class quota */
};
/* True with the delay. *random is advanced where jitter is asked for. */
bool retry_decide(
    const struct plan_step *p, const struct retry_case *c, uint64_t *random, int64_t *ret_delay_ms);

#endif
