/* What the host itself knows of Arrow: sizes, values, metadata. Bad arrays are in
 * test_worker_pipeline. */
#include "core/worker/arrow.h"
#include "tests/unit/leak.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

static void no_release(struct ArrowArray *a)
{
	a->release = NULL;
}

/* Row 1 of one column, as JSON. */
static const char *value(const char *format, const void *validity, const void *data,
    const void *bytes, int64_t n_buffers)
{
	static char text[256];
	const void *buffers[3] = {validity, data, bytes};
	struct ArrowSchema schema = {.format = format, .name = "c"};
	struct ArrowArray array = {
	    .length = 2, .n_buffers = n_buffers, .buffers = buffers, .release = no_release};
	struct str out;
	struct jw w;

	str_init(&out, sizeof(text) - 1);
	jw_init(&w, &out);
	arrow_write_value(&w, &schema, &array, 1);
	snprintf(text, sizeof(text), "%s", str_peek(&out));
	str_done(&out);
	return text;
}

Test(worker_arrow, writes_values_of_every_type_exactly)
{
	const int64_t big[2] = {0, -5};
	const int64_t us[2] = {0, 1795186800000001};
	const int32_t days[2] = {0, -719529}, offsets[3] = {0, 2, 5};
	const uint64_t u64[2] = {0, UINT64_MAX};
	const double f[2] = {0, 0.1};
	const uint8_t bits[1] = {2}, none[1] = {0};
	__int128 dec[2] = {0, -12345};

	cr_assert_str_eq(value("l", NULL, big, NULL, 2), "-5");
	cr_assert_str_eq(value("L", NULL, u64, NULL, 2), "18446744073709551615");
	cr_assert_str_eq(value("g", NULL, f, NULL, 2), "0.1");
	cr_assert_str_eq(value("b", NULL, bits, NULL, 2), "true");
	cr_assert_str_eq(value("l", none, big, NULL, 2), "null");
	cr_assert_str_eq(value("u", NULL, offsets, "abcde", 3), "\"cde\"");
	cr_assert_str_eq(value("z", NULL, offsets, "abcde", 3), "\"636465\"");
	cr_assert_str_eq(value("tdD", NULL, days, NULL, 2), "\"-001-12-31\"", "%s",
	    value("tdD", NULL, days, NULL, 2));
	cr_assert_str_eq(value("tsu:UTC", NULL, us, NULL, 2), "\"2026-11-20T15:00:00.000001Z\"");
	cr_assert_str_eq(value("d:10,3", NULL, dec, NULL, 2), "\"-12.345\"");
	cr_assert_str_eq(value("d:10,7", NULL, dec, NULL, 2), "\"-0.0012345\"");
	cr_assert_str_eq(value("+s", NULL, NULL, NULL, 1), "null");
	LEAK_CHECK();
}

Test(worker_arrow, counts_the_bytes_that_are_used)
{
	const int32_t offsets[4] = {0, 10, 20, 50};
	const void *buffers[3] = {NULL, offsets, "x"};
	struct ArrowSchema schema = {.format = "u", .name = "c"};
	struct ArrowArray array = {
	    .length = 2, .offset = 1, .n_buffers = 3, .buffers = buffers, .release = no_release};

	cr_assert_eq(arrow_bytes(&schema, &array), 1 + 2 * 4 + 40);
	LEAK_CHECK();
}

Test(worker_arrow, copies_schemas_deep)
{
	static const char metadata[] = {1, 0, 0, 0, 1, 0, 0, 0, 'k', 2, 0, 0, 0, 'v', 'w'};
	struct ArrowSchema child = {.format = "l", .name = "id", .metadata = metadata},
			   *children[1] = {&child};
	struct ArrowSchema schema = {.format = "+s",
			       .name = "",
			       .n_children = 1,
			       .children = children},
			   copy;
	char text[8];

	arrow_schema_copy(&schema, &copy);
	cr_assert(arrow_schema_equal(&schema, &copy));
	cr_assert_neq(copy.children[0], &child);
	cr_assert(arrow_metadata(copy.children[0], "k", text, sizeof(text)));
	cr_assert_str_eq(text, "vw");
	cr_assert_not(arrow_metadata(copy.children[0], "x", text, sizeof(text)));
	child.name = "other";
	cr_assert_not(arrow_schema_equal(&schema, &copy));
	copy.release(&copy);
	LEAK_CHECK();
}
