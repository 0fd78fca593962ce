/* key.c: building and reading keys. See the table list in view.h for what each one holds. */
#include "core/sched/key.h"

#include "core/sched/codec.h"

#include <string.h>

void key_init(struct key *k)
{
	k->n = 0;
}

void key_bytes(struct key *k, const void *p, size_t n)
{
	if (n > sizeof(k->b) - k->n)
		n = sizeof(k->b) - k->n;
	memcpy(k->b + k->n, p, n);
	k->n += n;
}

void key_u8(struct key *k, uint8_t v)
{
	key_bytes(k, &v, 1);
}

void key_u16(struct key *k, uint16_t v)
{
	uint8_t b[2];

	be_put16(b, v);
	key_bytes(k, b, sizeof(b));
}

void key_u32(struct key *k, uint32_t v)
{
	uint8_t b[4];

	be_put32(b, v);
	key_bytes(k, b, sizeof(b));
}

void key_u64(struct key *k, uint64_t v)
{
	uint8_t b[8];

	be_put64(b, v);
	key_bytes(k, b, sizeof(b));
}

void key_text(struct key *k, const char *s)
{
	key_bytes(k, s, strlen(s));
}

void key_text0(struct key *k, const char *s)
{
	key_bytes(k, s, strlen(s) + 1);
}

uint8_t key_priority(int priority)
{
	if (priority > 127)
		priority = 127;
	if (priority < -127)
		priority = -127;
	return (uint8_t)(127 - priority);
}

static void key_ref(struct key *k, const struct step_ref *s)
{
	key_u64(k, s->run);
	key_u16(k, s->step);
	key_u32(k, s->item);
}

void key_run(struct key *k, uint64_t run)
{
	key_init(k);
	key_u64(k, run);
}

void key_run_doc(struct key *k, uint64_t run, enum run_doc kind)
{
	key_run(k, run);
	key_u8(k, (uint8_t)kind);
}

void key_run_dag(struct key *k, uint32_t dag_no, uint64_t run)
{
	key_init(k);
	key_u32(k, dag_no);
	key_u64(k, run);
}

void key_run_part(struct key *k, uint64_t run, uint32_t ds_no, const char *partition)
{
	key_run(k, run);
	key_u32(k, ds_no);
	key_text(k, partition);
}

void key_run_state(struct key *k, enum run_state state, uint64_t run)
{
	key_init(k);
	key_u8(k, (uint8_t)state);
	key_u64(k, run);
}

void key_run_key_prefix(struct key *k, uint32_t dag_no, const char *text)
{
	key_init(k);
	key_u32(k, dag_no);
	key_text0(k, text);
}

void key_run_key(struct key *k, const struct run_rec *r)
{
	key_run_key_prefix(k, r->dag_no, r->key);
	key_u32(k, r->revision);
	key_u64(k, r->no);
}

void key_run_queue(struct key *k, const struct run_rec *r)
{
	key_init(k);
	key_u32(k, r->dag_no);
	key_u8(k, key_priority(r->priority));
	key_u64(k, r->no);
}

void key_step(struct key *k, const struct step_ref *s)
{
	key_init(k);
	key_ref(k, s);
}

void key_step_doc(struct key *k, const struct step_ref *s, enum step_doc kind)
{
	key_step(k, s);
	key_u8(k, (uint8_t)kind);
}

void key_item(struct key *k, uint64_t run, uint16_t step, const char *item_key)
{
	key_run(k, run);
	key_u16(k, step);
	key_text(k, item_key);
}

/* Instants become ms rounded up: an entry is never due before the instant that it stands for. */
static uint64_t ms_of(wall_us at)
{
	if (at <= 0)
		return 0;
	return ((uint64_t)at + US_PER_MS - 1) / US_PER_MS;
}

void key_due_ms_floor(wall_us at, uint64_t *ret_ms)
{
	*ret_ms = at <= 0 ? 0 : (uint64_t)(at / US_PER_MS);
}

void key_ready(struct key *k, int priority, wall_us ready_at, const struct step_ref *s)
{
	key_init(k);
	key_u8(k, key_priority(priority));
	key_u64(k, ms_of(ready_at));
	key_ref(k, s);
}

void key_blocked(
    struct key *k, const char *resource, int priority, wall_us ready_at, const struct step_ref *s)
{
	key_init(k);
	key_text0(k, resource);
	key_u8(k, key_priority(priority));
	key_u64(k, ms_of(ready_at));
	key_ref(k, s);
}

void key_running(struct key *k, uint64_t instance, const struct step_ref *s)
{
	key_init(k);
	key_u64(k, instance);
	key_ref(k, s);
}

void key_due(struct key *k, wall_us at, enum due_kind kind)
{
	key_init(k);
	key_u64(k, ms_of(at));
	key_u8(k, (uint8_t)kind);
}

void key_due_cron(struct key *k, wall_us at, uint32_t dag_no, const char *trigger)
{
	key_due(k, at, DUE_CRON);
	key_u32(k, dag_no);
	key_text(k, trigger);
}

void key_due_catchup(struct key *k, wall_us at, uint32_t dag_no, const char *trigger)
{
	key_due(k, at, DUE_CATCHUP);
	key_u32(k, dag_no);
	key_text(k, trigger);
}

void key_due_retry(struct key *k, wall_us at, const struct step_ref *s)
{
	key_due(k, at, DUE_RETRY);
	key_ref(k, s);
}

void key_due_poll(struct key *k, wall_us at, const struct step_ref *s)
{
	key_due(k, at, DUE_POLL);
	key_ref(k, s);
}

