/* event.c: T1: an authenticated event is stored with its verdict, and starts what listens to it, in
 * one transaction. */
#include "core/sched/tx.h"

#include "core/time/calendar.h"

#include "core/sched/codec.h"
#include "core/sched/scope.h"

#include <stdio.h>
#include <string.h>

#define BODY_MAX (16u << 20)

/* ---- event records ---- */

int event_begin(
    struct tx *x, struct event_rec *e, const char *source, const char *type, const char *subject)
{
	memset(e, 0, sizeof(*e));
	str_copy(e->source, sizeof(e->source), source);
	str_copy(e->type, sizeof(e->type), type);
	str_copy(e->subject, sizeof(e->subject), subject);
	e->time = e->received_at = x->now;
	e->verdict = VERDICT_UNMATCHED;
	return next_no(x, META_NEXT_EVENT, &e->seq);
}

int event_store(struct tx *x, const struct event_rec *e, const char *body, size_t n)
{
	uint8_t *buf = mem_try_alloc(RECORD_MAX + n, RECORD_MAX + BODY_MAX);
	struct effect *f;
	size_t head;
	struct key k;
	int rc;

	if (buf == NULL)
		return ERR_FULL;
	head = event_encode(e, buf);
	if (n > 0)
		memcpy(buf + head, body, n);
	key_run(&k, e->seq);
	rc = view_put(x->v, TABLE_EVENT, k.b, k.n, buf, head + n);
	mem_free(buf);
	key_event_state(&k, e->verdict, e->seq);
	if (rc == 0)
		rc = view_put(x->v, TABLE_EVENT_STATE, k.b, k.n, NULL, 0);
	f = effect_add(x, EFFECT_EVENT, e->seq);
	f->state = (uint8_t)e->verdict;
	return rc;
}

void event_add_run(struct event_rec *e, uint64_t run)
{
	if (run == 0)
		return; /* it was, and retention dropped it */
	if (e->n_runs < sizeof(e->runs) / sizeof(e->runs[0]))
		e->runs[e->n_runs] = run;
	e->n_runs++;
}

void event_detail(struct event_rec *e, const char *fmt, ...)
{
	size_t n = strlen(e->detail);
	va_list ap;

	if (n + 3 >= sizeof(e->detail))
		return;
	if (n > 0) {
		memcpy(e->detail + n, "; ", 3);
		n += 2;
	}
	va_start(ap, fmt);
	vsnprintf(e->detail + n, sizeof(e->detail) - n, fmt, ap);
	va_end(ap);
}

void event_verdict(struct event_rec *e, enum verdict v)
{
	static const uint8_t rank[VERDICT_N] = {[VERDICT_STARTED] = 4,
	    [VERDICT_WAITING] = 3,
	    [VERDICT_DUPLICATE] = 2,
	    [VERDICT_REJECTED] = 1,
	    [VERDICT_UNMATCHED] = 0};

	if (rank[v] > rank[e->verdict])
		e->verdict = v;
}

void event_outcome(
    struct tx *x, struct event_rec *e, const struct run_new *n, uint64_t run, bool existed)
{
	char text[MESSAGE_MAX];

	if (run == 0 && existed) {
		event_verdict(e, VERDICT_DUPLICATE);
		event_detail(e, "its run was dropped by retention");
		return;
	}
	if (run == 0) {
		overlap_text(n, &x->in_the_way, text, sizeof(text));
		event_verdict(e, VERDICT_REJECTED);
		event_detail(e, "%s", text);
		return;
	}
	event_add_run(e, run);
	result_add_run(x, run);
	event_verdict(e, existed ? VERDICT_DUPLICATE : VERDICT_STARTED);
}

/* ---- repeats ---- */

static void dedupe_key(const struct op *op, uint8_t out[HASH_ID_BYTES])
{
	const char *parts[2] = {op->u.event.source, op->u.event.external_id};

	hash_id(out, parts, 2);
}

/* ERR_EXISTS: a repeat, with the first one in ret. */
static int dedupe_find(struct tx *x, const struct op *op, struct event_rec *ret)
{
	uint8_t id[HASH_ID_BYTES];
	struct dedupe_rec d;
	struct slice s;
	int rc;

	if (op->u.event.external_id[0] == 0)
		return 0;
	dedupe_key(op, id);
	rc = view_get(x->v, TABLE_DEDUPE, id, sizeof(id), &s);
	if (rc == 0)
		rc = dedupe_decode(s, &d, NULL);
	if (rc == 0 && op->u.event.dedupe_ms > 0 &&
	    x->now - d.received_at > op->u.event.dedupe_ms * US_PER_MS)
		return 0; /* its window is over */
	if (rc == 0)
		rc = event_get(x->v, d.event, ret, NULL);
	if (rc == ERR_NOT_FOUND)
		return 0; /* never seen, or its event was dropped by age */
	return rc != 0 ? rc : ERR_EXISTS;
}

