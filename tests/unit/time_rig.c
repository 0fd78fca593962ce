/* time_rig.c: see time_rig.h. */
#include "tests/unit/time_rig.h"

#include "core/base/clock.h"

#include <criterion/criterion.h>

const struct tz *zone_of(const char *name)
{
	const struct tz *zone = NULL;
	struct err e = {0};

	cr_assert_eq(tz_load(name, &zone, &e), 0, "%s", e.text);
	return zone;
}

wall_us at(const char *rfc3339)
{
	wall_us t;

	cr_assert_eq(clock_parse(rfc3339, &t), 0, "%s", rfc3339);
	return t;
}
