/* attempt.h: one try of a step inside this process, and what plugins see of it (struct slu_run).
 *
 * Threads: the lanes (extract lane, main lane) run plugin code; the first thread cancels and
 * sends progress. What several touch is guarded by `lock`, or atomic. The list of live instances is
 * guarded by `live_lock`, which is held while `cancel` slots are called, so that an instance is
 * never closed under a cancel. */
#ifndef CORE_WORKER_ATTEMPT_H
#define CORE_WORKER_ATTEMPT_H

#include "core/base/clock.h"
#include "core/base/str.h"
#include "core/base/vec.h"
#include "core/worker/job.h"
#include "core/worker/table.h"

#include <pthread.h>
#include <stdatomic.h>

struct rejects;

#define OUTPUTS_MAX_BYTES (64u << 10)
#define BATCH_BYTES (1u << 20)
#define BATCH_MAX_BYTES (16u << 20)

struct live { /* an open instance that can be cancelled from another thread */
	void (*cancel)(void *st);
	void *st;
	bool reads; /* an extract: also stopped when the load has failed */
};

struct progress {
	char stage[16], unit[16];
	int64_t done, total; /* total -1: unknown */
	bool dirty;
};

/* A mark with its own text. */
struct mark {
	bool set;
	char *cursor_json; /* owned or NULL */
	uint32_t flags;
	int64_t complete_us, max_event_us;
};

struct attempt {
	struct job *job;	/* borrowed */
	struct slu_attempt pub; /* what attempt() shows */
	slu_part *parts;	/* owned, with their keys */
	pthread_mutex_t lock;
	atomic_bool cancelled, stopped; /* stopped: the load has failed, the extract is to end */
	int cancel_fd;			/* eventfd, readable once cancelled */
	int kick_fd;	 /* borrowed eventfd of the watching thread, or -1: progress is there */
	slu_err failure; /* first failure, by fail() or by a slot that returned it */
	bool failed;
	bool vague; /* failure says less than the plugin that is about to return knows */
	bool
	    completed; /* the step says that it has done its work: without it there is no success */
	struct json *outputs, *datasets, *positions; /* owned */
	size_t outputs_bytes;
	atomic_int_fast64_t rows_in, rows_out, rows_rejected, bytes;
	struct progress progress;
	struct mark mark; /* what the report says of the cursor */
	bool ledger_found;
	struct rejects *rejects; /* owned, on demand */
	struct str plugin_sha;
	pthread_mutex_t live_lock;
	VEC(struct live) live;
	bool scratch_made;
	/* work elsewhere */
	char *handle; /* owned: it goes on there; NULL: it does not, or nothing was submitted */
	int64_t poll_after_ms; /* when to ask again, by the plugin */
	bool remote_ended;     /* its end was seen */
	char *remote_key;      /* owned: ledger key and number of the submission */
};

/* One role of the attempt: what a plugin's instance was opened with. */
struct slu_run {
	struct attempt *at; /* borrowed; of a kept connection: the attempt that uses it now */
	const char *role;   /* "extract", "transform 2", "connection shop" */
	int index; /* place in the pipeline: -1 extract, 0… transforms, INT16_MAX load and all else
		    */
	const struct json
	    *node;	   /* borrowed: the role as rendered; of a connection its configuration */
	slu_opts table;	   /* the role's options */
	VEC(char *) texts; /* owned: what getters made */
	struct mark mark;  /* last mark() */
	struct mark end_mark;
	slu_mark loaded; /* what cursor_load() shows */
	slu_end end;
	bool ended;
	atomic_int_fast64_t rejected;
	bool may_publish; /* dataset() is allowed: tasks and models */
};

struct attempt *attempt_new(struct job *job, int kick_fd);
void attempt_free(struct attempt *at);

void attempt_cancel(struct attempt *at);       /* first thread */
void attempt_stop_reading(struct attempt *at); /* the load has failed */
bool attempt_cancelled(const struct attempt *at);
/* Notes a failure; the first one wins. rc SLU_OK becomes internal. */
void attempt_fail(struct attempt *at, const slu_err *e);
/* As attempt_fail, for a rejected row of which nothing may be told before its mask: a failure of
 * the same column that the plugin returns in its own words takes its place. */
void attempt_fail_vague(struct attempt *at, const slu_err *e);
void attempt_failf(struct attempt *at, slu_rc rc, const char *code, const char *fmt, ...)
    __attribute__((format(printf, 4, 5)));
/* As attempt_fail for a slot that gave rc and filled e; a slot may forget either. */
void attempt_fail_slot(
    struct attempt *at, slu_rc rc, const slu_err *e, const char *role, const char *slot);
bool attempt_failed(struct attempt *at);
/* A base error: the code decides the class. */
void attempt_fail_err(struct attempt *at, const struct err *err);

/* Registers an instance for cancel; detach before close. cancel may be NULL. */
void attempt_attach(struct attempt *at, void (*cancel)(void *), void *st, bool reads);
void attempt_detach(struct attempt *at, void *st);

void attempt_log(struct attempt *at, int level, const char *code, const char *msg, size_t n);
void attempt_logf(struct attempt *at, int level, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
void attempt_progress(
    struct attempt *at, const char *stage, int64_t done, int64_t total, const char *unit);
/* Progress as JSON into out when there is news; false otherwise. */
bool attempt_take_progress(struct attempt *at, struct str *out);
/* The report of core/README.md §6. */
void attempt_report(struct attempt *at, struct str *out);
/* What frame_outcome says of it. */
uint32_t attempt_outcome(struct attempt *at);
const char *attempt_class(slu_rc rc); /* "config" … */

void attempt_note_plugin(struct attempt *at, const char *name, const char *sha);
/* One update of a data set; partition "" for none, mark may be NULL. */
void attempt_dataset(struct attempt *at, const char *name, const char *partition, bool changed,
    const struct mark *mark, int64_t rows);

void run_init(struct slu_run *run, struct attempt *at, const char *role, const struct json *node,
    slu_opts table);
void run_done(struct slu_run *run);

void mark_set(struct mark *m, const slu_mark *from); /* copies; from may be NULL */
void mark_done(struct mark *m);
slu_mark mark_view(const struct mark *m); /* borrows the text */

extern const slu_host host_table;

/* Where the conformance kit looks in; NULL everywhere else. Set before any lane exists. */
struct ArrowSchema;
struct ArrowArray;
struct hooks {
	void (*batch)(
	    const slu_run *run, const struct ArrowSchema *schema, const struct ArrowArray *batch);
	void (*mark)(const slu_run *run, const slu_mark *mark);
	void (*point)(struct attempt *at, const char *slot); /* a slot of the load has returned */
};
extern const struct hooks *hooks;

#endif
