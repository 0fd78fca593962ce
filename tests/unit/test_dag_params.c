/* Parameters and bodies against their declarations. */
#include "core/dag/plan.h"

#include "leak.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

static struct plan *plan_with(const char *params)
{
	char text[1024];
	struct plan *p;
	struct err err = {0};

	snprintf(text, sizeof(text),
	    "{\"v\":1,\"dag\":\"d\",\"params\":%s,\"steps\":[{\"name\":\"a\",\"kind\":\"task\"}]}",
	    params);
	cr_assert_eq(plan_parse(text, strlen(text), &p, &err), 0, "%s", err.text);
	return p;
}

static const char decl[] = "[{\"name\":\"s\",\"type\":\"string\",\"default\":\"x\"},{\"name\":"
			   "\"i\",\"type\":\"integer\",\"min\":1,\"max\":9},"
			   "{\"name\":\"n\",\"type\":\"number\"},{\"name\":\"b\",\"type\":"
			   "\"boolean\"},{\"name\":\"d\",\"type\":\"date\"},"
			   "{\"name\":\"t\",\"type\":\"timestamp\"},{\"name\":\"c\",\"type\":"
			   "\"string\",\"choices\":[\"p\",\"q\"]}]";

Test(dag_params, values_are_checked)
{
	static const struct {
		const char *given, *what, *result, *error; /* result NULL: error is in the text */
	} cases[] = {
	    {"{}", "param",
		"{\"s\":\"x\",\"i\":null,\"n\":null,\"b\":null,\"d\":null,\"t\":null,\"c\":null}",
		NULL},
	    {"{\"i\":5}", "param", "\"i\":5", NULL},
	    {"{\"i\":\"5\"}", "param", "\"i\":5", NULL},
	    {"{\"b\":\"true\",\"n\":\"2.5\"}", "param", "\"n\":2.5,\"b\":true", NULL},
	    {"{\"i\":\"5\"}", "field of the body", NULL,
		"field of the body \"i\" must be a whole number"},
	    {"{\"i\":0}", "param", NULL, "at least 1"},
	    {"{\"i\":10}", "param", NULL, "at most 9"},
	    {"{\"i\":1.5}", "param", NULL, "whole number"},
	    {"{\"s\":5}", "param", NULL, "must be a text"},
	    {"{\"d\":\"2026-02-30\"}", "param", NULL, "a date"},
	    {"{\"d\":\"2026-02-28\"}", "param", "\"d\":\"2026-02-28\"", NULL},
	    {"{\"t\":\"yesterday\"}", "param", NULL, "a time"},
	    {"{\"c\":\"r\"}", "param", NULL, "one of [\"p\",\"q\"]"},
	    {"{\"cc\":\"r\"}", "param", NULL, "is unknown"},
	    {"{\"extra\":[1]}", "field of the body", "\"extra\":[1]", NULL},
	    {"[1]", "param", NULL, "object"},
	};
	struct plan *p = plan_with(decl);

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct json *given, *bound = NULL;
		struct err err = {0};
		struct str text;
		int rc;

		cr_assert_eq(
		    json_parse(cases[i].given, strlen(cases[i].given), 4096, &given, NULL), 0);
		rc = params_bind(&p->params, given, cases[i].what, &bound, &err);
		str_init(&text, 4096);
		if (rc == 0)
			json_print(bound, &text);
		if (cases[i].result != NULL)
			cr_assert(rc == 0 && strstr(str_peek(&text), cases[i].result) != NULL,
			    "case %zu: %d %s %s", i, rc, err.text, str_peek(&text));
		else
			cr_assert(rc == ERR_CONFIG && strstr(err.text, cases[i].error) != NULL,
			    "case %zu: %d %s", i, rc, err.text);
		str_done(&text);
		json_free(bound);
		json_free(given);
	}
	plan_free(p);
	LEAK_CHECK();
}

Test(dag_params, required_is_required)
{
	struct plan *p = plan_with("[{\"name\":\"k\",\"type\":\"string\",\"required\":true}]");
	struct json *out = NULL;
	struct err err = {0};

	cr_assert_eq(params_bind(&p->params, NULL, "param", &out, &err), ERR_CONFIG);
	cr_assert_str_eq(err.text, "param \"k\" is required: give a text");
	cr_assert_null(out);
	plan_free(p);
	LEAK_CHECK();
}
