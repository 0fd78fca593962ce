/* tx.h: inside core/sched: the state of one sched_apply or sched_dispatch call, and the few
 * functions through which every record and its indexes change.
 *
 * One run is open at a time (x->run, x->plan); its record is written when another is opened or at
 * the end. The same holds for one foreach group of that run. Functions return 0 or what the view
 * says; a record that must be there and is not is ERR_CORRUPT. None of them recurses: an ended step
 * only sets a bit, and flow_settle works the bits off in topological order. */
#ifndef CORE_SCHED_TX_H
#define CORE_SCHED_TX_H

#include "core/sched/table.h"

#define STEP_BITS (PLAN_MAX_STEPS + 63) / 64

struct published { /* a version, for the triggers that follow it */
	uint32_t ds_no;
	uint64_t version;
	bool changed;
	/* Told by a backfill at its end, where many partitions became one publication: to triggers
	 * that join by partition (each partition), or to the others (once, without partition). */
	enum { FOR_ALL, FOR_JOINS, FOR_OTHERS } to;
	bool mixed;    /* of more partitions than one: it has none in particular */
	uint64_t once; /* told at the end of this reopened run: each subscriber once; 0 */
};

typedef VEC(struct cancel_rec) cancel_vec;

struct tx {
	const struct view *v;
	struct sched_env *env;
	wall_us now;
	effect_vec *fx;
	struct op_result *r; /* NULL in sched_dispatch */

	struct run_rec run;
	const struct plan *plan; /* of run */
	bool run_open, run_dirty;
	enum run_state run_was; /* as stored: the run's effect tells old and new */
	struct step_rec group;	/* of run */
	bool group_open, group_dirty;
	uint64_t ended[STEP_BITS];   /* steps that ended: their children are to be told */
	uint64_t groups[STEP_BITS];  /* groups whose last item ended */
	uint64_t begun[STEP_BITS];   /* groups that have their items: those that pair may begin */
	VEC(struct step_ref) paired; /* items whose partners have all ended */
	struct run_rec in_the_way;   /* what `overlap: skip` found last */
	bool expanding;
	uint32_t placed; /* items made ready in this expansion, for max_parallel */

	uint64_t slots;
	bool slots_known, slots_dirty, due_changed;
	bool clock_known, clock_pending; /* reclock.c: entries are still being moved */
	bool sum_known;
	int64_t clock_sum;  /* reclock_sum() */
	VEC(uint32_t) pump; /* DAGs in which a queued run may start */
	VEC(struct published) published;
	VEC(uint64_t) backfills; /* to go on: a run of theirs ended */
	uint32_t backfilled;	 /* runs made for backfills in this transaction */
	VEC(uint64_t) once_runs; /* started by the reopened run that is telling */
	bool hard;		 /* what is killed gets no grace */
	cancel_vec cancels;	 /* orders under way, once known */
	bool cancels_known;
	uint32_t cancelled; /* items that DUE_CANCEL has ended in this transaction */
};

/* ---- tx.c ---- */
void tx_init(struct tx *x, const struct view *v, struct sched_env *env, wall_us now,
    struct op_result *r, effect_vec *fx);
