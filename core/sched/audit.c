/* audit.c: who did what: one record for each op that a person caused and that changed something, in
 * its transaction. Each record holds the hash of the one before, so nothing can be taken out or
 * changed without a trace; the hash is over the text that the API shows, so anyone can check it. */
#include "core/sched/audit.h"

#include "core/sched/tx.h"

#include <stdio.h>
#include <string.h>

void audit_hash(const struct audit_rec *a, uint8_t out[HASH_SHA256_BYTES])
{
	char at[CLOCK_TEXT_MAX], prev[2 * HASH_SHA256_BYTES + 1];
	struct str text;

	hash_to_hex(a->prev, sizeof(a->prev), prev);
	str_init(&text, RECORD_MAX);
	str_addf(&text, "%llu\n%s\n%s\n%s\n%s\n%s\n%s\n", (unsigned long long)a->seq,
	    clock_format(a->at, at), a->actor, a->verb, a->object, a->detail, prev);
	hash_sha256(str_peek(&text), text.len, out);
	str_done(&text);
}

int audit_head(const struct view *v, uint8_t out[HASH_SHA256_BYTES])
{
	struct slice s;
	int rc = view_get(v, TABLE_META, META_AUDIT_HEAD, strlen(META_AUDIT_HEAD), &s);

	memset(out, 0, HASH_SHA256_BYTES);
	if (rc == 0 && s.n != HASH_SHA256_BYTES)
		return ERR_CORRUPT;
	if (rc == 0)
		memcpy(out, s.p, HASH_SHA256_BYTES);
	return rc == ERR_NOT_FOUND ? 0 : rc;
}

/* One line each: a line feed would make two readings of the hashed text possible. */
static void clean(char *s)
{
	for (; *s != 0; s++) {
		if ((unsigned char)*s < 0x20 || *s == 0x7f)
			*s = ' ';
	}
}

static int append(const struct view *v, wall_us now, struct audit_rec *a)
{
	uint8_t buf[RECORD_MAX], head[HASH_SHA256_BYTES];
	struct key k;
	int rc = meta_next(v, META_NEXT_AUDIT, &a->seq);

	if (rc == 0)
		rc = audit_head(v, a->prev);
	if (rc != 0)
		return rc;
	a->at = now;
	clean(a->actor);
	clean(a->object);
	clean(a->detail);
	audit_hash(a, head);
	key_run(&k, a->seq);
	rc = view_put(v, TABLE_AUDIT, k.b, k.n, buf, audit_encode(a, buf));
	return rc != 0 ? rc
		       : view_put(v, TABLE_META, META_AUDIT_HEAD, strlen(META_AUDIT_HEAD), head,
			     sizeof(head));
}

/* ---- what each op says ---- */

static void say(struct audit_rec *a, const char *actor, const char *verb)
{
	str_copy(a->actor, sizeof(a->actor), actor != NULL && actor[0] != 0 ? actor : "daemon");
	str_copy(a->verb, sizeof(a->verb), verb);
}

static void object(struct audit_rec *a, const char *kind, const char *name)
{
	snprintf(a->object, sizeof(a->object), "%.20s:%.400s", kind, name);
}

static void __attribute__((format(printf, 2, 3))) detail(struct audit_rec *a, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(a->detail, sizeof(a->detail), fmt, ap);
	va_end(ap);
}

/* "run:ID", and which one that is in words. */
static void about_run(struct tx *x, struct audit_rec *a, uint64_t no)
{
	char id[HASH_ID_TEXT];
	struct run_rec rec;
	const struct run_rec *r = &x->run;

	if (!x->run_open || x->run.no != no) {
		if (run_get(x->v, no, &rec) != 0)
			return;
		r = &rec;
	}
	hash_to_base32(r->id, id);
	object(a, "run", id);
	detail(a, "%s %s", r->dag, r->key);
}

static void add_detail(struct audit_rec *a, const char *text)
{
	size_t n = strlen(a->detail);

	if (text != NULL && text[0] != 0)
		snprintf(a->detail + n, sizeof(a->detail) - n, "%s%.300s", n > 0 ? ", " : "", text);
}