static int dedupe_put(struct tx *x, const struct op *op, uint64_t seq, const struct str *body)
{
	uint8_t id[HASH_ID_BYTES], buf[RECORD_MAX], sha[HASH_SHA256_BYTES];
	struct dedupe_rec d = {.event = seq, .received_at = x->now};

	if (op->u.event.external_id[0] == 0)
		return 0;
	hash_sha256(str_peek(body), body->len, sha);
	memcpy(d.body, sha, sizeof(d.body));
	dedupe_key(op, id);
	return view_put(x->v, TABLE_DEDUPE, id, sizeof(id), buf, dedupe_encode(&d, buf));
}

/* A repeat is stored as such, and answered like the first one. */
static int answer_repeat(struct tx *x, const struct op *op, const struct event_rec *first)
{
	struct event_rec e;
	int rc = event_begin(x, &e, op->u.event.source, op->u.event.type, op->u.event.subject);

	if (rc != 0)
		return rc;
	str_copy(e.external_id, sizeof(e.external_id), op->u.event.external_id);
	e.time = op->u.event.time;
	e.verdict = VERDICT_DUPLICATE;
	e.duplicate_of = first->seq;
	event_detail(&e, "the same id as event %llu", (unsigned long long)first->seq);
	x->r->event = first->seq;
	x->r->verdict = first->verdict;
	x->r->duplicate = true;
	for (uint32_t i = 0; i < first->n_runs && i < 16; i++)
		result_add_run(x, first->runs[i]);
	return event_store(x, &e, NULL, 0);
}

/* ---- matching ---- */

struct match {
	const struct op *op;
	struct event_rec *e;
};

/* {"event":{…},"trigger":{…},"params":{}}; take: the body as the trigger binds it, or NULL: as it
 * came. */
static struct json *event_env(
    const struct match *m, const struct plan_trigger *t, struct json *take)
{
	struct json *env = json_new_object(), *ev = json_new_object(), *tr = json_new_object();
	const struct json *body = m->op->u.event.body;
	const struct event_rec *e = m->e;
	char buf[CLOCK_TEXT_MAX], num[24];

	snprintf(num, sizeof(num), "%llu", (unsigned long long)e->seq);
	json_put(ev, "id", json_new_str(e->external_id));
	json_put(ev, "seq", json_new_str(num));
	json_put(ev, "source", json_new_str(e->source));
	json_put(ev, "type", json_new_str(e->type));
	json_put(ev, "subject", json_new_str(e->subject));
	json_put(ev, "time", json_new_str(clock_format(e->time, buf)));
	if (take == NULL)
		take = body != NULL ? json_dup(body) : json_new_null();
	json_put(ev, "body", take);
	json_put(tr, "name", json_new_str(t->name));
	json_put(tr, "kind", json_new_str(trigger_kind_name(t->kind)));
	json_put(env, "event", ev);
	json_put(env, "trigger", tr);
	json_put(env, "params", json_new_object());
	return env;
}

/* `covers` on an event's trigger: the key names the period; without a key the event's time does. */
static int event_window(
    const struct plan_trigger *t, const char *key, struct run_new *n, struct err *err)
{
	const struct tz *zone;
	enum cal_unit unit;
	struct window w;
	wall_us start;
	int rc;

	if (t->covers_unit == NULL)
		return 0;
	rc = tz_load(t->zone, &zone, err);
	if (rc == 0 && cal_unit_parse(t->covers_unit, &unit) != 0)
		rc = err_set(err, ERR_CONFIG, "covers: unit \"%s\" is unknown", t->covers_unit);
	if (rc == 0 && key[0] == 0)
		rc = window_of(t, n->logical_time, &w, err);
	else if (rc == 0 && cal_key_parse(unit, zone, key, &start, NULL) != 0)
		rc = err_set(err, ERR_CONFIG, "covers a %s, but the key \"%.80s\" names none",
		    t->covers_unit, key);
	else if (rc == 0)
		cal_window(unit, zone, start, t->covers_offset, &w.start, &w.end);
	if (rc != 0)
		return rc;
	n->window_start = w.start;
	n->window_end = w.end;
	n->logical_time = key[0] == 0 ? n->logical_time : w.start;
	return 0;
}

static int start_run(struct tx *x, struct match *m, const struct dag_rec *d,
    const struct plan *plan, const struct plan_trigger *t, const struct trigger_eval *ev)
{
	struct trigger_doc doc = {t->kind, t->name, &m->e->seq, 1, NULL, NULL};
	struct run_new n = {.dag = d,
	    .plan = plan,
	    .kind = t->kind,
	    .trigger = t->name,
	    .space = ev->key[0] != 0 ? SPACE_KEY : SPACE_EVENT,
	    .params = ev->params,
	    .window_start = TIME_NONE,
	    .window_end = TIME_NONE,
	    .logical_time = m->e->time,
	    .event = m->e->seq};
	struct err err = {0};
	char seq[24];
	struct str text;
	uint64_t run;
	bool existed;
	int rc;

	snprintf(seq, sizeof(seq), "%llu", (unsigned long long)m->e->seq);
	n.key = ev->key[0] != 0 ? ev->key : seq;
	n.next_revision = ev->key[0] != 0 && t->on_same_key_rerun;
	if (event_window(t, ev->key, &n, &err) != 0) {
		event_verdict(m->e, VERDICT_REJECTED);
		event_detail(m->e, "DAG %s, trigger %s: %.200s", d->name, t->name, err.text);
		return 0;
	}
	str_init(&text, 64u << 10);
	trigger_doc_write(&doc, &text);
	n.doc = str_peek(&text);
	rc = run_insert(x, &n, &run, &existed);
	str_done(&text);
	if (rc != 0)
		return rc;
	event_outcome(x, m->e, &n, run, existed);
	if (existed)
		event_detail(m->e, "DAG %s: there is a run of key %.80s already", d->name, n.key);
	return 0;
}

