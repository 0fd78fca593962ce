/* plugin.c: exec: a command as task, as extract (its output is rows) and as load (its input is
 * rows). */
#include "plugins/exec/exec.h"

#include "sluice/kit/plugin.h"

static const slu_kind kinds[] = {{.type = "exec",
    .doc = "Runs a command; its output or input may be rows.",
    .needs = SLU_N_EXEC | SLU_N_FILES | SLU_N_NET,
    .extract = &exec_extract,
    .load = &exec_load,
    .task = &exec_task}};

SLU_PLUGIN("exec", "0.1.0", "same as Sluice", kinds)
