/* The audit records: who did what, the chain, and cursors that a person sets. */
#include "core/sched/audit.h"
#include "core/sched/table.h"
#include "leak.h"
#include "sched_rig.h"

#include <criterion/criterion.h>
#include <string.h>

static struct audit_rec last(struct rig *g)
{
	struct audit_rec a;
	uint64_t next = 1;

	cr_assert_eq(meta_get(&g->mem.view, META_NEXT_AUDIT, &next), 0);
	cr_assert_eq(audit_get(&g->mem.view, next - 1, &a), 0);
	return a;
}

static uint64_t records(struct rig *g)
{
	uint64_t next = 1;

	if (meta_get(&g->mem.view, META_NEXT_AUDIT, &next) != 0)
		return 0;
	return next - 1;
}

/* One more record, which says this. */
static void said(struct rig *g, uint64_t n, const char *verb, const char *object)
{
	struct audit_rec a = last(g);

	cr_assert_eq(records(g), n, "%s: %llu", verb, (unsigned long long)records(g));
	cr_assert_str_eq(a.verb, verb);
	cr_assert_eq(strncmp(a.object, object, strlen(object)), 0, "%s: %s", verb, a.object);
	cr_assert_str_eq(a.actor, "unix:7", "%s", verb);
	cr_assert_eq(a.at, g->now);
}

static void start_and_cancel(struct rig *g)
{
	struct op op = {.kind = OP_START};

	op.u.start.dag = "d";
	op.u.start.key = "k";
	op.u.start.at = TIME_NONE;
	op.u.start.actor = "unix:7";
	cr_assert_eq(rig_op(g, &op), 0);
	said(g, 2, "start", "run:");
	cr_assert_str_eq(last(g).detail, "d k");
	cr_assert_eq(rig_op(g, &op), 0);
	cr_assert_eq(records(g), 2, "the run was there: nothing was done");
	op = (struct op){.kind = OP_CANCEL};
	op.u.cancel.run = 1;
	op.u.cancel.actor = "unix:7";
	cr_assert_eq(rig_op(g, &op), 0);
	said(g, 3, "cancel", "run:");
	rig_answer(g, 1, "a", OUTCOME_CANCELLED, "");
	cr_assert_eq(rig_op(g, &op), ERR_CONFLICT);
	cr_assert_eq(records(g), 3, "a refusal is no deed, and neither is what a worker does");
	op = (struct op){.kind = OP_RERUN};
	op.u.rerun.run = 1;
	op.u.rerun.actor = "unix:7";
	cr_assert_eq(rig_op(g, &op), 0);
	said(g, 4, "rerun", "run:");
	rig_drain(g);
	op = (struct op){.kind = OP_MARK};
	op.u.mark.run = 1;
	op.u.mark.step = "a";
	op.u.mark.state = "failed";
	op.u.mark.actor = "unix:7";
	cr_assert_eq(rig_op(g, &op), 0);
	said(g, 5, "mark", "run:");
	cr_assert_not_null(strstr(last(g).detail, "a failed"));
}

static void tokens_and_sets(struct rig *g)
{
	struct op op = {.kind = OP_TOKEN_ADD};

	str_copy(op.u.token_add.rec.name, PLAN_NAME_MAX, "ci");
	op.u.token_add.rec.scopes = SCOPE_READ | SCOPE_RUN;
	op.u.token_add.actor = "unix:7";
	cr_assert_eq(rig_op(g, &op), 0);
	said(g, 6, "token-add", "token:ci");
	cr_assert_str_eq(last(g).detail, "read, run:*");
	op = (struct op){.kind = OP_TOKEN_REVOKE};
	op.u.token_revoke.name = "ci";
	op.u.token_revoke.actor = "unix:7";
	cr_assert_eq(rig_op(g, &op), 0);
	said(g, 7, "token-revoke", "token:ci");
	op = (struct op){.kind = OP_TOUCH};
	op.u.touch.dataset = "lake/x";
	op.u.touch.complete_through = TIME_NONE;
	op.u.touch.actor = "unix:7";
	cr_assert_eq(rig_op(g, &op), 0);
	said(g, 8, "touch", "dataset:lake/x");
	op = (struct op){.kind = OP_PAUSE};
	op.u.pause.dag = "d";
	op.u.pause.on = true;
	op.u.pause.actor = "unix:7";
	cr_assert_eq(rig_op(g, &op), 0);
	said(g, 9, "pause", "dag:d");
	cr_assert_eq(rig_op(g, &op), 0);
	cr_assert_eq(records(g), 9, "it was paused already");
	op = (struct op){.kind = OP_NOTE};
	op.u.note.verb = "shutdown";
	op.u.note.object = "daemon";
	op.u.note.detail = "two\nlines";
	op.u.note.actor = "unix:7";
	cr_assert_eq(rig_op(g, &op), 0);
	said(g, 10, "shutdown", "daemon");
	cr_assert_str_eq(last(g).detail, "two lines");
	op = (struct op){.kind = OP_NOTIFY};
	op.u.notify.actor = "unix:7";
	cr_assert_eq(rig_op(g, &op), 0);
	cr_assert_eq(records(g), 10, "what waits was tried by the daemon");
	op.u.notify.endpoint = "nobody";
	cr_assert_eq(rig_op(g, &op), ERR_NOT_FOUND);
	cr_assert_eq(records(g), 10);
	cr_assert_eq(
	    audit_note(&g->mem.view, g->now, "unix:7", "restore", "store", "of\nyesterday"), 0);
	said(g, 11, "restore", "store");
	cr_assert_str_eq(last(g).detail, "of yesterday");
}

