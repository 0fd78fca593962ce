/* driver.c: runs a fuzz target once for each file that is named. */
#include "core/base/io.h"
#include "core/base/mem.h"
#include "tests/fuzz/fuzz.h"

#include <stdio.h>

#define INPUT_MAX (1u << 20)

static int run_file(const char *path)
{
	struct err e = {0};
	struct str b;
	void *exact;

	str_init(&b, INPUT_MAX);
	if (io_read_file(path, INPUT_MAX, &b, &e) != 0) {
		fprintf(stderr, "%s\n", e.text);
		str_done(&b);
		return 1;
	}
	/* Without a terminator, so that a byte read too far is seen by the sanitizer. */
	exact = mem_dup(b.s, b.len);
	LLVMFuzzerTestOneInput(exact, b.len);
	mem_free(exact);
	str_done(&b);
	return 0;
}

int main(int argc, char **argv)
{
	int i, bad = argc < 2;

	for (i = 1; i < argc; i++)
		bad |= run_file(argv[i]);
	return bad;
}
