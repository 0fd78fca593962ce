/* show.c: runs, steps and events as the JSON objects of CONTRACT. */
#include "core/sched/show.h"

#include "core/sched/table.h"

#include <string.h>

static void put_id(struct jw *out, const char *key, const uint8_t id[HASH_ID_BYTES])
{
	char text[HASH_ID_TEXT];

	hash_to_base32(id, text);
	jw_kstr(out, key, text);
}

static void put_sha(struct jw *out, const char *key, const uint8_t sha[HASH_SHA256_BYTES])
{
	char text[7 + 2 * HASH_SHA256_BYTES + 1] = "sha256:";

	hash_to_hex(sha, HASH_SHA256_BYTES, text + 7);
	jw_kstr(out, key, text);
}

/* A stored JSON document as it is, or `fallback`. */
static int put_doc(struct jw *out, int rc, struct slice doc, const char *fallback)
{
	char *text;

	if (rc == ERR_NOT_FOUND || (rc == 0 && doc.n == 0)) {
		jw_raw(out, fallback);
		return 0;
	}
	if (rc != 0)
		return rc;
	text = mem_strndup(doc.p, doc.n);
	jw_raw(out, text);
	mem_free(text);
	return 0;
}

/* ---- steps ---- */

static int put_step_docs(const struct view *v, const struct step_ref *ref, struct jw *out)
{
	struct slice doc = {NULL, 0};
	int rc;

	jw_key(out, "outputs");
	rc = step_doc_get(v, ref, STEP_DOC_OUTPUTS, &doc);
	rc = put_doc(out, rc, doc, "{}");
	if (rc != 0)
		return rc;
	jw_key(out, "datasets");
	rc = step_doc_get(v, ref, STEP_DOC_DATASETS, &doc);
	return put_doc(out, rc, doc, "[]");
}

/* Where the work is, for a step that was submitted: null for all others. */
static int put_remote(
    const struct view *v, const struct step_ref *ref, const struct step_rec *s, struct jw *out)
{
	struct slice doc = {NULL, 0};
	struct json *j = NULL;
	int rc = step_doc_get(v, ref, STEP_DOC_HANDLE, &doc);

	jw_key(out, "remote");
	if (rc == 0)
		rc = json_parse(doc.p, doc.n, doc.n, &j, NULL);
	if (rc != 0) {
		jw_null(out);
		return rc == ERR_NOT_FOUND ? 0 : rc;
	}
	jw_object(out);
	jw_kstr(out, "handle", json_get_str(j, "handle", ""));
	jw_ki64(out, "polls", s->polls);
	jw_ktime(out, "poll_at", s->poll_at != 0 ? s->poll_at : TIME_NONE);
	jw_kbool(out, "stopping", s->stop != REMOTE_KEEP);
	jw_end_object(out);
	json_free(j);
	return 0;
}

static void put_needs(const struct plan *plan, uint16_t step, struct jw *out)
{
	const struct plan_step *p = &plan->steps[step];

	jw_key(out, "needs");
	jw_array(out);
	for (size_t i = 0; i < p->n_needs; i++)
		jw_str(out, plan->steps[p->needs[i].step].name);
	jw_end_array(out);
}

static int put_step(
    const struct view *v, const struct plan *plan, const struct step_rec *s, struct jw *out)
{
	struct step_ref ref = step_ref_of(s);
	/* `ok` only where something was done: not while it is open, nor where it never ran. */
	bool judged = s->class_ != CLASS_OK ||
		      (step_state_ended(s->state) && s->state != STEP_UPSTREAM_FAILED);
	enum step_class class_ =
	    s->state == STEP_CANCELLED && s->class_ == CLASS_OK ? CLASS_CANCELLED : s->class_;
	int rc;

	jw_object(out);
	jw_kstr(out, "name", plan->steps[s->step].name);
	jw_kstr(out, "item", s->item > 0 ? s->item_key : NULL);
	jw_kstr(out, "state", step_state_name(s->state));
	jw_ki64(out, "attempt", s->attempt);
	jw_kstr(out, "class", judged ? class_name(class_) : NULL);
	jw_kstr(out, "code", s->code);
	jw_kstr(out, "message", s->message);
	jw_ki64(out, "generation", s->generation);
	jw_ktime(out, "ready_at", s->ready_at);
	jw_ktime(out, "started_at", s->started_at);
	jw_ktime(out, "ended_at", s->ended_at);
	jw_ki64(out, "rows_in", s->rows_in);
	jw_ki64(out, "rows_out", s->rows_out);
	jw_ki64(out, "rows_rejected", s->rows_rejected);
	jw_ki64(out, "bytes", s->bytes);
	if (s->item == 0 && plan->steps[s->step].foreach != NULL) {
		jw_ki64(out, "items", s->items);
		jw_ki64(out, "items_open", s->items_open);
		jw_ki64(out, "items_failed", s->items_bad);
	}
	if (s->item == 0)
		put_needs(plan, s->step, out);
	rc = put_step_docs(v, &ref, out);
	if (rc == 0)
		rc = put_remote(v, &ref, s, out);
	jw_end_object(out);
	return rc;
}

