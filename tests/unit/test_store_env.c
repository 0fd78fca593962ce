/* Opening a store: one daemon, private folder, descriptors that no child gets, damage seen before
 * the map is touched. */
#include "core/store/store.h"

#include "core/base/mem.h"
#include "core/base/str.h"
#include "leak.h"
#include "test_store_help.h"

#include <criterion/criterion.h>
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

void temp_store_make(struct temp_store *t, bool open)
{
	memset(t, 0, sizeof(*t));
	memcpy(t->dir, "/tmp/sluice-store-XXXXXX", sizeof("/tmp/sluice-store-XXXXXX"));
	cr_assert(mkdtemp(t->dir));
	if (open)
		temp_store_open(t);
}

void temp_store_open(struct temp_store *t)
{
	struct store_options o = {.dir = t->dir, .create = true, .now = 1000};
	struct err err = {0};

	cr_assert_eq(store_open(&o, &t->store, &err), 0, "%s", err.text);
}

void temp_store_close(struct temp_store *t)
{
	store_close(t->store);
	t->store = NULL;
}

void temp_store_remove(struct temp_store *t)
{
	char path[512];
	struct dirent *e;
	DIR *d;

	temp_store_close(t);
	d = opendir(t->dir);
	while (d && (e = readdir(d))) {
		snprintf(path, sizeof(path), "%s/%s", t->dir, e->d_name);
		unlink(path);
	}
	closedir(d);
	rmdir(t->dir);
}

static void data_path(const struct temp_store *t, char *out, size_t n)
{
	snprintf(out, n, "%s/data.mdb", t->dir);
}

Test(store_env, keeps_identity_over_restarts)
{
	struct temp_store t;
	uint8_t uuid[16];

	temp_store_make(&t, true);
	memcpy(uuid, store_uuid(t.store), 16);
	cr_assert_eq(store_epoch(t.store), 1);
	temp_store_close(&t);
	temp_store_open(&t);
	cr_assert_eq(memcmp(uuid, store_uuid(t.store), 16), 0);
	cr_assert_eq(store_epoch(t.store), 1);
	temp_store_remove(&t);
	LEAK_CHECK();
}

Test(store_env, refuses_a_second_daemon_and_names_its_pid)
{
	struct temp_store t;
	struct store_options o;
	struct store *second = NULL;
	struct err err = {0};
	char pid[32];

	temp_store_make(&t, true);
	o = (struct store_options){.dir = t.dir, .create = true};
	cr_assert_eq(store_open(&o, &second, &err), ERR_CONFLICT);
	snprintf(pid, sizeof(pid), "pid %d", (int)getpid());
	cr_assert(strstr(err.text, pid), "%s", err.text);
	cr_assert_null(second);
	temp_store_remove(&t);
	LEAK_CHECK();
}

Test(store_env, makes_folder_and_files_private)
{
	struct temp_store t;
	struct stat st;
	char path[512];

	temp_store_make(&t, false);
	cr_assert_eq(chmod(t.dir, 0755), 0);
	temp_store_open(&t);
	cr_assert_eq(stat(t.dir, &st), 0);
	cr_assert_eq(st.st_mode & 0777, 0700);
	data_path(&t, path, sizeof(path));
	cr_assert_eq(stat(path, &st), 0);
	cr_assert_eq(st.st_mode & 0777, 0600);
	temp_store_remove(&t);
	LEAK_CHECK();
}

Test(store_env, leaves_no_descriptor_to_a_child)
{
	struct temp_store t;
	struct dirent *e;
	char link[512], path[300];
	ssize_t n;
	int64_t fd;
	DIR *d;
	int seen = 0;

	temp_store_make(&t, true);
	d = opendir("/proc/self/fd");
	while ((e = readdir(d))) {
		snprintf(path, sizeof(path), "/proc/self/fd/%s", e->d_name);
		n = readlink(path, link, sizeof(link) - 1);
		link[n > 0 ? n : 0] = 0;
		if (strncmp(link, t.dir, strlen(t.dir)) != 0)
			continue;
		seen++;
		cr_assert_eq(str_to_i64(e->d_name, &fd), 0);
		cr_assert(fcntl((int)fd, F_GETFD) & FD_CLOEXEC, "%s survives exec", link);
	}
	closedir(d);
	cr_assert_geq(seen, 3, "data, lock and sluice.lock were expected, saw %d", seen);
	temp_store_remove(&t);
	LEAK_CHECK();
}

Test(store_env, sees_a_file_that_was_cut_off)
{
	struct temp_store t;
	struct store_options o;
	struct store *s = NULL;
	struct err err = {0};
	char path[512];
	struct stat st;

	temp_store_make(&t, true);
	temp_store_close(&t);
	data_path(&t, path, sizeof(path));
	cr_assert_eq(stat(path, &st), 0);
	o = (struct store_options){.dir = t.dir, .create = true};
	cr_assert_eq(truncate(path, 5 * 4096), 0);
	cr_assert_eq(store_open(&o, &s, &err), ERR_CORRUPT, "%s", err.text);
	cr_assert_eq(truncate(path, 100), 0);
	cr_assert_eq(store_open(&o, &s, &err), ERR_CORRUPT, "%s", err.text);
	temp_store_remove(&t);
	LEAK_CHECK();
}

Test(store_env, refuses_what_is_no_store)
{
	struct temp_store t;
	struct store_options o;
	struct store *s = NULL;
	struct err err = {0};
	char path[512], junk[16384];
	int fd;

	temp_store_make(&t, false);
	o = (struct store_options){.dir = t.dir};
	cr_assert_eq(store_open(&o, &s, &err), ERR_NOT_FOUND, "%s", err.text);
	memset(junk, 'x', sizeof(junk));
	data_path(&t, path, sizeof(path));
	fd = open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
	cr_assert_eq(write(fd, junk, sizeof(junk)), (ssize_t)sizeof(junk));
	close(fd);
	o.create = true;
	cr_assert_eq(store_open(&o, &s, &err), ERR_CORRUPT, "%s", err.text);
	temp_store_remove(&t);
	LEAK_CHECK();
}
