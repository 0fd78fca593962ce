/* schema.h: the key tables and the plugins' options as a JSON Schema (draft 2020-12) for editors,
 * and as text for people. */
#ifndef CORE_DAGFILE_SCHEMA_H
#define CORE_DAGFILE_SCHEMA_H

#include "core/base/err.h"
#include "core/base/str.h"
#include "core/dagfile/catalog.h"

enum schema_of { SCHEMA_DAG, SCHEMA_CONFIG };

/* Schema of the file, or of the part that path names: steps.*.retry, steps.load.needs[]; names of
 * steps, triggers and so on may be * or any name. catalog may be NULL: plugins' options are left
 * open. ERR_NOT_FOUND with the nearest key. */
int schema_write_json(enum schema_of of, const char *path, const struct catalog *catalog,
    struct str *out, struct err *err) CHECK_RESULT;
/* The same for reading at 80 columns: each key with type, default and sentence. */
int schema_write_text(enum schema_of of, const char *path, const struct catalog *catalog,
    struct str *out, struct err *err) CHECK_RESULT;

#endif
