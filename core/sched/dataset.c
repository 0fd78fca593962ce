/* dataset.c: data sets: versions, partitions, watermarks, and the runs that follow a publication,
 * in the same transaction. */
#include "core/sched/tx.h"

#include "core/sched/codec.h"

#include <string.h>

int dataset_need(struct tx *x, const char *name, struct dataset_rec *ret)
{
	uint64_t no;
	uint8_t value[4];
	int rc = dataset_get_named(x->v, name, ret);

	if (rc != ERR_NOT_FOUND)
		return rc;
	rc = next_no(x, META_NEXT_DATASET, &no);
	if (rc != 0)
		return rc;
	memset(ret, 0, sizeof(*ret));
	ret->no = (uint32_t)no;
	str_copy(ret->name, sizeof(ret->name), name);
	ret->complete_through = ret->visible_at = TIME_NONE;
	be_put32(value, ret->no);
	rc = view_put(x->v, TABLE_DATASET_NAME, name, strlen(name), value, sizeof(value));
	return rc != 0 ? rc : dataset_put(x->v, ret);
}

static int log_version(struct tx *x, uint32_t ds_no, struct version_rec *ver)
{
	uint8_t value[8];
	struct key k;
	int rc = version_put(x->v, ds_no, ver);

	be_put64(value, ver->version);
	key_partition(&k, ds_no, ver->partition);
	return rc != 0 ? rc : view_put(x->v, TABLE_DATASET_PART, k.b, k.n, value, sizeof(value));
}

/* What changed no row makes no version, but moves the watermark: it is told as the newest version
 * of its partition. The first of a partition is a version in any case. */
int dataset_publish(struct tx *x, struct dataset_rec *d, struct version_rec *ver)
{
	int rc = partition_get(x->v, d->no, ver->partition, &ver->version);
	bool fresh = ver->changed || rc == ERR_NOT_FOUND, kept = false;
	struct effect *e;

	if (rc != 0 && rc != ERR_NOT_FOUND)
		return rc;
	rc = 0;

	ver->visible_at = x->now;
	if (ver->complete_through != TIME_NONE &&
	    (d->complete_through == TIME_NONE || d->complete_through < ver->complete_through))
		d->complete_through = ver->complete_through;
	d->visible_at = x->now;
	if (fresh) {
		ver->version = ++d->version;
		rc = log_version(x, d->no, ver);
	}
	if (rc == 0)
		rc = dataset_put(x->v, d);
	e = effect_add(x, EFFECT_DATASET, d->no);
	e->state = fresh;
	if (x->run_open && (x->run.quiet || x->run.downstream == DOWNSTREAM_NONE))
		return rc;
	if (rc == 0 && x->run_open && x->run.backfill != 0)
		rc = backfill_keep(x, d->no, ver, &kept);
	if (rc == 0 && !kept)
		rc = once_keep(x, d->no, ver, &kept);
	if (!kept)
		VEC_ADD(&x->published,
		    ((struct published){
			.ds_no = d->no, .version = ver->version, .changed = ver->changed}));
	return rc;
}

int op_touch(struct tx *x, const struct op *op)
{
	struct version_rec ver = {.changed = true};
	const char *partition = op->u.touch.partition != NULL ? op->u.touch.partition : "";
	struct dataset_rec d;
	int rc;

	if (!str_is_dataset(op->u.touch.dataset) || strlen(op->u.touch.dataset) >= PLAN_DATASET_MAX)
		return refuse(x, ERR_USAGE, "\"%.80s\" is no data set: CONNECTION/NAME is expected",
		    op->u.touch.dataset);
	if (strlen(partition) >= PLAN_PARTITION_MAX)
		return refuse(
		    x, ERR_USAGE, "the partition is longer than %d bytes", PLAN_PARTITION_MAX - 1);
	rc = dataset_need(x, op->u.touch.dataset, &d);
	if (rc != 0)
		return rc;
	str_copy(ver.partition, sizeof(ver.partition), partition);
	ver.complete_through = op->u.touch.complete_through;
	ver.max_event = TIME_NONE;
	x->r->count = 1;
	return dataset_publish(x, &d, &ver);
}
