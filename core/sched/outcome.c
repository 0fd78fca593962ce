/* outcome.c: T3 and T4: what an attempt ended with. Only the current token of a RUNNING step counts
 * (rule 9); anything else is acknowledged and changes nothing (rule 10). Judging is rule 22: ok is
 * done even if the run was cancelled; cancelled is cancelled; else retry by class, unless the run
 * was cancelled. */
#include "core/sched/tx.h"

#include "core/sched/codec.h"
#include "core/sched/report.h"
#include "core/sched/retry.h"

#include <string.h>

/* What a plugin may call a time: the years 0 to 9999. */
#define TIME_FIRST (INT64_C(-62167219200) * US_PER_S)
#define TIME_LAST (INT64_C(253402300800) * US_PER_S - 1)

static void take_figures(struct step_rec *s, const struct report *p)
{
	s->class_ = p->class_;
	str_copy(s->code, sizeof(s->code), p->code);
	str_copy(s->message, sizeof(s->message), p->message);
	s->rows_in = p->rows_in;
	s->rows_out = p->rows_out;
	s->rows_rejected = p->rows_rejected;
	s->bytes = p->bytes;
}

/* ---- T3 ---- */

static int end_badly(struct tx *x, struct step_rec *s, int64_t retry_after_ms)
{
	const struct plan_step *p = &x->plan->steps[s->step];
	struct retry_case c;
	int64_t delay_ms;

	if (s->class_ == CLASS_CANCELLED)
		return step_move(x, s, STEP_CANCELLED, TIME_NONE);
	if (s->class_ == CLASS_LOST)
		s->lost++;
	else
		s->used++;
	if (x->run.cancel)
		return step_move(x, s, STEP_CANCELLED, TIME_NONE);
	c = (struct retry_case){s->class_, s->used, s->lost, retry_after_ms};
	if (!retry_decide(p, &c, &x->env->random, &delay_ms))
		return step_move(x, s, STEP_FAILED, TIME_NONE);
	if (delay_ms <= 0)
		return step_move(x, s, STEP_READY, x->now);
	return step_move(x, s, STEP_RETRYING, x->now + delay_ms * US_PER_MS);
}

int attempt_lost(struct tx *x, struct step_rec *s, const char *message)
{
	if (s->submitted)
		return remote_lost(x, s, message);
	s->class_ = CLASS_LOST;
	s->code[0] = 0;
	str_copy(s->message, sizeof(s->message), message);
	return end_badly(x, s, 0);
}

/* ---- T4 ---- */

static int put_outputs(struct tx *x, const struct step_ref *ref, const struct report *p)
{
	struct str text;
	int rc;

	if (json_len(p->outputs) == 0)
		return 0;
	str_init(&text, PLAN_MAX_BYTES);
	json_print(p->outputs, &text);
	rc = step_doc_put(x->v, ref, STEP_DOC_OUTPUTS, text.s, text.len);
	str_done(&text);
	return rc;
}

static wall_us time_of(const struct json *j, const char *key)
{
	const struct json *t = json_get(j, key);

	wall_us v = t == NULL || json_is(t, JSON_NULL) ? TIME_NONE : json_i64(t, TIME_NONE);

	return v < TIME_FIRST || v > TIME_LAST ? TIME_NONE : v;
}

static void write_bound(struct jw *w, const char *key, struct slice text, wall_us complete)
{
	jw_key(w, key);
	jw_object(w);
	jw_key(w, "json");
	jw_strn(w, text.p, text.n);
	if (complete != TIME_NONE)
		jw_ki64(w, "complete_us", complete);
	jw_end_object(w);
}

