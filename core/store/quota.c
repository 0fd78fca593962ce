/* quota.c: how full store and disk are, and what follows: from 70 % of limits.store an alarm, from
 * 85 % no new work (events, runs by hand, backfills, data sets touched from outside); none either
 * while the disk is nearly full. Both end only when it is clearly
 * better. Transitions and deletes always go on; should even the reserve be used up, they wait for
 * space. Used is what holds records: pages that deletes have freed do not count, the file's size
 * neither. Owner: the writer thread. */
#define LOG_AT "store"
#include "core/store/quota.h"

#include "core/base/log.h"

#include <linux/magic.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/vfs.h>

#ifndef XFS_SUPER_MAGIC
#define XFS_SUPER_MAGIC 0x58465342
#endif
#define ZFS_MAGIC 0x2fc12fc1
#define BCACHEFS_MAGIC 0xca451a4e

#define DISK_LOW_BYTES (UINT64_C(32) << 20)
#define DISK_LOW_PART 10 /* of a small disk, one part in so many */
#define ROOM_LEAST (UINT64_C(1) << 20)
#define LOOK_US (200 * US_PER_MS)
#define LIVE_US (1000 * US_PER_MS)
#define ALARM_PERCENT 70
#define REFUSE_PERCENT 85
#define HYSTERESIS_PERCENT 5

/* The list of free pages is table 0 of LMDB: each value begins with how many it names. */
static uint64_t free_pages(MDB_txn *txn)
{
	MDB_cursor *c;
	MDB_val k, v;
	uint64_t n = 0;
	size_t count;
	int rc = mdb_cursor_open(txn, 0, &c);

	if (rc != 0)
		return 0;
	for (rc = mdb_cursor_get(c, &k, &v, MDB_FIRST); rc == 0;
	     rc = mdb_cursor_get(c, &k, &v, MDB_NEXT)) {
		if (v.mv_size < sizeof(count))
			break;
		memcpy(&count, v.mv_data, sizeof(count));
		n += count;
	}
	mdb_cursor_close(c);
	return n;
}

uint64_t store_live_bytes(struct store *s)
{
	uint64_t used = store_used_bytes(s), unused = 0;
	MDB_txn *txn;

	if (mdb_txn_begin(s->env, NULL, MDB_RDONLY, &txn) != 0)
		return used;
	unused = free_pages(txn) * s->page_bytes;
	mdb_txn_abort(txn);
	return unused < used ? used - unused : used;
}

static void disk_kind(uint32_t magic, struct store_disk *d)
{
	static const struct {
		uint32_t magic;
		const char *name;
	} kinds[] = {{EXT4_SUPER_MAGIC, "ext2/3/4"}, {XFS_SUPER_MAGIC, "xfs"},
	    {BTRFS_SUPER_MAGIC, "btrfs"}, {F2FS_SUPER_MAGIC, "f2fs"}, {ZFS_MAGIC, "zfs"},
	    {BCACHEFS_MAGIC, "bcachefs"}, {TMPFS_MAGIC, "tmpfs"},
	    {OVERLAYFS_SUPER_MAGIC, "overlay"}};

	d->lasting = magic != TMPFS_MAGIC && magic != OVERLAYFS_SUPER_MAGIC;
	snprintf(d->kind, sizeof(d->kind), "type 0x%x", magic);
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		if (kinds[i].magic == magic)
			str_copy(d->kind, sizeof(d->kind), kinds[i].name);
	}
}

int store_disk(struct store *s, struct store_disk *ret)
{
	uint64_t used = store_used_bytes(s), held;
	struct statfs fs;
	struct stat st;

	memset(ret, 0, sizeof(*ret));
	if (fstatfs(s->data_fd, &fs) != 0 || fstat(s->data_fd, &st) != 0)
		return ERR_IO;
	disk_kind((uint32_t)fs.f_type, ret);
	/* a file that was made longer without space has fewer blocks than bytes */
	held = (uint64_t)st.st_blocks * 512;
	if (held > (uint64_t)st.st_size)
		held = (uint64_t)st.st_size;
	ret->reserve_bytes = held > used ? held - used : 0;
	return 0;
}

