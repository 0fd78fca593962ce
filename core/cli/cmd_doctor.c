/* cmd_doctor.c: `sluice doctor`: what on this machine would get in the way, each with its cure. */
#include "core/base/clock.h"
#include "core/base/io.h"
#include "core/base/mem.h"
#include "core/base/paths.h"
#include "core/cli/cli.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/landlock.h>
#include <pwd.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <sys/timex.h>
#include <unistd.h>

#define FILES_WANTED 4096
#define SPACE_WANTED (INT64_C(1) << 30)

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
	/* Workers of another user go through it. */
	mode_t closed = json_get_str(conf, "run_user", NULL) ? 07066 : 07077;
	if (st.st_mode & closed & ~(mode_t)S_ISVTX)
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

static void check_machine(struct doctor *d)
{
	struct timex now = {0};
	struct rlimit files;
	if (adjtimex(&now) == TIME_ERROR)
		tell(d, FINDING_WARN, "clock",
		    "not synchronised: schedules follow a clock that may be wrong; start chrony or "
		    "systemd-timesyncd");
	else
		tell(d, FINDING_OK, "clock", "synchronised");
	if (access("/usr/share/zoneinfo/Asia/Tokyo", R_OK) != 0)
		tell(d, FINDING_BAD, "tzdata",
		    "/usr/share/zoneinfo has no zones: schedules need them; install tzdata");
	else
		tell(d, FINDING_OK, "tzdata", "zones in /usr/share/zoneinfo");
	if (getrlimit(RLIMIT_NOFILE, &files) == 0 && files.rlim_max < FILES_WANTED)
		tell(d, FINDING_WARN, "files",
		    "at most %llu open files: raise the hard limit (ulimit -Hn, LimitNOFILE=) to "
		    "%d",
		    (unsigned long long)files.rlim_max, FILES_WANTED);
	else
		tell(d, FINDING_OK, "files", "enough may be open at a time");
}

static void check_space(struct doctor *d, const char *dir)
{
	struct statvfs fs;
	struct str free_bytes;
	if (statvfs(dir, &fs) != 0)
		return;
	double share = fs.f_blocks ? (double)fs.f_bavail / (double)fs.f_blocks : 1;
	int64_t bytes = (int64_t)fs.f_bavail * (int64_t)fs.f_frsize;
	str_init(&free_bytes, 64);
	text_bytes(&free_bytes, bytes);
	tell(d, bytes < SPACE_WANTED || share < 0.03 ? FINDING_WARN : FINDING_OK, "space",
	    "%s free (%.0f %%) where %s is%s", str_peek(&free_bytes), share * 100, dir,
	    bytes < SPACE_WANTED || share < 0.03 ? ": make room, or lower retention: and limits:"
						 : "");
	str_done(&free_bytes);
}

static void check_users(struct doctor *d, const struct json *conf)
{
	const char *user = json_get_str(conf, "run_user", NULL);
	if (!user)
		tell(d, FINDING_WARN, "users",
		    "one-user mode: workers run as the daemon's user and could read its store; for "
		    "development only; set run_user: in sluice.yaml");
	else if (!getpwnam(user))
		tell(d, FINDING_BAD, "users",
		    "run_user: there is no user %s; make it: useradd --system %s", user, user);
	else
		tell(d, FINDING_OK, "users", "workers run as %s", user);
}

/* ---- secrets: every {file: PATH} of the configuration ---- */

struct secrets {
	struct doctor *d;
	int seen, wrong;
};

static void check_secret_file(struct secrets *s, const char *path)
{
	struct stat st;
	s->seen++;
	if (stat(path, &st) != 0) {
		/* Somebody else's folder says nothing about the file. */
		if (errno == EACCES)
			return;
		s->wrong++;
		tell(s->d, FINDING_BAD, "secrets", "%s: %s; put the secret there", path,
		    strerror(errno));
	} else if (st.st_mode & 077) {
		s->wrong++;
		tell(s->d, FINDING_WARN, "secrets",
		    "%s can be read by others (mode %03o); chmod 600 %s", path,
		    (unsigned)st.st_mode & 0777, path);
	}
}

static void check_secrets_in(struct secrets *s, const struct json *j, int depth)
{
	const char *path = json_len(j) == 1 ? json_get_str(j, "file", NULL) : NULL;
	if (depth > 16)
		return;
	if (json_is(j, JSON_OBJECT) && path && path[0] == '/')
		check_secret_file(s, path);
	else if (json_is(j, JSON_OBJECT) || json_is(j, JSON_ARRAY))
		for (const struct json *m = json_first(j); m; m = json_next(m))
			check_secrets_in(s, m, depth + 1);
}

