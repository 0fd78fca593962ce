/* retry.c: a few calls with growing pauses. */
#include "sluice/kit/retry.h"

#include "core/base/hash.h"

#include <stdbool.h>

#define QUOTA_WAIT_MAX_MS 30000 /* longer waits give the worker back */

static bool worth_it(slu_rc rc, const slu_err *e)
{
	return rc == SLU_E_TRANSIENT || rc == SLU_E_TIMEOUT ||
	       (rc == SLU_E_QUOTA && e->retry_after_ms > 0 &&
		   e->retry_after_ms <= QUOTA_WAIT_MAX_MS);
}

slu_rc slu_retry_call(const slu_host *host, slu_run *run, const slu_retry *how,
    slu_rc (*fn)(void *ctx, slu_err *err), void *ctx, slu_err *err)
{
	int64_t delay = how->delay_ms ? how->delay_ms : 100,
		most = how->max_delay_ms ? how->max_delay_ms : 5000;
	int attempts = how->attempts ? how->attempts : 5, i;
	slu_err e = {.size = sizeof(e)};
	slu_rc rc = SLU_OK;

	for (i = 1; i <= attempts; i++) {
		uint8_t r;
		int64_t wait;

		e = (slu_err){.size = sizeof(e)};
		rc = fn(ctx, &e);
		if (!worth_it(rc, &e) || i == attempts)
			break;
		hash_random(&r, 1);
		wait = rc == SLU_E_QUOTA ? e.retry_after_ms : delay - delay / 4 + delay * r / 512;
		if (host->sleep_ms(run, wait) != SLU_OK) {
			rc = slu_fail(&e, SLU_E_CANCELLED, "KIT.CANCELLED", "cancelled");
			break;
		}
		delay = delay * 2 < most ? delay * 2 : most;
	}
	if (rc != SLU_OK && err)
		*err = e;
	return rc;
}
