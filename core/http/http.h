/* http.h: the daemon's HTTP server: /v1, /hooks, the stream, /metrics, on the unix socket and on
 * TCP.
 *
 * Everything here runs on the loop thread. The server reads the store through view_begin/view_end,
 * changes it only by ops that it submits, and answers them after their commit. What only the daemon
 * can do (secrets, compiling, stopping) comes through struct http_env, so that the tests and the
 * bench run the same server without a daemon. */
#ifndef CORE_HTTP_HTTP_H
#define CORE_HTTP_HTTP_H

#include "core/base/clock.h"
#include "core/base/json.h"
#include "core/store/store.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct event_base;
struct http;
struct metrics; /* core/http/metrics.h */

enum http_stop { HTTP_STOP_LEAVE, HTTP_STOP_DRAIN, HTTP_STOP_CANCEL };

/* The answer to a request to the daemon: rc 0 with the reply's JSON (whole, NULL: {}), or ERR_*
 * with err set. Called exactly once, never from inside the function that took it. */
typedef void (*http_answer)(void *answer_arg, int rc, const struct err *err, const char *json);

/* The same for a file: fd (the server's from then on, also without a client) and a line about it.
 */
typedef void (*http_file_answer)(
    void *answer_arg, int rc, const struct err *err, int fd, const char *info);

struct http_env {
	struct event_base *base; /* borrowed */
	const struct conf *conf; /* borrowed; replaced by http_conf */
	void *arg;		 /* of every function below */
	wall_us (*wall)(void);	 /* clock_wall */
	mono_us (*mono)(void);	 /* clock_mono */

	/* ---- the store ---- */
	/* A fresh snapshot for one request, and its end. NULL: the store cannot be read, 503. Never
	 * nested. */
	const struct view *(*view_begin)(void *arg);
	void (*view_end)(void *arg);
	/* writer_submit. On failure the op still belongs to the server. */
	int (*submit)(void *arg, struct writer_op *take);
	/* What why_* need of the writer's environment: conf and the pool instances that are up. May
	 * be NULL. */
	void (*sched_env)(void *arg, struct sched_env *ret);

	/* ---- the daemon; each may be NULL: 501, or nothing to say ---- */
	/* The value behind a reference ({"file"|"credential"|"env"}) without its final newline; out
	 * is reset by the callee. */
	int (*secret)(void *arg, const struct json *ref, struct str *out, struct err *err);
	/* true: store open, the pool has answered END, every file compiled or refused. Else *why
	 * names what is missing. */
	bool (*ready)(void *arg, struct str *why);
	/* Compiles the DAG folder and answers
	 * {"add":[],"change":[],"remove":[],"same":n,"errors":[]}; apply does it as well. An error
	 * at once means that answer is not called. */
	/* actor: who applies, copied; NULL for a plan */
	int (*plan)(
	    void *arg, const char *actor, http_answer answer, void *answer_arg, struct err *err);
	/* Stops daemon and pool. The reply to the client goes out first: the daemon calls
	 * http_drain before it leaves. */
	int (*stop)(void *arg, enum http_stop how, int64_t drain_ms, struct err *err);
	/* Makes a proven copy of the store, which takes a while. An error at once means that answer
	 * is not called. */
	int (*backup)(void *arg, http_file_answer answer, void *answer_arg, struct err *err);
	void (*plugins)(void *arg, struct jw *out); /* array elements for GET /v1/plugins */
	/* Why sluice.yaml as it is on disk is not in force, or NULL. May be NULL itself. */
	const char *(*conf_error)(void *arg);
	void (*doctor)(void *arg, struct jw *out); /* members of the object of GET /v1/doctor */
	void (*metrics)(void *arg, struct metrics *out); /* the daemon's own, by metrics_* */
};

/* Limits; 0 takes the default. */
struct http_limits {
	uint32_t max_conns; /* 20,000: over all listeners; also never more than the descriptor limit
			       less 128 */
	uint32_t max_per_ip;   /* 20,000 from loopback is the same as max_conns; others 256 */
	uint32_t head_ms;      /* 10 s from the first byte to the end of the head */
	uint32_t body_ms;      /* 30 s from the end of the head to the last byte of the body */
	uint32_t idle_ms;      /* 75 s of keep-alive between requests, and for the first byte */
	uint32_t write_ms;     /* 30 s in which a reply makes no progress */
	uint32_t heartbeat_ms; /* 15 s of silence on a stream before a comment is sent */
	uint32_t ring;	       /* 4,096 recent events that Last-Event-ID can resume from */
	uint32_t body_bytes;   /* 1 MiB: of /v1 requests; hooks have limits.event_body */
};

int http_new(const struct http_env *env, const struct http_limits *limits, struct http **ret,
    struct err *err) CHECK_RESULT;
/* Closes every connection and listener. Ops that are still with the writer must have been delivered
 * or dropped before. */
void http_free(struct http *h);
/* Replaces a stale socket (the store's lock proves that nobody serves it) and makes it 0660. */
int http_listen_unix(struct http *h, const char *path, struct err *err) CHECK_RESULT;
/* "127.0.0.1:7480", "[::1]:0", "localhost:0". Beyond loopback ERR_REFUSED until TLS comes.
 * *ret_port may be NULL. */
int http_listen_tcp(
    struct http *h, const char *address, uint16_t *ret_port, struct err *err) CHECK_RESULT;
/* A listening descriptor of systemd's; owned from then on. */
int http_listen_fd(struct http *h, int fd, struct err *err) CHECK_RESULT;
/* A new configuration: hooks, hosts, limits. On failure (a secret that cannot be read) the old one
 * stays. */
int http_conf(struct http *h, const struct conf *conf, struct err *err) CHECK_RESULT;

/* Once per committed batch, before the `done`s of its ops (writer_options.on_effects). */
void http_effects(struct http *h, const struct effect *v, size_t n);
/* A FRAME_PROGRESS of a running attempt: JSON as core/README.md §6. Costs nothing while nobody
 * listens. */
void http_progress(struct http *h, const struct step_ref *step, const char *json, size_t n);
/* Stops accepting, answers what is under way, closes idle connections and streams. true once
 * nothing is left to send. */
bool http_drain(struct http *h);

#endif
