/* check_backfill.c: backfills against their runs, both ways, and the chain of the audit records. */
#include "core/sched/audit.h"
#include "core/sched/check_part.h"
#include "core/sched/codec.h"
#include "core/sched/table.h"

#include <string.h>

/* ---- backfills ---- */

static bool has(struct check_out *o, enum table t, const struct key *k)
{
	struct slice s;

	return view_get(o->v, t, k->b, k->n, &s) == 0;
}

struct recount {
	uint64_t open, succeeded, failed, cancelled;
};

static void count_run(struct recount *n, enum run_state s)
{
	n->open += !run_state_ended(s);
	n->succeeded += s == RUN_SUCCEEDED;
	n->failed += s == RUN_FAILED;
	n->cancelled += s == RUN_CANCELLED;
}

/* Runs that ended are dropped by age and with them their entries; the counts stay. */
static int count_runs(struct check_out *o, const struct backfill_rec *b, struct recount *n)
{
	struct view_walk w;
	struct run_rec r;
	uint64_t no;
	struct key k;
	int rc;

	key_init(&k);
	key_u64(&k, b->no);
	view_walk_init(&w, o->v, TABLE_BACKFILL_RUN, k.b, k.n, false);
	while ((rc = view_walk_next(&w, NULL)) == 0) {
		rc = key_tail_u64((struct slice){w.key, w.key_n}, &no);
		if (rc == 0)
			rc = run_get(o->v, no, &r);
		if (rc == ERR_IO)
			return rc;
		if (rc != 0 || r.backfill != b->no)
			check_report(o,
			    "table backfill_run: backfill %llu names run %llu, which is not so",
			    (unsigned long long)b->no, (unsigned long long)no);
		else
			count_run(n, r.state);
	}
	return rc == ERR_NOT_FOUND ? 0 : rc;
}

static void compare(struct check_out *o, const struct backfill_rec *b, const struct recount *n)
{
	struct key k;

	if (b->open != n->open || b->succeeded < n->succeeded || b->failed < n->failed ||
	    b->cancelled < n->cancelled)
		check_report(o,
		    "backfill %llu: counts %llu open, %llu succeeded, %llu failed, %llu "
		    "cancelled; its runs say %llu %llu %llu %llu",
		    (unsigned long long)b->no, (unsigned long long)b->open,
		    (unsigned long long)b->succeeded, (unsigned long long)b->failed,
		    (unsigned long long)b->cancelled, (unsigned long long)n->open,
		    (unsigned long long)n->succeeded, (unsigned long long)n->failed,
		    (unsigned long long)n->cancelled);
	if (b->passed != b->existing + b->rejected + b->taken + b->open + b->succeeded + b->failed +
			     b->cancelled)
		check_report(o, "backfill %llu: %llu targets passed, its counts sum up otherwise",
		    (unsigned long long)b->no, (unsigned long long)b->passed);
	/* More than max_parallel may be open: a person's rerun or mark comes on top. */
	if (b->ended_at == TIME_NONE && b->open == 0 && b->state != BACKFILL_PAUSED &&
	    b->due_at == TIME_NONE)
		check_report(o, "backfill %llu: %s, but nothing will make it go on",
		    (unsigned long long)b->no, backfill_state_name(b->state));
	if (b->due_at != TIME_NONE) {
		key_due_run(&k, b->due_at, DUE_BACKFILL, b->no);
		if (!has(o, TABLE_DUE, &k))
			check_report(
			    o, "table due: backfill %llu has no entry", (unsigned long long)b->no);
	}
}

static int check_all(struct check_out *o)
{
	struct view_walk w;
	struct slice value;
	int rc;

	view_walk_init(&w, o->v, TABLE_BACKFILL, NULL, 0, false);
	while ((rc = view_walk_next(&w, &value)) == 0) {
		struct recount n = {0};
		struct backfill_rec b;

		rc = backfill_decode(value, &b, NULL);
		if (rc == 0)
			rc = count_runs(o, &b, &n);
		if (rc != 0)
			return rc;
		compare(o, &b, &n);
	}
	return rc == ERR_NOT_FOUND ? 0 : rc;
}

/* Entries without a backfill, and runs without an entry. */
static int check_entries(struct check_out *o, enum table t)
{
	struct backfill_rec b;
	struct view_walk w;
	struct slice value;
	struct run_rec r;
	struct key k;
	int rc;

	view_walk_init(&w, o->v, t, NULL, 0, false);
	while ((rc = view_walk_next(&w, &value)) == 0) {
		bool bad = w.key_n < 8;

		if (t == TABLE_RUN) {
			rc = run_decode(value, &r, NULL);
			if (rc != 0)
				return rc;
			key_backfill_run(&k, r.backfill, r.no);
			if (r.backfill != 0 && !has(o, TABLE_BACKFILL_RUN, &k))
				check_report(o, "table backfill_run: run %llu has no entry",
				    (unsigned long long)r.no);
			continue;
		}
		bad = bad || backfill_get(o->v, be_get64(w.key), &b) != 0;
		if (bad || (t == TABLE_BACKFILL_PART && b.ended_at != TIME_NONE))
			check_report(o, "table %s: an entry of a backfill that %s", table_name(t),
			    bad ? "is not there" : "has ended");
	}
	return rc == ERR_NOT_FOUND ? 0 : rc;
}

int check_backfills(struct check_out *o)
{
	int rc = check_all(o);

	if (rc == 0)
		rc = check_entries(o, TABLE_BACKFILL_RUN);
	if (rc == 0)
		rc = check_entries(o, TABLE_BACKFILL_PART);
	return rc != 0 ? rc : check_entries(o, TABLE_RUN);
}

/* ---- audit ---- */

int check_audit(struct check_out *o)
{
	uint8_t hash[HASH_SHA256_BYTES] = {0}, head[HASH_SHA256_BYTES];
	struct audit_rec a;
	struct view_walk w;
	struct slice value;
	uint64_t seq = 0;
	int rc;

	view_walk_init(&w, o->v, TABLE_AUDIT, NULL, 0, false);
	while ((rc = view_walk_next(&w, &value)) == 0) {
		rc = audit_decode(value, &a, NULL);
		if (rc != 0)
			return rc;
		seq++;
		if (w.key_n != 8 || be_get64(w.key) != a.seq || a.seq != seq ||
		    memcmp(a.prev, hash, sizeof(hash)) != 0) {
			check_report(o,
			    "table audit: record %llu does not follow the one before: something "
			    "was changed or taken out",
			    (unsigned long long)a.seq);
			seq = a.seq;
		}
		audit_hash(&a, hash);
	}
	if (rc == ERR_NOT_FOUND)
		rc = audit_head(o->v, head);
	if (rc == 0 && memcmp(head, hash, sizeof(hash)) != 0)
		check_report(o, "table audit: the newest record is not the last one written");
	return rc;
}
