/* compile.c: requests to compile, one after the other: scan, ask the pool's system lane about what
 * changed, store the plans in one operation, answer. A compiler that dies on several files is asked
 * about each alone, so that one bad file is found. Owner: struct compile, loop thread. */
#define LOG_AT "daemon"
#include "core/daemon/compile.h"

#include "core/base/hash.h"
#include "core/base/io.h"
#include "core/base/log.h"
#include "core/base/mem.h"
#include "core/daemon/daemon.h"
#include "core/daemon/planview.h"
#include "core/daemon/scan.h"
#include "core/pool/frame.h"
#include "core/sched/table.h"

#include <malloc.h>
#include <string.h>
#include <unistd.h>

#define CHUNK 32
#define STORE_AT_ONCE 256
#define IN_FLIGHT 2 /* lanes of the pool for system jobs */
#define TRIES 3
#define RACY_NS UINT64_C(2000000000)
#define REPLY_MAX (16u << 20)
#define SYSTEM_NOTE                                                                                \
	"{\"slug\":\"compile\",\"lane\":\"system\",\"key\":\"system\",\"log\":\"\",\"deadline_"    \
	"ms\":"                                                                                    \
	"120000,\"grace_ms\":1000,\"fresh\":false,\"keep\":false,\"needs\":0,\"masks\":[]}"

struct request {
	bool apply;
	char actor[ACTOR_MAX]; /* who applies; "": the daemon itself */
	char *single;	       /* owned: one file, else the folder */
	struct conf *conf;     /* owned: what a plan is made with, NULL: what is in force */
	compile_done done;
	void *arg;
	struct request *next;
};

/* Files i..i+n of the changed ones. */
struct chunk {
	struct compile *c;
	size_t first, n;
	unsigned tries;
	bool busy, ended;
};

/* What OP_PLANS points to; it outlives the request. */
struct plans {
	VEC(struct op_file) files;
	VEC(char *) texts;
};

struct compile {
	struct daemon *d; /* borrowed */
	struct request *head;
	struct event *kick; /* owned: begins the next request, never inside the call that made it */
	bool working, done_once;
	/* of the request at the head: */
	struct scan scan;
	char *dir; /* owned */
	uint8_t signature[HASH_SHA256_BYTES];
	uint64_t compiled;   /* files so far, of all requests */
	VEC(size_t) changed; /* indexes into scan.files */
	VEC(char *) gone;    /* owned paths of the store's files that vanished */
	VEC(struct chunk *) chunks;
	size_t in_flight, left, storing;
	int rc; /* the first failure to store */
	struct err err;
	bool trim;	     /* memory of a large request is still to be given back */
	struct plans *plans; /* owned until submitted */
	struct plan_view view;
};

static void advance(struct compile *c);
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

static const char *plans_text(struct plans *p, char *take)
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
	str_init(&text, REPLY_MAX);
	plan_view_print(&c->view, &text);
	if (r->apply) /* also when the folder cannot be read: then no file of it can */
		c->done_once = true;
	if (rc != 0)
		log_error("DAG files: %s", copy.text);
	else if (json_len(c->view.errors) && !c->d->once) /* once prints them */
		log_warn("%zu errors in DAG files: see sluice plan", json_len(c->view.errors));
	c->trim = c->changed.n > CHUNK;
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
	op->op.u.plans.actor = plans_text(c->plans, mem_strdup(c->head->actor));
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
		out.path = plans_text(c->plans, c->gone.v[i]);
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

/* ---- results ---- */

static void take_failure(struct compile *c, const struct scan_file *f, const char *code,
    const char *why, const char *hint);

static bool is_changed(const struct compile *c, const struct scan_file *f)
{
	for (size_t i = 0; i < c->changed.n; i++) {
		if (&c->scan.files.v[c->changed.v[i]] == f)
			return true;
	}
	return false;
}

/* The compiler compares the files that it is given; whether a file that did not change has that DAG
 * already is known here. Then this one is refused. */
static bool is_taken(struct compile *c, const struct scan_file *f, const char *dag)
{
	const struct view *v = store_read_begin(c->d->own_read);
	const struct scan_file *other = NULL;
	struct dag_rec r;
	struct str why;

	if (v && dag_get_named(v, dag, &r) == 0 && r.state != DAG_GONE && !str_eq(r.file, f->path))
		other = scan_find(&c->scan, r.file);
	store_read_end(c->d->own_read);
	if (!other || is_changed(c, other))
		return false;
	str_init(&why, 2048);
	str_addf(&why, "the DAG \"%s\" also stands in %s", dag, other->path);
	take_failure(c, f, "duplicate-dag", str_peek(&why), "give one of them another name");
	str_done(&why);
	return true;
}

