/* cron.c: the next instant of an expression.
 *
 * Time is cut into stretches of one offset. Inside a stretch civil and real time run side by side,
 * so the next match is searched in civil time; what the change at the beginning of the stretch
 * skipped or repeats is decided by the rules. */
#include "core/time/cron.h"

#include "core/base/str.h"
#include "core/time/cron_impl.h"

#define DAY_S INT64_C(86400)
#define HORIZON_S (INT64_C(146097) * DAY_S) /* 400 years: the calendar repeats */
#define NEVER INT64_MAX
/* Years -9999 to 9999: far from where microseconds end. */
#define AFTER_MAX_S INT64_C(253402300800)

int cron_gap_parse(const char *text, enum cron_gap *ret)
{
	if (str_eq(text, "run_after"))
		*ret = CRON_RUN_AFTER;
	else if (str_eq(text, "shift"))
		*ret = CRON_SHIFT;
	else if (str_eq(text, "skip"))
		*ret = CRON_SKIP;
	else
		return ERR_PARSE;
	return 0;
}

int cron_overlap_parse(const char *text, enum cron_overlap *ret)
{
	if (str_eq(text, "first"))
		*ret = CRON_FIRST;
	else if (str_eq(text, "second"))
		*ret = CRON_SECOND;
	else if (str_eq(text, "both"))
		*ret = CRON_BOTH;
	else
		return ERR_PARSE;
	return 0;
}

static bool bit(uint64_t mask, int n)
{
	return (mask >> n & 1) != 0;
}

/* Is d the weekday nearest to day n of its month, without leaving the month? */
static bool is_nearest_weekday(const struct cron_day *d, int n)
{
	if (n > d->month_days || d->weekday == 0 || d->weekday == 6)
		return false;
	if (n == d->day)
		return true;
	if (d->weekday == 5) /* n is the Saturday behind it, or the Sunday that ends the month */
		return n == d->day + 1 ? n > 1 : n == d->day + 2 && n == d->month_days;
	if (d->weekday == 1) /* n is the Sunday before it, or the Saturday that begins the month */
		return n == d->day - 1 || (n == d->day - 2 && n == 1);
	return false;
}

static bool day_of_month_matches(const struct cron *c, const struct cron_day *d)
{
	int left = d->month_days - d->day, n;

	if (bit(c->days, d->day) || bit(c->days_from_last, left))
		return true;
	if (bit(c->days_weekday, 0) && is_nearest_weekday(d, d->month_days))
		return true;
	for (n = d->day > 2 ? d->day - 2 : 1; n <= d->day + 2 && n <= 31; n++)
		if (bit(c->days_weekday, n) && is_nearest_weekday(d, n))
			return true;
	return false;
}

static bool weekday_matches(const struct cron *c, const struct cron_day *d)
{
	return bit(c->weekdays, d->weekday) ||
	       (bit(c->weekdays_last, d->weekday) && d->day + 7 > d->month_days) ||
	       bit(c->weekdays_nth[(d->day - 1) / 7 + 1], d->weekday);
}

bool cron_day_matches(const struct cron *c, const struct cron_day *d)
{
	if (!bit(c->months, d->month))
		return false;
	if (c->both_days)
		return day_of_month_matches(c, d) && weekday_matches(c, d);
	return day_of_month_matches(c, d) || weekday_matches(c, d);
}

/* The first minute of the day from `from` on that matches, -1 for none. */
static int minute_in_day(const struct cron *c, int from)
{
	int hour = from / 60;
	uint64_t left;

	if (hour < 24 && bit(c->hours, hour)) {
		left = c->minutes >> from % 60;
		if (left != 0)
			return from + __builtin_ctzll(left);
	}
	for (hour++; hour < 24; hour++)
		if (bit(c->hours, hour))
			return hour * 60 + __builtin_ctzll(c->minutes);
	return -1;
}

static int64_t floor_div(int64_t a, int64_t b)
{
	return a / b - (a % b < 0);
}

/* The first civil second in [low, high) that matches; NEVER for none. */
static int64_t civil_next(const struct cron *c, int64_t low, int64_t high)
{
	int64_t minute = floor_div(low + 59, 60), day = floor_div(minute, 1440), year, next;
	int from = (int)(minute - day * 1440), found;
	struct cron_day d;

	while (day * DAY_S < high) {
		clock_civil_from_days(day, &year, &d.month, &d.day);
		next = d.month == 12 ? clock_days_from_civil(year + 1, 1, 1)
				     : clock_days_from_civil(year, d.month + 1, 1);
		if (!bit(c->months, d.month)) {
			day = next;
			from = 0;
			continue;
		}
		d.month_days = (int)(next - day) + d.day - 1;
		d.weekday = (int)(((day + 4) % 7 + 7) % 7); /* 1970-01-01 was a Thursday */
		if (cron_day_matches(c, &d) && (found = minute_in_day(c, from)) >= 0) {
			low = day * DAY_S + found * INT64_C(60);
			return low < high ? low : NEVER;
		}
		day++;
		from = 0;
	}
	return NEVER;
}

/* A stretch of one offset: [begin, end), with the offsets around it; all in seconds. */
struct stretch {
	int64_t begin, end;
	int32_t before, offset, after; /* of the neighbours, equal to offset where there is none */
};

static int64_t smaller(int64_t a, int64_t b)
{
	return a < b ? a : b;
}

