/* mode.c: the mode that describes plugins. */
#include "core/worker/mode.h"

#include "core/base/io.h"
#include "core/worker/compile.h"
#include "core/worker/describe.h"
#include "core/worker/sandbox.h"
#include "core/worker/system.h"

#include <sluice/plugin.h>

#include <stdio.h>
#include <unistd.h>

#define DESCRIBE_MAX_BYTES (16u << 20)

static int print(const struct str *out)
{
	return io_write_all(STDOUT_FILENO, str_peek(out), out->len, NULL) == 0 ? 0 : 70;
}

/* The throw-away child: whatever the plugin's constructors do, they do it in the tightest profile.
 * Exit 0 also for a bad plugin: the answer says what is wrong. */
static int describe_one(const char *path)
{
	struct str out;
	struct err err;
	int rc;

	str_init(&out, DESCRIBE_MAX_BYTES);
	rc = sandbox_enter_needs(SLU_N_FILES, &err);
	if (rc == 0)
		rc = describe_file(path, &out, &err);
	if (rc != 0)
		system_error(&out, err.text);
	rc = print(&out);
	str_done(&out);
	return rc;
}

/* Those of --plugins, then those that --config names; a configuration with errors names none. */
static struct json *plugin_dirs(const struct mode_options *o)
{
	struct json *dirs = json_dup(o->plugin_dirs), *config = NULL;
	const struct json *d;
	struct str text;

	str_init(&text, DESCRIBE_MAX_BYTES);
	if (o->config != NULL && config_load(o->config, &text, NULL) == 0)
		(void)!json_parse(str_peek(&text), text.len, DESCRIBE_MAX_BYTES, &config, NULL);
	for (d = json_first(json_get(config, "plugins")); d != NULL; d = json_next(d))
		json_push(dirs, json_dup(d));
	json_free(config);
	str_done(&text);
	return dirs;
}

int mode_describe(const struct mode_options *o)
{
	struct json *dirs;
	struct str out;
	struct err err;
	bool changed;
	int rc;

	if (o->n_args > 1) {
		fputs("sluice-worker: --describe takes one file, or none for all\n", stderr);
		return 2;
	}
	if (o->n_args == 1)
		return describe_one(o->args[0]);
	str_init(&out, DESCRIBE_MAX_BYTES);
	dirs = plugin_dirs(o);
	rc = describe_all(dirs, NULL, &out, &changed, &err);
	json_free(dirs);
	if (rc != 0)
		system_error(&out, err.text);
	str_addc(&out, '\n');
	rc = print(&out);
	str_done(&out);
	return rc;
}
