/* main.c: sluiced's options, and what a process must do before it touches anything: no dumps, a
 * scrubbed environment, private files, a folder of its own. The only place that exits. */
#define LOG_AT "daemon"
#include "core/daemon/daemon.h"

#include "core/base/io.h"
#include "core/base/log.h"
#include "core/base/mem.h"
#include "core/base/paths.h"
#include "core/base/release.h"

#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

extern char **environ;

enum action {
	ACTION_SERVE,
	ACTION_CHECK,
	ACTION_ONCE,
	ACTION_FSCK,
	ACTION_RESTORE,
	ACTION_COMPACT,
	ACTION_LATER
};

struct options {
	enum action action;
	const char *config;  /* as given, or NULL */
	const char *restore; /* the backup */
	const char *later;   /* an option that is not in this release */
	struct once_options once;
	VEC(const char *) params;
	VEC(const char *) only;
};

enum {
	OPT_CHECK = 256,
	OPT_ONCE,
	OPT_FSCK,
	OPT_RESTORE,
	OPT_COMPACT,
	OPT_PARAM,
	OPT_AT,
	OPT_KEY,
	OPT_TRIGGER,
	OPT_ONLY,
	OPT_PREVIEW,
	OPT_HELP,
	OPT_VERSION
};

static const struct option long_options[] = {
    {"config", required_argument, NULL, 'c'},
    {"output", required_argument, NULL, 'o'},
    {"check", no_argument, NULL, OPT_CHECK},
    {"once", required_argument, NULL, OPT_ONCE},
    {"fsck", no_argument, NULL, OPT_FSCK},
    {"restore", required_argument, NULL, OPT_RESTORE},
    {"compact", no_argument, NULL, OPT_COMPACT},
    {"param", required_argument, NULL, OPT_PARAM},
    {"at", required_argument, NULL, OPT_AT},
    {"key", required_argument, NULL, OPT_KEY},
    {"trigger", required_argument, NULL, OPT_TRIGGER},
    {"only", required_argument, NULL, OPT_ONLY},
    {"preview", required_argument, NULL, OPT_PREVIEW},
    {"help", no_argument, NULL, OPT_HELP},
    {"version", no_argument, NULL, OPT_VERSION},
    {NULL, 0, NULL, 0},
};

static const char usage[] =
    "usage: sluiced [-c FILE] [--check | --fsck | --compact | --restore FILE | --once FILE]\n"
    "\n"
    "  -c, --config FILE   the deployment; else $SLUICE_CONFIG, ./sluice.yaml, the system's\n"
    "  --check             compile the configuration, say what is wrong, and end\n"
    "  --fsck              prove the store while no daemon holds it, and end\n"
    "  --compact           give unused space of the store back, and end\n"
    "  --restore FILE      put a backup in the store's place, and end\n"
    "  --once FILE         run one DAG file on a temporary store, and end; with it:\n"
    "      --param NAME=VALUE  --at TIME  --key KEY  --trigger NAME  --only STEP\n"
    "  -o, --output FORMAT text, json or ndjson, of all but --check\n"
    "  --help, --version\n"
    "\n"
    "Without an action it serves in the foreground. TERM and INT stop it (running steps go on in\n"
    "the pool), HUP reads the configuration and the DAG files again.\n"
    "Exit status: 0 done, 1 the run or the store has failed, 2 usage or configuration, 3 refused,\n"
    "4 another daemon holds the store, 5 not found, 70 internal, 75 try again.\n"
    "\n"
    "Examples:\n"
    "  sluiced -c /etc/sluice/sluice.yaml\n"
    "  sluiced --once dags/try.yaml --param day=2026-11-21 -o json\n";

static int take_param(struct options *o, const char *text)
{
	const char *equals = strchr(text, '=');

	if (!equals || equals == text) {
		fprintf(stderr, "sluiced: --param %s: write NAME=VALUE\n", text);
		return EXIT_CODE_USAGE;
	}
	VEC_ADD(&o->params, text);
	return -1;
}

