/* period.c: windows and dated partitions over the calendar of core/time. */
#include "sluice/kit/period.h"
#include "sluice/kit/json.h"

#include "core/kit/build.h"

#include "core/base/str.h"
#include "core/time/calendar.h"

#include <stdio.h>
#include <string.h>

#define US_PER_DAY INT64_C(86400000000)

static const struct tz *tz_of(const slu_zone *zone)
{
	return zone ? (const struct tz *)(const void *)zone : tz_utc();
}

slu_rc slu_zone_find(const char *name, const slu_zone **out, slu_err *err)
{
	const struct tz *tz;
	struct err e = {0};

	if (tz_load(name && *name ? name : "UTC", &tz, &e) < 0)
		return slu_fail_field(err, SLU_E_CONFIG, "KIT.ZONE", "zone", "%s", e.text);
	*out = (const slu_zone *)(const void *)tz;
	return SLU_OK;
}

int64_t slu_zone_to_local(const slu_zone *zone, int64_t us)
{
	return tz_to_civil(tz_of(zone), us);
}

int64_t slu_zone_from_local(const slu_zone *zone, int64_t local_us)
{
	return tz_from_civil(tz_of(zone), local_us);
}

slu_rc slu_period_of(const char *unit, const slu_zone *zone, int64_t us, char *key,
    int64_t *from_us, int64_t *to_us, slu_err *err)
{
	char text[CAL_KEY_MAX];
	enum cal_unit u;
	wall_us from, to;

	if (cal_unit_parse(unit, &u) < 0)
		return slu_fail_field(err, SLU_E_CONFIG, "KIT.UNIT", "unit",
		    "unit: \"%s\" is none of hour, day, week, month", unit);
	cal_window(u, tz_of(zone), us, 0, &from, &to);
	(void)snprintf(key, SLU_PERIOD_MAX, "%s=%s", unit, cal_key(u, tz_of(zone), us, text));
	*from_us = from;
	*to_us = to;
	return SLU_OK;
}

slu_rc slu_period_read(
    const char *key, const slu_zone *zone, int64_t *from_us, int64_t *to_us, slu_err *err)
{
	const char *value = strchr(key, '=');
	char unit[16];
	enum cal_unit u;
	wall_us from;

	if (!value || (size_t)(value - key) >= sizeof(unit))
		return slu_fail(err, SLU_E_CONFIG, "KIT.PARTITION",
		    "\"%s\" is no partition: write day=2026-11-21", key);
	memcpy(unit, key, (size_t)(value - key));
	unit[value - key] = '\0';
	if (cal_unit_parse(unit, &u) < 0 ||
	    cal_key_parse(u, tz_of(zone), value + 1, &from, NULL) < 0)
		return slu_fail(err, SLU_E_CONFIG, "KIT.PARTITION",
		    "\"%s\" is no partition: write day=2026-11-21", key);
	*from_us = from;
	*to_us = cal_add(u, tz_of(zone), from, 1);
	return SLU_OK;
}

slu_rc slu_span_of(const slu_field *f, const slu_zone *zone, int64_t from_us, int64_t to_us,
    int64_t *from, int64_t *to, slu_err *err)
{
	char type[96];

	if (f->type == SLU_TIMESTAMP && f->zone[0]) {
		*from = from_us;
		*to = to_us;
		return SLU_OK;
	}
	*from = slu_zone_to_local(zone, from_us);
	*to = slu_zone_to_local(zone, to_us);
	if (f->type == SLU_TIMESTAMP)
		return SLU_OK;
	if (f->type != SLU_DATE)
		return slu_fail_field(err, SLU_E_CONFIG, "KIT.WINDOW", f->name,
		    "column \"%s\" is %s: a window or partition needs a date or timestamp, so "
		    "declare its type",
		    f->name, slu_type_text(f, type));
	if (*from % US_PER_DAY || *to % US_PER_DAY)
		return slu_fail_field(err, SLU_E_CONFIG, "KIT.WINDOW", f->name,
		    "column \"%s\" holds dates, but the window is not of whole days of its zone",
		    f->name);
	*from /= US_PER_DAY;
	*to /= US_PER_DAY;
	return SLU_OK;
}

int64_t slu_value_instant(const slu_field *f, const slu_zone *zone, int64_t value)
{
	if (f->type == SLU_DATE)
		return slu_zone_from_local(zone, value * US_PER_DAY);
	return f->zone[0] ? value : slu_zone_from_local(zone, value);
}

static slu_rc window_of(const slu_host *host, slu_run *run, const slu_json *window,
    const slu_fields *fields, slu_window *w, slu_err *err)
{
	const slu_attempt *a = host->attempt(run);
	const char *name = slu_json_get_str(window, "column", NULL);
	const slu_zone *zone = NULL;
	slu_rc rc;

	if (!name)
		return SLU_OK;
	w->col = slu_fields_find(fields, name);
	if (w->col < 0)
		return slu_fail_field(err, SLU_E_CONFIG, "KIT.WINDOW", "window.column",
		    "window.column: there is no column \"%s\"", name);
	if (a->window_from_us == SLU_TIME_NONE || a->window_to_us == SLU_TIME_NONE)
		return slu_fail_field(err, SLU_E_CONFIG, "KIT.WINDOW", "window",
		    "this run has no window: give its trigger `covers`, or run it with --at");
	w->to_us = a->window_to_us;
	rc = slu_zone_find(slu_json_get_str(window, "zone", a->zone), &zone, err);
	if (rc != SLU_OK)
		return rc;
	return slu_span_of(
	    &fields->v[w->col], zone, a->window_from_us, a->window_to_us, &w->from, &w->to, err);
}

slu_rc slu_window_read(
    const slu_host *host, slu_run *run, const slu_fields *fields, slu_window *w, slu_err *err)
{
	slu_json *window;
	slu_rc rc = slu_option_json(host, run, "window", &window, err);

	memset(w, 0, sizeof(*w));
	w->col = -1;
	if (rc == SLU_OK)
		rc = window_of(host, run, window, fields, w, err);
	slu_json_free(window);
	return rc;
}

void slu_builder_window(slu_builder *b, slu_window *w)
{
	b->window = w && w->col >= 0 ? w : NULL;
}

void slu_window_mark(const slu_window *w, slu_mark *m)
{
	if (w->col < 0)
		return;
	m->flags |= SLU_MARK_COMPLETE;
	m->complete_us = w->to_us;
}
