/* local.c: a run without a daemon, on a terminal: `sluiced --once` says what happens as lines of
 * JSON, the tree is drawn here. */
#include "core/base/paths.h"
#include "core/base/mem.h"
#include "core/cli/cli.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

#define REDRAW_MS 100
#define LINE_MAX_BYTES (64u << 20)

struct local {
	struct live live;
	struct str line;       /* what has come of the next line */
	struct json *run;      /* owned: newest object, steps included */
	struct json *progress; /* owned: step name -> progress object */
	bool dirty;
};

static bool same_step(const struct json *a, const struct json *b)
{
	return str_eq(json_get_str(a, "name", ""), json_get_str(b, "name", "")) &&
	       str_eq(json_get_str(a, "item", NULL), json_get_str(b, "item", NULL));
}

static void take_step(struct local *l, struct json *take)
{
	struct json *steps = json_new_array();
	bool found = false;
	for (const struct json *s = json_first(json_get(l->run, "steps")); s; s = json_next(s)) {
		bool same = same_step(s, take);
		json_push(steps, json_dup(same ? take : s));
		found = found || same;
	}
	if (!found)
		json_push(steps, json_dup(take));
	json_put(l->run, "steps", steps);
	json_free(take);
}

static void show_log(struct local *l, const struct json *log)
{
	const char *text = json_get_str(log, "text", ""), *item = json_get_str(log, "item", NULL);
	struct str out;
	str_init(&out, 1u << 20);
	str_addf(&out,
	    item ? "--- log of %s[%s], attempt %lld\n" : "--- log of %s%s, attempt %lld\n",
	    json_get_str(log, "name", ""), item ? item : "",
	    (long long)json_get_i64(log, "attempt", 1));
	for (size_t n; *text; text += n + (text[n] == '\n')) {
		n = strcspn(text, "\n");
		str_add_visible(&out, text, n);
		str_addc(&out, '\n');
	}
	str_add(&out, "---\n");
	live_above(&l->live, str_peek(&out));
	str_done(&out);
}

static void take_line(struct local *l, const char *text, size_t n)
{
	struct json *j = NULL;
	if (cli_parse(l->live.cli, text, n, LINE_MAX_BYTES, &j, NULL) != 0)
		return;
	l->dirty = true;
	if (json_get(j, "log")) {
		show_log(l, json_get(j, "log"));
	} else if (json_get(j, "progress")) {
		json_put(
		    l->progress, json_get_str(j, "name", ""), json_dup(json_get(j, "progress")));
	} else if (json_get(j, "steps")) {
		json_free(l->run);
		l->run = j;
		return;
	} else if (json_get(j, "name") && l->run) {
		take_step(l, j);
		return;
	}
	json_free(j);
}

static void take_bytes(struct local *l, const char *p, size_t n)
{
	const char *end;
	while ((end = memchr(p, '\n', n)) != NULL) {
		str_addn(&l->line, p, (size_t)(end - p));
		take_line(l, str_peek(&l->line), l->line.len);
		str_reset(&l->line);
		n -= (size_t)(end - p) + 1;
		p = end + 1;
	}
	str_addn(&l->line, p, n);
}

static void watch(struct local *l, int fd)
{
	struct pollfd p = {.fd = fd, .events = POLLIN};
	char buf[65536];
	for (;;) {
		int ready = poll(&p, 1, REDRAW_MS);
		ssize_t n = ready > 0 ? read(fd, buf, sizeof(buf)) : 1;
		if (n == 0 || (n < 0 && errno != EINTR && errno != EAGAIN))
			break;
		if (ready > 0 && n > 0)
			take_bytes(l, buf, (size_t)n);
		if (l->run && (ready <= 0 || l->dirty))
			live_draw(&l->live, l->run, l->progress);
		l->dirty = false;
	}
	if (l->run)
		live_draw(&l->live, l->run, l->progress);
}

int local_run(struct cli *cli, char *const argv[])
{
	struct local l = {.live = {.cli = cli}, .progress = json_new_object()};
	struct sigaction ignore = {.sa_handler = SIG_IGN}, before;
	struct err err = {0};
	struct child child;
	if (exec_start(path_of(PATH_DAEMON), argv, &child, &err) != 0) {
		json_free(l.progress);
		return cli_error(EXIT_INTERNAL, "%s", err.text);
	}
	/* Ctrl-C is for the run: what it cancels is still shown. */
	sigaction(SIGINT, &ignore, &before);
	str_init(&l.line, LINE_MAX_BYTES);
	watch(&l, child.out);
	int status = exec_wait(&child);
	sigaction(SIGINT, &before, NULL);
	str_done(&l.line);
	json_free(l.run);
	json_free(l.progress);
	return status;
}
