/* The daemon's end of the mailbox against a scripted pool: a socket and a lock file that the test
 * itself holds. What the pool really does is proved by its own tests and by tests/torture. */
#include "core/daemon/poollink.h"

#include "core/base/mem.h"
#include "core/pool/frame.h"
#include "leak.h"

#include <criterion/criterion.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#define INSTANCE UINT64_C(0x1122334455667788)
#define LOCK_NAME "1122334455667788.lock"
#define SOCK_NAME "1122334455667788.sock"

struct fake {
	char dir[64];
	struct loop loop;
	struct pool_link *link;
	VEC(struct writer_op *) ops; /* what was submitted, in order */
	int listener, lock, conn;
	int changes;
	bool refuse; /* submit fails */
	struct view view;
};

static int take_op(void *arg, struct writer_op *op)
{
	struct fake *f = arg;

	if (f->refuse)
		return ERR_FULL;
	VEC_ADD(&f->ops, op);
	return 0;
}

static void on_change(void *arg)
{
	struct fake *f = arg;

	f->changes++;
}

static int no_next(void *ctx, enum table t, struct slice from, bool after, struct slice *ret_key,
    struct slice *ret_value)
{
	(void)ctx, (void)t, (void)from, (void)after, (void)ret_key, (void)ret_value;
	return ERR_NOT_FOUND;
}

static void path_of_pool(const struct fake *f, const char *name, char *out, size_t n)
{
	snprintf(out, n, "%s/pool/%s", f->dir, name);
}

static void lock_write(struct fake *f, const char *text)
{
	char path[128];

	path_of_pool(f, LOCK_NAME, path, sizeof(path));
	f->lock = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_APPEND, 0600);
	cr_assert_geq(f->lock, 0);
	cr_assert_eq(flock(f->lock, LOCK_EX | LOCK_NB), 0);
	cr_assert_eq(write(f->lock, text, strlen(text)), (ssize_t)strlen(text));
}

static void listen_start(struct fake *f)
{
	struct sockaddr_un a = {.sun_family = AF_UNIX};

	path_of_pool(f, SOCK_NAME, a.sun_path, sizeof(a.sun_path));
	f->listener = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	cr_assert_eq(bind(f->listener, (struct sockaddr *)&a, sizeof(a)), 0);
	cr_assert_eq(listen(f->listener, 5), 0);
}

static void fake_make(struct fake *f)
{
	static const uint8_t uuid[16] = "0123456789abcdef";
	struct pool_link_options o = {.uuid = uuid,
	    .epoch = 7,
	    .starter = "",
	    .arg = f,
	    .submit = take_op,
	    .on_change = on_change};
	char path[128];
	struct err err = {0};

	memset(f, 0, sizeof(*f));
	f->conn = -1;
	f->view.next = no_next;
	memcpy(f->dir, "/tmp/sluice-link-XXXXXX", 24);
	cr_assert(mkdtemp(f->dir));
	snprintf(path, sizeof(path), "%s/pool", f->dir);
	cr_assert_eq(mkdir(path, 0700), 0);
	lock_write(f, "pid=1\nstart=1\ncgroup=\n");
	listen_start(f);
	cr_assert_eq(loop_init(&f->loop, &err), 0);
	o.loop = &f->loop;
	o.state = f->dir;
	f->link = pool_link_new(&o);
	cr_assert_eq(pool_link_open(f->link, &f->view, &err), 0, "%s", err.text);
}

static int remove_entry(const char *path, const struct stat *st, int type, struct FTW *at)
{
	(void)st, (void)type, (void)at;
	return remove(path);
}

static void ops_free(struct fake *f)
{
	for (size_t i = 0; i < f->ops.n; i++)
		writer_op_free(f->ops.v[i]);
	VEC_CLEAR(&f->ops);
}

static void fake_remove(struct fake *f)
{
	pool_link_free(f->link);
	loop_done(&f->loop);
	ops_free(f);
	VEC_DONE(&f->ops);
	close(f->listener);
	if (f->lock >= 0)
		close(f->lock);
	if (f->conn >= 0)
		close(f->conn);
	nftw(f->dir, remove_entry, 8, FTW_DEPTH | FTW_PHYS);
}

/* Runs the loop until n ops were submitted, at most two seconds. */
static bool wait_ops(struct fake *f, size_t n)
{
	struct timeval step = {.tv_usec = 5000};

	for (int i = 0; i < 400 && f->ops.n < n; i++) {
		event_base_loopexit(f->loop.base, &step);
		event_base_loop(f->loop.base, 0);
	}
	return f->ops.n >= n;
}

