/* Building and reading batches. */
#include "sluice/kit/batch.h"

#include "tests/unit/leak.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void columns(slu_fields *f)
{
	slu_field *d;

	memset(f, 0, sizeof(*f));
	(void)slu_fields_add(f, "b", SLU_BOOL, NULL);
	(void)slu_fields_add(f, "i", SLU_INT64, NULL);
	(void)slu_fields_add(f, "t", SLU_UTF8, NULL);
	d = slu_fields_add(f, "d", SLU_DECIMAL, NULL);
	d->precision = 38;
	d->scale = 2;
}

Test(kit_batch, gives_back_what_was_put_with_nulls_at_every_place)
{
	slu_err err = {.size = sizeof(err)};
	struct ArrowArray a;
	slu_col cols[4];
	slu_builder *b;
	slu_fields f;
	char text[32];
	int64_t i;
	size_t n;

	columns(&f);
	b = slu_builder_new(&f, UINT64_MAX);
	for (i = 0; i < 5000; i++) { /* over the first capacity, so that bitmaps grow */
		if (i % 3)
			slu_put_i64(b, 0, i % 2);
		if (i % 5)
			slu_put_i64(b, 1, -i);
		(void)snprintf(text, sizeof(text), "row %lld", (long long)i);
		slu_put_str(b, 2, i % 7 ? text : NULL);
		if (i % 11)
			slu_put_decimal(b, 3, (slu_i128)i << 70);
		cr_assert_eq(slu_row_end(b, &err), SLU_OK, "%s", err.message);
	}
	cr_assert_eq(slu_builder_take(b, &a, &err), SLU_OK);
	cr_assert_eq(a.length, 5000);
	cr_assert_eq(slu_batch_read(&a, &f, cols, &err), SLU_OK, "%s", err.message);
	for (i = 0; i < 5000; i++) {
		const char *s;

		cr_assert_eq(slu_is_null(&cols[0], i), i % 3 == 0);
		cr_assert(i % 3 == 0 || slu_get_i64(&cols[0], i) == i % 2);
		cr_assert_eq(slu_is_null(&cols[1], i), i % 5 == 0);
		cr_assert(i % 5 == 0 || slu_get_i64(&cols[1], i) == -i);
		(void)snprintf(text, sizeof(text), "row %lld", (long long)i);
		s = slu_get_bytes(&cols[2], i, &n);
		cr_assert(i % 7 == 0 ? slu_is_null(&cols[2], i) && n == 0
				     : n == strlen(text) && memcmp(s, text, n) == 0);
		cr_assert(i % 11 == 0 || slu_get_decimal(&cols[3], i) == (slu_i128)i << 70);
	}
	a.release(&a);
	slu_builder_free(b);
	slu_fields_done(&f);
	LEAK_CHECK();
}

Test(kit_batch, a_dropped_row_leaves_nothing)
{
	slu_err err = {.size = sizeof(err)};
	struct ArrowArray a;
	slu_builder *b;
	slu_col cols[4];
	slu_fields f;
	size_t n;

	columns(&f);
	b = slu_builder_new(&f, 0);
	slu_put_str(b, 2, "kept");
	cr_assert_eq(slu_row_end(b, &err), SLU_OK);
	slu_put_i64(b, 0, 1);
	slu_put_null(b, 1);
	slu_put_str(b, 2, "dropped");
	slu_row_drop(b);
	slu_put_i64(b, 1, 7);
	slu_put_str(b, 2, "");
	cr_assert_eq(slu_row_end(b, &err), SLU_OK);
	cr_assert_eq(slu_builder_take(b, &a, &err), SLU_OK);
	cr_assert_eq(slu_batch_read(&a, &f, cols, &err), SLU_OK);
	cr_assert_eq(a.length, 2);
	cr_assert(slu_is_null(&cols[0], 1) && !slu_is_null(&cols[1], 1));
	cr_assert_eq(slu_get_i64(&cols[1], 1), 7);
	(void)slu_get_bytes(&cols[2], 1, &n);
	cr_assert(n == 0 && !slu_is_null(&cols[2], 1));
	a.release(&a);
	slu_builder_free(b);
	slu_fields_done(&f);
	LEAK_CHECK();
}

