/* fault.c: which faults a seed has, how often, and those that come by the clock. Swarm: each seed
 * leaves about half of the kinds out, so that no kind hides another. */
#include "tests/sim/sim.h"

#define YEAR_US (INT64_C(31557600) * US_PER_S)

static const char *const names[FAULT_N] = {
    [FAULT_CRASH] = "daemon-crash",
    [FAULT_CRASH_IN] = "crash-in-batch",
    [FAULT_FULL] = "write-fails",
    [FAULT_BREAK] = "connection-breaks",
    [FAULT_POOL_KILL] = "pool-dies",
    [FAULT_RETIRE] = "pool-upgrade",
    [FAULT_WORKER] = "worker-dies",
    [FAULT_FAIL] = "attempt-fails",
    [FAULT_HANG] = "attempt-hangs",
    [FAULT_STALE] = "stale-outcome",
    [FAULT_REPEAT] = "repeated-delivery",
    [FAULT_CLOCK] = "clock-step",
    [FAULT_PLANS] = "files-change",
    [FAULT_PAUSE] = "pause",
    [FAULT_CANCEL] = "cancel",
    [FAULT_RERUN] = "rerun",
    [FAULT_MARK] = "mark",
    [FAULT_FILL] = "backfill",
    [FAULT_RESTORE] = "restore",
    [FAULT_CONF] = "limits-change",
};

/* One in so many chances; {0, 0}: by the clock. */
static const uint32_t rates[FAULT_N][2] = {
    [FAULT_CRASH_IN] = {40, 1000},
    [FAULT_FULL] = {30, 1000},
    [FAULT_BREAK] = {20, 500},
    [FAULT_WORKER] = {5, 60},
    [FAULT_FAIL] = {2, 30},
    [FAULT_HANG] = {20, 300},
    [FAULT_STALE] = {2, 20},
    [FAULT_REPEAT] = {3, 20},
    [FAULT_CLOCK] = {30, 600}, /* and by the clock */
};

const char *fault_name(enum fault f)
{
	return names[f];
}

bool fault_now(struct world *w, enum fault f)
{
	if (!w->fault_on[f] || w->calm || !one_in(&w->chance, w->rate[f]))
		return false;
	w->fig->faults[f]++;
	return true;
}

void faults_draw(struct world *w)
{
	struct chance *c = &w->chance;

	for (int f = 0; f < FAULT_N; f++) {
		int64_t n = spread(c, 1, 60);

		w->fault_on[f] = one_in(c, 2);
		w->rate[f] = (uint32_t)spread(c, rates[f][0], rates[f][1]);
		if ((rates[f][1] > 0 && f != FAULT_CLOCK) || !w->fault_on[f])
			continue;
		if (f == FAULT_RERUN || f == FAULT_MARK)
			n *= f == FAULT_RERUN ? 8 : 3;
		if (f == FAULT_CLOCK || (f == FAULT_PLANS && one_in(c, 2)))
			n = 1 + n / 4;
		else if (f == FAULT_FILL)
			n = 3 + n / 3;
		else if (f == FAULT_RESTORE)
			n = one_in(c, 3) ? 1 + roll(c, 2) : 0;
		for (int64_t i = 0; i < n; i++)
			later(w, between(c, 0, w->horizon), EV_FAULT, (uint32_t)f, 0, 0, NULL);
	}
}

void clock_step(struct world *w, int64_t by)
{
	char text[CLOCK_TEXT_MAX];

	w->offset += by;
	w->clock_set_at = w->mono;
	note(w, "the clock is set by %lld s to %s", (long long)(by / US_PER_S),
	    clock_format(wall(w), text));
	timer_clock_set(w);
}

/* A wrong step is mended after a while, as somebody would. */
static void fault_clock(struct world *w)
{
	struct chance *c = &w->chance;
	int64_t by = spread(c, US_PER_S, one_in(c, 4) ? YEAR_US : w->horizon / 20);
	bool back = one_in(c, 2);

	if (back)
		by = -by;
	clock_step(w, by);
	/* forward may be a suspend, which nobody takes back */
	if (back || by > w->horizon / 4 || one_in(c, 2))
		later(w, spread(c, US_PER_S, w->horizon / 40), EV_CLOCK_BACK, 0, (uint64_t)-by, 0,
		    NULL);
}

static void fault_conf(struct world *w)
{
	struct chance *c = &w->chance;

	w->conf.workers = 1 + roll(c, 8);
	w->conf_pools[0].size = 1 + roll(c, 4);
	w->conf_pools[1].size = 1 + roll(c, 2);
	submit(w, op_new(OP_CONF));
}

void on_fault(struct world *w, enum fault f)
{
	uint32_t p = roll(&w->chance, SIM_POOLS);

	if (w->calm)
		return;
	while (f >= FAULT_POOL_KILL && f <= FAULT_RETIRE && p < 2 * SIM_POOLS &&
	       w->pool[p % SIM_POOLS].id == 0)
		p++; /* the next one that is there */
	p %= SIM_POOLS;
	if (f != FAULT_CRASH)
		w->fig->faults[f]++;
	switch (f) {
	case FAULT_CRASH:
		daemon_crash(w, "idle");
		break;
	case FAULT_POOL_KILL:
		pool_kill(w, p);
		break;
	case FAULT_RETIRE:
		if (w->up)
			pool_retire(w, p);
		break;
	case FAULT_CLOCK:
		fault_clock(w);
		break;
	case FAULT_RESTORE:
		fault_restore(w);
		break;
	case FAULT_CONF:
		fault_conf(w);
		break;
	default:
		if (w->up)
			person_fault(w, f);
	}
}
