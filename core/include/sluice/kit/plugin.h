/* plugin.h: the last lines of a plugin: its table of kinds becomes the one function that a plugin
 * exports. A host of another major version is refused by name. */
#ifndef SLUICE_KIT_PLUGIN_H
#define SLUICE_KIT_PLUGIN_H

#include "sluice/kit/error.h"
#include "sluice/plugin.h"

/* Once in a plugin, at file scope, without a semicolon behind it: name, version, license, and the
 * array of slu_kind. */
#define SLU_PLUGIN(plugin_name, plugin_version, plugin_license, table)                             \
	const slu_plugin *sluice_plugin_v1(uint32_t host_major, uint32_t host_minor, slu_err *err) \
	{                                                                                          \
		static const slu_plugin it = {.magic = SLU_MAGIC,                                  \
		    .size = sizeof(it),                                                            \
		    .abi_major = SLU_ABI_MAJOR,                                                    \
		    .abi_minor = SLU_ABI_MINOR,                                                    \
		    .name = plugin_name,                                                           \
		    .version = plugin_version,                                                     \
		    .license = plugin_license,                                                     \
		    .n_kinds = sizeof(table) / sizeof((table)[0]),                                 \
		    .kind_stride = sizeof(slu_kind),                                               \
		    .kinds = table};                                                               \
                                                                                                   \
		(void)host_minor;                                                                  \
		if (host_major == SLU_ABI_MAJOR)                                                   \
			return &it;                                                                \
		(void)slu_fail(err, SLU_E_CONFIG, "PLUGIN.ABI",                                    \
		    plugin_name " is built for plugin ABI %u", SLU_ABI_MAJOR);                     \
		return NULL;                                                                       \
	}

#endif
