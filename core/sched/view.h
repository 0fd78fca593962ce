/* view.h: what the scheduler sees of the store: ordered tables of byte keys and byte values inside
 * one transaction.
 *
 * core/store implements it over LMDB, the tests and the simulator over a sorted array. Values carry
 * their CRC below this interface (the implementation appends it at put and verifies it at get).
 * Slices that get, next and prev hand out die at the next write or the end of the transaction:
 * decode at once. Keys are at most 511 bytes, big-endian, so that key order is time order. */
#ifndef CORE_SCHED_VIEW_H
#define CORE_SCHED_VIEW_H

#include "core/base/err.h"
#include "core/dag/plan.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* id, name in LMDB. Append only. Keys and values: core/sched/record.h. */
#define TABLE_LIST(X)                                                                              \
	X(META, "meta")		      /* text -> bytes: schema, uuid, epoch, counters */           \
	X(PLAN, "plan")		      /* sha256 -> plan text */                                    \
	X(DAG, "dag")		      /* dag_no u32 -> dag_rec */                                  \
	X(DAG_NAME, "dag_name")	      /* name -> dag_no */                                         \
	X(FILE, "file")		      /* path -> file_rec: signature, DAG, errors */               \
	X(EVENT, "event")	      /* seq u64 -> event_rec, body */                             \
	X(DEDUPE, "dedupe")	      /* H128(hook, id) -> dedupe_rec */                           \
	X(EVENT_STATE, "event_state") /* verdict u8, seq: index for --unmatched */                 \
	X(RUN, "run")		      /* run_no u64 -> run_rec */                                  \
	X(RUN_DOC, "run_doc")	  /* run_no, kind u8 -> JSON: params, trigger, event numbers */    \
	X(RUN_ID, "run_id")	  /* public id 16 bytes -> run_no: identity and uniqueness */      \
	X(RUN_DAG, "run_dag")	  /* dag_no, run_no: index */                                      \
	X(RUN_STATE, "run_state") /* state u8, run_no: index */                                    \
	X(RUN_KEY, "run_key") /* dag_no, key text, 0, revision u32, run_no: index, newest revision \
				 of a key */                                                       \
	X(RUN_QUEUE, "run_queue") /* dag_no, 255 - priority, run_no: queued runs of a DAG */       \
	X(STEP, "step")		  /* run_no, step u16, item u32 -> step_rec */                     \
	X(STEP_DOC,                                                                                \
	    "step_doc") /* run_no, step, item, kind u8 -> JSON: outputs, data sets, item value */  \
	X(ITEM, "item") /* run_no, step, item key text -> item u32 */                              \
	X(READY,                                                                                   \
	    "ready") /* 255 - priority, ready ms u64, run_no, step, item: may be dispatched now */ \
	X(BLOCKED, "blocked") /* resource text, 0, 255 - priority, ready ms, run, step, item ->    \
				 units wanted u32 */                                               \
	X(RUNNING, "running") /* instance u64, run_no, step, item: attempts handed out */          \
	X(DUE, "due")	      /* ms u64, kind u8, id bytes -> nothing: one timer for all */        \
	X(SCHED, "sched")     /* dag_no, trigger name -> sched_rec: last and next instant */       \
	X(COUNT, "count")     /* text -> u64: slots, runs of a DAG, tokens of a pool */            \
	X(DATASET, "dataset") /* ds_no u32 -> dataset_rec */                                       \
	X(DATASET_NAME, "dataset_name") /* name -> ds_no */                                        \
	X(DATASET_LOG, "dataset_log")	/* ds_no, version u64 -> version_rec */                    \
	X(DATASET_PART, "dataset_part") /* ds_no, partition text -> version u64 */                 \
	X(SUB, "sub")			/* ds_no, dag_no, trigger name -> nothing */               \
	X(JOIN, "join")			/* dag_no, trigger name, 0, join key -> join_rec */        \
	X(JOIN_MEMBER, "join_member")	/* dag_no, trigger name, 0, join key, 0, ds_no ->          \
					     version u64, event u64 */                             \
	X(POSITION,                                                                                \
	    "position") /* dag_no, step name, 0, item key, 0, ds_no -> version u64: read: new */   \
	X(CURSOR, "cursor")	      /* dag name, 0, step name, 0, item key -> cursor_rec */      \
	X(OUTBOX, "outbox")	      /* endpoint u32, seq u64 -> outbox_rec, data as JSON */      \
	X(TOKEN, "token")	      /* sha256 of the token -> token_rec */                       \
	X(TOKEN_NAME, "token_name")   /* name -> sha256 */                                         \
	X(AUDIT, "audit")	      /* seq u64 -> audit_rec, with the hash of the one before */  \
	X(BACKFILL, "backfill")	      /* u64 -> backfill_rec */                                    \
	X(IDEMPOTENCY, "idempotency") /* H128(Idempotency-Key) -> idempotency_rec */               \
	X(LISTEN, "listen") /* "hook:NAME" or "source:NAME", 0, dag_no, trigger name: who listens  \
			     */                                                                    \
	X(ENDPOINT, "endpoint")		  /* name under notify: -> endpoint_rec */                 \
	X(BACKFILL_RUN, "backfill_run")	  /* backfill u64, run_no -> nothing: its runs */          \
	X(BACKFILL_PART, "backfill_part") /* backfill u64, ds_no, partition -> version u64:        \
					     published, told at its end (downstream once) */       \
	X(RUN_PART, "run_part") /* run_no, ds_no, partition -> version u64, changed u8: published  \
				   by a reopened run, told at its end (downstream once) */         \
	X(CANCEL, "cancel")	/* u64 -> cancel_rec: orders that have not come to all runs yet */

