/* cmd_doctor.c: `sluice doctor`: what on this machine would get in the way, each with its cure. */
#include "core/base/clock.h"
#include "core/base/io.h"
#include "core/base/mem.h"
#include "core/base/paths.h"
#include "core/cli/cli.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/landlock.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

static const struct cli_opt opts[] = {
    {NULL, NULL, NULL, 0},
};

enum finding { FINDING_OK, FINDING_WARN, FINDING_BAD };

struct doctor {
	struct cli *cli;
	struct json *list; /* owned */
	enum finding worst;
};

static void tell(struct doctor *d, enum finding f, const char *what, const char *fmt, ...)
    __attribute__((format(printf, 4, 5)));

static void tell(struct doctor *d, enum finding f, const char *what, const char *fmt, ...)
{
	static const char *const names[] = {"ok", "warning", "bad"};
	struct str text;
	va_list ap;
	str_init(&text, 1 << 16);
	va_start(ap, fmt);
	str_vaddf(&text, fmt, ap);
	va_end(ap);
	struct json *j = json_new_object();
	json_put(j, "check", json_new_str(what));
	json_put(j, "result", json_new_str(names[f]));
	json_put(j, "text", json_new_str(str_peek(&text)));
	json_push(d->list, j);
	if (f > d->worst)
		d->worst = f;
	str_done(&text);
}

static void check_programs(struct doctor *d)
{
	static const enum path_id ids[] = {PATH_DAEMON, PATH_POOL, PATH_WORKER};
	for (size_t i = 0; i < sizeof(ids) / sizeof(ids[0]); i++)
		if (access(path_of(ids[i]), X_OK) != 0)
			tell(d, FINDING_BAD, "programs", "%s is not there; install Sluice again",
			    path_of(ids[i]));
	if (d->worst == FINDING_OK)
		tell(d, FINDING_OK, "programs", "all in place");
	if (access(path_of(PATH_PLUGINS), R_OK) != 0)
		tell(d, FINDING_WARN, "plugins", "%s cannot be read", path_of(PATH_PLUGINS));
}

static void check_kernel(struct doctor *d)
{
	long abi =
	    syscall(SYS_landlock_create_ruleset, NULL, (size_t)0, LANDLOCK_CREATE_RULESET_VERSION);
	if (abi > 0)
		tell(d, FINDING_OK, "landlock", "version %ld: workers see only the files they need",
		    abi);
	else
		tell(d, FINDING_WARN, "landlock",
		    "the kernel has none: workers can read what their user can read");
	if (prctl(PR_GET_SECCOMP, 0, 0, 0, 0) >= 0)
		tell(d, FINDING_OK, "seccomp", "workers run behind a system call filter");
	else
		tell(d, FINDING_WARN, "seccomp",
		    "the kernel has none: workers run without a system call filter");
	if (access("/sys/fs/cgroup/cgroup.controllers", R_OK) == 0 ||
	    access("/sys/fs/cgroup/unified/cgroup.procs", R_OK) == 0)
		tell(d, FINDING_OK, "cgroup",
		    "version 2 is mounted: a dead pool's leftovers are found in its cgroup");
	else
		tell(d, FINDING_WARN, "cgroup",
		    "version 2 is not mounted: a dead pool's leftovers are found by its lock file "
		    "only");
}

static int64_t measure_fsync(const char *dir)
{
	char *path = io_path_join(dir, ".doctor");
	int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	char page[4096] = {0};
	mono_us start = clock_mono();
	int64_t n = 20;
	for (int64_t i = 0; fd >= 0 && i < n; i++)
		if (pwrite(fd, page, sizeof(page), i * 4096) != (ssize_t)sizeof(page) ||
		    fdatasync(fd) != 0)
			n = 0;
	int64_t us = fd >= 0 && n > 0 ? (clock_mono() - start) / n : -1;
	io_close(&fd);
	unlink(path);
	mem_free(path);
	return us;
}

