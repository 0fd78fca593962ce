/* store.h: the LMDB environment, read transactions, the writer thread, fsck. The only folder that
 * sees lmdb.h.
 *
 * LMDB runs in its default durable mode with MDB_NOTLS only (DESIGN §4). One daemon per store:
 * flock on state/sluice.lock. */
#ifndef CORE_STORE_STORE_H
#define CORE_STORE_STORE_H

#include "core/sched/op.h"

struct store;

struct store_options {
	const char *dir;    /* state folder, 0700 */
	uint64_t map_bytes; /* address space; 0: 16 GiB */
	bool create;
	bool read_only_check; /* fsck: take the lock, do not format */
	wall_us now;	      /* instant of the format record of a new store */
};
/* Takes the lock (ERR_CONFLICT with the other's pid in the text), checks file size against the meta
 * pages before mapping, opens all tables, formats an empty store, refuses network file systems and
 * a newer schema. */
int store_open(const struct store_options *o, struct store **ret, struct err *err) CHECK_RESULT;
void store_close(struct store *s);
const uint8_t *store_uuid(const struct store *s); /* 16 bytes */
uint32_t store_epoch(const struct store *s);

enum quota_level { QUOTA_OK, QUOTA_ALARM, QUOTA_REFUSE };
/* Bytes of pages that hold something: what limits.store is about. Any thread. */
uint64_t store_live_bytes(struct store *s);
/* The disk that the store is on. Any thread. */
struct store_disk {
	char kind[24];		/* of file system; its number where it has no name here */
	bool lasting;		/* neither a tmpfs nor the overlay of a container */
	uint64_t reserve_bytes; /* set aside behind what is used */
};
int store_disk(struct store *s, struct store_disk *ret) CHECK_RESULT;
struct store_readers {
	uint32_t n; /* snapshots that are open now */
	int dead;   /* slots of dead processes that were given back */
	uint64_t oldest_txn, newest_txn;
};
/* Frees the slots of dead readers as well. */
void store_readers(struct store *s, struct store_readers *ret);

/* ---- copies ---- */
struct store_copy {
	uint32_t schema, epoch;
	uint8_t uuid[16];
	wall_us copied_at; /* TIME_NONE: it is no backup */
	uint64_t next_run, next_event, bytes;
};
/* A compacted, consistent copy of the running store at `path`, proven by fsck. Any thread; it is a
 * long reader. Nothing is left at path when it fails. */
int store_backup(struct store *s, const char *path, wall_us now, struct store_copy *ret,
    struct err *err) CHECK_RESULT;
struct store_restored {
	struct store_copy backup, is, old; /* is: as it stands now */
	bool had_old, old_read;
	char *kept; /* owned: where the replaced store lies, or NULL */
};
/* What was done, and by whom, becomes an audit record of the store that is then there.
 * ERR_CONFLICT while a daemon holds the store, ERR_CORRUPT for a bad backup: then nothing has
 * changed. */
int store_restore(const char *dir, const char *file, wall_us now, const char *actor,
    struct store_restored *ret, struct err *err) CHECK_RESULT;
void store_restored_done(struct store_restored *r);
int store_compact(const char *dir, wall_us now, const char *actor, uint64_t *ret_before,
    uint64_t *ret_after, struct err *err) CHECK_RESULT;
/* Reads the small tables that the daemon cannot do without in a child, because a damaged file may
 * end the process that maps it. ERR_CORRUPT; a store that is not there, or empty, is fine. */
int store_probe(const char *dir, struct err *err) CHECK_RESULT;

/* ---- read transactions: any thread, short ---- */
struct store_read; /* holds a snapshot and a plan cache of its thread */
int store_read_new(
    struct store *s, struct store_read **ret, struct err *err) CHECK_RESULT; /* once per thread */
void store_read_free(struct store_read *r);
const struct view *store_read_begin(
    struct store_read *r); /* renews the snapshot; NULL when LMDB fails */
void store_read_end(struct store_read *r);

/* ---- the writer thread ---- */
struct writer;
/* An op that was queued; its strings, JSON and arrays belong to `arena`, freed by free_arena after
 * `done` returned. */
