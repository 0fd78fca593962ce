/* outbox.c: see outbox.h. One message of an endpoint at a time, and no more at once than the lane
 * has places: an endpoint that does not answer holds one of them for half a minute at most, and
 * only when its time to be tried has come. Those whose last try failed share one place, however
 * many they are: the other one is left for endpoints that answer, and for the compiler. First come,
 * first served among each. Owner: struct outbox, loop thread. */
#define LOG_AT "daemon"
#include "core/daemon/outbox.h"

#include "core/base/hash.h"
#include "core/base/io.h"
#include "core/base/log.h"
#include "core/base/mem.h"
#include "core/daemon/daemon.h"
#include "core/daemon/logtail.h"
#include "core/pool/frame.h"
#include "core/sched/table.h"

#include <string.h>

#define IN_FLIGHT 2 /* places of the lane */
#define SUSPECTS 1  /* of them for endpoints whose last try failed */
#define DEADLINE_MS 35000
#define JOB_MAX (1u << 20)
#define LOG_LINES 20
#define ERROR_MAX 512

struct sending { /* an endpoint's first message, since it was found due */
	struct outbox *o;
	uint32_t endpoint_no;
	uint64_t seq;
	char endpoint[PLAN_NAME_MAX], id[HASH_ID_TEXT];
	bool busy, suspect;
};

struct outbox {
	struct daemon *d;	    /* borrowed */
	VEC(struct sending *) list; /* in the order in which they came */
	size_t in_flight, suspects; /* suspects: those of the ones in flight */
};

struct outbox *outbox_new(struct daemon *d)
{
	struct outbox *o = MEM_NEW(struct outbox);

	o->d = d;
	return o;
}

void outbox_free(struct outbox *o)
{
	if (!o)
		return;
	for (size_t i = 0; i < o->list.n; i++) {
		if (o->d->pools)
			pool_link_system_drop(o->d->pools, o->list.v[i]);
		mem_free(o->list.v[i]);
	}
	VEC_DONE(&o->list);
	mem_free(o);
}

static void forget(struct sending *s)
{
	struct outbox *o = s->o;

	for (size_t i = 0; i < o->list.n; i++) {
		if (o->list.v[i] != s)
			continue;
		o->list.n--;
		memmove(&o->list.v[i], &o->list.v[i + 1], (o->list.n - i) * sizeof(o->list.v[0]));
		break;
	}
	if (s->busy) {
		o->in_flight--;
		o->suspects -= s->suspect;
	}
	mem_free(s);
}

/* ---- what became of it ---- */

struct told { /* arena of OP_SENT */
	struct daemon *d;
	char endpoint[PLAN_NAME_MAX], id[HASH_ID_TEXT], error[ERROR_MAX];
	bool ok;
};

static void on_told(void *arg, const struct op_result *r)
{
	struct told *t = arg;

	loop_enter(&t->d->loop, "sent");
	if (r->rc != 0)
		log_error("what became of message %s is not stored: %s", t->id, r->err.text);
	else if (t->ok)
		log_info("message %s: told %s", t->id, t->endpoint);
	else if (r->gave_up)
		log_error("message %s for %s is given up: %s", t->id, t->endpoint, t->error);
	else
		log_warn("message %s for %s will be tried again: %s", t->id, t->endpoint, t->error);
}

struct answer {
	bool ok, gone;
	enum step_class class_;
	int64_t retry_after_ms;
	const char *error;
};

static void tell(struct sending *s, const struct answer *a)
{
	struct writer_op *op = writer_op_new(OP_SENT);
	struct told *t = MEM_NEW(struct told);

	t->d = s->o->d;
	t->ok = a->ok;
	str_copy(t->endpoint, sizeof(t->endpoint), s->endpoint);
	str_copy(t->id, sizeof(t->id), s->id);
	str_copy(t->error, sizeof(t->error), a->error);
	op->op.u.sent.endpoint_no = s->endpoint_no;
	op->op.u.sent.seq = s->seq;
	op->op.u.sent.ok = a->ok;
	op->op.u.sent.gone = a->gone;
	op->op.u.sent.class_ = a->class_;
	op->op.u.sent.retry_after_ms = a->retry_after_ms;
	op->op.u.sent.error = t->error;
	op->arena = t;
	op->free_arena = mem_free;
	op->done = on_told;
	op->arg = t;
	if (daemon_submit(s->o->d, op) != 0)
		writer_op_free(op); /* the store is closing: the next daemon sends it again */
	forget(s);
}

