/* instance.h: this pool's identity: lock file, cgroup, listener; and the end of what a dead
 * instance left (rules 12, 13, 23). */
#ifndef CORE_POOL_INSTANCE_H
#define CORE_POOL_INSTANCE_H

#include "core/base/err.h"
#include "core/pool/link.h"

#include <stdint.h>

struct instance {
	uint64_t id;
	char *folder;  /* owned: state/pool */
	int lock_fd;   /* -1 before; inherited by workers and commands on purpose */
	int listen_fd; /* -1 before and after */
	char cgroup[LINK_CGROUP_MAX];
};

/* Takes a new id, its cgroup (where wanted and allowed) and its lock file. */
int instance_begin(
    struct instance *i, const char *state, bool own_cgroup, struct err *err) CHECK_RESULT;
/* Kills what dead instances left: by cgroup, else whoever holds their lock file or carries their
 * id. Before instance_listen. */
void instance_kill_dead(const struct instance *self, const char *state);
int instance_listen(struct instance *i, struct err *err) CHECK_RESULT;
/* Orderly end: closes the listener, then writes `ended`. */
void instance_ended(struct instance *i);
/* True while the lock file is still there under its name: else the state folder is gone. */
bool instance_is_there(const struct instance *i);
void instance_done(struct instance *i);

#endif