static void check_state(struct doctor *d, const struct json *conf)
{
	const char *dir = json_get_str(conf, "state", "");
	struct stat st;
	if (stat(dir, &st) != 0) {
		tell(d, FINDING_WARN, "state", "%s is not there yet; the daemon makes it", dir);
		return;
	}
	if (st.st_mode & 07077 & ~(mode_t)S_ISVTX)
		tell(d, FINDING_WARN, "state", "%s can be read by others; chmod 700 %s", dir, dir);
	else
		tell(d, FINDING_OK, "state", "%s", dir);
	if (access(dir, W_OK) != 0)
		return;
	int64_t us = measure_fsync(dir);
	if (us < 0)
		tell(d, FINDING_BAD, "disk", "%s cannot be written and synced: %s", dir,
		    strerror(errno));
	else if (us < 20)
		tell(d, FINDING_WARN, "disk",
		    "a sync takes %lld us: too fast to be true unless the disk has a battery",
		    (long long)us);
	else
		tell(d, us > 20000 ? FINDING_WARN : FINDING_OK, "disk", "a sync takes %.1f ms",
		    (double)us / 1000);
}

static void check_daemon(struct doctor *d, const struct json *conf)
{
	struct json *ready = NULL;
	int status = 0;
	if (json_get_str(conf, "run_user", NULL) == NULL)
		tell(d, FINDING_WARN, "users",
		    "one-user mode: workers run as the daemon's user and could read its store; for "
		    "development only");
	int rc = cli_try(d->cli, "GET", "/readyz", NULL, &ready, &status);
	if (rc == EXIT_UNREACHABLE)
		tell(
		    d, FINDING_WARN, "daemon", "does not answer; start it: sluiced -c sluice.yaml");
	else if (status == 200)
		tell(d, FINDING_OK, "daemon", "ready");
	else
		tell(d, FINDING_WARN, "daemon", "not ready: %s",
		    json_get_str(ready, "detail", "it is starting"));
	json_free(ready);
}

static void print(const struct doctor *d)
{
	static const char *const marks[] = {"\u2713", "!", "\u2717"};
	for (const struct json *j = json_first(d->list); j; j = json_next(j)) {
		const char *result = json_get_str(j, "result", "");
		enum finding f = str_eq(result, "ok")	 ? FINDING_OK
				 : str_eq(result, "bad") ? FINDING_BAD
							 : FINDING_WARN;
		struct str b;
		str_init(&b, 1 << 16);
		text_paint(d->cli, &b,
		    f == FINDING_OK    ? PAINT_GOOD
		    : f == FINDING_BAD ? PAINT_BAD
				       : PAINT_WARN,
		    marks[f]);
		str_addf(&b, " %-9s %s", json_get_str(j, "check", ""), json_get_str(j, "text", ""));
		puts(str_peek(&b));
		str_done(&b);
	}
}

static int run(struct cli *cli, const struct args *a)
{
	struct doctor d = {.cli = cli, .list = json_new_array()};
	struct json *conf = NULL;
	struct err err = {0};
	if (!args_expect(a, 0, 0))
		return EXIT_USAGE;
	check_programs(&d);
	check_kernel(&d);
	if (cli_config_load(cli, &conf, &err) == 0) {
		tell(&d, FINDING_OK, "config", "%s", json_get_str(conf, "file", "sluice.yaml"));
		check_state(&d, conf);
		check_daemon(&d, conf);
	} else {
		tell(&d, FINDING_BAD, "config", "%s", err.text);
	}
	if (cli->output == OUTPUT_TEXT) {
		print(&d);
	} else {
		struct json *j = json_new_object();
		json_put(j, "ok", json_new_bool(d.worst < FINDING_BAD));
		json_put(j, "checks", json_dup(d.list));
		cli_print_json(cli, j, "checks");
		json_free(j);
	}
	json_free(conf);
	json_free(d.list);
	return d.worst == FINDING_BAD ? EXIT_RUN_FAILED : EXIT_OK;
}

const struct command cmd_doctor = {
    .name = "doctor",
    .synopsis = "",
    .summary = "Check this machine and installation, with cures",
    .help = "Exit status 1 when something is bad; warnings do not count.\n"
	    "\nExamples:\n  sluice doctor\n  sluice doctor -o json",
    .opts = opts,
    .run = run,
};
