/* op.h: the operations that change the store, their results and their effects.
 *
 * The writer takes what queued up, calls sched_apply for each op inside one transaction, ends the
 * batch with sched_dispatch, commits once, and posts results and effects back to the loop. Nothing
 * observable happens before the commit. sched_apply is pure: (view, env, op, now) -> records
 * written through the view, a result, effects. */
#ifndef CORE_SCHED_OP_H
#define CORE_SCHED_OP_H

#include "core/base/json.h"
#include "core/base/vec.h"
#include "core/dag/conf.h"
#include "core/sched/record.h"

enum op_kind {
	OP_EVENT,     /* T1: an authenticated event from a hook or source */
	OP_START,     /* T1: a run by hand or by HTTP: an event of source "manual" and its run */
	OP_DUE,	      /* T1' and timers: everything due at `now`, at most `limit` entries */
	OP_PLANS,     /* set of compiled files: DAGs added, changed, broken, gone */
	OP_OUTCOME,   /* T3/T4: one OUT of a pool */
	OP_POOL_UP,   /* END seen: judge by rules 5, 6, 21; dispatch to it from now on */
	OP_POOL_DOWN, /* connection lost or instance retired: no DISPATCH to it (rules 3, 7) */
	OP_POOL_GONE, /* lock obtained: nothing of the instance lives; `clean`: orderly end (rules
			 11, 13) */
	OP_UNLEASE,   /* the hand-over of one attempt failed or was never sent */
	OP_CANCEL,    /* a run, a DAG's runs, or all */
	OP_RERUN,
	OP_MARK,
	OP_PAUSE, /* and resume */
	OP_TOUCH, /* a data set updated from outside */
	OP_TOKEN_ADD,
	OP_TOKEN_REVOKE,
	OP_CHUNK,    /* T4c: a published chunk (data issue) */
	OP_SENT,     /* T5: an outbox row was sent or has to be tried again */
	OP_CONF,     /* a new configuration: env->conf was replaced by the writer before this op */
	OP_NOTIFY,   /* a test message for an endpoint; or (no name) what waits is tried at once */
	OP_BACKFILL, /* a new backfill and its first runs */
	OP_BACKFILL_STATE, /* pause, resume, cancel of one */
	OP_CURSOR_SET,
	OP_NOTE,  /* something a person did beside the store (shutdown, reload, backup): audit only
		   */
	OP_CLOCK, /* the writer, first in a batch: where the clocks stand; a step moves what waits
		   */
	OP_PRUNE, /* retention: at most `limit` records; result.count: dropped, same 1: a cycle is
		     over */
	OP_HOLD_END, /* after a restore: every old attempt is settled, DISPATCH may go on */
	OP_KIND_N
};

struct op_file { /* one compiled DAG file */
	const char *path;
	struct file_rec rec;
	const char *report; /* the file's object of `sluice check` as JSON */
	const char *plan;   /* plan text, or NULL where it did not compile */
	size_t plan_n;
	bool same; /* unchanged since it was read last: rec, report and plan are empty */
	bool gone; /* the file vanished: rec, report and plan are empty (with `complete` it is left
		      out instead) */
};

/* How an attempt ended, as the pool says it: the numbers of enum frame_outcome (core/pool/frame.h).
 */
enum outcome_code { OUTCOME_OK, OUTCOME_FAILED, OUTCOME_LOST, OUTCOME_CANCELLED, OUTCOME_DEADLINE };

struct step_ref {
	uint64_t run;
	uint16_t step;
	uint32_t item;
};

