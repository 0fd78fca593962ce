/* The pool as a program: a real sluice-pool with the tests' worker, driven as a daemon would.
 * Covers the protocol's rules at the daemon's socket, exits, kills, deadlines, logs, ends. Not
 * covered: the real worker (tests/sys), the store. */
#include "tests/unit/pool_client.h"

#include "core/base/io.h"
#include "core/base/mem.h"
#include "tests/unit/leak.h"

#include <criterion/criterion.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define UUID "0123456789abcdef"

TestSuite(pool_system, .timeout = 60);

Test(pool_system, runs_a_job_and_keeps_the_worker)
{
	struct pool_client c;
	char first[256];

	client_start(&c, NULL, NULL);
	cr_assert(client_hello(&c, UUID));
	client_job(&c, 1, "k", "", "ok");
	cr_assert_eq(client_out(&c, 1), OUT_OK);
	snprintf(first, sizeof(first), "%s", c.in.s);
	client_ack(&c, 1);
	client_job(&c, 2, "k", "", "ok");
	cr_assert_eq(client_out(&c, 2), OUT_OK);
	cr_assert_str_eq(c.in.s, first, "the same worker");
	client_job(&c, 3, "other", "", "ok");
	cr_assert_eq(client_out(&c, 3), OUT_OK);
	cr_assert_str_neq(c.in.s, first, "another key, another worker");
	client_job(&c, 4, "k", "\"fresh\":true", "ok");
	cr_assert_eq(client_out(&c, 4), OUT_OK);
	cr_assert_str_neq(c.in.s, first, "fresh is a new worker");
	client_stop(&c);
	LEAK_CHECK();
}
