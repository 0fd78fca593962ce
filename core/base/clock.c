/* clock.c: the clocks, RFC 3339 text, and the Gregorian calendar by day number. */
#include "core/base/clock.h"

#include <stdbool.h>
#include <stdio.h>
#include <time.h>

#define US_PER_DAY (INT64_C(86400) * US_PER_S)

static wall_us read_clock(clockid_t id)
{
	struct timespec ts;

	clock_gettime(id, &ts);
	return (int64_t)ts.tv_sec * US_PER_S + ts.tv_nsec / 1000;
}

wall_us clock_wall(void)
{
	return read_clock(CLOCK_REALTIME);
}

mono_us clock_mono(void)
{
	return read_clock(CLOCK_MONOTONIC);
}

int64_t clock_days_from_civil(int64_t year, int month, int day)
{
	/* Years begin in March, so that the leap day is the last of its year. */
	int64_t y = month <= 2 ? year - 1 : year;
	int64_t era = (y >= 0 ? y : y - 399) / 400;
	int64_t of_era = y - era * 400;
	int64_t of_year = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1;

	return era * 146097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719468;
}

void clock_civil_from_days(int64_t days, int64_t *ret_year, int *ret_month, int *ret_day)
{
	int64_t z = days + 719468;
	int64_t era = (z >= 0 ? z : z - 146096) / 146097;
	int64_t of_era = z - era * 146097;
	int64_t y = (of_era - of_era / 1460 + of_era / 36524 - of_era / 146096) / 365;
	int64_t of_year = of_era - (365 * y + y / 4 - y / 100);
	int64_t m = (5 * of_year + 2) / 153;

	*ret_day = (int)(of_year - (153 * m + 2) / 5 + 1);
	*ret_month = (int)(m < 10 ? m + 3 : m - 9);
	*ret_year = y + era * 400 + (m >= 10);
}

/* n digits of v, with zeros in front; returns the place behind them. */
static char *put(char *to, int v, int n)
{
	int i;

	for (i = n; i > 0; i--, v /= 10)
		to[i - 1] = (char)('0' + v % 10);
	return to + n;
}

/* Every record that is shown has several instants, so no printf for the years that matter. */
static const char *format(wall_us t, char *buf, bool micro)
{
	int64_t days, in_day, year;
	int month, day, s, us;
	char *p = buf;

	if (t == TIME_NONE) {
		buf[0] = '\0';
		return buf;
	}
	days = t / US_PER_DAY;
	in_day = t % US_PER_DAY;
	if (in_day < 0) {
		in_day += US_PER_DAY;
		days--;
	}
	clock_civil_from_days(days, &year, &month, &day);
	s = (int)(in_day / US_PER_S);
	us = (int)(in_day % US_PER_S);
	if (year >= 0 && year <= 9999)
		p = put(p, (int)year, 4);
	else
		p += snprintf(p, CLOCK_TEXT_MAX, "%05lld", (long long)year);
	*p++ = '-';
	p = put(p, month, 2);
	*p++ = '-';
	p = put(p, day, 2);
	*p++ = 'T';
	p = put(p, s / 3600, 2);
	*p++ = ':';
	p = put(p, s / 60 % 60, 2);
	*p++ = ':';
	p = put(p, s % 60, 2);
	*p++ = '.';
	p = micro && us % 1000 != 0 ? put(p, us, 6) : put(p, us / 1000, 3);
	*p++ = 'Z';
	*p = '\0';
	return buf;
}

const char *clock_format(wall_us t, char *buf)
{
	return format(t, buf, false);
}

const char *clock_format_us(wall_us t, char *buf)
{
	return format(t, buf, true);
}

/* Exactly n digits at *p; moves *p behind them. -1 where there are fewer. */
static int digits(const char **p, int n)
{
	int v = 0;

	for (; n > 0; n--, (*p)++) {
		if (**p < '0' || **p > '9')
			return -1;
		v = v * 10 + (**p - '0');
	}
	return v;
}

static bool literal(const char **p, char c)
{
	if (**p != c)
		return false;
	(*p)++;
	return true;
}

static int days_in_month(int year, int month)
{
	static const int n[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
	bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;

	return n[month - 1] + (month == 2 && leap);
}

static int parse_date(const char **p, int64_t *ret_days)
{
	int year, month, day;

	year = digits(p, 4);
	if (year < 0 || !literal(p, '-'))
		return ERR_PARSE;
	month = digits(p, 2);
	if (month < 1 || month > 12 || !literal(p, '-'))
		return ERR_PARSE;
	day = digits(p, 2);
	if (day < 1 || day > days_in_month(year, month))
		return ERR_PARSE;
	*ret_days = clock_days_from_civil(year, month, day);
	return 0;
}

/* hh:mm:ss with 0-9 digits of fraction; microseconds, the rest cut off. A leap second counts as the
 * one before it. */
static int parse_time(const char **p, int64_t *ret_us)
{
	int hour, minute, second, i;
	int64_t us = 0;

	hour = digits(p, 2);
	if (hour < 0 || hour > 23 || !literal(p, ':'))
		return ERR_PARSE;
	minute = digits(p, 2);
	if (minute < 0 || minute > 59 || !literal(p, ':'))
		return ERR_PARSE;
	second = digits(p, 2);
	if (second < 0 || second > 60)
		return ERR_PARSE;
	if (second == 60)
		second = 59;
	if (literal(p, '.')) {
		for (i = 0; i < 9 && **p >= '0' && **p <= '9'; i++, (*p)++)
			us = i < 6 ? us * 10 + (**p - '0') : us;
		if (i == 0)
			return ERR_PARSE;
		for (; i < 6; i++)
			us *= 10;
	}
	*ret_us = (hour * INT64_C(3600) + minute * 60 + second) * US_PER_S + us;
	return 0;
}

static int parse_offset(const char **p, int64_t *ret_us)
{
	int sign, hour, minute;

	if (literal(p, 'Z') || literal(p, 'z')) {
		*ret_us = 0;
		return 0;
	}
	sign = **p == '-' ? -1 : 1;
	if (!literal(p, '+') && !literal(p, '-'))
		return ERR_PARSE;
	hour = digits(p, 2);
	if (hour < 0 || hour > 23 || !literal(p, ':'))
		return ERR_PARSE;
	minute = digits(p, 2);
	if (minute < 0 || minute > 59)
		return ERR_PARSE;
	*ret_us = sign * (hour * INT64_C(3600) + minute * 60) * US_PER_S;
	return 0;
}

int clock_parse(const char *text, wall_us *ret_t)
{
	int64_t days, in_day = 0, offset = 0;
	const char *p = text;

	if (text == NULL || parse_date(&p, &days) != 0)
		return ERR_PARSE;
	if (*p == '\0') {
		*ret_t = days * US_PER_DAY;
		return 0;
	}
	if (!literal(&p, 'T') && !literal(&p, 't') && !literal(&p, ' '))
		return ERR_PARSE;
	if (parse_time(&p, &in_day) != 0 || parse_offset(&p, &offset) != 0 || *p != '\0')
		return ERR_PARSE;
	*ret_t = days * US_PER_DAY + in_day - offset;
	return 0;
}
