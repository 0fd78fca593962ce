/* mode.c: the mode that describes plugins. */
#include "core/worker/mode.h"

#include "core/base/io.h"
#include "core/worker/describe.h"
#include "core/worker/sandbox.h"

#include <sluice/plugin.h>

#include <stdio.h>
#include <unistd.h>

#define DESCRIBE_MAX_BYTES (16u << 20)

static int print(const struct str *out)
{
	return io_write_all(STDOUT_FILENO, str_peek(out), out->len, NULL) == 0 ? 0 : 70;
}

static void write_error(struct str *out, const char *text)
{
	struct jw w;

	str_reset(out);
	jw_init(&w, out);
	jw_object(&w);
	jw_kstr(&w, "error", text);
	jw_end_object(&w);
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
		write_error(&out, err.text);
	rc = print(&out);
	str_done(&out);
	return rc;
}

int mode_describe(const struct mode_options *o)
{
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
	rc = describe_all(o->plugin_dirs, NULL, &out, &changed, &err);
	if (rc != 0)
		write_error(&out, err.text);
	rc = print(&out);
	str_addc(&out, '\n');
	str_done(&out);
	return rc;
}
