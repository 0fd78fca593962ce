/* Growing arrays. */
#include "core/base/vec.h"

#include "tests/unit/leak.h"

#include <criterion/criterion.h>

Test(base_vec, keeps_what_is_added_while_it_grows)
{
	VEC(int) v = {0};
	int i;

	for (i = 0; i < 1000; i++)
		VEC_ADD(&v, i);
	cr_assert_eq(v.n, 1000);
	for (i = 0; i < 1000; i++)
		cr_assert_eq(v.v[i], i);
	VEC_CLEAR(&v);
	cr_assert_eq(v.n, 0);
	*VEC_PUSH(&v) = 5;
	cr_assert_eq(v.v[0], 5);
	VEC_DONE(&v);
	cr_assert_null(v.v);
	cr_assert_eq(v.cap, 0);
	LEAK_CHECK();
}
