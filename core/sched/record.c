/* record.c: the tables of fields of every record, and the names of states. A new field goes to the
 * end of its table with `since` = the raised version; fields are never removed or reordered. */
#include "core/sched/record.h"

#include "core/sched/codec.h"

#include <string.h>

_Static_assert(
    sizeof(enum run_state) == 4 && sizeof(enum verdict) == 4, "F_ENUM copies four bytes");

const char *run_state_name(enum run_state s)
{
	static const char *const names[] = {
	    "queued", "running", "succeeded", "failed", "cancelled"};

	return (unsigned)s < RUN_STATE_N ? names[s] : "?";
}

const char *step_state_name(enum step_state s)
{
	static const char *const names[] = {"waiting", "ready", "running", "retrying", "succeeded",
	    "failed", "skipped", "cancelled", "upstream_failed"};

	return (unsigned)s < STEP_STATE_N ? names[s] : "?";
}

const char *verdict_name(enum verdict v)
{
	static const char *const names[] = {
	    "started", "waiting", "duplicate", "unmatched", "rejected"};

	return (unsigned)v < VERDICT_N ? names[v] : "?";
}

const char *key_space_name(enum key_space s)
{
	static const char *const names[] = {"time", "key", "join", "event"};

	return (unsigned)s < SPACE_N ? names[s] : "?";
}

const char *notice_name(enum notice n)
{
	static const char *const names[] = {
	    "run.succeeded", "run.failed", "run.cancelled", "run.late", "notify.test"};

	return (unsigned)n < NOTICE_N ? names[n] : "?";
}

const char *backfill_state_name(enum backfill_state s)
{
	static const char *const names[] = {
	    "running", "paused", "succeeded", "failed", "cancelled"};

	return (unsigned)s < BACKFILL_STATE_N ? names[s] : "?";
}

const char *backfill_order_name(enum backfill_order o)
{
	return o == BACKFILL_NEWEST ? "newest" : "oldest";
}

const char *downstream_name(enum downstream d)
{
	static const char *const names[] = {"each", "once", "none"};

	return (unsigned)d < DOWNSTREAM_N ? names[d] : "?";
}

bool run_state_ended(enum run_state s)
{
	return s >= RUN_SUCCEEDED;
}

bool step_state_ended(enum step_state s)
{
	return s >= STEP_SUCCEEDED;
}

#define AT(type, member, kind, size)                                                               \
	{                                                                                          \
		kind, 1, offsetof(struct type, member), size                                       \
	}
#define SINCE(version, type, member, kind, size)                                                   \
	{                                                                                          \
		kind, version, offsetof(struct type, member), size                                 \
	}
