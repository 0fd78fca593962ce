/* core/pool/frame.c: what goes through a socket comes out the same, and what is no frame is refused
 * without leaving a descriptor open. */
#include "core/pool/frame.h"

#include "core/base/io.h"
#include "core/base/mem.h"
#include "tests/unit/leak.h"

#include <criterion/criterion.h>
#include <dirent.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

static int pair[2];

static void open_pair(void)
{
	cr_assert_eq(
	    socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair), 0);
}

static void close_pair(void)
{
	io_close(&pair[0]);
	io_close(&pair[1]);
}

static int count_fds(void)
{
	DIR *d = opendir("/proc/self/fd");
	int n = 0;

	while (readdir(d) != NULL)
		n++;
	closedir(d);
	return n;
}

TestSuite(pool_frame, .init = open_pair, .fini = close_pair, .timeout = 20);

Test(pool_frame, carries_payloads_of_every_size_inline_and_by_memory_file)
{
	static const size_t sizes[] = {0, 1, 64, FRAME_INLINE_MAX, FRAME_INLINE_MAX + 1, 3u << 20};
	struct frame in = {.type = FRAME_OUT,
	    .run = 7,
	    .token = 9,
	    .step = 3,
	    .item = 4,
	    .code = 2,
	    .time_us = -5,
	    .instance = UINT64_MAX,
	    .flags = FRAME_RETIRED};
	struct frame out;
	struct str got;
	char *bytes = mem_alloc(4u << 20);
	size_t i;

	memset(bytes, 'x', 4u << 20);
	str_init(&got, FRAME_PAYLOAD_MAX);
	for (i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		str_reset(&got);
		cr_assert_eq(frame_send(pair[0], &in, bytes, sizes[i], NULL, 0, NULL), 0);
		cr_assert_eq(frame_recv(pair[1], &out, &got, NULL, 0, NULL, NULL), 0);
		cr_assert_eq(got.len, sizes[i]);
		cr_assert(sizes[i] == 0 || memcmp(got.s, bytes, sizes[i]) == 0);
		cr_assert_eq(out.run, 7);
		cr_assert_eq(out.token, 9);
		cr_assert_eq(out.step, 3);
		cr_assert_eq(out.item, 4);
		cr_assert_eq(out.code, 2);
		cr_assert_eq(out.time_us, -5);
		cr_assert_eq(out.instance, UINT64_MAX);
		cr_assert_eq(out.flags & FRAME_RETIRED, FRAME_RETIRED);
		cr_assert_eq(!!(out.flags & FRAME_MEMFD), sizes[i] > FRAME_INLINE_MAX);
	}
	cr_assert_eq(
	    frame_send(pair[0], &in, bytes, FRAME_PAYLOAD_MAX + 1, NULL, 0, NULL), ERR_LIMIT);
	str_done(&got);
	mem_free(bytes);
	LEAK_CHECK();
}

Test(pool_frame, passes_descriptors_behind_the_memory_file_and_closes_surplus_ones)
{
	static char big[FRAME_INLINE_MAX + 10];
	struct frame in = {.type = FRAME_JOB}, out;
	struct str got;
	int fds[2], kept[2], n = -1, before = count_fds(), big_one;

	str_init(&got, FRAME_PAYLOAD_MAX);
	for (big_one = 0; big_one < 2; big_one++) {
		cr_assert_eq(pipe2(fds, O_CLOEXEC), 0);
		cr_assert_eq(
		    frame_send(pair[0], &in, big, big_one ? sizeof(big) : 3, fds, 2, NULL), 0);
		close(fds[0]);
		close(fds[1]);
		str_reset(&got);
		cr_assert_eq(frame_recv(pair[1], &out, &got, kept, 1, &n, NULL), 0);
		cr_assert_eq(n, 1);
		cr_assert(fcntl(kept[0], F_GETFD) & FD_CLOEXEC);
		close(kept[0]);
		cr_assert_eq(count_fds(), before);
	}
	str_done(&got);
	LEAK_CHECK();
}

Test(pool_frame, says_when_there_is_nothing_and_when_the_peer_is_gone)
{
	struct frame h = {.type = FRAME_END};
	struct str got;

	str_init(&got, 100);
	cr_assert_eq(frame_recv(pair[1], &h, &got, NULL, 0, NULL, NULL), ERR_AGAIN);
	cr_assert_eq(frame_send(pair[0], &h, "last", 4, NULL, 0, NULL), 0);
	io_close(&pair[0]);
	cr_assert_eq(
	    frame_recv(pair[1], &h, &got, NULL, 0, NULL, NULL), 0, "what was sent comes first");
	cr_assert_eq(frame_recv(pair[1], &h, &got, NULL, 0, NULL, NULL), ERR_CLOSED);
	cr_assert_eq(frame_send(pair[1], &h, NULL, 0, NULL, 0, NULL), ERR_CLOSED);
	str_done(&got);
	LEAK_CHECK();
}

Test(pool_frame, a_full_socket_says_again)
{
	struct frame h = {.type = FRAME_PROGRESS};
	int i, rc = 0;

	for (i = 0; i < 100000 && rc == 0; i++)
		rc = frame_send(pair[0], &h, "progress", 8, NULL, 0, NULL);
	cr_assert_eq(rc, ERR_AGAIN);
	LEAK_CHECK();
}