static void read_answer(const struct json *j, struct answer *ret)
{
	const char *class_ = json_get_str(j, "class", "");

	ret->error = json_get_str(j, "message", "the worker gave no answer");
	ret->retry_after_ms = json_get_i64(j, "retry_after_ms", 0);
	ret->gone = str_eq(json_get_str(j, "code", ""), "HTTP.410");
	if (class_from_name(class_, &ret->class_) != 0)
		ret->class_ = CLASS_INTERNAL;
	ret->ok = ret->class_ == CLASS_OK;
}

static void pump(struct outbox *o);

static void on_sent(void *arg, int rc, const char *report, size_t n)
{
	struct answer a = {.class_ = CLASS_TRANSIENT, .error = "the pool went away"};
	struct sending *s = arg;
	struct outbox *o = s->o;
	struct json *j = NULL;
	struct err err = {0};

	loop_enter(&o->d->loop, "message");
	if (rc == 0)
		rc = json_parse(report, n, FRAME_PAYLOAD_MAX, &j, &err);
	if (rc == 0)
		read_answer(j, &a);
	else if (rc != ERR_CLOSED)
		a.error = err.text;
	tell(s, &a);
	json_free(j);
	pump(o);
}

/* ---- the job: an attempt of one task, which no run knows of ---- */

static int write_secrets(
    struct outbox *o, const struct json *config, struct jw *job, struct jw *note, struct err *err)
{
	struct str text;
	const char *value;
	uint64_t version;
	size_t n;
	int rc = 0;

	str_init(&text, 8192);
	for (const struct json *m = json_first(config); m && rc == 0; m = json_next(m)) {
		str_reset(&text);
		if (!secret_is_ref(m, &text))
			continue;
		rc = secret_value(o->d->secrets, m, &value, &n, &version, err);
		if (rc == 0 && n < SECRET_MASK_MIN)
			rc = err_set(err, ERR_CONFIG,
			    "the secret %s has fewer than %d characters: it could not be masked",
			    str_peek(&text), SECRET_MASK_MIN);
		if (rc != 0)
			break;
		jw_key(job, str_peek(&text));
		jw_strn(job, value, n);
		jw_strn(note, value, n);
	}
	str_done(&text);
	return rc;
}

/* The log of the first step that failed and has one. */
static void add_log(struct outbox *o, struct json *data)
{
	const char *dag = json_get_str(data, "dag", NULL), *run = json_get_str(data, "id", NULL);
	struct json *log, *lines;

	for (const struct json *s = json_first(json_get(data, "steps")); s && dag && run;
	     s = json_next(s)) {
		lines = log_tail(o->d->conf->state_dir, dag, run, s, LOG_LINES);
		if (!lines)
			continue;
		log = json_new_object();
		json_put(log, "step", json_new_str(json_get_str(s, "name", "")));
		json_put(log, "lines", lines);
		json_put(data, "log", log);
		return;
	}
}

/* The words come by an expression, never as text: what a message says is not evaluated. */
static void write_env(
    const struct sending *s, const struct outbox_rec *m, const struct json *data, struct jw *w)
{
	char id[HASH_ID_TEXT + 4] = "msg_";

	memcpy(id + 4, s->id, sizeof(s->id));
	jw_key(w, "env");
	jw_object(w);
	jw_key(w, "notice");
	jw_object(w);
	jw_kstr(w, "event", notice_name(m->notice));
	jw_kstr(w, "id", id);
	jw_ktime(w, "at", m->created_at);
	jw_key(w, "data");
	jw_json(w, data);
	jw_end_object(w);
	jw_end_object(w);
}

