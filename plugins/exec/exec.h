/* exec.h: the roles of the exec plugin. */
#ifndef PLUGINS_EXEC_EXEC_H
#define PLUGINS_EXEC_EXEC_H

#include "sluice/plugin.h"

extern const slu_task exec_task;
extern const slu_extract exec_extract;
extern const slu_load exec_load;
void task_close(void *st);

#endif