static void accept_hello(struct fake *f)
{
	struct frame head;
	struct str payload;
	struct err err = {0};
	int extra = 0;

	f->conn = accept4(f->listener, NULL, NULL, SOCK_CLOEXEC);
	cr_assert_geq(f->conn, 0);
	str_init(&payload, 1024);
	cr_assert_eq(frame_recv(f->conn, &head, &payload, NULL, 0, &extra, &err), 0);
	cr_assert_eq(head.type, FRAME_HELLO);
	cr_assert_eq(payload.len, 20);
	cr_assert_eq(memcmp(payload.s, "0123456789abcdef", 16), 0);
	cr_assert_eq(payload.s[16], 7);
	str_done(&payload);
}

static void say(struct fake *f, uint16_t type, uint64_t run, uint64_t token, uint16_t flags)
{
	struct frame head = {
	    .type = type, .run = run, .token = token, .flags = flags, .instance = INSTANCE};
	const char *payload = type == FRAME_OUT	  ? "{\"class\":\"ok\"}"
			      : type == FRAME_END ? "instance" PACKAGE_VERSION
						  : "";

	cr_assert_eq(frame_send(f->conn, &head, payload, strlen(payload), NULL, 0, NULL), 0);
}

static void say_end_of(struct fake *f, const char *who)
{
	struct frame head = {.type = FRAME_END, .instance = INSTANCE};

	cr_assert_eq(frame_send(f->conn, &head, who, strlen(who), NULL, 0, NULL), 0);
}

static struct writer_op *op_of(struct fake *f, size_t i, enum op_kind kind)
{
	cr_assert_lt(i, f->ops.n);
	cr_assert_eq(
	    f->ops.v[i]->op.kind, kind, "op %zu is of kind %d", i, (int)f->ops.v[i]->op.kind);
	return f->ops.v[i];
}

static void answer(struct fake *f, size_t i, int rc)
{
	struct op_result r = {.rc = rc};

	if (f->ops.v[i]->done)
		f->ops.v[i]->done(f->ops.v[i]->arg, &r);
}

/* Up, with OP_POOL_UP answered; returns its generation. */
static uint64_t come_up(struct fake *f)
{
	uint64_t gen;

	accept_hello(f);
	say(f, FRAME_END, 0, 0, 0);
	cr_assert(wait_ops(f, 1));
	gen = op_of(f, 0, OP_POOL_UP)->op.u.pool_up.gen;
	answer(f, 0, 0);
	ops_free(f);
	return gen;
}

Test(daemon_poollink, outcomes_come_first_and_end_lists_what_the_pool_holds)
{
	struct fake f;
	struct op *up;

	fake_make(&f);
	accept_hello(&f);
	say(&f, FRAME_RUN, 10, 100, 0);
	say(&f, FRAME_OUT, 11, 101, 0);
	cr_assert(wait_ops(&f, 1));
	cr_assert(!pool_link_is_up(f.link), "nothing is judged before END");
	say(&f, FRAME_END, 0, 0, 0);
	cr_assert(wait_ops(&f, 2));
	cr_assert_eq(op_of(&f, 0, OP_OUTCOME)->op.u.outcome.token, 101);
	cr_assert_eq(f.ops.v[0]->op.u.outcome.instance, INSTANCE);
	up = &op_of(&f, 1, OP_POOL_UP)->op;
	cr_assert_eq(up->u.pool_up.n_seen, 2);
	cr_assert_eq(up->u.pool_up.seen[0].run, 10);
	cr_assert_eq(up->u.pool_up.seen_token[1], 101);
	cr_assert(!pool_link_is_up(f.link), "up only once the store knows it");
	answer(&f, 1, 0);
	cr_assert(pool_link_is_up(f.link));
	cr_assert_eq(f.changes, 1);
	fake_remove(&f);
	LEAK_CHECK();
}

Test(daemon_poollink, a_job_of_an_older_connection_is_never_sent)
{
	struct fake f;
	struct effect e = {.kind = EFFECT_JOB, .step = {1, 2, 3}, .token = 9, .instance = INSTANCE};
	struct frame head;
	struct str payload;
	int extra = 0;

	fake_make(&f);
	e.gen = come_up(&f);
	cr_assert_eq(pool_link_job(f.link, &e, "payload", 7), 0);
	str_init(&payload, 1024);
	cr_assert_eq(frame_recv(f.conn, &head, &payload, NULL, 0, &extra, NULL), 0);
	cr_assert_eq(head.type, FRAME_JOB);
	cr_assert_eq(head.token, 9);
	cr_assert_eq(head.item, 3);
	e.gen++;
	cr_assert_eq(pool_link_job(f.link, &e, "payload", 7), ERR_CLOSED);
	e.gen -= 2;
	cr_assert_eq(pool_link_job(f.link, &e, "payload", 7), ERR_CLOSED);
	e.gen++;
	e.instance++;
	cr_assert_eq(pool_link_job(f.link, &e, "payload", 7), ERR_CLOSED);
	str_done(&payload);
	fake_remove(&f);
	LEAK_CHECK();
}

