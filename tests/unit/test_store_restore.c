/* A backup in the place of a store: what it is made to be, what is kept, and that a refusal changes
 * nothing. What sched_restore does to records is in test_sched_restore.c. */
#include "core/store/copy.h"

#include "core/sched/codec.h"
#include "core/sched/table.h"
#include "leak.h"
#include "test_store_help.h"

#include <criterion/criterion.h>
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define NOW (INT64_C(1763000000) * US_PER_S)
#define MINUTES_2020 ((1763000000 - 1577836800) / 60)

/* A store (numbers 40, 50) and its backup; then the store goes on to 400, 500. */
static void begin(struct temp_store *t, char backup[256])
{
	struct store_copy info;
	struct err err = {0};

	temp_store_make(t, true);
	temp_store_fill(t, 40, 50, "unix:7");
	temp_path(t, "backup", backup);
	cr_assert_eq(store_backup(t->store, backup, NOW - 5, &info, &err), 0, "%s", err.text);
	temp_store_fill(t, 400, 500, "unix:9");
}

static void nonsense(const char *path, off_t from, size_t n)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	char junk[4096];

	memset(junk, 0xa5, sizeof(junk));
	for (size_t i = 0; i < n; i++)
		cr_assert_eq(pwrite(fd, junk, sizeof(junk), from + (off_t)(i * sizeof(junk))),
		    (ssize_t)sizeof(junk));
	close(fd);
}

static int files_like(const struct temp_store *t, const char *begins)
{
	DIR *d = opendir(t->dir);
	struct dirent *e;
	int n = 0;

	while ((e = readdir(d)))
		n += strncmp(e->d_name, begins, strlen(begins)) == 0;
	closedir(d);
	return n;
}

static void meta_is(struct temp_store *t, const char *name, uint64_t want)
{
	struct store_txn x;
	uint64_t n = 0;

	store_txn_init(&x, t->store);
	cr_assert_eq(store_txn_begin(&x, false), 0);
	cr_assert_eq(meta_get(&x.view, name, &n), 0, "%s", name);
	cr_assert_eq(n, want, "%s is %llu", name, (unsigned long long)n);
	store_txn_end(&x);
	store_txn_done(&x);
}

Test(store_restore, the_backup_takes_over_and_the_replaced_store_is_kept)
{
	uint8_t was[HASH_SHA256_BYTES], kept[HASH_SHA256_BYTES];
	struct store_restored r;
	struct temp_store t;
	struct audit_rec a;
	struct err err = {0};
	char backup[256], stale[256];
	uint64_t n;

	begin(&t, backup);
	temp_store_close(&t);
	cr_assert(temp_file_hash(&t, "data.mdb", was));
	temp_path(&t, "data.mdb.restore", stale);
	nonsense(stale, 0, 1); /* of a restore that was killed */
	cr_assert_eq(store_restore(t.dir, backup, NOW, "unix:8", &r, &err), 0, "%s", err.text);
	cr_assert(r.had_old && r.old_read);
	cr_assert_eq(r.backup.next_run, 40);
	cr_assert_eq(r.backup.copied_at, NOW - 5);
	cr_assert_eq(r.old.next_run, 400);
	cr_assert_eq(r.is.next_event, 500);
	cr_assert_eq(r.is.epoch, MINUTES_2020, "above every epoch that was ever seen");
	cr_assert_not_null(r.kept);
	cr_assert(temp_file_hash(&t, strrchr(r.kept, '/') + 1, kept));
	cr_assert_eq(memcmp(was, kept, sizeof(was)), 0);
	cr_assert_eq(files_like(&t, "data.mdb.restore"), 0);
	temp_store_open(&t);
	cr_assert_eq(store_epoch(t.store), r.is.epoch);
	meta_is(&t, META_NEXT_RUN, 400);
	meta_is(&t, META_NEXT_EVENT, 500);
	meta_is(&t, META_PAUSED, 1);
	meta_is(&t, META_HOLD, 1);
	a = temp_store_audit(&t, &n);
	cr_assert_eq(n, 2, "the backup's record and the restore's, not what came after the backup");
	cr_assert_str_eq(a.verb, "restore");
	cr_assert_str_eq(a.actor, "unix:8");
	cr_assert(strstr(a.detail, "the backup of 2025-11-13T02:13:19.999"), "%s", a.detail);
	cr_assert_eq(copy_prove(t.store, "it", &err), 0, "%s", err.text);
	store_restored_done(&r);
	temp_store_remove(&t);
	LEAK_CHECK();
}

