/* life.c: the daemon from opening its store to leaving it. Order: store, writer, pool (its HELLO
 * runs while files are looked at), compile, HTTP. Leaving: HTTP stops accepting, the writer commits
 * what waits, results are delivered, then everything is freed. Owner: struct daemon. */
#define LOG_AT "daemon"
#include "core/daemon/daemon.h"

#include "core/base/hash.h"
#include "core/base/io.h"
#include "core/base/log.h"
#include "core/base/mem.h"
#include "core/http/http.h"
#include "core/pool/frame.h"
#include "core/sched/key.h"

#include <string.h>
#include <unistd.h>

#define STOP_LOOK_MS 20
#define FAREWELL_MS 2000 /* for the last replies */

int exit_code_of(int rc)
{
	switch (rc) {
	case 0:
		return EXIT_CODE_OK;
	case ERR_CONFLICT:
		return EXIT_CODE_HELD;
	case ERR_REFUSED:
	case ERR_UNSUPPORTED:
		return EXIT_CODE_REFUSED;
	case ERR_CONFIG:
	case ERR_USAGE:
	case ERR_PARSE:
		return EXIT_CODE_USAGE;
	case ERR_NOT_FOUND:
		return EXIT_CODE_NOT_FOUND;
	case ERR_AGAIN:
	case ERR_FULL:
	case ERR_IO:
		return EXIT_CODE_TEMPFAIL;
	default:
		return EXIT_CODE_INTERNAL;
	}
}

int daemon_submit(void *arg, struct writer_op *take)
{
	struct daemon *d = arg;

	return writer_submit(d->writer, take);
}

/* On the writer thread: nothing that was not committed has left this process, so ending is safe. */
static void on_store_fatal(const struct err *err)
{
	if (err->code == ERR_CORRUPT) { /* starting again would not help */
		log_error("%s: look with sluice fsck, then bring back a backup with sluice restore",
		    err->text);
		_exit(EXIT_CODE_INTERNAL);
	}
	log_error("%s: ending, to be started again", err->text);
	_exit(EXIT_CODE_TEMPFAIL);
}

static void on_old_conf(void *arg, const struct conf *old)
{
	union {
		const struct conf *in;
		struct conf *out;
	} owned = {.in = old}; /* lent as const to the writer, ours to free */

	(void)arg;
	conf_free(owned.out);
}

static void on_results(evutil_socket_t fd, short what, void *arg)
{
	struct daemon *d = arg;

	(void)fd, (void)what;
	loop_enter(&d->loop, "results");
	writer_deliver(d->writer);
}

static void on_progress(void *arg, const struct step_ref *step, const char *json, size_t n)
{
	struct daemon *d = arg;

	if (d->http)
		http_progress(d->http, step, json, n);
	if (d->watch_progress)
		d->watch_progress(d->watch_arg, step, json, n);
}

static void on_pool_change(void *arg)
{
	struct daemon *d = arg;

	if (d->compile)
		compile_pool_changed(d->compile);
	if (d->reload)
		reload_pool_changed(d->reload);
	if (d->outbox)
		outbox_pool_changed(d->outbox);
}

/* A monotonic clock means nothing after the next boot. Without a boot's name each start of the
 * daemon counts as one. */
static void read_boot(uint8_t ret[HASH_ID_BYTES])
{
	struct str text;

	str_init(&text, 256);
	if (io_read_file("/proc/sys/kernel/random/boot_id", 255, &text, NULL) == 0) {
		const char *id = str_peek(&text);

		hash_id(ret, &id, 1);
	} else {
		hash_random(ret, HASH_ID_BYTES);
	}
	str_done(&text);
}

