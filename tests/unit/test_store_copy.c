/* Copies of a store: a backup is whole, stamped and proven; compact changes the size and nothing
 * else; neither leaves anything behind when it fails. Here are the helpers of these tests, too. */
#include "core/store/copy.h"

#include "core/base/io.h"
#include "core/sched/audit.h"
#include "core/sched/codec.h"
#include "core/sched/table.h"
#include "leak.h"
#include "test_store_help.h"

#include <criterion/criterion.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define NOW (INT64_C(1763000000) * US_PER_S)

void temp_path(const struct temp_store *t, const char *name, char out[256])
{
	snprintf(out, 256, "%s/%s", t->dir, name);
}

void temp_store_fill(struct temp_store *t, uint64_t next_run, uint64_t next_event, const char *who)
{
	struct store_txn x;

	store_txn_init(&x, t->store);
	cr_assert_eq(store_txn_begin(&x, true), 0);
	cr_assert_eq(meta_put(&x.view, META_NEXT_RUN, next_run), 0);
	cr_assert_eq(meta_put(&x.view, META_NEXT_EVENT, next_event), 0);
	cr_assert_eq(audit_note(&x.view, NOW, who, "shutdown", "daemon", ""), 0);
	cr_assert_eq(store_txn_commit(&x), 0);
	store_txn_end(&x);
	store_txn_done(&x);
}

void temp_store_damage(struct temp_store *t, enum table table)
{
	struct store_txn x;
	MDB_val k, v;
	char key[] = "victim", value[16] = "body........";

	store_txn_init(&x, t->store);
	cr_assert_eq(store_txn_begin(&x, true), 0);
	k = (MDB_val){6, key};
	v = (MDB_val){12, value}; /* no valid checksum behind it */
	cr_assert_eq(mdb_put(x.txn, t->store->dbi[table], &k, &v, 0), 0);
	cr_assert_eq(store_txn_commit(&x), 0);
	store_txn_done(&x);
}

struct audit_rec temp_store_audit(struct temp_store *t, uint64_t *ret_n)
{
	struct audit_rec a = {0};
	struct store_txn x;

	store_txn_init(&x, t->store);
	cr_assert_eq(store_txn_begin(&x, false), 0);
	*ret_n = 1;
	if (meta_get(&x.view, META_NEXT_AUDIT, ret_n) == 0)
		cr_assert_eq(audit_get(&x.view, *ret_n - 1, &a), 0);
	--*ret_n;
	store_txn_end(&x);
	store_txn_done(&x);
	return a;
}

bool temp_file_hash(const struct temp_store *t, const char *name, uint8_t out[HASH_SHA256_BYTES])
{
	char path[256];
	struct str text;
	struct err err;
	bool there;

	temp_path(t, name, path);
	str_init(&text, 64u << 20);
	there = io_read_file(path, 64u << 20, &text, &err) == 0;
	if (there)
		hash_sha256(str_peek(&text), text.len, out);
	str_done(&text);
	return there;
}

static uint64_t meta(struct store *s, const char *name)
{
	struct store_txn x;
	uint64_t n = 0;

	store_txn_init(&x, s);
	cr_assert_eq(store_txn_begin(&x, false), 0);
	if (meta_get(&x.view, name, &n) != 0)
		n = 0;
	store_txn_end(&x);
	store_txn_done(&x);
	return n;
}

Test(store_copy, a_backup_holds_what_the_store_holds_and_when_it_was_made)
{
	struct temp_store t, copy = {0};
	struct store_copy info;
	struct audit_rec a;
	struct err err = {0};
	struct stat st;
	char path[256];
	uint64_t n;

	temp_store_make(&t, true);
	temp_store_fill(&t, 40, 50, "unix:7");
	temp_path(&t, "backup", path);
	cr_assert_eq(store_backup(t.store, path, NOW, &info, &err), 0, "%s", err.text);
	cr_assert_eq(info.next_run, 40);
	cr_assert_eq(info.next_event, 50);
	cr_assert_eq(info.copied_at, NOW);
	cr_assert_eq(info.epoch, 1);
	cr_assert_eq(info.schema, STORE_SCHEMA);
	cr_assert_eq(memcmp(info.uuid, store_uuid(t.store), 16), 0);
	cr_assert_eq(stat(path, &st), 0);
	cr_assert_eq(st.st_mode & 0777, 0600);
	cr_assert_eq(info.bytes, (uint64_t)st.st_size);
	cr_assert_eq(meta(t.store, META_COPIED), 0, "the store itself is no copy");
	cr_assert_eq(store_open_file(path, false, &copy.store, &err), 0, "%s", err.text);
	a = temp_store_audit(&copy, &n);
	cr_assert_eq(n, 1);
	cr_assert_str_eq(a.actor, "unix:7");
	cr_assert_eq(copy_prove(copy.store, path, &err), 0, "%s", err.text);
	store_close(copy.store);
	temp_store_remove(&t);
	LEAK_CHECK();
}

