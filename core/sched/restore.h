/* restore.h: what a restored store needs before a daemon may open it. */
#ifndef CORE_SCHED_RESTORE_H
#define CORE_SCHED_RESTORE_H

#include "core/sched/view.h"

struct restore_from {	     /* of the store that is replaced; 0: not known */
	uint64_t next_event; /* the next numbers it would have given away */
	uint64_t next_run;
	uint32_t epoch;	      /* its epoch */
	uint32_t epoch_least; /* minutes since 2020: above every epoch of a store that nobody saw */
};
/* Raises the epoch, the tokens of running attempts and the numbers, pauses all, holds DISPATCH. */
int sched_restore(const struct view *v, const struct restore_from *from) CHECK_RESULT;

#endif
