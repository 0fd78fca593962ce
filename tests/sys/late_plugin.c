/* late_plugin.c: a plugin of the tests whose start waits as long as a file of its own name with
 * .late behind it is there: what a plugin looks like on a machine that has no time for it. */
#include <sluice/plugin.h>

#include <dlfcn.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

static slu_rc run(void *st, slu_err *err)
{
	(void)st, (void)err;
	return SLU_OK;
}

static slu_rc open_task(const slu_host *host, slu_run *r, void *conn, void **st, slu_err *err)
{
	static int nothing;

	(void)host, (void)r, (void)conn, (void)err;
	*st = &nothing;
	return SLU_OK;
}

static void close_task(void *st)
{
	(void)st;
}

static const slu_task task = {
    .size = sizeof(slu_task), .open = open_task, .run = run, .close = close_task};
static const slu_kind kinds[] = {{.type = "late", .doc = "Does nothing.", .task = &task}};
static const slu_plugin plugin = {.magic = SLU_MAGIC,
    .size = sizeof(slu_plugin),
    .abi_major = SLU_ABI_MAJOR,
    .abi_minor = SLU_ABI_MINOR,
    .name = "late",
    .version = "1",
    .license = "same as Sluice",
    .home = "",
    .n_kinds = 1,
    .kind_stride = sizeof(slu_kind),
    .kinds = kinds};

const slu_plugin *sluice_plugin_v1(uint32_t host_major, uint32_t host_minor, slu_err *err)
{
	(void)host_minor, (void)err;
	return host_major == SLU_ABI_MAJOR ? &plugin : NULL;
}

__attribute__((constructor)) static void begin(void)
{
	struct timespec wait = {.tv_nsec = 20000000};
	char path[4096];
	Dl_info me;

	if (dladdr(&plugin, &me) == 0)
		return;
	snprintf(path, sizeof(path), "%s.late", me.dli_fname);
	while (access(path, F_OK) == 0)
		nanosleep(&wait, NULL);
}
