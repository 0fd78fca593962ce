/* compile.c: requests to compile, one after the other: scan, ask about what changed, store the
 * plans in one operation, answer. Owner: struct compile, loop thread. */
#define LOG_AT "daemon"
#include "core/daemon/compile.h"

#include "core/daemon/compile_int.h"

#include "core/base/io.h"
#include "core/base/log.h"
#include "core/base/mem.h"

#include <malloc.h>
#include <string.h>

#define STORE_AT_ONCE 256

static void on_compile_kick(evutil_socket_t fd, short what, void *arg);

struct compile *compile_new(struct daemon *d)
{
	struct compile *c = MEM_NEW(struct compile);

	c->d = d;
	c->kick = event_new(d->loop.base, -1, 0, on_compile_kick, c);
	return c;
}

static void plans_free(void *arg)
{
	struct plans *p = arg;

	if (!p)
		return;
	for (size_t i = 0; i < p->texts.n; i++)
		mem_free(p->texts.v[i]);
	VEC_DONE(&p->texts);
	VEC_DONE(&p->files);
	mem_free(p);
}

const char *compile_keep_text(struct plans *p, char *take)
{
	VEC_ADD(&p->texts, take);
	return take;
}

static void work_clear(struct compile *c)
{
	scan_done(&c->scan);
	memset(&c->scan, 0, sizeof(c->scan));
	mem_free(c->dir);
	c->dir = NULL;
	VEC_DONE(&c->changed);
	for (size_t i = 0; i < c->gone.n; i++)
		mem_free(c->gone.v[i]);
	VEC_DONE(&c->gone);
	for (size_t i = 0; i < c->chunks.n; i++) {
		if (c->d->pools)
			pool_link_system_drop(c->d->pools, c->chunks.v[i]);
		mem_free(c->chunks.v[i]);
	}
	VEC_DONE(&c->chunks);
	c->in_flight = c->left = c->storing = 0;
	c->rc = 0;
	err_clear(&c->err);
	plans_free(c->plans);
	c->plans = NULL;
	plan_view_done(&c->view);
}

static void request_free(struct request *r)
{
	mem_free(r->single);
	conf_free(r->conf);
	mem_free(r);
}

void compile_free(struct compile *c)
{
	if (!c)
		return;
	work_clear(c);
	event_free(c->kick);
	for (struct request *r = c->head, *next; r; r = next) {
		next = r->next;
		request_free(r);
	}
	mem_free(c);
}

uint64_t compile_count(const struct compile *c)
{
	return c->compiled;
}

bool compile_is_done(const struct compile *c)
{
	return c->done_once;
}

/* ---- answer ---- */

static void answer(struct compile *c, int rc, const struct err *err)
{
	struct request *r = c->head;
	struct err copy = {0}; /* err may be c's own, which is cleared below */
	struct str text;

	if (err)
		copy = *err;
	str_init(&text, COMPILE_REPLY_MAX);
	plan_view_print(&c->view, &text);
	if (r->apply) /* also when the folder cannot be read: then no file of it can */
		c->done_once = true;
	if (rc != 0)
		log_error("DAG files: %s", copy.text);
	else if (json_len(c->view.errors) && !c->d->once) /* once prints them */
		log_warn("%zu errors in DAG files: see sluice plan", json_len(c->view.errors));
	c->trim = c->changed.n > COMPILE_CHUNK;
	watch_inputs(c->d->watching);
	work_clear(c);
	c->head = r->next;
	c->working = false;
	if (r->done)
		r->done(r->arg, rc, &copy, str_peek(&text));
	request_free(r);
	str_done(&text);
	if (c->head || c->trim)
		event_active(c->kick, EV_TIMEOUT, 1);
}

static void on_plans_stored(void *arg, const struct op_result *r)
{
	struct compile *c = arg;

	loop_enter(&c->d->loop, "plans");
	c->storing--;
	if (r->rc != 0 && c->rc == 0) {
		c->rc = r->rc;
		c->err = r->err;
	}
	if (c->left == 0 && c->storing == 0)
		answer(c, c->rc, &c->err);
}

