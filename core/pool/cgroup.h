/* cgroup.h: the pool's own cgroup (v2), where it may have one. Controllers are not needed:
 * cgroup.kill and cgroup.events are. */
#ifndef CORE_POOL_CGROUP_H
#define CORE_POOL_CGROUP_H

#include <stdbool.h>
#include <stddef.h>

/* Makes a child of the process' cgroup and moves the process into it. False where there is no
 * cgroup v2 or no right to it; path is then "". */
bool cgroup_enter(const char *name, char *path, size_t size);
/* Moves the process back to the parent and removes the folder, if it is empty. */
void cgroup_leave(const char *path);
/* Kills all that is in it; true once it is empty or gone. Waits at most wait_ms. */
bool cgroup_kill(const char *path, int wait_ms);

#endif
