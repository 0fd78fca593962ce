/* poollink.c: instances of the pool and their lives.
 *
 * An instance is found by its lock file, never by what the store says (rule 12). States: FOUND (to
 * be connected), HELLO (asked, its block is being read), UP (END was seen), DOWN (no connection:
 * its lock is tried until it can be had or somebody listens again), GONE (told to the store). Every
 * connection has a generation, so that a job of an older one is never sent. Owner: struct
 * pool_link, loop thread. */
#define LOG_AT "daemon"
#include "core/daemon/poollink.h"

#include "core/base/io.h"
#include "core/base/log.h"
#include "core/base/mem.h"
#include "core/base/vec.h"
#include "core/daemon/poolconn.h"
#include "core/pool/link.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#define PROBE_FIRST_MS 5
#define PROBE_LAST_MS 1000
#define START_FIRST_MS 200
#define START_LAST_MS 30000
#define ANSWER_MS 5000 /* silence after HELLO: an alarm, nothing more */
#define INSTANCES_MAX 64

enum instance_state { INST_FOUND, INST_HELLO, INST_UP, INST_DOWN, INST_GONE };

struct instance {
	struct pool_link *link; /* borrowed */
	uint64_t id, gen;
	enum instance_state state;
	bool retired, refused, up_told;
	struct pool_conn *conn; /* owned */
	struct event *timer;	/* owned: probe, or silence after HELLO */
	unsigned probe_ms;
	VEC(struct step_ref) seen; /* RUN and OUT of the block that is being read */
	VEC(uint64_t) seen_token;
	struct instance *next;
};

struct system_job {
	uint64_t no, instance;
	system_done done;
	void *arg;
	struct system_job *next;
};

struct pool_link {
	struct pool_link_options o;
	char *state, *run_user;	    /* owned; o points here */
	struct instance *instances; /* owned list */
	struct system_job *jobs;    /* owned list */
	uint64_t next_gen, next_system;
	pid_t starting; /* a pool that we started and that does not listen yet, 0 */
	int ready_fd;
	struct event *ready, *start_timer; /* owned */
	unsigned start_ms;
	bool closing;
};

static void instance_connect(struct instance *i);
static void instance_lost(struct instance *i, unsigned wait_ms);
static void start_wanted(struct pool_link *p);

static struct timeval ms_of(unsigned ms)
{
	return (struct timeval){.tv_sec = ms / 1000, .tv_usec = (long)(ms % 1000) * 1000};
}

static struct instance *instance_find(const struct pool_link *p, uint64_t id)
{
	struct instance *i = p->instances;

	while (i && i->id != id)
		i = i->next;
	return i;
}

static void submit(struct pool_link *p, struct writer_op *op)
{
	if (p->o.submit(p->o.arg, op) == 0)
		return;
	/* Only while the writer stops, or when 65,536 ops wait: the next HELLO settles it again. */
	log_warn("an operation of the pool was not taken: the store is busy or closing");
	writer_op_free(op);
}

/* ---- what a pool says ---- */

static void outcome_stored(void *arg, const struct op_result *r)
{
	struct pool_link *p = arg;

	if (r->rc == 0)
		return;
	/* It was not acknowledged, so the pool still has it: ask again later. */
	log_error("an outcome could not be stored: %s", r->err.text);
	for (struct instance *i = p->instances; i; i = i->next) {
		if (i->conn)
			instance_lost(i, PROBE_LAST_MS);
	}
}

static void take_outcome(struct instance *i, const struct frame *f, const char *payload, size_t n)
{
	struct writer_op *op = writer_op_new(OP_OUTCOME);
	char *report;

	if (n > FRAME_REPORT_MAX) {
		log_warn("a report of %zu bytes is dropped: %u are allowed", n, FRAME_REPORT_MAX);
		n = 0;
	}
	report = mem_strndup(payload, n);
	op->arena = report;
	op->free_arena = mem_free;
	op->op.u.outcome.step = (struct step_ref){f->run, (uint16_t)f->step, f->item};
	op->op.u.outcome.token = f->token;
	op->op.u.outcome.instance = i->id;
	op->op.u.outcome.code = (int)f->code;
	op->op.u.outcome.report = report;
	op->op.u.outcome.report_n = n;
	op->op.u.outcome.exit_seen_us = f->time_us;
	op->done = outcome_stored;
	op->arg = i->link;
	submit(i->link, op);
}

