/* sandbox.h: what a worker may not do any more. The profile comes from what the step's plugins need
 * (SLU_N_*) and is entered once, before the first attempt and before any other thread exists; it is
 * part of the worker's key, so every later attempt of this worker has the same. Where the kernel
 * lacks a part a warning is logged and the rest holds. */
#ifndef CORE_WORKER_SANDBOX_H
#define CORE_WORKER_SANDBOX_H

#include "core/base/err.h"

#include <stdbool.h>
#include <stdint.h>

struct job;

/* no_new_privs, rlimits, Landlock (not with SLU_N_EXEC), seccomp; nothing at all with `privileges:
 * keep`. */
int sandbox_enter(const struct job *job, struct err *err) CHECK_RESULT;
/* For what runs no step: describing plugins, compiling files. */
int sandbox_enter_needs(uint32_t needs, struct err *err) CHECK_RESULT;
/* At the start of every worker: not dumpable, no core files, no foreign environment. */
void sandbox_start(void);
/* Landlock's ABI version, 0 where the kernel has none: for `sluice doctor`. */
int sandbox_landlock_abi(void);

#endif