static void write_step(const struct sending *s, const struct json *config, struct jw *w)
{
	static const char *const options[] = {"event", "id", "at", "data"};
	char text[32];

	jw_key(w, "step_plan");
	jw_object(w);
	jw_kstr(w, "name", "notify");
	jw_kstr(w, "kind", "task");
	jw_ki64(w, "needs_mask", json_get_i64(config, "needs", 0));
	jw_key(w, "task");
	jw_object(w);
	jw_kstr(w, "plugin", json_get_str(config, "plugin", ""));
	jw_kstr(w, "type", json_get_str(config, "type", ""));
	jw_kstr(w, "connection", s->endpoint);
	jw_key(w, "options");
	jw_object(w);
	for (size_t i = 0; i < sizeof(options) / sizeof(options[0]); i++) {
		str_copy(text, sizeof(text), "${notice.");
		memcpy(text + 9, options[i], strlen(options[i]) + 1);
		memcpy(text + 9 + strlen(options[i]), "}", 2);
		jw_kstr(w, options[i], text);
	}
	jw_end_object(w);
	jw_end_object(w);
	jw_end_object(w);
	jw_key(w, "connections");
	jw_object(w);
	jw_key(w, s->endpoint);
	jw_json(w, config);
	jw_end_object(w);
}

static void write_place(struct outbox *o, const struct sending *s, const char *name, struct jw *w)
{
	const struct conf *conf = o->d->conf;
	struct str path;

	str_init(&path, 8192);
	str_addf(&path, "%s/scratch/%s", conf->state_dir, name);
	jw_kstr(w, "state_dir", conf->state_dir);
	jw_kstr(w, "scratch_dir", str_peek(&path));
	jw_kstr(w, "reject_file", "");
	str_reset(&path);
	str_addf(&path, "notify/%s", s->id);
	jw_kstr(w, "ledger_key", str_peek(&path));
	jw_kstr(w, "fence_key", str_peek(&path));
	str_done(&path);
	if (conf->file && conf->file[0]) {
		char *base = io_path_dir(conf->file);

		jw_kstr(w, "base_dir", base);
		mem_free(base);
	}
	jw_key(w, "plugin_dirs");
	if (conf->plugin_dirs)
		jw_json(w, conf->plugin_dirs);
	else
		jw_raw(w, "[]");
}

static int job_write(struct outbox *o, const struct sending *s, const struct outbox_rec *m,
    struct json *data, struct str *note, struct str *job, struct err *err)
{
	const struct json *config = json_get(o->d->conf->notify, s->endpoint);
	char name[PLAN_NAME_MAX + HASH_ID_TEXT + 16];
	struct jw w, n;
	int rc;

	if (!config)
		return err_set(err, ERR_CONFIG,
		    "sluice.yaml has no \"%s\" under notify: add it, or wait until it is given up",
		    s->endpoint);
	str_copy(name, sizeof(name), "notify.");
	memcpy(name + 7, s->id, sizeof(s->id));
	jw_init(&w, job);
	jw_init(&n, note);
	jw_object(&w);
	jw_ki64(&w, "v", 1);
	jw_kstr(&w, "kind", "attempt");
	jw_kstr(&w, "deployment", o->d->conf->deployment);
	jw_kstr(&w, "dag", json_get_str(data, "dag", ""));
	jw_kstr(&w, "run", json_get_str(data, "id", ""));
	jw_kstr(&w, "step", "notify");
	jw_ki64(&w, "attempt", (int64_t)m->tries + 1);
	jw_kstr(&w, "token", "0");
	jw_ki64(&w, "deadline_ms", DEADLINE_MS);
	write_place(o, s, name, &w);
	add_log(o, data);
	write_env(s, m, data, &w);
	write_step(s, config, &w);
	jw_object(&n);
	jw_kstr(&n, "slug", name);
	jw_kstr(&n, "lane", "system");
	jw_kstr(&n, "scratch", name);
	jw_ki64(&n, "deadline_ms", DEADLINE_MS);
	jw_ki64(&n, "grace_ms", 1000);
	jw_kbool(&n, "fresh", true);
	jw_key(&n, "masks");
	jw_array(&n);
	jw_key(&w, "secrets");
	jw_object(&w);
	rc = write_secrets(o, config, &w, &n, err);
	jw_end_object(&w);
	jw_end_object(&w);
	jw_end_array(&n);
	jw_end_object(&n);
	if (rc == 0 && (job->failed || note->failed))
		rc = err_set(err, ERR_LIMIT, "the message is larger than %u bytes", JOB_MAX);
	return rc;
}

