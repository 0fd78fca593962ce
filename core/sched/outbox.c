/* outbox.c: who is told that a run ended or is late. The messages are rows, written in the
 * transaction that makes them true, and removed or put off in T5, when the daemon knows what the
 * receiver said: so none is lost, and a receiver knows a repeat by its id.
 *
 * Each endpoint has its own queue. Its first message has the due entry, and is the only one that is
 * ever under way: a dead endpoint delays nobody else. */
#include "core/sched/tx.h"

#include "core/sched/show.h"

#include <stdio.h>
#include <string.h>

#define FIRST_DELAY_US (10 * US_PER_S)
#define MAX_DELAY_US (3600 * US_PER_S)
#define MAX_WISH_US (24 * 3600 * US_PER_S) /* what a receiver may ask us to wait */
#define KEEP_US (3 * 24 * 3600 * US_PER_S)
#define DATA_TRIES 5		  /* the receiver refuses the message itself */
#define LEASE_US (300 * US_PER_S) /* a try takes 30 s; before it the compiler may hold the lane */
#define WAITING_MAX 10000u
#define DATA_MAX (256u << 10)
#define STEPS_TOLD 20
#define ITEMS_SEEN 5000 /* of a group, in search of those that failed */

/* ---- one endpoint's queue ---- */

static int endpoint_need(struct tx *x, const char *name, struct endpoint_rec *ret)
{
	uint64_t no;
	int rc = endpoint_get(x->v, name, ret);

	if (rc != ERR_NOT_FOUND)
		return rc;
	rc = next_no(x, META_NEXT_ENDPOINT, &no);
	memset(ret, 0, sizeof(*ret));
	ret->no = (uint32_t)no;
	ret->last_at = TIME_NONE;
	str_copy(ret->name, sizeof(ret->name), name);
	return rc;
}

static int head_due(struct tx *x, const struct outbox_rec *m, bool add)
{
	struct key k;

	key_due_outbox(&k, m->next_at, m->endpoint_no);
	return add ? due_add(x, &k) : due_del(x, &k);
}

/* Puts the first message off; what of it changed is written, its data stay. */
static int head_move(struct tx *x, struct outbox_rec *m, struct slice data, wall_us at)
{
	char *copy = mem_strndup(data.p, data.n); /* data dies at the first write */
	int rc = head_due(x, m, false);

	m->next_at = at;
	if (rc == 0)
		rc = head_due(x, m, true);
	if (rc == 0)
		rc = outbox_put(x->v, m, copy, data.n);
	mem_free(copy);
	return rc;
}

int outbox_shift(struct tx *x, uint32_t endpoint_no, int64_t step_us, struct key *ret)
{
	struct outbox_rec m;
	struct slice data;
	char *copy;
	int rc = must(outbox_head(x->v, endpoint_no, &m, &data));

	if (rc != 0)
		return rc;
	m.next_at += step_us;
	key_due_outbox(ret, m.next_at, endpoint_no);
	copy = mem_strndup(data.p, data.n);
	rc = outbox_put(x->v, &m, copy, data.n);
	mem_free(copy);
	return rc;
}

/* A clock that was set back meanwhile must not make the next message wait. */
static int head_new(struct tx *x, struct outbox_rec *m, struct slice data)
{
	char *copy;
	int rc;

	if (m->next_at > x->now) {
		m->next_at = x->now;
		copy = mem_strndup(data.p, data.n);
		rc = outbox_put(x->v, m, copy, data.n);
		mem_free(copy);
		if (rc != 0)
			return rc;
	}
	return head_due(x, m, true);
}

/* The first message leaves; the next one is due at once. */
static int head_drop(struct tx *x, struct endpoint_rec *e, const struct outbox_rec *m)
{
	struct outbox_rec next;
	struct slice data;
	struct key k;
	int rc = head_due(x, m, false);

	key_outbox(&k, m->endpoint_no, m->seq);
	if (rc == 0)
		rc = must(view_del(x->v, TABLE_OUTBOX, k.b, k.n));
	if (rc != 0)
		return rc;
	if (e->waiting == 0)
		return ERR_CORRUPT;
	e->waiting--;
	rc = outbox_head(x->v, m->endpoint_no, &next, &data);
	if (rc == ERR_NOT_FOUND)
		return 0;
	return rc != 0 ? rc : head_new(x, &next, data);
}

/* Of (what, to whom, when): the same for each try, another one for each message, also in a store
 * that was restored. */