Test(store_restore, into_an_empty_folder_numbers_jump)
{
	struct store_restored r;
	struct temp_store t, empty;
	struct err err = {0};
	char backup[256];

	begin(&t, backup);
	temp_store_make(&empty, false);
	cr_assert_eq(store_restore(empty.dir, backup, NOW, "unix:8", &r, &err), 0, "%s", err.text);
	cr_assert(!r.had_old && !r.old_read && !r.kept);
	temp_store_open(&empty);
	meta_is(&empty, META_NEXT_RUN, 1000040);
	meta_is(&empty, META_NEXT_EVENT, 1000050);
	cr_assert_eq(store_epoch(empty.store), MINUTES_2020);
	store_restored_done(&r);
	temp_store_remove(&empty);
	temp_store_remove(&t);
	LEAK_CHECK();
}

Test(store_restore, over_a_store_that_nobody_can_read_it_is_kept_and_numbers_jump)
{
	struct store_restored r;
	struct temp_store t;
	struct err err = {0};
	char backup[256], data[256];

	begin(&t, backup);
	temp_store_close(&t);
	temp_path(&t, "data.mdb", data);
	nonsense(data, 2 * 4096, 20); /* all but LMDB's own first pages */
	cr_assert_eq(store_restore(t.dir, backup, NOW, "unix:8", &r, &err), 0, "%s", err.text);
	cr_assert(r.had_old && !r.old_read);
	cr_assert_not_null(r.kept);
	cr_assert_eq(files_like(&t, "data.mdb.before-restore-"), 1);
	temp_store_open(&t);
	meta_is(&t, META_NEXT_RUN, 1000040);
	store_restored_done(&r);
	temp_store_remove(&t);
	LEAK_CHECK();
}

Test(store_restore, one_that_fails_at_its_end_leaves_the_store_alone)
{
	uint8_t was[HASH_SHA256_BYTES], is[HASH_SHA256_BYTES];
	struct store_restored r;
	struct temp_store t;
	struct err err = {0};
	char backup[256];

	begin(&t, backup);
	temp_store_close(&t);
	cr_assert_eq(store_restore(t.dir, backup, NOW, "unix:8", &r, &err), 0, "%s", err.text);
	store_restored_done(&r);
	cr_assert(temp_file_hash(&t, "data.mdb", was));
	/* the name for the replaced store is of this instant, and is taken */
	cr_assert_eq(store_restore(t.dir, backup, NOW, "unix:8", &r, &err), ERR_IO);
	store_restored_done(&r);
	cr_assert(temp_file_hash(&t, "data.mdb", is));
	cr_assert_eq(memcmp(was, is, sizeof(was)), 0);
	cr_assert_eq(files_like(&t, "data.mdb.restore"), 0);
	cr_assert_eq(files_like(&t, "data.mdb.before-restore-"), 1);
	temp_store_remove(&t);
	LEAK_CHECK();
}

static void refused(struct temp_store *t, const char *file, int want, const char *why)
{
	uint8_t was[HASH_SHA256_BYTES], is[HASH_SHA256_BYTES];
	struct store_restored r;
	struct err err = {0};

	cr_assert(temp_file_hash(t, "data.mdb", was));
	cr_assert_eq(
	    store_restore(t->dir, file, NOW, "unix:8", &r, &err), want, "%s: %s", why, err.text);
	cr_assert(temp_file_hash(t, "data.mdb", is));
	cr_assert_eq(memcmp(was, is, sizeof(was)), 0, "%s changed the store", why);
	cr_assert_eq(files_like(t, "data.mdb."), 0, "%s left files", why);
	store_restored_done(&r);
}

Test(store_restore, a_refusal_changes_nothing)
{
	char backup[256], bad[256], here[256];
	struct store_copy info;
	struct temp_store t, damaged;
	struct err err = {0};

	begin(&t, backup);
	refused(&t, backup, ERR_CONFLICT, "a store that is open");
	temp_store_close(&t);
	refused(&t, "/tmp/no/such/backup", ERR_NOT_FOUND, "a backup that is not there");
	temp_path(&t, "junk", bad);
	nonsense(bad, 0, 16);
	refused(&t, bad, ERR_CORRUPT, "a file that is no store");
	/* sound pages, and a value in them that fsck alone sees */
	temp_store_make(&damaged, true);
	temp_store_damage(&damaged, TABLE_STEP_DOC);
	temp_path(&t, "damaged", here);
	cr_assert_eq(copy_make(damaged.store, here, &err), 0, "%s", err.text);
	refused(&t, here, ERR_CORRUPT, "a damaged backup");
	temp_store_open(&t);
	cr_assert_eq(copy_info(t.store, &info, &err), 0);
	cr_assert_eq(info.next_run, 400);
	temp_store_remove(&damaged);
	temp_store_remove(&t);
	LEAK_CHECK();
}
