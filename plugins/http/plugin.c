/* plugin.c: http: one request to a service, what must come back, and what of it goes on. */
#include "plugins/http/http.h"

static const slu_kind kinds[] = {{.type = "http",
    .doc = "A request to a service by HTTP.",
    .needs = SLU_N_NET | SLU_N_FILES, /* ca_file */
    .connection = &http_connection,
    .task = &http_task}};

static const slu_plugin plugin = {.magic = SLU_MAGIC,
    .size = sizeof(plugin),
    .abi_major = SLU_ABI_MAJOR,
    .abi_minor = SLU_ABI_MINOR,
    .name = "http",
    .version = "0.1.0",
    .license = "same as Sluice",
    .n_kinds = 1,
    .kind_stride = sizeof(slu_kind),
    .kinds = kinds};

const slu_plugin *sluice_plugin_v1(uint32_t host_major, uint32_t host_minor, slu_err *err)
{
	(void)host_minor;
	if (host_major == SLU_ABI_MAJOR)
		return &plugin;
	(void)slu_fail(
	    err, SLU_E_CONFIG, "HTTP.ABI", "http is built for plugin ABI %u", SLU_ABI_MAJOR);
	return NULL;
}