/* One operation for what is at hand. */
static void store_plans(struct compile *c)
{
	struct writer_op *op = writer_op_new(OP_PLANS);
	int rc;

	op->arena = c->plans;
	op->free_arena = plans_free;
	op->op.u.plans.files = c->plans->files.v;
	op->op.u.plans.n_files = c->plans->files.n;
	op->op.u.plans.complete = false;
	op->op.u.plans.actor = compile_keep_text(c->plans, mem_strdup(c->head->actor));
	op->done = on_plans_stored;
	op->arg = c;
	c->plans = MEM_NEW(struct plans);
	c->storing++;
	rc = daemon_submit(c->d, op);
	if (rc == 0)
		return;
	writer_op_free(op);
	c->storing--;
	c->rc = err_set(&c->err, rc, "the store does not take the plans: %s", err_text(rc));
}

/* A set of edited files is stored in one operation; only a very large one in several, because what
 * a transaction has touched stays in memory. */
static void store_some(struct compile *c)
{
	if (c->head->apply && c->plans->files.n >= STORE_AT_ONCE)
		store_plans(c);
}

/* Behind all the others: a DAG that moved to another file is not gone. */
static void add_gone(struct compile *c)
{
	struct op_file out;

	for (size_t i = 0; i < c->gone.n; i++) {
		memset(&out, 0, sizeof(out));
		out.path = compile_keep_text(c->plans, c->gone.v[i]);
		out.gone = true;
		VEC_ADD(&c->plans->files, out);
	}
	VEC_CLEAR(&c->gone);
}

static void finish(struct compile *c)
{
	add_gone(c);
	if (c->head->apply && c->plans->files.n)
		store_plans(c);
	if (c->storing == 0)
		answer(c, c->rc, &c->err);
}

const struct conf *compile_conf(const struct compile *c)
{
	return c->head->conf ? c->head->conf : c->d->conf;
}

/* ---- the next request ---- */

void compile_advance(struct compile *c)
{
	store_some(c);
	if (c->left)
		compile_send_chunks(c);
	if (c->left == 0)
		finish(c);
}

void compile_pool_changed(struct compile *c)
{
	if (c->working && c->left)
		compile_advance(c);
}

static int start(struct compile *c, struct request *r, struct err *err)
{
	const char *name;
	int rc;

	plan_view_init(&c->view);
	c->plans = MEM_NEW(struct plans);
	scan_signature(compile_conf(c), c->signature);
	if (r->single) {
		c->dir = io_path_dir(r->single);
		name = strrchr(r->single, '/');
		rc = scan_add(&c->scan, c->dir, name ? name + 1 : r->single, err);
	} else {
		c->dir = mem_strdup(compile_conf(c)->dags_dir ? compile_conf(c)->dags_dir : ".");
		rc = scan_folder(&c->scan, c->dir, err);
	}
	return rc == 0 ? compile_find_changes(c, err) : rc;
}

static void next_request(struct compile *c)
{
	struct err err = {0};
	int rc;

	if (c->working || !c->head)
		return;
	c->working = true;
	rc = start(c, c->head, &err);
	if (rc != 0) {
		answer(c, rc, &err);
		return;
	}
	compile_make_chunks(c);
	compile_advance(c);
}

static void on_compile_kick(evutil_socket_t fd, short what, void *arg)
{
	struct compile *c = arg;

	(void)fd, (void)what;
	loop_enter(&c->d->loop, "compile");
	if (c->trim)
		malloc_trim(0); /* what a thousand plans took goes back to the system */
	c->trim = false;
	next_request(c);
}

static void enqueue(struct compile *c, struct request *r)
{
	struct request **at = &c->head;

	while (*at)
		at = &(*at)->next;
	*at = r;
	if (!c->working)
		event_active(c->kick, EV_TIMEOUT, 1);
}

void compile_folder(struct compile *c, bool apply, compile_done done, void *arg)
{
	struct request *r = MEM_NEW(struct request);

	*r = (struct request){.apply = apply, .done = done, .arg = arg};
	enqueue(c, r);
}

void compile_apply(struct compile *c, const char *actor, compile_done done, void *arg)
{
	struct request *r = MEM_NEW(struct request);

	*r = (struct request){.apply = true, .done = done, .arg = arg};
	str_copy(r->actor, sizeof(r->actor), actor);
	enqueue(c, r);
}

void compile_plan(struct compile *c, struct conf *conf, compile_done done, void *arg)
{
	struct request *r = MEM_NEW(struct request);

	*r = (struct request){.conf = conf, .done = done, .arg = arg};
	enqueue(c, r);
}

void compile_file(struct compile *c, const char *path, compile_done done, void *arg)
{
	struct request *r = MEM_NEW(struct request);

	*r = (struct request){.apply = true, .single = mem_strdup(path), .done = done, .arg = arg};
	enqueue(c, r);
}
