/* table.h: whole records through a view: read, decode; encode, write. Indexes are apply's business,
 * not this file's. All give 0, ERR_NOT_FOUND, or what the view and the decoder say. Slices handed
 * out die at the next write. */
#ifndef CORE_SCHED_TABLE_H
#define CORE_SCHED_TABLE_H

#include "core/sched/key.h"

int dag_get(const struct view *v, uint32_t no, struct dag_rec *ret) CHECK_RESULT;
int dag_put(const struct view *v, const struct dag_rec *r) CHECK_RESULT;
int dag_get_named(const struct view *v, const char *name, struct dag_rec *ret) CHECK_RESULT;
/* The plan that new runs of the DAG get: ERR_NOT_FOUND where it has none. */
int dag_plan(const struct view *v, const struct dag_rec *r, const struct plan **ret) CHECK_RESULT;
bool dag_is_paused(const struct view *v, const struct dag_rec *r); /* itself, or all are */

int file_get(const struct view *v, const char *path, struct file_rec *ret,
    struct slice *ret_report) CHECK_RESULT;
int file_put(const struct view *v, const char *path, const struct file_rec *r,
    const char *report) CHECK_RESULT;

int event_get(
    const struct view *v, uint64_t seq, struct event_rec *ret, struct slice *ret_body) CHECK_RESULT;

int run_get(const struct view *v, uint64_t no, struct run_rec *ret) CHECK_RESULT;
int run_put(const struct view *v, const struct run_rec *r) CHECK_RESULT;
int run_get_id(
    const struct view *v, const uint8_t id[HASH_ID_BYTES], uint64_t *ret_no) CHECK_RESULT;
/* The identity of a run that retention dropped: run_get_id does not find it, run_is_tomb does. */
int run_tomb_put(
    const struct view *v, const uint8_t id[HASH_ID_BYTES], uint64_t no, wall_us now) CHECK_RESULT;
bool run_is_tomb(const struct view *v, const uint8_t id[HASH_ID_BYTES]);
#define RUN_TOMB_BYTES 16u /* instant, number; a run that is there has the number alone */
int run_doc_get(
    const struct view *v, uint64_t run, enum run_doc kind, struct slice *ret) CHECK_RESULT;
int run_doc_put(
    const struct view *v, uint64_t run, enum run_doc kind, const void *json, size_t n) CHECK_RESULT;

int step_get(const struct view *v, const struct step_ref *s, struct step_rec *ret) CHECK_RESULT;
int step_put(const struct view *v, const struct step_rec *r) CHECK_RESULT;
int step_doc_get(const struct view *v, const struct step_ref *s, enum step_doc kind,
    struct slice *ret) CHECK_RESULT;
int step_doc_put(const struct view *v, const struct step_ref *s, enum step_doc kind,
    const void *json, size_t n) CHECK_RESULT;
/* Number of the item with that key of a foreach step. */
int step_item_no(const struct view *v, uint64_t run, uint16_t step, const char *item_key,
    uint32_t *ret) CHECK_RESULT;
struct step_ref step_ref_of(const struct step_rec *r);

int schedule_get(
    const struct view *v, uint32_t dag_no, const char *trigger, struct sched_rec *ret) CHECK_RESULT;
int schedule_put(const struct view *v, uint32_t dag_no, const char *trigger,
    const struct sched_rec *r) CHECK_RESULT;

int dataset_get(const struct view *v, uint32_t no, struct dataset_rec *ret) CHECK_RESULT;
int dataset_get_named(const struct view *v, const char *name, struct dataset_rec *ret) CHECK_RESULT;
int dataset_put(const struct view *v, const struct dataset_rec *r) CHECK_RESULT;
int version_get(
    const struct view *v, uint32_t ds_no, uint64_t version, struct version_rec *ret) CHECK_RESULT;
int version_put(const struct view *v, uint32_t ds_no, const struct version_rec *r) CHECK_RESULT;
/* Newest version of a partition. */
int partition_get(
    const struct view *v, uint32_t ds_no, const char *partition, uint64_t *ret) CHECK_RESULT;
/* Version up to which (DAG, step, item) has read a data set: 0 where it never did. */
int position_get(const struct view *v, uint32_t dag_no, const char *step, const char *item,
    uint32_t ds_no, uint64_t *ret) CHECK_RESULT;
int join_get(const struct view *v, uint32_t dag_no, const char *trigger, const char *key,
    struct join_rec *ret) CHECK_RESULT;
int cursor_get(const struct view *v, const char *dag, const char *step, const char *item,
    struct cursor_rec *ret, struct slice *ret_json) CHECK_RESULT;
