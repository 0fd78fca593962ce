/* cron_impl.h: what cron_parse.c and cron.c share. */
#ifndef CORE_TIME_CRON_IMPL_H
#define CORE_TIME_CRON_IMPL_H

#include "core/time/cron.h"

struct cron_day {
	int month, day, month_days; /* 1-12, 1-31, 28-31 */
	int weekday;		    /* 0 Sunday */
};
bool cron_day_matches(const struct cron *cron, const struct cron_day *d);

#endif
