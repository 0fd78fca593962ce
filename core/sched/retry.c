/* retry.c: see retry.h. delay * backoff^(n-1), at most max_delay, then jitter of ± that share. */
#include "core/sched/retry.h"

/* xorshift64*: enough for jitter, and a seed reproduces a run. */
static double random_unit(uint64_t *state)
{
	uint64_t v = *state != 0 ? *state : UINT64_C(0x9e3779b97f4a7c15);

	v ^= v >> 12;
	v ^= v << 25;
	v ^= v >> 27;
	*state = v;
	return (double)((v * UINT64_C(0x2545f4914f6cdd1d)) >> 11) * 0x1p-53;
}

static int64_t delay_of(const struct plan_retry *r, uint32_t n, uint64_t *random)
{
	double ms = (double)r->delay_ms;

	for (uint32_t i = 1; i < n && ms < (double)r->max_delay_ms; i++)
		ms *= r->backoff;
	if (ms > (double)r->max_delay_ms)
		ms = (double)r->max_delay_ms;
	if (ms > 0 && r->jitter > 0)
		ms *= 1 + r->jitter * (2 * random_unit(random) - 1);
	return (int64_t)(ms + 0.5);
}

bool retry_decide(
    const struct plan_step *p, const struct retry_case *c, uint64_t *random, int64_t *ret_delay_ms)
{
	const struct plan_retry *r = &p->retry;

	if (c->class_ == CLASS_LOST) {
		if (p->lost_fails || (r->classes >> CLASS_LOST & 1) == 0 ||
		    c->lost > RETRY_LOST_MAX)
			return false;
		/* the step is not to blame the first time: at once */
		*ret_delay_ms = c->lost <= 1 ? 0 : delay_of(r, c->lost - 1, random);
		return true;
	}
	if (c->class_ == CLASS_OK || (r->classes >> c->class_ & 1) == 0 || c->used >= r->attempts)
		return false;
	*ret_delay_ms = delay_of(r, c->used, random);
	if (c->class_ == CLASS_QUOTA && *ret_delay_ms < c->retry_after_ms)
		*ret_delay_ms = c->retry_after_ms;
	return true;
}
