/* test_store_help.h: a state folder of its own for each test, and a store in it. */
#ifndef TESTS_UNIT_TEST_STORE_HELP_H
#define TESTS_UNIT_TEST_STORE_HELP_H

#include "core/base/hash.h"
#include "core/sched/record.h"
#include "core/sched/table.h"
#include "core/store/store.h"

struct temp_store {
	char dir[64];
	struct store *store;
};
/* Makes the folder; opens the store when `open`. */
void temp_store_make(struct temp_store *t, bool open);
void temp_store_open(struct temp_store *t);
void temp_store_close(struct temp_store *t);
void temp_store_remove(struct temp_store *t);

/* Numbers that were given away, and one record of the audit by `who`; in one transaction. */
void temp_store_fill(struct temp_store *t, uint64_t next_run, uint64_t next_event, const char *who);
/* A value without a valid checksum, in a table. */
void temp_store_damage(struct temp_store *t, enum table table);
/* The newest record of the audit of the open store, and how many there are. */
struct audit_rec temp_store_audit(struct temp_store *t, uint64_t *ret_n);
/* SHA-256 of a file in the folder; false where it is not there. */
bool temp_file_hash(const struct temp_store *t, const char *name, uint8_t out[HASH_SHA256_BYTES]);
void temp_path(const struct temp_store *t, const char *name, char out[256]);

#endif
