/* record.h: the records of the store and their keys: plain structs, one encode and one decode each.
 *
 * A value begins with a version byte; integers are big-endian; texts are length-prefixed. Decoders
 * accept older versions and refuse newer ones (ERR_UNSUPPORTED). They live here, and not in
 * core/store, because apply, fsck, the routes and the simulator all read them; core/store adds the
 * CRC. Times are wall_us, TIME_NONE where there is none. */
#ifndef CORE_SCHED_RECORD_H
#define CORE_SCHED_RECORD_H

#include "core/base/clock.h"
#include "core/base/hash.h"
#include "core/dag/plan.h"
#include "core/sched/view.h"

#define MESSAGE_MAX 512
#define ACTOR_MAX 96	/* "unix:1000", "token:NAME" */
#define RECORD_MAX 4096 /* bytes: no encoded record is longer, its tail (body, JSON) apart */

/* rerun and backfill --downstream: each publication starts its subscribers as ever (each), or once
 * at the end of the rerun or backfill (once), or not at all (none). DOWNSTREAM_EACH is what normal
 * runs do. */
enum downstream { DOWNSTREAM_EACH, DOWNSTREAM_ONCE, DOWNSTREAM_NONE, DOWNSTREAM_N };
enum run_state { RUN_QUEUED, RUN_RUNNING, RUN_SUCCEEDED, RUN_FAILED, RUN_CANCELLED, RUN_STATE_N };
enum step_state {
	STEP_WAITING,
	STEP_READY,
	STEP_RUNNING,
	STEP_RETRYING, /* waits for its due entry */
	STEP_SUCCEEDED,
	STEP_FAILED,
	STEP_SKIPPED,
	STEP_CANCELLED,
	STEP_UPSTREAM_FAILED,
	STEP_STATE_N
};
enum remote_stop { REMOTE_KEEP, REMOTE_CANCEL, REMOTE_TIMEOUT, REMOTE_STOP_N };
enum verdict {
	VERDICT_STARTED,
	VERDICT_WAITING,
	VERDICT_DUPLICATE,
	VERDICT_UNMATCHED,
	VERDICT_REJECTED,
	VERDICT_N
};
enum key_space { SPACE_TIME, SPACE_KEY, SPACE_JOIN, SPACE_EVENT, SPACE_N };
enum dag_state {
	DAG_LIVE,
	DAG_BROKEN /* the file does not compile: the last good plan is live */,
	DAG_GONE
};
const char *run_state_name(enum run_state s);
const char *step_state_name(enum step_state s);
const char *verdict_name(enum verdict v);
const char *key_space_name(enum key_space s);
const char *downstream_name(enum downstream d);
bool run_state_ended(enum run_state s);
bool step_state_ended(enum step_state s);

struct dag_rec {
	uint32_t no;
	char name[PLAN_NAME_MAX];
	uint8_t plan[HASH_SHA256_BYTES];
	bool has_plan;
	enum dag_state state;
	bool paused;
	char file[256]; /* relative to the DAG folder */
	wall_us changed_at;
};

struct file_rec { /* one DAG file as last compiled: unchanged files are not compiled again at start
		   */
	uint64_t size, mtime_ns, inode;
	uint8_t signature[HASH_SHA256_BYTES]; /* file bytes, compiler version, option tables,
						 configuration */
	char dag[PLAN_NAME_MAX];	      /* "" where the file did not compile */
	bool ok;
	/* the rest of the value: the check object of the file as JSON (errors, warnings), for
	 * `dags` and `check` */
};

struct event_rec {
	uint64_t seq;
	char source[128]; /* "hook:shop-ingest", "manual", "cron:DAG/TRIGGER" */
	char external_id[256];
	char type[128], subject[256];
	wall_us time, received_at;
	enum verdict verdict;
	char detail[MESSAGE_MAX];
	uint64_t duplicate_of; /* 0 */
	uint32_t n_runs;
	uint64_t runs[16]; /* the first of them */
			   /* the rest of the value: body as JSON text */
};

struct dedupe_rec {
	uint64_t event;
	uint8_t body[HASH_ID_BYTES];
	wall_us received_at;
};