int cursor_put(const struct view *v, const char *dag, const char *step, const char *item,
    const struct cursor_rec *r, const char *json) CHECK_RESULT;
int token_get(const struct view *v, const uint8_t hash[HASH_SHA256_BYTES],
    struct token_rec *ret) CHECK_RESULT;

int endpoint_get(const struct view *v, const char *name, struct endpoint_rec *ret) CHECK_RESULT;
int endpoint_put(const struct view *v, const struct endpoint_rec *r) CHECK_RESULT;
/* The oldest message of an endpoint; ret_data, where given, dies at the next write. */
int outbox_head(const struct view *v, uint32_t endpoint_no, struct outbox_rec *ret,
    struct slice *ret_data) CHECK_RESULT;
int outbox_get(const struct view *v, uint32_t endpoint_no, uint64_t seq, struct outbox_rec *ret,
    struct slice *ret_data) CHECK_RESULT;
int outbox_put(
    const struct view *v, const struct outbox_rec *r, const void *data, size_t n) CHECK_RESULT;
int backfill_get(const struct view *v, uint64_t no, struct backfill_rec *ret) CHECK_RESULT;
int backfill_put(const struct view *v, const struct backfill_rec *r) CHECK_RESULT;
int cancel_get(const struct view *v, uint64_t no, struct cancel_rec *ret) CHECK_RESULT;
int cancel_put(const struct view *v, const struct cancel_rec *r) CHECK_RESULT;
int audit_get(const struct view *v, uint64_t seq, struct audit_rec *ret) CHECK_RESULT;

/* Counters of table count; a missing one is 0. */
int count_get(const struct view *v, const char *name, uint64_t *ret) CHECK_RESULT;
int count_put(const struct view *v, const char *name, uint64_t value) CHECK_RESULT;
#define COUNT_NAME_MAX 480
#define COUNT_SLOTS "slots" /* attempts handed out */
void count_name_runs(
    char *out, uint32_t dag_no); /* "runs:17": runs of a DAG in state running; out of 32 bytes */

/* Numbers of table meta; a missing one is ERR_NOT_FOUND. */
int meta_get(const struct view *v, const char *name, uint64_t *ret) CHECK_RESULT;
int meta_put(const struct view *v, const char *name, uint64_t value) CHECK_RESULT;
int meta_next(const struct view *v, const char *name, uint64_t *ret) CHECK_RESULT; /* from 1 */
#define META_SCHEMA "schema"		 /* u32: STORE_SCHEMA */
#define META_EPOCH "epoch"		 /* u32: high 24 bits of every token */
#define META_UUID "uuid"		 /* 16 bytes */
#define META_TOKEN "token"		 /* u64: last low 40 bits handed out */
#define META_HOLD "hold"		 /* u64: there while DISPATCH is held after a restore */
#define META_PAUSED "paused"		 /* u64 1: all DAGs are paused */
#define META_CLOCK_BOOT "clock_boot"	 /* 16 bytes: boot in which META_CLOCK_OFFSET was read */
#define META_CLOCK_OFFSET "clock_offset" /* i64 us: wall clock minus monotonic clock */
#define META_CLOCK_SEEN "clock_seen"	 /* i64 us: a wall time that was, an hour old at most */
#define META_CLOCK_STEP "clock_step"	 /* i64 us: due entries are being moved by this much */
#define META_CLOCK_SUM "clock_sum"	 /* i64 us: all steps of the clock so far */
#define META_CLOCK_AT "clock_at"	 /* table u8, key: how far that came */
#define META_CLOCK_NEW "clock_new:"	 /* with a due key behind it: came since, is not moved */
#define META_PRUNE "prune"	     /* where the next batch of retention goes on: see prune.c */
#define META_PRUNE_RUN "prune_run"   /* u64: run whose record is gone, its steps not all */
#define META_MIN_READER "min_reader" /* u32: STORE_LEVEL of the oldest release that may read it */
#define META_COPIED "copied_us"	     /* u64: of a backup: when it was made */
#define META_NEXT_DAG "next_dag"
#define META_NEXT_EVENT "next_event"
#define META_NEXT_RUN "next_run"
#define META_NEXT_DATASET "next_dataset"
#define META_NEXT_AUDIT "next_audit"
#define META_NEXT_ENDPOINT "next_endpoint"
#define META_NEXT_OUTBOX "next_outbox"
#define META_AUDIT_HEAD "audit_head" /* 32 bytes: hash of the newest audit record */
#define META_NEXT_BACKFILL "next_backfill"
#define META_NEXT_CANCEL "next_cancel"

#endif
