/* plugin_new.c: `sluice plugin new`: writes a plugin that builds and works, to be edited from
 * there. */
#include "core/cli/plugin_new.h"

#include "core/base/io.h"
#include "core/base/mem.h"
#include "core/cli/cli.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* The template is plugins/example itself, installed as it is: its name is replaced everywhere. */
static void add_renamed(struct str *out, const char *text, const char *name)
{
	static const char from[] = "example";
	const char *hit;
	while ((hit = strstr(text, from))) {
		str_addn(out, text, (size_t)(hit - text));
		str_add(out, name);
		text = hit + sizeof(from) - 1;
	}
	str_add(out, text);
}

/* The folder of the template: the installed one, or the source tree's where the tests say so. */
static char *template_path(const char *file)
{
	const char *source = secure_getenv("SLUICE_SRC_DIR");
	char *dir = source ? io_path_join(source, "plugins/example") : mem_strdup(SL_TEMPLATEDIR);
	char *path = io_path_join(dir, file);
	mem_free(dir);
	return path;
}

static int copy_one(const char *dir, const char *file, const char *name, struct err *err)
{
	struct str text, out, called;
	str_init(&text, 1 << 20);
	str_init(&out, 2 << 20);
	str_init(&called, 4096);
	add_renamed(&called, file, name);
	char *from = template_path(file), *to = io_path_join(dir, str_peek(&called));
	int rc = io_read_file(from, 1 << 20, &text, err);
	if (rc == 0) {
		add_renamed(&out, str_peek(&text), name);
		rc = io_write_file(to, str_peek(&out), out.len, 0644, err);
	}
	if (rc == 0)
		printf("  %s\n", to);
	str_done(&text);
	str_done(&out);
	str_done(&called);
	mem_free(from);
	mem_free(to);
	return rc;
}

static int write_makefile(const char *dir, const char *name, struct err *err)
{
	struct str out;
	char *path = io_path_join(dir, "Makefile");
	str_init(&out, 1 << 16);
	str_addf(&out,
	    "# Builds %s.so against the installed Sluice headers and kit.\n"
	    "export PKG_CONFIG_PATH := $(PKG_CONFIG_PATH):" SL_PKGCONFIGDIR "\n"
	    "CFLAGS = -std=c11 -O2 -g -Wall -Wextra -fPIC -fvisibility=hidden\n"
	    "%s.so: plugin.c\n"
	    "\t$(CC) $(CFLAGS) `pkg-config --cflags sluice-plugin` -shared -Wl,-z,defs -o $@ "
	    "plugin.c \\\n"
	    "\t\t`pkg-config --libs sluice-plugin`\n"
	    "test: %s.so\n"
	    "\tsluice plugin test ./%s.so\n"
	    "clean:\n"
	    "\trm -f %s.so\n"
	    ".PHONY: test clean\n",
	    name, name, name, name, name);
	int rc = io_write_file(path, str_peek(&out), out.len, 0644, err);
	if (rc == 0)
		printf("  %s\n", path);
	str_done(&out);
	mem_free(path);
	return rc;
}

int plugin_new(const char *name)
{
	struct err err = {0};
	if (!str_is_ident(name))
		return cli_error(
		    EXIT_USAGE, "\"%s\" is no plugin name: lower-case letters, digits and _", name);
	if (access(name, F_OK) == 0)
		return cli_error(EXIT_REFUSED, "%s is there already; nothing was written", name);
	int rc = io_mkdirs(name, 0755, &err);
	if (rc == 0)
		rc = copy_one(name, "plugin.c", name, &err);
	if (rc == 0)
		rc = copy_one(name, "README.md", name, &err);
	if (rc == 0)
		rc = copy_one(name, "example.conform.json", name, &err);
	if (rc == 0)
		rc = write_makefile(name, name, &err);
	if (rc)
		return cli_error(EXIT_INTERNAL, "%s", err.text);
	printf("Next: make -C %s test\n", name);
	return EXIT_OK;
}
