/* window.c: a time trigger's instants, before and behind, when the run of one starts, and its
 * window and key. Pure. */
#include "core/sched/tx.h"

#include "core/time/calendar.h"
#include "core/time/cron.h"

#include <string.h>

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

/* ---- instants ---- */

struct cron_rule {
	struct cron cron;
	const struct tz *zone;
	enum cron_gap gap;
	enum cron_overlap overlap;
};

static int cron_rule(const struct plan_trigger *t, struct cron_rule *ret, struct err *err)
{
	int rc = cron_parse(t->cron, &ret->cron, err);

	if (rc == 0)
		rc = tz_load(t->zone, &ret->zone, err);
	if (rc == ERR_NOT_FOUND)
		rc = ERR_CONFIG; /* the zone; "not found" is an answer here */
	if (cron_gap_parse(t->gap, &ret->gap) != 0)
		ret->gap = CRON_RUN_AFTER;
	if (cron_overlap_parse(t->overlap, &ret->overlap) != 0)
		ret->overlap = CRON_FIRST;
	return rc;
}

static wall_us anchor(const struct plan_trigger *t)
{
	return t->from_us == TIME_NONE ? 0 : t->from_us;
}

int trigger_next(const struct plan_trigger *t, wall_us after, wall_us *ret, struct err *err)
{
	struct cron_rule r;
	wall_us from;
	int rc;

	switch (t->kind) {
	case TRIGGER_CRON:
		rc = cron_rule(t, &r, err);
		return rc != 0 ? rc : cron_next(&r.cron, r.zone, after, r.gap, r.overlap, ret);
	case TRIGGER_AT:
		if (t->at_us <= after)
			return ERR_NOT_FOUND;
		*ret = t->at_us;
		return 0;
	case TRIGGER_EVERY:
		from = anchor(t);
		*ret = from > after ? from : from + ((after - from) / t->each_us + 1) * t->each_us;
		return 0;
	default:
		return ERR_NOT_FOUND;
	}
}

int trigger_prev(const struct plan_trigger *t, wall_us before, wall_us *ret, struct err *err)
{
	struct cron_rule r;
	wall_us from;
	int rc;

	switch (t->kind) {
	case TRIGGER_CRON:
		rc = cron_rule(t, &r, err);
		return rc != 0 ? rc : cron_prev(&r.cron, r.zone, before, r.gap, r.overlap, ret);
	case TRIGGER_AT:
		if (t->at_us >= before)
			return ERR_NOT_FOUND;
		*ret = t->at_us;
		return 0;
	case TRIGGER_EVERY:
		from = anchor(t);
		if (from >= before)
			return ERR_NOT_FOUND;
		*ret = from + (before - 1 - from) / t->each_us * t->each_us;
		return 0;
	default:
		return ERR_NOT_FOUND;
	}
}

bool trigger_is_timed(const struct plan_trigger *t)
{
	return t->kind == TRIGGER_CRON || t->kind == TRIGGER_AT || t->kind == TRIGGER_EVERY;
}

bool trigger_same_times(const struct plan_trigger *a, const struct plan_trigger *b)
{
	if (a->kind != b->kind)
		return false;
	if (a->kind == TRIGGER_AT)
		return a->at_us == b->at_us;
	if (a->kind == TRIGGER_EVERY)
		return a->each_us == b->each_us && anchor(a) == anchor(b);
	return str_eq(a->cron, b->cron) && str_eq(a->zone, b->zone) && str_eq(a->gap, b->gap) &&
	       str_eq(a->overlap, b->overlap);
}

wall_us trigger_start(const char *dag, const struct plan_trigger *t, wall_us at)
{
	char text[CLOCK_TEXT_MAX];
	const char *parts[3] = {dag, t->name, text};
	uint8_t id[HASH_ID_BYTES];
	uint64_t n = 0, span = (uint64_t)(t->jitter_us / US_PER_MS);
	wall_us next;

	if (t->jitter_us <= 0)
		return at;
	if (trigger_next(t, at, &next, NULL) == 0 && next - at < t->jitter_us)
		span = (uint64_t)((next - at) / US_PER_MS);
	if (span == 0)
		return at;
	clock_format_us(at, text);
	hash_id(id, parts, 3);
	for (int i = 0; i < 8; i++)
		n = n << 8 | id[i];
	return at + (wall_us)(n % span) * US_PER_MS;
}