Test(sched_audit, every_deed_and_only_those)
{
	struct rig g;

	rig_init(&g, 1);
	cr_assert_eq(records(&g), 0);
	rig_dag(&g, "d", "a", NULL, NULL);
	cr_assert_eq(records(&g), 1);
	cr_assert_str_eq(last(&g).verb, "apply");
	cr_assert_str_eq(last(&g).actor, "daemon");
	cr_assert_str_eq(last(&g).detail, "1 added, 0 changed, 0 removed");
	rig_dag(&g, "d", "a", NULL, NULL);
	cr_assert_eq(records(&g), 1, "nothing changed");
	start_and_cancel(&g);
	tokens_and_sets(&g);
	rig_done(&g);
	LEAK_CHECK();
}

static int problems;
static void on_problem(void *arg, const char *text)
{
	(void)arg;
	problems += strstr(text, "table audit") != NULL;
}

static int check(struct rig *g)
{
	problems = 0;
	cr_assert_eq(check_store(&g->mem.view, on_problem, NULL), 0);
	return problems;
}

static void put(struct rig *g, const struct audit_rec *a)
{
	uint8_t buf[RECORD_MAX];
	struct key k;

	key_run(&k, a->seq);
	cr_assert_eq(view_put(&g->mem.view, TABLE_AUDIT, k.b, k.n, buf, audit_encode(a, buf)), 0);
}

Test(sched_audit, what_was_tampered_with_is_found)
{
	struct audit_rec a, was;
	struct key k;
	struct rig g;

	rig_init(&g, 1);
	rig_dag(&g, "d", "a", NULL, NULL);
	rig_start(&g, "d");
	rig_start(&g, "d");
	cr_assert_eq(records(&g), 3);
	cr_assert_eq(check(&g), 0);
	for (uint64_t seq = 1; seq <= 3; seq++) {
		cr_assert_eq(audit_get(&g.mem.view, seq, &was), 0);
		a = was;
		str_copy(a.actor, sizeof(a.actor), "unix:0");
		put(&g, &a);
		cr_assert_neq(check(&g), 0, "%d: another actor", (int)seq);
		a = was;
		a.at += US_PER_S;
		put(&g, &a);
		cr_assert_neq(check(&g), 0, "%d: another time", (int)seq);
		key_run(&k, seq);
		cr_assert_eq(view_del(&g.mem.view, TABLE_AUDIT, k.b, k.n), 0);
		cr_assert_neq(check(&g), 0, "%d: taken out", (int)seq);
		put(&g, &was);
		cr_assert_eq(check(&g), 0);
	}
	rig_done(&g);
	LEAK_CHECK();
}

/* The text that an auditor hashes as well: sluice-api(7). */
Test(sched_audit, the_hash_is_over_what_is_shown)
{
	struct audit_rec a = {.seq = 2,
	    .at = RIG_T0,
	    .actor = "unix:0",
	    .verb = "start",
	    .object = "run:X",
	    .detail = "d k"};
	uint8_t got[HASH_SHA256_BYTES], want[HASH_SHA256_BYTES];
	const char *text = "2\n2025-11-21T00:00:00.000Z\nunix:0\nstart\nrun:X\nd k\n"
			   "0000000000000000000000000000000000000000000000000000000000000000\n";

	audit_hash(&a, got);
	hash_sha256(text, strlen(text), want);
	cr_assert_arr_eq(got, want, sizeof(got));
	LEAK_CHECK();
}

Test(sched_audit, a_cursor_is_set_unless_its_step_runs)
{
	struct op op = {.kind = OP_CURSOR_SET};
	struct cursor_rec c;
	struct slice json;
	struct rig g;

	rig_init(&g, 1);
	rig_dag(&g, "d", "a;b:a;f each=2 par=1", NULL, NULL);
	op.u.cursor_set.dag = "d";
	op.u.cursor_set.step = "a";
	op.u.cursor_set.item = "";
	op.u.cursor_set.json = "{\"id\":7}";
	op.u.cursor_set.complete_through = TIME_NONE;
	op.u.cursor_set.actor = "unix:7";
	cr_assert_eq(rig_op(&g, &op), 0);
	said(&g, 2, "cursor-set", "cursor:d/a");
	cr_assert_eq(cursor_get(&g.mem.view, "d", "a", "", &c, &json), 0);
	cr_assert_eq(json.n, 8);
	cr_assert_eq(memcmp(json.p, "{\"id\":7}", 8), 0);
	rig_start(&g, "d");
	cr_assert_eq(rig_state(&g, 1, "a"), STEP_RUNNING);
	cr_assert_eq(rig_op(&g, &op), ERR_CONFLICT);
	op.u.cursor_set.step = "b";
	cr_assert_eq(rig_op(&g, &op), 0, "this one waits");
	rig_ok(&g, 1, "a");
	op.u.cursor_set.step = "a";
	cr_assert_eq(rig_op(&g, &op), 0);
	op.u.cursor_set.step = "nonesuch";
	cr_assert_eq(rig_op(&g, &op), ERR_NOT_FOUND);
	op.u.cursor_set.dag = "nonesuch";
	cr_assert_eq(rig_op(&g, &op), ERR_NOT_FOUND);
	rig_done(&g);
	LEAK_CHECK();
}
