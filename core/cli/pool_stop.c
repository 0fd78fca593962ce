/* pool_stop.c: FRAME_SHUTDOWN to each living pool. Its outcomes stay in its mailbox for the next
 * daemon. */
#include "core/cli/pool_stop.h"

#include "core/base/io.h"
#include "core/pool/frame.h"
#include "core/pool/link.h"

#include <string.h>

#define INSTANCES_MAX 16

int pool_stop(const char *state, bool cancel, struct err *err)
{
	struct link_instance list[INSTANCES_MAX];
	size_t n = 0, told = 0;
	int rc = link_list(state, list, INSTANCES_MAX, &n, err);
	if (rc)
		return rc;
	for (size_t i = 0; i < n && i < INSTANCES_MAX; i++) {
		struct frame head;
		int fd = -1;
		if (!list[i].alive || link_connect(state, list[i].id, false, &fd, NULL) != 0)
			continue;
		memset(&head, 0, sizeof(head));
		head.type = FRAME_SHUTDOWN;
		head.code = cancel ? 1 : 0;
		if (frame_send(fd, &head, NULL, 0, NULL, 0, NULL) == 0)
			told++;
		io_close(&fd);
	}
	return told ? 0 : err_set(err, ERR_NOT_FOUND, "no pool is running");
}

bool pool_lives(const char *state)
{
	struct link_instance list[INSTANCES_MAX];
	size_t n = 0;
	if (link_list(state, list, INSTANCES_MAX, &n, NULL) != 0)
		return false;
	for (size_t i = 0; i < n && i < INSTANCES_MAX; i++) {
		if (list[i].alive)
			return true;
	}
	return false;
}
