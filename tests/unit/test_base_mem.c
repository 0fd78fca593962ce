/* Allocation. */
#include "core/base/mem.h"

#include "tests/unit/leak.h"

#include <criterion/criterion.h>
#include <signal.h>
#include <stdint.h>
#include <string.h>

Test(base_mem, zero_bytes_are_still_an_object)
{
	void *a = mem_alloc(0), *b = mem_zalloc(0), *c = mem_calloc(0, 8);

	cr_assert_not_null(a);
	cr_assert_not_null(b);
	cr_assert_not_null(c);
	a = mem_realloc(a, 0);
	cr_assert_not_null(a);
	mem_free(a);
	mem_free(b);
	mem_free(c);
	mem_free(NULL);
	LEAK_CHECK();
}

Test(base_mem, copies_text_and_bytes)
{
	char *a = mem_strdup("abc"), *b = mem_strndup("abcdef", 3), *c = mem_strndup("ab", 9);
	char *d = mem_dup("a\0b", 3);

	cr_assert_str_eq(a, "abc");
	cr_assert_str_eq(b, "abc");
	cr_assert_str_eq(c, "ab");
	cr_assert_arr_eq(d, "a\0b", 3);
	mem_free(a);
	mem_free(b);
	mem_free(c);
	mem_free(d);
	LEAK_CHECK();
}

Test(base_mem, zeroes)
{
	struct thing {
		int a[64];
	} *t = MEM_NEW(struct thing);
	int i;

	for (i = 0; i < 64; i++)
		cr_assert_eq(t->a[i], 0);
	mem_free(t);
	LEAK_CHECK();
}

Test(base_mem, bounded_allocation_stops_at_its_maximum)
{
	void *p = mem_try_alloc(100, 100), *q;

	cr_assert_not_null(p);
	cr_assert_null(mem_try_alloc(101, 100));
	cr_assert_null(mem_try_realloc(p, 101, 100));
	q = mem_try_realloc(p, 50, 100);
	cr_assert_not_null(q);
	mem_free(q);
	LEAK_CHECK();
}

#if defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define THREAD_SANITIZER 1
#endif
#endif

/* ThreadSanitizer's own allocator ends the program at such a product, before we see it. */
#if !defined(THREAD_SANITIZER) && !defined(__SANITIZE_THREAD__)
Test(base_mem, a_product_that_overflows_aborts, .signal = SIGABRT)
{
	volatile size_t n = SIZE_MAX / 2;

	mem_free(mem_calloc(n, 4));
}
#endif

#ifdef LEAK_HAVE_LSAN
__attribute__((noinline)) static void lose(void)
{
	char *volatile p = mem_alloc(100);

	p[0] = 1;
	p = NULL;
}
#endif

/* The harness's own proof: where leaks can be seen, a lost object is seen. */
Test(base_mem, the_leak_assertion_sees_a_leak)
{
#ifdef LEAK_HAVE_LSAN
	lose();
	cr_assert(__lsan_do_recoverable_leak_check() != 0);
#else
	LEAK_CHECK();
#endif
}
