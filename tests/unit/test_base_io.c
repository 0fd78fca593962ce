/* Files, folders and sealed memory files, in a folder of their own. */
#include "core/base/io.h"

#include "core/base/mem.h"
#include "tests/unit/leak.h"

#include <criterion/criterion.h>
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

static char dir[] = "/tmp/sluice-io-XXXXXX";

static void enter(void)
{
	cr_assert_not_null(mkdtemp(dir));
	cr_assert_eq(chdir(dir), 0);
}

static void leave(void)
{
	static const char *const names[] = {"f", "g", "a/b/c", "a/b", "a"};
	size_t i;

	for (i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		remove(names[i]);
	rmdir(dir);
}

TestSuite(base_io, .init = enter, .fini = leave);

static int files_here(void)
{
	DIR *d = opendir(".");
	struct dirent *e;
	int n = 0;

	while ((e = readdir(d)) != NULL)
		n += e->d_name[0] != '.';
	closedir(d);
	return n;
}

Test(base_io, writes_and_reads_whole_files)
{
	struct err e = {0};
	struct stat st;
	struct str b;

	str_init(&b, 100);
	cr_assert_eq(io_write_file("f", "a\0b", 3, 0640, &e), 0, "%s", e.text);
	cr_assert_eq(stat("f", &st), 0);
	cr_assert_eq(st.st_mode & 07777, 0640);
	cr_assert_eq(io_read_file("f", 3, &b, &e), 0, "%s", e.text);
	cr_assert_eq(b.len, 3);
	cr_assert_arr_eq(b.s, "a\0b", 4);
	cr_assert_eq(io_write_file("f", "new", 3, 0600, &e), 0, "%s", e.text);
	cr_assert_eq(io_read_file("f", 3, &b, &e), 0);
	cr_assert_eq(b.len, 6, "reading appends");
	cr_assert_eq(files_here(), 1, "a temporary file was left");
	str_done(&b);
	LEAK_CHECK();
}

Test(base_io, reads_files_of_every_size_around_its_chunk)
{
	static const size_t sizes[] = {0, 1, 63, 64, 65535, 65536, 65537, 200000};
	char *big = mem_zalloc(200000);
	struct str b;
	size_t i;

	memset(big, 'q', 200000);
	for (i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		str_init(&b, 200000);
		cr_assert_eq(io_write_file("f", big, sizes[i], 0600, NULL), 0);
		cr_assert_eq(io_read_file("f", sizes[i], &b, NULL), 0);
		cr_assert_eq(b.len, sizes[i]);
		cr_assert_eq(b.s[b.len], '\0');
		str_done(&b);
		if (sizes[i] == 0)
			continue;
		str_init(&b, 200000);
		cr_assert_eq(io_read_file("f", sizes[i] - 1, &b, NULL), ERR_LIMIT);
		cr_assert_eq(b.len, 0);
		str_done(&b);
	}
	mem_free(big);
	LEAK_CHECK();
}

Test(base_io, reads_files_without_a_size_and_bounds_them)
{
	struct err e = {0};
	struct str b;

	str_init(&b, 100000);
	cr_assert_eq(io_read_file("/proc/self/status", 100000, &b, &e), 0, "%s", e.text);
	cr_assert_gt(b.len, 100);
	str_reset(&b);
	cr_assert_eq(io_read_file("/proc/self/status", 100, &b, &e), ERR_LIMIT);
	cr_assert_eq(io_read_file("/dev/zero", 100, &b, &e), ERR_LIMIT);
	cr_assert_eq(b.len, 0);
	str_done(&b);
	LEAK_CHECK();
}

Test(base_io, says_which_file_is_missing)
{
	struct err e = {0};
	struct str b;

	str_init(&b, 10);
	cr_assert_eq(io_read_file("nowhere", 10, &b, &e), ERR_NOT_FOUND);
	cr_assert_str_eq(e.text, "cannot open nowhere: No such file or directory");
	cr_assert_eq(io_read_file(".", 10, &b, &e), ERR_IO);
	cr_assert_eq(io_write_file("no/f", "x", 1, 0600, &e), ERR_IO);
	cr_assert_not_null(strstr(e.text, "no/f"));
	str_done(&b);
	LEAK_CHECK();
}

Test(base_io, a_buffer_too_small_is_a_limit)
{
	struct str b;

	str_init(&b, 2);
	cr_assert_eq(io_write_file("f", "abc", 3, 0600, NULL), 0);
	cr_assert_eq(io_read_file("f", 10, &b, NULL), ERR_LIMIT);
	cr_assert_eq(b.len, 0);
	str_done(&b);
	LEAK_CHECK();
}

Test(base_io, a_write_that_fails_leaves_the_old_file)
{
	struct err e = {0};
	struct str b;

	str_init(&b, 10);
	cr_assert_eq(io_mkdirs("a/b", 0700, &e), 0);
	cr_assert_eq(io_write_file("a", "x", 1, 0600, &e), ERR_IO, "a folder is in the way");
	cr_assert_eq(files_here(), 1, "a temporary file was left");
	str_done(&b);
	LEAK_CHECK();
}

Test(base_io, makes_folders_with_their_parents)
{
	struct err e = {0};
	struct stat st;

	cr_assert_eq(io_mkdirs("a/b//c/", 0700, &e), 0, "%s", e.text);
	cr_assert_eq(io_mkdirs("a/b/c", 0700, &e), 0, "%s", e.text);
	cr_assert_eq(stat("a/b/c", &st), 0);
	cr_assert_eq(io_write_file("f", "", 0, 0600, &e), 0);
	cr_assert_eq(io_mkdirs("f", 0700, &e), ERR_EXISTS);
	cr_assert_eq(io_mkdirs("f/x", 0700, &e), ERR_EXISTS);
	cr_assert_eq(io_mkdirs("", 0700, &e), ERR_USAGE);
	cr_assert_eq(io_mkdirs("/proc/none/x", 0700, &e), ERR_IO);
	LEAK_CHECK();
}

Test(base_io, syncs_a_folder)
{
	struct err e = {0};

	cr_assert_eq(io_fsync_dir(".", &e), 0);
	cr_assert_eq(io_fsync_dir("nowhere", &e), ERR_IO);
	LEAK_CHECK();
}

Test(base_io, joins_and_parts_paths)
{
	static const char *const joins[][3] = {{"a", "b", "a/b"}, {"a/", "b", "a/b"},
	    {"a", "/b", "/b"}, {"", "b", "b"}, {"/", "b", "/b"}};
	static const char *const dirs[][2] = {{"a/b", "a"}, {"a", "."}, {"/a", "/"}, {"a//b", "a"},
	    {"/", "/"}, {"//a", "/"}, {"a/b/c", "a/b"}};
	size_t i;
	char *s;

	for (i = 0; i < sizeof(joins) / sizeof(joins[0]); i++) {
		s = io_path_join(joins[i][0], joins[i][1]);
		cr_assert_str_eq(s, joins[i][2]);
		mem_free(s);
	}
	for (i = 0; i < sizeof(dirs) / sizeof(dirs[0]); i++) {
		s = io_path_dir(dirs[i][0]);
		cr_assert_str_eq(s, dirs[i][1]);
		mem_free(s);
	}
	LEAK_CHECK();
}

Test(base_io, a_memory_file_is_sealed_and_read_back)
{
	struct err e = {0};
	struct str b;
	int fd = io_memfd("plan", "hello", 5, &e);

	cr_assert_geq(fd, 0, "%s", e.text);
	cr_assert_eq(fcntl(fd, F_GETFD) & FD_CLOEXEC, FD_CLOEXEC);
	cr_assert_lt(write(fd, "x", 1), 0, "it can still be written");
	cr_assert_neq(ftruncate(fd, 1), 0, "it can still be cut");
	str_init(&b, 10);
	cr_assert_eq(io_read_memfd(fd, 5, &b, &e), 0, "%s", e.text);
	cr_assert_str_eq(b.s, "hello");
	str_reset(&b);
	cr_assert_eq(io_read_memfd(fd, 4, &b, &e), ERR_LIMIT);
	str_reset(&b);
	cr_assert_eq(io_read_memfd(fd, 5, &b, &e), 0, "reading twice gives the same");
	io_close(&fd);
	cr_assert_eq(fd, -1);
	io_close(&fd);
	str_done(&b);
	LEAK_CHECK();
}

Test(base_io, refuses_memory_that_the_sender_could_change)
{
	struct err e = {0};
	struct str b;
	int fd = memfd_create("x", MFD_CLOEXEC | MFD_ALLOW_SEALING);

	str_init(&b, 10);
	cr_assert_eq(io_read_memfd(fd, 10, &b, &e), ERR_REFUSED);
	cr_assert_eq(fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW), 0);
	cr_assert_eq(io_read_memfd(fd, 10, &b, &e), ERR_REFUSED);
	cr_assert_eq(io_write_file("f", "x", 1, 0600, &e), 0);
	io_close(&fd);
	fd = open("f", O_RDONLY | O_CLOEXEC);
	cr_assert_eq(io_read_memfd(fd, 10, &b, &e), ERR_REFUSED);
	io_close(&fd);
	str_done(&b);
	LEAK_CHECK();
}

