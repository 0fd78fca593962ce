/* sse.c: lines of a Server-Sent Events stream (WHATWG HTML, section 9.2): field, colon, value; a
 * blank line sends. */
#include "core/cli/sse.h"

#include <string.h>

#define SSE_LINE_MAX (8u << 20)

void sse_init(
    struct sse *s, bool (*each)(void *arg, const char *event, const char *data), void *arg)
{
	str_init(&s->line, SSE_LINE_MAX);
	str_init(&s->data, SSE_LINE_MAX);
	str_init(&s->event, 256);
	s->each = each;
	s->arg = arg;
}

void sse_done(struct sse *s)
{
	str_done(&s->line);
	str_done(&s->data);
	str_done(&s->event);
}

static bool end_of_line(struct sse *s)
{
	const char *line = str_peek(&s->line);
	bool more = true;
	if (s->line.len == 0) {
		if (s->data.len > 0)
			more = s->each(s->arg, s->event.len ? str_peek(&s->event) : "message",
			    str_peek(&s->data));
		str_reset(&s->data);
		str_reset(&s->event);
	} else if (str_starts(line, "data:")) {
		if (s->data.len > 0)
			str_addc(&s->data, '\n');
		str_add(&s->data, line + 5 + (line[5] == ' '));
	} else if (str_starts(line, "event:")) {
		str_reset(&s->event);
		str_add(&s->event, line + 6 + (line[6] == ' '));
	}
	str_reset(&s->line);
	return more;
}

bool sse_feed(struct sse *s, const char *p, size_t n)
{
	while (n > 0) {
		const char *nl = memchr(p, '\n', n);
		size_t part = nl ? (size_t)(nl - p) : n;
		str_addn(&s->line, p, part);
		if (s->line.failed)
			return false;
		if (!nl)
			return true;
		if (s->line.len > 0 && s->line.s[s->line.len - 1] == '\r')
			s->line.s[--s->line.len] = 0;
		if (!end_of_line(s))
			return false;
		p += part + 1;
		n -= part + 1;
	}
	return true;
}
