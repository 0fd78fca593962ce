/* expr_time.c: format_time, add_time and start_of. A time is an RFC 3339 text or a date (midnight
 * UTC, or in the zone where one is given); results of add_time and start_of are RFC 3339 in UTC.
 * Days, weeks, months and years are of the calendar in the zone (default UTC), so that a day may
 * have 23 hours; hours and less are elapsed time. */
#include "core/dag/expr_ast.h"

#include "core/base/clock.h"
#include "core/base/str.h"
#include "core/time/tz.h"

#include <math.h>
#include <string.h>

#define YEAR_MAX 9999

static const char *text_of(const struct val *v, size_t n, size_t i)
{
	return i < n ? json_str(v[i].j, NULL) : NULL;
}

static int zone_of(
    struct expr_run *r, const struct val *v, size_t n, size_t i, const struct tz **ret)
{
	*ret = tz_utc();
	if (i >= n || v[i].j == NULL || json_is(v[i].j, JSON_NULL))
		return 0;
	if (!json_is(v[i].j, JSON_STRING))
		return err_set(r->err, ERR_CONFIG, "the zone must be a text such as 'Asia/Tokyo'");
	return tz_load(json_str(v[i].j, ""), ret, r->err) == 0 ? 0 : ERR_CONFIG;
}

static int time_of(
    struct expr_run *r, const char *fn, const struct val *v, const struct tz *zone, wall_us *ret)
{
	const char *s = json_str(v[0].j, NULL);

	if (s == NULL)
		return err_set(r->err, ERR_CONFIG,
		    "the time given to %s is %s; it must be a text such as "
		    "'2026-11-21T17:30:00Z' or '2026-11-21'",
		    fn, expr_type_name((int)json_type(v[0].j)));
	if (clock_parse(s, ret) != 0)
		return err_set(r->err, ERR_CONFIG, "%s cannot read the time \"%.60s\"", fn, s);
	if (strlen(s) == strlen("2026-11-21")) /* a bare date is midnight in the zone */
		*ret = tz_from_civil(zone, *ret);
	return 0;
}

static int give_time(struct expr_run *r, wall_us t, struct val *ret)
{
	char buf[CLOCK_TEXT_MAX];
	struct tz_date d;

	tz_date(t, &d);
	if (d.year < 1 || d.year > YEAR_MAX)
		return err_set(
		    r->err, ERR_CONFIG, "the time lies outside the years 1 to %d", YEAR_MAX);
	val_take(ret, json_new_str(clock_format_us(t, buf)));
	return 0;
}

static int iso_week(const struct tz_date *d, civil_us c, int64_t *ret_year)
{
	/* the week's Thursday decides its year */
	int64_t day = c / (86400 * US_PER_S) - (c % (86400 * US_PER_S) < 0);
	int64_t thursday = day - (d->weekday + 6) % 7 + 3, year;
	int month, mday;

	clock_civil_from_days(thursday, &year, &month, &mday);
	*ret_year = year;
	return (int)((thursday - clock_days_from_civil(year, 1, 1)) / 7) + 1;
}

/* A civil time taken apart, as the directives need it. */
struct moment {
	wall_us at;
	struct tz_date d;
	int64_t week_year;
	int week, day_of_year;
	int32_t offset_s;
	const char *zone;
};

static void moment_init(struct moment *m, const struct tz *zone, wall_us t)
{
	civil_us civil = tz_to_civil(zone, t);

	m->at = t;
	tz_date(civil, &m->d);
	m->week = iso_week(&m->d, civil, &m->week_year);
	m->day_of_year = (int)(clock_days_from_civil(m->d.year, m->d.month, m->d.day) -
			       clock_days_from_civil(m->d.year, 1, 1)) +
			 1;
	m->offset_s = tz_offset(zone, t);
	m->zone = tz_abbreviation(zone, t);
}

/* Directives that are one number: its value and digits; 0 digits where c is none of them. */
static int number_of(const struct moment *m, char c, int64_t *ret)
{
	const struct tz_date *d = &m->d;
	const struct {
		char c;
		int digits;
		int64_t v;
	} numbers[] = {{'Y', 4, d->year}, {'y', 2, d->year % 100}, {'m', 2, d->month},
	    {'d', 2, d->day}, {'H', 2, d->hour}, {'I', 2, (d->hour + 11) % 12 + 1},
	    {'M', 2, d->minute}, {'S', 2, d->second}, {'f', 6, d->us}, {'j', 3, m->day_of_year},
	    {'u', 1, d->weekday == 0 ? 7 : d->weekday}, {'w', 1, d->weekday},
	    {'G', 4, m->week_year}, {'V', 2, m->week},
	    {'s', 1, m->at / US_PER_S - (m->at % US_PER_S < 0)}};
	size_t i;

	for (i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++)
		if (numbers[i].c == c) {
			*ret = numbers[i].v;
			return numbers[i].digits;
		}
	return 0;
}

