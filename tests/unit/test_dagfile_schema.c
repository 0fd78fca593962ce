/* The schema says what the tables say. */
#include "core/dagfile/keys.h"
#include "core/dagfile/schema.h"
#include "tests/unit/dagfile_rig.h"
#include "tests/unit/leak.h"

#include <criterion/criterion.h>
#include <string.h>

static struct json *schema(enum schema_of of, const char *path)
{
	struct catalog *catalog = rig_catalog();
	struct json *j = NULL;
	struct err err = {0};
	struct str text;

	str_init(&text, 8u << 20);
	cr_assert(schema_write_json(of, path, catalog, &text, &err) == 0, "%s", err.text);
	cr_assert(json_parse(text.s, text.len, 8u << 20, &j, &err) == 0, "%s", err.text);
	str_done(&text);
	catalog_free(catalog);
	return j;
}

Test(dagfile_schema, names_every_key_of_both_files)
{
	const struct key *roots[] = {&KEYS_DAG, &KEYS_CONFIG};
	int of;

	for (of = 0; of < 2; of++) {
		struct json *j = schema((enum schema_of)of, "");
		size_t i;

		cr_expect_str_eq(
		    json_get_str(j, "$schema", ""), "https://json-schema.org/draft/2020-12/schema");
		for (i = 0; i < roots[of]->sub->n; i++)
			cr_expect(
			    json_get(json_get(j, "properties"), roots[of]->sub->v[i].name) != NULL,
			    "%s", roots[of]->sub->v[i].name);
		cr_expect(json_len(json_get(j, "properties")) == roots[of]->sub->n);
		json_free(j);
	}
	LEAK_CHECK();
}

static void check_table(const struct key *k, int depth)
{
	size_t i;

	cr_assert(depth < 20);
	if (k->shape & (K_LIST | K_MAP))
		check_table(k->elem, depth + 1);
	for (i = 0; (k->shape & K_OBJECT) && i < k->sub->n; i++) {
		const struct key *m = &k->sub->v[i];

		cr_expect(m->doc != NULL && m->doc[0] != '\0', "%s has no sentence", m->name);
		cr_expect(
		    m->shape != 0 && (!(m->shape & K_CHOICE) || m->choices != NULL), "%s", m->name);
		cr_expect(keys_find(k->sub, m->name) == m, "%s stands twice", m->name);
		check_table(m, depth + 1);
	}
}

Test(dagfile_schema, every_key_has_its_sentence)
{
	check_table(&KEYS_DAG, 0);
	check_table(&KEYS_CONFIG, 0);
	LEAK_CHECK();
}

Test(dagfile_schema, what_is_refused_exists)
{
	const struct key_later *l;

	for (l = KEYS_LATER; l->pattern != NULL; l++)
		cr_expect(keys_at(&KEYS_DAG, l->pattern) != NULL ||
			      keys_at(&KEYS_CONFIG, l->pattern) != NULL,
		    "%s", l->pattern);
	LEAK_CHECK();
}

Test(dagfile_schema, a_path_gives_its_part)
{
	struct json *j = schema(SCHEMA_DAG, "steps.load.retry");

	cr_expect(json_get(json_path(json_at(json_get(j, "anyOf"), 0), "properties"), "attempts") !=
		  NULL);
	json_free(j);
	LEAK_CHECK();
}

Test(dagfile_schema, a_wrong_path_names_the_nearest_key)
{
	struct err err = {0};
	struct str text;

	str_init(&text, 1000);
	cr_expect(schema_write_text(SCHEMA_DAG, "steps.a.extrct.table", NULL, &text, &err) ==
		  ERR_NOT_FOUND);
	cr_expect(strstr(err.text, "did you mean \"extract\"?") != NULL, "%s", err.text);
	cr_expect(schema_write_text(SCHEMA_DAG, "dag.name", NULL, &text, &err) == ERR_NOT_FOUND);
	str_done(&text);
	LEAK_CHECK();
}

Test(dagfile_schema, the_text_fits_80_columns)
{
	struct catalog *catalog = rig_catalog();
	const char *const paths[] = {
	    "", "steps.*", "steps.*.extract", "steps.*.load", "triggers.*", "datasets.*"};
	size_t i;

	for (i = 0; i < sizeof(paths) / sizeof(paths[0]); i++) {
		struct err err = {0};
		struct str text;
		const char *line, *end;

		str_init(&text, 1u << 20);
		cr_assert(schema_write_text(SCHEMA_DAG, paths[i], catalog, &text, &err) == 0, "%s",
		    err.text);
		for (line = text.s; (end = strchr(line, '\n')) != NULL; line = end + 1)
			cr_expect(end - line <= 82, "%.*s", (int)(end - line),
			    line); /* bytes; … has three */
		str_done(&text);
	}
	catalog_free(catalog);
	LEAK_CHECK();
}