static int64_t larger(int64_t a, int64_t b)
{
	return a > b ? a : b;
}

static void stretch_end(const struct tz *zone, struct stretch *s, int64_t horizon)
{
	struct tz_change change;

	s->end = horizon;
	s->after = s->offset;
	if (!tz_next_change(zone, s->begin * US_PER_S, &change) || change.at / US_PER_S >= horizon)
		return;
	s->end = change.at / US_PER_S;
	s->after = change.after_s;
}

static void stretch_at(const struct tz *zone, int64_t at, int64_t horizon, struct stretch *s)
{
	struct tz_change change;

	s->begin = at;
	s->offset = s->before = tz_offset(zone, at * US_PER_S);
	if (tz_last_change(zone, at * US_PER_S, &change)) {
		s->begin = floor_div(change.at, US_PER_S);
		s->before = change.before_s;
	}
	stretch_end(zone, s, horizon);
}

/* What the civil times skipped at the beginning of the stretch give, from `from` on. */
static int64_t from_gap(
    const struct cron *c, const struct stretch *s, int64_t from, enum cron_gap gap)
{
	int64_t low = s->begin + s->before, high = s->begin + s->offset, found;

	if (c->elapsed || high <= low || gap == CRON_SKIP)
		return NEVER;
	if (gap == CRON_RUN_AFTER)
		return from <= s->begin && civil_next(c, low, high) != NEVER ? s->begin : NEVER;
	found = civil_next(c, larger(low, from + s->before), high);
	return found == NEVER ? NEVER : found - s->before;
}

/* The first match in the stretch, from `from` on. */
static int64_t in_stretch(const struct cron *c, const struct stretch *s, int64_t from,
    enum cron_gap gap, enum cron_overlap overlap)
{
	int64_t low = larger(from, s->begin) + s->offset, high = s->end + s->offset, found;

	if (!c->elapsed && overlap == CRON_FIRST && s->before > s->offset)
		low = larger(low, s->begin + s->before);
	if (!c->elapsed && overlap == CRON_SECOND && s->after < s->offset)
		high = smaller(high, s->end + s->after);
	found = civil_next(c, low, high);
	if (found != NEVER)
		found -= s->offset;
	return smaller(found, from_gap(c, s, from, gap));
}

int cron_next(const struct cron *c, const struct tz *zone, wall_us after, enum cron_gap gap,
    enum cron_overlap overlap, wall_us *ret_at)
{
	int64_t from = floor_div(after, US_PER_S) + 1, horizon = from + HORIZON_S, found;
	struct stretch s;

	if (from > AFTER_MAX_S || from < -AFTER_MAX_S)
		return ERR_NOT_FOUND;
	stretch_at(zone, from, horizon, &s);
	for (;;) {
		found = in_stretch(c, &s, from, gap, overlap);
		if (found != NEVER)
			break;
		if (s.end >= horizon)
			return ERR_NOT_FOUND;
		s.before = s.offset;
		s.offset = s.after;
		s.begin = s.end;
		stretch_end(zone, &s, horizon);
	}
	*ret_at = found * US_PER_S;
	return 0;
}

/* cron_next decides alone what an instant is; here it is asked from further and further back until
 * it gives one before `before`, and then the last of those is found by halving. */
int cron_prev(const struct cron *c, const struct tz *zone, wall_us before, enum cron_gap gap,
    enum cron_overlap overlap, wall_us *ret_at)
{
	wall_us back = 60 * US_PER_S, low, high = before, middle, next;

	if (before > AFTER_MAX_S * US_PER_S)
		high = before = AFTER_MAX_S * US_PER_S;
	for (;; back *= 2) {
		if (back > HORIZON_S * US_PER_S || before < back - AFTER_MAX_S * US_PER_S)
			return ERR_NOT_FOUND;
		if (cron_next(c, zone, before - back, gap, overlap, &low) == 0 && low < before)
			break;
	}
	/* low is an instant; from high on there is none before `before` */
	while (cron_next(c, zone, low, gap, overlap, &next) == 0 && next < before) {
		low = next;
		middle = low + (high - low) / 2;
		if (cron_next(c, zone, middle, gap, overlap, &next) == 0 && next < before)
			low = next;
		else
			high = middle;
	}
	*ret_at = low;
	return 0;
}

static const char *note_twice(wall_us at, const struct tz_fitting *f, enum cron_overlap overlap)
{
	switch (overlap) {
	case CRON_FIRST:
		return "clock set back: runs once";
	case CRON_SECOND:
		return "clock set back: runs once, the second time";
	case CRON_BOTH:
		break;
	}
	return at == f->first ? "clock set back: first of two" : "clock set back: second of two";
}

const char *cron_note(const struct cron *c, const struct tz *zone, wall_us at, enum cron_gap gap,
    enum cron_overlap overlap)
{
	struct tz_fitting f;
	struct stretch s;
	int64_t from = floor_div(at, US_PER_S);

	if (c->elapsed)
		return NULL;
	tz_fit(zone, tz_to_civil(zone, at), &f);
	if (f.fit == TZ_TWICE)
		return note_twice(at, &f, overlap);
	stretch_at(zone, from, from + 1, &s);
	if (from_gap(c, &s, from, gap) != from)
		return NULL;
	return gap == CRON_SHIFT ? "clock set forward: moved on by the length of the gap"
				 : "clock set forward: runs right after the gap";
}
