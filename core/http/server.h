/* server.h: what the files of core/http share: the server, its connections, requests and replies.
 * Private to the folder.
 *
 * A request is a view of bytes that lie in the connection's buffer: it lives until its handler
 * returns. A handler either replies at once or leaves a struct call behind (core/http/call.h) and
 * replies when that is answered; a connection answers one request at a time, so pipelined requests
 * are answered in order. */
#ifndef CORE_HTTP_SERVER_H
#define CORE_HTTP_SERVER_H

#include "core/base/vec.h"
#include "core/http/http.h"
#include "core/http/vet.h"

#include <event2/event.h>
#include <event2/event_struct.h>
#include <sys/queue.h>

#define HTTP_READ_MAX (256u << 10) /* bytes taken from a socket at once */
#define HTTP_OUT_MAX (64u << 20)   /* bytes that one connection may have waiting to be sent */
#define HTTP_PARAMS_MAX 4

struct call;
struct hooks;
struct stream;
struct conn;
struct route;

/* Deadlines of one length each, so that each list is in order of expiry by itself. */
enum conn_list {
	LIST_NONE,
	LIST_IDLE,   /* between requests */
	LIST_HEAD,   /* a head has begun: absolute */
	LIST_BODY,   /* a body has begun: absolute */
	LIST_WRITE,  /* a reply waits for the client: since its last progress */
	LIST_STREAM, /* a stream is quiet: heartbeat */
	LIST_LINGER, /* replied and half closed: what still comes is thrown away */
	LIST_BUSY,   /* a handler works: no deadline */
	LIST_N
};
TAILQ_HEAD(conn_head, conn);

struct listener {
	struct http *h;
	struct event ev;
	int fd;
	bool is_unix;
	gid_t group;	   /* of the unix socket: its members are trusted */
	char *unlink_path; /* owned, or NULL */
	TAILQ_ENTRY(listener) link;
};
TAILQ_HEAD(listener_head, listener);

#define HTTP_STATUS_N 600
struct http_stats {
	uint64_t requests[HTTP_STATUS_N]; /* by status */
	uint64_t accepted, refused_heads, timeouts, emfile, evicted;
	uint64_t hook_events[VERDICT_N], hook_refused, streams_reset;
};

struct http {
	struct http_env env;
	struct http_limits lim;
	struct listener_head listeners;
	struct event accept_retry; /* listeners rest until it fires */
	bool accept_paused, draining;
	struct conn_head lists[LIST_N];
	size_t n_conns, n_streams;
	struct conn_head dead; /* freed at the end of the turn */
	struct event reap, timer;
	mono_us timer_at;      /* armed for, 0: not armed */
	struct ip_count **ips; /* owned: hash table of connections by address */
	uid_t run_uid;	       /* conf.run_user */
	bool has_run_uid;
	char *read_buf;	 /* owned: HTTP_READ_MAX, shared by all connections */
	struct str body; /* the reply that is being written */
	struct jw jw;	 /* over body */
	char date[96];	 /* Date header of this second */
	int64_t date_s;
	struct hooks *hooks;   /* owned */
	struct stream *stream; /* owned */
	char **hosts;	       /* owned: lower-case names that Host may carry */
	size_t n_hosts;
	struct http_stats stats;
};

struct peer {
	uid_t uid;
	bool is_unix, trusted; /* trusted: admin without a token */
	uint8_t ip[16];	       /* v4 as ::ffff:a.b.c.d */
	bool loopback;
};

/* Where more of a reply comes from than fits at once: a file, a log that grows, a stream. */
struct source {
	/* Called when everything was sent: appends to the connection with conn_write, or calls
	 * conn_end as its last act (which frees arg). May do neither: then it is called again after
	 * conn_kick. */
	void (*fill)(struct conn *c, void *arg);
	void (*idle)(struct conn *c, void *arg); /* quiet for heartbeat_ms; may be NULL */
	void (*free)(void *arg);
	void *arg;
	bool endless; /* ends when the client goes */
};

struct conn {
	struct http *h;
	int fd;
	enum conn_list list;
	mono_us since;
	TAILQ_ENTRY(conn) link;
	struct event read_ev, write_ev;
	struct peer peer;
	char *in; /* owned: bytes that wait; NULL while there are none */
	size_t in_n, in_cap;
	size_t need; /* bytes of the request that is coming in, once its head is known; else 0 */
	struct str out;
	size_t out_at;
	struct call *call; /* borrowed; forgets us when we die */
	struct source source;
	bool busy;    /* a request is being answered */
	bool blocked; /* out waits for the socket */
	bool corked;  /* more requests lie in the buffer: collect replies */
	bool running; /* inside conn_run */
	bool reading; /* read_ev is added */
	bool close_after, eof, dead;
	bool http_1_0, head_only, keep, chunked;
};