static int take_output(struct options *o, const char *text)
{
	if (!str_eq(text, "text") && !str_eq(text, "json") && !str_eq(text, "ndjson")) {
		fprintf(stderr, "sluiced: -o %s: text, json or ndjson\n", text);
		return EXIT_CODE_USAGE;
	}
	o->once.output = text;
	return -1;
}

/* -1: go on; else the exit code. */
static int take_option(struct options *o, int c, const char *value)
{
	switch (c) {
	case 'c':
		o->config = value;
		return -1;
	case 'o':
		return take_output(o, value);
	case OPT_CHECK:
		o->action = ACTION_CHECK;
		return -1;
	case OPT_ONCE:
		o->action = ACTION_ONCE;
		o->once.file = value;
		return -1;
	case OPT_FSCK:
		o->action = ACTION_FSCK;
		return -1;
	case OPT_RESTORE:
		o->action = ACTION_RESTORE;
		o->restore = value;
		return -1;
	case OPT_COMPACT:
		o->action = ACTION_COMPACT;
		return -1;
	case OPT_PREVIEW:
		o->action = ACTION_LATER;
		o->later = "--preview";
		return -1;
	case OPT_PARAM:
		return take_param(o, value);
	case OPT_AT:
		o->once.at = value;
		return -1;
	case OPT_KEY:
		o->once.key = value;
		return -1;
	case OPT_TRIGGER:
		o->once.trigger = value;
		return -1;
	case OPT_ONLY:
		VEC_ADD(&o->only, value);
		return -1;
	case OPT_HELP:
		fputs(usage, stdout);
		return EXIT_CODE_OK;
	case OPT_VERSION:
#ifdef SL_FAULT_INJECTION
		printf("sluiced %s fault-injection\n", release_name());
#else
		printf("sluiced %s\n", release_name());
#endif
		return EXIT_CODE_OK;
	default:
		fputs("try: sluiced --help\n", stderr);
		return EXIT_CODE_USAGE;
	}
}

static int read_options(int argc, char **argv, struct options *o)
{
	int c, code = -1;

	while (code < 0 && (c = getopt_long(argc, argv, "c:o:", long_options, NULL)) != -1)
		code = take_option(o, c, optarg);
	if (code < 0 && optind < argc) {
		fprintf(
		    stderr, "sluiced: unexpected argument %s; try: sluiced --help\n", argv[optind]);
		code = EXIT_CODE_USAGE;
	}
	if (code < 0 && o->action == ACTION_LATER) {
		fprintf(stderr, "sluiced: %s is not in this release\n", o->later);
		code = EXIT_CODE_USAGE;
	}
	if (code < 0 && o->action != ACTION_ONCE &&
	    (o->params.n || o->only.n || o->once.at || o->once.key || o->once.trigger)) {
		fputs("sluiced: --param, --at, --key, --trigger and --only belong to --once\n",
		    stderr);
		code = EXIT_CODE_USAGE;
	}
	o->once.params = o->params.v;
	o->once.n_params = o->params.n;
	o->once.only = o->only.v;
	o->once.n_only = o->only.n;
	return code;
}

/* Absolute, because the daemon leaves this folder. NULL: none anywhere. */
static char *config_path(const struct options *o)
{
	const char *named = o->config ? o->config : getenv("SLUICE_CONFIG");
	char *system, *found;

	if (named && named[0])
		return realpath(named, NULL);
	if (access("sluice.yaml", F_OK) == 0)
		return realpath("sluice.yaml", NULL);
	system = io_path_join(path_of(PATH_SYSCONF), "sluice.yaml");
	found = realpath(system, NULL);
	mem_free(system);
	return found;
}

static bool env_is_kept(const char *entry)
{
	static const char *const kept[] = {
	    "PATH=",
	    "HOME=",
	    "LANG=",
	    "LC_",
	    "TZ=",
	    "USER=",
	    "LOGNAME=",
	    "SLUICE_BUILD_DIR=",
	    "CREDENTIALS_DIRECTORY=",
	    "ASAN_OPTIONS=",
	    "LSAN_OPTIONS=",
	    "UBSAN_OPTIONS=",
	    "TSAN_OPTIONS=",
#ifdef SL_FAULT_INJECTION
	    "SLUICE_FAULT",
	    "SLUICE_CRASH",
	    "SLUICE_MUTANT",
#endif
	};

	for (size_t i = 0; i < sizeof(kept) / sizeof(kept[0]); i++) {
		if (str_starts(entry, kept[i]))
			return true;
	}
	return false;
}

