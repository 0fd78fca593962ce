/* catalog_build.c: the catalog of all installed plugins. Each file that is not known by its hash is
 * described by a child: this program again with --describe, so that no plugin's constructor runs
 * here. */
#include "core/worker/describe.h"

#include "core/base/clock.h"
#include "core/base/io.h"
#include "core/base/mem.h"
#include "core/base/paths.h"
#include "core/base/vec.h"
#include "core/worker/load.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define DESCRIBE_MAX_BYTES (4u << 20)
#define DESCRIBE_LIMIT_MS 10000
/* On a machine that is busy with other things a child may get no time for that long: what was late
 * is asked again, unless too much time has gone by for others. */
#define DESCRIBE_AGAIN_US (25 * US_PER_S)
#define DESCRIBE_TRIES 2
#define DESCRIBE_PAUSE_MS 500

extern char **environ;

struct build {
	const struct json *cached;
	struct json *plugins, *problems; /* owned */
	VEC(char *) names;
	mono_us began;
	bool changed;
};

/* ---- the child ---- */

static int spawn(const char *path, int out, pid_t *ret_pid)
{
	char self[] = "sluice-worker", flag[] = "--describe";
	char *argv[] = {self, flag, (char *)(uintptr_t)path, NULL};
	posix_spawn_file_actions_t actions;
	int e;

	posix_spawn_file_actions_init(&actions);
	posix_spawn_file_actions_adddup2(&actions, out, STDOUT_FILENO);
	e = posix_spawn(ret_pid, "/proc/self/exe", &actions, NULL, argv, environ);
	posix_spawn_file_actions_destroy(&actions);
	return e;
}

/* False: it wrote too much or took too long. */
static bool read_all(int fd, struct str *out)
{
	struct pollfd p = {.fd = fd, .events = POLLIN};
	char buf[65536];
	ssize_t n;

	for (;;) {
		if (poll(&p, 1, DESCRIBE_LIMIT_MS) <= 0)
			return false;
		n = read(fd, buf, sizeof(buf));
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n == 0 && !out->failed;
		str_addn(out, buf, (size_t)n);
	}
}

/* ERR_AGAIN where the machine is to blame. */
static int describe_child(const char *path, struct str *out, struct err *err)
{
	int fds[2], status = 0, e;
	bool whole, late;
	pid_t pid;

	if (pipe2(fds, O_CLOEXEC) != 0)
		return err_errno(err, ERR_AGAIN, errno, "pipe");
	e = spawn(path, fds[1], &pid);
	io_close(&fds[1]);
	if (e != 0) {
		io_close(&fds[0]);
		return err_errno(err, ERR_AGAIN, e, "cannot start a child that describes %s", path);
	}
	whole = read_all(fds[0], out);
	late = !whole && !out->failed;
	io_close(&fds[0]);
	if (!whole)
		kill(pid, SIGKILL);
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR) {
	}
	if (late)
		return err_set(err, ERR_AGAIN,
		    "plugin: %s takes more than %d s when it is opened: its own start waits for "
		    "something, or this machine is busy",
		    path, DESCRIBE_LIMIT_MS / 1000);
	if (!whole)
		return err_set(
		    err, ERR_LIMIT, "plugin: %s says too much when it is described", path);
	if (WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL) /* memory ran out */
		return err_set(err, ERR_AGAIN, "plugin: %s was killed when it was opened", path);
	if (WIFSIGNALED(status))
		return err_set(err, ERR_UNSUPPORTED,
		    "plugin: %s dies with signal %d when it is opened", path, WTERMSIG(status));
	return 0;
}

/* ---- one file ---- */

static const struct json *find_cached(const struct build *b, const char *path, const char *sha)
{
	const struct json *p;

	for (p = json_first(json_get(b->cached, "plugins")); p != NULL; p = json_next(p))
		if (str_eq(json_get_str(p, "file", ""), path) &&
		    str_eq(json_get_str(p, "sha256", ""), sha))
			return p;
	return NULL;
}

