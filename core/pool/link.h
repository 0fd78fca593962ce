/* link.h: how the instances of a state folder are found, reached, started and proven dead. Used by
 * the daemon, by the CLI's `shutdown` and by the next pool. Nothing here blocks for long; all of it
 * is files, /proc and one connect.
 *
 * state/pool/ID.lock (ID: 16 hex digits) is made whole (temporary name, flock, text, rename) before
 * ID.sock listens. Text: lines `pid=`, `start=` (field 22 of /proc/PID/stat), `cgroup=` (absolute
 * folder or empty), and `ended=1` after an orderly end (rule 13). Pool, workers and all commands
 * hold the lock. `pool.sock` is a symbolic link to the newest instance's socket: the daemon does
 * not need it, the CLI does. Lock files are removed by the daemon alone (link_forget), after the
 * commit that judged the instance: a pool never removes one. */
#ifndef CORE_POOL_LINK_H
#define CORE_POOL_LINK_H

#include "core/base/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define LINK_ID_TEXT 17
#define LINK_CGROUP_MAX 512

struct link_instance {
	uint64_t id;
	pid_t pid;
	uint64_t start;
	bool alive; /* that very process runs (it may still be ending) */
	bool ended; /* orderly end: what it was said to have never began (rule 13) */
	char cgroup[LINK_CGROUP_MAX];
};

void link_id_text(uint64_t id, char out[LINK_ID_TEXT]);
/* All lock files, at most cap; *ret_n may exceed cap: the number there is. A missing folder is an
 * empty list. */
int link_list(const char *state, struct link_instance *ret, size_t cap, size_t *ret_n,
    struct err *err) CHECK_RESULT;
/* One lock file. ERR_NOT_FOUND: it was judged and forgotten long ago. */
int link_read(
    const char *state, uint64_t id, struct link_instance *ret, struct err *err) CHECK_RESULT;
/* A close-on-exec SEQPACKET connection. ERR_UNREACHABLE: nobody listens. */
int link_connect(
    const char *state, uint64_t id, bool nonblocking, int *ret_fd, struct err *err) CHECK_RESULT;
/* Rule 11: true once nothing of the instance can live: its lock can be had, its cgroup (if any) is
 * empty, and without a cgroup no readable process carries FRAME_INSTANCE_ENV with its id.
 * *ret_clean: rule 13. A missing file counts as settled, not clean. Ask again after a while (5 ms,
 * doubling) or when the successor has said END: it kills what is left before it listens. */
int link_settled(const char *state, uint64_t id, bool *ret_settled, bool *ret_clean,
    struct err *err) CHECK_RESULT;
/* Removes lock file, socket and (where allowed) the empty cgroup. */
void link_forget(const char *state, uint64_t id);

struct link_start {
	const char *state;    /* absolute */
	const char *run_user; /* NULL: one-user mode */
	bool once; /* the pool ends with the first daemon's connection (`sluiced --once`) */
};
/* Starts sluice-pool (PATH_POOL). *ret_ready: becomes readable with the 8 bytes of the instance id
 * once it listens, at end of file without them if it failed (its message is on standard error);
 * caller closes it. The child is the caller's to reap. */
int link_start(
    const struct link_start *how, pid_t *ret_pid, int *ret_ready, struct err *err) CHECK_RESULT;

/* ---- /proc, shared with the pool's search for what a dead instance left ---- */
/* The name of a folder of /proc as a process number; false for other names. */
bool link_proc_name(const char *name, pid_t *ret_pid);
/* Field 22 of /proc/PID/stat, the parent and the state letter; false if there is no such process.
 */
bool link_proc_stat(pid_t pid, uint64_t *ret_start, pid_t *ret_parent, char *ret_state);
/* Does the process' environment hold the text as one whole NAME=VALUE? False where it may not be
 * read. */
bool link_proc_has_env(pid_t pid, const char *entry);

#endif
