/* sim.h: the simulator: the real sched_apply and sched_dispatch on the real store, with four seams:
 * the clock, chance, the workers behind their pools, and the network. One seed draws a world (DAGs,
 * limits, schedules), the kinds of faults and their rates; one thread works off a heap of events.
 *
 * What is right is said by two models that share no code with core/sched: `model` knows which runs
 * there must be (ticks, events, data sets, runs by hand), `mirror` follows steps and attempts and
 * judges limits, order, retries and cancels. Both see only what was committed. */
#ifndef TESTS_SIM_SIM_H
#define TESTS_SIM_SIM_H

#include "core/base/vec.h"
#include "core/dag/plan.h"
#include "core/sched/table.h"
#include "core/time/cron.h"

#define SIM_DAGS 4
#define SIM_STEPS 6
#define SIM_TRIGGERS 4
#define SIM_HOOKS 3
#define SIM_ITEMS 5
#define SIM_SETS 4 /* lake/0 … of the DAGs; the last one is touched from outside */
#define SIM_PARTITIONS 4
#define SIM_POOLS 8
#define US_PER_DAY (INT64_C(86400) * US_PER_S)

/* ---- chance ---- */
struct chance {
	uint64_t state;
};
uint32_t roll(struct chance *c, uint32_t n); /* 0 … n - 1 */
bool one_in(struct chance *c, uint32_t n);
int64_t between(struct chance *c, int64_t lo, int64_t hi); /* even */
int64_t spread(struct chance *c, int64_t lo, int64_t hi);  /* each order of magnitude alike */

/* ---- a map from numbers to indexes of an array ---- */
struct map {
	uint64_t *key; /* owned */
	uint32_t *at;  /* owned; index + 1, 0: empty */
	size_t n, cap;
};
uint32_t map_find(const struct map *m, uint64_t key); /* UINT32_MAX: not there */
void map_add(struct map *m, uint64_t key, uint32_t at);
void map_done(struct map *m);
uint64_t text_hash(const char *s);

/* ---- DAGs as they were drawn ---- */
struct spec_trigger {
	enum trigger_kind kind; /* CRON EVERY WEBHOOK DATASETS */
	char name[16];
	const char *expr, *zone_name, *gap_name, *overlap_name, *covers;
	struct cron cron;
	const struct tz *zone;
	enum cron_gap gap;
	enum cron_overlap overlap;
	int64_t each_us, jitter_us, within_ms;
	wall_us at;
	enum catchup_keep keep_missed;
	uint32_t at_once;
	int offset;
	uint32_t hook;
	bool keyed, rerun, keep;
	enum datasets_rule rule;
	uint32_t at_least, members; /* bits of data sets */
	bool join, on_publish;
};
struct spec_step {
	uint32_t needs, match; /* bits; match: of those that pair by item */
	enum when_rule when;
	bool each;
	uint32_t items, parallel, tolerate, tolerate_percent;
	uint32_t attempts, classes;
	int64_t delay_ms, max_delay_ms;
	double jitter;
	int pool; /* -1: none */
	uint32_t tokens;
	bool only, allow, lost_fails, publishes, remote;
	int64_t timeout_ms;
	int priority;
};
struct spec {
	uint32_t dag;
	struct spec_trigger triggers[SIM_TRIGGERS];
	struct spec_step steps[SIM_STEPS];
	uint32_t n_triggers, n_steps, max_runs;
	int64_t run_timeout_ms, queue_timeout_ms, late_after_ms; /* -1: none */
	enum overlap_rule overlap;
	char name[16], path[24];
	uint8_t sha[HASH_SHA256_BYTES];
	char *text; /* owned */
};

