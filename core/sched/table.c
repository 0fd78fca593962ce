/* table.c: see table.h. */
#include "core/sched/table.h"

#include "core/sched/codec.h"

#include <stdio.h>
#include <string.h>

static int get(const struct view *v, enum table t, const struct key *k, struct slice *ret)
{
	return v->get(v->ctx, t, (struct slice){k->b, k->n}, ret);
}

static int put(const struct view *v, enum table t, const struct key *k, const void *p, size_t n)
{
	return v->put(v->ctx, t, (struct slice){k->b, k->n}, (struct slice){p, n});
}

static int get_u32(const struct view *v, enum table t, const char *name, uint32_t *ret)
{
	struct slice s;
	int rc = view_get(v, t, name, strlen(name), &s);

	if (rc != 0)
		return rc;
	if (s.n != 4)
		return ERR_CORRUPT;
	*ret = be_get32(s.p);
	return 0;
}

static int get_u64(const struct view *v, enum table t, const struct key *k, uint64_t *ret)
{
	struct slice s;
	int rc = get(v, t, k, &s);

	if (rc != 0)
		return rc;
	if (s.n != 8)
		return ERR_CORRUPT;
	*ret = be_get64(s.p);
	return 0;
}

/* ---- DAGs and files ---- */

int dag_get(const struct view *v, uint32_t no, struct dag_rec *ret)
{
	uint8_t k[4];
	struct slice s;
	int rc;

	be_put32(k, no);
	rc = view_get(v, TABLE_DAG, k, sizeof(k), &s);
	return rc != 0 ? rc : dag_decode(s, ret, NULL);
}

int dag_put(const struct view *v, const struct dag_rec *r)
{
	uint8_t k[4], buf[RECORD_MAX];

	be_put32(k, r->no);
	return view_put(v, TABLE_DAG, k, sizeof(k), buf, dag_encode(r, buf));
}

int dag_get_named(const struct view *v, const char *name, struct dag_rec *ret)
{
	uint32_t no;
	int rc;

	if (name[0] == 0)
		return ERR_NOT_FOUND;
	rc = get_u32(v, TABLE_DAG_NAME, name, &no);
	return rc != 0 ? rc : dag_get(v, no, ret);
}

int dag_plan(const struct view *v, const struct dag_rec *r, const struct plan **ret)
{
	if (!r->has_plan)
		return ERR_NOT_FOUND;
	return v->plan(v->ctx, r->plan, ret, NULL);
}

bool dag_is_paused(const struct view *v, const struct dag_rec *r)
{
	uint64_t all = 0;

	return r->paused || (meta_get(v, META_PAUSED, &all) == 0 && all != 0);
}

int file_get(const struct view *v, const char *path, struct file_rec *ret, struct slice *ret_report)
{
	struct slice s, rest;
	int rc = view_get(v, TABLE_FILE, path, strlen(path), &s);

	if (rc != 0)
		return rc;
	return file_decode(s, ret, ret_report != NULL ? ret_report : &rest);
}

int file_put(const struct view *v, const char *path, const struct file_rec *r, const char *report)
{
	size_t n = strlen(report);
	uint8_t *buf = mem_alloc(RECORD_MAX + n);
	size_t head = file_encode(r, buf);
	int rc;

	memcpy(buf + head, report, n);
	rc = view_put(v, TABLE_FILE, path, strlen(path), buf, head + n);
	mem_free(buf);
	return rc;
}

int event_get(const struct view *v, uint64_t seq, struct event_rec *ret, struct slice *ret_body)
{
	struct slice s, rest;
	struct key k;
	int rc;

	key_run(&k, seq);
	rc = get(v, TABLE_EVENT, &k, &s);
	return rc != 0 ? rc : event_decode(s, ret, ret_body != NULL ? ret_body : &rest);
}

/* ---- runs ---- */

int run_get(const struct view *v, uint64_t no, struct run_rec *ret)
{
	struct slice s;
	struct key k;
	int rc;

	key_run(&k, no);
	rc = get(v, TABLE_RUN, &k, &s);
	return rc != 0 ? rc : run_decode(s, ret, NULL);
}

int run_put(const struct view *v, const struct run_rec *r)
{
	uint8_t buf[RECORD_MAX];
	struct key k;

	key_run(&k, r->no);
	return put(v, TABLE_RUN, &k, buf, run_encode(r, buf));
}

