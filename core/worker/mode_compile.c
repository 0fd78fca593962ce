/* mode_compile.c: `sluice check` and `sluice schema`, and sluice.yaml for the daemon's start. */
#include "core/worker/mode.h"

#include "core/base/io.h"
#include "core/base/mem.h"
#include "core/dagfile/schema.h"
#include "core/worker/compile.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { EXIT_OK = 0, EXIT_USAGE_OR_FILE = 2, EXIT_NOT_FOUND = 5, EXIT_INTERNAL = 70 };

struct check {
	struct json *config;	    /* owned: compiled, or NULL */
	struct json *config_report; /* owned: of sluice.yaml, where it has errors or is asked for */
	struct catalog *catalog;    /* owned */
	struct sources sources;
	bool whole;
};

static int complain(int code, const char *text)
{
	fprintf(stderr, "sluice: %s\n", text);
	return code;
}

static int print(struct str *out)
{
	str_addc(out, '\n');
	if (out->failed)
		return complain(EXIT_INTERNAL, "the answer is too large");
	return io_write_all(STDOUT_FILENO, str_peek(out), out->len, NULL) == 0 ? EXIT_OK
									       : EXIT_INTERNAL;
}

static int exit_code(int rc)
{
	switch (rc) {
	case 0:
		return EXIT_OK;
	case ERR_NOT_FOUND:
		return EXIT_NOT_FOUND;
	case ERR_CONFIG:
	case ERR_USAGE:
	case ERR_PARSE:
	case ERR_LIMIT:
		return EXIT_USAGE_OR_FILE;
	default:
		return EXIT_INTERNAL;
	}
}

int mode_compile_config(const struct mode_options *o)
{
	struct str out;
	struct err err;
	int rc;

	if (o->n_args != 1)
		return complain(EXIT_USAGE_OR_FILE, "--compile-config takes one file");
	str_init(&out, COMPILE_OUT_MAX);
	rc = config_load(o->args[0], &out, &err);
	if (out.len > 0)
		(void)print(&out);
	else if (rc != 0)
		(void)complain(0, err.text);
	str_done(&out);
	return exit_code(rc);
}

/* ---- check ---- */

static int read_config(struct check *c, const char *path, struct err *err)
{
	struct json *j = NULL;
	struct str out;
	int rc;

	str_init(&out, COMPILE_OUT_MAX);
	rc = config_load(path, &out, err);
	if (out.len > 0 && json_parse(str_peek(&out), out.len, COMPILE_OUT_MAX, &j, NULL) == 0) {
		if (rc == 0)
			c->config = j;
		else
			c->config_report = j;
		rc = 0;
	}
	str_done(&out);
	return rc;
}

/* The configuration names its folders whole; what a person reads starts where they stand. */
static const char *below_cwd(const char *path)
{
	char cwd[PATH_MAX];
	size_t n;

	if (getcwd(cwd, sizeof(cwd)) == NULL)
		return path;
	n = strlen(cwd);
	return str_starts(path, cwd) && path[n] == '/' && path[n + 1] != '\0' ? path + n + 1 : path;
}

static int add_sources(struct check *c, const struct mode_options *o, struct err *err)
{
	const char *folder =
	    c->config != NULL ? below_cwd(json_get_str(c->config, "dags", "dags")) : "dags";
	int i, rc = 0;

	for (i = 0; rc == 0 && i < o->n_args; i++)
		rc = sources_add_path(&c->sources, o->args[i], err);
	if (o->n_args > 0)
		return rc;
	c->whole = true;
	/* sluice.yaml may stand in the folder before its dags do. */
	if (access(folder, F_OK) == 0 || c->config == NULL)
		rc = sources_add_path(&c->sources, folder, err);
	return rc == ERR_NOT_FOUND && o->config != NULL ? 0 : rc;
}

static int load_catalog(struct check *c, const struct mode_options *o, struct err *err)
{
	const struct json *d;
	struct json *dirs = json_dup(o->plugin_dirs);
	int rc;

	for (d = json_first(json_get(c->config, "plugins")); d != NULL; d = json_next(d))
		json_push(dirs, json_dup(d));
	rc = catalog_load(dirs, o->catalog, &c->catalog, NULL, err);
	json_free(dirs);
	return rc;
}

