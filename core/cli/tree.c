/* tree.c: a run as lines: one header, one line a step, items of a foreach below their step,
 * messages wrapped. */
#include "core/base/clock.h"
#include "core/base/mem.h"
#include "core/cli/cli.h"

#include <string.h>

#define NAME_WIDTH_MAX 28
#define ITEMS_SHOWN 12

static const char *state_mark(const char *state)
{
	static const struct {
		const char *state, *mark;
	} marks[] = {
	    {"succeeded", "\u2713"},
	    {"failed", "\u2717"},
	    {"upstream_failed", "\u2717"},
	    {"running", "\u25b8"},
	    {"retrying", "\u21bb"},
	    {"skipped", "\u2013"},
	    {"cancelled", "\u25a0"},
	};
	for (size_t i = 0; i < sizeof(marks) / sizeof(marks[0]); i++)
		if (str_eq(marks[i].state, state))
			return marks[i].mark;
	return "\u00b7";
}

static double seconds_of(const struct json *j, const char *key, double fallback)
{
	wall_us t;
	const char *text = json_get_str(j, key, NULL);
	if (!text || clock_parse(text, &t) != 0)
		return fallback;
	return (double)t / 1e6;
}

static double elapsed(const struct json *j, double now_s)
{
	double start = seconds_of(j, "started_at", -1);
	return start < 0 ? -1 : seconds_of(j, "ended_at", now_s) - start;
}

/* Wraps text at blanks into lines of `width` columns behind `indent` blanks. */
static void add_wrapped(
    const struct cli *cli, struct str *out, const char *text, size_t indent, enum paint paint)
{
	size_t width = (size_t)cli->width > indent + 20 ? (size_t)cli->width - indent - 1 : 20;
	struct str line;
	str_init(&line, 1 << 16);
	while (*text) {
		size_t n = strcspn(text, " \n");
		struct str word;
		str_init(&word, 1 << 16);
		str_add_visible(&word, text, n);
		if (line.len > 0 &&
		    text_width(str_peek(&line)) + 1 + text_width(str_peek(&word)) > width) {
			str_addf(out, "%*s", (int)indent, "");
			text_paint(cli, out, paint, str_peek(&line));
			str_addc(out, '\n');
			str_reset(&line);
		}
		if (line.len > 0 && word.len > 0)
			str_addc(&line, ' ');
		str_add(&line, str_peek(&word));
		str_done(&word);
		text += n + (text[n] != 0);
	}
	if (line.len > 0) {
		str_addf(out, "%*s", (int)indent, "");
		text_paint(cli, out, paint, str_peek(&line));
		str_addc(out, '\n');
	}
	str_done(&line);
}

static void add_bar(struct str *b, double part)
{
	int full = (int)(part * 10 + 0.5);
	for (int i = 0; i < 10; i++)
		str_add(b, i < full ? "\u2588" : "\u2591");
	str_addf(b, " %3.0f %%  ", part * 100);
}

/* Rows so far, rate and time left of a running step. */
static void add_progress(struct str *b, const struct json *p, double seconds)
{
	int64_t done = json_get_i64(p, "done", 0), total = json_get_i64(p, "total", -1);
	double rate = seconds > 0.2 ? (double)done / seconds : 0;
	if (total > 0 && done <= total)
		add_bar(b, (double)done / (double)total);
	text_count(b, done);
	str_addf(b, " %s", json_get_str(p, "unit", "rows"));
	if (rate >= 1) {
		str_add(b, "  ");
		text_count(b, (int64_t)rate);
		str_add(b, "/s");
	}
	if (total > done && rate >= 1) {
		str_add(b, "  ");
		text_duration(b, (double)(total - done) / rate);
		str_add(b, " left");
	}
}

static void add_counts(struct str *b, const struct json *step)
{
	int64_t out = json_get_i64(step, "rows_out", 0),
		rejected = json_get_i64(step, "rows_rejected", 0);
	int64_t bytes = json_get_i64(step, "bytes", 0);
	if (out > 0 || json_get_i64(step, "rows_in", 0) > 0) {
		text_count(b, out);
		str_add(b, out == 1 ? " row" : " rows");
	}
	if (bytes > 0) {
		str_add(b, b->len > 0 ? "  " : "");
		text_bytes(b, bytes);
	}
	if (rejected > 0) {
		str_add(b, "  ");
		text_count(b, rejected);
		str_add(b, " rejected");
	}
}

static void add_detail(
    struct str *b, const struct json *step, const struct json *progress, double now_s)
{
	const char *state = json_get_str(step, "state", "");
	double s = elapsed(step, now_s);
	int64_t attempt = json_get_i64(step, "attempt", 0);
	if (str_eq(state, "running") && progress)
		add_progress(b, progress, s);
	else if (str_eq(state, "succeeded"))
		add_counts(b, step);
	else
		str_add(b, state);
	if (attempt > 1)
		str_addf(b, "%sattempt %lld", b->len > 0 ? "  " : "", (long long)attempt);
	if (str_eq(state, "failed") && json_get_str(step, "class", NULL))
		str_addf(b, ": %s", json_get_str(step, "class", ""));
}

