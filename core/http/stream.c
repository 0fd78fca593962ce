/* stream.c: GET /v1/stream: live state as Server-Sent Events.
 *
 * A ring keeps references (kind and id), not texts: a client is a position in it, and what it is
 * sent is rendered from the store when its socket takes more. So a slow reader costs nothing but
 * its position, and one that falls out of the ring, or comes back with a Last-Event-ID that has
 * left it, is sent `reset` and goes on from now. States are those at the time of sending.
 *
 *   event: run      the run object without steps
 *   event: step     {"run","dag","step":{the step object},"progress":{…}?}   progress frames carry
 * no id event: log      {"run","dag","step","item","attempt","offset","text"}    only with ?run=
 *   event: dataset  the data set's object
 *   event: event    the event object
 *   event: dag      the DAG's object
 *   event: reset    {}: read the state again
 */
#include "core/http/stream.h"

#include "core/base/mem.h"
#include "core/http/call.h"
#include "core/http/route.h"
#include "core/http/tail.h"
#include "core/sched/show.h"
#include "core/sched/table.h"

#include <stdio.h>
#include <string.h>

#define FILL_BYTES (64u << 10) /* rendered at once for one client */
#define EVENT_MAX (4u << 20)
#define TAILS_MAX 64
#define PROGRESS_MAX (64u << 10)
#define LAST_ID_MAX 64
#define LOOK_AHEAD 64	   /* references */
#define LINE_MAX_HELD 4096 /* bytes of a line without end that are waited for */

struct ref {
	uint8_t kind; /* enum effect_kind */
	struct step_ref step;
	uint64_t id;
};

struct waiter {
	LIST_ENTRY(waiter) link;
	struct stream *s;
	struct call *call;
	uint64_t run;
	struct event timer;
};

struct client {
	LIST_ENTRY(client) link;
	struct stream *s;
	struct conn *conn;
	uint64_t pos; /* number of the next reference; 0: lost */
	char dag[PLAN_NAME_MAX];
	uint64_t run; /* 0: all */
	struct tail tails[TAILS_MAX];
	size_t n_tails;
	struct event poll;
	bool hello;
};

struct stream {
	struct http *h;
	struct ref *ring; /* owned; made with the first effect */
	uint32_t size;
	uint64_t next; /* number of the next reference; they begin at 1 */
	uint32_t boot; /* part of every id: those of an earlier daemon mean nothing here */
	LIST_HEAD(, client) clients;
	LIST_HEAD(, waiter) waiters;
	struct event kick;
	struct str text, event; /* one event's data, and the whole of it */
};

/* ---- effects in ---- */

static void on_kick(evutil_socket_t fd, short what, void *arg)
{
	struct stream *s = arg;
	struct client *k, *next;

	(void)fd;
	(void)what;
	for (k = LIST_FIRST(&s->clients); k != NULL; k = next) {
		next = LIST_NEXT(k, link);
		conn_kick(k->conn);
	}
}

struct stream *stream_new(struct http *h, uint32_t n)
{
	struct stream *s = MEM_NEW(struct stream);

	s->h = h;
	s->size = n;
	s->next = 1;
	hash_random(&s->boot, sizeof(s->boot));
	LIST_INIT(&s->clients);
	LIST_INIT(&s->waiters);
	str_init(&s->text, EVENT_MAX);
	str_init(&s->event, 2 * EVENT_MAX);
	event_assign(&s->kick, h->env.base, -1, 0, on_kick, s);
	return s;
}

static void waiter_free(struct waiter *w)
{
	LIST_REMOVE(w, link);
	event_del(&w->timer);
	mem_free(w);
}

void stream_free(struct stream *s)
{
	struct waiter *w;

	if (s == NULL)
		return;
	while ((w = LIST_FIRST(&s->waiters)) != NULL) {
		call_free(w->call);
		waiter_free(w);
	}
	event_del(&s->kick);
	str_done(&s->text);
	str_done(&s->event);
	mem_free(s->ring);
	mem_free(s);
}

