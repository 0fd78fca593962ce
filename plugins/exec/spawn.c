/* spawn.c: one command in its own process group: options, environment, spawn, exit code to class.
 * posix_spawn, because a fork of a worker that holds batches is slow. */
#include "plugins/exec/spawn.h"

#include "sluice/kit/file.h"
#include "sluice/kit/text.h"

#include <errno.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

static const struct {
	const char *name;
	slu_rc rc;
} classes[] = {{"ok", SLU_OK}, {"config", SLU_E_CONFIG}, {"auth", SLU_E_AUTH}, {"data", SLU_E_DATA},
    {"schema", SLU_E_SCHEMA}, {"transient", SLU_E_TRANSIENT}, {"quota", SLU_E_QUOTA},
    {"timeout", SLU_E_TIMEOUT}, {"internal", SLU_E_INTERNAL}};
#define N_CLASSES (sizeof(classes) / sizeof(classes[0]))

/* Adds take (owned) to a NULL-terminated list. */
static bool list_add(char ***list, size_t *n, size_t *cap, char *take)
{
	char **v;

	if (!take)
		return false;
	if (*n + 2 > *cap) {
		v = realloc(*list, (*cap ? *cap * 2 : 32) * sizeof(*v));
		if (!v) {
			free(take);
			return false;
		}
		*list = v;
		*cap = *cap ? *cap * 2 : 32;
	}
	(*list)[(*n)++] = take;
	(*list)[*n] = NULL;
	return true;
}

static void list_done(char **list)
{
	size_t i;

	for (i = 0; list && list[i]; i++)
		free(list[i]);
	free(list);
}

/* Later ones win, as the last of two settings in a file would. */
void command_env(struct command *c, const char *name, const char *value)
{
	size_t n = strlen(name), i;
	char *entry;

	if (asprintf(&entry, "%s=%s", name, value ? value : "") < 0)
		return;
	for (i = 0; i < c->n_envp; i++) {
		if (strncmp(c->envp[i], entry, n + 1) == 0) {
			free(c->envp[i]);
			c->envp[i] = entry;
			return;
		}
	}
	(void)list_add(&c->envp, &c->n_envp, &c->cap_envp, entry);
}

static void env_time(struct command *c, const char *name, int64_t us)
{
	char buf[SLU_TEXT_MAX] = "";
	int64_t ms = us / 1000;

	if (us != SLU_TIME_NONE) { /* RFC 3339 with three digits, as everywhere in Sluice */
		size_t n =
		    slu_text_from_timestamp(us - (us % 1000000 + 1000000) % 1000000, 0, 0, buf);

		(void)snprintf(
		    buf + n, sizeof(buf) - n, ".%03dZ", (int)((ms % 1000 + 1000) % 1000));
	}
	command_env(c, name, buf);
}

static void env_attempt(struct command *c)
{
	const slu_attempt *a = c->host->attempt(c->run);
	char number[24];

	(void)snprintf(number, sizeof(number), "%u", a->attempt);
	command_env(c, "SLUICE_RUN", a->run);
	command_env(c, "SLUICE_DAG", a->dag);
	command_env(c, "SLUICE_STEP", a->step);
	command_env(c, "SLUICE_ITEM", a->item);
	command_env(c, "SLUICE_ATTEMPT", number);
	command_env(c, "SLUICE_KEY", a->key);
	command_env(c, "SLUICE_LEDGER_KEY", a->ledger_key);
	env_time(c, "SLUICE_WINDOW_START", a->window_from_us);
	env_time(c, "SLUICE_WINDOW_END", a->window_to_us);
}

