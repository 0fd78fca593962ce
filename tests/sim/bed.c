/* bed.c: the store of a world: LMDB as the daemon has it, or the sorted arrays of memview.c, which
 * are quicker. A crash throws away what was not committed and opens the store anew. */
#include "core/sched/restore.h"
#include "core/store/env.h"
#include "tests/sim/sim.h"
#include "tests/unit/memview.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct bed {
	struct world *w;
	bool lmdb, open;
	struct memview mem;
	struct store *store; /* owned */
	struct store_txn txn;
	char dir[64];
};

static void die(const char *what, const char *text)
{
	fprintf(stderr, "sim: %s: %s\n", what, text);
	exit(2);
}

static void lmdb_open(struct bed *b)
{
	struct store_options o = {
	    .dir = b->dir, .map_bytes = 1u << 28, .create = true, .now = wall(b->w)};
	struct err err = {0};

	if (store_open(&o, &b->store, &err) != 0)
		die("the store cannot be opened", err.text);
	store_txn_init(&b->txn, b->store);
	b->open = true;
}

static void lmdb_close(struct bed *b)
{
	if (!b->open)
		return;
	store_txn_done(&b->txn);
	store_close(b->store);
	b->open = false;
}

struct bed *bed_new(struct world *w, bool lmdb)
{
	static const uint8_t uuid[16] = {7};
	struct bed *b = MEM_NEW(struct bed);
	struct stat st;

	b->w = w;
	b->lmdb = lmdb;
	if (!lmdb) {
		memview_init(&b->mem);
		b->mem.plain = !one_in(&w->chance, 20);
		if (sched_format(&b->mem.view, uuid, wall(w)) != 0)
			die("the store cannot be formatted", "memview");
		memview_commit(&b->mem);
		return b;
	}
	snprintf(b->dir, sizeof(b->dir), "%s/sluice-sim-XXXXXX",
	    stat("/dev/shm", &st) == 0 && access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp");
	if (mkdtemp(b->dir) == NULL)
		die("no scratch folder", b->dir);
	lmdb_open(b);
	return b;
}

static void remove_dir(const char *path)
{
	DIR *d = opendir(path);
	struct dirent *e;

	while (d != NULL && (e = readdir(d)) != NULL) {
		if (e->d_name[0] != '.')
			unlinkat(dirfd(d), e->d_name, 0);
	}
	if (d != NULL)
		closedir(d);
	rmdir(path);
}

void bed_free(struct bed *b)
{
	if (b == NULL)
		return;
	if (b->lmdb) {
		lmdb_close(b);
		remove_dir(b->dir);
	} else {
		memview_done(&b->mem);
	}
	mem_free(b);
}

const struct view *bed_view(struct bed *b)
{
	return b->lmdb ? &b->txn.view : &b->mem.view;
}

int bed_begin(struct bed *b)
{
	if (b->lmdb)
		return store_txn_begin(&b->txn, true);
	memview_begin(&b->mem);
	return 0;
}

int bed_commit(struct bed *b)
{
	int rc = 0;

	if (b->lmdb) {
		rc = store_txn_commit(&b->txn);
		plan_cache_trim(b->txn.plans);
	} else {
		memview_commit(&b->mem);
	}
	return rc;
}

void bed_abort(struct bed *b)
{
	if (b->lmdb)
		store_txn_end(&b->txn);
	else
		memview_abort(&b->mem);
}

void bed_crash(struct bed *b)
{
	if (b->lmdb) {
		lmdb_close(b);
		lmdb_open(b);
	} else {
		memview_abort(&b->mem);
	}
}

void bed_fail_write(struct bed *b, uint32_t n)
{
	if (!b->lmdb)
		b->mem.fail_at = n == 0 ? 0 : b->mem.writes + n;
}

/* ---- a copy ---- */

struct bed_copy {
	bool lmdb;
	char path[96];	    /* of the backup file */
	struct memview mem; /* else */
};

static void table_copy(struct memview *to, struct memview *from, enum table t)
{
	struct slice key, value, at = {NULL, 0};
	uint8_t last[VIEW_KEY_MAX];

	while (from->view.next(from, t, at, at.n > 0, &key, &value) == 0) {
		if (view_put(&to->view, t, key.p, key.n, value.p, value.n) != 0)
			die("the store cannot be copied", "memview");
		memcpy(last, key.p, key.n);
		at = (struct slice){last, key.n};
	}
}

static void all_copy(struct memview *to, struct memview *from)
{
	memview_begin(to);
	for (int t = 0; t < TABLE_N; t++)
		table_copy(to, from, (enum table)t);
	memview_commit(to);
	memview_begin(from); /* what was lent goes */
	memview_abort(from);
}

uint64_t bed_writes(const struct bed *b)
{
	return b->lmdb ? 0 : b->mem.writes;
}

struct bed_copy *bed_copy_new(struct bed *b)
{
	struct bed_copy *c = MEM_NEW(struct bed_copy);
	struct store_copy info;
	struct err err = {0};

	c->lmdb = b->lmdb;
	if (!b->lmdb) {
		memview_init(&c->mem);
		all_copy(&c->mem, &b->mem);
		return c;
	}
	snprintf(c->path, sizeof(c->path), "%s/backup", b->dir);
	if (store_backup(b->store, c->path, wall(b->w), &info, &err) != 0)
		die("no backup of the store", err.text);
	return c;
}

/* As core/store/copy.c reads it: there is none before the first. */
static uint64_t number_of(const struct view *v, const char *name)
{
	uint64_t n;

	return meta_get(v, name, &n) == 0 ? n : 1;
}

static void mem_restore(struct bed *b, struct bed_copy *c)
{
	struct restore_from from = {0};
	bool plain = b->mem.plain;
	uint64_t epoch = 0;

	memview_begin(&b->mem);
	if (meta_get(&b->mem.view, META_EPOCH, &epoch) != 0)
		die("the replaced store cannot be read", "epoch");
	from.epoch = (uint32_t)epoch;
	from.next_run = number_of(&b->mem.view, META_NEXT_RUN);
	from.next_event = number_of(&b->mem.view, META_NEXT_EVENT);
	memview_abort(&b->mem);
	memview_done(&b->mem);
	memview_init(&b->mem);
	b->mem.plain = plain;
	all_copy(&b->mem, &c->mem);
	memview_begin(&b->mem);
	if (sched_restore(&b->mem.view, &from) != 0)
		die("the copy cannot be restored", "memview");
	memview_commit(&b->mem);
}

/* As `sluiced --restore` does it. */
static void lmdb_restore(struct bed *b, const struct bed_copy *c)
{
	struct store_restored r;
	struct err err = {0};

	lmdb_close(b);
	if (store_restore(b->dir, c->path, wall(b->w), "sim", &r, &err) != 0)
		die("the backup cannot be restored", err.text);
	if (r.kept != NULL)
		unlink(r.kept);
	store_restored_done(&r);
	unlink(c->path);
	lmdb_open(b);
}

void bed_restore(struct bed *b, struct bed_copy *c)
{
	if (c->lmdb)
		lmdb_restore(b, c);
	else
		mem_restore(b, c);
}

void bed_copy_free(struct bed_copy *c)
{
	if (c == NULL)
		return;
	if (!c->lmdb)
		memview_done(&c->mem);
	mem_free(c);
}