static void compare_dag(struct compile *c, const struct scan_file *f, const struct op_file *out,
    const struct json *report)
{
	const struct view *v = store_read_begin(c->d->own_read);

	plan_view_dag(&c->view, v, out->rec.dag, f->path, out->plan, out->plan_n, report);
	store_read_end(c->d->own_read);
}

/* The file is a list now: a DAG that stood in it is gone. */
static void compare_list(struct compile *c, const struct scan_file *f)
{
	const struct view *v = store_read_begin(c->d->own_read);
	struct slice report;
	struct file_rec rec;

	if (v && file_get(v, f->path, &rec, &report) == 0 && rec.dag[0])
		plan_view_gone(&c->view, rec.dag, f->path);
	store_read_end(c->d->own_read);
}

static void report_print(const struct json *file, struct str *out)
{
	struct json *report;

	if (json_len(json_get(file, "inputs")) == 0) {
		json_print(json_get(file, "report"), out);
		return;
	}
	report = json_dup(json_get(file, "report"));
	scan_inputs_put(report, json_get(file, "inputs"));
	json_print(report, out);
	json_free(report);
}

/* One object of the compiler's answer. */
static void take_file(struct compile *c, const struct scan_file *f, const struct json *j)
{
	struct op_file out = {0};
	const char *plan = json_get_str(j, "plan", NULL);
	struct str text;

	if (plan && is_taken(c, f, json_get_str(j, "dag", "")))
		return;

	out.path = plans_text(c->plans, mem_strdup(f->path));
	out.rec.size = f->size;
	out.rec.inode = f->inode;
	out.rec.mtime_ns = f->mtime_ns;
	/* Changed within the clock's grain of now: another change might look the same. */
	if (f->mtime_ns + RACY_NS > (uint64_t)clock_wall() * 1000)
		out.rec.mtime_ns = 0;
	memcpy(out.rec.signature, c->signature, sizeof(out.rec.signature));
	out.rec.ok = json_get_bool(j, "ok", false); /* without a plan: a list, no DAG */
	if (plan)
		str_copy(out.rec.dag, sizeof(out.rec.dag), json_get_str(j, "dag", ""));
	str_init(&text, REPLY_MAX);
	report_print(j, &text);
	out.report = plans_text(c->plans, str_take(&text));
	if (out.rec.ok && plan) {
		out.plan = plans_text(c->plans, mem_strdup(plan));
		out.plan_n = strlen(plan);
		compare_dag(c, f, &out, json_get(j, "report"));
	} else if (out.rec.ok) {
		compare_list(c, f);
	}
	plan_view_errors(&c->view, c->dir, f->path, json_get(j, "report"));
	VEC_ADD(&c->plans->files, out);
}

/* A file that the compiler did not find fault with, but this side of it does. */
static void take_failure(struct compile *c, const struct scan_file *f, const char *code,
    const char *why, const char *hint)
{
	struct json *j = json_new_object(), *report = json_new_object(), *e = json_new_object(),
		    *list = json_new_array();

	json_put(e, "line", json_new_i64(1));
	json_put(e, "column", json_new_i64(1));
	json_put(e, "key", json_new_str(""));
	json_put(e, "code", json_new_str(code));
	json_put(e, "message", json_new_str(why));
	json_put(e, "hint", json_new_str(hint));
	json_push(list, e);
	json_put(report, "path", json_new_str(f->path));
	json_put(report, "errors", list);
	json_put(report, "warnings", json_new_array());
	json_put(j, "ok", json_new_bool(false));
	json_put(j, "report", report);
	take_file(c, f, j);
	json_free(j);
}

static void chunk_end(struct compile *c, struct chunk *k)
{
	k->ended = true;
	c->left--;
}

/* The chunk as chunks of one file each. */
static void chunk_split(struct compile *c, struct chunk *k)
{
	struct chunk *one;

	for (size_t i = 0; i < k->n; i++) {
		one = MEM_NEW(struct chunk);
		*one = (struct chunk){.c = c, .first = k->first + i, .n = 1};
		VEC_ADD(&c->chunks, one);
		c->left++;
	}
	chunk_end(c, k);
}

static void chunk_failed(struct compile *c, struct chunk *k, const char *why)
{
	if (k->n == 0) {
		log_warn("plugins cannot be described: %s", why);
		chunk_end(c, k);
	} else if (k->n > 1) {
		chunk_split(c, k);
	} else {
		take_failure(c, &c->scan.files.v[c->changed.v[k->first]], "compiler", why,
		    "see the daemon's log; try: sluice check");
		chunk_end(c, k);
	}
}