struct op {
	enum op_kind kind;
	union {
		struct {			 /* OP_EVENT */
			const char *hook;	 /* name under hooks:, "" for other sources */
			const char *source;	 /* event_rec.source */
			const char *external_id; /* "" : no id, so no repeat */
			int64_t
			    dedupe_ms; /* how long the id is remembered; 0: as long as its event */
			const char *type, *subject;
			wall_us time;
			const struct json *body; /* parsed, borrowed by the op: freed with it */
			const char *actor; /* who replayed it; NULL where it came from outside */
		} event;
		struct {				 /* OP_START */
			const char *dag, *trigger, *key; /* trigger and key may be NULL */
			wall_us at;			 /* logical time, or TIME_NONE */
			const struct json *params;	 /* object or NULL */
			const char *idempotency_key;	 /* or NULL */
			const char *actor;
			const char *const *only; /* step names, or NULL: all (sluice run --only) */
			size_t n_only;
		} start;
		struct {
			uint32_t limit;
		} due;
		struct {			     /* OP_CLOCK */
			uint8_t boot[HASH_ID_BYTES]; /* of the machine: monotonic clocks of one
							boot can be compared */
			int64_t offset_us;	     /* now minus the monotonic clock */
		} clock;
		struct { /* OP_PLANS */
			const struct op_file *files;
			size_t n_files;
			bool complete; /* these are all files: DAGs of no listed file are gone */
			const char *actor; /* who applied; NULL: the daemon itself */
		} plans;
		struct { /* OP_OUTCOME */
			struct step_ref step;
			uint64_t token, instance;
			int code; /* enum outcome_code */
			const char
			    *report; /* JSON of core/README.md §6, "" where the worker made none */
			size_t report_n;
			mono_us exit_seen_us; /* when the pool saw it, for the bench; 0 */
		} outcome;
		struct { /* OP_POOL_UP */
			uint64_t instance, gen;
			bool retired;
			const struct step_ref *seen; /* RUN and OUT entries of this block */
			const uint64_t *seen_token;
			size_t n_seen;
		} pool_up;
		struct {
			uint64_t instance;
		} pool_down;
		struct {
			uint64_t instance;
			bool clean;
		} pool_gone;
		struct {
			struct step_ref step;
			uint64_t token;
		} unlease;
		struct { /* OP_CANCEL: exactly one of run, dag, all */
			uint64_t run;
			const char *dag;
			bool all;
			bool hard; /* without grace; also of a run that is being cancelled */
			const char *actor;
		} cancel;
		struct { /* OP_RERUN: neither steps nor failed: the failed ones, or all of a run
			    that succeeded */
			uint64_t run;
			const char *const *steps;
			size_t n_steps;
			bool failed;
			const char *downstream; /* each once none, or NULL: once */
			bool latest;		/* go on with the DAG's latest plan */
			const char *actor;
		} rerun;
		struct {
			uint64_t run;
			const char *step, *item, *state, *actor;
		} mark;
		struct {
			const char *dag; /* NULL: all */
			bool on;
			const char *actor;
		} pause;
		struct {
			const char *dataset, *partition, *actor;
			wall_us complete_through;
		} touch;
		struct {
			struct token_rec rec;
			uint8_t hash[HASH_SHA256_BYTES];
			const char *actor;
		} token_add;
		struct {
			const char *name, *actor;
		} token_revoke;
		struct { /* OP_SENT */
			uint32_t endpoint_no;
			uint64_t seq;
			bool ok, gone;		/* gone: the receiver wants no more (410) */
			enum step_class class_; /* of a failure */
			int64_t retry_after_ms; /* what the receiver asked for; 0 */
			const char *error;
		} sent;
		struct {		      /* OP_NOTIFY */
			const char *endpoint; /* a test message; NULL: all that wait are due now */
			const char *actor;
		} notify;
		struct {			   /* OP_BACKFILL */
			const char *dag, *trigger; /* trigger NULL: the only time trigger */
			const char *from, *to;	   /* a key of a period, or a time */
			enum backfill_order order;
			enum downstream downstream;
			uint32_t max_parallel; /* 0: 1 */
			bool reprocess;
			const char *actor;
		} backfill;
		struct { /* OP_BACKFILL_STATE: RUNNING (resume), PAUSED or CANCELLED */
			uint64_t no;
			enum backfill_state to;
			const char *actor;
		} backfill_state;
		struct {			       /* OP_CURSOR_SET */
			const char *dag, *step, *item; /* item "" where the step has none */
			const char *json;	       /* the cursor's text */
			wall_us complete_through;
			const char *actor;
		} cursor_set;
		struct { /* OP_NOTE */
			const char *verb, *object, *detail, *actor;
		} note;
		struct {
			uint32_t limit;
		} prune;
	} u;
};