/* ---- faults ---- */
enum fault {
	FAULT_CRASH,	 /* the daemon dies between two events */
	FAULT_CRASH_IN,	 /* … inside a batch: before the commit, or among its effects */
	FAULT_FULL,	 /* a write of the store fails: the batch is thrown away */
	FAULT_BREAK,	 /* a connection to a pool breaks */
	FAULT_POOL_KILL, /* a pool dies, its attempts a little later */
	FAULT_RETIRE,	 /* an upgrade of the pool */
	FAULT_WORKER,	 /* workers die in an attempt */
	FAULT_FAIL,	 /* attempts report failures of all classes */
	FAULT_HANG,	 /* attempts never end by themselves */
	FAULT_STALE,	 /* outcomes of old tokens, doubled outcomes */
	FAULT_REPEAT,	 /* deliveries repeated, in any order */
	FAULT_CLOCK,	 /* the wall clock steps ±1 s … ±1 y */
	FAULT_PLANS,	 /* files change, break, vanish and come back */
	FAULT_PAUSE,	 /* DAGs are paused and resumed */
	FAULT_CANCEL,	 /* runs, DAGs and everything is cancelled */
	FAULT_RERUN,	 /* runs and steps run again */
	FAULT_MARK,	 /* steps are marked */
	FAULT_FILL,	 /* backfills are started, paused, cancelled */
	FAULT_RESTORE,	 /* an older copy takes the place of the store */
	FAULT_CONF,	 /* sizes of pools and of the worker set change */

	FAULT_N
};
const char *fault_name(enum fault f);

