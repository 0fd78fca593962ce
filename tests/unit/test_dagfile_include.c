/* Lists in files of their own: what the plan holds, and what is said where. */
#include "tests/unit/dagfile_rig.h"
#include "tests/unit/leak.h"

#include "core/dagfile/compile.h"
#include "core/dagfile/yaml.h"

#include <criterion/criterion.h>
#include <string.h>

#define DAG(in, more)                                                                              \
	"dag: x\nsteps:\n  a:\n    foreach: {in: " in more "}\n"                                   \
	"    task: {plugin: exec, shell: \"true\"}\n"
#define FILE_IN "{file: tables.yaml}"

struct other { /* the only file there is */
	const char *path, *text;
	unsigned asked;
};

static int read_other(void *arg, const char *path, struct str *out, struct err *err)
{
	struct other *o = arg;

	o->asked++;
	if (strcmp(path, o->path) != 0)
		return err_set(err, ERR_NOT_FOUND, "there is no %s", path);
	if (strlen(o->text) > out->max)
		return err_set(err, ERR_LIMIT, "%s is too large", path);
	str_add(out, o->text);
	return 0;
}

static struct compile_output *compile_with(const char *dag, struct other *o)
{
	struct compile_file file = {"/d/x.yaml", dag, strlen(dag), NULL};
	struct catalog *catalog = rig_catalog();
	struct json *config = rig_config();
	struct compile_input in = {.files = &file,
	    .n_files = 1,
	    .config = config,
	    .catalog = catalog,
	    .now = TIME_NONE,
	    .read = o ? read_other : NULL,
	    .read_arg = o};
	struct compile_output *out = compile_set(&in);

	json_free(config);
	catalog_free(catalog);
	return out;
}

/* Code, place and text of the only error. */
static void expect_error(const char *dag, const char *text, const char *code, const char *message)
{
	struct other o = {"/d/tables.yaml", text, 0};
	struct compile_output *out = compile_with(dag, &o);
	const struct diags *d = &out->v[0].diags;

	cr_assert(d->n_errors == 1 && d->list.n == 1, "%s: %zu errors, first %s", code, d->n_errors,
	    d->list.n ? d->list.v[0].message : "");
	cr_expect_str_eq(d->list.v[0].code, code);
	cr_expect(strstr(d->list.v[0].message, message), "%s", d->list.v[0].message);
	cr_expect_str_eq(d->list.v[0].key, "steps.a.foreach.in.file");
	cr_expect(d->list.v[0].line == 4 && d->list.v[0].column == 26, "%u:%u", d->list.v[0].line,
	    d->list.v[0].column);
	cr_expect(out->v[0].plan == NULL && !out->v[0].ok);
	compile_output_free(out);
}

Test(dagfile_include, a_list_in_a_file_is_the_plan_of_the_written_list)
{
	struct other o = {"/d/tables.yaml", "# ours\n- north\n- 7\n- \"south west\"\n", 0};
	struct other json = {"/d/tables.yaml", "[\"north\", 7, \"south west\"]", 0};
	struct other edited = {"/d/tables.yaml", "- north\n- 8\n- \"south west\"\n", 0};
	struct compile_output *a = compile_with(DAG(FILE_IN, ""), &o),
			      *b = compile_with(DAG("[north, 7, \"south west\"]", ""), &o),
			      *c = compile_with(DAG(FILE_IN, ""), &json),
			      *d = compile_with(DAG(FILE_IN, ""), &edited);

	cr_assert(a->v[0].plan && b->v[0].plan && c->v[0].plan && d->v[0].plan);
	cr_expect_str_eq(a->v[0].plan, b->v[0].plan);
	cr_expect_str_eq(a->v[0].plan, c->v[0].plan);
	cr_expect(strcmp(a->v[0].plan, d->v[0].plan) != 0, "another list is another plan");
	cr_assert_eq(a->v[0].inputs.n, 1);
	cr_expect_str_eq(a->v[0].inputs.v[0], "/d/tables.yaml");
	cr_expect_eq(b->v[0].inputs.n, 0);
	compile_output_free(a);
	compile_output_free(b);
	compile_output_free(c);
	compile_output_free(d);
	LEAK_CHECK();
}