int show_step(const struct view *v, const struct step_ref *step, struct jw *out)
{
	const struct plan *plan;
	struct run_rec r;
	struct step_rec s;
	int rc = run_get(v, step->run, &r);

	if (rc == 0)
		rc = step_get(v, step, &s);
	if (rc == 0)
		rc = v->plan(v->ctx, r.plan, &plan, NULL);
	if (rc == 0 && s.step >= plan->n_steps)
		rc = ERR_CORRUPT;
	return rc != 0 ? rc : put_step(v, plan, &s, out);
}

static int put_steps(const struct view *v, const struct run_rec *r, struct jw *out)
{
	const struct plan *plan;
	struct view_walk w;
	struct slice value;
	struct step_rec s;
	struct key k;
	int rc = v->plan(v->ctx, r->plan, &plan, NULL);

	jw_key(out, "steps");
	jw_array(out);
	key_run(&k, r->no);
	view_walk_init(&w, v, TABLE_STEP, k.b, k.n, false);
	while (rc == 0 && (rc = view_walk_next(&w, &value)) == 0) {
		rc = step_decode(value, &s, NULL);
		if (rc == 0 && s.step >= plan->n_steps)
			rc = ERR_CORRUPT;
		if (rc == 0)
			rc = put_step(v, plan, &s, out);
	}
	jw_end_array(out);
	return rc == ERR_NOT_FOUND ? 0 : rc;
}

/* ---- runs ---- */

static int put_trigger(const struct view *v, const struct run_rec *r, struct jw *out)
{
	struct slice doc = {NULL, 0};
	int rc = run_doc_get(v, r->no, RUN_DOC_TRIGGER, &doc);

	jw_key(out, "trigger");
	return put_doc(out, rc, doc, "{\"kind\":\"manual\",\"name\":\"\",\"events\":[]}");
}

static void put_window(const struct run_rec *r, struct jw *out)
{
	jw_key(out, "window");
	jw_object(out);
	jw_ktime(out, "start", r->window_start);
	jw_ktime(out, "end", r->window_end);
	jw_end_object(out);
}

static int put_params(const struct view *v, uint64_t run, struct jw *out)
{
	struct slice doc = {NULL, 0};
	int rc = run_doc_get(v, run, RUN_DOC_PARAMS, &doc);

	jw_key(out, "params");
	return put_doc(out, rc, doc, "{}");
}

static void put_backfill(const struct run_rec *r, struct jw *out)
{
	jw_key(out, "backfill");
	if (r->backfill != 0)
		jw_u64_text(out, r->backfill);
	else
		jw_null(out);
}

int show_run_members(const struct view *v, const struct run_rec *r, struct jw *out)
{
	int rc;

	put_id(out, "id", r->id);
	jw_kstr(out, "dag", r->dag);
	put_sha(out, "plan", r->plan);
	jw_kstr(out, "state", run_state_name(r->state));
	rc = put_trigger(v, r, out);
	jw_kstr(out, "key", r->key);
	jw_ki64(out, "revision", r->revision);
	put_window(r, out);
	jw_ktime(out, "logical_time", r->logical_time);
	jw_ktime(out, "queued_at", r->queued_at);
	jw_ktime(out, "started_at", r->started_at);
	jw_ktime(out, "ended_at", r->ended_at);
	jw_kbool(out, "late", r->late);
	jw_kstr(out, "message", r->message);
	jw_ki64(out, "reopened", r->reopened);
	jw_kstr(out, "downstream",
	    r->reopened + r->backfill > 0 ? downstream_name(r->downstream) : NULL);
	put_backfill(r, out);
	jw_kbool(out, "cancelling", r->cancel && !run_state_ended(r->state));
	jw_ki64(out, "steps_total", r->n_steps);
	jw_ki64(out, "steps_open", r->n_open);
	jw_ki64(out, "steps_failed", r->n_failed);
	return rc != 0 ? rc : put_params(v, r->no, out);
}

