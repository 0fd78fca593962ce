/* plug_host.h: a host in miniature for tests of plugins: options from JSON, one attempt, everything
 * a plugin reports kept for assertions. It drives the C tables as the worker does, so that a plugin
 * is tested without daemon, pool and worker. */
#ifndef TESTS_UNIT_PLUG_HOST_H
#define TESTS_UNIT_PLUG_HOST_H

#include "sluice/arrow.h"
#include "sluice/kit/batch.h"
#include "sluice/plugin.h"

#include "core/base/json.h"
#include "core/base/str.h"

#include <stdbool.h>

struct plug { /* one attempt */
	slu_attempt at;
	char dir[64]; /* a folder of the test's own; base_dir and scratch */
	slu_err fail; /* the first failure of a stream */
	bool failed, ended;
	slu_end end;
	int64_t rejected, max_rejects;
	char reject_column[128], reject_reason[256];
	struct str outputs; /* key=json lines */
	struct str log;
	const char *secret; /* of every path */
	int32_t cancelled;
	slu_mark cursor; /* what cursor_load gives */
	char cursor_text[512];
	const char *upto;		/* a rerun: where to stop, instead of bound(); or NULL */
	const slu_warehouse *warehouse; /* what session() lends */
	void *session;
	int64_t marks;
	char mark_text[512];
};
struct slu_run {
	struct plug *p;
	struct json *options; /* owned */
	slu_opts table;
};

extern const slu_host plug_host;

void plug_init(struct plug *p);
void plug_done(struct plug *p); /* removes the folder */
/* A path in the folder; the text lives in a ring of eight. */
const char *plug_path(struct plug *p, const char *name);
void plug_write(struct plug *p, const char *name, const void *text, size_t n);
/* Whole file as text; caller frees with mem_free. NULL where there is none. */
char *plug_read(const char *path);
struct slu_run *plug_run(struct plug *p, const slu_opts *table, const char *options);
void plug_run_free(struct slu_run *run);
/* plugins/.libs/NAME.so of the build tree. */
const slu_kind *plug_kind(const char *plugin, const char *type);

/* Everything of a stream as NDJSON, the schema as slu_fields_to_json in schema (may be NULL). The
 * stream is released. */
slu_rc plug_drain(struct ArrowArrayStream *in, struct str *out, struct str *schema, slu_err *err);
/* extract (with its connection where conn_options is not NULL) → rows as NDJSON. */
slu_rc plug_extract(struct plug *p, const slu_kind *kind, const char *conn_options,
    const char *options, struct str *out, struct str *schema, slu_err *err);
/* A stream over rows given as NDJSON with declared columns ({"a":"int64"}). */
slu_rc plug_source(struct plug *p, const char *columns, const char *ndjson,
    struct ArrowArrayStream *out, slu_err *err);

struct plug_load {
	const slu_kind *kind;
	const char *conn_options, *options;
	slu_work work;
	const char *check; /* one check, or NULL */
	int64_t failing;
	slu_mark mark;
	/* results */
	slu_report report;
	char parts[2048];
	bool found;
	slu_mark found_mark;
	char found_cursor[256];
	int32_t n_changes;
};
/* recover → (plan → stage → write* → probe → publish | abort) of one stream (released). */
slu_rc plug_load(struct plug *p, struct plug_load *l, struct ArrowArrayStream *in, slu_err *err);
/* A work order with the usual fences and keys of attempt `token`. */
void plug_work(struct plug *p, struct plug_load *l, uint32_t mode, const char *table);

#endif