static void note_seen(struct instance *i, const struct frame *f)
{
	struct step_ref step = {f->run, (uint16_t)f->step, f->item};

	if (i->state != INST_HELLO)
		return;
	VEC_ADD(&i->seen, step);
	VEC_ADD(&i->seen_token, f->token);
}

struct up_arena {
	struct pool_link *link;
	uint64_t instance, gen;
	struct step_ref *seen;
	uint64_t *token;
};

static void up_arena_free(void *arg)
{
	struct up_arena *a = arg;

	mem_free(a->seen);
	mem_free(a->token);
	mem_free(a);
}

static void up_stored(void *arg, const struct op_result *r)
{
	struct up_arena *a = arg;
	struct instance *i = instance_find(a->link, a->instance);

	if (!i || i->gen != a->gen || i->state != INST_UP)
		return;
	if (r->rc != 0) {
		log_error("the pool's list could not be stored: %s", r->err.text);
		instance_lost(i, PROBE_LAST_MS);
		return;
	}
	i->up_told = true;
	if (i->link->o.on_change)
		i->link->o.on_change(i->link->o.arg);
}

static void submit_down(struct instance *i)
{
	struct writer_op *op = writer_op_new(OP_POOL_DOWN);

	op->op.u.pool_down.instance = i->id;
	submit(i->link, op);
}

/* What the successor found left of dead instances is killed by now: their locks can be tried at
 * once. */
static void probe_others(struct pool_link *p)
{
	for (struct instance *i = p->instances; i; i = i->next) {
		if (i->state == INST_DOWN)
			event_active(i->timer, EV_TIMEOUT, 1);
	}
}

static void take_end(struct instance *i, const struct frame *f)
{
	struct writer_op *op;
	struct up_arena *a;

	bool retired = (f->flags & FRAME_RETIRED) != 0;

	if (i->state !=
	    INST_HELLO) { /* nobody asked: it says that RETIRE is in force, lists nothing */
		if (retired && !i->retired)
			submit_down(i);
		i->retired = retired || i->retired;
		start_wanted(i->link);
		return;
	}
	i->retired = retired;
	i->state = INST_UP;
	i->refused = false;
	event_del(i->timer);
	a = MEM_NEW(struct up_arena);
	*a = (struct up_arena){i->link, i->id, i->gen, i->seen.v, i->seen_token.v};
	op = writer_op_new(OP_POOL_UP);
	op->arena = a;
	op->free_arena = up_arena_free;
	op->op.u.pool_up.instance = i->id;
	op->op.u.pool_up.gen = i->gen;
	op->op.u.pool_up.retired = i->retired;
	op->op.u.pool_up.seen = a->seen;
	op->op.u.pool_up.seen_token = a->token;
	op->op.u.pool_up.n_seen = i->seen.n;
	op->done = up_stored;
	op->arg = a;
	memset(&i->seen, 0, sizeof(i->seen));
	memset(&i->seen_token, 0, sizeof(i->seen_token));
	submit(i->link, op);
	log_info("pool %016llx answered: %zu attempts%s", (unsigned long long)i->id,
	    op->op.u.pool_up.n_seen, i->retired ? ", retired" : "");
	probe_others(i->link);
	start_wanted(i->link);
}

static void system_end(struct system_job **at, int rc, const char *report, size_t n)
{
	struct system_job *job = *at;

	*at = job->next;
	job->done(job->arg, rc, report, n);
	mem_free(job);
}

static void take_system(struct pool_link *p, const struct frame *f, const char *payload, size_t n)
{
	for (struct system_job **at = &p->jobs; *at; at = &(*at)->next) {
		if ((*at)->no == f->token) {
			system_end(at, 0, payload, n);
			return;
		}
	}
}

