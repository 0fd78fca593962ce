/* visible.c: what others said, made harmless for a terminal. Keys of events, messages of plugins
 * and names of files may hold control characters: where a person reads they are shown as \x1B, in
 * the JSON before it is read, so that no command can forget it. With -o json they stay as they are.
 */
#include "core/cli/cli.h"

#include <stdarg.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

static int hex4(const char *p)
{
	int v = 0;
	for (int i = 0; i < 4; i++) {
		const char *digits = "0123456789abcdef", *at;
		at = p[i] ? strchr(digits, p[i] >= 'A' && p[i] <= 'F' ? p[i] + 32 : p[i]) : NULL;
		if (!at)
			return -1;
		v = v * 16 + (int)(at - digits);
	}
	return v;
}

/* Line feeds and tabs are for whoever prints. */
static bool is_control(int c)
{
	return (c >= 0 && c < 0x20 && c != '\n' && c != '\t') || (c >= 0x7f && c < 0xa0);
}

static void add_shown(struct str *out, int c)
{
	if (c >= 0x80)
		str_add(out, "\\\\xC2");
	str_addf(out, "\\\\x%02X", (unsigned)c);
}

/* The escape at p, of n bytes to the end; returns its length. */
static size_t add_escape(struct str *out, const char *p, size_t n)
{
	static const char letters[] = "bfr", codes[] = "\b\f\r";
	const char *at = n > 1 && p[1] ? strchr(letters, p[1]) : NULL;
	int c = at ? codes[at - letters] : n >= 6 && p[1] == 'u' ? hex4(p + 2) : -1;
	size_t len = n < 2 ? n : p[1] == 'u' && n >= 6 ? 6 : 2;
	if (is_control(c))
		add_shown(out, c);
	else
		str_addn(out, p, len);
	return len;
}

static void add_visible_json(struct str *out, const char *p, size_t n)
{
	size_t i = 0, from = 0;
	while (i < n) {
		unsigned char c = (unsigned char)p[i];
		bool c1 = c == 0xc2 && i + 1 < n && (unsigned char)p[i + 1] < 0xa0;
		if (c != '\\' && c != 0x7f && !c1) {
			i++;
			continue;
		}
		str_addn(out, p + from, i - from);
		if (c == '\\')
			i += add_escape(out, p + i, n - i);
		else
			add_shown(out, c1 ? (unsigned char)p[i + 1] : c), i += c1 ? 2 : 1;
		from = i;
	}
	str_addn(out, p + from, n - from);
}

int cli_parse(
    const struct cli *cli, const char *p, size_t n, size_t max, struct json **ret, struct err *err)
{
	struct str shown;
	if (cli->output != OUTPUT_TEXT)
		return json_parse(p, n, max, ret, err);
	str_init(&shown, max + max / 2);
	add_visible_json(&shown, p, n);
	int rc = shown.failed ? err_set(err, ERR_LIMIT, "the answer is too long")
			      : json_parse(str_peek(&shown), shown.len, shown.max, ret, err);
	str_done(&shown);
	return rc;
}

/* Columns of standard error; 0 where it is no terminal. */
static size_t error_columns(void)
{
	struct winsize ws;
	if (isatty(STDERR_FILENO) != 1)
		return 0;
	return ioctl(STDERR_FILENO, TIOCGWINSZ, &ws) == 0 && ws.ws_col >= 20 ? ws.ws_col : 80;
}

int cli_error(int code, const char *fmt, ...)
{
	struct str text, shown;
	va_list ap;
	size_t width = error_columns();
	str_init(&text, 1u << 20);
	str_init(&shown, 4u << 20);
	va_start(ap, fmt);
	str_vaddf(&text, fmt, ap);
	va_end(ap);
	for (const char *p = str_peek(&text); *p;) {
		struct str line;
		size_t n = strcspn(p, "\n");
		str_init(&line, 4u << 20);
		str_add_visible(&line, p, n);
		text_wrap(&shown, str_peek(&line), p == str_peek(&text) ? 8 : 0, 4, width);
		str_done(&line);
		p += n;
		if (*p == '\n')
			str_addc(&shown, *p++);
	}
	fflush(stdout);
	fprintf(stderr, "sluice: %s\n", str_peek(&shown));
	str_done(&text);
	str_done(&shown);
	return code;
}