static slu_rc option_env(struct command *c, slu_err *err)
{
	const slu_json *v;
	slu_json *env;
	slu_rc rc = slu_option_json(c->host, c->run, "env", &env, err);
	char number[32];
	size_t i;

	if (rc != SLU_OK)
		return rc;
	for (i = 0; environ[i]; i++)
		(void)list_add(&c->envp, &c->n_envp, &c->cap_envp, strdup(environ[i]));
	for (v = slu_json_first(env); v && rc == SLU_OK; v = slu_json_next(v)) {
		const char *name = slu_json_key(v);

		(void)snprintf(number, sizeof(number), "%lld", (long long)slu_json_i64(v, 0));
		if (slu_json_type(v) == SLU_JSON_BOOL)
			(void)snprintf(
			    number, sizeof(number), "%s", slu_json_bool(v, 0) ? "true" : "false");
		if (!*name || strchr(name, '=') || slu_json_type(v) >= SLU_JSON_ARRAY)
			rc = slu_fail_field(err, SLU_E_CONFIG, "EXEC.ENV", "env",
			    "env.%s: a variable has a name without = and a text or number as value",
			    name);
		else
			command_env(c, name,
			    slu_json_type(v) == SLU_JSON_NULL ? "" : slu_json_str(v, number));
	}
	slu_json_free(env);
	return rc;
}

static slu_rc option_argv(struct command *c, slu_err *err)
{
	const char *shell = c->host->get_str(c->run, "shell");
	const slu_json *v;
	slu_json *list;
	slu_rc rc = slu_option_json(c->host, c->run, "command", &list, err);
	char number[32];

	if (rc != SLU_OK)
		return rc;
	if (!shell == !list || (list && slu_json_len(list) == 0)) {
		slu_json_free(list);
		return slu_fail_field(err, SLU_E_CONFIG, "EXEC.COMMAND", "command",
		    "exactly one of command (a list) and shell (a text) is needed");
	}
	if (shell) {
		(void)list_add(&c->argv, &c->n_argv, &c->cap_argv, strdup("/bin/sh"));
		(void)list_add(&c->argv, &c->n_argv, &c->cap_argv, strdup("-c"));
		(void)list_add(&c->argv, &c->n_argv, &c->cap_argv, strdup(shell));
		return SLU_OK;
	}
	for (v = slu_json_first(list); v && rc == SLU_OK; v = slu_json_next(v)) {
		(void)snprintf(number, sizeof(number), "%lld", (long long)slu_json_i64(v, 0));
		if (slu_json_type(v) != SLU_JSON_STRING && slu_json_type(v) != SLU_JSON_NUMBER)
			rc = slu_fail_field(err, SLU_E_CONFIG, "EXEC.COMMAND", "command",
			    "command: each argument is a text or a whole number");
		else
			(void)list_add(
			    &c->argv, &c->n_argv, &c->cap_argv, strdup(slu_json_str(v, number)));
	}
	slu_json_free(list);
	return rc;
}

static slu_rc option_exits(struct command *c, slu_err *err)
{
	slu_rc rc = slu_option_json(c->host, c->run, "exit", &c->exits, err);
	const slu_json *v;
	size_t i;

	for (v = rc == SLU_OK ? slu_json_first(c->exits) : NULL; v; v = slu_json_next(v)) {
		const char *name = slu_json_str(v, "");
		char *end;
		long code = strtol(slu_json_key(v), &end, 10);

		for (i = 0; i < N_CLASSES && strcmp(classes[i].name, name) != 0; i++)
			;
		if (i == N_CLASSES || *end || end == slu_json_key(v) || code < 0 || code > 255)
			return slu_fail_field(err, SLU_E_CONFIG, "EXEC.EXIT", "exit",
			    "exit.%s: a code from 0 to 255 with one of ok, config, auth, data, "
			    "schema, transient, "
			    "quota, timeout, internal",
			    slu_json_key(v));
	}
	return rc;
}

/* The text for standard input stands in memory, so that no thread has to feed a pipe. */
static slu_rc option_stdin(struct command *c, slu_err *err)
{
	const char *text = c->host->get_str(c->run, "stdin");
	size_t n = text ? strlen(text) : 0, at = 0;

	if (!text)
		return SLU_OK;
	c->in_fd = memfd_create("stdin", MFD_CLOEXEC);
	while (c->in_fd >= 0 && at < n) {
		ssize_t put = write(c->in_fd, text + at, n - at);

		if (put < 0)
			break;
		at += (size_t)put;
	}
	if (c->in_fd < 0 || at < n || lseek(c->in_fd, 0, SEEK_SET) < 0)
		return slu_fail_errno(
		    err, errno, "EXEC.STDIN", "cannot hold the text for standard input");
	return SLU_OK;
}

