/* table.c: size-checked reads of a plugin's tables. */
#include "core/worker/table.h"

#include "core/base/str.h"

#include <string.h>

static void copy_element(void *to, size_t to_size, const void *base, uint32_t stride, uint32_t i)
{
	size_t n = stride < to_size ? stride : to_size;

	memset(to, 0, to_size);
	memcpy(to, (const char *)base + (size_t)stride * i, n);
}

slu_kind table_kind(const slu_plugin *p, uint32_t i)
{
	slu_kind k;

	copy_element(&k, sizeof(k), p->kinds, p->kind_stride, i);
	return k;
}

slu_opt table_opt(const slu_opts *o, uint32_t i)
{
	slu_opt opt;

	copy_element(&opt, sizeof(opt), o->v, o->stride, i);
	return opt;
}

bool table_opt_find(const slu_opts *o, const char *name, slu_opt *ret)
{
	uint32_t i;

	for (i = 0; i < o->n; i++) {
		slu_opt opt = table_opt(o, i);

		if (opt.name != NULL && strcmp(opt.name, name) == 0) {
			*ret = opt;
			return true;
		}
	}
	return false;
}

#define OPTIONS_OF(role)                                                                           \
	if (strcmp(name, #role) == 0 && TABLE_HAS(k->role, options))                               \
	return k->role->options

slu_opts table_options(const slu_kind *k, const char *name)
{
	static const slu_opts none = {0, sizeof(slu_opt), NULL};

	OPTIONS_OF(connection);
	OPTIONS_OF(extract);
	OPTIONS_OF(transform);
	OPTIONS_OF(load);
	OPTIONS_OF(model);
	OPTIONS_OF(task);
	OPTIONS_OF(source);
	return none;
}

const char *table_type_name(uint16_t type)
{
	static const char *const names[] = {[SLU_T_STRING] = "string",
	    [SLU_T_BOOL] = "bool",
	    [SLU_T_INT] = "int",
	    [SLU_T_FLOAT] = "float",
	    [SLU_T_BYTES] = "bytes",
	    [SLU_T_DURATION] = "duration",
	    [SLU_T_ENUM] = "enum",
	    [SLU_T_LIST] = "list",
	    [SLU_T_MAP] = "map",
	    [SLU_T_OBJECT] = "object",
	    [SLU_T_SECRET] = "secret",
	    [SLU_T_URI] = "uri",
	    [SLU_T_SQL] = "sql",
	    [SLU_T_COLUMNS] = "columns",
	    [SLU_T_DATASET] = "dataset",
	    [SLU_T_INSTANT] = "instant"};

	return type < sizeof(names) / sizeof(names[0]) ? names[type] : NULL;
}

const char *table_mode_name(uint32_t mode)
{
	static const char *const names[] = {[SLU_M_APPEND] = "append",
	    [SLU_M_REPLACE] = "replace",
	    [SLU_M_MERGE] = "merge",
	    [SLU_M_REPLACE_PARTITION] = "replace_partition",
	    [SLU_M_DELETE_INSERT] = "delete_insert"};

	return mode < sizeof(names) / sizeof(names[0]) ? names[mode] : NULL;
}

const char *table_promise_name(uint8_t promise)
{
	static const char *const names[] = {[SLU_P_NONE] = "none",
	    [SLU_P_AT_LEAST_ONCE] = "at_least_once",
	    [SLU_P_REPLACE] = "replace",
	    [SLU_P_ONCE] = "once"};

	return promise < sizeof(names) / sizeof(names[0]) ? names[promise] : "none";
}
