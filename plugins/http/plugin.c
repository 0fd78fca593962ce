/* plugin.c: http: one request to a service, what must come back, and what of it goes on. */
#include "plugins/http/http.h"

#include "sluice/kit/plugin.h"

static const slu_kind kinds[] = {{.type = "http",
    .doc = "A request to a service by HTTP.",
    .needs = SLU_N_NET | SLU_N_FILES, /* ca_file */
    .connection = &http_connection,
    .task = &http_task}};

SLU_PLUGIN("http", "0.1.0", "same as Sluice", kinds)
