/* json_write.c: the streaming writer, and trees as text. Declared in json.h. */
#include "core/base/clock.h"
#include "core/base/json.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define EXACT_MAX 9007199254740992.0 /* 2^53: doubles name every integer up to here */

/* 0: as it is; 1: \u00XX; 2: look at the UTF-8; else the letter behind a backslash. */
static const unsigned char kinds[256] = {
    [0 ... 7] = 1,
    [0x0b] = 1,
    [0x0e ... 0x1f] = 1,
    ['\b'] = 'b',
    ['\f'] = 'f',
    ['\n'] = 'n',
    ['\r'] = 'r',
    ['\t'] = 't',
    ['"'] = '"',
    ['\\'] = '\\',
    [0x80 ... 0xff] = 2,
};

/* One byte that is not plain, at s; returns how many bytes of input it took. */
static size_t add_special(struct str *out, const char *s, size_t n, unsigned char kind)
{
	size_t len;

	if (kind == 1) {
		str_addf(out, "\\u%04x", (unsigned char)*s);
		return 1;
	}
	if (kind == 2) {
		len = str_utf8_len(s, n);
		if (len > 0)
			str_addn(out, s, len);
		else
			str_addn(out, "\xef\xbf\xbd", 3);
		return len > 0 ? len : 1;
	}
	str_addc(out, '\\');
	str_addc(out, (char)kind);
	return 1;
}

/* How many bytes from s on need nothing done. */
static size_t plain_run(const char *s, size_t n)
{
	size_t i = 0;

	while (i < n && kinds[(unsigned char)s[i]] == 0)
		i++;
	return i;
}

static void add_quoted(struct str *out, const char *s, size_t n)
{
	size_t run = plain_run(s, n), i = 0;

	/* Nearly all texts are plain: one reservation, one copy. */
	if (run == n && str_reserve(out, n + 2)) {
		out->s[out->len] = '"';
		memcpy(out->s + out->len + 1, s, n);
		out->s[out->len + n + 1] = '"';
		out->len += n + 2;
		out->s[out->len] = '\0';
		return;
	}
	str_addc(out, '"');
	for (;;) {
		str_addn(out, s + i, run);
		i += run;
		if (i == n)
			break;
		i += add_special(out, s + i, n - i, kinds[(unsigned char)s[i]]);
		run = plain_run(s + i, n - i);
	}
	str_addc(out, '"');
}

static void add_u64(struct str *out, uint64_t v, bool negative)
{
	char text[24], *at = text + sizeof(text);

	do {
		*--at = (char)('0' + v % 10);
		v /= 10;
	} while (v > 0);
	if (negative)
		*--at = '-';
	str_addn(out, at, (size_t)(text + sizeof(text) - at));
}

static void add_i64(struct str *out, int64_t v)
{
	add_u64(out, v < 0 ? 0 - (uint64_t)v : (uint64_t)v, v < 0);
}

static void add_num(struct str *out, double v)
{
	char text[40];
	int digits;

	if (!isfinite(v)) {
		str_addn(out, "null", 4);
		return;
	}
	if (fabs(v) <= EXACT_MAX && v == floor(v)) {
		add_i64(out, (int64_t)v);
		return;
	}
	for (digits = 15; digits <= 17; digits++) {
		snprintf(text, sizeof(text), "%.*g", digits, v);
		if (strtod(text, NULL) == v)
			break;
	}
	str_add(out, text);
}

void jw_init(struct jw *w, struct str *out)
{
	memset(w, 0, sizeof(*w));
	w->out = out;
}

/* The comma before a value or key, if one is due. */
static void separate(struct jw *w)
{
	const struct str *b = w->out;

	if (w->after_key) {
		w->after_key = false;
		return;
	}
	if (w->depth > 0 && b->len > 0 && b->s[b->len - 1] != '{' && b->s[b->len - 1] != '[')
		str_addc(w->out, ',');
}

void jw_object(struct jw *w)
{
	separate(w);
	str_addc(w->out, '{');
	w->depth++;
}

void jw_array(struct jw *w)
{
	separate(w);
	str_addc(w->out, '[');
	w->depth++;
}

void jw_end_object(struct jw *w)
{
	str_addc(w->out, '}');
	w->depth--;
}

