/* noop: a task that does nothing, as slowly and as badly as it is told. The smallest plugin there
 * is, and what the benches and the tests of the scheduler run. */
#include <sluice/plugin.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

struct noop {
	const slu_host *host; /* borrowed */
	slu_run *run;	      /* borrowed */
};

static slu_rc fail(slu_err *err, slu_rc rc, const char *code, const char *message)
{
	err->rc = rc;
	snprintf(err->code, sizeof(err->code), "%s", code);
	snprintf(err->message, sizeof(err->message), "%s", message);
	return rc;
}

static slu_rc noop_open(const slu_host *host, slu_run *run, void *conn, void **st, slu_err *err)
{
	struct noop *n = calloc(1, sizeof(*n));

	(void)conn;
	if (n == NULL)
		return fail(err, SLU_E_TRANSIENT, "NOOP.MEMORY", "out of memory");
	n->host = host;
	n->run = run;
	*st = n;
	return SLU_OK;
}

static const struct {
	const char *name;
	slu_rc rc;
} classes[] = {{"config", SLU_E_CONFIG}, {"auth", SLU_E_AUTH}, {"data", SLU_E_DATA},
    {"schema", SLU_E_SCHEMA}, {"transient", SLU_E_TRANSIENT}, {"quota", SLU_E_QUOTA},
    {"timeout", SLU_E_TIMEOUT}, {"internal", SLU_E_INTERNAL}};

static slu_rc fail_as(const char *name, slu_err *err)
{
	size_t i;

	for (i = 0; i < sizeof(classes) / sizeof(classes[0]); i++)
		if (strcmp(classes[i].name, name) == 0)
			return fail(
			    err, classes[i].rc, "NOOP.FAIL", "failed as the option `fail` asked");
	return fail(err, SLU_E_CONFIG, "NOOP.CLASS", "`fail` names no error class");
}

static slu_rc put_output(struct noop *n, slu_err *err)
{
	const char *json = n->host->get_json(n->run, "output");

	if (json == NULL)
		return SLU_OK;
	if (n->host->output(n->run, "value", json) == SLU_OK)
		return SLU_OK;
	return fail(err, SLU_E_DATA, "NOOP.OUTPUT", "the output is over 64 KiB");
}

/* The instant of the first instruction, for measuring how long a step waited: microseconds since
 * 1970. */
static void put_stamp(struct noop *n)
{
	struct timespec t;
	char text[32];
	int32_t on = 0;

	if (n->host->get_bool(n->run, "stamp", &on) != SLU_OK || !on)
		return;
	clock_gettime(CLOCK_REALTIME, &t);
	snprintf(text, sizeof(text), "%lld", (long long)t.tv_sec * 1000000 + t.tv_nsec / 1000);
	n->host->output(n->run, "at_us", text);
}

static slu_rc noop_run(void *st, slu_err *err)
{
	struct noop *n = st;
	const char *message = n->host->get_str(n->run, "message");
	const char *class_name = n->host->get_str(n->run, "fail");
	int64_t ms = 0, until = 0;
	slu_rc rc;

	put_stamp(n);
	if (message != NULL)
		n->host->log(n->run, SLU_LOG_INFO, NULL, message, strlen(message));
	n->host->get_i64(n->run, "sleep", &ms);
	n->host->get_i64(n->run, "fail_until", &until);
	rc = ms > 0 ? n->host->sleep_ms(n->run, ms) : SLU_OK;
	if (rc != SLU_OK)
		return fail(err, rc, "NOOP.CANCELLED", "cancelled");
	if (class_name != NULL && (until == 0 || n->host->attempt(n->run)->attempt < until))
		return fail_as(class_name, err);
	return put_output(n, err);
}

static void noop_close(void *st)
{
	free(st);
}

static const slu_opt options[] = {
    {.name = "sleep",
	.type = SLU_T_DURATION,
	.flags = SLU_F_TEMPLATED,
	.def = "0s",
	.doc = "How long the step takes."},
    {.name = "fail",
	.type = SLU_T_ENUM,
	.flags = SLU_F_TEMPLATED,
	.choices = "config|auth|data|schema|transient|quota|timeout|internal",
	.doc = "The error class with which the step fails."},
    {.name = "fail_until",
	.type = SLU_T_INT,
	.def = "0",
	.min = "0",
	.doc = "The first attempt that no longer fails; 0: every attempt fails."},
    {.name = "output",
	.type = SLU_T_MAP,
	.flags = SLU_F_TEMPLATED,
	.doc = "Becomes the step's output `value`."},
    {.name = "message",
	.type = SLU_T_STRING,
	.flags = SLU_F_TEMPLATED,
	.doc = "A line for the step's log."},
    {.name = "stamp",
	.type = SLU_T_BOOL,
	.def = "false",
	.doc = "Puts the instant of the first instruction into the output `at_us`."},
};

static const slu_task task = {
    .size = sizeof(slu_task),
    .options = {sizeof(options) / sizeof(options[0]), sizeof(slu_opt), options},
    .open = noop_open,
    .run = noop_run,
    .close = noop_close,
};

static const slu_kind kinds[] = {{.type = "noop", .doc = "Does nothing.", .task = &task}};

static const slu_plugin plugin = {
    .magic = SLU_MAGIC,
    .size = sizeof(slu_plugin),
    .abi_major = SLU_ABI_MAJOR,
    .abi_minor = SLU_ABI_MINOR,
    .name = "noop",
    .version = "1",
    .license = "same as Sluice",
    .home = "",
    .n_kinds = 1,
    .kind_stride = sizeof(slu_kind),
    .kinds = kinds,
};

const slu_plugin *sluice_plugin_v1(uint32_t host_major, uint32_t host_minor, slu_err *err)
{
	(void)host_minor;
	if (host_major == SLU_ABI_MAJOR)
		return &plugin;
	fail(err, SLU_E_CONFIG, "NOOP.ABI", "noop needs a host of ABI 1");
	return NULL;
}
