/* json_scan.c: checks a JSON text. cJSON takes control bytes in strings, numbers such as 01 and 1.,
 * \u0000, bad UTF-8 and a thousand levels; none of that may get in. */
#include "core/base/json_scan.h"

#include "core/base/json.h"
#include "core/base/str.h"

#include <string.h>

#define NUMBER_MAX 63 /* cJSON cuts longer ones */

struct scan {
	const char *text; /* borrowed */
	const char *at;
	const char *end;
	struct err *err; /* borrowed, may be NULL */
};

static int scan_value(struct scan *s, unsigned depth);

static int fail(struct scan *s, const char *what)
{
	return err_set(s->err, ERR_PARSE, "JSON: %s at byte %zu", what, (size_t)(s->at - s->text));
}

static void skip_blanks(struct scan *s)
{
	while (
	    s->at < s->end && (*s->at == ' ' || *s->at == '\n' || *s->at == '\t' || *s->at == '\r'))
		s->at++;
}

static bool is_digit(const struct scan *s)
{
	return s->at < s->end && *s->at >= '0' && *s->at <= '9';
}

static bool take(struct scan *s, char c)
{
	if (s->at == s->end || *s->at != c)
		return false;
	s->at++;
	return true;
}

static int scan_digits(struct scan *s)
{
	if (!is_digit(s))
		return fail(s, "a digit is missing");
	while (is_digit(s))
		s->at++;
	return 0;
}

static int scan_number(struct scan *s)
{
	const char *start = s->at;
	int rc;

	take(s, '-');
	if (take(s, '0')) {
		if (is_digit(s))
			return fail(s, "a number with a leading zero");
	} else if ((rc = scan_digits(s)) != 0) {
		return rc;
	}
	if (take(s, '.') && (rc = scan_digits(s)) != 0)
		return rc;
	if (take(s, 'e') || take(s, 'E')) {
		if (!take(s, '+'))
			take(s, '-');
		if ((rc = scan_digits(s)) != 0)
			return rc;
	}
	if (s->at - start > NUMBER_MAX)
		return fail(s, "a number of more than 63 characters");
	return 0;
}

/* Four hex digits; -1 where they are not there. */
static long scan_hex4(struct scan *s)
{
	long v = 0;
	int i;
	char c;

	if (s->end - s->at < 4)
		return -1;
	for (i = 0; i < 4; i++) {
		c = *s->at++;
		if (c >= '0' && c <= '9')
			v = v * 16 + (c - '0');
		else if (c >= 'a' && c <= 'f')
			v = v * 16 + (c - 'a' + 10);
		else if (c >= 'A' && c <= 'F')
			v = v * 16 + (c - 'A' + 10);
		else
			return -1;
	}
	return v;
}

static int scan_unicode(struct scan *s)
{
	long v = scan_hex4(s);

	if (v < 0)
		return fail(s, "\\u without four hex digits");
	if (v == 0)
		return fail(s, "\\u0000 is not allowed");
	if (v < 0xd800 || v > 0xdfff)
		return 0;
	if (v < 0xdc00 && take(s, '\\') && take(s, 'u')) {
		v = scan_hex4(s);
		if (v >= 0xdc00 && v <= 0xdfff)
			return 0;
	}
	return fail(s, "half of a surrogate pair");
}

static int scan_escape(struct scan *s)
{
	char c;

	if (s->at == s->end)
		return fail(s, "a string without end");
	c = *s->at++;
	if (c == 'u')
		return scan_unicode(s);
	if (memchr("\"\\/bfnrt", c, 8) == NULL)
		return fail(s, "an unknown escape");
	return 0;
}

static int scan_string(struct scan *s)
{
	size_t len;
	int rc;

	s->at++;
	while (s->at < s->end) {
		unsigned char c = (unsigned char)*s->at;

		if (c >= 0x80) {
			len = str_utf8_len(s->at, (size_t)(s->end - s->at));
			if (len == 0)
				return fail(s, "a string that is not UTF-8");
			s->at += len;
			continue;
		}
		if (c < 0x20)
			return fail(s, "a bare control character in a string");
		s->at++;
		if (c == '"')
			return 0;
		if (c == '\\' && (rc = scan_escape(s)) != 0)
			return rc;
	}
	return fail(s, "a string without end");
}

static int scan_word(struct scan *s, const char *word)
{
	size_t n = strlen(word);

	if ((size_t)(s->end - s->at) < n || memcmp(s->at, word, n) != 0)
		return fail(s, "a value is missing");
	s->at += n;
	return 0;
}

static int scan_member(struct scan *s, unsigned depth)
{
	int rc;

	skip_blanks(s);
	if (s->at == s->end || *s->at != '"')
		return fail(s, "a key in quotes is missing");
	rc = scan_string(s);
	if (rc != 0)
		return rc;
	skip_blanks(s);
	if (!take(s, ':'))
		return fail(s, "a colon is missing");
	return scan_value(s, depth);
}

/* The inside of an object or array, whose bracket is taken already. */
static int scan_items(struct scan *s, bool object, unsigned depth)
{
	char close = object ? '}' : ']';
	int rc;

	if (depth > JSON_MAX_DEPTH)
		return err_set(s->err, ERR_LIMIT, "JSON: more than %d levels at byte %zu",
		    JSON_MAX_DEPTH, (size_t)(s->at - s->text));
	skip_blanks(s);
	if (take(s, close))
		return 0;
	for (;;) {
		rc = object ? scan_member(s, depth) : scan_value(s, depth);
		if (rc != 0)
			return rc;
		skip_blanks(s);
		if (take(s, close))
			return 0;
		if (!take(s, ','))
			return fail(
			    s, object ? "\",\" or \"}\" is missing" : "\",\" or \"]\" is missing");
	}
}

static int scan_value(struct scan *s, unsigned depth)
{
	skip_blanks(s);
	if (s->at == s->end)
		return fail(s, "a value is missing");
	switch (*s->at) {
	case '{':
		s->at++;
		return scan_items(s, true, depth + 1);
	case '[':
		s->at++;
		return scan_items(s, false, depth + 1);
	case '"':
		return scan_string(s);
	case 't':
		return scan_word(s, "true");
	case 'f':
		return scan_word(s, "false");
	case 'n':
		return scan_word(s, "null");
	default:
		if (*s->at == '-' || is_digit(s))
			return scan_number(s);
		return fail(s, "a value is missing");
	}
}

int json_scan(const char *text, size_t n, struct err *err)
{
	struct scan s = {.text = text, .at = text, .end = text + n, .err = err};
	int rc = scan_value(&s, 0);

	if (rc != 0)
		return rc;
	skip_blanks(&s);
	if (s.at != s.end)
		return fail(&s, "text behind the value");
	return 0;
}