slu_rc command_init(struct command *c, const slu_host *host, slu_run *run, slu_err *err)
{
	const slu_attempt *a = host->attempt(run);
	const char *cwd = host->get_str(run, "cwd");
	slu_rc rc;

	memset(c, 0, sizeof(*c));
	c->host = host;
	c->run = run;
	c->in_fd = c->out_fd = -1;
	(void)pthread_mutex_init(&c->lock, NULL);
	if (cwd)
		c->cwd = slu_path(host, run, cwd);
	else if (a->base_dir && *a->base_dir)
		c->cwd = slu_path(host, run, ".");
	rc = option_argv(c, err);
	if (rc == SLU_OK)
		rc = option_env(c, err);
	if (rc == SLU_OK)
		rc = option_exits(c, err);
	if (rc == SLU_OK)
		rc = option_stdin(c, err);
	if (rc == SLU_OK)
		env_attempt(c);
	return rc;
}

static void fd_close(int *fd)
{
	if (*fd >= 0)
		(void)close(*fd);
	*fd = -1;
}

void command_done(struct command *c)
{
	slu_err e = {.size = sizeof(e)};

	(void)pthread_mutex_lock(&c->lock);
	if (c->pid > 0)
		(void)kill(-c->pid, SIGKILL);
	(void)pthread_mutex_unlock(&c->lock);
	if (c->pid > 0)
		(void)!command_wait(c, &e);
	fd_close(&c->in_fd);
	fd_close(&c->out_fd);
	list_done(c->argv);
	list_done(c->envp);
	slu_free(c->cwd);
	slu_json_free(c->exits);
	(void)pthread_mutex_destroy(&c->lock);
}

/* Where posix_spawnp would find the command, looked up before the child exists: each wrong guess of
 * the child is an execve. NULL: it shall look itself, as for places that count from its folder. */
static const char *find_command(const char *name, char *buf, size_t n)
{
	const char *path = getenv("PATH"), *end;
	struct stat st;
	int len;

	if (!path || !*name || strchr(name, '/'))
		return NULL;
	for (; *path == '/'; path = end + 1) {
		end = strchrnul(path, ':');
		len = snprintf(buf, n, "%.*s/%s", (int)(end - path), path, name);
		if (len > 0 && (size_t)len < n && access(buf, X_OK) == 0 && stat(buf, &st) == 0 &&
		    S_ISREG(st.st_mode))
			return buf;
		if (!*end)
			return NULL;
	}
	return NULL;
}

