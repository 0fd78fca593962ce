/* vet.h: the strict filter in front of the HTTP parser: judges the raw bytes of one request head.
 *
 * A pure function. It accepts less than RFC 9112 allows wherever two readers of the same bytes
 * could disagree about where a request ends (reference: request smuggling): CRLF only, token names
 * right before the colon, no folding, no control bytes, one Content-Length of 1-15 digits, never
 * Content-Length beside Transfer-Encoding, a target that begins with '/'. */
#ifndef CORE_HTTP_VET_H
#define CORE_HTTP_VET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define VET_HEAD_MAX 8192u
#define VET_HEADERS_MAX 64u

enum vet_method { VET_GET, VET_HEAD, VET_POST, VET_DELETE, VET_OPTIONS, VET_METHOD_N };
const char *vet_method_name(enum vet_method m);

struct vet {
	size_t head_n; /* bytes of the head, its empty line included */
	enum vet_method method;
	bool http_1_0;
	size_t target_at, target_n, path_n; /* offsets in the head; path_n: up to '?' */
	unsigned n_headers;
	bool has_length;
	uint64_t length;	/* Content-Length, 0 where there is none */
	bool transfer_encoding; /* present: the caller refuses (411 where a length is demanded) */
	bool expect_continue;
};

#define VET_MORE (-1)
/* p[0..n): what has arrived. need_host: exactly one Host (TCP); else at most one.
 * 0 and *ret set: a whole, acceptable head. VET_MORE: not whole yet and nothing wrong so far. Else
 * the status of the refusal (400 417 431 501 505) with *ret_why naming the cause; the connection
 * must be closed behind it. */
int vet_head(const char *p, size_t n, bool need_host, struct vet *ret, const char **ret_why);
/* ASCII, without case; name is lower case. */
bool vet_name_is(const char *p, size_t n, const char *name);

#endif