static int open_store(struct daemon *d, struct err *err)
{
	struct store_options so = {.dir = d->conf->state_dir, .create = true, .now = clock_wall()};
	struct writer_options wo = {.conf = d->conf,
	    .now = clock_wall,
	    .mono = clock_mono,
	    .on_effects = on_batch_effects,
	    .arg = d,
	    .on_fatal = on_store_fatal,
	    .free_conf = on_old_conf};
	int rc = d->once ? 0 : store_probe(so.dir, err);

	if (rc == 0)
		rc = store_open(&so, &d->store, err);
	if (rc == 0)
		rc = store_read_new(d->store, &d->read, err);
	if (rc == 0)
		rc = store_read_new(d->store, &d->own_read, err);
	if (rc != 0)
		return rc;
	hash_random(&wo.seed, sizeof(wo.seed));
	read_boot(wo.boot);
	wo.store = d->store;
	rc = writer_new(&wo, &d->writer, err);
	if (rc != 0)
		return rc;
	d->results =
	    event_new(d->loop.base, writer_fd(d->writer), EV_READ | EV_PERSIST, on_results, d);
	event_priority_set(d->results, LOOP_RESULT);
	event_add(d->results, NULL);
	return 0;
}

static int open_pools(struct daemon *d, struct err *err)
{
	struct pool_link_options o = {.loop = &d->loop,
	    .state = d->conf->state_dir,
	    .run_user = d->conf->run_user,
	    .uuid = store_uuid(d->store),
	    .epoch = store_epoch(d->store),
	    .once = d->once,
	    .starter = d->once ? NULL : sd_pool_starter(d->sd),
	    .arg = d,
	    .submit = daemon_submit,
	    .on_progress = on_progress,
	    .on_change = on_pool_change};
	const struct view *v;
	int rc;

	d->pools = pool_link_new(&o);
	v = store_read_begin(d->own_read);
	rc =
	    v ? pool_link_open(d->pools, v, err) : err_set(err, ERR_IO, "the store cannot be read");
	store_read_end(d->own_read);
	return rc;
}

int daemon_open(struct daemon *d, bool once, struct err *err)
{
	int rc;

	d->once = once;
	d->started_at = clock_mono();
	str_init(&d->job_text, FRAME_PAYLOAD_MAX + 1);
	rc = loop_init(&d->loop, err);
	if (rc == 0)
		rc = open_store(d, err);
	if (rc != 0)
		return rc;
	d->signals = signals_new(d);
	d->jobs = job_builder_new(d->secrets);
	job_builder_conf(d->jobs, d->conf);
	rc = due_timer_new(d, &d->timer, err);
	if (rc == 0)
		rc = open_pools(d, err);
	if (rc != 0)
		return rc;
	d->compile = compile_new(d);
	d->reload = reload_new(d);
	if (!once) {
		d->watching = watch_new(d);
		d->backup = backup_new(d);
		d->retention = retention_new(d);
		d->hold = hold_new(d);
		compile_folder(d->compile, true, NULL, NULL);
		admin_token_take(d);
		d->outbox = outbox_new(d);
		outbox_poke(d->outbox);
		rc = serve_open(d, err);
	}
	due_timer_arm(d->timer);
	if (rc == 0 && !once) {
		sd_watchdog(d->sd, &d->loop);
		sd_notify(d->sd, "READY=1");
	}
	return rc;
}

/* Gives the server a moment for the replies that are under way. */
static void farewell(struct daemon *d)
{
	mono_us until = clock_mono() + FAREWELL_MS * US_PER_MS;
	struct timeval step = {.tv_usec = 5000};

	while (!http_drain(d->http) && clock_mono() < until) {
		event_base_loopexit(d->loop.base, &step);
		event_base_loop(d->loop.base, 0);
	}
}

void daemon_close(struct daemon *d)
{
	if (d->http)
		farewell(d);
	if (d->writer) {
		writer_stop(d->writer);
		writer_deliver(d->writer);
	}
	if (d->http)
		http_free(d->http);
	d->http = NULL;
	watch_free(d->watching);
	reload_free(d->reload);
	compile_free(d->compile);
	backup_free(d->backup);
	retention_free(d->retention);
	hold_free(d->hold);
	outbox_free(d->outbox);
	due_timer_free(d->timer);
	pool_link_free(d->pools);
	job_builder_free(d->jobs);
	signals_free(d->signals);
	if (d->stop_timer)
		event_free(d->stop_timer);
	if (d->results)
		event_free(d->results);
	writer_free(d->writer);
	store_read_free(d->read);
	store_read_free(d->own_read);
	store_close(d->store);
	loop_done(&d->loop);
	str_done(&d->job_text);
	conf_free(d->conf);
	d->conf = NULL;
}