int run_get_id(const struct view *v, const uint8_t id[HASH_ID_BYTES], uint64_t *ret_no)
{
	struct key k;

	key_init(&k);
	key_bytes(&k, id, HASH_ID_BYTES);
	return run_is_tomb(v, id) ? ERR_NOT_FOUND : get_u64(v, TABLE_RUN_ID, &k, ret_no);
}

int run_tomb_put(const struct view *v, const uint8_t id[HASH_ID_BYTES], uint64_t no, wall_us now)
{
	uint8_t value[RUN_TOMB_BYTES];

	be_put64(value, (uint64_t)now);
	be_put64(value + 8, no);
	return view_put(v, TABLE_RUN_ID, id, HASH_ID_BYTES, value, sizeof(value));
}

bool run_is_tomb(const struct view *v, const uint8_t id[HASH_ID_BYTES])
{
	struct slice s;

	return view_get(v, TABLE_RUN_ID, id, HASH_ID_BYTES, &s) == 0 && s.n == RUN_TOMB_BYTES;
}

int run_doc_get(const struct view *v, uint64_t run, enum run_doc kind, struct slice *ret)
{
	struct key k;

	key_run_doc(&k, run, kind);
	return get(v, TABLE_RUN_DOC, &k, ret);
}

int run_doc_put(const struct view *v, uint64_t run, enum run_doc kind, const void *json, size_t n)
{
	struct key k;

	key_run_doc(&k, run, kind);
	return put(v, TABLE_RUN_DOC, &k, json, n);
}

/* ---- steps ---- */

struct step_ref step_ref_of(const struct step_rec *r)
{
	return (struct step_ref){r->run, r->step, r->item};
}

int step_get(const struct view *v, const struct step_ref *ref, struct step_rec *ret)
{
	struct slice s;
	struct key k;
	int rc;

	key_step(&k, ref);
	rc = get(v, TABLE_STEP, &k, &s);
	return rc != 0 ? rc : step_decode(s, ret, NULL);
}

int step_put(const struct view *v, const struct step_rec *r)
{
	uint8_t buf[RECORD_MAX];
	struct step_ref ref = step_ref_of(r);
	struct key k;

	key_step(&k, &ref);
	return put(v, TABLE_STEP, &k, buf, step_encode(r, buf));
}

int step_doc_get(
    const struct view *v, const struct step_ref *s, enum step_doc kind, struct slice *ret)
{
	struct key k;

	key_step_doc(&k, s, kind);
	return get(v, TABLE_STEP_DOC, &k, ret);
}

int step_doc_put(
    const struct view *v, const struct step_ref *s, enum step_doc kind, const void *json, size_t n)
{
	struct key k;

	key_step_doc(&k, s, kind);
	return put(v, TABLE_STEP_DOC, &k, json, n);
}

int step_item_no(
    const struct view *v, uint64_t run, uint16_t step, const char *item_key, uint32_t *ret)
{
	struct slice s;
	struct key k;
	int rc;

	key_item(&k, run, step, item_key);
	rc = get(v, TABLE_ITEM, &k, &s);
	if (rc != 0)
		return rc;
	if (s.n != 4)
		return ERR_CORRUPT;
	*ret = be_get32(s.p);
	return 0;
}

/* ---- schedules, data sets, joins, cursors, tokens ---- */

int schedule_get(const struct view *v, uint32_t dag_no, const char *trigger, struct sched_rec *ret)
{
	struct slice s;
	struct key k;
	int rc;

	key_sched(&k, dag_no, trigger);
	rc = get(v, TABLE_SCHED, &k, &s);
	return rc != 0 ? rc : schedule_decode(s, ret, NULL);
}

int schedule_put(
    const struct view *v, uint32_t dag_no, const char *trigger, const struct sched_rec *r)
{
	uint8_t buf[RECORD_MAX];
	struct key k;

	key_sched(&k, dag_no, trigger);
	return put(v, TABLE_SCHED, &k, buf, schedule_encode(r, buf));
}

int dataset_get(const struct view *v, uint32_t no, struct dataset_rec *ret)
{
	uint8_t k[4];
	struct slice s;
	int rc;

	be_put32(k, no);
	rc = view_get(v, TABLE_DATASET, k, sizeof(k), &s);
	return rc != 0 ? rc : dataset_decode(s, ret, NULL);
}

int dataset_get_named(const struct view *v, const char *name, struct dataset_rec *ret)
{
	uint32_t no;
	int rc;

	if (name[0] == 0)
		return ERR_NOT_FOUND;
	rc = get_u32(v, TABLE_DATASET_NAME, name, &no);
	return rc != 0 ? rc : dataset_get(v, no, ret);
}

