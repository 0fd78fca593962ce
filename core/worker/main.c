/* main.c: sluice-worker: the modes of the program. Under the pool it serves attempts; by hand,
 * through the CLI, it compiles files and describes plugins. */
#include "core/base/io.h"
#include "core/base/log.h"
#include "core/base/mem.h"
#include "core/pool/frame.h"
#include "core/worker/mode.h"
#include "core/worker/sandbox.h"
#include "core/worker/serve.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

static const char usage[] =
    "usage: sluice-worker --pool PID --state DIR          serve attempts on descriptor 3\n"
    "       sluice-worker [OPTION…] --compile [PATH…]     check DAG files: JSON on standard "
    "output\n"
    "       sluice-worker --compile-config FILE           sluice.yaml as JSON\n"
    "       sluice-worker [OPTION…] --describe [FILE.so]  what plugins offer, as JSON\n"
    "       sluice-worker --schema [KEY]                  JSON Schema of DAG files\n"
    "       sluice-worker --conform FILE.so               run the conformance kit on a plugin\n"
    "options: --config FILE  --plugins DIR (repeatable)  --catalog FILE  --plans\n"
    "This program is started by sluice-pool and sluice; see sluice(1).\n";

static void on_signal(int sig)
{
	(void)sig;
	serve_terminate();
}

/* Handlers, not blocked or ignored signals: commands start with the defaults, because exec resets
 * handlers. */
static void take_signals(void)
{
	struct sigaction act = {.sa_handler = on_signal, .sa_flags = SA_RESTART};

	sigaction(SIGTERM, &act, NULL);
	sigaction(SIGINT, &act, NULL);
	sigaction(SIGPIPE, &act, NULL);
}

/* The pool's death ends this process: the signal is set after every change of user, then the parent
 * is looked at, for it may have died before. */
static bool tie_to_pool(int64_t pool)
{
	if (prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) != 0 ||
	    prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) != 0)
		return false;
	return pool <= 0 || getppid() == (pid_t)pool;
}

static int mode_serve(const struct mode_options *o)
{
	struct serve_options so = {.sock = FRAME_WORKER_FD, .process = true};
	struct err err;

	if (!tie_to_pool(o->pool))
		return 0;
	take_signals();
	if (serve(&so, &err) == 0)
		_exit(0); /* plugins' destructors have nothing to do here */
	log_error("the worker ends: %s", err.text);
	_exit(70);
}

static bool take_option(struct mode_options *o, int argc, char **argv, int *i)
{
	const char *name = argv[*i], *value = *i + 1 < argc ? argv[*i + 1] : NULL;

	if (strcmp(name, "--plans") == 0) {
		o->plans = true;
		return true;
	}
	if (value == NULL)
		return false;
	if (strcmp(name, "--config") == 0)
		o->config = value;
	else if (strcmp(name, "--plugins") == 0)
		json_push(o->plugin_dirs, json_new_str(value));
	else if (strcmp(name, "--catalog") == 0)
		o->catalog = value;
	else if (strcmp(name, "--state") == 0)
		o->state = value;
	else if (strcmp(name, "--pool") != 0 || str_to_i64(value, &o->pool) != 0)
		return false;
	(*i)++;
	return true;
}

static const struct {
	const char *name;
	int (*fn)(const struct mode_options *o);
} modes[] = {{"--compile", mode_compile}, {"--compile-config", mode_compile_config},
    {"--describe", mode_describe}, {"--schema", mode_schema}, {"--conform", mode_conform}};

static int (*mode_of(const char *arg))(const struct mode_options *)
{
	size_t i;

	for (i = 0; i < sizeof(modes) / sizeof(modes[0]); i++)
		if (strcmp(modes[i].name, arg) == 0)
			return modes[i].fn;
	return NULL;
}

int main(int argc, char **argv)
{
	struct mode_options o = {.plugin_dirs = json_new_array()};
	int (*mode)(const struct mode_options *) = NULL;
	int i, rc;

	log_init("sluice-worker", LOG_INFO);
	sandbox_start();
	for (i = 1; i < argc && mode == NULL; i++) {
		mode = mode_of(argv[i]);
		if (mode == NULL && !take_option(&o, argc, argv, &i)) {
			fputs(usage, stderr);
			json_free(o.plugin_dirs);
			return 2;
		}
	}
	o.args = argv + i;
	o.n_args = argc - i;
	if (mode == NULL && o.pool > 0)
		mode = mode_serve;
	rc = mode != NULL ? mode(&o) : (fputs(usage, stderr), 2);
	json_free(o.plugin_dirs);
	return rc;
}
