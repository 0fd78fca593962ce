/* daemon.h: the parts of the daemon and how they are wired. Used inside core/daemon only. */
#ifndef CORE_DAEMON_DAEMON_H
#define CORE_DAEMON_DAEMON_H

#include "core/daemon/compile.h"
#include "core/daemon/job.h"
#include "core/daemon/loop.h"
#include "core/daemon/outbox.h"
#include "core/daemon/poollink.h"
#include "core/daemon/reload.h"
#include "core/daemon/sd.h"
#include "core/daemon/secret.h"
#include "core/http/http.h"
#include "core/store/store.h"

#include <stdbool.h>

/* Exit codes of CONTRACT. */
enum exit_code {
	EXIT_CODE_OK = 0,
	EXIT_CODE_FAILED = 1,
	EXIT_CODE_USAGE = 2,
	EXIT_CODE_REFUSED = 3,
	EXIT_CODE_HELD = 4,
	EXIT_CODE_NOT_FOUND = 5,
	EXIT_CODE_INTERNAL = 70,
	EXIT_CODE_TEMPFAIL = 75
};
/* The exit code that fits an ERR_* of starting up. */
int exit_code_of(int rc);

struct backup;
struct hold;
struct http;
struct retention;
struct due_timer;
struct watch;
struct signals;

enum stop_kind { STOP_LEAVE, STOP_DRAIN, STOP_CANCEL };

struct daemon {
	struct loop loop;
	struct conf *conf;	      /* owned; what the loop uses now */
	struct secret_cache *secrets; /* owned, as is all below */
	struct store *store;
	struct writer *writer;
	struct event *results;	     /* the writer's eventfd */
	struct store_read *read;     /* for HTTP: one request at a time */
	struct store_read *own_read; /* for the daemon's own looks */
	struct pool_link *pools;
	struct job_builder *jobs;
	struct str job_text;
	struct due_timer *timer;
	struct signals *signals;
	struct compile *compile;
	struct reload *reload;
	struct watch *watching; /* NULL with --once */
	struct sd *sd;		/* set by main, before the first thread */
	struct backup *backup;	/* NULL with --once, as are the next two */
	struct retention *retention;
	struct hold *hold;     /* NULL: not restored */
	struct http *http;     /* NULL with --once */
	struct outbox *outbox; /* NULL with --once: who starts it by hand is there */
	bool once;
	bool stopping;
	enum stop_kind stop_kind;
	struct event *stop_timer;
	mono_us started_at;
	/* --once looks at each committed batch. */
	void (*watch)(void *arg, const struct effect *v, size_t n);
	void (*watch_progress)(void *arg, const struct step_ref *step, const char *json, size_t n);
	void *watch_arg;
};

/* ---- life.c ---- */
/* Opens the store and starts everything on d->conf, which the caller has set. */
int daemon_open(struct daemon *d, bool once, struct err *err) CHECK_RESULT;
void daemon_close(struct daemon *d); /* accepts a half-opened one */
/* Ends the loop at once, or when the pools have drained or cancelled what runs (drain_ms: at most
 * so long, -1 as long as it takes). */
void daemon_stop(struct daemon *d, enum stop_kind kind, int64_t drain_ms);
/* HUP: the configuration is compiled again; a bad one keeps the old. */
void daemon_reload(struct daemon *d);
bool daemon_is_ready(const struct daemon *d, struct str *why);
/* writer_submit with the daemon as argument. */
int daemon_submit(void *arg, struct writer_op *take);
/* An audit record of what is done beside the store; detail is copied, the others live for ever. */
void daemon_note(struct daemon *d, const char *actor, const char *verb, const char *detail);

/* ---- admintoken.c ---- */
/* Takes in state/admin-token, where there is one; says in the log what keeps it out. */
void admin_token_take(struct daemon *d);

/* ---- effect.c ---- */
void on_batch_effects(void *arg, const struct effect *v, size_t n);

/* ---- timer.c ---- */
int due_timer_new(struct daemon *d, struct due_timer **ret, struct err *err) CHECK_RESULT;
void due_timer_free(struct due_timer *t);
void due_timer_arm(struct due_timer *t); /* reads the first due instant */

/* ---- watch.c: the DAG folder, where sluice.yaml says watch: true ---- */
struct watch *watch_new(struct daemon *d);
void watch_free(struct watch *w);
bool watch_is_on(const struct watch *w);
/* The folders of other files that plans are made from, once they are known. NULL: nothing. */
void watch_inputs(struct watch *w);
void watch_conf(struct watch *w); /* another configuration: begin, go elsewhere or end */

/* ---- signal.c ---- */
struct signals *signals_new(struct daemon *d);
void signals_free(struct signals *s);

/* ---- confload.c ---- */
/* Runs `sluice-worker --compile-config FILE` and waits for it. ERR_CONFIG with file:line:column in
 * the text. */
int conf_load(const char *file, struct conf **ret, struct err *err) CHECK_RESULT;
/* The configuration of a file that has none: a state folder, default everything. */
int conf_default(
    const char *state, const char *deployment, struct conf **ret, struct err *err) CHECK_RESULT;
/* c's configuration with another state folder and deployment, without listeners and hooks. */
int conf_for_once(const struct conf *c, const char *state, const char *deployment,
    struct conf **ret, struct err *err) CHECK_RESULT;
/* The first error of a check object as one line. */
int conf_report_error(const struct json *report, const char *file, struct err *err);

/* ---- serve.c: what the HTTP server asks of the daemon ---- */
int serve_open(struct daemon *d, struct err *err) CHECK_RESULT;

/* ---- backup.c, retention.c, hold.c ---- */
struct backup *backup_new(struct daemon *d);
void backup_free(struct backup *b);
/* One at a time. answer: a descriptor to read from, and what it holds as "schema=1; epoch=…". */
int backup_start(
    struct backup *b, http_file_answer answer, void *answer_arg, struct err *err) CHECK_RESULT;
struct retention *retention_new(struct daemon *d);
void retention_again(struct retention *r); /* soon: it may be another time that is kept */
void retention_free(struct retention *r);  /* after the writer's last results */
struct retention_stats {
	uint64_t dropped, logs_bytes, logs_dropped_bytes, reader_lag;
	uint32_t readers;
};
void retention_stats(struct retention *r, struct retention_stats *ret);
struct hold *hold_new(struct daemon *d); /* NULL: there is none */
void hold_free(struct hold *h);

/* ---- once.c, fsckcmd.c, copycmd.c ---- */
struct once_options {
	const char *file, *config, *trigger, *key, *at, *output;
	const char *const *params; /* "name=value" */
	size_t n_params;
	const char *const *only;
	size_t n_only;
	uint32_t preview_rows;
};
int once_main(struct daemon *d, const struct once_options *o);
int fsck_main(const struct conf *conf, const char *output);
int restore_main(const struct conf *conf, const char *file, const char *output);
int compact_main(const struct conf *conf, const char *output);

#endif