void key_due_run(struct key *k, wall_us at, enum due_kind kind, uint64_t run)
{
	key_due(k, at, kind);
	key_u64(k, run);
}

void key_due_outbox(struct key *k, wall_us at, uint32_t endpoint_no)
{
	key_due_run(k, at, DUE_OUTBOX, endpoint_no);
}

void key_outbox(struct key *k, uint32_t endpoint_no, uint64_t seq)
{
	key_init(k);
	key_u32(k, endpoint_no);
	key_u64(k, seq);
}

void key_sched(struct key *k, uint32_t dag_no, const char *trigger)
{
	key_init(k);
	key_u32(k, dag_no);
	key_text(k, trigger);
}

void key_sub(struct key *k, uint32_t ds_no, uint32_t dag_no, const char *trigger)
{
	key_init(k);
	key_u32(k, ds_no);
	key_u32(k, dag_no);
	key_text(k, trigger);
}

void key_join(struct key *k, uint32_t dag_no, const char *trigger, const char *join_key)
{
	key_init(k);
	key_u32(k, dag_no);
	key_text0(k, trigger);
	key_text(k, join_key);
}

void key_join_member(
    struct key *k, uint32_t dag_no, const char *trigger, const char *join_key, uint32_t ds_no)
{
	key_join(k, dag_no, trigger, join_key);
	key_u8(k, 0);
	key_u32(k, ds_no);
}

void key_position(
    struct key *k, uint32_t dag_no, const char *step, const char *item, uint32_t ds_no)
{
	key_init(k);
	key_u32(k, dag_no);
	key_text0(k, step);
	key_text0(k, item);
	key_u32(k, ds_no);
}

void key_cursor(struct key *k, const char *dag, const char *step, const char *item)
{
	key_init(k);
	key_text0(k, dag);
	key_text0(k, step);
	key_text(k, item);
}

void key_version(struct key *k, uint32_t ds_no, uint64_t version)
{
	key_init(k);
	key_u32(k, ds_no);
	key_u64(k, version);
}

void key_partition(struct key *k, uint32_t ds_no, const char *text)
{
	key_init(k);
	key_u32(k, ds_no);
	key_text(k, text);
}

void key_event_state(struct key *k, enum verdict v, uint64_t seq)
{
	key_init(k);
	key_u8(k, (uint8_t)v);
	key_u64(k, seq);
}

void key_listen(struct key *k, const char *kind, const char *name)
{
	key_init(k);
	key_text(k, kind);
	key_u8(k, ':');
	key_text0(k, name);
}

void key_backfill_run(struct key *k, uint64_t backfill, uint64_t run)
{
	key_init(k);
	key_u64(k, backfill);
	key_u64(k, run);
}

void key_backfill_part(struct key *k, uint64_t backfill, uint32_t ds_no, const char *partition)
{
	key_init(k);
	key_u64(k, backfill);
	key_u32(k, ds_no);
	key_text(k, partition);
}

/* ---- reading back ---- */

#define REF_BYTES 14u

static void ref_get(const uint8_t *p, struct step_ref *ret)
{
	ret->run = be_get64(p);
	ret->step = be_get16(p + 8);
	ret->item = be_get32(p + 10);
}

int key_tail_step(struct slice key, struct step_ref *ret)
{
	if (key.n < REF_BYTES)
		return ERR_CORRUPT;
	ref_get((const uint8_t *)key.p + key.n - REF_BYTES, ret);
	return 0;
}

int key_tail_u64(struct slice key, uint64_t *ret)
{
	if (key.n < 8)
		return ERR_CORRUPT;
	*ret = be_get64((const uint8_t *)key.p + key.n - 8);
	return 0;
}

int key_tail_u32(struct slice key, uint32_t *ret)
{
	if (key.n < 4)
		return ERR_CORRUPT;
	*ret = be_get32((const uint8_t *)key.p + key.n - 4);
	return 0;
}

int key_parse_step(struct slice key, struct step_ref *ret)
{
	return key.n == REF_BYTES ? key_tail_step(key, ret) : ERR_CORRUPT;
}

static int parse_due_cron(const uint8_t *p, size_t n, struct due_key *ret)
{
	if (n < 5 || n - 4 >= sizeof(ret->trigger))
		return ERR_CORRUPT;
	ret->dag_no = be_get32(p);
	memcpy(ret->trigger, p + 4, n - 4);
	ret->trigger[n - 4] = 0;
	return 0;
}

int key_parse_due(struct slice key, struct due_key *ret)
{
	const uint8_t *p = key.p;

	memset(ret, 0, sizeof(*ret));
	if (key.n < 9)
		return ERR_CORRUPT;
	if (be_get64(p) > (uint64_t)(INT64_MAX / US_PER_MS))
		return ERR_CORRUPT;
	ret->at = (wall_us)be_get64(p) * US_PER_MS;
	ret->kind = (enum due_kind)p[8];
	p += 9;
	key.n -= 9;
	if (ret->kind == DUE_CRON || ret->kind == DUE_CATCHUP)
		return parse_due_cron(p, key.n, ret);
	if ((ret->kind == DUE_RETRY || ret->kind == DUE_POLL) && key.n == REF_BYTES) {
		ref_get(p, &ret->step);
		return 0;
	}
	if (ret->kind == DUE_RETRY || ret->kind == DUE_POLL || key.n != 8)
		return ERR_CORRUPT;
	ret->run = be_get64(p);
	return 0;
}
