/* logpipe.h: the output of attempts, read by a thread of its own so that a chatty command never
 * delays the mailbox.
 *
 * The main thread opens and finishes logs, the log thread reads while they are live. Both ends of a
 * pipe are kept here until logs_finish, so that a worker that turns away from its pipe wakes
 * nobody. logs_finish reads on the calling thread what is left: once a worker has reported nothing
 * of the attempt lives, so that is at most one pipe full. */
#ifndef CORE_POOL_LOGPIPE_H
#define CORE_POOL_LOGPIPE_H

#include "core/base/err.h"
#include "core/pool/mask.h"

#include <stdbool.h>
#include <stdint.h>

#define LOG_LINGER_MS                                                                              \
	1000 /* a log whose pipe somebody still holds ends this long after its attempt */

struct logs;

int logs_new(struct logs **ret, struct err *err) CHECK_RESULT; /* starts the thread */
/* Finishes what is open and ends the thread. Accepts NULL. */
void logs_free(struct logs *l);
/* A new log with its pipe. path: absolute, made with its first byte; NULL: output is read and
 * dropped. mask is shared. *ret_fd: the write end, borrowed until logs_finish. */
int logs_open(struct logs *l, const char *path, struct mask *mask, uint64_t *ret_id, int *ret_fd,
    struct err *err) CHECK_RESULT;
/* The attempt is over. True: the log is whole on disk; false: somebody holds the pipe, the thread
 * ends it within LOG_LINGER_MS. An unknown id (0) is whole. */
bool logs_finish(struct logs *l, uint64_t id);
/* Removes a folder with all that is in it on the log thread; nothing to do where there is none. */
void logs_remove_tree(struct logs *l, const char *path);

#endif
