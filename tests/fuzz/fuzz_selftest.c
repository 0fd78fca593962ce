/* A planted bug: proves that a target that breaks is seen, and that the fuzzer finds what the
 * corpus lacks. */
#include "tests/fuzz/fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	if (n > 2 && data[0] == 'B' && data[1] == 'U')
		FUZZ_DEMAND(data[2] != 'G');
	return 0;
}
