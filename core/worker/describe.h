/* describe.h: a plugin's tables as JSON (format: core/dagfile/catalog.h). Each file is opened in a
 * process of its own that is thrown away, so that a bad plugin spoils nothing but its own
 * description. */
#ifndef CORE_WORKER_DESCRIBE_H
#define CORE_WORKER_DESCRIBE_H

#include "core/base/err.h"
#include "core/base/json.h"
#include "core/base/str.h"

/* In this process: opens the file and writes its object {"name",…,"kinds":[…]}. */
int describe_file(const char *path, struct str *out, struct err *err) CHECK_RESULT;
/* The catalog of all NAME.so in the folders (array of strings) and the compiled-in one; a name
 * found first wins. cached: an older catalog whose entries are taken over where path and hash are
 * the same; may be NULL. *ret_changed: it differs from cached. */
int describe_all(const struct json *dirs, const struct json *cached, struct str *out,
    bool *ret_changed, struct err *err) CHECK_RESULT;

#endif