static void message_id(struct tx *x, struct outbox_rec *m, const char *run_id)
{
	char when[32];
	const char *parts[4] = {m->endpoint, notice_name(m->notice), run_id, when};

	snprintf(when, sizeof(when), "%lld", (long long)x->now);
	hash_id(m->id, parts, 4);
}

static int message_add(struct tx *x, const char *endpoint, enum notice n, const struct run_rec *run,
    const struct str *data, struct outbox_rec *ret)
{
	char run_id[HASH_ID_TEXT] = "";
	struct endpoint_rec e;
	int rc = endpoint_need(x, endpoint, &e);

	if (rc != 0)
		return rc;
	if (e.waiting >= WAITING_MAX) {
		e.given_up++;
		str_copy(e.error, sizeof(e.error),
		    "so many messages wait for it that new ones are dropped");
		return endpoint_put(x->v, &e);
	}
	memset(ret, 0, sizeof(*ret));
	str_copy(ret->endpoint, sizeof(ret->endpoint), endpoint);
	ret->endpoint_no = e.no;
	ret->notice = n;
	ret->created_at = ret->next_at = x->now;
	if (run != NULL) {
		ret->run = run->no;
		hash_to_base32(run->id, run_id);
	}
	message_id(x, ret, run_id);
	rc = next_no(x, META_NEXT_OUTBOX, &ret->seq);
	if (rc == 0)
		rc = outbox_put(x->v, ret, str_peek(data), data->len);
	if (rc == 0 && e.waiting == 0)
		rc = head_due(x, ret, true);
	e.waiting++;
	return rc != 0 ? rc : endpoint_put(x->v, &e);
}

/* ---- what a message says ---- */

static void put_step(struct tx *x, const struct step_rec *s, struct jw *w)
{
	jw_object(w);
	jw_kstr(w, "name", x->plan->steps[s->step].name);
	jw_kstr(w, "item", s->item > 0 ? s->item_key : NULL);
	if (s->item > 0)
		jw_ki64(w, "item_no", s->item);
	jw_kstr(w, "state", step_state_name(s->state));
	jw_ki64(w, "attempt", s->attempt);
	jw_kstr(w, "class", class_name(s->class_));
	jw_kstr(w, "code", s->code);
	jw_kstr(w, "message", s->message);
	jw_ktime(w, "started_at", s->started_at);
	jw_ktime(w, "ended_at", s->ended_at);
	jw_end_object(w);
}

static bool is_told(const struct step_rec *s)
{
	return s->state == STEP_FAILED || (s->state == STEP_CANCELLED && s->attempt > 0);
}

/* Items of a group that failed, behind it. */
static int put_items(struct tx *x, uint16_t step, int *left, struct jw *w)
{
	struct view_walk walk;
	struct step_rec s;
	struct slice value;
	struct key k;
	int rc = 0;

	key_run(&k, x->run.no);
	key_u16(&k, step);
	view_walk_init(&walk, x->v, TABLE_STEP, k.b, k.n, false);
	for (int i = 0; i<ITEMS_SEEN && * left> 0; i++) {
		rc = view_walk_next(&walk, &value);
		if (rc == 0)
			rc = step_decode(value, &s, NULL);
		if (rc != 0)
			break;
		if (s.item > 0 && is_told(&s)) {
			put_step(x, &s, w);
			(*left)--;
		}
	}
	return rc == ERR_NOT_FOUND ? 0 : rc;
}

static int put_steps(struct tx *x, struct jw *w)
{
	int left = STEPS_TOLD, rc = 0;
	struct step_rec s;

	jw_key(w, "steps");
	jw_array(w);
	for (uint16_t i = 0; rc == 0 && left > 0 && i < x->plan->n_steps; i++) {
		rc = step_load(x, i, 0, &s);
		if (rc != 0 || !is_told(&s))
			continue;
		put_step(x, &s, w);
		left--;
		if (s.items > 0)
			rc = put_items(x, i, &left, w);
	}
	jw_end_array(w);
	return rc;
}

/* The run object with those of its steps that failed; where that is too long (params), its head. */
static int put_run(struct tx *x, struct str *out)
{
	char id[HASH_ID_TEXT];
	struct jw w;
	int rc;

	jw_init(&w, out);
	jw_object(&w);
	rc = show_run_members(x->v, &x->run, &w);
	if (rc == 0)
		rc = put_steps(x, &w);
	jw_end_object(&w);
	if (rc != 0 || !out->failed)
		return rc;
	str_reset(out);
	hash_to_base32(x->run.id, id);
	jw_init(&w, out);
	jw_object(&w);
	jw_kstr(&w, "id", id);
	jw_kstr(&w, "dag", x->run.dag);
	jw_kstr(&w, "state", run_state_name(x->run.state));
	jw_kstr(&w, "message", x->run.message);
	jw_end_object(&w);
	return 0;
}

