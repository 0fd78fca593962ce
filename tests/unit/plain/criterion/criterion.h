/* criterion.h: the part of Criterion that our tests use, in one plain header.
 *
 * Criterion cannot run under ThreadSanitizer: its workers need an arena at an address that the
 * sanitizer has taken (Criterion issue 274). configure puts this folder in front with
 * --enable-sanitizers=thread. Each test runs in a process of its own, one after the other; output
 * is TAP. */
#ifndef TESTS_UNIT_PLAIN_CRITERION_H
#define TESTS_UNIT_PLAIN_CRITERION_H

#pragma GCC system_header /* formats come through macros */

#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

struct plain_options {
	int unused;
	void (*init)(void);
	void (*fini)(void);
	int signal;
	int exit_code;
	double timeout;
	bool disabled;
};

struct plain_test {
	const char *suite, *name; /* name NULL: the options of a suite */
	void (*run)(void);
	struct plain_options options;
	struct plain_test *next;
};

/* Defined by every source that includes this; the linker keeps one. */
__attribute__((weak)) struct plain_test *plain_tests;
__attribute__((weak)) int plain_failures;

__attribute__((weak)) void plain_fail(
    bool fatal, const char *file, int line, const char *what, const char *fmt, ...)
{
	va_list ap;

	printf("\n# %s:%d: %s: ", file, line, what);
	va_start(ap, fmt);
	vprintf(fmt, ap);
	va_end(ap);
	printf("\n");
	fflush(stdout);
	plain_failures++;
	if (fatal)
		_exit(1);
}

static inline const struct plain_test *plain_suite(const char *suite)
{
	const struct plain_test *t;

	for (t = plain_tests; t != NULL; t = t->next)
		if (t->name == NULL && strcmp(t->suite, suite) == 0)
			return t;
	return NULL;
}

static inline void plain_child(const struct plain_test *t)
{
	const struct plain_test *suite = plain_suite(t->suite);

	alarm(t->options.timeout > 0 ? 10 * (unsigned)t->options.timeout : 600);
	if (suite != NULL && suite->options.init != NULL)
		suite->options.init();
	if (t->options.init != NULL)
		t->options.init();
	t->run();
	if (t->options.fini != NULL)
		t->options.fini();
	if (suite != NULL && suite->options.fini != NULL)
		suite->options.fini();
	/* The sanitizer has its say at exit. */
	exit(plain_failures > 0 ? 1 : t->options.exit_code);
}

static inline bool plain_run(const struct plain_test *t)
{
	int status = 0;
	pid_t pid;

	fflush(stdout);
	pid = fork();
	if (pid == 0)
		plain_child(t);
	if (pid < 0 || waitpid(pid, &status, 0) != pid)
		return false;
	if (t->options.signal != 0)
		return WIFSIGNALED(status) && WTERMSIG(status) == t->options.signal;
	return WIFEXITED(status) && WEXITSTATUS(status) == t->options.exit_code;
}

/* usage: test_x [SUITE[/TEST]] */
__attribute__((weak)) int main(int argc, char **argv)
{
	const struct plain_test *t;
	char name[300];
	int n = 0, i = 0, bad = 0;

	for (t = plain_tests; t != NULL; t = t->next)
		n += t->name != NULL;
	printf("TAP version 13\n1..%d\n", n);
	for (t = plain_tests; t != NULL; t = t->next) {
		if (t->name == NULL)
			continue;
		i++;
		snprintf(name, sizeof(name), "%s/%s", t->suite, t->name);
		if (t->options.disabled ||
		    (argc > 1 && strncmp(name, argv[1], strlen(argv[1])) != 0)) {
			printf("\nok %d - %s::%s # SKIP\n", i, t->suite, t->name);
			continue;
		}
		if (plain_run(t)) {
			printf("\nok %d - %s::%s\n", i, t->suite, t->name);
			continue;
		}
		printf("\nnot ok %d - %s::%s\n", i, t->suite, t->name);
		bad = 1;
	}
	return bad;
}

#define PLAIN_REGISTER(id, suite_, name_, run_, ...)                                               \
	static struct plain_test id##_entry = {                                                    \
	    .suite = suite_, .name = name_, .run = run_, .options = {.unused = 0, __VA_ARGS__}};   \
	__attribute__((constructor)) static void id##_register(void)                               \
	{                                                                                          \
		id##_entry.next = plain_tests;                                                     \
		plain_tests = &id##_entry;                                                         \
	}