static void waiter_answer(struct waiter *w)
{
	struct http *h = w->s->h;
	struct conn *c = w->call->conn;
	uint64_t run = w->run;
	struct call *call = w->call;
	const struct view *v;

	waiter_free(w);
	call_free(call);
	if (c == NULL)
		return;
	v = h->env.view_begin(h->env.arg);
	int rc = v != NULL ? show_run(v, run, true, reply_begin(h)) : ERR_IO;
	if (v != NULL)
		h->env.view_end(h->env.arg);
	if (rc != 0)
		reply_err(c, rc, NULL);
	else
		reply_json(c, 200);
}

static void on_wait_over(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	waiter_answer(arg);
}

void stream_wait(struct http_req *q, uint64_t run, uint32_t seconds)
{
	struct stream *s = q->h->stream;
	struct waiter *w = MEM_NEW(struct waiter);
	struct timeval tv = {.tv_sec = seconds};

	w->s = s;
	w->run = run;
	w->call = call_new_daemon(q);
	event_assign(&w->timer, q->h->env.base, -1, 0, on_wait_over, w);
	evtimer_add(&w->timer, &tv);
	LIST_INSERT_HEAD(&s->waiters, w, link);
}

void stream_drain(struct stream *s)
{
	struct waiter *w;

	while ((w = LIST_FIRST(&s->waiters)) != NULL)
		waiter_answer(w);
}

static void wake_waiters(struct stream *s, const struct effect *e)
{
	struct waiter *w, *next;

	if (e->kind != EFFECT_RUN || !run_state_ended((enum run_state)e->state))
		return;
	for (w = LIST_FIRST(&s->waiters); w != NULL; w = next) {
		next = LIST_NEXT(w, link);
		if (w->run == e->id)
			waiter_answer(w);
	}
}

static bool shown(const struct effect *e)
{
	return e->kind == EFFECT_RUN || e->kind == EFFECT_STEP || e->kind == EFFECT_DATASET ||
	       e->kind == EFFECT_EVENT || e->kind == EFFECT_DAG;
}

static void push(struct stream *s, const struct effect *e)
{
	struct ref r = {.kind = (uint8_t)e->kind, .id = e->id};

	if (e->kind == EFFECT_STEP)
		r.step = e->step;
	if (s->ring == NULL)
		s->ring = mem_calloc(s->size, sizeof(*s->ring));
	s->ring[s->next++ % s->size] = r;
}

void stream_effects(struct stream *s, const struct effect *v, size_t n)
{
	bool any = false;

	for (size_t i = 0; i < n; i++) {
		if (!shown(&v[i]))
			continue;
		push(s, &v[i]);
		any = true;
		if (!LIST_EMPTY(&s->waiters))
			wake_waiters(s, &v[i]);
	}
	if (any && !LIST_EMPTY(&s->clients))
		event_active(&s->kick, 0, 0);
}

/* ---- events out ---- */

static void send_event(struct client *k, const char *name, uint64_t id)
{
	struct str *t = &k->s->text, *e = &k->s->event;

	if (t->failed)
		return;
	str_reset(e);
	if (id != 0)
		str_addf(e, "id: %08x-%llu\n", k->s->boot, (unsigned long long)id);
	str_addf(e, "event: %s\ndata: ", name);
	str_addn(e, str_peek(t), t->len);
	str_add(e, "\n\n");
	if (!e->failed)
		conn_write(k->conn, e->s, e->len);
}

static struct jw *data_begin(struct stream *s, struct jw *w)
{
	if (s->text.cap > FILL_BYTES)
		str_done(&s->text), str_init(&s->text, EVENT_MAX);
	str_reset(&s->text);
	jw_init(w, &s->text);
	return w;
}

/* {"run","dag", then the members of the step object, "progress"} */
static int render_step(
    const struct view *v, const struct client *k, const struct step_ref *step, const char *progress)
{
	struct str *t = &k->s->text, *object = &k->s->event;
	struct run_rec run;
	struct jw w;
	char id[HASH_ID_TEXT];
	int rc = run_get(v, step->run, &run);

	if (rc != 0 || (k->dag[0] != '\0' && !str_eq(k->dag, run.dag)))
		return rc != 0 ? rc : ERR_NOT_FOUND;
	str_reset(object);
	jw_init(&w, object);
	rc = show_step(v, step, &w);
	if (rc != 0 || object->failed || object->len < 2)
		return rc != 0 ? rc : ERR_LIMIT;
	hash_to_base32(run.id, id);
	str_addf(t, "{\"run\":\"%s\",\"dag\":\"%s\",", id, run.dag);
	str_addn(t, object->s + 1, object->len - 2);
	if (progress != NULL)
		str_addf(t, ",\"progress\":%s", progress);
	str_addc(t, '}');
	return 0;
}