/* ---- whom ---- */

static bool named_before(const struct json *list, const struct json *at)
{
	for (const struct json *j = json_first(list); j != NULL && j != at; j = json_next(j)) {
		if (str_eq(json_str(j, ""), json_str(at, "")))
			return true;
	}
	return false;
}

static bool named_in(const struct json *list, const char *name)
{
	for (const struct json *j = json_first(list); j != NULL; j = json_next(j)) {
		if (str_eq(json_str(j, ""), name))
			return true;
	}
	return false;
}

int outbox_run(struct tx *x, enum notice n)
{
	const struct plan *p = x->plan;
	const struct json *first = n == NOTICE_SUCCEEDED   ? p->on_success
				   : n == NOTICE_CANCELLED ? NULL
							   : p->on_failure;
	const struct json *second = n == NOTICE_LATE ? NULL : p->on_exit;
	struct outbox_rec m;
	struct str data;
	int rc = 0;

	if (json_len(first) + json_len(second) == 0)
		return 0;
	str_init(&data, DATA_MAX);
	rc = put_run(x, &data);
	for (const struct json *j = json_first(first); rc == 0 && j != NULL; j = json_next(j)) {
		if (!named_before(first, j))
			rc = message_add(x, json_str(j, ""), n, &x->run, &data, &m);
	}
	for (const struct json *j = json_first(second); rc == 0 && j != NULL; j = json_next(j)) {
		if (!named_before(second, j) && !named_in(first, json_str(j, "")))
			rc = message_add(x, json_str(j, ""), n, &x->run, &data, &m);
	}
	str_done(&data);
	return rc;
}

/* ---- late_after ---- */

/* From the logical time; a run that has none, or is made up for later, from when it was queued.
 * Those of a backfill wait by design. */
int late_arm(struct tx *x)
{
	int64_t after_us = x->plan->late_after_ms * US_PER_MS;
	struct run_rec *r = &x->run;
	bool timed =
	    r->trigger == TRIGGER_CRON || r->trigger == TRIGGER_AT || r->trigger == TRIGGER_EVERY;
	struct key k;

	if (x->plan->late_after_ms < 0 || r->trigger == TRIGGER_BACKFILL || r->backfill != 0)
		return 0;
	r->late_at = x->now + after_us;
	if (timed && r->logical_time != TIME_NONE && r->logical_time + after_us > x->now)
		r->late_at = r->logical_time + after_us;
	key_due_run(&k, r->late_at, DUE_LATE, r->no);
	return due_add(x, &k);
}

int late_disarm(struct tx *x)
{
	struct key k;

	if (x->run.late_at == 0)
		return 0;
	key_due_run(&k, x->run.late_at, DUE_LATE, x->run.no);
	x->run.late_at = 0;
	x->run_dirty = true;
	return due_del(x, &k);
}

int due_late(struct tx *x, const struct due_key *due)
{
	int rc = must(run_open(x, due->run));

	if (rc == 0 && (x->run.state != RUN_QUEUED || x->run.late_at == 0))
		rc = ERR_CORRUPT;
	if (rc == 0)
		rc = late_disarm(x);
	if (rc != 0)
		return rc;
	x->run.late = true;
	return outbox_run(x, NOTICE_LATE);
}

/* ---- sending ---- */

int due_outbox(struct tx *x, const struct due_key *due)
{
	struct outbox_rec m;
	struct slice data;
	struct effect *e;
	int rc = ERR_CORRUPT;

	if (due->run <= UINT32_MAX)
		rc = must(outbox_head(x->v, (uint32_t)due->run, &m, &data));
	if (rc != 0)
		return rc;
	m.sending = true;
	rc = head_move(x, &m, data, x->now + LEASE_US);
	if (rc != 0)
		return rc;
	e = effect_add(x, EFFECT_OUTBOX, m.seq);
	e->instance = m.endpoint_no;
	return 0;
}

