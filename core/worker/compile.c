/* compile.c: texts and the catalog to core/dagfile, its results to JSON. */
#include "core/worker/compile.h"

#include "core/base/hash.h"
#include "core/base/io.h"
#include "core/base/mem.h"
#include "core/dagfile/config.h"
#include "core/worker/describe.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define CONFIG_MAX_BYTES (4u << 20)

/* ---- the catalog ---- */

/* What this process described last: a kept worker of the system lane may not be allowed to read the
 * cache. */
static struct json *last_catalog;

static struct json *read_cache(const char *path)
{
	struct json *j = NULL;
	struct str text;

	str_init(&text, CATALOG_MAX_BYTES);
	if (path != NULL && io_read_file(path, CATALOG_MAX_BYTES, &text, NULL) == 0)
		(void)!json_parse(str_peek(&text), text.len, CATALOG_MAX_BYTES, &j, NULL);
	str_done(&text);
	if (j == NULL && last_catalog != NULL)
		j = json_dup(last_catalog);
	return j;
}

static void keep_catalog(const struct str *text)
{
	json_free(last_catalog);
	last_catalog = NULL;
	(void)!json_parse(str_peek(text), text->len, CATALOG_MAX_BYTES, &last_catalog, NULL);
}

int catalog_load(const struct json *plugin_dirs, const char *cache, struct catalog **ret,
    char **ret_text, struct err *err)
{
	struct json *cached = read_cache(cache);
	bool changed = true, written = false;
	struct str text;
	int rc;

	str_init(&text, CATALOG_MAX_BYTES);
	rc = describe_all(plugin_dirs, cached, &text, &changed, err);
	if (rc == 0)
		rc = catalog_parse(str_peek(&text), text.len, ret, err);
	if (rc == 0 && changed && cache != NULL)
		written = io_write_file(cache, text.s, text.len, 0640, NULL) == 0;
	if (rc == 0 && changed)
		keep_catalog(&text);
	if (ret_text != NULL)
		*ret_text = rc == 0 && changed && !written ? str_take(&text) : NULL;
	str_done(&text);
	json_free(cached);
	return rc;
}

/* ---- DAG files ---- */

static void write_result(const struct compile_result *r, const struct compile_file *f, struct jw *w)
{
	uint8_t sha[HASH_SHA256_BYTES];
	char hex[65] = "";

	if (f->text != NULL) {
		hash_sha256(f->text, f->n, sha);
		hash_to_hex(sha, sizeof(sha), hex);
	}
	jw_object(w);
	jw_kstr(w, "path", r->path);
	jw_kstr(w, "dag", r->dag);
	jw_kbool(w, "ok", r->ok && (r->plan != NULL || r->list));
	jw_kstr(w, "signature", hex);
	jw_key(w, "report");
	compile_write_report(r, w);
	jw_kstr(w, "plan", r->plan);
	if (r->inputs.n > 0) {
		jw_key(w, "inputs");
		jw_array(w);
		for (size_t i = 0; i < r->inputs.n; i++)
			jw_str(w, r->inputs.v[i]);
		jw_end_array(w);
	}
	jw_end_object(w);
}

static void write_results(const struct compile_output *c, const struct sources *s,
    const char *catalog, bool late, struct str *out)
{
	struct jw w;
	size_t i;

	jw_init(&w, out);
	jw_object(&w);
	jw_key(&w, "files");
	jw_array(&w);
	for (i = 0; i < c->n; i++)
		write_result(&c->v[i], &s->list.v[i], &w);
	jw_end_array(&w);
	if (late)
		jw_kbool(&w, "late", true);
	if (catalog != NULL) {
		jw_key(&w, "catalog");
		jw_raw(&w, catalog);
	}
	jw_end_object(&w);
}

int compile_job(const struct json *job, struct str *out, struct err *err)
{
	struct compile_input in = {
	    .config = json_get(job, "config"), .now = clock_wall(), .read = sources_read};
	struct sources sources = {0};
	struct catalog *catalog = NULL;
	struct compile_output *c;
	const struct json *f;
	char *text = NULL;
	int rc = catalog_load(json_get(job, "plugin_dirs"),
	    json_get_str(job, "catalog_cache", NULL), &catalog, &text, err);

	if (rc != 0)
		return rc;
	for (f = json_first(json_get(job, "files")); f != NULL; f = json_next(f))
		sources_add(&sources, json_str(f, ""));
	in.files = sources.list.v;
	in.n_files = sources.list.n;
	in.catalog = catalog;
	c = compile_set(&in);
	write_results(c, &sources, text, catalog_is_late(catalog), out);
	compile_output_free(c);
	catalog_free(catalog);
	sources_done(&sources);
	mem_free(text);
	return 0;
}

/* ---- sluice.yaml ---- */

static struct config_output *compile_text(const char *path, const struct str *text,
    const struct catalog *catalog, struct config_input *in)
{
	long cpus = sysconf(_SC_NPROCESSORS_ONLN);

	*in = (struct config_input){.path = path,
	    .text = str_peek(text),
	    .n = text->len,
	    .catalog = catalog,
	    .cpus = cpus > 0 ? (unsigned)cpus : 1};
	return config_compile(in);
}

/* The folders of the plugins, and where their catalog is kept, stand in the file itself. */
static struct catalog *catalog_of(const struct config_output *first)
{
	struct catalog *catalog = NULL;
	struct json *j = NULL;
	char *cache;

	if (first->json == NULL ||
	    json_parse(first->json, first->n, CONFIG_MAX_BYTES, &j, NULL) != 0)
		return NULL;
	cache = io_path_join(json_get_str(j, "state", "."), "plugins.json");
	/* Read only: a state folder must not come to be by a look at the file. */
	if (access(cache, W_OK) != 0) {
		mem_free(cache);
		cache = NULL;
	}
	if (catalog_load(json_get(j, "plugins"), cache, &catalog, NULL, NULL) != 0)
		catalog = NULL;
	mem_free(cache);
	json_free(j);
	return catalog;
}

static int write_config(
    const struct config_input *in, const struct config_output *c, struct str *out, struct err *err)
{
	struct jw w;

	if (c->ok && c->json != NULL) {
		str_addn(out, c->json, c->n);
		return 0;
	}
	jw_init(&w, out);
	config_write_report(in, c, &w);
	return err_set(err, ERR_CONFIG, "%s does not compile", in->path);
}

int config_load(const char *path, struct str *out, struct err *err)
{
	char real[PATH_MAX];
	struct config_input in;
	struct config_output *first, *second = NULL;
	struct catalog *catalog;
	struct str text;
	int rc;

	if (realpath(path, real) == NULL)
		return err_errno(err, errno == ENOENT ? ERR_NOT_FOUND : ERR_IO, errno, "%s", path);
	str_init(&text, COMPILE_FILE_MAX);
	rc = io_read_file(real, COMPILE_FILE_MAX, &text, err);
	if (rc != 0) {
		str_done(&text);
		return rc;
	}
	first = compile_text(real, &text, NULL, &in);
	catalog = catalog_of(first);
	if (catalog != NULL)
		second = compile_text(real, &text, catalog, &in);
	rc = write_config(&in, second != NULL ? second : first, out, err);
	config_output_free(first);
	config_output_free(second);
	catalog_free(catalog);
	str_done(&text);
	return rc;
}

int compile_config_job(const struct json *job, struct str *out, struct err *err)
{
	int rc = config_load(json_get_str(job, "file", ""), out, err);

	return rc == ERR_CONFIG && out->len > 0 ? 0 : rc; /* the report is the answer */
}