struct writer_op {
	struct op op;
	void *arena;
	void (*free_arena)(void *arena);
	/* Called on the loop thread after the commit (or the refusal) with the op's result; may be
	 * NULL. */
	void (*done)(void *arg, const struct op_result *r);
	void *arg;
	struct op_result result;
	const struct conf *conf; /* OP_CONF: the new one; the writer leaves the replaced one here */
	struct writer_op *next;
};
struct writer_options {
	struct store *store;
	const struct conf *conf;
	wall_us (*now)(void); /* clock_wall, or the simulator's */
	/* clock_mono, and the boot that it belongs to: when the distance between the two clocks
	 * changes, OP_CLOCK comes first in the batch. NULL: steps are not looked for. */
	mono_us (*mono)(void);
	uint8_t boot[HASH_ID_BYTES];
	uint64_t seed; /* of the jitter: hash_random, or the simulator's */
	/* Called on the loop thread once per committed batch, before the `done`s of its ops. */
	void (*on_effects)(void *arg, const struct effect *v, size_t n);
	void *arg;
	/* Called on the writer thread when the store can no longer be written (EIO, MDB_PANIC,
	 * corruption): must not return. */
	void (*on_fatal)(const struct err *err);
	/* NULL: sched_apply and sched_dispatch. The tests put a scripted scheduler here. */
	int (*apply)(const struct view *v, struct sched_env *env, const struct op *op, wall_us now,
	    struct op_result *r, effect_vec *effects);
	int (*dispatch)(
	    const struct view *v, struct sched_env *env, wall_us now, effect_vec *effects);
	/* Called on the loop thread with the configuration that writer_set_conf replaced; may be
	 * NULL. */
	void (*free_conf)(void *arg, const struct conf *old);
};
int writer_new(const struct writer_options *o, struct writer **ret, struct err *err) CHECK_RESULT;
/* eventfd that becomes readable when results wait; then call writer_deliver on the loop thread. */
int writer_fd(const struct writer *w);
void writer_deliver(struct writer *w);
/* Takes the op. Never blocks; ERR_FULL when more than `limit` ops wait (65,536), ERR_CLOSED after
 * writer_stop. */
int writer_submit(struct writer *w, struct writer_op *take) CHECK_RESULT;
struct writer_op *writer_op_new(enum op_kind kind); /* zeroed */
void writer_op_free(struct writer_op *op);
/* Replaces the configuration between two batches; the old one is handed to free_conf on the loop
 * thread. When this fails, conf stays the caller's. */
int writer_set_conf(struct writer *w, const struct conf *conf) CHECK_RESULT;
/* Refuses new ops, waits until what was submitted is committed and joins the thread. Results that
 * wait are delivered by a last writer_deliver of the caller. */
void writer_stop(struct writer *w);
void writer_free(struct writer *w);
struct writer_stats {
	uint64_t ops, commits, batch_max, dispatches;
	int64_t commit_us_total, commit_us_max;
	uint64_t store_bytes, store_max_bytes;
	uint64_t waiting;    /* ops queued now */
	uint64_t live_bytes; /* of these, what limits.store is about */
	enum quota_level quota;
	bool disk_low; /* new work is refused until space is free again */
};
void writer_stats(struct writer *w, struct writer_stats *ret);

/* ---- fsck: every index against its record, every count against a recount ---- */
struct fsck_report {
	uint64_t records, indexes, problems;
	struct str text; /* one line per problem, at most 1 MiB */
};
int fsck_run(const struct view *v, struct fsck_report *ret, struct err *err) CHECK_RESULT;
void fsck_done(struct fsck_report *r);

/* ---- crash points: compiled in with --enable-fault-injection ---- */
/* SLUICE_CRASH_AT=name[:n] makes the process _exit(99) by SIGKILL to itself at the n-th pass of
 * that point. */
#ifdef SL_FAULT_INJECTION
void crash_point(const char *name);
/* SLUICE_MUTANT=name plants one known bug, so that the torture harness can show that it would find
 * it. */
bool crash_mutant(const char *name);
#else
#define crash_point(name) ((void)0)
#define crash_mutant(name) (false)
#endif

#endif