int dataset_put(const struct view *v, const struct dataset_rec *r)
{
	uint8_t k[4], buf[RECORD_MAX];

	be_put32(k, r->no);
	return view_put(v, TABLE_DATASET, k, sizeof(k), buf, dataset_encode(r, buf));
}

int version_get(const struct view *v, uint32_t ds_no, uint64_t version, struct version_rec *ret)
{
	struct slice s;
	struct key k;
	int rc;

	key_version(&k, ds_no, version);
	rc = get(v, TABLE_DATASET_LOG, &k, &s);
	return rc != 0 ? rc : version_decode(s, ret, NULL);
}

int version_put(const struct view *v, uint32_t ds_no, const struct version_rec *r)
{
	uint8_t buf[RECORD_MAX];
	struct key k;

	key_version(&k, ds_no, r->version);
	return put(v, TABLE_DATASET_LOG, &k, buf, version_encode(r, buf));
}

int partition_get(const struct view *v, uint32_t ds_no, const char *partition, uint64_t *ret)
{
	struct key k;

	key_partition(&k, ds_no, partition);
	return get_u64(v, TABLE_DATASET_PART, &k, ret);
}

int position_get(const struct view *v, uint32_t dag_no, const char *step, const char *item,
    uint32_t ds_no, uint64_t *ret)
{
	uint64_t at = 0;
	struct key k;
	int rc;

	key_position(&k, dag_no, step, item, ds_no);
	rc = get_u64(v, TABLE_POSITION, &k, &at);
	if (rc != 0 && rc != ERR_NOT_FOUND)
		return rc;
	*ret = at;
	return 0;
}

int join_get(const struct view *v, uint32_t dag_no, const char *trigger, const char *key,
    struct join_rec *ret)
{
	struct slice s;
	struct key k;
	int rc;

	key_join(&k, dag_no, trigger, key);
	rc = get(v, TABLE_JOIN, &k, &s);
	return rc != 0 ? rc : join_decode(s, ret, NULL);
}

int cursor_get(const struct view *v, const char *dag, const char *step, const char *item,
    struct cursor_rec *ret, struct slice *ret_json)
{
	struct slice s, rest;
	struct key k;
	int rc;

	key_cursor(&k, dag, step, item);
	rc = get(v, TABLE_CURSOR, &k, &s);
	return rc != 0 ? rc : cursor_decode(s, ret, ret_json != NULL ? ret_json : &rest);
}

int cursor_put(const struct view *v, const char *dag, const char *step, const char *item,
    const struct cursor_rec *r, const char *json)
{
	size_t n = strlen(json);
	uint8_t *buf = mem_alloc(RECORD_MAX + n);
	size_t head = cursor_encode(r, buf);
	struct key k;
	int rc;

	memcpy(buf + head, json, n);
	key_cursor(&k, dag, step, item);
	rc = put(v, TABLE_CURSOR, &k, buf, head + n);
	mem_free(buf);
	return rc;
}

int token_get(const struct view *v, const uint8_t hash[HASH_SHA256_BYTES], struct token_rec *ret)
{
	struct slice s;
	int rc = view_get(v, TABLE_TOKEN, hash, HASH_SHA256_BYTES, &s);

	return rc != 0 ? rc : token_decode(s, ret, NULL);
}

/* ---- outbox ---- */

int endpoint_get(const struct view *v, const char *name, struct endpoint_rec *ret)
{
	struct slice s;
	int rc = view_get(v, TABLE_ENDPOINT, name, strlen(name), &s);

	return rc != 0 ? rc : endpoint_decode(s, ret, NULL);
}

int endpoint_put(const struct view *v, const struct endpoint_rec *r)
{
	uint8_t buf[RECORD_MAX];

	return view_put(v, TABLE_ENDPOINT, r->name, strlen(r->name), buf, endpoint_encode(r, buf));
}

int outbox_get(const struct view *v, uint32_t endpoint_no, uint64_t seq, struct outbox_rec *ret,
    struct slice *ret_data)
{
	struct slice s, data;
	struct key k;
	int rc;

	key_outbox(&k, endpoint_no, seq);
	rc = get(v, TABLE_OUTBOX, &k, &s);
	if (rc == 0)
		rc = outbox_decode(s, ret, &data);
	if (rc == 0 && ret_data != NULL)
		*ret_data = data;
	return rc;
}

