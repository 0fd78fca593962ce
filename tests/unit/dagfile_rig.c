/* dagfile_rig.c: see dagfile_rig.h. */
#include "tests/unit/dagfile_rig.h"

#include "core/base/io.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MAX_TEXTS 8

void rig_read(const char *name, struct str *out)
{
	const char *top = getenv("SLUICE_SRC_DIR");
	struct err err = {0};
	char path[1024];

	snprintf(path, sizeof(path), "%s/tests/data/dagfile/%s", top != NULL ? top : ".", name);
	str_init(out, 1u << 20);
	cr_assert(io_read_file(path, 1u << 20, out, &err) == 0, "%s", err.text);
}

struct catalog *rig_catalog(void)
{
	struct catalog *c = NULL;
	struct err err = {0};
	struct str text;

	rig_read("catalog.json", &text);
	cr_assert(catalog_parse(text.s, text.len, &c, &err) == 0, "%s", err.text);
	str_done(&text);
	return c;
}

struct json *rig_config(void)
{
	struct json *j = NULL;
	struct err err = {0};
	struct str text;

	rig_read("config.json", &text);
	cr_assert(json_parse(text.s, text.len, 1u << 20, &j, &err) == 0, "%s", err.text);
	str_done(&text);
	return j;
}

struct compile_output *rig_compile(const char *const *texts, size_t n, bool config)
{
	static const char *const NAMES[MAX_TEXTS] = {"/d/a.yaml", "/d/b.yaml", "/d/c.yaml",
	    "/d/d.yaml", "/d/e.yaml", "/d/f.yaml", "/d/g.yaml", "/d/h.yaml"};
	struct compile_file files[MAX_TEXTS];
	struct compile_input in = {.files = files, .n_files = n, .now = RIG_NOW, .whole = true};
	struct json *conf = config ? rig_config() : NULL;
	struct catalog *catalog = rig_catalog();
	struct compile_output *out;
	size_t i;

	cr_assert(n <= MAX_TEXTS);
	for (i = 0; i < n; i++)
		files[i] = (struct compile_file){NAMES[i], texts[i], strlen(texts[i]), NULL};
	in.config = conf;
	in.catalog = catalog;
	out = compile_set(&in);
	catalog_free(catalog);
	json_free(conf);
	return out;
}

struct compile_output *rig_compile_one(const char *text)
{
	return rig_compile(&text, 1, true);
}

const struct diag *rig_find(const struct compile_result *r, const char *code)
{
	size_t i;

	for (i = 0; i < r->diags.list.n; i++)
		if (strcmp(r->diags.list.v[i].code, code) == 0)
			return &r->diags.list.v[i];
	return NULL;
}

struct json *rig_plan(const struct compile_result *r)
{
	struct json *j = NULL;
	struct err err = {0};

	cr_assert(r->plan != NULL, "no plan: %s",
	    r->diags.list.n > 0 ? r->diags.list.v[0].message : "no error");
	cr_assert(json_parse(r->plan, r->plan_n, PLAN_MAX_BYTES, &j, &err) == 0, "%s", err.text);
	return j;
}
