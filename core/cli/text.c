/* text.c: numbers, times, durations and colours as people read them on a terminal. */
#include "core/base/clock.h"
#include "core/cli/cli.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <wchar.h>

/* Decodes one character; malformed bytes count as one column each. */
static size_t next_char(const char *s, wchar_t *ret)
{
	mbstate_t state;
	memset(&state, 0, sizeof(state));
	size_t n = mbrtowc(ret, s, strlen(s), &state);
	if (n == (size_t)-1 || n == (size_t)-2 || n == 0) {
		*ret = L'?';
		return 1;
	}
	return n;
}

static size_t char_width(wchar_t c)
{
	int w = wcwidth(c);
	return w > 0 ? (size_t)w : 0;
}

size_t text_width(const char *s)
{
	size_t width = 0;
	while (*s) {
		wchar_t c;
		s += next_char(s, &c);
		width += char_width(c);
	}
	return width;
}

void text_cut(struct str *b, const char *s, size_t width)
{
	if (text_width(s) <= width) {
		str_add(b, s);
		return;
	}
	size_t used = 0;
	while (*s && width > 0) {
		wchar_t c;
		size_t n = next_char(s, &c);
		if (used + char_width(c) > width - 1)
			break;
		used += char_width(c);
		str_addn(b, s, n);
		s += n;
	}
	if (width > 0)
		str_add(b, "\u2026");
}

void text_wrap(struct str *b, const char *text, size_t at, size_t indent, size_t width)
{
	bool begun = false; /* the line has a word */

	while (*text) {
		size_t n = strcspn(text, " ");
		struct str word;

		str_init(&word, 1u << 20);
		str_addn(&word, text, n);
		size_t wide = text_width(str_peek(&word));
		if (begun && width > 0 && at + 1 + wide > width) {
			str_addf(b, "\n%*s", (int)indent, "");
			at = indent;
		} else if (begun) {
			str_addc(b, ' ');
			at++;
		}
		str_add(b, str_peek(&word));
		str_done(&word);
		at += wide;
		begun = true;
		text += n;
		text += *text == ' ';
	}
}

void text_local(struct str *b, const char *text)
{
	static const char form[] = "0000-00-00T00:00:00.000Z";

	while (*text) {
		size_t n = 0;

		while (form[n] &&
		       (form[n] == '0' ? text[n] >= '0' && text[n] <= '9' : text[n] == form[n]))
			n++;
		if (form[n]) {
			str_addc(b, *text++);
			continue;
		}
		char one[sizeof(form)];
		memcpy(one, text, n);
		one[n] = 0;
		text_time(b, one);
		text += n;
	}
}

size_t text_columns(const struct cli *cli)
{
	return cli->tty ? (size_t)cli->width : 0;
}

void text_duration(struct str *b, double seconds)
{
	if (seconds < 0)
		seconds = 0;
	int64_t s = (int64_t)seconds;
	if (seconds < 0.0995)
		str_addf(b, "%.0f ms", seconds * 1000);
	else if (seconds < 9.95)
		str_addf(b, "%.1f s", seconds);
	else if (s < 120)
		str_addf(b, "%.0f s", seconds);
	else if (s < 7200)
		str_addf(b, "%lld min %lld s", (long long)(s / 60), (long long)(s % 60));
	else if (s < 2 * 86400)
		str_addf(b, "%lld h %lld min", (long long)(s / 3600), (long long)(s % 3600 / 60));
	else
		str_addf(b, "%lld d", (long long)(s / 86400));
}

void text_count(struct str *b, int64_t n)
{
	char digits[32];
	snprintf(digits, sizeof(digits), "%lld", (long long)(n < 0 ? -n : n));
	if (n < 0)
		str_addc(b, '-');
	size_t len = strlen(digits);
	for (size_t i = 0; i < len; i++) {
		if (i > 0 && (len - i) % 3 == 0)
			str_addc(b, ',');
		str_addc(b, digits[i]);
	}
}

void text_bytes(struct str *b, int64_t n)
{
	static const char *const units[] = {"B", "kB", "MB", "GB", "TB"};
	double v = (double)n;
	size_t u = 0;
	while (v >= 999.5 && u < 4) {
		v /= 1000;
		u++;
	}
	str_addf(b, u == 0 || v >= 99.5 ? "%.0f %s" : "%.1f %s", v, units[u]);
}

void text_time(struct str *b, const char *rfc3339)
{
	wall_us t;
	struct tm tm;
	if (!rfc3339 || clock_parse(rfc3339, &t) != 0)
		return;
	time_t s = (time_t)(t / US_PER_S);
	char buf[32];
	if (localtime_r(&s, &tm) && strftime(buf, sizeof(buf), "%Y-%m-%d %H:%M:%S", &tm))
		str_add(b, buf);
}

enum paint text_state_paint(const char *state)
{
	static const struct {
		const char *state;
		enum paint paint;
	} table[] = {
	    {"succeeded", PAINT_GOOD},
	    {"started", PAINT_GOOD},
	    {"live", PAINT_GOOD},
	    {"running", PAINT_BUSY},
	    {"retrying", PAINT_WARN},
	    {"failed", PAINT_BAD},
	    {"rejected", PAINT_BAD},
	    {"upstream_failed", PAINT_BAD},
	    {"broken", PAINT_BAD},
	    {"cancelled", PAINT_WARN},
	    {"paused", PAINT_WARN},
	    {"gone", PAINT_WARN},
	    {"unmatched", PAINT_WARN},
	    {"queued", PAINT_DIM},
	    {"waiting", PAINT_DIM},
	    {"duplicate", PAINT_DIM},
	    {"skipped", PAINT_DIM},
	    {"ready", PAINT_DIM},
	};
	for (size_t i = 0; state && i < sizeof(table) / sizeof(table[0]); i++)
		if (str_eq(table[i].state, state))
			return table[i].paint;
	return PAINT_NONE;
}

void text_paint(const struct cli *cli, struct str *b, enum paint p, const char *s)
{
	static const char *const codes[] = {
	    [PAINT_NONE] = "",
	    [PAINT_GOOD] = "32",
	    [PAINT_BAD] = "31",
	    [PAINT_BUSY] = "36",
	    [PAINT_DIM] = "2",
	    [PAINT_BOLD] = "1",
	    [PAINT_WARN] = "33",
	};
	if (!cli->color || p == PAINT_NONE) {
		str_add(b, s);
		return;
	}
	str_addf(b, "\033[%sm%s\033[0m", codes[p], s);
}
