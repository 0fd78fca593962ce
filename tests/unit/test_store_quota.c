/* Levels of limits.store: where they begin, and that they end only when it is clearly better. */
#include "core/store/quota.h"
#include "leak.h"

#include <criterion/criterion.h>

Test(store_quota, levels_begin_and_end_apart)
{
	static const struct {
		enum quota_level was;
		uint64_t live;
		enum quota_level is;
	} cases[] = {
	    {QUOTA_OK, 699, QUOTA_OK},
	    {QUOTA_OK, 700, QUOTA_ALARM},
	    {QUOTA_ALARM, 660, QUOTA_ALARM},
	    {QUOTA_ALARM, 650, QUOTA_OK},
	    {QUOTA_ALARM, 849, QUOTA_ALARM},
	    {QUOTA_ALARM, 850, QUOTA_REFUSE},
	    {QUOTA_REFUSE, 810, QUOTA_REFUSE},
	    {QUOTA_REFUSE, 800, QUOTA_ALARM},
	    {QUOTA_REFUSE, 100, QUOTA_OK},
	    {QUOTA_OK, 5000, QUOTA_REFUSE},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		cr_assert_eq(
		    quota_level_of(cases[i].was, cases[i].live, 1000), cases[i].is, "case %zu", i);
	cr_assert_eq(quota_level_of(QUOTA_REFUSE, 5000, 0), QUOTA_OK, "no limit");
	LEAK_CHECK();
}

Test(store_quota, only_new_work_is_refused)
{
	struct quota full = {.level = QUOTA_REFUSE}, low = {.disk_low = true};

	for (int k = 0; k < OP_KIND_N; k++) {
		struct op op = {.kind = (enum op_kind)k};
		bool is_new = k == OP_EVENT || k == OP_START || k == OP_BACKFILL || k == OP_TOUCH;
		int want = is_new ? ERR_FULL : 0;
		struct err err = {0};

		cr_assert_eq(quota_refuses(&full, &op, &err), want);
		cr_assert_eq(quota_refuses(&low, &op, &err), want);
	}
	LEAK_CHECK();
}