/* What was read: from the cursor as it still is, exclusive, to the new one. */
static int put_range(struct tx *x, const struct step_ref *ref, const char *step, const char *item,
    const char *upto, const struct cursor_rec *c)
{
	struct cursor_rec old;
	struct slice from;
	struct str text;
	struct jw w;
	int rc = cursor_get(x->v, x->run.dag, step, item, &old, &from);

	if (rc != 0 && rc != ERR_NOT_FOUND)
		return rc;
	str_init(&text, PLAN_MAX_BYTES);
	jw_init(&w, &text);
	jw_object(&w);
	if (rc == 0)
		write_bound(&w, "from", from, old.complete_through);
	write_bound(&w, "upto", (struct slice){upto, strlen(upto)}, c->complete_through);
	jw_end_object(&w);
	rc = text.failed ? ERR_LIMIT : step_doc_put(x->v, ref, STEP_DOC_CURSOR, text.s, text.len);
	str_done(&text);
	return rc;
}

/* The cursor moves on, unless this attempt read again what the step has read in this run. */
static int put_cursor(
    struct tx *x, const struct step_rec *s, const struct step_ref *ref, const struct report *p)
{
	const char *text = json_get_str(p->cursor, "json", NULL);
	const char *step = x->plan->steps[s->step].name;
	struct cursor_rec c = {x->run.no, s->token, time_of(p->cursor, "complete_us"), x->now};
	struct slice there;
	int rc;

	if (text == NULL)
		return 0;
	rc = step_doc_get(x->v, ref, STEP_DOC_CURSOR, &there);
	if (rc != ERR_NOT_FOUND)
		return rc;
	rc = put_range(x, ref, step, s->item_key, text, &c);
	return rc != 0 ? rc : cursor_put(x->v, x->run.dag, step, s->item_key, &c, text);
}

/* Versions read: the position moves on, never back; the run keeps its range for a rerun. */
static int put_position(struct tx *x, const struct step_rec *s, const struct json *j, struct jw *w)
{
	const char *step = x->plan->steps[s->step].name;
	struct dataset_rec d;
	uint64_t from, upto = (uint64_t)json_i64(j, 0);
	uint8_t value[8];
	struct key k;
	int rc = dataset_need(x, json_key(j), &d);

	if (rc == 0)
		rc = position_get(x->v, x->run.dag_no, step, s->item_key, d.no, &from);
	if (rc != 0)
		return rc;
	jw_key(w, json_key(j));
	jw_object(w);
	jw_ki64(w, "from", (int64_t)from);
	jw_ki64(w, "upto", (int64_t)upto);
	jw_end_object(w);
	if (upto <= from)
		return 0;
	be_put64(value, upto);
	key_position(&k, x->run.dag_no, step, s->item_key, d.no);
	return view_put(x->v, TABLE_POSITION, k.b, k.n, value, sizeof(value));
}

static int put_positions(
    struct tx *x, const struct step_rec *s, const struct step_ref *ref, const struct report *p)
{
	struct slice there;
	struct str text;
	struct jw w;
	int rc = 0;

	if (json_len(p->positions) == 0)
		return 0;
	str_init(&text, PLAN_MAX_BYTES);
	jw_init(&w, &text);
	jw_object(&w);
	for (const struct json *j = json_first(p->positions); j != NULL && rc == 0;
	     j = json_next(j))
		rc = put_position(x, s, j, &w);
	jw_end_object(&w);
	/* a rerun read the first range again: that one stays */
	if (rc == 0 && step_doc_get(x->v, ref, STEP_DOC_RANGES, &there) == ERR_NOT_FOUND)
		rc = step_doc_put(x->v, ref, STEP_DOC_RANGES, text.s, text.len);
	str_done(&text);
	return rc;
}

