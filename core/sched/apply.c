/* apply.c: one operation inside the writer's transaction: T1, T1', T3, T4, UNLEASE and the rest,
 * each in its own file. All of it is pure: what it knows comes from the view, the environment and
 * `now`. */
#include "core/sched/tx.h"

#include "core/sched/codec.h"

#include <string.h>

static int op_later(struct tx *x, const struct op *op)
{
	(void)op;
	return refuse(x, ERR_UNSUPPORTED, "this release does not know the operation yet");
}

typedef int (*op_fn)(struct tx *x, const struct op *op);
static const op_fn op_table[OP_KIND_N] = {
    [OP_EVENT] = op_event,
    [OP_START] = op_start,
    [OP_DUE] = op_due,
    [OP_PLANS] = op_plans,
    [OP_OUTCOME] = op_outcome,
    [OP_POOL_UP] = op_pool_up,
    [OP_POOL_DOWN] = op_pool_down,
    [OP_POOL_GONE] = op_pool_gone,
    [OP_UNLEASE] = op_unlease,
    [OP_CANCEL] = op_cancel,
    [OP_RERUN] = op_rerun,
    [OP_MARK] = op_mark,
    [OP_PAUSE] = op_pause,
    [OP_TOUCH] = op_touch,
    [OP_TOKEN_ADD] = op_token_add,
    [OP_TOKEN_REVOKE] = op_token_revoke,
    [OP_CHUNK] = op_later,
    [OP_SENT] = op_sent,
    [OP_CONF] = op_conf,
    [OP_NOTIFY] = op_notify,
    [OP_BACKFILL] = op_backfill,
    [OP_BACKFILL_STATE] = op_backfill_state,
    [OP_CURSOR_SET] = op_cursor_set,
    [OP_NOTE] = op_note,
    [OP_CLOCK] = op_clock,
    [OP_PRUNE] = op_prune,
    [OP_HOLD_END] = op_hold_end,
};

int sched_apply(const struct view *v, struct sched_env *env, const struct op *op, wall_us now,
    struct op_result *r, effect_vec *effects)
{
	struct tx x;
	int rc;

	memset(r, 0, sizeof(*r));
	if ((unsigned)op->kind >= OP_KIND_N) {
		r->rc = err_set(&r->err, ERR_UNSUPPORTED, "operation %d is unknown", op->kind);
		return 0;
	}
	tx_init(&x, v, env, now, r, effects);
	rc = op_table[op->kind](&x, op);
	if (rc == 0 && r->rc == 0)
		rc = audit_op(&x, op);
	rc = tx_done(&x, rc);
	if (rc == 0 || rc == ERR_IO || rc == ERR_FULL)
		return rc;
	/* anything else is a record that is not as it must be */
	err_set(
	    &r->err, rc, "operation %d found the store inconsistent: %s", op->kind, err_text(rc));
	return ERR_CORRUPT;
}

int sched_format(const struct view *v, const uint8_t uuid[16], wall_us now)
{
	uint8_t n[4];
	int rc;

	be_put32(n, STORE_SCHEMA);
	rc = view_put(v, TABLE_META, META_SCHEMA, strlen(META_SCHEMA), n, sizeof(n));
	be_put32(n, 1);
	if (rc == 0)
		rc = view_put(v, TABLE_META, META_EPOCH, strlen(META_EPOCH), n, sizeof(n));
	if (rc == 0)
		rc = view_put(v, TABLE_META, META_UUID, strlen(META_UUID), uuid, 16);
	return rc != 0 ? rc : meta_put(v, "created_us", (uint64_t)now);
}

int sched_next_due(const struct view *v, wall_us *ret_at)
{
	struct slice key, value, first = {NULL, 0};
	struct due_key due;
	uint64_t step;
	int rc = meta_get(v, META_CLOCK_STEP, &step);

	if (rc != ERR_NOT_FOUND) {
		*ret_at = 0; /* what a clock step moves: at once */
		return rc;
	}
	rc = v->next(v->ctx, TABLE_DUE, first, false, &key, &value);

	if (rc == ERR_NOT_FOUND) {
		*ret_at = TIME_NONE;
		return 0;
	}
	if (rc == 0)
		rc = key_parse_due(key, &due);
	if (rc == 0)
		*ret_at = due.at;
	return rc;
}
