/* copy.h: what backup, compact and restore share. Used inside core/store. */
#ifndef CORE_STORE_COPY_H
#define CORE_STORE_COPY_H

#include "core/store/env.h"

/* A compacted copy of one snapshot, synced; nothing at path when it fails. */
int copy_make(struct store *s, const char *path, struct err *err) CHECK_RESULT;
/* ERR_CORRUPT with the first problem where fsck finds one. */
int copy_prove(struct store *s, const char *path, struct err *err) CHECK_RESULT;
/* The small tables, or all by fsck, of a store that no process has open; in a child, because damage
 * may end the process that reads it. */
int copy_probe(const char *path, bool whole, struct err *err) CHECK_RESULT;
int copy_info(struct store *s, struct store_copy *ret, struct err *err) CHECK_RESULT;

#endif