void jw_end_array(struct jw *w)
{
	str_addc(w->out, ']');
	w->depth--;
}

void jw_key(struct jw *w, const char *key)
{
	separate(w);
	add_quoted(w->out, key, strlen(key));
	str_addc(w->out, ':');
	w->after_key = true;
}

void jw_str(struct jw *w, const char *s)
{
	if (s == NULL)
		jw_null(w);
	else
		jw_strn(w, s, strlen(s));
}

void jw_strn(struct jw *w, const char *s, size_t n)
{
	separate(w);
	add_quoted(w->out, s, n);
}

void jw_i64(struct jw *w, int64_t v)
{
	separate(w);
	add_i64(w->out, v);
}

void jw_u64(struct jw *w, uint64_t v)
{
	separate(w);
	add_u64(w->out, v, false);
}

void jw_num(struct jw *w, double v)
{
	separate(w);
	add_num(w->out, v);
}

void jw_bool(struct jw *w, bool v)
{
	jw_raw(w, v ? "true" : "false");
}

void jw_null(struct jw *w)
{
	jw_raw(w, "null");
}

void jw_raw(struct jw *w, const char *json)
{
	separate(w);
	str_add(w->out, json);
}

void jw_json(struct jw *w, const struct json *j)
{
	separate(w);
	json_print(j, w->out);
}

void jw_time(struct jw *w, int64_t wall_us_value)
{
	char text[CLOCK_TEXT_MAX];

	if (wall_us_value == TIME_NONE)
		jw_null(w);
	else
		jw_str(w, clock_format(wall_us_value, text));
}

void jw_u64_text(struct jw *w, uint64_t v)
{
	separate(w);
	str_addc(w->out, '"');
	add_u64(w->out, v, false);
	str_addc(w->out, '"');
}

void jw_kstr(struct jw *w, const char *key, const char *s)
{
	jw_key(w, key);
	jw_str(w, s);
}

void jw_ki64(struct jw *w, const char *key, int64_t v)
{
	jw_key(w, key);
	jw_i64(w, v);
}

void jw_kbool(struct jw *w, const char *key, bool v)
{
	jw_key(w, key);
	jw_bool(w, v);
}

void jw_ktime(struct jw *w, const char *key, int64_t v)
{
	jw_key(w, key);
	jw_time(w, v);
}

/* ---- trees ---- */

static void add_indent(struct str *out, int indent)
{
	if (indent >= 0)
		str_addf(out, "\n%*s", 2 * indent, "");
}

static void print_node(const struct json *j, struct str *out, int indent);

/* Members or elements; indent < 0 is compact. */
static void print_items(const struct json *j, struct str *out, int indent)
{
	bool object = json_is(j, JSON_OBJECT);
	int inner = indent < 0 ? indent : indent + 1;
	const struct json *c;

	str_addc(out, object ? '{' : '[');
	for (c = json_first(j); c != NULL; c = json_next(c)) {
		add_indent(out, inner);
		if (object) {
			add_quoted(out, json_key(c), strlen(json_key(c)));
			str_addn(out, ": ", indent < 0 ? 1 : 2);
		}
		print_node(c, out, inner);
		if (json_next(c) != NULL)
			str_addc(out, ',');
	}
	if (json_first(j) != NULL)
		add_indent(out, indent);
	str_addc(out, object ? '}' : ']');
}

static void print_node(const struct json *j, struct str *out, int indent)
{
	const char *s;

	switch (json_type(j)) {
	case JSON_NULL:
		str_addn(out, "null", 4);
		break;
	case JSON_BOOL:
		str_add(out, json_bool(j, false) ? "true" : "false");
		break;
	case JSON_NUMBER:
		add_num(out, json_num(j, 0));
		break;
	case JSON_STRING:
		s = json_str(j, "");
		add_quoted(out, s, strlen(s));
		break;
	case JSON_ARRAY:
	case JSON_OBJECT:
		print_items(j, out, indent);
		break;
	}
}

void json_print(const struct json *j, struct str *out)
{
	print_node(j, out, -1);
}

void json_print_pretty(const struct json *j, struct str *out)
{
	print_node(j, out, 0);
}
