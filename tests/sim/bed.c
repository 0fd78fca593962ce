/* bed.c: the store of a world: LMDB as the daemon has it, or the sorted arrays of memview.c, which
 * are quicker. A crash throws away what was not committed and opens the store anew. */
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

bool bed_is_lmdb(const struct bed *b)
{
	return b->lmdb;
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
	struct memview mem;
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

struct bed_copy *bed_copy_new(struct bed *b)
{
	struct bed_copy *c = MEM_NEW(struct bed_copy);

	memview_init(&c->mem);
	all_copy(&c->mem, &b->mem);
	return c;
}

void bed_copy_back(struct bed *b, struct bed_copy *c)
{
	bool plain = b->mem.plain;

	memview_done(&b->mem);
	memview_init(&b->mem);
	b->mem.plain = plain;
	all_copy(&b->mem, &c->mem);
}

void bed_copy_free(struct bed_copy *c)
{
	if (c == NULL)
		return;
	memview_done(&c->mem);
	mem_free(c);
}
