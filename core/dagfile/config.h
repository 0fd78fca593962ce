/* config.h: sluice.yaml -> the configuration's JSON (core/README.md §4), with errors as for DAG
 * files. A pure function over the text. */
#ifndef CORE_DAGFILE_CONFIG_H
#define CORE_DAGFILE_CONFIG_H

#include "core/base/json.h"
#include "core/dagfile/catalog.h"
#include "core/dagfile/diag.h"

#include <stdbool.h>
#include <stddef.h>

struct config_input {
	const char *path; /* absolute: relative paths in it are relative to its folder */
	const char *text;
	size_t n;
	/* NULL: the options of connections are taken as they stand. The plugins' folders stand in
	 * the file itself, so a caller compiles once without a catalog, describes the plugins of
	 * the result's "plugins", and compiles again with it. */
	const struct catalog *catalog;
	unsigned cpus; /* for the default of workers */
};
struct config_output {
	bool ok;
	char *json; /* owned; NULL where there are errors */
	size_t n;
	struct diags diags;
};

struct config_output *config_compile(const struct config_input *in);
void config_output_free(struct config_output *out); /* accepts NULL */
/* {"path","errors","warnings"} */
void config_write_report(
    const struct config_input *in, const struct config_output *out, struct jw *w);

#endif
