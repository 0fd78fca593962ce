/* cmd_plugin.c: `sluice plugin`: what is installed, what one offers, a new one from the template,
 * the conformance kit. */
#include "core/base/mem.h"
#include "core/base/paths.h"
#include "core/cli/cli.h"
#include "core/cli/plugin_new.h"

#include <string.h>

static const struct cli_opt opts[] = {
    {NULL, NULL, NULL, 0},
};

/* The catalog of the worker: {"plugins":[…]}; files that do not load stand in "problems". */
static int describe(const struct cli *cli, struct json **ret)
{
	char worker[] = "sluice-worker", option[] = "--describe", c[] = "--config";
	char *config = cli_config_path(cli);
	char *argv[] = {
	    worker, config ? c : option, config ? config : NULL, config ? option : NULL, NULL};
	struct err err = {0};
	struct str out;
	int status = 0;
	str_init(&out, 64u << 20);
	int rc = exec_collect(path_of(PATH_WORKER), argv, 64u << 20, &out, &status, &err);
	if (rc == 0)
		rc = cli_parse(cli, str_peek(&out), out.len, 64u << 20, ret, &err);
	str_done(&out);
	mem_free(config);
	return rc ? cli_error(EXIT_INTERNAL, "%s", err.text) : EXIT_OK;
}

static void add_roles(struct str *b, const struct json *plugin)
{
	for (const struct json *k = json_first(json_get(plugin, "kinds")); k; k = json_next(k))
		for (const struct json *r = json_first(json_get(k, "roles")); r; r = json_next(r))
			if (!strstr(str_peek(b), json_key(r)))
				str_addf(b, "%s%s", b->len ? " " : "", json_key(r));
}

static int list(struct cli *cli)
{
	static const struct table_column columns[] = {
	    {"PLUGIN", false, false, false},
	    {"VERSION", false, false, false},
	    {"ROLES", false, true, false},
	    {"FILE", false, true, false},
	};
	struct json *catalog = NULL;
	int rc = describe(cli, &catalog);
	if (rc != EXIT_OK)
		return rc;
	if (cli->output != OUTPUT_TEXT) {
		json_put(catalog, "next", json_new_null());
		cli_print_json(cli, catalog, "plugins");
		json_free(catalog);
		return rc;
	}
	struct text_table *t = table_new(columns, 4);
	for (const struct json *p = json_first(json_get(catalog, "plugins")); p; p = json_next(p)) {
		struct str roles;
		str_init(&roles, 4096);
		add_roles(&roles, p);
		table_cell(t, json_get_str(p, "name", ""));
		table_cell(t, json_get_str(p, "version", ""));
		table_cell(t, str_peek(&roles));
		table_cell(t, json_get_str(p, "file", ""));
		str_done(&roles);
	}
	table_print(t, cli, "no plugins found");
	for (const struct json *e = json_first(json_get(catalog, "problems")); e; e = json_next(e))
		cli_error(0, "%s: %s", json_get_str(e, "file", ""), json_get_str(e, "message", ""));
	json_free(catalog);
	return rc;
}

static void print_indented(const struct cli *cli, const char *text, size_t indent)
{
	struct str b;
	str_init(&b, 1 << 16);
	str_addf(&b, "%*s", (int)indent, "");
	text_wrap(&b, text, indent, indent, (size_t)cli->width);
	puts(str_peek(&b));
	str_done(&b);
}

static void print_options(const struct cli *cli, const struct json *options, size_t indent)
{
	for (const struct json *o = json_first(options); o; o = json_next(o)) {
		const char *fallback = json_get_str(o, "default", NULL);
		struct str b;
		str_init(&b, 1 << 16);
		const struct json *choices = json_get(o, "choices");
		str_addf(&b, "%s  %s", json_get_str(o, "name", ""),
		    json_len(choices) > 0 ? "one of" : json_get_str(o, "type", ""));
		for (const struct json *c = json_first(choices); c; c = json_next(c))
			str_addf(&b, " %s%s", json_str(c, ""), json_next(c) ? "," : "");
		if (json_get_bool(o, "required", false))
			str_add(&b, "; required");
		if (fallback)
			str_addf(&b, "; default %s", fallback);
		print_indented(cli, str_peek(&b), indent);
		str_done(&b);
		print_indented(cli, json_get_str(o, "doc", ""), indent + 4);
		print_options(cli, json_get(o, "sub"), indent + 4);
	}
}

static int show(struct cli *cli, const char *name)
{
	struct json *catalog = NULL;
	int rc = describe(cli, &catalog);
	const struct json *p = NULL;
	if (rc != EXIT_OK)
		return rc;
	for (p = json_first(json_get(catalog, "plugins"));
	     p && !str_eq(json_get_str(p, "name", ""), name);)
		p = json_next(p);
	if (!p) {
		rc = cli_error(
		    EXIT_NOT_FOUND, "no plugin is called \"%s\"; see: sluice plugin list", name);
	} else if (cli->output != OUTPUT_TEXT) {
		cli_print_json(cli, p, NULL);
	} else {
		printf("%s %s  %s  %s\n", name, json_get_str(p, "version", ""),
		    json_get_str(p, "license", ""), json_get_str(p, "file", ""));
		for (const struct json *k = json_first(json_get(p, "kinds")); k; k = json_next(k)) {
			printf(
			    "\n%s: %s\n", json_get_str(k, "type", ""), json_get_str(k, "doc", ""));
			for (const struct json *r = json_first(json_get(k, "roles")); r;
			     r = json_next(r)) {
				printf("  %s\n", json_key(r));
				print_options(cli, json_get(r, "options"), 4);
			}
		}
	}
	json_free(catalog);
	return rc;
}

static int test(const char *file)
{
	char worker[] = "sluice-worker", option[] = "--conform";
	char *argv[] = {worker, option, mem_strdup(file), NULL};
	return exec_replace(path_of(PATH_WORKER), argv);
}

static int run(struct cli *cli, const struct args *a)
{
	if (!args_expect(a, 1, 2))
		return EXIT_USAGE;
	const char *verb = a->pos[0], *name = a->n_pos == 2 ? a->pos[1] : NULL;
	if (str_eq(verb, "list") && !name)
		return list(cli);
	if (!name)
		return cli_error(
		    EXIT_USAGE, "`plugin %s` needs a name; see: sluice plugin --help", verb);
	if (str_eq(verb, "show"))
		return show(cli, name);
	if (str_eq(verb, "test"))
		return test(name);
	if (str_eq(verb, "new"))
		return plugin_new(name);
	return cli_error(EXIT_USAGE, "plugin knows list, show, new and test, not \"%s\"", verb);
}

const struct command cmd_plugin = {
    .name = "plugin",
    .synopsis = "list | show NAME | new NAME | test FILE.so",
    .summary = "List plugins, show their options, make a new one, test one",
    .help = "`new` makes a folder with a plugin that builds and works; edit it from there.\n"
	    "`test` runs the conformance kit against a built plugin.\n"
	    "\nExamples:\n"
	    "  sluice plugin show csv\n"
	    "  sluice plugin new crm && make -C crm && sluice plugin test crm/crm.so",
    .opts = opts,
    .run = run,
};