Test(base_io, writes_all_to_a_full_pipe_that_does_not_block)
{
	char *big = mem_zalloc(300000), sink[4096];
	int fds[2];
	size_t total = 0;
	ssize_t n;

	cr_assert_eq(pipe2(fds, O_CLOEXEC), 0);
	cr_assert_eq(io_set_nonblock(fds[1], true), 0);
	if (fork() == 0) {
		close(fds[1]);
		while ((n = read(fds[0], sink, sizeof(sink))) > 0)
			total += (size_t)n;
		_exit(total == 300000 ? 0 : 1);
	}
	close(fds[0]);
	cr_assert_eq(io_write_all(fds[1], big, 300000, NULL), 0);
	cr_assert_eq(io_set_nonblock(fds[1], false), 0);
	cr_assert_eq(fcntl(fds[1], F_GETFL) & O_NONBLOCK, 0);
	cr_assert_eq(io_set_cloexec(fds[1], false), 0);
	cr_assert_eq(fcntl(fds[1], F_GETFD), 0);
	io_close(&fds[1]);
	cr_assert_eq(io_set_nonblock(-1, true), ERR_IO);
	cr_assert_eq(io_set_cloexec(-1, true), ERR_IO);
	cr_assert_eq(io_write_all(-1, "x", 1, NULL), ERR_IO);
	mem_free(big);
	LEAK_CHECK();
}
