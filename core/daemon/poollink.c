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
#include "core/daemon/poolint.h"
#include "core/pool/link.h"

#include <string.h>
#include <unistd.h>

#define PROBE_FIRST_MS 5
#define ANSWER_MS 5000 /* silence after HELLO: an alarm, nothing more */
#define INSTANCES_MAX 64

struct timeval pool_ms(unsigned ms)
{
	return (struct timeval){.tv_sec = ms / 1000, .tv_usec = (long)(ms % 1000) * 1000};
}

struct instance *pool_instance_find(const struct pool_link *p, uint64_t id)
{
	struct instance *i = p->instances;

	while (i && i->id != id)
		i = i->next;
	return i;
}

void pool_submit(struct pool_link *p, struct writer_op *op)
{
	if (p->o.submit(p->o.arg, op) == 0)
		return;
	/* Only while the writer stops, or when 65,536 ops wait: the next HELLO settles it again. */
	log_warn("an operation of the pool was not taken: the store is busy or closing");
	writer_op_free(op);
}

void pool_submit_down(struct instance *i)
{
	struct writer_op *op = writer_op_new(OP_POOL_DOWN);

	op->op.u.pool_down.instance = i->id;
	pool_submit(i->link, op);
}

/* ---- connections ---- */

static void unlease(struct pool_link *p, const struct step_ref *step, uint64_t token)
{
	struct writer_op *op = writer_op_new(OP_UNLEASE);

	op->op.u.unlease.step = *step;
	op->op.u.unlease.token = token;
	pool_submit(p, op);
}

static void on_pool_unsent(void *arg, const struct frame *f)
{
	struct instance *i = arg;
	struct step_ref step = {f->run, (uint16_t)f->step, f->item};

	unlease(i->link, &step, f->token);
}

static void probe_later(struct instance *i)
{
	struct timeval wait = pool_ms(i->probe_ms);

	i->probe_ms = i->probe_ms * 2 > PROBE_LAST_MS ? PROBE_LAST_MS : i->probe_ms * 2;
	event_add(i->timer, &wait);
}

/* The connection is over: no DISPATCH goes there (rules 3, 7); then the lock is tried (rule 11). */
void pool_instance_lost(struct instance *i, unsigned wait_ms)
{
	struct pool_conn *conn = i->conn;

	i->conn = NULL;
	if (i->state == INST_DOWN || i->state == INST_GONE)
		return;
	i->state = INST_DOWN;
	i->up_told = false;
	VEC_CLEAR(&i->seen);
	VEC_CLEAR(&i->seen_token);
	pool_orphans_forget(i);
	pool_submit_down(i);
	pool_conn_free(conn); /* jobs that were never sent are UNLEASEd behind POOL_DOWN */
	pool_system_fail(i->link, i->id);
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
	pool_instance_lost(arg, 0);
}

static void hello(struct instance *i)
{
	struct frame f = {.type = FRAME_HELLO, .instance = i->id};
	struct timeval wait = pool_ms(ANSWER_MS);
	uint8_t payload[20];
	uint32_t epoch = i->link->o.epoch;

	memcpy(payload, i->link->o.uuid, 16);
	memcpy(payload + 16, &epoch, 4);
	if (pool_conn_send(i->conn, &f, (const char *)payload, sizeof(payload)) != 0)
		return; /* on_pool_lost follows */
	crash_point("hello-after-send");
	event_add(i->timer, &wait);
}

void pool_instance_connect(struct instance *i)
{
	struct pool_conn_handlers h = {i, pool_take_frame, on_pool_lost, on_pool_unsent};
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
	VEC_DONE(&i->ended);
	VEC_DONE(&i->orphans);
	mem_free(i);
}

static void gone_stored(void *arg, const struct op_result *r)
{
	struct instance *i = arg;
	struct pool_link *p = i->link;

	if (r->rc != 0) {
		log_error("the death of a pool could not be stored: %s", r->err.text);
		i->state = INST_DOWN;
		probe_later(i);
		return;
	}
	link_forget(p->o.state, i->id);
	instance_free(i);
	pool_retire_older(p);
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
	pool_start_wanted(i->link);
	if (link_settled(i->link->o.state, i->id, &settled, &clean, &err) != 0)
		log_warn("pool %016llx: %s", (unsigned long long)i->id, err.text);
	if (settled || crash_mutant("lost-without-lock"))
		judge(i, clean);
	else
		pool_instance_connect(
		    i); /* somebody may listen again; else the next probe is due later */
}

struct instance *pool_instance_add(struct pool_link *p, uint64_t id)
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

/* ---- outside ---- */

struct pool_link *pool_link_new(const struct pool_link_options *o)
{
	struct pool_link *p = MEM_NEW(struct pool_link);

	p->o = *o;
	p->state = mem_strdup(o->state); /* a reload frees the configuration that they came from */
	p->run_user = o->run_user ? mem_strdup(o->run_user) : NULL;
	p->o.state = p->state;
	p->starter = o->starter ? mem_strdup(o->starter) : NULL;
	p->o.run_user = p->run_user;
	p->o.starter = p->starter;
	p->ready_fd = -1;
	p->start_ms = START_FIRST_MS;
	p->start_timer = evtimer_new(o->loop->base, on_pool_start_timer, p);
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
	mem_free(p->starter);
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
		if (!pool_instance_find(p, id))
			pool_instance_add(p, id);
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
		pool_instance_add(p, list[k].id);
	mem_free(list);
	if (rc != 0)
		return rc;
	if (n > INSTANCES_MAX)
		log_warn("%zu instances of the pool left lock files, %d are looked at now", n,
		    INSTANCES_MAX);
	add_unlisted(p, v);
	for (i = p->instances; i; i = next) {
		next = i->next;
		pool_instance_connect(i);
	}
	pool_start_wanted(p);
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
	return p->ready_fd >= 0;
}

bool pool_link_has_live(const struct pool_link *p)
{
	return p->instances != NULL || p->ready_fd >= 0;
}
