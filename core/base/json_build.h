/* json_build.h: trees of cJSON nodes, made of texts that json_scan has found good. Used by json.c
 * alone. */
#ifndef CORE_BASE_JSON_BUILD_H
#define CORE_BASE_JSON_BUILD_H

#include <cjson/cJSON.h>
#include <stdbool.h>
#include <stddef.h>

/* What a grammar cannot say. */
struct json_built {
	const char *twice; /* borrowed from the tree: a key that its object has twice, or NULL */
	bool too_large;	   /* a number that no double holds */
};

/* Owned by the caller: cJSON_Delete; NULL: no memory. */
cJSON *json_build(const char *text, size_t n, struct json_built *ret);
cJSON *json_build_copy(const cJSON *c);
/* The n members of an object in the order of their keys; caller frees. */
const cJSON **json_build_sorted(const cJSON *object, size_t n);

#endif
