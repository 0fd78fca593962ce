/* Records as bytes: round trips, cut records, newer versions, and the frozen layout. */
#include "core/sched/codec.h"
#include "core/sched/record.h"
#include "leak.h"

#include "core/base/mem.h"

#include <criterion/criterion.h>
#include <string.h>

/* One row per record; encode and decode go through untyped pointers of the same shape. */
struct kind {
	const char *name;
	size_t size;
	size_t (*encode)(const void *r, uint8_t *out);
	int (*decode)(struct slice s, void *ret, struct slice *rest);
};
#define KIND(n, type)                                                                              \
	static size_t n##_enc(const void *r, uint8_t *out)                                         \
	{                                                                                          \
		return n##_encode((const struct type *)r, out);                                    \
	}                                                                                          \
	static int n##_dec(struct slice s, void *ret, struct slice *rest)                          \
	{                                                                                          \
		return n##_decode(s, (struct type *)ret, rest);                                    \
	}
KIND(dag, dag_rec)
KIND(file, file_rec)
KIND(event, event_rec)
KIND(dedupe, dedupe_rec)
KIND(run, run_rec)
KIND(step, step_rec)
KIND(schedule, sched_rec)
KIND(dataset, dataset_rec)
KIND(version, version_rec)
KIND(join, join_rec)
KIND(cursor, cursor_rec)
KIND(token, token_rec)
KIND(idempotency, idempotency_rec)
KIND(backfill, backfill_rec)
KIND(audit, audit_rec)
KIND(outbox, outbox_rec)
KIND(endpoint, endpoint_rec)
KIND(cancel, cancel_rec)
#define ROW(n, type)                                                                               \
	{                                                                                          \
#n, sizeof(struct type), n##_enc, n##_dec                                          \
	}
static const struct kind kinds[] = {ROW(dag, dag_rec), ROW(file, file_rec), ROW(event, event_rec),
    ROW(dedupe, dedupe_rec), ROW(run, run_rec), ROW(step, step_rec), ROW(schedule, sched_rec),
    ROW(dataset, dataset_rec), ROW(version, version_rec), ROW(join, join_rec),
    ROW(cursor, cursor_rec), ROW(token, token_rec), ROW(idempotency, idempotency_rec),
    ROW(outbox, outbox_rec), ROW(endpoint, endpoint_rec), ROW(backfill, backfill_rec),
    ROW(audit, audit_rec), ROW(cancel, cancel_rec)};
#define N_KINDS (sizeof(kinds) / sizeof(kinds[0]))

Test(sched_record, run_and_step_survive_a_round_trip)
{
	struct run_rec r = {.no = UINT64_MAX,
	    .dag_no = 7,
	    .dag = "shop",
	    .state = RUN_FAILED,
	    .cancel = true,
	    .timed_out = true,
	    .quiet = true,
	    .trigger = TRIGGER_DATASETS,
	    .space = SPACE_JOIN,
	    .key = "day=2026-11-21",
	    .revision = 3,
	    .priority = -100,
	    .window_start = TIME_NONE,
	    .window_end = -1,
	    .logical_time = 5,
	    .queued_at = 6,
	    .started_at = 7,
	    .ended_at = 8,
	    .deadline_at = 9,
	    .event = 10,
	    .n_steps = 11,
	    .n_open = 12,
	    .n_failed = 13,
	    .n_cancelled = 14,
	    .message = "é"};
	struct step_rec s = {.run = 1,
	    .step = 999,
	    .item = 50000,
	    .state = STEP_UPSTREAM_FAILED,
	    .token = UINT64_C(1) << 63,
	    .class_ = CLASS_INTERNAL,
	    .failed_parents = 2,
	    .blocked = 4,
	    .rows_in = -1,
	    .item_key = "k",
	    .code = "c",
	    .message = "m"};
	struct run_rec r2;
	struct step_rec s2;
	uint8_t buf[RECORD_MAX];
	size_t n;

	r.id[0] = 0xff;
	n = run_encode(&r, buf);
	cr_assert_eq(run_decode((struct slice){buf, n}, &r2, NULL), 0);
	cr_assert_eq(memcmp(&r, &r2, sizeof(r)), 0);
	n = step_encode(&s, buf);
	cr_assert_eq(step_decode((struct slice){buf, n}, &s2, NULL), 0);
	cr_assert_eq(memcmp(&s, &s2, sizeof(s)), 0);
	LEAK_CHECK();
}

/* Any bytes, as many lengths as there are: either refused or taken; never read beyond the slice
 * (each is a heap block of exactly that length, so that the sanitizer sees it). */