/* ---- planted bugs ---- */
#define MUTANT_LIST(X)                                                                             \
	X(TICK_DROPPED, "tick-dropped", "a tick in forty is taken from the store and forgotten")   \
	X(TICK_LATE, "grace-forgotten", "a tick counts only if it is at most 1 s late")            \
	X(WITHIN_LESS, "within-off-by-one", "catchup leaves out what is 1 h inside of within")     \
	X(MISSED_TWICE, "catchup-from-before", "what was missed is judged from a day before")      \
	X(AT_ONCE_MORE, "at-once-off-by-one", "one more missed instant is made up for at once")    \
	X(CLOCK_WAITS, "waits-follow-the-clock", "a step of the clock does not move what waits")   \
	X(CLOCK_PAGE, "clock-page-forgotten",                                                      \
	    "work that is due begins before all waits were moved")                                 \
	X(CATCHUP_EARLY, "catchup-before-judging",                                                 \
	    "what waits is made up for before newer instants are judged")                          \
	X(PAGE_LAST, "page-end-is-the-end", "the timer takes a full page for the last one")        \
	X(SKIP_NOT, "skip-ignored", "a run is made though overlap: skip and max_runs forbid it")   \
	X(SKIP_MORE, "skip-off-by-one", "overlap: skip leaves out one run too early")              \
	X(CANCEL_LESS, "cancel-one-less", "overlap: cancel leaves one more of the oldest")         \
	X(LATEST_ALL, "latest-takes-running", "overlap: latest cancels what runs already")         \
	X(QUEUE_EARLY, "queue-timeout-early", "queue_timeout counts half of its time")             \
	X(QUEUE_NEVER, "queue-timeout-lost", "a queue_timeout in ten never comes")                 \
	X(LATE_NEVER, "late-untold", "late_after is told to nobody")                               \
	X(LATE_EARLY, "late-at-once", "late_after counts half of its time")                        \
	X(FILL_MISSED, "backfill-misses-one", "a backfill passes over a window in 25")             \
	X(FILL_MORE, "backfill-one-more-open", "one more run than max_parallel is open")           \
	X(FILL_PAUSE, "backfill-pause-ignored", "a paused backfill goes on")                       \
	X(FILL_SAME, "reprocess-ignored", "a window that has its run gets no new revision")        \
	X(FILL_AGAIN, "backfill-runs-all-again", "what succeeded is run again")                    \
	X(FILL_OPEN, "backfill-cancel-leaves-open", "the open runs of a cancelled backfill go on") \
	X(FILL_PUSHES, "backfill-pushes-in", "runs of a backfill take the place of others")        \
	X(FILL_STANDS, "backfill-stands-still", "the end of a run in ten makes no next one")       \
	X(FILL_DRY, "dry-run-writes", "a look at what a backfill would do is left in the store")   \
	X(DST_DOUBLED, "dst-pass-doubled", "both passes of a repeated hour count")                 \
	X(RUN_TWICE, "identity-ignored", "a cause that was seen makes the next revision")          \
	X(REVISION_LOST, "revision-lost", "a deliberate repeat finds the old run")                 \
	X(PAUSE_IGNORED, "pause-ignored", "a paused DAG is taken for a live one")                  \
	X(JOIN_TWICE, "fired-twice", "a publication starts its subscribers twice")                 \
	X(SUBSCRIBER_MISSED, "subscriber-missed", "a publication in twenty starts nobody")         \
	X(STALE_TOKEN, "stale-token-accepted", "an outcome counts whatever its token")             \
	X(UNLEASE_TRY, "unlease-uses-an-attempt", "what never began counts as a try")              \
	X(SLOT_LEAK, "slot-not-released", "one release of a slot in fifty is forgotten")           \
	X(TOKEN_OVER, "pool-off-by-one", "a pool hands out one token more than it has")            \
	X(RETRY_MORE, "retry-once-more", "a step is tried once more than its rule says")           \
	X(RETRY_CLASS, "retry-any-class", "failures are retried whatever their class")             \
	X(RETRY_EARLY, "retry-at-once", "the delay of a retry is forgotten")                       \
	X(END_UNSEEN, "end-judges-nothing", "what END does not list stays running")                \
	X(DUE_UNTOLD, "timer-not-armed", "the loop is not told that the first due entry changed")  \
	X(CANCEL_HALF, "cancel-without-flag", "run_timeout cancels steps but not the run")         \
	X(ACK_EARLY, "ack-before-commit", "replies leave before their commit")                     \
	X(EFFECT_EARLY, "handover-before-commit", "jobs leave before their commit")                \
	X(POOL_FORGETS, "pool-forgets-on-send", "the pool forgets an outcome when it was sent")    \
	X(LOST_EARLY, "lost-without-lock", "a pool is gone as soon as it is silent")               \
	X(OLD_GEN, "job-on-old-generation", "a job is sent on whatever connection there is")       \
	X(CLOCK_UNSEEN, "clock-step-unnoticed",                                                    \
	    "the timer is not armed anew when the clock is set")                                   \
	X(RESTART_TIMER, "restart-forgets-timer", "a new daemon does not look at what is due")     \
	X(HOLD_SHORT, "hold-not-kept", "work goes on while attempts of the past still run")        \
	X(TOKEN_OLD, "epoch-not-raised", "a restored store goes on with the tokens of the copy")   \
	X(LATEST_UNSEEN, "rerun-keeps-plan", "a rerun with the latest plan keeps its own")         \
	X(ITEM_GROUP, "rerun-of-item-takes-all", "a rerun of an item opens its whole group")       \
	X(ONCE_LOST, "once-never-told", "what a rerun published is not told at its end")           \
	X(ONCE_TWICE, "once-told-twice",                                                           \
	    "a rerun tells each publication when it comes and at its end")                         \
	X(PAIR_EARLY, "partner-not-awaited", "an item does not wait for its partner")              \
	X(TOLERATE_MORE, "tolerates-one-more", "a group takes one bad item more than it may")      \
	X(PRUNE_EARLY, "retention-too-soon", "runs are dropped a while before their time")         \
	X(PRUNE_LATE, "retention-too-late", "runs are kept twice as long")                         \
	X(PRUNE_ROWS, "retention-leaves-steps", "a batch forgets whose steps it was at")           \
	X(TOMB_LOST, "identity-dropped", "a dropped run may be made again by its cause")           \
	X(POLL_AGAIN, "lost-poll-submits-again",                                                   \
	    "a poll that was lost makes the step ready again")                                     \
	X(WORK_TWICE, "submission-of-each-try", "each lost try of a submission has another id")    \
	X(WORK_KEPT, "submission-kept", "the try after an end there finds the ended work")         \
	X(POLL_SLOT, "slot-between-polls", "a submitted step keeps its slot while nobody polls")   \
	X(POLL_EARLY, "hint-forgotten", "work is polled each second whatever it asked for")        \
	X(STOP_UNSEEN, "stop-without-end", "a cancel ends the step and not its work")              \
	X(FAILED_KEPT, "failed-batch-kept", "a batch that failed is committed as far as it got")

enum mutant {
	MUTANT_NONE,
#define MUTANT_ENUM(id, name, what) MUTANT_##id,
	MUTANT_LIST(MUTANT_ENUM)
#undef MUTANT_ENUM
	    MUTANT_N
};
extern enum mutant mutant_active;
extern uint64_t mutant_count; /* passes of the active one's place in this seed */
const char *mutant_name(enum mutant m);
const char *mutant_what(enum mutant m);
static inline bool mutant(enum mutant m)
{
	return mutant_active == m;
}
/* The scheduler's own, without what a mutant does to it. */
int real_cron_next(const struct cron *cron, const struct tz *zone, wall_us after, enum cron_gap gap,
    enum cron_overlap overlap, wall_us *ret_at);