static int render_run(const struct view *v, const struct client *k, uint64_t no, struct jw *w)
{
	struct run_rec run;
	int rc = run_get(v, no, &run);

	if (rc != 0 || (k->dag[0] != '\0' && !str_eq(k->dag, run.dag)))
		return rc != 0 ? rc : ERR_NOT_FOUND;
	return show_run(v, no, false, w);
}

static int render_dataset(const struct view *v, const struct client *k, uint32_t no, struct jw *w)
{
	struct key key;
	struct slice value;
	struct dataset_rec rec;

	if (k->dag[0] != '\0') {
		key_init(&key);
		key_u32(&key, no);
		int rc = view_get(v, TABLE_DATASET, key.b, key.n, &value);
		if (rc == 0)
			rc = dataset_decode(value, &rec, NULL);
		if (rc != 0 || !str_eq(rec.owner_dag, k->dag))
			return rc != 0 ? rc : ERR_NOT_FOUND;
	}
	return show_dataset(v, no, false, w);
}

static void watch_log(const struct view *v, struct client *k, const struct step_ref *step)
{
	for (size_t i = 0; i < k->n_tails; i++) {
		if (k->tails[i].ref.step == step->step && k->tails[i].ref.item == step->item)
			return;
	}
	if (k->n_tails < TAILS_MAX && tail_open(v, step, 0, &k->tails[k->n_tails]) == 0)
		k->n_tails++;
}

/* Sends one reference, where the client's filters let it pass. */
static void send_ref(const struct view *v, struct client *k, const struct ref *r, uint64_t id)
{
	struct jw w;
	int rc = ERR_NOT_FOUND;
	const char *name = "";
	bool all = k->run == 0;

	data_begin(k->s, &w);
	switch (r->kind) {
	case EFFECT_RUN:
		name = "run";
		if (all || k->run == r->id)
			rc = render_run(v, k, r->id, &w);
		break;
	case EFFECT_STEP:
		name = "step";
		if (!all && k->run != r->step.run)
			break;
		if (!all)
			watch_log(v, k, &r->step);
		rc = render_step(v, k, &r->step, NULL);
		break;
	case EFFECT_DATASET:
		name = "dataset";
		if (all)
			rc = render_dataset(v, k, (uint32_t)r->id, &w);
		break;
	case EFFECT_EVENT:
		name = "event";
		if (all && k->dag[0] == '\0')
			rc = show_event(v, r->id, false, &w);
		break;
	default:
		name = "dag";
		if (all && k->dag[0] == '\0')
			rc = show_dag(v, (uint32_t)r->id, false, k->s->h->env.wall(), &w);
		break;
	}
	if (rc == 0)
		send_event(k, name, id);
}

static void send_reset(struct client *k)
{
	struct jw w;

	k->s->h->stats.streams_reset++;
	k->pos = k->s->next;
	data_begin(k->s, &w);
	jw_object(&w);
	jw_end_object(&w);
	send_event(k, "reset", k->pos - 1);
}

static void send_log(
    struct client *k, const struct tail *t, uint64_t offset, const struct str *text)
{
	struct jw w;

	data_begin(k->s, &w);
	jw_object(&w);
	jw_kstr(&w, "run", t->run_id);
	jw_kstr(&w, "dag", t->dag);
	jw_kstr(&w, "step", t->step);
	jw_key(&w, "item_no");
	jw_u64(&w, t->ref.item);
	jw_ki64(&w, "attempt", t->attempt);
	jw_ki64(&w, "offset", (int64_t)offset);
	jw_key(&w, "text");
	jw_strn(&w, text->s, text->len);
	jw_end_object(&w);
	send_event(k, "log", 0);
}

/* How much of a piece is sent now: whole lines, or, of a line that does not end, whole characters.
 */
