/* window.c: a time trigger's next instant, and the window and key of the run at an instant. */
#include "core/sched/tx.h"

#include "core/time/calendar.h"
#include "core/time/cron.h"

int window_of(const struct plan_trigger *t, wall_us logical, struct window *ret, struct err *err)
{
	const struct tz *zone;
	enum cal_unit unit;
	char buf[CLOCK_TEXT_MAX];
	int rc;

	ret->start = ret->end = TIME_NONE;
	if (t == NULL || t->covers_unit == NULL) {
		str_copy(ret->key, sizeof(ret->key), clock_format(logical, buf));
		return 0;
	}
	rc = tz_load(t->zone, &zone, err);
	if (rc == 0 && cal_unit_parse(t->covers_unit, &unit) != 0)
		rc = err_set(err, ERR_CONFIG, "covers: unit \"%s\" is unknown", t->covers_unit);
	if (rc != 0)
		return rc;
	cal_window(unit, zone, logical, t->covers_offset, &ret->start, &ret->end);
	cal_key(unit, zone, ret->start, ret->key);
	return 0;
}

static int cron_after(const struct plan_trigger *t, wall_us after, wall_us *ret, struct err *err)
{
	enum cron_overlap overlap;
	enum cron_gap gap;
	const struct tz *zone;
	struct cron cron;
	int rc = cron_parse(t->cron, &cron, err);

	if (rc == 0)
		rc = tz_load(t->zone, &zone, err);
	if (rc != 0)
		return rc;
	if (cron_gap_parse(t->gap, &gap) != 0)
		gap = CRON_RUN_AFTER;
	if (cron_overlap_parse(t->overlap, &overlap) != 0)
		overlap = CRON_FIRST;
	return cron_next(&cron, zone, after, gap, overlap, ret);
}

int trigger_next(const struct plan_trigger *t, wall_us after, wall_us *ret, struct err *err)
{
	wall_us from;

	switch (t->kind) {
	case TRIGGER_CRON:
		return cron_after(t, after, ret, err);
	case TRIGGER_AT:
		if (t->at_us <= after)
			return ERR_NOT_FOUND;
		*ret = t->at_us;
		return 0;
	case TRIGGER_EVERY:
		from = t->from_us == TIME_NONE ? 0 : t->from_us;
		*ret = from > after ? from : from + ((after - from) / t->each_us + 1) * t->each_us;
		return 0;
	default:
		return ERR_NOT_FOUND;
	}
}