static void check_hooks(struct doctor *d, const struct json *conf)
{
	int n = 0;
	for (const struct json *h = json_first(json_get(conf, "hooks")); h; h = json_next(h)) {
		if (!str_eq(json_get_str(h, "scheme", ""), "none"))
			continue;
		n++;
		tell(d, json_get_bool(h, "public", false) ? FINDING_WARN : FINDING_OK, "hooks",
		    "%s has no secret: %s", json_key(h),
		    json_get_bool(h, "public", false)
			? "everybody who reaches the port starts runs; give it a scheme"
			: "only users of the unix socket can call it");
	}
	if (n == 0)
		tell(d, FINDING_OK, "hooks", "%zu, none without a secret",
		    json_len(json_get(conf, "hooks")));
}

/* ---- the daemon's own facts ---- */

static void check_broken(struct doctor *d, const struct json *facts)
{
	const struct json *list = json_get(facts, "broken_files");
	size_t n = json_len(list);
	struct str names;
	if (n == 0) {
		tell(d, FINDING_OK, "dags", "every file compiled");
		return;
	}
	str_init(&names, 4096);
	for (const struct json *f = json_first(list); f && names.len < 200; f = json_next(f))
		str_addf(&names, "%s%s", names.len ? ", " : "", json_str(f, ""));
	tell(d, FINDING_BAD, "dags", "%zu file%s not compile: %s; see: sluice plan", n,
	    n == 1 ? " does" : "s do", str_peek(&names));
	str_done(&names);
}

static void check_watch(struct doctor *d, const struct json *facts)
{
	if (json_get_bool(facts, "watch_refused", false))
		tell(d, FINDING_WARN, "watch",
		    "the DAG folder cannot be watched: files are taken by apply and at HUP; see "
		    "the "
		    "daemon's log and /proc/sys/fs/inotify");
	else if (json_get_bool(facts, "watching", false))
		tell(d, FINDING_OK, "watch", "the DAG folder is watched");
}

static void check_disk(struct doctor *d, const struct json *facts)
{
	const char *kind = json_get_str(facts, "store_disk_kind", NULL);
	bool lasting = json_get_bool(facts, "store_disk_lasting", true);
	int64_t reserve = json_get_i64(facts, "store_reserve_bytes", 0);
	if (!kind)
		return;
	tell(d, lasting && reserve > 0 ? FINDING_OK : FINDING_WARN, "volume",
	    "%s, %.1f MiB set aside for the store%s%s", kind, (double)reserve / (1 << 20),
	    lasting ? "" : "; it does not outlive a reboot or its container: use a volume",
	    reserve > 0 ? "" : "; free space: nothing is left should the disk fill up");
}

static void check_store(struct doctor *d, const struct json *facts)
{
	const char *quota = json_get_str(facts, "store_quota", "ok");
	const char *oldest = json_get_str(facts, "oldest_run_at", NULL);
	int64_t lag = json_get_i64(facts, "store_reader_lag", 0);
	const double mib = 1 << 20;
	tell(d, str_eq(quota, "ok") ? FINDING_OK : FINDING_WARN, "store",
	    "%.1f of %.0f MiB used%s%s%s%s",
	    (double)json_get_i64(facts, "store_live_bytes", 0) / mib,
	    (double)json_get_i64(facts, "store_limit_bytes", 0) / mib,
	    oldest ? ", oldest run " : "", oldest ? oldest : "",
	    str_eq(quota, "refuse") ? "; new work is refused" : "",
	    str_eq(quota, "ok") ? "" : "; shorten retention or raise limits.store");
	if (lag > 10000)
		tell(d, FINDING_WARN, "readers",
		    "a reader of the store is %lld transactions behind: the store grows",
		    (long long)lag);
	if (json_get_bool(facts, "held", false))
		tell(d, FINDING_WARN, "restore",
		    "the store was restored and hands nothing out; look, then: sluice resume "
		    "--all");
}

