/* serve.h: the worker under the pool: one socket, one attempt after the other. */
#ifndef CORE_WORKER_SERVE_H
#define CORE_WORKER_SERVE_H

#include "core/base/err.h"

#include <stdbool.h>

struct serve_options {
	int sock;     /* connected SEQPACKET socket */
	bool process; /* this process is a worker and nothing else: it may be sandboxed, and left at
			 once; false in tests */
};

/* Until the pool closes the socket or a TERM arrives while nothing runs. The process must be a
 * subreaper already. */
int serve(const struct serve_options *o, struct err *err) CHECK_RESULT;
/* As a signal does: cancels what runs and ends when it has been reported. Async-signal-safe. */
void serve_terminate(void);

#endif