struct header {
	const char *name, *value;
	uint32_t name_n, value_n;
};

struct auth {
	uint32_t scopes; /* SCOPE_* */
	char object[PLAN_NAME_MAX];
	char actor[PLAN_NAME_MAX + 16]; /* "unix:0", "token:ci" */
};

struct http_req {
	struct http *h;
	struct conn *conn;
	struct vet vet;
	const char *head; /* vet.head_n bytes */
	const char *path, *query;
	size_t path_n, query_n;
	const char *body;
	size_t body_n;
	const struct route *route;
	struct auth auth;
	bool keep; /* the client wants the connection to stay open */
	size_t n_headers, n_params;
	const char *params[HTTP_PARAMS_MAX]; /* decoded, terminated, in `text` */
	struct header headers[VET_HEADERS_MAX];
	char text[VET_HEAD_MAX];
};

/* ---- conn.c ---- */
void conn_new(struct http *h, int fd, const struct peer *peer);
void conn_close(struct conn *c); /* at once; freed at the end of the turn */
/* One whole reply. extra: more header lines, each with CRLF, or NULL. Marks the request as
 * answered. */
void conn_reply(
    struct conn *c, int status, const char *type, const char *extra, const void *body, size_t n);
/* A reply of unknown length: head now, then conn_write from the source, then conn_end. Chunked for
 * HTTP/1.1. length >= 0: known after all. */
void conn_begin(struct conn *c, int status, const char *type, const char *extra, int64_t length,
    const struct source *source);
void conn_write(struct conn *c, const void *p, size_t n);
void conn_end(struct conn *c);
void conn_kick(struct conn *c); /* the source has more */
void conn_list_move(struct conn *c, enum conn_list to);
void conn_timers(struct http *h); /* arms the timer for the first deadline */
void on_timer(evutil_socket_t fd, short what, void *arg);
void on_reap(evutil_socket_t fd, short what, void *arg);

/* ---- request.c: the parser behind the filter ---- */
/* Fills q from a head that vet accepted. 0, or 400 with *ret_why: the two readings differ. */
int request_parse(struct http_req *q, const char **ret_why);
/* Value of a header (lower-case name), NULL where it is missing; *ret_n its length. The first one
 * counts. */
const char *request_header(const struct http_req *q, const char *name, size_t *ret_n);
bool request_header_copy(const struct http_req *q, const char *name, char *to,
    size_t size); /* false: missing or too long */
/* A decoded query option into `to`. false where it is missing; ERR text by *bad when it does not
 * fit or is malformed. */
bool request_query(const struct http_req *q, const char *name, char *to, size_t size, bool *bad);
/* Decodes %-escapes of n bytes into to (size bytes with terminator); -1 when it does not fit. plus:
 * '+' is a blank. */
int request_decode(const char *s, size_t n, char *to, size_t size, bool plus);
/* media type of Content-Type is application/json or …+json */
bool request_is_json(const struct http_req *q);

/* ---- serve.c: what happens to a request ---- */
/* The head is known, the body not. true: go on; false: a reply was sent. */
bool serve_head(struct http_req *q);
void serve_request(struct http_req *q); /* the body is there */

/* ---- reply.c ---- */
struct jw *reply_begin(struct http *h);	     /* resets body; the one reply that is being written */
void reply_json(struct conn *c, int status); /* sends what reply_begin's writer wrote */
/* application/problem+json; code as in CONTRACT's errors ("not-found"). */
void reply_problem(struct conn *c, int status, const char *code, const char *fmt, ...)
    __attribute__((format(printf, 4, 5)));
void reply_problem_with(
    struct conn *c, int status, const char *code, const char *extra, const char *detail);
/* The same for an ERR_*; detail is err->text, or the code's own text. */
void reply_err(struct conn *c, int rc, const struct err *err);
int reply_status_of(int rc);
const char *reply_reason(int status);
const char *reply_date(struct http *h); /* the Date line with its CRLF, made once a second */

/* ---- listen.c ---- */
void listen_free(struct listener *l);
void listen_resume(struct http *h); /* after a connection has gone */
void listen_pause(struct http *h);
void on_accept_retry(evutil_socket_t fd, short what, void *arg);
void ip_release(struct http *h, const struct peer *p);
/* true: one more connection of this address is allowed, and counted. */
bool listen_count_peer(struct http *h, const struct peer *p);
void listen_free_ips(struct http *h);

#endif