/* Nothing of the caller's environment reaches pool, worker or command but what is listed. */
static void env_scrub(void)
{
	char **to = environ;

	for (char **at = environ; *at; at++) {
		if (env_is_kept(*at))
			*to++ = *at;
	}
	*to = NULL;
}

static void harden(void)
{
	umask(027);
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
	prctl(PR_SET_DUMPABLE, 0); /* the leak checker must trace its own process */
#endif
}

static int serve(struct daemon *d)
{
	struct err err = {0};
	int rc = 0;

	if (mkdir(d->conf->state_dir, 0700) == 0) {
		/* Workers of another user go through it to their scratch folders; it is not listed
		 * for them. A failure is the pool's to tell: it looks. */
		if (d->conf->run_user)
			(void)!chmod(d->conf->state_dir, 0711);
	} else if (errno != EEXIST)
		rc = err_errno(
		    &err, ERR_IO, errno, "cannot make the state folder %s", d->conf->state_dir);
	if (rc == 0 && chdir(d->conf->state_dir) != 0)
		rc = err_errno(
		    &err, ERR_IO, errno, "cannot go to the state folder %s", d->conf->state_dir);
	if (rc == 0)
		rc = daemon_open(d, false, &err);
	if (rc == 0) {
		log_info("serving deployment=%s", d->conf->deployment);
		loop_run(&d->loop, NULL, NULL);
	} else {
		fprintf(stderr, "sluiced: %s\n", err.text);
	}
	daemon_close(d);
	if (rc == 0)
		log_info("stopped");
	return exit_code_of(rc);
}

static int with_config(struct daemon *d, struct options *o, const char *config)
{
	struct err err = {0};
	int rc;

	if (!config) {
		fprintf(stderr, "sluiced: %s%s\n",
		    o->config ? "cannot read " : "no sluice.yaml here: name it with -c",
		    o->config ? o->config : "");
		return o->config ? EXIT_CODE_NOT_FOUND : EXIT_CODE_USAGE;
	}
	rc = conf_load(config, &d->conf, &err);
	if (rc != 0) {
		fprintf(stderr, "sluiced: %s\n", err.text);
		return exit_code_of(rc);
	}
	if (o->action == ACTION_SERVE)
		return serve(d);
	if (o->action == ACTION_FSCK)
		rc = fsck_main(d->conf, o->once.output);
	else if (o->action == ACTION_RESTORE)
		rc = restore_main(d->conf, o->restore, o->once.output);
	else if (o->action == ACTION_COMPACT)
		rc = compact_main(d->conf, o->once.output);
	else
		printf("%s: ok\n", config);
	conf_free(d->conf);
	d->conf = NULL;
	return rc;
}

int main(int argc, char **argv)
{
	struct options o = {.action = ACTION_SERVE};
	struct daemon *d;
	char *config;
	int code = read_options(argc, argv, &o);

	if (code >= 0)
		return code;
	log_init("sluiced", o.action == ACTION_ONCE ? LOG_WARN : LOG_INFO);
	harden();
	d = MEM_NEW(struct daemon);
	d->secrets = secret_cache_new();
	config = config_path(&o);
	d->sd = sd_new();
	env_scrub();
	if (o.action == ACTION_ONCE) {
		o.once.config = config;
		code = o.config && !config ? with_config(d, &o, NULL) : once_main(d, &o.once);
	} else {
		code = with_config(d, &o, config);
	}
	free(config);
	secret_cache_free(d->secrets);
	sd_free(d->sd);
	mem_free(d);
	VEC_DONE(&o.params);
	VEC_DONE(&o.only);
	return code;
}
