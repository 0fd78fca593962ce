#include "tests/unit/http_rig.h"
#include "tests/unit/leak.h"

#include <criterion/criterion.h>
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

static int dial(uint16_t port)
{
	struct sockaddr_in sa = {.sin_family = AF_INET, .sin_port = htons(port)};
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	inet_pton(AF_INET, "127.0.0.1", &sa.sin_addr);
	if (fd >= 0 && connect(fd, (struct sockaddr *)&sa, sizeof(sa)) != 0) {
		close(fd);
		return -1;
	}
	return fd;
}

static void use(struct rig *r, int fd)
{
	if (r->fd >= 0)
		close(r->fd);
	fcntl(fd, F_SETFL, O_NONBLOCK);
	r->fd = fd;
	r->eof = false;
}

#define LIVEZ "GET /livez HTTP/1.1\r\nHost: localhost\r\n\r\n"

Test(http_listen, serves_tcp_on_loopback_only)
{
	struct rig r;
	struct err err = {0};
	uint16_t port = 0;
	char again[32];

	rig_init(&r, NULL);
	cr_assert_eq(http_listen_tcp(r.h, "0.0.0.0:0", NULL, &err), ERR_REFUSED);
	cr_assert(strstr(err.text, "TLS"));
	cr_assert_eq(http_listen_tcp(r.h, "[::]:0", NULL, &err), ERR_REFUSED);
	cr_assert_eq(http_listen_tcp(r.h, "example.jp:80", NULL, &err), ERR_CONFIG);
	cr_assert_eq(http_listen_tcp(r.h, "127.0.0.1", NULL, &err), ERR_CONFIG);
	cr_assert_eq(http_listen_tcp(r.h, "127.0.0.1:99999", NULL, &err), ERR_CONFIG);
	cr_assert_eq(http_listen_tcp(r.h, "127.0.0.1:0", &port, &err), 0);
	cr_assert_neq(port, 0);
	snprintf(again, sizeof(again), "127.0.0.1:%u", port);
	cr_assert_eq(http_listen_tcp(r.h, again, NULL, &err), ERR_IO);
	cr_assert(strstr(err.text, "another program does"));
	cr_assert_eq(http_listen_tcp(r.h, "localhost:0", NULL, &err), 0);
	use(&r, dial(port));
	rig_ask(&r, LIVEZ);
	cr_assert_eq(rig_status(&r, 0), 200);
	rig_ask(&r, "GET /v1/runs HTTP/1.1\r\nHost: localhost\r\n\r\n");
	cr_assert_eq(rig_status(&r, 0), 401);
	rig_done(&r);
	LEAK_CHECK();
}

Test(http_listen, serves_the_unix_socket_and_replaces_a_stale_one)
{
	struct rig r;
	struct err err = {0};
	char dir[] = "/tmp/sluice-test.XXXXXX";
	struct sockaddr_un sa = {.sun_family = AF_UNIX};
	struct stat st;

	cr_assert(mkdtemp(dir) != NULL);
	snprintf(sa.sun_path, sizeof(sa.sun_path), "%s/s", dir);
	rig_init(&r, NULL);
	for (int i = 0; i < 2; i++) {
		cr_assert_eq(http_listen_unix(r.h, sa.sun_path, &err), 0, "%s", err.text);
		cr_assert_eq(stat(sa.sun_path, &st), 0);
		cr_assert_eq(st.st_mode & 07777, 0660);
		int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
		cr_assert_eq(connect(fd, (struct sockaddr *)&sa, sizeof(sa)), 0);
		use(&r, fd);
		rig_ask(&r, "GET /v1/tokens HTTP/1.1\r\n\r\n");
		cr_assert_eq(rig_status(&r, 0), 200, "our own user is trusted");
	}
	rig_done(&r);
	cr_assert_neq(stat(sa.sun_path, &st), 0, "removed at the end");
	FILE *f = fopen(sa.sun_path, "w");
	fclose(f);
	rig_init(&r, NULL);
	cr_assert_eq(
	    http_listen_unix(r.h, sa.sun_path, &err), ERR_CONFLICT, "a file is never removed");
	rig_done(&r);
	unlink(sa.sun_path);
	rmdir(dir);
	LEAK_CHECK();
}

