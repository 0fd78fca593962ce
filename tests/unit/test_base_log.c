/* Log lines cannot be forged. */
#include "core/base/log.h"

#include "core/base/str.h"
#include "tests/unit/leak.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <string.h>
#include <unistd.h>

/* What a call wrote, by a pipe. */
#define CAPTURE(buf, call)                                                                         \
	do {                                                                                       \
		int fds[2];                                                                        \
		ssize_t got;                                                                       \
		cr_assert_eq(pipe(fds), 0);                                                        \
		log_to_fd(fds[1]);                                                                 \
		call;                                                                              \
		close(fds[1]);                                                                     \
		got = read(fds[0], buf, sizeof(buf) - 1);                                          \
		cr_assert_geq(got, 0);                                                             \
		buf[got] = '\0';                                                                   \
		close(fds[0]);                                                                     \
	} while (0)

Test(base_log, writes_one_line_of_pairs)
{
	char buf[20000];

	log_init("sluiced", LOG_INFO);
	CAPTURE(buf, log_line(LOG_WARN, "store", "run=%s ended", "R1"));
	cr_assert(str_starts(buf, "ts=20"), "%s", buf);
	cr_assert_not_null(strstr(buf, " level=warn prog=sluiced pid="));
	cr_assert(str_ends(buf, " at=store msg=\"run=R1 ended\"\n"), "%s", buf);
	LEAK_CHECK();
}

Test(base_log, foreign_text_cannot_end_the_value_or_the_line)
{
	char buf[20000];

	CAPTURE(buf, log_error("x\" level=info\nts=1 \\ \x1b[31m \xff \xc2\x9b"));
	cr_assert(
	    str_ends(buf, "msg=\"x\\\" level=info\\x0Ats=1 \\\\ \\x1B[31m \\xFF \\xC2\\x9B\"\n"),
	    "%s", buf);
	cr_assert_eq(strchr(buf, '\n'), buf + strlen(buf) - 1);
	LEAK_CHECK();
}

Test(base_log, is_silent_below_its_threshold)
{
	char buf[20000];

	log_init("x", LOG_WARN);
	CAPTURE(buf, log_info("no"); log_debug("no"));
	cr_assert_str_eq(buf, "");
	log_init("x", LOG_DEBUG);
	CAPTURE(buf, log_debug("yes"));
	cr_assert_not_null(strstr(buf, "level=debug"));
	LEAK_CHECK();
}

Test(base_log, cuts_long_text_and_still_ends_the_line)
{
	char buf[20000], big[9000];

	memset(big, 1, sizeof(big) - 1);
	big[sizeof(big) - 1] = '\0';
	CAPTURE(buf, log_warn("%s", big));
	cr_assert(str_ends(buf, "\\x01\"\n"));
	cr_assert_lt(strlen(buf), 9000);
	LEAK_CHECK();
}

Test(base_log, keeps_errno)
{
	char buf[20000];

	errno = EXDEV;
	CAPTURE(buf, errno = EXDEV; log_warn("x"); cr_assert_eq(errno, EXDEV));
	log_to_fd(-1);
	errno = EXDEV;
	log_warn("nowhere to write");
	cr_assert_eq(errno, EXDEV);
	LEAK_CHECK();
}
