/* memview.h: struct view in memory: one sorted array a table. For tests and the simulator.
 *
 * Slices are handed out as the contract allows at least: each is a copy that is freed at the next
 * write, so that the sanitizer finds who keeps one. `plain` hands out the stored bytes instead, for
 * benches. Writes since memview_begin can be undone. */
#ifndef TESTS_UNIT_MEMVIEW_H
#define TESTS_UNIT_MEMVIEW_H

#include "core/base/vec.h"
#include "core/sched/view.h"

struct mem_entry;
struct mem_undo;
struct memview {
	struct view view; /* ctx is this struct */
	VEC(struct mem_entry *) table[TABLE_N];
	VEC(void *) lent;
	VEC(struct mem_undo) undo;
	struct plan_cache *plans;
	bool plain;
	uint64_t writes;  /* puts, adds and deletes so far */
	uint64_t fail_at; /* that write gives ERR_FULL; 0: never */
};

void memview_init(struct memview *m);
void memview_done(struct memview *m);
void memview_begin(struct memview *m); /* from here on it can be undone */
void memview_commit(struct memview *m);
void memview_abort(struct memview *m);
size_t memview_count(const struct memview *m, enum table t);
/* SHA-256 over all keys and values: equal stores, equal sums. */
void memview_sum(const struct memview *m, uint8_t out[HASH_SHA256_BYTES]);

#endif
