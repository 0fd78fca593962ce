/* Look-ups in the description of plugins. */
#include "core/dagfile/catalog.h"
#include "tests/unit/leak.h"

#include <criterion/criterion.h>
#include <string.h>

static const char TEXT[] = "{\"plugins\":[{\"name\":\"p\",\"kinds\":[{\"type\":\"a\",\"needs\":3,"
			   "\"roles\":{\"task\":{\"caps\":1},\"load\":{\"promise\":"
			   "{\"append\":\"once\"}}}},{\"type\":\"b\",\"roles\":{\"task\":{}}}]},"
			   "{\"name\":\"q\",\"kinds\":[{\"type\":\"q\",\"roles\":{\"task\":{}}},{"
			   "\"type\":\"r\",\"roles\":{\"task\":{},\"extract\":{}}}]}]}";

Test(dagfile_catalog, finds_the_kind_that_has_the_role)
{
	const struct json *kind, *role;
	struct catalog *c = NULL;

	cr_assert(catalog_parse(TEXT, strlen(TEXT), &c, NULL) == 0);
	cr_expect(catalog_find(c, "p", NULL, "load", &kind, &role) == CATALOG_OK);
	cr_expect_str_eq(catalog_kind_type(kind), "a");
	cr_expect(catalog_kind_needs(kind) == 3);
	cr_expect_str_eq(catalog_role_promise(role, "append"), "once");
	cr_expect(catalog_role_promise(role, "merge") == NULL);
	cr_expect(catalog_find(c, "p", NULL, "task", &kind, &role) == CATALOG_AMBIGUOUS);
	cr_expect(catalog_find(c, "p", "b", "task", &kind, &role) == CATALOG_OK);
	cr_expect(catalog_find(c, "p", "b", "load", &kind, &role) == CATALOG_NO_ROLE);
	cr_expect(catalog_find(c, "p", "c", "load", &kind, &role) == CATALOG_NO_TYPE);
	cr_expect(catalog_find(c, "x", NULL, "load", &kind, &role) == CATALOG_NO_PLUGIN);
	cr_expect(catalog_find(c, "q", NULL, "task", &kind, &role) == CATALOG_OK,
	    "the kind called like its plugin");
	cr_expect_str_eq(catalog_kind_type(kind), "q");
	cr_expect(catalog_find(c, "q", NULL, "extract", &kind, &role) == CATALOG_OK);
	cr_expect_str_eq(catalog_plugin_at(c, 1), "q");
	cr_expect(catalog_plugin_at(c, 2) == NULL);
	catalog_free(c);
	LEAK_CHECK();
}

Test(dagfile_catalog, an_empty_text_has_no_plugins_and_a_broken_one_is_refused)
{
	struct catalog *c = NULL;
	struct err err = {0};

	cr_assert(catalog_parse("", 0, &c, &err) == 0);
	cr_expect(catalog_plugin_at(c, 0) == NULL);
	catalog_free(c);
	c = NULL;
	cr_expect(catalog_parse("{", 1, &c, &err) == ERR_PARSE && c == NULL);
	LEAK_CHECK();
}