static const struct conf *conf_of(const struct compile *c)
{
	return c->head->conf ? c->head->conf : c->d->conf;
}

static char *catalog_path(const struct compile *c)
{
	return io_path_join(c->d->conf->state_dir, "plugins.json");
}

/* Option tables of plugins that the compiler had to ask: kept, so that the next one need not. */
static void take_catalog(struct compile *c, const struct json *catalog)
{
	char *path = catalog_path(c);
	struct err err = {0};
	struct str text;

	str_init(&text, REPLY_MAX);
	json_print(catalog, &text);
	if (io_write_file(path, str_peek(&text), text.len, 0640, &err) != 0)
		log_warn("plugins are described again each time: %s", err.text);
	str_done(&text);
	mem_free(path);
}

static void chunk_take(struct compile *c, struct chunk *k, const struct json *reply)
{
	const struct json *at = json_first(json_get(reply, "files"));
	size_t i = 0;

	if (json_len(json_get(reply, "files")) != k->n) {
		chunk_failed(c, k, json_get_str(reply, "error", "the compiler gave no answer"));
		return;
	}
	if (json_is(json_get(reply, "catalog"), JSON_OBJECT))
		take_catalog(c, json_get(reply, "catalog"));
	for (; at; at = json_next(at), i++)
		take_file(c, &c->scan.files.v[c->changed.v[k->first + i]], at);
	c->compiled += k->n;
	chunk_end(c, k);
}

static void on_compiled(void *arg, int rc, const char *report, size_t n)
{
	struct chunk *k = arg;
	struct compile *c = k->c;
	struct json *reply = NULL;
	struct err err = {0};

	loop_enter(&c->d->loop, "compiled");
	k->busy = false;
	c->in_flight--;
	if (rc == 0)
		rc = json_parse(report, n, FRAME_PAYLOAD_MAX, &reply, &err);
	if (rc == ERR_CLOSED && ++k->tries < TRIES)
		return; /* the pool went away: asked again when it is back */
	if (rc != 0)
		chunk_failed(c, k, rc == ERR_CLOSED ? "the compiler died" : err.text);
	else
		chunk_take(c, k, reply);
	json_free(reply);
	advance(c);
}

/* ---- asking ---- */

static void job_write(struct compile *c, const struct chunk *k, struct str *out)
{
	const struct conf *conf = conf_of(c);
	char *path;
	struct jw w;

	jw_init(&w, out);
	jw_object(&w);
	jw_ki64(&w, "v", 1);
	jw_kstr(&w, "kind", "compile");
	jw_key(&w, "files");
	jw_array(&w);
	for (size_t i = 0; i < k->n; i++) {
		path = io_path_join(c->dir, c->scan.files.v[c->changed.v[k->first + i]].path);
		jw_str(&w, path);
		mem_free(path);
	}
	jw_end_array(&w);
	jw_kstr(&w, "dags_dir", c->dir);
	jw_key(&w, "config");
	jw_json(&w, conf->root);
	jw_key(&w, "plugin_dirs");
	if (conf->plugin_dirs)
		jw_json(&w, conf->plugin_dirs);
	else
		jw_raw(&w, "[]");
	path = catalog_path(c);
	jw_kstr(&w, "catalog_cache", path);
	mem_free(path);
	jw_end_object(&w);
}

static bool send_chunk(struct compile *c, struct chunk *k)
{
	struct str job;
	int rc;

	str_init(&job, FRAME_PAYLOAD_MAX - 4096);
	job_write(c, k, &job);
	rc = job.failed ? ERR_LIMIT
			: pool_link_system(
			      c->d->pools, SYSTEM_NOTE, str_peek(&job), job.len, on_compiled, k);
	str_done(&job);
	if (rc == ERR_LIMIT)
		chunk_failed(c, k, "the configuration is too large to be sent to the compiler");
	if (rc != 0)
		return false;
	k->busy = true;
	c->in_flight++;
	return true;
}

static void send_chunks(struct compile *c)
{
	for (size_t i = 0; i < c->chunks.n && c->in_flight < IN_FLIGHT; i++) {
		struct chunk *k = c->chunks.v[i];

		if (!k->busy && !k->ended && !send_chunk(c, k) && !k->ended)
			return; /* no pool: compile_pool_changed asks again */
	}
}

static void advance(struct compile *c)
{
	store_some(c);
	if (c->left)
		send_chunks(c);
	if (c->left == 0)
		finish(c);
}

void compile_pool_changed(struct compile *c)
{
	if (c->working && c->left)
		advance(c);
}

