/* The service manager's protocols, with this test as the manager. A whole start with LISTEN_FDS is
 * in tests/sys/service.sh. */
#include "core/daemon/sd.h"

#include "leak.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

static int manager(char *dir, char *path, size_t n)
{
	struct sockaddr_un a = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	cr_assert(mkdtemp(dir));
	snprintf(path, n, "%s/notify", dir);
	snprintf(a.sun_path, sizeof(a.sun_path), "%s", path);
	cr_assert_eq(bind(fd, (struct sockaddr *)&a, sizeof(a)), 0);
	return fd;
}

static const char *told(int fd)
{
	static char text[256];
	ssize_t n = recv(fd, text, sizeof(text) - 1, MSG_DONTWAIT);

	text[n > 0 ? n : 0] = '\0';
	return text;
}

Test(daemon_sd, the_manager_is_told_and_its_variables_are_taken_away)
{
	char dir[] = "/tmp/sluice-sd-XXXXXX", path[64];
	struct loop loop = {0};
	struct err err = {0};
	struct timeval wait = {.tv_usec = 50000};
	int fd = manager(dir, path, sizeof(path));
	const char *text;
	struct sd *s;

	setenv("NOTIFY_SOCKET", path, 1);
	setenv("WATCHDOG_USEC", "20000", 1);
	setenv("SLUICE_POOL_STARTER", "/run/x.sock", 1);
	setenv("LISTEN_PID", "1", 1); /* another process' */
	setenv("LISTEN_FDS", "3", 1);
	s = sd_new();
	cr_assert_null(getenv("NOTIFY_SOCKET"));
	cr_assert_null(getenv("LISTEN_FDS"));
	cr_assert_null(getenv("SLUICE_POOL_STARTER"));
	cr_assert_str_eq(sd_pool_starter(s), "/run/x.sock");
	sd_notify(s, "READY=1");
	text = told(fd);
	cr_assert_str_eq(text, "READY=1");
	sd_reloading(s);
	text = told(fd);
	cr_assert_eq(strncmp(text, "RELOADING=1\nMONOTONIC_USEC=", 27), 0);
	cr_assert_eq(loop_init(&loop, &err), 0);
	sd_watchdog(s, &loop);
	event_base_loopexit(loop.base, &wait);
	event_base_loop(loop.base, 0);
	text = told(fd);
	cr_assert_str_eq(text, "WATCHDOG=1");
	sd_free(s);
	loop_done(&loop);
	close(fd);
	unlink(path);
	rmdir(dir);
	LEAK_CHECK();
}

Test(daemon_sd, without_a_manager_nothing_happens)
{
	struct sd *s;

	unsetenv("NOTIFY_SOCKET");
	unsetenv("SLUICE_POOL_STARTER");
	s = sd_new();
	sd_notify(s, "READY=1");
	sd_reloading(s);
	cr_assert_null(sd_pool_starter(s));
	sd_free(s);
	LEAK_CHECK();
}