static wall_us backoff(const struct outbox_rec *m, int64_t wish_ms)
{
	int64_t us = FIRST_DELAY_US, wish = 0;

	for (uint32_t i = 1; i < m->tries && us < MAX_DELAY_US; i++)
		us *= 2;
	if (us > MAX_DELAY_US)
		us = MAX_DELAY_US;
	if (wish_ms > 0)
		wish = wish_ms > MAX_WISH_US / US_PER_MS ? MAX_WISH_US : wish_ms * US_PER_MS;
	return wish > us ? wish : us;
}

static bool is_hopeless(const struct tx *x, const struct outbox_rec *m, const struct op *op)
{
	return op->u.sent.gone || m->notice == NOTICE_TEST || x->now - m->created_at >= KEEP_US ||
	       (op->u.sent.class_ == CLASS_DATA && m->tries >= DATA_TRIES);
}

int op_sent(struct tx *x, const struct op *op)
{
	struct endpoint_rec e;
	struct outbox_rec m;
	struct slice data;
	int rc = outbox_head(x->v, op->u.sent.endpoint_no, &m, &data);

	if (rc == ERR_NOT_FOUND || (rc == 0 && m.seq != op->u.sent.seq))
		return 0; /* an answer that was stored before */
	if (rc == 0)
		rc = must(endpoint_get(x->v, m.endpoint, &e));
	if (rc != 0)
		return rc;
	m.sending = false;
	memcpy(e.last_id, m.id, sizeof(e.last_id));
	e.last_at = x->now;
	e.last_ok = op->u.sent.ok;
	if (op->u.sent.ok) {
		e.sent++;
		rc = head_drop(x, &e, &m);
		return rc != 0 ? rc : endpoint_put(x->v, &e);
	}
	m.tries++;
	str_copy(m.error, sizeof(m.error), op->u.sent.error != NULL ? op->u.sent.error : "");
	str_copy(e.error, sizeof(e.error), m.error);
	if (is_hopeless(x, &m, op)) {
		e.given_up++;
		x->r->gave_up = true;
		rc = head_drop(x, &e, &m);
	} else {
		rc = head_move(x, &m, data, x->now + backoff(&m, op->u.sent.retry_after_ms));
	}
	return rc != 0 ? rc : endpoint_put(x->v, &e);
}

/* ---- by hand, and after a restart ---- */

/* The first message is due now, also one that was handed out: by a daemon that is gone, or by this
 * one, which knows what it has under way. */
static int head_poke(struct tx *x, uint32_t endpoint_no)
{
	struct outbox_rec m;
	struct slice data;
	int rc = outbox_head(x->v, endpoint_no, &m, &data);

	if (rc != 0 || m.next_at <= x->now)
		return rc == ERR_NOT_FOUND ? 0 : rc;
	m.sending = false;
	return head_move(x, &m, data, x->now);
}

static int poke_all(struct tx *x)
{
	struct endpoint_rec e;
	struct view_walk w;
	struct slice value;
	int rc;

	view_walk_init(&w, x->v, TABLE_ENDPOINT, NULL, 0, false);
	while ((rc = view_walk_next(&w, &value)) == 0) {
		rc = endpoint_decode(value, &e, NULL);
		if (rc == 0)
			rc = head_poke(x, e.no);
		if (rc != 0)
			return rc;
	}
	return rc == ERR_NOT_FOUND ? 0 : rc;
}

int op_notify(struct tx *x, const struct op *op)
{
	const char *name = op->u.notify.endpoint;
	struct endpoint_rec e;
	struct outbox_rec m;
	struct str data;
	struct jw w;
	int rc;

	if (name == NULL)
		return poke_all(x);
	if (x->env->conf == NULL || json_get(x->env->conf->notify, name) == NULL)
		return refuse(x, ERR_NOT_FOUND, "sluice.yaml has no \"%.63s\" under notify:", name);
	if (endpoint_get(x->v, name, &e) == 0 && e.waiting >= WAITING_MAX)
		return refuse(x, ERR_LIMIT, "%u messages wait for \"%.63s\"", WAITING_MAX, name);
	str_init(&data, DATA_MAX);
	jw_init(&w, &data);
	jw_object(&w);
	jw_kstr(&w, "message", "A test message: what a run has to say will come here.");
	jw_kstr(&w, "by", op->u.notify.actor);
	jw_end_object(&w);
	rc = message_add(x, name, NOTICE_TEST, NULL, &data, &m);
	str_done(&data);
	if (rc == 0)
		rc = head_poke(x, m.endpoint_no);
	memcpy(x->r->message, m.id, sizeof(m.id));
	return rc;
}
