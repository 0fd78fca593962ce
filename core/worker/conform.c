/* conform.c: the kit's frame: the mode, children, lines. */
#include "core/worker/conform.h"

#include "core/base/clock.h"
#include "core/base/io.h"
#include "core/base/mem.h"
#include "core/worker/describe.h"
#include "core/worker/mode.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define ANSWER_MAX (16u << 20)
#define SCENARIO_MAX (1u << 20)

void conform_say(struct conform *c, bool ok, const char *fmt, ...)
{
	va_list ap;

	printf("%s %d - ", ok ? "ok" : "not ok", c->n_ok + c->n_bad + 1);
	va_start(ap, fmt);
	vprintf(fmt, ap);
	va_end(ap);
	putchar('\n');
	(void)fflush(stdout);
	c->n_ok += ok;
	c->n_bad += !ok;
}

/* ---- children ---- */

static _Noreturn void child_main(void (*fn)(void *arg, struct str *out), void *arg, int fd)
{
	struct str out;
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);

	(void)dup2(null, STDOUT_FILENO); /* a plugin that prints must not forge lines */
	(void)dup2(null, STDERR_FILENO);
	str_init(&out, ANSWER_MAX);
	fn(arg, &out);
	_exit(io_write_all(fd, str_peek(&out), out.len, NULL) == 0 ? 0 : 1);
}

static bool read_answer(int fd, int limit_ms, struct str *out)
{
	struct pollfd p = {.fd = fd, .events = POLLIN};
	mono_us until = clock_mono() + limit_ms * US_PER_MS;
	char buf[65536];
	ssize_t n;

	for (;;) {
		int64_t left = (until - clock_mono()) / US_PER_MS;

		if (left <= 0 || poll(&p, 1, (int)left) <= 0)
			return false;
		n = read(fd, buf, sizeof(buf));
		if (n <= 0)
			return n == 0;
		str_addn(out, buf, (size_t)n);
	}
}

int conform_child(struct conform *c, void (*fn)(void *arg, struct str *out), void *arg,
    int limit_ms, struct str *out)
{
	int fds[2], status = 0;
	bool ended;
	pid_t pid;

	(void)c;
	if (pipe2(fds, O_CLOEXEC) != 0)
		return -1;
	(void)fflush(stdout);
	pid = fork();
	if (pid == 0)
		child_main(fn, arg, fds[1]);
	io_close(&fds[1]);
	ended = pid > 0 && read_answer(fds[0], limit_ms, out);
	io_close(&fds[0]);
	if (!ended && pid > 0)
		kill(pid, SIGKILL);
	while (pid > 0 && waitpid(pid, &status, 0) < 0 && errno == EINTR) {
	}
	if (pid < 0)
		return -1;
	if (WIFSIGNALED(status))
		return WTERMSIG(status);
	return WEXITSTATUS(status) == 0 ? 0 : -1;
}

/* ---- the scenario ---- */

static void replace_all(struct str *b, const char *what, const char *with)
{
	struct str out;
	const char *p = str_peek(b), *hit;

	str_init(&out, SCENARIO_MAX * 2);
	while ((hit = strstr(p, what)) != NULL) {
		str_addn(&out, p, (size_t)(hit - p));
		str_add(&out, with);
		p = hit + strlen(what);
	}
	str_add(&out, p);
	str_done(b);
	*b = out;
}

static bool write_files(const struct conform *c, const struct json *scenario)
{
	const struct json *f;
	bool ok = true;

	for (f = json_first(json_get(scenario, "files")); f != NULL; f = json_next(f)) {
		char *path = io_path_join(c->dir, json_key(f)), *dir = io_path_dir(path);
		const char *text = json_str(f, "");

		ok = ok && io_mkdirs(dir, 0700, NULL) == 0 &&
		     io_write_file(path, text, strlen(text), 0600, NULL) == 0;
		mem_free(dir);
		mem_free(path);
	}
	return ok;
}

static char *scenario_path(const char *so)
{
	size_t n = strlen(so);
	char *path = mem_alloc(n + 32);

	snprintf(path, n + 32, "%.*s.conform.json", (int)(str_ends(so, ".so") ? n - 3 : n), so);
	return path;
}

/* 0 also where there is none. */
static int read_scenario(struct conform *c, const char *given, struct json **ret, struct err *err)
{
	char *path = given != NULL ? mem_strdup(given) : scenario_path(c->path);
	struct str text;
	int rc = 0;

	str_init(&text, SCENARIO_MAX);
	if (given != NULL || access(path, F_OK) == 0) {
		rc = io_read_file(path, SCENARIO_MAX, &text, err);
		if (rc == 0) {
			replace_all(&text, "%DIR%", c->dir);
			rc = json_parse(str_peek(&text), text.len, SCENARIO_MAX, ret, err);
		}
		if (rc == 0 && !write_files(c, *ret))
			rc = err_set(
			    err, ERR_IO, "the scenario's files cannot be written to %s", c->dir);
		if (rc != 0)
			(void)err_prefix(err, "%s", path);
	}
	str_done(&text);
	mem_free(path);
	return rc;
}

/* ---- the mode ---- */

static void describe_child(void *arg, struct str *out)
{
	struct conform *c = arg;
	struct err err;

	if (describe_file(c->path, out, &err) != 0)
		_exit(1);
}

/* In two processes, so that addresses and clocks that got into it show. */
static bool describes_same_twice(struct conform *c)
{
	struct str a, b;
	bool same;

	str_init(&a, ANSWER_MAX);
	str_init(&b, ANSWER_MAX);
	same = conform_child(c, describe_child, c, 10000, &a) == 0 &&
	       conform_child(c, describe_child, c, 10000, &b) == 0 && a.len > 0 && a.len == b.len &&
	       memcmp(a.s, b.s, a.len) == 0;
	str_done(&a);
	str_done(&b);
	return same;
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void)st;
	(void)type;
	(void)ftw;
	return remove(path);
}

static int run_kit(struct conform *c, const char *scenario, struct err *err)
{
	static struct plugin builtin;
	struct json *j = NULL;
	int rc = read_scenario(c, scenario, &j, err);

	if (rc != 0)
		return rc;
	c->scenario = j;
	conform_say(c, describes_same_twice(c), "described twice it says the same bytes");
	rc = plugin_open(c->path, &c->plugin, err);
	if (rc != 0) {
		conform_say(c, false, "it loads: %s", err->text);
		rc = 0;
	} else {
		plugin_register(&builtin, &conform_builtin);
		conform_tables(c);
		conform_opens(c);
		conform_runs(c);
	}
	json_free(j);
	return rc;
}

int mode_conform(const struct mode_options *o)
{
	struct conform c = {.dir = "/tmp/sluice-conform-XXXXXX"};
	char real[PATH_MAX];
	struct err err;
	int rc;

	if (o->n_args < 1 || o->n_args > 2) {
		fputs("sluice: --conform takes a plugin's file, and perhaps a scenario\n", stderr);
		return 2;
	}
	if (realpath(o->args[0], real) == NULL || mkdtemp(c.dir) == NULL) {
		fprintf(stderr, "sluice: %s: %s\n", o->args[0], strerror(errno));
		return 5;
	}
	c.path = real;
	rc = run_kit(&c, o->n_args == 2 ? o->args[1] : NULL, &err);
	(void)nftw(c.dir, remove_one, 16, FTW_DEPTH | FTW_PHYS);
	if (rc != 0) {
		fprintf(stderr, "sluice: %s\n", err.text);
		return 2;
	}
	printf("%d passed, %d failed\n", c.n_ok, c.n_bad);
	return c.n_bad == 0 ? 0 : 1;
}
