/* Which classes are tried again, how often, and when. */
#include "core/sched/retry.h"
#include "leak.h"

#include <criterion/criterion.h>

#define DEFAULTS                                                                                   \
	(1u << CLASS_TRANSIENT | 1u << CLASS_TIMEOUT | 1u << CLASS_QUOTA | 1u << CLASS_LOST)

static struct plan_step step(uint32_t attempts, uint32_t classes)
{
	struct plan_step p = {.retry = {.attempts = attempts,
				  .delay_ms = 1000,
				  .max_delay_ms = 5000,
				  .backoff = 2,
				  .jitter = 0,
				  .classes = classes}};
	return p;
}

Test(sched_retry, table_of_classes)
{
	static const struct {
		enum step_class class_;
		uint32_t used, lost;
		int64_t after, delay; /* delay -1: not again */
	} cases[] = {
	    {CLASS_TRANSIENT, 1, 0, 0, 1000},
	    {CLASS_TRANSIENT, 2, 0, 0, 2000},
	    {CLASS_TRANSIENT, 3, 0, 0, -1},
	    {CLASS_TIMEOUT, 1, 0, 0, 1000},
	    {CLASS_QUOTA, 1, 0, 90000, 90000},
	    {CLASS_QUOTA, 1, 0, 10, 1000},
	    {CLASS_CONFIG, 1, 0, 0, -1},
	    {CLASS_AUTH, 1, 0, 0, -1},
	    {CLASS_DATA, 1, 0, 0, -1},
	    {CLASS_SCHEMA, 1, 0, 0, -1},
	    {CLASS_INTERNAL, 1, 0, 0, -1},
	    {CLASS_CANCELLED, 1, 0, 0, -1},
	    {CLASS_OK, 1, 0, 0, -1},
	    {CLASS_LOST, 0, 1, 0, 0},
	    {CLASS_LOST, 0, 2, 0, 1000},
	    {CLASS_LOST, 3, 3, 0, 2000},
	    {CLASS_LOST, 0, 4, 0, -1},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct plan_step p = step(3, DEFAULTS);
		struct retry_case c = {
		    cases[i].class_, cases[i].used, cases[i].lost, cases[i].after};
		uint64_t random = 1;
		int64_t delay = -1;
		bool again = retry_decide(&p, &c, &random, &delay);

		cr_assert_eq(again, cases[i].delay >= 0, "case %zu", i);
		if (again)
			cr_assert_eq(delay, cases[i].delay, "case %zu: %lld", i, (long long)delay);
	}
	LEAK_CHECK();
}

Test(sched_retry, classes_of_the_file_override)
{
	struct plan_step p = step(2, 1u << CLASS_DATA);
	struct retry_case data = {CLASS_DATA, 1, 0, 0}, transient = {CLASS_TRANSIENT, 1, 0, 0},
			  lost = {CLASS_LOST, 0, 1, 0};
	uint64_t random = 1;
	int64_t delay;

	cr_assert(retry_decide(&p, &data, &random, &delay));
	cr_assert(!retry_decide(&p, &transient, &random, &delay));
	cr_assert(!retry_decide(&p, &lost, &random, &delay));
	p = step(2, DEFAULTS);
	p.lost_fails = true;
	cr_assert(!retry_decide(&p, &lost, &random, &delay));
	LEAK_CHECK();
}

Test(sched_retry, jitter_stays_in_its_share_and_a_seed_reproduces_it)
{
	struct plan_step p = step(100, DEFAULTS);
	struct retry_case c = {CLASS_TRANSIENT, 1, 0, 0};
	uint64_t a = 7, b = 7;
	int64_t low = INT64_MAX, high = 0, x, y;

	p.retry.jitter = 0.2;
	for (int i = 0; i < 1000; i++) {
		cr_assert(retry_decide(&p, &c, &a, &x) && retry_decide(&p, &c, &b, &y));
		cr_assert_eq(x, y);
		low = x < low ? x : low;
		high = x > high ? x : high;
	}
	cr_assert(low >= 800 && low < 830 && high <= 1200 && high > 1170, "%lld %lld",
	    (long long)low, (long long)high);
	c.used = 60; /* far past max_delay */
	cr_assert(retry_decide(&p, &c, &a, &x));
	cr_assert(x >= 4000 && x <= 6000);
	LEAK_CHECK();
}
