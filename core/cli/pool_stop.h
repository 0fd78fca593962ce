/* pool_stop.h: speaks to the pools of a state folder when no daemon is there. */
#ifndef CORE_CLI_POOL_STOP_H
#define CORE_CLI_POOL_STOP_H

#include "core/base/err.h"

#include <stdbool.h>

/* Tells every living instance to drain or to cancel. ERR_NOT_FOUND: none lives. */
int pool_stop(const char *state, bool cancel, struct err *err) CHECK_RESULT;
/* Does any instance live? */
bool pool_lives(const char *state);

#endif
