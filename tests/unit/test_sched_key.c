/* Keys: order is priority, then age; what is built can be read back. */
#include "core/sched/key.h"
#include "leak.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

static int order(const struct key *a, const struct key *b)
{
	size_t n = a->n < b->n ? a->n : b->n;
	int c = memcmp(a->b, b->b, n);

	return c != 0 ? c : (a->n > b->n) - (a->n < b->n);
}

Test(sched_key, ready_sorts_by_priority_then_age_then_run)
{
	static const struct {
		int priority;
		wall_us at;
		struct step_ref ref;
	} in_order[] = {{500, 9, {9, 9, 9}}, {127, 9, {9, 9, 9}}, {5, 1000, {9, 9, 9}},
	    {5, 2000, {1, 0, 0}}, {5, 2000, {1, 0, 1}}, {5, 2000, {1, 1, 0}}, {5, 2000, {2, 0, 0}},
	    {0, 0, {0, 0, 0}}, {-5, 0, {0, 0, 0}}, {-127, 0, {0, 0, 0}}};

	for (size_t i = 0; i + 1 < sizeof(in_order) / sizeof(in_order[0]); i++) {
		struct key a, b;
		struct step_ref back;

		key_ready(&a, in_order[i].priority, in_order[i].at, &in_order[i].ref);
		key_ready(&b, in_order[i + 1].priority, in_order[i + 1].at, &in_order[i + 1].ref);
		cr_assert_leq(order(&a, &b), 0, "case %zu", i);
		cr_assert_eq(key_tail_step((struct slice){a.b, a.n}, &back), 0);
		cr_assert(back.run == in_order[i].ref.run && back.step == in_order[i].ref.step &&
			  back.item == in_order[i].ref.item);
	}
	LEAK_CHECK();
}

/* wake-up takes the ready key out of the blocked key by cutting the resource's name off */
Test(sched_key, blocked_is_the_resource_and_then_the_ready_key)
{
	struct step_ref ref = {3, 2, 1};
	struct key blocked, ready;

	key_blocked(&blocked, "pool:db", 4, 77000, &ref);
	key_ready(&ready, 4, 77000, &ref);
	cr_assert_eq(blocked.n, ready.n + 8);
	cr_assert_eq(memcmp(blocked.b + 8, ready.b, ready.n), 0);
	LEAK_CHECK();
}

Test(sched_key, due_is_never_before_its_instant_and_reads_back)
{
	struct step_ref ref = {3, 2, 1};
	struct due_key d;
	struct key k;

	key_due_retry(&k, 1001, &ref);
	cr_assert_eq(key_parse_due((struct slice){k.b, k.n}, &d), 0);
	cr_assert_eq(d.at, 2000);
	cr_assert_eq(d.kind, DUE_RETRY);
	cr_assert_eq(d.step.item, 1);
	key_due_cron(&k, 5000000, 9, "nightly");
	cr_assert_eq(key_parse_due((struct slice){k.b, k.n}, &d), 0);
	cr_assert(d.at == 5000000 && d.kind == DUE_CRON && d.dag_no == 9);
	cr_assert_str_eq(d.trigger, "nightly");
	key_due_run(&k, 1, DUE_RUN_TIMEOUT, 42);
	cr_assert_eq(key_parse_due((struct slice){k.b, k.n}, &d), 0);
	cr_assert(d.run == 42 && d.kind == DUE_RUN_TIMEOUT);
	for (size_t n = 0; n < k.n; n++)
		cr_assert_eq(key_parse_due((struct slice){k.b, n}, &d), ERR_CORRUPT);
	LEAK_CHECK();
}

Test(sched_key, longest_texts_fit)
{
	char dag[PLAN_NAME_MAX], item[PLAN_KEY_MAX];
	struct step_ref ref = {UINT64_MAX, UINT16_MAX, UINT32_MAX};
	char resource[512];
	struct key k;

	memset(dag, 'd', sizeof(dag) - 1);
	memset(item, 'i', sizeof(item) - 1);
	dag[sizeof(dag) - 1] = item[sizeof(item) - 1] = 0;
	snprintf(resource, sizeof(resource), "only:%s/%s/%s", dag, dag, item);
	key_blocked(&k, resource, 0, INT64_MAX, &ref);
	cr_assert_lt(k.n, VIEW_KEY_MAX);
	key_join_member(&k, 1, dag, item, 2);
	cr_assert_lt(k.n, VIEW_KEY_MAX);
	key_cursor(&k, dag, dag, item);
	cr_assert_lt(k.n, VIEW_KEY_MAX);
	LEAK_CHECK();
}
