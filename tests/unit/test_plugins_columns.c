/* The columns transform: order, names, casts with rejected rows, masks, and that it fails closed.
 */
#include "tests/unit/leak.h"
#include "tests/unit/plug_host.h"

#include "core/base/mem.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#define COLS "{\"id\":\"int64\",\"email\":\"text\",\"phone\":\"text\",\"amount\":\"text\"}"

static slu_rc run(struct plug *p, const char *options, const char *columns, const char *ndjson,
    struct str *out, slu_err *err)
{
	const slu_transform *t = plug_kind("columns", "columns")->transform;
	struct slu_run *r = plug_run(p, &t->options, options);
	struct ArrowArrayStream in = {0}, stream = {0};
	struct ArrowSchema schema = {0}, bound = {0};
	void *st = NULL;
	slu_rc rc;

	*err = (slu_err){.size = sizeof(*err)};
	p->failed = false;
	cr_assert_eq(plug_source(p, columns, ndjson, &in, err), SLU_OK, "%s", err->message);
	cr_assert_eq(in.get_schema(&in, &schema), 0);
	rc = t->open(&plug_host, r, &st, err);
	if (rc == SLU_OK)
		rc = t->bind(st, &schema, &bound, err);
	if (rc == SLU_OK)
		rc = t->wrap(st, &in, &stream, err);
	else
		in.release(&in);
	schema.release(&schema);
	if (bound.release)
		bound.release(&bound);
	if (rc == SLU_OK)
		rc = plug_drain(&stream, out, NULL, err);
	if (p->failed) {
		*err = p->fail;
		rc = p->fail.rc;
	}
	if (st)
		t->close(st);
	plug_run_free(r);
	return rc;
}

Test(plugins_columns, keeps_renames_casts_and_masks)
{
	struct plug p;
	struct str out;
	slu_err err;

	plug_init(&p);
	str_init(&out, 1 << 20);
	p.secret = "key"
		   "-of-the-test-01";
	cr_assert_eq(
	    run(&p,
		"{\"keep\":[\"id\"],\"rename\":{\"amount\":\"total\"},\"cast\":{\"amount\":"
		"\"decimal(10,2)\"},"
		"\"mask\":{\"email\":{\"method\":\"hmac\",\"key\":\"pii\"},\"phone\":\"drop\"}}",
		COLS,
		"{\"id\":1,\"email\":\"a@b\",\"phone\":\"1\",\"amount\":\"1.5\"}\n"
		"{\"id\":2,\"email\":null,\"phone\":\"1\",\"amount\":null}\n"
		"{\"id\":3,\"email\":\"a@b\",\"phone\":\"1\",\"amount\":\"-0.01\"}\n",
		&out, &err),
	    SLU_OK, "%s", err.message);
	/* printf 'a@b' | openssl dgst -sha256 -hmac key-of-the-test-01 */
	cr_assert_str_eq(str_peek(&out),
	    "{\"id\":1,\"email\":\"2bb9549d70ee427152593e9a161e29c2\",\"total\":1.50}\n{\"id\":2,"
	    "\"email\":null,\"total\":null}\n"
	    "{\"id\":3,\"email\":\"2bb9549d70ee427152593e9a161e29c2\",\"total\":-0.01}\n");
	str_done(&out);
	plug_done(&p);
	LEAK_CHECK();
}

Test(plugins_columns, an_unlisted_column_is_refused_by_default)
{
	struct plug p;
	slu_err err;

	plug_init(&p);
	cr_assert_eq(
	    run(&p, "{\"keep\":[\"id\",\"email\",\"amount\"]}", COLS, "{\"id\":1}\n", NULL, &err),
	    SLU_E_SCHEMA);
	cr_assert(strstr(err.message, "phone"), "%s", err.message);
	cr_assert_eq(run(&p, "{\"keep\":[\"id\",\"nothere\"],\"unlisted\":\"keep\"}", COLS,
			 "{\"id\":1}\n", NULL, &err),
	    SLU_E_SCHEMA);
	cr_assert_eq(run(&p,
			 "{\"mask\":{\"email\":{\"method\":\"hmac\",\"key\":\"pii\"}},\"unlisted\":"
			 "\"keep\"}",
			 COLS, "{\"id\":1}\n", NULL, &err),
	    SLU_E_CONFIG, "no key");
	cr_assert_eq(run(&p, "{\"mask\":{\"email\":\"rot13\"},\"unlisted\":\"keep\"}", COLS,
			 "{\"id\":1}\n", NULL, &err),
	    SLU_E_CONFIG);
	cr_assert_eq(run(&p,
			 "{\"mask\":{\"id\":\"drop\"},\"rename\":{\"email\":\"phone\"},"
			 "\"unlisted\":\"keep\"}",
			 COLS, "{\"id\":1}\n", NULL, &err),
	    SLU_E_SCHEMA, "two columns of one name");
	plug_done(&p);
	LEAK_CHECK();
}

Test(plugins_columns, a_value_that_cannot_be_cast_rejects_its_row_only)
{
	struct plug p;
	struct str out;
	slu_err err;

	plug_init(&p);
	str_init(&out, 1 << 20);
	p.max_rejects = 1;
	cr_assert_eq(run(&p,
			 "{\"cast\":{\"amount\":\"int64\"},\"mask\":{\"email\":\"redact\","
			 "\"phone\":\"drop\"},\"unlisted\":\"keep\"}",
			 COLS,
			 "{\"id\":1,\"email\":\"x\",\"amount\":\"7\"}\n{\"id\":2,\"email\":\"y\","
			 "\"amount\":\"1.5\"}\n"
			 "{\"id\":3,\"email\":null,\"amount\":\"9\"}\n",
			 &out, &err),
	    SLU_OK, "%s", err.message);
	cr_assert_str_eq(str_peek(&out),
	    "{\"id\":1,\"email\":\"***\",\"amount\":7}\n{\"id\":3,\"email\":null,\"amount\":9}\n");
	cr_assert_str_eq(p.reject_column, "amount");
	p.max_rejects = p.rejected;
	cr_assert_eq(run(&p, "{\"cast\":{\"amount\":\"int64\"},\"unlisted\":\"drop\"}", COLS,
			 "{\"amount\":\"x\"}\n", NULL, &err),
	    SLU_E_DATA);
	str_done(&out);
	plug_done(&p);
	LEAK_CHECK();
}

Test(plugins_columns, columns_that_stay_pass_whatever_their_type)
{
	static const char cols[] = "{\"a\":\"decimal(38,8)\",\"b\":\"timestamp(Asia/"
				   "Tokyo)\",\"c\":\"binary\",\"d\":\"bool\",\"e\":\"uint64\"}";
	static const char row[] = "{\"a\":123456789012345678901234567890.12345678,\"b\":\"2026-11-"
				  "21T00:00:00Z\",\"c\":\"AAEC\",\"d\":true,"
				  "\"e\":18446744073709551615}\n";
	struct plug p;
	struct str out;
	slu_err err;

	plug_init(&p);
	str_init(&out, 1 << 20);
	cr_assert_eq(
	    run(&p, "{\"unlisted\":\"keep\"}", cols, row, &out, &err), SLU_OK, "%s", err.message);
	cr_assert_str_eq(str_peek(&out), row);
	str_done(&out);
	plug_done(&p);
	LEAK_CHECK();
}
