/* cmd_show.c: `sluice show`: one run with its steps. */
#include "core/base/clock.h"
#include "core/base/mem.h"
#include "core/cli/cli.h"

#define PARAMS_WIDTH 80u

static const struct cli_opt opts[] = {
    {NULL, NULL, NULL, 0},
};

static void line_time(struct str *b, const char *title, const char *time)
{
	if (!time)
		return;
	str_addf(b, "  %s ", title);
	text_time(b, time);
}

static void add_params(struct str *b, const struct json *params)
{
	struct str line, value;
	str_init(&line, 1u << 20);
	str_add(&line, "params");
	for (const struct json *p = json_first(params); p; p = json_next(p)) {
		str_init(&value, 1u << 20);
		json_print(p, &value);
		str_addf(&line, " %s=%s", json_key(p), json_str(p, str_peek(&value)));
		str_done(&value);
	}
	if (json_len(params) > 0) {
		struct str seen;
		str_init(&seen, 4u << 20);
		str_add_visible(&seen, str_peek(&line), line.len);
		text_wrap(b, str_peek(&seen), 0, 2, PARAMS_WIDTH);
		str_addc(b, '\n');
		str_done(&seen);
	}
	str_done(&line);
}

static void print_facts(const struct json *r)
{
	const struct json *trigger = json_get(r, "trigger"), *window = json_get(r, "window");
	struct str b;
	str_init(&b, 1 << 16);
	str_addf(&b, "trigger %s", json_get_str(trigger, "kind", ""));
	if (json_get_str(trigger, "name", "")[0])
		str_addf(&b, " %s", json_get_str(trigger, "name", ""));
	for (const struct json *e = json_first(json_get(trigger, "events")); e; e = json_next(e))
		str_addf(&b, "  event %s", json_str(e, ""));
	str_addf(&b, "\nplan %.19s", json_get_str(r, "plan", ""));
	if (json_get_str(window, "start", NULL)) {
		line_time(&b, "window", json_get_str(window, "start", NULL));
		line_time(&b, "to", json_get_str(window, "end", NULL));
	}
	str_addc(&b, '\n');
	add_params(&b, json_get(r, "params"));
	line_time(&b, "queued", json_get_str(r, "queued_at", NULL));
	line_time(&b, "started", json_get_str(r, "started_at", NULL));
	if (json_get_str(r, "ended_at", NULL))
		str_addc(&b, '\n');
	line_time(&b, "ended", json_get_str(r, "ended_at", NULL));
	puts(str_peek(&b));
	str_done(&b);
}

static void print_datasets(const struct json *r)
{
	for (const struct json *s = json_first(json_get(r, "steps")); s; s = json_next(s))
		for (const struct json *d = json_first(json_get(s, "datasets")); d;
		     d = json_next(d))
			printf("%s %s %s version %lld%s\n", json_get_str(s, "name", ""),
			    json_get_str(d, "name", ""), json_get_str(d, "partition", ""),
			    (long long)json_get_i64(d, "version", 0),
			    json_get_bool(d, "changed", true) ? "" : " (unchanged)");
}

static int run(struct cli *cli, const struct args *a)
{
	struct str tree;
	struct json *r;
	if (!args_expect(a, 1, 1))
		return EXIT_USAGE;
	char *path = cli_path("/v1/runs/", a->pos[0], "");
	int rc = cli_ask(cli, "GET", path, NULL, &r);
	mem_free(path);
	if (!r)
		return rc;
	str_init(&tree, 16u << 20);
	tree_print(cli, &tree, r, NULL, (double)clock_wall() / 1e6);
	fputs(str_peek(&tree), stdout);
	str_done(&tree);
	print_facts(r);
	print_datasets(r);
	json_free(r);
	return rc;
}

const struct command cmd_show = {
    .name = "show",
    .synopsis = "RUN",
    .summary = "Show a run with its steps",
    .help =
	"RUN is an id, the first characters of one (six or more), a DAG (its newest run) or\n"
	"DAG@KEY, such as shop_nightly@2026-11-21.\n"
	"\nExamples:\n  sluice show shop_nightly\n  sluice show shop_nightly@2026-11-21 -o json",
    .opts = opts,
    .run = run,
};