/* ---- figures ---- */
struct figures {
	uint64_t seeds, ops, batches, targets, ticks, events, deliveries, runs, attempts, effects;
	uint64_t refused, checks, stale, missed, extra, starts, made_up, works, polls;
	uint64_t dropped, reruns, replanned, fills, filled, dry_runs, gave_way, skipped,
	    queue_timeouts, late;
	uint64_t faults[FAULT_N];
	int64_t late_up_us;    /* tick, while the daemon was there */
	int64_t late_down_us;  /* tick, with down time or a set clock in between */
	int64_t late_start_us; /* the run's start after its instant: limits, pauses */
	double years;	       /* virtual */
};

/* ---- operations on their way ---- */
enum reply { REPLY_NONE, REPLY_DUE, REPLY_HOOK, REPLY_PRUNE };
struct sim_op {
	struct op op;
	enum reply reply;
	uint32_t arg; /* event, pool */
	struct op_result result;
	size_t fx_from, fx_to;
	/* what the op's pointers show */
	char text[3][64], report[512];
	struct op_file files[SIM_DAGS];
	const struct spec *specs[SIM_DAGS];
	const char *names[1];
	struct json *body;	/* owned */
	struct step_ref *seen;	/* owned */
	uint64_t *seen_token;	/* owned */
	enum step_class class_; /* OP_OUTCOME: what its report says */
	int64_t retry_after_ms;
	wall_us range[2];	  /* OP_BACKFILL */
	int publishes, partition; /* data set and partition of the report, -1: none */
	bool changed;
	bool handle, remote_ended; /* what the report says of work elsewhere */
	int64_t poll_after_ms;
};

/* ---- attempts, pools ---- */
enum phase { PHASE_RUN, PHASE_SUBMIT, PHASE_POLL, PHASE_CANCEL };
enum attempt_state { ATT_COMMITTED, ATT_SENT, ATT_RUN, ATT_OUT };
struct attempt {
	struct step_ref step;
	uint64_t token;
	uint32_t pool;
	enum attempt_state state;
	const struct spec *spec; /* borrowed */
	uint32_t generation, version;
	bool published, killed, orphan; /* orphan: its pool is dead */
	mono_us ends_at;
	/* how it ends */
	int code;
	enum step_class class_;
	int64_t retry_after_ms;
	char report[512];
	int publishes, partition;
	bool changed;
	/* work elsewhere */
	enum phase phase;
	uint32_t submission;
	bool handle, remote_ended;
	int64_t poll_after_ms;
};
struct work { /* of another system, found there by what it is of */
	struct step_ref step;
	uint32_t generation, submission;
	uint64_t epoch;
	mono_us ends_at;
	enum step_class class_; /* how it ends */
	bool noted;		/* the store knows it */
	bool let_go;		/* given up: it may go on without its step */
};
struct sim_pool {
	uint64_t id; /* 0: no such pool */
	bool alive, clean, retired, gone_told;
	uint64_t conn;		    /* 0: none; also its generation */
	uint64_t up_conn;	    /* whose END was stored */
	bool answered;		    /* HELLO was read on this connection */
	mono_us last_up, last_down; /* newest arrival on it: first in, first out */
	mono_us dead_at;	    /* nothing of it lives from then on */
	VEC(struct attempt *) table;
};

/* ---- events of the heap ---- */
enum event_kind {
	EV_BATCH,
	EV_DELIVER,
	EV_TIMER,
	EV_START_DAEMON,
	EV_CONNECT,
	EV_HELLO,
	EV_BLOCK,
	EV_JOB,
	EV_KILL,
	EV_ACK,
	EV_OUT,
	EV_EOF,
	EV_LOCK,
	EV_IDLE,
	EV_PUBLISH,
	EV_END,
	EV_DIE,
	EV_SEND,
	EV_FAULT,
	EV_PERSON,
	EV_CLOCK_BACK,
	EV_HOLD,  /* a: a person resumes */
	EV_PRUNE, /* b: life */
	EV_CALM,
	EV_LAST
};
struct event {
	mono_us at;
	uint64_t seq;
	enum event_kind kind;
	uint32_t a;    /* pool, event of a hook, fault */
	uint64_t b, c; /* life, connection, token, version */
	void *p;       /* owned: message */
};

