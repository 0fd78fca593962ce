/* The tree: kinds by the YAML 1.2 core schema, places, limits. */
#include "core/base/mem.h"
#include "core/dagfile/yaml.h"
#include "tests/unit/leak.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

static struct yaml_doc *parse(const char *text, struct diags *d)
{
	diags_init(d);
	return yaml_doc_parse(text, strlen(text), d);
}

struct scalar {
	const char *text;
	enum yaml_kind kind;
	double number;
};

Test(dagfile_yaml, resolves_scalars_by_the_core_schema)
{
	static const struct scalar ROWS[] = {{"true", YAML_BOOL, 0}, {"False", YAML_BOOL, 0},
	    {"yes", YAML_TEXT, 0}, {"no", YAML_TEXT, 0}, {"on", YAML_TEXT, 0},
	    {"off", YAML_TEXT, 0}, {"y", YAML_TEXT, 0}, {"null", YAML_NULL, 0}, {"~", YAML_NULL, 0},
	    {"", YAML_NULL, 0}, {"12", YAML_INT, 12}, {"-7", YAML_INT, -7}, {"+3", YAML_INT, 3},
	    {"0x1F", YAML_INT, 31}, {"0o17", YAML_INT, 15}, {"017", YAML_INT, 17},
	    {"1_000", YAML_TEXT, 0}, {"1.5", YAML_FLOAT, 1.5}, {".5", YAML_FLOAT, 0.5},
	    {"1e3", YAML_FLOAT, 1000}, {"1.", YAML_FLOAT, 1}, {"1e", YAML_TEXT, 0},
	    {".", YAML_TEXT, 0}, {"12:30", YAML_TEXT, 0}, {"2026-11-21", YAML_TEXT, 0},
	    {"99999999999999999999", YAML_FLOAT, 1e20}, {"'12'", YAML_TEXT, 0},
	    {"\"true\"", YAML_TEXT, 0}, {"0x", YAML_TEXT, 0}, {"-", YAML_LIST, 0}};
	size_t i;

	for (i = 0; i < sizeof(ROWS) / sizeof(ROWS[0]); i++) {
		struct yaml_doc *doc;
		struct yaml_node *n;
		struct diags d;
		char text[64];

		snprintf(text, sizeof(text), "k: %s%s\n", ROWS[i].kind == YAML_LIST ? "\n  " : "",
		    ROWS[i].text);
		doc = parse(text, &d);
		n = yaml_get(yaml_doc_root(doc), "k");
		cr_assert(n != NULL, "%s", ROWS[i].text);
		cr_expect(n->kind == ROWS[i].kind, "%s is %s", ROWS[i].text, yaml_kind_name(n));
		if (n->kind == YAML_INT || n->kind == YAML_FLOAT)
			cr_expect(n->f == ROWS[i].number, "%s is %g", ROWS[i].text, n->f);
		yaml_doc_free(doc);
		diags_done(&d);
	}
	LEAK_CHECK();
}

Test(dagfile_yaml, knows_lines_columns_and_paths)
{
	struct diags d;
	struct yaml_doc *doc = parse("a:\n  b: [x, \"é y\", {c: 1}]\n  \"d.e\": z\n", &d);
	const struct yaml_node *b = yaml_get(yaml_get(yaml_doc_root(doc), "a"), "b"),
			       *y = b->first->next;
	const struct yaml_node *c = yaml_get(y->next, "c");
	unsigned line, column;
	struct str path;

	cr_expect(b->line == 2 && b->column == 6 && b->key_line == 2 && b->key_column == 3);
	cr_expect(y->line == 2 && y->column == 10 && c->column == 21);
	yaml_place_at(y, 3, &line, &column);
	cr_expect(line == 2 && column == 13, "é is one column: %u", column);
	str_init(&path, 100);
	yaml_path(c, &path);
	cr_expect_str_eq(path.s, "a.b[2].c");
	str_reset(&path);
	yaml_path(b->next, &path);
	cr_expect_str_eq(path.s, "a[\"d.e\"]");
	str_done(&path);
	yaml_doc_free(doc);
	diags_done(&d);
	LEAK_CHECK();
}

