/* sse.h: reads Server-Sent Events out of a byte stream cut anywhere. */
#ifndef CORE_CLI_SSE_H
#define CORE_CLI_SSE_H

#include "core/base/str.h"

struct sse {
	struct str line, data, event;
	/* One event; data is its text. Returning false ends the stream. */
	bool (*each)(void *arg, const char *event, const char *data);
	void *arg;
};

void sse_init(
    struct sse *s, bool (*each)(void *arg, const char *event, const char *data), void *arg);
void sse_done(struct sse *s);
/* false once `each` said so or a line passed 8 MiB. */
bool sse_feed(struct sse *s, const char *p, size_t n);

#endif
