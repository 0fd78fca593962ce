/* plan.h: the compiled DAG. A plan is an immutable JSON text (schema in core/README.md §3) named by
 * its SHA-256; this file reads it into structs. Everything is owned by the plan and dies with it.
 * Pure: no I/O, no clock. */
#ifndef CORE_DAG_PLAN_H
#define CORE_DAG_PLAN_H

#include "core/base/err.h"
#include "core/base/hash.h"
#include "core/base/json.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PLAN_NAME_MAX                                                                              \
	64 /* bytes with terminator: step, param, trigger, DAG, hook, pool, connection */
#define PLAN_DATASET_MAX 256   /* bytes with terminator: CONNECTION/NAME */
#define PLAN_PARTITION_MAX 256 /* bytes with terminator: day=2026-11-21 */
#define PLAN_KEY_MAX 256       /* bytes with terminator: run key, foreach item key */
#define PLAN_MAX_STEPS 1000
#define PLAN_MAX_ITEMS 50000
#define PLAN_MAX_BYTES (4u << 20)

/* Error classes of a step's outcome (CONTRACT); stored as bytes: append only. */
enum step_class {
	CLASS_OK,
	CLASS_CONFIG,
	CLASS_AUTH,
	CLASS_DATA,
	CLASS_SCHEMA,
	CLASS_TRANSIENT,
	CLASS_QUOTA,
	CLASS_CANCELLED,
	CLASS_TIMEOUT,
	CLASS_LOST,
	CLASS_INTERNAL,
	CLASS_N
};
const char *class_name(enum step_class c);
int class_from_name(const char *name, enum step_class *ret) CHECK_RESULT;

enum trigger_kind {
	TRIGGER_CRON,
	TRIGGER_AT,
	TRIGGER_EVERY,
	TRIGGER_WEBHOOK,
	TRIGGER_SOURCE,
	TRIGGER_DATASETS,
	TRIGGER_ABSENCE,
	TRIGGER_MANUAL,	  /* never in a file: a run by hand */
	TRIGGER_BACKFILL, /* never in a file */
	TRIGGER_KIND_N
};
const char *trigger_kind_name(enum trigger_kind k); /* "cron" … as in CONTRACT */
int trigger_kind_from_name(const char *name, enum trigger_kind *ret) CHECK_RESULT;

enum when_rule { WHEN_ALL_SUCCESS, WHEN_ONE_SUCCESS, WHEN_ALL_DONE, WHEN_ONE_FAILED };
enum step_kind { STEP_PIPELINE, STEP_TASK, STEP_MODEL };
enum overlap_rule { OVERLAP_QUEUE, OVERLAP_SKIP, OVERLAP_CANCEL, OVERLAP_LATEST };
enum catchup_keep { CATCHUP_NONE, CATCHUP_LATEST, CATCHUP_ALL };
enum datasets_rule { DATASETS_ALL, DATASETS_ANY, DATASETS_AT_LEAST };
enum value_type {
	VALUE_STRING,
	VALUE_INTEGER,
	VALUE_NUMBER,
	VALUE_BOOLEAN,
	VALUE_DATE,
	VALUE_TIMESTAMP,
	VALUE_ANY
};

/* A declared parameter or body field. */
struct plan_param {
	char name[PLAN_NAME_MAX];
	enum value_type type;
	bool required;
	const struct json *def;	    /* or NULL */
	const struct json *choices; /* array or NULL */
	const struct json *min, *max;
};
struct plan_params {
	struct plan_param *v;
	size_t n;
};

struct plan_member { /* of a datasets trigger */
	char dataset[PLAN_DATASET_MAX];
	const struct json *json; /* the member as compiled: map, use, max_age_ms */
};

struct plan_trigger {
	char name[PLAN_NAME_MAX];
	enum trigger_kind kind;
	const struct json *json; /* the whole compiled trigger */
	/* cron */
	const char *cron, *zone, *gap,
	    *overlap; /* zone is set for every kind: the DAG's unless given */
	/* at: wall_us; every: from + n * each */
	int64_t at_us, each_us, from_us;
	int64_t jitter_us; /* 0: none */
	/* covers: NULL unit where the trigger has no window */
	const char *covers_unit; /* hour day week month */
	int64_t covers_offset;
	enum catchup_keep catchup;
	int64_t catchup_within_ms; /* -1: without limit */
	uint32_t catchup_at_once;
	/* webhook, source */
	const char *hook;
	struct plan_params body;
	/* templates or NULL */
	const char *where, *key;
	const struct json *params; /* object name -> template or literal, or NULL */
	bool on_same_key_rerun;
	/* datasets */
	enum datasets_rule rule;
	uint32_t at_least;
	struct plan_member *members;
	size_t n_members;
	const char *join;     /* unit or NULL */
	bool fire_on_publish; /* fire: publish */
	bool from_earliest;
	bool keep_while_paused;
};

