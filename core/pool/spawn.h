/* spawn.h: starts a program as a child of the pool: worker, or the daemon under --supervise. Always
 * exec'd anew, always from the main thread (PR_SET_PDEATHSIG fires when the forking thread ends).
 */
#ifndef CORE_POOL_SPAWN_H
#define CORE_POOL_SPAWN_H

#include "core/base/err.h"

#include <stdbool.h>
#include <sys/resource.h>
#include <sys/types.h>

#define SPAWN_GROUPS_MAX 64

struct run_as { /* --run-user, looked up once: nothing between fork and exec may ask the user
		   database */
	bool set;
	uid_t uid;
	gid_t gid;
	gid_t groups[SPAWN_GROUPS_MAX];
	size_t n_groups;
};
int run_as_find(const char *user, struct run_as *ret, struct err *err) CHECK_RESULT;
/* Who owns a folder, with the groups of that user where there is one of that number. */
int run_as_owner(uid_t uid, gid_t gid, struct run_as *ret, struct err *err) CHECK_RESULT;

struct spawn {
	const char *path;
	char *const *argv;
	char *const *env;
	const struct run_as *as; /* NULL: no change of user */
	int fds[2];		 /* become descriptors 3 and 4, neither close-on-exec; -1: closed */
	struct rlimit nofile;	 /* 0, 0: as the pool's own */
	bool no_core;
};
/* ERR_IO with the reason also where exec failed: the child is reaped then. */
int spawn_child(const struct spawn *s, pid_t *ret_pid, struct err *err) CHECK_RESULT;

#endif