static void send_raw(const void *head, size_t n, const void *more, size_t more_n, int fd)
{
	struct iovec iov[2] = {{(void *)(uintptr_t)head, n}, {(void *)(uintptr_t)more, more_n}};
	char control[CMSG_SPACE(sizeof(int))] = {0};
	struct msghdr msg = {.msg_iov = iov, .msg_iovlen = 2};
	struct cmsghdr *c;

	if (fd >= 0) {
		msg.msg_control = control;
		msg.msg_controllen = sizeof(control);
		c = CMSG_FIRSTHDR(&msg);
		c->cmsg_level = SOL_SOCKET;
		c->cmsg_type = SCM_RIGHTS;
		c->cmsg_len = CMSG_LEN(sizeof(int));
		memcpy(CMSG_DATA(c), &fd, sizeof(fd));
	}
	cr_assert_gt(sendmsg(pair[0], &msg, 0), 0);
}

Test(pool_frame, refuses_what_is_no_frame_and_keeps_no_descriptor)
{
	struct frame good = {.magic = FRAME_MAGIC, .version = FRAME_VERSION, .type = FRAME_OUT},
		     bad, out;
	struct str got;
	int fd = open("/dev/null", O_RDONLY | O_CLOEXEC), memfd, before = count_fds(), i, n;
	static char long_one[FRAME_INLINE_MAX + 100];

	memfd = memfd_create("unsealed", MFD_CLOEXEC);
	cr_assert_eq(write(memfd, "abc", 3), 3);
	before = count_fds();
	str_init(&got, FRAME_PAYLOAD_MAX);
	for (i = 0; i < 9; i++) {
		bad = good;
		if (i == 0)
			send_raw("short", 5, "", 0, fd);
		else if (i == 1)
			bad.magic = 1;
		else if (i == 2)
			bad.version = 0;
		else if (i == 3)
			bad.len = 5; /* and no byte follows */
		else if (i == 4)
			bad.flags = FRAME_MEMFD, bad.len = 3; /* no descriptor */
		if (i == 5)
			send_raw(&bad, sizeof(bad), long_one, sizeof(long_one), fd);
		if (i == 6)
			bad.flags = FRAME_MEMFD, bad.len = 3,
			send_raw(&bad, sizeof(bad), "", 0, memfd);
		if (i == 7)
			bad.flags = FRAME_MEMFD, bad.len = 3,
			send_raw(&bad, sizeof(bad), "", 0, fd);
		if (i == 8)
			bad.flags = FRAME_MEMFD, bad.len = UINT32_MAX,
			send_raw(&bad, sizeof(bad), "", 0, memfd);
		if (i >= 1 && i <= 4)
			send_raw(&bad, sizeof(bad), "", 0, i == 4 ? -1 : fd);
		n = 77;
		cr_assert_eq(
		    frame_recv(pair[1], &out, &got, NULL, 0, &n, NULL), ERR_PARSE, "case %d", i);
		cr_assert_eq(n, 77, "outputs untouched");
		cr_assert_eq(count_fds(), before, "case %d", i);
	}
	close(fd);
	close(memfd);
	str_done(&got);
	LEAK_CHECK();
}

Test(pool_frame, a_memory_file_that_is_longer_than_it_says_is_refused)
{
	struct frame h = {.magic = FRAME_MAGIC,
			 .version = FRAME_VERSION,
			 .type = FRAME_OUT,
			 .flags = FRAME_MEMFD,
			 .len = 2},
		     out;
	struct str got;
	int memfd = io_memfd("test", "abc", 3, NULL);

	str_init(&got, FRAME_PAYLOAD_MAX);
	send_raw(&h, sizeof(h), "", 0, memfd);
	cr_assert_eq(frame_recv(pair[1], &out, &got, NULL, 0, NULL, NULL), ERR_PARSE);
	h.len = 4;
	send_raw(&h, sizeof(h), "", 0, memfd);
	cr_assert_eq(frame_recv(pair[1], &out, &got, NULL, 0, NULL, NULL), ERR_PARSE);
	close(memfd);
	str_done(&got);
	LEAK_CHECK();
}

Test(pool_frame, a_job_is_split_where_it_was_joined)
{
	struct str all;
	const char *note, *job;
	size_t note_n, job_n;

	str_init(&all, 100);
	frame_job_join(&all, "note", 4, "the job", 7);
	cr_assert_eq(frame_job_split(all.s, all.len, &note, &note_n, &job, &job_n, NULL), 0);
	cr_assert(note_n == 4 && memcmp(note, "note", 4) == 0);
	cr_assert(job_n == 7 && memcmp(job, "the job", 7) == 0);
	cr_assert_eq(frame_job_split(all.s, 7, &note, &note_n, &job, &job_n, NULL), ERR_PARSE);
	cr_assert_eq(frame_job_split(all.s, 3, &note, &note_n, &job, &job_n, NULL), ERR_PARSE);
	str_done(&all);
	LEAK_CHECK();
}
