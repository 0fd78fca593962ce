/* cron_parse.c: the text of an expression into masks, and whether any day can ever match. */
#include "core/base/str.h"
#include "core/time/cron_impl.h"

#include <string.h>
#include <strings.h>

#define EXPR_MAX 1000 /* bytes */

enum { MINUTE, HOUR, DAY, MONTH, WEEKDAY, FIELDS };

static const char *const month_words[] = {
    "jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"};
static const char *const weekday_words[] = {"sun", "mon", "tue", "wed", "thu", "fri", "sat"};

static const struct field {
	const char *name;
	int min, max;
	int last;		  /* of `*` and of a/n; 6 where Sunday may also be 7 */
	const char *const *words; /* names of values, from min on */
	int words_n;
} fields[FIELDS] = {
    [MINUTE] = {"minute", 0, 59, 59, NULL, 0},
    [HOUR] = {"hour", 0, 23, 23, NULL, 0},
    [DAY] = {"day-of-month", 1, 31, 31, NULL, 0},
    [MONTH] = {"month", 1, 12, 12, month_words, 12},
    [WEEKDAY] = {"day-of-week", 0, 7, 6, weekday_words, 7},
};

static const char *const shorthands[][2] = {
    {"@yearly", "0 0 1 1 *"},
    {"@annually", "0 0 1 1 *"},
    {"@monthly", "0 0 1 * *"},
    {"@weekly", "0 0 * * 0"},
    {"@daily", "0 0 * * *"},
    {"@midnight", "0 0 * * *"},
    {"@hourly", "0 * * * *"},
};

/* One item of a list, between commas. */
struct item {
	const struct field *field;
	const char *text; /* borrowed; the whole item, for messages */
	const char *at;	  /* borrowed */
	const char *end;  /* borrowed */
	struct err *err;  /* borrowed, may be NULL */
};

static int refuse(const struct item *it, const char *cure)
{
	int len = (int)(it->end - it->text);

	return err_set(it->err, ERR_PARSE, "cron: \"%.*s\" in the %s field: %s",
	    len > 60 ? 60 : len, it->text, it->field->name, cure);
}

static char lower(char c)
{
	return (char)(c >= 'A' && c <= 'Z' ? c + ('a' - 'A') : c);
}

static bool done(const struct item *it)
{
	return it->at == it->end;
}

/* c is lower case and stands for both. */
static bool take(struct item *it, char c)
{
	if (done(it) || lower(*it->at) != c)
		return false;
	it->at++;
	return true;
}

static bool take_number(struct item *it, int *ret)
{
	int v = 0, n = 0;

	for (; !done(it) && *it->at >= '0' && *it->at <= '9' && n < 4; n++)
		v = v * 10 + (*it->at++ - '0');
	if (n == 0)
		return false;
	*ret = v;
	return true;
}

static bool take_word(struct item *it, int *ret)
{
	int i;

	for (i = 0; i < it->field->words_n && it->end - it->at >= 3; i++)
		if (strncasecmp(it->at, it->field->words[i], 3) == 0) {
			it->at += 3;
			*ret = it->field->min + i;
			return true;
		}
	return false;
}

static int take_value(struct item *it, int *ret)
{
	int v;

	if (!take_number(it, &v) && !take_word(it, &v))
		return refuse(it, it->field->words != NULL ? "a number or a name such as "
							     "\"jan\" or \"mon\" is needed"
							   : "a number is needed");
	if (v < it->field->min || v > it->field->max)
		return err_set(it->err, ERR_PARSE,
		    "cron: %d in the %s field: it goes from %d to %d", v, it->field->name,
		    it->field->min, it->field->max);
	*ret = v;
	return 0;
}

/* Behind a slash; 1 where there is none. */
static int take_step(struct item *it, bool *ret_given, int *ret)
{
	*ret_given = take(it, '/');
	*ret = 1;
	if (!*ret_given)
		return 0;
	if (!take_number(it, ret) || *ret < 1)
		return refuse(it, "the step behind / is a number from 1 on");
	if (*ret > it->field->last + 1)
		return refuse(it, "the step is larger than the field");
	return 0;
}

/* * ? a a-b, each with /n. Bits into *mask. */
static int plain_item(struct item *it, uint64_t *mask)
{
	int low = it->field->min, high = it->field->last, step, v, rc;
	bool star = take(it, '*') || take(it, '?'), range = star, stepped;

	if (!star) {
		rc = take_value(it, &low);
		if (rc != 0)
			return rc;
		high = low;
		if (take(it, '-')) {
			range = true;
			rc = take_value(it, &high);
			if (rc != 0)
				return rc;
			if (it->field == &fields[WEEKDAY] && high == 0 && low > 0)
				high = 7; /* fri-sun */
			if (high < low)
				return refuse(it, "the range runs backwards: write two ranges");
		}
	}
	rc = take_step(it, &stepped, &step);
	if (rc != 0)
		return rc;
	if (stepped && !range)
		high = it->field->last > low ? it->field->last : low;
	if (!done(it))
		return refuse(it, "what is written here is not understood");
	for (v = low; v <= high; v += step)
		*mask |= UINT64_C(1) << v;
	return 0;
}