static int spawn_now(struct command *c, pid_t *ret_pid)
{
	char buf[4096];
	const char *file = find_command(c->argv[0], buf, sizeof(buf));
	posix_spawn_file_actions_t fa;
	posix_spawnattr_t at;
	sigset_t none, all;
	bool found;
	int rc;

	(void)sigemptyset(&none);
	(void)sigfillset(&all);
	(void)posix_spawn_file_actions_init(&fa);
	(void)posix_spawnattr_init(&at);
	(void)posix_spawnattr_setpgroup(&at, 0);
	(void)posix_spawnattr_setsigmask(&at, &none);
	(void)posix_spawnattr_setsigdefault(&at, &all);
	(void)posix_spawnattr_setflags(
	    &at, POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
	rc = c->in_fd >= 0
		 ? posix_spawn_file_actions_adddup2(&fa, c->in_fd, 0)
		 : posix_spawn_file_actions_addopen(&fa, 0, "/dev/null", 0 /* O_RDONLY */, 0);
	if (rc == 0 && c->out_fd >= 0)
		rc = posix_spawn_file_actions_adddup2(&fa, c->out_fd, 1);
	if (rc == 0 && c->cwd)
		rc = posix_spawn_file_actions_addchdir_np(&fa, c->cwd);
	found = rc == 0 && file && posix_spawn(ret_pid, file, &fa, &at, c->argv, c->envp) == 0;
	if (rc == 0 && !found)
		rc = posix_spawnp(ret_pid, c->argv[0], &fa, &at, c->argv, c->envp);
	(void)posix_spawnattr_destroy(&at);
	(void)posix_spawn_file_actions_destroy(&fa);
	return rc;
}

slu_rc command_spawn(struct command *c, slu_err *err)
{
	pid_t pid = 0;
	bool cancelled;
	int rc;

	(void)pthread_mutex_lock(&c->lock);
	cancelled = c->cancelled;
	rc = cancelled ? 0 : spawn_now(c, &pid);
	if (rc == 0)
		c->pid = pid;
	(void)pthread_mutex_unlock(&c->lock);
	fd_close(&c->in_fd);
	fd_close(&c->out_fd);
	if (cancelled)
		return slu_fail(
		    err, SLU_E_CANCELLED, "EXEC.CANCELLED", "cancelled before the command began");
	if (rc == EAGAIN || rc == ENOMEM)
		return slu_fail_errno(err, rc, "EXEC.SPAWN", "cannot start %s", c->argv[0]);
	if (rc)
		return slu_fail_field(err, SLU_E_CONFIG, "EXEC.SPAWN", "command",
		    "cannot start %s%s%s: %s", c->argv[0], c->cwd ? " in " : "",
		    c->cwd ? c->cwd : "", strerror(rc));
	return SLU_OK;
}

static slu_rc class_of(const struct command *c, int code)
{
	char key[8];
	const char *name;
	size_t i;

	(void)snprintf(key, sizeof(key), "%d", code);
	name = slu_json_get_str(c->exits, key, NULL);
	for (i = 0; name && i < N_CLASSES; i++)
		if (strcmp(classes[i].name, name) == 0)
			return classes[i].rc;
	return slu_rc_from_exit(code);
}

static slu_rc judge(struct command *c, const siginfo_t *si, slu_err *err)
{
	if (si->si_code == CLD_EXITED) {
		char code[16];

		c->rc = class_of(c, si->si_status);
		(void)snprintf(code, sizeof(code), "EXEC.%d", si->si_status);
		if (c->rc != SLU_OK && c->cancelled)
			c->rc = SLU_E_CANCELLED;
		if (c->rc != SLU_OK)
			(void)slu_fail(err, c->rc, code,
			    "%s ended with exit code %d; its output is in the log", c->argv[0],
			    si->si_status);
		return c->rc;
	}
	c->rc = c->cancelled ? SLU_E_CANCELLED : SLU_E_INTERNAL;
	return slu_fail(err, c->rc, "EXEC.SIGNAL", "%s was ended by signal %d (%s)", c->argv[0],
	    si->si_status, strsignal(si->si_status));
}

slu_rc command_wait(struct command *c, slu_err *err)
{
	siginfo_t si = {0};
	pid_t pid = c->pid;
	int rc;

	if (pid <= 0)
		return c->reaped && c->rc == SLU_OK
			   ? SLU_OK
			   : slu_fail(err, c->reaped ? c->rc : SLU_E_INTERNAL, "EXEC.ENDED",
				 "%s has failed", c->argv ? c->argv[0] : "the command");
	/* Seen first and reaped under the lock, so that cancel never signals a reused number. */
	do
		rc = waitid(P_PID, (id_t)pid, &si, WEXITED | WNOWAIT);
	while (rc < 0 && errno == EINTR);
	(void)pthread_mutex_lock(&c->lock);
	c->pid = 0;
	c->reaped = true;
	do
		rc = waitid(P_PID, (id_t)pid, &si, WEXITED);
	while (rc < 0 && errno == EINTR);
	(void)pthread_mutex_unlock(&c->lock);
	if (rc < 0) {
		c->rc = SLU_E_INTERNAL;
		return slu_fail(
		    err, c->rc, "EXEC.WAIT", "%s was waited for by somebody else", c->argv[0]);
	}
	return judge(c, &si, err);
}

void command_cancel(struct command *c)
{
	(void)pthread_mutex_lock(&c->lock);
	c->cancelled = true;
	if (c->pid > 0)
		(void)kill(-c->pid, SIGTERM);
	(void)pthread_mutex_unlock(&c->lock);
}
