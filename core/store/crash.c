/* crash.c: named places where a test makes the process die by SIGKILL, and planted bugs that prove
 * that the tests would notice. Only in builds with --enable-fault-injection.
 *
 * Points, each with -before-commit and -after-commit, of the writer: T1 (event, run by hand),
 * T1tick (time), T3 (an attempt ended badly), T4 (done), UNLEASE, DISPATCH, JUDGE (END of a pool),
 * LOST (a pool's death), CANCEL, RERUN, PLANS, OTHER. Of the daemon: handover-before-send,
 * handover-after-send, ack-before-send, ack-after-send, kill-after-send, hello-after-send, reply.
 */
#define LOG_AT "store"
#include "core/store/store.h"

#ifdef SL_FAULT_INJECTION

#include "core/base/str.h"

#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char *crash_at, *mutant;
static size_t crash_name_n;
static atomic_long crash_left;

/* Before main, because the daemon scrubs its environment and threads must not race on the first
 * use. */
__attribute__((constructor)) static void crash_init(void)
{
	const char *colon;
	int64_t n = 1;

	mutant = getenv("SLUICE_MUTANT");
	crash_at = getenv("SLUICE_CRASH_AT");
	if (mutant)
		mutant = strdup(mutant);
	if (!crash_at)
		return;
	crash_at = strdup(crash_at);
	colon = strchr(crash_at, ':');
	crash_name_n = colon ? (size_t)(colon - crash_at) : strlen(crash_at);
	if (colon && str_to_i64(colon + 1, &n) != 0)
		n = 1;
	atomic_store(&crash_left, (long)n);
}

void crash_point(const char *name)
{
	if (!crash_at || strncmp(name, crash_at, crash_name_n) != 0 || name[crash_name_n] != 0)
		return;
	if (atomic_fetch_sub(&crash_left, 1) == 1)
		kill(getpid(), SIGKILL);
}

bool crash_mutant(const char *name)
{
	return mutant && strcmp(mutant, name) == 0;
}

#endif
