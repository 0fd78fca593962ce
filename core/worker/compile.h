/* compile.h: the file-reading half of compiling: core/dagfile is a pure function over texts. */
#ifndef CORE_WORKER_COMPILE_H
#define CORE_WORKER_COMPILE_H

#include "core/base/err.h"
#include "core/base/json.h"
#include "core/base/str.h"
#include "core/base/vec.h"
#include "core/dagfile/catalog.h"
#include "core/dagfile/compile.h"

#include <stdbool.h>

#define COMPILE_FILE_MAX (2u << 20)  /* bytes of one file; dagfile has its own, smaller limit */
#define COMPILE_OUT_MAX (256u << 20) /* bytes of what --compile prints */

/* System jobs (core/README.md §6). */
int compile_job(const struct json *job, struct str *out, struct err *err) CHECK_RESULT;
int compile_config_job(const struct json *job, struct str *out, struct err *err) CHECK_RESULT;

/* ---- for the modes ---- */

struct sources {		       /* texts of DAG files */
	VEC(struct compile_file) list; /* path, text and unreadable are owned */
};
void sources_add(struct sources *s, const char *path);
/* Every .yaml, .yml and .json below a folder, by name; hidden ones are left out. ERR_NOT_FOUND. */
int sources_add_path(struct sources *s, const char *path, struct err *err) CHECK_RESULT;
/* Text of a file that a DAG file names, for struct compile_input. */
int sources_read(void *arg, const char *path, struct str *out, struct err *err) CHECK_RESULT;
void sources_done(struct sources *s);

/* The catalog of the installed plugins. cache: a file that is read and kept up to date where that
 * can be done; or NULL. *ret_text (may be NULL) is the catalog as JSON where the cache could not be
 * written, else NULL; the caller frees. */
int catalog_load(const struct json *plugin_dirs, const char *cache, struct catalog **ret,
    char **ret_text, struct err *err) CHECK_RESULT;
/* sluice.yaml -> its JSON in out, or its report there and ERR_CONFIG. */
int config_load(const char *path, struct str *out, struct err *err) CHECK_RESULT;

#endif