Test(daemon_poollink, a_dead_pool_is_judged_only_with_its_lock)
{
	struct fake f;

	fake_make(&f);
	come_up(&f);
	say(&f, FRAME_OUT, 5, 50, 0); /* its last word is read before anything else */
	close(f.conn);
	f.conn = -1;
	close(f.listener); /* nobody answers there any more, but the lock is held */
	f.listener = -1;
	cr_assert(wait_ops(&f, 2));
	op_of(&f, 0, OP_OUTCOME);
	op_of(&f, 1, OP_POOL_DOWN);
	cr_assert(!pool_link_is_up(f.link));
	for (int i = 0; i < 10; i++)
		wait_ops(&f, 2);
	cr_assert_eq(f.ops.n, 2, "judged while its lock was held");
	close(f.lock);
	f.lock = -1;
	cr_assert(wait_ops(&f, 3));
	cr_assert_eq(op_of(&f, 2, OP_POOL_GONE)->op.u.pool_gone.instance, INSTANCE);
	cr_assert(!f.ops.v[2]->op.u.pool_gone.clean);
	cr_assert(pool_link_has_live(f.link));
	answer(&f, 2, 0);
	cr_assert(!pool_link_has_live(f.link));
	fake_remove(&f);
	LEAK_CHECK();
}

Test(daemon_poollink, an_orderly_end_is_told_as_such)
{
	struct fake f;

	fake_make(&f);
	come_up(&f);
	cr_assert_eq(write(f.lock, "ended=1\n", 8), 8);
	close(f.lock);
	f.lock = -1;
	close(f.conn);
	f.conn = -1;
	cr_assert(wait_ops(&f, 2));
	op_of(&f, 0, OP_POOL_DOWN);
	cr_assert(op_of(&f, 1, OP_POOL_GONE)->op.u.pool_gone.clean);
	answer(&f, 1, ERR_FULL); /* not stored: tried again */
	cr_assert(wait_ops(&f, 3));
	op_of(&f, 2, OP_POOL_GONE);
	answer(&f, 2, 0);
	fake_remove(&f);
	LEAK_CHECK();
}

Test(daemon_poollink, a_connection_that_breaks_says_hello_again_with_a_new_generation)
{
	struct fake f;
	uint64_t first;

	fake_make(&f);
	first = come_up(&f);
	close(f.conn);
	cr_assert(wait_ops(&f, 1));
	op_of(&f, 0, OP_POOL_DOWN);
	ops_free(&f);
	cr_assert_gt(come_up(&f), first);
	cr_assert(pool_link_is_up(f.link));
	fake_remove(&f);
	LEAK_CHECK();
}

Test(daemon_poollink, jobs_that_wait_for_a_full_socket_are_unleased_when_it_dies)
{
	struct fake f;
	struct effect e = {.kind = EFFECT_JOB, .step = {1, 0, 0}, .instance = INSTANCE};
	char *big = mem_zalloc(50000);
	size_t unleased = 0, sent = 0;
	struct frame head;
	struct str payload;
	int extra = 0;

	fake_make(&f);
	e.gen = come_up(&f);
	for (e.token = 1; e.token <= 200; e.token++)
		cr_assert_eq(pool_link_job(f.link, &e, big, 50000), 0);
	str_init(&payload, 1 << 20);
	cr_assert_eq(frame_recv(f.conn, &head, &payload, NULL, 0, &extra, NULL), 0);
	sent = 1;
	while (recv(f.conn, big, 50000, MSG_DONTWAIT) > 0)
		sent++;
	close(f.conn);
	f.conn = -1;
	cr_assert(wait_ops(&f, 1));
	op_of(&f, 0, OP_POOL_DOWN); /* before any UNLEASE, or DISPATCH would take it there again */
	for (size_t i = 1; i < f.ops.n; i++)
		unleased += f.ops.v[i]->op.kind == OP_UNLEASE;
	cr_assert_gt(unleased, 0);
	cr_assert_leq(unleased + sent, 200);
	str_done(&payload);
	mem_free(big);
	fake_remove(&f);
	LEAK_CHECK();
}