/* ---- stopping ---- */

struct drain {
	struct daemon *d;
	mono_us until; /* TIME_NONE: as long as it takes */
};

static void on_stop_look(evutil_socket_t fd, short what, void *arg)
{
	struct drain *s = arg;
	bool late = s->until != TIME_NONE && clock_mono() >= s->until;

	(void)fd, (void)what;
	loop_enter(&s->d->loop, "stop");
	if (pool_link_has_live(s->d->pools) && !late)
		return;
	if (late)
		log_warn("what runs goes on in the pool: the next daemon adopts it");
	loop_stop(&s->d->loop);
}

/* Before the pool kills anything, so that the runs end cancelled and not failed. */
static void cancel_running(struct daemon *d)
{
	const struct view *v = store_read_begin(d->own_read);
	struct view_walk walk;
	struct writer_op *op;
	struct key k;

	if (!v)
		return;
	key_init(&k);
	key_u8(&k, RUN_RUNNING);
	view_walk_init(&walk, v, TABLE_RUN_STATE, k.b, k.n, false);
	while (view_walk_next(&walk, NULL) == 0 && walk.key_n == k.n + 8) {
		op = writer_op_new(OP_CANCEL);
		for (size_t i = k.n; i < walk.key_n; i++)
			op->op.u.cancel.run = op->op.u.cancel.run << 8 | walk.key[i];
		op->op.u.cancel.actor = "shutdown";
		if (daemon_submit(d, op) != 0)
			writer_op_free(op);
	}
	store_read_end(d->own_read);
}

void daemon_stop(struct daemon *d, enum stop_kind kind, int64_t drain_ms)
{
	static struct drain drain; /* one daemon in a process */
	struct timeval look = {.tv_usec = STOP_LOOK_MS * 1000};

	d->stopping = true;
	d->stop_kind = kind;
	sd_notify(d->sd, "STOPPING=1");
	if (kind == STOP_LEAVE || !d->pools) {
		loop_stop(&d->loop);
		return;
	}
	if (kind == STOP_CANCEL)
		cancel_running(d);
	pool_link_shutdown(d->pools, kind == STOP_CANCEL);
	drain.d = d;
	drain.until = drain_ms < 0 ? TIME_NONE : clock_mono() + drain_ms * US_PER_MS;
	if (!d->stop_timer)
		d->stop_timer = event_new(d->loop.base, -1, EV_PERSIST, on_stop_look, &drain);
	event_add(d->stop_timer, &look);
}

void daemon_note(struct daemon *d, const char *actor, const char *verb, const char *detail)
{
	struct writer_op *op = writer_op_new(OP_NOTE);
	char *text = mem_strdup(detail);

	op->arena = text;
	op->free_arena = mem_free;
	op->op.u.note.actor = actor;
	op->op.u.note.verb = verb;
	op->op.u.note.object = "daemon";
	op->op.u.note.detail = text;
	if (daemon_submit(d, op) != 0)
		writer_op_free(op);
}

/* ---- reload ---- */

static void on_reloaded(void *arg, const struct json *result, struct conf *planned)
{
	struct daemon *d = arg;

	(void)planned;
	daemon_note(d, "signal", "reload", json_get_str(result, "result", ""));
	sd_notify(d->sd, "READY=1");
	compile_folder(d->compile, true, NULL, NULL);
	watch_conf(d->watching);
}

void daemon_reload(struct daemon *d)
{
	log_info("reading configuration and DAG files again");
	sd_reloading(d->sd);
	reload_ask(d->reload, true, on_reloaded, d);
}

bool daemon_is_ready(const struct daemon *d, struct str *why)
{
	if (!d->store)
		str_add(why, "the store is not open");
	else if (!pool_link_is_up(d->pools))
		str_add(why, "the pool has not answered yet");
	else if (!compile_is_done(d->compile))
		str_add(why, "DAG files are still being compiled");
	else
		return true;
	return false;
}
