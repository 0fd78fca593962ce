/* confload.c: sluice.yaml through a worker, which is the only program that reads YAML. At start the
 * daemon waits for it; it runs nothing else yet. */
#define LOG_AT "daemon"
#include "core/daemon/daemon.h"

#include "core/base/io.h"
#include "core/base/log.h"
#include "core/base/mem.h"
#include "core/base/paths.h"

#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define CONF_TEXT_MAX (4u << 20)

extern char **environ;

static int spawn_worker(const char *file, int out, pid_t *ret_pid, struct err *err)
{
	posix_spawn_file_actions_t actions;
	char program[] = "sluice-worker", option[] = "--compile-config";
	char *name = mem_strdup(file);
	char *argv[] = {program, option, name, NULL};
	int rc;

	posix_spawn_file_actions_init(&actions);
	posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
	posix_spawn_file_actions_adddup2(&actions, out, 1);
	rc = posix_spawn(ret_pid, path_of(PATH_WORKER), &actions, NULL, argv, environ);
	posix_spawn_file_actions_destroy(&actions);
	mem_free(name);
	if (rc != 0)
		return err_errno(err, ERR_INTERNAL, rc, "cannot start %s", path_of(PATH_WORKER));
	return 0;
}

static int read_all(int fd, struct str *out, struct err *err)
{
	char buf[16384];
	ssize_t n;

	for (;;) {
		n = read(fd, buf, sizeof(buf));
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return err_errno(err, ERR_IO, errno, "cannot read what the worker says");
		if (n == 0)
			return out->failed
				   ? err_set(err, ERR_LIMIT, "the configuration is too large")
				   : 0;
		str_addn(out, buf, (size_t)n);
	}
}

int conf_report_error(const struct json *report, const char *file, struct err *err)
{
	const struct json *e = json_first(json_get(report, "errors"));
	const char *hint = json_get_str(e, "hint", ""), *key = json_get_str(e, "key", "");

	if (!e)
		return err_set(err, ERR_CONFIG, "%s: %s", file,
		    json_get_str(report, "error", "it cannot be read; see: sluice check"));
	return err_set(err, ERR_CONFIG, "%s:%lld:%lld: %s%s%s%s%s", file,
	    (long long)json_get_i64(e, "line", 1), (long long)json_get_i64(e, "column", 1), key,
	    key[0] ? ": " : "", json_get_str(e, "message", "does not compile"), hint[0] ? "; " : "",
	    hint);
}

int conf_load(const char *file, struct conf **ret, struct err *err)
{
	struct json *report = NULL;
	struct str out;
	int fds[2], rc, status = 0;
	pid_t pid = 0;

	if (pipe2(fds, O_CLOEXEC) != 0)
		return err_errno(err, ERR_IO, errno, "cannot make a pipe");
	str_init(&out, CONF_TEXT_MAX);
	rc = spawn_worker(file, fds[1], &pid, err);
	io_close(&fds[1]);
	if (rc == 0)
		rc = read_all(fds[0], &out, err);
	io_close(&fds[0]);
	while (pid && waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	if (rc == 0 && out.len == 0)
		rc = err_set(err, ERR_CONFIG,
		    "%s cannot be compiled: sluice-worker ended with status %d", file,
		    WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status));
	if (rc == 0)
		rc = json_parse(str_peek(&out), out.len, CONF_TEXT_MAX, &report, err);
	if (rc == 0 && !json_get(report, "state"))
		rc = conf_report_error(report, file, err);
	json_free(report);
	if (rc == 0)
		rc = conf_parse(str_peek(&out), out.len, ret, err);
	str_done(&out);
	return rc;
}

static int parse_object(const struct json *j, struct conf **ret, struct err *err)
{
	struct str text;
	int rc;

	str_init(&text, CONF_TEXT_MAX);
	json_print(j, &text);
	rc = text.failed ? err_set(err, ERR_LIMIT, "the configuration is too large")
			 : conf_parse(str_peek(&text), text.len, ret, err);
	str_done(&text);
	return rc;
}

/* --once: nothing listens, no hook is served, the state is a folder of its own. */
static void put_once(struct json *j, const char *state, const char *deployment)
{
	json_put(j, "deployment", json_new_str(deployment));
	json_put(j, "state", json_new_str(state));
	json_put(j, "http", json_new_object());
	json_put(j, "hooks", json_new_object());
	json_put(j, "sources", json_new_object());
	json_put(j, "run_user", json_new_null());
	json_put(j, "on_term", json_new_str("cancel"));
}

int conf_default(const char *state, const char *deployment, struct conf **ret, struct err *err)
{
	struct json *j = json_new_object(), *dirs = json_new_array();
	long cpus = sysconf(_SC_NPROCESSORS_ONLN);
	char *cwd = getcwd(NULL, 0);
	int rc;

	json_put(j, "v", json_new_i64(1));
	json_put(j, "file", json_new_str(""));
	put_once(j, state, deployment);
	json_put(j, "dags", json_new_str(cwd ? cwd : "/"));
	json_push(dirs, json_new_str(path_of(PATH_PLUGINS)));
	json_put(j, "plugins", dirs);
	json_put(j, "workers", json_new_i64(cpus > 0 ? cpus : 1));
	json_put(j, "connections", json_new_object());
	json_put(j, "secrets", json_new_object());
	json_put(j, "notify", json_new_object());
	json_put(j, "pools", json_new_object());
	json_put(j, "defaults", json_new_object());
	free(cwd);
	rc = parse_object(j, ret, err);
	json_free(j);
	return rc;
}

int conf_for_once(const struct conf *c, const char *state, const char *deployment,
    struct conf **ret, struct err *err)
{
	struct json *j = json_dup(c->root);
	int rc;

	put_once(j, state, deployment);
	rc = parse_object(j, ret, err);
	json_free(j);
	return rc;
}