struct run_rec {
	uint64_t no;
	uint8_t id[HASH_ID_BYTES]; /* H128(dag, key space, identity key, revision); text in base 32
				      is the public id */
	uint32_t dag_no;
	char dag[PLAN_NAME_MAX];
	uint8_t plan[HASH_SHA256_BYTES];
	enum run_state state;
	bool cancel;	/* cancel was committed; running attempts may still end well */
	bool timed_out; /* run_timeout passed: ends failed, not cancelled */
	bool quiet;	/* rerun --downstream none: what it publishes starts nothing */
	enum trigger_kind trigger;
	char trigger_name[PLAN_NAME_MAX];
	enum key_space space;
	char key[PLAN_KEY_MAX]; /* as shown; in space time the identity also holds the trigger's
				   name */
	uint32_t revision;
	int32_t priority;
	wall_us window_start, window_end, logical_time, queued_at, started_at, ended_at;
	wall_us deadline_at; /* of run_timeout, while it runs: its due entry */
	uint64_t event;	     /* first event, 0 if none */
	/* Counts, kept by apply, recounted by fsck. n_steps and n_open hold foreach items too, the
	 * other two do not. */
	uint32_t n_steps, n_open; /* open: not ended */
	uint32_t n_failed;	  /* failed or upstream_failed without allow_failure */
	uint32_t n_cancelled;
	char message[MESSAGE_MAX];
	/* since version 2; 0 for none */
	uint64_t backfill;	    /* number of the backfill that made it */
	wall_us queue_until;	    /* of queue_timeout, while it is queued: its due entry */
	wall_us late_at;	    /* of late_after, until it starts: its due entry */
	uint32_t reopened;	    /* how often a rerun opened it again */
	enum downstream downstream; /* what its publications start */
	bool late;		    /* late_after passed before it started: it was told once */
	/* since version 3 */
	wall_us cancel_at; /* while a cancel goes on over many items: its due entry; 0 */
	/* since version 4 */
	uint64_t
	    spared; /* orders up to this one (cancel_rec.no) do not mean it: opened again since */
};

/* An order to cancel many runs that has not come to all of them yet: runs up to `upto` of a DAG, or
 * of all (dag_no 0), but those opened again since (run_rec.spared). */
struct cancel_rec {
	uint64_t no;
	uint32_t dag_no;
	uint64_t upto;
	bool queued;	      /* only runs that have not begun: the DAG's file is gone */
	bool hard;	      /* without grace */
	enum run_state state; /* being walked: RUN_RUNNING, then RUN_QUEUED */
	uint64_t at;	      /* run up to which that is done */
	wall_us created_at, due_at;
	char message[MESSAGE_MAX];
};

struct step_rec {
	uint64_t run;
	uint16_t step; /* index in the plan */
	uint32_t item; /* 0: the step itself, or the group of a foreach; 1…n: its items */
	enum step_state state;
	uint32_t attempt; /* tries begun, shown from 1; UNLEASE takes its try back */
	uint32_t used;	  /* tries that count against retry.attempts */
	uint32_t lost;	  /* tries that ended lost */
	uint32_t generation;
	uint64_t token;	   /* current, 0 before the first hand-over */
	uint64_t instance; /* pool instance that holds it while RUNNING */
	enum step_class class_;
	uint32_t unmet; /* parents that have not ended */
	/* Of the ended parents. ok: succeeded, or failed with allow_failure, or left out by --only;
	 * bad: failed, upstream_failed or cancelled otherwise; failed: failed or upstream_failed,
	 * allowed or not. The rest were skipped. */
	uint32_t ok_parents, bad_parents, failed_parents;
	uint32_t items, items_open, items_bad, items_running; /* of a foreach group */
	/* READY: 0 in table ready, else in table blocked under resource `blocked - 1` of
	 * step_resource() */
	uint32_t blocked;
	/* READY: since when; RETRYING: when it will be. Part of the keys of ready, blocked and due.
	 */
	wall_us ready_at, started_at, ended_at;
	int64_t rows_in, rows_out, rows_rejected, bytes;
	char item_key[PLAN_KEY_MAX];
	char code[32];
	char message[MESSAGE_MAX];
	/* since version 2: work elsewhere (submit, poll, cancel_remote; remote.c). While
	 * `submitted` holds the step is RUNNING with its pool tokens; between polls it has no
	 * instance and no slot, and its handle is in STEP_DOC_HANDLE. */
	bool submitted;
	wall_us poll_at; /* when it is polled next: its due entry; 0 while a worker polls */
	uint32_t polls;
	/* since version 3 */
	bool poll_ready;       /* poll_at has come: it stands in table ready instead of due */
	enum remote_stop stop; /* why its end was asked for: a worker calls cancel_remote */
	uint32_t poll_errors;  /* polls in a row that could not tell; tries to end it */
	uint32_t submission;   /* works of this generation whose end was seen: part of the id */
	/* since version 4 */
	int64_t clock_sum; /* META_CLOCK_SUM at started_at: the timeout is a length of time */
};

