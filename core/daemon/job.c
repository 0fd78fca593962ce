/* job.c: writes the JOB payload of one attempt. The environment of its expressions is written here
 * and evaluated in the worker. Owner: struct job_builder, loop thread only. */
#define LOG_AT "daemon"
#include "core/daemon/job.h"

#include "core/base/io.h"
#include "core/base/mem.h"
#include "core/pool/frame.h"
#include "core/sched/table.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define JOB_MAX (FRAME_PAYLOAD_MAX - 4096u)
#define NOTE_TEXT_MAX (1u << 20)
#define VERSIONS_MAX 10000
#define POLL_TIMEOUT_MS (2 * 60 * 1000)

struct job_builder {
	struct secret_cache *secrets; /* borrowed */
	const struct conf *conf;      /* borrowed */
	struct job_parts *parts;      /* owned */
	uint32_t preview_rows;
	struct str note, job, names; /* scratch, wiped after use */
};

/* What is known of the attempt that is being written. */
struct made {
	const struct view *v;
	const struct plan *plan;
	const struct plan_step *step;
	const struct job_part *part;
	struct run_rec run;
	struct step_rec rec;
	struct step_ref ref;
	char run_id[HASH_ID_TEXT];
	struct json *trigger; /* owned: RUN_DOC_TRIGGER */
};

struct job_builder *job_builder_new(struct secret_cache *secrets)
{
	struct job_builder *b = MEM_NEW(struct job_builder);

	b->secrets = secrets;
	b->parts = job_parts_new();
	str_init(&b->note, NOTE_TEXT_MAX);
	str_init(&b->job, JOB_MAX);
	str_init(&b->names, 4096);
	return b;
}

void job_builder_free(struct job_builder *b)
{
	if (!b)
		return;
	job_parts_free(b->parts);
	str_done(&b->note);
	str_done(&b->job);
	str_done(&b->names);
	mem_free(b);
}

void job_builder_conf(struct job_builder *b, const struct conf *conf)
{
	job_parts_clear(b->parts);
	b->conf = conf;
}

void job_builder_preview(struct job_builder *b, uint32_t rows)
{
	b->preview_rows = rows;
}

/* ---- small writers ---- */

/* A JSON text that the store holds. */
static void write_slice(
    struct jw *w, const char *key, int rc, struct slice doc, const char *otherwise)
{
	char *text = NULL;

	jw_key(w, key);
	if (rc == 0 && doc.n)
		text = mem_strndup(doc.p, doc.n);
	jw_raw(w, text ? text : otherwise);
	mem_free(text);
}

static void write_us(struct jw *w, const char *key, wall_us t)
{
	jw_key(w, key);
	if (t == TIME_NONE)
		jw_null(w);
	else
		jw_i64(w, t);
}