enum table {
#define TABLE_ENUM(id, name) TABLE_##id,
	TABLE_LIST(TABLE_ENUM)
#undef TABLE_ENUM
	    TABLE_N
};
const char *table_name(enum table t);

#define VIEW_KEY_MAX 511

struct slice {
	const void *p;
	size_t n;
};

struct view {
	void *ctx;
	bool writable;
	/* ERR_NOT_FOUND, ERR_CORRUPT (CRC), ERR_IO */
	int (*get)(void *ctx, enum table t, struct slice key, struct slice *ret_value);
	int (*put)(
	    void *ctx, enum table t, struct slice key, struct slice value); /* ERR_FULL, ERR_IO */
	int (*add)(void *ctx, enum table t, struct slice key,
	    struct slice value);			       /* ERR_EXISTS where it is there */
	int (*del)(void *ctx, enum table t, struct slice key); /* ERR_NOT_FOUND */
	/* First entry with a key >= from (or > from when `after`). ERR_NOT_FOUND at the end. from.n
	 * 0: the first. */
	int (*next)(void *ctx, enum table t, struct slice from, bool after, struct slice *ret_key,
	    struct slice *ret_value);
	/* Last entry with a key < before. before.n 0: the last. */
	int (*prev)(void *ctx, enum table t, struct slice before, struct slice *ret_key,
	    struct slice *ret_value);
	/* A parsed plan out of this thread's cache; valid until the batch or turn ends. */
	int (*plan)(void *ctx, const uint8_t sha[HASH_SHA256_BYTES], const struct plan **ret,
	    struct err *err);
};

/* Shorthands. */
int view_get(const struct view *v, enum table t, const void *key, size_t n,
    struct slice *ret_value) CHECK_RESULT;
int view_put(const struct view *v, enum table t, const void *key, size_t n, const void *value,
    size_t value_n) CHECK_RESULT;
int view_add(const struct view *v, enum table t, const void *key, size_t n, const void *value,
    size_t value_n) CHECK_RESULT;
int view_del(const struct view *v, enum table t, const void *key, size_t n) CHECK_RESULT;
/* Walks the keys that begin with a prefix. key is in and out: copied here, so that the walk
 * survives writes. */
struct view_walk {
	const struct view *view;
	enum table table;
	uint8_t key[VIEW_KEY_MAX];
	size_t key_n, prefix_n;
	bool started, reverse;
};
void view_walk_init(struct view_walk *w, const struct view *v, enum table t, const void *prefix,
    size_t n, bool reverse);
/* 0, or ERR_NOT_FOUND at the end; *ret_value may be NULL; the key is in w->key, w->key_n. */
int view_walk_next(struct view_walk *w, struct slice *ret_value) CHECK_RESULT;

#endif
