/* plugin.c: lake: a folder of data sets. */
#include "plugins/lake/lake.h"

#include "sluice/kit/plugin.h"

#include <stdlib.h>
#include <string.h>

static void conn_close(void *st)
{
	struct lake *l = st;

	slu_free(l->root);
	free(l->prefix);
	free(l);
}

static slu_rc conn_open(const slu_host *host, slu_run *run, void **out, slu_err *err)
{
	const char *root = host->get_str(run, "root"), *prefix = host->get_str(run, "prefix");
	struct lake *l;

	if (!root)
		return slu_fail_field(err, SLU_E_CONFIG, "LAKE.ROOT", "root",
		    "the connection needs `root`, a folder");
	if (prefix && strchr(prefix, '/'))
		return slu_fail_field(err, SLU_E_CONFIG, "LAKE.PREFIX", "prefix",
		    "prefix is put before the names of data sets and cannot hold a slash");
	l = calloc(1, sizeof(*l));
	if (!l)
		return slu_fail(err, SLU_E_TRANSIENT, "LAKE.MEMORY", "out of memory");
	l->host = host;
	l->run = run;
	l->root = slu_path(host, run, root);
	l->prefix = strdup(prefix ? prefix : "");
	*out = l;
	return SLU_OK;
}

static slu_rc conn_check(void *st, slu_err *err)
{
	struct lake *l = st;

	return slu_mkdirs(l->root, err);
}

static slu_rc conn_reset(void *st, slu_err *err)
{
	(void)st;
	(void)err;
	return SLU_OK;
}

static const slu_opt options[] = {{.name = "root",
				      .type = SLU_T_URI,
				      .flags = SLU_F_REQUIRED | SLU_F_IDENTITY,
				      .doc = "The folder of the lake."},
    {.name = "prefix",
	.type = SLU_T_STRING,
	.def = "",
	.flags = SLU_F_IDENTITY,
	.doc = "Put before the folder name of each data set, for example dev_."}};

static const slu_connection connection = {.size = sizeof(connection),
    .options = {sizeof(options) / sizeof(options[0]), sizeof(slu_opt), options},
    .open = conn_open,
    .check = conn_check,
    .reset = conn_reset,
    .close = conn_close};

static const slu_kind kinds[] = {{.type = "lake",
    .doc = "A folder of data sets in dated partitions.",
    .needs = SLU_N_FILES,
    .connection = &connection,
    .extract = &lake_extract,
    .load = &lake_load}};

SLU_PLUGIN("lake", "0.1.0", "same as Sluice", kinds)