/* sluice.yaml after the DAG files, where it is wrong. */
static void write_config_file(const struct check *c, const struct mode_options *o, struct jw *w)
{
	const struct json *report = c->config_report;

	if (o->config == NULL || report == NULL)
		return;
	jw_object(w);
	jw_kstr(w, "path", o->config);
	jw_kstr(w, "dag", NULL);
	jw_kstr(w, "promise", NULL);
	jw_key(w, "errors");
	jw_json(w, json_get(report, "errors"));
	jw_key(w, "warnings");
	jw_json(w, json_get(report, "warnings"));
	jw_key(w, "next");
	jw_raw(w, "[]");
	jw_end_object(w);
}

static void write_check(const struct check *c, const struct mode_options *o,
    const struct compile_output *result, struct str *out)
{
	struct jw w;
	size_t i;

	jw_init(&w, out);
	jw_object(&w);
	jw_kbool(&w, "ok", result->ok && c->config_report == NULL);
	jw_key(&w, "files");
	jw_array(&w);
	for (i = 0; i < result->n; i++)
		compile_write_report(&result->v[i], &w);
	write_config_file(c, o, &w);
	jw_end_array(&w);
	if (o->plans) {
		jw_key(&w, "plans");
		jw_array(&w);
		for (i = 0; i < result->n; i++)
			jw_str(&w, result->v[i].plan);
		jw_end_array(&w);
	}
	jw_end_object(&w);
}

static int check(struct check *c, const struct mode_options *o)
{
	struct compile_input in = {.files = c->sources.list.v,
	    .n_files = c->sources.list.n,
	    .config = c->config,
	    .config_broken = c->config == NULL && c->config_report != NULL,
	    .catalog = c->catalog,
	    .now = clock_wall(),
	    .whole = c->whole,
	    .read = sources_read};
	struct compile_output *result = compile_set(&in);
	bool ok = result->ok && c->config_report == NULL;
	struct str out;
	int code;

	str_init(&out, COMPILE_OUT_MAX);
	write_check(c, o, result, &out);
	code = print(&out);
	str_done(&out);
	compile_output_free(result);
	return code != EXIT_OK || ok ? code : EXIT_USAGE_OR_FILE;
}

int mode_compile(const struct mode_options *o)
{
	struct check c = {0};
	struct err err;
	int rc = 0, code;

	if (o->config != NULL)
		rc = read_config(&c, o->config, &err);
	if (rc == 0)
		rc = add_sources(&c, o, &err);
	if (rc == 0)
		rc = load_catalog(&c, o, &err);
	code = rc == 0 ? check(&c, o) : complain(exit_code(rc), err.text);
	sources_done(&c.sources);
	catalog_free(c.catalog);
	json_free(c.config);
	json_free(c.config_report);
	return code;
}

/* ---- schema ---- */

/* "sluice.yaml" and "sluice.yaml.http.listen" lead into the configuration, everything else into DAG
 * files. */
static const char *split_path(const char *path, enum schema_of *ret_of)
{
	static const char config[] = "sluice.yaml";
	size_t n = sizeof(config) - 1;

	*ret_of = SCHEMA_DAG;
	if (strncmp(path, config, n) != 0 || (path[n] != '\0' && path[n] != '.'))
		return path;
	*ret_of = SCHEMA_CONFIG;
	return path[n] == '.' ? path + n + 1 : path + n;
}

int mode_schema(const struct mode_options *o)
{
	const char *path = o->n_args > 0 ? o->args[0] : ""; /* "": the whole file */
	struct catalog *catalog = NULL;
	enum schema_of of;
	struct str out;
	struct err err;
	int rc, code;

	path = split_path(path, &of);
	str_init(&out, COMPILE_OUT_MAX);
	rc = catalog_load(o->plugin_dirs, o->catalog, &catalog, NULL, &err);
	if (rc == 0 && path[0] != '\0' && isatty(STDOUT_FILENO))
		rc = schema_write_text(of, path, catalog, &out, &err);
	else if (rc == 0)
		rc = schema_write_json(of, path, catalog, &out, &err);
	code = rc == 0 ? print(&out) : complain(exit_code(rc), err.text);
	catalog_free(catalog);
	str_done(&out);
	return code;
}