static void on_pool_frame(void *arg, const struct frame *f, const char *payload, size_t n)
{
	struct instance *i = arg;
	struct step_ref step = {f->run, (uint16_t)f->step, f->item};

	switch (f->type) {
	case FRAME_RUN:
		note_seen(i, f);
		return;
	case FRAME_OUT:
		note_seen(i, f);
		if (crash_mutant("drop-outcome")) { /* a planted bug: acknowledged, never stored */
			struct effect e = {.step = step, .token = f->token, .instance = i->id};

			pool_link_ack(i->link, &e);
			return;
		}
		take_outcome(i, f, payload, n);
		return;
	case FRAME_END:
		take_end(i, f);
		return;
	case FRAME_PROGRESS:
		if (i->link->o.on_progress)
			i->link->o.on_progress(i->link->o.arg, &step, payload, n);
		return;
	case FRAME_SYSTEM_OUT:
		take_system(i->link, f, payload, n);
		return;
	case FRAME_REFUSED:
		log_error("pool %016llx refuses this daemon: %.*s", (unsigned long long)i->id,
		    n > 200 ? 200 : (int)n, payload);
		i->refused = true;
		return;
	default: /* of a newer release */
		return;
	}
}

/* ---- connections ---- */

static void unlease(struct pool_link *p, const struct step_ref *step, uint64_t token)
{
	struct writer_op *op = writer_op_new(OP_UNLEASE);

	op->op.u.unlease.step = *step;
	op->op.u.unlease.token = token;
	submit(p, op);
}

static void on_pool_unsent(void *arg, const struct frame *f)
{
	struct instance *i = arg;
	struct step_ref step = {f->run, (uint16_t)f->step, f->item};

	unlease(i->link, &step, f->token);
}

static void system_jobs_fail(struct pool_link *p, uint64_t instance)
{
	struct system_job **at = &p->jobs;

	while (*at) {
		if ((*at)->instance == instance) {
			system_end(at, ERR_CLOSED, NULL, 0);
			at = &p->jobs; /* done may have asked anew */
		} else {
			at = &(*at)->next;
		}
	}
}

static void probe_later(struct instance *i)
{
	struct timeval wait = ms_of(i->probe_ms);

	i->probe_ms = i->probe_ms * 2 > PROBE_LAST_MS ? PROBE_LAST_MS : i->probe_ms * 2;
	event_add(i->timer, &wait);
}

/* The connection is over: no DISPATCH goes there (rules 3, 7); then the lock is tried (rule 11). */
static void instance_lost(struct instance *i, unsigned wait_ms)
{
	struct pool_conn *conn = i->conn;

	i->conn = NULL;
	if (i->state == INST_DOWN || i->state == INST_GONE)
		return;
	i->state = INST_DOWN;
	i->up_told = false;
	VEC_CLEAR(&i->seen);
	VEC_CLEAR(&i->seen_token);
	submit_down(i);
	pool_conn_free(conn); /* jobs that were never sent are UNLEASEd behind POOL_DOWN */
	system_jobs_fail(i->link, i->id);
	i->probe_ms = wait_ms ? wait_ms : PROBE_FIRST_MS;
	if (wait_ms)
		probe_later(i);
	else
		event_active(i->timer, EV_TIMEOUT, 1);
	if (i->link->o.on_change)
		i->link->o.on_change(i->link->o.arg);
}

static void on_pool_lost(void *arg)
{
	instance_lost(arg, 0);
}

static void hello(struct instance *i)
{
	struct frame f = {.type = FRAME_HELLO, .instance = i->id};
	struct timeval wait = ms_of(ANSWER_MS);
	uint8_t payload[20];
	uint32_t epoch = i->link->o.epoch;

	memcpy(payload, i->link->o.uuid, 16);
	memcpy(payload + 16, &epoch, 4);
	if (pool_conn_send(i->conn, &f, (const char *)payload, sizeof(payload)) != 0)
		return; /* on_pool_lost follows */
	crash_point("hello-after-send");
	event_add(i->timer, &wait);
}

static void instance_connect(struct instance *i)
{
	struct pool_conn_handlers h = {i, on_pool_frame, on_pool_lost, on_pool_unsent};
	struct err err = {0};
	int fd;

	if (link_connect(i->link->o.state, i->id, true, &fd, &err) != 0) {
		if (i->state == INST_FOUND) {
			i->state = INST_DOWN;
			i->probe_ms = PROBE_FIRST_MS;
			event_active(i->timer, EV_TIMEOUT, 1);
		} else {
			probe_later(i);
		}
		return;
	}
	i->gen = ++i->link->next_gen;
	i->state = INST_HELLO;
	i->conn = pool_conn_new(i->link->o.loop, fd, &h);
	hello(i);
}

