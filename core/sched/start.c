/* start.c: a run by hand or by HTTP: an event of source "manual" and its run. --at names a logical
 * time in key space time, --key a key; with neither each call is a new event. */
#include "core/sched/tx.h"

#include "core/sched/codec.h"

#include <stdio.h>
#include <string.h>

struct start {
	const struct op *op;
	struct dag_rec dag;
	const struct plan *plan;
	const struct plan_trigger *trigger; /* or NULL */
	struct window window;
	struct json *params; /* owned */
	bool keyed;
};

static bool is_time_trigger(const struct plan_trigger *t)
{
	return t->kind == TRIGGER_CRON || t->kind == TRIGGER_AT || t->kind == TRIGGER_EVERY;
}

/* The only time trigger; *ret_n says how many there are. */
static const struct plan_trigger *time_trigger(const struct plan *p, size_t *ret_n)
{
	const struct plan_trigger *found = NULL;

	*ret_n = 0;
	for (size_t i = 0; i < p->n_triggers; i++) {
		if (!is_time_trigger(&p->triggers[i]))
			continue;
		found = &p->triggers[i];
		(*ret_n)++;
	}
	return *ret_n == 1 ? found : NULL;
}

static int choose_trigger(struct tx *x, struct start *s)
{
	const char *name = s->op->u.start.trigger;
	size_t n;

	if (name != NULL && name[0] != 0) {
		s->trigger = plan_trigger_find(s->plan, name);
		if (s->trigger == NULL)
			return refuse(
			    x, ERR_NOT_FOUND, "DAG %s has no trigger \"%.63s\"", s->dag.name, name);
		return 0;
	}
	s->trigger = time_trigger(s->plan, &n);
	if (n > 1 && s->op->u.start.at != TIME_NONE)
		return refuse(x, ERR_USAGE,
		    "DAG %s has %zu time triggers: say which one with --trigger", s->dag.name, n);
	return 0;
}

static int check_only(struct tx *x, const struct start *s)
{
	if (s->op->u.start.n_only > s->plan->n_steps)
		return refuse(x, ERR_USAGE, "only names %zu steps, DAG %s has %zu: name each once",
		    s->op->u.start.n_only, s->dag.name, s->plan->n_steps);
	for (size_t i = 0; i < s->op->u.start.n_only; i++) {
		if (plan_step_index(s->plan, s->op->u.start.only[i]) < 0)
			return refuse(x, ERR_NOT_FOUND, "DAG %s has no step \"%.63s\"", s->dag.name,
			    s->op->u.start.only[i]);
	}
	return 0;
}

static int check_key(struct tx *x, const struct start *s)
{
	const char *key = s->op->u.start.key;

	if (key == NULL)
		return 0;
	if (s->op->u.start.at != TIME_NONE)
		return refuse(x, ERR_USAGE, "give --at or --key, not both");
	if (key[0] == 0 || strlen(key) >= PLAN_KEY_MAX)
		return refuse(x, ERR_USAGE, "a key has 1 to %d bytes", PLAN_KEY_MAX - 1);
	return 0;
}

static int check_dropped(struct tx *x, const struct start *s)
{
	const struct op *op = s->op;
	bool by_time = op->u.start.at != TIME_NONE;
	const char *key = by_time ? s->window.key : op->u.start.key;
	uint8_t id[HASH_ID_BYTES];

	if (key == NULL)
		return 0;
	run_identity(s->dag.name, by_time ? SPACE_TIME : SPACE_KEY,
	    s->trigger != NULL ? s->trigger->name : "", key, 0, id);
	if (!run_is_tomb(x->v, id))
		return 0;
	return refuse(x, ERR_CONFLICT,
	    "DAG %s has run for %.100s already, and retention dropped that run: another key makes "
	    "a "
	    "new run",
	    s->dag.name, key);
}

/* All checks before the first write; x->r->rc says that it was refused. */
static int prepare(struct tx *x, struct start *s)
{
	const struct op *op = s->op;
	wall_us logical = op->u.start.at != TIME_NONE ? op->u.start.at : x->now;
	struct err err = {0};
	int rc = dag_get_named(x->v, op->u.start.dag, &s->dag);

	if (rc == ERR_NOT_FOUND || (rc == 0 && s->dag.state == DAG_GONE))
		return refuse_dag(x, op->u.start.dag);
	if (rc == 0)
		rc = dag_plan(x->v, &s->dag, &s->plan);
	if (rc != 0)
		return rc == ERR_NOT_FOUND
			   ? refuse(x, ERR_CONFLICT,
				 "DAG %s has never compiled: see `sluice check`", s->dag.name)
			   : rc;
	if (dag_is_paused(x->v, &s->dag))
		return refuse(x, ERR_CONFLICT, "DAG %s is paused: `sluice resume %s` first",
		    s->dag.name, s->dag.paused ? s->dag.name : "--all");
	rc = check_key(x, s);
	if (rc == 0 && x->r->rc == 0)
		rc = choose_trigger(x, s);
	if (rc == 0 && x->r->rc == 0)
		rc = check_only(x, s);
	if (rc != 0 || x->r->rc != 0)
		return rc;
	if (params_bind(&s->plan->params, op->u.start.params, "param", &s->params, &err) != 0)
		return refuse(x, ERR_CONFIG, "%s", err.text);
	if (params_check(s->params, &err) != 0)
		return refuse(x, ERR_CONFIG, "%s", err.text);
	if (window_of(s->trigger, logical, &s->window, &err) != 0)
		return refuse(x, ERR_CONFIG, "%s", err.text);
	return check_dropped(x, s);
}