enum due_kind {
	DUE_CRON = 1,
	DUE_RETRY,
	DUE_RUN_TIMEOUT,
	DUE_QUEUE_TIMEOUT,
	DUE_OUTBOX,
	DUE_EXPIRE,
	DUE_LATE,
	DUE_POLL,	/* a submitted step is to be polled */
	DUE_CATCHUP,	/* the next missed ticks of a schedule may start */
	DUE_BACKFILL,	/* the next runs of a backfill may start */
	DUE_CANCEL,	/* more items of a cancelled run are to end */
	DUE_CANCEL_MANY /* more runs of an order to cancel are to end */
};

#define SCHED_GAPS_MAX 8u
#define SCHED_OPEN_MAX 64u  /* the largest at_once */
struct sched_rec {	    /* of a time trigger */
	wall_us last, next; /* logical instants; next TIME_NONE: never again */
	uint8_t plan[HASH_SHA256_BYTES];
	/* since version 2; 0 for none */
	wall_us upto;	  /* every instant up to it is decided: it ran, is missed, or is left out */
	wall_us start_at; /* when the run of `next` starts (jitter): its due entry; 0: at next */
	wall_us catchup_at; /* its entry of kind DUE_CATCHUP */
	/* Pairs (after, upto]: missed instants that are to run, oldest first. */
	uint64_t missed[2 * SCHED_GAPS_MAX];
	uint64_t open[SCHED_OPEN_MAX]; /* runs of missed instants that have not ended */
};

struct dataset_rec {
	uint32_t no;
	char name[PLAN_DATASET_MAX];
	uint64_t version; /* newest; 0: never published */
	wall_us complete_through, visible_at;
	char owner_dag[PLAN_NAME_MAX];
};
struct version_rec {
	uint64_t version;
	char partition[PLAN_PARTITION_MAX];
	uint64_t run, token;
	uint16_t step;
	uint32_t item;
	bool changed;
	int64_t rows;
	wall_us complete_through, max_event, visible_at;
};
struct join_rec {
	char key[PLAN_KEY_MAX];
	uint32_t members, met;
	wall_us opened_at;
	uint64_t run; /* 0: not fired */
	uint32_t fired;
};
struct cursor_rec {
	uint64_t run, token;
	wall_us complete_through, updated_at;
	/* the rest of the value: cursor JSON */
};
enum token_scope {
	SCOPE_READ = 1u << 0,
	SCOPE_ADMIN = 1u << 1,
	SCOPE_RUN = 1u << 2,
	SCOPE_INGEST = 1u << 3
};
struct token_rec {
	char name[PLAN_NAME_MAX];
	uint32_t scopes;	    /* SCOPE_* */
	char object[PLAN_NAME_MAX]; /* DAG of run:DAG, hook of ingest:NAME, or "" for all */
	wall_us created_at, last_used_at;
};

enum backfill_order { BACKFILL_OLDEST, BACKFILL_NEWEST, BACKFILL_ORDER_N };
enum backfill_state {
	BACKFILL_RUNNING,
	BACKFILL_PAUSED,
	BACKFILL_SUCCEEDED,
	BACKFILL_FAILED,
	BACKFILL_CANCELLED,
	BACKFILL_STATE_N
};
const char *backfill_state_name(enum backfill_state s);
const char *backfill_order_name(enum backfill_order o);
const char *downstream_name(enum downstream d);
struct backfill_rec {
	uint64_t no;
	uint32_t dag_no;
	char dag[PLAN_NAME_MAX];
	char trigger[PLAN_NAME_MAX];
	char from_text[48], to_text[48]; /* as given */
	wall_us from, to;		 /* logical times, both inclusive */
	/* Walked so far: the next target lies at or after it (newest: at or before it); TIME_NONE:
	 * none is left. */
	wall_us next;
	wall_us counted; /* targets from here on are not in `total` yet; TIME_NONE: all are */
	wall_us due_at;	 /* its due entry, TIME_NONE where it has none */
	enum backfill_order order;
	enum backfill_state state;
	enum downstream downstream;
	bool reprocess;
	uint32_t max_parallel;
	/* Targets. passed = existing + rejected + taken + open + succeeded + failed + cancelled;
	 * open is recounted by fsck; runs that ended may have been dropped by age since. */
	uint64_t total, passed;
	uint64_t existing; /* had a run that was kept */
	uint64_t rejected; /* the trigger's params are no good */
	uint64_t taken;	   /* runs that a later backfill runs again */
	uint64_t open, succeeded, failed, cancelled;
	wall_us created_at, ended_at;
	char actor[ACTOR_MAX];
	char message[MESSAGE_MAX];
};