int outbox_head(
    const struct view *v, uint32_t endpoint_no, struct outbox_rec *ret, struct slice *ret_data)
{
	struct slice s, data;
	struct view_walk w;
	struct key k;
	int rc;

	key_init(&k);
	key_u32(&k, endpoint_no);
	view_walk_init(&w, v, TABLE_OUTBOX, k.b, k.n, false);
	rc = view_walk_next(&w, &s);
	if (rc == 0)
		rc = outbox_decode(s, ret, &data);
	if (rc == 0 && ret_data != NULL)
		*ret_data = data;
	return rc;
}

int outbox_put(const struct view *v, const struct outbox_rec *r, const void *data, size_t n)
{
	uint8_t buf[RECORD_MAX], *value;
	size_t head = outbox_encode(r, buf);
	struct key k;
	int rc;

	value = mem_alloc(head + n);
	memcpy(value, buf, head);
	memcpy(value + head, data, n);
	key_outbox(&k, r->endpoint_no, r->seq);
	rc = put(v, TABLE_OUTBOX, &k, value, head + n);
	mem_free(value);
	return rc;
}

int backfill_get(const struct view *v, uint64_t no, struct backfill_rec *ret)
{
	struct slice s;
	struct key k;
	int rc;

	key_run(&k, no);
	rc = get(v, TABLE_BACKFILL, &k, &s);
	return rc != 0 ? rc : backfill_decode(s, ret, NULL);
}

int backfill_put(const struct view *v, const struct backfill_rec *r)
{
	uint8_t buf[RECORD_MAX];
	struct key k;

	key_run(&k, r->no);
	return put(v, TABLE_BACKFILL, &k, buf, backfill_encode(r, buf));
}

int cancel_get(const struct view *v, uint64_t no, struct cancel_rec *ret)
{
	struct slice s;
	struct key k;
	int rc;

	key_run(&k, no);
	rc = get(v, TABLE_CANCEL, &k, &s);
	return rc != 0 ? rc : cancel_decode(s, ret, NULL);
}

int cancel_put(const struct view *v, const struct cancel_rec *r)
{
	uint8_t buf[RECORD_MAX];
	struct key k;

	key_run(&k, r->no);
	return put(v, TABLE_CANCEL, &k, buf, cancel_encode(r, buf));
}

int audit_get(const struct view *v, uint64_t seq, struct audit_rec *ret)
{
	struct slice s;
	struct key k;
	int rc;

	key_run(&k, seq);
	rc = get(v, TABLE_AUDIT, &k, &s);
	return rc != 0 ? rc : audit_decode(s, ret, NULL);
}

/* ---- counters ---- */

static int number_get(const struct view *v, enum table t, const char *name, uint64_t *ret)
{
	struct slice s;
	int rc = view_get(v, t, name, strlen(name), &s);

	if (rc != 0)
		return rc;
	if (s.n == 4)
		*ret = be_get32(s.p); /* schema and epoch */
	else if (s.n == 8)
		*ret = be_get64(s.p);
	else
		return ERR_CORRUPT;
	return 0;
}

int count_get(const struct view *v, const char *name, uint64_t *ret)
{
	uint64_t n = 0;
	int rc = number_get(v, TABLE_COUNT, name, &n);

	if (rc != 0 && rc != ERR_NOT_FOUND)
		return rc;
	*ret = n;
	return 0;
}

int count_put(const struct view *v, const char *name, uint64_t value)
{
	uint8_t b[8];
	int rc;

	if (value == 0) {
		rc = view_del(v, TABLE_COUNT, name, strlen(name));
		return rc == ERR_NOT_FOUND ? 0 : rc;
	}
	be_put64(b, value);
	return view_put(v, TABLE_COUNT, name, strlen(name), b, sizeof(b));
}

void count_name_runs(char *out, uint32_t dag_no)
{
	snprintf(out, 32, "runs:%u", dag_no);
}

int meta_get(const struct view *v, const char *name, uint64_t *ret)
{
	return number_get(v, TABLE_META, name, ret);
}

int meta_put(const struct view *v, const char *name, uint64_t value)
{
	uint8_t b[8];

	be_put64(b, value);
	return view_put(v, TABLE_META, name, strlen(name), b, sizeof(b));
}

int meta_next(const struct view *v, const char *name, uint64_t *ret)
{
	uint64_t n = 1;
	int rc = meta_get(v, name, &n);

	if (rc != 0 && rc != ERR_NOT_FOUND)
		return rc;
	*ret = n;
	return meta_put(v, name, n + 1);
}
