/* pool_hop.c: what the pool costs between daemon and worker: the round trip JOB -> OUT on a kept
 * worker, beside the same worker on a socket pair of our own, and attempts a second with several
 * under way. usage: pool_hop [ROUNDS] */
#include "core/base/io.h"
#include "core/base/mem.h"
#include "tests/unit/pool_client.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define ROUNDS_MAX 100000

static mono_us took[ROUNDS_MAX];

static int by_value(const void *a, const void *b)
{
	mono_us x = *(const mono_us *)a, y = *(const mono_us *)b;

	return (x > y) - (x < y);
}

static double show(const char *what, int64_t n)
{
	qsort(took, (size_t)n, sizeof(took[0]), by_value);
	printf("%-44s p50 %6.1f us  p99 %6.1f us\n", what, (double)took[n / 2],
	    (double)took[n * 99 / 100]);
	return (double)took[n / 2];
}

/* The limit: no pool between, one pipe an attempt all the same. */
static double direct(struct pool_client *c, int64_t n)
{
	char program[256], parent[16];
	int pair[2], log[2];
	struct frame h = {.type = FRAME_JOB, .token = 1};
	int64_t i;
	pid_t pid;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET, 0, pair) != 0)
		abort();
	snprintf(program, sizeof(program), "%s/core/worker/sluice-worker", c->dir);
	snprintf(parent, sizeof(parent), "%d", (int)getpid());
	pid = fork();
	if (pid == 0) {
		dup2(pair[1], 3);
		execl(program, "sluice-worker", "--pool", parent, (char *)NULL);
		_exit(127);
	}
	close(pair[1]);
	for (i = 0; i < n; i++) {
		took[i] = clock_mono();
		if (pipe2(log, O_CLOEXEC) != 0 ||
		    frame_send(pair[0], &h, "ok", 2, &log[1], 1, NULL) != 0)
			abort();
		str_reset(&c->in);
		if (frame_recv(pair[0], &c->head, &c->in, NULL, 0, NULL, NULL) != 0)
			abort();
		close(log[0]);
		close(log[1]);
		took[i] = clock_mono() - took[i];
	}
	close(pair[0]);
	waitpid(pid, NULL, 0);
	return show("worker alone: JOB -> OUT", n);
}

static double one_by_one(struct pool_client *c, int64_t n)
{
	int64_t i;

	for (i = 0; i < n; i++) {
		took[i] = clock_mono();
		client_job(
		    c, (uint64_t)i + 1, "k", "\"log\":\"d/r/x.log\",\"deadline_ms\":60000", "ok");
		if (client_out(c, (uint64_t)i + 1) != OUT_OK)
			abort();
		took[i] = clock_mono() - took[i];
		client_ack(c, (uint64_t)i + 1);
	}
	return show("through the pool: JOB -> OUT", n);
}

static double several(struct pool_client *c, int64_t n, uint64_t width, const char *job)
{
	mono_us begin = clock_mono();
	uint64_t next = 1000000, done = 0;

	while (next < 1000000 + width)
		client_job(c, next++, "k", "\"log\":\"d/r/x.log\"", job);
	while (done < (uint64_t)n) {
		if (!client_recv(c, CLIENT_WAIT_MS) || c->head.type != FRAME_OUT)
			abort();
		done++;
		client_ack(c, c->head.run);
		if (next < 1000000 + (uint64_t)n)
			client_job(c, next++, "k", "\"log\":\"d/r/x.log\"", job);
	}
	return (double)n * 1e6 / (double)(clock_mono() - begin);
}

int main(int argc, char **argv)
{
	struct pool_client c;
	int64_t n = 5000;
	double alone, pool;

	if (argc > 1 && (str_to_i64(argv[1], &n) != 0 || n < 10 || n > ROUNDS_MAX))
		return 2;
	client_start(&c, NULL, NULL);
	if (!client_hello(&c, "0123456789abcdef"))
		return 1;
	alone = direct(&c, n);
	pool = one_by_one(&c, n);
	printf("%-44s %10.1f us\n", "the hop", pool - alone);
	printf("%-44s %10.0f /s\n", "no-op attempts, 4 under way", several(&c, n, 4, "ok"));
	printf("%-44s %10.0f /s\n", "attempts with a line of output, 4 under way",
	    several(&c, n, 4, "print hello"));
	client_stop(&c);
	return 0;
}
