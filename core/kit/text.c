/* text.c: values to text and back, exactly. What would be rounded, wrapped or cut is refused with a
 * reason. */
#include "sluice/kit/text.h"

#include "core/base/clock.h"
#include "core/base/hash.h"

#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

static const char *digits_to_u64(const char *p, size_t n, uint64_t *ret)
{
	uint64_t v = 0;
	size_t i;

	if (n == 0)
		return "is not a whole number";
	for (i = 0; i < n; i++) {
		unsigned d = (unsigned char)p[i] - '0';

		if (d > 9)
			return "is not a whole number";
		if (__builtin_mul_overflow(v, UINT64_C(10), &v) ||
		    __builtin_add_overflow(v, (uint64_t)d, &v))
			return "is too large for its type";
	}
	*ret = v;
	return NULL;
}

const char *slu_text_to_u64(const char *p, size_t n, uint64_t *ret)
{
	if (n && *p == '+')
		p++, n--;
	return digits_to_u64(p, n, ret);
}

const char *slu_text_to_i64(const char *p, size_t n, int64_t *ret)
{
	bool neg = n && *p == '-';
	const char *why;
	uint64_t v;

	if (n && (*p == '-' || *p == '+'))
		p++, n--;
	why = digits_to_u64(p, n, &v);
	if (why)
		return why;
	if (v > (uint64_t)INT64_MAX + (neg ? 1u : 0u))
		return "is too large for its type";
	*ret = neg ? (int64_t)(0 - v) : (int64_t)v;
	return NULL;
}

static bool word_is(const char *p, size_t n, const char *word)
{
	return strlen(word) == n && strncasecmp(p, word, n) == 0;
}

const char *slu_text_to_f64(const char *p, size_t n, double *ret)
{
	char buf[512], *end;
	size_t i;
	double v;

	if (word_is(p, n, "nan")) {
		*ret = (double)NAN;
		return NULL;
	}
	if (word_is(p, n, "infinity") || word_is(p, n, "inf") || word_is(p, n, "+infinity")) {
		*ret = (double)INFINITY;
		return NULL;
	}
	if (word_is(p, n, "-infinity") || word_is(p, n, "-inf")) {
		*ret = -(double)INFINITY;
		return NULL;
	}
	if (n == 0 || n >= sizeof(buf))
		return "is not a number";
	for (i = 0; i < n; i++)
		if (!strchr("0123456789+-.eE", p[i]) || p[i] == '\0')
			return "is not a number";
	memcpy(buf, p, n);
	buf[n] = '\0';
	v = strtod(buf, &end);
	if (*end != '\0')
		return "is not a number";
	if (isinf(v))
		return "is too large for its type";
	*ret = v;
	return NULL;
}

const char *slu_text_to_bool(const char *p, size_t n, int *ret)
{
	static const char *const yes[] = {"true", "t", "yes", "y", "1"};
	static const char *const no[] = {"false", "f", "no", "n", "0"};
	size_t i;

	for (i = 0; i < sizeof(yes) / sizeof(yes[0]); i++) {
		if (word_is(p, n, yes[i]) || word_is(p, n, no[i])) {
			*ret = word_is(p, n, yes[i]);
			return NULL;
		}
	}
	return "is not true or false";
}

/* Exponent behind e or E: *n is cut before it. */
static const char *decimal_exponent(const char *p, size_t *n, int64_t *ret_exp)
{
	size_t i;

	*ret_exp = 0;
	for (i = 0; i < *n; i++) {
		if (p[i] != 'e' && p[i] != 'E')
			continue;
		if (slu_text_to_i64(p + i + 1, *n - i - 1, ret_exp) || *ret_exp > 1000 ||
		    *ret_exp < -1000)
			return "is not a number";
		*n = i;
		break;
	}
	return NULL;
}

