/* mutant.h: planted bugs that prove the tests: compiled only into the tests' own pool
 * (tests/unit/pool.mk), where SLUICE_TEST_MUTANT names the one that is active. */
#ifndef CORE_POOL_MUTANT_H
#define CORE_POOL_MUTANT_H

#include <stdbool.h>

#ifdef SL_POOL_MUTANTS
#include <stdlib.h>
#include <string.h>
static inline bool pool_mutant(const char *name)
{
	const char *active = getenv("SLUICE_TEST_MUTANT");

	return active != NULL && strcmp(active, name) == 0;
}
#else
static inline bool pool_mutant(const char *name)
{
	(void)name;
	return false;
}
#endif

#endif