static void fill(const struct start *s, struct run_new *n, const char *seq, wall_us now)
{
	const struct op *op = s->op;
	bool by_time = op->u.start.at != TIME_NONE;

	n->dag = &s->dag;
	n->plan = s->plan;
	n->kind = TRIGGER_MANUAL;
	n->trigger = s->trigger != NULL ? s->trigger->name : "";
	n->params = s->params;
	n->window_start = s->window.start;
	n->window_end = s->window.end;
	n->logical_time = by_time ? op->u.start.at : now;
	n->only = op->u.start.only;
	n->n_only = op->u.start.n_only;
	n->space = by_time ? SPACE_TIME : op->u.start.key != NULL ? SPACE_KEY : SPACE_EVENT;
	n->key = by_time ? s->window.key : op->u.start.key != NULL ? op->u.start.key : seq;
}

/* Of (DAG, text): the same text for another DAG is another request. */
static bool repeat_id(const struct op *op, uint8_t out[HASH_ID_BYTES])
{
	const char *parts[2] = {op->u.start.dag, op->u.start.idempotency_key};

	if (parts[1] == NULL || parts[1][0] == 0)
		return false;
	hash_id(out, parts, 2);
	return true;
}

static int remember(struct tx *x, const struct op *op, uint64_t run, uint64_t event)
{
	struct idempotency_rec i = {run, event};
	uint8_t id[HASH_ID_BYTES], buf[RECORD_MAX];

	if (!repeat_id(op, id))
		return 0;
	return view_put(x->v, TABLE_IDEMPOTENCY, id, sizeof(id), buf, idempotency_encode(&i, buf));
}

/* Before the first write: `overlap: skip` refuses a person outright. */
static int refuse_overlap(struct tx *x, const struct start *s)
{
	char text[MESSAGE_MAX];
	struct run_new n = {0};
	struct run_rec by;
	bool refused;
	int rc;

	fill(s, &n, "", x->now); /* no run has an empty key: a new event has no run yet */
	rc = run_refused(x, &n, &refused, &by);
	if (rc != 0 || !refused)
		return rc;
	overlap_text(&n, &by, text, sizeof(text));
	return refuse(x, ERR_CONFLICT, "%s: wait for its end, or cancel it", text);
}

static int start(struct tx *x, struct start *s)
{
	struct event_rec e;
	struct trigger_doc doc = {.kind = TRIGGER_MANUAL, .events = &e.seq, .n_events = 1};
	struct run_new n = {0};
	struct str text, body;
	bool existed = false;
	uint64_t run = 0;
	char seq[24];
	int rc = event_begin(x, &e, "manual", "run", s->dag.name);

	if (rc != 0)
		return rc;
	snprintf(seq, sizeof(seq), "%llu", (unsigned long long)e.seq);
	fill(s, &n, seq, x->now);
	n.event = e.seq;
	doc.name = n.trigger;
	str_init(&text, 64u << 10);
	str_init(&body, PLAN_MAX_BYTES);
	trigger_doc_write(&doc, &text);
	n.doc = str_peek(&text);
	json_print(s->params, &body);
	rc = run_insert(x, &n, &run, &existed);
	if (rc == 0) {
		event_outcome(x, &e, &n, run, existed);
		event_detail(&e, "by %.100s",
		    s->op->u.start.actor != NULL ? s->op->u.start.actor : "a person");
		rc = event_store(x, &e, body.s, body.len);
	}
	if (rc == 0)
		rc = remember(x, s->op, run, e.seq);
	x->r->event = e.seq;
	x->r->verdict = e.verdict;
	x->r->duplicate = existed;
	str_done(&text);
	str_done(&body);
	return rc;
}

/* ERR_EXISTS: the same Idempotency-Key was answered before. */
static int find_repeat(struct tx *x, const struct op *op)
{
	struct idempotency_rec i;
	uint8_t id[HASH_ID_BYTES];
	struct slice s;
	int rc;

	if (!repeat_id(op, id))
		return 0;
	rc = view_get(x->v, TABLE_IDEMPOTENCY, id, sizeof(id), &s);
	if (rc == 0)
		rc = idempotency_decode(s, &i, NULL);
	if (rc != 0)
		return rc == ERR_NOT_FOUND ? 0 : rc;
	x->r->event = i.event;
	x->r->verdict = VERDICT_STARTED;
	x->r->duplicate = true;
	result_add_run(x, i.run);
	return ERR_EXISTS;
}

int op_start(struct tx *x, const struct op *op)
{
	struct start s = {.op = op};
	int rc = find_repeat(x, op);

	if (rc == ERR_EXISTS)
		return 0;
	if (rc == 0)
		rc = prepare(x, &s);
	if (rc == 0 && x->r->rc == 0)
		rc = refuse_overlap(x, &s);
	if (rc == 0 && x->r->rc == 0)
		rc = start(x, &s);
	json_free(s.params);
	return rc;
}