/* A batch on its way from the writer to the loop. */
struct posted {
	struct effect *fx;   /* owned */
	struct sim_op **ops; /* owned, with what they point to */
	size_t n_fx, n_ops;
};

/* A message of a pool to the daemon: kept outcomes, or a block. */
struct message {
	size_t n_seen;
	struct step_ref *seen;
	uint64_t *token;
	bool retired;
	VEC(struct sim_op *) outcomes;
};

/* ---- the models ---- */
struct mstep { /* one step, item or group */
	struct step_ref ref;
	enum step_state state;
	uint64_t token, instance;
	uint32_t used, lost;
	uint32_t items;	    /* of a group that has begun */
	bool forbidden;	    /* its last failure permits no retry */
	mono_us not_before; /* waits are lengths of time, whatever the clock does */
	uint32_t generation;
	uint64_t fence; /* the sink's */
	uint32_t ledger_gen;
	bool ledger;
	uint64_t ok_token; /* a success that was reported and not yet lost with its pool */
	uint32_t ok_pool;
	/* work elsewhere; not_before is of its next poll */
	bool remote;
	enum remote_stop stop;
	uint32_t submission, poll_errors;
	mono_us started;
};
struct mrun {
	bool there;
	const struct spec *spec;
	uint64_t backfill; /* 0: none */
	uint64_t base;	   /* its name without the revision */
	uint64_t before;   /* the run of the revision before, 0: none */
	uint32_t revision;
	mono_us queued_at; /* for the last time */
	mono_us late_at;   /* TIME_NONE: no alert, or it was told */
	enum run_state state;
	bool cancelled, marked;
	bool loose;	/* its latest plan has other lists: only the protocol is judged */
	bool elsewhere; /* work of it was cancelled there */
	bool reopened;	/* by a rerun */
	enum downstream downstream;
	bool kept, kept_changed; /* a publication that is told at the end */
	int kept_set, kept_partition;
	uint64_t kept_version;
	enum key_space space;
	uint8_t id[HASH_ID_BYTES];
	uint64_t name; /* hash of its identity's */
	wall_us ended_at;
};
typedef VEC(wall_us) wall_vec;
struct mfill { /* a backfill */
	uint64_t no;
	uint32_t dag, parallel, existing;
	char trigger[16];
	bool reprocess, quiet;
	bool paused, cancelled, ended;
	bool told;	  /* in this batch */
	bool opened;	  /* runs, in this batch */
	bool loose;	  /* its schedule changed: its targets are not known any more */
	wall_vec targets; /* in their order */
	size_t passed;
	VEC(uint64_t) runs;
};
typedef VEC(struct mfill) fill_vec;
enum fill_do { FILL_MAKE, FILL_KEEP, FILL_RERUN, FILL_REVISE, FILL_DO_N };
struct wanted { /* a run that must be there */
	char name[160];
	wall_us due; /* TIME_NONE: not of time */
	bool seen, pruned;
};
struct sched {
	bool armed;
	wall_us cursor;	     /* instants up to here are decided */
	mono_us since;	     /* watched without a break since */
	VEC(wall_us) missed; /* to be made up for, oldest first */
	bool set_back;	     /* the clock was, and what lies ahead is still called decided */
	uint32_t gaps;	     /* how often some were added since none was left */
	VEC(uint64_t) open;  /* runs that made up for some */
};
struct fresh { /* a run that the operation made */
	uint64_t no, backfill;
	uint32_t dag;
	bool timed; /* by a schedule */
	char trigger[16], name[160];
	wall_us logical;
};
struct refusal { /* a tick whose run overlap: skip left out */
	uint32_t dag;
	char trigger[16];
	wall_us instant;
};
struct hook_event {
	char id[16], key[8];
	uint32_t hook;
	bool acked, lost; /* lost: with a restore, after it was acknowledged */
	uint64_t seq;	  /* first time stored */
	enum verdict verdict;
	uint32_t deliveries;
};
struct join_state {
	uint32_t have, fired;
	int partition[SIM_SETS];
};
struct mdag {
	const struct spec *spec; /* live; NULL: never, or gone */
	bool there, paused;
	struct sched sched[SIM_TRIGGERS];
	struct join_state join[SIM_TRIGGERS][SIM_PARTITIONS + 1];
};

