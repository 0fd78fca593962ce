/* call.h: a request that waits for the writer or the daemon. Private to the folder.
 *
 * A call is one block of memory: the strings of its op lie behind it, because the request's bytes
 * are gone by the time the writer reads them. It holds its connection until one of the two dies. */
#ifndef CORE_HTTP_CALL_H
#define CORE_HTTP_CALL_H

#include "core/http/server.h"

struct call {
	struct http *h;
	struct conn *conn;    /* borrowed; NULL once the client has gone */
	struct writer_op *op; /* owned until it is submitted; NULL for a call to the daemon */
	/* After the commit, or the refusal; not called when the client has gone. */
	void (*reply)(struct call *call, const struct op_result *r);
	struct json *json; /* owned: parsed body that the op borrows */
	void *tag;	   /* of reply */
	uint64_t number;   /* of reply */
	size_t used, cap;
	char mem[];
};

/* room: bytes that call_text will take. The connection is busy from here on. */
struct call *call_new(struct http_req *q, enum op_kind kind, size_t room);
struct call *call_new_daemon(struct http_req *q); /* answered by call_answer */
void call_free(struct call *call); /* one that was not submitted; the connection is left as it is */
/* A terminated copy that lives as long as the call; NULL gives NULL. Aborts beyond room: the caller
 * counted wrong. */
char *call_text(struct call *call, const char *s, size_t n);
char *call_str(struct call *call, const char *s);
void *call_mem(struct call *call, size_t n); /* aligned for pointers */
/* Hands the op to the writer; where it is refused the client is told and the call freed. */
void call_submit(struct call *call, void (*reply)(struct call *call, const struct op_result *r));
/* http_answer for struct http_env's functions. */
void call_answer(void *arg, int rc, const struct err *err, const char *json);

#endif
