/* The conformance kit proves itself: it passes a good plugin, and each planted fault fails the
 * check that is there for it. */
#include "core/base/io.h"
#include "core/base/mem.h"
#include "core/base/paths.h"
#include "tests/unit/leak.h"

#include <criterion/criterion.h>
#include <fcntl.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

static int run_kit(const char *plugin, const char *scenario, struct str *out)
{
	char program[] = "sluice-worker", mode[] = "--conform", so[512],
	     file[] = "/tmp/sluice-scenario-XXXXXX";
	char *argv[] = {program, mode, so, scenario != NULL ? file : NULL, NULL}, buf[4096], *p;
	posix_spawn_file_actions_t actions;
	int fds[2], status = 0, fd = mkstemp(file);
	char *text = mem_strdup(scenario != NULL ? scenario : "");
	ssize_t n;
	pid_t pid;

	for (p = text; *p != '\0'; p++)
		if (*p == '\'')
			*p = '"';
	cr_assert_eq(io_write_all(fd, text, strlen(text), NULL), 0);
	close(fd);
	mem_free(text);
	snprintf(so, sizeof(so), "%s/%s",
	    getenv("SLUICE_BUILD_DIR") != NULL ? getenv("SLUICE_BUILD_DIR") : ".", plugin);
	cr_assert_eq(pipe2(fds, O_CLOEXEC), 0);
	posix_spawn_file_actions_init(&actions);
	posix_spawn_file_actions_adddup2(&actions, fds[1], 1);
	cr_assert_eq(posix_spawn(&pid, path_of(PATH_WORKER), &actions, NULL, argv, environ), 0);
	posix_spawn_file_actions_destroy(&actions);
	close(fds[1]);
	while ((n = read(fds[0], buf, sizeof(buf))) > 0)
		str_addn(out, buf, (size_t)n);
	close(fds[0]);
	waitpid(pid, &status, 0);
	unlink(file);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

#define PROBE "tests/unit/.libs/probe.so"
#define STORE "'connections':{'store':{'plugin':'probe','type':'probe','path':'%DIR%'}}"
#define EXTRACT(options)                                                                           \
	"'extract':{'plugin':'probe','type':'probe','options':{" options "}},'rows':10"
#define TRANSFORM(options) "'transform':{'plugin':'probe','type':'probe','options':{" options "}}"
#define LOAD(options)                                                                              \
	"'load':{'plugin':'probe','type':'probe','connection':'store','options':{" options "}}"

Test(worker_conform, passes_a_good_plugin, .timeout = 120)
{
	struct str out;

	str_init(&out, 1u << 20);
	cr_assert_eq(run_kit(PROBE, "{" STORE "," EXTRACT("") "," LOAD("") "}", &out), 0, "%s",
	    str_peek(&out));
	cr_assert(strstr(str_peek(&out), "\nnot ok") == NULL);
	cr_assert(strstr(str_peek(&out), ", 0 failed\n") != NULL);
	str_done(&out);
	LEAK_CHECK();
}

static const struct {
	const char *scenario, *line; /* that must be there, from "not ok N - " on */
} planted[] = {
    {"{" EXTRACT("'fault':'no_end'") "}", "extract: runs to its end"},
    {"{" EXTRACT("'fault':'bad_offsets'") "}", "extract: runs to its end"},
    {"{" EXTRACT("'rows':9") "}", "extract: gives 9 of 10 rows"},
    {"{" EXTRACT("'fault':'kill','fault_at':5") "}", "extract: runs to its end"},
    {"{" TRANSFORM("'fault':'lose'") "}", "transform: 1 rows"},
    {"{" STORE "," LOAD("'fault':'miscount'") "}", "load replace: 250 rows"},
    {"{" STORE "," LOAD("'fault':'flush_less'") "}", "load replace: 250 rows"},
    {"{" STORE "," LOAD("'fault':'no_fence'") "}", "load replace: a lower token"},
};

Test(worker_conform, fails_for_each_planted_fault, .timeout = 240)
{
	size_t i;

	for (i = 0; i < sizeof(planted) / sizeof(planted[0]); i++) {
		struct str out;
		const char *line;

		str_init(&out, 1u << 20);
		cr_assert_eq(run_kit(PROBE, planted[i].scenario, &out), 1, "%s: %s",
		    planted[i].scenario, str_peek(&out));
		line = strstr(str_peek(&out), planted[i].line);
		cr_assert_not_null(line, "%s: %s", planted[i].line, str_peek(&out));
		while (line > str_peek(&out) && line[-1] != '\n')
			line--;
		cr_assert_eq(
		    strncmp(line, "not ok", 6), 0, "%s: %s", planted[i].line, str_peek(&out));
		str_done(&out);
	}
	LEAK_CHECK();
}

Test(worker_conform, fails_for_bad_tables, .timeout = 60)
{
	static const char *const lines[] = {"described twice", "a host of another major",
	    "kind \"bad\"", "bad: every role", "bad.task: 1 options", "bad.task: opened without"};
	struct str out;
	size_t i;

	str_init(&out, 1u << 20);
	cr_assert_eq(run_kit("tests/unit/.libs/bad.so", NULL, &out), 1, "%s", str_peek(&out));
	for (i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
		const char *line = strstr(str_peek(&out), lines[i]);

		cr_assert_not_null(line, "%s: %s", lines[i], str_peek(&out));
		while (line > str_peek(&out) && line[-1] != '\n')
			line--;
		cr_assert_eq(strncmp(line, "not ok", 6), 0, "%s", str_peek(&out));
	}
	str_done(&out);
	LEAK_CHECK();
}