#define TEXT(type, member) AT(type, member, F_TEXT, sizeof(((struct type *)0)->member))
#define BYTES(type, member) AT(type, member, F_BYTES, sizeof(((struct type *)0)->member))
#define CODEC(name, type, v)                                                                       \
	static const struct codec name##_codec = {v, name##_fields,                                \
	    sizeof(name##_fields) / sizeof(name##_fields[0]), sizeof(struct type)};                \
	size_t name##_encode(const struct type *r, uint8_t *out)                                   \
	{                                                                                          \
		return codec_encode(&name##_codec, r, out);                                        \
	}                                                                                          \
	int name##_decode(struct slice s, struct type *ret, struct slice *ret_rest)                \
	{                                                                                          \
		return codec_decode(&name##_codec, s, ret, ret_rest);                              \
	}

static const struct field dag_fields[] = {
    AT(dag_rec, no, F_U32, 4),
    TEXT(dag_rec, name),
    BYTES(dag_rec, plan),
    AT(dag_rec, has_plan, F_BOOL, 1),
    AT(dag_rec, state, F_ENUM, DAG_GONE + 1),
    AT(dag_rec, paused, F_BOOL, 1),
    TEXT(dag_rec, file),
    AT(dag_rec, changed_at, F_U64, 8),
};
CODEC(dag, dag_rec, 1)

static const struct field file_fields[] = {
    AT(file_rec, size, F_U64, 8),
    AT(file_rec, mtime_ns, F_U64, 8),
    AT(file_rec, inode, F_U64, 8),
    BYTES(file_rec, signature),
    TEXT(file_rec, dag),
    AT(file_rec, ok, F_BOOL, 1),
};
CODEC(file, file_rec, 1)

static const struct field event_fields[] = {
    AT(event_rec, seq, F_U64, 8),
    TEXT(event_rec, source),
    TEXT(event_rec, external_id),
    TEXT(event_rec, type),
    TEXT(event_rec, subject),
    AT(event_rec, time, F_U64, 8),
    AT(event_rec, received_at, F_U64, 8),
    AT(event_rec, verdict, F_ENUM, VERDICT_N),
    TEXT(event_rec, detail),
    AT(event_rec, duplicate_of, F_U64, 8),
    AT(event_rec, n_runs, F_U32, 4),
    AT(event_rec, runs, F_U64S, 16),
};
CODEC(event, event_rec, 1)

static const struct field dedupe_fields[] = {
    AT(dedupe_rec, event, F_U64, 8),
    BYTES(dedupe_rec, body),
    AT(dedupe_rec, received_at, F_U64, 8),
};
CODEC(dedupe, dedupe_rec, 1)

static const struct field run_fields[] = {
    AT(run_rec, no, F_U64, 8),
    BYTES(run_rec, id),
    AT(run_rec, dag_no, F_U32, 4),
    TEXT(run_rec, dag),
    BYTES(run_rec, plan),
    AT(run_rec, state, F_ENUM, RUN_STATE_N),
    AT(run_rec, cancel, F_BOOL, 1),
    AT(run_rec, timed_out, F_BOOL, 1),
    AT(run_rec, quiet, F_BOOL, 1),
    AT(run_rec, trigger, F_ENUM, TRIGGER_KIND_N),
    TEXT(run_rec, trigger_name),
    AT(run_rec, space, F_ENUM, SPACE_N),
    TEXT(run_rec, key),
    AT(run_rec, revision, F_U32, 4),
    AT(run_rec, priority, F_U32, 4),
    AT(run_rec, window_start, F_U64, 8),
    AT(run_rec, window_end, F_U64, 8),
    AT(run_rec, logical_time, F_U64, 8),
    AT(run_rec, queued_at, F_U64, 8),
    AT(run_rec, started_at, F_U64, 8),
    AT(run_rec, ended_at, F_U64, 8),
    AT(run_rec, deadline_at, F_U64, 8),
    AT(run_rec, event, F_U64, 8),
    AT(run_rec, n_steps, F_U32, 4),
    AT(run_rec, n_open, F_U32, 4),
    AT(run_rec, n_failed, F_U32, 4),
    AT(run_rec, n_cancelled, F_U32, 4),
    TEXT(run_rec, message),
    SINCE(2, run_rec, backfill, F_U64, 8),
    SINCE(2, run_rec, queue_until, F_U64, 8),
    SINCE(2, run_rec, late_at, F_U64, 8),
    SINCE(2, run_rec, reopened, F_U32, 4),
    SINCE(2, run_rec, downstream, F_ENUM, DOWNSTREAM_N),
    SINCE(2, run_rec, late, F_BOOL, 1),
    SINCE(3, run_rec, cancel_at, F_U64, 8),
    SINCE(4, run_rec, spared, F_U64, 8),
};
CODEC(run, run_rec, 4)

static const struct field step_fields[] = {
    AT(step_rec, run, F_U64, 8),
    AT(step_rec, step, F_U16, 2),
    AT(step_rec, item, F_U32, 4),
    AT(step_rec, state, F_ENUM, STEP_STATE_N),
    AT(step_rec, attempt, F_U32, 4),
    AT(step_rec, used, F_U32, 4),
    AT(step_rec, lost, F_U32, 4),
    AT(step_rec, generation, F_U32, 4),
    AT(step_rec, token, F_U64, 8),
    AT(step_rec, instance, F_U64, 8),
    AT(step_rec, class_, F_ENUM, CLASS_N),
    AT(step_rec, unmet, F_U32, 4),
    AT(step_rec, ok_parents, F_U32, 4),
    AT(step_rec, bad_parents, F_U32, 4),
    AT(step_rec, failed_parents, F_U32, 4),
    AT(step_rec, items, F_U32, 4),
    AT(step_rec, items_open, F_U32, 4),
    AT(step_rec, items_bad, F_U32, 4),
    AT(step_rec, items_running, F_U32, 4),
    AT(step_rec, blocked, F_U32, 4),
    AT(step_rec, ready_at, F_U64, 8),
    AT(step_rec, started_at, F_U64, 8),
    AT(step_rec, ended_at, F_U64, 8),
    AT(step_rec, rows_in, F_U64, 8),
    AT(step_rec, rows_out, F_U64, 8),
    AT(step_rec, rows_rejected, F_U64, 8),
    AT(step_rec, bytes, F_U64, 8),
    TEXT(step_rec, item_key),
    TEXT(step_rec, code),
    TEXT(step_rec, message),
    SINCE(2, step_rec, submitted, F_BOOL, 1),
    SINCE(2, step_rec, poll_at, F_U64, 8),
    SINCE(2, step_rec, polls, F_U32, 4),
    SINCE(3, step_rec, poll_ready, F_BOOL, 1),
    SINCE(3, step_rec, stop, F_ENUM, REMOTE_STOP_N),
    SINCE(3, step_rec, poll_errors, F_U32, 4),
    SINCE(3, step_rec, submission, F_U32, 4),
    SINCE(4, step_rec, clock_sum, F_U64, 8),
};
CODEC(step, step_rec, 4)

static const struct field schedule_fields[] = {
    AT(sched_rec, last, F_U64, 8),
    AT(sched_rec, next, F_U64, 8),
    BYTES(sched_rec, plan),
    SINCE(2, sched_rec, upto, F_U64, 8),
    SINCE(2, sched_rec, start_at, F_U64, 8),
    SINCE(2, sched_rec, catchup_at, F_U64, 8),
    SINCE(2, sched_rec, missed, F_U64S, 2 * SCHED_GAPS_MAX),
    SINCE(2, sched_rec, open, F_U64S, SCHED_OPEN_MAX),
};
CODEC(schedule, sched_rec, 2)

static const struct field dataset_fields[] = {
    AT(dataset_rec, no, F_U32, 4),
    TEXT(dataset_rec, name),
    AT(dataset_rec, version, F_U64, 8),
    AT(dataset_rec, complete_through, F_U64, 8),
    AT(dataset_rec, visible_at, F_U64, 8),
    TEXT(dataset_rec, owner_dag),
};
CODEC(dataset, dataset_rec, 1)

static const struct field version_fields[] = {
    AT(version_rec, version, F_U64, 8),
    TEXT(version_rec, partition),
    AT(version_rec, run, F_U64, 8),
    AT(version_rec, token, F_U64, 8),
    AT(version_rec, step, F_U16, 2),
    AT(version_rec, item, F_U32, 4),
    AT(version_rec, changed, F_BOOL, 1),
    AT(version_rec, rows, F_U64, 8),
    AT(version_rec, complete_through, F_U64, 8),
    AT(version_rec, max_event, F_U64, 8),
    AT(version_rec, visible_at, F_U64, 8),
};
CODEC(version, version_rec, 1)

static const struct field join_fields[] = {
    TEXT(join_rec, key),
    AT(join_rec, members, F_U32, 4),
    AT(join_rec, met, F_U32, 4),
    AT(join_rec, opened_at, F_U64, 8),
    AT(join_rec, run, F_U64, 8),
    AT(join_rec, fired, F_U32, 4),
};
CODEC(join, join_rec, 1)

static const struct field cursor_fields[] = {
    AT(cursor_rec, run, F_U64, 8),
    AT(cursor_rec, token, F_U64, 8),
    AT(cursor_rec, complete_through, F_U64, 8),
    AT(cursor_rec, updated_at, F_U64, 8),
};
CODEC(cursor, cursor_rec, 1)

static const struct field token_fields[] = {
    TEXT(token_rec, name),
    AT(token_rec, scopes, F_U32, 4),
    TEXT(token_rec, object),
    AT(token_rec, created_at, F_U64, 8),
    AT(token_rec, last_used_at, F_U64, 8),
};
CODEC(token, token_rec, 1)

static const struct field idempotency_fields[] = {
    AT(idempotency_rec, run, F_U64, 8),
    AT(idempotency_rec, event, F_U64, 8),
};
CODEC(idempotency, idempotency_rec, 1)

static const struct field outbox_fields[] = {
    AT(outbox_rec, seq, F_U64, 8),
    AT(outbox_rec, endpoint_no, F_U32, 4),
    TEXT(outbox_rec, endpoint),
    AT(outbox_rec, notice, F_ENUM, NOTICE_N),
    BYTES(outbox_rec, id),
    AT(outbox_rec, run, F_U64, 8),
    AT(outbox_rec, tries, F_U32, 4),
    AT(outbox_rec, sending, F_BOOL, 1),
    AT(outbox_rec, created_at, F_U64, 8),
    AT(outbox_rec, next_at, F_U64, 8),
    TEXT(outbox_rec, error),
};
CODEC(outbox, outbox_rec, 1)

static const struct field endpoint_fields[] = {
    AT(endpoint_rec, no, F_U32, 4),
    TEXT(endpoint_rec, name),
    AT(endpoint_rec, waiting, F_U64, 8),
    AT(endpoint_rec, sent, F_U64, 8),
    AT(endpoint_rec, given_up, F_U64, 8),
    BYTES(endpoint_rec, last_id),
    AT(endpoint_rec, last_at, F_U64, 8),
    AT(endpoint_rec, last_ok, F_BOOL, 1),
    TEXT(endpoint_rec, error),
};
CODEC(endpoint, endpoint_rec, 1)
static const struct field backfill_fields[] = {
    AT(backfill_rec, no, F_U64, 8),
    AT(backfill_rec, dag_no, F_U32, 4),
    TEXT(backfill_rec, dag),
    TEXT(backfill_rec, trigger),
    TEXT(backfill_rec, from_text),
    TEXT(backfill_rec, to_text),
    AT(backfill_rec, from, F_U64, 8),
    AT(backfill_rec, to, F_U64, 8),
    AT(backfill_rec, next, F_U64, 8),
    AT(backfill_rec, counted, F_U64, 8),
    AT(backfill_rec, due_at, F_U64, 8),
    AT(backfill_rec, order, F_ENUM, BACKFILL_ORDER_N),
    AT(backfill_rec, state, F_ENUM, BACKFILL_STATE_N),
    AT(backfill_rec, downstream, F_ENUM, DOWNSTREAM_N),
    AT(backfill_rec, reprocess, F_BOOL, 1),
    AT(backfill_rec, max_parallel, F_U32, 4),
    AT(backfill_rec, total, F_U64, 8),
    AT(backfill_rec, passed, F_U64, 8),
    AT(backfill_rec, existing, F_U64, 8),
    AT(backfill_rec, rejected, F_U64, 8),
    AT(backfill_rec, taken, F_U64, 8),
    AT(backfill_rec, open, F_U64, 8),
    AT(backfill_rec, succeeded, F_U64, 8),
    AT(backfill_rec, failed, F_U64, 8),
    AT(backfill_rec, cancelled, F_U64, 8),
    AT(backfill_rec, created_at, F_U64, 8),
    AT(backfill_rec, ended_at, F_U64, 8),
    TEXT(backfill_rec, actor),
    TEXT(backfill_rec, message),
};
CODEC(backfill, backfill_rec, 1)

static const struct field audit_fields[] = {
    AT(audit_rec, seq, F_U64, 8),
    AT(audit_rec, at, F_U64, 8),
    TEXT(audit_rec, actor),
    TEXT(audit_rec, verb),
    TEXT(audit_rec, object),
    TEXT(audit_rec, detail),
    BYTES(audit_rec, prev),
};
CODEC(audit, audit_rec, 1)

static const struct field cancel_fields[] = {
    AT(cancel_rec, no, F_U64, 8),
    AT(cancel_rec, dag_no, F_U32, 4),
    AT(cancel_rec, upto, F_U64, 8),
    AT(cancel_rec, queued, F_BOOL, 1),
    AT(cancel_rec, hard, F_BOOL, 1),
    AT(cancel_rec, state, F_ENUM, RUN_STATE_N),
    AT(cancel_rec, at, F_U64, 8),
    AT(cancel_rec, created_at, F_U64, 8),
    AT(cancel_rec, due_at, F_U64, 8),
    TEXT(cancel_rec, message),
};
CODEC(cancel, cancel_rec, 1)
