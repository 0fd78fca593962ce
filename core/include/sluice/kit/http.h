/* http.h: an HTTP client for plugins, over libcurl: one request at a time, bounded in time and
 * size, cancelled at once, and guarded against addresses of the own network.
 *
 * The guard judges the address that is connected to, after the name was resolved, so that no name
 * can lead around it. Redirects are not followed: they are the server's word about a place that
 * nobody wrote down. TLS certificates are verified. Proxies of the environment are not used. */
#ifndef SLUICE_KIT_HTTP_H
#define SLUICE_KIT_HTTP_H
#include "sluice/kit/buf.h"
#include "sluice/kit/error.h"
#ifdef __cplusplus
extern "C" {
#endif

typedef struct slu_http_options {
	uint32_t size;
	int32_t
	    private_ok; /* addresses of the own network are allowed (connection: private: allow) */
	int64_t timeout_ms;  /* of a whole request; 0 is 30000 */
	int64_t connect_ms;  /* 0 is 10000 */
	uint64_t max_bytes;  /* of an answer's body; 0 is 8 MiB */
	const char *ca_file; /* trusted instead of the system's certificates; NULL: those */
} slu_http_options;
typedef struct slu_http slu_http;
/* host and run may be NULL (tests): then only slu_http_cancel cancels. */
slu_rc slu_http_new(const slu_host *host, slu_run *run, const slu_http_options *o, slu_http **out,
    slu_err *err) SLU_CHECK;
void slu_http_free(slu_http *h); /* accepts NULL */
/* From any thread: the request under way ends within 100 ms with SLU_E_CANCELLED. */
void slu_http_cancel(slu_http *h);

typedef struct slu_http_request {
	uint32_t size;
	uint32_t n_headers;
	const char *method; /* NULL: GET, POST where there is a body */
	const char *url;
	const char *const *headers; /* "Name: value" */
	const void *body;	    /* NULL: none */
	size_t body_n;
} slu_http_request;
typedef struct slu_http_reply {
	int32_t status;
	slu_buf body;
	slu_buf headers;	/* as they came, one a line */
	int64_t retry_after_ms; /* what Retry-After says, 0: nothing */
	int64_t time_ms;	/* how long it took */
} slu_http_reply;
/* SLU_OK for every answer that is whole, whatever its status; the reply is to be freed by
 * slu_http_reply_done in any case (zero it before the first use). No answer: SLU_E_TRANSIENT
 * (connection), SLU_E_TIMEOUT, SLU_E_CONFIG (address refused, certificate, URL), SLU_E_DATA (body
 * over max_bytes), SLU_E_CANCELLED. Messages name the host, never the rest of the URL. */
slu_rc slu_http_do(
    slu_http *h, const slu_http_request *q, slu_http_reply *reply, slu_err *err) SLU_CHECK;
void slu_http_reply_done(slu_http_reply *reply);
/* Value of a header of the reply, or NULL; lives in buf. */
const char *slu_http_header(const slu_http_reply *reply, const char *name, char *buf, size_t n);
/* What a status means: 2xx SLU_OK; 401, 403, 407 auth; 429, and 503 with Retry-After, quota with
 * the server's time; 408, 425 and 5xx transient; 400, 409, 412, 413, 422 data; all else config.
 * who: "the endpoint", for the message. */
slu_rc slu_http_judge(const slu_http_reply *reply, const char *who, slu_err *err);

/* For other protocols of libcurl (SMTP): a fresh handle (CURL *) with the same guard, limits and
 * verification, which the caller fills in; it runs here, and belongs to h. *ret_code: the
 * protocol's answer, 0: none. */
void *slu_http_handle(slu_http *h);
slu_rc slu_http_run(slu_http *h, const char *where, long *ret_code, slu_err *err) SLU_CHECK;

/* ---- parts of it, pure ---- */
/* sa: a struct sockaddr of n bytes. 1 for what is not the public internet: this host, private and
 * link-local networks (cloud metadata with them), multicast, reserved; also inside IPv6. */
int slu_http_is_private(const void *sa, size_t n);
/* "120" or an HTTP date -> ms from now_us; 0 where it says nothing (or the past). */
int64_t slu_http_retry_after(const char *text, int64_t now_us);
/* Appends s with everything but unreserved characters as %XX: for a part of a path or query. */
void slu_buf_add_url(slu_buf *b, const char *s);

#ifdef __cplusplus
}
#endif
#endif