static size_t sendable(const struct str *text, bool more)
{
	const char *nl = memrchr(str_peek(text), '\n', text->len);
	size_t n = text->len;

	if (!more || nl != NULL)
		return nl != NULL && more ? (size_t)(nl - text->s) + 1 : n;
	if (n < LINE_MAX_HELD)
		return 0;
	while (n > 0 && ((unsigned char)text->s[n - 1] & 0xc0) == 0x80)
		n--;
	return n > 1 && (unsigned char)text->s[n - 1] >= 0xc0 ? n - 1 : text->len;
}

/* One piece of one log. true: it got on. */
static bool pump_tail(const struct view *v, struct client *k, struct tail *t, bool *ret_over)
{
	enum tail_state state = tail_look(v, t);
	struct str text;
	struct err err;
	uint64_t offset;

	str_init(&text, 2 * TAIL_PIECE);
	*ret_over = tail_read(k->s->h, t, &text, &offset, &err) != 0;
	size_t keep = *ret_over ? 0 : sendable(&text, state == TAIL_MORE);
	bool got = keep > 0;
	if (!*ret_over && keep < text.len) {
		t->offset -= text.len - keep;
		text.len = keep;
	}
	if (got) {
		send_log(k, t, offset, &text);
	} else if (!*ret_over && state == TAIL_NEXT) {
		tail_next(t);
		got = true;
	} else if (state == TAIL_OVER) {
		*ret_over = true;
	}
	str_done(&text);
	return got;
}

static bool pump_tails(const struct view *v, struct client *k)
{
	bool any = false;

	for (size_t i = 0; i < k->n_tails;) {
		bool over;
		any |= pump_tail(v, k, &k->tails[i], &over);
		if (over)
			k->tails[i] = k->tails[--k->n_tails];
		else
			i++;
	}
	return any;
}

static void say_hello(struct client *k)
{
	char line[96];
	int n = snprintf(line, sizeof(line), "retry: 1000\nid: %08x-%llu\n\n", k->s->boot,
	    (unsigned long long)(k->pos - 1));

	k->hello = true;
	conn_write(k->conn, line, (size_t)n);
}

/* The same thing stands in the ring again, close by: what is rendered now would be rendered then.
 */
static bool comes_again(const struct stream *s, uint64_t id)
{
	const struct ref *a = &s->ring[id % s->size];

	for (uint64_t i = id + 1; i < s->next && i <= id + LOOK_AHEAD; i++) {
		const struct ref *b = &s->ring[i % s->size];
		if (a->kind == b->kind && a->id == b->id && a->step.run == b->step.run &&
		    a->step.step == b->step.step && a->step.item == b->step.item)
			return true;
	}
	return false;
}

static void client_fill(struct conn *c, void *arg)
{
	static const struct timeval wait = {.tv_usec = TAIL_POLL_MS * 1000};
	struct client *k = arg;
	struct stream *s = k->s;

	if (!k->hello)
		say_hello(k);
	const struct view *v = s->h->env.view_begin(s->h->env.arg);
	if (v == NULL)
		return;
	if (k->pos == 0 || s->next - k->pos > s->size)
		send_reset(k);
	while (k->pos < s->next && c->out.len - c->out_at < FILL_BYTES) {
		uint64_t id = k->pos++;
		struct ref r = s->ring[id % s->size];
		if (!comes_again(s, id))
			send_ref(v, k, &r, id);
	}
	bool more = pump_tails(v, k);
	s->h->env.view_end(s->h->env.arg);
	if (!more && k->n_tails > 0)
		evtimer_add(&k->poll, &wait);
}

static void client_idle(struct conn *c, void *arg)
{
	(void)arg;
	conn_write(c, ": still here\n\n", 14);
	conn_kick(c);
}

static void client_free(void *arg)
{
	struct client *k = arg;

	LIST_REMOVE(k, link);
	event_del(&k->poll);
	k->s->h->n_streams--;
	mem_free(k);
}

static void on_poll(evutil_socket_t fd, short what, void *arg)
{
	struct client *k = arg;

	(void)fd;
	(void)what;
	conn_kick(k->conn);
}

/* A worker's word, which is a plugin's: only a whole object passes, printed anew on one line, since
 * a line feed would end the event and begin another. */
static bool progress_text(const char *json, size_t n, struct str *out)
{
	struct json *j = NULL;

	if (json_parse(json, n, PROGRESS_MAX, &j, NULL) == 0 && json_is(j, JSON_OBJECT))
		json_print(j, out);
	json_free(j);
	return out->len > 0 && !out->failed;
}

