/* Walks over prefixes, both ways, while entries come and go. */
#include "core/sched/view.h"
#include "leak.h"
#include "memview.h"

#include <criterion/criterion.h>
#include <string.h>

static void put(struct memview *m, const char *key)
{
	cr_assert_eq(view_put(&m->view, TABLE_META, key, strlen(key), "v", 1), 0);
}

static void expect(struct memview *m, const char *prefix, bool reverse, const char *want)
{
	char got[256] = "";
	struct view_walk w;

	view_walk_init(&w, &m->view, TABLE_META, prefix, strlen(prefix), reverse);
	while (view_walk_next(&w, NULL) == 0) {
		strncat(got, (const char *)w.key, w.key_n);
		strncat(got, " ", 1);
	}
	cr_assert_str_eq(got, want);
}

Test(sched_view, walks_a_prefix_both_ways)
{
	struct memview m;

	memview_init(&m);
	put(&m, "a");
	put(&m, "b1");
	put(&m, "b2");
	put(&m, "b3");
	put(&m, "c");
	put(&m, "\xff");
	put(&m, "\xff\xff");
	expect(&m, "b", false, "b1 b2 b3 ");
	expect(&m, "b", true, "b3 b2 b1 ");
	expect(&m, "", false, "a b1 b2 b3 c \xff \xff\xff ");
	expect(&m, "\xff", true, "\xff\xff \xff ");
	expect(&m, "x", true, "");
	memview_done(&m);
	LEAK_CHECK();
}

Test(sched_view, goes_on_after_the_entry_at_hand_is_deleted)
{
	struct view_walk w;
	struct memview m;
	int n = 0;

	memview_init(&m);
	put(&m, "b1");
	put(&m, "b2");
	put(&m, "b3");
	view_walk_init(&w, &m.view, TABLE_META, "b", 1, false);
	while (view_walk_next(&w, NULL) == 0) {
		cr_assert_eq(view_del(&m.view, TABLE_META, w.key, w.key_n), 0);
		n++;
	}
	cr_assert_eq(n, 3);
	cr_assert_eq(memview_count(&m, TABLE_META), 0);
	memview_done(&m);
	LEAK_CHECK();
}

Test(sched_view, abort_puts_everything_back)
{
	uint8_t before[HASH_SHA256_BYTES], after[HASH_SHA256_BYTES];
	struct memview m;

	memview_init(&m);
	put(&m, "a");
	put(&m, "b");
	memview_commit(&m);
	memview_sum(&m, before);
	cr_assert_eq(view_put(&m.view, TABLE_META, "a", 1, "w", 1), 0);
	cr_assert_eq(view_del(&m.view, TABLE_META, "b", 1), 0);
	put(&m, "c");
	cr_assert_eq(view_put(&m.view, TABLE_META, "a", 1, "x", 1), 0);
	memview_abort(&m);
	memview_sum(&m, after);
	cr_assert_arr_eq(before, after, sizeof(before));
	memview_done(&m);
	LEAK_CHECK();
}