Test(dagfile_yaml, finds_places_in_blocks)
{
	struct diags d;
	struct yaml_doc *doc =
	    parse("a: |\n\n    one\n      two\n  \n    three\nb: >\n  folded\n", &d);
	const struct yaml_node *a = yaml_get(yaml_doc_root(doc), "a");
	const char *two = strstr(a->text, "two"), *three = strstr(a->text, "three");
	unsigned line, column;

	yaml_place_at(a, (size_t)(two - a->text), &line, &column);
	cr_expect(line == 4 && column == 7, "%u:%u", line, column);
	yaml_place_at(a, (size_t)(three - a->text), &line, &column);
	cr_expect(line == 6 && column == 5, "%u:%u", line, column);
	yaml_place_at(yaml_get(yaml_doc_root(doc), "b"), 3, &line, &column);
	cr_expect(line == 7 && column == 4, "a folded text has only its own place");
	yaml_doc_free(doc);
	diags_done(&d);
	LEAK_CHECK();
}

Test(dagfile_yaml, reads_json_with_its_escapes)
{
	struct diags d;
	struct yaml_doc *doc = parse(
	    "{\"a\":\"\\u00e9\\/\\ud83d\\ude00\\\\ud83d\",\n\t\"b\":[1,-2.5e1,true,null,\"\"]}",
	    &d);
	struct json *j, *want = NULL;

	cr_assert(yaml_doc_root(doc) != NULL, "%s", d.list.n > 0 ? d.list.v[0].message : "");
	j = yaml_to_json(yaml_doc_root(doc));
	cr_assert(json_parse("{\"a\":\"é/😀\\\\ud83d\",\"b\":[1,-25,true,null,\"\"]}",
		      strlen("{\"a\":\"é/😀\\\\ud83d\",\"b\":[1,-25,true,null,\"\"]}"), 1000, &want,
		      NULL) == 0);
	cr_expect(json_equal(j, want));
	json_free(want);
	json_free(j);
	yaml_doc_free(doc);
	diags_done(&d);
	LEAK_CHECK();
}

static const char *code_of(const char *text, size_t n)
{
	static const char *code;
	struct diags d;
	struct yaml_doc *doc;

	diags_init(&d);
	doc = yaml_doc_parse(text, n, &d);
	code = d.list.n > 0 ? d.list.v[0].code : "";
	yaml_doc_free(doc);
	diags_done(&d);
	return code;
}

Test(dagfile_yaml, is_bounded)
{
	char *text = mem_alloc(YAML_MAX_BYTES + 2);
	struct str b;
	int i;

	memset(text, 'x', YAML_MAX_BYTES + 1);
	cr_expect_str_eq(code_of(text, YAML_MAX_BYTES), "");
	cr_expect_str_eq(code_of(text, YAML_MAX_BYTES + 1), "too-long");
	memset(text, '[', YAML_MAX_BYTES);
	cr_expect_str_eq(code_of(text, YAML_MAX_BYTES), "too-deep");
	mem_free(text);
	str_init(&b, 1u << 20);
	for (i = 0; i < YAML_MAX_NODES + 1; i++)
		str_add(&b, "- a\n");
	cr_expect_str_eq(code_of(b.s, b.len), "too-many-nodes");
	str_done(&b);
	cr_expect_str_eq(code_of("", 0), "empty-file");
	cr_expect_str_eq(code_of("# nothing\n", 10), "empty-file");
	LEAK_CHECK();
}

Test(dagfile_yaml, names_the_place_of_a_bad_byte)
{
	struct diags d;
	struct yaml_doc *doc = parse("a: b\nc: \xe9\n", &d);

	cr_assert(d.list.n == 1);
	cr_expect_str_eq(d.list.v[0].code, "bad-encoding");
	cr_expect(d.list.v[0].line == 2 && d.list.v[0].column == 4, "%u:%u", d.list.v[0].line,
	    d.list.v[0].column);
	yaml_doc_free(doc);
	diags_done(&d);
	LEAK_CHECK();
}
