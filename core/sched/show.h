/* show.h: records as the JSON objects of CONTRACT: one writer for HTTP, CLI and stream. Reads only.
 */
#ifndef CORE_SCHED_SHOW_H
#define CORE_SCHED_SHOW_H

#include "core/base/json.h"
#include "core/sched/op.h"

/* The run object; with_steps adds "steps". */
int show_run(const struct view *v, uint64_t run, bool with_steps, struct jw *out) CHECK_RESULT;
/* The members of a run object without its steps, of a record that may not be stored yet. */
int show_run_members(const struct view *v, const struct run_rec *r, struct jw *out) CHECK_RESULT;
int show_step(const struct view *v, const struct step_ref *step, struct jw *out) CHECK_RESULT;
int show_event(const struct view *v, uint64_t seq, bool with_body, struct jw *out) CHECK_RESULT;
int show_dag(const struct view *v, uint32_t dag_no, bool with_plan, wall_us now,
    struct jw *out) CHECK_RESULT;
int show_dataset(
    const struct view *v, uint32_t ds_no, bool with_versions, struct jw *out) CHECK_RESULT;

/* The next instants of a DAG's time triggers: later than `from`, not later than `to`, at most
 * `count`. Both are texts (RFC 3339, or civil in the DAG's zone); "" or NULL: now, no end. */
struct next_query {
	const char *from, *to;
	uint32_t count;
};
int show_next(const struct view *v, const struct dag_rec *d, const struct next_query *q,
    wall_us now, struct jw *out, struct err *err) CHECK_RESULT;
/* "catchup", "jitter_ms" and "missed" of the open object of a time trigger. */
void show_schedule(const struct plan_trigger *t, const struct sched_rec *s, struct jw *out);
int show_backfill(const struct view *v, uint64_t no, bool with_runs, struct jw *out) CHECK_RESULT;
/* What an OP_BACKFILL would make, keep and run again: nothing is written. */
int show_backfill_plan(const struct view *v, const struct op *op, wall_us now, struct jw *out,
    struct err *err) CHECK_RESULT;
int show_cursor(
    const struct view *v, struct slice key, struct slice value, struct jw *out) CHECK_RESULT;
int find_cursor(const struct view *v, const char *dag, const char *step, const char *item,
    struct jw *out) CHECK_RESULT; /* shows it; item "" where there is none */

/* Finds a run by whole id, DAG (newest), DAG@KEY or DAG@DATE, or a unique prefix of at least 6
 * characters, tried in this order (CONTRACT). ERR_NOT_FOUND, ERR_CONFLICT (ambiguous prefix; err
 * names two). */
int find_run(
    const struct view *v, const char *name, uint64_t *ret_run, struct err *err) CHECK_RESULT;
/* STEP or STEP[ITEM] of a run. */
int find_step(const struct view *v, uint64_t run, const char *name, struct step_ref *ret,
    struct err *err) CHECK_RESULT;
int find_dag(const struct view *v, const char *name, struct dag_rec *ret) CHECK_RESULT;
/* ERR_NOT_FOUND, and into err that there is no such DAG, with a name that is near. */
int find_no_dag(const struct view *v, const char *name, struct err *err) CHECK_RESULT;
int find_dataset(const struct view *v, const char *name, struct dataset_rec *ret) CHECK_RESULT;

/* Lists write the elements of the array only; limit 1…1000; after is the opaque `next` of the page
 * before ("" first page). *ret_next (64 bytes) is "" at the end. */
#define LIST_NEXT_MAX 64
struct list_query {
	uint32_t limit;
	const char *after, *dag, *state;
	wall_us since;
	bool unmatched;
};
int list_runs(const struct view *v, const struct list_query *q, struct jw *out, char *ret_next,
    struct err *err) CHECK_RESULT;
int list_dags(const struct view *v, const struct list_query *q, wall_us now, struct jw *out,
    char *ret_next, struct err *err) CHECK_RESULT;
int list_events(const struct view *v, const struct list_query *q, struct jw *out, char *ret_next,
    struct err *err) CHECK_RESULT;
int list_datasets(const struct view *v, const struct list_query *q, struct jw *out, char *ret_next,
    struct err *err) CHECK_RESULT;
int list_backfills(const struct view *v, const struct list_query *q, struct jw *out, char *ret_next,
    struct err *err) CHECK_RESULT;
int list_audit(const struct view *v, const struct list_query *q, struct jw *out, char *ret_next,
    struct err *err) CHECK_RESULT;
int list_cursors(const struct view *v, const struct list_query *q, struct jw *out, char *ret_next,
    struct err *err) CHECK_RESULT;
int list_pools(const struct view *v, const struct conf *conf, struct jw *out) CHECK_RESULT;
/* Endpoints of notify:, and those that left it while messages wait. */
int list_endpoints(const struct view *v, const struct conf *conf, struct jw *out) CHECK_RESULT;
int show_endpoint(
    const struct view *v, const struct conf *conf, const char *name, struct jw *out) CHECK_RESULT;
int list_tokens(const struct view *v, struct jw *out) CHECK_RESULT;

#endif