static bool say_start(struct tx *x, const struct op *op, struct audit_rec *a)
{
	if (x->r->duplicate || x->r->n_runs == 0)
		return false;
	say(a, op->u.start.actor, "start");
	about_run(x, a, x->r->runs[0]);
	return true;
}

static bool say_cancel(struct tx *x, const struct op *op, struct audit_rec *a)
{
	if (x->r->count == 0)
		return false;
	say(a, op->u.cancel.actor, "cancel");
	if (op->u.cancel.run != 0) {
		about_run(x, a, op->u.cancel.run);
		return true;
	}
	if (op->u.cancel.all)
		str_copy(a->object, sizeof(a->object), "all");
	else
		object(a, "dag", op->u.cancel.dag);
	detail(a, "%u runs", x->r->count);
	return true;
}

static bool say_rerun(struct tx *x, const struct op *op, struct audit_rec *a)
{
	say(a, op->u.rerun.actor, "rerun");
	about_run(x, a, op->u.rerun.run);
	for (size_t i = 0; i < op->u.rerun.n_steps && i < 8; i++)
		add_detail(a, op->u.rerun.steps[i]);
	return true;
}

static bool say_mark(struct tx *x, const struct op *op, struct audit_rec *a)
{
	char what[PLAN_NAME_MAX + PLAN_KEY_MAX + 40];
	const char *item = op->u.mark.item != NULL ? op->u.mark.item : "";

	if (x->r->count == 0)
		return false;
	say(a, op->u.mark.actor, "mark");
	about_run(x, a, op->u.mark.run);
	snprintf(what, sizeof(what), "%.63s%s%.200s%s %.20s", op->u.mark.step,
	    item[0] != 0 ? "[" : "", item, item[0] != 0 ? "]" : "", op->u.mark.state);
	add_detail(a, what);
	return true;
}

static bool say_pause(struct tx *x, const struct op *op, struct audit_rec *a)
{
	if (x->r->count == 0 && op->u.pause.dag != NULL)
		return false;
	say(a, op->u.pause.actor, op->u.pause.on ? "pause" : "resume");
	if (op->u.pause.dag != NULL)
		object(a, "dag", op->u.pause.dag);
	else
		str_copy(a->object, sizeof(a->object), "all");
	return true;
}

static bool say_touch(struct tx *x, const struct op *op, struct audit_rec *a)
{
	(void)x;
	say(a, op->u.touch.actor, "touch");
	object(a, "dataset", op->u.touch.dataset);
	add_detail(a, op->u.touch.partition);
	return true;
}

static void scope_text(const struct token_rec *t, struct audit_rec *a)
{
	char text[PLAN_NAME_MAX + 16];
	const char *of = t->object[0] != 0 ? t->object : "*";

	if ((t->scopes & SCOPE_READ) != 0)
		add_detail(a, "read");
	if ((t->scopes & SCOPE_ADMIN) != 0)
		add_detail(a, "admin");
	snprintf(text, sizeof(text), "run:%s", of);
	if ((t->scopes & SCOPE_RUN) != 0)
		add_detail(a, text);
	snprintf(text, sizeof(text), "ingest:%s", of);
	if ((t->scopes & SCOPE_INGEST) != 0)
		add_detail(a, text);
}

static bool say_token(struct tx *x, const struct op *op, struct audit_rec *a)
{
	(void)x;
	if (op->kind == OP_TOKEN_REVOKE) {
		say(a, op->u.token_revoke.actor, "token-revoke");
		object(a, "token", op->u.token_revoke.name);
		return true;
	}
	say(a, op->u.token_add.actor, "token-add");
	object(a, "token", op->u.token_add.rec.name);
	scope_text(&op->u.token_add.rec, a);
	return true;
}

static bool say_apply(struct tx *x, const struct op *op, struct audit_rec *a)
{
	if (x->r->added + x->r->changed + x->r->removed == 0)
		return false;
	say(a, op->u.plans.actor, "apply");
	str_copy(a->object, sizeof(a->object), "dags");
	detail(a, "%u added, %u changed, %u removed", x->r->added, x->r->changed, x->r->removed);
	return true;
}