/* ---- what changed ---- */

enum found { FOUND_SAME, FOUND_LIST, FOUND_BROKEN, FOUND_CHANGED };

static enum found look_at(struct compile *c, const struct view *v, const struct scan_file *f)
{
	struct file_rec rec;
	struct slice report;

	if (file_get(v, f->path, &rec, &report) != 0)
		return FOUND_CHANGED;
	if (rec.size != f->size || rec.mtime_ns != f->mtime_ns || rec.inode != f->inode ||
	    memcmp(rec.signature, c->signature, sizeof(rec.signature)) != 0 ||
	    !scan_inputs_same(report.p, report.n))
		return FOUND_CHANGED;
	if (!rec.ok)
		return FOUND_BROKEN;
	return rec.dag[0] ? FOUND_SAME : FOUND_LIST;
}

/* What was wrong with a file that is as it was. */
static void add_old_errors(struct compile *c, const struct view *v, const struct scan_file *f)
{
	struct file_rec rec;
	struct slice report;
	struct json *j;

	if (file_get(v, f->path, &rec, &report) != 0 ||
	    json_parse(report.p, report.n, REPLY_MAX, &j, NULL) != 0)
		return;
	plan_view_errors(&c->view, c->dir, f->path, j);
	json_free(j);
}

static void find_gone(struct compile *c, const struct view *v)
{
	struct view_walk walk;
	struct file_rec rec;
	struct slice report;
	char *path;

	view_walk_init(&walk, v, TABLE_FILE, NULL, 0, false);
	while (view_walk_next(&walk, NULL) == 0) {
		path = mem_strndup((const char *)walk.key, walk.key_n);
		if (scan_find(&c->scan, path)) {
			mem_free(path);
			continue;
		}
		VEC_ADD(&c->gone, path);
		if (file_get(v, path, &rec, &report) == 0 && rec.dag[0])
			plan_view_gone(&c->view, rec.dag, path);
	}
}

static int find_changes(struct compile *c, struct err *err)
{
	const struct view *v = store_read_begin(c->d->own_read);
	VEC(size_t) broken = {0};
	bool again;

	if (!v)
		return err_set(err, ERR_IO, "the store cannot be read");
	for (size_t i = 0; i < c->scan.files.n; i++) {
		enum found found = look_at(c, v, &c->scan.files.v[i]);

		if (found == FOUND_CHANGED)
			VEC_ADD(&c->changed, i);
		else if (found == FOUND_BROKEN)
			VEC_ADD(&broken, i);
		else if (found == FOUND_SAME)
			c->view.same++;
	}
	find_gone(c, v);
	/* What was wrong may have been another file: the broken ones get another chance with it. */
	again = c->changed.n || c->gone.n;
	for (size_t i = 0; i < broken.n; i++) {
		if (again)
			VEC_ADD(&c->changed, broken.v[i]);
		else
			add_old_errors(c, v, &c->scan.files.v[broken.v[i]]);
	}
	VEC_DONE(&broken);
	store_read_end(c->d->own_read);
	return 0;
}

static void chunk_add(struct compile *c, size_t first, size_t n)
{
	struct chunk *k = MEM_NEW(struct chunk);

	k->c = c;
	k->first = first;
	k->n = n;
	VEC_ADD(&c->chunks, k);
	c->left++;
}

/* Where nothing changed, the compiler is asked about no file at all, for the catalog alone. */
static void make_chunks(struct compile *c)
{
	char *path = catalog_path(c);
	bool described = access(path, F_OK) == 0;

	mem_free(path);
	if (c->changed.n == 0 && !described && !c->head->single)
		chunk_add(c, 0, 0);
	for (size_t i = 0; i < c->changed.n; i += CHUNK)
		chunk_add(c, i, c->changed.n - i < CHUNK ? c->changed.n - i : CHUNK);
}

static int start(struct compile *c, struct request *r, struct err *err)
{
	const char *name;
	int rc;

	plan_view_init(&c->view);
	c->plans = MEM_NEW(struct plans);
	scan_signature(conf_of(c), c->signature);
	if (r->single) {
		c->dir = io_path_dir(r->single);
		name = strrchr(r->single, '/');
		rc = scan_add(&c->scan, c->dir, name ? name + 1 : r->single, err);
	} else {
		c->dir = mem_strdup(conf_of(c)->dags_dir ? conf_of(c)->dags_dir : ".");
		rc = scan_folder(&c->scan, c->dir, err);
	}
	return rc == 0 ? find_changes(c, err) : rc;
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
	make_chunks(c);
	advance(c);
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
