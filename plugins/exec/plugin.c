/* plugin.c: exec: a command as task, as extract (its output is rows) and as load (its input is
 * rows). */
#include "plugins/exec/exec.h"

#include "sluice/kit/error.h"

static const slu_kind kinds[] = {{.type = "exec",
    .doc = "Runs a command; its output or input may be rows.",
    .needs = SLU_N_EXEC | SLU_N_FILES | SLU_N_NET,
    .extract = &exec_extract,
    .load = &exec_load,
    .task = &exec_task}};

static const slu_plugin plugin = {.magic = SLU_MAGIC,
    .size = sizeof(plugin),
    .abi_major = SLU_ABI_MAJOR,
    .abi_minor = SLU_ABI_MINOR,
    .name = "exec",
    .version = "0.1.0",
    .license = "same as Sluice",
    .n_kinds = 1,
    .kind_stride = sizeof(slu_kind),
    .kinds = kinds};

const slu_plugin *sluice_plugin_v1(uint32_t host_major, uint32_t host_minor, slu_err *err)
{
	(void)host_minor;
	if (host_major == SLU_ABI_MAJOR)
		return &plugin;
	(void)slu_fail(
	    err, SLU_E_CONFIG, "EXEC.ABI", "exec is built for plugin ABI %u", SLU_ABI_MAJOR);
	return NULL;
}
