/* time_rig.h: zones and instants by their names, for the tests of core/time. */
#ifndef TESTS_UNIT_TIME_RIG_H
#define TESTS_UNIT_TIME_RIG_H

#include "core/time/tz.h"

const struct tz *zone_of(const char *name);
wall_us at(const char *rfc3339);

#endif