Test(store_copy, a_backup_overwrites_nothing)
{
	struct temp_store t;
	struct store_copy info;
	struct err err = {0};
	char path[256];
	struct stat st;
	int fd;

	temp_store_make(&t, true);
	temp_path(&t, "backup", path);
	fd = open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
	cr_assert_eq(write(fd, "mine", 4), 4);
	close(fd);
	cr_assert_eq(store_backup(t.store, path, NOW, &info, &err), ERR_IO);
	cr_assert_eq(stat(path, &st), 0);
	cr_assert_eq(st.st_size, 4);
	cr_assert_eq(unlink(path), 0);
	cr_assert_eq(symlink("data.mdb", path), 0);
	cr_assert_eq(store_backup(t.store, path, NOW, &info, &err), ERR_IO);
	temp_store_remove(&t);
	LEAK_CHECK();
}

Test(store_copy, a_backup_that_is_not_sound_gets_no_name)
{
	struct temp_store t;
	struct store_copy info;
	struct err err = {0};
	char path[256];

	temp_store_make(&t, true);
	temp_store_damage(&t, TABLE_STEP_DOC);
	temp_path(&t, "backup", path);
	cr_assert_eq(store_backup(t.store, path, NOW, &info, &err), ERR_CORRUPT);
	cr_assert(strstr(err.text, "problems; the first: "), "%s", err.text);
	cr_assert_neq(access(path, F_OK), 0, "a bad copy was left there");
	temp_store_remove(&t);
	LEAK_CHECK();
}

/* Pages that are free afterwards. */
static void swell(struct temp_store *t)
{
	char value[3000] = {0}, key[16];
	struct store_txn x;

	store_txn_init(&x, t->store);
	for (int turn = 0; turn < 2; turn++) {
		cr_assert_eq(store_txn_begin(&x, true), 0);
		for (int i = 0; i < 2000; i++) {
			snprintf(key, sizeof(key), "swell%d", i);
			cr_assert_eq(turn == 0
					 ? view_put(&x.view, TABLE_STEP_DOC, key, strlen(key),
					       value, sizeof(value))
					 : view_del(&x.view, TABLE_STEP_DOC, key, strlen(key)),
			    0);
		}
		cr_assert_eq(store_txn_commit(&x), 0);
		store_txn_end(&x);
	}
	store_txn_done(&x);
}

Test(store_copy, compact_drops_free_pages_and_says_who_did_it)
{
	struct temp_store t;
	struct audit_rec a;
	struct err err = {0};
	uint64_t before, after, n;
	uint8_t uuid[16], hash[HASH_SHA256_BYTES];
	char text[64];

	temp_store_make(&t, true);
	temp_store_fill(&t, 40, 50, "unix:7");
	swell(&t);
	memcpy(uuid, store_uuid(t.store), 16);
	cr_assert_eq(store_compact(t.dir, NOW, "unix:8", &before, &after, &err), ERR_CONFLICT);
	temp_store_close(&t);
	cr_assert_eq(store_compact(t.dir, NOW, "unix:8", &before, &after, &err), 0, "%s", err.text);
	cr_assert_geq(before, 8000000);
	cr_assert_leq(after, 1000000, "%llu", (unsigned long long)after);
	cr_assert(!temp_file_hash(&t, "data.mdb.compact", hash));
	temp_store_open(&t);
	cr_assert_eq(memcmp(uuid, store_uuid(t.store), 16), 0);
	cr_assert_eq(store_epoch(t.store), 1);
	cr_assert_eq(meta(t.store, META_NEXT_RUN), 40);
	cr_assert_eq(meta(t.store, META_COPIED), 0, "it is no backup");
	a = temp_store_audit(&t, &n);
	cr_assert_eq(n, 2);
	cr_assert_str_eq(a.verb, "compact");
	cr_assert_str_eq(a.actor, "unix:8");
	snprintf(text, sizeof(text), "%llu bytes before", (unsigned long long)before);
	cr_assert_str_eq(a.detail, text);
	cr_assert_eq(copy_prove(t.store, "it", &err), 0, "%s", err.text);
	temp_store_remove(&t);
	LEAK_CHECK();
}

Test(store_copy, compact_of_a_damaged_store_leaves_it_as_it_is)
{
	uint8_t was[HASH_SHA256_BYTES], is[HASH_SHA256_BYTES];
	struct temp_store t;
	struct err err = {0};
	uint64_t before, after;

	temp_store_make(&t, true);
	temp_store_damage(&t, TABLE_STEP_DOC);
	temp_store_close(&t);
	cr_assert(temp_file_hash(&t, "data.mdb", was));
	cr_assert_eq(store_compact(t.dir, NOW, "unix:8", &before, &after, &err), ERR_CORRUPT);
	cr_assert(temp_file_hash(&t, "data.mdb", is));
	cr_assert_eq(memcmp(was, is, sizeof(was)), 0);
	cr_assert(!temp_file_hash(&t, "data.mdb.compact", is));
	temp_store_remove(&t);
	LEAK_CHECK();
}