int tx_done(struct tx *x, int rc); /* settles, starts runs, writes what is open; passes rc on */
int must(int rc);		   /* ERR_NOT_FOUND of what must be there: ERR_CORRUPT */
int refuse(struct tx *x, int code, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
int refuse_dag(struct tx *x, const char *name); /* there is no such DAG */
struct effect *effect_add(struct tx *x, enum effect_kind kind, uint64_t id);
void effect_step(struct tx *x, enum effect_kind kind, const struct step_rec *s);
int next_no(struct tx *x, const char *meta, uint64_t *ret); /* counts up, from 1 */
int count_change(struct tx *x, const char *name, int64_t by);
int slots_change(struct tx *x, int by);
int slots_used(struct tx *x, uint64_t *ret);
int run_open(struct tx *x, uint64_t no);
int run_close(struct tx *x);
int group_open(struct tx *x, uint16_t step, struct step_rec **ret);
int group_close(struct tx *x);
int step_load(
    struct tx *x, uint16_t step, uint32_t item, struct step_rec *ret); /* of the open run */
bool is_group(const struct tx *x, const struct step_rec *s);
int due_add(struct tx *x, const struct key *k);
int due_del(struct tx *x, const struct key *k);
void bit_set(uint64_t *bits, uint16_t i);
int bit_take(uint64_t *bits); /* lowest, cleared; -1: none */
bool bit_has(const uint64_t *bits, uint16_t i);
void pump_add(struct tx *x, uint32_t dag_no);

/* ---- move.c: the only place that changes a state ---- */
/* at: instant for READY and RETRYING. Before RUNNING the caller sets token and instance. */
int step_move(struct tx *x, struct step_rec *s, enum step_state to, wall_us at);
int step_block(struct tx *x, struct step_rec *s, uint32_t resource);
int remote_place(struct tx *x, struct step_rec *s, uint64_t instance, wall_us poll_at, bool ready);
int run_move(struct tx *x, enum run_state to);
int run_timers(struct tx *x); /* of the open run: set by its state */
bool step_may_move(enum step_state from, enum step_state to);
bool item_is_bad(enum step_state s); /* counts in its group's items_bad */

/* ---- resource.c ---- */
struct resource {
	char name[COUNT_NAME_MAX]; /* "pool:shop_db", "only:dag/step/item", "group:17/3" */
	uint32_t need, size;
	bool is_group;
};
/* The i-th thing that an attempt of s takes besides its slot; need 0: none at that place. False
 * behind the last. */
bool step_resource(const struct tx *x, const struct step_rec *s, uint32_t i, struct resource *ret);
int resource_used(struct tx *x, const struct step_rec *s, const struct resource *r, uint64_t *ret);
bool resource_fits(const struct resource *r, uint64_t used);
/* *ret: somebody who comes before s waits for it, for more than is free: it is kept for him. */
int resource_claimed(struct tx *x, const struct step_rec *s, const struct resource *r, bool *ret);
int resources_take(struct tx *x, const struct step_rec *s);
/* Gives back what was held and wakes who waits for it; held false: only wakes. */
int resources_release(struct tx *x, const struct step_rec *s, bool held);
/* Moves the heads that wait for it from blocked to ready, as many as fit. */
int resource_wake(struct tx *x, const char *name, uint64_t used, uint32_t size);

/* ---- flow.c ---- */
int flow_settle(struct tx *x); /* tells children, ends groups and the open run */
int run_start(struct tx *x);   /* the open run: queued -> running, its roots ready */
int flow_pump(struct tx *x);   /* starts queued runs of the DAGs in x->pump */
enum step_state flow_judge(const struct plan_step *p, const struct step_rec *s);
int step_make_ready(struct tx *x, struct step_rec *s); /* waiting -> ready, or expands a group */
void parent_count(
    const struct plan_step *parent, const struct step_rec *s, struct step_rec *child, int by);

/* ---- mark.c ---- */
/* Before an ended step moves: its children forget how it ended. */
int step_untell(struct tx *x, const struct step_rec *s);
int step_untell_child(struct tx *x, const struct step_rec *s, uint16_t i); /* step i alone */

/* ---- foreach.c ---- */
/* An item of a group that has ended has another end: the group may have as well. *ret: it has. */
int foreach_rejudge(struct tx *x, uint16_t step, bool *ret);
/* The same beforehand: *ret is the item's group as it will be when the item becomes `to`. */
int foreach_verdict(struct tx *x, const struct step_rec *item, enum step_state to,
    struct step_rec *ret, bool *ret_changed);
int foreach_begin(struct tx *x, struct step_rec *group);
int foreach_end(struct tx *x, uint16_t step);
/* A group that a rerun opened and that may not run after all: its open items end like it. */
int foreach_refuse(struct tx *x, const struct step_rec *group, enum step_state to);

/* ---- match.c: items that pair with items ---- */
bool match_any(const struct plan_step *p);
/* An item ended (by = 1) or is about to leave its end (-1): its partners count it. */
int match_tell(struct tx *x, const struct step_rec *s, int by);
/* Counts an item's partners; *ret_missing: a step that has none of its key, or NULL. */
int match_count(struct tx *x, struct step_rec *s, const char **ret_missing);
/* What becomes of a group that pairs, where its items decide: READY; else *to stays. */
int match_judge_group(struct tx *x, const struct step_rec *group, enum step_state *to);
int match_begin(
    struct tx *x, uint16_t step); /* begins, where it may, before its needs have ended */
int match_begun(struct tx *x, uint16_t step);		  /* a group has its items */
int match_item(struct tx *x, const struct step_ref *ref); /* WAITING, its partners have ended */

/* ---- insert.c ---- */
struct run_new {
	const struct dag_rec *dag;
	const struct plan *plan;
	enum trigger_kind kind;
	const char *trigger; /* name or "" */
	enum key_space space;
	const char *key;	   /* as shown */
	bool next_revision;	   /* a deliberate repeat */
	const struct json *params; /* bound; or NULL */
	wall_us window_start, window_end, logical_time;
	uint64_t event;
	const char *doc; /* RUN_DOC_TRIGGER */
	const char *const *only;
	size_t n_only;
	uint64_t backfill; /* that makes it; 0 */
	enum downstream downstream;
};
/* *ret_existed: the same cause has a run already: *ret_run is that one, 0 where retention dropped
 * it. Else *ret_run 0: `overlap: skip` did not let it be made; event_skipped says so. */
int run_insert(struct tx *x, const struct run_new *n, uint64_t *ret_run, bool *ret_existed);
/* Whether run_insert would not make it: for those who must know before they write. */
int run_refused(struct tx *x, const struct run_new *n, bool *ret, struct run_rec *ret_by);
/* The newest revision of (space, trigger, key): ERR_NOT_FOUND where there is none. */
int run_newest(struct tx *x, const struct run_new *n, struct run_rec *ret);
void result_add_run(struct tx *x, uint64_t run);
void run_identity(const char *dag, enum key_space space, const char *trigger, const char *key,
    uint32_t revision, uint8_t out[HASH_ID_BYTES]);

/* ---- overlap.c: asked by run_insert ---- */
int overlap_skips(const struct view *v, const struct run_new *n, bool *ret, struct run_rec *ret_by);
void overlap_text(const struct run_new *n, const struct run_rec *by, char *out, size_t size);
int overlap_make_room(struct tx *x, const struct run_new *n, const uint8_t new_id[HASH_ID_BYTES]);

/* ---- trigger.c ---- */
struct trigger_eval {
	bool where;		/* it holds, or there is none */
	struct json *params;	/* bound; owned */
	char key[PLAN_KEY_MAX]; /* "" where there is none */
};
/* ERR_CONFIG: they cannot become a record of a run. */
int params_check(const struct json *params, struct err *err);
/* env: roots of the trigger's templates. ERR_CONFIG with the reason where the event is to be
 * rejected. */
int trigger_evaluate(const struct plan *plan, const struct plan_trigger *t, const struct json *env,
    struct trigger_eval *ret, struct err *err);
struct trigger_doc { /* what RUN_DOC_TRIGGER says */
	enum trigger_kind kind;
	const char *name;
	const uint64_t *events;
	size_t n_events;
	const char *partition;	     /* NULL: null */
	const struct json *datasets; /* or NULL */
	uint64_t backfill;	     /* 0: none */
};
void trigger_doc_write(const struct trigger_doc *d, struct str *out);

/* ---- event.c ---- */
/* Takes the next number; the record is written by event_store at the end, when the verdict is
 * known. */
int event_begin(
    struct tx *x, struct event_rec *e, const char *source, const char *type, const char *subject);
int event_store(struct tx *x, const struct event_rec *e, const char *body, size_t n);
void event_add_run(struct event_rec *e, uint64_t run);
void event_detail(struct event_rec *e, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* started > waiting > duplicate > rejected > unmatched */
void event_verdict(struct event_rec *e, enum verdict v);
/* What run_insert made of n: the run and the verdict, or why there is none. */
void event_outcome(
    struct tx *x, struct event_rec *e, const struct run_new *n, uint64_t run, bool existed);

/* ---- window.c ---- */
struct window {
	wall_us start, end;
	char key[PLAN_KEY_MAX]; /* of a run at the logical time t */
};
int window_of(const struct plan_trigger *t, wall_us logical, struct window *ret, struct err *err);
/* The instants of a time trigger (cron, at, every): the first later than `after`, the last earlier
 * than `before`. ERR_NOT_FOUND where there is none; another error where the trigger is no good.
 * Quick in every case: neither walks over the instants between. */
int trigger_next(
    const struct plan_trigger *t, wall_us after, wall_us *ret, struct err *err) CHECK_RESULT;
int trigger_prev(
    const struct plan_trigger *t, wall_us before, wall_us *ret, struct err *err) CHECK_RESULT;
bool trigger_is_timed(const struct plan_trigger *t);
/* Same instants for ever: kind, expression, zone, rules for clock changes, anchor. */
bool trigger_same_times(const struct plan_trigger *a, const struct plan_trigger *b);
/* When the run of the instant `at` starts: `at` itself, or later by the trigger's jitter: a hash of
 * DAG, trigger and instant, less than `jitter` and never at or behind the next instant. */
wall_us trigger_start(const char *dag, const struct plan_trigger *t, wall_us at);

/* ---- tick.c, dataset.c, cancel.c, pool.c ---- */
enum schedules_how { SCHEDULES_PLAN, SCHEDULES_PAUSE, SCHEDULES_RESUME };
int schedules_set(
    struct tx *x, const struct dag_rec *d, const struct plan *p, enum schedules_how how);
/* Those that `now` (or NULL) lacks or gives other instants than `was`; the others stay. */
int schedules_drop(
    struct tx *x, const struct dag_rec *d, const struct plan *was, const struct plan *now);
int schedule_run_ended(struct tx *x);			    /* the open run has ended */
int schedule_set_back(struct tx *x, const struct key *key); /* of TABLE_SCHED: `now` is earlier */

/* ---- reclock.c ---- */
int op_clock(struct tx *x, const struct op *op);
int reclock_work(struct tx *x, uint32_t limit, bool *ret_done); /* what a clock step left to do */
int reclock_sum(struct tx *x, int64_t *ret);		/* by how much the clock was set, ever */
int reclock_added(struct tx *x, const struct key *k);	/* a due entry came */
int reclock_deleted(struct tx *x, const struct key *k); /* a due entry went */
int dataset_need(struct tx *x, const char *name, struct dataset_rec *ret); /* found or made */
int dataset_publish(struct tx *x, struct dataset_rec *d, struct version_rec *ver);
int dataset_fire(struct tx *x); /* runs that follow x->published */
#define CANCEL_AT_ONCE 1000u
int run_cancel(struct tx *x, const char *message);	   /* the open run */
int cancel_step(struct tx *x, struct step_rec *s);	   /* where it has not begun */
int cancel_go_on(struct tx *x, const struct due_key *due); /* DUE_CANCEL */

/* ---- cancel_many.c: of a DAG, or of all ---- */
/* c: what and how (dag_no, queued, hard, message). *ret_count: runs that it means and that no
 * earlier one does. */
int cancel_many(struct tx *x, struct cancel_rec *c, uint32_t *ret_count);
int cancel_many_go_on(struct tx *x, uint64_t no); /* DUE_CANCEL_MANY */
/* The order that is to end the open run and has not come to it yet, or NULL: till then the run
 * stands still. Dies at the next order. */
int cancel_meant(struct tx *x, const struct cancel_rec **ret);
/* Comes to it now, if there is one: *ret; adds to *cost. */
int cancel_reach(struct tx *x, uint32_t *cost, bool *ret);
int cancel_spare(struct tx *x); /* the open run is opened again: no order until now means it */
int cancel_load(const struct view *v, cancel_vec *ret);
const struct cancel_rec *cancel_means(const cancel_vec *orders, const struct run_rec *r);

int attempt_lost(struct tx *x, struct step_rec *s, const char *message);
int attempt_unlease(struct tx *x, struct step_rec *s);

/* ---- outbox.c: who is told ---- */
/* The open run ended, or is late: one message for each receiver that its plan names. Called by
 * run_move and nobody else, so that no end of a run is told twice or not at all. */
int outbox_run(struct tx *x, enum notice n);
int late_arm(struct tx *x);    /* the open run was queued: its due entry for late_after */
int late_disarm(struct tx *x); /* it started or ended */
int due_late(struct tx *x, const struct due_key *due);
int due_outbox(struct tx *x, const struct due_key *due);
/* Moves the first message's time; its due entry is the caller's business: *ret is its new key. */
int outbox_shift(struct tx *x, uint32_t endpoint_no, int64_t step_us, struct key *ret);
/* ---- backfill.c ---- */
/* The open run, which belongs to a backfill, has moved. */
int backfill_run_moved(struct tx *x, enum run_state from, enum run_state to);
int backfill_settle(struct tx *x);	     /* the next runs of those in x->backfills */
int backfill_due(struct tx *x, uint64_t no); /* DUE_BACKFILL */
/* The open run publishes under `downstream once` of a backfill that has not ended: kept for its
 * end. *ret: it was. */
int backfill_keep(struct tx *x, uint32_t ds_no, const struct version_rec *ver, bool *ret);

/* ---- audit.c ---- */
/* Writes what a person did with an op that succeeded; nothing where it changed nothing. */
int audit_op(struct tx *x, const struct op *op);

/* ---- remote.c: work elsewhere ---- */
struct report;
/* What a report means to work elsewhere: *ret_open: the step goes on RUNNING, all is written. Else
 * it ends by *p, which may have been changed. */
int remote_outcome(struct tx *x, struct step_rec *s, struct report *p, bool *ret_open);
int remote_again(struct tx *x, struct step_rec *s); /* a poll that never began: polled at once */
/* Nothing more is heard of a poll. */
int remote_lost(struct tx *x, struct step_rec *s, const char *message);
int remote_stop(struct tx *x, struct step_rec *s, enum remote_stop why);
int remote_due(struct tx *x, const struct step_ref *ref);
int remote_poll(struct tx *x, struct step_rec *s, uint64_t instance); /* DISPATCH */
/* "job 4711": what submit gave */
void remote_name(const struct view *v, const struct step_ref *ref, char *out, size_t size);

/* ---- once.c ---- */
#define ONCE_BYTES 9u /* version u64, changed u8 */
int downstream_parse(const char *name, enum downstream *ret);
/* The open run publishes under `downstream once`. *ret: it was kept for the run's end. */
int once_keep(struct tx *x, uint32_t ds_no, const struct version_rec *ver, bool *ret);
int once_tell(struct tx *x); /* the open run ended */

/* ---- replan.c ---- */
struct replan {
	const struct plan *to; /* NULL: the run has the latest plan already */
	uint16_t map[PLAN_MAX_STEPS];
};
/* x->r->rc says that it was refused; writes nothing. */
int replan_check(struct tx *x, struct replan *ret);
int replan_do(struct tx *x, const struct replan *r, uint64_t *new_steps /* bits, added */);

/* ---- one per operation ---- */
int op_event(struct tx *x, const struct op *op);
int op_start(struct tx *x, const struct op *op);
int op_due(struct tx *x, const struct op *op);
int op_plans(struct tx *x, const struct op *op);
int op_outcome(struct tx *x, const struct op *op);
int op_pool_up(struct tx *x, const struct op *op);
int op_pool_down(struct tx *x, const struct op *op);
int op_pool_gone(struct tx *x, const struct op *op);
int op_unlease(struct tx *x, const struct op *op);
int op_cancel(struct tx *x, const struct op *op);
int op_rerun(struct tx *x, const struct op *op);
int op_mark(struct tx *x, const struct op *op);
int op_pause(struct tx *x, const struct op *op);
int op_touch(struct tx *x, const struct op *op);
int op_token_add(struct tx *x, const struct op *op);
int op_token_revoke(struct tx *x, const struct op *op);
int op_conf(struct tx *x, const struct op *op);
int op_sent(struct tx *x, const struct op *op);
int op_notify(struct tx *x, const struct op *op);
int op_backfill(struct tx *x, const struct op *op);
int op_backfill_state(struct tx *x, const struct op *op);
int op_cursor_set(struct tx *x, const struct op *op);
int op_note(struct tx *x, const struct op *op);
int op_prune(struct tx *x, const struct op *op);
int op_hold_end(struct tx *x, const struct op *op);

#endif
