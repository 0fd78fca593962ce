/* logfile.h: how an attempt's log lies on disk, for who writes it (the pool) and who shows it (the
 * daemon's routes).
 *
 * The masked output is one stream of bytes with offsets from 0. Bytes [k MiB, (k+1) MiB) are the
 * file PATH for k = 0 and PATH.k for k > 0; the first is kept for ever, of the others the newest
 * LOGFILE_TAIL: so at least the first 1 MiB and the last 7 MiB of an attempt are there. Files only
 * grow and offsets never change, so a live log is followed by reading on from the last offset. No
 * file at all is an empty log. Where the stream has a gap logfile_read skips it and says how much
 * was left out. A writer goes on behind what is there: the polls of work elsewhere all write the
 * log of their attempt. */
#ifndef CORE_POOL_LOGFILE_H
#define CORE_POOL_LOGFILE_H

#include "core/base/err.h"

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define LOGFILE_PART (1u << 20)
#define LOGFILE_TAIL 8u /* 7 whole ones and the one that grows */

struct logfile {	 /* writer */
	char *path;	 /* owned; absolute */
	int fd;		 /* of the part that grows, -1: none yet */
	uint64_t offset; /* of the next byte */
	int error;	 /* ERR_* after a failed write: later output is read and dropped */
	uint64_t dropped;
};

void logfile_init(struct logfile *f, const char *path); /* opens nothing yet */
/* Appends, makes folders and parts as needed. A full disk is recorded in the struct and in the last
 * line once it works again. */
int logfile_add(struct logfile *f, const char *p, size_t n, struct err *err) CHECK_RESULT;
void logfile_done(struct logfile *f);

struct logfile_piece {
	size_t n;	 /* bytes read; 0: no more for now */
	uint64_t offset; /* where they begin; more than asked for behind a gap */
	uint64_t gap; /* bytes left out before them: show "[… N bytes left out …]" as a line of its
			 own */
	uint64_t next; /* read on from here */
};
/* At most cap bytes from offset on; a piece never crosses parts, so call until n is 0. */
int logfile_read(const char *path, uint64_t offset, void *buf, size_t cap,
    struct logfile_piece *ret, struct err *err) CHECK_RESULT;
/* All parts of a log (retention). */
void logfile_remove(const char *path);

/* From now on logs and their folders are given to this user (a pool that runs as root). */
void logfile_owner(uid_t uid, gid_t gid);

#endif
