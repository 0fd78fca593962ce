/* GET /openapi.json and the table of routes; the system test openapi.sh asks the daemon. */
#include "tests/unit/leak.h"

#include "core/http/route.h"

#include <criterion/criterion.h>
#include <string.h>

static struct json *document(void)
{
	struct json *j = NULL;
	struct str text;
	struct jw w;

	str_init(&text, 4u << 20);
	jw_init(&w, &text);
	openapi_write(&w);
	cr_assert_eq(json_parse(text.s, text.len, 4u << 20, &j, NULL), 0);
	str_done(&text);
	return j;
}

Test(http_openapi, describes_every_route)
{
	cr_assert_null(openapi_missing(), "%s: add a row to DESCRIBE", openapi_missing());
	LEAK_CHECK();
}

static void expect_ref(const struct json *schemas, const char *text)
{
	static const char before[] = "#/components/schemas/";

	cr_assert(str_starts(text, before), "%s", text);
	cr_assert_not_null(json_get(schemas, text + strlen(before)), "%s is not there", text);
}

static void follow_refs(const struct json *schemas, const struct json *j)
{
	for (const struct json *c = json_first(j); c != NULL; c = json_next(c)) {
		if (json_key(c) != NULL && strcmp(json_key(c), "$ref") == 0)
			expect_ref(schemas, json_str(c, ""));
		follow_refs(schemas, c);
	}
}

Test(http_openapi, names_no_schema_that_is_not_there)
{
	struct json *j = document();

	follow_refs(json_path(j, "components.schemas"), j);
	cr_assert_str_eq(json_get_str(j, "openapi", ""), "3.1.0");
	json_free(j);
	LEAK_CHECK();
}

Test(http_openapi, leaves_out_what_is_not_supported)
{
	struct json *j = document();

	cr_assert_null(json_get(json_get(j, "paths"), "/v1/joins"));
	cr_assert_not_null(json_get(json_get(j, "paths"), "/v1/runs"));
	json_free(j);
	LEAK_CHECK();
}