void stream_progress(struct stream *s, const struct step_ref *step, const char *json, size_t n)
{
	struct client *k, *next;
	const struct view *v;
	struct str copy;
	struct jw w;

	if (LIST_EMPTY(&s->clients))
		return;
	str_init(&copy, 2 * PROGRESS_MAX);
	v = progress_text(json, n, &copy) ? s->h->env.view_begin(s->h->env.arg) : NULL;
	if (v == NULL) {
		str_done(&copy);
		return;
	}
	for (k = LIST_FIRST(&s->clients); k != NULL; k = LIST_NEXT(k, link)) {
		/* Whoever is behind does without. */
		if (k->conn->blocked || k->pos != s->next || (k->run != 0 && k->run != step->run))
			continue;
		data_begin(s, &w);
		if (render_step(v, k, step, str_peek(&copy)) == 0)
			send_event(k, "step", 0);
	}
	s->h->env.view_end(s->h->env.arg);
	str_done(&copy);
	for (k = LIST_FIRST(&s->clients); k != NULL; k = next) {
		next = LIST_NEXT(k, link);
		conn_kick(k->conn);
	}
}

/* ---- GET /v1/stream ---- */

/* Where Last-Event-ID left off; 0: it means nothing here, or has left the ring. */
static uint64_t resume_at(const struct stream *s, const char *text)
{
	char boot[16];
	uint64_t id;

	snprintf(boot, sizeof(boot), "%08x-", s->boot);
	if (!str_starts(text, boot) || str_to_u64(text + strlen(boot), &id) != 0)
		return 0;
	if (id >= s->next || s->next - (id + 1) > s->size)
		return 0;
	return id + 1;
}

static bool stream_filters(struct http_req *q, struct client *k, const struct view *v)
{
	char name[PLAN_NAME_MAX + PLAN_KEY_MAX];
	bool bad = false;
	struct err err = {0};
	int rc = 0;

	request_query(q, "dag", k->dag, sizeof(k->dag), &bad);
	if (request_query(q, "run", name, sizeof(name), &bad))
		rc = find_run(v, name, &k->run, &err);
	if (rc != 0)
		reply_err(q->conn, rc, &err);
	else if (bad)
		reply_problem(q->conn, 400, "usage", "dag and run are names");
	return rc == 0 && !bad;
}

/* Of a run that goes on, the logs of the steps that run now. */
static void watch_running(const struct view *v, struct client *k)
{
	struct view_walk walk;
	struct slice value;
	struct key key;

	if (k->run == 0)
		return;
	key_run(&key, k->run);
	view_walk_init(&walk, v, TABLE_STEP, key.b, key.n, false);
	while (k->n_tails < TAILS_MAX && view_walk_next(&walk, &value) == 0) {
		struct step_rec rec;
		if (step_decode(value, &rec, NULL) != 0 || rec.state != STEP_RUNNING)
			continue;
		struct step_ref ref = {.run = rec.run, .step = rec.step, .item = rec.item};
		watch_log(v, k, &ref);
	}
}

void get_stream(struct http_req *q)
{
	struct stream *s = q->h->stream;
	struct client *k = MEM_NEW(struct client);
	struct source source = {.fill = client_fill,
	    .idle = client_idle,
	    .free = client_free,
	    .arg = k,
	    .endless = true};
	char last[LAST_ID_MAX] = "";
	const struct view *v = route_view(q);

	k->s = s;
	k->conn = q->conn;
	k->pos = s->next;
	if (v == NULL || !stream_filters(q, k, v)) {
		if (v != NULL)
			route_view_end(q);
		mem_free(k);
		return;
	}
	watch_running(v, k);
	route_view_end(q);
	/* A position that has left the ring: fill sends `reset`. */
	if (request_header_copy(q, "last-event-id", last, sizeof(last)))
		k->pos = resume_at(s, last);
	event_assign(&k->poll, q->h->env.base, -1, 0, on_poll, k);
	LIST_INSERT_HEAD(&s->clients, k, link);
	q->h->n_streams++;
	conn_begin(q->conn, 200, "text/event-stream", "Cache-Control: no-store\r\n", -1, &source);
}
