/* A look at a store before the daemon opens it: in a child, so that a file that ends its reader is
 * an answer and not an end. */
#include "core/store/copy.h"

#include "core/sched/table.h"
#include "leak.h"
#include "test_store_help.h"

#include <criterion/criterion.h>
#include <dirent.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static int open_files(void)
{
	DIR *d = opendir("/proc/self/fd");
	int n = 0;

	while (readdir(d))
		n++;
	closedir(d);
	return n;
}

Test(store_probe, a_sound_store_and_none_at_all_are_fine)
{
	struct temp_store t;
	struct err err = {0};
	int fds;

	temp_store_make(&t, false);
	fds = open_files();
	cr_assert_eq(store_probe(t.dir, &err), 0, "%s", err.text);
	temp_store_open(&t);
	temp_store_fill(&t, 40, 50, "unix:7");
	temp_store_close(&t);
	cr_assert_eq(store_probe(t.dir, &err), 0, "%s", err.text);
	cr_assert_eq(open_files(), fds, "it leaves descriptors open");
	cr_assert_lt(waitpid(-1, NULL, WNOHANG), 0, "it leaves a child");
	temp_store_remove(&t);
	LEAK_CHECK();
}

/* What the daemon cannot do without is read, and its damage is said with what to do; the rest is
 * fsck's. */
Test(store_probe, reads_the_small_tables_alone_unless_all_is_asked_for)
{
	static const struct {
		enum table table;
		bool seen;
	} cases[] = {{TABLE_META, true}, {TABLE_DAG, true}, {TABLE_FILE, true},
	    {TABLE_RUN_QUEUE, true}, {TABLE_READY, true}, {TABLE_RUNNING, true}, {TABLE_DUE, true},
	    {TABLE_SCHED, true}, {TABLE_TOKEN_NAME, true}, {TABLE_STEP_DOC, false},
	    {TABLE_AUDIT, false}};
	struct err err = {0};
	struct temp_store t;
	char path[256];

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		const char *name = table_name(cases[i].table);

		temp_store_make(&t, true);
		temp_store_damage(&t, cases[i].table);
		temp_store_close(&t);
		temp_path(&t, "data.mdb", path);
		err_clear(&err);
		cr_assert_eq(store_probe(t.dir, &err), cases[i].seen ? ERR_CORRUPT : 0, "%s: %s",
		    name, err.text);
		if (cases[i].seen) {
			cr_assert(strstr(err.text, name), "%s: %s", name, err.text);
			cr_assert(strstr(err.text, "sluice restore FILE"), "%s", err.text);
		}
		cr_assert_eq(copy_probe(path, true, &err), ERR_CORRUPT, "%s", name);
		temp_store_remove(&t);
	}
	LEAK_CHECK();
}

/* LMDB has made its file, and the daemon was killed before there was anything in it. */
Test(store_probe, a_first_start_that_was_killed_is_no_damage)
{
	struct temp_store t;
	struct err err = {0};
	MDB_env *env = NULL;
	char path[256];

	temp_store_make(&t, false);
	temp_path(&t, "data.mdb", path);
	cr_assert_eq(mdb_env_create(&env), 0);
	cr_assert_eq(mdb_env_open(env, path, MDB_NOSUBDIR | MDB_NOLOCK, 0600), 0);
	mdb_env_close(env);
	cr_assert_eq(store_probe(t.dir, &err), 0, "%s", err.text);
	temp_store_open(&t);
	cr_assert_eq(store_epoch(t.store), 1);
	temp_store_remove(&t);
	LEAK_CHECK();
}

/* A small store is not taken for a new one because its meta records cannot be found. */
Test(store_probe, a_small_store_without_meta_records_is_damaged)
{
	struct temp_store t;
	struct store *s = NULL;
	struct store_options o;
	struct store_txn x;
	struct err err = {0};

	temp_store_make(&t, true);
	store_txn_init(&x, t.store);
	cr_assert_eq(store_txn_begin(&x, true), 0);
	cr_assert_eq(mdb_drop(x.txn, t.store->dbi[TABLE_META], 0), 0);
	cr_assert_eq(store_txn_commit(&x), 0);
	store_txn_end(&x);
	store_txn_done(&x);
	temp_store_close(&t);
	cr_assert_eq(store_probe(t.dir, &err), ERR_CORRUPT, "%s", err.text);
	cr_assert(strstr(err.text, "lost its meta records"), "%s", err.text);
	o = (struct store_options){.dir = t.dir, .create = true};
	cr_assert_eq(store_open(&o, &s, &err), ERR_CORRUPT, "it was made anew");
	temp_store_remove(&t);
	LEAK_CHECK();
}

/* Each page in turn is nonsense: whatever that does to a reader, this process goes on. */
Test(store_probe, outlives_any_damage, .timeout = 120)
{
	uint8_t junk[4096], page[4096];
	struct temp_store t;
	struct err err = {0};
	struct stat st;
	char path[256];
	int fd, bad = 0;

	memset(junk, 0x5a, sizeof(junk));
	temp_store_make(&t, true);
	temp_store_fill(&t, 40, 50, "unix:7");
	temp_store_close(&t);
	temp_path(&t, "data.mdb", path);
	fd = open(path, O_RDWR | O_CLOEXEC);
	cr_assert_eq(fstat(fd, &st), 0);
	for (off_t at = 0; at < st.st_size && at < 40 * 4096; at += 4096) {
		int rc;

		cr_assert_eq(pread(fd, page, sizeof(page), at), (ssize_t)sizeof(page));
		cr_assert_eq(pwrite(fd, junk, sizeof(junk), at), (ssize_t)sizeof(junk));
		rc = store_probe(t.dir, &err);
		cr_assert(rc == 0 || rc == ERR_CORRUPT, "page %lld: %d %s", (long long)(at / 4096),
		    rc, err.text);
		bad += rc == ERR_CORRUPT;
		cr_assert_eq(pwrite(fd, page, sizeof(page), at), (ssize_t)sizeof(page));
	}
	cr_assert_geq(bad, 3, "no damage was seen: %d", bad);
	cr_assert_eq(store_probe(t.dir, &err), 0, "%s", err.text);
	close(fd);
	temp_store_remove(&t);
	LEAK_CHECK();
}