/* One directive; false where there is none. */
static bool put(struct str *b, char c, const struct moment *m)
{
	static const char *const MONTHS[] = {"January", "February", "March", "April", "May", "June",
	    "July", "August", "September", "October", "November", "December"};
	static const char *const DAYS[] = {
	    "Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"};
	const struct tz_date *d = &m->d;
	int minutes = (m->offset_s < 0 ? -m->offset_s : m->offset_s) / 60, digits;
	int64_t v;

	digits = number_of(m, c, &v);
	if (digits > 0)
		str_addf(b, "%0*lld", digits, (long long)v);
	else if (c == 'p')
		str_add(b, d->hour < 12 ? "AM" : "PM");
	else if (c == 'F')
		str_addf(b, "%04lld-%02d-%02d", (long long)d->year, d->month, d->day);
	else if (c == 'T')
		str_addf(b, "%02d:%02d:%02d", d->hour, d->minute, d->second);
	else if (c == 'B' || c == 'b')
		str_addf(b, "%.*s", c == 'b' ? 3 : 20, MONTHS[d->month - 1]);
	else if (c == 'A' || c == 'a')
		str_addf(b, "%.*s", c == 'a' ? 3 : 20, DAYS[d->weekday]);
	else if (c == 'z')
		str_addf(b, "%c%02d%02d", m->offset_s < 0 ? '-' : '+', minutes / 60, minutes % 60);
	else if (c == 'Z')
		str_add(b, m->zone);
	else if (c == '%')
		str_addc(b, '%');
	else
		return false;
	return true;
}

int expr_fn_format_time(struct expr_run *r, const struct val *v, size_t n, struct val *ret)
{
	const char *format = text_of(v, n, 1);
	const struct tz *zone;
	struct moment m;
	struct str b;
	wall_us t;
	int rc = zone_of(r, v, n, 2, &zone);

	if (rc == 0)
		rc = time_of(r, "format_time", v, zone, &t);
	if (rc == 0 && format == NULL)
		rc = err_set(r->err, ERR_CONFIG,
		    "the format of format_time must be a text such as '%%Y-%%m-%%d'");
	if (rc != 0)
		return rc;
	moment_init(&m, zone, t);
	str_init(&b, EXPR_MAX_RESULT);
	for (; rc == 0 && *format != '\0'; format++) {
		if (*format != '%')
			str_addc(&b, *format);
		else if (!put(&b, *++format, &m))
			rc = err_set(r->err, ERR_CONFIG,
			    "format_time knows no %%%c; there are %%Y %%y %%m %%d %%H %%I "
			    "%%M %%S %%f %%p %%F %%T %%j %%B %%b %%A %%a %%u %%w %%G %%V %%s %%z "
			    "%%Z %%%%",
			    *format == '\0' ? ' ' : *format);
	}
	if (rc == 0)
		rc = expr_run_spend(r, 0, b.len);
	if (rc == 0)
		val_take(ret, json_new_str(str_peek(&b)));
	str_done(&b);
	return rc;
}

enum unit {
	UNIT_SECOND,
	UNIT_MINUTE,
	UNIT_HOUR,
	UNIT_DAY,
	UNIT_WEEK,
	UNIT_MONTH,
	UNIT_YEAR,
	UNIT_N
};

static int unit_of(struct expr_run *r, const char *name, enum unit *ret)
{
	static const char *const NAMES[UNIT_N] = {
	    "second", "minute", "hour", "day", "week", "month", "year"};
	int i;

	for (i = 0; name != NULL && i < UNIT_N; i++) {
		size_t n = strlen(NAMES[i]);

		if (strncmp(name, NAMES[i], n) == 0 &&
		    (name[n] == '\0' || strcmp(name + n, "s") == 0)) {
			*ret = (enum unit)i;
			return 0;
		}
	}
	return err_set(r->err, ERR_CONFIG,
	    "\"%.40s\" is no unit; there are second minute hour day week month year",
	    name != NULL ? name : "");
}

static int days_in(int64_t year, int month)
{
	int64_t y = month == 12 ? year + 1 : year;

	return (int)(clock_days_from_civil(y, month % 12 + 1, 1) -
		     clock_days_from_civil(year, month, 1));
}

/* The same day n months on; the month's last day where it has fewer. */
static civil_us add_months(civil_us c, int64_t n)
{
	struct tz_date d;
	int64_t month;
	int day;

	tz_date(c, &d);
	month = d.year * 12 + d.month - 1 + n;
	d.year = month / 12 - (month % 12 < 0);
	d.month = (int)(month - d.year * 12) + 1;
	day = days_in(d.year, d.month);
	if (d.day < day)
		day = d.day;
	return tz_civil(d.year, d.month, day, d.hour, d.minute, d.second) + d.us;
}