enum effect_kind {
	EFFECT_JOB,    /* hand the attempt to the pool: step, token, instance, gen */
	EFFECT_KILL,   /* step, token, instance */
	EFFECT_ACK,    /* step, token, instance: also for stale outcomes */
	EFFECT_ORPHAN, /* a RUN that is not current: KILL it (rule 10) */
	EFFECT_RUN,    /* run changed: event `run` of the stream, waiters */
	EFFECT_STEP,   /* step changed */
	EFFECT_DATASET,
	EFFECT_EVENT,
	EFFECT_DAG,   /* DAG added, changed, paused, gone */
	EFFECT_TIMER, /* the first due entry may have changed: read due_first and arm */
	EFFECT_OUTBOX /* send the message: id is its seq, instance the endpoint's number */
};
struct effect {
	enum effect_kind kind;
	struct step_ref step;
	uint64_t token, instance, gen;
	uint64_t id; /* run_no, event seq, ds_no, dag_no, outbox seq */
	uint8_t state, old_state;
	bool hard; /* EFFECT_KILL: without grace */
};
typedef VEC(struct effect) effect_vec;

struct op_result {
	int rc; /* 0 or ERR_*: nothing of the op was written then */
	struct err err;
	uint64_t event;
	enum verdict verdict;
	bool duplicate; /* an equal event or run was there already */
	uint64_t n_runs;
	uint64_t runs[16]; /* run_no */
	char run_ids[16][HASH_ID_TEXT];
	uint32_t count;			/* runs cancelled, steps reopened, DAGs changed … */
	uint8_t message[HASH_ID_BYTES]; /* OP_NOTIFY: the message that waits now */
	bool gave_up;			/* OP_SENT: it will not be tried again */
	uint64_t number;		/* OP_BACKFILL: of the backfill */
	/* OP_PLANS: */
	uint32_t added, changed, removed, same;
};

/* What apply knows besides the store. Owned by the writer thread; changed only through ops and
 * OP_CONF. */
struct sched_env {
	const struct conf *conf;
	struct { /* instances that have sent END */
		uint64_t id, gen;
		bool up, retired;
	} pool[4];
	uint64_t random; /* seed for jitter: advanced by apply, so that a seed reproduces a run */
};

/* Applies one op. Returns 0, or ERR_IO, ERR_FULL, ERR_CORRUPT when the transaction must be aborted;
 * refusals of the op itself are in r->rc and have written nothing. effects are appended. */
int sched_apply(const struct view *v, struct sched_env *env, const struct op *op, wall_us now,
    struct op_result *r, effect_vec *effects) CHECK_RESULT;

/* DISPATCH: ready steps -> running with a new token and the instance, while slots, pool tokens and
 * max_runs allow; also starts queued runs. Called once at the end of each batch, in its
 * transaction. */
int sched_dispatch(
    const struct view *v, struct sched_env *env, wall_us now, effect_vec *effects) CHECK_RESULT;

/* Creates meta records in an empty store: "schema" (u32, STORE_SCHEMA), "uuid" (16 bytes), "epoch"
 * (u32, 1); integers big-endian. core/store reads these three at open. */
#define STORE_SCHEMA 1u
/* Raised with every version of a record and every table; kept as META_MIN_READER. */
#define STORE_LEVEL 3u
int sched_format(const struct view *v, const uint8_t uuid[16], wall_us now) CHECK_RESULT;
/* The first due instant, TIME_NONE where nothing is due. */
int sched_next_due(const struct view *v, wall_us *ret_at) CHECK_RESULT;
/* true while DISPATCH is held after a restore. */
bool sched_held(const struct view *v);

#endif
