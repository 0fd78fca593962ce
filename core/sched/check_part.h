/* check_part.h: inside core/sched: the parts of check_store. */
#ifndef CORE_SCHED_CHECK_PART_H
#define CORE_SCHED_CHECK_PART_H

#include "core/sched/view.h"

struct check_out {
	const struct view *v;
	void (*problem)(void *arg, const char *text);
	void *arg;
};
void check_report(struct check_out *o, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

int check_counts(struct check_out *o) CHECK_RESULT; /* table count against a recount */
int check_names(
    struct check_out *o) CHECK_RESULT; /* DAGs, listeners, schedules, data sets, events */

int check_backfills(struct check_out *o) CHECK_RESULT;
int check_cancels(struct check_out *o) CHECK_RESULT;
int check_audit(struct check_out *o) CHECK_RESULT; /* the chain of the records */

#endif
