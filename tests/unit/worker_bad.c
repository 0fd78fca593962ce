/* worker_bad.c: a plugin whose tables are wrong in every way that the conformance kit looks for. It
 * crashes when it is opened without options, speaks to any host, and describes itself differently
 * in every process. */
#include <sluice/plugin.h>

#include <stdio.h>
#include <string.h>
#include <unistd.h>

static slu_rc bad_open(const slu_host *host, slu_run *run, void *conn, void **st, slu_err *err)
{
	(void)conn;
	(void)err;
	*st = strchr(host->get_str(run, "name"), 'x'); /* NULL without the option */
	return SLU_OK;
}

static slu_rc bad_run(void *st, slu_err *err)
{
	(void)st;
	(void)err;
	return SLU_OK;
}

static const slu_opt options[] = {
    {.name = "Name Of It", .type = SLU_T_ENUM, .choices = "a|b", .def = "c", .doc = "No"}};
static const slu_task task = {.size = sizeof(slu_task),
    .options = {1, sizeof(slu_opt), options},
    .open = bad_open,
    .run = bad_run}; /* no close */
static char doc[64];
static const slu_kind kinds[] = {{.type = "bad", .doc = doc, .task = &task}};
static const slu_plugin plugin = {.magic = SLU_MAGIC,
    .size = sizeof(slu_plugin),
    .abi_major = SLU_ABI_MAJOR,
    .name = "bad",
    .version = "1",
    .n_kinds = 1,
    .kind_stride = sizeof(slu_kind),
    .kinds = kinds};

const slu_plugin *sluice_plugin_v1(uint32_t host_major, uint32_t host_minor, slu_err *err)
{
	(void)host_major;
	(void)host_minor;
	(void)err;
	snprintf(doc, sizeof(doc), "Of process %d", (int)getpid());
	return &plugin;
}