static void add_problem(struct build *b, const char *path, const char *message, bool late)
{
	struct json *p = json_new_object();

	json_put(p, "file", json_new_str(path));
	json_put(p, "message", json_new_str(message));
	if (late)
		json_put(p, "late", json_new_bool(true));
	json_push(b->problems, p);
}

/* The child answers {"error": …} or a plugin's object. */
static void take_answer(struct build *b, const char *path, const struct str *out)
{
	struct json *j = NULL;
	struct err err;

	if (json_parse(str_peek(out), out->len, DESCRIBE_MAX_BYTES, &j, &err) != 0) {
		add_problem(b, path,
		    "its description is no JSON: it prints on standard output when it is opened",
		    false);
		return;
	}
	if (json_get(j, "error") != NULL) {
		add_problem(b, path, json_get_str(j, "error", ""), false);
		json_free(j);
		return;
	}
	json_push(b->plugins, j);
}

static void add_file(struct build *b, const char *path)
{
	const struct json *known;
	struct str out;
	struct err err;
	char sha[65];
	int rc;

	if (plugin_check_path(path, &err) != 0 || plugin_hash(path, sha, &err) != 0) {
		add_problem(b, path, err.text, false);
		return;
	}
	known = find_cached(b, path, sha);
	if (known != NULL) {
		json_push(b->plugins, json_dup(known));
		return;
	}
	b->changed = true;
	for (int tries = 1;; tries++) {
		str_init(&out, DESCRIBE_MAX_BYTES);
		rc = describe_child(path, &out, &err);
		if (rc == 0)
			take_answer(b, path, &out);
		str_done(&out);
		if (rc != ERR_AGAIN || tries == DESCRIBE_TRIES ||
		    clock_mono() - b->began >= DESCRIBE_AGAIN_US)
			break;
		poll(NULL, 0, DESCRIBE_PAUSE_MS);
	}
	if (rc != 0)
		add_problem(b, path, err.text, rc == ERR_AGAIN);
}

/* ---- folders ---- */

static bool first_of_its_name(struct build *b, const char *file)
{
	size_t i;

	for (i = 0; i < b->names.n; i++)
		if (strcmp(b->names.v[i], file) == 0)
			return false;
	VEC_ADD(&b->names, mem_strdup(file));
	return true;
}

static int is_plugin(const struct dirent *e)
{
	return str_ends(e->d_name, ".so") && e->d_name[0] != '.';
}

static void add_dir(struct build *b, const char *dir)
{
	struct dirent **list = NULL;
	char real[PATH_MAX], *path;
	int i, n = scandir(dir, &list, is_plugin, alphasort);

	for (i = 0; i < n; i++) {
		path = io_path_join(dir, list[i]->d_name);
		if (first_of_its_name(b, list[i]->d_name))
			add_file(b, realpath(path, real) != NULL ? real : path);
		mem_free(path);
		free(list[i]);
	}
	free(list);
}

static void write_catalog(const struct build *b, struct str *out)
{
	struct jw w;

	jw_init(&w, out);
	jw_object(&w);
	jw_ki64(&w, "v", 1);
	jw_key(&w, "plugins");
	jw_json(&w, b->plugins);
	jw_key(&w, "problems");
	jw_json(&w, b->problems);
	jw_end_object(&w);
}

int describe_all(const struct json *dirs, const struct json *cached, struct str *out,
    bool *ret_changed, struct err *err)
{
	struct build b = {.began = clock_mono(),
	    .cached = cached,
	    .plugins = json_new_array(),
	    .problems = json_new_array()};
	const struct json *d;
	size_t i;

	for (d = json_first(dirs); d != NULL; d = json_next(d))
		add_dir(&b, json_str(d, ""));
	add_dir(&b, path_of(PATH_PLUGINS));
	write_catalog(&b, out);
	*ret_changed = b.changed || json_len(b.plugins) != json_len(json_get(cached, "plugins")) ||
		       !json_equal(b.problems, json_get(cached, "problems"));
	for (i = 0; i < b.names.n; i++)
		mem_free(b.names.v[i]);
	VEC_DONE(&b.names);
	json_free(b.plugins);
	json_free(b.problems);
	return out->failed ? err_set(err, ERR_LIMIT, "the catalog of plugins is too large") : 0;
}
