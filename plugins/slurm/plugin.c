/* slurm: batch jobs on a Slurm cluster, through slurmrestd: submitted, polled, cancelled there. */
#include "plugins/slurm/slurm.h"

#include "sluice/kit/plugin.h"

static const slu_kind kinds[] = {{.type = "slurm",
    .doc = "Batch jobs on a Slurm cluster.",
    .needs = SLU_N_NET | SLU_N_FILES,
    .connection = &slurm_connection,
    .task = &slurm_task}};

SLU_PLUGIN("slurm", "0.1.0", "same as Sluice", kinds)