/* Bytes that commits may still write without asking the disk for more. */
static uint64_t room_of(struct quota *q, const struct store *s)
{
	uint64_t used = store_used_bytes(s);
	uint64_t behind = s->file_bytes > used ? s->file_bytes - used : 0;

	return behind + (used > q->live_bytes ? used - q->live_bytes : 0);
}

static bool disk_is_low(struct quota *q, struct store *s)
{
	uint64_t least = DISK_LOW_BYTES, avail;
	struct statvfs fs;

	if (store_reserve(s) == ERR_FULL)
		return true;
	if (fstatvfs(s->data_fd, &fs) != 0)
		return q->disk_low;
	avail = (uint64_t)fs.f_bavail * fs.f_frsize;
	if ((uint64_t)fs.f_blocks * fs.f_frsize / DISK_LOW_PART < least)
		least = (uint64_t)fs.f_blocks * fs.f_frsize / DISK_LOW_PART;
	return avail < (q->disk_low ? least + least / 4 : least);
}

enum quota_level quota_level_of(enum quota_level was, uint64_t live, uint64_t limit)
{
	uint64_t percent = limit ? live * 100 / limit : 0;

	if (percent >= REFUSE_PERCENT ||
	    (was == QUOTA_REFUSE && percent > REFUSE_PERCENT - HYSTERESIS_PERCENT))
		return QUOTA_REFUSE;
	if (percent >= ALARM_PERCENT ||
	    (was >= QUOTA_ALARM && percent > ALARM_PERCENT - HYSTERESIS_PERCENT))
		return QUOTA_ALARM;
	return QUOTA_OK;
}

static void level_set(struct quota *q, enum quota_level level, uint64_t limit)
{
	static const char *const says[] = {[QUOTA_OK] = "new work is taken, the alarm is over",
	    [QUOTA_ALARM] = "shorten retention or raise limits.store; new work is taken",
	    [QUOTA_REFUSE] = "new work is refused until it uses less: shorten retention"};

	if (level == q->level)
		return;
	log_warn("the store uses %llu MiB of the %llu MiB of limits.store: %s",
	    (unsigned long long)(q->live_bytes >> 20), (unsigned long long)(limit >> 20),
	    says[level]);
	q->level = level;
}

void quota_look(struct quota *q, struct store *s, uint64_t limit, mono_us now)
{
	bool low;

	if (q->looked_at && now - q->looked_at < LOOK_US)
		return;
	q->looked_at = now;
	if (q->live_at == 0 || now - q->live_at >= LIVE_US) {
		q->live_at = now;
		q->live_bytes = store_live_bytes(s);
		level_set(q, quota_level_of(q->level, q->live_bytes, limit), limit);
	}
	low = disk_is_low(q, s);
	if (low != q->disk_low)
		log_warn("%s", low ? "the disk of the store is nearly full: new work is refused"
				   : "the disk of the store has space again: new work is taken");
	q->disk_low = low;
	low = low && room_of(q, s) < ROOM_LEAST;
	if (low != q->stuck)
		log_error("%s", low ? "the disk of the store is full and its reserve used up: "
				      "everything waits for space"
				    : "the store goes on: it has space again");
	q->stuck = low;
}

int quota_refuses(const struct quota *q, const struct op *op, struct err *err)
{
	if (op->kind != OP_EVENT && op->kind != OP_START && op->kind != OP_BACKFILL &&
	    op->kind != OP_TOUCH)
		return 0;
	if (q->disk_low)
		return err_set(err, ERR_FULL,
		    "the disk of the store is nearly full: free space, then send again");
	if (q->level == QUOTA_REFUSE)
		return err_set(err, ERR_FULL,
		    "the store has reached %d %% of limits.store: shorten retention or raise the "
		    "limit, then send again",
		    REFUSE_PERCENT);
	return 0;
}