Test(http_listen, at_the_cap_the_oldest_idler_makes_room)
{
	static const struct http_limits lim = {.max_conns = 4};
	struct rig r;
	struct err err = {0};
	uint16_t port = 0;
	int fds[6];
	char c;

	rig_init(&r, &lim);
	cr_assert_eq(http_listen_tcp(r.h, "127.0.0.1:0", &port, &err), 0);
	for (int i = 0; i < 6; i++) {
		fds[i] = dial(port);
		rig_turn(&r);
		cr_assert_leq(r.h->n_conns, 4);
	}
	cr_assert_eq(read(fds[0], &c, 1), 0, "the first was closed");
	cr_assert_eq(read(fds[1], &c, 1), 0);
	cr_assert_eq(r.h->stats.evicted, 2);
	for (int i = 0; i < 5; i++)
		close(fds[i]);
	use(&r, fds[5]);
	rig_ask(&r, LIVEZ);
	cr_assert_eq(rig_status(&r, 0), 200);
	rig_done(&r);
	LEAK_CHECK();
}

Test(http_listen, at_the_cap_with_nobody_idle_it_waits)
{
	static const struct http_limits lim = {.max_conns = 2};
	struct rig r;
	struct err err = {0};
	uint16_t port = 0;
	int a, b;

	rig_init(&r, &lim);
	cr_assert_eq(http_listen_tcp(r.h, "127.0.0.1:0", &port, &err), 0);
	a = dial(port);
	b = dial(port);
	rig_turn(&r);
	cr_assert_eq(send(a, "G", 1, 0), 1); /* both have begun a head */
	cr_assert_eq(send(b, "G", 1, 0), 1);
	rig_turn(&r);
	use(&r, dial(port));
	rig_ask(&r, LIVEZ);
	cr_assert_eq(rig_status(&r, 0), 0, "it waits in the backlog");
	close(a);
	rig_turn(&r);
	cr_assert_eq(rig_status(&r, 0), 200);
	close(b);
	rig_done(&r);
	LEAK_CHECK();
}

Test(http_listen, holds_an_address_to_its_share)
{
	static const struct http_limits lim = {.max_per_ip = 2};
	struct rig r;
	struct err err = {0};
	uint16_t port = 0;
	int fds[3];
	char c;

	rig_init(&r, &lim);
	cr_assert_eq(http_listen_tcp(r.h, "127.0.0.1:0", &port, &err), 0);
	for (int i = 0; i < 3; i++)
		fds[i] = dial(port);
	rig_turn(&r);
	cr_assert_eq(r.h->n_conns, 2);
	cr_assert_eq(read(fds[2], &c, 1), 0);
	close(fds[0]);
	rig_turn(&r);
	use(&r, dial(port));
	rig_ask(&r, LIVEZ);
	cr_assert_eq(rig_status(&r, 0), 200);
	close(fds[1]);
	close(fds[2]);
	rig_done(&r);
	LEAK_CHECK();
}

/* No descriptor left: the listener rests instead of spinning, and serves again when there is one.
 */
Test(http_listen, backs_off_when_descriptors_are_out)
{
	struct rig r;
	struct err err = {0};
	struct rlimit was, low;
	uint16_t port = 0;

	rig_init(&r, NULL);
	cr_assert_eq(http_listen_tcp(r.h, "127.0.0.1:0", &port, &err), 0);
	use(&r, dial(port));
	int next = dup(r.fd);
	cr_assert_eq(getrlimit(RLIMIT_NOFILE, &was), 0);
	low = was;
	low.rlim_cur = (rlim_t)next;
	close(next);
	next = dial(port); /* takes the last one */
	cr_assert_eq(setrlimit(RLIMIT_NOFILE, &low), 0);
	for (int i = 0; i < 50; i++)
		event_base_loop(r.base, EVLOOP_NONBLOCK);
	cr_expect_eq(
	    r.h->stats.emfile, 1, "%llu looks in 50 turns", (unsigned long long)r.h->stats.emfile);
	cr_assert_eq(setrlimit(RLIMIT_NOFILE, &was), 0);
	cr_assert_eq(send(r.fd, LIVEZ, sizeof(LIVEZ) - 1, 0), sizeof(LIVEZ) - 1);
	for (int i = 0; i < 100 && rig_status(&r, 0) == 0; i++) {
		struct timeval tick = {.tv_usec = 5000};
		event_base_loopexit(r.base, &tick);
		event_base_loop(r.base, 0);
		rig_turn(&r);
	}
	cr_assert_eq(rig_status(&r, 0), 200);
	close(next);
	rig_done(&r);
	LEAK_CHECK();
}