struct bed; /* the store */
struct bed_copy;
struct copy; /* of the store and the models */
struct world {
	uint64_t seed;
	struct chance chance;
	struct figures *fig;
	/* options */
	bool trace, force_lmdb, force_mem;
	/* time */
	mono_us mono, horizon;
	int64_t offset; /* wall - mono */
	wall_us wall_max;
	mono_us clock_set_at;
	bool calm; /* faults are over */
	bool clock_known;
	int64_t clock_offset, stored_offset; /* as the writer and the store know it */
	bool due_done;			     /* in this batch */
	bool due_left; /* the last operation for what is due did not come to the end of it */
	uint32_t calm_looks;
	struct event *heap;
	size_t heap_n, heap_cap;
	uint64_t heap_seq, steps;
	/* the store */
	struct bed *bed;
	uint32_t check_every, due_limit;
	struct copy *copy; /* owned */
	uint64_t epoch;	   /* of the last restore; 0: none */
	bool held;
	/* the daemon */
	bool up, batch_planned, asked, ask_again;
	uint32_t posted; /* batches that were committed and not yet delivered */
	mono_us delivered_at;
	uint64_t life, timer_gen, next_conn;
	mono_us up_since;
	struct sched_env env;
	struct conf conf;
	struct conf_pool conf_pools[2];
	VEC(struct sim_op *) queue;
	effect_vec fx;
	/* pools and attempts */
	struct sim_pool pool[SIM_POOLS];
	VEC(struct attempt *) live; /* committed and not ended */
	/* swarm */
	bool fault_on[FAULT_N];
	uint32_t rate[FAULT_N]; /* one in so many, where it is drawn at each chance */
	uint32_t crash_plan;
	/* drawn */
	VEC(struct spec *) specs; /* owned */
	const struct spec *first[SIM_DAGS];
	VEC(struct hook_event) hooks;
	/* models */
	struct mdag dag[SIM_DAGS];
	bool paused_all;
	VEC(struct wanted) targets;
	struct map target_of, counter_of, dedupe_of, step_of;
	VEC(uint32_t) counters;
	VEC(struct mstep) msteps;
	VEC(struct mrun) runs; /* by number */
	VEC(struct fresh) fresh, batch_fresh;
	VEC(struct work) works;
	VEC(uint32_t) remotes; /* steps whose work goes on elsewhere, and some that ended */
	struct map work_of;
	uint32_t slots;
	/* retention */
	bool prunes, prune_asked, prune_fresh, check_soon;
	int64_t prune_every;
	wall_us prune_from, batch_now;
	VEC(uint64_t) dropped; /* in this cycle */
	bool telling;	       /* of a rerun's publications: each DAG once */
	VEC(uint64_t) told_once;
	const struct sim_op *told; /* whose effects are looked at; NULL: of DISPATCH */
	VEC(struct refusal) refusals;
	fill_vec fills;
	struct map newest_of;	      /* names without revisions -> numbers */
	VEC(uint64_t) open[SIM_DAGS]; /* runs that have not ended */
	uint32_t busy[SIM_DAGS];      /* that `skip` counted before the operation */
	uint32_t running[SIM_DAGS];
	uint64_t set_version[SIM_SETS], part_version[SIM_SETS][SIM_PARTITIONS + 1];
	/* result */
	bool failed;
	char why[600];
	char last[40][200]; /* what happened last */
	uint64_t last_n;
};

/* loop.c */
wall_us wall(const struct world *w);
void later(struct world *w, int64_t in_us, enum event_kind kind, uint32_t a, uint64_t b, uint64_t c,
    void *p);