/* The message as it is stored; ERR_NOT_FOUND where it went meanwhile. */
static int load(struct sending *s, struct outbox_rec *ret, struct json **ret_data)
{
	struct daemon *d = s->o->d;
	const struct view *v = store_read_begin(d->own_read);
	struct slice data;
	int rc = v ? outbox_get(v, s->endpoint_no, s->seq, ret, &data) : ERR_IO;

	if (rc == 0)
		rc = json_parse(data.p, data.n, JOB_MAX, ret_data, NULL);
	store_read_end(d->own_read);
	if (rc == 0) {
		str_copy(s->endpoint, sizeof(s->endpoint), ret->endpoint);
		hash_to_base32(ret->id, s->id);
	}
	return rc;
}

static void wipe(struct str *s)
{
	if (s->s)
		hash_wipe(s->s, s->len);
	str_done(s);
}

/* False where no pool takes it now. What is wrong with it is told. */
static bool start(struct sending *s)
{
	struct answer a = {.class_ = CLASS_CONFIG};
	struct outbox *o = s->o;
	struct outbox_rec m;
	struct json *data = NULL;
	struct err err = {0};
	struct str note, job;
	int rc = load(s, &m, &data);

	if (rc != 0) {
		forget(s);
		return true;
	}
	str_init(&note, JOB_MAX);
	str_init(&job, JOB_MAX);
	rc = job_write(o, s, &m, data, &note, &job, &err);
	if (rc != 0) {
		a.error = err.text;
		tell(s, &a);
		rc = 0;
	} else {
		rc = pool_link_system(
		    o->d->pools, str_peek(&note), str_peek(&job), job.len, on_sent, s);
		s->busy = rc == 0;
		o->in_flight += rc == 0;
		o->suspects += rc == 0 && s->suspect;
	}
	wipe(&note);
	wipe(&job);
	json_free(data);
	return rc == 0;
}

static bool may_start(const struct outbox *o, const struct sending *s)
{
	return !s->busy && (!s->suspect || o->suspects < SUSPECTS);
}

static void pump(struct outbox *o)
{
	size_t i = 0;

	while (i < o->list.n && o->in_flight < IN_FLIGHT) {
		struct sending *s = o->list.v[i];

		if (may_start(o, s) && !start(s))
			return;
		if (i < o->list.n && o->list.v[i] == s)
			i++; /* else another one stands in its place */
	}
}

/* Whether the last try of its endpoint failed. */
static bool is_suspect(struct sending *s)
{
	static const uint8_t none[HASH_ID_BYTES];
	struct daemon *d = s->o->d;
	const struct view *v = store_read_begin(d->own_read);
	struct endpoint_rec e;
	struct outbox_rec m;
	bool yes = false;

	if (v && outbox_get(v, s->endpoint_no, s->seq, &m, NULL) == 0 &&
	    endpoint_get(v, m.endpoint, &e) == 0)
		yes = memcmp(e.last_id, none, sizeof(none)) != 0 && !e.last_ok;
	store_read_end(d->own_read);
	return yes;
}

/* ---- public ---- */

void outbox_send(struct outbox *o, const struct effect *e)
{
	struct sending *s;

	for (size_t i = 0; i < o->list.n; i++) {
		if (o->list.v[i]->endpoint_no == (uint32_t)e->instance)
			return; /* it is under way */
	}
	s = MEM_NEW(struct sending);
	*s = (struct sending){.o = o, .endpoint_no = (uint32_t)e->instance, .seq = e->id};
	s->suspect = is_suspect(s);
	VEC_ADD(&o->list, s);
	pump(o);
}

void outbox_pool_changed(struct outbox *o)
{
	pump(o);
}

void outbox_poke(struct outbox *o)
{
	struct writer_op *op = writer_op_new(OP_NOTIFY);

	if (daemon_submit(o->d, op) != 0)
		writer_op_free(op);
}