/* ---- proof of death ---- */

static void instance_free(struct instance *i)
{
	struct instance **at = &i->link->instances;

	while (*at && *at != i)
		at = &(*at)->next;
	if (*at)
		*at = i->next;
	pool_conn_free(i->conn);
	if (i->timer)
		event_free(i->timer);
	VEC_DONE(&i->seen);
	VEC_DONE(&i->seen_token);
	mem_free(i);
}

static void gone_stored(void *arg, const struct op_result *r)
{
	struct instance *i = arg;

	if (r->rc != 0) {
		log_error("the death of a pool could not be stored: %s", r->err.text);
		i->state = INST_DOWN;
		probe_later(i);
		return;
	}
	link_forget(i->link->o.state, i->id);
	instance_free(i);
}

static void judge(struct instance *i, bool clean)
{
	struct writer_op *op = writer_op_new(OP_POOL_GONE);

	log_info("pool %016llx is gone%s", (unsigned long long)i->id,
	    clean ? "" : " without an orderly end: its attempts are lost");
	i->state = INST_GONE;
	op->op.u.pool_gone.instance = i->id;
	op->op.u.pool_gone.clean = clean;
	op->done = gone_stored;
	op->arg = i;
	if (i->link->o.submit(i->link->o.arg, op) == 0)
		return;
	writer_op_free(op);
	i->state = INST_DOWN;
	probe_later(i);
}

static void on_pool_timer(evutil_socket_t fd, short what, void *arg)
{
	struct instance *i = arg;
	bool settled = false, clean = false;
	struct err err = {0};

	(void)fd, (void)what;
	loop_enter(i->link->o.loop, "pool timer");
	if (i->state == INST_HELLO) {
		log_error("pool %016llx does not answer: it is waited for, nothing of it is judged",
		    (unsigned long long)i->id);
		return;
	}
	if (i->state != INST_DOWN)
		return;
	start_wanted(i->link);
	if (link_settled(i->link->o.state, i->id, &settled, &clean, &err) != 0)
		log_warn("pool %016llx: %s", (unsigned long long)i->id, err.text);
	if (settled || crash_mutant("lost-without-lock"))
		judge(i, clean);
	else
		instance_connect(
		    i); /* somebody may listen again; else the next probe is due later */
}

static struct instance *instance_add(struct pool_link *p, uint64_t id)
{
	struct instance *i = MEM_NEW(struct instance);

	i->link = p;
	i->id = id;
	i->state = INST_FOUND;
	i->probe_ms = PROBE_FIRST_MS;
	i->timer = event_new(p->o.loop->base, -1, 0, on_pool_timer, i);
	i->next = p->instances;
	p->instances = i;
	return i;
}

/* ---- starting one ---- */

static bool start_is_wanted(const struct pool_link *p)
{
	if (p->closing || p->o.managed || p->starting || evtimer_pending(p->start_timer, NULL))
		return false;
	for (const struct instance *i = p->instances; i; i = i->next) {
		if (i->state < INST_DOWN && !i->retired && !i->refused)
			return false;
	}
	return true;
}

static void start_failed(struct pool_link *p)
{
	struct timeval wait;

	io_close(&p->ready_fd);
	p->starting = 0;
	wait = ms_of(p->start_ms);
	log_error("the pool did not start: next try in %u ms", p->start_ms);
	p->start_ms = p->start_ms * 2 > START_LAST_MS ? START_LAST_MS : p->start_ms * 2;
	evtimer_add(p->start_timer, &wait);
}

static void on_pool_ready(evutil_socket_t fd, short what, void *arg)
{
	struct pool_link *p = arg;
	uint64_t id = 0;
	ssize_t n = read(fd, &id, sizeof(id));

	(void)what;
	loop_enter(p->o.loop, "pool started");
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	event_free(p->ready);
	p->ready = NULL;
	if (n != (ssize_t)sizeof(id)) {
		start_failed(p);
		return;
	}
	io_close(&p->ready_fd);
	p->starting = 0;
	p->start_ms = START_FIRST_MS;
	if (!instance_find(p, id))
		instance_connect(instance_add(p, id));
}

