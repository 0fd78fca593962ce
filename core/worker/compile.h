/* compile.h: the file-reading half of compiling: core/dagfile is a pure function over texts. */
#ifndef CORE_WORKER_COMPILE_H
#define CORE_WORKER_COMPILE_H

#include "core/base/err.h"
#include "core/base/json.h"
#include "core/base/str.h"

/* System jobs (core/README.md §6). */
int compile_job(const struct json *job, struct str *out, struct err *err) CHECK_RESULT;
int compile_config_job(const struct json *job, struct str *out, struct err *err) CHECK_RESULT;

#endif