const char *slu_text_to_decimal(const char *p, size_t n, int precision, int scale, slu_i128 *ret)
{
	unsigned __int128 v = 0;
	bool neg = n && *p == '-', dot = false, any = false;
	int digits = 0;
	int64_t exp, frac = 0;
	uint64_t low = 0; /* the first 18 digits: 128-bit steps are slow */
	const char *why = decimal_exponent(p, &n, &exp);
	size_t i;

	if (why)
		return why;
	for (i = n && (*p == '-' || *p == '+') ? 1 : 0; i < n; i++) {
		unsigned d = (unsigned char)p[i] - '0';

		if (p[i] == '.' && !dot) {
			dot = true;
			continue;
		}
		if (d > 9)
			return "is not a number";
		any = true;
		frac += dot;
		if (digits == 0 && d == 0)
			continue;
		if (++digits > 38)
			return "has more digits than its type holds";
		if (digits <= 18)
			low = low * 10 + d;
		else
			v = (digits == 19 ? low : v) * 10 + d;
	}
	if (digits <= 18)
		v = low;
	if (!any)
		return "is not a number";
	for (exp += scale - frac; v && exp > 0; exp--, v *= 10)
		if (++digits > 38)
			return "has more digits than its type holds";
	for (; v && exp < 0; exp++, v /= 10, digits--)
		if (v % 10)
			return "has more fraction digits than its type holds";
	if (digits > precision)
		return "has more digits than its type holds";
	*ret = neg ? -(slu_i128)v : (slu_i128)v;
	return NULL;
}

static bool two(const char *p, int lo, int hi, int *ret)
{
	unsigned a = (unsigned char)p[0] - '0', b = (unsigned char)p[1] - '0';

	if (a > 9 || b > 9)
		return false;
	*ret = (int)(a * 10 + b);
	return *ret >= lo && *ret <= hi;
}

