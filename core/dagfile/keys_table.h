/* keys_table.h: how the tables of keys are written, and the keys that stand in DAG files and in
 * sluice.yaml alike. Of keys_*.c only. */
#ifndef CORE_DAGFILE_KEYS_TABLE_H
#define CORE_DAGFILE_KEYS_TABLE_H

#include "core/dagfile/keys.h"

/* KEYS(NAME, "a step", role or NULL, {.name = …, .doc = …}, …): the table NAME. */
#define KEYS(name, what_text, role_text, ...)                                                      \
	static const struct key name##_v[] = {__VA_ARGS__};                                        \
	static const struct keys name = {                                                          \
	    what_text, name##_v, sizeof(name##_v) / sizeof(name##_v[0]), role_text}
#define RANGE(low, high) .has_range = true, .min = (low), .max = (high)

#define UNITS "hour|day|week|month"

#define KEY_PLUGIN                                                                                 \
	{                                                                                          \
		.name = "plugin", .shape = K_NAME, .required = true, .doc = "The plugin."          \
	}
#define KEY_TYPE                                                                                   \
	{                                                                                          \
		.name = "type", .shape = K_NAME,                                                   \
		.doc = "Which kind of the plugin, where it has several."                           \
	}

/* ---- keys_common.c ---- */
extern const struct key KEY_TEXT, KEY_NAME; /* elements of lists */
extern const struct keys KEYS_RETRY;

#endif
