/* fuzz.h: what each fuzz target defines. With --enable-fuzzing libFuzzer calls it; without,
 * driver.c does for the files that are named, so that the corpus is a test of every build. */
#ifndef TESTS_FUZZ_FUZZ_H
#define TESTS_FUZZ_FUZZ_H

#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

/* A broken promise of the code under test. */
#define FUZZ_DEMAND(x)                                                                             \
	do {                                                                                       \
		if (!(x))                                                                          \
			abort();                                                                   \
	} while (0)

#endif
