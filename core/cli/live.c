/* live.c: a run's tree drawn over what was drawn before. */
#include "core/base/clock.h"
#include "core/cli/cli.h"

static size_t count_lines(const char *s)
{
	size_t n = 0;
	for (; *s; s++)
		n += *s == '\n';
	return n;
}

static void add_erase(const struct live *l, struct str *out)
{
	if (l->lines > 0)
		str_addf(out, "\033[%zuA\r\033[J", l->lines);
}

static void put(struct str *out)
{
	fwrite(str_peek(out), 1, out->len, stdout);
	fflush(stdout);
	str_done(out);
}

void live_draw(struct live *l, const struct json *run, const struct json *progress)
{
	struct str out;
	str_init(&out, 16u << 20);
	add_erase(l, &out);
	size_t before = out.len;
	tree_print(l->cli, &out, run, progress, (double)clock_wall() / 1e6);
	l->lines = count_lines(str_peek(&out) + before);
	put(&out);
}

void live_above(struct live *l, const char *text)
{
	struct str out;
	str_init(&out, 16u << 20);
	add_erase(l, &out);
	str_add(&out, text);
	l->lines = 0;
	put(&out);
}
