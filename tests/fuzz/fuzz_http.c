/* Raw bytes into one connection of the whole server: the same bytes in one piece and in many give
 * the same replies; there are never more replies than requests; what the filter accepts the parser
 * reads the same way. */
#include "core/http/server.h"

#include "core/base/io.h"
#include "core/base/mem.h"
#include "tests/fuzz/fuzz.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define INPUT_MAX 20000

static struct event_base *base;
static struct http *server;
static struct writer_op *waiting;

static wall_us fixed_wall(void)
{
	return INT64_C(1614265330) * US_PER_S;
}

static int no_get(void *ctx, enum table t, struct slice key, struct slice *ret)
{
	(void)ctx, (void)t, (void)key, (void)ret;
	return ERR_NOT_FOUND;
}

static int no_next(
    void *ctx, enum table t, struct slice from, bool after, struct slice *k, struct slice *v)
{
	(void)ctx, (void)t, (void)from, (void)after, (void)k, (void)v;
	return ERR_NOT_FOUND;
}

static int no_prev(void *ctx, enum table t, struct slice before, struct slice *k, struct slice *v)
{
	(void)ctx, (void)t, (void)before, (void)k, (void)v;
	return ERR_NOT_FOUND;
}

static const struct view *view_begin(void *arg)
{
	static const struct view none = {.get = no_get, .next = no_next, .prev = no_prev};

	(void)arg;
	return &none;
}

static void view_end(void *arg)
{
	(void)arg;
}

static int submit(void *arg, struct writer_op *op)
{
	(void)arg;
	op->next = waiting;
	waiting = op;
	return 0;
}

static void deliver(void)
{
	struct writer_op *op = waiting;

	waiting = NULL;
	while (op != NULL) {
		struct writer_op *next = op->next;
		op->result.event = 1;
		op->done(op->arg, &op->result);
		writer_op_free(op);
		op = next;
	}
}

static void start(void)
{
	static struct conf_hook hook = {.name = "a", .scheme = "none", .is_public = true};
	static struct conf conf = {.hooks = &hook,
	    .n_hooks = 1,
	    .event_body_max_bytes = 4096,
	    .state_dir = "/nonexistent"};
	struct json *empty = json_new_object();

	hook.json = empty;
	base = event_base_new();
	struct http_env env = {.base = base,
	    .conf = &conf,
	    .wall = fixed_wall,
	    .mono = clock_mono,
	    .view_begin = view_begin,
	    .view_end = view_end,
	    .submit = submit};
	FUZZ_DEMAND(http_new(&env, NULL, &server, NULL) == 0);
	json_free(empty);
	hook.json = NULL;
}

static void turn(int fd, struct str *out, bool *ret_end)
{
	char buf[65536];
	ssize_t n;

	for (int quiet = 0; quiet < 3; quiet++) {
		event_base_loop(base, EVLOOP_NONBLOCK);
		if (waiting != NULL) {
			deliver();
			quiet = 0;
		}
		while ((n = recv(fd, buf, sizeof(buf), MSG_DONTWAIT)) > 0) {
			str_addn(out, buf, (size_t)n);
			quiet = 0;
		}
		*ret_end |= n == 0 || (n < 0 && errno != EAGAIN);
	}
}

/* Statuses of the replies, one after the other, then '.' where the connection is closed. */
static void statuses(const struct str *got, bool end, struct str *out)
{
	const char *p = str_peek(got);

	while ((p = strstr(p, "HTTP/1.1 ")) != NULL) {
		if (p[9] >= '1' && p[9] <= '5' && memcmp(p + 9, "100", 3) != 0)
			str_addn(out, p + 9, 3);
		p += 9;
	}
	str_addc(out, end ? '.' : ' ');
}

static void feed(const uint8_t *data, size_t n, size_t piece, struct str *out)
{
	struct peer peer = {.is_unix = true, .trusted = true};
	struct str got;
	bool end = false;
	int fds[2];

	peer.is_unix = false;
	peer.loopback = true;
	FUZZ_DEMAND(listen_count_peer(server, &peer));
	FUZZ_DEMAND(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, fds) == 0);
	conn_new(server, fds[1], &peer);
	str_init(&got, 64u << 20);
	for (size_t at = 0; at < n && !end; at += piece) {
		size_t k = n - at < piece ? n - at : piece;
		if (send(fds[0], data + at, k, MSG_NOSIGNAL) < 0)
			break;
		turn(fds[0], &got, &end);
	}
	turn(fds[0], &got, &end);
	statuses(&got, end, out);
	close(fds[0]);
	turn(-1, &got, &end);
	FUZZ_DEMAND(server->n_conns == 0);
	str_done(&got);
}

/* A refusal before the body has come must close, one behind it may go on: then the cut one ends
 * sooner, with that refusal. */
static bool same_replies(const struct str *whole, const struct str *cut)
{
	size_t n = cut->len - 1;

	if (strcmp(str_peek(whole), str_peek(cut)) == 0)
		return true;
	return cut->s[n] == '.' && n >= 3 && cut->s[n - 3] >= '4' &&
	       strncmp(whole->s, cut->s, n) == 0;
}

static size_t versions(const uint8_t *data, size_t n)
{
	size_t found = 0;

	for (size_t i = 0; i + 7 <= n; i++)
		found += memcmp(data + i, "HTTP/1.", 7) == 0;
	return found;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct str whole, cut;

	if (n == 0 || n > INPUT_MAX)
		return 0;
	if (server == NULL)
		start();
	str_init(&whole, 1u << 20);
	str_init(&cut, 1u << 20);
	feed(data, n, n, &whole);
	feed(data, n, 1 + data[n - 1] % 61, &cut);
	FUZZ_DEMAND(same_replies(&whole, &cut));
	FUZZ_DEMAND(whole.len / 3 <= versions(data, n) + 1);
	str_done(&whole);
	str_done(&cut);
	return 0;
}
