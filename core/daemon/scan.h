/* scan.h: which files of the DAG folder there are, and what they were last compiled with. */
#ifndef CORE_DAEMON_SCAN_H
#define CORE_DAEMON_SCAN_H

#include "core/base/vec.h"
#include "core/dag/conf.h"

struct scan_file {
	char *path; /* owned; relative to the folder */
	uint64_t size, mtime_ns, inode;
};
struct scan {
	VEC(struct scan_file) files; /* sorted by path */
};

/* All *.yaml, *.yml, *.json below dir; names that begin with a dot are left out. */
int scan_folder(struct scan *s, const char *dir, struct err *err) CHECK_RESULT;
int scan_add(struct scan *s, const char *dir, const char *path, struct err *err) CHECK_RESULT;
void scan_done(struct scan *s);
const struct scan_file *scan_find(const struct scan *s, const char *path);
/* Over everything besides the file itself that a plan depends on: configuration, compiler, plugins.
 */
void scan_signature(const struct conf *conf, uint8_t out[HASH_SHA256_BYTES]);

/* Files that a plan was made from beside its own: the compiler names them (`"inputs": [path…]`),
 * the report keeps how they looked (`"inputs": {path: [size, inode, seconds, nanoseconds]}`). */
void scan_inputs_put(struct json *report, const struct json *paths);
/* Their paths. */
void scan_inputs_each(
    const char *report, size_t n, void (*each)(void *arg, const char *path), void *arg);
/* true where none of a stored report's inputs has changed. */
bool scan_inputs_same(const char *report, size_t n);

#endif