/* L, L-n, LW. */
static int last_day_item(struct item *it, struct cron *c)
{
	int n = 0;

	if (take(it, 'w'))
		c->days_weekday |= 1u;
	else if (take(it, '-') && (!take_number(it, &n) || n > 30))
		return refuse(it, "behind L- goes a number of days up to 30");
	else
		c->days_from_last |= UINT32_C(1) << n;
	return done(it) ? 0 : refuse(it, "L, L-n or LW is what can stand here");
}

static int day_item(struct item *it, struct cron *c)
{
	struct item again = *it;
	uint64_t mask = 0;
	int n, rc;

	if (take(it, 'l'))
		return last_day_item(it, c);
	if (take_number(it, &n) && take(it, 'w')) {
		if (n < 1 || n > 31 || !done(it))
			return refuse(it, "nW has a day from 1 to 31");
		c->days_weekday |= UINT32_C(1) << n;
		return 0;
	}
	rc = plain_item(&again, &mask);
	c->days |= (uint32_t)mask;
	return rc;
}

static int weekday_item(struct item *it, struct cron *c)
{
	struct item again = *it;
	uint64_t mask = 0;
	int w, k, rc;

	if ((take_number(it, &w) || take_word(it, &w)) && w <= 7) {
		if (take(it, 'l')) {
			c->weekdays_last |= (uint8_t)(1u << w % 7);
			return done(it) ? 0 : refuse(it, "nL ends with L");
		}
		if (take(it, '#')) {
			if (!take_number(it, &k) || k < 1 || k > 5 || !done(it))
				return refuse(it, "behind # goes a number from 1 to 5");
			c->weekdays_nth[k] |= (uint8_t)(1u << w % 7);
			return 0;
		}
	}
	rc = plain_item(&again, &mask);
	c->weekdays |= (uint8_t)((mask & 0x7f) | (mask >> 7 & 1));
	return rc;
}

static int one_item(struct item *it, struct cron *c, int which)
{
	uint64_t mask = 0;
	int rc;

	if (done(it))
		return refuse(it, "something is missing beside a comma");
	if (which == DAY)
		return day_item(it, c);
	if (which == WEEKDAY)
		return weekday_item(it, c);
	rc = plain_item(it, &mask);
	if (which == MINUTE)
		c->minutes |= mask;
	else if (which == HOUR)
		c->hours |= (uint32_t)mask;
	else
		c->months |= (uint16_t)mask;
	return rc;
}

static int one_field(const char *s, size_t n, struct cron *c, int which, struct err *err)
{
	struct item it = {.field = &fields[which], .err = err};
	const char *end = s + n, *comma;
	int rc;

	if ((which == DAY || which == WEEKDAY) && (*s == '*' || *s == '?'))
		c->both_days = true;
	for (;; s = comma + 1) {
		comma = memchr(s, ',', (size_t)(end - s));
		it.text = it.at = s;
		it.end = comma == NULL ? end : comma;
		rc = one_item(&it, c, which);
		if (rc != 0 || comma == NULL)
			return rc;
	}
}

/* Weekdays and leap years come in all their combinations within 28 years. */
static bool can_match(const struct cron *c)
{
	int64_t day = clock_days_from_civil(2001, 1, 1), end = clock_days_from_civil(2029, 1, 1);
	int64_t year, next;
	struct cron_day d;

	for (; day < end; day++) {
		clock_civil_from_days(day, &year, &d.month, &d.day);
		next = d.month == 12 ? clock_days_from_civil(year + 1, 1, 1)
				     : clock_days_from_civil(year, d.month + 1, 1);
		d.month_days = (int)(next - clock_days_from_civil(year, d.month, 1));
		d.weekday = (int)((day + 4) % 7);
		if (cron_day_matches(c, &d))
			return true;
	}
	return false;
}

static const char *without_shorthand(const char *text)
{
	size_t i;

	for (i = 0; i < sizeof(shorthands) / sizeof(shorthands[0]); i++)
		if (strcasecmp(text, shorthands[i][0]) == 0)
			return shorthands[i][1];
	return text;
}

int cron_parse(const char *text, struct cron *ret, struct err *err)
{
	static const char blanks[] = " \t";
	struct cron c = {0};
	const char *p;
	int which, rc;
	size_t n;

	if (strnlen(text, EXPR_MAX + 1) > EXPR_MAX)
		return err_set(err, ERR_PARSE, "cron: more than %d bytes", EXPR_MAX);
	p = without_shorthand(text);
	if (*p == '@')
		return err_set(err, ERR_PARSE,
		    "cron: \"%.40s\" is not known: @yearly @annually @monthly @weekly @daily "
		    "@midnight and @hourly are",
		    p);
	for (which = 0; which < FIELDS; which++) {
		p += strspn(p, blanks);
		n = strcspn(p, blanks);
		if (n == 0)
			return err_set(err, ERR_PARSE,
			    "cron: the %s field is missing: minute hour day-of-month month "
			    "day-of-week are needed",
			    fields[which].name);
		rc = one_field(p, n, &c, which, err);
		if (rc != 0)
			return rc;
		p += n;
	}
	p += strspn(p, blanks);
	if (*p != '\0')
		return err_set(err, ERR_PARSE,
		    "cron: \"%.40s\" stands behind the five fields (there is no field for "
		    "seconds or years)",
		    p);
	c.elapsed = c.hours == 0xffffff;
	if (!can_match(&c))
		return err_set(
		    err, ERR_PARSE, "cron: \"%.60s\" never matches: no month has such a day", text);
	*ret = c;
	return 0;
}
