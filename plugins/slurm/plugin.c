/* slurm: batch jobs on a Slurm cluster, through slurmrestd: submitted, polled, cancelled there. */
#include "plugins/slurm/slurm.h"

static const slu_kind kinds[] = {{.type = "slurm",
    .doc = "Batch jobs on a Slurm cluster.",
    .needs = SLU_N_NET | SLU_N_FILES,
    .connection = &slurm_connection,
    .task = &slurm_task}};

static const slu_plugin plugin = {.magic = SLU_MAGIC,
    .size = sizeof(plugin),
    .abi_major = SLU_ABI_MAJOR,
    .abi_minor = SLU_ABI_MINOR,
    .name = "slurm",
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
	    err, SLU_E_CONFIG, "SLURM.ABI", "slurm is built for plugin ABI %u", SLU_ABI_MAJOR);
	return NULL;
}
