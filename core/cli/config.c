/* config.c: where the configuration is, and what a worker makes of it. The CLI itself reads no
 * YAML. */
#include "core/base/io.h"
#include "core/base/mem.h"
#include "core/base/paths.h"
#include "core/cli/cli.h"

#include <unistd.h>

char *cli_config_path(const struct cli *cli)
{
	if (cli->config)
		return mem_strdup(cli->config);
	if (access("sluice.yaml", F_OK) == 0)
		return mem_strdup("sluice.yaml");
	char *path = io_path_join(path_of(PATH_SYSCONF), "sluice.yaml");
	if (access(path, F_OK) == 0)
		return path;
	mem_free(path);
	return NULL;
}

/* The first error of a check object: "sluice.yaml:3:5: key: message; hint". */
static int first_error(const struct json *report, const char *path, struct err *err)
{
	const struct json *e = json_at(json_get(report, "errors"), 0);
	if (!e)
		return err_set(err, ERR_CONFIG, "%s cannot be read; see: sluice check", path);
	const char *hint = json_get_str(e, "hint", "");
	return err_set(err, ERR_CONFIG, "%s:%lld:%lld: %s%s%s", path,
	    (long long)json_get_i64(e, "line", 1), (long long)json_get_i64(e, "column", 1),
	    json_get_str(e, "message", "does not compile"), hint[0] ? "; " : "", hint);
}

int cli_config_load(const struct cli *cli, struct json **ret, struct err *err)
{
	char *path = cli_config_path(cli);
	if (!path)
		return err_set(err, ERR_NOT_FOUND,
		    "no sluice.yaml here; go to the project's folder, name it with -c, or make "
		    "one: sluice init");
	struct str out;
	int status = 0;
	char worker[] = "sluice-worker", option[] = "--compile-config";
	char *argv[] = {worker, option, path, NULL};
	struct json *j = NULL;
	str_init(&out, 16u << 20);
	int rc = exec_collect(path_of(PATH_WORKER), argv, 16u << 20, &out, &status, err);
	if (rc == 0)
		rc = json_parse(str_peek(&out), out.len, 16u << 20, &j, err);
	if (rc == 0 && !json_get(j, "state"))
		rc = first_error(j, path, err);
	str_done(&out);
	mem_free(path);
	if (rc) {
		json_free(j);
		return rc;
	}
	*ret = j;
	return 0;
}