Test(dagfile_include, maps_take_a_key_and_one_reading_serves_all_steps)
{
	static const char dag[] =
	    "dag: x\nsteps:\n"
	    "  a: {foreach: {in: {file: t/../tables.yml}, as: t, key: \"${t.name}\"}, "
	    "task: {plugin: exec, shell: \"true\"}}\n"
	    "  b: {foreach: {in: {file: t/../tables.yml}, as: t, key: \"${t.name}\"}, "
	    "needs: [{step: a, match: item}], task: {plugin: exec, shell: \"true\"}}\n";
	struct other o = {
	    "/d/t/../tables.yml", "- {name: one, size: 3}\n- name: two\n  size: 4\n", 0};
	struct compile_output *out = compile_with(dag, &o);
	struct json *j = rig_plan(&out->v[0]);
	const struct json *in = json_path(json_at(json_get(j, "steps"), 1), "foreach.in");

	cr_expect_eq(json_len(in), 2);
	cr_expect_eq(json_get_i64(json_at(in, 1), "size", 0), 4);
	cr_expect_eq(o.asked, 1);
	json_free(j);
	compile_output_free(out);
	LEAK_CHECK();
}

Test(dagfile_include, what_is_wrong_in_it_is_said_with_its_own_place)
{
	static char large[YAML_MAX_BYTES + 10];

	expect_error(DAG(FILE_IN, ""), "- a\n- b: 1\n", "missing-key", "/d/tables.yaml:2:3: ");
	expect_error(DAG(FILE_IN, ", key: \"${item.n}\""), "- {n: a}\n-\n", "wrong-type",
	    "/d/tables.yaml:2:");
	expect_error(DAG(FILE_IN, ""), "- a\n- c\n- a\n", "duplicate-name",
	    "/d/tables.yaml:3:3: the item \"a\" stands twice");
	expect_error(
	    DAG(FILE_IN, ""), "- a\n- \"${x}\"\n", "no-template-here", "/d/tables.yaml:2:3: ");
	expect_error(DAG(FILE_IN, ""), "name: a\n", "wrong-type", "/d/tables.yaml:1:1: ");
	expect_error(DAG(FILE_IN, ""), "[]", "empty-list", "/d/tables.yaml:1:1: ");
	expect_error(
	    DAG(FILE_IN, ", key: \"${item.n}\""), "- {n: 1\n", "bad-yaml", "/d/tables.yaml:");
	expect_error(DAG("{file: gone.yaml}", ""), "", "unreadable", "there is no /d/gone.yaml");
	expect_error(DAG("{file: tables.txt}", ""), "", "bad-path", "\"tables.txt\"");
	expect_error(DAG("{file: .t.yaml}", ""), "", "bad-path", "\".t.yaml\"");
	memset(large, 'x', sizeof(large) - 1);
	expect_error(DAG(FILE_IN, ""), large, "unreadable", "too large");
	LEAK_CHECK();
}

Test(dagfile_include, an_unread_file_is_an_input_too)
{
	struct other o = {"/d/tables.yaml", "", 0};
	struct compile_output *out = compile_with(DAG("{file: gone.yaml}", ""), &o),
			      *none = compile_with(DAG(FILE_IN, ""), NULL);

	cr_assert_eq(out->v[0].inputs.n, 1);
	cr_expect_str_eq(out->v[0].inputs.v[0], "/d/gone.yaml");
	cr_expect(!none->v[0].ok && rig_find(&none->v[0], "unreadable"));
	compile_output_free(out);
	compile_output_free(none);
	LEAK_CHECK();
}

Test(dagfile_include, items_that_pair_are_compared_in_files_too)
{
	struct other o = {"/d/tables.yaml", "- a\n- b\n", 0};
	struct compile_output *out = compile_with(
	    "dag: x\nsteps:\n"
	    "  a: {foreach: {in: [a]}, task: {plugin: exec, shell: \"true\"}}\n"
	    "  b: {foreach: {in: {file: tables.yaml}}, needs: [{step: a, match: item}], "
	    "task: {plugin: exec, shell: \"true\"}}\n",
	    &o);
	const struct diag *d = rig_find(&out->v[0], "no-partner");

	cr_assert(d != NULL);
	cr_expect(strstr(d->message, "/d/tables.yaml:2:3: ") && strstr(d->message, "\"b\""));
	compile_output_free(out);
	LEAK_CHECK();
}

Test(dagfile_include, a_file_that_is_a_list_is_no_dag)
{
	const char *texts[] = {"- a\n- b\n", DAG("{file: a.yaml}", "")};
	struct compile_output *out = rig_compile(texts, 1, true);

	cr_expect(out->ok && out->v[0].list && out->v[0].plan == NULL && out->v[0].dag[0] == 0);
	cr_expect(rig_find(&out->v[0], "no-dag"), "nobody names it");
	compile_output_free(out);
	out = rig_compile(texts, 2, true); /* which cannot read it, but names it */
	cr_expect(rig_find(&out->v[0], "no-dag") == NULL);
	compile_output_free(out);
	LEAK_CHECK();
}
