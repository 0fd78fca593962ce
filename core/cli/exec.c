/* exec.c: running the project's other programs (sluice-worker, sluiced) and reading what they
 * print. */
#include "core/base/io.h"
#include "core/base/mem.h"
#include "core/base/paths.h"
#include "core/cli/cli.h"

#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

static int read_all(int fd, size_t max, struct str *out, struct err *err)
{
	char buf[65536];
	for (;;) {
		ssize_t n = read(fd, buf, sizeof(buf));
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return err_errno(err, ERR_IO, errno, "reading a helper program's output");
		if (n == 0)
			return 0;
		if (out->len + (size_t)n > max)
			return err_set(
			    err, ERR_LIMIT, "a helper program printed more than %zu bytes", max);
		str_addn(out, buf, (size_t)n);
	}
}

int exec_start(const char *program, char *const argv[], struct child *ret, struct err *err)
{
	int fds[2], rc;
	pid_t pid;
	posix_spawn_file_actions_t actions;
	if (pipe2(fds, O_CLOEXEC) != 0)
		return err_errno(err, ERR_IO, errno, "pipe");
	posix_spawn_file_actions_init(&actions);
	posix_spawn_file_actions_adddup2(&actions, fds[1], 1);
	rc = posix_spawn(&pid, program, &actions, NULL, argv, environ);
	posix_spawn_file_actions_destroy(&actions);
	io_close(&fds[1]);
	if (rc != 0) {
		io_close(&fds[0]);
		return err_errno(
		    err, ERR_NOT_FOUND, rc, "cannot start %s: is Sluice installed whole?", program);
	}
	*ret = (struct child){.pid = pid, .out = fds[0]};
	return 0;
}

int exec_wait(struct child *c)
{
	int status = 0;
	io_close(&c->out);
	while (waitpid(c->pid, &status, 0) < 0 && errno == EINTR)
		continue;
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128;
}

int exec_collect(const char *program, char *const argv[], size_t max, struct str *out,
    int *ret_status, struct err *err)
{
	struct child child;
	int rc = exec_start(program, argv, &child, err);
	if (rc != 0)
		return rc;
	rc = read_all(child.out, max, out, err);
	*ret_status = exec_wait(&child);
	return rc;
}

int exec_replace(const char *program, char *const argv[])
{
	fflush(stdout);
	execv(program, argv);
	return cli_error(EXIT_INTERNAL, "cannot start %s: %s; is Sluice installed whole?", program,
	    strerror(errno));
}

int exec_daemon(const struct cli *cli, const char *option, const char *value)
{
	char *argv[8], *config = cli_config_path(cli);
	size_t n = 0;
	if (!config)
		return cli_error(EXIT_USAGE, "no sluice.yaml here; name it with -c");
	argv[n++] = mem_strdup("sluiced");
	argv[n++] = mem_strdup("-c");
	argv[n++] = config;
	argv[n++] = mem_strdup(option);
	if (value)
		argv[n++] = mem_strdup(value);
	if (cli->output != OUTPUT_TEXT) {
		argv[n++] = mem_strdup("-o");
		argv[n++] = mem_strdup("json");
	}
	argv[n] = NULL;
	int rc = exec_replace(path_of(PATH_DAEMON), argv);
	while (n > 0)
		mem_free(argv[--n]);
	return rc;
}