struct plan_need {
	uint16_t step;	 /* index into steps */
	bool match_item; /* items pair with items */
};

struct plan_retry {
	uint32_t attempts; /* >= 1 */
	int64_t delay_ms, max_delay_ms;
	double backoff, jitter;
	uint32_t classes; /* bits 1u << CLASS_*: what is retried */
};

struct plan_foreach {
	const struct json *in;	   /* array of literals, or string with ${…} giving a list */
	const char *as;		   /* "item" where the file gives none */
	const char *key;	   /* template, or NULL: the item's text */
	uint32_t max_parallel;	   /* 0: no limit of its own */
	uint32_t tolerate;	   /* failed items allowed */
	uint32_t tolerate_percent; /* or this part of them */
};

struct plan_step {
	char name[PLAN_NAME_MAX];
	enum step_kind kind;
	const struct json
	    *json; /* the whole compiled step: task, extract, transform, load, model … */
	struct plan_need *needs;
	size_t n_needs;
	uint16_t *children; /* steps that need this one, each once */
	size_t n_children;
	enum when_rule when;
	struct plan_foreach *foreach; /* or NULL */
	struct plan_retry retry;
	int64_t timeout_ms, grace_ms; /* timeout -1: none */
	int32_t priority;	      /* higher first; -100..100 */
	bool allow_failure, lost_fails, isolate_fresh, keep_privileges;
	bool exclusive; /* a cursor step: one attempt of (DAG, step, item) at a time, whatever
			   max_runs says */
	const struct json *pools; /* object name -> count, or NULL */
};

struct plan {
	struct json *root; /* owned */
	uint8_t sha[HASH_SHA256_BYTES];
	size_t bytes; /* of the text: what a cache counts */
	char dag[PLAN_NAME_MAX];
	const char *timezone, *description, *owner;
	struct plan_params params;
	struct plan_trigger *triggers;
	size_t n_triggers;
	struct plan_step *steps; /* in topological order: a step's needs stand before it */
	size_t n_steps;
	uint32_t max_runs;
	int32_t priority;
	enum overlap_rule overlap;
	int64_t run_timeout_ms, queue_timeout_ms, late_after_ms; /* -1: none */
	const struct json *on_success, *on_failure, *on_exit;	 /* arrays or NULL */
	const struct json *datasets;				 /* object: declarations, or NULL */
	const char *promise; /* weakest: none at_least_once replace once */
};

/* Reads and checks a plan text (n bytes). The hash is computed here. */
int plan_parse(const char *text, size_t n, struct plan **ret, struct err *err) CHECK_RESULT;
void plan_free(struct plan *p); /* accepts NULL */
/* Index, or -1. */
int plan_step_index(const struct plan *p, const char *name);
const struct plan_trigger *plan_trigger_find(const struct plan *p, const char *name);
/* Number of steps that need nothing, i.e. are ready at the start. */
size_t plan_roots(const struct plan *p);

/* A value against its declaration: fills defaults, checks type, choices, bounds. what: "param"
 * refuses unknown names and reads text as the declared type (command lines); any other ("field of
 * the body") keeps unknown names. given may be NULL. *ret is a new object owned by the caller. err
 * names the parameter and the cure. */
int params_bind(const struct plan_params *decl, const struct json *given, const char *what,
    struct json **ret, struct err *err) CHECK_RESULT;

/* ---- cache of parsed plans, one per thread ---- */
struct plan_cache;
/* Least recently used plans leave when the
 * texts pass max_bytes. */
struct plan_cache *plan_cache_new(size_t max_bytes);
void plan_cache_free(struct plan_cache *c);
const struct plan *plan_cache_find(struct plan_cache *c, const uint8_t sha[HASH_SHA256_BYTES]);
const struct plan *plan_cache_add(struct plan_cache *c, struct plan *take);
/* Plans found or added since the last trim stay valid until this call: once per batch or turn. */
void plan_cache_trim(struct plan_cache *c);

#endif