Test(sched_record, decoders_stay_inside_the_slice)
{
	uint64_t x = 88172645463325252u;

	for (size_t k = 0; k < N_KINDS; k++) {
		void *rec = mem_zalloc(kinds[k].size);
		uint8_t full[RECORD_MAX];
		size_t n = kinds[k].encode(rec, full);

		for (size_t len = 0; len <= n; len++) {
			uint8_t *cut = mem_dup(full, len + 1);
			uint8_t *exact = mem_realloc(cut, len > 0 ? len : 1);
			int rc = kinds[k].decode((struct slice){exact, len}, rec, NULL);

			cr_assert_eq(rc, len == n ? 0 : ERR_CORRUPT, "%s cut at %zu of %zu: %d",
			    kinds[k].name, len, n, rc);
			mem_free(exact);
		}
		for (int i = 0; i < 2000; i++) {
			uint8_t *noise = mem_dup(full, n);
			int rc;

			x ^= x << 13;
			x ^= x >> 7;
			x ^= x << 17;
			noise[x % n] = (uint8_t)(x >> 32);
			rc = kinds[k].decode((struct slice){noise, n}, rec, NULL);
			cr_assert(rc == 0 || rc == ERR_CORRUPT || rc == ERR_UNSUPPORTED);
			mem_free(noise);
		}
		mem_free(rec);
	}
	LEAK_CHECK();
}

Test(sched_record, newer_versions_are_refused_and_tails_are_handed_out)
{
	for (size_t k = 0; k < N_KINDS; k++) {
		void *rec = mem_zalloc(kinds[k].size);
		uint8_t buf[RECORD_MAX];
		size_t n = kinds[k].encode(rec, buf);
		struct slice rest;

		buf[n] = 'T';
		cr_assert_eq(kinds[k].decode((struct slice){buf, n + 1}, rec, NULL), ERR_CORRUPT);
		cr_assert_eq(kinds[k].decode((struct slice){buf, n + 1}, rec, &rest), 0);
		cr_assert(rest.n == 1 && *(const char *)rest.p == 'T');
		buf[0] = 200;
		cr_assert_eq(kinds[k].decode((struct slice){buf, n}, rec, NULL), ERR_UNSUPPORTED);
		buf[0] = 0;
		cr_assert_eq(kinds[k].decode((struct slice){buf, n}, rec, NULL), ERR_CORRUPT);
		mem_free(rec);
	}
	LEAK_CHECK();
}

/* A record of version 1 read by a codec of version 2 leaves the new field zero. */
Test(sched_record, older_versions_are_upgraded)
{
	struct two {
		uint32_t a, b;
	} out = {9, 9};
	static const struct field fields[] = {
	    {F_U32, 1, offsetof(struct two, a), 4}, {F_U32, 2, offsetof(struct two, b), 4}};
	const struct codec v2 = {2, fields, 2, sizeof(struct two)};
	const uint8_t old[] = {1, 0, 0, 0, 7};

	cr_assert_eq(codec_decode(&v2, (struct slice){old, sizeof(old)}, &out, NULL), 0);
	cr_assert(out.a == 7 && out.b == 0);
	LEAK_CHECK();
}

/* These bytes are what stores in the field hold: a change here needs a new version. */
Test(sched_record, layout_is_frozen)
{
	static const struct {
		const char *name;
		uint8_t version;
		size_t bytes; /* of a zeroed record */
	} frozen[] = {{"dag", 1, 52}, {"file", 1, 60}, {"event", 1, 49}, {"dedupe", 1, 33},
	    {"run", 4, 209}, {"step", 4, 178}, {"schedule", 2, 75}, {"dataset", 1, 33},
	    {"version", 1, 66}, {"join", 1, 31}, {"cursor", 1, 33}, {"token", 1, 25},
	    {"idempotency", 1, 17}, {"outbox", 1, 63}, {"endpoint", 1, 58}, {"backfill", 1, 161},
	    {"audit", 1, 57}, {"cancel", 1, 50}};

	for (size_t k = 0; k < N_KINDS; k++) {
		void *rec = mem_zalloc(kinds[k].size);
		uint8_t buf[RECORD_MAX];
		size_t n = kinds[k].encode(rec, buf);

		cr_assert_str_eq(kinds[k].name, frozen[k].name);
		cr_assert_eq(buf[0], frozen[k].version);
		cr_assert_eq(n, frozen[k].bytes, "%s has %zu bytes", kinds[k].name, n);
		mem_free(rec);
	}
	LEAK_CHECK();
}
