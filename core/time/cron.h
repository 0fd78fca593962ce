/* cron.h: cron expressions, exactly as sluice-dag(5) says. Pure functions of expression, zone,
 * instant and the two rules for clock changes. */
#ifndef CORE_TIME_CRON_H
#define CORE_TIME_CRON_H

#include "core/base/err.h"
#include "core/time/tz.h"

/* A fixed civil time that the day skips / that occurs twice. */
enum cron_gap { CRON_RUN_AFTER, CRON_SHIFT, CRON_SKIP };
enum cron_overlap { CRON_FIRST, CRON_SECOND, CRON_BOTH };
int cron_gap_parse(const char *text, enum cron_gap *ret) CHECK_RESULT; /* run_after shift skip */
int cron_overlap_parse(
    const char *text, enum cron_overlap *ret) CHECK_RESULT; /* first second both */

/* Plain data: copy it, keep it, no free. Set by cron_parse only. */
struct cron {
	uint64_t minutes;	 /* bit m */
	uint32_t hours;		 /* bit h */
	uint32_t days;		 /* bit d, 1-31 */
	uint32_t days_from_last; /* bit n of L-n; bit 0 is L */
	uint32_t days_weekday;	 /* bit d of dW; bit 0 is LW */
	uint16_t months;	 /* bit m, 1-12 */
	uint8_t weekdays;	 /* bit w, 0 Sunday */
	uint8_t weekdays_last;	 /* bit w of wL */
	uint8_t weekdays_nth[6]; /* [k]: bit w of w#k, k 1-5 */
	bool both_days;		 /* a day field begins with *: both must match, else either */
	bool elapsed;		 /* all 24 hours: follows elapsed time, not civil times */
};

/* Five fields or @daily and friends. ERR_PARSE with field and cure in the text; an expression that
 * can never match is one of these errors. */
int cron_parse(const char *text, struct cron *ret, struct err *err) CHECK_RESULT;

/* The first instant later than `after`. ERR_NOT_FOUND when none ever comes (in 400 years); quick in
 * every case. */
int cron_next(const struct cron *cron, const struct tz *zone, wall_us after, enum cron_gap gap,
    enum cron_overlap overlap, wall_us *ret_at) CHECK_RESULT;

/* The last instant earlier than `before`. ERR_NOT_FOUND when there was none in 400 years. */
int cron_prev(const struct cron *cron, const struct tz *zone, wall_us before, enum cron_gap gap,
    enum cron_overlap overlap, wall_us *ret_at) CHECK_RESULT;

/* What a clock change did to the instant that cron_next gave, in words for `sluice next`; NULL for
 * nothing. */
const char *cron_note(const struct cron *cron, const struct tz *zone, wall_us at, enum cron_gap gap,
    enum cron_overlap overlap);

#endif
