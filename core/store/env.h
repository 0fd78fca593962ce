/* env.h: the parts of the store that its own files share: the LMDB environment, and a transaction
 * behind `struct view`. Nothing outside core/store includes this. */
#ifndef CORE_STORE_ENV_H
#define CORE_STORE_ENV_H

#include "core/store/store.h"

#include <lmdb.h>
#include <sys/types.h>

#define STORE_MAP_BYTES (UINT64_C(16) << 30)
#define STORE_READERS 16
/* Of plan texts, a thread; parsed they take about fifteen times as much. */
#define STORE_PLAN_CACHE_BYTES (128u << 10)

struct store {
	MDB_env *env; /* owned */
	MDB_dbi dbi[TABLE_N];
	char *dir;   /* owned */
	int lock_fd; /* state/sluice.lock, flock'ed */
	int data_fd; /* borrowed from LMDB */
	unsigned page_bytes;
	uint64_t file_bytes; /* size of data.mdb as we last saw or made it */
	uint8_t uuid[16];
	uint32_t epoch;
	uint32_t level; /* META_MIN_READER */
};

/* A transaction as a view. `mdb_plans` is owned and lives longer than the transaction. */
struct store_txn {
	struct view view;    /* view.ctx is this struct */
	struct store *store; /* borrowed */
	MDB_txn *txn;	     /* owned while open */
	MDB_cursor *cursor[TABLE_N];
	uint32_t cursor_gen[TABLE_N]; /* transaction that the cursor was last renewed for */
	uint32_t gen;
	struct plan_cache *plans; /* owned */
	struct str scratch;	  /* value + CRC of the put that is going on */
};

void store_txn_init(struct store_txn *t, struct store *s);
void store_txn_done(struct store_txn *t);
/* 0 or ERR_*. */
int store_txn_begin(struct store_txn *t, bool writable) CHECK_RESULT;
int store_txn_commit(struct store_txn *t) CHECK_RESULT;
/* Ends a read transaction (kept for renewal) or throws a write transaction away. */
void store_txn_end(struct store_txn *t);

/* ERR_* for a return code of LMDB. */
int store_rc(int mdb_rc);
/* Makes sure that the file is longer than its used pages, with blocks behind: a commit then works
 * on a full disk, and a file shorter than its meta page says was truncated. ERR_FULL where the disk
 * has no room (the store still works). */
int store_reserve(struct store *s) CHECK_RESULT;
uint64_t store_used_bytes(const struct store *s); /* up to the last page that was ever used */
/* A copy at rest under any name: neither locked nor formatted. */
int store_open_file(
    const char *path, bool writable, struct store **ret, struct err *err) CHECK_RESULT;
/* The daemon's lock on a state folder without opening its store. ERR_CONFLICT where one holds it.
 */
struct store_lock;
int store_lock(const char *dir, struct store_lock **ret, struct err *err) CHECK_RESULT;
void store_unlock(struct store_lock *l);

#endif
