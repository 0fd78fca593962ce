/* conform.h: the conformance kit: what every plugin has to stand, in one line of "ok" or "not ok" a
 * check.
 *
 * A first part needs the .so alone: its tables, and opening every role with no options and with
 * wrong ones. The second part runs the roles and needs to know how: a scenario, NAME.conform.json
 * beside NAME.so or named behind it. `%DIR%` in it is a folder of the kit's own.
 *   {"secrets":{"name:pii":"…"},"files":{"in.csv":"id,name\n1,a\n"},
 *    "connections":{"store":{"plugin":"sqlite","type":"sqlite","path":"%DIR%/x.db"}},
 *    "extract":{…the role as in a plan…}, "rows":1, "empty":{…an extract without rows…},
 *    "transform":{…}, "load":{…without mode and table…}, "verify":{…an extract that reads `table`
 * back, %TABLE% is its name…}, "task":{…}} Every check runs in a child of its own, which may be
 * killed. */
#ifndef CORE_WORKER_CONFORM_H
#define CORE_WORKER_CONFORM_H

#include "core/base/json.h"
#include "core/base/str.h"
#include "core/worker/load.h"

#include <stdarg.h>

struct conform {
	const char *path;	     /* of the .so */
	const struct plugin *plugin; /* opened in this process: tables only */
	const struct json *scenario; /* borrowed; NULL: the second part is left out */
	char dir[64];		     /* scratch folder, removed at the end */
	int n_ok, n_bad;
	int serial; /* of tables and ledger keys */
};

void conform_say(struct conform *c, bool ok, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
/* Runs fn in a child that has limit_ms; its text in out. Returns 0, the signal that ended it
 * (SIGKILL also for the limit), or -1 for an exit code that is not 0. */
int conform_child(struct conform *c, void (*fn)(void *arg, struct str *out), void *arg,
    int limit_ms, struct str *out);

void conform_tables(struct conform *c); /* conform_tables.c */
void conform_opens(struct conform *c);	/* conform_open.c */
void conform_runs(struct conform *c);	/* conform_run.c, conform_load.c */

/* ---- runs ---- */
struct run_order {
	const struct json *extract, *transform, *load,
	    *task;		  /* roles; load NULL: rows are counted and dropped */
	const char *cursor;	  /* a mark's JSON, or NULL */
	const char *mode, *table; /* put into load */
	uint64_t token;
	int ledger;	     /* number in the ledger key */
	int cancel_after_ms; /* -1: never */
	int cancel_at_batch; /* 0: never */
	const char *
	    kill_at; /* slot of the load after which the process kills itself, the kill_n-th time */
	int kill_n;
};
struct run_result {
	int ended_by; /* as conform_child */
	struct json
	    *answer; /* owned: {"report":…,"sum":"…","rows":n,"marks":[…],"took_us":n,"log":"…"} */
};
struct run_order run_order_make(void);
void conform_run(struct conform *c, const struct run_order *o, struct run_result *ret);
void run_result_done(struct run_result *r);
const char *run_class(const struct run_result *r);
const char *run_message(const struct run_result *r);
/* ended well, class ok, and nothing in the log that the host calls a bug in the plugin */
bool run_is_clean(const struct run_result *r);
/* The kit's own source: rows of columns id n f b s d t; nulls: none some all (but id). */
struct json *conform_source(int64_t rows, const char *nulls, int64_t fail_at);
void conform_load_runs(struct conform *c);

extern const slu_plugin conform_builtin;

#endif
