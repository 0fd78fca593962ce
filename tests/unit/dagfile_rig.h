/* dagfile_rig.h: the catalog and configuration that the tests of core/dagfile compile with. */
#ifndef TESTS_UNIT_DAGFILE_RIG_H
#define TESTS_UNIT_DAGFILE_RIG_H

#include "core/base/json.h"
#include "core/base/str.h"
#include "core/dagfile/catalog.h"
#include "core/dagfile/compile.h"

#define RIG_NOW INT64_C(1790000000000000) /* 2026-09-21T14:13:20Z */

/* Text of tests/data/dagfile/NAME; fails the test where it cannot be read. */
void rig_read(const char *name, struct str *out);
struct catalog *rig_catalog(void);
struct json *rig_config(void);
/* Compiles texts named a.yaml, b.yaml, … with catalog and configuration; config false: without
 * sluice.yaml. */
struct compile_output *rig_compile(const char *const *texts, size_t n, bool config);
struct compile_output *rig_compile_one(const char *text);
/* The first error or warning with the code, or NULL. */
const struct diag *rig_find(const struct compile_result *r, const char *code);
/* The plan as JSON, owned by the caller; fails the test with the errors where there is none. */
struct json *rig_plan(const struct compile_result *r);

#endif
