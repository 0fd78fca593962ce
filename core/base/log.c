/* log.c: one write(2) per line, so that lines of several threads and processes do not mix. */
#include "core/base/log.h"

#include "core/base/clock.h"
#include "core/base/io.h"
#include "core/base/str.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define LOG_TEXT_MAX 2048
#define LOG_LINE_MAX (4 * LOG_TEXT_MAX + 512)

enum log_level log_threshold = LOG_INFO;

static const char *log_program = "sluice";
static int log_fd = STDERR_FILENO;

static const char *const level_names[] = {"debug", "info", "warn", "error"};

void log_init(const char *program, enum log_level threshold)
{
	log_program = program;
	log_threshold = threshold;
}

void log_to_fd(int fd)
{
	log_fd = fd;
}

/* Copies text as the inside of a quoted value: quotes, backslashes, control bytes and bytes that
 * are not UTF-8 escaped. Returns the new end. */
static void add_quoted(struct str *b, const char *text, size_t n)
{
	size_t i, from = 0;

	for (i = 0; i < n; i++) {
		if (text[i] != '"' && text[i] != '\\')
			continue;
		str_add_visible(b, text + from, i - from);
		str_addc(b, '\\');
		str_addc(b, text[i]);
		from = i + 1;
	}
	str_add_visible(b, text + from, n - from);
}

/* The text is cut before it is escaped: at most 4 bytes come of each, so the line always fits. */
void log_line(enum log_level level, const char *at, const char *fmt, ...)
{
	char text[LOG_TEXT_MAX], when[CLOCK_TEXT_MAX];
	int saved = errno, n;
	struct str b;
	va_list ap;

	if (level < log_threshold)
		return;
	va_start(ap, fmt);
	n = vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	if (n < 0)
		n = 0;
	if ((size_t)n >= sizeof(text))
		n = (int)sizeof(text) - 1;
	str_init(&b, LOG_LINE_MAX);
	str_addf(&b, "ts=%s level=%s prog=%s pid=%d at=%s msg=\"", clock_format(clock_wall(), when),
	    level_names[level], log_program, (int)getpid(), at);
	add_quoted(&b, text, (size_t)n);
	str_add(&b, "\"\n");
	if (!b.failed && io_write_all(log_fd, b.s, b.len, NULL) != 0)
		n = 0; /* nowhere to say it */
	str_done(&b);
	errno = saved;
}