static int put_dataset(struct tx *x, const struct step_rec *s, const struct json *j, struct jw *w)
{
	struct version_rec ver = {
	    .run = s->run, .token = s->token, .step = s->step, .item = s->item};
	struct dataset_rec d;
	int rc = dataset_need(x, json_get_str(j, "name", ""), &d);

	if (rc != 0)
		return rc;
	str_copy(ver.partition, sizeof(ver.partition), json_get_str(j, "partition", ""));
	ver.changed = json_get_bool(j, "changed", true);
	ver.rows = json_get_i64(j, "rows", 0);
	ver.complete_through = time_of(j, "complete_us");
	ver.max_event = time_of(j, "max_event_us");
	rc = dataset_publish(x, &d, &ver);
	jw_object(w);
	jw_kstr(w, "name", d.name);
	jw_kstr(w, "partition", ver.partition[0] != 0 ? ver.partition : NULL);
	jw_ki64(w, "version", (int64_t)ver.version);
	jw_kbool(w, "changed", ver.changed);
	jw_ktime(w, "complete_through", ver.complete_through);
	jw_end_object(w);
	return rc;
}

static int put_datasets(
    struct tx *x, const struct step_rec *s, const struct step_ref *ref, const struct report *p)
{
	struct str text;
	struct jw w;
	int rc = 0;

	if (json_len(p->datasets) == 0)
		return 0;
	str_init(&text, PLAN_MAX_BYTES);
	jw_init(&w, &text);
	jw_array(&w);
	for (const struct json *j = json_first(p->datasets); j != NULL && rc == 0; j = json_next(j))
		rc = put_dataset(x, s, j, &w);
	jw_end_array(&w);
	if (rc == 0)
		rc = step_doc_put(x->v, ref, STEP_DOC_DATASETS, text.s, text.len);
	str_done(&text);
	return rc;
}

static int64_t sum(int64_t a, int64_t b)
{
	int64_t v;

	return __builtin_add_overflow(a, b, &v) ? INT64_MAX : v;
}

/* The group shows the sum of its items. */
static int add_figures(struct tx *x, const struct step_rec *s)
{
	struct step_rec *g;
	int rc;

	if (s->item == 0 || (s->rows_in | s->rows_out | s->rows_rejected | s->bytes) == 0)
		return 0;
	rc = group_open(x, s->step, &g);
	if (rc != 0)
		return rc;
	g->rows_in = sum(g->rows_in, s->rows_in);
	g->rows_out = sum(g->rows_out, s->rows_out);
	g->rows_rejected = sum(g->rows_rejected, s->rows_rejected);
	g->bytes = sum(g->bytes, s->bytes);
	x->group_dirty = true;
	return 0;
}

static int end_well(struct tx *x, struct step_rec *s, const struct report *p)
{
	struct step_ref ref = step_ref_of(s);
	int rc = put_outputs(x, &ref, p);

	if (rc == 0)
		rc = put_cursor(x, s, &ref, p);
	if (rc == 0)
		rc = put_positions(x, s, &ref, p);
	if (rc == 0)
		rc = put_datasets(x, s, &ref, p);
	if (rc == 0)
		rc = add_figures(x, s);
	return rc != 0 ? rc : step_move(x, s, STEP_SUCCEEDED, TIME_NONE);
}

int op_outcome(struct tx *x, const struct op *op)
{
	const struct step_ref *ref = &op->u.outcome.step;
	struct effect *e = effect_add(x, EFFECT_ACK, ref->run);
	bool open = false;
	struct step_rec s;
	struct report p;
	int rc;

	e->step = *ref;
	e->token = op->u.outcome.token;
	e->instance = op->u.outcome.instance;
	rc = step_get(x->v, ref, &s);
	if (rc == ERR_NOT_FOUND)
		return 0;
	if (rc != 0)
		return rc;
	if (s.state != STEP_RUNNING || s.token != op->u.outcome.token ||
	    s.instance != op->u.outcome.instance || s.token == 0)
		return 0;
	rc = must(run_open(x, ref->run));
	if (rc != 0)
		return rc;
	report_read(op->u.outcome.code, op->u.outcome.report, op->u.outcome.report_n, &p);
	rc = remote_outcome(x, &s, &p, &open);
	if (rc == 0 && !open) {
		take_figures(&s, &p);
		rc =
		    p.class_ == CLASS_OK ? end_well(x, &s, &p) : end_badly(x, &s, p.retry_after_ms);
	}
	report_done(&p);
	return rc;
}