static void write_fmt(struct jw *w, const char *key, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
static void write_fmt(struct jw *w, const char *key, const char *fmt, ...)
{
	char text[8192]; /* names and paths are bounded far below */
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	jw_kstr(w, key, n >= 0 && (size_t)n < sizeof(text) ? text : "");
}

static const char *item_of(const struct made *m)
{
	return m->ref.item ? m->rec.item_key : "";
}

/* "step.3.1": step, item number where there is one, attempt. */
static void file_name(const struct made *m, struct str *out)
{
	str_add(out, m->step->name);
	if (m->ref.item)
		str_addf(out, ".%u", m->ref.item);
	str_addf(out, ".%u", m->rec.attempt);
}

/* ---- the environment of expressions: what core/sched/scope builds as a tree, here as text, which
 * costs a tenth of it ---- */

static void env_run(const struct made *m, struct jw *w)
{
	jw_key(w, "run");
	jw_object(w);
	jw_kstr(w, "id", m->run_id);
	jw_kstr(w, "dag", m->run.dag);
	jw_kstr(w, "key", m->run.key);
	jw_key(w, "window");
	jw_object(w);
	jw_ktime(w, "start", m->run.window_start);
	jw_ktime(w, "end", m->run.window_end);
	jw_end_object(w);
	jw_ktime(w, "logical_time", m->run.logical_time);
	jw_ki64(w, "attempt", m->rec.attempt);
	jw_end_object(w);
}

static void env_trigger(const struct made *m, struct jw *w)
{
	const struct json *partition = json_get(m->trigger, "partition");

	jw_key(w, "trigger");
	if (m->trigger)
		jw_json(w, m->trigger);
	else
		jw_raw(w, "{}");
	jw_key(w, "partition");
	if (json_is(partition, JSON_STRING))
		jw_json(w, partition);
	else
		jw_null(w);
}

static void env_event(const struct made *m, struct jw *w)
{
	struct event_rec *e = MEM_NEW(struct event_rec);
	struct slice body;

	if (m->run.event == 0 || event_get(m->v, m->run.event, e, &body) != 0) {
		jw_key(w, "event");
		jw_null(w);
		mem_free(e);
		return;
	}
	jw_key(w, "event");
	jw_object(w);
	jw_kstr(w, "id", e->external_id);
	jw_key(w, "seq");
	jw_u64_text(w, e->seq);
	jw_kstr(w, "source", e->source);
	jw_kstr(w, "type", e->type);
	jw_kstr(w, "subject", e->subject);
	jw_ktime(w, "time", e->time);
	write_slice(w, "body", 0, body, "null");
	jw_end_object(w);
	mem_free(e);
}

static void env_item(const struct made *m, struct jw *w)
{
	struct slice doc = {0};
	int rc = ERR_NOT_FOUND;

	if (m->ref.item)
		rc = step_doc_get(m->v, &m->ref, STEP_DOC_ITEM, &doc);
	write_slice(w, "item", rc, doc, "null");
	if (m->step->foreach && !str_eq(m->step->foreach->as, "item"))
		write_slice(w, m->step->foreach->as, rc, doc, "null");
}

static void env_steps(const struct made *m, struct jw *w)
{
	struct step_ref ref = {.run = m->ref.run};
	struct slice doc;

	jw_key(w, "steps");
	jw_object(w);
	for (size_t i = 0; i < m->part->ancestors.n; i++) {
		ref.step = m->part->ancestors.v[i];
		if (step_doc_get(m->v, &ref, STEP_DOC_OUTPUTS, &doc) != 0)
			doc.n = 0;
		jw_key(w, m->plan->steps[ref.step].name);
		jw_object(w);
		write_slice(w, "outputs", 0, doc, "{}");
		jw_end_object(w);
	}
	jw_end_object(w);
}

static void write_env(const struct made *m, struct jw *w)
{
	struct slice doc = {0};
	int rc = run_doc_get(m->v, m->ref.run, RUN_DOC_PARAMS, &doc);

	jw_key(w, "env");
	jw_object(w);
	write_slice(w, "params", rc, doc, "{}");
	env_run(m, w);
	env_trigger(m, w);
	env_event(m, w);
	env_item(m, w);
	env_steps(m, w);
	jw_end_object(w);
}

/* ---- what is read ---- */

struct range {
	uint64_t from, upto; /* from is exclusive */
};

static void write_version(const struct made *m, struct jw *w, uint32_t ds_no, uint64_t version)
{
	struct version_rec r;

	if (version_get(m->v, ds_no, version, &r) != 0)
		return;
	jw_object(w);
	jw_key(w, "version");
	jw_u64(w, r.version);
	jw_kstr(w, "partition", r.partition);
	jw_end_object(w);
}

/* The newest version of the run's partition, or of every partition. */
static void write_partitions(
    const struct made *m, struct jw *w, uint32_t ds_no, const char *partition)
{
	struct view_walk walk;
	struct slice value;
	struct key k;
	uint64_t version;
	size_t n = 0;

	if (partition) {
		if (partition_get(m->v, ds_no, partition, &version) == 0)
			write_version(m, w, ds_no, version);
		return;
	}
	key_init(&k);
	key_u32(&k, ds_no);
	view_walk_init(&walk, m->v, TABLE_DATASET_PART, k.b, k.n, false);
	while (n++ < VERSIONS_MAX && view_walk_next(&walk, &value) == 0) {
		char text[PLAN_PARTITION_MAX];
		size_t len =
		    walk.key_n - k.n < sizeof(text) - 1 ? walk.key_n - k.n : sizeof(text) - 1;

		memcpy(text, walk.key + k.n, len);
		text[len] = 0;
		if (partition_get(m->v, ds_no, text, &version) == 0)
			write_version(m, w, ds_no, version);
	}
}

/* A rerun reads again what the run has read. */
static bool range_of_rerun(const struct made *m, const char *dataset, struct range *ret)
{
	struct step_ref ref = m->ref;
	struct slice doc;
	struct json *j;
	const struct json *r;
	bool found = false;

	if (m->rec.generation == 0 || step_doc_get(m->v, &ref, STEP_DOC_RANGES, &doc) != 0 ||
	    json_parse(doc.p, doc.n, doc.n, &j, NULL) != 0)
		return false;
	r = json_get(j, dataset);
	if (r) {
		ret->from = (uint64_t)json_get_i64(r, "from", 0);
		ret->upto = (uint64_t)json_get_i64(r, "upto", 0);
		found = true;
	}
	json_free(j);
	return found;
}

static void write_positions(const struct made *m, struct jw *w)
{
	const struct json *extract = json_get(m->step->json, "extract");
	const char *name = json_get_str(extract, "dataset", NULL);
	const char *read = json_get_str(extract, "read", "new");
	struct dataset_rec ds;
	struct range r = {0, 0};

	jw_key(w, "positions");
	jw_object(w);
	if (name && dataset_get_named(m->v, name, &ds) == 0) {
		r.upto = ds.version;
		if (!range_of_rerun(m, name, &r) && str_eq(read, "new") &&
		    position_get(m->v, m->run.dag_no, m->step->name, item_of(m), ds.no, &r.from) !=
			0)
			r.from = 0;
		if (str_eq(read, "new") && r.upto > r.from + VERSIONS_MAX)
			r.upto = r.from + VERSIONS_MAX; /* the rest is for the next run */
		jw_key(w, name);
		jw_object(w);
		jw_key(w, "from");
		jw_u64(w, r.from);
		jw_key(w, "upto");
		jw_u64(w, r.upto);
		jw_key(w, "versions");
		jw_array(w);
		if (!str_eq(read, "new"))
			write_partitions(m, w, ds.no,
			    str_eq(read, "partition") ? json_get_str(m->trigger, "partition", NULL)
						      : NULL);
		for (uint64_t v = r.from + 1; str_eq(read, "new") && v <= r.upto; v++)
			write_version(m, w, ds.no, v);
		jw_end_array(w);
		jw_end_object(w);
	}
	jw_end_object(w);
}

/* What the step has read in this run is what it reads again: true where that was written. */
static bool write_cursor_again(const struct made *m, struct jw *w)
{
	const struct json *from;
	struct slice doc;
	struct json *j;

	if (step_doc_get(m->v, &m->ref, STEP_DOC_CURSOR, &doc) != 0 ||
	    json_parse(doc.p, doc.n, doc.n, &j, NULL) != 0)
		return false;
	from = json_get(j, "from");
	jw_object(w);
	jw_kstr(w, "json", json_get_str(from, "json", NULL));
	write_us(w, "complete_us", json_get_i64(from, "complete_us", TIME_NONE));
	jw_key(w, "upto");
	jw_json(w, json_get(j, "upto"));
	jw_end_object(w);
	json_free(j);
	return true;
}

static void write_cursor(const struct made *m, struct jw *w)
{
	struct cursor_rec r;
	struct slice doc;
	char *text;

	jw_key(w, "cursor");
	if (m->part->has_cursor && write_cursor_again(m, w))
		return;
	if (!m->part->has_cursor ||
	    cursor_get(m->v, m->run.dag, m->step->name, item_of(m), &r, &doc) != 0) {
		jw_null(w);
		return;
	}
	text = mem_strndup(doc.p, doc.n);
	jw_object(w);
	jw_kstr(w, "json", text);
	write_us(w, "complete_us", r.complete_through);
	jw_end_object(w);
	mem_free(text);
}

/* ---- note, secrets, job ---- */

/* Values by reference into the job, masks into the note, versions into the worker's key. */
static int write_secrets(struct job_builder *b, const struct made *m, struct jw *job,
    struct jw *note, struct hash *key, struct err *err)
{
	const struct job_secret *s;
	uint64_t version;
	const char *value;
	size_t n;
	int rc;

	jw_key(job, "secrets");
	jw_object(job);
	jw_key(note, "masks");
	jw_array(note);
	for (size_t i = 0; i < m->part->secrets.n; i++) {
		s = &m->part->secrets.v[i];
		rc = secret_value(b->secrets, s->ref, &value, &n, &version, err);
		if (rc != 0)
			return rc;
		if (n < SECRET_MASK_MIN)
			return err_set(err, ERR_CONFIG,
			    "the secret %s has fewer than %d characters: it could not be masked in "
			    "logs",
			    s->text, SECRET_MASK_MIN);
		jw_key(job, s->text);
		jw_strn(job, value, n);
		jw_strn(note, value, n);
		hash_add_text(key, s->text);
		hash_add(key, &version, sizeof(version));
	}
	jw_end_array(note);
	jw_end_object(job);
	return 0;
}

/* What is known of work elsewhere: where it is, and whether it is to be asked or ended. */
static void write_remote(const struct made *m, struct jw *w)
{
	struct json *j = NULL;
	struct slice doc;

	jw_ki64(w, "submission", m->rec.submission);
	if (!m->rec.submitted)
		return;
	jw_kstr(w, "phase", m->rec.stop != REMOTE_KEEP ? "cancel" : "poll");
	if (step_doc_get(m->v, &m->ref, STEP_DOC_HANDLE, &doc) == 0 &&
	    json_parse(doc.p, doc.n, doc.n, &j, NULL) == 0)
		jw_kstr(w, "handle", json_get_str(j, "handle", ""));
	json_free(j);
}

/* The step's timeout counts over the whole life of work elsewhere, and is the daemon's; a poll has
 * a bound of its own, for a plugin that hangs. */
static int64_t deadline_ms(const struct made *m)
{
	return m->rec.submitted ? POLL_TIMEOUT_MS : m->step->timeout_ms;
}

static void write_note(struct job_builder *b, const struct made *m, struct jw *w, const char *key)
{
	jw_kstr(w, "lane", "attempt");
	jw_kstr(w, "key", key);
	write_fmt(w, "slug", "%s/%s#%u", m->run.dag, m->step->name, m->rec.attempt);
	write_fmt(w, "log", "%s/%s/%s.log", m->run.dag, m->run_id, str_peek(&b->names));
	write_fmt(w, "scratch", "%s.%s", m->run_id, str_peek(&b->names));
	jw_ki64(w, "deadline_ms", deadline_ms(m));
	jw_ki64(w, "grace_ms", m->step->grace_ms);
	jw_kbool(w, "fresh", m->step->isolate_fresh);
	jw_kbool(w, "keep", m->step->keep_privileges);
	jw_ki64(w, "needs", json_get_i64(m->step->json, "needs_mask", 0));
	jw_ki64(w, "workers", b->conf->workers);
}

static void write_ids(
    struct job_builder *b, const struct made *m, const struct effect *e, struct jw *w)
{
	const char *deployment = b->conf->deployment;

	jw_ki64(w, "v", 1);
	jw_kstr(w, "kind", "attempt");
	jw_kstr(w, "deployment", deployment);
	jw_kstr(w, "dag", m->run.dag);
	jw_kstr(w, "run", m->run_id);
	jw_key(w, "run_no");
	jw_u64(w, m->run.no);
	jw_kstr(w, "step", m->step->name);
	jw_kstr(w, "item", m->ref.item ? m->rec.item_key : NULL);
	jw_ki64(w, "item_no", m->ref.item);
	jw_ki64(w, "attempt", m->rec.attempt);
	jw_ki64(w, "generation", m->rec.generation);
	jw_ki64(w, "revision", m->run.revision);
	jw_key(w, "token");
	jw_u64_text(w, e->token);
	jw_kstr(w, "key", m->run.key);
	jw_kstr(w, "zone", m->plan->timezone);
	write_us(w, "logical_us", m->run.logical_time);
	write_us(w, "window_from_us", m->run.window_start);
	write_us(w, "window_to_us", m->run.window_end);
	jw_ki64(w, "deadline_ms", deadline_ms(m));
	jw_ki64(w, "grace_ms", m->step->grace_ms);
	write_remote(m, w);
	jw_kstr(w, "trigger", m->run.trigger_name);
	write_fmt(w, "ledger_key", "%s/%s/%s/%s/%s/%u", deployment, m->run.dag, m->run_id,
	    m->step->name, item_of(m), m->rec.generation);
	if (m->part->has_cursor)
		write_fmt(w, "fence_key", "%s/%s/%s/%s", deployment, m->run.dag, m->step->name,
		    item_of(m));
	else
		write_fmt(w, "fence_key", "%s/%s/%s/%s", deployment, m->run_id, m->step->name,
		    item_of(m));
}

static void write_places(struct job_builder *b, const struct made *m, struct jw *w)
{
	const char *state = b->conf->state_dir, *file = str_peek(&b->names);
	char *base = b->conf->file && b->conf->file[0] ? io_path_dir(b->conf->file) : NULL;

	jw_kstr(w, "state_dir", state);
	write_fmt(w, "scratch_dir", "%s/scratch/%s.%s", state, m->run_id, file);
	write_fmt(
	    w, "reject_file", "%s/rejects/%s/%s/%s.ndjson", state, m->run.dag, m->run_id, file);
	if (base)
		jw_kstr(w, "base_dir", base);
	mem_free(base);
	jw_kbool(w, "full_refresh", false);
	jw_ki64(w, "preview_rows", b->preview_rows);
	jw_kbool(w, "dry_run", false);
	jw_key(w, "plugin_dirs");
	if (b->conf->plugin_dirs)
		jw_json(w, b->conf->plugin_dirs);
	else
		jw_raw(w, "[]");
	jw_key(w, "step_plan");
	jw_raw(w, m->part->step_json);
	jw_key(w, "datasets");
	jw_raw(w, m->part->datasets_json);
	jw_key(w, "connections");
	jw_raw(w, m->part->connections_json);
}

static int write_all(
    struct job_builder *b, const struct made *m, const struct effect *e, struct err *err)
{
	struct hash *key = m->part->secrets.n > 0 ? hash_new() : NULL;
	uint8_t digest[HASH_SHA256_BYTES];
	char key_text[2 * HASH_ID_BYTES + 1];
	struct jw job, note;
	int rc;

	jw_init(&job, &b->job);
	jw_init(&note, &b->note);
	jw_object(&job);
	jw_object(&note);
	if (key)
		hash_add_text(key, m->part->key_base);
	write_ids(b, m, e, &job);
	write_places(b, m, &job);
	write_env(m, &job);
	write_cursor(m, &job);
	write_positions(m, &job);
	rc = write_secrets(b, m, &job, &note, key, err);
	if (key) {
		hash_end(key, digest);
		hash_to_hex(digest, HASH_ID_BYTES, key_text);
	}
	if (rc != 0)
		return rc;
	write_note(b, m, &note, key ? key_text : m->part->key_text);
	jw_end_object(&job);
	jw_end_object(&note);
	if (b->job.failed || b->note.failed)
		return err_set(
		    err, ERR_LIMIT, "the work order of the step is larger than %u bytes", JOB_MAX);
	return 0;
}

static int load(struct job_builder *b, const struct effect *e, struct made *m, struct err *err)
{
	struct slice doc;
	int rc = run_get(m->v, e->step.run, &m->run);

	if (rc == 0)
		rc = step_get(m->v, &e->step, &m->rec);
	if (rc == 0 && (m->rec.token != e->token || m->rec.state != STEP_RUNNING))
		rc = ERR_NOT_FOUND;
	if (rc == ERR_NOT_FOUND)
		return rc;
	if (rc == 0)
		rc = m->v->plan(m->v->ctx, m->run.plan, &m->plan, err);
	if (rc != 0 || e->step.step >= m->plan->n_steps)
		return err_set(err, ERR_CORRUPT, "the run's records or plan cannot be read");
	m->ref = e->step;
	m->step = &m->plan->steps[e->step.step];
	m->part = job_part_get(b->parts, b->conf, m->plan, e->step.step);
	hash_to_base32(m->run.id, m->run_id);
	if (run_doc_get(m->v, e->step.run, RUN_DOC_TRIGGER, &doc) == 0 &&
	    json_parse(doc.p, doc.n, doc.n, &m->trigger, NULL) != 0)
		m->trigger = NULL;
	str_reset(&b->names);
	file_name(m, &b->names);
	return 0;
}

static void wipe(struct str *s)
{
	if (s->s)
		hash_wipe(s->s, s->len);
	str_reset(s);
}

int job_build(struct job_builder *b, const struct view *v, const struct effect *e, struct str *out,
    struct err *err)
{
	struct made *m = MEM_NEW(struct made);
	int rc;

	m->v = v;
	str_reset(out);
	rc = load(b, e, m, err);
	if (rc == 0)
		rc = write_all(b, m, e, err);
	if (rc == 0)
		frame_job_join(out, str_peek(&b->note), b->note.len, str_peek(&b->job), b->job.len);
	if (rc == 0 && out->failed)
		rc = err_set(err, ERR_LIMIT, "the work order of the step is too large");
	wipe(&b->note);
	wipe(&b->job);
	json_free(m->trigger);
	mem_free(m);
	return rc;
}
