/* tz_rule.c: the rule behind the last change of a zone, in the form of POSIX's TZ variable with the
 * hours -167 to 167 of TZif version 3. */
#include "core/time/tz_impl.h"

#include <string.h>

static bool is_alpha(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

/* "CET" or "<+03>". */
static int parse_name(const char **p, char *to, size_t size)
{
	bool quoted = **p == '<';
	size_t n = 0;

	*p += quoted;
	while (is_alpha(**p) || (quoted && (is_digit(**p) || **p == '+' || **p == '-'))) {
		if (n + 1 >= size)
			return ERR_PARSE;
		to[n++] = *(*p)++;
	}
	to[n] = '\0';
	if (n < 3 || (quoted && *(*p)++ != '>'))
		return ERR_PARSE;
	return 0;
}

/* Up to three digits, at most max. */
static int parse_number(const char **p, int max, int *ret)
{
	int v = 0, n = 0;

	for (; is_digit(**p) && n < 3; n++)
		v = v * 10 + (*(*p)++ - '0');
	if (n == 0 || v > max)
		return ERR_PARSE;
	*ret = v;
	return 0;
}

/* [+-]hh[:mm[:ss]] in seconds. */
static int parse_time(const char **p, int max_hours, int32_t *ret_s)
{
	int sign = 1, hour, minute = 0, second = 0;

	if (**p == '+' || **p == '-')
		sign = *(*p)++ == '-' ? -1 : 1;
	if (parse_number(p, max_hours, &hour) != 0)
		return ERR_PARSE;
	if (**p == ':') {
		(*p)++;
		if (parse_number(p, 59, &minute) != 0)
			return ERR_PARSE;
	}
	if (**p == ':') {
		(*p)++;
		if (parse_number(p, 59, &second) != 0)
			return ERR_PARSE;
	}
	*ret_s = sign * (hour * 3600 + minute * 60 + second);
	return 0;
}

static int expect(const char **p, char c)
{
	return *(*p)++ == c ? 0 : ERR_PARSE;
}

static int parse_month_day(const char **p, struct tz_day *d)
{
	d->kind = TZ_DAY_MONTH;
	if (parse_number(p, 12, &d->month) != 0 || d->month < 1 || **p != '.')
		return ERR_PARSE;
	(*p)++;
	if (parse_number(p, 5, &d->week) != 0 || d->week < 1 || **p != '.')
		return ERR_PARSE;
	(*p)++;
	return parse_number(p, 6, &d->day);
}

static int parse_day(const char **p, struct tz_day *d)
{
	int rc;

	if (**p == 'M') {
		(*p)++;
		rc = parse_month_day(p, d);
	} else if (**p == 'J') {
		(*p)++;
		d->kind = TZ_DAY_JULIAN;
		rc = parse_number(p, 365, &d->day);
		if (rc == 0 && d->day < 1)
			rc = ERR_PARSE;
	} else {
		d->kind = TZ_DAY_ZERO;
		rc = parse_number(p, 365, &d->day);
	}
	if (rc != 0)
		return rc;
	d->time_s = 7200;
	if (**p != '/')
		return 0;
	(*p)++;
	return parse_time(p, 167, &d->time_s);
}

int tz_rule_parse(const char *text, struct tz_rule *ret)
{
	struct tz_rule r = {0};
	const char *p = text;
	int32_t west;

	if (parse_name(&p, r.std_name, sizeof(r.std_name)) != 0 || parse_time(&p, 24, &west) != 0)
		return ERR_PARSE;
	r.std_s = -west;
	if (*p != '\0') {
		r.has_dst = true;
		r.dst_s = r.std_s + 3600;
		if (parse_name(&p, r.dst_name, sizeof(r.dst_name)) != 0)
			return ERR_PARSE;
		if (*p != ',') {
			if (parse_time(&p, 24, &west) != 0)
				return ERR_PARSE;
			r.dst_s = -west;
		}
		if (expect(&p, ',') != 0 || parse_day(&p, &r.start) != 0 || expect(&p, ',') != 0 ||
		    parse_day(&p, &r.end) != 0 || *p != '\0')
			return ERR_PARSE;
	}
	*ret = r;
	return 0;
}

static bool is_leap(int64_t year)
{
	return (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
}

/* Days since 1970 of the rule's day in the year. */
static int64_t day_in_year(const struct tz_day *d, int64_t year)
{
	int64_t first = clock_days_from_civil(year, 1, 1), last;
	int weekday, ahead;

	if (d->kind == TZ_DAY_ZERO)
		return first + d->day;
	if (d->kind == TZ_DAY_JULIAN) /* 29 February is never counted */
		return first + d->day - 1 + (is_leap(year) && d->day >= 60);
	last = d->month == 12 ? clock_days_from_civil(year + 1, 1, 1)
			      : clock_days_from_civil(year, d->month + 1, 1);
	first = clock_days_from_civil(year, d->month, 1);
	weekday = (int)(((first + 4) % 7 + 7) % 7); /* 1970-01-01 was a Thursday */
	ahead = (d->day - weekday + 7) % 7;
	first += ahead + 7 * (d->week - 1);
	while (first >= last) /* week 5 is the last one */
		first -= 7;
	return first;
}

void tz_rule_year(const struct tz_rule *rule, int64_t year, int64_t *ret_start, int64_t *ret_end)
{
	*ret_start = day_in_year(&rule->start, year) * 86400 + rule->start.time_s - rule->std_s;
	*ret_end = day_in_year(&rule->end, year) * 86400 + rule->end.time_s - rule->dst_s;
}
