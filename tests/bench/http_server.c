/* http_server: the HTTP server alone, for `make bench`.
 *   http_server limit         ops are answered at once: the limit of parser, hooks and sockets
 *   http_server store DIR     ops go through the writer into a new store in DIR, no pool
 * Prints its port, serves POST /hooks/bench (scheme hmac, id by X-Id) until its input ends, then
 * prints the microseconds of processor time that it took. */
#include "core/http/http.h"

#include "core/base/err.h"
#include "core/base/mem.h"

#include <event2/event.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

static const char hook_json[] =
    "{\"scheme\":\"hmac\",\"header\":\"X-Signature\",\"prefix\":\"sha256=\",\"id_header\":\"X-Id\","
    "\"secrets\":[{\"env\":\"x\"}]}";

struct bench {
	struct event_base *base;
	struct http *http;
	struct store *store;
	struct store_read *read;
	struct writer *writer;
	struct writer_op *first, **last;
	struct event *deliver;
	uint64_t next_event;
};

static void fail(const char *what, const struct err *err)
{
	fprintf(stderr, "http_server: %s: %s\n", what, err->text);
	exit(1);
}

static int no_get(void *ctx, enum table t, struct slice key, struct slice *ret)
{
	(void)ctx, (void)t, (void)key, (void)ret;
	return ERR_NOT_FOUND;
}

static const struct view *view_begin(void *arg)
{
	static const struct view none = {.get = no_get};
	struct bench *b = arg;

	return b->read != NULL ? store_read_begin(b->read) : &none;
}

static void view_end(void *arg)
{
	struct bench *b = arg;

	if (b->read != NULL)
		store_read_end(b->read);
}

/* The limit: what a writer would answer, in the same turn. */
static void on_deliver(evutil_socket_t fd, short what, void *arg)
{
	struct bench *b = arg;
	struct writer_op *op, *next;

	(void)fd, (void)what;
	op = b->first;
	b->first = NULL;
	b->last = &b->first;
	for (; op != NULL; op = next) {
		next = op->next;
		op->result.event = b->next_event++;
		op->result.verdict = VERDICT_UNMATCHED;
		op->done(op->arg, &op->result);
		writer_op_free(op);
	}
}

static int submit(void *arg, struct writer_op *op)
{
	struct bench *b = arg;

	if (b->writer != NULL)
		return writer_submit(b->writer, op);
	op->next = NULL;
	*b->last = op;
	b->last = &op->next;
	event_active(b->deliver, 0, 0);
	return 0;
}

static void on_writer(evutil_socket_t fd, short what, void *arg)
{
	struct bench *b = arg;

	(void)fd, (void)what;
	writer_deliver(b->writer);
}

static void on_effects(void *arg, const struct effect *v, size_t n)
{
	struct bench *b = arg;

	http_effects(b->http, v, n);
}

static int secret(void *arg, const struct json *ref, struct str *out, struct err *err)
{
	(void)arg, (void)ref, (void)err;
	str_reset(out);
	str_add(out, "bench-secret-bench-secret");
	return 0;
}

static void on_input(evutil_socket_t fd, short what, void *arg)
{
	char c;

	(void)what;
	if (read(fd, &c, 1) == 0)
		event_base_loopbreak(arg);
}

static void on_fatal(const struct err *err)
{
	fail("store", err);
}

static void open_store(struct bench *b, const char *dir, const struct conf *conf)
{
	struct err err = {0};
	struct store_options so = {.dir = dir, .create = true, .now = clock_wall()};
	struct writer_options wo = {.conf = conf,
	    .now = clock_wall,
	    .on_effects = on_effects,
	    .arg = b,
	    .on_fatal = on_fatal};

	if (store_open(&so, &b->store, &err) != 0)
		fail(dir, &err);
	wo.store = b->store;
	if (store_read_new(b->store, &b->read, &err) != 0 || writer_new(&wo, &b->writer, &err) != 0)
		fail(dir, &err);
	event_add(
	    event_new(b->base, writer_fd(b->writer), EV_READ | EV_PERSIST, on_writer, b), NULL);
}

int main(int argc, char **argv)
{
	struct bench b = {.next_event = 1};
	struct conf_hook hook = {.name = "bench", .scheme = "hmac"};
	struct conf conf = {
	    .hooks = &hook, .n_hooks = 1, .event_body_max_bytes = 1u << 20, .state_dir = "."};
	struct json *json = NULL;
	struct err err = {0};
	uint16_t port = 0;

	if (json_parse(hook_json, strlen(hook_json), 4096, &json, &err) != 0)
		fail("hook", &err);
	hook.json = json;
	conf.store_max_bytes = UINT64_C(8) << 30;
	b.last = &b.first;
	b.base = event_base_new();
	b.deliver = event_new(b.base, -1, 0, on_deliver, &b);
	if (argc > 2)
		open_store(&b, argv[2], &conf);
	struct http_env env = {.base = b.base,
	    .conf = &conf,
	    .arg = &b,
	    .wall = clock_wall,
	    .mono = clock_mono,
	    .view_begin = view_begin,
	    .view_end = view_end,
	    .submit = submit,
	    .secret = secret};
	if (http_new(&env, NULL, &b.http, &err) != 0 ||
	    http_listen_tcp(b.http, "127.0.0.1:0", &port, &err) != 0)
		fail("server", &err);
	printf("%u\n", port);
	fflush(stdout);
	struct event *input = event_new(b.base, 0, EV_READ | EV_PERSIST, on_input, b.base);
	event_add(input, NULL);
	event_base_dispatch(b.base);
	if (b.writer != NULL)
		writer_stop(b.writer);
	http_free(b.http);
	struct rusage use;
	getrusage(RUSAGE_SELF, &use);
	printf("%lld\n", (long long)(use.ru_utime.tv_sec + use.ru_stime.tv_sec) * 1000000 +
			     use.ru_utime.tv_usec + use.ru_stime.tv_usec);
	return 0;
}
