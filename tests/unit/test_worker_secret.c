/* Secrets: found by reference, wiped from the job, masked on the way out. */
#include "core/worker/secret.h"
#include "tests/unit/leak.h"
#include "tests/unit/worker_rig.h"

#include <criterion/criterion.h>
#include <string.h>

Test(worker_secret, are_found_by_reference_and_wiped_from_the_tree)
{
	struct json *j = rig_json("{'file:/run/pw':'correct horse','name:pii':'battery staple'}");
	struct secrets *s = secrets_new(j);
	const char *v;
	size_t n = 0;

	v = secrets_find(s, "file:/run/pw", &n);
	cr_assert_eq(n, 13);
	cr_assert_eq(memcmp(v, "correct horse", 13), 0);
	cr_assert_null(secrets_find(s, "file:/run/other", &n));
	cr_assert_str_eq(json_get_str(j, "name:pii", "x"), "");
	secrets_free(s);
	secrets_free(NULL);
	json_free(j);
	LEAK_CHECK();
}

static const struct {
	const char *node, *want; /* NULL: no reference */
} references[] = {{"{'file':'/a'}", "file:/a"}, {"{'env':'A'}", "env:A"},
    {"{'credential':'c'}", "credential:c"}, {"'pii'", "name:pii"}, {"{'x':'y'}", NULL},
    {"5", NULL}};

Test(worker_secret, references_have_one_text_each)
{
	size_t i;

	for (i = 0; i < sizeof(references) / sizeof(references[0]); i++) {
		struct json *j = rig_json(references[i].node);
		struct str out;

		str_init(&out, 256);
		cr_assert_eq(secret_reference(j, &out), references[i].want != NULL, "%s",
		    references[i].node);
		if (references[i].want != NULL)
			cr_assert_str_eq(str_peek(&out), references[i].want);
		str_done(&out);
		json_free(j);
	}
	LEAK_CHECK();
}

Test(worker_secret, are_masked_plain_and_as_json_but_not_when_short)
{
	struct json *j = rig_json("{'file:/a':'pass\\u0022word\\n','file:/b':'abc'}");
	struct secrets *s = secrets_new(j);
	struct str b;

	str_init(&b, 1024);
	str_add(&b, "x pass\"word\n y {\"v\":\"pass\\\"word\\n\"} abc pass\"word\n");
	secrets_mask(s, &b);
	cr_assert_str_eq(str_peek(&b), "x *** y {\"v\":\"***\"} abc ***");
	str_done(&b);
	secrets_free(s);
	json_free(j);
	LEAK_CHECK();
}
