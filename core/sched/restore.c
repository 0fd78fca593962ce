/* restore.c: a backup becomes the store: tokens that no attempt of the past can carry, numbers that
 * were never given away, everything paused, and DISPATCH held until the attempts of the replaced
 * store are settled (rule 24). */
#include "core/sched/restore.h"

#include "core/sched/codec.h"
#include "core/sched/tx.h"

#include <string.h>

#define TOKEN_BITS 40
#define EPOCH_CAP ((1u << 24) - (1u << 20)) /* a token has 24 bits for it: room to count on */
#define NUMBER_GAP 1000000u /* where the replaced store cannot say how far it came */

/* Attempts that the backup holds as running get tokens of the new epoch: what a pool may still hold
 * of them is not current, and is killed (rules 10, 24). */
static int retoken(const struct view *v, uint64_t epoch)
{
	struct step_ref ref;
	struct view_walk w;
	struct step_rec s;
	uint64_t counter = 0;
	int rc = meta_get(v, META_TOKEN, &counter);

	if (rc != 0 && rc != ERR_NOT_FOUND)
		return rc;
	view_walk_init(&w, v, TABLE_RUNNING, NULL, 0, false);
	while ((rc = view_walk_next(&w, NULL)) == 0) {
		rc = key_tail_step((struct slice){w.key, w.key_n}, &ref);
		if (rc == 0)
			rc = must(step_get(v, &ref, &s));
		if (rc != 0)
			return rc;
		s.token = epoch << TOKEN_BITS | ++counter;
		rc = step_put(v, &s);
		if (rc != 0)
			return rc;
	}
	if (rc != ERR_NOT_FOUND)
		return rc;
	return counter > 0 ? meta_put(v, META_TOKEN, counter) : 0;
}

/* As a pause of everything does it: no schedule is evaluated until `resume --all`, which then
 * judges every instant since the copy as missed. */
static int schedules_stop(const struct view *v)
{
	char trigger[PLAN_NAME_MAX];
	struct sched_rec s;
	struct slice value;
	struct view_walk w;
	struct key k;
	int rc;

	view_walk_init(&w, v, TABLE_SCHED, NULL, 0, false);
	while ((rc = view_walk_next(&w, &value)) == 0) {
		uint32_t dag_no = w.key_n > 4 ? be_get32(w.key) : 0;

		if (w.key_n < 5 || w.key_n - 4 >= sizeof(trigger) ||
		    schedule_decode(value, &s, NULL) != 0)
			return ERR_CORRUPT;
		memcpy(trigger, w.key + 4, w.key_n - 4);
		trigger[w.key_n - 4] = 0;
		if (s.next != TIME_NONE) {
			key_due_cron(&k, s.start_at != 0 ? s.start_at : s.next, dag_no, trigger);
			rc = must(view_del(v, TABLE_DUE, k.b, k.n));
		}
		if (rc == 0 && s.catchup_at != 0) {
			key_due_catchup(&k, s.catchup_at, dag_no, trigger);
			rc = must(view_del(v, TABLE_DUE, k.b, k.n));
		}
		if (rc == 0 && s.upto == 0 && s.next != TIME_NONE)
			s.upto = s.next - 1; /* a record of an older release */
		s.next = TIME_NONE;
		s.start_at = s.catchup_at = 0;
		if (rc == 0)
			rc = schedule_put(v, dag_no, trigger, &s);
		if (rc != 0)
			return rc;
	}
	return rc == ERR_NOT_FOUND ? 0 : rc;
}

static int number_raise(const struct view *v, const char *meta, uint64_t seen)
{
	uint64_t next = 0;
	int rc = meta_get(v, meta, &next);

	if (rc != 0 && rc != ERR_NOT_FOUND)
		return rc;
	if (seen == 0)
		next += NUMBER_GAP;
	else if (seen > next)
		next = seen;
	return meta_put(v, meta, next);
}

int sched_restore(const struct view *v, const struct restore_from *from)
{
	uint64_t epoch = 0, least;
	uint8_t n[4];
	int rc = must(meta_get(v, META_EPOCH, &epoch));

	if (rc != 0)
		return rc;
	epoch++;
	if (epoch <= from->epoch)
		epoch = from->epoch + 1;
	least = from->epoch_least < EPOCH_CAP ? from->epoch_least : EPOCH_CAP;
	if (epoch < least)
		epoch = least;
	be_put32(n, (uint32_t)epoch);
	rc = view_put(v, TABLE_META, META_EPOCH, strlen(META_EPOCH), n, sizeof(n));
	if (rc == 0)
		rc = retoken(v, epoch);
	if (rc == 0)
		rc = number_raise(v, META_NEXT_EVENT, from->next_event);
	if (rc == 0)
		rc = number_raise(v, META_NEXT_RUN, from->next_run);
	if (rc == 0)
		rc = schedules_stop(v);
	if (rc == 0)
		rc = meta_put(v, META_PAUSED, 1);
	return rc != 0 ? rc : meta_put(v, META_HOLD, 1);
}

int op_hold_end(struct tx *x, const struct op *op)
{
	int rc = view_del(x->v, TABLE_META, META_HOLD, strlen(META_HOLD));

	(void)op;
	x->r->count = rc == 0;
	return rc == ERR_NOT_FOUND ? 0 : rc;
}