static void start_wanted(struct pool_link *p)
{
	struct link_start how = {p->o.state, p->o.run_user, p->o.once};
	struct err err = {0};

	if (!start_is_wanted(p))
		return;
	if (link_start(&how, &p->starting, &p->ready_fd, &err) != 0) {
		log_error("%s", err.text);
		start_failed(p);
		return;
	}
	p->ready = event_new(p->o.loop->base, p->ready_fd, EV_READ | EV_PERSIST, on_pool_ready, p);
	event_add(p->ready, NULL);
}

static void on_start_timer(evutil_socket_t fd, short what, void *arg)
{
	struct pool_link *p = arg;

	(void)fd, (void)what;
	loop_enter(p->o.loop, "pool start");
	start_wanted(p);
}

/* ---- outside ---- */

struct pool_link *pool_link_new(const struct pool_link_options *o)
{
	struct pool_link *p = MEM_NEW(struct pool_link);

	p->o = *o;
	p->state = mem_strdup(o->state); /* a reload frees the configuration that they came from */
	p->run_user = o->run_user ? mem_strdup(o->run_user) : NULL;
	p->o.state = p->state;
	p->o.run_user = p->run_user;
	p->ready_fd = -1;
	p->start_ms = START_FIRST_MS;
	p->start_timer = evtimer_new(o->loop->base, on_start_timer, p);
	return p;
}

void pool_link_free(struct pool_link *p)
{
	if (!p)
		return;
	p->closing = true;
	while (p->instances)
		instance_free(p->instances);
	for (struct system_job *j = p->jobs, *next; j; j = next) {
		next = j->next;
		mem_free(j);
	}
	if (p->ready)
		event_free(p->ready);
	io_close(&p->ready_fd);
	event_free(p->start_timer);
	mem_free(p->state);
	mem_free(p->run_user);
	mem_free(p);
}

/* Instances that only the store knows: their lock file vanished, which link_settled takes as a
 * death. */
static void add_unlisted(struct pool_link *p, const struct view *v)
{
	uint8_t from[8] = {0};
	struct slice key;
	uint64_t id;

	while (v->next(v->ctx, TABLE_RUNNING, (struct slice){from, sizeof(from)}, false, &key,
		   NULL) == 0 &&
	       key.n >= 8) {
		id = 0;
		for (int b = 0; b < 8; b++)
			id = id << 8 | ((const uint8_t *)key.p)[b];
		if (!instance_find(p, id))
			instance_add(p, id);
		if (id == UINT64_MAX)
			return;
		id++;
		for (int b = 7; b >= 0; b--, id >>= 8)
			from[b] = (uint8_t)id;
	}
}

int pool_link_open(struct pool_link *p, const struct view *v, struct err *err)
{
	struct link_instance *list = mem_calloc(INSTANCES_MAX, sizeof(*list));
	struct instance *i, *next;
	size_t n = 0;
	int rc = link_list(p->o.state, list, INSTANCES_MAX, &n, err);

	for (size_t k = 0; rc == 0 && k < n && k < INSTANCES_MAX; k++)
		instance_add(p, list[k].id);
	mem_free(list);
	if (rc != 0)
		return rc;
	if (n > INSTANCES_MAX)
		log_warn("%zu instances of the pool left lock files, %d are looked at now", n,
		    INSTANCES_MAX);
	add_unlisted(p, v);
	for (i = p->instances; i; i = next) {
		next = i->next;
		instance_connect(i);
	}
	start_wanted(p);
	return 0;
}

bool pool_link_is_up(const struct pool_link *p)
{
	for (const struct instance *i = p->instances; i; i = i->next) {
		if (i->state == INST_UP && i->up_told && !i->retired)
			return true;
	}
	return false;
}

