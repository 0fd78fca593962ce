/* attempt.h: one entry of the mailbox's table, and a job of the system lane, which looks the same
 * but is never kept.
 *
 * noted -> running -> ended, the outcome kept until ACK (rule 8). `reason` marks a kill order; the
 * outcome still comes from the report or the exit (rules 17-19). */
#ifndef CORE_POOL_ATTEMPT_H
#define CORE_POOL_ATTEMPT_H

#include "core/base/clock.h"
#include "core/pool/note.h"

#include <event2/event.h>
#include <event2/event_struct.h>
#include <sys/queue.h>

enum attempt_state { ATTEMPT_NOTED, ATTEMPT_RUNNING, ATTEMPT_ENDED };

struct attempt_key {
	uint64_t run, token;
	uint32_t step, item;
};

struct attempt;
struct out_item { /* a frame that waits for the daemon's socket */
	TAILQ_ENTRY(out_item) link;
	struct attempt *attempt; /* NULL: END */
	uint16_t type;
	bool queued;
};
TAILQ_HEAD(out_queue, out_item);

struct attempt {
	struct attempt_key key;
	bool system; /* token is the daemon's request number */
	bool deaf;   /* system: its daemon is gone, nobody wants the answer */
	enum attempt_state state;
	uint32_t reason; /* OUT_OK: no kill order */
	struct note note;

	uint32_t code; /* enum frame_outcome, once ended */
	char *report;  /* owned; NULL: none */
	size_t report_n;
	mono_us ended_at;

	char *progress; /* owned; newest that is not sent, NULL: none */
	size_t progress_n;
	mono_us progress_at; /* of the last that was sent */

	/* owned by the slots */
	uint64_t log;
	struct worker *worker; /* borrowed; NULL: none (any more) */
	struct event deadline, grace;
	bool has_timers;

	/* owned by the mailbox */
	struct out_item run_item, out_item;
	LIST_ENTRY(attempt) hash;
	TAILQ_ENTRY(attempt) link; /* all of the table, or the system lane's queue */
	char *job;		   /* owned; only while a system job waits for its turn */
	size_t job_n;
};
TAILQ_HEAD(attempt_list, attempt);

#endif
