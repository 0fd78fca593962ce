/* sched_rig.h: a scheduler over memory for tests: one pool, a clock that the test moves, and after
 * every operation check_store, whose findings fail the test. */
#ifndef TESTS_UNIT_SCHED_RIG_H
#define TESTS_UNIT_SCHED_RIG_H

#include "core/sched/check.h"
#include "core/sched/show.h"
#include "core/sched/table.h"
#include "memview.h"

#define RIG_POOL 77u
#define RIG_T0 INT64_C(1763683200000000) /* 2025-11-21T00:00:00Z */

struct rig {
	struct memview mem;
	struct sched_env env;
	struct conf conf;
	struct conf_pool pools[2]; /* "db" of 2, "one" of 1 */
	wall_us now;
	effect_vec fx; /* of the last operation (and its dispatch) */
	struct op_result r;
	VEC(struct step_ref) jobs; /* handed out and not yet answered */
	VEC(uint64_t) tokens;
	uint64_t jobs_total;
	bool no_check; /* benches */
};

void rig_init(struct rig *g, uint32_t workers);
void rig_done(struct rig *g);
/* Applies, dispatches, checks. Returns r.rc. */
int rig_op(struct rig *g, const struct op *op);
void rig_dispatch(struct rig *g);
void rig_check(struct rig *g);
void rig_pool_up(
    struct rig *g, uint64_t gen, const struct step_ref *seen, const uint64_t *tokens, size_t n);

/* A DAG by its steps: "a; b:a when=all_done; c:a,b retry=3 pool=db; f: each=3" (see sched_rig.c);
 * extra are further members of the plan, e.g. "\"max_runs\":2", or NULL. */
void rig_dag(
    struct rig *g, const char *name, const char *steps, const char *triggers, const char *extra);
char *rig_plan(const char *name, const char *steps, const char *triggers, const char *extra);
void rig_file(
    struct rig *g, const char *path, const char *plan); /* plan NULL: it does not compile */

/* Starts by hand; gives the run's number, 0 where it was refused. */
uint64_t rig_start(struct rig *g, const char *dag);
uint64_t rig_start_key(struct rig *g, const char *dag, const char *key);
/* Answers the job of a step: code as enum frame_outcome, report JSON or "". False where no such job
 * is out. */
bool rig_answer(struct rig *g, uint64_t run, const char *step, int code, const char *report);
bool rig_ok(struct rig *g, uint64_t run, const char *step);
bool rig_fail(struct rig *g, uint64_t run, const char *step, const char *class_);
void rig_answer_at(struct rig *g, size_t job, int code, const char *report);
/* Answers ok until nothing is out. */
void rig_drain(struct rig *g);
void rig_due(struct rig *g, wall_us now); /* moves the clock and applies what is due */
void rig_cancel(struct rig *g, uint64_t run);
int rig_rerun(struct rig *g, uint64_t run, const char *step); /* NULL: what failed, else all */

enum run_state rig_run_state(struct rig *g, uint64_t run);
enum step_state rig_state(struct rig *g, uint64_t run, const char *step);
struct step_rec rig_step(struct rig *g, uint64_t run, const char *step);
bool rig_effect(const struct rig *g, enum effect_kind kind);
uint64_t rig_runs(struct rig *g); /* runs in the store */

#endif
