/* key.h: the keys of every table, and reading them back. Integers are big-endian, so that key order
 * is time order. */
#ifndef CORE_SCHED_KEY_H
#define CORE_SCHED_KEY_H

#include "core/sched/op.h"

struct key {
	size_t n;
	uint8_t b[VIEW_KEY_MAX];
};

/* Pieces: a key is built left to right. A text that would not fit is cut (all texts have bounds
 * below the limit). */
void key_init(struct key *k);
void key_u8(struct key *k, uint8_t v);
void key_u16(struct key *k, uint16_t v);
void key_u32(struct key *k, uint32_t v);
void key_u64(struct key *k, uint64_t v);
void key_bytes(struct key *k, const void *p, size_t n);
void key_text(struct key *k, const char *s);  /* without terminator: last, or the whole key */
void key_text0(struct key *k, const char *s); /* with a zero byte behind */

/* Each sets the whole key of one table. */
void key_run(struct key *k, uint64_t run);			       /* RUN; prefix of STEP */
void key_run_doc(struct key *k, uint64_t run, enum run_doc kind);      /* RUN_DOC */
void key_run_dag(struct key *k, uint32_t dag_no, uint64_t run);	       /* RUN_DAG */
void key_run_state(struct key *k, enum run_state state, uint64_t run); /* RUN_STATE */
void key_run_key(struct key *k, const struct run_rec *r);	       /* RUN_KEY */
void key_run_key_prefix(
    struct key *k, uint32_t dag_no, const char *text);	    /* all revisions of a key */
void key_run_queue(struct key *k, const struct run_rec *r); /* RUN_QUEUE */
void key_step(struct key *k, const struct step_ref *s);	    /* STEP; prefix of STEP_DOC */
void key_step_doc(struct key *k, const struct step_ref *s, enum step_doc kind);
void key_item(struct key *k, uint64_t run, uint16_t step, const char *item_key); /* ITEM */
void key_ready(struct key *k, int priority, wall_us ready_at, const struct step_ref *s);
void key_blocked(
    struct key *k, const char *resource, int priority, wall_us ready_at, const struct step_ref *s);
void key_running(struct key *k, uint64_t instance, const struct step_ref *s);
void key_due(struct key *k, wall_us at, enum due_kind kind); /* the id follows by key_* */
void key_due_cron(struct key *k, wall_us at, uint32_t dag_no, const char *trigger);
void key_due_catchup(struct key *k, wall_us at, uint32_t dag_no, const char *trigger);
void key_due_retry(struct key *k, wall_us at, const struct step_ref *s);
void key_due_poll(struct key *k, wall_us at, const struct step_ref *s);
void key_due_run(struct key *k, wall_us at, enum due_kind kind, uint64_t run);
void key_sched(struct key *k, uint32_t dag_no, const char *trigger); /* SCHED */
void key_sub(struct key *k, uint32_t ds_no, uint32_t dag_no, const char *trigger);
void key_join(struct key *k, uint32_t dag_no, const char *trigger, const char *join_key);
void key_join_member(
    struct key *k, uint32_t dag_no, const char *trigger, const char *join_key, uint32_t ds_no);
void key_position(
    struct key *k, uint32_t dag_no, const char *step, const char *item, uint32_t ds_no);
void key_cursor(struct key *k, const char *dag, const char *step, const char *item);
void key_version(struct key *k, uint32_t ds_no, uint64_t version);   /* DATASET_LOG */
void key_partition(struct key *k, uint32_t ds_no, const char *text); /* DATASET_PART */
void key_run_part(
    struct key *k, uint64_t run, uint32_t ds_no, const char *partition); /* RUN_PART */
void key_event_state(struct key *k, enum verdict v, uint64_t seq);	 /* EVENT_STATE */
void key_listen(
    struct key *k, const char *kind, const char *name); /* prefix; kind "hook" or "source" */
void key_outbox(struct key *k, uint32_t endpoint_no, uint64_t seq);
void key_due_outbox(struct key *k, wall_us at, uint32_t endpoint_no);  /* the number as a u64 */
void key_backfill_run(struct key *k, uint64_t backfill, uint64_t run); /* BACKFILL_RUN */
void key_backfill_part(
    struct key *k, uint64_t backfill, uint32_t ds_no, const char *partition); /* BACKFILL_PART */
void key_due_ms_floor(wall_us at, uint64_t *ret_ms);

/* Reading back: ERR_CORRUPT where the length is wrong. Step references stand in the last 14 bytes
 * of ready, blocked, running. */
int key_tail_u64(struct slice key, uint64_t *ret) CHECK_RESULT; /* the last 8 bytes */
int key_tail_u32(struct slice key, uint32_t *ret) CHECK_RESULT;
int key_tail_step(struct slice key, struct step_ref *ret) CHECK_RESULT;
int key_parse_step(struct slice key, struct step_ref *ret) CHECK_RESULT; /* STEP */
struct due_key {
	wall_us at; /* rounded up to ms: never before the instant itself */
	enum due_kind kind;
	struct step_ref step; /* DUE_RETRY, DUE_POLL */
	/* DUE_RUN_TIMEOUT, DUE_QUEUE_TIMEOUT, DUE_LATE; DUE_OUTBOX: the endpoint; DUE_BACKFILL,
	 * DUE_CANCEL_MANY: its number */
	uint64_t run;
	uint32_t dag_no;	     /* DUE_CRON, DUE_CATCHUP */
	char trigger[PLAN_NAME_MAX]; /* DUE_CRON, DUE_CATCHUP */
};
int key_parse_due(struct slice key, struct due_key *ret) CHECK_RESULT;

/* -127…127 -> byte that sorts the higher priority first. */
uint8_t key_priority(int priority);

#endif
