/* http.h: the parts of the http plugin. */
#ifndef PLUGINS_HTTP_HTTP_H
#define PLUGINS_HTTP_HTTP_H

#include <sluice/kit/http.h>
#include <sluice/kit/json.h>
#include <sluice/plugin.h>

#define SITE_URL_MAX 1024
#define REQUEST_URL_MAX 8192
#define REQUEST_BODY_MAX (8u << 20)
#define HEADERS_MAX 64
#define RANGES_MAX 32

/* A connection: one service, and who we are there. */
struct site {
	const slu_host *host; /* borrowed */
	slu_run *run;	      /* borrowed */
	char *base;	      /* owned: scheme, host and path, without a slash at its end */
	char *authorization;  /* owned, wiped: the whole header; NULL: none */
	slu_json *headers;    /* owned; NULL: none */
	char *ca_file;	      /* owned; NULL: the system's */
	int64_t timeout_ms;
	int32_t private_ok;
};
extern const slu_connection http_connection;
extern const slu_task http_task;

/* What client of the kit a request to s needs; max_bytes 0: the kit's own limit. */
slu_rc site_client(const struct site *s, const slu_host *host, slu_run *run, uint64_t max_bytes,
    slu_http **out, slu_err *err) SLU_CHECK;

/* ---- request.c: what is sent ---- */
struct request {
	char method[8];
	slu_buf path; /* for messages and the log: without the query */
	slu_buf url, body;
	int has_body;
	char *headers[HEADERS_MAX]; /* owned: "Name: value" */
	uint32_t n_headers;
};
/* Reads the task's options. A zeroed q; request_done in any case. */
slu_rc request_read(struct request *q, const struct site *s, const slu_host *host, slu_run *run,
    slu_err *err) SLU_CHECK;
void request_done(struct request *q);
/* Names and values of a map can stand in a request: tokens, no control characters, and none of the
 * headers that the client or `auth` writes. */
slu_rc request_check_headers(const slu_json *map, slu_err *err) SLU_CHECK;

/* ---- expect.c: what must come back ---- */
struct expect {
	struct {
		int lo, hi;
	} ranges[RANGES_MAX];
	uint32_t n_ranges; /* 0: 200 to 299 */
	slu_json *status;  /* owned: as written, for messages */
	slu_json *json;	   /* owned: pointer -> value; NULL: nothing */
	slu_json *outputs; /* owned: name -> pointer; NULL: none */
};
slu_rc expect_read(struct expect *e, const slu_host *host, slu_run *run, slu_err *err) SLU_CHECK;
void expect_done(struct expect *e);
int expect_wants_json(const struct expect *e);
/* The class of an answer; outputs are given to the host where all is as expected. who: "GET /x". */
slu_rc expect_judge(const struct expect *e, const slu_host *host, slu_run *run,
    const slu_http_reply *reply, const char *who, slu_err *err) SLU_CHECK;

#endif
