/* compile.h: the DAG folder -> plans in the store. Files that did not change since they were last
 * compiled (size, time, inode, and what they were compiled with) are not read; the others are
 * compiled by a worker in the pool's system lane. */
#ifndef CORE_DAEMON_COMPILE_H
#define CORE_DAEMON_COMPILE_H

#include "core/base/err.h"
#include "core/base/json.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct conf;
struct daemon;
struct compile;

/* rc and {"add":[],"change":[],"remove":[],"same":n,"errors":[],"details":{}} (planview.h). */
typedef void (*compile_done)(void *arg, int rc, const struct err *err, const char *json);

struct compile *compile_new(struct daemon *d); /* borrowed */
void compile_free(struct compile *c);
/* Compiles the folder; apply: and stores the plans. Requests queue up. done may be NULL. */
void compile_folder(struct compile *c, bool apply, compile_done done, void *arg);
/* The same for a person: actor is copied. */
void compile_apply(struct compile *c, const char *actor, compile_done done, void *arg);
/* Compiles the folder with a configuration that is not in force (taken; NULL: with the one that is)
 * and stores nothing. */
void compile_plan(struct compile *c, struct conf *conf, compile_done done, void *arg);
/* Compiles one file, wherever it is (`--once`): its DAG is the only one afterwards. */
void compile_file(struct compile *c, const char *path, compile_done done, void *arg);
/* The pool can be asked (again). */
void compile_pool_changed(struct compile *c);
/* The folder was compiled and stored at least once since the start. */
bool compile_is_done(const struct compile *c);

/* Files that a compiler has answered about since the start. */
uint64_t compile_count(const struct compile *c);

#endif