static int match_trigger(struct tx *x, struct match *m, const struct dag_rec *d,
    const struct plan *plan, const struct plan_trigger *t)
{
	struct trigger_eval ev = {.params = NULL};
	struct json *body = NULL, *env;
	struct err err = {0};
	int rc = 0;

	if (dag_is_paused(x->v, d) && !t->keep_while_paused) {
		event_verdict(m->e, VERDICT_REJECTED);
		event_detail(m->e, "DAG %s is paused", d->name);
		return 0;
	}
	if (t->body.n > 0)
		rc = params_bind(&t->body, m->op->u.event.body, "field of the body", &body, &err);
	if (rc == 0) {
		env = event_env(m, t, body);
		rc = trigger_evaluate(plan, t, env, &ev, &err);
		json_free(env);
	}
	if (rc != 0) {
		event_verdict(m->e, VERDICT_REJECTED);
		event_detail(m->e, "DAG %s, trigger %s: %.200s", d->name, t->name, err.text);
		rc = 0;
	} else if (!ev.where) {
		event_detail(m->e, "DAG %s, trigger %s: `where` is false", d->name, t->name);
	} else {
		rc = start_run(x, m, d, plan, t, &ev);
	}
	json_free(ev.params);
	return rc;
}

static int match_listener(struct tx *x, struct match *m, const uint8_t *tail, size_t n)
{
	char trigger[PLAN_NAME_MAX];
	const struct plan_trigger *t;
	const struct plan *plan;
	struct dag_rec d;
	int rc;

	if (n < 5 || n - 4 >= sizeof(trigger))
		return ERR_CORRUPT;
	memcpy(trigger, tail + 4, n - 4);
	trigger[n - 4] = 0;
	rc = must(dag_get(x->v, be_get32(tail), &d));
	if (rc == 0)
		rc = must(dag_plan(x->v, &d, &plan));
	if (rc != 0)
		return rc;
	t = plan_trigger_find(plan, trigger);
	return t == NULL ? ERR_CORRUPT : match_trigger(x, m, &d, plan, t);
}

static int match_all(struct tx *x, struct match *m)
{
	bool hook = m->op->u.event.hook[0] != 0;
	struct view_walk w;
	struct key k;
	int rc;

	key_listen(
	    &k, hook ? "hook" : "source", hook ? m->op->u.event.hook : m->op->u.event.source);
	view_walk_init(&w, x->v, TABLE_LISTEN, k.b, k.n, false);
	while ((rc = view_walk_next(&w, NULL)) == 0) {
		rc = match_listener(x, m, w.key + w.prefix_n, w.key_n - w.prefix_n);
		if (rc != 0)
			return rc;
	}
	return rc == ERR_NOT_FOUND ? 0 : rc;
}

static int take_event(struct tx *x, const struct op *op, const struct str *body)
{
	struct match m = {.op = op};
	struct event_rec e;
	int rc = event_begin(x, &e, op->u.event.source, op->u.event.type, op->u.event.subject);

	if (rc != 0)
		return rc;
	str_copy(e.external_id, sizeof(e.external_id), op->u.event.external_id);
	if (op->u.event.time != TIME_NONE)
		e.time = op->u.event.time;
	m.e = &e;
	rc = match_all(x, &m);
	if (rc == 0 && e.verdict == VERDICT_UNMATCHED && e.detail[0] == 0)
		event_detail(&e, "no trigger listens to it");
	if (rc == 0)
		rc = event_store(x, &e, body->s, body->len);
	if (rc == 0)
		rc = dedupe_put(x, op, e.seq, body);
	x->r->event = e.seq;
	x->r->verdict = e.verdict;
	return rc;
}

int op_event(struct tx *x, const struct op *op)
{
	struct event_rec first;
	struct str body;
	int rc = dedupe_find(x, op, &first);

	if (rc == ERR_EXISTS)
		return answer_repeat(x, op, &first);
	if (rc != 0)
		return rc;
	str_init(&body, BODY_MAX);
	if (op->u.event.body != NULL)
		json_print(op->u.event.body, &body);
	rc = body.failed
		 ? refuse(x, ERR_LIMIT, "the event's body is larger than %u bytes", BODY_MAX)
		 : take_event(x, op, &body);
	str_done(&body);
	return rc;
}