void pool_link_env(const struct pool_link *p, struct sched_env *ret)
{
	size_t n = 0, max = sizeof(ret->pool) / sizeof(ret->pool[0]);

	for (const struct instance *i = p->instances; i && n < max; i = i->next) {
		if (i->state != INST_UP)
			continue;
		ret->pool[n].id = i->id;
		ret->pool[n].gen = i->gen;
		ret->pool[n].up = i->up_told;
		ret->pool[n].retired = i->retired;
		n++;
	}
}

bool pool_link_is_settling(const struct pool_link *p)
{
	for (const struct instance *i = p->instances; i; i = i->next) {
		if (i->state != INST_UP)
			return true;
	}
	return p->starting != 0;
}

bool pool_link_has_live(const struct pool_link *p)
{
	return p->instances != NULL || p->starting != 0;
}

int pool_link_job(struct pool_link *p, const struct effect *e, const char *payload, size_t n)
{
	struct instance *i = instance_find(p, e->instance);
	struct frame f = {.type = FRAME_JOB,
	    .run = e->step.run,
	    .step = e->step.step,
	    .item = e->step.item,
	    .token = e->token,
	    .instance = e->instance};
	int rc;

	if (!i || i->state != INST_UP || i->gen != e->gen)
		return ERR_CLOSED;
	crash_point("handover-before-send");
	rc = pool_conn_send(i->conn, &f, payload, n);
	crash_point("handover-after-send");
	if (rc != 0)
		submit_down(
		    i); /* before the caller's UNLEASE: else it would be dispatched there again */
	return rc;
}

static void send_small(struct pool_link *p, const struct effect *e, uint16_t type, uint32_t code)
{
	struct instance *i = instance_find(p, e->instance);
	struct frame f = {.type = type,
	    .run = e->step.run,
	    .step = e->step.step,
	    .item = e->step.item,
	    .token = e->token,
	    .code = code,
	    .instance = e->instance};

	/* Without a connection nothing is lost: the next HELLO brings the attempt or its outcome
	 * again. */
	if (i && i->conn && pool_conn_send(i->conn, &f, NULL, 0) != 0)
		log_debug("the pool is gone before a frame of type %u", type);
}

void pool_link_kill(struct pool_link *p, const struct effect *e)
{
	send_small(p, e, FRAME_KILL, OUT_CANCELLED);
	crash_point("kill-after-send");
}

void pool_link_ack(struct pool_link *p, const struct effect *e)
{
	crash_point("ack-before-send");
	send_small(p, e, FRAME_ACK, 0);
	crash_point("ack-after-send");
}

void pool_link_retire(struct pool_link *p, uint64_t instance)
{
	struct effect e = {.instance = instance};

	send_small(p, &e, FRAME_RETIRE, 0);
}

void pool_link_shutdown(struct pool_link *p, uint32_t code)
{
	struct effect e = {0};

	p->closing = true;
	for (struct instance *i = p->instances; i; i = i->next) {
		e.instance = i->id;
		send_small(p, &e, FRAME_SHUTDOWN, code);
	}
}

int pool_link_system(
    struct pool_link *p, const char *note, const char *job, size_t n, system_done done, void *arg)
{
	struct instance *i = p->instances;
	struct system_job *s;
	struct frame f = {.type = FRAME_SYSTEM};
	struct str payload;
	int rc;

	while (i && (i->state != INST_UP || i->retired))
		i = i->next;
	if (!i)
		return ERR_CLOSED;
	str_init(&payload, FRAME_PAYLOAD_MAX);
	frame_job_join(&payload, note, strlen(note), job, n);
	f.token = ++p->next_system;
	f.instance = i->id;
	rc = payload.failed ? ERR_LIMIT
			    : pool_conn_send(i->conn, &f, str_peek(&payload), payload.len);
	str_done(&payload);
	if (rc != 0)
		return rc;
	s = MEM_NEW(struct system_job);
	*s = (struct system_job){f.token, i->id, done, arg, p->jobs};
	p->jobs = s;
	return 0;
}

void pool_link_system_drop(struct pool_link *p, void *arg)
{
	struct system_job **at = &p->jobs, *job;

	while ((job = *at)) {
		if (job->arg == arg) {
			*at = job->next;
			mem_free(job);
		} else {
			at = &job->next;
		}
	}
}