bool event_take(struct world *w, struct event *ret);
void fail(struct world *w, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void note(struct world *w, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void sim_op_free(struct sim_op *o);
void message_free(struct message *m);
void attempt_forget(struct world *w, struct attempt *a); /* no longer live */
void attempt_free(struct world *w, struct attempt *a);

/* bed.c */
struct bed *bed_new(struct world *w, bool lmdb);
void bed_free(struct bed *b);
const struct view *bed_view(struct bed *b); /* within a transaction */
int bed_begin(struct bed *b);
int bed_commit(struct bed *b);
void bed_abort(struct bed *b);
void bed_crash(struct bed *b);			/* what was not committed is gone; opened anew */
void bed_fail_write(struct bed *b, uint32_t n); /* the n-th write from now on fails; 0: none */
uint64_t bed_writes(const struct bed *b);	/* so far; LMDB: 0 */
struct bed_copy *bed_copy_new(struct bed *b);
void bed_restore(struct bed *b, struct bed_copy *c); /* once a copy */
void bed_copy_free(struct bed_copy *c);

/* restore.c */
void fault_restore(struct world *w);
void on_hold(struct world *w, bool resume);
void restore_gone(struct world *w);
bool of_the_past(const struct world *w, uint64_t token); /* of before a restore */
void copy_free(struct copy *c);

/* spec.c */
const struct spec *spec_draw(struct world *w, uint32_t dag);
const struct spec *spec_again(struct world *w, const struct spec *old, bool triggers);
const struct spec *spec_grow(struct world *w, const struct spec *old);
const struct spec *spec_of_plan(const struct world *w, const uint8_t sha[HASH_SHA256_BYTES]);
const char *partition_name(int partition); /* -1: "" */
void spec_free(struct spec *s);

/* daemon.c */
struct sim_op *op_new(enum op_kind kind);
void submit(struct world *w, struct sim_op *take);
void on_batch(struct world *w);
void on_deliver(struct world *w, uint64_t life, struct posted *take);
void posted_free(struct world *w, struct posted *p);
void on_timer(struct world *w, uint64_t gen);
void daemon_start(struct world *w);
void daemon_crash(struct world *w, const char *how);
void timer_arm(struct world *w);
void timer_clock_set(struct world *w);
void check_now(struct world *w);

/* effect.c */
void effects_out(struct world *w, const struct effect *v, size_t n);
void replies_out(struct world *w, struct sim_op **ops, size_t n);

/* pool.c */
void pool_new(struct world *w);
void pool_connect(struct world *w, uint32_t p);
void pool_break(struct world *w, uint32_t p);
void pool_break_any(struct world *w);
void pool_kill(struct world *w, uint32_t p);
void pool_retire(struct world *w, uint32_t p);
void pool_silent(struct world *w); /* the daemon died */
int pool_find(const struct world *w, uint64_t id);
void pool_send(struct world *w, uint32_t p, enum event_kind kind, uint64_t token, void *take);
void on_pool_event(struct world *w, const struct event *e);
void pool_maybe_end(struct world *w, uint32_t p);
void pool_outcome(struct world *w, uint32_t p, struct attempt *a);

/* worker.c */
void worker_begin(struct world *w, struct attempt *a);
void worker_success(struct world *w, struct attempt *a);
void worker_kill(struct world *w, struct attempt *a);
void on_worker_event(struct world *w, const struct event *e);

/* remote.c */
void remote_act(struct world *w, struct attempt *a);
void remote_report(struct world *w, struct attempt *a);
void remote_job(struct world *w, struct mstep *m, struct attempt *a);
void remote_outcome_told(
    struct world *w, struct mstep *m, const struct sim_op *o, const struct effect *moved);
void remote_unheard(struct world *w, struct mstep *m, const struct effect *f, bool lost);
uint32_t remote_tokens(struct world *w, int pool);
void remote_back(struct world *w); /* after a restore */
void remote_slots(struct world *w);
void remote_calm(struct world *w);
void remote_end(struct world *w);
int64_t remote_deadline(void); /* of a poll */

/* model_rerun.c */
bool step_is_bad(enum step_state s);
bool spec_extends(const struct spec *to, const struct spec *from);
void rerun_told(struct world *w, const struct sim_op *o);
void rerun_replanned(struct world *w, size_t from, size_t to);
void rerun_published(struct world *w, struct mrun *r, const struct sim_op *o);
void rerun_tells(struct world *w, const struct sim_op *o);

/* prune.c */
void prune_draw(struct world *w);
void prune_start(struct world *w); /* with a daemon */
void on_prune(struct world *w);
void prune_answered(struct world *w, const struct op_result *r);
void prune_told(struct world *w, const struct sim_op *o, wall_us now);
bool model_is_dropped(struct world *w, const char *name);
void prune_check_new(struct world *w, const struct mrun *r, const char *name);

/* fault.c */
void faults_draw(struct world *w);
void on_fault(struct world *w, enum fault f);
bool fault_now(struct world *w, enum fault f); /* drawn at a chance */
void clock_step(struct world *w, int64_t by);

/* person.c */
void hooks_draw(struct world *w);
void on_send(struct world *w, uint32_t event);
void on_person(struct world *w, uint64_t run);
void person_fault(struct world *w, enum fault f);
void calm_down(struct world *w);
void last_plans(struct world *w);

/* mirror.c, mirror_step.c */
void mirror_op(struct world *w, const struct sim_op *o, wall_us now);
void mirror_dispatch(struct world *w, size_t from, size_t to);
void mirror_end(struct world *w);
uint64_t mirror_key(const struct step_ref *ref);
struct mstep *mirror_step(struct world *w, const struct step_ref *ref);
bool mirror_is_fresh(const struct world *w, uint64_t run); /* made by this operation */
struct mrun *mirror_run(struct world *w, uint64_t run);
void mirror_effects(struct world *w, size_t from, size_t to);
void mirror_step_effect(struct world *w, const struct effect *f);
void mirror_timed_out(struct world *w, uint64_t run);
void mirror_job(struct world *w, const struct effect *f);
void mirror_outcome(struct world *w, const struct sim_op *o);
void mirror_judged(struct world *w, struct mstep *m, enum step_class c, int64_t retry_after_ms,
    enum step_state became);

/* model_overlap.c */
void overlap_count(struct world *w);
bool overlap_full(struct world *w, const struct spec *s);
bool overlap_made(const struct world *w, const char *name);
void overlap_new_runs(struct world *w, const struct sim_op *o);
void overlap_opened(struct world *w, uint64_t no);
void overlap_ended(struct world *w, uint64_t no);
void overlap_rebuild(struct world *w);

/* model_backfill.c */
void fill_targets(struct world *w, const struct sim_op *o, wall_us now, wall_vec *out);
enum fill_do fill_judge(struct world *w, const struct sim_op *o, wall_us at);
void fill_run_new(struct world *w, uint64_t no, const char *name, uint32_t revision);
void fills_asked(struct world *w, const struct sim_op *o, wall_us now);
void fills_follow(struct world *w, struct sim_op **ops, size_t n);
size_t fills_live(const struct world *w);
void fills_replanned(struct world *w, uint32_t dag, const struct spec *was, const struct spec *is);
void fills_dup(fill_vec *to, const fill_vec *from);
void fills_done(fill_vec *v);
void fills_rebuild(struct world *w);

/* person_fill.c */
void person_fill(struct world *w);
void person_fills_end(struct world *w, bool cancel);

/* model_wait.c */
void wait_queued(struct world *w, uint64_t no, const struct run_rec *r, wall_us now);
void wait_left(struct world *w, uint64_t no);
void wait_timed_out(struct world *w, const struct sim_op *o);
void wait_check(struct world *w);

/* model.c, model_start.c */
void model_op(struct world *w, const struct sim_op *o, wall_us now);
void model_end(struct world *w);
void model_clock(struct world *w, int64_t offset, wall_us now);
size_t model_waiting(struct world *w); /* missed instants that are to run */
void model_free(struct world *w);
void model_run_name(const struct run_rec *r, char *out, size_t n);
void model_want(struct world *w, const char *name, wall_us due);
bool model_has(struct world *w, const char *name);
uint32_t *model_counter(struct world *w, const char *name);
bool model_paused(const struct world *w, uint32_t dag);
void model_event(struct world *w, const struct sim_op *o);
void model_manual(struct world *w, const struct sim_op *o);
void model_tell(struct world *w, const struct mrun *r); /* --downstream once */
void model_published(struct world *w, int set, int partition, bool changed, bool fires);
int model_next(const struct spec_trigger *t, wall_us after, wall_us *ret);
void model_run_ended(struct world *w, uint64_t no);
bool model_same_times(const struct spec_trigger *a, const struct spec_trigger *b);
void model_run_name(const struct run_rec *r, char *out, size_t n);
void model_time_name(
    const struct spec *s, const struct spec_trigger *t, wall_us at, char *out, size_t n);

#endif
