/* cancel.c: of one run: the flag and all that has not begun, in one transaction (rule 20); what
 * runs is killed after the commit (rule 21) and ends by its outcome. Of a foreach with thousands of
 * items at most CANCEL_AT_ONCE end in one transaction; the rest follows by DUE_CANCEL, and DISPATCH
 * hands none of them out meanwhile. The operation itself; of many runs: cancel_many.c. */
#include "core/sched/tx.h"

#include <string.h>

static int kill_step(struct tx *x, struct step_rec *s)
{
	if (is_group(x, s))
		return 0; /* ends with its items */
	if (s->submitted)
		return remote_stop(x, s, REMOTE_CANCEL);
	effect_step(x, EFFECT_KILL, s);
	x->fx->v[x->fx->n - 1].hard = x->hard;
	return 0;
}

int cancel_step(struct tx *x, struct step_rec *s)
{
	switch (s->state) {
	case STEP_WAITING:
	case STEP_READY:
	case STEP_RETRYING:
		s->class_ = CLASS_CANCELLED;
		return step_move(x, s, STEP_CANCELLED, TIME_NONE);
	default:
		return 0;
	}
}

/* *ret_more: items are left for the next transaction. *moved: in and out. */
static int cancel_items(struct tx *x, bool kill, uint32_t *moved, bool *ret_more)
{
	struct view_walk w;
	struct step_rec s;
	struct slice value;
	struct key k;
	int rc;

	*ret_more = false;
	key_run(&k, x->run.no);
	view_walk_init(&w, x->v, TABLE_STEP, k.b, k.n, false);
	while ((rc = view_walk_next(&w, &value)) == 0) {
		rc = step_decode(value, &s, NULL);
		if (rc != 0)
			return rc;
		if (s.item == 0 || step_state_ended(s.state))
			continue;
		if (s.state == STEP_RUNNING) {
			rc = kill ? kill_step(x, &s) : 0;
		} else if (*moved >= CANCEL_AT_ONCE) {
			*ret_more = true;
			if (!kill)
				return 0;
		} else {
			(*moved)++;
			rc = cancel_step(x, &s);
		}
		if (rc != 0)
			return rc;
	}
	return rc == ERR_NOT_FOUND ? 0 : rc;
}

/* The due entry for what is left. */
static int cancel_arm(struct tx *x, bool more)
{
	struct run_rec *r = &x->run;
	struct key k;
	int rc = 0;

	if (r->cancel_at != 0) {
		key_due_run(&k, r->cancel_at, DUE_CANCEL, r->no);
		rc = due_del(x, &k);
	}
	/* not at once: one transaction each */
	r->cancel_at = more ? x->now + US_PER_MS : 0;
	x->run_dirty = true;
	if (rc != 0 || !more)
		return rc;
	key_due_run(&k, r->cancel_at, DUE_CANCEL, r->no);
	return due_add(x, &k);
}

/* Many runs may be due at once: together they end no more than one may. */
int cancel_go_on(struct tx *x, const struct due_key *due)
{
	bool more;
	int rc = must(run_open(x, due->run));

	if (rc != 0)
		return rc;
	if (!x->run.cancel || run_state_ended(x->run.state) || x->run.cancel_at == 0)
		return ERR_CORRUPT;
	rc = cancel_items(x, false, &x->cancelled, &more);
	if (rc == 0)
		rc = cancel_arm(x, more);
	return rc != 0 ? rc : flow_settle(x);
}

int run_cancel(struct tx *x, const char *message)
{
	struct step_rec s;
	uint32_t moved = 0;
	bool more;
	int rc = 0;

	x->run.cancel = true;
	x->run_dirty = true;
	str_copy(x->run.message, sizeof(x->run.message), message);
	for (uint16_t i = 0; rc == 0 && i < x->plan->n_steps; i++) {
		rc = step_load(x, i, 0, &s);
		if (rc == 0)
			rc = s.state == STEP_RUNNING ? kill_step(x, &s) : cancel_step(x, &s);
	}
	if (rc == 0)
		rc = cancel_items(x, true, &moved, &more);
	if (rc == 0)
		rc = cancel_arm(x, more);
	return rc != 0 ? rc : flow_settle(x);
}

static void say_who(const char *actor, char *out)
{
	struct str text;

	str_init(&text, MESSAGE_MAX);
	str_addf(&text, "cancelled by %.200s", actor != NULL && actor[0] != 0 ? actor : "a person");
	str_copy(out, MESSAGE_MAX, str_peek(&text));
	str_done(&text);
}

static int cancel_one(struct tx *x, const struct op *op)
{
	char message[MESSAGE_MAX];
	int rc = run_open(x, op->u.cancel.run);

	if (rc == ERR_NOT_FOUND)
		return refuse(x, ERR_NOT_FOUND, "there is no such run");
	if (rc != 0)
		return rc;
	if (run_state_ended(x->run.state))
		return refuse(
		    x, ERR_CONFLICT, "the run has ended already: %s", run_state_name(x->run.state));
	x->hard = op->u.cancel.hard;
	if (x->run.cancel && !x->hard)
		return 0;
	x->r->count++;
	result_add_run(x, x->run.no);
	say_who(op->u.cancel.actor, message);
	return run_cancel(x, message);
}

int op_cancel(struct tx *x, const struct op *op)
{
	const char *name = op->u.cancel.dag != NULL ? op->u.cancel.dag : "";
	struct cancel_rec c = {.hard = op->u.cancel.hard};
	struct dag_rec d = {0};
	int rc;

	if (op->u.cancel.run != 0)
		return cancel_one(x, op);
	if (!op->u.cancel.all) {
		rc = dag_get_named(x->v, name, &d);
		if (rc == ERR_NOT_FOUND)
			return refuse_dag(x, name);
		if (rc != 0)
			return rc;
	}
	c.dag_no = d.no;
	say_who(op->u.cancel.actor, c.message);
	return cancel_many(x, &c, &x->r->count);
}