Test(daemon_poollink, an_end_that_nobody_asked_for_judges_nothing)
{
	struct fake f;

	fake_make(&f);
	come_up(&f);
	say(&f, FRAME_END, 0, 0, 0);
	say(&f, FRAME_END, 0, 0, FRAME_RETIRED);
	cr_assert(wait_ops(&f, 1));
	op_of(&f, 0, OP_POOL_DOWN);
	cr_assert_eq(f.ops.n, 1, "an unasked END must not be taken for a list");
	cr_assert(!pool_link_is_up(f.link));
	fake_remove(&f);
	LEAK_CHECK();
}

Test(daemon_poollink, an_outcome_that_was_not_stored_is_asked_for_again)
{
	struct fake f;

	fake_make(&f);
	come_up(&f);
	say(&f, FRAME_OUT, 5, 50, 0);
	cr_assert(wait_ops(&f, 1));
	op_of(&f, 0, OP_OUTCOME);
	answer(&f, 0, ERR_FULL);
	op_of(&f, 1, OP_POOL_DOWN);
	close(f.conn);
	f.conn = -1;
	ops_free(&f);
	fake_remove(&f);
	LEAK_CHECK();
}

Test(daemon_poollink, nonsense_drops_the_connection_and_nothing_else)
{
	struct fake f;

	fake_make(&f);
	come_up(&f);
	cr_assert_eq(send(f.conn, "nonsense", 8, 0), 8);
	cr_assert(wait_ops(&f, 1));
	op_of(&f, 0, OP_POOL_DOWN);
	ops_free(&f);
	close(f.conn);
	come_up(&f);
	fake_remove(&f);
	LEAK_CHECK();
}

struct asked {
	int rc, calls;
	char report[32];
};

static void on_system(void *arg, int rc, const char *report, size_t n)
{
	struct asked *a = arg;

	a->rc = rc;
	a->calls++;
	memcpy(a->report, report ? report : "", n < 31 ? n : 31);
}

Test(daemon_poollink, system_jobs_are_answered_once_or_fail_with_the_pool)
{
	struct fake f;
	struct asked one = {0}, two = {0};
	struct frame head = {.type = FRAME_SYSTEM_OUT, .token = 1};

	fake_make(&f);
	cr_assert_eq(pool_link_system(f.link, "{}", "{}", 2, on_system, &one), ERR_CLOSED);
	come_up(&f);
	cr_assert_eq(pool_link_system(f.link, "{}", "{}", 2, on_system, &one), 0);
	cr_assert_eq(pool_link_system(f.link, "{}", "{}", 2, on_system, &two), 0);
	cr_assert_eq(frame_send(f.conn, &head, "done", 4, NULL, 0, NULL), 0);
	cr_assert_eq(frame_send(f.conn, &head, "again", 5, NULL, 0, NULL), 0);
	close(f.conn);
	f.conn = -1;
	cr_assert(wait_ops(&f, 1));
	cr_assert_eq(one.calls, 1);
	cr_assert_eq(one.rc, 0);
	cr_assert_str_eq(one.report, "done");
	cr_assert_eq(two.calls, 1);
	cr_assert_eq(two.rc, ERR_CLOSED);
	fake_remove(&f);
	LEAK_CHECK();
}

Test(daemon_poollink, a_pool_of_another_release_is_retired_before_anything_is_given_to_it)
{
	static const char *const others[] = {
	    "instance", "instance0.0.9", "instance" PACKAGE_VERSION "1"};
	struct frame head;
	struct str payload;
	struct fake f;
	int extra = 0;

	for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
		fake_make(&f);
		accept_hello(&f);
		say(&f, FRAME_RUN, 10, 100, 0);
		say_end_of(&f, others[i]);
		cr_assert(wait_ops(&f, 1));
		cr_assert(op_of(&f, 0, OP_POOL_UP)->op.u.pool_up.retired, "%s", others[i]);
		cr_assert_eq(f.ops.v[0]->op.u.pool_up.n_seen, 1, "what it has is adopted");
		answer(&f, 0, 0);
		cr_assert(!pool_link_is_up(f.link));
		str_init(&payload, 1024);
		cr_assert_eq(frame_recv(f.conn, &head, &payload, NULL, 0, &extra, NULL), 0);
		cr_assert_eq(head.type, FRAME_RETIRE);
		str_done(&payload);
		fake_remove(&f);
	}
	LEAK_CHECK();
}