struct audit_rec {
	uint64_t seq;
	wall_us at;
	char actor[ACTOR_MAX];	  /* "unix:1000", "token:ci", "signal" */
	char verb[32];		  /* "start", "cancel" … (core/sched/audit.c) */
	char object[MESSAGE_MAX]; /* what it was done to: DAG, run, data set, token … */
	char detail[MESSAGE_MAX];
	uint8_t prev[HASH_SHA256_BYTES]; /* of the encoded record before; zeroes for the first */
};

struct idempotency_rec {
	uint64_t run, event;
};

/* What somebody is told; stored as bytes: append only. */
enum notice {
	NOTICE_SUCCEEDED,
	NOTICE_FAILED,
	NOTICE_CANCELLED,
	NOTICE_LATE, /* late_after passed before the run started */
	NOTICE_TEST, /* sluice notify test: tried once */
	NOTICE_N
};
const char *notice_name(enum notice n); /* "run.failed" … as the message's type */

/* One message for one endpoint. The first of an endpoint has a due entry at next_at; the others
 * wait for it. */
struct outbox_rec {
	uint64_t seq;
	uint32_t endpoint_no;
	char endpoint[PLAN_NAME_MAX]; /* name under notify: */
	enum notice notice;
	uint8_t id[HASH_ID_BYTES]; /* of the message: the same for every try */
	uint64_t run;		   /* 0: of no run */
	uint32_t tries;		   /* that failed */
	bool sending;		   /* handed out: next_at is when it is given up for lost */
	wall_us created_at, next_at;
	char error[MESSAGE_MAX]; /* of the last try */
				 /* the rest of the value: data as JSON text */
};
struct endpoint_rec {
	uint32_t no;
	char name[PLAN_NAME_MAX];
	uint64_t waiting;		/* its messages in table outbox */
	uint64_t sent, given_up;	/* since the store was made */
	uint8_t last_id[HASH_ID_BYTES]; /* message of the last try; zero: none yet */
	wall_us last_at;
	bool last_ok;
	char error[MESSAGE_MAX]; /* of the last try that failed */
};

/* Kinds of RUN_DOC and STEP_DOC. */
enum run_doc {
	RUN_DOC_PARAMS = 1, /* object */
	/* {"kind","name","events":["1041"],"missing":[],"partition":"day=…"|null,
	 *  "datasets":[{"name","partition","version"}]} */
	RUN_DOC_TRIGGER = 2
};
enum step_doc {
	STEP_DOC_OUTPUTS = 1, /* object */
	STEP_DOC_DATASETS,    /* array as in CONTRACT's step object */
	STEP_DOC_ITEM,	      /* value of the foreach item */
	STEP_DOC_RANGES, /* {"lake/x":{"from":7,"upto":9}}: versions read (`read: new`), so that a
			   rerun reads them again */
	STEP_DOC_HANDLE, /* {"handle":"…"}: what submit gave for work elsewhere, its newest */
	/* {"from":{"json","complete_us"}|null,"upto":{…}}: what a step with a cursor read when it
	 * first succeeded in this run; from then on it reads that again and moves no cursor */
	STEP_DOC_CURSOR
};

/* step_rec.code of a step that `--only` left out: it is skipped, and its children take it as met.
 */
#define CODE_NOT_CHOSEN "not_chosen"

/* ---- codecs ---- out holds RECORD_MAX bytes; the length is returned. Decoders never read beyond
 * the slice: ERR_CORRUPT for a record that is cut or holds what it cannot, ERR_UNSUPPORTED for one
 * of a newer release. ret_rest, where given, is the tail. */
#define RECORD_CODEC(name, type)                                                                   \
	size_t name##_encode(const struct type *r, uint8_t *out);                                  \
	int name##_decode(struct slice s, struct type *ret, struct slice *ret_rest) CHECK_RESULT;
RECORD_CODEC(dag, dag_rec)
RECORD_CODEC(file, file_rec)
RECORD_CODEC(event, event_rec)
RECORD_CODEC(dedupe, dedupe_rec)
RECORD_CODEC(run, run_rec)
RECORD_CODEC(step, step_rec)
RECORD_CODEC(schedule, sched_rec)
RECORD_CODEC(dataset, dataset_rec)
RECORD_CODEC(version, version_rec)
RECORD_CODEC(join, join_rec)
RECORD_CODEC(cursor, cursor_rec)
RECORD_CODEC(token, token_rec)
RECORD_CODEC(idempotency, idempotency_rec)
RECORD_CODEC(outbox, outbox_rec)
RECORD_CODEC(endpoint, endpoint_rec)
RECORD_CODEC(backfill, backfill_rec)
RECORD_CODEC(audit, audit_rec)
RECORD_CODEC(cancel, cancel_rec)
#undef RECORD_CODEC

#endif
