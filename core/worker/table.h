/* table.h: reading a plugin's tables. A plugin may be older than the host: a slot that lies behind
 * the table's `size` is NULL or 0, an element shorter than ours is filled up with zeros. */
#ifndef CORE_WORKER_TABLE_H
#define CORE_WORKER_TABLE_H

#include <sluice/plugin.h>

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* t may be NULL */
#define TABLE_HAS(t, field)                                                                        \
	((t) != NULL && (t)->size >= offsetof(__typeof__(*(t)), field) + sizeof((t)->field))
#define TABLE_SLOT(t, field) (TABLE_HAS(t, field) ? (t)->field : 0)

/* The i-th kind or option, zero-filled behind the plugin's own stride. */
slu_kind table_kind(const slu_plugin *p, uint32_t i);
slu_opt table_opt(const slu_opts *o, uint32_t i);
/* Copies the option called name; false: there is none. */
bool table_opt_find(const slu_opts *o, const char *name, slu_opt *ret);
/* The option tables of a role; an empty one where the role is absent or too old. */
slu_opts table_options(const slu_kind *k, const char *role);

/* Names as they stand in the catalog and in messages. */
const char *table_type_name(uint16_t type);	 /* "string" … or NULL */
const char *table_mode_name(uint32_t mode);	 /* "append" … or NULL */
const char *table_promise_name(uint8_t promise); /* "none" "at_least_once" "replace" "once" */

#endif
