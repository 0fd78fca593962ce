/* list_more.c: pages of backfills, audit records and cursors. */
#include "core/sched/audit.h"
#include "core/sched/list.h"
#include "core/sched/show.h"
#include "core/sched/table.h"

#include <string.h>

static int state_check(const struct list_query *q, struct err *err)
{
	if (q->state == NULL || q->state[0] == 0)
		return 0;
	for (int i = 0; i < BACKFILL_STATE_N; i++) {
		if (str_eq(q->state, backfill_state_name((enum backfill_state)i)))
			return 0;
	}
	return err_set(err, ERR_USAGE,
	    "state: \"%.40s\" is none of running paused succeeded failed cancelled", q->state);
}

int list_backfills(const struct view *v, const struct list_query *q, struct jw *out, char *ret_next,
    struct err *err)
{
	struct backfill_rec b;
	struct key prefix;
	struct pager p;
	uint64_t after, no;
	int rc = list_after_number(q, &after, err);

	if (rc == 0)
		rc = state_check(q, err);
	if (rc != 0)
		return rc;
	key_init(&prefix);
	pager_init(&p, v, TABLE_BACKFILL, &prefix, after, list_limit(q));
	while ((rc = pager_next(&p, &no)) == 0) {
		rc = backfill_get(v, no, &b);
		if (rc != 0)
			return rc;
		if ((q->dag != NULL && q->dag[0] != 0 && !str_eq(q->dag, b.dag)) ||
		    (q->state != NULL && q->state[0] != 0 &&
			!str_eq(q->state, backfill_state_name(b.state))))
			continue;
		rc = show_backfill(v, no, false, out);
		if (rc != 0)
			return rc;
		p.left--;
	}
	pager_end(&p, ret_next);
	return rc == ERR_NOT_FOUND ? 0 : rc;
}

/* ---- audit ---- */

static void put_audit(const struct audit_rec *a, struct jw *out)
{
	char hex[2 * HASH_SHA256_BYTES + 1];
	uint8_t hash[HASH_SHA256_BYTES];

	jw_object(out);
	jw_ki64(out, "seq", (int64_t)a->seq);
	jw_ktime(out, "time", a->at);
	jw_kstr(out, "actor", a->actor);
	jw_kstr(out, "verb", a->verb);
	jw_kstr(out, "object", a->object);
	jw_kstr(out, "detail", a->detail);
	hash_to_hex(a->prev, sizeof(a->prev), hex);
	jw_kstr(out, "prev", hex);
	audit_hash(a, hash);
	hash_to_hex(hash, sizeof(hash), hex);
	jw_kstr(out, "hash", hex);
	jw_end_object(out);
}

int list_audit(const struct view *v, const struct list_query *q, struct jw *out, char *ret_next,
    struct err *err)
{
	struct audit_rec a;
	struct key prefix;
	struct pager p;
	uint64_t after, seq;
	int rc = list_after_number(q, &after, err);

	if (rc != 0)
		return rc;
	key_init(&prefix);
	pager_init(&p, v, TABLE_AUDIT, &prefix, after, list_limit(q));
	while ((rc = pager_next(&p, &seq)) == 0) {
		rc = audit_get(v, seq, &a);
		if (rc != 0)
			return rc;
		if (q->since != TIME_NONE && a.at < q->since) {
			rc = ERR_NOT_FOUND;
			break;
		}
		put_audit(&a, out);
		p.left--;
	}
	pager_end(&p, ret_next);
	return rc == ERR_NOT_FOUND ? 0 : rc;
}

/* ---- cursors ---- */

/* Their keys are longer than a `next` may be: it is the hash of the last one, which is looked for
 * from the beginning. Cursors are never removed, so it is there. */
static void next_of(const struct view_walk *w, char *out)
{
	uint8_t hash[HASH_SHA256_BYTES];

	hash_sha256(w->key, w->key_n, hash);
	out[0] = '-';
	hash_to_hex(hash, 16, out + 1);
}

static int skip_to(struct view_walk *w, const char *after, struct err *err)
{
	char next[LIST_NEXT_MAX];
	int rc;

	if (after == NULL || after[0] == 0)
		return 0;
	while ((rc = view_walk_next(w, NULL)) == 0) {
		next_of(w, next);
		if (str_eq(next, after))
			return 0;
	}
	return rc != ERR_NOT_FOUND ? rc
				   : err_set(err, ERR_NOT_FOUND,
					 "after: \"%.40s\" is no `next` of this list any more: "
					 "begin again without it",
					 after);
}

int list_cursors(const struct view *v, const struct list_query *q, struct jw *out, char *ret_next,
    struct err *err)
{
	uint32_t left = list_limit(q);
	struct view_walk w;
	struct slice value;
	struct key prefix;
	int rc;

	key_init(&prefix);
	if (q->dag != NULL && q->dag[0] != 0)
		key_text0(&prefix, q->dag);
	view_walk_init(&w, v, TABLE_CURSOR, prefix.b, prefix.n, false);
	ret_next[0] = 0;
	rc = skip_to(&w, q->after, err);
	if (rc != 0)
		return rc;
	while (rc == 0 && left-- > 0) {
		rc = view_walk_next(&w, &value);
		if (rc == 0)
			rc = show_cursor(v, (struct slice){w.key, w.key_n}, value, out);
	}
	if (rc == 0) {
		next_of(&w, ret_next);
		rc = view_walk_next(&w, NULL);
	}
	if (rc == ERR_NOT_FOUND)
		ret_next[0] = 0;
	return rc == ERR_NOT_FOUND ? 0 : rc;
}

int find_cursor(
    const struct view *v, const char *dag, const char *step, const char *item, struct jw *out)
{
	struct slice value;
	struct key k;
	int rc;

	key_cursor(&k, dag, step, item);
	rc = view_get(v, TABLE_CURSOR, k.b, k.n, &value);
	return rc != 0 ? rc : show_cursor(v, (struct slice){k.b, k.n}, value, out);
}
