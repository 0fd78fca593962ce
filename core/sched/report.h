/* report.h: the report of an attempt (core/README.md §6), checked before anything of it is written.
 * It comes from a worker: nothing in it is trusted. */
#ifndef CORE_SCHED_REPORT_H
#define CORE_SCHED_REPORT_H

#include "core/sched/record.h"

struct report {
	enum step_class class_;
	char code[32];
	char message[MESSAGE_MAX];
	int64_t retry_after_ms, rows_in, rows_out, rows_rejected, bytes;
	/* work elsewhere: its handle while it goes on, NULL otherwise; and whether its end was seen
	 */
	const char *handle;
	int64_t poll_after_ms;
	bool remote_ended;
	/* of root, or NULL */
	const struct json *outputs, *datasets, *cursor, *positions;
	struct json *root; /* owned */
};
/* outcome: enum outcome_code. Never fails: a report that is no good gives class internal. */
void report_read(int outcome, const char *text, size_t n, struct report *ret);
void report_done(struct report *r);

#endif