/* Exactly "YYYY-MM-DD" at p (10 bytes). */
static bool date_at(const char *p, int64_t *ret_days)
{
	static const int in_month[] = {31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
	int c, y, m, d;
	int64_t year;

	if (!two(p, 0, 99, &c) || !two(p + 2, 0, 99, &y) || p[4] != '-' || !two(p + 5, 1, 12, &m) ||
	    p[7] != '-' || !two(p + 8, 1, 31, &d) || d > in_month[m - 1])
		return false;
	year = c * 100 + y;
	if (m == 2 && d == 29 && !((year % 4 == 0 && year % 100 != 0) || year % 400 == 0))
		return false;
	*ret_days = clock_days_from_civil(year, m, d);
	return true;
}

const char *slu_text_to_date(const char *p, size_t n, int32_t *ret_days)
{
	int64_t days;

	if (n != 10 || !date_at(p, &days))
		return "is not a date YYYY-MM-DD";
	*ret_days = (int32_t)days;
	return NULL;
}

/* "Z", "+09:00", "+0900", "+09" or nothing: seconds east. */
static bool zone_at(const char *p, size_t n, int *ret_seconds, int *ret_zoned)
{
	int h = 0, m = 0;

	*ret_seconds = 0;
	*ret_zoned = n > 0;
	if (n == 0 || (n == 1 && (*p == 'Z' || *p == 'z')))
		return true;
	if ((*p != '+' && *p != '-') || n < 3 || !two(p + 1, 0, 23, &h))
		return false;
	if (n == 5   ? !two(p + 3, 0, 59, &m)
	    : n == 6 ? p[3] != ':' || !two(p + 4, 0, 59, &m)
		     : n != 3)
		return false;
	*ret_seconds = (h * 3600 + m * 60) * (*p == '-' ? -1 : 1);
	return true;
}

const char *slu_text_to_timestamp(const char *p, size_t n, int64_t *ret_us, int *ret_zoned)
{
	static const char bad[] = "is not a time YYYY-MM-DD HH:MM:SS";
	int h = 0, m = 0, s = 0, zone;
	int64_t days, frac = 0, unit = 100000;
	size_t i = 10;

	if (n < 10 || !date_at(p, &days))
		return bad;
	if (n > i) {
		if ((p[i] != 'T' && p[i] != ' ' && p[i] != 't') || n < 16 ||
		    !two(p + 11, 0, 23, &h) || p[13] != ':' || !two(p + 14, 0, 59, &m))
			return bad;
		i = 16;
	}
	if (n > i && p[i] == ':') {
		if (n < 19 || !two(p + 17, 0, 59, &s))
			return bad;
		i = 19;
	}
	if (n > i && p[i] == '.') {
		for (i++; i < n && p[i] >= '0' && p[i] <= '9'; i++, unit /= 10) {
			if (unit == 0 && p[i] != '0')
				return "has more than microseconds";
			frac += (p[i] - '0') * unit;
		}
	}
	if (!zone_at(p + i, n - i, &zone, ret_zoned))
		return bad;
	*ret_us = ((days * 24 + h) * 3600 + m * 60 + s - zone) * US_PER_S + frac;
	return NULL;
}

size_t slu_text_from_f64(double v, int single, char *buf)
{
	int digits;

	if (isnan(v))
		return (size_t)snprintf(buf, SLU_TEXT_MAX, "NaN");
	if (isinf(v))
		return (size_t)snprintf(buf, SLU_TEXT_MAX, v < 0 ? "-Infinity" : "Infinity");
	for (digits = single ? 6 : 15;; digits++) {
		int n = snprintf(buf, SLU_TEXT_MAX, "%.*g", digits, v);
		double back = strtod(buf, NULL);

		if (digits == 17 || (single ? (float)back == (float)v : back == v))
			return (size_t)n;
	}
}

size_t slu_text_from_decimal(slu_i128 v, int scale, char *buf)
{
	unsigned __int128 u =
	    v < 0 ? (unsigned __int128)0 - (unsigned __int128)v : (unsigned __int128)v;
	char tmp[SLU_TEXT_MAX];
	size_t n = 0, at = 0;

	do {
		tmp[n++] = (char)('0' + (int)(u % 10));
		u /= 10;
		if ((int)n == scale)
			tmp[n++] = '.';
	} while (u || (int)n <= scale);
	if (tmp[n - 1] == '.')
		tmp[n++] = '0';
	if (v < 0)
		buf[at++] = '-';
	while (n)
		buf[at++] = tmp[--n];
	buf[at] = '\0';
	return at;
}

size_t slu_text_from_u64(uint64_t v, char *buf)
{
	char tmp[24];
	size_t n = 0, at = 0;

	do
		tmp[n++] = (char)('0' + v % 10);
	while ((v /= 10));
	while (n)
		buf[at++] = tmp[--n];
	buf[at] = '\0';
	return at;
}

size_t slu_text_from_i64(int64_t v, char *buf)
{
	if (v >= 0)
		return slu_text_from_u64((uint64_t)v, buf);
	buf[0] = '-';
	return slu_text_from_u64(0 - (uint64_t)v, buf + 1) + 1;
}

/* v in n digits; v fits. printf would cost more than everything else that writes a row. */
static void put_digits(char *buf, int n, int v)
{
	for (; n > 0; v /= 10)
		buf[--n] = (char)('0' + v % 10);
}

size_t slu_text_from_date(int64_t days, char *buf)
{
	int64_t y;
	int m, d;

	clock_civil_from_days(days, &y, &m, &d);
	if (y < 0 || y > 9999)
		return (size_t)snprintf(buf, SLU_TEXT_MAX, "%04lld-%02d-%02d", (long long)y, m, d);
	put_digits(buf, 4, (int)y);
	buf[4] = '-';
	put_digits(buf + 5, 2, m);
	buf[7] = '-';
	put_digits(buf + 8, 2, d);
	buf[10] = '\0';
	return 10;
}

size_t slu_text_from_timestamp(int64_t us, int zoned, int fixed, char *buf)
{
	int64_t days = us / (86400 * US_PER_S), rest = us % (86400 * US_PER_S);
	int s, frac;
	size_t n;

	if (rest < 0) {
		rest += 86400 * US_PER_S;
		days--;
	}
	s = (int)(rest / US_PER_S);
	frac = (int)(rest % US_PER_S);
	n = slu_text_from_date(days, buf);
	memcpy(buf + n, "T00:00:00", 9);
	put_digits(buf + n + 1, 2, s / 3600);
	put_digits(buf + n + 4, 2, s / 60 % 60);
	put_digits(buf + n + 7, 2, s % 60);
	n += 9;
	if (frac || fixed) {
		buf[n] = '.';
		put_digits(buf + n + 1, 6, frac);
		n += 7;
	}
	if (zoned)
		buf[n++] = 'Z';
	buf[n] = '\0';
	return n;
}

int64_t slu_days_from_civil(int64_t y, int m, int d)
{
	return clock_days_from_civil(y, m, d);
}

void slu_civil_from_days(int64_t days, int64_t *y, int *m, int *d)
{
	clock_civil_from_days(days, y, m, d);
}

size_t slu_base64_len(size_t n)
{
	return (n + 2) / 3 * 4;
}

void slu_base64_put(const void *p, size_t n, char *out)
{
	hash_to_base64(p, n, out);
}

const char *slu_base64_get(const char *s, size_t n, void *out, size_t cap, size_t *ret_n)
{
	return hash_from_base64(s, n, out, cap, ret_n) < 0 ? "is not base64" : NULL;
}
