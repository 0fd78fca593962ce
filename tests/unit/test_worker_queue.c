/* The queue between the lanes: order, bounds, ends. */
#include "core/worker/lane.h"
#include "core/worker/queue.h"
#include "tests/unit/leak.h"

#include <criterion/criterion.h>
#include <stdatomic.h>
#include <string.h>
#include <unistd.h>

static atomic_int released;

static void release(struct ArrowArray *a)
{
	atomic_fetch_add(&released, 1);
	a->release = NULL;
}

static struct ArrowArray item(int64_t n)
{
	return (struct ArrowArray){.length = n, .release = release};
}

static void push_ten(void *arg)
{
	int64_t i;

	for (i = 0; i < 10; i++) {
		struct ArrowArray a = item(i);

		if (!queue_push(arg, &a, 100))
			return;
	}
	queue_end(arg);
}

Test(worker_queue, keeps_order_within_its_bound)
{
	struct queue *q = queue_new(250);
	struct lane *l = lane_new("push");
	struct ArrowArray a;
	int64_t bytes, i;

	lane_start(l, push_ten, q);
	for (i = 0; i < 10; i++) {
		cr_assert_eq(queue_pop(q, &a, &bytes), QUEUE_ITEM);
		cr_assert_eq(a.length, i);
		cr_assert_eq(bytes, 100);
		a.release(&a);
	}
	cr_assert_eq(queue_pop(q, &a, &bytes), QUEUE_END);
	lane_free(l);
	queue_free(q);
	LEAK_CHECK();
}

Test(worker_queue, one_batch_always_fits_and_a_break_wakes_the_pusher)
{
	struct queue *q = queue_new(10);
	struct lane *l = lane_new("push");
	struct ArrowArray a;
	int64_t bytes;

	atomic_store(&released, 0);
	lane_start(l, push_ten, q); /* the first is over the bound and goes in, the second waits */
	cr_assert_eq(queue_pop(q, &a, &bytes), QUEUE_ITEM);
	a.release(&a);
	queue_break(q);
	lane_free(l);
	cr_assert_eq(queue_pop(q, &a, &bytes), QUEUE_BROKEN);
	cr_assert_null(queue_wait_schema(q));
	queue_free(q);
	cr_assert_leq(atomic_load(&released), 3);
	cr_assert_geq(atomic_load(&released), 2, "what was taken and what was turned away");
	LEAK_CHECK();
}
