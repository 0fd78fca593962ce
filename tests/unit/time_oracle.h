/* time_oracle.h: what the time library must give, found by looking at every minute. Slow, plain,
 * and without a line of the library but tz_offset, which is compared with the C library's own. */
#ifndef TESTS_UNIT_TIME_ORACLE_H
#define TESTS_UNIT_TIME_ORACLE_H

#include "core/time/cron.h"

#include <stdbool.h>

#define ORACLE_FIELD 40 /* room for a field */
#define ORACLE_HOURS 52 /* before and behind the change */
#define ORACLE_MINUTES (2 * ORACLE_HOURS * 60)
#define ORACLE_SPAN                                                                                \
	(ORACLE_MINUTES + 2 * 1500) /* civil minutes, with a change by a day both ways */

struct oracle {
	wall_us from;		       /* minute 0 */
	int64_t label[ORACLE_MINUTES]; /* civil minute that the wall shows at each real one */
	int64_t low;		       /* smallest civil minute */
	int first[ORACLE_SPAN];	       /* real minute that shows it, -1 none */
	int second[ORACLE_SPAN];       /* the second one, -1 none */
	bool match[ORACLE_SPAN];       /* the expression matches the civil minute */
	bool runs[ORACLE_MINUTES];     /* the answer */
};

/* False where an offset around the change has seconds, or times are shown more than twice. */
bool oracle_look(struct oracle *o, const struct tz *zone, wall_us change);
/* Five fields of numbers, lists, ranges, steps and *; in the days also L, L-n, nW, LW, nL, n#k. */
void oracle_fields(const char *expr, char field[5][ORACLE_FIELD]);
bool oracle_day(char field[5][ORACLE_FIELD], const struct tz_date *d);
void oracle_match(struct oracle *o, const char *expr);
void oracle_run(struct oracle *o, bool elapsed, enum cron_gap gap, enum cron_overlap overlap);

#endif