#define Test(suite, name, ...)                                                                     \
	static void suite##_##name##_body(void);                                                   \
	PLAIN_REGISTER(suite##_##name, #suite, #name, suite##_##name##_body, __VA_ARGS__)          \
	static void suite##_##name##_body(void)
#define TestSuite(suite, ...) PLAIN_REGISTER(suite##_suite, #suite, NULL, NULL, __VA_ARGS__)

#define PLAIN_CHECK(fatal, ok, what, ...)                                                          \
	((ok) ? (void)0 : plain_fail(fatal, __FILE__, __LINE__, what, "" __VA_ARGS__))
#define PLAIN_TEXT(a) ((a) != NULL ? (const char *)(a) : "")

#define cr_assert(c, ...) PLAIN_CHECK(true, c, #c, __VA_ARGS__)
#define cr_assert_not(c, ...) PLAIN_CHECK(true, !(c), "!" #c, __VA_ARGS__)
/* Only at the level of a test's own body, as the tests use it. */
#define cr_skip(...)                                                                               \
	do {                                                                                       \
		printf("# skipped: " __VA_ARGS__);                                                 \
		printf("\n");                                                                      \
		return;                                                                            \
	} while (0)
#define cr_assert_fail(...) PLAIN_CHECK(true, false, "failed", __VA_ARGS__)
#define cr_assert_eq(a, b, ...) PLAIN_CHECK(true, (a) == (b), #a " == " #b, __VA_ARGS__)
#define cr_assert_neq(a, b, ...) PLAIN_CHECK(true, (a) != (b), #a " != " #b, __VA_ARGS__)
#define cr_assert_lt(a, b, ...) PLAIN_CHECK(true, (a) < (b), #a " < " #b, __VA_ARGS__)
#define cr_assert_gt(a, b, ...) PLAIN_CHECK(true, (a) > (b), #a " > " #b, __VA_ARGS__)
#define cr_assert_leq(a, b, ...) PLAIN_CHECK(true, (a) <= (b), #a " <= " #b, __VA_ARGS__)
#define cr_assert_geq(a, b, ...) PLAIN_CHECK(true, (a) >= (b), #a " >= " #b, __VA_ARGS__)
#define cr_assert_null(a, ...) PLAIN_CHECK(true, (a) == NULL, #a " is NULL", __VA_ARGS__)
#define cr_assert_not_null(a, ...) PLAIN_CHECK(true, (a) != NULL, #a " is not NULL", __VA_ARGS__)
#define cr_assert_str_eq(a, b, ...)                                                                \
	PLAIN_CHECK(true, strcmp(PLAIN_TEXT(a), PLAIN_TEXT(b)) == 0, #a " is " #b, __VA_ARGS__)
#define cr_assert_str_neq(a, b, ...)                                                               \
	PLAIN_CHECK(true, strcmp(PLAIN_TEXT(a), PLAIN_TEXT(b)) != 0, #a " is not " #b, __VA_ARGS__)
#define cr_assert_arr_eq(a, b, n, ...)                                                             \
	PLAIN_CHECK(true, memcmp(a, b, n) == 0, #a " is " #b, __VA_ARGS__)
#define cr_expect(c, ...) PLAIN_CHECK(false, c, #c, __VA_ARGS__)
#define cr_expect_not(c, ...) PLAIN_CHECK(false, !(c), "!" #c, __VA_ARGS__)
#define cr_expect_eq(a, b, ...) PLAIN_CHECK(false, (a) == (b), #a " == " #b, __VA_ARGS__)
#define cr_expect_neq(a, b, ...) PLAIN_CHECK(false, (a) != (b), #a " != " #b, __VA_ARGS__)
#define cr_expect_null(a, ...) PLAIN_CHECK(false, (a) == NULL, #a " is NULL", __VA_ARGS__)
#define cr_expect_not_null(a, ...) PLAIN_CHECK(false, (a) != NULL, #a " is not NULL", __VA_ARGS__)
#define cr_expect_str_eq(a, b, ...)                                                                \
	PLAIN_CHECK(false, strcmp(PLAIN_TEXT(a), PLAIN_TEXT(b)) == 0, #a " is " #b, __VA_ARGS__)

#endif