static bool say_replay(struct tx *x, const struct op *op, struct audit_rec *a)
{
	char no[24];

	if (op->u.event.actor == NULL)
		return false;
	say(a, op->u.event.actor, "replay");
	snprintf(no, sizeof(no), "%llu", (unsigned long long)x->r->event);
	object(a, "event", no);
	detail(a, "%.200s %s", op->u.event.source, verdict_name(x->r->verdict));
	return true;
}

static bool say_backfill(struct tx *x, const struct op *op, struct audit_rec *a)
{
	static const char *const verbs[BACKFILL_STATE_N] = {
	    "backfill-resume", "backfill-pause", NULL, NULL, "backfill-cancel"};
	struct backfill_rec b;
	char no[24];

	if (backfill_get(x->v, x->r->number, &b) != 0)
		return false;
	if (op->kind == OP_BACKFILL)
		say(a, op->u.backfill.actor, "backfill");
	else
		say(a, op->u.backfill_state.actor, verbs[op->u.backfill_state.to]);
	snprintf(no, sizeof(no), "%llu", (unsigned long long)b.no);
	object(a, "backfill", no);
	detail(a, "%s/%s from %s to %s%s", b.dag, b.trigger, b.from_text, b.to_text,
	    b.reprocess ? ", reprocess" : "");
	return op->kind == OP_BACKFILL || x->r->count > 0 ||
	       op->u.backfill_state.to == BACKFILL_CANCELLED;
}

static bool say_cursor(struct tx *x, const struct op *op, struct audit_rec *a)
{
	const char *item = op->u.cursor_set.item;

	(void)x;
	say(a, op->u.cursor_set.actor, "cursor-set");
	snprintf(a->object, sizeof(a->object), "cursor:%.63s/%.63s%s%.255s", op->u.cursor_set.dag,
	    op->u.cursor_set.step, item[0] != 0 ? "/" : "", item);
	add_detail(a, op->u.cursor_set.json);
	return true;
}

static bool say_notify(struct tx *x, const struct op *op, struct audit_rec *a)
{
	char id[HASH_ID_TEXT];

	if (op->u.notify.endpoint == NULL)
		return false; /* the daemon's own: what waits is tried at once */
	hash_to_base32(x->r->message, id);
	say(a, op->u.notify.actor, "notify-test");
	object(a, "notify", op->u.notify.endpoint);
	detail(a, "msg_%s", id);
	return true;
}

static bool say_note(struct tx *x, const struct op *op, struct audit_rec *a)
{
	(void)x;
	say(a, op->u.note.actor, op->u.note.verb);
	str_copy(a->object, sizeof(a->object), op->u.note.object);
	add_detail(a, op->u.note.detail);
	return true;
}

typedef bool (*say_fn)(struct tx *x, const struct op *op, struct audit_rec *a);
static const say_fn sayings[OP_KIND_N] = {
    [OP_EVENT] = say_replay,
    [OP_START] = say_start,
    [OP_PLANS] = say_apply,
    [OP_CANCEL] = say_cancel,
    [OP_RERUN] = say_rerun,
    [OP_MARK] = say_mark,
    [OP_PAUSE] = say_pause,
    [OP_TOUCH] = say_touch,
    [OP_TOKEN_ADD] = say_token,
    [OP_TOKEN_REVOKE] = say_token,
    [OP_BACKFILL] = say_backfill,
    [OP_BACKFILL_STATE] = say_backfill,
    [OP_CURSOR_SET] = say_cursor,
    [OP_NOTIFY] = say_notify,
    [OP_NOTE] = say_note,
};

int audit_op(struct tx *x, const struct op *op)
{
	struct audit_rec a;

	if (sayings[op->kind] == NULL)
		return 0;
	memset(&a, 0, sizeof(a));
	return sayings[op->kind](x, op, &a) ? append(x->v, x->now, &a) : 0;
}

int audit_note(const struct view *v, wall_us now, const char *actor, const char *verb,
    const char *object, const char *text)
{
	struct audit_rec a;

	memset(&a, 0, sizeof(a));
	say(&a, actor, verb);
	str_copy(a.object, sizeof(a.object), object);
	add_detail(&a, text);
	return append(v, now, &a);
}

int op_note(struct tx *x, const struct op *op)
{
	(void)op;
	x->r->count = 1;
	return 0;
}
