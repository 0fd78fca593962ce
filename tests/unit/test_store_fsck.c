/* The sweep of fsck finds one flipped bit in any table and names it. */
#include "core/store/env.h"

#include "leak.h"
#include "test_store_help.h"

#include <criterion/criterion.h>
#include <string.h>

Test(store_fsck, a_fresh_store_is_clean)
{
	struct temp_store t;
	struct store_read *r;
	struct fsck_report report;
	struct err err = {0};

	temp_store_make(&t, true);
	cr_assert_eq(store_read_new(t.store, &r, &err), 0);
	cr_assert_eq(fsck_run(store_read_begin(r), &report, &err), 0, "%s", err.text);
	cr_assert_eq(report.problems, 0, "%s", str_peek(&report.text));
	cr_assert_geq(report.records, 3);
	fsck_done(&report);
	store_read_free(r);
	temp_store_remove(&t);
	LEAK_CHECK();
}

Test(store_fsck, names_table_and_key_of_a_bad_value)
{
	static const enum table tables[] = {TABLE_PLAN, TABLE_STEP_DOC, TABLE_AUDIT};
	struct temp_store t;
	struct store_read *r;
	struct fsck_report report;
	struct err err = {0};

	for (size_t i = 0; i < sizeof(tables) / sizeof(tables[0]); i++) {
		temp_store_make(&t, true);
		temp_store_damage(&t, tables[i]);
		cr_assert_eq(store_read_new(t.store, &r, &err), 0);
		cr_assert_eq(fsck_run(store_read_begin(r), &report, &err), 0, "%s", err.text);
		cr_assert_geq(report.problems, 1);
		cr_assert(strstr(str_peek(&report.text), table_name(tables[i])));
		cr_assert(
		    strstr(str_peek(&report.text), "76696374696d"), "%s", str_peek(&report.text));
		fsck_done(&report);
		store_read_free(r);
		temp_store_remove(&t);
	}
	LEAK_CHECK();
}
