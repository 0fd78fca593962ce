/* core/pool/logpipe.c: no byte of output is lost, whoever reads it; many at once (the thread
 * sanitizer's test). */
#include "core/pool/logpipe.h"

#include "core/base/clock.h"
#include "core/base/io.h"
#include "core/base/mem.h"
#include "core/pool/tree.h"
#include "tests/unit/leak.h"

#include <criterion/criterion.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define WRITERS 8
#define LINES 2000

static char dir[64];
static struct logs *logs;

static void begin(void)
{
	struct sigaction ignore = {.sa_handler = SIG_IGN};

	sigaction(SIGPIPE, &ignore, NULL);
	snprintf(dir, sizeof(dir), "/tmp/sluice-log-test.XXXXXX");
	cr_assert_not_null(mkdtemp(dir));
	cr_assert_eq(logs_new(&logs, NULL), 0);
}

static void end(void)
{
	tree_remove(dir);
}

TestSuite(pool_logpipe, .init = begin, .fini = end, .timeout = 60);

static void read_log(const char *name, struct str *out)
{
	char path[128];

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	str_reset(out);
	cr_assert_eq(io_read_file(path, out->max, out, NULL), 0);
}

static uint64_t open_log(const char *name, struct mask *mask, int *ret_fd)
{
	char path[128];
	uint64_t id;

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	cr_assert_eq(logs_open(logs, path, mask, &id, ret_fd, NULL), 0);
	return id;
}

Test(pool_logpipe, what_was_written_before_the_end_is_there_after_it)
{
	struct str text;
	uint64_t id;
	int fd;

	str_init(&text, 1u << 20);
	id = open_log("a", NULL, &fd);
	cr_assert_eq(write(fd, "last words", 10), 10);
	cr_assert(logs_finish(logs, id));
	read_log("a", &text);
	cr_assert_str_eq(text.s, "last words");
	cr_assert(logs_finish(logs, id), "twice is once");
	cr_assert(logs_finish(logs, 0));
	logs_free(logs);
	str_done(&text);
	LEAK_CHECK();
}

Test(pool_logpipe, live_output_is_in_the_file_while_the_attempt_runs)
{
	struct str text;
	uint64_t id;
	int fd, i;

	str_init(&text, 1u << 20);
	id = open_log("a", NULL, &fd);
	cr_assert_eq(write(fd, "so far", 6), 6);
	for (i = 0; i < 1000 && text.len < 6; i++) {
		char path[128];

		poll(NULL, 0, 2);
		snprintf(path, sizeof(path), "%s/a", dir);
		str_reset(&text);
		if (io_read_file(path, 1000, &text, NULL) != 0)
			continue;
	}
	cr_assert_str_eq(str_peek(&text), "so far");
	cr_assert(logs_finish(logs, id));
	logs_free(logs);
	str_done(&text);
	LEAK_CHECK();
}

Test(pool_logpipe, a_pipe_that_somebody_holds_is_read_for_a_second_more)
{
	struct str text;
	uint64_t id;
	int fd, held;

	str_init(&text, 1u << 20);
	id = open_log("a", NULL, &fd);
	held = dup(fd);
	cr_assert_eq(write(held, "one ", 4), 4);
	cr_assert_not(logs_finish(logs, id));
	poll(NULL, 0, 100);
	cr_assert_eq(write(held, "two", 3), 3);
	poll(NULL, 0, 1300);
	cr_assert_eq(write(held, "late", 4), -1, "closed after a second");
	close(held);
	read_log("a", &text);
	cr_assert_str_eq(text.s, "one two");
	logs_free(logs);
	str_done(&text);
	LEAK_CHECK();
}

Test(pool_logpipe, a_secret_across_writes_is_masked_and_its_prefix_comes_out_at_the_end)
{
	struct mask *m = mask_new();
	struct str text;
	uint64_t id;
	int fd;

	cr_assert_eq(mask_add(m, "hunter2hunter2", 14, NULL), 0);
	mask_ready(m);
	str_init(&text, 1u << 20);
	id = open_log("a", m, &fd);
	mask_free(m); /* the log has its own reference */
	cr_assert_eq(write(fd, "a hunter2", 9), 9);
	poll(NULL, 0, 30);
	cr_assert_eq(write(fd, "hunter2 b hunt", 14), 14);
	cr_assert(logs_finish(logs, id));
	read_log("a", &text);
	cr_assert_str_eq(text.s, "a *** b hunt");
	logs_free(logs);
	str_done(&text);
	LEAK_CHECK();
}

struct writer {
	int n;
	char name[16];
};

static void *write_lines(void *arg)
{
	struct writer *w = arg;
	char line[64];
	int i, k;

	for (i = 0; i < LINES; i++) {
		k = snprintf(line, sizeof(line), "writer %d line %d\n", w->n, i);
		if (write((int)(intptr_t)w->n, line, (size_t)k) != k)
			abort();
	}
	return NULL;
}

Test(pool_logpipe, many_logs_at_once_lose_no_line)
{
	struct writer w[WRITERS];
	pthread_t threads[WRITERS];
	uint64_t ids[WRITERS];
	struct str text;
	char want[64];
	int i, k, round;
	const char *at;

	str_init(&text, 8u << 20);
	for (round = 0; round < 3; round++) {
		for (i = 0; i < WRITERS; i++) {
			snprintf(w[i].name, sizeof(w[i].name), "log%d.%d", round, i);
			ids[i] = open_log(w[i].name, NULL, &w[i].n);
			cr_assert_eq(pthread_create(&threads[i], NULL, write_lines, &w[i]), 0);
		}
		for (i = 0; i < WRITERS; i++) {
			pthread_join(threads[i], NULL);
			cr_assert(logs_finish(logs, ids[i]));
		}
		for (i = 0; i < WRITERS; i++) {
			read_log(w[i].name, &text);
			for (k = 0, at = text.s; k < LINES; k++) {
				snprintf(want, sizeof(want), "writer %d line %d\n", w[i].n, k);
				cr_assert(str_starts(at, want), "line %d of %s", k, w[i].name);
				at += strlen(want);
			}
			cr_assert_eq(*at, '\0');
		}
	}
	logs_free(logs);
	str_done(&text);
	LEAK_CHECK();
}

Test(pool_logpipe, ending_the_thread_keeps_what_is_in_the_pipes)
{
	struct str text;
	int fd;

	str_init(&text, 1u << 20);
	open_log("a", NULL, &fd);
	cr_assert_eq(write(fd, "unfinished", 10), 10);
	logs_free(logs);
	read_log("a", &text);
	cr_assert_str_eq(text.s, "unfinished");
	str_done(&text);
	LEAK_CHECK();
}
