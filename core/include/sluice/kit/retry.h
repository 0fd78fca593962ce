/* retry.h: trying again inside one attempt, for short troubles (a busy file, a reset connection).
 * Long ones are the scheduler's: report SLU_E_TRANSIENT and let the step be retried. */
#ifndef SLUICE_KIT_RETRY_H
#define SLUICE_KIT_RETRY_H
#include "sluice/kit/error.h"
#ifdef __cplusplus
extern "C" {
#endif

typedef struct slu_retry {
	int attempts;	      /* at most this many calls; 0 is 5 */
	int64_t delay_ms;     /* before the second call; doubles each time; 0 is 100 */
	int64_t max_delay_ms; /* 0 is 5000 */
} slu_retry;
/* Calls fn until it gives something else than SLU_E_TRANSIENT, SLU_E_TIMEOUT or (waiting as long as
 * the server named) SLU_E_QUOTA, or the calls are used up. Sleeps by the host, so that cancel wakes
 * it. Delays vary by a quarter. */
slu_rc slu_retry_call(const slu_host *host, slu_run *run, const slu_retry *how,
    slu_rc (*fn)(void *ctx, slu_err *err), void *ctx, slu_err *err) SLU_CHECK;

#ifdef __cplusplus
}
#endif
#endif