int show_run(const struct view *v, uint64_t run, bool with_steps, struct jw *out)
{
	struct run_rec r;
	int rc = run_get(v, run, &r);

	if (rc != 0)
		return rc;
	jw_object(out);
	rc = show_run_members(v, &r, out);
	if (rc == 0 && with_steps)
		rc = put_steps(v, &r, out);
	jw_end_object(out);
	return rc;
}

/* ---- events ---- */

static int put_runs(const struct view *v, const struct event_rec *e, struct jw *out)
{
	char id[HASH_ID_TEXT];
	struct run_rec r;
	int rc = 0;

	jw_key(out, "runs");
	jw_array(out);
	for (uint32_t i = 0; i < e->n_runs && i < 16; i++) {
		rc = run_get(v, e->runs[i], &r);
		if (rc == ERR_NOT_FOUND)
			continue; /* dropped by age */
		if (rc != 0)
			return rc;
		hash_to_base32(r.id, id);
		jw_str(out, id);
	}
	jw_end_array(out);
	return 0;
}

int show_event(const struct view *v, uint64_t seq, bool with_body, struct jw *out)
{
	struct event_rec e;
	struct slice body = {NULL, 0};
	char *text = NULL;
	int rc = event_get(v, seq, &e, &body);

	if (rc != 0)
		return rc;
	if (with_body && body.n > 0)
		text = mem_strndup(body.p, body.n);
	jw_object(out);
	jw_key(out, "id");
	jw_u64_text(out, e.seq);
	jw_kstr(out, "source", e.source);
	jw_kstr(out, "external_id", e.external_id);
	jw_kstr(out, "type", e.type);
	jw_kstr(out, "subject", e.subject);
	jw_ktime(out, "time", e.time);
	jw_ktime(out, "received_at", e.received_at);
	jw_kstr(out, "verdict", verdict_name(e.verdict));
	jw_kstr(out, "detail", e.detail);
	if (e.duplicate_of != 0) {
		jw_key(out, "duplicate_of");
		jw_u64_text(out, e.duplicate_of);
	}
	rc = put_runs(v, &e, out);
	jw_key(out, "joins");
	jw_array(out);
	jw_end_array(out);
	if (with_body) {
		jw_key(out, "body");
		jw_raw(out, text != NULL ? text : "null");
	}
	jw_end_object(out);
	mem_free(text);
	return rc;
}

/* ---- data sets ---- */

static void put_version(const struct view *v, const struct version_rec *ver, struct jw *out)
{
	struct run_rec r;

	jw_object(out);
	jw_ki64(out, "version", (int64_t)ver->version);
	jw_kstr(out, "partition", ver->partition[0] != 0 ? ver->partition : NULL);
	jw_ki64(out, "rows", ver->rows);
	jw_ktime(out, "complete_through", ver->complete_through);
	jw_ktime(out, "max_event", ver->max_event);
	jw_ktime(out, "visible_at", ver->visible_at);
	if (ver->run != 0 && run_get(v, ver->run, &r) == 0)
		put_id(out, "run", r.id);
	else
		jw_kstr(out, "run", NULL);
	jw_end_object(out);
}

#define VERSIONS_SHOWN 100

static int put_versions(const struct view *v, uint32_t ds_no, struct jw *out)
{
	struct version_rec ver;
	struct view_walk w;
	struct slice value;
	struct key k;
	int rc = 0;

	jw_key(out, "versions");
	jw_array(out);
	key_init(&k);
	key_u32(&k, ds_no);
	view_walk_init(&w, v, TABLE_DATASET_LOG, k.b, k.n, true);
	for (int i = 0; i < VERSIONS_SHOWN && rc == 0; i++) {
		rc = view_walk_next(&w, &value);
		if (rc == 0)
			rc = version_decode(value, &ver, NULL);
		if (rc == 0)
			put_version(v, &ver, out);
	}
	jw_end_array(out);
	return rc == ERR_NOT_FOUND ? 0 : rc;
}

int show_dataset(const struct view *v, uint32_t ds_no, bool with_versions, struct jw *out)
{
	struct dataset_rec d;
	int rc = dataset_get(v, ds_no, &d);

	if (rc != 0)
		return rc;
	jw_object(out);
	jw_kstr(out, "name", d.name);
	jw_ki64(out, "version", (int64_t)d.version);
	jw_ktime(out, "complete_through", d.complete_through);
	jw_ktime(out, "visible_at", d.visible_at);
	jw_kstr(out, "dag", d.owner_dag[0] != 0 ? d.owner_dag : NULL);
	if (with_versions)
		rc = put_versions(v, ds_no, out);
	jw_end_object(out);
	return rc;
}
