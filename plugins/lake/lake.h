/* lake.h: what the files of the lake plugin share.
 *
 * A data set is a folder: dated partitions with files of rows, and _sluice/manifest.json that says
 * which files count. A publish renames its files into place and then the manifest: that rename is
 * the commit, so nobody sees half a partition. The ledger stands in the manifest; the fences are
 * small files beside it, changed under the same lock. */
#ifndef PLUGINS_LAKE_LAKE_H
#define PLUGINS_LAKE_LAKE_H

#include "sluice/kit/rows.h"
#include "sluice/plugin.h"

#include <stdbool.h>

struct lake {		      /* the connection */
	const slu_host *host; /* borrowed */
	slu_run *run;	      /* borrowed */
	char *root;	      /* owned */
	char *prefix;	      /* owned */
};

struct lake_file {
	char *name; /* owned; below the data set's folder */
	char *by;   /* owned; fence key of the load that wrote it */
	char *sha;  /* owned; of its rows as text */
	int64_t rows, bytes;
};
struct lake_part {
	char *key;		 /* owned; "" where the data set has no partitions */
	struct lake_file *files; /* owned */
	size_t n, cap;
};
struct manifest {
	int64_t commit;		 /* 0: never published */
	slu_fields fields;	 /* owned */
	struct lake_part *parts; /* owned */
	size_t n, cap;
	slu_buf ledger; /* members of the ledger's object, oldest first, without braces */
	size_t n_ledger;
	slu_json *root; /* owned; as read */
};

#define LAKE_LEDGER_MAX 1000 /* a retry comes soon; older rows leave */

/* ---- manifest.c ---- */
/* The data set's folder, made where make is set. Caller frees with slu_free. dataset:
 * "lake/shop.orders". */
char *lake_dir(const struct lake *l, const char *dataset);
slu_rc manifest_read(const char *dir, struct manifest *m, slu_err *err) SLU_CHECK;
void manifest_done(struct manifest *m);
struct lake_part *manifest_part(struct manifest *m, const char *key, bool make);
void manifest_drop(struct lake_part *p, size_t i); /* file i leaves */
void manifest_add(struct lake_part *p, const struct lake_file *take);
/* The commit: report is the ledger's value. */
slu_rc manifest_commit(const char *dir, struct manifest *m, const char *ledger_key,
    const char *report, slu_err *err) SLU_CHECK;
/* The ledger's value for the key, or NULL; borrowed from m->root. */
const slu_json *manifest_ledger(const struct manifest *m, const char *ledger_key);

/* Exclusive for a publish, shared for readers; waits by the host. -1 with err. Closing the
 * descriptor unlocks. */
int lake_lock(
    const struct lake *l, const char *dir, const char *name, bool shared, bool wait, slu_err *err);
slu_rc lake_owner(const struct lake *l, const char *deployment, slu_err *err) SLU_CHECK;
/* claim: raises the fence to token; else only checks that it is token. */
slu_rc lake_fence(
    const char *dir, const char *fence_key, uint64_t token, bool claim, slu_err *err) SLU_CHECK;

extern const slu_extract lake_extract;
extern const slu_load lake_load;

#endif