static void add_step(const struct cli *cli, struct str *out, const struct json *step,
    const struct json *progress, size_t name_width, size_t indent, double now_s)
{
	const char *state = json_get_str(step, "state", "");
	const char *item = json_get_str(step, "item", NULL);
	enum paint paint = text_state_paint(state);
	struct str b;
	str_init(&b, 1 << 16);
	str_addf(out, "%*s", (int)indent, "");
	text_paint(cli, out, paint, state_mark(state));
	str_addc(out, ' ');
	text_cut(&b, item ? item : json_get_str(step, "name", ""), name_width);
	str_add(out, str_peek(&b));
	for (size_t i = text_width(str_peek(&b)); i < name_width + 2; i++)
		str_addc(out, ' ');
	str_reset(&b);
	add_detail(&b, step, progress, now_s);
	double s = elapsed(step, now_s);
	if (s >= 0) {
		str_add(&b, b.len > 0 ? "  " : "");
		text_duration(&b, s);
	}
	struct str cut;
	str_init(&cut, 1 << 16);
	size_t used = indent + 2 + name_width + 2;
	text_cut(
	    &cut, str_peek(&b), (size_t)cli->width > used + 8 ? (size_t)cli->width - used - 1 : 8);
	text_paint(cli, out, str_eq(state, "succeeded") ? PAINT_NONE : paint, str_peek(&cut));
	str_addc(out, '\n');
	str_done(&cut);
	str_done(&b);
	const char *message = json_get_str(step, "message", "");
	if (message[0] && !str_eq(state, "succeeded"))
		add_wrapped(
		    cli, out, message, indent + 4, str_eq(state, "failed") ? PAINT_BAD : PAINT_DIM);
}

static size_t name_width_of(const struct json *steps)
{
	size_t width = 8;
	for (const struct json *s = json_first(steps); s; s = json_next(s)) {
		const char *item = json_get_str(s, "item", NULL);
		size_t w = text_width(item ? item : json_get_str(s, "name", "")) + (item ? 2 : 0);
		if (w > width)
			width = w;
	}
	return width < NAME_WIDTH_MAX ? width : NAME_WIDTH_MAX;
}

/* Succeeded and waiting items of a long foreach are counted, not shown one by one. */
static bool item_shown(const struct json *step, size_t shown)
{
	const char *state = json_get_str(step, "state", "");
	if (str_eq(state, "failed") || str_eq(state, "running") || str_eq(state, "retrying"))
		return shown < 3 * ITEMS_SHOWN;
	return shown < ITEMS_SHOWN;
}

static void add_hidden(const struct cli *cli, struct str *out, size_t hidden)
{
	struct str b;
	if (hidden == 0)
		return;
	str_init(&b, 256);
	str_add(&b, "   \u2026 and ");
	text_count(&b, (int64_t)hidden);
	str_add(&b, hidden == 1 ? " more item" : " more items");
	text_paint(cli, out, PAINT_DIM, str_peek(&b));
	str_addc(out, '\n');
	str_done(&b);
}

static void add_header(const struct cli *cli, struct str *out, const struct json *run, double now_s)
{
	const char *state = json_get_str(run, "state", "");
	double s = elapsed(run, now_s);
	text_paint(cli, out, PAINT_BOLD, json_get_str(run, "dag", ""));
	const char *key = json_get_str(run, "key", "");
	if (key[0])
		str_addf(out, "  %s", key);
	if (json_get_i64(run, "revision", 0) > 0)
		str_addf(out, " (revision %lld)", (long long)json_get_i64(run, "revision", 0));
	str_add(out, "  ");
	text_paint(cli, out, text_state_paint(state), state);
	if (s >= 0) {
		str_add(out, "  ");
		text_duration(out, s);
	}
	str_addf(out, "  %s\n", json_get_str(run, "id", ""));
}

void tree_print(const struct cli *cli, struct str *out, const struct json *run,
    const struct json *progress, double now_s)
{
	const struct json *steps = json_get(run, "steps");
	size_t width = name_width_of(steps), shown = 0, hidden = 0;
	add_header(cli, out, run, now_s);
	for (const struct json *s = json_first(steps); s; s = json_next(s)) {
		const char *item = json_get_str(s, "item", NULL);
		const char *name = json_get_str(s, "name", "");
		if (!item) {
			add_hidden(cli, out, hidden);
			shown = hidden = 0;
			add_step(cli, out, s, json_get(progress, name), width, 1, now_s);
		} else if (item_shown(s, shown)) {
			add_step(cli, out, s, NULL, width > 2 ? width - 2 : width, 3, now_s);
			shown++;
		} else {
			hidden++;
		}
	}
	add_hidden(cli, out, hidden);
	const char *message = json_get_str(run, "message", "");
	if (message[0])
		add_wrapped(cli, out, message, 1, PAINT_BAD);
}