static void check_facts(struct doctor *d, const struct json *facts)
{
	const char *error = json_get_str(facts, "configuration_error", NULL);
	const char *restart = json_get_str(facts, "needs_restart", "");
	const char *version = json_get_str(facts, "version", PACKAGE_VERSION);
	if (error)
		tell(d, FINDING_BAD, "reload",
		    "the daemon has the configuration before this one: %s", error);
	else if (restart[0])
		tell(d, FINDING_WARN, "reload",
		    "%s changed in sluice.yaml: only a new start of the daemon changes that",
		    restart);
	else
		tell(d, FINDING_OK, "reload", "the daemon has what sluice.yaml says");
	if (!str_eq(version, PACKAGE_VERSION))
		tell(d, FINDING_WARN, "version",
		    "the daemon is of release %s, this command of %s; start the daemon again",
		    version, PACKAGE_VERSION);
	check_broken(d, facts);
	check_watch(d, facts);
	if (!json_get_bool(facts, "pool_up", false))
		tell(d, FINDING_BAD, "pools",
		    "none takes work, %lld finish what they have: nothing can begin; the daemon's "
		    "log says why",
		    (long long)json_get_i64(facts, "pools_retired", 0));
	else
		tell(d, FINDING_OK, "pools", "%lld takes work, %lld finish what they have",
		    (long long)json_get_i64(facts, "pools_up", 1),
		    (long long)json_get_i64(facts, "pools_retired", 0));
	if (json_get_bool(facts, "disk_low", false))
		tell(d, FINDING_BAD, "store",
		    "the disk is full: new work is refused until there is room");
	check_disk(d, facts);
	check_store(d, facts);
}

/* Endpoints that do not take what they are told. */
static void check_notify(struct doctor *d)
{
	struct json *page = NULL;
	int status = 0;
	bool bad = false;
	if (cli_try(d->cli, "GET", "/v1/notify", NULL, &page, &status) != EXIT_OK ||
	    status != 200) {
		json_free(page);
		return;
	}
	for (const struct json *e = json_first(json_get(page, "notify")); e; e = json_next(e)) {
		const struct json *last = json_get(e, "last");
		long long lost = json_get_i64(e, "given_up", 0);
		bool failed = json_is(last, JSON_OBJECT) && !json_get_bool(last, "ok", false);
		bad |= failed || lost > 0;
		if (failed)
			tell(d, FINDING_WARN, "notify", "%s is not told: %s (%lld wait)",
			    json_get_str(e, "name", ""), json_get_str(e, "error", ""),
			    (long long)json_get_i64(e, "waiting", 0));
		if (lost > 0)
			tell(d, FINDING_WARN, "notify", "%lld messages for %s were given up: %s",
			    lost, json_get_str(e, "name", ""), json_get_str(e, "error", ""));
	}
	if (json_len(json_get(page, "notify")) == 0)
		tell(d, FINDING_WARN, "notify",
		    "nobody is told when a run fails: add notify: to sluice.yaml");
	else if (!bad)
		tell(d, FINDING_OK, "notify", "nothing is lost; try one: sluice notify test NAME");
	json_free(page);
}

static void check_daemon(struct doctor *d)
{
	struct json *ready = NULL, *facts = NULL;
	int status = 0;
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
	if (rc == EXIT_UNREACHABLE)
		return;
	rc = cli_try(d->cli, "GET", "/v1/doctor", NULL, &facts, &status);
	if (rc == EXIT_OK && status == 200)
		check_facts(d, facts);
	else
		tell(d, FINDING_WARN, "daemon", "tells nothing about itself: %s",
		    json_get_str(facts, "detail", "not allowed"));
	json_free(facts);
	check_notify(d);
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
		str_addf(&b, " %-9s ", json_get_str(j, "check", ""));
		struct str text;
		str_init(&text, 1 << 16);
		text_local(&text, json_get_str(j, "text", ""));
		text_wrap(&b, str_peek(&text), 12, 12, (size_t)d->cli->width);
		str_done(&text);
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
	check_machine(&d);
	if (cli_config_load(cli, &conf, &err) == 0) {
		struct secrets secrets = {.d = &d};
		tell(&d, FINDING_OK, "config", "%s", json_get_str(conf, "file", "sluice.yaml"));
		check_users(&d, conf);
		check_state(&d, conf);
		check_space(&d, json_get_str(conf, "state", "."));
		check_secrets_in(&secrets, conf, 0);
		if (secrets.wrong == 0)
			tell(&d, FINDING_OK, "secrets", "%d files", secrets.seen);
		check_hooks(&d, conf);
	} else {
		tell(&d, FINDING_BAD, "config", "%s", err.text);
	}
	check_daemon(&d);
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
