/* core/pool/logfile.c: the first MiB and at least the last seven, with offsets that never change.
 */
#include "core/pool/logfile.h"

#include "core/base/mem.h"
#include "core/pool/tree.h"
#include "tests/unit/leak.h"

#include <criterion/criterion.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define MIB (1u << 20)

static char dir[64], path[128];

static void begin(void)
{
	snprintf(dir, sizeof(dir), "/tmp/sluice-log-test.XXXXXX");
	cr_assert_not_null(mkdtemp(dir));
	snprintf(path, sizeof(path), "%s/dag/run/step.1.log", dir);
}

static void end(void)
{
	tree_remove(dir);
}

TestSuite(pool_logfile, .init = begin, .fini = end, .timeout = 30);

/* The byte at an offset tells the offset. */
static void fill(char *buf, uint64_t offset, size_t n)
{
	size_t i;

	for (i = 0; i < n; i++)
		buf[i] = (char)('a' + ((offset + i) * 2654435761u >> 7) % 26);
}

static void write_bytes(struct logfile *f, uint64_t total)
{
	char buf[50021], *at = buf;
	uint64_t done;
	size_t n;

	for (done = 0; done < total; done += n) {
		n = total - done < sizeof(buf) ? (size_t)(total - done) : sizeof(buf);
		fill(at, done, n);
		cr_assert_eq(logfile_add(f, buf, n, NULL), 0);
	}
}

/* Reads all that is there, checks each byte; returns how many bytes, and the gap. */
static uint64_t read_all(uint64_t from, uint64_t *ret_gap)
{
	static char buf[70000], want[70000];
	struct logfile_piece p;
	uint64_t total = 0;

	*ret_gap = 0;
	for (;;) {
		cr_assert_eq(logfile_read(path, from, buf, sizeof(buf), &p, NULL), 0);
		*ret_gap += p.gap;
		from = p.next;
		if (p.n == 0)
			return total;
		fill(want, p.offset, p.n);
		cr_assert_eq(memcmp(buf, want, p.n), 0);
		total += p.n;
	}
}

Test(pool_logfile, no_file_is_an_empty_log)
{
	struct logfile f;
	uint64_t gap;

	logfile_init(&f, path);
	cr_assert_eq(read_all(0, &gap), 0);
	logfile_done(&f);
	cr_assert_neq(access(path, F_OK), 0);
	LEAK_CHECK();
}

Test(pool_logfile, keeps_all_up_to_nine_mib_and_the_ends_of_more)
{
	static const struct {
		uint64_t total, kept;
	} cases[] = {{1, 1}, {MIB - 1, MIB - 1}, {MIB, MIB}, {MIB + 1, MIB + 1},
	    {9u * MIB, 9u * MIB}, {9u * MIB + 1, 8u * MIB + 1}, {20u * MIB + 77, 8u * MIB + 77}};
	struct logfile f;
	uint64_t gap, got;
	size_t i;

	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		logfile_init(&f, path);
		write_bytes(&f, cases[i].total);
		logfile_done(&f);
		got = read_all(0, &gap);
		cr_assert_eq(got, cases[i].kept, "%zu: %zu", i, (size_t)got);
		cr_assert_eq(got + gap, cases[i].total);
		cr_assert(got >= cases[i].total || got >= 8u * MIB);
		logfile_remove(path);
		cr_assert_eq(read_all(0, &gap), 0);
	}
	LEAK_CHECK();
}

Test(pool_logfile, a_reader_follows_while_it_grows)
{
	struct logfile f;
	struct logfile_piece p;
	char buf[100];

	logfile_init(&f, path);
	cr_assert_eq(logfile_add(&f, "one\n", 4, NULL), 0);
	cr_assert_eq(logfile_read(path, 0, buf, sizeof(buf), &p, NULL), 0);
	cr_assert(p.n == 4 && p.next == 4 && p.gap == 0);
	cr_assert_eq(logfile_read(path, 4, buf, sizeof(buf), &p, NULL), 0);
	cr_assert(p.n == 0 && p.next == 4);
	cr_assert_eq(logfile_add(&f, "two\n", 4, NULL), 0);
	cr_assert_eq(logfile_read(path, 4, buf, sizeof(buf), &p, NULL), 0);
	cr_assert(p.n == 4 && memcmp(buf, "two\n", 4) == 0);
	logfile_done(&f);
	LEAK_CHECK();
}

Test(pool_logfile, a_reader_at_the_end_of_a_part_goes_on_in_the_next)
{
	struct logfile f;
	uint64_t gap;

	logfile_init(&f, path);
	write_bytes(&f, 2u * MIB + 5);
	logfile_done(&f);
	cr_assert_eq(read_all(MIB, &gap), MIB + 5);
	cr_assert_eq(read_all(MIB - 3, &gap), MIB + 8);
	LEAK_CHECK();
}

Test(pool_logfile, output_that_could_not_be_written_is_counted_in_a_line)
{
	struct logfile f;
	struct logfile_piece p;
	char buf[200], blocker[256];

	logfile_init(&f, path);
	snprintf(blocker, sizeof(blocker), "%s/dag", dir);
	cr_assert_geq(close(open(blocker, O_CREAT | O_WRONLY | O_CLOEXEC, 0600)), 0);
	cr_assert_neq(logfile_add(&f, "lost", 4, NULL), 0);
	cr_assert_eq(unlink(blocker), 0);
	cr_assert_eq(logfile_add(&f, "kept", 4, NULL), 0);
	cr_assert_eq(logfile_read(path, 0, buf, sizeof(buf) - 1, &p, NULL), 0);
	buf[p.n] = '\0';
	cr_assert_str_eq(buf, "\n[… 4 bytes could not be written …]\nkept");
	logfile_done(&f);
	LEAK_CHECK();
}

/* Each poll of work elsewhere is a writer of its own on the log of its attempt. */
Test(pool_logfile, a_second_writer_goes_on_behind_the_first)
{
	static const uint64_t sizes[] = {0, 1, 4000, MIB - 1, MIB, MIB + 1, 3 * MIB, 12 * MIB + 7};
	char buf[50021];
	size_t i;

	for (i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		struct logfile f;
		uint64_t gap;

		logfile_init(&f, path);
		write_bytes(&f, sizes[i]);
		logfile_done(&f);
		logfile_init(&f, path);
		fill(buf, sizes[i], sizeof(buf));
		cr_assert_eq(logfile_add(&f, buf, sizeof(buf), NULL), 0);
		cr_assert_eq(f.offset, sizes[i] + sizeof(buf));
		logfile_done(&f);
		cr_assert_eq(read_all(0, &gap) + gap, sizes[i] + sizeof(buf));
		logfile_remove(path);
	}
	LEAK_CHECK();
}

/* A step may put a pipe where the next attempt's log will be: neither who writes nor who reads may
 * wait for it. */
Test(pool_logfile, a_pipe_in_its_place_holds_nobody_up)
{
	struct logfile_piece piece;
	struct logfile f;
	char folder[128], buf[16];

	snprintf(folder, sizeof(folder), "%s/dag", dir);
	cr_assert_eq(mkdir(folder, 0700), 0);
	snprintf(folder, sizeof(folder), "%s/dag/run", dir);
	cr_assert_eq(mkdir(folder, 0700), 0);
	cr_assert_eq(mkfifo(path, 0600), 0);
	cr_assert_neq(logfile_read(path, 0, buf, sizeof(buf), &piece, NULL), 0);
	logfile_init(&f, path);
	cr_assert_neq(logfile_add(&f, "x", 1, NULL), 0);
	logfile_done(&f);
	LEAK_CHECK();
}