Test(kit_batch, misuse_is_an_error_and_not_a_crash)
{
	slu_err err = {.size = sizeof(err)};
	slu_builder *b;
	slu_fields f;

	columns(&f);
	cr_assert_null(slu_fields_add(&f, "b", SLU_BOOL, &err));
	cr_assert_null(slu_fields_add(&f, "", SLU_BOOL, &err));
	b = slu_builder_new(&f, 0);
	slu_put_i64(b, 2, 1); /* a number into a text column */
	cr_assert_eq(slu_row_end(b, &err), SLU_E_DATA);
	slu_put_i64(b, 1, 1);
	slu_put_i64(b, 1, 2); /* twice */
	cr_assert_eq(slu_row_end(b, &err), SLU_E_DATA);
	slu_put_i64(b, 99, 1);
	cr_assert_eq(slu_row_end(b, &err), SLU_E_DATA);
	slu_put_u64(b, 1, UINT64_MAX);
	cr_assert_eq(slu_row_end(b, &err), SLU_E_DATA);
	slu_put_i64(b, 1, 1);
	cr_assert_eq(slu_row_end(b, &err), SLU_OK);
	cr_assert_eq(slu_builder_rows(b), 1);
	slu_builder_free(b);
	slu_fields_done(&f);
	LEAK_CHECK();
}

Test(kit_batch, is_full_at_its_bytes_whatever_the_rows_weigh)
{
	slu_err err = {.size = sizeof(err)};
	char *big = calloc(1, 100000);
	slu_builder *b;
	slu_fields f;
	int rows = 0;

	columns(&f);
	b = slu_builder_new(&f, 1 << 20);
	memset(big, 'x', 99999);
	while (!slu_builder_full(b)) {
		slu_put_str(b, 2, big);
		cr_assert_eq(slu_row_end(b, &err), SLU_OK);
		rows++;
	}
	cr_assert_eq(rows, 11);
	slu_builder_free(b);
	slu_fields_done(&f);
	free(big);
	LEAK_CHECK();
}

Test(kit_batch, schemas_go_out_and_come_in)
{
	static const char *const names[] = {"bool", "int8", "uint64", "float32", "decimal(38,8)",
	    "text", "json", "binary", "date", "timestamp", "timestamp(Asia/Tokyo)",
	    "timestamp_local"};
	slu_err err = {.size = sizeof(err)};
	slu_fields f = {0}, back;
	struct ArrowSchema s;
	char text[96], name[16];
	size_t i;

	for (i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		slu_field *v;

		(void)snprintf(name, sizeof(name), "c%zu", i);
		v = slu_fields_add(&f, name, 0, &err);
		cr_assert_eq(slu_type_parse(names[i], v, &err), SLU_OK, "%s", err.message);
		memcpy(v->role, i % 2 ? "cursor" : "", i % 2 ? 7 : 1);
		v->not_null = i % 3 == 0;
	}
	cr_assert_eq(slu_schema_make(&f, &s, &err), SLU_OK);
	cr_assert_eq(slu_schema_read(&s, &back, &err), SLU_OK, "%s", err.message);
	for (i = 0; i < f.n; i++) {
		cr_expect_str_eq(slu_type_text(&back.v[i], text), names[i]);
		cr_expect_str_eq(back.v[i].role, f.v[i].role);
		cr_expect_eq(back.v[i].not_null, f.v[i].not_null);
	}
	s.children[0]->format = "+l";
	slu_fields_done(&back);
	cr_assert_eq(slu_schema_read(&s, &back, &err), SLU_E_UNSUPPORTED);
	s.release(&s);
	slu_fields_done(&f);
	LEAK_CHECK();
}