static wall_us shift(wall_us t, int64_t n, enum unit unit, const struct tz *zone)
{
	static const int64_t SECONDS[] = {1, 60, 3600, 86400, 7 * 86400};
	civil_us c;

	if (unit <= UNIT_HOUR)
		return t + n * SECONDS[unit] * US_PER_S;
	c = tz_to_civil(zone, t);
	if (unit <= UNIT_WEEK)
		c += n * SECONDS[unit] * US_PER_S;
	else
		c = add_months(c, unit == UNIT_YEAR ? n * 12 : n);
	return tz_from_civil(zone, c);
}

/* "-2h" and the like. Days and weeks are of the calendar, as with a unit. */
static int shift_text(struct expr_run *r, const char *text, const struct tz *zone, wall_us *t)
{
	bool minus = *text == '-';
	const char *s = text + (*text == '-' || *text == '+');
	char last = *s != '\0' ? s[strlen(s) - 1] : '\0';
	int64_t ms, n;

	if (str_to_duration_ms(s, &ms) != 0)
		return err_set(r->err, ERR_CONFIG,
		    "\"%.40s\" is no duration; write 90s, 15m, 2h, 3d, or a number and a unit",
		    text);
	if (ms / 1000 > INT64_C(10000) * 366 * 86400)
		return err_set(r->err, ERR_CONFIG, "the duration \"%.40s\" is too long", text);
	n = minus ? -ms : ms;
	if (last == 'd' || last == 'w')
		*t = shift(*t, n / 86400000, UNIT_DAY, zone);
	else
		*t += n * US_PER_MS;
	return 0;
}

int expr_fn_add_time(struct expr_run *r, const struct val *v, size_t n, struct val *ret)
{
	bool by_unit = json_is(v[1].j, JSON_NUMBER);
	const char *text = text_of(v, n, 1);
	const struct tz *zone;
	double count = json_num(v[1].j, 0);
	enum unit unit;
	wall_us t;
	int rc = zone_of(r, v, n, by_unit ? 3 : 2, &zone);

	if (rc == 0)
		rc = time_of(r, "add_time", v, zone, &t);
	if (rc == 0 && !by_unit && text == NULL)
		rc = err_set(r->err, ERR_CONFIG,
		    "add_time needs a duration such as '-2h', or a number and a unit");
	if (rc != 0)
		return rc;
	if (!by_unit) {
		rc = shift_text(r, text, zone, &t);
		return rc != 0 ? rc : give_time(r, t, ret);
	}
	rc = unit_of(r, text_of(v, n, 2), &unit);
	if (rc == 0 && (count != floor(count) || fabs(count) > 1e11))
		rc = err_set(
		    r->err, ERR_CONFIG, "add_time needs a whole number below 100,000,000,000");
	if (rc == 0 && unit >= UNIT_DAY && fabs(count) > 4e6)
		rc =
		    err_set(r->err, ERR_CONFIG, "add_time would leave the years 1 to %d", YEAR_MAX);
	return rc != 0 ? rc : give_time(r, shift(t, (int64_t)count, unit, zone), ret);
}

int expr_fn_start_of(struct expr_run *r, const struct val *v, size_t n, struct val *ret)
{
	const struct tz *zone;
	enum unit unit;
	struct tz_date d;
	civil_us c;
	wall_us t;
	int rc = zone_of(r, v, n, 2, &zone);

	if (rc == 0)
		rc = unit_of(r, text_of(v, n, 1), &unit);
	if (rc == 0)
		rc = time_of(r, "start_of", v, zone, &t);
	if (rc != 0)
		return rc;
	c = tz_to_civil(zone, t);
	tz_date(c, &d);
	if (unit <=
	    UNIT_HOUR) { /* elapsed: offsets of whole minutes and seconds stay what they are */
		int64_t part = unit == UNIT_SECOND   ? 1
			       : unit == UNIT_MINUTE ? 60
						     : 3600,
			rest = c % (part * US_PER_S);

		return give_time(r, t - (rest < 0 ? rest + part * US_PER_S : rest), ret);
	}
	if (unit == UNIT_WEEK)
		c = tz_civil(d.year, d.month, d.day, 0, 0, 0) -
		    (d.weekday + 6) % 7 * INT64_C(86400) * US_PER_S;
	else
		c = tz_civil(d.year, unit == UNIT_YEAR ? 1 : d.month,
		    unit >= UNIT_MONTH ? 1 : d.day, 0, 0, 0);
	return give_time(r, tz_from_civil(zone, c), ret);
}
