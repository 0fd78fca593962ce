/* command.c: a sendmail command: it reads the mail from standard input. The mail lies in a memfd,
 * so that a command that does not read blocks nobody. */
#include "plugins/notify/notify.h"

#include <errno.h>
#include <signal.h>
#include <spawn.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define TURN_MS 20

extern char **environ;

/* Line ends as sendmail wants them on its standard input. */
static slu_rc mail_fd(const slu_buf *mail, int *ret, slu_err *err)
{
	slu_buf plain;
	ssize_t n;
	int fd;

	slu_buf_init(&plain, NOTIFY_MESSAGE_MAX);
	for (size_t i = 0; i < mail->len; i++) {
		if (mail->s[i] != '\r')
			slu_buf_addc(&plain, mail->s[i]);
	}
	fd = memfd_create("mail", MFD_CLOEXEC);
	n = fd >= 0 ? write(fd, slu_buf_text(&plain), plain.len) : -1;
	if (n >= 0 && (size_t)n == plain.len && lseek(fd, 0, SEEK_SET) == 0) {
		slu_buf_done(&plain);
		*ret = fd;
		return SLU_OK;
	}
	slu_buf_done(&plain);
	if (fd >= 0)
		(void)close(fd);
	return slu_fail_errno(err, errno, "NOTIFY.MAIL", "cannot hold the mail");
}

static slu_rc spawn(const struct endpoint *e, int in, pid_t *ret, slu_err *err)
{
	posix_spawn_file_actions_t fa;
	posix_spawnattr_t attr;
	int rc;

	(void)posix_spawn_file_actions_init(&fa);
	(void)posix_spawnattr_init(&attr);
	(void)posix_spawn_file_actions_adddup2(&fa, in, STDIN_FILENO);
	(void)posix_spawnattr_setflags(&attr, POSIX_SPAWN_SETPGROUP);
	rc = posix_spawnp(ret, e->command[0], &fa, &attr, e->command, environ);
	(void)posix_spawnattr_destroy(&attr);
	(void)posix_spawn_file_actions_destroy(&fa);
	return rc == 0
		   ? SLU_OK
		   : slu_fail_errno(err, rc, "NOTIFY.COMMAND", "cannot start %s", e->command[0]);
}

/* Exit codes as sysexits.h has them. */
static slu_rc judge(const struct endpoint *e, int status, slu_err *err)
{
	int code = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
	slu_rc rc = SLU_E_TRANSIENT;

	if (code == 0)
		return SLU_OK;
	if (code == 64 || code == 78 || code == 126 || code == 127)
		rc = SLU_E_CONFIG;
	else if (code == 65 || code == 67 || code == 68)
		rc = SLU_E_DATA;
	else if (code == 77)
		rc = SLU_E_AUTH;
	if (code < 0)
		return slu_fail(err, rc, "NOTIFY.COMMAND", "%s was killed by signal %d",
		    e->command[0], WTERMSIG(status));
	return slu_fail(err, rc, "NOTIFY.COMMAND", "%s ended with code %d", e->command[0], code);
}

slu_rc command_send(const struct endpoint *e, struct message *m, const slu_buf *mail, slu_err *err)
{
	int64_t left = e->timeout_ms;
	int status = 0, fd = -1;
	slu_rc rc = mail_fd(mail, &fd, err), woken;
	pid_t pid = 0;

	if (rc == SLU_OK) {
		rc = spawn(e, fd, &pid, err);
		(void)close(fd);
	}
	while (rc == SLU_OK && waitpid(pid, &status, WNOHANG) == 0) {
		woken = m->host->sleep_ms(m->run, TURN_MS);
		left -= TURN_MS;
		if (woken == SLU_OK && left > 0)
			continue;
		(void)kill(-pid, SIGKILL);
		(void)waitpid(pid, &status, 0);
		return woken != SLU_OK
			   ? slu_fail(err, SLU_E_CANCELLED, "NOTIFY.CANCELLED", "cancelled")
			   : slu_fail(err, SLU_E_TIMEOUT, "NOTIFY.COMMAND", "%s took too long",
				 e->command[0]);
	}
	return rc == SLU_OK ? judge(e, status, err) : rc;
}
