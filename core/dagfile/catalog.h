/* catalog.h: what the installed plugins offer, so that a file is checked without running a line of
 * their code.
 *
 * Format (written by core/worker/describe from the tables of sluice/plugin.h, read here):
 *   {"v":1,"plugins":[{"name":"sqlite","version":"0.1.0","file":"/…/sqlite.so","sha256":"<hex>",
 *     "license":"…","home":"…",
 *     "kinds":[{"type":"sqlite","doc":"One sentence.","needs":2,
 *       "roles":{"connection":{"caps":0,"options":[OPT…],"warehouse":true,"dialect":"sqlite"},
 *                "extract":{"caps":3,"options":[OPT…]},
 *                "transform":{"caps":1,"options":[OPT…]},
 *                "load":{"caps":0,"options":[OPT…],"promise":{"append":"once","merge":"once"}},
 *                "model":{…},"task":{"caps":0,"options":[OPT…],"submit":true},"source":{…}}}]}],
 *    "problems":[{"file":"/…/bad.so","message":"…","late":true?}]}
 * `late`: what is wrong is the machine's state, not the plugin's: another look may find nothing.
 * A role that the kind lacks is absent. `needs` are the SLU_N_* bits, `caps` the role's own bits.
 * `promise` holds only the modes that the load can do: append replace merge replace_partition
 * delete_insert, each none at_least_once replace once.
 *   OPT = {"name","type","doc","default","choices":["a","b"],"min","max","required":true,
 *          "templated":true,"deprecated":true,"identity":true,"needs":["other"],
 *          "excludes":["other"],"sub":[OPT…]}
 * `type` is SLU_T_* in lower case: string bool int float bytes duration enum list map object secret
 * uri sql columns dataset instant. Everything but name and type may be absent: an empty text,
 * false, an empty list. default, min and max are texts as in the plugin's table; `choices`, `needs`
 * and `excludes` are its texts "a|b|c" split at `|` (blanks and commas split too). `sub`: the
 * members of an object; for list and map the first one is the element (its name is the word for it
 * in messages). A `uri` without a scheme is a path: relative to sluice.yaml in a connection, to the
 * DAG file in a step; the compiler makes it absolute. */
#ifndef CORE_DAGFILE_CATALOG_H
#define CORE_DAGFILE_CATALOG_H

#include "core/base/err.h"
#include "core/base/json.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define CATALOG_MAX_BYTES (8u << 20)

struct catalog;

/* Reads the text (ERR_PARSE with the cause otherwise). A NULL or empty text gives a catalog without
 * plugins. */
int catalog_parse(const char *text, size_t n, struct catalog **ret, struct err *err) CHECK_RESULT;
void catalog_free(struct catalog *c); /* accepts NULL */

/* All pointers below are borrowed from the catalog. NULL where there is no such thing. */
const struct json *catalog_plugin(const struct catalog *c, const char *plugin);
const char *catalog_plugin_at(
    const struct catalog *c, size_t i); /* name of the i-th, NULL behind the last */
const struct json *catalog_plugin_kinds(const struct json *plugin);

/* Why a plugin's file could not be described, NULL where there is no such file. */
const char *catalog_problem(const struct catalog *c, const char *plugin);
bool catalog_is_late(const struct catalog *c); /* of some plugin */

/* How a role is looked up: by the plugin's name and, where it has several kinds, the kind's type.
 */
enum catalog_found {
	CATALOG_OK,
	CATALOG_NO_PLUGIN,
	CATALOG_NO_TYPE,
	CATALOG_NO_ROLE,
	CATALOG_AMBIGUOUS
};
/* type may be NULL: the only kind that has the role, else the one that is called like the plugin.
 * role: "extract" … */
enum catalog_found catalog_find(const struct catalog *c, const char *plugin, const char *type,
    const char *role, const struct json **ret_kind, const struct json **ret_role);

const char *catalog_kind_type(const struct json *kind);
unsigned catalog_kind_needs(const struct json *kind);
const struct json *catalog_kind_role(const struct json *kind, const char *role);
uint32_t catalog_role_caps(const struct json *role);
const struct json *catalog_role_options(const struct json *role); /* array or NULL */
/* "once" …, or NULL where the load cannot do the mode. */
const char *catalog_role_promise(const struct json *role, const char *mode);

#endif
