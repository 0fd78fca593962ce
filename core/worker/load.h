/* load.h: the only place that opens shared objects. A plugin is an absolute path of a regular file
 * that, like every folder above it, belongs to root or to this user and can be written by nobody
 * else. It is never closed again. */
#ifndef CORE_WORKER_LOAD_H
#define CORE_WORKER_LOAD_H

#include "core/base/err.h"
#include "core/base/json.h"
#include "core/worker/table.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define LOAD_MAX_BYTES (1u << 30) /* of a plugin's file */

struct plugin {
	char *path; /* owned */
	const slu_plugin *table;
	char sha[65];		/* hex SHA-256 of the file as it was opened */
	slu_plugin_entry entry; /* NULL for a registered one */
	uint64_t dev, ino;
	int64_t mtime_ns;
	struct plugin *next;
};

/* Checks and opens a file; the same path gives the same plugin. ERR_REFUSED, ERR_NOT_FOUND,
 * ERR_UNSUPPORTED with the cause and the cure. */
int plugin_open(const char *path, const struct plugin **ret, struct err *err) CHECK_RESULT;
/* The first DIR/NAME.so of the folders (an array of strings), then of the compiled-in folder. */
int plugin_find(const struct json *dirs, const char *name, const struct plugin **ret,
    struct err *err) CHECK_RESULT;
/* The kind called type (NULL or "": the only one, or the one called like the plugin) that has the
 * role. */
int plugin_kind(const struct plugin *p, const char *type, const char *role, slu_kind *ret,
    struct err *err) CHECK_RESULT;
/* One of the opened files is not the one that stands there now: this process runs old code and
 * should not be kept. */
bool plugin_is_stale(void);
/* A plugin that is no file, before all others of its name: for the conformance kit. p and table are
 * borrowed for ever. */
void plugin_register(struct plugin *p, const slu_plugin *table);
/* Owner, mode, kind of the file and of every folder above it. */
int plugin_check_path(const char *path, struct err *err) CHECK_RESULT;
/* Hex SHA-256 of a file. */
int plugin_hash(const char *path, char sha[65], struct err *err) CHECK_RESULT;

#endif
